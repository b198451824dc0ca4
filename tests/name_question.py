"""Tests the question for another username in chat-client and chat-peer; run by tests/terminal.rs.

    name_question.py CHAT_CLIENT CHAT_PEER HOST:PORT UDP_PORT DIRECTORY

The directory is for the state of the programs. If a terminal does not show what it should, prints what is missing and exits
with 1.
"""

import glob
import json
import os
import re
import sys

from pseudo_terminal import Terminal

terminals = []


def main(client, peer, server, port, directory):
    """Lets users of one login name meet on a server and without one."""
    home = {"HOME": directory}
    try:
        move_session(client, server, directory)
        meet(lambda *more, environment=home: start(client, server, *more, environment=environment))
        meet(lambda *more, environment=home: start(
            peer, "--interface", "lo", "--port", port, *more, environment=environment))
    finally:
        for terminal in terminals:
            terminal.kill()


def start(*command, environment):
    """Starts a program on a terminal."""
    terminal = Terminal(*command, environment=environment)
    terminals.append(terminal)
    return terminal


def expect_question(terminal):
    """Waits for the question, and returns the name that is suggested."""
    terminal.expect("Somebody here has this name")
    terminal.expect("1 to 32 letters and digits")
    return terminal.expect(r"Press Enter to take (\S+)\.\s").group(1)


def expect_name(terminal):
    """Waits until the user has joined, and returns the user's name."""
    return terminal.expect(r"you are (?:in #lobby as )?([^\s,;]+)").group(1)


def leave(terminal):
    """Leaves with Ctrl-D, which the line editor takes only while it shows its prompt."""
    terminal.expect("#lobby> ")
    terminal.type("\x04")
    terminal.expect_success()


def sessions(home):
    """Returns the tokens of the saved sessions in a home directory, by the names of their files."""
    files = glob.glob(f"{home}/.local/state/pi-chat/at-*/as-*.json")
    return {os.path.basename(file): json.load(open(file))["token"] for file in files}


def move_session(client, server, directory):
    """A user whose name somebody else has taken meanwhile keeps the session, under another name."""
    homes = [{"HOME": f"{directory}/{user}"} for user in ("one", "two")]
    first = start(client, server, "--name", "carla", environment=homes[0])
    assert expect_name(first) == "carla"
    leave(first)
    before = sessions(homes[0]["HOME"])
    assert list(before) == ["as-carla.json"], before
    second = start(client, server, "--name", "carla", environment=homes[1])
    assert expect_name(second) == "carla"
    first = start(client, server, "--name", "carla", environment=homes[0])
    assert expect_question(first) == "carla2"
    first.type("\r")
    assert expect_name(first) == "carla2"
    leave(first)
    leave(second)
    assert sessions(homes[0]["HOME"]) == {"as-carla2.json": before["as-carla.json"]}


def meet(program):
    """Starts the program for several users of the same login name and the same home directory."""
    first = program()
    login = expect_name(first)
    # Enter is enough.
    second = program()
    other = expect_question(second)
    second.expect(re.escape(f"name [{other}]> "))
    second.type("\r")
    assert expect_name(second) == other != login, (login, other)
    second.expect("#lobby> ")
    second.type("hello\r")
    first.expect(rf"{other}: hello\r?\n")
    second.expect(rf"{other}: hello\r?\n")
    leave(second)
    # The next time the name is known.
    second = program()
    assert expect_name(second) == other
    # A name that is given counts more. What cannot be a name is asked for again.
    third = program("--name", login.upper())
    expect_question(third)
    third.type("two words\r")
    third.expect("two words: This cannot be a name: only visible letters and digits")
    third.expect(re.escape("name [two-words]> "))
    third.type("kitty\r")
    assert expect_name(third) == "kitty"
    # Where no name can be remembered, and without the line editor. A command is no name.
    fourth = program("--plain", "--name", "kitty", environment={"HOME": "/dev/null"})
    assert expect_question(fourth) == "kitty2"
    fourth.type("/who\n\n")
    assert expect_name(fourth) == "kitty2"
    # A name that cannot be one.
    fifth = program("--name", "anna smith")
    fifth.expect("anna smith: This cannot be a (user)?name: ")
    fifth.expect(r"Press Enter to take anna-smith\.")
    fifth.type("\r")
    assert expect_name(fifth) == "anna-smith"
    # Leaving instead of an answer.
    sixth = program("--name", "kitty")
    expect_question(sixth)
    sixth.expect("> ")
    sixth.type("\x03")
    sixth.expect_success()
    fourth.type("\x04")
    fourth.expect_success()
    for terminal in fifth, third, second, first:
        leave(terminal)


main(*sys.argv[1:])
