//! Lists: bans and mutes (`sanctions`), and the open rooms (`directory`).

use std::collections::BTreeMap;

use super::super::Hub;
use super::super::connection::BlockedOn;
use super::super::contract::{ConnectionId, Delivery};
use super::words;
use crate::model::limits::MAX_LISTED_ITEMS;
use crate::model::{
    ErrorCode, ModerationAction, NameKey, Reference, RoomName, SanctionKind, SessionId, SharedFact,
    Timestamp, Topic,
};
use crate::moderation::ModerationState;
use crate::wire::tcp::{
    Directory, RoomItem, Rooms, SanctionItem, SanctionsList, SanctionsRequest, ServerFrame, action,
    flag, kind,
};

/// Number of items of a list that are sent before the client must have taken them.
const ITEMS_PER_PAGE: usize = 4 * MAX_LISTED_ITEMS;

/// Room that is open or has a topic, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// Name of the room.
    pub name: RoomName,
    /// Number of members.
    pub members: usize,
    /// Topic of the room.
    pub topic: Option<Topic>,
}

/// Subject of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// Bans and mutes of this room, or of the server (`None`).
    Sanctions(Option<NameKey>),
    /// Rooms.
    Rooms,
}

/// Rest of a list, which is sent when the client has taken what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ListPage {
    /// Reference of the request.
    reference: Reference,
    /// What is listed.
    subject: Subject,
    /// Number of items that were sent.
    sent: usize,
}

impl Hub {
    /// Returns the moderation state in force.
    #[must_use]
    pub const fn moderation(&self) -> &ModerationState {
        &self.moderation
    }

    /// Returns the rooms that are open or have a topic, in the order of their names.
    #[must_use]
    pub fn room_list(&self) -> Vec<RoomSummary> {
        let mut rooms: BTreeMap<NameKey, RoomSummary> = BTreeMap::new();
        for (name, topic) in self.moderation.topics() {
            let summary =
                RoomSummary { name: name.clone(), members: 0, topic: Some(topic.clone()) };
            rooms.insert(name.key().clone(), summary);
        }
        for room in self.rooms.iter() {
            let (key, name, members) = (room.name.key(), room.name.clone(), room.members.len());
            let topic = self.moderation.topic(key).cloned();
            rooms.insert(key.clone(), RoomSummary { name, members, topic });
        }
        rooms.into_values().collect()
    }

    /// Handles `directory`: sends the list of rooms.
    pub(in super::super) fn handle_directory(&mut self, id: ConnectionId, directory: &Directory) {
        let (reference, subject) = (directory.reference, Subject::Rooms);
        self.send_list(id, ListPage { reference, subject, sent: 0 });
    }

    /// Handles `sanctions`: sends the list of bans and mutes of a room or of the server to those
    /// who moderate there, or an error to others.
    pub(in super::super) fn handle_sanctions(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        request: &SanctionsRequest,
    ) {
        let reference = request.reference;
        let room = match request.room.as_str() {
            "" => Ok(None),
            name => RoomName::new(name).map(|it| Some(it.key().clone())),
        };
        let checked = room.map_err(|_| ErrorCode::RoomInvalid).and_then(|room| {
            let may_see = self.moderation.has_role_in(session, room.as_ref());
            may_see.then_some(room).ok_or(ErrorCode::NotPermitted)
        });
        match checked {
            Ok(room) => {
                let subject = Subject::Sanctions(room);
                self.send_list(id, ListPage { reference, subject, sent: 0 });
            }
            Err(code) => self.send_request_error(id, code, kind::SANCTIONS, reference),
        }
    }

    /// Sends the next frames of a list. Then blocks the connection until the client has taken them:
    /// call it again then, if the list is not complete.
    pub(in super::super) fn send_list(&mut self, id: ConnectionId, mut page: ListPage) {
        let reference = page.reference;
        let (frames, is_complete): (Vec<ServerFrame>, bool) = match &page.subject {
            Subject::Sanctions(room) => {
                let is_here = |fact: &&SharedFact| {
                    fact.draft.action.room().map(RoomName::key) == room.as_ref()
                };
                let all = self.moderation.sanctions().filter(is_here).filter_map(sanction_item);
                let (chunks, is_complete) = take_chunks(all.skip(page.sent));
                let frame = |(items, last)| SanctionsList { reference, last, items }.into();
                (chunks.into_iter().map(frame).collect(), is_complete)
            }
            Subject::Rooms => {
                let all = self.room_list().into_iter().map(|it| room_item(&it));
                let (chunks, is_complete) = take_chunks(all.skip(page.sent));
                let frame = |(items, last)| Rooms { reference, last, items }.into();
                (chunks.into_iter().map(frame).collect(), is_complete)
            }
        };
        page.sent = page.sent.saturating_add(ITEMS_PER_PAGE);
        for frame in frames {
            self.send_frame(id, frame);
        }
        let next = BlockedOn::List(Box::new(page));
        self.block_until_taken(id, if is_complete { BlockedOn::Mark } else { next });
    }

    /// Blocks a connection until its client has taken everything so far.
    fn block_until_taken(&mut self, id: ConnectionId, what: BlockedOn) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.block_on(what);
            self.deliver(id, Delivery::Mark);
        }
    }
}

/// Takes a page of items, in chunks for a frame each: at least one, which may be empty. With each
/// chunk, returns true if it is the end of the list. Also returns true if the list is complete.
fn take_chunks<T>(mut items: impl Iterator<Item = T>) -> (Vec<(Vec<T>, bool)>, bool) {
    let mut page: Vec<T> = items.by_ref().take(ITEMS_PER_PAGE).collect();
    let is_complete = items.next().is_none();
    let mut chunks = Vec::new();
    loop {
        let rest = page.split_off(page.len().min(MAX_LISTED_ITEMS));
        let is_last = rest.is_empty();
        chunks.push((page, is_last && is_complete));
        page = rest;
        if is_last {
            return (chunks, is_complete);
        }
    }
}

/// Returns a room as an item of `rooms`.
fn room_item(room: &RoomSummary) -> RoomItem {
    RoomItem {
        name: room.name.as_str().to_owned(),
        members: u32::try_from(room.members).unwrap_or(u32::MAX),
        topic: room.topic.as_ref().map_or("", |it| it.as_str()).to_owned(),
    }
}

/// Returns the fact that imposed a sanction as an item of `sanctions_list`.
fn sanction_item(fact: &SharedFact) -> Option<SanctionItem> {
    let (sanction_kind, sanction) = fact.draft.action.sanction()?;
    let is_by_address =
        matches!(fact.draft.action, ModerationAction::Banned { group: Some(_), .. });
    Some(SanctionItem {
        kind: match sanction_kind {
            SanctionKind::Ban => action::BAN,
            SanctionKind::Mute => action::MUTE,
        },
        room: sanction.scope.room().map_or("", RoomName::as_str).to_owned(),
        username: sanction.username.as_str().to_owned(),
        until: fact.sanction_end().unwrap_or(Timestamp(0)),
        by: words::actor(fact).to_owned(),
        reason: words::reason(fact).to_owned(),
        flags: if is_by_address { flag::BY_ADDRESS } else { 0 },
    })
}
