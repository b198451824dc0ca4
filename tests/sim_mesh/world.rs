//! The simulated world: machines, the runs on them, the network between them, and the event loop.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;

use pi_chat::mesh::{Input, Mesh, Now, Settings};
use pi_chat::model::limits::DEFAULT_PORT;
use pi_chat::model::{
    ChatCommand, Command, PeerId, Request, RequestTag, RoomName, RoomSelector, SessionId, Style,
    Username,
};
use pi_chat::wire::udp::Signer;

use super::clock::Clock;
use super::event_queue::{EventKind, Queue};
use super::fault_injector::{FaultInjector, NoFaults};
use super::liars::Liar;
use super::network::{Link, Network, address_v4};
use super::observer::{Departure, GivenUpEntry, NameCollision, Objection, PacketCounts};
use super::peer_run::{NoSignature, PeerRun, RunId, Said, Snapshot, Stage};
use super::random::Random;

/// One millisecond, in microseconds.
pub(crate) const MS: u64 = 1_000;
/// One second, in microseconds.
pub(crate) const S: u64 = 1_000_000;

/// Number of events at one time from which on an engine counts as waking in a busy loop.
const MAX_EVENTS_AT_ONE_TIME: u32 = 1_000_000;

/// Action of a user, a machine or the network. Machines are given by index.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Starts a program with this username. One that runs on the machine already crashes.
    Start(usize, String),
    /// Has the user say this many messages at once, if a program runs and the machine is awake.
    Say(usize, usize),
    /// Crashes the program.
    Crash(usize),
    /// Has the program leave with a goodbye, if the machine is awake.
    Leave(usize),
    /// Suspends a machine. Datagrams that arrive meanwhile are lost.
    Sleep(usize),
    /// Resumes a machine; the flag says whether its monotonic clock has stood still.
    WakeUp(usize, bool),
    /// Steps the wall clock by this many milliseconds.
    StepClock(usize, i64),
    /// Assigns each machine to a partition.
    Split(Vec<u8>),
    /// Opens only these paths (bits, as in [`Link::open`]) from the first machine to the second.
    Open(usize, usize, u8),
    /// Opens only these paths (bits, as in [`Link::open`]) from all machines to all others.
    OpenAll(u8),
    /// Has the liar of this index send one round of lies, and schedules the next round.
    Lie(usize),
    /// Starts the traffic sample.
    StartSample,
    /// Ends the traffic sample.
    EndSample,
}

/// Simulated machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Clocks of the machine.
    pub(crate) clock: Clock,
    /// Run on the machine, if there is one.
    pub(crate) run: Option<RunId>,
    /// Time since which it is suspended; `None` if it is awake.
    pub(crate) asleep: Option<u64>,
    /// Time of its last resume; 0 before the first.
    pub(crate) awake_since: u64,
    /// Number of runs so far.
    starts: u16,
    /// Addresses of the hosts that its user names.
    pub(crate) hosts: Vec<SocketAddr>,
}

/// State of the simulation.
pub(crate) struct World {
    /// Current time, in microseconds since the world began.
    pub(crate) time: u64,
    /// Network between the machines.
    pub(crate) network: Network,
    /// All machines.
    pub(crate) machines: Vec<Machine>,
    /// All runs so far.
    pub(crate) runs: Vec<PeerRun>,
    /// Strangers that lie.
    pub(crate) liars: Vec<Liar>,
    /// Runs by peer id.
    pub(crate) by_id: HashMap<PeerId, RunId>,
    /// Queue of scheduled events.
    pub(crate) queue: Queue,
    /// Source of random choices.
    pub(crate) random: Random,
    /// Fault injector.
    pub(crate) fault_injector: Box<dyn FaultInjector>,
    /// True if the driver asks the engine about duplicates before it checks signatures, which is
    /// optional.
    pub(crate) checks_duplicates_first: bool,
    /// Time between observations of all runs.
    pub(crate) observe_interval: u64,
    /// Time since which two machines can talk to each other, by pair; `u64::MAX`: they cannot.
    connected: Vec<u64>,
    /// Pairs of members that were seen with one name.
    pub(crate) collisions: HashMap<(RunId, RunId), NameCollision>,
    /// Objections that have reached candidates, before fault injection.
    pub(crate) objections: Vec<Objection>,
    /// Members that another member has reported as gone.
    pub(crate) departures: Vec<Departure>,
    /// Entries that were given up.
    pub(crate) given_up: Vec<GivenUpEntry>,
    /// Number of datagrams sent by engines, each copy counted, by packet kind.
    pub(crate) packet_counts: PacketCounts,
    /// Traffic sample; `None` before its start.
    pub(crate) measured: Option<TrafficSample>,
    /// Size of the largest datagram of an engine, in bytes.
    pub(crate) largest: usize,
    /// Greatest loss of all links, from 0 to 1. Set by the scenario, not measured.
    pub(crate) worst_loss: f64,
    /// True if there is neither loss nor any other fault. Set by the scenario.
    pub(crate) is_fault_free: bool,
    /// Number of copies that a datagram to everybody needs; 0 if the scenario takes no traffic
    /// sample.
    pub(crate) paths_in_use: f64,
    /// Start of the quiet phase: messages said before must be everywhere in the end.
    pub(crate) quiet_since: u64,
    /// Last time at which a user was shown a message of somebody else.
    pub(crate) last_delivery: u64,
    /// Snapshot of the newest entries of the run whose last input was a `recall`; `None` after any
    /// other input.
    pub(crate) asked: Option<Snapshot>,
    /// Trace of recent events and its length, if it is enabled.
    trace: Option<(usize, VecDeque<String>)>,
}

/// Traffic between two times. Until the sample ends, the counts are totals at its start.
#[derive(Clone, Debug)]
pub(crate) struct TrafficSample {
    /// Start of the sample.
    pub(crate) from: u64,
    /// End of the sample.
    pub(crate) until: u64,
    /// Number of datagrams of each run, by [`RunId`], each copy counted.
    pub(crate) datagrams: Vec<u64>,
    /// Number of bytes of all runs.
    pub(crate) bytes: u64,
    /// Number of messages said.
    pub(crate) said: u64,
    /// Number of datagrams of all runs, by packet kind.
    pub(crate) packet_counts: PacketCounts,
}

impl World {
    /// Creates a world with idle machines in one segment.
    pub(crate) fn new(machines: usize, link: Link, seed: u64) -> Self {
        let mut world = Self {
            time: 0,
            network: Network::new(machines, link),
            machines: Vec::new(),
            runs: Vec::new(),
            liars: Vec::new(),
            by_id: HashMap::new(),
            queue: Queue::default(),
            random: Random::new(seed),
            fault_injector: Box::new(NoFaults),
            checks_duplicates_first: true,
            observe_interval: if machines > 60 { S } else { 250 * MS },
            connected: vec![0; machines * machines],
            collisions: HashMap::new(),
            objections: Vec::new(),
            departures: Vec::new(),
            given_up: Vec::new(),
            packet_counts: PacketCounts::default(),
            measured: None,
            largest: 0,
            worst_loss: 0.0,
            is_fault_free: false,
            paths_in_use: 1.0,
            quiet_since: 0,
            last_delivery: 0,
            asked: None,
            trace: None,
        };
        let clock = Clock::new(0, 0, 0);
        world.machines.extend((0..machines).map(|_| Machine {
            clock,
            run: None,
            asleep: None,
            awake_since: 0,
            starts: 0,
            hosts: Vec::new(),
        }));
        world.queue.push(world.observe_interval, EventKind::Observe);
        world
    }

    /// Enables the trace of the last `length` events.
    pub(crate) fn trace(&mut self, length: usize) {
        self.trace = Some((length, VecDeque::new()));
    }

    /// Returns the lines of the trace, the oldest first; none if it is not enabled.
    pub(crate) fn last_events(&self) -> impl Iterator<Item = &String> {
        self.trace.iter().flat_map(|(_, events)| events)
    }

    /// Adds a line to the trace if it is enabled.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some((length, events)) = &mut self.trace {
            if events.len() == *length {
                events.pop_front();
            }
            let (seconds, micros) = (self.time / S, self.time % S);
            events.push_back(format!("{seconds:4}.{micros:06} {}", what()));
        }
    }

    /// Schedules an action at a time, in microseconds since the world began.
    pub(crate) fn plan(&mut self, time: u64, action: Action) {
        self.queue.push(time, EventKind::Act(action));
    }

    /// Processes all events up to `end`, and sets the time to `end`. Panics if time stands still
    /// ([`MAX_EVENTS_AT_ONE_TIME`]).
    pub(crate) fn run_until(&mut self, end: u64) {
        let mut at_once = 0;
        while let Some((time, what)) = self.queue.pop_until(end) {
            at_once = if time == self.time { at_once + 1 } else { 0 };
            if at_once > MAX_EVENTS_AT_ONE_TIME {
                panic!("time stands still at {time}: {what:?}");
            }
            self.time = time;
            match what {
                EventKind::Arrive { to, from, path, datagram } => {
                    self.arrive(to, from, path, &datagram)
                }
                EventKind::Deceive { to, input } => self.give(to, input),
                EventKind::Wake(run) => self.wake(run, time),
                EventKind::Act(action) => self.act(action),
                EventKind::Observe => {
                    self.observe();
                    self.queue.push(time + self.observe_interval, EventKind::Observe);
                }
            }
        }
        self.time = end;
    }

    /// Returns true if a run is running on a machine that is awake.
    pub(crate) fn is_awake(&self, run: RunId) -> bool {
        let run = &self.runs[run];
        run.is_running() && self.machines[run.machine].asleep.is_none()
    }

    /// Returns the runs on machines that are awake.
    pub(crate) fn awake(&self) -> impl Iterator<Item = RunId> {
        let runs = self.machines.iter().filter(|it| it.asleep.is_none());
        runs.filter_map(|it| it.run)
    }

    /// Returns the run with this session number; `None` if it is a liar's or nobody's.
    pub(crate) fn run_of(&self, session: SessionId) -> Option<RunId> {
        self.by_id.get(&PeerId(session.0.to_be_bytes())).copied()
    }

    /// Returns the clock readings of a run's machine.
    pub(crate) fn now(&self, run: RunId) -> Now {
        self.machines[self.runs[run].machine].clock.now(self.time)
    }

    /// Returns the time since which two runs can talk to each other, at the earliest the start of
    /// the later one. `None` if they cannot, one has ended, or a machine sleeps.
    pub(crate) fn connected_since(&self, one: RunId, other: RunId) -> Option<u64> {
        let (first, second) = (self.runs[one].machine, self.runs[other].machine);
        let since = self.connected[first * self.machines.len() + second];
        (since != u64::MAX && self.is_awake(one) && self.is_awake(other))
            .then(|| since.max(self.runs[one].began).max(self.runs[other].began))
    }

    /// Updates which machines can talk to each other. Call it after a change of the network.
    pub(crate) fn update_links(&mut self) {
        for machine in 0..self.machines.len() {
            self.update_links_of(machine);
        }
    }

    /// Updates which machines can talk to this one.
    fn update_links_of(&mut self, one: usize) {
        let count = self.machines.len();
        for other in 0..count {
            let are_awake = [one, other].iter().all(|it| self.machines[*it].asleep.is_none());
            let is = one != other && are_awake && self.network.connects(one, other);
            for place in [one * count + other, other * count + one] {
                let since = &mut self.connected[place];
                match (is, *since) {
                    (false, _) => *since = u64::MAX,
                    (true, u64::MAX) => *since = self.time,
                    (true, _) => {}
                }
            }
        }
    }

    /// Carries out an action.
    fn act(&mut self, action: Action) {
        self.note(|| format!("{action:?}"));
        match action {
            Action::Start(machine, name) => self.start(machine, &name),
            Action::Say(machine, count) => {
                for _ in 0..count {
                    self.say(machine);
                }
            }
            Action::Crash(machine) => self.crash(machine),
            Action::Leave(machine) => self.ask(machine, Command::Quit),
            Action::Sleep(machine) => {
                self.machines[machine].asleep.get_or_insert(self.time);
                self.update_links_of(machine);
            }
            Action::WakeUp(machine, stands_still) => self.wake_up(machine, stands_still),
            Action::StepClock(machine, millis) => self.machines[machine].clock.step(millis),
            Action::Split(sides) => {
                self.network.split(|machine| sides[machine]);
                self.update_links();
            }
            Action::Open(from, to, paths) => {
                self.network.link(from, to).open = paths;
                self.update_links_of(from);
            }
            Action::OpenAll(paths) => {
                self.network.links().for_each(|it| it.open = paths);
                self.update_links();
            }
            Action::Lie(liar) => self.lie(liar),
            Action::StartSample => self.measured = Some(self.counts()),
            Action::EndSample => self.end_measuring(),
        }
    }

    /// Returns the traffic so far.
    fn counts(&self) -> TrafficSample {
        TrafficSample {
            from: self.time,
            until: self.time,
            datagrams: self.runs.iter().map(|it| it.datagrams).collect(),
            bytes: self.runs.iter().map(|it| it.bytes).sum(),
            said: self.runs.iter().map(|it| it.written.len() as u64).sum(),
            packet_counts: self.packet_counts,
        }
    }

    /// Ends the traffic sample.
    fn end_measuring(&mut self) {
        let now = self.counts();
        let Some(before) = &mut self.measured else { return };
        before.until = now.until;
        before.bytes = now.bytes - before.bytes;
        before.said = now.said - before.said;
        before.datagrams.resize(now.datagrams.len(), 0);
        for (before, now) in before.datagrams.iter_mut().zip(now.datagrams) {
            *before = now - *before;
        }
        for (before, now) in before.packet_counts.0.iter_mut().zip(now.packet_counts.0) {
            *before = now - *before;
        }
    }

    /// Starts a program, and passes it the named hosts of the machine. One that runs already
    /// crashes.
    fn start(&mut self, machine: usize, name: &str) {
        self.crash(machine);
        let (key, incarnation) = (self.random.bytes(), self.random.bytes());
        let signer = Signer { key, incarnation, id: PeerId(self.random.bytes()) };
        let settings = Settings {
            username: Username::new(name).unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask: false,
            secret: self.random.bytes(),
        };
        let name = settings.username.clone();
        self.machines[machine].starts += 1;
        let now = self.machines[machine].clock.now(self.time);
        let id = self.runs.len();
        self.runs.push(PeerRun {
            machine,
            port: 40_000 + self.machines[machine].starts,
            signer,
            mesh: Mesh::new(settings, Box::new(NoSignature(signer)), now),
            counter: 0,
            due: None,
            queued: u64::MAX,
            stage: Stage::Announcing,
            began: self.time,
            admitted: None,
            ended: None,
            asked_name: name.clone(),
            name,
            nonce: None,
            said: Vec::new(),
            written: Vec::new(),
            shown: Vec::new(),
            gaps: Vec::new(),
            floors: HashMap::new(),
            agreed: Vec::new(),
            proven: HashSet::new(),
            companions: Vec::new(),
            recalls: HashMap::new(),
            histories: Vec::new(),
            heard: Vec::new(),
            goodbyes: HashSet::new(),
            members: HashMap::new(),
            members_changed: false,
            has_left: false,
            reachable: HashSet::new(),
            heard_winning_rival: false,
            datagrams: 0,
            bytes: 0,
        });
        self.by_id.insert(signer.id, id);
        self.machines[machine].run = Some(id);
        let hosts = self.machines[machine].hosts.clone();
        self.give(id, Input::Hosts(hosts));
    }

    /// Has a user say a message with the text `run:index`. Does nothing if no program runs or the
    /// machine sleeps.
    fn say(&mut self, machine: usize) {
        let Some(id) = self.machines[machine].run else { return };
        if !self.is_awake(id) {
            return;
        }
        let at = self.time;
        let said = &mut self.runs[id].said;
        said.push(Said { at, sent_at: None, is_refused: false });
        let text = format!("{id}:{}", said.len() - 1);
        self.ask(
            machine,
            Command::Chat(ChatCommand::Say { room: RoomSelector::Only, style: Style::SAID, text }),
        );
    }

    /// Passes a command of a user, through the fault injector, to the program on a machine. Does
    /// nothing if none runs or the machine sleeps.
    fn ask(&mut self, machine: usize, command: Command) {
        let Some(id) = self.machines[machine].run else { return };
        let tag = match &command {
            Command::Chat(ChatCommand::Say { text, .. }) => RequestTag(Some(text.as_str().into())),
            _ => RequestTag::default(),
        };
        for request in self.fault_injector.asked(id, Request { tag, command }) {
            self.give(id, Input::Request(request));
        }
    }

    /// Crashes the program on a machine, if one runs.
    fn crash(&mut self, machine: usize) {
        if let Some(id) = self.machines[machine].run {
            self.note_companions(id);
            self.machines[machine].run = None;
            self.runs[id].stage = Stage::Crashed;
            self.runs[id].ended = Some(self.time);
        }
    }

    /// Resumes a machine, and wakes its program. Does nothing if the machine is awake.
    /// `stands_still`: true if its monotonic clock has stood still meanwhile.
    fn wake_up(&mut self, machine: usize, stands_still: bool) {
        let Some(since) = self.machines[machine].asleep.take() else { return };
        self.machines[machine].awake_since = self.time;
        if stands_still {
            self.machines[machine].clock.stand_still(since, self.time);
        }
        self.update_links_of(machine);
        if let Some(id) = self.machines[machine].run {
            self.give(id, Input::Wake);
        }
    }

    /// Handles a scheduled wake-up: wakes the engine if it is due, otherwise schedules it again.
    /// Ignores a wake-up that an earlier one has replaced. A sleeping machine is woken only when it
    /// resumes.
    fn wake(&mut self, id: RunId, time: u64) {
        if self.runs[id].queued != time {
            // A wake-up that was scheduled later has come before.
            return;
        }
        self.runs[id].queued = u64::MAX;
        if !self.is_awake(id) {
            return;
        }
        let Some(due) = self.runs[id].due else { return };
        if due <= self.now(id).moment {
            self.runs[id].due = None;
            self.give(id, Input::Wake);
        } else {
            self.queue_wake(id);
        }
    }

    /// Schedules the wake-up of an engine unless an earlier one is scheduled.
    pub(crate) fn queue_wake(&mut self, id: RunId) {
        let Some(due) = self.runs[id].due else { return };
        let clock = &self.machines[self.runs[id].machine].clock;
        let time = clock.time_of(due).max(self.time);
        if time < self.runs[id].queued {
            self.runs[id].queued = time;
            self.queue.push(time, EventKind::Wake(id));
        }
    }

    /// Returns the IPv4 addresses of all machines, by index, as named hosts for worlds without
    /// paths.
    pub(crate) fn all_hosts(&self) -> Vec<SocketAddr> {
        (0..self.machines.len()).map(|it| address_v4(it, 0, DEFAULT_PORT)).collect()
    }
}
