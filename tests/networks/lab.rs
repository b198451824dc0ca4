//! Simulated machines, switches and cables, made of network namespaces, bridges and veth pairs.
//!
//! A namespace exists as long as a process is in it. Here that is a `cat` whose input is a pipe
//! from the test. When the test ends, in whatever way, `cat` ends too, and the namespace vanishes
//! with everything in it. Namespaces have no names, and nothing is changed in that of the host. So
//! nothing is left behind, and several labs do not disturb each other.

#![allow(dead_code, reason = "tests and benchmarks use a part each")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// Options of `unshare` that may make a lab's first namespace: as root, or as root of a new user
/// namespace. The first ones that work are used.
const UNSHARE_OPTIONS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// The options that work on this machine, or an error message.
static WORKING_OPTIONS: LazyLock<Result<&'static [&'static str], String>> = LazyLock::new(|| {
    let mut last_error = String::new();
    for options in UNSHARE_OPTIONS {
        match NamespaceHolder::start(system_command("unshare").args(options))
            .and_then(|it| it.check_capabilities(options))
        {
            Ok(()) => return Ok(options),
            Err(error) => last_error = error,
        }
    }
    Err(format!("no network namespaces with bridges and nftables here: {}", last_error.trim()))
});

/// Counters of outgoing datagrams on each machine: name and nftables filter. A datagram's kind is
/// the first byte after the UDP header (8 bytes) and the protocol's header (23 bytes), at bit 248.
const COUNTERS: [(&str, &str); 7] = [
    ("sent", "meta l4proto udp"),
    ("heartbeats", "meta l4proto udp @th,248,8 4"),
    ("pings", "meta l4proto udp @th,248,8 5"),
    ("entries", "meta l4proto udp @th,248,8 7"),
    ("entries_group4", "ip daddr 239.255.24.28 @th,248,8 7"),
    ("entries_group6", "ip6 daddr ff12::2428 @th,248,8 7"),
    ("entries_broadcast", "meta l4proto udp fib daddr type broadcast @th,248,8 7"),
];

/// A command for a program that may be in a directory which Debian has only in root's `PATH`.
fn system_command(program: &str) -> Command {
    let found = ["/usr/sbin", "/sbin"].map(|it| Path::new(it).join(program));
    let found = found.into_iter().find(|it| it.exists());
    Command::new(found.unwrap_or_else(|| program.into()))
}

/// A process that does nothing but keep a network namespace alive.
#[derive(Debug)]
struct NamespaceHolder {
    /// The `cat` process.
    child: Child,
}

impl NamespaceHolder {
    /// Appends to `command`, which enters a new namespace, the program that keeps it, and starts
    /// it. Returns as soon as the namespace exists.
    ///
    /// # Errors
    ///
    /// The message of the command if it fails.
    fn start(command: &mut Command) -> Result<Self, String> {
        command.args(["sh", "-c", "echo inside; exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut holder = Self { child };
        let mut line = String::new();
        let output = holder.child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).map_err(|it| it.to_string())?;
        if line == "inside\n" {
            return Ok(holder);
        }
        let mut error = String::new();
        let _ = holder.child.stderr.as_mut().unwrap().read_to_string(&mut error);
        Err(error)
    }

    /// A command that runs in the namespace.
    fn command(&self, options: &[&str], program: &str) -> Command {
        let mut nsenter = system_command("nsenter");
        nsenter.args(["--target", &self.child.id().to_string(), "--net"]);
        if options.contains(&"--user") {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.arg("--").arg(system_command(program).get_program());
        nsenter
    }

    /// Tries everything that a lab needs: bridges, veth pairs, nftables rules. Returns the error
    /// message of the first that fails.
    fn check_capabilities(&self, options: &[&str]) -> Result<(), String> {
        let links = "link add lan type bridge\nlink add one type veth peer name two\n";
        run(self.command(options, "ip").args(["-batch", "-"]), links)?;
        let rules = "add table inet lab\nadd chain inet lab c { type filter hook input priority 0; }\n\
                     add rule inet lab c udp dport 1 numgen random mod 100 < 30 drop\n";
        run(self.command(options, "nft").args(["-f", "-"]), rules).map(drop)
    }
}

impl Drop for NamespaceHolder {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command with this input. Returns its standard output, or its standard error if it fails.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    // It may fail before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// An isolated set of machines, switches and cables.
pub(crate) struct Lab {
    /// Options of `unshare` that made its first namespace.
    options: &'static [&'static str],
    /// The namespace that contains all bridges.
    switches: NamespaceHolder,
    /// Number of bridges made.
    bridges: Cell<u8>,
    /// Number of machines made.
    machines: Cell<u8>,
}

/// A switch, with the number of the IP network that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Lan {
    /// Number of the bridge.
    bridge: u8,
    /// Number of the IP network; several switches may share one.
    network: u8,
}

/// A cable between a switch and a machine or another switch, which can be unplugged.
pub(crate) struct Cable {
    /// Name of the interface at the switch's end.
    end: String,
}

/// IP address families of a machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 and IPv6.
    Both,
    /// IPv6 only.
    V6,
}

impl Lab {
    /// Returns an error message if this machine cannot have a lab.
    pub(crate) fn check_available() -> Result<(), String> {
        WORKING_OPTIONS.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Makes an empty lab. Returns `None` if this machine cannot have one.
    pub(crate) fn new() -> Option<Self> {
        let options = *WORKING_OPTIONS.as_ref().ok()?;
        let switches = NamespaceHolder::start(system_command("unshare").args(options)).unwrap();
        Some(Self { options, switches, bridges: Cell::new(0), machines: Cell::new(0) })
    }

    /// Adds a switch with an IP network of its own.
    pub(crate) fn lan(&self) -> Lan {
        let bridge = self.bridges.get();
        self.bridges.set(bridge + 1);
        self.ip(&format!("link add lan{bridge} type bridge\nlink set lan{bridge} up\n"));
        Lan { bridge, network: bridge }
    }

    /// Adds another switch to the same IP network. Returns it and the cable that connects the two.
    pub(crate) fn add_switch(&self, lan: Lan) -> (Lan, Cable) {
        let (Lan { bridge: one, network }, Lan { bridge: other, .. }) = (lan, self.lan());
        let end = format!("link{other}");
        self.ip(&format!(
            "link add {end} type veth peer name {end}b\n\
             link set {end} master lan{one} up\n\
             link set {end}b master lan{other} up\n"
        ));
        (Lan { bridge: other, network }, Cable { end })
    }

    /// Adds a machine with a loopback and an interface in each of these networks: `eth0` in the
    /// first, `eth1` in the second. Its addresses are fixed: 198.18.*network*.*number* with
    /// [`Family::Both`], and fe80::*network*:*number*. Installs the [`COUNTERS`].
    pub(crate) fn machine(&self, lans: &[Lan], family: Family) -> Machine {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let holder =
            NamespaceHolder::start(self.switches.command(self.options, "unshare").arg("--net"));
        let (options, holder) = (self.options, holder.unwrap());
        let (pid, mut inner, mut addresses) = (holder.child.id(), String::new(), Vec::new());
        let mut cables = Vec::new();
        for (index, Lan { bridge, network }) in lans.iter().enumerate() {
            let (end, eth) = (format!("port{number}x{index}"), format!("eth{index}"));
            self.ip(&format!(
                "link add {end} type veth peer name {eth} netns {pid}\n\
                 link set {end} master lan{bridge} up\n"
            ));
            // Fixed IPv6 addresses, usable at once without duplicate address detection.
            inner.push_str(&format!("link set {eth} addrgenmode none\nlink set {eth} up\n"));
            if family == Family::Both {
                addresses.push(format!("198.18.{network}.{number}"));
                inner.push_str(&format!("address add 198.18.{network}.{number}/24 "));
                inner.push_str(&format!("broadcast 198.18.{network}.255 dev {eth}\n"));
            }
            inner.push_str(&format!("address add fe80::{network}:{number}/64 dev {eth} nodad\n"));
            cables.push(Cable { end });
        }
        let machine = Machine { options, holder, addresses, cables };
        run(machine.command("ip").args(["-batch", "-"]), &format!("link set lo up\n{inner}"))
            .unwrap();
        machine.install_counters();
        machine
    }

    /// Adds `count` machines on one new switch.
    pub(crate) fn machines(&self, count: usize, family: Family) -> Vec<Machine> {
        let lan = self.lan();
        (0..count).map(|_| self.machine(&[lan], family)).collect()
    }

    /// Unplugs a cable: takes its interface down.
    pub(crate) fn unplug(&self, cable: &Cable) {
        self.ip(&format!("link set {} down\n", cable.end));
    }

    /// Plugs a cable in again.
    pub(crate) fn plug(&self, cable: &Cable) {
        self.ip(&format!("link set {} up\n", cable.end));
    }

    /// Isolates a machine's cables or ends that: a switch passes nothing between two isolated
    /// machines, as the access points of guest networks do.
    pub(crate) fn set_isolated(&self, machine: &Machine, is_isolated: bool) {
        let state = if is_isolated { "on" } else { "off" };
        for Cable { end } in &machine.cables {
            self.ip(&format!("link set {end} type bridge_slave isolated {state}\n"));
        }
    }

    /// Pulls a machine's cables or plugs them in again: its interfaces stay up, without a link.
    pub(crate) fn set_plugged(&self, machine: &Machine, is_plugged: bool) {
        let state = if is_plugged { "up" } else { "down" };
        for Cable { end } in &machine.cables {
            self.ip(&format!("link set {end} {state}\n"));
        }
    }

    /// A command that runs in the namespace of the bridges.
    pub(crate) fn switch_command(&self, program: &str) -> Command {
        self.switches.command(self.options, program)
    }

    /// Runs lines of `ip -batch` in the namespace of the bridges.
    fn ip(&self, lines: &str) {
        run(self.switch_command("ip").args(["-batch", "-"]), lines).unwrap();
    }
}

/// A simulated machine: a network namespace with interfaces. It shares everything else with the
/// host.
pub(crate) struct Machine {
    /// Options of `unshare` that made its lab.
    options: &'static [&'static str],
    /// Its namespace.
    holder: NamespaceHolder,
    /// Its IPv4 addresses, one for each interface; empty for [`Family::V6`].
    pub(crate) addresses: Vec<String>,
    /// Its cables, in the order of its interfaces.
    pub(crate) cables: Vec<Cable>,
}

impl Machine {
    /// A command that runs on the machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.holder.command(self.options, program)
    }

    /// Lets it forward IPv4 packets between its networks, as a router does.
    pub(crate) fn forward_packets(&self) {
        run(self.command("sysctl").args(["-qw", "net.ipv4.ip_forward=1"]), "").unwrap();
    }

    /// Sends what is for another IPv4 network through `router`, by its address with this index.
    pub(crate) fn route_through(&self, router: &Self, index: usize) {
        let line = format!("route add default via {}\n", router.addresses[index]);
        run(self.command("ip").args(["-batch", "-"]), &line).unwrap();
    }

    /// Silently drops all datagrams that come from the address of another machine in its first
    /// network. That machine needs IPv4.
    pub(crate) fn drop_from(&self, other: &Self) {
        let v4 = &other.addresses[0];
        let numbers: Vec<_> = v4.split('.').collect();
        self.drop_incoming(&format!("ip saddr {v4}"));
        self.drop_incoming(&format!("ip6 saddr fe80::{}:{}", numbers[2], numbers[3]));
    }

    /// Replaces its IPv4 address in its first network, as DHCP may do.
    pub(crate) fn change_address(&mut self, last_byte: u8) {
        let old = self.addresses[0].clone();
        let (network, _) = old.rsplit_once('.').unwrap();
        let new = format!("{network}.{last_byte}");
        let lines = format!(
            "address del {old}/24 dev eth0\n\
             address add {new}/24 broadcast {network}.255 dev eth0\n"
        );
        run(self.command("ip").args(["-batch", "-"]), &lines).unwrap();
        self.addresses[0] = new;
    }

    /// Removes its IPv4 address in its first network. It keeps IPv6.
    pub(crate) fn remove_ipv4_address(&self) {
        let line = format!("address del {}/24 dev eth0\n", self.addresses[0]);
        run(self.command("ip").args(["-batch", "-"]), &line).unwrap();
    }

    /// Installs a stateful firewall: of unicast only answers come in, from the address and port
    /// that was sent to. Groups and broadcast do not come in at all.
    pub(crate) fn install_firewall(&self) {
        self.drop_incoming("meta l4proto udp ct state new");
    }

    /// Lets in all datagrams that match an nftables filter, whatever was dropped before.
    pub(crate) fn accept_incoming(&self, filter: &str) {
        self.nft(&format!("insert rule inet lab incoming {filter} accept\n"));
    }

    /// Lets out all datagrams that match an nftables filter, whatever was dropped before.
    pub(crate) fn accept_outgoing(&self, filter: &str) {
        self.nft(&format!("insert rule inet lab outgoing {filter} accept\n"));
    }

    /// Drops outgoing datagrams that match an nftables filter. The system tells the sender that it
    /// may not send.
    pub(crate) fn drop_outgoing(&self, filter: &str) {
        self.nft(&format!("add rule inet lab outgoing {filter} drop\n"));
    }

    /// Takes its interface in its first network down, or up again.
    pub(crate) fn set_link(&self, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        let line = format!("link set eth0 {state}\n");
        run(self.command("ip").args(["-batch", "-"]), &line).unwrap();
    }

    /// Silently drops incoming datagrams that match an nftables filter.
    pub(crate) fn drop_incoming(&self, filter: &str) {
        self.nft(&format!("add rule inet lab incoming {filter} drop\n"));
    }

    /// Drops all incoming multicast datagrams, as some networks do.
    pub(crate) fn drop_multicast(&self) {
        self.drop_incoming("ip daddr 224.0.0.0/4");
        self.drop_incoming("ip6 daddr ff00::/8");
    }

    /// Adds two bridges, `docker0` and `docker1`, with a container's cable between them. Each has a
    /// link-local address, and `docker0` also 172.17.0.1.
    pub(crate) fn add_container_bridges(&self) {
        let mut lines = "link add veth0 type veth peer name veth1\n".to_owned();
        for number in 0..2 {
            lines.push_str(&format!(
                "link add docker{number} type bridge\n\
                 link set docker{number} addrgenmode none\n\
                 link set veth{number} addrgenmode none\n\
                 link set docker{number} up\n\
                 link set veth{number} master docker{number} up\n\
                 address add fe80::d0c:{number}/64 dev docker{number} nodad\n\
                 address add fe80::d0c:1{number}/64 dev veth{number} nodad\n"
            ));
        }
        lines.push_str("address add 172.17.0.1/16 broadcast + dev docker0\n");
        run(self.command("ip").args(["-batch", "-"]), &lines).unwrap();
    }

    /// A command that runs on the machine and sees its interfaces in `/sys` as well.
    pub(crate) fn command_with_sysfs(&self, program: &str) -> Command {
        let mut command = self.command("unshare");
        let script = "mount -t sysfs none /sys && exec \"$0\" \"$@\"";
        command.args(["--mount", "sh", "-c", script, program]);
        command
    }

    /// Installs the nftables table with the [`COUNTERS`].
    fn install_counters(&self) {
        let mut rules = "add table inet lab\n\
             add chain inet lab incoming { type filter hook input priority 0; }\n\
             add chain inet lab outgoing { type filter hook output priority 0; }\n"
            .to_owned();
        for (name, filter) in COUNTERS {
            rules.push_str(&format!("add counter inet lab {name}\n"));
            rules.push_str(&format!("add rule inet lab outgoing {filter} counter name {name}\n"));
        }
        self.nft(&rules);
    }

    /// Reads the counters of outgoing datagrams.
    pub(crate) fn packet_counts(&self) -> PacketCounts {
        let mut list = self.command("nft");
        PacketCounts::read(list.args(["-j", "list", "counters", "table", "inet", "lab"]))
    }

    /// Runs nftables commands on the machine.
    fn nft(&self, rules: &str) {
        run(self.command("nft").args(["-f", "-"]), rules).unwrap();
    }
}

/// Numbers of datagrams, by the names of counters, such as [`COUNTERS`].
#[derive(Debug)]
pub(crate) struct PacketCounts(BTreeMap<String, u64>);

impl PacketCounts {
    /// Reads the counters that an `nft` command lists in JSON.
    pub(crate) fn read(list: &mut Command) -> Self {
        let listing: Value = serde_json::from_str(&run(list, "").unwrap()).unwrap();
        let counters = listing["nftables"].as_array().unwrap().iter().map(|it| &it["counter"]);
        let count = |it: &Value| Some((it["name"].as_str()?.to_owned(), it["packets"].as_u64()?));
        Self(counters.filter_map(count).collect())
    }

    /// Number of datagrams of one counter.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.0[name]
    }

    /// Number of datagrams of one counter since `before`.
    pub(crate) fn since(&self, before: &Self, name: &str) -> u64 {
        self.0[name] - before.0[name]
    }
}
