//! Candidacy: this peer as a candidate, from its first announce until it joins or is rejected.
//! Section 7.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::contacts::Seniority;
use super::dispatch::PacketMeta;
use super::heartbeats::MAX_ADOPTED_CLOCK;
use super::received_objections::ReceivedObjections;
use super::timers::{
    ANNOUNCE_RETRY_INTERVAL, ANNOUNCE_TIMES, DEFERRED_VOTE_TIMEOUT, JOIN_TIMEOUT, JOIN_WINDOW,
    MAX_UNICAST_ANNOUNCES, SUSPEND_THRESHOLD,
};
use super::{HistoryFetch, Mesh, Now, Outgoing, Phase, admission};
use crate::model::{AddressGroup, Event, JoinedMesh, Lamport, Moment, PathSet, PeerId, RoomClock};
use crate::wire::udp::{Agree, Announce, Control, Nonce, Object, Pong};

/// Maximum number of voters. Strangers could invent any number of them.
const MAX_KNOWN_VOTERS: usize = 256;
/// Maximum number of voters of one address group.
const MAX_VOTERS_PER_GROUP: usize = admission::VOTERS;

/// Member known to this candidate, with its vote.
#[derive(Debug)]
pub(super) struct MemberVote {
    /// Value of the room clock when the member joined, as the member states it.
    since: RoomClock,
    /// Address for unicast announces: the source of the member's `agree`. Before an `agree`, the
    /// best address known when its first heartbeat was noted.
    address: SocketAddr,
    /// Time at which the member joined, as it states. If that was before this program started, the
    /// time of the start.
    joined_at: Moment,
    /// Packet counter of the `agree` that `vote` was stated in; 0 while the vote is pending.
    counter: u64,
    /// Vote of the member so far.
    pub(super) vote: Vote,
}

/// Vote of a member on this candidate. A no is an objection instead ([`ReceivedObjections`]).
#[derive(Debug)]
pub(super) enum Vote {
    /// No vote yet. Holds the number of unicast announces sent to the member.
    Pending(u8),
    /// Deferred, because the member asks its user, or because a rival is ahead. Holds the arrival
    /// time of the first `agree` that says so, counted from the last yes.
    Deferred(Moment),
    /// Agreed. Holds the Lamport counter that the member has stated.
    Yes(Lamport),
}

/// State of this peer's current attempt to join.
#[derive(Debug)]
pub(super) struct Candidacy {
    /// Nonce of the attempt. The answers `agree` and `object` repeat it.
    pub(super) nonce: Nonce,
    /// Time of the first announce.
    pub(super) started_at: Moment,
    /// Number of announces sent to everybody, by all paths. At most the length of
    /// [`ANNOUNCE_TIMES`].
    announces_sent: usize,
    /// Time of the next announce, or of the next check whether the vote is settled.
    announce_at: Moment,
    /// Votes by peer id, of members that have sent an `agree` or a heartbeat.
    pub(super) votes: BTreeMap<PeerId, MemberVote>,
    /// Objections to this candidate that are not decided yet.
    pub(super) objections: ReceivedObjections,
    /// Room clock that is furthest ahead among the clocks stated in `agree`s, and the arrival time
    /// of its `agree`. Clocks above [`MAX_ADOPTED_CLOCK`] are ignored. `None` if no other clock was
    /// stated.
    clock: Option<(RoomClock, Moment)>,
}

impl Candidacy {
    /// Starts an attempt with a random nonce other than zero. The first announce is due at once.
    pub(super) fn new(now: Moment, random: &mut fastrand::Rng) -> Self {
        let nonce = Nonce(random.u64(1..).to_le_bytes());
        Self {
            nonce,
            started_at: now,
            announces_sent: 0,
            announce_at: now,
            votes: BTreeMap::new(),
            objections: ReceivedObjections::default(),
            clock: None,
        }
    }

    /// Returns the ids of the 8 most senior known voters, the most senior first. Leaves out members
    /// that have joined since the first announce: they have heard it as rival candidates.
    /// [`Self::is_settled`] waits for no other pending votes.
    fn most_senior(&self) -> Vec<PeerId> {
        let older = self.votes.iter().filter(|(_, it)| it.joined_at <= self.started_at);
        let mut seniorities: Vec<Seniority> = older.map(|(id, it)| (it.since, *id)).collect();
        seniorities.sort_unstable();
        seniorities.into_iter().take(admission::VOTERS).map(|(_, id)| id).collect()
    }

    /// Records the vote of a member, and returns true. A vote that was sent before the known vote,
    /// by its packet counter, changes nothing. A deferral after a deferral keeps the time of the
    /// first. Returns false if the member is unknown and there is no place for it
    /// ([`Self::make_place`]).
    fn record_vote(&mut self, id: PeerId, mut voter: MemberVote) -> bool {
        if let Some(known) = self.votes.get(&id) {
            if voter.counter <= known.counter {
                return true;
            }
            if let (Vote::Deferred(_), Vote::Deferred(first)) = (&voter.vote, &known.vote) {
                voter.vote = Vote::Deferred(*first);
            }
        } else if !self.make_place(&voter) {
            return false;
        }
        self.votes.insert(id, voter);
        true
    }

    /// Returns true if there is a place for another voter: fewer than [`MAX_KNOWN_VOTERS`] are
    /// known, and fewer than [`MAX_VOTERS_PER_GROUP`] of its address group. If there is none and
    /// the new voter has answered, it takes the place of a voter with a pending vote.
    fn make_place(&mut self, new: &MemberVote) -> bool {
        let group = new.group();
        let of_group = self.votes.values().filter(|it| it.group() == group).count();
        let is_group_full = of_group >= MAX_VOTERS_PER_GROUP;
        if !is_group_full && self.votes.len() < MAX_KNOWN_VOTERS {
            return true;
        }
        let is_replaceable = |it: &MemberVote| {
            matches!(it.vote, Vote::Pending(_)) && (!is_group_full || it.group() == group)
        };
        let replaced = self.votes.iter().find(|(_, it)| is_replaceable(it)).map(|(id, _)| *id);
        let has_answered = !matches!(new.vote, Vote::Pending(_));
        match replaced.filter(|_| has_answered) {
            Some(id) => self.votes.remove(&id).is_some(),
            None => false,
        }
    }

    /// Returns the Lamport counter to start with: the median of the counters that the 8 most senior
    /// members have stated in their votes. Of two middle values it is the lower value. If none of
    /// these members has voted yes, returns 0.
    ///
    /// If there are three votes or more, a single extreme value does not move the median beyond the
    /// others.
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

    /// Returns true if the vote is settled: no vote has to be waited for, or [`JOIN_TIMEOUT`] has
    /// passed since the first announce.
    ///
    /// A deferred vote is waited for until [`DEFERRED_VOTE_TIMEOUT`] after the deferral. A pending
    /// vote is waited for only if its member is one of the 8 most senior, and only until that
    /// member was sent [`MAX_UNICAST_ANNOUNCES`].
    ///
    /// The timeout is needed because strangers could invent any number of senior peers that never
    /// answer.
    fn is_settled(&self, now: Moment) -> bool {
        let oldest = self.most_senior();
        let is_timed_out = now.since(self.started_at) >= JOIN_TIMEOUT;
        is_timed_out
            || self.votes.iter().all(|(id, voter)| match voter.vote {
                Vote::Yes(_) => true,
                Vote::Deferred(since) => now.since(since) >= DEFERRED_VOTE_TIMEOUT,
                Vote::Pending(sent) => sent >= MAX_UNICAST_ANNOUNCES || !oldest.contains(id),
            })
    }
}

impl Mesh {
    /// Returns the time of the next announce or check of the vote; `None` if this peer is no
    /// candidate.
    pub(super) fn candidacy_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Announcing(candidacy) => Some(candidacy.announce_at),
            _ => None,
        }
    }

    /// Drives the candidacy. Once [`JOIN_WINDOW`] is over and the vote is settled, settles the
    /// objections. Then this peer joins, the mesh ends because an objection counts, or this peer
    /// must wait. While it has to wait, asks voters about verified objectors, and sends the next
    /// announce.
    ///
    /// Does nothing before the time [`Self::candidacy_deadline`]. If the call is later than that by
    /// [`SUSPEND_THRESHOLD`] or more, the machine was suspended: first starts a new attempt.
    pub(super) fn drive_candidacy(&mut self, now: Now) {
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        if now.moment < candidacy.announce_at {
            return;
        }
        if now.moment.since(candidacy.announce_at) >= SUSPEND_THRESHOLD {
            // Voters may have gone, and new members were not heard.
            *candidacy = Candidacy::new(now.moment, &mut self.random);
        }
        let is_over = now.moment.since(candidacy.started_at) >= JOIN_WINDOW;
        if is_over && candidacy.is_settled(now.moment) {
            if self.settle_objections(now) {
                self.join(now);
                return;
            }
            if self.is_ended() {
                return;
            }
        }
        self.ask_about_objectors();
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
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
                // Its final answer may have been lost.
                Vote::Deferred(_) => addresses.push(voter.address),
                _ => {}
            }
        }
        let name = self.settings.username.as_str().to_owned();
        let announce = Announce::new(candidacy.nonce, name, agreed);
        let paths = if to_all { PathSet::ALL } else { PathSet::NONE };
        self.send(paths, addresses, Outgoing::Control(Control::Announce(announce)));
    }

    /// Handles `agree` from a member: records its vote, room clock, paths and profile. Marks the
    /// sender and its address as verified, which may make it a member. Answers with a `pong`, and
    /// decides on objections. If there is no place for another voter, records neither vote nor room
    /// clock.
    ///
    /// If this peer has joined already, it only sends the `pong`. If the nonce is not this
    /// attempt's, drops the packet.
    pub(super) fn on_agree(&mut self, now: Now, meta: PacketMeta, agree: Agree) {
        let id = meta.sender.id;
        let Phase::Announcing(candidacy) = &mut self.phase else {
            // This peer has joined already, but the cookie can still be answered.
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
        let joined_at = joined_at(now.moment, agree.clock.since(agree.since));
        let counter = meta.counter;
        let voter = MemberVote { since: agree.since, address, joined_at, counter, vote };
        let is_voter = candidacy.record_vote(id, voter);
        // If that was the last awaited vote, the candidate need not wait any longer.
        let window_end = candidacy.started_at + JOIN_WINDOW;
        if candidacy.is_settled(now.moment) {
            candidacy.announce_at = candidacy.announce_at.min(now.moment.max(window_end));
        }
        let elapsed = |it: (RoomClock, Moment)| it.0.after(now.moment.since(it.1));
        let is_taken = is_voter && agree.clock <= MAX_ADOPTED_CLOCK;
        if is_taken && candidacy.clock.is_none_or(|it| elapsed(it) < agree.clock) {
            candidacy.clock = Some((agree.clock, now.moment));
        }
        // Announces go to named hosts, too. Without named hosts, the sender has heard an announce
        // by a path.
        let is_by_path = self.hosts.is_empty();
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.verify_address(meta.from);
            contact.hears = Some(agree.heard);
            contact.hears_counter = meta.counter;
            contact.has_answered_by_path |= is_by_path;
        }
        self.update_profile(now, id, &agree.username, agree.clock, agree.since, agree.time);
        self.send_pong(now, meta, agree.cookie);
        self.decide_objections(now.moment);
    }

    /// Sends a `pong` with `cookie` to the source of a packet.
    fn send_pong(&mut self, now: Now, meta: PacketMeta, cookie: crate::wire::udp::Cookie) {
        let heard = self.paths_heard_from(now.moment, meta.sender.id);
        self.send_to(meta.from, Control::Pong(Pong { cookie, heard }));
    }

    /// Adds a member to the voters, with a pending vote, because its heartbeat was received.
    /// `present`: for how long the member states to have been in the room. Does nothing if this
    /// peer is no candidate, the voter is known, or there is no place ([`Candidacy::make_place`]).
    pub(super) fn note_voter(
        &mut self,
        now: Moment,
        id: PeerId,
        address: SocketAddr,
        since: RoomClock,
        present: Duration,
    ) {
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        let (joined_at, vote) = (joined_at(now, present), Vote::Pending(0));
        let voter = MemberVote { since, address, joined_at, counter: 0, vote };
        if !candidacy.votes.contains_key(&id) && candidacy.make_place(&voter) {
            candidacy.votes.insert(id, voter);
        }
    }

    /// Removes a peer that has sent `bye` from the voters. Does nothing if this peer is no
    /// candidate.
    pub(super) fn forget_voter(&mut self, id: PeerId) {
        if let Phase::Announcing(candidacy) = &mut self.phase {
            candidacy.votes.remove(&id);
        }
    }

    /// Handles `object`. A candidate considers it if the nonce is the candidate's own, and may be
    /// rejected at once. A member considers it if the sender is verified, and may have to change
    /// its name. Drops it in any other case.
    pub(super) fn on_object(
        &mut self,
        now: Now,
        meta: PacketMeta,
        object: &Object,
        is_verified: bool,
    ) {
        match &self.phase {
            Phase::Announcing(candidacy) if object.nonce == candidacy.nonce => {
                self.on_rejection(now, meta, object);
            }
            Phase::Recalling(_) | Phase::In if is_verified => {
                self.on_late_objection(now, meta.sender.id, object);
            }
            _ => self.drops.unexpected += 1,
        }
    }

    /// Becomes a member after the vote. Sets the room clock (0 if no `agree` has stated one that
    /// counts), `since` and the Lamport counter. Starts the heartbeats and the history fetch.
    fn join(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Announcing(candidacy) = ended else { return };
        if let Some((clock, at)) = candidacy.clock {
            self.clock = (clock.after(now.moment.since(at)), now.moment);
        } else {
            self.clock = (RoomClock(0), now.moment);
        }
        self.since = self.room_clock(now.moment);
        self.name_since = self.since;
        self.logs.start_lamport_at(candidacy.lamport());
        self.send_plan = None;
        // An objector whose objection did not count may be a stranger.
        let members = self.contacts.members_by_seniority().into_iter().map(|(_, id)| id);
        let sources: Vec<PeerId> =
            members.filter(|it| !candidacy.objections.is_objector(*it)).collect();
        self.joined_alone = sources.is_empty().then_some((now.moment, candidacy.nonce));
        // Members that are silent since then are to be noticed. By which paths they are heard shows
        // from now on: during the candidacy they had no reason to send much.
        for (_, contact) in self.contacts.iter_mut().filter(|(_, it)| it.is_member()) {
            contact.known_at = now.moment;
        }
        self.schedule_sweep(now.moment);
        self.phase = Phase::Recalling(HistoryFetch::new(candidacy.nonce, now.moment, sources));
        self.heartbeats.begin(now.moment);
        self.drive_history_fetch(now);
    }

    /// Reports to the user that this peer has joined, with the sorted names of all members.
    /// `history_from`: peer that the history came from; `None` if there was no history.
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

impl MemberVote {
    /// Returns the address group of the member.
    fn group(&self) -> AddressGroup {
        AddressGroup::of_peer(self.address.ip())
    }
}

/// Returns the time at which a member joined: the time `present` before `now`, or the start of this
/// program if that is later.
fn joined_at(now: Moment, present: Duration) -> Moment {
    Moment::after_start(now.since_start().saturating_sub(present))
}
