//! Property tests of the fold.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use super::random::{groups, logs, usernames};
use super::*;
use crate::moderation::judge::Rank;
use crate::moderation::register::{
    COMMAND_LINE_RESERVE, MAX_ROLES, MAX_ROOM_SETTINGS, MAX_SANCTIONS, RegisterClass,
};

/// Returns the state that the rows of another one give.
fn reloaded(state: &ModerationState) -> ModerationState {
    let rows = state.encode();
    ModerationState::decode(rows.iter().map(|(key, value)| (&key[..], &value[..]))).unwrap()
}

/// Returns the ban from a scope that applies to a joiner, found without the index.
fn scanned_ban<'a>(
    state: &'a ModerationState,
    room: Option<&NameKey>,
    joiner: &Joiner<'_>,
) -> Option<&'a SharedFact> {
    let rank = joiner.session.map_or(Rank::Guest, |it| state.rank(it, room));
    let applies = |fact: &&SharedFact| {
        let (it, group, key) = match &fact.draft.action {
            ModerationAction::Banned { sanction, group } => (sanction, group, None),
            ModerationAction::BannedWithKey { sanction, group, key } => {
                (sanction, group, Some(*key))
            }
            _ => return false,
        };
        it.scope.room().map(RoomName::key) == room
            && (it.session.is_some() && it.session == joiner.session
                || rank == Rank::Guest
                    && (it.username == *joiner.username
                        || joiner.matches_lookalikes
                            && it.username.key().skeleton() == joiner.username.key().skeleton()
                        || *group == Some(joiner.group)
                        || key.is_some() && key == joiner.key))
    };
    state
        .sanctions()
        .filter(applies)
        .max_by_key(|it| (it.sanction_end().map_or(u64::MAX, |end| end.0), it.sequence))
}

proptest! {
    /// (a) The same drafts give the same facts, and the same facts the same bytes, whether or not
    /// they are judged on the way.
    #[test]
    fn same_facts_give_the_same_bytes(steps in logs()) {
        let log = FactLog::judged(&steps);
        prop_assert_eq!(&FactLog::judged(&steps).facts, &log.facts);
        prop_assert_eq!(ModerationState::fold(&log.facts).encode(), log.state.encode());
    }

    /// (b) Decoding restores the state, its index and its bytes.
    #[test]
    fn decoding_restores_the_state_and_its_bytes(steps in logs()) {
        let state = FactLog::judged(&steps).state;
        let decoded = reloaded(&state);
        prop_assert_eq!(decoded.encode(), state.encode());
        prop_assert_eq!(decoded, state);
    }

    /// (c) A state that was stored and loaded goes on as if it had not been: it gives the same
    /// verdicts, changes and bytes.
    #[test]
    fn a_loaded_state_continues_like_the_fold_of_all_facts(steps in logs(), at in any::<Index>()) {
        let log = FactLog::judged(&steps);
        let (stored, rest) = log.facts.split_at(at.index(log.facts.len() + 1));
        let mut state = reloaded(&ModerationState::fold(stored));
        let mut rows = state.encode();
        for fact in rest {
            prop_assert_eq!(state.judge(&fact.draft, fact.time).is_ok(), fact.is_effective);
            for (key, value) in state.apply(fact).iter().map(RegisterChange::encode) {
                match value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
            }
        }
        prop_assert_eq!(state.encode(), log.state.encode());
        prop_assert_eq!(rows, log.state.encode(), "the changes are those of the rows");
    }

    /// (d) Retention may drop the facts that are not effective, that only the audit reads, or that
    /// have a later fact of the same register.
    #[test]
    fn superseded_and_ineffective_facts_can_be_dropped(steps in logs()) {
        let log = FactLog::judged(&steps);
        let effective = || log.facts.iter().filter(|it| it.is_effective);
        let newest: BTreeMap<_, _> =
            effective().filter_map(|it| Some((Register::of(&it.draft.action)?, it.sequence))).collect();
        let kept = effective().filter(|it| newest.values().any(|newest| *newest == it.sequence));
        prop_assert_eq!(ModerationState::fold(kept).encode(), log.state.encode());
    }

    /// (e) Every fact is accepted, also one that should not have been committed.
    #[test]
    fn every_fact_is_accepted(steps in logs()) {
        let log = FactLog::unjudged(&steps);
        for step in &steps {
            let _ = log.state.judge(&step.draft, log.next_time());
        }
        prop_assert_eq!(reloaded(&log.state), log.state);
    }

    /// (g) The index agrees with the registers, and finds what a search of all sanctions finds.
    #[test]
    fn index_agrees_with_the_registers(
        steps in logs(),
        username in usernames(),
        session in option::of(1..6_u64),
        group in groups(),
        matches_lookalikes in any::<bool>(),
    ) {
        let state = FactLog::unjudged(&steps).state;
        let mut index = SanctionIndex::default();
        state.registers.values().for_each(|it| index.insert(it));
        prop_assert_eq!(&state.sanctions, &index);
        let mut identities = IdentityIndex::default();
        state.registers.values().for_each(|it| identities.insert(&it.draft.action));
        prop_assert_eq!(&state.identities, &identities);
        let session = session.map(SessionId);
        let joiner = Joiner { username: &username, session, key: None, group, matches_lookalikes };
        let attic = NameKey::of("attic");
        for room in [None, Some(RoomName::lobby().key()), Some(&attic)] {
            prop_assert_eq!(state.ban(room, &joiner), scanned_ban(&state, room, &joiner));
        }
    }
}

/// (h) A judged log gives each key one claim at most, and each invitation not more uses than it has:
/// whatever facts race, and whoever is permitted what.
#[test]
fn a_key_has_one_claim_and_an_invitation_no_more_uses_than_it_has() {
    let (claims, uses) = (Cell::new(0), Cell::new(0));
    let run = TestRunner::new(Config::with_cases(1_000)).run(&logs(), |steps| {
        let mut log = FactLog::default();
        for step in &steps {
            let draft = FactDraft { actor: Actor::CommandLine, ..step.resolve(&log.facts) };
            let _ = log.commit(draft);
            let keys: Vec<_> = log.state.claims().map(|it| it.key).collect();
            let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
            prop_assert_eq!(keys.len(), distinct.len());
            claims.set(claims.get() + keys.len());
            for it in log.state.invitations() {
                // A second invitation with the same code, which only a test makes, may have fewer.
                let used = log.state.uses(it.invitation.hash);
                let used = used.filter(|used| used.sequence > it.fact.sequence).count();
                prop_assert!(used <= usize::from(it.invitation.uses.get()));
                uses.set(uses.get() + used);
            }
        }
        Ok(())
    });
    run.unwrap();
    assert!(claims.get() > 0 && uses.get() > 0, "nothing was tested");
}

/// Returns a log whose state has two registers less than are allowed, of each class.
fn nearly_full() -> FactLog {
    let mut log = FactLog::default();
    for number in 2..MAX_ROLES {
        let session = 1_000 + u64::try_from(number).unwrap();
        log.append(command(role_set(Scope::Server, session, Some(Role::Moderator))), true);
    }
    for number in 2..MAX_SANCTIONS {
        log.append(command(ban(lobby(), &format!("pest{number}"), None, 60)), true);
    }
    for number in 2..MAX_ROOM_SETTINGS {
        let room = RoomName::new(&format!("room{number}")).unwrap();
        let setting = RoomSetting::Moderated(true);
        log.append(command(ModerationAction::RoomSet { room, setting }), true);
    }
    log
}

/// Returns the number of registers of a class that are set.
fn count(state: &ModerationState, class: RegisterClass) -> usize {
    state.registers.keys().filter(|it| it.class() == class).count()
}

/// (f) No class of registers grows beyond its limit, and no fact is refused below it. At the limit,
/// what is set can still be replaced and cleared.
#[test]
fn limits_hold() {
    let full = nearly_full();
    let refused = Cell::new(0);
    let run = TestRunner::new(Config::with_cases(16)).run(&logs(), |steps| {
        let mut log = full.clone();
        for step in &steps {
            let draft = FactDraft { actor: Actor::CommandLine, ..step.resolve(&log.facts) };
            let register = Register::of(&draft.action);
            if log.commit(draft) == Err(FactError::Full) {
                let register = register.unwrap();
                prop_assert_eq!(count(&log.state, register.class()), register.class().limit());
                prop_assert!(!log.state.registers.contains_key(&register));
                refused.set(refused.get() + 1);
            }
        }
        for class in [RegisterClass::Roles, RegisterClass::Sanctions, RegisterClass::RoomSettings] {
            prop_assert!(count(&log.state, class) <= class.limit());
        }
        Ok(())
    });
    run.unwrap();
    assert!(refused.get() > 0, "no limit was reached");
}

/// The last places of each class are the command line's: moderators and owners who have used up the
/// others do not lock it out. They can still replace and lift what is set.
#[test]
fn last_places_are_kept_for_the_command_line() {
    let owner = Actor::Session(user(1, "owner"));
    let mut log = FactLog::default();
    log.append(command(role_set(Scope::Server, 1, Some(Role::Owner))), true);
    let role = |number: u64| role_set(Scope::Server, 1_000 + number, Some(Role::Moderator));
    let sanction = |number: u64| ban(lobby(), &format!("pest{number}"), None, 60);
    let setting = |number: u64| ModerationAction::RoomSet {
        room: RoomName::new(&format!("room{number}")).unwrap(),
        setting: RoomSetting::Moderated(true),
    };
    let claimed = |number: u64| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        claim(user(1, &format!("name{number}")), IdentityKey(key), None)
    };
    let classes: [(RegisterClass, &dyn Fn(u64) -> ModerationAction); 4] = [
        (RegisterClass::Roles, &role),
        (RegisterClass::Sanctions, &sanction),
        (RegisterClass::RoomSettings, &setting),
        (RegisterClass::Claims, &claimed),
    ];
    for (class, action) in classes {
        let free = class.limit() - COMMAND_LINE_RESERVE - count(&log.state, class);
        let free = u64::try_from(free).unwrap();
        for number in 1..free {
            log.append(draft(owner.clone(), action(number)), true);
        }
        assert_eq!(log.commit(draft(owner.clone(), action(free))), Ok(()), "{class:?}");
        for place in 1..=COMMAND_LINE_RESERVE as u64 {
            let next = action(free + place);
            assert_eq!(log.commit(draft(owner.clone(), next.clone())), Err(FactError::Full));
            assert_eq!(log.commit(command(next)), Ok(()), "{class:?}, place {place}");
        }
        let beyond = action(free + 1_000);
        assert_eq!(log.commit(command(beyond)), Err(FactError::Full), "{class:?}");
        assert_eq!(log.commit(draft(owner.clone(), action(free))), Ok(()), "replaced");
    }
}
