//! Packet dispatch: drops packets that the sender's state does not allow, and passes all other
//! packets to their handlers. Section 14 from step 8 on, and the second table of section 16.

use std::net::SocketAddr;
use std::sync::Arc;

use super::contact::Stage;
use super::logs::InsertOutcome;
use super::timers::{address_patience, gone_after};
use super::{Mesh, Now, Phase};
use crate::model::{Path, PeerId};
use crate::wire::udp::{Control, Entry, Packet, Signer};

/// Metadata of a received control packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketMeta {
    /// Identity that has signed the packet.
    pub(super) sender: Signer,
    /// Source address of the datagram.
    pub(super) from: SocketAddr,
    /// Length of the datagram in bytes, before sealing.
    pub(super) size: usize,
    /// Packet counter of the header.
    pub(super) counter: u64,
    /// True if the packet came by multicast or broadcast, so that other peers have received it as
    /// well.
    pub(super) is_to_many: bool,
}

impl Mesh {
    /// Handles a received packet with a valid signature: an entry, or a control packet. Ignores
    /// this peer's own control packets. Drops a replayed control packet. If it is a copy of the
    /// sender's newest packet, records the copy's path.
    pub(super) fn dispatch_packet(
        &mut self,
        now: Now,
        from: SocketAddr,
        path: Option<Path>,
        size: usize,
        packet: Packet,
    ) {
        match packet {
            Packet::Entry { sender, entry } => self.on_entry(now, from, sender, &entry),
            Packet::Control { sender, counter, control } if sender.id != self.me.id => {
                let contact = self.contacts.get_mut(sender.id);
                if let Some(contact) = contact.filter(|it| it.window.has_seen(counter)) {
                    if let Some(path) = path.filter(|_| contact.window.is_newest(counter)) {
                        contact.record_copy(now.moment, path);
                    }
                    self.drops.replayed += 1;
                } else {
                    let is_to_many = path.is_some();
                    let meta = PacketMeta { sender, from, size, counter, is_to_many };
                    self.dispatch_control(now, meta, path, control);
                }
            }
            Packet::Control { .. } => {}
        }
    }

    /// Handles a control packet that is no duplicate: adds or updates the sender's contact, and
    /// calls the handler if the sender's state and this peer's phase allow it. A packet of a gone
    /// peer, except `bye` and what was sent before it, moves that peer to stage heard. A member
    /// answers the `recall` of an unverified sender with a ping. Drops the packet if there is no
    /// place for the contact. Also drops it beyond the sender's rate limit; then it does not count
    /// as a sign of life, but a copy of it counts as a replay.
    fn dispatch_control(
        &mut self,
        now: Now,
        meta: PacketMeta,
        path: Option<Path>,
        control: Control,
    ) {
        let id = meta.sender.id;
        let patience = address_patience(self.member_count());
        let gone = gone_after(self.member_count());
        let Some(contact) = self.contacts.add_heard(now.moment, meta.sender) else {
            self.drops.unverified += 1;
            return;
        };
        contact.window.record(meta.counter);
        if !contact.controls.try_take(now.moment) {
            self.drops.too_many += 1;
            return;
        }
        if contact.is_silent(now.moment, gone) {
            // It had no chance to say that it hears this peer.
            contact.hearing.restart(now.moment);
        }
        let proven = contact.verified_address();
        contact.record_packet(now.moment, meta.from, path);
        let is_elsewhere = contact.verified_address() != proven;
        let has_moved = contact.has_moved(patience);
        let is_gone = matches!(contact.stage, Stage::Gone { .. });
        // A packet that was sent before the `bye` came late, or is a recording.
        let is_late = contact.left_at_counter.is_some_and(|it| meta.counter < it);
        if is_gone && !is_late && !matches!(control, Control::Bye(_)) {
            contact.left_at_counter = None;
            contact.is_verified = false;
            (contact.first_heard, contact.known_at) = (now.moment, now.moment);
            contact.met_at = now.moment;
            self.contacts.set_stage(id, Stage::Heard);
        }
        let (mut is_verified, mut is_as_expected) = (false, false);
        if let Some(contact) = self.contacts.get(id) {
            is_verified = contact.is_verified;
            is_as_expected = contact.is_member() && (path.is_none() || path == contact.told_path);
        }
        if is_elsewhere {
            // It sends from another of its addresses now.
            self.send_plan = None;
        }
        if !is_as_expected || has_moved {
            self.schedule_sweep(now.moment);
        }

        self.note_sign_of_hearing(meta.is_to_many, &control);
        let is_member = self.is_member();
        match control {
            Control::Announce(it) => self.on_announce(now, meta, it),
            Control::Ping(it) => self.on_ping(now, meta, it),
            Control::Pong(it) => self.on_pong(now, meta, it),
            // Members agree by unicast. All that hear this one would answer it.
            Control::Agree(_) if is_member && meta.is_to_many => self.drops.unexpected += 1,
            Control::Agree(it) => self.on_agree(now, meta, it),
            Control::Object(it) => self.on_object(now, meta, &it, is_verified),
            Control::Heartbeat(it) => self.on_heartbeat(now, id, &it, is_verified),
            Control::Bye(_) if is_verified || is_gone => self.on_bye(now, id, meta.counter),
            Control::Recall(_) if is_member && !is_verified => {
                // Its `pong` was lost. It will ask again after the ping.
                self.drops.unverified += 1;
                if !meta.is_to_many || self.is_among_nearest(2, id.0) {
                    self.ping(now, id);
                }
            }
            _ if !is_verified => self.drops.unverified += 1,
            Control::Want(it) if is_member => self.on_want(now, id, &it),
            Control::Lost(it) if is_member => self.on_lost(now, id, &it),
            Control::Recall(it) if is_member => self.on_recall(now, id, it),
            Control::Recent(it) => self.on_recent(now, id, it),
            Control::Where(it) if is_member => self.on_where(now, id, &it),
            Control::Peers(it) if is_member => self.on_peers(now, meta, &it),
            Control::Peers(it) => {
                self.note_vouchers(now.moment, id, it.peers.iter().map(|it| it.peer))
            }
            _ => self.drops.unexpected += 1,
        }
    }

    /// Returns true if entries are accepted from `sender` at the address `from`: the sender is
    /// verified, and has sent a control packet from that address.
    #[must_use]
    pub fn accepts_entries_from(&self, sender: PeerId, from: SocketAddr) -> bool {
        self.contacts.get(sender).is_some_and(|it| it.is_verified && it.has_sent_from(from))
    }

    /// Returns true if a peer has proven that it receives at this address.
    #[must_use]
    pub fn is_verified_address(&self, address: SocketAddr) -> bool {
        self.contacts.iter().any(|(_, it)| it.has_verified(address))
    }

    /// Handles an entry, sent by its author or passed on by another peer. During the history fetch,
    /// gives it to the fetch. After the fetch, inserts the entry into the author's log, and
    /// schedules a `want` if a gap is left. Drops the entry if the sender is not accepted, this
    /// peer is no member, the entry is known, or the log refuses it. Drops an unrequested entry if
    /// its author is no member, or beyond the author's rate limit.
    fn on_entry(&mut self, now: Now, from: SocketAddr, sender: PeerId, entry: &Arc<Entry>) {
        let (author, sequence) = (entry.author.id, entry.fields.sequence);
        if !self.accepts_entries_from(sender, from) {
            self.drops.unverified += 1;
            return;
        }
        if let Phase::Recalling(history) = &mut self.phase {
            history.on_entry(entry);
            return;
        }
        if !self.is_member() {
            self.drops.unexpected += 1;
            return;
        }
        if self.is_known(author, sequence) {
            self.drops.known += 1;
            return;
        }
        if !self.logs.was_requested(author, sequence) {
            // Unrequested entries are accepted from members only, and rate-limited.
            let contact = self.contacts.get_mut(author).filter(|it| it.is_member());
            let Some(contact) = contact else {
                self.drops.refused += 1;
                return;
            };
            if !contact.entries.try_take(now.moment) {
                self.drops.too_many += 1;
                return;
            }
        }
        self.logs.note_answer(author, sender);
        match self.logs.insert(now.moment, entry.clone()) {
            InsertOutcome::New => self.schedule_want(now.moment, author),
            InsertOutcome::Duplicate => self.drops.known += 1,
            InsertOutcome::Refused => self.drops.refused += 1,
        }
    }
}
