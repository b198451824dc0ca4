//! A connection's life as the hub sees it: `docs/protocol/tcp.md`, sections
//! 3, 16 and 17.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::contract::{Purpose, ReadRange};
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
    pub(super) range: ReadRange,
    /// If what is committed meanwhile has to be added to what is found: the
    /// head at the time of asking. It is registered with the backlog.
    pub(super) registered: Option<Sequence>,
    /// Flags of the welcome that it ends with, if it does.
    pub(super) flags: u8,
    /// What must wait for the answer.
    pub(super) owed: Vec<ServerFrame>,
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
    /// Its join is accepted; what its welcome needs is being read.
    Joining {
        /// Whose connection it is.
        session: SessionId,
        /// What is being read.
        read: PendingRead,
    },
    /// It is in.
    Joined {
        /// Whose connection it is.
        session: SessionId,
        /// What is being read for it. Until then its frames wait.
        read: Option<PendingRead>,
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
    /// For the session that it may begin.
    pub(super) token: Token,
    /// What the client wants and the server does.
    pub(super) features: u64,
    /// How far it has come.
    pub(super) state: State,
    /// Frames that came while something was read.
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
            token,
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

    /// The session that has got its welcome here.
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

    /// What is being read for it.
    pub(super) const fn pending_read(&mut self) -> Option<&mut PendingRead> {
        match &mut self.state {
            State::Joining { read, .. } | State::Joined { read: Some(read), .. } => Some(read),
            _ => None,
        }
    }

    /// Notes that something is being read for one who has joined. Its
    /// frames wait until [`Self::finish_read`].
    pub(super) fn begin_read(&mut self, pending: PendingRead) {
        if let State::Joined { read, .. } = &mut self.state {
            *read = Some(pending);
        }
    }

    /// What was being read is there. Gives whose it is and what was waited
    /// for, if it is this that was waited for. A connection that was joining
    /// has joined then. [`Self::next_waiting`] is to be called afterwards.
    #[must_use]
    pub(super) fn finish_read(&mut self, purpose: &Purpose) -> Option<(SessionId, PendingRead)> {
        if self.pending_read().is_none_or(|read| read.purpose != *purpose) {
            return None;
        }
        match std::mem::replace(&mut self.state, State::Closing) {
            State::Joining { session, read } | State::Joined { session, read: Some(read) } => {
                self.state = State::Joined { session, read: None };
                Some((session, read))
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Keeps a frame for later if its turn has not come, and gives it back
    /// if it has.
    #[must_use]
    pub(super) fn wait_or_pass(
        &mut self,
        frame: Received<ClientFrame>,
    ) -> Option<Received<ClientFrame>> {
        if self.pending_read().is_none() && self.waiting.is_empty() {
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
        if self.pending_read().is_some() || self.is_closing() {
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
