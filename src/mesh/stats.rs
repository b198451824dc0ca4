//! How much is remembered: what others can make grow has to have an end.

use super::{Mesh, Phase};

/// Numbers of what is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeshStats {
    /// Other peers, whatever they are.
    pub contacts: usize,
    /// Of those, who are heard and not members.
    pub heard: usize,
    /// Of those, who are members.
    pub members: usize,
    /// Authors with a log.
    pub authors: usize,
    /// Entries that are retained.
    pub retained: usize,
    /// Entries that wait for earlier ones of their authors.
    pub out_of_order: usize,
    /// Peers remembered with what they have or lack of an author.
    pub holders: usize,
    /// Entries that wait to be shown.
    pub held_back: usize,
    /// Candidates.
    pub candidates: usize,
    /// Entries that were asked for lately.
    pub recent_wants: usize,
    /// Entries and marks of a history that is not complete.
    pub history: usize,
}

impl Mesh {
    /// How much is remembered. For tests.
    #[must_use]
    pub fn stats(&self) -> MeshStats {
        let (contacts, heard) = self.contacts.stats();
        let (authors, retained, out_of_order, holders) = self.logs.stats();
        MeshStats {
            contacts,
            heard,
            members: self.contacts.member_count(),
            authors,
            retained,
            out_of_order,
            holders,
            held_back: self.display.stats(),
            candidates: self.admission.stats(),
            recent_wants: self.repair.stats(),
            history: match &self.phase {
                Phase::Recalling(history) => history.stats(),
                _ => 0,
            },
        }
    }
}
