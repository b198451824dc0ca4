"""The protocol of a pi-chat peer without sockets and clocks, written from docs/protocol/udp.md alone.

Hand a `Peer` datagrams, texts and the time (seconds of a clock that never goes back). `wake` returns what
is to be sent, what has happened, and when to wake it next. So it can be tested in virtual time
(test_chat_peer.py); chat_peer.py is the thin program around it. Numbers in comments are sections of udp.md.

The idea: the room is a set of logs, one for each author, and everybody holds a copy (`AuthorLog`). What a peer
knows of another one is an `RemotePeer`; both are in peer_state.py. Each packet has its method `_on_KIND`.
"""
import heapq
import ipaddress
import random
from collections import Counter, deque

import peer_codec as codec
from peer_codec import Dropped, Identity, check_name, name_key
from peer_state import (BROADCAST, GROUP4, MAX_WAITING_ENTRIES, NEVER, PATHS, AuthorLog, Entry, HistoryRequest,
                        RemotePeer, TokenBucket, may_share_address, next_page, numbered_name, pack_address, to_ranges)

ANNOUNCE_TIMES, JOIN_WINDOW = (0, 0.25, 0.5, 1.0, 1.5), 2.0   # (17)
ASKING_FLAG, ASKING_TIMEOUT = 1, 12.0                    # flag of an agree; how long the asking one may take
LAMPORT_RATE, MAX_ROOM_CLOCK = 65536, 1 << 47
MAX_KEPT_ENTRIES = 2000                                         # entries in all
ALLOWED_UNVERIFIED = {"ping", "pong", "announce", "agree", "object"}
ALLOWED_ANNOUNCING = {"announce", "agree", "object", "heartbeat", "ping", "pong", "bye"}


class Peer:
    """One member of one room. Addresses are tuples (host, port, …); a destination is a path or an address."""

    def __init__(self, name, room, identity=None, unix_ms=0, paths=GROUP4 | BROADCAST, hosts=(), rng=None):
        """*unix_ms*: the time of day when the clock is 0. *hosts*: addresses beyond the network."""
        self.name, self.wanted_name, self.room, self.identity = name, name, room, identity or Identity()
        self.id, self.random = self.identity.id, rng or random.SystemRandom()
        self.unix_ms, self.paths, self.hosts = unix_ms, [w for w in PATHS if w & paths], list(hosts)
        self.state, self.now, self.counter = "new", 0.0, 0
        self.nonce, self.clock_zero_ms, self.since = self._random_bytes8(), 0, 0   # room clock = `now` in ms - clock_base
        self.others, self.logs, self.recent_announces = {}, {self.id: AuthorLog()}, {}
        self.agreements, self.asking_until, self.unanswered_announces = {}, {}, Counter()
        self.lamport, self.lamport_bucket = 0, TokenBucket(LAMPORT_RATE, LAMPORT_RATE)
        self.history = None
        self.display_queue, self.last_shown, self.kept_entries = [], (0, b"", 0), deque()
        self.unsent, self.own_messages_bucket = deque(), TokenBucket(25, 20)
        self.requested, self.recently_sent, self.is_repair_scheduled = {}, {}, False
        self.heartbeat_count, self.member_cursor, self.author_cursor, self.extra_heartbeat_at = 0, 0, 0, None
        self.next_former_heartbeat_at, self.former_addresses = 0.0, deque(maxlen=16)
        self.outbox, self.events, self.timers, self.dropped, self._timer_number = [], [], [], Counter(), 0

    # ---- what the program around calls ----------------------------------------------------------------

    def start(self, now):
        """Begins to join (7)."""
        self.now, self.clock_zero_ms, self.state = now, now * 1000, "announcing"
        for at in ANNOUNCE_TIMES:
            self._schedule(at, self._send_announce, True)
        self._schedule(JOIN_WINDOW, self._try_to_join)
        self._schedule(0.5, self._check_peers)

    def receive(self, now, datagram, address, path):
        """Takes a datagram that came from *address* by *path* (0: unicast)."""
        self.now = now
        try:
            self._receive(bytes(datagram), address, path)
        except Dropped as drop:
            self.dropped[drop.step] += 1

    def say(self, now, text, style=0):
        """Says something; raises ValueError if it cannot be a message."""
        self.now, error = now, codec.text_error(text)
        if error:
            raise ValueError(error)
        self.unsent.append((text, style))
        self._send_own_messages()

    def leave(self, now):
        """Says goodbye, twice; wake() until it returns no next time."""
        self.now = now
        self.timers.clear()
        if self.state in ("recalling", "in"):
            self._send_to_all("bye")
            self._schedule(0.1, self._send_to_all, "bye")
        self.state = "left"

    def wake(self, now):
        """Does what is due. Returns ([(datagram, destination)], [event], next time or None)."""
        self.now, late = now, now - self.timers[0][0] if self.timers else 0
        for other in self.others.values() if late >= 3 else ():   # I have slept: that was not their silence
            other.heard_at += late
            other.heard_by_any_at += late
            other.listed_at += late
        while self.timers and self.timers[0][0] <= now:
            _, _, action, arguments = heapq.heappop(self.timers)
            action(*arguments)
        sends, events, self.outbox, self.events = self.outbox, self.events, [], []
        return sends, events, self.timers[0][0] if self.timers else None

    def members(self):
        """The others that are in the room."""
        return [o for o in self.others.values() if o.is_member]

    # ---- small things ---------------------------------------------------------------------------------

    def _random_bytes8(self):
        return self.random.getrandbits(64).to_bytes(8, "big")

    def _schedule(self, delay, action, *arguments):
        self._timer_number += 1
        heapq.heappush(self.timers, (self.now + delay, self._timer_number, action, arguments))

    def _emit(self, kind, **fields):
        self.events.append({"type": kind, **fields})

    def _room_clock(self):
        return min(MAX_ROOM_CLOCK, max(0, int(self.now * 1000 - self.clock_zero_ms)))

    def _unix_time(self):
        return max(0, int(self.unix_ms + self.now * 1000))

    def _heartbeat_interval(self):
        """I(n) of 10."""
        return max(2.0, (len(self.members()) + 1) * 0.04)

    def _gone_timeout(self):
        """G(n) of 11."""
        return max(10.0, 2.5 * self._heartbeat_interval())

    def _seniority(self, other):
        """(since, id) by my room clock: one whose clock is behind will add the jump to its since (13)."""
        behind = int(self._room_clock() - other.stated_clock[0] - (self.now - other.stated_clock[1]) * 1000)
        return other.since + (behind if behind > 1000 and self.state != "announcing" else 0), other.id

    def _is_among_most_senior(self):
        """Whether I am one of the 8 members of smallest seniority."""
        mine = (self.since, self.id)
        return sum(self._seniority(o) < mine for o in self.members()) < 8

    def _is_verified(self, other):
        return not other.is_gone and (other.is_verified_directly or self.now - other.listed_at < self._gone_timeout())

    # ---- sending (3, 6 and 12) ------------------------------------------------------------------------

    def _next_header(self):
        self.counter += 1
        return self.room.header(self.id, self.counter)

    def _send(self, destinations, kind, **value):
        """One control packet, to several destinations."""
        header = self._next_header()
        body = self.identity.sign_body(kind, value, self.room.signing_prefix(kind, header))
        self.outbox += [(self.room.seal(header, body), d) for d in destinations]

    def _send_entry(self, destinations, entry):
        header = self._next_header()
        self.outbox += [(self.room.seal(header, entry.body), d) for d in destinations]

    def _all_paths(self):
        """Every path, and the named hosts where no member is known."""
        known = {a[0] for o in self.members() for a in o.addresses}
        return self.paths + [host for host in self.hosts if host[0] not in known]

    def _usual_destinations(self):
        """The fewest destinations that reach everybody, as far as I know."""
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
        self._send(self._usual_destinations(), kind, **value)

    def _heard_paths(self, other):
        """By which paths I hear this one; for the first 2 s what it believes anyhow."""
        if other.known_since is None or self.now - other.known_since < 2:
            return GROUP4
        return sum(path for path, at in other.heard_by.items() if self.now - at <= 12 * self._heartbeat_interval())

    @staticmethod
    def _note_heard(other, heard):
        """*other* says by which paths it hears me; what it has said later counts."""
        if other.last_counter >= other.reachable_by_counter:
            other.reachable_by, other.reachable_by_counter = heard, other.last_counter

    def _paths_to_tell(self, other):
        """The same, when it goes out to it."""
        heard = self._heard_paths(other)
        other.last_told_path = heard & -heard                 # its lowest bit
        return heard

    def _new_cookie(self, other, address):
        """A new cookie for this peer at this address."""
        cookie = self._random_bytes8()
        other.cookies.append((cookie, address, self.now, other.last_told_path))
        return cookie

    def _send_ping(self, other, address):
        """Asks for a proof of life from there, and says how I hear it."""
        other.last_ping_at, heard = self.now, self._paths_to_tell(other)
        self._send([address], "ping", cookie=self._new_cookie(other, address), heard=heard)

    # ---- receiving (14) -------------------------------------------------------------------------------

    def _receive(self, datagram, address, path):
        if self.state in ("new", "rejected", "left"):
            return
        packet = codec.read_packet(self.room, self.id, datagram)   # steps 1 to 7
        if packet.kind == "entry":
            return self._receive_entry(packet, address)
        other = self.others.get(packet.sender) or RemotePeer(packet.sender)
        if packet.signer != packet.sender:
            raise Dropped(9, "the id is not that of the key")
        is_new = other.replay_window.is_new(packet.counter)
        is_copy = packet.counter == other.replay_window.greatest and path and self.now - other.heard_by.get(path, NEVER) > 1
        if not is_new and not is_copy:
            raise Dropped(9, "counter")
        if not packet.has_valid_signature(self.room):
            raise Dropped(9, "signature")
        if is_copy:
            other.heard_by[path] = self.now              # it counts for this (12), and for nothing else
            raise Dropped(9, "a copy")
        self._record_sender(other, packet, address, path)
        learns = self.state == "announcing" and packet.kind == "heartbeat"
        if not self._is_verified(other) and packet.kind not in ALLOWED_UNVERIFIED and not learns:
            raise Dropped(10, "not verified")
        if not other.token_bucket.take(self.now):
            raise Dropped(11, "too much")
        if self.state == "announcing" and packet.kind not in ALLOWED_ANNOUNCING:
            raise Dropped(12, "not in this state")
        getattr(self, "_on_" + packet.kind)(other, packet.value, address)

    def _record_sender(self, other, packet, address, path):
        """Notes counter, time, path and address; begins to verify a stranger (11)."""
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
        """Pings a stranger each second until it is verified, or forgotten after 30 s."""
        if self._is_verified(other) or other.unverified_since is None:
            return
        if self.now - other.unverified_since > 30:
            other.unverified_since = None
        else:
            self._send_ping(other, other.address)
            self._schedule(1.0, self._ping_until_verified, other)

    def _mark_verified(self, other, address):
        """*other* has shown that it is alive, and that it can be reached at this address."""
        other.is_verified_directly, other.known_since = True, self.now if other.known_since is None else other.known_since
        other.verified_addresses = [a for a in other.verified_addresses if a != address][-3:] + [address]

    # ---- joining (7) ----------------------------------------------------------------------------------

    def _pending_voters(self):
        """Whose answer I wait for: the 8 oldest that I have heard, and those who ask their person."""
        heard = sorted((o for o in self.others.values() if o.since is not None and not o.is_gone), key=self._seniority)
        asking = [i for i, until in self.asking_until.items() if self.now < until]
        return [o for o in heard if o.id in asking] + [
            o for o in heard[:8] if o.id not in self.agreements and o.id not in self.asking_until and self.unanswered_announces[o.id] < 6]

    def _send_announce(self, by_all_paths):
        """Announces to all, or only to those who owe me an answer."""
        if self.state != "announcing":
            return
        voters = self._pending_voters()
        self.unanswered_announces.update(o.id for o in voters)
        agreed = sorted(self._seniority(self.others[i]) for i in self.agreements)[:8]
        self._send((self._all_paths() if by_all_paths else []) + [o.address for o in voters], "announce", nonce=self.nonce,
                   lowest=1, highest=1, username=self.name, agreed=[i for _, i in agreed], padding=" " * 300)

    def _try_to_join(self):
        """In, unless somebody who counts owes its answer."""
        if self.state != "announcing":
            return
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
        self._emit("rejected", by=by, code=code, text=text)
        self.state = "rejected"
        self.timers.clear()

    def _on_announce(self, other, value, address):
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
        elif self._is_among_most_senior() and self.id not in value["agreed"]:
            self._schedule(self.random.uniform(0, 0.1), self._send_agree, other, value["nonce"], address)

    def _handle_rival(self, other, value, name, address):
        """Another candidate wants my name: if it is alive, the smaller id wins."""
        if not self._is_verified(other):
            self._send_ping(other, address)
        elif other.id < self.id:
            self._reject(name, 201, "Somebody else announces this name.")
        else:
            self._send_object(address, value["nonce"], name, 201, "I announce this name, too.")

    def _find_objection(self, other, value, key):
        """(code, text, holder if it is not me) if I have to object, else None."""
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
            for ident, (wanted, at) in self.recent_announces.items():
                rival = self.others.get(ident)
                if wanted != key or ident >= other.id or self.now - at > 10 or not rival:
                    continue
                if self._is_verified(rival) and not rival.is_member and rival.key != other.key:
                    return 201, "Somebody else announces this name."
        return None

    def _send_object(self, address, nonce, name, code, text, holder=None):
        self._send([address], "object", nonce=nonce, code=code, by=self.name, username=name, text=text, clock=self._room_clock(),
                   holder=holder.id if holder else self.id, since=self._seniority(holder)[0] if holder else self.since)

    def _send_agree(self, other, nonce, address):
        if self.state in ("recalling", "in"):
            heard = self._paths_to_tell(other)
            self._send([address], "agree", nonce=nonce, cookie=self._new_cookie(other, address), flags=0, heard=heard,
                       clock=self._room_clock(), since=self.since, username=self.name, members=len(self.members()) + 1,
                       lamport=self.lamport, time=self._unix_time())

    def _on_agree(self, other, value, address):
        if value["nonce"] != self.nonce:
            raise Dropped(12, "not my nonce")
        self._mark_verified(other, address)
        self._note_heard(other, value["heard"])
        self._update_statement(other, value)
        if value["flags"] & ASKING_FLAG:
            self.asking_until.setdefault(other.id, self.now + ASKING_TIMEOUT)
        else:
            self.asking_until.pop(other.id, None)
            self.agreements[other.id] = value["lamport"]
        self._send([address], "pong", cookie=value["cookie"], heard=self._paths_to_tell(other))
        if self.state != "announcing":
            self._admit_member(other)

    def _on_object(self, other, value, address):
        if self.state == "announcing":
            if value["nonce"] != self.nonce:
                raise Dropped(12, "not my nonce")
            self._reject(value["by"], value["code"], value["text"])
        elif value["nonce"] in (self.nonce, codec.NO_NONCE) and value["code"] == 201 and self._is_verified(other):
            holder = self.others.get(value["holder"])   # two others have seen one name twice (13)
            if holder and self._is_verified(holder) and name_key(value["username"]) == name_key(self.name):
                self._resolve_name_conflict(value["clock"], (value["since"], holder.id))

    # ---- the newcomer's history (8) -------------------------------------------------------------------

    def _request_history(self):
        """Asks the oldest for the page that is due, three times; then the next oldest."""
        history = self.history
        if history.attempts == 3:
            history.sources, history.attempts, history.page, history.pages = history.sources[1:], 0, 0, {}
        if not history.sources:
            return self._finish_history()
        history.attempts += 1
        self._send([history.sources[0].best_address()], "recall", nonce=self.nonce, page=history.page)
        self._schedule(0.4, self._retry_history, history.page, history.attempts)

    def _retry_history(self, page, attempts):
        if self.history and (self.history.page, self.history.attempts) == (page, attempts):
            self._request_history()

    def _on_recall(self, other, value, address):
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
        history = self.history
        if not history or other is not history.sources[0] or (value["nonce"], value["page"]) != (self.nonce, history.page):
            raise Dropped(12, "not asked for")
        history.pages[history.page] = value
        if history.page + 1 < value["pages"]:
            history.page, history.attempts = history.page + 1, 0
            self._request_history()
        else:
            history.page = None
            self._request_missing_history(6)

    def _request_missing_history(self, attempts):
        """Asks for those of the named entries that have not come."""
        named = [(e["author"], e["sequence"]) for e in self.history.pages[0]["entries"]]
        lacking = [name for name in named if name not in self.history.early_entries]
        if not lacking or attempts == 0:
            return self._finish_history()
        self._send([self.history.sources[0].best_address()], "want", ranges=to_ranges(lacking))
        self._schedule(0.4, self._request_missing_history, attempts - 1)

    def _finish_history(self):
        """Sets the floors, shows the history, and lets in what came meanwhile."""
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

    # ---- messages and their order (9) -----------------------------------------------------------------

    def _send_own_messages(self):
        """Sends what the person has said, as fast as the limit allows."""
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
        """Step 8 of 14, and whose entries are taken at all (9)."""
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
        """Takes over a greater counter, unless it is much too great; says whether it did."""
        rise = lamport - self.lamport
        if rise > 0 and not self.lamport_bucket.take(self.now, rise):
            return False
        self.lamport = max(self.lamport, lamport)
        return True

    def _accept_entry(self, entry):
        """Puts an entry into its log; whatever is then without a gap becomes ready to be shown."""
        log = self.logs.setdefault(entry.author, AuthorLog())
        if not log.have < entry.sequence <= log.have + MAX_WAITING_ENTRIES or entry.sequence in log.entries:
            return
        if not self._raise_lamport(entry.lamport):
            return
        self._store_entry(entry)
        self.requested.pop((entry.author, entry.sequence), None)
        self._advance_log(log)
        if log.have < entry.sequence:               # something before it is missing
            log.claims[entry.author] = max(log.claims.get(entry.author, 0), entry.sequence)
            self._schedule_repair()

    def _store_entry(self, entry):
        """Keeps it for others; the eldest goes when there are too many."""
        self.logs[entry.author].entries[entry.sequence] = entry
        self.kept_entries.append(entry)
        if len(self.kept_entries) > MAX_KEPT_ENTRIES:
            old = self.kept_entries.popleft()
            self.logs[old.author].entries.pop(old.sequence, None)

    def _advance_log(self, log):
        """Makes ready what now follows without a gap."""
        while log.have + 1 in log.entries:
            before, entry = log.entries.get(log.have), log.entries[log.have + 1]
            log.have += 1
            log.lost_by.pop(log.have, None)
            log.missing_since.pop(log.have, None)
            if not before or entry.lamport > before.lamport:   # others are passed over
                heapq.heappush(self.display_queue, (entry.sort_key, self.now + 0.5, entry))
        self._show_ready()

    def _show_ready(self):
        """Shows in order; waits up to 500 ms where a counter is left out."""
        while self.display_queue and self.state == "in":
            order, until, entry = self.display_queue[0]
            if order[0] > self.last_shown[0] + 1 and self.now < until:
                self._schedule(until - self.now, self._show_ready)
                return
            heapq.heappop(self.display_queue)
            self._show_entry(entry, late=order < self.last_shown)

    def _show_entry(self, entry, history=False, late=False):
        value, self.last_shown = entry.value, max(self.last_shown, entry.sort_key)
        self._emit("message", name=value["username"], author=entry.author, sequence=entry.sequence, time=value["time"],
                    text=value["text"], style=value["style"], history=history, late=late)

    # ---- heartbeats (10) ------------------------------------------------------------------------------

    def _send_regular_heartbeat(self):
        """The regular one."""
        destinations = self._usual_destinations()
        if self.heartbeat_count % 5 == 0 or not self.members():
            destinations = self._all_paths()
        if not self.members() and self.now >= self.next_former_heartbeat_at:
            self.next_former_heartbeat_at, destinations = self.now + 10, destinations + list(self.former_addresses)
        self.heartbeat_count += 1
        self._send_heartbeat(destinations)
        self._schedule(self._heartbeat_interval() * self.random.uniform(0.9, 1.1), self._send_regular_heartbeat)

    def _send_heartbeat(self, destinations):
        self.extra_heartbeat_at = None
        self._send(destinations, "heartbeat", clock=self._room_clock(), since=self.since, username=self.name, time=self._unix_time(),
                   members=len(self.members()) + 1, sequence=self.logs[self.id].have, page=self._next_heartbeat_page())

    def _send_extra_heartbeat(self, due):
        if self.extra_heartbeat_at == due:
            self._send_heartbeat(self._usual_destinations())

    def _next_heartbeat_page(self):
        """The next of what I know of others, at most 60; at least 45 are kept for members."""
        members = sorted(o.id for o in self.members())
        authors = sorted(a for a, log in self.logs.items() if a != self.id and a not in members)
        part, self.member_cursor = next_page(members, self.member_cursor, max(45, 60 - len(authors)))
        rest, self.author_cursor = next_page(authors, self.author_cursor, 60 - len(part))
        return [{"author": a, "have": self.logs[a].have if a in self.logs else 0, "ago": self._ago(a)} for a in part + rest]

    def _ago(self, ident):
        """Half seconds since I have heard it; 254: a member, but only others hear it; 255: no member."""
        other = self.others.get(ident)
        if not other or not other.is_member:
            return 255
        return int(min(254, (self.now - other.heard_at) * 2))

    def _on_heartbeat(self, other, value, address):
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
        """Name, clock and since from a heartbeat or agree."""
        clock, name = min(value["clock"], MAX_ROOM_CLOCK), value["username"]
        other.stated_clock, other.since = (clock, self.now), min(value["since"], clock)
        if other.is_member and other.name != name:
            self._emit("renamed", old=other.name, new=name)
        other.name = name

    def _admit_member(self, other):
        """*other* is a member from now on; a former life of the same person is gone."""
        if other.is_member or not self._is_verified(other):
            return
        other.is_member = True
        self._emit("here", name=other.name)
        for former in self.members():
            same = former.key == other.key and name_key(former.name) == name_key(other.name)
            if same and former is not other and former.heard_at < other.first_heard_at:
                self._mark_gone(former)

    def _handle_page_item(self, lister, author, have, ago):
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
        """*lister* has so much of this author."""
        log = self.logs.get(author)
        if log is None and have and len(self.logs) < 1024:
            if sum(known.introduced_by == lister.id for known in self.logs.values()) < 128:   # (17)
                log = self.logs[author] = AuthorLog()
                log.introduced_by = lister.id
        if log and have:
            log.claims[lister.id] = max(have, log.claims.get(lister.id, 0))

    def _adopt_clock(self, stated):
        """Takes over a greater room clock; at a jump my time in the room stays what it was (13)."""
        jump = stated - self._room_clock()
        if jump > 0:
            self.clock_zero_ms -= jump
            self.since += jump if jump > 1000 else 0

    # ---- repair (10) ----------------------------------------------------------------------------------

    def _schedule_repair(self, earliest=0.03, latest=0.15):
        """A look at the gaps after a random time, if there are any and none is planned."""
        if self.state == "in" and not self.is_repair_scheduled and next(self._gaps(), None):
            self.is_repair_scheduled = True
            self._schedule(self.random.uniform(earliest, latest), self._repair)

    def _gaps(self):
        """(author, log, sequence) of what exists and I lack."""
        for author, log in self.logs.items():
            top = min(max(log.claims.values(), default=0), log.have + MAX_WAITING_ENTRIES)
            for sequence in range(log.have + 1, top + 1) if author != self.id else ():
                if sequence not in log.entries:
                    yield author, log, sequence

    def _repair(self):
        """Asks for what I lack; gives up what nobody has."""
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
        """The author if it is heard, else anybody who has it; the second time somebody else."""
        holders = [self.others[i] for i, have in log.claims.items() if have >= sequence and i in self.others]
        holders = [o for o in holders if o.is_member and o.best_address() and o.id not in log.lost_by.get(sequence, ())]
        direct = [o for o in holders if o.id == author and self.now - o.heard_at < self._gone_timeout() / 2]
        if direct and last is None:
            return direct[0]
        return self.random.choice([o for o in holders if o.id != last] or holders) if holders else None

    def _is_lost_everywhere(self, log, sequence):
        believed = {o.id for o in self.members() if log.claims.get(o.id, 0) >= sequence}
        return believed <= log.lost_by.get(sequence, set()) and self.now - log.missing_since[sequence] >= 10

    def _on_want(self, other, value, address):
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
        """To who asks; to everybody if somebody else asked just now; then to nobody for 500 ms."""
        at, asker = self.recently_sent.get(entry.sort_key, (NEVER, None))
        recent = self.now - at < 0.5
        if recent and asker == "everybody":
            return
        shared = recent and asker != other.id
        self._send_entry(self._usual_destinations() if shared else [address], entry)
        self.recently_sent[entry.sort_key] = (self.now, "everybody" if shared else other.id)

    def _on_lost(self, other, value, address):
        for r in value["ranges"]:
            for sequence in range(r["first"], r["last"] + 1):
                if self.requested.get((r["author"], sequence), (0, None))[1] == other.id:
                    self.logs[r["author"]].lost_by.setdefault(sequence, set()).add(other.id)
                    self.requested[r["author"], sequence] = (self.now, other.id)

    # ---- who is there (11) ----------------------------------------------------------------------------

    def _check_peers(self):
        """Twice a second: who is silent or gone, what to tell about paths, whose address is unknown."""
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
        """Gone. It has to be verified again when it comes back."""
        self.former_addresses += other.verified_addresses[-1:]
        other.is_member = other.is_verified_directly = False
        other.is_gone, other.verified_addresses, other.listed_at, other.known_since = True, [], NEVER, None
        other.reachable_by = other.last_told_path = other.confirmed_path = GROUP4
        other.cookies.clear()
        self._emit("gone", name=other.name)

    def _tell_preferred_path(self, other):
        """Tells a peer by which path I hear it, until that has arrived (12)."""
        heard = self._heard_paths(other)
        if other.address and not heard & -heard == other.last_told_path == other.confirmed_path and self.now >= other.next_tell_at:
            other.next_tell_at = self.now + self._heartbeat_interval()
            self._send_ping(other, other.best_address())

    def _ask_where(self, other):
        """Asks who lists a peer that I have never heard for its address."""
        if other.heard_at > NEVER or other.listed_since is None or self.now - other.listed_since <= self._heartbeat_interval() + 1:
            return
        if self.now >= other.next_where_at and other.listed_by.is_member:
            other.next_where_at, other.where_interval = self.now + other.where_interval, min(30.0, other.where_interval * 2)
            self._send([other.listed_by.best_address()], "where", peers=[other.id])

    def _on_where(self, other, value, address):
        if address not in other.verified_addresses:
            return self._send_ping(other, address)
        known = [self.others[i] for i in value["peers"] if i in self.others]
        found = [{"peer": o.id, "address": pack_address(a), "port": a[1]} for o in known for a in o.verified_addresses[-1:]
                 if may_share_address(a, address)]
        if found:
            self._send([address], "peers", peers=found)

    def _on_peers(self, other, value, address):
        for item in value["peers"]:
            there, ip = self.others.get(item["peer"]), ipaddress.IPv6Address(item["address"])
            ip = ip.ipv4_mapped or ip
            useless = ip.is_unspecified or ip.is_multicast or ip.is_link_local or str(ip).endswith("255.255.255.255")
            if there and there.heard_at == NEVER and item["port"] and not useless and self.now - there.last_ping_at >= 2:
                self._send_ping(there, (str(ip), item["port"]))

    def _on_ping(self, other, value, address):
        self._note_heard(other, value["heard"])
        self._send([address], "pong", cookie=value["cookie"], heard=self._paths_to_tell(other))

    def _on_pong(self, other, value, address):
        for cookie, pinged, made, said in other.cookies:
            if cookie == value["cookie"] and self.now - made <= 120:
                self._note_heard(other, value["heard"])
                other.confirmed_path = said
                return self._mark_verified(other, pinged)
        raise Dropped(12, "not my cookie")

    def _on_bye(self, other, value, address):
        if other.is_member:
            self._mark_gone(other)
        elif self.state == "announcing":
            other.is_gone = True

    # ---- one name, two holders (13) -------------------------------------------------------------------

    def _check_name_conflicts(self, other):
        """Whether the name that *other* has just stated is held by somebody else, or by me."""
        key, seniority, nonce = name_key(other.name), self._seniority(other), codec.NO_NONCE
        if key == name_key(self.name):
            if (self.since, self.id) < seniority:
                self._send_object(other.best_address(), nonce, self.name, 201, "I have held this name for longer.")
            else:
                self._resolve_name_conflict(other.stated_clock[0], seniority)
        elif self._is_among_most_senior():
            for holder in self.members():
                if name_key(holder.name) == key and self._seniority(holder) < seniority:
                    self._send_object(other.best_address(), nonce, other.name, 201, "Somebody has held this name for longer.", holder)
                    return

    def _resolve_name_conflict(self, clock, seniority):
        """Somebody of this seniority has my name: the longer-seniority one keeps it."""
        if abs(clock - self._room_clock()) > 1000 or seniority > (self.since, self.id):
            return
        old, taken, number = self.name, {name_key(o.name) for o in self.members()} | {name_key(self.name)}, 2
        while name_key(numbered_name(self.wanted_name, number)) in taken:
            number += 1
        self.name = numbered_name(self.wanted_name, number)
        self._emit("renamed", old=old, new=self.name)
        self._send_heartbeat(self._all_paths())
