//! Stored bytes of facts and of the state.

use super::*;
use crate::model::Reason;

/// Returns bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

/// Returns examples of each action.
fn examples() -> [ModerationAction; 18] {
    use ModerationAction as Action;

    let room = RoomName::new("Attic").unwrap();
    let set = |setting| Action::RoomSet { room: room.clone(), setting };
    let by_address = Action::Banned {
        sanction: sanction(Scope::Server, "Bob", Some(2), 600),
        group: Some(group("2001:db8:1:2::5")),
    };
    let ended = Action::SanctionEnded {
        kind: SanctionKind::Mute,
        scope: lobby(),
        username: name("bob"),
        sanction: Sequence(5),
    };
    let removed = Action::MessageRemoved {
        room: room.clone(),
        message: Sequence(300),
        author: user(2, "bob"),
    };
    [
        role_set(Scope::Server, 2, Some(Role::Owner)),
        role_set(lobby(), 2, None),
        by_address,
        Action::Muted(sanction(lobby(), "bob", None, 0)),
        ended,
        Action::Kicked { scope: lobby(), target: user(2, "bob") },
        set(RoomSetting::Topic(Some(Topic::new("tea").unwrap()))),
        set(RoomSetting::SlowMode(SlowMode::from_seconds(300).unwrap())),
        set(RoomSetting::Moderated(true)),
        removed,
        Action::Announced(Scope::Server),
        claim(user(2, "Bob"), key(0xc1), Some(0xd1)),
        claim(user(2, "bob"), key(0xc1), None),
        Action::ClaimEnded {
            username: name("bob"),
            key: key(0xc1),
            claim: Sequence(5),
            why: ClaimEnd::Unused,
        },
        invitation(0xd1, Some("Bob"), 300),
        Action::InvitationRevoked { invitation: hash(0xd1) },
        invitation_use(0xd1, user(2, "bob"), Some(key(0xc1)), true),
        Action::BannedWithKey {
            sanction: sanction(Scope::Server, "Bob", Some(2), 600),
            group: None,
            key: key(0xc1),
        },
    ]
}

/// Returns a fact with an action, a reason, and an actor that depends on the sequence.
fn fact(sequence: u64, action: ModerationAction) -> Fact {
    let actor = match sequence % 3 {
        0 => Actor::CommandLine,
        1 => Actor::Server,
        _ => Actor::Session(user(1, "Anna")),
    };
    let reason = Some(Reason::new("spam").unwrap());
    Fact {
        sequence: Sequence(sequence),
        time: Timestamp(1_000),
        draft: FactDraft { actor, action, reason },
        is_effective: true,
    }
}

/// The bytes of facts are those that databases hold, and decoding gives the fact again.
#[test]
fn facts_are_stored_as_these_bytes() {
    let facts: Vec<Fact> = (1..).zip(examples()).map(|(number, it)| fact(number, it)).collect();
    let bytes: Vec<Vec<u8>> = facts.iter().map(encode_fact).collect();
    let expected = [
        "0101e80701000002057573657232010101047370616d01",
        "0102e807020104416e6e610001056c6f626279020575736572320001047370616d01",
        "0103e80700010003426f620102d804010120010db800010002000000000000000001047370616d01",
        "0104e807010201056c6f62627903626f62000001047370616d01",
        "0105e807020104416e6e61030101056c6f62627903626f620501047370616d01",
        "0106e807000401056c6f6262790203626f6201047370616d01",
        "0107e807010505417474696300010374656101047370616d01",
        "0108e807020104416e6e610505417474696301ac0201047370616d01",
        "0109e8070005054174746963020101047370616d01",
        "010ae8070106054174746963ac020203626f6201047370616d01",
        "010be807020104416e6e61070001047370616d01",
        "010ce80700080203426f62c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c101d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d101047370616d01",
        "010de80701080203626f62c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c10001047370616d01",
        "010ee807020104416e6e610903626f62c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1050201047370616d01",
        "010fe807000ad1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d10103426f62ac02000101047370616d01",
        "0110e807010bd1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d101047370616d01",
        "0111e807020104416e6e610cd1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d10203626f6201c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c10101047370616d01",
        "0112e807000d0003426f620102d80400c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c101047370616d01",
    ];
    assert_eq!(bytes.iter().map(|it| hex(it)).collect::<Vec<_>>(), expected);
    let decoded: Vec<Fact> = bytes.iter().map(|it| decode_fact(it).unwrap()).collect();
    assert_eq!(decoded, facts);
    // Equal names may be spelt differently, so the bytes are compared too.
    assert_eq!(decoded.iter().map(encode_fact).collect::<Vec<_>>(), bytes);
}

/// The bytes of registers are those that databases hold. Audit-only actions have none.
#[test]
fn registers_are_stored_as_these_bytes() {
    let bytes = |it: &ModerationAction| Register::of(it).map(|it| hex(&it.encode()));
    let expected = [
        "000200",
        "000201056c6f626279",
        "01000003626f62",
        "010101056c6f62627903626f62",
        "010101056c6f62627903626f62",
        "",
        "02056174746963",
        "03056174746963",
        "04056174746963",
        "",
        "",
        "0503626f62",
        "0503626f62",
        "0503626f62",
        "06d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1",
        "06d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1",
        "07d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d100c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "01000003626f62",
    ];
    assert_eq!(examples().each_ref().map(|it| bytes(it).unwrap_or_default()), expected);
}

/// Bytes that are cut, longer, of another version or not canonical are refused.
#[test]
fn other_bytes_are_refused() {
    for action in examples() {
        let bytes = encode_fact(&fact(3, action));
        for length in 0..bytes.len() {
            assert!(decode_fact(&bytes[..length]).is_err());
        }
        assert!(decode_fact(&[&bytes[..], &[0]].concat()).is_err());
        assert!(decode_fact(&[&[2], &bytes[1..]].concat()).is_err());
        // The sequence 3 in two bytes.
        assert!(decode_fact(&[&[1, 0x83, 0], &bytes[2..]].concat()).is_err());
    }
}

/// Rows whose fact does not set the register of their key are refused.
#[test]
fn rows_that_no_state_has_are_refused() {
    let decode = |key: &[u8], fact: &Fact| {
        ModerationState::decode([(key, &encode_fact(fact)[..])]).map(|_| ())
    };
    let set = fact(3, ban(lobby(), "bob", None, 60));
    let key = Register::of(&set.draft.action).unwrap().encode();
    assert_eq!(decode(&key, &set), Ok(()));
    assert!(decode(&key[1..], &set).is_err());
    assert!(decode(&key, &Fact { is_effective: false, ..set.clone() }).is_err());
    assert!(decode(&key, &fact(4, end_of(&set))).is_err());
    assert!(decode(&[], &fact(3, ModerationAction::Announced(lobby()))).is_err());
}
