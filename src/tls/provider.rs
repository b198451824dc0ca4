//! Cipher suites: AES where the processor has instructions for it, otherwise ChaCha20 first.

use std::sync::Arc;

use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

/// Returns true if this processor has instructions for AES and the multiplication of GCM. Without
/// them, ChaCha20 is several times as fast.
pub(super) fn has_aes_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Returns the cryptography of ring, with the cipher suites in the order of preference for a
/// processor with or without instructions for AES ([`has_aes_instructions`]).
pub(super) fn provider(has_aes: bool) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if !has_aes {
        let chacha = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
        provider.cipher_suites.sort_by_key(|it| it.suite() != chacha);
    }
    Arc::new(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without instructions for AES, ChaCha20 comes first; with them, AES does.
    #[test]
    fn chacha_comes_first_without_aes_instructions() {
        let first = |has_aes| provider(has_aes).cipher_suites.first().map(|it| it.suite());
        assert_eq!(first(false), Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256));
        assert_eq!(first(true), Some(CipherSuite::TLS13_AES_256_GCM_SHA384));
    }
}
