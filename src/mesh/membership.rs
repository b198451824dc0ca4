//! Verified, silent, gone; pings and addresses: section 11.

use std::time::Duration;

use super::contact::Stage;
use super::timers::{gone_after, heartbeat_interval};
use super::{Mesh, Now};
use crate::model::{Moment, NameKey, PeerId};
use crate::wire::udp::PageItem;

/// A rumour that is no more than this younger than somebody's going is not
/// younger.
const REPORT_SLACK: Duration = Duration::from_secs(1);

impl Mesh {
    /// This machine has slept: what was not heard meanwhile could not be.
    /// Everybody gets some time to be heard.
    pub(super) fn on_resume(&mut self, now: Moment) {
        let since_start = now.since_start();
        let grace = gone_after(self.member_count()) / 2;
        let heard = Moment::after_start(since_start.saturating_sub(grace));
        for (_, contact) in self.contacts.iter_mut() {
            if contact.is_member() {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
        }
        self.logs.restart_stall_timers(now);
    }

    /// A member is gone.
    pub(super) fn mark_gone(&mut self, now: Moment, id: PeerId) {
        self.contacts.set_stage(id, Stage::Gone { at: now });
        self.send_plan = None;
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.is_verified = false;
        (contact.ping_at, contact.pings) = (None, 0);
        let name = contact.name().to_owned();
        // Who comes back at once under the same name has not left.
        if self.contacts.holders(&NameKey::of(&name)).next().is_none() {
            self.report_presence(Vec::new(), vec![name]);
        }
    }

    /// Somebody says goodbye.
    pub(super) fn on_bye(&mut self, now: Now, id: PeerId) {
        self.forget_voter(id);
        match self.contacts.get(id).map(|it| it.stage) {
            Some(Stage::Member) => self.mark_gone(now.moment, id),
            Some(Stage::Gone { .. }) | None => {}
            Some(_) => self.contacts.set_stage(id, Stage::Gone { at: now.moment }),
        }
    }

    /// Makes a member of somebody who is verified and has said its name.
    pub(super) fn promote(&mut self, now: Moment, id: PeerId) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        let is_ready = contact.is_verified && contact.profile.is_some();
        if !is_ready || !matches!(contact.stage, Stage::PathSet | Stage::Listed) {
            return;
        }
        contact.known_at = now;
        contact.last_vouched = contact.last_vouched.max(contact.last_heard.unwrap_or_default());
        contact.heartbeats = (0, now);
        let name = contact.name().to_owned();
        let is_known = self.contacts.holders(&NameKey::of(&name)).next().is_some();
        self.contacts.set_stage(id, Stage::Member);
        self.send_plan = None;
        if self.is_member() && matches!(self.phase, super::Phase::In) {
            self.logs.ensure_author(id);
        }
        if !is_known {
            self.report_presence(vec![name], Vec::new());
        }
        self.schedule_sweep(now);
    }

    /// A verified member has heard somebody, or knows that it is there.
    pub(super) fn on_vouch(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let id = item.author;
        let ago = Duration::from_millis(500) * u32::from(item.ago);
        let is_heard = item.ago < PageItem::INDIRECT;
        let size = self.member_count();
        let heard = Moment::after_start(now.since_start().saturating_sub(ago));
        if let Some(contact) = self.contacts.get_mut(id).filter(|it| it.is_member()) {
            // Most of those in a page.
            if is_heard {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
            return;
        }
        let Some(contact) = self.contacts.add_listed(now, id, by) else { return };
        if let Stage::Gone { at } = contact.stage {
            // An old rumour does not bring anybody back. (It is rounded down,
            // and was under way.)
            if !is_heard || now.since(at) <= ago + REPORT_SLACK {
                return;
            }
            self.contacts.set_stage(id, Stage::Listed);
        }
        let Some(contact) = self.contacts.get_mut(id) else { return };
        if is_heard {
            contact.last_vouched = contact.last_vouched.max(heard);
        }
        if contact.stage == Stage::Listed {
            contact.listed_by = Some(by);
            // Its next heartbeat comes within 1.1 × I(n).
            let at = now + heartbeat_interval(size) * 3 / 2 + Duration::from_secs(1);
            let at = *contact.where_at.get_or_insert(at);
            self.schedule_sweep_at(at);
        }
        if let Some(contact) = self.contacts.get_mut(id)
            && !contact.is_verified
        {
            contact.is_verified = true;
            self.send_plan = None;
            self.promote(now, id);
        }
    }
}
