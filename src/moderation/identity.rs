//! Claimed names, their devices, and invitations: verdicts on their facts, and who may have which name
//! (`docs/protocol/identity.md`).
//!
//! A key has at most one claim. An invitation counts its uses by their registers, one for each
//! [`Invitee`]: so whoever has used it may use it again at no cost, and the log's order decides who
//! gets the last use.

use std::time::Duration;

use super::ModerationState;
use super::judge::FactError;
use super::register::{Invitee, MAX_DEVICES_OF_PERSON, Register};
use crate::model::{
    Actor, IdentityKey, Invitation, InvitationHash, ModerationAction, NameKey, NamedSession,
    SessionId, SharedFact, Timestamp, Username,
};

/// Time for which a link code may be used.
const LINK_CODE_LIFETIME: Duration = Duration::from_secs(300);

/// Claim of a name that is in force: a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Claimed name.
    pub username: &'a Username,
    /// Number of the person: that of the session that has claimed the name.
    pub person: SessionId,
    /// Key with which it is claimed. [Linked devices](ModerationState::devices) have other ones.
    pub key: IdentityKey,
    /// Invitation that permitted the claim.
    pub invitation: Option<InvitationHash>,
    /// Fact that claimed it, or renewed the claim last.
    pub fact: &'a SharedFact,
}

impl<'a> Claim<'a> {
    /// Returns the claim that a fact makes; `None` if it makes none.
    fn of(fact: &'a SharedFact) -> Option<Self> {
        match &fact.draft.action {
            ModerationAction::NameClaimed { holder, key, invitation } => {
                let NamedSession { session: person, username } = holder;
                Some(Self { username, person: *person, key: *key, invitation: *invitation, fact })
            }
            _ => None,
        }
    }
}

/// Why a user may not have a name because of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimConflict {
    /// The name is claimed, and the key is not one of that person.
    Name,
    /// A name that looks like it is claimed, and the key is not one of that person.
    Lookalike,
}

/// Invitation that was made and not revoked. Its time may be over, and it may be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeInvitation<'a> {
    /// The invitation.
    pub invitation: &'a Invitation,
    /// Fact by which it was made.
    pub fact: &'a SharedFact,
}

impl<'a> MadeInvitation<'a> {
    /// Returns the invitation that a fact makes; `None` if it makes none.
    fn of(fact: &'a SharedFact) -> Option<Self> {
        match &fact.draft.action {
            ModerationAction::InvitationMade(invitation) => Some(Self { invitation, fact }),
            _ => None,
        }
    }
}

/// Link code that was made and not used. Its time may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkCode<'a> {
    /// The person who has made it: number and claimed name.
    pub person: &'a NamedSession,
    /// Hash of the code.
    pub code: InvitationHash,
    /// Fact by which it was made.
    pub fact: &'a SharedFact,
}

impl<'a> LinkCode<'a> {
    /// Returns the link code that a fact makes; `None` if it makes none.
    fn of(fact: &'a SharedFact) -> Option<Self> {
        match &fact.draft.action {
            ModerationAction::DeviceInvited { person, code, .. } => {
                Some(Self { person, code: *code, fact })
            }
            _ => None,
        }
    }

    /// Returns true if the code, which was made at the time of its fact, has ended by `now`.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.fact.time.until(now) >= LINK_CODE_LIFETIME
    }
}

impl ModerationState {
    /// Judges the part of a claim, or of an invitation, its use or its end, that depends on the facts
    /// before it. Other actions pass. `time`: that of the fact.
    ///
    /// # Errors
    /// [`FactError::Claimed`], [`FactError::Reserved`], [`FactError::NotInvited`] or
    /// [`FactError::NotInForce`].
    pub(super) fn judge_identity(
        &self,
        action: &ModerationAction,
        time: Timestamp,
    ) -> Result<(), FactError> {
        match action {
            ModerationAction::NameClaimed { holder, key, invitation } => {
                let name = holder.username.key();
                let is_others = self
                    .claim(name)
                    .is_some_and(|it| it.person != holder.session || !self.is_key_of(&it, key));
                let held = self.claim_of(key);
                if is_others || held.is_some_and(|it| it.username.key() != name) {
                    return Err(FactError::Claimed);
                }
                let permits = |hash| {
                    let invitees = [Invitee::Key(*key), Invitee::Session(holder.session)];
                    invitees.into_iter().any(|it| self.use_of(hash, it) == Some(true))
                };
                if held.is_none() && invitation.is_some_and(|it| !permits(it)) {
                    return Err(FactError::NotInvited);
                }
                Ok(())
            }
            ModerationAction::InvitationMade(invitation) => {
                let Some(name) = invitation.username.as_ref().map(Username::key) else {
                    return Ok(());
                };
                let reserves = |it: &MadeInvitation<'_>| it.invitation.hash != invitation.hash;
                if self.claim(name).is_some() {
                    Err(FactError::Claimed)
                } else if self.reservations(name, time).any(|it| reserves(&it)) {
                    Err(FactError::Reserved)
                } else {
                    Ok(())
                }
            }
            ModerationAction::InvitationUsed { invitation, user, key, is_for_claim } => {
                let invitee = Invitee::of(user.session, *key);
                let may_use = self.may_use(*invitation, invitee, &user.username, *is_for_claim);
                if may_use { Ok(()) } else { Err(FactError::NotInvited) }
            }
            ModerationAction::InvitationRevoked { invitation } => {
                self.invitation(*invitation).map(|_| ()).ok_or(FactError::NotInForce)
            }
            ModerationAction::DeviceInvited { person, key, .. } => {
                // The device may have been unlinked meanwhile.
                let has_key =
                    self.claim(person.username.key()).is_some_and(|it| self.is_key_of(&it, key));
                if has_key && self.is_person(person) { Ok(()) } else { Err(FactError::Claimed) }
            }
            ModerationAction::DeviceLinked { person, key, code } => {
                let name = person.username.key();
                let is_open =
                    self.link_code(name).is_some_and(|it| it.code == *code && !it.has_ended(time));
                if !self.is_person(person) || self.claim_of(key).is_some() {
                    Err(FactError::Claimed)
                } else if !is_open {
                    Err(FactError::NotInvited)
                } else if self.device_count(name) >= MAX_DEVICES_OF_PERSON {
                    Err(FactError::Full)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// Returns true if somebody with this number has claimed this name.
    fn is_person(&self, person: &NamedSession) -> bool {
        self.claim(person.username.key()).is_some_and(|it| it.person == person.session)
    }

    /// Returns the claim of a name.
    #[must_use]
    pub fn claim(&self, name: &NameKey) -> Option<Claim<'_>> {
        if self.identities.has_no_claims() {
            return None;
        }
        self.registers.get(&Register::Claim(name.clone())).and_then(Claim::of)
    }

    /// Returns the claim of the person who has a key: the one that was made with it, or to which its
    /// device is linked.
    #[must_use]
    pub fn claim_of(&self, key: &IdentityKey) -> Option<Claim<'_>> {
        self.identities.names(key).next().and_then(|name| self.claim(name))
    }

    /// Returns the claim of the person with this number.
    #[must_use]
    pub fn claim_of_person(&self, person: SessionId) -> Option<Claim<'_>> {
        self.identities.names_of_person(&person).next().and_then(|name| self.claim(name))
    }

    /// Returns true if a key is that of a claim, or of a device linked to its name.
    #[must_use]
    pub fn is_key_of(&self, claim: &Claim<'_>, key: &IdentityKey) -> bool {
        let name = claim.username.key();
        claim.key == *key || self.registers.contains_key(&Register::Device(name.clone(), *key))
    }

    /// Returns the claim of a name if a key is one of that person's: the claim is the user's own.
    #[must_use]
    pub fn own_claim(&self, name: &NameKey, key: Option<IdentityKey>) -> Option<Claim<'_>> {
        let key = key?;
        self.claim(name).filter(|it| self.is_key_of(it, &key))
    }

    /// Returns the facts by which the devices of a name were linked, in order of keys. The one that
    /// claimed the name is not among them.
    pub fn devices(&self, name: &NameKey) -> impl Iterator<Item = &SharedFact> {
        self.device_registers(name).map(|(_, fact)| fact)
    }

    /// Returns the registers of the devices of a name.
    fn device_registers(&self, name: &NameKey) -> impl Iterator<Item = (&Register, &SharedFact)> {
        let name = name.clone();
        let first = Register::Device(name.clone(), IdentityKey([0; 32]));
        let is_here = move |(it, _): &(&Register, &SharedFact)| matches!(it, Register::Device(of, _) if *of == name);
        self.registers.range(first..).take_while(is_here)
    }

    /// Returns true if the device with this key was linked to the name of a claim by this code.
    #[must_use]
    pub fn is_linked_by(&self, claim: &Claim<'_>, key: &IdentityKey, code: InvitationHash) -> bool {
        let register = Register::Device(claim.username.key().clone(), *key);
        self.registers.get(&register).is_some_and(|fact| {
            matches!(&fact.draft.action, ModerationAction::DeviceLinked { code: it, .. } if *it == code)
        })
    }

    /// Returns the number of devices of a name that is claimed.
    #[must_use]
    pub fn device_count(&self, name: &NameKey) -> usize {
        self.devices(name).count().saturating_add(1)
    }

    /// Returns the link code of a name that is not used. Its time may be over.
    #[must_use]
    pub fn link_code(&self, name: &NameKey) -> Option<LinkCode<'_>> {
        self.registers.get(&Register::LinkCode(name.clone())).and_then(LinkCode::of)
    }

    /// Returns the link code with this hash that is not used. Its time may be over.
    #[must_use]
    pub fn find_link_code(&self, hash: InvitationHash) -> Option<LinkCode<'_>> {
        let name = self.identities.link_codes(&hash).next()?;
        self.link_code(name)
    }

    /// Returns the registers of link codes and devices that an effective action clears, beside the
    /// one that it writes: those of a name end with its claim, and when the claim goes over to one
    /// key; a link code also when it is used.
    pub(super) fn devices_ended_by(
        &self,
        actor: &Actor,
        action: &ModerationAction,
    ) -> Vec<Register> {
        let (name, ends_devices) = match action {
            ModerationAction::NameClaimed { .. } if *actor == Actor::Server => return Vec::new(),
            ModerationAction::NameClaimed { holder, .. } => (holder.username.key(), true),
            ModerationAction::ClaimEnded { username, .. } => (username.key(), true),
            ModerationAction::DeviceLinked { person, .. } => (person.username.key(), false),
            _ => return Vec::new(),
        };
        let code = Register::LinkCode(name.clone());
        let code = self.registers.contains_key(&code).then_some(code);
        let devices = self.device_registers(name).filter(|_| ends_devices);
        code.into_iter().chain(devices.map(|(it, _)| it.clone())).collect()
    }

    /// Returns all claims, in order of names.
    pub fn claims(&self) -> impl Iterator<Item = Claim<'_>> {
        self.registers.values().filter_map(Claim::of)
    }

    /// Returns why a user may not have a name: somebody else has claimed it, or it looks like such a
    /// name. `None` if neither is so. `key`: the key that the user has proved.
    #[must_use]
    pub fn claim_conflict(
        &self,
        username: &Username,
        key: Option<&IdentityKey>,
        refuse_lookalikes: bool,
    ) -> Option<ClaimConflict> {
        let is_own = |claim: &Claim<'_>| key.is_some_and(|it| self.is_key_of(claim, it));
        let is_others = |name: &NameKey| self.claim(name).is_some_and(|it| !is_own(&it));
        if self.identities.has_no_claims() {
            None
        } else if let Some(claim) = self.claim(username.key()) {
            // Who has claimed a name may have it, whatever it looks like.
            (!is_own(&claim)).then_some(ClaimConflict::Name)
        } else if refuse_lookalikes
            && self.identities.lookalikes(&username.key().skeleton()).any(is_others)
        {
            Some(ClaimConflict::Lookalike)
        } else {
            None
        }
    }

    /// Returns an invitation that is not revoked. Its time may be over, and it may be used up.
    #[must_use]
    pub fn invitation(&self, hash: InvitationHash) -> Option<MadeInvitation<'_>> {
        self.registers.get(&Register::Invitation(hash)).and_then(MadeInvitation::of)
    }

    /// Returns all invitations that are not revoked, in the order in which they were made.
    #[must_use]
    pub fn invitations(&self) -> Vec<MadeInvitation<'_>> {
        let mut found: Vec<_> = self.registers.values().filter_map(MadeInvitation::of).collect();
        found.sort_by_key(|it| it.fact.sequence);
        found
    }

    /// Returns the facts of an invitation's uses.
    pub fn uses(&self, hash: InvitationHash) -> impl Iterator<Item = &SharedFact> {
        let first = Register::InvitationUse(hash, Invitee::Key(IdentityKey([0; 32])));
        self.registers
            .range(first..)
            .take_while(move |(it, _)| matches!(it, Register::InvitationUse(of, _) if *of == hash))
            .map(|(_, fact)| fact)
    }

    /// Returns the number of uses that an invitation has left; 0 if it is revoked or was never made.
    #[must_use]
    pub fn uses_left(&self, hash: InvitationHash) -> u16 {
        self.invitation(hash).map_or(0, |it| {
            let used = u16::try_from(self.uses(hash).count()).unwrap_or(u16::MAX);
            it.invitation.uses.get().saturating_sub(used)
        })
    }

    /// Returns whether a user has used an invitation to claim a name: false if only to come in,
    /// `None` if the user has not used it.
    #[must_use]
    pub fn use_of(&self, hash: InvitationHash, invitee: Invitee) -> Option<bool> {
        let fact = self.registers.get(&Register::InvitationUse(hash, invitee))?;
        match fact.draft.action {
            ModerationAction::InvitationUsed { is_for_claim, .. } => Some(is_for_claim),
            _ => None,
        }
    }

    /// Returns true if a user with this name may use an invitation, for the first time or to claim a
    /// name with it after coming in. Whether its time is over, the caller checks.
    #[must_use]
    pub fn may_use(
        &self,
        hash: InvitationHash,
        invitee: Invitee,
        username: &Username,
        is_for_claim: bool,
    ) -> bool {
        let Some(MadeInvitation { invitation, .. }) = self.invitation(hash) else {
            return false;
        };
        if invitation.username.as_ref().is_some_and(|it| it != username) {
            return false;
        }
        if is_for_claim && !invitation.permits_claim {
            return false;
        }
        match self.use_of(hash, invitee) {
            // A session without a key claims nothing; the use by which it came in is good for a
            // claim once it is bound to a key.
            None if is_for_claim && matches!(invitee, Invitee::Session(_)) => false,
            None => self.uses_left(hash) > 0,
            Some(was_for_claim) => is_for_claim && !was_for_claim,
        }
    }

    /// Returns the invitations that whoever has a key has used, revoked ones too.
    pub fn used_by(&self, key: &IdentityKey) -> impl Iterator<Item = InvitationHash> {
        self.identities.used(key).copied()
    }

    /// Returns the invitations by which a session came in before it was bound to a key, except
    /// those that are revoked.
    pub fn used_by_session(&self, session: SessionId) -> impl Iterator<Item = InvitationHash> {
        let hashes = self.invitations().into_iter().map(|it| it.invitation.hash);
        hashes.filter(move |it| self.use_of(*it, Invitee::Session(session)).is_some())
    }

    /// Returns true if whoever has a key has come in by an invitation, or has claimed a name.
    #[must_use]
    pub fn is_admitted(&self, key: &IdentityKey) -> bool {
        self.used_by(key).next().is_some() || self.claim_of(key).is_some()
    }

    /// Returns the invitations that reserve a name at `now`: those under this name, whose time is not
    /// over, that somebody may still use to come in, or has used and may claim the name with.
    pub fn reservations(
        &self,
        name: &NameKey,
        now: Timestamp,
    ) -> impl Iterator<Item = MadeInvitation<'_>> {
        let found = self.identities.invitations(name).filter_map(|it| self.invitation(*it));
        found.filter(move |it| self.reserves_name(*it, now))
    }

    /// Returns the invitations that reserve another name that looks like this one at `now`, as
    /// [`Self::reservations`].
    pub fn lookalike_reservations(
        &self,
        name: &NameKey,
        now: Timestamp,
    ) -> impl Iterator<Item = MadeInvitation<'_>> {
        let skeleton = name.skeleton();
        let found: Vec<_> = self.identities.invited_lookalikes(&skeleton).copied().collect();
        let name = name.clone();
        found.into_iter().filter_map(|it| self.invitation(it)).filter(move |it| {
            let is_other = it.invitation.username.as_ref().is_some_and(|it| *it.key() != name);
            is_other && self.reserves_name(*it, now)
        })
    }

    /// Returns true if an invitation for a name reserves it at `now`.
    fn reserves_name(&self, made: MadeInvitation<'_>, now: Timestamp) -> bool {
        let may_claim = |fact: &SharedFact| {
            let action = &fact.draft.action;
            matches!(
                action,
                ModerationAction::InvitationUsed { key: Some(_), is_for_claim: false, .. }
            )
        };
        let hash = made.invitation.hash;
        !made.invitation.has_ended(made.fact.time, now)
            && (self.uses_left(hash) > 0
                || made.invitation.permits_claim && self.uses(hash).any(may_claim))
    }
}
