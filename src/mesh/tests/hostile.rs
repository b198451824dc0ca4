//! One peer among liars, strangers and recordings.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Unsigned;
use crate::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings};
use crate::model::{
    Event, Lamport, Moment, Path, PathSet, PeerId, RoomClock, RoomName, Timestamp, Username,
};
use crate::wire::udp::*;

/// Somebody of whom each packet is made by hand.
struct Liar {
    /// Who it is.
    signer: Signer,
    /// Where it sends from.
    address: SocketAddr,
    /// Its last counter.
    counter: u64,
}

impl Liar {
    /// One of many.
    fn new(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        let mut key = [0; 32];
        key[..3].copy_from_slice(&[1, high, low]);
        let signer = Signer::new(key, [9; 8]);
        Self { signer, address: SocketAddr::from(([10, 1, high, low], 9)), counter: 0 }
    }

    /// The same, from an address that many share.
    fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// An entry of its own.
    fn entry(&self, sequence: u32, lamport: u64) -> Arc<Entry> {
        let fields = EntryFields {
            sequence,
            lamport: Lamport(lamport),
            time: Timestamp(0),
            username: "liar".to_owned(),
            style: 0,
            text: format!("{sequence}"),
        };
        Arc::new(Entry::with_signature(self.signer, fields, [0; 64]))
    }
}

/// Something that was sent.
#[derive(Debug)]
struct Sent {
    /// By which ways.
    paths: PathSet,
    /// Where to.
    addresses: Vec<SocketAddr>,
    /// What.
    packet: Outgoing,
}

/// The peer, and what it has done.
struct Lab {
    /// It.
    mesh: Mesh,
    /// Milliseconds since the beginning.
    now: u64,
    /// When it wants to wake.
    wake: Option<Moment>,
    /// How often it was woken.
    wakes: usize,
    /// What it has sent.
    sent: Vec<Sent>,
    /// What it has shown.
    events: Vec<Event>,
    /// How it ended.
    end: Option<End>,
}

/// Another room's view of time than ours is of no interest here.
const SHORT: u64 = 3_000;

impl Lab {
    /// A candidate.
    fn candidate() -> Self {
        let settings = Settings {
            username: Username::new("anna").unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask: false,
            secret: [7; 32],
        };
        let signer = Signer::new([200; 32], [200; 8]);
        let now = Now { moment: Moment::START, time: Timestamp(0) };
        let mesh = Mesh::new(settings, Box::new(Unsigned(signer)), now);
        let (sent, events) = (Vec::new(), Vec::new());
        let mut lab = Self { mesh, now: 0, wake: None, wakes: 0, sent, events, end: None };
        lab.collect();
        lab
    }

    /// A member that is alone.
    fn alone() -> Self {
        let mut lab = Self::candidate();
        lab.pass(SHORT);
        lab.sent.clear();
        lab
    }

    /// What clocks show.
    fn now(&self) -> Now {
        let moment = Moment::after_start(Duration::from_millis(self.now));
        Now { moment, time: Timestamp(self.now) }
    }

    /// What the room clock of a room shows that the peer was the first of.
    fn clock(&self) -> RoomClock {
        RoomClock(self.now.saturating_sub(2_000))
    }

    /// Does what the peer wants done.
    fn collect(&mut self) {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    self.sent.push(Sent { paths, addresses, packet });
                }
                Output::Event(event) => self.events.push(event),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Finished(end) => self.end = Some(end),
            }
        }
    }

    /// Gives the peer an input.
    fn give(&mut self, input: Input) {
        self.mesh.handle_input(self.now(), input);
        self.collect();
    }

    /// Lets so many milliseconds pass, as the driver does.
    fn pass(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += 1;
            if self
                .wake
                .take_if(|at| *at <= Moment::after_start(Duration::from_millis(self.now)))
                .is_some()
            {
                self.wakes += 1;
                self.give(Input::Wake);
            }
        }
    }

    /// A control packet comes, of the size that it would have.
    fn hear(&mut self, who: &mut Liar, control: Control) {
        who.counter += 1;
        let (sender, counter, size) = (who.signer, who.counter, control.datagram_len());
        let packet = Packet::Control { sender, counter, control };
        self.give(Input::Received { from: who.address, path: Some(Path::GroupV4), size, packet });
    }

    /// An entry comes.
    fn hear_entry(&mut self, who: &Liar, entry: Arc<Entry>) {
        let (size, packet) = (entry.datagram_len(), Packet::Entry { sender: who.signer.id, entry });
        self.give(Input::Received { from: who.address, path: Some(Path::GroupV4), size, packet });
    }

    /// A heartbeat of somebody with this name and page.
    fn beat(&mut self, who: &mut Liar, name: &str, sequence: u32, page: Vec<PageItem>) {
        let (clock, time) = (self.clock(), Timestamp(self.now));
        let (username, since) = (name.to_owned(), clock);
        let beat = Heartbeat { clock, since, username, time, members: 2, sequence, page };
        self.hear(who, Control::Heartbeat(beat));
    }

    /// Sends back the cookies that went to this address since then.
    fn answer(&mut self, who: &mut Liar, since: usize) -> bool {
        let cookies: Vec<Cookie> = self.sent[since..]
            .iter()
            .filter(|it| it.addresses.contains(&who.address))
            .filter_map(|it| match &it.packet {
                Outgoing::Control(Control::Ping(it)) => Some(it.cookie),
                Outgoing::Control(Control::Agree(it)) => Some(it.cookie),
                _ => None,
            })
            .collect();
        for cookie in &cookies {
            self.hear(who, Control::Pong(Pong { cookie: *cookie, heard: PathSet(1) }));
        }
        !cookies.is_empty()
    }

    /// Somebody comes in by the front door. False where nobody agrees.
    fn admit(&mut self, who: &mut Liar, name: &str) -> bool {
        let before = self.sent.len();
        let nonce = Nonce(who.signer.id.0);
        self.hear(who, Control::Announce(Announce::new(nonce, name.to_owned(), vec![])));
        self.pass(150);
        let has_answered = self.answer(who, before);
        self.beat(who, name, 0, vec![]);
        has_answered
    }

    /// Bytes sent to an address alone.
    fn bytes_to(&self, address: SocketAddr) -> usize {
        let sent = self.sent.iter().filter(|it| it.addresses.contains(&address));
        sent.map(|it| len(&it.packet)).sum()
    }

    /// Packets sent for which this holds.
    fn count(&self, is_it: impl Fn(&Control) -> bool) -> usize {
        let controls = self.sent.iter().filter_map(|it| match &it.packet {
            Outgoing::Control(control) => Some(control),
            Outgoing::Entry(_) => None,
        });
        controls.filter(|it| is_it(it)).count()
    }

    /// Texts that were shown.
    fn texts(&self) -> Vec<&str> {
        let texts = self.events.iter().filter_map(|it| match it {
            Event::Message(it) => Some(it.text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Names of members, the peer included.
    fn names(&self) -> BTreeSet<String> {
        self.mesh.report(self.now()).into_iter().map(|it| it.name).collect()
    }
}

/// How long a datagram is.
fn len(packet: &Outgoing) -> usize {
    match packet {
        Outgoing::Control(control) => control.datagram_len(),
        Outgoing::Entry(entry) => entry.datagram_len(),
    }
}

/// An agreement of somebody who has been here for as long as can be.
fn agree(lab: &Lab, who: &Liar, nonce: Nonce, flags: u8, lamport: u64) -> Control {
    Control::Agree(Agree {
        nonce,
        cookie: Cookie([1; 8]),
        flags,
        heard: PathSet(1),
        clock: RoomClock(1_000_000 + lab.now),
        since: RoomClock(0),
        username: format!("member {}", who.address),
        members: 2,
        lamport: Lamport(lamport),
        time: Timestamp(0),
    })
}

/// The nonce of the candidate.
fn nonce(lab: &Lab) -> Nonce {
    let nonce = |it: &Sent| match &it.packet {
        Outgoing::Control(Control::Announce(it)) => Some(it.nonce),
        _ => None,
    };
    lab.sent.iter().find_map(nonce).unwrap()
}

/// The one who is asked for the history does not answer, and nobody else
/// sends anything: after three requests one goes on without, although
/// something was heard of that is to be asked for later.
#[test]
fn wakes_while_recalling() {
    let mut lab = Lab::candidate();
    let mut oldest = Liar::new(1);
    let agree = agree(&lab, &oldest, nonce(&lab), 0, 0);
    lab.hear(&mut oldest, agree);
    lab.pass(2_100);
    let (clock, time) = (RoomClock(1_002_100), Timestamp(0));
    let (username, since) = ("oldest".to_owned(), RoomClock(0));
    let beat = Heartbeat { clock, since, username, time, members: 2, sequence: 5, page: vec![] };
    lab.hear(&mut oldest, Control::Heartbeat(beat));
    lab.pass(2_000);
    assert_eq!(lab.count(|it| matches!(it, Control::Recall(_))), 3);
    assert!(lab.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
    assert!(lab.wake.is_some() && lab.wakes < 100, "{}", lab.wakes);
}

/// However many one stranger invents, an honest newcomer comes in.
#[test]
fn invented_strangers() {
    let mut lab = Lab::alone();
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    for number in 0..2_000 {
        let mut stranger = Liar::new(number).at(crowd);
        let nonce = Nonce(stranger.signer.id.0);
        let announce = Announce::new(nonce, format!("s{number}"), vec![]);
        lab.hear(&mut stranger, Control::Announce(announce));
    }
    let mut honest = Liar::new(5_000);
    assert!(lab.admit(&mut honest, "bert"));
    assert!(lab.names().contains("bert"));
}

/// The same while the stranger goes on: somebody who is heard is not pushed
/// out before it can answer a ping.
#[test]
fn invented_strangers_all_the_time() {
    let mut lab = Lab::alone();
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    let mut honest = Liar::new(5_000);
    let before = lab.sent.len();
    lab.beat(&mut honest, "bert", 0, vec![]);
    for number in 0..3_000 {
        let mut stranger = Liar::new(number).at(crowd);
        lab.beat(&mut stranger, "stranger", 0, vec![]);
        lab.pass(1);
    }
    assert!(lab.answer(&mut honest, before));
    assert!(lab.names().contains("bert"));
}

/// A page full of peers that do not exist, again and again.
fn list_phantoms(lab: &mut Lab, liar: &mut Liar, beats: u16) {
    for beat in 0..beats {
        let item = |number: u16| PageItem {
            author: Liar::new(10_000 + beat * 60 + number).signer.id,
            have: u32::MAX,
            ago: 0,
        };
        lab.beat(liar, "liar", 0, (0..60).map(item).collect());
        lab.pass(20);
    }
}

/// Who lists thousands that do not exist keeps nobody out, and is not asked
/// for the addresses of all of them.
#[test]
fn listed_phantoms() {
    let mut lab = Lab::alone();
    let mut liar = Liar::new(1);
    assert!(lab.admit(&mut liar, "liar"));
    list_phantoms(&mut lab, &mut liar, 150);
    lab.pass(5_000);
    assert!(lab.count(|it| matches!(it, Control::Where(_))) <= 128 * 3);
    let mut honest = Liar::new(5_000);
    assert!(lab.admit(&mut honest, "bert"));
    assert!(lab.names().contains("bert"));
}

/// Ever new strangers that ask their persons, or seem to be old, keep nobody
/// outside for ever.
#[test]
fn a_candidate_comes_in() {
    let mut lab = Lab::candidate();
    let nonce = nonce(&lab);
    for number in 0..60 {
        let mut asking = Liar::new(number);
        let agree = agree(&lab, &asking, nonce, Agree::ASKING, 0);
        lab.hear(&mut asking, agree);
        lab.beat(&mut Liar::new(number + 1_000), "old", 0, vec![]);
        lab.pass(1_000);
    }
    assert!(lab.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
}

/// A room of which the oldest member is this one.
fn recalling(oldest: &mut Liar, lamport: u64) -> Lab {
    let mut lab = Lab::candidate();
    let agree = agree(&lab, oldest, nonce(&lab), 0, lamport);
    lab.hear(oldest, agree);
    lab.pass(2_100);
    lab
}

/// The oldest member tells a page of the history.
fn recent(lab: &mut Lab, oldest: &mut Liar, pages: u16, entries: &[(PeerId, u32)], marks: &[Mark]) {
    let asked = lab.sent.iter().rev().find_map(|it| match &it.packet {
        Outgoing::Control(Control::Recall(it)) => Some(*it),
        _ => None,
    });
    let Recall { nonce, page } = asked.unwrap();
    let entries =
        entries.iter().map(|(author, sequence)| EntryId { author: *author, sequence: *sequence });
    let (entries, marks) = (entries.collect(), marks.to_vec());
    lab.hear(oldest, Control::Recent(Recent { nonce, page, pages, entries, marks }));
}

/// A history without end ends.
#[test]
fn a_history_without_end() {
    let mut oldest = Liar::new(1);
    let mut lab = recalling(&mut oldest, 0);
    for _ in 0..18 {
        recent(&mut lab, &mut oldest, u16::MAX, &[], &[]);
        lab.pass(1);
    }
    assert!(lab.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
}

/// Who floods a newcomer does not keep it from its history.
#[test]
fn a_crowded_history() {
    let mut oldest = Liar::new(1);
    let mut lab = recalling(&mut oldest, 0);
    for sequence in 100..400 {
        let entry = oldest.entry(sequence, sequence.into());
        lab.hear_entry(&oldest, entry);
    }
    let author = oldest.signer.id;
    recent(&mut lab, &mut oldest, 1, &[(author, 7)], &[Mark { author, have: 7 }]);
    let entry = oldest.entry(7, 7);
    lab.hear_entry(&oldest, entry);
    lab.pass(500);
    assert_eq!(lab.texts()[0], "7");
}

/// Who was alone while a liar has pushed the counter of the others, and
/// cannot get those entries any more, still hears what is said.
#[test]
fn a_pushed_counter() {
    let mut lab = Lab::alone();
    let mut bert = Liar::new(1);
    assert!(lab.admit(&mut bert, "bert"));
    lab.pass(5_000);
    lab.beat(&mut bert, "bert", 0, vec![]);
    let pushed = bert.entry(1, 6 * 65_000);
    lab.hear_entry(&bert, pushed);
    lab.pass(1_100);
    assert_eq!(lab.texts(), ["1"]);
    // But nobody gets it to its end.
    let end = bert.entry(2, (1 << 48) - 1);
    lab.hear_entry(&bert, end);
    lab.pass(1_100);
    assert_eq!(lab.texts(), ["1"]);
}

/// One liar among three makes a newcomer neither deaf nor dumb, and does not
/// stand at the end of its history for ever.
#[test]
fn a_false_counter() {
    for false_counter in [0, (1 << 48) - 1] {
        let mut lab = Lab::candidate();
        let mut others = [Liar::new(1), Liar::new(2), Liar::new(3)];
        for (it, counter) in others.iter_mut().zip([10_000_000, false_counter, 10_000_003]) {
            let agree = agree(&lab, it, nonce(&lab), 0, counter);
            lab.hear(it, agree);
        }
        lab.pass(2_100);
        let mut asked = lab.sent.iter().rev();
        let asked = asked.find(|it| matches!(it.packet, Outgoing::Control(Control::Recall(_))));
        let asked = asked.unwrap().addresses[0];
        let oldest = others.iter_mut().find(|it| it.address == asked).unwrap();
        let names = [(oldest.signer.id, 6), (oldest.signer.id, 7)];
        for (sequence, lamport) in [(6, 10_000_002), (7, (1 << 48) - 1)] {
            let entry = oldest.entry(sequence, lamport);
            lab.hear_entry(oldest, entry);
        }
        recent(&mut lab, oldest, 1, &names, &[Mark { author: oldest.signer.id, have: 7 }]);
        lab.pass(500);
        assert_eq!(lab.texts(), ["6"], "{false_counter}");
    }
}

/// Whoever gives a newcomer its history cannot make it deaf to those who are
/// there.
#[test]
fn a_false_floor() {
    let (mut oldest, mut bert) = (Liar::new(1), Liar::new(2));
    let mut lab = recalling(&mut oldest, 0);
    let mark = Mark { author: bert.signer.id, have: u32::MAX };
    recent(&mut lab, &mut oldest, 1, &[], &[mark]);
    lab.pass(500);
    assert!(lab.admit(&mut bert, "bert"));
    lab.beat(&mut bert, "bert", 0, vec![]);
    let entry = bert.entry(1, 1);
    lab.hear_entry(&bert, entry);
    lab.pass(100);
    assert_eq!(lab.texts(), ["1"]);
}

/// What a liar says that an author will write makes nobody believe that the
/// author has lost it when it is written.
#[test]
fn written_before_its_time() {
    let mut lab = Lab::alone();
    let (mut bert, mut liar) = (Liar::new(1), Liar::new(2));
    assert!(lab.admit(&mut bert, "bert") && lab.admit(&mut liar, "liar"));
    let author = bert.signer.id;
    let lie = |have| vec![PageItem { author, have, ago: 0 }];
    for _ in 0..4 {
        let before = lab.sent.len();
        lab.beat(&mut bert, "bert", 0, vec![]);
        lab.beat(&mut liar, "liar", 0, lie(u32::MAX));
        lab.pass(1_000);
        let asked = lab.sent[before..].iter().filter(|it| it.addresses.contains(&bert.address));
        let is_want = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Want(_)));
        if asked.filter(is_want).count() > 0 {
            let ranges = vec![EntryRange { author, first: 1, last: 64 }];
            lab.hear(&mut bert, Control::Lost(Lost { ranges }));
        }
    }
    // The first one is lost on its way, and bert has it.
    let entry = bert.entry(2, 2);
    lab.hear_entry(&bert, entry);
    lab.beat(&mut bert, "bert", 2, vec![]);
    lab.sent.clear();
    for _ in 0..5 {
        lab.beat(&mut bert, "bert", 2, vec![]);
        lab.beat(&mut liar, "liar", 0, lie(u32::MAX));
        lab.pass(1_000);
    }
    let is_want = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Want(_)));
    let to_bert = lab.sent.iter().filter(|it| it.addresses.contains(&bert.address));
    assert!(to_bert.filter(is_want).count() > 0);
}

/// A member of the room lists somebody that sends nothing but what it has
/// made itself, from an address that is another's: that one gets no copies
/// of what is said, and no more requests than it has sent bytes for.
#[test]
fn a_victim_gets_no_copies() {
    let mut lab = Lab::alone();
    let (mut liar, mut puppet) = (Liar::new(1), Liar::new(2));
    assert!(lab.admit(&mut liar, "liar"));
    let item = PageItem { author: puppet.signer.id, have: 0, ago: 0 };
    let mut sent = 0;
    let before = lab.sent.len();
    for _ in 0..10 {
        lab.beat(&mut liar, "liar", 0, vec![item]);
        lab.beat(&mut puppet, "puppet", 0, vec![]);
        lab.hear(&mut puppet, Control::Ping(Ping { cookie: Cookie([1; 8]), heard: PathSet(0) }));
        sent += 137 * 2 + 5;
        lab.pass(2_000);
    }
    assert!(lab.names().contains("puppet"));
    lab.sent.drain(..before);
    let is_copy = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Heartbeat(_)));
    let to_victim = lab.sent.iter().filter(|it| it.addresses.contains(&puppet.address));
    assert_eq!(to_victim.filter(is_copy).count(), 0);
    assert!(lab.bytes_to(puppet.address) <= sent * 2, "{}", lab.bytes_to(puppet.address));
    let is_heard = |it: &&Sent| it.paths.has(Path::GroupV4) || it.addresses.contains(&liar.address);
    let beats = lab.sent.iter().filter(is_copy).filter(is_heard).count();
    assert!(beats >= 8, "all others still hear of one: {beats}");
}

/// One recorded heartbeat makes one ping.
#[test]
fn a_recording_gets_one_ping() {
    let mut lab = Lab::alone();
    let mut gone = Liar::new(1);
    lab.beat(&mut gone, "gone", 0, vec![]);
    lab.pass(40_000);
    assert_eq!(lab.count(|it| matches!(it, Control::Ping(_))), 1);
}

/// Many announces of one name from a victim's address do not make as many
/// objections each time that a liar announces it, too.
#[test]
fn rivals_are_told_once() {
    let mut lab = Lab::alone();
    let victim = SocketAddr::from(([10, 0, 0, 99], 9));
    let mut rivals: Vec<Liar> = (0..100).map(|it| Liar::new(it).at(victim)).collect();
    rivals.sort_by_key(|it| it.signer.id);
    let mut winner = rivals.remove(0).at(SocketAddr::from(([10, 0, 0, 66], 6)));
    let announce = |it: &Liar| {
        Control::Announce(Announce::new(Nonce(it.signer.id.0), "bert".to_owned(), vec![]))
    };
    let control = announce(&winner);
    lab.hear(&mut winner, control);
    lab.pass(150);
    for rival in &mut rivals {
        let control = announce(rival);
        lab.hear(rival, control);
    }
    assert!(lab.answer(&mut winner, 0));
    for _ in 0..50 {
        let control = announce(&winner);
        lab.hear(&mut winner, control);
    }
    assert!(lab.count(|it| matches!(it, Control::Object(_))) <= rivals.len());
}

/// Who has missed a goodbye does not bring the one back who has gone.
#[test]
fn a_goodbye_that_somebody_missed() {
    for shift in 0..10 {
        let mut lab = Lab::alone();
        let (mut bert, mut carl) = (Liar::new(1), Liar::new(2));
        assert!(lab.admit(&mut bert, "bert") && lab.admit(&mut carl, "carl"));
        lab.beat(&mut bert, "bert", 0, vec![]);
        let heard = lab.now;
        lab.pass(50 * shift);
        lab.hear(&mut bert, Control::Bye(Bye {}));
        for _ in 0..30 {
            lab.pass(97);
            let ago = u8::try_from((lab.now - heard) / 500).unwrap();
            let item = PageItem { author: bert.signer.id, have: 0, ago };
            lab.beat(&mut carl, "carl", 0, vec![item]);
            assert!(!lab.names().contains("bert"), "after {} ms", lab.now - heard);
        }
    }
}

/// A newcomer whose cookie was lost is asked for another as soon as it wants
/// its history, for it asks three times only.
#[test]
fn a_lost_cookie() {
    let mut lab = Lab::alone();
    let mut bert = Liar::new(1);
    let nonce = Nonce([3; 8]);
    lab.hear(&mut bert, Control::Announce(Announce::new(nonce, "bert".to_owned(), vec![])));
    lab.pass(2_000);
    lab.beat(&mut bert, "bert", 0, vec![]);
    let before = lab.sent.len();
    lab.hear(&mut bert, Control::Recall(Recall { nonce, page: 0 }));
    assert!(lab.answer(&mut bert, before));
    lab.hear(&mut bert, Control::Recall(Recall { nonce, page: 0 }));
    assert_eq!(lab.count(|it| matches!(it, Control::Recent(_))), 1);
}

/// A machine that falls asleep while it joins begins anew: what it has heard
/// is old.
#[test]
fn asleep_while_joining() {
    let mut lab = Lab::candidate();
    lab.pass(1_000);
    lab.now += 20_000;
    lab.pass(1_000);
    assert!(lab.end.is_none() && lab.events.is_empty(), "{:?}", lab.events);
    lab.pass(1_500);
    assert!(lab.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
    assert!(lab.count(|it| matches!(it, Control::Announce(_))) >= 8);
}

/// With more members than a page holds, everybody gets its turn.
#[test]
fn everybody_is_listed() {
    let mut lab = Lab::alone();
    let mut liars: Vec<Liar> = (0..100).map(Liar::new).collect();
    for number in 0..liars.len() {
        let name = format!("m{number}");
        assert!(lab.admit(&mut liars[number], &name));
        for (other, liar) in liars.iter_mut().enumerate().take(number) {
            lab.beat(liar, &format!("m{other}"), 0, vec![]);
        }
    }
    lab.sent.clear();
    for _ in 0..4 {
        for (number, liar) in liars.iter_mut().enumerate() {
            lab.beat(liar, &format!("m{number}"), 0, vec![]);
        }
        lab.pass(2_500);
    }
    let pages: Vec<BTreeSet<PeerId>> = lab
        .sent
        .iter()
        .filter_map(|it| match &it.packet {
            Outgoing::Control(Control::Heartbeat(it)) if it.page.len() == 60 => {
                Some(it.page.iter().map(|it| it.author).collect())
            }
            _ => None,
        })
        .collect();
    assert!(pages.len() >= 2);
    for two in pages.windows(2) {
        assert_eq!(two[0].union(&two[1]).count(), 100);
    }
}
