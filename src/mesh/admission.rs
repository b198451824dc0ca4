//! Admission of other candidates: votes (`agree`), approval by the user, and blocking. Section 7.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::dispatch::PacketMeta;
use super::timers::{APPROVAL_TIMEOUT, MAX_AGREE_DELAY_MS};
use super::{Mesh, Now};
use crate::model::limits::MIN_ANNOUNCE;
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, RequestTag, RoomClock, Username};
use crate::wire::udp::{Agree, Announce, Control, Nonce};

/// Number of most senior members that vote on a candidate for the whole room.
pub(super) const VOTERS: usize = 8;
/// Maximum number of candidates remembered at one time.
const MAX_CANDIDATES: usize = 256;

/// Candidate that has announced itself lately and that nobody here objects to.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Nonce of its attempt to join.
    pub(super) nonce: Nonce,
    /// Username that it asks for.
    pub(super) name: Username,
    /// Address that it sends from.
    address: SocketAddr,
    /// Time of its last announce.
    pub(super) last_heard: Moment,
    /// Time at which an `agree` is to be sent.
    agree_at: Option<Moment>,
    /// Approval by the user.
    pub(super) approval: Approval,
}

/// Approval of a candidate by the user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Approval {
    /// Granted: the user is not asked, has agreed, or has not answered in time.
    Granted,
    /// Not asked yet: the candidate is not verified to be alive.
    NotAsked,
    /// The user is asked; no answer by this time counts as yes.
    Pending(Moment),
    /// Denied by the user.
    Denied,
}

/// Candidates, and the names and keys that the user has blocked.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Candidates that have announced themselves lately, by id.
    pub(super) candidates: BTreeMap<PeerId, Candidate>,
    /// Earliest time at which an `agree` or a decision is due.
    decide_at: Option<Moment>,
    /// Keys of blocked names.
    pub(super) blocked_names: BTreeSet<NameKey>,
    /// Blocked public keys.
    blocked_keys: BTreeSet<[u8; 32]>,
}

impl Admission {
    /// Returns the time at which the next `agree` or decision is due.
    pub(super) const fn next_deadline(&self) -> Option<Moment> {
        self.decide_at
    }

    /// Moves the next deadline forward to `at` if that is earlier.
    fn schedule(&mut self, at: Moment) {
        self.decide_at = Some(self.decide_at.map_or(at, |due| due.min(at)));
    }

    /// Computes the earliest deadline of all candidates.
    fn earliest_deadline(&self) -> Option<Moment> {
        let thinks = |it: &Candidate| match it.approval {
            Approval::Pending(until) => Some(until),
            _ => None,
        };
        self.candidates.values().flat_map(|it| [it.agree_at, thinks(it)]).flatten().min()
    }

    /// Returns the number of remembered candidates.
    pub(super) fn stats(&self) -> usize {
        self.candidates.len()
    }

    /// Blocks a name and, if it is known, the public key of its holder.
    pub(super) fn block(&mut self, name: NameKey, key: Option<[u8; 32]>) {
        self.blocked_names.insert(name);
        self.blocked_keys.extend(key);
    }

    /// Returns true if messages of this author's public key are hidden. Names are not compared,
    /// because they change hands.
    pub(super) fn is_blocked(&self, key: &[u8; 32]) -> bool {
        self.blocked_keys.contains(key)
    }
}

impl Mesh {
    /// Handles `announce`: objects at once if there is a reason, else schedules an `agree` or asks
    /// the user. A candidate treats the sender as a rival.
    pub(super) fn on_announce(&mut self, now: Now, meta: PacketMeta, announce: Announce) {
        if !self.is_member() {
            self.on_rival(now, meta, &announce);
            return;
        }
        if meta.size < MIN_ANNOUNCE {
            self.drops.unexpected += 1;
            return;
        }
        let is_voter = self.is_voter();
        let Ok(name) = Username::new(&announce.username) else {
            if is_voter {
                let holder = self.seniority();
                let code = ErrorCode::NameInvalid;
                self.object(now, meta.from, announce.nonce, code, "", holder);
            }
            return;
        };
        if let Some((code, holder)) = self.find_objection(now, meta, &announce, &name, is_voter) {
            self.object(now, meta.from, announce.nonce, code, name.as_str(), holder);
            return;
        }
        let Some(candidate) = self.record_candidate(now, meta, &announce, name) else { return };
        match candidate.approval {
            Approval::Denied => {}
            Approval::NotAsked | Approval::Pending(_) => {
                self.agree(now, meta.sender.id, Agree::ASKING)
            }
            Approval::Granted => {
                let has_own_up_to = announce.agreed.contains(&self.me.id);
                if (is_voter || self.settings.ask)
                    && !has_own_up_to
                    && has_no_pending_agree(&self.admission, meta.sender.id)
                {
                    let delay = self.random_delay((0, MAX_AGREE_DELAY_MS));
                    if let Some(it) = self.admission.candidates.get_mut(&meta.sender.id) {
                        it.agree_at = Some(now.moment + delay);
                        self.admission.schedule(now.moment + delay);
                    }
                }
            }
        }
    }

    /// Remembers a candidate without a reason to object, asks the user if that is wanted and the
    /// candidate is verified, and objects to its rivals.
    fn record_candidate(
        &mut self,
        now: Now,
        meta: PacketMeta,
        announce: &Announce,
        name: Username,
    ) -> Option<&Candidate> {
        let id = meta.sender.id;
        let is_new = self.admission.candidates.get(&id).is_none_or(|it| it.nonce != announce.nonce);
        if is_new {
            let recently = |it: &Candidate| now.moment.since(it.last_heard) < APPROVAL_TIMEOUT * 2;
            self.admission.candidates.retain(|_, it| recently(it));
            // Evict the one heard longest ago, not the new one: strangers can invent any number of
            // candidates.
            while self.admission.candidates.len() >= MAX_CANDIDATES {
                let longest = self.admission.candidates.iter().min_by_key(|(_, it)| it.last_heard);
                let Some((longest, _)) = longest else { break };
                let longest = *longest;
                self.admission.candidates.remove(&longest);
            }
            let (nonce, address, last_heard) = (announce.nonce, meta.from, now.moment);
            let approval = if self.settings.ask { Approval::NotAsked } else { Approval::Granted };
            let agree_at = None;
            let new = Candidate { nonce, name, address, last_heard, agree_at, approval };
            self.admission.candidates.insert(id, new);
        }
        let candidate = self.admission.candidates.get_mut(&id)?;
        candidate.last_heard = now.moment;
        candidate.address = meta.from;
        if self.contacts.get(id).is_some_and(|it| it.is_verified) {
            let name = candidate.name.clone();
            // A recording must not make the user decide.
            if candidate.approval == Approval::NotAsked {
                candidate.approval = Approval::Pending(now.moment + APPROVAL_TIMEOUT);
                self.admission.schedule(now.moment + APPROVAL_TIMEOUT);
                self.emit(Event::AdmissionRequested { name: name.as_str().to_owned() });
            }
            self.object_to_rivals(now, id, name.key());
        }
        self.admission.candidates.get(&id)
    }

    /// Objects to candidates with greater ids that have announced the same name as the verified
    /// `winner`.
    fn object_to_rivals(&mut self, now: Now, winner: PeerId, key: &NameKey) {
        if !self.is_voter() {
            return;
        }
        let rivals = self.admission.candidates.iter().filter(|(id, it)| {
            **id > winner
                && it.name.key() == key
                && now.moment.since(it.last_heard) < APPROVAL_TIMEOUT
                && self.contacts.member(**id).is_none()
        });
        let rivals: Vec<_> =
            rivals.map(|(id, it)| (*id, it.address, it.nonce, it.name.clone())).collect();
        for (id, address, nonce, name) in rivals {
            // Object once: otherwise each announce of the winner would cause many objections. The
            // rival hears it again at its own next announce.
            self.admission.candidates.remove(&id);
            let holder = (RoomClock(0), winner);
            self.object(now, address, nonce, ErrorCode::NameTaken, name.as_str(), holder);
        }
    }

    /// Sends the `agree`s that are due; a user's silence counts as yes.
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
            self.agree(now, id, 0);
        }
    }

    /// Records the user's answer about a candidate, and sends `agree` or `object`. Returns false if
    /// no candidate of this name is waiting.
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

    /// Sends an `agree` to a candidate.
    fn agree(&mut self, now: Now, id: PeerId, flags: u8) {
        let Some(candidate) = self.admission.candidates.get(&id) else { return };
        let (address, nonce) = (candidate.address, candidate.nonce);
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
        self.send_to(address, Control::Agree(agree));
    }

    /// Blocks a peer by name at the user's request: hides its messages, and objects when it tries
    /// to join again.
    pub(super) fn block(&mut self, tag: RequestTag, name: &str) {
        let Ok(name) = Username::new(name) else {
            self.refuse(tag, 0, "That is no name.".to_owned(), None);
            return;
        };
        let key = name.key().clone();
        if key == *self.name.key() {
            self.refuse(tag, 0, "That is you.".to_owned(), None);
            return;
        }
        let holder = self.contacts.holders(&key).next();
        let signer = holder.and_then(|it| self.contacts.get(it)).and_then(|it| it.signer);
        self.admission.block(key, signer.map(|it| it.key));
        let text = match signer {
            Some(_) => format!("{name} is blocked: hidden now, and not let in again."),
            None => format!("{name} is not here; whoever comes by this name is not let in."),
        };
        self.emit(Event::Done { tag, text });
    }
}

/// Returns true if no `agree` to this candidate is scheduled.
fn has_no_pending_agree(admission: &Admission, id: PeerId) -> bool {
    admission.candidates.get(&id).is_some_and(|it| it.agree_at.is_none())
}
