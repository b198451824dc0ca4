//! What is in what a client has got.

use super::frames::Got;
use crate::model::{Reference, Sequence, SessionId};
use crate::wire::tcp::{ServerFrame, flag};

/// Whose line this is, if there was a welcome.
pub(super) fn session_of(got: &[Got]) -> Option<SessionId> {
    got.iter().find_map(|it| match it {
        Got::Frame(ServerFrame::Welcome(welcome)) => Some(welcome.session),
        _ => None,
    })
}

/// What takes part in a position.
pub(super) fn sequence_of(got: &Got) -> Option<Sequence> {
    match got {
        Got::Frame(ServerFrame::Entry(it)) => Some(it.sequence),
        Got::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        Got::Frame(ServerFrame::End(it)) => Some(it.head),
        _ => None,
    }
}

/// The sequence of an entry, unless it was asked for by `history`.
pub(super) fn new_entry(got: &Got) -> Option<Sequence> {
    match got {
        Got::Frame(ServerFrame::Entry(it)) if it.flags & flag::REQUESTED == 0 => Some(it.sequence),
        Got::Frame(ServerFrame::DirectEntry(it)) => Some(it.sequence),
        _ => None,
    }
}

/// Whether this answers a message on its own.
pub(super) fn is_answer(got: &Got, session: SessionId, reference: Reference) -> bool {
    match got {
        Got::Frame(ServerFrame::Accepted(it)) => it.reference == reference,
        Got::Frame(ServerFrame::Error(it)) => {
            matches!(it.about, 3 | 4) && it.reference == reference
        }
        Got::Frame(ServerFrame::Entry(it)) => it.flags == 0 && is_echo(got, session, reference),
        Got::Frame(ServerFrame::DirectEntry(it)) => {
            it.flags == 0 && is_echo(got, session, reference)
        }
        _ => false,
    }
}

/// Whether this is the message itself, live or as history.
pub(super) fn is_echo(got: &Got, session: SessionId, reference: Reference) -> bool {
    match got {
        Got::Frame(ServerFrame::Entry(it)) => (it.session, it.reference) == (session, reference),
        Got::Frame(ServerFrame::DirectEntry(it)) => {
            (it.from_session, it.reference) == (session, reference)
        }
        _ => false,
    }
}

/// Whether this is the beginning of a room that was entered later.
pub(super) fn is_entering(got: &Got) -> bool {
    matches!(got, Got::Frame(ServerFrame::Entered(it)) if it.reference != Reference::NONE)
}
