//! The inbound half of a connection: cuts received bytes into frames, and meters them.

use std::time::Duration;

use crate::model::{Moment, TokenBucket};
use crate::wire::tcp::{ClientFrame, Decoded};
use crate::wire::{FrameError, FrameReader};

/// Cuts a client's bytes into frames, no faster than its rate limit allows.
pub(super) struct Inbound {
    /// Holds the frame that is not complete yet, and bytes that the rate limit does not allow yet.
    reader: FrameReader,
    /// The client's rate limit, in frames.
    bucket: TokenBucket,
    /// Whether the client was told that it sends too fast, and has not been below its rate since.
    is_slow_down_sent: bool,
}

/// Frames cut from the received bytes.
pub(super) struct Cut {
    /// The frames, in the order received.
    pub(super) frames: Vec<Decoded<ClientFrame>>,
    /// Time to wait before more bytes are read and cut; zero if the rate limit was not reached.
    pub(super) wait: Duration,
    /// The violation of the framing rules behind `frames`, if there is one: nothing more can be
    /// read from this client.
    pub(super) error: Option<FrameError>,
}

impl Inbound {
    /// A reader at the beginning of a client's stream; `bucket` holds its rate limit.
    pub(super) const fn new(bucket: TokenBucket) -> Self {
        Self { reader: FrameReader::from_client(), bucket, is_slow_down_sent: false }
    }

    /// Cuts frames from `bytes` and from what is left of earlier ones. After a [`Cut::wait`], call
    /// it again with no bytes when that time is over: what is left may hold whole frames.
    pub(super) fn cut(&mut self, bytes: &[u8], now: Moment) -> Cut {
        let Self { reader, bucket, is_slow_down_sent } = self;
        *is_slow_down_sent &= !bucket.is_full(now);
        let mut frames = Vec::new();
        let mut wait = Duration::ZERO;
        let outcome = reader.feed(bytes, |body| {
            let frame = ClientFrame::decode(body);
            if !matches!(frame, Decoded::Frame(ClientFrame::Pong(_))) {
                wait = bucket.take(now);
            }
            frames.push(frame);
            wait.is_zero()
        });
        Cut { frames, wait, error: outcome.err() }
    }

    /// Returns true if the client has to be told now that it sends too fast: once, until it has
    /// been below its rate long enough to fill its bucket. Call it when [`Cut::wait`] is not zero.
    pub(super) fn must_send_slow_down(&mut self) -> bool {
        !std::mem::replace(&mut self.is_slow_down_sent, true)
    }
}
