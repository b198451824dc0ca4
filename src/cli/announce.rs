//! The command `chat-server announce`: sends the owner's announcement to all users.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::control::{self, ControlArgs, NoAnswer};
use crate::model::AnnouncementText;
use crate::server::{ControlAnswer, ControlRequest};

/// Arguments of `announce`: control socket and text.
#[derive(Args, Debug)]
pub(super) struct AnnounceArgs {
    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,

    /// The announcement: one line, at most 512 bytes
    #[arg(value_name = "TEXT", value_parser = AnnouncementText::new)]
    text: AnnouncementText,
}

/// Runs `chat-server announce`. Prints the number of users to whom the text was sent, or the error.
/// Returns exit code 0 if it was sent, even to nobody; otherwise 1.
pub(super) fn run(command: &AnnounceArgs) -> ExitCode {
    match announce(command) {
        Ok(users) => {
            let users = super::counted(users, "person", "people");
            // The stream may be closed. The exit code reports the result too.
            let _ = writeln!(stdout(), "sent to {users}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            super::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Asks the server to send the announcement. Returns the number of users to whom it was sent.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses.
fn announce(command: &AnnounceArgs) -> Result<usize> {
    let request = ControlRequest::Announce(command.text.as_str().to_owned());
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    let answer = control::exchange(&command.socket.locate()?, &line).map_err(|error| {
        if error.is::<NoAnswer>() { error.context("it may have been sent") } else { error }
    })?;
    // A server of an older version sends its status, whatever the request is.
    let answer = serde_json::from_str(&answer)
        .context("the server has another version than this program, so nothing was announced")?;
    match answer {
        ControlAnswer::Announced(users) => Ok(users),
        ControlAnswer::Error(problem) => bail!("the server refused: {problem}"),
        _ => bail!("the server's answer was not expected"),
    }
}
