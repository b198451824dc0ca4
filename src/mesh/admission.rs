//! Admission of other candidates: votes (`agree`) and approval by the user. Section 7.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::dispatch::PacketMeta;
use super::timers::{APPROVAL_TIMEOUT, MAX_AGREE_DELAY_MS};
use super::verification::preferred_path;
use super::{Mesh, Now};
use crate::model::limits::MIN_ANNOUNCE;
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, Username};
use crate::wire::udp::{Agree, Announce, Control, Nonce};

/// Number of voters: the most senior members, which vote on a candidate for the whole room.
pub(super) const VOTERS: usize = 8;
/// Maximum number of voters that agree to one announce that came by a path. They are the most
/// senior members that the announce does not list as agreed. Their answers together are at most
/// twice as long as the announce.
const VOTERS_TO_MANY: usize = 4;
/// Maximum number of members that answer an announce by a path with an `object`, or with an `agree`
/// that says that a rival is ahead: the most senior ones. A member with a reason of its own, for
/// example its name or its block list, objects in any case.
const MAX_ANSWERS_TO_MANY: usize = 2;
/// Maximum number of members that ping an unverified candidate because of one announce that came by
/// a path and lists their votes.
const MAX_PINGS_TO_MANY: usize = 2;
/// Maximum number of remembered candidates. Beyond it, a new candidate evicts the candidate heard
/// longest ago.
const MAX_CANDIDATES: usize = 256;

/// Candidate whose announce met no objection of this member. If the user rejects the candidate, it
/// stays here as denied.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Nonce of its attempt to join.
    pub(super) nonce: Nonce,
    /// Username that it asks for.
    pub(super) name: Username,
    /// Source address of the candidate's last announce that met no objection.
    address: SocketAddr,
    /// Time of the candidate's last announce that met no objection.
    pub(super) last_heard: Moment,
    /// Time at which to send an `agree` to the candidate; `None` if none is scheduled.
    agree_at: Option<Moment>,
    /// State of the user's approval.
    pub(super) approval: Approval,
}

/// State of the user's approval of a candidate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Approval {
    /// Granted: the user has said yes, has not answered in time, or is not asked because of the
    /// settings.
    Granted,
    /// The user must be asked, but was not yet, because the candidate is not verified to be alive.
    NotAsked,
    /// The user was asked, and can answer until this time. After it, silence counts as a yes.
    Pending(Moment),
    /// Denied by the user.
    Denied,
}

/// Candidates known to this member.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Candidates by peer id, at most [`MAX_CANDIDATES`]. Adding a candidate removes the candidates
    /// not heard for twice [`APPROVAL_TIMEOUT`].
    pub(super) candidates: BTreeMap<PeerId, Candidate>,
    /// Earliest time at which an `agree` is due or an approval ends; `None` if nothing is pending.
    decide_at: Option<Moment>,
}

impl Admission {
    /// Returns the earliest time at which an `agree` is due or an approval ends; `None` if nothing
    /// is pending.
    pub(super) const fn next_deadline(&self) -> Option<Moment> {
        self.decide_at
    }

    /// Sets the next deadline to `at`, unless an earlier deadline is set.
    fn schedule(&mut self, at: Moment) {
        self.decide_at = Some(self.decide_at.map_or(at, |due| due.min(at)));
    }

    /// Returns the earliest of all candidates' `agree` times and approval deadlines; `None` if
    /// there is none.
    fn earliest_deadline(&self) -> Option<Moment> {
        let user_deadline = |it: &Candidate| match it.approval {
            Approval::Pending(until) => Some(until),
            _ => None,
        };
        self.candidates.values().flat_map(|it| [it.agree_at, user_deadline(it)]).flatten().min()
    }

    /// Returns the number of remembered candidates.
    pub(super) fn candidate_count(&self) -> usize {
        self.candidates.len()
    }
}

impl Mesh {
    /// Handles `announce`. If this peer is not a member, treats the sender as a rival
    /// ([`Self::on_rival`]). A member drops an announce below [`MIN_ANNOUNCE`] bytes, and notes of
    /// any other that the sender has announced itself.
    ///
    /// If there is a reason to object, sends an `object` at once; because of an invalid username,
    /// only if it is a voter. If the announce came by a path, sends it only if the reason is this
    /// peer's own, or this peer is one of [`MAX_ANSWERS_TO_MANY`].
    ///
    /// Otherwise records the candidate, and may ask the user for approval. If the user's approval
    /// is missing, sends an `agree` with the flag `ASKING` at once. Does the same if a rival is
    /// ahead. If the announce came by a path, does so for a rival only if this peer is one of
    /// [`MAX_ANSWERS_TO_MANY`].
    ///
    /// If approval is granted and no rival is ahead, schedules an `agree` after a random delay, if
    /// this peer asks its user, or is a voter whose turn it is ([`VOTERS_TO_MANY`]).
    ///
    /// Schedules no `agree` if the announce lists this peer's vote already, or if an `agree` is
    /// scheduled. If this peer's vote is listed but the sender is not verified, pings the sender
    /// ([`Self::is_turn_to_ping_candidate`]).
    pub(super) fn on_announce(&mut self, now: Now, meta: PacketMeta, announce: Announce) {
        if !self.is_member() {
            self.on_rival(now, meta, &announce);
            return;
        }
        if meta.size < MIN_ANNOUNCE {
            self.drops.unexpected += 1;
            return;
        }
        if let Some(contact) = self.contacts.get_mut(meta.sender.id) {
            contact.has_announced = true;
        }
        let is_voter = self.is_voter();
        // An announce to many would otherwise bring many answers to an address that may be forged.
        let is_heard = !meta.is_to_many || self.is_among_most_senior(MAX_ANSWERS_TO_MANY, &[]);
        let Ok(name) = Username::new(&announce.username) else {
            if is_voter && is_heard {
                let holder = self.seniority();
                let code = ErrorCode::NameInvalid;
                self.object(now, meta.from, announce.nonce, code, "", holder);
            }
            return;
        };
        if let Some((code, holder)) = self.find_objection(meta, &announce, &name, is_voter) {
            let is_own = holder.1 == self.me.id && code != ErrorCode::VersionUnsupported;
            if is_own || is_heard {
                self.object(now, meta.from, announce.nonce, code, name.as_str(), holder);
            }
            return;
        }
        let is_own_vote_listed = announce.agreed.contains(&self.me.id);
        let is_verified = self.contacts.get(meta.sender.id).is_some_and(|it| it.is_verified);
        if is_own_vote_listed && !is_verified && self.is_turn_to_ping_candidate(meta, &announce) {
            // Its `pong` to the `agree` was lost: without one it would get no history.
            self.ping(now, meta.sender.id);
        }
        self.record_candidate(now, meta, &announce, name);
        let id = meta.sender.id;
        let Some(candidate) = self.admission.candidates.get(&id) else { return };
        match candidate.approval {
            Approval::Denied => {}
            Approval::NotAsked | Approval::Pending(_) => self.agree(now, id),
            Approval::Granted if self.is_rival_ahead(now, id) => {
                if is_heard {
                    self.agree(now, id);
                }
            }
            Approval::Granted => {
                // Members may disagree about seniority, so the number of agreements counts, too.
                let wanted = VOTERS.saturating_sub(announce.agreed.len());
                let is_turn = if meta.is_to_many {
                    let count = wanted.min(VOTERS_TO_MANY);
                    self.is_among_most_senior(count, &announce.agreed)
                } else {
                    wanted > 0
                };
                if (is_voter && is_turn || self.settings.ask)
                    && !is_own_vote_listed
                    && has_no_pending_agree(&self.admission, id)
                {
                    let delay = self.random_delay((0, MAX_AGREE_DELAY_MS));
                    if let Some(it) = self.admission.candidates.get_mut(&id) {
                        it.agree_at = Some(now.moment + delay);
                        self.admission.schedule(now.moment + delay);
                    }
                }
            }
        }
    }

    /// Returns true if this peer, whose vote the announce of an unverified candidate lists, is to
    /// ping the candidate. If the announce came by a path, only two of the listed members do, other
    /// ones at the next announce, and only if at most two members are still to agree: the source
    /// may be forged, and all answers together are limited.
    fn is_turn_to_ping_candidate(&self, meta: PacketMeta, announce: &Announce) -> bool {
        if !meta.is_to_many {
            return true;
        }
        let listed = announce.agreed.len();
        let is_complete =
            VOTERS.min(self.member_count()).saturating_sub(listed) <= MAX_PINGS_TO_MANY;
        let place = announce.agreed.iter().position(|it| *it == self.me.id);
        let first = usize::try_from(meta.counter % listed.max(1) as u64).unwrap_or(0);
        let turn = place.map(|it| (it + listed - first) % listed);
        is_complete && turn.is_some_and(|it| it < MAX_PINGS_TO_MANY)
    }

    /// Records an announce that met no objection: adds the candidate, or updates its time and
    /// address. A new nonce replaces the candidate's former attempt. A new candidate may evict
    /// others ([`MAX_CANDIDATES`]). If the sender is verified, asks the user for approval unless
    /// that is done or not needed.
    fn record_candidate(
        &mut self,
        now: Now,
        meta: PacketMeta,
        announce: &Announce,
        name: Username,
    ) {
        let id = meta.sender.id;
        let is_new = self.admission.candidates.get(&id).is_none_or(|it| it.nonce != announce.nonce);
        if is_new {
            let recently = |it: &Candidate| now.moment.since(it.last_heard) < APPROVAL_TIMEOUT * 2;
            self.admission.candidates.retain(|_, it| recently(it));
            // Evict the candidate heard longest ago: strangers can invent any number of candidates.
            while self.admission.candidates.len() >= MAX_CANDIDATES {
                let longest = self.admission.candidates.iter().min_by_key(|(_, it)| it.last_heard);
                let Some((longest, _)) = longest else { break };
                let longest = *longest;
                self.admission.candidates.remove(&longest);
            }
            let (nonce, address, last_heard) = (announce.nonce, meta.from, now.moment);
            let approval = if self.settings.ask { Approval::NotAsked } else { Approval::Granted };
            let new = Candidate { nonce, name, address, last_heard, agree_at: None, approval };
            self.admission.candidates.insert(id, new);
        }
        let Some(candidate) = self.admission.candidates.get_mut(&id) else { return };
        candidate.last_heard = now.moment;
        candidate.address = meta.from;
        if self.contacts.get(id).is_some_and(|it| it.is_verified) {
            // A recording must not make the user decide.
            if candidate.approval == Approval::NotAsked {
                candidate.approval = Approval::Pending(now.moment + APPROVAL_TIMEOUT);
                let name = candidate.name.as_str().to_owned();
                self.admission.schedule(now.moment + APPROVAL_TIMEOUT);
                self.emit(Event::AdmissionRequested { name });
            }
        }
    }

    /// Sends each `agree` that is due. Grants each pending approval whose time is over, because the
    /// user's silence counts as a yes.
    pub(super) fn send_due_agreements(&mut self, now: Now) {
        if self.admission.decide_at.is_none_or(|it| it > now.moment) {
            return;
        }
        let mut agreeing = Vec::new();
        for (id, candidate) in &mut self.admission.candidates {
            if matches!(candidate.approval, Approval::Pending(until) if until <= now.moment) {
                candidate.approval = Approval::Granted;
                candidate.agree_at = Some(now.moment);
            }
            if candidate.agree_at.is_some_and(|it| it <= now.moment) {
                candidate.agree_at = None;
                agreeing.push(*id);
            }
        }
        self.admission.decide_at = self.admission.earliest_deadline();
        for id in agreeing {
            self.agree(now, id);
        }
    }

    /// Records the user's answer about the candidate with this name, and returns true. For a yes
    /// schedules an `agree` for now; for a no sends an `object`. If no approval is pending for this
    /// name, returns false. Of several candidates with this name, the answer is for the one with
    /// the smallest id.
    pub(super) fn resolve_approval(&mut self, now: Now, name: &str, is_welcome: bool) -> bool {
        let key = NameKey::of(name);
        let waiting = self
            .admission
            .candidates
            .values_mut()
            .find(|it| matches!(it.approval, Approval::Pending(_)) && *it.name.key() == key);
        let Some(candidate) = waiting else { return false };
        if is_welcome {
            candidate.approval = Approval::Granted;
            candidate.agree_at = Some(now.moment);
            self.admission.schedule(now.moment);
        } else {
            candidate.approval = Approval::Denied;
            let (address, nonce) = (candidate.address, candidate.nonce);
            let name = candidate.name.clone();
            let code = ErrorCode::NotAdmitted;
            self.object(now, address, nonce, code, name.as_str(), self.seniority());
        }
        true
    }

    /// Sends an `agree` to the address of a candidate's last announce. Its flag `ASKING` is set if
    /// the user has not granted the approval, or if a rival is ahead; otherwise it is a yes.
    /// Records the path that it tells the candidate. Does nothing if the candidate is not
    /// remembered.
    fn agree(&mut self, now: Now, id: PeerId) {
        let Some(candidate) = self.admission.candidates.get(&id) else { return };
        let (address, nonce) = (candidate.address, candidate.nonce);
        let is_yes = candidate.approval == Approval::Granted && !self.is_rival_ahead(now, id);
        let flags = if is_yes { 0 } else { Agree::ASKING };
        let agree = Agree {
            nonce,
            cookie: self.cookie(now.moment, id, address, 0),
            flags,
            heard: self.paths_heard_from(now.moment, id),
            clock: self.room_clock(now.moment),
            since: self.since,
            username: self.name.as_str().to_owned(),
            members: u32::try_from(self.member_count()).unwrap_or(u32::MAX),
            lamport: self.logs.lamport(),
            time: now.time,
        };
        if let Some(contact) = self.contacts.get_mut(id) {
            // The `pong` to the cookie confirms the paths stated here, as a `pong` to a ping does.
            contact.pinged_path = preferred_path(agree.heard);
        }
        self.send_to(address, Control::Agree(agree));
    }
}

/// Returns true if this candidate is remembered and no `agree` to it is scheduled.
fn has_no_pending_agree(admission: &Admission, id: PeerId) -> bool {
    admission.candidates.get(&id).is_some_and(|it| it.agree_at.is_none())
}
