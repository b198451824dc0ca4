//! What the driver does with what has happened.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::complaints::Complaints;
use super::drops::Counts;
use super::hosts::Found;
use super::limit::Limit;
use super::sockets::{Datagram, Sockets};
use super::{BLIND_PATIENCE, Key, PeerError, Setup, interfaces, name_of};
use crate::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use crate::model::{Command, Event, Heard, Moment, Request, RequestTag};
use crate::os::{Clock, random_bytes};
use crate::ui::Screen;
use crate::wire::udp::{
    DropReason, Entry, EntryFields, Identity, Room, Sealer, Signer, UnverifiedPacket, open,
};

/// Signs entries with the person's key.
struct Pen {
    /// Whose.
    identity: Arc<Identity>,
    /// Where.
    room: Arc<Room>,
}

impl Sign for Pen {
    fn signer(&self) -> Signer {
        self.identity.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.identity.sign_entry(&self.room, fields)
    }
}

/// Everything that the driver holds.
pub(super) struct Driver<'a> {
    /// Shows both kinds of time.
    pub(super) clock: Clock,
    /// The engine.
    pub(super) mesh: Mesh,
    /// Whose datagrams are one's own.
    me: Signer,
    /// Locked as long as this lives.
    _key: Key,
    /// Opens datagrams.
    room: Arc<Room>,
    /// Makes datagrams.
    sealer: Sealer,
    /// Sends them.
    sockets: Sockets,
    /// As in [`super::Network`].
    named: BTreeSet<String>,
    /// Those of them that are not there.
    missing: BTreeSet<String>,
    /// There is no network at all.
    is_offline: bool,
    /// Messages of which nothing could be sent.
    unheard: usize,
    /// One is in the room.
    is_in: bool,
    /// It was told that there are other rooms.
    knows_other_rooms: bool,
    /// What one address may send.
    limit: Limit,
    /// What was dropped.
    pub(super) counts: Counts,
    /// What was told already.
    complaints: Complaints,
    /// Shows what happens.
    screen: &'a mut dyn Screen,
    /// Nobody sees what is shown.
    is_blind: bool,
    /// As in [`Setup`].
    pub(super) hold_back: bool,
    /// Messages that were not acknowledged yet.
    pub(super) waiting: usize,
    /// When the mesh wants to be woken.
    pub(super) wake: Option<Moment>,
}

impl<'a> Driver<'a> {
    /// Everything in its place; nothing is sent yet.
    pub(super) fn new(
        setup: Setup,
        sockets: Sockets,
        named: BTreeSet<String>,
        screen: &'a mut dyn Screen,
    ) -> Result<Self, PeerError> {
        let clock = Clock::start();
        let room = Arc::new(setup.sealed);
        let identity = Arc::new(Identity::new(setup.key.seed, random_bytes()?));
        let settings = Settings {
            username: setup.username,
            room: setup.room,
            is_closed: room.kind() != 0,
            ask: setup.ask,
            secret: random_bytes()?,
        };
        let pen = Pen { identity: identity.clone(), room: room.clone() };
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        Ok(Self {
            clock,
            mesh: Mesh::new(settings, Box::new(pen), now),
            me: identity.signer(),
            _key: setup.key,
            sealer: Sealer::new(identity, room.clone()),
            room,
            sockets,
            named,
            missing: BTreeSet::new(),
            is_offline: false,
            unheard: 0,
            is_in: false,
            knows_other_rooms: false,
            limit: Limit::default(),
            counts: Counts::default(),
            complaints: Complaints::default(),
            screen,
            is_blind: false,
            hold_back: setup.hold_back,
            waiting: 0,
            wake: None,
        })
    }

    /// What the clocks show.
    fn now(&self) -> Now {
        Now { moment: self.clock.now(), time: self.clock.time_of_day() }
    }

    /// Tells the mesh what has happened.
    pub(super) fn input(&mut self, input: Input) {
        self.mesh.handle_input(self.now(), input);
    }

    /// Has the mesh do something that nobody has typed.
    pub(super) fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Does what the mesh wants done. Gives the end when it has come.
    pub(super) async fn act(&mut self) -> Result<Option<End>, PeerError> {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { ways, addresses, packet } => {
                    let datagram = match &packet {
                        Outgoing::Control(control) => self.sealer.control(control),
                        Outgoing::Entry(entry) => self.sealer.entry(entry),
                    };
                    let datagram = datagram.ok_or(PeerError::UsedUp)?;
                    let copies = self.send(&datagram, ways, &addresses).await;
                    let is_entry = matches!(packet, Outgoing::Entry(_));
                    self.unheard += usize::from(is_entry && copies == 0);
                }
                Output::Event(event) => self.show(&event),
                Output::WakeAt(moment) => self.wake = Some(moment),
                Output::Finished(End::Left { unsent, refused }) if self.is_offline => {
                    // What was said while there was no network, nobody has.
                    let unsent = unsent.max(self.unheard);
                    return Ok(Some(End::Left { unsent, refused }));
                }
                Output::Finished(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// Shows an event. Where nobody sees it any more (a closed pipe), what a
    /// script asks for is still done, up to the end of its input.
    pub(super) fn show(&mut self, event: &Event) {
        let is_answered = match event {
            Event::Acknowledged { .. } | Event::Unsent { .. } => true,
            Event::Refused(refusal) => refusal.message.is_some(),
            _ => false,
        };
        self.waiting = self.waiting.saturating_sub(usize::from(is_answered));
        self.is_in |= matches!(event, Event::JoinedMesh(_));
        if !self.is_blind && self.screen.show(event).is_err() {
            self.is_blind = true;
            if !self.hold_back {
                self.request(Command::Finish { patience: BLIND_PATIENCE });
            }
        }
    }

    /// Tells something that is about no request, not too often.
    fn complain(&mut self, text: String) {
        if self.complaints.is_due(self.clock.now(), &text) {
            self.show(&Event::Problem { code: 0, text });
        }
    }

    /// Logs something that need not concern a person, not too often.
    fn log(&mut self, text: &str) {
        if self.complaints.is_due(self.clock.now(), text) {
            tracing::warn!("{text}");
        }
    }

    /// Sends a datagram. What cannot be sent is lost like any other: only
    /// where none of its copies went it is worth a word.
    /// Returns how many went.
    async fn send(&mut self, datagram: &[u8], ways: Heard, addresses: &[SocketAddr]) -> usize {
        let sent = self.sockets.send(datagram, ways, addresses).await;
        for (way, error) in &sent.failed {
            self.log(&format!("cannot send by {}: {error}", way.map_or("unicast", name_of)));
        }
        // That there is no network has been told.
        if let (0, false, Some((Some(way), error))) =
            (sent.copies, self.is_offline, sent.failed.first())
        {
            let way = name_of(*way);
            self.complain(format!("Nothing can be sent by {way}: {error}."));
        }
        sent.copies
    }

    /// Something has come by the network.
    pub(super) fn receive(&mut self, came: io::Result<Datagram>) {
        let datagram = match came {
            Ok(datagram) => datagram,
            Err(error) => {
                // Windows tells here that somebody is gone.
                return self.log(&format!("cannot receive: {error}"));
            }
        };
        let way = self.sockets.way_of(&datagram);
        if way.is_some() && !self.sockets.is_ours(&datagram) {
            return self.counts.count("of another interface");
        }
        let now = self.now();
        if !self.limit.lets_pass(now.moment, datagram.from.ip()) {
            return self.counts.count("too many from one address");
        }
        let mesh = &self.mesh;
        let is_known = |peek| match peek {
            UnverifiedPacket::Entry { sender, author, sequence } => {
                !mesh.may_bring_entries(sender, datagram.from) || mesh.is_known(author, sequence)
            }
            UnverifiedPacket::Control { sender, counter } => {
                mesh.is_replayed(now.moment, sender, counter, way)
            }
        };
        match open(&datagram.bytes, &self.room, self.me.id, is_known) {
            Ok((packet, size)) => {
                let from = datagram.from;
                self.mesh.handle_input(now, Input::Received { from, way, size, packet });
            }
            Err(dropped) => {
                self.counts.count_dropped(dropped);
                if dropped == DropReason::OtherRoom {
                    self.tell_of_another_room(now);
                }
            }
        }
    }

    /// Somebody speaks in another room. Who is alone may have mistyped the
    /// room's name or the passphrase; it is said once.
    fn tell_of_another_room(&mut self, now: Now) {
        let is_alone = || self.mesh.report(now).len() == 1;
        if self.is_in && !self.knows_other_rooms && is_alone() {
            self.knows_other_rooms = true;
            let text = "Others here are in another room: one of another name or passphrase.";
            self.show(&Event::Problem { code: 0, text: text.to_owned() });
        }
    }

    /// The named hosts have been looked up.
    pub(super) fn found(&mut self, found: Found) {
        for sentence in found.failed {
            self.complain(sentence);
        }
        self.input(Input::Hosts(found.addresses));
    }

    /// Looks which networks there are.
    pub(super) fn scan(&mut self) {
        let found = match interfaces::scan(&self.named) {
            Ok(found) => found,
            Err(error) => return self.complain(format!("The networks cannot be listed: {error}.")),
        };
        let missing: BTreeSet<String> =
            self.named.iter().filter(|it| !found.contains_key(*it)).cloned().collect();
        for name in missing.difference(&self.missing.clone()) {
            let text = format!("There is no interface {name}, or it is down: waiting for it.");
            self.show(&Event::Problem { code: 0, text });
        }
        for name in self.missing.clone().difference(&missing) {
            let text = format!("the interface {name} is there");
            self.show(&Event::Done { tag: RequestTag::default(), text });
        }
        let is_offline = found.is_empty();
        if is_offline && !self.is_offline && self.named.is_empty() {
            let text = "This computer is in no network: waiting for one.".to_owned();
            self.show(&Event::Problem { code: 0, text });
        }
        if self.is_offline && !is_offline && self.named.is_empty() {
            let text = "this computer is in a network now".to_owned();
            self.show(&Event::Done { tag: RequestTag::default(), text });
        }
        (self.missing, self.is_offline) = (missing, is_offline);
        for (way, error) in self.sockets.set_interfaces(found) {
            self.log(&format!("cannot join {}: {error}", name_of(way)));
        }
    }

    /// Tells what of the sockets could not be had, where that matters.
    pub(super) fn tell_closed_ports(&mut self, failed: &[(&'static str, io::Error)]) {
        for (what, error) in failed {
            self.log(&format!("cannot use {what}: {error}"));
        }
        if let (false, Some((what, error))) = (self.sockets.is_shared(), failed.first()) {
            let text = format!(
                "This peer hears only those that it speaks to: {what} cannot be used ({error})."
            );
            self.show(&Event::Problem { code: 0, text });
        }
    }
}
