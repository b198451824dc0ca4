//! `chat-server`, with its log in memory or on disk.

use std::path::Path;

use pi_chat::model::Reference;
use pi_chat::wire::tcp::{ClientFrame, Hello, Join, MAGIC, Say};

use super::{Item, Member, Server};
use crate::program::{Cores, Listening, Program, directory};

/// Setting of the same name.
#[derive(Clone, Copy)]
pub(super) enum Durability {
    /// A power cut may cost the messages of the last second.
    Relaxed,
    /// A power cut costs no message that anybody has received.
    Strict,
}

/// `chat-server`.
pub(super) struct Chat {
    /// Its log is on disk, with this setting; otherwise in memory.
    pub(super) durability: Option<Durability>,
}

/// Returns the variables for glibc's `malloc` with which the package's service starts the server.
fn malloc_settings() -> Vec<&'static str> {
    include_str!("../../../debian/chat-server.service")
        .lines()
        .filter_map(|it| it.strip_prefix("Environment="))
        .filter(|it| it.starts_with("MALLOC_"))
        .collect()
}

impl Server for Chat {
    fn name(&self) -> &'static str {
        match self.durability {
            None => "chat",
            Some(Durability::Relaxed) => "chat-relaxed",
            Some(Durability::Strict) => "chat-strict",
        }
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn has_disk(&self) -> bool {
        self.durability.is_some()
    }

    fn version(&self) -> Option<String> {
        Some(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn start(&self, cores: Cores) -> Program {
        let mut arguments = malloc_settings();
        arguments.extend([
            env!("CARGO_BIN_EXE_chat-server"),
            "--listen",
            "127.0.0.1:0",
            "--web",
            "false",
            "--tls",
            "false",
            "--announce",
            "false",
            "--max-connections",
            "100000",
            "--max-connections-per-address",
            "100000",
            // An address may open a third of them.
            "--max-rooms",
            "100000",
            "--burst",
            "1000000",
            "--per-minute",
            "100000000",
        ]);
        if let Some(durability) = self.durability {
            let value = match durability {
                Durability::Relaxed => "relaxed",
                Durability::Strict => "strict",
            };
            arguments.extend(["--data", "data", "--durability", value]);
        }
        let program = Path::new("env");
        let listening = Listening::Says("listening on ");
        Program::start(cores, program, &arguments, directory(), listening)
    }

    fn greeting(&self, member: Member) -> Vec<u8> {
        let mut bytes = Vec::new();
        let hello = Hello {
            magic: MAGIC,
            min_version: 1,
            max_version: 1,
            features: 0,
            client_name: "compare".to_owned(),
            client_version: String::new(),
        };
        let join = Join {
            username: format!("client{}", member.number),
            password: None,
            rooms: vec![room_name(member.room)],
            token: None,
            position: None,
            proof: None,
            invite: None,
        };
        ClientFrame::from(hello).encode(&mut bytes);
        ClientFrame::from(join).encode(&mut bytes);
        bytes
    }

    fn say(&self, member: Member, number: u32, text: &[u8], bytes: &mut Vec<u8>) {
        let say = Say {
            reference: Reference(u64::from(number) + 1),
            room: room_name(member.room),
            style: 0,
            text: String::from_utf8(text.to_vec()).unwrap(),
        };
        ClientFrame::from(say).encode(bytes);
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)> {
        let (length, body) = cut_frame(bytes)?;
        let item = match body[0] {
            67 => Item::Message(text_of_entry(body)),
            END => Item::Ready,
            // A ping is answered by the same bytes as a pong.
            9 => Item::Question([&bytes[..2], &[10], &body[1..]].concat()),
            75 => panic!("chat-server: {}", String::from_utf8_lossy(body)),
            _ => Item::Other,
        };
        Some((length, item))
    }
}

/// Kind of the frame behind the history.
pub(super) const END: u8 = 69;

/// Returns the name of a room.
pub(super) fn room_name(room: usize) -> String {
    format!("room{room}")
}

/// Cuts the first frame off received bytes. Returns its body, and its length with everything.
pub(super) fn cut_frame(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*head));
    Some((2 + length, rest.get(..length)?))
}

/// Returns the text of an `entry`. The generator decodes so little because it must not be slower than
/// the servers that it measures.
pub(super) fn text_of_entry(body: &[u8]) -> &[u8] {
    // Kind and flags; sequence, previous; room; session; username; time, reference; style.
    let rest = skip_string(skip_number(skip_number(&body[2..])));
    let rest = skip_string(skip_number(rest));
    let rest = &skip_number(skip_number(rest))[1..];
    let (length, rest) = number(rest);
    &rest[..length]
}

/// Returns what is behind a number.
fn skip_number(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().position(|byte| *byte < 0x80).unwrap();
    &bytes[last + 1..]
}

/// Returns what is behind a string.
fn skip_string(bytes: &[u8]) -> &[u8] {
    let (length, rest) = number(bytes);
    &rest[length..]
}

/// Returns a number, and what is behind it.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            return (value, &bytes[at + 1..]);
        }
    }
    panic!("a number without an end");
}
