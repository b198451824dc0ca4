//! Machines, switches and cables, out of namespaces, bridges and veth pairs.
//!
//! A namespace lives as long as a process is in it. Here that is a `cat`
//! whose input is a pipe from the test: it ends with the test, however that
//! ends, and everything in the namespace with it. No namespace has a name,
//! and nothing is done in that of the host. So nothing can be left behind,
//! and labs do not disturb each other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// How a lab's first namespace is made: as root, or as root of a user
/// namespace of one's own. The first that works is taken.
const MEANS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// The means that works here, or what is missing.
static WORKING: LazyLock<Result<&'static [&'static str], String>> = LazyLock::new(|| {
    let mut why = String::new();
    for means in MEANS {
        match Holder::start(command("unshare").args(means)).and_then(|it| it.try_out(means)) {
            Ok(()) => return Ok(means),
            Err(error) => why = error,
        }
    }
    Err(format!("no network namespaces with bridges and nftables here: {}", why.trim()))
});

/// What is counted at each machine: the name and the rule. An entry is known
/// by its kind, the first byte behind the UDP header and ours.
const COUNTERS: [(&str, &str); 5] = [
    ("sent", "meta l4proto udp"),
    ("entries", "meta l4proto udp @th,248,8 7"),
    ("entries_group4", "ip daddr 239.255.24.28 @th,248,8 7"),
    ("entries_group6", "ip6 daddr ff12::2428 @th,248,8 7"),
    ("entries_broadcast", "meta l4proto udp fib daddr type broadcast @th,248,8 7"),
];

/// A program, also one that Debian has where only root looks for it.
fn command(program: &str) -> Command {
    let found = ["/usr/sbin", "/sbin"].map(|it| Path::new(it).join(program));
    let found = found.into_iter().find(|it| it.exists());
    Command::new(found.unwrap_or_else(|| program.into()))
}

/// A process that does nothing but keep a namespace.
#[derive(Debug)]
struct Holder {
    /// `cat`.
    child: Child,
}

impl Holder {
    /// Has this command, which enters a namespace, start it. Gives it as
    /// soon as it is inside.
    fn start(command: &mut Command) -> Result<Self, String> {
        command.args(["sh", "-c", "echo inside; exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut holder = Self { child };
        let mut said = String::new();
        let output = holder.child.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut said).map_err(|it| it.to_string())?;
        if said == "inside\n" {
            return Ok(holder);
        }
        let mut why = String::new();
        let _ = holder.child.stderr.as_mut().unwrap().read_to_string(&mut why);
        Err(why)
    }

    /// A command inside.
    fn inside(&self, means: &[&str], program: &str) -> Command {
        let mut nsenter = command("nsenter");
        nsenter.args(["--target", &self.child.id().to_string(), "--net"]);
        if means.contains(&"--user") {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.arg("--").arg(command(program).get_program());
        nsenter
    }

    /// Whether what a lab needs can be done here.
    fn try_out(&self, means: &[&str]) -> Result<(), String> {
        let links = "link add lan type bridge\nlink add one type veth peer name two\n";
        run(self.inside(means, "ip").args(["-batch", "-"]), links)?;
        let rules = "add table inet lab\nadd chain inet lab c { type filter hook input priority 0; }\n\
                     add rule inet lab c udp dport 1 numgen random mod 100 < 30 drop\n";
        run(self.inside(means, "nft").args(["-f", "-"]), rules).map(drop)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command with this input; gives what it says, or what it complains
/// about.
fn run(command: &mut Command, input: &str) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    // It may complain before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A place for machines and what connects them.
pub(crate) struct Lab {
    /// How it was made.
    means: &'static [&'static str],
    /// The namespace with all bridges.
    closet: Holder,
    /// So many bridges are there.
    bridges: Cell<u8>,
    /// So many machines were made.
    machines: Cell<u8>,
}

/// A switch, and the numbers of the network that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Lan {
    /// The bridge's number.
    bridge: u8,
    /// The network's number.
    network: u8,
}

/// Something that can be pulled out.
pub(crate) struct Cable {
    /// Its end at the switch.
    end: String,
}

/// Which addresses machines have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 and IPv6.
    Both,
    /// Only IPv6.
    V6,
}

impl Lab {
    /// Whether there can be one on this machine, or else why not.
    pub(crate) fn is_possible() -> Result<(), String> {
        WORKING.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// An empty one, if there can be one.
    pub(crate) fn new() -> Option<Self> {
        let means = *WORKING.as_ref().ok()?;
        let closet = Holder::start(command("unshare").args(means)).unwrap();
        Some(Self { means, closet, bridges: Cell::new(0), machines: Cell::new(0) })
    }

    /// A network of its own.
    pub(crate) fn lan(&self) -> Lan {
        let bridge = self.bridges.get();
        self.bridges.set(bridge + 1);
        self.ip(&format!("link add lan{bridge} type bridge\nlink set lan{bridge} up\n"));
        Lan { bridge, network: bridge }
    }

    /// Another switch for the same network, and the cable that connects
    /// them.
    pub(crate) fn extend(&self, lan: Lan) -> (Lan, Cable) {
        let (Lan { bridge: one, network }, Lan { bridge: other, .. }) = (lan, self.lan());
        let end = format!("link{other}");
        self.ip(&format!(
            "link add {end} type veth peer name {end}b\n\
             link set {end} master lan{one} up\n\
             link set {end}b master lan{other} up\n"
        ));
        (Lan { bridge: other, network }, Cable { end })
    }

    /// A machine in these networks: `eth0` is in the first.
    pub(crate) fn machine(&self, lans: &[Lan], family: Family) -> Machine {
        let number = self.machines.get() + 1;
        self.machines.set(number);
        let holder = Holder::start(self.closet.inside(self.means, "unshare").arg("--net"));
        let (means, holder) = (self.means, holder.unwrap());
        let (pid, mut inner, mut addresses) = (holder.child.id(), String::new(), Vec::new());
        let mut cables = Vec::new();
        for (index, Lan { bridge, network }) in lans.iter().enumerate() {
            let (end, eth) = (format!("port{number}x{index}"), format!("eth{index}"));
            self.ip(&format!(
                "link add {end} type veth peer name {eth} netns {pid}\n\
                 link set {end} master lan{bridge} up\n"
            ));
            // IPv6 addresses of our own, of use at once.
            inner.push_str(&format!("link set {eth} addrgenmode none\nlink set {eth} up\n"));
            if family == Family::Both {
                addresses.push(format!("198.18.{network}.{number}"));
                inner.push_str(&format!("address add 198.18.{network}.{number}/24 "));
                inner.push_str(&format!("broadcast 198.18.{network}.255 dev {eth}\n"));
            }
            inner.push_str(&format!("address add fe80::{network}:{number}/64 dev {eth} nodad\n"));
            cables.push(Cable { end });
        }
        let machine = Machine { means, holder, addresses, cables };
        run(machine.inside("ip").args(["-batch", "-"]), &format!("link set lo up\n{inner}"))
            .unwrap();
        machine.count();
        machine
    }

    /// So many machines in one network.
    pub(crate) fn machines(&self, count: usize, family: Family) -> Vec<Machine> {
        let lan = self.lan();
        (0..count).map(|_| self.machine(&[lan], family)).collect()
    }

    /// Pulls a cable out.
    pub(crate) fn pull(&self, cable: &Cable) {
        self.ip(&format!("link set {} down\n", cable.end));
    }

    /// Plugs it in again.
    pub(crate) fn plug(&self, cable: &Cable) {
        self.ip(&format!("link set {} up\n", cable.end));
    }

    /// Does something to bridges and cables.
    fn ip(&self, lines: &str) {
        run(self.closet.inside(self.means, "ip").args(["-batch", "-"]), lines).unwrap();
    }
}

/// A machine of its own, as far as the network goes.
pub(crate) struct Machine {
    /// How its lab was made.
    means: &'static [&'static str],
    /// Its namespace.
    holder: Holder,
    /// Its IPv4 addresses.
    pub(crate) addresses: Vec<String>,
    /// Those in its sockets.
    pub(crate) cables: Vec<Cable>,
}

impl Machine {
    /// A command on it.
    pub(crate) fn inside(&self, program: &str) -> Command {
        self.holder.inside(self.means, program)
    }

    /// Drops what comes in and is like this, without a word to the sender.
    pub(crate) fn drop_incoming(&self, like: &str) {
        self.nft(&format!("add rule inet lab incoming {like} drop\n"));
    }

    /// Drops all that comes in for a group, as some networks do.
    pub(crate) fn drop_groups(&self) {
        self.drop_incoming("ip daddr 224.0.0.0/4");
        self.drop_incoming("ip6 daddr ff00::/8");
    }

    /// Begins to count.
    fn count(&self) {
        let mut rules = "add table inet lab\n\
             add chain inet lab incoming { type filter hook input priority 0; }\n\
             add chain inet lab outgoing { type filter hook output priority 0; }\n"
            .to_owned();
        for (name, like) in COUNTERS {
            rules.push_str(&format!("add counter inet lab {name}\n"));
            rules.push_str(&format!("add rule inet lab outgoing {like} counter name {name}\n"));
        }
        self.nft(&rules);
    }

    /// What has gone out so far.
    pub(crate) fn counts(&self) -> Counts {
        let mut list = self.inside("nft");
        let told = run(list.args(["-j", "list", "counters", "table", "inet", "lab"]), "").unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        let counters = told["nftables"].as_array().unwrap().iter().map(|it| &it["counter"]);
        let count = |it: &Value| Some((it["name"].as_str()?.to_owned(), it["packets"].as_u64()?));
        Counts(counters.filter_map(count).collect())
    }

    /// Changes the rules.
    fn nft(&self, rules: &str) {
        run(self.inside("nft").args(["-f", "-"]), rules).unwrap();
    }
}

/// How many datagrams have gone out, by the names of [`COUNTERS`].
#[derive(Debug)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Of this sort, since `before`.
    pub(crate) fn since(&self, before: &Self, name: &str) -> u64 {
        self.0[name] - before.0[name]
    }
}
