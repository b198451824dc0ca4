//! A server that is away for a while.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::tempdir;

use super::User;
use super::common::Server;
use super::terminal::{Picture, Terminal};
use super::{leave, stop};

/// Time in which the screen says that something has happened to the server.
const TELLING: Duration = Duration::from_secs(2);

/// Waits for a picture, at most for [`TELLING`].
#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn expect_soon(terminal: &Terminal, what: &str, wanted: impl Fn(&Picture) -> bool) {
    let begin = Instant::now();
    terminal.wait_for(what, wanted);
    assert!(begin.elapsed() < TELLING, "{what} only after {:?}", begin.elapsed());
}

/// While a server is away that was killed, what users type is kept. The screen says what is going
/// on. Once the server is there again, on the same port and with the same data, everything arrives,
/// once and in its order.
#[test]
fn a_killed_server_loses_nothing() {
    let data = tempdir().unwrap();
    let data = ["--data", data.path().to_str().unwrap(), "--announce", "false"];
    let mut server = Server::start(&data);
    let address = server.address().to_string();
    let users = [User::new("anna"), User::new("bob")];
    let [anna, bob] = [users[0].join(&server), users[1].join(&server)];
    anna.enter("before");
    bob.expect(" anna: before");
    bob.enter("heard");
    anna.expect(" bob: heard");
    anna.type_text("half a");
    anna.expect_typed("#lobby> half a");
    server.kill();
    expect_soon(&anna, "how the connection is", |it| it.has("reconnecting in"));
    anna.enter(" line");
    expect_soon(&anna, "that the message waits", |it| {
        it.has("1 message waiting") && it.has(" anna: half a line")
    });
    anna.enter("another one");
    expect_soon(&anna, "that both wait", |it| it.has("2 messages waiting"));
    bob.enter("and I");
    expect_soon(&bob, "that the message waits", |it| it.has("1 message waiting"));
    anna.type_text("the next");
    let server = Server::start(&[&data[..], &["--listen", &address]].concat());
    // An empty line or a message does not wait for the next attempt, but here nobody presses Enter.
    for terminal in [&anna, &bob] {
        terminal.wait_for("all messages", |it| {
            it.has(" connected")
                && !it.has("waiting")
                && ["before", "heard", "half a line", "another one", "and I"]
                    .iter()
                    .all(|text| it.count(&format!(": {text}")) == 1)
        });
    }
    anna.expect_typed("#lobby> the next");
    anna.enter(" words");
    bob.expect(" anna: the next words");
    let (_, answer) = server.join_rooms("carl", &[]);
    let mut texts = answer.texts();
    let order = |text: &str| texts.iter().position(|it| *it == text);
    assert!(order("half a line") < order("another one"), "{texts:?}");
    texts.sort_unstable();
    assert_eq!(texts, ["and I", "another one", "before", "half a line", "heard", "the next words"]);
    for terminal in [anna, bob] {
        leave(&terminal);
    }
}

/// A server that says nothing more is noticed: at once that a message waits, and after some seconds
/// that the server does not answer. When it goes on, everything arrives once.
#[test]
fn a_silent_server_is_noticed() {
    let server = Server::start(&[]);
    let anna = User::new("anna").join(&server);
    stop(&server);
    anna.enter("hello?");
    expect_soon(&anna, "that the message waits", |it| it.has("1 message waiting"));
    anna.expect("not answering for");
    anna.enter("anybody");
    anna.type_text("there");
    anna.wait_for("that both wait", |it| {
        it.has("2 messages waiting") && it.has_typed("#lobby> there")
    });
    server.signal(Signal::CONT);
    anna.wait_for("both messages", |it| {
        it.has(" connected")
            && !it.has("waiting")
            && it.count(" anna: hello?") == 1
            && it.count(" anna: anybody") == 1
    });
    anna.expect_typed("#lobby> there");
    anna.enter("");
    anna.expect(" anna: there");
    leave(&anna);
    let (_, answer) = server.join_rooms("carl", &[]);
    assert_eq!(answer.texts(), ["hello?", "anybody", "there"]);
}
