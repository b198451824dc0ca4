//! Snapshot of what the metrics say, and where it comes from: a query through the engine's queue,
//! the disk, and the settings. No task shares counters with this.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::log::LogSettings;
use crate::os::Clock;
use crate::server::ServerSettings;
use crate::server::backup::BackupState;
use crate::server::engine::{EngineHandle, EngineInput, EngineStats};
use crate::server::status::{directory_size, resident_memory};

/// Maximum time that a scrape waits for the engine.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time that a scrape waits for the file system. After it, the answer says nothing about
/// files: that a disk does not answer is no reason for no answer at all.
const SYSTEM_TIMEOUT: Duration = Duration::from_secs(1);

/// What the metrics say.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Time since the start of the server.
    pub(super) uptime: Duration,
    /// Counters of the engine.
    pub(super) engine: EngineStats,
    /// Maximum number of unsent bytes of all connections.
    pub(super) unsent_limit: usize,
    /// What the operating system says.
    pub(super) system: SystemFigures,
    /// State of the nightly backups; `None` if none are made.
    pub(super) backup: Option<BackupState>,
}

/// What the operating system says; nothing of it is certain to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SystemFigures {
    /// Resident memory of the process, in bytes.
    pub(super) memory: Option<u64>,
    /// Size of the files of the log on disk, in bytes.
    pub(super) store_bytes: Option<u64>,
    /// File system of the log on disk.
    pub(super) file_system: Option<FileSystemFigures>,
}

/// File system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileSystemFigures {
    /// Size.
    pub(super) size: u64,
    /// What is free for the server.
    pub(super) available: u64,
}

impl SystemFigures {
    /// Asks the operating system. `directory`: that of the log on disk. May block on the disk.
    fn read(directory: Option<&Path>) -> Self {
        Self {
            memory: resident_memory(),
            store_bytes: directory.and_then(directory_size),
            file_system: directory.and_then(FileSystemFigures::read),
        }
    }
}

impl FileSystemFigures {
    /// Returns the figures of the file system that a directory is on. `None` if they cannot be read.
    fn read(directory: &Path) -> Option<Self> {
        let told = rustix::fs::statvfs(directory).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Some(Self { size: bytes(told.f_blocks), available: bytes(told.f_bavail) })
    }
}

/// Source of the metrics.
pub(in crate::server) struct MetricsSource {
    /// Handle of the engine.
    engine: EngineHandle,
    /// Settings in force.
    settings: watch::Receiver<ServerSettings>,
    /// State of the nightly backups.
    backup: watch::Receiver<Option<BackupState>>,
    /// Clock of the server, started with it.
    clock: Clock,
    /// One permit: so only one thread waits for a disk that does not answer, however often somebody
    /// asks.
    reader: Arc<Semaphore>,
    /// Maximum time that a scrape waits for the engine.
    engine_timeout: Duration,
    /// Maximum time that a scrape waits for the file system.
    system_timeout: Duration,
}

impl MetricsSource {
    /// Creates the source.
    pub(in crate::server) fn new(
        engine: EngineHandle,
        settings: watch::Receiver<ServerSettings>,
        backup: watch::Receiver<Option<BackupState>>,
        clock: Clock,
    ) -> Self {
        let reader = Arc::new(Semaphore::new(1));
        let (engine_timeout, system_timeout) = (ENGINE_TIMEOUT, SYSTEM_TIMEOUT);
        Self { engine, settings, backup, clock, reader, engine_timeout, system_timeout }
    }

    /// Returns the metrics in the text format of OpenMetrics. `None` if the engine has ended, or has
    /// not answered within [`ENGINE_TIMEOUT`].
    pub(in crate::server) async fn text(&self) -> Option<String> {
        let snapshot = self.snapshot().await?;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(snapshot));
        let mut text = String::new();
        encode(&mut text, &registry).ok()?;
        Some(text)
    }

    /// Returns the engine's counters, with the result of [`Self::text`].
    async fn query_engine(&self) -> Option<EngineStats> {
        let query = async {
            let (answer, told) = oneshot::channel();
            self.engine.send(EngineInput::QueryStats { answer }).await.ok()?;
            told.await.ok()
        };
        timeout(self.engine_timeout, query).await.ok()?
    }

    /// Collects a snapshot, with the result of [`Self::text`].
    async fn snapshot(&self) -> Option<Snapshot> {
        let engine = self.query_engine().await?;
        let (directory, unsent_limit) = {
            let settings = self.settings.borrow();
            let directory = match &settings.log {
                LogSettings::Memory(_) => None,
                LogSettings::Disk(disk) => Some(disk.directory.clone()),
            };
            (directory, settings.backlog.total_bytes)
        };
        let read = self.read_system(move || SystemFigures::read(directory.as_deref()));
        Some(Snapshot {
            uptime: self.clock.now().since_start(),
            engine,
            unsent_limit,
            system: read.await.unwrap_or_default(),
            backup: self.backup.borrow().clone(),
        })
    }

    /// Reads on a thread for blocking work. `None` if that takes longer than
    /// [`SYSTEM_TIMEOUT`].
    async fn read_system(
        &self,
        read: impl FnOnce() -> SystemFigures + Send + 'static,
    ) -> Option<SystemFigures> {
        let read = async {
            let permit = self.reader.clone().acquire_owned().await.ok()?;
            let blocking = spawn_blocking(move || {
                let figures = read();
                drop(permit);
                figures
            });
            blocking.await.ok()
        };
        timeout(self.system_timeout, read).await.ok()?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::server::engine::unanswered_handle;

    /// Returns the source of a server with this engine.
    fn source(engine: EngineHandle) -> MetricsSource {
        let settings = watch::channel(ServerSettings::default()).1;
        MetricsSource::new(engine, settings, watch::channel(None).1, Clock::start())
    }

    /// An engine that has ended, or does not answer, holds up nobody for ever.
    #[tokio::test]
    async fn silent_engine_is_not_waited_for() {
        let (engine, queue) = unanswered_handle();
        let mut source = source(engine);
        source.engine_timeout = Duration::from_millis(20);
        assert_eq!(source.text().await, None);
        source.engine_timeout = Duration::from_secs(600);
        drop(queue);
        assert_eq!(source.text().await, None);
    }

    /// While a read hangs, no further one begins, and who asks gets an answer without the disk.
    /// When it has ended, the next one gets everything.
    #[tokio::test]
    async fn hanging_disk_holds_one_thread() {
        let mut source = source(unanswered_handle().0);
        source.system_timeout = Duration::from_millis(20);
        let figures = SystemFigures { memory: Some(1), ..SystemFigures::default() };
        let (release, hang) = mpsc::channel::<()>();
        let hanging = source.read_system(move || {
            let _ = hang.recv();
            figures
        });
        assert_eq!(hanging.await, None);
        assert_eq!(source.read_system(move || figures).await, None, "the first one still hangs");
        drop(release);
        source.system_timeout = Duration::from_secs(600);
        assert_eq!(source.read_system(move || figures).await, Some(figures));
    }

    /// The file system of a directory has a size, of which not more is free; a directory that is
    /// missing has none.
    #[test]
    fn file_system_has_a_size() {
        let figures = FileSystemFigures::read(Path::new("/")).unwrap();
        assert!(figures.size > 0 && figures.available <= figures.size, "{figures:?}");
        assert_eq!(FileSystemFigures::read(Path::new("/no/such/directory")), None);
    }
}
