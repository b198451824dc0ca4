"""What a pi-chat peer remembers: of other peers, of the logs of authors, of limits; and small helpers.

Numbers in comments are sections of docs/protocol/udp.md. peer_engine.py does something with all this.
"""
import ipaddress
from collections import deque
from itertools import islice

PATHS = GROUP4, GROUP6, BROADCAST = 1, 2, 4          # (6)
MAX_WAITING_ENTRIES = 256                                     # entries that wait for earlier ones of their author (17)
NEVER = float("-inf")


class TokenBucket:
    """So many a second, so many at once."""

    def __init__(self, rate, burst):
        self.rate, self.burst, self.level, self.at = rate, burst, burst, None

    def take(self, now, amount=1):
        """Whether there is as much; takes it."""
        if self.at is not None:
            self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        if amount > self.level:
            return False
        self.level -= amount
        return True


class ReplayWindow:
    """Which counters of a sender were seen (14, step 9)."""

    def __init__(self):
        self.greatest, self.seen = 0, set()

    def is_new(self, counter):
        return counter > 0 and counter not in self.seen and counter >= self.greatest - 1024

    def add(self, counter):
        self.seen.add(counter)
        self.greatest = max(self.greatest, counter)
        if len(self.seen) > 2048:
            self.seen = {c for c in self.seen if c >= self.greatest - 1024}


class RemotePeer:
    """What I know of another peer."""

    def __init__(self, ident):
        self.id, self.key, self.replay_window, self.token_bucket = ident, None, ReplayWindow(), TokenBucket(50, 200)
        self.name = self.since = None               # from a heartbeat or agree
        self.stated_clock = (0, 0.0)                       # its room clock as stated, and when
        self.is_verified_directly = self.is_member = self.is_gone = False
        self.listed_at = self.heard_at = self.heard_by_any_at = NEVER   # in a page; directly; by me or a member
        self.address, self.addresses, self.verified_addresses = None, set(), []
        self.cookies, self.last_ping_at = deque(maxlen=16), NEVER   # (cookie, address, when, what I said with it)
        self.first_heard_at = self.unverified_since = None   # this time; since when I wonder who it is
        self.last_counter = self.reachable_by_counter = self.unanswered_pings = 0   # of its last packet; of the last that told; pings
        self.heard_by, self.known_since = {}, None            # path -> when I heard it so; since when I know it
        self.reachable_by = self.last_told_path = self.confirmed_path = GROUP4   # its paths to hear me; my answer: said, and arrived
        self.next_tell_at = 0.0
        self.listed_by, self.listed_since, self.next_where_at, self.where_interval = None, None, 0.0, 2.0

    def best_address(self):
        return self.verified_addresses[-1] if self.verified_addresses else self.address


class Entry:
    """One message, as it was signed."""

    def __init__(self, author, body, value):
        self.author, self.body, self.value = author, body, value
        self.sequence, self.lamport = value["sequence"], value["lamport"]
        self.sort_key = (self.lamport, self.author, self.sequence)


class AuthorLog:
    """My copy of one author's log."""

    def __init__(self):
        self.floor = self.have = 0                  # `have`: the greatest sequence without a gap
        self.entries = {}                           # sequence -> Entry
        self.claims = {}                            # peer -> how much it says to have
        self.lost_by, self.missing_since = {}, {}           # sequence -> who lacks it; since when I know that I do
        self.token_bucket, self.introduced_by = TokenBucket(50, 200), None


class HistoryRequest:
    """The history on its path (8)."""

    def __init__(self, whom):
        self.sources, self.attempts, self.page, self.pages, self.early_entries = whom, 0, 0, {}, {}


def numbered_name(name, number):
    """The name with a number, shortened so that it stays a name."""
    tail = f"-{number}"
    while len(name + tail) > 32 or len((name + tail).encode()) > 64:
        name = name[:-1]
    return name + tail


def next_page(items, at, most):
    """The next (at most so many) of a list, and where to go on."""
    at = at if at < len(items) else 0
    part = list(islice(items, at, at + most))
    return part, at + len(part)


def to_ranges(wanted):
    """[(author, sequence)] as ranges."""
    ranges = []
    for author, sequence in wanted:
        if ranges and ranges[-1]["author"] == author and ranges[-1]["last"] == sequence - 1:
            ranges[-1]["last"] = sequence
        else:
            ranges.append({"author": author, "first": sequence, "last": sequence})
    return ranges


def pack_address(address):
    """An address as `peers` writes it."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def may_share_address(address, asker):
    """Link-local addresses mean nothing elsewhere, loopback ones nothing on another machine."""
    ip, other = (ipaddress.ip_address(a[0].partition("%")[0]) for a in (address, asker))
    return not ip.is_link_local and (not ip.is_loopback or other.is_loopback)
