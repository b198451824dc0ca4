//! Several hubs on one log, in virtual time: servers are killed, stopped, cut off and started again,
//! publications are lost and sent twice, hubs are declared gone that are alive. Names are unique at
//! every place of the log, and everybody gets every message once, in one order.

mod person;
mod server;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fastrand::Rng;

use self::person::Person;
use self::server::Server;
use super::{Publication, SharedChange};
use crate::hub::{ConnectionId, HeldName, HubId, Input, Now, OwnerRequestId};
use crate::model::{Moment, NameKey, RoomName, Sequence, SessionId, Target, Timestamp, Token};
use crate::wire::tcp::ClientFrame;

/// Number of servers.
const SERVERS: usize = 3;

/// Stream, servers and people.
struct World {
    /// Random numbers: all that happens follows from the seed.
    random: Rng,
    /// Current moment.
    now: Moment,
    /// Publications, in order. The first one has place 1.
    stream: Vec<(Timestamp, Publication)>,
    /// Servers that were started.
    servers: Vec<Server>,
    /// Who was here when a hub began, as another hub has handed it over.
    handed_over: HashMap<HubId, Vec<HeldName>>,
    /// People.
    people: Vec<Person>,
    /// Number of connections so far.
    connections: u64,
    /// Holders of names at each place, by name, as the first server has seen it that has got there.
    holders: BTreeMap<Sequence, BTreeMap<NameKey, (SessionId, u64)>>,
}

impl World {
    /// Creates a world with servers that start, and people who are not there yet. Two people want
    /// the same name, and the client of one does not come back for its name.
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let servers = (0..SERVERS).map(|it| Server::start(it, random.u64(..))).collect();
        let names = ["anna", "bert", "Cleo", "cleo", "dora", "emil"];
        Self {
            random,
            now: Moment::after_start(Duration::from_secs(1)),
            stream: Vec::new(),
            servers,
            handed_over: HashMap::new(),
            people: names.into_iter().map(Person::new).collect(),
            connections: 0,
            holders: BTreeMap::new(),
        }
    }

    /// Returns the current time of both clocks.
    fn clock(&self) -> Now {
        let passed = u64::try_from(self.now.since_start().as_millis()).unwrap();
        Now { moment: self.now, time: Timestamp(1_700_000_000_000 + passed) }
    }

    /// Lets something random happen.
    fn step(&mut self) {
        let (server, person) =
            (self.random.usize(..SERVERS), self.random.usize(..self.people.len()));
        match self.random.u32(..1_000) {
            0..200 => (0..self.random.u32(1..20)).for_each(|_| self.read_next(server)),
            200..400 => (0..self.random.u32(1..4)).for_each(|_| self.store_next(server)),
            400..540 => self.say(person),
            540..640 => self.come_in(person, server),
            640..660 => self.leave_connection(person),
            660..740 => self.change_room(person),
            740..790 => self.servers[server].send_again(),
            790..800 => self.servers[server].suspect(person),
            800..806 => self.kill(server),
            806..808 => self.servers[server].is_stopped = true,
            808..810 => self.servers[server].loses = true,
            810..812 => self.servers[server].is_deaf = true,
            812..828 => self.servers[server].mend(),
            828..840 => {
                let nonce = self.random.u64(..);
                self.servers[server].begin_without_others(nonce);
            }
            840..845 => self.publish_twice(),
            845..875 => self.moderate(person, server),
            875..880 => self.servers[server].keep_alive(),
            880..882 => self.servers[server].stop(),
            882..920 => self.say_in_garden(person),
            _ => {
                let millis = self.random.u64(..400);
                self.pass_time(millis);
            }
        }
        self.settle();
    }

    /// Lets a server read the next publication.
    fn read_next(&mut self, index: usize) {
        let now = self.clock();
        let server = &mut self.servers[index];
        if server.is_stopped || server.is_deaf || server.waits_for_presence() {
            return;
        }
        let place = server.fold.head().0;
        let Some((time, publication)) = self.stream.get(usize::try_from(place).unwrap()).cloned()
        else {
            return;
        };
        let place = Sequence(place + 1);
        if server.read(now, place, time, publication) {
            self.end_hub(index);
        }
        self.check_names(index, place);
    }

    /// Lets the next publication of a server get into the stream, or be lost.
    fn store_next(&mut self, index: usize) {
        let time = self.clock().time;
        let server = &mut self.servers[index];
        if server.is_stopped {
            return;
        }
        if let Some(publication) = server.in_flight.pop_front()
            && !server.loses
        {
            let bytes = publication.encode().unwrap();
            self.stream.push((time, Publication::decode(&bytes).unwrap()));
        }
    }

    /// Lets a publication of the last ones come again.
    fn publish_twice(&mut self) {
        let (count, time) = (self.stream.len(), self.clock().time);
        if count > 0 {
            let index = count.saturating_sub(1 + self.random.usize(..10));
            let again = self.stream[index].1.clone();
            if !matches!(again.change, SharedChange::HubBegin { .. }) {
                self.stream.push((time, again));
            }
        }
    }

    /// Ends the hub of a server, which begins a new one.
    fn end_hub(&mut self, index: usize) {
        self.lose_connections(index);
        let nonce = self.random.u64(..);
        self.servers[index].begin(nonce);
    }

    /// Kills a server, and starts it again.
    fn kill(&mut self, index: usize) {
        self.lose_connections(index);
        let nonce = self.random.u64(..);
        self.servers[index] = Server::start(index, nonce);
    }

    /// Tells the people at a server that their connections are lost.
    fn lose_connections(&mut self, index: usize) {
        let connections = self.servers[index].connections();
        for person in &mut self.people {
            if person.connection.is_some_and(|(_, it)| connections.contains(&it)) {
                person.lose_connection();
            }
        }
    }

    /// Lets a person say something.
    fn say(&mut self, person: usize) {
        let again = self.people[person].say_again();
        self.send(person, again);
        let frame = self.people[person].say();
        self.send(person, frame);
    }

    /// Lets a person say something outside of the lobby.
    fn say_in_garden(&mut self, person: usize) {
        let frame = self.people[person].say_in_garden();
        self.send(person, frame);
    }

    /// Lets a person enter or leave a room.
    fn change_room(&mut self, person: usize) {
        let room = ["garden", "Garden"][self.random.usize(..2)];
        let enters = self.random.bool();
        let frame = self.people[person].change_room(room, enters);
        self.send(person, frame);
    }

    /// Lets the owner mute or unmute a person, or send them out of the lobby, at the command line of a
    /// server.
    fn moderate(&mut self, person: usize, server: usize) {
        let now = self.clock();
        let (id, request) = (OwnerRequestId(self.random.u64(..)), self.random.usize(..3));
        let Some(request) = self.people[person].moderation(request) else { return };
        if !self.servers[server].is_stopped {
            self.servers[server].input(now, Input::Moderate { id, request });
        }
    }

    /// Sends frames of a person who is connected.
    fn send(&mut self, person: usize, frames: impl IntoIterator<Item = ClientFrame>) {
        let now = self.clock();
        if let Some((server, id)) = self.people[person].connection {
            for frame in frames {
                self.servers[server].receive(now, id, frame);
            }
        }
    }

    /// Lets a person come in at a server: also one who is connected elsewhere, or was.
    fn come_in(&mut self, person: usize, server: usize) {
        let now = self.clock();
        if self.servers[server].running.is_none() || self.servers[server].is_stopped {
            return;
        }
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let token = Token(u128::from(self.connections).to_be_bytes());
        let frames = self.people[person].greet();
        self.people[person].lose_connection();
        self.people[person].connection = Some((server, id));
        self.servers[server].connect(now, id, token, frames);
    }

    /// Lets a person lose their connection.
    fn leave_connection(&mut self, person: usize) {
        let now = self.clock();
        if let Some((server, id)) = self.people[person].connection {
            self.servers[server].disconnect(now, id);
            self.people[person].lose_connection();
        }
    }

    /// Lets time pass, in milliseconds.
    fn pass_time(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// Lets each server that is not stopped do what it can do at once.
    fn settle(&mut self) {
        let now = self.clock();
        for index in 0..SERVERS {
            let server = &mut self.servers[index];
            self.handed_over.extend(server.handed_over.drain(..));
            if server.is_stopped {
                continue;
            }
            server.run_hub(now, &self.handed_over);
            server.wake(now);
            server.answer(now);
            for person in 0..self.people.len() {
                let Some((at, id)) = self.people[person].connection else { continue };
                if at != index {
                    continue;
                }
                for received in self.servers[index].take_received(id) {
                    for frame in self.people[person].handle(received) {
                        self.servers[index].receive(now, id, frame);
                    }
                }
            }
        }
    }

    /// Checks that no two sessions hold one name, and that the hub of a server has the same holds at
    /// this place as the others had.
    fn check_names(&mut self, index: usize, place: Sequence) {
        let Some(running) = &self.servers[index].running else {
            return;
        };
        let mut holders = BTreeMap::new();
        for held in running.hub.holds() {
            let key = held.username.key().clone();
            let before = holders.insert(key, (held.session, held.hold.0));
            assert_eq!(before, None, "two sessions hold {}", held.username);
        }
        let first = self.holders.entry(place).or_insert_with(|| holders.clone());
        assert_eq!(*first, holders, "server {index} at {place:?}");
    }

    /// Mends everything, and lets everybody come in, say what they have to say, and read everything.
    fn finish(&mut self) {
        self.servers.iter_mut().for_each(Server::mend);
        for round in 0..60 {
            for index in 0..SERVERS {
                if self.servers[index].waits_for_presence() && round % 10 == 9 {
                    let nonce = self.random.u64(..);
                    self.servers[index].begin_without_others(nonce);
                }
                self.servers[index].send_again();
            }
            self.drain();
            for person in 0..self.people.len() {
                let again = self.people[person].say_again();
                self.send(person, again);
                if self.people[person].connection.is_none() {
                    let server = self.random.usize(..SERVERS);
                    self.come_in(person, server);
                }
            }
            self.pass_time(20_000);
            self.settle();
        }
    }

    /// Lets everything be stored and read that is on its way.
    fn drain(&mut self) {
        for _ in 0..400 {
            for index in 0..SERVERS {
                self.store_next(index);
                self.read_next(index);
                self.settle();
            }
            let is_read = |it: &Server| {
                it.in_flight.is_empty() && it.fold.head().0 == self.stream.len() as u64
            };
            if self.servers.iter().all(is_read) {
                break;
            }
        }
    }

    /// Lets all servers begin to serve.
    fn finish_start(&mut self) {
        self.drain();
        assert!(self.servers.iter().all(|it| it.running.is_some()));
    }

    /// Checks that everybody is there, and has got every message of the lobby once since they came,
    /// in the order of the log, and that the servers agree.
    fn check_end(&self) {
        let stored: Vec<(Sequence, String)> = self.servers[0]
            .projection
            .entries
            .iter()
            .filter(|it| it.draft.target == Target::Room(RoomName::lobby()))
            .map(|it| (it.sequence, it.draft.text.as_str().to_owned()))
            .collect();
        let mut texts: Vec<&String> = stored.iter().map(|it| &it.1).collect();
        texts.sort();
        let count = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), count, "a message is stored twice");
        for person in &self.people {
            let unsent = &person.unsent;
            assert!(person.is_in && unsent.is_empty(), "{:?}: {unsent:?}", person.session);
            let first = person.received.first().map(|it| it.0).unwrap_or_default();
            let due: Vec<_> = stored.iter().filter(|it| it.0 >= first).cloned().collect();
            assert_eq!(person.received, due, "{:?}", person.session);
        }
        let [first, rest @ ..] = self.servers.as_slice() else { panic!() };
        for server in rest {
            assert_eq!(first.fold, server.fold);
            assert_eq!(first.projection, server.projection);
            let hub = |it: &Server| it.running.as_ref().unwrap().hub.state_of_the_log();
            assert_eq!(hub(first), hub(server));
        }
        for held in first.running.as_ref().unwrap().hub.holds() {
            let keeps_name = held.record.is_some_and(|it| it.keeps_name);
            assert!(held.is_connected || keeps_name, "{} is held for nobody", held.username);
        }
    }
}

/// Performs one random run.
fn run(seed: u64, steps: usize) {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    world.finish();
    world.check_end();
}

/// Whatever happens to servers and stream, nobody loses, repeats or reorders a message, no two
/// people have one name at any place of the log, and at the end all servers are in the same state.
#[test]
fn several_hubs_are_one() {
    for seed in 0..25 {
        let run = std::panic::catch_unwind(|| run(seed, 2_000));
        assert!(run.is_ok(), "seed {seed}");
    }
}

/// Of two people who ask two servers for one name at the same time, one gets it.
#[test]
fn one_of_two_gets_the_name() {
    let mut world = World::new(1);
    world.finish_start();
    let mut winners = [0; 2];
    for round in 0..1_000_u32 {
        let name = format!("name{round}");
        world.people = vec![Person::new(&name), Person::new(&name.to_uppercase())];
        let servers = [world.random.usize(..SERVERS), world.random.usize(..SERVERS)];
        for (person, server) in servers.into_iter().enumerate() {
            world.come_in(person, server);
        }
        for _ in 0..60 {
            let server = world.random.usize(..SERVERS);
            world.store_next(server);
            world.read_next(server);
            world.settle();
        }
        world.drain();
        let winner = world.people.iter().position(|it| it.is_in);
        let count = world.people.iter().filter(|it| it.is_in).count();
        assert_eq!(count, 1, "round {round}");
        winners[winner.unwrap()] += 1;
        for person in 0..2 {
            world.leave_connection(person);
        }
        world.drain();
    }
    assert!(winners.iter().all(|it| *it > 100), "{winners:?}");
}
