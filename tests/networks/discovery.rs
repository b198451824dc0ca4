//! `chat-server` announces itself by DNS-SD, and `chat-client` discovers it
//! (docs/protocol/discovery.md).

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::Server;
use super::lab::{Family, Lab, Machine};
use super::program::Program;

/// Text that `chat-client` prints if it discovers no server.
const NO_SERVER_FOUND: &str = "no server was found on this network";

/// Starts a server that listens on all addresses of a machine.
fn start_server(machine: &Machine, name: &str, arguments: &[&str]) -> Server {
    start_server_at("[::]:0", machine, name, arguments)
}

/// Starts a server that listens for plain TCP at this address of a machine.
pub(crate) fn start_server_at(
    listen: &str,
    machine: &Machine,
    name: &str,
    arguments: &[&str],
) -> Server {
    let all = [&["--listen", listen, "--name", name], arguments].concat();
    Server::start_command(machine.command(env!("CARGO_BIN_EXE_chat-server")), &all, |command| {
        command.env_clear();
    })
}

/// The command that runs `chat-client` on a machine, with `home` as the user's home directory.
pub(crate) fn client_command(machine: &Machine, home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = machine.command(env!("CARGO_BIN_EXE_chat-client"));
    command.env_clear().env("HOME", home.path()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Writes `input` to a program, closes its standard input, and waits until it has ended.
pub(crate) fn run_to_end(mut child: Child, input: &str) -> Output {
    // The program may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns exit code, standard output and standard error as text.
pub(crate) fn exit_and_output(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Starts `chat-client discover`, which lists the servers that it finds within `seconds`.
fn start_discovery(machine: &Machine, seconds: &str) -> Child {
    let home = tempfile::tempdir().unwrap();
    client_command(machine, &home, &["discover", "--json", "--wait", seconds]).spawn().unwrap()
}

/// Waits for the end of a discovery. Returns the names of the servers and the JSON objects that
/// describe them. Asserts that exit code and error text fit.
fn discovered_servers(list: Child) -> (Vec<String>, Vec<Value>) {
    let (code, out, error) = exit_and_output(run_to_end(list, ""));
    let all: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, Some(if all.is_empty() { 69 } else { 0 }), "{error}");
    assert_eq!(all.is_empty(), error.contains(NO_SERVER_FOUND), "{error}");
    (all.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect(), all)
}

/// A server announces its name, version and addresses; a client without a server in its arguments
/// connects to it.
#[test]
fn only_server_on_the_network_is_used() {
    for family in [Family::Both, Family::V6] {
        let Some(lab) = Lab::new() else { return };
        let machines = lab.machines(2, family);
        let home = tempfile::tempdir().unwrap();
        let (code, _, error) = exit_and_output(run_to_end(
            client_command(&machines[1], &home, &["--name", "bob"]).spawn().unwrap(),
            "hi\n",
        ));
        assert!(code == Some(69) && error.contains(NO_SERVER_FOUND), "{error}");

        let server = start_server(&machines[0], "Anna's attic 2.0", &[]);
        let (names, all) = discovered_servers(start_discovery(&machines[1], "2"));
        assert_eq!(names, ["Anna's attic 2.0"]);
        let port = server.address().port();
        assert_eq!((&all[0]["type"], &all[0]["port"]), (&json!("server"), &json!(port)));
        assert_eq!(all[0]["version"], env!("CARGO_PKG_VERSION"));
        let host = all[0]["host"].as_str().unwrap();
        assert!(host.ends_with(&format!("-chat-{port}.local")), "{all:?}");
        let addresses = all[0]["addresses"].as_array().unwrap();
        let has = |part: &str| addresses.iter().any(|it| it.as_str().unwrap().starts_with(part));
        assert!(has("[fe80:") && !has("127.") && !has("[::1]"), "{addresses:?}");
        for own in &machines[0].addresses {
            assert!(has(&format!("{own}:{port}")), "{addresses:?}");
        }

        // Each announced address can be connected to.
        for address in addresses {
            let at = address.as_str().unwrap();
            let begin =
                client_command(&machines[1], &home, &[at, "--name", "bob"]).spawn().unwrap();
            let (code, _, error) = exit_and_output(run_to_end(begin, "hi\n"));
            assert_eq!(code, Some(0), "{at}: {error}");
        }

        let begin = client_command(&machines[1], &home, &["--name", "bob"]).spawn().unwrap();
        let (code, _, error) = exit_and_output(run_to_end(begin, "found you\n"));
        assert!(code == Some(0) && error.contains("found Anna's attic 2.0 at"), "{error}");
        let sent = client_command(&machines[1], &home, &["send", "and again"]).spawn().unwrap();
        assert_eq!(exit_and_output(run_to_end(sent, "")).0, Some(0));
        let (_, history, _) = exit_and_output(run_to_end(
            client_command(&machines[1], &home, &["--name", "carla"]).spawn().unwrap(),
            "",
        ));
        assert!(history.contains("found you") && history.contains("and again"), "{history}");
    }
}

/// A server with containers announces on its network only what can be reached there. The client
/// puts the common network first.
#[test]
fn addresses_of_containers_are_not_announced_to_others() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines[0].add_container_bridges();
    let program = machines[0].command_with_sysfs(env!("CARGO_BIN_EXE_chat-server"));
    let server = Server::start_command(program, &["--listen", "[::]:0"], |command| {
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    });
    let (_, all) = discovered_servers(start_discovery(&machines[1], "2"));
    let port = server.address().port();
    let addresses = all[0]["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    assert_eq!(addresses[0], format!("{}:{port}", machines[0].addresses[0]));
    assert!(addresses[1].as_str().unwrap().starts_with("[fe80:"), "{addresses:?}");
}

/// With several servers a user at a terminal chooses one; a script gets a usage error that lists
/// them.
#[test]
fn several_servers_require_a_choice() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let servers =
        [start_server(&machines[0], "attic", &[]), start_server(&machines[1], "cellar", &[])];
    let (names, all) = discovered_servers(start_discovery(&machines[2], "3"));
    assert_eq!(names, ["attic", "cellar"]);
    let home = tempfile::tempdir().unwrap();
    for arguments in [["--name", "bob"].as_slice(), &["--name", "bob", "--json"], &["send", "x"]] {
        let (code, out, error) = exit_and_output(run_to_end(
            client_command(&machines[2], &home, arguments).spawn().unwrap(),
            "",
        ));
        assert_eq!((code, out.as_str()), (Some(64), ""), "{error}");
        assert!(error.contains("attic at") && error.contains("cellar at"), "{error}");
    }
    // `script` makes a terminal.
    let program = env!("CARGO_BIN_EXE_chat-client");
    let mut terminal = machines[2].command("script");
    terminal.env_clear().env("HOME", home.path()).env("TERM", "dumb");
    terminal.args(["-qec", &format!("'{program}' --plain --name bob"), "/dev/null"]);
    let mut user = Program::start(terminal);
    user.expect_text("1  attic at");
    user.type_line("7");
    user.type_line("2");
    user.expect_text("bob");
    // The message arrives at the chosen server only.
    user.type_line("where am I");
    user.expect_text("bob: where am I");
    let said = |server: &Server, machine: &Machine| {
        let at = format!("[::1]:{}", server.address().port());
        let begin = client_command(machine, &home, &[&at, "--name", "reader"]).spawn().unwrap();
        exit_and_output(run_to_end(begin, "")).1.contains("where am I")
    };
    let where_said = [said(&servers[0], &machines[0]), said(&servers[1], &machines[1])];
    assert_eq!(where_said, [false, true]);
    // A server that the arguments name, by address or by DNS-SD instance, is used without
    // discovery.
    let address = format!("{}:{}", machines[0].addresses[0], servers[0].address().port());
    for at in [address.as_str(), all[0]["entry"].as_str().unwrap()] {
        let begin = client_command(&machines[2], &home, &[at, "--name", "x"]).spawn().unwrap();
        let (code, _, error) = exit_and_output(run_to_end(begin, "hi\n"));
        assert!(code == Some(0) && !error.contains("found"), "{at}: {error}");
    }
}

/// A server that stops sends a goodbye, which removes it from a running discovery. A killed server
/// stays in that list.
#[test]
fn stopped_server_withdraws_its_record() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let mut servers =
        [start_server(&machines[0], "attic", &[]), start_server(&machines[1], "cellar", &[])];
    let long = start_discovery(&machines[2], "9");
    // When this short discovery has ended, the long one knows both servers as well.
    assert_eq!(discovered_servers(start_discovery(&machines[2], "3")).0, ["attic", "cellar"]);
    servers[0].terminate();
    servers[1].kill();
    assert_eq!(discovered_servers(long).0, ["cellar"]);
    assert_eq!(discovered_servers(start_discovery(&machines[2], "1")).0, Vec::<String>::new());
}

/// Two servers on one machine with the same name, as long as a name may be: a client discovers
/// both, can connect to each by its instance, and the goodbye of one leaves the other in the list.
#[test]
fn servers_of_one_name_on_one_machine_are_told_apart() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let name = "a b".repeat(21);
    let mut first = start_server(&machines[0], &name, &[]);
    let second = start_server(&machines[0], &name, &[]);
    let home = tempfile::tempdir().unwrap();
    let (names, all) = discovered_servers(start_discovery(&machines[1], "4"));
    assert_eq!(names, [name.as_str(), &name]);
    // A goodbye withdraws the addresses of a host name, so the two need different ones.
    assert_ne!(all[0]["host"], all[1]["host"]);
    for server in &all {
        let entry = server["entry"].as_str().unwrap();
        let begin = client_command(&machines[1], &home, &[entry, "--name", "bob"]).spawn().unwrap();
        let (code, _, error) = exit_and_output(run_to_end(begin, "hi\n"));
        assert_eq!(code, Some(0), "{entry}: {error}");
    }
    let long = start_discovery(&machines[1], "6");
    assert_eq!(discovered_servers(start_discovery(&machines[1], "3")).0.len(), 2);
    first.terminate();
    let (_, left) = discovered_servers(long);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["port"], second.address().port());
    // A discovery that starts after the goodbye finds it as well.
    let (_, left) = discovered_servers(start_discovery(&machines[1], "2"));
    assert_eq!((left.len(), &left[0]["port"]), (1, &json!(second.address().port())));
}

/// Two servers of the same name are listed as two. The key `announce` turns the announcement off,
/// and a reload applies changes of name and `announce`.
#[test]
fn reload_changes_and_stops_the_announcement() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "announce = false\n").unwrap();
    let first = Server::start_command(
        machines[0].command(env!("CARGO_BIN_EXE_chat-server")),
        &["--listen", "[::]:0", "--config", config.to_str().unwrap()],
        |command| {
            command.env_clear();
        },
    );
    let _second = start_server(&machines[1], "cellar", &[]);
    assert_eq!(discovered_servers(start_discovery(&machines[2], "3")).0, ["cellar"]);
    let reads = |text: &str, times: usize| {
        fs::write(&config, text).unwrap();
        first.signal(Signal::HUP);
        let applied =
            |log: &[String]| log.iter().filter(|it| it.contains("configuration reloaded")).count();
        first.wait_for_log(|log| applied(log) == times);
    };
    reads("name = \"cellar\"\n", 1);
    let (names, all) = discovered_servers(start_discovery(&machines[2], "4"));
    assert_eq!(names, ["cellar", "cellar"]);
    assert_ne!(all[0]["entry"], all[1]["entry"]);
    reads("name = \"attic\"\n", 2);
    assert_eq!(discovered_servers(start_discovery(&machines[2], "4")).0, ["attic", "cellar"]);
    reads("name = \"attic\"\nannounce = false\n", 3);
    assert_eq!(discovered_servers(start_discovery(&machines[2], "2")).0, ["cellar"]);
}

/// A client with `--wait` waits for the first server. When that server has got another address, the
/// client discovers it again and reconnects.
#[test]
fn client_finds_its_server_at_a_new_address() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let data = tempfile::tempdir().unwrap();
    let keep = ["--data", data.path().to_str().unwrap()];
    let home = tempfile::tempdir().unwrap();
    let patient = ["--json", "--name", "anna", "--wait"];
    let mut anna = Program::start(client_command(&machines[1], &home, &patient));
    anna.expect_text("still looking");
    let mut server = start_server(&machines[0], "attic", &keep);
    anna.send_json(&json!({"type": "say", "text": "before", "id": 1}));
    anna.expect_json(&json!({"type": "acknowledged", "id": 1}));
    server.terminate();
    for change in [["add", "198.18.0.77/24"], ["del", "198.18.0.1/24"]] {
        let mut ip = machines[0].command("ip");
        ip.args(["address", change[0], change[1], "dev", "eth0"]);
        assert!(ip.status().unwrap().success());
    }
    let _server = start_server(&machines[0], "attic", &keep);
    anna.send_json(&json!({"type": "say", "text": "after", "id": 2}));
    anna.expect_json(&json!({"type": "acknowledged", "id": 2}));
    assert_eq!(anna.finish().0, Some(0));
}

/// A server in memory, which has no id, is found again under another name, by its host and port.
#[test]
fn client_follows_a_memory_server_to_another_name() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let home = tempfile::tempdir().unwrap();
    let start = |name: &str, address: &str| {
        let program = machines[0].command(env!("CARGO_BIN_EXE_chat-server"));
        Server::start_command(program, &["--listen", address, "--name", name], |command| {
            command.env_clear();
        })
    };
    let mut server = start("attic", "[::]:0");
    let mut anna =
        Program::start(client_command(&machines[1], &home, &["--json", "--name", "anna"]));
    anna.expect_json(&json!({"type": "welcome"}));
    server.terminate();
    let _server = start("cellar", &server.address().to_string());
    anna.send_json(&json!({"type": "say", "text": "hello", "id": 1}));
    anna.expect_json(&json!({"type": "acknowledged", "id": 1}));
    assert_eq!(anna.finish().0, Some(0));
}

/// Two servers of one name get numbers in their instance names, and swap them when they start in
/// another order. A client that has discovered one of them stays with it, because the server keeps
/// its id.
#[test]
fn client_recognises_its_server_by_id() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |which: usize| {
        start_server(&machines[which], "pi", &["--data", folders[which].path().to_str().unwrap()])
    };
    // Instances and ids of the running servers, found by port.
    let entries_of = |servers: &[&Server]| {
        let (_, all) = discovered_servers(start_discovery(&machines[2], "4"));
        let of = |server: &&Server| {
            let port = json!(server.address().port());
            let found = all.iter().find(|it| it["port"] == port).unwrap();
            ["entry", "id"].map(|key| found[key].as_str().unwrap().to_owned())
        };
        servers.iter().map(of).collect::<Vec<_>>()
    };
    let mut first = start(0);
    assert_eq!(entries_of(&[&first])[0][0], "pi._pi-chat._tcp.local");
    let mut second = start(1);
    let before = entries_of(&[&first, &second]);
    assert_ne!(before[0], before[1]);
    assert!(before.iter().all(|it| it[1].len() == 32), "{before:?}");

    let home = tempfile::tempdir().unwrap();
    let arguments = ["pi._pi-chat._tcp.local", "--json", "--name", "anna"];
    let mut anna = Program::start(client_command(&machines[2], &home, &arguments));
    anna.send_json(&json!({"type": "say", "text": "before", "id": 1}));
    anna.expect_json(&json!({"type": "acknowledged", "id": 1}));
    first.terminate();
    second.terminate();
    let second = start(1);
    assert_eq!(entries_of(&[&second])[0], [before[0][0].clone(), before[1][1].clone()]);
    anna.expect_text("another server has its name now");
    let first = start(0);
    anna.send_json(&json!({"type": "say", "text": "after", "id": 2}));
    anna.expect_json(&json!({"type": "acknowledged", "id": 2}));
    assert_eq!(anna.finish().0, Some(0));
    assert_eq!(entries_of(&[&first])[0], [before[1][0].clone(), before[0][1].clone()]);

    // The next run of the client resumes the session at that server, whatever instance name it is
    // given.
    let said = |server: &Server, machine: &Machine| {
        let at = format!("[::1]:{}", server.address().port());
        let begin = client_command(machine, &home, &[&at, "--name", "reader"]).spawn().unwrap();
        exit_and_output(run_to_end(begin, "")).1
    };
    let again = ["pi (2)._pi-chat._tcp.local", "--json", "--name", "anna"];
    let (code, out, error) = exit_and_output(run_to_end(
        client_command(&machines[2], &home, &again).spawn().unwrap(),
        "",
    ));
    assert!(code == Some(0) && out.contains("\"session_kept\":true"), "{out}{error}");
    let history = said(&first, &machines[0]);
    assert!(history.contains("before") && history.contains("after"), "{history}");
    let other = said(&second, &machines[1]);
    assert!(!other.contains("before") && !other.contains("after"), "{other}");
}

/// A client that is given an instance which does not exist reports it; with `--timeout` it stops
/// waiting in time.
#[test]
fn missing_instance_is_reported() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(1, Family::Both);
    let home = tempfile::tempdir().unwrap();
    let ask = |more: &[&str]| {
        let all = [&["attic._pi-chat._tcp.local", "--json", "--name", "bob"], more].concat();
        client_command(&machines[0], &home, &all).spawn().unwrap()
    };
    let (hasty, patient) = (ask(&[]), ask(&["--wait", "--timeout", "1"]));
    let last = |out: &str| serde_json::from_str::<Value>(out.lines().last().unwrap()).unwrap();
    let (code, out, error) = exit_and_output(run_to_end(hasty, ""));
    assert_eq!((code, &last(&out)["reason"]), (Some(69), &json!("unavailable")), "{out}{error}");
    assert!(out.contains("attic was not found on this network"), "{out}");
    let said = "{\"type\":\"say\",\"text\":\"x\"}\n";
    let (code, out, error) = exit_and_output(run_to_end(patient, said));
    assert_eq!((code, &last(&out)["type"]), (Some(69), &json!("end")), "{out}{error}");
}

/// If another program has bound the mDNS port exclusively, server and client report it, and the
/// server goes on serving.
#[test]
fn port_5353_bound_exclusively_is_reported() {
    // A program that has bound the port for IPv4 keeps it from sockets of both families.
    for holds in ["AF_INET, 0.0.0.0", "AF_INET6, ::"] {
        let Some(lab) = Lab::new() else { return };
        let machines = lab.machines(1, Family::Both);
        let (family, address) = holds.split_once(", ").unwrap();
        let mut holder = machines[0].command("python3");
        holder.arg("-c").arg(format!(
            "import socket\n\
             it = socket.socket(socket.{family}, socket.SOCK_DGRAM)\n\
             it.bind(('{address}', 5353))\n\
             print('held', flush=True)\n\
             input()"
        ));
        let holder = Program::start(holder);
        holder.expect_text("held");
        let server = start_server(&machines[0], "attic", &[]);
        let warning = "UDP port 5353 cannot be had";
        server.wait_for_log(|log| log.iter().any(|it| it.contains(warning)));
        let home = tempfile::tempdir().unwrap();
        let (code, _, error) = exit_and_output(run_to_end(
            client_command(&machines[0], &home, &["--name", "bob"]).spawn().unwrap(),
            "",
        ));
        assert!(code == Some(71) && error.contains(warning), "{error}");
        let at = format!("[::1]:{}", server.address().port());
        let begin = client_command(&machines[0], &home, &[&at, "--name", "bob"]).spawn().unwrap();
        assert_eq!(exit_and_output(run_to_end(begin, "hi\n")).0, Some(0));
    }
}
