//! What the person says, and wants.

use std::collections::VecDeque;
use std::time::Duration;

use super::{End, Mesh, Now, Outgoing, Phase};
use crate::model::limits::MAX_PEER_TEXT;
use crate::model::{
    ChatCommand, Command, ErrorCode, Event, MessageText, Moment, NameKey, Path, PathSet,
    PeerCommand, PeerId, PeerReport, PeerRoute, Refusal, Request, RequestTag, RoomSelector,
    SessionId, Style, TokenBucket,
};
use crate::wire::udp::{Bye, Control, EntryFields};

/// Own messages at once, and in a minute.
const SAY_RATE: (u32, u32) = (20, 1_500);
/// Who leaves stays for so long after the last message.
const LEAVE_DELAY: Duration = Duration::from_secs(1);
/// Requests that wait until one is in.
const MAX_DEFERRED_REQUESTS: usize = 100;
/// Messages that wait to be sent.
const MAX_QUEUE: usize = 10_000;

/// A peer's public number.
pub(super) const fn session(id: PeerId) -> SessionId {
    SessionId(u64::from_be_bytes(id.0))
}

/// What the person wants to say.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Waits until one is in, and for the rate.
    queue: VecDeque<(RequestTag, Style, MessageText)>,
    /// What was asked before one was in.
    deferred: Vec<Request>,
    /// How fast one may speak.
    bucket: TokenBucket,
    /// When the next may go out.
    send_at: Option<Moment>,
    /// When the last one went out.
    last_said: Moment,
    /// The last sequence used.
    pub(super) sequence: u32,
    /// Requests that were refused.
    refused: usize,
    /// One leaves when everything has arrived.
    leaving: Option<Leaving>,
}

/// How one leaves.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    /// Give up when for so long nothing has changed.
    patience: Duration,
    /// When something changed last.
    progress_at: Moment,
    /// Messages that not everybody has, then.
    undelivered: usize,
    /// When to look again.
    check_at: Moment,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            deferred: Vec::new(),

            bucket: TokenBucket::new(SAY_RATE.0, SAY_RATE.1),
            send_at: None,
            last_said: Moment::START,
            sequence: 0,

            refused: 0,
            leaving: None,
        }
    }
}

impl Outbox {
    /// When something is to be done.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        [self.send_at, self.leaving.map(|it| it.check_at)].into_iter().flatten().min()
    }
}

impl Mesh {
    /// Somebody wants something done.
    pub(super) fn on_request(&mut self, now: Now, request: Request) {
        // Who is there is known when one is in.
        let is_about_others = matches!(
            request.command,
            Command::Chat(ChatCommand::Members { .. })
                | Command::Peer(PeerCommand::Peers | PeerCommand::Block { .. })
        );
        if is_about_others && !matches!(self.phase, Phase::In) {
            if self.outbox.deferred.len() < MAX_DEFERRED_REQUESTS {
                self.outbox.deferred.push(request);
            }
            return;
        }
        let Request { tag, command } = request;
        match command {
            Command::Chat(task) => self.on_chat_command(now, tag, task),
            Command::Peer(PeerCommand::Peers) => {
                let peers = self.report(now);
                self.emit(Event::Peers { tag, peers });
            }
            Command::Peer(PeerCommand::Block { name }) => self.block(tag, &name),
            Command::Peer(PeerCommand::Admit { name, is_welcome }) => {
                if self.resolve_approval(now, &name, is_welcome) {
                    let may = if is_welcome { "may" } else { "may not" };
                    self.emit(Event::Done { tag, text: format!("{name} {may} come in.") });
                } else {
                    self.refuse(tag, 0, format!("{name} is not waiting to come in."), None);
                }
            }
            Command::Password(_) => {}
            Command::Finish { patience } => {
                let (progress_at, undelivered, check_at) = (now.moment, usize::MAX, now.moment);
                self.outbox.leaving =
                    Some(Leaving { patience, progress_at, undelivered, check_at });
            }
            Command::Quit => self.leave(),
        }
    }

    /// A task that a server could do as well.
    fn on_chat_command(&mut self, now: Now, tag: RequestTag, task: ChatCommand) {
        match task {
            ChatCommand::Say { room, style, text } if self.is_here(&room) => {
                self.enqueue_message(now, tag, style, &text);
            }
            ChatCommand::Say { text, .. } => {
                let code = ErrorCode::NotInRoom.number();
                self.refuse(tag, code, "Among peers there is one room.".to_owned(), Some(text));
            }
            ChatCommand::Direct { text, .. } => {
                let why = "There are no direct messages among peers.".to_owned();
                self.refuse(tag, 0, why, Some(text));
            }
            ChatCommand::Enter { .. } | ChatCommand::Leave { .. } => {
                let why = "Among peers there is one room for each program.".to_owned();
                self.refuse(tag, 0, why, None);
            }
            ChatCommand::History { .. } => {
                let why = "There is nothing older here than what was shown.".to_owned();
                self.refuse(tag, 0, why, None);
            }
            ChatCommand::Search(_) => {
                let why = "Among peers there is nothing to search in.".to_owned();
                self.refuse(tag, 0, why, None);
            }
            ChatCommand::Members { .. } => {
                let mut names = self.names_of_members();
                names.sort();
                self.emit(Event::Roster {
                    tag,
                    room: self.settings.room.as_str().to_owned(),
                    members: u32::try_from(names.len()).unwrap_or(u32::MAX),
                    names: Some(names),
                    asked: true,
                });
            }
        }
    }

    /// Whether a place is this room.
    fn is_here(&self, room: &RoomSelector) -> bool {
        match room {
            RoomSelector::Named(room) => NameKey::of(room) == *self.settings.room.key(),
            RoomSelector::Only | RoomSelector::First => true,
        }
    }

    /// Takes a message if it may be sent at all.
    fn enqueue_message(&mut self, now: Now, tag: RequestTag, style: Style, text: &str) {
        let bytes = text.len();
        let checked = MessageText::new(text);
        let why = match &checked {
            Ok(_) if bytes > MAX_PEER_TEXT => {
                format!("The message has {bytes} bytes; among peers {MAX_PEER_TEXT} are possible.")
            }
            Ok(_) if self.outbox.queue.len() >= MAX_QUEUE => {
                "Not sent: too many messages are waiting already.".to_owned()
            }
            Ok(_) => String::new(),
            Err(wrong) => format!("Not sent: {wrong}."),
        };
        match checked {
            Ok(text) if why.is_empty() => {
                self.outbox.queue.push_back((tag, style, text));
                self.outbox.send_at.get_or_insert(now.moment);
            }
            _ => {
                let code = ErrorCode::TextInvalid.number();
                self.refuse(tag, code, why, Some(text.to_owned()));
            }
        }
    }

    /// Does not do what was asked.
    pub(super) fn refuse(
        &mut self,
        tag: RequestTag,
        code: u16,
        text: String,
        message: Option<String>,
    ) {
        self.outbox.refused += 1;
        let to = self.settings.room.as_str().to_owned();
        self.emit(Event::Refused(Refusal { tag, code, text, to, message }));
    }

    /// Sends what waits, as fast as is allowed.
    pub(super) fn flush_outbox(&mut self, now: Now) {
        if !matches!(self.phase, Phase::In) {
            // When one is in, this is called again in any case.
            self.outbox.send_at = None;
            return;
        }
        for request in std::mem::take(&mut self.outbox.deferred) {
            self.on_request(now, request);
        }
        while let Some((tag, style, text)) = self.outbox.queue.pop_front() {
            if !self.outbox.bucket.try_take(now.moment) {
                let wait = Duration::from_secs(60) / SAY_RATE.1;
                self.outbox.queue.push_front((tag, style, text));
                self.outbox.send_at = Some(now.moment + wait);
                return;
            }
            self.publish(now, tag, style, &text);
        }
        self.outbox.send_at = None;
    }

    /// Says one thing.
    fn publish(&mut self, now: Now, tag: RequestTag, style: Style, text: &MessageText) {
        let Some(sequence) = self.outbox.sequence.checked_add(1) else { return };
        let Some(lamport) = self.logs.next_lamport() else {
            let why = "The room's counter is at its end.".to_owned();
            self.refuse(tag, 0, why, Some(text.as_str().to_owned()));
            return;
        };
        self.outbox.sequence = sequence;
        self.outbox.last_said = now.moment;
        self.display.note_tag(sequence, tag);
        let entry = self.sign.sign(EntryFields {
            sequence,
            lamport,
            time: now.time,
            username: self.name.as_str().to_owned(),
            style: style.0,
            text: text.as_str().to_owned(),
        });
        let entry = std::sync::Arc::new(entry);
        self.logs.ensure_author(self.me.id);
        self.logs.insert(now.moment, entry.clone());
        self.send_to_all(Outgoing::Entry(entry));
        self.heartbeats.schedule_follow_up(now.moment);
    }

    /// Leaves if that was asked for and everything has arrived.
    pub(super) fn leave_when_delivered(&mut self, now: Now) {
        let Some(mut leaving) = self.outbox.leaving else { return };
        if self.is_ended() || now.moment < leaving.check_at {
            return;
        }
        let left = self.undelivered();
        if left < leaving.undelivered {
            (leaving.undelivered, leaving.progress_at) = (left, now.moment);
        }
        let is_patient = now.moment.since(leaving.progress_at) < leaving.patience;
        // Even then others need a moment to find out what they lack.
        let has_lingered = now.moment.since(self.outbox.last_said) >= LEAVE_DELAY;
        let is_alone = self.contacts.member_count() == 0;
        let is_done = left == 0 && matches!(self.phase, Phase::In) && (has_lingered || is_alone);
        if is_patient && !is_done {
            leaving.check_at = now.moment + Duration::from_millis(100);
            self.outbox.leaving = Some(leaving);
        } else {
            self.leave();
        }
    }

    /// Own messages that were not sent, or that some member may not have.
    fn undelivered(&self) -> usize {
        // Those whose pages never tell (they need not) are not waited for.
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let least = members.filter_map(|(_, it)| it.has_own_up_to).min();
        let least = least.unwrap_or(self.outbox.sequence);
        let behind = self.outbox.sequence.saturating_sub(least);
        self.outbox.queue.len() + usize::try_from(behind).unwrap_or(usize::MAX)
    }

    /// Leaves now.
    fn leave(&mut self) {
        let unsent = self.undelivered();
        if self.is_member() {
            self.send_to_all(Outgoing::Control(Control::Bye(Bye {})));
            self.send_to_all(Outgoing::Control(Control::Bye(Bye {})));
        }
        let room = self.settings.room.as_str().to_owned();
        for (tag, _, text) in std::mem::take(&mut self.outbox.queue) {
            let (to, text) = (room.clone(), text.as_str().to_owned());
            self.emit(Event::Unsent { tag, to, text, perhaps_taken: false });
        }
        self.finish(End::Left { unsent, refused: self.outbox.refused });
    }

    /// Names of all members, oneself included.
    pub(super) fn names_of_members(&self) -> Vec<String> {
        let others = self.contacts.iter().filter(|(_, it)| it.is_member());
        let names = others.map(|(_, it)| it.name().to_owned());
        names.chain([self.name.as_str().to_owned()]).collect()
    }

    /// How each peer is reached: oneself first, then by standing.
    #[must_use]
    pub fn report(&self, now: Now) -> Vec<PeerReport> {
        let clock = self.room_clock(now.moment);
        let mut reports = vec![PeerReport {
            name: self.name.as_str().to_owned(),
            session: session(self.me.id),
            is_self: true,
            present: clock.since(self.since),
            address: None,
            route: PeerRoute::Local,
            loss: 0,
            skew: 0,
            silence: Duration::ZERO,
        }];
        for (_, id) in self.contacts.members_by_seniority() {
            let Some(contact) = self.contacts.get(id) else { continue };
            let hears = contact.hears.unwrap_or(PathSet::NONE.with(Path::GroupV4));
            let path = Path::ALL.into_iter().find(|it| hears.has(*it));
            let is_direct = now.moment.since(contact.last_heard.unwrap_or_default())
                < super::timers::gone_after(self.member_count());
            reports.push(PeerReport {
                name: contact.name().to_owned(),
                session: session(id),
                is_self: false,
                present: clock.since(contact.since()),
                address: contact.address(),
                route: match path {
                    _ if contact.last_heard.is_none() || !is_direct => PeerRoute::Indirect,
                    Some(path) => PeerRoute::Path(path),
                    None => PeerRoute::Unicast,
                },
                loss: self.heartbeat_loss(now.moment, contact),
                skew: contact.skew,
                silence: now.moment.since(contact.last_vouched),
            });
        }
        reports
    }
}
