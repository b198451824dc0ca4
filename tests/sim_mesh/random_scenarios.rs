//! Random scenarios: worlds and their events that follow from a seed.

use pi_chat::model::Path;

use super::clock::Clock;
use super::network::{Link, OPEN, UNICAST};
use super::random::Random;
use super::world::{Action, MS, S, World};

/// Duration of the phase without faults at the end.
const QUIET: u64 = 40 * S;
/// Maximum duration of the phase with faults.
const BUSY: u64 = 50 * S;
/// Duration of the traffic sample while nothing happens.
const WATCHED: u64 = 20 * S;

/// World with all its actions scheduled.
pub(crate) struct Scenario {
    /// The world.
    pub(crate) world: World,
    /// Time of its end.
    pub(crate) end: u64,
}

/// Returns a random scenario: all start, talk while faults happen, then the faults end and it gets
/// quiet. Without loss, a traffic sample follows, unless the choice of paths or segments rules it
/// out.
pub(crate) fn random(machines: usize, seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let link = some_link(&mut random);
    let mut world = World::new(machines, link, random.bits());
    world.checks_duplicates_first = random.chance(500);
    let open = choose_paths(&mut world, &mut random);
    vary_links(&mut world, &mut random, link);
    choose_segments(&mut world, &mut random);
    choose_clocks(&mut world, &mut random);
    world.update_links();
    let is_lossless = world.worst_loss == 0.0;
    let began = plan_starts(&mut world, &mut random);
    let busy = random.between(10 * S, BUSY);
    let is_whole = is_lossless && open == OPEN && world.network.is_one_segment();
    let mut planner = ScenarioBuilder { world, random, from: began, until: began + busy, open };
    let faults = planner.plan_faults();
    planner.world.is_fault_free = is_whole && faults == 0;
    let ScenarioBuilder { mut world, mut random, until, .. } = planner;
    plan_recovery(&mut world, until, open);
    for _ in 0..machines / 2 {
        let machine = random.index(machines);
        world.plan(until + random.between(S, 5 * S), Action::Say(machine, 1));
    }
    let quiet = if is_lossless { QUIET } else { QUIET * 2 };
    world.quiet_since = until + 6 * S;
    let end = until + quiet + if is_lossless { WATCHED } else { 0 };
    if is_lossless && world.paths_in_use > 0.0 {
        world.plan(end - WATCHED, Action::StartSample);
        world.plan(end, Action::EndSample);
    }
    Scenario { world, end }
}

/// Returns random link properties.
fn some_link(random: &mut Random) -> Link {
    Link {
        loss: 0,
        doubled: random.pick(&[0, 0, 700, 7_000]),
        late: random.pick(&[0, 0, 3_000, 13_000]),
        delay: random.pick(&[200, 2_000, 30_000]),
        jitter: random.pick(&[100, 2_000, 20_000]),
        late_by: random.pick(&[20_000, 300_000, 1_500_000]),
        open: OPEN,
    }
    .with_loss(random.pick(&[0, 0, 0, 0, 20, 50, 100, 200, 300]))
}

/// Chooses which paths get through, and returns those that do from every machine to every other. If
/// only unicast does, also chooses the hosts that users name.
fn choose_paths(world: &mut World, random: &mut Random) -> u8 {
    let [v4, v6, broadcast] = Path::ALL.map(Path::bit);
    let open = random.pick(&[
        OPEN,
        OPEN,
        OPEN,
        OPEN,
        v6 | broadcast | UNICAST,
        v6 | UNICAST,
        broadcast | UNICAST,
        v4 | UNICAST,
        UNICAST,
    ]);
    world.network.links().for_each(|it| it.open = open);
    if open == UNICAST {
        let hosts = world.all_hosts();
        for (machine, it) in world.machines.iter_mut().enumerate() {
            // Some name all machines, some only the first.
            let known = if machine > 0 && random.chance(500) { 1 } else { hosts.len() };
            it.hosts = hosts.iter().take(known).copied().collect();
        }
        // Traffic is not checked: named hosts are not members, so the bound does not cover copies
        // to them.
        world.paths_in_use = 0.0;
    }
    open
}

/// Sets `worst_loss`, and sometimes lowers the loss of each link by a random share.
fn vary_links(world: &mut World, random: &mut Random, link: Link) {
    world.worst_loss = f64::from(link.loss) / 65_536.0;
    if random.chance(500) {
        for it in world.network.links() {
            let part = random.below(1_001);
            it.loss = u16::try_from(u64::from(it.loss) * part / 1_000).unwrap();
        }
    }
}

/// Sometimes makes two segments, with machines that are in both. Then no traffic sample is taken.
fn choose_segments(world: &mut World, random: &mut Random) {
    let count = world.machines.len();
    if count < 3 || !random.chance(150) {
        return;
    }
    world.network.plug(0, &[0, 1]);
    for machine in 1..count {
        let segments: &[u8] = match random.below(5) {
            0 | 1 => &[0],
            2 | 3 => &[1],
            _ => &[0, 1],
        };
        world.network.plug(machine, segments);
    }
    world.network.is_routed = random.chance(700);
    world.paths_in_use = 0.0;
}

/// Gives each machine wrong clocks.
fn choose_clocks(world: &mut World, random: &mut Random) {
    for machine in &mut world.machines {
        let drift = i64::try_from(random.below(401)).unwrap() - 200;
        let ahead = match random.below(3) {
            0 => 0,
            1 => i64::try_from(random.below(20_000)).unwrap() - 10_000,
            _ => i64::try_from(random.below(7_200_000)).unwrap() - 3_600_000,
        };
        machine.clock = Clock::new(drift, ahead, random.below(86_400 * S));
    }
}

/// Returns a username for a machine. One in ten is the same for all machines.
fn some_name(machine: usize, random: &mut Random) -> String {
    if random.chance(100) { "everybody".to_owned() } else { format!("person{machine}") }
}

/// Schedules the starts of all programs, at once or spread out. Returns the time when all should
/// have joined: 3 s after the last start.
fn plan_starts(world: &mut World, random: &mut Random) -> u64 {
    let span = random.pick(&[0, 50 * MS, 3 * S, 20 * S]);
    let mut last = 0;
    for machine in 0..world.machines.len() {
        let at = random.below(span + 1);
        world.plan(at, Action::Start(machine, some_name(machine, random)));
        last = last.max(at);
    }
    last + 3 * S
}

/// Schedules the end of all splits, closed paths and suspensions. The monotonic clocks of suspended
/// machines with even indexes have stood still. Programs that have ended do not return.
fn plan_recovery(world: &mut World, at: u64, open: u8) {
    let count = world.machines.len();
    world.plan(at, Action::Split(vec![0; count]));
    world.plan(at, Action::OpenAll(open));
    for machine in 0..count {
        world.plan(at, Action::WakeUp(machine, machine % 2 == 0));
    }
}

/// Builder of the phase with faults.
struct ScenarioBuilder {
    /// World to schedule actions in.
    world: World,
    /// Source of random choices.
    random: Random,
    /// Start of the phase.
    from: u64,
    /// End of the phase.
    until: u64,
    /// Paths that get through without a fault.
    open: u8,
}

impl ScenarioBuilder {
    /// Returns a random time in the phase.
    fn some_time(&mut self) -> u64 {
        self.random.between(self.from, self.until)
    }

    /// Schedules messages and faults. Returns the number of faults.
    fn plan_faults(&mut self) -> u64 {
        let count = self.world.machines.len();
        let talk = self.random.below(60) + 5;
        for _ in 0..talk {
            let (at, machine) = (self.some_time(), self.random.index(count));
            let messages = if self.random.chance(100) { 30 } else { self.random.index(3) + 1 };
            self.world.plan(at, Action::Say(machine, messages));
        }
        let faults = self.random.below(8);
        for _ in 0..faults {
            self.plan_fault();
        }
        faults
    }

    /// Schedules one fault: a split, a suspension or closed paths from one machine to another, each
    /// with its end; a crash or a leaving, after which the program may start again; or a step of a
    /// wall clock.
    fn plan_fault(&mut self) {
        let count = self.world.machines.len();
        let (at, machine) = (self.some_time(), self.random.index(count));
        let later = at + self.random.below(40 * S);
        let is_back = self.random.chance(700);
        match self.random.below(12) {
            0..=2 => self.plan_split(at, later),
            3 | 4 => {
                self.world.plan(at, Action::Crash(machine));
                self.plan_return(later, machine, is_back);
            }
            5 => {
                self.world.plan(at, Action::Leave(machine));
                self.plan_return(later, machine, is_back);
            }
            6..=8 => {
                let stands_still = self.random.chance(500);
                self.world.plan(at, Action::Sleep(machine));
                self.world.plan(later, Action::WakeUp(machine, stands_still));
            }
            9 | 10 => {
                let other = self.random.index(count);
                let paths = self.random.pick(&[0, 0, UNICAST, 7]) & self.open;
                self.world.plan(at, Action::Open(machine, other, paths));
                self.world.plan(later, Action::Open(machine, other, self.open));
            }
            _ => {
                let millis = i64::try_from(self.random.below(200_000)).unwrap() - 100_000;
                self.world.plan(at, Action::StepClock(machine, millis));
            }
        }
    }

    /// Schedules a partition and its end.
    fn plan_split(&mut self, at: u64, later: u64) {
        let count = self.world.machines.len();
        let sides = self.random.between(2, 3);
        let random = &mut self.random;
        let side_of = (0..count).map(|_| u8::try_from(random.below(sides)).unwrap()).collect();
        self.world.plan(at, Action::Split(side_of));
        self.world.plan(later, Action::Split(vec![0; count]));
    }

    /// Schedules the restart of a program that has ended, perhaps under another name, if `is_back`
    /// and `at` is in the phase.
    fn plan_return(&mut self, at: u64, machine: usize, is_back: bool) {
        if is_back && at < self.until {
            let name = some_name(machine, &mut self.random);
            self.world.plan(at, Action::Start(machine, name));
        }
    }
}
