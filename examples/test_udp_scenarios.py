#!/usr/bin/env python3
"""Runs docs/protocol/vectors/udp-scenarios.json against the Peer of peer_engine.py.

    python3 examples/test_udp_scenarios.py
"""

import random
import unittest

import peer_codec as codec
from peer_codec import FIELDS, Identity, Room, make_entry, make_packet
from peer_engine import Peer
from peer_state import BROADCAST, GROUP4
from scenarios import Bindings, load

START, WALL_CLOCK = 100.0, 1_760_000_000_000  # the engine's clock in seconds, the time of day in milliseconds

# Scenarios that this engine does not pass, and why.
KNOWN_DIFFERENCES = {
    "joining: the objection of a stranger does not count": "it takes each objection for a rejection",
    "a loss, asked for again, repaired by another": "it asks again after 400 to 600 ms in place of 200 to 300",
    "a peer that only others hear": "it asks for the address a second too early",
}


def from_json(field, value):
    """Convert a value of the vectors for the codec."""
    if isinstance(field, codec.Struct):
        return {name: from_json(inner, value[name]) for name, inner in field.fields.items()}
    if isinstance(field, codec.ListOf):
        return [from_json(field.item, item) for item in value]
    return bytes.fromhex(value) if isinstance(field, codec.Raw) else value


def to_json(value):
    """Convert a value of the codec as the vectors write it."""
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def address_of(text):
    """Convert `10.0.0.1:9` to an address of the engine."""
    host, _, port = text.rpartition(":")
    return host, int(port)


class Mismatch(AssertionError):
    """The peer did something else than the scenario expects."""


class ScenarioRun:
    """A scenario, the peers that it plays, and the peer under test."""

    def __init__(self, scenario):
        """Make the peer as the scenario describes it, and start it."""
        identity = lambda of: Identity(bytes.fromhex(of["seed"]), bytes.fromhex(of["incarnation"]))  # noqa: E731
        self.room = Room(scenario["room"], scenario["passphrase"])
        self.others = {name: (identity(of), address_of(of["address"])) for name, of in scenario["others"].items()}
        self.bindings, self.sent, self.shown, self.told = Bindings(), [], [], []
        self.now, self.due, self.ended = 0, None, None
        own = scenario["peer"]
        self.peer = Peer(own["username"], self.room, identity(own), paths=GROUP4 | BROADCAST, rng=random.Random(5),
                         unix_ms=WALL_CLOCK - START * 1000)
        self.peer.start(START)
        self.wake(0)

    def wake(self, at):
        """Wake the engine at a time in milliseconds, and note what it does."""
        self.now = at
        sends, events, due = self.peer.wake(START + at / 1000)
        self.due = None if due is None else max(due - START, 0) * 1000
        by_datagram = {}
        for datagram, destination in sends:
            by_datagram.setdefault(datagram, []).append(destination)
        for datagram, destinations in by_datagram.items():
            packet = codec.read_packet(self.room, bytes(8), datagram)
            value = to_json(packet.value)
            if packet.kind == "entry":
                value["author"] = packet.signer.hex()
            to = [name for name, (_, address) in self.others.items() if address in destinations]
            if GROUP4 in destinations or len(to) == len(self.others):
                to.append("all")
            if {GROUP4, BROADCAST} <= set(destinations):
                to.append("ways")
            self.sent.append([at, {"packet": packet.kind, "to": to, "bytes": len(datagram), "value": value}])
        for event in events:
            self.note(event)

    def note(self, event):
        """Note an event that a user would see."""
        if event["type"] == "message":
            self.shown.append({"from": event["name"], **{k: event[k] for k in ("sequence", "text", "history", "late")}})
        elif event["type"] == "missing":
            self.told.append("gap")
        elif event["type"] == "renamed" and event["new"] == self.peer.name:
            self.told.append({"renamed": event["new"]})
        elif event["type"] == "rejected":
            self.ended = {"rejected": {"by": event["by"], "code": event["code"]}}

    def advance(self, until):
        """Let time pass."""
        while self.due is not None and self.due <= until:
            self.wake(max(self.due, self.now))
        self.now = until

    def datagram(self, packet):
        """Return the datagram of a packet, with the values that the peer has chosen."""
        if "packet" not in packet:
            return bytes.fromhex(packet["datagram"])
        sender = self.others[packet["from"]][0]
        value = from_json(FIELDS[packet["packet"]], self.bindings.fill(packet["value"]))
        if packet["packet"] != "entry":
            return make_packet(sender, self.room, packet["counter"], packet["packet"], value)
        author = self.others[packet.get("author", packet["from"])][0]
        return self.room.seal(self.room.header(sender.id, packet["counter"]), make_entry(author, self.room, value))

    def step(self, step):
        """Do what a step says, and compare."""
        first, last = step.get("between", [step.get("at")] * 2)
        self.advance(last)
        now = START + last / 1000
        if "in" in step:
            packet = step["in"]
            address = address_of(packet["address"]) if "address" in packet else self.others[packet["from"]][1]
            self.peer.receive(now, self.datagram(packet), address, GROUP4 if packet["by"] == "group" else 0)
            self.wake(last)
        if "user" in step:
            if "say" in step["user"]:
                self.peer.say(now, step["user"]["say"])
            else:
                self.peer.leave(now)
                self.ended = "left"
            self.wake(last)
        within = [it for it in self.sent if first <= it[0] <= last]
        if "out" in step:
            found = next((it for it in reversed(within) if self.matches_sent(step["out"], it[1])), None)
            if not found:
                raise Mismatch(f"not sent, but {[it[1] for it in within]}")
            self.sent.remove(found)
        if "not_out" in step:
            found = next((it for it in within if self.matches_sent(step["not_out"], it[1])), None)
            if found:
                raise Mismatch(f"it sent {found}")
        state = {"shown": self.shown, "told": self.told, "ended": self.ended, "name": self.peer.name,
                 "members": sorted([self.peer.name, *(it.name for it in self.peer.members())])}
        for key, actual in state.items():
            if key in step and not self.bindings.matches(step[key], actual):
                raise Mismatch(f"{key} is {actual}")

    def matches_sent(self, expected, sent):
        """Return True if the sent datagram is the one that is described."""
        expected = dict(expected)
        to = expected.pop("to", sent["to"])
        any_of = [to] if isinstance(to, str) else to
        return (not any_of or any(it in sent["to"] for it in any_of)) and self.bindings.matches(expected, sent)


def run_scenario(scenario):
    """Run all steps of a scenario."""
    run = ScenarioRun(scenario)
    for number, step in enumerate(scenario["steps"]):
        try:
            run.step(step)
        except (Mismatch, KeyError) as why:
            raise AssertionError(f"step {number}, {step}: {why!r}") from why


class ScenarioTest(unittest.TestCase):
    """All scenarios, and a proof that the runner can fail."""
    def test_peer_passes_all_scenarios(self):
        """Those in KNOWN_DIFFERENCES have to fail."""
        for scenario in load("udp-scenarios.json"):
            with self.subTest(scenario["name"]):
                if scenario["name"] not in KNOWN_DIFFERENCES:
                    run_scenario(scenario)
                    continue
                with self.assertRaises(AssertionError):
                    run_scenario(scenario)

    def test_wrong_expectation_fails(self):
        """A scenario with the messages in a wrong order."""
        scenario = next(it for it in load("udp-scenarios.json") if it["name"].startswith("duplicates"))
        scenario["steps"][-1]["shown"].reverse()
        with self.assertRaises(AssertionError):
            run_scenario(scenario)


if __name__ == "__main__":
    unittest.main()
