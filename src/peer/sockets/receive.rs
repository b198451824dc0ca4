//! Reading: one task for each socket, all into one queue.

use std::io::{self, IoSliceMut};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Datagram;

/// Bytes that are read at once: the system may hand over several datagrams
/// of one sender in one piece, of up to this size.
const RECEIVE_BUFFER_SIZE: usize = 64 * 1024;

/// After an error in reading, so that a lasting one does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Reads what comes for this peer alone, until nobody wants it.
pub(super) async fn receive_own(socket: Arc<UdpSocket>, queue: mpsc::Sender<io::Result<Datagram>>) {
    let mut buffer = vec![0; RECEIVE_BUFFER_SIZE];
    loop {
        let received = socket.recv_from(&mut buffer).await.map(|(count, from)| {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            Datagram { from, to: None, interface: None, bytes }
        });
        let has_failed = received.is_err();
        if queue.send(received).await.is_err() {
            return;
        }
        if has_failed {
            sleep(ERROR_PAUSE).await;
        }
    }
}

/// Reads what comes to the room's port, until nobody wants it.
pub(super) async fn receive_shared(
    socket: Arc<UdpSocket>,
    state: UdpSocketState,
    queue: mpsc::Sender<io::Result<Datagram>>,
) {
    let mut buffer = vec![0; RECEIVE_BUFFER_SIZE];
    loop {
        let mut metas = [RecvMeta::default()];
        let read = || {
            let mut pieces = [IoSliceMut::new(&mut buffer)];
            state.recv((&*socket).into(), &mut pieces, &mut metas)
        };
        if let Err(error) = socket.async_io(Interest::READABLE, read).await {
            if queue.send(Err(error)).await.is_err() {
                return;
            }
            sleep(ERROR_PAUSE).await;
            continue;
        }
        let [meta] = metas;
        let bytes = buffer.get(..meta.len).unwrap_or_default();
        for piece in bytes.chunks(meta.stride.max(1)) {
            let datagram = Datagram {
                from: meta.addr,
                to: meta.dst_ip,
                interface: meta.interface_index,
                bytes: piece.to_vec(),
            };
            if queue.send(Ok(datagram)).await.is_err() {
                return;
            }
        }
    }
}
