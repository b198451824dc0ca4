//! What can happen at random.

use proptest::prelude::*;

/// What people want to be called: two of them are the same, two look alike.
pub(super) const NAMES: &[&str] = &["anna", "Anna", "bob", "b\u{43e}b", "carl"];

/// Where they go.
pub(super) const ROOMS: &[&str] = &["lobby", "attic", "Attic", "cellar"];

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Somebody comes, with wishes, perhaps with a token and a position.
    Come { name: usize, rooms: Vec<usize>, features: u64, token: Option<usize>, position: u8 },
    /// Somebody is gone.
    Drop(usize),
    /// Somebody will say nothing more.
    Finish(usize),
    /// Somebody says something in a room.
    Say(usize, usize),
    /// Somebody says something to one person.
    Direct(usize, usize),
    /// Somebody says again what was said last.
    Again(usize),
    /// Somebody enters a room.
    Enter(usize, usize),
    /// Somebody leaves a room.
    Leave(usize, usize),
    /// Somebody wants older messages.
    History(usize, usize),
    /// Somebody looks for something, wherever they are.
    Search(usize),
    /// Somebody breaks the rules.
    Fault(usize),
    /// The log takes some drafts.
    Commit(usize),
    /// The log loses a draft.
    Lose,
    /// The log does a read.
    Look,
    /// The log cannot do a read.
    FailRead,
    /// The log tells what it has read.
    Tell,
    /// Somebody takes up what they were given.
    Mark,
    /// The log fares differently.
    Fare(u8),
    /// The server is ended by a power cut and started again.
    Restart,
    /// Time passes.
    Pass(u64),
    /// The hub is woken although it did not ask for it.
    Wake,
}

/// One thing that happens.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let come = (
        0..NAMES.len(),
        prop::collection::vec(0..ROOMS.len(), 0..4),
        0_u64..2,
        prop::option::of(any::<usize>()),
        0_u8..3,
    )
        .prop_map(|(name, rooms, features, token, position)| Step::Come {
            name,
            rooms,
            features,
            token,
            position,
        });
    prop_oneof![
        6 => come,
        2 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Finish),
        8 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Say(who, room)),
        4 => (any::<usize>(), 0..NAMES.len()).prop_map(|(who, to)| Step::Direct(who, to)),
        2 => any::<usize>().prop_map(Step::Again),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Enter(who, room)),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Leave(who, room)),
        1 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::History(who, room)),
        1 => any::<usize>().prop_map(Step::Search),
        1 => any::<usize>().prop_map(Step::Fault),
        6 => (1_usize..5).prop_map(Step::Commit),
        1 => Just(Step::Lose),
        6 => Just(Step::Look),
        1 => Just(Step::FailRead),
        6 => Just(Step::Tell),
        6 => Just(Step::Mark),
        1 => (0_u8..3).prop_map(Step::Fare),
        1 => Just(Step::Restart),
        4 => (0_u64..800).prop_map(Step::Pass),
        1 => (0_u64..40_000).prop_map(Step::Pass),
        1 => Just(Step::Wake),
    ]
}
