//! Layer 3: driver of the peer. It owns the sockets, the timers and the signing key. It connects
//! the mesh engine with the network and the user interface.

mod bounded_buckets;
pub mod doctor;
mod driver;
mod drop_counters;
mod headless;
mod host_lookup;
mod interfaces;
mod key;
mod path_failures;
mod signature_budget;
mod socket_texts;
mod sockets;
mod source_limiter;
mod unsent_messages;
mod warning_limiter;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use headless::HeadlessScreen;
pub use key::PeerKey;

use self::driver::Driver;
use self::sockets::OpenedSockets;
use crate::l10n::{self, Language};
use crate::mesh::{End, Input};
use crate::model::{
    ChatCommand, Command, ConnectionState, ErrorCode, Event, HostAddress, Path, Request, RoomName,
    Username,
};
use crate::systemd;
use crate::text;
use crate::ui::Screen;
use crate::wire::udp::Room;

/// Maximum time without progress of delivery in a graceful shutdown that the driver itself starts.
/// The driver shuts down when all senders of requests are gone, or when the output of the user
/// interface is closed.
const DEFAULT_FINISH_PATIENCE: Duration = Duration::from_secs(60);

/// Time between two scans of the network interfaces. A failed send may cause a scan in between.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two log lines with the counters of dropped datagrams. If the counters have not
/// changed, no line is written. When the peer ends, a further line is written.
const DROP_SUMMARY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Maximum number of datagrams handled in a row. Then timers, requests and other events get their
/// turn.
const MAX_DATAGRAM_BATCH: usize = 64;

/// Number of unacknowledged messages at which the driver stops taking requests of a script
/// (back-pressure).
const MAX_UNACKNOWLEDGED: usize = 64;

/// Result of a peer whose user leaves instead of choosing another username.
const LEFT_UNJOINED: End = End::Left { unsent: 0, refused: 0 };

/// Settings of a peer's driver.
pub struct PeerSettings {
    /// Requested username.
    pub username: Username,
    /// Name of the room to join.
    pub room: RoomName,
    /// Room id and encryption key of the same room, for its datagrams.
    pub wire_room: Room,
    /// Signing key of the user, with the lock on its file.
    pub key: PeerKey,
    /// True if the user is asked before a candidate is admitted.
    pub ask: bool,
    /// True if there is a user who can answer [`Event::NameWanted`]. If false, the peer ends when
    /// the username is refused.
    pub can_ask_name: bool,
    /// UDP port, network interfaces, and hosts outside the local network.
    pub network: NetworkSettings,
    /// True if the requests come from a script, whose input ends and can be paused. Then the driver
    /// takes no requests while 64 or more messages are unacknowledged. It also carries out all
    /// requests even if the output is closed.
    pub throttle_requests: bool,
}

/// Network settings of a peer.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// UDP port of the room.
    pub port: u16,
    /// Names of the network interfaces to use. Empty: all except loopbacks.
    pub interfaces: BTreeSet<String>,
    /// Hosts outside the local network. Announces go to their addresses too, and so do some
    /// heartbeats until a member is known there.
    pub hosts: Vec<HostAddress>,
}

/// Reason why a peer cannot start or continue.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Neither an IPv4 nor an IPv6 socket can be opened.
    #[error("this computer is not on a network")]
    Network(#[source] io::Error),
    /// The operating system's random source fails.
    #[error("the system's random source does not work")]
    Random(#[from] getrandom::Error),
    /// All 2⁴⁸−1 datagram counters are used up. After a restart, the counters begin anew.
    #[error("this peer has sent as many messages as it can. Start it again")]
    UsedUp,
}

/// Runs a peer until its mesh engine has finished, and returns how it has ended. Passes `requests`
/// to the engine, and shows the events on `screen`. When `interrupted` resolves, the engine is
/// asked to quit. When all senders of `requests` are gone, it is asked to finish. So it is when the
/// output of `screen` is closed, unless requests come from a script
/// ([`PeerSettings::throttle_requests`]). Also tells systemd that the peer is alive, and when it is
/// interrupted, that it stops.
///
/// If the username is refused, the user may be asked for another ([`PeerSettings::can_ask_name`]).
/// Meanwhile an interrupt, a quit or finish, or the end of the requests ends the peer at once with
/// [`End::Left`] and no message unsent; other requests are dropped.
///
/// # Errors
/// [`PeerError`] if the sockets cannot be opened, the random source fails, or the datagram counters
/// are used up.
pub async fn run(
    setup: PeerSettings,
    screen: &mut dyn Screen,
    mut requests: mpsc::Receiver<Request>,
    interrupted: impl Future<Output = ()>,
) -> Result<End, PeerError> {
    let OpenedSockets { sockets, mut incoming, failed } =
        sockets::open(setup.network.port).map_err(PeerError::Network)?;
    let NetworkSettings { port, interfaces: selected_interfaces, hosts } = setup.network.clone();
    let mut driver = Driver::new(setup, sockets, selected_interfaces, screen)?;
    driver.report_unusable_sockets(port, &failed);
    let (found, mut lookups) = mpsc::channel(1);
    let mut background_tasks = JoinSet::new();
    if !hosts.is_empty() {
        background_tasks.spawn(host_lookup::resolve_repeatedly(hosts, found));
    }
    let ticks = |period| {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let watchdog = systemd::watchdog_timeout();
    // Notify at least twice within the timeout, with a margin for slow machines. The first tick is
    // immediate.
    let mut watchdog_ticks = ticks(watchdog.map_or(DROP_SUMMARY_INTERVAL, |limit| limit / 3));
    let (mut scan_ticks, mut drop_counters) = (ticks(SCAN_INTERVAL), ticks(DROP_SUMMARY_INTERVAL));
    let mut interrupted = std::pin::pin!(interrupted);
    let (mut awaits_interrupt, mut requests_open, mut is_leaving) = (true, true, false);
    driver.show(&Event::Connection(ConnectionState::Connecting));
    // Scan first, so that the first datagrams go out on all networks.
    driver.scan_interfaces();
    loop {
        if let Some(end) = driver.process_outputs().await?
            && let Some(end) = driver.ask_name_after(end)
        {
            driver.drop_counters.log_if_changed(driver.mesh.drops());
            return Ok(end);
        }
        let takes_requests = requests_open
            && !(driver.throttle_requests && driver.unacknowledged >= MAX_UNACKNOWLEDGED);
        let wake = driver.wake_at.map(|moment| Instant::from_std(driver.clock.instant(moment)));
        tokio::select! {
            Some(received) = incoming.recv() => {
                driver.receive(received);
                for _ in 1..MAX_DATAGRAM_BATCH {
                    let Ok(received) = incoming.try_recv() else { break };
                    driver.receive(received);
                }
            }
            request = requests.recv(), if takes_requests => match request {
                Some(request) if driver.is_asking_name => match request.command {
                    Command::Name(name) => driver.try_username(&name)?,
                    Command::Quit | Command::Finish { .. } => return Ok(LEFT_UNJOINED),
                    // Nobody is there to carry it out.
                    _ => {}
                },
                Some(request) => {
                    is_leaving |= matches!(request.command, Command::Finish { .. });
                    driver.unacknowledged += usize::from(is_message(&request));
                    driver.input(Input::Request(request));
                }
                None if driver.is_asking_name => return Ok(LEFT_UNJOINED),
                None => {
                    requests_open = false;
                    // The driver must ask for the end itself: no further request can come.
                    if !is_leaving {
                        driver.request(Command::Finish { patience: DEFAULT_FINISH_PATIENCE });
                    }
                }
            },
            Some(found) = lookups.recv() => driver.handle_resolved_hosts(found),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                driver.wake_at = None;
                driver.input(Input::Wake);
            }
            _ = scan_ticks.tick() => driver.scan_interfaces(),
            _ = drop_counters.tick() => driver.drop_counters.log_if_changed(driver.mesh.drops()),
            _ = watchdog_ticks.tick(), if watchdog.is_some() => systemd::notify_alive(),
            () = &mut interrupted, if awaits_interrupt => {
                awaits_interrupt = false;
                systemd::notify_stopping();
                if driver.is_asking_name {
                    return Ok(LEFT_UNJOINED);
                }
                driver.request(Command::Quit);
            }
        }
    }
}

/// Returns the reason of a rejection as text for the user: the standard text of the code, then the
/// other peer's own text, not sanitised, if it differs. An unknown code has no standard text. If
/// there is neither text, says that no reason is given.
#[must_use]
pub fn rejection_reason(code: u16, reason: &str) -> String {
    let code = ErrorCode::from_number(code);
    let default = code.map_or("", ErrorCode::default_text);
    let own = Some(reason.trim()).filter(|it| !it.is_empty() && *it != default);
    let meaning = code.map(meaning_of);
    match (meaning, own.map(objection_text)) {
        (None, None) => text!("peer-no-reason"),
        (None, Some(own)) => own,
        (Some(meaning), None) => meaning,
        (Some(meaning), Some(own)) => format!("{meaning} {own}"),
    }
}

/// Returns what an error of another peer means, for people.
fn meaning_of(code: ErrorCode) -> String {
    let known = l10n::find(&format!("error-{}", code.name()), []);
    // In English, the code's own text is the same, or says more.
    known
        .filter(|_| l10n::language() != Language::English)
        .unwrap_or_else(|| code.default_text().to_owned())
}

/// Returns what another peer says about its objection, in the user's language if the peer's program
/// has made the sentence (`docs/protocol/udp.md`), otherwise as it is.
fn objection_text(own: &str) -> String {
    if let Some((name, rest)) = own.split_once(" has been here for ")
        && let Some((count, unit)) = rest.strip_suffix('.').and_then(|it| it.split_once(' '))
        && let Ok(count) = count.parse::<u64>()
        && ["seconds", "minutes", "hours", "days"].contains(&unit)
    {
        return text!("peer-has-been-here", name = name, count = count, unit = unit);
    }
    if let Some((name, rest)) = own.split_once(" was here ")
        && let Some(seconds) = rest.strip_suffix(" s ago; try again.")
        && let Ok(seconds) = seconds.parse::<u64>()
    {
        return text!("peer-was-here", name = name, seconds = seconds);
    }
    own.to_owned()
}

/// Returns true if the request sends a message to the room. Such a request is answered later: by an
/// acknowledgement, a refusal, or the report that the message was not sent.
const fn is_message(request: &Request) -> bool {
    matches!(request.command, Command::Chat(ChatCommand::Say { .. }))
}

/// Returns the name of a path, for texts for people.
const fn path_name(path: Path) -> &'static str {
    match path {
        Path::GroupV4 => "the IPv4 group",
        Path::GroupV6 => "the IPv6 group",
        Path::Broadcast => "broadcast",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::tests::with_language;

    /// What another peer says about a taken name is told in the user's language, with the plural of
    /// the number; other words stay as they are.
    #[test]
    fn objections_of_peers_have_words() {
        let told = |own: &str| {
            let english = objection_text(own);
            (english, with_language(Language::German, || objection_text(own)))
        };
        for (own, english, german) in [
            (
                "bea has been here for 1 seconds.",
                "bea has been here for 1 second.",
                "bea ist seit 1 Sekunde hier.",
            ),
            (
                "bea has been here for 2 days.",
                "bea has been here for 2 days.",
                "bea ist seit 2 Tagen hier.",
            ),
            ("Not today.", "Not today.", "Not today."),
        ] {
            assert_eq!(told(own), (english.to_owned(), german.to_owned()));
        }
    }
}
