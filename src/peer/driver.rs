//! State of the peer's driver, and the handler of each kind of event.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::drop_counters::DropCounters;
use super::host_lookup::ResolvedHosts;
use super::path_failures::PathFailures;
use super::signature_budget::SignatureBudget;
use super::socket_texts::{failed_join_texts, path_text, unusable_socket_text};
use super::sockets::{Datagram, FailedJoin, Sockets, UnusableSocket};
use super::source_limiter::SourceLimiter;
use super::unsent_messages::UnsentMessages;
use super::warning_limiter::WarningLimiter;
use super::{
    DEFAULT_FINISH_PATIENCE, PeerError, PeerKey, PeerSettings, interfaces, path_name,
    rejection_reason,
};
use crate::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use crate::model::{
    AddressGroup, Command, ConnectionState, ErrorCode, Event, Moment, Path, PathSet, Request,
    RequestTag, Username,
};
use crate::os::{Clock, random_bytes};
use crate::text;
use crate::ui::{Screen, impossible_name_text, io_error_text};
use crate::wire::udp::{
    DropReason, Entry, EntryFields, Identity, Room, Sealer, Signer, UnverifiedPacket, open,
};

/// Minimum time from the last scan of the network interfaces to a scan because of a failed send.
const MIN_SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Signer of log entries for the mesh engine. The engine itself has no signing key.
struct EntrySigner {
    /// Identity of this peer, with the signing key.
    identity: Arc<Identity>,
    /// Room whose id is part of the signed bytes.
    room: Arc<Room>,
}

impl Sign for EntrySigner {
    fn signer(&self) -> Signer {
        self.identity.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.identity.sign_entry(&self.room, fields)
    }
}

/// Creates an identity with a new incarnation from the signing key. Also returns the signer of its
/// entries for the room.
///
/// # Errors
/// [`PeerError::Random`] if the random source fails.
fn create_identity(
    key: &PeerKey,
    room: &Arc<Room>,
) -> Result<(Arc<Identity>, EntrySigner), PeerError> {
    let identity = Arc::new(Identity::new(key.seed, random_bytes()?));
    let signer = EntrySigner { identity: identity.clone(), room: room.clone() };
    Ok((identity, signer))
}

/// State of the peer's driver: clock, engine, sockets, user interface and counters.
pub(super) struct Driver<'a> {
    /// Monotonic clock and wall clock.
    pub(super) clock: Clock,
    /// The peer's engine.
    pub(super) mesh: Mesh,
    /// Public identity of this peer. Datagrams with its id as sender are dropped.
    me: Signer,
    /// Signing key. Holds the lock on the key file until the driver is dropped.
    key: PeerKey,
    /// Settings of the mesh engine. If the user chooses another username, the username and the
    /// secret change.
    settings: Settings,
    /// True if there is a user who can be asked for another username.
    can_ask_name: bool,
    /// True while the user is asked for another username. The mesh engine has ended then.
    pub(super) is_asking_name: bool,
    /// Addresses of the hosts outside the local network, as the last lookup found them.
    host_addresses: Vec<SocketAddr>,
    /// Room whose datagrams are accepted.
    room: Arc<Room>,
    /// Signs, encrypts and numbers outgoing datagrams.
    sealer: Sealer,
    /// UDP sockets of both address families.
    sockets: Sockets,
    /// Names of the network interfaces to use. Empty: all except loopbacks.
    selected_interfaces: BTreeSet<String>,
    /// Names in `selected_interfaces` of interfaces that were absent, down or without an address at
    /// the last successful scan.
    missing_interfaces: BTreeSet<String>,
    /// Addresses of this machine, as the last scan found them.
    own_addresses: BTreeSet<IpAddr>,
    /// Time of the last scan of the network interfaces.
    scanned_at: Moment,
    /// True if the last scan found no usable network interface.
    is_offline: bool,
    /// Own messages of which no copy has ever gone out.
    unsent_messages: UnsentMessages,
    /// Multicast groups that could not be joined at the last scan, each with the interface. The
    /// user was told of each.
    failed_joins: BTreeSet<(Path, String)>,
    /// Paths on which sending fails.
    path_failures: PathFailures,
    /// True once the peer has joined the room for the first time.
    has_joined: bool,
    /// True once the user was told that there are peers in another room.
    has_reported_other_room: bool,
    /// Rate limit of received datagrams by source address.
    source_limiter: SourceLimiter,
    /// Budget of signature checks for datagrams of strangers.
    signature_budget: SignatureBudget,
    /// Counters of datagrams that were dropped before they reached the mesh.
    pub(super) drop_counters: DropCounters,
    /// Limiter of repeated warnings in the log and of repeated problems shown to the user.
    warning_limiter: WarningLimiter,
    /// User interface that shows the events.
    screen: &'a mut dyn Screen,
    /// True once `screen` has failed to show an event. Then no further event is shown.
    is_output_closed: bool,
    /// True if requests come from a script; see [`PeerSettings::throttle_requests`].
    pub(super) throttle_requests: bool,
    /// Number of messages that the user or script has asked to send, and that are not yet
    /// acknowledged, refused or reported as unsent. A script's next request waits while it is
    /// [`MAX_UNACKNOWLEDGED`] or more.
    pub(super) unacknowledged: usize,
    /// Time at which the mesh wants an [`Input::Wake`]. `None` if no wake-up is scheduled.
    pub(super) wake_at: Option<Moment>,
}

impl<'a> Driver<'a> {
    /// Creates the driver and its mesh engine. Sends nothing yet.
    ///
    /// # Errors
    /// [`PeerError::Random`] if the random source fails.
    pub(super) fn new(
        setup: PeerSettings,
        sockets: Sockets,
        selected_interfaces: BTreeSet<String>,
        screen: &'a mut dyn Screen,
    ) -> Result<Self, PeerError> {
        let clock = Clock::start();
        let room = Arc::new(setup.wire_room);
        let settings = Settings {
            username: setup.username,
            room: setup.room,
            is_closed: room.kind() != 0,
            ask: setup.ask,
            secret: random_bytes()?,
        };
        let (identity, signer) = create_identity(&setup.key, &room)?;
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        Ok(Self {
            clock,
            mesh: Mesh::new(settings.clone(), Box::new(signer), now),
            me: identity.signer(),
            key: setup.key,
            settings,
            can_ask_name: setup.can_ask_name,
            is_asking_name: false,
            host_addresses: Vec::new(),
            sealer: Sealer::new(identity, room.clone()),
            room,
            sockets,
            selected_interfaces,
            missing_interfaces: BTreeSet::new(),
            own_addresses: BTreeSet::new(),
            scanned_at: Moment::START,
            is_offline: false,
            unsent_messages: UnsentMessages::default(),
            failed_joins: BTreeSet::new(),
            path_failures: PathFailures::default(),
            has_joined: false,
            has_reported_other_room: false,
            source_limiter: SourceLimiter::default(),
            signature_budget: SignatureBudget::default(),
            drop_counters: DropCounters::default(),
            warning_limiter: WarningLimiter::default(),
            screen,
            is_output_closed: false,
            throttle_requests: setup.throttle_requests,
            unacknowledged: 0,
            wake_at: None,
        })
    }

    /// Handles the end of the mesh engine. If the engine has ended because of the username, there
    /// is a user to ask, and the output is open, asks for another username and returns `None`.
    /// Otherwise returns `end`.
    pub(super) fn ask_name_after(&mut self, end: End) -> Option<End> {
        let End::Rejected { code, reason, .. } = &end else { return Some(end) };
        let is_about_name = ErrorCode::from_number(*code).is_some_and(ErrorCode::is_about_name);
        if !is_about_name || !self.can_ask_name || self.is_output_closed {
            return Some(end);
        }
        self.is_asking_name = true;
        let name = self.settings.username.as_str().to_owned();
        self.show(&Event::NameWanted { name, code: *code, text: rejection_reason(*code, reason) });
        None
    }

    /// Starts again as a candidate with another username, as a new process would: with a new mesh
    /// engine, and a new identity of the same key. Sockets and known addresses are kept. Messages
    /// that wait in the old engine are dropped. If the name is invalid, asks again instead.
    ///
    /// # Errors
    /// [`PeerError::Random`] if the random source fails.
    pub(super) fn try_username(&mut self, name: &str) -> Result<(), PeerError> {
        match Username::new(name) {
            Ok(username) => self.settings.username = username,
            Err(error) => {
                let text = impossible_name_text(error);
                let code = ErrorCode::NameInvalid.number();
                self.show(&Event::NameWanted { name: name.to_owned(), code, text });
                return Ok(());
            }
        }
        self.settings.secret = random_bytes()?;
        let (identity, signer) = create_identity(&self.key, &self.room)?;
        self.me = identity.signer();
        self.sealer = Sealer::new(identity, self.room.clone());
        self.mesh = Mesh::new(self.settings.clone(), Box::new(signer), self.now());
        self.is_asking_name = false;
        (self.wake_at, self.unacknowledged) = (None, 0);
        self.show(&Event::Connection(ConnectionState::Connecting));
        self.unsent_messages = UnsentMessages::default();
        self.input(Input::OwnAddresses(self.own_addresses.iter().copied().collect()));
        if !self.host_addresses.is_empty() {
            self.input(Input::Hosts(self.host_addresses.clone()));
        }
        Ok(())
    }

    /// Returns the current time of both clocks.
    fn now(&self) -> Now {
        Now { moment: self.clock.now(), time: self.clock.time_of_day() }
    }

    /// Passes an input to the mesh engine, with the current time. Call [`Self::process_outputs`]
    /// afterwards.
    pub(super) fn input(&mut self, input: Input) {
        self.mesh.handle_input(self.now(), input);
    }

    /// Passes a command to the mesh engine as the driver's own request, without a tag.
    pub(super) fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Carries out all pending outputs of the mesh engine. Returns how the peer has ended, or
    /// `None` while it runs. If the peer leaves while offline, own messages of which no copy went
    /// out count as unsent.
    ///
    /// # Errors
    /// [`PeerError::UsedUp`] if the datagram counters are used up.
    pub(super) async fn process_outputs(&mut self) -> Result<Option<End>, PeerError> {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    let datagram = match &packet {
                        Outgoing::Control(control) => self.sealer.control(control),
                        Outgoing::Entry(entry) => self.sealer.entry(entry),
                    };
                    let datagram = datagram.ok_or(PeerError::UsedUp)?;
                    let copies = self.send(&datagram, paths, &addresses).await;
                    if let Outgoing::Entry(entry) = &packet
                        && entry.author == self.me
                    {
                        self.unsent_messages.record(entry.fields.sequence, copies);
                    }
                }
                Output::Event(event) => self.show(&event),
                Output::WakeAt(moment) => self.wake_at = Some(moment),
                Output::Finished(End::Left { unsent, refused }) if self.is_offline => {
                    // Messages sent while offline have reached no peer.
                    let unsent = unsent.max(self.unsent_messages.count());
                    return Ok(Some(End::Left { unsent, refused }));
                }
                Output::Finished(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// Shows an event to the user, and updates `unacknowledged` and `has_joined`. If showing fails,
    /// the output is closed: no further event is shown. The peer then finishes; but if
    /// requests come from a script (`throttle_requests`), it carries out the script to its end.
    pub(super) fn show(&mut self, event: &Event) {
        let is_answered = match event {
            Event::Acknowledged { .. } | Event::Unsent { .. } => true,
            Event::Refused(refusal) => refusal.message.is_some(),
            _ => false,
        };
        self.unacknowledged = self.unacknowledged.saturating_sub(usize::from(is_answered));
        self.has_joined |= matches!(event, Event::JoinedMesh(_));
        if !self.is_output_closed && self.screen.show(event).is_err() {
            self.is_output_closed = true;
            if !self.throttle_requests {
                self.request(Command::Finish { patience: DEFAULT_FINISH_PATIENCE });
            }
        }
    }

    /// Shows a problem that is not related to a request. Does nothing if the same text was reported
    /// in the last minute.
    fn show_problem_limited(&mut self, text: String) {
        if self.warning_limiter.should_report(self.clock.now(), &text) {
            self.show(&Event::Problem { code: 0, text: text.into() });
        }
    }

    /// Logs a warning. Does nothing if the same text was reported in the last minute.
    fn warn_limited(&mut self, text: &str) {
        if self.warning_limiter.should_report(self.clock.now(), text) {
            tracing::warn!("{text}");
        }
    }

    /// Sends copies of a datagram by all `paths` and to all `addresses`. Returns the number of
    /// copies sent, without second copies ([`Sockets::send`]).
    ///
    /// Logs each failure, but the same text at most once a minute. If no copy was sent and the
    /// first failure was on a path, tells the user, at most once a minute, unless the peer is
    /// offline. If a path keeps failing while other copies are sent, tells the user once
    /// ([`PathFailures`]), unless only loopbacks are in use.
    ///
    /// After a failure on a path, scans the interfaces, unless the last scan is younger than
    /// [`MIN_SCAN_INTERVAL`].
    async fn send(&mut self, datagram: &[u8], paths: PathSet, addresses: &[SocketAddr]) -> usize {
        let (mesh, hosts) = (&self.mesh, &self.host_addresses);
        let is_trusted = |it| hosts.contains(&it) || mesh.is_verified_address(it);
        let sent = self.sockets.send(datagram, paths, addresses, is_trusted).await;
        for (path, error) in &sent.failed {
            self.warn_limited(&format!(
                "cannot send by {}: {error}",
                path.map_or("unicast", path_name)
            ));
        }
        // While offline, the user knows the reason already.
        if let (0, false, Some((Some(path), error))) =
            (sent.copies_sent, self.is_offline, sent.failed.first())
        {
            let (path, reason) = (path_text(*path), io_error_text(error));
            self.show_problem_limited(text!("peer-nothing-sent", path = path, reason = reason));
        }
        let now = self.clock.now();
        for path in Path::ALL.into_iter().filter(|it| paths.has(*it)) {
            let error = sent.failed.iter().find(|(failed, _)| *failed == Some(path));
            if sent.working.has(path) {
                self.path_failures.record_success(path);
            } else if let Some((_, error)) = error
                && sent.copies_sent > 0
                && !self.sockets.is_loopback_only()
                && self.path_failures.record_failure(now, path)
            {
                let (path, reason) = (path_text(path), io_error_text(error));
                let text = text!("peer-path-fails", path = path, reason = reason);
                self.show(&Event::Problem { code: 0, text: text.into() });
            }
        }
        // The interface may have another address since the last scan.
        let has_path_failed = sent.failed.iter().any(|(path, _)| path.is_some());
        let since_scan = self.clock.now().since(self.scanned_at);
        if has_path_failed && since_scan >= MIN_SCAN_INTERVAL {
            self.scan_interfaces();
        }
        sent.copies_sent
    }

    /// Handles a received datagram. Filters it by interface, source rate and signature budget,
    /// verifies it, and passes its packet to the mesh engine. If a valid packet came by unicast to
    /// the shared socket, remembers its source as a caller. Counts a dropped datagram, unless it is
    /// the peer's own. If it belongs to another room, may tell the user
    /// ([`Self::report_other_room`]). A receive error is only logged, at most once a minute.
    pub(super) fn receive(&mut self, received: io::Result<Datagram>) {
        let datagram = match received {
            Ok(datagram) => datagram,
            Err(error) => {
                // For example, Windows reports here that a remote port is closed.
                return self.warn_limited(&format!("cannot receive: {error}"));
            }
        };
        let path = self.sockets.path_of(&datagram);
        if path.is_some() && !self.sockets.is_on_selected_interface(&datagram) {
            return self.drop_counters.count("of another interface");
        }
        let now = self.now();
        if !self.source_limiter.allow(now.moment, datagram.from.ip()) {
            return self.drop_counters.count("too many from one address");
        }
        let (mesh, budget) = (&self.mesh, &mut self.signature_budget);
        let mut is_over_budget = false;
        let is_dropped = |peek| match peek {
            UnverifiedPacket::Entry { sender, author, sequence } => {
                !mesh.accepts_entries_from(sender, datagram.from) || mesh.is_known(author, sequence)
            }
            UnverifiedPacket::Control { sender, counter } => {
                let is_replayed = mesh.is_replayed(now.moment, sender, counter, path);
                // A verified sender at its own address has the whole rate of its address.
                let is_stranger = !mesh.accepts_entries_from(sender, datagram.from);
                let group = AddressGroup::of_peer(datagram.from.ip());
                is_over_budget = !is_replayed && is_stranger && !budget.allow(now.moment, group);
                is_replayed || is_over_budget
            }
        };
        let opened = open(&datagram.bytes, &self.room, self.me.id, is_dropped);
        if is_over_budget {
            return self.drop_counters.count("too many of strangers");
        }
        match opened {
            Ok((packet, size)) => {
                let from = datagram.from;
                if datagram.is_shared && path.is_none() {
                    self.sockets.note_caller(now.moment, from);
                }
                self.mesh.handle_input(now, Input::Received { from, path, size, packet });
            }
            Err(dropped) => {
                self.drop_counters.count_dropped(dropped);
                if dropped == DropReason::OtherRoom {
                    self.report_other_room(now);
                }
            }
        }
    }

    /// If this peer has joined its room and is the only member, tells the user once that there are
    /// peers in another room. The room name or passphrase may be mistyped.
    fn report_other_room(&mut self, now: Now) {
        let is_alone = || self.mesh.report(now).len() == 1;
        if self.has_joined && !self.has_reported_other_room && is_alone() {
            self.has_reported_other_room = true;
            let text = text!("peer-other-room").into();
            self.show(&Event::Problem { code: 0, text });
        }
    }

    /// Passes the resolved addresses of the hosts to the mesh engine. Shows failed lookups to the
    /// user, each at most once a minute.
    pub(super) fn handle_resolved_hosts(&mut self, found: ResolvedHosts) {
        for text in found.errors {
            self.show_problem_limited(text);
        }
        self.host_addresses.clone_from(&found.addresses);
        self.input(Input::Hosts(found.addresses));
    }

    /// Scans the network interfaces and joins the multicast groups on them. Tells the user of
    /// groups that cannot be joined. Passes changed own addresses to the mesh engine. Tells the
    /// user if an interface that the user has named is missing since this scan, or has come back.
    /// If none are named, tells the user if the whole network has. If the scan fails, tells the
    /// user at most once a minute, and the previous interfaces stay in use. Forgets expired callers
    /// in any case.
    pub(super) fn scan_interfaces(&mut self) {
        self.scanned_at = self.clock.now();
        self.sockets.expire_callers(self.scanned_at);
        let (found, addresses) = match interfaces::scan(&self.selected_interfaces) {
            Ok(found) => found,
            Err(error) => {
                let reason = io_error_text(&error);
                return self.show_problem_limited(text!("peer-no-networks", reason = reason));
            }
        };
        self.pass_own_addresses(addresses);
        let missing_interfaces: BTreeSet<String> = self
            .selected_interfaces
            .iter()
            .filter(|it| !found.get(*it).is_some_and(|it| it.is_running))
            .cloned()
            .collect();
        for name in missing_interfaces.difference(&self.missing_interfaces.clone()) {
            let text = text!("peer-interface-missing", interface = name);
            self.show(&Event::Problem { code: 0, text: text.into() });
        }
        for name in self.missing_interfaces.clone().difference(&missing_interfaces) {
            let text = text!("peer-interface-up", interface = name);
            self.show(&Event::Done { tag: RequestTag::default(), text: text.into() });
        }
        let is_offline = !found.values().any(|it| it.is_running);
        if is_offline && !self.is_offline && self.selected_interfaces.is_empty() {
            let text = text!("peer-offline");
            self.show(&Event::Problem { code: 0, text: text.into() });
        }
        if self.is_offline && !is_offline && self.selected_interfaces.is_empty() {
            let text = text!("peer-online");
            self.show(&Event::Done { tag: RequestTag::default(), text: text.into() });
        }
        (self.missing_interfaces, self.is_offline) = (missing_interfaces, is_offline);
        let failed = self.sockets.set_interfaces(found);
        self.report_failed_joins(&failed);
    }

    /// Tells the user of multicast groups that could not be joined. Reports each group and
    /// interface once while the failure lasts. Interfaces with the same reason share a line.
    fn report_failed_joins(&mut self, failed: &[FailedJoin]) {
        for text in failed_join_texts(&self.failed_joins, failed) {
            self.show(&Event::Problem { code: 0, text: text.into() });
        }
        self.failed_joins = failed.iter().map(|it| (it.path, it.interface.clone())).collect();
    }

    /// Passes the addresses of this machine to the mesh engine if they have changed.
    fn pass_own_addresses(&mut self, addresses: BTreeSet<IpAddr>) {
        if addresses != self.own_addresses {
            self.input(Input::OwnAddresses(addresses.iter().copied().collect()));
            self.own_addresses = addresses;
        }
    }

    /// Tells the user of each socket that could not be opened, and what that means.
    pub(super) fn report_unusable_sockets(&mut self, port: u16, failed: &[UnusableSocket]) {
        for socket in failed {
            let text = unusable_socket_text(port, socket);
            self.show(&Event::Problem { code: 0, text: text.into() });
        }
    }
}
