#!/usr/bin/env python3
"""Tests of the example peers: bytes and vectors (peer_codec.py), and several peers in virtual time on a network
that loses datagrams (peer_engine.py).

    test_chat_peer.py [-v]
"""
import heapq
import json
import pathlib
import random
import unittest

import peer_codec as codec
from peer_codec import Identity, Room
from peer_engine import Peer
from peer_state import BROADCAST, GROUP4, AuthorLog

ROOM = Room("lobby")


class Network:
    """Simulated network: peers at addresses 10.0.0.k, a clock that jumps from event to event, loss and delay."""

    def __init__(self, seed=1, loss=0.0, room=ROOM):
        """*loss*: share of the datagrams that are lost, 0 to 1."""
        self.random, self.loss, self.room, self.now = random.Random(seed), loss, room, 100.0
        self.peers, self.queue, self.ticket, self.alive = {}, [], 0, set()
        self.events, self.sent = {}, []
        self.is_cut = lambda a, b, path: False  # True if nothing gets from a to b by this path

    def add(self, name, hosts=(), **options):
        """Add a peer that starts to join. *seed*: its private key."""
        address = (f"10.0.0.{len(self.peers) + 1}", 5000 + len(self.peers))
        me = Identity(options.pop("seed", self.random.randbytes(32)), self.random.randbytes(8))
        rng = random.Random(self.random.random())
        peer = Peer(name, self.room, me, hosts=hosts, rng=rng, unix_ms=1_700_000_000_000)
        self.peers[address], peer.at = peer, address
        self.events[peer] = []
        self.alive.add(address)
        peer.start(self.now)
        self._wake(address)
        return peer

    def _push(self, at, *what):
        """Schedule an event."""
        self.ticket += 1
        heapq.heappush(self.queue, (at, self.ticket, *what))

    def _wake(self, address):
        """Wake the peer at this address, and deliver what it sends."""
        peer = self.peers[address]
        sends, events, due = peer.wake(self.now)
        self.events[peer] += events
        for datagram, destination in sends:
            self.sent.append((self.now, address, destination, datagram))
            for other in list(self.peers):
                path = 0 if isinstance(destination, tuple) else destination
                if other == address or not path and other != destination or self.is_cut(address, other, path):
                    continue
                if self.random.random() >= self.loss:
                    self._push(self.now + self.random.uniform(0.0005, 0.004), "data", other, datagram, address, path)
        if due is not None:
            self._push(max(due, self.now), "wake", address)

    def run(self, seconds):
        """Let time pass."""
        end = self.now + seconds
        while self.queue and self.queue[0][0] <= end:
            self.now, _, what, address, *rest = heapq.heappop(self.queue)
            if address in self.alive:
                if what == "data":
                    self.peers[address].receive(self.now, *rest)
                self._wake(address)
        self.now = end

    def say(self, peer, text):
        """Have a peer say a message."""
        peer.say(self.now, text)
        self._wake(peer.at)

    def leave(self, peer):
        """Have a peer leave the room."""
        peer.leave(self.now)
        self._wake(peer.at)

    def kill(self, peer):
        """Stop a peer without a goodbye."""
        self.alive.discard(peer.at)

    def texts(self, peer, **wanted):
        """Return the texts of messages that a peer has shown and whose fields have the values *wanted*."""
        return [e["text"] for e in self.events[peer] if e["type"] == "message"
                and all(e[k] == v for k, v in wanted.items())]

    def of_type(self, peer, kind):
        """Return the events of one type of a peer."""
        return [e for e in self.events[peer] if e["type"] == kind]

    def count(self, kind, since=0.0):
        """Return the number of datagrams sent with this kind of packet."""
        return sum(1 for at, _, _, d in self.sent if at >= since and d[23] == codec.KINDS[kind])


class JoiningTest(unittest.TestCase):
    """Joining and the newcomer's history (sections 7 and 8 of udp.md)."""
    def test_history_comes_from_the_most_senior(self):
        net = Network()
        anna = net.add("anna")
        net.run(3)
        for i in range(15):
            net.say(anna, f"m{i}")
        net.run(1)
        bob = net.add("bob")
        net.run(4)
        self.assertEqual(net.texts(bob, history=True), [f"m{i}" for i in range(5, 15)])
        net.say(bob, "hello")
        net.run(0.1)
        net.say(anna, "hi")
        net.run(1)
        self.assertEqual(net.texts(bob, history=False), net.texts(anna)[15:])
        self.assertEqual(len(net.texts(anna)), 17)
        self.assertEqual([e["name"] for e in net.of_type(anna, "here")], ["bob"])

    def test_name_in_use_is_rejected(self):
        net = Network()
        net.add("anna")
        net.run(3)
        second = net.add("ANNA")
        net.run(1)
        self.assertEqual(second.state, "rejected")
        rejected, = net.of_type(second, "rejected")
        self.assertEqual((rejected["by"], rejected["code"]), ("anna", 201))

    def test_rival_with_the_smaller_id_wins(self):
        for seed in range(5):
            net = Network(seed, loss=0.1)
            pair = sorted((net.add("anna"), net.add("Anna")), key=lambda p: p.id)
            net.run(4)
            self.assertEqual([p.state for p in pair], ["in", "rejected"])

    def test_former_run_is_no_objection(self):
        net = Network()
        keeper = net.add("keeper")
        net.run(3)
        anna = net.add("anna", seed=b"s" * 32)
        net.run(8)
        net.kill(anna)
        again = net.add("Anna", seed=b"s" * 32)
        net.run(6)
        self.assertEqual((again.state, again.name), ("in", "Anna"))
        self.assertEqual([o.name for o in keeper.members()], ["Anna"])

    def test_recorded_announce_rejects_nobody(self):
        net = Network()
        rival = Identity(bytes(32))
        value = {"nonce": b"n" * 8, "lowest": 1, "highest": 1, "username": "anna", "agreed": [], "padding": " " * 300}
        header = ROOM.header(rival.id, 1)
        recorded = header + rival.sign_body("announce", value, ROOM.signing_prefix("announce", header))
        for _ in range(8):
            anna = net.add("anna")
            net.run(0.3)
            anna.receive(net.now, recorded, ("10.9.9.9", 1), GROUP4)
            net.run(3)
            self.assertEqual(anna.state, "in")
            net.leave(anna)
            net.run(1)

    def test_only_the_eight_most_senior_agree(self):
        net = Network()
        for i in range(12):
            net.add(f"p{i}")
            net.run(3)
        net.run(10)
        began = net.now
        last = net.add("last")
        net.run(2.1)
        self.assertIn(last.state, ("recalling", "in"))
        self.assertEqual(len({a for at, a, _, d in net.sent if at >= began and d[23] == codec.KINDS["agree"]}), 8)
        net.run(10)
        self.assertTrue(all(len(p.members()) == 12 for p in net.peers.values()))


class RepairTest(unittest.TestCase):
    """Order of messages and repair (sections 9 and 10)."""
    def test_heavy_loss_is_repaired_in_order(self):
        for seed in range(2):
            net = Network(seed, loss=0.25)
            peers = [net.add(n) for n in ("anna", "bob", "cleo", "dan")]
            net.run(15)
            for i in range(40):
                net.say(peers[i % 4], f"m{i}")
                net.run(0.2)
            net.run(20)
            for peer in peers:
                self.assertEqual(sorted(net.texts(peer)), sorted(f"m{i}" for i in range(40)))
                for author in peers:
                    numbers = [e["sequence"] for e in net.of_type(peer, "message") if e["author"] == author.id]
                    self.assertEqual(numbers, list(range(1, 11)))

    def test_order_is_the_same_without_loss(self):
        net = Network()
        peers = [net.add(n) for n in ("anna", "bob", "cleo")]
        net.run(8)
        for i in range(30):
            net.say(peers[i % 3], f"m{i}")
            net.run(0.1)
        net.run(2)
        self.assertEqual(net.texts(peers[0]), [f"m{i}" for i in range(30)])
        self.assertTrue(all(net.texts(p) == net.texts(peers[0]) for p in peers))

    def test_message_outlives_its_author(self):
        net = Network()
        anna, bob, cleo = (net.add(n) for n in ("anna", "bob", "cleo"))
        net.run(8)
        net.is_cut = lambda a, b, path: a == anna.at and b == cleo.at
        net.say(anna, "my last words")
        net.run(0.05)
        net.kill(anna)
        net.run(8)
        self.assertEqual(net.texts(cleo), ["my last words"])

    def test_lost_entry_is_given_up(self):
        net = Network()
        anna, bob = net.add("anna"), net.add("bob")
        net.run(8)
        net.is_cut = lambda a, b, path: a == anna.at
        net.say(anna, "lost")
        net.run(0.1)
        net.is_cut = lambda a, b, path: False
        anna.logs[anna.id].entries.clear()
        net.say(anna, "after")
        net.run(14)
        self.assertEqual(net.texts(bob), ["after"])
        self.assertEqual(len(net.of_type(bob, "missing")), 1)


class MembershipTest(unittest.TestCase):
    """Membership, paths, splits and merges (sections 11 to 13)."""
    def test_goodbye_and_silence_end_membership(self):
        net = Network()
        anna, bob, cleo = (net.add(n) for n in ("anna", "bob", "cleo"))
        net.run(8)
        net.leave(bob)
        net.run(0.2)
        self.assertEqual([e["name"] for e in net.of_type(anna, "gone")], ["bob"])
        net.kill(cleo)
        net.run(7)
        self.assertEqual(len(anna.members()), 1)
        net.run(6)
        self.assertEqual(anna.members(), [])

    def test_loss_ends_no_membership(self):
        net = Network(3, loss=0.3)
        peers = [net.add(f"p{i}") for i in range(6)]
        net.run(20)
        net.events = {p: [] for p in peers}
        net.run(120)
        self.assertEqual([e for p in peers for e in net.of_type(p, "gone")], [])

    def test_split_room_merges_and_renames_one(self):
        for seed in range(4):
            net = Network(seed)
            half = lambda address: int(address[0].split(".")[-1]) % 2   # noqa: E731
            net.is_cut = lambda a, b, path: half(a) != half(b)
            first = [net.add("anna"), ]
            net.run(5)
            peers = first + [net.add(n) for n in ("ANNA", "bob", "cleo")]
            net.run(8)
            for peer in peers:
                net.say(peer, f"from {peer.name}")
            net.run(20)
            net.is_cut = lambda a, b, path: False
            net.run(15)
            self.assertEqual({p.name for p in peers}, {"anna", "ANNA-2", "bob", "cleo"})
            for peer in peers:
                self.assertEqual(set(net.texts(peer)), {"from anna", "from ANNA", "from bob", "from cleo"})
                self.assertEqual({o.name for o in peer.members()}, {p.name for p in peers} - {peer.name})

    def test_named_host_replaces_multicast(self):
        net = Network()
        net.is_cut = lambda a, b, path: path != 0
        hub = net.add("hub")
        peers = [hub] + [net.add(n, hosts=[hub.at]) for n in ("anna", "bob")]
        net.run(15)
        self.assertTrue(all(len(p.members()) == 2 for p in peers))
        net.kill(hub)
        net.run(15)
        net.say(peers[1], "without a hub")
        net.run(1)
        self.assertEqual(net.texts(peers[2]), ["without a hub"])

    def test_idle_room_sends_heartbeats_only(self):
        net = Network()
        for i in range(10):
            net.add(f"p{i}")
            net.run(0.3)
        net.run(60)
        since = net.now
        net.run(60)
        counted = {kind: net.count(kind, since) for kind in codec.KINDS if net.count(kind, since)}
        self.assertEqual(set(counted), {"heartbeat"})
        self.assertLess(counted["heartbeat"], 10 * 30 * 1.4)


class CodecTest(unittest.TestCase):
    """Encoding and decoding (README, section 1; section 15)."""
    def test_varints_round_trip(self):
        for kind, value, raw in ((codec.U16, 300, "ac02"), (codec.U32, 16384, "808001"), (codec.U8, 200, "c8"),
                                 (codec.U64, 2**64 - 1, "ff" * 9 + "01")):
            self.assertEqual(kind.write(value).hex(), raw)
            self.assertEqual(kind.read(bytes.fromhex(raw), 0), (value, len(raw) // 2))
        for kind, raw in ((codec.U16, "808004"), (codec.U16, "8000"), (codec.U64, "ff" * 9 + "02"), (codec.U32, "80")):
            with self.assertRaises(codec.Malformed):
                kind.read(bytes.fromhex(raw), 0)

    def test_packets_round_trip(self):
        me, nobody, numbers = Identity(), bytes(8), random.Random(5)
        for room in (ROOM, Room("attic", master=b"m" * 32)):
            for kind, fields in codec.FIELDS.items():
                value, header = _sample_value(fields, numbers), room.header(me.id, 9)
                datagram = room.seal(header, me.sign_body(kind, value, room.signing_prefix(kind, header)))
                packet = codec.read_packet(room, nobody, datagram)
                self.assertEqual((packet.kind, packet.value, packet.counter), (kind, value, 9))
                self.assertTrue(packet.has_valid_signature(room))
                packet.body = packet.body[:-1] + bytes([packet.body[-1] ^ 1])
                self.assertFalse(packet.has_valid_signature(room))

    def test_random_bytes_are_dropped(self):
        numbers = random.Random(7)
        peer = Peer("anna", ROOM)
        peer.start(0)
        for _ in range(2000):
            start = ROOM.header(b"12345678", 1) if numbers.random() < 0.9 else b""
            peer.receive(1, start + numbers.randbytes(numbers.randrange(300)), ("10.1.1.1", 1), 1)
        self.assertEqual(peer.others, {})


def _sample_value(field, numbers):
    """Return some value of this type."""
    if isinstance(field, codec.UInt):
        return numbers.randrange(field.minimum, field.below or 1 << field.bits)
    if isinstance(field, codec.Raw):
        return numbers.randbytes(field.size)
    if isinstance(field, codec.Text):
        return "ä" * (field.maximum // 2)
    if isinstance(field, codec.ListOf):
        return [_sample_value(field.item, numbers) for _ in range(3)]
    value = {name: _sample_value(inner, numbers) for name, inner in field.fields.items()}
    if "last" in value:
        value["last"] = value["first"] = min(value["first"], 1 << 31)
    return value


VECTORS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "protocol" / "vectors"


def load(name):
    """Return the vectors of a file."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


class VectorTest(unittest.TestCase):
    """The vectors of README, section 10, and of udp.md, section 20."""

    def each(self, name):
        """Yield the vectors of a file, each as a subtest."""
        for vector in load(name):
            with self.subTest(file=name, vector=vector.get("name") or str(vector)[:100]):
                yield vector

    def test_varint_vectors(self):
        types = {"u8": codec.U8, "u16": codec.U16, "u32": codec.U32, "u64": codec.U64}
        for v in self.each("varints.json"):
            raw = bytes.fromhex(v["hex"])
            if "refused" in v:
                with self.assertRaises(codec.Malformed):
                    types[v["type"]].read(raw, 0)
            elif v["type"] in types:
                self.assertEqual(types[v["type"]].write(int(v["value"])), raw)
                self.assertEqual(types[v["type"]].read(raw, 0), (int(v["value"]), len(raw)))

    def test_name_vectors(self):
        for v in self.each("names.json"):
            name = codec.check_name(v["input"])
            self.assertEqual(name, v.get("name"))
            if name is not None:
                self.assertEqual(codec.name_key(name), v["key"])

    def test_room_vectors(self):
        for v in self.each("udp-rooms.json"):
            room = _room(v)
            self.assertEqual((room.id.hex(), room.tag.hex()), (v["room_id"], v["tag"]))
            self.assertEqual(room.master and room.master.hex(), v["master"])

    @unittest.skipUnless(codec.Argon2id, "this version of cryptography has no Argon2id")
    def test_passphrase_vectors(self):
        for v in self.each("udp-rooms.json"):
            if v["passphrase"] is not None:
                self.assertEqual(Room(v["room"], v["passphrase"]).master.hex(), v["master"])

    def test_packet_vectors(self):
        for v in self.each("udp-packets.json"):
            room, value = _room(v), _from_json(codec.FIELDS[v["packet"]], v["value"])
            signer = Identity(bytes.fromhex(v["seed"]), bytes.fromhex(v["incarnation"]))
            sender = signer
            if "sender_seed" in v:
                sender = Identity(bytes.fromhex(v["sender_seed"]), bytes.fromhex(v["sender_incarnation"]))
            header = room.header(sender.id, int(v["counter"]))
            body = signer.sign_body(v["packet"], value, room.signing_prefix(v["packet"], header))
            self.assertEqual((body.hex(), room.seal(header, body).hex()), (v["body"], v["datagram"]))
            self.read(v, room)

    def test_tolerated_vectors(self):
        for v in self.each("udp-tolerated.json"):
            self.read(v, _room(v))

    def read(self, v, room):
        """Check that the datagram of a vector is accepted and has its value."""
        packet = codec.read_packet(room, bytes(8), bytes.fromhex(v["datagram"]))
        self.assertEqual((packet.kind, packet.value), (v["packet"], _from_json(codec.FIELDS[v["packet"]], v["value"])))
        self.assertTrue(packet.has_valid_signature(room))

    def test_invalid_vectors(self):
        for v in self.each("udp-invalid.json"):
            peer = Peer("receiver", _room(v))
            peer.id, peer.state = bytes([1] * 8), "in"
            peer.logs = {peer.id: AuthorLog()}
            self.assertEqual(self.step(peer, bytes.fromhex(v["datagram"])), int(v["step"]))

    @staticmethod
    def step(peer, datagram):
        """Return the step in which a datagram is dropped, or None.

        For an entry, the question about its sender is left out.
        """
        try:
            packet = codec.read_packet(peer.room, peer.id, datagram)
            if packet.kind == "entry":
                return None if packet.signer != peer.id and packet.has_valid_signature(peer.room) else 8
        except codec.Dropped as drop:
            return drop.step
        peer.receive(1.0, datagram, ("10.1.1.1", 1), GROUP4)
        return next(iter(peer.dropped), None)


MASTERS = {(v["room"], v["passphrase"]): v["master"] for v in load("udp-rooms.json")}


def _room(v):
    """Return the room of a vector. If udp-rooms.json has its master key, Argon2id is not needed."""
    master = MASTERS.get((v["room"], v["passphrase"]))
    if v["passphrase"] is None or master:
        return Room(v["room"], master=master and bytes.fromhex(master))
    MASTERS[v["room"], v["passphrase"]] = Room(v["room"], v["passphrase"]).master.hex()
    return _room(v)


def _from_json(field, value):
    """Convert a value of the vectors for the codec: bytes are hex, large numbers strings."""
    if isinstance(field, codec.Struct):
        return {name: _from_json(inner, value[name]) for name, inner in field.fields.items()}
    if isinstance(field, codec.ListOf):
        return [_from_json(field.item, item) for item in value]
    if isinstance(field, codec.UInt):
        return int(value)
    return bytes.fromhex(value) if isinstance(field, codec.Raw) else value


if __name__ == "__main__":
    unittest.main()
