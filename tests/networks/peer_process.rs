//! A running `chat-peer --json` that a test controls.

use std::fs;
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::json_process::JsonProcess;
use super::lab::Machine;

/// Maximum time to wait for anything that is expected.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between two queries of the same state.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A `chat-peer --json` process with everything that it has output. Dropping it kills the process.
pub(crate) struct PeerProcess {
    /// The process.
    process: JsonProcess,
    /// All objects taken from its output so far, each with its time of arrival.
    received: Vec<(Instant, Value)>,
    /// Number of queries sent, and id of the latest.
    queries: u64,
    /// Its home directory, which holds the key.
    home: Rc<TempDir>,
}

/// A message as a peer has shown it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShownMessage {
    /// Id of its author, in hexadecimal.
    pub(crate) author: String,
    /// Its sequence in the author's log.
    pub(crate) sequence: u64,
    /// Its Lamport counter.
    pub(crate) lamport: u64,
    /// Its text.
    pub(crate) text: String,
    /// True if it is marked as late.
    pub(crate) is_late: bool,
}

impl PeerProcess {
    /// Starts a peer with a new home directory. Does not wait until it has joined.
    pub(crate) fn start(machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        Self::start_at(Rc::new(tempfile::tempdir().unwrap()), machine, name, arguments)
    }

    /// Starts a peer and waits until it has joined the room.
    pub(crate) fn join(machine: &Machine, name: &str) -> Self {
        let mut peer = Self::start(machine, name, &[]);
        peer.wait_for_type("admitted");
        peer
    }

    /// Starts a peer with this home directory.
    fn start_at(home: Rc<TempDir>, machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        let mut command = machine.command(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().env("HOME", home.path());
        command.args(["--json", "--name", name]).args(arguments);
        let process = JsonProcess::start(command.stderr(Stdio::null()));
        Self { process, received: Vec::new(), queries: 0, home }
    }

    /// Kills the process and starts a new one with the same home directory, and so with the same
    /// key.
    pub(crate) fn kill_and_restart(mut self, machine: &Machine, name: &str) -> Self {
        self.process.kill();
        Self::start_at(self.home.clone(), machine, name, &[])
    }

    /// Sends a signal to the process.
    pub(crate) fn send_signal(&self, signal: Signal) {
        self.process.send_signal(signal);
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU time used so far: fields 14 and 15 of `/proc/…/stat`, in hundredths of a second.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Writes a request.
    fn send(&mut self, request: &Value) {
        self.process.send(request);
    }

    /// Says a message. Does not wait until it is shown.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(&json!({"type": "say", "text": text}));
    }

    /// Leaves, waits until the process says that it ends, and returns that object.
    pub(crate) fn quit(&mut self) -> Value {
        self.send(&json!({"type": "quit"}));
        self.wait_for_type("end")
    }

    /// Returns the first object that matches, among those received and those to come. Panics with
    /// the transcript, naming `expected`, after [`PATIENCE`].
    pub(crate) fn wait_for(&mut self, expected: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.received.iter().map(|(_, it)| it).find(|it| is_wanted(it)).cloned();
        let end = Instant::now() + PATIENCE;
        found.unwrap_or_else(|| {
            loop {
                let object = self.next(end, expected);
                if is_wanted(&object) {
                    return object;
                }
            }
        })
    }

    /// Takes the next object from the output, and keeps a copy in `received`. Panics with the
    /// transcript if none comes until `end`.
    fn next(&mut self, end: Instant, expected: &str) -> Value {
        match self.process.next(end) {
            Some(item) => {
                let object = item.1.clone();
                self.received.push(item);
                object
            }
            None => panic!("not {expected}, but: {}", self.transcript()),
        }
    }

    /// Everything received so far, with seconds since the first object, for failure messages.
    fn transcript(&self) -> String {
        let line = |(when, it): &(Instant, Value)| {
            format!("\n{:7.3} {it}", when.duration_since(self.received[0].0).as_secs_f64())
        };
        self.received.iter().map(line).collect()
    }

    /// Returns the first object of this type, among those received and those to come, like
    /// [`Self::wait_for`].
    pub(crate) fn wait_for_type(&mut self, kind: &str) -> Value {
        self.wait_for(kind, |it| it["type"] == kind)
    }

    /// Returns true if an object of this type was taken from the output so far.
    pub(crate) fn has_received(&self, kind: &str) -> bool {
        self.received.iter().any(|(_, it)| it["type"] == kind)
    }

    /// Waits until messages with all these texts were shown, before or after the call.
    pub(crate) fn wait_for_messages(&mut self, texts: &[impl AsRef<str>]) {
        for text in texts.iter().map(AsRef::as_ref) {
            self.wait_for(text, |it| it["type"] == "message" && it["text"] == text);
        }
    }

    /// Sends a query and returns its answer, an object of the type `answer`. Panics after
    /// [`PATIENCE`].
    fn query(&mut self, query: &str, answer: &str) -> Value {
        self.queries += 1;
        let id = self.queries;
        self.send(&json!({"type": query, "id": id}));
        let end = Instant::now() + PATIENCE;
        loop {
            let object = self.next(end, answer);
            if object["type"] == answer && object["id"] == id {
                // The answer is not part of the transcript.
                self.received.pop();
                return object;
            }
        }
    }

    /// Repeats a query until `accept` returns a value for its answer, and returns the value. Panics
    /// after [`PATIENCE`]. `expected` describes that for the failure message.
    fn poll_until<T>(
        &mut self,
        query: &str,
        answer: &str,
        expected: &str,
        accept: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer_object = self.query(query, answer);
            if let Some(outcome) = accept(&answer_object) {
                return outcome;
            }
            assert!(
                Instant::now() < end,
                "not {expected}, but {answer_object}: {}",
                self.transcript()
            );
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the roster has exactly these names, peers known through others only included.
    pub(crate) fn wait_for_members(&mut self, names: &[&str]) {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        self.poll_until("members", "roster", &format!("{wanted:?}"), |it| {
            let names = it["names"].as_array()?.iter();
            let mut names: Vec<_> = names.filter_map(Value::as_str).collect();
            names.sort_unstable();
            (names == wanted).then_some(())
        });
    }

    /// Waits until all of these are among the members of the room.
    pub(crate) fn wait_until_present(&mut self, names: &[&str]) {
        self.poll_until("members", "roster", &format!("{names:?} present"), |it| {
            let present: Vec<_> =
                it["names"].as_array()?.iter().filter_map(Value::as_str).collect();
            names.iter().all(|it| present.contains(it)).then_some(())
        });
    }

    /// Waits until the roster has this note on a member: the kind of the note, and the name of the
    /// peer through which the member is known.
    pub(crate) fn wait_for_note(&mut self, name: &str, note: &str, through: Option<&str>) {
        let wanted = json!({"name": name, "note": note, "through": through});
        self.poll_until("members", "roster", &wanted.to_string(), |it| {
            it["notes"].as_array()?.contains(&wanted).then_some(())
        });
    }

    /// Returns true if a notice with this code was taken from the output so far.
    pub(crate) fn has_notice(&self, code: u16) -> bool {
        self.received.iter().any(|(_, it)| it["type"] == "notice" && it["code"] == code)
    }

    /// Waits until exactly `others` peers are reached by the path `how`.
    pub(crate) fn wait_for_reach(&mut self, others: usize, how: &str) {
        self.poll_until("peers", "peers", &format!("{others} reached by {how}"), |it| {
            let peers = it["peers"].as_array()?.iter();
            (peers.filter(|it| it["reach"] == how).count() == others).then_some(())
        });
    }

    /// All messages taken from the output so far, history included, in the order in which they were
    /// shown.
    pub(crate) fn messages(&self) -> Vec<ShownMessage> {
        let messages = self.received.iter().map(|(_, it)| it).filter(|it| it["type"] == "message");
        messages
            .map(|it| ShownMessage {
                author: it["session"].as_str().unwrap().to_owned(),
                sequence: it["seq"].as_u64().unwrap(),
                lamport: it["lamport"].as_u64().unwrap(),
                text: it["text"].as_str().unwrap().to_owned(),
                is_late: it["late"] == true,
            })
            .collect()
    }

    /// Waits until at least `count` messages, history included, were shown. Returns the times of
    /// arrival of all. Panics after twice [`PATIENCE`].
    pub(crate) fn wait_for_message_count(&mut self, count: usize) -> Vec<Instant> {
        let is_message = |it: &Value| it["type"] == "message";
        let mut shown = self.received.iter().filter(|(_, it)| is_message(it)).count();
        let end = Instant::now() + 2 * PATIENCE;
        while shown < count {
            shown += usize::from(is_message(&self.next(end, "all messages")));
        }
        self.received.iter().filter(|(_, it)| is_message(it)).map(|(when, _)| *when).collect()
    }

    /// Reads everything that the process has output until now: sends a query and waits for its
    /// answer.
    pub(crate) fn read_pending(&mut self) {
        self.query("members", "roster");
    }
}

/// Starts a peer on each machine, one after the other, and waits until each sees all members.
pub(crate) fn join_all<const N: usize>(machines: &[Machine], names: [&str; N]) -> [PeerProcess; N] {
    let mut machines = machines.iter();
    let mut peers = names.map(|name| PeerProcess::join(machines.next().unwrap(), name));
    for peer in &mut peers {
        peer.wait_for_members(&names);
    }
    peers
}

/// Has a peer say `count` messages, `{word} 0` and so on. Returns their texts.
pub(crate) fn say_numbered(peer: &mut PeerProcess, word: &str, count: usize) -> Vec<String> {
    let texts: Vec<_> = (0..count).map(|number| format!("{word} {number}")).collect();
    for text in &texts {
        peer.say(text);
    }
    texts
}
