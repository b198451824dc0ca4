//! My copies of everybody's logs: what I have, what I lack, and the room's
//! order. Sections 9 and 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::Log;
use super::timers::GIVE_UP_TIMEOUT;
use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::{Entry, EntryId, Mark};

/// Entries that are kept, of all authors together.
pub(super) const MAX_RETAINED: usize = 2_000;
/// Authors that are known.
const MAX_AUTHORS: usize = 1_024;
/// Authors known from one peer's pages only.
const MAX_INTRODUCED: usize = 128;
/// Entries of one author that wait for earlier ones.
const MAX_OUT_OF_ORDER: usize = 256;
/// The same of all authors together.
const MAX_OUT_OF_ORDER_TOTAL: usize = 2_048;
/// Peers remembered that have what I lack of an author.
const MAX_HOLDERS: usize = 8;
/// Lamport counters end before this.
const LAMPORT_END: u64 = 1 << 48;
/// By how much others may raise my Lamport counter in a second; what is not
/// used is saved up. (If it were lost, whoever misses a jump that others have
/// taken could never take anything again.)
const LAMPORT_RATE: u64 = 65_536;

/// An entry's place in the room's order.
pub(super) type OrderKey = (Lamport, PeerId, u32);

/// The place of an entry.
pub(super) fn order_key(entry: &Entry) -> OrderKey {
    (entry.fields.lamport, entry.author.id, entry.fields.sequence)
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InsertOutcome {
    /// It is new.
    New,
    /// It was here already, or is below a floor.
    Duplicate,
    /// Its author is not known, its counter jumps, or too many wait.
    Refused,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Logs {
    /// Myself.
    own: PeerId,
    /// By author, myself included.
    logs: BTreeMap<PeerId, Log>,
    /// Everything that is kept, in the room's order.
    order: BTreeMap<OrderKey, Arc<Entry>>,
    /// What has come into its author's order and was not taken yet.
    ready: Vec<Arc<Entry>>,
    /// My Lamport counter.
    lamport: u64,
    /// How much others might raise it still, and when that was.
    allowance: (u64, Moment),
}

impl Logs {
    /// No logs yet.
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

    /// An author that is or was a member. Returns its log.
    pub(super) fn ensure_author(&mut self, author: PeerId) -> &mut Log {
        if !self.logs.contains_key(&author) && self.logs.len() >= MAX_AUTHORS {
            self.evict_author();
        }
        let log = self.logs.entry(author).or_default();
        log.introduced_by = None;
        log
    }

    /// An author that `by` has told of, if there is room for it.
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

    /// Makes room for an author: first goes who was introduced only, then
    /// who has said nothing that is kept, never myself.
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

    /// The log of an author that is known.
    pub(super) fn get(&self, author: PeerId) -> Option<&Log> {
        self.logs.get(&author)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, author: PeerId) -> Option<&mut Log> {
        self.logs.get_mut(&author)
    }

    /// All authors with their logs, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Log)> {
        self.logs.iter().map(|(author, log)| (*author, log))
    }

    /// Authors from this one on, by id.
    pub(super) fn iter_after(&self, author: PeerId) -> impl Iterator<Item = (PeerId, &Log)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.logs.range((Excluded(author), Unbounded)).map(|(author, log)| (*author, log))
    }

    /// Fixes the floor of an author: nothing at or below it is asked for.
    pub(super) fn set_floor(&mut self, mark: Mark) {
        let log = self.ensure_author(mark.author);
        log.have = log.have.max(mark.have);
        log.highest_claimed = log.highest_claimed.max(mark.have);
        self.reassemble(mark.author);
    }

    /// `holder` says that entries of `author` up to `sequence` exist and it
    /// has them. True where that is more than I have.
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
            // The author is asked anyway.
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

    /// Notes that everything up to `sequence` was asked for.
    pub(super) fn note_requested(&mut self, author: PeerId, sequence: u32) {
        if let Some(log) = self.logs.get_mut(&author) {
            log.requested_up_to = log.requested_up_to.max(sequence);
        }
    }

    /// Whether this one was asked for.
    pub(super) fn was_requested(&self, author: PeerId, sequence: u32) -> bool {
        self.logs.get(&author).is_some_and(|log| log.requested_up_to >= sequence)
    }

    /// Whether this entry is here, or not wanted any more.
    pub(super) fn is_known(&self, author: PeerId, sequence: u32) -> bool {
        self.logs
            .get(&author)
            .is_some_and(|log| sequence <= log.have || log.out_of_order.contains_key(&sequence))
    }

    /// An entry that is kept.
    pub(super) fn entry(&self, author: PeerId, sequence: u32) -> Option<&Arc<Entry>> {
        self.logs.get(&author)?.retained.get(&sequence)
    }

    /// Takes an entry of a known author.
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
            // Somebody answers: go on asking.
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

    /// Keeps an entry of the newcomer's history, at or below a floor. False
    /// where its counter jumps: it would be the newest for ever.
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

    /// Moves into the order what is no longer too early.
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
                // It would stand before the one that it follows: passed over.
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

    /// Gives up what nobody has. If there are later entries, those are
    /// shown, and what is before them is not taken any more: true. Else only
    /// the claim that there is more is forgotten. (So a false claim cannot
    /// raise a floor.)
    pub(super) fn give_up_gap(&mut self, now: Moment, author: PeerId) -> bool {
        let Some(log) = self.logs.get_mut(&author) else { return false };
        if log.stalled_since.is_none_or(|it| now.since(it) < GIVE_UP_TIMEOUT) {
            return false;
        }
        let next = log.out_of_order.keys().next().copied();
        match next {
            // Somebody may still have what comes behind what nobody has.
            Some(next) => {
                log.have = log.lost_by_all_up_to().map_or(next - 1, |it| it.min(next - 1))
            }
            None if log.have == 0 && log.introduced_by.is_some() => {
                // An author of which nothing is there but a claim.
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
            // Remembered, so that a claim that is made again costs less.
            log.attempts = if next.is_some() { 0 } else { attempts };
        }
        next.is_some()
    }

    /// Time has passed in which nothing could come: it does not count.
    pub(super) fn restart_stall_timers(&mut self, now: Moment) {
        for log in self.logs.values_mut().filter(|it| it.stalled_since.is_some()) {
            log.stalled_since = Some(now);
        }
    }

    /// What has come into its author's order since the last time.
    pub(super) fn take_ready(&mut self) -> Vec<Arc<Entry>> {
        std::mem::take(&mut self.ready)
    }

    /// Everything that is kept, in the room's order.
    pub(super) fn iter_in_room_order(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.order.values()
    }

    /// The newest so many, in ascending order.
    pub(super) fn newest(&self, most: usize) -> Vec<Arc<Entry>> {
        let mut newest: Vec<_> = self.order.values().rev().take(most).cloned().collect();
        newest.reverse();
        newest
    }

    /// What the newest so many are called.
    pub(super) fn entry_ids(entries: &[Arc<Entry>]) -> Vec<EntryId> {
        let name = |it: &Arc<Entry>| EntryId { author: it.author.id, sequence: it.fields.sequence };
        entries.iter().map(name).collect()
    }

    /// How many authors, entries that are kept, entries that wait for earlier
    /// ones, and peers remembered with an author.
    pub(super) fn stats(&self) -> (usize, usize, usize, usize) {
        let early = self.logs.values().map(|it| it.out_of_order.len()).sum();
        let peers = self.logs.values().map(|it| it.holders.len() + it.lost_by.len()).sum();
        (self.logs.len(), self.order.len(), early, peers)
    }

    /// My Lamport counter.
    pub(super) const fn lamport(&self) -> Lamport {
        Lamport(self.lamport)
    }

    /// Begins to count where the room is.
    pub(super) fn start_lamport_at(&mut self, lamport: Lamport) {
        self.lamport = self.lamport.max(lamport.0).min(LAMPORT_END / 2);
    }

    /// The counter of a new entry of mine; `None` at its end.
    pub(super) fn next_lamport(&mut self) -> Option<Lamport> {
        let next = self.lamport + 1;
        (next < LAMPORT_END).then(|| {
            self.lamport = next;
            Lamport(next)
        })
    }

    /// Lets somebody else's entry raise my counter, as far as that is allowed
    /// now. False where it is not.
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

    /// An entry of somebody who has said nothing else.
    fn entry(author: u16, sequence: u32) -> Arc<Entry> {
        let [high, low] = author.to_be_bytes();
        let mut key = [0; 32];
        [key[0], key[1]] = [high, low];
        let (time, username, text) = (Timestamp(0), "a".to_owned(), "a".to_owned());
        let lamport = Lamport(sequence.into());
        let fields = EntryFields { sequence, lamport, time, username, style: 0, text };
        Arc::new(Entry::with_signature(Signer::new(key, [0; 8]), fields, [0; 64]))
    }

    /// However many authors there are, one's own log is not forgotten.
    #[test]
    fn my_own_log_stays() {
        let own = PeerId([0; 8]);
        let mut logs = Logs::new(own, Moment::START);
        logs.ensure_author(own);
        for number in 1..=2_000_u64 {
            logs.set_floor(Mark { author: PeerId(number.to_be_bytes()), have: 1 });
        }
        assert!(logs.get(own).is_some());
        assert_eq!(logs.stats().0, MAX_AUTHORS);
    }

    /// However many authors leave gaps, memory for what is behind them ends;
    /// what is in order is still taken.
    #[test]
    fn early_entries_of_many() {
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

    /// A claim that nobody can prove leaves no author behind.
    #[test]
    fn an_invented_author() {
        let mut logs = Logs::new(PeerId([0; 8]), Moment::START);
        let (author, liar) = (PeerId([1; 8]), PeerId([2; 8]));
        assert!(logs.note_claim(Moment::START, author, 5, liar));
        assert!(!logs.give_up_gap(Moment::START + GIVE_UP_TIMEOUT, author));
        assert!(logs.get(author).is_none());
    }
}
