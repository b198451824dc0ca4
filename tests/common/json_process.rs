//! A running program that takes requests and reports events as lines of JSON, such as
//! `chat-peer --json`.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Program that takes requests and reports events as lines of JSON. Dropping it kills the process.
pub(crate) struct JsonProcess {
    /// The process.
    child: Child,
    /// Its standard input; `None` after it has been closed.
    input: Option<ChildStdin>,
    /// Objects from its standard output, each with its time of arrival.
    output: Receiver<(Instant, Value)>,
}

impl JsonProcess {
    /// Starts the program, and a thread that reads its output. Its standard error goes where
    /// `command` says. A line of output that is not JSON ends the output.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdout, input) = (child.stdout.take().unwrap(), child.stdin.take());
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let object = serde_json::from_str(&line).unwrap();
                if sender.send((Instant::now(), object)).is_err() {
                    return;
                }
            }
        });
        Self { child, input, output }
    }

    /// Sends a request, a JSON object.
    pub(crate) fn send(&mut self, request: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{request}").unwrap();
    }

    /// Takes the next object from the output, with its time of arrival. `None` if none comes before
    /// `end`, or the output ends.
    pub(crate) fn next(&mut self, end: Instant) -> Option<(Instant, Value)> {
        self.output.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
    }

    /// Sends a signal to the process.
    pub(crate) fn send_signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes the input of the process.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits until the process has ended, however long that takes.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills the process, and waits until it has ended.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for JsonProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
