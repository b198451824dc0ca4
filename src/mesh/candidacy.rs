//! Candidacy: this peer as a candidate, from its first announce until it joins or is rejected.
//! Section 7.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::contact::Contact;
use super::contacts::Seniority;
use super::dispatch::PacketMeta;
use super::received_objections::ReceivedObjections;
use super::room_clock::MAX_ADOPTED_CLOCK;
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
    /// Address for unicast announces and pings. Once the member is proven, an address that it has
    /// verified. Before that, the source of its `agree`. Before an `agree`, the best address known
    /// when its first heartbeat was noted.
    address: SocketAddr,
    /// Time at which the member joined, as it states. If that was before this program started, the
    /// time of the start.
    joined_at: Moment,
    /// Packet counter of the `agree` that `vote` was stated in; 0 while the vote is pending.
    counter: u64,
    /// Room clock stated in that `agree`, and its arrival time. `None` while the vote is pending,
    /// or if the clock is above [`MAX_ADOPTED_CLOCK`].
    clock: Option<(RoomClock, Moment)>,
    /// True if the member is verified with an address. Whoever forges the source of an `agree` is
    /// not: the nonce was announced to everybody, so the `agree` proves no address.
    is_proven: bool,
    /// Number of unicast announces and pings sent to the member before its vote counted. The ping
    /// that follows each `agree` at once is not counted.
    unanswered: u8,
    /// Vote that the member has stated. It counts only if the member is proven:
    /// [`Self::counted_vote`].
    vote: Vote,
}

/// Vote of a member on this candidate. A no is an objection instead ([`ReceivedObjections`]).
#[derive(Debug)]
pub(super) enum Vote {
    /// No vote yet, or none that counts.
    Pending,
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
    /// Number of unicast announces and pings sent to voters of each address group while they were
    /// among [`Self::most_senior`] and their votes did not count. At most [`admission::VOTERS`]
    /// groups are counted at each announce.
    asked_groups: BTreeMap<AddressGroup, u8>,
    /// Objections to this candidate that are not decided yet.
    pub(super) objections: ReceivedObjections,
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
            asked_groups: BTreeMap::new(),
            objections: ReceivedObjections::default(),
        }
    }

    /// Returns the ids of the 8 most senior known voters, the most senior first, one of each address
    /// group at most. Leaves out members that have joined since the first announce: they have heard
    /// it as rival candidates. [`Self::is_settled`] waits for no other pending votes.
    fn most_senior(&self) -> Vec<PeerId> {
        let older = self.votes.iter().filter(|(_, it)| it.joined_at <= self.started_at);
        let mut seniorities: Vec<(Seniority, AddressGroup)> =
            older.map(|(id, it)| ((it.since, *id), it.group())).collect();
        seniorities.sort_unstable();
        let mut groups = BTreeSet::new();
        let first_of_group = seniorities.into_iter().filter(|(_, group)| groups.insert(*group));
        first_of_group.take(admission::VOTERS).map(|((_, id), _)| id).collect()
    }

    /// Returns true if a voter whose vote does not count need not be waited for any more: it, or the
    /// voters of its address group together, were sent [`MAX_UNICAST_ANNOUNCES`] in vain.
    fn is_exhausted(&self, voter: &MemberVote) -> bool {
        let of_group = self.asked_groups.get(&voter.group()).copied().unwrap_or(0);
        voter.unanswered.max(of_group) >= MAX_UNICAST_ANNOUNCES
    }

    /// Records the vote of a member. A vote that was sent before the known vote, by its packet
    /// counter, changes nothing. A deferral after a deferral keeps the time of the first. Drops the
    /// vote if there is no place for it ([`Self::insert`]).
    fn record_vote(&mut self, id: PeerId, mut voter: MemberVote) {
        if let Some(known) = self.votes.get(&id) {
            if voter.counter <= known.counter {
                return;
            }
            voter.unanswered = known.unanswered;
            if let (Vote::Deferred(_), Vote::Deferred(first)) = (&voter.vote, &known.vote) {
                voter.vote = Vote::Deferred(*first);
            }
        }
        self.insert(id, voter);
    }

    /// Makes the vote of a member count that has proven its address. Does nothing if it is no
    /// voter, or counts already. Removes it from the voters if there is no place at its address
    /// ([`Self::insert`]).
    fn prove_voter(&mut self, now: Moment, id: PeerId, address: SocketAddr) {
        if self.votes.get(&id).is_some_and(|it| !it.is_proven)
            && let Some(mut voter) = self.votes.remove(&id)
        {
            (voter.is_proven, voter.address) = (true, address);
            self.insert(id, voter);
            self.hasten_end(now);
        }
    }

    /// Adds a voter, or replaces its former state, if there is a place for it
    /// ([`Self::make_place`]). Otherwise it is no voter any more.
    fn insert(&mut self, id: PeerId, voter: MemberVote) {
        self.votes.remove(&id);
        if self.make_place(&voter) {
            self.votes.insert(id, voter);
        }
    }

    /// Returns true if there is a place for another voter: fewer than [`MAX_KNOWN_VOTERS`] are
    /// known, and fewer than [`MAX_VOTERS_PER_GROUP`] of its address group. If there is none, the
    /// new voter takes the place of one of lower [`MemberVote::rank`], of its own group if that is
    /// full.
    fn make_place(&mut self, new: &MemberVote) -> bool {
        let group = new.group();
        let of_group = self.votes.values().filter(|it| it.group() == group).count();
        let is_group_full = of_group >= MAX_VOTERS_PER_GROUP;
        if !is_group_full && self.votes.len() < MAX_KNOWN_VOTERS {
            return true;
        }
        let others = self.votes.iter().filter(|(_, it)| !is_group_full || it.group() == group);
        let lowest = others.min_by_key(|(_, it)| it.rank());
        match lowest.filter(|(_, it)| it.rank() < new.rank()).map(|(id, _)| *id) {
            Some(id) => self.votes.remove(&id).is_some(),
            None => false,
        }
    }

    /// Returns the room clock that is furthest ahead at `now` among those that members whose votes
    /// count have stated; 0 if there is none.
    fn clock(&self, now: Moment) -> RoomClock {
        let stated = self.votes.values().filter(|it| it.is_proven).filter_map(|it| it.clock);
        stated.map(|(clock, at)| clock.after(now.since(at))).max().unwrap_or_default()
    }

    /// Returns the Lamport counter to start with: of each address group the median of the counters
    /// stated in its votes that are a yes and count, and of these medians the median. 0 if there is
    /// no such vote.
    ///
    /// So of three groups or more, the extreme values of a single one, from however many voters, do
    /// not move the result beyond the values of the others.
    fn lamport(&self) -> Lamport {
        let mut groups: BTreeMap<AddressGroup, Vec<Lamport>> = BTreeMap::new();
        for voter in self.votes.values() {
            if let Vote::Yes(lamport) = voter.counted_vote() {
                groups.entry(voter.group()).or_default().push(*lamport);
            }
        }
        median(groups.into_values().map(median).collect())
    }

    /// Returns true if the vote is settled: no vote has to be waited for, or [`JOIN_TIMEOUT`] has
    /// passed since the first announce.
    ///
    /// A deferred vote is waited for until [`DEFERRED_VOTE_TIMEOUT`] after the deferral. A vote
    /// that is pending, or does not count, is waited for only if its member is one of the 8 most
    /// senior, and only until it is exhausted ([`Self::is_exhausted`]).
    ///
    /// The timeout is needed because strangers could invent any number of senior peers that never
    /// answer.
    fn is_settled(&self, now: Moment) -> bool {
        let oldest = self.most_senior();
        let is_timed_out = now.since(self.started_at) >= JOIN_TIMEOUT;
        is_timed_out
            || self.votes.iter().all(|(id, voter)| match voter.counted_vote() {
                Vote::Yes(_) => true,
                Vote::Deferred(since) => now.since(*since) >= DEFERRED_VOTE_TIMEOUT,
                Vote::Pending => self.is_exhausted(voter) || !oldest.contains(id),
            })
    }

    /// Returns true if the candidate waits for a voter that has sent an `agree` to prove its
    /// address. Then the vote is not settled ([`Self::is_settled`]).
    pub(super) fn is_awaiting_proof(&self, now: Moment) -> bool {
        let oldest = self.most_senior();
        now.since(self.started_at) < JOIN_TIMEOUT
            && self.votes.iter().any(|(id, it)| {
                it.has_voted() && !it.is_proven && !self.is_exhausted(it) && oldest.contains(id)
            })
    }

    /// Makes the end of the window due if the vote is settled: then the candidate need not wait
    /// until the next announce. Call it when a vote has come, or has begun to count.
    fn hasten_end(&mut self, now: Moment) {
        if self.is_settled(now) {
            let window_end = self.started_at + JOIN_WINDOW;
            self.announce_at = self.announce_at.min(now.max(window_end));
        }
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
        let (mut agreed, mut unproven) = (Vec::new(), Vec::new());
        let mut addresses = if to_all { self.hosts.clone() } else { Vec::new() };
        let oldest = candidacy.most_senior();
        for (id, voter) in &mut candidacy.votes {
            let is_oldest = oldest.contains(id);
            let mut ignored = 0;
            let of_group = if is_oldest {
                candidacy.asked_groups.entry(voter.group()).or_default()
            } else {
                &mut ignored
            };
            match voter.counted_vote() {
                Vote::Yes(_) if agreed.len() < admission::VOTERS => agreed.push(*id),
                Vote::Pending if voter.unanswered >= MAX_UNICAST_ANNOUNCES => {}
                // The ping that followed its `agree`, or the `pong`, may have been lost.
                Vote::Pending if voter.has_voted() => {
                    voter.unanswered += 1;
                    *of_group = of_group.saturating_add(1);
                    unproven.push((*id, voter.address));
                }
                Vote::Pending if is_oldest && *of_group < MAX_UNICAST_ANNOUNCES => {
                    voter.unanswered += 1;
                    *of_group += 1;
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
        for (id, address) in unproven {
            self.ping_at(now.moment, id, address);
        }
    }

    /// Handles `agree` from a member: records its vote, room clock, paths and profile, and answers
    /// with a `pong`. If there is no place for another voter, records neither vote nor room clock.
    ///
    /// An `agree` proves no address, because its nonce was announced to everybody. So unless the
    /// source is a verified address of the sender, sends a ping there as well. The vote counts when
    /// the `pong` comes ([`Self::on_voter_verified`]), or at once if the sender is verified with
    /// another address; then decides on objections.
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
        let is_adopted = agree.clock <= MAX_ADOPTED_CLOCK;
        let contact = self.contacts.get(id);
        let is_source_proven = contact.is_some_and(|it| it.has_verified(meta.from));
        let proven = if is_source_proven {
            Some(meta.from)
        } else {
            contact.and_then(Contact::verified_address)
        };
        let proven = proven.filter(|_| contact.is_some_and(|it| it.is_verified));
        let voter = MemberVote {
            since: agree.since,
            address: proven.unwrap_or(meta.from),
            joined_at: joined_at(now.moment, agree.clock.since(agree.since)),
            counter: meta.counter,
            clock: is_adopted.then_some((agree.clock, now.moment)),
            is_proven: proven.is_some(),
            unanswered: 0,
            vote,
        };
        candidacy.record_vote(id, voter);
        candidacy.hasten_end(now.moment);
        // Announces go to named hosts, too. Without named hosts, the sender has heard an announce
        // by a path.
        let is_by_path = self.hosts.is_empty();
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.hears = Some(agree.heard);
            contact.hears_counter = meta.counter;
            contact.has_answered_by_path |= is_by_path;
        }
        self.update_profile(now, id, &agree.username, agree.clock, agree.since, agree.time);
        self.send_pong(now, meta, agree.cookie);
        if !(is_source_proven && proven.is_some()) {
            self.ping_at(now.moment, id, meta.from);
        }
        self.decide_objections(now.moment);
    }

    /// Makes the vote of the peer `id` count, because the peer has just proven that it receives at
    /// `address`. Does nothing if this peer is no candidate, or the other one no voter.
    pub(super) fn on_voter_verified(&mut self, now: Moment, id: PeerId, address: SocketAddr) {
        if let Phase::Announcing(candidacy) = &mut self.phase {
            candidacy.prove_voter(now, id, address);
        }
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
        if candidacy.votes.contains_key(&id) {
            return;
        }
        let voter = MemberVote {
            since,
            address,
            joined_at: joined_at(now, present),
            counter: 0,
            clock: None,
            is_proven: false,
            unanswered: 0,
            vote: Vote::Pending,
        };
        candidacy.insert(id, voter);
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
        self.clock = (candidacy.clock(now.moment), now.moment);
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

    /// Returns true if the member has sent an `agree`, whether or not it counts.
    const fn has_voted(&self) -> bool {
        !matches!(self.vote, Vote::Pending)
    }

    /// Returns the vote of the member as far as it counts: a pending one if the member is not
    /// proven.
    pub(super) const fn counted_vote(&self) -> &Vote {
        if self.is_proven { &self.vote } else { &Vote::Pending }
    }

    /// Returns the claim of the member to a place among the voters: 2 if its vote counts, 1 if it
    /// has sent an `agree` that does not, 0 if it has sent none.
    const fn rank(&self) -> u8 {
        match self.vote {
            Vote::Pending => 0,
            _ if !self.is_proven => 1,
            _ => 2,
        }
    }
}

/// Returns the median of Lamport counters; of an even number of counters the lower one of the two
/// in the middle, of none 0.
fn median(mut counters: Vec<Lamport>) -> Lamport {
    counters.sort_unstable();
    counters.get(counters.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Returns the time at which a member joined: the time `present` before `now`, or the start of this
/// program if that is later.
fn joined_at(now: Moment, present: Duration) -> Moment {
    Moment::after_start(now.since_start().saturating_sub(present))
}
