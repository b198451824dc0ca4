//! A connection's life as the hub sees it: `docs/protocol/tcp.md`, sections
//! 3, 16 and 17.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::contract::{Purpose, ReadRequest};
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
    pub(super) purpose: Purpose,
    /// What was asked for.
    pub(super) request: ReadRequest,
    /// If what is committed meanwhile has to be added to what is found: the
    /// head at the time of asking. It is registered with the backlog.
    pub(super) registered: Option<Sequence>,
    /// What must wait for the answer.
    pub(super) owed: Vec<ServerFrame>,
}

/// What a welcome says that nothing else knows.
pub(super) struct Promise {
    /// The session's secret; here only until it is told.
    pub(super) token: Token,
    /// What became of token and position.
    pub(super) flags: u8,
}

/// What the frames of somebody who has joined wait for.
pub(super) enum Wait {
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
        refused: u8,
    },
    /// Its join is accepted; what was said before is being read and sent.
    Joining {
        /// Whose connection it is.
        session: SessionId,
        /// What is being read, or will be.
        read: Box<PendingRead>,
        /// What its welcome has to say; none when it was sent.
        promise: Option<Promise>,
        /// Nothing is being read: first the client has to take up the page
        /// before.
        is_paused: bool,
    },
    /// It is in.
    Joined {
        /// Whose connection it is.
        session: SessionId,
        /// What its frames wait for.
        wait: Option<Wait>,
    },
    /// Everything was said; the driver still has it.
    Closing,
}

/// What time it is for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this moment.
    At(Moment),
    /// A `ping`.
    Ping,
    /// Its end.
    End(ErrorCode),
    /// Nothing ever.
    Never,
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
    waiting: VecDeque<Received<ClientFrame>>,
    /// When something came last.
    heard: Moment,
    /// A ping was sent since.
    pinged: bool,
}

impl Connection {
    /// A new one.
    pub(super) fn new(address: IpAddr, token: Token, now: Moment) -> Self {
        Self {
            address,
            token: Some(token),
            features: 0,
            state: State::Connected { deadline: now + GREETING_TIMEOUT },
            waiting: VecDeque::new(),
            heard: now,
            pinged: false,
        }
    }

    /// Notes that a frame has come, of whatever kind.
    pub(super) fn hear(&mut self, now: Moment) {
        self.heard = now;
        self.pinged = false;
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
    pub(super) const fn joined(&self) -> Option<SessionId> {
        match self.state {
            State::Joined { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The `hello` was good; a `join` is awaited, no longer than before.
    pub(super) fn greet(&mut self, features: u64) {
        if let State::Connected { deadline } = self.state {
            self.features = features;
            self.state = State::Greeted { deadline, refused: 0 };
        }
    }

    /// A `join` was refused. Says whether another one may come.
    #[must_use]
    pub(super) fn refuse(&mut self, now: Moment) -> bool {
        let State::Greeted { deadline, refused } = &mut self.state else {
            return false;
        };
        *refused = refused.saturating_add(1);
        *deadline = now + NEXT_JOIN_TIMEOUT;
        *refused < MAX_JOIN_ATTEMPTS
    }

    /// Whether its frames have to wait.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Joining { .. } | State::Joined { wait: Some(_), .. })
    }

    /// Its frames wait for this from now on, if it has joined.
    pub(super) fn begin_wait(&mut self, what: Wait) {
        if let State::Joined { wait, .. } = &mut self.state {
            *wait = Some(what);
        }
    }

    /// What was being read is there. Gives whose it is, what was waited for,
    /// and what its welcome has to say if that is still to come; nothing if
    /// it was not this that was waited for. The connection has joined then,
    /// but for [`Self::pause`]. [`Self::next_waiting`] is to be called
    /// afterwards.
    #[must_use]
    pub(super) fn finish_read(
        &mut self,
        purpose: &Purpose,
    ) -> Option<(SessionId, Box<PendingRead>, Option<Promise>)> {
        let is_awaited = match &self.state {
            State::Joining { read, is_paused: false, .. }
            | State::Joined { wait: Some(Wait::Read(read)), .. } => read.purpose == *purpose,
            _ => false,
        };
        if !is_awaited {
            return None;
        }
        let (session, read, promise) = match std::mem::replace(&mut self.state, State::Closing) {
            State::Joining { session, read, promise, .. } => (session, read, promise),
            State::Joined { session, wait: Some(Wait::Read(read)) } => (session, read, None),
            other => {
                self.state = other;
                return None;
            }
        };
        self.state = State::Joined { session, wait: None };
        Some((session, read, promise))
    }

    /// It goes on joining: this is to be read when its client has taken up
    /// what it was given.
    pub(super) fn pause(&mut self, session: SessionId, read: Box<PendingRead>) {
        self.state = State::Joining { session, read, promise: None, is_paused: true };
    }

    /// The client has taken up what it was given. If it goes on joining,
    /// gives what is to be read next, registered at this head; if it has joined, its frames go on:
    /// [`Self::next_waiting`] is to be called afterwards.
    pub(super) fn pass_mark(&mut self, head: Sequence) -> Option<ReadRequest> {
        match &mut self.state {
            State::Joined { wait: wait @ Some(Wait::Mark), .. } => {
                *wait = None;
                None
            }
            State::Joining { read, is_paused: is_paused @ true, .. } => {
                *is_paused = false;
                read.registered = Some(head);
                Some(read.request.clone())
            }
            _ => None,
        }
    }

    /// Keeps a frame for later if its turn has not come, and gives it back
    /// if it has.
    #[must_use]
    pub(super) fn wait_or_pass(
        &mut self,
        frame: Received<ClientFrame>,
    ) -> Option<Received<ClientFrame>> {
        if !self.is_waiting() && self.waiting.is_empty() {
            return Some(frame);
        }
        // What needs no answer need not wait.
        if !matches!(frame, Received::Ignored | Received::Frame(ClientFrame::Pong(_))) {
            self.waiting.push_back(frame);
        }
        None
    }

    /// How many frames wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next frame whose turn has come. Call it until there is none.
    pub(super) fn next_waiting(&mut self) -> Option<Received<ClientFrame>> {
        if self.is_waiting() || self.is_closing() {
            return None;
        }
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.waiting = VecDeque::new();
        }
        next
    }

    /// The fault of a frame in the state in which the connection is, if it
    /// is one that closes: steps 3, 5 and 6 of the page's section 15.
    pub(super) fn fault(&self, frame: &Received<ClientFrame>) -> Option<ErrorCode> {
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
    pub(super) fn due(&self, now: Moment) -> Due {
        let deadline = match self.state {
            State::Closing => return Due::Never,
            State::Connected { deadline } | State::Greeted { deadline, .. } => Some(deadline),
            State::Joining { .. } | State::Joined { .. } => None,
        };
        if deadline.is_some_and(|at| at <= now) {
            return Due::End(ErrorCode::HandshakeTimeout);
        }
        let (ping, idle) = (self.heard + PING_INTERVAL, self.heard + IDLE_TIMEOUT);
        if idle <= now {
            return Due::End(ErrorCode::IdleTimeout);
        }
        let may_ping = !self.pinged && !matches!(self.state, State::Connected { .. });
        if may_ping && ping <= now {
            return Due::Ping;
        }
        let silence = if may_ping { ping } else { idle };
        Due::At(deadline.map_or(silence, |at| at.min(silence)))
    }

    /// Notes that a ping is sent; gives when to look again.
    pub(super) fn ping(&mut self) -> Moment {
        self.pinged = true;
        self.heard + IDLE_TIMEOUT
    }

    /// Takes what the connection had, for it is over. No frame of it is
    /// looked at any more.
    #[must_use]
    pub(super) fn end(&mut self) -> State {
        self.waiting = VecDeque::new();
        std::mem::replace(&mut self.state, State::Closing)
    }
}
