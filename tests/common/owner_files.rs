//! Key and certificate of an owner, as files.

use std::fs;
use std::path::Path;

use pi_chat::tls::Fingerprint;

/// Writes a new key and a certificate for these names and addresses into a directory, in PEM:
/// `certificate.pem` and `key.pem`. Returns the fingerprint.
pub(crate) fn write_owner_files(directory: &Path, hosts: &[&str]) -> Fingerprint {
    let key = rcgen::KeyPair::generate().unwrap();
    let hosts: Vec<String> = hosts.iter().map(|it| (*it).to_owned()).collect();
    let certificate = rcgen::CertificateParams::new(hosts).unwrap().self_signed(&key).unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = data_encoding::BASE64.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let files = [
        ("certificate.pem", pem("CERTIFICATE", certificate.der())),
        ("key.pem", pem("PRIVATE KEY", &key.serialize_der())),
    ];
    for (name, text) in files {
        fs::write(directory.join(name), text).unwrap();
    }
    Fingerprint::of_certificate(certificate.der()).unwrap()
}
