//! Encoding of chat commands as request frames (`docs/protocol/tcp.md`, section 14).

use crate::model::{ChatCommand, Reference, RoomSelector, Sequence, SessionId};
use crate::wire::tcp::{ClientFrame, Direct, Enter, History, Leave, Members, Say, Search, kind};

impl ChatCommand {
    /// Returns the kind number of the request frame for this command.
    pub(super) const fn frame_kind(&self) -> u16 {
        match self {
            Self::Say { .. } => kind::SAY,
            Self::Direct { .. } => kind::DIRECT,
            Self::Enter { .. } => kind::ENTER,
            Self::Leave { .. } => kind::LEAVE,
            Self::History { .. } => kind::HISTORY,
            Self::Members { .. } => kind::MEMBERS,
            Self::Search(_) => kind::SEARCH,
            Self::Moderate(command) => command.frame_kind(),
            Self::Claim(_) => kind::CLAIM,
        }
    }

    /// Returns the selector of the room that the command applies to. `None` for `Direct`, for
    /// `Enter` and `Search`, whose room is a plain name, for the whole server, and for a claim.
    pub(super) const fn room_selector(&self) -> Option<&RoomSelector> {
        match self {
            Self::Say { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Members { room, .. } => Some(room),
            Self::Moderate(command) => command.room(),
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => None,
            Self::Claim(_) => None,
        }
    }

    /// Replaces the room selector by the resolved room name. Does nothing if the command has no
    /// selector.
    pub(super) fn set_room(&mut self, name: &str) {
        match self {
            Self::Say { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Members { room, .. } => *room = RoomSelector::Named(name.to_owned()),
            Self::Moderate(command) => {
                if let Some(room) = command.room_mut() {
                    *room = RoomSelector::Named(name.to_owned());
                }
            }
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => {}
            Self::Claim(_) => {}
        }
    }

    /// Returns true if the command changes what a second one of its kind would change again: roles,
    /// sanctions, topics, modes, removed messages, claims. It is not sent again after the loss of
    /// a connection.
    pub(super) const fn is_change(&self) -> bool {
        match self {
            Self::Moderate(command) => !command.is_query(),
            Self::Claim(_) => true,
            _ => false,
        }
    }

    /// Returns the message text of a `Say` or `Direct`; `None` for other commands.
    pub(super) fn message_text(&self) -> Option<&str> {
        match self {
            Self::Say { text, .. } | Self::Direct { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the recipient of a direct message, the user whom a moderation command names, or the
    /// name of the room that the command applies to. Empty if the selector is not resolved to a
    /// name, if a search covers all rooms, for a claim, or if a moderation command applies to the
    /// whole server.
    pub(super) fn target(&self) -> String {
        match (self, self.room_selector()) {
            (Self::Direct { to, .. }, _) => to.clone(),
            (Self::Moderate(command), _) if command.username().is_some() => {
                command.username().cloned().unwrap_or_default()
            }
            (Self::Search(search), _) => search.room.clone().unwrap_or_default(),
            (Self::Enter { room }, _) | (_, Some(RoomSelector::Named(room))) => room.clone(),
            _ => String::new(),
        }
    }

    /// Returns the request frame for this command, with this reference. The room selector must have
    /// been resolved. `members_so_far` are the names from earlier pages of a `members` answer. The
    /// frame requests the names after the last of them.
    pub(super) fn to_frame(
        &self,
        reference: Reference,
        context: &FrameContext,
        members_so_far: &[String],
    ) -> ClientFrame {
        let room = self.target();
        match self {
            Self::Moderate(command) => command.to_frame(reference),
            Self::Claim(action) => action.to_frame(reference),
            Self::Say { style, text, .. } => {
                Say { reference, room, style: style.0, text: text.clone() }.into()
            }
            Self::Direct { to, session, style, text } => Direct {
                reference,
                to: to.clone(),
                session: session.or(context.pinned_session).unwrap_or(SessionId(0)),
                style: style.0,
                text: text.clone(),
            }
            .into(),
            Self::Enter { .. } => Enter { reference, room }.into(),
            Self::Leave { .. } => Leave { reference, room }.into(),
            Self::History { before, limit, .. } => History {
                reference,
                room,
                before: before.or(context.oldest_shown).unwrap_or_default(),
                limit: *limit,
            }
            .into(),
            Self::Members { .. } => Members {
                reference,
                room,
                after: members_so_far.last().cloned().unwrap_or_default(),
            }
            .into(),
            Self::Search(search) => Search {
                reference,
                room,
                from: search.from.clone().unwrap_or_default(),
                text: search.text.clone(),
                since: search.since.unwrap_or_default(),
                until: search.until.unwrap_or_default(),
                before: search.before.unwrap_or_default(),
                limit: search.limit,
            }
            .into(),
        }
    }
}

/// State of the link from which request frames take values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameContext {
    /// Session to which the recipient of a direct message is pinned. Used if the command names no
    /// session. `None`: any session that holds the name.
    pub(super) pinned_session: Option<SessionId>,
    /// Sequence before which `history` reads. Used if the command names none. `None`: from the
    /// newest entry.
    pub(super) oldest_shown: Option<Sequence>,
}
