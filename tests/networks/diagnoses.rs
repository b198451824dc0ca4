//! What `chat-peer doctor` says in networks with one fault each: the line that says what is wrong,
//! the line that says what to do, and the exit code. Then the advice is followed, and the doctor
//! finds nothing wrong any more.
//!
//! The doctors run at the same time, each on a machine of its own, a few in each network.

use std::process::{Child, Stdio};

use super::lab::{Family, Lab, Machine};
use super::peer_process::PeerProcess;

/// Maximum number of runs of a doctor. On a busy machine, heartbeats may come later than a doctor
/// listens.
const MAX_RUNS: u32 = 3;

/// Last lines of the report of a doctor that finds nothing wrong.
const WORKS: (&str, &str) =
    ("ok    one datagram by the IPv4 group reaches everybody who answers", "do    nothing");

/// Last lines of the report of a doctor that hears peers, and gets no answers.
const NO_ANSWERS: (&str, &str) = (
    "fail  peers are heard, and no answer of theirs comes back",
    "do    allow incoming UDP (port 2428 and answers) in the firewalls of the other devices",
);

/// Network with one fault, and what the doctor says.
struct Case<'a> {
    /// Machine on which the doctor runs.
    machine: Machine,
    /// Arguments of the doctor.
    arguments: Vec<String>,
    /// Beginnings of the last two lines of the report.
    lines: (&'static str, &'static str),
    /// Exit code.
    code: i32,
    /// What follows the advice of the last line; `None` if that is to do nothing.
    cure: Option<Cure<'a>>,
}

/// Way to follow the advice of a doctor.
struct Cure<'a> {
    /// Removes the fault.
    apply: Box<dyn Fn(&Machine) + 'a>,
    /// Arguments of the next doctor.
    arguments: Vec<String>,
}

/// Running doctor.
struct Doctor {
    /// Its process.
    child: Child,
    /// Its arguments.
    arguments: Vec<String>,
}

impl Doctor {
    /// Starts a doctor on a machine.
    fn start(machine: &Machine, arguments: Vec<String>) -> Self {
        let mut command = machine.command(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().arg("doctor").args(&arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, arguments }
    }

    /// Waits for the doctor. If the end of its report is not as expected, runs it again, up to
    /// [`MAX_RUNS`] times in all; then panics.
    fn expect(mut self, machine: &Machine, lines: (&str, &str), code: i32) {
        for run in 1.. {
            let output = self.child.wait_with_output().unwrap();
            let report = String::from_utf8(output.stdout).unwrap();
            let mut last = report.lines().rev();
            let (to_do, wrong) = (last.next().unwrap(), last.next().unwrap());
            let is_expected = wrong.starts_with(lines.0)
                && to_do.starts_with(lines.1)
                && output.status.code() == Some(code);
            if is_expected {
                return;
            }
            let arguments = self.arguments;
            super::report(format_args!(
                "doctor {arguments:?}, run {run}: expected {lines:?} {code}, but {:?}:\n{report}",
                output.status.code()
            ));
            assert!(run < MAX_RUNS, "{lines:?}");
            self = Self::start(machine, arguments);
        }
    }
}

impl<'a> Case<'a> {
    /// Creates a case whose advice is not followed. `arguments` are separated by spaces.
    fn new(
        machine: Machine,
        arguments: &str,
        code: i32,
        lines: (&'static str, &'static str),
    ) -> Self {
        let arguments = split(arguments);
        Self { machine, arguments, lines, code, cure: None }
    }

    /// Sets what follows the advice, and the arguments of the doctor afterwards.
    fn cured(mut self, apply: impl Fn(&Machine) + 'a, arguments: &str) -> Self {
        self.cure = Some(Cure { apply: Box::new(apply), arguments: split(arguments) });
        self
    }
}

/// Splits arguments at spaces.
fn split(arguments: &str) -> Vec<String> {
    arguments.split_whitespace().map(str::to_owned).collect()
}

/// Runs the doctors of all cases at once. Then follows their advice, where a case has a cure, and
/// runs these doctors again, which must find nothing wrong.
fn check_all(cases: Vec<Case<'_>>) {
    let start = |it: &Case<'_>| Doctor::start(&it.machine, it.arguments.clone());
    let doctors: Vec<_> = cases.iter().map(start).collect();
    for (case, doctor) in cases.iter().zip(doctors) {
        doctor.expect(&case.machine, case.lines, case.code);
    }
    let follow = |it: &Case<'_>| {
        let cure = it.cure.as_ref()?;
        (cure.apply)(&it.machine);
        Some(Doctor::start(&it.machine, cure.arguments.clone()))
    };
    let doctors: Vec<_> = cases.iter().map(follow).collect();
    for (case, doctor) in cases.iter().zip(doctors) {
        if let Some(doctor) = doctor {
            doctor.expect(&case.machine, WORKS, 0);
        }
    }
}

/// Filters of what comes from a machine: by the groups, by broadcast, and by unicast.
struct From {
    /// Datagrams to the groups.
    groups: [String; 2],
    /// Broadcast datagrams.
    broadcast: String,
    /// Datagrams to one machine alone.
    unicast: [String; 2],
}

impl From {
    /// Returns the filters of what comes from this machine.
    fn machine(machine: &Machine) -> Self {
        let v4 = &machine.addresses[0];
        let numbers: Vec<_> = v4.split('.').collect();
        let v6 = format!("fe80::{}:{}", numbers[2], numbers[3]);
        Self {
            groups: [
                format!("ip saddr {v4} ip daddr 224.0.0.0/4"),
                format!("ip6 saddr {v6} ip6 daddr ff12::2428"),
            ],
            broadcast: format!("ip saddr {v4} fib daddr type broadcast"),
            unicast: [
                format!("ip saddr {v4} meta l4proto udp fib daddr type local"),
                format!("ip6 saddr {v6} meta l4proto udp fib daddr type local"),
            ],
        }
    }

    /// Drops datagrams to the groups at a machine.
    fn drop_groups(&self, at: &Machine) -> &Self {
        self.groups.iter().for_each(|it| at.drop_incoming(it));
        self
    }

    /// Drops broadcast datagrams at a machine.
    fn drop_broadcast(&self, at: &Machine) -> &Self {
        at.drop_incoming(&self.broadcast);
        self
    }

    /// Drops unicast datagrams at a machine.
    fn drop_unicast(&self, at: &Machine) -> &Self {
        self.unicast.iter().for_each(|it| at.drop_incoming(it));
        self
    }
}

/// Lets in everything at a machine.
fn accept_all(at: &Machine) {
    at.accept_incoming("meta l4proto udp");
}

/// Networks that drop what goes by some paths or in one direction, and datagrams at random.
#[test]
fn doctor_names_faults_of_the_network() {
    let Some(lab) = Lab::new() else { return };
    let [one, two] = [lab.lan(), lab.lan()];
    let annas = [one, two].map(|it| lab.machine(&[it], Family::Both));
    let [anna, ben] = &annas;
    let _peers = annas.each_ref().map(|it| PeerProcess::join(it, "anna"));
    let machine = |lan| lab.machine(&[lan], Family::Both);
    let mut cases = Vec::new();

    // Nothing by the groups.
    let it = machine(one);
    From::machine(&it).drop_groups(anna);
    From::machine(anna).drop_groups(&it);
    let lines = (
        "warn  no group reaches everybody who answers, only broadcast does",
        "do    nothing needs to be done, chat-peer falls back to broadcast",
    );
    cases.push(Case::new(it, "", 0, lines));

    // Nothing by broadcast.
    let it = machine(one);
    From::machine(&it).drop_broadcast(anna);
    From::machine(anna).drop_broadcast(&it);
    let lines = (
        "ok    one datagram by the IPv4 group reaches everybody who answers; broadcast reaches \
         nobody",
        "do    nothing",
    );
    cases.push(Case::new(it, "", 0, lines));

    // Nothing to one machine alone, to the peer.
    let it = machine(one);
    From::machine(&it).drop_unicast(anna);
    let lines = (
        "warn  peers answer what is sent to many, and not what is sent to them alone",
        "do    on the other device, let in UDP from this network to chat-peer on every port",
    );
    let cure = |it: &Machine| {
        From::machine(it).unicast.iter().for_each(|it| anna.accept_incoming(it));
    };
    cases.push(Case::new(it, "", 0, lines).cured(cure, ""));

    // Nothing to one machine alone, in both directions.
    let it = machine(one);
    From::machine(&it).drop_unicast(anna);
    From::machine(anna).drop_unicast(&it);
    let cure = |it: &Machine| {
        From::machine(it).unicast.iter().for_each(|it| anna.accept_incoming(it));
        accept_all(it);
    };
    cases.push(Case::new(it, "", 69, NO_ANSWERS).cured(cure, ""));

    // Nothing from the peer to many.
    let it = machine(two);
    From::machine(ben).drop_groups(&it).drop_broadcast(&it);
    let lines = (
        "warn  one way only: multicast and broadcast from here arrive there",
        "do    nothing needs to be done, the others send a copy to each; allow incoming multicast",
    );
    cases.push(Case::new(it, "", 0, lines).cured(accept_all, ""));

    // Nothing to the peer by the groups and broadcast.
    let it = machine(two);
    From::machine(&it).drop_groups(ben).drop_broadcast(ben);
    let lines = (
        "warn  one way only: multicast or broadcast from there arrives here",
        "do    nothing needs to be done, chat-peer falls back to a copy for each peer; allow incoming",
    );
    let cure = |it: &Machine| {
        let From { groups, broadcast, .. } = From::machine(it);
        groups.iter().chain([&broadcast]).for_each(|it| ben.accept_incoming(it));
    };
    cases.push(Case::new(it, "", 0, lines).cured(cure, ""));

    // 30 % loss in each direction.
    let it = machine(two);
    it.drop_incoming("meta l4proto udp numgen random mod 100 < 30");
    let from = it.addresses[0].clone();
    ben.drop_incoming(&format!("ip saddr {from} numgen random mod 100 < 30"));
    let lines =
        ("warn  the network loses datagrams: ", "do    nothing needs to be done, chat-peer re");
    let cure = |it: &Machine| {
        accept_all(it);
        ben.accept_incoming(&format!("ip saddr {}", it.addresses[0]));
    };
    cases.push(Case::new(it, "", 0, lines).cured(cure, ""));

    check_all(cases);
}

/// Firewalls of the computer itself.
#[test]
fn doctor_names_faults_of_the_firewall() {
    let Some(lab) = Lab::new() else { return };
    let lan = lab.lan();
    let anna = lab.machine(&[lan], Family::Both);
    let _anna = PeerProcess::join(&anna, "anna");
    let named = format!("--peer {}", anna.addresses[0]);
    let machine = || lab.machine(&[lan], Family::Both);
    let other_lan = lab.lan();
    let dora = lab.machine(&[other_lan], Family::Both);
    dora.install_firewall();
    let _dora = PeerProcess::join(&dora, "dora");
    let mut cases = Vec::new();

    // Nothing in.
    let it = machine();
    it.drop_incoming("meta l4proto udp");
    let closed = (
        "fail  this computer's firewall lets no UDP in",
        "do    allow incoming UDP to port 2428 in this computer's firewall",
    );
    let cure = |it: &Machine| {
        it.accept_incoming("udp dport 2428");
        it.accept_incoming("ct state established");
    };
    cases.push(Case::new(it, "", 69, closed).cured(cure, ""));

    // A stateful firewall, which looks the same as long as nobody is named.
    let it = machine();
    it.install_firewall();
    let cure = |it: &Machine| it.accept_incoming("udp dport 2428");
    cases.push(Case::new(it, "", 69, closed).cured(cure, ""));

    // A stateful firewall, and a peer is named.
    let it = machine();
    it.install_firewall();
    let lines = (
        "warn  this computer's firewall lets in only answers",
        "do    allow incoming UDP to port 2428 in this computer's firewall",
    );
    cases.push(Case::new(it, &named, 0, lines).cured(cure, &named));

    // The port only, and no answers.
    let it = machine();
    it.drop_incoming("meta l4proto udp udp dport != 2428");
    let lines = (
        "warn  this computer's firewall lets in what comes to UDP port 2428, and no answers",
        "do    in this computer's firewall, allow incoming UDP that answers",
    );
    let cure = |it: &Machine| it.accept_incoming("ct state established");
    cases.push(Case::new(it, "", 0, lines).cured(cure, ""));

    // A stateful firewall of the only peer, which is heard.
    let cure = |_: &Machine| dora.accept_incoming("udp dport 2428");
    let it = lab.machine(&[other_lan], Family::Both);
    cases.push(Case::new(it, "", 69, NO_ANSWERS).cured(cure, ""));

    // Nothing out.
    let it = machine();
    it.drop_outgoing("meta l4proto udp");
    let lines = (
        "fail  this computer's firewall lets no UDP out: permission denied",
        "do    allow outgoing UDP to port 2428, and to any port of this network",
    );
    let cure = |it: &Machine| it.accept_outgoing("meta l4proto udp");
    cases.push(Case::new(it, "", 69, lines).cured(cure, ""));

    check_all(cases);
}

/// Wrong settings, missing networks and hosts, and isolation.
#[test]
fn doctor_names_wrong_settings_and_absence() {
    let Some(lab) = Lab::new() else { return };
    let [lan, empty, guests] = [lab.lan(), lab.lan(), lab.lan()];
    let anna = lab.machine(&[lan], Family::Both);
    let _anna = PeerProcess::join(&anna, "anna");
    let anna_address = &anna.addresses[0];
    let machine = || lab.machine(&[lan], Family::Both);
    let mut cases = Vec::new();

    // Another room and another port. The others on this network must be peers of the room.
    let lines = (
        "warn  nobody is in #desert; 1 peer is in #lobby",
        "do    give the --room and, for a closed room, the --passphrase-file that the others have",
    );
    let other_lan = lab.lan();
    let carla = lab.machine(&[other_lan], Family::Both);
    let _carla = PeerProcess::join(&carla, "carla");
    let it = lab.machine(&[other_lan], Family::Both);
    cases.push(Case::new(it, "--room desert", 0, lines).cured(|_| (), ""));
    let it = lab.machine(&[other_lan], Family::Both);
    let lines = (
        "warn  nobody is on UDP port 5000; 1 peer is in this room on port 2428",
        "do    leave out --port 5000",
    );
    cases.push(Case::new(it, "--port 5000", 0, lines).cured(|_| (), ""));

    // No network: no interface, or no link, or no cable.
    let no_network = ("fail  there is no network", "do    connect a cable or Wi-Fi");
    cases.push(Case::new(lab.machine(&[], Family::Both), "", 69, no_network));
    let it = machine();
    it.set_link(false);
    cases.push(Case::new(it, "", 69, no_network).cured(|it| it.set_link(true), ""));
    let it = machine();
    lab.set_plugged(&it, false);
    let plug = |it: &Machine| lab.set_plugged(it, true);
    cases.push(Case::new(it, "", 69, no_network).cured(plug, ""));

    // An interface without peers, and one that does not exist.
    let it = lab.machine(&[lan, empty], Family::Both);
    let lines = (
        "fail  wrong interface: nobody is on eth1; peers of #lobby are heard on eth0",
        "do    use --interface eth0",
    );
    cases.push(Case::new(it, "--interface eth1", 69, lines).cured(|_| (), "--interface eth0"));
    let lines = ("fail  wrong interface: nobody is on wlan7; peers", "do    use --interface eth0");
    cases.push(Case::new(machine(), "--interface wlan7", 69, lines).cured(|_| (), ""));

    // A host that does not exist, and one without a peer on that port.
    let lines = ("warn  peer 198.18.0.250:2428: no device has this address", "do    turn it on");
    let right = format!("--peer {anna_address}");
    cases.push(Case::new(machine(), "--peer 198.18.0.250", 0, lines).cured(|_| (), &right));
    let lines = ("warn  peer 198.18.0.1:999: the host is there, and refuses", "do    start chat-p");
    let it = Case::new(machine(), &format!("--peer {anna_address}:999"), 0, lines);
    cases.push(it.cured(|_| (), &right));

    // Isolation, with a router that is reached, and what tells it from an empty room: the doctor
    // with --peer.
    let _router = lab.machine(&[guests], Family::Both);
    let guest_machines = [(); 3].map(|()| lab.machine(&[guests], Family::Both));
    guest_machines.iter().for_each(|it| lab.set_isolated(it, true));
    let [bert, one, two] = guest_machines;
    let _bert = PeerProcess::join(&bert, "bert");
    let lines = (
        "warn  nobody on another machine is in #lobby, or an access point keeps devices apart \
         (isolation): ",
        "do    run chat-peer on a second device, with the same room and port 2428, and here the \
         doctor with --peer and its address",
    );
    let cure = |it: &Machine| lab.set_isolated(it, false);
    cases.push(Case::new(one, "", 0, lines).cured(cure, ""));
    let lines = ("fail  peer 198.18.2.", "do    turn it on, and check its address on it");
    let named = format!("--peer {}", bert.addresses[0]);
    cases.push(Case::new(two, &named, 69, lines).cured(cure, &named));

    // Nobody, and other devices.
    let others = lab.lan();
    let _devices = [(); 3].map(|()| lab.machine(&[others], Family::Both));
    let lines = (
        "warn  nobody on another machine is in #lobby; ",
        "do    run chat-peer on a second device",
    );
    cases.push(Case::new(lab.machine(&[others], Family::Both), "", 0, lines));

    check_all(cases);
}
