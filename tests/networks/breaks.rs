//! Peers that stop and come back.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::lab::{Family, Lab};
use super::person::{gathered, say_many};

/// How long somebody sleeps.
const SLEEP: Duration = Duration::from_secs(30);

/// Who is killed and starts again at once is let in at once, with the same
/// name.
#[test]
fn killed() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let [mut anna, bob, mut carol] = gathered(&machines, ["anna", "bob", "carol"]);
    let begin = Instant::now();
    let mut bob = bob.killed_and_restarted(&machines[1], "bob");
    assert_eq!(bob.find_type("admitted")["name"], "bob");
    assert!(begin.elapsed() < Duration::from_secs(8), "it took {:?}", begin.elapsed());
    bob.say("here again");
    for person in [&mut anna, &mut bob, &mut carol] {
        person.hears(&["here again"]);
        person.sees(&["anna", "bob", "carol"]);
        assert!(!person.was_told("renamed"));
    }
}

/// Who sleeps is gone after 10 seconds, and comes back to everything that was
/// said: both who is only held up (what is sent to it waits) and who is not
/// in the network meanwhile (what is sent to it is lost).
#[test]
fn asleep() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let [mut anna, mut bob, mut carol] = gathered(&machines, ["anna", "bob", "carol"]);
    let cable = &machines[2].cables[0];
    let begin = Instant::now();
    bob.signal(Signal::STOP);
    carol.signal(Signal::STOP);
    lab.pull(cable);
    anna.sees(&["anna"]);
    let time = begin.elapsed();
    assert!((8..20).contains(&time.as_secs()), "they were gone after {time:?}");
    let texts = say_many(&mut anna, "dream", 50);
    anna.hears(&texts);
    thread::sleep(SLEEP.saturating_sub(begin.elapsed()));
    lab.plug(cable);
    bob.signal(Signal::CONT);
    carol.signal(Signal::CONT);
    for person in [&mut bob, &mut carol, &mut anna] {
        person.hears(&texts);
        person.sees(&["anna", "bob", "carol"]);
        person.catch_up();
        assert_eq!(person.shown().len(), texts.len());
        assert!(!person.was_told("renamed"));
    }
}
