//! What the world notes about what happens, for the checks to judge.

use std::collections::HashMap;

use pi_chat::mesh::Outgoing;
use pi_chat::model::{Event, Message, NameKey, PeerId, Username};
use pi_chat::wire::udp::{Agree, Control, Nonce, Packet};

use super::life::{Agreed, LifeId, Shown, Stage, Written};
use super::queue::Datagram;
use super::world::{MS, S, World};

/// Datagrams by their kinds; entries are kind 7.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kinds(pub(crate) [u64; 15]);

/// Two that are in the room with one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Collision {
    /// Since when, as long as it lasts.
    begun: Option<u64>,
    /// Since when both know each other besides.
    known: Option<u64>,
    /// The longest time for which they could talk to each other.
    pub(crate) connected_for: u64,
    /// The longest time for which they knew each other.
    pub(crate) known_for: u64,
}

/// An objection that has reached a candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objection {
    /// Who it was about.
    pub(crate) to: LifeId,
    /// Whose it was.
    pub(crate) by: LifeId,
    /// When.
    pub(crate) at: u64,
    /// The candidate was rejected at once.
    pub(crate) was_heeded: bool,
}

/// Somebody has taken somebody for gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    /// Who has.
    pub(crate) observer: LifeId,
    /// Whom.
    pub(crate) subject: LifeId,
    /// When.
    pub(crate) at: u64,
    /// When that one had last been heard, by whomever, as far as the observer
    /// could know.
    pub(crate) heard: u64,
    /// It had said goodbye.
    pub(crate) had_said_goodbye: bool,
    /// How many there are, as the observer believes afterwards.
    pub(crate) members: usize,
}

/// An entry that somebody has given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenUp {
    /// Who has.
    pub(crate) by: LifeId,
    /// Its author.
    pub(crate) author: LifeId,
    /// Which one.
    pub(crate) sequence: u32,
    /// When.
    pub(crate) at: u64,
    /// For how long its machine had been awake.
    pub(crate) awake: u64,
    /// Somebody who has it, and since when those two could talk.
    pub(crate) holder: Option<(LifeId, u64)>,
}

/// What a text is: whose message, and which one.
pub(crate) fn meaning(text: &str) -> Option<(LifeId, usize)> {
    let (life, said) = text.split_once(':')?;
    Some((life.parse().ok()?, said.parse().ok()?))
}

/// Who has sent a datagram.
fn datagram_id(datagram: &Datagram) -> PeerId {
    match &datagram.packet {
        Packet::Control { sender, .. } => sender.id,
        Packet::Entry { sender, .. } => *sender,
    }
}

impl World {
    /// Counts a datagram and its copies.
    pub(crate) fn count(&mut self, id: LifeId, datagram: &Datagram, copies: u64) {
        let life = &mut self.lives[id];
        life.datagrams += copies;
        life.bytes += copies * datagram.size as u64;
        let kind = match &datagram.packet {
            Packet::Control { control, .. } => usize::from(control.kind()),
            Packet::Entry { .. } => 7,
        };
        self.kinds.0[kind] += copies;
        self.largest = self.largest.max(datagram.size);
    }

    /// What an engine wants to send, before anybody can change it.
    pub(crate) fn on_sending(&mut self, id: LifeId, packet: &Outgoing) {
        match packet {
            Outgoing::Control(Control::Announce(announce)) => {
                self.lives[id].nonce = Some(announce.nonce);
            }
            Outgoing::Control(Control::Recall(_) | Control::Heartbeat(_))
                if self.lives[id].stage == Stage::Announcing =>
            {
                self.lives[id].stage = Stage::In;
            }
            Outgoing::Entry(entry) if entry.author == self.lives[id].signer => {
                self.on_written(id, entry.fields.sequence);
            }
            _ => {}
        }
    }

    /// Notes whom an engine asks for its history.
    pub(crate) fn on_recall(&mut self, id: LifeId, asked: LifeId) {
        *self.lives[id].recalls.entry(asked).or_default() += 1;
    }

    /// An engine has written its entries up to this one.
    fn on_written(&mut self, id: LifeId, sequence: u32) {
        let at = self.time;
        let life = &mut self.lives[id];
        let (own, known) = (life.signer.id, life.written.len());
        if known >= sequence as usize {
            return;
        }
        let is_new = |it: &&std::sync::Arc<pi_chat::wire::udp::Entry>| {
            it.author.id == own && it.fields.sequence as usize > known
        };
        for entry in life.mesh.entries().filter(is_new) {
            let (_, said) = meaning(&entry.fields.text).unwrap();
            life.said[said].sent_at = Some(at);
            life.written.push(Written { lamport: entry.fields.lamport, said });
        }
    }

    /// A datagram that is new to an engine has reached its machine.
    pub(crate) fn on_arrival(&mut self, to: LifeId, datagram: &Datagram) {
        let (now, from) = (self.time, datagram.from);
        let Packet::Control { control, .. } = &datagram.packet else { return };
        let marks = match control {
            Control::Recent(recent) => recent.marks.as_slice(),
            _ => &[],
        };
        for mark in marks {
            let Some(author) = self.by_id.get(&mark.author) else { continue };
            let floor = self.lives[to].floors.entry(*author).or_default();
            *floor = mark.have.max(*floor);
        }
        let life = &mut self.lives[to];
        life.hear(from, now);
        match control {
            Control::Heartbeat(_) if life.members.contains_key(&from) => {
                for (who, ago) in &datagram.listed {
                    life.hear(*who, now.saturating_sub(*ago));
                }
            }
            Control::Bye(_) => drop(life.goodbyes.insert(from)),
            Control::Announce(announce) if life.stage == Stage::Announcing => {
                let is_smaller = datagram_id(datagram) < life.signer.id;
                let is_same = NameKey::of(&announce.username) == *life.key();
                life.had_rival |= is_smaller && is_same;
            }
            Control::Agree(agree)
                if life.stage == Stage::Announcing
                    && life.nonce == Some(agree.nonce)
                    && agree.flags & Agree::ASKING == 0 =>
            {
                let clock = i64::try_from(agree.clock.0).unwrap();
                let clock = clock - i64::try_from(now / MS).unwrap();
                life.agreed.push(Agreed { by: from, since: agree.since, clock });
            }
            Control::Recent(recent) if life.nonce == Some(recent.nonce) => {
                life.histories.extend(datagram.history.clone().map(|it| (from, it)));
            }
            _ => {}
        }
    }

    /// An objection that reaches a candidate, if this is one.
    pub(crate) fn objection(&self, to: LifeId, datagram: &Datagram) -> Option<Objection> {
        let Packet::Control { control: Control::Object(object), .. } = &datagram.packet else {
            return None;
        };
        let life = &self.lives[to];
        let is_about_it = life.nonce == Some(object.nonce) && object.nonce != Nonce::default();
        (life.stage == Stage::Announcing && is_about_it).then_some(Objection {
            to,
            by: datagram.from,
            at: self.time,
            was_heeded: false,
        })
    }

    /// Somebody is called differently now.
    pub(crate) fn rename(&mut self, id: LifeId, name: &str) {
        self.lives[id].name = Username::new(name).unwrap();
    }

    /// Notes who has become a member for somebody, and who is gone.
    pub(crate) fn note_members(&mut self, id: LifeId) {
        let life = &mut self.lives[id];
        let has_left = std::mem::take(&mut life.has_left);
        life.has_news = false;
        let members = self.look_at_members(id);
        let now = self.time;
        let life = &self.lives[id];
        // Nobody is told that somebody is gone whose name somebody else holds:
        // nobody knows when that was.
        let gone = life.members.keys().filter(|it| has_left && !members.contains(it));
        for subject in gone {
            self.departures.push(Departure {
                observer: id,
                subject: *subject,
                at: self.time,
                heard: life.last_heard(*subject),
                had_said_goodbye: life.goodbyes.contains(subject),
                members: members.len() + 1,
            });
        }
        let before = &mut self.lives[id].members;
        before.retain(|it, _| members.contains(it));
        for member in members {
            before.entry(member).or_insert(now);
        }
    }

    /// What an engine shows, before anybody can change it.
    pub(crate) fn on_event(&mut self, id: LifeId, event: &Event) {
        self.note(|| format!("{id} shows {event:?}"));
        match event {
            Event::JoinedMesh(admitted) => {
                self.lives[id].admitted = Some(self.time);
                assert_eq!(self.life_of(admitted.session), Some(id), "its public number");
                self.rename(id, &admitted.username);
                self.lives[id].has_news = true;
                self.note_reachable(id);
            }
            Event::Renamed { to, .. } => self.rename(id, to),
            Event::Message(message) if message.own => {
                self.on_written(id, u32::try_from(message.sequence.0).unwrap());
            }
            Event::Presence { left, .. } => {
                let has_left = left.as_ref().is_none_or(|it| !it.is_empty());
                self.lives[id].has_left |= has_left;
                self.lives[id].has_news |= has_left || self.machines.len() <= 60;
            }
            _ => {}
        }
    }

    /// What a person sees.
    pub(crate) fn on_shown(&mut self, id: LifeId, event: &Event) {
        match event {
            Event::Message(message) => self.on_message(id, message),
            Event::Gap { .. } => {
                self.lives[id].gaps.push(self.time);
            }
            Event::Refused(refusal) => {
                let text = refusal.tag.0.as_deref().unwrap_or_default();
                if let Some((life, said)) = meaning(text) {
                    self.lives[life].said[said].is_refused = true;
                }
            }
            _ => {}
        }
    }

    /// A person sees a message.
    fn on_message(&mut self, id: LifeId, message: &Message) {
        let (author, said) = meaning(&message.text).unwrap();
        let sequence = u32::try_from(message.sequence.0).unwrap();
        assert_eq!(self.life_of(message.session), Some(author), "whose it is");
        let life = &self.lives[id];
        let before = life.shown.iter().rev().find(|it| it.author == author).map_or(0, |it| it.at);
        if let Some(gap) = life.gaps.iter().rev().find(|it| **it >= before).copied() {
            for missing in life.reached(author) + 1..sequence {
                self.note_given_up(gap, id, author, missing);
            }
        }
        self.lives[id].shown.push(Shown {
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

    /// Notes that somebody has given an entry up, and who has it.
    fn note_given_up(&mut self, at: u64, by: LifeId, author: LifeId, sequence: u32) {
        let id = self.lives[author].signer.id;
        let holder = self.awake().filter(|it| *it != by).find_map(|other| {
            let since = self.connected_since(by, other)?;
            let mut entries = self.lives[other].mesh.entries();
            entries
                .any(|it| it.author.id == id && it.fields.sequence == sequence)
                .then_some((other, since))
        });
        let awake = at.saturating_sub(self.machines[self.lives[by].machine].awake_since);
        self.given_up.push(GivenUp { by, author, sequence, at, awake, holder });
    }

    /// Looks at everybody's names.
    pub(crate) fn look(&mut self) {
        if self.machines.len() > 60 && self.time % (10 * S) < self.look_each {
            let all: Vec<LifeId> = self.awake().filter(|it| self.lives[*it].is_in()).collect();
            for id in all {
                self.note_members(id);
            }
        }
        let mut holders: HashMap<NameKey, Vec<LifeId>> = HashMap::new();
        for id in self.awake() {
            if self.lives[id].is_in() {
                holders.entry(self.lives[id].key().clone()).or_default().push(id);
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
            self.look_at_collision(one, other);
        }
    }

    /// Notes for how long two with one name have been together.
    fn look_at_collision(&mut self, one: LifeId, other: LifeId) {
        let connected = self.connected_since(one, other);
        let do_know = connected.is_some()
            && self.look_at_members(one).contains(&other)
            && self.look_at_members(other).contains(&one);
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

    /// Notes with whom a newcomer could talk from its beginning until now.
    fn note_reachable(&mut self, id: LifeId) {
        let began = self.lives[id].began;
        let is_near = |it: &LifeId| {
            *it != id && self.connected_since(id, *it).is_some_and(|since| since <= began)
        };
        let reachable = self.awake().filter(is_near).collect();
        self.lives[id].reachable = reachable;
    }

    /// A life ends: notes with whom it could talk until then.
    pub(crate) fn note_companions(&mut self, id: LifeId) {
        let others: Vec<LifeId> = self.awake().filter(|it| *it != id).collect();
        let since = |other: LifeId| {
            let connected = self.connected_since(id, other)?;
            let known = *self.lives[id].members.get(&other)?;
            let knows = *self.lives[other].members.get(&id)?;
            Some((other, connected.max(known).max(knows)))
        };
        let companions = others.into_iter().filter_map(since).collect();
        self.lives[id].companions = companions;
    }
}
