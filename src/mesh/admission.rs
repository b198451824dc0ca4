//! Others as candidates: section 7.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::contacts::{Contact, Seniority, Stage};
use super::dispatch::Came;
use super::display_order::in_words;
use super::timers::{AGREE_DELAY, ANSWER_TIME};
use super::{Mesh, Now};
use crate::model::limits::MIN_ANNOUNCE;
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, RequestTag, RoomClock, Username};
use crate::wire::udp::{Agree, Announce, Control, Nonce, Object, VERSION};

/// So many of the oldest members answer for the room.
pub(super) const VOICES: usize = 8;
/// Whoever was not heard for so many seconds may be gone before long.
const SILENCE: u64 = 3;
/// Candidates remembered at one time.
const MAX_CANDIDATES: usize = 256;

/// Somebody who has announced itself lately.
#[derive(Debug)]
struct Candidate {
    /// Its attempt.
    nonce: Nonce,
    /// What it would like to be called.
    name: Username,
    /// Where it sends from.
    address: SocketAddr,
    /// When it was last heard.
    heard: Moment,
    /// When an agreement is to be sent.
    agree_at: Option<Moment>,
    /// What the person says.
    person: Person,
}

/// What the person says of a newcomer.
#[derive(Debug, PartialEq, Eq)]
enum Person {
    /// Is not asked, or has agreed, or has been silent for too long.
    Agrees,
    /// Will be asked when the newcomer has proven to be alive.
    Unasked,
    /// Is being asked, until then.
    Thinks(Moment),
    /// No.
    Refuses,
}

/// Newcomers, and whom one does not want.
#[derive(Debug, Default)]
pub(super) struct Voting {
    /// Those who announce themselves.
    candidates: BTreeMap<PeerId, Candidate>,
    /// Not before this is anything to be done about them.
    due: Option<Moment>,
    /// Names that are blocked.
    blocked_names: BTreeSet<NameKey>,
    /// Keys that are blocked.
    blocked_keys: BTreeSet<[u8; 32]>,
}

impl Voting {
    /// When something is to be done.
    pub(super) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Something is to be done then.
    fn hurry(&mut self, at: Moment) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// The same, found among all candidates.
    fn find_due(&self) -> Option<Moment> {
        let thinks = |it: &Candidate| match it.person {
            Person::Thinks(until) => Some(until),
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
    pub(super) fn on_announce(&mut self, now: Now, came: Came, announce: Announce) {
        if !self.is_member() {
            self.on_rival(now, came, &announce);
            return;
        }
        if came.size < MIN_ANNOUNCE {
            self.drops.unexpected += 1;
            return;
        }
        let is_voice = self.is_among_the_oldest();
        let Ok(name) = Username::new(&announce.username) else {
            if is_voice {
                let holder = self.seniority();
                let code = ErrorCode::NameInvalid;
                self.object(now, came.from, announce.nonce, code, "", holder);
            }
            return;
        };
        if let Some((code, holder)) = self.reason_against(now, came, &announce, &name, is_voice) {
            self.object(now, came.from, announce.nonce, code, name.as_str(), holder);
            return;
        }
        let Some(candidate) = self.note_candidate(now, came, &announce, name) else { return };
        match candidate.person {
            Person::Refuses => {}
            Person::Unasked | Person::Thinks(_) => self.agree(now, came.sender.id, Agree::ASKING),
            Person::Agrees => {
                let has_ours = announce.agreed.contains(&self.me.id);
                if (is_voice || self.settings.ask)
                    && !has_ours
                    && candidate_is_idle(&self.voting, came.sender.id)
                {
                    let delay = self.delay((0, AGREE_DELAY));
                    if let Some(it) = self.voting.candidates.get_mut(&came.sender.id) {
                        it.agree_at = Some(now.moment + delay);
                        self.voting.hurry(now.moment + delay);
                    }
                }
            }
        }
    }

    /// Why this candidate is not to come in, and who holds the name.
    fn reason_against(
        &self,
        now: Now,
        came: Came,
        announce: &Announce,
        name: &Username,
        is_voice: bool,
    ) -> Option<(ErrorCode, Seniority)> {
        let me = self.seniority();
        if !(announce.lowest..=announce.highest).contains(&VERSION) {
            return is_voice.then_some((ErrorCode::VersionUnsupported, me));
        }
        if name.key() == self.name.key() {
            return Some((ErrorCode::NameTaken, me));
        }
        if is_voice {
            let mut holders = self.contacts.holders(name.key());
            if let Some(holder) = holders.find(|it| !self.is_same_key(*it, came)) {
                let since = self.contacts.get(holder).map_or(RoomClock(0), |it| it.since());
                return Some((ErrorCode::NameTaken, (since, holder)));
            }
            let rival = self.voting.candidates.iter().find(|(id, it)| {
                **id < came.sender.id
                    && it.person != Person::Refuses
                    && it.name == *name
                    && now.moment.since(it.heard) < ANSWER_TIME
                    && self.is_rival(**id, came)
            });
            if let Some((rival, _)) = rival {
                return Some((ErrorCode::NameTaken, (RoomClock(0), *rival)));
            }
        }
        if let Some(holder) = self.look_alike(name, came, is_voice) {
            return Some((ErrorCode::NameLookalike, holder));
        }
        let blocked = self.voting.blocked_names.contains(name.key())
            || self.voting.is_blocked(&came.sender.key);
        if blocked {
            return Some((ErrorCode::Blocked, me));
        }
        let known = self.voting.candidates.get(&came.sender.id);
        let said_no =
            known.is_some_and(|it| it.person == Person::Refuses && it.nonce == announce.nonce);
        said_no.then_some((ErrorCode::NotAdmitted, me))
    }

    /// Whether a member has the key of the sender: then it is the sender, or
    /// its former life.
    fn is_same_key(&self, member: PeerId, came: Came) -> bool {
        let signer = self.contacts.get(member).and_then(|it| it.signer);
        signer.is_some_and(|it| it.key == came.sender.key)
    }

    /// Whether somebody who has announced itself is alive, still outside, and
    /// not the sender's former life.
    fn is_rival(&self, id: PeerId, came: Came) -> bool {
        let contact = self.contacts.get(id);
        let is_outside = |it: &Contact| it.stage == Stage::PathSet && it.is_verified;
        contact.is_some_and(is_outside) && !self.is_same_key(id, came)
    }

    /// Whose name looks like this one.
    fn look_alike(&self, name: &Username, came: Came, is_voice: bool) -> Option<Seniority> {
        let skeleton = name.key().skeleton();
        if self.name.key().skeleton() == skeleton {
            return Some(self.seniority());
        }
        let mut holders = self.contacts.look_alikes(&skeleton).filter(|_| is_voice);
        let holder = holders.find(|it| !self.is_same_key(*it, came))?;
        let since = self.contacts.get(holder)?.since();
        Some((since, holder))
    }

    /// Remembers a candidate to whom nobody here objects so far, and asks
    /// the person if that is wanted.
    fn note_candidate(
        &mut self,
        now: Now,
        came: Came,
        announce: &Announce,
        name: Username,
    ) -> Option<&Candidate> {
        let id = came.sender.id;
        let is_new = self.voting.candidates.get(&id).is_none_or(|it| it.nonce != announce.nonce);
        if is_new {
            let recently = |it: &Candidate| now.moment.since(it.heard) < ANSWER_TIME * 2;
            self.voting.candidates.retain(|_, it| recently(it));
            // Not somebody new: strangers can invent any number of them.
            while self.voting.candidates.len() >= MAX_CANDIDATES {
                let longest = self.voting.candidates.iter().min_by_key(|(_, it)| it.heard);
                let Some((longest, _)) = longest else { break };
                let longest = *longest;
                self.voting.candidates.remove(&longest);
            }
            let (nonce, address, heard) = (announce.nonce, came.from, now.moment);
            let person = if self.settings.ask { Person::Unasked } else { Person::Agrees };
            let agree_at = None;
            let new = Candidate { nonce, name, address, heard, agree_at, person };
            self.voting.candidates.insert(id, new);
        }
        let candidate = self.voting.candidates.get_mut(&id)?;
        candidate.heard = now.moment;
        candidate.address = came.from;
        if self.contacts.get(id).is_some_and(|it| it.is_verified) {
            let name = candidate.name.clone();
            // A recording does not make anybody ask a person.
            if candidate.person == Person::Unasked {
                candidate.person = Person::Thinks(now.moment + ANSWER_TIME);
                self.voting.hurry(now.moment + ANSWER_TIME);
                self.show(Event::AdmissionRequested { name: name.as_str().to_owned() });
            }
            self.object_to_rivals(now, id, name.key());
        }
        self.voting.candidates.get(&id)
    }

    /// Somebody with a smaller id announces a name that others with greater
    /// ones announce as well: those do not get it.
    fn object_to_rivals(&mut self, now: Now, winner: PeerId, key: &NameKey) {
        if !self.is_among_the_oldest() {
            return;
        }
        let rivals = self.voting.candidates.iter().filter(|(id, it)| {
            **id > winner
                && it.name.key() == key
                && now.moment.since(it.heard) < ANSWER_TIME
                && self.contacts.member(**id).is_none()
        });
        let rivals: Vec<_> =
            rivals.map(|(id, it)| (*id, it.address, it.nonce, it.name.clone())).collect();
        for (id, address, nonce, name) in rivals {
            // Once: one announce of the winner must not make many objections,
            // again and again. At its own next one it hears it again.
            self.voting.candidates.remove(&id);
            let holder = (RoomClock(0), winner);
            self.object(now, address, nonce, ErrorCode::NameTaken, name.as_str(), holder);
        }
    }

    /// Sends agreements that are due, and takes silence for a yes.
    pub(super) fn go_on_voting(&mut self, now: Now) {
        if self.voting.due.is_none_or(|it| it > now.moment) {
            return;
        }
        let mut agreeing = Vec::new();
        for (id, candidate) in &mut self.voting.candidates {
            if matches!(candidate.person, Person::Thinks(until) if until <= now.moment) {
                candidate.person = Person::Agrees;
                candidate.agree_at = Some(now.moment);
            }
            if candidate.agree_at.is_some_and(|it| it <= now.moment) {
                candidate.agree_at = None;
                agreeing.push(*id);
            }
        }
        self.voting.due = self.voting.find_due();
        for id in agreeing {
            self.agree(now, id, 0);
        }
    }

    /// The person has answered. False where nobody of this name is waiting.
    pub(super) fn decide(&mut self, now: Now, name: &str, is_welcome: bool) -> bool {
        let key = NameKey::of(name);
        let waiting = self
            .voting
            .candidates
            .values_mut()
            .find(|it| matches!(it.person, Person::Thinks(_)) && *it.name.key() == key);
        let Some(candidate) = waiting else { return false };
        if is_welcome {
            candidate.person = Person::Agrees;
            candidate.agree_at = Some(now.moment);
            self.voting.hurry(now.moment);
        } else {
            candidate.person = Person::Refuses;
            let (address, nonce) = (candidate.address, candidate.nonce);
            let name = candidate.name.clone();
            let code = ErrorCode::NotAdmitted;
            self.object(now, address, nonce, code, name.as_str(), self.seniority());
        }
        true
    }

    /// Agrees to a candidate.
    fn agree(&mut self, now: Now, id: PeerId, flags: u8) {
        let Some(candidate) = self.voting.candidates.get(&id) else { return };
        let (address, nonce) = (candidate.address, candidate.nonce);
        let agree = Agree {
            nonce,
            cookie: self.cookie(now.moment, id, address, 0),
            flags,
            heard: self.hearing(now.moment, id),
            clock: self.room_clock(now.moment),
            since: self.since,
            username: self.name.as_str().to_owned(),
            members: u32::try_from(self.size()).unwrap_or(u32::MAX),
            lamport: self.logs.lamport(),
            time: now.time,
        };
        self.send_to(address, Control::Agree(agree));
    }

    /// Objects to a candidate, or to a member's name.
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
            text: self.reason(now, code, (since, holder)),
        };
        self.send_to(address, Control::Object(object));
    }

    /// An objection in words. Of a name that is taken it says for how long.
    fn reason(&self, now: Now, code: ErrorCode, (since, holder): Seniority) -> String {
        let name = match self.contacts.member(holder) {
            Some(contact) => contact.name(),
            None if holder == self.me.id => self.name.as_str(),
            // A candidate, of whom there is nothing to tell.
            None => return code.default_text().to_owned(),
        };
        let present = in_words(self.room_clock(now.moment).since(since).as_secs());
        let silence = self.contacts.member(holder).map(|it| now.moment.since(it.vouched).as_secs());
        match code {
            ErrorCode::NameTaken if silence.is_some_and(|it| it >= SILENCE) => {
                format!("{name} was here {} s ago; try again.", silence.unwrap_or(0))
            }
            ErrorCode::NameTaken | ErrorCode::NameLookalike => {
                format!("{name} has been here for {present}.")
            }
            _ => code.default_text().to_owned(),
        }
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
        self.voting.block(key, signer.map(|it| it.key));
        let text = match signer {
            Some(_) => format!("{name} is blocked: hidden now, and not let in again."),
            None => format!("{name} is not here; whoever comes by this name is not let in."),
        };
        self.show(Event::Done { tag, text });
    }
}

/// Whether no agreement to this candidate is on its way yet.
fn candidate_is_idle(voting: &Voting, id: PeerId) -> bool {
    voting.candidates.get(&id).is_some_and(|it| it.agree_at.is_none())
}
