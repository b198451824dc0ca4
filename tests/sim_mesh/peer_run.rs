//! One run of the program on a machine, from its start to its end, and what the simulation records
//! about it. Times are in microseconds since the world began.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pi_chat::mesh::{Mesh, Sign};
use pi_chat::model::{Lamport, Moment, NameKey, RoomClock, Username};
use pi_chat::wire::udp::{Entry, EntryFields, EntryId, Nonce, Signer};

/// Index of a run, in the order of their starts.
pub(crate) type RunId = usize;

/// Stage of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Candidate.
    Announcing,
    /// Member, perhaps still without its history.
    In,
    /// Rejected.
    Rejected,
    /// Left with a goodbye.
    Left,
    /// Crashed without a goodbye.
    Crashed,
}

/// Message that a user was made to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Time at which the user said it.
    pub(crate) at: u64,
    /// Time at which the engine wrote the entry; `None` if it has not.
    pub(crate) sent_at: Option<u64>,
    /// True if the engine has refused it.
    pub(crate) is_refused: bool,
}

/// Entry that an engine has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Lamport counter of the entry.
    pub(crate) lamport: Lamport,
    /// Index of its author's [`Said`].
    pub(crate) said: usize,
}

/// Message that a user was shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Time at which it was shown.
    pub(crate) at: u64,
    /// Run that wrote it.
    pub(crate) author: RunId,
    /// Sequence in its author's log, as shown.
    pub(crate) sequence: u32,
    /// Index of its author's [`Said`], according to its text.
    pub(crate) said: usize,
    /// True if it was shown as history.
    pub(crate) is_history: bool,
    /// True if it was shown as late.
    pub(crate) is_late: bool,
}

/// Agreement that has reached a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    /// Run that has agreed.
    pub(crate) by: RunId,
    /// Room clock's value when that one came in, as it said.
    pub(crate) since: RoomClock,
    /// Stated room clock minus world time, in milliseconds.
    pub(crate) clock: i64,
}

/// Snapshot of a history: ids of the ten newest entries when it was given.
pub(crate) type Snapshot = Rc<Vec<EntryId>>;

/// One run of the program, with its engine and its records.
pub(crate) struct PeerRun {
    /// Machine that it runs on.
    pub(crate) machine: usize,
    /// UDP port of the run.
    pub(crate) port: u16,
    /// Identity of the run.
    pub(crate) signer: Signer,
    /// Engine under test.
    pub(crate) mesh: Mesh,
    /// Last packet counter used.
    pub(crate) counter: u64,
    /// Time at which the engine wants to be woken; `None` if it does not.
    pub(crate) due: Option<Moment>,
    /// Earliest wake-up of it in the event queue; `u64::MAX` if there is none.
    pub(crate) queued: u64,
    /// Stage of the run.
    pub(crate) stage: Stage,
    /// Time of its start.
    pub(crate) began: u64,
    /// Time at which it reported that it has joined; `None` if it has not.
    pub(crate) admitted: Option<u64>,
    /// Time of its end; `None` while it runs.
    pub(crate) ended: Option<u64>,
    /// Username, as its user knows it.
    pub(crate) name: Username,
    /// Username that its user asked for.
    pub(crate) asked_name: Username,
    /// Nonce of its last announce.
    pub(crate) nonce: Option<Nonce>,
    /// Messages that its user has said.
    pub(crate) said: Vec<Said>,
    /// Log of the run: the entry with sequence n is at index n − 1.
    pub(crate) written: Vec<Written>,
    /// Messages that its user was shown.
    pub(crate) shown: Vec<Shown>,
    /// Times at which its user was told that something is missing.
    pub(crate) gaps: Vec<u64>,
    /// Floors that it may have: the greatest marks that have reached it, by author.
    pub(crate) floors: HashMap<RunId, u32>,
    /// At its end: runs that it could talk to, and since when both knew each other.
    pub(crate) companions: Vec<(RunId, u64)>,
    /// Agreements (yes only) that have reached it as a candidate, repeated ones included.
    pub(crate) agreed: Vec<Agreed>,
    /// Runs whose `pong` has reached it as a candidate, so that their agreements count.
    pub(crate) proven: HashSet<RunId>,
    /// Number of `recall`s sent to each run.
    pub(crate) recalls: HashMap<RunId, u32>,
    /// Histories that have reached it: source, and the snapshot that it should be.
    pub(crate) histories: Vec<(RunId, Snapshot)>,
    /// Last time at which each run was heard, by this one or by those that it hears, as their pages
    /// say.
    pub(crate) heard: Vec<u64>,
    /// Runs whose `bye` has reached it.
    pub(crate) goodbyes: HashSet<RunId>,
    /// Other members, and peers known through others only, as the engine reports them, and since
    /// when. Updated only from time to time.
    pub(crate) members: HashMap<RunId, u64>,
    /// True if the members may have changed.
    pub(crate) members_changed: bool,
    /// True if its user was told that a member has left, since `members` was updated.
    pub(crate) has_left: bool,
    /// Runs that it could talk to from its start until it had joined.
    pub(crate) reachable: HashSet<RunId>,
    /// True if it has heard a candidate of smaller id that asks for the same name.
    pub(crate) heard_winning_rival: bool,
    /// Number of datagrams sent, each copy counted.
    pub(crate) datagrams: u64,
    /// Number of bytes of those datagrams.
    pub(crate) bytes: u64,
}

impl PeerRun {
    /// Returns true if it has not ended, even if its machine sleeps.
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Announcing | Stage::In)
    }

    /// Returns true if it is a member.
    pub(crate) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// Returns the comparison key of its name.
    pub(crate) fn key(&self) -> &NameKey {
        self.name.key()
    }

    /// Returns the sequence up to which it has shown an author's messages, or need not.
    pub(crate) fn reached(&self, author: RunId) -> u32 {
        let floor = self.floors.get(&author).copied().unwrap_or(0);
        let shown = self.shown.iter().rev().find(|it| it.author == author && !it.is_history);
        floor.max(shown.map_or(0, |it| it.sequence))
    }

    /// Records that a run was alive at a time.
    pub(crate) fn hear(&mut self, who: RunId, at: u64) {
        if self.heard.len() <= who {
            self.heard.resize(who + 1, 0);
        }
        self.heard[who] = self.heard[who].max(at);
    }

    /// Returns the last time at which a run was alive, as far as this one could know; 0 if never.
    pub(crate) fn last_heard(&self, who: RunId) -> u64 {
        self.heard.get(who).copied().unwrap_or(0)
    }
}

/// Signer that signs with zeros; nothing checks it.
pub(crate) struct NoSignature(pub(crate) Signer);

impl Sign for NoSignature {
    fn signer(&self) -> Signer {
        self.0
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        Entry::with_signature(self.0, fields, [0; 64])
    }
}
