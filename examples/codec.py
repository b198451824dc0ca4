"""Codec of the pi-chat protocol over TCP: bytes and frames.

docs/protocol/README.md, section 1, describes the values, docs/protocol/tcp.md, section 14, the frames. Sections in
comments are those of tcp.md unless README is named.
"""

from types import SimpleNamespace

MAX_BODY = 16_384  # bytes (section 2)


class ProtocolError(Exception):
    """The server has broken the protocol: close the connection and tell the user (section 15)."""


# The tables of section 14: kind, name, and fields in order. `?` is an option, `*` a list, `~` a field that may be
# missing: the frame then ends before it, and it is none, zero or empty.
FRAME_TABLES = """
 1 hello magic:bytes4 min_version:u16 max_version:u16 features:u64 client_name:string client_version:string
 2 join username:string password:string? rooms:string* token:bytes16? position:position? \
   proof:proof?~ invite:string?~
 3 say reference:u64 room:string style:u8 text:string
 4 direct reference:u64 to:string session:u64 style:u8 text:string
 5 enter reference:u64 room:string
 6 leave reference:u64 room:string
 7 history reference:u64 room:string before:u64 limit:u16
 8 members reference:u64 room:string after:string
 9 ping token:u64
10 pong token:u64
11 search reference:u64 room:string from_name:string text:string since:u64 until:u64 before:u64 limit:u16
12 topic reference:u64 room:string text:string
13 remove reference:u64 room:string sequence:u64 reason:string
15 moderate reference:u64 action:u8 room:string username:string session:u64 seconds:u32 flags:u8 reason:string
16 sanctions reference:u64 room:string
17 directory reference:u64
18 announce reference:u64 room:string text:string
19 role reference:u64 room:string username:string session:u64 role:u8
20 claim reference:u64 action:u8 code_hash:bytes32~
23 mark_read room:string sequence:u64
64 server_hello version:u16 min_version:u16 max_version:u16 features:u64 server_program:string server_version:string \
   challenge:bytes32~ server_key:bytes32~
65 welcome session:u64 username:string token:bytes16 flags:u8 last_reference:u64 log_id:bytes16 time:u64 \
   server_name:string rooms:string* max_text:u16 max_rooms:u16 history_length:u16 ping_interval:u16 \
   idle_timeout:u16 session_lifetime:u32 burst:u32 per_minute:u32 \
   keep_days:u32 keep_messages:u32 keep_bytes:u64
66 entered reference:u64 room:string flags:u8 members:u32
67 entry flags:u8 sequence:u64 previous:u64 room:string session:u64 username:string time:u64 reference:u64 \
   style:u8 text:string person:u64~
68 direct_entry flags:u8 sequence:u64 from_session:u64 from_name:string to_session:u64 to_name:string time:u64 \
   reference:u64 style:u8 text:string from_person:u64~
69 end about:u16 reference:u64 head:u64 flags:u8
70 left reference:u64 room:string
71 roster reference:u64 room:string flags:u8 members:u32 names:string*
72 presence room:string flags:u8 members:u32 joined:string* left:string*
73 accepted reference:u64
74 notice code:u16 text:string
75 error code:u16 about:u16 reference:u64 retry_after:u32 text:string
76 done about:u16 reference:u64 affected:u32 page:string~
77 removed room:string sequence:u64 by:string reason:string
79 topic_changed room:string text:string by:string time:u64
80 room_modes room:string slow:u32 moderated:bool
81 role_changed room:string session:u64 username:string role:u8
82 sanctions_list reference:u64 last:bool items:sanction*
83 rooms reference:u64 last:bool items:room*
85 read_mark room:string sequence:u64
87 sanctioned action:u8 room:string by:string reason:string until:u64
"""

# The structs in lists and options: fields in order. A value is a dict.
STRUCT_TABLES = """
sanction kind:u8 room:string username:string until:u64 by:string reason:string flags:u8
room name:string members:u32 topic:string
proof key:bytes32 binding:u8 signature:bytes64
"""

# All frames by kind: (name, [(field, type)]); and the kinds by name.
FRAMES = {int(row[0]): (row[1], [tuple(field.split(":")) for field in row[2:]])
          for row in map(str.split, FRAME_TABLES.strip().splitlines())}
KINDS = {name: kind for kind, (name, _) in FRAMES.items()}
STRUCTS = {row[0]: [tuple(field.split(":")) for field in row[1:]]
           for row in map(str.split, STRUCT_TABLES.strip().splitlines())}


def encode_varint(number):
    """Encode a varint: seven bits a byte, the least significant first; the top bit is set if another byte follows.
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode_value(field_type, value):
    """Encode a value of a type in FRAME_TABLES."""
    if field_type.endswith("?"):
        return b"\0" if value is None else b"\1" + encode_value(field_type[:-1], value)
    if field_type.endswith("*"):
        return encode_varint(len(value)) + b"".join(encode_value(field_type[:-1], item) for item in value)
    if field_type == "string":
        return encode_varint(len(value.encode())) + value.encode()
    if field_type == "position":
        return value[0] + encode_varint(value[1])
    if field_type in STRUCTS:
        return b"".join(encode_value(t, value[field]) for field, t in STRUCTS[field_type])
    if field_type in ("u8", "bool"):
        return bytes([value])
    return value if field_type.startswith("bytes") else encode_varint(value)


def default(field_type):
    """Return what a field that may be missing then is: none for an option, else zero or empty."""
    if field_type.endswith("?~"):
        return None
    if field_type == "string~":
        return ""
    return bytes(int(field_type[5:-1])) if field_type.startswith("bytes") else 0


def encode_frame(name, **fields):
    """Encode a whole frame: length, kind, fields in the order of the table (section 2). Other `fields` are ignored.
    """
    kind = KINDS[name]
    body = encode_varint(kind)
    missing = b""  # fields that are needed only if another one comes behind them
    for field, field_type in FRAMES[kind][1]:
        if field_type.endswith("~") and fields.get(field, default(field_type)) == default(field_type):
            missing += encode_value(field_type[:-1], default(field_type))
        else:
            body += missing + encode_value(field_type.rstrip("~"), fields[field])
            missing = b""
    return len(body).to_bytes(2, "big") + body


class Reader:
    """Decodes values from the body of a frame, one after the other.

    Its methods raise ProtocolError for bytes that README, section 1, refuses.
    """

    def __init__(self, body):
        """Begin at the first byte of `body`."""
        self.body, self.offset = body, 0

    def take(self, count):
        """Return the next `count` bytes; check the count before allocating memory."""
        if count > len(self.body) - self.offset:
            raise ProtocolError("a message ends too soon")
        self.offset += count
        return self.body[self.offset - count:self.offset]

    def varint(self, bits):
        """Decode an unsigned number of at most `bits` bits, which has to be in its shortest form."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if number >> bits or shift >= bits:
                raise ProtocolError("a number is too large")
            if byte < 0x80:
                if byte == 0 and shift:
                    raise ProtocolError("a number is not in its shortest form")
                return number
            shift += 7

    def value(self, field_type):
        """Decode a value of a type in FRAME_TABLES: the inverse of `encode_value`."""
        if field_type.endswith("~"):
            return self.value(field_type[:-1]) if self.offset < len(self.body) else default(field_type)
        if field_type.endswith("?"):
            there = self.take(1)[0]
            if there > 1:
                raise ProtocolError("an option that is neither none nor some")
            return self.value(field_type[:-1]) if there else None
        if field_type.endswith("*"):
            count = self.varint(32)
            if count > len(self.body) - self.offset:  # each item has at least one byte
                raise ProtocolError("a list is longer than its message")
            return [self.value(field_type[:-1]) for _ in range(count)]
        if field_type == "string":
            try:
                return self.take(self.varint(32)).decode()
            except UnicodeDecodeError:
                raise ProtocolError("a string is not UTF-8") from None
        if field_type == "position":
            return self.take(16), self.varint(64)
        if field_type in STRUCTS:
            return {field: self.value(t) for field, t in STRUCTS[field_type]}
        if field_type == "u8":
            return self.take(1)[0]
        if field_type == "bool":
            flag = self.take(1)[0]
            if flag > 1:
                raise ProtocolError("a bool that is neither false nor true")
            return bool(flag)
        return self.take(int(field_type[5:])) if field_type.startswith("bytes") else self.varint(int(field_type[1:]))


def decode_frame(body):
    """Decode a body to an object with `name` and the frame's fields, or None for an unknown kind.

    Bytes after the last field are ignored: a later version of the page has added them (README, section 6).
    """
    reader = Reader(body)
    kind = reader.varint(16)
    if kind not in FRAMES:
        return None
    name, fields = FRAMES[kind]
    return SimpleNamespace(name=name, **{field: reader.value(field_type) for field, field_type in fields})
