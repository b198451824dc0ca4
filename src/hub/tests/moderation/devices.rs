//! Several devices of one person under one claimed name.

use super::super::proofs::key_pair;
use super::identity::{code, settings};
use super::*;
use crate::hub::Quota;
use crate::model::{Access, ClaimPolicy, HubSettings, PageUrl, RoomSetting, SlowMode, Token};
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

/// Returns the token of the session that has begun on a connection.
fn token_of(connection: ConnectionId) -> Token {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&connection.0.to_be_bytes());
    Token(token)
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

    /// Lets the log commit nothing until [`Self::let_log_go`], except when a test tells it to.
    fn hold_log(&mut self) {
        (self.manual_log, self.delays_volatile) = (true, true);
    }

    /// Lets the log commit everything again: messages and facts last.
    fn let_log_go(&mut self) {
        (self.manual_log, self.delays_volatile) = (false, false);
        self.run_log();
    }

    /// Unlinks all devices of anna but this one.
    fn unlink_others(&mut self, device: ConnectionId) {
        self.take_received(device);
        assert_eq!(self.claim(device, claim_action::UNLINK_OTHERS), "done 20 1");
    }

    /// Releases the claim on anna, as the command line does.
    fn release_anna(&mut self) {
        let username = Username::new("anna").unwrap();
        assert_eq!(self.owner(ModerationRequest::ReleaseClaim { username }), Ok(1));
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

/// The answer about a claim has the URL of the page, if there is one. Other answers do not have it.
#[test]
fn answer_about_a_claim_names_the_page() {
    let mut harness = Harness::with(open());
    let laptop = harness.claim_anna();
    harness.send(laptop, say(1, "oops"));
    let mut page_of = |url: Option<&str>, frame: ClientFrame| {
        let url = url.and_then(|it| PageUrl::new(it.to_owned()));
        harness.input(Input::PageUrl(url));
        harness.take_received(laptop);
        harness.send(laptop, frame);
        let received = harness.take_received(laptop);
        let page = |it: &ClientEvent| match it {
            ClientEvent::Frame(ServerFrame::Done(it)) => Some(it.page.clone()),
            _ => None,
        };
        received.iter().find_map(page).unwrap()
    };
    let url = "http://pi.local:2480/";
    assert_eq!(page_of(Some(url), link(50).into()), url);
    assert_eq!(page_of(None, link(51).into()), "");
    let (reference, room, sequence) = (Reference(9), "lobby".to_owned(), Sequence(2));
    let remove = Remove { reference, room, sequence, reason: String::new() };
    assert_eq!(page_of(Some(url), remove.into()), "");
}

/// The other devices that are there are told that one has come: not those of others, not the one that
/// comes, and nobody when it comes again.
#[test]
fn devices_are_told_of_another_one() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let (bob, _) = harness.join("bob", &[]);
    harness.take_received(phone);
    assert_eq!(harness.ask(laptop, link(51)), ["done 20 1"]);
    for client in [laptop, phone, bob] {
        harness.take_received(client);
    }
    let (tablet, context) = harness.greet_for_proof();
    let proof = Some(Box::new(key_pair(3).prove(&context)));
    let invite = Some(code(51).to_string());
    harness.send(tablet, Join { proof, invite, ..join("anna", &[]) });
    assert_eq!(harness.take_summaries(laptop), ["notice 10"]);
    assert_eq!(harness.take_summaries(phone), ["notice 10"]);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    let of_tablet = harness.take_summaries(tablet);
    assert!(of_tablet[0].starts_with("welcome anna"), "{of_tablet:?}");
    assert!(!of_tablet.contains(&"notice 10".to_owned()), "{of_tablet:?}");
    harness.disconnect(tablet);
    harness.come_back(3);
    assert_eq!(harness.take_summaries(laptop), [""; 0]);
    assert_eq!(harness.take_summaries(phone), [""; 0]);
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

/// What one device has said, another one may take back.
#[test]
fn message_is_removed_from_another_device() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let (bob, _) = harness.join("bob", &[]);
    // The number of the other device is the person's.
    harness.send(phone, say(1, "oops"));
    let said = harness.head().0;
    assert_eq!(harness.ask(bob, remove(1, "lobby", said, "")), ["not_permitted 13 1"]);
    assert_eq!(harness.ask(laptop, remove(1, "lobby", said, "")), ["done 13 1"]);
    let (_, messages) = harness.come_back(1);
    assert!(!messages.iter().any(|it| it.contains("oops")), "{messages:?}");
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
    assert_eq!(harness.owner(ban("anna")), Ok(1), "one user");
    for device in [laptop, phone] {
        assert_eq!(harness.take_summaries(device).last().unwrap(), "closed");
    }
    for (name, key) in [("anna", 1), ("anna", 2), ("carl", 1), ("carl", 2)] {
        assert_eq!(harness.come(name, Some(key), None).1, "banned 2 0", "{name} {key}");
    }
    harness.check_fold();
}

/// Whoever leaves last is told by the name that was shown, in whatever spelling they left.
#[test]
fn last_device_leaves_under_the_name_that_was_shown() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let (bob, _) = harness.join("bob", &[]);
    harness.advance(5_000);
    harness.send(bob, members(1, "lobby", ""));
    assert_eq!(harness.take_summaries(bob).pop().unwrap(), r#"roster lobby 0 2 ["Anna", "bob"]"#);
    harness.disconnect(phone);
    harness.disconnect(laptop);
    harness.advance(5_000);
    assert_eq!(harness.take_summaries(bob), [r#"presence lobby 0 1 +[] -["Anna"]"#]);
}

/// A session that has claimed a name and is unlinked has the number of the person no longer: under
/// no name does it get their messages or have their role, connected or not, also after a restart,
/// and when the claim has ended.
#[test]
fn unlinked_first_device_is_nobody() {
    for (is_renamed, restarts) in [(false, false), (true, false), (false, true)] {
        let mut harness = Harness::with(open());
        let (laptop, phone) = harness.anna_on_two_devices();
        harness.promote("", "anna", Role::Moderator);
        let (bob, _) = harness.join("bob", &[]);
        harness.send(bob, direct("anna", 0, 1, "early"));
        let lost = if is_renamed {
            let token = Some(token_of(laptop));
            let (lost, welcome) = harness.come_with("otto", Some(1), None, token);
            assert_eq!(welcome, "welcome otto 5 last 0");
            lost
        } else {
            laptop
        };
        harness.unlink_others(phone);
        assert_eq!(harness.take_summaries(lost).pop().unwrap(), "closed");
        if restarts {
            // As if the server had stopped before it could delete the session.
            harness.deleted_sessions.clear();
            harness.restart(open(), 1_000);
        }
        for name in ["otto", "emil"] {
            let token = Some(token_of(laptop));
            let (lost, welcome) = harness.come_with(name, Some(1), None, token);
            assert_eq!(welcome, format!("welcome {name} 4 last 0"), "a new session");
            let messages = harness.take_messages(lost);
            assert!(messages.iter().all(|it| !it.contains(">anna")), "{messages:?}");
            let (bob, _) = harness.come("bob", None, None);
            harness.send(bob, direct("anna", 0, 9, "late"));
            assert_eq!(harness.take_messages(lost), [""; 0]);
            let refused = ["not_permitted 15 2"];
            assert_eq!(harness.ask(lost, moderate(2, action::MUTE, "", "bob")), refused);
            harness.disconnect(lost);
            if name == "otto" {
                harness.release_anna();
            }
        }
        harness.check_fold();
    }
}

/// A `join` of the device that has claimed the name is on its way when it is unlinked.
#[test]
fn unlinked_first_device_cannot_come_in_at_that_moment() {
    for name in ["otto", "anna"] {
        let mut harness = Harness::with(open());
        let (laptop, phone) = harness.anna_on_two_devices();
        harness.disconnect(laptop);
        harness.hold_log();
        let token = Some(token_of(laptop));
        let (lost, _) = harness.come_with(name, Some(1), None, token);
        harness.send(phone, identity::claim(9, claim_action::UNLINK_OTHERS));
        harness.commit(1);
        harness.let_log_go();
        let (bob, _) = harness.join("bob", &[]);
        harness.send(bob, direct("anna", 0, 1, "psst"));
        let summaries = harness.take_summaries(lost);
        match name {
            "otto" => assert_eq!(summaries[0], "welcome otto 4 last 0", "a new session"),
            _ => assert_eq!(summaries, ["name_claimed 2 0"]),
        }
        assert!(summaries.iter().all(|it| !it.contains("psst")), "{summaries:?}");
    }
}

/// A device whose claim has ended keeps the name until it leaves, and nothing else: also when the
/// session with the number of the person claims another name.
#[test]
fn device_of_an_ended_claim_is_nobody() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    harness.promote("", "anna", Role::Moderator);
    assert_eq!(harness.claim(laptop, claim_action::GIVE_UP), "done 20 1");
    let token = Some(token_of(laptop));
    let (laptop, _) = harness.come_with("otto", Some(1), None, token);
    assert_eq!(harness.claim(laptop, claim_action::CLAIM), "done 20 1");
    let (bob, _) = harness.join("bob", &[]);
    harness.take_received(phone);
    harness.send(bob, direct("otto", 0, 1, "psst"));
    assert_eq!(harness.take_messages(phone), [""; 0]);
    let refused = ["not_permitted 15 2"];
    assert_eq!(harness.ask(phone, moderate(2, action::MUTE, "", "bob")), refused);
    harness.send(phone, direct("bob", 0, 1, "me?"));
    assert_eq!(harness.log.last().unwrap().draft.person, None);
    harness.check_fold();
}

/// When one of the devices of an ended claim claims the name again, the others lose it.
#[test]
fn claim_ends_other_sessions_with_the_name() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    harness.release_anna();
    assert_eq!(harness.come("anna", Some(3), None).1, "name_taken 2 0");
    assert_eq!(harness.claim(phone, claim_action::CLAIM), "done 20 1");
    assert_eq!(harness.take_summaries(laptop).pop().unwrap(), "closed");
    assert_eq!(harness.come("anna", Some(1), None).1, "name_claimed 2 0");
    harness.disconnect(phone);
    assert_eq!(harness.come("anna", Some(2), None).1, "welcome anna 4 last 0");
}

/// The claim ends while a session is on its way back to the name, from another connection and
/// name: it does not stay in its rooms without a name.
#[test]
fn claim_that_ends_takes_the_name_of_a_join_on_its_way() {
    for is_alone in [false, true] {
        let mut harness = Harness::with(open());
        let (laptop, phone) = harness.anna_on_two_devices();
        let token = Some(token_of(laptop));
        let (otto, _) = harness.come_with("otto", Some(1), None, token);
        harness.take_received(otto);
        if is_alone {
            harness.disconnect(phone);
        }
        harness.hold_log();
        let (back, _) = harness.come_with("anna", Some(1), None, token);
        let request = ModerationRequest::ReleaseClaim { username: Username::new("anna").unwrap() };
        harness.input(Input::Moderate { id: OwnerRequestId(8), request });
        harness.commit(1);
        harness.let_log_go();
        // Alone, the session has got the name; it leaves its old one, and its rooms.
        let refused = if is_alone { "name_claimed 2 0" } else { "name_taken 2 0" };
        assert_eq!(harness.take_summaries(back), [refused]);
        let is_closed = harness.take_summaries(otto).last().is_some_and(|it| it == "closed");
        assert_eq!(is_closed, is_alone);
        let otto = if is_alone { "welcome otto 4 last 0" } else { "name_taken 2 0" };
        assert_eq!(harness.come("otto", None, None).1, otto);
    }
}

/// A link code whose five minutes end while the `join` is on its way links nobody, and lets nobody
/// in.
#[test]
fn link_code_that_ends_on_the_way_lets_nobody_in() {
    let mut harness = Harness::with(open());
    let laptop = harness.claim_anna();
    assert_eq!(harness.ask(laptop, link(50)), ["done 20 1"]);
    harness.advance(299_999);
    harness.manual_log = true;
    let (phone, first) = harness.come("anna", Some(2), Some(50));
    assert_eq!(first, "");
    harness.advance(1);
    harness.manual_log = false;
    harness.run_log();
    assert_eq!(harness.take_summaries(phone), ["invite_invalid 2 0"]);
    let username = Username::new("anna").unwrap();
    assert_eq!(harness.moderation.device_count(username.key()), 1);
}

/// Two joins with one code: the first one that the log stores links its device.
#[test]
fn link_code_is_for_the_first_of_two() {
    for same_key in [false, true] {
        let mut harness = Harness::with(open());
        let laptop = harness.claim_anna();
        assert_eq!(harness.ask(laptop, link(50)), ["done 20 1"]);
        harness.manual_log = true;
        let (first, _) = harness.come("anna", Some(2), Some(50));
        let (second, _) = harness.come("anna", Some(if same_key { 2 } else { 3 }), Some(50));
        harness.manual_log = false;
        harness.run_log();
        assert_eq!(harness.take_summaries(first)[0], "welcome anna 4 last 0");
        let expected = if same_key { "welcome anna 4 last 0" } else { "invite_invalid 2 0" };
        assert_eq!(harness.take_summaries(second)[0], expected);
        harness.check_fold();
    }
}

/// What the log cannot store links nobody; and a code is worth nothing when the person unlinks, or
/// gives up the claim, before the log has stored the link.
#[test]
fn link_on_its_way_can_fail() {
    for what in [claim_action::UNLINK_OTHERS, claim_action::GIVE_UP, 0] {
        let mut harness = Harness::with(open());
        let laptop = harness.claim_anna();
        assert_eq!(harness.ask(laptop, link(50)), ["done 20 1"]);
        harness.manual_log = true;
        if what != 0 {
            harness.send(laptop, identity::claim(9, what));
        }
        let (phone, _) = harness.come("anna", Some(2), Some(50));
        if what == 0 {
            assert!(harness.reject_draft());
        }
        harness.manual_log = false;
        harness.run_log();
        let expected = if what == 0 { "not_stored 2 0" } else { "invite_invalid 2 0" };
        assert_eq!(harness.take_summaries(phone), [expected], "{what}");
        let username = Username::new("anna").unwrap();
        assert!(harness.moderation.devices(username.key()).next().is_none());
        harness.disconnect(phone);
        harness.disconnect(laptop);
        harness.advance(60_000);
        assert!(harness.hub.names.is_empty(), "{what}");
        harness.check_fold();
    }
}

/// The session of a device that is away means its person: who answers it reaches them.
#[test]
fn session_that_is_away_means_its_person() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let (bob, _) = harness.join("bob", &[]);
    harness.send(phone, direct("bob", 0, 1, "call me"));
    harness.disconnect(phone);
    harness.take_received(laptop);
    harness.send(bob, direct("anna", 2, 1, "I do"));
    assert_eq!(harness.take_messages(laptop), ["5:bob>anna: I do (0)"]);
}

/// Slow mode counts the messages of all devices of a person together.
#[test]
fn slow_mode_counts_all_devices() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    let setting = RoomSetting::SlowMode(SlowMode::from_seconds(20).unwrap());
    let room = RoomName::lobby();
    assert_eq!(harness.owner(ModerationRequest::SetRoom { room, setting }), Ok(1));
    harness.take_received(phone);
    harness.send(laptop, say(1, "one"));
    harness.take_received(phone);
    harness.send(phone, say(1, "two"));
    assert_eq!(harness.take_error(phone).code, ErrorCode::TooSoon.number());
    harness.advance(20_000);
    harness.send(phone, say(2, "two"));
    assert_eq!(harness.take_messages(phone), ["6:lobby Anna: two (0)"]);
}

/// Link codes count as claims for the address that asks for them; to unlink nothing needs no fact.
#[test]
fn link_codes_of_an_address_are_bounded() {
    let mut harness = Harness::with(open());
    let laptop = harness.claim_anna();
    for number in 0..31 {
        assert_eq!(harness.ask(laptop, link(number)), ["done 20 1"]);
        harness.advance(1_000);
    }
    harness.take_received(laptop);
    harness.send(laptop, link(40));
    let error = harness.take_error(laptop);
    assert!(error.code == 317 && error.text.contains("in an hour"), "{error:?}");
    assert_eq!(harness.reached_quotas.last().unwrap().1, Quota::Claims);
    harness.unlink_others(laptop);
    let facts = harness.facts.len();
    for _ in 0..3 {
        harness.unlink_others(laptop);
        harness.advance(1_000);
    }
    assert_eq!(harness.facts.len(), facts);
}

/// Who has sent a direct message gets its echo, also if their claim ends before the log has stored
/// it.
#[test]
fn message_on_its_way_is_answered_when_the_claim_ends() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    harness.join("bob", &[]);
    harness.hold_log();
    let username = Username::new("anna").unwrap();
    let request = ModerationRequest::ReleaseClaim { username };
    harness.input(Input::Moderate { id: OwnerRequestId(8), request });
    harness.take_received(phone);
    harness.send(phone, direct("bob", 0, 1, "psst"));
    harness.let_log_go();
    assert_eq!(harness.take_messages(phone), ["5:Anna>bob: psst (0)"]);
    harness.disconnect(laptop);
}

/// A claim is on its way when its user leaves. Who comes next under the name is let in only with the
/// key, and is then the person.
#[test]
fn claim_on_its_way_is_for_its_key() {
    for key in [Some(1), Some(2), None] {
        let mut harness = Harness::with(open());
        let (anna, _) = harness.come("anna", Some(1), None);
        harness.hold_log();
        harness.send(anna, identity::claim(9, claim_action::CLAIM));
        harness.disconnect(anna);
        let (next, _) = harness.come("anna", key, None);
        harness.commit(1);
        harness.let_log_go();
        if key == Some(1) {
            assert_eq!(harness.take_summaries(next)[0], "welcome anna 4 last 0");
            assert_eq!(harness.ask(next, link(50)), ["done 20 1"]);
            let (phone, _) = harness.come("anna", Some(2), Some(50));
            harness.send(phone, say(1, "me"));
            assert_eq!(harness.take_messages(next), ["4:lobby anna: me (0)"]);
        } else {
            assert_eq!(harness.take_summaries(next), ["name_claimed 2 0"], "{key:?}");
        }
    }
}

/// A device that makes a link code while another one unlinks it gets none: it does not come back by
/// that.
#[test]
fn unlinked_device_makes_no_link_code_at_that_moment() {
    let mut harness = Harness::with(open());
    let (laptop, phone) = harness.anna_on_two_devices();
    harness.hold_log();
    harness.send(phone, identity::claim(9, claim_action::UNLINK_OTHERS));
    harness.send(laptop, link(51));
    harness.let_log_go();
    assert_eq!(harness.take_summaries(laptop).pop().unwrap(), "closed");
    assert_eq!(harness.come("anna", Some(4), Some(51)).1, "invite_invalid 2 0");
    harness.check_fold();
}

/// A device whose claim ends while it is joining loses its connection: it gets no message to whoever
/// has the person's number from then on.
#[test]
fn joining_device_of_an_ended_claim_loses_its_connection() {
    for read_comes_first in [false, true] {
        let mut harness = Harness::with(open());
        let (laptop, phone) = harness.anna_on_two_devices();
        let (bob, _) = harness.join("bob", &[]);
        harness.disconnect(phone);
        let (laptop, _) = harness.come_with("otto", Some(1), None, Some(token_of(laptop)));
        harness.manual_log = true;
        let (phone, _) = harness.come("anna", Some(2), None);
        if read_comes_first {
            harness.perform_read();
        }
        let username = Username::new("anna").unwrap();
        let request = ModerationRequest::ReleaseClaim { username };
        harness.input(Input::Moderate { id: OwnerRequestId(8), request });
        harness.commit(1);
        harness.send(bob, direct("otto", 0, 1, "secret"));
        harness.send(bob, direct("anna", 0, 2, "hello"));
        harness.commit(2);
        harness.let_log_go();
        assert_eq!(harness.take_messages(laptop), ["5:bob>otto: secret (0)"]);
        assert_eq!(harness.take_messages(phone), ["closed"], "{read_comes_first}");
    }
}
