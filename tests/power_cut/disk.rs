//! What is safe on a disk and what is only on its way there.
//!
//! The rules are those that SQLite itself relies on. What is written to a
//! file is safe when the file is synced. A directory is a thing of its own: a new
//! name is safe when its file is synced (as all journaling file systems have
//! it), everything else about names when the directory is synced, which SQLite
//! does with the first sync of a new journal and with some deletions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::cut::PowerCut;

/// The disks that are in use, by the directory that they stand for.
static DISKS: LazyLock<Mutex<HashMap<PathBuf, Weak<Disk>>>> = LazyLock::new(Mutex::default);

/// A change of a file that is not safe yet.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// These bytes at this offset.
    Write(usize, Vec<u8>),
    /// Only so many bytes are left.
    Truncate(usize),
}

/// A file, whatever it is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// What is safe.
    pub(crate) safe: Vec<u8>,
    /// What has changed since, oldest first.
    pub(crate) pending: Vec<Change>,
}

impl File {
    /// All changes are safe now.
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

/// Which file has which name; files are numbered.
pub(crate) type Names = BTreeMap<OsString, usize>;

/// Everything about a disk at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// All files that there ever were.
    pub(crate) files: Vec<File>,
    /// Their names.
    pub(crate) names: Names,
    /// Those that are safe.
    pub(crate) safe_names: Names,
    /// What the test has acknowledged last.
    pub(crate) acknowledged: usize,
    /// What it had acknowledged when the write-ahead log was synced last.
    pub(crate) acknowledged_at_sync: usize,
    /// So many changes and syncs there were.
    pub(crate) steps: usize,
}

/// A disk, and when its power is cut.
#[derive(Debug, Default)]
struct DiskState {
    /// What it holds.
    contents: Contents,
    /// The power is cut behind this step.
    last_step: Option<usize>,
    /// It was.
    cut: Option<PowerCut>,
    /// These steps fail.
    failing_steps: BTreeSet<usize>,
    /// The next sync of a journal fails, and what it was to make safe never
    /// will be: Linux takes the pages for written after it has told of the error.
    is_next_sync_failing: bool,
    /// Since when something in a journal is not synced.
    unsynced_since: Option<Instant>,
    /// How long something in a journal was not synced, at the most.
    longest_unsynced: Duration,
}

impl DiskState {
    /// Something has been done.
    fn step(&mut self) {
        self.contents.steps += 1;
        if self.last_step == Some(self.contents.steps) {
            self.cut = Some(PowerCut::new(self.contents.clone()));
        }
    }

    /// Whether what comes next fails; it counts as a step.
    fn should_fail(&mut self) -> bool {
        let should_fail = self.failing_steps.contains(&self.contents.steps);
        if should_fail {
            self.step();
        }
        should_fail
    }
}

/// A disk with one directory. The programs that use it do not notice that
/// its power was cut: what they do afterwards is not on it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// All about it.
    state: Mutex<DiskState>,
    /// A journal was synced.
    synced: Condvar,
}

impl Disk {
    /// Makes a disk of this directory. What is there is safe.
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

    /// The one that this file is on, and its name there.
    pub(crate) fn containing(path: &Path) -> Option<(Arc<Self>, OsString)> {
        let disk = DISKS.lock().unwrap().get(path.parent()?)?.upgrade()?;
        Some((disk, path.file_name()?.to_owned()))
    }

    /// All that is known.
    fn lock(&self) -> MutexGuard<'_, DiskState> {
        self.state.lock().unwrap()
    }

    /// The power is cut behind so many steps from the beginning.
    pub(crate) fn cut_after_step(&self, step: usize) {
        self.lock().last_step = Some(step);
    }

    /// The disk takes nothing in these steps: it is full, or read-only, or
    /// broken.
    pub(crate) fn fail_at_steps(&self, steps: impl IntoIterator<Item = usize>) {
        self.lock().failing_steps = steps.into_iter().collect();
    }

    /// Waits until nothing in a journal is unsynced; gives how long something
    /// was, at the most.
    pub(crate) fn wait_for_sync(&self, patience: Duration) -> Duration {
        let is_unsynced = |state: &mut DiskState| state.unsynced_since.is_some();
        let waited = self.synced.wait_timeout_while(self.lock(), patience, is_unsynced);
        let (state, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "nothing is synced for {patience:?}");
        state.longest_unsynced
    }

    /// What the cut has left; if there was none, it is now.
    pub(crate) fn cut(&self) -> PowerCut {
        let mut state = self.lock();
        let contents = &state.contents;
        let cut = state.cut.clone().unwrap_or_else(|| PowerCut::new(contents.clone()));
        state.cut = Some(cut.clone());
        cut
    }

    /// Whether the power was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut.is_some()
    }

    /// How many steps there were.
    pub(crate) fn steps(&self) -> usize {
        self.lock().contents.steps
    }

    /// Notes how much somebody has seen as being done, for a comparison with
    /// what is there after the cut.
    pub(crate) fn acknowledge(&self, seen: usize) {
        self.lock().contents.acknowledged = seen;
    }

    /// A file is opened; makes it if need be, and gives its number.
    pub(crate) fn open(&self, name: OsString) -> usize {
        let contents = &mut self.lock().contents;
        let next = contents.files.len();
        let number = *contents.names.entry(name).or_insert(next);
        if number == next {
            contents.files.push(File::default());
        }
        number
    }

    /// A file changes; false if the disk does not take it.
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

    /// The next sync of a journal fails, and loses what was not synced.
    pub(crate) fn fail_next_sync(&self) {
        self.lock().is_next_sync_failing = true;
    }

    /// A file is synced, and its directory, too, if it is a new journal.
    /// False if the disk does not do it.
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

    /// A name is deleted, and its directory perhaps synced.
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
