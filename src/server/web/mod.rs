//! The ways in for browsers: listeners for HTTP and https that send the files of the page and turn
//! requests for `/chat` into WebSockets. From then on, a WebSocket is a connection like any other.
//!
//! | file | part |
//! |---|---|
//! | here | ways in and settings |
//! | `conversation`, `head_reader` | requests and answers on a connection, and its time limits |
//! | `site` | what is answered to which request |
//! | `hosts`, `forwarded` | which hosts and origins are allowed, whose address counts |
//! | `response`, `files`, `file_reads` | heads of responses, files of the page |
//! | `invitation` | the QR code for others |
//! | `websocket` | the transport |

mod conversation;
mod file_reads;
mod files;
mod forwarded;
mod head_reader;
mod hosts;
mod invitation;
mod response;
mod site;
mod websocket;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use self::conversation::{Conversation, Source, TimeLimits, Upgraded};
use self::file_reads::FileReads;
pub(super) use self::files::has_page;
pub(crate) use self::hosts::is_remote;
use self::site::Site;
use self::websocket::WebSocket;
use super::acceptor::WayIn;
use super::admission::Admission;
use super::announce::machine_name;
use super::connection::Transport;
use super::listen::{self, Bound, ListenError};
use super::listen_address::ListenAddress;
use super::metrics::{self, MetricsSource};
use super::public_urls::PublicUrls;
use super::tls::Handshakes;
use super::unproven::{Place, Unproven};
use crate::identity::ChannelBinding;
use crate::model::AddressGroup;
use crate::model::limits::{DEFAULT_WEB_PORT, DEFAULT_WEB_TLS_PORT};

/// Path of the WebSocket.
const WEBSOCKET_PATH: &str = "/chat";

/// Directory in which the package installs the page.
const PACKAGED_ROOT: &str = "/usr/share/chat-server/web";

/// Settings of the way in for browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Addresses to listen on for browsers over plain HTTP. Empty: the default port on all addresses, unless it is
    /// in use. `None`: no listener.
    pub listen: Option<Vec<ListenAddress>>,
    /// Addresses to listen on for browsers over https. Empty: the default port on all addresses,
    /// unless it is in use. `None`: no listener.
    pub tls_listen: Option<Vec<ListenAddress>>,
    /// Directory with the files of the page.
    pub root: PathBuf,
    /// Names of this server beside its own one, addresses, `localhost` and local names.
    pub hosts: Vec<String>,
    /// Origins of other pages that may use the WebSocket; `*`: all.
    pub origins: Vec<String>,
}

impl Default for WebSettings {
    /// Returns the settings of `chat-server` without any options, but without a listener.
    fn default() -> Self {
        Self {
            listen: None,
            tls_listen: None,
            root: PACKAGED_ROOT.into(),
            hosts: Vec::new(),
            origins: Vec::new(),
        }
    }
}

/// Binds the listeners for browsers over plain HTTP. If no address is set and the default port is in
/// use, logs that and returns none: another server of this machine may have it.
///
/// # Errors
/// [`ListenError`] of the first set address that fails.
pub(super) fn bind_all(settings: &WebSettings) -> Result<Vec<Bound>, ListenError> {
    bind(settings.listen.as_deref(), DEFAULT_WEB_PORT)
}

/// Binds the listeners for browsers over https, as [`bind_all`] does.
///
/// # Errors
/// Those of [`bind_all`].
pub(super) fn bind_all_tls(settings: &WebSettings) -> Result<Vec<Bound>, ListenError> {
    bind(settings.tls_listen.as_deref(), DEFAULT_WEB_TLS_PORT)
}

/// Binds listeners at these addresses; at the default port on all addresses if there are none.
///
/// # Errors
/// Those of [`bind_all`].
fn bind(listen: Option<&[ListenAddress]>, default_port: u16) -> Result<Vec<Bound>, ListenError> {
    match listen {
        None => Ok(Vec::new()),
        Some([]) => {
            let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, default_port));
            match listen::bind(&address.into()) {
                Ok(bound) => Ok(vec![bound]),
                Err(error) => {
                    tracing::warn!("no way in for browsers: {error}: {}", error.source);
                    Ok(Vec::new())
                }
            }
        }
        Some(addresses) => addresses.iter().map(listen::bind).collect(),
    }
}

/// Way in for browsers over plain HTTP, or way to the metrics. Clones share the limits of what has
/// not become a WebSocket.
#[derive(Clone)]
pub(super) struct WebWayIn {
    /// Turns WebSockets into connections of the hub.
    admission: Admission,
    /// What all conversations share.
    site: Site,
    /// Places of the connections that have not become WebSockets.
    unproven: Unproven,
}

impl WebWayIn {
    /// Creates the way in. WebSockets go to `admission`. `urls`: where others find the page.
    pub(super) fn new(admission: Admission, urls: PublicUrls) -> Self {
        let site = Site {
            settings: admission.settings.clone(),
            reads: FileReads::default(),
            machine: machine_name().into(),
            urls: urls.into(),
            metrics: None,
        };
        Self { admission, site, unproven: Unproven::default() }
    }

    /// Returns a way to the metrics of this source, and to nothing else: the same code serves both,
    /// with limits of their own.
    pub(super) fn for_metrics(&self, source: MetricsSource) -> Self {
        let mut way_in = Self { unproven: metrics::places(), ..self.clone() };
        way_in.site.metrics = Some(Arc::new(source));
        way_in
    }
}

impl WayIn for WebWayIn {
    fn listening(&self) -> &'static str {
        match &self.site.metrics {
            None => "listening for browsers on",
            Some(_) => "metrics on",
        }
    }

    /// Spawns the conversation on a connection. Closes the connection if too many others have not
    /// become WebSockets, also later in favour of another address.
    async fn enter(&self, stream: TcpStream, peer: IpAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.reserve(peer) else { return };
        let way_in = self.clone();
        tokio::spawn(async move {
            let source = Source { peer, is_https: false };
            let conversing = way_in.converse(stream, source);
            let outcome = tokio::select! {
                outcome = conversing => outcome,
                () = place.lost() => None,
            };
            way_in.admit(outcome, place, permit).await;
        });
    }
}

impl WebWayIn {
    /// Reserves a place for a connection from this address ([`Unproven::reserve`]); `None`: close
    /// it.
    fn reserve(&self, peer: IpAddr) -> Option<Place> {
        let is_proxy = self.site.settings.borrow().is_trusted_proxy(peer);
        self.unproven.reserve((!is_proxy).then(|| AddressGroup::of(peer)))
    }

    /// Has the conversation on a connection, with the result of [`Conversation::run`].
    async fn converse<T: Transport>(&self, stream: T, source: Source) -> Option<Upgraded<T>> {
        Conversation::new(stream, source, self.site.clone(), TimeLimits::default()).run().await
    }

    /// Gives back the place of a connection, and admits its WebSocket if it has become one.
    async fn admit<T: Transport>(
        &self,
        outcome: Option<Upgraded<T>>,
        place: Place,
        permit: OwnedSemaphorePermit,
    ) {
        drop(place);
        if let Some(Upgraded { stream, client, page }) = outcome {
            let binding = page.as_deref().map(ChannelBinding::of_origin);
            let websocket = WebSocket::new(stream, self.admission.clock);
            self.admission.admit(websocket, client, binding, permit).await;
        }
    }
}

/// Way in for browsers over https. Clones share the limits of what has not become a WebSocket, with
/// those of plain HTTP.
#[derive(Clone)]
pub(super) struct WebTlsWayIn {
    /// Way in over plain HTTP: what follows the handshake is the same.
    pub(super) web: WebWayIn,
    /// Completes the handshakes.
    pub(super) handshakes: Handshakes,
}

impl WayIn for WebTlsWayIn {
    fn listening(&self) -> &'static str {
        "listening for browsers with TLS on"
    }

    /// Spawns the handshake and then the conversation on a connection, which has its place among
    /// those that have not become WebSockets from the beginning.
    async fn enter(&self, stream: TcpStream, peer: IpAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.web.reserve(peer) else { return };
        let Self { web, handshakes } = self.clone();
        tokio::spawn(async move {
            let conversing = async {
                let transport = handshakes.complete(stream, peer).await?;
                web.converse(transport, Source { peer, is_https: true }).await
            };
            let outcome = tokio::select! {
                outcome = conversing => outcome,
                () = place.lost() => None,
            };
            web.admit(outcome, place, permit).await;
        });
    }
}
