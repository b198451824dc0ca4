//! Tests of a hub that shares its log with another one. What several hubs do together is tested in
//! `src/log/shared/tests/`.

use std::sync::Arc;

use super::frames::*;
use super::harness::*;
use crate::hub::{
    Hub, HubId, Input, JoinTerms, LogItem, NameHold, RestoredState, SharedState, StoredElsewhere,
    VolatileItem,
};
use crate::model::{
    Draft, HubSettings, LogEntry, Reference, RoomName, Sequence, SessionId, SessionRecord, Target,
    Timestamp, TokenHash, Username,
};
use crate::wire::tcp::feature;

/// The other hub.
const OTHER: HubId = HubId(2);

/// Returns a harness whose hub shares the log with [`OTHER`], and nobody is here.
fn harness() -> Harness {
    let mut harness = Harness::new();
    let hubs = vec![HubId(1), OTHER];
    let shared = Some(SharedState { own: HubId(1), hubs, holds: None });
    let restored = RestoredState { shared, ..RestoredState::empty(LOG) };
    harness.hub = Hub::new(harness.current_time(), HubSettings::default(), restored);
    harness.run_outputs();
    harness
}

/// Commits what the other hub has proposed.
fn commit(harness: &mut Harness, item: LogItem) {
    harness.input(Input::Committed { items: vec![item] });
}

/// Commits a `join` at the other hub: session `number` gets this name, with a hold of this number.
fn join_elsewhere(harness: &mut Harness, name: &str, number: u64, keeps_name: bool) {
    let terms = Box::new(JoinTerms {
        username: Username::new(name).unwrap(),
        person: None,
        refuses_lookalikes: true,
        token: TokenHash([u8::try_from(number % 256).unwrap(); 32]),
        key: None,
        keeps_name,
    });
    let (session, hold) = (SessionId(number), NameHold(number));
    let began = VolatileItem::SessionBegan { connection: None, hub: OTHER, session, hold, terms };
    commit(harness, LogItem::Volatile(began));
}

/// Returns what a client gets that asks for a name.
fn ask_for(harness: &mut Harness, name: &str) -> String {
    let connection = harness.connect_and_greet(0);
    harness.send(connection, join(name, &[]));
    let answer = harness.take_summaries(connection).swap_remove(0);
    harness.disconnect(connection);
    answer
}

/// Who is at another hub holds their name and is in their rooms here, too. When that hub has ended,
/// the name of a client that comes back waits, and any other is free at once.
#[test]
fn people_elsewhere_are_here_until_their_hub_ends() {
    let mut harness = harness();
    let (anna, _) = harness.join("anna", &["attic"]);
    for (name, number, keeps_name) in [("bob", 1_001, true), ("carl", 1_002, false)] {
        join_elsewhere(&mut harness, name, number, keeps_name);
        let (session, hold) = (SessionId(number), NameHold(number));
        let rooms = vec![RoomName::new("attic").unwrap()];
        let moved = VolatileItem::RoomsChanged { session, hold, rooms };
        commit(&mut harness, LogItem::Volatile(moved));
    }
    harness.send(anna, members(1, "attic", ""));
    let roster = harness.take_summaries(anna).pop().unwrap();
    assert!(roster.contains("bob") && roster.contains("carl"), "{roster}");
    assert!(ask_for(&mut harness, "bob").starts_with("name_taken"));
    assert!(ask_for(&mut harness, "carl").starts_with("name_taken"));
    commit(&mut harness, LogItem::Volatile(VolatileItem::HubEnded { hub: OTHER }));
    assert!(ask_for(&mut harness, "bob").starts_with("name_taken"));
    assert!(ask_for(&mut harness, "carl").starts_with("welcome"));
    harness.send(anna, members(1, "attic", ""));
    let roster = harness.take_summaries(anna).pop().unwrap();
    assert!(!roster.contains("bob") && !roster.contains("carl"), "{roster}");
}

/// If another hub frees the name of a client that is here, because this hub was cut off for so long,
/// the client has to come back, and somebody else may have the name.
#[test]
fn client_whose_name_was_freed_elsewhere_comes_back() {
    let mut harness = harness();
    let (anna, welcome) = harness.join("anna", &[]);
    let hold = harness.hub.holds()[0].hold;
    let released = VolatileItem::NameReleased { session: welcome.session, hold };
    commit(&mut harness, LogItem::Volatile(released));
    assert_eq!(harness.take_summaries(anna).pop().unwrap(), "closed");
    assert!(ask_for(&mut harness, "anna").starts_with("welcome"));
}

/// What another hub stores of a session that is here was on its way when the session came: this hub
/// stores it again.
#[test]
fn session_here_is_stored_again_after_a_stale_record() {
    let mut harness = harness();
    let (_, welcome) = harness.join("anna", &[]);
    let record = harness.persisted_sessions.pop().unwrap();
    assert_eq!((record.session, record.away_since), (welcome.session, None));
    let stale = SessionRecord { away_since: Some(Timestamp(5)), ..record.clone() };
    let stored = [
        StoredElsewhere::Session(OTHER, stale),
        StoredElsewhere::SessionDeleted(OTHER, welcome.session),
    ];
    for stored in stored {
        harness.persisted_sessions.clear();
        commit(&mut harness, LogItem::Elsewhere(stored));
        assert_eq!(harness.persisted_sessions, std::slice::from_ref(&record));
    }
}

/// A client may come to a hub that has not read of its session: when the `join` is committed, the hub
/// has, and the session is resumed.
#[test]
fn token_that_is_not_known_yet_is_looked_for_again() {
    let mut harness = harness();
    harness.delays_volatile = true;
    harness.manual_log = true;
    let token = crate::model::Token([9; 16]);
    let connection = harness.connect_and_greet(0);
    let join = crate::wire::tcp::Join { token: Some(token), ..join("anna", &[]) };
    harness.send(connection, join);
    let terms = Box::new(JoinTerms {
        username: Username::new("anna").unwrap(),
        person: None,
        refuses_lookalikes: true,
        token: crate::hub::session_persistence::hash_token(&token),
        key: None,
        keeps_name: true,
    });
    let (session, hold) = (SessionId(1_001), NameHold(1_001));
    let began = VolatileItem::SessionBegan { connection: None, hub: OTHER, session, hold, terms };
    commit(&mut harness, LogItem::Volatile(began));
    harness.delays_volatile = false;
    harness.manual_log = false;
    harness.run_log();
    let welcome = welcome(&harness.take_received(connection));
    assert_eq!((welcome.session, welcome.flags & 1), (session, 1));
}

/// Hubs may have opened a room at the same time and spelled it in different ways. Each tells its
/// clients its own spelling, in what is said and in what was said.
#[test]
fn rooms_have_one_spelling_at_each_hub() {
    let mut harness = harness();
    let (anna, _) = harness.join("anna", &["Attic"]);
    let draft = Draft {
        session: SessionId(1_001),
        reference: Reference(1),
        target: Target::Room(RoomName::new("attic").unwrap()),
        ..Draft::example()
    };
    let (sequence, previous, time) = (Sequence(1), Sequence::ZERO, Timestamp(5));
    let entry = Arc::new(LogEntry { sequence, previous, time, draft });
    harness.log.push(entry.clone());
    harness.take_received(anna);
    commit(&mut harness, LogItem::Message(entry));
    assert_eq!(harness.take_summaries(anna), ["1:Attic anna: hello (0)"]);
    harness.send(anna, history(1, "attic", 0, 3));
    assert_eq!(harness.take_summaries(anna)[0], "1:Attic anna: hello (3)");
}

/// A hub that begins is told what the log says, not what this hub has applied: a client that has just
/// left counts as connected until its record is in the log.
#[test]
fn hub_that_begins_is_told_what_the_log_says() {
    let mut harness = harness();
    let anna = harness.connect_and_greet(feature::RESUME);
    harness.send(anna, join("anna", &[]));
    let record = harness.persisted_sessions.last().unwrap().clone();
    harness.disconnect(anna);
    let begin = |harness: &mut Harness, hub| {
        commit(harness, LogItem::Volatile(VolatileItem::HubBegan { hub: HubId(hub) }));
        let (to, holds) = harness.handed_over.pop().unwrap();
        assert_eq!((to, holds.len()), (HubId(hub), 1));
        holds[0].is_connected
    };
    assert!(begin(&mut harness, 3));
    let away = harness.persisted_sessions.last().unwrap().clone();
    assert!(record.away_since.is_none() && away.away_since.is_some());
    let own = |it| LogItem::Elsewhere(StoredElsewhere::Session(HubId(1), it));
    commit(&mut harness, own(record));
    assert!(begin(&mut harness, 4));
    commit(&mut harness, own(away));
    assert!(!begin(&mut harness, 5));
}
