//! State machine and timers of one connection: `docs/protocol/tcp.md`, sections 3, 16 and 17.

use super::deferred_frames::{DeferredFrames, MAX_DEFERRED_BYTES};
use super::log_contract::{FactTicket, ReadPurpose, ReadRequest};
use super::moderation::ListPage;
use crate::identity::ProofContext;
use crate::model::limits::{
    GREETING_TIMEOUT, IDLE_TIMEOUT, MAX_JOIN_ATTEMPTS, NEXT_JOIN_TIMEOUT, PING_INTERVAL,
};
use crate::model::{AddressGroup, ErrorCode, Moment, Sequence, SessionId, Token};
use crate::wire::tcp::{ClientFrame, Decoded, ServerFrame, feature, kind};

/// Log read that the log has not answered: it is not queued yet, waits for its turn, or is in
/// progress.
pub(super) struct PendingRead {
    /// Client request that the read serves.
    pub(super) purpose: ReadPurpose,
    /// Query for the log. It is sent when the read's turn comes.
    pub(super) request: ReadRequest,
    /// Hub's head when the read was registered with the [backlog](super::backlog). `None` until the
    /// read is sent to the log. Reads for `history` and `search` are not registered, so it stays
    /// `None`: later entries do not belong to their answers.
    pub(super) backlog_start: Option<Sequence>,
    /// Frames that wait until the answer to the request is sent. For a replay: until its last page
    /// is sent.
    pub(super) frames_after: Vec<ServerFrame>,
}

impl PendingRead {
    /// Creates a read that has not been sent to the log.
    pub(super) fn new(purpose: ReadPurpose, request: ReadRequest) -> Box<Self> {
        Box::new(Self { purpose, request, backlog_start: None, frames_after: Vec::new() })
    }
}

/// Fields of the `welcome` that are determined when the `join` is accepted, before the frame is
/// sent.
pub(super) struct WelcomeData {
    /// Session token. The hub keeps it only until the welcome is sent.
    pub(super) token: Token,
    /// Flags of the `welcome` frame: session kept, position kept, durable.
    pub(super) flags: u8,
}

/// Reason why a joined connection is blocked. While it is blocked, received frames are deferred.
pub(super) enum BlockedOn {
    /// A log read waits for its turn or is in progress.
    Read(Box<PendingRead>),
    /// The connection has not reached its [`Delivery::Mark`](super::Delivery::Mark) (flow control).
    Mark,
    /// As [`Self::Mark`]; then the rest of a list is sent.
    List(Box<ListPage>),
    /// The moderation action that the client requested is on its way through the log.
    Fact(FactTicket),
    /// The request is throttled: it waits for tokens of its address group, which are reserved for
    /// this request.
    Quota(Box<ClientFrame>),
}

/// Handshake and session state of a connection.
pub(super) enum ConnectionState {
    /// Waiting for `hello`.
    Connected {
        /// Handshake deadline: latest moment for the first `join`.
        deadline: Moment,
    },
    /// Waiting for `join`, perhaps after a refused one.
    Greeted {
        /// Handshake deadline: latest moment for the next `join`.
        deadline: Moment,
        /// Number of refused `join`s.
        refused_joins: u8,
    },
    /// The `join` is proposed to the log. Received frames are deferred until it is committed.
    JoinProposed {
        /// Number of refused `join`s.
        refused_joins: u8,
    },
    /// The `join` is accepted; history or missed entries are being read and sent.
    Joining {
        /// Session of the connection.
        session: SessionId,
        /// Pending log read. While `is_paused`: the read to queue next.
        read: Box<PendingRead>,
        /// Data for the welcome; `None` once the welcome is sent.
        welcome: Option<WelcomeData>,
        /// True between two pages. The next read is queued when the client has taken the previous
        /// page and its address group has a token.
        is_paused: bool,
    },
    /// Joined: the whole replay is queued. Received frames are handled, or deferred while the
    /// connection is blocked.
    Joined {
        /// Session of the connection.
        session: SessionId,
        /// Reason why the connection is blocked; `None` if received frames are handled at once.
        blocked_on: Option<BlockedOn>,
    },
    /// The connection is a follower's: the driver sends it the log.
    Replicating,
    /// The last frame is queued. Waits for [`Input::Disconnected`](super::Input::Disconnected).
    Closing,
}

/// Action that a connection's timers require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerAction {
    /// No action is due before this moment.
    WaitUntil(Moment),
    /// Send a `ping`.
    SendPing,
    /// Close the connection with this error.
    Close(ErrorCode),
    /// No action is due at any time, because the connection is closing.
    Nothing,
}

/// State of a client's connection.
pub(super) struct Connection {
    /// Address group of the client.
    pub(super) group: AddressGroup,
    /// Random token. It becomes the session token if the connection starts a new session. `None`
    /// once a `join` is proposed to the log.
    pub(super) token: Option<Token>,
    /// What a proof on this connection signs. `None` if no proof is possible: the server has no
    /// key, or the client has not asked for a challenge, or its `join` is accepted.
    pub(super) proof_context: Option<Box<ProofContext>>,
    /// Negotiated feature bits ([`feature`]); 0 before `hello`.
    pub(super) features: u64,
    /// Handshake and session state.
    pub(super) state: ConnectionState,
    /// Received frames that wait while the connection is blocked.
    deferred: DeferredFrames,
    /// Moment when the last frame was received. Before the first one: when the client connected.
    last_received: Moment,
    /// True if a `ping` was sent after the last received frame.
    ping_pending: bool,
    /// True if the client counts as having the token of its session: its `join` brought the token,
    /// or the whole replay is queued.
    pub(super) has_token: bool,
    /// True if the client leaves: it has closed its sending half after a whole frame.
    pub(super) is_leaving: bool,
}

impl Connection {
    /// Creates the state of a new connection, which waits for `hello`.
    pub(super) fn new(
        group: AddressGroup,
        token: Token,
        proof_context: Option<Box<ProofContext>>,
        now: Moment,
    ) -> Self {
        Self {
            group,
            token: Some(token),
            proof_context,
            features: 0,
            state: ConnectionState::Connected { deadline: now + GREETING_TIMEOUT },
            deferred: DeferredFrames::default(),
            last_received: now,
            ping_pending: false,
            has_token: false,
            is_leaving: false,
        }
    }

    /// Records that a frame was received: restarts the ping and idle timers.
    pub(super) fn record_activity(&mut self, now: Moment) {
        self.last_received = now;
        self.ping_pending = false;
    }

    /// Returns true if the client negotiated presence (`roster` and `presence` frames).
    pub(super) const fn wants_presence(&self) -> bool {
        self.features & feature::PRESENCE != 0
    }

    /// Returns true if the client negotiated `resume`: its name may wait for it when the connection
    /// is lost.
    pub(super) const fn comes_back(&self) -> bool {
        self.features & feature::RESUME != 0
    }

    /// Returns true if the session's name would wait for it if the connection ended now. After a
    /// final error, no name waits; the caller checks that.
    pub(super) const fn keeps_name_when_lost(&self) -> bool {
        self.comes_back() && self.has_token && !self.is_leaving
    }

    /// Returns true if the connection is closing: its last frame is queued.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.state, ConnectionState::Closing)
    }

    /// Returns the session of the connection. `None` before a `join` is accepted, and while
    /// closing.
    pub(super) const fn session(&self) -> Option<SessionId> {
        match self.state {
            ConnectionState::Joining { session, .. } | ConnectionState::Joined { session, .. } => {
                Some(session)
            }
            _ => None,
        }
    }

    /// Returns the session of the connection if the whole replay is queued. `None` before that, and
    /// while closing.
    pub(super) const fn joined_session(&self) -> Option<SessionId> {
        match self.state {
            ConnectionState::Joined { session, .. } => Some(session),
            _ => None,
        }
    }

    /// Accepts the `hello`: stores the negotiated features and waits for `join`. The deadline does
    /// not change. Without the feature `identity`, no proof is possible. Does nothing after the
    /// first `hello`.
    pub(super) fn accept_hello(&mut self, features: u64) {
        if features & feature::IDENTITY == 0 {
            self.proof_context = None;
        }
        if let ConnectionState::Connected { deadline } = self.state {
            self.features = features;
            self.state = ConnectionState::Greeted { deadline, refused_joins: 0 };
        }
    }

    /// Counts a refused `join`, and restarts the handshake timeout. Returns true if the client may
    /// try again. Returns false after [`MAX_JOIN_ATTEMPTS`] refused `join`s, or if no `join` is
    /// expected.
    #[must_use]
    pub(super) fn count_refused_join(&mut self, now: Moment) -> bool {
        let ConnectionState::Greeted { deadline, refused_joins } = &mut self.state else {
            return false;
        };
        *refused_joins = refused_joins.saturating_add(1);
        *deadline = now + NEXT_JOIN_TIMEOUT;
        *refused_joins < MAX_JOIN_ATTEMPTS
    }

    /// Switches from waiting for a `join` to waiting for its commit.
    pub(super) fn wait_for_commit(&mut self) {
        if let ConnectionState::Greeted { refused_joins, .. } = self.state {
            self.state = ConnectionState::JoinProposed { refused_joins };
        }
    }

    /// Switches back from waiting for the commit of a `join`, because it is refused: waits for the
    /// next one, with a new handshake timeout.
    pub(super) fn resume_handshake(&mut self, now: Moment) {
        if let ConnectionState::JoinProposed { refused_joins } = self.state {
            let deadline = now + NEXT_JOIN_TIMEOUT;
            self.state = ConnectionState::Greeted { deadline, refused_joins };
        }
    }

    /// Returns true if received frames must be deferred: while joining, or while blocked.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(
            self.state,
            ConnectionState::JoinProposed { .. }
                | ConnectionState::Joining { .. }
                | ConnectionState::Joined { blocked_on: Some(_), .. }
        )
    }

    /// Blocks a joined connection: its received frames are then deferred. Replaces an earlier
    /// reason. Does nothing in other states.
    pub(super) fn block_on(&mut self, what: BlockedOn) {
        if let ConnectionState::Joined { blocked_on, .. } = &mut self.state {
            *blocked_on = Some(what);
        }
    }

    /// Returns the pending log read: it waits for its turn or is in progress. `None` if there is
    /// none, and between two replay pages.
    pub(super) fn pending_read(&mut self) -> Option<&mut PendingRead> {
        match &mut self.state {
            ConnectionState::Joining { read, is_paused: false, .. }
            | ConnectionState::Joined { blocked_on: Some(BlockedOn::Read(read)), .. } => Some(read),
            _ => None,
        }
    }

    /// Takes the pending read that the log has answered. Returns the session and the read. Also
    /// returns the data for the welcome, unless the welcome was sent. `None` if no read with this
    /// purpose is pending.
    ///
    /// The connection is then in state `Joined` and not blocked. If another page follows, call
    /// [`Self::pause_replay`]. Then handle [`Self::next_deferred`].
    #[must_use]
    pub(super) fn complete_read(
        &mut self,
        purpose: &ReadPurpose,
    ) -> Option<(SessionId, Box<PendingRead>, Option<WelcomeData>)> {
        if self.pending_read().is_none_or(|read| read.purpose != *purpose) {
            return None;
        }
        let (session, read, welcome) =
            match std::mem::replace(&mut self.state, ConnectionState::Closing) {
                ConnectionState::Joining { session, read, welcome, .. } => (session, read, welcome),
                ConnectionState::Joined { session, blocked_on: Some(BlockedOn::Read(read)) } => {
                    (session, read, None)
                }
                other => {
                    self.state = other;
                    return None;
                }
            };
        self.state = ConnectionState::Joined { session, blocked_on: None };
        Some((session, read, welcome))
    }

    /// Switches back to state `Joining`, paused between two replay pages. `read`: read of the next
    /// page. The read is due when the client has taken the previous page and its address group has
    /// a token.
    pub(super) fn pause_replay(&mut self, session: SessionId, mut read: Box<PendingRead>) {
        read.backlog_start = None;
        self.state = ConnectionState::Joining { session, read, welcome: None, is_paused: true };
    }

    /// Unblocks a joined connection that awaits a flow-control mark. Does nothing in any other
    /// state. Then handle [`Self::next_deferred`].
    pub(super) fn unblock_at_mark(&mut self) {
        if let ConnectionState::Joined { blocked_on: blocked_on @ Some(BlockedOn::Mark), .. } =
            &mut self.state
        {
            *blocked_on = None;
        }
    }

    /// If a joined connection awaits a flow-control mark and the rest of a list follows,
    /// unblocks it and returns that rest.
    #[must_use]
    pub(super) fn take_list_page(&mut self) -> Option<ListPage> {
        let ConnectionState::Joined { blocked_on, .. } = &mut self.state else {
            return None;
        };
        match blocked_on.take() {
            Some(BlockedOn::List(page)) => Some(*page),
            other => {
                *blocked_on = other;
                None
            }
        }
    }

    /// Unblocks a joined connection that waits for this fact, and returns true. Then answer the
    /// request, and handle [`Self::next_deferred`].
    #[must_use]
    pub(super) fn unblock_at_fact(&mut self, ticket: FactTicket) -> bool {
        let ConnectionState::Joined { blocked_on, .. } = &mut self.state else {
            return false;
        };
        let is_own = matches!(blocked_on, Some(BlockedOn::Fact(own)) if *own == ticket);
        if is_own {
            *blocked_on = None;
        }
        is_own
    }

    /// Returns true if a replay is paused between two pages.
    pub(super) const fn is_replay_paused(&self) -> bool {
        matches!(self.state, ConnectionState::Joining { is_paused: true, .. })
    }

    /// Ends the pause between two replay pages, and returns true. Then queue the read of the next
    /// page. Returns false if no replay is paused.
    #[must_use]
    pub(super) const fn continue_replay(&mut self) -> bool {
        match &mut self.state {
            ConnectionState::Joining { is_paused, .. } => std::mem::replace(is_paused, false),
            _ => false,
        }
    }

    /// Takes the throttled request, whose tokens are now available, and unblocks the connection.
    /// Handle the request, then [`Self::next_deferred`]. `None` if no request is throttled.
    #[must_use]
    pub(super) fn take_throttled(&mut self) -> Option<ClientFrame> {
        let ConnectionState::Joined { blocked_on, .. } = &mut self.state else {
            return None;
        };
        match blocked_on.take() {
            Some(BlockedOn::Quota(frame)) => Some(*frame),
            other => {
                *blocked_on = other;
                None
            }
        }
    }

    /// Defers a frame if the connection is blocked or earlier frames are deferred, and returns
    /// `None`. Otherwise returns the frame. Drops a frame that would be deferred but needs no
    /// answer: `pong`, or [`Decoded::Ignored`].
    #[must_use]
    pub(super) fn defer_if_blocked(
        &mut self,
        frame: Decoded<ClientFrame>,
    ) -> Option<Decoded<ClientFrame>> {
        if !self.is_blocked() && self.deferred.is_empty() {
            return Some(frame);
        }
        // These need no answer, so they need not wait.
        if !matches!(frame, Decoded::Ignored | Decoded::Frame(ClientFrame::Pong(_))) {
            self.deferred.push(frame);
        }
        None
    }

    /// Returns true if more than `max_frames` frames, or more than [`MAX_DEFERRED_BYTES`] bytes,
    /// are deferred.
    pub(super) fn has_deferred_too_much(&self, max_frames: usize) -> bool {
        self.deferred.len() > max_frames || self.deferred.bytes() > MAX_DEFERRED_BYTES
    }

    /// Takes the next deferred frame. `None` if there is none, or if the connection is blocked or
    /// closing. Call it until it returns `None`.
    pub(super) fn next_deferred(&mut self) -> Option<Decoded<ClientFrame>> {
        if self.is_blocked() || self.is_closing() {
            return None;
        }
        self.deferred.pop()
    }

    /// Checks a frame against the protocol (`docs/protocol/tcp.md`, section 15, steps 3, 5 and 6).
    /// If the frame is malformed or not allowed in the current state, returns the error code with
    /// which the connection must be closed. Otherwise `None`.
    pub(super) fn protocol_violation(&self, frame: &Decoded<ClientFrame>) -> Option<ErrorCode> {
        let (kind, readable) = match frame {
            Decoded::Frame(frame) => (Some(frame.kind()), true),
            Decoded::Malformed(0) => (None, false),
            Decoded::Malformed(kind) => (Some(*kind), false),
            Decoded::Ignored => (None, true),
        };
        let allowed = match (&self.state, kind) {
            (ConnectionState::Connected { .. }, Some(kind::HELLO)) => true,
            (ConnectionState::Connected { .. }, _) => return Some(ErrorCode::NotPiChat),
            (_, None) => true,
            (ConnectionState::Greeted { .. }, Some(kind)) => {
                matches!(kind, kind::JOIN | kind::REPLICATE | kind::PING | kind::PONG)
            }
            (ConnectionState::Replicating, Some(kind)) => {
                matches!(kind, kind::REPLICATED | kind::PING | kind::PONG)
            }
            (_, Some(kind)) => (kind::SAY..=kind::MARK_READ).contains(&kind),
        };
        match (allowed, readable) {
            (false, _) => Some(ErrorCode::Unexpected),
            (true, false) => Some(ErrorCode::Malformed),
            (true, true) => None,
        }
    }

    /// Returns the action that the timers (handshake, idle, ping) require at `now`, and changes
    /// nothing. A ping is due if no frame has arrived for [`PING_INTERVAL`]. No ping is sent before
    /// `hello`, and no second one before the next frame.
    pub(super) fn timer_action(&self, now: Moment) -> TimerAction {
        if self.is_closing() {
            return TimerAction::Nothing;
        }
        let deadline = self.handshake_deadline();
        if deadline.is_some_and(|at| at <= now) {
            return TimerAction::Close(ErrorCode::HandshakeTimeout);
        }
        let (ping, idle) = (self.last_received + PING_INTERVAL, self.last_received + IDLE_TIMEOUT);
        if idle <= now {
            return TimerAction::Close(ErrorCode::IdleTimeout);
        }
        let may_ping =
            !self.ping_pending && !matches!(self.state, ConnectionState::Connected { .. });
        if may_ping && ping <= now {
            return TimerAction::SendPing;
        }
        let silence = if may_ping { ping } else { idle };
        TimerAction::WaitUntil(deadline.map_or(silence, |at| at.min(silence)))
    }

    /// Returns the handshake deadline; `None` if no `join` is awaited.
    const fn handshake_deadline(&self) -> Option<Moment> {
        match self.state {
            ConnectionState::Connected { deadline } | ConnectionState::Greeted { deadline, .. } => {
                Some(deadline)
            }
            ConnectionState::JoinProposed { .. }
            | ConnectionState::Joining { .. }
            | ConnectionState::Joined { .. }
            | ConnectionState::Replicating
            | ConnectionState::Closing => None,
        }
    }

    /// Records that a ping was sent. Returns the moment of the next timer if no frame comes: the
    /// idle timeout, or the handshake deadline if that is earlier.
    pub(super) fn record_ping(&mut self) -> Moment {
        self.ping_pending = true;
        let idle = self.last_received + IDLE_TIMEOUT;
        self.handshake_deadline().map_or(idle, |at| at.min(idle))
    }

    /// Switches to state `Closing`, drops the deferred frames and returns the previous state.
    #[must_use]
    pub(super) fn begin_closing(&mut self) -> ConnectionState {
        self.deferred = DeferredFrames::default();
        std::mem::replace(&mut self.state, ConnectionState::Closing)
    }
}
