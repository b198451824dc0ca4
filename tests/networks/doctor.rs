//! `chat-peer doctor` with peers on other machines.

use std::process::Stdio;

use super::lab::{Family, Lab, Machine};
use super::peer_process::{PeerProcess, join_all};

/// Runs `chat-peer doctor` on a machine. Returns its report and its exit code.
fn run_doctor(machine: &Machine, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = machine.command(env!("CARGO_BIN_EXE_chat-peer"));
    command.env_clear().arg("doctor").args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// Drops incoming multicast datagrams of other machines, as some access points do, and broadcast
/// ones too if `is_broadcast_dropped`. IPv4 multicast within the machine still works.
fn drop_multicast_from_other_machines(machine: &Machine, is_broadcast_dropped: bool) {
    let address = &machine.addresses[0];
    machine.drop_incoming(&format!("ip saddr != {address} ip daddr 224.0.0.0/4"));
    machine.drop_incoming("iif eth0 ip6 saddr fe80::/64 ip6 daddr ff12::2428");
    if is_broadcast_dropped {
        machine.drop_incoming(&format!("ip saddr != {address} fib daddr type broadcast"));
    }
}

/// Asserts that for each item of `lines` some line of the report begins with it.
fn assert_lines_begin_with(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.lines().any(|it| it.starts_with(line)), "no “{line}” in: {report}");
    }
}

/// On a working network each check passes, and the doctor never becomes a member of the room.
#[test]
fn doctor_reports_working_multicast() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let mut peers = join_all(&machines, ["anna", "bob"]);
    let (report, code) = run_doctor(&machines[2], &["--peer", &machines[0].addresses[0]]);
    let lines = [
        "ok    interface eth0: the IPv4 group works inside this machine",
        "ok    interface eth0: the IPv4 group reaches ",
        "ok    interface eth0: the IPv6 group reaches ",
        "ok    interface eth0: broadcast reaches ",
        "ok    interface eth0: the IPv4 group brings what is sent by ",
        "ok    2 peers found in #lobby: 0 on this machine, 2 on other machines",
        "ok    anna at ",
        "ok    bob at ",
        "ok    0 of ",
        &format!("ok    peer {}:2428: anna answers", machines[0].addresses[0]),
        "ok    one datagram by the IPv4 group reaches everybody who answers",
    ];
    assert_lines_begin_with(&report, &lines);
    assert!(!report.contains("nobody on another machine"), "{report}");
    assert_eq!(code, Some(0), "{report}");
    for peer in &mut peers {
        peer.wait_for_members(&["anna", "bob"]);
    }
}

/// If multicast works within each machine but not between machines, the report says so, and that
/// `chat-peer` falls back to broadcast.
#[test]
fn doctor_reports_broadcast_where_multicast_is_dropped() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines.iter().for_each(|it| drop_multicast_from_other_machines(it, false));
    let _anna = PeerProcess::join(&machines[0], "anna");
    let (report, code) = run_doctor(&machines[1], &[]);
    let lines = [
        "ok    interface eth0: the IPv4 group works inside this machine",
        "warn  interface eth0: nobody on another machine answers what is sent by the IPv4 group",
        "warn  interface eth0: in 13 seconds the IPv4 group has brought nothing from there",
        "ok    interface eth0: broadcast reaches anna, on another machine",
        "ok    interface eth0: broadcast brings what is sent by anna, on another machine",
        "warn  no group reaches everybody who answers, only broadcast does",
        "do    nothing needs to be done, chat-peer falls back to broadcast",
    ];
    assert_lines_begin_with(&report, &lines);
    assert_eq!(code, Some(0), "{report}");
}

/// If only unicast arrives, named hosts that exist answer, and no other peer is reported as
/// reached.
#[test]
fn doctor_reports_unicast_where_nothing_else_arrives() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines.iter().for_each(|it| drop_multicast_from_other_machines(it, true));
    let _anna = PeerProcess::join(&machines[0], "anna");
    let host = &machines[0].addresses[0];
    let (report, code) = run_doctor(&machines[1], &["--peer", host, "--peer", "198.18.0.99"]);
    let lines = [
        "ok    interface eth0: the IPv4 group works inside this machine",
        "warn  interface eth0: nobody on another machine answers what is sent by broadcast",
        &format!("ok    peer {host}:2428: somebody whose name was not heard answers"),
        "warn  peer 198.18.0.99:2428: no device has this address",
        "warn  no way to many reaches anybody",
        "do    name one peer with --peer HOST at each start, chat-peer falls back to a copy",
    ];
    assert_lines_begin_with(&report, &lines);
    assert_eq!(code, Some(0), "{report}");
    let (report, code) = run_doctor(&machines[1], &[]);
    assert_lines_begin_with(
        &report,
        &["warn  nobody was heard in #lobby", "warn  nobody on another machine is in #lobby"],
    );
    assert_eq!(code, Some(0), "{report}");
}
