//! A network that loses much.

use std::collections::BTreeSet;
use std::time::Instant;

use super::lab::{Family, Lab};
use super::person::{Person, Shown, say_many};
use super::tell;

/// So many people say so much each.
const PEOPLE: usize = 10;

/// See [`PEOPLE`].
const WORDS: usize = 200;

/// Three of ten datagrams are lost on their way to each: nothing is missing
/// in the end, nothing comes twice, and all see the same order, but for what
/// is marked as late.
#[test]
fn three_of_ten_lost() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(PEOPLE, Family::Both);
    for machine in &machines {
        machine.drop_incoming("meta l4proto udp numgen random mod 100 < 30");
    }
    let names: Vec<_> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let mut people: Vec<_> =
        machines.iter().zip(&names).map(|(it, name)| Person::start(it, name, &[])).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for person in &mut people {
        person.find_type("admitted");
        person.sees(&names);
    }

    let before: Vec<_> = machines.iter().map(|it| it.counts()).collect();
    let begin = Instant::now();
    for (person, name) in people.iter_mut().zip(&names) {
        say_many(person, name, WORDS);
    }
    let mut times: Vec<_> =
        people.iter_mut().flat_map(|it| it.hears_so_many(PEOPLE * WORDS)).collect();
    times.sort_unstable();
    // After how long this share of all was delivered.
    let delivered =
        |percent: usize| (times[(times.len() - 1) * percent / 100] - begin).as_secs_f64();
    let count = |name| -> u64 {
        machines.iter().zip(&before).map(|(it, before)| it.counts().since(before, name)).sum()
    };
    let (sent, entries, said) = (count("sent"), count("entries"), (PEOPLE * WORDS) as f64);
    for person in &mut people {
        person.catch_up();
    }
    let views: Vec<_> = people.iter().map(Person::shown).collect();
    let late = views.iter().flatten().filter(|it| it.is_late).count();
    tell(format_args!(
        "30 % loss, {PEOPLE} peers, {said} messages: half of them delivered {:.1} s after the first \
         was said, 99 % {:.1} s, all {:.1} s; for each message {:.1} datagrams, {:.1} of them \
         entries; {:.0} % shown late",
        delivered(50),
        delivered(99),
        delivered(100),
        sent as f64 / said,
        entries as f64 / said,
        100.0 * late as f64 / (times.len() as f64),
    ));
    let all = sorted(&views[0]);
    assert_eq!(all.len(), PEOPLE * WORDS);
    for view in &views {
        // None is missing, and none is there twice.
        assert!(sorted(view) == all);
        for other in &views {
            assert_eq!(in_common(view, other), in_common(other, view));
        }
    }
}

/// The messages of a view in an order of their own.
fn sorted(view: &[Shown]) -> Vec<(u64, u64, &str)> {
    let mut all: Vec<_> =
        view.iter().map(|it| (it.author, it.sequence, it.text.as_str())).collect();
    all.sort_unstable();
    all
}

/// What of `view` is late neither there nor in the other view.
fn in_common(view: &[Shown], other: &[Shown]) -> Vec<(u64, u64)> {
    let place = |it: &Shown| (it.author, it.sequence);
    let late: BTreeSet<_> = view.iter().chain(other).filter(|it| it.is_late).map(place).collect();
    view.iter().map(place).filter(|it| !late.contains(it)).collect()
}
