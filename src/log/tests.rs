//! Property test: both implementations of the log give equal answers to the same random operations.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::*;
use crate::hub::{
    ConnectionId, FactTicket, HubId, JoinTerms, NameHold, ReadRange, RestoredState, VolatileDraft,
    VolatileItem,
};
use crate::model::{
    Actor, Draft, FactDraft, IdentityKey, MessageText, ModerationAction, Moment, NameKey,
    NamedSession, Reference, RemovedMessage, Role, RoomName, RoomSetting, Sanction, SanctionKind,
    SanctionLength, Scope, SearchQuery, SearchTerms, Sequence, SessionId, SessionRecord, Style,
    Target, Timestamp, TokenHash, Topic, Username,
};

/// Names of the rooms that messages are sent to.
const ROOMS: &[&str] = &["lobby", "Attic", "cellar"];

/// Usernames of the authors.
const NAMES: &[&str] = &["anna", "Bob", "Cécile"];

/// Texts of the messages.
const TEXTS: &[&str] = &[
    "tea is ready",
    "Tea? I don't know",
    "the café, ready at five",
    "READY!\nreally",
    "was nun, Straße",
    "ready tea",
    "नमस्ते, ready",
    "ΌΔΟΣ",
];

/// Search terms; the empty ones match every message.
const QUERIES: &[&str] = &[
    "",
    "tea",
    "\"tea is\" ready",
    "cafe",
    "rea*",
    "don't",
    "strasse",
    "ready at",
    "नमस्ते",
    "όδος",
];

/// Number of the facts that [`LogPair::fact`] knows.
const FACTS: usize = 6;

/// Random operation to perform on both logs.
#[derive(Clone, Debug)]
enum Step {
    /// Appends messages, each given by three indices:
    /// - of the author in [`NAMES`];
    /// - of the room in [`ROOMS`]; beyond its end, of the recipient of a direct message: index in
    ///   [`NAMES`] plus the length of `ROOMS`;
    /// - of the text in [`TEXTS`].
    Say(Vec<(usize, usize, usize)>),
    /// Reads a range of entries. First: indices of the rooms in [`ROOMS`]. Second: index in
    /// [`NAMES`] of the user whose direct messages are read too, if any.
    Read(Vec<usize>, Option<usize>, Range),
    /// In one call: appends messages, deletes the session of a user (index in [`NAMES`]), begins a
    /// new one, and appends further messages.
    End(Vec<(usize, usize, usize)>, usize, Vec<(usize, usize, usize)>),
    /// Proposes facts in one call, each given by an index for [`LogPair::fact`].
    Moderate(Vec<usize>),
    /// Proposes to remove a room message, given by its distance from the last one, in this way.
    Remove(usize, Removal),
    /// Resumes the session of a user (index in [`NAMES`]).
    Resume(usize),
    /// Closes the log on disk and opens it again.
    Restart,
}

/// How a message is removed.
#[derive(Clone, Copy, Debug)]
enum Removal {
    /// By the command line.
    Owner,
    /// By the author.
    Author,
    /// By a session without a role, which may not do it.
    Stranger,
    /// By the command line, but with another room than that of the message.
    WrongRoom,
    /// By the command line, but with another author than that of the message.
    WrongAuthor,
}

/// Range to read. Sequences are given as distances from the log's last sequence.
#[derive(Clone, Debug)]
enum Range {
    /// Latest entries. The number is the limit.
    Latest(u16),
    /// Entries after a sequence. The second number is the limit.
    After(u64, u16),
    /// Entries before a sequence. The second number is the limit.
    Before(u64, u16),
    /// Search: index of the query, index of the author, start in days, end in days, inclusive upper
    /// bound of the sequences, limit.
    Matching(usize, Option<usize>, Option<u64>, Option<u64>, u64, u16),
}

/// Returns a proptest strategy for random ranges.
fn range() -> impl Strategy<Value = Range> {
    let far = || 0..40_u64;
    let most = || 1..8_u16;
    let time = || proptest::option::of(0..40_u64);
    prop_oneof![
        most().prop_map(Range::Latest),
        (far(), most()).prop_map(|(at, most)| Range::After(at, most)),
        (far(), most()).prop_map(|(at, most)| Range::Before(at, most)),
        (0..QUERIES.len(), proptest::option::of(0..NAMES.len()), time(), time(), far(), most())
            .prop_map(|(text, from, since, until, before, most)| {
                Range::Matching(text, from, since, until, before, most)
            }),
    ]
}

/// Returns a proptest strategy for how a message is removed.
fn removal() -> impl Strategy<Value = Removal> {
    prop_oneof![
        4 => Just(Removal::Owner),
        2 => Just(Removal::Author),
        1 => Just(Removal::Stranger),
        1 => Just(Removal::WrongRoom),
        1 => Just(Removal::WrongAuthor),
    ]
}

/// Returns a proptest strategy for random operations.
fn step() -> impl Strategy<Value = Step> {
    let message = || (0..NAMES.len(), 0..ROOMS.len() + 2, 0..TEXTS.len());
    let messages = |count: std::ops::Range<usize>| proptest::collection::vec(message(), count);
    prop_oneof![
        4 => messages(1..6).prop_map(Step::Say),
        6 => (
            proptest::sample::subsequence(vec![0, 1, 2], 0..=3),
            proptest::option::of(0..NAMES.len()),
            range(),
        )
            .prop_map(|(rooms, session, range)| Step::Read(rooms, session, range)),
        1 => (messages(0..3), 0..NAMES.len(), messages(0..3))
            .prop_map(|(before, who, after)| Step::End(before, who, after)),
        2 => proptest::collection::vec(0..FACTS, 1..3).prop_map(Step::Moderate),
        3 => (0..20_usize, removal()).prop_map(|(far, removal)| Step::Remove(far, removal)),
        1 => (0..NAMES.len()).prop_map(Step::Resume),
        1 => Just(Step::Restart),
    ]
}

/// Returns a room by its index in [`ROOMS`].
fn room(number: usize) -> RoomName {
    RoomName::new(ROOMS[number]).unwrap()
}

/// Both logs under comparison, and the state that the operations need.
struct LogPair {
    /// Log in memory.
    memory: MemoryLog,
    /// Log on disk; `None` while it is closed.
    disk: Option<SqliteLog>,
    /// Parent directory of the log on disk.
    directory: TempDir,
    /// Runtime in which both logs are polled.
    runtime: tokio::runtime::Runtime,
    /// Current session of each user, by index in [`NAMES`].
    sessions: Vec<SessionId>,
    /// Last reference that each user's session has used, by index in [`NAMES`].
    references: Vec<u64>,
    /// References of the committed messages of each user's session, by index in [`NAMES`].
    committed: Vec<BTreeSet<Reference>>,
    /// Last sequence of both logs: the number of messages and facts appended. It is the current
    /// time too, in days since 1970.
    head: u64,
    /// Room messages that were committed: sequence, room and session of the author.
    said: Vec<(Sequence, RoomName, SessionId)>,
    /// Sequences of the messages whose texts were removed.
    removed: BTreeSet<Sequence>,
    /// Ticket of the last proposed fact.
    last_ticket: u64,
    /// Session number that the next new session gets.
    next_session: u64,
    /// Last holds on names that each log has assigned: that on disk since it was opened, that in
    /// memory.
    holds: [NameHold; 2],
}

/// Opens the log on disk in the subdirectory `log`, or creates it.
fn open(directory: &Path) -> (SqliteLog, RestoredState) {
    let directory = directory.join("log");
    SqliteLog::open(StoreSettings { directory, ..StoreSettings::default() }).unwrap()
}

impl LogPair {
    /// Creates two empty logs and a session for each user.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (disk, restored) = open(directory.path());
        assert_eq!(restored.head, Sequence::ZERO);
        let mut pair = Self {
            memory: MemoryLog::new(MemoryLimits::default()),
            disk: Some(disk),
            directory,
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            sessions: vec![SessionId(0); NAMES.len()],
            references: vec![0; NAMES.len()],
            committed: vec![BTreeSet::new(); NAMES.len()],
            head: 0,
            said: Vec::new(),
            removed: BTreeSet::new(),
            last_ticket: 0,
            next_session: 1,
            holds: [NameHold::RESTORED; 2],
        };
        let records = (0..NAMES.len()).map(|who| pair.begin_session(who)).collect();
        pair.propose(pair.now(), records);
        pair
    }

    /// Gives a user a new session, whose number both logs assign. Returns the proposal to persist
    /// its record.
    fn begin_session(&mut self, who: usize) -> Proposal {
        self.sessions[who] = SessionId(self.next_session);
        self.begin(who, None);
        self.references[who] = 0;
        self.committed[who].clear();
        self.next_session += 1;
        Proposal::PersistSession(self.record(who))
    }

    /// Lets a user join, with a new session or to resume this one. Asserts that both logs commit
    /// that at once, with the expected session. Then releases the username, and asserts the same.
    fn begin(&mut self, who: usize, session: Option<SessionId>) {
        let connection = ConnectionId(who as u64);
        let terms = Box::new(JoinTerms {
            username: Username::new(NAMES[who]).unwrap(),
            person: Some(SessionId(7)),
            refuses_lookalikes: true,
            token: TokenHash([7; 32]),
            key: None,
            keeps_name: false,
        });
        let draft = VolatileDraft::SessionBegin { connection, session, terms: terms.clone() };
        self.propose(self.now(), vec![Proposal::Volatile(draft)]);
        let [disk, memory] = self.poll_volatile();
        for (log, item) in [(0, disk), (1, memory)] {
            let VolatileItem::SessionBegan { hold, .. } = item else { panic!("{item:?}") };
            assert!(hold.0 > self.holds[log].0, "a hold is used again");
            self.holds[log] = hold;
            let (connection, session) = (Some(connection), self.sessions[who]);
            let (hub, terms) = (HubId::ALONE, terms.clone());
            assert_eq!(item, VolatileItem::SessionBegan { connection, hub, session, hold, terms });
        }
        let (session, hold) = (self.sessions[who], self.holds[0]);
        let draft = VolatileDraft::NameRelease { session, hold };
        self.propose(self.now(), vec![Proposal::Volatile(draft)]);
        let released = VolatileItem::NameReleased { session, hold };
        assert_eq!(self.poll_volatile(), [released.clone(), released]);
    }

    /// Polls both logs once, without waiting. Returns the volatile item that each has committed.
    fn poll_volatile(&mut self) -> [VolatileItem; 2] {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let disk = self.disk.as_mut().unwrap().poll_event(&mut context);
        [disk, self.memory.poll_event(&mut context)].map(|event| {
            let Poll::Ready(Some(LogEvent::Committed { items, clock_was_set: false })) = event
            else {
                panic!("{event:?}")
            };
            let [LogItem::Volatile(item)] = items.as_slice() else { panic!("{items:?}") };
            item.clone()
        })
    }

    /// Makes the same proposals to both logs.
    fn propose(&mut self, now: Now, proposals: Vec<Proposal>) {
        self.memory.propose(now, proposals.clone());
        self.disk.as_mut().unwrap().propose(now, proposals);
    }

    /// Returns a user's session record as the hub persists it at the start of the session: without
    /// the references of later messages.
    fn record(&self, who: usize) -> SessionRecord {
        let session = self.sessions[who];
        SessionRecord {
            session,
            token: TokenHash([u8::try_from(session.0 % 256).unwrap(); 32]),
            username: Username::new(NAMES[who]).unwrap(),
            away_since: None,
            last_reference: Reference(0),
            // The hub cannot know that some of these were committed.
            refused: vec![Reference(1), Reference(2), Reference(4), Reference(1_000)],
            keeps_name: who.is_multiple_of(2),
            key: who.is_multiple_of(2).then_some(IdentityKey([7; 32])),
        }
    }

    /// Compares the events of both logs until this number of drafts is answered, committed or
    /// refused.
    fn compare_answers(&mut self, drafts: usize) {
        let mut answered = 0;
        while answered < drafts {
            answered += self.compare();
        }
        assert_eq!(answered, drafts, "an answer too many");
    }

    /// Waits for the next event of each log. Asserts that both events are equal, and contain no
    /// void. Returns the number of drafts that the event answers.
    fn compare(&mut self) -> usize {
        let disk = self.disk.as_mut().unwrap();
        let event = poll_fn(|context| disk.poll_event(context));
        let disk = self.runtime.block_on(event).expect("an event");
        let event = poll_fn(|context| self.memory.poll_event(context));
        let memory = self.runtime.block_on(event).expect("an event");
        assert_eq!(disk, memory, "the log on disk, and that in memory");
        match disk {
            LogEvent::Committed { items, .. } => {
                for item in &items {
                    self.head += 1;
                    assert_eq!(item.sequence(), Some(Sequence(self.head)), "not next: {items:?}");
                    self.note(item);
                    let author = item.entry().map(|it| (it.draft.session, it.draft.reference));
                    for (who, session) in self.sessions.iter().enumerate() {
                        let own = author.filter(|(author, _)| author == session);
                        self.committed[who].extend(own.map(|(_, reference)| reference));
                    }
                }
                items.len()
            }
            LogEvent::NotStored { .. } => 1,
            LogEvent::ReadDone { outcome, .. } => {
                for entry in outcome.unwrap().entries {
                    let is_removed = self.removed.contains(&entry.sequence);
                    assert_eq!(entry.draft.style == Style::REMOVED, is_removed, "{entry:?}");
                    assert_eq!(entry.draft.text == MessageText::removed(), is_removed);
                }
                0
            }
            LogEvent::StorageChanged(_) => 0,
        }
    }

    /// Notes a message that was committed, or that a fact removes.
    fn note(&mut self, item: &LogItem) {
        match item {
            LogItem::Message(entry) => {
                if let Target::Room(room) = &entry.draft.target {
                    self.said.push((entry.sequence, room.clone(), entry.draft.session));
                }
            }
            LogItem::Fact { fact, .. } => {
                let removed = fact.removed_message();
                let is_there = |it: &RemovedMessage<'_>| {
                    self.said.contains(&(it.sequence, it.room.clone(), it.author))
                };
                self.removed.extend(removed.filter(is_there).map(|it| it.sequence));
            }
            LogItem::Void { .. } | LogItem::Volatile(_) | LogItem::Elsewhere(_) => {}
        }
    }

    /// Returns clock readings: one day after the start for each message appended so far.
    fn now(&self) -> Now {
        let day = Duration::from_secs(24 * 60 * 60);
        let since = day * u32::try_from(self.head).unwrap();
        let time = Timestamp(u64::try_from(since.as_millis()).unwrap());
        Now { moment: Moment::after_start(since), time }
    }

    /// Returns the sequence `far` before the last one; at least zero.
    fn before_end(&self, far: u64) -> Sequence {
        Sequence(self.head.saturating_sub(far))
    }

    /// Performs an operation on both logs and compares their events.
    fn perform(&mut self, step: &Step) {
        match step {
            Step::Say(messages) => {
                let now = self.now();
                let drafts = self.drafts(messages);
                self.propose(now, drafts);
                self.compare_answers(messages.len());
            }
            Step::Moderate(facts) => {
                let now = self.now();
                let proposals = facts.iter().map(|it| self.fact(*it)).collect();
                self.propose(now, proposals);
                self.compare_answers(facts.len());
            }
            Step::Remove(far, removal) => {
                if let Some(proposal) = self.removal(*far, *removal) {
                    self.propose(self.now(), vec![proposal]);
                    self.compare_answers(1);
                }
            }
            Step::Read(rooms, session, range) => {
                let request = ReadRequest {
                    rooms: rooms.iter().map(|it| room(*it)).collect(),
                    session: session.map(|who| self.sessions[who]),
                    range: self.range(range),
                };
                self.memory.read(ReadTag::without_hub(), request.clone());
                self.disk.as_mut().unwrap().read(ReadTag::without_hub(), request);
                self.compare();
            }
            Step::End(before, who, after) => {
                let now = self.now();
                let mut proposals = self.drafts(before);
                proposals.push(Proposal::DeleteSession(self.sessions[*who]));
                proposals.push(self.begin_session(*who));
                proposals.extend(self.drafts(after));
                self.propose(now, proposals);
                self.compare_answers(before.len() + after.len());
            }
            Step::Resume(who) => self.begin(*who, Some(self.sessions[*who])),
            Step::Restart => self.restart(),
        }
    }

    /// Creates the proposal of a fact, by its number below [`FACTS`]. Some are not permitted or not
    /// possible at some times.
    fn fact(&mut self, number: usize) -> Proposal {
        let attic = room(1);
        let bob = Username::new(NAMES[1]).unwrap();
        let anna =
            NamedSession { session: self.sessions[0], username: Username::new(NAMES[0]).unwrap() };
        let (actor, action) = match number {
            0 => {
                let (length, session) = (SanctionLength::FOREVER, None);
                let sanction = Sanction { scope: Scope::Server, username: bob, session, length };
                (Actor::CommandLine, ModerationAction::Muted(sanction))
            }
            1 => {
                let mute = self.memory.moderation().sanctions().next();
                let sanction = mute.map_or(Sequence::ZERO, |it| it.sequence);
                let (kind, scope) = (SanctionKind::Mute, Scope::Server);
                let ended =
                    ModerationAction::SanctionEnded { kind, scope, username: bob, sanction };
                (Actor::Server, ended)
            }
            2 | 3 => {
                let setting = RoomSetting::Moderated(number == 2);
                (Actor::CommandLine, ModerationAction::RoomSet { room: attic, setting })
            }
            4 => {
                let (scope, role) = (Scope::Server, Some(Role::Moderator));
                (Actor::CommandLine, ModerationAction::RoleSet { scope, holder: anna, role })
            }
            _ => {
                let setting = RoomSetting::Topic(Some(Topic::new("tea").unwrap()));
                (Actor::Session(anna), ModerationAction::RoomSet { room: attic, setting })
            }
        };
        self.propose_fact(actor, action)
    }

    /// Creates the proposal of [`Step::Remove`]; `None` if there are not so many messages.
    fn removal(&mut self, far: usize, removal: Removal) -> Option<Proposal> {
        let (message, mut room, mut session) = self.said.iter().rev().nth(far)?.clone();
        let named = |session| NamedSession { session, username: Username::new("x").unwrap() };
        let stranger = SessionId(u64::MAX);
        let actor = match removal {
            Removal::Owner | Removal::WrongRoom | Removal::WrongAuthor => Actor::CommandLine,
            Removal::Author => Actor::Session(named(session)),
            Removal::Stranger => Actor::Session(named(stranger)),
        };
        match removal {
            Removal::WrongRoom => room = RoomName::new("elsewhere").unwrap(),
            Removal::WrongAuthor => session = stranger,
            Removal::Owner | Removal::Author | Removal::Stranger => {}
        }
        let action = ModerationAction::MessageRemoved { room, message, author: named(session) };
        Some(self.propose_fact(actor, action))
    }

    /// Creates the proposal of a fact, with the next ticket.
    fn propose_fact(&mut self, actor: Actor, action: ModerationAction) -> Proposal {
        self.last_ticket += 1;
        let draft = FactDraft { actor, action, reason: None };
        Proposal::Fact { ticket: FactTicket(self.last_ticket), draft }
    }

    /// Creates the next drafts from the indices of [`Step::Say`], as proposals.
    fn drafts(&mut self, messages: &[(usize, usize, usize)]) -> Vec<Proposal> {
        messages.iter().map(|it| Proposal::Message(self.draft(*it))).collect()
    }

    /// Creates a user's next draft from the indices of [`Step::Say`]. Its reference is even.
    fn draft(&mut self, (who, to, text): (usize, usize, usize)) -> Draft {
        self.references[who] += 2;
        let target = if to < ROOMS.len() {
            Target::Room(room(to))
        } else {
            let to = to - ROOMS.len();
            Target::Session(self.sessions[to], Username::new(NAMES[to]).unwrap())
        };
        Draft {
            session: self.sessions[who],
            person: None,
            username: Username::new(NAMES[who]).unwrap(),
            reference: Reference(self.references[who]),
            target,
            style: Style(u8::try_from(text % 2).unwrap()),
            text: MessageText::new(TEXTS[text]).unwrap(),
        }
    }

    /// Converts a random range into the range of a read request.
    fn range(&self, range: &Range) -> ReadRange {
        let day = |day: u64| Timestamp(day * 24 * 60 * 60 * 1_000);
        match range {
            Range::Latest(most) => ReadRange::Latest(*most),
            Range::After(far, most) => ReadRange::After(self.before_end(*far), *most),
            Range::Before(far, most) => ReadRange::Before(self.before_end(*far), *most),
            Range::Matching(text, from, since, until, before, limit) => {
                ReadRange::Matching(SearchQuery {
                    text: SearchTerms::new(QUERIES[*text]).unwrap(),
                    from: from.map(|it| NameKey::of(NAMES[it])),
                    since: since.map(day),
                    until: until.map(day),
                    before: self.before_end(*before).next(),
                    limit: *limit,
                })
            }
        }
    }

    /// Closes the log on disk and opens it again; the log in memory goes on. Asserts that it
    /// restores head, next session number, sessions and moderation state.
    fn restart(&mut self) {
        self.disk = None;
        let (disk, restored) = open(self.directory.path());
        self.disk = Some(disk);
        self.holds[0] = NameHold::RESTORED;
        assert_eq!(restored.head, Sequence(self.head));
        assert_eq!(restored.next_session, SessionId(self.next_session));
        let mut sessions = restored.sessions;
        sessions.sort_by_key(|it| it.session);
        let mut expected: Vec<SessionRecord> = (0..NAMES.len())
            .map(|who| {
                let record = self.record(who);
                let last_reference = self.committed[who].last().copied().unwrap_or_default();
                let is_open = |it: &&Reference| !self.committed[who].contains(*it);
                let refused = record.refused.iter().filter(is_open).copied().collect();
                SessionRecord { last_reference, refused, ..record }
            })
            .collect();
        expected.sort_by_key(|it| it.session);
        assert_eq!(sessions, expected);
        assert_eq!(restored.moderation.encode(), self.memory.moderation().encode());
    }
}

#[test]
fn memory_and_sqlite_logs_give_equal_answers() {
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    runner
        .run(&proptest::collection::vec(step(), 1..60), |steps| {
            let mut pair = LogPair::new();
            steps.iter().for_each(|step| pair.perform(step));
            Ok(())
        })
        .unwrap();
}
