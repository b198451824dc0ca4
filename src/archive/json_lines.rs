//! JSON lines format of exports and imports: a header line, then one object for each message.
//!
//! Numbers above 2^53 are written as strings of digits, because many programs read all JSON numbers
//! as floating-point numbers.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::time_format;
use crate::model::{
    LogEntry, LogId, MessageText, Reference, RoomName, Sequence, SessionId, Style, Timestamp,
    Username,
};

/// Name of the format, written into the header.
const FORMAT: &str = "pi-chat-log";

/// Version of the format, written into the header.
const VERSION: u32 = 1;

/// Greatest integer that is written as a JSON number: 2^53. A 64-bit floating-point number
/// represents every integer up to it exactly.
const MAX_EXACT_NUMBER: u64 = 1 << 53;

/// Maximum length of a line, in bytes without its newline. The longest text, with every character
/// escaped, takes less than half of it.
pub(super) const MAX_LINE_BYTES: u64 = 1 << 16;

/// Header: the first line of a JSON lines file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    /// Name of the format: [`FORMAT`].
    #[serde(borrow)]
    format: Cow<'a, str>,
    /// Version of the format: [`VERSION`].
    version: u32,
    /// Id of the exported log, in hexadecimal. An import ignores it.
    #[serde(borrow)]
    log_id: Cow<'a, str>,
}

impl Header<'_> {
    /// Creates the header for an export of the log with this id.
    pub(super) fn for_log(log_id: LogId) -> Self {
        let log_id = u128::from_be_bytes(log_id.0);
        Self { format: FORMAT.into(), version: VERSION, log_id: format!("{log_id:032x}").into() }
    }

    /// Checks that a line is a header of this format and version.
    ///
    /// # Errors
    /// Human-readable text, if it is not.
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

/// JSON object (line) of one message, before validation.
#[derive(Debug, Serialize, Deserialize)]
struct MessageLine<'a> {
    /// Sequence in the log that the message was exported from. An import assigns a new one.
    sequence: NumberOrString,
    /// Time at which the server appended the message: RFC 3339, or milliseconds since 1970.
    time: NumberOrString,
    /// Name of the room.
    #[serde(borrow)]
    room: Cow<'a, str>,
    /// Username of the author.
    #[serde(borrow)]
    username: Cow<'a, str>,
    /// Session of the author in the log that the message was exported from. An import assigns a new
    /// one.
    session: NumberOrString,
    /// Reference that the author's client gave the message.
    reference: NumberOrString,
    /// Display style, as a number.
    style: u8,
    /// Text of the message.
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// JSON value of an integer or a time: a number or a string.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrString {
    /// JSON number. Integers up to [`MAX_EXACT_NUMBER`] are written as numbers. Greater numbers are
    /// accepted too.
    Small(u64),
    /// JSON string: the decimal digits of an integer, or a time by RFC 3339.
    Text(String),
}

impl NumberOrString {
    /// Converts an integer. Up to [`MAX_EXACT_NUMBER`] it becomes a JSON number, beyond that a
    /// string of digits.
    pub(super) fn from_u64(number: u64) -> Self {
        if number > MAX_EXACT_NUMBER { Self::Text(number.to_string()) } else { Self::Small(number) }
    }

    /// Converts a time to a string by RFC 3339. A time after the year 9999 becomes an integer of
    /// milliseconds since 1970.
    pub(super) fn from_time(time: Timestamp) -> Self {
        time_format::format_rfc3339(time).map_or_else(|| Self::from_u64(time.0), Self::Text)
    }

    /// Returns the integer that the value contains.
    ///
    /// # Errors
    /// Human-readable text, if the value is no integer below 2^64. The text begins with `name`, the
    /// name of the field.
    fn to_u64(&self, name: &str) -> Result<u64, String> {
        match self {
            Self::Small(number) => Some(*number),
            Self::Text(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits.parse().ok()
            }
            Self::Text(_) => None,
        }
        .ok_or_else(|| format!("{name}: this is no number up to 2^64"))
    }

    /// Returns the time that the value contains: by RFC 3339, or an integer of milliseconds since
    /// 1970 (a number, or a string of digits).
    ///
    /// # Errors
    /// Human-readable text, if the value is no time. Also for a time of 2^63 ms or later, because
    /// the database cannot order it.
    fn to_time(&self) -> Result<Timestamp, String> {
        let written = match self {
            Self::Text(text) => time_format::parse_rfc3339(text),
            Self::Small(_) => None,
        };
        let time = match written {
            Some(time) => time,
            None => Timestamp(self.to_u64("time").map_err(|_| "time: this is no time")?),
        };
        if i64::try_from(time.0).is_err() {
            return Err("time: it is too late".to_owned());
        }
        Ok(time)
    }
}

/// Formats a message as a JSON line, without newline. `room`: spelling of the room name.
pub(super) fn format(entry: &LogEntry, room: &RoomName) -> serde_json::Result<String> {
    let draft = &entry.draft;
    serde_json::to_string(&MessageLine {
        sequence: NumberOrString::from_u64(entry.sequence.0),
        time: NumberOrString::from_time(entry.time),
        room: room.as_str().into(),
        username: draft.username.as_str().into(),
        session: NumberOrString::from_u64(draft.session.0),
        reference: NumberOrString::from_u64(draft.reference.0),
        style: draft.style.0,
        text: draft.text.as_str().into(),
    })
}

/// Validated message from a JSON line.
#[derive(Debug)]
pub(super) struct ImportedMessage {
    /// Time at which the server appended the message.
    pub(super) time: Timestamp,
    /// Room of the message.
    pub(super) room: RoomName,
    /// Username of the author.
    pub(super) username: Username,
    /// Session of the author in the log that the message was exported from.
    pub(super) session: SessionId,
    /// Reference that the author's client gave the message.
    pub(super) reference: Reference,
    /// Display style.
    pub(super) style: Style,
    /// Text of the message.
    pub(super) text: MessageText,
}

/// Parses and validates the JSON line of a message. The sequence must be a number, and is not
/// returned.
///
/// # Errors
/// Human-readable text that names the invalid field or the JSON error.
pub(super) fn parse(line: &[u8]) -> Result<ImportedMessage, String> {
    let line: MessageLine<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    // The sequence must be a number, although a new one is assigned.
    let _ = Sequence(line.sequence.to_u64("sequence")?);
    let text = MessageText::new(&line.text).map_err(|error| format!("text: {error}"))?;
    // Logs of earlier versions may hold this style with any text.
    let is_imitation = Style(line.style) == Style::REMOVED && text != MessageText::removed();
    Ok(ImportedMessage {
        time: line.time.to_time()?,
        room: RoomName::new(&line.room).map_err(|error| format!("room: {error}"))?,
        username: Username::new(&line.username).map_err(|error| format!("username: {error}"))?,
        session: SessionId(line.session.to_u64("session")?),
        reference: Reference(line.reference.to_u64("reference")?),
        style: if is_imitation { Style::SAID } else { Style(line.style) },
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draft, Target};

    /// Covers the greatest numbers, and a text that needs escaping.
    #[test]
    fn line_round_trip() {
        let room = RoomName::new("küche").unwrap();
        for number in [1, MAX_EXACT_NUMBER, MAX_EXACT_NUMBER + 1, u64::MAX] {
            let entry = LogEntry {
                sequence: Sequence(number),
                previous: Sequence::ZERO,
                time: Timestamp(number.min(i64::MAX as u64)),
                draft: Draft {
                    person: None,
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

    /// Valid message line.
    const GOOD: &str = r#"{"sequence":1,"time":"2026-11-03T14:30:05.123Z","room":"a","username":"b","session":"3","reference":4,"style":0,"text":"x"}"#;

    /// Each case has one invalid field. The error names this field or the cause.
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

    /// A header round-trips. Other lines, and headers of another format or version, are refused.
    #[test]
    fn header_is_written_and_checked() {
        let header = serde_json::to_string(&Header::for_log(LogId([1; 16]))).unwrap();
        let id = "01".repeat(16);
        let expected = format!(r#"{{"format":"pi-chat-log","version":1,"log_id":"{id}"}}"#);
        assert_eq!(header, expected);
        Header::check(header.as_bytes()).unwrap();
        for wrong in [GOOD, &header.replace(":1,", ":2,"), &header.replace("pi-", "pie-"), ""] {
            Header::check(wrong.as_bytes()).unwrap_err();
        }
    }
}
