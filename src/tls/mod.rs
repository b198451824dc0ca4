//! Layer 3: TLS below the frames, for server and client: `docs/protocol/tls.md`.
//!
//! | file | part |
//! |---|---|
//! | `fingerprint` | fingerprint of a public key, as people compare it |
//! | `link` | address and fingerprint in one text |
//! | `provider` | cipher suites, by what the processor is good at |
//! | `socket` | socket that encrypts, without waiting |
//! | `identity` | the server's key and certificate |
//! | `stored_identity` | those that it has made for itself |
//! | `handshake` | the client's side of the handshake |

mod fingerprint;
#[cfg(any(feature = "client", feature = "server"))]
mod handshake;
#[cfg(feature = "server")]
mod identity;
mod link;
mod provider;
mod socket;
#[cfg(feature = "server")]
mod stored_identity;

pub use fingerprint::{Fingerprint, FingerprintDigits, FingerprintError, SaidFingerprint};
#[cfg(feature = "client")]
pub(crate) use handshake::HandshakeError;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) use handshake::connect;
#[cfg(feature = "server")]
pub use identity::{Identity, IdentityError};
pub use link::{LinkError, ServerLink};
pub(crate) use socket::TlsSocket;
#[cfg(feature = "server")]
pub(crate) use stored_identity::MAKE_IDENTITY;
#[cfg(feature = "server")]
pub use stored_identity::{DamagedIdentity, StoredIdentity};
