//! The command `chat-server invite`. It shows how people get into the server on this machine, with a
//! browser or with `chat-client`: addresses, links and QR codes, in the terminal, as SVG, or on a page to print. Or it makes a
//! code by which somebody may come in and claim a name, or a sheet of slips with such codes.
//!
//! | file | part |
//! |---|---|
//! | here | command line, and what it does |
//! | `code` | invitations by code |
//! | `sheet` | many invitations by code, all or none |
//! | `slips` | the sheet to print |
//! | `invitation` | which addresses lead to the server |
//! | `wifi` | name and password of a Wi-Fi |
//! | `text` | what the terminal shows |
//! | `page` | the page to print |
//! | `output` | files and standard output |

mod code;
mod invitation;
mod output;
mod page;
mod sheet;
mod slips;
mod text;
mod wifi;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use self::code::CodeArgs;
use self::invitation::{Invitation, parse_url};
use self::wifi::{Wifi, WifiArgs};
use super::control::ControlArgs;
use crate::qr_code::QrCode;

/// Arguments of `invite`.
#[derive(Args, Debug)]
pub(super) struct InviteArgs {
    /// Invite to this address, such as that of a proxy in front of the server; the server then need
    /// not run
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<String>,

    /// Write the QR code of the address to this file as SVG; - is standard output
    #[arg(long, value_name = "FILE", group = "form")]
    svg: Option<PathBuf>,

    /// Write a page to print (A4, HTML) to this file; - is standard output
    #[arg(long, value_name = "FILE", groups = ["form", "sheet_form"])]
    page: Option<PathBuf>,

    /// Print one JSON object: name, url, urls, fingerprint, links; with --code: code, id, what it
    /// permits, url and link (docs/status.md)
    #[arg(long, groups = ["form", "sheet_form"])]
    json: bool,

    /// Invitation by code.
    #[command(flatten)]
    code: CodeArgs,

    /// Wi-Fi to join first.
    #[command(flatten)]
    wifi: WifiArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Runs `chat-server invite`. Returns exit code 0 if it has shown or written the invitation,
/// otherwise 1.
pub(super) fn run(command: &InviteArgs) -> ExitCode {
    let outcome = match (command.code.code, command.code.sheet) {
        (_, Some(count)) => sheet::invite(command, count),
        (true, None) => code::invite(command),
        (false, None) => invite(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Finds out the addresses, and shows or writes the invitation.
///
/// # Errors
/// The server cannot be asked, nobody else can reach it with a browser or over TLS, the password of
/// the Wi-Fi cannot be read or is invalid, or the output cannot be written.
fn invite(command: &InviteArgs) -> Result<()> {
    let invitation = Invitation::collect(command.url.as_deref(), &command.socket)?;
    let wifi = command.wifi.read()?;
    let address = invitation.address()?;
    let code = QrCode::new(address)?;
    if command.json {
        return output::print(&(serde_json::to_string(&invitation)? + "\n"));
    }
    if let Some(path) = &command.svg {
        return output::write(path, &code.to_svg(address), false);
    }
    let wifi = wifi.map(Wifi::with_code).transpose()?;
    match &command.page {
        Some(path) => {
            // The code of the Wi-Fi has its password.
            output::write(
                path,
                &page::html(&invitation, address, &code, wifi.as_ref()),
                wifi.is_some(),
            )
        }
        None => output::print(&text::of(&invitation, address, &code, wifi.as_ref())),
    }
}
