//! Counters of remembered items, for tests: everything that other peers can make grow has a limit.

use super::{Mesh, Phase};

/// Snapshot of the numbers of items that the mesh remembers. For tests of memory limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeshStats {
    /// Number of other peers, in any stage.
    pub contacts: usize,
    /// Number of peers in stage heard: a control packet of theirs has arrived, but they are not
    /// members.
    pub heard: usize,
    /// Number of members, this peer not counted.
    pub members: usize,
    /// Number of authors with a log.
    pub authors: usize,
    /// Number of retained entries of all authors together.
    pub retained: usize,
    /// Number of out-of-order entries of all authors together. They wait for earlier entries of
    /// their author.
    pub out_of_order: usize,
    /// Number of remembered (author, peer) pairs: the peer claims to have, or to lack, entries of
    /// the author.
    pub holders: usize,
    /// Number of entries held back in the display queue.
    pub held_back: usize,
    /// Number of remembered candidates, denied ones and those not heard any more included.
    pub candidates: usize,
    /// Number of entries remembered as requested by other peers, expired ones included.
    pub recent_wants: usize,
    /// Number of entries, entry ids and marks together that the history fetch keeps; 0 if there is
    /// no fetch.
    pub history: usize,
}

impl Mesh {
    /// Returns the numbers of remembered items. For tests.
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
            candidates: self.admission.candidate_count(),
            recent_wants: self.repair.stats(),
            history: match &self.phase {
                Phase::Recalling(history) => history.stats(),
                _ => 0,
            },
        }
    }
}
