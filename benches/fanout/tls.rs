//! TLS of the load generator's clients. It accepts any key.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
};

/// TLS of a client; over plain TCP it changes nothing.
#[derive(Default)]
pub(crate) struct Tls(Option<Box<ClientConnection>>);

impl Tls {
    /// Completes the handshake on a socket, which waits.
    pub(crate) fn connect(stream: &mut TcpStream) -> Self {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyKey))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let name = ServerName::from(stream.peer_addr().unwrap().ip());
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        tls.complete_io(stream).unwrap();
        assert!(!tls.is_handshaking());
        Self(Some(Box::new(tls)))
    }

    /// Encrypts bytes. Returns what has to be sent.
    pub(crate) fn encrypt(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(tls) = &mut self.0 else { return bytes };
        tls.writer().write_all(&bytes).unwrap();
        let mut encrypted = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut encrypted).unwrap();
        }
        encrypted
    }

    /// Decrypts received bytes. Keeps those of a record that is not complete.
    pub(crate) fn decrypt(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.0 else { return bytes.to_vec() };
        let mut decrypted = Vec::new();
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes).unwrap();
            tls.process_new_packets().unwrap();
            match tls.reader().read_to_end(&mut decrypted) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        decrypted
    }
}

/// Verifier of certificates that accepts any.
#[derive(Debug)]
struct AnyKey;

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
