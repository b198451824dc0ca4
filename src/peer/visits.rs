//! Asks peers whether they can be reached, without going into their room:
//! they answer a `ping` of anybody, and after a while the answer says by which
//! ways they hear who asks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout_at};

use super::sockets::{Datagram, Sockets};
use crate::model::{Heard, PeerId};
use crate::os::random_bytes;
use crate::wire::udp::{
    Control, Cookie, Glimpse, Identity, Packet, Peek, Ping, Pong, Room, Sealer, open,
};

/// Every peer is heard within this time, in rooms of up to 50 (heartbeats are
/// up to 2.2 s apart), and has then known this one for long enough to tell.
const LISTENING: Duration = Duration::from_secs(6);

/// They are asked so often.
const INTERVAL: Duration = Duration::from_millis(500);

/// Who has known somebody for less tells what is believed anyhow: 2 s, and
/// time for an answer to arrive.
const ACQUAINTED: Duration = Duration::from_millis(2_200);

/// Peers that are counted.
const MAX_PEERS: usize = 1_000;

/// Peers that are asked.
const MAX_ASKED: usize = 16;

/// Who is heard, by room, and who answers.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// In this room.
    pub(super) here: BTreeMap<PeerId, Neighbour>,
    /// In other open ones, by tag.
    pub(super) open: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// In other closed ones, by tag.
    pub(super) closed: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// Addresses of named hosts from which, or for which, somebody answers.
    pub(super) hosts: BTreeSet<SocketAddr>,
}

/// A peer in this room.
#[derive(Clone, Debug)]
pub(super) struct Neighbour {
    /// Once it has told it.
    pub(super) name: Option<String>,
    /// Where it sends from.
    pub(super) address: SocketAddr,
    /// It was asked, not only counted.
    pub(super) was_asked: bool,
    /// It has answered.
    pub(super) answers: bool,
    /// By which ways it hears this computer, once it can know.
    pub(super) hears: Option<Heard>,
}

/// Visits peers.
pub(super) struct Visits {
    /// Whose.
    room: Arc<Room>,
    /// Under this id, which is used for nothing else.
    me: PeerId,
    /// Makes datagrams.
    sealer: Sealer,
    /// What comes back from the addresses of hosts, and what for.
    hosts: BTreeMap<SocketAddr, Cookie>,
    /// What comes back from peers, and since when they answer.
    asked: BTreeMap<PeerId, (Cookie, Option<Instant>)>,
    /// What is known.
    around: Around,
}

impl Visits {
    /// Nobody has been asked yet.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub(super) fn new(
        room: &Arc<Room>,
        hosts: impl Iterator<Item = SocketAddr>,
    ) -> Result<Self, getrandom::Error> {
        let identity = Arc::new(Identity::new(random_bytes()?, random_bytes()?));
        let hosts = hosts.map(|it| Ok((it, Cookie(random_bytes()?))));
        Ok(Self {
            room: room.clone(),
            me: identity.signer().id,
            sealer: Sealer::new(identity, room.clone()),
            hosts: hosts.collect::<Result<_, getrandom::Error>>()?,
            asked: BTreeMap::new(),
            around: Around::default(),
        })
    }

    /// Listens, and asks whoever is heard.
    pub(super) async fn make(
        mut self,
        sockets: &Sockets,
        incoming: &mut mpsc::Receiver<io::Result<Datagram>>,
    ) -> Around {
        let end = Instant::now() + LISTENING;
        let mut ticks = interval(INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.ask(sockets).await,
                came = timeout_at(end, incoming.recv()) => match came {
                    Ok(Some(Ok(datagram))) if sockets.is_ours(&datagram) => {
                        self.note(&datagram, Instant::now());
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return self.around,
                },
            }
        }
    }

    /// One round of questions. What goes to all is an answer that nobody has
    /// asked for: it is dropped, but by which ways it came is noted.
    async fn ask(&mut self, sockets: &Sockets) {
        let nobody_s = Pong { cookie: Cookie([0; 8]), heard: Heard::NONE };
        let hosts = self.hosts.iter().map(|(address, cookie)| (*address, *cookie));
        let peers = self.asked.iter().filter_map(|(id, (cookie, _))| {
            self.around.here.get(id).map(|it| (it.address, *cookie))
        });
        let questions: Vec<_> = hosts.chain(peers).collect();
        self.send(sockets, &Control::Pong(nobody_s), Heard::ALL, &[]).await;
        for (address, cookie) in questions {
            let ping = Ping { cookie, heard: Heard::NONE };
            self.send(sockets, &Control::Ping(ping), Heard::NONE, &[address]).await;
        }
    }

    /// Sends one packet. What cannot be sent is not answered.
    async fn send(&mut self, sockets: &Sockets, it: &Control, ways: Heard, to: &[SocketAddr]) {
        if let Some(datagram) = self.sealer.control(it) {
            drop(sockets.send(&datagram, ways, to).await);
        }
    }

    /// Something has come.
    fn note(&mut self, datagram: &Datagram, now: Instant) {
        let Some(glimpse) = Glimpse::of(&datagram.bytes).filter(|it| it.sender != self.me) else {
            return;
        };
        if !glimpse.is_of(&self.room) {
            return self.note_stranger(glimpse);
        }
        // Whose an entry is says nothing about who is there.
        let is_entry = |peek| matches!(peek, Peek::Entry { .. });
        if let Ok((Packet::Control { sender, control, .. }, _)) =
            open(&datagram.bytes, &self.room, self.me, is_entry)
        {
            self.note_control(sender.id, datagram.from, control, now);
        }
    }

    /// Somebody in another room has been heard.
    fn note_stranger(&mut self, glimpse: Glimpse) {
        if self.count() >= MAX_PEERS {
            return;
        }
        let rooms =
            if glimpse.is_closed() { &mut self.around.closed } else { &mut self.around.open };
        rooms.entry(glimpse.room).or_default().insert(glimpse.sender);
    }

    /// How many are known.
    fn count(&self) -> usize {
        let others = self.around.open.values().chain(self.around.closed.values());
        self.around.here.len() + others.map(BTreeSet::len).sum::<usize>()
    }

    /// Somebody in this room has sent something.
    fn note_control(&mut self, id: PeerId, from: SocketAddr, control: Control, now: Instant) {
        if !self.around.here.contains_key(&id) {
            if self.count() >= MAX_PEERS {
                return;
            }
            let cookie = random_bytes().ok().filter(|_| self.asked.len() < MAX_ASKED);
            let was_asked = cookie.is_some();
            self.asked.extend(cookie.map(|it| (id, (Cookie(it), None))));
            let new =
                Neighbour { name: None, address: from, was_asked, answers: false, hears: None };
            self.around.here.insert(id, new);
        }
        let Some(neighbour) = self.around.here.get_mut(&id) else { return };
        match control {
            Control::Heartbeat(it) => neighbour.name = Some(it.username),
            Control::Pong(it) => {
                let mine = self.hosts.iter().filter(|(_, cookie)| **cookie == it.cookie);
                self.around.hosts.extend(mine.map(|(address, _)| *address));
                let Some((cookie, since)) = self.asked.get_mut(&id) else { return };
                if *cookie == it.cookie {
                    neighbour.answers = true;
                    let since = *since.get_or_insert(now);
                    if now.duration_since(since) >= ACQUAINTED {
                        neighbour.hears = Some(it.heard);
                    }
                }
            }
            _ => {}
        }
    }
}
