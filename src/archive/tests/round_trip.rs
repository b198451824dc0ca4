//! Property test: exporting and importing any messages preserves them.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// Returns a proptest strategy for messages. Few different times, names and texts occur, so there
/// are duplicates.
fn any_message() -> impl Strategy<Value = TestMessage> {
    let text =
        prop_oneof![Just("hello".to_owned()), "[ -~\u{a0}-\u{fff}\u{1f600}-\u{1f640}\n\t]{1,40}",];
    (0_u64..2_000_000_000_000, 0_u64..5, 0..3_usize, 0..3_usize, 1_u64..5, 0_u64..3, text).prop_map(
        |(late, early, room, name, session, reference, text)| TestMessage {
            time: if reference == 0 { late } else { early },
            room: ["lobby", "Küche", "a.b"][room].to_owned(),
            username: ["anna", "Bob", "Ольга"][name].to_owned(),
            session,
            reference,
            text,
        },
    )
}

/// Returns the messages in the given order, without those that duplicate an earlier one.
fn without_duplicates(messages: impl IntoIterator<Item = TestMessage>) -> Vec<TestMessage> {
    let mut seen = HashSet::new();
    messages.into_iter().filter(|it| seen.insert(it.identity())).collect()
}

/// Sorts messages by time. Messages at equal times keep their order.
fn by_time(mut messages: Vec<TestMessage>) -> Vec<TestMessage> {
    messages.sort_by_key(|it| it.time);
    messages
}

/// Returns all fields of the messages but their sessions, which an import assigns again.
fn identities(messages: &[TestMessage]) -> Vec<(u64, String, String, u64, String)> {
    messages.iter().map(TestMessage::identity).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// An import adds the new messages, ordered by time. An export that is imported elsewhere gives
    /// the same messages. An import of known messages changes nothing.
    #[test]
    fn export_and_import_preserve_messages(
        first in prop::collection::vec(any_message(), 0..40),
        second in prop::collection::vec(any_message(), 0..40),
    ) {
        let parent = tempfile::tempdir().unwrap();
        let (one, other) = (parent.path().join("one"), parent.path().join("other"));
        // Import into an empty log.
        import_all(&one, &first);
        let expected = by_time(without_duplicates(first.clone()));
        prop_assert_eq!(identities(&messages(&one)), identities(&expected));
        prop_assert_eq!(check_without_faults(&one).messages, expected.len() as u64);
        // Import the export into another log: all but the log id is equal.
        let all = exported(&one);
        import(&other, &mut all.as_slice()).unwrap();
        prop_assert_eq!(messages(&other), messages(&one));
        // Importing again adds nothing and changes nothing.
        for again in [&all, &file(&first), &exported(&other)] {
            prop_assert_eq!(import(&one, &mut again.as_slice()).unwrap().added, 0);
        }
        prop_assert_eq!(exported(&one), all);
        // Import into a log with other messages.
        let known: HashSet<_> = first.iter().map(TestMessage::identity).collect();
        let new: Vec<_> =
            without_duplicates(second.clone()).into_iter().filter(|it| !known.contains(&it.identity())).collect();
        prop_assert_eq!(import_all(&one, &second), new.len() as u64);
        let expected = by_time([expected, new].concat());
        prop_assert_eq!(identities(&messages(&one)), identities(&expected));
        prop_assert_eq!(check_without_faults(&one).messages, expected.len() as u64);
    }
}

/// Messages of one session stay together.
#[test]
fn import_assigns_one_new_session_per_session_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let session = |at: usize| messages(directory.path())[at].session;
    let first = [message(1, "anna", 7, 1, "a"), message(2, "bob", 900, 1, "b")];
    import_all(directory.path(), &first);
    assert_eq!((session(0), session(1)), (1, 2));
    let second = [
        message(3, "anna", 7, 2, "c"),
        message(4, "carla", 8, 1, "d"),
        message(5, "anna", 7, 3, "e"),
    ];
    import_all(directory.path(), &second);
    assert_eq!((session(0), session(1), session(2), session(3), session(4)), (1, 2, 3, 4, 3));
}

/// Further lines of a text are indented, and unsafe characters are replaced. The filters for time
/// and room apply.
#[test]
fn text_export_is_readable_and_unambiguous() {
    let directory = tempfile::tempdir().unwrap();
    let day = 86_400_000;
    let others = [
        message(day, "anna", 1, 1, "one\n12:00:00 bob: two"),
        message(2 * day, "bob", 2, 1, "\u{202e}x"),
    ];
    import_all(directory.path(), &others);
    let shown = |since, room: Option<&str>| {
        let room = room.map(|it| crate::model::RoomName::new(it).unwrap());
        let mut out = Vec::new();
        let options = ExportOptions { room, since, format: ExportFormat::Text };
        export(directory.path(), &options, &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    let second = "1970-01-03 00:00:00Z #lobby bob: \u{fffd}x\n";
    let first = "1970-01-02 00:00:00Z #lobby anna: one\n    12:00:00 bob: two\n";
    assert_eq!(shown(None, None).unwrap(), [first, second].concat());
    assert_eq!(shown(Some(Timestamp(2 * day)), Some("LOBBY")).unwrap(), second);
    assert!(matches!(shown(None, Some("kitchen")), Err(ArchiveError::NoRoom(_))));
}
