//! What is in what a client has received.

use super::frames::ClientEvent;
use crate::model::{Reference, Sequence, SessionId};
use crate::wire::tcp::{ServerFrame, flag};

/// Whose line this is, if there was a welcome.
pub(super) fn session_of(received: &[ClientEvent]) -> Option<SessionId> {
    received.iter().find_map(|it| match it {
        ClientEvent::Frame(ServerFrame::Welcome(welcome)) => Some(welcome.session),
        _ => None,
    })
}

/// What takes part in a position.
pub(super) fn sequence_of(received: &ClientEvent) -> Option<Sequence> {
    match received {
        ClientEvent::Frame(ServerFrame::Entry(it)) => Some(it.sequence),
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        ClientEvent::Frame(ServerFrame::End(it)) => Some(it.head),
        _ => None,
    }
}

/// The sequence of an entry, unless it was asked for by `history`.
pub(super) fn new_entry(received: &ClientEvent) -> Option<Sequence> {
    match received {
        ClientEvent::Frame(ServerFrame::Entry(it)) if it.flags & flag::REQUESTED == 0 => {
            Some(it.sequence)
        }
        ClientEvent::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        _ => None,
    }
}

/// Whether this answers a message on its own.
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

/// Whether this is the message itself, live or as history.
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

/// Whether this is the beginning of a room that was entered later.
pub(super) fn is_entering(received: &ClientEvent) -> bool {
    matches!(received, ClientEvent::Frame(ServerFrame::Entered(it)) if it.reference != Reference::NONE)
}
