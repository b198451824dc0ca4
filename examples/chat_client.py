#!/usr/bin/env python3
"""A line client for a pi-chat server, written from the protocol pages alone.

    chat_client.py HOST[:PORT] --name NAME [--room ROOM]... [--password-file FILE] [--state FILE]

What you type is said in the current room. Commands:

    /join ROOM         enter a room, or make one that you are in the current one
    /leave [ROOM]      leave a room
    /msg NAME TEXT     a direct message
    /me TEXT           an action: * anna waves
    /who               who is in the current room
    /history [N]       N older messages of the current room (20; 100 at the most)
    /quit              end as the end of the input does: when all that you said has been taken
    //TEXT             say a text that begins with a slash

A line that begins with ~ is history: it was said before you came. Lines with -- are news, those with
!! are errors. Exit status: 0 all was said, 64 usage, 69 no connection at the first attempt, 76 the
server broke the protocol, 77 the server refused us for good.

The file has three parts: the codec (bytes <-> frames), the Session (what the frames mean; it knows no
sockets and no clock) and the driver (sockets, clock, terminal, file). "README n" and "n" in comments
are sections of docs/protocol/README.md and docs/protocol/tcp.md. Standard library only, Python 3.9+.
"""

import argparse
import json
import os
import queue
import random
import selectors
import socket
import sys
import tempfile
import threading
import time
import unicodedata
from types import SimpleNamespace

PORT = 2428  # README 9
MAX_FIRST_BODY, MAX_BODY = 256, 16_384  # 2


class ServerFault(Exception):
    """The server sent what it must not send: close, and tell the person (15)."""


class Refused(Exception):
    """A final error: coming back at once, in the same way, will not help (README 7)."""


class Lost(Exception):
    """The connection is of no more use, but a new one may be."""


# ---------------------------------------------------------------------------------------------------
# The codec: README 1 for the values, 14 for the frames
# ---------------------------------------------------------------------------------------------------

# The tables of section 14, word for word, each with its kind.
TABLES = """
 1 hello magic:bytes4 min_version:u16 max_version:u16 features:u64 client_name:string client_version:string
 2 join username:string password:string? rooms:string* token:bytes16? position:position?
 3 say reference:u64 room:string style:u8 text:string
 4 direct reference:u64 to:string session:u64 style:u8 text:string
 5 enter reference:u64 room:string
 6 leave reference:u64 room:string
 7 history reference:u64 room:string before:u64 limit:u16
 8 members reference:u64 room:string after:string
 9 ping token:u64
10 pong token:u64
64 server_hello version:u16 min_version:u16 max_version:u16 features:u64 server_program:string server_version:string
65 welcome session:u64 username:string token:bytes16 flags:u8 last_reference:u64 log_id:bytes16 time:u64 \
   server_name:string rooms:string* max_text:u16 max_rooms:u16 history_length:u16 ping_interval:u16 \
   idle_timeout:u16 session_lifetime:u32 burst:u32 per_minute:u32
66 entered reference:u64 room:string flags:u8 members:u32
67 entry flags:u8 sequence:u64 previous:u64 room:string session:u64 username:string time:u64 reference:u64 \
   style:u8 text:string
68 direct_entry flags:u8 sequence:u64 from_session:u64 from_name:string to_session:u64 to_name:string time:u64 \
   reference:u64 style:u8 text:string
69 end about:u16 reference:u64 head:u64 flags:u8
70 left reference:u64 room:string
71 roster reference:u64 room:string flags:u8 members:u32 names:string*
72 presence room:string flags:u8 members:u32 joined:string* left:string*
73 accepted reference:u64
74 notice code:u16 text:string
75 error code:u16 about:u16 reference:u64 retry_after:u32 text:string
"""

# kind -> (name, [(field, type)]), and name -> kind.
FRAMES = {int(row[0]): (row[1], [tuple(field.split(":")) for field in row[2:]])
          for row in map(str.split, TABLES.strip().splitlines())}
KINDS = {name: kind for kind, (name, _) in FRAMES.items()}


def encode_varint(number):
    """Seven bits a byte, the least significant first; the top bit says that another byte follows."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_value(kind_of, value):
    """One value as bytes, by its type in TABLES: a trailing `?` is an option, a `*` a list."""
    if kind_of.endswith("?"):
        return b"\0" if value is None else b"\1" + encode_value(kind_of[:-1], value)
    if kind_of.endswith("*"):
        return encode_varint(len(value)) + b"".join(encode_value(kind_of[:-1], item) for item in value)
    if kind_of == "string":
        return encode_varint(len(value.encode())) + value.encode()
    if kind_of == "position":
        return value[0] + encode_varint(value[1])
    if kind_of == "u8":
        return bytes([value])
    return value if kind_of.startswith("bytes") else encode_varint(value)


def encode_frame(name, **fields):
    """A whole frame: length, kind, fields in the order of the table (2). Other `fields` are not sent."""
    kind = KINDS[name]
    body = encode_varint(kind) + b"".join(encode_value(t, fields[f]) for f, t in FRAMES[kind][1])
    return len(body).to_bytes(2, "big") + body


class Reader:
    """Takes values from a body, one after the other; ServerFault where README 1 refuses the bytes."""

    def __init__(self, body):
        """Begin at the first byte of `body`."""
        self.body, self.at = body, 0

    def take(self, count):
        """The next `count` bytes. Checked before anything is allocated for them."""
        if count > len(self.body) - self.at:
            raise ServerFault("a message ends too soon")
        self.at += count
        return self.body[self.at - count:self.at]

    def varint(self, bits):
        """An unsigned number of at most `bits` bits, in its one shortest form."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if number >> bits or shift >= bits:
                raise ServerFault("a number is too large")
            if byte < 0x80:
                if byte == 0 and shift:
                    raise ServerFault("a number is not in its shortest form")
                return number
            shift += 7

    def value(self, kind_of):
        """A value of a type of TABLES: the mirror of encode_value."""
        if kind_of.endswith("?"):
            there = self.take(1)[0]
            if there > 1:
                raise ServerFault("an option that is neither none nor some")
            return self.value(kind_of[:-1]) if there else None
        if kind_of.endswith("*"):
            count = self.varint(32)
            if count > len(self.body) - self.at:  # each item has a byte at least
                raise ServerFault("a list is longer than its message")
            return [self.value(kind_of[:-1]) for _ in range(count)]
        if kind_of == "string":
            try:
                return self.take(self.varint(32)).decode()
            except UnicodeDecodeError:
                raise ServerFault("a string is not UTF-8") from None
        if kind_of == "position":
            return self.take(16), self.varint(64)
        if kind_of == "u8":
            return self.take(1)[0]
        return self.take(int(kind_of[5:])) if kind_of.startswith("bytes") else self.varint(int(kind_of[1:]))


def decode_frame(body):
    """The frame as an object with `name` and its fields, or None for a kind that we do not know.

    Bytes behind the last field are from a later edition of the page: ignored (README 6)."""
    reader = Reader(body)
    kind = reader.varint(16)
    if kind not in FRAMES:
        return None
    name, fields = FRAMES[kind]
    return SimpleNamespace(name=name, **{field: reader.value(kind_of) for field, kind_of in fields})


def name_key(name):
    """What two names are compared by (README 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


# ---------------------------------------------------------------------------------------------------
# Text for a terminal
# ---------------------------------------------------------------------------------------------------

# README 3 names the bidirectional controls; the line and paragraph separators U+2028/9 break lines too.
UNSAFE = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}


def safe(text, keep="\t"):
    """`text` with all that could move the cursor or turn the line made visible as U+FFFD (README 3)."""
    return "".join(c if c in keep or unicodedata.category(c) != "Cc" and ord(c) not in UNSAFE else "\ufffd"
                   for c in text)


def block(text):
    """A text of several lines as one piece: what follows its first line is indented, so that it cannot
    be taken for a message of its own."""
    return safe(text, "\n\t").replace("\n", "\n    | ")


def clock(milliseconds):
    """A time of the server as local [HH:MM:SS]; some times cannot be shown (README 4)."""
    try:
        return time.strftime("[%H:%M:%S]", time.localtime(milliseconds // 1000))
    except (OverflowError, ValueError, OSError):
        return "[--:--:--]"


# ---------------------------------------------------------------------------------------------------
# The session: what the frames mean
# ---------------------------------------------------------------------------------------------------

HISTORY, REQUESTED = 1, 2  # flags of entry and direct_entry
SESSION_KEPT, POSITION_KEPT = 1, 2  # flags of welcome
GAP = MORE = 1  # flags of entered; of end and roster
COUNT_ONLY = 2  # flags of roster and presence
PRESENCE = 1  # feature bit (4)
FINAL = {100, 101, 102, 103, 104, 110, 200, 201, 202, 203, 204, 205}  # README 7

# The client's half of the state table (16). Anything else that we know is the server's fault.
ALWAYS = {"error", "notice", "ping", "pong"}
ALLOWED = {
    "connected": {"server_hello"},
    "greeted": {"welcome"},
    "replaying": {"entered", "entry", "direct_entry", "end"},
    "live": {"entered", "entry", "direct_entry", "end", "left", "roster", "presence", "accepted"},
}


class Session:
    """What outlives a connection, and what to do with every frame. No I/O: bytes to be sent gather in
    `out`, lines to be shown in `lines`; the time is handed in.

    The heart of it is `pending`: every request that has not been answered yet, by reference, in the
    order in which it was made. After a drop all of them are made again in that order (6), so that a
    message typed behind a /join comes behind it again. `rooms` are those whose `enter` is answered in
    full: only of these a position says anything."""

    def __init__(self, name, rooms, password=None, saved=None):
        """`saved` is what `to_save` gave at an earlier time."""
        saved = saved or {}
        self.name, self.rooms, self.password = name, list(rooms or saved.get("rooms", ())), password
        self.token = bytes.fromhex(saved["token"]) if "token" in saved else None
        self.position = None  # (log id, sequence)
        # A position tells nothing about a room in which we were not: there, take the ten most recent.
        if saved.get("log_id") and {*map(name_key, self.rooms)} <= {*map(name_key, saved["rooms"])}:
            self.position = bytes.fromhex(saved["log_id"]), saved["sequence"]
        self.current = self.rooms[0] if self.rooms else None
        self.number = 0  # our public session number
        self.echo_of = 0  # whose echoes are ours; differs from `number` while a lost session is replayed
        self.counter = 0  # the last reference used
        self.pending = {}  # reference -> (frame name, its other fields)
        self.seen, self.oldest = {}, {}  # room -> greatest and least sequence that were shown
        self.present = {}  # room -> names, where the server tells us all of them (11)
        self.pins = {}  # name -> session of whom we last exchanged direct messages with (8)
        self.ever_live = self.asked_password = False
        self.max_text = 4096
        self.out, self.lines = bytearray(), []
        self.begin(0.0)

    def to_save(self):
        """What is needed to come back, as a value for JSON; None before there is anything."""
        if not self.token:
            return None
        log_id, sequence = self.position or (b"", 0)
        return {"token": self.token.hex(), "name": self.name, "rooms": self.rooms,
                "log_id": log_id.hex(), "sequence": sequence}

    # -- a connection -------------------------------------------------------------------------------

    def begin(self, now):
        """Forget what belongs to one connection only."""
        self.state, self.buffer, self.limit = "connected", bytearray(), MAX_FIRST_BODY
        self.out.clear()
        self.heard, self.pinged = now, False
        self.ping_after, self.lost_after = 30, 60  # 17; the welcome may say otherwise
        self.live_since = self.close_by = None
        self.retry_after = 0

    def connected(self, now):
        """A new connection: greet and join at once, as one may who speaks a single version (4)."""
        self.begin(now)
        self.send("hello", magic=b"PiCh", min_version=1, max_version=1, features=PRESENCE,
                  client_name="chat_client.py", client_version="1")
        self.join()

    def join(self):
        """Ask to be let in. The password goes only to a server that has asked for one (19)."""
        self.send("join", username=self.name, password=self.password if self.asked_password else None,
                  rooms=self.rooms, token=self.token, position=self.position)

    def send(self, frame, **fields):
        """Put a frame into the bytes to be sent."""
        self.out += encode_frame(frame, **fields)

    def request(self, frame, **fields):
        """Send what will be answered, and keep it until then. One count serves all kinds of requests,
        for the references of messages need only rise (14)."""
        self.counter += 1
        self.pending[self.counter] = frame, fields
        self.send(frame, reference=self.counter, **fields)
        return self.counter

    def receive(self, data, now):
        """Bytes from the server, however they were cut."""
        self.heard, self.pinged = now, False
        self.buffer += data
        while len(self.buffer) >= 2:
            length = int.from_bytes(self.buffer[:2], "big")
            if not 1 <= length <= self.limit:  # before any of the body is awaited (2)
                raise ServerFault("that is no pi-chat server, or a frame of it is too long")
            if len(self.buffer) < 2 + length:
                return
            body, self.limit = bytes(self.buffer[2:2 + length]), MAX_BODY
            del self.buffer[:2 + length]
            kind = Reader(body).varint(16)
            if kind not in FRAMES or 10 < kind < 64 or kind < 9:
                continue  # unknown, or only for the other side: ignored, before it is read (15)
            if FRAMES[kind][0] not in ALLOWED[self.state] | ALWAYS:
                raise ServerFault(f"{FRAMES[kind][0]} out of turn")
            frame = decode_frame(body)
            getattr(self, "on_" + frame.name)(frame, now)

    def tick(self, now):
        """Look at the clock; returns the seconds until it has to be looked at again (12, 17)."""
        quiet = now - self.heard
        if quiet >= self.lost_after or self.close_by and now >= self.close_by:
            raise Lost("nothing heard from the server")
        if quiet >= self.ping_after and not self.pinged and self.state != "connected":
            self.pinged = True
            self.send("ping", token=self.counter)
        wake = self.heard + (self.lost_after if self.pinged or quiet >= self.ping_after else self.ping_after)
        return max(0.0, min(wake, self.close_by or wake) - now)

    def done(self):
        """Has everything that was asked been answered?"""
        return self.ever_live and not self.pending

    # -- frames from the server ---------------------------------------------------------------------

    def on_ping(self, frame, now):
        """Answered at once."""
        self.send("pong", token=frame.token)

    def on_pong(self, frame, now):
        """That something came is all that we wanted to know."""

    def on_server_hello(self, frame, now):
        """Version 0 means that error 101 follows; anything else must be what we offered (4)."""
        if frame.version > 1:
            raise ServerFault("the server chose a version that was not offered")
        self.state = "greeted" if frame.version else self.state

    def on_welcome(self, frame, now):
        """We are in; what became of the session and of the position stands in the flags (6)."""
        self.state = "replaying"
        if frame.flags & SESSION_KEPT:
            self.echo_of = frame.session
        elif not frame.flags & POSITION_KEPT:
            self.echo_of = 0  # in another log the old number may be somebody else's
        if self.token and not frame.flags & SESSION_KEPT:
            self.show("-- the server has forgotten our session: a new one begins")
        if self.position and not frame.flags & POSITION_KEPT:
            self.show("-- the server's log is a new one: what follows may repeat or lack something")
            self.position = None
        if not frame.flags & POSITION_KEPT:
            self.seen.clear()
            self.oldest.clear()
        self.kept, self.last_reference, self.log_id = frame.flags & SESSION_KEPT, frame.last_reference, frame.log_id
        self.number, self.token, self.name, self.rooms = frame.session, frame.token, frame.username, frame.rooms
        if not any(self.same(self.current, room) for room in self.rooms) and not self.entering(self.current):
            self.current = self.rooms[0] if self.rooms else None
        self.max_text = min(frame.max_text, MAX_BODY - 512)
        self.ping_after, self.lost_after = frame.ping_interval or 30, frame.idle_timeout or 60
        self.present.clear()
        self.show(f"-- you are {safe(self.name)} on {safe(frame.server_name) or 'the server'}")

    def on_entered(self, frame, now):
        """In a room; its history follows. It counts as ours at the `end` only: were the line to drop
        in between, a resume would not bring the rest of these ten messages."""
        if frame.flags & GAP:
            self.show(f"-- {safe(frame.room)}: something between is missing, the log does not reach back so far")
            self.seen.pop(frame.room, None)
        if frame.reference in self.pending:
            self.pending[frame.reference] = "enter", {"room": frame.room}  # as the server spells it
        if self.same(self.current, frame.room):
            self.current = frame.room
        self.show(f"-- in {safe(frame.room)}, {frame.members} present")

    def on_end(self, frame, now):
        """The end of a history: of the join (2), of an enter (5), of a history request (7)."""
        if (frame.about == KINDS["join"]) != (self.state == "replaying"):
            raise ServerFault("end out of turn")
        self.advance(frame.head)
        if frame.about == KINDS["join"]:
            self.resume(now)
        elif frame.reference in self.pending:
            room = self.pending.pop(frame.reference)[1]["room"]
            if frame.about == KINDS["enter"] and not any(self.same(room, r) for r in self.rooms):
                self.rooms.append(room)
            elif frame.about == KINDS["history"]:
                self.show(f"-- {safe(room)}: " + ("there are older ones" if frame.flags & MORE else "no older ones"))

    def resume(self, now):
        """All is replayed: what was echoed meanwhile is off the list, the rest goes out again (6)."""
        self.state, self.live_since, self.ever_live = "live", now, True
        self.echo_of = self.number
        if self.kept:
            self.counter = max(self.counter, self.last_reference)
        else:  # the old references mean nothing to the new session
            waiting, self.counter = list(self.pending.values()), self.last_reference
            self.pending = {self.counter + i: item for i, item in enumerate(waiting, 1)}
            self.counter += len(waiting)
        for reference, (frame, fields) in self.pending.items():
            self.send(frame, reference=reference, **fields)

    def advance(self, sequence):
        """The position is the greatest sequence of all, in the log of the last welcome (6)."""
        self.position = self.log_id, max(sequence, self.position[1] if self.position else 0)

    def answered(self, reference, *frames):
        """Strike a request off, if it is one of these; returns its fields."""
        if self.pending.get(reference, ("",))[0] in frames:
            return self.pending.pop(reference)[1]
        return None

    def on_entry(self, frame, now):
        """A message in a room. Our own come back to us, too: that is their acknowledgement (6)."""
        self.advance(frame.sequence)
        if frame.session == self.echo_of:
            self.answered(frame.reference, "say")
        if not frame.flags & REQUESTED:
            last = self.seen.get(frame.room, 0)
            if frame.sequence <= last:  # a room entered again begins with messages that were shown
                return
            if last and frame.previous not in (0, last):
                self.show(f"-- {safe(frame.room)}: messages between are missing")
            self.seen[frame.room] = frame.sequence
        self.oldest[frame.room] = min(frame.sequence, self.oldest.get(frame.room, frame.sequence))
        where = "" if frame.room == self.current else f"({safe(frame.room)}) "
        self.show_message(frame, where, safe(frame.username))

    def on_direct_entry(self, frame, now):
        """A direct message. Who answers means this very session, not the next one of that name (8)."""
        self.advance(frame.sequence)
        mine = frame.from_session == self.echo_of
        if mine:
            self.answered(frame.reference, "direct")
        name, session = (frame.to_name, frame.to_session) if mine else (frame.from_name, frame.from_session)
        if self.pins.setdefault(name_key(name), session) != session:
            self.show(f"-- this {safe(name)} is not the one of before")
        self.pins[name_key(name)] = session
        self.show_message(frame, "", f"{safe(frame.from_name)} -> {safe(frame.to_name)}")

    def on_accepted(self, frame, now):
        """Taken, and no echo will come: so show it now."""
        fields = self.answered(frame.reference, "say", "direct")
        if fields:
            self.show("-- was taken: " + block(fields["text"]))

    def on_left(self, frame, now):
        """Out of a room."""
        self.answered(frame.reference, "leave")
        self.rooms = [room for room in self.rooms if not self.same(room, frame.room)]
        self.present.pop(frame.room, None)
        self.show(f"-- you left {safe(frame.room)}")

    def on_roster(self, frame, now):
        """Who is there: unasked with reference 0, else a page of the answer to /who (11)."""
        if frame.reference == 0:
            self.present.pop(frame.room, None)
            if not frame.flags & COUNT_ONLY:
                self.present[frame.room] = set(frame.names)
                self.show(f"-- in {safe(frame.room)}: {safe(', '.join(frame.names))}")
            return
        fields = self.answered(frame.reference, "members")
        if not fields:
            return
        names = fields["names"] + frame.names
        if frame.flags & MORE and frame.names:
            self.request("members", room=frame.room, after=frame.names[-1], names=names)
        else:
            self.show(f"-- in {safe(frame.room)} ({frame.members}): {safe(', '.join(names))}")

    def on_presence(self, frame, now):
        """Who came and went. `joined` says who is there now, so it may name whom we know to be (11)."""
        if frame.flags & COUNT_ONLY:
            self.present.pop(frame.room, None)
            self.show(f"-- {frame.members} in {safe(frame.room)}")
            return
        names = self.present.setdefault(frame.room, set())
        where = "" if frame.room == self.current else f" {safe(frame.room)}"
        for name in frame.joined:
            if name not in names and name != self.name:
                self.show(f"-- {safe(name)} joined{where}")
        for name in frame.left:
            if name in names:
                self.show(f"-- {safe(name)} left{where}")
        names.difference_update(frame.left)
        names.update(frame.joined)

    def on_notice(self, frame, now):
        """A sentence for people."""
        self.show(f"-- server: {safe(frame.text)}")

    def on_error(self, frame, now):
        """Programs go by the code, people by the sentence (README 7)."""
        sentence = f"{safe(frame.text)} (error {frame.code})"
        if frame.code == 203 and self.password is not None and not self.asked_password:
            self.asked_password = True
            self.join()
        elif frame.code in FINAL or self.state == "greeted" and frame.about == KINDS["join"] and frame.code >= 200:
            raise Refused(sentence)
        elif 100 <= frame.code <= 199:  # closes: read on until it does (12: 111 sends what is due), not for ever
            self.show("!! " + sentence)
            self.retry_after, self.close_by = frame.retry_after / 1000, now + 5
        else:
            self.on_request_refused(frame, sentence)

    def on_request_refused(self, frame, sentence):
        """One request did not happen; all else goes on."""
        name, fields = self.pending.get(frame.reference, ("", {}))
        if not name or KINDS[name] != frame.about:
            self.show("!! " + sentence)
            return
        del self.pending[frame.reference]
        if name == "enter" and frame.code == 305:  # already in: what we wanted
            self.rooms += [fields["room"]] if not any(self.same(fields["room"], r) for r in self.rooms) else []
            return
        if name == "enter" and self.same(self.current, fields["room"]):
            self.current = self.rooms[0] if self.rooms else None
        if name == "direct" and frame.code == 307:
            self.pins.pop(name_key(fields["to"]), None)
            sentence += "; say it again to send it to whoever has the name now"
        self.show("!! " + sentence + (": not sent: " + block(fields["text"]) if "text" in fields else ""))

    # -- lines from the person ----------------------------------------------------------------------

    def wants_input(self):
        """Lines are taken while live, and not more than the server may take at a time; others wait."""
        return self.state == "live" and self.close_by is None and len(self.pending) < 50

    def typed(self, line):
        """A line from the person; True means that they want to leave."""
        if not line.startswith("/") or line.startswith("//"):
            self.say(0, line[1:] if line.startswith("//") else line)
            return False
        command, _, rest = line[1:].partition(" ")
        argument = rest.strip()
        if command == "quit":
            return True
        if command == "me":
            self.say(1, rest)
        elif command == "msg" and " " in argument:
            self.direct(*argument.split(" ", 1))
        elif command == "join" and argument:
            if not any(self.same(argument, room) for room in self.rooms) and not self.entering(argument):
                self.request("enter", room=argument)
            self.current = next((room for room in self.rooms if self.same(argument, room)), argument)
        elif command == "leave" and (argument or self.current):
            room = argument or self.current
            self.request("leave", room=room)
            if self.same(self.current, room):  # now, not at `left`: the next line is meant for elsewhere
                self.current = next((other for other in self.rooms if not self.same(other, room)), None)
        elif command == "who" and self.current:
            self.request("members", room=self.current, after="", names=[])  # the pages so far
        elif command == "history" and self.current and (argument or "20").isdecimal():
            self.request("history", room=self.current, before=self.oldest.get(self.current, 0),
                         limit=max(1, min(100, int(argument or "20"))))
        else:
            self.show("!! no such command here, or something is missing: " + safe(line))
        return False

    def say(self, style, text):
        """Say something in the current room."""
        if not self.current:
            self.show("!! you are in no room: /join one")
        elif self.fits(text):
            self.request("say", room=self.current, style=style, text=text)

    def direct(self, to, text):
        """A direct message, to the very session that we last exchanged one with, if there is one."""
        if self.fits(text):
            self.request("direct", to=to, session=self.pins.get(name_key(to), 0), style=0, text=text)

    def fits(self, text):
        """Too long a text is refused here, for a frame too large would end the connection (2)."""
        size = len(text.encode())
        if size > self.max_text:
            self.show(f"!! not sent, {size} bytes are more than {self.max_text}: {safe(text[:60])}…")
        return 0 < size <= self.max_text

    def entering(self, room):
        """Is an `enter` of this room under way?"""
        return any(name == "enter" and self.same(fields["room"], room) for name, fields in self.pending.values())

    @staticmethod
    def same(one, other):
        """Are these two spellings of one room?"""
        return one is not None and other is not None and name_key(one) == name_key(other)

    # -- lines for the person -----------------------------------------------------------------------

    def show(self, line):
        """A line that is safe already."""
        self.lines.append(line)

    def show_message(self, frame, where, who):
        """`[22:03:09] anna: hello`; an unknown style is shown like 0 (README 3)."""
        said = f"* {who} {block(frame.text)}" if frame.style == 1 else f"{who}: {block(frame.text)}"
        self.show(f"{'~' if frame.flags & HISTORY else ''}{clock(frame.time)} {where}{said}")


# ---------------------------------------------------------------------------------------------------
# The driver: sockets, clock, terminal, file
# ---------------------------------------------------------------------------------------------------

def back_off(attempt, retry_after):
    """Seconds to wait before an attempt, with chance in it: not all are to come at one moment (13)."""
    if retry_after:
        return retry_after * random.uniform(1, 1.5)
    return random.uniform(0, min(60, 2 ** min(attempt, 6)))


class Input:
    """Lines of standard input, read by a thread: neither a terminal on Windows nor a file on Linux can be
    given to a selector. `waker` becomes readable when there is something new."""

    def __init__(self):
        """Begin to read."""
        self.lines = queue.Queue(1000)  # bounded: a long file waits in its pipe, not here
        self.waker, self.bell = socket.socketpair()
        self.bell.setblocking(False)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """The thread: lines, then None for the end. By os.read, for a thread that waits inside of
        sys.stdin holds its lock, and the interpreter cannot end."""
        rest = b""
        while True:
            data = os.read(sys.stdin.fileno(), 65_536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines + ([rest] if rest and not data else []):
                self.put(line.decode(errors="replace").rstrip("\r"))
            if not data:
                return self.put(None)

    def put(self, line):
        """Hand one on, and ring."""
        self.lines.put(line)
        try:
            self.bell.send(b"!")
        except BlockingIOError:
            pass  # it rings already


class Client:
    """Carries bytes and lines between a Session, a socket and a terminal."""

    def __init__(self, server, session, state_file):
        """`server` is (host, port); `state_file` may be None."""
        self.server, self.session, self.state_file = server, session, state_file
        self.input, self.saved, self.save_after, self.leaving = Input(), None, 0.0, False

    def run(self):
        """Connect, talk, come back; returns the exit status."""
        attempt, first = 0, True
        while True:
            why = self.one_connection()
            self.flush(final=True)
            if self.leaving and self.session.done():
                return 0
            if first and why.startswith("no connection"):
                print(f"{why} to {self.server[0]}, port {self.server[1]}", file=sys.stderr)
                return 69
            first, now = False, time.monotonic()
            if self.session.live_since is not None and now - self.session.live_since >= 10:
                attempt = 0
            delay = back_off(attempt, self.session.retry_after)
            attempt += 1
            self.session.show(f"-- {safe(why)}; trying again in {delay:.1f} s, what you type is kept")
            self.flush()
            time.sleep(delay)  # lines wait in the queue meanwhile

    def one_connection(self):
        """Connect and talk until that ends; returns why it did."""
        self.session.begin(time.monotonic())
        try:
            sock = socket.create_connection(self.server, timeout=10)
        except (OSError, UnicodeError) as error:  # the latter for what cannot be the name of a host
            return f"no connection ({error})"
        with sock, selectors.DefaultSelector() as selector:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ)
            selector.register(self.input.waker, selectors.EVENT_READ)
            self.session.connected(time.monotonic())
            try:
                self.talk(sock, selector)
                return "done"
            except Lost as lost:
                return str(lost)

    def talk(self, sock, selector):
        """Read and write until the connection ends or nothing is left to do."""
        session, writable = self.session, True
        while True:
            while session.wants_input() and not self.leaving and not self.input.lines.empty():
                line = self.input.lines.get()
                self.leaving = line is None or session.typed(line)
            timeout = session.tick(time.monotonic())
            self.flush()
            if self.leaving and session.done():
                return
            if not writable:
                session.out.clear()
            # Both at once: who does not read while writing is cut off (12).
            selector.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if session.out else 0))
            for key, events in selector.select(min(timeout, 1.0)):  # once a second, to keep the state
                if key.fileobj is self.input.waker:
                    self.input.waker.recv(4096)
                    continue
                if events & selectors.EVENT_READ:
                    try:
                        data = sock.recv(65_536)
                    except OSError as error:
                        raise Lost(f"connection lost ({error})") from None
                    if not data:
                        raise Lost("connection closed by the server")
                    session.receive(data, time.monotonic())
                if events & selectors.EVENT_WRITE and session.out:
                    try:
                        del session.out[:sock.send(session.out)]
                    except BlockingIOError:
                        pass
                    except OSError:
                        writable = False  # closed by the server: why, may still be there to be read

    def flush(self, final=False):
        """Show what is to be shown, and only then keep the position: better twice than never."""
        lines, self.session.lines = self.session.lines, []
        for line in lines:
            print(line, flush=True)
        now, value = time.monotonic(), self.session.to_save()
        if not self.state_file or not value or value == self.saved or (now < self.save_after and not final):
            return
        # At most once a second, for an SD card's sake; a new token at once, for it cannot be had again.
        self.save_after = now + 1
        self.saved = value
        try:
            save_state(self.state_file, {"server": list(self.server), **value})
        except OSError as error:
            print(f"!! the state cannot be kept: {error}", file=sys.stderr)


def save_state(path, value):
    """Write the file anew and put it in its place as a whole; mkstemp makes it 0600, for the token is
    as good as a password (6)."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".chat-")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load_state(path, server):
    """What save_state wrote, or None where there is no file yet. A token goes to its own server only (19)."""
    try:
        with open(path) as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    if value["server"] != list(server):
        raise ValueError("it belongs to the server {}, port {}".format(*value["server"]))
    return value


def parse_server(text):
    """`host`, `host:port`, `[v6]:port`, a bare IPv6 address, or any of them behind chat:// (README 9)."""
    if text.startswith("chats://"):
        raise ValueError("TLS is not there yet")
    text = text[len("chat://"):].rstrip("/") if text.startswith("chat://") else text
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port[1:]
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    number = int(port or PORT)
    if not host or not 1 <= number <= 65_535:
        raise ValueError("no host, or a port that cannot be")
    return host, number


def parse_arguments(arguments):
    """The command line as (server, session, state file); exits with 64 where it is wrong."""
    parser = argparse.ArgumentParser(description="A line client for a pi-chat server.")
    parser.add_argument("server", metavar="HOST[:PORT]")
    parser.add_argument("--name", required=True, help="your username")
    parser.add_argument("--room", action="append", default=[], help="a room (may be repeated; default: lobby)")
    parser.add_argument("--password-file", help="its first line is sent if the server asks for a password")
    parser.add_argument("--state", help="keep what is needed to come back in this file")
    parser.error = lambda why: (parser.print_usage(sys.stderr), print(why, file=sys.stderr), sys.exit(64))
    args = parser.parse_args(arguments)
    password = None
    try:
        server = parse_server(args.server)
        if args.password_file:
            with open(args.password_file, encoding="utf-8") as file:
                password = file.readline().rstrip("\r\n")
        saved = load_state(args.state, server) if args.state else None
        session = Session(args.name, args.room, password, saved)
        if len(session.rooms) > 100 or any(len(v.encode()) > 256 for v in (args.name, password or "", *session.rooms)):
            raise ValueError("a name, a room or the password is too long")
        return server, session, args.state
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{type(error).__name__}: {error}")


def main(arguments=None):
    """The program; returns the exit status."""
    sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character still shows the rest
    client = Client(*parse_arguments(arguments))
    session, status = client.session, 76
    try:
        return client.run()
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        status, why = 130, "stopped"
    except Refused as error:
        status, why = 77, str(error)
    except ServerFault as error:
        why = f"the server broke the protocol: {error}"
    session.show("!! " + why)
    for name, fields in session.pending.values():  # nothing that was typed is lost without a word
        if "text" in fields:
            session.show("!! perhaps not sent: " + block(fields["text"]))
    for line in iter(lambda: None if client.input.lines.empty() else client.input.lines.get(), None):
        session.show("!! not sent: " + safe(line))
    client.flush(final=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
