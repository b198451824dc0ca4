//! Claims: the right of the user's key to a username (`docs/protocol/identity.md`).

use super::Link;
use crate::model::{ClaimAction, Event, Reference, RequestTag};
use crate::wire::tcp::{Claim, ClientFrame, claim_action};

/// Refusal text for a request about a claim to a server that takes no proof of a key.
pub(super) const CLAIMS_UNSUPPORTED_TEXT: &str = "Names cannot be claimed in this session: the \
    server is too old for it, or keeps nothing on disk, or this program was started without a key.";

impl ClaimAction {
    /// Returns the request frame for this action, with this reference.
    pub(super) fn to_frame(self, reference: Reference) -> ClientFrame {
        let action = match self {
            Self::Claim => claim_action::CLAIM,
            Self::GiveUp => claim_action::GIVE_UP,
        };
        Claim { reference, action, code_hash: [0; 32] }.into()
    }
}

impl Link {
    /// Reports that the server has carried out a request about a claim. `affected`: 0 if there was
    /// nothing to do. A claimed name needs no invitation any more.
    pub(super) fn report_claim(&mut self, tag: RequestTag, action: ClaimAction, affected: u32) {
        let name = self.welcome.as_ref().map_or("", |it| &it.username);
        let text = match action {
            ClaimAction::Claim => {
                format!("{name} is your name now: nobody gets it without the key of this device")
            }
            ClaimAction::GiveUp if affected == 0 => "you have claimed no name here".to_owned(),
            ClaimAction::GiveUp => "you have given up your claim: whoever comes first may have \
                                    the name when you are away, and a new claim may need a new \
                                    invitation"
                .to_owned(),
        };
        if action == ClaimAction::Claim {
            self.settings.invite = None;
        }
        self.emit(Event::Done { tag, text });
    }
}
