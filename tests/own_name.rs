//! Claimed names and invitations (`docs/protocol/identity.md`): the real server with its owner's
//! commands, and clients that speak raw frames.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Server, TestClient, join, run_server_command};
use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::{IdentityKey, Reference};
use pi_chat::wire::tcp::{Claim, Error, Join, ServerFrame, Welcome, claim_action, feature};
use serde_json::Value;
use tempfile::TempDir;

/// Error codes of a join.
const NAME_LOOKALIKE: u16 = 202;
const NAME_CLAIMED: u16 = 207;
const INVITE_REQUIRED: u16 = 209;
const INVITE_INVALID: u16 = 210;

/// Error code of a claim.
const CANNOT_CLAIM: u16 = 317;

/// Server with a log on disk, and its owner.
struct Place {
    /// Directory of the log and of the control socket.
    directory: TempDir,
    /// Flags beside those for the directory.
    flags: Vec<String>,
    /// The running server.
    server: Server,
}

/// Starts a server on the log in a directory.
fn start(data: &Path, control: &Path, flags: &[String]) -> Server {
    let (data, control) = (data.to_str().unwrap(), control.to_str().unwrap());
    let mut all = vec!["--announce", "false", "--data", data, "--control", control];
    all.extend(flags.iter().map(String::as_str));
    Server::start(&all)
}

impl Place {
    /// Starts a server with an empty log and these flags.
    fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let flags: Vec<String> = flags.iter().map(|it| (*it).to_owned()).collect();
        let control = directory.path().join("control");
        let server = start(&directory.path().join("data"), &control, &flags);
        Self { directory, flags, server }
    }

    /// Returns the path of the log's directory.
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Stops the server in order, and starts it on the log in `data`.
    fn restart(&mut self, data: &Path) {
        self.server.terminate();
        self.server = start(data, &self.directory.path().join("control"), &self.flags);
    }

    /// Runs a command of the owner.
    fn run(&self, arguments: &[&str]) -> Output {
        let control = self.directory.path().join("control");
        let mut all = arguments.to_vec();
        all.extend(["--control", control.to_str().unwrap()]);
        run_server_command(&all)
    }

    /// Runs a command of the owner, which must succeed. Returns what it prints.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command of the owner, which must fail. Returns the error text.
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes an invitation with these flags. Returns its code and its identifier.
    fn invite(&self, flags: &[&str]) -> (String, String) {
        let made = self.succeed(&[&["invite", "--code", "--json"], flags].concat());
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |key: &str| made["invited"][key].as_str().unwrap().to_owned();
        (text("code"), text("id"))
    }

    /// Sends a `join` on a new connection, with a key and an invitation if they are given.
    fn send_join(&self, name: &str, key: Option<u8>, invite: Option<&str>) -> TestClient {
        let mut client = self.server.connect();
        let hello = client.send_hello(feature::IDENTITY);
        let context = ProofContext {
            challenge: hello.challenge,
            server_key: IdentityKey(hello.server_key),
            binding: ChannelBinding::None,
        };
        let pair = key.map(|it| KeyPair::from_seed(&[it; 32]));
        let proof = pair.map(|it| Box::new(it.prove(&context)));
        client.send(Join { proof, invite: invite.map(str::to_owned), ..join(name, &[]) });
        client
    }

    /// Joins. Returns the client and its welcome.
    fn come(&self, name: &str, key: Option<u8>, invite: Option<&str>) -> (TestClient, Welcome) {
        let mut client = self.send_join(name, key, invite);
        let welcome = client.join_answer().welcome;
        (client, welcome)
    }

    /// Tries to join. Returns the error, which must have this code.
    fn refused(&self, name: &str, key: Option<u8>, invite: Option<&str>, code: u16) -> Error {
        self.send_join(name, key, invite).expect_error(code)
    }
}

/// Sends a `claim`, and returns the number in `done`, or the error.
fn claim(client: &mut TestClient, action: u8) -> Result<u32, Error> {
    client.send(Claim { reference: Reference(7), action, code_hash: [0; 32] });
    loop {
        match client.next() {
            ServerFrame::Done(done) if done.about == 20 => return Ok(done.affected),
            ServerFrame::Error(error) => return Err(error),
            _ => {}
        }
    }
}

/// Joins with a key, claims the name, and leaves.
fn claim_and_go(place: &Place, name: &str, key: u8) {
    let (mut client, _) = place.come(name, Some(key), None);
    assert_eq!(claim(&mut client, claim_action::CLAIM), Ok(1));
    client.hang_up();
}

/// A claimed name is kept for its key while its user is away. Strangers get neither it nor what
/// looks like it, until it is given up, or the owner releases it.
#[test]
fn claimed_name_is_kept_for_its_key() {
    let place = Place::start(&["--claims", "open"]);
    claim_and_go(&place, "anna", 1);
    place.refused("Anna", None, None, NAME_CLAIMED);
    place.refused("anna", Some(2), None, NAME_CLAIMED);
    place.refused("\u{430}nna", None, None, NAME_LOOKALIKE);
    let listed = place.succeed(&["claims"]);
    assert!(listed.starts_with("anna  claimed or renewed "), "{listed}");
    let (mut anna, _) = place.come("anna", Some(1), None);
    assert_eq!(claim(&mut anna, claim_action::GIVE_UP), Ok(1));
    anna.hang_up();
    let (mut anna, _) = place.come("anna", Some(2), None);
    assert_eq!(claim(&mut anna, claim_action::CLAIM), Ok(1));
    anna.hang_up();
    place.refused("anna", Some(1), None, NAME_CLAIMED);
    assert_eq!(place.succeed(&["claims", "release", "ANNA"]), "done\n");
    let told = place.fail(&["claims", "release", "anna"]);
    assert!(told.contains("the name anna is not claimed"), "{told}");
    place.come("anna", None, None);
}

/// Claims survive a restart of the server, and are in a backup that is restored. So is what was
/// done, for the audit.
#[test]
fn restart_and_restored_backup_keep_the_claim() {
    let mut place = Place::start(&["--claims", "open"]);
    claim_and_go(&place, "anna", 1);
    place.restart(&place.data());
    let restored = place.directory.path().join("restored");
    fs::create_dir(&restored).unwrap();
    let (data, file) = (place.data(), restored.join("chat.db"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let backup = run_server_command(&["backup", "--data", data, file]);
    assert!(backup.status.success(), "{backup:?}");
    for directory in [&place.data(), &restored] {
        place.restart(directory);
        place.refused("anna", None, None, NAME_CLAIMED);
        place.come("anna", Some(1), None).0.hang_up();
        let audit = run_server_command(&["audit", "--data", directory.to_str().unwrap()]);
        let told = String::from_utf8(audit.stdout).unwrap();
        assert!(told.contains("anna (session 1) claimed the name anna with key "), "{told}");
        let check = run_server_command(&["check", "--data", directory.to_str().unwrap()]);
        assert!(check.status.success(), "{check:?}");
    }
}

/// By default a claim needs an invitation, and with one for a name the name is kept until then.
#[test]
fn claim_needs_an_invitation() {
    let place = Place::start(&[]);
    let (mut bob, _) = place.come("bob", Some(2), None);
    let error = claim(&mut bob, claim_action::CLAIM).unwrap_err();
    assert_eq!(error.code, CANNOT_CLAIM);
    assert!(error.text.contains("You need an invitation"), "{}", error.text);
    let (code, id) = place.invite(&["--name", "anna"]);
    place.refused("anna", Some(2), None, NAME_CLAIMED);
    let error = place.refused("carl", Some(1), Some(&code), INVITE_INVALID);
    assert!(error.text.contains("the name anna"), "{}", error.text);
    let listed = place.succeed(&["invitations"]);
    assert!(listed.starts_with(&format!("{id}  for anna, 1 use, 1 left, until ")), "{listed}");
    // Case and hyphens do not matter.
    let typed = code.replace('-', "").to_lowercase();
    let (mut anna, _) = place.come("anna", Some(1), Some(&typed));
    assert_eq!(claim(&mut anna, claim_action::CLAIM), Ok(1));
    let listed = place.succeed(&["invitations"]);
    assert!(listed.contains("1 use, 0 left"), "{listed}");
    place.refused("anna", Some(2), Some(&code), INVITE_INVALID);
    assert_eq!(place.succeed(&["invitations", "revoke", &id]), "done\n");
    let told = place.fail(&["invitations", "revoke", &id]);
    assert!(told.contains("there is no invitation"), "{told}");
    assert_eq!(place.succeed(&["invitations"]), "there are no invitations\n");
}

/// With `access = "invited"` only who brings a code comes in, and comes back by key, also after a
/// restart.
#[test]
fn only_invited_users_come_in() {
    let mut place = Place::start(&["--access", "invited"]);
    place.refused("anna", Some(1), None, INVITE_REQUIRED);
    place.refused("anna", None, Some("0123-4567-89AB-CDEF"), INVITE_INVALID);
    place.refused("anna", None, Some("please"), INVITE_INVALID);
    let (code, id) = place.invite(&["--uses", "2"]);
    place.come("anna", Some(1), Some(&code)).0.hang_up();
    place.restart(&place.data());
    place.come("anna", Some(1), None).0.hang_up();
    place.come("anna", Some(1), Some(&code)).0.hang_up();
    let listed = place.succeed(&["invitations"]);
    assert!(listed.contains("2 uses, 1 left"), "{listed}");
    place.succeed(&["invitations", "revoke", &id]);
    place.refused("bob", Some(2), Some(&code), INVITE_INVALID);
    place.come("anna", Some(1), None);
}

/// Two clients send the last use at once: one comes in.
#[test]
fn last_use_of_an_invitation_goes_to_one() {
    let place = Place::start(&["--access", "invited"]);
    let (code, _) = place.invite(&[]);
    let clients = ["anna", "bob"].map(|name| place.send_join(name, None, Some(&code)));
    let answers = clients.map(|mut client| {
        loop {
            match client.next() {
                ServerFrame::Welcome(_) => return Ok(client),
                ServerFrame::Error(error) => return Err(error.code),
                _ => {}
            }
        }
    });
    let refused: Vec<u16> = answers.iter().filter_map(|it| it.as_ref().err().copied()).collect();
    assert_eq!(refused, [INVITE_INVALID]);
}

/// What is stored has the hash of a code, and the code nowhere.
#[test]
fn codes_are_not_stored() {
    let mut place = Place::start(&["--access", "invited"]);
    let (code, _) = place.invite(&[]);
    place.come("anna", Some(1), Some(&code)).0.hang_up();
    place.server.terminate();
    for file in fs::read_dir(place.data()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for text in [code.clone(), code.replace('-', "")] {
            assert!(!bytes.windows(text.len()).any(|it| it == text.as_bytes()));
        }
    }
}

/// A server that keeps nothing on a disk says that no name can be claimed. Invitations admit all the
/// same.
#[test]
fn memory_log_says_that_claims_are_not_possible() {
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control");
    let flags = ["--access", "invited", "--control", control.to_str().unwrap()];
    let place = Place { flags: Vec::new(), server: Server::start(&flags), directory };
    let (code, _) = place.invite(&[]);
    place.refused("anna", None, None, INVITE_REQUIRED);
    let mut anna = place.server.connect();
    anna.send_hello(0);
    anna.send(Join { invite: Some(code), ..join("anna", &[]) });
    anna.join_answer();
    let error = claim(&mut anna, claim_action::CLAIM).unwrap_err();
    assert_eq!(error.code, CANNOT_CLAIM);
    assert!(error.text.contains("keeps nothing on a disk"), "{}", error.text);
}

/// The command for an invitation prints the code, what it is good for, and what to type.
#[test]
fn invitation_is_printed_for_people() {
    let place = Place::start(&[]);
    let told =
        place.succeed(&["invite", "--code", "--uses", "5", "--for", "forever", "--no-claim"]);
    let code = told.lines().next().unwrap();
    assert_eq!((code.len(), code.matches('-').count()), (19, 3), "{told}");
    assert!(told.contains("5 uses, 5 left, for ever, without a claim"), "{told}");
    assert!(told.trim_end().ends_with(&format!("--invite {code}")), "{told}");
    let both = place.run(&["invite", "--code", "--name", "anna", "--uses", "2"]);
    assert_eq!(both.status.code(), Some(64), "{both:?}");
}
