//! Proxy that ends TLS: it passes on in plain what comes encrypted, as a reverse proxy with a
//! certificate of its own does.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use pi_chat::tls::StoredIdentity;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener as AsyncListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS13;

/// Proxy on loopback. It is stopped when this is dropped, and its connections are closed.
pub(crate) struct TlsProxy {
    /// Address at which it speaks TLS.
    pub(crate) address: SocketAddr,
    /// Runs it, on a thread of its own.
    _runtime: Runtime,
}

impl TlsProxy {
    /// Starts a proxy in front of a server that speaks plain TCP at this address.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let stored = StoredIdentity::generate().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(stored.certificate)],
                PrivatePkcs8KeyDer::from(stored.key).into(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = AsyncListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    // A client that goes away in the middle ends its connection, and nothing else.
                    if let Ok(mut client) = acceptor.accept(stream).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { address, _runtime: runtime }
    }
}
