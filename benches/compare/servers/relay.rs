//! The bare relay: what a chat costs in the kernel at best. One thread; it knows of rooms, and writes
//! everything that it reads to everybody in the room, with one write to each of them for each wake-up.

use std::io::{ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use pi_chat::model::{Reference, Sequence, SessionId, Timestamp};
use pi_chat::wire::tcp::{Entry, ServerFrame};

use super::chat::{END, cut_frame, room_name, text_of_entry};
use super::{Item, Member, Server};
use crate::program::{Cores, Listening, Program, directory};

/// Flag by which this program is the relay.
pub(crate) const FLAG: &str = "--relay";

/// Most bytes that a client may lag behind, as with `chat-server`: then it is cut off.
const MAX_BACKLOG: usize = 1 << 20;

/// Frame by which a client learns that it is in its room.
const READY: [u8; 3] = [0, 1, END];

/// The bare relay, which is this program with a flag. It forwards bytes unchanged, so a message is the
/// encoded entry that `chat-server` would deliver.
pub(super) struct Relay;

impl Server for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn is_relay(&self) -> bool {
        true
    }

    fn version(&self) -> Option<String> {
        Some(String::new())
    }

    fn start(&self, cores: Cores) -> Program {
        let program = std::env::current_exe().unwrap();
        Program::start(cores, &program, &[FLAG], directory(), Listening::Says("listening on "))
    }

    fn greeting(&self, member: Member) -> Vec<u8> {
        u16::try_from(member.room).unwrap().to_be_bytes().to_vec()
    }

    fn say(&self, member: Member, number: u32, text: &[u8], bytes: &mut Vec<u8>) {
        let number = u64::from(number) + 1;
        ServerFrame::from(Entry {
            person: SessionId(0),
            flags: 0,
            sequence: Sequence(number),
            previous: Sequence(number),
            room: room_name(member.room),
            session: SessionId(member.number as u64 + 1),
            username: format!("client{}", member.number),
            time: Timestamp(1_795_384_987_123),
            reference: Reference(number),
            style: 0,
            text: String::from_utf8(text.to_vec()).unwrap(),
        })
        .encode(bytes);
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)> {
        let (length, body) = cut_frame(bytes)?;
        let item = if body[0] == END { Item::Ready } else { Item::Message(text_of_entry(body)) };
        Some((length, item))
    }
}

/// A connection of the relay.
struct Connection {
    /// Its socket; `None`: it has ended.
    stream: Option<TcpStream>,
    /// Its room, once the client has told it.
    room: Option<usize>,
    /// Number of the bytes of its room that were written to it.
    position: usize,
}

/// A room of the relay.
#[derive(Default)]
struct Room {
    /// Bytes for everybody in it.
    bytes: Vec<u8>,
    /// Numbers of its connections.
    members: Vec<usize>,
    /// True if something has to be written.
    is_due: bool,
}

/// Runs the relay until it is killed.
pub(crate) fn run() -> ! {
    let mut poll = Poll::new().unwrap();
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let accepting = Token(usize::MAX);
    poll.registry().register(&mut listener, accepting, Interest::READABLE).unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    let mut events = Events::with_capacity(1_024);
    let mut connections: Vec<Connection> = Vec::new();
    let mut rooms: Vec<Room> = Vec::new();
    let mut due = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == accepting {
                accept(&poll, &listener, &mut connections);
                continue;
            }
            let number = event.token().0;
            if event.is_readable() {
                read(&mut connections[number], number, &mut rooms, &mut buffer);
            }
            // A client that reads again is due as well.
            if let Some(room) = connections[number].room
                && !std::mem::replace(&mut rooms[room].is_due, true)
            {
                due.push(room);
            }
        }
        for room in due.drain(..) {
            write(&mut rooms[room], &mut connections);
        }
    }
}

/// Accepts all connections that wait.
fn accept(poll: &Poll, listener: &TcpListener, connections: &mut Vec<Connection>) {
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nodelay(true).unwrap();
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(connections.len()), interest).unwrap();
        connections.push(Connection { stream: Some(stream), room: None, position: 0 });
    }
}

/// Reads what a client has sent: first the number of its room, then messages for it.
fn read(connection: &mut Connection, number: usize, rooms: &mut Vec<Room>, buffer: &mut [u8]) {
    while let Some(stream) = &mut connection.stream {
        let count = match stream.read(buffer) {
            Ok(0) => 0,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        if count == 0 {
            connection.stream = None;
            return;
        }
        let mut bytes = &buffer[..count];
        let room = *connection.room.get_or_insert_with(|| {
            // Loopback does not split two bytes.
            let (head, rest) = bytes.split_first_chunk().unwrap();
            bytes = rest;
            stream.write_all(&READY).unwrap();
            let room = usize::from(u16::from_be_bytes(*head));
            if rooms.len() <= room {
                rooms.resize_with(room + 1, Room::default);
            }
            rooms[room].members.push(number);
            connection.position = rooms[room].bytes.len();
            room
        });
        rooms[room].bytes.extend_from_slice(bytes);
        if count < buffer.len() {
            // Everything was read: the next byte is another event.
            return;
        }
    }
}

/// Writes to everybody in a room what they lack.
fn write(room: &mut Room, connections: &mut [Connection]) {
    room.is_due = false;
    let mut least = room.bytes.len();
    room.members.retain(|member| {
        let connection = &mut connections[*member];
        while let Some(stream) = &mut connection.stream
            && connection.position < room.bytes.len()
        {
            match stream.write(&room.bytes[connection.position..]) {
                Ok(count) => connection.position += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => connection.stream = None,
            }
        }
        if room.bytes.len() - connection.position > MAX_BACKLOG {
            connection.stream = None;
        }
        least = least.min(if connection.stream.is_some() { connection.position } else { least });
        connection.stream.is_some()
    });
    // Not each time: moving bytes costs, too.
    if least == room.bytes.len() || least > MAX_BACKLOG {
        room.bytes.drain(..least);
        for member in &room.members {
            connections[*member].position -= least;
        }
    }
}
