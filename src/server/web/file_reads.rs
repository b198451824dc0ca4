//! Reading files in threads: a few at a time, and in turns among the address groups.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::model::AddressGroup;

/// Maximum number of threads that read files at the same time.
const MAX_READS: usize = 2;

/// Limits the threads that read files. An address group has at most one of them, and one place in
/// the queue for them: so who requests many files waits for itself. Clones share the limits.
#[derive(Clone, Debug)]
pub(super) struct FileReads(Arc<Shared>);

/// What clones of [`FileReads`] share.
#[derive(Debug)]
struct Shared {
    /// Semaphore with one permit for each thread. It hands them out in the order of requests.
    threads: Arc<Semaphore>,
    /// Groups that read or want to read.
    groups: Mutex<HashMap<AddressGroup, Group>>,
}

/// Group that reads or wants to read.
#[derive(Debug)]
struct Group {
    /// Semaphore with one permit: for who waits for a thread, or has it.
    turn: Arc<Semaphore>,
    /// Number of reads that are in progress or wait.
    reads: usize,
}

/// Read of a group, in progress or waiting, which is forgotten when this is dropped.
struct Registered {
    /// Where it is registered.
    shared: Arc<Shared>,
    /// Its group.
    group: AddressGroup,
}

impl Default for FileReads {
    fn default() -> Self {
        let threads = Arc::new(Semaphore::new(MAX_READS));
        Self(Arc::new(Shared { threads, groups: Mutex::default() }))
    }
}

impl FileReads {
    /// Runs `work`, which blocks, in a thread, when it is this group's turn. It goes on to its end
    /// even if the future is dropped, but no other work takes its thread before.
    ///
    /// # Errors
    /// Those of `work`, or it has panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        group: AddressGroup,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (registered, turn) = self.register(group);
        // The semaphores are never closed.
        let turn = turn.acquire_owned().await.map_err(io::Error::other)?;
        let thread = self.0.threads.clone().acquire_owned().await.map_err(io::Error::other)?;
        let done = spawn_blocking(move || {
            let _until_done = (thread, turn, registered);
            work()
        });
        done.await.map_err(io::Error::other)?
    }

    /// Registers a read of a group. Returns the semaphore of the group's turn, too.
    fn register(&self, group: AddressGroup) -> (Registered, Arc<Semaphore>) {
        let mut groups = self.0.lock();
        let entry = groups
            .entry(group)
            .or_insert_with(|| Group { turn: Arc::new(Semaphore::new(1)), reads: 0 });
        entry.reads += 1;
        (Registered { shared: self.0.clone(), group }, entry.turn.clone())
    }
}

impl Shared {
    /// Locks the groups.
    fn lock(&self) -> MutexGuard<'_, HashMap<AddressGroup, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut groups = self.shared.lock();
        if let Some(group) = groups.get_mut(&self.group) {
            group.reads = group.reads.saturating_sub(1);
            if group.reads == 0 {
                groups.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Maximum time that a test waits for a read.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// A group that has many reads waiting keeps one thread: another group is served meanwhile, and
    /// nothing is left of either.
    #[tokio::test]
    async fn many_reads_of_a_group_wait_for_themselves() {
        let reads = FileReads::default();
        let group = |last| AddressGroup::of([192, 0, 2, last].into());
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        let crowd: Vec<_> = (0..50)
            .map(|number| {
                let (reads, blocked) = (reads.clone(), blocked.clone());
                tokio::spawn(async move {
                    let work = move || {
                        blocked.lock().unwrap().recv().unwrap();
                        Ok(number)
                    };
                    reads.run(group(1), work).await.unwrap()
                })
            })
            .collect();
        // All of them wait before the other group comes.
        while reads.0.lock().get(&group(1)).is_none_or(|it| it.reads < 50) {
            tokio::task::yield_now().await;
        }
        let other = timeout(PATIENCE, reads.run(group(2), || Ok("served"))).await;
        assert_eq!(other.ok().and_then(Result::ok), Some("served"));
        assert_eq!(reads.0.threads.available_permits(), 1);
        for _ in 0..50 {
            release.send(()).unwrap();
        }
        for (number, read) in crowd.into_iter().enumerate() {
            assert_eq!(read.await.unwrap(), number);
        }
        assert!(reads.0.lock().is_empty());
        assert_eq!(reads.0.threads.available_permits(), MAX_READS);
    }

    /// A read that fails or panics gives its thread back.
    #[tokio::test]
    async fn failed_reads_give_their_thread_back() {
        let reads = FileReads::default();
        let group = AddressGroup::of([192, 0, 2, 1].into());
        for _ in 0..2 * MAX_READS {
            assert!(
                reads.run(group, || Err::<(), _>(io::ErrorKind::NotFound.into())).await.is_err()
            );
            let panics = || -> io::Result<()> { panic!("on purpose") };
            assert!(reads.run(group, panics).await.is_err());
        }
        assert_eq!(reads.run(group, || Ok(7)).await.unwrap(), 7);
    }
}
