//! Restarts and crashes: the hub restores everything from the log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::frames::*;
use super::harness::*;
use crate::hub::session_persistence::hash_token;
use crate::hub::{Hub, RestoredState};
use crate::model::{
    HubSettings, PersonReadMarks, Reference, RoomName, SessionId, SessionRecord, Target, Timestamp,
    Token,
};
use crate::moderation::ModerationState;

/// Length of a day, in milliseconds.
const A_DAY: u64 = 24 * 60 * 60 * 1_000;

impl Harness {
    /// Returns the session records that the log would restore: the persisted ones, with the
    /// references of the committed entries applied. Deleted sessions are left out.
    fn session_records(&self) -> Vec<SessionRecord> {
        let mut sessions: BTreeMap<SessionId, SessionRecord> =
            self.persisted_sessions.iter().map(|it| (it.session, it.clone())).collect();
        sessions.retain(|session, _| !self.deleted_sessions.contains(session));
        for entry in &self.log {
            if let Some(author) = sessions.get_mut(&entry.draft.session) {
                author.last_reference = author.last_reference.max(entry.draft.reference);
                author.refused.retain(|it| *it != entry.draft.reference);
            }
        }
        sessions.into_values().collect()
    }

    /// Returns the read marks that are stored.
    fn stored_marks(&self) -> Vec<PersonReadMarks> {
        let latest: BTreeMap<SessionId, PersonReadMarks> =
            self.kept_marks.iter().flatten().map(|it| (it.person, it.clone())).collect();
        latest.into_values().filter(|it| !it.marks.is_empty()).collect()
    }

    /// Crashes the server and restarts it `after` milliseconds later. All connections, and all
    /// requests pending at the log, are lost.
    pub(super) fn restart(&mut self, settings: HubSettings, after: u64) {
        let mut rooms: Vec<RoomName> = Vec::new();
        for entry in &self.log {
            if let Target::Room(room) = &entry.draft.target {
                rooms.retain(|it| it != room);
                rooms.push(room.clone());
            }
        }
        let last = self.persisted_sessions.iter().map(|it| it.session.0).max().unwrap_or_default();
        let restored = RestoredState {
            log_id: LOG,
            head: self.head(),
            next_session: SessionId(last + 1),
            sessions: self.session_records(),
            rooms,
            sequence_gaps: Vec::new(),
            moderation: ModerationState::fold(&self.facts),
            read_marks: self.stored_marks(),
            shared: None,
        };
        self.clients.clear();
        self.pending_drafts.clear();
        self.pending_volatile.clear();
        self.last_session = last;
        self.last_hold = 0;
        self.pending_reads.clear();
        self.pending_outcomes.clear();
        self.wake_at = None;
        self.connected_users = 0;
        self.now = self.now + Duration::from_millis(after);
        let now = self.current_time();
        if self.observer.is_some() {
            self.observer = Some(Hub::new(now, settings.clone(), restored.clone()));
        }
        self.hub = Hub::new(now, settings, restored);
        self.run_outputs();
    }

    /// Crashes the server and restarts it at once with default settings.
    fn restart_at_once(&mut self) {
        self.restart(HubSettings::default(), 0);
    }
}

/// A session token is stored only as its SHA-256 hash.
#[test]
fn tokens_are_stored_as_sha256() {
    let digits: String =
        hash_token(&Token([0; 16])).0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digits, "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb");
}

/// A session is persisted on join, resume, refused messages and disconnect, but not for each stored
/// message.
#[test]
fn session_is_persisted_on_join_resume_and_disconnect() {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.send(anna, say(4, "x"));
    harness.send(anna, say(5, "y"));
    harness.advance(2_000);
    harness.disconnect(anna);
    let anna = harness.resume("Anna", &[], welcome.token, None);
    let again = harness.resume("Anna", &[], welcome.token, None);
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "closed");
    harness.send(again, say(6, ""));
    let record = |username: &str, away_since, last, refused: &[u64]| SessionRecord {
        session: SessionId(1),
        token: hash_token(&welcome.token),
        username: crate::model::Username::new(username).unwrap(),
        away_since,
        last_reference: Reference(last),
        refused: refused.iter().copied().map(Reference).collect(),
        keeps_name: false,
        key: None,
    };
    assert_eq!(
        harness.persisted_sessions,
        [
            record("anna", None, 0, &[]),
            record("anna", Some(Timestamp(1_002_000)), 5, &[]),
            record("Anna", None, 5, &[]),
            record("Anna", None, 5, &[]),
            record("Anna", None, 5, &[6]),
        ]
    );
}

/// After a crash, clients resume the same sessions with the same tokens, get missed entries and
/// direct messages, and resend what the log had not stored.
#[test]
fn sessions_resume_after_crash() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &["Lobby"]);
    let (bob, bobs) = harness.join("bob", &["lobby"]);
    harness.send(anna, say(1, "one"));
    harness.disconnect(bob);
    harness.send(anna, direct("bob", 0, 2, "two"));
    harness.manual_log = true;
    harness.send(anna, say(3, "three"));
    harness.manual_log = false;
    harness.restart_at_once();
    assert_eq!((harness.connected_users, harness.deleted_sessions.len()), (0, 0));
    let bob = harness.resume("bob", &["LOBBY"], bobs.token, Some(1));
    let summaries = harness.take_summaries(bob);
    assert_eq!(
        summaries[..4],
        ["welcome bob 3 last 0", "entered Lobby 0 of 1", "2:anna>bob: two (1)", "end 2 2 0"]
    );
    let anna = harness.resume("anna", &["lobby"], annas.token, Some(0));
    assert_eq!(welcome(&harness.clients[&anna].received).token, annas.token);
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 2");
    harness.send(anna, say(2, "two"));
    harness.send(anna, say(3, "three"));
    assert_eq!(harness.take_summaries(anna), ["accepted 2", "3:Lobby anna: three (0)"]);
    let (_, carls) = harness.join("carl", &[]);
    assert_eq!(carls.session, SessionId(3));
}

/// After a restart, a refused message may be sent again. A stored one is a duplicate.
#[test]
fn refused_references_survive_restart() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    harness.send(anna, say(1, ""));
    harness.manual_log = true;
    harness.send(anna, say(2, "lost"));
    harness.send(anna, say(3, "kept"));
    harness.reject_draft();
    harness.run_log();
    harness.manual_log = false;
    harness.restart_at_once();
    let anna = harness.resume("anna", &[], annas.token, Some(1));
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 3");
    for reference in 1..=3 {
        harness.send(anna, say(reference, "again"));
    }
    assert_eq!(
        harness.take_summaries(anna),
        ["2:lobby anna: again (0)", "3:lobby anna: again (0)", "accepted 3"]
    );
    harness.restart_at_once();
    let anna = harness.resume("anna", &[], annas.token, Some(3));
    harness.take_received(anna);
    harness.send(anna, say(1, "again"));
    assert_eq!(harness.take_summaries(anna), ["accepted 1"]);
}

/// A message that was in flight when the connection ended does not count as stored after a restart:
/// it can be sent again.
#[test]
fn in_flight_messages_are_resent_after_restart() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    harness.manual_log = true;
    harness.send(anna, say(1, "x"));
    harness.disconnect(anna);
    harness.manual_log = false;
    harness.restart_at_once();
    let anna = harness.resume("anna", &[], annas.token, Some(0));
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 0");
    harness.send(anna, say(1, "x"));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (0)"]);
}

/// The lifetime of a session that is away continues while the server is down. A session that was
/// connected counts as away since the restart.
#[test]
fn session_lifetime_continues_across_restart() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    let (bob, bobs) = harness.join("bob", &[]);
    harness.disconnect(anna);
    harness.advance(1_000);
    harness.disconnect(bob);
    let (_, carls) = harness.join("carl", &[]);
    harness.restart(HubSettings::default(), A_DAY - 1_000);
    assert_eq!(harness.deleted_sessions, [annas.session]);
    assert_eq!(harness.wake_at, Some(harness.now + Duration::from_millis(1_000)));
    let away = harness.persisted_sessions.last().unwrap();
    assert_eq!((away.session, away.away_since), (carls.session, Some(harness.current_time().time)));
    harness.advance(1_000);
    assert_eq!(harness.deleted_sessions, [annas.session, bobs.session]);
    harness.restart_at_once();
    harness.advance(A_DAY - 2_000);
    let carl = harness.resume("carl", &[], carls.token, None);
    assert_eq!(harness.take_summaries(carl)[0], "welcome carl 1 last 0");
    harness.disconnect(carl);
    harness.advance(A_DAY + 1);
    assert!(harness.is_empty());
}

/// If the wall clock is set back before a restart, a session still expires a day after the restart,
/// not earlier or later.
#[test]
fn session_lifetime_is_bounded_when_clock_goes_back() {
    let mut harness = Harness::new();
    harness.start_time_ms = 9 * A_DAY;
    let (anna, annas) = harness.join("anna", &[]);
    harness.disconnect(anna);
    harness.start_time_ms = A_DAY;
    harness.restart_at_once();
    assert_eq!(harness.wake_at, Some(harness.now + Duration::from_millis(A_DAY)));
    harness.advance(A_DAY - 1_000);
    let anna = harness.resume("anna", &[], annas.token, None);
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 1 last 0");
}

/// After a restart too, a direct message goes to the session that last held the name.
#[test]
fn last_holder_of_name_survives_restart() {
    let mut harness = Harness::new();
    let (first, _) = harness.join("anna", &[]);
    harness.disconnect(first);
    harness.advance(10);
    let (second, seconds) = harness.join("Anna", &[]);
    harness.disconnect(second);
    harness.advance(10);
    harness.restart_at_once();
    let (bob, _) = harness.join("bob", &[]);
    harness.take_received(bob);
    harness.send(bob, direct("anna", 0, 1, "x"));
    assert_eq!(harness.take_summaries(bob), ["1:bob>Anna: x (0)"]);
    let target = &harness.log[0].draft.target;
    assert!(matches!(target, Target::Session(session, _) if *session == seconds.session));
}

/// A restart with a lower session limit evicts the sessions that were away longest.
#[test]
fn lower_session_limit_evicts_longest_away_on_restart() {
    let mut harness = Harness::new();
    let mut sessions = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let (connection, welcome) = harness.join(name, &[]);
        sessions.push(welcome.session);
        if name != "b" {
            harness.disconnect(connection);
        }
        harness.advance(1_000);
    }
    let settings = HubSettings { max_sessions: 2, max_connections: 2, ..HubSettings::default() };
    harness.restart(settings, 1_000);
    assert_eq!(harness.deleted_sessions, [sessions[0], sessions[2]]);
}

/// The spellings of the 1,000 latest room names are restored.
#[test]
fn latest_room_spellings_are_restored() {
    let restored = RestoredState {
        rooms: (0..1_010).map(|it| RoomName::new(&format!("R{it}")).unwrap()).collect(),
        ..RestoredState::empty(LOG)
    };
    let mut harness = Harness::new();
    harness.hub = Hub::new(harness.current_time(), HubSettings::default(), restored);
    let (_, welcome) = harness.join("anna", &["r9", "r10", "r1009"]);
    assert_eq!(welcome.rooms, ["r9", "R10", "R1009"]);
}

/// A restored session is not evicted by new sessions that send nothing.
#[test]
fn restored_session_is_not_evicted_by_new_sessions() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    harness.disconnect(anna);
    harness.restart(
        HubSettings { max_sessions: 2, max_connections: 2, ..HubSettings::default() },
        1_000,
    );
    for _ in 0..3 {
        let (guest, _) = harness.join("guest", &[]);
        harness.disconnect(guest);
    }
    assert_eq!(harness.deleted_sessions.len(), 2);
    assert!(!harness.deleted_sessions.contains(&annas.session));
}
