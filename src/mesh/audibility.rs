//! Audibility: which peers do not hear this one, and the hint if nobody does. Section 11, rules 22
//! and 23.

use std::time::Duration;

use super::contact::{Contact, Stage};
use super::timers::{UNHEARD_HINT_DELAY, gone_after, listing_patience};
use super::{Mesh, Now};
use crate::model::{Event, MeshSentence, Moment, NoticeCode, PeerId};
use crate::wire::udp::{Control, PageItem};

/// Maximum number of usernames in the hint that nobody hears this peer.
const MAX_NAMES_IN_HINT: usize = 3;

/// Signs from another peer's pages that it hears this peer, or does not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hearing {
    /// Time of the last page that listed this peer as heard, or of a later [`Self::restart`].
    /// `None` if there was no such page.
    listed_at: Option<Moment>,
    /// Time since which the pages list this peer as not heard. `None` if the last page about this
    /// peer listed it as heard, if there was none, or after [`Self::restart`].
    deaf_since: Option<Moment>,
}

impl Hearing {
    /// Notes an item about this peer in a page of the other peer. `patience`: an *ago* below it
    /// counts as heard.
    fn note(&mut self, now: Moment, item: PageItem, patience: Duration) {
        let ago = Duration::from_millis(500) * u32::from(item.ago);
        if item.ago < PageItem::INDIRECT && ago < patience {
            *self = Self { listed_at: Some(now), deaf_since: None };
        } else {
            self.deaf_since.get_or_insert(now);
        }
    }

    /// Restarts both timeouts of [`Self::is_deaf`] at `now`. Call it after an answer of the other
    /// peer, when the other peer is heard after a long silence, and after a suspension of the
    /// machine.
    pub(super) fn restart(&mut self, now: Moment) {
        self.listed_at = self.listed_at.map(|_| now);
        self.deaf_since = None;
    }

    /// Returns true if the other peer does not hear this one, in a room with `members` members.
    /// Then its pages have listed this peer as not heard for G(n), or have not listed it as heard
    /// for [`listing_patience`].
    fn is_deaf(&self, now: Moment, members: usize) -> bool {
        let has_lasted = |it: Option<Moment>, time| it.is_some_and(|it| now.since(it) >= time);
        has_lasted(self.deaf_since, gone_after(members))
            || has_lasted(self.listed_at, listing_patience(members))
    }
}

/// State of the hint that nobody hears this peer.
#[derive(Debug, Default)]
pub(super) struct UnheardHint {
    /// Time since which this peer hears others and none of them seems to hear it. `None` if one of
    /// them may hear this peer, or if no peer is heard.
    since: Option<Moment>,
    /// Time of the last heartbeat of a peer that does not answer.
    last_heartbeat: Moment,
    /// True if the user was told.
    is_reported: bool,
}

impl UnheardHint {
    /// Ends the time in which nobody seems to hear this peer.
    pub(super) fn clear(&mut self) {
        self.since = None;
    }
}

impl Mesh {
    /// Ends the time in which nobody seems to hear this peer, if a control packet shows that its
    /// sender knows this peer's address. Such a packet came by unicast, and is of a kind that is
    /// not sent to named hosts. Then its sender hears this peer, or a peer that has passed on the
    /// address does.
    pub(super) fn note_sign_of_hearing(&mut self, is_to_many: bool, control: &Control) {
        let is_to_all =
            matches!(control, Control::Heartbeat(_) | Control::Announce(_) | Control::Bye(_));
        if !is_to_many && !is_to_all {
            self.unheard_hint.clear();
        }
    }

    /// Records whether the sender `by` of a page hears this peer, by the item about this peer in
    /// the page. Unless the item is absent, also ends the introductions to that peer.
    pub(super) fn note_own_listing(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let patience = gone_after(self.member_count()) * 3 / 2;
        if let Some(contact) = self.contacts.get_mut(by) {
            contact.hearing.note(now, item, patience);
            if item.ago != PageItem::ABSENT {
                contact.introduce_at = None;
            }
        }
    }

    /// Returns true if a member is heard directly, but does not hear this peer.
    pub(super) fn is_deaf(&self, now: Moment, contact: &Contact) -> bool {
        contact.is_member()
            && self.is_audible(now, contact)
            && contact.hearing.is_deaf(now, self.member_count())
    }

    /// Returns true if a peer has stated its name, and was heard directly within G(n).
    pub(super) fn is_audible(&self, now: Moment, contact: &Contact) -> bool {
        contact.profile.is_some() && !contact.is_silent(now, gone_after(self.member_count()))
    }

    /// Returns true if a peer that is heard does not answer this peer. It is unverified in stage
    /// heard, or it is a member that does not hear this peer ([`Self::is_deaf`]).
    fn is_unanswering(&self, now: Moment, contact: &Contact) -> bool {
        let is_stranger = contact.stage == Stage::Heard && !contact.is_verified;
        is_stranger || self.is_deaf(now, contact)
    }

    /// Updates the hint after a heartbeat of the peer `by`. If none of the peers that this member
    /// hears has answered for [`UNHEARD_HINT_DELAY`], tells the user, once.
    pub(super) fn hint_if_unheard(&mut self, now: Now, by: PeerId) {
        let now = now.moment;
        let gone = gone_after(self.member_count());
        let is_lone = self.contacts.get(by).is_some_and(|it| self.is_unanswering(now, it))
            && !self
                .contacts
                .iter()
                .any(|(_, it)| self.is_audible(now, it) && !self.is_unanswering(now, it));
        if !is_lone || !self.is_member() {
            self.unheard_hint.clear();
            return;
        }
        let hint = &mut self.unheard_hint;
        if now.since(hint.last_heartbeat) >= gone {
            hint.clear();
        }
        hint.last_heartbeat = now;
        let since = *hint.since.get_or_insert(now);
        if hint.is_reported || now.since(since) < UNHEARD_HINT_DELAY {
            return;
        }
        hint.is_reported = true;
        let text = self.not_heard(now).into();
        self.emit(Event::Notice { code: NoticeCode::NotHeard.number(), text });
    }

    /// Returns the hint that nobody hears this peer, with the names of some that it
    /// hears.
    fn not_heard(&self, now: Moment) -> MeshSentence {
        let heard = self.contacts.iter().filter(|(_, it)| self.is_audible(now, it));
        let mut heard = heard.map(|(_, it)| it.name().to_owned());
        let names = heard.by_ref().take(MAX_NAMES_IN_HINT).collect();
        MeshSentence::NotHeard { heard: names, has_more: heard.next().is_some() }
    }
}
