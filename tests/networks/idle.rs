//! Cost of an idle room: datagrams and CPU time.

use std::thread;
use std::time::{Duration, Instant};

use super::lab::{Family, Lab, Machine};
use super::peer_process::{PATIENCE, PeerProcess};
use super::report;

/// Number of peers in the room.
const PEERS: usize = 10;

/// Time over which datagrams and CPU time are counted.
const MEASURED_TIME: Duration = Duration::from_secs(30);

/// Time without any ping after which the peers count as settled.
const QUIET_TIME: Duration = Duration::from_secs(4);

/// Each peer sends less than one datagram a second and uses less than 1 % of a processor.
#[test]
fn idle_peers_send_and_compute_little() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(PEERS, Family::Both);
    let names: Vec<_> = (0..PEERS).map(|number| format!("p{number}")).collect();
    let mut peers: Vec<_> =
        machines.iter().zip(&names).map(|(it, name)| PeerProcess::start(it, name, &[])).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for peer in &mut peers {
        peer.wait_for_type("admitted");
        peer.wait_for_members(&names);
    }

    wait_until_pings_stop(&machines);
    let before: Vec<_> = machines.iter().map(Machine::packet_counts).collect();
    let cpu_before: Vec<_> = peers.iter().map(PeerProcess::cpu_time).collect();
    thread::sleep(MEASURED_TIME);
    let seconds = MEASURED_TIME.as_secs_f64();
    let rates = machines.iter().zip(&before).map(|(it, before)| {
        let sent = u32::try_from(it.packet_counts().since(before, "sent")).unwrap();
        f64::from(sent) / seconds
    });
    let loads =
        peers.iter().zip(&cpu_before).map(|(it, before)| (it.cpu_time() - *before).as_secs_f64());
    let (mean_rate, max_rate) = mean_and_max(rates);
    let (mean_load, max_load) = mean_and_max(loads.map(|it| 100.0 * it / seconds));
    report(format_args!(
        "idle in a room of {PEERS}: {mean_rate:.2} datagrams a second each (at most {max_rate:.2}), \
         {mean_load:.2} % of a processor each (at most {max_load:.2} %)"
    ));
    assert!(max_rate < 1.0 && max_load < 1.0);
}

/// Waits until no peer has sent a ping for [`QUIET_TIME`]: then all know the members and by which
/// paths they hear each other.
fn wait_until_pings_stop(machines: &[Machine]) {
    let counts = || machines.iter().map(Machine::packet_counts).collect::<Vec<_>>();
    let (end, mut before) = (Instant::now() + PATIENCE, counts());
    loop {
        thread::sleep(QUIET_TIME);
        let now = counts();
        if now.iter().zip(&before).all(|(now, before)| now.since(before, "pings") == 0) {
            return;
        }
        assert!(Instant::now() < end, "they do not stop asking each other");
        before = now;
    }
}

/// Returns the mean and the maximum.
fn mean_and_max(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    let figures: Vec<_> = figures.collect();
    let count = u32::try_from(figures.len()).unwrap();
    (figures.iter().sum::<f64>() / f64::from(count), figures.into_iter().fold(0.0, f64::max))
}
