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

    /// Disconnects, and asks the user for an invitation. `code` and `text`: the server's reason.
    pub(super) fn ask_for_invite(&mut self, code: u16, text: String) {
        self.push_output(Output::Disconnect);
        self.phase = Phase::AwaitingInvite;
        self.emit(Event::InviteWanted { code, text });
    }

    /// Returns the invitation for the next `join`, as the server reads it; `None` if there is none.
    pub(super) fn invite_to_send(&self) -> Option<String> {
        self.settings.invite.as_ref().map(InvitationCode::canonical)
    }

    /// Drops the invitation, because a `welcome` came: from now on the server knows the session.
    pub(super) const fn drop_invite(&mut self) {
        self.settings.invite = None;
    }

    /// Takes another invitation, or none, for the next join, and connects if the link waits for it.
    /// Does nothing after a `welcome`: from then on no invitation is sent.
    pub(super) fn on_invite(&mut self, now: Moment, invite: Option<InvitationCode>) {
        if self.welcome.is_none() {
            self.settings.invite = invite;
        }
        if self.phase == Phase::AwaitingInvite {
            self.connect(now);
        }
    }
}
