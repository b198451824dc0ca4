//! The registry of error and notice codes: `docs/protocol/README.md`,
//! sections 7 and 8. A test compares this table with that page.

/// Makes [`ErrorCode`] from one table, so that a code's number, name and
/// meaning stand in one line.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $closes:ident, $final:ident, $text:literal;)*) => {
        /// What went wrong, as it is told to the other side.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The code with this number, if it is assigned.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The name in the registry; programs may go by it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether whoever sends it closes the connection after it.
            #[must_use]
            pub const fn closes(self) -> bool {
                match self { $(Self::$variant => $closes,)* }
            }

            /// Whether coming back in the same way would not help.
            #[must_use]
            pub const fn is_final(self) -> bool {
                match self { $(Self::$variant => $final,)* }
            }

            /// What a person should read.
            #[must_use]
            pub const fn default_text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

error_codes! {
    /// What a client does: Nothing more.
    NotPiChat = 100, "not_pi_chat", true, true, "This port speaks pi-chat; that was something else.";
    /// What a client does: Compare the versions in `server_hello`, ask for an update.
    VersionUnsupported = 101, "version_unsupported", true, true, "Client and server are too far apart in age; update the older one.";
    /// What a client does: Mend the client.
    FrameTooLarge = 102, "frame_too_large", true, true, "The client sent more than the server takes.";
    /// What a client does: Mend the client.
    Malformed = 103, "malformed", true, true, "The client sent something that cannot be read.";
    /// What a client does: Mend the client.
    Unexpected = 104, "unexpected", true, true, "The client sent something out of turn.";
    /// What a client does: Reconnect; be quicker.
    HandshakeTimeout = 105, "handshake_timeout", true, false, "The server waited too long for the greeting.";
    /// What a client does: Reconnect and resume.
    IdleTimeout = 106, "idle_timeout", true, false, "The connection was silent for too long.";
    /// What a client does: Reconnect and resume: nothing is lost.
    TooSlow = 107, "too_slow", true, false, "The connection could not keep up.";
    /// What a client does: Try again after `retry_after`.
    ServerFull = 108, "server_full", true, false, "The server has as many guests as it can take.";
    /// What a client does: Try again after `retry_after`.
    TooManyFromAddress = 109, "too_many_from_address", true, false, "Too many connections come from your address.";
    /// What a client does: Stop: the same session goes on elsewhere.
    Replaced = 110, "replaced", true, true, "You have connected again from elsewhere.";
    /// What a client does: Reconnect after `retry_after` and resume.
    ShuttingDown = 111, "shutting_down", true, false, "The server is being stopped or restarted.";
    /// What a client does: Reconnect and resume.
    Internal = 112, "internal", true, false, "Something went wrong in the server.";
    /// What a client does: Ask for another name, `join` again.
    NameInvalid = 200, "name_invalid", false, true, "This cannot be a username: use letters, digits, -, _ and ..";
    /// What a client does: Ask for another name, `join` again.
    NameTaken = 201, "name_taken", false, true, "Somebody here has this name.";
    /// What a client does: Ask for another name, `join` again.
    NameLookalike = 202, "name_lookalike", false, true, "This looks too much like the name of somebody here.";
    /// What a client does: Ask for the password, `join` again.
    PasswordRequired = 203, "password_required", false, true, "This server wants a password.";
    /// What a client does: Ask again, `join` again.
    PasswordWrong = 204, "password_wrong", false, true, "The password is wrong.";
    /// What a client does: Leave it to the person.
    TooManyAttempts = 205, "too_many_attempts", true, true, "Too many attempts.";
    /// What a client does: Show it at the message, which was not sent.
    TextInvalid = 300, "text_invalid", false, false, "This message is empty, too long or holds control characters.";
    /// What a client does: `enter` first.
    NotInRoom = 301, "not_in_room", false, false, "You are not in this room.";
    /// What a client does: Ask for another name.
    RoomInvalid = 302, "room_invalid", false, false, "This cannot be a room's name.";
    /// What a client does: `leave` one first.
    TooManyRooms = 303, "too_many_rooms", false, false, "You are in as many rooms as is allowed.";
    /// What a client does: Use a room that exists.
    RoomsFull = 304, "rooms_full", false, false, "The server has as many rooms as it can take.";
    /// What a client does: Nothing.
    AlreadyInRoom = 305, "already_in_room", false, false, "You are in this room already.";
    /// What a client does: Tell the person.
    RecipientUnknown = 306, "recipient_unknown", false, false, "Nobody has this name.";
    /// What a client does: Ask the person.
    RecipientChanged = 307, "recipient_changed", false, false, "Somebody else has this name now.";
    /// What a client does: Keep the message, offer to send it again.
    NotStored = 308, "not_stored", false, false, "The server could not keep this message; it was not sent.";
    /// What a client does: Mend the client.
        ReferenceInvalid = 309, "reference_invalid", false, false, "The client numbered a message wrongly.";
        /// What a client does: Ask the person for other words.
    SearchInvalid = 310, "search_invalid", false, false, "This cannot be looked for: there must be a word in it, and not too many.";
    /// What a client does: Tell the person; it may be tried again later.
    Unavailable = 311, "unavailable", false, false, "The server cannot read its messages just now.";
    /// What a peer does: Tell the person.
    Blocked = 400, "blocked", false, true, "Somebody here has blocked you.";
    /// What a peer does: Tell the person.
    NotAdmitted = 401, "not_admitted", false, true, "Somebody here was asked and said no.";
}

/// A sentence for people that asks for no answer. Numbers that are not
/// assigned are shown like an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeCode {
    /// You send faster than the server takes; it reads you more slowly.
    SlowDown,
    /// The server's clock was set by more than a few seconds.
    ClockChanged,
    /// From whoever runs the server.
    Announcement,
    /// Among peers: somebody's clock differs.
    ClockDiffers,
    /// The server cannot write its messages to its disk.
    StorageFailing,
    /// It can again.
    StorageSound,
}

impl NoticeCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::SlowDown => 1,
            Self::ClockChanged => 2,
            Self::Announcement => 3,
            Self::ClockDiffers => 4,
            Self::StorageFailing => 5,
            Self::StorageSound => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page is the authority: every row of its registry is here, and
    /// nothing else.
    #[test]
    fn the_table_is_that_of_the_page() {
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
