//! Contents that a disk may have after a power cut.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fastrand::Rng;

use super::disk::{Change, Contents, File};

/// Bytes that a disk writes as a whole or not at all.
const SECTOR: usize = 512;

/// State of a simulated disk at the moment of a power cut.
#[derive(Clone, Debug)]
pub(crate) struct PowerCut(Contents);

/// Which pending changes of a file have reached the disk although they were not synced.
#[derive(Clone, Copy)]
enum WrittenPart {
    /// None.
    Nothing,
    /// All.
    All,
    /// All changes before this index, and of the change at it only some sectors.
    UpTo(usize),
    /// A random number of changes, chosen for each sector independently.
    AnyOrder,
}

impl PowerCut {
    /// A power cut of a disk with these contents.
    pub(crate) const fn new(contents: Contents) -> Self {
        Self(contents)
    }

    /// Number of items that the test had acknowledged before the cut.
    pub(crate) const fn acknowledged(&self) -> usize {
        self.0.acknowledged
    }

    /// Number of these that were acknowledged before the last sync of a journal.
    pub(crate) const fn acknowledged_at_sync(&self) -> usize {
        self.0.acknowledged_at_sync
    }

    /// Writes contents that the disk may have now into an empty directory. Each seed gives one
    /// possibility.
    pub(crate) fn write_to(&self, directory: &Path, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let Contents { files, names, safe_names, .. } = &self.0;
        let all: BTreeSet<_> = names.keys().chain(safe_names.keys()).collect();
        for name in all {
            let which = if random.bool() { names } else { safe_names };
            if let Some(file) = which.get(name) {
                fs::write(directory.join(name), contents_after_cut(&files[*file], &mut random))
                    .unwrap();
            }
        }
    }
}

/// Returns contents that the file may have after the cut, chosen at random.
fn contents_after_cut(file: &File, random: &mut Rng) -> Vec<u8> {
    let changes = file.pending.len();
    let written_part = match random.u8(0..4) {
        0 => WrittenPart::Nothing,
        1 => WrittenPart::All,
        2 => WrittenPart::UpTo(random.usize(0..=changes)),
        _ => WrittenPart::AnyOrder,
    };
    // Number of changes that have reached one place of the disk.
    let mut changes_written = || match written_part {
        WrittenPart::Nothing => 0,
        WrittenPart::All => changes,
        WrittenPart::UpTo(moment) => (moment + usize::from(random.bool())).min(changes),
        WrittenPart::AnyOrder => random.usize(0..=changes),
    };
    let size =
        file.pending[..changes_written()].iter().fold(file.safe.len(), |size, it| match it {
            Change::Write(offset, bytes) => size.max(offset + bytes.len()),
            Change::Truncate(size) => *size,
        });
    let mut found = file.safe.clone();
    found.resize(size, 0);
    for start in pending_sectors(file).into_iter().filter(|start| *start < size) {
        let end = (start + SECTOR).min(size);
        for change in &file.pending[..changes_written()] {
            apply_to_sector(change, start, &mut found[start..end]);
        }
    }
    found
}

/// Returns the offsets of all sectors that pending changes touch.
fn pending_sectors(file: &File) -> BTreeSet<usize> {
    let mut longest = file.safe.len();
    let mut pending_sectors = BTreeSet::new();
    for change in &file.pending {
        let (from, to) = match change {
            Change::Write(offset, bytes) => (*offset, offset + bytes.len()),
            Change::Truncate(size) => (*size, longest),
        };
        longest = longest.max(to);
        pending_sectors.extend((from / SECTOR..to.div_ceil(SECTOR)).map(|sector| sector * SECTOR));
    }
    pending_sectors
}

/// Applies to the sector that begins at offset `start` what a change does to it.
fn apply_to_sector(change: &Change, start: usize, sector: &mut [u8]) {
    let end = start + sector.len();
    match change {
        Change::Write(offset, bytes) => {
            let (from, to) = ((*offset).max(start), (offset + bytes.len()).min(end));
            if from < to {
                sector[from - start..to - start]
                    .copy_from_slice(&bytes[from - offset..to - offset]);
            }
        }
        Change::Truncate(size) if *size < end => sector[size.saturating_sub(start)..].fill(0),
        Change::Truncate(_) => {}
    }
}

#[test]
fn sectors_are_written_whole_or_not_at_all() {
    let (old, new) = (vec![1; 4 * SECTOR], vec![2; 3 * SECTOR]);
    let file = File { safe: old, pending: vec![Change::Write(100, new)] };
    let mut kinds = BTreeSet::new();
    for seed in 0..200 {
        let found = contents_after_cut(&file, &mut Rng::with_seed(seed));
        assert_eq!(found.len(), 4 * SECTOR);
        let is_new = |sector: usize| found[sector * SECTOR + 100] == 2;
        for (place, byte) in found.iter().enumerate() {
            let was_written = (100..100 + 3 * SECTOR).contains(&place) && is_new(place / SECTOR);
            // The write covers only the beginning of the last sector.
            let is_last = place / SECTOR == 3;
            assert!(is_last || *byte == if was_written { 2 } else { 1 }, "{seed}: {place}");
        }
        kinds.insert((is_new(0), is_new(1), is_new(2), found[3 * SECTOR] == 2));
    }
    assert_eq!(kinds.len(), 16, "not everything can happen");
}

#[test]
fn truncated_data_does_not_come_back() {
    let pending = vec![Change::Truncate(10), Change::Write(1_000, vec![3; 10])];
    let file = File { safe: vec![1; 2_000], pending };
    for seed in 0..200 {
        let found = contents_after_cut(&file, &mut Rng::with_seed(seed));
        assert!([10, 1_010, 2_000].contains(&found.len()), "{seed}: {}", found.len());
        let is_old = |byte: &u8| *byte == 1;
        assert!(found.len() < 2_000 || found[..10].iter().all(is_old), "{seed}");
        assert!(found.iter().all(|it| [0, 1, 3].contains(it)), "{seed}");
    }
}
