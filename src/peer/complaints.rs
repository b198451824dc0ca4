//! What does not work, told once a minute and not a thousand times.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Moment;

/// The same is told again after so long.
const INTERVAL: Duration = Duration::from_secs(60);

/// Remembers what was told.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// When each kind was told last.
    told: HashMap<String, Moment>,
}

impl Complaints {
    /// Whether a sentence is to be told now. (Sentences differ by kind of
    /// error and by what it is about, never by what strangers send.)
    pub(super) fn is_due(&mut self, now: Moment, sentence: &str) -> bool {
        if self.told.get(sentence).is_some_and(|told| now.since(*told) < INTERVAL) {
            return false;
        }
        self.told.insert(sentence.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind once a minute.
    #[test]
    fn once_a_minute() {
        let mut complaints = Complaints::default();
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        assert!(complaints.is_due(at(0), "no network"));
        assert!(complaints.is_due(at(1), "no port"));
        assert!(!complaints.is_due(at(59), "no network"));
        assert!(complaints.is_due(at(60), "no network"));
    }
}
