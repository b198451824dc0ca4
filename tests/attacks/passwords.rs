//! Guesses of the server's password.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pi_chat::wire::tcp::{Join, ServerFrame};

use crate::client::encoded;
use crate::common;
use crate::harness::{Attack, Origin, Target};

/// Error: the password is wrong.
const PASSWORD_WRONG: u16 = 204;

/// Number of guesses that a connection may make.
const GUESSES: usize = 5;

/// Greatest number of guesses of one address that the server may answer during an attack.
const MOST: usize = 100;

/// Guesses with one connection after the other until the attack is over; returns the number of
/// guesses that the server answered.
fn guess(target: &Target<'_>) -> usize {
    let mut answered = 0;
    let join = Join { password: Some("guess".to_owned()), ..common::join("mallory", &[]) };
    let bytes = [encoded(common::hello(0)), encoded(join).repeat(GUESSES)].concat();
    while !target.is_over() {
        let Ok(mut client) = target.connect() else { continue };
        client.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        if std::io::Write::write_all(&mut client.stream, &bytes).is_err() {
            continue;
        }
        while let Ok(frame) = client.next() {
            answered +=
                usize::from(matches!(frame, ServerFrame::Error(it) if it.code == PASSWORD_WRONG));
        }
    }
    answered
}

#[test]
fn password_guesses_are_slowed_down_for_the_guesser_alone() {
    guess_passwords(Origin::Address);
}

#[test]
fn password_guesses_are_slowed_down_for_all_addresses_of_one_network() {
    guess_passwords(Origin::Network);
}

/// Attacks with guesses of the password, and asserts that few were answered, but at least one.
fn guess_passwords(origin: Origin) {
    let answered = AtomicUsize::new(0);
    let password = Some("sesame");
    let attack = Attack {
        name: "password guesses",
        origin,
        password,
        reaches: &["passwords"],
        ..Attack::default()
    };
    attack.run(|target| answered.store(guess(target), Ordering::Relaxed));
    let answered = answered.into_inner();
    assert!((1..=MOST).contains(&answered), "{answered} guesses were answered");
}
