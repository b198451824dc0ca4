//! Floor 3: the peer's driver. It owns the sockets, the timer and the key,
//! and moves things between the mesh, the network and the user interface.

mod complaints;
pub mod doctor;
mod drops;
mod headless;
mod hosts;
mod identity;
mod interfaces;
mod limit;
mod sockets;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use headless::Headless;
pub use identity::{Key, KeyError};

use self::complaints::Complaints;
use self::drops::Counts;
use self::hosts::Found;
use self::limit::Limit;
use self::sockets::{Datagram, Opened, Sockets};
use crate::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use crate::model::{
    Command, Event, Heard, HostAddress, Moment, Request, RoomName, State, Tag, Task, Username, Way,
};
use crate::os::{Clock, random_bytes};
use crate::systemd;
use crate::ui::Screen;
use crate::wire::udp::{Entry, EntryFields, Identity, Peek, Room, Sealer, Signer, open};

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

/// Signs entries with the person's key.
struct Pen {
    /// Whose.
    identity: Arc<Identity>,
    /// Where.
    room: Arc<Room>,
}

impl Sign for Pen {
    fn signer(&self) -> Signer {
        self.identity.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.identity.sign_entry(&self.room, fields)
    }
}

/// Everything that the driver holds.
struct Driver<'a> {
    /// Shows both kinds of time.
    clock: Clock,
    /// The engine.
    mesh: Mesh,
    /// Whose datagrams are one's own.
    me: Signer,
    /// Opens datagrams.
    room: Arc<Room>,
    /// Makes datagrams.
    sealer: Sealer,
    /// Sends them.
    sockets: Sockets,
    /// As in [`Network`].
    named: BTreeSet<String>,
    /// Those of them that are not there.
    missing: BTreeSet<String>,
    /// There is no network at all.
    is_offline: bool,
    /// What one address may send.
    limit: Limit,
    /// What was dropped.
    counts: Counts,
    /// What was told already.
    complaints: Complaints,
    /// Shows what happens.
    screen: &'a mut dyn Screen,
    /// Nobody sees what is shown.
    is_blind: bool,
    /// As in [`Setup`].
    hold_back: bool,
    /// Messages that were not acknowledged yet.
    waiting: usize,
    /// When the mesh wants to be woken.
    wake: Option<Moment>,
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
    driver.show(&Event::State(State::Connecting));
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
    matches!(request.command, Command::Do(Task::Say { .. }))
}

impl<'a> Driver<'a> {
    /// Everything in its place; nothing is sent yet.
    fn new(
        setup: Setup,
        sockets: Sockets,
        named: BTreeSet<String>,
        screen: &'a mut dyn Screen,
    ) -> Result<Self, PeerError> {
        let clock = Clock::start();
        let room = Arc::new(setup.sealed);
        let identity = Arc::new(Identity::new(setup.key.seed, random_bytes()?));
        let settings = Settings {
            username: setup.username,
            room: setup.room,
            is_closed: room.kind() != 0,
            ask: setup.ask,
            secret: random_bytes()?,
        };
        let pen = Pen { identity: identity.clone(), room: room.clone() };
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        Ok(Self {
            clock,
            mesh: Mesh::new(settings, Box::new(pen), now),
            me: identity.signer(),
            sealer: Sealer::new(identity, room.clone()),
            room,
            sockets,
            named,
            missing: BTreeSet::new(),
            is_offline: false,
            limit: Limit::default(),
            counts: Counts::default(),
            complaints: Complaints::default(),
            screen,
            is_blind: false,
            hold_back: setup.hold_back,
            waiting: 0,
            wake: None,
        })
    }

    /// What the clocks show.
    fn now(&self) -> Now {
        Now { moment: self.clock.now(), time: self.clock.time_of_day() }
    }

    /// Tells the mesh what has happened.
    fn input(&mut self, input: Input) {
        self.mesh.handle_input(self.now(), input);
    }

    /// Has the mesh do something that nobody has typed.
    fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: Tag::default(), command }));
    }

    /// Does what the mesh wants done. Gives the end when it has come.
    async fn act(&mut self) -> Result<Option<End>, PeerError> {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { ways, addresses, packet } => {
                    let datagram = match &packet {
                        Outgoing::Control(control) => self.sealer.control(control),
                        Outgoing::Entry(entry) => self.sealer.entry(entry),
                    };
                    let datagram = datagram.ok_or(PeerError::UsedUp)?;
                    self.send(&datagram, ways, &addresses).await;
                }
                Output::Event(event) => self.show(&event),
                Output::WakeAt(moment) => self.wake = Some(moment),
                Output::Finished(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// Shows an event. Where nobody sees it any more (a closed pipe), what a
    /// script asks for is still done, up to the end of its input.
    fn show(&mut self, event: &Event) {
        let is_answered = match event {
            Event::Acknowledged { .. } | Event::Unsent { .. } => true,
            Event::Refused(refusal) => refusal.message.is_some(),
            _ => false,
        };
        self.waiting = self.waiting.saturating_sub(usize::from(is_answered));
        if !self.is_blind && self.screen.show(event).is_err() {
            self.is_blind = true;
            if !self.hold_back {
                self.request(Command::Finish { patience: BLIND_PATIENCE });
            }
        }
    }

    /// Tells something that is about no request, not too often.
    fn complain(&mut self, text: String) {
        if self.complaints.is_due(self.clock.now(), &text) {
            self.show(&Event::Problem { code: 0, text });
        }
    }

    /// Logs something that need not concern a person, not too often.
    fn log(&mut self, text: &str) {
        if self.complaints.is_due(self.clock.now(), text) {
            tracing::warn!("{text}");
        }
    }

    /// Sends a datagram. What cannot be sent is lost like any other: only
    /// where none of its copies went it is worth a word.
    async fn send(&mut self, datagram: &[u8], ways: Heard, addresses: &[SocketAddr]) {
        let sent = self.sockets.send(datagram, ways, addresses).await;
        for (way, error) in &sent.failed {
            self.log(&format!("cannot send by {}: {error}", way.map_or("unicast", name_of)));
        }
        // That there is no network has been told.
        if let (0, false, Some((way, error))) = (sent.copies, self.is_offline, sent.failed.first())
        {
            let how = way.map_or_else(String::new, |way| format!(" by {}", name_of(way)));
            self.complain(format!("Nothing can be sent{how}: {error}."));
        }
    }

    /// Something has come by the network.
    fn receive(&mut self, came: io::Result<Datagram>) {
        let datagram = match came {
            Ok(datagram) => datagram,
            Err(error) => {
                // Windows tells here that somebody is gone.
                return self.log(&format!("cannot receive: {error}"));
            }
        };
        let way = self.sockets.way_of(&datagram);
        if way.is_some() && !self.sockets.is_ours(&datagram) {
            return self.counts.count("of another interface");
        }
        let now = self.now();
        if !self.limit.lets_pass(now.moment, datagram.from.ip()) {
            return self.counts.count("too many from one address");
        }
        let mesh = &self.mesh;
        let is_known = |peek| match peek {
            Peek::Entry { sender, author, sequence } => {
                !mesh.may_bring_entries(sender, datagram.from) || mesh.is_known(author, sequence)
            }
            Peek::Control { sender, counter } => mesh.is_replayed(sender, counter),
        };
        match open(&datagram.bytes, &self.room, self.me.id, is_known) {
            Ok((packet, size)) => {
                let from = datagram.from;
                self.mesh.handle_input(now, Input::Received { from, way, size, packet });
            }
            Err(dropped) => self.counts.count_dropped(dropped),
        }
    }

    /// The named hosts have been looked up.
    fn found(&mut self, found: Found) {
        for sentence in found.failed {
            self.complain(sentence);
        }
        self.input(Input::Hosts(found.addresses));
    }

    /// Looks which networks there are.
    fn scan(&mut self) {
        let found = match interfaces::scan(&self.named) {
            Ok(found) => found,
            Err(error) => return self.complain(format!("The networks cannot be listed: {error}.")),
        };
        let missing: BTreeSet<String> =
            self.named.iter().filter(|it| !found.contains_key(*it)).cloned().collect();
        for name in missing.difference(&self.missing.clone()) {
            let text = format!("There is no interface {name}, or it is down: waiting for it.");
            self.show(&Event::Problem { code: 0, text });
        }
        for name in self.missing.clone().difference(&missing) {
            let text = format!("the interface {name} is there");
            self.show(&Event::Done { tag: Tag::default(), text });
        }
        let is_offline = found.is_empty();
        if is_offline && !self.is_offline && self.named.is_empty() {
            let text = "This computer is in no network: waiting for one.".to_owned();
            self.show(&Event::Problem { code: 0, text });
        }
        (self.missing, self.is_offline) = (missing, is_offline);
        for (way, error) in self.sockets.set_interfaces(found) {
            self.log(&format!("cannot join {}: {error}", name_of(way)));
        }
    }

    /// Tells what of the sockets could not be had, where that matters.
    fn tell_closed_ports(&mut self, failed: &[(&'static str, io::Error)]) {
        for (what, error) in failed {
            self.log(&format!("cannot use {what}: {error}"));
        }
        if let (false, Some((what, error))) = (self.sockets.is_shared(), failed.first()) {
            let text = format!(
                "This peer hears only those that it speaks to: {what} cannot be used ({error})."
            );
            self.show(&Event::Problem { code: 0, text });
        }
    }
}

/// How people call a way.
const fn name_of(way: Way) -> &'static str {
    match way {
        Way::GroupV4 => "the IPv4 group",
        Way::GroupV6 => "the IPv6 group",
        Way::Broadcast => "broadcast",
    }
}
