//! The server ends, in whatever way, and is started again: what the log has
//! kept is all that there is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::frames::*;
use super::harness::*;
use crate::hub::session_persistence::hash_token;
use crate::hub::{Hub, RestoredState};
use crate::model::{
    HubSettings, Reference, RoomName, Sequence, SessionId, SessionRecord, Target, Timestamp, Token,
};

/// A day, in milliseconds.
const A_DAY: u64 = 24 * 60 * 60 * 1_000;

impl Table {
    /// What the log has kept of sessions by now. It makes good what it was
    /// not told by what it holds.
    fn sessions(&self) -> Vec<SessionRecord> {
        let mut sessions: BTreeMap<SessionId, SessionRecord> =
            self.kept.iter().map(|it| (it.session, it.clone())).collect();
        sessions.retain(|session, _| !self.ended.contains(session));
        for entry in &self.log {
            if let Some(author) = sessions.get_mut(&entry.draft.session) {
                author.last_reference = author.last_reference.max(entry.draft.reference);
                author.refused.retain(|it| *it != entry.draft.reference);
            }
        }
        sessions.into_values().collect()
    }

    /// The power fails: everybody is gone, and what the log was still asked for is
    /// not done. So long after that, the server is started again.
    pub(super) fn restart(&mut self, settings: HubSettings, after: u64) {
        let mut rooms: Vec<RoomName> = Vec::new();
        for entry in &self.log {
            if let Target::Room(room) = &entry.draft.target {
                rooms.retain(|it| it != room);
                rooms.push(room.clone());
            }
        }
        let last = self.kept.iter().map(|it| it.session.0).max().unwrap_or_default();
        let restored = RestoredState {
            log_id: LOG,
            head: Sequence(u64::try_from(self.log.len()).unwrap()),
            next_session: SessionId(last + 1),
            sessions: self.sessions(),
            rooms,
            sequence_gaps: Vec::new(),
        };
        self.lines.clear();
        self.drafts.clear();
        self.reads.clear();
        self.outcomes.clear();
        self.wake_at = None;
        self.people = 0;
        self.now = self.now + Duration::from_millis(after);
        self.hub = Hub::new(self.clocks(), settings, restored);
        self.obey();
    }

    /// The same with ordinary settings, at once.
    fn crash(&mut self) {
        self.restart(HubSettings::default(), 0);
    }
}

/// What is kept of a token is its SHA-256, and nothing by which one comes back.
#[test]
fn tokens_are_kept_as_hashes() {
    let digits: String =
        hash_token(&Token([0; 16])).0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digits, "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb");
}

/// A session is kept when it begins, when it is taken up and when its
/// connection ends, but not with each message.
#[test]
fn when_a_session_is_kept() {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.send(anna, say(4, "x"));
    table.send(anna, say(5, "y"));
    table.pass(2_000);
    table.drop(anna);
    let anna = table.resume("Anna", &[], welcome.token, None);
    let again = table.resume("Anna", &[], welcome.token, None);
    assert_eq!(table.words(anna).last().unwrap(), "closed");
    table.send(again, say(6, ""));
    let record = |username: &str, away_since, last, refused: &[u64]| SessionRecord {
        session: SessionId(1),
        token: hash_token(&welcome.token),
        username: crate::model::Username::new(username).unwrap(),
        away_since,
        last_reference: Reference(last),
        refused: refused.iter().copied().map(Reference).collect(),
    };
    assert_eq!(
        table.kept,
        [
            record("anna", None, 0, &[]),
            record("anna", Some(Timestamp(1_002_000)), 5, &[]),
            record("Anna", None, 5, &[]),
            record("Anna", None, 5, &[]),
            record("Anna", None, 5, &[6]),
        ]
    );
}

/// Whoever was there comes back as the same session, under the same token,
/// and gets what was missed, direct messages too; what the log had not taken
/// is sent again.
#[test]
fn a_crash_is_like_a_lost_connection() {
    let mut table = Table::new();
    let (anna, annas) = table.come("anna", &["Lobby"]);
    let (bob, bobs) = table.come("bob", &["lobby"]);
    table.send(anna, say(1, "one"));
    table.drop(bob);
    table.send(anna, direct("bob", 0, 2, "two"));
    table.delayed = true;
    table.send(anna, say(3, "three"));
    table.delayed = false;
    table.crash();
    assert_eq!((table.people, table.ended.len()), (0, 0));
    let bob = table.resume("bob", &["LOBBY"], bobs.token, Some(1));
    let words = table.words(bob);
    assert_eq!(
        words[..4],
        ["welcome bob 3 last 0", "entered Lobby 0 of 1", "2:anna>bob: two (1)", "end 2 2 0"]
    );
    let anna = table.resume("anna", &["lobby"], annas.token, Some(0));
    assert_eq!(welcome(&table.lines[&anna].got).token, annas.token);
    assert_eq!(table.words(anna)[0], "welcome anna 3 last 2");
    table.send(anna, say(2, "two"));
    table.send(anna, say(3, "three"));
    assert_eq!(table.words(anna), ["accepted 2", "3:Lobby anna: three (0)"]);
    let (_, carls) = table.come("carl", &[]);
    assert_eq!(carls.session, SessionId(3));
}

/// What was refused may come again after a restart; what was taken may not.
#[test]
fn what_was_refused_stays_refused() {
    let mut table = Table::new();
    let (anna, annas) = table.come("anna", &[]);
    table.send(anna, say(1, ""));
    table.delayed = true;
    table.send(anna, say(2, "lost"));
    table.send(anna, say(3, "kept"));
    table.lose();
    table.answer();
    table.delayed = false;
    table.crash();
    let anna = table.resume("anna", &[], annas.token, Some(1));
    assert_eq!(table.words(anna)[0], "welcome anna 3 last 3");
    for reference in 1..=3 {
        table.send(anna, say(reference, "again"));
    }
    assert_eq!(
        table.words(anna),
        ["2:lobby anna: again (0)", "3:lobby anna: again (0)", "accepted 3"]
    );
    table.crash();
    let anna = table.resume("anna", &[], annas.token, Some(3));
    table.got(anna);
    table.send(anna, say(1, "again"));
    assert_eq!(table.words(anna), ["accepted 1"]);
}

/// What the log has still to answer for when the connection ends is not
/// taken for what it has.
#[test]
fn what_is_on_its_way_is_not_taken() {
    let mut table = Table::new();
    let (anna, annas) = table.come("anna", &[]);
    table.delayed = true;
    table.send(anna, say(1, "x"));
    table.drop(anna);
    table.delayed = false;
    table.crash();
    let anna = table.resume("anna", &[], annas.token, Some(0));
    assert_eq!(table.words(anna)[0], "welcome anna 3 last 0");
    table.send(anna, say(1, "x"));
    assert_eq!(table.words(anna), ["1:lobby anna: x (0)"]);
}

/// The day of a session goes on while the server is not there. Who was
/// connected has been away since it was started again.
#[test]
fn a_day_goes_on() {
    let mut table = Table::new();
    let (anna, annas) = table.come("anna", &[]);
    let (bob, bobs) = table.come("bob", &[]);
    table.drop(anna);
    table.pass(1_000);
    table.drop(bob);
    let (_, carls) = table.come("carl", &[]);
    table.restart(HubSettings::default(), A_DAY - 1_000);
    assert_eq!(table.ended, [annas.session]);
    assert_eq!(table.wake_at, Some(table.now + Duration::from_millis(1_000)));
    let away = table.kept.last().unwrap();
    assert_eq!((away.session, away.away_since), (carls.session, Some(table.clocks().time)));
    table.pass(1_000);
    assert_eq!(table.ended, [annas.session, bobs.session]);
    table.crash();
    table.pass(A_DAY - 2_000);
    let carl = table.resume("carl", &[], carls.token, None);
    assert_eq!(table.words(carl)[0], "welcome carl 1 last 0");
    table.drop(carl);
    table.pass(A_DAY + 1);
    assert!(table.is_empty());
}

/// A clock that was wrong, or is now, makes no session live for longer than
/// a day, and ends none that has just gone.
#[test]
fn a_clock_that_went_back() {
    let mut table = Table::new();
    table.wall = 9 * A_DAY;
    let (anna, annas) = table.come("anna", &[]);
    table.drop(anna);
    table.wall = A_DAY;
    table.crash();
    assert_eq!(table.wake_at, Some(table.now + Duration::from_millis(A_DAY)));
    table.pass(A_DAY - 1_000);
    let anna = table.resume("anna", &[], annas.token, None);
    assert_eq!(table.words(anna)[0], "welcome anna 1 last 0");
}

/// Of several who were called so, the last one is meant; who is connected by
/// the name comes first.
#[test]
fn who_had_the_name_last() {
    let mut table = Table::new();
    let (first, _) = table.come("anna", &[]);
    table.drop(first);
    table.pass(10);
    let (second, seconds) = table.come("Anna", &[]);
    table.drop(second);
    table.pass(10);
    table.crash();
    let (bob, _) = table.come("bob", &[]);
    table.got(bob);
    table.send(bob, direct("anna", 0, 1, "x"));
    assert_eq!(table.words(bob), ["1:bob>Anna: x (0)"]);
    let target = &table.log[0].draft.target;
    assert!(matches!(target, Target::Session(session, _) if *session == seconds.session));
}

/// A server that may remember fewer forgets those who have been away longest.
#[test]
fn too_many_to_remember() {
    let mut table = Table::new();
    let mut sessions = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let (connection, welcome) = table.come(name, &[]);
        sessions.push(welcome.session);
        if name != "b" {
            table.drop(connection);
        }
        table.pass(1_000);
    }
    let settings = HubSettings { max_sessions: 2, max_connections: 2, ..HubSettings::default() };
    table.restart(settings, 1_000);
    assert_eq!(table.ended, [sessions[0], sessions[2]]);
}

/// No more spellings are remembered than before, and the latest of them.
#[test]
fn the_latest_spellings() {
    let restored = RestoredState {
        rooms: (0..1_010).map(|it| RoomName::new(&format!("R{it}")).unwrap()).collect(),
        ..RestoredState::empty(LOG)
    };
    let mut table = Table::new();
    table.hub = Hub::new(table.clocks(), HubSettings::default(), restored);
    let (_, welcome) = table.come("anna", &["r9", "r10", "r1009"]);
    assert_eq!(welcome.rooms, ["r9", "R10", "R1009"]);
}

/// A session that is restored is not driven out by those who come and go.
#[test]
fn those_who_come_and_go_drive_nobody_out() {
    let mut table = Table::new();
    let (anna, annas) = table.come("anna", &[]);
    table.drop(anna);
    table.restart(
        HubSettings { max_sessions: 2, max_connections: 2, ..HubSettings::default() },
        1_000,
    );
    for _ in 0..3 {
        let (guest, _) = table.come("guest", &[]);
        table.drop(guest);
    }
    assert_eq!(table.ended.len(), 2);
    assert!(!table.ended.contains(&annas.session));
}
