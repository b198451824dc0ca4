//! Tests of the metrics of the real `chat-server`: `docs/metrics.md`.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use common::{PATIENCE, Server};

/// The page about the metrics.
const PAGE: &str = include_str!("../docs/metrics.md");

/// The alert rules.
const RULES: &str = include_str!("../debian/chat-server.rules.yml");

/// Flags of a server with metrics.
const WITH_METRICS: &[&str] = &["--metrics-listen", "127.0.0.1:0"];

/// A request for the metrics.
const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: pi.local:2490\r\nConnection: close\r\n\r\n";

/// Starts a server with metrics and these further flags. Returns the address of the metrics, too.
fn start(flags: &[&str]) -> (Server, SocketAddr) {
    let server = Server::start(&[WITH_METRICS, flags].concat());
    let address =
        |lines: &[String]| lines.iter().find_map(|it| it.strip_prefix("metrics on ")?.parse().ok());
    let lines = server.wait_for_log(|lines| address(lines).is_some());
    (server, address(&lines).unwrap())
}

/// Sends these bytes to the port of the metrics, and returns the answer.
fn request(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Metrics, as they were scraped.
struct Scraped {
    /// Type of each family, by the name that is asked for: with `_total` or `_info`.
    types: BTreeMap<String, String>,
    /// Values of all samples, by name and labels.
    values: BTreeMap<String, f64>,
}

impl Scraped {
    /// Returns a value.
    fn get(&self, sample: &str) -> f64 {
        *self.values.get(sample).unwrap_or_else(|| panic!("no {sample} in {:?}", self.values))
    }
}

/// Scrapes, and parses the text. Panics if it is not as OpenMetrics wants it: each family has a type,
/// a text and, if its name ends with one, its unit; its samples follow, no two the same, and have the
/// endings of its type.
fn scrape(address: SocketAddr) -> Scraped {
    let answer = request(address, SCRAPE);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let media = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.lines().any(|it| it == media), "{head}");
    assert!(head.lines().any(|it| it == format!("Content-Length: {}", body.len())), "{head}");
    let lines = body.strip_suffix("# EOF\n").unwrap().lines();
    let (mut types, mut values) = (BTreeMap::new(), BTreeMap::new());
    let (mut family, mut kind) = ("", "");
    for line in lines {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, text] => {
                assert!(text.ends_with('.'), "{line}");
                family = name;
            }
            ["#", "TYPE", name, told] => {
                assert_eq!(name, family);
                kind = told;
                let ending = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    "gauge" | "histogram" => "",
                    _ => panic!("{line}"),
                };
                let known = types.insert(format!("{name}{ending}"), kind.to_owned());
                assert_eq!(known, None, "{line}");
            }
            ["#", "UNIT", name, unit] => assert!(name == family && name.ends_with(unit), "{line}"),
            [sample, value] => {
                let name = sample.split('{').next().unwrap();
                let endings: &[&str] = match kind {
                    "counter" => &["_total"],
                    "info" => &["_info"],
                    "histogram" => &["_sum", "_count", "_bucket"],
                    _ => &[""],
                };
                let ending = name.strip_prefix(family);
                assert!(ending.is_some_and(|it| endings.contains(&it)), "{line} in {family}");
                let known = values.insert(sample.to_owned(), value.parse().unwrap());
                assert_eq!(known, None, "{line}");
            }
            _ => panic!("{line}"),
        }
    }
    Scraped { types, values }
}

/// Values follow what people do: two join, a third connection is refused, three messages are sent.
#[test]
fn values_follow_what_people_do() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let (server, address) = start(&[
        "--data",
        directory,
        "--max-connections-per-address",
        "2",
        "--durability",
        "strict",
    ]);
    let before = scrape(address);
    assert_eq!(before.get("chat_server_users"), 0.0);
    assert_eq!(before.get("chat_server_message_latency_seconds_count"), 0.0);
    let (mut anna, _) = server.join_rooms("anna", &["lobby", "attic"]);
    let mut bob = server.join("bob");
    server.connect().expect_error(109);
    for text in ["one", "two", "three"] {
        anna.say_in_lobby(text);
    }
    assert_eq!(bob.next_entries(3).len(), 3);
    let after = scrape(address);
    let grown = |sample| after.get(sample) - before.get(sample);
    assert_eq!(after.get("chat_server_users"), 2.0);
    assert_eq!(after.get("chat_server_sessions"), 2.0);
    assert_eq!(after.get("chat_server_rooms"), 2.0);
    assert_eq!(grown("chat_server_messages_total"), 3.0);
    assert_eq!(grown("chat_server_log_head"), 3.0);
    assert_eq!(after.get("chat_server_refusals_total{limit=\"connections\"}"), 1.0);
    assert_eq!(after.get("chat_server_refusals_total{limit=\"joins\"}"), 0.0);
    for (state, value) in
        [("sound", 1.0), ("memory_only", 0.0), ("refusing", 0.0), ("stalled", 0.0)]
    {
        assert_eq!(after.get(&format!("chat_server_store_state{{state=\"{state}\"}}")), value);
    }
    let [size, available] =
        ["size", "available"].map(|it| after.get(&format!("chat_server_filesystem_{it}_bytes")));
    assert!(after.get("chat_server_store_bytes") > 0.0 && size >= available && available > 0.0);
    assert!(after.get("process_resident_memory_bytes") > 1e6);
    assert_eq!(after.get("chat_server_unsent_limit_bytes"), 33_554_432.0);
    // The buckets are cumulative, and each message is in one of them.
    let latency = |ending: &str| after.get(&format!("chat_server_message_latency_seconds{ending}"));
    assert_eq!((latency("_count"), latency("_bucket{le=\"+Inf\"}")), (3.0, 3.0));
    assert!(latency("_bucket{le=\"0.0005\"}") <= latency("_bucket{le=\"10.0\"}"));
    let sum = latency("_sum");
    assert!(sum > 0.0 && sum < 3.0 * PATIENCE.as_secs_f64(), "{sum}");
    // Without a log on disk and without backups, what belongs to them is left out.
    let (_server, address) = start(&[]);
    let missing = ["store_bytes", "filesystem_size_bytes", "backup_failing"];
    let types = scrape(address).types;
    assert!(missing.iter().all(|it| !types.contains_key(&format!("chat_server_{it}"))));
}

/// Returns the number of TCP sockets on which a process listens.
fn listening_sockets(process: u32) -> usize {
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|it| fs::read_link(it.unwrap().path()).ok())
        .filter_map(|it| Some(it.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|it| fs::read_to_string(Path::new("/proc/net").join(it)));
    let lines: Vec<String> = tables
        .into_iter()
        .flat_map(|it| it.unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let fields = lines.iter().map(|it| it.split_whitespace().collect::<Vec<_>>());
    // 0A: the state LISTEN.
    fields.filter(|it| it[3] == "0A" && inodes.iter().any(|inode| inode == it[9])).count()
}

/// Without the setting nothing listens but the way in, and with it one socket more.
#[test]
fn metrics_are_off_by_default() {
    let server = Server::start(&[]);
    assert_eq!(listening_sockets(server.id()), 1);
    let (server, _) = start(&[]);
    assert_eq!(listening_sockets(server.id()), 2);
}

/// The port for browsers does not serve metrics.
#[test]
fn browsers_get_no_metrics() {
    let page = tempfile::tempdir().unwrap();
    let root = page.path().to_str().unwrap();
    let (server, _) = start(&[common::WITH_WEB, &["--web-root", root]].concat());
    let head = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.web_address()
    );
    let answer = request(server.web_address(), &head);
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("chat_server"), "{answer}");
}

/// What is no request for metrics gets an error that says why, and the next scrape works.
#[test]
fn bad_requests_are_refused() {
    let (_server, address) = start(&[]);
    let (name, socket) = ("Host: prometheus.example", "Upgrade: websocket\r\nConnection: upgrade");
    for (line, fields, status) in [
        ("GET / HTTP/1.1", "Host: pi.local:2490", "404 "),
        ("GET /metrics/x HTTP/1.1", "Host: pi.local:2490", "404 "),
        ("GET /chat HTTP/1.1", &format!("Host: pi.local\r\n{socket}"), "404 "),
        ("POST /metrics HTTP/1.1", "Host: pi.local", "405 "),
        ("POST /metrics HTTP/1.1", "Host: pi.local\r\nContent-Length: 3", "413 "),
        ("GET /metrics HTTP/1.1", name, "421 "),
        ("GET /metrics HTTP/1.1", "Accept: */*", "400 "),
        ("nonsense", "", "400 "),
        ("GET /metrics HTTP/1.1", &format!("Cookie: {}", "x".repeat(20_000)), "431 "),
    ] {
        let head = format!("{line}\r\nConnection: close\r\n{fields}\r\n\r\n");
        let answer = request(address, &head);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}{answer}");
        assert!(!answer.contains("chat_server"), "{answer}");
    }
    scrape(address);
}

/// Connections that ask for nothing, or never end their request, keep nobody from scraping.
#[test]
fn idle_connections_block_no_scrape() {
    let (server, address) = start(&[]);
    let idle: Vec<TcpStream> = (0..100)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 0 {
                // It may have been closed already, for a newer one.
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ");
            }
            stream
        })
        .collect();
    for _ in 0..3 {
        assert_eq!(scrape(address).get("chat_server_users"), 0.0);
    }
    server.join("anna");
    assert!(scrape(address).get("chat_server_connections") <= 1.0, "they are no connections");
    drop(idle);
}

/// Returns the rows of the page's table under this headline: the first column, without its quotes, and
/// the second.
fn told_rows(headline: &str) -> BTreeMap<String, String> {
    let (_, section) = PAGE.split_once(&format!("\n## {headline}\n")).unwrap();
    let lines = section.lines().take_while(|it| !it.starts_with("## "));
    let rows = lines.filter_map(|it| it.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned())).collect()
}

/// Returns the types of the metrics that the page tells, by their names.
fn told_metrics() -> BTreeMap<String, String> {
    told_rows("What there is")
}

/// The alert rules ask for no metric that the server does not have, and the page tells all of them
/// with their severity. `scripts/test alerts` tests the rules themselves.
#[test]
fn rules_ask_for_metrics_that_exist() {
    let metrics = told_metrics();
    let field = |line: &'static str, key: &str| {
        line.trim_start_matches([' ', '-']).strip_prefix(key)?.strip_prefix(": ")
    };
    let mut asked = 0;
    for expression in RULES.lines().filter_map(|it| field(it, "expr")) {
        let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        for word in words.filter(|it| it.contains("_server_") || it.starts_with("process_")) {
            let base = word.strip_suffix("_bucket").unwrap_or(word);
            let kind = metrics.get(base).unwrap_or_else(|| panic!("no {word}: {expression}"));
            assert_eq!(kind == "histogram", base != word, "{expression}");
            asked += 1;
        }
    }
    assert!(asked >= 8);
    let alerts = RULES.lines().filter_map(|it| field(it, "alert"));
    let severities = RULES.lines().filter_map(|it| field(it, "severity"));
    let rules: BTreeMap<String, String> =
        alerts.map(str::to_owned).zip(severities.map(str::to_owned)).collect();
    assert_eq!(rules, told_rows("Alerts"));
}

/// The table of the page has the metrics that a server with everything serves, with their types.
#[test]
fn page_has_all_metrics() {
    let told = told_metrics();
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name).to_str().unwrap().to_owned();
    let (server, address) = start(&["--data", &path("data"), "--backup-dir", &path("backups")]);
    // The first backup is made soon after the start.
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("backup made in")));
    let begin = Instant::now();
    let mut types = scrape(address).types;
    while types != told && begin.elapsed() < PATIENCE {
        types = scrape(address).types;
    }
    assert_eq!(types, told);
    assert!(told.len() >= 20);
}
