//! Session records that survive a restart: `docs/protocol/tcp.md`, section 6.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::Hub;
use super::contract::{Now, Output};
use super::log_contract::Proposal;
use super::volatile::HeldName;
use crate::model::limits::SESSION_LIFETIME;
use crate::model::{RoomName, SessionId, SessionRecord, Token, TokenHash};

/// Hashes a session token with SHA-256. The server stores only the hash.
pub(super) fn hash_token(token: &Token) -> TokenHash {
    TokenHash(Sha256::digest(token.0).into())
}

impl Hub {
    /// Restores sessions and room names from the log. All sessions are then away, except those that
    /// are connected to other hubs (`holds`). Sessions that
    /// were connected when the server stopped count as away from now, and are persisted so. Names
    /// wait from now on for the sessions that keep them. Removes expired sessions and those of
    /// unlinked devices that have a person's number, and evicts sessions above the maximum; proposes
    /// to delete all of them.
    pub(super) fn restore(
        &mut self,
        now: Now,
        mut sessions: Vec<SessionRecord>,
        rooms: Vec<RoomName>,
        holds: Option<Vec<HeldName>>,
    ) {
        // The session that is restored last counts as the last holder of its name, so the latest
        // disconnection must come last. A time after `now` comes from a clock that was set back,
        // and counts as `now`.
        sessions
            .sort_by_key(|it| (it.away_since.map_or(now.time, |at| at.min(now.time)), it.session));
        self.rooms.restore(rooms);
        let connected = holds.iter().flatten().filter(|it| it.is_connected);
        let connected: BTreeSet<_> = connected.map(|it| it.session).collect();
        let mut waiting_names = Vec::new();
        for record in sessions {
            let session = record.session;
            let was_connected = record.away_since.is_none() && !connected.contains(&session);
            if record.keeps_name {
                waiting_names.push((session, record.username.clone()));
            }
            let away_since = record.away_since.unwrap_or(now.time);
            let left = SESSION_LIFETIME.saturating_sub(away_since.until(now.time));
            self.sessions.restore(record, away_since, now.moment + left);
            if was_connected {
                self.persist_session(session);
            }
        }
        match holds {
            Some(holds) => self.restore_holds(now.moment, holds),
            None => self.restore_waiting_names(waiting_names, now.moment),
        }
        self.forget_unlinked_claimers();
        self.remove_expired_sessions(now.moment);
        let one_more = self.settings.max_sessions.saturating_add(1);
        while self.evict_session_if_full(one_more) {}
    }

    /// Proposes to persist the current record of a session. Does nothing if there is no such
    /// session.
    pub(super) fn persist_session(&mut self, session: SessionId) {
        let record = self.sessions.to_record(session).map(Proposal::PersistSession);
        self.outputs.extend(record.map(Output::Propose));
    }
}
