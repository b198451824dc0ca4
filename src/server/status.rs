//! The server's status report for its owner: `docs/status.md`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use super::backup::{self, BackupState};
use super::engine::{EngineHandle, EngineInput, EngineStats};
use super::public_urls::PublicUrls;
use super::replication::{FollowState, FollowStatus, RoleControl};
use super::{ServerSettings, service};
use crate::hub::StorageHealth;
use crate::log::{Durability, LogSettings};
use crate::model::Timestamp;
use crate::os::Clock;
use crate::systemd;
use crate::tls::{Fingerprint, Identity};

/// Status report. Its fields are the JSON keys of the page. None of them is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// True if the log stores every message as configured: `store.state` is `Sound`. If the engine
    /// does not answer, there is no report.
    pub healthy: bool,
    /// Name of the server, as configured.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub process: u32,
    /// Seconds since the server was started.
    pub uptime: u64,
    /// Number of connected users: sessions that have a connection.
    pub people: usize,
    /// Number of connections, including those that have not joined and those that are closing.
    pub connections: usize,
    /// Number of rooms with at least one member.
    pub rooms: usize,
    /// Number of names that wait for users who have lost their connections.
    #[serde(default)]
    pub waiting_names: usize,
    /// Number of messages committed since the server was started.
    pub messages: u64,
    /// Number of messages committed in the last 60 seconds.
    pub messages_last_minute: u64,
    /// Sequence of the last entry in the log.
    pub head: u64,
    /// Resident memory of the process, in bytes; `None` if it cannot be read.
    pub memory: Option<u64>,
    /// Number of times since the start that address groups have reached each limit, by the limit's
    /// name.
    #[serde(default)]
    pub refusals: BTreeMap<String, u64>,
    /// Address group that has reached a limit most often, in this minute or the last one. `None` if
    /// no group has.
    #[serde(default)]
    pub pressure: Option<PressureStatus>,
    /// Message store.
    pub store: StoreStatus,
    /// Nightly backups; `None` if none are made.
    #[serde(default)]
    pub backup: Option<BackupStatus>,
    /// Time-out of systemd's watchdog, in seconds; `None` if there is no watchdog.
    pub watchdog: Option<f64>,
    /// Addresses that the server listens on.
    pub listening: Vec<SocketAddr>,
    /// Way in over TLS; `None` if there is none.
    #[serde(default)]
    pub tls: Option<TlsStatus>,
    /// URLs of the page for browsers; empty if there is no way in for them.
    #[serde(default)]
    pub web: Vec<String>,
    /// Server that this one follows; `None` if it follows none.
    #[serde(default)]
    pub follows: Option<FollowStatus>,
}

/// Way in over TLS, as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsStatus {
    /// Addresses that the server listens on.
    pub listening: Vec<SocketAddr>,
    /// Fingerprint of the server's key, as people compare it.
    pub fingerprint: String,
    /// SHA-256 of the server's public key, as 64 hexadecimal digits.
    pub sha256: String,
    /// Links to the server with its fingerprint, best first.
    #[serde(default)]
    pub links: Vec<String>,
}

/// Address group that has reached a limit, as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PressureStatus {
    /// Address group: an IPv4 address, or an IPv6 network such as `2001:db8::/64`.
    pub address: String,
    /// Name of the limit, as in [`Status::refusals`].
    pub limit: String,
    /// Number of times that the address group has reached the limit within that minute.
    pub times: u64,
}

/// Nightly backups, as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Directory of the backups.
    pub directory: PathBuf,
    /// Time of the last good backup, in UTC by RFC 3339; `None` if there is none.
    pub time: Option<String>,
    /// Age of the last good backup, in seconds; `None` if there is none.
    pub age: Option<u64>,
    /// Error of the last attempt; before the first attempt, error of looking for the last backup.
    /// `None` after success.
    pub error: Option<String>,
}

/// Message store, as reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Kind of log.
    pub kind: StoreKind,
    /// Health of the log.
    pub state: StoreState,
    /// Directory of a log on disk; `None` for a log in memory.
    pub directory: Option<PathBuf>,
    /// Size of the files in this directory, in bytes. `None` for a log in memory, or if it cannot
    /// be read.
    pub bytes: Option<u64>,
    /// `relaxed` or `strict`; `None` for a log in memory.
    pub durability: Option<String>,
}

/// Kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In memory: messages are lost when the server stops.
    Memory,
    /// On disk.
    Disk,
}

/// Health of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// Messages are stored as configured.
    Sound,
    /// The disk cannot be written. New messages are kept in memory.
    MemoryOnly,
    /// The disk does not answer.
    Stalled,
    /// The disk cannot be written. New messages are refused.
    Refusing,
}

/// Sources of a status report: the engine, and values that only the driver knows.
pub(super) struct StatusSource {
    /// Handle of the engine.
    pub(super) engine: EngineHandle,
    /// Addresses that the server listens on.
    pub(super) listening: watch::Receiver<Vec<SocketAddr>>,
    /// Identity that the server has made for itself; `None` if it is not used.
    pub(super) own_identity: Option<Identity>,
    /// Source of the URLs of the page for browsers.
    pub(super) urls: PublicUrls,
    /// State of the nightly backups.
    pub(super) backup: watch::Receiver<Option<BackupState>>,
    /// Clock of the server, started with it.
    pub(super) clock: Clock,
    /// Means to promote a follower; `None` if it is none.
    pub(super) role: Option<RoleControl>,
    /// How far a follower is; `None` if it is none.
    pub(super) follow_state: Option<watch::Receiver<FollowState>>,
}

impl StatusSource {
    /// Collects a status report; `None` if the engine has ended. First waits until a probe has
    /// passed through hub and fan-out, so a report shows that both are alive. The wait has no
    /// limit.
    pub(super) async fn status(&self, settings: ServerSettings) -> Option<Status> {
        if !service::probe(&self.engine).await {
            return None;
        }
        let (answer, told) = oneshot::channel();
        self.engine.send(EngineInput::QueryStats { answer }).await.ok()?;
        let EngineStats { hub, messages, last_minute, refusals, pressure, .. } = told.await.ok()?;
        let identity = settings.tls.certificate.as_ref().or(self.own_identity.as_ref());
        let fingerprint = identity.map(Identity::fingerprint);
        let urls = self.urls.clone();
        let blocking = spawn_blocking(move || {
            let tls = fingerprint.and_then(|it| tls_status(&urls, it));
            (store_status(&settings, hub.storage), resident_memory(), tls, urls.now())
        });
        let (store, memory, tls, web) = blocking.await.ok()?;
        Some(Status {
            healthy: store.state == StoreState::Sound,
            name: hub.server_name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime: self.clock.now().since_start().as_secs(),
            people: hub.connected_users,
            connections: hub.connections,
            rooms: hub.rooms,
            waiting_names: hub.waiting_names,
            messages,
            messages_last_minute: last_minute,
            head: hub.head.0,
            memory,
            refusals: refusals
                .into_iter()
                .map(|(it, times)| (it.name().to_owned(), times))
                .collect(),
            pressure: pressure.map(|it| PressureStatus {
                address: it.group.to_string(),
                limit: it.quota.name().to_owned(),
                times: it.times,
            }),
            store,
            backup: self.backup.borrow().as_ref().map(|it| it.status(self.clock.time_of_day())),
            watchdog: systemd::watchdog_timeout().map(|it| it.as_secs_f64()),
            listening: self.listening.borrow().clone(),
            tls,
            web,
            follows: self.follow_state.as_ref().map(|it| it.borrow().report(self.clock.now())),
        })
    }
}

impl BackupState {
    /// Returns the report on the nightly backups.
    fn status(&self, now: Timestamp) -> BackupStatus {
        let Self { directory, last, error } = self.clone();
        BackupStatus {
            directory,
            time: last.and_then(backup::format_utc),
            age: self.age(now),
            error,
        }
    }
}

/// Returns the report on the way in over TLS, with this fingerprint of the server's key; `None` if
/// nothing listens for it. Lists interfaces, so it may block for a moment.
fn tls_status(urls: &PublicUrls, fingerprint: Fingerprint) -> Option<TlsStatus> {
    let listening = urls.tls.borrow().clone();
    (!listening.is_empty()).then(|| TlsStatus {
        listening,
        fingerprint: fingerprint.to_string(),
        sha256: fingerprint.to_hex(),
        links: urls.tls_links(fingerprint),
    })
}

/// Returns the report on the message store. Reads a directory, so it may block on the disk.
fn store_status(settings: &ServerSettings, storage: StorageHealth) -> StoreStatus {
    let state = match storage {
        StorageHealth::Sound => StoreState::Sound,
        StorageHealth::MemoryOnly => StoreState::MemoryOnly,
        StorageHealth::Refusing => StoreState::Refusing,
        StorageHealth::Stalled => StoreState::Stalled,
    };
    match &settings.log {
        LogSettings::Memory(_) => StoreStatus {
            kind: StoreKind::Memory,
            state,
            directory: None,
            bytes: None,
            durability: None,
        },
        LogSettings::Disk(disk) => {
            let durability = match disk.durability {
                Durability::Relaxed => "relaxed",
                Durability::Strict => "strict",
            };
            StoreStatus {
                kind: StoreKind::Disk,
                state,
                directory: Some(disk.directory.clone()),
                bytes: directory_size(&disk.directory),
                durability: Some(durability.to_owned()),
            }
        }
    }
}

/// Returns the size of all files directly in a directory, in bytes. Skips files whose size cannot
/// be read. `None` if the directory cannot be read.
pub(super) fn directory_size(directory: &Path) -> Option<u64> {
    let entries = directory.read_dir().ok()?;
    Some(entries.filter_map(|it| Some(it.ok()?.metadata().ok()?.len())).sum())
}

/// Returns the resident memory of this process, in bytes. `None` if it cannot be read, for example
/// without `/proc`.
pub(super) fn resident_memory() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
