//! Received bytes of a connection, until they are the head of a request.

use crate::wire::{HttpRequest, HttpRequestError, MAX_HTTP_HEAD};

/// Received bytes that belong to no request yet. Parses them only when that may have another result
/// than the last time, so the work for a head does not grow with the number of pieces in which it
/// comes.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// Bytes, without empty lines at their beginning.
    bytes: Vec<u8>,
    /// Length of `bytes` when they were parsed last, and were the beginning of a head; 0: never.
    tried: usize,
    /// True if an end of a head has come since then.
    has_end: bool,
}

impl HeadReader {
    /// Adds received bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        // The end of the head may have begun in the bytes before.
        let begin = self.bytes.len().saturating_sub(2);
        self.bytes.extend_from_slice(bytes);
        let new = self.bytes.get(begin..).unwrap_or_default();
        self.has_end |=
            new.windows(2).any(|it| it == b"\n\n") || new.windows(3).any(|it| it == b"\n\r\n");
        // Empty lines in front of a request are allowed, and would be parsed again and again.
        let empty = self.bytes.iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
        if self.tried == 0 && empty > 0 {
            self.bytes.drain(..empty);
        }
    }

    /// Returns true if no received bytes are left.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the head of the next request out of the bytes. `None` if it is incomplete. An error is
    /// the last result: the bytes after it make no sense.
    ///
    /// A mistake in an incomplete head is noticed when the head is complete, or twice as long as at
    /// the last try.
    pub(super) fn next_request(&mut self) -> Option<Result<HttpRequest, HttpRequestError>> {
        if !self.is_due() {
            return None;
        }
        self.has_end = false;
        match HttpRequest::parse(&self.bytes) {
            Ok(Some((request, size))) => {
                self.bytes.drain(..size);
                self.tried = 0;
                Some(Ok(request))
            }
            Ok(None) => {
                self.tried = self.bytes.len();
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns true if parsing may have another result than at the last try.
    fn is_due(&self) -> bool {
        let length = self.bytes.len();
        length > 0 && (length >= 2 * self.tried || length >= MAX_HTTP_HEAD || self.has_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes in pieces of this size. Returns the paths of the requests, the last error, and
    /// how often bytes were parsed.
    fn read(bytes: &[u8], size: usize) -> (Vec<String>, Option<HttpRequestError>, usize) {
        let (mut reader, mut paths, mut parsed) = (HeadReader::default(), Vec::new(), 0);
        for piece in bytes.chunks(size) {
            reader.extend(piece);
            loop {
                parsed += usize::from(reader.is_due());
                match reader.next_request() {
                    Some(Ok(request)) => paths.push(request.path),
                    Some(Err(error)) => return (paths, Some(error), parsed),
                    None => break,
                }
            }
        }
        (paths, None, parsed)
    }

    /// Requests are the same in whatever pieces they come, and with either kind of line ends.
    #[test]
    fn requests_do_not_depend_on_read_boundaries() {
        let bytes = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /b HTTP/1.1\nHost: y\n\n\
            HEAD /c HTTP/1.1\nHost: z\r\n\r\nGET /d";
        for size in 1..=bytes.len() {
            let (paths, error, _) = read(bytes, size);
            assert_eq!((paths, error), (vec!["/a".into(), "/b".into(), "/c".into()], None));
        }
    }

    /// A head that comes byte by byte is not parsed for each of them, also if it never ends or
    /// consists of empty lines.
    #[test]
    fn dribbled_heads_cost_little() {
        let field = format!("Cookie: {}\r\n\r\n", "x".repeat(15_000));
        let (paths, _, parsed) = read(format!("GET / HTTP/1.1\r\n{field}").as_bytes(), 1);
        assert!(paths == ["/"] && parsed < 20, "{parsed}");
        let endless = "GET / HTTP/1.1\r\n".to_owned() + &"A: bcdefgh\r\n".repeat(2_000);
        let (_, error, parsed) = read(endless.as_bytes(), 1);
        assert!(error == Some(HttpRequestError::TooLong) && parsed < 20, "{error:?} {parsed}");
        assert_eq!(read(&b"\r\n".repeat(20_000), 2), (Vec::new(), None, 0));
    }
}
