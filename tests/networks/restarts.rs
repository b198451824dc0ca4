//! Peers that are killed or suspended and come back.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::lab::{Family, Lab};
use super::peer_process::{join_all, say_numbered};

/// Time for which two peers are suspended.
const SUSPENSION: Duration = Duration::from_secs(30);

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
    }
}
