//! Fold of the stream: what each publication comes to, at its place.
//!
//! The fold consults neither clock nor randomness. Whoever folds the same publications gets the same
//! result.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::publication::{Publication, SharedChange};
use crate::hub::{
    FactTicket, HubId, LogItem, NameHold, NotStoredReason, Proposal, StoredElsewhere, Ticket,
    VolatileDraft, VolatileItem,
};
use crate::log::LogEvent;
use crate::model::limits::MAX_CLOCK_STEP;
use crate::model::{
    Draft, Fact, FactDraft, LogEntry, NameKey, PersonReadMarks, Reference, RoomName, Sequence,
    ServerId, SessionId, SessionRecord, SessionReferences, SharedEntry, SharedFact, Target,
    Timestamp,
};
use crate::moderation::{ModerationState, SpeechError};

/// Maximum number of rooms whose last messages are remembered. The first message of a room that is
/// forgotten meanwhile is linked to none.
const MAX_ROOMS: usize = 10_000;

/// What a publication has come to, and which hub has published it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    /// Hub that has published it.
    pub(crate) hub: HubId,
    /// What it has come to.
    pub(crate) item: FoldedItem,
    /// True if the clock that dates the stream was set back between the item before and this one.
    pub(crate) clock_was_set: bool,
}

/// What a publication has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoldedItem {
    /// A message is stored.
    Message(SharedEntry),
    /// A message is refused: its author may not send it.
    MessageRefused(SessionId, Reference, SpeechError),
    /// A message is not stored: by its reference, it is in the log already.
    MessageKnown(SessionId, Reference),
    /// A fact is stored, with its verdict. The ticket is the publishing hub's.
    Fact(FactTicket, SharedFact),
    /// A session record is stored.
    Session(SessionRecord),
    /// A session is deleted. True: its direct messages stay, because the number is that of a person.
    SessionDeleted(SessionId, bool),
    /// Read marks are stored.
    ReadMarks(Vec<PersonReadMarks>),
    /// A volatile change, as it is for the publishing hub.
    Volatile(VolatileItem),
}

impl Folded {
    /// Returns the event by which a hub learns of it. `None` if the hub does not: it has applied what
    /// it proposes about sessions when it has proposed that.
    pub(crate) fn event_for(self, own: HubId) -> Option<LogEvent> {
        let is_own = self.hub == own;
        let item = match self.item {
            FoldedItem::Message(entry) => LogItem::Message(entry),
            FoldedItem::MessageRefused(session, reference, error) if is_own => {
                let ticket = Ticket::Message { session, reference };
                let reason = NotStoredReason::Forbidden(error);
                return Some(LogEvent::NotStored { ticket, reason });
            }
            FoldedItem::MessageRefused(session, reference, _) => {
                LogItem::Elsewhere(StoredElsewhere::MessageRefused(session, reference))
            }
            FoldedItem::MessageKnown(session, reference) if is_own => {
                LogItem::Elsewhere(StoredElsewhere::MessageKnown(session, reference))
            }
            FoldedItem::MessageKnown(..) => return None,
            FoldedItem::Fact(ticket, fact) => {
                LogItem::Fact { ticket: is_own.then_some(ticket), fact }
            }
            FoldedItem::ReadMarks(_) | FoldedItem::Volatile(VolatileItem::RoomsChanged { .. })
                if is_own =>
            {
                return None;
            }
            FoldedItem::Session(record) => {
                LogItem::Elsewhere(StoredElsewhere::Session(self.hub, record))
            }
            FoldedItem::SessionDeleted(session, _) => {
                LogItem::Elsewhere(StoredElsewhere::SessionDeleted(self.hub, session))
            }
            FoldedItem::ReadMarks(marks) => LogItem::Elsewhere(StoredElsewhere::ReadMarks(marks)),
            FoldedItem::Volatile(VolatileItem::SessionBegan {
                connection,
                hub,
                session,
                hold,
                terms,
            }) => {
                let connection = connection.filter(|_| is_own);
                LogItem::Volatile(VolatileItem::SessionBegan {
                    connection,
                    hub,
                    session,
                    hold,
                    terms,
                })
            }
            FoldedItem::Volatile(item) => LogItem::Volatile(item),
        };
        Some(LogEvent::Committed { items: vec![item], clock_was_set: self.clock_was_set })
    }
}

/// Hub that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveHub {
    /// Server of the hub.
    pub(crate) server: ServerId,
    /// Number of its last publication that counts.
    pub(crate) last_number: u64,
    /// Place of its last publication.
    pub(crate) last_heard: Sequence,
    /// What the hub has done so far.
    pub(crate) stage: HubStage,
}

/// Stage of a hub that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HubStage {
    /// It has begun when no hub served. So nobody is here, and it needs nothing from others.
    BegunAlone,
    /// It has begun while other hubs served, and needs to know from one of these who is here.
    BegunBesideOthers,
    /// It serves.
    Serves,
}

/// Session that has begun, or whose record is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KnownSession {
    /// References of its messages.
    references: SessionReferences,
    /// True if its record says that it is connected.
    is_connected: bool,
    /// Hub at which it has begun, if no record is stored yet.
    unrecorded_at: Option<HubId>,
}

/// State of the fold: what the publications so far have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold {
    /// Place of the last publication.
    head: Sequence,
    /// Hubs that have begun and not ended.
    hubs: BTreeMap<HubId, LiveHub>,
    /// Sessions that have begun, or whose records are stored.
    sessions: HashMap<SessionId, KnownSession>,
    /// Last message of each room, and the room's name in the spelling of its messages.
    last_in_room: HashMap<NameKey, (Sequence, RoomName)>,
    /// Rooms of `last_in_room` by their last messages.
    rooms_by_message: BTreeMap<Sequence, NameKey>,
    /// Fold of all facts.
    moderation: ModerationState,
    /// Time of the last message or fact.
    last_time: Timestamp,
}

impl Fold {
    /// Returns the place of the last publication that was folded.
    pub(crate) const fn head(&self) -> Sequence {
        self.head
    }

    /// Returns the hubs that have begun and not ended.
    pub(crate) const fn hubs(&self) -> &BTreeMap<HubId, LiveHub> {
        &self.hubs
    }

    /// Returns the moderation state.
    pub(crate) const fn moderation(&self) -> &ModerationState {
        &self.moderation
    }

    /// Folds a publication at its place. `time`: by the clock of the stream. Returns what it comes
    /// to: nothing if it does not count, several items if hubs end. Ignores a place that was folded already.
    pub(crate) fn apply(
        &mut self,
        place: Sequence,
        time: Timestamp,
        publication: Publication,
    ) -> Vec<Folded> {
        if place <= self.head {
            return Vec::new();
        }
        self.head = place;
        let Publication { hub, number, change } = publication;
        if let SharedChange::HubBegin { server, .. } = change {
            return self.begin_hub(place, server);
        }
        let Some(live) = self.hubs.get_mut(&hub) else {
            return Vec::new();
        };
        live.last_heard = place;
        if number != live.last_number.saturating_add(1) {
            return Vec::new();
        }
        live.last_number = number;
        let mut clock_was_set = false;
        let item = match change {
            SharedChange::HubServes => {
                live.stage = HubStage::Serves;
                None
            }
            SharedChange::HubEnd => return self.end_hub(hub),
            SharedChange::HubGone { hub: gone, last_heard } => {
                let is_silent = self.hubs.get(&gone).is_some_and(|it| it.last_heard == last_heard);
                return if is_silent { self.end_hub(gone) } else { Vec::new() };
            }
            SharedChange::HubBegin { .. } | SharedChange::HubAlive => None,
            SharedChange::Propose(_) if live.stage != HubStage::Serves => None,
            SharedChange::Propose(Proposal::Message(draft)) => {
                let dated = self.date(time);
                clock_was_set = dated.1;
                self.append_message(place, dated.0, draft)
            }
            SharedChange::Propose(Proposal::Fact { ticket, draft }) => {
                let dated = self.date(time);
                clock_was_set = dated.1;
                Some(FoldedItem::Fact(ticket, self.append_fact(place, dated.0, draft)))
            }
            SharedChange::Propose(Proposal::PersistSession(record)) => self.store_session(record),
            SharedChange::Propose(Proposal::DeleteSession(session)) => self.delete_session(session),
            SharedChange::Propose(Proposal::KeepReadMarks(marks)) => {
                Some(FoldedItem::ReadMarks(marks))
            }
            SharedChange::Propose(Proposal::Volatile(draft)) => {
                let item = number_volatile(place, hub, draft);
                if let VolatileItem::SessionBegan { session, .. } = &item {
                    let begun = KnownSession { unrecorded_at: Some(hub), ..Default::default() };
                    let known = self.sessions.entry(*session).or_insert(begun);
                    known.unrecorded_at = known.unrecorded_at.map(|_| hub);
                }
                Some(FoldedItem::Volatile(item))
            }
            SharedChange::Propose(Proposal::HandOver { .. }) => None,
        };
        item.map(|item| Folded { hub, item, clock_was_set }).into_iter().collect()
    }

    /// Begins a hub, and ends the former hub of the same server.
    fn begin_hub(&mut self, place: Sequence, server: ServerId) -> Vec<Folded> {
        let former: Vec<HubId> =
            self.hubs.iter().filter(|(_, it)| it.server == server).map(|(hub, _)| *hub).collect();
        let mut folded = Vec::new();
        for hub in former {
            folded.extend(self.end_hub(hub));
        }
        let hub = HubId(place.0);
        let stage =
            if self.is_served() { HubStage::BegunBesideOthers } else { HubStage::BegunAlone };
        self.hubs.insert(hub, LiveHub { server, last_number: 0, last_heard: place, stage });
        let item = FoldedItem::Volatile(VolatileItem::HubBegan { hub });
        folded.push(Folded { hub, item, clock_was_set: false });
        folded
    }

    /// Returns true if a hub serves.
    fn is_served(&self) -> bool {
        self.hubs.values().any(|it| it.stage == HubStage::Serves)
    }

    /// Ends a hub. Deletes the sessions that it has not stored: nothing that they have said is in the
    /// log either. If it was the last one that served, also ends those that have begun and do not
    /// serve: what they know of who was here differs from what a hub knows that begins behind this.
    /// They begin again.
    fn end_hub(&mut self, hub: HubId) -> Vec<Folded> {
        let Some(former) = self.hubs.remove(&hub) else {
            return Vec::new();
        };
        let mut ended = vec![hub];
        if former.stage == HubStage::Serves && !self.is_served() {
            ended.extend(std::mem::take(&mut self.hubs).into_keys());
        }
        let is_lost = |it: &KnownSession| it.unrecorded_at.is_some_and(|at| ended.contains(&at));
        let mut lost: Vec<SessionId> =
            self.sessions.iter().filter(|(_, it)| is_lost(it)).map(|(id, _)| *id).collect();
        lost.sort_unstable();
        let mut folded = Vec::new();
        for session in lost {
            self.sessions.remove(&session);
            let item = FoldedItem::SessionDeleted(session, false);
            folded.push(Folded { hub, item, clock_was_set: false });
        }
        folded.extend(ended.into_iter().map(|hub| {
            let item = FoldedItem::Volatile(VolatileItem::HubEnded { hub });
            Folded { hub, item, clock_was_set: false }
        }));
        folded
    }

    /// Returns the time of the next entry, and true if the clock was set back. The clocks of the
    /// stream's machines may differ: after a small step back the last time is repeated.
    fn date(&mut self, time: Timestamp) -> (Timestamp, bool) {
        let was_set = time.until(self.last_time) > MAX_CLOCK_STEP;
        self.last_time = if was_set { time } else { time.max(self.last_time) };
        (self.last_time, was_set)
    }

    /// Appends a message, unless it is stored already or forbidden.
    fn append_message(
        &mut self,
        place: Sequence,
        time: Timestamp,
        mut draft: Draft,
    ) -> Option<FoldedItem> {
        let (session, reference) = (draft.session, draft.reference);
        let references = &mut self.sessions.entry(session).or_default().references;
        if !references.is_new(reference) {
            return Some(FoldedItem::MessageKnown(session, reference));
        }
        if let Err(error) = self.moderation.judge_message(&draft) {
            references.mark_refused(reference);
            return Some(FoldedItem::MessageRefused(session, reference, error));
        }
        references.mark_stored(reference);
        let mut previous = Sequence::ZERO;
        if let Target::Room(room) = &mut draft.target {
            previous = self.link_in_room(place, room);
        }
        Some(FoldedItem::Message(Arc::new(LogEntry { sequence: place, previous, time, draft })))
    }

    /// Notes a message as the last one of its room, and gives the room's name the spelling of its
    /// earlier messages. Returns the sequence of the message before it.
    fn link_in_room(&mut self, place: Sequence, room: &mut RoomName) -> Sequence {
        let key = room.key().clone();
        let previous = match self.last_in_room.get_mut(&key) {
            Some((last, spelling)) => {
                room.clone_from(spelling);
                let previous = std::mem::replace(last, place);
                self.rooms_by_message.remove(&previous);
                previous
            }
            None => {
                self.last_in_room.insert(key.clone(), (place, room.clone()));
                Sequence::ZERO
            }
        };
        self.rooms_by_message.insert(place, key);
        if self.last_in_room.len() > MAX_ROOMS
            && let Some((_, oldest)) = self.rooms_by_message.pop_first()
        {
            self.last_in_room.remove(&oldest);
        }
        previous
    }

    /// Judges and appends a fact.
    fn append_fact(&mut self, place: Sequence, time: Timestamp, draft: FactDraft) -> SharedFact {
        let is_effective = self.moderation.judge(&draft, time).is_ok();
        let fact = Arc::new(Fact { sequence: place, time, draft, is_effective });
        self.moderation.apply(&fact);
        fact
    }

    /// Stores a session record. Ignores that of a session that is away and not known: it was deleted.
    fn store_session(&mut self, record: SessionRecord) -> Option<FoldedItem> {
        let is_connected = record.away_since.is_none();
        if !is_connected && !self.sessions.contains_key(&record.session) {
            return None;
        }
        let known = self.sessions.entry(record.session).or_default();
        known.is_connected = is_connected;
        known.unrecorded_at = None;
        known.references.add_record(record.last_reference, &record.refused);
        let last_reference = known.references.last_stored();
        let refused = known.references.refused().to_vec();
        Some(FoldedItem::Session(SessionRecord { last_reference, refused, ..record }))
    }

    /// Deletes a session. Ignores one that is not known, or that is connected by its record.
    fn delete_session(&mut self, session: SessionId) -> Option<FoldedItem> {
        let is_person = self.moderation.claim_of_person(session).is_some();
        let known = self.sessions.get(&session);
        // The direct messages of a person whose claim has ended go, also without a session.
        if known.is_some_and(|it| it.is_connected) {
            return None;
        }
        self.sessions.remove(&session);
        Some(FoldedItem::SessionDeleted(session, is_person))
    }
}

/// Assigns the numbers of a volatile change: they are its place in the stream.
fn number_volatile(place: Sequence, hub: HubId, draft: VolatileDraft) -> VolatileItem {
    match draft {
        VolatileDraft::SessionBegin { connection, session, terms } => VolatileItem::SessionBegan {
            connection: Some(connection),
            hub,
            session: session.unwrap_or(SessionId(place.0)),
            hold: NameHold(place.0),
            terms,
        },
        VolatileDraft::RoomsChange { session, hold, rooms } => {
            VolatileItem::RoomsChanged { session, hold, rooms }
        }
        VolatileDraft::NameRelease { session, hold } => {
            VolatileItem::NameReleased { session, hold }
        }
    }
}
