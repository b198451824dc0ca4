//! WebSocket frames (RFC 6455), as a server reads and writes them: `docs/protocol/websocket.md`.
//!
//! No WebSocket frame is ever buffered: [`WebSocketReader`] removes headers and masks within the
//! buffer into which the caller has read, and [`WebSocketHeader`] goes in front of bytes that the
//! caller writes from where they are.

use crate::model::limits::MAX_WEBSOCKET_MESSAGE;

/// Maximum length of a frame's header, in bytes: two bytes, a length of 8 bytes, and the mask.
const MAX_HEADER: usize = 14;

/// Maximum length of a control frame's payload, in bytes.
const MAX_CONTROL: usize = 125;

/// First byte of a frame: the bit that says that it is the last one of its message.
const FINAL: u8 = 0x80;

/// First byte of a frame: the bits that belong to extensions. No extension is ever agreed on.
const RESERVED: u8 = 0x70;

/// First byte of a frame: the bits of the opcode.
const OPCODE: u8 = 0x0f;

/// Second byte of a frame: the bit that says that the payload is masked.
const MASKED: u8 = 0x80;

/// Opcode of a frame that continues a message.
const CONTINUATION: u8 = 0;

/// Opcode of the first frame of a text message.
const TEXT: u8 = 1;

/// Opcode of the first frame of a binary message.
const BINARY: u8 = 2;

/// Opcode of a close frame.
const CLOSE: u8 = 8;

/// Opcode of a ping.
const PING: u8 = 9;

/// Opcode of a pong.
const PONG: u8 = 10;

/// Codes of close frames that this protocol uses itself.
pub mod close_code {
    /// Regular end: the client leaves, or the server has sent everything that was due.
    pub const NORMAL: u16 = 1_000;
    /// The other side breaks the rules of WebSocket frames.
    pub const PROTOCOL_ERROR: u16 = 1_002;
    /// Text message: all messages are binary.
    pub const UNSUPPORTED_DATA: u16 = 1_003;
    /// Reason of a close frame that is not UTF-8.
    pub const INVALID_DATA: u16 = 1_007;
    /// Too many control frames and empty frames in a short time.
    pub const POLICY_VIOLATION: u16 = 1_008;
    /// Message above the limit.
    pub const TOO_BIG: u16 = 1_009;
    /// Added to the number of a pi-chat error that ends the connection.
    pub const PI_CHAT_ERROR: u16 = 4_000;
}

/// Why nothing more can be read from a client's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketEnd {
    /// The client has sent a close frame, with this code or none.
    Closed(Option<u16>),
    /// The client has broken the rules: the server closes with this code.
    Violated(u16),
}

/// Result of [`WebSocketReader::unwrap`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unwrapped {
    /// Number of payload bytes of binary messages at the beginning of the buffer.
    pub payload: usize,
    /// Number of frames without such bytes: control frames and empty ones. They cost work but are
    /// nobody's frames, so the caller limits them.
    pub idle_frames: u32,
    /// Payload of the last ping, to send back in a pong; `None` if there was no ping.
    pub ping: Option<Vec<u8>>,
    /// End of the stream, after the payload; `None` if it goes on.
    pub end: Option<WebSocketEnd>,
}

/// Removes WebSocket framing from the stream of a client. Needs no memory of its own, except for
/// the payload of an incomplete control frame.
#[derive(Debug, Default)]
pub struct WebSocketReader {
    /// Received bytes of an incomplete header.
    header: [u8; MAX_HEADER],
    /// Number of bytes in `header`.
    header_len: u8,
    /// Frame whose payload is incomplete; `None` between frames.
    frame: Option<IncompleteFrame>,
    /// Length so far of a message whose last frame has not begun; `None` between messages.
    open_message: Option<u32>,
    /// Payload so far of an incomplete control frame.
    control: Vec<u8>,
}

/// Frame whose header is complete and whose payload is not.
#[derive(Clone, Copy, Debug)]
struct IncompleteFrame {
    /// Opcode.
    opcode: u8,
    /// Number of bytes of the payload that are missing; at least 1.
    missing: u32,
    /// Mask, turned so that its first byte belongs to the next byte of the payload.
    mask: [u8; 4],
}

/// Complete header of a client's frame.
struct ParsedHeader {
    /// First byte: final, reserved bits, opcode.
    first: u8,
    /// Mask; `None` if the payload is not masked.
    mask: Option<[u8; 4]>,
    /// Length of the payload, in bytes.
    length: u64,
    /// True if the length is in the shortest form that can hold it.
    is_shortest: bool,
    /// Length of the header, in bytes.
    size: usize,
}

impl WebSocketReader {
    /// Takes received bytes. Moves the payload of binary messages to the beginning of `bytes`,
    /// without masks. What follows it there is garbage. Ignores everything after the end of the
    /// stream; do not call it again then.
    pub fn unwrap(&mut self, bytes: &mut [u8]) -> Unwrapped {
        let mut out = Unwrapped::default();
        let mut at = 0;
        while at < bytes.len() && out.end.is_none() {
            let step = match self.frame.take() {
                Some(frame) => Ok(self.take_payload(frame, bytes, at, &mut out)),
                None => self.take_header(bytes.get(at..).unwrap_or_default(), &mut out),
            };
            match step {
                Ok(count) => at += count,
                Err(code) => out.end = Some(WebSocketEnd::Violated(code)),
            }
        }
        out
    }

    /// Takes bytes of a header. Returns their number, at least 1 if there is one.
    ///
    /// # Errors
    /// Code to close with, if the header breaks the rules.
    fn take_header(&mut self, bytes: &[u8], out: &mut Unwrapped) -> Result<usize, u16> {
        let had = usize::from(self.header_len);
        let free = self.header.iter_mut().skip(had);
        let copied = free.zip(bytes).map(|(to, from)| *to = *from).count();
        let received = self.header.get(..had + copied).unwrap_or_default();
        let Some(header) = ParsedHeader::parse(received) else {
            self.header_len = u8::try_from(had + copied).unwrap_or_default();
            return Ok(copied);
        };
        self.header_len = 0;
        self.begin_frame(&header, out)?;
        Ok(header.size.saturating_sub(had))
    }

    /// Checks a complete header and begins its frame.
    ///
    /// # Errors
    /// Code to close with, if the header breaks the rules.
    fn begin_frame(&mut self, header: &ParsedHeader, out: &mut Unwrapped) -> Result<(), u16> {
        let opcode = header.first & OPCODE;
        let is_final = header.first & FINAL != 0;
        let Some(mask) = header.mask else { return Err(close_code::PROTOCOL_ERROR) };
        if header.first & RESERVED != 0 || !header.is_shortest {
            return Err(close_code::PROTOCOL_ERROR);
        }
        let length = u32::try_from(header.length).unwrap_or(u32::MAX);
        match (opcode, self.open_message) {
            (CLOSE | PING | PONG, _) => {
                if !is_final || header.length > MAX_CONTROL as u64 {
                    return Err(close_code::PROTOCOL_ERROR);
                }
                out.idle_frames += 1;
            }
            (BINARY, None) => self.continue_message(0, length, is_final, out)?,
            (CONTINUATION, Some(before)) => {
                self.continue_message(before, length, is_final, out)?;
            }
            (TEXT, None) => return Err(close_code::UNSUPPORTED_DATA),
            _ => return Err(close_code::PROTOCOL_ERROR),
        }
        if length > 0 {
            self.frame = Some(IncompleteFrame { opcode, missing: length, mask });
        } else {
            self.end_control(opcode, out);
        }
        Ok(())
    }

    /// Begins a data frame of `length` bytes in a message that has `before` bytes already.
    ///
    /// # Errors
    /// [`close_code::TOO_BIG`] if the message exceeds its limit.
    fn continue_message(
        &mut self,
        before: u32,
        length: u32,
        is_final: bool,
        out: &mut Unwrapped,
    ) -> Result<(), u16> {
        let total = before.saturating_add(length);
        if total > MAX_WEBSOCKET_MESSAGE {
            return Err(close_code::TOO_BIG);
        }
        out.idle_frames += u32::from(length == 0);
        self.open_message = (!is_final).then_some(total);
        Ok(())
    }

    /// Takes bytes of a frame's payload, from offset `at` on. Returns their number.
    fn take_payload(
        &mut self,
        mut frame: IncompleteFrame,
        bytes: &mut [u8],
        at: usize,
        out: &mut Unwrapped,
    ) -> usize {
        let missing = usize::try_from(frame.missing).unwrap_or(usize::MAX);
        let end = bytes.len().min(at.saturating_add(missing));
        let payload = bytes.get_mut(at..end).unwrap_or_default();
        let count = payload.len();
        payload.iter_mut().zip(frame.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        if frame.opcode & 0x08 == 0 {
            bytes.copy_within(at..end, out.payload);
            out.payload += count;
        } else {
            self.control.extend_from_slice(payload);
        }
        frame.missing = frame.missing.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        frame.mask.rotate_left(count % 4);
        if frame.missing > 0 {
            self.frame = Some(frame);
        } else {
            self.end_control(frame.opcode, out);
        }
        count
    }

    /// Handles a frame that is complete, if it is a control frame.
    fn end_control(&mut self, opcode: u8, out: &mut Unwrapped) {
        match opcode {
            PING => out.ping = Some(std::mem::take(&mut self.control)),
            PONG => self.control = Vec::new(),
            CLOSE => out.end = Some(end_of(&std::mem::take(&mut self.control))),
            _ => {}
        }
    }
}

/// Returns the end of the stream that a close frame with this payload means.
fn end_of(payload: &[u8]) -> WebSocketEnd {
    match payload.split_first_chunk() {
        None if payload.is_empty() => WebSocketEnd::Closed(None),
        None => WebSocketEnd::Violated(close_code::PROTOCOL_ERROR),
        Some((code, reason)) => match u16::from_be_bytes(*code) {
            _ if std::str::from_utf8(reason).is_err() => {
                WebSocketEnd::Violated(close_code::INVALID_DATA)
            }
            code @ (1_000..=1_003 | 1_007..=1_014 | 3_000..=4_999) => {
                WebSocketEnd::Closed(Some(code))
            }
            _ => WebSocketEnd::Violated(close_code::PROTOCOL_ERROR),
        },
    }
}

impl ParsedHeader {
    /// Parses a header at the beginning of `bytes`. `None` if it is incomplete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (length, rest, is_shortest) = match second & !MASKED {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = u64::from(u16::from_be_bytes(*length));
                (length, rest, length > MAX_CONTROL as u64)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = u64::from_be_bytes(*length);
                (length, rest, length > u64::from(u16::MAX))
            }
            length => (u64::from(length), rest, true),
        };
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            let (mask, rest) = rest.split_first_chunk()?;
            (Some(*mask), rest)
        };
        let size = bytes.len() - rest.len();
        Some(Self { first, mask, length, is_shortest, size })
    }
}

/// Header of a frame that a server sends: the only frame of its message, and not masked.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketHeader {
    /// Bytes of the header; the first `len` count.
    bytes: [u8; 10],
    /// Length of the header, in bytes.
    len: u8,
}

impl WebSocketHeader {
    /// Returns the header of a binary message with a payload of this length.
    #[must_use]
    pub fn binary(length: usize) -> Self {
        Self::new(BINARY, length)
    }

    /// Returns the header of a frame.
    fn new(opcode: u8, length: usize) -> Self {
        let mut bytes = [0; 10];
        let long = (length as u64).to_be_bytes();
        let (short, tail): (u8, &[u8]) = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..=125), _) => (length, &[]),
            (_, Ok(_)) => (126, long.last_chunk::<2>().map_or(&[], |it| it)),
            _ => (127, &long),
        };
        let head = [FINAL | opcode, short];
        bytes.iter_mut().zip(head.iter().chain(tail)).for_each(|(to, from)| *to = *from);
        Self {
            bytes,
            len: if tail.is_empty() {
                2
            } else if tail.len() == 2 {
                4
            } else {
                10
            },
        }
    }

    /// Returns the bytes of the header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Returns a pong with this payload, of at most 125 bytes.
#[must_use]
pub fn encode_pong(payload: &[u8]) -> Vec<u8> {
    let payload = payload.get(..payload.len().min(MAX_CONTROL)).unwrap_or_default();
    [WebSocketHeader::new(PONG, payload.len()).as_bytes(), payload].concat()
}

/// Returns a close frame with this code; `None`: without a code.
#[must_use]
pub fn encode_close(code: Option<u16>) -> Vec<u8> {
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map_or(&[][..], |it| it);
    [WebSocketHeader::new(CLOSE, payload.len()).as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Mask of the frames of these tests.
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// Returns a client's frame: first byte, and payload with its mask.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = WebSocketHeader::new(0, payload.len()).as_bytes().to_vec();
        bytes[0] = first;
        bytes[1] |= MASKED;
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Feeds pieces to a new reader. Returns the payload, the last ping, and the end.
    fn unwrap(pieces: &[&[u8]]) -> (Vec<u8>, Option<Vec<u8>>, Option<WebSocketEnd>) {
        let mut reader = WebSocketReader::default();
        let (mut payload, mut ping) = (Vec::new(), None);
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let out = reader.unwrap(&mut bytes);
            payload.extend(&bytes[..out.payload]);
            ping = out.ping.or(ping);
            if out.end.is_some() {
                return (payload, ping, out.end);
            }
        }
        (payload, ping, None)
    }

    /// Returns the end of a stream with these bytes.
    fn end(bytes: &[u8]) -> Option<WebSocketEnd> {
        unwrap(&[bytes]).2
    }

    proptest! {
        /// Payload, ping and end are the same wherever a stream is cut into pieces.
        #[test]
        fn payload_does_not_depend_on_read_boundaries(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut stream = Vec::new();
            for message in &messages {
                let (one, two) = message.split_at(message.len() / 2);
                stream.extend(frame(BINARY, one));
                stream.extend(frame(FINAL | PING, b"hi"));
                stream.extend(frame(FINAL | CONTINUATION, two));
            }
            stream.extend(frame(FINAL | CLOSE, &1_001_u16.to_be_bytes()));
            let mut ends: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
            ends.push(stream.len());
            ends.sort_unstable();
            let mut start = 0;
            let pieces: Vec<&[u8]> = ends.iter().map(|&end| {
                let piece = &stream[start..end];
                start = end;
                piece
            }).collect();
            let expected =
                (messages.concat(), Some(b"hi".to_vec()), Some(WebSocketEnd::Closed(Some(1_001))));
            prop_assert_eq!(unwrap(&pieces), expected);
        }
    }

    /// Frames that break the rules close with their codes.
    #[test]
    fn violations_have_their_codes() {
        let violated = |code| Some(WebSocketEnd::Violated(code));
        let mut unmasked = frame(FINAL | BINARY, b"x");
        unmasked[1] &= !MASKED;
        for bytes in [
            unmasked,
            frame(FINAL | 0x40 | BINARY, b"x"),
            frame(FINAL | 3, b"x"),
            frame(FINAL | 11, b"x"),
            frame(FINAL | CONTINUATION, b"x"),
            frame(PING, b"x"),
            frame(FINAL | PING, &[0; 126]),
            [frame(BINARY, b"x"), frame(FINAL | BINARY, b"x")].concat(),
            vec![FINAL | BINARY, MASKED | 126, 0, 125, 0, 0, 0, 0],
            vec![FINAL | BINARY, MASKED | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0],
            frame(FINAL | CLOSE, &[3]),
            frame(FINAL | CLOSE, &1_005_u16.to_be_bytes()),
        ] {
            assert_eq!(end(&bytes), violated(close_code::PROTOCOL_ERROR), "{bytes:02x?}");
        }
        assert_eq!(end(&frame(FINAL | TEXT, b"hi")), violated(close_code::UNSUPPORTED_DATA));
        let bad = frame(FINAL | CLOSE, &[3, 0xe8, 0xff]);
        assert_eq!(end(&bad), violated(close_code::INVALID_DATA));
        let most = usize::try_from(MAX_WEBSOCKET_MESSAGE).unwrap();
        assert_eq!(end(&frame(FINAL | BINARY, &vec![0; most])), None);
        let over = frame(FINAL | BINARY, &vec![0; most + 1]);
        assert_eq!(end(&over[..14]), violated(close_code::TOO_BIG), "before the payload");
        let pieces = [frame(BINARY, &vec![0; most]), frame(FINAL, b"x")].concat();
        assert_eq!(end(&pieces), violated(close_code::TOO_BIG));
    }

    /// What comes before a violation or a close frame is returned, what comes after it is not.
    #[test]
    fn payload_before_the_end_counts() {
        let stream =
            [frame(FINAL | BINARY, b"a"), frame(FINAL | CLOSE, &[]), frame(FINAL | BINARY, b"b")];
        let expected = (b"a".to_vec(), None, Some(WebSocketEnd::Closed(None)));
        assert_eq!(unwrap(&[&stream.concat()]), expected);
    }

    /// Control frames and empty frames are counted.
    #[test]
    fn idle_frames_are_counted() {
        let stream = [frame(FINAL | BINARY, b"a"), frame(BINARY, b""), frame(FINAL | PONG, b"x")];
        let mut bytes = stream.concat();
        assert_eq!(WebSocketReader::default().unwrap(&mut bytes).idle_frames, 2);
    }

    /// A server's headers are those of an independent implementation.
    #[test]
    fn headers_are_those_of_tungstenite() {
        use tungstenite::protocol::frame::FrameHeader;
        use tungstenite::protocol::frame::coding::{Data, OpCode};
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let opcode = OpCode::Data(Data::Binary);
            let mut expected = Vec::new();
            let header = FrameHeader { opcode, ..FrameHeader::default() };
            header.format(length, &mut expected).unwrap();
            let length = usize::try_from(length).unwrap();
            assert_eq!(WebSocketHeader::binary(length).as_bytes(), expected);
        }
        assert_eq!(encode_close(Some(4_107)), [0x88, 2, 0x10, 0x0b]);
        assert_eq!(encode_close(None), [0x88, 0]);
        assert_eq!(encode_pong(b"hi"), [0x8a, 2, b'h', b'i']);
    }
}
