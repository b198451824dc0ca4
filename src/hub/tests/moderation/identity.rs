//! Claimed names and invitations.

use super::super::proofs::key_pair;
use super::*;
use crate::hub::{CLOCK_TRUST_AFTER, Quota};
use crate::model::{
    Access, Actor, ClaimEnd, ClaimPolicy, HubSettings, Invitation, InvitationCode, InvitationUses,
    ModerationAction, SanctionLength, Token,
};
use crate::wire::tcp::{Claim, Join, claim_action};

/// A day, in milliseconds.
const A_DAY: u64 = 24 * 60 * 60 * 1_000;

/// Returns a server's settings, by who may join and who may claim a name.
pub(super) fn settings(access: Access, claims: ClaimPolicy) -> HubSettings {
    HubSettings { access, claims, is_durable: true, ..HubSettings::default() }
}

/// Returns the code with this number.
pub(super) fn code(number: u8) -> InvitationCode {
    InvitationCode::from_random([number; 10])
}

/// Builds a `claim`.
pub(super) fn claim(reference: u64, action: u8) -> Claim {
    Claim { reference: Reference(reference), action, code_hash: [0; 32] }
}

/// Builds the invitation with this code, for a name or for any name, with this number of uses.
fn invitation(number: u8, name: Option<&str>, uses: u16) -> Invitation {
    Invitation {
        hash: code(number).hash(),
        username: name.map(|it| Username::new(it).unwrap()),
        uses: InvitationUses::new(uses).unwrap(),
        length: SanctionLength::from_seconds(7 * 24 * 60 * 60).unwrap(),
        permits_claim: true,
    }
}

impl Harness {
    /// Makes the invitation with this code, for a name or for any name, with this number of uses.
    pub(super) fn invite(&mut self, number: u8, name: Option<&str>, uses: u16) {
        assert_eq!(self.try_invite(number, name, uses), Ok(1));
    }

    /// Makes an invitation as [`Self::invite`], and returns the answer.
    fn try_invite(&mut self, number: u8, name: Option<&str>, uses: u16) -> Result<u32, ErrorCode> {
        self.owner(ModerationRequest::MakeInvitation(invitation(number, name, uses)))
    }

    /// Joins with the key and the code of these numbers, if they are given. Returns the connection
    /// and the summary of the first answer.
    pub(super) fn come(
        &mut self,
        name: &str,
        key: Option<u8>,
        invitation: Option<u8>,
    ) -> (ConnectionId, String) {
        self.come_with(name, key, invitation, None)
    }

    /// Joins as [`Self::come`], and with a token.
    pub(super) fn come_with(
        &mut self,
        name: &str,
        key: Option<u8>,
        invitation: Option<u8>,
        token: Option<Token>,
    ) -> (ConnectionId, String) {
        let (connection, context) = self.greet_for_proof();
        let proof = key.map(|it| Box::new(key_pair(it).prove(&context)));
        let invite = invitation.map(|it| code(it).to_string());
        self.send(connection, Join { proof, invite, token, ..join(name, &[]) });
        let first = self.take_summaries(connection).into_iter().next().unwrap_or_default();
        (connection, first)
    }

    /// Sends a `claim`, and returns the answer's summary.
    pub(super) fn claim(&mut self, connection: ConnectionId, action: u8) -> String {
        self.ask(connection, claim(7, action)).swap_remove(0)
    }

    /// Joins with a key and claims the name; then leaves.
    pub(super) fn claim_and_go(&mut self, name: &str, key: u8) {
        let (client, _) = self.come(name, Some(key), None);
        assert_eq!(self.claim(client, claim_action::CLAIM), "done 20 1");
        self.disconnect(client);
    }
}

/// A claimed name is for its key, also while nobody is there, after a restart, and in other
/// spellings; and so is what looks like it. When it is given up, everybody may have it.
#[test]
fn claimed_name_is_for_its_key_until_it_is_given_up() {
    let open = settings(Access::Everybody, ClaimPolicy::Open);
    let mut harness = Harness::with(open.clone());
    harness.claim_and_go("Anna", 1);
    for after_restart in [false, true] {
        if after_restart {
            harness.restart(open.clone(), 60_000);
        }
        assert_eq!(harness.come("anna", None, None).1, "name_claimed 2 0");
        assert_eq!(harness.come("ANNA", Some(2), None).1, "name_claimed 2 0");
        // With a Cyrillic letter.
        assert_eq!(harness.come("\u{410}nna", None, None).1, "name_lookalike 2 0");
    }
    let (anna, welcome) = harness.come("anna", Some(1), None);
    assert_eq!(welcome, "welcome anna 4 last 0");
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "done 20 1", "again");
    assert_eq!(harness.facts.len(), 1, "which needs no fact");
    assert_eq!(harness.claim(anna, claim_action::GIVE_UP), "done 20 1");
    assert_eq!(harness.claim(anna, claim_action::GIVE_UP), "done 20 0");
    harness.disconnect(anna);
    assert_eq!(harness.come("anna", None, None).1, "welcome anna 4 last 0");
    harness.check_fold();
}

/// Where everybody may claim a name, an address makes 32 claims at once, given up or not, and one an
/// hour after that. Nobody else notices, and an invitation permits a further one.
#[test]
fn claims_of_an_address_are_bounded_where_everybody_may_claim() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Open));
    harness.invite(200, None, 1);
    harness.invite(201, Some("zoe"), 1);
    for number in 1..=32 {
        harness.claim_and_go(&format!("name{number}"), number);
        // The units of the request, too, are the address's.
        harness.advance(1_000);
    }
    let refuse = |harness: &mut Harness, number| {
        let (client, _) = harness.come(&format!("name{number}"), Some(number), None);
        harness.take_received(client);
        harness.send(client, claim(3, claim_action::CLAIM));
        let error = harness.take_error(client);
        assert!(error.code == 317 && error.text.contains("in an hour"), "{error:?}");
        let reached = harness.reached_quotas.last().unwrap();
        assert_eq!(*reached, ("127.0.0.1".to_owned(), Quota::Claims));
        harness.disconnect(client);
        harness.advance(1_000);
    };
    refuse(&mut harness, 33);
    let (first, _) = harness.come("name1", Some(1), None);
    assert_eq!(harness.claim(first, claim_action::CLAIM), "done 20 1", "it has the claim already");
    assert_eq!(harness.claim(first, claim_action::GIVE_UP), "done 20 1");
    harness.disconnect(first);
    harness.advance(1_000);
    refuse(&mut harness, 1);

    let (elsewhere, context) = harness.greet_for_proof_from("192.0.2.7".parse().unwrap());
    let proof = Some(Box::new(key_pair(100).prove(&context)));
    harness.send(elsewhere, Join { proof, ..join("elsewhere", &[]) });
    harness.take_received(elsewhere);
    assert_eq!(harness.claim(elsewhere, claim_action::CLAIM), "done 20 1");
    harness.disconnect(elsewhere);
    for (name, key, code) in [("invited", 101, 200), ("zoe", 102, 201)] {
        let (invited, _) = harness.come(name, Some(key), Some(code));
        assert_eq!(harness.claim(invited, claim_action::CLAIM), "done 20 1");
        harness.disconnect(invited);
        harness.advance(1_000);
    }

    harness.advance(60 * 60 * 1_000);
    harness.claim_and_go("name33", 33);
    harness.advance(1_000);
    refuse(&mut harness, 34);
    harness.check_fold();
}

/// A key has one claim. Without a key there is none. What is refused is said.
#[test]
fn refused_claim_says_why() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Open));
    harness.claim_and_go("anna", 1);
    let (bob, _) = harness.come("bob", Some(1), None);
    let (carl, _) = harness.come("carl", None, None);
    let text = |harness: &mut Harness, client, action| {
        harness.take_received(client);
        harness.send(client, claim(3, action));
        let error = harness.take_error(client);
        assert_eq!((error.about, error.reference), (20, Reference(3)));
        (error.code, error.text)
    };
    let (code, told) = text(&mut harness, bob, claim_action::CLAIM);
    assert!(code == 317 && told.contains("the name anna already"), "{code} {told}");
    for action in [claim_action::CLAIM, claim_action::GIVE_UP] {
        let (code, told) = text(&mut harness, carl, action);
        assert!(code == 317 && told.contains("proved no key"), "{code} {told}");
    }
    assert_eq!(text(&mut harness, bob, 5).0, 313);
    assert_eq!(harness.ask(bob, claim(0, 1)), ["reference_invalid 20 0"]);
    let off = settings(Access::Everybody, ClaimPolicy::Off);
    harness.input(Input::SettingsChanged(off));
    let (dora, _) = harness.come("dora", Some(4), None);
    assert!(text(&mut harness, dora, claim_action::CLAIM).1.contains("no name can be claimed"));
    assert_eq!(harness.come("anna", None, None).1, "name_claimed 2 0", "it stays");
    assert_eq!(harness.claim(bob, claim_action::GIVE_UP), "done 20 1", "by its key, from anywhere");
    let mut in_memory = Harness::with(HubSettings::default());
    let (anna, _) = in_memory.come("anna", None, None);
    assert!(text(&mut in_memory, anna, claim_action::CLAIM).1.contains("keeps nothing on a disk"));
}

/// By default a claim needs an invitation, which it spends: one for each claim.
#[test]
fn claim_spends_an_invitation() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Invited));
    let (anna, _) = harness.come("anna", Some(1), None);
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "cannot_claim 20 7");
    harness.disconnect(anna);
    harness.invite(9, None, 1);
    let (anna, welcome) = harness.come("anna", Some(1), Some(9));
    assert_eq!(welcome, "welcome anna 4 last 0");
    let (bob, welcome) = harness.come("bob", Some(2), Some(9));
    assert_eq!(welcome, "welcome bob 4 last 0", "it is not spent yet");
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "done 20 1");
    assert_eq!(harness.claim(bob, claim_action::CLAIM), "cannot_claim 20 7", "it is now");
    assert_eq!(harness.come("carl", Some(3), Some(9)).1, "invite_invalid 2 0");
    assert_eq!(harness.claim(anna, claim_action::GIVE_UP), "done 20 1");
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "cannot_claim 20 7", "once only");
    harness.disconnect(anna);
    assert_eq!(harness.come("anna", Some(1), Some(9)).1, "welcome anna 4 last 0", "and harmless");
    harness.check_fold();
}

/// Whoever has an invitation that excludes a claim is told so, also about the name that it keeps.
#[test]
fn invitation_that_excludes_a_claim_is_named_as_the_reason() {
    for access in [Access::Everybody, Access::Invited] {
        let mut harness = Harness::with(settings(access, ClaimPolicy::Invited));
        for (number, name) in [(9, Some("anna")), (8, None)] {
            let invitation = Invitation { permits_claim: false, ..invitation(number, name, 1) };
            assert_eq!(harness.owner(ModerationRequest::MakeInvitation(invitation)), Ok(1));
        }
        for (name, number) in [("anna", 9), ("bob", 8)] {
            let (client, _) = harness.come(name, Some(number), Some(number));
            harness.take_received(client);
            harness.send(client, claim(7, claim_action::CLAIM));
            let error = harness.take_error(client);
            assert_eq!(error.code, 317);
            assert!(error.text.starts_with("Your invitation does not permit a claim"), "{error:?}");
        }
    }
}

/// Where only invited users may come in: an invitation admits, once for each session without a key,
/// and for good a key or whoever has the token.
#[test]
fn only_invited_users_come_in() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    assert_eq!(harness.come("anna", Some(1), None).1, "invite_required 2 0");
    assert_eq!(harness.come("anna", Some(1), Some(9)).1, "invite_invalid 2 0");
    harness.invite(9, None, 2);
    let (anna, welcome) = harness.come("anna", Some(1), Some(9));
    assert_eq!(welcome, "welcome anna 4 last 0");
    harness.disconnect(anna);
    let (bob, _) = harness.greet_for_proof();
    harness.send(bob, Join { invite: Some(code(9).to_string()), ..join("bob", &[]) });
    let token = super::super::frames::welcome(&harness.take_received(bob)).token;
    harness.disconnect(bob);
    assert_eq!(harness.come("carl", None, Some(9)).1, "invite_invalid 2 0", "used up");
    for invitation in [None, Some(9)] {
        let (anna, welcome) = harness.come("anna", Some(1), invitation);
        assert_eq!(welcome, "welcome anna 4 last 0", "by the key");
        harness.disconnect(anna);
        let (bob, welcome) = harness.come_with("bob", None, invitation, Some(token));
        assert_eq!(welcome, "welcome bob 5 last 0", "by the token");
        harness.disconnect(bob);
    }
    assert_eq!(harness.come("bob", None, None).1, "invite_required 2 0", "without either");
    // A claim can follow: the use has not been for one.
    let (anna, _) = harness.come("anna", Some(1), None);
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "done 20 1");
    harness.check_fold();
}

/// Two clients want the last use: it goes to the one that is first in the log. The other may try
/// again with another invitation, and its name is free.
#[test]
fn last_use_goes_to_the_first_in_the_log() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    harness.invite(9, None, 1);
    harness.invite(8, None, 1);
    harness.manual_log = true;
    let (anna, nothing) = harness.come("anna", Some(1), Some(9));
    assert_eq!(nothing, "", "the log decides");
    let (bob, nothing) = harness.come("bob", None, Some(9));
    assert_eq!(nothing, "");
    harness.run_log();
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 4 last 0");
    assert_eq!(harness.take_summaries(bob), ["invite_invalid 2 0"]);
    harness.manual_log = false;
    assert_eq!(harness.come("bob", Some(3), Some(8)).1, "welcome bob 4 last 0");
    harness.check_fold();
}

/// A key that joins twice at the same time, because a connection was given up, spends one use, and
/// both joins are accepted.
#[test]
fn key_that_joins_twice_at_once_spends_one_use() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    harness.invite(9, None, 1);
    harness.manual_log = true;
    let (first, _) = harness.come("anna", Some(1), Some(9));
    let (second, _) = harness.come("anna2", Some(1), Some(9));
    harness.run_log();
    assert_eq!(harness.take_summaries(first)[0], "welcome anna 4 last 0");
    assert_eq!(harness.take_summaries(second)[0], "welcome anna2 4 last 0");
    harness.check_fold();
}

/// If the log cannot store that an invitation is spent, nobody comes in by it; if the connection is
/// lost meanwhile, nothing is left of the session.
#[test]
fn join_whose_invitation_is_not_spent_leaves_nothing() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    harness.invite(9, None, 1);
    harness.manual_log = true;
    let (anna, _) = harness.come("anna", Some(1), Some(9));
    harness.reject_draft();
    let error = harness.take_error(anna);
    assert_eq!((error.code, error.about), (308, 2));
    harness.disconnect(anna);
    let (anna, _) = harness.come("anna", Some(1), Some(9));
    harness.disconnect(anna);
    harness.run_log();
    assert!(harness.hub.sessions.is_empty() && harness.hub.names.is_empty());
    assert!(harness.hub.pending_joins.is_empty() && harness.hub.facts.is_empty());
    // The use was spent by the key, which may come in now.
    harness.manual_log = false;
    assert_eq!(harness.come("anna", Some(1), None).1, "welcome anna 4 last 0");
}

/// An invitation for a name keeps it for whoever brings the code, and admits under this name only.
#[test]
fn invitation_for_a_name_keeps_it() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Invited));
    harness.invite(9, Some("anna"), 1);
    assert_eq!(harness.come("Anna", Some(2), None).1, "name_claimed 2 0");
    let (client, _) = harness.greet_for_proof();
    harness.send(client, Join { invite: Some(code(9).to_string()), ..join("bob", &[]) });
    let error = harness.take_error(client);
    assert!(error.code == 210 && error.text.contains("the name anna"), "{error:?}");
    let (anna, welcome) = harness.come("anna", Some(1), Some(9));
    assert_eq!(welcome, "welcome anna 4 last 0");
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "done 20 1");
    assert_eq!(harness.claim(anna, claim_action::GIVE_UP), "done 20 1");
    harness.disconnect(anna);
    assert_eq!(harness.come("anna", Some(2), None).1, "welcome anna 4 last 0", "it was used");
    // One that ends by its time keeps nothing any more, and admits nobody.
    harness.invite(8, Some("dora"), 1);
    assert_eq!(harness.come("dora", None, None).1, "name_claimed 2 0");
    harness.start_time_ms += 7 * A_DAY;
    let (client, _) = harness.greet_for_proof();
    harness.send(client, Join { invite: Some(code(8).to_string()), ..join("dora", &[]) });
    let error = harness.take_error(client);
    assert!(error.code == 210 && error.text.contains("has ended"), "{error:?}");
    assert_eq!(harness.come("dora", None, None).1, "welcome dora 4 last 0");
}

/// Guesses of codes are limited as those of passwords, and nothing makes them be forgotten early.
#[test]
fn guessed_codes_are_limited() {
    let password = Some("sesame".to_owned());
    let settings = HubSettings { password, ..settings(Access::Everybody, ClaimPolicy::Open) };
    let mut harness = Harness::with(settings);
    let with_password = |join: Join| Join { password: Some("sesame".to_owned()), ..join };
    let mut refused = 0;
    loop {
        let (client, _) = harness.greet_for_proof();
        let invite = Some(format!("0000-0000-0000-{refused:04}"));
        harness.send(client, with_password(Join { invite, ..join("anna", &[]) }));
        let answers = harness.take_summaries(client);
        harness.disconnect(client);
        if answers[0] != "invite_invalid 2 0" {
            assert_eq!(answers[0], "too_many_from_address 2 0");
            break;
        }
        refused += 1;
        let (client, _) = harness.greet_for_proof();
        harness.send(client, with_password(join("bob", &[])));
        harness.take_received(client);
        harness.disconnect(client);
    }
    assert!((30..=40).contains(&refused), "{refused}");
    assert_eq!(harness.reached_quotas.last().unwrap().1, Quota::Passwords);
}

/// Unknown codes of an address keep out neither whoever brings a code that exists, nor whoever knows
/// the password.
#[test]
fn pause_after_unknown_codes_is_for_unknown_codes() {
    let password = Some("sesame".to_owned());
    let settings = HubSettings { password, ..settings(Access::Everybody, ClaimPolicy::Open) };
    let mut harness = Harness::with(settings);
    harness.invite(9, None, 1);
    harness.invite(8, None, 1);
    let mut come = |name: &str, password: &str, invite: Option<String>| {
        let (client, _) = harness.greet_for_proof();
        let password = Some(password.to_owned());
        harness.send(client, Join { password, invite, ..join(name, &[]) });
        let answer = harness.take_summaries(client).remove(0);
        harness.disconnect(client);
        answer
    };
    let unknown = |number: u32| Some(format!("0000-0000-0000-{number:04}"));
    let is_paused = |answer: &str| answer == "too_many_from_address 2 0";
    let guesses =
        (0..40).take_while(|it| !is_paused(&come("anna", "sesame", unknown(*it)))).count();
    assert!((30..40).contains(&guesses), "{guesses}");
    assert!(come("anna", "sesame", Some(code(9).to_string())).starts_with("welcome anna"));
    assert!(come("bob", "sesame", None).starts_with("welcome bob"));
    assert!(is_paused(&come("carl", "sesame", unknown(50))), "a right password changes nothing");
    // A known code is no way round the pause after wrong passwords.
    let known = || Some(code(8).to_string());
    let tries = (0..40).take_while(|_| !is_paused(&come("dora", "wrong", known()))).count();
    assert!((30..40).contains(&tries), "{tries}");
    assert!(is_paused(&come("dora", "sesame", known())));
}

/// The owner revokes invitations and releases names. Who has come in stays.
#[test]
fn owner_revokes_and_releases() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    harness.invite(9, None, 5);
    let (anna, _) = harness.come("anna", Some(1), Some(9));
    assert_eq!(harness.claim(anna, claim_action::CLAIM), "done 20 1");
    let revoke = || ModerationRequest::RevokeInvitation { id: code(9).hash().id() };
    assert_eq!(harness.owner(revoke()), Ok(1));
    assert_eq!(harness.owner(revoke()), Ok(0), "it is gone");
    assert_eq!(harness.come("bob", Some(2), Some(9)).1, "invite_invalid 2 0");
    let release = || ModerationRequest::ReleaseClaim { username: Username::new("ANNA").unwrap() };
    assert_eq!(harness.owner(release()), Ok(1));
    assert_eq!(harness.owner(release()), Ok(0));
    assert!(harness.ask(anna, say(1, "x"))[0].ends_with("anna: x (0)"), "she stays");
    harness.disconnect(anna);
    let (anna, welcome) = harness.come("anna", Some(1), None);
    assert_eq!(welcome, "welcome anna 4 last 0");
    harness.disconnect(anna);
    assert_eq!(harness.come("anna", Some(1), Some(9)).1, "welcome anna 4 last 0", "her own code");
    harness.check_fold();
}

/// A claim that is not used ends after its time, by a fact of the server. One that is used is
/// renewed, by coming in or by being there.
#[test]
fn unused_claim_ends_and_used_one_is_renewed() {
    let settings =
        HubSettings { claims_unused: 30, ..settings(Access::Everybody, ClaimPolicy::Open) };
    let mut harness = Harness::with(settings);
    // A clock that was set: an earlier time would say nothing.
    harness.start_time_ms += 1_700_000_000_000;
    harness.claim_and_go("anna", 1);
    harness.claim_and_go("bob", 2);
    harness.advance(20 * A_DAY);
    assert_eq!(harness.facts.len(), 2);
    let (bob, welcome) = harness.come("bob", Some(2), None);
    assert_eq!(welcome, "welcome bob 4 last 0");
    assert_eq!(harness.facts.len(), 3, "renewed");
    harness.disconnect(bob);
    harness.advance(10 * A_DAY + 2 * 3_600_000);
    let last = harness.facts.last().unwrap().draft.clone();
    assert_eq!(last.actor, Actor::Server);
    let ModerationAction::ClaimEnded { username, why, .. } = last.action else { panic!() };
    assert_eq!((username.as_str(), why), ("anna", ClaimEnd::Unused));
    assert_eq!(harness.come("anna", None, None).1, "welcome anna 4 last 0");
    assert_eq!(harness.come("bob", None, None).1, "name_claimed 2 0");
    harness.check_fold();
}

/// While the wall clock is not trusted, no claim ends. A claim that was dated by a clock that was not
/// set is renewed in place of ending.
#[test]
fn claim_ends_by_a_trusted_clock_only() {
    let settings = settings(Access::Everybody, ClaimPolicy::Open);
    let mut harness = Harness::with(settings.clone());
    harness.start_time_ms += 1_700_000_000_000;
    harness.claim_and_go("anna", 1);
    harness.start_time_ms += 1_000 * A_DAY;
    harness.restart(settings.clone(), 0);
    let trusted = u64::try_from(CLOCK_TRUST_AFTER.as_millis()).unwrap();
    harness.advance(trusted / 2);
    harness.start_time_ms -= 1_000 * A_DAY;
    harness.advance(3 * trusted);
    assert_eq!(harness.facts.len(), 1, "it was set back in time");
    harness.start_time_ms += 1_000 * A_DAY;
    harness.advance(3 * trusted);
    assert_eq!(harness.facts.len(), 2, "it is believed now");
    let mut unset = Harness::with(settings);
    unset.claim_and_go("anna", 1);
    unset.start_time_ms += 1_700_000_000_000;
    unset.advance(3 * trusted);
    assert_eq!(unset.facts.len(), 2);
    assert_eq!(unset.come("anna", None, None).1, "name_claimed 2 0");
}

/// What looks like a name that an invitation keeps is refused, unless the server permits look-alikes;
/// whoever held it before stays, and cannot claim it.
#[test]
fn invitation_for_a_name_keeps_lookalikes_away() {
    const LOOKALIKE: &str = "c\u{430}rl";
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Open));
    let (before, _) = harness.come(LOOKALIKE, Some(3), None);
    harness.invite(9, Some("carl"), 1);
    assert_eq!(harness.claim(before, claim_action::CLAIM), "cannot_claim 20 7");
    harness.disconnect(before);
    assert_eq!(harness.come(LOOKALIKE, Some(2), None).1, "name_lookalike 2 0");
    let (carl, welcome) = harness.come("carl", Some(1), Some(9));
    assert_eq!(welcome, "welcome carl 4 last 0");
    assert_eq!(harness.claim(carl, claim_action::CLAIM), "done 20 1");
    harness.disconnect(carl);
    // Two invitations for names that look alike do not lock each other out.
    harness.invite(7, Some("eva"), 1);
    harness.invite(8, Some("\u{435}va"), 1);
    assert_eq!(harness.come("eva", Some(4), Some(7)).1, "welcome eva 4 last 0");
    let permits =
        HubSettings { refuse_lookalikes: false, ..settings(Access::Everybody, ClaimPolicy::Open) };
    harness.invite(6, Some("otto"), 1);
    harness.input(Input::SettingsChanged(permits));
    assert_eq!(harness.come("\u{43e}tto", None, None).1, "welcome \u{43e}tto 4 last 0");
    harness.check_fold();
}

/// A ban of a user with a key applies to the key: under another name, in a new session and by another
/// invitation too, after a restart, until it is lifted. It sends out all sessions of the key.
#[test]
fn banned_user_does_not_come_back_with_the_key() {
    let invited = settings(Access::Invited, ClaimPolicy::Invited);
    let mut harness = Harness::with(invited.clone());
    harness.invite(9, None, 1);
    harness.invite(8, None, 2);
    let (anna, _) = harness.come("anna", Some(1), Some(9));
    harness.disconnect(anna);
    let (anna, _) = harness.come("annabel", Some(1), None);
    let (second, _) = harness.come("annika", Some(1), None);
    let (bob, _) = harness.come("bob", Some(2), Some(8));
    assert_eq!(harness.ban("", "annabel", 0), 2);
    for client in [anna, second] {
        let summaries = harness.take_summaries(client);
        assert!(summaries.iter().any(|it| it.starts_with("removed")), "{summaries:?}");
    }
    let told = harness.take_summaries(bob);
    assert!(!told.iter().any(|it| it == "closed"), "the key of somebody else: {told:?}");
    for after_restart in [false, true] {
        if after_restart {
            harness.restart(invited.clone(), 60_000);
        }
        for invitation in [None, Some(8)] {
            let (_, answer) = harness.come("zoe", Some(1), invitation);
            assert!(answer.starts_with("banned 2"), "{answer}");
        }
    }
    let username = Username::new("annabel").unwrap();
    let kind = crate::model::SanctionKind::Ban;
    let lift = ModerationRequest::EndSanction { kind, scope: Scope::Server, username };
    assert_eq!(harness.owner(lift), Ok(1));
    assert_eq!(harness.come("zoe", Some(1), None).1, "welcome zoe 4 last 0");
    harness.check_fold();
}

/// A clock that was wrong when a claim was made or used, and is set later, ends no claim that was used
/// since the start. The claim is renewed, by the clock that is trusted by then.
#[test]
fn claim_used_before_the_clock_was_set_stays() {
    let settings =
        HubSettings { claims_unused: 30, ..settings(Access::Everybody, ClaimPolicy::Open) };
    let trusted = u64::try_from(CLOCK_TRUST_AFTER.as_millis()).unwrap();
    let mut harness = Harness::with(settings.clone());
    harness.start_time_ms += 1_700_000_000_000;
    harness.claim_and_go("anna", 1);
    harness.claim_and_go("bob", 2);
    // A server that was switched off for 400 days, and starts with the time at which it was.
    harness.restart(settings.clone(), 0);
    let (anna, welcome) = harness.come("anna", Some(1), None);
    assert_eq!(welcome, "welcome anna 4 last 0");
    harness.disconnect(anna);
    harness.claim_and_go("carl", 3);
    harness.start_time_ms += 400 * A_DAY;
    let (other, _) = harness.come("dora", None, None);
    harness.disconnect(other);
    assert_eq!(harness.facts.len(), 3);
    harness.advance(3 * trusted);
    let claimed = |harness: &Harness| -> Vec<String> {
        harness.hub.moderation().claims().map(|it| it.username.to_string()).collect()
    };
    assert_eq!(claimed(&harness), ["anna", "carl"], "bob was not there");
    assert_eq!(harness.facts.len(), 6, "two are renewed, and one has ended");
    harness.advance(29 * A_DAY);
    assert_eq!(harness.facts.len(), 6, "a use renews once");
    harness.advance(2 * A_DAY);
    assert_eq!(claimed(&harness), [""; 0], "they are unused now");
    harness.check_fold();
}

/// No claim is renewed by a clock that is not trusted: it may be years ahead.
#[test]
fn renewal_is_dated_by_a_trusted_clock() {
    let settings = settings(Access::Everybody, ClaimPolicy::Open);
    let trusted = u64::try_from(CLOCK_TRUST_AFTER.as_millis()).unwrap();
    let mut harness = Harness::with(settings.clone());
    harness.start_time_ms += 1_700_000_000_000;
    harness.claim_and_go("anna", 1);
    harness.start_time_ms += 1_000 * A_DAY;
    harness.restart(settings, 0);
    let (anna, _) = harness.come("anna", Some(1), None);
    harness.disconnect(anna);
    assert_eq!(harness.facts.len(), 1);
    harness.start_time_ms -= 990 * A_DAY;
    harness.advance(3 * trusted);
    assert_eq!(harness.facts.len(), 2, "renewed by the clock as it was set");
    let (first, renewed) = (harness.facts[0].time, harness.facts[1].time);
    assert!(first.until(renewed).as_millis() < u128::from(11 * A_DAY));
}

/// Invitations that were over or used up a month ago are forgotten, and only they.
#[test]
fn invitations_that_are_over_are_forgotten() {
    let mut harness = Harness::with(settings(Access::Invited, ClaimPolicy::Invited));
    harness.invite(9, None, 1);
    harness.invite(8, None, 1);
    let (anna, _) = harness.come("anna", Some(1), Some(8));
    harness.disconnect(anna);
    harness.advance(29 * A_DAY);
    let count = |harness: &Harness| harness.hub.moderation().invitations().len();
    assert_eq!(count(&harness), 2);
    harness.advance(2 * A_DAY);
    assert_eq!(count(&harness), 1, "one was used up");
    harness.advance(7 * A_DAY);
    assert_eq!(count(&harness), 0);
    assert_eq!(harness.come("anna", Some(1), None).1, "welcome anna 4 last 0", "by the key");
}

/// Joins without a key and returns the token.
fn join_without_key(harness: &mut Harness, name: &str, invitation: u8) -> Token {
    let (client, _) = harness.greet_for_proof();
    harness.send(client, Join { invite: Some(code(invitation).to_string()), ..join(name, &[]) });
    let token = welcome(&harness.take_received(client)).token;
    harness.disconnect(client);
    token
}

/// What a session has used without a key counts as used by its later `join`s with a key: the code
/// may come again, and permits the claim without a second use, after a restart too.
#[test]
fn code_used_without_a_key_goes_on_with_one() {
    let invited = settings(Access::Invited, ClaimPolicy::Invited);
    let mut harness = Harness::with(invited.clone());
    harness.invite(9, None, 1);
    harness.invite(8, None, 2);
    let lea = join_without_key(&mut harness, "lea", 9);
    let leo = join_without_key(&mut harness, "leo", 8);
    for _ in 0..2 {
        let (client, welcome) = harness.come_with("lea", Some(1), Some(9), Some(lea));
        assert_eq!(welcome, "welcome lea 5 last 0", "to be bound, and bound");
        harness.disconnect(client);
    }
    assert_eq!(harness.come("lea", Some(1), None).1, "invite_required 2 0", "without the token");
    harness.restart(invited, 60_000);
    let (client, _) = harness.come_with("lea", Some(1), None, Some(lea));
    assert_eq!(harness.claim(client, claim_action::CLAIM), "done 20 1");
    let (client, welcome) = harness.come_with("leo", Some(2), Some(8), Some(leo));
    assert_eq!(welcome, "welcome leo 5 last 0");
    assert_eq!(harness.claim(client, claim_action::CLAIM), "done 20 1");
    assert_eq!(harness.hub.moderation().uses_left(code(8).hash()), 1, "no second use");
    assert_eq!(harness.claim(client, claim_action::GIVE_UP), "done 20 1");
    assert_eq!(harness.claim(client, claim_action::CLAIM), "cannot_claim 20 7", "once only");
    harness.check_fold();
}

/// A name has one invitation at a time, and none while it is claimed. The owner reads what to do.
#[test]
fn second_invitation_for_a_name_is_refused() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Open));
    harness.claim_and_go("sara", 3);
    harness.invite(9, Some("paul"), 1);
    assert_eq!(harness.try_invite(8, Some("PAUL"), 1), Err(ErrorCode::CannotClaim));
    let told = harness.owner_text.clone();
    let expected = format!("revoke {}", code(9).hash().id());
    assert!(told.contains(&expected) && told.contains("the name paul already"), "{told}");
    assert_eq!(harness.try_invite(8, Some("Sara"), 1), Err(ErrorCode::CannotClaim));
    let told = harness.owner_text.clone();
    assert!(told.contains("claims release sara"), "{told}");
    assert_eq!(
        harness.come("paul", Some(1), Some(9)).1,
        "welcome paul 4 last 0",
        "the first holds"
    );
    harness.start_time_ms += 7 * A_DAY;
    harness.invite(8, Some("paul"), 1);
    harness.check_fold();
}

/// Whoever holds a name when an invitation for it is made, or a claim of one that looks like it,
/// keeps it also while it waits for the session. Others do not get it, and are told why.
#[test]
fn waiting_name_is_kept_from_invitations_and_lookalikes() {
    let mut harness = Harness::with(settings(Access::Everybody, ClaimPolicy::Open));
    for is_lookalike in [false, true] {
        let name = if is_lookalike { "dora" } else { "lena" };
        let client = harness.connect_and_greet(feature::RESUME);
        harness.send(client, join(name, &[]));
        let token = welcome(&harness.take_received(client)).token;
        if is_lookalike {
            // With a Cyrillic letter. It was claimed where look-alikes are allowed.
            harness.input(Input::SettingsChanged(HubSettings {
                refuse_lookalikes: false,
                ..settings(Access::Everybody, ClaimPolicy::Open)
            }));
            harness.claim_and_go("dor\u{430}", 5);
            harness.input(Input::SettingsChanged(settings(Access::Everybody, ClaimPolicy::Open)));
        } else {
            harness.invite(9, Some(name), 1);
        }
        harness.disconnect(client);
        let (client, _) = harness.greet_for_proof();
        harness.send(client, join(name, &[]));
        let error = harness.take_error(client);
        match is_lookalike {
            false => assert!(error.code == 207 && error.text.contains("was invited"), "{error:?}"),
            true => assert_eq!(error.code, 202),
        }
        let (client, welcome) = harness.come_with(name, None, None, Some(token));
        assert_eq!(welcome, format!("welcome {name} 5 last 0"));
        harness.disconnect(client);
        let (_, refused) = harness.come_with(name, None, None, Some(token));
        let expected = if is_lookalike { "name_lookalike 2 0" } else { "name_claimed 2 0" };
        assert_eq!(refused, expected, "they have left");
    }
}
