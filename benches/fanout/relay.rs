//! The bare relay over TCP, with which the server is compared.

use std::io::{Read, Write};

/// Begins to listen on a port of its own, and says on which. Returns the poll, the listener, and the
/// token with which new connections are told.
pub(crate) fn listen() -> (mio::Poll, mio::net::TcpListener, mio::Token) {
    let poll = mio::Poll::new().unwrap();
    let mut listener = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let accepting = mio::Token(usize::MAX);
    poll.registry().register(&mut listener, accepting, mio::Interest::READABLE).unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    (poll, listener, accepting)
}

/// Accepts all connections that wait, without delay for small writes, and registers them: the first
/// gets the token of number `next`. `keep` takes each.
pub(crate) fn accept(
    poll: &mio::Poll,
    listener: &mio::net::TcpListener,
    next: usize,
    mut keep: impl FnMut(mio::net::TcpStream),
) {
    let mut tokens = (next..).map(mio::Token);
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nodelay(true).unwrap();
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        poll.registry().register(&mut stream, tokens.next().unwrap(), interest).unwrap();
        keep(stream);
    }
}

/// Runs the relay, which knows nothing of chat: it writes everything that a client sends to all
/// clients, with one write to each of them for each wake-up. Its cost is that of the kernel.
pub(crate) fn run() -> ! {
    let (mut poll, listener, accepting) = listen();
    let mut events = mio::Events::with_capacity(1_024);
    // All bytes ever received, and each connection's position in them.
    let mut forwarded: Vec<u8> = Vec::new();
    let mut connections: Vec<(mio::net::TcpStream, usize)> = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == accepting {
                accept(&poll, &listener, connections.len(), |stream| {
                    connections.push((stream, forwarded.len()));
                });
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
