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

/// Who has two interfaces is one for the others, and brings the words of
/// each network to the other.
#[test]
fn between_two_networks() {
    let Some(lab) = Lab::new() else { return };
    let (one, other) = (lab.lan(), lab.lan());
    let machines =
        [&[one][..], &[one, other], &[other]].map(|lans| lab.machine(lans, Family::Both));
    let mut people = gathered(&machines, ["anna", "bob", "carol"]);
    let said = ["from anna", "from bob", "from carol"];
    for (person, text) in people.iter_mut().zip(said) {
        person.say(text);
    }
    for person in &mut people {
        person.hears(&said);
        person.sees(&["anna", "bob", "carol"]);
        person.catch_up();
        assert_eq!(person.shown().len(), 3);
    }
    people[0].reaches(1, "indirect");
    let mut other = Person::start(&machines[2], "Anna", &[]);
    assert_eq!(other.find_type("end")["code"], 201);
}
