//! Several devices under one name, with the real `chat-client` and the real server
//! (`docs/protocol/identity.md`, “Several devices”).

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "common/client_home.rs"]
mod client_home;
mod common;
#[path = "common/program.rs"]
mod program;

use std::fs;
use std::path::Path;

use client_home::{ClientHome, addresses};
use common::{Server, WITH_TLS, run_server_command};
use program::{Program, python_example};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Exit code of a client whose join was refused, or who was sent out.
const REFUSED: i32 = 77;

/// Starts a server that keeps its messages in this directory, speaks TLS as well, and lets everybody
/// claim a name.
fn start(data: &Path) -> Server {
    let data = data.to_str().unwrap();
    let flags = ["--data", data, "--announce", "false", "--claims", "open"];
    Server::start(&[WITH_TLS, &flags].concat())
}

/// Starts the client for JSON lines as `name`, and waits until it has joined.
fn join(home: &ClientHome, server: &str, name: &str) -> Program {
    let program = Program::start(home.client(&[server, "--name", name, "--json"]));
    program.expect_json(&json!({"type": "history_end"}));
    program
}

/// Starts the client for JSON lines with a link, without a name, and waits until it has joined.
fn follow(home: &ClientHome, link: &str) -> Program {
    let program = Program::start(home.client(&[link, "--json"]));
    program.expect_json(&json!({"type": "history_end"}));
    program
}

/// Carries out a request with this id, and returns the answer.
fn request(client: &mut Program, object: &Value) -> Value {
    client.send_json(object);
    client.expect_json(&json!({"id": object["id"]}))
}

/// Claims the name of a client.
fn claim(client: &mut Program) {
    let answer = request(client, &json!({"type": "claim", "id": "claim"}));
    assert_eq!(answer["type"], "done", "{answer}");
}

/// Makes a link code, and returns the event.
fn link(client: &mut Program, id: u32) -> Value {
    let made = request(client, &json!({"type": "link", "id": id}));
    assert_eq!((&made["type"], &made["seconds"]), (&json!("link_code"), &json!(300)), "{made}");
    made
}

/// Says something, and waits until it has arrived.
fn say(client: &mut Program, text: &str) {
    client.send_json(&json!({"type": "say", "text": text, "id": text}));
    client.expect_json(&json!({"type": "acknowledged", "id": text}));
}

/// Sends a direct message, and waits until it has arrived.
fn send(client: &mut Program, to: &str, text: &str) {
    client.send_json(&json!({"type": "direct", "to": to, "text": text, "id": text}));
    client.expect_json(&json!({"type": "acknowledged", "id": text}));
}

/// Ends a client. Returns the objects that it has written.
fn finish(mut client: Program) -> Vec<Value> {
    let (_, lines) = client.finish();
    lines.iter().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Returns those of the objects that have these fields.
fn having(objects: &[Value], fields: &Value) -> Vec<Value> {
    let fields = fields.as_object().unwrap();
    let has = |it: &&Value| fields.iter().all(|(key, value)| it[key] == *value);
    objects.iter().filter(has).cloned().collect()
}

/// A link code brings a second device in under the claimed name, which it does not know, once. Both
/// get what is said, once; others see one user; what one device sends is the other's own.
#[test]
fn two_devices_are_one_user() {
    for (at, scheme) in ["chat://", "chats://"].into_iter().enumerate() {
        let data = TempDir::new().unwrap();
        let server = start(data.path());
        let address = &addresses(&server)[at];
        let (laptop, phone, bobs) = (ClientHome::new(), ClientHome::new(), ClientHome::new());
        let name = if scheme == "chat://" { "anna" } else { "Amy" };
        let mut first = join(&laptop, address, name);
        let answer = request(&mut first, &json!({"type": "link", "id": 1}));
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(317)), "{answer}");
        claim(&mut first);
        let mut bob = join(&bobs, address, "bob");
        bob.expect_json(&json!({"type": "presence"}));
        let made = link(&mut first, 2);
        let written = made["link"].as_str().unwrap();
        assert!(written.starts_with(scheme) && made["name"] == name, "{made}");
        assert_eq!(written.contains("#fingerprint="), scheme == "chats://", "{made}");

        let mut second = follow(&phone, written);
        let came = second.expect_json(&json!({"type": "welcome"}));
        assert_eq!((&came["name"], &came["session_kept"]), (&json!(name), &json!(false)));
        let late = ClientHome::new().visit(&[written]);
        assert_eq!(late.0, Some(REFUSED), "used twice: {}", late.1);

        say(&mut bob, "hello all");
        say(&mut first, "from the laptop");
        send(&mut bob, name, "psst");
        send(&mut second, "bob", "from the phone");
        for device in [&first, &second] {
            device.expect_json(&json!({"type": "message", "text": "hello all", "own": false}));
            device.expect_json(&json!({"type": "message", "text": "from the laptop", "own": true}));
            device.expect_json(&json!({"type": "direct", "text": "psst", "own": false}));
            let sent =
                json!({"type": "direct", "text": "from the phone", "to": "bob", "own": true});
            device.expect_json(&sent);
        }
        let got = bob.expect_json(&json!({"type": "direct", "text": "from the phone"}));
        let said = bob.expect_json(&json!({"type": "message", "text": "from the laptop"}));
        assert_eq!((&got["from"], &got["own"]), (&json!(name), &json!(false)));
        assert!(
            got["from_person"].is_u64() && got["from_person"] == said["person"],
            "{got} {said}"
        );
        assert_ne!(got["from_session"], said["session"]);

        bob.send_json(&json!({"type": "members", "id": "who"}));
        let who = bob.expect_json(&json!({"type": "roster", "id": "who"}));
        assert_eq!((&who["members"], &who["names"]), (&json!(2), &json!([name, "bob"])), "{who}");
        let objects = finish(second);
        assert_eq!(having(&objects, &json!({"type": "message", "text": "hello all"})).len(), 1);
        assert_eq!(having(&objects, &json!({"type": "direct", "text": "psst"})).len(), 1);
        say(&mut first, "still here");
        let eves = join(&ClientHome::new(), address, "eve");
        let came = bob.expect_json(&json!({"type": "presence", "joined": ["eve"]}));
        assert_eq!((&came["left"], &came["members"]), (&json!([]), &json!(3)));
        let heard = finish(bob);
        assert_eq!(having(&heard, &json!({"type": "presence"})).len(), 2, "{heard:?}");
        finish(eves);
        finish(first);
    }
}

/// The second device needs no code afterwards, and gets what came meanwhile. Without the name it
/// would ask for its user's login name: a name that the user has chosen is not replaced.
#[test]
fn linked_device_comes_back_without_a_code() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let [_, address] = addresses(&server);
    let (laptop, phone) = (ClientHome::new(), ClientHome::new());
    let mut first = join(&laptop, &address, "anna");
    claim(&mut first);
    let code = link(&mut first, 1)["code"].as_str().unwrap().to_owned();
    let (status, told) = phone.visit(&[&address, "--name", "bob", "--invite", &code]);
    assert_eq!(status, Some(REFUSED), "{told}");
    assert!(told.contains("To use it, start with --name anna."), "{told}");
    let (status, told) = phone.visit(&[&address, "--invite", &code]);
    assert!(status == Some(0) && told.contains("you are anna in #lobby"), "{told}");
    assert_eq!(fs::read_to_string(phone.state().join("client.name")).unwrap(), "anna\n");
    say(&mut first, "meanwhile");
    let mut second = join(&phone, &address, "anna");
    let welcome = second.expect_json(&json!({"type": "welcome"}));
    assert_eq!(welcome["session_kept"], true, "{welcome}");
    second.expect_json(&json!({"type": "message", "text": "meanwhile", "own": true}));
    let (status, told) = ClientHome::new().visit(&[&address, "--name", "anna"]);
    assert_eq!(status, Some(REFUSED), "{told}");
    let data = data.path().to_str().unwrap();
    let claims = run_server_command(&["claims", "--data", data]);
    let claims = String::from_utf8(claims.stdout).unwrap();
    assert!(claims.starts_with("anna  claimed") && claims.contains(", 2 devices, key"), "{claims}");
    // A linked device may link further ones.
    let third = follow(&ClientHome::new(), link(&mut second, 1)["link"].as_str().unwrap());
    assert_eq!(third.expect_json(&json!({"type": "welcome"}))["name"], "anna");
}

/// `/unlink` asks first. Then the other device is out, with the reason, and does not come back.
#[test]
fn unlinked_device_is_out() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let [address, _] = addresses(&server);
    let (laptop, phone) = (ClientHome::new(), ClientHome::new());
    let mut first = Program::start(laptop.client(&[&address, "--name", "anna"]));
    first.expect_text("you are anna");
    first.type_line("/claim");
    first.expect_text("anna is your name now");
    first.type_line("/link");
    let lines = first.wait_for_lines(|lines| lines.iter().any(|it| it.contains("chat-client '")));
    let line = lines.iter().find(|it| it.contains("chat-client '")).unwrap();
    let typed = line.split('\'').nth(1).unwrap();
    let mut second = Program::start(phone.client(&[typed]));
    second.expect_text("you are anna");
    first.type_line("/unlink");
    first.expect_text("-- /unlink --yes takes your name");
    first.type_line("still two");
    second.expect_text("anna: still two");
    first.type_line("/unlink --yes");
    first.expect_text("anna is the name of this device alone now");
    second.expect_text("This device may use the name no longer");
    let (status, lines) = second.finish();
    assert_eq!(status, Some(REFUSED), "{lines:?}");
    assert!(!lines.iter().any(|it| it.contains("trying again")), "{lines:?}");
    let (status, told) = phone.visit(&[&address, "--name", "anna"]);
    assert_eq!(status, Some(REFUSED), "{told}");
    let (status, told) = phone.visit(&[&address, "--name", "bob"]);
    assert_eq!(status, Some(0), "{told}");
}

/// Who exchanged direct messages with a person is told when somebody else has the name: before the
/// first message, and by the refusal of the first reply.
#[test]
fn new_holder_of_a_name_is_noticed() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let [address, _] = addresses(&server);
    let (annas, strangers, bobs) = (ClientHome::new(), ClientHome::new(), ClientHome::new());
    let mut bob = join(&bobs, &address, "bob");
    let mut anna = join(&annas, &address, "anna");
    claim(&mut anna);
    send(&mut anna, "bob", "it is me");
    send(&mut bob, "anna", "I know");
    request(&mut anna, &json!({"type": "unclaim", "id": 1}));
    finish(anna);

    let mut stranger = join(&strangers, &address, "anna");
    claim(&mut stranger);
    for text in ["me again", "really"] {
        send(&mut stranger, "bob", text);
        bob.expect_json(&json!({"type": "direct", "text": text}));
    }
    let reply = json!({"type": "direct", "to": "anna", "text": "my secret", "id": 1});
    let refused = request(&mut bob, &reply);
    assert_eq!((&refused["code"], &refused["message"]), (&json!(307), &json!("my secret")));
    send(&mut bob, "anna", "who are you?");
    stranger.expect_json(&json!({"type": "direct", "text": "who are you?"}));
    let objects = finish(bob);
    let news = having(&objects, &json!({"type": "holder_changed", "name": "anna"}));
    assert_eq!(news.len(), 1, "{objects:?}");
    let place = |fields: &Value| objects.iter().position(|it| *it == having(&objects, fields)[0]);
    assert_eq!(
        place(&json!({"type": "holder_changed"})).map(|it| it + 1),
        place(&json!({"text": "me again"}))
    );
}

/// The example in Python makes a link code, with which `chat-client` comes in.
#[test]
fn python_example_links_a_device() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let (host, port) = (server.address().ip().to_string(), server.address().port().to_string());
    let mut command = python_example("claim_name.py");
    command.args(["--link", &host, &port, "python"]).arg(data.path().join("key"));
    let (status, lines) = Program::start(command).finish();
    assert_eq!(status, Some(0), "{lines:?}");
    let code = lines.last().and_then(|it| it.strip_prefix("-- code for another device: ")).unwrap();
    let (status, told) = ClientHome::new().visit(&[&addresses(&server)[1], "--invite", code]);
    assert!(status == Some(0) && told.contains("you are python in"), "{told}");
}

/// What was read on one device is told to the other: at once, and when it comes again after a
/// restart of the server.
#[test]
fn what_one_device_has_read_is_read_on_all() {
    let data = TempDir::new().unwrap();
    let mut server = start(data.path());
    let (laptops, phones) = (ClientHome::new(), ClientHome::new());
    let mut laptop = join(&laptops, &addresses(&server)[0], "anna");
    claim(&mut laptop);
    let made = link(&mut laptop, 1);
    let phone = follow(&phones, made["link"].as_str().unwrap());
    say(&mut laptop, "hello");
    send(&mut laptop, "anna", "note to self");
    let said = phone.expect_json(&json!({"type": "message", "text": "hello"}));
    let noted = phone.expect_json(&json!({"type": "direct", "text": "note to self"}));

    laptop.send_json(&json!({"type": "mark_read", "room": "lobby"}));
    laptop.send_json(&json!({"type": "mark_read", "seq": noted["seq"]}));
    let lobby = json!({"type": "read_mark", "room": "lobby", "seq": said["seq"]});
    let directs = json!({"type": "read_mark", "room": null, "seq": noted["seq"]});
    for mark in [&lobby, &directs] {
        phone.expect_json(mark);
    }
    finish(phone);
    server.terminate();
    let server = start(data.path());
    let objects = finish(join(&phones, &addresses(&server)[0], "anna"));
    let marks = having(&objects, &json!({"type": "read_mark"}));
    assert_eq!(marks, [directs, lobby], "before the messages");
    let place = |kind: &str| objects.iter().position(|it| it["type"] == kind).unwrap();
    assert!(place("welcome") < place("read_mark") && place("read_mark") < place("message"));
}

/// Who has claimed the name is ignored as a person, on every device: whoever takes the name after
/// them is not. That is so in a later run of the program, too.
#[test]
fn person_is_ignored_and_not_the_name() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let address = &addresses(&server)[0];
    let (annas, laptops, phones) = (ClientHome::new(), ClientHome::new(), ClientHome::new());
    let mut anna = join(&annas, address, "anna");
    let mut bob = join(&laptops, address, "bob");
    claim(&mut bob);
    say(&mut bob, "one");
    let heard = anna.expect_json(&json!({"type": "message", "text": "one", "ignored": false}));
    let ignored = request(&mut anna, &json!({"type": "ignore", "name": "BOB", "id": 1}));
    let expected = json!([{"name": "BOB", "person": heard["person"]}]);
    assert_eq!((&ignored["names"], &ignored["persons"]), (&json!(["BOB"]), &expected));
    // Each connection makes one claim: of one that makes several, the server would see the end late.
    finish(bob);
    let mut bob = join(&laptops, address, "bob");
    let made = link(&mut bob, 2);
    let mut phone = follow(&phones, made["link"].as_str().unwrap());
    say(&mut phone, "two");
    anna.expect_json(&json!({"type": "message", "text": "two", "ignored": true}));
    finish(bob);
    let answer = request(&mut phone, &json!({"type": "unclaim", "id": 3}));
    assert_eq!(answer["type"], "done", "{answer}");
    finish(phone);
    finish(anna);
    let others = ClientHome::new();
    let mut other = join(&others, address, "bob");
    say(&mut other, "three");
    let anna = join(&annas, address, "anna");
    anna.expect_json(&json!({"type": "message", "text": "three", "ignored": false}));
}
