//! Several devices of one person under one claimed name.

use super::super::proofs::key_pair;
use super::identity::{code, settings};
use super::*;
use crate::model::{Access, ClaimPolicy, HubSettings};
use crate::wire::tcp::{Claim, Join, claim_action};

/// Returns the settings of a server where everybody may come in and claim a name.
fn open() -> HubSettings {
    settings(Access::Everybody, ClaimPolicy::Open)
}

/// Builds a `claim` that makes this code a link code.
fn link(number: u8) -> Claim {
    let (reference, action) = (Reference(8), claim_action::LINK);
    Claim { reference, action, code_hash: code(number).hash().0 }
}

impl Harness {
    /// Joins as anna with key 1, and claims the name.
    fn claim_anna(&mut self) -> ConnectionId {
        let (laptop, _) = self.come("anna", Some(1), None);
        assert_eq!(self.claim(laptop, claim_action::CLAIM), "done 20 1");
        laptop
    }

    /// Joins as anna with key 1 and claims the name; links a device with key 2. Returns both
    /// connections.
    fn anna_on_two_devices(&mut self) -> (ConnectionId, ConnectionId) {
        let laptop = self.claim_anna();
        assert_eq!(self.ask(laptop, link(50)), ["done 20 1"]);
        let (phone, welcome) = self.come("Anna", Some(2), Some(50));
        assert_eq!(welcome, "welcome Anna 4 last 0");
        self.take_received(laptop);
        (laptop, phone)
    }

    /// Joins as anna with this key. Returns the connection, and the messages of the replay.
    fn come_back(&mut self, key: u8) -> (ConnectionId, Vec<String>) {
        let (connection, context) = self.greet_for_proof();
        let proof = Some(Box::new(key_pair(key).prove(&context)));
        self.send(connection, Join { proof, ..join("anna", &[]) });
        let messages = self.take_messages(connection);
        (connection, messages)
    }

    /// Returns the summaries of the messages that a client has received.
    fn take_messages(&mut self, client: ConnectionId) -> Vec<String> {
        let summaries = self.take_summaries(client).into_iter();
        summaries.filter(|it| it.contains(": ") || it == "closed").collect()
    }
}

/// Others see one user, who comes with the first device and goes with the last.
#[test]
fn devices_are_one_member() {
    let mut harness = Harness::with(open());
    let (bob, _) = harness.join("bob", &[]);
    harness.advance(5_000);
    harness.take_received(bob);
    let (laptop, phone) = harness.anna_on_two_devices();
    harness.advance(5_000);
    assert_eq!(harness.take_summaries(bob), [r#"presence lobby 0 2 +["Anna"] -["anna"]"#]);
    harness.send(bob, members(1, "lobby", ""));
    assert_eq!(harness.take_summaries(bob), [r#"roster lobby 0 2 ["Anna", "bob"]"#]);
    harness.send(bob, say(1, "tea?"));
    for client in [bob, laptop, phone] {
        assert_eq!(harness.take_messages(client), ["4:lobby bob: tea? (0)"]);
    }
    harness.send(phone, say(1, "yes"));
    harness.send(laptop, say(1, "please"));
    for client in [laptop, phone] {
        let expected = ["5:lobby Anna: yes (0)", "6:lobby anna: please (0)"];
        assert_eq!(harness.take_messages(client), expected);
    }
    harness.take_received(bob);
    harness.disconnect(laptop);
    harness.advance(5_000);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.disconnect(phone);
    harness.advance(5_000);
    assert_eq!(harness.take_summaries(bob), [r#"presence lobby 0 1 +[] -["Anna"]"#]);
    assert_eq!(harness.come("anna", None, None).1, "name_claimed 2 0");
    harness.check_fold();
}

/// A direct message goes to all devices, and so does what one of them writes; also later, to a
/// device that was away, after a restart, and when its session has ended.
#[test]
fn direct_messages_are_the_persons() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let (bob, _) = harness.join("bob", &[]);
    harness.send(bob, direct("anna", 0, 1, "psst"));
    harness.send(phone, direct("bob", 0, 1, "what?"));
    for client in [laptop, phone] {
        let expected = ["4:bob>anna: psst (0)", "5:Anna>bob: what? (0)"];
        assert_eq!(harness.take_messages(client), expected);
    }
    harness.take_received(bob);
    // The number of the person and those of all sessions mean anna; bob's own does not.
    for (number, told) in [(1, "6:bob>anna"), (2, "7:bob>anna"), (3, "recipient_changed 4")] {
        harness.send(bob, direct("anna", number, number + 1, "there?"));
        let summaries = harness.take_summaries(bob);
        assert!(summaries[0].starts_with(told), "{number} {summaries:?}");
    }
    harness.disconnect(laptop);
    harness.disconnect(phone);
    // A week later nobody has a session any more.
    for after_restart in [false, true] {
        if after_restart {
            harness.restart(open(), 5_000);
        } else {
            harness.advance(7 * 24 * 60 * 60 * 1_000);
        }
        for key in [1, 2] {
            let (device, messages) = harness.come_back(key);
            assert_eq!(messages.len(), 4, "{messages:?}");
            assert_eq!(messages[..2], ["4:bob>anna: psst (1)", "5:Anna>bob: what? (1)"]);
            harness.disconnect(device);
        }
    }
    let (carl, _) = harness.join("carl", &[]);
    harness.send(carl, direct("anna", 0, 1, "you are away"));
    assert_eq!(harness.take_messages(carl), ["9:carl>anna: you are away (0)"]);
    let (_, messages) = harness.come_back(1);
    assert_eq!(messages.last().unwrap(), "9:carl>anna: you are away (1)");
}

/// A link code is good once, for five minutes, under the claimed name, with a key; and a newer one
/// ends it.
#[test]
fn link_code_is_good_once_and_for_five_minutes() {
    let mut harness = Harness::with(open());
    let laptop = harness.claim_anna();
    let try_link = |harness: &mut Harness, name: &str, key, code| {
        let (client, first) = harness.come(name, key, Some(code));
        harness.disconnect(client);
        first
    };
    let refused = "invite_invalid 2 0";
    assert_eq!(try_link(&mut harness, "anna", Some(2), 50), refused, "nobody has made it");
    assert_eq!(harness.ask(laptop, link(50)), ["done 20 1"]);
    assert_eq!(try_link(&mut harness, "carl", Some(2), 50), refused, "another name");
    assert_eq!(try_link(&mut harness, "anna", None, 50), refused, "no key");
    assert_eq!(harness.ask(laptop, link(51)), ["done 20 1"]);
    assert_eq!(try_link(&mut harness, "anna", Some(2), 50), refused, "a newer one");
    harness.advance(299_999);
    assert!(try_link(&mut harness, "anna", Some(2), 51).starts_with("welcome anna"));
    assert!(try_link(&mut harness, "anna", Some(2), 51).starts_with("welcome anna"), "again");
    assert_eq!(try_link(&mut harness, "anna", Some(3), 51), refused, "used");
    let (laptop, _) = harness.come("anna", Some(1), None);
    assert_eq!(harness.ask(laptop, link(52)), ["done 20 1"]);
    harness.advance(300_000);
    let (laptop, _) = harness.come("anna", Some(1), None);
    assert_eq!(try_link(&mut harness, "anna", Some(3), 52), refused, "too late");
    for number in 60..67 {
        assert_eq!(harness.ask(laptop, link(number)), ["done 20 1"]);
        let expected = if number < 66 { "welcome anna 4 last 0" } else { refused };
        assert_eq!(try_link(&mut harness, "anna", Some(number), number), expected, "{number}");
    }
    let (bob, _) = harness.come("bob", Some(9), None);
    assert_eq!(harness.ask(bob, link(70)), ["cannot_claim 20 8"], "no claim");
    harness.check_fold();
}

/// Unlinking leaves the name to the device that asks: here to the second one, because the first is
/// lost.
#[test]
fn lost_device_is_unlinked() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    assert_eq!(harness.claim(phone, claim_action::UNLINK_OTHERS), "done 20 1");
    assert_eq!(harness.take_summaries(laptop), ["removed 0 0", "closed"]);
    assert_eq!(harness.come("anna", Some(1), None).1, "name_claimed 2 0");
    harness.send(phone, say(1, "alone"));
    assert_eq!(harness.take_messages(phone), ["5:lobby Anna: alone (0)"]);
    let (bob, _) = harness.join("bob", &[]);
    harness.send(bob, direct("anna", 0, 1, "psst"));
    assert_eq!(harness.take_messages(phone), ["6:bob>anna: psst (0)"]);
    harness.disconnect(phone);
    let (phone, welcome) = harness.come("anna", Some(2), None);
    assert_eq!(welcome, "welcome anna 4 last 0");
    assert_eq!(harness.claim(phone, claim_action::GIVE_UP), "done 20 1");
    harness.disconnect(phone);
    assert_eq!(harness.come("anna", None, None).1, "welcome anna 4 last 0");
    harness.check_fold();
}

/// A role, a mute and a ban of a person hold on all devices; the role is that of the session which
/// has claimed the name.
#[test]
fn moderation_goes_by_person() {
    let mut harness = Harness::with(open());
    let set_role = |role| ModerationRequest::SetRole { scope: scope(""), user: user("anna"), role };
    let (laptop, _) = harness.come("anna", Some(1), None);
    assert_eq!(harness.owner(set_role(Some(Role::Moderator))), Ok(1));
    assert_eq!(harness.claim(laptop, claim_action::CLAIM), "done 20 1");
    assert_eq!(harness.ask(laptop, link(50)), ["done 20 1"]);
    let (phone, _) = harness.come("anna", Some(2), Some(50));
    harness.join("bob", &[]);
    assert_eq!(harness.ask(phone, moderate(1, action::MUTE, "", "bob")), ["done 15 1"]);
    assert_eq!(harness.owner(set_role(None)), Ok(1));
    assert_eq!(harness.ask(phone, moderate(2, action::UNMUTE, "", "bob")), ["not_permitted 15 2"]);
    harness.take_received(laptop);
    let ban = |username: &str| ModerationRequest::Ban {
        scope: scope(""),
        user: user(username),
        length: crate::model::SanctionLength::FOREVER,
        by_address: false,
        is_dry_run: false,
        reason: None,
    };
    assert_eq!(harness.owner(ban("anna")), Ok(2));
    for device in [laptop, phone] {
        assert_eq!(harness.take_summaries(device).last().unwrap(), "closed");
    }
    for (name, key) in [("anna", 1), ("anna", 2), ("carl", 1), ("carl", 2)] {
        assert_eq!(harness.come(name, Some(key), None).1, "banned 2 0", "{name} {key}");
    }
    harness.check_fold();
}
