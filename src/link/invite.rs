//! The user's invitation, and the question for one (`docs/protocol/identity.md`).

use super::{Link, Output, Phase};
use crate::model::{ErrorCode, Event, InvitationCode, Moment};

impl Link {
    /// Returns true if a `join` was refused with `error` for want of an invitation, and the user
    /// can be asked for one.
    pub(super) const fn asks_for_invite(&self, error: Option<ErrorCode>) -> bool {
        matches!(error, Some(ErrorCode::InviteRequired | ErrorCode::InviteInvalid))
            && self.settings.can_prompt
            && self.welcome.is_none()
    }

    /// Disconnects, and asks the user for an invitation. `text`: the server's reason.
    pub(super) fn ask_for_invite(&mut self, text: String) {
        self.push_output(Output::Disconnect);
        self.phase = Phase::AwaitingInvite;
        self.emit(Event::InviteWanted { text });
    }

    /// Returns the invitation for the next `join`, as the server reads it; `None` if there is none.
    pub(super) fn invite_to_send(&self) -> Option<String> {
        self.settings.invite.as_ref().map(InvitationCode::canonical)
    }

    /// Drops the invitation, because a `welcome` came: from now on the server knows the session.
    pub(super) const fn drop_invite(&mut self) {
        self.settings.invite = None;
    }

    /// Takes the invitation that the user was asked for, and connects. Does nothing if the link
    /// does not wait for one.
    pub(super) fn on_invite(&mut self, now: Moment, invite: InvitationCode) {
        if self.phase == Phase::AwaitingInvite {
            self.settings.invite = Some(invite);
            self.connect(now);
        }
    }
}
