//! Tests of claims.

use super::*;
use crate::model::{ClaimAction, ErrorCode, Reference};
use crate::wire::tcp::{Claim, Done, claim_action};

/// Requests a change of the claim, with tag `7`, and delivers its frame to the server.
fn request_claim(sim: &mut Simulation, action: ClaimAction) {
    let command = Command::Chat(ChatCommand::Claim(action));
    sim.input(Input::Request(Request { tag: RequestTag(Some("7".into())), command }));
    while sim.deliver_to_server() {}
}

/// Creates a simulation whose link is live, with a server that grants identity. The events so far
/// are discarded.
fn live() -> Simulation {
    let mut server = ModelServer::new();
    server.features = feature::IDENTITY;
    let mut sim = Simulation::new(settings(), server);
    sim.run_until_idle();
    sim.events.clear();
    sim
}

/// A claim drops the invitation: the next join is without it.
#[test]
fn claim_needs_no_invitation_afterwards() {
    let mut server = ModelServer::new();
    server.features = feature::IDENTITY;
    let invite = Some("0000000000000007".parse().unwrap());
    let mut sim = Simulation::new(Settings { invite, ..settings() }, server);
    sim.run_until_idle();
    request_claim(&mut sim, ClaimAction::Claim);
    let done = Done { about: 20, reference: Reference(1), affected: 1, page: String::new() };
    sim.input(Input::Received(Decoded::Frame(done.into())));
    sim.break_connection();
    sim.run_until_idle();
    let codes: Vec<_> = sim.server.credentials.iter().map(|(_, code)| code.is_some()).collect();
    assert_eq!(codes, [true, false]);
}

/// A claim and its end are sent, and `done` answers each with a text that names the username.
#[test]
fn claim_is_sent_and_done_answers_it() {
    for (action, number) in [
        (ClaimAction::Claim, claim_action::CLAIM),
        (ClaimAction::GiveUp, claim_action::GIVE_UP),
        (ClaimAction::UnlinkOthers, claim_action::UNLINK_OTHERS),
    ] {
        let mut sim = live();
        request_claim(&mut sim, action);
        let reference = Reference(1);
        let sent = Claim { reference, action: number, code_hash: [0; 32] };
        assert_eq!(sim.server.received_moderation, [sent.into()]);
        let done = Done { about: 20, reference, affected: 1, page: String::new() };
        for _ in 0..2 {
            sim.input(Input::Received(Decoded::Frame(done.clone().into())));
        }
        let [Event::Done { tag, text }] = &sim.events[..] else { panic!("{:?}", sim.events) };
        assert_eq!(tag.0.as_deref(), Some("7"));
        assert_eq!(text.to_string().contains("anna"), action != ClaimAction::GiveUp, "{text}");
    }
}

/// A link code is sent as its hash, and reported with the name when the server has taken it. It does
/// not end the invitation that the link has.
#[test]
fn link_code_is_sent_as_hash_and_reported() {
    let mut sim = live();
    let code: crate::model::InvitationCode = "0123456789ABCDEF".parse().unwrap();
    request_claim(&mut sim, ClaimAction::Link(code));
    let reference = Reference(1);
    let sent = Claim { reference, action: claim_action::LINK, code_hash: code.hash().0 };
    assert_eq!(sim.server.received_moderation, [sent.into()]);
    assert_eq!(sim.count_events(|it| matches!(it, Event::LinkCode(_))), 0);
    sim.input(Input::Received(Decoded::Frame(
        Done { about: 20, reference, affected: 1, page: String::new() }.into(),
    )));
    let [Event::LinkCode(made)] = &sim.events[..] else { panic!("{:?}", sim.events) };
    assert_eq!((made.code, made.name.as_str(), made.link.as_ref()), (code, "anna", None));
    assert_eq!(made.page_link, None);
    assert_eq!(made.tag.0.as_deref(), Some("7"));
}

/// Whoever keeps the code to themselves sends its hash, and `done` is the answer.
#[test]
fn link_code_of_somebody_elses_is_sent_as_hash() {
    let mut sim = live();
    let code: crate::model::InvitationCode = "0123456789ABCDEF".parse().unwrap();
    request_claim(&mut sim, ClaimAction::LinkHash(code.hash()));
    let reference = Reference(1);
    let sent = Claim { reference, action: claim_action::LINK, code_hash: code.hash().0 };
    assert_eq!(sim.server.received_moderation, [sent.into()]);
    sim.input(Input::Received(Decoded::Frame(
        Done { about: 20, reference, affected: 1, page: String::new() }.into(),
    )));
    let [Event::Done { tag, .. }] = &sim.events[..] else { panic!("{:?}", sim.events) };
    assert_eq!(tag.0.as_deref(), Some("7"));
}

/// A claim is refused by the server, by the link if the server takes no proofs, and after the loss
/// of the connection, for it was perhaps carried out.
#[test]
fn claim_is_refused_by_server_and_link() {
    let mut sim = live();
    request_claim(&mut sim, ClaimAction::Claim);
    let error = Error {
        text: "taken".to_owned(),
        ..Error::about(ErrorCode::CannotClaim, 20, Reference(1))
    };
    sim.input(Input::Received(Decoded::Frame(error.into())));
    request_claim(&mut sim, ClaimAction::Claim);
    sim.break_connection();
    sim.server.features = 0;
    sim.run_until_idle();
    request_claim(&mut sim, ClaimAction::Claim);
    let refusals: Vec<_> = sim
        .events
        .iter()
        .filter_map(|it| match it {
            Event::Refused(it) => Some((it.code, it.text.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(refusals[0], (317, "taken".to_owned()));
    assert!(
        refusals[1].0 == 0 && refusals[1].1.contains("may have been done or not"),
        "{refusals:?}"
    );
    assert!(refusals[2].0 == 0 && refusals[2].1.contains("cannot be claimed"), "{refusals:?}");
    assert_eq!((refusals.len(), sim.server.received_moderation.len()), (3, 2));
}

/// Where the server has a page, the code comes with the link to it: not where it names no page.
#[test]
fn link_code_has_the_link_to_the_page() {
    let code: crate::model::InvitationCode = "0123456789ABCDEF".parse().unwrap();
    let link = "http://pi.local:2480/#invite=0123-4567-89AB-CDEF";
    for (page, expected) in [("http://pi.local:2480/", Some(link)), ("javascript:alert(1)", None)] {
        let mut sim = live();
        request_claim(&mut sim, ClaimAction::Link(code));
        let (reference, page) = (Reference(1), page.to_owned());
        let done = Done { about: 20, reference, affected: 1, page };
        sim.input(Input::Received(Decoded::Frame(done.into())));
        let [Event::LinkCode(made)] = &sim.events[..] else { panic!("{:?}", sim.events) };
        assert_eq!(made.page_link.as_deref(), expected);
    }
}
