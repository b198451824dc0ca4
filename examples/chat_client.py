#!/usr/bin/env python3
"""A line client for a pi-chat server, written from the protocol pages alone.

    chat_client.py HOST[:PORT] --name NAME [--room ROOM]... [--password-file FILE] [--state FILE]

A line that you type is said in the current room. Commands:

    /join ROOM         enter a room, or make a room that you are in the current one
    /leave [ROOM]      leave a room
    /msg NAME TEXT     send a direct message
    /me TEXT           say an action: * anna waves
    /who               list the members of the current room
    /search TEXT       the latest 20 messages with all words and "phrases" of TEXT, in all your rooms
    /history [N]       N older messages of the current room (20 unless given, at most 100)
    /rooms             list the rooms that are open, with their topics
    /topic [TEXT]      show the topic of the current room, or set it; /topic - takes it away
    /remove [N]        remove the text of your latest message in the current room, or of message number N
    /quit              end when everything that you asked for is answered, like the end of the input
    //TEXT             say a text that begins with a slash

Lines that begin with ~ are history, said before you came; lines with -- are news, lines with !! are
errors. Exit status: 0 everything was said, 64 usage, 69 no connection at the first attempt, 76 the
server broke the protocol, 77 the server refused the client or one of its messages.

There are three parts: the codec (codec.py: bytes and frames), the Session (the protocol's state, without
sockets and clock) and the driver (sockets, clock, terminal, file). Sections in comments are those of
docs/protocol/tcp.md unless README is named. Standard library only.
"""

import argparse
import collections
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

PORT = 2428  # default port of a server


class Refused(Exception):
    """A final error: reconnecting in the same way will not help (README, section 7)."""


class ConnectionLost(Exception):
    """The connection is of no more use; a new one may be."""


# ======== Text for a terminal (README, sections 2 to 4) =============================================

BIDI_CONTROLS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def name_key(name):
    """Return the key by which names are compared (README, section 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def safe_line(text):
    """Make a text safe to show as one line: replace control characters by U+FFFD (README, section 3)."""
    return "".join(c if c == "\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp")
                   and ord(c) not in BIDI_CONTROLS else "\ufffd" for c in text)


def safe_block(text):
    """Make a text of several lines safe to show (README, section 3).

    All lines but the first are indented, so that none looks like a message of its own. U+2028 and U+2029 are
    newlines, too.
    """
    lines = text.replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
    return "\n    | ".join(map(safe_line, lines))


def format_time(milliseconds, form="[%H:%M:%S]"):
    """Format a server's time as local [HH:MM:SS]; some times cannot be shown (README, section 4)."""
    try:
        return time.strftime(form, time.localtime(milliseconds // 1000))
    except (OverflowError, ValueError, OSError):
        return "[--:--:--]"


# ======== The session: state of the protocol ========================================================

HISTORY, REQUESTED = 1, 2  # flags of entry and direct_entry (section 14)
SESSION_KEPT, POSITION_KEPT = 1, 2  # flags of welcome
GAP = MORE = 1  # flags of entered; of end and roster
COUNT_ONLY = 2  # flags of roster and presence
PRESENCE, SEARCH, EVENTS, DIRECTORY = 1, 2, 16, 32  # features (section 4)
REMOVED_STYLE = 2  # of an entry whose text was removed (README, section 3)

# Codes of errors that close the connection and are final: reconnecting does not help (README, section 7).
FINAL = {100, 101, 102, 103, 104, 110, 113, 114, 115, 205}

# The client's state table (section 16): frames that it acts on in each state. It ignores all others.
ALLOWED_ALWAYS = {"notice", "ping", "pong", "error"}
ALLOWED_JOINED = {"entered", "entry", "direct_entry", "end", "left", "roster", "presence", "accepted", "done",
                  "removed", "topic_changed", "room_modes", "role_changed", "sanctions_list", "rooms", "sanctioned"}
ALLOWED_FRAMES = {"connected": {"server_hello"}, "greeted": {"welcome"},
                  "replaying": ALLOWED_JOINED, "live": ALLOWED_JOINED}


class Session:
    """State of the client, and what it does with each frame. It has no I/O and no clock.

    Bytes to send are appended to `outgoing`, lines to show to `lines`; the caller passes the time, in seconds of a
    clock that never goes back.

    `pending` holds every unanswered request by reference, in the order in which the requests were made. After a
    lost connection all of them are sent again in this order, so a message typed after a /join comes after it again
    (section 6). `rooms` are those of the welcome and those whose `enter` was answered up to its `end`: only for
    these does a position count.
    """

    def __init__(self, name, rooms, password=None, saved=None):
        """`saved`: an earlier result of `to_save`. `rooms`: the rooms to join; may be empty."""
        self.name, self.password = name, password
        self.rooms = list(rooms)  # rooms that the next `join` names
        self.current = None  # room that typed lines are said in
        self.token = None
        self.session_number = 0  # of the last welcome
        self.echo_session = 0  # session number of our echoes: until the `end` perhaps a former one
        self.log_id = None
        self.position = None  # (log id, sequence)
        self.last_used_reference = 0
        self.pending = {}  # reference -> (name of the frame, its other fields), unanswered requests
        self.accepted = collections.deque(maxlen=1000)  # (session, reference) of messages shown at `accepted`
        self.void_directs = set()  # references of pending directs to a session of a former log (section 6)
        self.unwanted_rooms = []  # rooms of the last welcome to leave after the replay
        self.last_seen = {}  # room -> greatest sequence shown
        self.oldest_shown = {}  # room -> least sequence shown
        self.members = {}  # room -> names, while the server sends all of them (section 11)
        self.direct_sessions = {}  # name key -> session of the last direct message (section 8)
        self.topics = {}  # room -> topic (section 21)
        self.own_latest = {}  # room -> sequence of our latest message there
        self.removed = collections.deque(maxlen=1000)  # sequences of removed messages (section 21)
        self.entering = None  # room of an `enter` from its `entered` to its `end`, if not sent out meanwhile
        self.can_moderate = self.can_list = False  # True if the server has granted `events`, `directory`
        self.was_live = False  # True once the first replay is complete
        self.password_requested = False
        self.had_refusal = False  # True once a message was refused
        self.max_text = 4096  # bytes
        self.outgoing = bytearray()  # bytes to send
        self.lines = []  # lines to show
        if saved:
            self.token = bytes.fromhex(saved["token"])
            known = [room for room in saved["rooms"] if not rooms or self.find_room(room, rooms)]
            if known and saved["log_id"]:  # rooms that it was not in are entered after the `end` (section 6)
                self.position = bytes.fromhex(saved["log_id"]), saved["sequence"]
                self.rooms = known
                for room in rooms:
                    if not self.find_room(room, known):
                        self.request("enter", room=room)
        self.current = rooms[0] if rooms else self.rooms[0] if self.rooms else None
        self.begin_connection(0.0)

    def to_save(self):
        """Return what is needed to resume the session, as a value for JSON; None before the first welcome."""
        if not self.token:
            return None
        log_id, sequence = self.position or (b"", 0)
        return {"token": self.token.hex(), "rooms": self.rooms, "log_id": log_id.hex(), "sequence": sequence}

    # -- a connection -------------------------------------------------------------------------------

    def begin_connection(self, now):
        """Reset what belongs to one connection."""
        self.state, self.buffer = "connected", bytearray()
        self.outgoing.clear()
        self.received_at, self.is_ping_sent = now, False
        self.ping_interval, self.idle_timeout = 30, 60  # seconds (section 17); the welcome may change them
        self.answer_deadline, self.live_since, self.retry_after = now + 10, None, 0
        self.is_closing, self.entering = False, None
        self.drop_leaves()
        for reference in [number for number, it in self.pending.items() if it[0] in ("topic", "remove")]:
            self.show(f"!! perhaps not done: /{self.pending.pop(reference)[0]}")  # not sent again (section 21)

    def drop_leaves(self):
        """Count each room whose `leave` was not answered as left: the next `join` does not name it (section 6).

        A `leave` after an unanswered `say` or `enter` of the same room stays, because that is sent again first.
        """
        earlier = []
        for reference, (name, fields) in list(self.pending.items()):
            if name in ("say", "enter"):
                earlier.append(fields["room"])
            elif name == "leave" and not self.find_room(fields["room"], earlier):
                self.take_pending(reference, "leave")
                self.remove_room(fields["room"])

    def connected(self, now):
        """Send `hello` on a new connection (section 4).

        Without a token `join` follows at once, as a client that speaks a single version may do. With a token it
        waits for `server_hello`, because a `join` that arrives late would end the session's next connection.
        """
        self.begin_connection(now)
        self.send("hello", magic=b"PiCh", min_version=1, max_version=1, features=PRESENCE | SEARCH | EVENTS | DIRECTORY,
                  client_name="chat_client.py", client_version="1")
        if not self.token:
            self.join()

    def join(self):
        """Send `join`. The password goes only to a server that has asked for one (section 19)."""
        self.send("join", username=self.name, password=self.password if self.password_requested else None,
                  rooms=self.rooms, token=self.token, position=self.position)

    def send(self, frame, **fields):
        """Append a frame to the bytes to send."""
        self.outgoing += encode_frame(frame, **fields)

    def request(self, frame, **fields):
        """Send a request and keep it until it is answered.

        One counter serves all kinds of requests: references of messages have to ascend, all others must not be 0
        (section 14).
        """
        self.last_used_reference += 1
        self.pending[self.last_used_reference] = frame, fields
        self.send(frame, reference=self.last_used_reference, **fields)

    def receive(self, data, now):
        """Handle bytes from the server, in pieces of any size, by the steps of section 15."""
        self.buffer += data
        while len(self.buffer) >= 2:
            length = int.from_bytes(self.buffer[:2], "big")
            if not 1 <= length <= MAX_BODY:  # before waiting for the body
                raise ProtocolError("that is no pi-chat server, or a frame of it is too long")
            if len(self.buffer) < 2 + length:
                return
            body = bytes(self.buffer[2:2 + length])
            del self.buffer[:2 + length]
            self.received_at, self.is_ping_sent = now, False
            name, _ = FRAMES.get(Reader(body).varint(16), ("", ()))
            if name in ALLOWED_FRAMES[self.state] | ALLOWED_ALWAYS:  # otherwise ignored without reading its fields
                getattr(self, "on_" + name)(decode_frame(body), now)

    def tick(self, now):
        """Check the timers; return the seconds until the next call (sections 12 and 17).

        Raise ConnectionLost after a timeout.
        """
        quiet = now - self.received_at
        if quiet >= self.idle_timeout or self.answer_deadline and now >= self.answer_deadline:
            raise ConnectionLost("nothing heard from the server")
        if quiet >= self.ping_interval and not self.is_ping_sent and self.state != "connected":
            self.is_ping_sent = True
            self.send("ping", token=self.last_used_reference)
        wake = self.received_at + (self.idle_timeout if quiet >= self.ping_interval else self.ping_interval)
        return max(0.0, min(wake, self.answer_deadline or wake) - now)

    def is_done(self):
        """Return True if every request has been answered."""
        return self.was_live and not self.pending

    # -- frames from the server ---------------------------------------------------------------------

    def on_ping(self, frame, now):
        """Answer at once."""
        self.send("pong", token=frame.token)

    def on_pong(self, frame, now):
        """Do nothing more: any frame shows that the server is there."""

    def on_server_hello(self, frame, now):
        """Check the version; 0 means that error 101 follows (section 4)."""
        if frame.version > 1:
            raise ProtocolError("the server chose a version that was not offered")
        self.can_search = frame.features & SEARCH
        self.can_moderate, self.can_list = frame.features & EVENTS, frame.features & DIRECTORY
        if frame.version:
            self.state, self.answer_deadline = "greeted", now + 10
            if self.token:
                self.join()

    def on_welcome(self, frame, now):
        """Take over the session; the flags say whether session and position are kept (section 6)."""
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
            self.void_directs |= {number for number, (name, fields) in self.pending.items()
                                  if name == "direct" and fields["session"]}
            self.accepted.clear()
            self.removed.clear()
            self.own_latest.clear()
            self.direct_sessions.clear()  # a new log id voids session numbers (section 6)
        self.log_id, self.token = frame.log_id, frame.token
        self.session_number, self.name = frame.session, frame.username
        # A join cannot name no room: a user who had left all rooms is put into the lobby (section 6).
        self.unwanted_rooms = frame.rooms if self.was_live and not self.rooms else []
        for room in self.rooms:
            if not self.find_room(room, frame.rooms):  # nothing else tells of a ban meanwhile (section 21)
                self.show(f"-- you were sent out of {safe_line(room)}")
        self.rooms = [] if self.unwanted_rooms else frame.rooms
        first = (self.rooms + [None])[0]
        self.current = self.find_room(self.current, self.rooms) or self.pending_enter(self.current) or first
        self.max_text = frame.max_text
        self.ping_interval, self.idle_timeout = frame.ping_interval, frame.idle_timeout
        self.members.clear()
        self.topics.clear()  # each `entered` brings them again (section 21)
        self.show(f"-- you are {safe_line(self.name)} on {safe_line(frame.server_name) or 'the server'}")

    def on_entered(self, frame, now):
        """Note that the session is in a room, whose history follows.

        The room joins `rooms` at the `end` only. If the connection is lost before that, a resume does not bring the
        rest of the history.
        """
        if frame.flags & GAP:
            room = safe_line(frame.room)
            self.show(f"-- {room}: something between is missing, the log does not reach back so far")
        if frame.reference in self.pending:
            self.pending[frame.reference] = "enter", {"room": frame.room}  # in the server's spelling
            self.entering = frame.room
        if self.find_room(self.current, [frame.room]):
            self.current = frame.room
        self.show(f"-- in {safe_line(frame.room)}, {frame.members} present")

    def on_end(self, frame, now):
        """Handle the end of the history after `join` or `enter`, or of the answer to `history` or `search`."""
        self.advance_position(frame.head)
        if frame.about == KINDS["join"] and self.state == "replaying":
            self.finish_replay(now)
        elif frame.about == KINDS["enter"]:
            fields = self.take_pending(frame.reference, "enter")
            if fields and self.entering and not self.find_room(fields["room"], self.rooms):
                self.rooms.append(fields["room"])
            self.entering = None
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
        """Send again what was not acknowledged, now that the replay is complete (section 6)."""
        self.state, self.live_since, self.was_live = "live", now, True
        self.echo_session = self.session_number
        for reference in sorted(self.void_directs & self.pending.keys()):
            self.report_refusal(307, "direct", self.take_pending(reference, "direct"),
                                "it was meant for a session of a former log, and may have arrived there")
        self.void_directs.clear()
        if self.session_kept:
            self.last_used_reference = max(self.last_used_reference, self.server_last_reference)
        else:  # a new session has no references yet
            self.pending = dict(enumerate(self.pending.values(), self.server_last_reference + 1))
            self.last_used_reference = self.server_last_reference + len(self.pending)
        if not self.can_search:  # no answer would ever come (section 4)
            self.pending = {number: it for number, it in self.pending.items() if it[0] != "search"}
        leaves = {}
        for room in self.unwanted_rooms:
            self.last_used_reference += 1
            leaves[self.last_used_reference] = "leave", {"room": room}
        self.pending = {**leaves, **self.pending}  # the user may be entering the same room again
        for reference, (frame, fields) in self.pending.items():
            self.send(frame, reference=reference, **fields)

    def advance_position(self, sequence):
        """Advance the position: the greatest sequence of all, in the log of the last welcome (section 6)."""
        self.position = self.log_id, max(sequence, self.position[1] if self.position else 0)

    def take_pending(self, reference, *frames):
        """Remove a request from `pending` if it is one of these frames; return its fields, or None."""
        if self.pending.get(reference, (None,))[0] in frames:
            return self.pending.pop(reference)[1]
        return None

    def on_entry(self, frame, now):
        """Show a message in a room. An own message is its acknowledgement (section 6)."""
        self.advance_position(frame.sequence)
        if frame.session == self.echo_session:
            self.take_pending(frame.reference, "say")
            self.own_latest[frame.room] = max(frame.sequence, self.own_latest.get(frame.room, 0))
        if frame.style == REMOVED_STYLE and frame.sequence not in self.removed:
            self.removed.append(frame.sequence)
            if not frame.flags & REQUESTED and (frame.sequence <= self.last_seen.get(frame.room, 0) or
                                                (frame.session, frame.reference) in self.accepted):
                self.show(f"-- {safe_line(frame.room)}: message {frame.sequence} was removed")  # shown before
        if not frame.flags & REQUESTED:
            if frame.sequence <= self.last_seen.get(frame.room, 0):
                return  # shown before: the room was entered again
            self.last_seen[frame.room] = frame.sequence
            if (frame.session, frame.reference) in self.accepted:
                return  # shown when `accepted` came
        elif self.expects_search_results():  # results do not change where /history goes on
            day = format_time(frame.time, "%Y-%m-%d")
            return self.show_message(frame, f"{day} ({safe_line(frame.room)}) ", safe_line(frame.username))
        self.oldest_shown[frame.room] = min(frame.sequence, self.oldest_shown.get(frame.room, frame.sequence))
        where = "" if frame.room == self.current else f"({safe_line(frame.room)}) "
        self.show_message(frame, where, safe_line(frame.username))

    def expects_search_results(self):
        """Return True if the next requested entry answers a search; answers come in order (section 2)."""
        asked = [frame for frame, _ in self.pending.values() if frame in ("history", "search")]
        return asked[:1] == ["search"]

    def on_direct_entry(self, frame, now):
        """Show a direct message. Answers go to this session, not to a later holder of the name (section 8)."""
        self.advance_position(frame.sequence)
        mine = frame.from_session == self.echo_session
        if mine:
            self.take_pending(frame.reference, "direct")
            if (frame.from_session, frame.reference) in self.accepted:
                return  # shown when `accepted` came
        name, session = (frame.to_name, frame.to_session) if mine else (frame.from_name, frame.from_session)
        if self.direct_sessions.get(name_key(name), session) != session:
            self.show(f"-- this {safe_line(name)} is not the one of before")
        self.direct_sessions[name_key(name)] = session
        self.show_message(frame, "", f"{safe_line(frame.from_name)} -> {safe_line(frame.to_name)}")

    def on_accepted(self, frame, now):
        """Note that a message is in the log and will not be echoed: show it now."""
        fields = self.take_pending(frame.reference, "say", "direct")
        if fields:
            self.accepted.append((self.session_number, frame.reference))
            self.show(f"-- was taken: {safe_block(fields['text'])}")

    def on_left(self, frame, now):
        """Note that the session has left a room: because it wanted to, or because it was sent out (section 21)."""
        if frame.reference == 0 and frame.room == self.entering:
            self.entering = None
        elif frame.reference == 0 and not self.find_room(frame.room, self.rooms):
            return
        self.take_pending(frame.reference, "leave")
        if frame.reference == 0:
            self.show(f"-- you were sent out of {safe_line(frame.room)}")
        self.remove_room(frame.room)
        if frame.reference == 0 and self.current == frame.room:
            self.current = (self.rooms + [None])[0]

    def on_done(self, frame, now):
        """Strike off a request that has no other answer (section 21)."""
        if self.take_pending(frame.reference, FRAMES.get(frame.about, ("", ()))[0]) is not None:
            self.show("-- done" if frame.affected else "-- nothing was to be done")

    def on_removed(self, frame, now):
        """Show that the text of a message was removed: once, and for messages that were never shown, too (section 21).
        """
        if frame.sequence in self.removed:
            return
        self.removed.append(frame.sequence)
        self.show(f"-- {safe_line(frame.room)}: message {frame.sequence} was removed{self.by(frame)}")

    def on_topic_changed(self, frame, now):
        """Note and show the topic of a room (section 21)."""
        self.topics[frame.room] = frame.text
        self.show(f"-- topic of {safe_line(frame.room)}: {safe_line(frame.text) or 'none'}")

    def on_room_modes(self, frame, now):
        """Show who may talk in a room, and how often (section 21)."""
        slow = f"a message every {frame.slow} s" if frame.slow else "no slow mode"
        talk = "only moderators talk" if frame.moderated else "everybody may talk"
        self.show(f"-- {safe_line(frame.room)}: {talk}, {slow}")

    def on_role_changed(self, frame, now):
        """Show a role (section 21)."""
        role = {1: "a moderator", 2: "an owner"}.get(frame.role, "no moderator and no owner")
        where = safe_line(frame.room) or "the whole server"
        self.show(f"-- {safe_line(frame.username)} is {role} of {where}")

    def on_sanctioned(self, frame, now):
        """Show what a moderator did to the user (section 21)."""
        what = {1: "sent out", 2: "banned", 3: "no longer banned", 4: "muted", 5: "no longer muted"}.get(frame.action)
        if what:
            until = f" until {format_time(frame.until, '%Y-%m-%d %H:%M')}" if frame.until else ""
            where = safe_line(frame.room) or "the whole server"
            self.show(f"-- {where}: you are {what}{until}{self.by(frame)}")

    def on_sanctions_list(self, frame, now):
        """Do nothing: this client does not ask for sanctions."""

    def on_rooms(self, frame, now):
        """Show the list of rooms, which may come in several frames (section 21)."""
        if self.pending.get(frame.reference, (None,))[0] != "directory":
            return
        for room in frame.items:
            self.show(f"-- {safe_line(room['name'])}, {room['members']} present: {safe_line(room['topic'])}")
        if frame.last:
            self.take_pending(frame.reference, "directory")
            self.show("-- end of the list of rooms")

    @staticmethod
    def by(frame):
        """Return who did something and why, as the end of a line."""
        who = f" by {safe_line(frame.by)}" if frame.by else ""
        return who + (f": {safe_line(frame.reason)}" if frame.reason else "")

    def remove_room(self, left):
        """Remove a room from those that the next `join` names, and tell the user."""
        self.rooms = [room for room in self.rooms if not self.find_room(room, [left])]
        self.members.pop(left, None)
        self.show(f"-- you left {safe_line(left)}")

    def on_roster(self, frame, now):
        """Handle the members of a room: sent without a request, or a page of the answer to /who (section 11)."""
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
        """Show members that have come and gone. `joined` lists who is there now, so it may name known members
        (section 11).
        """
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
        """Show a notice."""
        self.show(f"-- server: {safe_line(frame.text)}")

    def on_error(self, frame, now):
        """Handle an error by its code; users see its text (README, section 7)."""
        message = f"{safe_line(frame.text)} (error {frame.code})"
        if frame.code == 203 and self.password is not None and not self.password_requested:
            self.password_requested, self.answer_deadline = True, now + 10
            self.join()
        elif frame.code in FINAL or self.state == "greeted" and frame.code >= 200:
            raise Refused(message)
        elif 100 <= frame.code <= 199:  # the server closes: read on until then, at most 5 s (section 17)
            self.show(f"!! {message}")
            if frame.about in (7, 11):  # answered: sent again, it might get the same error for ever (section 6)
                self.take_pending(frame.reference, "history", "search")
            self.retry_after, self.is_closing, self.answer_deadline = frame.retry_after / 1000, True, now + 5
        else:  # one request was refused, the connection goes on
            name = FRAMES.get(frame.about, ("", ()))[0]
            self.report_refusal(frame.code, name, self.take_pending(frame.reference, name) or {}, message)

    def report_refusal(self, code, name, fields, message):
        """Handle the refusal of a request."""
        if name == "enter" and fields and self.find_room(self.current, [fields["room"]]):
            self.current = (self.rooms + [None])[0]
        if name == "direct" and fields and code == 307:
            self.direct_sessions.pop(name_key(fields["to"]), None)
            message += "; say it again to send it to whoever has the name now"
        if "text" in fields and name not in ("search", "topic"):
            self.had_refusal = True
            message += f": not sent: {safe_block(fields['text'])}"
        self.show(f"!! {message}")

    # -- lines from the user ------------------------------------------------------------------------

    def accepts_input(self):
        """Return True if lines can be handled now: live, and fewer than 50 unanswered requests."""
        return self.state == "live" and not self.is_closing and len(self.pending) < 50

    def handle_line(self, line):
        """Handle a typed line; return True if the user wants to quit."""
        if not line.startswith("/") or line.startswith("//"):
            self.say(0, line[1:] if line.startswith("//") else line)
            return False
        command, _, rest = line[1:].partition(" ")
        argument = rest.strip()
        name = argument.partition(" ")[0] if command == "msg" else argument
        if len(name.encode()) > 256 and command in ("join", "leave", "msg"):  # README, section 2
            self.show("!! a name cannot be so long")
        elif command == "quit":
            return True
        elif command == "me":
            self.say(1, rest)
        elif command == "msg" and " " in argument:
            text = argument.partition(" ")[2]
            if self.check_size(text):  # the last known session of this name, if any (section 8)
                self.request("direct", to=name, session=self.direct_sessions.get(name_key(name), 0), style=0, text=text)
        elif command == "join" and argument:
            known = self.find_room(argument, self.rooms) or self.pending_enter(argument)
            self.current = known or argument
            if not known:
                self.request("enter", room=argument)
        elif command == "leave" and (argument or self.current):
            room = argument or self.current
            self.request("leave", room=room)
            if self.find_room(self.current, [room]):  # at once, because the next line is for another room
                self.current = next((other for other in self.rooms if not self.find_room(other, [room])), None)
        elif command == "who" and self.current:
            self.request("members", room=self.current, after="", names=[])  # `names` collects the pages
        elif command == "history" and self.current and (argument or "20").isdecimal():
            self.request("history", room=self.current, before=self.oldest_shown.get(self.current, 0),
                         limit=max(1, min(100, int(argument or "20"))))
        elif command in ("topic", "remove") and argument and not self.can_moderate or (
                command == "rooms" and not self.can_list):
            self.show("!! this server is too old for that")
        elif command == "rooms":
            self.request("directory")
        elif command == "topic" and self.current and not argument:
            self.show(f"-- topic of {safe_line(self.current)}: {safe_line(self.topics.get(self.current, '')) or 'none'}")
        elif command == "topic" and self.current and len(argument.encode()) <= 256:
            self.request("topic", room=self.current, text="" if argument == "-" else argument)
        elif command == "remove" and self.current and (argument or self.own_latest.get(self.current)) and (
                argument or "0").isdecimal():
            number = int(argument) if argument else self.own_latest[self.current]
            self.request("remove", room=self.current, sequence=number % 2**64, reason="")
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
        """Return True if the text can be sent. A longer one might make a frame that ends the connection (section
        7).
        """
        size = len(text.encode())
        if size > self.max_text:
            self.had_refusal = True
            self.show(f"!! not sent, {size} bytes are more than {self.max_text}: {safe_line(text[:60])}…")
        return 0 < size <= self.max_text

    def pending_enter(self, room):
        """Return this room in the spelling of a pending `enter`, or None if there is none."""
        return self.find_room(room, [fields["room"] for name, fields in self.pending.values() if name == "enter"])

    @staticmethod
    def find_room(room, rooms):
        """Return the one of these rooms that has this name in any spelling, or None (README, section 2)."""
        return next((one for one in rooms if room and name_key(one) == name_key(room)), None)

    # -- lines for the user -------------------------------------------------------------------------

    def show(self, line):
        """Append a line, which has to be safe already, to the output."""
        self.lines.append(line)

    def show_message(self, frame, where, who):
        """Show a message: `[22:03:09] anna: hello`. An unknown style is shown like 0 (README, section 3)."""
        said = f"* {who} {safe_block(frame.text)}" if frame.style == 1 else f"{who}: {safe_block(frame.text)}"
        self.show(f"{'~' if frame.flags & HISTORY else ''}{format_time(frame.time)} {where}{said}")


# ======== The driver: sockets, clock, terminal, file ================================================

def reconnect_delay(attempt, retry_after):
    """Return the seconds to wait before an attempt to reconnect, with a random part (section 13)."""
    if retry_after:
        return min(retry_after, 600) * random.uniform(1, 1.5)  # README, section 7
    return random.uniform(0, min(60, 2 ** min(attempt, 6)))


class InputReader:
    """Reads lines of standard input in a thread.

    Neither a terminal on Windows nor a file on Linux can be waited for like a socket. `wake_receiver` becomes
    readable when there is a new line.
    """

    def __init__(self):
        """Start the thread."""
        self.queue = queue.Queue(1000)  # bounded, so that a long input waits in its pipe
        self.wake_receiver, self.wake_sender = socket.socketpair()
        self.wake_sender.setblocking(False)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Run the thread: queue each line, then None for the end.

        It uses os.read, because a thread that waits in sys.stdin holds its lock, and then the interpreter cannot
        exit.
        """
        rest = b""
        while True:
            data = os.read(sys.stdin.fileno(), 65_536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines + ([rest] if rest and not data else []):
                self.put(line.decode(errors="replace").rstrip("\r"))
            if not data:
                return self.put(None)

    def put(self, line):
        """Queue a line and wake the main thread."""
        self.queue.put(line)
        try:
            self.wake_sender.send(b"!")
        except BlockingIOError:
            pass  # a wake-up is pending already


class Client:
    """The driver: carries bytes and lines between a Session, a socket and the terminal."""

    def __init__(self, server, session, state_file):
        """`server`: (host, port). `state_file`: a path or None."""
        self.server, self.session, self.state_file = server, session, state_file
        self.input, self.saved, self.save_after, self.is_leaving = InputReader(), None, 0.0, False

    def run(self):
        """Connect, and reconnect when the connection is lost; return the exit status."""
        attempt, first = 0, True
        while True:
            try:
                return self.run_connection()
            except (ConnectionLost, OSError, UnicodeError) as error:  # UnicodeError: no valid host name
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
            time.sleep(delay)  # typed lines wait in the queue

    def run_connection(self):
        """Run one connection until nothing is left to do; return the exit status.

        Raise ConnectionLost, or OSError if it cannot connect.
        """
        self.session.begin_connection(time.monotonic())
        with socket.create_connection(self.server, timeout=5) as sock:
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
        """Wait for an event and handle it; return True when nothing is left to do."""
        session = self.session
        while session.accepts_input() and not self.is_leaving and not self.input.queue.empty():
            line = self.input.queue.get()
            self.is_leaving = line is None or session.handle_line(line)
        wait = session.tick(time.monotonic())
        self.flush_output()
        if self.is_leaving and session.is_done():
            return True
        # Read while writing: the server closes a connection that does not (section 12).
        wait = min(wait, 1.0)  # at least once a second, to save the state
        readers, writers = [sock, self.input.wake_receiver], [sock] if session.outgoing else []
        readable, writable, _ = select.select(readers, writers, [], wait)
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
            except OSError:  # closed by the server; its reason may still be readable (section 12)
                session.outgoing.clear()
        return False

    def flush_output(self, final=False):
        """Show the lines, and only then save the position: better twice than never (section 6)."""
        lines, self.session.lines = self.session.lines, []
        try:
            for line in lines:
                print(line, flush=True)
        except BrokenPipeError:  # the reader of the output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        now, value = time.monotonic(), self.session.to_save()
        if not self.state_file or not value or value == self.saved or (now < self.save_after and not final):
            return
        # At most once a second, to spare SD cards.
        self.save_after, self.saved = now + 1, value
        try:
            save_state(self.state_file, {"server": list(self.server), **value})
        except OSError as error:
            print(f"!! the state cannot be kept: {error}", file=sys.stderr)


def save_state(path, value):
    """Write the state file atomically. mkstemp makes it private, because the token is a secret (section 6)."""
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
    """Read what `save_state` wrote; None if there is no file yet.

    A token goes to its own server only (section 19), and is used by one process at a time (section 6): the lock
    lasts as long as this process.
    """
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
    """Return (host, port) of `host`, `host:port` or `[v6]:port`, also with `chat://` before it."""
    address = urlsplit(text if "://" in text else f"chat://{text}")
    if address.scheme != "chat" or not address.hostname or address.path.strip("/") or address.port == 0:
        raise ValueError(f"{text} is not the address of a server")
    return address.hostname, address.port or PORT


def parse_arguments(arguments):
    """Parse the command line to (server, session, state file); exit with 64 if it is wrong."""
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
    """Run the client; return the exit status."""
    sys.stdout.reconfigure(errors="replace")  # for terminals without Unicode
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
    for name, fields in session.pending.values():  # report everything that was typed and not acknowledged
        if "text" in fields and name not in ("search", "topic"):
            session.show(f"!! perhaps not sent: {safe_block(fields['text'])}")
    while not client.input.queue.empty():
        line = client.input.queue.get()
        session.lines += [f"!! not sent: {safe_line(line)}"] if line else []
    client.flush_output(final=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
