//! Networks in which multicast works, and in which it does not.

use serde_json::json;

use super::lab::{Family, Lab, Machine};
use super::person::{Person, gathered, say_many};

/// How many messages are counted.
const COUNT: usize = 15;

/// As soon as it is known that all hear this way, what the first says goes to
/// the others by one datagram for each message.
fn one_datagram_for_all(machines: &[Machine], people: &mut [Person], way: &str) {
    people[0].reaches(people.len() - 1, way);
    let before: Vec<_> = machines.iter().map(Machine::counts).collect();
    let texts = say_many(&mut people[0], way, COUNT);
    for person in people {
        person.hears(&texts);
    }
    let mut wanted = vec![0; machines.len()];
    wanted[0] = COUNT as u64;
    for name in ["entries".to_owned(), format!("entries_{way}")] {
        let counts = machines.iter().zip(&before);
        let sent: Vec<_> = counts.map(|(it, before)| it.counts().since(before, &name)).collect();
        assert_eq!(sent, wanted, "{name}");
    }
}

/// Somebody wants a name that is taken, in another spelling: it is said by
/// whom it is refused (whoever has it, or another one) and why.
fn taken(machine: &Machine, name: &str) {
    let end = Person::start(machine, name, &[]).find_type("end");
    let (reason, by) = (&end["reason"], end["by"].as_str().unwrap());
    assert!(reason == "rejected" && ["anna", "bob", "carol", "dave"].contains(&by), "{end}");
    assert_eq!((&end["code"], &end["exit"]), (&json!(201), &json!(77)), "{end}");
}

/// Three talk; a message is one datagram, not one for each. Who comes later
/// gets the history. A name that is taken is refused.
#[test]
fn multicast() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(4, Family::Both);
    let mut people = gathered(&machines, ["anna", "bob", "carol"]);
    people[1].say("hi");
    people[2].say("hello");
    for person in &mut people {
        person.hears(&["hi", "hello"]);
    }
    one_datagram_for_all(&machines, &mut people, "group4");

    let mut dave = Person::join(&machines[3], "dave");
    dave.hears(&[format!("group4 {}", COUNT - 1)]);
    let history: Vec<_> = dave.shown().into_iter().map(|it| it.text).collect();
    let wanted: Vec<_> = (COUNT - 10..COUNT).map(|number| format!("group4 {number}")).collect();
    assert_eq!(history, wanted);
    dave.sees(&["anna", "bob", "carol", "dave"]);

    taken(&machines[3], "Bob");
}

/// Where no datagram to a group arrives they find each other by broadcast,
/// and that is then how a message reaches all.
#[test]
fn without_multicast() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    for machine in &machines {
        machine.drop_groups();
    }
    let mut people = gathered(&machines, ["anna", "bob", "carol"]);
    one_datagram_for_all(&machines, &mut people, "broadcast");
    taken(&machines[1], "Anna");
}

/// Where not even a broadcast arrives, a host that one names; and that one
/// introduces those who have named it to each other.
#[test]
fn only_unicast() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    for machine in &machines {
        machine.drop_groups();
        machine.drop_incoming("fib daddr type broadcast");
    }
    let mut anna = Person::join(&machines[0], "anna");
    let mut others = [(1, "bob"), (2, "carol")].map(|(number, name)| {
        let mut person =
            Person::start(&machines[number], name, &["--peer", &machines[0].addresses[0]]);
        assert_eq!(person.find_type("admitted")["history_from"], "anna");
        person
    });
    for person in others.iter_mut().chain([&mut anna]) {
        person.sees(&["anna", "bob", "carol"]);
        person.reaches(2, "unicast");
    }
    let said = ["from bob", "from carol"];
    for (person, text) in others.iter_mut().zip(said) {
        person.say(text);
    }
    for person in others.iter_mut().chain([&mut anna]) {
        person.hears(&said);
    }
}

/// Without any IPv4 address.
#[test]
fn only_ipv6() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::V6);
    let mut people = gathered(&machines, ["anna", "bob", "carol"]);
    one_datagram_for_all(&machines, &mut people, "group6");
    taken(&machines[1], "Anna");
}
