//! Which counters of a sender have been seen: section 14, step 9.

/// Words of the bitmap.
const WORDS: usize = 16;
/// How far below the greatest a counter may be.
const WIDTH: u64 = 64 * WORDS as u64;

/// The counters seen of one sender.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplayWindow {
    /// The greatest; 0: none.
    greatest: u64,
    /// Bit `c % WIDTH` for each counter `c` seen of the last `WIDTH`.
    /// Made when it is needed: most senders that are heard once are never
    /// heard again.
    seen_bits: Vec<u64>,
}

impl ReplayWindow {
    /// Whether `counter` was seen, or is too old to tell.
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

    /// Whether `counter` is the last one, so that a further copy of it may
    /// come by another way.
    pub(super) const fn is_newest(&self, counter: u64) -> bool {
        self.greatest == counter
    }

    /// Notes that `counter` was seen.
    pub(super) fn record(&mut self, counter: u64) {
        self.seen_bits.resize(WORDS, 0);
        if counter > self.greatest {
            // The places of the counters between are used anew.
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

/// Where the bit of a counter is.
fn bitmap_place(counter: u64) -> (usize, u64) {
    let index = counter % WIDTH;
    (usize::try_from(index / 64).unwrap_or_default(), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each counter counts once, also out of order; what is too old does not.
    #[test]
    fn each_counter_once() {
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

    /// A huge step costs no more than the window.
    #[test]
    fn a_huge_step() {
        let mut window = ReplayWindow::default();
        window.record(1);
        window.record(1 << 47);
        assert!(window.has_seen(1) && !window.has_seen((1 << 47) - 1));
    }
}
