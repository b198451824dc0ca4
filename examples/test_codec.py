"""The byte examples of docs/protocol, read back: README.md sections 1 and 2, tcp.md sections 1 and 18."""

import datetime
import unittest

import chat_client as c


def h(text):
    """Hex with blanks as bytes."""
    return bytes.fromhex("".join(text.split()))


class Varints(unittest.TestCase):
    def test_table(self):
        for number, hexed in [(0, "00"), (127, "7f"), (128, "80 01"), (300, "ac 02"), (16384, "80 80 01"),
                              (65535, "ff ff 03"), (2**64 - 1, "ff ff ff ff ff ff ff ff ff 01")]:
            self.assertEqual(c.encode_varint(number), h(hexed))
            self.assertEqual(c.Reader(h(hexed)).varint(64), number)

    def test_refused(self):
        for bits, hexed in [(16, "80 80 04"), (16, "80 00"), (16, "ff ff 83 00"), (16, "80"), (16, ""),
                            (32, "ff ff ff ff 10"), (32, "80 80 80 80 80 00"), (64, "ff" * 9 + "02"),
                            (64, "80" * 10 + "01"), (64, "80" * 9 + "00"), (16, "ff ff 04")]:
            with self.assertRaises(c.ServerFault, msg=hexed):
                c.Reader(h(hexed)).varint(bits)

    def test_limits(self):
        for bits in (16, 32, 64):
            top = 2**bits - 1
            self.assertEqual(c.Reader(c.encode_varint(top)).varint(bits), top)
            with self.assertRaises(c.ServerFault):
                c.Reader(c.encode_varint(top + 1)).varint(bits)


class Values(unittest.TestCase):
    def test_refused(self):
        for kind_of, hexed in [("string", "01 ff"), ("string", "03 ed a0 80"), ("string", "02 c0 80"),
                               ("string", "02 61"), ("string?", "02"), ("string*", "03 00 00"), ("bytes16", "00" * 15)]:
            with self.assertRaises(c.ServerFault, msg=hexed):
                c.Reader(h(hexed)).value(kind_of)

    def test_unknown_kind_and_bytes_behind(self):
        self.assertIsNone(c.decode_frame(h("4c 01 02")))
        self.assertEqual(c.decode_frame(h("49 05 ff ff")).reference, 5)


class Names(unittest.TestCase):
    def test_same(self):
        self.assertEqual({c.name_key(n) for n in ("Anna", "anna", "ＡＮＮＡ")}, {"anna"})
        self.assertEqual(c.name_key("Straße"), c.name_key("STRASSE"))

    def test_rule(self):
        """The function of README 2, as it stands there."""
        import unicodedata

        def check_name(raw):
            if len(raw.encode()) > 256:
                return None
            name = unicodedata.normalize("NFC", raw)
            if not 1 <= len(name) <= 32 or len(name.encode()) > 64:
                return None
            kinds = [unicodedata.category(c) for c in name]
            if not all(k[0] in "LM" or k == "Nd" or c in "-_." for k, c in zip(kinds, name)):
                return None
            return name if kinds[0][0] == "L" or kinds[0] == "Nd" else None

        for good in ("Anna", "anna", "ＡＮＮＡ", "Straße", "STRASSE", "anna2", "pi.chat", "a-b_c", "4"):
            self.assertEqual(check_name(good), good)
        for bad in ("anna smith", "@anna", "_anna", "", "a" * 33, "あ" * 22):
            self.assertIsNone(check_name(bad), bad)


HELLO = dict(magic=b"PiCh", min_version=1, max_version=1, features=0, client_name="tiny", client_version="1")
JOIN = dict(username="anna", password=None, rooms=[], token=None, position=None)
SAY = dict(reference=1, room="lobby", style=0, text="hi")

# Section 18, frame by frame: (name, fields, wire).
CONVERSATION = [
    ("hello", HELLO, "00 0f 01 50 69 43 68 01 01 00 04 74 69 6e 79 01 31"),
    ("join", JOIN, "00 0a 02 04 61 6e 6e 61 00 00 00 00"),
    ("server_hello", dict(version=1, min_version=1, max_version=1, features=0, server_program="chat-server",
                          server_version="0.1.0"),
     "00 17 40 01 01 01 00 0b 63 68 61 74 2d 73 65 72 76 65 72 05 30 2e 31 2e 30"),
    ("welcome", dict(session=7, username="anna", token=h("3f 1c 88 02 a4 5d 90 6e 11 7b c2 f0 58 e9 33 4a"), flags=0,
                     last_reference=0, log_id=h("7c 41 0b 9d e2 66 35 18 fa 02 cd 74 80 96 2f b1"),
                     time=1795384987123, server_name="pi", rooms=["lobby"], max_text=4096, max_rooms=16,
                     history_length=10, ping_interval=30, idle_timeout=60, session_lifetime=86400, burst=60,
                     per_minute=600),
     "00 45 41 07 04 61 6e 6e 61 3f 1c 88 02 a4 5d 90 6e 11 7b c2 f0 58 e9 33 4a 00 00"
     "7c 41 0b 9d e2 66 35 18 fa 02 cd 74 80 96 2f b1 f3 9b a3 aa a0 34 02 70 69 01 05 6c 6f 62 62 79"
     "80 20 10 0a 1e 3c 80 a3 05 3c d8 04"),
    ("entered", dict(reference=0, room="lobby", flags=0, members=1), "00 0a 42 00 05 6c 6f 62 62 79 00 01"),
    ("end", dict(about=2, reference=0, head=0, flags=0), "00 05 45 02 00 00 00"),
    ("say", SAY, "00 0c 03 01 05 6c 6f 62 62 79 00 02 68 69"),
    ("entry", dict(flags=0, sequence=1, previous=0, room="lobby", session=7, username="anna", time=1795384989433,
                   reference=1, style=0, text="hi"),
     "00 1b 43 00 01 00 05 6c 6f 62 62 79 07 04 61 6e 6e 61 f9 ad a3 aa a0 34 01 00 02 68 69"),
]


class Frames(unittest.TestCase):
    def test_section_18(self):
        for name, fields, hexed in CONVERSATION:
            with self.subTest(name):
                wire = h(hexed)
                self.assertEqual(int.from_bytes(wire[:2], "big"), len(wire) - 2)
                self.assertEqual(c.encode_frame(name, **fields), wire)
                frame = vars(c.decode_frame(wire[2:]))
                self.assertEqual(frame, {"name": name, **fields})

    def test_section_18_clock(self):
        when = datetime.datetime.fromtimestamp(1795384987123 / 1000, datetime.timezone.utc)
        self.assertEqual(when.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], "2026-11-22 22:03:07.123")

    def test_section_1(self):
        # The page's line has `50696368` ("Pich"); its own table and section 14 have `50 69 43 68` ("PiCh").
        self.assertEqual(c.encode_frame("hello", **HELLO), h("00 0f 01 50694368 01 01 00 04 74696e79 01 31"))
        self.assertEqual(c.encode_frame("join", **JOIN), h("00 0a 02 04 616e6e61 00 00 00 00"))
        self.assertEqual(c.encode_frame("say", **SAY), h("00 0c 03 01 05 6c6f626279 00 02 6869"))

    def test_every_cut_is_malformed(self):
        for name, _, hexed in CONVERSATION:
            body = h(hexed)[2:]
            for length in range(len(body)):
                with self.assertRaises(c.ServerFault):
                    c.decode_frame(body[:length])


if __name__ == "__main__":
    unittest.main()
