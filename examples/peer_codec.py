"""Codec of the pi-chat UDP protocol, version 1: values, packets, signatures, rooms.

Written from docs/protocol/README.md and docs/protocol/udp.md alone; sections in comments are those of udp.md unless
README is named. Nothing here knows sockets, clocks or the state of a peer.

It needs PyPI's `cryptography` (Debian: python3-cryptography); closed rooms need version 44 or later, which has
Argon2id.
"""
import hashlib
import os
import unicodedata
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

try:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
except ImportError:  # before version 44: no closed rooms
    Argon2id = None

MAGIC, VERSION = b"PiC", 1
HEADER_SIZE = 23  # bytes (section 3)
MIN_BODY_SIZE = 105  # bytes of a body without fields: kind, key, incarnation, signature (section 4)
MAX_DATAGRAM_SIZE = 1232  # bytes (section 3)
MIN_ANNOUNCE_SIZE = 400  # bytes of header and plain body (section 7, rule 3)
NO_NONCE = bytes(8)  # belongs to no attempt to join (section 16)

# Points of small order, in all encodings. As keys they would make signatures valid for any message (section 4).
_SMALL_ORDER_POINTS = {bytes.fromhex(h) for h in (
    "00" * 32, "00" * 31 + "80", "01" + "00" * 31, "01" + "00" * 30 + "80", "ec" + "ff" * 30 + "7f",
    "ec" + "ff" * 31, "ed" + "ff" * 30 + "7f", "ed" + "ff" * 31, "ee" + "ff" * 30 + "7f", "ee" + "ff" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")}


class Malformed(ValueError):
    """Bytes that break a rule of the encoding."""


class Dropped(Exception):
    """A datagram that a receiver drops, with the step of section 14 in which it does."""

    def __init__(self, step, why):
        """*step*: of section 14. *why*: for people."""
        super().__init__(f"step {step}: {why}")
        self.step, self.why = step, why


# ---- names and texts (README, sections 2 and 3) ---------------------------------------------------

_INVISIBLE = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x180E), 0x180F, 0x3164,
              *range(0xFE00, 0xFE10), 0xFFA0, *range(0xE0100, 0xE01F0)}
_BIDI_CONTROLS = {0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def check_name(raw):
    """Return the canonical form of a name, or None if it breaks the rule (README, section 2)."""
    if len(raw.encode()) > 256:
        return None
    name = unicodedata.normalize("NFC", raw)
    if not 1 <= len(name) <= 32 or len(name.encode()) > 64 or any(ord(c) in _INVISIBLE for c in name):
        return None
    kinds = [unicodedata.category(c) for c in name]
    if not all(k[0] in "LM" or k == "Nd" or c in "-_." for k, c in zip(kinds, name)):
        return None
    return name if kinds[0][0] == "L" or kinds[0] == "Nd" else None


def name_key(name):
    """Return the key by which names are compared (README, section 2)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def text_error(text):
    """Return why this cannot be the text of a message, or None if it can."""
    if not 1 <= len(text.encode("utf-8", "surrogatepass")) <= 1000:
        return "a message has 1 to 1,000 bytes"
    if any(ord(c) < 32 and c not in "\n\t" or 0x7F <= ord(c) <= 0x9F for c in text):
        return "a message has no control characters"
    return None


def _is_unsafe(c):
    """Return True for control characters, except newline and tab, and for bidirectional controls."""
    return (unicodedata.category(c) == "Cc" and c not in "\n\t") or ord(c) in _BIDI_CONTROLS


def safe(text, one_line=False):
    """Make a stranger's text safe to show: replace control characters by U+FFFD (README, section 3)."""
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    text = "".join("\ufffd" if _is_unsafe(c) else c for c in text)
    return text.replace("\n", "\ufffd") if one_line else text


# ---- values as bytes (README, section 1) ----------------------------------------------------------
# A type has two methods: write(value) returns its bytes; read(data, at) returns (value, offset after it).
# Both raise Malformed.

@dataclass(frozen=True)
class UInt:
    """u8 (one plain byte), u16, u32 and u64 (varints); at least *minimum*, below *below* if that is not 0."""
    bits: int
    minimum: int = 0
    below: int = 0

    def check(self, value):
        """Return the value if it is in range."""
        if not self.minimum <= value < (self.below or 1 << self.bits):
            raise Malformed(f"number out of range: {value}")
        return value

    def write(self, value):
        """Return the value as bytes."""
        self.check(value)
        if self.bits == 8:
            return bytes([value])
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out) + bytes([value])

    def read(self, data, at):
        """Return the value at this offset, and the offset after it."""
        if self.bits == 8:
            raw, at = Raw(1).read(data, at)
            return self.check(raw[0]), at
        value = 0
        for i in range(-(-self.bits // 7)):
            if at + i >= len(data):
                raise Malformed("ends inside a number")
            byte = data[at + i]
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if value >> self.bits or byte == 0 and i:
                    raise Malformed("number too large, or not in its shortest form")
                return self.check(value), at + i + 1
        raise Malformed("number too long")


@dataclass(frozen=True)
class Raw:
    """bytes[N]: exactly *size* bytes."""
    size: int

    def write(self, value):
        """Return the value as bytes."""
        if len(value) != self.size:
            raise Malformed("wrong number of bytes")
        return bytes(value)

    def read(self, data, at):
        """Return the value at this offset, and the offset after it."""
        if at + self.size > len(data):
            raise Malformed("ends too soon")
        return bytes(data[at:at + self.size]), at + self.size


@dataclass(frozen=True)
class Text:
    """string: *minimum* to *maximum* bytes of UTF-8."""
    maximum: int
    minimum: int = 0

    def write(self, value):
        """Return the value as bytes."""
        raw = value.encode()
        if not self.minimum <= len(raw) <= self.maximum:
            raise Malformed("string too short or too long")
        return U32.write(len(raw)) + raw

    def read(self, data, at):
        """Return the value at this offset, and the offset after it."""
        size, at = U32.read(data, at)
        if not self.minimum <= size <= self.maximum:
            raise Malformed("string too short or too long")
        raw, at = Raw(size).read(data, at)
        try:
            return raw.decode(), at
        except UnicodeDecodeError:
            raise Malformed("not UTF-8") from None


@dataclass(frozen=True)
class ListOf:
    """list<T>: at most *maximum* items."""
    item: object
    maximum: int

    def write(self, value):
        """Return the value as bytes."""
        if len(value) > self.maximum:
            raise Malformed("too many items")
        return U32.write(len(value)) + b"".join(map(self.item.write, value))

    def read(self, data, at):
        """Return the value at this offset, and the offset after it."""
        count, at = U32.read(data, at)
        if count > self.maximum or count > len(data) - at:
            raise Malformed("too many items")
        items = []
        for _ in range(count):
            value, at = self.item.read(data, at)
            items.append(value)
        return items, at


class Struct:
    """Fields in order; its value is a dict."""

    def __init__(self, **fields):
        """*fields*: name=type."""
        self.fields = fields

    def write(self, value):
        """Return the value as bytes."""
        return b"".join(kind.write(value[name]) for name, kind in self.fields.items())

    def read(self, data, at):
        """Return the value at this offset, and the offset after it."""
        value = {}
        for name, kind in self.fields.items():
            value[name], at = kind.read(data, at)
        return value, at


U8, U16, U32, U64 = UInt(8), UInt(16), UInt(32), UInt(64)
ID, COUNTER48, NAME = Raw(8), UInt(64, below=1 << 48), Text(64)
RANGES = ListOf(Struct(author=ID, first=UInt(32, minimum=1), last=U32), 32)

# All packets (section 15): kind, name, fields.
PACKET_TABLES = [
    (1, "announce", Struct(nonce=ID, lowest=U8, highest=U8, username=Text(256), agreed=ListOf(ID, 8),
                           padding=Text(400))),
    (2, "agree", Struct(nonce=ID, cookie=ID, flags=U8, heard=U8, clock=U64, since=U64, username=NAME, members=U32,
                        lamport=COUNTER48, time=U64)),
    (3, "object", Struct(nonce=ID, code=U16, by=NAME, username=NAME, holder=ID, clock=U64, since=U64, text=Text(100))),
    (4, "heartbeat", Struct(clock=U64, since=U64, username=NAME, time=U64, members=U32, sequence=U32,
                            page=ListOf(Struct(author=ID, have=U32, ago=U8), 60))),
    (5, "ping", Struct(cookie=ID, heard=U8)),
    (6, "pong", Struct(cookie=ID, heard=U8)),
    (7, "entry", Struct(sequence=UInt(32, minimum=1), lamport=UInt(64, 1, 1 << 48), time=COUNTER48,
                        username=Text(64, 1), style=U8, text=Text(1000, 1))),
    (8, "want", Struct(ranges=RANGES)),
    (9, "lost", Struct(ranges=RANGES)),
    (10, "recall", Struct(nonce=ID, page=U16)),
    (11, "recent", Struct(nonce=ID, page=U16, pages=UInt(16, minimum=1),
                          entries=ListOf(Struct(author=ID, sequence=U32), 10),
                          marks=ListOf(Struct(author=ID, have=U32), 60))),
    (12, "where", Struct(peers=ListOf(ID, 16))),
    (13, "peers", Struct(peers=ListOf(Struct(peer=ID, address=Raw(16), port=U16), 16))),
    (14, "bye", Struct()),
]
KINDS = {name: kind for kind, name, _ in PACKET_TABLES}
FIELDS = {name: fields for _, name, fields in PACKET_TABLES}
NAMES = {kind: name for kind, name, _ in PACKET_TABLES}
_SIGNER = Struct(kind=U16, key=Raw(32), incarnation=Raw(8))


def _check_packet_rules(kind, value):
    """Check the rules of section 15 that concern more than one number; raise Malformed."""
    if kind == "entry" and text_error(value["text"]):
        raise Malformed(text_error(value["text"]))
    if kind == "announce" and value["nonce"] == NO_NONCE:
        raise Malformed("nonce zero")
    if kind in ("want", "lost"):
        sizes = [r["last"] - r["first"] + 1 for r in value["ranges"]]
        if min(sizes, default=1) < 1 or sum(sizes) > 64:
            raise Malformed("a range upside down, or more than 64 entries")


# ---- identities, rooms, packets (sections 3, 4 and 5) ---------------------------------------------

def peer_id(key, incarnation):
    """Return the id of the peer with this public key and incarnation (section 4)."""
    return hashlib.sha256(b"pi-chat/1 peer\0" + key + incarnation).digest()[:8]


class Identity:
    """Key pair and incarnation of a peer (section 4)."""

    def __init__(self, seed=None, incarnation=None):
        """*seed*: private key, 32 bytes. *incarnation*: 8 bytes. Both are random unless given."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.key = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.incarnation = incarnation or os.urandom(8)
        self.id = peer_id(self.key, self.incarnation)

    def sign_body(self, kind, value, prefix):
        """Return a signed body (section 4). *prefix*: the bytes that are signed before it."""
        unsigned = _SIGNER.write({"kind": KINDS[kind], "key": self.key, "incarnation": self.incarnation})
        unsigned += FIELDS[kind].write(value)
        return unsigned + self._private.sign(prefix + unsigned)


def derive_master(key, passphrase):
    """Derive the master key of a closed room from its passphrase (section 5). *key*: key of the room's name."""
    raw = unicodedata.normalize("NFC", passphrase).encode()
    if not 1 <= len(raw) <= 1024:
        raise ValueError("a passphrase has 1 to 1,024 bytes")
    if Argon2id is None:
        raise ValueError("closed rooms need version 44 or later of cryptography")
    salt = hashlib.sha256(b"pi-chat/1 closed room\0" + key).digest()[:16]
    return Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=65536).derive(raw)


class Room:
    """A room as its members know it: id, tag, and the master key of a closed one."""

    def __init__(self, name, passphrase=None, master=None):
        """*master*: the result of `derive_master`, in place of the passphrase. Raise ValueError for a wrong name.
        """
        self.name = check_name(name)
        if self.name is None:
            raise ValueError("this cannot be the name of a room")
        key = name_key(self.name).encode()
        self.master = derive_master(key, passphrase) if master is None and passphrase is not None else master
        self.closed = self.master is not None
        if self.closed:
            self.id = self._derive(b"pi-chat/1 room")
        else:
            self.id = hashlib.sha256(b"pi-chat/1 open room\0" + key).digest()
        self.tag = self.id[:4]

    def _derive(self, info):
        """Derive a key of this closed room for one purpose (section 5)."""
        return HKDF(SHA256(), 32, None, info).derive(self.master)

    def header(self, sender, counter):
        """Return the header of a datagram (section 3)."""
        return MAGIC + bytes([VERSION, self.closed]) + self.tag + sender + counter.to_bytes(6, "big")

    def seal(self, header, body):
        """Return the datagram with this header and plain body (section 5)."""
        if not self.closed:
            return header + body
        cipher = ChaCha20Poly1305(self._derive(b"pi-chat/1 seal\0" + header[9:17]))
        return header + cipher.encrypt(bytes(6) + header[17:23], body, header)

    def open(self, datagram):
        """Return the plain body of a datagram; raise Malformed if it does not open."""
        header, body = datagram[:HEADER_SIZE], datagram[HEADER_SIZE:]
        if not self.closed:
            return body
        try:
            cipher = ChaCha20Poly1305(self._derive(b"pi-chat/1 seal\0" + header[9:17]))
            return cipher.decrypt(bytes(6) + header[17:23], body, header)
        except InvalidTag:
            raise Malformed("does not open") from None

    def signing_prefix(self, kind, header):
        """Return the bytes that are signed before a body (section 4)."""
        return b"pi-chat/1 entry\0" + self.id if kind == "entry" else b"pi-chat/1 packet\0" + self.id + header


def make_packet(identity, room, counter, kind, value):
    """Return the datagram of a control packet."""
    header = room.header(identity.id, counter)
    return room.seal(header, identity.sign_body(kind, value, room.signing_prefix(kind, header)))


def make_entry(identity, room, value):
    """Return the signed body of an entry. `Room.seal` makes datagrams of it, also to send it on."""
    return identity.sign_body("entry", value, room.signing_prefix("entry", b""))


@dataclass
class Packet:
    """A datagram that has been read; its signature is not checked yet. *signer* is the id of the key."""
    kind: str
    sender: bytes
    counter: int
    key: bytes
    signer: bytes
    value: dict
    header: bytes
    body: bytes

    def has_valid_signature(self, room):
        """Return True if the signature is right (section 4). The library checks S < L, and verifies without the
        cofactor.
        """
        if self.key in _SMALL_ORDER_POINTS or self.body[-64:-32] in _SMALL_ORDER_POINTS:
            return False
        try:
            signed = room.signing_prefix(self.kind, self.header) + self.body[:-64]
            Ed25519PublicKey.from_public_bytes(self.key).verify(self.body[-64:], signed)
            return True
        except (InvalidSignature, ValueError):
            return False


def read_packet(room, own_id, datagram):
    """Read a datagram by steps 1 to 7 of section 14; raise Dropped."""
    if not HEADER_SIZE + MIN_BODY_SIZE <= len(datagram) <= MAX_DATAGRAM_SIZE:
        raise Dropped(1, "too short or too long")
    if datagram[:3] != MAGIC:
        raise Dropped(2, "another magic")
    if datagram[3] != VERSION:
        raise Dropped(3, "another version")
    if datagram[4] != int(room.closed) or datagram[5:9] != room.tag:
        raise Dropped(4, "another room")
    header = bytes(datagram[:HEADER_SIZE])
    if header[9:17] == own_id:
        raise Dropped(5, "my own")
    try:
        body = room.open(datagram)
    except Malformed as fault:
        raise Dropped(6, str(fault)) from None
    if len(body) < MIN_BODY_SIZE:
        raise Dropped(6, "too short inside")
    try:
        signer, at = _SIGNER.read(body, 0)
        kind = NAMES.get(signer["kind"])
        if kind is None:
            raise Malformed("unknown kind")
        value, _ = FIELDS[kind].read(body[:-64], at)
        _check_packet_rules(kind, value)
    except Malformed as fault:
        raise Dropped(7, str(fault)) from None
    signer_id = peer_id(signer["key"], signer["incarnation"])
    return Packet(kind, header[9:17], int.from_bytes(header[17:], "big"), signer["key"], signer_id, value, header, body)
