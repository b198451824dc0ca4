//! References of a session's messages: which of them are stored.

use super::Reference;
use super::limits::MAX_REFUSED_REFERENCES;

/// References of a session's messages that are stored, and of those that were refused. It tells a
/// message that is new from a second copy. The hub and a log that hubs share go by the same rules:
/// both have to come to the same result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionReferences {
    /// Greatest reference that is stored.
    last_stored: Reference,
    /// References of messages that were refused, and may be sent again. At most
    /// [`MAX_REFUSED_REFERENCES`]; the lowest are dropped.
    ///
    /// Ascending. A vector, because every session that is away keeps it: a tree takes four times
    /// the memory.
    refused: Vec<Reference>,
}

impl SessionReferences {
    /// Restores the references of a session. All references up to `last_stored` count as stored,
    /// except those in `refused`.
    #[must_use]
    pub fn restored(last_stored: Reference, refused: Vec<Reference>) -> Self {
        let mut references = Self { last_stored, refused: Vec::new() };
        for reference in refused {
            references.mark_refused(reference);
        }
        references
    }

    /// Returns the greatest reference that is stored.
    #[must_use]
    pub const fn last_stored(&self) -> Reference {
        self.last_stored
    }

    /// Returns the references of refused messages, ascending.
    #[must_use]
    pub fn refused(&self) -> &[Reference] {
        &self.refused
    }

    /// Returns true if a message with this reference is remembered as refused.
    #[must_use]
    pub fn is_refused(&self, reference: Reference) -> bool {
        self.refused.binary_search(&reference).is_ok()
    }

    /// Returns true if no message with this reference counts as stored.
    #[must_use]
    pub fn is_new(&self, reference: Reference) -> bool {
        reference > self.last_stored || self.is_refused(reference)
    }

    /// Records that a message is stored.
    pub fn mark_stored(&mut self, reference: Reference) {
        self.last_stored = self.last_stored.max(reference);
        self.forget_refusal(reference);
    }

    /// Records that a message was refused. Beyond [`MAX_REFUSED_REFERENCES`], forgets the lowest
    /// refused reference, which may be this one.
    pub fn mark_refused(&mut self, reference: Reference) {
        let Err(index) = self.refused.binary_search(&reference) else {
            return;
        };
        if self.refused.len() < MAX_REFUSED_REFERENCES {
            self.refused.insert(index, reference);
        } else if let Some(index) = index.checked_sub(1) {
            self.refused.remove(0);
            self.refused.insert(index, reference);
        }
    }

    /// Forgets that a message was refused, because it is submitted again.
    pub fn forget_refusal(&mut self, reference: Reference) {
        if !self.refused.is_empty()
            && let Ok(index) = self.refused.binary_search(&reference)
        {
            self.refused.remove(index);
        }
    }

    /// Adds what a session record says: all references up to `last_stored` are stored, and those in
    /// `refused` are not, unless they are known to be stored.
    pub fn add_record(&mut self, last_stored: Reference, refused: &[Reference]) {
        let known = self.last_stored;
        for reference in refused.iter().copied().filter(|it| *it > known) {
            self.mark_refused(reference);
        }
        self.last_stored = self.last_stored.max(last_stored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of too many refused references the lowest go, also if it is the newest.
    #[test]
    fn lowest_refused_references_are_forgotten() {
        let most = MAX_REFUSED_REFERENCES as u64;
        let mut references = SessionReferences::restored(
            Reference(most + 10),
            (2..=most + 1).map(Reference).collect(),
        );
        references.mark_refused(Reference(1));
        assert!(!references.is_new(Reference(1)) && references.is_new(Reference(2)));
        references.mark_refused(Reference(most + 5));
        assert!(!references.is_new(Reference(2)) && references.is_new(Reference(3)));
        assert_eq!(references.refused().len(), MAX_REFUSED_REFERENCES);
    }

    /// A record says nothing against what is known to be stored.
    #[test]
    fn record_does_not_undo_what_is_stored() {
        let mut references = SessionReferences::default();
        references.mark_stored(Reference(4));
        references.add_record(Reference(6), &[Reference(3), Reference(5)]);
        assert_eq!(references, SessionReferences::restored(Reference(6), vec![Reference(5)]));
        references.mark_stored(Reference(5));
        assert!((1..=6).all(|it| !references.is_new(Reference(it))));
    }
}
