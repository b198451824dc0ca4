//! Objections that this candidate has received: which of them count. Section 7, rules 11 and 20 to
//! 23.

use std::collections::{BTreeMap, BTreeSet};

use super::candidacy::{Candidacy, Vote};
use super::contact::Contact;
use super::dispatch::PacketMeta;
use super::timers::{JOIN_WINDOW, MAX_OBJECTION_WAIT, VOUCH_TIMEOUT};
use super::{End, Mesh, Now, Phase};
use crate::model::limits::MAX_PEERS;
use crate::model::{ErrorCode, Event, MeshSentence, Moment, NameKey, PeerId};
use crate::wire::udp::{Control, Object, PageItem, Where};

/// Maximum number of remembered objections to one candidacy.
const MAX_OBJECTIONS: usize = 64;
/// Maximum number of remembered objections from peers of one address group.
const MAX_OBJECTIONS_PER_GROUP: usize = 8;
/// Maximum number of listing peers: verified peers whose lists of members are remembered.
const MAX_LISTERS: usize = 32;
/// Maximum number of listing peers of one address group.
const MAX_LISTERS_PER_GROUP: usize = 4;
/// Maximum number of members remembered from the lists of one peer.
const MAX_LISTED: usize = 512;
/// Name in [`End::Rejected`](super::End::Rejected) of an objector whose name is unknown or doubtful. It
/// cannot be a username.
pub const UNKNOWN_NAME: &str = "somebody unknown";

/// Latest objection of one peer to this candidate.
#[derive(Debug)]
struct ReceivedObjection {
    /// Packet of the objection.
    object: Object,
    /// Time of the first objection of this peer.
    first_at: Moment,
}

/// Undecided objections to this candidate, and the members that verified peers list.
#[derive(Debug, Default)]
pub(super) struct ReceivedObjections {
    /// Objections by the id of the objecting peer, at most [`MAX_OBJECTIONS`].
    by_peer: BTreeMap<PeerId, ReceivedObjection>,
    /// Members listed by verified peers, by the id of the listing peer.
    listed: BTreeMap<PeerId, BTreeSet<PeerId>>,
}

impl ReceivedObjections {
    /// Returns true if a peer has objected.
    pub(super) fn is_objector(&self, id: PeerId) -> bool {
        self.by_peer.contains_key(&id)
    }

    /// Iterates over the peers that vouch for the objector `id`: the peers that list it as a
    /// member, and the objectors that state it as the holder of the name.
    fn vouchers(&self, id: PeerId) -> impl Iterator<Item = PeerId> {
        let listing = self.listed.iter().filter(move |(_, it)| it.contains(&id)).map(|it| *it.0);
        let is_about_name = |it: &Object| {
            let names = [ErrorCode::NameTaken, ErrorCode::NameLookalike];
            names.map(ErrorCode::number).contains(&it.code)
        };
        let naming = self
            .by_peer
            .iter()
            .filter(move |(_, it)| it.object.holder == id && is_about_name(&it.object));
        listing.chain(naming.map(|(by, _)| *by))
    }
}

impl Mesh {
    /// Handles an objection to this candidate: remembers it, pings the sender unless the sender is
    /// verified, and decides ([`Self::decide_objections`]). A repeated objection replaces the
    /// former one, but keeps the time of the first. Drops the objection of a new objector at the
    /// limits [`MAX_OBJECTIONS`] and [`MAX_OBJECTIONS_PER_GROUP`].
    pub(super) fn on_rejection(&mut self, now: Now, meta: PacketMeta, object: &Object) {
        let id = meta.sender.id;
        let is_verified = self.contacts.get(id).is_some_and(|it| it.is_verified);
        let group = self.contacts.get(id).and_then(Contact::group);
        let is_of_group = |it: &&PeerId| self.contacts.get(**it).and_then(Contact::group) == group;
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        let objections = &mut candidacy.objections.by_peer;
        if !objections.contains_key(&id) {
            let of_group = objections.keys().filter(is_of_group).count();
            if objections.len() >= MAX_OBJECTIONS || of_group >= MAX_OBJECTIONS_PER_GROUP {
                self.drops.too_many += 1;
                return;
            }
        }
        let first_at = objections.get(&id).map_or(now.moment, |it| it.first_at);
        objections.insert(id, ReceivedObjection { object: object.clone(), first_at });
        if !is_verified {
            self.ping(now, id);
        }
        self.decide_objections(now.moment);
    }

    /// Records the members listed in a page of the verified peer `by`, and decides on objections.
    /// Absent authors in the page do not count. Does nothing if this peer is no candidate.
    pub(super) fn note_vouchers_in_page(&mut self, now: Moment, by: PeerId, page: &[PageItem]) {
        let present = page.iter().filter(|it| it.ago != PageItem::ABSENT);
        self.note_vouchers(now, by, present.map(|it| it.author));
    }

    /// Records that the verified peer `by` lists these peers as members, at most [`MAX_LISTED`] of
    /// them. Then decides on objections. Does nothing if this peer is no candidate. Also does
    /// nothing if `by` is a new listing peer and the limit [`MAX_LISTERS`] or
    /// [`MAX_LISTERS_PER_GROUP`] is reached.
    pub(super) fn note_vouchers(
        &mut self,
        now: Moment,
        by: PeerId,
        members: impl Iterator<Item = PeerId>,
    ) {
        let group = |id: PeerId| self.contacts.get(id).and_then(Contact::group);
        let own = group(by);
        let Phase::Announcing(candidacy) = &mut self.phase else { return };
        let listed = &mut candidacy.objections.listed;
        let of_group = listed.keys().filter(|it| group(**it) == own).count();
        let is_full = listed.len() >= MAX_LISTERS || of_group >= MAX_LISTERS_PER_GROUP;
        if is_full && !listed.contains_key(&by) {
            return;
        }
        let listed = listed.entry(by).or_default();
        for member in members {
            if listed.len() < MAX_LISTED {
                listed.insert(member);
            }
        }
        self.decide_objections(now);
    }

    /// Ends the mesh as rejected if an objection counts. Does nothing if this peer is no candidate.
    /// Call it also when a peer has become verified.
    ///
    /// An objection counts if its objector is verified with an address, and an independent peer
    /// ([`Self::are_independent`]) vouches for the objector. After [`JOIN_WINDOW`], no voucher is
    /// needed if [`Self::can_others_tell`] is false, and no voter that has agreed is to prove its
    /// address yet ([`Candidacy::is_awaiting_proof`]).
    pub(super) fn decide_objections(&mut self, now: Moment) {
        let Phase::Announcing(candidacy) = &self.phase else { return };
        let is_over =
            now.since(candidacy.started_at) >= JOIN_WINDOW && !candidacy.is_awaiting_proof(now);
        let counts = |id: &&PeerId| {
            self.is_verified_peer(**id)
                && (candidacy.objections.vouchers(**id).any(|it| self.are_independent(**id, it))
                    || is_over && !self.can_others_tell(candidacy, **id))
        };
        let counting = candidacy.objections.by_peer.keys().find(counts).copied();
        if let Some(id) = counting {
            self.reject_by(id);
        }
    }

    /// Settles the remaining objections. Call it when the window is over and the vote is settled.
    /// Returns true if the candidate may join; false if it must wait, or was rejected.
    ///
    /// Other peers have [`VOUCH_TIMEOUT`] from a verified objector's first objection to vouch for
    /// it, but at most [`MAX_OBJECTION_WAIT`] after the window. After that the objection does not
    /// count, and the user is told so.
    pub(super) fn settle_objections(&mut self, now: Now) -> bool {
        self.decide_objections(now.moment);
        let Phase::Announcing(candidacy) = &self.phase else { return false };
        let latest = candidacy.started_at + JOIN_WINDOW + MAX_OBJECTION_WAIT;
        let objections = candidacy.objections.by_peer.iter();
        let strangers: Vec<Moment> = objections
            .filter(|(id, _)| self.is_verified_peer(**id))
            .map(|(_, it)| (it.first_at + VOUCH_TIMEOUT).min(latest))
            .collect();
        if strangers.iter().any(|it| now.moment < *it) {
            return false;
        }
        if !strangers.is_empty() {
            let text = MeshSentence::UnknownObjector.into();
            self.emit(Event::Problem { code: 0, text });
        }
        true
    }

    /// Returns true if a peer that is independent of the objector ([`Self::are_independent`]) has
    /// agreed or is asking its user. Such a peer can tell whether the objector is a member.
    fn can_others_tell(&self, candidacy: &Candidacy, objector: PeerId) -> bool {
        candidacy.answered_voters().any(|voter| self.are_independent(objector, voter))
    }

    /// Asks voters about the verified objectors: sends a `where` to each verified voter that has
    /// agreed or is asking its user. The `where` asks for the objectors that are independent of the
    /// voter, at most [`MAX_PEERS`]. If there are none, sends nothing to that voter.
    pub(super) fn ask_about_objectors(&mut self) {
        let Phase::Announcing(candidacy) = &self.phase else { return };
        let objectors: Vec<PeerId> = candidacy
            .objections
            .by_peer
            .keys()
            .filter(|it| self.is_verified_peer(**it))
            .copied()
            .collect();
        if objectors.is_empty() {
            return;
        }
        let voters: Vec<PeerId> = candidacy.answered_voters().collect();
        for voter in voters {
            let others = objectors.iter().filter(|it| self.are_independent(**it, voter));
            let peers: Vec<PeerId> = others.take(MAX_PEERS).copied().collect();
            let address = self.contacts.get(voter).and_then(Contact::verified_address);
            if let Some(address) = address.filter(|_| !peers.is_empty()) {
                self.send_to(address, Control::Where(Where { peers }));
            }
        }
    }

    /// Returns true if a peer is verified and has a verified address.
    fn is_verified_peer(&self, id: PeerId) -> bool {
        self.contacts.get(id).is_some_and(|it| it.is_verified && it.verified_address().is_some())
    }

    /// Returns true if two peers are independent: both are verified, and a verified address of one
    /// and a verified address of the other belong to different address groups.
    ///
    /// All verified addresses count, not the latest alone: a stranger that passes on a peer's
    /// packets can add its own address to those of the peer, but takes none from it.
    fn are_independent(&self, one: PeerId, other: PeerId) -> bool {
        let contact = |id| self.contacts.get(id).filter(|it| it.is_verified);
        let (Some(first), Some(second)) = (contact(one), contact(other)) else { return false };
        one != other
            && first.verified_groups().any(|it| second.verified_groups().any(|other| other != it))
    }

    /// Ends the mesh as rejected, because of the objection of the peer `id`.
    fn reject_by(&mut self, id: PeerId) {
        let by = self.name_of_objector(id);
        let Phase::Announcing(candidacy) = &self.phase else { return };
        let Some(it) = candidacy.objections.by_peer.get(&id) else { return };
        let (code, reason) = (it.object.code, it.object.text.clone());
        self.finish(End::Rejected { by, code, reason });
    }

    /// Returns the name to show for an objector: the name that the objector last stated in an
    /// `agree` or heartbeat, else the name in its objection. Returns [`UNKNOWN_NAME`] if a verified peer
    /// that has not objected states the same name.
    fn name_of_objector(&self, id: PeerId) -> String {
        let Phase::Announcing(candidacy) = &self.phase else { return UNKNOWN_NAME.to_owned() };
        let stated = self.contacts.get(id).map(Contact::name).filter(|it| !it.is_empty());
        let claimed = candidacy.objections.by_peer.get(&id).map(|it| it.object.by.as_str());
        let name = stated.or(claimed).unwrap_or(UNKNOWN_NAME);
        let key = NameKey::of(name);
        let is_held_by_another = self.contacts.iter().any(|(other, it)| {
            other != id
                && !candidacy.objections.is_objector(other)
                && it.is_verified
                && it.profile.as_ref().is_some_and(|it| it.key == key)
        });
        if is_held_by_another { UNKNOWN_NAME.to_owned() } else { name.to_owned() }
    }
}

impl Candidacy {
    /// Iterates over the voters that have agreed or are asking their user, as far as they count.
    pub(super) fn answered_voters(&self) -> impl Iterator<Item = PeerId> {
        let has_answered = |it: &Vote| matches!(it, Vote::Yes(_) | Vote::Deferred(_));
        self.votes.iter().filter(move |(_, it)| has_answered(it.counted_vote())).map(|(id, _)| *id)
    }
}
