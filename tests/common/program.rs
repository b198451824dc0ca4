//! Child processes that a test drives by lines of input and output, such as the programs in
//! `examples/`.

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

/// Maximum time that a test waits for something. It is long because a reconnecting client backs off
/// for some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Returns a command for a Python program in `examples/`, independent of the user's settings for
/// Python.
pub(crate) fn python_example(file: &str) -> Command {
    example_command(Path::new("python3"), file)
}

/// Returns a command like [`python_example`], for a program that needs a third-party Python module.
/// Uses the first interpreter that has the module, as `find_python` in scripts does. Panics if none
/// has it.
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

/// Returns a command that runs a program in `examples/` with this interpreter.
fn example_command(interpreter: &Path, file: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.args(["-B", "-E", "-X", "utf8"]);
    // The programs that it starts speak English, whoever runs the tests.
    for variable in ["LANGUAGE", "LC_ALL", "LC_MESSAGES"] {
        command.env_remove(variable);
    }
    command.env("LANG", "C.UTF-8");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file));
    command
}

/// Captured output of a program.
#[derive(Default)]
struct CapturedOutput {
    /// Lines of standard output and standard error, in order of arrival.
    lines: Vec<String>,
    /// Number of output streams that are closed: 0 to 2.
    ended: usize,
}

/// Running program with captured output, killed on drop.
pub(crate) struct Program {
    /// Process handle.
    child: Child,
    /// Standard input of the program; `None` after it has been closed.
    input: Option<ChildStdin>,
    /// Captured output, with the condition variable that signals changes.
    output: Arc<(Mutex<CapturedOutput>, Condvar)>,
}

impl Program {
    /// Starts the program, with all three standard streams captured.
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the examples need python3");
        let output = Arc::<(Mutex<CapturedOutput>, Condvar)>::default();
        capture_lines(child.stdout.take().unwrap(), output.clone());
        capture_lines(child.stderr.take().unwrap(), output.clone());
        let input = child.stdin.take();
        Self { child, input, output }
    }

    /// Writes a line to the program's input.
    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Writes a JSON object to the program's input, as a line.
    pub(crate) fn send_json(&mut self, object: &Value) {
        self.type_line(&object.to_string());
    }

    /// Waits until the output satisfies `wanted`, and returns all lines. Panics after [`PATIENCE`].
    fn wait_until(&self, wanted: impl Fn(&CapturedOutput) -> bool) -> Vec<String> {
        let output = self.output.0.lock().unwrap();
        let (output, _) =
            self.output.1.wait_timeout_while(output, PATIENCE, |output| !wanted(output)).unwrap();
        let (is_satisfied, lines) = (wanted(&output), output.lines.clone());
        drop(output);
        assert!(is_satisfied, "it has shown only {lines:#?}");
        lines
    }

    /// Waits until the lines satisfy `wanted`, and returns all lines. Panics after [`PATIENCE`].
    pub(crate) fn wait_for_lines(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.wait_until(|output| wanted(&output.lines))
    }

    /// Waits until a line contains `part`. Panics after [`PATIENCE`].
    pub(crate) fn expect_text(&self, part: &str) {
        self.wait_until(|output| output.lines.iter().any(|line| line.contains(part)));
    }

    /// Waits until a line is a JSON object with at least these fields, and returns the object.
    /// Panics after [`PATIENCE`].
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

    /// Returns the chat messages among the lines, live and history, without their times.
    pub(crate) fn messages(&self) -> Vec<String> {
        let lines = self.output.0.lock().unwrap().lines.clone();
        let messages = lines.iter().filter(|line| line.starts_with('[') || line.starts_with("~["));
        messages.filter_map(|line| Some(line.split_once("] ")?.1.to_owned())).collect()
    }

    /// Sends SIGTERM, as systemd does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Closes the program's input and waits for the program to exit. Returns the exit code, `None`
    /// if a signal has ended it, and all lines. Panics after [`PATIENCE`].
    pub(crate) fn finish(&mut self) -> (Option<i32>, Vec<String>) {
        self.input = None;
        let lines = self.wait_until(|output| output.ended == 2);
        (self.child.wait().unwrap().code(), lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a thread that captures the lines of a pipe as they arrive.
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
