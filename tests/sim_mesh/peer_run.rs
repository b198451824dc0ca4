//! One run of the program on some machine, from its start to its end, and
//! what the world knows of it.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pi_chat::mesh::{Mesh, Sign};
use pi_chat::model::{Lamport, Moment, NameKey, RoomClock, Username};
use pi_chat::wire::udp::{Entry, EntryFields, EntryId, Nonce, Signer};

/// Names a run: they are counted as they begin.
pub(crate) type RunId = usize;

/// Where a run is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It announces itself.
    Announcing,
    /// It is in the room, perhaps still without its history.
    In,
    /// It was rejected.
    Rejected,
    /// It has left.
    Left,
    /// It has vanished without a word.
    Crashed,
}

/// A message that a person was made to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// When the person said it.
    pub(crate) at: u64,
    /// When the engine first sent it, if it has.
    pub(crate) sent_at: Option<u64>,
    /// The engine has refused it.
    pub(crate) is_refused: bool,
}

/// An entry that an engine has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Its Lamport counter.
    pub(crate) lamport: Lamport,
    /// Which of its author's [`Said`] it is.
    pub(crate) said: usize,
}

/// A message that a person was shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// When.
    pub(crate) at: u64,
    /// Who wrote it.
    pub(crate) author: RunId,
    /// Its place in its author's log, as it was shown.
    pub(crate) sequence: u32,
    /// Which of its author's [`Said`] it is, by its text.
    pub(crate) said: usize,
    /// Shown as history.
    pub(crate) is_history: bool,
    /// Shown as late.
    pub(crate) is_late: bool,
}

/// An agreement that has reached a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    /// Whose.
    pub(crate) by: RunId,
    /// When it came in, as it said.
    pub(crate) since: RoomClock,
    /// EventKind its room clock showed, less the world's time.
    pub(crate) clock: i64,
}

/// A history that was given: what the ten newest were when it was.
pub(crate) type Snapshot = Rc<Vec<EntryId>>;

/// One run of the program.
pub(crate) struct PeerRun {
    /// Where it runs.
    pub(crate) machine: usize,
    /// Its port.
    pub(crate) port: u16,
    /// Who it is.
    pub(crate) signer: Signer,
    /// The engine.
    pub(crate) mesh: Mesh,
    /// The last counter in a header.
    pub(crate) counter: u64,
    /// When the engine wants to be woken.
    pub(crate) due: Option<Moment>,
    /// The earliest wake that waits in the queue.
    pub(crate) queued: u64,
    /// Where it is on its way.
    pub(crate) stage: Stage,
    /// When it began.
    pub(crate) began: u64,
    /// When it came in.
    pub(crate) admitted: Option<u64>,
    /// When it ended.
    pub(crate) ended: Option<u64>,
    /// Its name, as its person knows it.
    pub(crate) name: Username,
    /// Its attempt's.
    pub(crate) nonce: Option<Nonce>,
    /// EventKind its person has said.
    pub(crate) said: Vec<Said>,
    /// Its log: the entry with sequence n is at n − 1.
    pub(crate) written: Vec<Written>,
    /// EventKind its person was shown.
    pub(crate) shown: Vec<Shown>,
    /// When its person was told that something is missing.
    pub(crate) gaps: Vec<u64>,
    /// The floors it may have: the greatest marks that have reached it.
    pub(crate) floors: HashMap<RunId, u32>,
    /// When it ended: with whom it could talk, and since when both knew each
    /// other.
    pub(crate) companions: Vec<(RunId, u64)>,
    /// Which agreements have reached it.
    pub(crate) agreed: Vec<Agreed>,
    /// How often it has asked whom for its history.
    pub(crate) recalls: HashMap<RunId, u32>,
    /// Histories that have reached it: whose, and what it should be.
    pub(crate) histories: Vec<(RunId, Snapshot)>,
    /// When everybody was last heard, by it or by those that it hears, as
    /// their pages say.
    pub(crate) heard: Vec<u64>,
    /// Who has said goodbye to it.
    pub(crate) goodbyes: HashSet<RunId>,
    /// Whom it believes to be in the room, and since when.
    pub(crate) members: HashMap<RunId, u64>,
    /// That may have changed.
    pub(crate) members_changed: bool,
    /// Its person was told that somebody has left.
    pub(crate) has_left: bool,
    /// With whom it could talk from its beginning until it was in.
    pub(crate) reachable: HashSet<RunId>,
    /// It has heard a candidate of smaller id that wants the same name.
    pub(crate) heard_winning_rival: bool,
    /// Datagrams that it has sent, each copy counted.
    pub(crate) datagrams: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl PeerRun {
    /// Whether it runs.
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Announcing | Stage::In)
    }

    /// Whether it is in the room.
    pub(crate) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// By what its name is compared.
    pub(crate) fn key(&self) -> &NameKey {
        self.name.key()
    }

    /// Up to where it has shown an author's messages, or need not.
    pub(crate) fn reached(&self, author: RunId) -> u32 {
        let floor = self.floors.get(&author).copied().unwrap_or(0);
        let shown = self.shown.iter().rev().find(|it| it.author == author && !it.is_history);
        floor.max(shown.map_or(0, |it| it.sequence))
    }

    /// Notes that somebody was alive at a time.
    pub(crate) fn hear(&mut self, who: RunId, at: u64) {
        if self.heard.len() <= who {
            self.heard.resize(who + 1, 0);
        }
        self.heard[who] = self.heard[who].max(at);
    }

    /// When somebody was last alive, as far as it could know.
    pub(crate) fn last_heard(&self, who: RunId) -> u64 {
        self.heard.get(who).copied().unwrap_or(0)
    }
}

/// Signs with zeros: nobody checks.
pub(crate) struct NoSignature(pub(crate) Signer);

impl Sign for NoSignature {
    fn signer(&self) -> Signer {
        self.0
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        Entry::with_signature(self.0, fields, [0; 64])
    }
}
