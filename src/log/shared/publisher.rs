//! Publisher: which publications of a hub are to be sent to the stream, and sent again.
//!
//! A publication may be lost, and its answer too. So it counts as published when the hub has read it
//! in the stream, not earlier. If none is read for too long, all that were not read are sent again, in
//! order, with their numbers. The [fold](super::fold) ignores what it has already, and what comes out
//! of order. So nothing is lost, doubled or overtaken.

use std::collections::VecDeque;

use super::publication::{Publication, SharedChange};
use crate::hub::HubId;

/// Publications of a hub that it has not read in the stream.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// The hub.
    hub: HubId,
    /// Changes that were not read, in order.
    unread: VecDeque<SharedChange>,
    /// Number of the first change in `unread`, or of the next one if there is none.
    first: u64,
    /// Number of changes in `unread` that were taken to be sent, since the last [`Self::rewind`].
    sent: usize,
}

impl Publisher {
    /// Creates the publisher of a hub that has just begun.
    pub(crate) const fn new(hub: HubId) -> Self {
        Self { hub, unread: VecDeque::new(), first: 1, sent: 0 }
    }

    /// Adds a change behind all others.
    pub(crate) fn push(&mut self, change: SharedChange) {
        self.unread.push_back(change);
    }

    /// Returns the next publication to send; `None` if there is none, or if `window` of them are on
    /// their way already.
    pub(crate) fn take(&mut self, window: usize) -> Option<Publication> {
        let change = self.unread.get(self.sent).filter(|_| self.sent < window)?.clone();
        let number = self.first + self.sent as u64;
        self.sent += 1;
        Some(Publication { hub: self.hub, number, change })
    }

    /// Notes that all publications up to this number were read in the stream.
    pub(crate) fn note_read(&mut self, number: u64) {
        let count = (number + 1).saturating_sub(self.first);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.unread.len());
        self.first += count as u64;
        self.sent = self.sent.saturating_sub(count);
        self.unread.drain(..count);
    }

    /// Sends everything that was not read again. Call it when nothing has been read for too long, or
    /// the connection to the stream was lost.
    pub(crate) const fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Returns true if something was sent that was not read.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.sent > 0
    }
}
