//! Objections to candidates and to names of members: reasons, and `object` packets. Section 7.

use std::net::SocketAddr;

use super::admission::Approval;
use super::contacts::Seniority;
use super::dispatch::PacketMeta;
use super::{Mesh, Now};
use crate::model::{ErrorCode, PeerId, RoomClock, Username, rounded_duration};
use crate::wire::udp::{Announce, Control, Nonce, Object, VERSION};

/// Silence of a name's holder, in seconds, from which on the text of an objection suggests trying
/// again. Such a holder may be about to time out.
const MIN_REPORTED_SILENCE_SECS: u64 = 3;

impl Mesh {
    /// Returns the error code of a reason to object to a candidate, and a seniority: for a taken or
    /// look-alike name that of the name's holder, otherwise this peer's. `None` if there is no
    /// reason.
    ///
    /// Checks, in this order: the version, the own name, the names of other members, look-alikes,
    /// the block list, and the user's denial of this attempt. Only a voter checks the version, and
    /// the names and look-alikes of other members. Other members with the candidate's public key do
    /// not count: they are former runs of it. If the version is unsupported, nothing else is
    /// checked.
    pub(super) fn find_objection(
        &self,
        meta: PacketMeta,
        announce: &Announce,
        name: &Username,
        is_voter: bool,
    ) -> Option<(ErrorCode, Seniority)> {
        let me = self.seniority();
        if !(announce.lowest..=announce.highest).contains(&VERSION) {
            return is_voter.then_some((ErrorCode::VersionUnsupported, me));
        }
        if name.key() == self.name.key() {
            return Some((ErrorCode::NameTaken, me));
        }
        if is_voter {
            let mut holders = self.contacts.holders(name.key());
            if let Some(holder) = holders.find(|it| !self.is_same_key(*it, meta)) {
                let since = self.contacts.get(holder).map_or(RoomClock(0), |it| it.since());
                return Some((ErrorCode::NameTaken, (since, holder)));
            }
        }
        if let Some(holder) = self.look_alike(name, meta, is_voter) {
            return Some((ErrorCode::NameLookalike, holder));
        }
        let blocked =
            self.block_list.has_name(name.key()) || self.block_list.has_key(&meta.sender.key);
        if blocked {
            return Some((ErrorCode::Blocked, me));
        }
        let known = self.admission.candidates.get(&meta.sender.id);
        let was_denied =
            known.is_some_and(|it| it.approval == Approval::Denied && it.nonce == announce.nonce);
        was_denied.then_some((ErrorCode::NotAdmitted, me))
    }

    /// Returns true if `member` has the public key of the packet's sender. Then it is the sender
    /// itself or an earlier incarnation of the sender.
    fn is_same_key(&self, member: PeerId, meta: PacketMeta) -> bool {
        let signer = self.contacts.get(member).and_then(|it| it.signer);
        signer.is_some_and(|it| it.key == meta.sender.key)
    }

    /// Returns the seniority of a member whose name looks like `name`: both have the same skeleton.
    /// Checks this peer first. A voter then checks the other members, except those with the
    /// sender's public key. `None` if there is none.
    fn look_alike(&self, name: &Username, meta: PacketMeta, is_voter: bool) -> Option<Seniority> {
        let skeleton = name.key().skeleton();
        if self.name.key().skeleton() == skeleton {
            return Some(self.seniority());
        }
        let mut holders = self.contacts.look_alikes(&skeleton).filter(|_| is_voter);
        let holder = holders.find(|it| !self.is_same_key(*it, meta))?;
        let since = self.contacts.get(holder)?.since();
        Some((since, holder))
    }

    /// Sends an `object` to a candidate or a member. `nonce`: nonce of the candidate's attempt, or
    /// zero for a member. `username`: the name objected to. `since` and `holder`: seniority of the
    /// name's holder.
    pub(super) fn object(
        &mut self,
        now: Now,
        address: SocketAddr,
        nonce: Nonce,
        code: ErrorCode,
        username: &str,
        (since, holder): Seniority,
    ) {
        let object = Object {
            nonce,
            code: code.number(),
            by: self.name.as_str().to_owned(),
            username: username.to_owned(),
            holder,
            clock: self.room_clock(now.moment),
            since,
            text: self.objection_text(now, code, (since, holder)),
        };
        self.send_to(address, Control::Object(object));
    }

    /// Returns the human-readable text of an objection. For a taken or look-alike name, the text
    /// says for how long the holder has been present. If the holder of a taken name has been silent
    /// for [`MIN_REPORTED_SILENCE_SECS`] or longer, the text says for how long instead. For other
    /// codes, and if the holder is no member, it is the code's default text.
    fn objection_text(&self, now: Now, code: ErrorCode, (since, holder): Seniority) -> String {
        let name = match self.contacts.member(holder) {
            Some(contact) => contact.name(),
            None if holder == self.me.id && self.is_member() => self.name.as_str(),
            // The holder is a candidate, about which there is nothing to say.
            None => return code.default_text().to_owned(),
        };
        let present = rounded_duration(self.room_clock(now.moment).since(since).as_secs());
        let silence =
            self.contacts.member(holder).map(|it| now.moment.since(it.last_vouched).as_secs());
        match code {
            ErrorCode::NameTaken if silence.is_some_and(|it| it >= MIN_REPORTED_SILENCE_SECS) => {
                format!("{name} was here {} s ago; try again.", silence.unwrap_or(0))
            }
            ErrorCode::NameTaken | ErrorCode::NameLookalike => {
                format!("{name} has been here for {present}.")
            }
            _ => code.default_text().to_owned(),
        }
    }
}
