#!/usr/bin/env python3
"""Minimal client of a pi-chat server: section 1 of docs/protocol/tcp.md and nothing else.

    tiny_client.py HOST PORT NAME        each line of the input is said in the lobby
"""
import socket
import sys
import threading
import time
import unicodedata


def varint(n):
    """Return a varint."""
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def string(text):
    """Return a string: its length as a varint, then its bytes."""
    return varint(len(text.encode())) + text.encode()


def read_values(body, field_types):
    """Decode the first values after the kind of a body. Types: b a byte, n a varint, s a string."""
    values, at = [], 1
    for field_type in field_types:
        if field_type == "b":
            value, at = body[at], at + 1
        else:
            value, shift, at = body[at] & 127, 7, at + 1
            while body[at - 1] > 127:
                value, shift, at = value | (body[at] & 127) << shift, shift + 7, at + 1
            if field_type == "s":
                value, at = body[at:at + value].decode(), at + value
        values.append(value)
    return values


def safe_text(text):
    """Replace control characters, so that a stranger's text is safe to show."""
    bad = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return "".join("\ufffd" if c in bad or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


def send(body):
    """Send a frame; any thread may call it."""
    with send_lock:
        sock.sendall(len(body).to_bytes(2, "big") + body)


def read_frames():
    """Handle all frames of the server until the connection ends."""
    stream = sock.makefile("rb")
    while len(length := stream.read(2)) == 2:
        body = stream.read(int.from_bytes(length, "big"))
        if body[0] == 65:
            print("-- you are", safe_text(read_values(body, "ns")[1]), flush=True)
            welcomed.set()
        elif body[0] == 67:
            flags, _, _, room, _, name, when, _, _, text = read_values(body, "bnnsnsnnbs")
            clock = time.strftime("%H:%M:%S", time.localtime(when / 1000))
            print("~" if flags & 1 else "", f"[{clock}] {safe_text(name)}: {safe_text(text)}", sep="", flush=True)
        elif body[0] == 9:
            send(b"\x0a" + body[1:])
        elif body[0] == 75:
            code, _, _, _, text = read_values(body, "nnnns")
            print(f"!! {safe_text(text)} (error {code})", flush=True)
            if not welcomed.is_set():
                break  # not joined: give up
    ended.set()
    welcomed.set()  # releases the main thread if no welcome has come


host, port, username = sys.argv[1:]
sock = socket.create_connection((host, int(port)))
welcomed, ended, send_lock = threading.Event(), threading.Event(), threading.Lock()
send(b"\x01PiCh\x01\x01" + varint(0) + string("tiny") + string("1"))
send(b"\x02" + string(username) + bytes(4))
reader = threading.Thread(target=read_frames, daemon=True)
reader.start()
welcomed.wait()
for reference, line in enumerate(sys.stdin, 1):
    if ended.is_set():
        sys.exit("-- the connection has ended")
    send(b"\x03" + varint(reference) + string("lobby") + b"\0" + string(line.rstrip("\r\n")))
if not ended.is_set():
    sock.shutdown(socket.SHUT_WR)  # the server handles what was sent, then closes
reader.join()
