//! Identifiers, clocks and network paths of peers: `docs/protocol/udp.md`, sections 2 and 6.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Id of a peer, and of the log that it writes: the first 8 bytes of a hash of public key and
/// incarnation. The incarnation is random bytes of one run of the program.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 8]);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// Lamport timestamp of an entry, which orders messages of different authors: greater than every
/// one that the author had seen before. Valid from 1 to 2⁴⁸ − 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lamport(pub u64);

/// Reading of the room clock: milliseconds since the first peer opened the room. A peer adopts the
/// clock when it joins, and then counts on by itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RoomClock(pub u64);

impl RoomClock {
    /// Returns the reading `elapsed` later.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the reading `elapsed` earlier; at least zero.
    #[must_use]
    pub fn before(self, elapsed: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the time elapsed since the reading `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Bit set of [`Path`]s, as on the wire. Unassigned bits are kept as received, and ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathSet(pub u8);

impl PathSet {
    /// Set of all three paths.
    pub const ALL: Self = Self(7);
    /// Empty set.
    pub const NONE: Self = Self(0);

    /// Returns true if `path` is in the set.
    #[must_use]
    pub const fn has(self, path: Path) -> bool {
        self.0 & path.bit() != 0
    }

    /// Returns the set with `path` added.
    #[must_use]
    pub const fn with(self, path: Path) -> Self {
        Self(self.0 | path.bit())
    }

    /// Returns true if the set holds none of the three paths.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 & Self::ALL.0 == 0
    }
}

/// Path by which a datagram reaches many peers: multicast or broadcast (`docs/protocol/udp.md`,
/// section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// IPv4 multicast group.
    GroupV4,
    /// IPv6 multicast group.
    GroupV6,
    /// Broadcast address of each IPv4 network.
    Broadcast,
}

impl Path {
    /// All paths, in order of preference.
    pub const ALL: [Self; 3] = [Self::GroupV4, Self::GroupV6, Self::Broadcast];

    /// Returns the path's bit in a [`PathSet`].
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::GroupV4 => 1,
            Self::GroupV6 => 2,
            Self::Broadcast => 4,
        }
    }
}
