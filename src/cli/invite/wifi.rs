//! The Wi-Fi that people join before they get to the server.

use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::qr_code::QrCode;
use crate::text_input;

/// Maximum length of the name of a Wi-Fi, in bytes (IEEE 802.11).
const MAX_SSID: usize = 32;

/// Length of a passphrase for WPA, in bytes. A key in hexadecimal has a byte more.
const PASSPHRASE_LENGTHS: std::ops::RangeInclusive<usize> = 8..=63;

/// Length of a key for WPA in hexadecimal.
const HEX_KEY_LENGTH: usize = 64;

/// Maximum number of bytes that are read of a password on standard input.
const MAX_PASSWORD_LINE: u64 = 1_024;

/// Flags for the Wi-Fi. The password is in none of them: every user sees the command lines of all
/// processes.
#[derive(Args, Debug)]
pub(super) struct WifiArgs {
    /// Add a QR code with which phones join this Wi-Fi. Asks for its password; if standard input is
    /// not a terminal, reads its first line
    #[arg(long = "wifi", value_name = "SSID", value_parser = parse_ssid)]
    #[arg(conflicts_with_all = ["svg", "json"])]
    ssid: Option<String>,

    /// Read the password of the Wi-Fi from the first line of this file
    #[arg(long = "wifi-password-file", value_name = "FILE", requires = "ssid")]
    password_file: Option<PathBuf>,

    /// The Wi-Fi has no password
    #[arg(long = "wifi-open", requires = "ssid", conflicts_with = "password_file")]
    is_open: bool,
}

impl WifiArgs {
    /// Returns the Wi-Fi; `None` if none is named. Asks for its password if no flag says how it is
    /// to be had.
    ///
    /// # Errors
    /// The password cannot be read, or is none that WPA has.
    pub(super) fn read(&self) -> Result<Option<Wifi>> {
        let Some(ssid) = self.ssid.clone() else { return Ok(None) };
        if self.is_open {
            return Ok(Some(Wifi { ssid, password: None }));
        }
        let password = match &self.password_file {
            Some(path) => text_input::read_first_line(path)
                .with_context(|| format!("cannot read the password file {}", path.display()))?,
            None if stdin().is_terminal() => {
                rpassword::prompt_password(format!("Password of the Wi-Fi “{ssid}”: "))
                    .context("cannot ask for the password of the Wi-Fi")?
            }
            None => read_password_line(stdin().lock())?,
        };
        check_password(&password)?;
        Ok(Some(Wifi { ssid, password: Some(password) }))
    }
}

/// Reads the first line of standard input, without its line ending.
///
/// # Errors
/// It cannot be read, or is no text.
fn read_password_line(input: impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    input.take(MAX_PASSWORD_LINE).read_until(b'\n', &mut line)?;
    let text = text_input::decode(&line).context("the password of the Wi-Fi is not text")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Checks the password of a Wi-Fi.
///
/// # Errors
/// WPA has no such password.
fn check_password(password: &str) -> Result<()> {
    let is_key =
        password.len() == HEX_KEY_LENGTH && password.bytes().all(|c| c.is_ascii_hexdigit());
    ensure!(
        is_key || PASSPHRASE_LENGTHS.contains(&password.len()),
        "the password of a Wi-Fi has 8 to 63 bytes (a letter such as ä takes two), and this one has {}. For a Wi-Fi without a password, use --wifi-open",
        password.len()
    );
    ensure!(
        !password.chars().any(char::is_control),
        "the password must not have control characters"
    );
    Ok(())
}

/// Checks the name of a Wi-Fi.
///
/// # Errors
/// The text says what is wrong.
fn parse_ssid(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_SSID {
        return Err(format!("the name of a Wi-Fi has 1 to {MAX_SSID} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("the name of the Wi-Fi must not have control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// Wi-Fi, with what it takes to join it.
pub(super) struct Wifi {
    /// Name.
    pub(super) ssid: String,
    /// Password for WPA; `None` if it is open.
    pub(super) password: Option<String>,
}

impl Wifi {
    /// Returns the Wi-Fi behind the QR code by which phones join it.
    ///
    /// # Errors
    /// None: name and password are short.
    pub(super) fn with_code(self) -> Result<(QrCode, Self)> {
        Ok((QrCode::new(&self.code_text())?, self))
    }

    /// Returns the text of the QR code by which phones join, in the form that ZXing has introduced
    /// and the cameras of Android and iOS read.
    pub(super) fn code_text(&self) -> String {
        let ssid = escape(&self.ssid);
        match &self.password {
            Some(password) => format!("WIFI:T:WPA;S:{ssid};P:{};;", escape(password)),
            None => format!("WIFI:T:nopass;S:{ssid};;"),
        }
    }
}

/// Puts a backslash before the characters that mean something in the text of such a code.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if ['\\', ';', ',', ':', '"'].contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_with_a_meaning_are_escaped() {
        let wifi =
            Wifi { ssid: r#"a;b,c:d\e"f"#.to_owned(), password: Some("x:y z;é".to_owned()) };
        assert_eq!(wifi.code_text(), r#"WIFI:T:WPA;S:a\;b\,c\:d\\e\"f;P:x\:y z\;é;;"#);
        let open = Wifi { ssid: "guests".to_owned(), password: None };
        assert_eq!(open.code_text(), "WIFI:T:nopass;S:guests;;");
    }

    #[test]
    fn passwords_that_no_wifi_has_are_refused() {
        for good in ["12345678".to_owned(), "x".repeat(63), "0aF9".repeat(16)] {
            assert!(check_password(&good).is_ok(), "{good}");
        }
        for bad in [String::new(), "1234567".to_owned(), "x".repeat(64), "1234567\t".to_owned()] {
            assert!(check_password(&bad).is_err(), "{bad}");
        }
        assert!(parse_ssid("home").is_ok());
        for bad in [String::new(), "x".repeat(33), "a\nb".to_owned()] {
            assert!(parse_ssid(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn password_is_one_line_of_bounded_length() {
        assert_eq!(read_password_line(&b"secret 1\r\nmore"[..]).unwrap(), "secret 1");
        assert_eq!(read_password_line(&[b'x'; 5_000][..]).unwrap().len(), 1_024);
        assert!(read_password_line(&b"\xff\n"[..]).is_err());
    }
}
