//! The well-behaved pair: two clients that talk in a room and measure the latency between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pi_chat::wire::tcp::{Join, ServerFrame};

use crate::client::Client;
use crate::common;

/// Time between two messages of a client.
const INTERVAL: Duration = Duration::from_millis(50);

/// Length of a message, in bytes.
const LENGTH: usize = 64;

/// Longest time that a client may wait for its next frame: then the test fails.
const LOST: Duration = Duration::from_secs(20);

/// Two clients in a room.
pub(crate) struct Pair {
    /// The clients.
    clients: [Client; 2],
    /// References used by each so far.
    references: [u64; 2],
    /// Room in which they talk.
    room: String,
    /// Time from which the times in the messages count.
    epoch: Instant,
}

/// Measured latencies, from sending to the other's receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// 50th percentile.
    pub(crate) median: Duration,
    /// 99th percentile.
    pub(crate) p99: Duration,
    /// The greatest.
    pub(crate) worst: Duration,
}

impl Pair {
    /// Joins two clients from 127.0.0.1.
    pub(crate) fn join(address: SocketAddr, room: &str, password: Option<&str>) -> Self {
        let clients = ["pair1", "pair2"].map(|name| {
            let mut client = Client::connect(Ipv4Addr::LOCALHOST, address).unwrap();
            let password = password.map(str::to_owned);
            client.join(Join { password, ..common::join(name, &[room]) }).unwrap();
            client.stream.set_read_timeout(Some(LOST)).unwrap();
            client
        });
        Self { clients, references: [0; 2], room: room.to_owned(), epoch: Instant::now() }
    }

    /// Lets each client say [`LENGTH`] bytes every [`INTERVAL`] for this time. Returns the
    /// latencies when all messages have arrived. Panics if a client gets a notice or an error, or
    /// nothing for the time [`LOST`].
    pub(crate) fn measure(&mut self, time: Duration) -> Latency {
        let count = (time.as_millis() / INTERVAL.as_millis()) as u64;
        let (epoch, room) = (self.epoch, self.room.as_str());
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for (number, (client, reference)) in
                self.clients.iter_mut().zip(&mut self.references).enumerate()
            {
                let mut writer = Client::over(client.stream.try_clone().unwrap());
                let first = *reference + 1;
                *reference += count;
                scope.spawn(move || {
                    let begin = Instant::now() + INTERVAL / 2 * number as u32;
                    for index in 0..count {
                        let due = begin + INTERVAL * index as u32;
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let text = format!("{:0>LENGTH$}", epoch.elapsed().as_nanos());
                        writer.send(common::say(first + index, room, &text)).unwrap();
                    }
                });
                let sender = sender.clone();
                let other = ["pair2", "pair1"][number];
                scope.spawn(move || {
                    let mut received = 0;
                    while received < count {
                        match client.next().expect("the pair's connection broke") {
                            ServerFrame::Entry(entry) if entry.username == other => {
                                let sent = Duration::from_nanos(entry.text.parse().unwrap());
                                sender.send(epoch.elapsed().saturating_sub(sent)).unwrap();
                                received += 1;
                            }
                            ServerFrame::Notice(notice) => panic!("{notice:?}"),
                            ServerFrame::Error(error) => panic!("{error:?}"),
                            _ => {}
                        }
                    }
                });
            }
        });
        drop(sender);
        Latency::of(receiver.iter().collect())
    }
}

impl Latency {
    /// Returns the percentiles (nearest rank) of these latencies.
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let rank = |percent: usize| all[(all.len() * percent).div_ceil(100).max(1) - 1];
        Self { median: rank(50), p99: rank(99), worst: all[all.len() - 1] }
    }
}
