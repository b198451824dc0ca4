//! Each check can fail: a small world in which nothing is wrong, and the same
//! with a saboteur that breaks what the check watches.

use pi_chat::mesh::Outgoing;
use pi_chat::model::{ErrorCode, Event, Message, PeerId, Request, RoomClock};
use pi_chat::wire::udp::{Agree, Control, Entry, Heartbeat, Nonce, Object, Packet, Recent};

use super::checks;
use super::life::LifeId;
use super::network::Link;
use super::saboteur::{Nobody, Saboteur};
use super::scenarios::Plan;
use super::world::{Action, S, World};

/// Breaks what arrives at a machine.
struct Arriving<F>(F);

impl<F: FnMut(LifeId, LifeId, Packet) -> Option<Packet>> Saboteur for Arriving<F> {
    fn arriving(&mut self, to: LifeId, from: LifeId, packet: Packet) -> Option<Packet> {
        self.0(to, from, packet)
    }
}

/// Breaks what leaves a machine.
struct Leaving<F>(F);

impl<F: FnMut(LifeId, Outgoing) -> Vec<Outgoing>> Saboteur for Leaving<F> {
    fn leaving(&mut self, from: LifeId, packet: Outgoing) -> Vec<Outgoing> {
        self.0(from, packet)
    }
}

/// Breaks what a person sees.
struct Shown<F>(F);

impl<F: FnMut(LifeId, Event) -> Vec<Event>> Saboteur for Shown<F> {
    fn shown(&mut self, to: LifeId, event: Event) -> Vec<Event> {
        self.0(to, event)
    }
}

/// Breaks what a person wants.
struct Asked<F>(F);

impl<F: FnMut(LifeId, Request) -> Vec<Request>> Saboteur for Asked<F> {
    fn asked(&mut self, from: LifeId, request: Request) -> Vec<Request> {
        self.0(from, request)
    }
}

/// Peers in the small room; the last of them is the newcomer.
const PEERS: usize = 4;
/// The newcomer.
const NEWCOMER: LifeId = PEERS - 1;
/// When the others of a room begin to talk.
const fn talk(peers: usize) -> u64 {
    peers as u64 * 3 * S
}

/// When its newcomer comes.
const fn come(peers: usize) -> u64 {
    talk(peers) + peers as u64 * S
}

/// When all begin to say one message more, each a second after another.
const fn again(peers: usize) -> u64 {
    come(peers) + 4 * S
}

/// When nothing is said any more.
const fn quiet(peers: usize) -> u64 {
    again(peers) + peers as u64 * S
}

/// A small room: three come in, each says four messages (those of life 1 are
/// "1:0" to "1:3"), a newcomer comes in, and each says one more.
fn room() -> Plan {
    room_of(PEERS)
}

/// The same with so many peers.
fn room_of(peers: usize) -> Plan {
    let mut world = World::new(peers, Link::GOOD, 1);
    world.is_calm = true;
    let newcomer = peers - 1;
    for machine in 0..newcomer {
        world.plan(machine as u64 * 3 * S, Action::Start(machine, format!("person{machine}")));
    }
    for machine in 0..newcomer {
        world.plan(talk(peers) + machine as u64 * S, Action::Say(machine, 4));
    }
    world.plan(come(peers), Action::Start(newcomer, "newcomer".to_owned()));
    for machine in 0..peers {
        world.plan(again(peers) + machine as u64 * S, Action::Say(machine, 1));
    }
    world.quiet_since = quiet(peers);
    let end = quiet(peers) + 24 * S;
    world.plan(end - 10 * S, Action::Measure);
    world.plan(end, Action::Measured);
    Plan { world, end }
}

/// Two rooms of one, each with an anna, become one room.
fn two_rooms() -> Plan {
    let mut world = World::new(2, Link::GOOD, 1);
    world.plan(0, Action::Split(vec![0, 1]));
    for machine in 0..2 {
        world.plan(machine as u64 * S, Action::Start(machine, "anna".to_owned()));
    }
    world.plan(10 * S, Action::Split(vec![0, 0]));
    Plan { world, end: 45 * S }
}

/// Anna is in the room, and another wants to be called so.
fn two_annas() -> Plan {
    let mut world = World::new(2, Link::GOOD, 1);
    world.plan(0, Action::Start(0, "anna".to_owned()));
    world.plan(5 * S, Action::Start(1, "anna".to_owned()));
    Plan { world, end: 40 * S }
}

/// The names of the checks that fail if a saboteur comes into a world at some
/// time.
fn failing(mut plan: Plan, from: u64, saboteur: impl Saboteur + 'static) -> Vec<&'static str> {
    plan.world.run_until(from);
    plan.world.saboteur = Box::new(saboteur);
    plan.world.run_until(plan.end);
    let violations = checks::violations(&plan.world);
    violations.iter().for_each(|(name, what)| println!("{name}: {what}"));
    let mut names: Vec<_> = violations.into_iter().map(|it| it.0).collect();
    names.dedup();
    names
}

/// Nothing is wrong in a world, and just these checks fail if a saboteur is in
/// it.
#[track_caller]
fn assert_fail(checks: &[&str], plan: impl Fn() -> Plan, saboteur: impl Saboteur + 'static) {
    assert_fail_from(0, checks, plan, saboteur);
}

/// The same if the saboteur comes at some time.
#[track_caller]
fn assert_fail_from(
    from: u64,
    checks: &[&str],
    plan: impl Fn() -> Plan,
    saboteur: impl Saboteur + 'static,
) {
    assert!(failing(plan(), 0, Nobody).is_empty(), "something is wrong without a saboteur");
    assert_eq!(failing(plan(), from, saboteur), checks);
}

/// What a packet is, if it is not an entry.
fn control(packet: &mut Packet) -> Option<&mut Control> {
    match packet {
        Packet::Control { control, .. } => Some(control),
        Packet::Entry { .. } => None,
    }
}

/// A packet that is a heartbeat.
fn heartbeat(packet: &mut Packet) -> Option<&mut Heartbeat> {
    match control(packet)? {
        Control::Heartbeat(heartbeat) => Some(heartbeat),
        _ => None,
    }
}

/// A packet that is a page of the history.
fn recent(packet: &mut Packet) -> Option<&mut Recent> {
    match control(packet)? {
        Control::Recent(recent) => Some(recent),
        _ => None,
    }
}

/// Whether a packet is an entry with a text that begins so.
fn is_entry(packet: &Packet, text: &str) -> bool {
    matches!(packet, Packet::Entry { entry, .. } if entry.fields.text.starts_with(text))
}

/// The message that an event is, if it has this text.
fn message<'a>(event: &'a mut Event, text: &str) -> Option<&'a mut Message> {
    match event {
        Event::Message(message) if message.text == text => Some(message),
        _ => None,
    }
}

/// Shows a message to life 2 only after another.
fn swapped(first: &'static str, second: &'static str, is_late: bool) -> impl Saboteur {
    let mut held = None;
    Shown(move |to, mut event: Event| {
        if to != 2 {
            return vec![event];
        }
        if let Some(message) = message(&mut event, first) {
            message.late = is_late;
            held = Some(event);
            return Vec::new();
        }
        let is_second = message(&mut event, second).is_some();
        let first = if is_second { held.take() } else { None };
        [event].into_iter().chain(first).collect()
    })
}

/// Nobody learns how another is called.
#[test]
fn check_1_can_fail() {
    let saboteur = Arriving(|_, _, mut packet: Packet| {
        if let Some(heartbeat) = heartbeat(&mut packet) {
            "somebody".clone_into(&mut heartbeat.username);
        }
        let is_objection = matches!(control(&mut packet), Some(Control::Object(_)));
        (!is_objection).then_some(packet)
    });
    assert_fail(&["1 names_are_unique"], two_rooms, saboteur);
}

/// Candidates do not listen to objections.
#[test]
fn check_2_can_fail() {
    let saboteur = Arriving(|_, _, mut packet: Packet| match control(&mut packet) {
        Some(Control::Object(object)) if object.nonce != Nonce::default() => None,
        _ => Some(packet),
    });
    assert_fail(&["2 one_objection_is_enough"], two_annas, saboteur);
}

/// One peer never hears of what another says. (Its person is never shown it,
/// either.)
#[test]
fn check_3_can_fail_for_what_is_missing() {
    let saboteur = Arriving(|to, from, mut packet: Packet| {
        if to != 2 {
            return Some(packet);
        }
        if let Some(heartbeat) = heartbeat(&mut packet) {
            heartbeat.page.clear();
            heartbeat.sequence *= u32::from(from != 1);
        }
        (!is_entry(&packet, "1:")).then_some(packet)
    });
    let checks = ["3 same_messages_same_order", "4 nothing_lost_nothing_doubled"];
    assert_fail(&checks, room, saboteur);
}

/// One peer has another order than the rest.
#[test]
fn check_3_can_fail_for_the_order() {
    let saboteur = Arriving(|to, _, packet| match packet {
        Packet::Entry { sender, entry } if to == 2 && entry.fields.text == "1:3" => {
            let mut fields = entry.fields.clone();
            fields.lamport.0 += 100;
            let entry = Entry::with_signature(entry.author, fields, [0; 64]).into();
            Some(Packet::Entry { sender, entry })
        }
        packet => Some(packet),
    });
    assert_fail(&["3 same_messages_same_order"], room, saboteur);
}

/// One person is shown two messages in another order, and neither is marked
/// as late.
#[test]
fn check_3_can_fail_for_what_is_shown() {
    assert_fail(&["3 same_messages_same_order"], room, swapped("0:3", "1:0", false));
}

/// One person is shown a message twice.
#[test]
fn check_4_can_fail_for_what_is_doubled() {
    let saboteur = Shown(|to, mut event: Event| {
        let is_it = to == 2 && message(&mut event, "1:3").is_some();
        vec![event; if is_it { 2 } else { 1 }]
    });
    assert_fail(&["4 nothing_lost_nothing_doubled"], room, saboteur);
}

/// One person's message is said twice.
#[test]
fn check_4_can_fail_for_what_is_said_twice() {
    let saboteur = Asked(|from, request| vec![request; if from == 1 { 2 } else { 1 }]);
    assert_fail(&["4 nothing_lost_nothing_doubled"], room, saboteur);
}

/// One person's messages are not sent.
#[test]
fn check_4_can_fail_for_what_is_not_sent() {
    let saboteur = Asked(|from, request| if from == 1 { Vec::new() } else { vec![request] });
    assert_fail(&["4 nothing_lost_nothing_doubled"], room, saboteur);
}

/// One person is shown one author's messages in another order. (It is marked
/// as late, so that the room's order is well.)
#[test]
fn check_4_can_fail_for_the_order() {
    assert_fail(&["4 nothing_lost_nothing_doubled"], room, swapped("1:1", "1:2", true));
}

/// One person is not shown a message, be it the last one or not.
#[test]
fn check_4_can_fail_for_what_is_lost() {
    for lost in ["1:2", "1:4"] {
        let saboteur = Shown(move |to, mut event: Event| {
            let is_it = to == 2 && message(&mut event, lost).is_some();
            if is_it { Vec::new() } else { vec![event] }
        });
        assert_fail(&["4 nothing_lost_nothing_doubled"], room, saboteur);
    }
}

/// One peer gives up what everybody else has: what it asks for is misread, and
/// so is what it is told that they do not have.
#[test]
fn check_4_can_fail_for_what_is_given_up() {
    let saboteur = Arriving(|to, from, mut packet: Packet| {
        match control(&mut packet) {
            Some(Control::Want(want)) if from == 2 => {
                want.ranges.iter_mut().for_each(|it| (it.first, it.last) = (1_000, 1_000));
            }
            Some(Control::Lost(lost)) if to == 2 => {
                lost.ranges.iter_mut().for_each(|it| it.first = 1);
            }
            _ => {}
        }
        let is_it = to == 2 && is_entry(&packet, "1:5");
        (!is_it).then_some(packet)
    });
    let plan = || {
        let Plan { mut world, end } = room();
        world.plan(end, Action::Say(1, 2));
        Plan { world, end: end + 20 * S }
    };
    assert_fail(&["4 nothing_lost_nothing_doubled"], plan, saboteur);
}

/// The newcomer is told of nine messages instead of ten.
#[test]
fn check_5_can_fail_for_other_messages() {
    let saboteur = Arriving(|_, _, mut packet: Packet| {
        if let Some(recent) = recent(&mut packet) {
            recent.entries.pop();
        }
        Some(packet)
    });
    assert_fail(&["5 history_is_the_oldest_s"], room, saboteur);
}

/// The newcomer believes that the oldest is the youngest.
#[test]
fn check_5_can_fail_for_another_source() {
    let saboteur = Arriving(|to, from, mut packet: Packet| {
        match control(&mut packet) {
            Some(Control::Agree(it)) if (to, from) == (NEWCOMER, 0) => it.since = it.clock,
            Some(Control::Heartbeat(it)) if (to, from) == (NEWCOMER, 0) => it.since = it.clock,
            _ => {}
        }
        Some(packet)
    });
    assert_fail(&["5 history_is_the_oldest_s"], room, saboteur);
}

/// One engine does not hear of somebody alive any more.
#[test]
fn check_6_can_fail() {
    let mut subject: Option<PeerId> = None;
    let saboteur = Arriving(move |to, from, mut packet: Packet| {
        if to != 0 {
            return Some(packet);
        }
        if let (1, Packet::Control { sender, .. }) = (from, &packet) {
            subject = Some(sender.id);
            return None;
        }
        if let Some(heartbeat) = heartbeat(&mut packet) {
            heartbeat.page.retain(|it| Some(it.author) != subject);
        }
        Some(packet)
    });
    assert_fail_from(quiet(PEERS), &["6 nobody_alive_is_gone"], room, saboteur);
}

/// Every packet is sent five times.
#[test]
fn check_7_can_fail_for_the_number() {
    let saboteur = Leaving(|_, packet| vec![packet; 5]);
    assert_fail(&["7 traffic_is_bounded"], room, saboteur);
}

/// Announces are longer than a datagram may be.
#[test]
fn check_7_can_fail_for_the_size() {
    let saboteur = Leaving(|_, mut packet| {
        if let Outgoing::Control(Control::Announce(announce)) = &mut packet {
            announce.padding = "-".repeat(1_232);
        }
        vec![packet]
    });
    assert_fail(&["7 traffic_is_bounded"], room, saboteur);
}

/// All of nine believe that they are the oldest, and agree to a newcomer.
#[test]
fn check_7_can_fail_for_the_agreements() {
    let saboteur = Arriving(|to, _, mut packet: Packet| {
        if let Some(heartbeat) = heartbeat(&mut packet).filter(|_| to < 9) {
            heartbeat.since = RoomClock(heartbeat.clock.0 + 1);
        }
        Some(packet)
    });
    assert_fail_from(talk(10), &["7 traffic_is_bounded"], || room_of(10), saboteur);
}

/// The newcomer takes agreements for objections.
#[test]
fn check_8_can_fail_for_who_is_rejected() {
    let saboteur = Arriving(|to, _, mut packet: Packet| {
        if let Some(control) = control(&mut packet).filter(|_| to == NEWCOMER)
            && let Control::Agree(agree) = control
        {
            *control = Control::Object(objection(agree));
        }
        Some(packet)
    });
    assert_fail(&["8 everybody_comes_in"], room, saboteur);
}

/// An objection instead of an agreement.
fn objection(agree: &Agree) -> Object {
    Object {
        nonce: agree.nonce,
        code: ErrorCode::NotAdmitted.number(),
        by: agree.username.clone(),
        username: String::new(),
        holder: PeerId::default(),
        clock: agree.clock,
        since: agree.since,
        text: String::new(),
    }
}

/// Every history has eighteen pages, which have to be asked for three times
/// each, and the last one never comes.
#[test]
fn check_8_can_fail_for_who_waits() {
    let mut asked = 0;
    let saboteur = Arriving(move |to, _, mut packet: Packet| {
        if let Some(recent) = recent(&mut packet).filter(|_| to == NEWCOMER) {
            asked += 1;
            recent.pages = 18;
            if recent.page == 17 || asked % 3 != 0 {
                return None;
            }
        }
        Some(packet)
    });
    // Before idle traffic is measured.
    let plan = || Plan { end: come(PEERS) + 21 * S, ..room() };
    assert_fail(&["8 everybody_comes_in"], plan, saboteur);
}
