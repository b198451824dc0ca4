//! Parts of a replication: from the rows of the log, and to changes of a copy.

use std::sync::Arc;

use super::super::sequencer::Change;
use super::ReplicaError;
use crate::hub::{FactTicket, LogItem};
use crate::model::{
    Draft, LogEntry, MessageText, NameKey, PersonReadMarks, ReadMark, RoomName, Sequence,
    SessionId, SessionRecord, SharedEntry, Style, Target, TokenHash, Username,
};
use crate::moderation::{ModerationState, decode_fact};
use crate::wire::tcp::{
    Replica, ReplicaDirect, ReplicaMessage, ReplicaReadMarks, ReplicaSession, kept,
};

/// Change of a copy.
#[derive(Debug)]
pub(in super::super) enum ReplicaChange {
    /// Change that a server's own log makes as well.
    Own(Change),
    /// Mailbox that does not have the direct message with this sequence any more.
    NotKept(SessionId, Sequence),
    /// Register of the moderation state, and its fact, as encoded.
    Register(Vec<u8>, Vec<u8>),
    /// Sequence up to which messages of this room may be missing; `None`: of forgotten rooms.
    Forgotten(Option<RoomName>, Sequence),
}

/// Returns the part that tells a message, in a room or direct. `kept`: who still has a direct
/// message.
pub(super) fn part_of_entry(entry: &LogEntry, kept: u8) -> Replica {
    let draft = &entry.draft;
    let person = draft.person.unwrap_or_default();
    let username = draft.username.as_str().to_owned();
    let (style, text) = (draft.style.0, draft.text.as_str().to_owned());
    let LogEntry { sequence, previous, time, .. } = *entry;
    let (session, reference) = (draft.session, draft.reference);
    match &draft.target {
        Target::Room(room) => Replica::Message(ReplicaMessage {
            sequence,
            previous,
            room: room.as_str().to_owned(),
            session,
            person,
            username,
            time,
            reference,
            style,
            text,
        }),
        Target::Session(to_session, to_username) => Replica::Direct(ReplicaDirect {
            sequence,
            session,
            person,
            username,
            to_session: *to_session,
            to_username: to_username.as_str().to_owned(),
            time,
            reference,
            style,
            text,
            kept,
        }),
    }
}

/// Returns the part that tells a session record. `noted`: the sequence up to which its last
/// reference is right.
pub(super) fn part_of_session(record: &SessionRecord, noted: Sequence) -> Replica {
    Replica::Session(ReplicaSession {
        session: record.session,
        token_hash: record.token.0,
        username: record.username.as_str().to_owned(),
        away_since: record.away_since,
        last_reference: record.last_reference,
        refused: record.refused.clone(),
        keeps_name: record.keeps_name,
        key: record.key,
        noted,
    })
}

/// Returns the part that tells the read marks of a person.
pub(super) fn part_of_marks(marks: &PersonReadMarks) -> Replica {
    let told =
        |it: &ReadMark| (it.room.as_ref().map_or("", NameKey::as_str).to_owned(), it.sequence);
    Replica::ReadMarks(ReplicaReadMarks {
        person: marks.person,
        marks: marks.marks.iter().map(told).collect(),
    })
}

/// Converts parts to changes of a copy, and to the items that its readers are told. `head`: the
/// position of the copy, which is advanced. `moderation`: the state that the facts change; `None`
/// if the state follows as registers.
///
/// # Errors
/// [`ReplicaError::Malformed`]: a value is invalid, or the sequences do not ascend.
pub(in super::super) fn convert(
    parts: Vec<Replica>,
    head: &mut Sequence,
    mut moderation: Option<&mut ModerationState>,
) -> Result<(Vec<ReplicaChange>, Vec<LogItem>), ReplicaError> {
    let mut changes = Vec::with_capacity(parts.len());
    let mut items = Vec::new();
    let mut advance = |sequence: Sequence| {
        let is_next = sequence > std::mem::replace(head, sequence);
        is_next.then_some(()).ok_or(ReplicaError::Malformed)
    };
    for part in parts {
        match part {
            Replica::Message(message) => {
                advance(message.sequence)?;
                let entry = entry_of_message(message).ok_or(ReplicaError::Malformed)?;
                changes.push(ReplicaChange::Own(Change::Entry(entry.clone())));
                items.push(LogItem::Message(entry));
            }
            Replica::Direct(direct) => {
                advance(direct.sequence)?;
                let (sequence, to, kept) = (direct.sequence, direct.to_session, direct.kept);
                let entry = entry_of_direct(direct).ok_or(ReplicaError::Malformed)?;
                let mailboxes = [(entry.draft.author(), kept::BY_SENDER), (to, kept::BY_RECIPIENT)];
                changes.push(ReplicaChange::Own(Change::Entry(entry.clone())));
                items.push(LogItem::Message(entry));
                let gone = mailboxes.into_iter().filter(|(_, bit)| kept & bit == 0);
                changes.extend(gone.map(|(it, _)| ReplicaChange::NotKept(it, sequence)));
            }
            Replica::Fact(bytes) => {
                let fact = Arc::new(decode_fact(&bytes)?);
                advance(fact.sequence)?;
                let made = moderation.as_mut().map(|it| it.apply(&fact)).unwrap_or_default();
                changes.push(ReplicaChange::Own(Change::Fact(FactTicket(0), fact.clone(), made)));
                items.push(LogItem::Fact { ticket: None, fact });
            }
            Replica::Session(session) => {
                let noted = session.noted;
                let record = record_of(session).ok_or(ReplicaError::Malformed)?;
                changes.push(ReplicaChange::Own(Change::PersistSession(record, noted)));
            }
            Replica::SessionDeleted(session, keeps) => {
                changes.push(ReplicaChange::Own(Change::DeleteSession(
                    session,
                    Sequence::ZERO,
                    keeps,
                )));
            }
            Replica::ReadMarks(ReplicaReadMarks { person, marks }) => {
                let marks = marks.into_iter().map(|(room, sequence)| ReadMark {
                    room: (!room.is_empty()).then(|| NameKey::of(&room)),
                    sequence,
                });
                let marks = PersonReadMarks { person, marks: marks.collect() };
                changes.push(ReplicaChange::Own(Change::KeepReadMarks(marks)));
            }
            Replica::Register(register, fact) => {
                let row = [(register.as_slice(), fact.as_slice())];
                ModerationState::decode(row)?;
                changes.push(ReplicaChange::Register(register, fact));
            }
            Replica::Void(after, up_to) => {
                changes.push(ReplicaChange::Own(Change::SkipSequences(after, up_to)));
                items.push(LogItem::Void { after, up_to });
            }
            Replica::Forgotten(room, up_to) => {
                let room = (!room.is_empty()).then(|| RoomName::new(&room)).transpose();
                let room = room.map_err(|_| ReplicaError::Malformed)?;
                changes.push(ReplicaChange::Forgotten(room, up_to));
            }
            Replica::Begin(_) | Replica::Commit(_) => return Err(ReplicaError::Malformed),
        }
    }
    Ok((changes, items))
}

/// Returns a person's number; `None` for 0.
fn person(number: SessionId) -> Option<SessionId> {
    (number != SessionId::default()).then_some(number)
}

/// Converts a message in a room; `None` if a value is invalid.
fn entry_of_message(it: ReplicaMessage) -> Option<SharedEntry> {
    let draft = Draft {
        session: it.session,
        person: person(it.person),
        username: Username::new(&it.username).ok()?,
        reference: it.reference,
        target: Target::Room(RoomName::new(&it.room).ok()?),
        style: Style(it.style),
        text: MessageText::new(&it.text).ok()?,
    };
    let (sequence, previous, time) = (it.sequence, it.previous, it.time);
    Some(Arc::new(LogEntry { sequence, previous, time, draft }))
}

/// Converts a direct message; `None` if a value is invalid.
fn entry_of_direct(it: ReplicaDirect) -> Option<SharedEntry> {
    let draft = Draft {
        session: it.session,
        person: person(it.person),
        username: Username::new(&it.username).ok()?,
        reference: it.reference,
        target: Target::Session(it.to_session, Username::new(&it.to_username).ok()?),
        style: Style(it.style),
        text: MessageText::new(&it.text).ok()?,
    };
    let (sequence, previous, time) = (it.sequence, Sequence::ZERO, it.time);
    Some(Arc::new(LogEntry { sequence, previous, time, draft }))
}

/// Converts a session record; `None` if the name is invalid.
fn record_of(it: ReplicaSession) -> Option<SessionRecord> {
    Some(SessionRecord {
        session: it.session,
        token: TokenHash(it.token_hash),
        username: Username::new(&it.username).ok()?,
        away_since: it.away_since,
        last_reference: it.last_reference,
        refused: it.refused,
        keeps_name: it.keeps_name,
        key: it.key,
    })
}
