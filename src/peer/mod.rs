//! Floor 3: the peer's driver. It owns the sockets, the timer and the key,
//! and moves things between the mesh, the network and the user interface.

mod complaints;
pub mod doctor;
mod driver;
mod drops;
mod headless;
mod hosts;
mod identity;
mod interfaces;
mod limit;
mod sockets;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use headless::Headless;
pub use identity::{Key, KeyError};

use self::driver::Driver;
use self::sockets::Opened;
use crate::mesh::{End, Input};
use crate::model::{
    ChatCommand, Command, ConnectionState, Event, HostAddress, Request, RoomName, Username, Way,
};
use crate::systemd;
use crate::ui::Screen;
use crate::wire::udp::Room;

/// How long to wait for answers where nobody has said how long.
const BLIND_PATIENCE: Duration = Duration::from_secs(60);

/// Networks come and go: they are looked at again after so long.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// What was dropped is logged so often, if there was anything.
const COUNT_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Datagrams that are taken before anything else gets its turn.
const MAX_DATAGRAMS: usize = 64;

/// Messages of a script that wait to be acknowledged before more of its
/// input is read.
const MAX_WAITING: usize = 64;

/// What a peer runs with.
pub struct Setup {
    /// What the person would like to be called.
    pub username: Username,
    /// The room.
    pub room: RoomName,
    /// The same as its datagrams know it.
    pub sealed: Room,
    /// Who the person is.
    pub key: Key,
    /// Ask the person about each newcomer.
    pub ask: bool,
    /// Where and how to reach others.
    pub network: Network,
    /// The requests come from an input that can wait and that ends: do not
    /// take more of them than can be sent soon, and take all of them even
    /// where nobody sees what becomes of them.
    pub hold_back: bool,
}

/// Where and how to reach others.
#[derive(Clone, Debug)]
pub struct Network {
    /// The room's port.
    pub port: u16,
    /// Only these interfaces; none: all but loopbacks.
    pub interfaces: BTreeSet<String>,
    /// Hosts beyond the network.
    pub hosts: Vec<HostAddress>,
}

/// Why a peer cannot run.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Neither IPv4 nor IPv6 works.
    #[error("this computer has no network")]
    Network(#[source] io::Error),
    /// The operating system has no randomness.
    #[error("the system's random source does not work")]
    Random(#[from] getrandom::Error),
    /// It has sent as much as one can.
    #[error("this peer has sent all that it can; start it again")]
    UsedUp,
}

/// Runs a peer to its end. `interrupted` resolves when the operating system
/// wants it to end.
///
/// # Errors
/// [`PeerError`] if it cannot begin, or not go on.
pub async fn run(
    setup: Setup,
    screen: &mut dyn Screen,
    mut requests: mpsc::Receiver<Request>,
    interrupted: impl Future<Output = ()>,
) -> Result<End, PeerError> {
    let Opened { sockets, mut incoming, failed } =
        sockets::open(setup.network.port).map_err(PeerError::Network)?;
    let (hosts, named) = (setup.network.hosts.clone(), setup.network.interfaces.clone());
    let mut driver = Driver::new(setup, sockets, named, screen)?;
    driver.tell_closed_ports(&failed);
    let (found, mut lookups) = mpsc::channel(1);
    let mut helpers = JoinSet::new();
    if !hosts.is_empty() {
        helpers.spawn(hosts::look_up(hosts, found));
    }
    let ticks = |period| {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let watchdog = systemd::watchdog();
    // Twice within the limit, with time to spare for a slow machine. The
    // first tick comes at once.
    let mut beats = ticks(watchdog.map_or(COUNT_INTERVAL, |limit| limit / 3));
    let (mut scans, mut counts) = (ticks(SCAN_INTERVAL), ticks(COUNT_INTERVAL));
    let mut interrupted = std::pin::pin!(interrupted);
    let (mut may_be_interrupted, mut has_requests, mut is_leaving) = (true, true, false);
    driver.show(&Event::Connection(ConnectionState::Connecting));
    // The first words are to go out by all networks.
    driver.scan();
    loop {
        if let Some(end) = driver.act().await? {
            driver.counts.log(driver.mesh.drops());
            return Ok(end);
        }
        let takes_requests = has_requests && !(driver.hold_back && driver.waiting >= MAX_WAITING);
        let wake = driver.wake.map(|moment| Instant::from_std(driver.clock.instant(moment)));
        tokio::select! {
            Some(came) = incoming.recv() => {
                driver.receive(came);
                for _ in 1..MAX_DATAGRAMS {
                    let Ok(came) = incoming.try_recv() else { break };
                    driver.receive(came);
                }
            }
            request = requests.recv(), if takes_requests => match request {
                Some(request) => {
                    is_leaving |= matches!(request.command, Command::Finish { .. });
                    driver.waiting += usize::from(is_message(&request));
                    driver.input(Input::Request(request));
                }
                None => {
                    has_requests = false;
                    // Nobody is left who could ask for the end.
                    if !is_leaving {
                        driver.request(Command::Finish { patience: BLIND_PATIENCE });
                    }
                }
            },
            Some(found) = lookups.recv() => driver.found(found),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                driver.wake = None;
                driver.input(Input::Wake);
            }
            _ = scans.tick() => driver.scan(),
            _ = counts.tick() => driver.counts.log(driver.mesh.drops()),
            _ = beats.tick(), if watchdog.is_some() => systemd::tell_alive(),
            () = &mut interrupted, if may_be_interrupted => {
                may_be_interrupted = false;
                systemd::tell_stopping();
                driver.request(Command::Quit);
            }
        }
    }
}

/// Whether it is a message, which ends in being acknowledged or not.
const fn is_message(request: &Request) -> bool {
    matches!(request.command, Command::Chat(ChatCommand::Say { .. }))
}

/// How people call a way.
const fn name_of(way: Way) -> &'static str {
    match way {
        Way::GroupV4 => "the IPv4 group",
        Way::GroupV6 => "the IPv6 group",
        Way::Broadcast => "broadcast",
    }
}
