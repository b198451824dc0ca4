//! The kinds of servers, each with as much of its protocol as a chat needs.

mod chat;
mod irc;
mod mosquitto;
mod nats;
mod relay;

use std::path::PathBuf;
use std::process::Command;

use crate::program::{Cores, Program};

pub(crate) use relay::{FLAG as RELAY_FLAG, run as run_relay};

/// A client of the generator, for a server's protocol.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// Its number among all clients of the server, from 0.
    pub(crate) number: usize,
    /// Number of its room, from 0.
    pub(crate) room: usize,
}

/// What a server sends.
pub(crate) enum Item<'a> {
    /// The text of a message to the room.
    Message(&'a [u8]),
    /// The client is known, and may enter its room.
    Known,
    /// The client is in its room.
    Ready,
    /// Something that the client has to answer, with the answer.
    Question(Vec<u8>),
    /// Anything else.
    Other,
}

/// A kind of server.
pub(crate) trait Server {
    /// Returns its name on the command line and in the report.
    fn name(&self) -> &'static str;

    /// Returns true if it is no server that anybody uses, but what it could cost at best.
    fn is_relay(&self) -> bool {
        false
    }

    /// Returns true if it is `chat-server`.
    fn is_ours(&self) -> bool {
        false
    }

    /// Returns true if it stores messages.
    fn has_disk(&self) -> bool {
        false
    }

    /// Returns its version for the report; `None` if it is not installed.
    fn version(&self) -> Option<String>;

    /// Starts it with its limits lifted.
    fn start(&self, cores: Cores) -> Program;

    /// Returns true if a sender gets its own messages, too.
    fn echoes(&self) -> bool {
        true
    }

    /// Returns the length of the longest text that a message can have.
    fn longest_text(&self) -> usize {
        4_096
    }

    /// Returns how many clients should join at once: more than one only where this is what makes joins
    /// slow.
    fn joins_at_once(&self) -> usize {
        1
    }

    /// Returns what a client sends when it has connected.
    fn greeting(&self, member: Member) -> Vec<u8>;

    /// Returns what a client sends when it has received [`Item::Known`].
    fn entrance(&self, _member: Member) -> Vec<u8> {
        Vec::new()
    }

    /// Appends what a client sends to say something in its room; `number` counts its messages from 0.
    fn say(&self, member: Member, number: u32, text: &[u8], bytes: &mut Vec<u8>);

    /// Cuts the first item off received bytes. Returns it with its length; `None` if it is not
    /// complete.
    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)>;
}

/// Returns all kinds of servers, in the order of the report.
pub(crate) fn all() -> Vec<Box<dyn Server>> {
    vec![
        Box::new(nats::Nats { has_disk: false }),
        Box::new(irc::Irc::InspIrcd),
        Box::new(irc::Irc::NgIrcd),
        Box::new(mosquitto::Mosquitto),
        Box::new(relay::Relay),
        Box::new(chat::Chat { durability: None }),
        Box::new(nats::Nats { has_disk: true }),
        Box::new(chat::Chat { durability: Some(chat::Durability::Relaxed) }),
        Box::new(chat::Chat { durability: Some(chat::Durability::Strict) }),
    ]
}

/// Returns the path of a foreign program; `None` if it is not installed. Debian has servers where
/// the path of users does not look.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.iter().map(|directory| directory.join(program)).find(|it| it.is_file())
}

/// Returns the first word that looks like a version in what a program says about itself.
fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(find(program)?).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut words =
        text.split([' ', '\n', ',', '-', '+']).map(|word| word.trim_matches(['v', '.']));
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|it: char| it.is_ascii_digit());
    Some(words.find(is_version).map_or_else(|| "?".to_owned(), str::to_owned))
}

/// Cuts a line that ends with a line feed off received bytes. Returns it without its end, and its
/// length with it.
fn cut_line(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..end];
    Some((end + 1, line.strip_suffix(b"\r").unwrap_or(line)))
}
