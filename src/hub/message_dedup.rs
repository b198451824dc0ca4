//! Which of a session's messages the log has, is being given, or was
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Reference;
use crate::model::limits::MAX_REFUSED;

/// What is known of a message by its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing, or that it was refused: it can be given to the log.
    New,
    /// The log is being given it; its acknowledgement is still to come.
    InFlight,
    /// The log has it.
    Taken,
}

/// A session's references. Makes that no message is taken twice and that
/// none is acknowledged which was refused.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The greatest that was given to the log.
    last: Reference,
    /// The greatest that the log has.
    last_stored: Reference,
    /// Given to the log, which has not answered; with the frame's kind.
    in_flight: BTreeMap<Reference, u16>,
    /// Refused by the hub or the log. They may come again.
    refused: BTreeSet<Reference>,
}

impl Outgoing {
    /// Those of a session that has outlived a restart.
    pub(super) fn restored(last: Reference, refused: Vec<Reference>) -> Self {
        let mut outgoing = Self { last, last_stored: last, ..Self::default() };
        for reference in refused {
            outgoing.refused(reference);
        }
        outgoing
    }

    /// Whether the log has still to answer.
    pub(super) fn is_under_way(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The greatest reference that the log has.
    pub(super) const fn last_stored(&self) -> Reference {
        self.last_stored
    }

    /// The references that may come again although the log has later ones,
    /// in ascending order: those that were refused, and those which the log
    /// has still to answer. No more than [`MAX_REFUSED`], the last ones.
    pub(super) fn not_taken(&self) -> Vec<Reference> {
        let in_flight = self.in_flight.keys().filter(|it| **it < self.last_stored);
        let all: BTreeSet<Reference> = in_flight.chain(&self.refused).copied().collect();
        let excess = all.len().saturating_sub(MAX_REFUSED);
        all.into_iter().skip(excess).collect()
    }

    /// The greatest reference that was given to the log.
    pub(super) const fn last(&self) -> Reference {
        self.last
    }

    /// What is known of the message with this reference.
    pub(super) fn known(&self, reference: Reference) -> Known {
        if self.in_flight.contains_key(&reference) {
            Known::InFlight
        } else if reference <= self.last && !self.refused.contains(&reference) {
            Known::Taken
        } else {
            Known::New
        }
    }

    /// Notes that a message, which came in a frame of this kind, is given to
    /// the log.
    pub(super) fn give(&mut self, reference: Reference, kind: u16) {
        self.refused.remove(&reference);
        self.last = self.last.max(reference);
        self.in_flight.insert(reference, kind);
    }

    /// Notes that the log has it.
    pub(super) fn stored(&mut self, reference: Reference) {
        self.in_flight.remove(&reference);
        self.last_stored = self.last_stored.max(reference);
    }

    /// Notes that the log could not take it; gives the kind of its frame,
    /// or nothing if the log was never given it.
    pub(super) fn not_stored(&mut self, reference: Reference) -> Option<u16> {
        let kind = self.in_flight.remove(&reference)?;
        self.refused(reference);
        Some(kind)
    }

    /// Notes that a message was refused. Its author may not learn of it, and
    /// send it again behind later ones: then it must not be taken for one
    /// that the log has.
    pub(super) fn refused(&mut self, reference: Reference) {
        self.refused.insert(reference);
        if self.refused.len() > MAX_REFUSED {
            self.refused.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that was refused may come again, even behind a later one.
    #[test]
    fn what_was_refused_may_come_again() {
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
