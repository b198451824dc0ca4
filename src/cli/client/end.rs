//! How a chat has ended: exit code, and what the user is told.

use anyhow::anyhow;

use super::super::counted;
use super::super::exit::{self, Failure};
use crate::client::WrongKey;
use crate::config::client::Config;
use crate::link::EndReason;
use crate::model::{ErrorCode, invited_name};
use crate::ui::{reason_text, safe_line};

/// Hint for a user whose name is claimed, and who has forbidden to prove a key.
const NO_KEY_HINT: &str = " If you have claimed it yourself, come without --no-key.";

/// Returns the name of an end reason for the JSON object `end`, and the exit code. The code does
/// not consider unsent messages and refused requests: see [`exit_code`].
pub(super) const fn end_reason_and_code(end: &Result<EndReason, WrongKey>) -> (&'static str, u8) {
    let end = match end {
        Ok(end) => end,
        Err(WrongKey(_)) => return ("wrong_key", exit::REFUSED),
    };
    match end {
        EndReason::Left { .. } => ("left", 0),
        EndReason::Unavailable { .. } => ("unavailable", exit::UNAVAILABLE),
        EndReason::Refused { .. } => ("refused", exit::REFUSED),
        EndReason::Protocol { .. } => ("protocol", exit::PROTOCOL),
    }
}

/// Converts an end reason to the exit code, or to a failure with a text for the user.
/// Unacknowledged messages are a failure. With `is_script`, a refused request gives
/// [`exit::REFUSED`]; otherwise it does not count.
pub(super) fn exit_code(
    end: &Result<EndReason, WrongKey>,
    config: &Config,
    is_script: bool,
) -> Result<u8, Failure> {
    let (_, code) = end_reason_and_code(end);
    // The text may contain text of the server.
    let failed = |text: String| Err((code, anyhow!(safe_line(&text))));
    let end = match end {
        Ok(end) => end,
        Err(WrongKey(text)) => return failed(text.clone()),
    };
    match end {
        EndReason::Left { unsent, .. } if *unsent > 0 => Err((
            exit::UNAVAILABLE,
            anyhow!(
                "{} not delivered to {}.",
                counted(*unsent, "message was", "messages were"),
                config.server
            ),
        )),
        EndReason::Left { refused, .. } if *refused > 0 && is_script => Ok(exit::REFUSED),
        EndReason::Left { .. } => Ok(0),
        EndReason::Unavailable { reason } => failed(format!(
            "{reason} Is chat-server running at {}? (With --wait, the client keeps trying.)",
            config.server
        )),
        EndReason::Refused { code: why, reason } => failed(match why {
            Some(ErrorCode::NameClaimed) => {
                let (name, hint) = (&config.name, if config.no_key { NO_KEY_HINT } else { "" });
                let reason = reason_text(ErrorCode::NameClaimed.number(), reason);
                format!("{name}: {reason} To ask for another name, use --name.{hint}")
            }
            Some(ErrorCode::ProofInvalid) => format!(
                "{reason} If a proxy that you trust ends the encryption on the way, start with \
                 --no-key; if you know of none, somebody may be reading along."
            ),
            Some(ErrorCode::InviteRequired) => {
                format!("{reason} Give the code of your invitation with --invite CODE.")
            }
            Some(ErrorCode::InviteInvalid) => match invited_name(reason) {
                Some(name) => format!("{reason} To use it, start with --name {name}."),
                None => format!("{reason} To use another one, start with --invite CODE."),
            },
            Some(ErrorCode::NameInvalid | ErrorCode::NameTaken | ErrorCode::NameLookalike) => {
                format!(
                    "{reason} You asked for “{}”. To ask for another name, use --name.",
                    config.name
                )
            }
            Some(ErrorCode::PasswordRequired | ErrorCode::PasswordWrong) => {
                format!("{reason} Give it with --password-file or PI_CHAT_PASSWORD.")
            }
            _ => reason.clone(),
        }),
        EndReason::Protocol { reason } => failed(format!("{reason} ({})", config.server)),
    }
}
