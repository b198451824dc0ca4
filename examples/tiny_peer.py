#!/usr/bin/env python3
"""Minimal peer of the open room "lobby": section 1 of docs/protocol/udp.md and nothing else.

    tiny_peer.py NAME [PORT [ADDRESS]]    ADDRESS: the machine's own on the network to use; 127.0.0.1 for itself

Each line of the input is said as a message. Steps in comments are those of section 1.
"""
import hashlib
import heapq
import itertools
import os
import select
import socket
import sys
import time
import unicodedata

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

GROUP_ADDRESS = "239.255.24.28"
ANNOUNCE, AGREE, OBJECT, HEARTBEAT, PING, PONG, ENTRY, WANT, _, RECALL, RECENT, _, _, BYE = range(1, 15)


def sha256(*parts):
    """Return the SHA-256 of the concatenated parts."""
    return hashlib.sha256(b"".join(parts)).digest()


def name_key(name):
    """Return the key by which names are compared (README, section 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def safe_text(text):
    """Replace control characters, so that a stranger's text is safe to show (README, section 3)."""
    bad = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return "".join("\ufffd" if c in bad or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


def varint(n):
    """Return a varint."""
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def string(text):
    """Return a string: its length as a varint, then its bytes."""
    return varint(len(text.encode())) + text.encode()


def encode(field_types, *values):
    """Encode values. Types: b a byte, n a varint, s a string, i bytes of fixed size."""
    encoders = {"b": lambda n: bytes([n]), "n": varint, "s": string, "i": bytes}
    return b"".join(encoders[field_type](value) for field_type, value in zip(field_types, values))


def decode(body, at, field_types):
    """Decode values at this offset; return them and the offset after them. Type i: 8 bytes, such as an id."""
    values = []
    for field_type in field_types:
        if field_type == "i":
            value, at = body[at:at + 8], at + 8
        elif field_type == "b":
            value, at = body[at], at + 1
        else:
            value, shift, at = body[at] & 127, 7, at + 1
            while body[at - 1] > 127:
                value, shift, at = value | (body[at] & 127) << shift, shift + 7, at + 1
            if field_type == "s":
                value, at = body[at:at + value].decode(), at + value
        values.append(value)
    return values, at


def now_ms():
    """Return milliseconds of a clock that never goes back."""
    return int(time.monotonic() * 1000)


class RemotePeer:
    """Another peer."""

    def __init__(self):
        """Begin with a peer that was heard now."""
        self.name = ""
        self.counter = 0  # of its last control packet
        self.heard_at = now_ms()
        self.address = None  # source of its last control packet
        self.cookie, self.verified_addresses = os.urandom(8), set()
        self.clock = self.since = self.sequence = 0  # as it has stated
        self.has_agreed = False
        self.next_want_at = 0


class TinyPeer:
    """The peer. `run` does everything."""

    def __init__(self, name, port, address):
        """Make identity, room and sockets."""
        private = Ed25519PrivateKey.generate()  # step 1
        key, incarnation = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), os.urandom(8)
        self.sign, self.signer = private.sign, key + incarnation
        self.id, self.name = sha256(b"pi-chat/1 peer\0", self.signer)[:8], name
        self.room = sha256(b"pi-chat/1 open room\0", b"lobby")  # step 2
        self.group = (GROUP_ADDRESS, port)
        self.shared, self.own = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))  # step 3
        self.shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.shared.bind(("", port))
        interface = socket.inet_aton(address)
        self.shared.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP_ADDRESS) + interface)
        self.own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        self.own.bind(("", 0))
        self.state = "announcing"  # then "recalling", then "in"
        self.counter, self.nonce = 0, os.urandom(8)
        self.clock_zero_ms, self.since = now_ms(), 0  # room clock = now_ms() - clock_zero_ms
        self.others = {}  # id -> RemotePeer
        self.logs = {self.id: {}}  # id of an author -> {sequence: body of the entry}
        self.have = {self.id: 0}  # id of an author -> greatest sequence without a gap
        self.lamport = 0
        self.timers, self.timer_numbers = [], itertools.count()  # heap of (time, number, action)

    def schedule(self, delay, action):
        """Run an action after *delay* milliseconds."""
        heapq.heappush(self.timers, (now_ms() + delay, next(self.timer_numbers), action))

    def room_clock(self):
        """Return the room clock in milliseconds."""
        return now_ms() - self.clock_zero_ms

    # ---- datagrams (step 4) ----

    def send(self, to, kind, fields=b""):
        """Send a control packet."""
        self.counter += 1
        header = b"PiC\x01\0" + self.room[:4] + self.id + self.counter.to_bytes(6, "big")
        body = bytes([kind]) + self.signer + fields
        self.own.sendto(header + body + self.sign(b"pi-chat/1 packet\0" + self.room + header + body), to)

    def send_entry(self, to, body):
        """Send an entry as its author has signed it."""
        self.counter += 1
        self.own.sendto(b"PiC\x01\0" + self.room[:4] + self.id + self.counter.to_bytes(6, "big") + body, to)

    def receive(self, datagram, address):
        """Check a datagram and hand it to the handler of its kind."""
        header, body = datagram[:23], datagram[23:]
        sender, signer = header[9:17], sha256(b"pi-chat/1 peer\0", body[1:41])[:8]
        if len(body) < 105 or header[:9] != b"PiC\x01\0" + self.room[:4] or sender == self.id:
            return
        is_entry, counter = body[0] == ENTRY, int.from_bytes(header[17:], "big")
        other = self.others.get(sender) or RemotePeer()
        if not is_entry and (sender != signer or counter <= other.counter):
            return
        signed = b"pi-chat/1 entry\0" + self.room if is_entry else b"pi-chat/1 packet\0" + self.room + header
        try:
            Ed25519PublicKey.from_public_bytes(body[1:33]).verify(body[-64:], signed + body[:-64])
        except (InvalidSignature, ValueError):
            return
        if is_entry:
            return self.on_entry(signer, body)
        other.counter, other.heard_at, other.address = counter, now_ms(), address
        self.others[sender] = other
        handlers = {ANNOUNCE: self.on_announce, AGREE: self.on_agree, OBJECT: self.on_object,
                    HEARTBEAT: self.on_heartbeat, PING: self.on_ping, PONG: self.on_pong, WANT: self.on_want,
                    RECALL: self.on_recall, RECENT: self.on_recent, BYE: self.on_bye}
        if body[0] in handlers:
            handlers[body[0]](other, body)

    # ---- joining (step 5), history (step 6) ----

    def announce(self):
        """Announce the name."""
        if self.state == "announcing":
            self.send(self.group, ANNOUNCE, encode("ibbsns", self.nonce, 1, 1, self.name, 0, " " * 300))

    def on_agree(self, other, body):
        """Note an agreement and answer with a `pong`."""
        (nonce, cookie, _, _, clock, since, name, _, lamport), _ = decode(body, 41, "iibbnnsnn")
        if nonce == self.nonce:
            other.has_agreed, other.clock, other.since, other.name = True, clock, since, name
            self.lamport, self.clock_zero_ms = max(self.lamport, lamport), min(self.clock_zero_ms, now_ms() - clock)
            other.verified_addresses.add(other.address)
            self.send(other.address, PONG, encode("ib", cookie, 1))

    def on_object(self, other, body):
        """Stop: the name is rejected."""
        (nonce, code, by, _, _, _, _, text), _ = decode(body, 41, "inssinns")
        if nonce == self.nonce and self.state == "announcing":
            print(f"!! {safe_text(by)} says no: {safe_text(text)} (error {code})", flush=True)
            sys.exit(77)

    def join(self):
        """Come in, and request the history."""
        self.since, self.state, self.early_entries = self.room_clock(), "recalling", []
        self.send_regular_heartbeat()
        self.request_history()

    def request_history(self):
        """Request the history of the most senior peer that agreed, until it has come."""
        agreed = [(o.since, i) for i, o in self.others.items() if o.has_agreed]
        if agreed and self.state == "recalling":
            self.send(self.others[min(agreed)[1]].address, RECALL, encode("in", self.nonce, 0))
            self.schedule(400, self.request_history)
        elif self.state == "recalling":
            self.finish_joining()

    def on_recent(self, other, body):
        """Take the marks as floors."""
        (nonce, _, _, count), at = decode(body, 41, "innn")
        _, at = decode(body, at, "in" * count)
        (count,), at = decode(body, at, "n")
        marks, _ = decode(body, at, "in" * count)
        if nonce == self.nonce and self.state == "recalling":
            self.have.update(zip(marks[::2], marks[1::2]))
            self.finish_joining()

    def finish_joining(self):
        """Show the history, then what came meanwhile."""
        self.state = "in"
        print(f"-- you are in as {self.name}", flush=True)
        for _, author, sequence, body in sorted(self.early_entries):
            if sequence <= self.have.get(author, 0):  # history; what is above the floors is shown in order below
                self.show(body, "~ ")
            self.logs.setdefault(author, {})[sequence] = body
        for author in list(self.logs):
            self.show_in_order(author)

    # ---- staying (step 7) ----

    def send_regular_heartbeat(self):
        """Send a heartbeat every 2 seconds, and forget peers that were not heard for 10 seconds."""
        self.send_heartbeat()
        for ident in [i for i, o in self.others.items() if now_ms() - o.heard_at > 10_000]:
            self.on_bye(self.others[ident])
        self.schedule(2000, self.send_regular_heartbeat)

    def send_heartbeat(self):
        """Send a heartbeat with an empty page."""
        fields = encode("nnsnnnn", self.room_clock(), self.since, self.name, int(time.time() * 1000),
                        len(self.others) + 1, self.have[self.id], 0)
        self.send(self.group, HEARTBEAT, fields)

    def on_ping(self, other, body):
        """Answer with a `pong`."""
        self.send(other.address, PONG, encode("ib", body[41:49], 1))

    def on_announce(self, other, body):
        """Object to the own name; agree to every other one."""
        (nonce, _, _, name), _ = decode(body, 41, "ibbs")
        if self.state == "announcing" or 23 + len(body) < 400:
            return
        if name_key(unicodedata.normalize("NFC", name)) == name_key(self.name):
            fields = encode("inssinns", nonce, 201, self.name, self.name, self.id, self.room_clock(), self.since,
                            "This is my name.")
            self.send(other.address, OBJECT, fields)
        else:
            fields = encode("iibbnnsnnn", nonce, other.cookie, 0, 1, self.room_clock(), self.since, self.name,
                            len(self.others), self.lamport, int(time.time() * 1000))
            self.send(other.address, AGREE, fields)

    def on_pong(self, other, body):
        """Note a verified address."""
        if body[41:49] == other.cookie:
            other.verified_addresses.add(other.address)

    def on_bye(self, other, body=None):
        """Forget a peer that has left or is silent."""
        self.others = {i: o for i, o in self.others.items() if o is not other}
        if other.name:
            print(f"-- {safe_text(other.name)} is gone", flush=True)

    # ---- saying (step 8), hearing (step 9), helping (step 10) ----

    def say(self, text):
        """Say a message."""
        if not 1 <= len(text.encode()) <= 1000:
            print("!! not sent: a message has 1 to 1,000 bytes", flush=True)
            return
        self.lamport += 1
        fields = encode("nnnsbs", self.have[self.id] + 1, self.lamport, int(time.time() * 1000), self.name, 0, text)
        body = bytes([ENTRY]) + self.signer + fields
        body += self.sign(b"pi-chat/1 entry\0" + self.room + body)
        self.logs[self.id][self.have[self.id] + 1] = body
        self.send_entry(self.group, body)
        self.show_in_order(self.id)
        self.schedule(300, self.send_heartbeat)

    def on_entry(self, author, body):
        """Take an entry that is new."""
        (sequence, lamport), _ = decode(body, 41, "nn")
        self.lamport = max(self.lamport, lamport)
        if self.state == "recalling":
            self.early_entries.append((lamport, author, sequence, body))
        elif self.state == "in" and sequence > self.have.get(author, 0):
            self.logs.setdefault(author, {})[sequence] = body
            self.show_in_order(author)

    def show_in_order(self, author):
        """Show the entries that now follow without a gap."""
        while (body := self.logs[author].get(self.have.setdefault(author, 0) + 1)) is not None:
            self.have[author] += 1
            self.show(body)

    def show(self, body, mark=""):
        """Print an entry."""
        (_, _, _, name, _, text), _ = decode(body, 41, "nnnsbs")
        print(f"{mark}{safe_text(name)}: {safe_text(text)}", flush=True)

    def on_heartbeat(self, other, body):
        """Note the sender's name, room clock and sequence; request its missing entries soon."""
        (other.clock, other.since, name, _, _, other.sequence), _ = decode(body, 41, "nnsnnn")
        if not other.name:
            print(f"-- {safe_text(name)} is here", flush=True)
        other.name = name
        if self.state == "in" and now_ms() >= other.next_want_at:
            other.next_want_at = now_ms() + 100
            self.schedule(100, lambda: self.request_missing(other))

    def request_missing(self, other):
        """Request the entries that a peer has written and that are missing here, until they have come."""
        ident = next((i for i, o in self.others.items() if o is other), None)
        first = self.have.get(ident, 0) + 1
        if ident and first <= other.sequence:
            self.send(other.address, WANT, encode("ninn", 1, ident, first, min(other.sequence, first + 63)))
            other.next_want_at = now_ms() + 500
            self.schedule(400, lambda: self.request_missing(other))

    def on_want(self, other, body):
        """Send the entries that are requested."""
        (count,), at = decode(body, 41, "n")
        ranges, _ = decode(body, at, "inn" * count)
        if self.has_verified_address(other):
            for author, first, last in zip(ranges[::3], ranges[1::3], ranges[2::3]):
                for sequence in range(first, min(last, first + 63) + 1):
                    if sequence in self.logs.get(author, {}):
                        self.send_entry(other.address, self.logs[author][sequence])

    def has_verified_address(self, other):
        """Return True if the peer has sent a cookie back from its address; otherwise ping it there."""
        if other.address not in other.verified_addresses:
            self.send(other.address, PING, encode("ib", other.cookie, 1))
        return other.address in other.verified_addresses

    def on_recall(self, other, body):
        """Send the newest 10 entries, and the marks."""
        (nonce, page), _ = decode(body, 41, "in")
        if self.state != "in" or page != 0 or not self.has_verified_address(other):
            return
        whole = [(decode(body, 41, "nn")[0][1], author, sequence) for author, log in self.logs.items()
                 for sequence, body in log.items() if sequence <= self.have[author]]
        newest, marks = heapq.nlargest(10, whole)[::-1], list(self.have.items())[:60]
        for _, author, sequence in newest:
            self.send_entry(other.address, self.logs[author][sequence])
        fields = encode("innn", nonce, 0, 1, len(newest))
        fields += b"".join(encode("in", author, sequence) for _, author, sequence in newest) + encode("n", len(marks))
        self.send(other.address, RECENT, fields + b"".join(encode("in", *mark) for mark in marks))

    def run(self):
        """Run until the end of the input."""
        for at in (0, 250, 500, 1000, 1500):
            self.schedule(at, self.announce)
        self.schedule(2000, self.join)
        rest = b""
        while True:
            while self.timers and self.timers[0][0] <= now_ms():
                heapq.heappop(self.timers)[-1]()
            timeout = (self.timers[0][0] - now_ms()) / 1000 if self.timers else 1
            inputs = [0] if self.state == "in" else []
            readable, _, _ = select.select([self.shared, self.own, *inputs], [], [], max(0, timeout))
            for ready in readable:
                if ready == 0:
                    data = os.read(0, 65536)
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self.say(line.decode(errors="replace"))
                    if not data:
                        return self.send(self.group, BYE)
                    continue
                try:
                    self.receive(*ready.recvfrom(2048))
                except (IndexError, UnicodeDecodeError, OSError):
                    pass  # a malformed packet, or an ICMP error about an earlier datagram


if __name__ == "__main__":
    TinyPeer(sys.argv[1], int((sys.argv[2:] or [2428])[0]), (sys.argv[3:] or ["0.0.0.0"])[0]).run()
