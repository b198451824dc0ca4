//! Lists: bans and mutes (`sanctions`), and the rooms (`directory`). A list is sent page by page.
//! Each page begins behind the last item of the one before, and is what is in force then.

use std::collections::BTreeMap;

use super::super::Hub;
use super::super::connection::BlockedOn;
use super::super::contract::{ConnectionId, Delivery};
use super::words;
use crate::model::limits::MAX_LISTED_ITEMS;
use crate::model::{
    ErrorCode, NameKey, Reference, RoomName, SanctionKind, SessionId, SharedFact, Timestamp, Topic,
};
use crate::moderation::{ModerationState, Register};
use crate::wire::tcp::{
    Directory, RoomItem, Rooms, SanctionItem, SanctionsList, SanctionsRequest, ServerFrame, action,
    flag, kind,
};

/// Number of items of a list that are sent before the client must have taken them.
const ITEMS_PER_PAGE: usize = 4 * MAX_LISTED_ITEMS;

/// Room that exists, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// Name of the room.
    pub name: RoomName,
    /// Number of members.
    pub members: usize,
    /// Topic of the room.
    pub topic: Option<Topic>,
}

/// Subject of a list, and how far the list was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// Bans and mutes of this room, or of the server (`None`). The register is that of the last
    /// item that was sent.
    Sanctions(Option<NameKey>, Option<Register>),
    /// Rooms. The key is that of the last one that was sent.
    Rooms(Option<NameKey>),
}

/// Rest of a list, which is sent when the client has taken what came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ListPage {
    /// Reference of the request.
    reference: Reference,
    /// What is listed, and how far it was sent.
    subject: Subject,
}

impl Hub {
    /// Returns the moderation state in force.
    #[must_use]
    pub const fn moderation(&self) -> &ModerationState {
        &self.moderation
    }

    /// Returns the rooms that exist, in the order of their names: those that are open, those that
    /// have a topic, and those closed last in which something was said.
    #[must_use]
    pub fn room_list(&self) -> Vec<RoomSummary> {
        let names = self.room_names_after(None, usize::MAX);
        names.into_values().map(|it| self.room_summary(it)).collect()
    }

    /// Returns the names of the first `most` rooms of [`Self::room_list`], by key: of those after
    /// this key, or of all (`None`).
    fn room_names_after(
        &self,
        key: Option<&NameKey>,
        most: usize,
    ) -> BTreeMap<&NameKey, &RoomName> {
        let with_topic = self.moderation.topics().map(|(name, _)| name);
        let closed = self.rooms.closed_with_messages();
        // The last ones count: an open room has its canonical spelling.
        let all = with_topic.chain(closed).chain(self.rooms.iter().map(|it| &it.name));
        let mut first = BTreeMap::new();
        for name in all.filter(|it| key.is_none_or(|key| it.key() > key)) {
            first.insert(name.key(), name);
            if first.len() > most {
                first.pop_last();
            }
        }
        first
    }

    /// Describes a room that exists.
    fn room_summary(&self, name: &RoomName) -> RoomSummary {
        let open = self.rooms.find(name).and_then(|it| self.rooms.get(it));
        let members = open.map_or(0, |it| it.members.len());
        let topic = self.moderation.topic(name.key()).cloned();
        RoomSummary { name: name.clone(), members, topic }
    }

    /// Handles `directory`: sends the list of rooms.
    pub(in super::super) fn handle_directory(&mut self, id: ConnectionId, directory: &Directory) {
        let (reference, subject) = (directory.reference, Subject::Rooms(None));
        self.send_list(id, ListPage { reference, subject });
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
            let number = self.number_of(session);
            let may_see = self.moderation.has_role_in(number, room.as_ref());
            may_see.then_some(room).ok_or(ErrorCode::NotPermitted)
        });
        match checked {
            Ok(room) => {
                let subject = Subject::Sanctions(room, None);
                self.send_list(id, ListPage { reference, subject });
            }
            Err(code) => self.send_request_error(id, code, kind::SANCTIONS, reference),
        }
    }

    /// Sends the next frames of a list. Then blocks the connection until the client has taken them:
    /// call it again then, if the list is not complete.
    pub(in super::super) fn send_list(&mut self, id: ConnectionId, page: ListPage) {
        let ListPage { reference, subject } = page;
        let (frames, rest): (Vec<ServerFrame>, Option<Subject>) = match subject {
            Subject::Sanctions(room, sent) => {
                let is_here = |(_, fact): &(&Register, &SharedFact)| {
                    fact.draft.action.room().map(RoomName::key) == room.as_ref()
                };
                let rest = self.moderation.sanctions_after(sent.as_ref()).filter(is_here);
                let items = rest.filter_map(|(register, it)| Some((register, sanction_item(it)?)));
                let (items, last) = take_page(items);
                let chunks = split_page(items, last.is_none());
                let frame = |(items, last)| SanctionsList { reference, last, items }.into();
                let frames = chunks.into_iter().map(frame).collect();
                (frames, last.cloned().map(|it| Subject::Sanctions(room, Some(it))))
            }
            Subject::Rooms(sent) => {
                let rest = self.room_names_after(sent.as_ref(), ITEMS_PER_PAGE + 1).into_iter();
                let items = rest.map(|(key, it)| (key, room_item(&self.room_summary(it))));
                let (items, last) = take_page(items);
                let chunks = split_page(items, last.is_none());
                let frame = |(items, last)| Rooms { reference, last, items }.into();
                let frames = chunks.into_iter().map(frame).collect();
                (frames, last.cloned().map(|it| Subject::Rooms(Some(it))))
            }
        };
        for frame in frames {
            self.send_frame(id, frame);
        }
        let next = rest.map(|subject| BlockedOn::List(Box::new(ListPage { reference, subject })));
        self.block_until_taken(id, next.unwrap_or(BlockedOn::Mark));
    }

    /// Blocks a connection until its client has taken everything so far.
    fn block_until_taken(&mut self, id: ConnectionId, what: BlockedOn) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.block_on(what);
            self.deliver(id, Delivery::Mark);
        }
    }
}

/// Takes a page of items, each with its key. Also returns the key of the last one if there are more.
fn take_page<K, T>(mut items: impl Iterator<Item = (K, T)>) -> (Vec<T>, Option<K>) {
    let (keys, page): (Vec<K>, Vec<T>) = items.by_ref().take(ITEMS_PER_PAGE).unzip();
    let has_more = items.next().is_some();
    (page, keys.into_iter().next_back().filter(|_| has_more))
}

/// Splits a page into chunks for a frame each: at least one, which may be empty. With each chunk,
/// returns true if it is the end of the list. `is_last`: true for the last page.
fn split_page<T>(mut page: Vec<T>, is_last: bool) -> Vec<(Vec<T>, bool)> {
    let mut chunks = Vec::new();
    loop {
        let rest = page.split_off(page.len().min(MAX_LISTED_ITEMS));
        let is_end = rest.is_empty();
        chunks.push((page, is_end && is_last));
        page = rest;
        if is_end {
            return chunks;
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
    let is_by_address = fact.draft.action.banned_group().is_some();
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
