//! The check of deliveries: each message of each sender reaches everybody in the room once, unchanged
//! and in order; and the time that it takes.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::generator::Crowd;
use crate::servers::Member;
use crate::text::{Mark, Texts};

/// Longest time of a delivery that is told from longer ones, in nanoseconds: a minute.
const LONGEST: u64 = 60_000_000_000;

/// Somebody who sends.
struct Sender {
    /// Number of its client.
    client: usize,
    /// Number of its room.
    room: usize,
    /// Its number among the senders of its room.
    place: usize,
    /// Number of the client whose receipt frees its window.
    witness: usize,
    /// Number of messages sent.
    sent: u32,
    /// Number of them that the witness has received.
    witnessed: u32,
    /// True while it waits in the list of those that may send.
    is_free: bool,
}

/// When messages are due that are sent at a fixed rate.
struct Schedule {
    /// When the first one is.
    start: Instant,
    /// Time between two.
    interval: Duration,
}

/// What was sent, and what was delivered of it.
pub(crate) struct Deliveries {
    /// Who is in which room.
    crowd: Crowd,
    /// Number of deliveries of each message.
    receivers: u64,
    /// Makes and reads texts.
    texts: Texts,
    /// All senders, those of a room behind one another.
    senders: Vec<Sender>,
    /// Number of the next message of each sender for each client of its room.
    expected: Vec<u32>,
    /// Senders that may have become able to send.
    free: Vec<usize>,
    /// Number of messages sent.
    sent: u64,
    /// Number of deliveries.
    delivered: u64,
    /// What was lost, repeated, damaged or out of order.
    pub(crate) faults: Faults,
    /// When messages are due, at a fixed rate.
    schedule: Option<Schedule>,
    /// Nanoseconds from when a message was due until it was received.
    latency: Histogram<u64>,
    /// Nanoseconds from when a message was due until it was sent.
    lateness: Histogram<u64>,
}

/// Number of deliveries that were not as they should be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Those that did not come, or came behind a later one.
    pub(crate) lost: u64,
    /// Those that came again, or behind a later one.
    pub(crate) repeated: u64,
    /// Those that were no message of this room, or not unchanged.
    pub(crate) damaged: u64,
}

impl Faults {
    /// Returns the number of all of them. A delivery that came behind a later one counts twice: as lost
    /// and as repeated.
    pub(crate) const fn count(self) -> u64 {
        self.lost + self.repeated + self.damaged
    }
}

impl Deliveries {
    /// Begins with nothing sent. The first clients of each room are its senders. With `has_echo` a
    /// sender gets its own messages.
    pub(crate) fn new(crowd: Crowd, has_echo: bool) -> Self {
        let mut senders = Vec::new();
        for room in 0..crowd.rooms {
            let first = room * crowd.people;
            senders.extend((0..crowd.senders).map(|place| Sender {
                client: first + place,
                room,
                place,
                witness: first + (place + 1) % crowd.people,
                sent: 0,
                witnessed: 0,
                is_free: false,
            }));
        }
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 3).unwrap();
        Self {
            receivers: (crowd.people - usize::from(!has_echo)) as u64,
            texts: Texts::new(crowd.size),
            senders,
            expected: vec![0; crowd.rooms * crowd.people * crowd.senders],
            free: Vec::new(),
            sent: 0,
            delivered: 0,
            faults: Faults::default(),
            schedule: None,
            latency: histogram(),
            lateness: histogram(),
            crowd,
        }
    }

    /// Returns the number of senders.
    pub(crate) const fn sender_count(&self) -> usize {
        self.senders.len()
    }

    /// Returns the number of a sender's client.
    pub(crate) fn client(&self, sender: usize) -> usize {
        self.senders[sender].client
    }

    /// Returns the number of messages that a sender has sent.
    pub(crate) fn sent(&self, sender: usize) -> u32 {
        self.senders[sender].sent
    }

    /// Returns the number of messages of a sender that are in flight.
    pub(crate) fn in_flight(&self, sender: usize) -> u32 {
        self.senders[sender].sent - self.senders[sender].witnessed
    }

    /// Counts a message of a sender as sent. Returns its number and its text.
    pub(crate) fn next_text(&mut self, sender: usize) -> (u32, Vec<u8>) {
        let number = self.senders[sender].sent;
        self.senders[sender].sent += 1;
        self.sent += 1;
        (number, self.texts.write(Mark { sender, number }))
    }

    /// Lists all senders as able to send.
    pub(crate) fn free_all(&mut self) {
        self.free = (0..self.senders.len()).rev().collect();
        self.senders.iter_mut().for_each(|sender| sender.is_free = true);
    }

    /// Takes a sender off the list of those that may be able to send.
    pub(crate) fn next_free(&mut self) -> Option<usize> {
        let sender = self.free.pop()?;
        self.senders[sender].is_free = false;
        Some(sender)
    }

    /// Returns true if every sender has sent so many messages.
    pub(crate) fn have_all_sent(&self, count: u32) -> bool {
        self.sent == u64::from(count) * self.senders.len() as u64
    }

    /// Returns the number of deliveries.
    pub(crate) const fn count(&self) -> u64 {
        self.delivered
    }

    /// Returns true if something that was sent is not yet delivered.
    pub(crate) const fn are_missing(&self) -> bool {
        self.delivered + self.faults.lost < self.sent * self.receivers
    }

    /// Counts what has not come as lost.
    pub(crate) fn count_missing(&mut self) {
        let missing = (self.sent * self.receivers).saturating_sub(self.delivered);
        self.faults.lost = self.faults.lost.max(missing);
    }

    /// Begins to measure the time of deliveries.
    pub(crate) fn begin_schedule(&mut self, start: Instant, interval: Duration) {
        self.schedule = Some(Schedule { start, interval });
    }

    /// Ends it.
    pub(crate) fn end_schedule(&mut self) {
        self.schedule = None;
    }

    /// Notes by how much a message was sent later than it was due.
    pub(crate) fn note_lateness(&mut self, lateness: Duration) {
        self.lateness.saturating_record(u64::try_from(lateness.as_nanos()).unwrap());
    }

    /// Returns the time if it is needed for [`take`](Self::take).
    pub(crate) fn now(&self) -> Option<Instant> {
        self.schedule.is_some().then(Instant::now)
    }

    /// Takes the text of a message that a client has received, at this time if times are measured.
    pub(crate) fn take(&mut self, member: Member, text: &[u8], now: Option<Instant>) {
        let mark = self.texts.read(text);
        let found = mark.and_then(|mark| Some((mark, self.senders.get_mut(mark.sender)?)));
        let Some((mark, sender)) =
            found.filter(|(mark, sender)| sender.room == member.room && mark.number < sender.sent)
        else {
            self.faults.damaged += 1;
            return;
        };
        let Some(expected) =
            self.expected.get_mut(member.number * self.crowd.senders + sender.place)
        else {
            // The one who does not read.
            return;
        };
        if mark.number < *expected {
            self.faults.repeated += 1;
            return;
        }
        self.faults.lost += u64::from(mark.number - *expected);
        *expected = mark.number + 1;
        self.delivered += 1;
        if member.number == sender.witness {
            sender.witnessed = mark.number + 1;
            if !std::mem::replace(&mut sender.is_free, true) {
                self.free.push(mark.sender);
            }
        }
        if let (Some(now), Some(schedule)) = (now, &self.schedule) {
            let turn = mark.number * u32::try_from(self.senders.len()).unwrap();
            let due = schedule.interval * (turn + u32::try_from(mark.sender).unwrap());
            let latency = now.saturating_duration_since(schedule.start + due);
            self.latency.saturating_record(u64::try_from(latency.as_nanos()).unwrap());
        }
    }

    /// Returns a quantile of the time of deliveries, in microseconds.
    pub(crate) fn latency(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }

    /// Returns a quantile of the time by which messages were sent late, in microseconds.
    pub(crate) fn lateness(&self, quantile: f64) -> f64 {
        self.lateness.value_at_quantile(quantile) as f64 / 1e3
    }
}
