//! Observer: records what happens in the simulation, for the checks.

use std::collections::HashMap;

use pi_chat::mesh::Outgoing;
use pi_chat::model::{Event, Message, NameKey, PeerId, Username};
use pi_chat::wire::udp::{Agree, Control, Nonce, Packet};

use super::event_queue::Datagram;
use super::peer_run::{Agreed, RunId, Shown, Stage, Written};
use super::world::{MS, S, World};

/// Number of datagrams by packet kind; entries are kind 7.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PacketCounts(pub(crate) [u64; 15]);

/// Name collision of two members.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameCollision {
    /// Time since which it has lasted; `None` when it has ended.
    begun: Option<u64>,
    /// Time since which both know each other as well.
    known: Option<u64>,
    /// Longest time for which the two members could talk to each other.
    pub(crate) connected_for: u64,
    /// Longest time for which the two members knew each other.
    pub(crate) known_for: u64,
}

/// Objection that has reached a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objection {
    /// The candidate.
    pub(crate) to: RunId,
    /// Run that has objected.
    pub(crate) by: RunId,
    /// Time of arrival.
    pub(crate) at: u64,
    /// True if every other member that the candidate could talk to knew the objecting one, so that
    /// it has to count.
    pub(crate) is_by_known_member: bool,
}

/// Departure of a member, as another member has reported it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    /// Run that has reported it.
    pub(crate) observer: RunId,
    /// Member that was reported as gone.
    pub(crate) subject: RunId,
    /// Time of the report.
    pub(crate) at: u64,
    /// Last time at which the member was heard by any run, as far as the observer could know.
    pub(crate) heard: u64,
    /// True if its `bye` had arrived.
    pub(crate) had_said_goodbye: bool,
    /// Number of members that the observer knows afterwards, itself included.
    pub(crate) members: usize,
}

/// Entry that a run has given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenUpEntry {
    /// Run that has given it up.
    pub(crate) by: RunId,
    /// Author of the entry.
    pub(crate) author: RunId,
    /// Sequence of the entry.
    pub(crate) sequence: u32,
    /// Time of giving up.
    pub(crate) at: u64,
    /// Time for which the machine had been awake.
    pub(crate) awake: u64,
    /// Run that has the entry, and since when the two could talk.
    pub(crate) holder: Option<(RunId, u64)>,
}

/// Parses a message text into author and index of its [`super::peer_run::Said`]; `None` if it has
/// another form.
pub(crate) fn parse_text(text: &str) -> Option<(RunId, usize)> {
    let (run, said) = text.split_once(':')?;
    Some((run.parse().ok()?, said.parse().ok()?))
}

/// Returns the id of a datagram's sender.
fn datagram_id(datagram: &Datagram) -> PeerId {
    match &datagram.packet {
        Packet::Control { sender, .. } => sender.id,
        Packet::Entry { sender, .. } => *sender,
    }
}

impl World {
    /// Counts the copies of a datagram, by run and by packet kind, and notes the size of the
    /// largest one.
    pub(crate) fn count(&mut self, id: RunId, datagram: &Datagram, copies: u64) {
        let run = &mut self.runs[id];
        run.datagrams += copies;
        run.bytes += copies * datagram.size as u64;
        let kind = match &datagram.packet {
            Packet::Control { control, .. } => usize::from(control.kind()),
            Packet::Entry { .. } => 7,
        };
        self.packet_counts.0[kind] += copies;
        self.largest = self.largest.max(datagram.size);
    }

    /// Observes a packet that an engine sends, before fault injection: records the nonce of an
    /// announce, the joining, and own entries.
    pub(crate) fn on_sending(&mut self, id: RunId, packet: &Outgoing) {
        match packet {
            Outgoing::Control(Control::Announce(announce)) => {
                self.runs[id].nonce = Some(announce.nonce);
            }
            Outgoing::Control(Control::Recall(_) | Control::Heartbeat(_))
                if self.runs[id].stage == Stage::Announcing =>
            {
                self.runs[id].stage = Stage::In;
            }
            Outgoing::Entry(entry) if entry.author == self.runs[id].signer => {
                self.on_written(id, entry.fields.sequence);
            }
            _ => {}
        }
    }

    /// Counts a `recall` that `id` sends to the run `asked`.
    pub(crate) fn on_recall(&mut self, id: RunId, asked: RunId) {
        *self.runs[id].recalls.entry(asked).or_default() += 1;
    }

    /// Records the entries that an engine has written, up to this sequence.
    fn on_written(&mut self, id: RunId, sequence: u32) {
        let at = self.time;
        let run = &mut self.runs[id];
        let (own, known) = (run.signer.id, run.written.len());
        if known >= sequence as usize {
            return;
        }
        let is_new = |it: &&std::sync::Arc<pi_chat::wire::udp::Entry>| {
            it.author.id == own && it.fields.sequence as usize > known
        };
        for entry in run.mesh.entries().filter(is_new) {
            let (_, said) = parse_text(&entry.fields.text).unwrap();
            run.said[said].sent_at = Some(at);
            run.written.push(Written { lamport: entry.fields.lamport, said });
        }
    }

    /// Observes a datagram that is new to an engine, before fault injection: records floors, who
    /// was heard, goodbyes, agreements and which of them count, histories, and a rival of smaller
    /// id.
    pub(crate) fn on_arrival(&mut self, to: RunId, datagram: &Datagram) {
        let (now, from) = (self.time, datagram.from);
        let Packet::Control { control, .. } = &datagram.packet else { return };
        let marks = match control {
            Control::Recent(recent) => recent.marks.as_slice(),
            _ => &[],
        };
        for mark in marks {
            let Some(author) = self.by_id.get(&mark.author) else { continue };
            let floor = self.runs[to].floors.entry(*author).or_default();
            *floor = mark.have.max(*floor);
        }
        let run = &mut self.runs[to];
        run.hear(from, now);
        match control {
            Control::Heartbeat(_) if run.members.contains_key(&from) => {
                for (who, ago) in &datagram.listed {
                    run.hear(*who, now.saturating_sub(*ago));
                }
            }
            Control::Bye(_) => drop(run.goodbyes.insert(from)),
            Control::Announce(announce) if run.stage == Stage::Announcing => {
                let is_smaller = datagram_id(datagram) < run.signer.id;
                let is_same = NameKey::of(&announce.username) == *run.key();
                run.heard_winning_rival |= is_smaller && is_same;
            }
            Control::Agree(agree)
                if run.stage == Stage::Announcing
                    && run.nonce == Some(agree.nonce)
                    && agree.flags & Agree::ASKING == 0 =>
            {
                let clock = i64::try_from(agree.clock.0).unwrap();
                let clock = clock - i64::try_from(now / MS).unwrap();
                run.agreed.push(Agreed { by: from, since: agree.since, clock });
            }
            Control::Pong(_) if run.stage == Stage::Announcing => drop(run.proven.insert(from)),
            Control::Recent(recent) if run.nonce == Some(recent.nonce) => {
                run.histories.extend(datagram.history.clone().map(|it| (from, it)));
            }
            _ => {}
        }
    }

    /// Returns the objection that a datagram brings to a candidate, if it does.
    pub(crate) fn objection(&self, to: RunId, datagram: &Datagram) -> Option<Objection> {
        let Packet::Control { control: Control::Object(object), .. } = &datagram.packet else {
            return None;
        };
        let run = &self.runs[to];
        let is_about_it = run.nonce == Some(object.nonce) && object.nonce != Nonce::default();
        (run.stage == Stage::Announcing && is_about_it).then_some(Objection {
            to,
            by: datagram.from,
            at: self.time,
            is_by_known_member: false,
        })
    }

    /// Records a new username of a run.
    pub(crate) fn rename(&mut self, id: RunId, name: &str) {
        self.runs[id].name = Username::new(name).unwrap();
    }

    /// Records members that have come or gone, as an engine reports them. Records a departure only
    /// if the user was told since that somebody has left.
    pub(crate) fn note_members(&mut self, id: RunId) {
        let run = &mut self.runs[id];
        let has_left = std::mem::take(&mut run.has_left);
        run.members_changed = false;
        let members = self.read_members(id);
        let now = self.time;
        let run = &self.runs[id];
        // No departure is reported if another member holds the name, so its time is unknown.
        let gone = run.members.keys().filter(|it| has_left && !members.contains(it));
        for subject in gone {
            self.departures.push(Departure {
                observer: id,
                subject: *subject,
                at: self.time,
                heard: run.last_heard(*subject),
                had_said_goodbye: run.goodbyes.contains(subject),
                members: members.len() + 1,
            });
        }
        let before = &mut self.runs[id].members;
        before.retain(|it, _| members.contains(it));
        for member in members {
            before.entry(member).or_insert(now);
        }
    }

    /// Observes an event of an engine, before fault injection: records the joining, new names and
    /// own entries, and notes that the members may have changed.
    pub(crate) fn on_event(&mut self, id: RunId, event: &Event) {
        self.note(|| format!("{id} shows {event:?}"));
        match event {
            Event::JoinedMesh(admitted) => {
                self.runs[id].admitted = Some(self.time);
                assert_eq!(self.run_of(admitted.session), Some(id), "its public number");
                self.rename(id, &admitted.username);
                self.runs[id].members_changed = true;
                self.note_reachable(id);
            }
            Event::Renamed { to, .. } => self.rename(id, to),
            Event::Message(message) if message.own => {
                self.on_written(id, u32::try_from(message.sequence.0).unwrap());
            }
            Event::Presence { left, .. } => {
                let has_left = left.as_ref().is_none_or(|it| !it.is_empty());
                self.runs[id].has_left |= has_left;
                self.runs[id].members_changed |= has_left || self.machines.len() <= 60;
            }
            _ => {}
        }
    }

    /// Observes an event that a user sees: records messages, gaps and refusals.
    pub(crate) fn on_shown(&mut self, id: RunId, event: &Event) {
        match event {
            Event::Message(message) => self.on_message(id, message),
            Event::Gap { .. } => {
                self.runs[id].gaps.push(self.time);
            }
            Event::Refused(refusal) => {
                let text = refusal.tag.0.as_deref().unwrap_or_default();
                if let Some((run, said)) = parse_text(text) {
                    self.runs[run].said[said].is_refused = true;
                }
            }
            _ => {}
        }
    }

    /// Records a message that a user sees, and entries that were given up before it.
    fn on_message(&mut self, id: RunId, message: &Message) {
        let (author, said) = parse_text(&message.text).unwrap();
        let sequence = u32::try_from(message.sequence.0).unwrap();
        assert_eq!(self.run_of(message.session), Some(author), "whose it is");
        let run = &self.runs[id];
        let before = run.shown.iter().rev().find(|it| it.author == author).map_or(0, |it| it.at);
        if let Some(gap) = run.gaps.iter().rev().find(|it| **it >= before).copied() {
            for missing in run.reached(author) + 1..sequence {
                self.note_given_up(gap, id, author, missing);
            }
        }
        self.runs[id].shown.push(Shown {
            at: self.time,
            author,
            sequence,
            said,
            is_history: message.history,
            is_late: message.late,
        });
        if author != id {
            self.last_delivery = self.time;
        }
    }

    /// Records an entry that was given up, and a run that has it.
    fn note_given_up(&mut self, at: u64, by: RunId, author: RunId, sequence: u32) {
        let id = self.runs[author].signer.id;
        let holder = self.awake().filter(|it| *it != by).find_map(|other| {
            let since = self.connected_since(by, other)?;
            let mut entries = self.runs[other].mesh.entries();
            entries
                .any(|it| it.author.id == id && it.fields.sequence == sequence)
                .then_some((other, since))
        });
        let awake = at.saturating_sub(self.machines[self.runs[by].machine].awake_since);
        self.given_up.push(GivenUpEntry { by, author, sequence, at, awake, holder });
    }

    /// Observes all runs that are awake: in large worlds, their members every 10 s; and name
    /// collisions each time.
    pub(crate) fn observe(&mut self) {
        if self.machines.len() > 60 && self.time % (10 * S) < self.observe_interval {
            let all: Vec<RunId> = self.awake().filter(|it| self.runs[*it].is_in()).collect();
            for id in all {
                self.note_members(id);
            }
        }
        let mut holders: HashMap<NameKey, Vec<RunId>> = HashMap::new();
        for id in self.awake() {
            if self.runs[id].is_in() {
                holders.entry(self.runs[id].key().clone()).or_default().push(id);
            }
        }
        let mut pairs = Vec::new();
        for same in holders.values().filter(|it| it.len() > 1) {
            for (place, one) in same.iter().enumerate() {
                pairs.extend(
                    same[place + 1..].iter().map(|other| (*one.min(other), *one.max(other))),
                );
            }
        }
        for (pair, collision) in &mut self.collisions {
            if !pairs.contains(pair) {
                (collision.begun, collision.known) = (None, None);
            }
        }
        for (one, other) in pairs {
            self.update_collision(one, other);
        }
    }

    /// Updates how long two members with one name have been together.
    fn update_collision(&mut self, one: RunId, other: RunId) {
        let connected = self.connected_since(one, other);
        let do_know = connected.is_some()
            && self.read_members(one).contains(&other)
            && self.read_members(other).contains(&one);
        let now = self.time;
        let collision = self.collisions.entry((one, other)).or_default();
        let begun = *collision.begun.get_or_insert(now);
        if let Some(connected) = connected {
            let since = connected.max(begun);
            collision.connected_for = collision.connected_for.max(now - since);
        }
        if do_know {
            let since = *collision.known.get_or_insert(now);
            collision.known_for = collision.known_for.max(now - since);
        } else {
            collision.known = None;
        }
    }

    /// Records the runs that a newcomer could talk to from its start until now.
    fn note_reachable(&mut self, id: RunId) {
        let began = self.runs[id].began;
        let is_near = |it: &RunId| {
            *it != id && self.connected_since(id, *it).is_some_and(|since| since <= began)
        };
        let reachable = self.awake().filter(is_near).collect();
        self.runs[id].reachable = reachable;
    }

    /// Records, at the end of a run, the runs that it could talk to and that knew it.
    pub(crate) fn note_companions(&mut self, id: RunId) {
        let others: Vec<RunId> = self.awake().filter(|it| *it != id).collect();
        let since = |other: RunId| {
            let connected = self.connected_since(id, other)?;
            let known = *self.runs[id].members.get(&other)?;
            let knows = *self.runs[other].members.get(&id)?;
            Some((other, connected.max(known).max(knows)))
        };
        let companions = others.into_iter().filter_map(since).collect();
        self.runs[id].companions = companions;
    }
}
