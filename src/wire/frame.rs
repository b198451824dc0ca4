//! Framing of the TCP stream: a 2-byte big-endian length, then the body (`docs/protocol/tcp.md`,
//! section 2).

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::model::limits::{MAX_FIRST_FRAME, MAX_FRAME};

/// Length of a frame's length prefix, in bytes.
pub(super) const LENGTH_PREFIX_LEN: usize = 2;

/// First bytes of the body of every `hello`: kind 1 and magic number.
const HELLO_PREFIX: &[u8] = &[1, b'P', b'i', b'C', b'h'];

/// Body lengths that a client's first frame may have, in bytes.
const FIRST_FRAME_LENGTHS: RangeInclusive<u16> = 5..=MAX_FIRST_FRAME;

/// Framing error of a TCP stream. No more frames can be read from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Frame with a length of 0.
    #[error("empty frame")]
    Empty,
    /// Frame with a length above [`MAX_FRAME`] bytes. Nothing was allocated for it.
    #[error("frame too large")]
    TooLarge,
    /// The stream of a client does not begin with a `hello` of an allowed length.
    #[error("not a pi-chat stream")]
    NotPiChat,
}

/// Splits a TCP stream into frames. Buffers bytes that were fed but not handed out. While there are
/// none, it holds no memory.
#[derive(Debug)]
pub struct FrameReader {
    /// Bytes that were fed but not handed out: complete frames after the one at which the caller
    /// stopped, then an incomplete frame.
    buffered: Vec<u8>,
    /// True until the first frame of a client is complete: that frame must be a `hello`.
    expects_hello: bool,
}

impl FrameReader {
    /// Creates a reader for the stream from a client, which must begin with a `hello`.
    #[must_use]
    pub const fn from_client() -> Self {
        Self { buffered: Vec::new(), expects_hello: true }
    }

    /// Creates a reader for the stream from a server, which may begin with any frame.
    #[must_use]
    pub const fn from_server() -> Self {
        Self { buffered: Vec::new(), expects_hello: false }
    }

    /// Feeds received bytes, and calls `on_body` with the body of each complete frame, in order. If
    /// `on_body` returns false, `feed` stops after that frame and buffers the rest. To continue,
    /// call `feed` again; `bytes` may be empty. Bytes that are fed before the rest is handed out
    /// are buffered without limit.
    ///
    /// # Errors
    /// [`FrameError`] if the stream breaks the framing rules. The frames before the error were
    /// handed out. Do not call `feed` again after an error.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        on_body: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), FrameError> {
        if self.buffered.is_empty() {
            let rest = self.split_frames(bytes, on_body)?;
            self.buffered.extend_from_slice(rest);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.buffered);
        joined.extend_from_slice(bytes);
        let rest = self.split_frames(&joined, on_body)?.len();
        // Frees the memory as soon as nothing is left.
        if rest > 0 {
            joined.drain(..joined.len() - rest);
            self.buffered = joined;
        }
        Ok(())
    }

    /// Returns true if bytes are buffered: complete frames that [`Self::feed`] has not handed out
    /// yet, or a part of a frame.
    #[must_use]
    pub const fn has_rest(&self) -> bool {
        !self.buffered.is_empty()
    }

    /// Hands out the complete frames at the start of `bytes`, until `on_body` returns false.
    /// Returns the bytes that were not handed out.
    ///
    /// # Errors
    /// [`FrameError`] if the next frame has a wrong length, or the first bytes of a client cannot
    /// begin a `hello`.
    fn split_frames<'a>(
        &mut self,
        mut bytes: &'a [u8],
        mut on_body: impl FnMut(&[u8]) -> bool,
    ) -> Result<&'a [u8], FrameError> {
        loop {
            if self.expects_hello && !may_be_hello(bytes) {
                return Err(FrameError::NotPiChat);
            }
            let Some((header, rest)) = bytes.split_first_chunk::<LENGTH_PREFIX_LEN>() else {
                return Ok(bytes);
            };
            let length = usize::from(u16::from_be_bytes(*header));
            if length == 0 {
                return Err(FrameError::Empty);
            }
            if length > MAX_FRAME {
                return Err(FrameError::TooLarge);
            }
            let Some((body, rest)) = rest.split_at_checked(length) else {
                return Ok(bytes);
            };
            self.expects_hello = false;
            bytes = rest;
            if !on_body(body) {
                return Ok(bytes);
            }
        }
    }
}

/// Returns true if a stream that starts with `bytes` may begin with a `hello`. False if length,
/// kind or magic number is wrong.
fn may_be_hello(bytes: &[u8]) -> bool {
    let length_fits = match bytes {
        [] => true,
        [high] => u16::from_be_bytes([*high, 0]) <= MAX_FIRST_FRAME,
        [high, low, ..] => FIRST_FRAME_LENGTHS.contains(&u16::from_be_bytes([*high, *low])),
    };
    let body = bytes.get(LENGTH_PREFIX_LEN..).unwrap_or_default();
    let seen = body.len().min(HELLO_PREFIX.len());
    length_fits && body.get(..seen) == HELLO_PREFIX.get(..seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `pieces` to `reader` and returns the bodies of all frames.
    fn bodies(reader: &mut FrameReader, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut out = Vec::new();
        for piece in pieces {
            reader.feed(piece, |body| {
                out.push(body.to_vec());
                true
            })?;
        }
        Ok(out)
    }

    proptest! {
        /// The frames are the same wherever a stream is cut into pieces, and nothing is buffered
        /// after the last of them.
        #[test]
        fn frames_do_not_depend_on_read_boundaries(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut stream = Vec::new();
            for body in &frames {
                stream.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
                stream.extend_from_slice(body);
            }
            let mut ends: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
            ends.push(stream.len());
            ends.sort_unstable();
            let mut reader = FrameReader::from_server();
            let mut start = 0;
            let pieces: Vec<&[u8]> = ends.iter().map(|&end| {
                let piece = &stream[start..end];
                start = end;
                piece
            }).collect();
            prop_assert_eq!(bodies(&mut reader, &pieces).unwrap(), frames);
            prop_assert_eq!(reader.buffered.capacity(), 0);
        }
    }

    /// The first bytes that cannot begin a `hello` are an error. The beginning of a `hello` is
    /// none.
    #[test]
    fn other_protocols_are_rejected_by_first_bytes() {
        for other in [&b"G"[..], b"GET /", b"SSH-2.0", &[0x16, 3, 1], &[0, 4], &[1, 1], &[0, 15, 2]]
        {
            let outcome = bodies(&mut FrameReader::from_client(), &[other]);
            assert_eq!(outcome, Err(FrameError::NotPiChat), "{other:?}");
        }
        for may_be in [&[0][..], &[1], &[1, 0], &[0, 15, 1, b'P']] {
            assert_eq!(bodies(&mut FrameReader::from_client(), &[may_be]), Ok(vec![]));
        }
    }

    /// A length of 0 or above the limit is refused before anything is buffered.
    #[test]
    fn invalid_frame_lengths_are_refused_before_buffering() {
        let mut reader = FrameReader::from_server();
        assert_eq!(bodies(&mut reader, &[&[0, 0]]), Err(FrameError::Empty));
        assert_eq!(bodies(&mut reader, &[&[0x40, 1]]), Err(FrameError::TooLarge));
        assert_eq!(reader.buffered.capacity(), 0);
    }

    /// Frames stay buffered after `on_body` has returned false.
    #[test]
    fn unaccepted_frames_stay_buffered() {
        let mut reader = FrameReader::from_server();
        let mut got = Vec::new();
        for piece in [&[0, 1, 7, 0, 1, 8, 0, 1, 9, 0][..], &[], &[], &[1, 6]] {
            let mut take_one = |body: &[u8]| {
                got.push(body.to_vec());
                false
            };
            reader.feed(piece, &mut take_one).unwrap();
        }
        assert_eq!(got, [[7], [8], [9], [6]]);
        assert_eq!(reader.buffered.capacity(), 0);
    }
}
