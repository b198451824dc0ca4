//! The generator of load: the clients of all rooms in one thread, with epoll. It checks each delivery,
//! and does little else, so that it is not what is measured.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::deliveries::Deliveries;
use crate::servers::{Item, Member, Server};

/// Longest time without a byte from the server, after which what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes that are read at once.
const BUFFER_SIZE: usize = 65_536;

/// Size of the receive buffer of a client that does not read.
const SMALL_BUFFER: usize = 4_096;

/// Who is in which room, and what they say.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    /// Number of rooms.
    pub(crate) rooms: usize,
    /// Number of people in each.
    pub(crate) people: usize,
    /// Number of those in each room who send.
    pub(crate) senders: usize,
    /// Length of every text in bytes.
    pub(crate) size: usize,
}

/// When senders stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// When each has sent so many messages.
    Sent(u32),
}

/// A connection to the server.
struct Client {
    /// Its number and its room.
    member: Member,
    /// Its socket.
    stream: TcpStream,
    /// Received bytes of an item that is not complete.
    rest: Vec<u8>,
    /// Bytes that the socket has not taken.
    unsent: Vec<u8>,
    /// True once it is in its room.
    is_ready: bool,
    /// False once the server has hung up.
    is_open: bool,
}

/// The clients of one server.
pub(crate) struct Generator<'a> {
    /// Kind of the server.
    server: &'a dyn Server,
    /// Address of the server.
    address: SocketAddr,
    /// Who is in which room.
    crowd: Crowd,
    /// Tells which sockets can be read or written.
    poll: Poll,
    /// What it has told.
    events: Events,
    /// All connections, those of a room behind one another.
    clients: Vec<Client>,
    /// Number of the first of them that is not yet known to be in its room.
    joined: usize,
    /// What is read last.
    buffer: Vec<u8>,
    /// Check of everything that is delivered.
    pub(crate) deliveries: Deliveries,
    /// Time of the last event.
    last_event: Instant,
}

impl<'a> Generator<'a> {
    /// Connects everybody, as many at once as the server asks for; otherwise one after the other, each
    /// as soon as the one before is in its room.
    ///
    /// # Panics
    /// If the server does not let somebody in.
    pub(crate) fn connect(server: &'a dyn Server, address: SocketAddr, crowd: Crowd) -> Self {
        let mut generator = Self {
            server,
            address,
            crowd,
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(1_024),
            clients: Vec::with_capacity(crowd.rooms * crowd.people),
            joined: 0,
            buffer: vec![0; BUFFER_SIZE],
            deliveries: Deliveries::new(crowd, server.echoes()),
            last_event: Instant::now(),
        };
        for number in 0..crowd.rooms * crowd.people {
            generator.begin_to_join(number / crowd.people, None);
            if (number + 1).is_multiple_of(server.joins_at_once()) {
                generator.wait_for_joins();
            }
        }
        generator.wait_for_joins();
        generator.drain();
        generator
    }

    /// Adds somebody to the first room who does not read.
    pub(crate) fn add_slow_reader(&mut self) {
        self.begin_to_join(0, Some(SMALL_BUFFER));
        self.wait_for_joins();
        self.drain();
        let client = self.clients.last_mut().unwrap();
        self.poll.registry().deregister(&mut client.stream).unwrap();
    }

    /// Returns true if the server has closed the connection of the one who does not read.
    pub(crate) fn has_lost_slow_reader(&mut self) -> bool {
        let client = self.clients.last_mut().unwrap();
        loop {
            match client.stream.read(&mut self.buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    /// Connects somebody who joins a room. `receive_buffer` is the size of the socket's buffer if it is
    /// not the usual one.
    fn begin_to_join(&mut self, room: usize, receive_buffer: Option<usize>) {
        let member = Member { number: self.clients.len(), room };
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size).unwrap();
        }
        socket.connect(&self.address.into()).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut stream = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(member.number), interest).unwrap();
        let unsent = self.server.greeting(member);
        let (rest, is_ready, is_open) = (Vec::new(), false, true);
        self.clients.push(Client { member, stream, rest, unsent, is_ready, is_open });
        self.clients[member.number].write();
    }

    /// Waits until everybody is in their room.
    fn wait_for_joins(&mut self) {
        let start = Instant::now();
        let are_in = |clients: &[Client]| clients.iter().take_while(|it| it.is_ready).count();
        loop {
            self.joined += are_in(&self.clients[self.joined..]);
            let Some(client) = self.clients.get(self.joined) else { return };
            let (number, name) = (client.member.number, self.server.name());
            assert!(client.is_open, "{name} has hung up on client {number}");
            assert!(start.elapsed() < PATIENCE, "{name} does not let client {number} in");
            self.turn(Some(PATIENCE));
        }
    }

    /// Reads until nothing comes any more: what a server tells everybody when somebody joins.
    fn drain(&mut self) {
        while self.turn(Some(Duration::from_millis(50))) {}
    }

    /// Waits for events, and reads and writes what they allow. Returns false if none came in time.
    fn turn(&mut self, timeout: Option<Duration>) -> bool {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(error) => panic!("{error}"),
        }
        let Self { events, clients, buffer, server, deliveries, .. } = self;
        for event in &*events {
            let client = &mut clients[event.token().0];
            if event.is_writable() {
                client.write();
            }
            if event.is_readable() && client.is_open {
                client.read(*server, buffer, deliveries);
            }
        }
        let has_events = !events.is_empty();
        if has_events {
            self.last_event = Instant::now();
        }
        has_events
    }

    /// Has every sender keep `window` messages in flight, and waits until everything is delivered. A
    /// message is in flight until the next one of its room, after the sender, has received it.
    pub(crate) fn run_window(&mut self, window: u32, until: Until) {
        let start = Instant::now();
        let (mut is_over, most) = match until {
            Until::Elapsed(_) => (false, u32::MAX),
            Until::Sent(count) => (false, count),
        };
        self.last_event = start;
        self.deliveries.free_all();
        while !is_over || self.deliveries.are_missing() {
            if let Until::Elapsed(duration) = until {
                is_over = start.elapsed() >= duration;
            }
            while let Some(sender) = self.deliveries.next_free() {
                if !is_over {
                    self.send_window(sender, window, most);
                }
            }
            is_over = is_over
                || matches!(until, Until::Sent(count) if self.deliveries.have_all_sent(count));
            if !self.turn(Some(Duration::from_millis(100))) && self.is_silent() {
                break;
            }
        }
        self.deliveries.count_missing();
    }

    /// Sends `rate` messages a second in all, at even intervals, in turns, and waits until everything
    /// is delivered. The time of a delivery counts from when its message was due. Waits without
    /// sleeping, so it takes a core.
    pub(crate) fn run_rate(&mut self, rate: u32, duration: Duration) {
        let interval = Duration::from_secs(1) / rate;
        let start = Instant::now();
        self.last_event = start;
        self.deliveries.begin_schedule(start, interval);
        let mut sent = 0;
        loop {
            let now = Instant::now();
            while start + interval * sent <= now && interval * sent < duration {
                let sender = sent as usize % self.deliveries.sender_count();
                self.deliveries.note_lateness(now - (start + interval * sent));
                self.send(sender, 1);
                sent += 1;
            }
            let is_over = interval * sent >= duration;
            if is_over && !self.deliveries.are_missing() {
                break;
            }
            if !self.turn(Some(Duration::ZERO)) && is_over && self.is_silent() {
                break;
            }
        }
        self.deliveries.end_schedule();
        self.deliveries.count_missing();
    }

    /// Returns true if nothing has come from the server for so long that nothing more will.
    fn is_silent(&self) -> bool {
        self.last_event.elapsed() > PATIENCE
    }

    /// Sends as many messages as the window allows, at most so many in all.
    fn send_window(&mut self, sender: usize, window: u32, most: u32) {
        let count = window.saturating_sub(self.deliveries.in_flight(sender));
        let count = count.min(most - self.deliveries.sent(sender));
        if count > 0 {
            self.send(sender, count);
        }
    }

    /// Sends the next messages of a sender.
    fn send(&mut self, sender: usize, count: u32) {
        let client = &mut self.clients[self.deliveries.client(sender)];
        assert!(client.is_open, "{} has hung up on a sender", self.server.name());
        for _ in 0..count {
            let (number, text) = self.deliveries.next_text(sender);
            self.server.say(client.member, number, &text, &mut client.unsent);
        }
        client.write();
    }

    /// Returns the number of clients.
    pub(crate) const fn client_count(&self) -> usize {
        self.crowd.rooms * self.crowd.people
    }
}

impl Client {
    /// Writes as much as the socket takes.
    fn write(&mut self) {
        let mut written = 0;
        while written < self.unsent.len() && self.is_open {
            match self.stream.write(&self.unsent[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
            }
        }
        self.unsent.drain(..written);
    }

    /// Reads what has come, and takes it.
    fn read(&mut self, server: &dyn Server, buffer: &mut [u8], deliveries: &mut Deliveries) {
        while self.is_open {
            let kept = self.rest.len();
            buffer[..kept].copy_from_slice(&self.rest);
            let end = match self.stream.read(&mut buffer[kept..]) {
                Ok(count @ 1..) => kept + count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                _ => {
                    self.is_open = false;
                    return;
                }
            };
            let received = &buffer[..end];
            let used = self.take(server, received, deliveries);
            self.rest.clear();
            self.rest.extend_from_slice(&received[used..]);
            if end < buffer.len() {
                // Everything was read: the next byte is another event.
                return;
            }
        }
    }

    /// Takes the complete items in received bytes. Returns their length.
    fn take(&mut self, server: &dyn Server, bytes: &[u8], deliveries: &mut Deliveries) -> usize {
        let now = deliveries.now();
        let mut used = 0;
        while let Some((length, item)) = server.cut(&bytes[used..]) {
            used += length;
            match item {
                Item::Message(text) => deliveries.take(self.member, text, now),
                Item::Known => self.answer(server.entrance(self.member)),
                Item::Ready => self.is_ready = true,
                Item::Question(answer) => self.answer(answer),
                Item::Other => {}
            }
        }
        used
    }

    /// Sends bytes behind all others.
    fn answer(&mut self, mut bytes: Vec<u8>) {
        self.unsent.append(&mut bytes);
        self.write();
    }
}
