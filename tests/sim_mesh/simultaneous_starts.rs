//! Peers that start at the same moment in an empty room: how long joining takes, and how long it
//! takes until everybody knows everybody.

use super::bounds;
use super::checks;
use super::network::Link;
use super::random::Random;
use super::random_scenarios::Scenario;
use super::runner::{number, seconds};
use super::world::{Action, MS, S, World};

/// Maximum time between the first and the last start.
const START_SPAN: u64 = 50 * MS;
/// Time between two looks at the members that each peer knows.
const STEP: u64 = 100 * MS;
/// Maximum time from a start until the peer has joined: the window, and 50 ms for timers.
const JOIN_TIME: u64 = 2_050 * MS;
/// Time after which the measurement ends in any case.
const PATIENCE: u64 = 120 * S;

/// Returns the room: all peers start within 50 ms, with different names and without talk. `loss`:
/// share of all datagrams that are lost, in thousandths.
fn room(peers: usize, loss: u64, seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let mut world = World::new(peers, Link::GOOD.with_loss(loss), random.bits());
    world.worst_loss = loss as f64 / 1_000.0;
    for machine in 0..peers {
        let at = random.below(START_SPAN + 1);
        world.plan(at, Action::Start(machine, format!("person{machine}")));
    }
    Scenario { world, end: PATIENCE }
}

/// Figures of one room. Times are in microseconds.
#[derive(Debug)]
struct Figures {
    /// Time from each peer's start until its user was told that it has joined, in ascending order.
    joined_after: Vec<u64>,
    /// Time from the first start until each peer has joined and knows all others as members.
    complete_after: u64,
}

/// Runs a room until everybody knows everybody, and returns its figures. Panics if that takes
/// longer than [`PATIENCE`] or a check finds a violation.
fn measure(peers: usize, loss: u64, seed: u64) -> Figures {
    let Scenario { mut world, end } = room(peers, loss, seed);
    let is_complete = |world: &World| {
        world.runs.len() == peers
            && (0..peers).all(|id| {
                world.runs[id].admitted.is_some() && world.read_members(id).len() == peers - 1
            })
    };
    while !is_complete(&world) {
        assert!(world.time < end, "{peers} peers, seed {seed}: not complete after {end}");
        world.run_until(world.time + STEP);
    }
    let violations = checks::violations(&world);
    assert!(violations.is_empty(), "{peers} peers, seed {seed}: {violations:#?}");
    let mut joined_after: Vec<u64> =
        world.runs.iter().map(|it| it.admitted.unwrap() - it.began).collect();
    joined_after.sort_unstable();
    Figures { joined_after, complete_after: world.time }
}

/// Runs rooms of one size and loss with some seeds, and prints their figures. Panics if a peer
/// needs longer to join than the window of two seconds, which is what `docs/json.md` promises:
/// nobody is there who could be waited for. Without loss, also panics if everybody does not know
/// everybody 2 × I(n) after the last one has joined (section 7, rule 18).
fn check(peers: usize, loss: u64, seeds: u64) {
    let all: Vec<Figures> = (1..=seeds).map(|seed| measure(peers, loss, seed)).collect();
    let mut joined: Vec<u64> = all.iter().flat_map(|it| it.joined_after.clone()).collect();
    let mut complete: Vec<u64> = all.iter().map(|it| it.complete_after).collect();
    joined.sort_unstable();
    complete.sort_unstable();
    let (last_joined, last_complete) = (*joined.last().unwrap(), *complete.last().unwrap());
    println!(
        "{peers} peers start at once, {} % loss, {seeds} seeds: joined after {:.2} s (median), {:.2} s \
         (last one); all know all after {:.1} s (median), {:.1} s (last seed)",
        loss as f64 / 10.0,
        seconds(joined[joined.len() / 2]),
        seconds(last_joined),
        seconds(complete[complete.len() / 2]),
        seconds(last_complete)
    );
    assert!(last_joined <= JOIN_TIME, "{peers} peers, loss {loss}: {last_joined}");
    let bound = START_SPAN + JOIN_TIME + 2 * bounds::interval(peers) + STEP;
    assert!(loss > 0 || last_complete <= bound, "{peers} peers: {last_complete}");
}

/// 10 and 100 peers that start at the same moment in an empty room are in after two seconds, also
/// with 30 % and 50 % loss. `SIM_SEEDS` sets the number of seeds, for the figures.
#[test]
fn peers_that_start_at_once_join_after_two_seconds() {
    let seeds = number("SIM_SEEDS");
    for loss in [0, 300, 500] {
        check(10, loss, seeds.unwrap_or(5));
        check(100, loss, seeds.unwrap_or(1).min(10));
    }
}
