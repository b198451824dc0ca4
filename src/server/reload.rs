//! Configuration reload: applies changed settings while the server runs.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};

use super::ServerSettings;
use super::descriptors::DescriptorLimit;
use super::engine::{EngineHandle, EngineInput};
use super::group_rates::{GroupRates, Limit};
use crate::log::LogSettings;
use crate::os::Clock;
use crate::systemd;

/// Result of reading the configuration again: the settings, or an error text of one line.
pub type ReloadResult = Result<Box<ServerSettings>, String>;

/// Applies reloaded configurations.
pub(super) struct Reloader {
    /// Settings in force.
    pub(super) current: watch::Sender<ServerSettings>,
    /// Handle of the engine.
    pub(super) engine: EngineHandle,
    /// Rate limits of the messages of each address group.
    pub(super) group_rates: Arc<GroupRates>,
    /// Rate limits of the TLS handshakes of each address group.
    pub(super) handshake_rates: Arc<GroupRates>,
    /// Clock of the server.
    pub(super) clock: Clock,
    /// Number of file descriptors for clients, which limits `max_connections`.
    pub(super) descriptors: DescriptorLimit,
    /// Publishes the problem with the configuration, for systemd's status line; `None` if there is
    /// no problem.
    pub(super) config_problem: watch::Sender<Option<String>>,
}

impl Reloader {
    /// Applies each reloaded configuration, and then notifies systemd that the reload has ended. An
    /// invalid configuration changes no settings: its problem is logged and published. Never
    /// returns.
    pub(super) async fn run(self, reloads: Arc<Mutex<mpsc::Receiver<ReloadResult>>>) {
        let mut reloads = reloads.lock().await;
        while let Some(reread) = reloads.recv().await {
            match reread {
                Ok(wanted) => self.apply(*wanted).await,
                Err(problem) => {
                    let told = format!("the configuration was not reloaded: {problem}");
                    tracing::error!("{told}. The server goes on with the old one");
                    self.config_problem.send_replace(Some(told));
                }
            }
            systemd::notify_ready();
        }
        // Without a sender, the settings do not change, but other tasks still watch them.
        std::future::pending().await
    }

    /// Applies the settings that can change at run time: sends them to the engine, sets the rates
    /// of address groups, and publishes them. First lowers `max_connections` to what the file
    /// descriptors allow. Logs the keys that need a restart, and publishes these as the problem.
    async fn apply(&self, mut wanted: ServerSettings) {
        self.descriptors.lower_max_connections(&mut wanted.hub);
        let (settings, later) = settings_to_apply(&self.current.borrow(), wanted);
        let now = self.clock.now();
        self.group_rates.set_limits(now, Limit::of_messages(&settings.hub));
        self.handshake_rates.set_limits(now, Limit::of_handshakes(&settings.hub));
        // An engine that has ended also ends the server.
        let _ =
            self.engine.send(EngineInput::SettingsChanged(Box::new(settings.hub.clone()))).await;
        self.current.send_replace(settings);
        let config_problem =
            (!later.is_empty()).then(|| format!("restart to apply {}", later.join(", ")));
        match &config_problem {
            None => tracing::info!("configuration reloaded"),
            Some(told) => tracing::warn!("configuration reloaded, except: {told}"),
        }
        self.config_problem.send_replace(config_problem);
    }
}

/// Returns the settings to put in force: the wanted ones, but with the old values of those that
/// need a restart. Also returns the keys of changed settings that need a restart. If the kind or
/// directory of the log has changed, the key is `data-dir`, and the retention keeps its old value
/// too.
fn settings_to_apply(
    old: &ServerSettings,
    wanted: ServerSettings,
) -> (ServerSettings, Vec<&'static str>) {
    let mut new = wanted;
    let mut later = Vec::new();
    let mut keep = |is_other: bool, key| {
        if is_other {
            later.push(key);
        }
    };
    keep(new.listen != old.listen, "listen");
    keep(new.web.listen.is_some() != old.web.listen.is_some(), "web");
    keep(
        new.web.listen != old.web.listen && new.web.listen.is_some() && old.web.listen.is_some(),
        "web-listen",
    );
    keep(new.web.tls_listen.is_some() != old.web.tls_listen.is_some(), "web-tls");
    keep(
        new.web.tls_listen != old.web.tls_listen
            && new.web.tls_listen.is_some()
            && old.web.tls_listen.is_some(),
        "web-tls-listen",
    );
    keep(new.plain != old.plain, "plain");
    keep(new.tls.listen.is_some() != old.tls.listen.is_some(), "tls");
    keep(
        new.tls.listen != old.tls.listen && new.tls.listen.is_some() && old.tls.listen.is_some(),
        "tls-listen",
    );
    // The server's own certificate is not loaded beside that of the owner.
    keep(new.tls.certificate.is_none() && old.tls.certificate.is_some(), "tls-certificate");
    keep(new.metrics != old.metrics, "metrics-listen");
    keep(new.follow != old.follow, "follow");
    keep(new.control != old.control, "control");
    keep(new.backlog.feed_bytes != old.backlog.feed_bytes, "max-backlog");
    keep(new.backlog.total_bytes != old.backlog.total_bytes, "max-backlog-total");
    let is_same_log = match (&old.log, &new.log) {
        (LogSettings::Memory(_), LogSettings::Memory(_)) => true,
        (LogSettings::Disk(old), LogSettings::Disk(new)) => {
            keep(new.durability != old.durability, "durability");
            keep(new.on_failure != old.on_failure, "on-disk-failure");
            old.directory == new.directory
        }
        _ => false,
    };
    keep(!is_same_log, "data-dir");
    if !is_same_log {
        new.hub.retention = old.hub.retention;
    }
    new.hub.is_durable = old.hub.is_durable;
    new.hub.offers_tls = old.hub.offers_tls;
    new.listen.clone_from(&old.listen);
    new.web.listen.clone_from(&old.web.listen);
    new.web.tls_listen.clone_from(&old.web.tls_listen);
    new.plain = old.plain;
    if new.tls.certificate.is_none() {
        new.tls.certificate.clone_from(&old.tls.certificate);
    }
    new.tls.listen.clone_from(&old.tls.listen);
    new.tls.is_default = old.tls.is_default;
    new.metrics.clone_from(&old.metrics);
    new.control.clone_from(&old.control);
    new.backlog = old.backlog;
    new.log = old.log.clone();
    new.follow.clone_from(&old.follow);
    if matches!(&new.log, LogSettings::Disk(store) if store.is_follower) {
        // A follower never announces itself.
        new.announce = false;
    }
    (new, later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Durability, StoreSettings};
    use crate::model::{HubSettings, Retention};

    /// Returns settings with a log on disk in `directory` that keeps messages for `days` days.
    fn durable(directory: &str, durability: Durability, days: u32) -> ServerSettings {
        let retention = Retention { days, ..Retention::default() };
        let directory = directory.into();
        let store = StoreSettings { directory, durability, retention, ..StoreSettings::default() };
        let hub = HubSettings { retention, is_durable: true, ..HubSettings::default() };
        ServerSettings { hub, log: LogSettings::Disk(store), ..ServerSettings::default() }
    }

    /// Settings that can change at run time are applied. The keys of the other changed settings are
    /// returned at each reload.
    #[test]
    fn reload_applies_live_settings_and_names_the_rest() {
        let old = durable("a", Durability::Relaxed, 1);
        let mut wanted = durable("a", Durability::Strict, 2);
        wanted.hub.server_name = "attic".to_owned();
        wanted.listen = vec!["[::1]:1".parse().unwrap()];
        wanted.announce = false;
        wanted.metrics = vec!["127.0.0.1:2490".parse().unwrap()];
        wanted.web.listen = Some(Vec::new());
        wanted.web.hosts = vec!["chat.example.org".to_owned()];
        let (new, later) = settings_to_apply(&old, wanted.clone());
        assert_eq!(later, ["listen", "web", "metrics-listen", "durability"]);
        assert_eq!((new.hub.server_name.as_str(), new.hub.retention.days), ("attic", 2));
        assert!(new.listen.is_empty() && new.metrics.is_empty() && !new.announce);
        assert_eq!((new.web.listen.as_ref(), new.web.hosts.len()), (None, 1));
        // Each reload names the keys that need a restart.
        assert_eq!(settings_to_apply(&new, wanted).1, later);
    }

    /// If the kind or directory of the log changes, the retention keeps its old value.
    #[test]
    fn reload_defers_a_change_of_log_with_its_retention() {
        let old = durable("a", Durability::Relaxed, 1);
        for wanted in [durable("b", Durability::Relaxed, 2), ServerSettings::default()] {
            let (new, later) = settings_to_apply(&old, wanted);
            assert_eq!(later, ["data-dir"]);
            assert_eq!((new.hub.retention.days, new.hub.is_durable), (1, true));
        }
    }
}
