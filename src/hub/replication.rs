//! Followers: who may follow this server, and what they acknowledge
//! (`docs/protocol/replicate.md`). What is sent to them is the driver's work.

use super::Hub;
use super::connection::ConnectionState;
use super::contract::{ConnectionId, Now, Output, Quota, ReplicationRequest};
use super::throttle::QUOTA_RETRY_AFTER;
use crate::model::{ErrorCode, IdentityKey, ModerationAction, Reference, Role, Scope};
use crate::wire::tcp::{Error, Replicate, Replicated, binding, feature, kind};

impl Hub {
    /// Handles `replicate`: if its proof holds and the key is an owner's, the connection is a
    /// follower's from now on, and the driver is told to serve it. Otherwise refuses it, as a
    /// `join` is refused.
    pub(super) fn handle_replicate(&mut self, now: Now, id: ConnectionId, request: &Replicate) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (group, about) = (connection.group, (kind::REPLICATE, Reference::NONE));
        if !self.quotas.take_join(group, now.moment) {
            return self.close_for_quota(now, id, Quota::Joins, about, QUOTA_RETRY_AFTER);
        }
        let context = connection.proof_context.as_ref();
        let is_provided = connection.features & feature::REPLICATION != 0;
        let refusal = if !is_provided {
            Some(ErrorCode::NotPermitted)
        } else if !context.is_some_and(|it| it.is_proved_by(&request.proof)) {
            Some(ErrorCode::ProofInvalid)
        } else if !self.is_key_of_owner(request.proof.key) {
            Some(ErrorCode::NotPermitted)
        } else {
            None
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match refusal {
            None => {
                connection.state = ConnectionState::Replicating;
                let Replicate { log_id, position, epoch, .. } = *request;
                let request = ReplicationRequest { log_id, position, epoch };
                self.outputs.push_back(Output::Replicate { connection: id, request });
            }
            Some(code) => {
                let may_go_on = connection.count_refused_join(now.moment);
                self.send_frame(id, Error::about(code, kind::REPLICATE, Reference::NONE));
                if !may_go_on {
                    let code = ErrorCode::TooManyAttempts;
                    let error = Error::about(code, kind::REPLICATE, Reference::NONE);
                    self.close_with_error(now, id, error);
                }
            }
        }
    }

    /// Handles `replicated`: passes it on to the driver.
    pub(super) fn handle_replicated(&mut self, id: ConnectionId, taken: &Replicated) {
        let Replicated { position, received } = *taken;
        self.outputs.push_back(Output::Replicated { connection: id, position, received });
    }

    /// Returns the feature bit of replication if it is provided on a connection with this proof
    /// context: over TLS, by a server that keeps its log on disk.
    pub(super) fn replication_feature(&self, id: ConnectionId) -> u64 {
        let context = self.connections.get(&id).and_then(|it| it.proof_context.as_ref());
        let is_tls = context.is_some_and(|it| it.binding.data_of(binding::TLS_EXPORTER).is_some());
        if is_tls && self.settings.is_durable { feature::REPLICATION } else { 0 }
    }

    /// Returns true if a key is that of an owner of the whole server: of a person who has the role,
    /// or of a session that has it and is bound to the key.
    fn is_key_of_owner(&self, key: IdentityKey) -> bool {
        let claim = self.moderation.claim_of(&key);
        if claim.is_some_and(|it| self.moderation.role(it.person, None) == Some(Role::Owner)) {
            return true;
        }
        self.moderation.roles().any(|fact| match &fact.draft.action {
            ModerationAction::RoleSet { scope: Scope::Server, holder, role: Some(Role::Owner) } => {
                self.bound_key(holder.session) == Some(key)
            }
            _ => false,
        })
    }
}
