//! Tests that messages in any script are found by their own words, before and after indexing.

use rusqlite::Connection;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::super::{database, queries, rows, search};
use crate::model::{
    Draft, LogEntry, MessageText, Reference, RoomName, SearchQuery, SearchTerms, Sequence,
    Timestamp,
};

/// Messages in various scripts.
const TEXTS: [&str; 20] = [
    "The kettle is on",
    "Ça va, l'été à Besançon?",
    "Straße, Größe, MASSE",
    "Ti\u{ea}\u{301}ng Việt, tiếng",
    "ΌΔΟΣ και ὁδός, Τῆς",
    "Привет, Ёжик",
    "नमस्ते दुनिया",
    "ஶ்ரீ வணக்கம்",
    "สวัสดีครับ ที่นี่",
    "السَّلَامُ عَلَيْكُمْ",
    "שָׁלוֹם עולם",
    "\u{1e900}\u{1e944}\u{1e92d} \u{1e91a}",
    "你好，世界",
    "こんにちは、カレー が",
    "안녕하세요 세계",
    "İstanbul'da ışık",
    "გამარჯობა ႠႡ",
    "Բարեւ աշխարհ",
    "ສະບາຍດີ",
    "Ⓐnna 🅱 x² ½ Ⅷ ﬁn １２ 😀",
];

/// Searches for these words in the lobby, whose row id must be 1. Returns the sequences of the
/// messages found.
fn found(connection: &Connection, words: &str) -> Vec<u64> {
    let query = SearchQuery {
        text: SearchTerms::new(words).unwrap(),
        from: None,
        since: None,
        until: None,
        before: Sequence(u64::MAX),
        limit: 50,
    };
    let mut found = queries::EntriesBySequence::new();
    let rooms = [(1, RoomName::lobby())];
    search::find_matches(connection, &rooms, &query, Sequence(100), &mut found).unwrap();
    found.into_keys().map(|it| it.0).collect()
}

/// Converts a text to capitals. Returns a text with Georgian or Adlam letters unchanged: FTS5's
/// tables are older than the capitals of these scripts.
fn capitals(text: &str) -> String {
    let is_newer = |it| matches!(it, '\u{10d0}'..='\u{10ff}' | '\u{1e900}'..='\u{1e943}');
    if text.contains(is_newer) { text.to_owned() } else { text.to_uppercase() }
}

#[test]
fn search_finds_text_in_any_script_before_and_after_indexing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    std::fs::write(&path, "").unwrap();
    let connection = database::open_to_write(&path, None).unwrap();
    connection.execute_batch("INSERT INTO rooms (key, name) VALUES ('lobby', 'lobby')").unwrap();
    for (number, text) in (1..).zip(TEXTS) {
        let draft = Draft {
            reference: Reference(number),
            text: MessageText::new(text).unwrap(),
            ..Draft::example()
        };
        let (sequence, previous) = (Sequence(number), Sequence(number - 1));
        let entry = LogEntry { sequence, previous, time: Timestamp(number), draft };
        rows::RoomEntryInsert::prepare(&connection).unwrap().insert(1, &entry).unwrap();
    }
    // Queries for a text: the whole text, as it is, as a phrase, without accents, and in capitals;
    // each of its words; the beginning of each word as a prefix.
    let queries = |text: &str| {
        let words = text.split_whitespace().filter(|it| SearchTerms::new(it).is_ok());
        let begin = words.clone().map(|it| format!("{}*", it.chars().take(2).collect::<String>()));
        let begin = begin.filter(|it| SearchTerms::new(it).is_ok());
        let whole = [text.to_owned(), format!("\"{text}\"")];
        let bare = [text.nfd().filter(|it| !is_combining_mark(*it)).collect(), capitals(text)];
        let whole = whole.into_iter().chain(bare);
        whole.chain(words.map(str::to_owned)).chain(begin).collect::<Vec<_>>()
    };
    let look = || {
        let queries = TEXTS.map(queries).into_iter().flatten();
        queries.map(|it| (found(&connection, &it), it)).collect::<Vec<_>>()
    };
    let before = look();
    for (number, text) in (1..).zip(TEXTS) {
        // Queries without accents or in capitals need not find the text.
        for query in
            queries(text).into_iter().filter(|it| text.contains(it.trim_matches(['"', '*'])))
        {
            let is_found = before.iter().any(|(found, it)| *it == query && found.contains(&number));
            assert!(is_found, "{query} is in {text}");
        }
    }
    search::index_next(&connection, 1_000).unwrap();
    assert_eq!(search::indexed_up_to(&connection).unwrap(), Sequence(20));
    for (before, after) in before.iter().zip(look()) {
        assert_eq!(*before, after, "before it was in the index, and after");
    }
}
