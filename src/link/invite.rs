//! The user's invitation, and the question for one (`docs/protocol/identity.md`).

use super::{Link, Output, Phase};
use crate::model::{ErrorCode, Event, InvitationCode, Moment};

impl Link {
    /// Returns the invitation for the next `join`, as the server reads it; `None` if there is none.
    pub(super) fn invite_to_send(&self) -> Option<String> {
        self.settings.invite.as_ref().map(InvitationCode::canonical)
    }

    /// Handles a `join` that was refused with `error`, if it is about an invitation and the link
    /// need not end. Returns true if it has.
    ///
    /// - If the user has been in before, drops the invitation that was refused, and sends the join
    ///   again: it was used up meanwhile, say, and the server knows the session or the key.
    /// - Otherwise, if the invitation is for another username, and [`Settings::takes_invited_name`]
    ///   is true: connects again, and joins under that.
    /// - Otherwise, if the user can be asked for an invitation: disconnects and asks.
    ///
    /// [`Settings::takes_invited_name`]: super::Settings
    pub(super) fn on_invite_refused(
        &mut self,
        now: Moment,
        error: Option<ErrorCode>,
        code: u16,
        text: &str,
    ) -> bool {
        let is_invalid = error == Some(ErrorCode::InviteInvalid);
        if !is_invalid && error != Some(ErrorCode::InviteRequired) {
            return false;
        }
        if self.welcome.is_some() {
            let is_dropped = is_invalid && self.settings.invite.take().is_some();
            if is_dropped {
                self.phase = Phase::AwaitingWelcome { since: now };
                self.send_join();
            }
            return is_dropped;
        }
        #[cfg(feature = "ui")]
        if is_invalid && self.take_invited_name(text) {
            self.push_output(Output::Disconnect);
            self.connect(now);
            return true;
        }
        if self.settings.can_prompt {
            self.push_output(Output::Disconnect);
            self.phase = Phase::AwaitingInvite;
            self.emit(Event::InviteWanted { code, text: text.to_owned() });
        }
        self.settings.can_prompt
    }

    /// Takes the username that the invitation is for, by the text of error 210, if the user has
    /// chosen none. Returns true if it is another one. It is taken once.
    #[cfg(feature = "ui")]
    fn take_invited_name(&mut self, text: &str) -> bool {
        let name = crate::model::invited_name(text);
        let name = name.and_then(|it| crate::model::Username::new(it).ok());
        match name {
            Some(name) if std::mem::take(&mut self.settings.takes_invited_name) => {
                name.as_str().clone_into(&mut self.settings.username);
                true
            }
            _ => false,
        }
    }

    /// Takes another invitation, or none, for the next join, and connects if the link waits for it.
    /// Does nothing after a `welcome`: then the server knows the user.
    pub(super) fn on_invite(&mut self, now: Moment, invite: Option<InvitationCode>) {
        if self.welcome.is_none() {
            self.settings.invite = invite;
        }
        if self.phase == Phase::AwaitingInvite {
            self.connect(now);
        }
    }
}
