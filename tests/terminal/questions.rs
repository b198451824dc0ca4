//! Questions: password, name, invitation.

use std::fs;

use super::client_home::ClientHome;
use super::common::{Server, run_server_command};
use super::terminal::{Life, Terminal, key};
use super::{User, expect_lobby, leave};

/// The server's password is asked for until it is right, and is never shown.
#[test]
fn password_is_asked_for_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    fs::write(&file, "sesame\n").unwrap();
    let server = Server::start(&["--password-file", file.to_str().unwrap()]);
    let anna = User::new("anna").start(&server);
    anna.expect("The server has a password. What is it?");
    anna.enter("simsim");
    anna.expect("That was not the password.");
    anna.type_text("sesame");
    anna.wait_for("dots", |it| it.input().starts_with("password> ") && it.cursor.1 == 16);
    anna.type_text(key::ENTER);
    expect_lobby(&anna);
    // It is no message, and not in the history.
    anna.type_text(key::UP);
    anna.enter("hello");
    anna.expect(" anna: hello");
    assert!(!anna.written().contains("sesame") && !anna.written().contains("simsim"));
    leave(&anna);
    let (_, answer) = {
        let mut carl = server.connect();
        carl.send_hello(0);
        let password = Some("sesame".to_owned());
        carl.send(pi_chat::wire::tcp::Join { password, ..super::common::join("carl", &[]) });
        let answer = carl.join_answer();
        (carl, answer)
    };
    assert_eq!(answer.texts(), ["hello"]);
}

/// Where only invited people come in, the code is asked for until it is a valid one.
#[test]
fn invitation_is_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let server = Server::start(&["--data", path, "--announce", "false", "--access", "invited"]);
    let output = run_server_command(&["invite", "--code", "--json", "--data", path]);
    let issued: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = issued["invited"]["code"].as_str().unwrap();
    let user = User::new("anna");
    let ask = || {
        let terminal = user.start(&server);
        terminal.expect("What is the code of your invitation?");
        terminal.expect_typed("invitation> ");
        terminal
    };
    for way_out in ["/quit\r", key::CTRL_D] {
        let anna = ask();
        anna.type_text(way_out);
        anna.end();
        anna.expect_restored();
    }
    let anna = ask();
    anna.enter("my code");
    anna.expect("an invitation has 16 letters and digits");
    anna.enter("0000-0000-0000-0000");
    anna.wait_for("the question again", |it| {
        it.has("This invitation is not valid: mistyped")
            && it.has("What is the code")
            && it.has_typed("invitation> ")
    });
    anna.enter(&format!("chats://pi.local/#invite={code}"));
    expect_lobby(&anna);
    leave(&anna);
}

/// Returns the name that is suggested in the line that is typed.
fn suggestion(terminal: &Terminal) -> String {
    let picture = terminal.wait_for("the question", |it| {
        it.input().starts_with("name [") && it.has("Somebody here has this name")
    });
    picture.input().trim_start_matches("name [").trim_end_matches("]>").to_owned()
}

/// Waits until the user is in the lobby under this name.
fn expect_name(terminal: &Terminal, name: &str) {
    let (one, other) = (format!("you are {name} "), format!("you are in #lobby as {name}"));
    terminal.wait_for(&one, |it| it.has(&one) || it.has(&other));
    terminal.expect_typed("#lobby> ");
}

/// Users of one login name meet in `start`'s chat: whoever comes second is asked for another name,
/// and has it the next time.
fn meet(start: impl Fn(&[&str]) -> Terminal) {
    let first = start(&[]);
    // Who comes for the first time is asked for a name.
    first.expect("What do you want to be called?");
    first.type_text(key::ENTER);
    let picture =
        first.wait_for("the login name", |it| it.has("you are ") && it.has_typed("#lobby> "));
    let row = picture.rows.iter().find(|it| it.contains("you are ")).unwrap();
    let login = row.split("you are ").nth(1).unwrap().trim_start_matches("in #lobby as ");
    let login = login.split([' ', ';']).next().unwrap();
    let other = format!("{login}2");
    // Enter is enough.
    let second = start(&[]);
    assert_eq!(suggestion(&second), other);
    second.type_text(key::ENTER);
    expect_name(&second, &other);
    second.enter("hello");
    for terminal in [&first, &second] {
        terminal.expect(&format!(" {other}: hello"));
    }
    leave(&second);
    // The next time the name is known.
    let second = start(&[]);
    expect_name(&second, &other);
    // A name that is given counts more. What cannot be a name is asked for again.
    let third = start(&["--name", &login.to_uppercase()]);
    suggestion(&third);
    third.enter("two words");
    third.expect("two words: This cannot be a name: only visible letters and digits");
    third.expect_typed("name [two-words]> ");
    third.enter("kitty");
    expect_name(&third, "kitty");
    // Leaving instead of an answer.
    let fourth = start(&["--name", "kitty"]);
    assert_eq!(suggestion(&fourth), "kitty2");
    fourth.type_text(key::CTRL_D);
    assert!(matches!(fourth.end(), Life::Exited(_)));
    fourth.expect_restored();
    for terminal in [first, second, third] {
        leave(&terminal);
    }
}

/// On a server.
#[test]
fn taken_name_is_asked_for_again_on_a_server() {
    let (server, home) = (Server::start(&[]), ClientHome::new());
    let address = server.address().to_string();
    meet(|more| Terminal::start(&home.client(&[&[address.as_str()], more].concat())));
}

/// Among peers.
#[test]
fn taken_name_is_asked_for_again_among_peers() {
    let room = super::peers::Room::new();
    let home = tempfile::tempdir().unwrap();
    meet(|more| Terminal::start(&room.peer(home.path(), more)));
}

/// A name that cannot be one is asked for again, by the client and by the peer.
#[test]
fn impossible_name_is_asked_for_again() {
    let server = Server::start(&[]);
    let user = User::new("anna smith");
    let anna = user.start(&server);
    anna.expect("anna smith: This cannot be a name: only visible letters and digits");
    anna.expect_typed("name [anna-smith]> ");
    anna.type_text(key::ENTER);
    expect_name(&anna, "anna-smith");
    leave(&anna);
    let (room, home) = (super::peers::Room::new(), tempfile::tempdir().unwrap());
    let bob = Terminal::start(&room.peer(home.path(), &["--name", "bob smith"]));
    bob.expect("bob smith: This cannot be a name: ");
    bob.expect("name [bob-smith]>");
    bob.type_text("\n");
    expect_name(&bob, "bob-smith");
    leave(&bob);
}

/// A user whose name somebody else has taken meanwhile keeps the session under another name.
#[test]
fn session_goes_on_under_another_name() {
    let server = Server::start(&[]);
    let sessions = |home: &ClientHome| -> Vec<(String, serde_json::Value)> {
        let servers = fs::read_dir(home.state()).unwrap().map(|it| it.unwrap().path());
        let files = servers.filter(|it| it.is_dir()).flat_map(|it| fs::read_dir(it).unwrap());
        let files = files.map(|it| it.unwrap().path());
        let named = files.filter_map(|it| {
            let name = it.file_name()?.to_str()?.to_owned();
            let is_session = name.starts_with("as-") && name.ends_with(".json");
            let text = is_session.then(|| fs::read(&it).unwrap())?;
            Some((name, serde_json::from_slice::<serde_json::Value>(&text).unwrap()))
        });
        named.map(|(name, object)| (name, object["token"].clone())).collect()
    };
    let users = [User::new("carla"), User::new("carla")];
    leave(&users[0].join(&server));
    let before = sessions(&users[0].home);
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0].0, "as-carla.json");
    let second = users[1].join(&server);
    let first = users[0].start(&server);
    assert_eq!(suggestion(&first), "carla2");
    first.type_text(key::ENTER);
    expect_name(&first, "carla2");
    leave(&first);
    leave(&second);
    let moved = [("as-carla2.json".to_owned(), before[0].1.clone())];
    assert_eq!(sessions(&users[0].home), moved);
}
