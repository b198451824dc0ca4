//! Oneself as a candidate: section 7.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::contacts::Seniority;
use super::dispatch::PacketMeta;
use super::timers::{
    ANNOUNCE_RETRY_INTERVAL, ANNOUNCE_TIMES, DEFERRED_VOTE_TIMEOUT, JOIN_TIMEOUT, JOIN_WINDOW,
    MAX_UNICAST_ANNOUNCES, SUSPEND_THRESHOLD,
};
use super::{End, HistoryFetch, Mesh, Now, Outgoing, Phase, admission};
use crate::model::{ErrorCode, Event, JoinedMesh, Lamport, Moment, PathSet, PeerId, RoomClock};
use crate::wire::udp::{Agree, Announce, Control, Nonce, Object, Pong};

/// A peer that the candidate has heard of.
#[derive(Debug)]
struct MemberVote {
    /// When it meta in, as it says.
    since: RoomClock,
    /// Where it sends from.
    address: SocketAddr,
    /// What it has said.
    vote: Vote,
}

/// What a voter has said.
#[derive(Debug)]
enum Vote {
    /// Nothing; so many announces were sent to it alone.
    Pending(u8),
    /// It asks its person, since then.
    Deferred(Moment),
    /// Yes, with its counter.
    Yes(Lamport),
}

/// An candidacy to join.
#[derive(Debug)]
pub(super) struct Candidacy {
    /// What answers refer to.
    nonce: Nonce,
    /// When the first announce went out.
    started_at: Moment,
    /// How many went out to all.
    announces_sent: usize,
    /// When the next one goes out.
    announce_at: Moment,
    /// Whom it has heard of.
    votes: BTreeMap<PeerId, MemberVote>,
    /// The greatest room clock that was profile by somebody alive, and when.
    clock: Option<(RoomClock, Moment)>,
}

impl Candidacy {
    /// Begins now.
    pub(super) fn new(now: Moment, random: &mut fastrand::Rng) -> Self {
        let nonce = Nonce(random.u64(1..).to_le_bytes());
        let votes = BTreeMap::new();
        Self { nonce, started_at: now, announces_sent: 0, announce_at: now, votes, clock: None }
    }

    /// The eight oldest of those heard of: the only ones that have to agree.
    fn most_senior(&self) -> Vec<PeerId> {
        let mut seniorities: Vec<Seniority> =
            self.votes.iter().map(|(id, it)| (it.since, *id)).collect();
        seniorities.sort_unstable();
        seniorities.into_iter().take(admission::VOTERS).map(|(_, id)| id).collect()
    }

    /// The counter to begin with: what half of the oldest say that theirs is,
    /// or more. One liar moves it neither up nor down.
    fn lamport(&self) -> Lamport {
        let votes = self.most_senior().into_iter().filter_map(|id| self.votes.get(&id));
        let mut counters: Vec<Lamport> = votes
            .filter_map(|it| match it.vote {
                Vote::Yes(lamport) => Some(lamport),
                _ => None,
            })
            .collect();
        counters.sort_unstable();
        counters.get(counters.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// Whether nobody's answer is owed any more. Not for ever: strangers can
    /// invent any number of peers that are old and never answer.
    fn is_settled(&self, now: Moment) -> bool {
        let oldest = self.most_senior();
        let is_timed_out = now.since(self.started_at) >= JOIN_TIMEOUT;
        is_timed_out
            || self.votes.iter().all(|(id, voter)| match voter.vote {
                Vote::Yes(_) => true,
                Vote::Deferred(since) => now.since(since) >= DEFERRED_VOTE_TIMEOUT,
                Vote::Pending(sent) => sent > MAX_UNICAST_ANNOUNCES || !oldest.contains(id),
            })
    }
}

impl Mesh {
    /// When the candidate has something to do next.
    pub(super) fn candidacy_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Announcing(candidacy) => Some(candidacy.announce_at),
            _ => None,
        }
    }

    /// Announces oneself again, or goes in.
    pub(super) fn drive_candidacy(&mut self, now: Now) {
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        if now.moment < candidacy.announce_at {
            return;
        }
        if now.moment.since(candidacy.announce_at) >= SUSPEND_THRESHOLD {
            // Who has answered may be gone, and who has come in not be heard.
            *candidacy = Candidacy::new(now.moment, &mut self.random);
        }
        let is_over = now.moment.since(candidacy.started_at) >= JOIN_WINDOW;
        if is_over && candidacy.is_settled(now.moment) {
            self.join(now);
            return;
        }
        let to_all = candidacy.announces_sent < ANNOUNCE_TIMES.len();
        candidacy.announces_sent += usize::from(to_all);
        candidacy.announce_at = match ANNOUNCE_TIMES.get(candidacy.announces_sent) {
            Some(delay) => candidacy.started_at + *delay,
            None => (now.moment + ANNOUNCE_RETRY_INTERVAL).max(candidacy.started_at + JOIN_WINDOW),
        };
        let mut agreed = Vec::new();
        let mut addresses = if to_all { self.hosts.clone() } else { Vec::new() };
        let oldest = candidacy.most_senior();
        for (id, voter) in &mut candidacy.votes {
            match &mut voter.vote {
                Vote::Yes(_) if agreed.len() < admission::VOTERS => agreed.push(*id),
                Vote::Pending(sent) if oldest.contains(id) => {
                    *sent += 1;
                    addresses.push(voter.address);
                }
                // Its last word may have been lost.
                Vote::Deferred(_) => addresses.push(voter.address),
                _ => {}
            }
        }
        let name = self.settings.username.as_str().to_owned();
        let announce = Announce::new(candidacy.nonce, name, agreed);
        let paths = if to_all { PathSet::ALL } else { PathSet::NONE };
        self.send(paths, addresses, Outgoing::Control(Control::Announce(announce)));
    }

    /// A member agrees.
    pub(super) fn on_agree(&mut self, now: Now, meta: PacketMeta, agree: Agree) {
        let id = meta.sender.id;
        let Phase::Announcing(candidacy) = &mut self.phase else {
            // One is in; its cookie can still be answered.
            self.send_pong(now, meta, agree.cookie);
            return;
        };
        if agree.nonce != candidacy.nonce {
            self.drops.unexpected += 1;
            return;
        }
        let is_asking = agree.flags & Agree::ASKING != 0;
        let vote = if is_asking { Vote::Deferred(now.moment) } else { Vote::Yes(agree.lamport) };
        let address = meta.from;
        let voter = MemberVote { since: agree.since, address, vote };
        match candidacy.votes.get_mut(&id) {
            Some(known) => match known.vote {
                // It has asked since before, or has answered already.
                Vote::Deferred(_) | Vote::Yes(_) if is_asking => {}
                _ => *known = voter,
            },
            None => drop(candidacy.votes.insert(id, voter)),
        }
        let elapsed = |it: (RoomClock, Moment)| it.0.after(now.moment.since(it.1));
        if candidacy.clock.is_none_or(|it| elapsed(it) < agree.clock) {
            candidacy.clock = Some((agree.clock, now.moment));
        }
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.verify_address(meta.from);
            contact.hears = Some(agree.heard);
            contact.hears_counter = meta.counter;
        }
        self.update_profile(now, id, &agree.username, agree.clock, agree.since, agree.time);
        self.send_pong(now, meta, agree.cookie);
    }

    /// Sends a cookie back.
    fn send_pong(&mut self, now: Now, meta: PacketMeta, cookie: crate::wire::udp::Cookie) {
        let heard = self.paths_heard_from(now.moment, meta.sender.id);
        self.send_to(meta.from, Control::Pong(Pong { cookie, heard }));
    }

    /// Somebody is heard that is in the room; it has to agree as well.
    pub(super) fn note_voter(&mut self, id: PeerId, address: SocketAddr, since: RoomClock) {
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        let vote = Vote::Pending(0);
        candidacy.votes.entry(id).or_insert(MemberVote { since, address, vote });
    }

    /// Somebody says goodbye while one is a candidate.
    pub(super) fn forget_voter(&mut self, id: PeerId) {
        if let Phase::Announcing(candidacy) = &mut self.phase {
            candidacy.votes.remove(&id);
        }
    }

    /// Somebody objects.
    pub(super) fn on_object(&mut self, now: Now, object: &Object, is_verified: bool) {
        match &self.phase {
            Phase::Announcing(candidacy) if object.nonce == candidacy.nonce => {
                self.reject(object.by.clone(), object.code, object.text.clone());
            }
            Phase::Recalling(_) | Phase::In if is_verified => self.on_late_objection(now, object),
            _ => self.drops.unexpected += 1,
        }
    }

    /// One is not let in.
    fn reject(&mut self, by: String, code: u16, reason: String) {
        self.finish(End::Rejected { by, code, reason });
    }

    /// Another candidate announces itself while one is a candidate.
    pub(super) fn on_rival(&mut self, now: Now, meta: PacketMeta, announce: &Announce) {
        let Phase::Announcing(candidacy) = &self.phase else { return };
        let key = crate::model::NameKey::of(&announce.username);
        if key != *self.settings.username.key() || announce.nonce == candidacy.nonce {
            return;
        }
        if !self.contacts.get(meta.sender.id).is_some_and(|it| it.is_verified) {
            // It may be yesterday's recording.
            self.ping(now, meta.sender.id);
            return;
        }
        let code = ErrorCode::NameTaken;
        if meta.sender.id < self.me.id {
            self.reject(announce.username.clone(), code.number(), code.default_text().to_owned());
        } else {
            let (me, since) = (self.me.id, RoomClock(0));
            self.object(now, meta.from, announce.nonce, code, &announce.username, (since, me));
        }
    }

    /// The vote is over: one is a member.
    fn join(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Announcing(candidacy) = ended else { return };
        if let Some((clock, at)) = candidacy.clock {
            self.clock = (clock.after(now.moment.since(at)), now.moment);
        } else {
            self.clock = (RoomClock(0), now.moment);
        }
        self.since = self.room_clock(now.moment);
        self.logs.start_lamport_at(candidacy.lamport());
        self.send_plan = None;
        let sources: Vec<PeerId> =
            self.contacts.members_by_seniority().iter().map(|(_, id)| *id).collect();
        self.phase = Phase::Recalling(HistoryFetch::new(candidacy.nonce, now.moment, sources));
        self.heartbeats.begin(now.moment);
        self.drive_history_fetch(now);
    }

    /// Tells the person that one is in.
    pub(super) fn report_joined(&mut self, history_from: Option<PeerId>) {
        let mut members = self.names_of_members();
        members.sort();
        let history_from = history_from.and_then(|it| self.contacts.get(it));
        let admitted = JoinedMesh {
            session: super::requests::session(self.me.id),
            username: self.name.as_str().to_owned(),
            room: self.settings.room.as_str().to_owned(),
            is_closed: self.settings.is_closed,
            members,
            history_from: history_from.map(|it| it.name().to_owned()),
        };
        self.emit(Event::JoinedMesh(admitted));
    }
}
