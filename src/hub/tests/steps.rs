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
    Join { name: usize, rooms: Vec<usize>, features: u64, token: Option<usize>, position: u8 },
    /// Somebody is gone.
    Disconnect(usize),
    /// Somebody will say nothing more.
    HalfClose(usize),
    /// Somebody says something in a room.
    Say(usize, usize),
    /// Somebody says something to one person.
    Direct(usize, usize),
    /// Somebody says again what was said last.
    Resend(usize),
    /// Somebody enters a room.
    Enter(usize, usize),
    /// Somebody leaves a room.
    Leave(usize, usize),
    /// Somebody wants older messages.
    History(usize, usize),
    /// Somebody looks for something, wherever they are.
    Search(usize),
    /// Somebody breaks the rules.
    Violate(usize),
    /// The log takes some drafts.
    Commit(usize),
    /// The log loses a draft.
    RejectDraft,
    /// The log does a read.
    PerformRead,
    /// The log cannot do a read.
    FailRead,
    /// The log tells what it has read.
    DeliverOutcome,
    /// Somebody takes up what they were given.
    ReachMark,
    /// The log fares differently.
    SetStorageHealth(u8),
    /// The server is ended by a power cut and started again.
    Restart,
    /// Time passes.
    Advance(u64),
    /// The hub is woken although it did not ask for it.
    Wake,
}

/// One thing that happens.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let join = (
        0..NAMES.len(),
        prop::collection::vec(0..ROOMS.len(), 0..4),
        0_u64..2,
        prop::option::of(any::<usize>()),
        0_u8..3,
    )
        .prop_map(|(name, rooms, features, token, position)| Step::Join {
            name,
            rooms,
            features,
            token,
            position,
        });
    prop_oneof![
        6 => join,
        2 => any::<usize>().prop_map(Step::Disconnect),
        1 => any::<usize>().prop_map(Step::HalfClose),
        8 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Say(who, room)),
        4 => (any::<usize>(), 0..NAMES.len()).prop_map(|(who, to)| Step::Direct(who, to)),
        2 => any::<usize>().prop_map(Step::Resend),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Enter(who, room)),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Leave(who, room)),
        1 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::History(who, room)),
        1 => any::<usize>().prop_map(Step::Search),
        1 => any::<usize>().prop_map(Step::Violate),
        6 => (1_usize..5).prop_map(Step::Commit),
        1 => Just(Step::RejectDraft),
        6 => Just(Step::PerformRead),
        1 => Just(Step::FailRead),
        6 => Just(Step::DeliverOutcome),
        6 => Just(Step::ReachMark),
        1 => (0_u8..3).prop_map(Step::SetStorageHealth),
        1 => Just(Step::Restart),
        4 => (0_u64..800).prop_map(Step::Advance),
        1 => (0_u64..40_000).prop_map(Step::Advance),
        1 => Just(Step::Wake),
    ]
}
