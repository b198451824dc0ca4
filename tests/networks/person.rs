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

/// Between two questions about the same.
const PAUSE: Duration = Duration::from_millis(200);

/// A process and everything that it has told. It is killed when this is
/// dropped.
pub(crate) struct Person {
    /// `chat-peer`.
    child: Child,
    /// What it is asked.
    input: ChildStdin,
    /// What it tells, and when that came.
    output: Receiver<(Instant, Value)>,
    /// All of it so far.
    told: Vec<(Instant, Value)>,
    /// Questions so far.
    questions: u64,
    /// Where its key is.
    home: Rc<TempDir>,
}

/// A message as somebody was shown it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    /// Its author's number.
    pub(crate) author: u64,
    /// Its number among those of the author.
    pub(crate) sequence: u64,
    /// What it says.
    pub(crate) text: String,
    /// It is marked as late.
    pub(crate) is_late: bool,
}

impl Person {
    /// Starts it, with a home of its own.
    pub(crate) fn start(machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        Self::start_at(Rc::new(tempfile::tempdir().unwrap()), machine, name, arguments)
    }

    /// Starts it and waits until it is in the room.
    pub(crate) fn join(machine: &Machine, name: &str) -> Self {
        let mut person = Self::start(machine, name, &[]);
        person.find_type("admitted");
        person
    }

    /// Starts it in this home.
    fn start_at(home: Rc<TempDir>, machine: &Machine, name: &str, arguments: &[&str]) -> Self {
        let mut command = machine.inside(env!("CARGO_BIN_EXE_chat-peer"));
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
        Self { child, input, output, told: Vec::new(), questions: 0, home }
    }

    /// Ends it as a power cut would, and starts it again in the same home.
    pub(crate) fn killed_and_restarted(mut self, machine: &Machine, name: &str) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Self::start_at(self.home.clone(), machine, name, &[])
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How long it has been computing: fields 14 and 15 of its `stat`, in
    /// hundredths of a second.
    pub(crate) fn computing(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Asks for something.
    fn ask(&mut self, request: &Value) {
        writeln!(self.input, "{request}").unwrap();
    }

    /// Says something.
    pub(crate) fn say(&mut self, text: &str) {
        self.ask(&json!({"type": "say", "text": text}));
    }

    /// The first object that is wanted, of those that have come or come
    /// still.
    pub(crate) fn find(&mut self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.told.iter().map(|(_, it)| it).find(|it| is_wanted(it)).cloned();
        let end = Instant::now() + PATIENCE;
        found.unwrap_or_else(|| {
            loop {
                let object = self.next(end, what);
                if is_wanted(&object) {
                    return object;
                }
            }
        })
    }

    /// The next object; it is kept, too.
    fn next(&mut self, end: Instant, what: &str) -> Value {
        match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(came) => {
                let object = came.1.clone();
                self.told.push(came);
                object
            }
            Err(_) => panic!("not {what}, but: {}", self.story()),
        }
    }

    /// What has come so far, with times since the first.
    fn story(&self) -> String {
        let line = |(when, it): &(Instant, Value)| {
            format!("\n{:7.3} {it}", when.duration_since(self.told[0].0).as_secs_f64())
        };
        self.told.iter().map(line).collect()
    }

    /// The first object of this type.
    pub(crate) fn find_type(&mut self, kind: &str) -> Value {
        self.find(kind, |it| it["type"] == kind)
    }

    /// Whether an object of this type has come so far.
    pub(crate) fn was_told(&self, kind: &str) -> bool {
        self.told.iter().any(|(_, it)| it["type"] == kind)
    }

    /// Waits until all these have been shown.
    pub(crate) fn hears(&mut self, texts: &[impl AsRef<str>]) {
        for text in texts.iter().map(AsRef::as_ref) {
            self.find(text, |it| it["type"] == "message" && it["text"] == text);
        }
    }

    /// Asks, and waits for the answer of this type.
    fn question(&mut self, question: &str, answer: &str) -> Value {
        self.questions += 1;
        let id = self.questions;
        self.ask(&json!({"type": question, "id": id}));
        let end = Instant::now() + PATIENCE;
        loop {
            let object = self.next(end, answer);
            if object["type"] == answer && object["id"] == id {
                // Nobody looks for it again.
                self.told.pop();
                return object;
            }
        }
    }

    /// Waits until the answer to a question is as it should be.
    fn settles<T>(
        &mut self,
        question: &str,
        answer: &str,
        what: &str,
        judge: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let is = self.question(question, answer);
            if let Some(outcome) = judge(&is) {
                return outcome;
            }
            assert!(Instant::now() < end, "not {what}, but {is}: {}", self.story());
            thread::sleep(PAUSE);
        }
    }

    /// Waits until exactly these people are there.
    pub(crate) fn sees(&mut self, names: &[&str]) {
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        self.settles("members", "roster", &format!("{wanted:?}"), |it| {
            let names = it["names"].as_array()?.iter();
            let mut names: Vec<_> = names.filter_map(Value::as_str).collect();
            names.sort_unstable();
            (names == wanted).then_some(())
        });
    }

    /// Waits until all others, of whom there are so many, are reached in
    /// this way.
    pub(crate) fn reaches(&mut self, others: usize, how: &str) {
        self.settles("peers", "peers", &format!("{others} reached by {how}"), |it| {
            let peers = it["peers"].as_array()?.iter();
            (peers.filter(|it| it["reach"] == how).count() == others).then_some(())
        });
    }

    /// All messages that have been shown so far, in their order.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let messages = self.told.iter().map(|(_, it)| it).filter(|it| it["type"] == "message");
        messages
            .map(|it| Shown {
                author: it["session"].as_u64().unwrap(),
                sequence: it["seq"].as_u64().unwrap(),
                text: it["text"].as_str().unwrap().to_owned(),
                is_late: it["late"] == true,
            })
            .collect()
    }

    /// Waits until there are so many messages; gives when they came.
    pub(crate) fn hears_so_many(&mut self, count: usize) -> Vec<Instant> {
        let is_message = |it: &Value| it["type"] == "message";
        let mut shown = self.told.iter().filter(|(_, it)| is_message(it)).count();
        let end = Instant::now() + 2 * PATIENCE;
        while shown < count {
            shown += usize::from(is_message(&self.next(end, "all messages")));
        }
        self.told.iter().filter(|(_, it)| is_message(it)).map(|(when, _)| *when).collect()
    }

    /// Takes what has come until now.
    pub(crate) fn catch_up(&mut self) {
        self.question("members", "roster");
    }
}

/// Somebody on each machine, one coming after the other; all see all.
pub(crate) fn gathered<const N: usize>(machines: &[Machine], names: [&str; N]) -> [Person; N] {
    let mut machines = machines.iter();
    let mut people = names.map(|name| Person::join(machines.next().unwrap(), name));
    for person in &mut people {
        person.sees(&names);
    }
    people
}

/// This person says so many things; gives their texts.
pub(crate) fn say_many(person: &mut Person, word: &str, count: usize) -> Vec<String> {
    let texts: Vec<_> = (0..count).map(|number| format!("{word} {number}")).collect();
    for text in &texts {
        person.say(text);
    }
    texts
}

impl Drop for Person {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
