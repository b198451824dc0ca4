//! Reads the log of a server over the protocol, and compares it with what the talkers received.

use std::collections::HashMap;

use pi_chat::model::{Message, Reference, Sequence};
use pi_chat::wire::tcp::{Entry, History, ServerFrame};

use super::common::Server;
use super::talker::{Recipient, Record, rooms_of};

/// Reads all entries of a room, page by page, and asserts that their sequences and links are right.
pub(super) fn read_history(server: &Server, room: &str) -> Vec<Entry> {
    let (mut reader, _) = server.join_rooms("reader", &[room]);
    let (mut pages, mut before) = (Vec::new(), Sequence::ZERO);
    loop {
        let reference = Reference(1);
        reader.send(History { reference, room: room.to_owned(), before, limit: 100 });
        let mut page = Vec::new();
        let end = loop {
            match reader.next() {
                ServerFrame::Entry(entry) => page.push(entry),
                ServerFrame::End(end) => break end,
                other => panic!("{other:?}"),
            }
        };
        before = page.first().map_or(before, |it| it.sequence);
        pages.push(page);
        if end.flags == 0 {
            break;
        }
    }
    reader.hang_up();
    let all: Vec<Entry> = pages.into_iter().rev().flatten().collect();
    let mut previous = Sequence::ZERO;
    for entry in &all {
        assert!(entry.sequence > previous, "not in order: {entry:?}");
        assert_eq!(entry.previous, previous, "{entry:?}");
        previous = entry.sequence;
    }
    all
}

/// Asserts that a talker received each entry of its rooms once, in order, and that each of its own
/// messages is in the log once.
pub(super) fn check_room_histories(
    number: usize,
    record: &Record,
    histories: &HashMap<&str, Vec<Entry>>,
) {
    let who = format!("talker {number}");
    let is_rising = record.sequences.is_sorted_by(|one, other| one < other);
    assert!(is_rising, "{who} saw in the wrong order: {:?}", record.sequences);
    for room in rooms_of(number) {
        // The talkers were in their rooms from the beginning.
        let seen: Vec<_> = record.seen.iter().filter(|it| it.room == room).collect();
        let history = &histories[room];
        for (message, entry) in seen.iter().zip(history) {
            assert!(
                matches_entry(message, entry),
                "{who} saw {message:#?}\nbut there is {entry:#?}"
            );
        }
        assert_eq!(seen.len(), history.len(), "{who} saw more or less than there is in {room}");
    }
    // A message that was logged twice would have two entries.
    let mut counts = HashMap::<_, usize>::new();
    for (room, entry) in
        rooms_of(number).iter().flat_map(|it| histories[it].iter().map(|e| (*it, e)))
    {
        *counts.entry((room, entry.text.as_str())).or_default() += 1;
    }
    for (to, text) in &record.said {
        assert!(record.acknowledged.contains(text), "{who}: not acknowledged: {text}");
        if let Recipient::Room(room) = to {
            assert_eq!(counts.get(&(*room, text.as_str())), Some(&1), "{who}: {text}");
        }
    }
    assert_eq!(record.acknowledged.len(), record.said.len(), "{who}: acknowledged twice");
}

/// Asserts that each direct message was received once by author and recipient, and by nobody else.
pub(super) fn check_directs(records: &[&Record]) {
    let mut counts = HashMap::<(&str, &str), usize>::new();
    for (number, record) in records.iter().enumerate() {
        let name = format!("talker{number}");
        for seen in &record.directs {
            assert!(name == seen.from || name == seen.to, "{name} saw {seen:?}");
            let whose = if name == seen.from { "author" } else { "recipient" };
            *counts.entry((whose, &seen.text)).or_default() += 1;
        }
    }
    let said = records.iter().flat_map(|it| &it.said);
    for (to, text) in
        said.filter_map(|(to, text)| matches!(to, Recipient::Person(_)).then_some((to, text)))
    {
        let is_own = matches!(to, Recipient::Person(name) if *name == author_of(text));
        let wanted = [Some(1), if is_own { None } else { Some(1) }];
        let found = ["author", "recipient"].map(|it| counts.remove(&(it, text.as_str())));
        assert_eq!(found, wanted, "to {to:?}: {text}");
    }
    assert!(counts.is_empty(), "nobody has said {counts:?}");
}

/// Returns the name of a message's author: texts start with the number of the talker.
fn author_of(text: &str) -> String {
    format!("talker{}", text.split(' ').next().unwrap())
}

/// Returns true if a received message equals the entry in the log.
fn matches_entry(message: &Message, entry: &Entry) -> bool {
    let author = (message.session, &message.from) == (entry.session, &entry.username);
    let place = (message.sequence, message.time, &message.room)
        == (entry.sequence, entry.time, &entry.room);
    author && place && (message.style.0, &message.text) == (entry.style, &entry.text)
}
