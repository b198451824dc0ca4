//! Queue of log reads: decides which read is sent to the log next (`docs/protocol/tcp.md`, section
//! 12).
//!
//! A read belongs to one of three lanes: arrivals (`join` and `enter`), history, searches. Each
//! lane has its own limit of reads in progress. So no kind of read waits for another kind, and the
//! memory for results is bounded.
//!
//! In a lane, address groups take turns. In a group, its connections take turns. A connection has
//! one read at a time.

use std::collections::{HashMap, VecDeque};

use super::Hub;
use super::contract::{ConnectionId, Output};
use super::log_contract::{ReadPurpose, ReadTag};
use crate::model::AddressGroup;

/// Maximum number of reads for `join` and `enter` in progress, pages of a replay included. It is
/// above 1, so that the log always has a next read when a thousand clients come back at once.
const MAX_ARRIVAL_READS: usize = 8;

/// Maximum number of reads for `history` in progress.
const MAX_HISTORY_READS: usize = 2;

/// Maximum number of searches in progress. A search may take long, and the next group waits for one
/// search at most.
const MAX_SEARCHES: usize = 1;

/// Lane: reads of one kind, waiting or in progress.
struct Lane {
    /// Maximum number of reads in progress.
    limit: usize,
    /// Tags of the reads in progress: sent to the log and not answered.
    in_progress: Vec<ReadTag>,
    /// Waiting reads by address group, oldest first. Groups without waiting reads are not included.
    waiting: HashMap<AddressGroup, VecDeque<ReadTag>>,
    /// Groups in `waiting`, each once, in the order of their turns.
    turns: VecDeque<AddressGroup>,
}

impl Lane {
    /// Creates an empty lane.
    fn new(limit: usize) -> Self {
        let (in_progress, waiting, turns) = Default::default();
        Self { limit, in_progress, waiting, turns }
    }

    /// Adds a waiting read to its address group. A group that had none gets the last turn.
    fn push(&mut self, group: AddressGroup, tag: ReadTag) {
        let waiting = self.waiting.entry(group).or_default();
        if waiting.is_empty() {
            self.turns.push_back(group);
        }
        waiting.push_back(tag);
    }

    /// Takes the oldest waiting read of the address group whose turn it is, and counts the read as
    /// in progress. The group then has the last turn. `None` if no read waits or the limit is
    /// reached.
    fn start_next(&mut self) -> Option<ReadTag> {
        if self.in_progress.len() >= self.limit {
            return None;
        }
        let group = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&group)?;
        let tag = waiting.pop_front()?;
        if waiting.is_empty() {
            self.waiting.remove(&group);
        } else {
            self.turns.push_back(group);
        }
        self.in_progress.push(tag.clone());
        Some(tag)
    }

    /// Removes the waiting read of a connection of this group. Does nothing if there is none.
    fn cancel(&mut self, group: AddressGroup, connection: ConnectionId) {
        let Some(waiting) = self.waiting.get_mut(&group) else {
            return;
        };
        waiting.retain(|it| it.connection != connection);
        if waiting.is_empty() {
            self.waiting.remove(&group);
            self.turns.retain(|it| *it != group);
        }
    }
}

/// All reads that wait for the log or are in progress.
pub(super) struct ReadQueue {
    /// Reads for `join` and `enter`.
    arrivals: Lane,
    /// Reads for `history` and for the removal of messages.
    history: Lane,
    /// Searches.
    searches: Lane,
}

impl ReadQueue {
    /// Creates an empty queue.
    pub(super) fn new() -> Self {
        Self::with_limits(MAX_ARRIVAL_READS, MAX_HISTORY_READS, MAX_SEARCHES)
    }

    /// Creates an empty queue with these limits of reads in progress.
    pub(super) fn with_limits(arrivals: usize, history: usize, searches: usize) -> Self {
        Self {
            arrivals: Lane::new(arrivals),
            history: Lane::new(history),
            searches: Lane::new(searches),
        }
    }

    /// Returns the lane of reads with this purpose.
    const fn lane(&mut self, purpose: &ReadPurpose) -> &mut Lane {
        match purpose {
            ReadPurpose::Join | ReadPurpose::Enter(..) => &mut self.arrivals,
            ReadPurpose::History(_) | ReadPurpose::Remove(_) => &mut self.history,
            ReadPurpose::Search(_) => &mut self.searches,
        }
    }

    /// Takes the next waiting read of a lane that is below its limit, and counts the read as in
    /// progress. `None` if no lane has one. Call it until it returns `None`.
    fn start_next(&mut self) -> Option<ReadTag> {
        let Self { arrivals, history, searches } = self;
        [arrivals, history, searches].into_iter().find_map(Lane::start_next)
    }

    /// Records that the log has answered a read: it is no longer in progress. Returns false if no
    /// read with this tag was in progress.
    fn finish(&mut self, tag: &ReadTag) -> bool {
        let in_progress = &mut self.lane(&tag.purpose).in_progress;
        let found = in_progress.iter().position(|it| it == tag);
        found.map(|at| in_progress.swap_remove(at)).is_some()
    }

    /// Removes the waiting read of a connection that closes. A read in progress stays in progress
    /// until the log answers it.
    pub(super) fn cancel(
        &mut self,
        group: AddressGroup,
        connection: ConnectionId,
        purpose: &ReadPurpose,
    ) {
        self.lane(purpose).cancel(group, connection);
    }

    /// Returns true if no read is in progress.
    pub(super) fn is_idle(&self) -> bool {
        let lanes = [&self.arrivals, &self.history, &self.searches];
        lanes.iter().all(|it| it.in_progress.is_empty())
    }

    /// Returns true if no read waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let lanes = [&self.arrivals, &self.history, &self.searches];
        lanes.iter().all(|it| it.waiting.is_empty() && it.turns.is_empty())
    }
}

impl Hub {
    /// Queues the pending read of a connection, and starts it if its turn has come.
    pub(super) fn queue_read(&mut self, connection: ConnectionId, purpose: ReadPurpose) {
        if let Some(group) = self.connections.get(&connection).map(|it| it.group) {
            let tag = ReadTag { connection, purpose };
            self.reads.lane(&tag.purpose).push(group, tag.clone());
            self.start_reads();
        }
    }

    /// Records that the log has answered a read, and starts the next ones. Returns false if no read
    /// with this tag was in progress.
    pub(super) fn finish_read(&mut self, tag: &ReadTag) -> bool {
        let is_known = self.reads.finish(tag);
        self.start_reads();
        is_known
    }

    /// Starts the waiting reads whose turn has come: requests them from the log. First registers
    /// reads for `join` and `enter` with the backlog, because later entries belong to their
    /// answers.
    fn start_reads(&mut self) {
        while let Some(tag) = self.reads.start_next() {
            let connection = self.connections.get_mut(&tag.connection);
            let Some(read) = connection.and_then(|it| it.pending_read()) else {
                self.reads.finish(&tag);
                continue;
            };
            if matches!(tag.purpose, ReadPurpose::Join | ReadPurpose::Enter(..)) {
                self.backlog.begin(self.head);
                read.backlog_start = Some(self.head);
            }
            let request = read.request.clone();
            self.outputs.push_back(Output::Read { tag, request });
        }
    }
}
