//! HTTP on one connection, until it becomes a WebSocket or ends.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::file_reads::FileReads;
use super::files::{self, FoundFile};
use super::forwarded::client_address;
use super::head_reader::HeadReader;
use super::hosts::{Authority, is_allowed_origin};
use super::invitation::{self, INVITATION_PATH, INVITATION_TYPE};
use super::response::{Head, switching_protocols};
use super::{BrowserUrls, WEBSOCKET_PATH};
use crate::model::AddressGroup;
use crate::server::ServerSettings;
use crate::wire::{
    HttpMethod, HttpRequest, HttpRequestError, MAX_HTTP_HEAD, WEBSOCKET_PROTOCOL, WebSocketRequest,
};

/// Maximum number of requests on a connection.
const MAX_REQUESTS: u32 = 100;

/// Number of bytes read from a socket at a time.
const READ_SIZE: usize = 2_048;

/// Number of bytes of a file that are read and sent at a time.
const FILE_PIECE: u64 = 32 << 10;

/// What a user reads instead of the page where its files are missing.
const NO_PAGE: &str = "This is a pi-chat server, but the files of its page for browsers are not \
     installed (web-root). Programs can connect to the WebSocket at /chat.\n";

/// What a user reads in place of a QR code that would lead nowhere.
const NO_INVITATION: &str = "No address is known that leads others here.\n";

/// Limits of the time that a conversation may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimits {
    /// Time from the first wait for a request to the end of its head. So it is also the time for
    /// which a connection without a request is kept.
    head: Duration,
    /// Time to send a response. The largest files take less, over a slow mobile network too.
    response: Duration,
    /// Time of a conversation in all. Browsers open another connection when they need it.
    conversation: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            response: Duration::from_secs(60),
            conversation: Duration::from_secs(120),
        }
    }
}

/// What all conversations share.
#[derive(Clone)]
pub(super) struct Site {
    /// Settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// Limits how many files are read at the same time, each in a thread.
    pub(super) reads: FileReads,
    /// Name of this machine.
    pub(super) machine: Arc<str>,
    /// Source of the URLs of the page.
    pub(super) urls: Arc<BrowserUrls>,
    /// Limits of the time that a conversation may take.
    pub(super) limits: TimeLimits,
}

/// Conversation on one connection.
pub(super) struct Conversation {
    /// Socket.
    stream: TcpStream,
    /// Address that the connection has come from.
    peer: IpAddr,
    /// What all conversations share.
    site: Site,
    /// Received bytes that belong to no request yet.
    received: HeadReader,
}

/// Answer to a request.
enum Answer {
    /// Head, and text of the body.
    Text(Head, String),
    /// Head, and a file as the body, which is read for this address group.
    File(Head, File, AddressGroup),
    /// The connection becomes a WebSocket, with this key.
    WebSocket(String),
}

impl Conversation {
    /// Creates the conversation on a connection from `peer` that has received nothing.
    pub(super) fn new(stream: TcpStream, peer: IpAddr, site: Site) -> Self {
        Self { stream, peer, site, received: HeadReader::default() }
    }

    /// Answers requests until the connection becomes a WebSocket: then returns its socket and the
    /// address of the client. `None` if the connection has ended, which is also the answer to bytes
    /// that come or go too slowly.
    pub(super) async fn run(self) -> Option<(TcpStream, IpAddr)> {
        timeout(self.site.limits.conversation, self.answer_requests()).await.ok()?
    }

    /// Does the work of [`Self::run`], without its deadline.
    async fn answer_requests(mut self) -> Option<(TcpStream, IpAddr)> {
        let limits = self.site.limits;
        for number in 1..=MAX_REQUESTS {
            let read = timeout(limits.head, self.read_request()).await.ok()?.ok()??;
            let (answer, is_head, keeps_alive) = match &read {
                Ok(request) => {
                    let keeps_alive = request.keeps_alive && !request.has_body;
                    let is_head = request.method == HttpMethod::Head;
                    (self.answer(request).await, is_head, keeps_alive && number < MAX_REQUESTS)
                }
                Err(error) => (refuse_head(*error), false, false),
            };
            if let (Answer::WebSocket(key), Ok(request)) = (&answer, &read) {
                let response = switching_protocols(key);
                let write = self.stream.write_all(response.as_bytes());
                timeout(limits.response, write).await.ok()?.ok()?;
                let client = self.client(request);
                return Some((self.stream, client));
            }
            let sent = self.send(answer, is_head, keeps_alive);
            timeout(limits.response, sent).await.ok()?.ok()?;
            if !keeps_alive {
                break;
            }
        }
        // Bytes that are not read would destroy what was sent.
        let _ = self.stream.shutdown().await;
        let _ = timeout(Duration::from_secs(1), self.discard()).await;
        None
    }

    /// Reads until the client closes the connection, at most as often as for the longest head.
    ///
    /// # Errors
    /// Those of the socket.
    async fn discard(&mut self) -> io::Result<()> {
        self.received.clear();
        for _ in 0..MAX_HTTP_HEAD / READ_SIZE {
            if !self.read_more().await? {
                break;
            }
            self.received.clear();
        }
        Ok(())
    }

    /// Reads the head of the next request; `None` if the client has closed the connection.
    ///
    /// # Errors
    /// Those of the socket. An invalid head is a value.
    async fn read_request(&mut self) -> io::Result<Option<Result<HttpRequest, HttpRequestError>>> {
        loop {
            if let Some(request) = self.received.next_request() {
                return Ok(Some(request));
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads further bytes; returns false if the client has closed its sending half.
    ///
    /// # Errors
    /// Those of the socket.
    async fn read_more(&mut self) -> io::Result<bool> {
        loop {
            self.stream.readable().await?;
            match read_once(&self.stream, &mut self.received) {
                Ok(count) => return Ok(count > 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the address of the client that has sent a request, which a proxy may have passed on.
    fn client(&self, request: &HttpRequest) -> IpAddr {
        let trusted = &self.site.settings.borrow().trusted_proxies;
        client_address(self.peer, &request.forwarded_for, trusted)
    }

    /// Returns the answer to a request.
    async fn answer(&self, request: &HttpRequest) -> Answer {
        let host = request.host.as_deref().and_then(Authority::parse);
        let Some(host) = host else {
            return text("400 Bad Request", "The request names no host.\n", None);
        };
        let is_own = {
            let settings = self.site.settings.borrow();
            host.is_own(&self.site.machine, &settings.web.hosts)
        };
        if !is_own {
            let told = "This server does not know the host that your browser has asked for. \
                 Use its address, or add the host to web-hosts.\n";
            return text("421 Misdirected Request", told, None);
        }
        if request.has_body {
            return text("413 Content Too Large", "No request has a body here.\n", Some(&host));
        }
        if request.method == HttpMethod::Other {
            let told = "Only GET and HEAD are understood.\n";
            return with_field(
                text("405 Method Not Allowed", told, Some(&host)),
                "Allow",
                "GET, HEAD",
            );
        }
        match request.path.as_str() {
            WEBSOCKET_PATH => {}
            INVITATION_PATH => return self.answer_invitation(request, host).await,
            _ => return self.answer_file(request, &host).await,
        }
        match &request.websocket {
            Some(websocket) if request.method == HttpMethod::Get => {
                self.answer_websocket(request, websocket, &host)
            }
            _ => {
                let told = "This is the place of a WebSocket.\n";
                let answer = text("426 Upgrade Required", told, Some(&host));
                let answer = with_field(answer, "Upgrade", "websocket");
                with_field(answer, "Connection", "Upgrade")
            }
        }
    }

    /// Returns the answer to a request for a WebSocket.
    fn answer_websocket(
        &self,
        request: &HttpRequest,
        websocket: &WebSocketRequest,
        host: &Authority,
    ) -> Answer {
        let is_allowed = request.origin.as_deref().is_none_or(|origin| {
            is_allowed_origin(origin, host, &self.site.settings.borrow().web.origins)
        });
        if !is_allowed {
            let told = "Pages from elsewhere may not talk to this server (web-origins).\n";
            return text("403 Forbidden", told, Some(host));
        }
        if !websocket.is_version_13 {
            let answer = text("426 Upgrade Required", "WebSocket version 13 only.\n", Some(host));
            return with_field(answer, "Sec-WebSocket-Version", "13");
        }
        if !websocket.offers_protocol {
            let told = format!("The subprotocol is {WEBSOCKET_PROTOCOL}.\n");
            return text("400 Bad Request", &told, Some(host));
        }
        match &websocket.key {
            // Nothing may be sent before the answer.
            Some(key) if self.received.is_empty() => Answer::WebSocket(key.clone()),
            _ => text("400 Bad Request", "The handshake of the WebSocket is wrong.\n", Some(host)),
        }
    }

    /// Returns the answer to a request for the QR code that leads others here.
    async fn answer_invitation(&self, request: &HttpRequest, host: Authority) -> Answer {
        let is_https = request.is_forwarded_https && {
            let settings = self.site.settings.borrow();
            settings.trusted_proxies.iter().any(|it| it.contains(self.peer))
        };
        let (urls, asked) = (self.site.urls.clone(), host.clone());
        // Listing the addresses of the machine may block for a moment.
        let make = move || Ok(invitation::svg(&asked, is_https, || urls.now()));
        let group = AddressGroup::of(self.client(request));
        match self.site.reads.run(group, make).await {
            Ok(Some(svg)) => {
                let head = Head::new("200 OK", INVITATION_TYPE, svg.len() as u64, Some(&host));
                Answer::Text(head.with("Cache-Control", "no-store"), svg)
            }
            _ => text("404 Not Found", NO_INVITATION, Some(&host)),
        }
    }

    /// Returns the answer to a request for a file.
    async fn answer_file(&self, request: &HttpRequest, host: &Authority) -> Answer {
        let root = self.site.settings.borrow().web.root.clone();
        let (path, accepts_gzip) = (request.path.clone(), request.accepts_gzip);
        let find = move || files::find(&root, &path, accepts_gzip);
        let group = AddressGroup::of(self.client(request));
        match self.site.reads.run(group, find).await {
            Ok(Some(found)) => file_answer(request, host, found, group),
            Ok(None) if request.path == "/" => text("404 Not Found", NO_PAGE, Some(host)),
            Ok(None) => text("404 Not Found", "There is no such page.\n", Some(host)),
            Err(error) => {
                tracing::warn!("cannot read the file for {}: {error}", request.path);
                text("500 Internal Server Error", "The file cannot be read.\n", Some(host))
            }
        }
    }

    /// Sends an answer; only its head if `is_head`.
    ///
    /// # Errors
    /// Those of the socket, or the file has become shorter.
    async fn send(&mut self, answer: Answer, is_head: bool, keeps_alive: bool) -> io::Result<()> {
        match answer {
            Answer::Text(head, body) => {
                let body = if is_head { String::new() } else { body };
                let bytes = head.encode(keeps_alive) + &body;
                self.stream.write_all(bytes.as_bytes()).await
            }
            Answer::File(head, mut file, group) => {
                self.stream.write_all(head.encode(keeps_alive).as_bytes()).await?;
                if is_head {
                    return Ok(());
                }
                loop {
                    let read = move || read_piece(file);
                    let (piece, rest) = self.site.reads.run(group, read).await?;
                    if piece.is_empty() {
                        return Ok(());
                    }
                    self.stream.write_all(&piece).await?;
                    file = rest;
                }
            }
            Answer::WebSocket(_) => Ok(()),
        }
    }
}

/// Reads once from a socket and adds the bytes. It is not `async`: otherwise the buffer would be
/// a part of the task.
///
/// # Errors
/// Those of the socket.
fn read_once(stream: &TcpStream, received: &mut HeadReader) -> io::Result<usize> {
    let mut buffer = [0; READ_SIZE];
    let count = stream.try_read(&mut buffer)?;
    received.extend(buffer.get(..count).unwrap_or_default());
    Ok(count)
}

/// Reads the next piece of a file; an empty one at its end. Returns the file, too.
///
/// # Errors
/// It cannot be read.
fn read_piece(file: File) -> io::Result<(Vec<u8>, File)> {
    let mut piece = Vec::new();
    (&file).take(FILE_PIECE).read_to_end(&mut piece)?;
    Ok((piece, file))
}

/// Returns an answer of plain text. `host`: where the request was sent, if it is this server.
fn text(status: &'static str, told: &str, host: Option<&Authority>) -> Answer {
    let head = Head::new(status, "text/plain; charset=utf-8", told.len() as u64, host);
    Answer::Text(head.with("Cache-Control", "no-store"), told.to_owned())
}

/// Adds a field to the head of an answer of text.
fn with_field(answer: Answer, name: &str, value: &str) -> Answer {
    match answer {
        Answer::Text(head, body) => Answer::Text(head.with(name, value), body),
        other => other,
    }
}

/// Returns the answer to bytes that are no valid head.
fn refuse_head(error: HttpRequestError) -> Answer {
    let status = match error {
        HttpRequestError::TooLong => "431 Request Header Fields Too Large",
        HttpRequestError::Malformed => "400 Bad Request",
    };
    text(status, &format!("This server does not understand: {error}.\n"), None)
}

/// Returns the answer with a file, or that the browser's copy is still right. `group`: that of the
/// client.
fn file_answer(
    request: &HttpRequest,
    host: &Authority,
    found: FoundFile,
    group: AddressGroup,
) -> Answer {
    let is_known = |tag: &str| {
        let known = request.if_none_match.as_deref().unwrap_or_default();
        known.split(',').map(|it| it.trim().trim_start_matches("W/")).any(|it| it == tag)
    };
    let is_unchanged = found.etag.as_deref().is_some_and(is_known);
    let status = if is_unchanged { "304 Not Modified" } else { "200 OK" };
    // The length is that of the file, although no body follows a 304.
    let mut head = Head::new(status, found.media_type, found.length, Some(host));
    head = match &found.etag {
        Some(tag) => head.with("Cache-Control", "no-cache").with("ETag", tag),
        None => head.with("Cache-Control", "public, max-age=31536000, immutable"),
    };
    head = head.with("Vary", "Accept-Encoding");
    if found.is_gzip {
        head = head.with("Content-Encoding", "gzip");
    }
    match is_unchanged {
        true => Answer::Text(head, String::new()),
        false => Answer::File(head, found.file, group),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Moment;
    use crate::os::Clock;

    /// Size of the file that clients request, in bytes: more than sockets hold.
    const LARGE_FILE: usize = 8 << 20;

    /// Maximum time that a test waits for the end of a conversation.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Limits of which each is longer than [`PATIENCE`].
    const LONG: TimeLimits = {
        let long = Duration::from_secs(600);
        TimeLimits { head: long, response: long, conversation: long }
    };

    /// Runs a conversation with a client, which sends `head` and reads nothing. Returns true if the conversation ends without a WebSocket.
    async fn ends_with_silent_reader(limits: TimeLimits, head: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("large.bin"), vec![0; LARGE_FILE]).unwrap();
        let mut settings = ServerSettings::default();
        settings.web.root = root.path().to_owned();
        let (_sender, settings) = watch::channel(settings);
        let none = watch::channel(Vec::new()).1;
        let urls = BrowserUrls { listening: none.clone(), web: none, settings: settings.clone() };
        let site = Site {
            settings,
            reads: FileReads::default(),
            machine: "pi".into(),
            urls: urls.into(),
            limits,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        let conversation = Conversation::new(stream, address.ip(), site);
        timeout(PATIENCE, conversation.run()).await.is_ok_and(|it| it.is_none())
    }

    /// Heads that do not come, answers that are not read and conversations without an end are cut
    /// off, each by its own limit.
    #[tokio::test]
    async fn each_time_limit_cuts_off() {
        let request = "GET /large.bin HTTP/1.1\r\nHost: pi\r\n\r\n";
        let short = Duration::from_millis(50);
        for (limits, head) in [
            (TimeLimits { head: short, ..LONG }, ""),
            (TimeLimits { head: short, ..LONG }, "GET / HTTP/1.1\r\nHost: p"),
            (TimeLimits { response: short, ..LONG }, request),
            (TimeLimits { conversation: short, ..LONG }, ""),
            (TimeLimits { conversation: short, ..LONG }, request),
        ] {
            let clock = Clock::start();
            assert!(ends_with_silent_reader(limits, head).await);
            let is_due = clock.now() >= Moment::after_start(short);
            assert!(is_due, "it ended for another reason: {limits:?} {head}");
        }
    }
}
