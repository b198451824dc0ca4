//! Way in over plain TCP: a connection is admitted as it is, that of a trusted proxy after its PROXY
//! header.

use std::net::IpAddr;

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::acceptor::WayIn;
use super::admission::Admission;
use super::trusted_proxies::TrustedProxies;
use crate::identity::ChannelBinding;

/// Way in over plain TCP.
#[derive(Clone)]
pub(super) struct TcpWayIn {
    /// Turns accepted sockets into connections.
    pub(super) admission: Admission,
    /// Reader of the PROXY headers of trusted proxies.
    pub(super) proxies: TrustedProxies,
}

impl WayIn for TcpWayIn {
    fn listening(&self) -> &'static str {
        "listening on"
    }

    /// Admits the connection. Waits while the engine's queue is full.
    async fn enter(&self, stream: TcpStream, address: IpAddr, permit: OwnedSemaphorePermit) {
        if self.proxies.contains(address) {
            self.admit_proxied(stream, address, permit);
        } else {
            self.admission.admit(stream, address, Some(ChannelBinding::None), permit).await;
        }
    }
}

impl TcpWayIn {
    /// Spawns a task that reads the PROXY header of a connection from `proxy`, and then admits the
    /// client. So a slow header delays no other connection.
    ///
    /// Closes the connection if too many connections wait for their headers, or if there is no
    /// valid header.
    fn admit_proxied(&self, stream: TcpStream, proxy: IpAddr, permit: OwnedSemaphorePermit) {
        let Some(place) = self.proxies.reserve(proxy) else { return };
        let (proxies, admission) = (self.proxies.clone(), self.admission.clone());
        tokio::spawn(async move {
            if let Some(client) = proxies.client_address(&stream, proxy).await {
                drop(place);
                admission.admit(stream, client, Some(ChannelBinding::None), permit).await;
            }
        });
    }
}
