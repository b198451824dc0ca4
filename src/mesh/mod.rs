//! Floor 2: the engine of a peer, without I/O. `docs/protocol/udp.md`.

mod contract;

pub use contract::{Drops, End, Input, Now, Outgoing, Output, Settings, Sign};

mod stand_in;
pub use stand_in::Mesh;
