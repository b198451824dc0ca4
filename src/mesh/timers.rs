//! Timer constants and intervals: `docs/protocol/udp.md`, section 17. I(n) is the interval between
//! the heartbeats of a peer in a room with n members ([`heartbeat_interval`]).

use std::time::Duration;

use super::heartbeats::MEMBERS_IN_PAGE;

/// Times of a candidate's announces to everybody, counted from the first one.
pub(super) const ANNOUNCE_TIMES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(1_500),
];
/// Minimum time from the first announce until the candidate becomes a member.
pub(super) const JOIN_WINDOW: Duration = Duration::from_secs(2);
/// Time between unicast announces, or pings, to voters whose vote is waited for.
pub(super) const ANNOUNCE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of unicast announces and pings to a voter whose vote does not count. A voter that
/// has answered none of them counts as gone.
pub(super) const MAX_UNICAST_ANNOUNCES: u8 = 7;
/// Maximum time that a candidate waits for a voter that asks its user.
pub(super) const DEFERRED_VOTE_TIMEOUT: Duration = Duration::from_secs(12);
/// Maximum time, from the first announce, that a candidate waits for votes.
pub(super) const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Time, from the first objection of a verified peer, for which a candidate waits for others to
/// vouch for that peer. Without that, the objection does not count. It is longer than I(n) of a
/// room with up to 50 members.
pub(super) const VOUCH_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Maximum time, from the end of [`JOIN_WINDOW`], for which undecided objections hold up a
/// candidate.
pub(super) const MAX_OBJECTION_WAIT: Duration = Duration::from_secs(3);

/// Also the time, from its last announce, for which a candidate counts as a rival for its name.
pub(super) use crate::model::limits::APPROVAL_TIMEOUT;
/// Maximum random delay of an `agree`, in milliseconds.
pub(super) const MAX_AGREE_DELAY_MS: u64 = 100;
/// Time between requests (`recall` or `want`) for the history.
pub(super) const RECALL_RETRY_INTERVAL: Duration = Duration::from_millis(400);
/// Maximum number of unanswered `recall`s to one peer for one page. After them, the next peer is
/// asked.
pub(super) const MAX_RECALLS_PER_SOURCE: u8 = 3;
/// Time, from the start of the history fetch, after which a newcomer begins no further round
/// through the members that it asks.
pub(super) const HISTORY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after joining within which a newcomer that got no history still fetches it from a member
/// that it meets.
pub(super) const BELATED_HISTORY_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of `want`s for history entries that a newcomer sends. After them, the history is
/// shown without the entries that are missing.
pub(super) const MAX_HISTORY_WANTS: u8 = 10;
/// Delay of the follow-up heartbeat after an own message.
pub(super) const FOLLOW_UP_DELAY: Duration = Duration::from_millis(300);
/// Interval between heartbeats by all paths, counted in regular heartbeats.
pub(super) const ALL_PATHS_EVERY: u32 = 5;
/// Delay of the first `want` after a gap is noticed: minimum and maximum, in milliseconds.
pub(super) const WANT_DELAY_MS: (u64, u64) = (30, 150);
/// Delay until the next `want` for the same author: minimum and maximum, in milliseconds. After
/// many attempts it is multiplied by a factor.
pub(super) const WANT_RETRY_MS: (u64, u64) = (200, 300);
/// How much earlier than it is due a repeated `want` may be sent, to go together with `want`s that
/// are due. Also the delay of the next `want` after a `lost` that says something new.
pub(super) const WANT_COALESCE_WINDOW: Duration = Duration::from_millis(20);
/// Time without progress after which a gap is given up, if there is no peer to ask.
pub(super) const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for which an entry is held back, to wait for entries with smaller Lamport counters.
pub(super) const HOLD_BACK_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for which an entry is held for others that sort before it and may be on their way. Where
/// all peers hold their entries (`Mesh::order_hold`), they show the same order if a datagram
/// travels for at most half of this time.
pub(super) const ORDER_HOLD: Duration = Duration::from_millis(75);
/// Time after its last entry for which an author counts as talking.
pub(super) const TALK_WINDOW: Duration = Duration::from_secs(10);
/// Time after a `want` within which a second peer's `want` for the same entry is answered to
/// everybody.
pub(super) const WANT_DEDUP_WINDOW: Duration = Duration::from_millis(500);
/// Shortest pause between pings to one peer, unless half of I(n) is longer. The pause doubles with
/// further pings, up to [`PING_RETRY_MAX`].
pub(super) const PING_RETRY_MIN: Duration = Duration::from_secs(1);
/// Pause between the heartbeats that introduce this peer where no path works: to a peer that was
/// never heard by a path, and to named hosts. Also the pause between pings to such a peer, which
/// follow those heartbeats.
pub(super) const INTRODUCTION_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of heartbeats that introduce this peer to one other, or to named hosts.
pub(super) const MAX_INTRODUCTIONS: u8 = 10;
/// Longest pause between pings to one peer.
pub(super) const PING_RETRY_MAX: Duration = Duration::from_secs(30);
/// Time since its last control packet after which a peer in stage heard is forgotten. Such a peer
/// is not a member.
pub(super) const HEARD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for which a gone peer is remembered, counted from its going.
pub(super) const GONE_RETENTION: Duration = Duration::from_secs(600);
/// Minimum time between heartbeats to addresses of gone peers while this peer is alone.
pub(super) const REDISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// Minimum lateness of a wake-up that counts as a suspension of the machine. After a suspension, a
/// candidate starts a new attempt, and a member does not count the silence.
pub(super) const SUSPEND_THRESHOLD: Duration = Duration::from_secs(3);
/// Time after a suspension for which the clock skew of other peers is not measured. Their packets
/// may have waited in the socket.
pub(super) const SKEW_HOLIDAY: Duration = Duration::from_secs(2);
/// Time without an answer from any peer that is heard, after which the user is told that nobody
/// seems to hear this peer.
pub(super) const UNHEARD_HINT_DELAY: Duration = Duration::from_secs(30);
/// Minimum time between sweeps over all contacts. In a room with more than 50 members it is longer.
pub(super) const MIN_SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Minimum time until the next wake-up, so that timers cannot spin.
pub(super) const MIN_WAKE_INTERVAL: Duration = Duration::from_millis(1);

/// Returns I(n), the mean heartbeat interval in a room with `members` members, this peer included:
/// 40 ms per member, at least 2 seconds.
pub(super) fn heartbeat_interval(members: usize) -> Duration {
    let scaled = u64::try_from(members).unwrap_or(u64::MAX).saturating_mul(40);
    Duration::from_millis(scaled.max(2_000))
}

/// Returns G(n), the silence after which a member counts as gone: 2.5 × I(n), at least 10 seconds.
pub(super) fn gone_after(members: usize) -> Duration {
    (heartbeat_interval(members) * 5 / 2).max(Duration::from_secs(10))
}

/// Returns the silence of a peer, or of its verified address, after which another address of the
/// peer is looked for: 1.5 × I(n) + 1 s. So one lost heartbeat does not matter.
pub(super) fn address_patience(members: usize) -> Duration {
    heartbeat_interval(members) * 3 / 2 + Duration::from_secs(1)
}

/// Returns the timeout after which another peer counts as not hearing this one, from the last page
/// of that peer that listed this one as heard: 30 s, plus 4 × I(n) for each page of 45 members or
/// part of one.
pub(super) fn listing_patience(members: usize) -> Duration {
    let pages = u32::try_from(members.div_ceil(MEMBERS_IN_PAGE)).unwrap_or(u32::MAX);
    Duration::from_secs(30) + heartbeat_interval(members).saturating_mul(pages).saturating_mul(4)
}

/// Returns W(n), the silence on a path after which the path counts as not working: 12 × I(n).
pub(super) fn path_timeout(members: usize) -> Duration {
    heartbeat_interval(members) * 12
}

/// Returns the delay from the time when a member becomes known until it is told by which paths it
/// is heard: 1.25 × I(n). By then, at least one of its heartbeats should have arrived.
pub(super) fn path_report_delay(members: usize) -> Duration {
    heartbeat_interval(members) * 5 / 4
}
