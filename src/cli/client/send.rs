//! `chat-client send`: sends one message and leaves.

use std::io::{Read, stderr, stdin, stdout};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::end::exit_code;
use super::{CommonArgs, UiMode, driver_setup, run_driver};
use crate::cli::exit::{Failure, os_failure, usage_failure};
use crate::cli::frontend;
use crate::model::{ChatCommand, Command, Request, RequestTag, RoomSelector, Style};
use crate::ui::{PlainScreen, SharedViewState};
use crate::{text, text_input};

/// Flags of `send`.
#[derive(Args)]
pub(super) struct SendArgs {
    /// host, host:port, [::1]:port, chats://host (TLS), chat://host (unencrypted), or the link that
    /// `chat-server invite` shows
    /// [default: the server on this network]
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Send it to this person only
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// The message [default: all of the input]; the server can come before it
    #[arg(value_name = "[SERVER] TEXT", num_args = 0..=2)]
    words: Vec<String>,
    /// Shared flags.
    #[command(flatten)]
    common: CommonArgs,
}

impl SendArgs {
    /// Returns the server, `None` if none is given, and the text, `None` to read the input. A
    /// single argument is the text.
    ///
    /// # Errors
    /// The server is given twice.
    pub(super) fn server_and_text(&self) -> Result<(Option<String>, Option<String>)> {
        match (&self.server, self.words.as_slice()) {
            (server, []) => Ok((server.clone(), None)),
            (server, [text]) => Ok((server.clone(), Some(text.clone()))),
            (None, [server, text, ..]) => Ok((Some(server.clone()), Some(text.clone()))),
            (Some(_), [..]) => bail!(text!("send-server-twice")),
        }
    }
}

/// Runs `chat-client send`: sends one message, waits for its acknowledgement, and leaves. Gives up
/// when no answer has come for the time of the `timeout` setting. If the command line has no text,
/// sends all of standard input as one message, without line endings at its end, and with LF for
/// each CR LF. Without `--to`, the message goes to the first room. Returns the exit code.
pub(super) fn send_message(send: SendArgs) -> Result<u8, Failure> {
    let (server, text) = send.server_and_text().map_err(usage_failure)?;
    let config = send.common.load_config(server, false)?;
    let text = match text {
        Some(text) => text,
        None => {
            let mut bytes = Vec::new();
            let text = stdin().read_to_end(&mut bytes).and_then(|_| text_input::decode(&bytes));
            let text = text.context(text!("input-unreadable")).map_err(usage_failure)?;
            text.trim_end_matches(['\n', '\r']).replace("\r\n", "\n")
        }
    };
    let command = match send.to {
        Some(to) => ChatCommand::Direct { to, session: None, style: Style::SAID, text },
        None => ChatCommand::Say { room: RoomSelector::First, style: Style::SAID, text },
    };
    let setup = driver_setup(&config, &send.common, UiMode::Silent, false).map_err(os_failure)?;
    let (requests, request_queue) = frontend::request_queue();
    let patience = Duration::from_secs(config.timeout.into());
    for command in [Command::Chat(command), Command::Finish { patience }] {
        // Sending cannot fail: the queue is empty and holds both.
        let _ = requests.try_send(Request { tag: RequestTag::default(), command });
    }
    let mut screen =
        PlainScreen::new(stdout(), stderr(), false, SharedViewState::default()).quiet();
    let end = run_driver(setup, &mut screen, request_queue).map_err(os_failure)?;
    exit_code(&end, &config, true)
}
