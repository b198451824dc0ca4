//! Event queue of the simulation, ordered by time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::rc::Rc;

use pi_chat::mesh::Input;
use pi_chat::model::Path;
use pi_chat::wire::udp::Packet;

use super::peer_run::{RunId, Snapshot};
use super::world::Action;

/// Datagram in flight, shared by its copies.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// Run that has sent it.
    pub(crate) from: RunId,
    /// Length in bytes, before sealing.
    pub(crate) size: usize,
    /// Packet that it holds.
    pub(crate) packet: Packet,
    /// Runs that its page lists as heard, with *ago* in microseconds.
    pub(crate) listed: Vec<(RunId, u64)>,
    /// For page 0 of `recent`: the history as it should be.
    pub(crate) history: Option<Snapshot>,
}

/// Kind of a scheduled event.
#[derive(Debug)]
pub(crate) enum EventKind {
    /// A datagram arrives.
    Arrive {
        /// Receiving run.
        to: RunId,
        /// Source address that the receiver sees.
        from: SocketAddr,
        /// Path by which it arrives; `None` for unicast.
        path: Option<Path>,
        /// The datagram.
        datagram: Rc<Datagram>,
    },
    /// A packet of a liar arrives at a run.
    Deceive {
        /// Receiving run.
        to: RunId,
        /// The received packet.
        input: Input,
    },
    /// An engine may be due for a wake-up.
    Wake(RunId),
    /// A user, a machine or the network acts.
    Act(Action),
    /// The simulation observes all runs.
    Observe,
}

/// Scheduled event.
#[derive(Debug)]
struct Event {
    /// Time of the event, in microseconds since the world began.
    time: u64,
    /// Number that keeps events of the same time in the order in which they were scheduled.
    number: u64,
    /// Kind of the event.
    what: EventKind,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

/// Priority queue of scheduled events.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Events, the earliest first.
    events: BinaryHeap<Reverse<Event>>,
    /// Number of events scheduled so far.
    planned: u64,
}

impl Queue {
    /// Schedules an event.
    pub(crate) fn push(&mut self, time: u64, what: EventKind) {
        self.planned += 1;
        self.events.push(Reverse(Event { time, number: self.planned, what }));
    }

    /// Removes and returns the next event up to `end`, with its time; `None` if there is none.
    pub(crate) fn pop_until(&mut self, end: u64) -> Option<(u64, EventKind)> {
        if self.events.peek()?.0.time > end {
            return None;
        }
        let Reverse(event) = self.events.pop()?;
        Some((event.time, event.what))
    }
}
