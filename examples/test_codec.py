"""Tests of codec.py and chat_client.py with the bytes of docs/protocol: those on the pages, and all vectors.

    python3 examples/test_codec.py
"""

import datetime
import json
import pathlib
import re
import unicodedata
import unittest

import chat_client
import codec

PAGES = pathlib.Path(__file__).resolve().parent.parent / "docs" / "protocol"
README = (PAGES / "README.md").read_text(encoding="utf-8")
TCP = (PAGES / "tcp.md").read_text(encoding="utf-8")


def from_hex(text):
    """Convert hex with blanks to bytes."""
    return bytes.fromhex("".join(text.split()))


def vectors(name):
    """Return the vectors of a file (README, section 10)."""
    found = json.loads((PAGES / "vectors" / name).read_text(encoding="utf-8"))
    assert len(found) > 50, name
    return found


def fields_of_vector(vector):
    """Convert the `value` of a vector for the codec."""
    kinds = dict(codec.FRAMES[vector["kind"]][1])
    fields = {key: codec.default(field_type) for key, field_type in kinds.items() if field_type.endswith("~")}
    for key, value in vector["value"].items():
        key = {"from": "from_name", "to": "to_name"}.get(key, key) if vector["kind"] in (11, 68) else key
        field_type = kinds[key].rstrip("?~")
        if value is not None and field_type.startswith("bytes"):
            value = bytes.fromhex(value)
        elif value is not None and field_type == "position":
            value = bytes.fromhex(value["log_id"]), int(value["sequence"])
        elif field_type == "proof":
            value = {"key": bytes.fromhex(value["key"]), "binding": value["binding"],
                     "signature": bytes.fromhex(value["signature"])}
        elif field_type[0] == "u":
            value = int(value)  # above 2**53 it is a string
        elif field_type.rstrip("*") in codec.STRUCTS:
            numbers = {name for name, t in codec.STRUCTS[field_type.rstrip("*")] if t[0] == "u"}
            value = [{k: int(v) if k in numbers else v for k, v in item.items()} for item in value]
        fields[key] = value
    return fields


def decode(body):
    """Return name and fields of a body."""
    fields = vars(codec.decode_frame(body))
    return fields.pop("name"), fields


def session_in(state):
    """Return a Session in this state."""
    session = chat_client.Session("anna", ["lobby"])
    session.connected(0.0)
    session.outgoing.clear()
    session.log_id = bytes(16)
    session.state = {"joined": "live"}.get(state, state)
    return session


class PageTest(unittest.TestCase):
    """Bytes and tables on the protocol pages."""

    def test_conversation_of_section_18_round_trips(self):
        """Each frame of the conversation is decoded and encoded again; each truncation is refused."""
        frames = []
        for lines in re.findall(r"```\n(00 [0-9a-f]{2} {26}.*?)```", TCP.split("## 18.")[1], re.S):
            wire = from_hex("".join(re.split(r" {4,}", line)[0] for line in lines.splitlines()))
            while wire:
                length = int.from_bytes(wire[:2], "big")
                name, fields = decode(wire[2:2 + length])
                self.assertEqual(codec.encode_frame(name, **fields), wire[:2 + length])
                for cut in range(length):  # every cut is malformed
                    with self.assertRaises(codec.ProtocolError):
                        codec.decode_frame(wire[2:2 + cut])
                frames.append((name, fields))
                wire = wire[2 + length:]
        self.assertEqual([name for name, _ in frames],
                         "hello join server_hello welcome entered end say entry".split())
        when = datetime.datetime.fromtimestamp(frames[3][1]["time"] / 1000, datetime.timezone.utc)
        self.assertIn(when.strftime("(%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC)", TCP)

    def test_frames_of_section_1(self):
        """The three frames of the minimal client."""
        wires = [codec.encode_frame("hello", magic=b"PiCh", min_version=1, max_version=1, features=0,
                                client_name="tiny", client_version="1"),
                 codec.encode_frame("join", username="anna", password=None, rooms=[], token=None, position=None),
                 codec.encode_frame("say", reference=1, room="lobby", style=0, text="hi")]
        on_page = re.findall(r"`(00 0[0-9a-f] [0-9a-f ]+)`", TCP.split("## 2.")[0])
        self.assertEqual([from_hex(text) for text in on_page], wires)

    def test_tables_of_section_14(self):
        """Kinds, names, fields and types."""
        section = TCP.split("## 14. ")[1].split("\n## 15. ")[0]
        tables = {}
        for block in section.split("\n### ")[1:]:
            fields = re.findall(r"^\| (\w+) \| ([^|]+?) \|", block, re.M)
            for kind, name in re.findall(r"(\d+) `(\w+)`", block.split("\n")[0]):
                tables[int(kind)] = name, [field for field, _ in fields if field != "field"], fields
        self.assertEqual(set(tables), set(codec.FRAMES))
        plain = {"bytes[4]": "bytes4", "option\\<string\\>": "string?", "list\\<string\\>": "string*",
                 "option\\<bytes[16]\\>": "bytes16?", "bytes[16]": "bytes16", "bytes[32]": "bytes32",
                 "option\\<{key: bytes[32], binding: u8, signature: bytes[64]}\\>": "proof?"}
        for name, struct in codec.STRUCTS.items():
            plain["list\\<{" + ", ".join(map(": ".join, struct)) + "}\\>"] = name + "*"
        for kind, (name, ours) in codec.FRAMES.items():
            fields = [(field, field_type) for field, field_type in tables[kind][2] if field != "field"]
            theirs = [(field, "position?" if field == "position" else plain.get(field_type, field_type))
                      for field, field_type in fields]
            on_page = {"from_name": "from", "to_name": "to"}
            ours = [(on_page.get(field, field), field_type.rstrip("~")) for field, field_type in ours]
            self.assertEqual((tables[kind][0], theirs), (name, ours))

    def test_final_errors_match_the_registry(self):
        """Final errors that close the connection; from 200 on all but 205 do not close (README, section 7)."""
        rows = re.findall(r"^\| (\d+) \| `\w+` \| (\w+) \| (\S+)", README, re.M)
        self.assertEqual({int(code) for code, closes, final in rows if closes == final == "yes"}, chat_client.FINAL)
        self.assertTrue(all(closes == "no" for code, closes, _ in rows if int(code) >= 200 and code != "205"))


class VectorTest(unittest.TestCase):
    """The vectors, file by file."""

    def test_varint_vectors(self):
        """Both directions, and refusals."""
        for vector in vectors("varints.json"):
            with self.subTest(vector):
                reader, bits = codec.Reader(bytes.fromhex(vector["hex"])), int(vector["type"][1:])
                if "refused" in vector:
                    with self.assertRaises(codec.ProtocolError):
                        reader.varint(bits)
                else:
                    self.assertEqual(reader.varint(bits), int(vector["value"]))
                    self.assertEqual(reader.offset, len(reader.body))
                    self.assertEqual(codec.encode_varint(int(vector["value"])), reader.body)

    def test_name_vectors(self):
        """The functions on the page (README, section 2), and our own name_key."""
        page = {}
        exec(README.split("```python\n")[1].split("```")[0], page)  # noqa: S102
        for vector in vectors("names.json"):
            if any(unicodedata.category(character) == "Cn" and "name" in vector for character in vector["input"]):
                continue  # newer than this Python's tables
            with self.subTest(vector):
                name = page["check_name"](vector["input"])
                self.assertEqual(name, vector.get("name"))
                if name is not None:
                    self.assertEqual((page["name_key"](name), chat_client.name_key(name)), (vector["key"],) * 2)

    def test_text_vectors(self):
        """Accepted texts can be sent, too long ones cannot; all are shown safely."""
        for vector in vectors("texts.json"):
            text = vector["repeat"] * vector["times"] if "repeat" in vector else vector["text"]
            with self.subTest(vector):
                session = session_in("joined")
                session.say(0, text)
                size = len(text.encode())
                self.assertEqual(len(session.pending), 1 if 1 <= size <= 4096 else 0)
                if vector["accepted"]:
                    self.assertEqual(decode(bytes(session.outgoing[2:]))[1]["text"], text)
                shown = chat_client.safe_block(text).replace("\n    | ", "")
                self.assertFalse([x for x in shown if x != "\t" and unicodedata.category(x) in ("Cc", "Zl", "Zp")])

    def test_frame_vectors(self):
        """Both directions."""
        for vector in vectors("tcp-frames.json"):
            with self.subTest(vector["name"]):
                name, fields = decode(bytes.fromhex(vector["body"]))
                self.assertEqual((name, fields), (vector["frame"], fields_of_vector(vector)))
                self.assertEqual(codec.encode_frame(name, **fields).hex(), vector["wire"])

    def test_tolerated_vectors(self):
        """Unusual frames that a receiver has to accept."""
        for vector in vectors("tcp-tolerated.json"):
            with self.subTest(vector["name"]):
                if "ignored" not in vector:
                    name, fields = decode(bytes.fromhex(vector["body"]))
                    self.assertEqual((name, fields), (vector["frame"], fields_of_vector(vector)))
                if vector["from"] == "server":
                    session = session_in(vector["state"])
                    try:
                        session.receive(bytes.fromhex(vector["wire"]), 1.0)
                    except chat_client.Refused:
                        self.assertEqual(vector["frame"], "error")
                    if "ignored" in vector:
                        self.assertEqual((session.lines, session.outgoing, session.state), ([], b"", session_in(
                            vector["state"]).state))

    def test_invalid_vectors(self):
        """Frames that a server must not send: the client closes, however the bytes are cut."""
        count = 0
        for vector in vectors("tcp-invalid.json"):
            if vector["from"] == "server":
                count += 1
                for size in (1, 1 << 20):
                    with self.subTest(vector["name"], size=size), self.assertRaises(codec.ProtocolError):
                        session, wire = session_in(vector["state"]), bytes.fromhex(vector["wire"])
                        for at in range(0, len(wire), size):
                            session.receive(wire[at:at + size], 1.0)
        self.assertGreater(count, 100)


WELCOME = dict(session=7, username="anna", token=b"t" * 16, flags=0, last_reference=0, log_id=b"l" * 16, time=0,
               server_name="pi", rooms=["lobby"], max_text=4096, max_rooms=16, history_length=10, ping_interval=30,
               idle_timeout=60, session_lifetime=86400, burst=60, per_minute=600, keep_days=0,
               keep_messages=0, keep_bytes=0)
HELLO = dict(version=1, min_version=1, max_version=1, features=1, server_program="", server_version="")
END = dict(about=2, reference=0, head=0, flags=0)
ENTRY = dict(flags=0, sequence=1, previous=0, room="lobby", session=7, username="anna", time=0, reference=1, style=0,
             text="hi")


class SessionTest(unittest.TestCase):
    """Sessions: resuming, and sending again (section 6)."""

    def frames(self, session, *frames):
        """Receive frames; return the frames that the session sends then."""
        session.outgoing.clear()
        for name, fields in frames:
            session.receive(codec.encode_frame(name, **fields), 1.0)
        return self.sent(session)

    @staticmethod
    def sent(session):
        """Returns the frames that are waiting to be sent."""
        wire, sent = bytes(session.outgoing), []
        while wire:
            length = int.from_bytes(wire[:2], "big") + 2
            sent.append(decode(wire[2:length]))
            wire = wire[length:]
        return sent

    def joined(self):
        """Return a session that has sent two messages without an answer, and has reconnected."""
        session = chat_client.Session("anna", [])
        session.connected(0.0)
        self.assertEqual(self.frames(session, ("server_hello", HELLO), ("welcome", WELCOME)), [])
        self.assertFalse(session.accepts_input())
        self.frames(session, ("end", {**END, "head": 4}))
        self.assertTrue(session.accepts_input())
        session.handle_line("one")
        session.handle_line("two")
        self.reconnect(session, 1.0)
        return session

    def reconnect(self, session, now):
        """Connects again; returns the fields of the `join`, which waits for `server_hello`."""
        session.connected(now)
        (join, fields), = self.frames(session, ("server_hello", HELLO))
        self.assertEqual(join, "join")
        return fields

    def test_join_with_a_token_waits_for_server_hello(self):
        """Without a token `join` follows `hello` at once (section 4)."""
        session = chat_client.Session("anna", [])
        session.connected(0.0)
        self.assertEqual([name for name, _ in self.sent(session)], ["hello", "join"])
        self.frames(session, ("server_hello", HELLO), ("welcome", WELCOME), ("end", END))
        session.connected(1.0)
        self.assertEqual([name for name, _ in self.sent(session)], ["hello"])
        self.assertEqual([name for name, _ in self.frames(session, ("server_hello", HELLO))], ["join"])

    def test_kept_session_resends_unacknowledged_messages(self):
        """An echo removes a message; the others are sent again with their references."""
        session = self.joined()
        join = self.reconnect(session, 1.0)
        self.assertEqual((join["token"], join["position"], join["rooms"]), (b"t" * 16, (b"l" * 16, 4), ["lobby"]))
        sent = self.frames(session, ("welcome", {**WELCOME, "flags": 3}),
                           ("entry", {**ENTRY, "flags": 1, "sequence": 5}), ("end", END))
        self.assertEqual(sent, [("say", dict(reference=2, room="lobby", style=0, text="two"))])
        self.assertEqual(session.position, (b"l" * 16, 5))
        self.frames(session, ("accepted", dict(reference=2)))
        self.assertTrue(session.is_done())

    def test_new_session_renumbers_messages(self):
        """The former session's number counts until `end`; what is left gets new references."""
        session = self.joined()
        welcome = {**WELCOME, "flags": 2, "session": 9}
        sent = self.frames(session, ("welcome", welcome),
                           ("entry", {**ENTRY, "flags": 1, "sequence": 5}), ("end", END))
        self.assertEqual(sent, [("say", dict(reference=1, room="lobby", style=0, text="two"))])
        self.frames(session, ("entry", {**ENTRY, "sequence": 6}))
        self.assertFalse(session.is_done())
        self.frames(session, ("entry", {**ENTRY, "sequence": 7, "session": 9}))
        self.assertTrue(session.is_done())

    def test_new_log_resends_everything(self):
        """Numbers of the former log mean nothing."""
        session = self.joined()
        sent = self.frames(session, ("welcome", {**WELCOME, "log_id": b"m" * 16}),
                           ("entry", {**ENTRY, "flags": 1, "sequence": 1}), ("end", {**END, "head": 1}))
        self.assertEqual([fields["text"] for _, fields in sent], ["one", "two"])
        self.assertEqual(session.position, (b"m" * 16, 1))

    def test_pending_enter_is_repeated_first_and_pending_leave_counts_as_done(self):
        """A room whose history was cut off is entered again before messages to it; a room that was being left is not
        named in the join. A join that names no room brings the lobby, which is left first.
        """
        session = self.joined()
        self.frames(session, ("welcome", {**WELCOME, "flags": 3}), ("end", END),
                    ("accepted", dict(reference=1)), ("accepted", dict(reference=2)))
        for line in ("/join attic", "three", "/leave lobby"):
            session.handle_line(line)
        self.frames(session, ("entered", dict(reference=3, room="attic", flags=0, members=1)))
        self.reconnect(session, 2.0)
        self.assertEqual(session.rooms, [])
        sent = self.frames(session, ("welcome", {**WELCOME, "flags": 3}), ("end", END))
        self.assertEqual([(name, fields["room"]) for name, fields in sent],
                         [("leave", "lobby"), ("enter", "attic"), ("say", "attic")])

    def test_pending_leave_after_messages_or_enter_is_repeated(self):
        """A room is named in the join while messages to it are unanswered, and left after them; a room that was being
        entered and left is entered and left again.
        """
        session = self.joined()
        self.frames(session, ("welcome", {**WELCOME, "flags": 3}), ("end", END), ("accepted", dict(reference=1)))
        for line in ("/join attic", "/leave attic", "/leave lobby"):
            session.handle_line(line)
        self.assertEqual(self.reconnect(session, 2.0)["rooms"], ["lobby"])
        sent = self.frames(session, ("welcome", {**WELCOME, "flags": 3, "last_reference": 1}), ("end", END))
        self.assertEqual([(name, fields["room"]) for name, fields in sent],
                         [("say", "lobby"), ("enter", "attic"), ("leave", "attic"), ("leave", "lobby")])

    def test_frames_in_the_wrong_state_are_ignored(self):
        """Frames that the state table does not list."""
        session = session_in("connected")
        self.assertEqual(self.frames(session, ("welcome", WELCOME), ("end", END), ("entry", ENTRY)), [])
        self.assertEqual((session.state, session.lines), ("connected", []))

    def test_new_rooms_after_a_restart_are_entered(self):
        """Only rooms that were known before are named with a position; the others are entered."""
        saved = dict(token="00" * 16, rooms=["lobby", "attic"], log_id="11" * 16, sequence=3)
        session = chat_client.Session("anna", ["Attic", "cellar"], None, saved)
        self.assertEqual((session.rooms, session.position), (["attic"], (b"\x11" * 16, 3)))
        self.reconnect(session, 0.0)
        sent = self.frames(session, ("welcome", {**WELCOME, "rooms": ["attic"], "flags": 3}),
                           ("end", END))
        self.assertEqual(sent, [("enter", dict(reference=1, room="cellar"))])
        session = chat_client.Session("anna", ["cellar"], None, saved)
        self.assertEqual((session.rooms, session.position, session.pending), (["cellar"], None, {}))

    def test_rooms_topics_and_removals(self):
        """Commands ask only a server that has granted them; what was sent is not repeated after a lost connection."""
        session = self.joined()
        self.frames(session, ("welcome", {**WELCOME, "flags": 3}), ("entry", {**ENTRY, "flags": 1, "sequence": 5}),
                    ("accepted", dict(reference=2)), ("end", END))
        session.handle_line("/rooms")
        self.assertEqual(self.sent(session), [])
        session.connected(1.0)
        self.frames(session, ("server_hello", {**HELLO, "features": 48}), ("welcome", {**WELCOME, "flags": 3}),
                    ("entered", dict(reference=0, room="lobby", flags=0, members=1)),
                    ("topic_changed", dict(room="lobby", text="tea", by="", time=0)), ("end", END))
        session.lines.clear()
        session.outgoing.clear()
        for line in ("/topic", "/topic cake", "/remove", "/remove 9", "/rooms"):
            session.handle_line(line)
        self.assertEqual([(name, fields.get("text", fields.get("sequence"))) for name, fields in self.sent(session)],
                         [("topic", "cake"), ("remove", 5), ("remove", 9), ("directory", None)])
        self.assertEqual(session.lines, ["-- topic of lobby: tea"])
        references = {fields.get("sequence"): number for number, (_, fields) in session.pending.items()}
        self.frames(session, ("done", dict(about=13, reference=references[5], affected=1)))
        session.connected(2.0)
        sent = self.frames(session, ("server_hello", {**HELLO, "features": 48}), ("welcome", {**WELCOME, "flags": 3}),
                           ("end", END))
        self.assertEqual([name for name, _ in sent], ["join", "directory"])
        self.assertEqual([line for line in session.lines if "perhaps" in line],
                         ["!! perhaps not done: /topic", "!! perhaps not done: /remove"])

    def test_reconnect_delay_is_bounded(self):
        """At most a minute without advice; at most 15 minutes with advice."""
        self.assertTrue(all(chat_client.reconnect_delay(attempt, 0) <= 60 for attempt in range(100)))
        self.assertTrue(all(600 <= chat_client.reconnect_delay(0, 1e9) <= 900 for _ in range(100)))


if __name__ == "__main__":
    unittest.main()
