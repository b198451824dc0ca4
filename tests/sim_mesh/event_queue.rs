//! EventKind will happen, in the order in which it does.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::rc::Rc;

use pi_chat::model::Path;
use pi_chat::wire::udp::Packet;

use super::peer_run::{RunId, Snapshot};
use super::world::Action;

/// A datagram on its way; its copies share it.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// Who sent it.
    pub(crate) from: RunId,
    /// How long it is before it is sealed.
    pub(crate) size: usize,
    /// EventKind is in it.
    pub(crate) packet: Packet,
    /// Whom its page lists as heard, and how many microseconds before.
    pub(crate) listed: Vec<(RunId, u64)>,
    /// If it is a history's first page: what the history is.
    pub(crate) history: Option<Snapshot>,
}

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum EventKind {
    /// A datagram arrives.
    Arrive {
        /// At whose machine.
        to: RunId,
        /// Where it seems to come from.
        from: SocketAddr,
        /// By which way.
        path: Option<Path>,
        /// EventKind arrives.
        datagram: Rc<Datagram>,
    },
    /// An engine may want to be woken.
    Wake(RunId),
    /// Somebody does something.
    Act(Action),
    /// The world looks at everybody.
    Observe,
}

/// Something that will happen at some time.
#[derive(Debug)]
struct Event {
    /// In microseconds since the world began.
    time: u64,
    /// Of those at one time the one that was planned first comes first.
    number: u64,
    /// EventKind.
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

/// Everything that will happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The earliest first.
    events: BinaryHeap<Reverse<Event>>,
    /// So many were planned.
    planned: u64,
}

impl Queue {
    /// Plans something.
    pub(crate) fn push(&mut self, time: u64, what: EventKind) {
        self.planned += 1;
        self.events.push(Reverse(Event { time, number: self.planned, what }));
    }

    /// The next thing that happens until `end`, and when.
    pub(crate) fn pop_until(&mut self, end: u64) -> Option<(u64, EventKind)> {
        if self.events.peek()?.0.time > end {
            return None;
        }
        let Reverse(event) = self.events.pop()?;
        Some((event.time, event.what))
    }
}
