//! TLS of the load generator's clients. It accepts any key.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use tokio_rustls::rustls::ClientConnection;

use super::tls_connection::tls_connection;

/// TLS of a client; over plain TCP it changes nothing.
#[derive(Default)]
pub(crate) struct Tls(Option<Box<ClientConnection>>);

impl Tls {
    /// Completes the handshake on a socket, which waits.
    pub(crate) fn connect(stream: &mut TcpStream) -> Self {
        let mut tls = tls_connection(stream.peer_addr().unwrap());
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
