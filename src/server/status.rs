//! How the server fares, for its owner: `docs/status.md`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use super::engine::{EngineHandle, EngineInput, EngineStats};
use super::{LogSettings, ServerSettings, service};
use crate::hub::StorageHealth;
use crate::log::Durability;
use crate::os::Clock;
use crate::systemd;

/// How a server fares. The fields are those of the page; nothing secret is
/// among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether all is well: the engine answers and the log keeps what it is
    /// there to keep.
    pub healthy: bool,
    /// What the owner calls it.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// The process's number.
    pub process: u32,
    /// Seconds since it was started.
    pub uptime: u64,
    /// People who are connected.
    pub people: usize,
    /// Connections, also of those who have not said who they are.
    pub connections: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Messages since it was started.
    pub messages: u64,
    /// Those of the last minute.
    pub messages_last_minute: u64,
    /// The sequence of the last message in the log.
    pub head: u64,
    /// Bytes of memory that the process has; none where that cannot be read.
    pub memory: Option<u64>,
    /// Where messages are kept.
    pub store: StoreStatus,
    /// Seconds after which systemd's watchdog loses patience; none without
    /// one.
    pub watchdog: Option<f64>,
    /// The addresses that are listened on.
    pub listening: Vec<SocketAddr>,
}

/// Where messages are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Which sort of log it is.
    pub kind: StoreKind,
    /// How it fares.
    pub state: StoreState,
    /// Where it is, on disk.
    pub directory: Option<PathBuf>,
    /// Bytes of its files; none where that cannot be read.
    pub bytes: Option<u64>,
    /// `relaxed` or `strict`.
    pub durability: Option<String>,
}

/// Which sort of log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// It forgets everything when the server stops.
    Memory,
    /// It does not.
    Disk,
}

/// How the log fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It keeps what it is there to keep.
    Sound,
    /// It cannot write, and keeps in memory what is said.
    MemoryOnly,
    /// The disk does not answer.
    Stalled,

    /// It cannot write, and messages are refused.
    Refusing,
}

/// Who is status_source, and what only the driver knows.
pub(super) struct StatusSource {
    /// The engine.
    pub(super) engine: EngineHandle,
    /// The addresses that are listened on.
    pub(super) listening: watch::Receiver<Vec<SocketAddr>>,
    /// The time, counted from the start.
    pub(super) clock: Clock,
}

impl StatusSource {
    /// How the server fares; none if its engine has gone. Comes only when a
    /// probe has made its way through hub and fan-out, as the watchdog's
    /// does.
    pub(super) async fn status(&self, settings: ServerSettings) -> Option<Status> {
        if !service::probe(&self.engine).await {
            return None;
        }
        let (answer, told) = oneshot::channel();
        self.engine.send(EngineInput::QueryStats { answer }).await.ok()?;
        let EngineStats { hub, messages, last_minute } = told.await.ok()?;
        let (store, memory) =
            spawn_blocking(move || (store(&settings, hub.storage), memory())).await.ok()?;
        Some(Status {
            healthy: store.state == StoreState::Sound,
            name: hub.server_name,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime: self.clock.now().since_start().as_secs(),
            people: hub.connected_users,
            connections: hub.connections,
            rooms: hub.rooms,
            messages,
            messages_last_minute: last_minute,
            head: hub.head.0,
            memory,
            store,
            watchdog: systemd::watchdog().map(|it| it.as_secs_f64()),
            listening: self.listening.borrow().clone(),
        })
    }
}

/// Where messages are kept. May wait for the disk.
fn store(settings: &ServerSettings, storage: StorageHealth) -> StoreStatus {
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
                bytes: bytes_in(&disk.directory),
                durability: Some(durability.to_owned()),
            }
        }
    }
}

/// Bytes of the files in a directory.
fn bytes_in(directory: &Path) -> Option<u64> {
    let entries = directory.read_dir().ok()?;
    Some(entries.filter_map(|it| Some(it.ok()?.metadata().ok()?.len())).sum())
}

/// The memory that this process has. (Only Linux tells it in a file.)
fn memory() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
