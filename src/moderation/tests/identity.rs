//! Claims and invitations: verdicts, and who may have which name.

use super::*;
use crate::moderation::register::{COMMAND_LINE_RESERVE, MAX_CLAIMS};

/// Returns the draft of an action that a session performs itself.
fn by(session: u64, action: ModerationAction) -> FactDraft {
    draft(Actor::Session(user(session, "somebody")), action)
}

/// A claimed name belongs to its key until the claim ends, and a key has one name.
#[test]
fn name_belongs_to_one_key_and_key_has_one_name() {
    let mut log = FactLog::default();
    assert_eq!(log.commit(by(1, claim(user(1, "Anna"), key(1), None))), Ok(()));
    let first = log.facts.last().unwrap().clone();
    assert_eq!(
        log.commit(by(2, claim(user(2, "anna"), key(2), None))),
        Err(FactError::Claimed),
        "another key"
    );
    assert_eq!(
        log.commit(by(1, claim(user(1, "bob"), key(1), None))),
        Err(FactError::Claimed),
        "a second name"
    );
    assert_eq!(
        log.commit(by(2, claim(user(1, "bob"), key(2), None))),
        Err(FactError::NotPermitted),
        "for another session"
    );
    assert_eq!(
        log.commit(by(3, claim(user(3, "ANNA"), key(1), None))),
        Err(FactError::Claimed),
        "under another number"
    );
    // Claiming it again leaves it to this key alone.
    assert_eq!(log.commit(by(1, claim(user(1, "ANNA"), key(1), None))), Ok(()));
    let held = log.state.claim(name("anna").key()).unwrap();
    assert_eq!((held.key, held.fact.sequence.0), (key(1), 6));
    let end = |fact: &Fact, why| claim_end(fact, why);
    let renewed = log.facts.last().unwrap().clone();
    assert_eq!(
        log.commit(by(1, end(&first, ClaimEnd::GivenBack))),
        Err(FactError::NotInForce),
        "an end of the earlier fact"
    );
    let mut others = end(&renewed, ClaimEnd::GivenBack);
    if let ModerationAction::ClaimEnded { key: it, .. } = &mut others {
        *it = key(2);
    }
    assert_eq!(log.commit(by(2, others)), Err(FactError::NotPermitted), "with another key");
    assert_eq!(
        log.commit(by(1, end(&renewed, ClaimEnd::Released))),
        Err(FactError::NotPermitted),
        "as the owner does"
    );
    assert_eq!(log.commit(by(1, end(&renewed, ClaimEnd::GivenBack))), Ok(()));
    assert_eq!(log.state.claims().count(), 0);
    assert_eq!(log.commit(by(2, claim(user(2, "anna"), key(2), None))), Ok(()));
}

/// The server renews claims and ends them as unused; it makes none. The owner releases names.
#[test]
fn server_renews_and_ends_claims() {
    let mut log = FactLog::default();
    let renewal = |key| draft(Actor::Server, claim(user(1, "anna"), key, None));
    assert_eq!(log.commit(renewal(key(1))), Err(FactError::NotPermitted));
    log.commit(by(1, claim(user(1, "anna"), key(1), None))).unwrap();
    assert_eq!(log.commit(renewal(key(2))), Err(FactError::NotPermitted));
    assert_eq!(log.commit(renewal(key(1))), Ok(()));
    let end = |why| claim_end(log.facts.last().unwrap(), why);
    let (given_back, unused) = (end(ClaimEnd::GivenBack), end(ClaimEnd::Unused));
    assert_eq!(log.commit(draft(Actor::Server, given_back)), Err(FactError::NotPermitted));
    assert_eq!(log.commit(draft(Actor::Server, unused)), Ok(()));
    log.commit(by(1, claim(user(1, "anna"), key(1), None))).unwrap();
    let released = claim_end(log.facts.last().unwrap(), ClaimEnd::Released);
    assert_eq!(log.commit(command(released)), Ok(()));
    assert_eq!(log.state.claims().count(), 0);
}

/// Names and look-alikes of a claimed name are for its key only.
#[test]
fn claimed_name_and_its_lookalikes_are_for_its_key() {
    let mut log = FactLog::default();
    let conflict = |log: &FactLog, text: &str, key: Option<u8>, refuses| {
        let key = key.map(super::key);
        log.state.claim_conflict(&name(text), key.as_ref(), refuses)
    };
    assert_eq!(conflict(&log, "anna", None, true), None);
    log.commit(by(1, claim(user(1, "anna"), key(1), None))).unwrap();
    let (taken, alike) = (Some(ClaimConflict::Name), Some(ClaimConflict::Lookalike));
    assert_eq!(conflict(&log, "Anna", None, true), taken);
    assert_eq!(conflict(&log, "anna", Some(2), false), taken);
    assert_eq!(conflict(&log, "anna", Some(1), true), None);
    // With a Cyrillic letter.
    assert_eq!(conflict(&log, "\u{430}nna", None, true), alike);
    assert_eq!(conflict(&log, "\u{430}nna", Some(2), true), alike);
    assert_eq!(conflict(&log, "\u{430}nna", Some(1), true), None);
    assert_eq!(conflict(&log, "\u{430}nna", None, false), None);
    assert_eq!(conflict(&log, "bob", None, true), None);
    // Where both are claimed, each key has its own.
    log.commit(by(2, claim(user(2, "\u{430}nna"), key(2), None))).unwrap();
    assert_eq!(conflict(&log, "anna", Some(1), true), None);
    assert_eq!(conflict(&log, "\u{430}nna", Some(2), true), None);
    assert_eq!(conflict(&log, "anna", Some(2), true), taken);
}

/// A session that has come in without a key claims by that use once it has a key, and spends no
/// second one.
#[test]
fn session_that_gets_a_key_claims_by_its_own_use() {
    let mut log = FactLog::default();
    let used = |session, is_for_claim| {
        by(session, invitation_use(7, user(session, "anna"), None, is_for_claim))
    };
    log.commit(command(invitation(7, None, 2))).unwrap();
    assert_eq!(log.commit(used(3, true)), Err(FactError::NotInvited), "no key to claim");
    log.commit(used(3, false)).unwrap();
    assert_eq!(log.state.used_by_session(SessionId(3)).collect::<Vec<_>>(), [hash(7)]);
    let claimed = |session| by(session, claim(user(session, "anna"), key(1), Some(7)));
    assert_eq!(log.commit(claimed(3)), Err(FactError::NotInvited), "not for a claim yet");
    assert_eq!(log.commit(used(3, true)), Ok(()));
    assert_eq!(log.commit(used(3, true)), Err(FactError::NotInvited), "once only");
    assert_eq!(log.state.uses_left(hash(7)), 1);
    assert_eq!(log.commit(claimed(4)), Err(FactError::NotInvited), "another session");
    assert_eq!(log.commit(claimed(3)), Ok(()));
}

/// A name has one invitation at a time, and none while it is claimed.
#[test]
fn name_is_kept_by_one_invitation() {
    let mut log = FactLog::default();
    let made = |log: &mut FactLog, number, name| log.commit(command(invitation(number, name, 1)));
    log.commit(command(invitation(1, Some("anna"), 1))).unwrap();
    assert_eq!(made(&mut log, 2, Some("ANNA")), Err(FactError::Reserved));
    assert_eq!(made(&mut log, 2, Some("bob")), Ok(()));
    assert_eq!(made(&mut log, 3, None), Ok(()));
    let use_ = by(1, invitation_use(1, user(1, "anna"), Some(key(1)), false));
    log.commit(use_).unwrap();
    assert_eq!(made(&mut log, 4, Some("anna")), Err(FactError::Reserved), "for the claim");
    log.commit(command(ModerationAction::InvitationRevoked { invitation: hash(1) })).unwrap();
    assert_eq!(made(&mut log, 4, Some("anna")), Ok(()), "it was revoked");
    log.commit(by(2, claim(user(2, "carla"), key(2), None))).unwrap();
    assert_eq!(made(&mut log, 5, Some("carla")), Err(FactError::Claimed));
    // An invitation that is over keeps nothing.
    let mut for_a_minute = invitation(6, Some("dora"), 1);
    if let ModerationAction::InvitationMade(it) = &mut for_a_minute {
        it.length = SanctionLength::from_seconds(60).unwrap();
    }
    log.commit(command(for_a_minute)).unwrap();
    let end = Timestamp(log.facts.last().unwrap().time.0 + 60_000);
    let again = command(invitation(7, Some("dora"), 1));
    assert_eq!(log.state.judge(&again, Timestamp(end.0 - 1)), Err(FactError::Reserved));
    assert_eq!(log.state.judge(&again, end), Ok(()));
}

/// The last use goes to the first in the log. Who has used an invitation uses it again at no cost.
#[test]
fn last_use_goes_to_the_first_in_the_log() {
    let mut log = FactLog::default();
    let anna = |session| user(session, "anna");
    let used = |number, session, with: Option<u8>, is_for_claim| {
        by(session, invitation_use(number, anna(session), with.map(key), is_for_claim))
    };
    assert_eq!(log.commit(by(1, invitation(7, None, 2))), Err(FactError::NotPermitted));
    log.commit(command(invitation(7, None, 2))).unwrap();
    assert_eq!(log.commit(used(8, 1, Some(1), false)), Err(FactError::NotInvited), "unknown");
    assert_eq!(log.commit(used(7, 1, Some(1), false)), Ok(()));
    assert_eq!(log.state.uses_left(hash(7)), 1);
    assert_eq!(log.commit(used(7, 2, Some(1), false)), Err(FactError::NotInvited), "used before");
    assert_eq!(log.commit(used(7, 3, None, false)), Ok(()), "a session without a key");
    assert_eq!(log.state.uses_left(hash(7)), 0);
    assert_eq!(log.commit(used(7, 4, Some(4), false)), Err(FactError::NotInvited), "used up");
    assert_eq!(log.commit(used(7, 5, None, false)), Err(FactError::NotInvited), "used up");
    // A claim by an invitation needs its use for a claim, which this key still has.
    let claimed = by(2, claim(anna(2), key(1), Some(7)));
    assert_eq!(log.commit(claimed.clone()), Err(FactError::NotInvited));
    assert_eq!(log.commit(used(7, 2, Some(1), true)), Ok(()));
    assert_eq!(log.commit(used(7, 2, Some(1), true)), Err(FactError::NotInvited), "once only");
    assert_eq!(log.commit(claimed), Ok(()));
    assert_eq!(
        log.commit(by(4, claim(user(4, "carla"), key(4), Some(7)))),
        Err(FactError::NotInvited)
    );
    assert!(log.state.is_admitted(&key(1)) && !log.state.is_admitted(&key(4)));
    // The uses outlive the invitation.
    let revoked = || ModerationAction::InvitationRevoked { invitation: hash(7) };
    assert_eq!(log.commit(by(1, revoked())), Err(FactError::NotPermitted));
    assert_eq!(log.commit(command(revoked())), Ok(()));
    assert_eq!(log.commit(command(revoked())), Err(FactError::NotInForce));
    assert!(log.state.invitation(hash(7)).is_none() && log.state.is_admitted(&key(1)));
    assert_eq!(log.commit(used(7, 6, Some(6), false)), Err(FactError::NotInvited), "revoked");
}

/// An invitation for a name is used under this name only, and reserves it until it is claimed.
#[test]
fn invitation_for_a_name_reserves_it() {
    let mut log = FactLog::default();
    let is_reserved =
        |log: &FactLog| log.state.reservations(name("BOB").key(), log.next_time()).next().is_some();
    assert!(!is_reserved(&log));
    log.commit(command(invitation(7, Some("bob"), 1))).unwrap();
    assert!(is_reserved(&log));
    let used = |username, is_for_claim| {
        by(1, invitation_use(7, user(1, username), Some(key(1)), is_for_claim))
    };
    assert_eq!(log.commit(used("anna", false)), Err(FactError::NotInvited));
    log.commit(used("Bob", false)).unwrap();
    assert!(is_reserved(&log), "it may be claimed still");
    log.commit(used("bob", true)).unwrap();
    assert!(!is_reserved(&log));
    // Used by a session without a key, it reserves nothing.
    log.commit(command(invitation(8, Some("bob"), 1))).unwrap();
    log.commit(by(2, invitation_use(8, user(2, "bob"), None, false))).unwrap();
    assert!(!is_reserved(&log));
    // Revoked neither.
    log.commit(command(invitation(9, Some("bob"), 1))).unwrap();
    assert!(is_reserved(&log));
    let revoked = ModerationAction::InvitationRevoked { invitation: hash(9) };
    log.commit(command(revoked)).unwrap();
    assert!(!is_reserved(&log));
}

/// A claim that would be refused spends no invitation: neither if no place for a claim is left, nor if
/// the name or the key has another claim.
#[test]
fn refused_claim_spends_no_invitation() {
    let mut log = FactLog::default();
    let used = |username: &str| by(1, invitation_use(7, user(1, username), Some(key(1)), true));
    log.commit(command(invitation(7, None, 1))).unwrap();
    log.commit(by(2, claim(user(2, "bob"), key(2), None))).unwrap();
    assert_eq!(log.commit(used("bob")), Err(FactError::Claimed), "of another key");
    let places = MAX_CLAIMS - COMMAND_LINE_RESERVE;
    for number in 1..places as u64 {
        let mut key = [9; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        let action = claim(user(3, &format!("name{number}")), IdentityKey(key), None);
        log.append(by(3, action), true);
    }
    assert_eq!(log.commit(used("anna")), Err(FactError::Full));
    assert_eq!(log.commit(by(1, claim(user(1, "anna"), key(1), Some(7)))), Err(FactError::Full));
    assert_eq!(log.state.uses_left(hash(7)), 1);
    let bobs = log.facts.iter().find(|it| it.draft == by(2, claim(user(2, "bob"), key(2), None)));
    let end = claim_end(bobs.unwrap(), ClaimEnd::Released);
    log.commit(command(end)).unwrap();
    assert_eq!(log.commit(used("anna")), Ok(()), "a place is left again");
    assert_eq!(log.commit(by(1, claim(user(1, "anna"), key(1), Some(7)))), Ok(()));
    log.commit(command(invitation(8, None, 1))).unwrap();
    let second = invitation_use(8, user(1, "carl"), Some(key(1)), true);
    assert_eq!(log.commit(by(1, second)), Err(FactError::Claimed), "this key has a claim");
    assert_eq!(log.state.uses_left(hash(8)), 1);
}
