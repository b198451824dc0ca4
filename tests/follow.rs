//! Followers (`docs/protocol/replicate.md`): two real servers, one of which follows the other over a
//! link that can be cut, and takes its place.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::fs;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use common::{ANY_SESSION, PATIENCE, Server, TestClient, WITH_TLS, join, run_server_command, say};
use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::{IdentityKey, LogId, Position, Reference, Sequence};
use pi_chat::wire::tcp::{
    Direct, DirectEntry, Entry, Join, MarkRead, Replicate, ServerFrame, Welcome, binding, feature,
};
use serde_json::Value;
use tempfile::TempDir;

/// Number of the owner's key.
const OWNER: u8 = 7;

/// Link between two servers that can be cut: passes on all bytes meanwhile.
struct CutLink {
    /// Address at which it listens.
    address: SocketAddr,
    /// Address to which it leads; `None` while it is cut.
    target: Arc<Mutex<Option<SocketAddr>>>,
    /// Sockets of the connections.
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl CutLink {
    /// Creates a link to an address.
    fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(Some(target)));
        let sockets = Arc::new(Mutex::new(Vec::new()));
        let (to, open) = (target.clone(), sockets.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let target = *to.lock().unwrap();
                let Some(far) = target.and_then(|it| TcpStream::connect(it).ok()) else { continue };
                open.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (mut from, mut to) in
                    [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)]
                {
                    thread::spawn(move || {
                        // An error is the end of the connection.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, target, sockets }
    }

    /// Cuts all connections, and lets none through.
    fn cut(&self) {
        *self.target.lock().unwrap() = None;
        for socket in self.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again, to this address.
    fn mend(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = Some(target);
    }
}

/// Two servers' directories.
struct Place {
    /// Directory of everything.
    directory: TempDir,
}

impl Place {
    /// Creates the directories, and the file with the owner's key.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("owner.key"), [OWNER; 32]).unwrap();
        fs::write(directory.path().join("guest.key"), [9; 32]).unwrap();
        Self { directory }
    }

    /// Returns a path in the directory.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a server with this name by which everybody may claim names.
    fn start(&self, name: &str) -> Server {
        let data = self.path(name);
        let flags = [
            "--data",
            data.to_str().unwrap(),
            "--announce",
            "false",
            "--claims",
            "open",
            "--burst",
            "10000",
        ];
        Server::start(&[WITH_TLS, &flags].concat())
    }

    /// Returns the arguments of a follower with this name, of a server at this address.
    fn follower_arguments(&self, name: &str, server: SocketAddr, key: &str) -> Vec<String> {
        let (data, key) = (self.path(name), self.path(key));
        let flags = [
            "follow",
            &format!("chats://{server}"),
            "--follow-key",
            key.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
            "--claims",
            "open",
        ];
        flags
            .iter()
            .map(|it| (*it).to_owned())
            .chain(WITH_TLS.iter().map(|it| (*it).to_owned()))
            .collect()
    }

    /// Starts a follower.
    fn follow(&self, name: &str, server: SocketAddr) -> Server {
        let arguments = self.follower_arguments(name, server, "owner.key");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Server::start(&arguments)
    }

    /// Runs a command for the server with this name, which must succeed. Returns what it prints.
    fn command(&self, name: &str, arguments: &[&str]) -> String {
        let data = self.path(name);
        let mut all = arguments.to_vec();
        all.extend(["--data", data.to_str().unwrap()]);
        let output = run_server_command(&all);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the status of the follower with this name is as wanted, and returns it.
    fn wait_for_follower(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.command(name, &["status", "--json"]);
            let status: Value = serde_json::from_str(&status).unwrap();
            if wanted(&status["follows"]) {
                return status["follows"].clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{status}");
        }
    }

    /// Waits until the follower with this name has everything up to this sequence, and the state.
    fn wait_until_complete(&self, name: &str, sequence: Sequence) {
        self.wait_for_follower(name, |it| {
            it["position"].as_u64() >= Some(sequence.0) && it["lag"].as_u64() == Some(0)
        });
    }
}

/// Joins with a key over plain TCP.
fn join_with_key(server: &Server, name: &str, key: u8) -> (TestClient, Welcome) {
    let mut client = send_join_with_key(server, name, key, 0);
    let welcome = client.join_answer().welcome;
    (client, welcome)
}

/// Sends a `join` with a key over plain TCP, with these features beside `identity`.
fn send_join_with_key(server: &Server, name: &str, key: u8, features: u64) -> TestClient {
    let mut client = server.connect();
    let hello = client.send_hello(feature::IDENTITY | features);
    let context = ProofContext {
        challenge: hello.challenge,
        server_key: IdentityKey(hello.server_key),
        binding: ChannelBinding::None,
    };
    let proof = Some(Box::new(KeyPair::from_seed(&[key; 32]).prove(&context)));
    client.send(Join { proof, ..join(name, &[]) });
    client
}

/// Joins with a token and a position at this address. Returns the client, the welcome and the texts of
/// the messages that come with it, direct ones included.
fn resume(
    address: SocketAddr,
    name: &str,
    welcome: &Welcome,
    at: Sequence,
) -> (TestClient, Welcome, Vec<String>) {
    let mut client = TestClient::connect(address);
    client.send_hello(0);
    let position = Some(Position { log_id: welcome.log_id, sequence: at });
    client.send(Join { token: Some(welcome.token), position, ..join(name, &[]) });
    let ServerFrame::Welcome(welcome) = client.next() else { panic!("not resumed") };
    let mut texts = Vec::new();
    loop {
        match client.next() {
            ServerFrame::Entry(it) => texts.push(it.text),
            ServerFrame::DirectEntry(it) => texts.push(it.text),
            ServerFrame::End(_) => return (client, welcome, texts),
            _ => {}
        }
    }
}

/// Returns the address on which a server listens since its log was opened for the second time.
fn address_after_promotion(server: &Server) -> SocketAddr {
    let addresses = |lines: &[String]| -> Vec<SocketAddr> {
        let found = lines.iter().filter_map(|it| it.strip_prefix("listening on "));
        found.filter_map(|it| it.parse().ok()).collect()
    };
    let lines = server.wait_for_log(|lines| addresses(lines).len() >= 2);
    addresses(&lines)[1]
}

/// Returns the next message in a room. Passes over everything else.
fn next_message(client: &mut TestClient) -> Entry {
    loop {
        if let ServerFrame::Entry(entry) = client.next() {
            return entry;
        }
    }
}

/// Returns the next direct message.
fn next_direct(client: &mut TestClient) -> DirectEntry {
    loop {
        if let ServerFrame::DirectEntry(direct) = client.next() {
            return direct;
        }
    }
}

/// A server with an owner and a guest, who have talked.
fn start_first(place: &Place) -> (Server, TestClient, Welcome) {
    let server = place.start("first");
    let (owner, welcome) = join_with_key(&server, "anna", OWNER);
    place.command("first", &["role", "add", "anna", "owner"]);
    (server, owner, welcome)
}

/// Everything comes to the follower: rooms, direct messages, sessions, roles, bans; removed texts do
/// not. Its readers see what is said, and can say nothing. When the server is gone, it takes its
/// place: clients resume with their tokens, what had not been sent is lost, and no position there
/// counts as sound. The old server does not serve any more, and can follow.
#[test]
fn follower_takes_the_place_of_its_server() {
    let place = Place::new();
    let (mut first, mut anna, _anna_welcome) = start_first(&place);
    let (mut bob, joined) = first.join_rooms("bob", &[]);
    let bob_welcome = joined.welcome;
    bob.send(say(1, "lobby", "good morning"));
    let secret = {
        bob.send(say(2, "lobby", "a secret"));
        bob.next_entries(2)[1].sequence
    };
    let removal = ["remove", "lobby", &secret.0.to_string()];
    place.command("first", &removal);
    place.command("first", &["ban", "mallory"]);
    bob.send(Direct {
        reference: Reference(3),
        to: "anna".to_owned(),
        session: ANY_SESSION,
        style: 0,
        text: "just for you".to_owned(),
    });
    assert_eq!(next_direct(&mut anna).text, "just for you");

    let link = CutLink::new(first.tls_address());
    let second = place.follow("second", link.address);
    let (mut reader, joined) = second.join_rooms("rita", &[]);
    let shown = joined.texts();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0], "good morning");
    assert_ne!(shown[1], "a secret");
    reader.send(say(1, "lobby", "may I?"));
    assert!(reader.expect_error(318).text.contains("follows another one"));
    bob.send(say(4, "lobby", "live"));
    assert_eq!(next_message(&mut reader).text, "live");
    let live = next_message(&mut bob).sequence;
    let mut banned = second.connect();
    banned.send_hello(0);
    banned.send(join("mallory", &[]));
    banned.expect_error(206);
    place.wait_until_complete("second", live);

    // The link breaks. What is said then is not sent.
    link.cut();
    place.wait_for_follower("second", |it| it["connected"] == false);
    bob.send(say(5, "lobby", "lost 1"));
    bob.send(say(6, "lobby", "lost 2"));
    next_message(&mut bob);
    let lost = next_message(&mut bob).sequence;
    first.kill();
    let told = place.command("second", &["promote"]);
    assert!(told.contains("epoch 1") && told.contains(&format!("after {}", live.0)), "{told}");
    let address = address_after_promotion(&second);

    let (bob, welcome, texts) = resume(address, "bob", &bob_welcome, lost);
    assert_eq!(welcome.session, bob_welcome.session, "the session goes on");
    assert_eq!(welcome.flags & 3, 1, "the session is kept, the position is not sound");
    assert_eq!(welcome.log_id, bob_welcome.log_id);
    assert_eq!(welcome.last_reference, Reference(4), "what is lost may be sent again");
    assert!(texts.contains(&"live".to_owned()), "{texts:?}");
    assert!(texts.contains(&"just for you".to_owned()), "{texts:?}");
    assert!(!texts.contains(&"lost 1".to_owned()), "{texts:?}");
    let (carl, welcome, _) = resume(address, "bob", &bob_welcome, live);
    assert_eq!(welcome.flags & 3, 3, "up to there nothing is lost");
    drop((bob, carl));
    let (mut bob, ..) = resume(address, "bob", &bob_welcome, live);
    bob.send(say(5, "lobby", "lost 1"));
    let again = next_message(&mut bob).sequence;
    assert!(again.0 > lost.0 + (1 << 32), "{again:?}");
    place.command("second", &["check"]);

    // The old one comes back, and meets the new one.
    let mut first = place.start("first");
    link.mend(first.tls_address());
    let status = first.wait();
    assert_eq!(status.code(), Some(1));
    let said = first.log().join("\n");
    assert!(said.contains("replaced") && said.contains("2 in rooms"), "{said}");
    let data = place.path("first");
    let refused =
        run_server_command(&["--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && text.contains("2 in rooms"), "{text}");
    second.wait_for_log(|lines| lines.iter().any(|it| it.contains("knows that it was replaced")));

    // It follows the new one.
    let tls = second.wait_for_log(|lines| {
        lines.iter().filter(|it| it.starts_with("listening with TLS on ")).count() >= 2
    });
    let tls = tls.iter().rfind(|it| it.starts_with("listening with TLS on ")).unwrap();
    let tls = tls.strip_prefix("listening with TLS on ").unwrap().parse().unwrap();
    let first = place.follow("first", tls);
    let (_reader, joined) = first.join_rooms("rita", &[]);
    assert!(joined.texts().contains(&"lost 1"), "{joined:?}");
    assert!(place.path("first").join("chat.db.aside-1").exists());
}

/// A follower that is killed goes on from where it was, without a second copy; so does one whose link
/// is cut.
#[test]
fn follower_goes_on_from_its_position() {
    let place = Place::new();
    let (first, mut anna, _) = start_first(&place);
    anna.send(say(1, "lobby", "one"));
    let one = next_message(&mut anna).sequence;
    let link = CutLink::new(first.tls_address());
    let mut second = place.follow("second", link.address);
    place.wait_until_complete("second", one);
    second.kill();
    anna.send(say(2, "lobby", "two"));
    next_message(&mut anna);
    let second = place.follow("second", link.address);
    let (mut reader, joined) = second.join_rooms("rita", &[]);
    let mut texts: Vec<String> = joined.texts().iter().map(|it| (*it).to_owned()).collect();
    while texts.last().is_none_or(|it| it != "two") {
        texts.push(next_message(&mut reader).text);
    }
    assert_eq!(texts, ["one", "two"]);
    let said = second.log().join("\n");
    assert!(!said.contains("copying"), "{said}");
    assert!(said.contains(&format!("from {}", one.0)), "{said}");
    link.cut();
    anna.send(say(3, "lobby", "three"));
    next_message(&mut anna);
    link.mend(first.tls_address());
    assert_eq!(next_message(&mut reader).text, "three");
    anna.send(say(4, "lobby", "four"));
    assert_eq!(next_message(&mut reader).text, "four");
}

/// Read marks of a person are on the promoted server, and so is the claim; the database of a follower
/// that does not run is promoted, too.
#[test]
fn stopped_follower_is_promoted_with_claims_and_read_marks() {
    let place = Place::new();
    let (mut first, mut anna, welcome) = start_first(&place);
    place.command("first", &["role", "list"]);
    anna.send(pi_chat::wire::tcp::Claim { reference: Reference(1), action: 1, code_hash: [0; 32] });
    anna.send(say(2, "lobby", "one"));
    let one = next_message(&mut anna).sequence;
    let link = CutLink::new(first.tls_address());
    let mut second = place.follow("second", link.address);
    anna.send(MarkRead { room: "lobby".to_owned(), sequence: one });
    anna.send(say(3, "lobby", "two"));
    let two = next_message(&mut anna).sequence;
    place.wait_until_complete("second", two);
    // A server that stops stores the marks.
    first.terminate();
    place.wait_for_follower("second", |it| it["connected"] == false);
    let mut first = place.start("first");
    link.mend(first.tls_address());
    place.wait_for_follower("second", |it| it["connected"] == true && it["lag"] == 0);
    let data = place.path("second");
    let data = data.to_str().unwrap();
    let refused = run_server_command(&["--data", data, "--listen", "127.0.0.1:0"]);
    assert!(!refused.status.success());
    second.terminate();
    let refused = run_server_command(&["--data", data, "--listen", "127.0.0.1:0"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("copy of another server"), "{text}");
    first.kill();
    place.command("second", &["promote"]);
    let again = run_server_command(&["promote", "--data", data]);
    assert_eq!(again.status.code(), Some(1), "it is the server already");
    let second = place.start("second");
    let mut anna = send_join_with_key(&second, "anna", OWNER, feature::READ_MARKS);
    let ServerFrame::Welcome(promoted) = anna.next() else { panic!("not in") };
    assert_eq!(promoted.log_id, welcome.log_id);
    let mark = loop {
        match anna.next() {
            ServerFrame::ReadMark(mark) if mark.room == "lobby" => break mark.sequence,
            ServerFrame::End(_) => panic!("no mark"),
            _ => {}
        }
    };
    assert_eq!(mark, one);
    let mut thief = second.connect();
    thief.send_hello(0);
    thief.send(join("anna", &[]));
    thief.expect_error(207);
}

/// Who is no owner is not followed, nobody is over plain TCP, and another server than the one whose
/// fingerprint is given is sent nothing.
#[test]
fn only_owners_follow_and_only_over_tls() {
    let place = Place::new();
    let (first, _anna, _) = start_first(&place);
    let mut plain = first.connect();
    let hello = plain.send_hello(feature::IDENTITY | feature::REPLICATION);
    assert_eq!(hello.features, feature::IDENTITY);
    let context = ProofContext {
        challenge: hello.challenge,
        server_key: IdentityKey(hello.server_key),
        binding: ChannelBinding::None,
    };
    let proof = Box::new(KeyPair::from_seed(&[OWNER; 32]).prove(&context));
    assert_eq!(proof.binding, binding::NONE);
    let nowhere = ["follow", "127.0.0.1:9", "--listen", "127.0.0.1:0"];
    let text = String::from_utf8(run_server_command(&nowhere).stderr).unwrap();
    assert!(text.contains("keeps its copy on a disk"), "{text}");
    let plainly = ["follow", "chat://127.0.0.1:9", "--data", "."];
    let output = run_server_command(&plainly);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let (log_id, position) = (LogId([0; 16]), Sequence(0));
    plain.send(Replicate { proof, log_id, position, epoch: 0 });
    plain.expect_error(313);
    for (server, key, complaint) in [
        (format!("chats://{}", first.tls_address()), "guest.key", "(313)"),
        (
            format!("chats://{}/#fingerprint={}", first.tls_address(), "0".repeat(64)),
            "owner.key",
            "another server answers",
        ),
    ] {
        let (data, key) = (place.path("second"), place.path(key));
        let arguments = [
            "follow",
            &server,
            "--data",
            data.to_str().unwrap(),
            "--follow-key",
            key.to_str().unwrap(),
        ];
        // It listens nowhere before it has a copy.
        let follower = Server::start(&[&arguments[..], &["--plain", "true"]].concat());
        follower.wait_for_log(|lines| lines.iter().any(|it| it.contains(complaint)));
    }
}

/// Many messages come in order and without a gap, also if the link is cut in the middle of them.
#[test]
fn many_messages_come_through_cuts() {
    let place = Place::new();
    let (first, mut anna, _) = start_first(&place);
    let link = CutLink::new(first.tls_address());
    let text = "x".repeat(3_000);
    for number in 1..=60 {
        anna.send(say(number, "lobby", &format!("{number} {text}")));
        next_message(&mut anna);
    }
    let second = place.follow("second", link.address);
    let mut last = Sequence(0);
    for number in 61..=120 {
        anna.send(say(number, "lobby", &format!("{number} {text}")));
        last = next_message(&mut anna).sequence;
        if number % 20 == 0 {
            link.cut();
            link.mend(first.tls_address());
        }
    }
    place.wait_until_complete("second", last);
    drop(second);
    let export = |name: &str| place.command(name, &["export"]);
    assert_eq!(export("first"), export("second"));
}

/// A server that has begun another log is copied anew; the old copy is set aside. A follower is not
/// followed.
#[test]
fn another_log_is_copied_anew() {
    let place = Place::new();
    let mut other = place.start("other");
    other.join("bob").say_in_lobby("from elsewhere");
    other.terminate();
    let (mut first, mut anna, _) = start_first(&place);
    anna.send(say(1, "lobby", "one"));
    let one = next_message(&mut anna).sequence;
    let link = CutLink::new(first.tls_address());
    let second = place.follow("second", link.address);
    place.wait_until_complete("second", one);
    let third = place.follower_arguments("third", second.tls_address(), "owner.key");
    let mut third: Vec<&str> = third.iter().map(String::as_str).collect();
    third.truncate(third.len() - WITH_TLS.len());
    // It listens nowhere before it has a copy.
    let third = Server::start(&[&third[..], &["--plain", "true"]].concat());
    third.wait_for_log(|lines| lines.iter().any(|it| it.contains("(313)")));
    link.cut();
    first.terminate();
    let file = place.path("export.jsonl");
    fs::write(&file, place.command("other", &["export"])).unwrap();
    place.command("first", &["import", file.to_str().unwrap()]);
    let first = place.start("first");
    link.mend(first.tls_address());
    let address = address_after_promotion(&second);
    let mut reader = TestClient::connect(address);
    reader.send_hello(0);
    reader.send(join("rita", &[]));
    let shown = reader.join_answer();
    assert_eq!(shown.texts(), ["from elsewhere", "one"]);
    assert!(place.path("second").join("chat.db.aside-1").exists());
}

/// A promoted server that has got the address of its former one knows itself there, and does not
/// take itself for another promoted server. It has the settings that were reloaded before.
#[test]
fn promoted_server_at_the_address_of_its_former_one_knows_itself() {
    let place = Place::new();
    let (first, mut anna, _) = start_first(&place);
    anna.send(say(1, "lobby", "one"));
    let one = next_message(&mut anna).sequence;
    let link = CutLink::new(first.tls_address());
    let config = place.path("second.toml");
    fs::write(&config, "name = \"a follower\"").unwrap();
    let mut arguments = place.follower_arguments("second", link.address, "owner.key");
    arguments.extend(["--config".to_owned(), config.to_str().unwrap().to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let second = Server::start(&arguments);
    place.wait_until_complete("second", one);
    fs::write(&config, "name = \"no follower any more\"").unwrap();
    second.signal(rustix::process::Signal::HUP);
    second.wait_for_log(|lines| lines.iter().any(|it| it.contains("configuration reloaded")));
    link.cut();
    place.command("second", &["promote"]);
    let mut guest = TestClient::connect(address_after_promotion(&second));
    guest.send_hello(0);
    guest.send(join("guest", &[]));
    assert_eq!(guest.join_answer().welcome.server_name, "no follower any more");
    let prefix = "listening with TLS on ";
    let lines =
        second.wait_for_log(|lines| lines.iter().filter(|it| it.starts_with(prefix)).count() >= 2);
    let own = lines.iter().rev().find_map(|it| it.strip_prefix(prefix)).unwrap();
    link.mend(own.parse().unwrap());
    let said = second.wait_for_log(|lines| {
        lines
            .iter()
            .any(|it| it.contains("is this server by now") || it.contains("promoted server"))
    });
    assert!(said.iter().any(|it| it.contains("is this server by now")), "{said:?}");
}

/// A follower cannot be followed. One that is sent to another server of the same owner asks nothing
/// of that one, and keeps its copy.
#[test]
fn followers_follow_the_server_of_their_copy_only() {
    let place = Place::new();
    let first = place.start("first");
    let (mut anna, _) = join_with_key(&first, "anna", OWNER);
    // The role is a person's, so a follower knows its key.
    anna.send(pi_chat::wire::tcp::Claim { reference: Reference(1), action: 1, code_hash: [0; 32] });
    anna.send(say(2, "lobby", "one"));
    let one = next_message(&mut anna).sequence;
    place.command("first", &["role", "add", "anna", "owner"]);
    let mut second = place.follow("second", first.tls_address());
    place.wait_until_complete("second", one);
    let third = place.follower_arguments("third", second.tls_address(), "owner.key");
    let third: Vec<&str> = third.iter().map(String::as_str).collect();
    // It listens nowhere, as it gets no copy.
    let third = Server::start(&[&third[..8], &["--plain", "true"]].concat());
    third.wait_for_log(|lines| lines.iter().any(|it| it.contains("(318)")));
    second.terminate();

    let other = place.start("other");
    let (_anna, _) = join_with_key(&other, "anna", OWNER);
    place.command("other", &["role", "add", "anna", "owner"]);
    let status = place.command("other", &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let fingerprint = status["tls"]["sha256"].as_str().unwrap();
    let address = format!("chats://{}/#fingerprint={fingerprint}", other.tls_address());
    let (data, key) = (place.path("second"), place.path("owner.key"));
    let second = Server::start(&[
        "follow",
        &address,
        "--data",
        data.to_str().unwrap(),
        "--follow-key",
        key.to_str().unwrap(),
    ]);
    let complaint = "another server answers there than the one";
    second.wait_for_log(|lines| {
        lines.iter().any(|it| it.contains(complaint) || it.contains("made anew"))
    });
    let (_reader, joined) = second.join_rooms("rita", &[]);
    assert_eq!(joined.texts(), ["one"]);
    assert!(second.log().iter().any(|it| it.contains(complaint)));
}
