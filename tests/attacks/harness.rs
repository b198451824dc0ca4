//! The promises, asserted about a server under an attack:
//!
//! - the 99th percentile of the well-behaved pair's latency is at most [`MAX_FACTOR`] times its own
//!   without the attack, or [`ALWAYS_ALLOWED`], and never above [`NEVER_ALLOWED`];
//! - the server's resident memory is never above [`MAX_MEMORY`];
//! - a newcomer from an address that is not the attacker's joins the lobby and gets its history.
//!
//! A noisy machine can only make the latency worse, so the best of [`TRIES`] tries counts for it,
//! and both limits in milliseconds grow with the pair's own latency beyond [`QUIET_LATENCY`], up to
//! [`MAX_NOISE`] times. The other two promises hold in each try.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pi_chat::model::{Reference, Sequence, Timestamp};
use pi_chat::server::connect_control;
use pi_chat::wire::tcp::{Join, Search, ServerFrame};
use rustix::process::{Signal, setpriority_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::common::{self, Server};
use crate::memory::MemoryWatch;
use crate::pair::Pair;

/// Address of every attacker, or of the proxy of those with many addresses.
pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// IPv6 network of 64 bits from which attackers come with [`Origin::Network`].
const ATTACKERS_NETWORK: u128 = 0x2001_0db8_0000_0066 << 64;

/// Text of [`ATTACKERS_NETWORK`].
const ATTACKERS_NETWORK_TEXT: &str = "2001:db8:0:66::/64";

/// Address of the newcomer.
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Greatest ratio of the pair's latency under attack to its own.
const MAX_FACTOR: u32 = 5;

/// Latency that is allowed whatever the pair's own is; on a noisy machine, more is.
const ALWAYS_ALLOWED: Duration = Duration::from_millis(30);

/// Greatest latency that is allowed whatever the pair's own is; on a noisy machine, more is.
const NEVER_ALLOWED: Duration = Duration::from_millis(100);

/// Greatest own latency of the pair, as 99th percentile, on a machine that counts as quiet.
const QUIET_LATENCY: Duration = Duration::from_millis(1);

/// Greatest factor by which noise raises the limits.
const MAX_NOISE: f64 = 3.0;

/// Greatest resident memory of the server, in bytes.
const MAX_MEMORY: u64 = 64 << 20;

/// Greatest time in which a newcomer's search is answered, and in which the control socket has to
/// take a connection.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// Number of tries to find the machine quiet.
const TRIES: usize = 3;

/// Time for which the pair's own latency is measured.
const BEFORE: Duration = Duration::from_secs(2);

/// Time for which the server is attacked.
const DURING: Duration = Duration::from_secs(3);

/// Time from the beginning of the attack to the newcomer.
const NEWCOMER_AFTER: Duration = Duration::from_secs(2);

/// Priority of the attacking threads: they take the processor only where nobody else needs it, for
/// an attacker would have a machine of its own.
const ATTACKER_NICENESS: i32 = 10;

/// The packaged configuration.
const PACKAGED: &str = include_str!("../../debian/chat-server.toml");

/// Configuration that lifts the rate limit while a server is prepared.
const UNLIMITED: &str = "burst = 1000000\nper-minute = 100000000\n";

/// Configuration that lifts the quotas of the attackers' address while they join.
const MANY_JOINS: &str = "max-connections-per-address = 2000\n";

/// Attacks run one after the other, so that one does not disturb the measurements of another.
pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the connections of [`Target::connect`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// All from [`ATTACKER`].
    Address,
    /// Each from another address of one IPv6 network, which a proxy at [`ATTACKER`] states; the
    /// server trusts the proxy.
    Network,
}

/// A kind of attack and the server that it needs.
pub(crate) struct Attack<'a> {
    /// Name, for the figures that are printed.
    pub(crate) name: &'a str,
    /// Where the attacker connects from.
    pub(crate) origin: Origin,
    /// Arguments of the server besides the packaged configuration.
    pub(crate) arguments: &'a [&'a str],
    /// Whether the server keeps its messages on disk, as the packaged service does.
    pub(crate) on_disk: bool,
    /// Password of the server.
    pub(crate) password: Option<&'a str>,
    /// Limit of open files of the server; `None`: that of the test.
    pub(crate) open_files: Option<u32>,
    /// Whether the port for browsers is open. The newcomer then comes by it, too.
    pub(crate) has_web: bool,
    /// Whether the port for TLS is open, which needs [`Self::on_disk`]. The newcomer then comes by it,
    /// too.
    pub(crate) has_tls: bool,
    /// Whether the port for browsers over https is open, which needs [`Self::on_disk`]. The newcomer
    /// then comes by it, too.
    pub(crate) has_https: bool,
    /// Room in which the pair talks.
    pub(crate) pair_room: &'a str,
    /// Whether the newcomer searches, too, and has to get an answer within [`SEARCH_TIME`].
    pub(crate) newcomer_searches: bool,
    /// Limits that the attacker has to reach, by their names in `refusals` of the status: otherwise
    /// it has not attacked what it is meant to. The server has to name the attacker's address for
    /// them.
    pub(crate) reaches: &'a [&'a str],
    /// Called before each try with the server's address; clients have no rate limit until it
    /// returns.
    pub(crate) prepare: &'a dyn Fn(SocketAddr),
    /// Called before each try, after `prepare`: returns attackers that have joined already, without
    /// the quotas of their address, but with the rate limit of a connection.
    pub(crate) recruit: &'a dyn Fn(SocketAddr) -> Vec<Client>,
    /// Called after each try in which newcomer and memory were as promised, with the server's
    /// address: asserts more about the server, which still runs.
    pub(crate) after: &'a dyn Fn(SocketAddr),
}

impl Default for Attack<'_> {
    /// Returns an attack on the packaged service.
    fn default() -> Self {
        Self {
            name: "",
            origin: Origin::Address,
            arguments: &[],
            on_disk: true,
            password: None,
            open_files: None,
            has_web: false,
            has_tls: false,
            has_https: false,
            pair_room: "lobby",
            newcomer_searches: false,
            reaches: &[],
            prepare: &|_| {},
            recruit: &|_| Vec::new(),
            after: &|_| {},
        }
    }
}

/// End of an attack, for which its threads wait.
#[derive(Default)]
struct End {
    /// True if the attack is over.
    is_over: Mutex<bool>,
    /// Signalled when it is.
    told: Condvar,
}

impl End {
    /// Ends the attack.
    fn tell(&self) {
        *self.is_over.lock().unwrap() = true;
        self.told.notify_all();
    }

    /// Returns true if the attack is over.
    fn is_told(&self) -> bool {
        *self.is_over.lock().unwrap()
    }

    /// Waits until the attack is over.
    fn wait(&self) {
        let is_over = self.is_over.lock().unwrap();
        drop(self.told.wait_while(is_over, |is_over| !*is_over).unwrap());
    }
}

/// The server under attack, for the attacker.
pub(crate) struct Target<'a> {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it listens for browsers; `None` without [`Attack::has_web`].
    web: Option<SocketAddr>,
    /// Where it listens for TLS; `None` without [`Attack::has_tls`].
    tls: Option<SocketAddr>,
    /// Where it listens for browsers over https; `None` without [`Attack::has_https`].
    https: Option<SocketAddr>,
    /// Path of its control socket.
    pub(crate) control: &'a Path,
    /// Where the attacker connects from.
    origin: Origin,
    /// Number of connections so far.
    connections: AtomicU64,
    /// Attackers that have joined already.
    recruits: Mutex<Vec<Client>>,
    /// The attack is over.
    over: &'a End,
}

impl Target<'_> {
    /// Returns true if the attack is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_told()
    }

    /// Waits until the attack is over.
    pub(crate) fn wait_until_over(&self) {
        self.over.wait();
    }

    /// Returns where the server listens for browsers. Panics without [`Attack::has_web`].
    pub(crate) fn web(&self) -> SocketAddr {
        self.web.unwrap()
    }

    /// Returns where the server listens for TLS. Panics without [`Attack::has_tls`].
    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls.unwrap()
    }

    /// Returns where the server listens for browsers over https. Panics without
    /// [`Attack::has_https`].
    pub(crate) fn https(&self) -> SocketAddr {
        self.https.unwrap()
    }

    /// Takes the attackers that have joined already; none at a second call.
    pub(crate) fn recruits(&self) -> Vec<Client> {
        std::mem::take(&mut *self.recruits.lock().unwrap())
    }

    /// Connects an attacker from [`Attack::origin`]. Sends nothing but the PROXY header.
    pub(crate) fn connect(&self) -> std::io::Result<Client> {
        let mut client = Client::connect(ATTACKER, self.address)?;
        if self.origin == Origin::Network {
            let host = self.connections.fetch_add(1, Ordering::Relaxed);
            client.stream.write_all(&proxy_header(ATTACKERS_NETWORK + u128::from(host)))?;
        }
        Ok(client)
    }

    /// Connects attackers that join rooms, up to `count` of them or until the server refuses one.
    /// `rooms` returns the rooms of the attacker with a number; if there are none, it joins the
    /// lobby.
    pub(crate) fn join_all(
        &self,
        count: usize,
        rooms: impl Fn(usize) -> Vec<String>,
    ) -> Vec<Client> {
        let mut joined = Vec::new();
        for number in 0..count {
            let rooms = rooms(number);
            let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
            let Ok(mut client) = self.connect() else { break };
            if client.join(common::join(&format!("mallory{number}"), &rooms)).is_err() {
                break;
            }
            joined.push(client);
        }
        joined
    }
}

/// A started server with its files.
struct Fortress {
    /// The process.
    server: Server,
    /// Path of its control socket.
    control: PathBuf,
    /// Attackers that have joined already.
    recruits: Vec<Client>,
    /// Directory of log, password and control socket.
    _directory: TempDir,
}

impl Attack<'_> {
    /// Starts the server with the packaged configuration and the arguments of the attack. Says a
    /// few messages in the lobby, and calls [`Self::prepare`] and [`Self::recruit`], with the
    /// limits lifted as they say. At the end, all limits are in force.
    fn start_server(&self) -> Fortress {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let config = path("config.toml");
        std::fs::write(&config, format!("{PACKAGED}\n{UNLIMITED}")).unwrap();
        let control = path("control");
        let (data, password_file) = (path("data"), path("password"));
        let mut arguments = vec!["--config", &config, "--control", &control, "--announce", "false"];
        if self.on_disk {
            arguments.extend(["--data", &data]);
        }
        if let Some(password) = self.password {
            std::fs::write(&password_file, password).unwrap();
            arguments.extend(["--password-file", &password_file]);
        }
        arguments.extend(self.arguments);
        let root = path("web");
        if self.has_web || self.has_https {
            crate::web::write_page(Path::new(&root));
            arguments.extend(["--web-root", &root]);
        }
        if self.has_web {
            arguments.extend(common::WITH_WEB);
        }
        if self.has_https {
            arguments.extend(common::WITH_WEB_TLS);
        }
        if self.has_tls {
            arguments.extend(common::WITH_TLS);
        }
        let proxy = ATTACKER.to_string();
        if self.origin == Origin::Network {
            arguments.extend(["--trusted-proxies", &proxy]);
        }
        let mut command = common::server_command();
        if let Some(limit) = self.open_files {
            let program = command.get_program().to_owned();
            command = std::process::Command::new("/bin/sh");
            command.env_clear().env("CHAT_SERVER_WEB", "false").env("CHAT_SERVER_TLS", "false");
            command.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\"")).arg(program);
        }
        let server = Server::start_command(command, &arguments, |_| {});
        say_something(server.address(), self.password);
        (self.prepare)(server.address());
        reload(&server, &config, &format!("{PACKAGED}\n{MANY_JOINS}"));
        let recruits = (self.recruit)(server.address());
        reload(&server, &config, PACKAGED);
        Fortress { server, control: control.into(), recruits, _directory: directory }
    }

    /// Asserts the promises while `attack` runs: in a thread of its own, in which it must go on
    /// until [`Target::is_over`] returns true, and return then. Makes up to [`TRIES`] tries, each
    /// with a new server, until the latency is as promised. Other attacks wait meanwhile.
    pub(crate) fn run(&self, attack: impl Fn(&Target<'_>) + Sync) {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        rlimit::increase_nofile_limit(8_192).unwrap();
        let mut failure = String::new();
        for _ in 0..TRIES {
            match self.attempt(&attack) {
                Ok(()) => return,
                Err(slow) => failure = slow,
            }
        }
        panic!("{}: {failure}", self.name);
    }

    /// Attacks a new server once, and prints the figures. Panics if the newcomer is refused, the
    /// server uses too much memory, or a limit of [`Self::reaches`] is not reached.
    ///
    /// # Errors
    /// The figures, if the latency under attack is not allowed.
    fn attempt(&self, attack: &(impl Fn(&Target<'_>) + Sync)) -> Result<(), String> {
        let fortress = self.start_server();
        let address = fortress.server.address();
        let mut pair = Pair::join(address, self.pair_room, self.password);
        let memory = MemoryWatch::start(fortress.server.id());
        let own = pair.measure(BEFORE);
        let over = End::default();
        let recruits = Mutex::new(fortress.recruits);
        let web = self.has_web.then(|| fortress.server.web_address());
        let tls = self.has_tls.then(|| fortress.server.tls_address());
        let https = self.has_https.then(|| fortress.server.web_tls_address());
        let target = Target {
            address,
            web,
            tls,
            https,
            control: &fortress.control,
            origin: self.origin,
            connections: AtomicU64::new(0),
            recruits,
            over: &over,
        };
        let (under, newcomer) = thread::scope(|scope| {
            scope.spawn(|| {
                setpriority_process(None, ATTACKER_NICENESS).unwrap();
                attack(&target);
            });
            let (password, searches) = (self.password, self.newcomer_searches);
            let newcomer = scope.spawn(move || {
                thread::sleep(NEWCOMER_AFTER);
                let joined = arrive(address, password, searches)?;
                web.map_or(Ok(()), |it| crate::web::arrive(NEWCOMER, it))?;
                tls.map_or(Ok(()), |it| crate::tls::arrive(NEWCOMER, it))
                    .map_err(|error| format!("over TLS: {error}"))?;
                https
                    .map_or(Ok(()), |it| crate::web::arrive_over_https(NEWCOMER, it))
                    .map_err(|error| format!("over https: {error}"))?;
                Ok::<_, String>(joined)
            });
            let under = pair.measure(DURING);
            let newcomer = newcomer.join().unwrap();
            over.tell();
            (under, newcomer)
        });
        let peak = memory.peak();
        let allowed = allowed_latency(own.p99);
        let figures = format!(
            "own p99 {:.1?}, under attack {:.1?} (median {:.1?}, worst {:.1?}), memory {:.1} MiB, newcomer {newcomer:.1?}",
            own.p99,
            under.p99,
            under.median,
            under.worst,
            peak as f64 / 1_048_576.0,
        );
        eprintln!("{} ({:?}): {figures}", self.name, self.origin);
        assert!(newcomer.is_ok(), "{}: the newcomer was refused: {figures}", self.name);
        assert!(peak <= MAX_MEMORY, "{}: too much memory: {figures}", self.name);
        (self.after)(address);
        self.assert_reached(&fortress.control);
        if under.p99 > allowed { Err(figures) } else { Ok(()) }
    }
}

impl Attack<'_> {
    /// Asserts that the attacker has reached the limits of [`Self::reaches`], and that the server
    /// names its address.
    fn assert_reached(&self, control: &Path) {
        let mut status = String::new();
        let mut stream = connect_control(control, SEARCH_TIME).unwrap();
        stream.read_to_string(&mut status).unwrap();
        let status: Value = serde_json::from_str(&status).unwrap();
        for limit in self.reaches {
            let times = status["refusals"][limit].as_u64().unwrap();
            assert!(times > 0, "{}: the limit of {limit} was not reached: {status}", self.name);
        }
        if !self.reaches.is_empty() {
            let attacker = match self.origin {
                Origin::Address => ATTACKER.to_string(),
                Origin::Network => ATTACKERS_NETWORK_TEXT.to_owned(),
            };
            assert_eq!(status["pressure"]["address"], attacker, "{}: {status}", self.name);
        }
    }
}

/// Returns the PROXY protocol header (version 2) for a client with this IPv6 address.
fn proxy_header(address: u128) -> Vec<u8> {
    let addresses = [&address.to_be_bytes()[..], &[0; 20]].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"[..], &addresses].concat()
}

/// Puts another configuration in force: writes it to the server's file, and waits until the log
/// says that it is applied.
fn reload(server: &Server, path: &str, config: &str) {
    let reloads =
        |lines: &[String]| lines.iter().filter(|it| it.contains("configuration reloaded")).count();
    let before = reloads(&server.log());
    std::fs::write(path, config).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log(|lines| reloads(lines) > before);
}

/// Joins the lobby from [`NEWCOMER`]; returns the time that it took. With `searches`, then also
/// searches for a common word.
///
/// # Errors
/// A description of the problem: the join is refused or brings no history, or the search is not
/// answered within [`SEARCH_TIME`].
fn arrive(address: SocketAddr, password: Option<&str>, searches: bool) -> Result<Duration, String> {
    let begin = Instant::now();
    let mut client = Client::connect(NEWCOMER, address).map_err(|it| it.to_string())?;
    let password = password.map(str::to_owned);
    let joined = client.join(Join { password, ..common::join("newcomer", &[]) })?;
    if joined.history == 0 {
        return Err("no history".to_owned());
    }
    let joined = begin.elapsed();
    if searches {
        client.send(search("message")).map_err(|it| it.to_string())?;
        client.stream.set_read_timeout(Some(SEARCH_TIME)).unwrap();
        loop {
            match client.next() {
                Ok(ServerFrame::End(end)) if end.reference == SEARCH_REFERENCE => break,
                Ok(ServerFrame::Error(error)) => return Err(format!("{error:?}")),
                Ok(_) if begin.elapsed() - joined < SEARCH_TIME => {}
                late => return Err(format!("the search is not answered in time: {late:?}")),
            }
        }
    }
    Ok(joined)
}

/// Reference of every search.
const SEARCH_REFERENCE: Reference = Reference(1);

/// Builds a `search` for a text in all rooms, with at most 50 results.
pub(crate) fn search(text: &str) -> Search {
    Search {
        reference: SEARCH_REFERENCE,
        room: String::new(),
        from: String::new(),
        text: text.to_owned(),
        since: Timestamp(0),
        until: Timestamp(0),
        before: Sequence::ZERO,
        limit: 50,
    }
}

/// Says a few messages in the lobby, so that it has a history.
fn say_something(address: SocketAddr, password: Option<&str>) {
    let password = password.map(str::to_owned);
    let join = Join { password, ..common::join("early-bird", &[]) };
    fill(address, join, 10, |number| format!("message {number}"));
}

/// Joins the lobby with an attacker of this number, for [`Attack::recruit`]. Panics if it is
/// refused.
pub(crate) fn join_lobby(address: SocketAddr, number: usize) -> Client {
    let mut client = Client::connect(ATTACKER, address).unwrap();
    client.join(common::join(&format!("mallory{number}"), &["lobby"])).unwrap();
    client
}

/// Number of messages that [`fill`] says at once: far fewer than what a server keeps for one
/// reader.
const MESSAGES_AT_ONCE: u64 = 500;

/// Joins, says `count` messages in the first room of the join, and leaves when all are stored.
/// `text` returns the text of a message by its number, from 1.
pub(crate) fn fill(address: SocketAddr, join: Join, count: u64, text: impl Fn(u64) -> String) {
    let room = join.rooms.first().map_or("lobby", String::as_str).to_owned();
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, address).unwrap();
    client.join(join).unwrap();
    let mut said = 0;
    while said < count {
        let last = count.min(said + MESSAGES_AT_ONCE);
        for number in said + 1..=last {
            client.send(common::say(number, &room, &text(number))).unwrap();
        }
        loop {
            match client.next().unwrap() {
                ServerFrame::Entry(entry) if entry.reference.0 == last => break,
                ServerFrame::Error(error) => panic!("filling the room: {error:?}"),
                _ => {}
            }
        }
        said = last;
    }
}

/// Returns the greatest latency under attack that is allowed to a pair with this own latency.
fn allowed_latency(own: Duration) -> Duration {
    let noise = own.div_duration_f64(QUIET_LATENCY).clamp(1.0, MAX_NOISE);
    (own * MAX_FACTOR).max(ALWAYS_ALLOWED.mul_f64(noise)).min(NEVER_ALLOWED.mul_f64(noise))
}
