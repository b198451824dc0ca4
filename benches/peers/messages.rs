//! The cost of messages.

use std::thread;
use std::time::Duration;

use crate::room::Room;

/// Number of peers that write.
const AUTHORS: usize = 3;

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
/// them: 20 at once, then 25 a second. `idle_time`: for which it is measured idle before.
pub(crate) fn measure(peers: usize, is_closed: bool, count: usize, idle_time: Duration) -> Figures {
    let mut room = Room::start(peers, is_closed);
    let idle = room.used_idle(idle_time);
    let before = room.usage();
    for author in 0..AUTHORS {
        for number in 0..count {
            room.peers[author].say(&text(author, number));
        }
    }
    let messages = AUTHORS * count;
    for peer in &mut room.peers {
        peer.wait_for_message_count(messages);
    }
    thread::sleep(FOLLOW_UP_TIME);
    let used = room.used_since(&before);
    let times = used.time.as_secs_f64() / idle.time.as_secs_f64();
    let cpu = used.cpu_of_all().as_secs_f64() - times * idle.cpu_of_all().as_secs_f64();
    let datagrams = used.datagrams as f64 - times * idle.datagrams as f64;
    let deliveries = messages * (peers - 1);
    Figures { cpu: 1e6 * cpu / deliveries as f64, datagrams: datagrams / messages as f64 }
}
