//! Read marks of persons: what was read on one device is read on all.

use super::super::proofs::key_pair;
use super::identity::{code, settings};
use super::*;
use crate::model::limits::MAX_READ_MARKS_OF_PERSON;
use crate::model::{Access, ClaimPolicy, HubSettings, PersonReadMarks};
use crate::wire::tcp::{Claim, Join, MarkRead, Pong, claim_action};

/// Features of a client that takes part in read marks.
const MARKS: u64 = feature::IDENTITY | feature::READ_MARKS;

/// Returns the settings of a server where everybody may come in and claim a name.
fn open() -> HubSettings {
    settings(Access::Everybody, ClaimPolicy::Open)
}

/// Builds a `mark_read`; without a room it is about the direct messages.
fn mark(room: &str, sequence: u64) -> MarkRead {
    MarkRead { room: room.to_owned(), sequence: Sequence(sequence) }
}

impl Harness {
    /// Joins these rooms with a key, these features, and perhaps a link code.
    fn come_to(
        &mut self,
        (name, rooms): (&str, &[&str]),
        key: u8,
        features: u64,
        link_code: Option<u8>,
    ) -> ConnectionId {
        let (connection, context) = self.connect_for_proof();
        self.send(connection, hello(features));
        let proof = Some(Box::new(key_pair(key).prove(&context)));
        let invite = link_code.map(|it| code(it).to_string());
        self.send(connection, Join { proof, invite, ..join(name, rooms) });
        connection
    }

    /// Joins the lobby as anna with key 1, claims the name, and links devices with the keys 2 to
    /// `devices`. Returns the connections. The lobby has messages up to the sequence 10 at least.
    fn anna_marks(&mut self, devices: u8) -> Vec<ConnectionId> {
        let first = self.come_to(("anna", &[]), 1, MARKS, None);
        assert_eq!(self.claim(first, claim_action::CLAIM), "done 20 1");
        let mut connections = vec![first];
        for key in 2..=devices {
            let (reference, action) = (Reference(8), claim_action::LINK);
            let code_hash = code(key).hash().0;
            self.ask(first, Claim { reference, action, code_hash });
            connections.push(self.come_to(("anna", &[]), key, MARKS, Some(key)));
        }
        for reference in 1..=10 {
            self.send(first, say(reference, "hello"));
        }
        for connection in &connections {
            self.take_received(*connection);
        }
        connections
    }

    /// Lets a minute pass in which a client does not fall silent.
    fn pass_a_minute(&mut self, client: ConnectionId) {
        for _ in 0..2 {
            self.advance(30_000);
            self.send(client, Pong { token: 0 });
        }
    }

    /// Returns the summaries of the read marks that a client has received, and of errors.
    fn take_marks(&mut self, client: ConnectionId) -> Vec<String> {
        let is_mark = |it: &String| it.starts_with("read ") || it.contains("not_in_room");
        self.take_summaries(client).into_iter().filter(is_mark).collect()
    }
}

/// A mark is told to the person's other devices that are in the room, and to nobody else; the last
/// writer wins, also with a smaller sequence; what changes nothing is not told.
#[test]
fn mark_reaches_other_devices() {
    let mut harness = Harness::with(open());
    let devices = harness.anna_marks(3);
    let [laptop, phone, tablet] = devices[..] else { panic!() };
    let bob = harness.come_to(("bob", &[]), 9, MARKS, None);
    assert_eq!(harness.claim(bob, claim_action::CLAIM), "done 20 1");
    harness.send(tablet, leave(1, "lobby"));
    harness.send(laptop, mark("Lobby", 5));
    harness.send(laptop, mark("lobby", 5));
    harness.send(phone, mark("lobby", 7));
    harness.send(laptop, mark("lobby", 6));
    harness.send(laptop, mark("", 4));
    assert_eq!(harness.take_marks(phone), ["read lobby 5", "read lobby 6", "read  4"]);
    assert_eq!(harness.take_marks(laptop), ["read lobby 7"]);
    assert_eq!(harness.take_marks(tablet), ["read  4"]);
    assert_eq!(harness.take_marks(bob), [""; 0]);
}

/// Whoever joins or enters a room is told how far it was read, before the messages. Nobody is told
/// who has not asked for it, and no other person.
#[test]
fn mark_is_told_when_a_device_comes() {
    let mut harness = Harness::with(open());
    let laptop = harness.anna_marks(1)[0];
    harness.send(laptop, enter(1, "attic"));
    for (room, sequence) in [("lobby", 5), ("attic", 6), ("", 7)] {
        harness.send(laptop, mark(room, sequence));
    }
    harness.disconnect(laptop);
    let laptop = harness.come_to(("anna", &[]), 1, MARKS, None);
    let told = harness.take_summaries(laptop);
    let place = |start: &str| told.iter().position(|it| it.starts_with(start)).unwrap();
    let order = ["welcome", "read  7", "entered lobby", "read lobby 5", "2:lobby"].map(place);
    assert!(order.is_sorted(), "{told:?}");
    harness.send(laptop, enter(1, "attic"));
    assert_eq!(harness.take_marks(laptop), ["read attic 6"]);
    for features in [feature::IDENTITY, feature::IDENTITY | EVENTS] {
        let old = harness.come_to(("anna", &["lobby", "attic"]), 1, features, None);
        harness.send(laptop, mark("attic", features));
        assert_eq!(harness.take_marks(old), [""; 0], "an old client");
        harness.disconnect(old);
    }
    let bob = harness.come_to(("bob", &["lobby", "attic"]), 9, MARKS, None);
    assert_eq!(harness.take_marks(bob), [""; 0]);
}

/// The feature needs a proof, and who is no person has no marks.
#[test]
fn marks_are_for_persons() {
    let mut harness = Harness::with(open());
    for (offered, features, granted) in
        [(true, MARKS, MARKS), (true, feature::READ_MARKS, 0), (false, MARKS, 0)]
    {
        let client = if offered { harness.connect_for_proof().0 } else { harness.connect() };
        harness.send(client, hello(features));
        let received = harness.take_received(client);
        let [ClientEvent::Frame(ServerFrame::ServerHello(answer))] = &received[..] else {
            panic!()
        };
        assert_eq!(answer.features, granted);
    }
    let bob = harness.come_to(("bob", &[]), 9, MARKS, None);
    harness.send(bob, mark("lobby", 1));
    assert_eq!(harness.claim(bob, claim_action::CLAIM), "done 20 1");
    harness.disconnect(bob);
    let bob = harness.come_to(("bob", &[]), 9, MARKS, None);
    assert_eq!(harness.take_marks(bob), [""; 0]);
    harness.advance(120_000);
    assert!(harness.kept_marks.is_empty());
}

/// A mark for a room in which the session is not is refused; one beyond the head counts as the
/// head; before the `join`, it violates the protocol.
#[test]
fn invalid_marks_are_refused() {
    let mut harness = Harness::with(open());
    let devices = harness.anna_marks(2);
    let [laptop, phone] = devices[..] else { panic!() };
    for room in ["attic", "no room", "LOBBYs", &"x".repeat(2_000)] {
        harness.send(laptop, mark(room, 1));
        assert_eq!(harness.take_marks(laptop), ["not_in_room 23 0"], "{room}");
    }
    harness.send(laptop, mark("lobby", u64::MAX));
    let head = harness.head().0;
    assert_eq!(harness.take_marks(phone), [format!("read lobby {head}")]);
    let early = harness.connect_and_greet(MARKS);
    harness.send(early, mark("lobby", 1));
    assert_eq!(harness.take_summaries(early), ["unexpected 23 0", "closed"]);
}

/// Marks of a person cost the address group units, and wait when these are used up. Those of others,
/// which are ignored, cost it nothing.
#[test]
fn marks_of_persons_are_throttled() {
    for is_person in [false, true] {
        let mut harness = Harness::with(open());
        let laptop = harness.come_to(("anna", &[]), 1, MARKS, None);
        if is_person {
            assert_eq!(harness.claim(laptop, claim_action::CLAIM), "done 20 1");
        }
        for number in 0..400 {
            harness.send(laptop, mark("attic", number));
        }
        let refused = harness.take_marks(laptop).len();
        let is_quota = |(_, it): &(_, crate::hub::Quota)| *it == crate::hub::Quota::Requests;
        assert_eq!(harness.reached_quotas.iter().any(is_quota), is_person);
        let expected = if is_person { 250..400 } else { 0..1 };
        assert!(expected.contains(&refused), "{refused}");
    }
}

/// Marks are stored at most once a minute, all together, and at an orderly stop; after a restart
/// they are as they were.
#[test]
fn marks_are_stored_once_a_minute() {
    let mut harness = Harness::with(open());
    let laptop = harness.anna_marks(1)[0];
    for second in 0..150 {
        harness.send(laptop, mark("lobby", 1 + second % 9));
        harness.send(laptop, mark("", 2 + second % 7));
        harness.advance(1_000);
    }
    assert_eq!(harness.kept_marks.len(), 2, "after 60 and 121 seconds at the earliest");
    harness.send(laptop, mark("lobby", 3));
    harness.input(Input::ShutDown { retry_after: 0 });
    let [.., last] = &harness.kept_marks[..] else { panic!() };
    let [PersonReadMarks { person: SessionId(1), marks }] = &last[..] else { panic!("{last:?}") };
    assert_eq!(marks.len(), 2);
    assert_eq!(marks[1].sequence, Sequence(3));
    assert_eq!(harness.kept_marks.len(), 3);
    harness.restart(open(), 5_000);
    let laptop = harness.come_to(("anna", &[]), 1, MARKS, None);
    assert_eq!(harness.take_marks(laptop), ["read  4", "read lobby 3"]);
    harness.advance(300_000);
    assert_eq!(harness.kept_marks.len(), 3, "nothing has changed");
}

/// With the claim the marks end, in memory and on the disk, whoever has ended it; so do those that
/// a crash has left. Unlinking devices ends nothing.
#[test]
fn marks_end_with_the_claim() {
    let release = || ModerationRequest::ReleaseClaim { username: Username::new("anna").unwrap() };
    for is_given_up in [true, false] {
        let mut harness = Harness::with(open());
        let devices = harness.anna_marks(2);
        let [laptop, phone] = devices[..] else { panic!() };
        harness.send(laptop, mark("lobby", 5));
        assert_eq!(harness.claim(laptop, claim_action::UNLINK_OTHERS), "done 20 1");
        harness.pass_a_minute(laptop);
        assert_eq!(harness.kept_marks.len(), 1, "the person is there: {phone:?} is not");
        if is_given_up {
            assert_eq!(harness.claim(laptop, claim_action::GIVE_UP), "done 20 1");
        } else {
            assert_eq!(harness.owner(release()), Ok(1));
        }
        let empty = PersonReadMarks { person: SessionId(1), marks: Vec::new() };
        assert_eq!(harness.kept_marks.last().unwrap(), std::slice::from_ref(&empty));
        assert_eq!(harness.claim(laptop, claim_action::CLAIM), "done 20 1");
        harness.disconnect(laptop);
        let laptop = harness.come_to(("anna", &[]), 1, MARKS, None);
        assert_eq!(harness.take_marks(laptop), [""; 0]);
        // The server crashes before the log has the deletion.
        harness.send(laptop, mark("lobby", 4));
        harness.pass_a_minute(laptop);
        let stored = harness.kept_marks.clone();
        assert_eq!(harness.claim(laptop, claim_action::GIVE_UP), "done 20 1");
        harness.kept_marks = stored;
        harness.restart(open(), 0);
        assert_eq!(harness.kept_marks.last().unwrap(), &[empty]);
    }
}

/// A person has a bounded number of marks: that which was set longest ago is forgotten.
#[test]
fn number_of_marks_is_bounded() {
    let mut harness = Harness::with(open());
    let laptop = harness.anna_marks(1)[0];
    harness.send(laptop, mark("lobby", 5));
    for number in 0..MAX_READ_MARKS_OF_PERSON as u64 {
        let room = format!("room{number}");
        harness.send(laptop, enter(2 * number + 1, &room));
        harness.send(laptop, mark(&room, 6));
        harness.send(laptop, leave(2 * number + 2, &room));
        harness.advance(5_000);
    }
    harness.pass_a_minute(laptop);
    let last = harness.kept_marks.last().unwrap();
    assert_eq!(last[0].marks.len(), MAX_READ_MARKS_OF_PERSON);
    harness.disconnect(laptop);
    let laptop = harness.come_to(("anna", &["lobby", "room0"]), 1, MARKS, None);
    assert_eq!(harness.take_marks(laptop), ["read room0 6"]);
}
