//! A witness cosigns what extends what it cosigned, and nothing else.

use tlog::{Hash, Refusal, TrustError, Witness};

use crate::bed::{Log, NOW, log_key, trust, witness_key};

fn witness() -> Witness {
    Witness::new(witness_key(1), log_key(1).verifier().clone()).unwrap()
}

/// A log of that size whose third entry is another one.
fn forged(size: usize) -> Log {
    let mut entries = Log::of(size as u64).entries;
    entries[2] = Hash::of_leaf(b"forged");
    let mut log = Log::default();
    log.append(entries);
    log
}

#[test]
fn a_growing_log_is_cosigned_step_by_step() {
    let (log, witness) = (Log::of(40), witness());
    assert_eq!(witness.size(None), Ok(0));
    let mut last = None;
    let mut old = 0;
    for size in [0, 1, 2, 7, 7, 8, 33, 40] {
        let path = log.consistency(old, size);
        let given = witness.cosign(last.as_deref(), &log.note(size), &path, NOW).unwrap();
        // The log adds the signature to its own note and gets what the witness remembers.
        let mut note: tlog::Note = log.note(size).parse().unwrap();
        note.add(given.signature).unwrap();
        assert_eq!(note, given.note);
        let note = note.to_string();
        assert_eq!(trust(1).open(&note).unwrap().checkpoint.head, log.head(size));
        assert_eq!(witness.size(Some(&note)), Ok(size));
        (last, old) = (Some(note), size);
    }
}

#[test]
fn a_smaller_tree_is_refused_with_both_notes() {
    let log = Log::of(9);
    let (last, now) = (log.cosigned(9), log.note(8));
    let refused = witness().cosign(Some(&last), &now, &[], NOW).unwrap_err();
    let Refusal::Smaller { before: 9, now: 8, evidence } = &refused else { panic!("{refused}") };
    assert_eq!((&evidence.before, &evidence.now), (&last, &now));
    assert!(refused.to_string().contains("9 entries and is now offered with 8"), "{refused}");
}

#[test]
fn a_fork_is_refused_with_both_notes() {
    let (last, now) = (Log::of(9).cosigned(9), forged(9).note(9));
    let refused = witness().cosign(Some(&last), &now, &[], NOW).unwrap_err();
    let Refusal::Forked { size: 9, evidence } = &refused else { panic!("{refused}") };
    // Both bear the log's own signature: that is the proof.
    for note in [&evidence.before, &evidence.now] {
        assert!(trust(0).open(note).is_ok());
    }
}

#[test]
fn a_rewritten_history_is_refused_however_it_is_proven() {
    let (log, forged) = (Log::of(20), forged(20));
    let last = log.cosigned(9);
    let honest = log.consistency(9, 20);
    for path in [forged.consistency(9, 20), honest.clone(), Vec::new(), honest[1..].to_vec()] {
        let refused = witness().cosign(Some(&last), &forged.note(20), &path, NOW).unwrap_err();
        assert!(matches!(refused, Refusal::Inconsistent { before: 9, now: 20, .. }), "{refused}");
    }
    assert!(witness().cosign(Some(&last), &log.note(20), &honest, NOW).is_ok());
}

#[test]
fn only_the_logs_own_checkpoints_are_looked_at() {
    let log = Log::of(9);
    for note in [log.note_by(2, 9), log.note(9).replace("\n9\n", "\n8\n"), "no note".to_owned()] {
        assert!(matches!(witness().cosign(None, &note, &[], NOW), Err(Refusal::Offered(_))), "{note}");
        assert!(matches!(witness().cosign(Some(&note), &log.note(9), &[], NOW), Err(Refusal::Remembered(_))), "{note}");
        assert!(matches!(witness().size(Some(&note)), Err(Refusal::Remembered(_))));
    }
}

#[test]
fn a_witness_has_a_key_of_its_own_kind() {
    let log = log_key(1).verifier().clone();
    assert!(matches!(Witness::new(log_key(1), log.clone()), Err(TrustError::Kind(_))));
    let itself = tlog::SigningKey::generate("w", tlog::KeyKind::Witness, &vocabulary::Chance::seeded(1)).unwrap();
    assert!(matches!(Witness::new(itself, log), Err(TrustError::Twice(_))));
}
