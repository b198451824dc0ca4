//! Moderation requests of the control socket that wait for the log.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::hub::{ModerationRefusal, OwnerRequestId};

/// Result of a moderation request: the number of connected users that it has hit, or the refusal.
pub(in crate::server) type ModerationOutcome = Result<u32, ModerationRefusal>;

/// Requests that the hub has not answered yet. At most as many as the control socket serves
/// connections at a time.
#[derive(Debug, Default)]
pub(super) struct OwnerRequests {
    /// Number of the last request; 0 before the first one.
    last: u64,
    /// Receivers of the answers, by request.
    waiting: HashMap<OwnerRequestId, oneshot::Sender<ModerationOutcome>>,
}

impl OwnerRequests {
    /// Registers a request, and returns its new identifier.
    pub(super) fn begin(&mut self, answer: oneshot::Sender<ModerationOutcome>) -> OwnerRequestId {
        self.last += 1;
        // A receiver may have given up: the log has not answered in time.
        self.waiting.retain(|_, it| !it.is_closed());
        self.waiting.insert(OwnerRequestId(self.last), answer);
        OwnerRequestId(self.last)
    }

    /// Answers a request. Does nothing if its receiver has given up.
    pub(super) fn finish(&mut self, id: OwnerRequestId, outcome: ModerationOutcome) {
        if let Some(answer) = self.waiting.remove(&id) {
            let _ = answer.send(outcome);
        }
    }
}
