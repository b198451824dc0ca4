//! Handling of `error` frames: `docs/protocol/README.md`, section 7.

use std::time::Duration;

use super::contract::{EndReason, Output};
use super::pending::PendingRequest;
use super::{Link, Phase};
use crate::model::{ErrorCode, Event, Moment, Sentence};
use crate::wire::tcp::{Error, kind};

impl Link {
    /// Handles an `error` frame.
    ///
    /// - If the server closes the connection after this code, the error concerns the connection.
    ///   This includes every unknown code from 100 to 199.
    /// - Another error concerns the join if it answers the `join` and `welcome` is still awaited.
    /// - Any other error concerns a single request.
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

    /// Handles an error after which the server closes the connection. Ends the link if the error is
    /// final or reports a protocol violation.
    ///
    /// In any other case, first refuses the request that the error answers, if any. The link would
    /// otherwise resend it after every reconnect, with the same outcome. Then drops the connection:
    /// see [`Link::drop_connection`]. The server may advise the delay of the reconnect.
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
            self.end_with_protocol_error(said(&error));
        } else if known.is_some_and(ErrorCode::is_final) {
            self.finish_refused(&error);
        } else {
            if let Some(item) = self.take_answered(now, &error) {
                self.refuse(item.tag, error.code, error.text.clone(), &item.command);
            }
            let advice = u64::from(error.retry_after);
            let advice = (advice > 0).then(|| Duration::from_millis(advice));
            self.drop_connection(now, said(&error), advice);
        }
    }

    /// Ends the link with [`EndReason::Refused`] after an error of the server.
    fn finish_refused(&mut self, error: &Error) {
        let code = ErrorCode::from_number(error.code);
        self.finish(EndReason::Refused { code, reason: said(error) });
    }

    /// Handles an error that refuses the join.
    ///
    /// - If the username is the reason, and
    ///   [`Settings::can_ask_name`](super::Settings::can_ask_name) is true: disconnects and asks
    ///   the user for another username. Token and position stay (`docs/protocol/tcp.md`, section
    ///   13).
    /// - If the server wants an invitation, or another one: see `Link::on_invite_refused`.
    /// - If the server wants a password, the link has one, and the last join did not include it:
    ///   sends the join again with the password.
    /// - Otherwise, if the server wants a password, the user can be asked, and no `welcome` was
    ///   received before: disconnects and asks the user.
    /// - In any other case: ends the link.
    fn on_join_refused(&mut self, now: Moment, known: Option<ErrorCode>, error: Error) {
        let wants_password =
            matches!(known, Some(ErrorCode::PasswordRequired | ErrorCode::PasswordWrong));
        if known.is_some_and(ErrorCode::is_about_name) && self.settings.can_ask_name {
            self.push_output(Output::Disconnect);
            self.phase = Phase::AwaitingName;
            let name = self.settings.username.clone();
            self.emit(Event::NameWanted { name, code: error.code, text: error.text });
            return;
        }
        if self.on_invite_refused(now, known, error.code, &error.text) {
            return;
        }
        if !wants_password {
            self.finish_refused(&error);
            return;
        }
        self.password_required = true;
        if self.settings.password.is_some() && !self.password_sent {
            self.phase = Phase::AwaitingWelcome { since: now };
            self.send_join();
        } else if self.settings.can_prompt && self.welcome.is_none() {
            let again = self.password_sent;
            self.push_output(Output::Disconnect);
            self.phase = Phase::AwaitingPassword;
            self.emit(Event::PasswordWanted { again });
        } else {
            self.finish_refused(&error);
        }
    }

    /// Handles an error that refuses a request. Removes the request from the queue, reports it as
    /// refused, then sends further requests. If no such request is pending, reports only the error,
    /// as [`Event::Problem`], unless it is about a read mark. If the error says that the name has a new holder, unpins the
    /// recipient.
    fn on_request_refused(&mut self, now: Moment, known: Option<ErrorCode>, error: Error) {
        let Some(item) = self.take_answered(now, &error) else {
            if error.about == kind::MARK_READ {
                // A moderator has sent the user out of the room meanwhile.
                return;
            }
            self.emit(Event::Problem { code: error.code, text: error.text.into() });
            return;
        };
        if known == Some(ErrorCode::RecipientChanged) {
            self.pinned_sessions.unpin(&item.command.target());
        }
        self.refuse(item.tag, error.code, error.text, &item.command);
        self.send_unsent();
    }

    /// Removes and returns the pending request that an error answers. Restarts the timeout of a
    /// graceful shutdown. If there is no such request, only returns `None`.
    fn take_answered(&mut self, now: Moment, error: &Error) -> Option<PendingRequest> {
        let session = self.own_sessions.last().copied()?;
        let item = match error.about {
            kind::SAY | kind::DIRECT => self.pending.take_message(session, error.reference),
            about => self.pending.take_request(session, about, error.reference),
        }?;
        self.record_answer(now);
        Some(item)
    }
}

/// Returns what the server says by an error.
fn said(error: &Error) -> Sentence {
    Sentence::Server { code: error.code, text: error.text.clone() }
}
