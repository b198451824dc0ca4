//! Each check can fail, and fails alone: the world around the engine is
//! broken in a way that only this check sees.

use std::sync::Arc;

use pi_chat::mesh::Outgoing;
use pi_chat::model::{Command, Event, Message, Request, Task};
use pi_chat::wire::udp::{Control, Entry, EntryFields, Packet, PageItem};

use super::checks;
use super::life::LifeId;
use super::network::Link;
use super::saboteur::Saboteur;
use super::watch::meaning;
use super::world::{Action, S, World};

/// Three people come, one after the other, each says two things, and one
/// more after the third has come; then comes a fourth.
fn story() -> World {
    let mut world = World::new(4, Link::GOOD, 1);
    world.is_calm = true;
    for machine in 0..3_usize {
        let at = machine as u64 * 5 * S;
        world.plan(at, Action::Start(machine, format!("person{machine}")));
        world.plan(at + 3 * S, Action::Say(machine, 2));
        world.plan(18 * S + at / 5, Action::Say(machine, 1));
    }
    world.plan(25 * S, Action::Start(3, "person3".to_owned()));
    world.plan(30 * S, Action::Say(3, 1));
    world.quiet_since = 40 * S;
    world.plan(40 * S, Action::Measure);
    world.plan(70 * S, Action::Measured);
    world
}

/// Two halves of two, in each of which somebody is called `anna`, meet.
fn two_annas() -> World {
    let mut world = World::new(4, Link::GOOD, 1);
    world.plan(0, Action::Split(vec![0, 0, 1, 1]));
    for (machine, name) in ["anna", "berta", "anna", "carla"].into_iter().enumerate() {
        world.plan(machine as u64 * S, Action::Start(machine, name.to_owned()));
    }
    world.plan(20 * S, Action::Split(vec![0; 4]));
    world
}

/// Somebody comes, and somebody who wants the same name.
fn one_name_twice() -> World {
    let mut world = World::new(2, Link::GOOD, 1);
    world.plan(0, Action::Start(0, "anna".to_owned()));
    world.plan(5 * S, Action::Start(1, "anna".to_owned()));
    world
}

/// Which checks complain about a world with this saboteur in it.
fn complaints(mut world: World, saboteur: impl Saboteur + 'static) -> Vec<&'static str> {
    world.saboteur = Box::new(saboteur);
    world.run_until(70 * S);
    let mut names: Vec<_> = checks::violations(&world).into_iter().map(|it| it.0).collect();
    names.dedup();
    names
}

/// Breaks nothing.
struct Nobody;

impl Saboteur for Nobody {}

/// Without a saboteur nobody complains.
#[test]
fn no_check_complains_without_reason() {
    for world in [story(), two_annas(), one_name_twice()] {
        assert!(complaints(world, Nobody).is_empty());
    }
}

/// Nobody hears of anybody else that it is called `anna`.
struct Masks;

impl Saboteur for Masks {
    fn arriving(&mut self, _: LifeId, from: LifeId, packet: Packet) -> Option<Packet> {
        let Packet::Control { sender, counter, mut control } = packet else { return Some(packet) };
        let name = match &mut control {
            Control::Agree(it) => &mut it.username,
            Control::Heartbeat(it) => &mut it.username,
            _ => return Some(Packet::Control { sender, counter, control }),
        };
        if name == "anna" {
            *name = format!("mask{from}");
        }
        Some(Packet::Control { sender, counter, control })
    }
}

/// Two keep one name when nobody learns that they have it.
#[test]
fn check_1_can_fail() {
    assert_eq!(complaints(two_annas(), Masks), ["1 names_are_unique"]);
}

/// No objection gets from a machine to its engine.
struct Yes;

impl Saboteur for Yes {
    fn arriving(&mut self, _: LifeId, _: LifeId, packet: Packet) -> Option<Packet> {
        let is_object =
            |it: &Packet| matches!(it, Packet::Control { control: Control::Object(_), .. });
        Some(packet).filter(|it| !is_object(it))
    }
}

/// Somebody comes in although an objection has reached its machine.
#[test]
fn check_2_can_fail() {
    assert_eq!(complaints(one_name_twice(), Yes), ["2 one_objection_is_enough"]);
}

/// One of them gets an entry with a greater Lamport counter than all others.
struct Shuffle;

impl Saboteur for Shuffle {
    fn arriving(&mut self, to: LifeId, _: LifeId, packet: Packet) -> Option<Packet> {
        match packet {
            Packet::Entry { sender, entry }
                if to == 2 && meaning(&entry.fields.text) == Some((1, 2)) =>
            {
                let lamport = pi_chat::model::Lamport(entry.fields.lamport.0 + 10);
                let fields = EntryFields { lamport, ..entry.fields.clone() };
                let entry = Arc::new(Entry::with_signature(entry.author, fields, [0; 64]));
                Some(Packet::Entry { sender, entry })
            }
            other => Some(other),
        }
    }
}

/// One has the same messages in another order.
#[test]
fn check_3_can_fail() {
    assert_eq!(complaints(story(), Shuffle), ["3 same_messages_same_order"]);
}

/// What is to happen to what somebody says.
enum Slip {
    /// The engine never hears of it.
    Swallowed,
    /// The engine is told twice.
    Doubled,
}

impl Saboteur for Slip {
    fn asked(&mut self, _: LifeId, request: Request) -> Vec<Request> {
        let is_it = |it: &Request| matches!(&it.command, Command::Do(Task::Say { text, .. }) if meaning(text) == Some((1, 1)));
        match self {
            Self::Swallowed if is_it(&request) => Vec::new(),
            Self::Doubled if is_it(&request) => vec![request.clone(), request],
            _ => vec![request],
        }
    }
}

/// Shows one message after the next, marked as late.
#[derive(Default)]
struct Swap(Option<Message>);

impl Saboteur for Swap {
    fn shown(&mut self, to: LifeId, event: Event) -> Vec<Event> {
        match event {
            Event::Message(message) if to == 0 && meaning(&message.text) == Some((1, 0)) => {
                self.0 = Some(Message { late: true, ..message });
                Vec::new()
            }
            Event::Message(_) if to == 0 => {
                [event].into_iter().chain(self.0.take().map(Event::Message)).collect()
            }
            _ => vec![event],
        }
    }
}

/// A message is lost, one comes twice, two of one author change places.
#[test]
fn check_4_can_fail() {
    let name = "4 nothing_lost_nothing_doubled";
    assert_eq!(complaints(story(), Slip::Swallowed), [name]);
    assert_eq!(complaints(story(), Slip::Doubled), [name]);
    assert_eq!(complaints(story(), Swap::default()), [name]);
}

/// Whoever is asked for the history says that there is one message less.
struct Forgetful;

impl Saboteur for Forgetful {
    fn leaving(&mut self, _: LifeId, mut packet: Outgoing) -> Vec<Outgoing> {
        if let Outgoing::Control(Control::Recent(recent)) = &mut packet {
            recent.entries.pop();
        }
        vec![packet]
    }
}

/// A newcomer gets another history.
#[test]
fn check_5_can_fail() {
    assert_eq!(complaints(story(), Forgetful), ["5 history_is_the_oldest_s"]);
}

/// From some time on one does not hear another one, and nobody says that it
/// is there.
struct Deaf;

impl Deaf {
    /// Who hears nothing.
    const WHO: LifeId = 0;
    /// Of whom.
    const WHOM: LifeId = 2;
}

impl Saboteur for Deaf {
    fn arriving(&mut self, to: LifeId, from: LifeId, packet: Packet) -> Option<Packet> {
        let Packet::Control { sender, counter, mut control } = packet else { return Some(packet) };
        if to == Self::WHO && from == Self::WHOM && counter > 20 {
            return None;
        }
        if let Control::Heartbeat(heartbeat) = &mut control {
            for item in heartbeat.page.iter_mut().filter(|_| to == Self::WHO) {
                item.ago = PageItem::ABSENT;
            }
        }
        Some(Packet::Control { sender, counter, control })
    }
}

/// Somebody is gone who answers.
#[test]
fn check_6_can_fail() {
    assert_eq!(complaints(story(), Deaf), ["6 nobody_alive_is_gone"]);
}

/// Says everything twice that is no entry.
struct Stutter;

impl Saboteur for Stutter {
    fn leaving(&mut self, _: LifeId, packet: Outgoing) -> Vec<Outgoing> {
        match packet {
            Outgoing::Control(Control::Heartbeat(_)) => vec![packet.clone(), packet],
            _ => vec![packet],
        }
    }
}

/// Everything works, at twice the price.
#[test]
fn check_7_can_fail() {
    assert_eq!(complaints(story(), Stutter), ["7 traffic_is_bounded"]);
}

/// Turns every agreement into an objection, and lets no real one out.
struct Doorkeeper;

impl Saboteur for Doorkeeper {
    fn leaving(&mut self, _: LifeId, packet: Outgoing) -> Vec<Outgoing> {
        match packet {
            Outgoing::Control(Control::Object(_)) => Vec::new(),
            _ => vec![packet],
        }
    }

    fn arriving(&mut self, _: LifeId, _: LifeId, packet: Packet) -> Option<Packet> {
        let Packet::Control { sender, counter, control: Control::Agree(it) } = packet else {
            return Some(packet);
        };
        let control = Control::Object(pi_chat::wire::udp::Object {
            nonce: it.nonce,
            code: 400,
            by: it.username,
            username: String::new(),
            holder: sender.id,
            clock: it.clock,
            since: it.since,
            text: String::new(),
        });
        Some(Packet::Control { sender, counter, control })
    }
}

/// Somebody is rejected, and nobody has objected.
#[test]
fn check_8_can_fail() {
    assert_eq!(complaints(story(), Doorkeeper), ["8 everybody_comes_in"]);
}
