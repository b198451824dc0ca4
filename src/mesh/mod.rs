//! Floor 2: the engine of a peer, without I/O. `docs/protocol/udp.md` is
//! what it does; sections below are those of that page.
//!
//! [`Mesh::handle_input`] takes what has happened, [`Mesh::poll_output`] gives
//! what is to be done, until it gives nothing more. There is no clock, no
//! socket and no randomness in here, and no signature is made or checked.
//!
//! | module | what it is about |
//! |---|---|
//! | `contract` | inputs and outputs |
//! | `timers` | every timer |
//! | `dispatch` | a packet's way in: who may send what when |
//! | `candidacy` | oneself as a candidate |
//! | `admission` | others as candidates |
//! | `history` | the newcomer's ten messages and floors, asked for and given |
//! | `logs` | copies of everybody's logs, and the room's order |
//! | `display_order` | what the person sees, and in which order |
//! | `publish` | what the person says, and wants |
//! | `heartbeats` | telling and learning what exists |
//! | `repair` | asking for what is missing, and answering |
//! | `contacts`, `replay_window` | what one knows of each peer |
//! | `membership` | verified, silent, gone; pings and addresses |
//! | `path_selection` | by which ways to send |
//! | `name_conflict` | one name, two holders |
//! | `stats` | how much is remembered |

mod admission;
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
mod path_selection;
mod publish;
mod repair;
mod replay_window;
mod requests;
mod stats;
mod timers;
mod verification;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use admission::Admission;
use candidacy::Candidacy;
use contacts::{Contacts, Seniority};
use display_order::DisplayQueue;
use heartbeats::Heartbeats;
use history::HistoryFetch;
use logs::Logs;
use path_selection::SendPlan;
use publish::Outbox;
use repair::RepairState;
use sha2::{Digest, Sha256};

pub use contract::{Drops, End, Input, Now, Outgoing, Output, Settings, Sign};
pub use stats::MeshStats;

use crate::model::{Event, Moment, NameKey, Path, PathSet, PeerId, RoomClock, Username};
use crate::wire::udp::{Control, Cookie, Entry, Signer};

/// Where one is on one's way into the room: the first table of section 16.
#[derive(Debug)]
enum Phase {
    /// A candidate.
    Announcing(Candidacy),
    /// A member that waits for its history.
    Recalling(HistoryFetch),
    /// A member.
    In,
    /// It is over.
    Ended,
}

/// The engine of one peer.
pub struct Mesh {
    /// As they were given.
    settings: Settings,
    /// Signs entries.
    sign: Box<dyn Sign + Send>,
    /// Who one is.
    me: Signer,
    /// What one is called.
    name: Username,
    /// Where one is.
    phase: Phase,
    /// What the room clock showed, and when.
    clock: (RoomClock, Moment),
    /// When one meta in.
    since: RoomClock,
    /// Everybody else.
    contacts: Contacts,
    /// What everybody has said.
    logs: Logs,
    /// What the person has seen of it.
    display: DisplayQueue,
    /// What the person wants to say.
    outbox: Outbox,
    /// One's own heartbeats.
    heartbeats: Heartbeats,
    /// Newcomers, and whom one does not want.
    admission: Admission,
    /// What others have asked for.
    repair: RepairState,
    /// How everybody is reached; made when it is needed.
    send_plan: Option<SendPlan>,
    /// The named hosts.
    hosts: Vec<SocketAddr>,
    /// When to look at all contacts again.
    sweep_at: Option<Moment>,
    /// When all contacts were looked at.
    last_sweep: Moment,
    /// For random delays.
    random: fastrand::Rng,
    /// What was dropped.
    drops: Drops,
    /// What is to be done.
    out: VecDeque<Output>,
    /// The last [`Output::WakeAt`].
    wake_at: Option<Moment>,
}

impl Mesh {
    /// A candidate that announces itself at once.
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
            since: RoomClock(0),
            contacts: Contacts::default(),
            logs: Logs::new(me.id, now.moment),
            display: DisplayQueue::default(),
            outbox: Outbox::default(),
            heartbeats: Heartbeats::new(now.moment),
            admission: Admission::default(),
            repair: RepairState::default(),
            send_plan: None,
            hosts: Vec::new(),
            sweep_at: None,
            last_sweep: now.moment,
            random,
            drops: Drops::default(),
            out: VecDeque::new(),
            wake_at: None,
        };
        mesh.handle_input(now, Input::Wake);
        mesh
    }

    /// Takes what has happened. Poll all outputs afterwards.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        if self.wake_at.is_some_and(|it| now.moment.since(it) >= timers::SUSPEND_THRESHOLD) {
            self.on_resume(now.moment);
        }
        // What was asked for has come, or comes no more.
        self.wake_at = self.wake_at.filter(|it| *it > now.moment);
        match input {
            Input::Received { from, path, size, packet } => {
                self.dispatch_packet(now, from, path, size, packet);
            }
            Input::Hosts(hosts) => self.hosts = hosts,
            Input::Request(request) => self.on_request(now, request),
            Input::Wake => {}
        }
        self.run_due_timers(now);
    }

    /// The next thing to do, if there is any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Whether this entry is here already, so that its signature need not be
    /// checked.
    #[must_use]
    pub fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        author == self.me.id || self.logs.is_known(author, sequence)
    }

    /// Whether this counter of this sender was seen before, so that the
    /// signature need not be checked.
    /// A copy by a way by which nothing meta lately is worth the look.
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

    /// How many packets changed nothing.
    #[must_use]
    pub const fn drops(&self) -> Drops {
        self.drops
    }

    /// All entries that are kept, in the room's order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.logs.iter_in_room_order()
    }

    /// Everything whose time has come, and when to wake next.
    fn run_due_timers(&mut self, now: Now) {
        self.drive_candidacy(now);
        self.drive_history_fetch(now);
        self.flush_outbox(now);
        self.send_due_agreements(now);
        self.send_due_heartbeat(now);
        self.send_due_wants(now);
        self.sweep_contacts(now);
        self.deliver_ready(now);
        self.leave_when_delivered(now);
        let next = [
            self.candidacy_deadline(),
            self.history_deadline(),
            self.outbox.next_deadline(),
            self.admission.next_deadline(),
            self.heartbeats.next_deadline(),
            // Nothing is asked for before one is in.
            self.repair.next_deadline().filter(|_| matches!(self.phase, Phase::In)),
            self.sweep_at,
            self.display.next_deadline(),
        ];
        let next = next.into_iter().flatten().min().filter(|_| !self.is_ended());
        // A wake that has passed was used up; one in the past would come at
        // once, again and again.
        let next = next.map(|it| it.max(now.moment + timers::MIN_WAKE_INTERVAL));
        if self.wake_at.is_some_and(|it| it <= now.moment) {
            self.wake_at = None;
        }
        if next.is_some() && next != self.wake_at {
            self.wake_at = next;
            self.out.extend(next.map(Output::WakeAt));
        }
    }

    /// Whether one has left or been rejected.
    const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Whether one is a member.
    const fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Recalling(_) | Phase::In)
    }

    /// What the room clock shows.
    fn room_clock(&self, now: Moment) -> RoomClock {
        let (clock, at) = self.clock;
        clock.after(now.since(at)).min(heartbeats::CLOCK_END)
    }

    /// One's own standing.
    const fn seniority(&self) -> Seniority {
        (self.since, self.me.id)
    }

    /// How many members there are, oneself included.
    const fn member_count(&self) -> usize {
        self.contacts.member_count() + 1
    }

    /// Whether one is among the eight oldest.
    fn is_voter(&self) -> bool {
        let me = self.seniority();
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let older = members.filter(|(id, it)| (it.since(), *id) < me);
        older.take(admission::VOTERS).count() < admission::VOTERS
    }

    /// Shows something.
    fn emit(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// The end.
    fn finish(&mut self, end: End) {
        self.phase = Phase::Ended;
        self.out.push_back(Output::Finished(end));
    }

    /// Sends to one address.
    fn send_to(&mut self, address: SocketAddr, control: Control) {
        self.send(PathSet::NONE, vec![address], Outgoing::Control(control));
    }

    /// Sends by ways and to addresses, if there are any.
    fn send(&mut self, paths: PathSet, addresses: Vec<SocketAddr>, packet: Outgoing) {
        if !paths.is_empty() || !addresses.is_empty() {
            self.out.push_back(Output::Send { paths, addresses, packet });
        }
    }

    /// What somebody at this address has to send back. It needs no memory,
    /// cannot be guessed, and is of no use after two minutes.
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

    /// A random delay between two numbers of milliseconds.
    fn random_delay(&mut self, (least, most): (u64, u64)) -> std::time::Duration {
        std::time::Duration::from_millis(self.random.u64(least..=most))
    }

    /// Whether some member, oneself included, holds a name with this key.
    fn is_name_held(&self, key: &NameKey) -> bool {
        self.name.key() == key || self.contacts.holders(key).next().is_some()
    }
}
