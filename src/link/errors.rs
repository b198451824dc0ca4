//! Handling of `error` frames: `docs/protocol/README.md`, section 7.

use std::time::Duration;

use super::contract::Output;
use super::{Link, Phase};
use crate::model::{ErrorCode, Event, Moment};
use crate::wire::tcp::{Error, kind};

impl Link {
    /// Handles an `error` frame. Depending on its code and on the request kind that it answers, it
    /// concerns the connection, the join, or a single request.
    pub(super) fn on_error(&mut self, now: Moment, error: Error) {
        let known = ErrorCode::from_number(error.code);
        let closes = known.map_or((100..200).contains(&error.code), ErrorCode::closes);
        if closes {
            self.on_closing_error(now, known, error);
        } else if error.about == kind::JOIN && matches!(self.phase, Phase::AwaitingWelcome { .. }) {
            self.on_join_refused(now, known, error);
        } else {
            self.on_request_refused(now, known, error);
        }
    }

    /// Handles an error after which the server closes the connection: ends the link if the error is
    /// final, and reconnects otherwise, after the delay that the server advises.
    fn on_closing_error(&mut self, now: Moment, known: Option<ErrorCode>, error: Error) {
        let is_protocol = matches!(
            known,
            Some(
                ErrorCode::NotPiChat
                    | ErrorCode::VersionUnsupported
                    | ErrorCode::FrameTooLarge
                    | ErrorCode::Malformed
                    | ErrorCode::Unexpected
            )
        );
        if is_protocol {
            self.end_with_protocol_error(error.text);
        } else if known.is_some_and(ErrorCode::is_final) {
            self.finish_refused(error.code, error.text);
        } else {
            let advice = u64::from(error.retry_after);
            let advice = (advice > 0).then(|| Duration::from_millis(advice));
            self.drop_connection(now, error.text, advice);
        }
    }

    /// Handles an error that refuses the join. If the server wants a password, the link sends the
    /// configured one or asks the user; any other error ends the link.
    fn on_join_refused(&mut self, now: Moment, known: Option<ErrorCode>, error: Error) {
        let wants_password =
            matches!(known, Some(ErrorCode::PasswordRequired | ErrorCode::PasswordWrong));
        if !wants_password {
            self.finish_refused(error.code, error.text);
            return;
        }
        self.password_required = true;
        if self.settings.password.is_some() && !self.password_sent {
            self.phase = Phase::AwaitingWelcome { since: now };
            self.send_join();
        } else if self.settings.can_prompt && !self.has_joined {
            let again = self.password_sent;
            self.push_output(Output::Disconnect);
            self.phase = Phase::AwaitingPassword;
            self.emit(Event::PasswordWanted { again });
        } else {
            self.finish_refused(error.code, error.text);
        }
    }

    /// Handles an error that refuses a request: reports the request as refused, or reports the
    /// error itself if no request matches.
    fn on_request_refused(&mut self, now: Moment, known: Option<ErrorCode>, error: Error) {
        let session = self.own_sessions.last().copied();
        let item = match error.about {
            kind::SAY | kind::DIRECT => {
                session.and_then(|it| self.pending.take_message(it, error.reference))
            }
            about => session.and_then(|it| self.pending.take_request(it, about, error.reference)),
        };
        let Some(item) = item else {
            self.emit(Event::Problem { code: error.code, text: error.text });
            return;
        };
        self.record_answer(now);
        if known == Some(ErrorCode::RecipientChanged) {
            self.pinned_sessions.unpin(&item.command.target());
        }
        self.refuse(item.tag, error.code, error.text, &item.command);
        self.send_unsent();
    }
}
