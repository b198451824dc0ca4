//! What the terminal shows.

use std::env;
use std::io::{IsTerminal, stdout};

use rustix::termios::tcgetwinsize;

use super::invitation::Invitation;
use super::wifi::Wifi;
use crate::qr_code::{QrCode, TerminalStyle};

/// Terminal on standard output.
#[derive(Clone, Copy)]
struct Terminal {
    /// What it can show.
    style: TerminalStyle,
    /// Number of columns; `None` if that is not known.
    columns: Option<usize>,
}

impl Terminal {
    /// Returns the terminal on standard output. If that is none, the text may still end up on a
    /// terminal, but nobody can tell which.
    fn of_standard_output() -> Self {
        let variable = |name: &str| env::var(name).ok();
        let is_terminal = stdout().is_terminal();
        let columns = tcgetwinsize(stdout()).ok().map(|it| usize::from(it.ws_col));
        Self {
            style: TerminalStyle::of_terminal(is_terminal, variable),
            columns: columns.filter(|it| is_terminal && *it > 0),
        }
    }

    /// Returns a code as lines, or what to do if the terminal is too narrow for it.
    fn draw(self, code: &QrCode) -> String {
        let needed = self.style.columns(code);
        match self.columns {
            Some(columns) if columns < needed => format!(
                "(The QR code needs a terminal with {needed} columns, and this one has {columns}.)\n"
            ),
            _ => self.style.draw(code),
        }
    }
}

/// Returns a code as lines for the terminal on standard output, or what to do if that is too narrow.
pub(super) fn draw(code: &QrCode) -> String {
    Terminal::of_standard_output().draw(code)
}

/// Returns the invitation for the terminal on standard output. `address`: address or link of the
/// code; `wifi`: Wi-Fi to join first, with its code.
pub(super) fn of(
    invitation: &Invitation,
    address: &str,
    code: &QrCode,
    wifi: Option<&(QrCode, Wifi)>,
) -> String {
    lines(Terminal::of_standard_output(), invitation, address, code, wifi)
}

/// Returns the invitation for a terminal.
fn lines(
    terminal: Terminal,
    invitation: &Invitation,
    address: &str,
    code: &QrCode,
    wifi: Option<&(QrCode, Wifi)>,
) -> String {
    let name = invitation.quoted_name();
    let network = wifi.map_or(String::new(), |(code, wifi)| {
        let code = terminal.draw(code);
        format!("First join the Wi-Fi “{}”: scan this code with a phone.\n\n{code}\n", wifi.ssid)
    });
    let code = terminal.draw(code);
    if let Some(why) = &invitation.no_page {
        let others: String = or_links(invitation.links.iter().skip(1));
        let fingerprint = fingerprint_line(invitation);
        return format!(
            "{network}To get into {name}, type this in a terminal. The QR code has the \
             link.\n\n{code}\n    chat-client {address}\n{others}{fingerprint}\nBrowsers cannot get in: {why}.\n"
        );
    }
    let others: String = invitation.other_urls().map(|it| format!("or  {it}\n")).collect();
    let encrypted = encrypted(invitation);
    format!(
        "{network}To get into {name}, scan this code with a phone, or type the address into a \
         browser.\n\n{code}\n    {address}\n{others}{encrypted}",
    )
}

/// Returns what those need who come with `chat-client`, encrypted: links and fingerprint. Empty for
/// a server without TLS.
fn encrypted(invitation: &Invitation) -> String {
    let links = invitation.links.split_first().map_or(String::new(), |(first, others)| {
        let others = or_links(others);
        format!(
            "\nIn a terminal, encrypted, with the server's key checked:\n\n    chat-client \
             {first}\n{others}"
        )
    });
    links + &fingerprint_line(invitation)
}

/// Returns the lines with further links for `chat-client`.
fn or_links<'a>(links: impl IntoIterator<Item = &'a String>) -> String {
    links.into_iter().map(|it| format!("or  chat-client {it}\n")).collect()
}

/// Returns the line with the fingerprint of the server's key, after an empty one. Empty for a server
/// without TLS.
fn fingerprint_line(invitation: &Invitation) -> String {
    let line = |it: &String| format!("\nThe fingerprint of the server's key is {it}.\n");
    invitation.fingerprint.as_ref().map_or(String::new(), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the style for these variables.
    fn style(is_terminal: bool, variables: &[(&str, &str)]) -> TerminalStyle {
        TerminalStyle::of_terminal(is_terminal, |name| {
            variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn style_follows_locale_and_terminal() {
        let utf8 = |variables: &[(&str, &str)]| style(true, variables).is_utf8;
        assert!(utf8(&[("LANG", "de_DE.UTF-8")]) && utf8(&[("LC_CTYPE", "C.utf8")]));
        assert!(!utf8(&[]) && !utf8(&[("LANG", "C")]));
        assert!(!utf8(&[("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")]));
        assert!(utf8(&[("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]));
        let colors =
            |is_terminal, variables: &[(&str, &str)]| style(is_terminal, variables).has_colors;
        assert!(colors(true, &[("TERM", "xterm")]) && colors(true, &[("TERM", "linux")]));
        assert!(!colors(false, &[("TERM", "xterm")]) && !colors(true, &[("TERM", "dumb")]));
        assert!(!colors(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]) && !colors(true, &[]));
    }

    /// A code whose lines are broken is worse than none.
    #[test]
    fn terminal_that_is_too_narrow_gets_no_code() {
        let code = QrCode::new("http://pi.local:2480/").unwrap();
        let style = TerminalStyle { is_utf8: true, has_colors: false };
        let width = code.width();
        let draw = |columns| Terminal { style, columns }.draw(&code);
        assert!(draw(Some(width)).contains('█') && draw(None).contains('█'));
        let told = draw(Some(width - 1));
        assert!(!told.contains('█') && told.contains(&format!("{width} columns")), "{told}");
    }
}
