#!/usr/bin/env python3
"""Claims a name with a key, so that nobody else gets it: docs/protocol/identity.md.

    claim_name.py [--link] [chats://]HOST PORT NAME KEYFILE [INVITATION]

With chats:// it uses TLS. KEYFILE holds the secret half of the key, 32 bytes; it is made if it is missing. Run it again
with the same file, and the server knows that it is the same user. With --link it also makes a code by which another
device comes in under the name, as an INVITATION.
"""
import hashlib
import os
import secrets
import socket
import sys

import say_over_tls
from codec import decode_frame, encode_frame

# Ed25519 (RFC 8032, section 5.1), only what signing needs. It is slow, and an attacker on this machine could measure how
# long it takes: a program that people use takes a library.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def add(one, other):
    """Add two points in extended coordinates."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number, point):
    """Add a point to itself so many times."""
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def encoded(point):
    """Return the 32 bytes of a point."""
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def number_of(data):
    """Return the number of which these are the bytes, the smallest first."""
    return int.from_bytes(data, "little")


def key_pair(seed):
    """Return the secret number of a seed, what makes its signatures unpredictable, and the public key."""
    digest = hashlib.sha512(seed).digest()
    secret = number_of(digest[:32]) & (1 << 254) - 8 | 1 << 254
    return secret, digest[32:], encoded(multiply(secret, BASE))


def sign(seed, message):
    """Return the public key of a seed, and its signature of a message."""
    secret, prefix, key = key_pair(seed)
    nonce = number_of(hashlib.sha512(prefix + message).digest()) % ORDER
    commitment = encoded(multiply(nonce, BASE))
    challenge = number_of(hashlib.sha512(commitment + key + message).digest())
    return key, commitment + ((nonce + challenge * secret) % ORDER).to_bytes(32, "little")


def proof(seed, challenge, server_key, fingerprint=None):
    """Return the proof for a connection: over plain TCP the binding is 0, and its data 32 zero bytes. Over TLS it is 3,
    the fingerprint of the server's key, as Python's ssl does not give the bytes of the exporter, binding 1."""
    binding, data = (0, bytes(32)) if fingerprint is None else (3, fingerprint)
    key, signature = sign(seed, b"pi-chat proof 1\0" + challenge + server_key + bytes([binding]) + data)
    return {"key": key, "binding": binding, "signature": signature}


def connect(host, port):
    """Connect, over TLS with chats:// before the host. Return the socket, and with TLS the fingerprint of the server's
    key. A program that people use compares it with that of the last time before it says who they are."""
    if not host.startswith("chats://"):
        return socket.create_connection((host, port)), None
    sock = say_over_tls.connect(host.removeprefix("chats://"), port)
    return sock, hashlib.sha256(say_over_tls.public_key(sock.getpeercert(True))).digest()


def load_seed(path):
    """Return the secret half of the key in a file, which is made if it is missing, for its owner only."""
    if not os.path.exists(path):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(32))
    with open(path, "rb") as file:
        seed = file.read()
    if len(seed) != 32:
        sys.exit(f"!! {path} holds no key")
    return seed


def link_code():
    """Return 80 random bits in Crockford's base32, in groups of four, and the hash that the server gets of them."""
    code = "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(16))
    shown = "-".join(code[at:at + 4] for at in range(0, 16, 4))
    return shown, hashlib.sha256(code.encode("ascii")).digest()


def main(host, port, name, path, invite=None, links=False):
    """Prove the key, join, claim the name, make a link code if asked to, and leave."""
    seed = load_seed(path)
    code, code_hash = link_code()
    sock, fingerprint = connect(host, int(port))
    stream = sock.makefile("rb")
    sock.sendall(encode_frame("hello", magic=b"PiCh", min_version=1, max_version=1, features=IDENTITY,
                              client_name="claim", client_version="1"))
    while len(length := stream.read(2)) == 2:
        frame = decode_frame(stream.read(int.from_bytes(length, "big")))
        if frame is None:
            continue
        if frame.name == "server_hello":
            if not frame.features & IDENTITY:
                sys.exit("!! this server takes no keys")
            sock.sendall(encode_frame("join", username=name, password=None, rooms=[], token=None, position=None,
                                      proof=proof(seed, frame.challenge, frame.server_key, fingerprint), invite=invite))
        elif frame.name == "end" and frame.about == 2:
            sock.sendall(encode_frame("claim", reference=1, action=1))
        elif frame.name == "done" and frame.about == 20:
            if frame.reference == 2:
                print(f"-- code for another device: {code}")
                break
            print("-- the name is yours")
            if not links:
                break
            sock.sendall(encode_frame("claim", reference=2, action=3, code_hash=code_hash))
        elif frame.name == "error":
            sys.exit(f"!! error {frame.code}: {frame.text}")
    # This client leaves.
    if fingerprint is None:
        sock.shutdown(socket.SHUT_WR)
        stream.read()
    else:
        sock.unwrap()


IDENTITY = 8

if __name__ == "__main__":
    arguments = [it for it in sys.argv[1:] if it != "--link"]
    main(*arguments, links="--link" in sys.argv)
