//! The rows of the comparison: what is measured.

use std::time::Duration;

use crate::generator::{Crowd, Until};

/// Text of most messages: 64 bytes, an ordinary line.
const SHORT: usize = 64;

/// A long text.
const LONG: usize = 1_024;

/// What clients do while a server is measured.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Senders keep so many messages in flight.
    Window(u32),
    /// So many messages are sent a second in all.
    Rate(u32),
    /// Everybody joins, and nobody says anything.
    Idle,
    /// Every sender sends so many messages, 8 in flight; then memory is measured.
    Memory(u32),
    /// Senders keep so many messages in flight; then again, while somebody does not read.
    SlowReader(u32),
}

/// A row of the comparison; some have several lines in the table.
pub(crate) struct Row {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it is, for the table.
    pub(crate) title: &'static str,
    /// Who is in which room.
    pub(crate) crowd: Crowd,
    /// What they do.
    pub(crate) work: Work,
}

/// Returns a crowd whose texts are short.
const fn crowd(rooms: usize, people: usize, senders: usize) -> Crowd {
    Crowd { rooms, people, senders, size: SHORT }
}

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "room-1000",
        title: "1 room of 1,000, 4 senders × 32 in flight",
        crowd: crowd(1, 1_000, 4),
        work: Work::Window(32),
    },
    Row {
        name: "room-100",
        title: "1 room of 100, 4 senders × 32 in flight",
        crowd: crowd(1, 100, 4),
        work: Work::Window(32),
    },
    Row {
        name: "room-100-long",
        title: "1 room of 100, 4 × 32, 1 KiB",
        crowd: Crowd { size: LONG, ..crowd(1, 100, 4) },
        work: Work::Window(32),
    },
    Row {
        name: "room-10",
        title: "1 room of 10, 4 senders × 32 in flight",
        crowd: crowd(1, 10, 4),
        work: Work::Window(32),
    },
    Row {
        name: "small-rooms",
        title: "200 rooms of 5, 1 sender × 1 in flight",
        crowd: crowd(200, 5, 1),
        work: Work::Window(1),
    },
    Row {
        name: "small-rooms-8",
        title: "200 rooms of 5, 1 sender × 8 in flight",
        crowd: crowd(200, 5, 1),
        work: Work::Window(8),
    },
    Row {
        name: "small-rooms-rate",
        title: "200 rooms of 5, 500 messages/s in all",
        crowd: crowd(200, 5, 1),
        work: Work::Rate(500),
    },
    Row {
        name: "people-rate",
        title: "1 room of 100, 100 messages/s",
        crowd: crowd(1, 100, 100),
        work: Work::Rate(100),
    },
    Row {
        name: "idle",
        title: "10,000 connections, 100 rooms of 100",
        crowd: crowd(100, 100, 0),
        work: Work::Idle,
    },
    Row {
        name: "memory",
        title: "200 rooms of 5, after 100,000 messages",
        crowd: crowd(200, 5, 1),
        work: Work::Memory(500),
    },
    Row {
        name: "slow-reader",
        title: "1 room of 1,000, and one who does not read",
        crowd: crowd(1, 1_000, 4),
        work: Work::SlowReader(32),
    },
];

/// Rows that show how the cost grows with people and rooms; measured only when asked for.
pub(crate) const GROWTH: &[Row] = &[
    Row { name: "people-2", title: "1 room of 2", crowd: crowd(1, 2, 2), work: Work::Window(32) },
    Row {
        name: "people-10",
        title: "1 room of 10",
        crowd: crowd(1, 10, 2),
        work: Work::Window(32),
    },
    Row {
        name: "people-100",
        title: "1 room of 100",
        crowd: crowd(1, 100, 2),
        work: Work::Window(32),
    },
    Row {
        name: "people-1000",
        title: "1 room of 1,000",
        crowd: crowd(1, 1_000, 2),
        work: Work::Window(32),
    },
    Row { name: "rooms-2", title: "2 rooms of 5", crowd: crowd(2, 5, 1), work: Work::Window(8) },
    Row { name: "rooms-20", title: "20 rooms of 5", crowd: crowd(20, 5, 1), work: Work::Window(8) },
    Row {
        name: "rooms-200",
        title: "200 rooms of 5",
        crowd: crowd(200, 5, 1),
        work: Work::Window(8),
    },
    Row {
        name: "rooms-1000",
        title: "1,000 rooms of 5",
        crowd: crowd(1_000, 5, 1),
        work: Work::Window(8),
    },
];

impl Row {
    /// Returns the row as it is measured in a run that only tries everything out.
    pub(crate) fn shortened(&self) -> Crowd {
        let Crowd { rooms, people, .. } = self.crowd;
        Crowd { rooms: rooms.min(20), people: people.min(100), ..self.crowd }
    }
}

/// How long senders send in a run, and how much.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    /// Time.
    pub(crate) duration: Duration,
    /// True if everything is only tried out.
    pub(crate) is_quick: bool,
}

impl Length {
    /// Returns when senders stop.
    pub(crate) const fn until(self) -> Until {
        Until::Elapsed(self.duration)
    }
}
