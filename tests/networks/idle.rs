//! What a room costs in which nobody says anything.

use std::thread;
use std::time::{Duration, Instant};

use super::lab::{Family, Lab, Machine};
use super::person::{PATIENCE, Person};
use super::tell;

/// So many are in the room.
const PEOPLE: usize = 10;

/// For so long it is watched.
const TIME: Duration = Duration::from_secs(30);

/// Who has not asked anything for so long knows enough.
const WHILE: Duration = Duration::from_secs(4);

/// Each sends less than a datagram a second and needs less than 1 % of a
/// processor's time.
#[test]
fn quiet() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(PEOPLE, Family::Both);
    let names: Vec<_> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let mut people: Vec<_> =
        machines.iter().zip(&names).map(|(it, name)| Person::start(it, name, &[])).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for person in &mut people {
        person.find_type("admitted");
        person.sees(&names);
    }

    get_acquainted(&machines);
    let before: Vec<_> = machines.iter().map(Machine::counts).collect();
    let computed: Vec<_> = people.iter().map(Person::computing).collect();
    thread::sleep(TIME);
    let seconds = TIME.as_secs_f64();
    let rates = machines.iter().zip(&before).map(|(it, before)| {
        let sent = u32::try_from(it.counts().since(before, "sent")).unwrap();
        f64::from(sent) / seconds
    });
    let loads =
        people.iter().zip(&computed).map(|(it, before)| (it.computing() - *before).as_secs_f64());
    let (rate, rates) = mean_and_most(rates);
    let (load, loads) = mean_and_most(loads.map(|it| 100.0 * it / seconds));
    tell(format_args!(
        "idle in a room of {PEOPLE}: {rate:.2} datagrams a second each (at most {rates:.2}), \
         {load:.2} % of a processor each (at most {loads:.2} %)"
    ));
    assert!(rates < 1.0 && loads < 1.0);
}

/// Waits until nobody has asked anybody anything for a while: they all know
/// then who is there, and by which way they hear each other.
fn get_acquainted(machines: &[Machine]) {
    let counts = || machines.iter().map(Machine::counts).collect::<Vec<_>>();
    let (end, mut before) = (Instant::now() + PATIENCE, counts());
    loop {
        thread::sleep(WHILE);
        let now = counts();
        if now.iter().zip(&before).all(|(now, before)| now.since(before, "pings") == 0) {
            return;
        }
        assert!(Instant::now() < end, "they do not stop asking each other");
        before = now;
    }
}

/// The mean of some figures, and the greatest.
fn mean_and_most(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    let figures: Vec<_> = figures.collect();
    let count = u32::try_from(figures.len()).unwrap();
    (figures.iter().sum::<f64>() / f64::from(count), figures.into_iter().fold(0.0, f64::max))
}
