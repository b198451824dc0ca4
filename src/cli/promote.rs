//! The command `chat-server promote`: makes a follower the server.

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use super::control::{self, ControlArgs};
use crate::log::promote_stopped;
use crate::server::{ControlAnswer, ControlRequest, PromotionAnswer, connect_control};

/// Arguments of `promote`.
#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Runs `chat-server promote`. Prints what has become of the follower, or the error. Returns exit
/// code 0 if it is the server now; otherwise 1.
pub(super) fn run(command: &PromoteArgs) -> ExitCode {
    match promote(command) {
        Ok(PromotionAnswer { epoch, position }) => {
            // The stream may be closed. The exit code reports the result too.
            let _ = writeln!(
                stdout(),
                "this is the server now (epoch {epoch}); what its former server had after {position} is lost"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            super::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Promotes the follower that runs, or the database of one that does not.
///
/// # Errors
/// There is no follower, its copy is not complete, or the database fails.
fn promote(command: &PromoteArgs) -> Result<PromotionAnswer> {
    let socket = command.socket.locate();
    if let Some(directory) = command.socket.data_directory()?
        && !socket.as_deref().is_ok_and(is_running)
    {
        return promote_store(&directory);
    }
    let mut line = serde_json::to_vec(&ControlRequest::Promote)?;
    line.push(b'\n');
    let answer = control::exchange(&socket?, &line)?;
    let answer = serde_json::from_str(&answer)
        .context("the server has another version than this program, so nothing was done")?;
    match answer {
        ControlAnswer::Promoted(answer) => Ok(answer),
        ControlAnswer::Error(problem) => bail!("{problem}"),
        _ => bail!("the server's answer was not expected"),
    }
}

/// Returns true if a server can be asked at this socket.
fn is_running(socket: &Path) -> bool {
    connect_control(socket, control::ANSWER_TIMEOUT).is_ok()
}

/// Promotes the database in a directory.
///
/// # Errors
/// It is none of a follower, or a server uses it.
fn promote_store(directory: &Path) -> Result<PromotionAnswer> {
    let promotion = promote_stopped(directory).map_err(|problem| anyhow!(problem))?;
    Ok(PromotionAnswer { epoch: promotion.epoch, position: promotion.head.0 })
}
