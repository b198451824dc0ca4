//! Memory budget for data that waits for clients: feeds and outboxes together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory budget of all feeds and outboxes together.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    /// Maximum number of bytes.
    limit: usize,
    /// Number of bytes in use.
    used: AtomicUsize,
}

impl Default for MemoryBudget {
    /// Returns a budget without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryBudget {
    /// Creates a budget of `limit` bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Takes bytes from the budget and returns true. If too few bytes are left, takes nothing and
    /// returns false. [`Self::release`] gives the bytes back.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Takes bytes from the budget, even if too few bytes are left. Then the caller must free
    /// memory until [`Self::excess`] is 0. [`Self::release`] gives the bytes back.
    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives bytes back to the budget: no more than were taken.
    pub(super) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns the number of bytes in use beyond the limit; 0 if there are none.
    pub(super) fn excess(&self) -> usize {
        self.used.load(Ordering::Relaxed).saturating_sub(self.limit)
    }

    /// Returns the number of bytes in use.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
