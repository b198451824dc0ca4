//! Scenarios that differ only by their seed: a room with 30 % loss, a room of five hundred peers,
//! and rooms with liars.

use super::clock::Clock;
use super::liars::{LiarPlan, Lie};
use super::network::{Families, Link};
use super::random::Random;
use super::random_scenarios::Scenario;
use super::world::{Action, MS, S, World};

/// Number of peers in the lossy room.
pub(crate) const TALKERS: usize = 10;
/// Number of messages of each peer in the lossy room.
pub(crate) const MESSAGES: usize = 200;
/// Number of peers in the large room.
pub(crate) const CROWD: usize = 500;

/// Returns the lossy room, and the time at which the talk begins: ten peers join, and each says 200
/// messages, ten a second, with 30 % of all datagrams lost.
pub(crate) fn lossy(seed: u64) -> (Scenario, u64) {
    let mut random = Random::new(seed);
    let mut world = World::new(TALKERS, Link::GOOD.with_loss(300), random.bits());
    world.worst_loss = 0.3;
    for machine in 0..TALKERS {
        world.plan(machine as u64 * S, Action::Start(machine, format!("person{machine}")));
    }
    let begins = 25 * S;
    for message in 0..MESSAGES as u64 {
        for machine in 0..TALKERS {
            let at = begins + message * 100 * MS + random.below(100 * MS);
            world.plan(at, Action::Say(machine, 1));
        }
    }
    let ends = begins + MESSAGES as u64 * 100 * MS;
    world.plan(begins, Action::StartSample);
    world.plan(ends + 20 * S, Action::EndSample);
    world.quiet_since = ends;
    (Scenario { world, end: ends + 60 * S }, begins)
}

/// Returns the large room: five hundred peers start within 40 s, five of them with the name of one
/// other, talk, are split into two halves that go on talking, merge, and are quiet.
pub(crate) fn crowd(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let mut world = World::new(CROWD, Link::GOOD, random.bits());
    for machine in &mut world.machines {
        let drift = i64::try_from(random.below(201)).unwrap() - 100;
        machine.clock = Clock::new(drift, 0, random.below(86_400 * S));
    }
    let come = 40 * S;
    for machine in 0..CROWD {
        // Some ask for the same name; the later one is rejected.
        let name = if machine % 100 == 99 { 0 } else { machine };
        world.plan(random.below(come), Action::Start(machine, format!("person{name}")));
    }
    let split = come + 15 * S;
    // G(500) is 50 s.
    let mend = split + 60 * S;
    let quiet = mend + 10 * S;
    for _ in 0..200 {
        let at = come + random.below(quiet - come);
        world.plan(at, Action::Say(random.index(CROWD), 1));
    }
    let side_of = (0..CROWD).map(|_| u8::from(random.chance(500))).collect();
    world.plan(split, Action::Split(side_of));
    world.plan(mend, Action::Split(vec![0; CROWD]));
    world.quiet_since = quiet;
    let end = quiet + 55 * S;
    world.plan(end - 25 * S, Action::StartSample);
    world.plan(end, Action::EndSample);
    Scenario { world, end }
}

/// Number of honest peers in the room with liars.
const HONEST: usize = 10;

/// Returns a room with liars: six peers join and talk. Then up to three liars come, all on one
/// machine, and four more peers join. Some of the datagrams may be lost.
pub(crate) fn liars(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let Scenario { mut world, end } = room_for_liars(&mut random);
    for _ in 0..random.between(1, 3) {
        let at = random.between(15 * S, 30 * S);
        world.plan_liar(HONEST, at, random.pick(&[Lie::Object, Lie::Claim]));
    }
    Scenario { world, end }
}

/// Returns the room with liars without them: six peers join and talk, and four more join later.
fn room_for_liars(random: &mut Random) -> Scenario {
    let loss = random.pick(&[0, 0, 50, 100]);
    let mut world = World::new(HONEST + 1, Link::GOOD.with_loss(loss), random.bits());
    world.worst_loss = loss as f64 / 1_000.0;
    for machine in 0..HONEST {
        let at = if machine < 6 { random.below(5 * S) } else { random.between(25 * S, 45 * S) };
        world.plan(at, Action::Start(machine, format!("person{machine}")));
    }
    for _ in 0..30 {
        let at = random.between(12 * S, 60 * S);
        world.plan(at, Action::Say(random.index(HONEST), 1));
    }
    world.quiet_since = 61 * S;
    Scenario { world, end: 90 * S }
}

/// Returns a room with liars whose network is split and merges again: six peers join and talk, and
/// a liar may come. Then the network is split into two halves for longer than G(n), liars come to
/// one of them, and a newcomer to each. The liars have listened from the beginning, so they know
/// the names of the other half. After the merge two more peers join, and all go on.
pub(crate) fn liars_in_a_split(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let loss = random.pick(&[0, 0, 50, 100]);
    let mut world = World::new(HONEST + 1, Link::GOOD.with_loss(loss), random.bits());
    world.worst_loss = loss as f64 / 1_000.0;
    let (split, merge) = (20 * S, random.between(40 * S, 60 * S));
    // Three of the first six, and two of the four newcomers, in each half; liars in the second.
    let side_of = (0..=HONEST).map(|it| u8::from(it % 2 == 1 || it == HONEST)).collect();
    world.plan(split, Action::Split(side_of));
    world.plan(merge, Action::Split(vec![0; HONEST + 1]));
    for machine in 0..HONEST {
        let at = match machine {
            0..6 => random.below(5 * S),
            6..8 => random.between(split + 5 * S, merge),
            _ => random.between(merge + 5 * S, merge + 20 * S),
        };
        world.plan(at, Action::Start(machine, format!("person{machine}")));
    }
    for _ in 0..30 {
        let at = random.between(12 * S, merge + 20 * S);
        world.plan(at, Action::Say(random.index(HONEST), 1));
    }
    for _ in 0..random.between(1, 3) {
        let begins = random.between(13 * S, merge);
        let lie = random.pick(&[Lie::Object, Lie::Claim]);
        let families = Families::V4;
        world.add_liar(LiarPlan { machine: HONEST, listens: 0, begins, lie, families });
    }
    world.quiet_since = merge + 21 * S;
    Scenario { world, end: merge + 60 * S }
}

/// Returns a room of machines with IPv4, IPv6 or both, and liars in it, as in [`liars`]. All liars
/// are on one machine and of one family; or there is one liar of both.
pub(crate) fn liars_in_both_families(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0xD0A1);
    let Scenario { mut world, end } = room_for_liars(&mut random);
    world.network.is_link_local = true;
    let (one, other) = (Families::V4, Families::V6);
    let single = random.pick(&[one, other]);
    for machine in 0..HONEST {
        let families = random.pick(&[Families::BOTH, Families::BOTH, single]);
        world.network.set_families(machine, families);
    }
    world.update_links();
    let families = random.pick(&[one, other, Families::BOTH]);
    let count = if families == Families::BOTH { 1 } else { random.between(1, 3) };
    for _ in 0..count {
        let begins = random.between(15 * S, 30 * S);
        let lie = random.pick(&[Lie::Object, Lie::Claim]);
        let (machine, listens) = (HONEST, begins);
        world.add_liar(LiarPlan { machine, listens, begins, lie, families });
    }
    Scenario { world, end }
}

/// Returns a room in which liars succeed, as the page says: they come from two machines, to a peer
/// that is alone, or have joined before a newcomer comes.
pub(crate) fn convincing_liars(lie: Lie) -> Scenario {
    let mut world = World::new(4, Link::GOOD, 1);
    world.plan(0, Action::Start(0, "person0".to_owned()));
    for machine in 2..4 {
        world.plan_liar(machine, 15 * S, lie);
    }
    if lie == Lie::Both {
        world.plan(30 * S, Action::Start(1, "person1".to_owned()));
    }
    Scenario { world, end: 60 * S }
}
