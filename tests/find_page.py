#!/usr/bin/env python3
"""Looks for pages on the network, as browsers of services do: DNS-SD over multicast DNS (RFC 6762, RFC 6763).

    find_page.py ADDRESS

ADDRESS is that of the interface to ask on. Prints `HOST:PORT` of the first `_http._tcp` that answers, and ends with
status 1 if none does.
"""
import socket
import sys
import time

# Group and port of multicast DNS.
GROUP, PORT = "224.0.0.251", 5353

# The service type, and the record types PTR and SRV.
SERVICE, PTR, SRV = "_http._tcp.local", 12, 33

# Number of questions, and seconds to wait for an answer to each.
QUESTIONS, INTERVAL = 30, 1


def read_name(packet, at):
    """Return the name at an offset, and the offset behind it. A compressed name points to an earlier one."""
    labels = []
    while packet[at]:
        if packet[at] >= 192:
            target = (packet[at] & 63) << 8 | packet[at + 1]
            return ".".join([*labels, read_name(packet[:at], target)[0]]), at + 2
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), at + 1


def find(packet):
    """Return host and port of the service in an answer; None if it is not there."""
    at, found = 12, None
    for _ in range(int.from_bytes(packet[4:6], "big")):
        at = read_name(packet, at)[1] + 4
    for _ in range(sum(int.from_bytes(packet[start:start + 2], "big") for start in (6, 8, 10))):
        name, at = read_name(packet, at)
        kind, size = packet[at + 1], int.from_bytes(packet[at + 8:at + 10], "big")
        if kind == SRV and name.endswith(SERVICE):
            found = f"{read_name(packet, at + 16)[0]}:{int.from_bytes(packet[at + 14:at + 16], 'big')}"
        at += 10 + size
    return found


def main():
    """Ask until somebody answers."""
    own = socket.inet_aton(sys.argv[1])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    sock.bind(("", PORT))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + own)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    sock.settimeout(INTERVAL)
    name = b"".join(bytes([len(label)]) + label.encode() for label in SERVICE.split(".")) + b"\0"
    question = bytes([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, PTR, 0, 1])
    for _ in range(QUESTIONS):
        sock.sendto(question, (GROUP, PORT))
        # The question itself comes back, too.
        until = time.monotonic() + INTERVAL
        while time.monotonic() < until:
            try:
                found = find(sock.recv(9_000))
            except TimeoutError:
                break
            if found:
                print(found)
                return
    sys.exit("no page is announced")


main()
