//! The page's times and bounds, as numbers: `docs/protocol/udp.md`, sections
//! 10, 11, 13, 17 and 18.

use super::world::{MS, S};

/// I(n), without the 10 % of chance: between heartbeats.
pub(crate) fn interval(members: usize) -> u64 {
    (2 * S).max(members as u64 * 40 * MS)
}

/// G(n): who was heard by nobody for so long is gone.
pub(crate) fn gone_after(members: usize) -> u64 {
    (10 * S).max(interval(members) * 5 / 2)
}

/// EventKind nobody has is given up after this.
pub(crate) const GIVE_UP: u64 = 10 * S;

/// After so long one name is held by one of two that know each other.
pub(crate) fn name_conflict_bound(members: usize, loss: f64) -> u64 {
    3 * S + interval(members) * attempts(round_trip_loss(loss))
}

/// After so long two that can talk to each other know each other: each fifth
/// heartbeat goes by all ways; then it takes up to I(n) until the ping.
pub(crate) fn discovery_bound(members: usize, loss: f64) -> u64 {
    interval(members) * 11 / 2 * attempts(loss)
        + interval(members) * attempts(round_trip_loss(loss))
}

/// After so long a message has reached somebody who knows its author and whom
/// its author could talk to all the while: a heartbeat tells of it, and it is
/// asked for.
pub(crate) fn repair_bound(members: usize, loss: f64) -> u64 {
    interval(members) * 11 / 10 * attempts(loss) + S * attempts(round_trip_loss(loss))
}

/// The share of questions without an answer.
fn round_trip_loss(loss: f64) -> f64 {
    1.0 - (1.0 - loss) * (1.0 - loss)
}

/// So often something has to be tried that fails with this probability,
/// until it fails once in a million times.
fn attempts(fails: f64) -> u64 {
    let (mut attempts, mut all_fail) = (1, fails);
    while all_fail > 1e-6 {
        all_fail *= fails;
        attempts += 1;
    }
    attempts
}

/// Datagrams of one peer while nothing is said, in so many microseconds, with
/// `ways` copies of what goes to all.
pub(crate) fn idle_datagrams(members: usize, paths: f64, time: u64) -> f64 {
    // One heartbeat more, by all ways: a window may begin just before one.
    (paths + 0.6) * 1.1 * time as f64 / interval(members) as f64 + paths + 2.0
}

/// Datagrams for each message said, with this share lost.
pub(crate) fn datagrams_for_message(members: usize, paths: f64, loss: f64) -> f64 {
    2.0 * paths + 4.0 * (members as f64 - 1.0) * loss / (1.0 - loss) / (1.0 - loss)
}

/// Bytes of a datagram, at most, on average: those of a heartbeat whose page
/// lists as many as it can of these authors.
pub(crate) fn mean_size(authors: usize) -> f64 {
    200.0 + 14.0 * authors.min(60) as f64
}
