//! Oneself as a candidate: section 7.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::contacts::Seniority;
use super::dispatch::Came;
use super::timers::{
    ANNOUNCE_AGAIN, ANNOUNCES, ANNOUNCES_TO_ONE, ASKING_PATIENCE, JOIN_AT_MOST, SUSPEND_THRESHOLD,
    WINDOW,
};
use super::{End, History, Mesh, Now, Outgoing, Phase, admission};
use crate::model::{ErrorCode, Event, JoinedMesh, Lamport, Moment, PathSet, PeerId, RoomClock};
use crate::wire::udp::{Agree, Announce, Control, Nonce, Object, Pong};

/// A peer that the candidate has heard of.
#[derive(Debug)]
struct Voter {
    /// When it came in, as it says.
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
    None(u8),
    /// It asks its person, since then.
    Asking(Moment),
    /// Yes, with its counter.
    Yes(Lamport),
}

/// An attempt to join.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What answers refer to.
    nonce: Nonce,
    /// When the first announce went out.
    begun: Moment,
    /// How many went out to all.
    announced: usize,
    /// When the next one goes out.
    due: Moment,
    /// Whom it has heard of.
    voters: BTreeMap<PeerId, Voter>,
    /// The greatest room clock that was stated by somebody alive, and when.
    clock: Option<(RoomClock, Moment)>,
}

impl Attempt {
    /// Begins now.
    pub(super) fn new(now: Moment, random: &mut fastrand::Rng) -> Self {
        let nonce = Nonce(random.u64(1..).to_le_bytes());
        let voters = BTreeMap::new();
        Self { nonce, begun: now, announced: 0, due: now, voters, clock: None }
    }

    /// The eight oldest of those heard of: the only ones that have to agree.
    fn oldest(&self) -> Vec<PeerId> {
        let mut seniorities: Vec<Seniority> =
            self.voters.iter().map(|(id, it)| (it.since, *id)).collect();
        seniorities.sort_unstable();
        seniorities.into_iter().take(admission::VOICES).map(|(_, id)| id).collect()
    }

    /// The counter to begin with: what half of the oldest say that theirs is,
    /// or more. One liar moves it neither up nor down.
    fn lamport(&self) -> Lamport {
        let votes = self.oldest().into_iter().filter_map(|id| self.voters.get(&id));
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
        let oldest = self.oldest();
        let is_too_long = now.since(self.begun) >= JOIN_AT_MOST;
        is_too_long
            || self.voters.iter().all(|(id, voter)| match voter.vote {
                Vote::Yes(_) => true,
                Vote::Asking(since) => now.since(since) >= ASKING_PATIENCE,
                Vote::None(sent) => sent > ANNOUNCES_TO_ONE || !oldest.contains(id),
            })
    }
}

impl Mesh {
    /// When the candidate has something to do next.
    pub(super) fn attempt_due(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Announcing(attempt) => Some(attempt.due),
            _ => None,
        }
    }

    /// Announces oneself again, or goes in.
    pub(super) fn go_on_announcing(&mut self, now: Now) {
        let Phase::Announcing(attempt) = &mut self.phase else { return };
        if now.moment < attempt.due {
            return;
        }
        if now.moment.since(attempt.due) >= SUSPEND_THRESHOLD {
            // Who has answered may be gone, and who has come in not be heard.
            *attempt = Attempt::new(now.moment, &mut self.random);
        }
        let is_over = now.moment.since(attempt.begun) >= WINDOW;
        if is_over && attempt.is_settled(now.moment) {
            self.go_in(now);
            return;
        }
        let to_all = attempt.announced < ANNOUNCES.len();
        attempt.announced += usize::from(to_all);
        attempt.due = match ANNOUNCES.get(attempt.announced) {
            Some(delay) => attempt.begun + *delay,
            None => (now.moment + ANNOUNCE_AGAIN).max(attempt.begun + WINDOW),
        };
        let mut agreed = Vec::new();
        let mut addresses = if to_all { self.hosts.clone() } else { Vec::new() };
        let oldest = attempt.oldest();
        for (id, voter) in &mut attempt.voters {
            match &mut voter.vote {
                Vote::Yes(_) if agreed.len() < admission::VOICES => agreed.push(*id),
                Vote::None(sent) if oldest.contains(id) => {
                    *sent += 1;
                    addresses.push(voter.address);
                }
                // Its last word may have been lost.
                Vote::Asking(_) => addresses.push(voter.address),
                _ => {}
            }
        }
        let name = self.settings.username.as_str().to_owned();
        let announce = Announce::new(attempt.nonce, name, agreed);
        let paths = if to_all { PathSet::ALL } else { PathSet::NONE };
        self.send(paths, addresses, Outgoing::Control(Control::Announce(announce)));
    }

    /// A member agrees.
    pub(super) fn on_agree(&mut self, now: Now, came: Came, agree: Agree) {
        let id = came.sender.id;
        let Phase::Announcing(attempt) = &mut self.phase else {
            // One is in; its cookie can still be answered.
            self.answer(now, came, agree.cookie);
            return;
        };
        if agree.nonce != attempt.nonce {
            self.drops.unexpected += 1;
            return;
        }
        let is_asking = agree.flags & Agree::ASKING != 0;
        let vote = if is_asking { Vote::Asking(now.moment) } else { Vote::Yes(agree.lamport) };
        let address = came.from;
        let voter = Voter { since: agree.since, address, vote };
        match attempt.voters.get_mut(&id) {
            Some(known) => match known.vote {
                // It has asked since before, or has answered already.
                Vote::Asking(_) | Vote::Yes(_) if is_asking => {}
                _ => *known = voter,
            },
            None => drop(attempt.voters.insert(id, voter)),
        }
        let elapsed = |it: (RoomClock, Moment)| it.0.after(now.moment.since(it.1));
        if attempt.clock.is_none_or(|it| elapsed(it) < agree.clock) {
            attempt.clock = Some((agree.clock, now.moment));
        }
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.verify(came.from);
            contact.hears = Some(agree.heard);
            contact.hears_since = came.counter;
        }
        self.note_stated(now, id, &agree.username, agree.clock, agree.since, agree.time);
        self.answer(now, came, agree.cookie);
    }

    /// Sends a cookie back.
    fn answer(&mut self, now: Now, came: Came, cookie: crate::wire::udp::Cookie) {
        let heard = self.hearing(now.moment, came.sender.id);
        self.send_to(came.from, Control::Pong(Pong { cookie, heard }));
    }

    /// Somebody is heard that is in the room; it has to agree as well.
    pub(super) fn on_voter(&mut self, id: PeerId, address: SocketAddr, since: RoomClock) {
        let Phase::Announcing(attempt) = &mut self.phase else { return };
        let vote = Vote::None(0);
        attempt.voters.entry(id).or_insert(Voter { since, address, vote });
    }

    /// Somebody says goodbye while one is a candidate.
    pub(super) fn forget_voter(&mut self, id: PeerId) {
        if let Phase::Announcing(attempt) = &mut self.phase {
            attempt.voters.remove(&id);
        }
    }

    /// Somebody objects.
    pub(super) fn on_object(&mut self, now: Now, object: &Object, is_verified: bool) {
        match &self.phase {
            Phase::Announcing(attempt) if object.nonce == attempt.nonce => {
                self.reject(object.by.clone(), object.code, object.text.clone());
            }
            Phase::Recalling(_) | Phase::In if is_verified => self.on_late_objection(now, object),
            _ => self.drops.unexpected += 1,
        }
    }

    /// One is not let in.
    fn reject(&mut self, by: String, code: u16, reason: String) {
        self.end(End::Rejected { by, code, reason });
    }

    /// Another candidate announces itself while one is a candidate.
    pub(super) fn on_rival(&mut self, now: Now, came: Came, announce: &Announce) {
        let Phase::Announcing(attempt) = &self.phase else { return };
        let key = crate::model::NameKey::of(&announce.username);
        if key != *self.settings.username.key() || announce.nonce == attempt.nonce {
            return;
        }
        if !self.contacts.get(came.sender.id).is_some_and(|it| it.is_verified) {
            // It may be yesterday's recording.
            self.ping(now, came.sender.id);
            return;
        }
        let code = ErrorCode::NameTaken;
        if came.sender.id < self.me.id {
            self.reject(announce.username.clone(), code.number(), code.default_text().to_owned());
        } else {
            let (me, since) = (self.me.id, RoomClock(0));
            self.object(now, came.from, announce.nonce, code, &announce.username, (since, me));
        }
    }

    /// The vote is over: one is a member.
    fn go_in(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Announcing(attempt) = ended else { return };
        if let Some((clock, at)) = attempt.clock {
            self.clock = (clock.after(now.moment.since(at)), now.moment);
        } else {
            self.clock = (RoomClock(0), now.moment);
        }
        self.since = self.room_clock(now.moment);
        self.logs.begin_at(attempt.lamport());
        self.plan = None;
        let sources: Vec<PeerId> = self.contacts.seniorities().iter().map(|(_, id)| *id).collect();
        self.phase = Phase::Recalling(History::new(attempt.nonce, now.moment, sources));
        self.heartbeats.begin(now.moment);
        self.go_on_recalling(now);
    }

    /// Tells the person that one is in.
    pub(super) fn tell_admitted(&mut self, history_from: Option<PeerId>) {
        let mut members = self.names_of_members();
        members.sort();
        let history_from = history_from.and_then(|it| self.contacts.get(it));
        let admitted = JoinedMesh {
            session: super::publish::session(self.me.id),
            username: self.name.as_str().to_owned(),
            room: self.settings.room.as_str().to_owned(),
            is_closed: self.settings.is_closed,
            members,
            history_from: history_from.map(|it| it.name().to_owned()),
        };
        self.show(Event::JoinedMesh(admitted));
    }
}
