//! Bounds that the protocol page promises, as numbers: `docs/protocol/udp.md`, sections 10, 11, 13,
//! 17 and 18. Times are in microseconds.

use super::world::{MS, S};

/// Returns I(n), the heartbeat interval, without its random part.
pub(crate) fn interval(members: usize) -> u64 {
    (2 * S).max(members as u64 * 40 * MS)
}

/// Returns G(n), the silence after which a member is gone.
pub(crate) fn gone_after(members: usize) -> u64 {
    (10 * S).max(interval(members) * 5 / 2)
}

/// Time after which a gap that no peer can fill is given up.
pub(crate) const GIVE_UP: u64 = 10 * S;

/// Returns the maximum duration of a name conflict between two peers that know each other.
pub(crate) fn name_conflict_bound(members: usize, loss: f64) -> u64 {
    3 * S + interval(members) * attempts(round_trip_loss(loss))
}

/// Returns the maximum time until two peers that can talk to each other know each other: each fifth
/// heartbeat goes by all paths, and the ping may take up to I(n).
pub(crate) fn discovery_bound(members: usize, loss: f64) -> u64 {
    interval(members) * 11 / 2 * attempts(loss)
        + interval(members) * attempts(round_trip_loss(loss))
}

/// Returns the maximum time until a message has reached a peer that knows its author and can talk
/// to it: a heartbeat tells of the message, and it is requested.
pub(crate) fn repair_bound(members: usize, loss: f64) -> u64 {
    interval(members) * 11 / 10 * attempts(loss) + S * attempts(round_trip_loss(loss))
}

/// Returns the share of questions that get no answer.
fn round_trip_loss(loss: f64) -> f64 {
    1.0 - (1.0 - loss) * (1.0 - loss)
}

/// Returns the number of attempts after which all have failed only once in a million times.
/// `fails`: share of attempts that fail, below 1.
fn attempts(fails: f64) -> u64 {
    let (mut attempts, mut all_fail) = (1, fails);
    while all_fail > 1e-6 {
        all_fail *= fails;
        attempts += 1;
    }
    attempts
}

/// Returns the maximum number of datagrams of one idle peer in `time`, with `paths` copies of what
/// goes to everybody.
pub(crate) fn idle_datagrams(members: usize, paths: f64, time: u64) -> f64 {
    // One more heartbeat by all paths: a sample may begin just before one.
    (paths + 0.6) * 1.1 * time as f64 / interval(members) as f64 + paths + 2.0
}

/// Returns the maximum number of datagrams per message, with this share lost.
pub(crate) fn datagrams_for_message(members: usize, paths: f64, loss: f64) -> f64 {
    2.0 * paths + 4.0 * (members as f64 - 1.0) * loss / (1.0 - loss) / (1.0 - loss)
}

/// Returns the maximum mean size of a datagram in bytes: a heartbeat whose page lists as many of
/// the authors as fit.
pub(crate) fn mean_size(authors: usize) -> f64 {
    200.0 + 14.0 * authors.min(60) as f64
}
