//! Property test: random steps with a slow log. Invariants are checked after each step, and the
//! guarantees of the protocol page whenever the log is idle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::*;

use super::frames::*;
use super::harness::*;
use super::inspect::{is_answer, is_echo, is_entering, new_entry, sequence_of, session_of};
use super::proofs::key_pair;
use super::steps::{NAMES, ROOMS, Step, step};
use crate::hub::read_queue::ReadQueue;
use crate::hub::{
    ConnectionId, Hub, Input, NameHold, OwnerRequestId, RestoredState, StorageHealth,
};
use crate::model::{
    ClaimPolicy, HubSettings, InvitationCode, ModerationRequest, Position, Reference, Role,
    RoomName, RoomSetting, SanctionKind, SanctionLength, Scope, Sequence, SessionId, SlowMode,
    Token, UserSelector, Username,
};
use crate::wire::tcp::{
    Claim, ClientFrame, Join, Moderate, Remove, ServerFrame, action, feature, flag,
};

/// Simulated clients around the harness.
struct Simulation {
    /// Hub, log and connections.
    harness: Harness,
    /// Connected clients.
    clients: Vec<ConnectionId>,
    /// Clients that have half-closed their connections.
    half_closed: HashSet<ConnectionId>,
    /// Position in each client's `join`, for clients that sent one.
    positions: HashMap<ConnectionId, Sequence>,
    /// Messages that each client has sent, answered or not.
    sent: BTreeMap<ConnectionId, Vec<(Reference, ClientFrame)>>,
    /// Messages that each session sent on connections that are lost. They are sent again before the
    /// session's next new message.
    unacknowledged: HashMap<SessionId, BTreeMap<Reference, ClientFrame>>,
    /// Maximum number of answers that each message may get on a connection: one for each time that
    /// it was sent there, and one if it was sent on an earlier connection.
    max_answers: HashMap<(ConnectionId, Reference), usize>,
    /// Tokens received, with their sessions.
    tokens: Vec<(Token, SessionId)>,
    /// Greatest sequence that each session has received.
    greatest_sequences: HashMap<SessionId, Sequence>,
    /// Holds on names of sessions of another hub, with those sessions.
    elsewhere: Vec<(SessionId, NameHold)>,
    /// Number of requests of the command line since the last restart.
    owner_requests: usize,
    /// Last message reference of each session.
    last_references: HashMap<SessionId, u64>,
}

impl Simulation {
    /// Creates a simulation without clients.
    fn new() -> Self {
        let mut harness = Harness::with(settings());
        harness.manual_log = true;
        harness.delays_volatile = true;
        harness.page_limit = 2;
        let now = harness.current_time();
        harness.observer = Some(Hub::new(now, settings(), RestoredState::empty(LOG)));
        // Reads wait for their turn with a few clients, too.
        harness.hub.reads = ReadQueue::with_limits(2, 1, 1);
        Self {
            harness,
            clients: Vec::new(),
            half_closed: HashSet::new(),
            positions: HashMap::new(),
            sent: BTreeMap::new(),
            unacknowledged: HashMap::new(),
            max_answers: HashMap::new(),
            tokens: Vec::new(),
            greatest_sequences: HashMap::new(),
            elsewhere: Vec::new(),
            owner_requests: 0,
            last_references: HashMap::new(),
        }
    }

    /// Brings in a user who claims a name and links a second device.
    fn begin_with_a_person(&mut self) {
        let join = |name, key, code| {
            let (rooms, features) = (vec![0, 1], feature::PRESENCE | feature::RESUME);
            Step::Join { name, rooms, features, token: None, position: 0, key: Some(key), code }
        };
        let (claim, link) = (Step::Claim(0, 1, 0), Step::Claim(0, 3, 0));
        for step in [join(0, 1, None), claim, link, join(1, 2, Some(0))] {
            self.apply(&step);
            self.harness.run_log();
        }
        self.record_progress();
        assert_eq!(self.harness.persons.len(), 2);
    }

    /// Returns the connected client at index `who` modulo the number of clients; `None` if there is
    /// none.
    fn pick_client(&self, who: usize) -> Option<ConnectionId> {
        self.clients.get(who % self.clients.len().max(1)).copied()
    }

    /// Selects a client as [`Self::pick_client`] does. Returns the client and its session. `None`
    /// if the client has not joined, or is closed or half-closed.
    fn pick_joined(&self, who: usize) -> Option<(ConnectionId, SessionId)> {
        let id = self.pick_client(who)?;
        let received = &self.harness.clients[&id].received;
        let session = session_of(received)?;
        let is_over = received.contains(&ClientEvent::Closed) || self.half_closed.contains(&id);
        (!is_over).then_some((id, session))
    }

    /// Performs a step, records the progress, and checks the invariants.
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Join { name, rooms, features, token, position, key, code } => {
                let credentials = (*token, *key, *code);
                self.join(*name, rooms, *features, credentials, *position);
            }
            Step::Claim(who, action, number) => {
                let (action, code_hash) = (*action, code(*number).hash().0);
                let claim = Claim { reference: Reference(1), action, code_hash };
                self.send_request(*who, claim.into());
            }
            Step::Release(name) => self.release(*name),
            Step::Disconnect(who) => {
                if let Some(id) = self.pick_client(*who) {
                    self.disconnect(id);
                }
            }
            Step::HalfClose(who, in_frame) => {
                if let Some(connection) = self.pick_client(*who) {
                    self.half_closed.insert(connection);
                    let in_frame = *in_frame;
                    self.harness.input(Input::HalfClosed { connection, in_frame });
                }
            }
            Step::Say(who, room) => self.send_message(*who, |it| say_in(ROOMS[*room], it, "x")),
            Step::Direct(who, to) => self.send_message(*who, |it| direct(NAMES[*to], 0, it, "x")),
            Step::Resend(who) => {
                if let Some((id, _)) = self.pick_joined(*who)
                    && let Some((reference, frame)) = self.sent.get(&id).and_then(|it| it.last())
                {
                    *self.max_answers.entry((id, *reference)).or_default() += 1;
                    let frame = frame.clone();
                    self.harness.send(id, frame);
                }
            }
            Step::Enter(who, room) => self.send_request(*who, enter(1, ROOMS[*room])),
            Step::Leave(who, room) => self.send_request(*who, leave(1, ROOMS[*room])),
            Step::History(who, room) => self.send_request(*who, history(1, ROOMS[*room], 0, 3)),
            Step::Search(who) => self.send_request(*who, search(1, "", "x", 0, 3)),
            Step::SetRole(name, room, role) => {
                let request = role_request(NAMES[*name], room.map(|it| ROOMS[it]), *role);
                self.request_as_owner(request);
            }
            Step::Moderate(Some(who), action, room, name, seconds, by_address) => {
                let frame = Moderate {
                    reference: Reference(1),
                    action: *action,
                    room: room.map_or("", |it| ROOMS[it]).to_owned(),
                    username: NAMES[*name].to_owned(),
                    session: SessionId(0),
                    seconds: *seconds,
                    flags: u8::from(*by_address),
                    reason: String::new(),
                };
                self.send_request(*who, frame.into());
            }
            Step::Moderate(None, action, room, name, seconds, by_address) => {
                let room = room.map(|it| ROOMS[it]);
                // Each sanction ends, so that the test can go on.
                let seconds = (*seconds).max(1);
                let request = owner_action(*action, room, NAMES[*name], seconds, *by_address);
                self.request_as_owner(request);
            }
            Step::Remove(who, room, message) => {
                let message = Sequence(*message as u64 % (self.harness.head().0 + 1));
                let (room, reason) = (ROOMS[*room].to_owned(), String::new());
                match who {
                    Some(who) => {
                        let reference = Reference(1);
                        let frame = Remove { reference, room, sequence: message, reason };
                        self.send_request(*who, frame.into());
                    }
                    None => {
                        let room = RoomName::new(&room).unwrap();
                        let request = ModerationRequest::Remove { room, message, reason: None };
                        self.request_as_owner(request);
                    }
                }
            }
            Step::Violate(who) => self.send_request(*who, hello(0)),
            Step::Commit(most) => _ = self.harness.commit(*most),
            Step::CommitVolatile(most) => _ = self.harness.commit_volatile(*most),
            Step::JoinElsewhere(name) => {
                let hold = self.harness.join_elsewhere(NAMES[*name]);
                self.elsewhere.push(hold);
            }
            Step::EndElsewhere => self.end_elsewhere(),
            Step::RejectDraft => _ = self.harness.reject_draft(),
            Step::PerformRead => _ = self.harness.perform_read(),
            Step::FailRead => _ = self.harness.fail_read(),
            Step::DeliverOutcome => _ = self.harness.deliver_outcome(),
            Step::ReachMark => _ = self.harness.reach_mark(),
            Step::SetStorageHealth(how) => {
                let all =
                    [StorageHealth::Sound, StorageHealth::MemoryOnly, StorageHealth::Refusing];
                self.harness.input(Input::StorageChanged(all[usize::from(*how)]));
            }
            Step::Restart => {
                for id in self.clients.clone() {
                    self.forget_client(id);
                }
                self.elsewhere.clear();
                self.owner_requests = 0;
                self.harness.owner_answers.clear();
                self.harness.restart(settings(), 10);
            }
            Step::Advance(millis) => self.harness.advance(*millis),
            Step::Wake => self.harness.input(Input::Wake),
        }
        self.record_progress();
        self.check_invariants();
    }

    /// Releases the claim of a name, as the command line does.
    fn release(&mut self, name: usize) {
        let username = Username::new(NAMES[name]).unwrap();
        self.request_as_owner(ModerationRequest::ReleaseClaim { username });
    }

    /// Connects a client and sends its `join`, with a token, the proof of a key, and a link code, if
    /// they are given.
    fn join(
        &mut self,
        name: usize,
        rooms: &[usize],
        features: u64,
        (token, key, link_code): (Option<usize>, Option<u8>, Option<u8>),
        position: u8,
    ) {
        let (id, context) = self.harness.connect_for_proof();
        let features = features | key.map_or(0, |_| feature::IDENTITY);
        let proof = key.map(|it| Box::new(key_pair(it).prove(&context)));
        let invite = link_code.map(|it| code(it).to_string());
        let rooms: Vec<&str> = rooms.iter().map(|it| ROOMS[*it]).collect();
        let known = token.and_then(|it| self.tokens.get(it % self.tokens.len().max(1))).copied();
        let reached = known.and_then(|(_, session)| self.greatest_sequences.get(&session).copied());
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
        self.harness.send(id, hello(features));
        self.harness.send(id, Join { token, position, proof, invite, ..join(NAMES[name], &rooms) });
        self.clients.push(id);
    }

    /// Makes a request of the command line.
    fn request_as_owner(&mut self, request: ModerationRequest) {
        self.owner_requests += 1;
        let id = OwnerRequestId(self.owner_requests as u64);
        self.harness.input(Input::Moderate { id, request });
    }

    /// Ends the oldest session of another hub.
    fn end_elsewhere(&mut self) {
        if !self.elsewhere.is_empty() {
            let (session, hold) = self.elsewhere.remove(0);
            self.harness.end_elsewhere(session, hold);
        }
    }

    /// Disconnects a client. Its messages will be sent again.
    fn disconnect(&mut self, id: ConnectionId) {
        self.forget_client(id);
        self.harness.disconnect(id);
    }

    /// Forgets a client's connection. Its messages will be sent again.
    fn forget_client(&mut self, id: ConnectionId) {
        let session = session_of(&self.harness.clients[&id].received);
        if let (Some(session), Some(sent)) = (session, self.sent.remove(&id)) {
            self.unacknowledged.entry(session).or_default().extend(sent);
        }
        self.clients.retain(|it| *it != id);
    }

    /// Sends all messages of the session's earlier connections again, in order. Those connections
    /// may still exist.
    fn resend_messages(&mut self, id: ConnectionId, session: SessionId) {
        let earlier = self.sent.iter_mut().filter(|(client, _)| **client != id);
        for (client, sent) in earlier {
            if session_of(&self.harness.clients[client].received) == Some(session) {
                self.unacknowledged.entry(session).or_default().extend(sent.drain(..));
            }
        }
        for (reference, frame) in self.unacknowledged.remove(&session).unwrap_or_default() {
            self.sent.entry(id).or_default().push((reference, frame.clone()));
            // The first copy may still be answered here.
            self.max_answers.insert((id, reference), 2);
            self.harness.send(id, frame);
        }
    }

    /// Sends a message with the next reference of the session, if the selected client has joined.
    /// First sends the messages of earlier connections again.
    fn send_message(&mut self, who: usize, frame: impl Fn(u64) -> ClientFrame) {
        if let Some((id, session)) = self.pick_joined(who) {
            self.resend_messages(id, session);
            let reference = self.last_references.entry(session).or_default();
            *reference += 1;
            let (reference, frame) = (Reference(*reference), frame(*reference));
            self.sent.entry(id).or_default().push((reference, frame.clone()));
            self.max_answers.insert((id, reference), 1);
            self.harness.send(id, frame);
        }
    }

    /// Sends a request, or any other frame that is not a message, if the selected client has
    /// joined.
    fn send_request(&mut self, who: usize, frame: ClientFrame) {
        if let Some((id, _)) = self.pick_joined(who) {
            self.harness.send(id, frame);
        }
    }

    /// Records the tokens and the greatest sequences that clients have received.
    fn record_progress(&mut self) {
        for client in self.harness.clients.values() {
            let Some(session) = session_of(&client.received) else { continue };
            let token = welcome(&client.received).token;
            if !self.tokens.iter().any(|it| it.0 == token) {
                self.tokens.push((token, session));
            }
            let reached = self.greatest_sequences.entry(session).or_default();
            *reached = (*reached)
                .max(client.received.iter().filter_map(sequence_of).max().unwrap_or_default());
        }
    }

    /// Checks the invariants that hold at any time. The harness checks others.
    fn check_invariants(&self) {
        let hub = &self.harness.hub;
        let nobody = BTreeSet::new();
        let mut names: HashMap<String, &BTreeSet<SessionId>> = HashMap::new();
        let mut sessions = HashSet::new();
        for client in self.harness.clients.values() {
            let Some(session) = session_of(&client.received) else { continue };
            if !client.received.contains(&ClientEvent::Closed) {
                let name = Username::new(&welcome(&client.received).username).unwrap();
                let persons = self.harness.persons.get(&session).unwrap_or(&nobody);
                if let Some(others) = names.insert(name.key().skeleton(), persons) {
                    assert!(!others.is_disjoint(persons), "{name} twice");
                }
                let mut holders = hub.names.holders(name.key());
                assert!(holders.any(|it| it == session), "{name}");
                assert!(sessions.insert(session), "{session} twice");
                assert_eq!(hub.names.person(session), hub.person_of(session), "{name}");
            }
            let own = self.harness.persons.get(&session).into_iter().flatten().chain([&session]);
            let own: Vec<_> = own.copied().collect();
            for it in &client.received {
                if let ClientEvent::Frame(ServerFrame::DirectEntry(it)) = it {
                    let parties = [it.to_session, it.from_session, it.from_person];
                    assert!(parties.iter().any(|it| own.contains(it)), "not for {session}: {it:?}");
                }
            }
            let sequences: Vec<Sequence> = client.received.iter().filter_map(new_entry).collect();
            // An entered room brings its history, which may be older.
            let entered = client.received.iter().filter(
                |it| matches!(it, ClientEvent::Frame(ServerFrame::End(end)) if end.about == 5),
            );
            if entered.count() == 0 {
                assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
            }
        }
        self.check_sessions();
        let state = hub.moderation().encode();
        assert_eq!(state, self.harness.observer.as_ref().unwrap().moderation().encode());
        for client in self.harness.clients.values() {
            check_removals(&client.received);
        }
        let mut taken = HashSet::new();
        for entry in &self.harness.log {
            assert!(taken.insert((entry.draft.session, entry.draft.reference)), "taken twice");
        }
        for client in self.harness.clients.values() {
            let Some(session) = session_of(&client.received) else { continue };
            for it in &client.received {
                if let ClientEvent::Frame(ServerFrame::Accepted(it)) = it {
                    assert!(taken.contains(&(session, it.reference)), "{it:?} is not in the log");
                }
            }
        }
    }

    /// Checks that the members of each room are those whose sessions are in it, with as many
    /// sessions. Checks that nobody has the number of a person but a session with one of their keys.
    fn check_sessions(&self) {
        let hub = &self.harness.hub;
        for room in hub.rooms.iter() {
            let id = hub.rooms.find(&room.name).unwrap();
            let mut counts = BTreeMap::new();
            for (_, session) in hub.sessions.iter().filter(|(_, it)| it.rooms.contains(&id)) {
                *counts.entry(session.username.key().clone()).or_default() += 1;
            }
            assert_eq!(room.members.session_counts(), counts, "in {}", room.name);
        }
        for (session, known) in hub.sessions.iter() {
            assert!(!hub.is_unlinked_claimer(*session, known.key), "{session}");
        }
    }

    /// Runs the log until nothing is pending, and sends all presence updates. Then checks the
    /// guarantees that hold for completed requests.
    fn check_when_idle(&mut self) {
        self.harness.run_log();
        // A client may time out meanwhile.
        while self.harness.hub.rooms.next_presence_deadline().is_some() {
            self.harness.advance(500);
        }
        self.record_progress();
        self.check_invariants();
        let state = self.harness.hub.moderation().encode();
        assert_eq!(state, self.harness.moderation.encode(), "the fold of the log");
        let answered: BTreeSet<u64> = self.harness.owner_answers.iter().map(|it| it.0).collect();
        assert_eq!(answered.len(), self.harness.owner_answers.len(), "one answer for each");
        assert_eq!(answered.len(), self.owner_requests, "an answer for each");
        for (id, client) in &self.harness.clients {
            let Some(session) = session_of(&client.received) else { continue };
            if client.received.contains(&ClientEvent::Closed) {
                continue;
            }
            assert!(!self.half_closed.contains(id), "{id:?} is not let go");
            self.check_answers(*id, session, &client.received);
            self.check_complete(*id, session, &client.received);
            self.check_presence(session, &client.received);
        }
    }

    /// Checks that each message of a client was answered: by its echo, `accepted` or an error.
    /// Checks that it got no more answers than `max_answers` permits.
    fn check_answers(&self, id: ConnectionId, session: SessionId, received: &[ClientEvent]) {
        for (reference, _) in self.sent.get(&id).into_iter().flatten() {
            let answers = received.iter().filter(|it| is_answer(it, session, *reference)).count();
            let shown = received.iter().filter(|it| is_echo(it, session, *reference)).count();
            let sent = self.max_answers[&(id, *reference)];
            assert!(answers <= sent, "{reference:?} sent {sent} times: {received:?}");
            assert!(answers >= 1 || shown >= 1, "{reference:?} not answered: {received:?}");
        }
    }

    /// Checks that the client has got each entry of its rooms and each direct message since it
    /// entered, or since its position if that was kept. Checks that the replay has no entries up to
    /// the position.
    fn check_complete(&self, id: ConnectionId, session: SessionId, received: &[ClientEvent]) {
        let kept = welcome(received).flags & flag::POSITION_KEPT != 0;
        let first = received.iter().take_while(|it| !is_entering(it)).find_map(new_entry);
        assert!(
            !kept || first.is_none_or(|it| it > self.positions[&id]),
            "known before: {received:?}"
        );
        let seen: BTreeSet<Sequence> = received.iter().filter_map(new_entry).collect();
        let mut since: BTreeMap<String, Sequence> = BTreeMap::new();
        let mut entered = Vec::new();
        let mut start = None;
        for it in received {
            match it {
                ClientEvent::Frame(ServerFrame::Entered(it)) => {
                    entered.push(it.room.to_lowercase())
                }
                ClientEvent::Frame(ServerFrame::End(end)) if matches!(end.about, 2 | 5) => {
                    let from = if end.about == 2 && kept { self.positions[&id] } else { end.head };
                    start.get_or_insert(from);
                    since.extend(entered.drain(..).map(|room| (room, from)));
                }
                ClientEvent::Frame(ServerFrame::Left(it)) => {
                    since.remove(&it.room.to_lowercase());
                }
                _ => {}
            }
        }
        if !has_events(received) {
            since.retain(|room, _| self.is_member(session, room));
        }
        for entry in &self.harness.log {
            let from = match &entry.draft.target {
                crate::model::Target::Room(room) => {
                    since.get(&room.as_str().to_lowercase()).copied()
                }
                crate::model::Target::Session(to, _) => {
                    let number = self.harness.hub.number_of(session);
                    start.filter(|_| [*to, entry.draft.author()].contains(&number))
                }
            };
            if from.is_some_and(|from| entry.sequence > from) {
                assert!(seen.contains(&entry.sequence), "{} missing: {received:?}", entry.sequence);
            }
        }
    }

    /// Checks that the member lists that follow from the client's rosters and presence updates
    /// equal those of the hub.
    fn check_presence(&self, session: SessionId, received: &[ClientEvent]) {
        let mut lists: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut wanted = false;
        for it in received {
            match it {
                ClientEvent::Frame(ServerFrame::ServerHello(it)) => {
                    wanted = it.features & feature::PRESENCE != 0;
                }
                ClientEvent::Frame(ServerFrame::Roster(it)) => {
                    lists.insert(&it.room, it.names.iter().map(String::as_str).collect());
                }
                ClientEvent::Frame(ServerFrame::Presence(it)) => {
                    let list = lists.get_mut(it.room.as_str()).expect("a roster before");
                    list.extend(it.joined.iter().map(String::as_str));
                    list.retain(|name| it.left.iter().all(|left| left != name));
                    assert!(wanted);
                }
                ClientEvent::Frame(ServerFrame::Left(it)) => {
                    lists.retain(|room, _| *room != it.room)
                }
                _ => {}
            }
        }
        for (room, list) in lists {
            if !has_events(received) && !self.is_member(session, room) {
                continue;
            }
            let room = RoomName::new(room).unwrap();
            let known =
                self.harness.hub.rooms.get(self.harness.hub.rooms.find(&room).unwrap()).unwrap();
            let names = known.members.page("").0;
            assert_eq!(list, names.iter().map(String::as_str).collect(), "in {room}");
        }
    }

    /// Returns true if a session is in a room. A client without `events` cannot know when it was
    /// sent out.
    fn is_member(&self, session: SessionId, room: &str) -> bool {
        let room = self.harness.hub.rooms.find(&RoomName::new(room).unwrap());
        let known = self.harness.hub.sessions.get(session).unwrap();
        room.is_some_and(|it| known.rooms.contains(&it))
    }

    /// Disconnects all clients. Checks that no state is left when their sessions have expired.
    fn check_cleanup(&mut self) {
        for id in self.clients.clone() {
            self.disconnect(id);
        }
        while !self.elsewhere.is_empty() {
            self.end_elsewhere();
        }
        (0..NAMES.len()).for_each(|it| self.release(it));
        self.harness.run_log();
        assert_eq!(self.harness.connected_users, 0);
        self.harness.advance(2 * 24 * 60 * 60 * 1_000);
        self.harness.run_log();
        assert!(self.harness.is_empty());
        assert_eq!(self.harness.wake_at, None);
    }
}

/// Returns true if the client of these events has the feature `events`.
fn has_events(received: &[ClientEvent]) -> bool {
    received.iter().any(|it| {
        matches!(it, ClientEvent::Frame(ServerFrame::ServerHello(it)) if it.features & feature::EVENTS != 0)
    })
}

/// Checks that no text of a message comes after the message was removed.
fn check_removals(received: &[ClientEvent]) {
    let mut removed = BTreeSet::new();
    for event in received {
        match event {
            ClientEvent::Frame(ServerFrame::Removed(it)) => _ = removed.insert(it.sequence),
            ClientEvent::Frame(ServerFrame::Entry(it)) if removed.contains(&it.sequence) => {
                assert_eq!(it.text, "[removed]", "{received:?}");
            }
            _ => {}
        }
    }
}

/// Returns the link code with this number.
fn code(number: u8) -> InvitationCode {
    InvitationCode::from_random([number; 10])
}

/// Returns a scope: a room, or the server (`None`).
fn scope(room: Option<&str>) -> Scope {
    room.map_or(Scope::Server, |it| Scope::Room(RoomName::new(it).unwrap()))
}

/// Builds a request that gives or takes a role: 0 none, 1 moderator, 2 owner.
fn role_request(name: &str, room: Option<&str>, role: u8) -> ModerationRequest {
    let user = UserSelector { username: Username::new(name).unwrap(), session: None };
    let role = [None, Some(Role::Moderator), Some(Role::Owner)][usize::from(role)];
    ModerationRequest::SetRole { scope: scope(room), user, role }
}

/// Builds a request for an action of `moderate`.
fn owner_action(
    number: u8,
    room: Option<&str>,
    name: &str,
    seconds: u32,
    by_address: bool,
) -> ModerationRequest {
    let (scope, username) = (scope(room), Username::new(name).unwrap());
    let user = UserSelector { username: username.clone(), session: None };
    let length = SanctionLength::from_seconds(seconds).unwrap();
    let room = RoomName::new(room.unwrap_or("lobby")).unwrap();
    let (kind, reason, is_dry_run) = (SanctionKind::Ban, None, false);
    match number {
        action::KICK => ModerationRequest::Kick { scope, user, reason },
        action::BAN => {
            ModerationRequest::Ban { scope, user, length, by_address, is_dry_run, reason }
        }
        action::UNBAN => ModerationRequest::EndSanction { kind, scope, username },
        action::MUTE => ModerationRequest::Mute { scope, user, length, reason },
        action::UNMUTE => {
            ModerationRequest::EndSanction { kind: SanctionKind::Mute, scope, username }
        }
        action::SLOW => {
            let seconds = u16::try_from(seconds % 3).unwrap();
            let setting = RoomSetting::SlowMode(SlowMode::from_seconds(seconds).unwrap());
            ModerationRequest::SetRoom { room, setting }
        }
        _ => {
            let setting = RoomSetting::Moderated(seconds.is_multiple_of(2));
            ModerationRequest::SetRoom { room, setting }
        }
    }
}

/// Returns settings with low limits, so that every limit can be reached.
fn settings() -> HubSettings {
    HubSettings {
        max_sessions: 12,
        max_connections: 12,
        max_connections_per_address: 8,
        max_rooms: 3,
        claims: ClaimPolicy::Open,
        ..HubSettings::default()
    }
}

proptest! {
    /// The guarantees of the protocol page hold for random sequences of steps.
    #[test]
    fn protocol_invariants_hold_for_random_operations(
        has_person in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut simulation = Simulation::new();
        if has_person {
            simulation.begin_with_a_person();
        }
        for (number, step) in steps.iter().enumerate() {
            simulation.apply(step);
            if number % 40 == 39 {
                simulation.check_when_idle();
            }
        }
        simulation.check_when_idle();
        simulation.check_cleanup();
    }
}
