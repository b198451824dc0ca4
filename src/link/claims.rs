//! Claims: the right of the user to a username, and the devices that have it
//! (`docs/protocol/identity.md`).

use super::Link;
use crate::model::{ClaimAction, Event, Reference, RequestTag, Sentence};
#[cfg(feature = "ui")]
use crate::model::{LinkCode, LinkSentence, PageUrl};
use crate::wire::tcp::{Claim, ClientFrame, Done, claim_action};

impl ClaimAction {
    /// Returns the request frame for this action, with this reference.
    pub(super) fn to_frame(self, reference: Reference) -> ClientFrame {
        let (action, code_hash) = match self {
            Self::Claim => (claim_action::CLAIM, [0; 32]),
            Self::GiveUp => (claim_action::GIVE_UP, [0; 32]),
            #[cfg(feature = "ui")]
            Self::Link(code) => (claim_action::LINK, code.hash().0),
            Self::LinkHash(hash) => (claim_action::LINK, hash.0),
            Self::UnlinkOthers => (claim_action::UNLINK_OTHERS, [0; 32]),
        };
        Claim { reference, action, code_hash }.into()
    }
}

impl Link {
    /// Reports that the server has carried out a request about a claim, as `done` says. A claimed name needs no invitation any more. A claim or its end may give the
    /// user another number as a person.
    pub(super) fn report_claim(&mut self, tag: RequestTag, action: ClaimAction, done: &Done) {
        #[cfg(feature = "ui")]
        if let ClaimAction::Link(code) = action {
            let name = self.welcome.as_ref().map_or_else(String::new, |it| it.username.clone());
            let page_link = PageUrl::new(done.page.clone()).map(|it| it.link(code));
            let made = LinkCode { tag, name, code, link: None, page_link };
            return self.emit(Event::LinkCode(made));
        }
        #[cfg(feature = "ui")]
        let text = self.claim_text(action, done.affected);
        // The page has texts of its own, and no bytes to spare.
        #[cfg(not(feature = "ui"))]
        let (text, _) = (Sentence::Worded(String::new()), done);
        if matches!(action, ClaimAction::Claim | ClaimAction::GiveUp) {
            self.own_person = None;
        }
        if action == ClaimAction::Claim {
            self.settings.invite = None;
        }
        self.emit(Event::Done { tag, text });
    }
    /// Returns what the server has done about a claim, for people.
    #[cfg(feature = "ui")]
    fn claim_text(&self, action: ClaimAction, affected: u32) -> Sentence {
        let name = || self.welcome.as_ref().map_or_else(String::new, |it| it.username.clone());
        let sentence = match action {
            // They are answered by the code, and asked for by a page, which has its own texts.
            ClaimAction::Link(_) | ClaimAction::LinkHash(_) => return String::new().into(),
            ClaimAction::Claim => LinkSentence::Claimed { name: name() },
            ClaimAction::GiveUp if affected == 0 => LinkSentence::NoClaim,
            ClaimAction::GiveUp => LinkSentence::ClaimGivenUp,
            ClaimAction::UnlinkOthers => LinkSentence::OthersUnlinked { name: name() },
        };
        sentence.into()
    }
}
