//! How long things take: `docs/protocol/udp.md`, section 17.

use std::time::Duration;

/// When a candidate announces itself, after its first announce.
pub(super) const ANNOUNCE_TIMES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(1_500),
];
/// From the first announce until a candidate may be in.
pub(super) const JOIN_WINDOW: Duration = Duration::from_secs(2);
/// Between announces to those that have not answered.
pub(super) const ANNOUNCE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Announces without an answer after which somebody is gone.
pub(super) const MAX_UNICAST_ANNOUNCES: u8 = 6;
/// How long a candidate waits for somebody who asks a person.
pub(super) const DEFERRED_VOTE_TIMEOUT: Duration = Duration::from_secs(12);
/// From the first announce until a candidate is in, whoever owes an answer.
pub(super) const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a person may think; then it is a yes.
pub(super) const APPROVAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest delay of an agreement, in milliseconds.
pub(super) const MAX_AGREE_DELAY_MS: u64 = 100;
/// Between requests for the history.
pub(super) const RECALL_RETRY_INTERVAL: Duration = Duration::from_millis(400);
/// Requests for the history to one peer.
pub(super) const MAX_RECALLS_PER_SOURCE: u8 = 3;
/// Requests for those of the ten that have not come.
pub(super) const MAX_HISTORY_WANTS: u8 = 6;
/// From one's message to the heartbeat that tells of it.
pub(super) const FOLLOW_UP_DELAY: Duration = Duration::from_millis(300);
/// Each so many heartbeats one goes by all ways.
pub(super) const ALL_PATHS_EVERY: u32 = 5;
/// First request for what is missing, in milliseconds from when one knows.
pub(super) const WANT_DELAY_MS: (u64, u64) = (30, 150);
/// The next one.
pub(super) const WANT_RETRY_MS: (u64, u64) = (200, 300);
/// Requests that are no further apart than this are made together.
pub(super) const WANT_COALESCE_WINDOW: Duration = Duration::from_millis(20);
/// What nobody has is given up after this.
pub(super) const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an entry waits for one with a smaller Lamport counter.
pub(super) const HOLD_BACK_TIMEOUT: Duration = Duration::from_secs(1);
/// An entry that is asked for twice within this goes to everybody.
pub(super) const WANT_DEDUP_WINDOW: Duration = Duration::from_millis(500);
/// Between pings to somebody who is silent; doubles up to the last.
pub(super) const PING_RETRY_MIN: Duration = Duration::from_secs(1);
/// See there.
pub(super) const PING_RETRY_MAX: Duration = Duration::from_secs(30);
/// Unverified peers are forgotten after this.
pub(super) const HEARD_TIMEOUT: Duration = Duration::from_secs(30);
/// Peers that have gone are forgotten after this.
pub(super) const GONE_RETENTION: Duration = Duration::from_secs(600);
/// Between attempts at the last known addresses while one is alone.
pub(super) const REDISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// A timer that is late by so much was held up: the machine has slept. (A
/// candidate begins anew.)
pub(super) const SUSPEND_THRESHOLD: Duration = Duration::from_secs(3);
/// Between looks at all contacts, at least.
pub(super) const MIN_SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The next wake is no sooner than this.
pub(super) const MIN_WAKE_INTERVAL: Duration = Duration::from_millis(1);

/// I(n): between heartbeats with `members` members.
pub(super) fn heartbeat_interval(members: usize) -> Duration {
    let scaled = u64::try_from(members).unwrap_or(u64::MAX).saturating_mul(40);
    Duration::from_millis(scaled.max(2_000))
}

/// G(n): who was heard by nobody for so long is gone.
pub(super) fn gone_after(members: usize) -> Duration {
    (heartbeat_interval(members) * 5 / 2).max(Duration::from_secs(10))
}

/// W(n): a way by which nothing has come for so long does not work.
pub(super) fn path_timeout(members: usize) -> Duration {
    heartbeat_interval(members) * 12
}

/// How long one looks at somebody before one tells how one hears them: at
/// least one heartbeat should have come.
pub(super) fn path_report_delay(members: usize) -> Duration {
    (heartbeat_interval(members) * 5 / 4).max(Duration::from_secs(2))
}
