//! Rivals: candidates that ask for the same name at the same time. Section 7, rules 10 and 13.

use super::admission::Approval;
use super::contact::{Contact, Stage};
use super::dispatch::PacketMeta;
use super::timers::APPROVAL_TIMEOUT;
use super::{Mesh, Now, Phase};
use crate::model::{ErrorCode, NameKey, PeerId, RoomClock};
use crate::wire::udp::{Announce, Object};

impl Mesh {
    /// Handles an `announce` of another candidate while this peer is a candidate. Does nothing if
    /// it asks for another name. If the rival has the smaller id, its `announce` is handled as an
    /// objection to this peer ([`Self::on_rejection`]). Otherwise sends an `object` to a verified
    /// rival, and a `ping` to any other.
    pub(super) fn on_rival(&mut self, now: Now, meta: PacketMeta, announce: &Announce) {
        let Phase::Announcing(candidacy) = &self.phase else { return };
        let nonce = candidacy.nonce;
        let key = NameKey::of(&announce.username);
        if key != *self.settings.username.key() || announce.nonce == nonce {
            return;
        }
        let code = ErrorCode::NameTaken;
        if meta.sender.id < self.me.id {
            let objection = Object {
                nonce,
                code: code.number(),
                by: announce.username.clone(),
                username: announce.username.clone(),
                holder: meta.sender.id,
                clock: RoomClock(0),
                since: RoomClock(0),
                text: code.default_text().to_owned(),
            };
            self.on_rejection(now, meta, &objection);
        } else if self.contacts.get(meta.sender.id).is_some_and(|it| it.is_verified) {
            let holder = (RoomClock(0), self.me.id);
            self.object(now, meta.from, announce.nonce, code, &announce.username, holder);
        } else {
            // It may be a recording.
            self.ping(now, meta.sender.id);
        }
    }

    /// Returns true if this peer is a voter and a rival of the candidate `id` is ahead.
    pub(super) fn is_rival_ahead(&self, now: Now, id: PeerId) -> bool {
        self.is_voter()
            && self.admission.candidates.keys().any(|rival| self.is_ahead(now, *rival, id))
    }

    /// Returns true if the candidate `rival` is ahead of the candidate `id`: both have announced
    /// the same name less than [`APPROVAL_TIMEOUT`] ago, the rival has the smaller id, is verified,
    /// was not denied by the user, and has another public key, and neither is a member or gone.
    fn is_ahead(&self, now: Now, rival: PeerId, id: PeerId) -> bool {
        let candidate = |id: PeerId| {
            let candidate = self.admission.candidates.get(&id)?;
            let contact = self.contacts.get(id).filter(|it| it.stage == Stage::Heard)?;
            let is_recent = now.moment.since(candidate.last_heard) < APPROVAL_TIMEOUT;
            is_recent.then_some((candidate, contact))
        };
        let (Some((ahead, contact)), Some((behind, other))) = (candidate(rival), candidate(id))
        else {
            return false;
        };
        let key = |it: &Contact| it.signer.map(|it| it.key);
        rival < id
            && ahead.name.key() == behind.name.key()
            && ahead.approval != Approval::Denied
            && contact.is_verified
            && key(contact) != key(other)
    }
}
