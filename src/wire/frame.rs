//! Frames: a 2-byte big-endian length, then the body
//! (`docs/protocol/tcp.md`, section 2).

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::model::limits::{MAX_FIRST_FRAME, MAX_FRAME};

/// Bytes of the length in front of a body.
pub(super) const LENGTH_PREFIX: usize = 2;

/// What the body of a client's first frame begins with: kind and magic.
const HELLO_PREFIX: &[u8] = &[1, b'P', b'i', b'C', b'h'];

/// Lengths that a client's first frame may have.
const FIRST_FRAME_LENGTHS: RangeInclusive<u16> = 5..=MAX_FIRST_FRAME;

/// A length that is not allowed. Nothing more can be read from this stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A frame without a body.
    #[error("empty frame")]
    Empty,
    /// Longer than the limit; no room was made for it.
    #[error("frame too large")]
    TooLarge,
    /// The first bytes of the stream cannot be the beginning of a `hello`.
    #[error("not a pi-chat stream")]
    NotPiChat,
}

/// Cuts a stream of bytes into frames. Holds at most what has been fed and
/// not been taken, and no memory at all when that is nothing.
#[derive(Debug)]
pub struct FrameReader {
    /// Bytes of a frame that has begun, or of frames that were not wanted yet.
    buffered: Vec<u8>,
    /// What comes next must be the beginning of a client's stream.
    expects_hello: bool,
}

impl FrameReader {
    /// For what a client sends.
    #[must_use]
    pub const fn from_client() -> Self {
        Self { buffered: Vec::new(), expects_hello: true }
    }

    /// For what a server sends.
    #[must_use]
    pub const fn from_server() -> Self {
        Self { buffered: Vec::new(), expects_hello: false }
    }

    /// Takes `bytes` and calls `on_body` for every frame that is complete,
    /// in order, for as long as it returns true. Call it for each piece that
    /// arrives. After `on_body` has returned false the rest is buffered: call
    /// it again, with no bytes, to go on.
    ///
    /// # Errors
    /// [`FrameError`] when the stream breaks the rules; frames before that
    /// have been handed out.
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
        // The memory is given back as soon as nothing is left.
        if rest > 0 {
            joined.drain(..joined.len() - rest);
            self.buffered = joined;
        }
        Ok(())
    }

    /// Hands out complete frames from the beginning of `bytes`; gives what
    /// is left.
    fn split_frames<'a>(
        &mut self,
        mut bytes: &'a [u8],
        mut on_body: impl FnMut(&[u8]) -> bool,
    ) -> Result<&'a [u8], FrameError> {
        loop {
            if self.expects_hello && !may_be_hello(bytes) {
                return Err(FrameError::NotPiChat);
            }
            let Some((header, rest)) = bytes.split_first_chunk::<LENGTH_PREFIX>() else {
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

/// Whether a stream that begins with `bytes` may turn out to be a client's.
fn may_be_hello(bytes: &[u8]) -> bool {
    let length_fits = match bytes {
        [] => true,
        [high] => u16::from_be_bytes([*high, 0]) <= MAX_FIRST_FRAME,
        [high, low, ..] => FIRST_FRAME_LENGTHS.contains(&u16::from_be_bytes([*high, *low])),
    };
    let body = bytes.get(LENGTH_PREFIX..).unwrap_or_default();
    let seen = body.len().min(HELLO_PREFIX.len());
    length_fits && body.get(..seen) == HELLO_PREFIX.get(..seen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that `reader` makes of `pieces`.
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
        /// However a stream is cut into pieces, the frames are the same, and
        /// nothing is buffered after the last of them.
        #[test]
        fn pieces_do_not_matter(
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

    /// Other protocols are told apart by the bytes that they begin with.
    #[test]
    fn other_protocols_are_told_at_once() {
        for other in [&b"G"[..], b"GET /", b"SSH-2.0", &[0x16, 3, 1], &[0, 4], &[1, 1], &[0, 15, 2]]
        {
            let outcome = bodies(&mut FrameReader::from_client(), &[other]);
            assert_eq!(outcome, Err(FrameError::NotPiChat), "{other:?}");
        }
        for may_be in [&[0][..], &[1], &[1, 0], &[0, 15, 1, b'P']] {
            assert_eq!(bodies(&mut FrameReader::from_client(), &[may_be]), Ok(vec![]));
        }
    }

    /// A length above the limit is refused before anything is buffered.
    #[test]
    fn limits() {
        let mut reader = FrameReader::from_server();
        assert_eq!(bodies(&mut reader, &[&[0, 0]]), Err(FrameError::Empty));
        assert_eq!(bodies(&mut reader, &[&[0x40, 1]]), Err(FrameError::TooLarge));
        assert_eq!(reader.buffered.capacity(), 0);
    }

    /// Frames that are not wanted yet are buffered until they are.
    #[test]
    fn frames_one_at_a_time() {
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
