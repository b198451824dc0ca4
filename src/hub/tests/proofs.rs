//! Proofs of keys, and sessions that are bound to a key.

use std::net::{IpAddr, Ipv4Addr};

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Hub, Input};
use crate::identity::{ChannelBinding, KeyPair, ProofContext};
use crate::model::{HubSettings, IdentityKey, Token};
use crate::wire::tcp::{Join, Proof, ServerFrame, ServerHello, feature};

/// Address of all clients of these tests.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Public key of the server.
const SERVER_KEY: IdentityKey = IdentityKey([0xaa; 32]);

/// Returns the key pair with this number.
pub(super) fn key_pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

/// Returns what proofs sign on a connection over plain TCP with this challenge.
fn context(challenge: u8) -> ProofContext {
    let binding = ChannelBinding::None;
    ProofContext { challenge: [challenge; 32], server_key: SERVER_KEY, binding }
}

/// Returns the `server_hello` among the events that a client has received.
fn server_hello(received: &[ClientEvent]) -> ServerHello {
    let found = received.iter().find_map(|it| match it {
        ClientEvent::Frame(ServerFrame::ServerHello(hello)) => Some(hello.clone()),
        _ => None,
    });
    found.unwrap()
}

/// Returns a `join` that brings a proof.
fn join_proving(name: &str, proof: Proof) -> Join {
    Join { proof: Some(Box::new(proof)), ..join(name, &[]) }
}

impl Harness {
    /// Connects a client that asks for a challenge, and greets. Returns the connection and what its
    /// proofs sign. The challenge is new for each connection.
    pub(super) fn greet_for_proof(&mut self) -> (ConnectionId, ProofContext) {
        self.greet_for_proof_from(HERE)
    }

    /// Connects a client at this address as [`Self::greet_for_proof`].
    pub(super) fn greet_for_proof_from(&mut self, address: IpAddr) -> (ConnectionId, ProofContext) {
        let context = self.next_context();
        let connection = self.connect_with(address, Some(context.clone()));
        self.send(connection, hello(feature::IDENTITY | feature::PRESENCE));
        self.take_received(connection);
        (connection, context)
    }

    /// Connects a client that may prove a key. Sends no `hello`. Returns the connection and what its
    /// proofs sign.
    pub(super) fn connect_for_proof(&mut self) -> (ConnectionId, ProofContext) {
        let context = self.next_context();
        (self.connect_with(HERE, Some(context.clone())), context)
    }

    /// Returns what proofs sign on the next connection, with a challenge that the 250 before did not
    /// have.
    fn next_context(&self) -> ProofContext {
        context(u8::try_from(self.last_connection % 250 + 1).unwrap())
    }

    /// Connects a client that proves a key, and joins. Does not check the answer.
    pub(super) fn join_proving(
        &mut self,
        name: &str,
        pair: &KeyPair,
        token: Option<Token>,
    ) -> ConnectionId {
        let (connection, context) = self.greet_for_proof();
        self.send(connection, Join { token, ..join_proving(name, pair.prove(&context)) });
        connection
    }

    /// Returns the first summary of what a client has received since the last call.
    fn first_summary(&mut self, connection: ConnectionId) -> String {
        self.take_summaries(connection).swap_remove(0)
    }
}

/// Who asks for the feature gets challenge and server key; nobody else does, and no client of a
/// server without a key.
#[test]
fn challenge_is_sent_only_to_those_who_ask() {
    let mut harness = Harness::new();
    for (offered, features, granted) in [
        (Some(context(1)), feature::IDENTITY, true),
        (Some(context(1)), u64::MAX, true),
        (Some(context(1)), !feature::IDENTITY, false),
        (Some(context(1)), 0, false),
        (None, feature::IDENTITY, false),
    ] {
        let client = harness.connect_with(HERE, offered);
        harness.send(client, hello(features));
        let answer = server_hello(&harness.take_received(client));
        assert_eq!(answer.features & feature::IDENTITY != 0, granted);
        let (challenge, key) = if granted { ([1; 32], SERVER_KEY.0) } else { ([0; 32], [0; 32]) };
        assert_eq!((answer.challenge, answer.server_key), (challenge, key));
    }
}

/// Without a common version there is no challenge.
#[test]
fn no_challenge_without_a_common_version() {
    let mut harness = Harness::new();
    let client = harness.connect_with(HERE, Some(context(1)));
    let crate::wire::tcp::ClientFrame::Hello(hello) = hello(feature::IDENTITY) else { panic!() };
    let newer = crate::wire::tcp::Hello { min_version: 2, max_version: 3, ..hello };
    harness.send(client, newer);
    let answer = server_hello(&harness.take_received(client));
    assert_eq!((answer.features, answer.challenge, answer.server_key), (0, [0; 32], [0; 32]));
}

/// A proof that does not hold refuses the join and does not close; a right one is accepted then.
#[test]
fn only_a_proof_for_this_connection_holds() {
    let mut harness = Harness::new();
    let pair = key_pair(1);
    let (client, own) = harness.greet_for_proof();
    let other = context(99);
    let tls = ProofContext { binding: ChannelBinding::of_exporter([0; 32]), ..own.clone() };
    let server = ProofContext { server_key: IdentityKey([0xbb; 32]), ..own.clone() };
    let stranger = Proof { key: key_pair(2).public(), ..pair.prove(&own) };
    let wrong = [pair.prove(&other), pair.prove(&tls), pair.prove(&server), stranger];
    for proof in wrong {
        harness.send(client, join_proving("anna", proof));
        assert_eq!(harness.take_summaries(client), ["proof_invalid 2 0"]);
    }
    harness.send(client, join_proving("anna", pair.prove(&own)));
    assert_eq!(harness.first_summary(client), "welcome anna 0 last 0");
    assert_eq!(harness.persisted_sessions.last().unwrap().key, Some(pair.public()));
}

/// A proof without a challenge is refused: the client has not asked for one, or the server has no
/// key.
#[test]
fn proof_without_challenge_is_refused() {
    for offered in [Some(context(1)), None] {
        let mut harness = Harness::new();
        let features = if offered.is_some() { 0 } else { feature::IDENTITY };
        let client = harness.connect_with(HERE, offered);
        harness.send(client, hello(features));
        harness.take_received(client);
        harness.send(client, join_proving("anna", key_pair(1).prove(&context(1))));
        assert_eq!(harness.take_summaries(client), ["proof_invalid 2 0"]);
    }
}

/// The fifth refused proof ends the connection.
#[test]
fn refused_proofs_count_as_refused_joins() {
    let mut harness = Harness::new();
    let (client, _) = harness.greet_for_proof();
    let wrong = key_pair(1).prove(&context(99));
    for _ in 0..4 {
        harness.send(client, join_proving("anna", wrong.clone()));
        assert_eq!(harness.take_summaries(client), ["proof_invalid 2 0"]);
    }
    harness.send(client, join_proving("anna", wrong));
    let last = ["proof_invalid 2 0", "too_many_attempts 2 0", "closed"];
    assert_eq!(harness.take_summaries(client), last);
}

/// The proof is checked after password, username and ban, and before the rooms.
#[test]
fn proof_is_checked_in_its_place() {
    let settings = HubSettings { password: Some("s3cret".to_owned()), ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let wrong = key_pair(1).prove(&context(99));
    let with = |password: Option<&str>, name: &str| Join {
        password: password.map(str::to_owned),
        ..join_proving(name, wrong.clone())
    };
    let (client, _) = harness.greet_for_proof();
    for (join, refusal) in [
        (with(None, "a b"), "password_required 2 0"),
        (with(Some("wrong"), "a b"), "password_wrong 2 0"),
        (with(Some("s3cret"), "a b"), "name_invalid 2 0"),
        (
            Join { rooms: vec!["a b".to_owned()], ..with(Some("s3cret"), "anna") },
            "proof_invalid 2 0",
        ),
    ] {
        harness.send(client, join);
        assert_eq!(harness.take_summaries(client), [refusal]);
    }
}

/// The token of a session that began with a proof resumes it only with a proof of the same key. The
/// session itself is left as it is.
#[test]
fn token_of_a_bound_session_is_worth_nothing_without_the_key() {
    let mut harness = Harness::new();
    let pair = key_pair(1);
    let anna = harness.join_proving("anna", &pair, None);
    let annas = welcome(&harness.take_received(anna));
    let token = Some(annas.token);
    let thief = harness.resume("anna", &[], annas.token, None);
    assert_eq!(harness.take_summaries(thief), ["name_taken 2 0"]);
    let thief = harness.join_proving("anna", &key_pair(2), token);
    assert_eq!(harness.take_summaries(thief), ["name_taken 2 0"]);
    let thief = harness.join_proving("mallory", &key_pair(2), token);
    let other = welcome(&harness.take_received(thief));
    assert_ne!((other.session, other.token), (annas.session, annas.token));
    assert!(!harness.clients[&anna].received.contains(&ClientEvent::Closed));
    harness.disconnect(anna);
    let thief = harness.resume("anna", &[], annas.token, None);
    let other = welcome(&harness.take_received(thief));
    assert_ne!(other.session, annas.session);
    harness.disconnect(thief);
    let back = harness.join_proving("anna", &pair, token);
    let resumed = welcome(&harness.take_received(back));
    assert_eq!(
        (resumed.session, resumed.token, resumed.flags & 1),
        (annas.session, annas.token, 1)
    );
}

/// A session that began without a proof is bound by the first one.
#[test]
fn first_proof_binds_a_session() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    assert_eq!(harness.persisted_sessions.last().unwrap().key, None);
    harness.disconnect(anna);
    let anna = harness.join_proving("anna", &key_pair(1), Some(annas.token));
    assert_eq!(welcome(&harness.take_received(anna)).session, annas.session);
    assert_eq!(harness.persisted_sessions.last().unwrap().key, Some(key_pair(1).public()));
    harness.disconnect(anna);
    let other = harness.resume("anna", &[], annas.token, None);
    assert_ne!(welcome(&harness.take_received(other)).session, annas.session);
}

/// What a session is bound to survives a restart.
#[test]
fn restart_keeps_the_key_of_a_session() {
    let mut harness = Harness::new();
    let anna = harness.join_proving("anna", &key_pair(1), None);
    let annas = welcome(&harness.take_received(anna));
    harness.restart(HubSettings::default(), 1_000);
    let thief = harness.resume("anna", &[], annas.token, None);
    assert_ne!(welcome(&harness.take_received(thief)).session, annas.session);
    harness.disconnect(thief);
    let anna = harness.join_proving("anna", &key_pair(1), Some(annas.token));
    assert_eq!(welcome(&harness.take_received(anna)).session, annas.session);
}

/// A join that resumes with a proof binds the session at once: a join with the same token and
/// without the key, which comes before the first one is committed, is one with an unknown token.
#[test]
fn proposed_proof_binds_already() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    harness.disconnect(anna);
    (harness.manual_log, harness.delays_volatile) = (true, true);
    let back = harness.join_proving("anna", &key_pair(1), Some(annas.token));
    let thief = harness.resume("mallory", &[], annas.token, None);
    harness.commit_volatile(usize::MAX);
    harness.run_log();
    assert_eq!(welcome(&harness.take_received(back)).session, annas.session);
    assert_ne!(welcome(&harness.take_received(thief)).session, annas.session);
    assert!(!harness.clients[&back].received.contains(&ClientEvent::Closed));
}

/// A proof counts although its connection ends before the join is committed.
#[test]
fn lost_join_binds_its_session() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join("anna", &[]);
    harness.disconnect(anna);
    (harness.manual_log, harness.delays_volatile) = (true, true);
    let lost = harness.join_proving("anna", &key_pair(1), Some(annas.token));
    harness.disconnect(lost);
    harness.commit_volatile(usize::MAX);
    assert_eq!(harness.persisted_sessions.last().unwrap().key, Some(key_pair(1).public()));
}

/// The hub keeps what a proof signs only as long as a join may come.
#[test]
fn challenge_is_forgotten_when_joined() {
    let mut harness = Harness::new();
    let holds = |hub: &Hub, id| hub.connections[&id].proof_context.is_some();
    let plain = harness.connect_with(HERE, Some(context(1)));
    assert!(holds(&harness.hub, plain));
    harness.input(Input::Received {
        connection: plain,
        frame: crate::wire::tcp::Decoded::Frame(hello(feature::PRESENCE)),
    });
    assert!(!holds(&harness.hub, plain));
    let (client, own) = harness.greet_for_proof();
    assert!(holds(&harness.hub, client));
    harness.send(client, join_proving("anna", key_pair(1).prove(&own)));
    assert!(!holds(&harness.hub, client));
}
