//! HTTP on one connection, until it becomes a WebSocket or ends.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::timeout;

use super::head_reader::HeadReader;
use super::response::switching_protocols;
use super::site::{Answer, Site, refuse_head};
use crate::server::connection::Transport;
use crate::wire::{HttpMethod, HttpRequest, HttpRequestError};

/// Maximum number of requests on a connection.
const MAX_REQUESTS: u32 = 100;

/// Number of bytes read from a socket at a time.
const READ_SIZE: usize = 2_048;

/// Number of bytes of a file that are read and sent at a time.
const FILE_PIECE: u64 = 32 << 10;

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

/// Where a connection has come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// Address: the client's, or that of a proxy.
    pub(super) peer: IpAddr,
    /// True if the connection is encrypted.
    pub(super) is_https: bool,
}

/// What a conversation has become: a WebSocket.
pub(super) struct Upgraded<T> {
    /// Socket, of TCP or TLS.
    pub(super) stream: T,
    /// Address of the client.
    pub(super) client: IpAddr,
    /// Origin of the page that has asked for it; `None` if none was named.
    pub(super) page: Option<String>,
}

/// Conversation on one connection.
pub(super) struct Conversation<T> {
    /// Socket, of TCP or TLS.
    stream: T,
    /// Where the connection has come from.
    source: Source,
    /// What the server answers.
    site: Site,
    /// Limits of its time.
    limits: TimeLimits,
    /// Received bytes that belong to no request yet.
    received: HeadReader,
}

impl<T: Transport> Conversation<T> {
    /// Creates the conversation on a connection that has received nothing.
    pub(super) fn new(stream: T, source: Source, site: Site, limits: TimeLimits) -> Self {
        Self { stream, source, site, limits, received: HeadReader::default() }
    }

    /// Answers requests until the connection becomes a WebSocket: then returns it. `None` if the
    /// connection has ended, which is also the answer to bytes that come or go too slowly.
    pub(super) async fn run(self) -> Option<Upgraded<T>> {
        timeout(self.limits.conversation, self.answer_requests()).await.ok()?
    }

    /// Does the work of [`Self::run`], without its deadline.
    async fn answer_requests(mut self) -> Option<Upgraded<T>> {
        let limits = self.limits;
        for number in 1..=MAX_REQUESTS {
            let read = timeout(limits.head, self.read_request()).await.ok()?.ok()??;
            let (answer, is_head, keeps_alive) = match &read {
                Ok(request) => {
                    let keeps_alive = request.keeps_alive && !request.has_body;
                    let is_head = request.method == HttpMethod::Head;
                    let is_alone = self.received.is_empty();
                    let answer = self.site.answer(request, self.source, is_alone).await;
                    (answer, is_head, keeps_alive && number < MAX_REQUESTS)
                }
                Err(error) => (refuse_head(*error), false, false),
            };
            if let (Answer::WebSocket(key), Ok(request)) = (&answer, &read) {
                let response = switching_protocols(key);
                let write = self.write_all(response.as_bytes());
                timeout(limits.response, write).await.ok()?.ok()?;
                let client = self.site.client(self.source.peer, request);
                let page = request.origin.clone();
                return Some(Upgraded { stream: self.stream, client, page });
            }
            let sent = self.send(answer, is_head, keeps_alive);
            timeout(limits.response, sent).await.ok()?.ok()?;
            if !keeps_alive {
                break;
            }
        }
        // Frees the memory.
        drop(self.received);
        self.stream.close(None).await;
        None
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
            self.stream.ready(Interest::READABLE).await?;
            match read_once(&mut self.stream, &mut self.received) {
                Ok(count) => return Ok(count > 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of these bytes.
    ///
    /// # Errors
    /// Those of the socket.
    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(&[IoSlice::new(bytes)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.ready(Interest::WRITABLE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
                self.write_all(bytes.as_bytes()).await
            }
            Answer::File(head, mut file, group) => {
                self.write_all(head.encode(keeps_alive).as_bytes()).await?;
                if is_head {
                    return Ok(());
                }
                loop {
                    let read = move || read_piece(file);
                    let (piece, rest) = self.site.reads.run(group, read).await?;
                    if piece.is_empty() {
                        return Ok(());
                    }
                    self.write_all(&piece).await?;
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
fn read_once(stream: &mut impl Transport, received: &mut HeadReader) -> io::Result<usize> {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;

    use super::super::FileReads;
    use super::*;
    use crate::model::Moment;
    use crate::os::Clock;
    use crate::server::ServerSettings;
    use crate::server::public_urls::PublicUrls;

    /// Size of the file that clients request, in bytes: more than sockets hold.
    const LARGE_FILE: usize = 8 << 20;

    /// Maximum time that a test waits for the end of a conversation.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Limits of which each is longer than [`PATIENCE`].
    const LONG: TimeLimits = {
        let long = Duration::from_secs(600);
        TimeLimits { head: long, response: long, conversation: long }
    };

    /// Runs a conversation with a client, which sends `head` and reads nothing. Returns true if the
    /// conversation ends without a WebSocket.
    async fn ends_with_silent_reader(limits: TimeLimits, head: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("large.bin"), vec![0; LARGE_FILE]).unwrap();
        let mut settings = ServerSettings::default();
        settings.web.root = root.path().to_owned();
        let (_sender, settings) = watch::channel(settings);
        let none = watch::channel(Vec::new()).1;
        let urls = PublicUrls {
            listening: none.clone(),
            tls: none.clone(),
            web: none.clone(),
            web_tls: none,
            settings: settings.clone(),
        };
        let site = Site {
            settings,
            reads: FileReads::default(),
            machine: "pi".into(),
            urls: urls.into(),
            metrics: None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        let source = Source { peer: address.ip(), is_https: false };
        let conversation = Conversation::new(stream, source, site, limits);
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
