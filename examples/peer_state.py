"""State of a pi-chat peer: other peers, logs of authors, rate limits; and small helpers.

Sections in comments are those of docs/protocol/udp.md; section 16 lists what a peer keeps. The rules
that use this state are in peer_engine.py.
"""
import ipaddress
from collections import deque
from itertools import islice

# Paths by which a datagram goes to many (section 6), as bits of `heard` fields.
PATHS = GROUP4, GROUP6, BROADCAST = 1, 2, 4

# Maximum number of entries of one author that wait for earlier ones (section 17).
MAX_WAITING_ENTRIES = 256

# Time of an event that has not happened.
NEVER = float("-inf")


class TokenBucket:
    """Rate limit: `rate` a second, `burst` at once."""

    def __init__(self, rate, burst):
        """Begin with a full bucket."""
        self.rate, self.burst = rate, burst
        self.level = burst
        self.updated_at = None

    def take(self, now, amount=1):
        """Take `amount` tokens and return True; if there are fewer, take none and return False."""
        if self.updated_at is not None:
            self.level = min(self.burst, self.level + (now - self.updated_at) * self.rate)
        self.updated_at = now
        if amount > self.level:
            return False
        self.level -= amount
        return True


class ReplayWindow:
    """The packet counters seen from one sender, for replay protection (section 14, step 9)."""

    def __init__(self):
        """Begin with no counter seen."""
        self.greatest, self.seen = 0, set()

    def is_new(self, counter):
        """Return True if this counter was not seen and is not too old."""
        return counter > 0 and counter not in self.seen and counter >= self.greatest - 1024

    def add(self, counter):
        """Note a counter as seen. Call it only after the signature was verified."""
        self.seen.add(counter)
        self.greatest = max(self.greatest, counter)
        if len(self.seen) > 2048:
            self.seen = {c for c in self.seen if c >= self.greatest - 1024}


class RemotePeer:
    """Another peer as this peer knows it (section 16)."""

    def __init__(self, ident):
        """Begin with a peer of which only the id is known."""
        self.id = ident
        self.key = None  # public key, from its first packet
        self.replay_window = ReplayWindow()
        self.token_bucket = TokenBucket(50, 200)  # its control packets (section 17)

        # As stated in its last heartbeat or agree.
        self.name = self.since = None
        self.stated_clock = (0, 0.0)  # its room clock, and when that was stated

        # Verification and membership (section 11).
        self.is_verified_directly = False  # by a cookie or nonce, not only by another peer's page
        self.is_member = self.is_gone = False
        self.unverified_since = None  # when its verification began
        self.known_since = None  # when it was first verified or listed in this stay

        # Times of its last sign of life.
        self.listed_at = NEVER  # in the page of a verified peer
        self.heard_at = NEVER  # directly
        self.heard_by_any_at = NEVER  # directly or by another peer
        self.first_heard_at = None  # the first time in this stay

        # Addresses.
        self.address = None  # source of its last packet
        self.addresses = set()  # all sources of its packets
        self.verified_addresses = []  # those verified by a cookie, the latest last; at most 4

        # Pings.
        self.cookies = deque(maxlen=16)  # (cookie, address, time, preferred path told with it)
        self.last_ping_at = NEVER
        self.unanswered_pings = 0  # sent by _check_peers since its last packet

        # Paths (section 12).
        self.heard_by = {}  # path -> time when a packet of it last came by this path
        self.reachable_by = GROUP4  # set of paths by which it hears this peer, as it has stated
        self.last_counter = 0  # counter of its last packet
        self.reachable_by_counter = 0  # counter of the packet that stated `reachable_by`
        self.last_told_path = GROUP4  # preferred path that it was last told
        self.confirmed_path = GROUP4  # the one that it certainly knows, because of a pong
        self.next_tell_at = 0.0  # when to tell it again

        # The question for its address, `where`.
        self.listed_by = None  # the last peer that listed it
        self.listed_since = None  # when a page first listed it
        self.next_where_at, self.where_interval = 0.0, 2.0  # when to ask, then seconds until the next time
        self.where_asked = (None, NEVER)  # which peer was asked, and when; an answer ends it

    def best_address(self):
        """Return the latest verified address, or else the source of the last packet."""
        return self.verified_addresses[-1] if self.verified_addresses else self.address


class Entry:
    """A signed message of an author."""

    def __init__(self, author, body, value):
        """*body*: its bytes, signature included. *value*: its fields."""
        self.author, self.body, self.value = author, body, value
        self.sequence, self.lamport = value["sequence"], value["lamport"]
        self.sort_key = (self.lamport, self.author, self.sequence)  # order of section 9


class AuthorLog:
    """This peer's copy of an author's log (sections 9 and 10)."""

    def __init__(self):
        """Begin with an empty log."""
        self.floor = 0  # low-water mark: entries up to it are never requested
        self.have = 0  # greatest sequence without a gap before it
        self.entries = {}  # sequence -> Entry
        self.claims = {}  # id of a peer -> greatest sequence that it claims to have
        self.lost_by = {}  # missing sequence -> ids of the peers that answered `lost`
        self.missing_since = {}  # missing sequence -> when the gap was noticed
        self.token_bucket = TokenBucket(50, 200)  # entries that were not requested (section 17)
        self.introduced_by = None  # id of the peer whose page first named the author


class HistoryRequest:
    """A newcomer's request for the history, in progress (section 8)."""

    def __init__(self, sources):
        """*sources*: the peers to ask, the most senior first."""
        self.sources = sources
        self.attempts = 0  # requests for the present page to the present source
        self.page = 0  # page that is requested; None when all have come
        self.pages = {}  # page -> `recent` packet
        self.early_entries = {}  # (author, sequence) -> Entry that came before the history was complete


def numbered_name(name, number):
    """Return the name with `-number` appended, shortened to the limits of a name (section 13)."""
    tail = f"-{number}"
    while len(name + tail) > 32 or len((name + tail).encode()) > 64:
        name = name[:-1]
    return name + tail


def next_page(items, start, count):
    """Return at most `count` items from `start` on, and the start of the next page.

    After the last item it begins at the first again.
    """
    start = start if start < len(items) else 0
    page = list(islice(items, start, start + count))
    return page, start + len(page)


def to_ranges(wanted):
    """Convert [(author, sequence)], ascending, to the ranges of `want` and `lost`."""
    ranges = []
    for author, sequence in wanted:
        if ranges and ranges[-1]["author"] == author and ranges[-1]["last"] == sequence - 1:
            ranges[-1]["last"] = sequence
        else:
            ranges.append({"author": author, "first": sequence, "last": sequence})
    return ranges


def pack_address(address):
    """Return the IP address as the 16 bytes of a `peers` packet (section 15)."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def may_share_address(address, asker):
    """Return True if this address is of use to a peer at the address *asker* (section 11).

    Link-local addresses mean nothing elsewhere, loopback addresses nothing on another machine.
    """
    ip, other = (ipaddress.ip_address(a[0].partition("%")[0]) for a in (address, asker))
    return not ip.is_link_local and (not ip.is_loopback or other.is_loopback)
