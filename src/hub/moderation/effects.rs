//! What a committed fact does.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Hub;
use super::super::contract::Now;
use super::super::log_contract::FactTicket;
use super::proposals::answer_to;
use crate::model::{
    Actor, AnnouncementText, Fact, FactDraft, ModerationAction, NameKey, NoticeCode, RoomSetting,
    Sanction, SanctionKind, Scope, Sequence, SessionId, SharedFact, Timestamp, Username,
};
use crate::moderation::{Joiner, ModerationState};
use crate::wire::tcp::{Notice, action};

impl Hub {
    /// Handles a committed fact: advances the hub's head, applies the fact to the moderation state,
    /// carries out what it says, and answers whoever asked for it. A fact that is not effective
    /// changes nothing. Ignores a fact whose sequence is not above the current head.
    pub(in super::super) fn handle_stored_fact(
        &mut self,
        now: Now,
        ticket: Option<FactTicket>,
        fact: &SharedFact,
    ) {
        if fact.sequence <= self.head {
            return;
        }
        self.head = fact.sequence;
        // The log has judged the fact with the same state; this says why, if it was refused.
        let verdict = self.moderation.judge(&fact.draft, fact.time);
        let ended = match &fact.draft.action {
            ModerationAction::ClaimEnded { username, .. } => {
                self.moderation.claim(username.key()).map(|it| it.person)
            }
            _ => None,
        };
        for change in self.moderation.apply(fact) {
            self.deadlines.update(change, now.moment);
        }
        let pending = ticket.and_then(|it| Some((it, self.facts.take(it)?)));
        let text = pending.as_ref().and_then(|(_, it)| it.announcement.clone());
        let affected =
            if fact.is_effective { self.carry_out(now, fact, text.as_ref(), ended) } else { 0 };
        if let Some((ticket, pending)) = pending {
            let outcome = match verdict {
                Err(error) if !fact.is_effective => answer_to(error),
                _ => Ok(affected),
            };
            self.finish_moderation(now, ticket, &pending.requester, outcome);
        }
    }

    /// Carries out an effective fact, which is applied already. Returns the number of connected
    /// users that it has hit; for an end of a sanction, a removal, a claim and an invitation 1.
    /// `text`: text of an announcement of this hub; another hub's has none here. `ended`: the person
    /// whose claim the fact has ended.
    fn carry_out(
        &mut self,
        now: Now,
        fact: &SharedFact,
        text: Option<&AnnouncementText>,
        ended: Option<SessionId>,
    ) -> usize {
        match &fact.draft.action {
            ModerationAction::RoleSet { scope, holder, role } => {
                self.tell_role(scope.room(), holder, *role);
                usize::from(self.is_present(holder.session))
            }
            ModerationAction::Banned { sanction, .. }
            | ModerationAction::BannedWithKey { sanction, .. } => {
                let hit = self.banned_sessions(&self.moderation, sanction);
                let users = self.count_users(&hit);
                for session in &hit {
                    self.send_out(now, *session, &sanction.scope, fact);
                }
                users
            }
            ModerationAction::Muted(sanction) => {
                let hit = self.named_sessions(&sanction.username, sanction.session);
                for session in &hit {
                    self.tell_sanction(*session, action::MUTE, fact);
                }
                self.count_users(&hit)
            }
            ModerationAction::SanctionEnded { kind, username, .. } => {
                let number = match kind {
                    SanctionKind::Ban => action::UNBAN,
                    SanctionKind::Mute => action::UNMUTE,
                };
                for session in self.named_sessions(username, None) {
                    self.tell_sanction(session, number, fact);
                }
                1
            }
            ModerationAction::Kicked { scope, target } => {
                let sessions = self.sessions_known_by(target.session);
                let sent = sessions.into_iter().filter(|it| self.send_out(now, *it, scope, fact));
                usize::from(sent.count() > 0)
            }
            ModerationAction::RoomSet { room, setting } => {
                let Some(id) = self.rooms.find(room) else {
                    return 0;
                };
                match setting {
                    RoomSetting::Topic(_) => self.tell_topic(id, fact),
                    RoomSetting::SlowMode(_) | RoomSetting::Moderated(_) => self.tell_modes(id),
                }
                self.rooms.get(id).map_or(0, |it| it.members.len())
            }
            ModerationAction::MessageRemoved { room, .. } => {
                self.tell_removal(room, fact);
                1
            }
            ModerationAction::Announced(scope) => {
                let notice = text.map(|it| Notice::new(NoticeCode::Announcement, it.as_str()));
                notice.map_or(0, |it| self.announce(scope, it))
            }
            ModerationAction::NameClaimed { holder, key, .. } => {
                self.identity_timer.note_use(holder.username.key().clone(), *key, now.moment);
                if fact.draft.actor != Actor::Server {
                    self.settle_claim(now, holder, *key);
                }
                1
            }
            ModerationAction::ClaimEnded { username, .. } => {
                if let Some(person) = ended {
                    self.end_person(now, username.key(), person);
                }
                1
            }
            ModerationAction::DeviceLinked { person, .. } => {
                self.tell_device_linked(person.session);
                1
            }
            ModerationAction::DeviceInvited { .. }
            | ModerationAction::InvitationMade(_)
            | ModerationAction::InvitationRevoked { .. }
            | ModerationAction::InvitationUsed { .. } => 1,
        }
    }

    /// Sends a notice to the clients that have joined and are in a scope. Returns their number.
    fn announce(&mut self, scope: &Scope, notice: Notice) -> usize {
        let Some(room) = scope.room() else {
            return self.broadcast(notice);
        };
        let members = self.rooms.find(room).map(|it| self.joined_members(it)).unwrap_or_default();
        let count = members.len();
        self.send_frame_to_all(members, notice.into());
        count
    }

    /// Returns the number of connected users that an action which is not committed would hit.
    pub(super) fn count_hits(&self, draft: &FactDraft) -> usize {
        let Some((SanctionKind::Ban, sanction)) = draft.action.sanction() else {
            return 0;
        };
        let mut state = self.moderation.clone();
        let (sequence, time) = (Sequence(u64::MAX), Timestamp(0));
        let fact = Fact { sequence, time, draft: draft.clone(), is_effective: true };
        state.apply(&Arc::new(fact));
        self.count_users(&self.banned_sessions(&state, sanction))
    }

    /// Returns the number of users whose sessions these are: a person counts once.
    fn count_users(&self, sessions: &[SessionId]) -> usize {
        let numbers: BTreeSet<_> = sessions.iter().map(|it| self.number_of(*it)).collect();
        numbers.len()
    }

    /// Returns the connected sessions in the scope of a ban that may not be there any longer.
    fn banned_sessions(&self, state: &ModerationState, ban: &Sanction) -> Vec<SessionId> {
        let room = ban.scope.room();
        let sessions = match room.map(|it| self.rooms.find(it)) {
            None => self.connections.values().filter_map(|it| it.session()).collect(),
            Some(id) => id.map(|it| self.member_sessions(it)).unwrap_or_default(),
        };
        let key: Option<&NameKey> = room.map(|it| it.key());
        let is_banned = |session: &SessionId| {
            let Some(known) = self.sessions.get(*session) else {
                return false;
            };
            let Some(group) = known.group() else {
                return false;
            };
            let joiner = Joiner {
                username: &known.username,
                session: self.banned_as(Some(*session), known.key),
                key: known.key,
                group,
                matches_lookalikes: self.settings.refuse_lookalikes,
            };
            state.ban(key, &joiner).is_some()
        };
        sessions.into_iter().filter(is_banned).collect()
    }

    /// Returns the connected sessions that a mute applies to: those with its name, and those of whoever
    /// had the name when it was imposed. `number`: by which that user is known.
    fn named_sessions(&self, username: &Username, number: Option<SessionId>) -> Vec<SessionId> {
        let mut sessions: Vec<_> = self.names.holders(username.key()).collect();
        for session in number.map(|it| self.sessions_known_by(it)).unwrap_or_default() {
            if !sessions.contains(&session) {
                sessions.push(session);
            }
        }
        let is_connected =
            |it: &SessionId| self.sessions.get(*it).is_some_and(|known| known.is_connected());
        sessions.into_iter().filter(is_connected).collect()
    }

    /// Returns true if a session or person who is known by a number is connected.
    fn is_present(&self, number: SessionId) -> bool {
        let sessions = self.sessions_known_by(number);
        let mut known = sessions.into_iter().filter_map(|it| self.sessions.get(it));
        known.any(|it| it.is_connected())
    }
}
