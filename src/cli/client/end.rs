//! How a chat has ended: exit code, and what the user is told.

use anyhow::anyhow;

use super::super::exit::{self, Failure};
use crate::client::WrongKey;
use crate::config::client::Config;
use crate::l10n::{self, Language};
use crate::link::EndReason;
use crate::model::{ErrorCode, Sentence, invited_name, safe_name};
use crate::text;
use crate::ui::{safe_line, sentence_text};

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
    let server = config.server.to_string();
    match end {
        EndReason::Left { unsent, .. } if *unsent > 0 => {
            let text = text!("end-undelivered", count = *unsent, server = safe_line(&server));
            Err((exit::UNAVAILABLE, anyhow!(text)))
        }
        EndReason::Left { refused, .. } if *refused > 0 && is_script => Ok(exit::REFUSED),
        EndReason::Left { .. } => Ok(0),
        EndReason::Unavailable { reason } => failed(text!(
            "end-unavailable",
            reason = server_text(reason),
            server = safe_line(&server)
        )),
        EndReason::Refused { code: why, reason } => failed(refused_text(*why, reason, config)),
        EndReason::Protocol { reason } => failed(format!("{} ({server})", server_text(reason))),
    }
}

/// Says why the server has refused the client, and what to do.
fn refused_text(code: Option<ErrorCode>, reason: &Sentence, config: &Config) -> String {
    let (reason, sentence) = (server_text(reason), reason.to_string());
    let name = safe_name(&config.name);
    match code {
        Some(ErrorCode::NameClaimed) if config.no_key => {
            text!("end-name-claimed-no-key", name = name)
        }
        Some(ErrorCode::NameClaimed) => text!("end-name-claimed", name = name),
        Some(ErrorCode::ProofInvalid) => text!("end-proof-invalid", reason = reason),
        Some(ErrorCode::InviteRequired) => text!("end-invite-required", reason = reason),
        Some(ErrorCode::InviteInvalid) => match invited_name(&sentence) {
            Some(name) => text!("end-invite-for-name", reason = reason, name = safe_name(name)),
            None => text!("end-invite-invalid", reason = reason),
        },
        Some(ErrorCode::NameInvalid | ErrorCode::NameTaken | ErrorCode::NameLookalike) => {
            text!("end-name-refused", reason = reason, name = name)
        }
        Some(ErrorCode::PasswordRequired | ErrorCode::PasswordWrong) => {
            text!("end-password", reason = reason)
        }
        _ => reason,
    }
}

/// Returns what the server has said. That is in English, so its own words are those for programs, and
/// for users who read English.
fn server_text(reason: &Sentence) -> String {
    match l10n::language() == Language::English {
        true => reason.to_string(),
        false => sentence_text(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::client::PartialConfig;
    use crate::l10n::tests::with_language;
    use crate::model::{HostAddress, LinkSentence};

    /// Why the server cannot be used is told as why it refuses is: in English in its own words, which
    /// say more, in another language in those of its code; what the engine says, in the user's.
    #[test]
    fn unavailable_server_is_quoted_in_english() {
        let server = "pi".parse::<HostAddress>().unwrap().into();
        let config = PartialConfig::default().into_config(server, None, None).unwrap();
        let told = |reason: Sentence, language| {
            let end = Ok(EndReason::Unavailable { reason });
            let (code, error) =
                with_language(language, || exit_code(&end, &config, false)).unwrap_err();
            assert_eq!(code, exit::UNAVAILABLE);
            error.to_string()
        };
        let code = ErrorCode::ServerFull.number();
        let full = Sentence::Server { code, text: "All 200 places are taken.".to_owned() };
        let english = told(full.clone(), Language::English);
        assert!(english.starts_with("All 200 places are taken. Is chat-server"), "{english}");
        let german = told(full, Language::German);
        assert!(
            german.starts_with("Der Server hat so viele Gäste, wie er fassen kann. Läuft"),
            "{german}"
        );
        let german = told(LinkSentence::NothingAnswered.into(), Language::German);
        assert!(german.starts_with("Von dort kam keine Antwort. Läuft chat-server"), "{german}");
    }
}
