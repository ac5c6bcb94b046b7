//! The walk over a whole log names the first entry that is not what was appended, whatever was done to it.

use tlog::{Audited, CheckpointError, Finding, Frontier, Hash, NodeId, Opened, Walker};

use crate::bed::{Log, entry, trust};

const SIZE: u64 = 50;

fn opened(log: &Log, sizes: &[u64]) -> Vec<Opened> {
    sizes.iter().map(|size| trust(1).open(&log.cosigned(*size)).unwrap()).collect()
}

/// Walks what is stored, held to the checkpoints of the log as it was.
fn walk(stored: &Log, checkpoints: Vec<Opened>) -> Result<Audited, Finding> {
    let mut walker = Walker::new(Frontier::default(), checkpoints)?;
    for row in stored.rows() {
        walker.push(&row).unwrap();
    }
    walker.finish()
}

/// What is found when the log is altered in this way.
fn found(alter: impl FnOnce(&mut Log)) -> Finding {
    let good = Log::of(SIZE);
    let mut stored = good.clone();
    alter(&mut stored);
    walk(&stored, opened(&good, &[10, 30, SIZE])).unwrap_err()
}

/// The log that begins as `log` until `index` and goes on with `rest`, its tree made anew.
fn rewritten(entries: impl IntoIterator<Item = Hash>) -> Log {
    let mut log = Log::default();
    log.append(entries);
    log
}

fn forged() -> Hash {
    Hash::of_leaf(b"forged")
}

#[test]
fn a_good_log_is_found_good_from_any_size_on() {
    let log = Log::of(SIZE);
    let head = log.head(SIZE);
    assert_eq!(walk(&log, opened(&log, &[30, 10, 0, SIZE, 30])), Ok(Audited { head, sealed: SIZE }));
    assert_eq!(walk(&log, opened(&log, &[10, 30])), Ok(Audited { head, sealed: 30 }));
    assert_eq!(walk(&log, Vec::new()), Ok(Audited { head, sealed: 0 }));
    assert_eq!(walk(&Log::default(), opened(&log, &[0])).map(|seen| seen.sealed), Ok(0));
    for since in 0..=SIZE {
        let start = Frontier::load(since, |id| log.nodes.get(&id).copied()).unwrap();
        let mut walker = Walker::new(start, opened(&log, &[5, since, SIZE])).unwrap();
        assert_eq!(walker.next_index(), since);
        log.rows().iter().skip(usize::try_from(since).unwrap()).for_each(|row| walker.push(row).unwrap());
        assert_eq!(walker.finish(), Ok(Audited { head, sealed: SIZE }));
    }
}

#[test]
fn a_changed_entry_is_named() {
    for index in 0..SIZE {
        let finding = found(|log| log.entries[usize::try_from(index).unwrap()] = forged());
        assert_eq!(finding, Finding::Changed { index });
        assert_eq!(finding.first(), index);
        assert!(finding.to_string().contains(&format!("entry {index} was changed")), "{finding}");
    }
}

#[test]
fn of_many_bad_entries_the_first_is_named() {
    let finding = found(|log| {
        log.entries[5] = forged();
        // Later ones with their leaves, beyond the checkpoint that tells of the first.
        log.entries[20] = Hash::of_leaf(b"another");
        log.nodes.insert(NodeId::leaf(20), log.entries[20]);
    });
    assert_eq!(finding, Finding::Changed { index: 5 });
    let finding = found(|log| {
        log.entries[2] = forged();
        log.nodes.insert(NodeId::leaf(2), forged());
        log.entries[5] = forged();
    });
    assert_eq!(finding, Finding::Rewritten { entries: 2..4, size: 10 });
}

#[test]
fn a_removed_entry_is_named_whether_or_not_the_others_move_up() {
    for index in 0..SIZE - 1 {
        let removed = found(|log| _ = log.entries.remove(usize::try_from(index).unwrap()));
        assert_eq!(removed, Finding::Removed { index });
    }
    let good = Log::of(SIZE);
    let mut walker = Walker::new(Frontier::default(), opened(&good, &[SIZE])).unwrap();
    for (index, row) in (0..).zip(good.rows()) {
        let row = if index == 7 { tlog::Row { entry: None, ..row } } else { row };
        walker.push(&row).unwrap();
    }
    assert_eq!(walker.finish(), Err(Finding::Removed { index: 7 }));
}

#[test]
fn an_inserted_entry_is_named() {
    for index in 0..=SIZE {
        let finding = found(|log| log.entries.insert(usize::try_from(index).unwrap(), forged()));
        assert_eq!(finding, Finding::Inserted { index });
    }
}

#[test]
fn reordered_entries_are_named() {
    assert_eq!(found(|log| log.entries.swap(4, 44)), Finding::Reordered { index: 4, belongs: 44 });
    assert_eq!(found(|log| log.entries.swap(0, 1)), Finding::Reordered { index: 0, belongs: 1 });
    let moved = found(|log| log.entries[5..9].rotate_left(1));
    assert_eq!(moved, Finding::Reordered { index: 5, belongs: 6 });
}

#[test]
fn a_log_that_was_cut_is_noticed() {
    // Its entries only; its entries and its tree; and with them the checkpoints, against one kept outside.
    let entries = found(|log| log.entries.truncate(35));
    assert_eq!(entries, Finding::Truncated { index: 35, had: SIZE });
    assert_eq!(found(|log| *log = Log::of(35)), Finding::Truncated { index: 35, had: SIZE });
    let kept = opened(&Log::of(SIZE), &[SIZE]);
    assert_eq!(walk(&Log::of(35), kept), Err(Finding::Truncated { index: 35, had: SIZE }));
    assert_eq!(found(|log| *log = Log::default()), Finding::Truncated { index: 0, had: SIZE });
}

#[test]
fn a_history_written_anew_is_held_to_the_first_checkpoint_that_it_breaks() {
    for index in [0, 9, 10, 12, 29, 30, 49u64] {
        let place = usize::try_from(index).unwrap();
        let (from, to) = match index {
            0..10 => (0, 10),
            10..30 => (10, 30),
            _ => (30, SIZE),
        };
        let finding = found(|log| {
            let mut entries = log.entries.clone();
            entries[place] = forged();
            *log = rewritten(entries);
        });
        assert_eq!(finding, Finding::Rewritten { entries: from..to, size: to }, "{index}");
        assert!(finding.to_string().contains(&format!("entries {from} to {}", to - 1)), "{finding}");
        // Where only the leaf of the tree was altered with the entry, the nodes above narrow it down.
        let finding = found(|log| {
            log.entries[place] = forged();
            log.nodes.insert(NodeId::leaf(index), forged());
        });
        let pair = index & !1;
        assert_eq!(finding, Finding::Rewritten { entries: pair..pair + 2, size: to }, "{index}");
    }
}

#[test]
fn a_history_under_a_fresh_key_is_believed_by_nobody() {
    let log = rewritten((0..SIZE).map(|n| entry(n + 1).hash()));
    let refused = trust(0).open(&log.note_by(2, SIZE)).unwrap_err();
    assert!(matches!(refused, CheckpointError::Stranger { .. }), "{refused}");
    // Who stole the log's key still has no cosignature, and contradicts what the witness remembers.
    assert!(matches!(trust(1).open(&log.note(SIZE)), Err(CheckpointError::Cosignatures { .. })));
    let mut both = opened(&Log::of(SIZE), &[SIZE]);
    both.push(trust(0).open(&log.note(SIZE)).unwrap());
    let forked = walk(&log, both).unwrap_err();
    assert!(matches!(forked, Finding::Forked { size: SIZE, .. }), "{forked}");
}

#[test]
fn an_altered_tree_is_told_from_altered_entries() {
    let good = Log::of(SIZE);
    for id in good.nodes.keys().copied() {
        let last = (id.index + 1) << id.level;
        let expected = Finding::Tree { node: id, entries: id.index << id.level..last };
        assert_eq!(found(|log| *log.nodes.get_mut(&id).unwrap() = forged()), expected);
        assert_eq!(found(|log| _ = log.nodes.remove(&id)), expected);
    }
}

#[test]
fn without_a_checkpoint_entries_are_still_held_to_the_tree() {
    let mut log = Log::of(SIZE);
    log.entries[20] = forged();
    assert_eq!(walk(&log, Vec::new()), Err(Finding::Changed { index: 20 }));
    log.nodes.insert(NodeId::leaf(20), forged());
    let finding = walk(&log, Vec::new()).unwrap_err();
    assert_eq!(finding, Finding::Tree { node: NodeId { level: 1, index: 10 }, entries: 20..22 });
}
