//! PROXY protocol, version 2: a header by which a reverse proxy states the address of its client.
//!
//! The header comes before anything else on a TCP connection. The specification is HAProxy's
//! `proxy-protocol.txt`. Version 1 of the protocol, a line of text, is recognised and refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// First bytes of every header of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// First bytes of every header of version 1.
const VERSION_1_SIGNATURE: &[u8] = b"PROXY ";

/// Length of the fixed part of a header, in bytes: signature, version and command, family and
/// transport, length of the rest.
const FIXED_LEN: usize = 16;

/// Length of the addresses and ports of TCP over IPv4, in bytes.
const IPV4_LEN: usize = 12;

/// Length of the addresses and ports of TCP over IPv6, in bytes.
const IPV6_LEN: usize = 36;

/// Maximum length of a header after its fixed part, in bytes. Addresses take at most 216 bytes. The
/// rest is for TLVs (type-length-value fields), which are skipped.
pub const MAX_PROXY_HEADER_REST: usize = 4_096;

/// Address that a header states for its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxySource {
    /// Address of the client. An IPv4-mapped IPv6 address is converted to IPv4.
    Client(IpAddr),
    /// No address: the connection counts as the proxy's own. Either the proxy uses it itself
    /// (command LOCAL, a health check), or the client has no IP address.
    Proxy,
}

/// Error of a stream that does not begin with a valid header. Nothing more can be read from the
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyHeaderError {
    /// The stream begins with other bytes.
    #[error("it does not begin with a PROXY header")]
    Missing,
    /// The stream begins with a header of version 1.
    #[error("its PROXY header has version 1 (text), and only version 2 (binary) is accepted")]
    Version1,
    /// The header violates the specification, has an unknown version or command, or states the
    /// addresses of datagrams.
    #[error("its PROXY header is malformed")]
    Malformed,
    /// The header is longer after its fixed part than [`MAX_PROXY_HEADER_REST`].
    #[error("its PROXY header is too long")]
    TooLong,
}

/// Incremental decoder of one header. It needs few bytes of memory, whatever the length of the
/// header.
#[derive(Debug)]
pub struct ProxyHeaderReader {
    /// Received bytes of the header's fixed part and addresses.
    bytes: [u8; FIXED_LEN + IPV6_LEN],
    /// Number of bytes received, including skipped ones.
    received: usize,
}

impl Default for ProxyHeaderReader {
    /// Creates a reader that has received nothing.
    fn default() -> Self {
        Self { bytes: [0; FIXED_LEN + IPV6_LEN], received: 0 }
    }
}

impl ProxyHeaderReader {
    /// Returns the number of missing bytes that certainly belong to the header. Read at most this
    /// number from the socket. Zero when the header is complete.
    #[must_use]
    pub fn missing(&self) -> usize {
        let rest = if self.received < FIXED_LEN { 0 } else { self.rest_len() };
        (FIXED_LEN + rest).saturating_sub(self.received)
    }

    /// Returns true if nothing has been received.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// Takes the next bytes of the stream, at most [`Self::missing`]; ignores further ones. Returns
    /// the stated address when the header is complete; `None` before.
    ///
    /// # Errors
    /// [`ProxyHeaderError`] if the bytes cannot become a valid header. Do not use the reader again.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<ProxySource>, ProxyHeaderError> {
        let bytes = bytes.get(..self.missing()).unwrap_or(bytes);
        let kept = self.bytes.iter_mut().skip(self.received);
        kept.zip(bytes).for_each(|(to, from)| *to = *from);
        self.received += bytes.len();
        self.check_signature()?;
        if self.received >= FIXED_LEN && self.rest_len() > MAX_PROXY_HEADER_REST {
            return Err(ProxyHeaderError::TooLong);
        }
        if self.missing() > 0 { Ok(None) } else { self.source().map(Some) }
    }

    /// Compares the received bytes with the signatures of both versions.
    ///
    /// # Errors
    /// [`ProxyHeaderError::Version1`] if they begin with the whole signature of version 1.
    /// [`ProxyHeaderError::Missing`] if they are the beginning of neither signature.
    fn check_signature(&self) -> Result<(), ProxyHeaderError> {
        let begins_with = |signature: &[u8]| {
            self.bytes.iter().take(self.received).zip(signature).all(|(byte, other)| byte == other)
        };
        let is_version_1 = begins_with(VERSION_1_SIGNATURE);
        if is_version_1 && self.received >= VERSION_1_SIGNATURE.len() {
            Err(ProxyHeaderError::Version1)
        } else if is_version_1 || begins_with(&SIGNATURE) {
            Ok(())
        } else {
            Err(ProxyHeaderError::Missing)
        }
    }

    /// Returns the length of the header after its fixed part. Call it only when the fixed part has
    /// been received.
    fn rest_len(&self) -> usize {
        let [.., high, low] = self.fixed();
        usize::from(u16::from_be_bytes([high, low]))
    }

    /// Returns the fixed part of the header.
    fn fixed(&self) -> [u8; FIXED_LEN] {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }

    /// Returns the address that the complete header states.
    ///
    /// # Errors
    /// [`ProxyHeaderError::Malformed`] if version, command, transport or length is wrong.
    fn source(&self) -> Result<ProxySource, ProxyHeaderError> {
        let [.., version_and_command, family_and_transport, _, _] = self.fixed();
        match (version_and_command, family_and_transport) {
            // LOCAL: an address does not count.
            (0x20, _) => Ok(ProxySource::Proxy),
            (0x21, 0x11) => self.client(IPV4_LEN),
            (0x21, 0x21) => self.client(IPV6_LEN),
            // No address, or a Unix socket.
            (0x21, 0x00 | 0x31) => Ok(ProxySource::Proxy),
            _ => Err(ProxyHeaderError::Malformed),
        }
    }

    /// Returns the client's address, which comes first in the addresses and ports. `length`: length
    /// of the addresses and ports, in bytes.
    ///
    /// # Errors
    /// [`ProxyHeaderError::Malformed`] if the rest of the header is shorter than `length`.
    fn client(&self, length: usize) -> Result<ProxySource, ProxyHeaderError> {
        if self.rest_len() < length {
            return Err(ProxyHeaderError::Malformed);
        }
        let addresses = self.bytes.get(FIXED_LEN..).unwrap_or_default();
        let address = if length == IPV4_LEN {
            addresses.first_chunk().map(|bytes: &[u8; 4]| IpAddr::from(Ipv4Addr::from(*bytes)))
        } else {
            addresses.first_chunk().map(|bytes: &[u8; 16]| IpAddr::from(Ipv6Addr::from(*bytes)))
        };
        let address = address.ok_or(ProxyHeaderError::Malformed)?;
        Ok(ProxySource::Client(address.to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a header with these two bytes, the length of `rest`, and `rest`.
    fn header(version_and_command: u8, family_and_transport: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version_and_command, family_and_transport], &length, rest].concat()
    }

    /// Decodes a header, `piece` bytes at a time. Returns the result and the number of bytes taken.
    fn decode(
        bytes: &[u8],
        piece: usize,
    ) -> (Result<Option<ProxySource>, ProxyHeaderError>, usize) {
        let mut reader = ProxyHeaderReader::default();
        let mut taken = 0;
        loop {
            let count = reader.missing().min(piece).min(bytes.len() - taken);
            let result = reader.feed(&bytes[taken..taken + count]);
            taken += count;
            if result != Ok(None) || count == 0 {
                return (result, taken);
            }
        }
    }

    /// Decodes a header that is followed by other bytes: at once and in pieces. Asserts that the
    /// results are equal.
    fn decode_all_ways(bytes: &[u8]) -> Result<Option<ProxySource>, ProxyHeaderError> {
        let stream = [bytes, b"\0\x1fframes"].concat();
        let (whole, taken) = decode(&stream, usize::MAX);
        if whole.is_ok() {
            assert_eq!(taken, bytes.len());
        }
        for piece in [1, 3, 16, 20] {
            assert_eq!(decode(&stream, piece).0, whole);
        }
        whole
    }

    /// Returns the result of decoding a header that states this client address.
    fn client(address: &str) -> Result<Option<ProxySource>, ProxyHeaderError> {
        Ok(Some(ProxySource::Client(address.parse().unwrap())))
    }

    #[test]
    fn client_addresses_are_decoded_and_the_rest_is_skipped() {
        let ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0x09, 0x7c];
        assert_eq!(decode_all_ways(&header(0x21, 0x11, &ipv4)), client("192.0.2.7"));
        let with_tlvs = [&ipv4[..], &[4; 3_000]].concat();
        assert_eq!(decode_all_ways(&header(0x21, 0x11, &with_tlvs)), client("192.0.2.7"));
        let from: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let ipv6 = [&from.octets()[..], &[0; 20]].concat();
        assert_eq!(decode_all_ways(&header(0x21, 0x21, &ipv6)), client("2001:db8::7"));
        let mapped =
            [&Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets()[..], &[0; 20]].concat();
        assert_eq!(decode_all_ways(&header(0x21, 0x21, &mapped)), client("192.0.2.7"));
    }

    #[test]
    fn headers_without_client_address_count_as_the_proxy() {
        let proxy = Ok(Some(ProxySource::Proxy));
        for rest in [&[][..], &[0; 12], &[1; 100]] {
            assert_eq!(decode_all_ways(&header(0x20, 0x00, rest)), proxy);
            assert_eq!(decode_all_ways(&header(0x20, 0x11, rest)), proxy);
            assert_eq!(decode_all_ways(&header(0x21, 0x00, rest)), proxy);
        }
        assert_eq!(decode_all_ways(&header(0x21, 0x31, &[0; 216])), proxy);
    }

    #[test]
    fn invalid_headers_are_refused() {
        let malformed = Err(ProxyHeaderError::Malformed);
        assert_eq!(decode_all_ways(&header(0x21, 0x11, &[0; 11])), malformed);
        assert_eq!(decode_all_ways(&header(0x21, 0x21, &[0; 35])), malformed);
        // UDP, an unknown family, an unknown command, other versions.
        for (command, family) in [(0x21, 0x12), (0x21, 0x41), (0x22, 0x11), (0x11, 0x11), (0x31, 0)]
        {
            assert_eq!(decode_all_ways(&header(command, family, &[0; 36])), malformed);
        }
        let long = header(0x21, 0x11, &[0; MAX_PROXY_HEADER_REST + 1]);
        assert_eq!(decode_all_ways(&long), Err(ProxyHeaderError::TooLong));
        let long = header(0x20, 0x00, &[0; MAX_PROXY_HEADER_REST]);
        assert_eq!(decode_all_ways(&long), Ok(Some(ProxySource::Proxy)));
    }

    #[test]
    fn other_beginnings_are_refused_as_soon_as_they_differ() {
        let version_1 = Err(ProxyHeaderError::Version1);
        assert_eq!(decode_all_ways(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"), version_1);
        let missing = Err(ProxyHeaderError::Missing);
        assert_eq!(decode(b"\0\x1f\x01PiCh", usize::MAX).0, missing);
        assert_eq!(decode(b"\0", usize::MAX).0, missing);
        assert_eq!(decode(b"\r\n\r\n\0\r\nQUIX", usize::MAX).0, missing);
        assert_eq!(decode(b"PROXIMA", 1).0, missing);
        assert_eq!(decode(&SIGNATURE, usize::MAX).0, Ok(None));
    }
}
