//! References of a session's messages that are stored.

use crate::model::Reference;
use crate::model::limits::MAX_REFUSED_REFERENCES;

/// References of a session: tells a message that is new from one that is in the log already. Its hub
/// may have published a message again, or another hub the same message after the session has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionReferences {
    /// Greatest reference that is stored.
    last: Reference,
    /// References up to `last`, and beyond, of messages that were refused: these are not stored.
    /// Ascending, at most [`MAX_REFUSED_REFERENCES`]; the lowest are dropped.
    refused: Vec<Reference>,
}

impl SessionReferences {
    /// Returns true if no message with this reference is stored.
    pub(super) fn is_new(&self, reference: Reference) -> bool {
        reference > self.last || self.refused.binary_search(&reference).is_ok()
    }

    /// Records that a message is stored.
    pub(super) fn mark_stored(&mut self, reference: Reference) {
        self.last = self.last.max(reference);
        if let Ok(index) = self.refused.binary_search(&reference) {
            self.refused.remove(index);
        }
    }

    /// Records that a message is refused.
    pub(super) fn mark_refused(&mut self, reference: Reference) {
        if let Err(index) = self.refused.binary_search(&reference) {
            self.refused.insert(index, reference);
            if self.refused.len() > MAX_REFUSED_REFERENCES {
                self.refused.remove(0);
            }
        }
    }

    /// Takes over what a session record says: all references up to `last` are stored, and those in
    /// `refused` are not, unless they are known to be stored.
    pub(super) fn take_over(&mut self, last: Reference, refused: &[Reference]) {
        let known = self.last;
        for reference in refused.iter().copied().filter(|it| *it > known) {
            self.mark_refused(reference);
        }
        self.last = self.last.max(last);
    }

    /// Returns the greatest reference that is stored.
    pub(super) const fn last(&self) -> Reference {
        self.last
    }

    /// Returns the references that may be sent again although they can be below [`Self::last`].
    pub(super) fn refused(&self) -> &[Reference] {
        &self.refused
    }
}
