//! Programs that a test talks to by lines, such as those of `examples/`.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Whatever takes longer than this does not come. (A client that comes back
/// may wait some seconds of its own accord.)
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A program of the examples, with nothing of our own settings.
pub(crate) fn python_example(file: &str) -> Command {
    example_command(Path::new("python3"), file)
}

/// The same for one that needs a module which Python does not bring along:
/// run by whichever interpreter has it, as `find_python` of the scripts does.
pub(crate) fn python_example_with_module(module: &str, file: &str) -> Command {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/python/bin/python3");
    let named = std::env::var_os("PI_CHAT_PYTHON").map(PathBuf::from);
    let others = ["python3".into(), "/usr/bin/python3".into(), tools];
    let has_it = |interpreter: &PathBuf| {
        let mut command = Command::new(interpreter);
        command.args(["-E", "-c", &format!("import {module}")]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let interpreter = named.into_iter().chain(others).find(has_it);
    example_command(&interpreter.expect("no Python has the module: scripts/setup python"), file)
}

/// A program of the examples with this interpreter.
fn example_command(interpreter: &Path, file: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.args(["-B", "-E", "-X", "utf8"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file));
    command
}

/// What a program has output.
#[derive(Default)]
struct CapturedOutput {
    /// The lines of both its outputs.
    lines: Vec<String>,
    /// How many of its outputs have ended.
    ended: usize,
}

/// A program that somebody talks to. It is killed when this is dropped.
pub(crate) struct Program {
    /// The process.
    child: Child,
    /// What is typed.
    input: Option<ChildStdin>,
    /// What it shows, and the bell for more.
    output: Arc<(Mutex<CapturedOutput>, Condvar)>,
}

impl Program {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the examples need python3");
        let output = Arc::<(Mutex<CapturedOutput>, Condvar)>::default();
        capture_lines(child.stdout.take().unwrap(), output.clone());
        capture_lines(child.stderr.take().unwrap(), output.clone());
        let input = child.stdin.take();
        Self { child, input, output }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Gives it a JSON object.
    pub(crate) fn send_json(&mut self, object: &Value) {
        self.type_line(&object.to_string());
    }

    /// Waits until what it has output is as it should be; gives all lines.
    fn wait_until(&self, wanted: impl Fn(&CapturedOutput) -> bool) -> Vec<String> {
        let output = self.output.0.lock().unwrap();
        let (output, _) =
            self.output.1.wait_timeout_while(output, PATIENCE, |output| !wanted(output)).unwrap();
        let (is_so, lines) = (wanted(&output), output.lines.clone());
        drop(output);
        assert!(is_so, "it has shown only {lines:#?}");
        lines
    }

    /// The same for its lines alone.
    pub(crate) fn wait_for_lines(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.wait_until(|output| wanted(&output.lines))
    }

    /// Waits until a line with this in it is output.
    pub(crate) fn expect_text(&self, part: &str) {
        self.wait_until(|output| output.lines.iter().any(|line| line.contains(part)));
    }

    /// Waits until a JSON object is output that has (at least) these fields;
    /// gives it.
    pub(crate) fn expect_json(&self, fields: &Value) -> Value {
        let find = |lines: &[String]| {
            let objects = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let has = |object: &Value| {
                fields.as_object().unwrap().iter().all(|(key, value)| object[key] == *value)
            };
            objects.into_iter().find(has)
        };
        find(&self.wait_until(|output| find(&output.lines).is_some())).unwrap()
    }

    /// What was said as it shows it, history or not, without its time.
    pub(crate) fn messages(&self) -> Vec<String> {
        let lines = self.output.0.lock().unwrap().lines.clone();
        let messages = lines.iter().filter(|line| line.starts_with('[') || line.starts_with("~["));
        messages.filter_map(|line| Some(line.split_once("] ")?.1.to_owned())).collect()
    }

    /// Asks it to stop, as systemd does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Ends its input and waits until it has ended; gives its exit code and
    /// everything that it has output.
    pub(crate) fn finish(&mut self) -> (Option<i32>, Vec<String>) {
        self.input = None;
        let lines = self.wait_until(|output| output.ended == 2);
        (self.child.wait().unwrap().code(), lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Notes the lines of an output as they come.
fn capture_lines(pipe: impl Read + Send + 'static, output: Arc<(Mutex<CapturedOutput>, Condvar)>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            output.0.lock().unwrap().lines.push(line);
            output.1.notify_all();
        }
        output.0.lock().unwrap().ended += 1;
        output.1.notify_all();
    });
}
