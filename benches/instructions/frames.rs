//! Cases: encoding and decoding of frames.

use std::hint::black_box;

use pi_chat::model::{
    Draft, LogEntry, MessageText, Reference, RoomName, Sequence, SessionId, Style, Target,
    Timestamp, Username,
};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, Hello, MAGIC, Say, ServerFrame, entry_frame};

use super::{Case, TEXT, measured};

/// Number of frames of each case.
const FRAMES: u64 = 1_000;

/// Capacity of the buffer into which frames are encoded, in bytes.
const BUFFER: usize = 256;

/// Returns the cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("frame-say-encode", FRAMES, || encode_often(&say())),
        Case::new("frame-say-decode", FRAMES, decode_say),
        Case::new("frame-entry-encode", FRAMES, encode_entry),
        Case::new("frame-entry-decode", FRAMES, decode_entry),
    ]
}

/// Returns a message to the lobby as a client sends it.
fn say() -> ClientFrame {
    let (reference, room, text) = (Reference(1_000), "lobby".to_owned(), TEXT.to_owned());
    Say { reference, room, style: 0, text }.into()
}

/// Returns the same message in the log.
fn entry() -> LogEntry {
    LogEntry {
        sequence: Sequence(100_000),
        previous: Sequence(99_999),
        time: Timestamp(1_700_000_000_000),
        draft: Draft {
            person: None,
            session: SessionId(1_000),
            username: Username::new("anna").unwrap(),
            reference: Reference(1_000),
            target: Target::Room(RoomName::lobby()),
            style: Style::SAID,
            text: MessageText::new(TEXT).unwrap(),
        },
    }
}

/// Encodes a client's frame [`FRAMES`] times, into one buffer.
fn encode_often(frame: &ClientFrame) {
    let mut bytes = Vec::with_capacity(BUFFER);
    measured(&mut || {
        for _ in 0..FRAMES {
            bytes.clear();
            black_box(frame).encode(&mut bytes);
            black_box(&bytes);
        }
    });
}

/// Makes [`FRAMES`] frames of an entry of the log, and encodes them.
fn encode_entry() {
    let entry = entry();
    let mut bytes = Vec::with_capacity(BUFFER);
    measured(&mut || {
        for _ in 0..FRAMES {
            bytes.clear();
            entry_frame(black_box(&entry), 0).encode(&mut bytes);
            black_box(&bytes);
        }
    });
}

/// Reads [`FRAMES`] messages of a client from a stream, 16 at a time.
fn decode_say() {
    let mut reader = FrameReader::from_client();
    let hello = Hello {
        magic: MAGIC,
        min_version: 1,
        max_version: 1,
        features: 0,
        client_name: String::new(),
        client_version: String::new(),
    };
    let mut first = Vec::new();
    ClientFrame::from(hello).encode(&mut first);
    reader.feed(&first, |_| true).unwrap();
    let mut bytes = Vec::new();
    say().encode(&mut bytes);
    read_all(&mut reader, &bytes, |body| {
        assert!(matches!(black_box(ClientFrame::decode(body)), Decoded::Frame(_)));
    });
}

/// Reads [`FRAMES`] entries of a server from a stream, 16 at a time.
fn decode_entry() {
    let mut bytes = Vec::new();
    entry_frame(&entry(), 0).encode(&mut bytes);
    read_all(&mut FrameReader::from_server(), &bytes, |body| {
        assert!(matches!(black_box(ServerFrame::decode(body)), Decoded::Frame(_)));
    });
}

/// Feeds the bytes of a frame [`FRAMES`] times, and calls `decode` with each body.
fn read_all(reader: &mut FrameReader, frame: &[u8], decode: fn(&[u8])) {
    let stream = frame.repeat(usize::try_from(FRAMES).unwrap());
    measured(&mut || {
        for piece in stream.chunks(16 * frame.len()) {
            let fed = reader.feed(piece, |body| {
                decode(body);
                true
            });
            fed.unwrap();
        }
    });
}
