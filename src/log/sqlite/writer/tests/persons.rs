//! Tests of the mailbox of a person, who has claimed a name.

use super::super::super::sequencer::WriteRequest;
use super::Fixture;
use crate::hub::FactTicket;
use crate::model::{
    Actor, ClaimEnd, Draft, FactDraft, IdentityKey, ModerationAction, NamedSession, Reference,
    RoomName, Sequence, SessionId, Style, Target, Timestamp, Username,
};

/// Session that has claimed the name, whose number is the person's.
const CLAIMER: SessionId = SessionId(5);

/// Key of the claim.
const KEY: IdentityKey = IdentityKey([7; 32]);

/// Returns the request to append this fact, of the person.
fn fact(action: ModerationAction) -> WriteRequest {
    let username = Username::new("anna").unwrap();
    let actor = Actor::Session(NamedSession { session: CLAIMER, username });
    WriteRequest::Fact(Timestamp(1), FactTicket(1), FactDraft { actor, action, reason: None })
}

/// Returns the requests to append a direct message from a device of the person, and one to the
/// person.
fn directs(reference: u64) -> [WriteRequest; 2] {
    let [anna, bob] = ["anna", "bob"].map(|it| Username::new(it).unwrap());
    let (reference, example) = (Reference(reference), Draft::example());
    let to_bob = Target::Session(SessionId(9), bob.clone());
    let from = Draft {
        session: SessionId(6),
        person: Some(CLAIMER),
        target: to_bob,
        reference,
        ..example
    };
    let to_anna = Target::Session(CLAIMER, anna);
    let (session, username) = (SessionId(9), bob);
    let to = Draft { session, username, target: to_anna, reference, ..Draft::example() };
    [from, to].map(|it| WriteRequest::Draft(Timestamp(2), it))
}

/// A message that one device of a person has sent is removed by the person's number, and nobody
/// else's is.
#[test]
fn message_of_a_person_is_removed() {
    let mut fixture = Fixture::new();
    let said = |reference| {
        let (session, person) = (SessionId(6), Some(CLAIMER));
        let reference = Reference(reference);
        WriteRequest::Draft(Timestamp(1), Draft { session, person, reference, ..Draft::example() })
    };
    fixture.write(vec![said(1), said(2)]);
    for (message, author) in [(1, SessionId(6)), (2, CLAIMER)] {
        let author = NamedSession { session: author, username: Username::new("anna").unwrap() };
        let (room, message) = (RoomName::lobby(), Sequence(message));
        let actor = Actor::CommandLine;
        let action = ModerationAction::MessageRemoved { room, message, author };
        let draft = FactDraft { actor, action, reason: None };
        fixture.write(vec![WriteRequest::Fact(Timestamp(2), FactTicket(1), draft)]);
    }
    let connection = &fixture.writer.store.connection;
    let ask = "SELECT style FROM entries WHERE sequence <= 2 ORDER BY sequence";
    let mut statement = connection.prepare(ask).unwrap();
    let styles: Vec<u8> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(styles, [Style::SAID.0, Style::REMOVED.0]);
}

/// A person's mailbox stays when the session that has claimed the name is deleted, and when that of
/// a device is; it goes with the session when the claim has ended. So it is on a full disk, too.
#[test]
fn mailbox_of_a_person_outlives_the_session() {
    for is_full in [false, true] {
        let mut fixture = Fixture::new();
        let count = |fixture: &Fixture, session: SessionId| {
            let ask = "SELECT count(*) FROM mailboxes WHERE session = ?";
            let connection = &fixture.writer.store.connection;
            let count: i64 =
                connection.query_row(ask, [session.0.cast_signed()], |row| row.get(0)).unwrap();
            count
        };
        let username = Username::new("anna").unwrap();
        let holder = NamedSession { session: CLAIMER, username: username.clone() };
        let claim = ModerationAction::NameClaimed { holder, key: KEY, invitation: None };
        fixture.set_full(is_full);
        fixture.write(vec![fact(claim)]);
        fixture.write(directs(1).to_vec());
        let gone = [CLAIMER, SessionId(6)].map(WriteRequest::DeleteSession);
        fixture.write(gone.to_vec());
        fixture.write(directs(2).to_vec());
        fixture.set_full(false);
        fixture.writer.state.retry_at = fixture.writer.clock.now();
        fixture.writer.run_due_tasks();
        assert_eq!((count(&fixture, CLAIMER), count(&fixture, SessionId(6))), (4, 0));
        let (key, claim, why) = (KEY, Sequence(1), ClaimEnd::GivenBack);
        let end = ModerationAction::ClaimEnded { username, key, claim, why };
        fixture.write(vec![fact(end), WriteRequest::DeleteSession(CLAIMER)]);
        assert_eq!(count(&fixture, CLAIMER), 0);
        assert_eq!(count(&fixture, SessionId(9)), 4, "the copies of the other side stay");
    }
}
