//! Random operations, with a log that takes its time: whatever happens, the
//! promises of the page are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;

use super::frames::*;
use super::harness::*;
use super::inspect::{is_answer, is_echo, is_entering, new_entry, sequence_of, session_of};
use super::steps::{NAMES, ROOMS, Step, step};
use crate::hub::{ConnectionId, Input, StorageHealth};
use crate::model::{HubSettings, Position, Reference, Sequence, SessionId, Token, Username};
use crate::wire::tcp::{ClientFrame, Join, ServerFrame, feature, flag};

/// The people around the table.
struct People {
    /// Hub, log, lines.
    table: Table,
    /// The lines on which somebody may say something.
    lines: Vec<ConnectionId>,
    /// The lines on which nothing more will be said.
    finished: HashSet<ConnectionId>,
    /// The position that each line has brought.
    positions: HashMap<ConnectionId, Sequence>,
    /// Messages sent on each line: reference and frame, answered or not.
    sent: BTreeMap<ConnectionId, Vec<(Reference, ClientFrame)>>,
    /// What each session has sent on lines that are gone, and what it has
    /// still to send again before it says anything new.
    former: HashMap<SessionId, BTreeMap<Reference, ClientFrame>>,
    /// Sent so often.
    counts: HashMap<(ConnectionId, Reference), usize>,
    /// Tokens that were given, with the greatest position of their session.
    tokens: Vec<(Token, SessionId)>,
    /// The greatest sequence that each session has got.
    reached: HashMap<SessionId, Sequence>,
    /// The last reference of each session.
    references: HashMap<SessionId, u64>,
}

impl People {
    /// Nobody is here.
    fn new() -> Self {
        let mut table = Table::with(settings());
        table.delayed = true;
        table.page = 2;
        Self {
            table,
            lines: Vec::new(),
            finished: HashSet::new(),
            positions: HashMap::new(),
            sent: BTreeMap::new(),
            former: HashMap::new(),
            counts: HashMap::new(),
            tokens: Vec::new(),
            reached: HashMap::new(),
            references: HashMap::new(),
        }
    }

    /// Somebody with a line, if there is anybody.
    fn line(&self, who: usize) -> Option<ConnectionId> {
        self.lines.get(who % self.lines.len().max(1)).copied()
    }

    /// Somebody with a line who was welcomed.
    fn joined(&self, who: usize) -> Option<(ConnectionId, SessionId)> {
        let id = self.line(who)?;
        let got = &self.table.lines[&id].got;
        let session = session_of(got)?;
        let is_over = got.contains(&Got::Closed) || self.finished.contains(&id);
        (!is_over).then_some((id, session))
    }

    /// Does one thing.
    fn take(&mut self, step: &Step) {
        match step {
            Step::Come { name, rooms, features, token, position } => {
                self.come(*name, rooms, *features, *token, *position);
            }
            Step::Drop(who) => {
                if let Some(id) = self.line(*who) {
                    self.drop(id);
                }
            }
            Step::Finish(who) => {
                if let Some(connection) = self.line(*who) {
                    self.finished.insert(connection);
                    self.table.input(Input::HalfClosed { connection });
                }
            }
            Step::Say(who, room) => self.message(*who, |it| say_in(ROOMS[*room], it, "x")),
            Step::Direct(who, to) => self.message(*who, |it| direct(NAMES[*to], 0, it, "x")),
            Step::Again(who) => {
                if let Some((id, _)) = self.joined(*who)
                    && let Some((reference, frame)) = self.sent.get(&id).and_then(|it| it.last())
                {
                    *self.counts.entry((id, *reference)).or_default() += 1;
                    let frame = frame.clone();
                    self.table.send(id, frame);
                }
            }
            Step::Enter(who, room) => self.request(*who, enter(1, ROOMS[*room])),
            Step::Leave(who, room) => self.request(*who, leave(1, ROOMS[*room])),
            Step::History(who, room) => self.request(*who, history(1, ROOMS[*room], 0, 3)),
            Step::Search(who) => self.request(*who, search(1, "", "x", 0, 3)),
            Step::Fault(who) => self.request(*who, hello(0)),
            Step::Commit(most) => _ = self.table.commit(*most),
            Step::Lose => _ = self.table.lose(),
            Step::Look => _ = self.table.look(),
            Step::FailRead => _ = self.table.fail_read(),
            Step::Tell => _ = self.table.tell(),
            Step::Mark => _ = self.table.mark(),
            Step::Fare(how) => {
                let all =
                    [StorageHealth::Sound, StorageHealth::MemoryOnly, StorageHealth::Refusing];
                self.table.input(Input::StorageChanged(all[usize::from(*how)]));
            }
            Step::Restart => {
                for id in self.lines.clone() {
                    self.forget_line(id);
                }
                self.table.restart(settings(), 10);
            }
            Step::Pass(millis) => self.table.pass(*millis),
            Step::Wake => self.table.input(Input::Wake),
        }
        self.note();
        self.check();
    }

    /// Somebody comes.
    fn come(
        &mut self,
        name: usize,
        rooms: &[usize],
        features: u64,
        token: Option<usize>,
        position: u8,
    ) {
        let id = self.table.connect();
        let rooms: Vec<&str> = rooms.iter().map(|it| ROOMS[*it]).collect();
        let known = token.and_then(|it| self.tokens.get(it % self.tokens.len().max(1))).copied();
        let reached = known.and_then(|(_, session)| self.reached.get(&session).copied());
        let position = match position {
            0 => None,
            1 => Some(Sequence::ZERO),
            _ => reached,
        };
        if let Some(position) = position {
            self.positions.insert(id, position);
        }
        let token = known.map(|(token, _)| token);
        let position = position.map(|sequence| Position { log_id: LOG, sequence });
        self.table.send(id, hello(features));
        self.table.send(id, Join { token, position, ..join(NAMES[name], &rooms) });
        self.lines.push(id);
    }

    /// Somebody is gone.
    fn drop(&mut self, id: ConnectionId) {
        self.forget_line(id);
        self.table.drop(id);
    }

    /// Somebody has lost their line: whatever they have said on it they will
    /// say again.
    fn forget_line(&mut self, id: ConnectionId) {
        let session = session_of(&self.table.lines[&id].got);
        if let (Some(session), Some(sent)) = (session, self.sent.remove(&id)) {
            self.former.entry(session).or_default().extend(sent);
        }
        self.lines.retain(|it| *it != id);
    }

    /// Somebody who has come back says again what they have said before, in
    /// order, as if they had heard nothing. Their former lines may not be gone
    /// yet.
    fn repeat(&mut self, id: ConnectionId, session: SessionId) {
        let lines = self.sent.iter_mut().filter(|(line, _)| **line != id);
        for (line, sent) in lines {
            if session_of(&self.table.lines[line].got) == Some(session) {
                self.former.entry(session).or_default().extend(sent.drain(..));
            }
        }
        for (reference, frame) in self.former.remove(&session).unwrap_or_default() {
            self.sent.entry(id).or_default().push((reference, frame.clone()));
            // The first time may still be answered here.
            self.counts.insert((id, reference), 2);
            self.table.send(id, frame);
        }
    }

    /// Somebody sends a message with a new reference.
    fn message(&mut self, who: usize, frame: impl Fn(u64) -> ClientFrame) {
        if let Some((id, session)) = self.joined(who) {
            self.repeat(id, session);
            let reference = self.references.entry(session).or_default();
            *reference += 1;
            let (reference, frame) = (Reference(*reference), frame(*reference));
            self.sent.entry(id).or_default().push((reference, frame.clone()));
            self.counts.insert((id, reference), 1);
            self.table.send(id, frame);
        }
    }

    /// Somebody sends something else.
    fn request(&mut self, who: usize, frame: ClientFrame) {
        if let Some((id, _)) = self.joined(who) {
            self.table.send(id, frame);
        }
    }

    /// Notes tokens and positions, as clients do.
    fn note(&mut self) {
        for line in self.table.lines.values() {
            let Some(session) = session_of(&line.got) else { continue };
            let token = welcome(&line.got).token;
            if !self.tokens.iter().any(|it| it.0 == token) {
                self.tokens.push((token, session));
            }
            let reached = self.reached.entry(session).or_default();
            *reached =
                (*reached).max(line.got.iter().filter_map(sequence_of).max().unwrap_or_default());
        }
    }

    /// What holds at any time. (The table checks as well.)
    fn check(&self) {
        let mut names = HashSet::new();
        let mut sessions = HashSet::new();
        for line in self.table.lines.values() {
            let Some(session) = session_of(&line.got) else { continue };
            if !line.got.contains(&Got::Closed) {
                let name = Username::new(&welcome(&line.got).username).unwrap();
                assert!(names.insert(name.key().skeleton()), "{name} twice");
                assert!(sessions.insert(session), "{session} twice");
            }
            let sequences: Vec<Sequence> = line.got.iter().filter_map(new_entry).collect();
            // A room that is entered brings its history, which may be old.
            let entered = line
                .got
                .iter()
                .filter(|it| matches!(it, Got::Frame(ServerFrame::End(end)) if end.about == 5));
            if entered.count() == 0 {
                assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
            }
        }
        let mut taken = HashSet::new();
        for entry in &self.table.log {
            assert!(taken.insert((entry.draft.session, entry.draft.reference)), "taken twice");
        }
        for line in self.table.lines.values() {
            let Some(session) = session_of(&line.got) else { continue };
            for it in &line.got {
                if let Got::Frame(ServerFrame::Accepted(it)) = it {
                    assert!(taken.contains(&(session, it.reference)), "{it:?} is not in the log");
                }
            }
        }
    }

    /// What holds when everything has come to rest.
    fn check_at_rest(&mut self) {
        self.table.answer();
        // Somebody may fall silent for too long meanwhile.
        while self.table.hub.rooms.next_presence_deadline().is_some() {
            self.table.pass(500);
        }
        self.note();
        self.check();
        for (id, line) in &self.table.lines {
            let Some(session) = session_of(&line.got) else { continue };
            if line.got.contains(&Got::Closed) {
                continue;
            }
            assert!(!self.finished.contains(id), "{id:?} is not let go");
            self.check_answers(*id, session, &line.got);
            self.check_complete(*id, session, &line.got);
            self.check_presence(&line.got);
        }
    }

    /// Every message was answered: by its echo, by `accepted` or by an
    /// error, each time that it was sent but for those while it was on its
    /// way.
    fn check_answers(&self, id: ConnectionId, session: SessionId, got: &[Got]) {
        for (reference, _) in self.sent.get(&id).into_iter().flatten() {
            let answers = got.iter().filter(|it| is_answer(it, session, *reference)).count();
            let shown = got.iter().filter(|it| is_echo(it, session, *reference)).count();
            let sent = self.counts[&(id, *reference)];
            assert!(answers <= sent, "{reference:?} sent {sent} times: {got:?}");
            assert!(answers >= 1 || shown >= 1, "{reference:?} not answered: {got:?}");
        }
    }

    /// Nothing is missing of what was said in the rooms where somebody is,
    /// since they came or since their position, nor of what was said to them.
    fn check_complete(&self, id: ConnectionId, session: SessionId, got: &[Got]) {
        let kept = welcome(got).flags & flag::POSITION_KEPT != 0;
        let first = got.iter().take_while(|it| !is_entering(it)).find_map(new_entry);
        assert!(!kept || first.is_none_or(|it| it > self.positions[&id]), "known before: {got:?}");
        let seen: BTreeSet<Sequence> = got.iter().filter_map(new_entry).collect();
        let mut since: BTreeMap<String, Sequence> = BTreeMap::new();
        let mut entered = Vec::new();
        let mut start = None;
        for it in got {
            match it {
                Got::Frame(ServerFrame::Entered(it)) => entered.push(it.room.to_lowercase()),
                Got::Frame(ServerFrame::End(end)) if matches!(end.about, 2 | 5) => {
                    let from = if end.about == 2 && kept { self.positions[&id] } else { end.head };
                    start.get_or_insert(from);
                    since.extend(entered.drain(..).map(|room| (room, from)));
                }
                Got::Frame(ServerFrame::Left(it)) => {
                    since.remove(&it.room.to_lowercase());
                }
                _ => {}
            }
        }
        for entry in &self.table.log {
            let from = match &entry.draft.target {
                crate::model::Target::Room(room) => {
                    since.get(&room.as_str().to_lowercase()).copied()
                }
                crate::model::Target::Session(to, _) => {
                    start.filter(|_| [*to, entry.draft.session].contains(&session))
                }
            };
            if from.is_some_and(|from| entry.sequence > from) {
                assert!(seen.contains(&entry.sequence), "{} missing: {got:?}", entry.sequence);
            }
        }
    }

    /// The lists that a client keeps are what is true.
    fn check_presence(&self, got: &[Got]) {
        let mut lists: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut wanted = false;
        for it in got {
            match it {
                Got::Frame(ServerFrame::ServerHello(it)) => {
                    wanted = it.features & feature::PRESENCE != 0;
                }
                Got::Frame(ServerFrame::Roster(it)) => {
                    lists.insert(&it.room, it.names.iter().map(String::as_str).collect());
                }
                Got::Frame(ServerFrame::Presence(it)) => {
                    let list = lists.get_mut(it.room.as_str()).expect("a roster before");
                    list.extend(it.joined.iter().map(String::as_str));
                    list.retain(|name| it.left.iter().all(|left| left != name));
                    assert!(wanted);
                }
                Got::Frame(ServerFrame::Left(it)) => lists.retain(|room, _| *room != it.room),
                _ => {}
            }
        }
        for (room, list) in lists {
            let room = crate::model::RoomName::new(room).unwrap();
            let known =
                self.table.hub.rooms.get(self.table.hub.rooms.find(&room).unwrap()).unwrap();
            let names = known.members.page("").0;
            assert_eq!(list, names.iter().map(String::as_str).collect(), "in {room}");
        }
    }

    /// Everybody goes, and a day passes: nothing is left.
    fn check_empty(&mut self) {
        for id in self.lines.clone() {
            self.drop(id);
        }
        self.table.answer();
        assert_eq!(self.table.people, 0);
        self.table.pass(2 * 24 * 60 * 60 * 1_000);
        assert!(self.table.is_empty());
        assert_eq!(self.table.wake_at, None);
    }
}

/// What the owner has set: everything can become too much.
fn settings() -> HubSettings {
    HubSettings { max_sessions: 12, max_connections: 12, max_rooms: 3, ..HubSettings::default() }
}

proptest! {
    /// The promises of the page hold, whatever happens.
    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let mut people = People::new();
        for (number, step) in steps.iter().enumerate() {
            people.take(step);
            if number % 40 == 39 {
                people.check_at_rest();
            }
        }
        people.check_at_rest();
        people.check_empty();
    }
}
