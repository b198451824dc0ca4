//! Modes of the terminal: set while the interface is on the screen, and restored afterwards, also
//! when the program panics.

#[cfg(target_os = "linux")]
use std::io::stdin;
use std::io::{self, Write, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use ratatui::crossterm::event;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};

/// True while the modes are set.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);

/// Installs the panic hook once.
static HOOK: Once = Once::new();

/// Saves the title of the window, and reports the mouse's buttons and wheel. Only presses are
/// reported, not movements: with Shift the terminal selects text as always.
const ENTER: &str = "\u{1b}[22;2t\u{1b}[?1000h\u{1b}[?1006h";

/// Takes back [`ENTER`], in the opposite order.
const LEAVE: &str = "\u{1b}[?1006l\u{1b}[?1000l\u{1b}[23;2t";

/// Sets the modes, on a screen of its own. Does nothing if they are set.
///
/// # Errors
/// There is no terminal, or it cannot be written.
pub(super) fn enter() -> io::Result<()> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            leave();
            before(info);
        }));
    });
    if IS_ENTERED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    set_modes().inspect_err(|_| leave())
}

/// Sets the modes. If that fails, some of them may be set.
fn set_modes() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
    stdout().write_all(ENTER.as_bytes())?;
    stdout().flush()
}

/// Writes to the terminal while the modes are set; does nothing if they are not. Meanwhile no other
/// thread restores them, such as one that panics: nothing would take back what is written then.
///
/// # Errors
/// `write` fails.
pub(super) fn while_entered(write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let _output = stdout().lock();
    if IS_ENTERED.load(Ordering::SeqCst) { write() } else { Ok(()) }
}

/// Restores the modes. Does nothing if they are not set. Errors are ignored: if the terminal is
/// gone, there is nothing to restore.
pub(super) fn leave() {
    let _output = stdout().lock();
    if !IS_ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = stdout().write_all(LEAVE.as_bytes());
    let _ = execute!(
        stdout(),
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

/// Sets the modes again, after another program may have changed them.
///
/// # Errors
/// There is no terminal, or it cannot be written.
pub(super) fn enter_again() -> io::Result<()> {
    leave();
    enter()
}

/// Waits until there is something to read, for at most `timeout`. Returns false if the terminal is
/// gone: crossterm would read its end over and over, and never return.
///
/// # Errors
/// The terminal cannot be waited for.
#[cfg(target_os = "linux")]
pub(super) fn wait_for_input(timeout: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    let input = stdin();
    let mut waiting = [PollFd::new(&input, PollFlags::IN)];
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    match poll(&mut waiting, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [terminal] = waiting;
    Ok(!terminal.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
}

/// Waits until there is something to read, for at most `timeout`. Returns true.
///
/// # Errors
/// The terminal is gone, or cannot be waited for.
#[cfg(not(target_os = "linux"))]
pub(super) fn wait_for_input(timeout: Duration) -> io::Result<bool> {
    // A terminal cannot be waited for with `poll` everywhere.
    event::poll(timeout).map(|_| true)
}
