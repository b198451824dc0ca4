//! The engine and its log: what is proposed, what the log answers, and a log that does not answer.

use std::task::{Context, Poll, Waker};

use super::{Engine, HOUSEKEEPING_INTERVAL};
use crate::hub::{Input, LogItem, Now, Proposal, StorageHealth};
use crate::log::LogEvent;
use crate::model::Moment;

impl Engine {
    /// Proposes what is collected to the log, then handles the log's events ([`Self::poll_log`]).
    pub(super) fn commit(&mut self) {
        self.propose();
        self.poll_log();
    }

    /// Proposes what is collected to the log, in order. If there are drafts among it, starts the
    /// stall timer if it is not running, and lets the log do its maintenance. Does nothing if
    /// nothing is collected.
    pub(super) fn propose(&mut self) {
        if self.proposals.is_empty() {
            return;
        }
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let proposals = std::mem::take(&mut self.proposals);
        let is_draft = |it: &&Proposal| matches!(it, Proposal::Message(_) | Proposal::Fact { .. });
        let drafts = proposals.iter().filter(is_draft).count();
        self.log.propose(now, proposals);
        if drafts > 0 {
            self.drafts_proposed += drafts as u64;
            self.unanswered_since.get_or_insert(now.moment);
            if let Some(latency) = &mut self.latency {
                latency.propose(now.moment, drafts);
            }
            self.log.maintain(&|room| self.hub.is_room_open(room));
        }
    }

    /// Passes committed items that wait to the hub, then handles the log's events. Stops when the
    /// log has no event now, or when the turn of publishing is over. In the second case, call it
    /// again in the next turn.
    pub(super) fn poll_log(&mut self) {
        self.publish_committed();
        let mut context = Context::from_waker(Waker::noop());
        while !self.publish_turn.is_over() && !self.is_log_closed {
            let Poll::Ready(event) = self.log.poll_event(&mut context) else { break };
            self.on_log_event(event);
        }
    }

    /// Passes committed items to the hub, as many as the turn of publishing allows. Counts the
    /// messages among them, and messages and facts as answered drafts, which restarts or ends the
    /// stall timer and may set off a pending shutdown.
    pub(super) fn publish_committed(&mut self) {
        let items = self.publish_turn.take();
        if items.is_empty() {
            return;
        }
        let messages = items.iter().filter_map(LogItem::entry).count();
        let answered = items.iter().filter_map(LogItem::sequence).count();
        self.drafts_answered += answered as u64;
        let now = self.clock.now();
        self.message_rate.count(now, messages);
        if let Some(latency) = &mut self.latency {
            latency.commit(now, &items);
        }
        self.catch_panic(|it| it.input(Input::Committed { items }));
        if answered > 0 {
            self.on_drafts_answered();
        }
        self.shut_down_if_due();
    }

    /// Handles an event of the log: passes it to the hub. Committed items beyond the turn of
    /// publishing wait in [`Self::publish_turn`]. If the clock was set, logs that and tells the hub
    /// first. `None` means that the log has ended its events, which ends the engine.
    pub(super) fn on_log_event(&mut self, event: Option<LogEvent>) {
        match event {
            Some(LogEvent::Committed { items, clock_was_set }) => {
                if clock_was_set {
                    tracing::warn!("the clock has been set; times before and after do not compare");
                    self.catch_panic(|it| it.input(Input::ClockChanged));
                }
                self.publish_turn.add(items);
                self.publish_committed();
            }
            Some(LogEvent::NotStored { ticket, reason }) => {
                self.drafts_answered += 1;
                if let Some(latency) = &mut self.latency {
                    latency.refuse();
                }
                self.catch_panic(|it| it.input(Input::NotStored { ticket, reason }));
                self.on_drafts_answered();
            }
            Some(LogEvent::ReadDone { tag, outcome }) => {
                self.catch_panic(|it| it.input(Input::ReadDone { tag, outcome }));
            }
            Some(LogEvent::StorageChanged(storage)) => {
                self.storage = storage;
                self.catch_panic(|it| it.input(Input::StorageChanged(storage)));
            }
            None => self.is_log_closed = true,
        }
        self.shut_down_if_due();
    }

    /// Restarts the stall timer if drafts are unanswered; otherwise stops it. If a stall was
    /// reported, tells the hub the health that the log last reported. Call it when the log has
    /// answered drafts.
    pub(super) fn on_drafts_answered(&mut self) {
        let is_waiting = self.drafts_answered < self.drafts_proposed;
        self.unanswered_since = is_waiting.then(|| self.clock.now());
        if std::mem::replace(&mut self.is_stall_reported, false) {
            let storage = self.storage;
            self.catch_panic(|it| it.input(Input::StorageChanged(storage)));
        }
    }

    /// If drafts are waiting and the log has answered none for [`HOUSEKEEPING_INTERVAL`], logs that
    /// and reports the log to the hub as stalled. Does so once in each stall.
    pub(super) fn check_log_stall(&mut self, now: Moment) {
        let is_late = |since: Moment| now.since(since) >= HOUSEKEEPING_INTERVAL;
        if !self.is_stall_reported && self.unanswered_since.is_some_and(is_late) {
            tracing::error!("the log has not answered for {} s", HOUSEKEEPING_INTERVAL.as_secs());
            self.is_stall_reported = true;
            self.catch_panic(|it| it.input(Input::StorageChanged(StorageHealth::Stalled)));
        }
    }
}
