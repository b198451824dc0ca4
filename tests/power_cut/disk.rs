//! Simulated disk that knows which changes are synced (safe) and which are pending.
//!
//! Its rules are those that SQLite itself relies on. What is written to a file is safe once the
//! file is synced. A directory is synced separately: a new name is safe once its file is synced (as
//! in all journaling file systems), every other change of names once the directory is synced, which
//! SQLite does with the first sync of a new journal and with some deletions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::cut::PowerCut;

/// Registry of the simulated disks in use, by directory.
static DISKS: LazyLock<Mutex<HashMap<PathBuf, Weak<Disk>>>> = LazyLock::new(Mutex::default);

/// A pending change of a file.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// These bytes are written at this offset.
    Write(usize, Vec<u8>),
    /// The file is truncated to this size in bytes.
    Truncate(usize),
}

/// A file, independent of its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// Contents as last synced.
    pub(crate) safe: Vec<u8>,
    /// Changes since then, oldest first.
    pub(crate) pending: Vec<Change>,
}

impl File {
    /// Applies all pending changes to the safe contents.
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write(offset, bytes) => {
                    let end = offset + bytes.len();
                    if self.safe.len() < end {
                        self.safe.resize(end, 0);
                    }
                    self.safe[offset..end].copy_from_slice(&bytes);
                }
                Change::Truncate(size) => self.safe.truncate(size),
            }
        }
    }
}

/// Directory: the number of the file that each name stands for, an index of [`Contents::files`].
pub(crate) type Names = BTreeMap<OsString, usize>;

/// Contents of a disk at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// All files ever made, deleted ones included.
    pub(crate) files: Vec<File>,
    /// The directory as programs see it.
    pub(crate) names: Names,
    /// The directory as last synced.
    pub(crate) safe_names: Names,
    /// Number of items that the test last passed to [`Disk::acknowledge`].
    pub(crate) acknowledged: usize,
    /// That number at the last sync of a journal.
    pub(crate) acknowledged_at_sync: usize,
    /// Number of changes and syncs so far.
    pub(crate) steps: usize,
}

/// State of a simulated disk: contents, planned failures, and the power cut.
#[derive(Debug, Default)]
struct DiskState {
    /// Its contents.
    contents: Contents,
    /// Step after which the power is cut.
    last_step: Option<usize>,
    /// The power cut, once it has happened.
    cut: Option<PowerCut>,
    /// Steps that fail.
    failing_steps: BTreeSet<usize>,
    /// True if the next sync of a journal fails. What it was to make safe never becomes safe,
    /// because Linux marks the pages as clean after it has reported the error.
    is_next_sync_failing: bool,
    /// Time of the oldest unsynced change of a journal.
    unsynced_since: Option<Instant>,
    /// Longest time that a change of a journal was not synced.
    longest_unsynced: Duration,
}

impl DiskState {
    /// Counts a step, and cuts the power if this was the last one.
    fn step(&mut self) {
        self.contents.steps += 1;
        if self.last_step == Some(self.contents.steps) {
            self.cut = Some(PowerCut::new(self.contents.clone()));
        }
    }

    /// Returns true if the next change or sync fails; the failure counts as a step.
    fn should_fail(&mut self) -> bool {
        let should_fail = self.failing_steps.contains(&self.contents.steps);
        if should_fail {
            self.step();
        }
        should_fail
    }
}

/// A simulated disk with one directory. Programs that use it do not notice the power cut; what they
/// write afterwards is not part of it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Its state.
    state: Mutex<DiskState>,
    /// Notified after each sync of a journal.
    synced: Condvar,
}

impl Disk {
    /// Makes a simulated disk of this directory, whose present contents count as safe.
    pub(crate) fn simulate(directory: &Path) -> Arc<Self> {
        let mut contents = Contents::default();
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            contents.safe_names.insert(entry.file_name(), contents.files.len());
            contents
                .files
                .push(File { safe: fs::read(entry.path()).unwrap(), pending: Vec::new() });
        }
        contents.names = contents.safe_names.clone();
        let state = Mutex::new(DiskState { contents, ..DiskState::default() });
        let disk = Arc::new(Self { state, synced: Condvar::new() });
        DISKS.lock().unwrap().insert(directory.canonicalize().unwrap(), Arc::downgrade(&disk));
        disk
    }

    /// Returns the disk that contains this file, and the file's name there.
    pub(crate) fn containing(path: &Path) -> Option<(Arc<Self>, OsString)> {
        let disk = DISKS.lock().unwrap().get(path.parent()?)?.upgrade()?;
        Some((disk, path.file_name()?.to_owned()))
    }

    /// Locks the state.
    fn lock(&self) -> MutexGuard<'_, DiskState> {
        self.state.lock().unwrap()
    }

    /// Plans the power cut after this step, counted from the beginning.
    pub(crate) fn cut_after_step(&self, step: usize) {
        self.lock().last_step = Some(step);
    }

    /// Plans failures of these steps, as of a disk that is full, read-only or broken. Replaces an
    /// earlier plan.
    pub(crate) fn fail_at_steps(&self, steps: impl IntoIterator<Item = usize>) {
        self.lock().failing_steps = steps.into_iter().collect();
    }

    /// Waits until all journals are synced. Returns the longest time that a change was not. Panics
    /// after `patience`.
    pub(crate) fn wait_for_sync(&self, patience: Duration) -> Duration {
        let is_unsynced = |state: &mut DiskState| state.unsynced_since.is_some();
        let waited = self.synced.wait_timeout_while(self.lock(), patience, is_unsynced);
        let (state, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "nothing is synced for {patience:?}");
        state.longest_unsynced
    }

    /// Returns the power cut. Cuts the power now if that has not happened.
    pub(crate) fn cut(&self) -> PowerCut {
        let mut state = self.lock();
        let contents = &state.contents;
        let cut = state.cut.clone().unwrap_or_else(|| PowerCut::new(contents.clone()));
        state.cut = Some(cut.clone());
        cut
    }

    /// Returns true if the power was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut.is_some()
    }

    /// Number of steps so far.
    pub(crate) fn steps(&self) -> usize {
        self.lock().contents.steps
    }

    /// Sets the number of items that have been seen as done, to be compared with what is left after
    /// the cut.
    pub(crate) fn acknowledge(&self, seen: usize) {
        self.lock().contents.acknowledged = seen;
    }

    /// Opens a file, creating it if it does not exist. Returns its number.
    pub(crate) fn open(&self, name: OsString) -> usize {
        let contents = &mut self.lock().contents;
        let next = contents.files.len();
        let number = *contents.names.entry(name).or_insert(next);
        if number == next {
            contents.files.push(File::default());
        }
        number
    }

    /// Records a change of a file. Returns false if it fails.
    pub(crate) fn change(&self, file: usize, is_journal: bool, change: Change) -> bool {
        let mut state = self.lock();
        if state.should_fail() {
            return false;
        }
        state.contents.files[file].pending.push(change);
        if is_journal {
            state.unsynced_since.get_or_insert_with(Instant::now);
        }
        state.step();
        true
    }

    /// Makes the next sync of a journal fail and lose what was not synced.
    pub(crate) fn fail_next_sync(&self) {
        self.lock().is_next_sync_failing = true;
    }

    /// Syncs a file, and the directory as well if the file is a new journal. Returns false if it
    /// fails.
    pub(crate) fn sync(&self, file: usize, is_journal: bool) -> bool {
        let mut state = self.lock();
        if state.should_fail() {
            return false;
        }
        if is_journal && std::mem::take(&mut state.is_next_sync_failing) {
            state.contents.files[file].pending.clear();
            state.step();
            return false;
        }
        let contents = &mut state.contents;
        contents.files[file].sync();
        let name = contents.names.iter().find(|(_, number)| **number == file);
        if let Some((name, _)) = name
            && contents.safe_names.get(name) != Some(&file)
        {
            let name = name.clone();
            if is_journal {
                contents.safe_names = contents.names.clone();
            }
            contents.safe_names.insert(name, file);
        }
        if is_journal {
            contents.acknowledged_at_sync = contents.acknowledged;
            let waited = state.unsynced_since.take().map(|since| since.elapsed());
            state.longest_unsynced = state.longest_unsynced.max(waited.unwrap_or_default());
            self.synced.notify_all();
        }
        state.step();
        true
    }

    /// Deletes a name, and syncs the directory if `with_sync`.
    pub(crate) fn delete(&self, name: &OsString, with_sync: bool) {
        let mut state = self.lock();
        let contents = &mut state.contents;
        contents.names.remove(name);
        if with_sync {
            contents.safe_names = contents.names.clone();
        }
        state.step();
    }
}
