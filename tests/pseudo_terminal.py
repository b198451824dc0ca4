"""Programs on pseudo terminals, for the tests that tests/terminal.rs runs."""

import os
import pty
import re
import select
import signal
import sys
import termios
import time

PATIENCE = 60  # seconds


class Terminal:
    """A program on a pseudo terminal, and its output that no expectation has consumed yet."""

    def __init__(self, *command, kind="xterm", environment=None):
        """Starts the program on a terminal of this kind (TERM). An environment replaces that of the test."""
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {**(os.environ if environment is None else environment), "TERM": kind}
            os.execve(command[0], command, environment)

    def type(self, text):
        """Types text, all at once."""
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Waits until the output matches pattern, consumes it up to the match, and returns the match."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            left = deadline - time.monotonic()
            if left < 0 or not self.read(left):
                sys.exit(f"the terminal does not show {pattern!r}, but {self.seen!r}")

    def read(self, patience):
        """Reads output once, waiting for at most patience seconds; returns False if the program has closed it."""
        if not select.select([self.fd], [], [], patience)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # the program has exited
            piece = b""
        self.seen += piece.decode(errors="replace")
        return bool(piece)

    def resize(self, columns):
        """Gives the terminal another width."""
        termios.tcsetwinsize(self.fd, (24, columns))

    def stop_and_continue(self):
        """Stops the program, sets the terminal modes that a shell uses, and continues the program."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)
        modes = termios.tcgetattr(self.fd)
        modes[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(self.fd, termios.TCSANOW, modes)
        os.kill(self.pid, signal.SIGCONT)

    def end(self):
        """Waits for the program to exit; returns its exit status."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.read(deadline - time.monotonic()):
            pass
        # A program that goes on after the deadline would be waited for without end.
        if time.monotonic() >= deadline:
            os.kill(self.pid, signal.SIGKILL)
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def expect_success(self):
        """Waits for the program to exit, with status 0."""
        status = self.end()
        if status != 0:
            sys.exit(f"exit status {status}")

    def kill(self):
        """Kills the program if it is still running."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
