//! Tests of the renderer.

use proptest::prelude::*;
use unicode_width::UnicodeWidthChar;

use super::*;
use std::time::Duration;

use crate::l10n::Language;
use crate::l10n::tests::with_language;
use crate::model::{
    ListedRoom, ListedSanction, ModerationCommand, ModerationEvent, NoticeCode, Place, RequestTag,
    Retention, Role, RoomSelector, RosterStatus, SanctionKind, Sanctioning, SearchRequest,
    SearchResult, Sequence, SessionId, UserAction,
};
use crate::ui::safe::is_unsafe_char;

/// Returns a renderer in UTC, not for a terminal, for a user named Anna.
fn test_renderer() -> Renderer {
    let view = SharedViewState::default();
    view.with(|it| it.own_name = Some("Anna".to_owned()));
    Renderer::new(LocalTimeZone::from_posix("UTC0"), false, view)
}

/// Returns a message with this author and text.
fn message_from(from: &str, text: &str) -> Message {
    Message {
        sequence: Sequence(1),
        time: Timestamp(1_795_384_987_123),
        late: false,
        room: "lobby".to_owned(),
        session: SessionId(2),
        from: from.to_owned(),
        style: Style::SAID,
        text: text.to_owned(),
        history: false,
        requested: false,
        own: false,
        person: None,
        lamport: None,
        tag: RequestTag::default(),
    }
}

/// Renders an event and joins its lines.
fn shown(renderer: &mut Renderer, event: &Event) -> String {
    renderer.render(event).iter().map(|it| it.text.clone()).collect::<Vec<_>>().join("\n")
}

/// Messages are rendered with time, style, room and date changes.
#[test]
fn messages_are_rendered() {
    let mut renderer = test_renderer();
    let mut message = message_from("bob", "hello\nthere");
    let text = shown(&mut renderer, &Event::Message(message.clone()));
    assert_eq!(text, "[22:03:07] bob: hello\n         | there");
    message.style = Style::ACTION;
    message.text = "waves".to_owned();
    message.history = true;
    let text = shown(&mut renderer, &Event::Message(message.clone()));
    assert_eq!(text, "~[22:03:07] * bob waves");
    message.time.0 += 86_400_000;
    renderer.view.with(|it| it.rooms = vec!["lobby".to_owned(), "garden".to_owned()]);
    let text = shown(&mut renderer, &Event::Message(message));
    assert_eq!(text, "-- Monday, 2026-11-23\n~[22:03:07] #lobby * bob waves");
}

/// In a history, a line stands before the first message that somebody else has written since the
/// user looked, on any device; once for each room, and only where that is known.
#[test]
fn line_stands_before_what_is_new() {
    let mut renderer = test_renderer();
    renderer.view.with(|it| it.rooms = vec!["lobby".to_owned()]);
    let mark = |room: &str, sequence| Event::ReadMark {
        room: Some(room.to_owned()),
        sequence: Sequence(sequence),
    };
    let old = |sequence, own| {
        let sequence = Sequence(sequence);
        let message = Message { sequence, own, history: true, ..message_from("bob", "hi") };
        Event::Message(message)
    };
    let is_marked = |renderer: &mut Renderer, event: &Event| {
        shown(renderer, event).starts_with("-- new since you looked:\n")
    };
    assert_eq!(shown(&mut renderer, &mark("lobby", 7)), "");
    shown(&mut renderer, &mark("attic", 7));
    let marked = [(6, false), (7, false), (8, true), (9, false), (10, false)]
        .map(|(sequence, own)| is_marked(&mut renderer, &old(sequence, own)));
    assert_eq!(marked, [false, false, false, true, false]);
    assert!(renderer.read_marks.is_empty(), "the user is not in the attic");
    let end =
        Event::HistoryEnd { tag: RequestTag::default(), room: None, more: false, requested: false };
    shown(&mut renderer, &mark("lobby", 7));
    shown(&mut renderer, &end);
    assert!(!is_marked(&mut renderer, &old(11, false)));
}

/// Returns a renderer for a user who ignores these names.
fn renderer_ignoring(names: &[&str]) -> Renderer {
    let renderer = test_renderer();
    renderer.ignore_list.open(None).unwrap();
    for name in names {
        renderer.ignore_list.add(name, None).unwrap();
    }
    renderer
}

/// Nothing is shown of what others write under an ignored name, and no bell rings. Where old
/// messages are hidden, the end of the history says how many.
#[test]
fn messages_of_ignored_names_are_hidden() {
    let mut renderer = renderer_ignoring(&["BOB"]);
    let mut show = |event: Event| shown(&mut renderer, &event);
    let live = message_from("bob", "hey anna");
    assert_eq!(show(Event::Message(live.clone())), "");
    assert_eq!(show(Event::Message(message_from("bobby", "hi"))), "[22:03:07] bobby: hi");
    let own = Message { own: true, ..live.clone() };
    assert_eq!(show(Event::Message(own)), "[22:03:07] bob: hey anna");
    // A hidden message of another day shows no date either.
    let old = Message { history: true, time: Timestamp(0), ..live };
    let end = |more| Event::HistoryEnd {
        tag: RequestTag::default(),
        room: Some("lobby".to_owned()),
        more,
        requested: true,
    };
    assert_eq!(show(Event::Message(old.clone())), "");
    assert_eq!(show(Event::Message(old)), "");
    assert_eq!(show(end(true)), "-- 2 messages are not shown, because you ignore their authors");
    assert_eq!(show(end(false)), "-- that is all of #lobby");
    let direct = |own, from: &str, to: &str| {
        Event::Direct(DirectMessage {
            sequence: Sequence(1),
            time: Timestamp(1_795_384_987_123),
            from_session: SessionId(2),
            from_person: None,
            from: from.to_owned(),
            to_session: SessionId(3),
            to: to.to_owned(),
            style: Style::SAID,
            text: "psst".to_owned(),
            history: false,
            own,
            tag: RequestTag::default(),
        })
    };
    assert_eq!(show(direct(false, "Bob", "Anna")), "");
    assert!(show(direct(true, "Anna", "bob")).ends_with("(direct) you -> bob: psst"));
}

/// The coming and going of ignored names is not shown. A member list shows them, as ignored; so
/// does the welcome.
#[test]
fn presence_of_ignored_names_is_hidden() {
    let mut renderer = renderer_ignoring(&["bob"]);
    let names = |it: &[&str]| Some(it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let mut presence = |joined: &[&str], left: &[&str]| {
        let (room, joined, left) = ("lobby".to_owned(), names(joined), names(left));
        shown(&mut renderer, &Event::Presence { room, members: 3, joined, left })
    };
    assert_eq!(presence(&["Bob", "eve"], &[]), "-- eve joined");
    assert_eq!(presence(&[], &["BOB"]), "");
    let roster = Event::Roster {
        tag: RequestTag::default(),
        room: "lobby".to_owned(),
        members: 2,
        names: names(&["Anna", "bob"]),
        notes: None,
        requested: true,
    };
    assert_eq!(shown(&mut renderer, &roster), "-- here: Anna, bob (ignored) (2)");
    let mut text = Vec::new();
    renderer.render_ignored_names(&mut text);
    assert_eq!(text[0].text, "-- you ignore bob, so what they write is not shown");
}

/// A search result does not show messages of ignored names, but counts them.
#[test]
fn search_results_of_ignored_names_are_hidden() {
    let mut renderer = renderer_ignoring(&["bob"]);
    let text = "tea".to_owned();
    let mut found = SearchResult {
        tag: RequestTag::default(),
        search: SearchRequest { text, ..SearchRequest::default() },
        messages: ["bob", "eve"].map(|it| message_from(it, "tea")).to_vec(),
        more: false,
    };
    let lines = shown(&mut renderer, &Event::SearchResult(found.clone()));
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "-- 2 messages with tea:"));
    assert!(lines[1].contains("#lobby eve: tea"), "{lines:?}");
    assert_eq!(lines[2], "-- 1 message is not shown, because you ignore its author");
    found.messages.truncate(1);
    let lines = shown(&mut renderer, &Event::SearchResult(found.clone()));
    assert!(!lines.contains("bob"), "{lines}");
    // Who looks for what they wrote wants to see it.
    found.search.from = Some("BOB".to_owned());
    let lines = shown(&mut renderer, &Event::SearchResult(found));
    assert!(lines.contains("#lobby bob: tea"), "{lines}");
}

/// Late messages are marked, and notices among peers have no `server:` prefix.
#[test]
fn peer_events_are_rendered() {
    let mut renderer = test_renderer();
    renderer.view.with(|it| it.dialect = Dialect::Peers);
    let message = Message { late: true, ..message_from("bob", "hello") };
    let text = shown(&mut renderer, &Event::Message(message));
    assert_eq!(text, "[22:03:07] (late) bob: hello");
    let text = "bob's clock is 7 s slow".to_owned().into();
    let text = shown(&mut renderer, &Event::Notice { code: 4, text });
    assert_eq!(text, "-- bob's clock is 7 s slow");
    let (from, to) = ("anna".to_owned(), "anna-2".to_owned());
    let text = shown(&mut renderer, &Event::Renamed { from, to });
    assert_eq!(
        text,
        "!! Somebody has been called anna for longer than you, so you are called anna-2 now."
    );
    let name = "e\u{202e}ve".to_owned();
    let text = shown(&mut renderer, &Event::AdmissionRequested { name });
    let begin = "-- e\u{fffd}ve wants to come in. Type /yes e\u{fffd}ve or /no e\u{fffd}ve";
    assert!(text.starts_with(begin), "{text}");
}

/// Numbers of people are in the singular and in the plural.
#[test]
fn people_are_counted() {
    let mut renderer = test_renderer();
    let mut entered = |members| {
        let (tag, room) = (RequestTag::default(), "garden".to_owned());
        shown(&mut renderer, &Event::Entered { tag, room, members })
    };
    assert_eq!(entered(1), "-- you are in #garden now; nobody else is here");
    assert_eq!(entered(2), "-- you are in #garden now; 1 other person is here");
    assert_eq!(entered(3), "-- you are in #garden now; 2 other people are here");
    let mut present = |members| {
        let (room, joined, left) = ("lobby".to_owned(), None, None);
        shown(&mut renderer, &Event::Presence { room, members, joined, left })
    };
    assert_eq!(present(1), "-- 1 person is here");
    assert_eq!(present(300), "-- 300 people are here");
}

/// Refusals name the recipient or room, unless the client itself has refused.
#[test]
fn refusals_are_rendered() {
    let mut refusal = Refusal {
        tag: RequestTag::default(),
        code: 306,
        text: "Nobody has this name.".to_owned().into(),
        to: "nob\u{202e}ody".to_owned(),
        message: Some("hi\nthere".to_owned()),
    };
    let text = shown(&mut test_renderer(), &Event::Refused(refusal.clone()));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "!! Nobody here is called “nob\u{fffd}ody”.");
    assert_eq!(lines[1..], ["         | hi", "         | there"]);
    assert!(!text.contains('\u{202e}'));
    for (code, reason) in
        [(0, "Nobody has this name."), (310, "There must be a word in a search, and not too many.")]
    {
        refusal.code = code;
        let text = shown(&mut test_renderer(), &Event::Refused(refusal.clone()));
        assert!(text.starts_with(&format!("!! {reason}\n")), "{text}");
    }
    refusal.code = 301;
    let german = with_language(Language::German, || {
        shown(&mut test_renderer(), &Event::Refused(refusal.clone()))
    });
    let expected = "!! nob\u{fffd}ody: Du bist nicht in diesem Raum.\n";
    assert!(german.starts_with(expected), "{german}");
    for (code, reason) in [(306, "Nobody has this name."), (313, "You may not do this.")] {
        (refusal.code, refusal.to) = (code, String::new());
        let text = shown(&mut test_renderer(), &Event::Refused(refusal.clone()));
        assert!(text.starts_with(&format!("!! {reason}\n")), "{text}");
    }
}

/// Search results show the query. Each message shows its date and room.
#[test]
fn search_results_are_rendered() {
    let mut renderer = test_renderer();
    let text = "hot\u{1b}tea".to_owned();
    let search = SearchRequest { text, limit: 20, ..SearchRequest::default() };
    let mut found =
        SearchResult { tag: RequestTag::default(), search, messages: Vec::new(), more: false };
    let text = shown(&mut renderer, &Event::SearchResult(found.clone()));
    assert_eq!(text, "-- nothing found with hot\u{fffd}tea");
    found.messages.push(Message {
        history: true,
        requested: true,
        ..message_from("bob", "tea\nis hot")
    });
    let text = shown(&mut renderer, &Event::SearchResult(found.clone()));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "-- 1 message with hot\u{fffd}tea:");
    assert_eq!(lines[1], "~[2026-11-22 22:03:07] #lobby bob: tea");
    assert_eq!(lines[2..], ["         | is hot"]);
    found.messages.push(Message { style: Style::ACTION, ..message_from("bob", "waves") });
    found.search = SearchRequest {
        room: Some("lobby".to_owned()),
        from: Some("Bob".to_owned()),
        since: Some(Timestamp(1_795_305_600_000)),
        until: Some(Timestamp(1_795_305_600_000 + 60_000)),
        before: Some(Sequence(7)),
        ..SearchRequest::default()
    };
    found.more = true;
    let text = shown(&mut renderer, &Event::SearchResult(found));
    let lines: Vec<_> = text.lines().collect();
    let heading =
        "-- 2 older messages from Bob in #lobby since 2026-11-22 before 2026-11-22 00:01:";
    assert_eq!(lines[0], heading);
    assert_eq!(lines[3], "~[2026-11-22 22:03:07] #lobby * bob waves");
    assert_eq!(lines[4], "-- there are older ones: type /search to see them");
}

/// Retention is shown at the first welcome and after a change.
#[test]
fn retention_is_shown_once_and_on_change() {
    let mut renderer = test_renderer();
    let mut told = |is_durable, days, messages, bytes| {
        let joined = JoinedServer {
            session: SessionId(1),
            username: "Anna".to_owned(),
            server_name: "attic".to_owned(),
            server_program: String::new(),
            rooms: Vec::new(),
            time: Timestamp(0),
            max_text: 1,
            is_durable,
            retention: Retention { days, messages, bytes },
            session_kept: true,
            position_kept: true,
            log_changed: false,
        };
        let text = shown(&mut renderer, &Event::JoinedServer(joined));
        text.lines().nth(1).map(str::to_owned)
    };
    let line = |line: &str| Some(format!("-- messages are {line}"));
    assert_eq!(told(false, 90, 0, 0), None);
    assert_eq!(told(true, 90, 10_000, 0), line("kept for 90 days, 10,000 in each room"));
    assert_eq!(told(true, 90, 10_000, 0), None);
    assert_eq!(told(true, 1, 0, 2_500_000), line("kept for 1 day, 2.5 MB in all"));
    assert_eq!(told(true, 0, 500, 0), line("kept: 500 in each room"));
    assert_eq!(told(true, 0, 0, 0), line("kept when the server restarts"));
    assert_eq!(told(false, 0, 0, 0), line("not kept when the server restarts"));
    assert_eq!(told(false, 0, 0, 0), None);
}

/// Notices about the server's storage are error lines, so a quiet screen shows them too.
#[test]
fn storage_notices_are_shown_as_errors() {
    let view = SharedViewState::default();
    let mut renderer = Renderer::new(LocalTimeZone::from_posix("UTC0"), true, view);
    let mut notice = |code: NoticeCode| {
        let event = Event::Notice { code: code.number(), text: "so\nit is".to_owned().into() };
        let rendered = renderer.render(&event).remove(0);
        (rendered.text, rendered.kind)
    };
    let plain = "\u{1b}[2m-- server: so it is\u{1b}[0m".to_owned();
    assert_eq!(notice(NoticeCode::Announcement), (plain, LineKind::Chat));
    for code in [NoticeCode::StorageFailing, NoticeCode::StorageSound] {
        assert_eq!(notice(code), ("!! server: so it is".to_owned(), LineKind::Status));
    }
}

/// The user's own name is recognized as a word, in any spelling.
#[test]
fn mentions_ring_the_bell_in_any_spelling() {
    let renderer = test_renderer();
    for text in ["anna?", "hi ANNA.", "@Anna", "ＡＮＮＡ!"] {
        assert!(renderer.mentions_user(text), "{text}");
    }
    for text in ["hannah", "anna-lena", "annas"] {
        assert!(!renderer.mentions_user(text), "{text}");
    }
}

proptest! {
    /// For any message, the first line begins with the time, and every other line begins with the
    /// continuation prefix. No line exceeds the width or has dangerous characters.
    #[test]
    fn no_message_can_imitate_a_line_of_another(
        from in "\\PC{0,10}|[a-z\n\u{1b}\u{202e} :]{0,10}",
        text in "(\\PC|[\n\t\u{1b}\u{9b}\u{202e}\u{2028}a ]){1,300}",
        width in prop::option::of(15_usize..200),
    ) {
        let mut renderer = test_renderer();
        renderer.set_width(width);
        let message = message_from(&from, &text);
        let search = SearchRequest { text: text.clone(), from: Some(from), ..SearchRequest::default() };
        let messages = vec![message.clone()];
        let found = SearchResult { tag: RequestTag::default(), search, messages, more: true };
        let searched = shown(&mut renderer, &Event::SearchResult(found));
        prop_assert!(!searched.chars().any(|c| is_unsafe_char(c) && c != '\n' && c != '\t'));
        let begins = ["-- 1 message ", "~[", CONTINUATION_PREFIX, "-- there are"];
        prop_assert!(searched.split('\n').all(|line| begins.iter().any(|it| line.starts_with(it))));
        let shown = shown(&mut renderer, &Event::Message(message));
        prop_assert!(!shown.chars().any(|c| is_unsafe_char(c) && c != '\n' && c != '\t'));
        let mut lines = shown.split('\n');
        prop_assert!(lines.next().unwrap().starts_with("[22:03:07] "));
        for line in lines {
            prop_assert!(line.starts_with(CONTINUATION_PREFIX));
        }
        if let Some(width) = width {
            for line in shown.split('\n') {
                let columns: usize = line.chars().filter_map(UnicodeWidthChar::width).sum();
                prop_assert!(columns <= width);
            }
        }
    }
}

/// What moderators do is told in lines; what they do to the user stands out.
#[test]
fn moderation_is_rendered() {
    let mut renderer = test_renderer();
    renderer.view.with(|it| it.update(&Event::Message(message_from("bob", "buy pills"))));
    let mut line = |event| shown(&mut renderer, &Event::Moderation(event));
    let text = |text: &str| Some(text.to_owned());
    let removed = |message, by, reason| ModerationEvent::MessageRemoved {
        room: "lobby".to_owned(),
        message: Sequence(message),
        by,
        reason,
    };
    assert_eq!(
        line(removed(1, text("carla"), text("sp\u{1b}am"))),
        "-- what bob said at 22:03:07 was removed, by carla: sp\u{fffd}am"
    );
    assert_eq!(line(removed(9, None, None)), "-- an older message was removed");
    let topic = |topic, is_change| ModerationEvent::Topic {
        room: "lobby".to_owned(),
        topic,
        by: text("carla"),
        time: Timestamp(0),
        is_change,
    };
    assert_eq!(line(topic(text("tea"), false)), "-- topic: tea");
    assert_eq!(line(topic(text("tea"), true)), "-- topic: tea, by carla");
    assert_eq!(line(topic(None, true)), "-- the topic was removed, by carla");
    let modes = |seconds, is_moderated| ModerationEvent::RoomModes {
        room: "lobby".to_owned(),
        slow: Duration::from_secs(seconds),
        is_moderated,
    };
    assert_eq!(
        line(modes(60, false)),
        "-- everybody may talk here, slow mode: 1 minute between two messages"
    );
    assert_eq!(line(modes(0, true)), "-- only moderators may talk here, without slow mode");
    let role = |role, own: bool| ModerationEvent::RoleChanged {
        room: own.then(|| "lobby".to_owned()),
        session: SessionId(1),
        username: "bob".to_owned(),
        role,
        own,
    };
    assert_eq!(line(role(Some(Role::Moderator), true)), "-- you are a moderator of #lobby");
    assert_eq!(line(role(None, false)), "-- bob is no moderator or owner of the server");
    let sanctioned = |action, until| ModerationEvent::Sanctioned {
        action,
        room: text("lobby"),
        by: text("carla"),
        reason: text("spam"),
        until,
    };
    assert_eq!(
        line(sanctioned(Sanctioning::Banned, Some(Timestamp(1_795_385_587_123)))),
        "!! you are banned from #lobby, until 2026-11-22 22:13, by carla: spam"
    );
    assert_eq!(
        line(sanctioned(Sanctioning::Kicked, None)),
        "!! you have been sent out of #lobby, by carla: spam"
    );
    let rooms = vec![ListedRoom { name: "lobby".to_owned(), members: 3, topic: text("tea") }];
    let tag = RequestTag::default;
    assert_eq!(line(ModerationEvent::Rooms { tag: tag(), rooms }), "-- #lobby (3) tea");
    let sanctions = |items| ModerationEvent::Sanctions { tag: tag(), room: None, items };
    assert_eq!(line(sanctions(vec![])), "-- nobody is banned or muted on the server");
    let item = ListedSanction {
        kind: SanctionKind::Ban,
        username: "bob".to_owned(),
        until: None,
        by: None,
        reason: text("spam"),
        by_address: true,
    };
    assert_eq!(line(sanctions(vec![item])), "-- bob: banned with the address: spam");
    let left = Event::Left { tag: tag(), room: "lobby".to_owned(), is_forced: true };
    assert_eq!(shown(&mut renderer, &left), "-- you are no longer in #lobby");
}

/// An answer says what was done, and whether it lasts.
#[test]
fn carried_out_changes_are_rendered() {
    let mut renderer = test_renderer();
    let mut line = |command, affected, is_durable| {
        let tag = RequestTag::default();
        let done = ModerationEvent::Done { tag, command, affected, is_durable };
        shown(&mut renderer, &Event::Moderation(done))
    };
    let on_bob = |action| ModerationCommand::ActOnUser {
        place: Place::Room(RoomSelector::Named("lobby".to_owned())),
        username: "bob".to_owned(),
        session: None,
        action,
        reason: None,
    };
    let ban = |is_dry_run| UserAction::Ban {
        length: "2h".parse().unwrap(),
        by_address: true,
        is_dry_run,
    };
    assert_eq!(
        line(on_bob(ban(true)), 3, false),
        "-- nothing was done yet: this ban would send out 3 people. To do it, add --yes"
    );
    assert_eq!(
        line(on_bob(ban(false)), 1, false),
        "-- bob is banned from #lobby, with their address, for 2 hours; 1 person was sent out; the server forgets it when it restarts"
    );
    assert_eq!(line(on_bob(UserAction::Kick), 1, false), "-- bob is sent out of #lobby");
    let expected = "-- nobody is sent out of #lobby: bob is not there";
    assert_eq!(line(on_bob(UserAction::Kick), 0, false), expected);
    assert_eq!(
        line(on_bob(UserAction::Unban), 0, true),
        "-- nothing was done: bob is not banned from #lobby"
    );
    let role = |role| ModerationCommand::SetRole {
        place: Place::Server,
        username: "bob".to_owned(),
        session: None,
        role,
    };
    assert_eq!(line(role(Some(Role::Owner)), 1, true), "-- bob is an owner of the server");
    let remove = |room| ModerationCommand::Remove { room, message: Sequence(1), reason: None };
    assert_eq!(line(remove(RoomSelector::First), 0, true), "-- that message was already removed");
}

/// Whoever has an invitation for another name is told how to use it, and is not only asked for a
/// code again.
#[test]
fn invitation_for_another_name_says_how_to_use_it() {
    let mut renderer = test_renderer();
    let mut ask = |text: &str| {
        let text = text.to_owned();
        shown(&mut renderer, &Event::InviteWanted { code: 210, text })
    };
    let told = ask("This invitation is for the name bea.");
    assert!(told.starts_with("!! This invitation is for the name bea.\n-- "), "{told}");
    assert!(told.ends_with("with --name bea."), "{told}");
    let expected = "!! This invitation has ended: ask for another one.";
    assert_eq!(ask("This invitation has ended: ask for another one."), expected);
    let hostile = ask("This invitation is for the name b\u{1b}[2J.");
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

/// What the client's engine says is kept, whatever its code: only it knows that the message may have
/// arrived.
#[cfg(feature = "link")]
#[test]
fn refusal_after_a_new_log_says_that_the_message_may_have_arrived() {
    let refused = Event::Refused(Refusal {
        tag: RequestTag::default(),
        code: ErrorCode::RecipientChanged.number(),
        text: crate::model::LinkSentence::FormerLog.into(),
        to: "bob".to_owned(),
        message: Some("hi".to_owned()),
    });
    assert_eq!(
        shown(&mut test_renderer(), &refused),
        "!! bob: The server has a new log, so somebody else may have this name now. The message \
         may have arrived before. Send it again if you like.\n         | hi"
    );
    let german = with_language(Language::German, || shown(&mut test_renderer(), &refused));
    assert!(german.contains("Vielleicht ist die Nachricht vorher angekommen."), "{german}");
}

/// A new holder of a name is told of, unless the name is ignored; the refusal of a reply says what to
/// do. A direct message that one device of the user sends to the user is one to oneself.
#[test]
fn names_that_changed_hands_and_own_devices_are_rendered() {
    let changed = Event::HolderChanged { name: "bob".to_owned() };
    let told = shown(&mut test_renderer(), &changed);
    assert!(told.starts_with("!! bob, who writes now, is not the one"), "{told}");
    assert_eq!(shown(&mut renderer_ignoring(&["BOB"]), &changed), "");
    let refused = Event::Refused(Refusal {
        tag: RequestTag::default(),
        code: ErrorCode::RecipientChanged.number(),
        text: "Somebody else has this name now.".to_owned().into(),
        to: "bob".to_owned(),
        message: Some("hi".to_owned()),
    });
    let told = shown(&mut test_renderer(), &refused);
    let expected =
        "!! bob: Somebody else has this name now. Send it again to write to whoever has it.";
    assert!(told.starts_with(expected), "{told}");
    let note = Event::Direct(DirectMessage {
        sequence: Sequence(1),
        time: Timestamp(1_795_384_987_123),
        from_session: SessionId(5),
        from_person: Some(SessionId(2)),
        from: "anna".to_owned(),
        to_session: SessionId(2),
        to: "anna".to_owned(),
        style: Style::SAID,
        text: "milk".to_owned(),
        history: false,
        own: true,
        tag: RequestTag::default(),
    });
    assert!(shown(&mut test_renderer(), &note).ends_with("(direct) you -> you: milk"));
}

/// What happens is told in German: rooms and people, with what depends on their number.
#[test]
fn rooms_and_people_are_in_german() {
    let mut renderer = test_renderer();
    renderer.ignore_list.open(None).unwrap();
    renderer.ignore_list.add("carl", None).unwrap();
    let (tag, room) = (RequestTag::default, || "garten".to_owned());
    let names = |it: &[&str]| Some(it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let entered = |members| Event::Entered { tag: tag(), room: room(), members };
    let presence = |joined: &[&str], left: &[&str]| {
        let (joined, left) = (names(joined), names(left));
        Event::Presence { room: room(), members: 4, joined, left }
    };
    let note = RosterNote {
        name: "dora".to_owned(),
        status: RosterStatus::Indirect { through: Some("bob".to_owned()) },
    };
    let roster = Event::Roster {
        tag: tag(),
        room: room(),
        members: 3,
        names: names(&["Anna", "carl", "dora"]),
        notes: Some(vec![note]),
        requested: true,
    };
    let waiting = |requests| Event::Connection(ConnectionState::Waiting { requests });
    let delay = Duration::from_millis(4_249);
    let later = Message {
        time: Timestamp(1_795_384_987_123 + 86_400_000),
        late: true,
        ..message_from("bob", "hallo")
    };
    let cases = [
        (entered(1), "-- du bist jetzt in #garten; sonst ist niemand hier"),
        (entered(2), "-- du bist jetzt in #garten; 1 andere Person ist hier"),
        (entered(3), "-- du bist jetzt in #garten; 2 andere sind hier"),
        (presence(&["eva"], &["bob", "dora"]), "-- eva ist gekommen; bob, dora sind gegangen"),
        (roster, "-- hier: Anna, carl (ausgeblendet), dora (zu hören über bob) (3)"),
        (waiting(1), "-- 1 Nachricht wartet auf den Server; Enter versucht es sofort"),
        (Event::Connection(ConnectionState::Reconnecting { delay }), "-- neuer Versuch in 4,2 s"),
        (Event::Message(message_from("bob", "hallo")), "[22:03:07] bob: hallo"),
        (Event::Message(later), "-- Montag, 23.11.2026\n[22:03:07] (verspätet) bob: hallo"),
        (
            Event::Unsent {
                tag: tag(),
                to: "bob".to_owned(),
                text: "hallo\ndu".to_owned(),
                perhaps_taken: true,
            },
            "!! vielleicht nicht gesendet an bob: hallo\n         | du",
        ),
    ];
    with_language(Language::German, || {
        for (event, expected) in cases {
            assert_eq!(shown(&mut renderer, &event), expected);
        }
    });
}

/// What moderators do is told in German, also what they do to the user.
#[test]
fn moderation_is_in_german() {
    let mut renderer = test_renderer();
    let mut line = |event| shown(&mut renderer, &Event::Moderation(event));
    let text = |text: &str| Some(text.to_owned());
    let sanctioned = |action, room, until| ModerationEvent::Sanctioned {
        action,
        room,
        by: text("carla"),
        reason: text("spam"),
        until,
    };
    let ban =
        UserAction::Ban { length: "7d".parse().unwrap(), by_address: true, is_dry_run: false };
    let done = |action, affected| ModerationEvent::Done {
        tag: RequestTag::default(),
        command: ModerationCommand::ActOnUser {
            place: Place::Room(RoomSelector::Named("lobby".to_owned())),
            username: "bob".to_owned(),
            session: None,
            action,
            reason: None,
        },
        affected,
        is_durable: false,
    };
    let role = |role, own| ModerationEvent::RoleChanged {
        room: text("lobby"),
        session: SessionId(1),
        username: "bob".to_owned(),
        role,
        own,
    };
    let cases = [
        (
            sanctioned(Sanctioning::Banned, text("lobby"), Some(Timestamp(1_795_385_587_123))),
            "!! du bist aus #lobby ausgesperrt, bis 22.11.2026 22:13, von carla: spam",
        ),
        (
            sanctioned(Sanctioning::Kicked, None, None),
            "!! du wurdest vom Server gewiesen, von carla: spam",
        ),
        (
            done(ban, 2),
            "-- bob ist aus #lobby ausgesperrt, samt der Adresse, für 7 Tage; 2 Personen wurden \
             hinausgeschickt; der Server vergisst es, wenn er neu startet",
        ),
        (done(UserAction::Unmute, 1), "-- bob darf in #lobby wieder reden"),
        (role(Some(Role::Moderator), true), "-- du bist Moderator von #lobby"),
        (role(None, false), "-- bob ist nicht Moderator oder Eigentümer von #lobby"),
    ];
    with_language(Language::German, || {
        for (event, expected) in cases {
            assert_eq!(line(event), expected);
        }
    });
}
