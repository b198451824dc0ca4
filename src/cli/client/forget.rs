//! `chat-client forget`: forgets the key of a server.

use std::io::{Write, stdout};

use anyhow::anyhow;
use clap::Args;

use crate::cli::exit::{Failure, os_failure, usage_failure};
use crate::client::{Destination, forget_fingerprint};
use crate::config::user::state_directory;
use crate::model::ServerId;
use crate::text;
use crate::tls::ServerLink;
use crate::ui::{disk_error_text, link_error_text, safe_line};

/// Flags of `forget`.
#[derive(Args)]
pub(super) struct ForgetArgs {
    /// The server, as in the message about its key: an id, chats://host:port or a link
    server: String,
}

/// Runs `chat-client forget`: forgets the fingerprint of a server. Returns the exit code.
///
/// # Errors
/// The argument is no id and no address, or the file cannot be removed.
pub(super) fn forget_server(command: &ForgetArgs) -> Result<u8, Failure> {
    let text = &command.server;
    let key = match text.parse::<ServerId>() {
        Ok(id) => Some(format!("id {id}")),
        Err(_) => {
            let link = text.parse::<ServerLink>();
            let link = link.map_err(|error| {
                let (text, reason) = (safe_line(text), link_error_text(&error));
                anyhow!(text!("forget-no-address", text = text, reason = reason))
            });
            Destination::from(link.map_err(usage_failure)?.address).trust_key()
        }
    };
    let key = key.ok_or_else(|| usage_failure(anyhow!(text!("forget-no-port"))))?;
    let Some(directory) = state_directory() else { return Ok(0) };
    let is_forgotten = forget_fingerprint(&directory, &key)
        .map_err(|it| os_failure(anyhow!(disk_error_text(&it.path, &it.source))))?;
    let told = if is_forgotten { text!("forget-done") } else { text!("forget-none") };
    // Standard output may be closed.
    let _ = writeln!(stdout(), "{told}");
    Ok(0)
}
