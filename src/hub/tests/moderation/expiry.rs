//! Bans and mutes end by themselves.

use super::*;
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

/// After a restart a sanction has the time left that the wall clock tells, and at most its length.
#[test]
fn restart_restores_the_time_left() {
    for (step, left) in [(0_i64, 40), (-1_000_000, 60), (1_000_000, 0)] {
        let (mut harness, _, _) = lobby();
        harness.ban("", "carl", 60);
        harness.advance(20_000);
        harness.start_time_ms = harness.start_time_ms.saturating_add_signed(step);
        harness.restart(HubSettings::default(), 0);
        harness.input(Input::Wake);
        let facts = harness.facts.len();
        if left > 0 {
            harness.advance(left * 1_000 - 1);
            assert_eq!(harness.hub.moderation().sanctions().count(), 1, "{step}");
            harness.advance(1);
        }
        assert_eq!(harness.hub.moderation().sanctions().count(), 0, "{step}");
        assert!(harness.facts.len() >= facts);
    }
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
