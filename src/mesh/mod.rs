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
mod contacts;
mod contract;
mod dispatch;
mod display_order;
mod heartbeats;
mod history;
mod logs;
mod membership;
mod name_conflict;
mod path_selection;
mod publish;
mod repair;
mod replay_window;
mod stats;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use admission::Voting;
use candidacy::Attempt;
use contacts::{Contacts, Seniority};
use display_order::Showing;
use heartbeats::Heartbeats;
use history::History;
use logs::Logs;
use path_selection::Plan;
use publish::Outbox;
use repair::Answers;
use sha2::{Digest, Sha256};

pub use contract::{Drops, End, Input, Now, Outgoing, Output, Settings, Sign};
pub use stats::MeshStats;

use crate::model::{Event, Moment, NameKey, Path, PathSet, PeerId, RoomClock, Username};
use crate::wire::udp::{Control, Cookie, Entry, Signer};

/// Where one is on one's way into the room: the first table of section 16.
#[derive(Debug)]
enum Phase {
    /// A candidate.
    Announcing(Attempt),
    /// A member that waits for its history.
    Recalling(History),
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
    /// When one came in.
    since: RoomClock,
    /// Everybody else.
    contacts: Contacts,
    /// What everybody has said.
    logs: Logs,
    /// What the person has seen of it.
    showing: Showing,
    /// What the person wants to say.
    outbox: Outbox,
    /// One's own heartbeats.
    heartbeats: Heartbeats,
    /// Newcomers, and whom one does not want.
    voting: Voting,
    /// What others have asked for.
    answers: Answers,
    /// How everybody is reached; made when it is needed.
    plan: Option<Plan>,
    /// The named hosts.
    hosts: Vec<SocketAddr>,
    /// When to look at all contacts again.
    sweep_at: Option<Moment>,
    /// When all contacts were looked at.
    swept: Moment,
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
        let attempt = Attempt::new(now.moment, &mut random);
        let mut mesh = Self {
            name: settings.username.clone(),
            settings,
            sign,
            me,
            phase: Phase::Announcing(attempt),
            clock: (RoomClock(0), now.moment),
            since: RoomClock(0),
            contacts: Contacts::default(),
            logs: Logs::new(me.id, now.moment),
            showing: Showing::default(),
            outbox: Outbox::default(),
            heartbeats: Heartbeats::new(now.moment),
            voting: Voting::default(),
            answers: Answers::default(),
            plan: None,
            hosts: Vec::new(),
            sweep_at: None,
            swept: now.moment,
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
            self.on_awakening(now.moment);
        }
        // What was asked for has come, or comes no more.
        self.wake_at = self.wake_at.filter(|it| *it > now.moment);
        match input {
            Input::Received { from, path, size, packet } => {
                self.on_packet(now, from, path, size, packet);
            }
            Input::Hosts(hosts) => self.hosts = hosts,
            Input::Request(request) => self.on_request(now, request),
            Input::Wake => {}
        }
        self.do_what_is_due(now);
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
    /// A copy by a way by which nothing came lately is worth the look.
    #[must_use]
    pub fn is_replayed(
        &self,
        now: Moment,
        sender: PeerId,
        counter: u64,
        path: Option<Path>,
    ) -> bool {
        let Some(contact) = self.contacts.get(sender) else { return false };
        let lately = timers::way_works_for(self.size());
        let is_news = path.is_some_and(|it| contact.is_news(now, it, lately));
        contact.window.has_seen(counter) && !(is_news && contact.window.is_newest(counter))
    }

    /// How many packets changed nothing.
    #[must_use]
    pub const fn drops(&self) -> Drops {
        self.drops
    }

    /// All entries that are kept, in the room's order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.logs.in_order()
    }

    /// Everything whose time has come, and when to wake next.
    fn do_what_is_due(&mut self, now: Now) {
        self.go_on_announcing(now);
        self.go_on_recalling(now);
        self.go_on_saying(now);
        self.go_on_voting(now);
        self.beat(now);
        self.ask_for_what_is_missing(now);
        self.sweep(now);
        self.show_what_is_ready(now);
        self.leave_when_done(now);
        let next = [
            self.attempt_due(),
            self.history_due(),
            self.outbox.due(),
            self.voting.due(),
            self.heartbeats.due(),
            // Nothing is asked for before one is in.
            self.answers.due().filter(|_| matches!(self.phase, Phase::In)),
            self.sweep_at,
            self.showing.due(),
        ];
        let next = next.into_iter().flatten().min().filter(|_| !self.is_over());
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
    const fn is_over(&self) -> bool {
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
    const fn size(&self) -> usize {
        self.contacts.members() + 1
    }

    /// Whether one is among the eight oldest.
    fn is_among_the_oldest(&self) -> bool {
        let me = self.seniority();
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let older = members.filter(|(id, it)| (it.since(), *id) < me);
        older.take(admission::VOICES).count() < admission::VOICES
    }

    /// Shows something.
    fn show(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// The end.
    fn end(&mut self, end: End) {
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
    fn delay(&mut self, (least, most): (u64, u64)) -> std::time::Duration {
        std::time::Duration::from_millis(self.random.u64(least..=most))
    }

    /// Whether some member, oneself included, holds a name with this key.
    fn is_held(&self, key: &NameKey) -> bool {
        self.name.key() == key || self.contacts.holders(key).next().is_some()
    }
}
