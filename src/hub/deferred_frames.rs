//! Deferred frames of a connection: received frames that wait while the connection is blocked.

use std::collections::VecDeque;

use crate::wire::tcp::{ClientFrame, Decoded};

/// Maximum memory of the deferred frames of one connection, in bytes. Beyond it, the connection is
/// closed. It is more than the largest frame takes.
pub(super) const MAX_DEFERRED_BYTES: usize = 32 << 10;

/// Queue of deferred frames, and its size.
#[derive(Debug, Default)]
pub(super) struct DeferredFrames {
    /// Frames in the order in which they were received.
    frames: VecDeque<Decoded<ClientFrame>>,
    /// Memory of the frames, in bytes.
    bytes: usize,
}

impl DeferredFrames {
    /// Appends a frame. The caller checks the limits.
    pub(super) fn push(&mut self, frame: Decoded<ClientFrame>) {
        self.bytes += frame.bytes();
        self.frames.push_back(frame);
    }

    /// Removes and returns the oldest frame. If there is none, returns `None` and frees the queue.
    pub(super) fn pop(&mut self) -> Option<Decoded<ClientFrame>> {
        let Some(frame) = self.frames.pop_front() else {
            *self = Self::default();
            return None;
        };
        self.bytes -= frame.bytes();
        Some(frame)
    }

    /// Returns true if there is no frame.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the number of frames.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Returns the memory of the frames, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
