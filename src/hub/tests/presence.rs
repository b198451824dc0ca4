//! Who comes and who goes, as it is told.

use super::frames::*;
use super::harness::*;
use crate::hub::ConnectionId;
use crate::model::HubSettings;

/// So many people come to the lobby, without wishes.
fn crowd(table: &mut Table, from: usize, to: usize) -> Vec<ConnectionId> {
    let mut connections = Vec::new();
    for number in from..to {
        let connection = table.greet(0);
        table.send(connection, join(&format!("p{number:05}"), &[]));
        connections.push(connection);
    }
    connections
}

/// Changes are collected for half a second and told as a set.
#[test]
fn changes_are_collected() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.pass(600);
    table.got(anna);
    let (bob, welcome) = table.come("bob", &[]);
    table.pass(200);
    let (carl, _) = table.come("carl", &[]);
    table.drop(carl);
    table.drop(bob);
    let bob = table.resume("bob", &[], welcome.token, None);
    table.got(bob);
    assert_eq!(table.words(anna), [""; 0]);
    table.pass(300);
    let expected = ["presence lobby 0 2 +[\"bob\"] -[\"carl\"]"];
    assert_eq!(table.words(anna), expected);
    assert_eq!(table.words(bob), expected);
    table.send(bob, leave(1, "lobby"));
    table.got(bob);
    table.pass(500);
    assert_eq!(table.words(anna), ["presence lobby 0 1 +[] -[\"bob\"]"]);
    assert_eq!(table.words(bob), [""; 0]);
    table.pass(10_000);
    assert_eq!(table.words(anna), [""; 0]);
}

/// Many changes come in several frames.
#[test]
fn chunks_of_a_hundred() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.pass(600);
    table.got(anna);
    for connection in crowd(&mut table, 0, 130) {
        table.drop(connection);
    }
    table.pass(600);
    let words = table.words(anna);
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(words[0].contains("+[] -[\"p00000\"") && words[0].ends_with("\"p00099\"]"));
    assert!(words[1].contains("+[] -[\"p00100\"") && words[1].ends_with("\"p00129\"]"));
}

/// Above a hundred only the number is told, every five seconds; and all the
/// names when there are fewer again.
#[test]
fn a_crowd() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let people = crowd(&mut table, 0, 99);
    table.pass(600);
    let words = table.words(anna);
    assert_eq!(words.len(), 1);
    assert!(words[0].starts_with("presence lobby 0 100 +[\"anna\", \"p00000\""), "{words:?}");
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.drop(bob);
    // Over a hundred for a moment only: nobody's list is void.
    table.pass(5_000);
    assert_eq!(table.words(anna), ["presence lobby 0 100 +[] -[\"bob\"]"]);
    let bob = table.greet(1);
    table.send(bob, join("bob", &[]));
    assert_eq!(table.words(bob)[3], "roster lobby 2 101 []");
    table.pass(4_900);
    assert_eq!(table.words(anna), [""; 0]);
    table.pass(200);
    assert_eq!(table.words(anna), ["presence lobby 2 101 +[] -[]"]);
    assert_eq!(table.words(bob), ["presence lobby 2 101 +[] -[]"]);
    table.drop(people[0]);
    table.pass(5_000);
    for connection in [anna, bob] {
        let words = table.words(connection);
        assert_eq!(words.len(), 1);
        assert!(words[0].starts_with("roster lobby 0 100 [\"anna\", \"bob\", \"p00001\""));
    }
    table.drop(people[1]);
    table.pass(500);
    assert_eq!(table.words(anna), ["presence lobby 0 99 +[] -[\"p00001\"]"]);
}

/// Who was given a number in place of names gets the names, even if the
/// others were never told of a crowd.
#[test]
fn a_crowd_that_only_one_has_seen() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let people = crowd(&mut table, 0, 99);
    table.pass(600);
    let (bob, _) = table.come("bob", &[]);
    table.drop(people[0]);
    table.pass(5_000);
    table.got(anna);
    assert!(table.words(bob)[0].starts_with("roster lobby 0 100 [\"anna\", \"bob\""));
}

/// Ten thousand people cost what ten thousand people cost, not their square.
#[test]
fn ten_thousand() {
    let max_connections_per_address = 10_000;
    let mut table =
        Table::with(HubSettings { max_connections_per_address, ..HubSettings::default() });
    // The clients' notes are not kept: they are not what is measured.
    let mut outputs = 0;
    for number in 0..10_000 {
        outputs += table.join_quietly(number);
    }
    assert!(outputs < 100_000, "{outputs} outputs");
    assert_eq!(table.people, 10_000);
}
