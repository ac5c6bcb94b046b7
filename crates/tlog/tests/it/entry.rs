//! Leaves: one encoding for each entry, and contents that can be erased.

use proptest::prelude::*;
use tlog::{Entry, EntryError, Hash, MAX_CONTENT, MAX_FIELDS, MAX_VALUE, Opening, Salt};
use vocabulary::Chance;

fn opening(content: &str) -> Opening {
    Opening { salt: Salt([7; 32]), content: content.to_owned() }
}

/// The bytes are hashed for good: whoever changes them makes every kept proof worthless.
#[test]
fn the_bytes_of_a_leaf_never_change() {
    let entry = Entry::new().readable("source", "bank").unwrap().committed("content", opening("Ada")).unwrap();
    // By Python: hmac.digest(bytes([7] * 32), b"tlog/commitment/1\n" + (7).to_bytes(8, "big") + b"content" + b"Ada", "sha256")
    let commitment = "ba313b9be77470b40c9e1ef61e4f7d9e863d3469a4d67c06943d368be1d325d6";
    let head = b"tlog/leaf/1\n\x02\x06source\x00\x00\x00\x00\x04bank\x07content\x01\x00\x00\x00\x20";
    assert_eq!(hex::encode(entry.leaf()), format!("{}{commitment}", hex::encode(head)));
    assert_eq!(entry.hash(), Hash::of_leaf(&entry.leaf()));
}

#[test]
fn erasing_a_content_leaves_the_leaf_as_it_was() {
    let shown = Entry::new().committed("content", opening("Ada")).unwrap();
    let commitment = shown.commitment("content").unwrap();
    let erased = Entry::new().erased("content", commitment).unwrap();
    assert_eq!(shown.leaf(), erased.leaf());
    assert_eq!(erased.check_openings(), Ok(()));
    assert!(!String::from_utf8_lossy(&shown.leaf()).contains("Ada"));
}

#[test]
fn a_commitment_tells_nothing_without_its_salt_and_fits_one_field() {
    let (chance, content) = (Chance::seeded(1), "yes".to_owned());
    let one = Opening { salt: Salt::new(&chance), content: content.clone() };
    let other = Opening { salt: Salt::new(&chance), content };
    assert_ne!(one.commitment("content"), other.commitment("content"));
    assert_ne!(one.commitment("content"), one.commitment("contents"));
    assert_ne!(opening("sA").commitment("content"), opening("A").commitment("contents"));
    assert!(!format!("{one:?}").contains(&one.salt.to_string()), "a salt is not printed");
}

#[test]
fn fields_have_names_and_limits() {
    for name in ["", "Name", "na me", "näme", &"n".repeat(65)] {
        assert!(matches!(Entry::new().readable(name, ""), Err(EntryError::Name(_))), "{name}");
    }
    let twice = Entry::new().readable("a", "").unwrap().committed("a", opening(""));
    assert_eq!(twice, Err(EntryError::Twice("a".to_owned())));
    let long = |most| Err(EntryError::Long { name: "a".to_owned(), most });
    assert_eq!(Entry::new().readable("a", "x".repeat(MAX_VALUE + 1)), long(MAX_VALUE));
    assert_eq!(Entry::new().committed("a", opening(&"x".repeat(MAX_CONTENT + 1))), long(MAX_CONTENT));
    assert!(Entry::new().committed("a", opening(&"x".repeat(MAX_CONTENT))).is_ok());
    let full = (0..MAX_FIELDS).try_fold(Entry::new(), |entry, n| entry.readable(&format!("f{n}"), "")).unwrap();
    assert_eq!(full.readable("more", ""), Err(EntryError::Count));
}

proptest! {
    #[test]
    fn two_entries_never_have_the_same_bytes(
        one in proptest::collection::btree_map("[a-c]{1,3}", (any::<bool>(), "[a-c\u{0}]{0,3}"), 1..4),
        other in proptest::collection::btree_map("[a-c]{1,3}", (any::<bool>(), "[a-c\u{0}]{0,3}"), 1..4),
    ) {
        let entry = |fields: &std::collections::BTreeMap<String, (bool, String)>| {
            fields.iter().fold(Entry::new(), |entry, (name, (readable, value))| {
                if *readable { entry.readable(name, value).unwrap() } else { entry.committed(name, opening(value)).unwrap() }
            })
        };
        prop_assert_eq!(entry(&one).leaf() == entry(&other).leaf(), one == other);
    }
}
