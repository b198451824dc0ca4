//! Handshakes of TLS, for all ways in that have it, within the rate of each address group.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::transport::TlsTransport;
use crate::model::AddressGroup;
use crate::os::Clock;
use crate::server::ServerSettings;
use crate::server::group_rates::GroupRates;
use crate::tls::{Fingerprint, Identity, TlsSocket};

/// Maximum time from accepting a connection to the end of its handshake, with the time for which
/// the rate of its address group makes it wait.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Completes handshakes. Clones share the rates.
#[derive(Clone)]
pub(in crate::server) struct Handshakes {
    /// Rate limits of the handshakes of each address group.
    pub(in crate::server) rates: Arc<GroupRates>,
    /// Settings in force, with the certificate of the owner.
    pub(in crate::server) settings: watch::Receiver<ServerSettings>,
    /// Identity that the server has made for itself. `None` without a log on disk.
    pub(in crate::server) own: Option<Identity>,
    /// Clock of the server.
    pub(in crate::server) clock: Clock,
}

impl Handshakes {
    /// Completes the handshake with a client. `None` if it fails or takes longer than
    /// [`HANDSHAKE_TIMEOUT`]: the connection is closed then.
    pub(in crate::server) async fn complete(
        &self,
        stream: TcpStream,
        client: IpAddr,
    ) -> Option<TlsTransport> {
        let accepted = timeout(HANDSHAKE_TIMEOUT, self.accept(stream, client)).await;
        let (socket, fingerprint) = accepted.ok()??;
        Some(TlsTransport::new(socket, fingerprint, self.clock))
    }

    /// Completes the handshake, after the time for which the rate of the client's address group
    /// makes it wait. It counts for that rate when the client begins it: until then it costs no
    /// work. Returns the socket, and the fingerprint of the key that the client has seen. `None` if
    /// the handshake fails, would have to wait too long, or the server cannot use its certificate.
    async fn accept(&self, stream: TcpStream, client: IpAddr) -> Option<(TlsSocket, Fingerprint)> {
        stream.readable().await.ok()?;
        let now = self.clock.now();
        let rate = self.rates.rate_of(now, AddressGroup::of(client));
        let wait = rate.take_within(now, HANDSHAKE_TIMEOUT)?;
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let certificate = self.settings.borrow().tls.certificate.clone();
        let identity = certificate.as_ref().or(self.own.as_ref())?;
        let acceptor = TlsAcceptor::from(identity.config()?);
        let (stream, tls) = acceptor.accept(stream).await.ok()?.into_inner();
        Some((TlsSocket::new(stream, tls), identity.fingerprint()))
    }
}
