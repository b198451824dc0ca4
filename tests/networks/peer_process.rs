//! Somebody with a `chat-peer --json`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::lab::Machine;

/// Whatever takes longer than this does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Between two queries about the same.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A process and everything that it has received. It is killed when this is
/// dropped.
pub(crate) struct PeerProcess {
    /// `chat-peer`.
    child: Child,
    /// What it is asked.
    input: ChildStdin,
    /// What it tells, and when that item.
    output: Receiver<(Instant, Value)>,
    /// All of it so far.
    received: Vec<(Instant, Value)>,
    /// Questions so far.
    queries: u64,
    /// Where its key is.
    home: Rc<TempDir>,
}

/// A message as somebody was shown it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShownMessage {
    /// Its author's number.
    pub(crate) author: u64,
    /// Its number among those of the author.
    pub(crate) sequence: u64,
    /// What it says.
    pub(crate) text: String,
    /// It is marked as late.
    pub(crate) is_late: bool,
}

impl PeerProcess {
    /// Starts it, with a home of its own.
    pub(crate) fn start(machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        Self::start_at(Rc::new(tempfile::tempdir().unwrap()), machine, name, arguments)
    }

    /// Starts it and waits until it is in the room.
    pub(crate) fn join(machine: &Machine, name: &str) -> Self {
        let mut peer = Self::start(machine, name, &[]);
        peer.wait_for_type("admitted");
        peer
    }

    /// Starts it in this home.
    fn start_at(home: Rc<TempDir>, machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        let mut command = machine.command(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().env("HOME", home.path());
        command.args(["--json", "--name", name]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdout, input) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let object = serde_json::from_str(&line).unwrap();
                if sender.send((Instant::now(), object)).is_err() {
                    return;
                }
            }
        });
        Self { child, input, output, received: Vec::new(), queries: 0, home }
    }

    /// Ends it as a power cut would, and starts it again in the same home.
    pub(crate) fn kill_and_restart(mut self, machine: &Machine, name: &str) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Self::start_at(self.home.clone(), machine, name, &[])
    }

    /// Sends a signal.
    pub(crate) fn send_signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How long it has been computing: fields 14 and 15 of its `stat`, in
    /// hundredths of a second.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Asks for something.
    fn send(&mut self, request: &Value) {
        writeln!(self.input, "{request}").unwrap();
    }

    /// Says something.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(&json!({"type": "say", "text": text}));
    }

    /// The first object that is wanted, of those that have come or come
    /// still.
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

    /// The next object; it is kept, too.
    fn next(&mut self, end: Instant, expected: &str) -> Value {
        match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(item) => {
                let object = item.1.clone();
                self.received.push(item);
                object
            }
            Err(_) => panic!("not {expected}, but: {}", self.transcript()),
        }
    }

    /// What has come so far, with times since the first.
    fn transcript(&self) -> String {
        let line = |(when, it): &(Instant, Value)| {
            format!("\n{:7.3} {it}", when.duration_since(self.received[0].0).as_secs_f64())
        };
        self.received.iter().map(line).collect()
    }

    /// The first object of this type.
    pub(crate) fn wait_for_type(&mut self, kind: &str) -> Value {
        self.wait_for(kind, |it| it["type"] == kind)
    }

    /// Whether an object of this type has come so far.
    pub(crate) fn has_received(&self, kind: &str) -> bool {
        self.received.iter().any(|(_, it)| it["type"] == kind)
    }

    /// Waits until all these have been shown.
    pub(crate) fn wait_for_messages(&mut self, texts: &[impl AsRef<str>]) {
        for text in texts.iter().map(AsRef::as_ref) {
            self.wait_for(text, |it| it["type"] == "message" && it["text"] == text);
        }
    }

    /// Asks, and waits for the answer of this type.
    fn query(&mut self, query: &str, answer: &str) -> Value {
        self.queries += 1;
        let id = self.queries;
        self.send(&json!({"type": query, "id": id}));
        let end = Instant::now() + PATIENCE;
        loop {
            let object = self.next(end, answer);
            if object["type"] == answer && object["id"] == id {
                // Nobody looks for it again.
                self.received.pop();
                return object;
            }
        }
    }

    /// Waits until the answer to a query is as it should be.
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

    /// Waits until exactly these peers are there.
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

    /// Waits until all others, of whom there are so many, are reached in
    /// this way.
    pub(crate) fn wait_for_reach(&mut self, others: usize, how: &str) {
        self.poll_until("peers", "peers", &format!("{others} reached by {how}"), |it| {
            let peers = it["peers"].as_array()?.iter();
            (peers.filter(|it| it["reach"] == how).count() == others).then_some(())
        });
    }

    /// All messages that have been shown so far, in their order.
    pub(crate) fn messages(&self) -> Vec<ShownMessage> {
        let messages = self.received.iter().map(|(_, it)| it).filter(|it| it["type"] == "message");
        messages
            .map(|it| ShownMessage {
                author: it["session"].as_u64().unwrap(),
                sequence: it["seq"].as_u64().unwrap(),
                text: it["text"].as_str().unwrap().to_owned(),
                is_late: it["late"] == true,
            })
            .collect()
    }

    /// Waits until there are so many messages; gives when they item.
    pub(crate) fn wait_for_message_count(&mut self, count: usize) -> Vec<Instant> {
        let is_message = |it: &Value| it["type"] == "message";
        let mut shown = self.received.iter().filter(|(_, it)| is_message(it)).count();
        let end = Instant::now() + 2 * PATIENCE;
        while shown < count {
            shown += usize::from(is_message(&self.next(end, "all messages")));
        }
        self.received.iter().filter(|(_, it)| is_message(it)).map(|(when, _)| *when).collect()
    }

    /// Takes what has come until now.
    pub(crate) fn read_pending(&mut self) {
        self.query("members", "roster");
    }
}

/// Somebody on each machine, one coming after the other; all see all.
pub(crate) fn join_all<const N: usize>(machines: &[Machine], names: [&str; N]) -> [PeerProcess; N] {
    let mut machines = machines.iter();
    let mut peers = names.map(|name| PeerProcess::join(machines.next().unwrap(), name));
    for peer in &mut peers {
        peer.wait_for_members(&names);
    }
    peers
}

/// This peer says so many things; gives their texts.
pub(crate) fn say_numbered(peer: &mut PeerProcess, word: &str, count: usize) -> Vec<String> {
    let texts: Vec<_> = (0..count).map(|number| format!("{word} {number}")).collect();
    for text in &texts {
        peer.say(text);
    }
    texts
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
