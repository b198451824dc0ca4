//! The world: machines, the lives on them, the network between them, and
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
use super::life::{Life, LifeId, NoSignature, Said, Snapshot, Stage};
use super::network::{Link, Network, address_v4};
use super::queue::{Queue, What};
use super::random::Random;
use super::saboteur::{Nobody, Saboteur};
use super::watch::{Collision, Departure, GivenUp, Kinds, Objection};

/// A thousandth of a second.
pub(crate) const MS: u64 = 1_000;
/// A second.
pub(crate) const S: u64 = 1_000_000;

/// So many things at one time mean that some engine wants to be woken again
/// and again.
const STANDSTILL: u32 = 1_000_000;

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
    Measure,
    /// Until now.
    Measured,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its clocks.
    pub(crate) clock: Clock,
    /// The life that runs on it.
    pub(crate) life: Option<LifeId>,
    /// Since when it sleeps.
    pub(crate) asleep: Option<u64>,
    /// Since when it does not.
    pub(crate) awake_since: u64,
    /// How many lives there were.
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
    /// All lives there were.
    pub(crate) lives: Vec<Life>,
    /// Who is who.
    pub(crate) by_id: HashMap<PeerId, LifeId>,
    /// What will happen.
    pub(crate) queue: Queue,
    /// Chance.
    pub(crate) random: Random,
    /// Breaks something.
    pub(crate) saboteur: Box<dyn Saboteur>,
    /// The driver asks the engine what it knows already before it checks
    /// signatures. (It need not.)
    pub(crate) asks_first: bool,
    /// How often the world looks at everybody.
    pub(crate) look_each: u64,
    /// Since when two machines can talk to each other; `u64::MAX`: they can't.
    connected: Vec<u64>,
    /// Two that were seen with one name.
    pub(crate) collisions: HashMap<(LifeId, LifeId), Collision>,
    /// Objections that have reached candidates.
    pub(crate) objections: Vec<Objection>,
    /// Members that others have taken for gone.
    pub(crate) departures: Vec<Departure>,
    /// Entries that somebody has given up.
    pub(crate) given_up: Vec<GivenUp>,
    /// Datagrams sent, by their kinds.
    pub(crate) kinds: Kinds,
    /// What was sent while it was measured.
    pub(crate) measured: Option<Measured>,
    /// The largest datagram.
    pub(crate) largest: usize,
    /// The greatest share of datagrams that was ever lost between two.
    pub(crate) worst_loss: f64,
    /// Nothing is lost, and nobody is kept from anybody.
    pub(crate) is_calm: bool,
    /// Copies of what goes to everybody that are needed.
    pub(crate) paths_in_use: f64,
    /// What was said until then has to be everywhere in the end.
    pub(crate) quiet_since: u64,
    /// The last message of all that was shown for the first time to somebody.
    pub(crate) last_delivery: u64,
    /// The newest entries of whoever is being asked for its history.
    pub(crate) asked: Option<Snapshot>,
    /// What has happened lately, if anybody wants to know.
    trace: Option<(usize, VecDeque<String>)>,
}

/// What was sent between two times.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// From when.
    pub(crate) from: u64,
    /// Until when.
    pub(crate) until: u64,
    /// Datagrams of each life.
    pub(crate) datagrams: Vec<u64>,
    /// Bytes of all.
    pub(crate) bytes: u64,
    /// Messages that were said.
    pub(crate) said: u64,
    /// Datagrams of all, by their kinds.
    pub(crate) kinds: Kinds,
}

impl World {
    /// So many machines in one network, with nothing on them.
    pub(crate) fn new(machines: usize, link: Link, seed: u64) -> Self {
        let mut world = Self {
            time: 0,
            network: Network::new(machines, link),
            machines: Vec::new(),
            lives: Vec::new(),
            by_id: HashMap::new(),
            queue: Queue::default(),
            random: Random::new(seed),
            saboteur: Box::new(Nobody),
            asks_first: true,
            look_each: if machines > 60 { S } else { 250 * MS },
            connected: vec![0; machines * machines],
            collisions: HashMap::new(),
            objections: Vec::new(),
            departures: Vec::new(),
            given_up: Vec::new(),
            kinds: Kinds::default(),
            measured: None,
            largest: 0,
            worst_loss: 0.0,
            is_calm: false,
            paths_in_use: 1.0,
            quiet_since: 0,
            last_delivery: 0,
            asked: None,
            trace: None,
        };
        let clock = Clock::new(0, 0, 0);
        world.machines.extend((0..machines).map(|_| Machine {
            clock,
            life: None,
            asleep: None,
            awake_since: 0,
            starts: 0,
            hosts: Vec::new(),
        }));
        world.queue.push(world.look_each, What::Look);
        world
    }

    /// Remembers the last so many things that happen.
    pub(crate) fn trace(&mut self, length: usize) {
        self.trace = Some((length, VecDeque::new()));
    }

    /// What has happened lately.
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
        self.queue.push(time, What::Act(action));
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, end: u64) {
        let mut at_once = 0;
        while let Some((time, what)) = self.queue.pop_until(end) {
            at_once = if time == self.time { at_once + 1 } else { 0 };
            if at_once > STANDSTILL {
                panic!("time stands still at {time}: {what:?}");
            }
            self.time = time;
            match what {
                What::Arrive { to, from, path, datagram } => self.arrive(to, from, path, &datagram),
                What::Wake(life) => self.wake(life, time),
                What::Act(action) => self.act(action),
                What::Look => {
                    self.look();
                    self.queue.push(time + self.look_each, What::Look);
                }
            }
        }
        self.time = end;
    }

    /// Whether a life runs on a machine that is awake.
    pub(crate) fn is_awake(&self, life: LifeId) -> bool {
        let life = &self.lives[life];
        life.is_running() && self.machines[life.machine].asleep.is_none()
    }

    /// Lives that run on machines that are awake.
    pub(crate) fn awake(&self) -> impl Iterator<Item = LifeId> {
        let lives = self.machines.iter().filter(|it| it.asleep.is_none());
        lives.filter_map(|it| it.life)
    }

    /// The life with this number in what is shown.
    pub(crate) fn life_of(&self, session: SessionId) -> Option<LifeId> {
        self.by_id.get(&PeerId(session.0.to_be_bytes())).copied()
    }

    /// What the clocks of a life's machine show.
    pub(crate) fn now(&self, life: LifeId) -> Now {
        self.machines[self.lives[life].machine].clock.now(self.time)
    }

    /// Since when two lives can talk to each other, if they can.
    pub(crate) fn connected_since(&self, one: LifeId, other: LifeId) -> Option<u64> {
        let (first, second) = (self.lives[one].machine, self.lives[other].machine);
        let since = self.connected[first * self.machines.len() + second];
        (since != u64::MAX && self.is_awake(one) && self.is_awake(other))
            .then(|| since.max(self.lives[one].began).max(self.lives[other].began))
    }

    /// Notes which machines can talk to which.
    pub(crate) fn look_at_links(&mut self) {
        for machine in 0..self.machines.len() {
            self.look_at_links_of(machine);
        }
    }

    /// Notes who can talk to this one.
    fn look_at_links_of(&mut self, one: usize) {
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
                self.look_at_links_of(machine);
            }
            Action::WakeUp(machine, stands_still) => self.wake_up(machine, stands_still),
            Action::StepClock(machine, millis) => self.machines[machine].clock.step(millis),
            Action::Split(sides) => {
                self.network.split(|machine| sides[machine]);
                self.look_at_links();
            }
            Action::Open(from, to, paths) => {
                self.network.link(from, to).open = paths;
                self.look_at_links_of(from);
            }
            Action::OpenAll(paths) => {
                self.network.links().for_each(|it| it.open = paths);
                self.look_at_links();
            }
            Action::Measure => self.measured = Some(self.counts()),
            Action::Measured => self.end_measuring(),
        }
    }

    /// What was sent so far.
    fn counts(&self) -> Measured {
        Measured {
            from: self.time,
            until: self.time,
            datagrams: self.lives.iter().map(|it| it.datagrams).collect(),
            bytes: self.lives.iter().map(|it| it.bytes).sum(),
            said: self.lives.iter().map(|it| it.written.len() as u64).sum(),
            kinds: self.kinds,
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
        for (before, now) in before.kinds.0.iter_mut().zip(now.kinds.0) {
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
        let id = self.lives.len();
        self.lives.push(Life {
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
            has_news: false,
            has_left: false,
            reachable: HashSet::new(),
            had_rival: false,
            datagrams: 0,
            bytes: 0,
        });
        self.by_id.insert(signer.id, id);
        self.machines[machine].life = Some(id);
        let hosts = self.machines[machine].hosts.clone();
        self.give(id, Input::Hosts(hosts));
    }

    /// A person says something.
    fn say(&mut self, machine: usize) {
        let Some(id) = self.machines[machine].life else { return };
        if !self.is_awake(id) {
            return;
        }
        let at = self.time;
        let said = &mut self.lives[id].said;
        said.push(Said { at, sent_at: None, is_refused: false });
        let text = format!("{id}:{}", said.len() - 1);
        self.ask(
            machine,
            Command::Chat(ChatCommand::Say { room: RoomSelector::Only, style: Style::SAID, text }),
        );
    }

    /// A person wants something of the program on a machine.
    fn ask(&mut self, machine: usize, command: Command) {
        let Some(id) = self.machines[machine].life else { return };
        let tag = match &command {
            Command::Chat(ChatCommand::Say { text, .. }) => RequestTag(Some(text.as_str().into())),
            _ => RequestTag::default(),
        };
        for request in self.saboteur.asked(id, Request { tag, command }) {
            self.give(id, Input::Request(request));
        }
    }

    /// The program on a machine vanishes.
    fn crash(&mut self, machine: usize) {
        if let Some(id) = self.machines[machine].life {
            self.note_companions(id);
            self.machines[machine].life = None;
            self.lives[id].stage = Stage::Crashed;
            self.lives[id].ended = Some(self.time);
        }
    }

    /// A machine wakes.
    fn wake_up(&mut self, machine: usize, stands_still: bool) {
        let Some(since) = self.machines[machine].asleep.take() else { return };
        self.machines[machine].awake_since = self.time;
        if stands_still {
            self.machines[machine].clock.stand_still(since, self.time);
        }
        self.look_at_links_of(machine);
        if let Some(id) = self.machines[machine].life {
            self.give(id, Input::Wake);
        }
    }

    /// The time has come that an engine may have asked for.
    fn wake(&mut self, id: LifeId, time: u64) {
        if self.lives[id].queued != time {
            // Another, planned later, came before.
            return;
        }
        self.lives[id].queued = u64::MAX;
        if !self.is_awake(id) {
            return;
        }
        let Some(due) = self.lives[id].due else { return };
        if due <= self.now(id).moment {
            self.lives[id].due = None;
            self.give(id, Input::Wake);
        } else {
            self.queue_wake(id);
        }
    }

    /// Plans to wake an engine, unless it will be looked at before.
    pub(crate) fn queue_wake(&mut self, id: LifeId) {
        let Some(due) = self.lives[id].due else { return };
        let clock = &self.machines[self.lives[id].machine].clock;
        let time = clock.time_of(due).max(self.time);
        if time < self.lives[id].queued {
            self.lives[id].queued = time;
            self.queue.push(time, What::Wake(id));
        }
    }

    /// Names of all machines as hosts, for whom there are no ways.
    pub(crate) fn all_hosts(&self) -> Vec<SocketAddr> {
        (0..self.machines.len()).map(|it| address_v4(it, 0, DEFAULT_PORT)).collect()
    }
}
