//! Error and notice codes: the registry of `docs/protocol/README.md`, sections 7 and 8. A test
//! compares the table of errors with that page.

/// Returns the name that an invitation or link code is for, from the server's text of error 210;
/// `None` if the text has another reason.
#[cfg(feature = "ui")]
#[must_use]
pub fn invited_name(text: &str) -> Option<&str> {
    text.strip_prefix("This invitation is for the name ")?.strip_suffix('.')
}

/// Defines [`ErrorCode`] from a table of number, name, *closes*, *final* and text of each code.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $closes:ident, $final:ident, $text:literal;)*) => {
        /// Error code of the protocol registry. The comment of each code says what a client should
        /// do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// All codes in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Returns the code with this number, or `None` if it is not assigned.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Returns the registered name, such as `name_taken`. Names never change, so programs
            /// can recognise a code by its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns true if the sender of this error then closes the connection.
            #[must_use]
            pub const fn closes(self) -> bool {
                match self { $(Self::$variant => $closes,)* }
            }

            /// Returns true if the client must not retry automatically: neither reconnect nor
            /// repeat a refused `join` unchanged.
            #[must_use]
            pub const fn is_final(self) -> bool {
                match self { $(Self::$variant => $final,)* }
            }

            /// Returns the default human-readable text.
            #[must_use]
            pub const fn default_text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

error_codes! {
    /// The first bytes are not of this protocol. The client should do nothing.
    NotPiChat = 100, "not_pi_chat", true, true, "This port speaks pi-chat; that was something else.";
    /// No common protocol version. The client should compare the versions in `server_hello` and ask
    /// for an update.
    VersionUnsupported = 101, "version_unsupported", true, true, "Client and server are too far apart in age; update the older one.";
    /// Frame above the length limit. The client has a bug.
    FrameTooLarge = 102, "frame_too_large", true, true, "The client sent more than the server takes.";
    /// Frame that cannot be decoded. The client has a bug.
    Malformed = 103, "malformed", true, true, "The client sent something that cannot be read.";
    /// Frame that is not allowed in this state. The client has a bug.
    Unexpected = 104, "unexpected", true, true, "The client sent something out of turn.";
    /// No `join` before the timeout. The client should reconnect and send `join` sooner.
    HandshakeTimeout = 105, "handshake_timeout", true, false, "The server waited too long for the greeting.";
    /// Connection silent for too long. The client should reconnect and resume.
    IdleTimeout = 106, "idle_timeout", true, false, "The connection was silent for too long.";
    /// Slow reader: the client takes the server's frames too slowly. It should reconnect and
    /// resume: nothing is lost.
    TooSlow = 107, "too_slow", true, false, "The connection could not keep up.";
    /// Connection limit of the server reached: the connection is refused, or evicted for another
    /// one. The client should try again after `retry_after`.
    ServerFull = 108, "server_full", true, false, "The server has as many guests as it can take.";
    /// Limit (quota) of the client's address group reached. The client should try again after
    /// `retry_after`.
    TooManyFromAddress = 109, "too_many_from_address", true, false, "Too much comes from your address.";
    /// Session resumed on another connection. The client should stop, because the session continues
    /// there.
    Replaced = 110, "replaced", true, true, "You have connected again from elsewhere.";
    /// Server is shutting down. The client should reconnect after `retry_after` and resume.
    ShuttingDown = 111, "shutting_down", true, false, "The server is being stopped or restarted.";
    /// Internal error of the server. The client should reconnect and resume.
    Internal = 112, "internal", true, false, "Something went wrong in the server.";
    /// A moderator has sent the user out of the server, or banned the user from it. The client
    /// should show the text and stop.
    Removed = 113, "removed", true, true, "You have been sent out.";
    /// Server that was replaced by a follower, which was promoted. Only followers and promoted
    /// servers get it.
    Superseded = 114, "superseded", true, true, "This server was replaced by another one.";
    /// Follower whose position this server does not know. Only followers get it.
    Diverged = 115, "diverged", true, true, "The follower has what this server does not have.";
    /// Invalid username. The client should ask for another name and `join` again.
    NameInvalid = 200, "name_invalid", false, true, "This cannot be a username: use letters, digits, -, _ and ..";
    /// Username in use, or waiting for a session that has lost its connection. The client should
    /// ask for another name and `join` again.
    NameTaken = 201, "name_taken", false, true, "Somebody here has this name.";
    /// Username looks like one that is in use or waiting. The client should ask for another name
    /// and `join` again.
    NameLookalike = 202, "name_lookalike", false, true, "This looks too much like the name of somebody here.";
    /// Password required. The client should ask for the password and `join` again.
    PasswordRequired = 203, "password_required", false, true, "This server wants a password.";
    /// Wrong password. The client should ask again and `join` again.
    PasswordWrong = 204, "password_wrong", false, true, "The password is wrong.";
    /// Too many refused joins on one connection. The client should let the user decide what to do.
    TooManyAttempts = 205, "too_many_attempts", true, true, "Too many attempts.";
    /// Banned: about a `join`, from the server; about an `enter`, from the room. The client should
    /// show the text, which says why and until when.
    Banned = 206, "banned", false, false, "You are banned.";
    /// Username claimed with a key, which the `join` does not prove. The client should prove the
    /// key, or ask for another name and `join` again.
    NameClaimed = 207, "name_claimed", false, true, "This name belongs to somebody.";
    /// Proof that does not hold. The client should tell its user.
    ProofInvalid = 208, "proof_invalid", false, true, "The proof of your key does not hold.";
    /// Invitation required. The client should ask for a code and `join` again.
    InviteRequired = 209, "invite_required", false, true, "Only invited people may come in.";
    /// Invitation not valid. The client should show the text, ask for another code and `join`
    /// again.
    InviteInvalid = 210, "invite_invalid", false, true, "This invitation is not valid.";
    /// Invalid message text. The client should show the error beside the message, which was not
    /// sent.
    TextInvalid = 300, "text_invalid", false, false, "This message is empty, too long or holds control characters.";
    /// Not a member of the room. The client should `enter` first.
    NotInRoom = 301, "not_in_room", false, false, "You are not in this room.";
    /// Invalid room name. The client should ask for another name.
    RoomInvalid = 302, "room_invalid", false, false, "This cannot be a room's name.";
    /// Room limit of the session reached. The client should `leave` one first.
    TooManyRooms = 303, "too_many_rooms", false, false, "You are in as many rooms as is allowed.";
    /// Room limit of the server, or of the client's address group, reached. The client should use a
    /// room that is open.
    RoomsFull = 304, "rooms_full", false, false, "The server has as many rooms as it can take.";
    /// Already a member of the room. The client should do nothing.
    AlreadyInRoom = 305, "already_in_room", false, false, "You are in this room already.";
    /// No session with this username. The client should tell the user.
    RecipientUnknown = 306, "recipient_unknown", false, false, "Nobody has this name.";
    /// Username now held by another session. The client should ask the user.
    RecipientChanged = 307, "recipient_changed", false, false, "Somebody else has this name now.";
    /// Message could not be stored. The client should keep the message and offer to send it again.
    NotStored = 308, "not_stored", false, false, "The server could not keep this message; it was not sent.";
    /// Invalid reference number. The client has a bug.
    ReferenceInvalid = 309, "reference_invalid", false, false, "The client numbered a message wrongly.";
    /// Invalid search text. The client should ask the user for other words.
    SearchInvalid = 310, "search_invalid", false, false, "This cannot be looked for: there must be a word in it, and not too many.";
    /// Log cannot be read at present. The client should tell the user; the request may succeed
    /// later.
    Unavailable = 311, "unavailable", false, false, "The server cannot read its messages just now.";
    /// Muted, or a room in which only moderators talk. The client should show the text beside the
    /// message, which was not sent.
    Muted = 312, "muted", false, false, "You may not speak here.";
    /// Not permitted, or an unknown action. The client should tell the user.
    NotPermitted = 313, "not_permitted", false, false, "You may not do this.";
    /// No such message in this room. The client should tell the user.
    MessageUnknown = 314, "message_unknown", false, false, "There is no such message.";
    /// Slow mode. The client should keep the message and offer to send it after `retry_after`.
    TooSoon = 315, "too_soon", false, false, "This room is in slow mode: wait a little.";
    /// Limit of roles, sanctions or room settings reached. The client should tell the user.
    TooMany = 316, "too_many", false, false, "There are as many of these as the server keeps.";
    /// Claim not carried out. The client should show the text, which says why.
    CannotClaim = 317, "cannot_claim", false, false, "The name cannot be claimed.";
    /// Server that follows another one: it shows what that one has, and takes nothing. The client
    /// should tell the user.
    Follower = 318, "follower", false, false, "This server only follows another one: write there.";
    /// Among peers: a member blocks the candidate for the room. The candidate should tell its user.
    Blocked = 400, "blocked", false, true, "Somebody here has blocked you.";
    /// Among peers: a member's user was asked and rejected the candidate. The candidate should tell
    /// its user.
    NotAdmitted = 401, "not_admitted", false, true, "Somebody here was asked and said no.";
}

impl ErrorCode {
    /// Returns true if the error refuses the requested username, so that another username may be
    /// accepted.
    #[must_use]
    pub const fn is_about_name(self) -> bool {
        matches!(
            self,
            Self::NameInvalid | Self::NameTaken | Self::NameLookalike | Self::NameClaimed
        )
    }
}

/// Notice code of the protocol registry. A notice is a text for users, and needs no answer. Clients
/// display a notice with an unassigned code like an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeCode {
    /// The client, or its address group, exceeds a rate limit, so the server reads the client's
    /// frames more slowly.
    SlowDown,
    /// The server's wall clock was changed by more than [`super::limits::MAX_CLOCK_STEP`].
    ClockChanged,
    /// Announcement of the server's operator.
    Announcement,
    /// Among peers: another peer's clock differs from this machine's by more than 5 seconds.
    ClockDiffers,
    /// The server's storage fails: messages cannot be written to the disk, or the disk does not
    /// answer.
    StorageFailing,
    /// The server's storage has recovered: it works again, after `StorageFailing`.
    StorageSound,
    /// Among peers: nobody seems to hear this peer, although it hears others.
    NotHeard,
    /// Message of the day: what the operator tells each user who joins.
    MessageOfTheDay,
    /// Among peers: two peers that are here have one name, for example after a merge.
    NameShared,
    /// To the devices of a person: another device has come in by a link code.
    DeviceLinked,
}

impl NoticeCode {
    /// Returns the number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::SlowDown => 1,
            Self::ClockChanged => 2,
            Self::Announcement => 3,
            Self::ClockDiffers => 4,
            Self::StorageFailing => 5,
            Self::StorageSound => 6,
            Self::NotHeard => 7,
            Self::MessageOfTheDay => 8,
            Self::NameShared => 9,
            Self::DeviceLinked => 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol page is authoritative: this table has exactly the same rows.
    #[test]
    fn error_codes_match_protocol_page() {
        let page = include_str!("../../docs/protocol/README.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
            .filter(|cells| cells.len() == 8 && cells[1].parse::<u16>().is_ok())
            .collect();
        assert_eq!(rows.len(), ErrorCode::ALL.len());
        for (cells, code) in rows.iter().zip(ErrorCode::ALL) {
            assert_eq!(cells[1].parse(), Ok(code.number()));
            assert_eq!(cells[2].trim_matches('`'), code.name());
            assert_eq!(cells[3] == "yes", code.closes(), "{code:?} closes");
            assert_eq!(cells[4] == "yes", code.is_final(), "{code:?} is final");
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
        }
    }
}
