//! Persons: users who have claimed a name, with a session on each of their devices
//! (`docs/protocol/identity.md`, "Several devices").
//!
//! A session is a person's while it has the claimed name and is bound to one of the person's keys.
//! Moderation and mailboxes know a person by one number, that of the session which claimed the name;
//! everybody else they know by the number of the session.

use super::Hub;
use super::connection::ConnectionState;
use super::contract::{ConnectionId, Now, Output, Quota};
use super::handshake::{JoinRefusal, ValidatedJoin};
use super::log_contract::Proposal;
use super::moderation::Requester;
use crate::model::{
    Actor, AddressGroup, ErrorCode, FactDraft, IdentityKey, InvitationCode, InvitationHash,
    ModerationAction, Moment, NameKey, NamedSession, NoticeCode, SessionId, Timestamp, Username,
};
use crate::moderation::{LinkCode, MAX_DEVICES_OF_PERSON};
use crate::wire::tcp::{Claim as ClaimFrame, Error, Notice, claim_action};

/// Text of error 317 for a session that is not one of a person.
const NO_PERSON: &str = "Claim this name first: only then can it have several devices.";

/// Text of error 113 for the session of a device that was unlinked.
const UNLINKED: &str = "This device may use the name no longer: the name was left to another device, or claimed there.";

/// Text of the notice for the devices of a person when another one has come.
const DEVICE_LINKED: &str = "Another device has come in under your name. If it is not yours, take the name from it: /unlink --yes.";

/// Text of error 317 for whose address has made too many link codes.
const TOO_MANY_CODES: &str =
    "Your address has claimed many names or linked many devices lately: try again in an hour.";

impl Hub {
    /// Returns the number by which moderation and mailboxes know a session: that of its person or,
    /// if it is nobody's who has claimed the name, its own.
    pub(super) fn number_of(&self, session: SessionId) -> SessionId {
        self.person_of(session).unwrap_or(session)
    }

    /// Returns the number of the person whose session this is, connected or away.
    pub(super) fn person_of(&self, session: SessionId) -> Option<SessionId> {
        let known = self.sessions.get(session)?;
        self.moderation.own_claim(known.username.key(), known.key).map(|it| it.person)
    }

    /// Returns true if a session has the number of a person, and its key is the person's no longer:
    /// its device is unlinked. It must not be there, under any name: whoever has the number has the
    /// person's mailbox and roles. `key`: the one that the session is bound to.
    pub(super) fn is_unlinked_claimer(&self, session: SessionId, key: Option<IdentityKey>) -> bool {
        self.moderation
            .claim_of_person(session)
            .is_some_and(|it| !key.is_some_and(|key| self.moderation.is_key_of(&it, &key)))
    }

    /// Returns the sessions that are known by a number: those of a person, or the one with this
    /// number.
    pub(super) fn sessions_known_by(&self, number: SessionId) -> Vec<SessionId> {
        let claim = self.moderation.claim_of_person(number);
        let holders = claim.map(|it| self.names.holders(it.username.key()));
        let mut sessions: Vec<_> = holders
            .into_iter()
            .flatten()
            .filter(|it| self.person_of(*it) == Some(number))
            .collect();
        if self.number_of(number) == number && !sessions.contains(&number) {
            sessions.push(number);
        }
        sessions
    }

    /// Returns the link code that a `join` brings, if there is such a code and it is not used.
    pub(super) fn find_link_code(&self, code: Option<&str>) -> Option<LinkCode<'_>> {
        let code = code?.parse::<InvitationCode>().ok()?;
        self.moderation.find_link_code(code.hash())
    }

    /// Returns true if the key of a `join` is one of the person's whose link code it has brought:
    /// another `join` of the key has used the code.
    pub(super) fn is_linked(&self, join: &ValidatedJoin) -> bool {
        let claim = join.person.and_then(|it| self.moderation.claim_of_person(it));
        claim.is_some_and(|it| join.key.is_some_and(|key| self.moderation.is_key_of(&it, &key)))
    }

    /// Checks a link code. Returns the number of the person.
    ///
    /// # Errors
    /// The device cannot be linked by it (210). The text says why.
    pub(super) fn check_link_code(
        &self,
        now: Timestamp,
        username: &Username,
        key: Option<IdentityKey>,
        code: &LinkCode<'_>,
    ) -> Result<SessionId, JoinRefusal> {
        let name = &code.person.username;
        let text = if name != username {
            format!("This invitation is for the name {name}.")
        } else if code.has_ended(now) {
            "This code has ended: make another one on your first device.".to_owned()
        } else if let Some(held) = key.and_then(|it| self.moderation.claim_of(&it)) {
            let held = held.username;
            format!("You have claimed the name {held} already: give it up first.")
        } else if self.moderation.device_count(name.key()) >= MAX_DEVICES_OF_PERSON {
            format!("You have {MAX_DEVICES_OF_PERSON} devices already: unlink the others first.")
        } else if key.is_none() {
            "This code links a device, and your client has proved no key.".to_owned()
        } else {
            return Ok(code.person.session);
        };
        Err(JoinRefusal::with_text(ErrorCode::InviteInvalid, &text))
    }

    /// Returns true if a `join` that was found to be a person's still is: the claim is in force, and
    /// has the key or the link code. So is one that was not a person's, unless somebody else has
    /// claimed the name meanwhile.
    pub(super) fn is_still_of_person(&self, join: &ValidatedJoin) -> bool {
        let Some(person) = join.person else {
            let name = join.username.key();
            return self.moderation.claim(name).is_none()
                || self.moderation.own_claim(name, join.key).is_some();
        };
        let Some(claim) = self.moderation.claim_of_person(person) else { return false };
        let has_key = join.key.is_some_and(|it| self.moderation.is_key_of(&claim, &it));
        let code = self.moderation.link_code(claim.username.key()).map(|it| it.code);
        has_key || join.link_code.is_some() && join.link_code == code
    }

    /// If a `join` brings a link code that it needs, proposes to link its device, and returns true:
    /// the `join` is completed by [`Self::finish_admission`].
    pub(super) fn propose_link(&mut self, id: ConnectionId, join: &ValidatedJoin) -> bool {
        let (Some(code), Some(key), Some(person)) = (join.link_code, join.key, join.person) else {
            return false;
        };
        let Some(claim) = self.moderation.claim_of_person(person) else { return false };
        if self.moderation.is_key_of(&claim, &key) {
            return false;
        }
        let person = NamedSession { session: person, username: claim.username.clone() };
        let actor = Actor::Session(person.clone());
        let action = ModerationAction::DeviceLinked { person, key, code };
        let draft = FactDraft { actor, action, reason: None };
        self.propose_fact(Requester::Join(id), draft, None);
        true
    }

    /// Tells the devices of a person that are there that another device was linked: whoever has made the
    /// code sees that it was used, and so does whoever has lost it. The new device has not joined yet.
    pub(super) fn tell_device_linked(&mut self, person: SessionId) {
        let sessions = self.sessions_known_by(person).into_iter();
        let connections = sessions.filter_map(|it| self.sessions.get(it)?.connection);
        let has_joined = |id: &ConnectionId| {
            self.connections.get(id).is_some_and(|it| it.joined_session().is_some())
        };
        let devices = connections.filter(has_joined).collect();
        self.send_frame_to_all(
            devices,
            Notice::new(NoticeCode::DeviceLinked, DEVICE_LINKED).into(),
        );
    }

    /// Handles a `claim` about the devices of a person: proposes a link code, or leaves the name to
    /// this device alone. A link code counts as a claim for the address group: its fact must not push
    /// those of moderators out of the log. So nobody can leave the name to a device very often
    /// either: that needs no fact if there is no other device and no link code.
    pub(super) fn handle_device_claim(
        &mut self,
        now: Moment,
        requester: Requester,
        group: AddressGroup,
        session: SessionId,
        key: IdentityKey,
        frame: &ClaimFrame,
    ) {
        let person = self.person_of(session).and_then(|it| self.moderation.claim_of_person(it));
        let Some(claim) = person.filter(|it| self.moderation.is_key_of(it, &key)) else {
            return self.refuse_claim(&requester, NO_PERSON.to_owned());
        };
        let name = claim.username.key();
        let is_alone = claim.key == key
            && self.moderation.device_count(name) == 1
            && self.moderation.link_code(name).is_none();
        if frame.action == claim_action::UNLINK_OTHERS && is_alone {
            return self.answer_moderation(&requester, Ok(1));
        }
        let person = NamedSession { session: claim.person, username: claim.username.clone() };
        let actor = Actor::Session(person.clone());
        let action = if frame.action == claim_action::LINK {
            let code = InvitationHash(frame.code_hash);
            if frame.code_hash == [0; 32] || self.moderation.invitation(code).is_some() {
                return self.answer_moderation(&requester, Err(ErrorCode::NotPermitted));
            }
            ModerationAction::DeviceInvited { person, key, code }
        } else {
            ModerationAction::NameClaimed { holder: person, key, invitation: claim.invitation }
        };
        if frame.action == claim_action::LINK && !self.quotas.take_claim(group, now) {
            self.report_quota(group, Quota::Claims);
            return self.refuse_claim(&requester, TOO_MANY_CODES.to_owned());
        }
        self.propose_fact(requester, FactDraft { actor, action, reason: None }, None);
    }

    /// Carries out that a name was claimed, or left to one key: the sessions that hold it and are
    /// bound to the key are the person's. Others end. So does the session that has claimed the name,
    /// whatever name it has now, if it is not bound to the key: it has the person's number.
    pub(super) fn settle_claim(&mut self, now: Now, holder: &NamedSession, key: IdentityKey) {
        let person = holder.session;
        let sessions: Vec<_> = self.names.holders(holder.username.key()).collect();
        for session in sessions {
            if self.bound_key(session) == Some(key) {
                self.names.set_person(session, Some(person));
            } else {
                self.end_unlinked(now, session);
            }
        }
        let bound = self.sessions.get(person).map(|it| it.key);
        if bound.is_some_and(|it| self.is_unlinked_claimer(person, it)) {
            self.end_unlinked(now, person);
            self.forget_session(person);
        }
    }

    /// Forgets the session that has claimed a name, and proposes to delete it: it must be away. The
    /// person's direct messages stay.
    fn forget_session(&mut self, session: SessionId) {
        if self.sessions.forget(session) {
            self.delete_session(session);
        }
    }

    /// Forgets, at a start, the sessions that have the number of a person and must not be there:
    /// the server has stopped before it could delete them.
    pub(super) fn forget_unlinked_claimers(&mut self) {
        let claims = self.moderation.claims();
        let unlinked: Vec<_> = claims
            .filter_map(|it| Some((it.person, self.sessions.get(it.person)?.key)))
            .filter(|(person, key)| self.is_unlinked_claimer(*person, *key))
            .collect();
        for (person, _) in unlinked {
            self.forget_session(person);
        }
    }

    /// Ends the session of a device that was unlinked. It can be resumed under another name.
    fn end_unlinked(&mut self, now: Now, session: SessionId) {
        match self.sessions.get(session).and_then(|it| it.connection) {
            Some(id) => {
                let text = UNLINKED.to_owned();
                let error = Error::new(ErrorCode::Removed);
                self.close_with_error(now, id, Error { text, ..error });
            }
            None => self.free_waiting_name(session),
        }
    }

    /// Carries out that the claim of a person on a name has ended: their direct messages end if the
    /// session that claimed the name is gone. Who holds the name keeps it until they leave, or until
    /// one of them claims it. Other devices that are joining lose their connections.
    pub(super) fn end_person(&mut self, now: Now, name: &NameKey, person: SessionId) {
        self.names.end_person(name);
        self.forget_read_marks(person);
        let holders = self.names.holders(name).filter(|it| *it != person);
        let connections = holders.filter_map(|it| self.sessions.get(it)?.connection);
        let is_joining = |id: &ConnectionId| {
            let state = self.connections.get(id).map(|it| &it.state);
            matches!(state, Some(ConnectionState::Joining { .. }))
        };
        let joining: Vec<_> = connections.filter(is_joining).collect();
        for id in joining {
            // What is being read for it is the person's. It reconnects, and gets what is its own.
            self.close_with_code(now, id, ErrorCode::Internal);
        }
        if self.sessions.get(person).is_none() {
            self.outputs.push_back(Output::Propose(Proposal::DeleteSession(person)));
        }
    }
}
