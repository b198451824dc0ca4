//! Anti-replay window: the packet counters that were seen from a sender. Section 14, step 9.

/// Number of 64-bit words in the bitmap.
const WORDS: usize = 16;
/// Width of the window: number of remembered counters, including the greatest.
const WIDTH: u64 = 64 * WORDS as u64;

/// Sliding window of the packet counters seen from one sender.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplayWindow {
    /// Greatest counter seen; 0 if none.
    greatest: u64,
    /// Bitmap of the last `WIDTH` counters: bit `c % WIDTH` is set if counter `c` was seen. Empty
    /// until the first counter is recorded.
    seen_bits: Vec<u64>,
}

impl ReplayWindow {
    /// Returns true if a packet with `counter` must be dropped: the counter was seen, is below the
    /// window, or is 0.
    pub(super) fn has_seen(&self, counter: u64) -> bool {
        if counter == 0 {
            return true;
        }
        if counter > self.greatest {
            return false;
        }
        let (word, bit) = bitmap_place(counter);
        self.greatest - counter >= WIDTH || self.seen_bits.get(word).is_some_and(|it| it & bit != 0)
    }

    /// Returns true if `counter` is the greatest counter seen. A further copy of that packet may
    /// come by another path.
    pub(super) const fn is_newest(&self, counter: u64) -> bool {
        self.greatest == counter
    }

    /// Marks `counter` as seen. If it is greater than all before, moves the window up to it.
    /// `counter` must not be below the window.
    pub(super) fn record(&mut self, counter: u64) {
        self.seen_bits.resize(WORDS, 0);
        if counter > self.greatest {
            // Reuse the bits of the counters that were skipped.
            for passed in (self.greatest + 1..=counter).rev().take(WORDS * 64) {
                self.set(passed, false);
            }
            self.greatest = counter;
        }
        self.set(counter, true);
    }

    /// Sets or clears the bit of a counter.
    fn set(&mut self, counter: u64, is_seen: bool) {
        let (word, bit) = bitmap_place(counter);
        if let Some(word) = self.seen_bits.get_mut(word) {
            *word = if is_seen { *word | bit } else { *word & !bit };
        }
    }
}

/// Returns the word index and bit mask of a counter in the bitmap.
fn bitmap_place(counter: u64) -> (usize, u64) {
    let index = counter % WIDTH;
    (usize::try_from(index / 64).unwrap_or_default(), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each counter is accepted once, in any order. Counters below the window are not accepted.
    #[test]
    fn each_counter_is_accepted_once() {
        let mut window = ReplayWindow::default();
        for counter in [5, 3, 4, 1_000, 6] {
            assert!(!window.has_seen(counter), "{counter}");
            window.record(counter);
            assert!(window.has_seen(counter), "{counter}");
        }
        assert!(!window.has_seen(7));
        window.record(5_000);
        assert!(window.has_seen(1_000) && window.has_seen(7), "too old");
        assert!(!window.has_seen(4_999) && !window.has_seen(5_000 - 1_023));
        assert!(window.has_seen(5_000 - 1_024));
    }

    /// A huge step of the counter clears the window. The test would not end if the cost grew with
    /// the step.
    #[test]
    fn huge_step_clears_the_window() {
        let mut window = ReplayWindow::default();
        window.record(1);
        window.record(1 << 47);
        assert!(window.has_seen(1) && !window.has_seen((1 << 47) - 1));
    }
}
