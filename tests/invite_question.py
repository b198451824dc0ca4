"""Tests the question for an invitation in chat-client; run by tests/terminal.rs.

    invite_question.py CHAT_CLIENT HOST:PORT CODE DIRECTORY

The server admits invited people only. If the terminal does not show what it should, prints what is missing and exits with 1.
"""

import sys

from pseudo_terminal import Terminal

terminals = []


def start(client, server, directory):
    """Starts the client on a terminal, at the question."""
    terminal = Terminal(client, server, "--name", "anna", environment={"HOME": directory})
    terminals.append(terminal)
    terminal.expect(r"!! Only invited people may come in\.")
    terminal.expect(r"code of your invitation \(or /quit\)> ")
    return terminal


def main(client, server, code, directory):
    """Leaves at the question in two ways, then answers it: with what is no code, a wrong code, and the right one in a link."""
    try:
        for way_out in "/quit\r", "\x04":
            terminal = start(client, server, directory)
            terminal.type(way_out)
            terminal.expect_success()
        terminal = start(client, server, directory)
        terminal.type("my code\r")
        terminal.expect(r"!! an invitation has 16 letters and digits")
        terminal.expect(r"/quit\)> ")
        terminal.type("0000-0000-0000-0000\r")
        terminal.expect(r"!! .*invitation")
        terminal.expect(r"/quit\)> ")
        terminal.type(f"chats://pi.local/#invite={code}\r")
        terminal.expect("you are anna in #lobby")
        terminal.expect("#lobby> ")
        terminal.type("\x04")
        terminal.expect_success()
    finally:
        for terminal in terminals:
            terminal.kill()


main(*sys.argv[1:])
