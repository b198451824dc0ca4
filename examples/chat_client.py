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

from codec import FRAMES, KINDS, MAX_BODY, ProtocolError, Reader, decode_frame, encode_frame

try:
    import fcntl
except ImportError:  # Windows: the state file is not locked there
    fcntl = None

PORT = 2428  # README 9


class Refused(Exception):
    """A final error: coming back at once, in the same way, will not help (README 7)."""


class ConnectionLost(Exception):
    """The connection is of no more use, but a new one may be."""


# ======== Text for a terminal =======================================================================

BIDI_CONTROLS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def name_key(name):
    """What two names are compared by (README 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def safe_line(text):
    """`text` as one line, with all that could move the cursor or turn the line as U+FFFD (README 3)."""
    return "".join(c if c == "\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp")
                   and ord(c) not in BIDI_CONTROLS else "\ufffd" for c in text)


def safe_block(text):
    """A text of several lines as one piece: what follows its first line is indented, so that it cannot
    be taken for a message of its own. U+2028 and U+2029 are newlines, too (README 3)."""
    lines = text.replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
    return "\n    | ".join(map(safe_line, lines))


def format_time(milliseconds, form="[%H:%M:%S]"):
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
ALLOWED_ALWAYS = {"notice", "ping", "pong", "error"}
ALLOWED_JOINED = {"entered", "entry", "direct_entry", "end", "left", "roster", "presence", "accepted"}
ALLOWED_FRAMES = {"connected": {"server_hello"}, "greeted": {"welcome"}, "replaying": ALLOWED_JOINED, "live": ALLOWED_JOINED}


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
        self.session_number = self.echo_session = 0  # our session number; that of our echoes, which may be a former one
        self.last_used_reference = 0  # the last reference used
        self.pending = {}  # reference -> (frame name, its other fields)
        self.log_id = None
        self.last_seen, self.oldest_shown = {}, {}  # room -> greatest and least sequence that were shown
        self.members = {}  # room -> names, where the server tells us all of them (11)
        self.direct_sessions = {}  # name key -> session with which we last exchanged direct messages (8)
        self.was_live = self.password_requested = self.had_refusal = False
        self.max_text = 4096
        self.outgoing, self.lines = bytearray(), []
        if saved:
            self.token = bytes.fromhex(saved["token"])
            known = [room for room in saved["rooms"] if not rooms or self.find_room(room, rooms)]
            if known and saved["log_id"]:  # rooms in which we were not are entered behind the `end` (6)
                self.position = bytes.fromhex(saved["log_id"]), saved["sequence"]
                self.rooms = known
                for room in rooms:
                    if not self.find_room(room, known):
                        self.request("enter", room=room)
        self.current = rooms[0] if rooms else self.rooms[0] if self.rooms else None
        self.begin_connection(0.0)

    def to_save(self):
        """What is needed to come back, as a value for JSON; None before there is anything."""
        if not self.token:
            return None
        log_id, sequence = self.position or (b"", 0)
        return {"token": self.token.hex(), "rooms": self.rooms, "log_id": log_id.hex(), "sequence": sequence}

    # -- a connection -------------------------------------------------------------------------------

    def begin_connection(self, now):
        """Forget what belongs to one connection only."""
        self.state, self.buffer = "connected", bytearray()
        self.outgoing.clear()
        self.received_at, self.is_ping_sent = now, False
        self.ping_interval, self.idle_timeout = 30, 60  # 17; the welcome may say otherwise
        self.answer_deadline, self.live_since, self.retry_after = now + 10, None, 0
        self.is_closing = False

    def connected(self, now):
        """Send `hello` on a new connection. Without a token `join` follows at once, as a client that speaks
        a single version may do; with a token it waits for `server_hello`, because a `join` that arrives
        late would end the next connection of this session (4)."""
        self.begin_connection(now)
        self.send("hello", magic=b"PiCh", min_version=1, max_version=1, features=PRESENCE | SEARCH,
                  client_name="chat_client.py", client_version="1")
        if not self.token:
            self.join()

    def join(self):
        """Ask to be let in. The password goes only to a server that has asked for one (19)."""
        self.send("join", username=self.name, password=self.password if self.password_requested else None,
                  rooms=self.rooms, token=self.token, position=self.position)

    def send(self, frame, **fields):
        """Put a frame into the bytes to be sent."""
        self.outgoing += encode_frame(frame, **fields)

    def request(self, frame, **fields):
        """Send what will be answered, and keep it until then. One count serves all kinds of requests:
        the references of messages need only rise, those of the others must not be 0 (14)."""
        self.last_used_reference += 1
        self.pending[self.last_used_reference] = frame, fields
        self.send(frame, reference=self.last_used_reference, **fields)

    def receive(self, data, now):
        """Bytes from the server, however they were cut: section 15, step by step."""
        self.buffer += data
        while len(self.buffer) >= 2:
            length = int.from_bytes(self.buffer[:2], "big")
            if not 1 <= length <= MAX_BODY:  # before any of the body is awaited
                raise ProtocolError("that is no pi-chat server, or a frame of it is too long")
            if len(self.buffer) < 2 + length:
                return
            body = bytes(self.buffer[2:2 + length])
            del self.buffer[:2 + length]
            self.received_at, self.is_ping_sent = now, False
            name, _ = FRAMES.get(Reader(body).varint(16), ("", ()))
            if name in ALLOWED_FRAMES[self.state] | ALLOWED_ALWAYS:  # else ignored, before its fields are read
                getattr(self, "on_" + name)(decode_frame(body), now)

    def tick(self, now):
        """Look at the clock; returns the seconds until it has to be looked at again (12, 17)."""
        quiet = now - self.received_at
        if quiet >= self.idle_timeout or self.answer_deadline and now >= self.answer_deadline:
            raise ConnectionLost("nothing heard from the server")
        if quiet >= self.ping_interval and not self.is_ping_sent and self.state != "connected":
            self.is_ping_sent = True
            self.send("ping", token=self.last_used_reference)
        wake = self.received_at + (self.idle_timeout if quiet >= self.ping_interval else self.ping_interval)
        return max(0.0, min(wake, self.answer_deadline or wake) - now)

    def is_done(self):
        """Has everything that was asked been answered?"""
        return self.was_live and not self.pending

    # -- frames from the server ---------------------------------------------------------------------

    def on_ping(self, frame, now):
        """Answered at once."""
        self.send("pong", token=frame.token)

    def on_pong(self, frame, now):
        """That something came is all that we wanted to know."""

    def on_server_hello(self, frame, now):
        """Version 0 means that error 101 follows; anything else must be what we offered (4)."""
        if frame.version > 1:
            raise ProtocolError("the server chose a version that was not offered")
        self.can_search = frame.features & SEARCH
        if frame.version:
            self.state, self.answer_deadline = "greeted", now + 10
            if self.token:
                self.join()

    def on_welcome(self, frame, now):
        """We are in; what became of the session and of the position stands in the flags (6)."""
        self.state, self.answer_deadline = "replaying", None
        self.session_kept, self.server_last_reference = frame.flags & SESSION_KEPT, frame.last_reference
        if self.token and not self.session_kept:
            self.show("-- the server has forgotten our session: a new one begins")
        if not frame.flags & POSITION_KEPT:
            if self.position:
                self.show("-- the server's log is a new one: what follows may repeat or lack something")
            self.position, self.echo_session = None, 0
            self.last_seen.clear()
            self.oldest_shown.clear()
        if self.session_kept:
            self.echo_session = frame.session
        if frame.log_id != self.log_id:
            self.direct_sessions.clear()  # in another log the numbers are other people's
        self.log_id, self.session_number, self.token, self.name = frame.log_id, frame.session, frame.token, frame.username
        self.rooms = frame.rooms
        self.current = self.find_room(self.current, self.rooms) or self.pending_enter(self.current) or (self.rooms + [None])[0]
        self.max_text = frame.max_text
        self.ping_interval, self.idle_timeout = frame.ping_interval, frame.idle_timeout
        self.members.clear()
        self.show(f"-- you are {safe_line(self.name)} on {safe_line(frame.server_name) or 'the server'}")

    def on_entered(self, frame, now):
        """In a room; its history follows. It counts as ours at the `end` only: were the line to drop
        in between, a resume would not bring the rest of these ten messages."""
        if frame.flags & GAP:
            self.show(f"-- {safe_line(frame.room)}: something between is missing, the log does not reach back so far")
        if frame.reference in self.pending:
            self.pending[frame.reference] = "enter", {"room": frame.room}  # as the server spells it
        if self.find_room(self.current, [frame.room]):
            self.current = frame.room
        self.show(f"-- in {safe_line(frame.room)}, {frame.members} present")

    def on_end(self, frame, now):
        """The end of a history: of the join (2), of an enter (5), of a history request (7)."""
        self.advance_position(frame.head)
        if frame.about == KINDS["join"] and self.state == "replaying":
            self.finish_replay(now)
        elif frame.about == KINDS["enter"]:
            fields = self.take_pending(frame.reference, "enter")
            if fields and not self.find_room(fields["room"], self.rooms):
                self.rooms.append(fields["room"])
        elif frame.about == KINDS["history"]:
            fields = self.take_pending(frame.reference, "history")
            if fields:
                more = "there are older ones" if frame.flags & MORE else "no older ones"
                self.show(f"-- {safe_line(fields['room'])}: {more}")
        elif frame.about == KINDS["search"]:
            fields = self.take_pending(frame.reference, "search")
            if fields:
                more = "there are older ones" if frame.flags & MORE else "no older ones"
                self.show(f"-- searched for {safe_line(fields['text'])}: {more}")

    def finish_replay(self, now):
        """All is replayed: what was echoed meanwhile is off the list, the rest goes out again (6)."""
        self.state, self.live_since, self.was_live = "live", now, True
        self.echo_session = self.session_number
        if self.session_kept:
            self.last_used_reference = max(self.last_used_reference, self.server_last_reference)
        else:  # the old references mean nothing to the new session
            self.pending = dict(enumerate(self.pending.values(), self.server_last_reference + 1))
            self.last_used_reference = self.server_last_reference + len(self.pending)
        if not self.can_search:  # it would never be answered (4)
            self.pending = {number: it for number, it in self.pending.items() if it[0] != "search"}
        for reference, (frame, fields) in self.pending.items():
            self.send(frame, reference=reference, **fields)

    def advance_position(self, sequence):
        """The position is the greatest sequence of all, in the log of the last welcome (6)."""
        self.position = self.log_id, max(sequence, self.position[1] if self.position else 0)

    def take_pending(self, reference, *frames):
        """Strike a request off, if it is there and one of these; returns its fields."""
        if self.pending.get(reference, (None,))[0] in frames:
            return self.pending.pop(reference)[1]
        return None

    def on_entry(self, frame, now):
        """A message in a room. Our own come back to us, too: that is their acknowledgement (6)."""
        self.advance_position(frame.sequence)
        if frame.session == self.echo_session:
            self.take_pending(frame.reference, "say")
        if not frame.flags & REQUESTED:
            if frame.sequence <= self.last_seen.get(frame.room, 0):
                return  # a room entered again begins with messages that were shown
            self.last_seen[frame.room] = frame.sequence
        elif self.expects_search_results():  # what was found does not say where /history goes on
            day = format_time(frame.time, "%Y-%m-%d")
            return self.show_message(frame, f"{day} ({safe_line(frame.room)}) ", safe_line(frame.username))
        self.oldest_shown[frame.room] = min(frame.sequence, self.oldest_shown.get(frame.room, frame.sequence))
        where = "" if frame.room == self.current else f"({safe_line(frame.room)}) "
        self.show_message(frame, where, safe_line(frame.username))

    def expects_search_results(self):
        """Is what comes now, because it was asked for, asked for by a search? Answers keep their order (2)."""
        asked = [frame for frame, _ in self.pending.values() if frame in ("history", "search")]
        return asked[:1] == ["search"]

    def on_direct_entry(self, frame, now):
        """A direct message. Who answers means this very session, not the next one of that name (8)."""
        self.advance_position(frame.sequence)
        mine = frame.from_session == self.echo_session
        if mine:
            self.take_pending(frame.reference, "direct")
        name, session = (frame.to_name, frame.to_session) if mine else (frame.from_name, frame.from_session)
        if self.direct_sessions.get(name_key(name), session) != session:
            self.show(f"-- this {safe_line(name)} is not the one of before")
        self.direct_sessions[name_key(name)] = session
        self.show_message(frame, "", f"{safe_line(frame.from_name)} -> {safe_line(frame.to_name)}")

    def on_accepted(self, frame, now):
        """Taken, and no echo will come: so show it now."""
        fields = self.take_pending(frame.reference, "say", "direct")
        if fields:
            self.show(f"-- was taken: {safe_block(fields['text'])}")

    def on_left(self, frame, now):
        """Out of a room."""
        self.take_pending(frame.reference, "leave")
        self.rooms = [room for room in self.rooms if not self.find_room(room, [frame.room])]
        self.members.pop(frame.room, None)
        self.show(f"-- you left {safe_line(frame.room)}")

    def on_roster(self, frame, now):
        """Who is there: unasked with reference 0, else a page of the answer to /who (11)."""
        if frame.reference == 0:
            self.members.pop(frame.room, None)
            if not frame.flags & COUNT_ONLY:
                self.members[frame.room] = set(frame.names)
                self.show(f"-- in {safe_line(frame.room)}: {safe_line(', '.join(frame.names))}")
            return
        fields = self.take_pending(frame.reference, "members")
        if not fields:
            return
        names = fields["names"] + frame.names
        if frame.flags & MORE and frame.names:
            self.request("members", room=frame.room, after=frame.names[-1], names=names)
        else:
            self.show(f"-- in {safe_line(frame.room)} ({frame.members}): {safe_line(', '.join(names))}")

    def on_presence(self, frame, now):
        """Who came and went. `joined` says who is there now, so it may name whom we know to be (11)."""
        if frame.flags & COUNT_ONLY:
            self.members.pop(frame.room, None)
            self.show(f"-- {frame.members} in {safe_line(frame.room)}")
            return
        before = self.members.get(frame.room, set())
        after = (before - set(frame.left)) | set(frame.joined)
        self.members[frame.room] = after
        for names, what in ((before - after, "left"), (after - before - {self.name}, "joined")):
            for name in sorted(names):
                self.show(f"-- {safe_line(name)} {what} {safe_line(frame.room)}")

    def on_notice(self, frame, now):
        """A message for people."""
        self.show(f"-- server: {safe_line(frame.text)}")

    def on_error(self, frame, now):
        """Programs go by the code, people by the message (README 7)."""
        message = f"{safe_line(frame.text)} (error {frame.code})"
        if frame.code == 203 and self.password is not None and not self.password_requested:
            self.password_requested, self.answer_deadline = True, now + 10
            self.join()
        elif frame.code in FINAL or self.state == "greeted" and frame.code >= 200:
            raise Refused(message)
        elif 100 <= frame.code <= 199:  # the connection ends: read on until it does, not for ever (17)
            self.show(f"!! {message}")
            self.retry_after, self.is_closing, self.answer_deadline = frame.retry_after / 1000, True, now + 5
        else:  # one request did not happen; all else goes on
            name = FRAMES.get(frame.about, ("", ()))[0]
            self.report_refusal(frame.code, name, self.take_pending(frame.reference, name) or {}, message)

    def report_refusal(self, code, name, fields, message):
        """What follows from the refusal of one request of ours."""
        if name == "enter" and fields and self.find_room(self.current, [fields["room"]]):
            self.current = (self.rooms + [None])[0]
        if name == "direct" and fields and code == 307:
            self.direct_sessions.pop(name_key(fields["to"]), None)
            message += "; say it again to send it to whoever has the name now"
        if "text" in fields and name != "search":
            self.had_refusal = True
            message += f": not sent: {safe_block(fields['text'])}"
        self.show(f"!! {message}")

    # -- lines from the person ----------------------------------------------------------------------

    def accepts_input(self):
        """Lines are taken while live, and not more than is good manners (7); others wait."""
        return self.state == "live" and not self.is_closing and len(self.pending) < 50

    def handle_line(self, line):
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
            if self.check_size(text):  # to the very session that we last exchanged one with, if there is one
                self.request("direct", to=name, session=self.direct_sessions.get(name_key(name), 0), style=0, text=text)
        elif command == "join" and argument:
            self.current = self.find_room(argument, self.rooms) or self.pending_enter(argument) or argument
            if self.current == argument and not self.find_room(argument, self.rooms) and not self.pending_enter(argument):
                self.request("enter", room=argument)
        elif command == "leave" and (argument or self.current):
            room = argument or self.current
            self.request("leave", room=room)
            if self.find_room(self.current, [room]):  # now, not at `left`: the next line is meant for elsewhere
                self.current = next((other for other in self.rooms if not self.find_room(other, [room])), None)
        elif command == "who" and self.current:
            self.request("members", room=self.current, after="", names=[])  # the pages so far
        elif command == "history" and self.current and (argument or "20").isdecimal():
            self.request("history", room=self.current, before=self.oldest_shown.get(self.current, 0),
                         limit=max(1, min(100, int(argument or "20"))))
        elif command == "search" and argument and not self.can_search:
            self.show("!! this server cannot search")
        elif command == "search" and argument:
            self.request("search", room="", from_name="", text=argument, since=0, until=0, before=0, limit=20)
        else:
            self.show(f"!! no such command here, or something is missing: {safe_line(line)}")
        return False

    def say(self, style, text):
        """Say something in the current room."""
        if not self.current:
            self.show("!! you are in no room: /join one")
        elif self.check_size(text):
            self.request("say", room=self.current, style=style, text=text)

    def check_size(self, text):
        """Too long a text is refused here, for a frame too large would end the connection (7)."""
        size = len(text.encode())
        if size > self.max_text:
            self.had_refusal = True
            self.show(f"!! not sent, {size} bytes are more than {self.max_text}: {safe_line(text[:60])}…")
        return 0 < size <= self.max_text

    def pending_enter(self, room):
        """This room in the spelling of an `enter` that is under way; None if there is none."""
        return self.find_room(room, [fields["room"] for name, fields in self.pending.values() if name == "enter"])

    @staticmethod
    def find_room(room, rooms):
        """The one of these rooms that is called so, however it is spelled; None if there is none."""
        return next((one for one in rooms if room and name_key(one) == name_key(room)), None)

    # -- lines for the person -----------------------------------------------------------------------

    def show(self, line):
        """A line that is safe already."""
        self.lines.append(line)

    def show_message(self, frame, where, who):
        """`[22:03:09] anna: hello`; an unknown style is shown like 0 (README 3)."""
        said = f"* {who} {safe_block(frame.text)}" if frame.style == 1 else f"{who}: {safe_block(frame.text)}"
        self.show(f"{'~' if frame.flags & HISTORY else ''}{format_time(frame.time)} {where}{said}")


# ======== The driver: sockets, clock, terminal, file ================================================

def reconnect_delay(attempt, retry_after):
    """Seconds to wait before an attempt, with chance in it: not all are to come at one moment (13)."""
    if retry_after:
        return min(retry_after, 600) * random.uniform(1, 1.5)  # README 7
    return random.uniform(0, min(60, 2 ** min(attempt, 6)))


class InputReader:
    """Lines of standard input, read by a thread: neither a terminal on Windows nor a file on Linux can
    be waited for like a socket. `waker` becomes readable when there is something new."""

    def __init__(self):
        """Begin to read."""
        self.queue = queue.Queue(1000)  # bounded: a long file waits in its pipe, not here
        self.wake_receiver, self.wake_sender = socket.socketpair()
        self.wake_sender.setblocking(False)
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
        self.queue.put(line)
        try:
            self.wake_sender.send(b"!")
        except BlockingIOError:
            pass  # it rings already


class Client:
    """Carries bytes and lines between a Session, a socket and a terminal."""

    def __init__(self, server, session, state_file):
        """`server` is (host, port); `state_file` may be None."""
        self.server, self.session, self.state_file = server, session, state_file
        self.input, self.saved, self.save_after, self.is_leaving = InputReader(), None, 0.0, False

    def run(self):
        """Connect, talk, come back; returns the exit status."""
        attempt, first = 0, True
        while True:
            try:
                return self.run_connection()
            except (ConnectionLost, OSError, UnicodeError) as error:  # the last for what cannot be a host's name
                why = error
            if first and not isinstance(why, ConnectionLost):
                print(f"no connection to {self.server[0]}, port {self.server[1]}: {why}", file=sys.stderr)
                return 69
            first, live_since = False, self.session.live_since
            if live_since is not None and time.monotonic() - live_since >= 10:
                attempt = 0
            delay = reconnect_delay(attempt, self.session.retry_after)
            attempt += 1
            self.session.show(f"-- {safe_line(str(why))}; trying again in {delay:.1f} s, what you type is kept")
            self.flush_output(final=True)
            time.sleep(delay)  # lines wait in the queue meanwhile

    def run_connection(self):
        """Connect and talk until nothing is left to do; returns the exit status, or raises why not."""
        self.session.begin_connection(time.monotonic())
        with socket.create_connection(self.server, timeout=10) as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.session.connected(time.monotonic())
            try:
                while not self.poll_once(sock):
                    pass
            except OSError as error:
                raise ConnectionLost(f"connection lost ({error})") from None
        self.flush_output(final=True)
        return 77 if self.session.had_refusal else 0

    def poll_once(self, sock):
        """Wait for something and deal with it; True when nothing is left to do."""
        session = self.session
        while session.accepts_input() and not self.is_leaving and not self.input.queue.empty():
            line = self.input.queue.get()
            self.is_leaving = line is None or session.handle_line(line)
        wait = session.tick(time.monotonic())
        self.flush_output()
        if self.is_leaving and session.is_done():
            return True
        # Reading and writing at once: who does not read while writing is cut off (12).
        readable, writable, _ = select.select([sock, self.input.wake_receiver], [sock] if session.outgoing else [], [],
                                              min(wait, 1.0))  # once a second, to keep the state
        if self.input.wake_receiver in readable:
            self.input.wake_receiver.recv(4096)
        if sock in readable:
            data = sock.recv(65_536)
            if not data:
                raise ConnectionLost("connection closed by the server")
            session.receive(data, time.monotonic())
        elif writable:
            try:
                del session.outgoing[:sock.send(session.outgoing)]
            except BlockingIOError:
                pass
            except OSError:  # closed by the server: why, may still be there to be read (12)
                session.outgoing.clear()
        return False

    def flush_output(self, final=False):
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
    except ProtocolError as error:
        why = f"the server broke the protocol: {error}"
    session.show(f"!! {why}")
    for name, fields in session.pending.values():  # nothing that was typed is lost without a word
        if "text" in fields and name != "search":
            session.show(f"!! perhaps not sent: {safe_block(fields['text'])}")
    while not client.input.queue.empty():
        line = client.input.queue.get()
        session.lines += [f"!! not sent: {safe_line(line)}"] if line else []
    client.flush_output(final=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
