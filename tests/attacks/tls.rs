//! Floods of the ports with TLS: connections that say nothing, garbage, and handshakes as fast as one
//! address can begin and complete them. A newcomer joins over TLS, or by https, meanwhile.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{Decoded, ServerFrame};
use tokio_rustls::rustls::StreamOwned;

use crate::client::{self, greeting};
use crate::common::tls_connection;
use crate::harness::{ATTACKER, Attack, Target};

/// Number of connections that say nothing: more than one address has places for handshakes.
const SILENT: usize = 200;

/// Number of connections with a beginning of a handshake that are kept open at a time.
const BEGUN: usize = 100;

/// Length of the garbage on one connection, in bytes: the longest record of TLS.
const GARBAGE: usize = 16 << 10;

/// Time between two rounds in which silent connections that the server has closed are opened again.
const ROUND: Duration = Duration::from_millis(20);

/// Joins the lobby over TLS, from this address.
///
/// # Errors
/// The server refuses it, or sends no history.
pub(crate) fn arrive(from: Ipv4Addr, tls: SocketAddr) -> io::Result<()> {
    let stream = client::connect(from, tls, 0)?;
    let mut stream = StreamOwned::new(tls_connection(tls), stream);
    // The server may still be busy with the leave of the newcomer without TLS, who has the other name.
    stream.write_all(&greeting("latecomer", &[]))?;
    let (mut reader, mut entries, mut is_over) = (FrameReader::from_server(), 0, false);
    let mut refusal = None;
    while !is_over {
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let take = |body: &[u8]| {
            match ServerFrame::decode(body) {
                Decoded::Frame(ServerFrame::Entry(_)) => entries += 1,
                Decoded::Frame(ServerFrame::End(_)) => is_over = true,
                Decoded::Frame(ServerFrame::Error(error)) => {
                    refusal = Some(error.text);
                    is_over = true;
                }
                _ => {}
            }
            true
        };
        reader.feed(&buffer[..count], take).map_err(io::Error::other)?;
    }
    match refusal {
        Some(text) => Err(io::Error::other(text)),
        None if entries == 0 => Err(io::Error::other("no history")),
        None => Ok(()),
    }
}

/// Connects an attacker to a port. `None` if the server does not take the connection.
fn connect(port: SocketAddr) -> Option<TcpStream> {
    client::connect(ATTACKER, port, 0).ok()
}

/// Keeps [`SILENT`] connections open that say nothing; opens those again that the server closes.
fn say_nothing(target: &Target<'_>, port: SocketAddr) {
    let mut silent: Vec<TcpStream> = Vec::new();
    while !target.is_over() {
        let missing = SILENT - silent.len();
        silent.extend((0..missing).filter_map(|_| connect(port)));
        thread::sleep(ROUND);
        silent.retain(|stream| {
            stream.set_nonblocking(true).is_ok()
                && (&*stream).read(&mut [0]).is_err_and(|it| it.kind() == ErrorKind::WouldBlock)
        });
    }
}

/// Opens connections and sends garbage on each, of which every other one looks like a record of TLS.
fn send_garbage(target: &Target<'_>, port: SocketAddr) {
    let noise: Vec<u8> = (0..GARBAGE).map(|it| (it * 31 % 251) as u8).collect();
    let record = [&[0x16, 0x03, 0x01, 0x40, 0x00], &noise[..]].concat();
    while !target.is_over() {
        for bytes in [&noise, &record] {
            if let Some(mut stream) = connect(port) {
                // Writing fails when the server has had enough.
                let _ = stream.write_all(bytes);
            }
        }
    }
}

/// Begins handshakes as fast as the server takes them, and leaves them there: each costs the server
/// the whole work.
fn begin_handshakes(target: &Target<'_>, port: SocketAddr) {
    let mut hello = Vec::new();
    tls_connection(port).write_tls(&mut hello).unwrap();
    let mut begun = VecDeque::new();
    while !target.is_over() {
        if let Some(mut stream) = connect(port)
            && stream.write_all(&hello).is_ok()
        {
            begun.push_back(stream);
        }
        if begun.len() > BEGUN {
            begun.pop_front();
        }
    }
}

/// Completes handshakes as fast as the server does, and leaves.
fn complete_handshakes(target: &Target<'_>, port: SocketAddr) {
    while !target.is_over() {
        let Some(mut stream) = connect(port) else { continue };
        let mut tls = tls_connection(port);
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok_and(|it| it != (0, 0)) {}
    }
}

/// Does all of these at a port at once, from one address.
fn flood(target: &Target<'_>, port: SocketAddr) {
    thread::scope(|scope| {
        for flood in [say_nothing, send_garbage, begin_handshakes, complete_handshakes] {
            scope.spawn(move || flood(target, port));
        }
    });
}

/// All floods at the port for TLS.
#[test]
fn handshake_floods() {
    let attack = Attack { name: "handshake floods", has_tls: true, ..Attack::default() };
    attack.run(|target| flood(target, target.tls()));
}

/// All floods at the port for browsers over https.
#[test]
fn handshake_floods_over_https() {
    let name = "handshake floods over https";
    let attack = Attack { name, has_https: true, ..Attack::default() };
    attack.run(|target| flood(target, target.https()));
}
