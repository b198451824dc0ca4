//! Proptest strategies for random facts, and logs of them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::model::Reason;

/// Usernames: two spellings of one name, a name that looks like it, and two others.
const NAMES: &[&str] = &["anna", "Anna", "\u{430}nna", "bob", "Cécile"];

/// Names of rooms.
const ROOMS: &[&str] = &["lobby", "Attic"];

impl FactLog {
    /// Returns a log of drafts that are judged.
    pub(super) fn judged(steps: &[Step]) -> Self {
        let mut log = Self::default();
        for step in steps {
            let _ = log.commit(step.resolve(&log.facts));
        }
        log
    }

    /// Returns a log of drafts with random verdicts.
    pub(super) fn unjudged(steps: &[Step]) -> Self {
        let mut log = Self::default();
        for step in steps {
            log.append(step.resolve(&log.facts), step.is_effective);
        }
        log
    }
}

/// Random fact.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Draft of the fact.
    pub(super) draft: FactDraft,
    /// If given, the fact ends an earlier sanction, if there is one, in place of `draft`.
    ends: Option<Index>,
    /// Verdict, where facts are not judged.
    is_effective: bool,
}

impl Step {
    /// Returns the draft, given the facts before it.
    pub(super) fn resolve(&self, facts: &[SharedFact]) -> FactDraft {
        let mut draft = self.draft.clone();
        let imposed: Vec<_> =
            facts.iter().filter(|it| it.draft.action.sanction().is_some()).collect();
        if let Some(index) = self.ends.filter(|_| !imposed.is_empty()) {
            draft.action = end_of(imposed[index.index(imposed.len())]);
        }
        draft
    }
}

/// Returns a strategy for usernames.
pub(super) fn usernames() -> impl Strategy<Value = Username> {
    select(NAMES).prop_map(name)
}

/// Returns a strategy for sessions.
fn sessions() -> impl Strategy<Value = NamedSession> {
    (1..6_u64, usernames())
        .prop_map(|(session, username)| NamedSession { session: SessionId(session), username })
}

/// Returns a strategy for actors.
fn actors() -> impl Strategy<Value = Actor> {
    prop_oneof![
        2 => Just(Actor::CommandLine),
        1 => Just(Actor::Server),
        4 => sessions().prop_map(Actor::Session),
    ]
}

/// Returns a strategy for rooms.
fn rooms() -> impl Strategy<Value = RoomName> {
    select(ROOMS).prop_map(|it| RoomName::new(it).unwrap())
}

/// Returns a strategy for scopes.
fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Server), rooms().prop_map(Scope::Room)]
}

/// Returns a strategy for sanctions.
fn sanctions() -> impl Strategy<Value = Sanction> {
    let seconds = prop_oneof![Just(0), 1..600_u32];
    (scopes(), usernames(), option::of(1..6_u64), seconds).prop_map(
        |(scope, username, session, seconds)| Sanction {
            scope,
            username,
            session: session.map(SessionId),
            length: SanctionLength::from_seconds(seconds).unwrap(),
        },
    )
}

/// Returns a strategy for address groups.
pub(super) fn groups() -> impl Strategy<Value = AddressGroup> {
    select(&["192.0.2.1", "192.0.2.2", "2001:db8::1"][..]).prop_map(group)
}

/// Returns a strategy for room settings.
fn settings() -> impl Strategy<Value = RoomSetting> {
    prop_oneof![
        option::of("[a-zé ]{1,9}")
            .prop_map(|it| { RoomSetting::Topic(it.map(|text| Topic::new(&text).unwrap())) }),
        (0..3_u16).prop_map(|it| RoomSetting::SlowMode(SlowMode::from_seconds(it).unwrap())),
        any::<bool>().prop_map(RoomSetting::Moderated),
    ]
}

/// Returns a strategy for actions.
fn actions() -> impl Strategy<Value = ModerationAction> {
    use ModerationAction as Action;

    let role = select(&[None, Some(Role::Moderator), Some(Role::Owner)][..]);
    prop_oneof![
        3 => (scopes(), sessions(), role)
            .prop_map(|(scope, holder, role)| Action::RoleSet { scope, holder, role }),
        3 => (sanctions(), option::of(groups()), option::of(keys())).prop_map(
            |(sanction, group, key)| match key {
                Some(key) => Action::BannedWithKey { sanction, group, key },
                None => Action::Banned { sanction, group },
            }
        ),
        3 => sanctions().prop_map(Action::Muted),
        1 => (scopes(), sessions()).prop_map(|(scope, target)| Action::Kicked { scope, target }),
        3 => (rooms(), settings()).prop_map(|(room, setting)| Action::RoomSet { room, setting }),
        1 => (rooms(), any::<u64>(), sessions()).prop_map(|(room, message, author)| {
            Action::MessageRemoved { room, message: Sequence(message), author }
        }),
        1 => scopes().prop_map(Action::Announced),
        3 => (sessions(), keys(), option::of(1..4_u8))
            .prop_map(|(holder, key, by)| claim(holder, key, by)),
        2 => (usernames(), keys(), 0..60_u64, 0..3_usize).prop_map(
            |(username, key, sequence, why)| Action::ClaimEnded {
                username,
                key,
                claim: Sequence(sequence),
                why: [ClaimEnd::GivenBack, ClaimEnd::Released, ClaimEnd::Unused][why],
            }
        ),
        2 => (1..4_u8, option::of(select(NAMES)), 1..4_u16)
            .prop_map(|(number, username, uses)| invitation(number, username, uses)),
        1 => (1..4_u8).prop_map(|number| Action::InvitationRevoked { invitation: hash(number) }),
        3 => (1..4_u8, sessions(), option::of(keys()), any::<bool>())
            .prop_map(|(number, user, key, is_for_claim)| {
                invitation_use(number, user, key, is_for_claim)
            }),
    ]
}

/// Returns a strategy for keys.
fn keys() -> impl Strategy<Value = IdentityKey> {
    (1..4_u8).prop_map(key)
}

/// Returns a strategy for logs of facts.
pub(super) fn logs() -> impl Strategy<Value = Vec<Step>> {
    let reason = option::of("[a-z]{1,9}".prop_map(|it| Reason::new(&it).unwrap()));
    let ends = option::weighted(0.3, any::<Index>());
    let step = (actors(), actions(), reason, ends, any::<bool>()).prop_map(
        |(actor, action, reason, ends, is_effective)| Step {
            draft: FactDraft { actor, action, reason },
            ends,
            is_effective,
        },
    );
    vec(step, 0..60)
}
