//! Tests of proofs, invitations, and the question for an invitation.

use super::*;
use crate::model::{ErrorCode, IdentityKey, InvitationCode};
use crate::wire::tcp::{Proof, ProofSignature};

/// Returns a proof that differs from those with other numbers.
fn proof(number: u8) -> Proof {
    Proof { key: IdentityKey([1; 32]), binding: 0, signature: ProofSignature([number; 64]) }
}

/// Code that the server accepts.
const RIGHT: &str = "0000000000000007";

/// Code that the server does not accept.
const WRONG: &str = "0000000000000008";

/// Returns the code of an invitation.
fn invite(code: &str) -> Option<InvitationCode> {
    Some(code.parse().unwrap())
}

/// Returns a server that admits only who has the code [`RIGHT`], or a session.
fn closed_server() -> ModelServer {
    let mut server = ModelServer::new();
    server.invite = Some(RIGHT);
    server
}

/// Every join has the proof of its own connection, also the second one on a connection.
#[test]
fn joins_have_the_proof_of_their_connection() {
    let mut server = ModelServer::new();
    server.password = Some("secret");
    let password = Some(crate::model::Password("secret".to_owned()));
    let mut sim = Simulation::new(Settings { password, ..settings() }, server);
    sim.proof = Some(proof(1));
    sim.run_until_idle();
    sim.break_connection();
    sim.proof = Some(proof(2));
    sim.run_until_idle();
    sim.break_connection();
    sim.proof = None;
    sim.run_until_idle();
    let proofs: Vec<_> = sim.server.credentials.iter().map(|(proof, _)| proof.clone()).collect();
    assert_eq!(proofs, [Some(proof(1)), Some(proof(1)), Some(proof(2)), None]);
}

/// A proof that comes only after the connection is in its join, and in none of the next connection.
#[test]
fn late_proof_is_in_the_join() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.connect();
    sim.link.set_proof(Some(proof(1)));
    sim.run_until_idle();
    sim.break_connection();
    sim.run_until_idle();
    let proofs: Vec<_> = sim.server.credentials.iter().map(|(proof, _)| proof.clone()).collect();
    assert_eq!(proofs, [Some(proof(1)), None]);
}

/// An invitation is sent with each join, for it may permit a claim, until the server refuses it. If
/// the user has been in before, the join is then sent without it, and the link goes on.
#[test]
fn invite_is_sent_until_it_is_refused() {
    let settings = Settings { invite: invite(RIGHT), retry_first_connect: true, ..settings() };
    let mut sim = Simulation::new(settings, closed_server());
    sim.connect();
    while sim.server.credentials.is_empty() {
        assert!(sim.deliver_to_server() || sim.deliver_to_client());
    }
    sim.break_connection();
    sim.run_until_idle();
    sim.server.refuses_invites = true;
    for _ in 0..2 {
        sim.break_connection();
        sim.run_until_idle();
    }
    assert_eq!((&sim.end, sim.link.phase), (&None, Phase::Live));
    let codes: Vec<_> = sim.server.credentials.iter().map(|(_, code)| code.as_deref()).collect();
    assert_eq!(codes, [Some(RIGHT), Some(RIGHT), Some(RIGHT), None, None]);
}

/// A user at the keyboard is asked for an invitation while the connection is closed, and again if it
/// is not valid. One that was given before is sent as well, and another one after the user has come
/// in is not.
#[test]
fn user_is_asked_for_an_invite_until_it_is_valid() {
    let settings = Settings { can_prompt: true, ..settings() };
    let mut sim = Simulation::new(settings, closed_server());
    sim.request(Command::Invite(invite(WRONG)));
    sim.run_until_idle();
    for code in [WRONG, RIGHT] {
        assert!(!sim.connected && sim.end.is_none());
        sim.request(Command::Invite(invite(code)));
        sim.run_until_idle();
    }
    assert_eq!(sim.link.phase, Phase::Live);
    assert_eq!(sim.count_events(|it| matches!(it, Event::InviteWanted { .. })), 2);
    sim.request(Command::Invite(invite(WRONG)));
    sim.break_connection();
    sim.run_until_idle();
    let codes: Vec<_> = sim.server.credentials.iter().map(|(_, code)| code.as_deref()).collect();
    assert_eq!(codes, [Some(WRONG), Some(WRONG), Some(RIGHT), Some(RIGHT)]);
}

/// Whoever is asked for an invitation can give another username as well, or go on without one: the
/// name comes first and does not connect yet. Whoever is asked for a username can give an
/// invitation, in the same order.
#[test]
fn username_and_invite_are_answered_together() {
    let settings =
        Settings { can_prompt: true, can_ask_name: true, invite: invite(WRONG), ..settings() };
    let mut server = closed_server();
    server.taken_name = Some("bob");
    let mut sim = Simulation::new(settings, server);
    sim.run_until_idle();
    sim.request(Command::Name("bob".to_owned()));
    assert!(!sim.connected);
    sim.request(Command::Invite(None));
    sim.run_until_idle();
    assert_eq!(sim.count_events(|it| matches!(it, Event::NameWanted { .. })), 1);
    sim.request(Command::Name("anna".to_owned()));
    sim.request(Command::Invite(invite(RIGHT)));
    sim.run_until_idle();
    assert_eq!(sim.link.phase, Phase::Live);
    let codes: Vec<_> = sim.server.credentials.iter().map(|(_, code)| code.as_deref()).collect();
    assert_eq!(codes, [Some(WRONG), None, Some(RIGHT)]);
}

/// If the user cannot be asked, or has been in before, the link ends with the server's reason.
#[test]
fn missing_invite_ends_a_link_that_cannot_ask() {
    let refused = |sim: &Simulation, expected| matches!(&sim.end, Some(EndReason::Refused { code, .. }) if *code == Some(expected));
    let mut sim = Simulation::new(settings(), closed_server());
    sim.run_until_idle();
    assert!(refused(&sim, ErrorCode::InviteRequired), "{:?}", sim.end);
    let settings = Settings { can_prompt: true, invite: invite(RIGHT), ..settings() };
    let mut sim = Simulation::new(settings, closed_server());
    sim.run_until_idle();
    sim.break_connection();
    sim.server.expire_disconnected_sessions();
    sim.server.invite = Some(WRONG);
    sim.run_until_idle();
    assert!(refused(&sim, ErrorCode::InviteRequired), "{:?}", sim.end);
    assert_eq!(sim.count_events(|it| matches!(it, Event::InviteWanted { .. })), 0);
}
