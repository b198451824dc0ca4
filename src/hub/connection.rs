//! A connection's life as the hub sees it: `docs/protocol/tcp.md`, sections
//! 3, 16 and 17.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::contract::{ReadPurpose, ReadRequest};
use crate::model::limits::{
    GREETING_TIMEOUT, IDLE_TIMEOUT, MAX_JOIN_ATTEMPTS, NEXT_JOIN_TIMEOUT, PING_INTERVAL,
};
use crate::model::{ErrorCode, Moment, Sequence, SessionId, Token};
use crate::wire::tcp::{ClientFrame, Received, ServerFrame, feature};

/// The kinds of a client's frames that answers are about.
pub(super) mod kind {
    /// `hello`.
    pub(in crate::hub) const HELLO: u16 = 1;
    /// `join`.
    pub(in crate::hub) const JOIN: u16 = 2;
    /// `say`.
    pub(in crate::hub) const SAY: u16 = 3;
    /// `direct`.
    pub(in crate::hub) const DIRECT: u16 = 4;
    /// `enter`.
    pub(in crate::hub) const ENTER: u16 = 5;
    /// `leave`.
    pub(in crate::hub) const LEAVE: u16 = 6;
    /// `history`.
    pub(in crate::hub) const HISTORY: u16 = 7;
    /// `members`.
    pub(in crate::hub) const MEMBERS: u16 = 8;
    /// `ping`.
    pub(in crate::hub) const PING: u16 = 9;
    /// `pong`.
    pub(in crate::hub) const PONG: u16 = 10;
    /// `search`.
    pub(in crate::hub) const SEARCH: u16 = 11;
}

/// Something that the log has been asked for.
pub(super) struct PendingRead {
    /// What it answers.
    pub(super) purpose: ReadPurpose,
    /// What was asked for.
    pub(super) request: ReadRequest,
    /// If what is committed meanwhile has to be added to what is found: the
    /// head at the time of asking. It is registered with the backlog.
    pub(super) backlog_start: Option<Sequence>,
    /// What must wait for the answer.
    pub(super) frames_after: Vec<ServerFrame>,
}

/// What a welcome says that nothing else knows.
pub(super) struct WelcomeData {
    /// The session's secret; here only until it is told.
    pub(super) token: Token,
    /// What became of token and position.
    pub(super) flags: u8,
}

/// What the frames of somebody who has joined wait for.
pub(super) enum BlockedOn {
    /// The log reads.
    Read(Box<PendingRead>),
    /// The client takes up what it was given.
    Mark,
}

/// How far a connection has come.
pub(super) enum State {
    /// Its `hello` has not come.
    Connected {
        /// By when its join must have come.
        deadline: Moment,
    },
    /// Its `join` has not come, or was refused.
    Greeted {
        /// By when a join must have come.
        deadline: Moment,
        /// So many were refused.
        refused_joins: u8,
    },
    /// Its join is accepted; what was said before is being read and sent.
    Joining {
        /// Whose connection it is.
        session: SessionId,
        /// What is being read, or will be.
        read: Box<PendingRead>,
        /// What its welcome has to say; none when it was sent.
        welcome: Option<WelcomeData>,
        /// Nothing is being read: first the client has to take up the page
        /// before.
        is_paused: bool,
    },
    /// It is in.
    Joined {
        /// Whose connection it is.
        session: SessionId,
        /// What its frames wait for.
        blocked_on: Option<BlockedOn>,
    },
    /// Everything was said; the driver still has it.
    Closing,
}

/// What time it is for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerAction {
    /// Nothing before this moment.
    WaitUntil(Moment),
    /// A `ping`.
    SendPing,
    /// Its end.
    Close(ErrorCode),
    /// Nothing ever.
    Nothing,
}

/// A connection.
pub(super) struct Connection {
    /// Where from.
    pub(super) address: IpAddr,
    /// For the session that it may begin; none when that is decided.
    pub(super) token: Option<Token>,
    /// What the client wants and the server does.
    pub(super) features: u64,
    /// How far it has come.
    pub(super) state: State,
    /// Frames that came while others had to be dealt with first.
    deferred: VecDeque<Received<ClientFrame>>,
    /// When something came last.
    last_received: Moment,
    /// A ping was sent since.
    ping_pending: bool,
}

impl Connection {
    /// A new one.
    pub(super) fn new(address: IpAddr, token: Token, now: Moment) -> Self {
        Self {
            address,
            token: Some(token),
            features: 0,
            state: State::Connected { deadline: now + GREETING_TIMEOUT },
            deferred: VecDeque::new(),
            last_received: now,
            ping_pending: false,
        }
    }

    /// Notes that a frame has come, of whatever kind.
    pub(super) fn record_activity(&mut self, now: Moment) {
        self.last_received = now;
        self.ping_pending = false;
    }

    /// Whether it wants to be told who comes and goes.
    pub(super) const fn wants_presence(&self) -> bool {
        self.features & feature::PRESENCE != 0
    }

    /// Whether everything was said.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing)
    }

    /// Whose it is, from an accepted join on.
    pub(super) const fn session(&self) -> Option<SessionId> {
        match self.state {
            State::Joining { session, .. } | State::Joined { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The session that has got its welcome and what was said before here.
    pub(super) const fn joined_session(&self) -> Option<SessionId> {
        match self.state {
            State::Joined { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The `hello` was good; a `join` is awaited, no longer than before.
    pub(super) fn accept_hello(&mut self, features: u64) {
        if let State::Connected { deadline } = self.state {
            self.features = features;
            self.state = State::Greeted { deadline, refused_joins: 0 };
        }
    }

    /// A `join` was refused. Says whether another one may come.
    #[must_use]
    pub(super) fn count_refused_join(&mut self, now: Moment) -> bool {
        let State::Greeted { deadline, refused_joins } = &mut self.state else {
            return false;
        };
        *refused_joins = refused_joins.saturating_add(1);
        *deadline = now + NEXT_JOIN_TIMEOUT;
        *refused_joins < MAX_JOIN_ATTEMPTS
    }

    /// Whether its frames have to wait.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.state, State::Joining { .. } | State::Joined { blocked_on: Some(_), .. })
    }

    /// Its frames wait for this from now on, if it has joined.
    pub(super) fn block_on(&mut self, what: BlockedOn) {
        if let State::Joined { blocked_on, .. } = &mut self.state {
            *blocked_on = Some(what);
        }
    }

    /// What was being read is there. Gives whose it is, what was waited for,
    /// and what its welcome has to say if that is still to come; nothing if
    /// it was not this that was waited for. The connection has joined then,
    /// but for [`Self::pause_replay`]. [`Self::next_deferred`] is to be called
    /// afterwards.
    #[must_use]
    pub(super) fn complete_read(
        &mut self,
        purpose: &ReadPurpose,
    ) -> Option<(SessionId, Box<PendingRead>, Option<WelcomeData>)> {
        let is_awaited = match &self.state {
            State::Joining { read, is_paused: false, .. }
            | State::Joined { blocked_on: Some(BlockedOn::Read(read)), .. } => {
                read.purpose == *purpose
            }
            _ => false,
        };
        if !is_awaited {
            return None;
        }
        let (session, read, welcome) = match std::mem::replace(&mut self.state, State::Closing) {
            State::Joining { session, read, welcome, .. } => (session, read, welcome),
            State::Joined { session, blocked_on: Some(BlockedOn::Read(read)) } => {
                (session, read, None)
            }
            other => {
                self.state = other;
                return None;
            }
        };
        self.state = State::Joined { session, blocked_on: None };
        Some((session, read, welcome))
    }

    /// It goes on joining: this is to be read when its client has taken up
    /// what it was given.
    pub(super) fn pause_replay(&mut self, session: SessionId, read: Box<PendingRead>) {
        self.state = State::Joining { session, read, welcome: None, is_paused: true };
    }

    /// The client has taken up what it was given. If it goes on joining,
    /// gives what is to be read next, registered at this head; if it has joined, its frames go on:
    /// [`Self::next_deferred`] is to be called afterwards.
    pub(super) fn resume_at_mark(&mut self, head: Sequence) -> Option<ReadRequest> {
        match &mut self.state {
            State::Joined { blocked_on: blocked_on @ Some(BlockedOn::Mark), .. } => {
                *blocked_on = None;
                None
            }
            State::Joining { read, is_paused: is_paused @ true, .. } => {
                *is_paused = false;
                read.backlog_start = Some(head);
                Some(read.request.clone())
            }
            _ => None,
        }
    }

    /// Keeps a frame for later if its turn has not come, and gives it back
    /// if it has.
    #[must_use]
    pub(super) fn defer_if_blocked(
        &mut self,
        frame: Received<ClientFrame>,
    ) -> Option<Received<ClientFrame>> {
        if !self.is_blocked() && self.deferred.is_empty() {
            return Some(frame);
        }
        // What needs no answer need not wait.
        if !matches!(frame, Received::Ignored | Received::Frame(ClientFrame::Pong(_))) {
            self.deferred.push_back(frame);
        }
        None
    }

    /// How many frames wait for their turn.
    pub(super) fn deferred_count(&self) -> usize {
        self.deferred.len()
    }

    /// The next frame whose turn has come. Call it until there is none.
    pub(super) fn next_deferred(&mut self) -> Option<Received<ClientFrame>> {
        if self.is_blocked() || self.is_closing() {
            return None;
        }
        let next = self.deferred.pop_front();
        if next.is_none() {
            self.deferred = VecDeque::new();
        }
        next
    }

    /// The fault of a frame in the state in which the connection is, if it
    /// is one that closes: steps 3, 5 and 6 of the page's section 15.
    pub(super) fn protocol_violation(&self, frame: &Received<ClientFrame>) -> Option<ErrorCode> {
        let (kind, readable) = match frame {
            Received::Frame(frame) => (Some(frame.kind()), true),
            Received::Malformed(0) => (None, false),
            Received::Malformed(kind) => (Some(*kind), false),
            Received::Ignored => (None, true),
        };
        let allowed = match (&self.state, kind) {
            (State::Connected { .. }, Some(kind::HELLO)) => true,
            (State::Connected { .. }, _) => return Some(ErrorCode::NotPiChat),
            (_, None) => true,
            (State::Greeted { .. }, Some(kind)) => {
                matches!(kind, kind::JOIN | kind::PING | kind::PONG)
            }
            (_, Some(kind)) => (kind::SAY..=kind::SEARCH).contains(&kind),
        };
        match (allowed, readable) {
            (false, _) => Some(ErrorCode::Unexpected),
            (true, false) => Some(ErrorCode::Malformed),
            (true, true) => None,
        }
    }

    /// What its timers ask for.
    pub(super) fn timer_action(&self, now: Moment) -> TimerAction {
        let deadline = match self.state {
            State::Closing => return TimerAction::Nothing,
            State::Connected { deadline } | State::Greeted { deadline, .. } => Some(deadline),
            State::Joining { .. } | State::Joined { .. } => None,
        };
        if deadline.is_some_and(|at| at <= now) {
            return TimerAction::Close(ErrorCode::HandshakeTimeout);
        }
        let (ping, idle) = (self.last_received + PING_INTERVAL, self.last_received + IDLE_TIMEOUT);
        if idle <= now {
            return TimerAction::Close(ErrorCode::IdleTimeout);
        }
        let may_ping = !self.ping_pending && !matches!(self.state, State::Connected { .. });
        if may_ping && ping <= now {
            return TimerAction::SendPing;
        }
        let silence = if may_ping { ping } else { idle };
        TimerAction::WaitUntil(deadline.map_or(silence, |at| at.min(silence)))
    }

    /// Notes that a ping is sent; gives when to look again.
    pub(super) fn record_ping(&mut self) -> Moment {
        self.ping_pending = true;
        self.last_received + IDLE_TIMEOUT
    }

    /// Takes what the connection had, for it is over. No frame of it is
    /// looked at any more.
    #[must_use]
    pub(super) fn begin_closing(&mut self) -> State {
        self.deferred = VecDeque::new();
        std::mem::replace(&mut self.state, State::Closing)
    }
}
