//! Between the engines and the network: what `peer::driver` is in the
//! program.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;

use pi_chat::mesh::{End, Input, Outgoing, Output};
use pi_chat::model::limits::DEFAULT_PORT;
use pi_chat::model::{Path, PathSet};
use pi_chat::wire::udp::{Control, EntryId, Packet, PageItem};

use super::life::{LifeId, Snapshot, Stage};
use super::network::{address_v4, address_v6, machine_at};
use super::queue::{Datagram, What};
use super::world::World;

/// Entries of a newcomer's history.
const HISTORY: usize = 10;

impl World {
    /// Gives something to an engine, and does what it wants.
    pub(crate) fn give(&mut self, id: LifeId, input: Input) {
        if !self.is_awake(id) {
            return;
        }
        let now = self.now(id);
        // What it says itself at this very moment was not there when it
        // answered.
        self.asked = is_recall(&input).then(|| self.snapshot(id));
        self.lives[id].mesh.handle_input(now, input);
        self.do_outputs(id);
    }

    /// Does what an engine wants.
    fn do_outputs(&mut self, id: LifeId) {
        while let Some(output) = self.lives[id].mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    self.on_sending(id, &packet);
                    for packet in self.saboteur.leaving(id, packet) {
                        self.send(id, paths, &addresses, packet);
                    }
                }
                Output::Event(event) => {
                    self.on_event(id, &event);
                    for event in self.saboteur.shown(id, event) {
                        self.on_shown(id, &event);
                    }
                }
                Output::WakeAt(moment) => self.lives[id].due = Some(moment),
                Output::Finished(end) => self.finish(id, &end),
            }
        }
        self.queue_wake(id);
        if self.lives[id].has_news {
            self.note_members(id);
        }
    }

    /// A life is over.
    fn finish(&mut self, id: LifeId, end: &End) {
        self.note(|| format!("{id} finished: {end:?}"));
        self.note_companions(id);
        let life = &mut self.lives[id];
        life.stage = match end {
            End::Left { .. } => Stage::Left,
            End::Rejected { .. } => Stage::Rejected,
        };
        life.ended = Some(self.time);
        life.due = None;
        self.machines[life.machine].life = None;
    }

    /// Sends one datagram.
    fn send(&mut self, id: LifeId, paths: PathSet, addresses: &[SocketAddr], packet: Outgoing) {
        self.note(|| format!("{id} sends {} {addresses:?} {packet:?}", paths.0));
        let datagram = Rc::new(self.datagram(id, packet));
        let copies = (paths.0 & PathSet::ALL.0).count_ones() as usize + addresses.len();
        self.count(id, &datagram, copies as u64);
        for path in Path::ALL.into_iter().filter(|it| paths.has(*it)) {
            self.send_by(id, path, &datagram);
        }
        for address in addresses {
            self.send_to(id, *address, &datagram);
        }
    }

    /// Makes a datagram with the next counter.
    fn datagram(&mut self, id: LifeId, packet: Outgoing) -> Datagram {
        self.lives[id].counter += 1;
        let life = &self.lives[id];
        let (mut listed, mut history) = (Vec::new(), None);
        let (size, packet) = match packet {
            Outgoing::Entry(entry) => {
                (entry.datagram_len(), Packet::Entry { sender: life.signer.id, entry })
            }
            Outgoing::Control(control) => {
                if let Control::Heartbeat(heartbeat) = &control {
                    listed.extend(heartbeat.page.iter().filter_map(|it| self.listed(it)));
                }
                if let Control::Recent(recent) = &control {
                    history = self.asked.clone().filter(|_| recent.page == 0);
                }
                let size = control.datagram_len();
                (size, Packet::Control { sender: life.signer, counter: life.counter, control })
            }
        };
        Datagram { from: id, size, packet, listed, history }
    }

    /// Whom an item of a page says is heard directly, and how long ago.
    fn listed(&self, item: &PageItem) -> Option<(LifeId, u64)> {
        let ago = u64::from(item.ago) * 500_000;
        let who = self.by_id.get(&item.author)?;
        (item.ago < PageItem::INDIRECT).then_some((*who, ago))
    }

    /// The newest entries that a life has.
    fn snapshot(&self, id: LifeId) -> Snapshot {
        let newest = self.lives[id].mesh.entries().rev().take(HISTORY);
        let name = newest.map(|it| EntryId { author: it.author.id, sequence: it.fields.sequence });
        let mut names: Vec<EntryId> = name.collect();
        names.reverse();
        Rc::new(names)
    }

    /// Sends a datagram to everybody by one way.
    fn send_by(&mut self, id: LifeId, path: Path, datagram: &Rc<Datagram>) {
        let (machine, port) = (self.lives[id].machine, self.lives[id].port);
        for interface in 0..self.network.segments_of(machine).len() {
            let segment = self.network.segments_of(machine)[interface];
            let from = match path {
                Path::GroupV6 => address_v6(machine, segment, port),
                Path::GroupV4 | Path::Broadcast => address_v4(machine, segment, port),
            };
            for to in 0..self.machines.len() {
                let Some(life) = self.machines[to].life else { continue };
                if to != machine && self.network.carries(machine, to, path, segment) {
                    self.pass(machine, to, life, from, Some(path), datagram);
                }
            }
        }
    }

    /// Sends a datagram to one address.
    fn send_to(&mut self, id: LifeId, address: SocketAddr, datagram: &Rc<Datagram>) {
        let Some((to, segment, port)) = machine_at(address) else { return };
        let machine = self.lives[id].machine;
        if to == machine || to >= self.machines.len() || !self.network.delivers(machine, to) {
            return;
        }
        let Some(life) = self.machines[to].life else { return };
        if let Packet::Control { control: Control::Recall(_), .. } = &datagram.packet {
            self.on_recall(id, life);
        }
        if port != DEFAULT_PORT && port != self.lives[life].port {
            return;
        }
        let own = self.network.segments_of(machine);
        let segment = if own.contains(&segment) { segment } else { own[0] };
        let port = self.lives[id].port;
        let from = match address {
            SocketAddr::V4(_) => address_v4(machine, segment, port),
            SocketAddr::V6(_) => address_v6(machine, segment, port),
        };
        self.pass(machine, to, life, from, None, datagram);
    }

    /// Puts the copies of a datagram that arrive into the queue.
    fn pass(
        &mut self,
        machine: usize,
        to: usize,
        life: LifeId,
        from: SocketAddr,
        path: Option<Path>,
        datagram: &Rc<Datagram>,
    ) {
        for takes in self.network.pass(machine, to, &mut self.random).into_iter().flatten() {
            let datagram = Rc::clone(datagram);
            self.queue.push(self.time + takes, What::Arrive { to: life, from, path, datagram });
        }
    }

    /// A datagram arrives.
    pub(crate) fn arrive(
        &mut self,
        to: LifeId,
        from: SocketAddr,
        path: Option<Path>,
        datagram: &Datagram,
    ) {
        if !self.is_awake(to) {
            return;
        }
        let (now, mesh) = (self.now(to).moment, &self.lives[to].mesh);
        let (is_known, is_dropped) = match &datagram.packet {
            Packet::Entry { entry, .. } => {
                let is_known = mesh.is_known(entry.author.id, entry.fields.sequence);
                (is_known, is_known)
            }
            Packet::Control { sender, counter, .. } => {
                let is_replayed = |path| mesh.is_replayed(now, sender.id, *counter, path);
                (is_replayed(None), is_replayed(path))
            }
        };
        if is_dropped && self.asks_first {
            return;
        }
        self.note(|| {
            let sort = match &datagram.packet {
                Packet::Control { control, .. } => format!("kind {}", control.kind()),
                Packet::Entry { entry, .. } => format!("entry {:?}", entry.fields),
            };
            format!("{to} hears {} by {path:?}: {sort}", datagram.from)
        });
        if !is_known {
            self.on_arrival(to, datagram);
        }
        let objection = self.objection(to, datagram);
        let packet = self.saboteur.arriving(to, datagram.from, datagram.packet.clone());
        if let Some(packet) = packet {
            self.give(to, Input::Received { from, path, size: datagram.size, packet });
        }
        if let Some(mut objection) = objection {
            objection.was_heeded = self.lives[to].stage == Stage::Rejected;
            self.objections.push(objection);
        }
    }

    /// Learns whom an engine believes to be in the room.
    pub(crate) fn look_at_members(&mut self, id: LifeId) -> HashSet<LifeId> {
        let now = self.now(id);
        let report = self.lives[id].mesh.report(now);
        let others = report.iter().filter(|it| !it.is_self);
        others.filter_map(|it| self.life_of(it.session)).collect()
    }
}

/// Whether an input asks for the history.
fn is_recall(input: &Input) -> bool {
    let Input::Received { packet: Packet::Control { control, .. }, .. } = input else {
        return false;
    };
    matches!(control, Control::Recall(_))
}
