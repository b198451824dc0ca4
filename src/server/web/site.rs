//! What the server answers to the requests of browsers.

use std::fs::File;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::WEBSOCKET_PATH;
use super::conversation::Source;
use super::file_reads::FileReads;
use super::files::{self, FoundFile};
use super::forwarded::client_address;
use super::hosts::{Authority, is_allowed_origin};
use super::invitation::{self, INVITATION_PATH, INVITATION_TYPE};
use super::response::Head;
use crate::model::AddressGroup;
use crate::server::ServerSettings;
use crate::server::metrics::{self, MetricsSource};
use crate::server::public_urls::PublicUrls;
use crate::wire::{
    HttpMethod, HttpRequest, HttpRequestError, WEBSOCKET_PROTOCOL, WebSocketRequest,
};

/// What a user reads instead of the page where its files are missing.
const NO_PAGE: &str = "This is a pi-chat server, but the files of its page for browsers are not \
     installed (web-root). Programs can connect to the WebSocket at /chat.\n";

/// What a user reads in place of a QR code that would lead nowhere.
const NO_INVITATION: &str = "This server knows no address that others could use.\n";

/// What the server offers to browsers: what all conversations share.
#[derive(Clone)]
pub(super) struct Site {
    /// Settings in force.
    pub(super) settings: watch::Receiver<ServerSettings>,
    /// Limits how many files are read at the same time, each in a thread.
    pub(super) reads: FileReads,
    /// Name of this machine.
    pub(super) machine: Arc<str>,
    /// Source of the URLs of the page.
    pub(super) urls: Arc<PublicUrls>,
    /// Source of the metrics, which are then all that is answered; `None` for browsers.
    pub(super) metrics: Option<Arc<MetricsSource>>,
}

/// Answer to a request.
pub(super) enum Answer {
    /// Head, and text of the body.
    Text(Head, String),
    /// Head, and a file as the body, which is read for this address group.
    File(Head, File, AddressGroup),
    /// The connection becomes a WebSocket, with this key.
    WebSocket(String),
}

impl Site {
    /// Returns the address of the client that has sent a request, which a proxy may have passed on.
    /// `peer`: the address that the connection has come from.
    pub(super) fn client(&self, peer: IpAddr, request: &HttpRequest) -> IpAddr {
        let trusted = &self.settings.borrow().trusted_proxies;
        client_address(peer, &request.forwarded_for, trusted)
    }

    /// Returns the answer to a request. `source`: where the connection has come from; `is_alone`: true
    /// if nothing has come behind the request.
    pub(super) async fn answer(
        &self,
        request: &HttpRequest,
        source: Source,
        is_alone: bool,
    ) -> Answer {
        let host = request.host.as_deref().and_then(Authority::parse);
        let Some(host) = host else {
            return text("400 Bad Request", "The request names no host.\n", None);
        };
        let is_own = {
            let settings = self.settings.borrow();
            host.is_own(&self.machine, &settings.web.hosts)
        };
        if !is_own {
            let told = "This server does not know the host that your browser has asked for. \
                 Use its address, or add the host to web-hosts.\n";
            return text("421 Misdirected Request", told, None);
        }
        if request.has_body {
            return text(
                "413 Content Too Large",
                "Requests must not have a body here.\n",
                Some(&host),
            );
        }
        if request.method == HttpMethod::Other {
            let told = "Only GET and HEAD are understood.\n";
            return with_field(
                text("405 Method Not Allowed", told, Some(&host)),
                "Allow",
                "GET, HEAD",
            );
        }
        if let Some(source) = &self.metrics {
            return answer_metrics(source, request, &host).await;
        }
        match request.path.as_str() {
            WEBSOCKET_PATH => {}
            INVITATION_PATH => return self.answer_invitation(request, source, host).await,
            _ => return self.answer_file(request, source.peer, &host).await,
        }
        match &request.websocket {
            Some(websocket) if request.method == HttpMethod::Get => {
                self.answer_websocket(request, websocket, &host, is_alone)
            }
            _ => {
                let told = "Only WebSockets are accepted here.\n";
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
        is_alone: bool,
    ) -> Answer {
        let is_allowed = request.origin.as_deref().is_none_or(|origin| {
            is_allowed_origin(origin, host, &self.settings.borrow().web.origins)
        });
        if !is_allowed {
            let told = "Pages of other sites may not connect to this server (web-origins).\n";
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
            Some(key) if is_alone => Answer::WebSocket(key.clone()),
            _ => text("400 Bad Request", "The handshake of the WebSocket is wrong.\n", Some(host)),
        }
    }

    /// Returns the answer to a request for the QR code that leads others here.
    async fn answer_invitation(
        &self,
        request: &HttpRequest,
        Source { peer, is_https }: Source,
        host: Authority,
    ) -> Answer {
        let is_forwarded =
            request.is_forwarded_https && self.settings.borrow().is_trusted_proxy(peer);
        let is_https = is_https || is_forwarded;
        let (urls, asked) = (self.urls.clone(), host.clone());
        // Listing the addresses of the machine may block for a moment.
        let make = move || Ok(invitation::svg(&asked, is_https, || urls.now()));
        let group = AddressGroup::of(self.client(peer, request));
        match self.reads.run(group, make).await {
            Ok(Some(svg)) => {
                let head = Head::new("200 OK", INVITATION_TYPE, svg.len() as u64, Some(&host));
                Answer::Text(head.with("Cache-Control", "no-store"), svg)
            }
            _ => text("404 Not Found", NO_INVITATION, Some(&host)),
        }
    }

    /// Returns the answer to a request for a file.
    async fn answer_file(&self, request: &HttpRequest, peer: IpAddr, host: &Authority) -> Answer {
        let root = self.settings.borrow().web.root.clone();
        let (path, accepts_gzip) = (request.path.clone(), request.accepts_gzip);
        let find = move || files::find(&root, &path, accepts_gzip);
        let group = AddressGroup::of(self.client(peer, request));
        match self.reads.run(group, find).await {
            Ok(Some(found)) => file_answer(request, host, found, group),
            Ok(None) if request.path == "/" => text("404 Not Found", NO_PAGE, Some(host)),
            Ok(None) => text("404 Not Found", "There is no such page.\n", Some(host)),
            Err(error) => {
                tracing::warn!("cannot read the file for {}: {error}", request.path);
                text("500 Internal Server Error", "The file cannot be read.\n", Some(host))
            }
        }
    }
}

/// Returns the answer to a request for the metrics of this source.
async fn answer_metrics(source: &MetricsSource, request: &HttpRequest, host: &Authority) -> Answer {
    if request.path != metrics::PATH {
        return text("404 Not Found", "The metrics are at /metrics.\n", Some(host));
    }
    // Boxed: the tasks of browsers have this future in them, too.
    match Box::pin(source.text()).await {
        Some(body) => {
            let length = body.len() as u64;
            let head = Head::new("200 OK", metrics::MEDIA_TYPE, length, Some(host));
            Answer::Text(head.with("Cache-Control", "no-store"), body)
        }
        None => {
            let told = "The server's engine does not answer.\n";
            text("503 Service Unavailable", told, Some(host))
        }
    }
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
pub(super) fn refuse_head(error: HttpRequestError) -> Answer {
    let status = match error {
        HttpRequestError::TooLong => "431 Request Header Fields Too Large",
        HttpRequestError::Malformed => "400 Bad Request",
    };
    text(status, &format!("This server does not understand the request: {error}.\n"), None)
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
