//! Layer 2: the mesh, a peer's engine (sans-IO state machine). It implements
//! `docs/protocol/udp.md`; "section N" in this module means section N of that page.
//!
//! Pass events to [`Mesh::handle_input`], then call [`Mesh::poll_output`] until it returns `None`.
//! The mesh has no clock, no socket and no source of randomness of its own, and it neither makes
//! nor checks signatures.
//!
//! | module | concern |
//! |---|---|
//! | `contract` | inputs and outputs of the engine |
//! | `timers` | timer constants and intervals |
//! | `dispatch` | admission of received packets by the sender's state, and their handlers |
//! | `replay_window` | anti-replay window for packet counters |
//! | `audibility` | which peers do not hear this one, and the hint if nobody does |
//! | `candidacy` | joining: this peer as a candidate |
//! | `history` | joining: fetching the latest messages and the floors, and serving them |
//! | `admission` | other candidates: votes (`agree`), approval by the user |
//! | `block_list` | names and keys that the user has blocked |
//! | `objection` | other candidates: reasons to object, and `object` packets |
//! | `received_objections` | objections to this candidate: which of them count |
//! | `rivals` | candidates for the same name: which of them is ahead |
//! | `log`, `logs` | copies of all authors' logs: reassembly, gaps, room order |
//! | `repair` | anti-entropy: requesting missing entries, and serving them |
//! | `heartbeats` | heartbeats and their pages, profiles of other peers |
//! | `room_clock` | room clock: taking over that of others, and its limit |
//! | `display_order` | hold-back queue: the order in which messages are shown |
//! | `order_hold` | decision whether an entry is held for the common order |
//! | `requests` | requests of the user, report about peers |
//! | `publish` | publishing own messages, leaving |
//! | `contact`, `contacts` | state of each other peer |
//! | `membership` | peers become members, and members are gone |
//! | `failure_detector` | periodic check for silent and gone peers |
//! | `verification` | liveness of peers and their addresses: pings, cookies, address lookup |
//! | `path_selection` | paths and unicast addresses that reach everybody |
//! | `name_conflict` | two members with one name |
//! | `roster` | who is here as far as the user is told, peers known through others included |
//! | `stats` | counters of remembered items |

mod admission;
mod audibility;
mod block_list;
mod candidacy;
mod contact;
mod contacts;
mod contract;
mod dispatch;
mod display_order;
mod failure_detector;
mod heartbeats;
mod history;
mod log;
mod logs;
mod membership;
mod name_conflict;
mod objection;
mod order_hold;
mod path_selection;
mod publish;
mod received_objections;
mod repair;
mod replay_window;
mod requests;
mod rivals;
mod room_clock;
mod roster;
mod stats;
mod timers;
mod verification;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use admission::Admission;
use audibility::UnheardHint;
use block_list::BlockList;
use candidacy::Candidacy;
use contacts::{Contacts, Seniority};
use display_order::DisplayQueue;
use heartbeats::Heartbeats;
use history::HistoryFetch;
use logs::Logs;
use path_selection::SendPlan;
use publish::Outbox;
use repair::RepairState;
use room_clock::DriftCredit;
use roster::IndirectPeers;
use sha2::{Digest, Sha256};

pub use contract::{Drops, End, Input, Now, Outgoing, Output, Settings, Sign};
pub use received_objections::UNKNOWN_NAME;
pub use stats::MeshStats;

use crate::model::{
    AddressGroup, Event, Moment, NameKey, Path, PathSet, PeerId, RoomClock, Username,
};
use crate::wire::udp::{Control, Cookie, Entry, Nonce, Signer};

/// Phase of this peer's stay in the room: the first table of section 16.
#[derive(Debug)]
enum Phase {
    /// Candidate: announces itself and collects votes.
    Announcing(Candidacy),
    /// Member that still fetches its history.
    Recalling(HistoryFetch),
    /// Member whose history fetch has ended.
    In,
    /// Left or rejected; further inputs are ignored.
    Ended,
}

/// Engine of one peer: membership, logs, repair and display order of one room.
pub struct Mesh {
    /// Settings given at construction; never change.
    settings: Settings,
    /// Signer of this peer's entries.
    sign: Box<dyn Sign + Send>,
    /// Identity of this peer: public key, incarnation and id.
    me: Signer,
    /// Current username; differs from the configured one after a name conflict.
    name: Username,
    /// Phase of this peer's stay in the room.
    phase: Phase,
    /// Room clock, stored as its value at a moment. [`Mesh::room_clock`] returns the current value.
    clock: (RoomClock, Moment),
    /// Credit for small steps of the room clock that are no jump.
    drift_credit: DriftCredit,
    /// Value of the room clock when this peer joined (*since* on the page); 0 before. A jump of the
    /// room clock is added to it.
    since: RoomClock,
    /// Time at which this peer joined without getting a history, and the nonce of its candidacy.
    /// `None` if this peer has not joined, has got a history, or has begun a belated history fetch.
    joined_alone: Option<(Moment, Nonce)>,
    /// Time of the last suspension of the machine that was noticed; `None` if there was none.
    resumed_at: Option<Moment>,
    /// Value of the room clock when this peer took its current name: `since`, or later if it was
    /// renamed. A jump of the room clock is added to it.
    name_since: RoomClock,
    /// Address groups of this machine's own addresses.
    own_groups: BTreeSet<AddressGroup>,
    /// All other peers that this peer knows.
    contacts: Contacts,
    /// Texts of the notices about a full room or address group that were shown. Each text is shown
    /// once.
    full_notices: BTreeSet<String>,
    /// Peers that are known through others only and shown to the user.
    indirect: IndirectPeers,
    /// State of the hint that nobody hears this peer.
    unheard_hint: UnheardHint,
    /// Copies of all authors' logs, this peer's own included.
    logs: Logs,
    /// Entries that are ready in their log and wait for their turn in the display order.
    display: DisplayQueue,
    /// Outbox: the user's messages that wait to be published, and the state of leaving.
    outbox: Outbox,
    /// Schedule and page position of this peer's heartbeats.
    heartbeats: Heartbeats,
    /// Other candidates that are known to this peer.
    admission: Admission,
    /// Names and public keys that the user has blocked.
    block_list: BlockList,
    /// State of repair: time of this peer's next `want`; recent `want`s of other peers, which
    /// decide to whom an entry is sent; and the rate limit of those answers.
    repair: RepairState,
    /// Cached plan of the paths and addresses that reach everybody; `None` if it must be computed
    /// again.
    send_plan: Option<SendPlan>,
    /// Resolved addresses of the hosts that the user has named.
    hosts: Vec<SocketAddr>,
    /// Time of the next sweep over all contacts; `None` if none is scheduled.
    sweep_at: Option<Moment>,
    /// Time of the last sweep over all contacts.
    last_sweep: Moment,
    /// Time before which no contact is pinged only because it is heard from an address of the other
    /// family.
    other_family_ping_at: Moment,
    /// Generator for random delays and choices, seeded from the settings' secret.
    random: fastrand::Rng,
    /// Counters of packets that were dropped, by reason.
    drops: Drops,
    /// Queue of outputs that were not polled yet.
    out: VecDeque<Output>,
    /// Time that the last [`Output::WakeAt`] asked for. `None` if none was emitted, or that time
    /// has come.
    wake_at: Option<Moment>,
}

impl Mesh {
    /// Creates the engine of a candidate, and queues its first announce, by all paths. Poll all
    /// outputs afterwards.
    #[must_use]
    pub fn new(settings: Settings, sign: Box<dyn Sign + Send>, now: Now) -> Self {
        let me = sign.signer();
        let seed = Sha256::new().chain_update(settings.secret).chain_update(me.id.0).finalize();
        let seed = seed.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let mut random = fastrand::Rng::with_seed(seed);
        let candidacy = Candidacy::new(now.moment, &mut random);
        let mut mesh = Self {
            name: settings.username.clone(),
            settings,
            sign,
            me,
            phase: Phase::Announcing(candidacy),
            clock: (RoomClock(0), now.moment),
            drift_credit: DriftCredit::new(now.moment),
            since: RoomClock(0),
            joined_alone: None,
            resumed_at: None,
            name_since: RoomClock(0),
            own_groups: BTreeSet::new(),
            full_notices: BTreeSet::new(),
            contacts: Contacts::default(),
            indirect: IndirectPeers::default(),
            unheard_hint: UnheardHint::default(),
            logs: Logs::new(me.id, now.moment),
            display: DisplayQueue::default(),
            outbox: Outbox::default(),
            heartbeats: Heartbeats::new(now.moment),
            admission: Admission::default(),
            block_list: BlockList::default(),
            repair: RepairState::default(),
            send_plan: None,
            hosts: Vec::new(),
            sweep_at: None,
            last_sweep: now.moment,
            other_family_ping_at: now.moment,
            random,
            drops: Drops::default(),
            out: VecDeque::new(),
            wake_at: None,
        };
        mesh.handle_input(now, Input::Wake);
        mesh
    }

    /// Handles one input, then runs everything that is due. If the requested wake-up is late by 3
    /// seconds or more, first handles the end of a suspension of the machine. Does nothing once the
    /// mesh has ended. Poll all outputs afterwards.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        if self.wake_at.is_some_and(|it| now.moment.since(it) >= timers::SUSPEND_THRESHOLD) {
            self.on_resume(now.moment);
        }
        // A wake-up is used up once its time has come, even if this input is not the wake-up
        // itself.
        self.wake_at = self.wake_at.filter(|it| *it > now.moment);
        self.limit_room_clock(now.moment);
        match input {
            Input::Received { from, path, size, packet } => {
                self.dispatch_packet(now, from, path, size, packet);
            }
            Input::Hosts(hosts) => self.set_hosts(now.moment, hosts),
            Input::OwnAddresses(addresses) => {
                self.own_groups = addresses.into_iter().map(AddressGroup::of_peer).collect();
            }
            Input::Request(request) => self.on_request(now, request),
            Input::Wake => {}
        }
        self.run_due_timers(now);
    }

    /// Returns the next output; `None` when there are no more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Returns true if an entry needs no signature check, because the mesh would ignore it: the
    /// entry is here already, its sequence is no longer awaited, or this peer is its author.
    #[must_use]
    pub fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        author == self.me.id || self.logs.is_known(author, sequence)
    }

    /// Returns true if a control packet can be dropped without a signature check: its counter was
    /// seen before, is below the sender's anti-replay window, or is 0. Returns false if the sender
    /// is unknown.
    ///
    /// Also returns false for a copy of the sender's newest packet if nothing has arrived by the
    /// copy's path for W(n): the copy shows that the path works.
    #[must_use]
    pub fn is_replayed(
        &self,
        now: Moment,
        sender: PeerId,
        counter: u64,
        path: Option<Path>,
    ) -> bool {
        let Some(contact) = self.contacts.get(sender) else { return false };
        let lately = timers::path_timeout(self.member_count());
        let is_path_silent = path.is_some_and(|it| contact.is_path_silent(now, it, lately));
        contact.window.has_seen(counter) && !(is_path_silent && contact.window.is_newest(counter))
    }

    /// Returns the counters of dropped packets, by reason.
    #[must_use]
    pub const fn drops(&self) -> Drops {
        self.drops
    }

    /// Iterates over all retained entries in room order, hidden and not yet shown ones included.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.logs.iter_in_room_order()
    }

    /// Runs everything that is due. If the time of the next wake-up has changed, emits
    /// [`Output::WakeAt`]. Does not revoke a wake-up that is no longer needed. Does nothing further
    /// once the mesh has ended.
    fn run_due_timers(&mut self, now: Now) {
        self.drive_candidacy(now);
        if self.is_ended() {
            // Nothing follows `Output::Finished`.
            return;
        }
        self.drive_history_fetch(now);
        self.begin_witnessing(now.moment);
        self.flush_outbox(now);
        self.send_due_agreements(now);
        self.send_due_heartbeat(now);
        self.introduce_to_hosts(now);
        self.send_due_wants(now);
        self.sweep_contacts(now);
        self.deliver_ready(now);
        self.update_indirect_peers();
        self.leave_when_delivered(now);
        let next = [
            self.candidacy_deadline(),
            self.history_deadline(),
            self.outbox.next_deadline(),
            self.admission.next_deadline(),
            self.heartbeats.next_deadline(),
            // No `want` is sent before the history is complete.
            self.repair.next_deadline().filter(|_| matches!(self.phase, Phase::In)),
            self.sweep_at,
            self.display.next_deadline(),
        ];
        let next = next.into_iter().flatten().min().filter(|_| !self.is_ended());
        // A wake-up time in the past would fire at once, again and again.
        let next = next.map(|it| it.max(now.moment + timers::MIN_WAKE_INTERVAL));
        if self.wake_at.is_some_and(|it| it <= now.moment) {
            self.wake_at = None;
        }
        if next.is_some() && next != self.wake_at {
            self.wake_at = next;
            self.out.extend(next.map(Output::WakeAt));
        }
    }

    /// Returns true if this peer has left or was rejected.
    const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Returns true if this peer is a member, with or without its history.
    const fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Recalling(_) | Phase::In)
    }

    /// Returns true if this peer has reported to its user that it has joined, and has not ended.
    const fn has_joined(&self) -> bool {
        match &self.phase {
            Phase::In => true,
            Phase::Recalling(history) => history.is_belated(),
            Phase::Announcing(_) | Phase::Ended => false,
        }
    }

    /// Returns the current value of the room clock, at most [`room_clock::CLOCK_END`]. Until this
    /// peer joins, it is the time since the mesh was created.
    fn room_clock(&self, now: Moment) -> RoomClock {
        let (clock, at) = self.clock;
        clock.after(now.since(at)).min(room_clock::CLOCK_END)
    }

    /// Returns this peer's own seniority.
    const fn seniority(&self) -> Seniority {
        (self.since, self.me.id)
    }

    /// Returns the number of members, this peer included even as a candidate: *n* on the page.
    const fn member_count(&self) -> usize {
        self.contacts.member_count() + 1
    }

    /// Returns true if this peer is one of the 8 most senior members, which vote on candidates.
    fn is_voter(&self) -> bool {
        let me = self.seniority();
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let older = members.filter(|(id, it)| (it.since(), *id) < me);
        older.take(admission::VOTERS).count() < admission::VOTERS
    }

    /// Returns true if this peer is one of the `count` most senior members, which answer a datagram
    /// that came by a path. Members in `except` are not counted.
    ///
    /// Members count here that claim to be more senior, although this peer has seen them come: they
    /// may belong to the other half of a room that was split. Both halves together would give twice
    /// as many answers. But those that have announced themselves to this peer do not count, and one
    /// of each address group at most, so that strangers cannot silence the room.
    fn is_among_most_senior(&self, count: usize, except: &[PeerId]) -> bool {
        let me = self.seniority();
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let mut groups = BTreeSet::new();
        let older = members.filter(|(id, it)| {
            let is_claimed = (it.claimed_since(), *id) < me && !it.has_announced;
            !except.contains(id)
                && ((it.since(), *id) < me || is_claimed && groups.insert(it.group()))
        });
        older.take(count).count() < count
    }

    /// Returns true if this peer is one of the `count` members nearest to `target`. The distance is
    /// the member's id XOR `target`, so different targets select different members.
    fn is_among_nearest(&self, count: usize, target: [u8; 8]) -> bool {
        let distance = |id: PeerId| u64::from_be_bytes(id.0) ^ u64::from_be_bytes(target);
        let own = distance(self.me.id);
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let nearer = members.filter(|(id, _)| distance(*id) < own);
        nearer.take(count).count() < count
    }

    /// Queues an event for the user.
    fn emit(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// Ends the mesh, so that further inputs are ignored, and queues [`Output::Finished`]. Queue
    /// all other outputs before.
    fn finish(&mut self, end: End) {
        self.phase = Phase::Ended;
        self.out.push_back(Output::Finished(end));
    }

    /// Queues a control packet to be sent to one address.
    fn send_to(&mut self, address: SocketAddr, control: Control) {
        self.send(PathSet::NONE, vec![address], Outgoing::Control(control));
    }

    /// Queues a packet to be sent by `paths` and to `addresses`. Does nothing if both are empty.
    fn send(&mut self, paths: PathSet, addresses: Vec<SocketAddr>, packet: Outgoing) {
        if !paths.is_empty() || !addresses.is_empty() {
            self.out.push_back(Output::Send { paths, addresses, packet });
        }
    }

    /// Returns the cookie for peer `id` at `address`, as it was `minutes_ago` minutes ago. By
    /// sending it back, the peer proves that it receives at that address.
    ///
    /// The cookie is a keyed hash: it needs no state and cannot be guessed. It changes each minute.
    /// The current and the previous cookie are accepted, so a cookie is valid for at most two
    /// minutes.
    fn cookie(&self, now: Moment, id: PeerId, address: SocketAddr, minutes_ago: u64) -> Cookie {
        let minute = (now.since_start().as_secs() / 60).wrapping_sub(minutes_ago);
        let mut hash = Sha256::new()
            .chain_update(self.settings.secret)
            .chain_update(id.0)
            .chain_update(minute.to_le_bytes())
            .chain_update(address.port().to_le_bytes());
        match address.ip() {
            std::net::IpAddr::V4(it) => hash.update(it.octets()),
            std::net::IpAddr::V6(it) => hash.update(it.octets()),
        }
        Cookie(hash.finalize().first_chunk().copied().unwrap_or_default())
    }

    /// Returns a random delay from `least` to `most` milliseconds, both included. Panics if `least`
    /// is greater.
    fn random_delay(&mut self, (least, most): (u64, u64)) -> std::time::Duration {
        std::time::Duration::from_millis(self.random.u64(least..=most))
    }

    /// Returns true if a member, or this peer in any phase, holds a name with this key.
    fn is_name_held(&self, key: &NameKey) -> bool {
        self.name.key() == key || self.contacts.holders(key).next().is_some()
    }
}
