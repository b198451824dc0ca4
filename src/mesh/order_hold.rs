//! Decision whether a new entry is held for the common order: section 9, rule 8.

use std::time::Duration;

use super::Mesh;
use super::timers::TALK_WINDOW;
use crate::model::{Moment, PeerId};

/// Greatest number of members, this peer included, with which a quiet room holds no entries. In a
/// larger room it is likelier that two begin to talk at the same time.
const MAX_QUIET_MEMBERS: usize = 8;
/// Number of authors remembered. Of three authors, at least one is neither the author of an entry
/// nor this peer.
const REMEMBERED_AUTHORS: usize = 3;

/// The authors that have written last.
#[derive(Debug, Default)]
pub(super) struct RecentAuthors {
    /// Different authors, the one that has written last first, each with the time at which its last
    /// entry was queued. At most [`REMEMBERED_AUTHORS`].
    latest: Vec<(PeerId, Moment)>,
}

impl RecentAuthors {
    /// Records that an entry of this author was queued.
    pub(super) fn note(&mut self, now: Moment, author: PeerId) {
        self.latest.retain(|(it, _)| *it != author);
        self.latest.insert(0, (author, now));
        self.latest.truncate(REMEMBERED_AUTHORS);
    }

    /// Returns true if a remembered author other than these two has written within [`TALK_WINDOW`].
    fn has_other_than(&self, now: Moment, known: [PeerId; 2]) -> bool {
        let is_recent = |at: Moment| now.since(at) < TALK_WINDOW;
        self.latest.iter().any(|(author, at)| !known.contains(author) && is_recent(*at))
    }
}

impl Mesh {
    /// Returns for how long an entry of this author that is queued now is held. Meanwhile, entries
    /// of other authors may arrive that sort before it.
    ///
    /// Zero if there is no other member than the author and this peer, whose entries are here
    /// already. Also zero in a room of up to [`MAX_QUIET_MEMBERS`] in which no third author has
    /// written within [`TALK_WINDOW`].
    pub(super) fn order_hold(&self, now: Moment, author: PeerId) -> Duration {
        let members = self.contacts.member_count();
        let is_member = self.contacts.get(author).is_some_and(|it| it.is_member());
        let has_others = members > usize::from(is_member);
        let is_small = members < MAX_QUIET_MEMBERS;
        let is_quiet = !self.display.authors.has_other_than(now, [author, self.me.id]);
        if !has_others || is_small && is_quiet { Duration::ZERO } else { self.display.order_hold }
    }
}
