//! Facts: entries of the log that record what moderators do, and who has claimed which name and used
//! which invitation. They change roles, sanctions, topics and modes of rooms, claims and invitations,
//! and last until another fact changes them. `crate::moderation` folds them into the state that is in
//! force.
//!
//! The types are stored in the encoding of `serde` and postcard. So the order of fields and
//! variants must not change, and new variants go to the end. The names of variants are not stored:
//! some are part of the control socket's JSON ([`ModerationRequest`](super::ModerationRequest)).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    AddressGroup, IdentityKey, Invitation, InvitationHash, LogEntry, Reason, RoomName,
    SanctionLength, Sequence, SessionId, SlowMode, Target, Timestamp, Topic, Username,
};

/// Scope of a role, a sanction or another moderation action: the server with all its rooms, or one
/// room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole server.
    Server,
    /// The room with this name.
    Room(RoomName),
}

impl Scope {
    /// Returns the room; `None` for the whole server.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Server => None,
            Self::Room(room) => Some(room),
        }
    }
}

/// Role of a session in a scope: what it may do there. The greater role permits more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May remove messages, send users out, ban and mute them, set the topic and modes of rooms,
    /// and make announcements.
    Moderator,
    /// May also give and take the role of a moderator; an owner of the server, that of an owner of
    /// a room too.
    Owner,
}

/// Session, with the username that it had when the fact was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSession {
    /// Session number.
    pub session: SessionId,
    /// Username at that time.
    pub username: Username,
}

/// Author of a fact: who performed the action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The command line on the server's machine. It may do everything.
    CommandLine,
    /// The server by itself: it ends the sanctions that have expired, renews the claims that are in
    /// use and ends those that are not, and forgets the invitations that are over.
    Server,
    /// A client.
    Session(NamedSession),
}

/// Kind of a sanction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SanctionKind {
    /// Ban: its target may not come in.
    Ban,
    /// Mute: its target may not talk.
    Mute,
}

/// Target, scope and length of a ban or mute. It applies to the session under every name, and to
/// whoever has the name, except sessions with a role; a ban also to names that look like it, if the
/// settings say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanction {
    /// Where the sanction applies.
    pub scope: Scope,
    /// Username that the sanction applies to.
    pub username: Username,
    /// Session that the sanction applies to as well; `None` if nobody had the name.
    pub session: Option<SessionId>,
    /// Length, from the time of the fact.
    pub length: SanctionLength,
}

/// Setting of a room, with its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomSetting {
    /// Topic of the room; `None`: no topic.
    Topic(Option<Topic>),
    /// Minimum interval between two messages of one user.
    SlowMode(SlowMode),
    /// True if only sessions with a role may talk in the room.
    Moderated(bool),
}

/// Why a claim has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimEnd {
    /// Whoever had claimed the name gave it up.
    GivenBack,
    /// The server's owner has released the name.
    Released,
    /// The name was not used for a long time.
    Unused,
}

/// Moderation action: what a fact records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModerationAction {
    /// A role was given, replaced or taken.
    RoleSet {
        /// Where the role counts.
        scope: Scope,
        /// Session that gets or loses the role.
        holder: NamedSession,
        /// New role; `None`: the role was taken.
        role: Option<Role>,
    },
    /// A user was banned. An earlier ban of the same name in the same scope is replaced.
    Banned {
        /// Target, scope and length.
        sanction: Sanction,
        /// Address group that the ban applies to as well, except to sessions with a role.
        group: Option<AddressGroup>,
    },
    /// A user was muted. An earlier mute of the same name in the same scope is replaced.
    Muted(Sanction),
    /// A ban or mute has ended: it was lifted, or has expired (then the actor is the server).
    SanctionEnded {
        /// Kind of the sanction.
        kind: SanctionKind,
        /// Scope of the sanction.
        scope: Scope,
        /// Username that the sanction applied to.
        username: Username,
        /// Sequence of the fact that imposed the sanction. The end of an earlier sanction does not
        /// end a later one.
        sanction: Sequence,
    },
    /// A session was sent out of a room or of the server. It may come back.
    Kicked {
        /// The room, or the server.
        scope: Scope,
        /// Session that was sent out.
        target: NamedSession,
    },
    /// A setting of a room was changed.
    RoomSet {
        /// Name of the room.
        room: RoomName,
        /// The setting and its new value.
        setting: RoomSetting,
    },
    /// The text of a message was removed.
    MessageRemoved {
        /// Room of the message.
        room: RoomName,
        /// Sequence of the message.
        message: Sequence,
        /// Author of the message, by the number of [`Draft::author`](super::Draft::author).
        author: NamedSession,
    },
    /// An announcement was made, in one room or to everybody. The text is not recorded.
    Announced(Scope),
    /// A name was claimed with a key: from now on only whoever proves the key may have it. If the
    /// actor is the server, the claim was renewed, because it is in use. If the name was the
    /// actor's already, it belongs to this key alone from now on: other devices are unlinked.
    NameClaimed {
        /// Session that has the name, which is the claimed one. Its number is that of the person,
        /// and stays so when the claim is renewed.
        holder: NamedSession,
        /// Key that the session has proved.
        key: IdentityKey,
        /// Invitation that permits the claim; `None`: the settings did.
        invitation: Option<InvitationHash>,
    },
    /// A claim has ended: the name is free for everybody.
    ClaimEnded {
        /// Name that was claimed.
        username: Username,
        /// Key that had claimed it.
        key: IdentityKey,
        /// Sequence of the fact that claimed the name or renewed the claim last. The end of an
        /// earlier claim does not end a later one.
        claim: Sequence,
        /// Why it has ended.
        why: ClaimEnd,
    },
    /// An invitation was made.
    InvitationMade(Invitation),
    /// An invitation was revoked, or is forgotten because it was over (then the actor is the
    /// server). Who has come in by it may go on to.
    InvitationRevoked {
        /// Hash of its code.
        invitation: InvitationHash,
    },
    /// An invitation was used: to come in, or to claim a name. It counts once for each key, and for
    /// each session without one.
    InvitationUsed {
        /// Hash of its code.
        invitation: InvitationHash,
        /// Session that has used it.
        user: NamedSession,
        /// Key that the session has proved; `None` if it has none.
        key: Option<IdentityKey>,
        /// True if it was used to claim a name.
        is_for_claim: bool,
    },
    /// A user whose session is bound to a key was banned, as by [`Self::Banned`].
    BannedWithKey {
        /// Target, scope and length.
        sanction: Sanction,
        /// Address group that the ban applies to as well, except to sessions with a role.
        group: Option<AddressGroup>,
        /// Key that the ban applies to as well, except to sessions with a role.
        key: IdentityKey,
    },
    /// A person has made a link code, by which one further device joins under the claimed name. It
    /// replaces an earlier one.
    DeviceInvited {
        /// The person: number and claimed name.
        person: NamedSession,
        /// Key of the device that has made it.
        key: IdentityKey,
        /// Hash of the link code.
        code: InvitationHash,
    },
    /// A device was linked by a link code, which is spent: its key is one of the person's from now
    /// on.
    DeviceLinked {
        /// The person: number and claimed name.
        person: NamedSession,
        /// Key of the device.
        key: IdentityKey,
        /// Hash of the link code.
        code: InvitationHash,
    },
}

impl ModerationAction {
    /// Returns the room that the action concerns; `None`: the whole server.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomName> {
        match self {
            Self::RoleSet { scope, .. }
            | Self::Banned { sanction: Sanction { scope, .. }, .. }
            | Self::BannedWithKey { sanction: Sanction { scope, .. }, .. }
            | Self::Muted(Sanction { scope, .. })
            | Self::SanctionEnded { scope, .. }
            | Self::Kicked { scope, .. }
            | Self::Announced(scope) => scope.room(),
            Self::RoomSet { room, .. } | Self::MessageRemoved { room, .. } => Some(room),
            Self::NameClaimed { .. }
            | Self::ClaimEnded { .. }
            | Self::InvitationMade(_)
            | Self::InvitationRevoked { .. }
            | Self::InvitationUsed { .. }
            | Self::DeviceInvited { .. }
            | Self::DeviceLinked { .. } => None,
        }
    }

    /// Returns the sanction that the action imposes, and its kind. `None` if it is another action.
    #[must_use]
    pub const fn sanction(&self) -> Option<(SanctionKind, &Sanction)> {
        match self {
            Self::Banned { sanction, .. } | Self::BannedWithKey { sanction, .. } => {
                Some((SanctionKind::Ban, sanction))
            }
            Self::Muted(sanction) => Some((SanctionKind::Mute, sanction)),
            _ => None,
        }
    }

    /// Returns the address group that the ban applies to as well; `None` if the action is no ban by
    /// address.
    #[must_use]
    pub const fn banned_group(&self) -> Option<AddressGroup> {
        match self {
            Self::Banned { group, .. } | Self::BannedWithKey { group, .. } => *group,
            _ => None,
        }
    }
}

/// Fact that is not in the log yet: without sequence and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactDraft {
    /// Who performed the action.
    pub actor: Actor,
    /// What was done, where and to whom.
    pub action: ModerationAction,
    /// Reason that the actor gave.
    pub reason: Option<Reason>,
}

/// Fact in the log: a draft with the sequence and time that the log assigned. Facts and messages
/// share one order of sequences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Sequence in the log; not [`Sequence::ZERO`].
    pub sequence: Sequence,
    /// Wall-clock time at which the log appended the fact.
    pub time: Timestamp,
    /// The action with its actor and reason.
    pub draft: FactDraft,
    /// False if the action was not permitted when the fact was committed. Such a fact changes
    /// nothing: it is kept for the audit.
    pub is_effective: bool,
}

impl Fact {
    /// Returns the time at which the sanction that the fact imposes ends. `None` if it has no end,
    /// or if the fact imposes no sanction.
    #[must_use]
    pub fn sanction_end(&self) -> Option<Timestamp> {
        self.draft.action.sanction().and_then(|(_, it)| it.length.end(self.time))
    }

    /// Returns the message whose text the fact removes. `None` if it is another fact, or is not
    /// effective.
    #[must_use]
    pub const fn removed_message(&self) -> Option<RemovedMessage<'_>> {
        match &self.draft.action {
            ModerationAction::MessageRemoved { room, message, author } if self.is_effective => {
                Some(RemovedMessage { room, sequence: *message, author: author.session })
            }
            _ => None,
        }
    }
}

/// Message whose text a fact removes. The fact has no effect on a message of another room or
/// author.
#[derive(Clone, Copy, Debug)]
pub struct RemovedMessage<'a> {
    /// Room of the message.
    pub room: &'a RoomName,
    /// Sequence of the message.
    pub sequence: Sequence,
    /// Its author: the session or, if that was one of a person's, the person's number.
    pub author: SessionId,
}

impl RemovedMessage<'_> {
    /// Returns true if this is the message of a log entry.
    #[must_use]
    pub fn is_entry(&self, entry: &LogEntry) -> bool {
        let is_in_room =
            matches!(&entry.draft.target, Target::Room(it) if it.key() == self.room.key());
        is_in_room && entry.sequence == self.sequence && entry.draft.author() == self.author
    }
}

/// Fact behind a reference count, so that log, hub and connections share it without copying.
pub type SharedFact = Arc<Fact>;
