//! Followers: who may follow, and what a follower's connection may send.

use std::net::{IpAddr, Ipv4Addr};

use super::frames::*;
use super::harness::*;
use super::proofs::key_pair;
use crate::hub::{ConnectionId, ReplicationRequest};
use crate::identity::{ChannelBinding, KeyPair, ProofContext};
use crate::model::{
    HubSettings, IdentityKey, LogId, ModerationRequest, Role, Scope, Sequence, UserSelector,
    Username,
};
use crate::wire::tcp::{ClientFrame, Pong, Replicate, Replicated, ServerFrame, feature};

/// Address of all followers of these tests.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a follower in these tests asks for.
const REQUEST: ReplicationRequest =
    ReplicationRequest { log_id: LogId([3; 16]), position: Sequence(7), epoch: 1 };

/// Returns what a proof on a connection with this binding signs.
fn context(binding: ChannelBinding) -> ProofContext {
    ProofContext { challenge: [9; 32], server_key: IdentityKey([8; 32]), binding }
}

/// Binding of a connection over TLS.
const TLS: ChannelBinding = ChannelBinding::of_exporter([5; 32]);

/// Returns the request of a follower that proves a key.
fn replicate(pair: &KeyPair, context: &ProofContext) -> Replicate {
    let ReplicationRequest { log_id, position, epoch } = REQUEST;
    Replicate { proof: Box::new(pair.prove(context)), log_id, position, epoch }
}

/// Connects a follower with this binding. Returns the connection, and true if the feature is granted.
fn greet(harness: &mut Harness, binding: ChannelBinding) -> (ConnectionId, bool) {
    let connection = harness.connect_with(HERE, Some(context(binding)));
    harness.send(connection, hello(feature::IDENTITY | feature::REPLICATION));
    let received = harness.take_received(connection);
    let granted = received.iter().any(|it| match it {
        ClientEvent::Frame(ServerFrame::ServerHello(hello)) => {
            hello.features & feature::REPLICATION != 0
        }
        _ => false,
    });
    (connection, granted)
}

/// Hub with a durable log, where key 1 is that of an owner, 2 that of a moderator, 3 of a guest.
fn hub() -> Harness {
    let mut harness = Harness::with(HubSettings { is_durable: true, ..HubSettings::default() });
    for (name, number) in [("anna", 1), ("bob", 2), ("carl", 3)] {
        let connection = harness.join_proving(name, &key_pair(number), None);
        harness.take_received(connection);
    }
    for (name, role) in [("anna", Role::Owner), ("bob", Role::Moderator)] {
        let user = UserSelector { username: Username::new(name).unwrap(), session: None };
        let request = ModerationRequest::SetRole { scope: Scope::Server, user, role: Some(role) };
        assert!(harness.owner(request).is_ok());
    }
    harness
}

#[test]
fn only_the_key_of_an_owner_over_tls_may_follow() {
    let mut harness = hub();
    for (binding, number, answer) in [
        (TLS, 1, None),
        (TLS, 2, Some("not_permitted 24 0")),
        (TLS, 3, Some("not_permitted 24 0")),
        (TLS, 4, Some("not_permitted 24 0")),
        (ChannelBinding::None, 1, Some("not_permitted 24 0")),
        (ChannelBinding::of_origin("http://pi.local"), 1, Some("not_permitted 24 0")),
    ] {
        let (follower, granted) = greet(&mut harness, binding);
        assert_eq!(granted, binding == TLS);
        harness.send(follower, replicate(&key_pair(number), &context(binding)));
        let answers = harness.take_summaries(follower);
        assert_eq!(answers.first().map(String::as_str), answer, "{binding:?} {number}");
        let served = std::mem::take(&mut harness.replications);
        assert_eq!(served.is_empty(), answer.is_some());
        assert!(served.iter().all(|it| *it == (follower, REQUEST)));
    }
    let (follower, _) = greet(&mut harness, TLS);
    let other = ProofContext { challenge: [1; 32], ..context(TLS) };
    for _ in 0..4 {
        harness.send(follower, replicate(&key_pair(1), &other));
        assert_eq!(harness.take_summaries(follower), ["proof_invalid 24 0"]);
    }
    harness.send(follower, replicate(&key_pair(1), &other));
    let answers = harness.take_summaries(follower);
    assert_eq!(answers[..2], ["proof_invalid 24 0", "too_many_attempts 24 0"]);
    assert!(harness.replications.is_empty());
}

/// A follower is nobody's session. It may acknowledge and answer pings, and nothing else; it need not
/// join, and is asked for a sign of life like anybody.
#[test]
fn follower_may_acknowledge_and_nothing_else() {
    let mut harness = hub();
    let begin = |harness: &mut Harness| {
        let (follower, _) = greet(harness, TLS);
        harness.send(follower, replicate(&key_pair(1), &context(TLS)));
        follower
    };
    let follower = begin(&mut harness);
    harness.send(follower, Replicated { position: Sequence(9), received: 100 });
    assert_eq!(harness.replicated, [(Sequence(9), 100)]);
    for _ in 0..4 {
        harness.advance(30_000);
        harness.send(follower, Pong { token: 0 });
    }
    let closed = |harness: &mut Harness, follower| {
        let answers = harness.take_summaries(follower);
        answers.into_iter().filter(|it| !it.starts_with("ping")).collect::<Vec<_>>()
    };
    assert!(closed(&mut harness, follower).is_empty(), "it need not join");
    harness.advance(60_000);
    assert!(closed(&mut harness, follower)[0].starts_with("idle_timeout"));
    for frame in
        [join("dora", &[]).into(), say(1, "hello"), replicate(&key_pair(1), &context(TLS)).into()]
    {
        let follower = begin(&mut harness);
        let frame: ClientFrame = frame;
        harness.send(follower, frame);
        assert!(closed(&mut harness, follower)[0].starts_with("unexpected"));
    }
}
