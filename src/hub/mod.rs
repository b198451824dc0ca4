//! Floor 2: the server's engine. Sessions, names, rooms, presence, limits;
//! no I/O, no clock, no randomness.
//!
//! The driver (`server`) calls [`Hub::handle_input`] whenever something has
//! happened and then [`Hub::poll_output`] until it gives nothing more. Time
//! and secrets come in with the inputs.

mod contract;

pub use contract::{
    ConnectionId, Delivery, Input, Now, Output, ReadOutcome, ReadRange, ReadRequest, ReadTag,
    RoomId,
};
