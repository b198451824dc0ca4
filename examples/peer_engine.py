"""Engine of a pi-chat peer: the UDP protocol without sockets and clocks, written from docs/protocol/udp.md alone.

A driver hands a `Peer` datagrams, texts and the time, in seconds of a clock that never goes back. `wake` returns
what to send, what has happened, and when to call it again. So the engine can be tested in virtual time
(test_chat_peer.py). chat_peer.py is the driver. Sections in comments are those of udp.md.

The idea: the room is a set of logs, one for each author, and every peer holds a copy (`AuthorLog`). What it knows
of another peer is a `RemotePeer`. Both are in peer_state.py. Each kind of packet has a method `_on_KIND`.
"""
import heapq
import ipaddress
import random
from collections import Counter, deque

import peer_codec as codec
from peer_codec import Dropped, Identity, check_name, name_key
from peer_state import (BROADCAST, GROUP4, MAX_WAITING_ENTRIES, NEVER, PATHS, AuthorLog, Entry, HistoryRequest,
                        RemotePeer, TokenBucket, may_share_address, next_page, numbered_name, pack_address, to_ranges)

ANNOUNCE_TIMES = (0, 0.25, 0.5, 1.0, 1.5)  # seconds after the start (section 17)
JOIN_WINDOW = 2.0  # seconds from the first announce until a candidate may be in (section 17)
ASKING_FLAG = 1  # flag of `agree`: the peer is asking its user, or waits for a rival (section 15)
ASKING_TIMEOUT = 12.0  # seconds that a candidate waits for such a user (section 17)
LAMPORT_RATE = 65536  # increase of the Lamport counter that others may cause in a second (section 9)
MAX_ROOM_CLOCK = 1 << 47  # milliseconds (section 13)
MAX_KEPT_ENTRIES = 2000  # entries of all authors that are kept for others (section 10)

# Packets that a peer acts on although their sender is not verified (section 11, rule 5).
ALLOWED_UNVERIFIED = {"ping", "pong", "announce", "agree", "object"}

# Packets that a candidate acts on (section 16).
ALLOWED_ANNOUNCING = {"announce", "agree", "object", "heartbeat", "ping", "pong", "bye"}


class Peer:
    """A member of a room, or a candidate for it.

    An address is a tuple (host, port, …); a destination is a path or an address.
    """

    def __init__(self, name, room, identity=None, unix_ms=0, paths=GROUP4 | BROADCAST, hosts=(), rng=None):
        """*unix_ms*: time of day, in milliseconds, when the clock is 0. *hosts*: addresses beyond the network."""
        self.name = self.wanted_name = name
        self.room = room
        self.identity = identity or Identity()
        self.id = self.identity.id
        self.random = rng or random.SystemRandom()
        self.unix_ms = unix_ms
        self.paths = [path for path in PATHS if path & paths]
        self.hosts = list(hosts)
        self.state, self.now = "new", 0.0  # state of section 16; the time handed in last
        self.counter = 0  # of the last datagram sent

        # Joining (section 7).
        self.nonce = self._random_bytes8()
        self.clock_zero_ms = 0  # room clock = `now` in milliseconds - clock_zero_ms
        self.since = 0  # room clock when this peer came in
        self.agreements = {}  # id of a voter -> Lamport counter in its `agree`
        self.asking_until = {}  # id of a voter that has not decided -> when to stop waiting
        self.vote_counters = {}  # id of a voter -> counter of its latest `agree`
        self.unproven_votes = {}  # id of a voter whose address is not proven -> its latest `agree`, and from where
        self.rival_ahead = None  # name of a verified rival with a smaller id
        self.unanswered_announces = Counter()  # id of a voter -> announces sent to it
        self.recent_announces = {}  # id of a candidate -> (key of the name, time)
        self.history = None  # HistoryRequest while the state is "recalling"

        # Other peers, and the logs of all authors.
        self.others = {}  # id -> RemotePeer
        self.logs = {self.id: AuthorLog()}  # id of an author -> AuthorLog
        self.kept_entries = deque()  # entries in the logs, oldest first

        # Messages and their order (section 9).
        self.lamport = 0
        self.lamport_bucket = TokenBucket(LAMPORT_RATE, LAMPORT_RATE)
        self.display_queue = []  # heap of (sort key, time until which it may wait, entry)
        self.last_shown = (0, b"", 0)  # greatest sort key shown
        self.unsent = deque()  # (text, style) of the user's messages that are not sent yet
        self.own_messages_bucket = TokenBucket(25, 20)  # section 17

        # Heartbeats and repair (section 10).
        self.heartbeat_count = 0
        self.member_cursor = self.author_cursor = 0  # where the next page goes on
        self.extra_heartbeat_at = None  # time of the heartbeat after the latest own message
        self.next_former_heartbeat_at = 0.0  # when a lonely peer writes to former members again
        self.former_addresses = deque(maxlen=16)  # verified addresses of members that have gone
        self.requested = {}  # (author, sequence) -> (when to ask again, id of the peer asked)
        self.recently_sent = {}  # sort key -> (time, id of the peer that got it, or "everybody")
        self.is_repair_scheduled = False

        # For the driver.
        self.outbox, self.events = [], []  # what the next `wake` returns
        self.timers, self._timer_number = [], 0  # heap of (time, number, action, arguments)
        self.dropped = Counter()  # step of section 14 -> datagrams dropped in it

    # ---- called by the driver -------------------------------------------------------------------------

    def start(self, now):
        """Begin to join (section 7)."""
        self.now, self.clock_zero_ms, self.state = now, now * 1000, "announcing"
        for at in ANNOUNCE_TIMES:
            self._schedule(at, self._send_announce, True)
        self._schedule(JOIN_WINDOW, self._try_to_join)
        self._schedule(0.5, self._check_peers)

    def receive(self, now, datagram, address, path):
        """Take a datagram that came from *address* by *path* (0: unicast)."""
        self.now = now
        try:
            self._receive(bytes(datagram), address, path)
        except Dropped as drop:
            self.dropped[drop.step] += 1

    def say(self, now, text, style=0):
        """Say a message. Raise ValueError if the text breaks the rule of README, section 3."""
        self.now, error = now, codec.text_error(text)
        if error:
            raise ValueError(error)
        self.unsent.append((text, style))
        self._send_own_messages()

    def leave(self, now):
        """Leave the room with two `bye` packets. Call `wake` until it returns no next time."""
        self.now = now
        self.timers.clear()
        if self.state in ("recalling", "in"):
            self._send_to_all("bye")
            self._schedule(0.1, self._send_to_all, "bye")
        self.state = "left"

    def wake(self, now):
        """Run the timers that are due.

        Return ([(datagram, destination)], [event], time of the next call or None). An event is a dict with `type`
        message, in, here, gone, renamed, missing or rejected.
        """
        self.now, late = now, now - self.timers[0][0] if self.timers else 0
        for other in self.others.values() if late >= 3 else ():  # the machine slept (section 11, rule 15)
            other.heard_at += late
            other.heard_by_any_at += late
            other.listed_at += late
        while self.timers and self.timers[0][0] <= now:
            _, _, action, arguments = heapq.heappop(self.timers)
            action(*arguments)
        sends, events, self.outbox, self.events = self.outbox, self.events, [], []
        return sends, events, self.timers[0][0] if self.timers else None

    def members(self):
        """Return the other members of the room."""
        return [o for o in self.others.values() if o.is_member]

    # ---- helpers --------------------------------------------------------------------------------------

    def _random_bytes8(self):
        """Return 8 random bytes: a nonce or a cookie."""
        return self.random.getrandbits(64).to_bytes(8, "big")

    def _schedule(self, delay, action, *arguments):
        """Run an action after *delay* seconds."""
        self._timer_number += 1
        heapq.heappush(self.timers, (self.now + delay, self._timer_number, action, arguments))

    def _emit(self, kind, **fields):
        """Append an event for the user."""
        self.events.append({"type": kind, **fields})

    def _room_clock(self):
        """Return this peer's room clock in milliseconds (section 2)."""
        return min(MAX_ROOM_CLOCK, max(0, int(self.now * 1000 - self.clock_zero_ms)))

    def _unix_time(self):
        """Return the time of day in milliseconds."""
        return max(0, int(self.unix_ms + self.now * 1000))

    def _heartbeat_interval(self):
        """Return I(n) of section 2, in seconds."""
        return max(2.0, (len(self.members()) + 1) * 0.04)

    def _gone_timeout(self):
        """Return G(n) of section 2, in seconds."""
        return max(10.0, 2.5 * self._heartbeat_interval())

    def _seniority(self, other):
        """Return (since, id) of another peer, by this peer's room clock (section 13, rule 3).

        A peer whose room clock is behind will add the jump to its since when it takes the greater clock over.
        """
        behind = int(self._room_clock() - other.stated_clock[0] - (self.now - other.stated_clock[1]) * 1000)
        return other.since + (behind if behind > 1000 and self.state != "announcing" else 0), other.id

    def _is_among_most_senior(self):
        """Return True if this peer is one of the 8 most senior members (section 2)."""
        mine = (self.since, self.id)
        return sum(self._seniority(o) < mine for o in self.members()) < 8

    def _is_verified(self, other):
        """Return True if the other peer is verified: directly, or by the page of another peer (section 11)."""
        return not other.is_gone and (other.is_verified_directly or self.now - other.listed_at < self._gone_timeout())

    # ---- sending (sections 3, 6 and 12) ----------------------------------------------------------------

    def _next_header(self):
        """Return the header of the next datagram, with the next counter."""
        self.counter += 1
        return self.room.header(self.id, self.counter)

    def _send(self, destinations, kind, **value):
        """Send one control packet to several destinations."""
        header = self._next_header()
        body = self.identity.sign_body(kind, value, self.room.signing_prefix(kind, header))
        self.outbox += [(self.room.seal(header, body), d) for d in destinations]

    def _send_entry(self, destinations, entry):
        """Send an entry, as its author has signed it, to several destinations."""
        header = self._next_header()
        self.outbox += [(self.room.seal(header, entry.body), d) for d in destinations]

    def _all_paths(self):
        """Return all destinations of "by all paths": the paths, and named hosts at which no member is known."""
        known = {a[0] for o in self.members() for a in o.addresses}
        return self.paths + [host for host in self.hosts if host[0] not in known]

    def _usual_destinations(self):
        """Return the fewest destinations that reach all members, as far as known (section 12, rules 7 to 11)."""
        left = [o for o in self.others.values() if o.is_member or o.verified_addresses and self._is_verified(o)]
        chosen = [] if left else self._all_paths()
        while left:
            reach = {w: [o for o in left if o.reachable_by & w] for w in self.paths}
            path = max(reach, key=lambda w: len(reach[w]), default=None)
            if path is None or len(reach[path]) < 2 and all(o.verified_addresses for o in reach[path]):
                return chosen + [o.best_address() for o in left if o.address]
            chosen.append(path)
            left = [o for o in left if o not in reach[path]]
        return chosen

    def _send_to_all(self, kind, **value):
        """Send a control packet to all members."""
        self._send(self._usual_destinations(), kind, **value)

    def _heard_paths(self, other):
        """Return the set of paths by which this peer hears the other one (section 12, rules 1 and 2)."""
        if other.known_since is None or self.now - other.known_since < 2:
            return GROUP4
        return sum(path for path, at in other.heard_by.items() if self.now - at <= 12 * self._heartbeat_interval())

    @staticmethod
    def _note_heard(other, heard):
        """Note the set of paths by which the other peer hears this one; the later packet counts (section 12, rule
        5).
        """
        if other.last_counter >= other.reachable_by_counter:
            other.reachable_by, other.reachable_by_counter = heard, other.last_counter

    def _paths_to_tell(self, other):
        """Return `_heard_paths` for a packet to the other peer, and note what it is told."""
        heard = self._heard_paths(other)
        other.last_told_path = heard & -heard  # the lowest bit is the preferred path (section 12)
        return heard

    def _new_cookie(self, other, address):
        """Make a cookie for this peer at this address."""
        cookie = self._random_bytes8()
        other.cookies.append((cookie, address, self.now, other.last_told_path))
        return cookie

    def _send_ping(self, other, address):
        """Send a `ping` to this address: ask for a proof of life, and tell by which paths the peer is heard."""
        other.last_ping_at, heard = self.now, self._paths_to_tell(other)
        self._send([address], "ping", cookie=self._new_cookie(other, address), heard=heard)

    # ---- receiving (section 14) ------------------------------------------------------------------------

    def _receive(self, datagram, address, path):
        """Handle a datagram by the steps of section 14; raise Dropped."""
        if self.state in ("new", "rejected", "left"):
            return
        packet = codec.read_packet(self.room, self.id, datagram)  # steps 1 to 7
        if packet.kind == "entry":
            return self._receive_entry(packet, address)
        other = self.others.get(packet.sender) or RemotePeer(packet.sender)
        if packet.signer != packet.sender:
            raise Dropped(9, "the id is not that of the key")
        is_new = other.replay_window.is_new(packet.counter)
        is_latest = packet.counter == other.replay_window.greatest
        is_copy = is_latest and path and self.now - other.heard_by.get(path, NEVER) > 1
        if not is_new and not is_copy:
            raise Dropped(9, "counter")
        if not packet.has_valid_signature(self.room):
            raise Dropped(9, "signature")
        if is_copy:
            other.heard_by[path] = self.now  # a copy counts for this and nothing else (section 12)
            raise Dropped(9, "a copy")
        self._record_sender(other, packet, address, path)
        learns = self.state == "announcing" and packet.kind == "heartbeat"
        if not self._is_verified(other) and packet.kind not in ALLOWED_UNVERIFIED and not learns:
            raise Dropped(10, "not verified")
        if not other.token_bucket.take(self.now):
            raise Dropped(11, "too much")
        if self.state == "announcing" and packet.kind not in ALLOWED_ANNOUNCING:
            raise Dropped(12, "not in this state")
        if packet.kind == "peers" and path:
            raise Dropped(12, "by the group")
        getattr(self, "_on_" + packet.kind)(other, packet.value, address)

    def _record_sender(self, other, packet, address, path):
        """Note counter, time, path and address of the sender; begin to verify a peer that is not verified."""
        other.replay_window.add(packet.counter)
        if other.id not in self.others:
            if sum(not self._is_verified(o) for o in self.others.values()) >= 256:
                raise Dropped(11, "too many strangers")
            self.others[other.id] = other
        other.key, other.address, other.last_counter, other.unanswered_pings = packet.key, address, packet.counter, 0
        other.heard_at = other.heard_by_any_at = self.now
        other.addresses.add(address)
        if path:
            other.heard_by[path] = self.now
        if other.is_gone or other.first_heard_at is None:
            other.is_gone, other.unverified_since, other.first_heard_at = False, None, self.now
        stranger = not self._is_verified(other) and other.unverified_since is None
        if stranger and packet.kind != "announce" and self.state != "announcing":
            other.unverified_since = self.now
            self._schedule(self.random.uniform(0, self._heartbeat_interval()), self._ping_until_verified, other)

    def _ping_until_verified(self, other):
        """Ping a peer each second until it is verified; give up after 30 s."""
        if self._is_verified(other) or other.unverified_since is None:
            return
        if self.now - other.unverified_since > 30:
            other.unverified_since = None
        else:
            self._send_ping(other, other.address)
            self._schedule(1.0, self._ping_until_verified, other)

    def _mark_verified(self, other, address):
        """Note that the other peer is alive, and can be reached at this address."""
        other.is_verified_directly = True
        if other.known_since is None:
            other.known_since = self.now
        other.verified_addresses = [a for a in other.verified_addresses if a != address][-3:] + [address]

    # ---- joining (section 7) ---------------------------------------------------------------------------

    def _pending_voters(self):
        """Return the voters whose answers are awaited: the 8 most senior ones, and those that ask their users
        (section 7, rule 2).
        """
        heard = sorted((o for o in self.others.values() if o.since is not None and not o.is_gone), key=self._seniority)
        asking = [o for o in heard if self.now < self.asking_until.get(o.id, NEVER)]
        silent = [o for o in heard[:8] if o.id not in self.agreements and o.id not in self.asking_until]
        return asking + [o for o in silent if self.unanswered_announces[o.id] < 6]

    def _send_announce(self, by_all_paths):
        """Announce the name, by all paths or only to the voters that owe an answer."""
        if self.state != "announcing":
            return
        voters = self._pending_voters()
        self.unanswered_announces.update(o.id for o in voters)
        for other in (o for o in voters if o.id in self.unproven_votes):
            self._send_ping(other, self.unproven_votes[other.id][1])
        voters = [o for o in voters if o.id not in self.unproven_votes]
        agreed = sorted(self._seniority(self.others[i]) for i in self.agreements)[:8]
        destinations = (self._all_paths() if by_all_paths else []) + [o.address for o in voters]
        self._send(destinations, "announce", nonce=self.nonce, lowest=1, highest=1, username=self.name,
                   agreed=[i for _, i in agreed], padding=" " * 300)

    def _try_to_join(self):
        """Come in, unless an awaited answer is missing (section 7, rule 14)."""
        if self.state != "announcing":
            return
        if self.rival_ahead and not self.agreements and not self.asking_until:
            return self._reject(self.rival_ahead, 201, "Somebody else announces this name.")
        if self._pending_voters():
            self._send_announce(False)
            self._schedule(0.5, self._try_to_join)
            return
        others = [self.others[i] for i in self.agreements if not self.others[i].is_gone]
        clock = max((o.stated_clock[0] + (self.now - o.stated_clock[1]) * 1000 for o in others), default=0)
        self.lamport = min((self.agreements[o.id] for o in others), default=0)
        self.last_shown, self.clock_zero_ms = (self.lamport, b"", 0), self.now * 1000 - clock
        self.since, self.state = self._room_clock(), "recalling"
        for other in others:
            self._admit_member(other)
        self._send_regular_heartbeat()
        self.history = HistoryRequest(sorted(others, key=self._seniority))
        self._request_history()

    def _reject(self, by, code, text):
        """End the attempt to join."""
        self._emit("rejected", by=by, code=code, text=text)
        self.state = "rejected"
        self.timers.clear()

    def _on_announce(self, other, value, address):
        """Answer a candidate (section 7, rules 5 to 8 and 10)."""
        size = codec.HEADER_SIZE + codec.MIN_BODY_SIZE + len(codec.FIELDS["announce"].write(value))
        if size < codec.MIN_ANNOUNCE_SIZE:
            raise Dropped(12, "too short to be answered")
        name = check_name(value["username"])
        key = name and name_key(name)
        self.recent_announces[other.id] = (key, self.now)
        if self.state == "announcing":
            return self._handle_rival(other, value, name, address) if key == name_key(self.name) else None
        reason = self._find_objection(other, value, key)
        if reason:
            self._send_object(address, value["nonce"], name or "", *reason)
        elif self._is_among_most_senior() and self._is_rival_ahead(other, key):
            self._send_agree(other, value["nonce"], address, ASKING_FLAG)
        elif self._is_among_most_senior() and self.id not in value["agreed"]:
            self._schedule(self.random.uniform(0, 0.1), self._send_agree, other, value["nonce"], address)

    def _handle_rival(self, other, value, name, address):
        """Handle another candidate for the own name: if it is alive, the smaller id is ahead (section 7, rule 13)."""
        if not self._is_verified(other):
            self._send_ping(other, address)
        elif other.id < self.id:
            self.rival_ahead = name
        else:
            self._send_object(address, value["nonce"], name, 201, "I announce this name, too.")

    def _find_objection(self, other, value, key):
        """Return (code, text, holder of the name if it is another peer) if there is a reason to object, else None
        (section 7, rule 5).
        """
        is_senior = self._is_among_most_senior()
        if not value["lowest"] <= codec.VERSION <= value["highest"]:
            return (101, "This room speaks version 1.") if is_senior else None
        if key is None:
            return (200, "This cannot be a name: use letters, digits, - _ and .") if is_senior else None
        if key == name_key(self.name):
            return 201, "This is my name."
        if is_senior:
            for holder in self.members():
                if name_key(holder.name) == key and holder is not other and holder.key != other.key:
                    return 201, "Somebody here has this name.", holder
        return None

    def _is_rival_ahead(self, other, key):
        """Return true if a candidate with a smaller id has announced the same name (section 7, rule 10)."""
        for ident, (wanted, at) in self.recent_announces.items():
            rival = self.others.get(ident)
            if wanted != key or ident >= other.id or self.now - at > 10 or not rival:
                continue
            if self._is_verified(rival) and not rival.is_member and rival.key != other.key:
                return True
        return False

    def _send_object(self, address, nonce, name, code, text, holder=None):
        """Send an `object`; *holder* is the holder of the name if it is another peer."""
        holder_id = holder.id if holder else self.id
        since = self._seniority(holder)[0] if holder else self.since
        self._send([address], "object", nonce=nonce, code=code, by=self.name, username=name, holder=holder_id,
                   clock=self._room_clock(), since=since, text=text)

    def _send_agree(self, other, nonce, address, flags=0):
        """Send an `agree`, unless the state has changed since it was scheduled."""
        if self.state in ("recalling", "in"):
            heard = self._paths_to_tell(other)
            self._send([address], "agree", nonce=nonce, cookie=self._new_cookie(other, address), flags=flags,
                       heard=heard, clock=self._room_clock(), since=self.since, username=self.name,
                       members=len(self.members()) + 1, lamport=self.lamport, time=self._unix_time())

    def _on_agree(self, other, value, address):
        """Note an agreement, and prove the own address by a `pong` (section 7, rule 12)."""
        if value["nonce"] != self.nonce:
            raise Dropped(12, "not my nonce")
        self._send([address], "pong", cookie=value["cookie"], heard=self._paths_to_tell(other))
        if self.state != "announcing":
            return
        self._note_heard(other, value["heard"])
        self._update_statement(other, value)
        if address not in other.verified_addresses:  # the source may be forged
            self._send_ping(other, address)
        if other.last_counter < self.vote_counters.get(other.id, 0):
            return  # one that was sent later has come before it
        self.vote_counters[other.id] = other.last_counter
        if other.is_verified_directly:
            self._count_vote(other, value)
        else:
            self.unproven_votes[other.id] = value, address

    def _count_vote(self, other, value):
        """Take an `agree` of a voter that has proven an address."""
        if value["flags"] & ASKING_FLAG:
            self.asking_until.setdefault(other.id, self.now + ASKING_TIMEOUT)
            self.agreements.pop(other.id, None)
        else:
            self.asking_until.pop(other.id, None)
            self.agreements[other.id] = value["lamport"]

    def _on_object(self, other, value, address):
        """Handle a rejection as a candidate; as a member, an objection to the own name (section 13, rule 7)."""
        if self.state == "announcing":
            if value["nonce"] != self.nonce:
                raise Dropped(12, "not my nonce")
            self._reject(value["by"], value["code"], value["text"])
        elif value["nonce"] in (self.nonce, codec.NO_NONCE) and value["code"] == 201 and self._is_verified(other):
            holder = self.others.get(value["holder"])
            if holder and self._is_verified(holder) and name_key(value["username"]) == name_key(self.name):
                self._resolve_name_conflict(value["clock"], (value["since"], holder.id))

    # ---- the newcomer's history (section 8) ------------------------------------------------------------

    def _request_history(self):
        """Request the current page from the current source, three times; then go on with the next source (section
        8, rule 3).
        """
        history = self.history
        if history.attempts == 3:
            history.sources, history.attempts, history.page, history.pages = history.sources[1:], 0, 0, {}
        if not history.sources:
            return self._finish_history()
        history.attempts += 1
        self._send([history.sources[0].best_address()], "recall", nonce=self.nonce, page=history.page)
        self._schedule(0.4, self._retry_history, history.page, history.attempts)

    def _retry_history(self, page, attempts):
        """Request the page again if no answer has come."""
        if self.history and (self.history.page, self.history.attempts) == (page, attempts):
            self._request_history()

    def _on_recall(self, other, value, address):
        """Answer a newcomer: the newest entries, and a page of marks (section 8, rule 2)."""
        if value["nonce"] == codec.NO_NONCE:
            raise Dropped(12, "nobody's nonce")
        if address not in other.verified_addresses:
            return self._send_ping(other, address)
        page, marks, newest = value["page"], sorted((a, log.have) for a, log in self.logs.items()), []
        if page == 0:
            whole = (e for log in self.logs.values() for e in log.entries.values() if e.sequence <= log.have)
            newest = heapq.nlargest(10, whole, key=lambda e: e.sort_key)[::-1]
        for entry in newest:
            self._send_entry([address], entry)
        self._send([address], "recent", nonce=value["nonce"], page=page, pages=max(1, -(-len(marks) // 60)),
                   entries=[{"author": e.author, "sequence": e.sequence} for e in newest],
                   marks=[{"author": a, "have": have} for a, have in marks[60 * page:60 * page + 60]])

    def _on_recent(self, other, value, address):
        """Take a page of the history; request the next one, or the entries that are missing."""
        history = self.history
        if not history or other is not history.sources[0]:
            raise Dropped(12, "not asked for")
        if (value["nonce"], value["page"]) != (self.nonce, history.page):
            raise Dropped(12, "not asked for")
        history.pages[history.page] = value
        if history.page + 1 < value["pages"]:
            history.page, history.attempts = history.page + 1, 0
            self._request_history()
        else:
            history.page = None
            self._request_missing_history(6)

    def _request_missing_history(self, attempts):
        """Request the entries that `recent` names and that have not come (section 8, rule 5)."""
        named = [(e["author"], e["sequence"]) for e in self.history.pages[0]["entries"]]
        lacking = [name for name in named if name not in self.history.early_entries]
        if not lacking or attempts == 0:
            return self._finish_history()
        self._send([self.history.sources[0].best_address()], "want", ranges=to_ranges(lacking))
        self._schedule(0.4, self._request_missing_history, attempts - 1)

    def _finish_history(self):
        """Set the floors, show the history, and take the entries that came meanwhile (section 8, rules 6 to 8)."""
        pages, early_entries, sources = self.history.pages, self.history.early_entries, self.history.sources
        self.history, self.state = None, "in"
        for mark in (m for page in pages.values() for m in page["marks"]):
            if mark["author"] != self.id:
                log = self.logs.setdefault(mark["author"], AuthorLog())
                log.floor = log.have = mark["have"]
        self._emit("in", name=self.name, history_from=sources[0].name if sources else None)
        for named in pages[0]["entries"] if pages else []:
            entry, log = early_entries.pop((named["author"], named["sequence"]), None), self.logs.get(named["author"])
            if entry and log and entry.sequence <= log.floor:
                self._store_entry(entry)
                self._raise_lamport(entry.lamport)
                self._show_entry(entry, history=True)
        for entry in early_entries.values():
            self._accept_entry(entry)
        self._schedule_repair()
        self._send_own_messages()

    # ---- messages and their order (section 9) ----------------------------------------------------------

    def _send_own_messages(self):
        """Send what the user has said, as fast as the rate limit allows."""
        while self.unsent and self.state == "in":
            if not self.own_messages_bucket.take(self.now):
                self._schedule(0.04, self._send_own_messages)
                return
            text, style = self.unsent.popleft()
            value = {"sequence": self.logs[self.id].have + 1, "lamport": self.lamport + 1, "time": self._unix_time(),
                     "username": self.name, "style": style, "text": text}
            entry = Entry(self.id, codec.make_entry(self.identity, self.room, value), value)
            self._send_entry(self._usual_destinations(), entry)
            self._accept_entry(entry)
            self.extra_heartbeat_at = self.now + 0.3
            self._schedule(0.3, self._send_extra_heartbeat, self.extra_heartbeat_at)

    def _receive_entry(self, packet, address):
        """Handle an entry: step 8 of section 14, and rule 3 of section 9."""
        if self.state == "announcing":
            raise Dropped(12, "not in this state")
        name, log = (packet.signer, packet.value["sequence"]), self.logs.get(packet.signer)
        if packet.signer == self.id or log and name[1] in log.entries:
            raise Dropped(8, "mine, or there already")
        sender, author = self.others.get(packet.sender), self.others.get(packet.signer)
        if not sender or not self._is_verified(sender) or address not in sender.addresses:
            raise Dropped(8, "not from a verified peer")
        asked = name in self.requested or self.history and sender in self.history.sources[:1]
        if not asked and (not (author and author.is_member) or log and name[1] <= log.have and self.state == "in"):
            raise Dropped(8, "neither a member's nor asked for")
        if not packet.has_valid_signature(self.room):
            raise Dropped(8, "signature")
        if not asked and not self.logs.setdefault(packet.signer, AuthorLog()).token_bucket.take(self.now):
            raise Dropped(11, "too much")
        entry = Entry(packet.signer, packet.body, packet.value)
        if not self.history:
            self._accept_entry(entry)
        elif len(self.history.early_entries) < MAX_KEPT_ENTRIES:
            self.history.early_entries[name] = entry

    def _raise_lamport(self, lamport):
        """Take over a greater Lamport counter. Return False if it is too much greater (section 9, rule 7)."""
        rise = lamport - self.lamport
        if rise > 0 and not self.lamport_bucket.take(self.now, rise):
            return False
        self.lamport = max(self.lamport, lamport)
        return True

    def _accept_entry(self, entry):
        """Put an entry into its log, and queue for display what has no gap before it any more."""
        log = self.logs.setdefault(entry.author, AuthorLog())
        if not log.have < entry.sequence <= log.have + MAX_WAITING_ENTRIES or entry.sequence in log.entries:
            return
        if not self._raise_lamport(entry.lamport):
            return
        self._store_entry(entry)
        self.requested.pop((entry.author, entry.sequence), None)
        self._advance_log(log)
        if log.have < entry.sequence:  # an earlier one is missing
            log.claims[entry.author] = max(log.claims.get(entry.author, 0), entry.sequence)
            self._schedule_repair()

    def _store_entry(self, entry):
        """Keep an entry for other peers; the oldest one goes if there are too many."""
        self.logs[entry.author].entries[entry.sequence] = entry
        self.kept_entries.append(entry)
        if len(self.kept_entries) > MAX_KEPT_ENTRIES:
            old = self.kept_entries.popleft()
            self.logs[old.author].entries.pop(old.sequence, None)

    def _advance_log(self, log):
        """Queue for display the entries that now follow without a gap."""
        while log.have + 1 in log.entries:
            before, entry = log.entries.get(log.have), log.entries[log.have + 1]
            log.have += 1
            log.lost_by.pop(log.have, None)
            log.missing_since.pop(log.have, None)
            if not before or entry.lamport > before.lamport:  # others are not shown (section 9, rule 4)
                heapq.heappush(self.display_queue, (entry.sort_key, self.now + 0.5, entry))
        self._show_ready()

    def _show_ready(self):
        """Show queued entries in order; wait up to 500 ms where a Lamport counter is missing (section 9, rule 6).
        """
        while self.display_queue and self.state == "in":
            order, until, entry = self.display_queue[0]
            if order[0] > self.last_shown[0] + 1 and self.now < until:
                self._schedule(until - self.now, self._show_ready)
                return
            heapq.heappop(self.display_queue)
            self._show_entry(entry, late=order < self.last_shown)

    def _show_entry(self, entry, history=False, late=False):
        """Emit an entry as a message."""
        value, self.last_shown = entry.value, max(self.last_shown, entry.sort_key)
        self._emit("message", name=value["username"], author=entry.author, sequence=entry.sequence, time=value["time"],
                    text=value["text"], style=value["style"], history=history, late=late)

    # ---- heartbeats (section 10) -----------------------------------------------------------------------

    def _send_regular_heartbeat(self):
        """Send the periodic heartbeat, and schedule the next one."""
        destinations = self._usual_destinations()
        if self.heartbeat_count % 5 == 0 or not self.members():
            destinations = self._all_paths()
        if not self.members() and self.now >= self.next_former_heartbeat_at:
            self.next_former_heartbeat_at, destinations = self.now + 10, destinations + list(self.former_addresses)
        self.heartbeat_count += 1
        self._send_heartbeat(destinations)
        self._schedule(self._heartbeat_interval() * self.random.uniform(0.9, 1.1), self._send_regular_heartbeat)

    def _send_heartbeat(self, destinations):
        """Send a heartbeat; it replaces a scheduled extra one."""
        self.extra_heartbeat_at = None
        self._send(destinations, "heartbeat", clock=self._room_clock(), since=self.since, username=self.name,
                   time=self._unix_time(), members=len(self.members()) + 1, sequence=self.logs[self.id].have,
                   page=self._next_heartbeat_page())

    def _send_extra_heartbeat(self, due):
        """Send the heartbeat after an own message, unless another one has replaced it (section 10, rule 2)."""
        if self.extra_heartbeat_at == due:
            self._send_heartbeat(self._usual_destinations())

    def _next_heartbeat_page(self):
        """Return the next page of what is known of others: at most 60 items, of which 45 are kept for members
        (section 10, rule 5).
        """
        members = sorted(o.id for o in self.members())
        authors = sorted(a for a, log in self.logs.items() if a != self.id and a not in members)
        part, self.member_cursor = next_page(members, self.member_cursor, max(45, 60 - len(authors)))
        rest, self.author_cursor = next_page(authors, self.author_cursor, 60 - len(part))
        have = {author: log.have for author, log in self.logs.items()}
        return [{"author": a, "have": have.get(a, 0), "ago": self._ago(a)} for a in part + rest]

    def _ago(self, ident):
        """Return `ago` of a page item: half seconds since the peer was heard directly; 254: a member that only
        others hear; 255: no member.
        """
        other = self.others.get(ident)
        if not other or not other.is_member:
            return 255
        return int(min(254, (self.now - other.heard_at) * 2))

    def _on_heartbeat(self, other, value, address):
        """Learn from a heartbeat: name, room clock, and what its sender has."""
        self._update_statement(other, value)
        if self.state == "announcing":
            return
        self._adopt_clock(other.stated_clock[0])
        self._admit_member(other)
        self._check_name_conflicts(other)
        self._note_claim(other, other.id, value["sequence"])
        for item in value["page"]:
            self._handle_page_item(other, **item)
        self._schedule_repair()

    def _update_statement(self, other, value):
        """Note name, room clock and since from a `heartbeat` or an `agree`."""
        clock, name = min(value["clock"], MAX_ROOM_CLOCK), value["username"]
        other.stated_clock, other.since = (clock, self.now), min(value["since"], clock)
        if other.is_member and other.name != name:
            self._emit("renamed", old=other.name, new=name)
        other.name = name

    def _admit_member(self, other):
        """Make a verified peer a member; a former run of the same program is gone (section 13, rule 9)."""
        if other.is_member or not self._is_verified(other):
            return
        other.is_member = True
        self._emit("here", name=other.name)
        for former in self.members():
            same = former.key == other.key and name_key(former.name) == name_key(other.name)
            if same and former is not other and former.heard_at < other.first_heard_at:
                self._mark_gone(former)

    def _handle_page_item(self, lister, author, have, ago):
        """Learn from an item of a verified peer's page."""
        if author == self.id:
            return
        self._note_claim(lister, author, have)
        other = self.others.get(author)
        if ago == 255 or other and other.is_gone or not other and len(self.others) >= 1024:
            return
        other = self.others.setdefault(author, other or RemotePeer(author))
        other.listed_at, other.listed_by = self.now, lister
        other.listed_since = self.now if other.listed_since is None else other.listed_since
        other.known_since = self.now if other.known_since is None else other.known_since
        if ago < 254:
            other.heard_by_any_at = max(other.heard_by_any_at, self.now - ago / 2)

    def _note_claim(self, lister, author, have):
        """Note that a peer claims to have this author's entries up to *have*."""
        log = self.logs.get(author)
        if log is None and have and len(self.logs) < 1024:
            if sum(known.introduced_by == lister.id for known in self.logs.values()) < 128:  # section 17
                log = self.logs[author] = AuthorLog()
                log.introduced_by = lister.id
        if log and have:
            log.claims[lister.id] = max(have, log.claims.get(lister.id, 0))

    def _adopt_clock(self, stated):
        """Take over a greater room clock; after a jump, the time in the room stays what it was (section 13, rule
        1).
        """
        jump = stated - self._room_clock()
        if jump > 0:
            self.clock_zero_ms -= jump
            self.since += jump if jump > 1000 else 0

    # ---- repair (section 10) ---------------------------------------------------------------------------

    def _schedule_repair(self, earliest=0.03, latest=0.15):
        """Schedule a repair after a random time, if there are gaps and none is scheduled."""
        if self.state == "in" and not self.is_repair_scheduled and next(self._gaps(), None):
            self.is_repair_scheduled = True
            self._schedule(self.random.uniform(earliest, latest), self._repair)

    def _gaps(self):
        """Yield (author, log, sequence) of each entry that exists and is missing here."""
        for author, log in self.logs.items():
            top = min(max(log.claims.values(), default=0), log.have + MAX_WAITING_ENTRIES)
            for sequence in range(log.have + 1, top + 1) if author != self.id else ():
                if sequence not in log.entries:
                    yield author, log, sequence

    def _repair(self):
        """Request missing entries, and give up those that no peer has."""
        self.is_repair_scheduled, wants = False, {}
        for author, log, sequence in list(self._gaps()):
            log.missing_since.setdefault(sequence, self.now)
            due, last = self.requested.get((author, sequence), (0, None))
            holder = self._choose_holder(author, log, sequence, last) if self.now >= due else None
            wanted = wants.setdefault(holder, []) if holder else []
            if holder and len(wanted) < 64:
                wanted.append((author, sequence))
                self.requested[author, sequence] = (self.now + self.random.uniform(0.4, 0.6), holder.id)
            elif sequence == log.have + 1 and self._is_lost_everywhere(log, sequence):
                log.floor = log.have = sequence
                self.requested.pop((author, sequence), None)
                self._emit("missing", author=author, sequence=sequence)
                self._advance_log(log)
        for holder, wanted in wants.items():
            self._send([holder.best_address()], "want", ranges=to_ranges(wanted)[:32])
        self._schedule_repair(0.1, 0.2)

    def _choose_holder(self, author, log, sequence, last):
        """Choose a peer to ask: first the author if it is heard, then another peer that has the entry (section 10,
        rules 7 and 8).
        """
        holders = [self.others[i] for i, have in log.claims.items() if have >= sequence and i in self.others]
        holders = [o for o in holders if o.is_member and o.best_address() and o.id not in log.lost_by.get(sequence, ())]
        direct = [o for o in holders if o.id == author and self.now - o.heard_at < self._gone_timeout() / 2]
        if direct and last is None:
            return direct[0]
        return self.random.choice([o for o in holders if o.id != last] or holders) if holders else None

    def _is_lost_everywhere(self, log, sequence):
        """Return True if all members that claimed the entry have answered `lost`, for 10 s (section 10, rule 15).
        """
        believed = {o.id for o in self.members() if log.claims.get(o.id, 0) >= sequence}
        return believed <= log.lost_by.get(sequence, set()) and self.now - log.missing_since[sequence] >= 10

    def _on_want(self, other, value, address):
        """Answer a request for entries (section 10, rules 10 to 12)."""
        if address not in other.verified_addresses:
            return self._send_ping(other, address)
        lost = []
        for r in value["ranges"]:
            for sequence in range(r["first"], r["last"] + 1):
                entry = self.logs[r["author"]].entries.get(sequence) if r["author"] in self.logs else None
                if entry:
                    self._answer_want(other, entry, address)
                else:
                    lost.append((r["author"], sequence))
        for i in range(0, len(to_ranges(lost)), 32):
            self._send([address], "lost", ranges=to_ranges(lost)[i:i + 32])

    def _answer_want(self, other, entry, address):
        """Send an entry to the peer that asks; to all if another one asked within 500 ms; after that to none for
        500 ms.
        """
        at, asker = self.recently_sent.get(entry.sort_key, (NEVER, None))
        recent = self.now - at < 0.5
        if recent and asker == "everybody":
            return
        shared = recent and asker != other.id
        self._send_entry(self._usual_destinations() if shared else [address], entry)
        self.recently_sent[entry.sort_key] = (self.now, "everybody" if shared else other.id)

    def _on_lost(self, other, value, address):
        """Note that a peer lacks entries that were requested from it."""
        for r in value["ranges"]:
            for sequence in range(r["first"], r["last"] + 1):
                if self.requested.get((r["author"], sequence), (0, None))[1] == other.id:
                    self.logs[r["author"]].lost_by.setdefault(sequence, set()).add(other.id)
                    self.requested[r["author"], sequence] = (self.now, other.id)

    # ---- membership (section 11) ---------------------------------------------------------------------

    def _check_peers(self):
        """Twice a second: find members that are silent or gone, tell peers their paths, ask for addresses, and
        forget what is old.
        """
        gone_timeout = self._gone_timeout()
        for other in list(self.others.values()):
            if other.is_member and self.now - other.heard_by_any_at > gone_timeout:
                self._mark_gone(other)
            elif other.is_member and other.address:
                silent = self.now - other.heard_by_any_at > gone_timeout / 2 or self.now - other.heard_at > gone_timeout
                if silent and self.now - other.last_ping_at >= min(30, 2 ** max(0, other.unanswered_pings - 9)):
                    other.unanswered_pings += 1
                    self._send_ping(other, other.best_address())
            if not self._is_verified(other):
                if self.now - max(other.heard_at, other.listed_at) > (600 if other.is_gone else 30):
                    del self.others[other.id]
            elif self.state != "announcing":
                self._tell_preferred_path(other)
                self._ask_where(other)
        self.requested = {k: v for k, v in self.requested.items() if self.now - v[0] < 30}
        self.recently_sent = {k: v for k, v in self.recently_sent.items() if self.now - v[0] < 0.5}
        self.recent_announces = {k: v for k, v in self.recent_announces.items() if self.now - v[1] <= 10}
        self._schedule_repair()
        self._schedule(0.5, self._check_peers)

    def _mark_gone(self, other):
        """Make a member gone. It has to be verified again when it comes back."""
        self.former_addresses += other.verified_addresses[-1:]
        other.is_member = other.is_verified_directly = False
        other.is_gone, other.verified_addresses, other.listed_at, other.known_since = True, [], NEVER, None
        other.reachable_by = other.last_told_path = other.confirmed_path = GROUP4
        other.cookies.clear()
        self._emit("gone", name=other.name)

    def _tell_preferred_path(self, other):
        """Ping a peer that does not know by which path it is heard best (section 12, rule 3)."""
        heard = self._heard_paths(other)
        is_current = heard & -heard == other.last_told_path == other.confirmed_path
        if other.address and not is_current and self.now >= other.next_tell_at:
            other.next_tell_at = self.now + self._heartbeat_interval()
            self._send_ping(other, other.best_address())

    def _ask_where(self, other):
        """Ask for the address of a peer that was listed and never heard (section 11, rule 16)."""
        if other.heard_at > NEVER or other.listed_since is None:
            return
        if self.now - other.listed_since <= self._heartbeat_interval() + 1:
            return
        if self.now >= other.next_where_at and other.listed_by.is_member:
            other.next_where_at = self.now + other.where_interval
            other.where_interval = min(30.0, other.where_interval * 2)
            other.where_asked = (other.listed_by, self.now)
            self._send([other.listed_by.best_address()], "where", peers=[other.id])

    def _on_where(self, other, value, address):
        """Tell the addresses of members (section 11, rule 17)."""
        if address not in other.verified_addresses:
            return self._send_ping(other, address)
        known = [self.others[i] for i in value["peers"] if i in self.others]
        latest = [(o.id, a) for o in known for a in o.verified_addresses[-1:] if may_share_address(a, address)]
        found = [{"peer": ident, "address": pack_address(a), "port": a[1]} for ident, a in latest]
        if found:
            self._send([address], "peers", peers=found)

    def _on_peers(self, other, value, address):
        """Ping peers at addresses that another one has told (section 11, rule 18)."""
        for item in value["peers"]:
            there, ip = self.others.get(item["peer"]), ipaddress.IPv6Address(item["address"])
            ip = ip.ipv4_mapped or ip
            useless = ip.is_unspecified or ip.is_multicast or ip.is_link_local or str(ip).endswith("255.255.255.255")
            is_asked = there and there.where_asked[0] is other and self.now - there.where_asked[1] < 10
            if is_asked and there.heard_at == NEVER and item["port"] and not useless:
                there.where_asked = (None, NEVER)
                self._send_ping(there, (str(ip), item["port"]))

    def _on_ping(self, other, value, address):
        """Answer with a `pong`."""
        self._note_heard(other, value["heard"])
        self._send([address], "pong", cookie=value["cookie"], heard=self._paths_to_tell(other))

    def _on_pong(self, other, value, address):
        """Check the cookie; it verifies the peer, and the address that the ping went to."""
        for cookie, pinged, made, said in other.cookies:
            if cookie == value["cookie"] and self.now - made <= 120:
                self._note_heard(other, value["heard"])
                other.confirmed_path = said
                self._mark_verified(other, pinged)
                if other.id in self.unproven_votes:  # it counts from now on (section 7, rule 12)
                    self._count_vote(other, self.unproven_votes.pop(other.id)[0])
                return
        raise Dropped(12, "not my cookie")

    def _on_bye(self, other, value, address):
        """Note that a peer leaves."""
        if other.is_member:
            self._mark_gone(other)
        elif self.state == "announcing":
            other.is_gone = True

    # ---- name conflicts (section 13) ------------------------------------------------------------

    def _check_name_conflicts(self, other):
        """Resolve a name that two members hold, when one of them states it (section 13, rules 4 to 6)."""
        key, seniority, nonce = name_key(other.name), self._seniority(other), codec.NO_NONCE
        if key == name_key(self.name):
            if (self.since, self.id) < seniority:
                self._send_object(other.best_address(), nonce, self.name, 201, "I have held this name for longer.")
            else:
                self._resolve_name_conflict(other.stated_clock[0], seniority)
        elif self._is_among_most_senior():
            for holder in self.members():
                if name_key(holder.name) == key and self._seniority(holder) < seniority:
                    text = "Somebody has held this name for longer."
                    self._send_object(other.best_address(), nonce, other.name, 201, text, holder)
                    return

    def _resolve_name_conflict(self, clock, seniority):
        """Take a new name if a peer of this seniority holds the own one and is more senior (section 13, rule 5)."""
        if abs(clock - self._room_clock()) > 1000 or seniority > (self.since, self.id):
            return
        old, number = self.name, 2
        taken = {name_key(o.name) for o in self.members()} | {name_key(self.name)}
        while name_key(numbered_name(self.wanted_name, number)) in taken:
            number += 1
        self.name = numbered_name(self.wanted_name, number)
        self._emit("renamed", old=old, new=self.name)
        self._send_heartbeat(self._all_paths())
