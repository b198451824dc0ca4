//! Copies of all authors' logs: reassembly in order, giving up gaps, and the room's total order.
//! Sections 9 and 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::Log;
use super::timers::GIVE_UP_TIMEOUT;
use crate::model::limits::MAX_WANTED;
use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::{Entry, EntryId, Mark};

/// Maximum number of retained entries of all authors together. Beyond it, the first entries in room
/// order are dropped.
pub(super) const MAX_RETAINED: usize = 2_000;
/// Maximum number of authors with a log.
const MAX_AUTHORS: usize = 1_024;
/// Maximum number of authors that are known only from the claims of one peer, for each such peer.
const MAX_INTRODUCED: usize = 128;
/// Maximum number of out-of-order entries of one author.
const MAX_OUT_OF_ORDER: usize = 256;
/// Maximum number of out-of-order entries of all authors together. Beyond it, an entry is refused
/// unless it is its author's next one.
const MAX_OUT_OF_ORDER_TOTAL: usize = 2_048;
/// Maximum number of peers remembered per author as holders of missing entries. Beyond it, a new
/// holder replaces the holder that was added first.
const MAX_HOLDERS: usize = 8;
/// Exclusive upper bound of Lamport counters.
const LAMPORT_END: u64 = 1 << 48;
/// Rate limit for raising this peer's Lamport counter to the counters of entries: steps allowed per
/// second, and steps allowed at the start.
///
/// Unused steps are saved up without a limit. Otherwise a peer that missed a jump could never
/// accept a later entry.
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
    /// The entry was accepted. It was moved into order, is held as out of order, or was dropped by
    /// reassembly ([`Logs::reassemble`]).
    New,
    /// Not accepted, because its sequence is no longer awaited: the entry is here or was dropped,
    /// its gap was given up, or it is at or below the floor.
    Duplicate,
    /// Not accepted: the author has no log, the Lamport counter jumps too far, or the entry is not
    /// the author's next one and too many entries are out of order.
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
    /// Entries moved into their author's order since the last [`Logs::take_ready`].
    ready: Vec<Arc<Entry>>,
    /// Lamport counter of this peer: the greatest counter seen or used.
    lamport: u64,
    /// Allowance for raising the Lamport counter: steps left, and the time at which they were
    /// computed.
    allowance: (u64, Moment),
}

impl Logs {
    /// Creates an empty set of logs, with Lamport counter 0.
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

    /// Returns the log of an author, and clears its `introduced_by`. If the author is new, adds an
    /// empty log; for that, if there are [`MAX_AUTHORS`] logs already, evicts another author.
    pub(super) fn ensure_author(&mut self, author: PeerId) -> &mut Log {
        if !self.logs.contains_key(&author) && self.logs.len() >= MAX_AUTHORS {
            self.evict_author();
        }
        let log = self.logs.entry(author).or_default();
        log.introduced_by = None;
        log
    }

    /// Returns the log of an author whose entries `by` claims to have. If the author is new, adds
    /// an empty log introduced by `by`. `None` if the author is new and there are [`MAX_AUTHORS`]
    /// authors, or `by` has introduced [`MAX_INTRODUCED`].
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

    /// Removes the log of one author, and the author's entries from the room order. Authors that
    /// were only introduced go first. Among equals, the author with the smallest `last_lamport`
    /// goes. This peer's own log stays.
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

    /// Returns the log of an author; `None` if the author has none.
    pub(super) fn get(&self, author: PeerId) -> Option<&Log> {
        self.logs.get(&author)
    }

    /// Returns the log of an author, mutably; `None` if the author has none.
    pub(super) fn get_mut(&mut self, author: PeerId) -> Option<&mut Log> {
        self.logs.get_mut(&author)
    }

    /// Iterates over all authors and their logs, in ascending order of ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Log)> {
        self.logs.iter().map(|(author, log)| (*author, log))
    }

    /// Iterates over the authors with greater ids than `author`, and their logs, in ascending order
    /// of ids.
    pub(super) fn iter_after(&self, author: PeerId) -> impl Iterator<Item = (PeerId, &Log)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.logs.range((Excluded(author), Unbounded)).map(|(author, log)| (*author, log))
    }

    /// Sets the floor of an author: raises `have` to `mark.have`, and moves the entries that follow
    /// without a gap into order. Adds the author if it is new, which may evict another one. Entries
    /// at or below the floor are neither requested nor accepted, unless [`Log::note_written`]
    /// lowers `have` again.
    pub(super) fn set_floor(&mut self, mark: Mark) {
        let log = self.ensure_author(mark.author);
        log.have = log.have.max(mark.have);
        log.highest_claimed = log.highest_claimed.max(mark.have);
        self.reassemble(mark.author);
    }

    /// Records a claim of `holder` to have the entries of `author` up to `sequence`. Returns true
    /// if some of those entries are missing here; then schedule a `want`.
    ///
    /// If the author is new and `sequence` is above 0, adds the author. If there is no place for a
    /// new author, ignores the claim and returns false. If the holder is the author itself, the
    /// claim also states what the author has written, and may lower `have` ([`Log::note_written`]).
    ///
    /// If entries are missing, starts the give-up timer unless it runs, and lets the holder be
    /// asked again. Remembers the holder, unless it is the author or has answered `lost` up to
    /// `sequence`.
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
        log.note_answer(holder);
        if holder == author || sequence <= log.lost_up_to(holder) {
            // The author is asked anyway, without being a holder; a peer that has answered `lost`
            // would be asked for ever.
        } else if let Some(known) = log.holders.iter_mut().find(|(it, _)| *it == holder) {
            known.1 = sequence;
        } else {
            if log.holders.len() >= MAX_HOLDERS {
                log.holders.remove(0);
            }
            log.holders.push((holder, sequence));
        }
        true
    }

    /// Records that ranges of an author's entries were requested of `source`; replaces the ranges
    /// recorded for `source` before. `ranges` must ascend. Does nothing if the author has no log.
    pub(super) fn note_requested(
        &mut self,
        author: PeerId,
        source: PeerId,
        ranges: Vec<(u32, u32)>,
    ) {
        if let Some(log) = self.logs.get_mut(&author) {
            let last = ranges.last().map_or(0, |it| it.1);
            log.requested_up_to = log.requested_up_to.max(last);
            log.asked.insert(source, ranges);
        }
    }

    /// Records that `sender` has sent an entry of an author, so that it may be asked again.
    pub(super) fn note_answer(&mut self, author: PeerId, sender: PeerId) {
        if let Some(log) = self.logs.get_mut(&author) {
            log.note_answer(sender);
        }
    }

    /// Returns true if `sequence` or a greater sequence of the author was requested.
    pub(super) fn was_requested(&self, author: PeerId, sequence: u32) -> bool {
        self.logs.get(&author).is_some_and(|log| log.requested_up_to >= sequence)
    }

    /// Returns true if an entry is no longer awaited: it is here, in order or out of order, or its
    /// sequence is at or below the floor, given up, or dropped. Returns false if the author has no
    /// log.
    pub(super) fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        self.logs
            .get(&author)
            .is_some_and(|log| sequence <= log.have || log.out_of_order.contains_key(&sequence))
    }

    /// Returns a retained entry; `None` if it is missing, out of order, or no longer retained.
    pub(super) fn entry(&self, author: PeerId, sequence: u32) -> Option<&Arc<Entry>> {
        self.logs.get(&author)?.retained.get(&sequence)
    }

    /// Inserts an entry of an author that has a log, raises the Lamport counter to the entry's, and
    /// reassembles the author's log. Changes nothing unless it returns [`InsertOutcome::New`].
    /// Schedules no `want` if a gap is left.
    ///
    /// Also records the sequence as written by the author, and resets `attempts`. If the entry is
    /// the author's next one, restarts the give-up timer; otherwise starts the timer unless it
    /// runs.
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
                (log.stalled_since, log.has_skipped) = (Some(now), false);
            } else {
                log.stalled_since.get_or_insert(now);
            }
        }
        self.reassemble(author);
        InsertOutcome::New
    }

    /// Retains an entry of the newcomer's history, usually at or below the author's floor, and
    /// returns true. Adds the author if it is new. Does not change `have`, and does not make the
    /// entry ready.
    ///
    /// If the entry's Lamport counter jumps too far, changes nothing and returns false: the entry
    /// would be the newest for ever.
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

    /// Moves the out-of-order entries of an author that have no gap before them into order: raises
    /// `have`, retains the entries, and makes them ready. Drops an entry if its Lamport counter is
    /// not greater than the counter of the entry before it.
    ///
    /// If nothing is missing then, forgets the state of the repair ([`Log::clear_repair`]). Finally
    /// drops the first retained entries in room order, of any author, beyond [`MAX_RETAINED`].
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
                // An author's Lamport counters must ascend: room order keeps the author's order.
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
            log.clear_repair();
        }
        while self.order.len() > MAX_RETAINED {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(log) = self.logs.get_mut(&oldest.author.id) {
                log.retained.remove(&oldest.fields.sequence);
            }
        }
    }

    /// Gives up missing entries of an author whose log has stalled for [`GIVE_UP_TIMEOUT`]. Call it
    /// if no peer is left to ask. Before the timeout, returns false and changes nothing.
    ///
    /// If out-of-order entries are held, skips the missing entries before the first of them. If
    /// peers have answered `lost`, skips only the part that all these peers lack. Skipped entries
    /// are no longer accepted. If the gap is closed by this, moves the entries after it into order
    /// and returns true; otherwise returns false.
    ///
    /// After a skipped gap, does not wait for the timeout if each peer that was asked has answered
    /// `lost` for all of the next gap.
    ///
    /// If none are held, forgets the claim that more entries exist, and returns false: a false
    /// claim must not raise `have`. Removes an author of which only a claim is known. If
    /// `can_ask_behind` is true, a peer can still be asked for entries behind the gap: then changes
    /// nothing.
    pub(super) fn give_up_gap(
        &mut self,
        now: Moment,
        author: PeerId,
        can_ask_behind: bool,
    ) -> bool {
        let Some(log) = self.logs.get_mut(&author) else { return false };
        let next = log.out_of_order.keys().next().copied();
        let is_stalled = log.stalled_since.is_some_and(|it| now.since(it) >= GIVE_UP_TIMEOUT);
        let is_lost = next.is_some_and(|it| log.is_gap_lost_by_all(it - 1));
        if !(is_stalled || log.has_skipped && is_lost) {
            return false;
        }
        if next.is_none() && can_ask_behind {
            return false;
        }
        match next {
            // Peers that have answered `lost` may have entries after the part that all lack.
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
        let is_bridged = next.is_some_and(|it| it == log.have + 1);
        if next.is_none() || is_bridged {
            log.stalled_since = Some(now);
        }
        log.has_skipped |= is_bridged;
        let attempts = log.attempts;
        self.reassemble(author);
        if let Some(log) = self.logs.get_mut(&author) {
            // After a mere claim keep the count. So the same claim, if repeated, leads to fewer
            // `want`s.
            log.attempts = if next.is_some() { 0 } else { attempts };
        }
        is_bridged
    }

    /// Returns true if the limits of out-of-order entries leave room for all entries of an author
    /// that one `want` can bring ([`MAX_WANTED`]).
    pub(super) fn has_room_behind(&self, author: PeerId) -> bool {
        let brings = usize::try_from(MAX_WANTED).unwrap_or(usize::MAX);
        let own = self.logs.get(&author).map_or(0, |it| it.out_of_order.len());
        let all: usize = self.logs.values().map(|it| it.out_of_order.len()).sum();
        own + brings <= MAX_OUT_OF_ORDER && all + brings <= MAX_OUT_OF_ORDER_TOTAL
    }

    /// Restarts all running give-up timers at `now`. Call it after a time in which nothing could
    /// arrive.
    pub(super) fn restart_stall_timers(&mut self, now: Moment) {
        for log in self.logs.values_mut().filter(|it| it.stalled_since.is_some()) {
            (log.stalled_since, log.has_skipped) = (Some(now), false);
        }
    }

    /// Removes and returns the entries that were moved into their author's order since the last
    /// call. The entries of each author are in ascending order of sequences.
    pub(super) fn take_ready(&mut self) -> Vec<Arc<Entry>> {
        std::mem::take(&mut self.ready)
    }

    /// Returns true if no entry of any author is retained.
    pub(super) fn is_nothing_retained(&self) -> bool {
        self.order.is_empty()
    }

    /// Iterates over all retained entries in room order.
    pub(super) fn iter_in_room_order(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.order.values()
    }

    /// Returns the last `most` retained entries in room order, in ascending order; all of them if
    /// there are fewer.
    pub(super) fn newest(&self, most: usize) -> Vec<Arc<Entry>> {
        let mut newest: Vec<_> = self.order.values().rev().take(most).cloned().collect();
        newest.reverse();
        newest
    }

    /// Returns the ids (author, sequence) of entries, in the same order.
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

    /// Raises the Lamport counter to `lamport`, the room's, when this peer joins. Limits the result
    /// to half of the range. The rate limit does not apply.
    pub(super) fn start_lamport_at(&mut self, lamport: Lamport) {
        self.lamport = self.lamport.max(lamport.0).min(LAMPORT_END / 2);
    }

    /// Advances the Lamport counter by one for a new entry of this peer, and returns it. At the end
    /// of the range, returns `None` and changes nothing.
    pub(super) fn next_lamport(&mut self) -> Option<Lamport> {
        let next = self.lamport + 1;
        (next < LAMPORT_END).then(|| {
            self.lamport = next;
            Lamport(next)
        })
    }

    /// Raises the Lamport counter to `lamport`, the counter of an entry, and returns true. Takes
    /// the difference from the allowance ([`LAMPORT_RATE`]). If the allowance is too small, changes
    /// nothing and returns false. If the counter is as great already, changes nothing and returns
    /// true.
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

    /// Returns an entry with username and text "a", an invalid signature, and the sequence as its
    /// Lamport counter. `author` is the number of the author's key.
    fn entry(author: u16, sequence: u32) -> Arc<Entry> {
        let [high, low] = author.to_be_bytes();
        let mut key = [0; 32];
        [key[0], key[1]] = [high, low];
        let (time, username, text) = (Timestamp(0), "a".to_owned(), "a".to_owned());
        let lamport = Lamport(sequence.into());
        let fields = EntryFields { sequence, lamport, time, username, style: 0, text };
        Arc::new(Entry::with_signature(Signer::new(key, [0; 8]), fields, [0; 64]))
    }

    /// This peer's own log stays when more than [`MAX_AUTHORS`] authors are added.
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

    /// Out-of-order entries of all authors together stay within their limit. At the limit, an
    /// author's next entry is still accepted.
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

    /// An author known only from a claim is removed when its gap is given up.
    #[test]
    fn unproven_claim_leaves_no_author() {
        let mut logs = Logs::new(PeerId([0; 8]), Moment::START);
        let (author, liar) = (PeerId([1; 8]), PeerId([2; 8]));
        assert!(logs.note_claim(Moment::START, author, 5, liar));
        assert!(!logs.give_up_gap(Moment::START + GIVE_UP_TIMEOUT, author, false));
        assert!(logs.get(author).is_none());
    }
}
