//! The client's side of the handshake. It accepts every certificate whose key the server has: the
//! caller compares the fingerprint, before it sends anything.

use std::io;
use std::sync::{Arc, LazyLock};

use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::provider::{has_aes_instructions, provider};
use super::{Fingerprint, TlsSocket};

/// Settings of TLS of all connections.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> =
    LazyLock::new(|| client_config().map(Arc::new));

/// Reason why a handshake has failed.
#[derive(Debug, Error)]
pub(crate) enum HandshakeError {
    /// The socket has failed, or the other side does not speak TLS 1.3.
    #[error("no TLS there ({0})")]
    Io(#[from] io::Error),
    /// What the server has sent cannot be used.
    #[error("no TLS there ({0})")]
    Tls(#[from] rustls::Error),
}

/// Completes the handshake on a connected socket. Returns the encrypting socket and the fingerprint
/// of the server, which has proved that it has that key. Compare the fingerprint before you send
/// anything.
///
/// # Errors
/// [`HandshakeError`].
pub(crate) async fn connect(stream: TcpStream) -> Result<(TlsSocket, Fingerprint), HandshakeError> {
    // The server's name is not sent, and nothing is compared with it.
    let name = ServerName::from(stream.peer_addr()?.ip());
    let config = CONFIG.as_ref().map_err(Clone::clone)?;
    let stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
    let (stream, tls) = stream.into_inner();
    let certificate = tls.peer_certificates().and_then(<[_]>::first);
    let fingerprint =
        Fingerprint::of_certificate(certificate.ok_or(rustls::Error::NoCertificatesPresented)?)?;
    Ok((TlsSocket::new(stream, tls), fingerprint))
}

/// Builds the settings of TLS: version 1.3 only, without tickets and without the server's name.
///
/// # Errors
/// A bug: the settings contradict each other.
fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = provider(has_aes_instructions());
    let verifier = Arc::new(AnyKey(provider.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Verifier that accepts every certificate, and demands that the server proves that it has the key.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// Refuses: older versions are not spoken.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
