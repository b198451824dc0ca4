//! How long things take: `docs/protocol/udp.md`, section 17.

use std::time::Duration;

/// When a candidate announces itself, after its first announce.
pub(super) const ANNOUNCES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(1_500),
];
/// From the first announce until a candidate may be in.
pub(super) const WINDOW: Duration = Duration::from_secs(2);
/// Between announces to those that have not answered.
pub(super) const ANNOUNCE_AGAIN: Duration = Duration::from_millis(500);
/// Announces without an answer after which somebody is gone.
pub(super) const ANNOUNCES_TO_ONE: u8 = 6;
/// How long a candidate waits for somebody who asks a person.
pub(super) const ASKING_PATIENCE: Duration = Duration::from_secs(12);
/// From the first announce until a candidate is in, whoever owes an answer.
pub(super) const JOIN_AT_MOST: Duration = Duration::from_secs(20);

/// How long a person may think; then it is a yes.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Longest delay of an agreement, in milliseconds.
pub(super) const AGREE_DELAY: u64 = 100;
/// Between requests for the history.
pub(super) const RECALL_AGAIN: Duration = Duration::from_millis(400);
/// Requests for the history to one peer.
pub(super) const RECALL_TRIES: u8 = 3;
/// Requests for those of the ten that have not come.
pub(super) const WANT_TRIES: u8 = 6;
/// From one's message to the heartbeat that tells of it.
pub(super) const TAIL: Duration = Duration::from_millis(300);
/// Each so many heartbeats one goes by all ways.
pub(super) const ALL_WAYS_EACH: u32 = 5;
/// First request for what is missing, in milliseconds from when one knows.
pub(super) const WANT_DELAY: (u64, u64) = (30, 150);
/// The next one.
pub(super) const WANT_AGAIN: (u64, u64) = (200, 300);
/// Requests that are no further apart than this are made together.
pub(super) const WANT_TOGETHER: Duration = Duration::from_millis(20);
/// What nobody has is given up after this.
pub(super) const GIVE_UP: Duration = Duration::from_secs(10);
/// How long an entry waits for one with a smaller Lamport counter.
pub(super) const HOLD: Duration = Duration::from_secs(1);
/// An entry that is asked for twice within this goes to everybody.
pub(super) const ASKED_TWICE: Duration = Duration::from_millis(500);
/// Between pings to somebody who is silent; doubles up to the last.
pub(super) const PING_AGAIN: Duration = Duration::from_secs(1);
/// See there.
pub(super) const PING_AT_MOST: Duration = Duration::from_secs(30);
/// Unverified peers are forgotten after this.
pub(super) const HEARD_ONLY: Duration = Duration::from_secs(30);
/// Peers that have gone are forgotten after this.
pub(super) const GONE_MEMORY: Duration = Duration::from_secs(600);
/// Between attempts at the last known addresses while one is alone.
pub(super) const KNOCK: Duration = Duration::from_secs(10);
/// A timer that is late by so much was held up: the machine has slept. (A
/// candidate begins anew.)
pub(super) const SUSPEND_THRESHOLD: Duration = Duration::from_secs(3);
/// Between looks at all contacts, at least.
pub(super) const SWEEP: Duration = Duration::from_millis(100);

/// The next wake is no sooner than this.
pub(super) const MIN_WAKE_INTERVAL: Duration = Duration::from_millis(1);

/// I(n): between heartbeats with `members` members.
pub(super) fn interval(members: usize) -> Duration {
    let scaled = u64::try_from(members).unwrap_or(u64::MAX).saturating_mul(40);
    Duration::from_millis(scaled.max(2_000))
}

/// G(n): who was heard by nobody for so long is gone.
pub(super) fn gone_after(members: usize) -> Duration {
    (interval(members) * 5 / 2).max(Duration::from_secs(10))
}

/// W(n): a way by which nothing has come for so long does not work.
pub(super) fn way_works_for(members: usize) -> Duration {
    interval(members) * 12
}

/// How long one looks at somebody before one tells how one hears them: at
/// least one heartbeat should have come.
pub(super) fn first_look(members: usize) -> Duration {
    (interval(members) * 5 / 4).max(Duration::from_secs(2))
}
