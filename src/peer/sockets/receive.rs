//! Tasks that receive datagrams into one queue. There is one task for each socket.

use std::io::{self, IoSliceMut};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Datagram;

/// Size of a task's receive buffer, in bytes. One read may bring several datagrams of one sender
/// (GRO).
const RECEIVE_BUFFER_SIZE: usize = 64 * 1024;

/// Pause after a receive error, so that a persistent error does not cause a busy loop.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Receives unicast datagrams on the peer's own socket. Queues them, and receive errors too, until
/// the receiver of the queue is dropped.
pub(super) async fn receive_own(socket: Arc<UdpSocket>, queue: mpsc::Sender<io::Result<Datagram>>) {
    let mut buffer = vec![0; RECEIVE_BUFFER_SIZE];
    loop {
        let received = socket.recv_from(&mut buffer).await.map(|(count, from)| {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            Datagram { from, to: None, interface: None, is_shared: false, bytes }
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

/// Receives datagrams on the shared socket, with destination address and interface. Queues them,
/// and receive errors too, until the receiver of the queue is dropped.
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
                is_shared: true,
                bytes: piece.to_vec(),
            };
            if queue.send(Ok(datagram)).await.is_err() {
                return;
            }
        }
    }
}
