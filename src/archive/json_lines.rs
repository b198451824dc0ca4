//! A log as lines of JSON: a header, then one object for each message.
//!
//! Numbers above 2^53 are strings of digits, for many programs read all
//! numbers as floating point.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::time_format;
use crate::model::{
    LogEntry, LogId, MessageText, Reference, RoomName, Sequence, SessionId, Style, Timestamp,
    Username,
};

/// What the first line calls the format.
const FORMAT: &str = "pi-chat-log";

/// The version of the format.
const VERSION: u32 = 1;

/// The largest number that every program reads as it is.
const MAX_EXACT_NUMBER: u64 = 1 << 53;

/// Beyond so many bytes a line is not read: the longest text with all its
/// characters escaped is a third of it.
pub(super) const MAX_LINE_BYTES: u64 = 1 << 16;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    /// [`FORMAT`]
    #[serde(borrow)]
    format: Cow<'a, str>,
    /// [`VERSION`]
    version: u32,
    /// The log's id, in hexadecimal. Nothing is decided by it.
    #[serde(borrow)]
    log_id: Cow<'a, str>,
}

impl Header<'_> {
    /// That of a log.
    pub(super) fn of(log_id: LogId) -> Self {
        let log_id = u128::from_be_bytes(log_id.0);
        Self { format: FORMAT.into(), version: VERSION, log_id: format!("{log_id:032x}").into() }
    }

    /// Checks a first line.
    pub(super) fn check(line: &[u8]) -> Result<(), String> {
        let found: Header<'_> = serde_json::from_slice(line)
            .map_err(|error| format!("this is no header of a {FORMAT} file: {error}"))?;
        if found.format != FORMAT {
            return Err(format!("the format is not {FORMAT}"));
        }
        if found.version != VERSION {
            return Err(format!("the version of the format is not {VERSION}"));
        }
        Ok(())
    }
}

/// One message.
#[derive(Debug, Serialize, Deserialize)]
struct MessageLine<'a> {
    /// Its place in the log that it comes from.
    sequence: JsonNumber,
    /// When it was received.
    time: JsonNumber,
    /// Where it was said.
    #[serde(borrow)]
    room: Cow<'a, str>,
    /// By whom.
    #[serde(borrow)]
    username: Cow<'a, str>,
    /// The author's session in the log that it comes from.
    session: JsonNumber,
    /// The author's number for it.
    reference: JsonNumber,
    /// How it is meant.
    style: u8,
    /// What it says.
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// A number, or something in its place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum JsonNumber {
    /// As it is.
    Small(u64),
    /// Its digits, or a time in RFC 3339.
    Text(String),
}

impl JsonNumber {
    /// A number as it is written.
    fn of(number: u64) -> Self {
        if number > MAX_EXACT_NUMBER { Self::Text(number.to_string()) } else { Self::Small(number) }
    }

    /// A time as it is written.
    fn of_time(time: Timestamp) -> Self {
        time_format::format_rfc3339(time).map_or_else(|| Self::of(time.0), Self::Text)
    }

    /// The number.
    fn value(&self, name: &str) -> Result<u64, String> {
        match self {
            Self::Small(number) => Some(*number),
            Self::Text(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits.parse().ok()
            }
            Self::Text(_) => None,
        }
        .ok_or_else(|| format!("{name}: this is no number up to 2^64"))
    }

    /// The time. One that a database could not order is refused.
    fn time(&self) -> Result<Timestamp, String> {
        let written = match self {
            Self::Text(text) => time_format::parse_rfc3339(text),
            Self::Small(_) => None,
        };
        let time = match written {
            Some(time) => time,
            None => Timestamp(self.value("time").map_err(|_| "time: this is no time")?),
        };
        if i64::try_from(time.0).is_err() {
            return Err("time: it is too late".to_owned());
        }
        Ok(time)
    }
}

/// Writes a message of this room as a line, without its end.
pub(super) fn format(entry: &LogEntry, room: &RoomName) -> serde_json::Result<String> {
    let draft = &entry.draft;
    serde_json::to_string(&MessageLine {
        sequence: JsonNumber::of(entry.sequence.0),
        time: JsonNumber::of_time(entry.time),
        room: room.as_str().into(),
        username: draft.username.as_str().into(),
        session: JsonNumber::of(draft.session.0),
        reference: JsonNumber::of(draft.reference.0),
        style: draft.style.0,
        text: draft.text.as_str().into(),
    })
}

/// A message that was read, every part of which is valid.
#[derive(Debug)]
pub(super) struct ImportedMessage {
    /// When it was received.
    pub(super) time: Timestamp,
    /// Where it was said.
    pub(super) room: RoomName,
    /// By whom.
    pub(super) username: Username,
    /// The author's session in the log that it comes from.
    pub(super) session: SessionId,
    /// The author's number for it.
    pub(super) reference: Reference,
    /// How it is meant.
    pub(super) style: Style,
    /// What it says.
    pub(super) text: MessageText,
}

/// Reads a message from a line; says what is wrong with it otherwise.
pub(super) fn parse(line: &[u8]) -> Result<ImportedMessage, String> {
    let line: MessageLine<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    // It has to be there and to be a number, though a new one is given.
    let _ = Sequence(line.sequence.value("sequence")?);
    Ok(ImportedMessage {
        time: line.time.time()?,
        room: RoomName::new(&line.room).map_err(|error| format!("room: {error}"))?,
        username: Username::new(&line.username).map_err(|error| format!("username: {error}"))?,
        session: SessionId(line.session.value("session")?),
        reference: Reference(line.reference.value("reference")?),
        style: Style(line.style),
        text: MessageText::new(&line.text).map_err(|error| format!("text: {error}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, Target};

    /// The largest numbers, and a text that needs escaping.
    #[test]
    fn line_round_trip() {
        let room = RoomName::new("küche").unwrap();
        for number in [1, MAX_EXACT_NUMBER, MAX_EXACT_NUMBER + 1, u64::MAX] {
            let entry = LogEntry {
                sequence: Sequence(number),
                previous: Sequence::ZERO,
                time: Timestamp(number.min(i64::MAX as u64)),
                draft: Draft {
                    session: SessionId(number),
                    username: Username::new("anna").unwrap(),
                    reference: Reference(number),
                    target: Target::Room(room.clone()),
                    style: Style(255),
                    text: MessageText::new("a\n\t\"b\"\u{202e}").unwrap(),
                },
            };
            let line = format(&entry, &room).unwrap();
            let is_exact = number <= MAX_EXACT_NUMBER;
            assert_eq!(line.contains(&format!("\"session\":{number},")), is_exact, "{line}");
            let message = parse(line.as_bytes()).unwrap();
            assert_eq!((message.time, &message.room), (entry.time, &room));
            assert_eq!(message.username, entry.draft.username);
            assert_eq!(
                (message.session, message.reference),
                (SessionId(number), Reference(number))
            );
            assert_eq!((message.style, message.text), (Style(255), entry.draft.text));
        }
    }

    /// A good line.
    const GOOD: &str = r#"{"sequence":1,"time":"2026-11-03T14:30:05.123Z","room":"a","username":"b","session":"3","reference":4,"style":0,"text":"x"}"#;

    #[test]
    fn parse_errors_name_the_wrong_field() {
        parse(GOOD.as_bytes()).unwrap();
        for (good, wrong, told) in [
            ("\"a\"", "\"a b\"", "room: "),
            ("\"b\"", "\"\"", "username: "),
            ("\"x\"", "\"\"", "text: "),
            ("\"3\"", "\"+3\"", "session: "),
            ("\"3\"", "\"18446744073709551616\"", "session: "),
            ("\"style\":0", "\"style\":256", "256"),
            ("\"time\":\"2026", "\"time\":\"1926", "time: "),
            ("\"2026-11-03T14:30:05.123Z\"", "\"9223372036854775808\"", "time: "),
            ("\"reference\":4,", "", "reference"),
            ("}", "", "EOF"),
        ] {
            let line = GOOD.replace(good, wrong);
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn header_is_written_and_checked() {
        let header = serde_json::to_string(&Header::of(LogId([1; 16]))).unwrap();
        let id = "01".repeat(16);
        let expected = format!(r#"{{"format":"pi-chat-log","version":1,"log_id":"{id}"}}"#);
        assert_eq!(header, expected);
        Header::check(header.as_bytes()).unwrap();
        for wrong in [GOOD, &header.replace(":1,", ":2,"), &header.replace("pi-", "pie-"), ""] {
            Header::check(wrong.as_bytes()).unwrap_err();
        }
    }
}
