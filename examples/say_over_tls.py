#!/usr/bin/env python3
"""Says one thing in the lobby over TLS: docs/protocol/tls.md.

    say_over_tls.py HOST PORT NAME TEXT [FINGERPRINT]

FINGERPRINT is what `chat-server status` shows. Without it, any key is accepted, and its fingerprint shown.
"""
import hashlib
import socket
import ssl
import sys

from codec import decode_frame, encode_frame


def elements(der):
    """Yield the elements of a DER sequence: each with its header, and without it."""
    while der:
        length, head = der[1], 2
        if length >= 128:
            head = length - 128 + 2
            length = int.from_bytes(der[2:head], "big")
        yield der[:head + length], der[head:head + length]
        der = der[head + length:]


def public_key(certificate):
    """Return the SubjectPublicKeyInfo of a certificate (DER), the seventh part of what is signed."""
    _, signed_and_signature = next(elements(certificate))
    _, signed = next(elements(signed_and_signature))
    return list(elements(signed))[6][0]


def fingerprint_of(certificate):
    """Return the fingerprint of a certificate's key, as people compare it."""
    digest = hashlib.sha256(public_key(certificate)).digest()
    return " ".join(f"{int.from_bytes(digest[at:at + 4], 'big') % 100_000:05}" for at in range(0, 32, 4))


def connect(host, port, expected=None):
    """Connect, and check the fingerprint before anything is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.check_hostname, context.verify_mode = ssl.TLSVersion.TLSv1_3, False, ssl.CERT_NONE
    sock = context.wrap_socket(socket.create_connection((host, port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found = fingerprint_of(sock.getpeercert(True))
    if expected not in (None, found):
        sys.exit(f"!! the fingerprint is {found}, not {expected}")
    print("-- the fingerprint is", found)
    return sock


def frames(sock):
    """Yield the server's frames until it closes the connection."""
    stream = sock.makefile("rb")
    while len(length := stream.read(2)) == 2:
        yield decode_frame(stream.read(int.from_bytes(length, "big")))


def main(host, port, name, text, expected=None):
    """Join, say the text, and leave when it has come back."""
    sock = connect(host, int(port), expected)
    sock.sendall(encode_frame("hello", magic=b"PiCh", min_version=1, max_version=1, features=0, client_name="tls",
                              client_version="1"))
    sock.sendall(encode_frame("join", username=name, password=None, rooms=[], token=None, position=None))
    session = None
    for frame in frames(sock):
        if frame is None:
            continue
        if frame.name == "welcome":
            session = frame.session
            sock.sendall(encode_frame("say", reference=1, room="lobby", style=0, text=text))
        elif frame.name == "entry" and frame.session == session and frame.reference == 1:
            print("-- it has arrived")
            break
        elif frame.name == "error":
            sys.exit(f"!! error {frame.code}")
    sock.unwrap()  # close_notify: this client leaves


if __name__ == "__main__":
    main(*sys.argv[1:])
