//! Sensitivity of the checks: each passes in a small world without faults, and fails in the same
//! world with an injected fault of the kind that it should detect.

use pi_chat::mesh::Outgoing;
use pi_chat::model::{ErrorCode, Event, Message, PeerId, Request, RoomClock};
use pi_chat::wire::udp::{Agree, Control, Entry, Heartbeat, Nonce, Object, Packet, Recent};

use super::checks;
use super::fault_injector::{FaultInjector, NoFaults};
use super::fixed_scenarios;
use super::liars::Lie;
use super::network::Link;
use super::peer_run::RunId;
use super::random_scenarios::Scenario;
use super::world::{Action, S, World};

/// Fault injector for arriving packets.
struct Arriving<F>(F);

impl<F: FnMut(RunId, RunId, Packet) -> Option<Packet>> FaultInjector for Arriving<F> {
    fn arriving(&mut self, to: RunId, from: RunId, packet: Packet) -> Option<Packet> {
        self.0(to, from, packet)
    }
}

/// Fault injector for sent packets.
struct Leaving<F>(F);

impl<F: FnMut(RunId, Outgoing) -> Vec<Outgoing>> FaultInjector for Leaving<F> {
    fn leaving(&mut self, from: RunId, packet: Outgoing) -> Vec<Outgoing> {
        self.0(from, packet)
    }
}

/// Fault injector for events shown to users.
struct Shown<F>(F);

impl<F: FnMut(RunId, Event) -> Vec<Event>> FaultInjector for Shown<F> {
    fn shown(&mut self, to: RunId, event: Event) -> Vec<Event> {
        self.0(to, event)
    }
}

/// Fault injector for requests of users.
struct Asked<F>(F);

impl<F: FnMut(RunId, Request) -> Vec<Request>> FaultInjector for Asked<F> {
    fn asked(&mut self, from: RunId, request: Request) -> Vec<Request> {
        self.0(from, request)
    }
}

/// Number of peers in the small room; the last one is the newcomer.
const PEERS: usize = 4;
/// Run of the newcomer.
const NEWCOMER: RunId = PEERS - 1;
/// Returns the time at which the others begin to talk.
const fn talk(peers: usize) -> u64 {
    peers as u64 * 3 * S
}

/// Returns the time at which the newcomer starts.
const fn come(peers: usize) -> u64 {
    talk(peers) + peers as u64 * S
}

/// Returns the time from which on each peer says one more message, one peer a second.
const fn again(peers: usize) -> u64 {
    come(peers) + 4 * S
}

/// Returns the time from which on nothing is said.
const fn quiet(peers: usize) -> u64 {
    again(peers) + peers as u64 * S
}

/// Returns a small room: three peers join and say four messages each (those of run 1 are "1:0" to
/// "1:3"), a newcomer joins, and each peer says one more.
fn room() -> Scenario {
    room_of(PEERS)
}

/// Returns the same room with this number of peers.
fn room_of(peers: usize) -> Scenario {
    let mut world = World::new(peers, Link::GOOD, 1);
    world.is_fault_free = true;
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
    world.plan(end - 10 * S, Action::StartSample);
    world.plan(end, Action::EndSample);
    Scenario { world, end }
}

/// Returns two rooms of one peer each, both called anna, which merge.
fn two_rooms() -> Scenario {
    let mut world = World::new(2, Link::GOOD, 1);
    world.plan(0, Action::Split(vec![0, 1]));
    for machine in 0..2 {
        world.plan(machine as u64 * S, Action::Start(machine, "anna".to_owned()));
    }
    world.plan(10 * S, Action::Split(vec![0, 0]));
    Scenario { world, end: 45 * S }
}

/// Returns a room with a candidate that asks for a taken name.
fn two_annas() -> Scenario {
    let mut world = World::new(2, Link::GOOD, 1);
    world.plan(0, Action::Start(0, "anna".to_owned()));
    world.plan(5 * S, Action::Start(1, "anna".to_owned()));
    Scenario { world, end: 40 * S }
}

/// Runs a scenario. Returns the names of the checks that fail, in their order, if a fault injector
/// is active from a time on. Prints the violations.
fn failing(
    mut plan: Scenario,
    from: u64,
    fault_injector: impl FaultInjector + 'static,
) -> Vec<&'static str> {
    plan.world.run_until(from);
    plan.world.fault_injector = Box::new(fault_injector);
    plan.world.run_until(plan.end);
    let violations = checks::violations(&plan.world);
    violations.iter().for_each(|(name, what)| println!("{name}: {what}"));
    let mut names: Vec<_> = violations.into_iter().map(|it| it.0).collect();
    names.dedup();
    names
}

/// Asserts that no check fails without faults, and exactly these checks fail with the injector.
#[track_caller]
fn assert_fail(
    checks: &[&str],
    plan: impl Fn() -> Scenario,
    fault_injector: impl FaultInjector + 'static,
) {
    assert_fail_from(0, checks, plan, fault_injector);
}

/// Asserts the same with the injector active from a time on.
#[track_caller]
fn assert_fail_from(
    from: u64,
    checks: &[&str],
    plan: impl Fn() -> Scenario,
    fault_injector: impl FaultInjector + 'static,
) {
    assert!(failing(plan(), 0, NoFaults).is_empty(), "something is wrong without a fault_injector");
    assert_eq!(failing(plan(), from, fault_injector), checks);
}

/// Returns the control packet, if it is one.
fn control(packet: &mut Packet) -> Option<&mut Control> {
    match packet {
        Packet::Control { control, .. } => Some(control),
        Packet::Entry { .. } => None,
    }
}

/// Returns the heartbeat, if it is one.
fn heartbeat(packet: &mut Packet) -> Option<&mut Heartbeat> {
    match control(packet)? {
        Control::Heartbeat(heartbeat) => Some(heartbeat),
        _ => None,
    }
}

/// Returns the `recent`, if it is one.
fn recent(packet: &mut Packet) -> Option<&mut Recent> {
    match control(packet)? {
        Control::Recent(recent) => Some(recent),
        _ => None,
    }
}

/// Returns true if a packet is an entry whose text starts with `text`.
fn is_entry(packet: &Packet, text: &str) -> bool {
    matches!(packet, Packet::Entry { entry, .. } if entry.fields.text.starts_with(text))
}

/// Returns the message of an event if it has this text.
fn message<'a>(event: &'a mut Event, text: &str) -> Option<&'a mut Message> {
    match event {
        Event::Message(message) if message.text == text => Some(message),
        _ => None,
    }
}

/// Returns an injector that shows run 2 the message `first` only after `second`. `is_late`: late
/// mark of `first`.
fn swapped(first: &'static str, second: &'static str, is_late: bool) -> impl FaultInjector {
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

/// Fault: peers never learn each other's names.
#[test]
fn check_1_detects_colliding_names() {
    let fault_injector = Arriving(|_, _, mut packet: Packet| {
        if let Some(heartbeat) = heartbeat(&mut packet) {
            "somebody".clone_into(&mut heartbeat.username);
        }
        let is_objection = matches!(control(&mut packet), Some(Control::Object(_)));
        (!is_objection).then_some(packet)
    });
    assert_fail(&["1 names_are_unique"], two_rooms, fault_injector);
}

/// Fault: candidates ignore objections.
#[test]
fn check_2_detects_an_ignored_objection() {
    let fault_injector = Arriving(|_, _, mut packet: Packet| match control(&mut packet) {
        Some(Control::Object(object)) if object.nonce != Nonce::default() => None,
        _ => Some(packet),
    });
    assert_fail(&["2 members_objection_rejects"], two_annas, fault_injector);
}

/// Fault: one peer never receives the entries of another. (Its user is not shown them either.)
#[test]
fn check_3_detects_missing_entries() {
    let fault_injector = Arriving(|to, from, mut packet: Packet| {
        if to != 2 {
            return Some(packet);
        }
        if let Some(heartbeat) = heartbeat(&mut packet) {
            heartbeat.page.clear();
            heartbeat.sequence *= u32::from(from != 1);
        }
        (!is_entry(&packet, "1:")).then_some(packet)
    });
    let checks = ["3 same_messages_same_order", "4 each_message_is_shown_once"];
    assert_fail(&checks, room, fault_injector);
}

/// Fault: one peer has another order than the rest.
#[test]
fn check_3_detects_another_order() {
    let fault_injector = Arriving(|to, _, packet| match packet {
        Packet::Entry { sender, entry } if to == 2 && entry.fields.text == "1:3" => {
            let mut fields = entry.fields.clone();
            fields.lamport.0 += 100;
            let entry = Entry::with_signature(entry.author, fields, [0; 64]).into();
            Some(Packet::Entry { sender, entry })
        }
        packet => Some(packet),
    });
    assert_fail(&["3 same_messages_same_order"], room, fault_injector);
}

/// Fault: one user is shown two messages in reverse order, without a late mark.
#[test]
fn check_3_detects_unmarked_late_messages() {
    assert_fail(&["3 same_messages_same_order"], room, swapped("0:3", "1:0", false));
}

/// Fault: one user is shown a message twice.
#[test]
fn check_4_detects_a_duplicate() {
    let fault_injector = Shown(|to, mut event: Event| {
        let is_it = to == 2 && message(&mut event, "1:3").is_some();
        vec![event; if is_it { 2 } else { 1 }]
    });
    assert_fail(&["4 each_message_is_shown_once"], room, fault_injector);
}

/// Fault: one user's messages are sent twice.
#[test]
fn check_4_detects_a_message_sent_twice() {
    let fault_injector = Asked(|from, request| vec![request; if from == 1 { 2 } else { 1 }]);
    assert_fail(&["4 each_message_is_shown_once"], room, fault_injector);
}

/// Fault: one user's messages are not sent.
#[test]
fn check_4_detects_an_unsent_message() {
    let fault_injector = Asked(|from, request| if from == 1 { Vec::new() } else { vec![request] });
    assert_fail(&["4 each_message_is_shown_once"], room, fault_injector);
}

/// Fault: one user is shown an author's messages in another order. (They are marked as late, so
/// that the room order is right.)
#[test]
fn check_4_detects_a_swap_within_an_author() {
    assert_fail(&["4 each_message_is_shown_once"], room, swapped("1:1", "1:2", true));
}

/// Fault: one user is not shown a message, the last one or another.
#[test]
fn check_4_detects_a_lost_message() {
    for lost in ["1:2", "1:4"] {
        let fault_injector = Shown(move |to, mut event: Event| {
            let is_it = to == 2 && message(&mut event, lost).is_some();
            if is_it { Vec::new() } else { vec![event] }
        });
        assert_fail(&["4 each_message_is_shown_once"], room, fault_injector);
    }
}

/// Fault: one peer gives up entries that all others have, because its `want`s and their `lost` are
/// altered.
#[test]
fn check_4_detects_a_gap_given_up_too_early() {
    let fault_injector = Arriving(|to, from, mut packet: Packet| {
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
        let Scenario { mut world, end } = room();
        world.plan(end, Action::Say(1, 2));
        Scenario { world, end: end + 20 * S }
    };
    assert_fail(&["4 each_message_is_shown_once"], plan, fault_injector);
}

/// Fault: the newcomer is told of nine messages instead of ten.
#[test]
fn check_5_detects_an_incomplete_history() {
    let fault_injector = Arriving(|_, _, mut packet: Packet| {
        if let Some(recent) = recent(&mut packet) {
            recent.entries.pop();
        }
        Some(packet)
    });
    assert_fail(&["5 history_is_that_of_the_most_senior"], room, fault_injector);
}

/// Fault: the most senior member seems to be the least senior to the newcomer.
#[test]
fn check_5_detects_a_wrong_source() {
    let fault_injector = Arriving(|to, from, mut packet: Packet| {
        match control(&mut packet) {
            Some(Control::Agree(it)) if (to, from) == (NEWCOMER, 0) => it.since = it.clock,
            Some(Control::Heartbeat(it)) if (to, from) == (NEWCOMER, 0) => it.since = it.clock,
            _ => {}
        }
        Some(packet)
    });
    assert_fail(&["5 history_is_that_of_the_most_senior"], room, fault_injector);
}

/// Fault: one engine no longer hears of a live member.
#[test]
fn check_6_detects_a_false_departure() {
    let mut subject: Option<PeerId> = None;
    let fault_injector = Arriving(move |to, from, mut packet: Packet| {
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
    assert_fail_from(quiet(PEERS), &["6 no_live_member_is_gone"], room, fault_injector);
}

/// Fault: every packet is sent five times.
#[test]
fn check_7_detects_too_many_datagrams() {
    let fault_injector = Leaving(|_, packet| vec![packet; 5]);
    assert_fail(&["7 traffic_is_bounded"], room, fault_injector);
}

/// Fault: announces are larger than a datagram may be.
#[test]
fn check_7_detects_oversized_datagrams() {
    let fault_injector = Leaving(|_, mut packet| {
        if let Outgoing::Control(Control::Announce(announce)) = &mut packet {
            announce.padding = "-".repeat(1_232);
        }
        vec![packet]
    });
    assert_fail(&["7 traffic_is_bounded"], room, fault_injector);
}

/// Fault: nine members believe that they are the most senior, and all agree to a newcomer.
#[test]
fn check_7_detects_too_many_agreements() {
    let fault_injector = Arriving(|to, _, mut packet: Packet| {
        if let Some(heartbeat) = heartbeat(&mut packet).filter(|_| to < 9) {
            heartbeat.since = RoomClock(heartbeat.clock.0 + 1);
        }
        Some(packet)
    });
    assert_fail_from(talk(10), &["7 traffic_is_bounded"], || room_of(10), fault_injector);
}

/// Fault: the newcomer receives objections instead of agreements.
#[test]
fn check_8_detects_a_groundless_rejection() {
    let fault_injector = Arriving(|to, _, mut packet: Packet| {
        if let Some(control) = control(&mut packet).filter(|_| to == NEWCOMER)
            && let Control::Agree(agree) = control
        {
            *control = Control::Object(objection(agree));
        }
        Some(packet)
    });
    assert_fail(&["8 every_candidate_is_decided"], room, fault_injector);
}

/// Returns an objection in place of an agreement.
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

/// Fault: the newcomer's history has eighteen pages, each of which must be requested three times,
/// and the last one never arrives.
#[test]
fn check_8_detects_an_endless_candidacy() {
    let mut asked = 0;
    let fault_injector = Arriving(move |to, _, mut packet: Packet| {
        if let Some(recent) = recent(&mut packet).filter(|_| to == NEWCOMER) {
            asked += 1;
            recent.pages = 18;
            if recent.page == 17 || asked % 3 != 0 {
                return None;
            }
        }
        Some(packet)
    });
    // End before idle traffic is measured.
    let plan = || Scenario { end: come(PEERS) + 21 * S, ..room() };
    assert_fail(&["8 every_candidate_is_decided"], plan, fault_injector);
}

/// Fault: liars come from two machines to a peer that is alone. They look like another room, to
/// which it gives way.
#[test]
fn check_9_detects_a_lost_name() {
    let plan = || fixed_scenarios::convincing_liars(Lie::Claim);
    assert_eq!(failing(plan(), 0, NoFaults), ["9 liars_take_no_name"]);
}

/// Fault: liars have joined before a newcomer comes, so their objections are those of members.
#[test]
fn check_9_detects_a_rejected_newcomer() {
    let plan = || fixed_scenarios::convincing_liars(Lie::Both);
    let failed = failing(plan(), 0, NoFaults);
    assert!(failed.contains(&"8 every_candidate_is_decided"), "{failed:?}");
    assert!(failed.contains(&"9 liars_take_no_name"), "{failed:?}");
}
