//! Tests of feeds and their readers.

use proptest::prelude::*;

use super::*;

/// Returns a batch in which each entry's frame is its sequence as one byte. It was published
/// as many seconds after the start of the clock as its last sequence says.
fn batch(sequences: &[u8]) -> Batch {
    let mut builder = BatchBuilder::default();
    for sequence in sequences {
        builder.push(Sequence((*sequence).into()), |buffer| buffer.push(*sequence));
    }
    let last = sequences.last().copied().unwrap_or_default();
    builder.finish(Moment::START + Duration::from_secs(last.into()))
}

/// Returns an empty feed with this limit of bytes.
fn feed(max_bytes: usize) -> SharedFeed {
    Arc::new(Mutex::new(Feed::new(max_bytes, Arc::default())))
}

/// Returns a reader of the entries after `sequence`.
fn reader_after(feed: &SharedFeed, sequence: Sequence) -> FeedReader {
    FeedReader::new(feed.clone(), sequence, None)
}

/// Publishes a batch as [`batch`] makes it.
fn publish(feed: &SharedFeed, sequences: &[u8]) {
    lock_feed(feed).push(batch(sequences));
}

/// Takes the next entries up to `limit` from a reader. Returns the bytes of their frames.
fn taken(reader: &mut FeedReader, limit: u64) -> Result<Vec<u8>, Behind> {
    let mut bytes = Vec::new();
    reader.take(Sequence(limit), usize::MAX, |piece| bytes.extend_from_slice(&piece))?;
    Ok(bytes)
}

/// A reader takes each entry once, for limits at, between and beyond the sequences.
#[test]
fn reader_receives_each_entry_once_under_any_limit() {
    let feed = feed(1_000);
    let mut reader = reader_after(&feed, Sequence(0));
    publish(&feed, &[1, 3, 4]);
    publish(&feed, &[6]);
    assert_eq!(taken(&mut reader, 3).unwrap(), [1, 3]);
    assert!(taken(&mut reader, 3).unwrap().is_empty());
    assert_eq!(reader.peek(), Ok(Some(Sequence(4))));
    assert_eq!(taken(&mut reader, 5).unwrap(), [4]);
    assert_eq!(taken(&mut reader, 9).unwrap(), [6]);
    assert_eq!(reader.peek(), Ok(None));
    publish(&feed, &[9, 10]);
    assert_eq!(taken(&mut reader, 9).unwrap(), [9]);
    assert_eq!(taken(&mut reader, 10).unwrap(), [10]);
}

/// A reader may start after any sequence that the feed still holds.
#[test]
fn reader_starts_at_any_sequence_that_is_held() {
    let feed = feed(1_000);
    let _slow = reader_after(&feed, Sequence(0));
    publish(&feed, &[1, 3]);
    publish(&feed, &[5, 7]);
    for (after, expected) in
        [(0, vec![1, 3, 5, 7]), (1, vec![3, 5, 7]), (4, vec![5, 7]), (7, vec![])]
    {
        let mut reader = reader_after(&feed, Sequence(after));
        assert_eq!(taken(&mut reader, 100).unwrap(), expected, "after {after}");
    }
}

/// A feed without readers, or with readers that are up to date, uses no memory.
#[test]
fn feed_is_empty_while_no_reader_lacks_anything() {
    let feed = feed(1 << 20);
    publish(&feed, &[1]);
    assert_eq!(lock_feed(&feed).bytes(), 0, "there is no reader");
    let mut readers: Vec<_> = (0..5).map(|_| reader_after(&feed, Sequence(1))).collect();
    for sequence in 2..=200 {
        publish(&feed, &[sequence]);
        for reader in &mut readers {
            assert_eq!(taken(reader, 200).unwrap(), [sequence]);
        }
        assert_eq!(lock_feed(&feed).bytes(), 0);
    }
    let budget = lock_feed(&feed).budget.clone();
    assert_eq!(budget.used(), 0);
}

/// For a slow reader, the feed holds the entries that the reader lacks, up to the feed's limit.
/// Dropping the reader or the feed gives the memory back.
#[test]
fn slow_reader_holds_what_it_lacks_and_no_more_than_the_limit() {
    let limit = 10 * batch(&[1]).memory;
    let feed = feed(limit);
    let budget = lock_feed(&feed).budget.clone();
    let mut slow = reader_after(&feed, Sequence(0));
    let mut quick = reader_after(&feed, Sequence(0));
    for sequence in 1..=5 {
        publish(&feed, &[sequence]);
        taken(&mut quick, 5).unwrap();
    }
    assert_eq!(budget.used(), limit / 2);
    assert_eq!(taken(&mut slow, 3).unwrap(), [1, 2, 3]);
    assert_eq!(budget.used(), limit / 5, "it lacks two of them");
    for sequence in 6..=200 {
        publish(&feed, &[sequence]);
        taken(&mut quick, 200).unwrap();
        assert!(budget.used() <= limit);
    }
    assert_eq!(taken(&mut slow, 200), Err(Behind));
    drop(slow);
    taken(&mut quick, 200).unwrap();
    publish(&feed, &[201]);
    taken(&mut quick, 201).unwrap();
    assert_eq!(budget.used(), 0, "nobody lacks anything");
    publish(&feed, &[202]);
    assert_ne!(budget.used(), 0);
    drop((feed, quick));
    assert_eq!(budget.used(), 0, "the room is closed");
}

/// A reader is `Behind` if its next entry was dropped because of the feed's size or age. A
/// reader that starts after that entry is not.
#[test]
fn reader_behind_the_feed_is_reported() {
    let feed = feed(batch(&[1, 2]).memory + batch(&[5]).memory);
    let mut early = reader_after(&feed, Sequence(0));
    let mut late = reader_after(&feed, Sequence(0));
    publish(&feed, &[1, 2]);
    assert_eq!(taken(&mut late, 9).unwrap(), [1, 2]);
    publish(&feed, &[3, 4]);
    publish(&feed, &[5]);
    assert_eq!(taken(&mut early, 9), Err(Behind));
    assert_eq!(reader_after(&feed, Sequence(1)).peek(), Err(Behind));
    let mut later = reader_after(&feed, Sequence(3));
    assert_eq!(taken(&mut later, 9).unwrap(), [4, 5]);
    assert_eq!(taken(&mut late, 9).unwrap(), [3, 4, 5]);
    let last = reader_after(&feed, Sequence(5));
    publish(&feed, &[6]);
    let (end, most) = (Moment::START + Duration::from_secs(37), Duration::from_secs(30));
    lock_feed(&feed).trim(end, most);
    assert_eq!((last.peek(), lock_feed(&feed).bytes()), (Err(Behind), 0));
}

/// A burst that exceeds the feed's size closes no reader that takes it within [`BURST_TIME`].
#[test]
fn burst_is_kept_for_readers_that_keep_up() {
    let feed = feed(batch(&[1]).memory);
    let [mut quick, slow] = [0, 0].map(|it| reader_after(&feed, Sequence(it)));
    for sequence in 1..=3 {
        publish(&feed, &[sequence]);
    }
    assert_eq!(taken(&mut quick, 9).unwrap(), [1, 2, 3]);
    assert_eq!(slow.peek(), Ok(Some(Sequence(1))), "2 s after it was published");
    let later = Moment::START + BURST_TIME + Duration::from_millis(1_001);
    lock_feed(&feed).trim(later, Duration::from_secs(30));
    assert_eq!(slow.peek(), Err(Behind));
    // Beyond eight times the size, the age does not matter.
    for _ in 4..=12 {
        lock_feed(&feed).push(batch(&[4]));
    }
    assert_eq!(quick.peek(), Err(Behind));
}

/// A reader that takes a limited amount of memory stops between two batches, and goes on there.
#[test]
fn reader_takes_as_much_as_it_has_memory_for() {
    let feed = feed(1_000);
    let mut reader = reader_after(&feed, Sequence(0));
    for sequences in [[1, 2], [3, 4], [5, 6]] {
        publish(&feed, &sequences);
    }
    let each = 2 + size_of::<Bytes>();
    let mut take = |memory| {
        let mut bytes = Vec::new();
        reader.take(Sequence(9), memory, |it| bytes.extend_from_slice(&it)).unwrap();
        bytes
    };
    assert_eq!((take(each), take(each + 1)), (vec![1, 2], vec![3, 4, 5, 6]));
    assert_eq!(lock_feed(&feed).bytes(), 0);
}

proptest! {
    /// A feed holds the batches from the slowest cursor on, and each reader gets each entry
    /// once. The steps publish batches, and add, drop or advance readers, in any order.
    #[test]
    fn feed_holds_what_the_slowest_reader_lacks(
        steps in prop::collection::vec((0_usize..6, 1_u8..4), 1..150),
    ) {
        let feed = feed(usize::MAX);
        let mut published = 0_u8;
        let mut batches: Vec<(u8, usize)> = Vec::new();
        let mut readers: Vec<(FeedReader, u8)> = Vec::new();
        for (step, amount) in steps {
            match step {
                0 | 1 if published < 250 => {
                    let sequences: Vec<u8> = (published + 1..=published + amount).collect();
                    published += amount;
                    batches.push((published, batch(&sequences).memory));
                    publish(&feed, &sequences);
                }
                2 => readers.push((
                    reader_after(&feed, Sequence(published.into())),
                    published,
                )),
                3 => drop(readers.pop()),
                _ => {
                    if let Some((reader, position)) = readers.first_mut() {
                        let limit = published.min(*position + amount);
                        let expected: Vec<u8> = (*position + 1..=limit).collect();
                        prop_assert_eq!(taken(reader, limit.into()).unwrap(), expected);
                        *position = limit;
                    }
                    let turn = usize::from(amount) % readers.len().max(1);
                    readers.rotate_left(turn);
                }
            }
            let slowest = readers.iter().map(|(_, position)| *position).min();
            let lacked = batches.iter().filter(|(last, _)| slowest.is_some_and(|it| it < *last));
            let expected: usize = lacked.map(|(_, memory)| memory).sum();
            prop_assert_eq!(lock_feed(&feed).bytes(), expected);
        }
    }
}

/// The slowest groups are those of the readers that have not passed the oldest batch.
#[test]
fn feed_knows_whose_readers_are_furthest_behind() {
    let feed = feed(1_000);
    let groups: Vec<_> = (1..=3).map(|it| AddressGroup::of([192, 0, 2, it].into())).collect();
    let mut readers: Vec<_> = [0, 1, 1, 2]
        .map(|it: usize| FeedReader::new(feed.clone(), Sequence(0), Some(groups[it])))
        .into();
    let slowest = || lock_feed(&feed).slowest_groups().collect::<Vec<_>>();
    assert_eq!(slowest(), [], "everybody is up to date");
    publish(&feed, &[1]);
    publish(&feed, &[2]);
    assert_eq!(slowest().len(), 4);
    for number in [0, 3] {
        taken(&mut readers[number], 9).unwrap();
    }
    assert_eq!(slowest(), [groups[1], groups[1]]);
    taken(&mut readers[1], 1).unwrap();
    assert_eq!(slowest(), [groups[1]]);
    // The place of the dropped reader is used again.
    drop(readers.remove(2));
    readers.push(FeedReader::new(feed.clone(), Sequence(0), Some(groups[0])));
    assert_eq!(slowest(), [groups[1]], "the new one is behind what is dropped");
    assert_eq!(lock_feed(&feed).readers.len(), 4);
}
