//! The way in for browsers: a listener for HTTP that sends the files of the page and turns requests
//! for `/chat` into WebSockets. From then on, a WebSocket is a connection like any other.
//!
//! | file | part |
//! |---|---|
//! | here | way in and settings |
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

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use self::conversation::{Conversation, TimeLimits};
use self::file_reads::FileReads;
pub(super) use self::files::has_page;
pub(crate) use self::hosts::is_remote;
use self::site::Site;
use self::websocket::WebSocket;
use super::acceptor::WayIn;
use super::admission::Admission;
use super::announce::machine_name;
use super::listen::{self, Bound, ListenError};
use super::listen_address::ListenAddress;
use super::public_urls::PublicUrls;
use super::unproven::Unproven;
use crate::model::AddressGroup;
use crate::model::limits::DEFAULT_WEB_PORT;

/// Path of the WebSocket.
const WEBSOCKET_PATH: &str = "/chat";

/// Directory in which the package installs the page.
const PACKAGED_ROOT: &str = "/usr/share/chat-server/web";

/// Settings of the way in for browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Addresses to listen on for browsers. Empty: the default port on all addresses, unless it is
    /// in use. `None`: no listener.
    pub listen: Option<Vec<ListenAddress>>,
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
        Self { listen: None, root: PACKAGED_ROOT.into(), hosts: Vec::new(), origins: Vec::new() }
    }
}

/// Binds the listeners for browsers. If no address is set and the default port is in use, logs that
/// and returns none: another server of this machine may have it.
///
/// # Errors
/// [`ListenError`] of the first set address that fails.
pub(super) fn bind_all(settings: &WebSettings) -> Result<Vec<Bound>, ListenError> {
    match settings.listen.as_deref() {
        None => Ok(Vec::new()),
        Some([]) => {
            let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_WEB_PORT));
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

/// Way in for browsers. Clones share the limits of what has not become a WebSocket.
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
        };
        Self { admission, site, unproven: Unproven::default() }
    }
}

impl WayIn for WebWayIn {
    const LISTENING: &'static str = "listening for browsers on";

    /// Spawns the conversation on a connection. Closes the connection if too many others have not
    /// become WebSockets, also later in favour of another address.
    async fn enter(&self, stream: TcpStream, peer: IpAddr, permit: OwnedSemaphorePermit) {
        let is_proxy = self.site.settings.borrow().is_trusted_proxy(peer);
        let group = (!is_proxy).then(|| AddressGroup::of(peer));
        let Some(place) = self.unproven.reserve(group) else { return };
        let conversation =
            Conversation::new(stream, peer, self.site.clone(), TimeLimits::default());
        let admission = self.admission.clone();
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = conversation.run() => outcome,
                () = place.lost() => None,
            };
            drop(place);
            if let Some((stream, client)) = outcome {
                let websocket = WebSocket::new(stream, admission.clock);
                admission.admit(websocket, client, permit).await;
            }
        });
    }
}
