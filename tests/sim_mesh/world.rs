//! The world: machines, the runs on them, the network between them, and
//! what happens, one thing after the other.

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
use super::network::{Link, Network, address_v4};
use super::observer::{Departure, GivenUpEntry, NameCollision, Objection, PacketCounts};
use super::peer_run::{NoSignature, PeerRun, RunId, Said, Snapshot, Stage};
use super::random::Random;

/// A thousandth of a second.
pub(crate) const MS: u64 = 1_000;
/// A second.
pub(crate) const S: u64 = 1_000_000;

/// So many things at one time mean that some engine wants to be woken again
/// and again.
const MAX_EVENTS_AT_ONE_TIME: u32 = 1_000_000;

/// Something that people, machines or the network do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A program is started and wants to be called so. One that runs already
    /// on the machine vanishes.
    Start(usize, String),
    /// A person says so many messages at once.
    Say(usize, usize),
    /// A program vanishes.
    Crash(usize),
    /// A program leaves, with a goodbye.
    Leave(usize),
    /// A machine falls asleep.
    Sleep(usize),
    /// It wakes. Its monotonic clock has stood still meanwhile, or not.
    WakeUp(usize, bool),
    /// The time of day jumps by so many milliseconds.
    StepClock(usize, i64),
    /// Machines on different sides do not hear each other.
    Split(Vec<u8>),
    /// From one machine to another only these ways get through.
    Open(usize, usize, u8),
    /// From all machines to all others these ways get through.
    OpenAll(u8),
    /// Datagrams are counted from now on.
    StartSample,
    /// Until now.
    EndSample,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its clocks.
    pub(crate) clock: Clock,
    /// The run that runs on it.
    pub(crate) run: Option<RunId>,
    /// Since when it sleeps.
    pub(crate) asleep: Option<u64>,
    /// Since when it does not.
    pub(crate) awake_since: u64,
    /// How many runs there were.
    starts: u16,
    /// The hosts that its person names.
    pub(crate) hosts: Vec<SocketAddr>,
}

/// The world.
pub(crate) struct World {
    /// Microseconds since it began.
    pub(crate) time: u64,
    /// The network.
    pub(crate) network: Network,
    /// The machines.
    pub(crate) machines: Vec<Machine>,
    /// All runs there were.
    pub(crate) runs: Vec<PeerRun>,
    /// Who is who.
    pub(crate) by_id: HashMap<PeerId, RunId>,
    /// EventKind will happen.
    pub(crate) queue: Queue,
    /// Chance.
    pub(crate) random: Random,
    /// Breaks something.
    pub(crate) fault_injector: Box<dyn FaultInjector>,
    /// The driver asks the engine what it knows already before it checks
    /// signatures. (It need not.)
    pub(crate) checks_duplicates_first: bool,
    /// How often the world looks at everybody.
    pub(crate) observe_interval: u64,
    /// Since when two machines can talk to each other; `u64::MAX`: they can't.
    connected: Vec<u64>,
    /// Two that were seen with one name.
    pub(crate) collisions: HashMap<(RunId, RunId), NameCollision>,
    /// Objections that have reached candidates.
    pub(crate) objections: Vec<Objection>,
    /// Members that others have taken for gone.
    pub(crate) departures: Vec<Departure>,
    /// Entries that somebody has given up.
    pub(crate) given_up: Vec<GivenUpEntry>,
    /// Datagrams sent, by their packet_counts.
    pub(crate) packet_counts: PacketCounts,
    /// EventKind was sent while it was measured.
    pub(crate) measured: Option<TrafficSample>,
    /// The largest datagram.
    pub(crate) largest: usize,
    /// The greatest share of datagrams that was ever lost between two.
    pub(crate) worst_loss: f64,
    /// Nothing is lost, and nobody is kept from anybody.
    pub(crate) is_fault_free: bool,
    /// Copies of what goes to everybody that are needed.
    pub(crate) paths_in_use: f64,
    /// EventKind was said until then has to be everywhere in the end.
    pub(crate) deadline_for_all: u64,
    /// The last message of all that was shown for the first time to somebody.
    pub(crate) last_delivery: u64,
    /// The newest entries of whoever is being asked for its history.
    pub(crate) asked: Option<Snapshot>,
    /// EventKind has happened lately, if anybody wants to know.
    trace: Option<(usize, VecDeque<String>)>,
}

/// EventKind was sent between two times.
#[derive(Clone, Debug)]
pub(crate) struct TrafficSample {
    /// From when.
    pub(crate) from: u64,
    /// Until when.
    pub(crate) until: u64,
    /// Datagrams of each run.
    pub(crate) datagrams: Vec<u64>,
    /// Bytes of all.
    pub(crate) bytes: u64,
    /// Messages that were said.
    pub(crate) said: u64,
    /// Datagrams of all, by their packet_counts.
    pub(crate) packet_counts: PacketCounts,
}

impl World {
    /// So many machines in one network, with nothing on them.
    pub(crate) fn new(machines: usize, link: Link, seed: u64) -> Self {
        let mut world = Self {
            time: 0,
            network: Network::new(machines, link),
            machines: Vec::new(),
            runs: Vec::new(),
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
            deadline_for_all: 0,
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

    /// Remembers the last so many things that happen.
    pub(crate) fn trace(&mut self, length: usize) {
        self.trace = Some((length, VecDeque::new()));
    }

    /// EventKind has happened lately.
    pub(crate) fn last_events(&self) -> impl Iterator<Item = &String> {
        self.trace.iter().flat_map(|(_, events)| events)
    }

    /// Writes down what happens, if anybody wants to know.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some((length, events)) = &mut self.trace {
            if events.len() == *length {
                events.pop_front();
            }
            let (seconds, micros) = (self.time / S, self.time % S);
            events.push_back(format!("{seconds:4}.{micros:06} {}", what()));
        }
    }

    /// Plans an action.
    pub(crate) fn plan(&mut self, time: u64, action: Action) {
        self.queue.push(time, EventKind::Act(action));
    }

    /// Lets time pass.
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

    /// Whether a run runs on a machine that is awake.
    pub(crate) fn is_awake(&self, run: RunId) -> bool {
        let run = &self.runs[run];
        run.is_running() && self.machines[run.machine].asleep.is_none()
    }

    /// Lives that run on machines that are awake.
    pub(crate) fn awake(&self) -> impl Iterator<Item = RunId> {
        let runs = self.machines.iter().filter(|it| it.asleep.is_none());
        runs.filter_map(|it| it.run)
    }

    /// The run with this number in what is shown.
    pub(crate) fn run_of(&self, session: SessionId) -> Option<RunId> {
        self.by_id.get(&PeerId(session.0.to_be_bytes())).copied()
    }

    /// EventKind the clocks of a run's machine show.
    pub(crate) fn now(&self, run: RunId) -> Now {
        self.machines[self.runs[run].machine].clock.now(self.time)
    }

    /// Since when two runs can talk to each other, if they can.
    pub(crate) fn connected_since(&self, one: RunId, other: RunId) -> Option<u64> {
        let (first, second) = (self.runs[one].machine, self.runs[other].machine);
        let since = self.connected[first * self.machines.len() + second];
        (since != u64::MAX && self.is_awake(one) && self.is_awake(other))
            .then(|| since.max(self.runs[one].began).max(self.runs[other].began))
    }

    /// Notes which machines can talk to which.
    pub(crate) fn update_links(&mut self) {
        for machine in 0..self.machines.len() {
            self.update_links_of(machine);
        }
    }

    /// Notes who can talk to this one.
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

    /// Somebody does something.
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
            Action::StartSample => self.measured = Some(self.counts()),
            Action::EndSample => self.end_measuring(),
        }
    }

    /// EventKind was sent so far.
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

    /// Keeps what was sent since it began to be measured.
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

    /// Starts a program.
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
            name,
            nonce: None,
            said: Vec::new(),
            written: Vec::new(),
            shown: Vec::new(),
            gaps: Vec::new(),
            floors: HashMap::new(),
            agreed: Vec::new(),
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

    /// A person says something.
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

    /// A person wants something of the program on a machine.
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

    /// The program on a machine vanishes.
    fn crash(&mut self, machine: usize) {
        if let Some(id) = self.machines[machine].run {
            self.note_companions(id);
            self.machines[machine].run = None;
            self.runs[id].stage = Stage::Crashed;
            self.runs[id].ended = Some(self.time);
        }
    }

    /// A machine wakes.
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

    /// The time has come that an engine may have asked for.
    fn wake(&mut self, id: RunId, time: u64) {
        if self.runs[id].queued != time {
            // Another, planned later, came before.
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

    /// Plans to wake an engine, unless it will be looked at before.
    pub(crate) fn queue_wake(&mut self, id: RunId) {
        let Some(due) = self.runs[id].due else { return };
        let clock = &self.machines[self.runs[id].machine].clock;
        let time = clock.time_of(due).max(self.time);
        if time < self.runs[id].queued {
            self.runs[id].queued = time;
            self.queue.push(time, EventKind::Wake(id));
        }
    }

    /// Names of all machines as hosts, for whom there are no ways.
    pub(crate) fn all_hosts(&self) -> Vec<SocketAddr> {
        (0..self.machines.len()).map(|it| address_v4(it, 0, DEFAULT_PORT)).collect()
    }
}
