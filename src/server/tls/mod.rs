//! The way in over TLS, on a port of its own: `docs/protocol/tls.md`. After the handshake, a
//! connection is one like any other.
//!
//! | file | part |
//! |---|---|
//! | here | way in and settings |
//! | `handshakes` | handshakes and their rates, for the way in for browsers as well |
//! | `transport` | the transport |

mod handshakes;
mod transport;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::slice;

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

pub(super) use self::handshakes::Handshakes;
use super::ServerSettings;
use super::acceptor::WayIn;
use super::admission::Admission;
use super::listen::{self, Bound, ListenError};
use super::listen_address::ListenAddress;
use super::trusted_proxies::TrustedProxies;
use super::unproven::{Place, Unproven};
use crate::model::AddressGroup;
use crate::model::limits::{DEFAULT_PORT, DEFAULT_TLS_PORT};
use crate::tls::Identity;

/// Settings of the way in over TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Addresses to listen on. `None`: no listener.
    pub listen: Option<Vec<ListenAddress>>,
    /// True if the owner has not set the addresses: those that are in use are left out.
    pub is_default: bool,
    /// Key and certificate of the owner. `None`: those that the server has made for itself, which
    /// are in a log on disk.
    pub certificate: Option<Identity>,
}

/// Binds the listeners for TLS. If the owner has not set the addresses, logs those that are in use
/// and leaves them out, unless clients have no other way in: another program of this machine may
/// have them.
///
/// # Errors
/// [`ListenError`] of the first other address that fails.
pub(super) fn bind_all(settings: &ServerSettings) -> Result<Vec<Bound>, ListenError> {
    let may_lack = settings.tls.is_default && settings.plain;
    let mut bound = Vec::new();
    for address in settings.tls.listen.iter().flatten() {
        match listen::bind(address) {
            Ok(it) => bound.push(it),
            Err(error) if may_lack => {
                tracing::warn!("no way in over TLS: {error}: {}", error.source);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bound)
}

/// Returns true if clients of plain TCP are told that TLS is at its default port of the address that
/// they have reached: if that holds for each address with the default port of plain TCP, and no
/// proxy is in front of the server, which may have neither port. `bound`: result of [`bind_all`].
pub(super) fn is_offered(settings: &ServerSettings, bound: &[Bound]) -> bool {
    let tls = settings.tls.listen.iter().flatten().filter(|it| it.port() == DEFAULT_TLS_PORT);
    let has_tls = |plain: &ListenAddress| tls.clone().any(|it| it.includes(plain));
    let default = ListenAddress::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)));
    let all = if settings.listen.is_empty() { slice::from_ref(&default) } else { &settings.listen };
    let mut at_default = all.iter().filter(|it| it.port() == DEFAULT_PORT).peekable();
    !bound.is_empty()
        && settings.trusted_proxies.is_empty()
        && at_default.peek().is_some()
        && at_default.all(has_tls)
}

/// Way in over TLS. Clones share the limits of unfinished handshakes.
#[derive(Clone)]
pub(super) struct TlsWayIn {
    /// Turns encrypted sockets into connections.
    pub(super) admission: Admission,
    /// Reader of the PROXY headers of trusted proxies.
    pub(super) proxies: TrustedProxies,
    /// Places of the connections whose handshake is not complete.
    pub(super) unproven: Unproven,
    /// Completes the handshakes.
    pub(super) handshakes: Handshakes,
}

impl WayIn for TlsWayIn {
    fn listening(&self) -> &'static str {
        "listening with TLS on"
    }

    /// Spawns the handshake of a connection. It may take the place of another one, if too many are
    /// not complete. The connection of a trusted proxy begins with a PROXY header.
    async fn enter(&self, stream: TcpStream, address: IpAddr, permit: OwnedSemaphorePermit) {
        let way_in = self.clone();
        if !self.proxies.contains(address) {
            let Some(place) = self.reserve(address) else { return };
            tokio::spawn(way_in.shake_hands(stream, address, place, permit));
            return;
        }
        let Some(header_place) = self.proxies.reserve(address) else { return };
        tokio::spawn(async move {
            let client = way_in.proxies.client_address(&stream, address).await;
            drop(header_place);
            if let Some(client) = client
                && let Some(place) = way_in.reserve(client)
            {
                way_in.shake_hands(stream, client, place, permit).await;
            }
        });
    }
}

impl TlsWayIn {
    /// Reserves a place for a handshake of this client ([`Unproven::reserve`]); `None`: close the
    /// connection.
    fn reserve(&self, client: IpAddr) -> Option<Place> {
        self.unproven.reserve(Some(AddressGroup::of(client)))
    }

    /// Completes the handshake and admits the client. Closes the connection if the handshake fails,
    /// takes too long, or loses its place to another client.
    async fn shake_hands(
        self,
        stream: TcpStream,
        client: IpAddr,
        place: Place,
        permit: OwnedSemaphorePermit,
    ) {
        let transport = tokio::select! {
            transport = self.handshakes.complete(stream, client) => transport,
            () = place.lost() => return,
        };
        drop(place);
        if let Some(transport) = transport {
            let binding = transport.channel_binding();
            self.admission.admit(transport, client, binding, permit).await;
        }
    }
}
