//! `chat-client forget`: forgets the key of a server.

use std::io::{Write, stdout};

use anyhow::Context;
use clap::Args;

use crate::cli::exit::{Failure, os_failure, usage_failure};
use crate::client::{Destination, forget_fingerprint};
use crate::config::user::state_directory;
use crate::model::ServerId;
use crate::tls::ServerLink;

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
            let link = link.with_context(|| format!("“{text}” is not the address of a server"));
            Destination::from(link.map_err(usage_failure)?.address).trust_key()
        }
    };
    let key = key
        .context("the port is missing: write chats://HOST:PORT, as the message about the key does");
    let key = key.map_err(usage_failure)?;
    let Some(directory) = state_directory() else { return Ok(0) };
    let is_forgotten = forget_fingerprint(&directory, &key).map_err(|it| os_failure(it.into()))?;
    let told = if is_forgotten {
        "The key is forgotten."
    } else {
        "There was no key of this server to forget."
    };
    // Standard output may be closed.
    let _ = writeln!(stdout(), "{told}");
    Ok(0)
}
