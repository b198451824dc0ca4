"""The protocol of a pi-chat peer without sockets and clocks, written from docs/protocol/udp.md alone.

Hand a `Peer` datagrams, texts and the time (seconds of a clock that never goes back). `wake` returns what
is to be sent, what has happened, and when to wake it next. So it can be tested in virtual time
(test_chat_peer.py); chat_peer.py is the thin program around it. Numbers in comments are sections of udp.md.

The idea: the room is a set of logs, one for each author, and everybody holds a copy (`Log`). What a peer
knows of another one is an `Other`; both are in peer_state.py. Each packet has its method `_on_KIND`.
"""
import heapq
import ipaddress
import random
from collections import Counter, deque

import peer_codec as codec
from peer_codec import Dropped, Identity, check_name, name_key
from peer_state import (BROADCAST, GROUP4, HELD_BACK, NEVER, WAYS, Bucket, Entry, Log, Other, Recall,
                        bytes16, may_be_told, numbered, ranges, turn)

ANNOUNCES, WINDOW = (0, 0.25, 0.5, 1.0, 1.5), 2.0   # (17)
ASKING, PERSONS_ANSWER = 1, 12.0                    # flag of an agree; how long the asking one may take
LAMPORT_RATE, CLOCK_END = 65536, 1 << 47
KEPT = 2000                                         # entries in all
UNVERIFIED_MAY = {"ping", "pong", "announce", "agree", "object"}
ANNOUNCING_TAKES = {"announce", "agree", "object", "heartbeat", "ping", "pong", "bye"}


class Peer:
    """One member of one room. Addresses are tuples (host, port, …); a destination is a way or an address."""

    def __init__(self, name, room, me=None, unix_ms=0, ways=GROUP4 | BROADCAST, hosts=(), rng=None):
        """*unix_ms*: the time of day when the clock is 0. *hosts*: addresses beyond the network."""
        self.name, self.wanted_name, self.room, self.me = name, name, room, me or Identity()
        self.id, self.random = self.me.id, rng or random.SystemRandom()
        self.unix_ms, self.ways, self.hosts = unix_ms, [w for w in WAYS if w & ways], list(hosts)
        self.state, self.now, self.counter = "new", 0.0, 0
        self.nonce, self.clock_base, self.since = self._bytes8(), 0, 0   # room clock = `now` in ms - clock_base
        self.others, self.logs, self.announced = {}, {self.id: Log()}, {}
        self.agreed, self.asking, self.tries = {}, {}, Counter()
        self.lamport, self.lamport_bucket = 0, Bucket(LAMPORT_RATE, LAMPORT_RATE)
        self.recall = None
        self.ready, self.shown, self.kept = [], (0, b"", 0), deque()
        self.unsaid, self.own_bucket = deque(), Bucket(25, 20)
        self.asked, self.served, self.repair_planned = {}, {}, False
        self.beats, self.member_at, self.author_at, self.extra_beat = 0, 0, 0, None
        self.lonely_at, self.last_addresses = 0.0, deque(maxlen=16)
        self.outbox, self.events, self.timers, self.dropped, self._ticket = [], [], [], Counter(), 0

    # ---- what the program around calls ----------------------------------------------------------------

    def start(self, now):
        """Begins to join (7)."""
        self.now, self.clock_base, self.state = now, now * 1000, "announcing"
        for at in ANNOUNCES:
            self._after(at, self._announce, True)
        self._after(WINDOW, self._try_to_enter)
        self._after(0.5, self._watch)

    def receive(self, now, datagram, address, way):
        """Takes a datagram that came from *address* by *way* (0: unicast)."""
        self.now = now
        try:
            self._receive(bytes(datagram), address, way)
        except Dropped as drop:
            self.dropped[drop.step] += 1

    def say(self, now, text, style=0):
        """Says something; raises ValueError if it cannot be a message."""
        self.now, fault = now, codec.text_fault(text)
        if fault:
            raise ValueError(fault)
        self.unsaid.append((text, style))
        self._speak()

    def leave(self, now):
        """Says goodbye, twice; wake() until it returns no next time."""
        self.now = now
        self.timers.clear()
        if self.state in ("recalling", "in"):
            self._to_everybody("bye")
            self._after(0.1, self._to_everybody, "bye")
        self.state = "left"

    def wake(self, now):
        """Does what is due. Returns ([(datagram, destination)], [event], next time or None)."""
        self.now, late = now, now - self.timers[0][0] if self.timers else 0
        for other in self.others.values() if late >= 3 else ():   # I have slept: that was not their silence
            other.heard += late
            other.heard_by_any += late
            other.listed += late
        while self.timers and self.timers[0][0] <= now:
            _, _, action, arguments = heapq.heappop(self.timers)
            action(*arguments)
        sends, events, self.outbox, self.events = self.outbox, self.events, [], []
        return sends, events, self.timers[0][0] if self.timers else None

    def members(self):
        """The others that are in the room."""
        return [o for o in self.others.values() if o.member]

    # ---- small things ---------------------------------------------------------------------------------

    def _bytes8(self):
        return self.random.getrandbits(64).to_bytes(8, "big")

    def _after(self, delay, action, *arguments):
        self._ticket += 1
        heapq.heappush(self.timers, (self.now + delay, self._ticket, action, arguments))

    def _event(self, kind, **fields):
        self.events.append({"type": kind, **fields})

    def _clock(self):
        return min(CLOCK_END, max(0, int(self.now * 1000 - self.clock_base)))

    def _unix(self):
        return max(0, int(self.unix_ms + self.now * 1000))

    def _interval(self):
        """I(n) of 10."""
        return max(2.0, (len(self.members()) + 1) * 0.04)

    def _patience(self):
        """G(n) of 11."""
        return max(10.0, 2.5 * self._interval())

    def _standing(self, other):
        """(since, id) by my room clock: one whose clock is behind will add the jump to its since (13)."""
        behind = int(self._clock() - other.clock[0] - (self.now - other.clock[1]) * 1000)
        return other.since + (behind if behind > 1000 and self.state != "announcing" else 0), other.id

    def _among_oldest(self):
        """Whether I am one of the 8 members of smallest standing."""
        mine = (self.since, self.id)
        return sum(self._standing(o) < mine for o in self.members()) < 8

    def _is_verified(self, other):
        return not other.gone and (other.proven or self.now - other.listed < self._patience())

    # ---- sending (3, 6 and 12) ------------------------------------------------------------------------

    def _header(self):
        self.counter += 1
        return self.room.header(self.id, self.counter)

    def _send(self, destinations, kind, **value):
        """One control packet, to several destinations."""
        header = self._header()
        body = self.me.body(kind, value, self.room.before(kind, header))
        self.outbox += [(self.room.seal(header, body), d) for d in destinations]

    def _send_entry(self, destinations, entry):
        header = self._header()
        self.outbox += [(self.room.seal(header, entry.body), d) for d in destinations]

    def _all_ways(self):
        """Every way, and the named hosts where no member is known."""
        known = {a[0] for o in self.members() for a in o.addresses}
        return self.ways + [host for host in self.hosts if host[0] not in known]

    def _usual_ways(self):
        """The fewest destinations that reach everybody, as far as I know."""
        left = [o for o in self.others.values() if o.member or o.verified and self._is_verified(o)]
        chosen = [] if left else self._all_ways()
        while left:
            reach = {w: [o for o in left if o.tells & w] for w in self.ways}
            way = max(reach, key=lambda w: len(reach[w]), default=None)
            if way is None or len(reach[way]) < 2 and all(o.verified for o in reach[way]):
                return chosen + [o.best_address() for o in left if o.address]
            chosen.append(way)
            left = [o for o in left if o not in reach[way]]
        return chosen

    def _to_everybody(self, kind, **value):
        self._send(self._usual_ways(), kind, **value)

    def _heard(self, other):
        """By which ways I hear this one; for the first 2 s what it believes anyhow."""
        if other.known is None or self.now - other.known < 2:
            return GROUP4
        return sum(way for way, at in other.ways.items() if self.now - at <= 12 * self._interval())

    @staticmethod
    def _is_told(other, heard):
        """*other* says by which ways it hears me; what it has said later counts."""
        if other.counter >= other.tells_at:
            other.tells, other.tells_at = heard, other.counter

    def _say_heard(self, other):
        """The same, when it goes out to it."""
        heard = self._heard(other)
        other.said = heard & -heard                 # its lowest bit
        return heard

    def _cookie(self, other, address):
        """A new cookie for this peer at this address."""
        cookie = self._bytes8()
        other.cookies.append((cookie, address, self.now, other.said))
        return cookie

    def _ping(self, other, address):
        """Asks for a proof of life from there, and says how I hear it."""
        other.last_ping, heard = self.now, self._say_heard(other)
        self._send([address], "ping", cookie=self._cookie(other, address), heard=heard)

    # ---- receiving (14) -------------------------------------------------------------------------------

    def _receive(self, datagram, address, way):
        if self.state in ("new", "rejected", "left"):
            return
        packet = codec.read_packet(self.room, self.id, datagram)   # steps 1 to 7
        if packet.kind == "entry":
            return self._receive_entry(packet, address)
        other = self.others.get(packet.sender) or Other(packet.sender)
        if packet.signer != packet.sender:
            raise Dropped(9, "the id is not that of the key")
        is_new = other.window.is_new(packet.counter)
        is_copy = packet.counter == other.window.greatest and way and self.now - other.ways.get(way, NEVER) > 1
        if not is_new and not is_copy:
            raise Dropped(9, "counter")
        if not packet.signature_is_right(self.room):
            raise Dropped(9, "signature")
        if is_copy:
            other.ways[way] = self.now              # it counts for this (12), and for nothing else
            raise Dropped(9, "a copy")
        self._note_sender(other, packet, address, way)
        learns = self.state == "announcing" and packet.kind == "heartbeat"
        if not self._is_verified(other) and packet.kind not in UNVERIFIED_MAY and not learns:
            raise Dropped(10, "not verified")
        if not other.bucket.take(self.now):
            raise Dropped(11, "too much")
        if self.state == "announcing" and packet.kind not in ANNOUNCING_TAKES:
            raise Dropped(12, "not in this state")
        getattr(self, "_on_" + packet.kind)(other, packet.value, address)

    def _note_sender(self, other, packet, address, way):
        """Notes counter, time, way and address; begins to verify a stranger (11)."""
        other.window.note(packet.counter)
        if other.id not in self.others:
            if sum(not self._is_verified(o) for o in self.others.values()) >= 256:
                raise Dropped(11, "too many strangers")
            self.others[other.id] = other
        other.key, other.address, other.counter, other.unanswered = packet.key, address, packet.counter, 0
        other.heard = other.heard_by_any = self.now
        other.addresses.add(address)
        if way:
            other.ways[way] = self.now
        if other.gone or other.first_heard is None:
            other.gone, other.stranger_since, other.first_heard = False, None, self.now
        stranger = not self._is_verified(other) and other.stranger_since is None
        if stranger and packet.kind != "announce" and self.state != "announcing":
            other.stranger_since = self.now
            self._after(self.random.uniform(0, self._interval()), self._verify, other)

    def _verify(self, other):
        """Pings a stranger each second until it is verified, or forgotten after 30 s."""
        if self._is_verified(other) or other.stranger_since is None:
            return
        if self.now - other.stranger_since > 30:
            other.stranger_since = None
        else:
            self._ping(other, other.address)
            self._after(1.0, self._verify, other)

    def _prove(self, other, address):
        """*other* has shown that it is alive, and that it can be reached at this address."""
        other.proven, other.known = True, self.now if other.known is None else other.known
        other.verified = [a for a in other.verified if a != address][-3:] + [address]

    # ---- joining (7) ----------------------------------------------------------------------------------

    def _owing(self):
        """Whose answer I wait for: the 8 oldest that I have heard, and those who ask their person."""
        heard = sorted((o for o in self.others.values() if o.since is not None and not o.gone), key=self._standing)
        asking = [i for i, until in self.asking.items() if self.now < until]
        return [o for o in heard if o.id in asking] + [
            o for o in heard[:8] if o.id not in self.agreed and o.id not in self.asking and self.tries[o.id] < 6]

    def _announce(self, by_all_ways):
        """Announces to all, or only to those who owe me an answer."""
        if self.state != "announcing":
            return
        owing = self._owing()
        self.tries.update(o.id for o in owing)
        agreed = sorted(self._standing(self.others[i]) for i in self.agreed)[:8]
        self._send((self._all_ways() if by_all_ways else []) + [o.address for o in owing], "announce", nonce=self.nonce,
                   lowest=1, highest=1, username=self.name, agreed=[i for _, i in agreed], padding=" " * 300)

    def _try_to_enter(self):
        """In, unless somebody who counts owes its answer."""
        if self.state != "announcing":
            return
        if self._owing():
            self._announce(False)
            self._after(0.5, self._try_to_enter)
            return
        others = [self.others[i] for i in self.agreed if not self.others[i].gone]
        clock = max((o.clock[0] + (self.now - o.clock[1]) * 1000 for o in others), default=0)
        self.lamport = min((self.agreed[o.id] for o in others), default=0)
        self.shown, self.clock_base = (self.lamport, b"", 0), self.now * 1000 - clock
        self.since, self.state = self._clock(), "recalling"
        for other in others:
            self._welcome(other)
        self._heartbeat()
        self.recall = Recall(sorted(others, key=self._standing))
        self._ask_history()

    def _reject(self, by, code, text):
        self._event("rejected", by=by, code=code, text=text)
        self.state = "rejected"
        self.timers.clear()

    def _on_announce(self, other, value, address):
        size = codec.HEADER + codec.LEAST_BODY + len(codec.FIELDS["announce"].write(value))
        if size < codec.LEAST_ANNOUNCE:
            raise Dropped(12, "too short to be answered")
        name = check_name(value["username"])
        key = name and name_key(name)
        self.announced[other.id] = (key, self.now)
        if self.state == "announcing":
            return self._on_rival(other, value, name, address) if key == name_key(self.name) else None
        reason = self._reason_against(other, value, key)
        if reason:
            self._object(address, value["nonce"], name or "", *reason)
        elif self._among_oldest() and self.id not in value["agreed"]:
            self._after(self.random.uniform(0, 0.1), self._agree, other, value["nonce"], address)

    def _on_rival(self, other, value, name, address):
        """Another candidate wants my name: if it is alive, the smaller id wins."""
        if not self._is_verified(other):
            self._ping(other, address)
        elif other.id < self.id:
            self._reject(name, 201, "Somebody else announces this name.")
        else:
            self._object(address, value["nonce"], name, 201, "I announce this name, too.")

    def _reason_against(self, other, value, key):
        """(code, text, holder if it is not me) if I have to object, else None."""
        oldest = self._among_oldest()
        if not value["lowest"] <= codec.VERSION <= value["highest"]:
            return (101, "This room speaks version 1.") if oldest else None
        if key is None:
            return (200, "This cannot be a name: use letters, digits, - _ and .") if oldest else None
        if key == name_key(self.name):
            return 201, "This is my name."
        if oldest:
            for holder in self.members():
                if name_key(holder.name) == key and holder is not other and holder.key != other.key:
                    return 201, "Somebody here has this name.", holder
            for ident, (wanted, at) in self.announced.items():
                rival = self.others.get(ident)
                if wanted != key or ident >= other.id or self.now - at > 10 or not rival:
                    continue
                if self._is_verified(rival) and not rival.member and rival.key != other.key:
                    return 201, "Somebody else announces this name."
        return None

    def _object(self, address, nonce, name, code, text, holder=None):
        self._send([address], "object", nonce=nonce, code=code, by=self.name, username=name, text=text, clock=self._clock(),
                   holder=holder.id if holder else self.id, since=self._standing(holder)[0] if holder else self.since)

    def _agree(self, other, nonce, address):
        if self.state in ("recalling", "in"):
            heard = self._say_heard(other)
            self._send([address], "agree", nonce=nonce, cookie=self._cookie(other, address), flags=0, heard=heard,
                       clock=self._clock(), since=self.since, username=self.name, members=len(self.members()) + 1,
                       lamport=self.lamport, time=self._unix())

    def _on_agree(self, other, value, address):
        if value["nonce"] != self.nonce:
            raise Dropped(12, "not my nonce")
        self._prove(other, address)
        self._is_told(other, value["heard"])
        self._learn(other, value)
        if value["flags"] & ASKING:
            self.asking.setdefault(other.id, self.now + PERSONS_ANSWER)
        else:
            self.asking.pop(other.id, None)
            self.agreed[other.id] = value["lamport"]
        self._send([address], "pong", cookie=value["cookie"], heard=self._say_heard(other))
        if self.state != "announcing":
            self._welcome(other)

    def _on_object(self, other, value, address):
        if self.state == "announcing":
            if value["nonce"] != self.nonce:
                raise Dropped(12, "not my nonce")
            self._reject(value["by"], value["code"], value["text"])
        elif value["nonce"] in (self.nonce, codec.NO_NONCE) and value["code"] == 201 and self._is_verified(other):
            holder = self.others.get(value["holder"])   # two others have seen one name twice (13)
            if holder and self._is_verified(holder) and name_key(value["username"]) == name_key(self.name):
                self._contend(value["clock"], (value["since"], holder.id))

    # ---- the newcomer's history (8) -------------------------------------------------------------------

    def _ask_history(self):
        """Asks the oldest for the page that is due, three times; then the next oldest."""
        recall = self.recall
        if recall.tries == 3:
            recall.whom, recall.tries, recall.page, recall.pages = recall.whom[1:], 0, 0, {}
        if not recall.whom:
            return self._history_is_there()
        recall.tries += 1
        self._send([recall.whom[0].best_address()], "recall", nonce=self.nonce, page=recall.page)
        self._after(0.4, self._ask_history_again, recall.page, recall.tries)

    def _ask_history_again(self, page, tries):
        if self.recall and (self.recall.page, self.recall.tries) == (page, tries):
            self._ask_history()

    def _on_recall(self, other, value, address):
        if value["nonce"] == codec.NO_NONCE:
            raise Dropped(12, "nobody's nonce")
        if address not in other.verified:
            return self._ping(other, address)
        page, marks, newest = value["page"], sorted((a, log.have) for a, log in self.logs.items()), []
        if page == 0:
            whole = (e for log in self.logs.values() for e in log.entries.values() if e.sequence <= log.have)
            newest = heapq.nlargest(10, whole, key=lambda e: e.order)[::-1]
        for entry in newest:
            self._send_entry([address], entry)
        self._send([address], "recent", nonce=value["nonce"], page=page, pages=max(1, -(-len(marks) // 60)),
                   entries=[{"author": e.author, "sequence": e.sequence} for e in newest],
                   marks=[{"author": a, "have": have} for a, have in marks[60 * page:60 * page + 60]])

    def _on_recent(self, other, value, address):
        recall = self.recall
        if not recall or other is not recall.whom[0] or (value["nonce"], value["page"]) != (self.nonce, recall.page):
            raise Dropped(12, "not asked for")
        recall.pages[recall.page] = value
        if recall.page + 1 < value["pages"]:
            recall.page, recall.tries = recall.page + 1, 0
            self._ask_history()
        else:
            recall.page = None
            self._want_history(6)

    def _want_history(self, tries):
        """Asks for those of the named entries that have not come."""
        named = [(e["author"], e["sequence"]) for e in self.recall.pages[0]["entries"]]
        lacking = [name for name in named if name not in self.recall.aside]
        if not lacking or tries == 0:
            return self._history_is_there()
        self._send([self.recall.whom[0].best_address()], "want", ranges=ranges(lacking))
        self._after(0.4, self._want_history, tries - 1)

    def _history_is_there(self):
        """Sets the floors, shows the history, and lets in what came meanwhile."""
        pages, aside, whom = self.recall.pages, self.recall.aside, self.recall.whom
        self.recall, self.state = None, "in"
        for mark in (m for page in pages.values() for m in page["marks"]):
            if mark["author"] != self.id:
                log = self.logs.setdefault(mark["author"], Log())
                log.floor = log.have = mark["have"]
        self._event("in", name=self.name, history_from=whom[0].name if whom else None)
        for named in pages[0]["entries"] if pages else []:
            entry, log = aside.pop((named["author"], named["sequence"]), None), self.logs.get(named["author"])
            if entry and log and entry.sequence <= log.floor:
                self._keep(entry)
                self._raise_lamport(entry.lamport)
                self._show(entry, history=True)
        for entry in aside.values():
            self._take(entry)
        self._plan_repair()
        self._speak()

    # ---- messages and their order (9) -----------------------------------------------------------------

    def _speak(self):
        """Sends what the person has said, as fast as the limit allows."""
        while self.unsaid and self.state == "in":
            if not self.own_bucket.take(self.now):
                self._after(0.04, self._speak)
                return
            text, style = self.unsaid.popleft()
            value = {"sequence": self.logs[self.id].have + 1, "lamport": self.lamport + 1, "time": self._unix(),
                     "username": self.name, "style": style, "text": text}
            entry = Entry(self.id, codec.make_entry(self.me, self.room, value), value)
            self._send_entry(self._usual_ways(), entry)
            self._take(entry)
            self.extra_beat = self.now + 0.3
            self._after(0.3, self._beat_after_message, self.extra_beat)

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
        asked = name in self.asked or self.recall and sender in self.recall.whom[:1]
        if not asked and (not (author and author.member) or log and name[1] <= log.have and self.state == "in"):
            raise Dropped(8, "neither a member's nor asked for")
        if not packet.signature_is_right(self.room):
            raise Dropped(8, "signature")
        if not asked and not self.logs.setdefault(packet.signer, Log()).bucket.take(self.now):
            raise Dropped(11, "too much")
        entry = Entry(packet.signer, packet.body, packet.value)
        if not self.recall:
            self._take(entry)
        elif len(self.recall.aside) < KEPT:
            self.recall.aside[name] = entry

    def _raise_lamport(self, lamport):
        """Takes over a greater counter, unless it is much too great; says whether it did."""
        rise = lamport - self.lamport
        if rise > 0 and not self.lamport_bucket.take(self.now, rise):
            return False
        self.lamport = max(self.lamport, lamport)
        return True

    def _take(self, entry):
        """Puts an entry into its log; whatever is then without a gap becomes ready to be shown."""
        log = self.logs.setdefault(entry.author, Log())
        if not log.have < entry.sequence <= log.have + HELD_BACK or entry.sequence in log.entries:
            return
        if not self._raise_lamport(entry.lamport):
            return
        self._keep(entry)
        self.asked.pop((entry.author, entry.sequence), None)
        self._advance(log)
        if log.have < entry.sequence:               # something before it is missing
            log.claims[entry.author] = max(log.claims.get(entry.author, 0), entry.sequence)
            self._plan_repair()

    def _keep(self, entry):
        """Keeps it for others; the eldest goes when there are too many."""
        self.logs[entry.author].entries[entry.sequence] = entry
        self.kept.append(entry)
        if len(self.kept) > KEPT:
            old = self.kept.popleft()
            self.logs[old.author].entries.pop(old.sequence, None)

    def _advance(self, log):
        """Makes ready what now follows without a gap."""
        while log.have + 1 in log.entries:
            before, entry = log.entries.get(log.have), log.entries[log.have + 1]
            log.have += 1
            log.denied.pop(log.have, None)
            log.missed.pop(log.have, None)
            if not before or entry.lamport > before.lamport:   # others are passed over
                heapq.heappush(self.ready, (entry.order, self.now + 0.5, entry))
        self._show_ready()

    def _show_ready(self):
        """Shows in order; waits up to 500 ms where a counter is left out."""
        while self.ready and self.state == "in":
            order, until, entry = self.ready[0]
            if order[0] > self.shown[0] + 1 and self.now < until:
                self._after(until - self.now, self._show_ready)
                return
            heapq.heappop(self.ready)
            self._show(entry, late=order < self.shown)

    def _show(self, entry, history=False, late=False):
        value, self.shown = entry.value, max(self.shown, entry.order)
        self._event("message", name=value["username"], author=entry.author, sequence=entry.sequence, time=value["time"],
                    text=value["text"], style=value["style"], history=history, late=late)

    # ---- heartbeats (10) ------------------------------------------------------------------------------

    def _heartbeat(self):
        """The regular one."""
        destinations = self._usual_ways()
        if self.beats % 5 == 0 or not self.members():
            destinations = self._all_ways()
        if not self.members() and self.now >= self.lonely_at:
            self.lonely_at, destinations = self.now + 10, destinations + list(self.last_addresses)
        self.beats += 1
        self._beat(destinations)
        self._after(self._interval() * self.random.uniform(0.9, 1.1), self._heartbeat)

    def _beat(self, destinations):
        self.extra_beat = None
        self._send(destinations, "heartbeat", clock=self._clock(), since=self.since, username=self.name, time=self._unix(),
                   members=len(self.members()) + 1, sequence=self.logs[self.id].have, page=self._page())

    def _beat_after_message(self, due):
        if self.extra_beat == due:
            self._beat(self._usual_ways())

    def _page(self):
        """The next of what I know of others, at most 60; at least 45 are kept for members."""
        members = sorted(o.id for o in self.members())
        authors = sorted(a for a, log in self.logs.items() if a != self.id and a not in members)
        part, self.member_at = turn(members, self.member_at, max(45, 60 - len(authors)))
        rest, self.author_at = turn(authors, self.author_at, 60 - len(part))
        return [{"author": a, "have": self.logs[a].have if a in self.logs else 0, "ago": self._ago(a)} for a in part + rest]

    def _ago(self, ident):
        """Half seconds since I have heard it; 254: a member, but only others hear it; 255: no member."""
        other = self.others.get(ident)
        if not other or not other.member:
            return 255
        return int(min(254, (self.now - other.heard) * 2))

    def _on_heartbeat(self, other, value, address):
        self._learn(other, value)
        if self.state == "announcing":
            return
        self._follow_clock(other.clock[0])
        self._welcome(other)
        self._check_names(other)
        self._claim(other, other.id, value["sequence"])
        for item in value["page"]:
            self._on_page_item(other, **item)
        self._plan_repair()

    def _learn(self, other, value):
        """Name, clock and since from a heartbeat or agree."""
        clock, name = min(value["clock"], CLOCK_END), value["username"]
        other.clock, other.since = (clock, self.now), min(value["since"], clock)
        if other.member and other.name != name:
            self._event("renamed", old=other.name, new=name)
        other.name = name

    def _welcome(self, other):
        """*other* is a member from now on; a former life of the same person is gone."""
        if other.member or not self._is_verified(other):
            return
        other.member = True
        self._event("here", name=other.name)
        for former in self.members():
            same = former.key == other.key and name_key(former.name) == name_key(other.name)
            if same and former is not other and former.heard < other.first_heard:
                self._lose(former)

    def _on_page_item(self, lister, author, have, ago):
        if author == self.id:
            return
        self._claim(lister, author, have)
        other = self.others.get(author)
        if ago == 255 or other and other.gone or not other and len(self.others) >= 1024:
            return
        other = self.others.setdefault(author, other or Other(author))
        other.listed, other.lister = self.now, lister
        other.listed_first = self.now if other.listed_first is None else other.listed_first
        other.known = self.now if other.known is None else other.known
        if ago < 254:
            other.heard_by_any = max(other.heard_by_any, self.now - ago / 2)

    def _claim(self, lister, author, have):
        """*lister* has so much of this author."""
        log = self.logs.get(author)
        if log is None and have and len(self.logs) < 1024:
            if sum(known.named_by == lister.id for known in self.logs.values()) < 128:   # (17)
                log = self.logs[author] = Log()
                log.named_by = lister.id
        if log and have:
            log.claims[lister.id] = max(have, log.claims.get(lister.id, 0))

    def _follow_clock(self, stated):
        """Takes over a greater room clock; at a jump my time in the room stays what it was (13)."""
        jump = stated - self._clock()
        if jump > 0:
            self.clock_base -= jump
            self.since += jump if jump > 1000 else 0

    # ---- repair (10) ----------------------------------------------------------------------------------

    def _plan_repair(self, least=0.03, most=0.15):
        """A look at the gaps after a random time, if there are any and none is planned."""
        if self.state == "in" and not self.repair_planned and next(self._gaps(), None):
            self.repair_planned = True
            self._after(self.random.uniform(least, most), self._repair)

    def _gaps(self):
        """(author, log, sequence) of what exists and I lack."""
        for author, log in self.logs.items():
            top = min(max(log.claims.values(), default=0), log.have + HELD_BACK)
            for sequence in range(log.have + 1, top + 1) if author != self.id else ():
                if sequence not in log.entries:
                    yield author, log, sequence

    def _repair(self):
        """Asks for what I lack; gives up what nobody has."""
        self.repair_planned, wants = False, {}
        for author, log, sequence in list(self._gaps()):
            log.missed.setdefault(sequence, self.now)
            due, last = self.asked.get((author, sequence), (0, None))
            holder = self._whom_to_ask(author, log, sequence, last) if self.now >= due else None
            wanted = wants.setdefault(holder, []) if holder else []
            if holder and len(wanted) < 64:
                wanted.append((author, sequence))
                self.asked[author, sequence] = (self.now + self.random.uniform(0.4, 0.6), holder.id)
            elif sequence == log.have + 1 and self._nobody_has(log, sequence):
                log.floor = log.have = sequence
                self.asked.pop((author, sequence), None)
                self._event("missing", author=author, sequence=sequence)
                self._advance(log)
        for holder, wanted in wants.items():
            self._send([holder.best_address()], "want", ranges=ranges(wanted)[:32])
        self._plan_repair(0.1, 0.2)

    def _whom_to_ask(self, author, log, sequence, last):
        """The author if it is heard, else anybody who has it; the second time somebody else."""
        holders = [self.others[i] for i, have in log.claims.items() if have >= sequence and i in self.others]
        holders = [o for o in holders if o.member and o.best_address() and o.id not in log.denied.get(sequence, ())]
        direct = [o for o in holders if o.id == author and self.now - o.heard < self._patience() / 2]
        if direct and last is None:
            return direct[0]
        return self.random.choice([o for o in holders if o.id != last] or holders) if holders else None

    def _nobody_has(self, log, sequence):
        believed = {o.id for o in self.members() if log.claims.get(o.id, 0) >= sequence}
        return believed <= log.denied.get(sequence, set()) and self.now - log.missed[sequence] >= 10

    def _on_want(self, other, value, address):
        if address not in other.verified:
            return self._ping(other, address)
        lost = []
        for r in value["ranges"]:
            for sequence in range(r["first"], r["last"] + 1):
                entry = self.logs[r["author"]].entries.get(sequence) if r["author"] in self.logs else None
                if entry:
                    self._serve(other, entry, address)
                else:
                    lost.append((r["author"], sequence))
        for i in range(0, len(ranges(lost)), 32):
            self._send([address], "lost", ranges=ranges(lost)[i:i + 32])

    def _serve(self, other, entry, address):
        """To who asks; to everybody if somebody else asked just now; then to nobody for 500 ms."""
        at, asker = self.served.get(entry.order, (NEVER, None))
        recent = self.now - at < 0.5
        if recent and asker == "everybody":
            return
        shared = recent and asker != other.id
        self._send_entry(self._usual_ways() if shared else [address], entry)
        self.served[entry.order] = (self.now, "everybody" if shared else other.id)

    def _on_lost(self, other, value, address):
        for r in value["ranges"]:
            for sequence in range(r["first"], r["last"] + 1):
                if self.asked.get((r["author"], sequence), (0, None))[1] == other.id:
                    self.logs[r["author"]].denied.setdefault(sequence, set()).add(other.id)
                    self.asked[r["author"], sequence] = (self.now, other.id)

    # ---- who is there (11) ----------------------------------------------------------------------------

    def _watch(self):
        """Twice a second: who is silent or gone, what to tell about ways, whose address is unknown."""
        patience = self._patience()
        for other in list(self.others.values()):
            if other.member and self.now - other.heard_by_any > patience:
                self._lose(other)
            elif other.member and other.address:
                silent = self.now - other.heard_by_any > patience / 2 or self.now - other.heard > patience
                if silent and self.now - other.last_ping >= min(30, 2 ** max(0, other.unanswered - 9)):
                    other.unanswered += 1
                    self._ping(other, other.best_address())
            if not self._is_verified(other):
                if self.now - max(other.heard, other.listed) > (600 if other.gone else 30):
                    del self.others[other.id]
            elif self.state != "announcing":
                self._tell_ways(other)
                self._ask_where(other)
        self.asked = {k: v for k, v in self.asked.items() if self.now - v[0] < 30}
        self.served = {k: v for k, v in self.served.items() if self.now - v[0] < 0.5}
        self.announced = {k: v for k, v in self.announced.items() if self.now - v[1] <= 10}
        self._plan_repair()
        self._after(0.5, self._watch)

    def _lose(self, other):
        """Gone. It has to be verified again when it comes back."""
        self.last_addresses += other.verified[-1:]
        other.member = other.proven = False
        other.gone, other.verified, other.listed, other.known = True, [], NEVER, None
        other.tells = other.said = other.told = GROUP4
        other.cookies.clear()
        self._event("gone", name=other.name)

    def _tell_ways(self, other):
        """Tells a peer by which way I hear it, until that has arrived (12)."""
        heard = self._heard(other)
        if other.address and not heard & -heard == other.said == other.told and self.now >= other.tell_at:
            other.tell_at = self.now + self._interval()
            self._ping(other, other.best_address())

    def _ask_where(self, other):
        """Asks who lists a peer that I have never heard for its address."""
        if other.heard > NEVER or other.listed_first is None or self.now - other.listed_first <= self._interval() + 1:
            return
        if self.now >= other.where_at and other.lister.member:
            other.where_at, other.where_gap = self.now + other.where_gap, min(30.0, other.where_gap * 2)
            self._send([other.lister.best_address()], "where", peers=[other.id])

    def _on_where(self, other, value, address):
        if address not in other.verified:
            return self._ping(other, address)
        known = [self.others[i] for i in value["peers"] if i in self.others]
        found = [{"peer": o.id, "address": bytes16(a), "port": a[1]} for o in known for a in o.verified[-1:]
                 if may_be_told(a, address)]
        if found:
            self._send([address], "peers", peers=found)

    def _on_peers(self, other, value, address):
        for item in value["peers"]:
            there, ip = self.others.get(item["peer"]), ipaddress.IPv6Address(item["address"])
            ip = ip.ipv4_mapped or ip
            useless = ip.is_unspecified or ip.is_multicast or ip.is_link_local or str(ip).endswith("255.255.255.255")
            if there and there.heard == NEVER and item["port"] and not useless and self.now - there.last_ping >= 2:
                self._ping(there, (str(ip), item["port"]))

    def _on_ping(self, other, value, address):
        self._is_told(other, value["heard"])
        self._send([address], "pong", cookie=value["cookie"], heard=self._say_heard(other))

    def _on_pong(self, other, value, address):
        for cookie, pinged, made, said in other.cookies:
            if cookie == value["cookie"] and self.now - made <= 120:
                self._is_told(other, value["heard"])
                other.told = said
                return self._prove(other, pinged)
        raise Dropped(12, "not my cookie")

    def _on_bye(self, other, value, address):
        if other.member:
            self._lose(other)
        elif self.state == "announcing":
            other.gone = True

    # ---- one name, two holders (13) -------------------------------------------------------------------

    def _check_names(self, other):
        """Whether the name that *other* has just stated is held by somebody else, or by me."""
        key, standing, nonce = name_key(other.name), self._standing(other), codec.NO_NONCE
        if key == name_key(self.name):
            if (self.since, self.id) < standing:
                self._object(other.best_address(), nonce, self.name, 201, "I have held this name for longer.")
            else:
                self._contend(other.clock[0], standing)
        elif self._among_oldest():
            for holder in self.members():
                if name_key(holder.name) == key and self._standing(holder) < standing:
                    self._object(other.best_address(), nonce, other.name, 201, "Somebody has held this name for longer.", holder)
                    return

    def _contend(self, clock, standing):
        """Somebody of this standing has my name: the longer-standing one keeps it."""
        if abs(clock - self._clock()) > 1000 or standing > (self.since, self.id):
            return
        old, taken, number = self.name, {name_key(o.name) for o in self.members()} | {name_key(self.name)}, 2
        while name_key(numbered(self.wanted_name, number)) in taken:
            number += 1
        self.name = numbered(self.wanted_name, number)
        self._event("renamed", old=old, new=self.name)
        self._beat(self._all_ways())
