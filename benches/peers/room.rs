//! A room of real peers on simulated machines.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::lab::{Family, Lab, Lan, Machine, PacketCounts};
use crate::peer_process::{PATIENCE, PeerProcess};
use crate::process::cpu_time;
use crate::switch::{self, ALL, UNICAST};

/// Time without datagrams to single peers after which a room counts as settled.
const QUIET_TIME: Duration = Duration::from_secs(2);

/// Greatest number of machines. Beyond it, machines have several peers. The kernel remembers the
/// neighbours of all machines in one table of 1,024 places, so a hundred of them would lose
/// datagrams that no network would.
const MAX_MACHINES: usize = 20;

/// Number of peers that are started at the same time, behind the first one. More would lose
/// datagrams on a machine that has all of them, and need long to know one another.
const WAVE: usize = 10;

/// A room, and the network that it is on.
pub(crate) struct Room {
    /// The network. It ends with the room.
    lab: Lab,
    /// Its only switch.
    lan: Lan,
    /// The peers, `p0` first. All are members, and know one another.
    pub(crate) peers: Vec<PeerProcess>,
    /// Their machines, at most [`MAX_MACHINES`].
    machines: Vec<Machine>,
    /// Command line of the peers behind the name.
    arguments: Vec<String>,
    /// The passphrase of a closed room.
    _passphrase: Option<NamedTempFile>,
}

/// What a room has used until now.
pub(crate) struct Usage {
    /// When it was read.
    at: Instant,
    /// CPU time of each peer.
    pub(crate) cpu: Vec<Duration>,
    /// Datagrams on the switch.
    pub(crate) datagrams: PacketCounts,
}

/// What a room has used in some time.
pub(crate) struct Used {
    /// The time.
    pub(crate) time: Duration,
    /// CPU time of each peer.
    pub(crate) cpu: Vec<Duration>,
    /// Number of datagrams.
    pub(crate) datagrams: u64,
}

impl Room {
    /// Makes a network and starts so many peers on it, and waits until all know one another and
    /// nobody asks anybody anything any more. `is_closed`: with a passphrase.
    pub(crate) fn start(count: usize, is_closed: bool) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.lan();
        switch::install_counters(&lab);
        let passphrase = is_closed.then(|| {
            let mut file = NamedTempFile::new().unwrap();
            writeln!(file, "correct horse battery staple").unwrap();
            file
        });
        let path = passphrase.as_ref().map(|it| it.path().to_str().unwrap().to_owned());
        let arguments = path.map_or_else(Vec::new, |it| vec!["--passphrase-file".to_owned(), it]);
        let (peers, machines) = (Vec::new(), Vec::new());
        let mut room = Self { lab, lan, peers, machines, arguments, _passphrase: passphrase };
        for number in 0..count {
            if number < MAX_MACHINES {
                room.machines.push(room.machine());
            }
            let machine = &room.machines[number % MAX_MACHINES];
            room.peers.push(room.start_peer(machine, &format!("p{number}")));
            if number % WAVE == 0 {
                for peer in &mut room.peers {
                    peer.wait_for_type("admitted");
                }
            }
        }
        let names: Vec<String> = (0..count).map(|it| format!("p{it}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for peer in &mut room.peers {
            peer.wait_for_type("admitted");
            peer.wait_for_members(&names);
        }
        room.settle();
        room
    }

    /// Starts a further peer on a machine of its own. Does not wait until it is in.
    pub(crate) fn newcomer(&self, name: &str) -> (Machine, PeerProcess) {
        let machine = self.machine();
        let peer = self.start_peer(&machine, name);
        (machine, peer)
    }

    /// Makes a machine on the room's network.
    fn machine(&self) -> Machine {
        self.lab.machine(&[self.lan], Family::Both)
    }

    /// Starts a peer on a machine.
    fn start_peer(&self, machine: &Machine, name: &str) -> PeerProcess {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        PeerProcess::start(machine, name, &arguments)
    }

    /// Waits until no datagram goes to a single peer for [`QUIET_TIME`].
    pub(crate) fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        let mut before = switch::counts(&self.lab);
        loop {
            thread::sleep(QUIET_TIME);
            let now = switch::counts(&self.lab);
            if now.since(&before, UNICAST) == 0 {
                return;
            }
            assert!(Instant::now() < end, "the peers do not stop asking each other");
            before = now;
        }
    }

    /// Returns the numbers of datagrams until now.
    pub(crate) fn datagrams(&self) -> PacketCounts {
        switch::counts(&self.lab)
    }

    /// Reads what the room has used.
    pub(crate) fn usage(&self) -> Usage {
        let cpu = self.peers.iter().map(|it| cpu_time(it.id())).collect();
        Usage { at: Instant::now(), cpu, datagrams: switch::counts(&self.lab) }
    }

    /// Returns what the room has used since then.
    pub(crate) fn used_since(&self, before: &Usage) -> Used {
        let now = self.usage();
        let cpu = now.cpu.iter().zip(&before.cpu);
        Used {
            time: now.at - before.at,
            cpu: cpu.map(|(now, before)| now.saturating_sub(*before)).collect(),
            datagrams: now.datagrams.since(&before.datagrams, ALL),
        }
    }

    /// Returns what the room uses in some time in which nobody says anything.
    pub(crate) fn used_idle(&self, time: Duration) -> Used {
        let before = self.usage();
        thread::sleep(time);
        self.used_since(&before)
    }
}

impl Used {
    /// Returns the CPU time of all peers together.
    pub(crate) fn cpu_of_all(&self) -> Duration {
        self.cpu.iter().sum()
    }
}
