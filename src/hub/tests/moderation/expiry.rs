//! Bans and mutes end by themselves.

use super::*;
use crate::hub::CLOCK_TRUST_AFTER;
use crate::model::HubSettings;

/// A mute ends when its time is over: a fact of the server, and the user is told. A clock that is
/// set meanwhile moves nothing.
#[test]
fn sanction_ends_by_a_fact_of_the_server() {
    for step in [0, 1_000_000] {
        let (mut harness, moderator, bob) = lobby();
        harness
            .send(moderator, Moderate { seconds: 30, ..moderate(1, action::MUTE, "lobby", "bob") });
        harness.take_received(bob);
        harness.start_time_ms += step;
        harness.advance(29_000);
        assert_eq!(
            harness.take_summaries(bob).iter().filter(|it| it.contains("sanctioned")).count(),
            0
        );
        harness.advance(1_000);
        let summaries = harness.take_summaries(bob);
        assert!(
            summaries.contains(&"sanctioned 5 \"lobby\" by \"\" \"\"".to_owned()),
            "{summaries:?}"
        );
        assert_eq!(harness.facts.last().unwrap().draft.actor, crate::model::Actor::Server);
        assert!(harness.ask(bob, say(1, "x"))[0].ends_with("bob: x (0)"));
        harness.check_fold();
    }
}

/// A sanction that is replaced ends when the later one does, and one that is lifted not again.
#[test]
fn replaced_and_lifted_sanctions_have_one_end() {
    let (mut harness, _, _) = lobby();
    harness.ban("", "carl", 60);
    harness.advance(30_000);
    harness.ban("", "carl", 60);
    harness.ban("", "dora", 60);
    let username = Username::new("dora").unwrap();
    let kind = crate::model::SanctionKind::Ban;
    let lift = ModerationRequest::EndSanction { kind, scope: Scope::Server, username };
    assert_eq!(harness.owner(lift), Ok(1));
    let facts = harness.facts.len();
    harness.advance(59_000);
    assert_eq!((harness.facts.len(), harness.hub.moderation().sanctions().count()), (facts, 1));
    harness.advance(1_000);
    assert_eq!((harness.facts.len(), harness.hub.moderation().sanctions().count()), (facts + 1, 0));
    harness.advance(200_000);
    assert_eq!(harness.facts.len(), facts + 1);
}

/// Seconds for which the wall clock must run without a step until it is trusted.
const TRUST_AFTER: u64 = CLOCK_TRUST_AFTER.as_secs();

/// Returns a harness in which carl was banned for this number of seconds, 20 seconds ago, before a
/// restart. At the restart the wall clock makes a step of `step` milliseconds.
fn restarted(seconds: u32, step: i64) -> Harness {
    let (mut harness, _, _) = lobby();
    harness.ban("", "carl", seconds);
    harness.advance(20_000);
    harness.start_time_ms = harness.start_time_ms.saturating_add_signed(step);
    harness.restart(HubSettings::default(), 0);
    harness.input(Input::Wake);
    harness
}

/// Asserts that the only sanction ends in exactly this number of seconds.
fn check_end(harness: &mut Harness, seconds: u64) {
    let facts = harness.facts.len();
    harness.advance(seconds * 1_000 - 1);
    assert_eq!(harness.hub.moderation().sanctions().count(), 1);
    harness.advance(1);
    assert_eq!(harness.hub.moderation().sanctions().count(), 0);
    assert_eq!(harness.facts.len(), facts + 1, "by a fact");
    harness.check_fold();
}

/// After a restart a sanction has the time left that the wall clock tells, as soon as the clock is
/// trusted: at most its length since the start. Before, it ends only when its whole length has
/// passed again.
#[test]
fn restart_restores_the_time_left() {
    let hours = 1_000;
    let year = 365 * 24 * 60 * 60 * 1_000;
    let length = u64::from(hours) * 3_600;
    for (step, left) in [(0, length - 20), (-year, length), (year, TRUST_AFTER)] {
        check_end(&mut restarted(hours * 3_600, step), left);
    }
    for step in [0, -year, year] {
        check_end(&mut restarted(60, step), 60);
    }
}

/// A clock that is ahead at a start and is then set right ends nothing: not at the start, and not
/// because it was right for less than an hour.
#[test]
fn clock_that_is_ahead_at_a_start_ends_nothing() {
    let year = 365 * 24 * 60 * 60 * 1_000;
    let mut harness = restarted(10 * 3_600, year);
    harness.advance((TRUST_AFTER - 1) * 1_000);
    harness.start_time_ms -= year.cast_unsigned();
    harness.input(Input::Wake);
    check_end(&mut harness, 10 * 3_600 - 20 - (TRUST_AFTER - 1));
}

/// Who is refused after a restart is told what the clock says, but not less than the time until it
/// is trusted.
#[test]
fn refused_user_is_told_the_time_left_after_a_restart() {
    let year = 365 * 24 * 60 * 60 * 1_000;
    for (step, left) in [(0, 10 * 3_600 - 20), (year, TRUST_AFTER)] {
        let mut harness = restarted(10 * 3_600, step);
        let carl = harness.connect_and_greet(0);
        harness.send(carl, join("carl", &[]));
        assert_eq!(u64::from(harness.take_error(carl).retry_after), left * 1_000);
    }
}

/// A sanction that replaces one from before the restart has its own end.
#[test]
fn new_sanction_after_a_restart_ends_by_itself() {
    let mut harness = restarted(2 * 3_600, 0);
    harness.ban("", "carl", 10 * 3_600);
    check_end(&mut harness, 10 * 3_600);
}

/// If the end of a sanction cannot be stored, it is proposed again.
#[test]
fn end_that_is_not_stored_is_proposed_again() {
    let (mut harness, _, _) = lobby();
    harness.ban("", "carl", 60);
    harness.manual_log = true;
    harness.advance(60_000);
    assert_eq!(harness.pending_drafts.len(), 1);
    harness.reject_draft();
    harness.advance(59_000);
    assert_eq!(harness.pending_drafts.len(), 0);
    harness.advance(1_000);
    harness.run_log();
    assert_eq!(harness.hub.moderation().sanctions().count(), 0);
}
