#!/usr/bin/env python3
"""Records a conversation of chat-client with chat-server, for tests/recorded_clients.

    record.py DIRECTORY NOTE > conversation.json

DIRECTORY has the programs chat-client and chat-server, NOTE says which they are. Two clients, anna
and bob, talk through a proxy that writes down all frames. Takes half a minute.
"""

import asyncio
import json
import os
import struct
import sys
import tempfile

# Seconds of silence after which a step is complete. Presence comes after half a second.
QUIET = 1.5


class Recorder:
    """The clients, the proxy between them and the server, and what has happened so far."""

    def __init__(self, directory, home):
        self.directory = directory
        self.home = home
        self.steps = []
        self.clients = {}
        self.connections = {}
        self.proxies = {}
        self.last = 0.0
        self.server = None
        self.port = 0
        # Clients for whom the proxy accepts no connection, and those whose frames it withholds.
        self.held = set()
        self.withheld = set()

    def note(self, who, what, value=None):
        """Adds an event to the current step."""
        self.steps[-1]["events"].append([who, what] + ([] if value is None else [value]))
        self.last = asyncio.get_running_loop().time()

    async def start_server(self):
        """Starts the server on a new log, on a free port."""
        program = os.path.join(self.directory, "chat-server")
        self.server = await asyncio.create_subprocess_exec(
            program, "--listen", "127.0.0.1:0", "--data", os.path.join(self.home, "data"),
            env={}, stderr=asyncio.subprocess.PIPE)
        while True:
            line = (await self.server.stderr.readline()).decode()
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return

    async def start_client(self, who, name):
        """Starts a client behind a proxy of its own."""
        proxy = await asyncio.start_server(
            lambda reader, writer: self.serve(who, reader, writer), "127.0.0.1", 0)
        self.proxies[who] = proxy
        port = proxy.sockets[0].getsockname()[1]
        program = os.path.join(self.directory, "chat-client")
        self.note(who, "start", name)
        client = await asyncio.create_subprocess_exec(
            program, f"127.0.0.1:{port}", "--name", name, "--json", "--fresh",
            env={"HOME": self.home}, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        self.clients[who] = client
        asyncio.create_task(self.read_output(who, client))

    async def read_output(self, who, client):
        """Writes down what a client reports."""
        while line := await client.stdout.readline():
            self.note(who, "output", json.loads(line))

    async def serve(self, who, reader, writer):
        """Carries the frames of a connection in both directions."""
        while who in self.held:
            await asyncio.sleep(0.01)
        self.note(who, "connect")
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections[who] = (writer, server_writer)
        await asyncio.gather(
            self.copy(who, "client", reader, server_writer),
            self.copy(who, "server", server_reader, writer), return_exceptions=True)

    async def copy(self, who, sender, reader, writer):
        """Carries the frames of one direction."""
        while True:
            try:
                head = await reader.readexactly(2)
                body = await reader.readexactly(struct.unpack(">H", head)[0])
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            if sender == "server" and who in self.withheld:
                self.note(who, "lost", (head + body).hex())
                continue
            self.note(who, sender, (head + body).hex())
            writer.write(head + body)
        if who not in self.withheld:
            self.note(who, "client closes" if sender == "client" else "server closes")
            writer.close()

    async def step(self, title, requests=(), act=None):
        """Gives requests to clients, or does something else, and waits until nothing happens."""
        self.steps.append({"do": title, "events": []})
        self.last = asyncio.get_running_loop().time()
        for who, request in requests:
            self.note(who, "input", request)
            self.clients[who].stdin.write(json.dumps(request).encode() + b"\n")
        if act:
            await act()
        while asyncio.get_running_loop().time() < self.last + QUIET:
            await asyncio.sleep(0.02)

    async def drop(self, who):
        """Resets the connection of a client on both sides. It comes back when `held` permits it."""
        self.note(who, "reset")
        for writer in self.connections.pop(who):
            writer.transport.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def record(directory, note, home):
    """Plays the whole conversation and prints it."""
    it = Recorder(directory, home)
    await it.start_server()

    def say(text, **fields):
        return {"type": "say", "text": text, **fields}

    await it.step("bob joins the empty lobby", act=lambda: it.start_client("bob", "bob"))
    await it.step("bob talks to himself", [("bob", say("one", id=1)), ("bob", say("two\nlines ✓", id=2))])
    await it.step("anna joins and gets the history", act=lambda: it.start_client("anna", "anna"))
    await it.step("anna says something", [("anna", say("hi", id=1))])
    await it.step("bob waves", [("bob", {"type": "action", "text": "waves", "id": 3})])
    await it.step("who is there", [("anna", {"type": "members", "room": "lobby", "id": 2})])
    await it.step("bob enters a second room", [("bob", {"type": "join", "room": "Kitchen", "id": 4})])
    await it.step("bob says something there", [("bob", say("tea?", room="kitchen", id=5))])
    await it.step("anna enters it", [("anna", {"type": "join", "room": "kitchen", "id": 3})])
    await it.step("anna answers", [("anna", say("yes", room="kitchen", id=4))])
    await it.step("a direct message", [("anna", {"type": "direct", "to": "Bob", "text": "psst", "id": 5})])
    await it.step("its answer", [("bob", {"type": "direct", "to": "anna", "text": "what?", "id": 6})])
    await it.step("older messages", [("anna", {"type": "history", "room": "lobby", "before": 4, "limit": 2, "id": 6})])
    await it.step("a search", [("anna", {"type": "search", "text": "te*", "id": 7})])
    await it.step("what is refused", [
        ("anna", {"type": "direct", "to": "nobody", "text": "hello?", "id": 8}),
        ("anna", {"type": "join", "room": "no room", "id": 9}),
        ("anna", {"type": "search", "text": "???", "id": 10}),
        ("anna", {"type": "members", "room": "attic", "id": 11})])
    await it.step("somebody else wants anna's name", act=lambda: it.start_client("other", "Anna"))

    it.withheld.add("anna")
    await it.step("the echo of anna's message is lost", [("anna", say("are you there?", room="lobby", id=12))])
    it.held.add("anna")
    await it.step("her connection is lost", act=lambda: it.drop("anna"))
    it.withheld.discard("anna")
    await it.step("bob talks meanwhile", [
        ("bob", say("where is anna?", room="lobby", id=7)),
        ("bob", {"type": "direct", "to": "anna", "text": "hello?", "id": 8})])
    await it.step("so does anna", [("anna", say("my cable!", room="kitchen", id=13))])

    async def release():
        it.held.discard("anna")

    await it.step("anna comes back", act=release)
    await it.step("bob leaves the kitchen", [("bob", {"type": "leave", "room": "kitchen", "id": 9})])
    await it.step("anna says something he does not get", [("anna", say("alone", room="kitchen", id=14))])
    await it.step("anna leaves", [("anna", {"type": "quit"})])
    await it.step("bob leaves", [("bob", {"type": "quit"})])
    it.server.terminate()
    await it.server.wait()

    steps = ",\n".join(
        "  {" + f'"do": {json.dumps(step["do"])}, "events": [\n    '
        + ",\n    ".join(json.dumps(event, ensure_ascii=False) for event in step["events"])
        + "]}" for step in it.steps)
    print(f'{{"note": {json.dumps(note)}, "steps": [\n{steps}\n]}}')


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(record(sys.argv[1], sys.argv[2], temporary))
