//! HTTP on one connection, until it becomes a WebSocket or ends.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::files::{self, FoundFile};
use super::forwarded::client_address;
use super::hosts::{Authority, is_allowed_origin};
use super::invitation::{self, INVITATION_PATH, INVITATION_TYPE};
use super::response::{Head, switching_protocols};
use super::{BrowserUrls, WEBSOCKET_PATH};
use crate::server::ServerSettings;
use crate::wire::{
    HttpMethod, HttpRequest, HttpRequestError, MAX_HTTP_HEAD, WEBSOCKET_PROTOCOL, WebSocketRequest,
};

/// Maximum time from the first wait for a request to the end of its head. So it is also the time
/// for which a connection without a request is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time to send a response. The largest files take less, over a slow mobile network too.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum time of a conversation in all. Browsers open another connection when they need it.
const CONVERSATION_TIMEOUT: Duration = Duration::from_secs(120);

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

/// What all conversations share.
#[derive(Clone)]
pub(super) struct Site {
    /// Settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// Semaphore that limits how many files are read at the same time, each in a thread.
    pub(super) reads: Arc<Semaphore>,
    /// Name of this machine.
    pub(super) machine: Arc<str>,
    /// Source of the URLs of the page.
    pub(super) urls: Arc<BrowserUrls>,
}

/// Conversation on one connection.
pub(super) struct Conversation {
    /// Socket.
    stream: TcpStream,
    /// Address that the connection has come from.
    peer: IpAddr,
    /// What all conversations share.
    site: Site,
    /// Received bytes that are not parsed.
    received: Vec<u8>,
}

/// Answer to a request.
enum Answer {
    /// Head, and text of the body.
    Text(Head, String),
    /// Head, and a file as the body.
    File(Head, File),
    /// The connection becomes a WebSocket, with this key.
    WebSocket(String),
}

impl Conversation {
    /// Creates the conversation on a connection from `peer` that has received nothing.
    pub(super) fn new(stream: TcpStream, peer: IpAddr, site: Site) -> Self {
        Self { stream, peer, site, received: Vec::new() }
    }

    /// Answers requests until the connection becomes a WebSocket: then returns its socket and the
    /// address of the client. `None` if the connection has ended, which is also the answer to bytes
    /// that come or go too slowly.
    pub(super) async fn run(self) -> Option<(TcpStream, IpAddr)> {
        timeout(CONVERSATION_TIMEOUT, self.answer_requests()).await.ok()?
    }

    /// Does the work of [`Self::run`], without its deadline.
    async fn answer_requests(mut self) -> Option<(TcpStream, IpAddr)> {
        for number in 1..=MAX_REQUESTS {
            let read = timeout(HEAD_TIMEOUT, self.read_request()).await.ok()?.ok()??;
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
                timeout(RESPONSE_TIMEOUT, write).await.ok()?.ok()?;
                let trusted = &self.site.settings.borrow().trusted_proxies;
                let client = client_address(self.peer, &request.forwarded_for, trusted);
                return Some((self.stream, client));
            }
            let sent = self.send(answer, is_head, keeps_alive);
            timeout(RESPONSE_TIMEOUT, sent).await.ok()?.ok()?;
            if !keeps_alive {
                break;
            }
        }
        // Bytes that are not read would destroy what was sent.
        let _ = self.stream.shutdown().await;
        let _ = timeout(Duration::from_secs(1), self.discard()).await;
        None
    }

    /// Reads until the client closes the connection, at most the length of a head.
    ///
    /// # Errors
    /// Those of the socket.
    async fn discard(&mut self) -> io::Result<()> {
        let mut count = 0;
        self.received = Vec::new();
        while count < MAX_HTTP_HEAD && self.read_more().await? {
            count += std::mem::take(&mut self.received).len();
        }
        Ok(())
    }

    /// Reads the head of the next request; `None` if the client has closed the connection.
    ///
    /// # Errors
    /// Those of the socket. An invalid head is a value.
    async fn read_request(&mut self) -> io::Result<Option<Result<HttpRequest, HttpRequestError>>> {
        loop {
            match HttpRequest::parse(&self.received) {
                Ok(Some((request, size))) => {
                    self.received.drain(..size);
                    return Ok(Some(Ok(request)));
                }
                Ok(None) => {}
                Err(error) => return Ok(Some(Err(error))),
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
        match self.in_thread(make).await {
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
        match self.in_thread(find).await {
            Ok(Some(found)) => file_answer(request, host, found),
            Ok(None) if request.path == "/" => text("404 Not Found", NO_PAGE, Some(host)),
            Ok(None) => text("404 Not Found", "There is no such page.\n", Some(host)),
            Err(error) => {
                tracing::warn!("cannot read the file for {}: {error}", request.path);
                text("500 Internal Server Error", "The file cannot be read.\n", Some(host))
            }
        }
    }

    /// Runs something that blocks in a thread, when a permit for it is free.
    ///
    /// # Errors
    /// Those of `work`, or it has panicked.
    async fn in_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        // The semaphore is never closed.
        let permit: Option<OwnedSemaphorePermit> =
            self.site.reads.clone().acquire_owned().await.ok();
        let done = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(io::Error::other)?
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
            Answer::File(head, mut file) => {
                self.stream.write_all(head.encode(keeps_alive).as_bytes()).await?;
                if is_head {
                    return Ok(());
                }
                loop {
                    let (piece, rest) = self.in_thread(move || read_piece(file)).await?;
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

/// Reads once from a socket and appends the bytes. It is not `async`: otherwise the buffer would be
/// a part of the task.
///
/// # Errors
/// Those of the socket.
fn read_once(stream: &TcpStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; READ_SIZE];
    let count = stream.try_read(&mut buffer)?;
    received.extend_from_slice(buffer.get(..count).unwrap_or_default());
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

/// Returns the answer with a file, or that the browser's copy is still right.
fn file_answer(request: &HttpRequest, host: &Authority, found: FoundFile) -> Answer {
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
    if is_unchanged { Answer::Text(head, String::new()) } else { Answer::File(head, found.file) }
}
