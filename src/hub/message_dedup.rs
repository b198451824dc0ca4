//! Which of a session's messages the log has, is being given, or was
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Reference;
use crate::model::limits::MAX_REFUSED;

/// What is known of a message by its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageStatus {
    /// Nothing, or that it was refused: it can be given to the log.
    New,
    /// The log is being given it; its acknowledgement is still to come.
    InFlight,
    /// The log has it.
    Accepted,
}

/// A session's references. Makes that no message is taken twice and that
/// none is acknowledged which was refused.
#[derive(Debug, Default)]
pub(super) struct MessageDedup {
    /// The greatest that was given to the log.
    last_submitted: Reference,
    /// The greatest that the log has.
    last_stored: Reference,
    /// Given to the log, which has not answered; with the frame's kind.
    in_flight: BTreeMap<Reference, u16>,
    /// Refused by the hub or the log. They may come again.
    refused: BTreeSet<Reference>,
}

impl MessageDedup {
    /// Those of a session that has outlived a restart.
    pub(super) fn restored(last: Reference, refused: Vec<Reference>) -> Self {
        let mut dedup = Self { last_submitted: last, last_stored: last, ..Self::default() };
        for reference in refused {
            dedup.mark_refused(reference);
        }
        dedup
    }

    /// Whether the log has still to answer.
    pub(super) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The greatest reference that the log has.
    pub(super) const fn last_stored(&self) -> Reference {
        self.last_stored
    }

    /// The references that may come again although the log has later ones,
    /// in ascending order: those that were refused, and those which the log
    /// has still to answer. No more than [`MAX_REFUSED`], the last ones.
    pub(super) fn resubmittable(&self) -> Vec<Reference> {
        let in_flight = self.in_flight.keys().filter(|it| **it < self.last_stored);
        let all: BTreeSet<Reference> = in_flight.chain(&self.refused).copied().collect();
        let excess = all.len().saturating_sub(MAX_REFUSED);
        all.into_iter().skip(excess).collect()
    }

    /// The greatest reference that was given to the log.
    pub(super) const fn last_submitted(&self) -> Reference {
        self.last_submitted
    }

    /// What is known of the message with this reference.
    pub(super) fn status(&self, reference: Reference) -> MessageStatus {
        if self.in_flight.contains_key(&reference) {
            MessageStatus::InFlight
        } else if reference <= self.last_submitted && !self.refused.contains(&reference) {
            MessageStatus::Accepted
        } else {
            MessageStatus::New
        }
    }

    /// Notes that a message, which came in a frame of this kind, is given to
    /// the log.
    pub(super) fn submit(&mut self, reference: Reference, kind: u16) {
        self.refused.remove(&reference);
        self.last_submitted = self.last_submitted.max(reference);
        self.in_flight.insert(reference, kind);
    }

    /// Notes that the log has it.
    pub(super) fn mark_stored(&mut self, reference: Reference) {
        self.in_flight.remove(&reference);
        self.last_stored = self.last_stored.max(reference);
    }

    /// Notes that the log could not take it; gives the kind of its frame,
    /// or nothing if the log was never given it.
    pub(super) fn mark_not_stored(&mut self, reference: Reference) -> Option<u16> {
        let kind = self.in_flight.remove(&reference)?;
        self.mark_refused(reference);
        Some(kind)
    }

    /// Notes that a message was refused. Its author may not learn of it, and
    /// send it again behind later ones: then it must not be taken for one
    /// that the log has.
    pub(super) fn mark_refused(&mut self, reference: Reference) {
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
        let mut dedup = MessageDedup::default();
        dedup.submit(Reference(1), 3);
        dedup.submit(Reference(2), 4);
        assert_eq!(dedup.status(Reference(1)), MessageStatus::InFlight);
        assert_eq!(dedup.mark_not_stored(Reference(1)), Some(3));
        assert_eq!(dedup.mark_not_stored(Reference(1)), None);
        dedup.mark_stored(Reference(2));
        assert_eq!(dedup.status(Reference(1)), MessageStatus::New);
        assert_eq!(dedup.status(Reference(2)), MessageStatus::Accepted);
        dedup.submit(Reference(1), 3);
        dedup.mark_stored(Reference(1));
        assert_eq!(dedup.status(Reference(1)), MessageStatus::Accepted);
        assert_eq!(dedup.last_submitted(), Reference(2));
    }
}
