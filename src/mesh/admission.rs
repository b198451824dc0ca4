//! Others as candidates: section 7.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::dispatch::PacketMeta;
use super::timers::{APPROVAL_TIMEOUT, MAX_AGREE_DELAY_MS};
use super::{Mesh, Now};
use crate::model::limits::MIN_ANNOUNCE;
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, RequestTag, RoomClock, Username};
use crate::wire::udp::{Agree, Announce, Control, Nonce};

/// So many of the oldest members answer for the room.
pub(super) const VOTERS: usize = 8;
/// Candidates remembered at one time.
const MAX_CANDIDATES: usize = 256;

/// Somebody who has announced itself lately.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its attempt.
    pub(super) nonce: Nonce,
    /// What it would like to be called.
    pub(super) name: Username,
    /// Where it sends from.
    address: SocketAddr,
    /// When it was last heard.
    pub(super) last_heard: Moment,
    /// When an agreement is to be sent.
    agree_at: Option<Moment>,
    /// What the person says.
    pub(super) approval: Approval,
}

/// What the person says of a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Approval {
    /// Is not asked, or has agreed, or has been silent for too long.
    Granted,
    /// Will be asked when the newcomer has proven to be alive.
    NotAsked,
    /// Is being asked, until then.
    Pending(Moment),
    /// No.
    Denied,
}

/// Newcomers, and whom one does not want.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Those who announce themselves.
    pub(super) candidates: BTreeMap<PeerId, Candidate>,
    /// Not before this is anything to be done about them.
    decide_at: Option<Moment>,
    /// Names that are blocked.
    pub(super) blocked_names: BTreeSet<NameKey>,
    /// Keys that are blocked.
    blocked_keys: BTreeSet<[u8; 32]>,
}

impl Admission {
    /// When something is to be done.
    pub(super) const fn next_deadline(&self) -> Option<Moment> {
        self.decide_at
    }

    /// Something is to be done then.
    fn schedule(&mut self, at: Moment) {
        self.decide_at = Some(self.decide_at.map_or(at, |due| due.min(at)));
    }

    /// The same, found among all candidates.
    fn earliest_deadline(&self) -> Option<Moment> {
        let thinks = |it: &Candidate| match it.approval {
            Approval::Pending(until) => Some(until),
            _ => None,
        };
        self.candidates.values().flat_map(|it| [it.agree_at, thinks(it)]).flatten().min()
    }

    /// How many candidates are remembered.
    pub(super) fn stats(&self) -> usize {
        self.candidates.len()
    }

    /// Blocks a name and, if it is known, the key behind it.
    pub(super) fn block(&mut self, name: NameKey, key: Option<[u8; 32]>) {
        self.blocked_names.insert(name);
        self.blocked_keys.extend(key);
    }

    /// Whether what this author says is hidden. Names are not looked at:
    /// they change hands.
    pub(super) fn is_blocked(&self, key: &[u8; 32]) -> bool {
        self.blocked_keys.contains(key)
    }
}

impl Mesh {
    /// Somebody announces itself.
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

    /// Remembers a candidate to whom nobody here objects so far, and asks
    /// the person if that is wanted.
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
            // Not somebody new: strangers can invent any number of them.
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
            // A recording does not make anybody ask a person.
            if candidate.approval == Approval::NotAsked {
                candidate.approval = Approval::Pending(now.moment + APPROVAL_TIMEOUT);
                self.admission.schedule(now.moment + APPROVAL_TIMEOUT);
                self.emit(Event::AdmissionRequested { name: name.as_str().to_owned() });
            }
            self.object_to_rivals(now, id, name.key());
        }
        self.admission.candidates.get(&id)
    }

    /// Somebody with a smaller id announces a name that others with greater
    /// ones announce as well: those do not get it.
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
            // Once: one announce of the winner must not make many objections,
            // again and again. At its own next one it hears it again.
            self.admission.candidates.remove(&id);
            let holder = (RoomClock(0), winner);
            self.object(now, address, nonce, ErrorCode::NameTaken, name.as_str(), holder);
        }
    }

    /// Sends agreements that are due, and takes silence for a yes.
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

    /// The person has answered. False where nobody of this name is waiting.
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

    /// Agrees to a candidate.
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

    /// Blocks somebody by name: what they say is hidden, and one objects
    /// when they want to come in again.
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

/// Whether no agreement to this candidate is on its way yet.
fn has_no_pending_agree(admission: &Admission, id: PeerId) -> bool {
    admission.candidates.get(&id).is_some_and(|it| it.agree_at.is_none())
}
