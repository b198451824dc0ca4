//! Membership: how peers become members, are vouched for by the pages of other peers, and go.
//! Section 11.

use std::time::Duration;

use super::contact::Stage;
use super::contacts::Place;
use super::timers::{address_patience, gone_after};
use super::{Mesh, Now};
use crate::model::{Event, MeshSentence, Moment, NameKey, NoticeCode, PeerId};
use crate::wire::udp::PageItem;

/// Maximum number of notices shown to the user about a full room or address group.
const MAX_FULL_NOTICES: usize = 16;

/// Tolerance, for rounding and travel time, when a heartbeat's page reports a gone peer as heard.
/// The peer comes back only if it was heard more than this time after it was marked as gone.
const REPORT_SLACK: Duration = Duration::from_secs(1);

impl Mesh {
    /// Handles the end of a suspension of the machine: silence during it does not count. Gives each
    /// member at least half of G(n) to be heard again, and restarts the give-up timers of gaps.
    /// Sets `met_at` of all contacts to `now`, and restarts the timeouts after which a peer counts
    /// as not hearing this one.
    pub(super) fn on_resume(&mut self, now: Moment) {
        let since_start = now.since_start();
        let grace = gone_after(self.member_count()) / 2;
        let heard = Moment::after_start(since_start.saturating_sub(grace));
        for (_, contact) in self.contacts.iter_mut() {
            if contact.is_member() {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
            contact.hearing.restart(now);
            // Other peers may have marked this peer as gone, and see it come back now.
            contact.met_at = now;
        }
        self.logs.restart_stall_timers(now);
        self.resumed_at = Some(now);
        self.unheard_hint.clear();
    }

    /// Moves a peer to stage gone, marks it as unverified, and ends its series of pings and
    /// introductions. Notes the room clock at which it was last heard. Shows its held-back messages
    /// ([`Self::show_entries_of`]). Then reports to the user that it has left, unless another peer
    /// here holds its name or this peer has not reported its own joining.
    pub(super) fn mark_gone(&mut self, now: Moment, id: PeerId) {
        self.contacts.set_stage(id, Stage::Gone { at: now });
        self.send_plan = None;
        let clock = self.room_clock(now);
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.parted_at = Some(clock.before(now.since(contact.last_vouched)));
        contact.is_verified = false;
        (contact.ping_at, contact.pings) = (None, 0);
        (contact.introduce_at, contact.introductions) = (None, 0);
        let name = contact.name().to_owned();
        self.show_entries_of(now, id);
        // A peer that comes back at once under the same name has not left.
        if !self.is_held_by_another(id, &name) {
            self.report_presence(Vec::new(), vec![name]);
        }
    }

    /// Handles `bye` with this packet counter: moves the peer to stage gone, from which no page
    /// brings it back, and removes it from the voters. If it was a member, reports that it has left
    /// ([`Self::mark_gone`]).
    pub(super) fn on_bye(&mut self, now: Now, id: PeerId, counter: u64) {
        self.forget_voter(id);
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.left_at_counter = contact.left_at_counter.max(Some(counter));
        }
        match self.contacts.get(id).map(|it| it.stage) {
            Some(Stage::Member) => self.mark_gone(now.moment, id),
            Some(Stage::Gone { .. }) | None => {}
            Some(_) => {
                self.contacts.set_stage(id, Stage::Gone { at: now.moment });
                self.indirect.invalidate();
            }
        }
    }

    /// Makes a place for `id` as a member and returns true. If the room is full, it may evict
    /// another member, which is marked as gone. If there is no place, returns false, and tells the
    /// user so once, unless the peer may yet get a place by an IPv4 address
    /// ([`Self::ping_for_place`]).
    fn make_place(&mut self, now: Moment, id: PeerId) -> bool {
        let text = match self.contacts.place_for(id) {
            Place::Free => return true,
            Place::Instead(newest) => {
                self.mark_gone(now, newest);
                return true;
            }
            Place::GroupFull(_) if self.ping_for_place(now, id) => return false,
            Place::GroupFull(Some(group)) => MeshSentence::GroupFull { group },
            Place::GroupFull(None) | Place::Full => MeshSentence::RoomFull,
        };
        if self.full_notices.len() < MAX_FULL_NOTICES && self.full_notices.insert(text.to_string())
        {
            self.emit(Event::Problem { code: 0, text: text.into() });
        }
        false
    }

    /// Makes a peer in stage heard or listed a member, if it is verified, has stated its name, and
    /// there is a place for it. Otherwise does nothing, except what [`Self::make_place`] does.
    ///
    /// Restarts the loss estimate of the new member. Has it pinged anew if it was never heard by a
    /// path and has no verified address. If this peer has reported its own joining, ensures a log
    /// for the new member, and reports that it has joined, unless another member holds its name.
    pub(super) fn promote(&mut self, now: Moment, id: PeerId) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        let is_ready = contact.is_verified && contact.profile.is_some();
        if !is_ready
            || !matches!(contact.stage, Stage::Heard | Stage::Listed)
            || !self.make_place(now, id)
        {
            return;
        }
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.known_at = now;
        contact.was_member = true;
        contact.last_vouched = contact.last_vouched.max(contact.last_heard.unwrap_or_default());
        contact.heartbeats = (0, now);
        let name = contact.name().to_owned();
        if !contact.is_heard_by_path() && contact.verified_address().is_none() {
            // It has to be reached by unicast. The pings begin anew: more depends on them now.
            contact.needs_verified_address = true;
            (contact.ping_at, contact.pings) = (None, 0);
        }
        let is_known = self.is_held_by_another(id, &name);
        self.contacts.set_stage(id, Stage::Member);
        self.send_plan = None;
        if self.has_joined() {
            self.logs.ensure_author(id);
        }
        self.report_new_member(id, name, is_known);
        self.schedule_sweep(now);
    }

    /// Reports that a new member has joined. `is_known`: true if another peer here holds its name;
    /// then does not report it. Also does not report it if it was shown under the same name before,
    /// as known through others only. If it was shown under another name that nobody else holds,
    /// reports that name as left.
    fn report_new_member(&mut self, id: PeerId, name: String, is_known: bool) {
        let former = self.indirect.remove(id);
        let is_same = former.as_ref().is_some_and(|it| NameKey::of(it) == NameKey::of(&name));
        let joined = if is_known || is_same { Vec::new() } else { vec![name] };
        let left = former.filter(|it| !is_same && !self.is_held_by_another(id, it));
        if !joined.is_empty() || left.is_some() {
            self.report_presence(joined, left.into_iter().collect());
        }
        if is_known {
            self.report_shared_name(id);
        }
    }

    /// Notifies the user that the member `id` has the name of one other peer here. Does nothing if
    /// more than one have it, which was told before; if the other one has the same public key, and
    /// so is a former run of this member; or before this peer has reported its own joining.
    pub(super) fn report_shared_name(&mut self, id: PeerId) {
        let Some(contact) = self.contacts.member(id).filter(|_| self.has_joined()) else { return };
        let (name, key) = (contact.name().to_owned(), NameKey::of(contact.name()));
        let public_key = |id: PeerId| self.contacts.get(id)?.signer.map(|it| it.key);
        let others: Vec<PeerId> = self.contacts.holders(&key).filter(|it| *it != id).collect();
        let is_mine = *self.name.key() == key;
        let text = match others.as_slice() {
            [] if is_mine => MeshSentence::OwnNameShared { name },
            [other] if !is_mine && public_key(*other) != public_key(id) => {
                MeshSentence::NameShared { name }
            }
            _ => return,
        };
        let code = NoticeCode::NameShared.number();
        self.emit(Event::Notice { code, text: text.into() });
    }

    /// Handles a page item by which the verified peer `by` vouches for another peer. If *ago* is
    /// below `INDIRECT`, `by` has heard that peer; otherwise `by` only knows that it is a member.
    /// Marks the listed peer as verified, but none of its addresses, and may make it a member.
    ///
    /// - If the listed peer is a member and `by` has heard it, that is a sign of life. If it is
    ///   also silent here, `by` is asked for its address by `where`.
    /// - An unknown peer is added in stage listed, unless the contacts are at their limit. If the
    ///   peer is still silent after 1.5 × I(n) + 1 s, `by` is asked for its address. If nothing of
    ///   `by` has ever arrived by a path, `by` is asked at once.
    /// - A gone peer returns to stage listed only if `by` has heard it after it went
    ///   ([`REPORT_SLACK`]), and not if it has said `bye`.
    pub(super) fn on_vouch(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let id = item.author;
        let ago = Duration::from_millis(500) * u32::from(item.ago);
        let is_heard = item.ago < PageItem::INDIRECT;
        let size = self.member_count();
        let heard = Moment::after_start(now.since_start().saturating_sub(ago));
        if let Some(contact) = self.contacts.get_mut(id).filter(|it| it.is_member()) {
            // The usual case.
            if is_heard {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
            if is_heard && contact.is_silent(now, address_patience(size)) {
                // It may have moved to an address that other peers know.
                contact.listed_by = Some(by);
                if contact.where_at.is_none() {
                    contact.where_at = Some(now);
                    self.schedule_sweep(now);
                }
            }
            return;
        }
        // A peer behind a host that only unicast reaches is not heard before its address is known.
        let is_behind_host = self.contacts.get(by).is_some_and(|it| !it.is_heard_by_path());
        let Some(contact) = self.contacts.add_listed(now, id, by) else { return };
        if let Stage::Gone { at } = contact.stage {
            // An old report does not bring a peer back. (*ago* is rounded down, and the packet took
            // time.)
            let has_left = contact.left_at_counter.is_some();
            if has_left || !is_heard || now.since(at) <= ago + REPORT_SLACK {
                return;
            }
            self.contacts.set_stage(id, Stage::Listed);
            if let Some(contact) = self.contacts.get_mut(id) {
                contact.met_at = now;
            }
        }
        let Some(contact) = self.contacts.get_mut(id) else { return };
        if is_heard {
            contact.last_vouched = contact.last_vouched.max(heard);
        }
        if contact.stage == Stage::Listed {
            contact.listed_by = Some(by);
            // Wait for its own heartbeat first, which is due within 1.1 × I(n).
            let wait = if is_behind_host { Duration::ZERO } else { address_patience(size) };
            let at = now + wait;
            let at = *contact.where_at.get_or_insert(at);
            self.schedule_sweep_at(at);
        }
        if let Some(contact) = self.contacts.get_mut(id)
            && !contact.is_verified
        {
            contact.is_verified = true;
            self.send_plan = None;
            self.indirect.invalidate();
            self.promote(now, id);
        }
    }
}
