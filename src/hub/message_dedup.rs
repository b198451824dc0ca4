//! Deduplication of a session's messages by their references.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::limits::MAX_REFUSED_REFERENCES;
use crate::model::{Reference, SessionReferences};

/// Status of a message, derived from its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageStatus {
    /// The reference is remembered as refused, or is greater than all references submitted to the
    /// log. The message may be submitted.
    New,
    /// Submitted to the log, which has not answered.
    InFlight,
    /// Counts as stored in the log: a further message with this reference is a duplicate. So do all
    /// references up to the greatest submitted one, except those in flight or remembered as
    /// refused.
    Accepted,
}

/// References of a session's messages, for deduplication. No message is stored twice. No refused
/// message is acknowledged while its reference is remembered.
#[derive(Debug, Default)]
pub(super) struct MessageDedup {
    /// Greatest reference submitted to the log, stored or not.
    last_submitted: Reference,
    /// References of the messages that the log has stored, and of those that the hub or the log has
    /// refused.
    references: SessionReferences,
    /// References submitted to the log and not answered, with the kind numbers of their frames.
    in_flight: BTreeMap<Reference, u16>,
}

impl MessageDedup {
    /// Restores the references of a session after a restart. All references up to `last` count as
    /// stored, except those in `refused`.
    pub(super) fn restored(last: Reference, refused: Vec<Reference>) -> Self {
        let references = SessionReferences::restored(last, refused);
        Self { last_submitted: last, references, in_flight: BTreeMap::new() }
    }

    /// Returns true if any message is in flight: submitted to the log and not answered.
    pub(super) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Returns the greatest reference that the log has stored.
    pub(super) const fn last_stored(&self) -> Reference {
        self.references.last_stored()
    }

    /// Returns the references that may be submitted again after a restart of the server: the
    /// refused ones, and those in flight that are below the greatest stored one. Ascending, at most
    /// [`MAX_REFUSED_REFERENCES`]; the lowest are dropped.
    pub(super) fn resubmittable(&self) -> Vec<Reference> {
        let in_flight = self.in_flight.keys().filter(|it| **it < self.last_stored());
        let all: BTreeSet<Reference> =
            in_flight.chain(self.references.refused()).copied().collect();
        let excess = all.len().saturating_sub(MAX_REFUSED_REFERENCES);
        all.into_iter().skip(excess).collect()
    }

    /// Returns the greatest reference submitted to the log.
    pub(super) const fn last_submitted(&self) -> Reference {
        self.last_submitted
    }

    /// Returns the status of the message with this reference.
    pub(super) fn status(&self, reference: Reference) -> MessageStatus {
        if self.in_flight.contains_key(&reference) {
            MessageStatus::InFlight
        } else if reference <= self.last_submitted && !self.references.is_refused(reference) {
            MessageStatus::Accepted
        } else {
            MessageStatus::New
        }
    }

    /// Records that a message, whose status is `New`, is submitted to the log. `kind`: kind number
    /// of its frame.
    pub(super) fn submit(&mut self, reference: Reference, kind: u16) {
        self.references.forget_refusal(reference);
        self.last_submitted = self.last_submitted.max(reference);
        self.in_flight.insert(reference, kind);
    }

    /// Records that the log has stored a message, which perhaps another hub has submitted.
    pub(super) fn mark_stored(&mut self, reference: Reference) {
        self.in_flight.remove(&reference);
        self.references.mark_stored(reference);
        self.last_submitted = self.last_submitted.max(reference);
    }

    /// Records that a message counts as stored although the log has not appended it. Returns false,
    /// and does nothing, if it is not in flight.
    pub(super) fn accept_in_flight(&mut self, reference: Reference) -> bool {
        self.in_flight.remove(&reference).is_some()
    }

    /// Takes over what a record of the log says, which another hub has stored: the greatest reference
    /// that is stored, and those that are not although they may be below it.
    pub(super) fn take_over(&mut self, last: Reference, refused: Vec<Reference>) {
        let last_stored = self.last_stored().max(last);
        self.references = SessionReferences::restored(last_stored, refused);
        self.last_submitted = self.last_submitted.max(last);
    }

    /// Records that the log could not store a message. Returns the kind number of its frame; `None`
    /// if the message was not in flight.
    pub(super) fn mark_not_stored(&mut self, reference: Reference) -> Option<u16> {
        let kind = self.in_flight.remove(&reference)?;
        self.mark_refused(reference);
        Some(kind)
    }

    /// Records that a message was refused: if the client sends the message again, even after later
    /// ones, it is no duplicate. Beyond [`MAX_REFUSED_REFERENCES`], forgets the lowest refused
    /// reference, which may be this one.
    pub(super) fn mark_refused(&mut self, reference: Reference) {
        self.references.mark_refused(reference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refused message may be submitted again, even after a later one.
    #[test]
    fn refused_message_may_be_submitted_again() {
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
