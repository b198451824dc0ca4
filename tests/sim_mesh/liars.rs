//! Liars: strangers that send packets made by hand, and run no engine. They claim names, seniority
//! and clocks, and object to newcomers.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use pi_chat::mesh::Input;
use pi_chat::model::{ErrorCode, Path, PathSet, PeerId, RoomClock, Timestamp};
use pi_chat::wire::udp::{Control, Heartbeat, Nonce, Object, Packet, PageItem, Ping, Pong, Signer};

use super::event_queue::EventKind;
use super::network::Families;
use super::world::{Action, MS, S, World};

/// Time between two rounds of lies.
const ROUND: u64 = 700 * MS;
/// Time for which a liar has heard a peer before it claims its name. By then the peer is a settled
/// member: before, it believes those that were there (section 13, rule 13).
const PATIENCE: u64 = 10 * S;

/// What a liar does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Objects to each newcomer, in the name of others, and proves to the newcomer that it is
    /// alive. States no name, so it never becomes a member.
    Object,
    /// Claims the names of others, to have been here since the room began, and huge clocks. Proves
    /// to everybody that it is alive, and so becomes a member.
    Claim,
    /// Does both, so that its objections are those of a member.
    Both,
}

/// Stranger that lies.
#[derive(Debug)]
pub(crate) struct Liar {
    /// Machine that it sends from; no engine runs there.
    pub(crate) machine: usize,
    /// UDP port.
    port: u16,
    /// Families that it sends by, and is heard by, with one key.
    families: Families,
    /// Identity.
    signer: Signer,
    /// Last packet counter used.
    counter: u64,
    /// What it does.
    lie: Lie,
    /// Time at which it begins to listen.
    listens: u64,
    /// Time at which it begins to lie.
    begins: u64,
    /// Peers that it has heard, by id.
    heard: BTreeMap<PeerId, Victim>,
    /// Candidates that it has heard.
    candidates: HashSet<PeerId>,
}

/// Peer that a liar has heard.
#[derive(Clone, Debug)]
struct Victim {
    /// Username, as it said first.
    name: String,
    /// Address.
    address: SocketAddr,
    /// Time of its first heartbeat that the liar has heard.
    since: u64,
}

/// What a liar is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiarPlan {
    /// Machine without an engine that it sends from.
    pub(crate) machine: usize,
    /// Time at which it begins to listen.
    pub(crate) listens: u64,
    /// Time at which it begins to lie.
    pub(crate) begins: u64,
    /// What it does.
    pub(crate) lie: Lie,
    /// Families that it sends by.
    pub(crate) families: Families,
}

impl World {
    /// Adds a liar on a machine without an engine, which uses IPv4, and begins to listen and to lie
    /// at a time.
    pub(crate) fn plan_liar(&mut self, machine: usize, time: u64, lie: Lie) {
        let families = Families::V4;
        self.add_liar(LiarPlan { machine, listens: time, begins: time, lie, families });
    }

    /// Adds a liar, and schedules its first round of lies.
    pub(crate) fn add_liar(&mut self, plan: LiarPlan) {
        let LiarPlan { machine, listens, begins, lie, families } = plan;
        let (key, incarnation) = (self.random.bytes(), self.random.bytes());
        let index = self.liars.len();
        self.liars.push(Liar {
            machine,
            port: 50_000 + u16::try_from(index).unwrap(),
            signer: Signer { key, incarnation, id: PeerId(self.random.bytes()) },
            counter: 0,
            families,
            lie,
            listens,
            begins,
            heard: BTreeMap::new(),
            candidates: HashSet::new(),
        });
        self.plan(begins, Action::Lie(index));
    }

    /// Plans the next round of a liar, and sends a heartbeat in another's name and an objection to
    /// that peer. Sends nothing if the liar only objects to newcomers, or first heard each known
    /// peer less than [`PATIENCE`] ago.
    pub(crate) fn lie(&mut self, index: usize) {
        self.plan(self.time + ROUND, Action::Lie(index));
        let heard = self.liars[index].heard.values();
        let known: Vec<Victim> =
            heard.filter(|it| it.since + PATIENCE <= self.time).cloned().collect();
        if self.liars[index].lie == Lie::Object || known.is_empty() {
            return;
        }
        let Victim { name: username, address: victim, .. } =
            known[self.random.index(known.len())].clone();
        // From the next minute up to those that nobody takes over.
        let clock = RoomClock(self.random.pick(&[60_000, 1 << 36, 1 << 40, 1 << 46, u64::MAX]));
        let page = self.liars.iter().map(|it| PageItem { author: it.signer.id, have: 0, ago: 0 });
        let page = page.filter(|it| it.author != self.liars[index].signer.id).collect();
        let heartbeat = Heartbeat {
            clock,
            since: RoomClock(0),
            username: username.clone(),
            time: Timestamp(0),
            members: 1,
            sequence: 0,
            page,
        };
        self.send_lie(index, None, Control::Heartbeat(heartbeat));
        let holder = self.liars[index].signer.id;
        let object = objection(Nonce::default(), &username, &username, holder, clock);
        self.send_lie(index, Some(victim), object);
    }

    /// Lets all liars on a machine hear a control packet of a peer, which has come from `from`, if
    /// they have the family of this address; by unicast only the one with this port. They note
    /// whose heartbeat it is, object to a candidate, or answer a ping, as far as their [`Lie`] says
    /// so.
    pub(crate) fn liars_hear(
        &mut self,
        machine: usize,
        port: Option<u16>,
        from: SocketAddr,
        sender: PeerId,
        control: &Control,
    ) {
        for index in 0..self.liars.len() {
            let liar = &mut self.liars[index];
            if liar.machine != machine
                || self.time < liar.listens
                || !liar.families.has(Families::of(from))
                || port.is_some_and(|it| it != liar.port)
            {
                continue;
            }
            match control {
                Control::Heartbeat(it) => {
                    let (name, since) = (it.username.clone(), self.time);
                    let victim = Victim { name, address: from, since };
                    liar.heard.entry(sender).or_insert(victim);
                }
                Control::Announce(it) if liar.lie != Lie::Claim && self.time >= liar.begins => {
                    liar.candidates.insert(sender);
                    let (by, holder) = liar.heard.iter().next().map_or_else(
                        || ("anna".to_owned(), liar.signer.id),
                        |(id, it)| (it.name.clone(), *id),
                    );
                    let object = objection(it.nonce, &by, &it.username, holder, RoomClock(1 << 36));
                    self.send_lie(index, Some(from), object);
                }
                Control::Ping(Ping { cookie, .. }) if self.time >= liar.begins => {
                    let is_answered = liar.lie != Lie::Object || liar.candidates.contains(&sender);
                    if is_answered {
                        let heard = PathSet(liar.families.paths());
                        let pong = Control::Pong(Pong { cookie: *cookie, heard });
                        self.send_lie(index, Some(from), pong);
                    }
                }
                _ => {}
            }
        }
    }

    /// Sends a packet of a liar to an address; `None`: to all by the groups of its families.
    fn send_lie(&mut self, index: usize, to: Option<SocketAddr>, control: Control) {
        let liar = &mut self.liars[index];
        liar.counter += 1;
        let (machine, port, size) = (liar.machine, liar.port, control.datagram_len());
        let families = to.map_or(liar.families, Families::of);
        let packet = Packet::Control { sender: liar.signer, counter: liar.counter, control };
        for (family, group) in [(Families::V4, Path::GroupV4), (Families::V6, Path::GroupV6)] {
            if !families.has(family) {
                continue;
            }
            let from = self.network.address(family, machine, 0, port);
            let path = to.is_none().then_some(group);
            for there in 0..self.machines.len() {
                let Some(run) = self.machines[there].run else { continue };
                let address = self.network.address(family, there, 0, self.runs[run].port);
                let is_near = self.network.same_side(machine, there)
                    && self.network.share(machine, there, family);
                if there == machine || !is_near || to.is_some_and(|it| it != address) {
                    continue;
                }
                let takes = self.network.pass(machine, there, &mut self.random);
                for takes in takes.into_iter().flatten() {
                    let input = Input::Received { from, path, size, packet: packet.clone() };
                    self.queue.push(self.time + takes, EventKind::Deceive { to: run, input });
                }
            }
        }
    }
}

/// Returns an objection to a name, by somebody who claims to have been here since the room began.
fn objection(nonce: Nonce, by: &str, username: &str, holder: PeerId, clock: RoomClock) -> Control {
    Control::Object(Object {
        nonce,
        code: ErrorCode::NameTaken.number(),
        by: by.to_owned(),
        username: username.to_owned(),
        holder,
        clock,
        since: RoomClock(0),
        text: "It was here before you.".to_owned(),
    })
}
