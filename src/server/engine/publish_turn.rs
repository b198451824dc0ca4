//! Turns of publishing: the engine publishes a limited amount of messages. Then the tasks of the
//! connections get their turn. So a burst of messages does not overtake readers that keep up.

use std::collections::VecDeque;

use crate::hub::LogItem;
use crate::model::LogEntry;

/// Memory of published messages from which on a turn is over, in bytes. The last message of a turn
/// may exceed it. This value is far below the default of
/// [`FanoutLimits::feed_bytes`](crate::server::FanoutLimits::feed_bytes), which limits how far a
/// connection may lag behind.
const TURN_MEMORY: usize = 128 << 10;

/// Memory that a fact counts for, in bytes: about that of the frames that clients get.
const FACT_MEMORY: usize = 512;

/// Queue of committed items that wait to be published, and the number of bytes that the current
/// turn may still publish.
#[derive(Debug)]
pub(super) struct PublishTurn {
    /// Committed items that are not published, in the order of the log.
    waiting: VecDeque<LogItem>,
    /// Memory of the messages that may still be published in this turn, in bytes.
    left: usize,
}

impl PublishTurn {
    /// Creates a turn without items.
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), left: TURN_MEMORY }
    }

    /// Begins the next turn. Items that wait stay.
    pub(super) const fn begin(&mut self) {
        self.left = TURN_MEMORY;
    }

    /// Returns true if nothing more may be published in this turn.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Adds committed items, behind those that wait.
    pub(super) fn add(&mut self, items: Vec<LogItem>) {
        self.waiting.extend(items);
    }

    /// Removes and returns the next items to publish, in the order of the log, and charges the
    /// messages and facts among them to the turn. Returns none if none wait or the turn is over.
    pub(super) fn take(&mut self) -> Vec<LogItem> {
        let mut count = 0;
        for item in &self.waiting {
            if self.left == 0 {
                break;
            }
            let memory = match item {
                LogItem::Message(entry) => size_of::<LogEntry>() + entry.draft.text.as_str().len(),
                LogItem::Fact { .. } => FACT_MEMORY,
                LogItem::Void { .. } | LogItem::Volatile(_) | LogItem::Elsewhere(_) => 0,
            };
            self.left = self.left.saturating_sub(memory);
            count += 1;
        }
        self.waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Draft, MessageText, Sequence, Timestamp};

    /// Items come out once and in order, a limited amount of messages in each turn. A void keeps
    /// its place.
    #[test]
    fn each_turn_publishes_a_limited_amount() {
        let entry = |sequence| {
            let text = MessageText::new(&"x".repeat(1_000)).unwrap();
            let draft = Draft { text, ..Draft::example() };
            let (sequence, previous) = (Sequence(sequence), Sequence::ZERO);
            LogItem::Message(Arc::new(LogEntry { sequence, previous, time: Timestamp(0), draft }))
        };
        let mut turn = PublishTurn::new();
        turn.add((1..=150).map(entry).collect());
        turn.add(vec![LogItem::Void { after: Sequence(150), up_to: Sequence(150) }]);
        turn.add((151..=250).map(entry).collect());
        let mut sequences = Vec::new();
        let (mut turns, mut voids) = (0, 0);
        while sequences.len() < 250 {
            let taken = turn.take();
            assert!((1..=TURN_MEMORY / 1_000).contains(&taken.len()), "{}", taken.len());
            if let Some(at) = taken.iter().position(|it| it.entry().is_none()) {
                assert_eq!(sequences.len() + at, 150);
                voids += 1;
            }
            sequences.extend(taken.iter().filter_map(LogItem::entry).map(|it| it.sequence.0));
            assert!(turn.is_over() == (sequences.len() < 250) && turn.take().is_empty());
            turn.begin();
            turns += 1;
        }
        assert_eq!((sequences, turns, voids), ((1..=250).collect(), 3, 1));
    }
}
