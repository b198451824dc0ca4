//! The vectors of replication: `docs/protocol/replicate.md`.

use pi_chat::model::{IdentityKey, LogId, Reference, Sequence, SessionId, Timestamp};
use pi_chat::wire::tcp::{
    ClientFrame, Decoded, Proof, ProofSignature, Replica, ReplicaBegin, ReplicaCommit,
    ReplicaDirect, ReplicaMessage, ReplicaReadMarks, ReplicaSession, Replicate, Replicated,
};
use serde_json::{Value, json};

/// Returns the frames of the file, with their names.
fn parts() -> Vec<(&'static str, Replica)> {
    let (session, person) = (SessionId(300), SessionId(7));
    let (time, reference) = (Timestamp(1_795_385_587_123), Reference(4));
    let text = |text: &str| text.to_owned();
    vec![
        (
            "begin, everything",
            Replica::Begin(ReplicaBegin {
                log_id: LogId([1; 16]),
                epoch: 0,
                is_whole: true,
                server_id: [2; 16],
                server_key: [[3; 32], [4; 32]],
                tls_key: vec![5, 6],
                tls_certificate: vec![7, 8, 9],
            }),
        ),
        (
            "message",
            Replica::Message(ReplicaMessage {
                sequence: Sequence(1_000),
                previous: Sequence(998),
                room: text("lobby"),
                session,
                person,
                username: text("änna"),
                time,
                reference,
                style: 1,
                text: text("waves"),
            }),
        ),
        (
            "direct, kept by the sender only",
            Replica::Direct(ReplicaDirect {
                sequence: Sequence(1_001),
                session,
                person: SessionId(0),
                username: text("anna"),
                to_session: person,
                to_username: text("bob"),
                time,
                reference,
                style: 0,
                text: text("for you"),
                kept: 1,
            }),
        ),
        ("fact", Replica::Fact(vec![0, 255])),
        (
            "session, away, bound to a key",
            Replica::Session(ReplicaSession {
                session,
                token_hash: [9; 32],
                username: text("anna"),
                away_since: Some(time),
                last_reference: reference,
                refused: vec![Reference(2), Reference(3)],
                keeps_name: true,
                key: Some(IdentityKey([10; 32])),
                noted: Sequence(900),
            }),
        ),
        ("session deleted", Replica::SessionDeleted(session, false)),
        (
            "read marks",
            Replica::ReadMarks(ReplicaReadMarks {
                person,
                marks: vec![(text("lobby"), Sequence(1_000)), (text(""), Sequence(5))],
            }),
        ),
        ("register", Replica::Register(vec![1], vec![2, 3])),
        ("void", Replica::Void(Sequence(1_001), Sequence((1 << 32) + 1_001))),
        ("forgotten, of a room", Replica::Forgotten(text("lobby"), Sequence(12))),
        (
            "commit, whole state, caught up",
            Replica::Commit(ReplicaCommit { head: Sequence(1_001), flags: 3, time }),
        ),
    ]
}

/// Writes bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

/// Returns the frames that a follower sends, with their names and their fields.
fn frames() -> Vec<(&'static str, Value, ClientFrame)> {
    let proof = Proof { key: IdentityKey([1; 32]), binding: 1, signature: ProofSignature([2; 64]) };
    let request = Replicate {
        proof: Box::new(proof),
        log_id: LogId([3; 16]),
        position: Sequence(300),
        epoch: 1,
    };
    let taken = Replicated { position: Sequence(300), received: 65_536 };
    vec![
        ("replicate", json!({"Replicate": &request}), request.into()),
        ("replicated", json!({"Replicated": &taken}), taken.into()),
    ]
}

/// The file has exactly these frames, and their bytes are decoded to them.
#[test]
fn replication() {
    let mut made = Vec::new();
    for (name, value, frame) in frames() {
        let mut wire = Vec::new();
        frame.encode(&mut wire);
        made.push(json!({"name": name, "value": value, "wire": hex(&wire)}));
        assert_eq!(ClientFrame::decode(&wire[2..]), Decoded::Frame(frame));
        for end in 3..wire.len() {
            assert!(matches!(ClientFrame::decode(&wire[2..end]), Decoded::Malformed(24 | 25)));
        }
    }
    for (name, part) in parts() {
        let mut wire = Vec::new();
        part.encode(&mut wire);
        made.push(json!({"name": name, "value": part, "wire": hex(&wire)}));
        assert_eq!(Replica::decode(&wire[2..]), Some(Ok(part)));
        for end in 4..wire.len() {
            assert!(matches!(Replica::decode(&wire[2..end]), Some(Err(_))));
        }
    }
    let lines: Vec<String> = made.iter().map(Value::to_string).collect();
    let page = include_str!("../../docs/protocol/vectors/replicate.json");
    let pinned: Vec<Value> = serde_json::from_str(page).unwrap();
    assert_eq!(pinned, made, "[\n{}\n]", lines.join(",\n"));
    assert!(matches!(Replica::decode(&[86, 11]), Some(Err(_))), "a part that is not known");
    assert_eq!(Replica::decode(&[85, 0]), None, "another kind");
}
