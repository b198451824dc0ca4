//! Programs on pseudo terminals, for the tests and benchmarks of the full-screen interface.
//!
//! A thread reads what the program writes and keeps the picture that a terminal would show; another
//! one waits for the program to stop and to end. Whoever waits for something is woken by them. The
//! terminal answers no questions, such as where its cursor is: programs have to do without.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::any::Any;
use std::fmt::Write as _;
use std::io::{PipeReader, PipeWriter, pipe};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, waitpid,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr,
    tcsetwinsize,
};
use vt100::{MouseProtocolMode, Parser};

/// Maximum time that a test waits for something on a terminal.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Keys as a terminal sends them.
pub(crate) mod key {
    /// Clears the line, or asks whether to leave.
    pub(crate) const CTRL_C: &str = "\x03";
    /// Leaves.
    pub(crate) const CTRL_D: &str = "\x04";
    /// Opens the editor.
    pub(crate) const CTRL_X_CTRL_E: &str = "\x18\x05";
    /// Stops the program.
    pub(crate) const CTRL_Z: &str = "\x1a";
    /// Goes down.
    pub(crate) const DOWN: &str = "\x1b[B";
    /// Enters the line.
    pub(crate) const ENTER: &str = "\r";
    /// Escape.
    pub(crate) const ESC: &str = "\x1b";
    /// Scrolls up.
    pub(crate) const PAGE_UP: &str = "\x1b[5~";
    /// Completes.
    pub(crate) const TAB: &str = "\t";
    /// Goes up.
    pub(crate) const UP: &str = "\x1b[A";
}

/// What a terminal shows at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Rows from top to bottom, without blanks at their ends.
    pub(crate) rows: Vec<String>,
    /// Row and column of the cursor.
    pub(crate) cursor: (u16, u16),
    /// True if the program has the screen that it shows for itself.
    pub(crate) is_alternate: bool,
}

impl Picture {
    /// Returns all rows as one text.
    pub(crate) fn text(&self) -> String {
        self.rows.join("\n")
    }

    /// Returns true if a row contains this text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    /// Returns the number of rows that contain this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.rows.iter().filter(|it| it.contains(text)).count()
    }

    /// Returns the lowest row, where one types as long as that fits into a row.
    pub(crate) fn input(&self) -> &str {
        self.rows.last().map_or("", String::as_str)
    }

    /// Returns true if the lowest row has exactly this text and the cursor is at its end.
    pub(crate) fn has_typed(&self, text: &str) -> bool {
        let (row, column) = self.cursor;
        self.input() == text.trim_end()
            && usize::from(row) + 1 == self.rows.len()
            && usize::from(column) == text.chars().count()
    }
}

/// Modes of a terminal that a program can change, and has to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Line editing, echo and signals.
    local: LocalModes,
    /// What happens to the input.
    input: InputModes,
    /// What happens to the output.
    output: OutputModes,
    /// True if the program's own screen is shown.
    is_alternate: bool,
    /// True if pasted text is marked.
    marks_paste: bool,
    /// True if the mouse is reported.
    reports_mouse: bool,
    /// True if the focus is reported.
    reports_focus: bool,
    /// True if the cursor is hidden.
    hides_cursor: bool,
}

/// Where a program is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It runs.
    Running,
    /// It was stopped.
    Stopped,
    /// It has exited with this code.
    Exited(i32),
    /// A signal has ended it.
    Killed(i32),
}

impl Life {
    /// Returns true if the program has ended.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Killed(_))
    }
}

/// What the threads know.
struct State {
    /// The terminal's own contents.
    parser: Parser,
    /// Everything that was written.
    written: Vec<u8>,
    /// Number of frames drawn: ends of synchronized updates.
    frames: usize,
    /// True within a synchronized update: the picture is not whole.
    is_drawing: bool,
    /// True if the focus is reported.
    reports_focus: bool,
    /// True once nobody has the terminal open any more.
    is_closed: bool,
    /// Where the program is in its life.
    life: Life,
}

/// Program on a pseudo terminal, killed on drop.
pub(crate) struct Terminal {
    /// The terminal's own side; `None` after it was closed.
    controller: Option<Arc<OwnedFd>>,
    /// Closing it ends the thread that reads.
    wake: Option<PipeWriter>,
    /// The thread that reads.
    reader: Option<JoinHandle<()>>,
    /// The program.
    pid: Pid,
    /// What the threads know, with the condition variable that signals changes.
    state: Arc<(Mutex<State>, Condvar)>,
    /// Modes before the program was started.
    first_modes: Modes,
    /// What has to be there as long as the program, such as its home directory.
    kept: Vec<Arc<dyn Any>>,
}

impl Terminal {
    /// Starts a program on a terminal of 80 columns and 24 rows.
    pub(crate) fn start(command: &Command) -> Self {
        Self::with_size(command, 80, 24)
    }

    /// Starts a program on a terminal of this size. The command's environment must be of its own
    /// (`env_clear`). Unless it says something else, the terminal is a usual one (`TERM`), the time
    /// zone is UTC, and the language is English.
    pub(crate) fn with_size(command: &Command, columns: u16, rows: u16) -> Self {
        Self::start_with(command, columns, rows, |_| {})
    }

    /// Starts a program like [`Self::with_size`]. `prepare` can change the command, such as its
    /// standard error.
    pub(crate) fn start_with(
        command: &Command,
        columns: u16,
        rows: u16,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let controller = Arc::new(controller.unwrap());
        grantpt(&*controller).unwrap();
        unlockpt(&*controller).unwrap();
        set_size(&controller, columns, rows);
        let path = ptsname(&*controller, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let side = || Stdio::from(open(&path, flags, Mode::empty()).unwrap());
        // `setsid` makes the terminal the controlling one, and then is the program.
        let mut on_terminal = Command::new("setsid");
        on_terminal.env_clear().env("TERM", "xterm-256color").env("TZ", "UTC");
        on_terminal.env("LANG", "C.UTF-8");
        on_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                on_terminal.env(name, value);
            }
        }
        on_terminal.stdin(side()).stdout(side()).stderr(side());
        prepare(&mut on_terminal);
        let (stop_reading, wake) = pipe().unwrap();
        let state = State {
            parser: new_parser(columns, rows),
            written: Vec::new(),
            frames: 0,
            is_drawing: false,
            reports_focus: false,
            is_closed: false,
            life: Life::Running,
        };
        let first_modes = modes(&controller, &state);
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        #[expect(clippy::zombie_processes, reason = "`watch` waits for it")]
        let child = on_terminal.spawn().unwrap();
        // The command holds the program's side open.
        drop(on_terminal);
        let pid = Pid::from_child(&child);
        let reader = {
            let (controller, state) = (controller.clone(), state.clone());
            thread::spawn(move || read_all(&controller, &stop_reading, &state))
        };
        {
            let state = state.clone();
            thread::spawn(move || watch(pid, &state));
        }
        Self {
            controller: Some(controller),
            wake: Some(wake),
            reader: Some(reader),
            pid,
            state,
            first_modes,
            kept: Vec::new(),
        }
    }

    /// Keeps something as long as the program is there, such as its home directory.
    pub(crate) fn keep(mut self, what: Arc<dyn Any>) -> Self {
        self.kept.push(what);
        self
    }

    /// Returns the terminal's own side.
    fn controller(&self) -> &OwnedFd {
        self.controller.as_ref().unwrap()
    }

    /// Returns what the threads know.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// Returns the process id of the program.
    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Types text or keys, all at once.
    pub(crate) fn type_text(&self, text: &str) {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            let count = rustix::io::write(self.controller(), left).unwrap();
            left = &left[count..];
        }
    }

    /// Types a line and Enter.
    pub(crate) fn enter(&self, line: &str) {
        self.type_text(&format!("{line}{}", key::ENTER));
    }

    /// Pastes text, as terminals do that mark pasted text. They replace line feeds.
    pub(crate) fn paste(&self, text: &str) {
        self.type_text(&format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r")));
    }

    /// Gives the terminal another size, which the kernel tells the program.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let mut state = self.state();
        // The picture is drawn anew: what terminals do with the old one differs.
        state.parser.screen_mut().set_size(count(rows), count(columns));
        set_size(self.controller(), columns, rows);
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Sends a signal to the program and all that it has started, as a shell does with a job.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid, signal).unwrap();
    }

    /// Shows something on the terminal, as another program does that has it meanwhile.
    pub(crate) fn scribble(&self, text: &str) {
        self.state().take(text.as_bytes());
    }

    /// Sets line editing and echo, as a shell does whose program was stopped.
    pub(crate) fn set_modes_of_shell(&self) {
        let mut modes = tcgetattr(self.controller()).unwrap();
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        modes.input_modes |= InputModes::ICRNL;
        modes.output_modes |= OutputModes::OPOST;
        tcsetattr(self.controller(), OptionalActions::Now, &modes).unwrap();
    }

    /// Returns the modes of the terminal.
    pub(crate) fn modes(&self) -> Modes {
        modes(self.controller(), &self.state())
    }

    /// Waits until the modes are those from before the program was started. Of a program that has
    /// stopped, the last output may still be on its way.
    pub(crate) fn expect_restored(&self) {
        self.wait("the modes from before", |it| modes(self.controller(), it) == self.first_modes);
    }

    /// Returns what the terminal shows now.
    pub(crate) fn picture(&self) -> Picture {
        picture(&self.state())
    }

    /// Returns everything that was written so far, without what a terminal would not show.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.state().written).into_owned()
    }

    /// Returns the number of frames drawn so far.
    pub(crate) fn frames(&self) -> usize {
        self.state().frames
    }

    /// Uses the contents of the terminal, such as their colours.
    pub(crate) fn with_screen<T>(&self, use_it: impl FnOnce(&vt100::Screen) -> T) -> T {
        use_it(self.state().parser.screen())
    }

    /// Waits until the state satisfies `wanted`. Panics after [`PATIENCE`], with `what` was wanted
    /// and what the terminal shows.
    fn wait(&self, what: &str, wanted: impl Fn(&State) -> bool) {
        let (state, _) = self
            .state
            .1
            .wait_timeout_while(self.state(), PATIENCE, |state| !wanted(state))
            .unwrap();
        if !wanted(&state) {
            let (told, life) = (describe(&state), state.life);
            drop(state);
            panic!("it has not come: {what}. The program is {life:?} and shows:\n{told}");
        }
    }

    /// Waits until a whole picture satisfies `wanted`, and returns it.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Picture) -> bool) -> Picture {
        self.wait(what, |state| !state.is_drawing && wanted(&picture(state)));
        self.picture()
    }

    /// Waits until a row contains this text.
    pub(crate) fn expect(&self, text: &str) -> Picture {
        self.wait_for(text, |it| it.has(text))
    }

    /// Waits until no row contains this text.
    pub(crate) fn expect_gone(&self, text: &str) -> Picture {
        self.wait_for(&format!("no {text}"), |it| !it.has(text))
    }

    /// Waits until the lowest row has exactly this text, and the cursor at its end.
    pub(crate) fn expect_typed(&self, text: &str) -> Picture {
        self.wait_for(&format!("the line {text:?}"), |it| it.has_typed(text))
    }

    /// Waits until what was written contains this text, wherever it has gone since.
    pub(crate) fn expect_written(&self, text: &str) {
        self.wait(text, |state| state.written.windows(text.len()).any(|it| it == text.as_bytes()));
    }

    /// Waits until this many frames were drawn.
    pub(crate) fn wait_for_frames(&self, frames: usize) {
        self.wait("frames", |state| state.frames >= frames);
    }

    /// Waits until the program has stopped.
    pub(crate) fn wait_for_stop(&self) {
        self.wait("its stop", |state| state.life == Life::Stopped);
    }

    /// Waits until the program has ended and everything that it has written is there. Returns how it
    /// has ended.
    pub(crate) fn end(&self) -> Life {
        self.wait("its end", |state| state.life.is_over() && state.is_closed);
        self.state().life
    }

    /// Waits until the program has exited with success, and has left the terminal as it was.
    pub(crate) fn expect_success(&self) {
        let life = self.end();
        assert_eq!(life, Life::Exited(0), "{}", self.picture().text());
        self.expect_restored();
    }

    /// Closes the terminal, as closing its window does.
    pub(crate) fn hang_up(&mut self) {
        self.wake = None;
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.controller = None;
        self.state().is_closed = true;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.state().life.is_over() {
            // It may have ended meanwhile.
            let _ = kill_process(self.pid, Signal::KILL);
        }
        self.hang_up();
    }
}

/// Returns a number of rows or columns.
fn count(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// Creates an empty picture.
fn new_parser(columns: u16, rows: u16) -> Parser {
    Parser::new(count(rows), count(columns), 0)
}

/// Sets the size of a terminal.
fn set_size(controller: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(controller, size).unwrap();
}

/// Returns the modes of a terminal.
fn modes(controller: &OwnedFd, state: &State) -> Modes {
    let kernel = tcgetattr(controller).unwrap();
    let screen = state.parser.screen();
    Modes {
        local: kernel.local_modes,
        input: kernel.input_modes,
        output: kernel.output_modes,
        is_alternate: screen.alternate_screen(),
        marks_paste: screen.bracketed_paste(),
        reports_mouse: screen.mouse_protocol_mode() != MouseProtocolMode::None,
        reports_focus: state.reports_focus,
        hides_cursor: screen.hide_cursor(),
    }
}

/// Returns what the terminal shows.
fn picture(state: &State) -> Picture {
    let screen = state.parser.screen();
    let columns = screen.size().1.get();
    Picture {
        rows: screen.rows(0, columns).map(|it| it.trim_end().to_owned()).collect(),
        cursor: screen.cursor_position(),
        is_alternate: screen.alternate_screen(),
    }
}

/// Describes what the terminal shows, for a test that fails.
fn describe(state: &State) -> String {
    let picture = picture(state);
    let mut text = String::new();
    for row in &picture.rows {
        let _ = writeln!(text, "|{row}");
    }
    let _ = writeln!(text, "cursor at {:?}, own screen: {}", picture.cursor, picture.is_alternate);
    let tail = state.written.len().saturating_sub(400);
    let _ = write!(text, "last written: {:?}", String::from_utf8_lossy(&state.written[tail..]));
    text
}

impl State {
    /// Takes what the program has written.
    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        let begin = self.written.len();
        self.written.extend_from_slice(bytes);
        // A control sequence may have come in two parts.
        let longest = b"\x1b[?2026l".len();
        for at in begin.saturating_sub(longest - 1)..self.written.len() {
            let rest = &self.written[at..];
            let is_new =
                |sequence: &[u8]| rest.starts_with(sequence) && at + sequence.len() > begin;
            if is_new(b"\x1b[?2026h") {
                self.is_drawing = true;
            } else if is_new(b"\x1b[?2026l") {
                self.is_drawing = false;
                self.frames += 1;
            } else if is_new(b"\x1b[?1004h") {
                self.reports_focus = true;
            } else if is_new(b"\x1b[?1004l") {
                self.reports_focus = false;
            }
        }
    }
}

/// Reads what the program writes, until nobody has the terminal open or reading is to stop.
fn read_all(controller: &OwnedFd, stop: &PipeReader, state: &(Mutex<State>, Condvar)) {
    let mut buffer = vec![0; 65_536];
    loop {
        let mut ready = [
            PollFd::new(controller, PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        if ready[0].revents().is_empty() && !ready[1].revents().is_empty() {
            return;
        }
        if ready[0].revents().is_empty() {
            continue;
        }
        let read = rustix::io::read(controller, &mut buffer[..]);
        let mut known = state.0.lock().unwrap();
        match read {
            Ok(count) if count > 0 => known.take(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            // The last one who had it open has closed it.
            Ok(_) | Err(_) => {
                known.is_closed = true;
                drop(known);
                state.1.notify_all();
                return;
            }
        }
        drop(known);
        state.1.notify_all();
    }
}

/// Waits for the program to stop, to go on, and to end.
fn watch(pid: Pid, state: &(Mutex<State>, Condvar)) {
    loop {
        let options = WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        let life = match waitpid(Some(pid), options) {
            Ok(Some((_, status))) => life_of(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => continue,
            Err(error) => panic!("waitpid: {error}"),
        };
        state.0.lock().unwrap().life = life;
        state.1.notify_all();
        if life.is_over() {
            return;
        }
    }
}

/// Returns what a status says.
fn life_of(status: WaitStatus) -> Life {
    if let Some(code) = status.exit_status() {
        Life::Exited(code)
    } else if let Some(signal) = status.terminating_signal() {
        Life::Killed(signal)
    } else if status.stopped() {
        Life::Stopped
    } else {
        Life::Running
    }
}
