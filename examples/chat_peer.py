#!/usr/bin/env python3
"""A pi-chat peer in a terminal: a room without a server, over UDP, written from the protocol pages alone.

    chat_peer.py --name NAME [--room ROOM] [--interface NAME]... [--peer HOST[:PORT]]...

A line that you type is said as a message, `/me TEXT` as an action. Lines that begin with ~ are history, said
before you came; lines with -- are news, lines with !! are errors. At the end of the input, or by Ctrl-C, the
peer leaves. Exit status: 0 left, 64 usage, 77 rejected by another peer.

There are three parts: the codec (peer_codec.py), the engine (peer_engine.py and peer_state.py), and this file,
the driver: sockets, clock, terminal. It finds interfaces by calls of Linux. Sections in comments are those of
docs/protocol/udp.md.
"""
import argparse
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time

from peer_codec import KINDS, Room, check_name, safe
from peer_engine import Peer
from peer_state import BROADCAST, GROUP4, GROUP6

PORT, GROUP_ADDRESS4, GROUP_ADDRESS6 = 2428, "239.255.24.28", "ff12::2428"  # section 6
EXIT_USAGE, EXIT_REJECTED = 64, 77
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # Python has it from 3.14 on
LINGER = 1.0  # seconds between the last message and leaving, in which others may request it


# ---- sockets (section 6) ------------------------------------------------------------------------------

def find_interfaces(wanted):
    """Return [(index, IPv4 address, broadcast address)] of all usable interfaces, or of those named in *wanted*."""
    up, broadcasts, loopback, multicasts = 1, 2, 8, 0x1000
    ask_flags, ask_address, ask_broadcast = 0x8913, 0x8915, 0x8919
    found, probe = [], socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for index, name in socket.if_nameindex():
        request = struct.pack("256s", name.encode())
        try:
            flags, = struct.unpack_from("H", fcntl.ioctl(probe, ask_flags, request), 16)
            address = socket.inet_ntoa(fcntl.ioctl(probe, ask_address, request)[20:24])
            broadcast = socket.inet_ntoa(fcntl.ioctl(probe, ask_broadcast, request)[20:24])
        except OSError:  # the interface has no IPv4 address
            continue
        if name in wanted or not wanted and flags & up and flags & multicasts and not flags & loopback:
            found.append((index, address, broadcast if flags & broadcasts else "127.255.255.255"))
    probe.close()
    return found


class Sockets:
    """The shared socket and the own socket, for IPv4 and, if the machine has it, for IPv6 (section 6)."""

    def __init__(self, port, interfaces):
        """Open the sockets and join the groups on these interfaces."""
        self.port, self.interfaces = port, interfaces
        self.broadcasts = {broadcast for _, _, broadcast in interfaces} | {"255.255.255.255"}
        self.shared4, self.own4 = self._bind(socket.AF_INET, port), self._bind(socket.AF_INET, 0)
        self.shared4.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.own4.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for _, address, _ in interfaces:
            membership = socket.inet_aton(GROUP_ADDRESS4) + socket.inet_aton(address)
            self.shared4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        try:
            self.shared6, self.own6 = self._bind(socket.AF_INET6, port), self._bind(socket.AF_INET6, 0)
            self.shared6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            for index, _, _ in interfaces:
                membership = socket.inet_pton(socket.AF_INET6, GROUP_ADDRESS6) + struct.pack("@I", index)
                self.shared6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        except OSError:
            self.shared6 = self.own6 = None
        self.all = [sock for sock in (self.shared4, self.own4, self.shared6, self.own6) if sock]
        self.paths = GROUP4 | BROADCAST | (GROUP6 if self.own6 else 0)

    @staticmethod
    def _bind(family, port):
        """Bind a socket: a shared one to *port*, an own one (port 0) to any free port."""
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(("", port))
        return sock

    def receive(self, sock):
        """Read a datagram. Return (datagram, address, path), or None if there is none, or it is to be dropped."""
        try:
            datagram, extra, _, address = sock.recvmsg(2048, 256)
        except OSError:  # nothing to read, or an ICMP error about an earlier datagram
            return None
        path, index = 0, None
        for _, _, info in extra:  # destination address and interface (section 6)
            if sock is self.shared4:
                index, to = struct.unpack_from("=I", info)[0], socket.inet_ntoa(info[8:12])
                path = GROUP4 if to == GROUP_ADDRESS4 else BROADCAST if to in self.broadcasts else 0
            elif sock is self.shared6:
                index, to = struct.unpack_from("=I", info, 16)[0], socket.inet_ntop(socket.AF_INET6, info[:16])
                path = GROUP6 if to == GROUP_ADDRESS6 else 0
        if path and index not in {i for i, _, _ in self.interfaces}:
            return None  # it came in on an interface that is not used (section 6)
        return datagram, address, path

    def send(self, datagram, destination):
        """Send a datagram to a path or an address."""
        if isinstance(destination, tuple):
            self._send(self.own6 if ":" in destination[0] else self.own4, datagram, destination)
            return
        for index, address, broadcast in self.interfaces:
            if destination == GROUP4:
                self.own4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
                self._send(self.own4, datagram, (GROUP_ADDRESS4, self.port))
            elif destination == BROADCAST:
                self._send(self.own4, datagram, (broadcast, self.port))
            else:
                self.own6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                self._send(self.own6, datagram, (GROUP_ADDRESS6, self.port))

    @staticmethod
    def _send(sock, datagram, address):
        """Send a datagram by one socket to one address."""
        try:
            if sock:
                sock.sendto(datagram, address)
        except OSError:  # what cannot be sent counts as lost
            pass


# ---- the terminal -------------------------------------------------------------------------------------

class InputLines:
    """Non-blocking reader of lines from standard input."""

    def __init__(self):
        """Begin before the first line."""
        self.rest, self.open = b"", True

    def read(self):
        """Read what is available; return the lines that are complete, without empty ones."""
        data = os.read(0, 65536)
        self.open = bool(data)
        *lines, self.rest = (self.rest + (data or b"\n")).split(b"\n")
        return [line.decode(errors="replace") for line in lines if line]


def safe_line(text):
    """Make a name or text of a stranger safe to show, as one line."""
    return safe(text, one_line=True)


def format_event(event):
    """Format an event of the engine for the terminal."""
    kind = event["type"]
    if kind == "message":
        text, name = safe(event["text"]).replace("\n", "\n    | "), safe_line(event["name"])
        said = f"* {name} {text}" if event["style"] == 1 else f"{name}: {text}"
        return ("~ " if event["history"] else "") + said + (" (late)" if event["late"] else "")
    if kind == "in":
        source = f"; the history is from {safe_line(event['history_from'])}" if event["history_from"] else ""
        return f"-- you are in as {event['name']}{source}"
    if kind == "rejected":
        return f"!! {safe_line(event['by'])} says no: {safe_line(event['text'])} (error {event['code']})"
    if kind == "renamed":
        return f"-- {safe_line(event['old'])} is now {safe_line(event['new'])}"
    if kind == "missing":
        return "-- a message is lost: nobody has it any more"
    return f"-- {safe_line(event['name'])} is {kind}"  # here, gone


class Driver:
    """Carries datagrams, lines and the time between the system and the engine."""

    def __init__(self, peer, sockets, drop):
        """*drop*: number of entries to lose, for tests."""
        self.peer, self.sockets, self.lines, self.drop = peer, sockets, InputLines(), drop
        self.stopped, self.leave_at = False, None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_):
        """Handle a signal: leave soon."""
        self.stopped = True

    def run(self):
        """Run until the peer has left or is rejected; return the exit status."""
        self.peer.start(time.monotonic())
        while True:
            sends, events, due = self.peer.wake(time.monotonic())
            for datagram, destination in sends:
                self.sockets.send(datagram, destination)
            for event in events:
                print(format_event(event), flush=True)
            if self.peer.state == "rejected":
                return EXIT_REJECTED
            if self.peer.state == "left" and due is None:
                return 0
            if not self._leave_when_done():
                self._wait(0.5 if due is None else min(0.5, max(0.0, due - time.monotonic())))

    def _leave_when_done(self):
        """Leave if it is time to. Return True if this call has done so."""
        now, done = time.monotonic(), not self.lines.open and self.peer.state == "in" and not self.peer.unsent
        if done and self.leave_at is None:
            self.leave_at = now + LINGER
        if self.peer.state == "left" or not (self.stopped or self.leave_at is not None and now >= self.leave_at):
            return False
        self.peer.leave(now)
        return True

    def _wait(self, seconds):
        """Wait for datagrams, lines or the time, and hand them to the engine."""
        readable, _, _ = select.select(self.sockets.all + ([0] if self.lines.open else []), [], [], seconds)
        for sock in readable:
            got = self.sockets.receive(sock) if sock != 0 else None
            if got and self.drop and got[0][23:24] == bytes([KINDS["entry"]]):
                self.drop -= 1  # lose this entry, for a test; works in open rooms only
            elif got:
                self.peer.receive(time.monotonic(), *got)
        for line in self.lines.read() if 0 in readable else ():
            action = line.startswith("/me ")
            try:
                self.peer.say(time.monotonic(), line[4:] if action else line, int(action))
            except ValueError as error:
                print(f"!! not sent: {error}", flush=True)


def host_address(text):
    """Resolve HOST[:PORT] to an address."""
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
    return socket.getaddrinfo(host.strip("[]"), int(port or PORT), type=socket.SOCK_DGRAM)[0][4]


def main():
    """Parse the command line and run the peer."""
    parser = argparse.ArgumentParser(description="A peer of pi-chat: a room without a server.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--room", default="lobby")
    parser.add_argument("--passphrase-file", help="of a closed room")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--interface", action="append", default=[], help="instead of all usable ones; lo works")
    parser.add_argument("--peer", action="append", default=[], metavar="HOST[:PORT]", help="a host beyond the network")
    parser.add_argument("--drop", type=int, default=0, metavar="N", help="lose the first N entries (a test)")
    options, passphrase = parser.parse_args(), None
    try:
        if options.passphrase_file:
            with open(options.passphrase_file, encoding="utf-8") as file:
                passphrase = file.readline().rstrip("\r\n")
        room, hosts = Room(options.room, passphrase), list(map(host_address, options.peer))
        name = check_name(options.name)
        if name is None:
            raise ValueError("this cannot be a name: use letters, digits, - _ and .")
    except (OSError, ValueError) as error:
        print(f"!! {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    sockets = Sockets(options.port, find_interfaces(options.interface))
    unix_ms = int((time.time() - time.monotonic()) * 1000)
    peer = Peer(name, room, unix_ms=unix_ms, paths=sockets.paths, hosts=hosts)
    sys.exit(Driver(peer, sockets, options.drop).run())


if __name__ == "__main__":
    main()
