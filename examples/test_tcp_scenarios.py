#!/usr/bin/env python3
"""Runs docs/protocol/vectors/tcp-scenarios.json against the Session of chat_client.py.

    python3 examples/test_tcp_scenarios.py
"""

import unittest

import codec
from chat_client import ConnectionLost, ProtocolError, Refused, Session
from scenarios import Bindings, load

# Scenarios that this client does not pass, and why.
KNOWN_DIFFERENCES = {}


def to_python(frame, value):
    """Convert a value of the vectors for the codec."""
    kind = codec.KINDS[frame]
    kinds, fields = dict(codec.FRAMES[kind][1]), {}
    for key, item in value.items():
        key = {"from": "from_name", "to": "to_name"}.get(key, key) if kind in (11, 68) else key
        fields[key] = bytes.fromhex(item) if kinds[key].startswith("bytes") else item
    return fields


def to_vector(item):
    """Convert a value of the codec as the vectors write it."""
    if isinstance(item, tuple):
        return {"log_id": item[0].hex(), "sequence": item[1]}
    return item.hex() if isinstance(item, bytes) else item


class Mismatch(AssertionError):
    """The client did something else than the scenario expects."""


class ScenarioRun:
    """A scenario and the session under test."""

    def __init__(self, scenario):
        """Make the session as the scenario describes it."""
        self.scenario, self.bindings = scenario, Bindings()
        client = scenario["client"]
        kept, saved = client.get("kept"), None
        if kept:
            saved = {"token": kept["token"], "rooms": kept["rooms"], **kept["position"]}
        self.session = Session(client["username"], client["rooms"], client.get("password"), saved)
        self.is_connected, self.ended, self.typed = False, False, []
        self.allowed, self.sent_allowed, self.retry_after = [], [], 0

    def step(self, step):
        """Do what a step says, and compare."""
        now, session = step["at"] / 1000, self.session
        self.run_guarded(lambda: self.is_connected and session.tick(now))
        if "connect" in step:
            session.connected(now)
            self.is_connected, self.allowed, self.sent_allowed = True, [], []
        for frame in step.get("server", []):
            wire = bytes.fromhex(frame["wire"])
            if "frame" in frame:
                value = self.bindings.fill(frame["value"])
                wire = codec.encode_frame(frame["frame"], **to_python(frame["frame"], value))
            self.run_guarded(lambda: self.is_connected and session.receive(wire, now))
        if "user" in step:
            self.typed += typed_lines(step["user"], session)
        while self.typed and self.is_connected and session.accepts_input():
            session.handle_line(self.typed.pop(0))
        if "drop" in step:
            self.is_connected = False
        if "restart" in step:
            client = self.scenario["client"]
            saved = session.to_save() or self.saved_state()
            self.session = Session(step["restart"]["username"], client["rooms"], client.get("password"), saved)
            self.ended = self.is_connected = False
        self.compare(step)

    def saved_state(self):
        """Return the saved state that the scenario gives to the client."""
        kept = self.scenario["client"].get("kept")
        return kept and {"token": kept["token"], "rooms": kept["rooms"], **kept["position"]}

    def run_guarded(self, action):
        """Do something that may end the connection."""
        try:
            action()
        except (Refused, ProtocolError):
            self.ended, self.is_connected = True, False
        except ConnectionLost:
            self.is_connected = False

    def take_sent(self):
        """Return the frames that the session has sent since the last call."""
        out, frames = bytes(self.session.outgoing), []
        self.session.outgoing.clear()
        while out:
            length = int.from_bytes(out[:2], "big")
            fields = vars(codec.decode_frame(out[2:2 + length]))
            name = fields.pop("name")
            frames.append({"frame": name, "value": {key: to_vector(item) for key, item in fields.items()}})
            out = out[2 + length:]
        return frames

    def compare(self, step):
        """Compare frames, lines and position with what the step expects."""
        pattern = lambda it: {"frame": it["frame"], "value": it["value"]}  # noqa: E731
        self.allowed += map(pattern, step.get("may", []))
        expected = [pattern(it) for it in step.get("client", [])]
        for frame in self.take_sent():
            if expected and self.bindings.matches(expected[0], frame):
                expected.pop(0)
                continue
            allowed = next((it for it in self.allowed if self.bindings.matches(it, frame)), None)
            if allowed:
                self.allowed.remove(allowed)
                self.sent_allowed.append(frame)
            elif frame["frame"] != "ping":
                raise Mismatch(f"it sent {frame}")
        for frame in expected:
            granted = next((it for it in self.sent_allowed if self.bindings.matches(frame, it)), None)
            if not granted:
                raise Mismatch(f"it did not send {frame}")
            self.sent_allowed.remove(granted)
        shown = [it for it in self.session.lines if it.lstrip("~")[:1] == "[" or it.startswith("-- was taken")]
        told = [it for it in self.session.lines if it not in shown]
        self.session.lines.clear()
        self.compare_lines(step.get("shown", []), shown, lambda it, line: line.endswith(it["text"]))
        news = [it for it in told if any(word in it for word in TOLD.values())]
        self.compare_lines(step.get("told", []), news, lambda it, line: TOLD[next(iter(it))] in line)
        position = self.session.position and to_vector(self.session.position)
        if "position" in step and step["position"] != position:
            raise Mismatch(f"position is {position}")
        texts = [f["text"] for _, f in self.session.pending.values() if "text" in f] + \
                [it for it in self.typed if not it.startswith("/")]
        if "unacknowledged" in step and step["unacknowledged"] != texts:
            raise Mismatch(f"unacknowledged is {texts}")
        if ("ended" in step) != self.ended:
            raise Mismatch("it has ended" if self.ended else "it goes on")

    @staticmethod
    def compare_lines(expected, actual, matches_line):
        """Compare two lists; items of `expected` may be optional."""
        rest = list(actual)
        for item in expected:
            if rest and matches_line(item, rest[0]):
                rest.pop(0)
            elif not item.get("optional"):
                raise Mismatch(f"{item} is missing in {actual}")
        if rest:
            raise Mismatch(f"{rest} is too much")


# What the lines of a step's `told` have in them.
TOLD = {"gap": "something between is missing", "position_lost": "log is a new one", "refused": "not sent:",
        "notice": "-- server:", "perhaps": "perhaps not done", "removed": "was removed", "sent_out": "you were sent out of", "topic": "topic of"}


def typed_lines(request, session):
    """Return the lines that a user types for a request."""
    (what, value), = request.items()
    if what == "say":
        go = [] if session.find_room(value["room"], [session.current]) else ["/join " + value["room"]]
        return [*go, value["text"]]
    if what == "direct":
        return [f"/msg {value['to']} {value['text']}"]
    if what in ("topic", "remove"):
        return [f"/{what} {value.get('text', value.get('sequence'))}"]
    if what == "history":
        return [f"/history {value['limit']}"]
    return [{"enter": "/join ", "leave": "/leave "}[what] + value["room"]]


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
    def test_client_passes_all_scenarios(self):
        """Those in KNOWN_DIFFERENCES have to fail."""
        for scenario in load("tcp-scenarios.json"):
            with self.subTest(scenario["name"]):
                if scenario["name"] not in KNOWN_DIFFERENCES:
                    run_scenario(scenario)
                    continue
                with self.assertRaises(AssertionError):
                    run_scenario(scenario)

    def test_wrong_expectation_fails(self):
        """A scenario with a wrong position."""
        scenario = load("tcp-scenarios.json")[0]
        scenario["steps"][-1]["position"]["sequence"] += 1
        with self.assertRaises(AssertionError):
            run_scenario(scenario)


if __name__ == "__main__":
    unittest.main()
