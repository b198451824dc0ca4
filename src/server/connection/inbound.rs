//! Inbound half of a connection: cuts received bytes into frames, and charges them to the
//! client's rate limit: `docs/protocol/tcp.md`, section 12.

use std::time::Duration;

use crate::model::limits::PING_INTERVAL;
use crate::model::{Moment, TokenBucket};
use crate::server::group_rates::GroupRate;
use crate::wire::tcp::{ClientFrame, Decoded};
use crate::wire::{FrameError, FrameReader};

/// Burst of a connection that has not joined, in units. It is enough for `hello` and all permitted
/// attempts to join.
const GREETING_BURST: u32 = 16;

/// Rate limit of a connection that has not joined, in units per minute after the burst.
const GREETING_UNITS_PER_MINUTE: u32 = 60;

/// Maximum length of a body, in bytes, that is paid by the units of the frame's kind. Beyond it,
/// each further piece of up to this length costs one more unit.
const BYTES_PER_UNIT: usize = 1_024;

/// Minimum wait for which a `slow_down` notice is sent if the address group is the reason. A
/// shorter wait is over before a user could have read the notice, and other users of the address
/// may have caused it.
const MIN_NOTICED_GROUP_WAIT: Duration = Duration::from_secs(1);

/// Inbound half of a connection: cuts received bytes into frames, no faster than the client's rate
/// limit allows.
pub(super) struct Inbound {
    /// Buffer of received bytes that are not cut: an incomplete frame, and frames that the rate
    /// limit delays.
    reader: FrameReader,
    /// Rate limit in force, in units. Until [`Self::set_joined`], it is the limit for connections
    /// that have not joined.
    bucket: TokenBucket,
    /// Rate limit that [`Self::set_joined`] will put in force; `None` after that.
    joined_bucket: Option<TokenBucket>,
    /// Rate limit of the messages of the client's address group.
    group_rate: GroupRate,
    /// Message that has exceeded the rate limit of the address group. The next call of
    /// [`Self::cut`] returns it. `None` if there is none.
    held: Option<Box<Decoded<ClientFrame>>>,
    /// Time of the last `pong` that was free of charge; `None` before the first one.
    free_pong_at: Option<Moment>,
    /// True after the `slow_down` notice, until a call of [`Self::cut`] finds the bucket full.
    is_slow_down_sent: bool,
}

/// Result of cutting received bytes into frames.
pub(super) struct Cut {
    /// Frames, in the order received.
    pub(super) frames: Vec<Decoded<ClientFrame>>,
    /// Estimated memory of the frames, in bytes: for each frame, the size of the struct and the
    /// length of the body.
    pub(super) memory: usize,
    /// Time to wait before more bytes may be read and cut. Zero if no rate limit was exceeded.
    pub(super) wait: Duration,
    /// True if the address group is the reason for `wait`: its rate limit requires a longer wait
    /// than the client's own.
    pub(super) is_group_limited: bool,
    /// Framing error after the last of `frames`; `None` if there is none. After an error, nothing
    /// more can be read from this client.
    pub(super) error: Option<FrameError>,
}

impl Inbound {
    /// Creates the inbound half of a connection that has received nothing. `joined_bucket`: rate
    /// limit once the client has joined. `group_rate`: rate limit of the messages of its address
    /// group.
    pub(super) fn new(joined_bucket: TokenBucket, group_rate: GroupRate) -> Self {
        Self {
            reader: FrameReader::from_client(),
            bucket: TokenBucket::new(GREETING_BURST, GREETING_UNITS_PER_MINUTE),
            joined_bucket: Some(joined_bucket),
            group_rate,
            held: None,
            free_pong_at: None,
            is_slow_down_sent: false,
        }
    }

    /// Puts the rate limit of a joined client in force. Further calls have no effect.
    pub(super) fn set_joined(&mut self) {
        if let Some(bucket) = self.joined_bucket.take() {
            self.bucket = bucket;
        }
    }

    /// Cuts frames from the bytes that earlier calls have left, and then from `bytes`. Stops after
    /// the first frame that exceeds a rate limit. If only the client's own limit is exceeded, still
    /// returns this frame. If the limit of the address group is exceeded, the next call returns the
    /// frame, without charging it again: otherwise all connections of a group could exceed the
    /// limit at once, by a message each.
    ///
    /// If [`Cut::wait`] is not zero, call it again without bytes when that time is over, and not
    /// before: a frame may be held, and the bytes that are left may contain whole frames.
    pub(super) fn cut(&mut self, bytes: &[u8], now: Moment) -> Cut {
        let Self { reader, bucket, group_rate, held, free_pong_at, is_slow_down_sent, .. } = self;
        *is_slow_down_sent &= !bucket.is_full(now);
        let mut frames: Vec<_> = held.take().map(|it| *it).into_iter().collect();
        let mut wait = Duration::ZERO;
        let mut is_group_limited = false;
        let outcome = reader.feed(bytes, |body| {
            let frame = ClientFrame::decode(body);
            let units = units_of_kind(&frame, free_pong_at, now) + units_of_length(body.len());
            wait = bucket.take_many(now, units);
            let group_wait =
                if is_message(&frame) { group_rate.take(now, units) } else { Duration::ZERO };
            if !group_wait.is_zero() {
                is_group_limited = group_wait > wait;
                wait = wait.max(group_wait);
                *held = Some(Box::new(frame));
            } else {
                frames.push(frame);
            }
            wait.is_zero()
        });
        let memory = frames.iter().map(Decoded::bytes).sum();
        Cut { frames, memory, wait, is_group_limited, error: outcome.err() }
    }

    /// Returns true if something received has not been returned by [`Self::cut`]: a part of a
    /// frame, or frames that a rate limit delays.
    pub(super) const fn has_rest(&self) -> bool {
        self.held.is_some() || self.reader.has_rest()
    }

    /// Returns the text of the `slow_down` notice that must be sent now, and records the notice as
    /// sent. Returns `None` if the bucket was not full again since the last notice, or if the
    /// address group alone is the reason and `wait` is shorter than [`MIN_NOTICED_GROUP_WAIT`].
    ///
    /// Call it when [`Cut::wait`] is not zero, with the wait and [`Cut::is_group_limited`].
    pub(super) fn slow_down_text(
        &mut self,
        wait: Duration,
        is_group_limited: bool,
    ) -> Option<&'static str> {
        if is_group_limited && wait < MIN_NOTICED_GROUP_WAIT {
            return None;
        }
        let is_sent = std::mem::replace(&mut self.is_slow_down_sent, true);
        let text = if is_group_limited {
            "Too much comes from your network address, so this server reads it more slowly."
        } else {
            "You are sending too fast, so this server reads what you send more slowly."
        };
        (!is_sent).then_some(text)
    }
}

/// Returns true for messages, which are delivered to others: they count against the address group
/// too.
const fn is_message(frame: &Decoded<ClientFrame>) -> bool {
    matches!(frame, Decoded::Frame(ClientFrame::Say(_) | ClientFrame::Direct(_)))
}

/// Returns the cost of a body's length beyond the first [`BYTES_PER_UNIT`], in units.
fn units_of_length(length: usize) -> u32 {
    u32::try_from(length.saturating_sub(1) / BYTES_PER_UNIT).unwrap_or(u32::MAX)
}

/// Returns the cost of a frame by its kind, in units. It pays for a body of up to
/// [`BYTES_PER_UNIT`] bytes. A frame of an unknown kind, or one that cannot be decoded, costs 1.
///
/// A `pong` is free if the last free `pong` was at least [`PING_INTERVAL`] ago, because the server
/// pings no more often. A free `pong` sets `free_pong_at` to `now`.
fn units_of_kind(
    frame: &Decoded<ClientFrame>,
    free_pong_at: &mut Option<Moment>,
    now: Moment,
) -> u32 {
    match frame {
        Decoded::Frame(ClientFrame::Pong(_))
            if free_pong_at.is_none_or(|at| now.since(at) >= PING_INTERVAL) =>
        {
            *free_pong_at = Some(now);
            0
        }
        Decoded::Frame(frame) => frame.units(),
        Decoded::Ignored | Decoded::Malformed(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AddressGroup, HubSettings, Reference, Sequence, Timestamp};
    use crate::server::group_rates::{GroupRates, Limit};
    use crate::wire::tcp::{Hello, MAGIC, Pong, Say, Search};

    /// Returns the inbound half of a connection that has received the client's `hello`. The client
    /// has not joined; after joining, its rate limit is a burst of 60 units and 600 units per
    /// minute. The burst of its address group is twice as large.
    fn greeted() -> Inbound {
        let max_connections_per_address = 512;
        let settings = HubSettings { max_connections_per_address, ..HubSettings::default() };
        greeted_in(&GroupRates::new(Limit::of_messages(&settings)))
    }

    /// Like [`greeted`], for one of the connections of an address group with these rates.
    fn greeted_in(rates: &GroupRates) -> Inbound {
        let group = AddressGroup::of([192, 0, 2, 1].into());
        let rate = rates.rate_of(Moment::START, group);
        let mut inbound = Inbound::new(TokenBucket::new(60, 600), rate);
        let hello = Hello {
            magic: MAGIC,
            min_version: 1,
            max_version: 1,
            features: 0,
            client_name: String::new(),
            client_version: String::new(),
        };
        assert_eq!(inbound.cut(&encoded(hello), Moment::START).frames.len(), 1);
        inbound
    }

    /// Returns an encoded frame.
    fn encoded(frame: impl Into<ClientFrame>) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.into().encode(&mut bytes);
        bytes
    }

    /// Feeds `count` copies of a frame in one read, at the start of the clock. Returns the number
    /// of frames that the rate limit lets through, the one that exceeds the limit included.
    fn frames_within_rate(
        inbound: &mut Inbound,
        frame: impl Into<ClientFrame>,
        count: usize,
    ) -> usize {
        inbound.cut(&encoded(frame).repeat(count), Moment::START).frames.len()
    }

    /// Before joining, one `pong` is free, and further ones are charged.
    #[test]
    fn unsolicited_pongs_are_charged_before_joining_too() {
        // 1 of the 16 units went to the hello, the first pong is free, and the frame that exceeds
        // the limit still passes.
        assert_eq!(frames_within_rate(&mut greeted(), Pong { token: 1 }, 2_000), 1 + 15 + 1);
    }

    /// One `pong` in each ping interval is free.
    #[test]
    fn a_pong_is_free_once_in_a_ping_interval() {
        let mut inbound = greeted();
        inbound.set_joined();
        for round in 0..200 {
            let now = Moment::START + PING_INTERVAL * round;
            let cut = inbound.cut(&encoded(Pong { token: 1 }), now);
            assert!(cut.wait.is_zero() && inbound.bucket.is_full(now));
        }
    }

    /// A message that exceeds the rate limit of the address group is returned when the wait is
    /// over, before what follows it. So all connections together do not exceed the limit.
    #[test]
    fn messages_beyond_the_rate_of_the_group_are_held() {
        let rates = GroupRates::new(Limit::of_messages(&HubSettings::default()));
        let mut connections: Vec<_> = (0..100).map(|_| greeted_in(&rates)).collect();
        connections.iter_mut().for_each(Inbound::set_joined);
        let text = "x".to_owned();
        let say = Say { reference: Reference(1), room: "r".to_owned(), style: 0, text };
        let bytes = [encoded(say), encoded(Pong { token: 1 })].concat();
        let cuts: Vec<_> = connections.iter_mut().map(|it| it.cut(&bytes, Moment::START)).collect();
        let passed = cuts.iter().filter(|it| it.frames.len() == 2).count();
        let held = cuts.iter().filter(|it| it.frames.is_empty() && it.is_group_limited).count();
        assert_eq!((passed, held), (60, 40));
        let last = connections.last_mut().unwrap();
        assert!(last.has_rest());
        let cut = last.cut(&[], Moment::START + cuts.last().unwrap().wait);
        assert_eq!((cut.frames.len(), cut.wait, last.has_rest()), (2, Duration::ZERO, false));
    }

    /// A client is told of a wait because of its address group only if the wait is long, and of one
    /// because of its own rate in any case. It is told once.
    #[test]
    fn short_waits_for_the_group_are_not_told() {
        let mut inbound = greeted();
        let short = MIN_NOTICED_GROUP_WAIT - Duration::from_millis(1);
        assert_eq!(inbound.slow_down_text(short, true), None);
        let text = inbound.slow_down_text(MIN_NOTICED_GROUP_WAIT, true).unwrap();
        assert!(text.contains("your network address"), "{text}");
        assert_eq!(inbound.slow_down_text(MIN_NOTICED_GROUP_WAIT, true), None);
        let text = greeted().slow_down_text(short, false).unwrap();
        assert!(text.starts_with("You are"), "{text}");
    }

    /// A search costs 5 units.
    #[test]
    fn expensive_requests_cost_more_units() {
        let mut inbound = greeted();
        inbound.set_joined();
        let search = Search {
            reference: Reference(1),
            room: String::new(),
            from: String::new(),
            text: "tea".to_owned(),
            since: Timestamp(0),
            until: Timestamp(0),
            before: Sequence::ZERO,
            limit: 1,
        };
        assert_eq!(frames_within_rate(&mut inbound, search, 100), 60 / 5 + 1);
    }

    /// A frame costs one more unit for each further piece of its body, even if it cannot be
    /// decoded.
    #[test]
    fn long_frames_cost_more_units() {
        // A `say` of this length in the room `r` has 6 bytes besides the text, or 7 from 128 on.
        for (length, units) in [(1, 1), (64, 1), (1_000, 1), (1_017, 1), (1_018, 2), (4_096, 5)] {
            let mut inbound = greeted();
            inbound.set_joined();
            let (room, text) = ("r".to_owned(), "x".repeat(length));
            let say = Say { reference: Reference(1), room, style: 0, text };
            assert_eq!(frames_within_rate(&mut inbound, say, 100), 60 / units + 1, "{length}");
        }
        let mut inbound = greeted();
        inbound.set_joined();
        let unknown = [&[0x40, 0, 0x3f], &[0; 16_383][..]].concat();
        let passed = inbound.cut(&unknown.repeat(100), Moment::START).frames.len();
        assert_eq!(passed, 60 / 16 + 1);
    }
}
