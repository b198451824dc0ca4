"""Tests chat-client on a pseudo terminal; run by tests/terminal.rs.

    terminal.py CHAT_CLIENT HOST:PORT CHAT_SERVER

If the terminal does not show what it should, prints what is missing and exits with 1.
"""

import os
import re
import signal
import subprocess
import sys
import time

from pseudo_terminal import PATIENCE, Terminal

PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"


def main(client, server, server_program):
    """Runs the session as anna, with messages from a second client, bob, and further short ones."""

    def bob_says(text):
        """Sends a message from bob, and waits until it has arrived."""
        subprocess.run([client, "send", "--server", server, "--name", "bob", "--fresh", text],
                       check=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)

    terminal = Terminal(client, server, "--name", "anna", "--fresh")
    try:
        # Lines typed before the connection is open are sent later.
        terminal.type("early\rbird\r")
        terminal.expect("you are anna in #lobby")
        terminal.expect(r"\] anna: early\r?\n")
        terminal.expect(r"\] anna: bird\r?\n")
        # The prompt says to which room a line goes.
        terminal.expect("#lobby> ")
        terminal.type("half a li")
        terminal.expect("half a li")
        # A message that arrives is printed above the line being edited, which is redrawn.
        bob_says("hello")
        terminal.expect(r"bob: hello\r?\n.*#lobby> half a li")
        terminal.type("ne\r")
        terminal.expect(r"\] anna: half a line\r?\n")
        # Text pasted right after output must be handled without waiting for the next key.
        bob_says("quick")
        terminal.type("pasted with its end\r")
        terminal.expect(r"\] anna: pasted with its end\r?\n")
        # Lines that are typed faster than they are read are not lost, and their echoes keep their order.
        words = [f"word{number}" for number in range(40)]
        terminal.type("".join(f"{word}\r" for word in words))
        for word in words:
            terminal.expect(rf"\] anna: {word}\r?\n")

        # A paste of two lines is one message.
        terminal.type(f"{PASTE_BEGIN}one\rtwo{PASTE_END}\r")
        terminal.expect(r"\] anna: one\r?\n *\| *two\r?\n")
        # A bidirectional control character of another user is replaced. (The server refuses other
        # control characters.)
        bob_says("trick \u202eecnO")
        terminal.expect("bob: trick [^\u202e]+ecnO")
        # A message with the user's own name rings the terminal bell.
        bob_says("anna?")
        terminal.expect(r"bob: anna\?[^\n]*\x07")
        # Tab completes a command and a name.
        terminal.type("/wh\t")
        terminal.expect("/who")
        terminal.type("\r")
        terminal.expect("here: anna")
        # What comes under an ignored name is not shown. Tab completes the ignored name.
        terminal.type("/ignore BOB\r")
        terminal.expect("You ignore BOB now")
        bob_says("unseen")
        terminal.type("after it\r")
        shown = terminal.expect(r"(?s)(.*)\] anna: after it\r?\n").group(1)
        if "unseen" in shown:
            sys.exit(f"what bob says is not hidden: {shown!r}")
        terminal.type("/unig\tB\t\r")
        terminal.expect("You no longer ignore BOB")
        bob_says("seen again")
        terminal.expect(r"\] bob: seen again")
        # A program that was stopped and is continued goes on editing; the arrow keys move the cursor.
        terminal.type("abc")
        terminal.expect("abc")
        terminal.stop_and_continue()
        terminal.expect("> abc")
        terminal.type("\x1b[D\x1b[DX\r")
        terminal.expect(r"\] anna: aXbc\r?\n")
        widen(terminal, bob_says)
        terminal.type("\x04")
        terminal.expect_success()
    finally:
        terminal.kill()
    for kind in "dumb", "emacs":
        use_dumb_terminal(client, server, kind)
    close_terminal_of(server_program)


def widen(terminal, bob_says):
    """Widens the terminal while a line of two rows is edited, which must not erase what is above. Many terminals join the two
    rows then, so the cursor is in the first one."""
    text = "x" * 60
    terminal.resize(40)
    terminal.type(text)
    terminal.expect("(?s)#lobby> x{32}.*x{28}")
    bob_says("above")
    terminal.expect(rf"bob: above\r?\n.*#lobby> {text}")
    terminal.seen = ""
    terminal.resize(80)
    drawn = terminal.expect(rf"(?s)(.*?)#lobby> {text}").group(1)
    row = 0
    for move in re.finditer(r"\n|\x1b\[(\d*)([AB])", drawn):
        count = int(move.group(1) or 1)
        row += {"A": -count, "B": count, None: 1}[move.group(2)]
        if row < 0:
            sys.exit(f"the row above is erased: {drawn!r}")
    terminal.type("\r")
    terminal.expect(rf"\] anna: {text}\r?\n")


def use_dumb_terminal(client, server, kind):
    """Sends a message on a terminal that cannot move its cursor."""
    terminal = Terminal(client, server, "--name", kind, "--fresh", kind=kind)
    try:
        terminal.expect(f"you are {kind} in #lobby")
        terminal.type("hello\n")
        terminal.expect(rf"\] {kind}: hello\r?\n")
        terminal.type("\x04")
        terminal.expect_success()
    finally:
        terminal.kill()


def close_terminal_of(server_program):
    """Closes the terminal on which a server runs, which stops it."""
    terminal = Terminal(server_program, "--listen", "127.0.0.1:0", "--announce", "false")
    try:
        terminal.expect("listening on 127.0.0.1:")
        os.close(terminal.fd)
        pid, terminal.pid = terminal.pid, None
        for _ in range(PATIENCE * 100):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                break
            time.sleep(0.01)
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit("the server goes on after its terminal was closed")
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"exit status {os.waitstatus_to_exitcode(status)} of the server")
    finally:
        terminal.kill()


main(*sys.argv[1:])
