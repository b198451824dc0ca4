//! Simulated network: loss, duplication, delay and reordering between machines, segments and
//! partitions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use pi_chat::model::Path;

use super::random::Random;

/// Bit for unicast, beside those of [`Path`].
pub(crate) const UNICAST: u8 = 8;
/// Bits of all paths and unicast.
pub(crate) const OPEN: u8 = 15;

/// Families of Internet addresses that a machine has, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Families(u8);

impl Families {
    /// IPv4 only.
    pub(crate) const V4: Self = Self(1);
    /// IPv6 only.
    pub(crate) const V6: Self = Self(2);
    /// Both families (dual stack).
    pub(crate) const BOTH: Self = Self(3);

    /// Returns the family of an address.
    pub(crate) const fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Returns the family that a path needs.
    pub(crate) const fn of_path(path: Path) -> Self {
        match path {
            Path::GroupV4 | Path::Broadcast => Self::V4,
            Path::GroupV6 => Self::V6,
        }
    }

    /// Returns the bits of the groups of these families.
    pub(crate) const fn paths(self) -> u8 {
        match self {
            Self::V4 => Path::GroupV4.bit(),
            Self::V6 => Path::GroupV6.bit(),
            _ => Path::GroupV4.bit() | Path::GroupV6.bit(),
        }
    }

    /// Returns true if a family is among these, or any of several.
    pub(crate) const fn has(self, family: Self) -> bool {
        self.0 & family.0 != 0
    }
}

/// Properties of the network from one machine to another. Shares are in 65,536ths, times in
/// microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Share of datagrams that are lost.
    pub(crate) loss: u16,
    /// Share of datagrams that are duplicated.
    pub(crate) doubled: u16,
    /// Share of datagrams that are reordered (overtaken by others).
    pub(crate) late: u16,
    /// Minimum delay.
    pub(crate) delay: u32,
    /// Maximum additional delay.
    pub(crate) jitter: u32,
    /// Maximum additional delay of a reordered datagram.
    pub(crate) late_by: u32,
    /// Paths that get through: bits of [`Path`], and [`UNICAST`].
    pub(crate) open: u8,
}

impl Link {
    /// Good link, like a cable.
    pub(crate) const GOOD: Self =
        Self { loss: 0, doubled: 0, late: 0, delay: 300, jitter: 500, late_by: 0, open: OPEN };

    /// Returns the same link with this loss, in thousandths.
    pub(crate) fn with_loss(self, thousandths: u64) -> Self {
        Self { loss: u16::try_from(thousandths * 65_535 / 1_000).unwrap(), ..self }
    }

    /// Returns true if this path (a bit) gets through.
    const fn is_open(self, path: u8) -> bool {
        self.open & path == path
    }
}

/// Network between all machines. A segment is a broadcast domain, such as one cable.
#[derive(Debug)]
pub(crate) struct Network {
    /// Number of machines.
    machines: usize,
    /// Links from each machine to each.
    links: Vec<Link>,
    /// Segments of each machine, one for each of its interfaces.
    segments: Vec<Vec<u8>>,
    /// Partition of each machine; machines in different partitions do not hear each other.
    sides: Vec<u8>,
    /// True if unicast is routed between segments.
    pub(crate) is_routed: bool,
    /// Families of each machine.
    families: Vec<Families>,
    /// True if IPv6 addresses are link-local, as without a router.
    pub(crate) is_link_local: bool,
}

impl Network {
    /// Creates a network with all machines in one segment.
    pub(crate) fn new(machines: usize, link: Link) -> Self {
        Self {
            machines,
            links: vec![link; machines * machines],
            segments: vec![vec![0]; machines],
            sides: vec![0; machines],
            is_routed: true,
            families: vec![Families::BOTH; machines],
            is_link_local: false,
        }
    }

    /// Returns the link from one machine to another.
    pub(crate) fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.links[from * self.machines + to]
    }

    /// Iterates over all links.
    pub(crate) fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.iter_mut()
    }

    /// Connects a machine to these segments.
    pub(crate) fn plug(&mut self, machine: usize, segments: &[u8]) {
        self.segments[machine] = segments.to_vec();
    }

    /// Returns the segments of a machine.
    pub(crate) fn segments_of(&self, machine: usize) -> &[u8] {
        &self.segments[machine]
    }

    /// Gives a machine addresses of these families only.
    pub(crate) fn set_families(&mut self, machine: usize, families: Families) {
        self.families[machine] = families;
    }

    /// Returns true if two machines have a family in common, out of these.
    pub(crate) fn share(&self, one: usize, other: usize, families: Families) -> bool {
        self.families[one].0 & self.families[other].0 & families.0 != 0
    }

    /// Returns the address of a machine on a segment, in one of the two families. An IPv6 address
    /// is link-local if `is_link_local` is set.
    pub(crate) fn address(
        &self,
        family: Families,
        machine: usize,
        segment: u8,
        port: u16,
    ) -> SocketAddr {
        if family == Families::V4 {
            address_v4(machine, segment, port)
        } else if self.is_link_local {
            let host = u16::try_from(machine + 1).unwrap();
            let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host);
            SocketAddrV6::new(ip, port, 0, u32::from(segment)).into()
        } else {
            address_v6(machine, segment, port)
        }
    }

    /// Returns true if all machines are in one segment and no other.
    pub(crate) fn is_one_segment(&self) -> bool {
        self.segments.iter().all(|it| *it == [0])
    }

    /// Assigns each machine to a partition.
    pub(crate) fn split(&mut self, side_of: impl Fn(usize) -> u8) {
        for (machine, side) in self.sides.iter_mut().enumerate() {
            *side = side_of(machine);
        }
    }

    /// Returns true if two machines are in the same partition.
    pub(crate) fn same_side(&self, one: usize, other: usize) -> bool {
        self.sides[one] == self.sides[other]
    }

    /// Returns true if a datagram by this path can get from one machine to another on this segment.
    pub(crate) fn carries(&self, from: usize, to: usize, path: Path, segment: u8) -> bool {
        self.same_side(from, to)
            && self.segments[to].contains(&segment)
            && self.share(from, to, Families::of_path(path))
            && self.links[from * self.machines + to].is_open(path.bit())
    }

    /// Returns true if unicast can get from one machine to another.
    pub(crate) fn delivers(&self, from: usize, to: usize) -> bool {
        self.same_side(from, to)
            && self.share(from, to, Families::BOTH)
            && (self.is_routed || self.common_segment(from, to).is_some())
            && self.links[from * self.machines + to].is_open(UNICAST)
    }

    /// Returns a segment that both machines are in.
    pub(crate) fn common_segment(&self, one: usize, other: usize) -> Option<u8> {
        self.segments[one].iter().copied().find(|it| self.segments[other].contains(it))
    }

    /// Returns true if two machines can talk to each other: unicast and at least one path work both
    /// ways.
    pub(crate) fn connects(&self, one: usize, other: usize) -> bool {
        let by_path = |from: usize, to: usize| {
            Path::ALL
                .iter()
                .any(|path| self.segments[from].iter().any(|it| self.carries(from, to, *path, *it)))
        };
        self.delivers(one, other)
            && self.delivers(other, one)
            && by_path(one, other)
            && by_path(other, one)
    }

    /// Returns the delays of the copies of one datagram that arrive, in microseconds: none, one or
    /// two. They are random, by the link's properties. Ignores which paths are open.
    pub(crate) fn pass(&self, from: usize, to: usize, random: &mut Random) -> [Option<u64>; 2] {
        let link = &self.links[from * self.machines + to];
        let bits = random.bits();
        let part = |shift: u32| u16::try_from(bits >> shift & 0xFFFF).unwrap();
        if part(0) < link.loss {
            return [None; 2];
        }
        let mut takes = u64::from(link.delay) + random.below(u64::from(link.jitter) + 1);
        if part(16) < link.late {
            takes += random.below(u64::from(link.late_by) + 1);
        }
        let again = part(32) < link.doubled;
        [Some(takes), again.then(|| takes + random.below(u64::from(link.late_by) + 1_000))]
    }
}

/// Returns the IPv4 address of a machine on a segment.
pub(crate) fn address_v4(machine: usize, segment: u8, port: u16) -> SocketAddr {
    let [high, low] = u16::try_from(machine + 1).unwrap().to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, segment, high, low)), port)
}

/// Returns the IPv6 address of a machine on a segment.
fn address_v6(machine: usize, segment: u8, port: u16) -> SocketAddr {
    let machine = u16::try_from(machine + 1).unwrap();
    let ip = Ipv6Addr::new(0xfd00, u16::from(segment), 0, 0, 0, 0, 0, machine);
    SocketAddr::new(IpAddr::V6(ip), port)
}

/// Returns the machine, segment and port of an address that [`Network::address`] has made. `None`
/// if its numbers are out of range.
pub(crate) fn machine_at(address: SocketAddr) -> Option<(usize, u8, u16)> {
    let (segment, machine) = match address.ip() {
        IpAddr::V4(ip) => {
            let [_, segment, high, low] = ip.octets();
            (segment, u16::from_be_bytes([high, low]))
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => return machine_at(SocketAddr::new(IpAddr::V4(ip), address.port())),
            None => {
                let [_, segment, .., machine] = ip.segments();
                let scope = match address {
                    SocketAddr::V6(it) => it.scope_id(),
                    SocketAddr::V4(_) => 0,
                };
                // A link-local address has its segment in the scope id.
                (u8::try_from(u32::from(segment) + scope).ok()?, machine)
            }
        },
    };
    Some((usize::from(machine).checked_sub(1)?, segment, address.port()))
}
