//! Proofs in a file: checked by keys alone, and what was altered is named.

use proptest::prelude::*;
use tlog::{CheckpointError, Document, DocumentError, Entry, EntryError, Hash, Shown};

use crate::bed::{Log, NOW, entry, trust};

fn json(index: u64, size: u64) -> String {
    Log::of(size).document(index, size).to_json().unwrap()
}

fn with(mut document: Document, alter: impl FnOnce(&mut Document)) -> Document {
    alter(&mut document);
    document
}

fn check(json: &str) -> Result<(), DocumentError> {
    Document::read(json)?.check(&trust(1)).map(drop)
}

#[test]
fn every_entry_of_a_log_can_be_proven_offline() {
    let log = Log::of(33);
    for index in 0..33 {
        let json = log.document(index, 33).to_json().unwrap();
        let document = Document::read(&json).unwrap();
        assert_eq!(document.to_json().unwrap(), json);
        let report = document.check(&trust(1)).unwrap();
        assert_eq!((report.index, report.size, report.root), (index, 33, log.head(33).root));
        assert_eq!(report.cosigned[0].at, NOW);
        let content = format!("Ada paid {index} EUR");
        assert_eq!(report.fields[2], ("content", Shown::Opened(&content)));
        assert!(report.to_string().contains(&format!("{content:?} (fits its commitment)")), "{report}");
    }
}

#[test]
fn an_erased_content_is_gone_and_the_proof_still_holds() {
    let mut document = Log::of(5).document(3, 5);
    let commitment = entry(3).commitment("content").unwrap();
    document.entry = Entry::new().readable("source", "bank").unwrap().readable("seq", "3").unwrap();
    document.entry = document.entry.erased("content", commitment).unwrap();
    let json = document.to_json().unwrap();
    assert!(!json.contains("Ada") && !json.contains("salt"), "{json}");
    let document = Document::read(&json).unwrap();
    let report = document.check(&trust(1)).unwrap();
    assert_eq!(report.fields[2], ("content", Shown::Erased));
    assert!(report.to_string().contains("content: erased, or not shown"), "{report}");
}

#[test]
fn what_was_altered_is_named() {
    let good = json(3, 6);
    assert_eq!(check(&good), Ok(()));
    let alter = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} in {good}");
        check(&good.replacen(from, to, 1)).unwrap_err()
    };
    assert_eq!(alter("\"bank\"", "\"bonk\""), DocumentError::Entry { index: 3 });
    assert_eq!(alter("\"source\"", "\"sauce\""), DocumentError::Entry { index: 3 });
    let content = DocumentError::Content(EntryError::Opening("content".to_owned()));
    assert_eq!(alter("Ada paid 3", "Ada paid 4"), content);
    assert_eq!(alter(&salt(3), &salt(4)), content);
    assert!(content.to_string().contains("content"), "{content}");
    assert!(matches!(alter("\"index\": 3", "\"index\": 2"), DocumentError::Place { index: 2, size: 6, .. }));
    assert!(matches!(alter("\"index\": 3", "\"index\": 6"), DocumentError::Place { index: 6, size: 6, .. }));
    let log = Log::of(6);
    let sibling = log.entries[2].to_string();
    assert!(matches!(alter(&sibling, &log.entries[4].to_string()), DocumentError::Place { .. }));
    let note = |error| matches!(error, DocumentError::Checkpoint(CheckpointError::Note(_)));
    assert!(note(alter("\\n6\\n", "\\n7\\n")));
    assert!(note(alter(&log.head(6).root.to_string(), &log.head(5).root.to_string())));
    let uncosigned = with(log.document(3, 6), |it| it.checkpoint = log.note(6));
    let refused = uncosigned.check(&trust(1)).map(drop);
    assert!(matches!(refused, Err(DocumentError::Checkpoint(CheckpointError::Cosignatures { .. }))));
    let fresh = with(log.document(3, 6), |it| it.checkpoint = log.note_by(2, 6));
    let refused = fresh.check(&trust(0)).map(drop);
    assert!(matches!(refused, Err(DocumentError::Checkpoint(CheckpointError::Stranger { .. }))));
    // A commitment that was exchanged with the content is another entry.
    let forged = with(log.document(3, 6), |it| it.entry = entry(4));
    assert_eq!(forged.check(&trust(1)).map(drop), Err(DocumentError::Entry { index: 3 }));
    // The hint is believed by nobody.
    let hinted = with(log.document(3, 6), |it| (it.entry, it.leaf) = (entry(4), entry(4).hash()));
    assert!(matches!(hinted.check(&trust(1)).map(drop), Err(DocumentError::Place { .. })));
    let hint = with(log.document(3, 6), |it| it.leaf = Hash::of_nothing());
    assert!(hint.check(&trust(1)).is_ok());
}

fn salt(n: u64) -> String {
    Hash(Hash::of_leaf(&n.to_be_bytes()).0).to_string()
}

#[test]
fn what_is_no_proof_is_refused_in_words() {
    let good = json(0, 2);
    for (from, to) in [
        ("{", "["),
        ("\"index\"", "\"indexes\""),
        ("\"index\": 0", "\"index\": -1"),
        ("\"index\": 0", "\"index\": 1e99"),
        ("\"opening\"", "\"openings\""),
        ("\"source\"", "\"Source\""),
        ("\"seq\"", "\"source\""),
        ("\"path\": [", "\"path\": [\"AAAA\","),
    ] {
        assert!(good.contains(from), "{from}");
        let refused = Document::read(&good.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(refused, DocumentError::Form(_)), "{from} → {to}: {refused}");
    }
    let newer = good.replace("tlog-proof/1", "tlog-proof/2");
    assert_eq!(Document::read(&newer), Err(DocumentError::Format("tlog-proof/2".to_owned())));
    let long = format!("{good}{}", " ".repeat(tlog::MAX_DOCUMENT));
    assert_eq!(Document::read(&long), Err(DocumentError::Long));
    let path = format!("\"path\": [{}", format!("\"{}\",", salt(1)).repeat(63));
    assert_eq!(Document::read(&good.replace("\"path\": [", &path)), Err(DocumentError::Long));
}

proptest! {
    #[test]
    fn no_altered_byte_goes_unseen(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let good = json(3, 6);
        let mut bytes = good.clone().into_bytes();
        let n = at.index(bytes.len());
        bytes[n] = byte;
        if let Ok(altered) = String::from_utf8(bytes) && let Ok(document) = Document::read(&altered) {
            let said = Document::read(&good).unwrap();
            // White space says nothing, and the leaf is a hint.
            let same = with(document.clone(), |it| it.leaf = said.leaf) == said;
            // Cosignatures beyond those required may be unreadable as strangers'.
            prop_assert!(document.check(&trust(1)).is_err() || same, "{}", altered);
        }
    }
}
