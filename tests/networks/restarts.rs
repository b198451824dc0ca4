//! Peers that are killed or suspended and come back.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::lab::{Family, Lab};
use super::peer_process::{join_all, say_numbered};

/// Time for which two peers are suspended.
const SUSPENSION: Duration = Duration::from_secs(30);

/// Time for which a peer sleeps: longer than the 3 s from which on it notices that, so long that
/// what waits in its socket is more than the 5 s old with which a clock counts as wrong, and
/// shorter than the 10 s after which it is gone for others.
const SHORT_SLEEP: Duration = Duration::from_secs(8);

/// Pause between messages while a peer sleeps. A heartbeat follows a message after 300 ms.
const DREAM_INTERVAL: Duration = Duration::from_millis(500);

/// Code of the notice that another peer's clock differs (docs/json.md).
const CLOCK_DIFFERS: u16 = 4;

/// A peer that is killed and started again at once is admitted at once, with the same name.
#[test]
fn killed_peer_rejoins_at_once_with_its_name() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let [mut anna, bob, mut carol] = join_all(&machines, ["anna", "bob", "carol"]);
    let begin = Instant::now();
    let mut bob = bob.kill_and_restart(&machines[1], "bob");
    assert_eq!(bob.wait_for_type("admitted")["name"], "bob");
    assert!(begin.elapsed() < Duration::from_secs(8), "it took {:?}", begin.elapsed());
    bob.say("here again");
    for peer in [&mut anna, &mut bob, &mut carol] {
        peer.wait_for_messages(&["here again"]);
        peer.wait_for_members(&["anna", "bob", "carol"]);
        assert!(!peer.has_received("renamed"));
    }
}

/// Suspended peers are gone for the others after 10 seconds. When they run again they get every
/// message that they missed: both a peer whose incoming datagrams wait in the socket's buffer, and
/// one that is disconnected, so that they are lost.
#[test]
fn suspended_peers_are_gone_and_later_get_missed_messages() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let [mut anna, mut bob, mut carol] = join_all(&machines, ["anna", "bob", "carol"]);
    let cable = &machines[2].cables[0];
    let begin = Instant::now();
    bob.send_signal(Signal::STOP);
    carol.send_signal(Signal::STOP);
    lab.unplug(cable);
    anna.wait_for_members(&["anna"]);
    let time = begin.elapsed();
    assert!((8..20).contains(&time.as_secs()), "they were gone after {time:?}");
    let texts = say_numbered(&mut anna, "dream", 50);
    anna.wait_for_messages(&texts);
    thread::sleep(SUSPENSION.saturating_sub(begin.elapsed()));
    lab.plug(cable);
    bob.send_signal(Signal::CONT);
    carol.send_signal(Signal::CONT);
    for peer in [&mut bob, &mut carol, &mut anna] {
        peer.wait_for_messages(&texts);
        peer.wait_for_members(&["anna", "bob", "carol"]);
        peer.read_pending();
        assert_eq!(peer.messages().len(), texts.len());
        assert!(!peer.has_received("renamed"));
        assert!(!peer.has_notice(CLOCK_DIFFERS));
    }
}

/// A peer sleeps for a few seconds, as a laptop does, while another one talks. Awake again, it
/// shows what it has missed. It takes nobody's clock for wrong, though heartbeats of several
/// seconds ago, each with a message behind it, have waited in its socket.
#[test]
fn short_sleep_costs_no_message_and_no_clock_is_reported() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let [mut anna, mut bob] = join_all(&machines, ["anna", "bob"]);
    let begin = Instant::now();
    bob.send_signal(Signal::STOP);
    let mut texts = Vec::new();
    while begin.elapsed() < SHORT_SLEEP {
        texts.push(format!("dream {}", texts.len()));
        anna.say(texts.last().unwrap());
        thread::sleep(DREAM_INTERVAL);
    }
    anna.wait_for_messages(&texts);
    bob.send_signal(Signal::CONT);
    for peer in [&mut bob, &mut anna] {
        peer.wait_for_messages(&texts);
        peer.wait_for_members(&["anna", "bob"]);
        peer.read_pending();
        assert_eq!(peer.messages().len(), texts.len());
        assert!(!peer.has_notice(CLOCK_DIFFERS));
    }
}
