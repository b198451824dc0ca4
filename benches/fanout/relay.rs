//! The bare relay over TCP, with which the server is compared.

use std::io::{Read, Write};

/// Runs the relay, which knows nothing of chat: it writes everything that a client sends to all
/// clients, with one write to each of them for each wake-up. Its cost is that of the kernel.
pub(crate) fn run() -> ! {
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(1_024);
    let mut listener = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let accepting = mio::Token(usize::MAX);
    poll.registry().register(&mut listener, accepting, mio::Interest::READABLE).unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    // All bytes ever received, and each connection's position in them.
    let mut forwarded: Vec<u8> = Vec::new();
    let mut connections: Vec<(mio::net::TcpStream, usize)> = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == accepting {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).unwrap();
                    let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
                    let token = mio::Token(connections.len());
                    poll.registry().register(&mut stream, token, interest).unwrap();
                    connections.push((stream, forwarded.len()));
                }
            } else if event.is_readable() {
                let (stream, _) = &mut connections[event.token().0];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    forwarded.extend_from_slice(&buffer[..count]);
                }
            }
        }
        for (stream, position) in &mut connections {
            while *position < forwarded.len() {
                match stream.write(&forwarded[*position..]) {
                    Ok(count) => *position += count,
                    Err(_) => break,
                }
            }
        }
    }
}
