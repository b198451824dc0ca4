//! Networks that fall apart and come together, and somebody who is in two.

use super::lab::{Family, Lab};
use super::person::{Person, gathered};

/// Both halves of a network go on when the cable between them is pulled out,
/// and somebody with the same name comes into each. When it is plugged in
/// again, everybody gets everything, and the younger one gets another name.
#[test]
fn split_and_merge() {
    let Some(lab) = Lab::new() else { return };
    let here = lab.lan();
    let (there, cable) = lab.extend(here);
    let machines = [here, here, there, there].map(|lan| lab.machine(&[lan], Family::Both));
    let [anna, bob, carol, dave] = gathered(&machines, ["anna", "bob", "carol", "dave"]);
    let (mut left, mut right) = (vec![anna, bob], vec![carol, dave]);
    left[0].say("before");
    for person in left.iter_mut().chain(&mut right) {
        person.hears(&["before"]);
    }

    lab.pull(&cable);
    for (half, names) in [(&mut left, ["anna", "bob"]), (&mut right, ["carol", "dave"])] {
        for person in half {
            person.sees(&names);
        }
    }
    left.push(Person::join(&machines[1], "eve"));
    right.push(Person::join(&machines[2], "eve"));
    for (number, (one, other)) in left.iter_mut().zip(&mut right).enumerate() {
        one.say(&format!("left {number}"));
        other.say(&format!("right {number}"));
    }
    for person in &mut left {
        person.hears(&["left 0", "left 1", "left 2"]);
    }
    for person in &mut right {
        person.hears(&["right 0", "right 1", "right 2"]);
    }

    lab.plug(&cable);
    for person in left.iter_mut().chain(&mut right) {
        person.sees(&["anna", "bob", "carol", "dave", "eve", "eve-2"]);
        person.hears(&["before", "left 0", "left 1", "left 2", "right 0", "right 1", "right 2"]);
    }
    let renamed = right[2].find_type("renamed");
    assert_eq!((&renamed["from"], &renamed["to"]), (&"eve".into(), &"eve-2".into()));
    // Nothing came twice, and nobody else was renamed.
    for (number, person) in left.iter_mut().chain(&mut right).enumerate() {
        person.catch_up();
        assert_eq!(person.shown().len(), 7);
        assert_eq!(person.was_told("renamed"), number == 5);
    }
}

/// Who has two interfaces is one for the others, and brings the words of each
/// network to the other. (Their names come with the words: who is there
/// oneself knows only of one's own network.) A name is taken in both.
fn between_two_networks(family: Family) {
    let Some(lab) = Lab::new() else { return };
    let (one, other) = (lab.lan(), lab.lan());
    let machines = [&[one][..], &[one, other], &[other]].map(|lans| lab.machine(lans, family));
    let names = ["anna", "bob", "carol"];
    let mut people = [0, 1, 2].map(|number| Person::join(&machines[number], names[number]));
    let seen = [&names[..2], &names[..], &names[1..]];
    for (person, names) in people.iter_mut().zip(seen) {
        person.sees(names);
    }
    let said = ["from anna", "from bob", "from carol"];
    for (person, text) in people.iter_mut().zip(said) {
        person.say(text);
    }
    for (person, names) in people.iter_mut().zip(seen) {
        person.hears(&said);
        person.sees(names);
        assert_eq!(person.shown().len(), said.len());
    }
    let mut other = Person::start(&machines[2], "Anna", &[]);
    assert_eq!(other.find_type("end")["code"], 201);
}

/// The same with both kinds of addresses.
#[test]
fn between_two_networks_of_both_kinds() {
    between_two_networks(Family::Both);
}

/// The same where an address says nothing about the network it is in.
#[test]
fn between_two_networks_of_ipv6() {
    between_two_networks(Family::V6);
}
