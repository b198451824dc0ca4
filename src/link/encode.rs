//! Encoding of commands as request frames (`docs/protocol/tcp.md`, section 14).

use crate::model::{ChatCommand, Reference, RoomSelector, Sequence, SessionId};
use crate::wire::tcp::{ClientFrame, Direct, Enter, History, Leave, Members, Say, Search, kind};

impl ChatCommand {
    /// Returns the kind number of the command's frame.
    pub(super) const fn frame_kind(&self) -> u16 {
        match self {
            Self::Say { .. } => kind::SAY,
            Self::Direct { .. } => kind::DIRECT,
            Self::Enter { .. } => kind::ENTER,
            Self::Leave { .. } => kind::LEAVE,
            Self::History { .. } => kind::HISTORY,
            Self::Members { .. } => kind::MEMBERS,
            Self::Search(_) => kind::SEARCH,
        }
    }

    /// Returns the place that the command names, if it concerns a room by place.
    pub(super) const fn room_selector(&self) -> Option<&RoomSelector> {
        match self {
            Self::Say { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Members { room, .. } => Some(room),
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => None,
        }
    }

    /// Replaces the command's place by the name of the resolved room, if it has a place.
    pub(super) fn set_room(&mut self, name: &str) {
        match self {
            Self::Say { room, .. }
            | Self::Leave { room }
            | Self::History { room, .. }
            | Self::Members { room, .. } => *room = RoomSelector::Named(name.to_owned()),
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => {}
        }
    }

    /// Returns the message text, if the command is to send a message.
    pub(super) fn message_text(&self) -> Option<&str> {
        match self {
            Self::Say { text, .. } | Self::Direct { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the recipient or room of the command, for display and room lookup; empty if not known.
    pub(super) fn target(&self) -> String {
        match (self, self.room_selector()) {
            (Self::Direct { to, .. }, _) => to.clone(),
            (Self::Search(search), _) => search.room.clone().unwrap_or_default(),
            (Self::Enter { room }, _) | (_, Some(RoomSelector::Named(room))) => room.clone(),
            _ => String::new(),
        }
    }

    /// Returns the command's request frame. Its room must have been resolved.
    pub(super) fn to_frame(
        &self,
        reference: Reference,
        context: &FrameContext,
        members_so_far: &[String],
    ) -> ClientFrame {
        let room = self.target();
        match self {
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

/// Values from elsewhere in the link that a request frame may need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameContext {
    /// Session that a direct message to this username is pinned to.
    pub(super) pinned_session: Option<SessionId>,
    /// Sequence of the oldest shown entry of the room, from which `history` goes on.
    pub(super) oldest_shown: Option<Sequence>,
}
