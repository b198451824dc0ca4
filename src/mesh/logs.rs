//! Copies of all authors' logs: reassembly in order, giving up gaps, and the room's total order.
//! Sections 9 and 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::Log;
use super::timers::GIVE_UP_TIMEOUT;
use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::{Entry, EntryId, Mark};

/// Maximum number of retained entries, of all authors together.
pub(super) const MAX_RETAINED: usize = 2_000;
/// Maximum number of authors with a log.
const MAX_AUTHORS: usize = 1_024;
/// Maximum number of authors known only from the pages of one peer.
const MAX_INTRODUCED: usize = 128;
/// Maximum number of out-of-order entries of one author.
const MAX_OUT_OF_ORDER: usize = 256;
/// Maximum number of out-of-order entries of all authors together.
const MAX_OUT_OF_ORDER_TOTAL: usize = 2_048;
/// Maximum number of peers remembered per author that have missing entries.
const MAX_HOLDERS: usize = 8;
/// Exclusive upper bound of Lamport counters.
const LAMPORT_END: u64 = 1 << 48;
/// Rate limit, per second, by which entries of others may raise this peer's Lamport counter. The
/// unused part is saved up without a limit: otherwise a peer that missed a jump which others have
/// accepted could never accept an entry again.
const LAMPORT_RATE: u64 = 65_536;

/// Sort key of an entry in room order: (Lamport counter, author, sequence).
pub(super) type OrderKey = (Lamport, PeerId, u32);

/// Returns the sort key of an entry in room order.
pub(super) fn order_key(entry: &Entry) -> OrderKey {
    (entry.fields.lamport, entry.author.id, entry.fields.sequence)
}

/// Outcome of inserting an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InsertOutcome {
    /// The entry is new and was taken.
    New,
    /// The entry is here already, or is at or below the floor.
    Duplicate,
    /// Not taken: unknown author, Lamport counter that jumps too far, or too many out-of-order
    /// entries.
    Refused,
}

/// Copies of all authors' logs, and this peer's Lamport counter.
#[derive(Debug)]
pub(super) struct Logs {
    /// Id of this peer.
    own: PeerId,
    /// Logs by author, this peer's own included.
    logs: BTreeMap<PeerId, Log>,
    /// All retained entries in room order.
    order: BTreeMap<OrderKey, Arc<Entry>>,
    /// Entries that have come into their author's order since [`Logs::take_ready`].
    ready: Vec<Arc<Entry>>,
    /// Lamport counter of this peer: the greatest one seen or used.
    lamport: u64,
    /// Token bucket for raising the Lamport counter: amount left at a time.
    allowance: (u64, Moment),
}

impl Logs {
    /// Creates an empty set of logs.
    pub(super) fn new(own: PeerId, now: Moment) -> Self {
        Self {
            own,
            logs: BTreeMap::new(),
            order: BTreeMap::new(),
            ready: Vec::new(),
            lamport: 0,
            allowance: (LAMPORT_RATE, now),
        }
    }

    /// Returns the log of an author that is or was a member; adds it if it is new, and evicts
    /// another author if there are too many.
    pub(super) fn ensure_author(&mut self, author: PeerId) -> &mut Log {
        if !self.logs.contains_key(&author) && self.logs.len() >= MAX_AUTHORS {
            self.evict_author();
        }
        let log = self.logs.entry(author).or_default();
        log.introduced_by = None;
        log
    }

    /// Returns the log of an author that the page of `by` has listed; adds it if it is new. `None`
    /// if there are too many authors, or `by` has introduced too many.
    fn ensure_introduced(&mut self, author: PeerId, by: PeerId) -> Option<&mut Log> {
        if !self.logs.contains_key(&author) {
            let same = self.logs.values().filter(|it| it.introduced_by == Some(by)).count();
            if self.logs.len() >= MAX_AUTHORS || same >= MAX_INTRODUCED {
                return None;
            }
            let log = Log { introduced_by: Some(by), ..Log::default() };
            self.logs.insert(author, log);
        }
        self.logs.get_mut(&author)
    }

    /// Evicts one author with its entries: one that was only introduced, else the one whose last
    /// entry is oldest, never this peer.
    fn evict_author(&mut self) {
        let least = self
            .logs
            .iter()
            .filter(|(author, _)| **author != self.own)
            .min_by_key(|(_, log)| (log.introduced_by.is_none(), log.last_lamport))
            .map(|(author, _)| *author);
        if let Some(log) = least.and_then(|it| self.logs.remove(&it)) {
            for entry in log.retained.values() {
                self.order.remove(&order_key(entry));
            }
        }
    }

    /// Returns the log of an author.
    pub(super) fn get(&self, author: PeerId) -> Option<&Log> {
        self.logs.get(&author)
    }

    /// Returns the log of an author, mutably.
    pub(super) fn get_mut(&mut self, author: PeerId) -> Option<&mut Log> {
        self.logs.get_mut(&author)
    }

    /// Iterates over all authors and their logs, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Log)> {
        self.logs.iter().map(|(author, log)| (*author, log))
    }

    /// Iterates over the authors with ids after this one, and their logs.
    pub(super) fn iter_after(&self, author: PeerId) -> impl Iterator<Item = (PeerId, &Log)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.logs.range((Excluded(author), Unbounded)).map(|(author, log)| (*author, log))
    }

    /// Sets the floor of an author from a mark: entries at or below it are never requested.
    pub(super) fn set_floor(&mut self, mark: Mark) {
        let log = self.ensure_author(mark.author);
        log.have = log.have.max(mark.have);
        log.highest_claimed = log.highest_claimed.max(mark.have);
        self.reassemble(mark.author);
    }

    /// Records a claim of `holder` that it has the entries of `author` up to `sequence`. Returns
    /// true if those are more than are here.
    pub(super) fn note_claim(
        &mut self,
        now: Moment,
        author: PeerId,
        sequence: u32,
        holder: PeerId,
    ) -> bool {
        let known = self.logs.get(&author);
        if known.map_or(sequence == 0, |it| holder != author && sequence <= it.have) {
            return false;
        }
        let Some(log) = self.ensure_introduced(author, holder) else { return false };
        if holder == author {
            log.note_written(sequence);
        }
        if sequence <= log.have {
            return false;
        }
        log.highest_claimed = log.highest_claimed.max(sequence);
        log.stalled_since.get_or_insert(now);
        if holder == author || log.is_lost_by(holder) {
            // The author needs no entry in the list of holders: it is asked anyway.
        } else if let Some(known) = log.holders.iter_mut().find(|(it, _)| *it == holder) {
            known.1 = sequence;
        } else if log.holders.len() < MAX_HOLDERS {
            log.holders.push((holder, sequence));
        } else {
            log.holders.remove(0);
            log.holders.push((holder, sequence));
        }
        true
    }

    /// Records that entries up to `sequence` were requested.
    pub(super) fn note_requested(&mut self, author: PeerId, sequence: u32) {
        if let Some(log) = self.logs.get_mut(&author) {
            log.requested_up_to = log.requested_up_to.max(sequence);
        }
    }

    /// Returns true if this sequence of the author was requested.
    pub(super) fn was_requested(&self, author: PeerId, sequence: u32) -> bool {
        self.logs.get(&author).is_some_and(|log| log.requested_up_to >= sequence)
    }

    /// Returns true if this entry is here (possibly out of order), or is at or below the floor.
    pub(super) fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        self.logs
            .get(&author)
            .is_some_and(|log| sequence <= log.have || log.out_of_order.contains_key(&sequence))
    }

    /// Returns a retained entry.
    pub(super) fn entry(&self, author: PeerId, sequence: u32) -> Option<&Arc<Entry>> {
        self.logs.get(&author)?.retained.get(&sequence)
    }

    /// Inserts an entry of a known author, reassembles the author's log, and raises the Lamport
    /// counter.
    pub(super) fn insert(&mut self, now: Moment, entry: Arc<Entry>) -> InsertOutcome {
        let (author, sequence) = (entry.author.id, entry.fields.sequence);
        if self.is_known(author, sequence) {
            return InsertOutcome::Duplicate;
        }
        let Some(log) = self.logs.get(&author) else { return InsertOutcome::Refused };
        let is_next = sequence == log.have.saturating_add(1);
        let is_full = log.out_of_order.len() >= MAX_OUT_OF_ORDER
            || self.logs.values().map(|it| it.out_of_order.len()).sum::<usize>()
                >= MAX_OUT_OF_ORDER_TOTAL;
        if !is_next && is_full || !self.raise_lamport(now, entry.fields.lamport) {
            return InsertOutcome::Refused;
        }
        if let Some(log) = self.logs.get_mut(&author) {
            log.highest_claimed = log.highest_claimed.max(sequence);
            log.highest_written = log.highest_written.max(sequence);
            log.out_of_order.insert(sequence, entry);
            // An answer has arrived: keep asking at the usual rate.
            log.attempts = 0;
            if is_next {
                log.stalled_since = Some(now);
            } else {
                log.stalled_since.get_or_insert(now);
            }
        }
        self.reassemble(author);
        InsertOutcome::New
    }

    /// Inserts an entry of the newcomer's history, at or below a floor. Returns false if its
    /// Lamport counter jumps too far: the entry would stay the newest one for ever.
    pub(super) fn insert_history(&mut self, now: Moment, entry: Arc<Entry>) -> bool {
        if !self.raise_lamport(now, entry.fields.lamport) {
            return false;
        }
        let log = self.ensure_author(entry.author.id);
        log.last_lamport = log.last_lamport.max(entry.fields.lamport);
        log.retained.insert(entry.fields.sequence, entry.clone());
        self.order.insert(order_key(&entry), entry);
        true
    }

    /// Moves out-of-order entries without a gap before them into order, and drops the oldest
    /// retained entries beyond [`MAX_RETAINED`].
    fn reassemble(&mut self, author: PeerId) {
        let Some(log) = self.logs.get_mut(&author) else { return };
        while let Some((&sequence, _)) = log.out_of_order.first_key_value() {
            if sequence > log.have.saturating_add(1) {
                break;
            }
            let Some((_, entry)) = log.out_of_order.pop_first() else { break };
            if sequence <= log.have {
                continue;
            }
            log.have = sequence;
            if entry.fields.lamport <= log.last_lamport {
                // Its Lamport counter would sort it before an earlier entry of its author: skip it.
                continue;
            }
            log.last_lamport = entry.fields.lamport;
            log.retained.insert(sequence, entry.clone());
            self.order.insert(order_key(&entry), entry.clone());
            self.ready.push(entry);
        }
        let have = log.have;
        log.lost_by.retain(|_, last| *last > have);
        if log.have >= log.highest_claimed {
            log.stalled_since = None;
            log.want_at = None;
            log.holders.clear();
        }
        while self.order.len() > MAX_RETAINED {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(log) = self.logs.get_mut(&oldest.author.id) {
                log.retained.remove(&oldest.fields.sequence);
            }
        }
    }

    /// Gives up a gap that has stalled for [`GIVE_UP_TIMEOUT`]; call it if no peer is left to ask.
    ///
    /// If there are later entries, skips the gap, delivers them, and returns true; entries in the
    /// gap are not taken any more. Otherwise only forgets the claim that more exists, and returns
    /// false, so that a false claim cannot raise a floor. Also returns false if the timeout has not
    /// passed.
    pub(super) fn give_up_gap(&mut self, now: Moment, author: PeerId) -> bool {
        let Some(log) = self.logs.get_mut(&author) else { return false };
        if log.stalled_since.is_none_or(|it| now.since(it) < GIVE_UP_TIMEOUT) {
            return false;
        }
        let next = log.out_of_order.keys().next().copied();
        match next {
            // Other peers may still have entries beyond the part that all of them lack.
            Some(next) => {
                log.have = log.lost_by_all_up_to().map_or(next - 1, |it| it.min(next - 1))
            }
            None if log.have == 0 && log.introduced_by.is_some() => {
                // Only a claim is known of this author: forget it.
                self.logs.remove(&author);
                return false;
            }
            None => log.highest_claimed = log.have,
        }
        if next.is_none_or(|it| it == log.have + 1) {
            log.stalled_since = Some(now);
        }
        let attempts = log.attempts;
        self.reassemble(author);
        if let Some(log) = self.logs.get_mut(&author) {
            // Keep the count, so that a repeated claim is asked for less often.
            log.attempts = if next.is_some() { 0 } else { attempts };
        }
        next.is_some()
    }

    /// Restarts the give-up timers of all gaps, after a time in which nothing could arrive.
    pub(super) fn restart_stall_timers(&mut self, now: Moment) {
        for log in self.logs.values_mut().filter(|it| it.stalled_since.is_some()) {
            log.stalled_since = Some(now);
        }
    }

    /// Returns the entries that have come into their author's order since the last call.
    pub(super) fn take_ready(&mut self) -> Vec<Arc<Entry>> {
        std::mem::take(&mut self.ready)
    }

    /// Iterates over all retained entries in room order.
    pub(super) fn iter_in_room_order(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.order.values()
    }

    /// Returns the newest `most` entries, in ascending room order.
    pub(super) fn newest(&self, most: usize) -> Vec<Arc<Entry>> {
        let mut newest: Vec<_> = self.order.values().rev().take(most).cloned().collect();
        newest.reverse();
        newest
    }

    /// Returns the ids (author, sequence) of entries.
    pub(super) fn entry_ids(entries: &[Arc<Entry>]) -> Vec<EntryId> {
        let name = |it: &Arc<Entry>| EntryId { author: it.author.id, sequence: it.fields.sequence };
        entries.iter().map(name).collect()
    }

    /// Returns the numbers of authors, retained entries, out-of-order entries, and (author, peer)
    /// pairs of holders and of peers that answered `lost`.
    pub(super) fn stats(&self) -> (usize, usize, usize, usize) {
        let early = self.logs.values().map(|it| it.out_of_order.len()).sum();
        let peers = self.logs.values().map(|it| it.holders.len() + it.lost_by.len()).sum();
        (self.logs.len(), self.order.len(), early, peers)
    }

    /// Returns this peer's Lamport counter.
    pub(super) const fn lamport(&self) -> Lamport {
        Lamport(self.lamport)
    }

    /// Raises the Lamport counter to the room's when this peer joins, at most to half of the range.
    pub(super) fn start_lamport_at(&mut self, lamport: Lamport) {
        self.lamport = self.lamport.max(lamport.0).min(LAMPORT_END / 2);
    }

    /// Advances the Lamport counter for a new entry of this peer; `None` at the end of the range.
    pub(super) fn next_lamport(&mut self) -> Option<Lamport> {
        let next = self.lamport + 1;
        (next < LAMPORT_END).then(|| {
            self.lamport = next;
            Lamport(next)
        })
    }

    /// Raises the Lamport counter to that of another peer's entry, within the allowance. Returns
    /// false, and changes nothing, if the allowance is too small.
    fn raise_lamport(&mut self, now: Moment, lamport: Lamport) -> bool {
        let jump = lamport.0.saturating_sub(self.lamport);
        if jump == 0 {
            return true;
        }
        let (left, since) = self.allowance;
        let earned = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        let left = left.saturating_add(earned.saturating_mul(LAMPORT_RATE) / 1_000);
        if jump > left {
            return false;
        }
        self.lamport = lamport.0;
        self.allowance = (left - jump, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::wire::udp::{EntryFields, Signer};

    /// Returns an entry of an author that has written nothing else.
    fn entry(author: u16, sequence: u32) -> Arc<Entry> {
        let [high, low] = author.to_be_bytes();
        let mut key = [0; 32];
        [key[0], key[1]] = [high, low];
        let (time, username, text) = (Timestamp(0), "a".to_owned(), "a".to_owned());
        let lamport = Lamport(sequence.into());
        let fields = EntryFields { sequence, lamport, time, username, style: 0, text };
        Arc::new(Entry::with_signature(Signer::new(key, [0; 8]), fields, [0; 64]))
    }

    /// However many authors there are, this peer's own log is never evicted.
    #[test]
    fn own_log_is_never_evicted() {
        let own = PeerId([0; 8]);
        let mut logs = Logs::new(own, Moment::START);
        logs.ensure_author(own);
        for number in 1..=2_000_u64 {
            logs.set_floor(Mark { author: PeerId(number.to_be_bytes()), have: 1 });
        }
        assert!(logs.get(own).is_some());
        assert_eq!(logs.stats().0, MAX_AUTHORS);
    }

    /// However many authors have gaps, the out-of-order entries have a limit; entries in order are
    /// still taken.
    #[test]
    fn out_of_order_entries_are_limited() {
        let mut logs = Logs::new(PeerId([0; 8]), Moment::START);
        for author in 1..=20 {
            logs.ensure_author(entry(author, 1).author.id);
            for sequence in 2..400 {
                logs.insert(Moment::START, entry(author, sequence));
            }
        }
        assert_eq!(logs.stats().2, MAX_OUT_OF_ORDER_TOTAL);
        assert_eq!(logs.insert(Moment::START, entry(20, 1)), InsertOutcome::New);
        assert_eq!(logs.take_ready().len(), 1);
    }

    /// A claim that no peer can prove leaves no author behind.
    #[test]
    fn unproven_claim_leaves_no_author() {
        let mut logs = Logs::new(PeerId([0; 8]), Moment::START);
        let (author, liar) = (PeerId([1; 8]), PeerId([2; 8]));
        assert!(logs.note_claim(Moment::START, author, 5, liar));
        assert!(!logs.give_up_gap(Moment::START + GIVE_UP_TIMEOUT, author));
        assert!(logs.get(author).is_none());
    }
}
