#!/usr/bin/env python3
"""What a browser does with a pi-chat server: loads its page, opens a WebSocket, and talks.

    browser_client.py HOST PORT NAME TEXT

Prints what it has loaded, and `heard NAME: TEXT` for each message in the lobby; ends when it has heard its own.
Anything that is not as docs/protocol/websocket.md says ends it with an error.
"""
import base64
import gzip
import hashlib
import http.client
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
from codec import decode_frame, encode_frame  # noqa: E402

# Seconds that the server may take to send anything: an emulated machine is slow.
PATIENCE = 60

# What RFC 6455 appends to a key.
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# Opcodes of RFC 6455.
BINARY, CLOSE = 2, 8


def load(host, port, path):
    """Return the content of a file, which must come compressed, and its compressed size in bytes."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200 or response.getheader("Content-Encoding") != "gzip":
        sys.exit(f"{path}: {response.status}, {response.getheaders()}, {body[:200]}")
    return gzip.decompress(body), len(body)


def load_page(host, port):
    """Load the page, the files that it names, and those that its script names; print how much that is."""
    waiting, loaded, total = ["/"], set(), 0
    while waiting:
        path = waiting.pop()
        loaded.add(path)
        content, size = load(host, port, path)
        total += size
        if not path.endswith((".wasm", ".svg")):
            named = re.findall(r'(?:href|src)="(/[^"]+)"|"(/assets/[^"]+)"', content.decode())
            waiting += {first or second for first, second in named} - loaded - set(waiting)
    if not any(it.endswith(".wasm") for it in loaded):
        sys.exit(f"the page has no engine: {loaded}")
    print(f"loaded {len(loaded)} files, {total} bytes", flush=True)


class WebSocket:
    """A WebSocket with the subprotocol pi-chat. It knows no more than this test needs."""

    def __init__(self, host, port):
        self.connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.request("GET", "/chat", headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": "pi-chat", "Origin": f"http://{host}:{port}"})
        self.socket = self.connection.sock
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline()
        fields = http.client.parse_headers(self.stream)
        accepted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if b" 101 " not in status or fields["Sec-WebSocket-Accept"] != accepted:
            sys.exit(f"no WebSocket: {status} {fields}")

    def send(self, opcode, payload):
        """Send a message of at most 125 bytes."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(bytes([128 | opcode, 128 | len(payload)]) + mask + masked)

    def receive(self):
        """Return the frames of the next message that are known."""
        first, length = self.stream.read(2)
        if length > 125:
            length = int.from_bytes(self.stream.read(2 if length == 126 else 8), "big")
        payload = self.stream.read(length)
        if first != 128 | BINARY:
            sys.exit(f"not a whole binary message: {first} {payload}")
        frames = []
        while payload:
            end = 2 + int.from_bytes(payload[:2], "big")
            frames.append(decode_frame(payload[2:end]))
            payload = payload[end:]
        return [it for it in frames if it]


def talk(host, port, name, text):
    """Join, say the text, and print what is said in the lobby until the text comes back."""
    websocket = WebSocket(host, port)
    hello = encode_frame("hello", magic=b"PiCh", min_version=1, max_version=1, features=0, client_name="browser_client",
                         client_version="1")
    join = encode_frame("join", username=name, password=None, rooms=[], token=None, position=None)
    websocket.send(BINARY, hello + join)
    while True:
        for frame in websocket.receive():
            if frame.name == "welcome":
                websocket.send(BINARY, encode_frame("say", reference=1, room="lobby", style=0, text=text))
            elif frame.name == "error":
                sys.exit(f"error {frame.code}: {frame.message}")
            elif frame.name == "entry":
                print(f"heard {frame.username}: {frame.text}", flush=True)
                if (frame.username, frame.text) == (name, text):
                    websocket.send(CLOSE, (1000).to_bytes(2, "big"))
                    return


if __name__ == "__main__":
    server, server_port, username, words = sys.argv[1:]
    load_page(server, int(server_port))
    talk(server, int(server_port), username, words)
