//! Inspection of the events that a client has received.

use super::frames::ClientEvent;
use crate::model::{Reference, Sequence, SessionId};
use crate::wire::tcp::{ServerFrame, flag};

/// Returns the session number in the welcome; `None` if no welcome was received.
pub(super) fn session_of(received: &[ClientEvent]) -> Option<SessionId> {
    received.iter().find_map(|it| match it {
        ClientEvent::Frame(ServerFrame::Welcome(welcome)) => Some(welcome.session),
        _ => None,
    })
}

/// Returns the sequence of an entry, or the `head` field of an `end` frame. Either can advance the
/// client's position. `None` for other events.
pub(super) fn sequence_of(received: &ClientEvent) -> Option<Sequence> {
    match received {
        ClientEvent::Frame(ServerFrame::Entry(it)) => Some(it.sequence),
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        ClientEvent::Frame(ServerFrame::End(it)) => Some(it.head),
        _ => None,
    }
}

/// Returns the sequence of an entry that is live or was sent after a `join` or `enter`. `None` for
/// other events, and for entries that answer a `history` or `search`.
pub(super) fn new_entry(received: &ClientEvent) -> Option<Sequence> {
    match received {
        ClientEvent::Frame(ServerFrame::Entry(it)) if it.flags & flag::REQUESTED == 0 => {
            Some(it.sequence)
        }
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        _ => None,
    }
}

/// Returns true if this event answers the message with this session and reference: it is
/// `accepted`, an error, or the live entry.
pub(super) fn is_answer(received: &ClientEvent, session: SessionId, reference: Reference) -> bool {
    match received {
        ClientEvent::Frame(ServerFrame::Accepted(it)) => it.reference == reference,
        ClientEvent::Frame(ServerFrame::Error(it)) => {
            matches!(it.about, 3 | 4) && it.reference == reference
        }
        ClientEvent::Frame(ServerFrame::Entry(it)) => {
            it.flags == 0 && is_echo(received, session, reference)
        }
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => {
            it.flags == 0 && is_echo(received, session, reference)
        }
        _ => false,
    }
}

/// Returns true if this event is the echo of the message with this session and reference: its
/// entry, live or as history.
pub(super) fn is_echo(received: &ClientEvent, session: SessionId, reference: Reference) -> bool {
    match received {
        ClientEvent::Frame(ServerFrame::Entry(it)) => {
            (it.session, it.reference) == (session, reference)
        }
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => {
            (it.from_session, it.reference) == (session, reference)
        }
        _ => false,
    }
}

/// Returns true if this event is the `entered` of an `enter` request.
pub(super) fn is_entering(received: &ClientEvent) -> bool {
    matches!(received, ClientEvent::Frame(ServerFrame::Entered(it)) if it.reference != Reference::NONE)
}
