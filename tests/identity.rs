//! Keys and proofs (`docs/protocol/identity.md`): the real server with raw frames, over all ways in,
//! and with those who have a token or a proof of somebody else.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{Server, TestClient, WITH_TLS, WITH_WEB, WITH_WEB_TLS, join, run_server_command};
use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::{IdentityKey, Token};
use pi_chat::wire::tcp::{Join, Proof, ProofSignature, ServerHello, Welcome, feature};
use tempfile::TempDir;

/// Label of the exporter, as the page has it.
const LABEL: &[u8] = b"EXPORTER-pi-chat-proof";

/// Error code of a proof that does not hold.
const PROOF_INVALID: u16 = 208;

/// Error code of a name that another session has.
const NAME_TAKEN: u16 = 201;

/// Starts a server that keeps its messages in this directory, with all ways in.
fn start(data: &Path) -> Server {
    let data = data.to_str().unwrap();
    let flags = ["--data", data, "--announce", "false"];
    Server::start(&[WITH_TLS, WITH_WEB, WITH_WEB_TLS, &flags].concat())
}

/// Returns the key pair with this number.
fn key_pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

/// Greets with the feature, which must be provided. Returns what a proof with this binding signs.
fn greet(client: &mut TestClient, binding: ChannelBinding) -> ProofContext {
    let ServerHello { features, challenge, server_key, .. } = client.send_hello(feature::IDENTITY);
    assert_eq!(features, feature::IDENTITY);
    assert!(challenge != [0; 32] && server_key != [0; 32]);
    ProofContext { challenge, server_key: IdentityKey(server_key), binding }
}

/// Returns a `join` as `name` with a token, if there is one, and a proof.
fn join_proving(name: &str, token: Option<Token>, proof: Proof) -> Join {
    Join { token, proof: Some(Box::new(proof)), ..join(name, &[]) }
}

/// Joins over plain TCP with a token, if there is one, and a proof of a key. Returns the client and
/// its welcome.
fn join_with_key(
    server: &Server,
    name: &str,
    token: Option<Token>,
    pair: &KeyPair,
) -> (TestClient, Welcome) {
    let mut client = server.connect();
    let context = greet(&mut client, ChannelBinding::None);
    client.send(join_proving(name, token, pair.prove(&context)));
    let welcome = client.join_answer().welcome;
    (client, welcome)
}

/// Joins over plain TCP with a token and without a proof. Returns the welcome, and leaves.
fn join_with_token_alone(server: &Server, name: &str, token: Token) -> Welcome {
    let mut client = server.connect();
    client.send_hello(0);
    client.send(Join { token: Some(token), ..join(name, &[]) });
    let welcome = client.join_answer().welcome;
    client.hang_up();
    welcome
}

/// A proof is accepted over plain TCP, TLS and WebSockets, each with its own binding. With those of
/// the others it is refused, and the client may try again.
#[test]
fn each_way_in_needs_its_own_binding() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let tls = TestClient::connect_tls(server.tls_address());
    let exporter = tls.exporter(LABEL);
    let web = TestClient::connect_web(server.web_address());
    let https = TestClient::connect_web_tls(server.web_tls_address());
    let bindings = [
        ChannelBinding::None,
        ChannelBinding::of_exporter(exporter),
        ChannelBinding::of_origin(&format!("http://{}", server.web_address())),
        ChannelBinding::of_origin(&format!("https://{}", server.web_tls_address())),
    ];
    for (mut client, right) in [server.connect(), tls, web, https].into_iter().zip(bindings) {
        let context = greet(&mut client, right);
        for wrong in bindings.into_iter().filter(|it| *it != right) {
            let context = ProofContext { binding: wrong, ..context.clone() };
            client.send(join_proving("anna", None, key_pair(1).prove(&context)));
            client.expect_error(PROOF_INVALID);
        }
        client.send(join_proving("anna", None, key_pair(1).prove(&context)));
        client.join_answer();
        client.hang_up();
    }
}

/// A proof that was made for one connection is refused on another: over plain TCP by its challenge.
#[test]
fn replayed_proof_is_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let mut anna = server.connect();
    let context = greet(&mut anna, ChannelBinding::None);
    let proof = key_pair(1).prove(&context);
    anna.send(join_proving("anna", None, proof.clone()));
    anna.join_answer();
    let mut mallory = server.connect();
    let other = greet(&mut mallory, ChannelBinding::None);
    assert_ne!(other.challenge, context.challenge);
    assert_eq!(other.server_key, context.server_key);
    mallory.send(join_proving("mallory", None, proof));
    mallory.expect_error(PROOF_INVALID);
}

/// Who sits between two TLS connections can pass on the challenge of the one to the client of the
/// other: the proof is refused all the same, because the exporters differ.
#[test]
fn proof_relayed_between_two_tls_connections_is_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let mut between = TestClient::connect_tls(server.tls_address());
    let of_between = ChannelBinding::of_exporter(between.exporter(LABEL));
    let context = greet(&mut between, of_between);
    // Stands for the connection of the client to whoever sits in between.
    let client = TestClient::connect_tls(server.tls_address());
    let of_client = ChannelBinding::of_exporter(client.exporter(LABEL));
    assert_ne!(of_client, of_between);
    let proof = key_pair(1).prove(&ProofContext { binding: of_client, ..context.clone() });
    between.send(join_proving("anna", None, proof));
    between.expect_error(PROOF_INVALID);
    // The challenge of this connection with its own exporter would have been right.
    between.send(join_proving("anna", None, key_pair(2).prove(&context)));
    between.join_answer();
}

/// A proof for a page of another origin is refused. A WebSocket without an origin gets no challenge.
#[test]
fn proof_for_another_origin_is_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let mut page = TestClient::connect_web(server.web_address());
    let context = greet(&mut page, ChannelBinding::of_origin("http://elsewhere.example"));
    page.send(join_proving("anna", None, key_pair(1).prove(&context)));
    page.expect_error(PROOF_INVALID);
    let mut program = TestClient::connect_web_without_origin(server.web_address());
    let hello = program.send_hello(feature::IDENTITY);
    assert_eq!((hello.features, hello.challenge), (0, [0; 32]));
}

/// A key of small order, for which a signature fits every message, is refused.
#[test]
fn small_order_key_is_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let mut client = server.connect();
    greet(&mut client, ChannelBinding::None);
    let neutral: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&neutral);
    let (key, signature) = (IdentityKey(neutral), ProofSignature(signature));
    client.send(join_proving("anna", None, Proof { key, binding: 0, signature }));
    client.expect_error(PROOF_INVALID);
}

/// The token of a session that is bound to a key begins a new session for whoever does not prove the
/// key. So it is after a restart of the server, too.
#[test]
fn stolen_token_is_worth_nothing_without_the_key() {
    let data = TempDir::new().unwrap();
    let mut server = start(data.path());
    let (anna, welcome) = join_with_key(&server, "anna", None, &key_pair(1));
    let token = welcome.token;
    let mut thief = server.connect();
    thief.send_hello(0);
    thief.send(Join { token: Some(token), ..join("anna", &[]) });
    thief.expect_error(NAME_TAKEN);
    thief.send(Join { token: Some(token), ..join("mallory", &[]) });
    assert_ne!(thief.join_answer().welcome.session, welcome.session);
    anna.hang_up();
    thief.hang_up();
    server.terminate();
    let server = start(data.path());
    assert_ne!(join_with_token_alone(&server, "anna", token).session, welcome.session);
    let (other, others) = join_with_key(&server, "anna", Some(token), &key_pair(2));
    assert_ne!(others.session, welcome.session);
    other.hang_up();
    let (_anna, again) = join_with_key(&server, "anna", Some(token), &key_pair(1));
    assert_eq!((again.session, again.token), (welcome.session, token));
}

/// The server key stays at a restart, and a restored backup has it and the keys of the sessions.
#[test]
fn restored_backup_keeps_the_server_key() {
    let parent = TempDir::new().unwrap();
    let (data, restored) = (parent.path().join("data"), parent.path().join("restored"));
    let mut server = start(&data);
    let server_key = greet(&mut server.connect(), ChannelBinding::None).server_key;
    let (anna, welcome) = join_with_key(&server, "anna", None, &key_pair(1));
    anna.hang_up();
    server.terminate();
    fs::create_dir(&restored).unwrap();
    let file = restored.join("chat.db");
    let backup =
        run_server_command(&["backup", "--data", data.to_str().unwrap(), file.to_str().unwrap()]);
    assert!(backup.status.success(), "{backup:?}");
    for directory in [&data, &restored] {
        let mut server = start(directory);
        let context = greet(&mut server.connect(), ChannelBinding::None);
        assert_eq!(context.server_key, server_key);
        let (anna, again) = join_with_key(&server, "anna", Some(welcome.token), &key_pair(1));
        assert_eq!(again.session, welcome.session);
        anna.hang_up();
        server.terminate();
    }
}

/// A server that keeps nothing on a disk has no key: it provides no challenge, and refuses proofs.
#[test]
fn log_in_memory_grants_nothing() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let hello = client.send_hello(feature::IDENTITY | feature::PRESENCE);
    assert_eq!(hello.features, feature::PRESENCE);
    assert_eq!((hello.challenge, hello.server_key), ([0; 32], [0; 32]));
    let (challenge, server_key) = ([0; 32], IdentityKey([0; 32]));
    let context = ProofContext { challenge, server_key, binding: ChannelBinding::None };
    client.send(join_proving("anna", None, key_pair(1).prove(&context)));
    client.expect_error(PROOF_INVALID);
    client.send(join("anna", &[]));
    client.join_answer();
}

/// A client that does not ask for the feature gets the bytes of before, whether the server has a key
/// or not.
#[test]
fn clients_without_the_feature_get_the_same_bytes() {
    let data = TempDir::new().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let mut expected = b"\x40\x01\x01\x01\x01\x0bchat-server".to_vec();
    expected.push(u8::try_from(version.len()).unwrap());
    expected.extend_from_slice(version.as_bytes());
    for server in [start(data.path()), Server::start(&[])] {
        let mut client = server.connect();
        client.send(common::hello(feature::PRESENCE));
        assert_eq!(client.next_body().unwrap(), expected);
    }
}

/// A session that was begun over TLS with a proof goes on over plain TCP with one of the same key.
#[test]
fn key_counts_over_every_way_in() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let mut tls = TestClient::connect_tls(server.tls_address());
    let exporter = ChannelBinding::of_exporter(tls.exporter(LABEL));
    let context = greet(&mut tls, exporter);
    tls.send(join_proving("anna", None, key_pair(1).prove(&context)));
    let welcome = tls.join_answer().welcome;
    tls.hang_up();
    let (plain, again) = join_with_key(&server, "anna", Some(welcome.token), &key_pair(1));
    assert_eq!(again.session, welcome.session);
    plain.hang_up();
    assert_ne!(join_with_token_alone(&server, "anna", welcome.token).session, welcome.session);
}

/// Behind a proxy that has ended TLS, the connection to the server is a plain one: it has no
/// binding.
#[test]
fn connection_of_a_trusted_proxy_is_bound_as_the_server_sees_it() {
    let data = TempDir::new().unwrap();
    let data = data.path().to_str().unwrap();
    let server =
        Server::start(&["--data", data, "--trusted-proxies", "127.0.0.1", "--announce", "false"]);
    let mut client = server.connect();
    // Version 2, TCP over IPv4, from 192.0.2.1:1 to 127.0.0.1:2428.
    client
        .send_bytes(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\0\x01\x09\x7c");
    let context = greet(&mut client, ChannelBinding::None);
    let ended = ProofContext { binding: ChannelBinding::of_exporter([1; 32]), ..context.clone() };
    client.send(join_proving("anna", None, key_pair(1).prove(&ended)));
    client.expect_error(PROOF_INVALID);
    client.send(join_proving("anna", None, key_pair(1).prove(&context)));
    client.join_answer();
}

/// In the process that the server starts for it, a key pair is made: its secret half, then the
/// public half.
#[test]
fn server_key_is_made_in_a_process_of_its_own() {
    let made = [(); 2].map(|()| run_server_command(&["make-server-key"]));
    let [one, other] = made.map(|it| String::from_utf8(it.stdout).unwrap());
    assert_ne!(one, other);
    let digits = one.trim_end();
    assert_eq!(digits.len(), 128);
    let seed: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let pair = KeyPair::from_seed(&seed.try_into().unwrap());
    assert_eq!(pair.public().to_string(), digits[64..]);
}
