//! Which of a session's messages the log has, is being given, or could not
//! take.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Reference;

/// So many references of lost messages are remembered for one session.
const MAX_LOST: usize = 100;

/// What is known of a message by its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing, or that it was lost: it can be given to the log.
    New,
    /// The log is being given it; its acknowledgement is still to come.
    InFlight,
    /// The log has it.
    Taken,
}

/// A session's references. Makes that no message is taken twice and that
/// none is acknowledged which was lost.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The greatest that was given to the log.
    last: Reference,
    /// Given to the log, which has not answered; with the frame's kind.
    in_flight: BTreeMap<Reference, u16>,
    /// Given to the log, which could not take them. They may come again.
    lost: BTreeSet<Reference>,
}

impl Outgoing {
    /// The greatest reference that was given to the log.
    pub(super) const fn last(&self) -> Reference {
        self.last
    }

    /// What is known of the message with this reference.
    pub(super) fn known(&self, reference: Reference) -> Known {
        if self.in_flight.contains_key(&reference) {
            Known::InFlight
        } else if reference <= self.last && !self.lost.contains(&reference) {
            Known::Taken
        } else {
            Known::New
        }
    }

    /// Notes that a message, which came in a frame of this kind, is given to
    /// the log.
    pub(super) fn give(&mut self, reference: Reference, kind: u16) {
        self.lost.remove(&reference);
        self.last = self.last.max(reference);
        self.in_flight.insert(reference, kind);
    }

    /// Notes that the log has it.
    pub(super) fn stored(&mut self, reference: Reference) {
        self.in_flight.remove(&reference);
    }

    /// Notes that the log could not take it; gives the kind of its frame,
    /// or nothing if the log was never given it.
    pub(super) fn not_stored(&mut self, reference: Reference) -> Option<u16> {
        let kind = self.in_flight.remove(&reference)?;
        self.lost.insert(reference);
        if self.lost.len() > MAX_LOST {
            self.lost.pop_first();
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that was lost may come again, even behind a later one.
    #[test]
    fn what_was_lost_may_come_again() {
        let mut outgoing = Outgoing::default();
        outgoing.give(Reference(1), 3);
        outgoing.give(Reference(2), 4);
        assert_eq!(outgoing.known(Reference(1)), Known::InFlight);
        assert_eq!(outgoing.not_stored(Reference(1)), Some(3));
        assert_eq!(outgoing.not_stored(Reference(1)), None);
        outgoing.stored(Reference(2));
        assert_eq!(outgoing.known(Reference(1)), Known::New);
        assert_eq!(outgoing.known(Reference(2)), Known::Taken);
        outgoing.give(Reference(1), 3);
        outgoing.stored(Reference(1));
        assert_eq!(outgoing.known(Reference(1)), Known::Taken);
        assert_eq!(outgoing.last(), Reference(2));
    }
}
