//! Binding of a proof to the connection on which it is sent.

use sha2::{Digest, Sha256};

use crate::wire::tcp::binding;

/// Label of the TLS exporter whose 32 bytes bind a proof to a TLS connection. The context is empty.
pub const TLS_EXPORTER_LABEL: &[u8] = b"EXPORTER-pi-chat-proof";

/// Binding of a proof to a connection: what kind of connection it is, and what is particular to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Plain TCP: nothing ties a proof to the connection but the challenge.
    None,
    /// TLS.
    Tls {
        /// Bytes of the exporter with [`TLS_EXPORTER_LABEL`].
        exporter: [u8; 32],
        /// Fingerprint of the server's key, which clients sign whose libraries have no exporter.
        /// `None` on the client's side: ours have one.
        fingerprint: Option<[u8; 32]>,
    },
    /// WebSocket: SHA-256 of the page's origin.
    WebOrigin([u8; 32]),
}

impl ChannelBinding {
    /// Returns the binding that a client with these bytes of the exporter signs.
    #[must_use]
    pub const fn of_exporter(exporter: [u8; 32]) -> Self {
        Self::Tls { exporter, fingerprint: None }
    }

    /// Returns the binding of a WebSocket whose request had this `Origin`.
    #[must_use]
    pub fn of_origin(origin: &str) -> Self {
        Self::WebOrigin(Sha256::digest(origin).into())
    }

    /// Returns the number of the binding that ours sign, as a proof has it.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::None => binding::NONE,
            Self::Tls { .. } => binding::TLS_EXPORTER,
            Self::WebOrigin(_) => binding::WEB_ORIGIN,
        }
    }

    /// Returns the data of the binding that ours sign.
    #[must_use]
    pub const fn data(&self) -> [u8; 32] {
        match self {
            Self::None => [0; 32],
            Self::Tls { exporter: data, .. } | Self::WebOrigin(data) => *data,
        }
    }

    /// Returns the data that a proof with the binding of this number signs on this connection;
    /// `None`: such a proof is refused here.
    #[must_use]
    pub const fn data_of(&self, number: u8) -> Option<[u8; 32]> {
        match (self, number) {
            (Self::None, binding::NONE) => Some([0; 32]),
            (Self::Tls { exporter, .. }, binding::TLS_EXPORTER) => Some(*exporter),
            (Self::Tls { fingerprint, .. }, binding::TLS_FINGERPRINT) => *fingerprint,
            (Self::WebOrigin(data), binding::WEB_ORIGIN) => Some(*data),
            _ => None,
        }
    }
}
