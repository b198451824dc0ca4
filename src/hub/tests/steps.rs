//! Random steps for the property test.

use proptest::prelude::*;

use crate::wire::tcp::feature;

/// User names to choose from. Two have the same key; two look alike.
pub(super) const NAMES: &[&str] = &["anna", "Anna", "bob", "b\u{43e}b", "carl"];

/// Room names to choose from. Two have the same key.
pub(super) const ROOMS: &[&str] = &["lobby", "attic", "Attic", "cellar"];

/// Random step. Its `usize` numbers select a client, name, room or token, except in `Commit`.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A client connects and joins, with or without a token. `position`: 0 for none, 1 for the
    /// start of the log, 2 for the last sequence that the session has received.
    /// `key`: number of the key that it proves. `code`: number of the link code that it brings.
    Join {
        name: usize,
        rooms: Vec<usize>,
        features: u64,
        token: Option<usize>,
        position: u8,
        key: Option<u8>,
        code: Option<u8>,
    },
    /// A client claims its name, gives up the claim, makes a link code or unlinks the others: client,
    /// action, number of the link code.
    Claim(usize, u8, u8),
    /// The command line releases the claim of a name.
    Release(usize),
    /// A client disconnects.
    Disconnect(usize),
    /// A client half-closes its connection: client, true if inside a frame.
    HalfClose(usize, bool),
    /// A client sends a message to a room: client, room.
    Say(usize, usize),
    /// A client sends a direct message: client, name of the recipient.
    Direct(usize, usize),
    /// A client sends its last message again.
    Resend(usize),
    /// A client enters a room: client, room.
    Enter(usize, usize),
    /// A client leaves a room: client, room.
    Leave(usize, usize),
    /// A client requests history: client, room.
    History(usize, usize),
    /// A client searches in all its rooms.
    Search(usize),
    /// The command line gives or takes a role: name, room or the server (`None`), role.
    SetRole(usize, Option<usize>, u8),
    /// A client or the command line acts on a user: client (`None`: the command line), action, room
    /// or the server (`None`), name, seconds, by address.
    Moderate(Option<usize>, u8, Option<usize>, usize, u32, bool),
    /// A client or the command line removes a message: client (`None`: the command line), room,
    /// number of the message.
    Remove(Option<usize>, usize, usize),
    /// A client violates the protocol: it sends a second `hello`.
    Violate(usize),
    /// The log commits up to this number of drafts.
    Commit(usize),
    /// The log commits up to this number of volatile changes.
    CommitVolatile(usize),
    /// Another hub's session joins with a name, if no earlier `join` has it.
    JoinElsewhere(usize),
    /// A session of another hub ends.
    EndElsewhere,
    /// The log rejects a draft (`NotStored`).
    RejectDraft,
    /// The log performs a read.
    PerformRead,
    /// The log fails a read.
    FailRead,
    /// The log delivers the outcome of a read.
    DeliverOutcome,
    /// A connection reaches its flow-control mark.
    ReachMark,
    /// The log's storage changes its health: 0 sound, 1 memory only, 2 refusing.
    SetStorageHealth(u8),
    /// The server crashes and restarts.
    Restart,
    /// The clock advances by this number of milliseconds.
    Advance(u64),
    /// The hub is woken, whether it has asked for that or not.
    Wake,
}

/// Returns the strategy that generates random steps.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let join = (
        0..NAMES.len(),
        prop::collection::vec(0..ROOMS.len(), 0..4),
        prop::sample::select(vec![
            0,
            feature::EVENTS,
            feature::EVENTS | feature::PRESENCE | feature::RESUME,
            feature::PRESENCE,
            feature::RESUME,
            feature::PRESENCE | feature::RESUME,
        ]),
        prop::option::of(any::<usize>()),
        0_u8..3,
        prop::option::weighted(0.7, 1_u8..4),
        prop::option::weighted(0.7, 0_u8..2),
    )
        .prop_map(|(name, rooms, features, token, position, key, code)| Step::Join {
            name,
            rooms,
            features,
            token,
            position,
            key,
            code,
        });
    prop_oneof![
        6 => join,
        8 => (any::<usize>(), 1_u8..5, 0_u8..2)
            .prop_map(|(who, action, code)| Step::Claim(who, action, code)),
        1 => (0..NAMES.len()).prop_map(Step::Release),
        2 => any::<usize>().prop_map(Step::Disconnect),
        1 => any::<(usize, bool)>().prop_map(|(who, in_frame)| Step::HalfClose(who, in_frame)),
        8 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Say(who, room)),
        4 => (any::<usize>(), 0..NAMES.len()).prop_map(|(who, to)| Step::Direct(who, to)),
        2 => any::<usize>().prop_map(Step::Resend),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Enter(who, room)),
        4 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Leave(who, room)),
        1 => (any::<usize>(), 0..ROOMS.len()).prop_map(|(who, room)| Step::History(who, room)),
        1 => any::<usize>().prop_map(Step::Search),
        2 => (0..NAMES.len(), prop::option::of(0..ROOMS.len()), 0_u8..3)
            .prop_map(|(name, room, role)| Step::SetRole(name, room, role)),
        4 => (
            prop::option::of(any::<usize>()),
            1_u8..8,
            prop::option::of(0..ROOMS.len()),
            0..NAMES.len(),
            0_u32..30,
            any::<bool>(),
        )
            .prop_map(|(who, action, room, name, seconds, by_address)| {
                Step::Moderate(who, action, room, name, seconds, by_address)
            }),
        2 => (prop::option::of(any::<usize>()), 0..ROOMS.len(), any::<usize>())
            .prop_map(|(who, room, message)| Step::Remove(who, room, message)),
        1 => any::<usize>().prop_map(Step::Violate),
        6 => (1_usize..5).prop_map(Step::Commit),
        6 => (1_usize..4).prop_map(Step::CommitVolatile),
        1 => (0..NAMES.len()).prop_map(Step::JoinElsewhere),
        1 => Just(Step::EndElsewhere),
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
