//! `mosquitto`, over MQTT 3.1.1: a room is a topic to which everybody in it subscribes, with QoS 0.

use std::fs;

use super::{Item, Member, Server, find, version};
use crate::program::{Cores, Listening, Program, directory, free_address};

/// Name of the program.
const PROGRAM: &str = "mosquitto";

/// Configuration; the address of the listener is in front.
const CONFIG: &str = "allow_anonymous true\nuser root\npersistence false\nmax_connections -1\n\
    max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n\
    connection_messages false\nlog_type error\n";

/// `mosquitto`.
pub(super) struct Mosquitto;

impl Server for Mosquitto {
    fn name(&self) -> &'static str {
        PROGRAM
    }

    fn version(&self) -> Option<String> {
        version(PROGRAM, "-h")
    }

    fn start(&self, cores: Cores) -> Program {
        let (address, directory) = (free_address(), directory());
        let listener = format!("listener {} 127.0.0.1\n", address.port());
        fs::write(directory.path().join("mosquitto.conf"), listener + CONFIG).unwrap();
        let arguments = ["-c", "mosquitto.conf"];
        let program = find(PROGRAM).unwrap();
        Program::start(cores, &program, &arguments, directory, Listening::At(address))
    }

    fn greeting(&self, member: Member) -> Vec<u8> {
        // Level 4 of the protocol, a clean session, no time after which silence is an error.
        let head = [b"\0\x04MQTT\x04\x02\0\0".to_vec(), string(&format!("u{}", member.number))];
        let topic = [vec![0, 1], string(&topic(member)), vec![0]];
        [packet(0x10, &head.concat()), packet(0x82, &topic.concat())].concat()
    }

    fn say(&self, member: Member, _number: u32, text: &[u8], bytes: &mut Vec<u8>) {
        bytes.append(&mut packet(0x30, &[&string(&topic(member)), text].concat()));
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)> {
        let (kind, rest) = bytes.split_first()?;
        let (length, rest) = length(rest)?;
        let body = rest.get(..length)?;
        let item = match kind >> 4 {
            3 => {
                let (head, rest) = body.split_first_chunk().unwrap();
                Item::Message(&rest[usize::from(u16::from_be_bytes(*head))..])
            }
            9 => Item::Ready,
            _ => Item::Other,
        };
        Some((bytes.len() - rest.len() + length, item))
    }
}

/// Returns the topic that is a room.
fn topic(member: Member) -> String {
    format!("room/{}", member.room)
}

/// Returns the encoding of a string.
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&length, text.as_bytes()].concat()
}

/// Returns a packet with this first byte.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Returns the length in front of the body of a packet, and what is behind it; `None` if it is not
/// complete.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let last = bytes.iter().position(|byte| *byte < 0x80)?;
    let digits = bytes[..=last].iter().rev();
    let value = digits.fold(0, |value, digit| value * 128 + usize::from(digit & 0x7f));
    Some((value, &bytes[last + 1..]))
}
