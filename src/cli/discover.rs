//! Server discovery on the local network: the command `chat-client discover`, and the choice of a
//! server if none is named.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write, stderr, stdin, stdout};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::json;

use super::exit::{self, Failure, os_failure, usage_failure};
use crate::client::discovery::{self, DiscoveredServer, DiscoveryError, discovery_error_text};
use crate::client::{Destination, is_key_known};
use crate::config::user::state_directory;
use crate::model::NameKey;
use crate::text;
use crate::ui::full_screen::start::{Lock, Offer, StartInput};
use crate::ui::{escape_dangerous, safe_line};

/// Maximum time of one search for servers if none is named.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// Flags of `discover`.
#[derive(Args)]
pub(super) struct DiscoverArgs {
    /// Print JSON, one object per line (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
    /// Look for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    wait: u16,
}

/// Runs `chat-client discover`. Searches for the whole time of `--wait`, and prints the servers
/// found, as text or JSON lines. Returns exit code 0.
///
/// # Errors
/// No server was found, the network cannot be queried, or the output cannot be written.
pub(super) fn run(command: &DiscoverArgs) -> Result<u8, Failure> {
    let found = discovery::discover_all(Duration::from_secs(command.wait.into()));
    let found = found.map_err(|error| search_failure(&error))?;
    let mut lines = String::new();
    for server in &found {
        let line = if command.json {
            escape_dangerous(&to_json(server).to_string())
        } else {
            describe(server)
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    stdout()
        .write_all(lines.as_bytes())
        .with_context(|| text!("discover-not-written"))
        .map_err(os_failure)?;
    if found.is_empty() {
        Err((exit::UNAVAILABLE, anyhow!(text!("discover-not-found"))))
    } else {
        Ok(0)
    }
}

/// Chooses a server on the local network. If only one is found, takes it. If several are found and
/// `can_ask` is true, asks the user. If `is_patient` is true, searches until one is found. Prints
/// on standard error that it goes on searching, and a server that it takes without asking.
///
/// # Errors
/// No server was found. Or several were found and `can_ask` is false. Or the network or the
/// terminal cannot be used.
pub(super) fn choose_server(can_ask: bool, is_patient: bool) -> Result<Destination, Failure> {
    let mut found = discover_servers()?;
    if found.is_empty() && is_patient {
        print_notice(&text!("discover-still-looking"));
        while found.is_empty() {
            found = discover_servers()?;
        }
    }
    match found.as_slice() {
        [] => Err((exit::UNAVAILABLE, anyhow!(text!("discover-not-found")))),
        [only] => {
            print_notice(&text!("discover-found", server = describe(only)));
            Ok(only.destination())
        }
        several if can_ask => prompt_for_server(several),
        several => {
            let mut text = text!("discover-several");
            for server in several {
                // Writing to a string does not fail.
                let _ = write!(text, "\n  {}", describe(server));
            }
            Err(usage_failure(anyhow!(text)))
        }
    }
}

/// Servers that were found, by the keys of the [`Offer`]s.
pub(super) type FoundServers = Arc<Mutex<BTreeMap<String, Destination>>>;

/// Starts a thread that looks for servers, and offers them to the window, until that is closed.
/// Returns the servers that were offered.
pub(super) fn offer_servers(inputs: Sender<StartInput>) -> FoundServers {
    let servers = FoundServers::default();
    let found = servers.clone();
    thread::spawn(move || {
        let state = state_directory();
        let offer = |server: &DiscoveredServer| {
            let destination = server.destination();
            let offer = to_offer(server, &destination, state.as_deref());
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(offer.key.clone(), destination);
            offer
        };
        loop {
            let each = |it: &DiscoveredServer| inputs.send(StartInput::Found(offer(it))).is_ok();
            let told = match discovery::discover_each(DISCOVERY_TIMEOUT, each) {
                Ok(all) => {
                    let offers: Vec<Offer> = all.iter().map(&offer).collect();
                    let is_there = |key: &String| offers.iter().any(|it| it.key == *key);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.retain(|key, _| is_there(key));
                    StartInput::Searched(offers)
                }
                Err(error) => {
                    // The window is left to the user, who may know an address.
                    let _ = inputs.send(StartInput::SearchFailed(discovery_error_text(&error)));
                    return;
                }
            };
            if inputs.send(told).is_err() {
                return;
            }
        }
    });
    servers
}

/// Describes a server for the list in the window. `state`: directory with the known keys.
fn to_offer(server: &DiscoveredServer, destination: &Destination, state: Option<&Path>) -> Offer {
    let is_known =
        state.zip(destination.trust_key()).is_some_and(|(it, key)| is_key_known(it, &key));
    let lock = match server.tls_port {
        None => Lock::Open,
        Some(_) if is_known => Lock::Known,
        Some(_) => Lock::Encrypted,
    };
    let address = server.addresses.first().map(ToString::to_string).unwrap_or_default();
    let (name, host) = (server.name.clone(), server.host.clone());
    Offer { key: destination.key(), name, host, address, lock }
}

/// Searches for servers until 1.2 seconds after the first answer, at most for
/// [`DISCOVERY_TIMEOUT`]. Returns an empty list if there are none.
///
/// # Errors
/// The network cannot be queried.
fn discover_servers() -> Result<Vec<DiscoveredServer>, Failure> {
    discovery::discover_some(DISCOVERY_TIMEOUT).map_err(|error| search_failure(&error))
}

/// Converts an error of a search for servers to a failure, with a text for the user.
fn search_failure(error: &DiscoveryError) -> Failure {
    os_failure(anyhow!(discovery_error_text(error)).context(text!("discover-failed")))
}

/// Prints a progress line on standard error. Ignores write errors.
fn print_notice(line: &str) {
    // The stream may be closed.
    let _ = writeln!(stderr(), "-- {line}");
}

/// Asks the user to select one of several servers. Asks again until [`find_choice`] understands the
/// answer.
///
/// # Errors
/// The terminal cannot be used, or its input ends.
fn prompt_for_server(several: &[DiscoveredServer]) -> Result<Destination, Failure> {
    let mut screen = stdout();
    let mut question = text!("discover-list") + "\n";
    for (number, server) in (1..).zip(several) {
        // Writing to a string does not fail.
        let _ = writeln!(question, "{number:3}  {}", describe(server));
    }
    loop {
        let prompt = text!("discover-which", count = several.len());
        let asked = write!(screen, "{question}{prompt} ");
        asked
            .and_then(|()| screen.flush())
            .with_context(|| text!("cannot-ask"))
            .map_err(os_failure)?;
        let mut line = String::new();
        let count = stdin()
            .read_line(&mut line)
            .with_context(|| text!("answer-unreadable"))
            .map_err(os_failure)?;
        if count == 0 {
            return Err(usage_failure(anyhow!(text!("discover-none-chosen"))));
        }
        if let Some(server) = find_choice(several, line.trim()) {
            return Ok(server.destination());
        }
        question.clear();
    }
}

/// Returns the server that an answer names: by its number in the list, counted from 1, or by its
/// name, its host or the first label of its host, in any case, if only one server has it. `None` if
/// the answer names none or several. A number is never taken as a name.
fn find_choice<'a>(several: &'a [DiscoveredServer], answer: &str) -> Option<&'a DiscoveredServer> {
    if let Ok(number) = answer.parse::<usize>() {
        return several.get(number.checked_sub(1)?);
    }
    let key = NameKey::of(answer);
    let is_named = |server: &&DiscoveredServer| {
        let short_host = server.host.split('.').next().unwrap_or_default();
        [server.name.as_str(), &server.host, short_host].iter().any(|it| NameKey::of(it) == key)
    };
    let mut named = several.iter().filter(is_named);
    named.next().filter(|_| named.next().is_none())
}

/// Formats a discovered server as a line for the user. The server chooses its name and version, so
/// characters that are dangerous to a terminal are replaced.
fn describe(server: &DiscoveredServer) -> String {
    let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
    let (name, host) = (safe_line(&server.name), safe_line(&server.host));
    let addresses = addresses.join(", ");
    if server.version.is_empty() {
        return text!("discover-server", name = name, addresses = addresses, host = host);
    }
    let version = safe_line(&server.version);
    text!(
        "discover-server-version",
        name = name,
        addresses = addresses,
        host = host,
        version = version
    )
}

/// Converts a discovered server to a JSON object (docs/json.md). Its texts may contain characters
/// that are dangerous to a terminal.
fn to_json(server: &DiscoveredServer) -> serde_json::Value {
    json!({
        "type": "server",
        "name": server.name,
        "host": server.host,
        "port": server.port,
        "addresses": server.addresses,
        "version": server.version,
        "entry": server.instance_name,
        "id": server.id.map(|it| it.to_string()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a discovered server with this name on this host.
    fn server(name: &str, host: &str) -> DiscoveredServer {
        DiscoveredServer {
            name: name.to_owned(),
            instance_name: format!("{name}._pi-chat._tcp.local"),
            host: host.to_owned(),
            port: 1,
            tls_port: None,
            addresses: Vec::new(),
            version: String::new(),
            id: None,
            has_likely_address: true,
            has_txt_record: true,
        }
    }

    #[test]
    fn server_is_chosen_by_number_name_or_host() {
        let several =
            [server("Attic", "pi.local"), server("Küche", "pi2.local"), server("x", "pi2.local")];
        let chosen = |answer| find_choice(&several, answer).map(|it| it.name.as_str());
        for (answer, name) in [
            ("1", Some("Attic")),
            ("3", Some("x")),
            ("0", None),
            ("4", None),
            ("", None),
            ("attic", Some("Attic")),
            ("KÜCHE", Some("Küche")),
            ("pi", Some("Attic")),
            ("pi.local", Some("Attic")),
            // Two servers have this host.
            ("pi2", None),
            ("cellar", None),
        ] {
            assert_eq!(chosen(answer), name, "{answer}");
        }
    }
}
