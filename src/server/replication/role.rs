//! Role of a server: it serves by itself or follows another one. And what ends it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::interval;

use super::super::{ServerError, ServerSettings};
use super::FollowSettings;
use super::follower::copy_until_complete;
use super::state::PromotionAnswer;
use crate::log::{
    LogSettings, Replaced, ReplicaError, ReplicaHandle, StoreError, StoreRole, StoreSettings,
    set_aside, store_role,
};
use crate::model::Sequence;
use crate::systemd;

/// Role of a server.
#[derive(Clone, Debug)]
pub(in crate::server) enum Role {
    /// It serves by itself. The settings: those of the former server, which does not know yet that
    /// this one was promoted.
    Server(Option<FollowSettings>),
    /// It follows this server.
    Follower(FollowSettings),
}

/// Why a role ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum End {
    /// What is stored is another role's, or another log, from now on.
    Reopen,
    /// The server was replaced.
    Superseded(Replaced),
}

/// Means by which a role is ended.
#[derive(Clone, Debug)]
pub(in crate::server) struct RoleControl {
    /// Handle of the log.
    pub(in crate::server) log: ReplicaHandle,
    /// Receives the end.
    pub(in crate::server) end: watch::Sender<Option<End>>,
}

impl RoleControl {
    /// Ends the role. What has ended it first counts.
    pub(in crate::server) fn end(&self, why: End) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(why);
            is_first
        });
    }

    /// Makes the follower the server: the log is opened again, as a server's own.
    ///
    /// # Errors
    /// A text that says why not.
    pub(in crate::server) async fn promote(&self) -> Result<PromotionAnswer, String> {
        let promotion = self.log.promote().await?;
        tracing::warn!(
            "promoted: this is the server from now on (epoch {}). What its former server had after \
             {} is not here",
            promotion.epoch,
            promotion.head.0
        );
        self.end(End::Reopen);
        Ok(PromotionAnswer { epoch: promotion.epoch, position: promotion.head.0 })
    }

    /// Notes in the log that this server was replaced.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub(super) async fn replaced_by(
        &self,
        epoch: u64,
        position: Sequence,
    ) -> Result<Replaced, ReplicaError> {
        self.log.supersede(epoch, position).await
    }
}

/// Finds out what a server is, by its settings and what is stored. A follower without a complete
/// copy gets one first, however long that takes; systemd is told of it meanwhile.
///
/// # Errors
/// [`ServerError`]: the store cannot be used, is missing, or is a server's own and is to be a
/// follower's.
pub(in crate::server) async fn prepare(settings: &ServerSettings) -> Result<Role, ServerError> {
    let Some(follow) = &settings.follow else { return Ok(Role::Server(None)) };
    let LogSettings::Disk(store) = &settings.log else { return Err(ServerError::FollowsNowhere) };
    loop {
        let directory = store.directory.clone();
        match blocking(&directory, store_role).await? {
            StoreRole::Copy { is_complete: true } => return Ok(Role::Follower(follow.clone())),
            StoreRole::Own { was_promoted: true, has_told } => {
                tracing::info!(
                    "this server was promoted, so it follows nobody: the setting follow has no effect"
                );
                return Ok(Role::Server((!has_told).then(|| follow.clone())));
            }
            StoreRole::Own { was_promoted: false, .. } => {
                return Err(ServerError::FollowsOwn(directory));
            }
            StoreRole::Superseded(replaced) => {
                let aside = blocking(&directory, set_aside).await?;
                tracing::warn!(
                    "{replaced}; what was here is in {} now, from where `chat-server export` gets \
                     the messages (put it into a directory of its own as chat.db)",
                    aside.display()
                );
            }
            StoreRole::Empty | StoreRole::Copy { is_complete: false } => {
                copy_first(follow, store).await?;
            }
        }
    }
}

/// Makes the first copy, and tells systemd meanwhile that all is well.
async fn copy_first(follow: &FollowSettings, store: &StoreSettings) -> Result<(), ServerError> {
    systemd::notify_ready();
    systemd::notify_status(&format!("copying everything from {}", follow.name()));
    tracing::info!(
        "copying everything from {}; nobody can come in until that is done",
        follow.name()
    );
    let limit = systemd::watchdog_timeout().unwrap_or(Duration::from_secs(30));
    let mut ticks = interval(limit / 3);
    let copying = copy_until_complete(follow, store);
    let mut copying = std::pin::pin!(copying);
    loop {
        tokio::select! {
            done = &mut copying => return done,
            _ = ticks.tick() => systemd::notify_alive(),
        }
    }
}

/// Does something with a directory that may block.
///
/// # Errors
/// [`ServerError`].
pub(super) async fn blocking<T: Send + 'static>(
    directory: &Path,
    work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ServerError> {
    let directory = directory.to_path_buf();
    let done = spawn_blocking(move || work(&directory)).await;
    Ok(done.map_err(|_| ServerError::Engine)??)
}
