//! The cost of messages.

use std::thread;
use std::time::Duration;

use crate::room::{Room, Used};

/// Number of peers that write.
const AUTHORS: usize = 3;

/// Number of times that they do so. Medians count.
const ROUNDS: usize = 3;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);

/// Time behind the last message in which its author's heartbeat comes, and is answered.
const FOLLOW_UP_TIME: Duration = Duration::from_millis(1_000);

/// Figures of a room in which messages are said.
pub(crate) struct Figures {
    /// CPU time of all peers for a message that one of them gets from another, in microseconds,
    /// without what they use when idle.
    pub(crate) cpu: f64,
    /// Datagrams for a message, without those of an idle room.
    pub(crate) datagrams: f64,
}

/// Returns the text of a message, of 64 bytes.
pub(crate) fn text(author: usize, number: usize) -> String {
    format!("{author} {number:04} an ordinary line of a chat among friends, of 64 bytes..")
}

/// Measures a room of so many peers, three of which say `count` messages each, as fast as peers send
/// them: 20 at once, then 25 a second. `idle_time`: for which it is measured idle before. Returns
/// the medians of [`ROUNDS`].
pub(crate) fn measure(peers: usize, is_closed: bool, count: usize, idle_time: Duration) -> Figures {
    let mut room = Room::start(peers, is_closed);
    let idle = room.used_idle(idle_time);
    let rounds: Vec<Figures> =
        (1..=ROUNDS).map(|round| measure_round(&mut room, &idle, round, count)).collect();
    let median = |figure: fn(&Figures) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Figures { cpu: median(|it| it.cpu), datagrams: median(|it| it.datagrams) }
}

/// Has three peers say `count` messages each, in this round, the first one being 1. `idle`: what the
/// room uses when nobody says anything.
fn measure_round(room: &mut Room, idle: &Used, round: usize, count: usize) -> Figures {
    // What a peer may say at once has to come back.
    thread::sleep(PAUSE);
    let before = room.usage();
    for author in 0..AUTHORS {
        for number in 0..count {
            room.peers[author].say(&text(author, number));
        }
    }
    let messages = AUTHORS * count;
    for peer in &mut room.peers {
        peer.wait_for_message_count(round * messages);
    }
    thread::sleep(FOLLOW_UP_TIME);
    let used = room.used_since(&before);
    let times = used.time.as_secs_f64() / idle.time.as_secs_f64();
    let cpu = used.cpu_of_all().as_secs_f64() - times * idle.cpu_of_all().as_secs_f64();
    let datagrams = used.datagrams as f64 - times * idle.datagrams as f64;
    let deliveries = messages * (room.peers.len() - 1);
    Figures { cpu: 1e6 * cpu / deliveries as f64, datagrams: datagrams / messages as f64 }
}
