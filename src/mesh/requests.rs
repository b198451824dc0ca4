//! Requests of the user, and the report about peers.

use std::time::Duration;

use super::publish::{Leaving, MAX_DEFERRED_REQUESTS};
use super::{Mesh, Now};
use crate::model::{
    ChatCommand, Command, ErrorCode, Event, MeshSentence, NameKey, Path, PathSet, PeerCommand,
    PeerId, PeerReport, PeerRoute, Refusal, Request, RequestTag, RoomSelector, SessionId,
};

/// Returns the session id that users see for a peer: the peer's id as a big-endian number.
pub(super) const fn session(id: PeerId) -> SessionId {
    SessionId(u64::from_be_bytes(id.0))
}

impl Mesh {
    /// Handles a request of the user. Ignores `Password`, `Name` and `Reconnect`. Until this peer
    /// has joined, defers the requests about other peers: members, peers, and all about blocks.
    /// Refuses such a request if [`MAX_DEFERRED_REQUESTS`] are deferred. `Quit` leaves at once,
    /// `Finish` after delivery ([`Mesh::leave_when_delivered`]).
    pub(super) fn on_request(&mut self, now: Now, request: Request) {
        // The members are known only after joining.
        let is_about_others = matches!(
            request.command,
            Command::Chat(ChatCommand::Members { .. })
                | Command::Peer(
                    PeerCommand::Peers
                        | PeerCommand::Block { .. }
                        | PeerCommand::Unblock { .. }
                        | PeerCommand::ListBlocked
                )
        );
        if is_about_others && !self.has_joined() {
            if self.outbox.deferred.len() < MAX_DEFERRED_REQUESTS {
                self.outbox.deferred.push(request);
            } else {
                let why = MeshSentence::TooManyRequests;
                self.refuse(request.tag, 0, why, None);
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
            Command::Peer(PeerCommand::Unblock { name }) => self.unblock(tag, &name),
            Command::Peer(PeerCommand::ListBlocked) => self.report_block_list(tag),
            Command::Peer(PeerCommand::Admit { name, is_welcome }) => {
                if self.resolve_approval(now, &name, is_welcome) {
                    let text = MeshSentence::Admitted { name, is_welcome }.into();
                    self.emit(Event::Done { tag, text });
                } else {
                    self.refuse(tag, 0, MeshSentence::NotWaiting { name }, None);
                }
            }
            Command::Password(_)
            | Command::Name(_)
            | Command::Invite(_)
            | Command::MarkRead { .. }
            | Command::Reconnect { .. } => {}
            Command::Finish { patience } => {
                let (progress_at, undelivered, check_at) = (now.moment, usize::MAX, now.moment);
                self.outbox.leaving =
                    Some(Leaving { patience, progress_at, undelivered, check_at });
            }
            Command::Quit => self.leave(),
        }
    }

    /// Handles a chat command. `Say` for this room queues a message; `Members` reports the roster,
    /// whatever room it names. Refuses all others, for example direct messages and searches, which
    /// only servers offer.
    fn on_chat_command(&mut self, now: Now, tag: RequestTag, task: ChatCommand) {
        match task {
            ChatCommand::Say { room, style, text } if self.is_here(&room) => {
                self.enqueue_message(now, tag, style, &text);
            }
            ChatCommand::Say { text, .. } => {
                let code = ErrorCode::NotInRoom.number();
                self.refuse(tag, code, MeshSentence::OneRoom, Some(text));
            }
            ChatCommand::Direct { text, .. } => {
                self.refuse(tag, 0, MeshSentence::NoDirect, Some(text));
            }
            ChatCommand::Enter { .. } | ChatCommand::Leave { .. } => {
                self.refuse(tag, 0, MeshSentence::StaysInRoom, None);
            }
            ChatCommand::History { .. } => {
                self.refuse(tag, 0, MeshSentence::NoHistory, None);
            }
            ChatCommand::Search(_) => {
                self.refuse(tag, 0, MeshSentence::NoSearch, None);
            }
            ChatCommand::Moderate(_) => {
                self.refuse(tag, 0, MeshSentence::NoModerators, None);
            }
            ChatCommand::Claim(_) => {
                self.refuse(tag, 0, MeshSentence::NoClaims, None);
            }
            ChatCommand::Members { .. } => {
                self.report_roster(now, tag);
            }
        }
    }

    /// Returns true if the selector means this peer's room: it names this room, or names no room.
    fn is_here(&self, room: &RoomSelector) -> bool {
        match room {
            RoomSelector::Named(room) => NameKey::of(room) == *self.settings.room.key(),
            RoomSelector::Only | RoomSelector::First => true,
        }
    }

    /// Refuses a request: counts the refusal, and reports it to the user. `code`: error code; 0 if
    /// none applies. `text`: reason. `message`: text of the refused message, so that the user gets
    /// it back; `None` if the request had none.
    pub(super) fn refuse(
        &mut self,
        tag: RequestTag,
        code: u16,
        why: MeshSentence,
        message: Option<String>,
    ) {
        self.outbox.refused += 1;
        let (text, to) = (why.into(), self.settings.room.as_str().to_owned());
        self.emit(Event::Refused(Refusal { tag, code, text, to, message }));
    }

    /// Returns the names of all members, this peer included, unsorted. Peers known through others
    /// only are not among them.
    pub(super) fn names_of_members(&self) -> Vec<String> {
        let others = self.contacts.iter().filter(|(_, it)| it.is_member());
        let names = others.map(|(_, it)| it.name().to_owned());
        names.chain([self.name.as_str().to_owned()]).collect()
    }

    /// Returns a report on each peer in the room: time present, address, route, loss, clock skew
    /// and silence. This peer comes first, then the other members, the most senior first, then the
    /// peers that are known through others only, which are no members. For those, loss and skew are
    /// 0, and the time present counts from when this peer learned of them.
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
            through: None,
            hears_me: true,
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
                through: self.heard_through(now.moment, contact),
                hears_me: !self.is_deaf(now.moment, contact),
            });
        }
        reports.extend(self.indirect_peers().map(|(id, contact, name)| PeerReport {
            name: name.to_owned(),
            session: session(id),
            is_self: false,
            present: now.moment.since(contact.met_at),
            address: None,
            route: PeerRoute::Indirect,
            loss: 0,
            skew: 0,
            silence: now.moment.since(contact.last_vouched),
            through: self.heard_through(now.moment, contact),
            hears_me: true,
        }));
        reports
    }
}
