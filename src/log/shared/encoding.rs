//! Publications as bytes.
//!
//! A publication is a version byte and the postcard encoding of [`Written`]. The servers of a log may
//! be of different versions while they are upgraded: a new change gets a new variant at the end, and
//! what is there is never changed. A server that reads what it does not know must not go on, for it
//! would no longer agree with the others.

use serde::{Deserialize, Serialize};

use super::publication::{Publication, SharedChange};
use crate::hub::{ConnectionId, FactTicket, HubId, JoinTerms, NameHold, Proposal, VolatileDraft};
use crate::model::{
    Draft, FactDraft, IdentityKey, MessageText, NameKey, PersonReadMarks, ReadMark, Reference,
    RoomName, Sequence, ServerId, SessionId, SessionRecord, Style, Target, Timestamp, TokenHash,
    Username,
};
use crate::wire::Malformed;
use crate::wire::codec::{decode_prefix, encode_into};

/// Version of the encoding: the first byte.
const VERSION: u8 = 1;

/// Publication as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Hub that publishes.
    hub: u64,
    /// Number among the hub's publications.
    number: u64,
    /// What is published.
    change: WrittenChange,
}

/// Change as it is written. New variants come last.
#[derive(Serialize, Deserialize)]
enum WrittenChange {
    /// [`SharedChange::HubBegin`].
    HubBegin { server: [u8; 16], nonce: u64 },
    /// [`SharedChange::HubServes`].
    HubServes,
    /// [`SharedChange::HubAlive`].
    HubAlive,
    /// [`SharedChange::HubEnd`].
    HubEnd,
    /// [`SharedChange::HubGone`].
    HubGone { hub: u64, last_heard: Sequence },
    /// [`Proposal::Message`] to a room.
    RoomMessage(WrittenMessage, RoomName),
    /// [`Proposal::Message`] to a session.
    DirectMessage(WrittenMessage, SessionId, Username),
    /// [`Proposal::Fact`].
    Fact { ticket: u64, draft: FactDraft },
    /// [`Proposal::PersistSession`].
    Session(WrittenSession),
    /// [`Proposal::DeleteSession`].
    SessionDeleted(SessionId),
    /// [`Proposal::KeepReadMarks`].
    ReadMarks(Vec<WrittenMarks>),
    /// [`VolatileDraft::SessionBegin`].
    SessionBegin {
        connection: u64,
        session: Option<SessionId>,
        username: Username,
        person: Option<SessionId>,
        refuses_lookalikes: bool,
        token: [u8; 32],
        key: Option<IdentityKey>,
        keeps_name: bool,
    },
    /// [`VolatileDraft::RoomsChange`].
    RoomsChange { session: SessionId, hold: u64, rooms: Vec<RoomName> },
    /// [`VolatileDraft::NameRelease`].
    NameRelease { session: SessionId, hold: u64 },
}

/// Message as it is written, without its target.
#[derive(Serialize, Deserialize)]
struct WrittenMessage {
    /// Author's session.
    session: SessionId,
    /// Person whose session it is.
    person: Option<SessionId>,
    /// Author's username.
    username: Username,
    /// Reference of the message.
    reference: Reference,
    /// Display style.
    style: u8,
    /// Text.
    text: String,
}

/// Session record as it is written.
#[derive(Serialize, Deserialize)]
struct WrittenSession {
    /// Session.
    session: SessionId,
    /// Hash of its token.
    token: [u8; 32],
    /// Its username.
    username: Username,
    /// Time of the disconnection.
    away_since: Option<Timestamp>,
    /// Greatest reference that is stored.
    last_reference: Reference,
    /// References of refused messages.
    refused: Vec<Reference>,
    /// True if the name waits for the session.
    keeps_name: bool,
    /// Key that the session is bound to.
    key: Option<IdentityKey>,
}

/// Read marks of a person as they are written: rooms by the keys of their names; `None`: the direct
/// messages.
#[derive(Serialize, Deserialize)]
struct WrittenMarks {
    /// The person.
    person: SessionId,
    /// The marks.
    marks: Vec<(Option<String>, Sequence)>,
}

impl Publication {
    /// Returns the bytes of the publication. `None` if it is one that is never published
    /// ([`Proposal::HandOver`]).
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let change = WrittenChange::of(&self.change)?;
        let mut bytes = vec![VERSION];
        encode_into(&Written { hub: self.hub.0, number: self.number, change }, &mut bytes);
        Some(bytes)
    }

    /// Decodes a publication.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not what [`Self::encode`] returns for a publication; also if
    /// they are of another version, or have a change that is not known.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((&VERSION, bytes)) = bytes.split_first() else {
            return Err(Malformed);
        };
        let (Written { hub, number, change }, []) = decode_prefix(bytes)? else {
            return Err(Malformed);
        };
        Ok(Self { hub: HubId(hub), number, change: change.read()? })
    }
}

impl WrittenChange {
    /// Returns a change as it is written; `None` for one that is never published.
    fn of(change: &SharedChange) -> Option<Self> {
        Some(match change {
            SharedChange::HubBegin { server, nonce } => {
                Self::HubBegin { server: server.0, nonce: *nonce }
            }
            SharedChange::HubServes => Self::HubServes,
            SharedChange::HubAlive => Self::HubAlive,
            SharedChange::HubEnd => Self::HubEnd,
            SharedChange::HubGone { hub, last_heard } => {
                Self::HubGone { hub: hub.0, last_heard: *last_heard }
            }
            SharedChange::Propose(proposal) => Self::of_proposal(proposal)?,
        })
    }

    /// Returns a proposal as it is written; `None` for one that is never published.
    fn of_proposal(proposal: &Proposal) -> Option<Self> {
        Some(match proposal {
            Proposal::Message(draft) => Self::of_message(draft),
            Proposal::Fact { ticket, draft } => {
                Self::Fact { ticket: ticket.0, draft: draft.clone() }
            }
            Proposal::PersistSession(record) => Self::Session(WrittenSession::of(record)),
            Proposal::DeleteSession(session) => Self::SessionDeleted(*session),
            Proposal::KeepReadMarks(marks) => {
                Self::ReadMarks(marks.iter().map(WrittenMarks::of).collect())
            }
            Proposal::Volatile(VolatileDraft::SessionBegin { connection, session, terms }) => {
                Self::SessionBegin {
                    connection: connection.0,
                    session: *session,
                    username: terms.username.clone(),
                    person: terms.person,
                    refuses_lookalikes: terms.refuses_lookalikes,
                    token: terms.token.0,
                    key: terms.key,
                    keeps_name: terms.keeps_name,
                }
            }
            Proposal::Volatile(VolatileDraft::RoomsChange { session, hold, rooms }) => {
                Self::RoomsChange { session: *session, hold: hold.0, rooms: rooms.clone() }
            }
            Proposal::Volatile(VolatileDraft::NameRelease { session, hold }) => {
                Self::NameRelease { session: *session, hold: hold.0 }
            }
            Proposal::HandOver { .. } => return None,
        })
    }

    /// Returns a message as it is written.
    fn of_message(draft: &Draft) -> Self {
        let message = WrittenMessage {
            session: draft.session,
            person: draft.person,
            username: draft.username.clone(),
            reference: draft.reference,
            style: draft.style.0,
            text: draft.text.as_str().to_owned(),
        };
        match &draft.target {
            Target::Room(room) => Self::RoomMessage(message, room.clone()),
            Target::Session(session, username) => {
                Self::DirectMessage(message, *session, username.clone())
            }
        }
    }

    /// Returns the change that was written.
    ///
    /// # Errors
    /// [`Malformed`] if a text or a reference is not valid.
    fn read(self) -> Result<SharedChange, Malformed> {
        Ok(SharedChange::Propose(match self {
            Self::HubBegin { server, nonce } => {
                return Ok(SharedChange::HubBegin { server: ServerId(server), nonce });
            }
            Self::HubServes => return Ok(SharedChange::HubServes),
            Self::HubAlive => return Ok(SharedChange::HubAlive),
            Self::HubEnd => return Ok(SharedChange::HubEnd),
            Self::HubGone { hub, last_heard } => {
                return Ok(SharedChange::HubGone { hub: HubId(hub), last_heard });
            }
            Self::RoomMessage(message, room) => message.read(Target::Room(room))?,
            Self::DirectMessage(message, session, username) => {
                message.read(Target::Session(session, username))?
            }
            Self::Fact { ticket, draft } => Proposal::Fact { ticket: FactTicket(ticket), draft },
            Self::Session(record) => Proposal::PersistSession(record.read()),
            Self::SessionDeleted(session) => Proposal::DeleteSession(session),
            Self::ReadMarks(marks) => {
                Proposal::KeepReadMarks(marks.into_iter().map(WrittenMarks::read).collect())
            }
            Self::SessionBegin {
                connection,
                session,
                username,
                person,
                refuses_lookalikes,
                token,
                key,
                keeps_name,
            } => {
                let (connection, token) = (ConnectionId(connection), TokenHash(token));
                let terms =
                    JoinTerms { username, person, refuses_lookalikes, token, key, keeps_name };
                let terms = Box::new(terms);
                Proposal::Volatile(VolatileDraft::SessionBegin { connection, session, terms })
            }
            Self::RoomsChange { session, hold, rooms } => {
                let hold = NameHold(hold);
                Proposal::Volatile(VolatileDraft::RoomsChange { session, hold, rooms })
            }
            Self::NameRelease { session, hold } => {
                let hold = NameHold(hold);
                Proposal::Volatile(VolatileDraft::NameRelease { session, hold })
            }
        }))
    }
}

impl WrittenMessage {
    /// Returns the message that was written, to this target.
    ///
    /// # Errors
    /// [`Malformed`] if its text is not valid, or its reference is 0.
    fn read(self, target: Target) -> Result<Proposal, Malformed> {
        if self.reference == Reference::NONE {
            return Err(Malformed);
        }
        let text = MessageText::new(&self.text).map_err(|_| Malformed)?;
        let Self { session, person, username, reference, style, .. } = self;
        let style = Style(style);
        Ok(Proposal::Message(Draft { session, person, username, reference, target, style, text }))
    }
}

impl WrittenSession {
    /// Returns a session record as it is written.
    fn of(record: &SessionRecord) -> Self {
        Self {
            session: record.session,
            token: record.token.0,
            username: record.username.clone(),
            away_since: record.away_since,
            last_reference: record.last_reference,
            refused: record.refused.clone(),
            keeps_name: record.keeps_name,
            key: record.key,
        }
    }

    /// Returns the session record that was written.
    fn read(self) -> SessionRecord {
        SessionRecord {
            session: self.session,
            token: TokenHash(self.token),
            username: self.username,
            away_since: self.away_since,
            last_reference: self.last_reference,
            refused: self.refused,
            keeps_name: self.keeps_name,
            key: self.key,
        }
    }
}

impl WrittenMarks {
    /// Returns read marks as they are written.
    fn of(marks: &PersonReadMarks) -> Self {
        let key = |it: &ReadMark| it.room.as_ref().map(|key| key.as_str().to_owned());
        let list = marks.marks.iter().map(|it| (key(it), it.sequence)).collect();
        Self { person: marks.person, marks: list }
    }

    /// Returns the read marks that were written.
    fn read(self) -> PersonReadMarks {
        let mark = |(room, sequence): (Option<String>, Sequence)| ReadMark {
            room: room.map(|it| NameKey::of(&it)),
            sequence,
        };
        PersonReadMarks { person: self.person, marks: self.marks.into_iter().map(mark).collect() }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Actor, ModerationAction, NamedSession, Role, Scope};

    /// Returns one publication of each kind, with its bytes.
    fn vectors() -> Vec<(SharedChange, &'static str)> {
        let username = || Username::new("Anna").unwrap();
        let (session, person) = (SessionId(7), Some(SessionId(6)));
        let holder = NamedSession { session, username: username() };
        let (scope, role) = (Scope::Server, Some(Role::Owner));
        let action = ModerationAction::RoleSet { scope, holder, role };
        let fact = FactDraft { actor: Actor::CommandLine, action, reason: None };
        let record = SessionRecord {
            session,
            token: TokenHash([1; 32]),
            username: username(),
            away_since: Some(Timestamp(5)),
            last_reference: Reference(9),
            refused: vec![Reference(3)],
            keeps_name: true,
            key: Some(IdentityKey([2; 32])),
        };
        let room = Some(NameKey::of("Garden"));
        let marks = vec![
            ReadMark { room, sequence: Sequence(300) },
            ReadMark { room: None, sequence: Sequence(2) },
        ];
        let marks = vec![PersonReadMarks { person: SessionId(6), marks }];
        let to_session = Target::Session(SessionId(8), Username::new("bert").unwrap());
        let propose = |it| SharedChange::Propose(it);
        let volatile = |it| SharedChange::Propose(Proposal::Volatile(it));
        let draft = Draft { person, ..Draft::example() };
        let hold = NameHold(1_000);
        vec![
            (
                SharedChange::HubBegin { server: ServerId([4; 16]), nonce: 200 },
                "018101020004040404040404040404040404040404c801",
            ),
            (SharedChange::HubServes, "0181010201"),
            (SharedChange::HubAlive, "0181010202"),
            (SharedChange::HubEnd, "0181010203"),
            (
                SharedChange::HubGone { hub: HubId(3), last_heard: Sequence(400) },
                "0181010204039003",
            ),
            (
                propose(Proposal::Message(draft.clone())),
                "018101020501010604616e6e6101000568656c6c6f056c6f626279",
            ),
            (
                propose(Proposal::Message(Draft { target: to_session, ..draft })),
                "018101020601010604616e6e6101000568656c6c6f080462657274",
            ),
            (
                propose(Proposal::Fact { ticket: FactTicket(5), draft: fact }),
                "0181010207050000000704416e6e61010100",
            ),
            (
                propose(Proposal::PersistSession(record)),
                "018101020807010101010101010101010101010101010101010101010101010101010101010104416e6e61010509010301010202020202020202020202020202020202020202020202020202020202020202",
            ),
            (propose(Proposal::DeleteSession(session)), "018101020907"),
            (propose(Proposal::KeepReadMarks(marks)), "018101020a010602010667617264656eac020002"),
            (
                volatile(VolatileDraft::SessionBegin {
                    connection: ConnectionId(77),
                    session: Some(session),
                    terms: Box::new(JoinTerms {
                        username: username(),
                        person,
                        refuses_lookalikes: true,
                        token: TokenHash([1; 32]),
                        key: None,
                        keeps_name: true,
                    }),
                }),
                "018101020b4d010704416e6e6101060101010101010101010101010101010101010101010101010101010101010101010001",
            ),
            (
                volatile(VolatileDraft::RoomsChange {
                    session,
                    hold,
                    rooms: vec![RoomName::lobby()],
                }),
                "018101020c07e80701056c6f626279",
            ),
            (volatile(VolatileDraft::NameRelease { session, hold }), "018101020d07e807"),
        ]
    }

    /// The bytes of each kind of publication are pinned: servers of different versions share a log.
    #[test]
    fn bytes_are_pinned() {
        for (change, hex) in vectors() {
            let publication = Publication { hub: HubId(129), number: 2, change };
            let bytes = publication.encode().unwrap();
            assert_eq!(HEXLOWER.encode(&bytes), hex, "{publication:?}");
            assert_eq!(Publication::decode(&bytes), Ok(publication));
        }
    }

    /// What is cut off, has more behind it or is of another version is refused.
    #[test]
    fn other_bytes_are_refused() {
        for (change, _) in vectors() {
            let bytes = Publication { hub: HubId(129), number: 2, change }.encode().unwrap();
            for end in 0..bytes.len() {
                assert_eq!(Publication::decode(&bytes[..end]), Err(Malformed));
            }
            let longer = [&bytes[..], &[0]].concat();
            let newer = [&[VERSION + 1], &bytes[1..]].concat();
            assert_eq!(Publication::decode(&longer), Err(Malformed));
            assert_eq!(Publication::decode(&newer), Err(Malformed));
        }
        let hand_over = Proposal::HandOver { to: HubId(1), holds: Vec::new() };
        let change = SharedChange::Propose(hand_over);
        assert_eq!(Publication { hub: HubId(1), number: 1, change }.encode(), None);
    }

    proptest! {
        /// Any bytes are refused, or are the bytes of what is read from them.
        #[test]
        fn any_bytes_are_read_safely(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [&[VERSION], &bytes[..]].concat();
            if let Ok(publication) = Publication::decode(&bytes) {
                prop_assert_eq!(publication.encode().unwrap(), bytes);
            }
        }
    }
}
