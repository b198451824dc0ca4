//! Own messages that have not left this machine.

use std::collections::BTreeSet;

/// Maximum number of sequences remembered. Beyond it, the smallest one is forgotten.
const MAX_MESSAGES: usize = 4_096;

/// Own messages of which no copy has ever gone out, because every attempt to send has failed.
#[derive(Debug, Default)]
pub(super) struct UnsentMessages {
    /// Sequences of these messages.
    sequences: BTreeSet<u32>,
    /// Greatest sequence of a message of which a copy has gone out; 0 if there is none.
    last_sent: u32,
}

impl UnsentMessages {
    /// Records an attempt to send an own message, with the number of copies that went out. There
    /// may be several attempts for one message. A failed attempt is ignored if a copy of this or a
    /// later message has gone out.
    pub(super) fn record(&mut self, sequence: u32, copies: usize) {
        if copies > 0 {
            self.sequences.remove(&sequence);
            self.last_sent = self.last_sent.max(sequence);
        } else if sequence > self.last_sent {
            self.sequences.insert(sequence);
            if self.sequences.len() > MAX_MESSAGES {
                self.sequences.pop_first();
            }
        }
    }

    /// Returns the number of messages of which no copy has gone out, at most [`MAX_MESSAGES`].
    pub(super) fn count(&self) -> usize {
        self.sequences.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message counts once, even if several attempts to send it fail. It no longer counts once a
    /// copy has gone out.
    #[test]
    fn message_counts_once_however_often_sending_it_fails() {
        let mut unsent = UnsentMessages::default();
        for (sequence, copies, expected) in [
            (1, 1, 0),
            (1, 0, 0), // A repetition of a message that has gone out.
            (2, 0, 1),
            (2, 0, 1),
            (3, 0, 2),
            (2, 2, 1),
            (2, 0, 1),
            (3, 1, 0),
        ] {
            unsent.record(sequence, copies);
            assert_eq!(unsent.count(), expected, "{sequence}, {copies} copies");
        }
    }
}
