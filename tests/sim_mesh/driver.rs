//! Driver of the simulated engines: what `peer::driver` is in the real program.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;

use pi_chat::mesh::{End, Input, Outgoing, Output};
use pi_chat::model::limits::DEFAULT_PORT;
use pi_chat::model::{Path, PathSet};
use pi_chat::wire::udp::{Control, EntryId, Packet, PageItem};

use super::event_queue::{Datagram, EventKind};
use super::network::{Families, machine_at};
use super::peer_run::{RunId, Snapshot, Stage};
use super::world::World;

/// Number of entries of a newcomer's history.
const HISTORY: usize = 10;

impl World {
    /// Passes an input to an engine, and carries out its outputs. Does nothing if the run has ended
    /// or its machine sleeps.
    pub(crate) fn give(&mut self, id: RunId, input: Input) {
        if !self.is_awake(id) {
            return;
        }
        let now = self.now(id);
        // What it says at this very moment was not there when it answered.
        self.asked = is_recall(&input).then(|| self.snapshot(id));
        self.runs[id].mesh.handle_input(now, input);
        self.do_outputs(id);
    }

    /// Carries out all outputs of an engine, through observer and fault injector. Then schedules
    /// its next wake-up, and records changed members.
    fn do_outputs(&mut self, id: RunId) {
        while let Some(output) = self.runs[id].mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    self.on_sending(id, &packet);
                    for packet in self.fault_injector.leaving(id, packet) {
                        self.send(id, paths, &addresses, packet);
                    }
                }
                Output::Event(event) => {
                    self.on_event(id, &event);
                    for event in self.fault_injector.shown(id, event) {
                        self.on_shown(id, &event);
                    }
                }
                Output::WakeAt(moment) => self.runs[id].due = Some(moment),
                Output::Finished(end) => self.finish(id, &end),
            }
        }
        self.queue_wake(id);
        if self.runs[id].members_changed {
            self.note_members(id);
        }
    }

    /// Ends a run as its engine says, and records its companions.
    fn finish(&mut self, id: RunId, end: &End) {
        self.note(|| format!("{id} finished: {end:?}"));
        self.note_companions(id);
        let run = &mut self.runs[id];
        run.stage = match end {
            End::Left { .. } => Stage::Left,
            End::Rejected { .. } => Stage::Rejected,
        };
        run.ended = Some(self.time);
        run.due = None;
        self.machines[run.machine].run = None;
    }

    /// Sends one datagram by paths and to addresses, and counts each copy.
    fn send(&mut self, id: RunId, paths: PathSet, addresses: &[SocketAddr], packet: Outgoing) {
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

    /// Makes a datagram with the next counter. Adds what the checks need: the runs that its page
    /// lists as heard, and the history that it should bring.
    fn datagram(&mut self, id: RunId, packet: Outgoing) -> Datagram {
        self.runs[id].counter += 1;
        let run = &self.runs[id];
        let (mut listed, mut history) = (Vec::new(), None);
        let (size, packet) = match packet {
            Outgoing::Entry(entry) => {
                (entry.datagram_len(), Packet::Entry { sender: run.signer.id, entry })
            }
            Outgoing::Control(control) => {
                if let Control::Heartbeat(heartbeat) = &control {
                    listed.extend(heartbeat.page.iter().filter_map(|it| self.listed(it)));
                }
                if let Control::Recent(recent) = &control {
                    history = self.asked.clone().filter(|_| recent.page == 0);
                }
                let size = control.datagram_len();
                (size, Packet::Control { sender: run.signer, counter: run.counter, control })
            }
        };
        Datagram { from: id, size, packet, listed, history }
    }

    /// Returns the run that a page item says was heard directly, and *ago* in microseconds. `None`
    /// if it was not, or the author is no run.
    fn listed(&self, item: &PageItem) -> Option<(RunId, u64)> {
        let ago = u64::from(item.ago) * 500_000;
        let who = self.by_id.get(&item.author)?;
        (item.ago < PageItem::INDIRECT).then_some((*who, ago))
    }

    /// Returns a snapshot of the [`HISTORY`] newest entries that a run retains, in room order.
    fn snapshot(&self, id: RunId) -> Snapshot {
        let newest = self.runs[id].mesh.entries().rev().take(HISTORY);
        let name = newest.map(|it| EntryId { author: it.author.id, sequence: it.fields.sequence });
        let mut names: Vec<EntryId> = name.collect();
        names.reverse();
        Rc::new(names)
    }

    /// Sends a datagram by one path in each segment of the sender's machine. Liars hear it as well,
    /// except by broadcast.
    fn send_by(&mut self, id: RunId, path: Path, datagram: &Rc<Datagram>) {
        let (machine, port) = (self.runs[id].machine, self.runs[id].port);
        for interface in 0..self.network.segments_of(machine).len() {
            let segment = self.network.segments_of(machine)[interface];
            let family = Families::of_path(path);
            let from = self.network.address(family, machine, segment, port);
            for to in 0..self.machines.len() {
                if let Packet::Control { sender, control, .. } = &datagram.packet
                    && path != Path::Broadcast
                    && self.network.carries(machine, to, path, segment)
                {
                    self.liars_hear(to, None, from, sender.id, control);
                }
                let Some(run) = self.machines[to].run else { continue };
                if to != machine && self.network.carries(machine, to, path, segment) {
                    self.pass(machine, to, run, from, Some(path), datagram);
                }
            }
        }
    }

    /// Sends a datagram to one address. Liars there hear it as well. Does nothing if the address is
    /// the sender's own machine, does not exist, or cannot be reached, or if no program uses its
    /// port.
    fn send_to(&mut self, id: RunId, address: SocketAddr, datagram: &Rc<Datagram>) {
        let Some((to, segment, port)) = machine_at(address) else { return };
        let machine = self.runs[id].machine;
        let family = Families::of(address);
        if to == machine
            || to >= self.machines.len()
            || !self.network.delivers(machine, to)
            || !self.network.share(machine, to, family)
        {
            return;
        }
        if let Packet::Control { sender, control, .. } = &datagram.packet {
            let from = self.network.address(family, machine, segment, self.runs[id].port);
            self.liars_hear(to, Some(port), from, sender.id, control);
        }
        let Some(run) = self.machines[to].run else { return };
        if let Packet::Control { control: Control::Recall(_), .. } = &datagram.packet {
            self.on_recall(id, run);
        }
        if port != DEFAULT_PORT && port != self.runs[run].port {
            return;
        }
        let own = self.network.segments_of(machine);
        let segment = if own.contains(&segment) { segment } else { own[0] };
        let port = self.runs[id].port;
        let from = self.network.address(family, machine, segment, port);
        self.pass(machine, to, run, from, None, datagram);
    }

    /// Schedules the arrival of the copies of a datagram.
    fn pass(
        &mut self,
        machine: usize,
        to: usize,
        run: RunId,
        from: SocketAddr,
        path: Option<Path>,
        datagram: &Rc<Datagram>,
    ) {
        for takes in self.network.pass(machine, to, &mut self.random).into_iter().flatten() {
            let datagram = Rc::clone(datagram);
            self.queue.push(self.time + takes, EventKind::Arrive { to: run, from, path, datagram });
        }
    }

    /// Delivers a datagram to a run, through observer and fault injector. It is lost if the run has
    /// ended or its machine sleeps. If `checks_duplicates_first` is set, drops it if it is a
    /// duplicate.
    pub(crate) fn arrive(
        &mut self,
        to: RunId,
        from: SocketAddr,
        path: Option<Path>,
        datagram: &Datagram,
    ) {
        if !self.is_awake(to) {
            return;
        }
        let (now, mesh) = (self.now(to).moment, &self.runs[to].mesh);
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
        if is_dropped && self.checks_duplicates_first {
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
        let packet = self.fault_injector.arriving(to, datagram.from, datagram.packet.clone());
        if let Some(packet) = packet {
            self.give(to, Input::Received { from, path, size: datagram.size, packet });
        }
        if let Some(mut objection) = objection {
            objection.is_by_known_member = self.is_known_to_all(objection.by, to);
            self.objections.push(objection);
        }
    }

    /// Returns true if a run is a member that can talk to a candidate, and is known as a member to
    /// each other member that can.
    fn is_known_to_all(&mut self, member: RunId, candidate: RunId) -> bool {
        let near: Vec<RunId> = self
            .awake()
            .filter(|it| *it != candidate && self.runs[*it].stage == Stage::In)
            .filter(|it| self.connected_since(*it, candidate).is_some())
            .collect();
        near.contains(&member)
            && near.iter().all(|it| *it == member || self.read_members(*it).contains(&member))
    }

    /// Returns the other runs in an engine's report: members, and peers known through others only.
    pub(crate) fn read_members(&self, id: RunId) -> HashSet<RunId> {
        let now = self.now(id);
        let report = self.runs[id].mesh.report(now);
        let others = report.iter().filter(|it| !it.is_self);
        others.filter_map(|it| self.run_of(it.session)).collect()
    }
}

/// Returns true if an input is a `recall`.
fn is_recall(input: &Input) -> bool {
    let Input::Received { packet: Packet::Control { control, .. }, .. } = input else {
        return false;
    };
    matches!(control, Control::Recall(_))
}
