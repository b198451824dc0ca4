//! Proofs of keys that do not hold. Each costs the server the verification of a signature.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::IdentityKey;
use pi_chat::wire::tcp::{Join, ServerFrame, feature};

use crate::client::encoded;
use crate::common;
use crate::harness::{Attack, Target};

/// Error: the proof does not hold.
const PROOF_INVALID: u16 = 208;

/// Number of refused joins after which the server closes a connection.
const JOINS: usize = 5;

/// Sends proofs for another challenge with one connection after the other until the attack is over;
/// returns the number of those that the server verified.
fn send_proofs(target: &Target<'_>) -> usize {
    let (challenge, server_key) = ([1; 32], IdentityKey([2; 32]));
    let context = ProofContext { challenge, server_key, binding: ChannelBinding::None };
    let proof = Some(Box::new(KeyPair::from_seed(&[3; 32]).prove(&context)));
    let join = Join { proof, ..common::join("mallory", &[]) };
    let bytes = [encoded(common::hello(feature::IDENTITY)), encoded(join).repeat(JOINS)].concat();
    let mut verified = 0;
    while !target.is_over() {
        let Ok(mut client) = target.connect() else { continue };
        client.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        if std::io::Write::write_all(&mut client.stream, &bytes).is_err() {
            continue;
        }
        while let Ok(frame) = client.next() {
            verified +=
                usize::from(matches!(frame, ServerFrame::Error(it) if it.code == PROOF_INVALID));
        }
    }
    verified
}

/// The limit of joins of the attacker's address holds for proofs, too.
#[test]
fn proofs_that_do_not_hold() {
    let verified = AtomicUsize::new(0);
    let attack = Attack { name: "wrong proofs", reaches: &["joins"], ..Attack::default() };
    attack.run(|target| {
        verified.fetch_add(send_proofs(target), Ordering::Relaxed);
    });
    assert!(verified.into_inner() > 0, "no proof was verified");
}
