//! Head of an HTTP/1.1 request: what the server needs to know of it.

use httparse::{EMPTY_HEADER, Header, Request, Status};
use thiserror::Error;

/// Maximum length of a request's head, in bytes. Browsers send the cookies of all services of a
/// host, whatever their ports, so it is generous.
pub const MAX_HTTP_HEAD: usize = 16_384;

/// Maximum number of header fields of a request.
const MAX_FIELDS: usize = 64;

/// Maximum length of a path, of a host or of an origin, in bytes.
const MAX_NAME: usize = 512;

/// Length of a valid `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LEN: usize = 24;

/// Subprotocol that a WebSocket client must offer.
pub const WEBSOCKET_PROTOCOL: &str = "pi-chat";

/// Error of bytes that are not the head of a request that this server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HttpRequestError {
    /// The head is longer than [`MAX_HTTP_HEAD`], or has too many fields.
    #[error("the head of the request is too long")]
    TooLong,
    /// The bytes are no request of HTTP/1.0 or 1.1, or a field makes no sense.
    #[error("this is not an HTTP request")]
    Malformed,
}

/// Method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// Any other method.
    Other,
}

/// What a request says about a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketRequest {
    /// `Sec-WebSocket-Key`; `None` if it is missing or not valid.
    pub key: Option<String>,
    /// True if the version is 13, the only one.
    pub is_version_13: bool,
    /// True if the client offers [`WEBSOCKET_PROTOCOL`].
    pub offers_protocol: bool,
}

/// Head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method.
    pub method: HttpMethod,
    /// Path, without the query; it begins with `/`.
    pub path: String,
    /// Host and perhaps port that the request is for: those of the target if it is a whole URL, else
    /// `Host`, as sent; `None` if it is missing.
    pub host: Option<String>,
    /// `Origin`, as sent; `None` if it is missing. Every browser sends it with a WebSocket.
    pub origin: Option<String>,
    /// All values of `X-Forwarded-For`, in order.
    pub forwarded_for: Vec<String>,
    /// True if the nearest proxy says that the client has used https (`X-Forwarded-Proto`).
    pub is_forwarded_https: bool,
    /// True if the client accepts an answer that is compressed with gzip.
    pub accepts_gzip: bool,
    /// `If-None-Match`; `None` if it is missing.
    pub if_none_match: Option<String>,
    /// True if a body follows.
    pub has_body: bool,
    /// True if the client may send another request on this connection.
    pub keeps_alive: bool,
    /// What it says about a WebSocket; `None` if it asks for none.
    pub websocket: Option<WebSocketRequest>,
}

impl HttpRequest {
    /// Parses the head at the beginning of `bytes`. Returns it with its length; `None` if it is
    /// incomplete.
    ///
    /// # Errors
    /// [`HttpRequestError`] if more bytes cannot make it valid.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HttpRequestError> {
        let mut fields = [EMPTY_HEADER; MAX_FIELDS];
        let mut request = Request::new(&mut fields);
        let size = match request.parse(bytes) {
            Ok(Status::Complete(size)) if size <= MAX_HTTP_HEAD => size,
            Ok(Status::Partial) if bytes.len() < MAX_HTTP_HEAD => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(HttpRequestError::TooLong),
            Err(_) => return Err(HttpRequestError::Malformed),
        };
        let fields = Fields(request.headers);
        let method = match request.method {
            Some("GET") => HttpMethod::Get,
            Some("HEAD") => HttpMethod::Head,
            _ => HttpMethod::Other,
        };
        let (authority, target) = split_target(request.path.unwrap_or_default());
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let authority_len = authority.map_or(0, str::len);
        if !path.starts_with('/') || path.len().max(authority_len) > MAX_NAME {
            return Err(HttpRequestError::Malformed);
        }
        let host = fields.single("host")?;
        let is_1_1 = request.version == Some(1);
        let keeps_alive = is_1_1 && !fields.has_token("connection", "close");
        let length = fields.single("content-length")?;
        let has_body = length.is_some_and(|it| it.trim() != "0")
            || fields.values("transfer-encoding").next().is_some();
        let head = Self {
            method,
            path: path.to_owned(),
            host: authority.map(str::to_owned).or(host),
            origin: fields.single("origin")?,
            forwarded_for: fields.values("x-forwarded-for").map(str::to_owned).collect(),
            is_forwarded_https: fields
                .items("x-forwarded-proto")
                .last()
                .is_some_and(|it| it.eq_ignore_ascii_case("https")),
            accepts_gzip: fields.accepts_gzip(),
            if_none_match: fields.values("if-none-match").next().map(str::to_owned),
            has_body,
            keeps_alive,
            websocket: fields.websocket().filter(|_| is_1_1),
        };
        Ok(Some((head, size)))
    }
}

/// Splits the target of a request into host with port, which only a whole URL has, and the rest.
/// Proxies send whole URLs, and a server must understand them (RFC 9112, section 3.2.2).
fn split_target(target: &str) -> (Option<&str>, &str) {
    let schemes = ["http://", "https://"];
    let is_scheme =
        |it: &&str| target.get(..it.len()).is_some_and(|start| start.eq_ignore_ascii_case(it));
    let Some(scheme) = schemes.into_iter().find(is_scheme) else { return (None, target) };
    let rest = target.get(scheme.len()..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    (Some(authority), if path.is_empty() { "/" } else { path })
}

/// Header fields of a request.
struct Fields<'a>(&'a [Header<'a>]);

impl<'a> Fields<'a> {
    /// Returns the values of a field, in order. Values that are not UTF-8 are left out.
    fn values(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().filter(move |it| it.name.eq_ignore_ascii_case(name));
        fields.filter_map(|it| std::str::from_utf8(it.value).ok())
    }

    /// Returns the items of a field that is a list with commas, without blanks around them.
    fn items(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(|it| it.split(',')).map(str::trim)
    }

    /// Returns true if an item of a field is this token, in either case.
    fn has_token(&self, name: &'a str, token: &str) -> bool {
        self.items(name).any(|it| it.eq_ignore_ascii_case(token))
    }

    /// Returns the value of a field that may occur once.
    ///
    /// # Errors
    /// The field occurs twice, is too long, or has other characters than visible ASCII.
    fn single(&self, name: &'a str) -> Result<Option<String>, HttpRequestError> {
        let mut all = self.0.iter().filter(|it| it.name.eq_ignore_ascii_case(name));
        let Some(first) = all.next() else { return Ok(None) };
        let is_good = all.next().is_none()
            && first.value.len() <= MAX_NAME
            && first.value.iter().all(u8::is_ascii_graphic);
        let value = std::str::from_utf8(first.value).ok().filter(|_| is_good);
        value.map(|it| Some(it.to_owned())).ok_or(HttpRequestError::Malformed)
    }

    /// Returns true if the client accepts gzip: it names it, and not with a weight of 0.
    fn accepts_gzip(&self) -> bool {
        self.items("accept-encoding").any(|item| {
            let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().trim_start_matches("q=").trim();
            coding.trim().eq_ignore_ascii_case("gzip")
                && (weight.is_empty() || weight.parse::<f32>().is_ok_and(|it| it > 0.0))
        })
    }

    /// Returns what the request says about a WebSocket; `None` if it asks for none.
    fn websocket(&self) -> Option<WebSocketRequest> {
        let asks =
            self.has_token("connection", "upgrade") && self.has_token("upgrade", "websocket");
        let is_key = |it: &&str| {
            it.len() == KEY_LEN
                && it.ends_with("==")
                && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=".contains(&c))
        };
        asks.then(|| WebSocketRequest {
            key: self.values("sec-websocket-key").next().filter(is_key).map(str::to_owned),
            is_version_13: self.values("sec-websocket-version").eq(["13"]),
            offers_protocol: self
                .items("sec-websocket-protocol")
                .any(|it| it == WEBSOCKET_PROTOCOL),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head of the request that a browser sends for a WebSocket, shortened.
    const BROWSER: &str = "GET /chat HTTP/1.1\r\nHost: pi.local:2480\r\n\
        Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nOrigin: http://pi.local:2480\r\n\
        Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: other, pi-chat\r\n\r\n";

    /// Parses a head that must be complete.
    fn parse(text: &str) -> Result<HttpRequest, HttpRequestError> {
        HttpRequest::parse(text.as_bytes()).map(|it| it.unwrap().0)
    }

    /// Returns a request with these further fields.
    fn with_fields(fields: &str) -> Result<HttpRequest, HttpRequestError> {
        parse(&format!("GET /a?b HTTP/1.1\r\n{fields}\r\n\r\n"))
    }

    #[test]
    fn request_of_a_browser_is_read() {
        let head = parse(BROWSER).unwrap();
        assert_eq!((head.path.as_str(), head.host.as_deref()), ("/chat", Some("pi.local:2480")));
        assert_eq!(head.origin.as_deref(), Some("http://pi.local:2480"));
        assert!(head.keeps_alive && head.accepts_gzip && !head.has_body);
        let websocket = head.websocket.unwrap();
        assert_eq!(websocket.key.as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(websocket.is_version_13 && websocket.offers_protocol);
        let other = parse(&BROWSER.replace("Version: 13", "Version: 13, 8")).unwrap();
        assert!(!other.websocket.unwrap().is_version_13);
        for end in 0..BROWSER.len() {
            assert_eq!(HttpRequest::parse(&BROWSER.as_bytes()[..end]), Ok(None));
        }
    }

    #[test]
    fn fields_that_decide_about_trust_occur_once() {
        for fields in ["Host: a\r\nHost: b", "Origin: http://a\r\norigin: http://b", "Host: a b"] {
            assert_eq!(with_fields(fields), Err(HttpRequestError::Malformed), "{fields}");
        }
        let head = with_fields("X-Forwarded-For: a, b\r\nx-forwarded-for: c").unwrap();
        assert_eq!(
            (head.path.as_str(), head.forwarded_for),
            ("/a", vec!["a, b".into(), "c".into()])
        );
    }

    #[test]
    fn weights_bodies_and_versions_are_understood() {
        for (fields, gzip, body) in [
            ("Accept-Encoding: br, GZIP;q=0.5", true, false),
            ("Accept-Encoding: gzip;q=0\r\nContent-Length: 0", false, false),
            ("Content-Length: 1", false, true),
            ("Transfer-Encoding: chunked", false, true),
        ] {
            let head = with_fields(fields).unwrap();
            assert_eq!((head.accepts_gzip, head.has_body), (gzip, body), "{fields}");
        }
        assert!(!parse("GET / HTTP/1.0\r\n\r\n").unwrap().keeps_alive);
        assert!(!with_fields("Connection: Close").unwrap().keeps_alive);
    }

    #[test]
    fn host_of_a_whole_url_counts() {
        for (target, host, path) in [
            ("http://evil.example/chat?x", "evil.example", "/chat"),
            ("HTTPS://[::1]:2480", "[::1]:2480", "/"),
            ("/http://evil.example", "pi.local", "/http://evil.example"),
        ] {
            let head = parse(&format!("GET {target} HTTP/1.1\r\nHost: pi.local\r\n\r\n")).unwrap();
            assert_eq!((head.host.as_deref(), head.path.as_str()), (Some(host), path));
        }
        for target in ["ftp://a/", "http://a?x", "a", "*"] {
            let head = parse(&format!("GET {target} HTTP/1.1\r\n\r\n"));
            assert_eq!(head, Err(HttpRequestError::Malformed), "{target}");
        }
    }

    #[test]
    fn long_heads_are_refused() {
        let long = format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(MAX_HTTP_HEAD));
        assert_eq!(HttpRequest::parse(long.as_bytes()), Err(HttpRequestError::TooLong));
        assert_eq!(with_fields(&"A: b\r\n".repeat(65)), Err(HttpRequestError::TooLong));
        assert_eq!(parse("\u{1}\r\n\r\n"), Err(HttpRequestError::Malformed));
    }
}
