//! Identity of a server: its key and certificate, made by itself or given by its owner.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ParsedCertificate};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, ServerConfig};

use super::provider::{has_aes_instructions, provider};
use super::{DamagedIdentity, Fingerprint, StoredIdentity};
use crate::text_input;

/// Length of the point of a P-256 key, in bytes, with which both the public key in a certificate
/// and a private key that the server has made end.
const POINT_LENGTH: usize = 65;

/// What stands before the point in the public key of a certificate (SubjectPublicKeyInfo, DER).
const BEFORE_POINT: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Reason why key and certificate cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the error.
        source: std::io::Error,
    },
    /// The file holds no certificate, or no private key, in PEM.
    #[error("{} has no {wanted} in PEM format", path.display())]
    Pem {
        /// Path of the file.
        path: PathBuf,
        /// What the file has to hold.
        wanted: &'static str,
    },
    /// The key that the server has made does not belong to its certificate.
    #[error("the key does not belong to the certificate")]
    Mismatch,
    /// What the server has made is not there as a whole.
    #[error(transparent)]
    Damaged(#[from] DamagedIdentity),
    /// Key or certificate is invalid or of an unknown kind, or one does not belong to the other.
    #[error("key and certificate cannot be used: {0}")]
    Invalid(#[from] rustls::Error),
}

/// Identity of a server. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

/// What the clones of an [`Identity`] share.
struct Inner {
    /// Certificate of the server, and those that certify it.
    chain: Vec<CertificateDer<'static>>,
    /// Private key.
    key: PrivateKeyDer<'static>,
    /// Fingerprint of the key.
    fingerprint: Fingerprint,
    /// Settings of TLS, with key and certificate, made when they are first needed: what that
    /// touches of the program and its tables stays in memory, which a server without TLS clients
    /// should not pay for. `None` if the key cannot be used.
    config: OnceLock<Option<Arc<ServerConfig>>>,
}

impl Identity {
    /// Returns the identity that the server has made for itself. Checks that the certificate has the
    /// public key that is stored with the private key. The rest of both is parsed when it is first
    /// used: what that touches of the program would stay in memory.
    ///
    /// # Errors
    /// [`IdentityError::Mismatch`].
    pub fn from_stored(stored: &StoredIdentity) -> Result<Self, IdentityError> {
        let point = stored.key.last_chunk::<POINT_LENGTH>().ok_or(IdentityError::Mismatch)?;
        let public = [&BEFORE_POINT[..], point].concat();
        if !stored.certificate.windows(public.len()).any(|it| it == public) {
            return Err(IdentityError::Mismatch);
        }
        let chain = vec![CertificateDer::from(stored.certificate.clone())];
        let key = PrivatePkcs8KeyDer::from(stored.key.clone()).into();
        Ok(Self::new(chain, key, Fingerprint::of_public_key(&public)))
    }

    /// Returns the identity of the owner's files: the server's certificate with those that certify
    /// it after it, and the private key, both in PEM.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let pem_error = |path: &Path, wanted| IdentityError::Pem { path: path.to_owned(), wanted };
        let text = read(certificate)?;
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.ok().filter(|it| !it.is_empty());
        let chain = chain.ok_or_else(|| pem_error(certificate, "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(&read(key)?);
        let first = chain.first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let fingerprint = Fingerprint::of_certificate(first)?;
        let private = private.or(Err(pem_error(key, "private key")))?;
        let identity = Self::new(chain, private, fingerprint);
        let config = Some(Arc::new(identity.0.make_config()?));
        identity.0.config.get_or_init(|| config);
        Ok(identity)
    }

    /// Returns the identity with this certificate, those that certify it after it, its key and the
    /// fingerprint of that.
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        fingerprint: Fingerprint,
    ) -> Self {
        Self(Arc::new(Inner { chain, key, fingerprint, config: OnceLock::new() }))
    }

    /// Returns the settings of TLS for handshakes. `None` if the key cannot be used, which the
    /// first call logs.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        let make = || match self.0.make_config() {
            Ok(config) => Some(Arc::new(config)),
            Err(error) => {
                tracing::error!("no TLS: {error}: restore a backup");
                None
            }
        };
        self.0.config.get_or_init(make).clone()
    }

    /// Returns true if the certificate is for this host, a name or an address. That does not mean that
    /// anybody trusts it.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let certificate = self.0.chain.first().map(ParsedCertificate::try_from);
        let (Some(Ok(certificate)), Ok(host)) = (certificate, ServerName::try_from(host)) else {
            return false;
        };
        verify_server_name(&certificate, &host).is_ok()
    }

    /// Returns the fingerprint of the key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }
}

impl Inner {
    /// Makes the settings of TLS.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`].
    fn make_config(&self) -> Result<ServerConfig, IdentityError> {
        let has_aes = has_aes_instructions();
        let provider = provider(has_aes);
        let (chain, key) = (self.chain.clone(), self.key.clone_key());
        let certified = CertifiedKey::from_der(chain, key, &provider)?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth();
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        // Without instructions for AES, our order counts: ChaCha20 first.
        config.ignore_client_order = !has_aes;
        // Tickets save little: the connections of a chat last for hours.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl fmt::Debug for Identity {
    /// Writes the fingerprint only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.0.fingerprint)
    }
}

/// Reads a file of text.
///
/// # Errors
/// [`IdentityError::Read`].
fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let text = text_input::read_file(path);
    text.map(String::into_bytes)
        .map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that does not belong to the certificate, and a certificate without it, are noticed at
    /// once; a damaged private part when it is used. Only what fits has settings. The fingerprint is
    /// that of the certificate.
    #[test]
    fn damaged_identity_is_refused() {
        let [good, other] = [(); 2].map(|()| StoredIdentity::generate().unwrap());
        let identity = Identity::from_stored(&good).unwrap();
        assert!(identity.config().is_some());
        let certificate = CertificateDer::from(good.certificate.clone());
        let parsed = Fingerprint::of_certificate(&certificate).unwrap();
        assert_eq!(identity.fingerprint(), parsed);
        let mixed = StoredIdentity { key: other.key, ..good.clone() };
        assert!(matches!(Identity::from_stored(&mixed), Err(IdentityError::Mismatch)));
        let cut = good.certificate[..good.certificate.len() / 2].to_vec();
        let cut = StoredIdentity { certificate: cut, ..good.clone() };
        assert!(matches!(Identity::from_stored(&cut), Err(IdentityError::Mismatch)));
        let mut key = good.key.clone();
        key[0] ^= 1;
        let identity = Identity::from_stored(&StoredIdentity { key, ..good }).unwrap();
        assert!(identity.config().is_none());
    }
}
