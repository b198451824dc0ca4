//! Requests and replay pages that wait for their address group's tokens: `docs/protocol/tcp.md`,
//! section 12.

use std::time::Duration;

use super::Hub;
use super::connection::BlockedOn;
use super::contract::{ConnectionId, Now, Quota};
use super::quotas::RequestQuota;
use crate::wire::tcp::{ClientFrame, FrameClass};

/// Advice to clients whose address group has used up its tokens: time until they should reconnect.
pub(super) const QUOTA_RETRY_AFTER: Duration = Duration::from_secs(5);

impl Hub {
    /// Charges a request of [`FrameClass::ChargedRequest`], or a read mark of a person, to the
    /// address group of its connection. Returns the frame if it may be handled now; any other frame
    /// is free. Otherwise reports the quota and returns `None`: the connection is blocked until the
    /// group's tokens are available. If that would take too long, the connection is closed instead.
    pub(super) fn throttle(
        &mut self,
        now: Now,
        id: ConnectionId,
        frame: ClientFrame,
    ) -> Option<ClientFrame> {
        let is_charged = match frame.class() {
            FrameClass::ChargedRequest => true,
            FrameClass::Mark => self.sends_marks_of_a_person(id),
            _ => false,
        };
        if !is_charged {
            return Some(frame);
        }
        // A request costs its address group as many units as its connection.
        let units = frame.units();
        let connection = self.connections.get_mut(&id)?;
        let group = connection.group;
        match self.quotas.take_request(group, units, now.moment) {
            RequestQuota::Now => return Some(frame),
            RequestQuota::At(moment) => {
                connection.block_on(BlockedOn::Quota(Box::new(frame)));
                self.throttled.insert((moment, id));
                self.report_quota(group, Quota::Requests);
            }
            RequestQuota::Exhausted => {
                self.close_for_quota(
                    now,
                    id,
                    Quota::Requests,
                    (frame.kind(), frame.reference()),
                    QUOTA_RETRY_AFTER,
                );
            }
        }
        None
    }

    /// Returns true if read marks of this connection have an effect: its session is one of a person.
    fn sends_marks_of_a_person(&self, id: ConnectionId) -> bool {
        let session = self.connections.get(&id).and_then(|it| it.joined_session());
        session.is_some_and(|it| self.person_of(it).is_some())
    }

    /// Charges the next page of a paused replay to the address group of its connection. If the
    /// group has a token, continues the replay at once. Otherwise reports that the group has
    /// reached its quota, and the replay continues when the token is available.
    pub(super) fn request_replay_page(&mut self, now: Now, id: ConnectionId) {
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        let moment = self.quotas.take_replay_page(group, now.moment);
        if moment <= now.moment {
            self.continue_replay(id);
        } else {
            self.throttled.insert((moment, id));
            self.report_quota(group, Quota::Requests);
        }
    }

    /// Handles the throttled requests and continues the throttled replays whose tokens are
    /// available now. After a request, handles the deferred frames of its connection. Call it again
    /// at the first moment of `throttled`.
    pub(super) fn handle_throttled(&mut self, now: Now) {
        while let Some((moment, id)) = self.throttled.first().copied()
            && moment <= now.moment
        {
            self.throttled.remove(&(moment, id));
            self.continue_replay(id);
            let request = self.connections.get_mut(&id).and_then(|it| it.take_throttled());
            if let Some(frame) = request {
                self.handle_frame(now, id, frame);
                self.process_deferred(now, id);
            }
        }
    }
}
