//! Tests of the simulation with SQLite alone: it keeps what SQLite promises, and loses what SQLite
//! does not promise.

use rusqlite::{Connection, OpenFlags};
use tempfile::tempdir;

use super::disk::Disk;
use super::vfs;

/// Number of power cuts for each value of `synchronous`.
const CUTS: u64 = 150;

/// Maximum number of transactions before the power is cut.
const TRANSACTIONS: u32 = 25;

/// Database after a power cut.
struct Found {
    /// Number of transactions that it holds, if it is sound and holds the first ones and nothing
    /// else; none otherwise.
    prefix: Option<usize>,
    /// Number of transactions whose commit had returned before the cut.
    committed: usize,
    /// Number of these before the last sync of a journal.
    synced: usize,
}

/// The bytes that this transaction writes.
fn content(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(number * 7_919 % 9_000).unwrap()];
    fastrand::Rng::with_seed(number.into()).fill(&mut bytes);
    bytes
}

/// Commits one transaction after the other until the power is cut.
fn write_transactions(
    connection: &Connection,
    synchronous: &str,
    disk: &Disk,
) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // The journal begins anew every few transactions.
    connection.pragma_update(None, "wal_autocheckpoint", 12)?;
    connection.execute_batch("CREATE TABLE it (number INTEGER PRIMARY KEY, content BLOB)")?;
    for number in 1..=TRANSACTIONS {
        connection.execute("INSERT INTO it VALUES (?1, ?2)", (number, content(number)))?;
        disk.acknowledge(usize::try_from(number).unwrap());
        if disk.is_cut() {
            return Ok(());
        }
    }
    Ok(())
}

/// Counts the transactions in a database; none if it is not sound, or if one is missing or wrong.
fn count_transactions(connection: &Connection) -> rusqlite::Result<Option<usize>> {
    let is_sound: String = connection.query_row("PRAGMA integrity_check", [], |it| it.get(0))?;
    if is_sound != "ok" {
        return Ok(None);
    }
    if !connection.table_exists(None, "it")? {
        return Ok(Some(0));
    }
    let mut all = connection.prepare("SELECT number, content FROM it ORDER BY number")?;
    let all = all.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let all: Vec<_> = all.collect::<Result<_, _>>()?;
    let is_prefix = all.iter().zip(1..).all(|(it, number)| *it == (number, content(number)));
    Ok(is_prefix.then_some(all.len()))
}

/// Cuts the power once, after a random step up to `last_step`. Returns what is left, and the number
/// of steps of the run.
fn cut_once(synchronous: &str, seed: u64, last_step: usize) -> (Found, usize) {
    let (before, after) = (tempdir().unwrap(), tempdir().unwrap());
    let disk = Disk::simulate(before.path());
    disk.cut_after_step(fastrand::Rng::with_seed(seed).usize(0..=last_step));
    let path = before.path().canonicalize().unwrap().join("it.db");
    let connection =
        Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs::register()).unwrap();
    write_transactions(&connection, synchronous, &disk).unwrap();
    let cut = disk.cut();
    cut.write_to(after.path(), seed);
    let prefix =
        Connection::open(after.path().join("it.db")).and_then(|it| count_transactions(&it));
    let prefix = prefix.ok().flatten();
    let found = Found { prefix, committed: cut.acknowledged(), synced: cut.acknowledged_at_sync() };
    (found, disk.steps())
}

/// Cuts the power at many moments.
fn cut_many_times(synchronous: &str) -> impl Iterator<Item = (u64, Found)> {
    let (_, last_step) = cut_once(synchronous, 0, 0);
    (0..CUTS).map(move |seed| (seed, cut_once(synchronous, seed, last_step).0))
}

#[test]
fn synchronous_full_loses_nothing() {
    for (seed, found) in cut_many_times("FULL") {
        let prefix = found.prefix.unwrap_or_else(|| panic!("seed {seed}: not sound"));
        let Found { committed, .. } = found;
        assert!((committed..=committed + 1).contains(&prefix), "seed {seed}: {prefix} {committed}");
    }
}

#[test]
fn synchronous_normal_loses_only_the_end() {
    let mut has_lost = false;
    for (seed, found) in cut_many_times("NORMAL") {
        let prefix = found.prefix.unwrap_or_else(|| panic!("seed {seed}: not sound"));
        let Found { committed, synced, .. } = found;
        assert!((synced..=committed + 1).contains(&prefix), "seed {seed}: {prefix} {committed}");
        has_lost |= prefix < committed;
    }
    assert!(has_lost, "it lost nothing: the cuts are no cuts");
}

#[test]
fn synchronous_off_loses_committed_transactions() {
    let (mut has_lost, mut is_broken) = (false, false);
    for (_, found) in cut_many_times("OFF") {
        has_lost |= found.prefix.is_some_and(|it| it < found.committed);
        is_broken |= found.prefix.is_none();
    }
    assert!(has_lost && is_broken, "lost: {has_lost}, broken: {is_broken}");
}
