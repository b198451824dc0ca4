#!/usr/bin/env python3
"""A line client for a pi-chat server, written from the protocol pages alone.

    chat_client.py HOST[:PORT] --name NAME [--room ROOM]... [--password-file FILE] [--state FILE]

What you type is said in the current room. Commands:

    /join ROOM         enter a room, or make one that you are in the current one
    /leave [ROOM]      leave a room
    /msg NAME TEXT     a direct message
    /me TEXT           an action: * anna waves
    /who               who is in the current room
    /search TEXT       the latest 20 messages with all words and "phrases" of TEXT, in all your rooms
    /history [N]       N older messages of the current room (20; 100 at the most)
    /quit              end as the end of the input does: when all that you asked for has been answered
    //TEXT             say a text that begins with a slash

A line that begins with ~ is history: it was said before you came. Lines with -- are news, those with
!! are errors. Exit status: 0 all was said, 64 usage, 69 no connection at the first attempt, 76 the
server broke the protocol, 77 the server refused us, or something that we said.

There are three parts: the codec (bytes <-> frames; codec.py), the Session (what the frames mean; it
knows no sockets and no clock) and the driver (sockets, clock, terminal, file). "README n" and "n" in
comments are sections of docs/protocol/README.md and docs/protocol/tcp.md. Standard library only.
"""

import argparse
import json
import os
import queue
import random
import select
import socket
import sys
import tempfile
import threading
import time
import unicodedata
from urllib.parse import urlsplit

from codec import FRAMES, KINDS, MAX_BODY, Reader, ServerFault, decode_frame, encode_frame

try:
    import fcntl
except ImportError:  # Windows: the state file is not locked there
    fcntl = None

PORT = 2428  # README 9


class Refused(Exception):
    """A final error: coming back at once, in the same way, will not help (README 7)."""


class Lost(Exception):
    """The connection is of no more use, but a new one may be."""


# ======== Text for a terminal =======================================================================

BIDIRECTIONAL = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def name_key(name):
    """What two names are compared by (README 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def safe(text):
    """`text` as one line, with all that could move the cursor or turn the line as U+FFFD (README 3)."""
    return "".join(c if c == "\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp")
                   and ord(c) not in BIDIRECTIONAL else "\ufffd" for c in text)


def block(text):
    """A text of several lines as one piece: what follows its first line is indented, so that it cannot
    be taken for a message of its own. U+2028 and U+2029 are newlines, too (README 3)."""
    lines = text.replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
    return "\n    | ".join(map(safe, lines))


def clock(milliseconds, form="[%H:%M:%S]"):
    """A time of the server as local [HH:MM:SS]; some times cannot be shown (README 4)."""
    try:
        return time.strftime(form, time.localtime(milliseconds // 1000))
    except (OverflowError, ValueError, OSError):
        return "[--:--:--]"


# ======== The session: what the frames mean =========================================================

HISTORY, REQUESTED = 1, 2  # flags of entry and direct_entry
SESSION_KEPT, POSITION_KEPT = 1, 2  # flags of welcome
GAP = MORE = 1  # flags of entered; of end and roster
COUNT_ONLY = 2  # flags of roster and presence
PRESENCE, SEARCH = 1, 2  # feature bits (4)
FINAL = {100, 101, 102, 103, 104, 110, 205}  # README 7: closes, and coming back will not help

# The client's half of the state table (16). What is not in it is ignored.
ALWAYS = {"notice", "ping", "pong", "error"}
JOINED = {"entered", "entry", "direct_entry", "end", "left", "roster", "presence", "accepted"}
ALLOWED = {"connected": {"server_hello"}, "greeted": {"welcome"}, "replaying": JOINED, "live": JOINED}


class Session:
    """What outlives a connection, and what to do with every frame. No I/O: bytes to be sent gather in
    `out`, lines to be shown in `lines`; the time is handed in.

    The heart of it is `pending`: every request that has not been answered yet, by reference, in the
    order in which it was made. After a drop all of them are made again in that order (6), so that a
    message typed behind a /join comes behind it again. `rooms` are those of the welcome and those whose
    `enter` was answered to its `end`: only of these a position says anything."""

    def __init__(self, name, rooms, password=None, saved=None):
        """`saved` is what `to_save` gave at an earlier time; `rooms` may be empty."""
        self.name, self.rooms, self.password = name, list(rooms), password
        self.token = self.position = None  # the latter: (log id, sequence)
        self.number = self.echo_of = 0  # our session number; that of our echoes, which may be a former one
        self.counter = 0  # the last reference used
        self.pending = {}  # reference -> (frame name, its other fields)
        self.log_id = None
        self.seen, self.oldest = {}, {}  # room -> greatest and least sequence that were shown
        self.present = {}  # room -> names, where the server tells us all of them (11)
        self.pins = {}  # name key -> session with which we last exchanged direct messages (8)
        self.ever_live = self.asked_password = self.refused = False
        self.max_text = 4096
        self.out, self.lines = bytearray(), []
        if saved:
            self.token = bytes.fromhex(saved["token"])
            known = [room for room in saved["rooms"] if not rooms or self.find(room, rooms)]
            if known and saved["log_id"]:  # rooms in which we were not are entered behind the `end` (6)
                self.position = bytes.fromhex(saved["log_id"]), saved["sequence"]
                self.rooms = known
                for room in rooms:
                    if not self.find(room, known):
                        self.request("enter", room=room)
        self.current = rooms[0] if rooms else self.rooms[0] if self.rooms else None
        self.begin(0.0)

    def to_save(self):
        """What is needed to come back, as a value for JSON; None before there is anything."""
        if not self.token:
            return None
        log_id, sequence = self.position or (b"", 0)
        return {"token": self.token.hex(), "rooms": self.rooms, "log_id": log_id.hex(), "sequence": sequence}

    # -- a connection -------------------------------------------------------------------------------

    def begin(self, now):
        """Forget what belongs to one connection only."""
        self.state, self.buffer = "connected", bytearray()
        self.out.clear()
        self.heard, self.pinged = now, False
        self.ping_after, self.lost_after = 30, 60  # 17; the welcome may say otherwise
        self.answer_by, self.live_since, self.retry_after = now + 10, None, 0
        self.ending = False

    def connected(self, now):
        """A new connection: greet and join at once, as one may who speaks a single version (4)."""
        self.begin(now)
        self.send("hello", magic=b"PiCh", min_version=1, max_version=1, features=PRESENCE | SEARCH,
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
        """Send what will be answered, and keep it until then. One count serves all kinds of requests:
        the references of messages need only rise, those of the others must not be 0 (14)."""
        self.counter += 1
        self.pending[self.counter] = frame, fields
        self.send(frame, reference=self.counter, **fields)

    def receive(self, data, now):
        """Bytes from the server, however they were cut: section 15, step by step."""
        self.buffer += data
        while len(self.buffer) >= 2:
            length = int.from_bytes(self.buffer[:2], "big")
            if not 1 <= length <= MAX_BODY:  # before any of the body is awaited
                raise ServerFault("that is no pi-chat server, or a frame of it is too long")
            if len(self.buffer) < 2 + length:
                return
            body = bytes(self.buffer[2:2 + length])
            del self.buffer[:2 + length]
            self.heard, self.pinged = now, False
            name, _ = FRAMES.get(Reader(body).varint(16), ("", ()))
            if name in ALLOWED[self.state] | ALWAYS:  # else ignored, before its fields are read
                getattr(self, "on_" + name)(decode_frame(body), now)

    def tick(self, now):
        """Look at the clock; returns the seconds until it has to be looked at again (12, 17)."""
        quiet = now - self.heard
        if quiet >= self.lost_after or self.answer_by and now >= self.answer_by:
            raise Lost("nothing heard from the server")
        if quiet >= self.ping_after and not self.pinged and self.state != "connected":
            self.pinged = True
            self.send("ping", token=self.counter)
        wake = self.heard + (self.lost_after if quiet >= self.ping_after else self.ping_after)
        return max(0.0, min(wake, self.answer_by or wake) - now)

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
        self.can_search = frame.features & SEARCH
        if frame.version:
            self.state, self.answer_by = "greeted", now + 10

    def on_welcome(self, frame, now):
        """We are in; what became of the session and of the position stands in the flags (6)."""
        self.state, self.answer_by = "replaying", None
        self.kept, self.last_reference = frame.flags & SESSION_KEPT, frame.last_reference
        if self.token and not self.kept:
            self.show("-- the server has forgotten our session: a new one begins")
        if not frame.flags & POSITION_KEPT:
            if self.position:
                self.show("-- the server's log is a new one: what follows may repeat or lack something")
            self.position, self.echo_of = None, 0
            self.seen.clear()
            self.oldest.clear()
        if self.kept:
            self.echo_of = frame.session
        if frame.log_id != self.log_id:
            self.pins.clear()  # in another log the numbers are other people's
        self.log_id, self.number, self.token, self.name = frame.log_id, frame.session, frame.token, frame.username
        self.rooms = frame.rooms
        self.current = self.find(self.current, self.rooms) or self.entering(self.current) or (self.rooms + [None])[0]
        self.max_text = frame.max_text
        self.ping_after, self.lost_after = frame.ping_interval, frame.idle_timeout
        self.present.clear()
        self.show(f"-- you are {safe(self.name)} on {safe(frame.server_name) or 'the server'}")

    def on_entered(self, frame, now):
        """In a room; its history follows. It counts as ours at the `end` only: were the line to drop
        in between, a resume would not bring the rest of these ten messages."""
        if frame.flags & GAP:
            self.show(f"-- {safe(frame.room)}: something between is missing, the log does not reach back so far")
        if frame.reference in self.pending:
            self.pending[frame.reference] = "enter", {"room": frame.room}  # as the server spells it
        if self.find(self.current, [frame.room]):
            self.current = frame.room
        self.show(f"-- in {safe(frame.room)}, {frame.members} present")

    def on_end(self, frame, now):
        """The end of a history: of the join (2), of an enter (5), of a history request (7)."""
        self.advance(frame.head)
        if frame.about == KINDS["join"] and self.state == "replaying":
            self.resume(now)
        elif frame.about == KINDS["enter"]:
            fields = self.answered(frame.reference, "enter")
            if fields and not self.find(fields["room"], self.rooms):
                self.rooms.append(fields["room"])
        elif frame.about == KINDS["history"]:
            fields = self.answered(frame.reference, "history")
            if fields:
                more = "there are older ones" if frame.flags & MORE else "no older ones"
                self.show(f"-- {safe(fields['room'])}: {more}")
        elif frame.about == KINDS["search"]:
            fields = self.answered(frame.reference, "search")
            if fields:
                more = "there are older ones" if frame.flags & MORE else "no older ones"
                self.show(f"-- searched for {safe(fields['text'])}: {more}")

    def resume(self, now):
        """All is replayed: what was echoed meanwhile is off the list, the rest goes out again (6)."""
        self.state, self.live_since, self.ever_live = "live", now, True
        self.echo_of = self.number
        if self.kept:
            self.counter = max(self.counter, self.last_reference)
        else:  # the old references mean nothing to the new session
            self.pending = dict(enumerate(self.pending.values(), self.last_reference + 1))
            self.counter = self.last_reference + len(self.pending)
        if not self.can_search:  # it would never be answered (4)
            self.pending = {number: it for number, it in self.pending.items() if it[0] != "search"}
        for reference, (frame, fields) in self.pending.items():
            self.send(frame, reference=reference, **fields)

    def advance(self, sequence):
        """The position is the greatest sequence of all, in the log of the last welcome (6)."""
        self.position = self.log_id, max(sequence, self.position[1] if self.position else 0)

    def answered(self, reference, *frames):
        """Strike a request off, if it is there and one of these; returns its fields."""
        if self.pending.get(reference, (None,))[0] in frames:
            return self.pending.pop(reference)[1]
        return None

    def on_entry(self, frame, now):
        """A message in a room. Our own come back to us, too: that is their acknowledgement (6)."""
        self.advance(frame.sequence)
        if frame.session == self.echo_of:
            self.answered(frame.reference, "say")
        if not frame.flags & REQUESTED:
            if frame.sequence <= self.seen.get(frame.room, 0):
                return  # a room entered again begins with messages that were shown
            self.seen[frame.room] = frame.sequence
        elif self.searching():  # what was found does not say where /history goes on
            day = clock(frame.time, "%Y-%m-%d")
            return self.show_message(frame, f"{day} ({safe(frame.room)}) ", safe(frame.username))
        self.oldest[frame.room] = min(frame.sequence, self.oldest.get(frame.room, frame.sequence))
        where = "" if frame.room == self.current else f"({safe(frame.room)}) "
        self.show_message(frame, where, safe(frame.username))

    def searching(self):
        """Is what comes now, because it was asked for, asked for by a search? Answers keep their order (2)."""
        asked = [frame for frame, _ in self.pending.values() if frame in ("history", "search")]
        return asked[:1] == ["search"]

    def on_direct_entry(self, frame, now):
        """A direct message. Who answers means this very session, not the next one of that name (8)."""
        self.advance(frame.sequence)
        mine = frame.from_session == self.echo_of
        if mine:
            self.answered(frame.reference, "direct")
        name, session = (frame.to_name, frame.to_session) if mine else (frame.from_name, frame.from_session)
        if self.pins.get(name_key(name), session) != session:
            self.show(f"-- this {safe(name)} is not the one of before")
        self.pins[name_key(name)] = session
        self.show_message(frame, "", f"{safe(frame.from_name)} -> {safe(frame.to_name)}")

    def on_accepted(self, frame, now):
        """Taken, and no echo will come: so show it now."""
        fields = self.answered(frame.reference, "say", "direct")
        if fields:
            self.show(f"-- was taken: {block(fields['text'])}")

    def on_left(self, frame, now):
        """Out of a room."""
        self.answered(frame.reference, "leave")
        self.rooms = [room for room in self.rooms if not self.find(room, [frame.room])]
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
        before = self.present.get(frame.room, set())
        after = (before - set(frame.left)) | set(frame.joined)
        self.present[frame.room] = after
        for names, what in ((before - after, "left"), (after - before - {self.name}, "joined")):
            for name in sorted(names):
                self.show(f"-- {safe(name)} {what} {safe(frame.room)}")

    def on_notice(self, frame, now):
        """A sentence for people."""
        self.show(f"-- server: {safe(frame.text)}")

    def on_error(self, frame, now):
        """Programs go by the code, people by the sentence (README 7)."""
        sentence = f"{safe(frame.text)} (error {frame.code})"
        if frame.code == 203 and self.password is not None and not self.asked_password:
            self.asked_password, self.answer_by = True, now + 10
            self.join()
        elif frame.code in FINAL or self.state == "greeted" and frame.code >= 200:
            raise Refused(sentence)
        elif 100 <= frame.code <= 199:  # the connection ends: read on until it does, not for ever (17)
            self.show(f"!! {sentence}")
            self.retry_after, self.ending, self.answer_by = frame.retry_after / 1000, True, now + 5
        else:  # one request did not happen; all else goes on
            name = FRAMES.get(frame.about, ("", ()))[0]
            self.refuse(frame.code, name, self.answered(frame.reference, name) or {}, sentence)

    def refuse(self, code, name, fields, sentence):
        """What follows from the refusal of one request of ours."""
        if name == "enter" and fields and self.find(self.current, [fields["room"]]):
            self.current = (self.rooms + [None])[0]
        if name == "direct" and fields and code == 307:
            self.pins.pop(name_key(fields["to"]), None)
            sentence += "; say it again to send it to whoever has the name now"
        if "text" in fields and name != "search":
            self.refused = True
            sentence += f": not sent: {block(fields['text'])}"
        self.show(f"!! {sentence}")

    # -- lines from the person ----------------------------------------------------------------------

    def wants_input(self):
        """Lines are taken while live, and not more than is good manners (7); others wait."""
        return self.state == "live" and not self.ending and len(self.pending) < 50

    def typed(self, line):
        """A line from the person; True means that they want to leave."""
        if not line.startswith("/") or line.startswith("//"):
            self.say(0, line[1:] if line.startswith("//") else line)
            return False
        command, _, rest = line[1:].partition(" ")
        argument = rest.strip()
        name = argument.partition(" ")[0] if command == "msg" else argument
        if len(name.encode()) > 256 and command in ("join", "leave", "msg"):  # README 2
            self.show("!! a name cannot be so long")
        elif command == "quit":
            return True
        elif command == "me":
            self.say(1, rest)
        elif command == "msg" and " " in argument:
            text = argument.partition(" ")[2]
            if self.fits(text):  # to the very session that we last exchanged one with, if there is one
                self.request("direct", to=name, session=self.pins.get(name_key(name), 0), style=0, text=text)
        elif command == "join" and argument:
            self.current = self.find(argument, self.rooms) or self.entering(argument) or argument
            if self.current == argument and not self.find(argument, self.rooms) and not self.entering(argument):
                self.request("enter", room=argument)
        elif command == "leave" and (argument or self.current):
            room = argument or self.current
            self.request("leave", room=room)
            if self.find(self.current, [room]):  # now, not at `left`: the next line is meant for elsewhere
                self.current = next((other for other in self.rooms if not self.find(other, [room])), None)
        elif command == "who" and self.current:
            self.request("members", room=self.current, after="", names=[])  # the pages so far
        elif command == "history" and self.current and (argument or "20").isdecimal():
            self.request("history", room=self.current, before=self.oldest.get(self.current, 0),
                         limit=max(1, min(100, int(argument or "20"))))
        elif command == "search" and argument and not self.can_search:
            self.show("!! this server cannot search")
        elif command == "search" and argument:
            self.request("search", room="", from_name="", text=argument, since=0, until=0, before=0, limit=20)
        else:
            self.show(f"!! no such command here, or something is missing: {safe(line)}")
        return False

    def say(self, style, text):
        """Say something in the current room."""
        if not self.current:
            self.show("!! you are in no room: /join one")
        elif self.fits(text):
            self.request("say", room=self.current, style=style, text=text)

    def fits(self, text):
        """Too long a text is refused here, for a frame too large would end the connection (7)."""
        size = len(text.encode())
        if size > self.max_text:
            self.refused = True
            self.show(f"!! not sent, {size} bytes are more than {self.max_text}: {safe(text[:60])}…")
        return 0 < size <= self.max_text

    def entering(self, room):
        """This room in the spelling of an `enter` that is under way; None if there is none."""
        return self.find(room, [fields["room"] for name, fields in self.pending.values() if name == "enter"])

    @staticmethod
    def find(room, rooms):
        """The one of these rooms that is called so, however it is spelled; None if there is none."""
        return next((one for one in rooms if room and name_key(one) == name_key(room)), None)

    # -- lines for the person -----------------------------------------------------------------------

    def show(self, line):
        """A line that is safe already."""
        self.lines.append(line)

    def show_message(self, frame, where, who):
        """`[22:03:09] anna: hello`; an unknown style is shown like 0 (README 3)."""
        said = f"* {who} {block(frame.text)}" if frame.style == 1 else f"{who}: {block(frame.text)}"
        self.show(f"{'~' if frame.flags & HISTORY else ''}{clock(frame.time)} {where}{said}")


# ======== The driver: sockets, clock, terminal, file ================================================

def back_off(attempt, retry_after):
    """Seconds to wait before an attempt, with chance in it: not all are to come at one moment (13)."""
    if retry_after:
        return min(retry_after, 600) * random.uniform(1, 1.5)  # README 7
    return random.uniform(0, min(60, 2 ** min(attempt, 6)))


class Input:
    """Lines of standard input, read by a thread: neither a terminal on Windows nor a file on Linux can
    be waited for like a socket. `waker` becomes readable when there is something new."""

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
            try:
                return self.one_connection()
            except (Lost, OSError, UnicodeError) as error:  # the last for what cannot be a host's name
                why = error
            if first and not isinstance(why, Lost):
                print(f"no connection to {self.server[0]}, port {self.server[1]}: {why}", file=sys.stderr)
                return 69
            first, live_since = False, self.session.live_since
            if live_since is not None and time.monotonic() - live_since >= 10:
                attempt = 0
            delay = back_off(attempt, self.session.retry_after)
            attempt += 1
            self.session.show(f"-- {safe(str(why))}; trying again in {delay:.1f} s, what you type is kept")
            self.flush(final=True)
            time.sleep(delay)  # lines wait in the queue meanwhile

    def one_connection(self):
        """Connect and talk until nothing is left to do; returns the exit status, or raises why not."""
        self.session.begin(time.monotonic())
        with socket.create_connection(self.server, timeout=10) as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.session.connected(time.monotonic())
            try:
                while not self.step(sock):
                    pass
            except OSError as error:
                raise Lost(f"connection lost ({error})") from None
        self.flush(final=True)
        return 77 if self.session.refused else 0

    def step(self, sock):
        """Wait for something and deal with it; True when nothing is left to do."""
        session = self.session
        while session.wants_input() and not self.leaving and not self.input.lines.empty():
            line = self.input.lines.get()
            self.leaving = line is None or session.typed(line)
        wait = session.tick(time.monotonic())
        self.flush()
        if self.leaving and session.done():
            return True
        # Reading and writing at once: who does not read while writing is cut off (12).
        readable, writable, _ = select.select([sock, self.input.waker], [sock] if session.out else [], [],
                                              min(wait, 1.0))  # once a second, to keep the state
        if self.input.waker in readable:
            self.input.waker.recv(4096)
        if sock in readable:
            data = sock.recv(65_536)
            if not data:
                raise Lost("connection closed by the server")
            session.receive(data, time.monotonic())
        elif writable:
            try:
                del session.out[:sock.send(session.out)]
            except BlockingIOError:
                pass
            except OSError:  # closed by the server: why, may still be there to be read (12)
                session.out.clear()
        return False

    def flush(self, final=False):
        """Show what is to be shown, and only then keep the position: better twice than never (6)."""
        lines, self.session.lines = self.session.lines, []
        try:
            for line in lines:
                print(line, flush=True)
        except BrokenPipeError:  # whoever read our output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        now, value = time.monotonic(), self.session.to_save()
        if not self.state_file or not value or value == self.saved or (now < self.save_after and not final):
            return
        # At most once a second, for an SD card's sake.
        self.save_after, self.saved = now + 1, value
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
    """What save_state wrote, or None where there is no file yet. A token goes to its own server only
    (19), and is used by one process at a time (6): the lock lasts as long as this process."""
    if fcntl:
        lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        with open(path) as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    if value["server"] != list(server):
        raise ValueError("it belongs to the server {}, port {}".format(*value["server"]))
    return value


def parse_server(text):
    """(host, port) of `host`, `host:port` or `[v6]:port`, all perhaps behind chat:// (README 9)."""
    address = urlsplit(text if "://" in text else f"chat://{text}")
    if address.scheme != "chat" or not address.hostname or address.path.strip("/") or address.port == 0:
        raise ValueError(f"{text} is not the address of a server")
    return address.hostname, address.port or PORT


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
        if len(args.room) > 16 or any(len(v.encode()) > 256 for v in (args.name, password or "", *args.room)):
            raise ValueError("too many rooms; or a name, a room or the password is too long")
        return server, Session(args.name, args.room, password, saved), args.state
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{type(error).__name__}: {error}")


def main(arguments=None):
    """The program; returns the exit status."""
    sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character still shows the rest
    client = Client(*parse_arguments(arguments))
    session, status = client.session, 76
    try:
        return client.run()
    except KeyboardInterrupt:
        status, why = 130, "stopped"
    except Refused as error:
        status, why = 77, str(error)
    except ServerFault as error:
        why = f"the server broke the protocol: {error}"
    session.show(f"!! {why}")
    for name, fields in session.pending.values():  # nothing that was typed is lost without a word
        if "text" in fields and name != "search":
            session.show(f"!! perhaps not sent: {block(fields['text'])}")
    while not client.input.lines.empty():
        line = client.input.lines.get()
        session.lines += [f"!! not sent: {safe(line)}"] if line else []
    client.flush(final=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
