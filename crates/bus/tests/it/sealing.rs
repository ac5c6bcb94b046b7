//! Who reads an event, and what about it cannot be changed unseen.

use std::os::unix::fs::PermissionsExt;

use bus::{Envelope, OpeningKey, OpeningKeys, SealError, SealingKey};
use vocabulary::{Chance, Timestamp};

fn envelope() -> Envelope {
    Envelope {
        id: uuid::Uuid::from_u128(7),
        source: "bank".into(),
        seq: 12,
        subject: "log.members.info".into(),
        payload: "{\"amount\":\"12.00\"}".into(),
        at: Timestamp::from_seconds(1_800_000_000),
    }
}

fn keys() -> OpeningKeys {
    OpeningKeys::new(OpeningKey::generate().unwrap(), Vec::new())
}

fn seal(key: &SealingKey, event: &Envelope) -> Vec<u8> {
    key.sealer(&Chance::system()).unwrap().seal(event).unwrap()
}

#[test]
fn an_event_opens_with_the_journals_key_and_never_looks_the_same_twice() {
    let (keys, event) = (keys(), envelope());
    let (one, two) = (seal(keys.sealing(), &event), seal(keys.sealing(), &event));
    assert_ne!(one, two);
    assert!(!one.windows(6).any(|bytes| bytes == b"amount"));
    for sealed in [one, two] {
        assert_eq!(keys.open(keys.sealing().id().as_str(), &event, &sealed).unwrap(), event.payload);
    }
}

#[test]
fn events_that_go_together_open_one_by_one_and_never_look_the_same() {
    let keys = keys();
    let mut sealer = keys.sealing().sealer(&Chance::system()).unwrap();
    let events: Vec<Envelope> = (1..=40).map(|seq| Envelope { seq, ..envelope() }).collect();
    let sealed: Vec<Vec<u8>> = events.iter().map(|event| sealer.seal(event).unwrap()).collect();
    let others: Vec<Vec<u8>> = events.iter().map(|event| seal(keys.sealing(), event)).collect();
    let key = keys.sealing().id().as_str();
    // In whichever order, with more of others in between than are remembered.
    for number in (0..events.len()).rev() {
        assert_eq!(keys.open(key, &events[number], &others[number]).unwrap(), events[number].payload);
        assert_eq!(keys.open(key, &events[number], &sealed[number]).unwrap(), events[number].payload);
        let other = &events[(number + 1) % events.len()];
        assert!(matches!(keys.open(key, other, &sealed[number]), Err(SealError::Altered)));
    }
    let ends: std::collections::BTreeSet<&[u8]> = sealed.iter().map(|sealed| &sealed[84..]).collect();
    assert_eq!(ends.len(), events.len());
    assert_eq!(sealer.seal(&events[0]).unwrap().len(), sealed[0].len());
    assert_ne!(sealer.seal(&events[0]).unwrap(), sealed[0], "the same event, closed again");
}

#[test]
fn nothing_around_an_event_can_be_changed_unseen() {
    let (keys, event) = (keys(), envelope());
    let sealed = seal(keys.sealing(), &event);
    let key = keys.sealing().id().as_str();
    for changed in [
        Envelope { id: uuid::Uuid::from_u128(8), ..event.clone() },
        Envelope { source: "identity".into(), ..event.clone() },
        Envelope { seq: 13, ..event.clone() },
        Envelope { subject: "log.agents.info".into(), ..event.clone() },
        Envelope { at: Timestamp::from_seconds(1), ..event.clone() },
        // The same letters, cut elsewhere.
        Envelope { source: "bankl".into(), subject: "og.members.info".into(), ..event.clone() },
    ] {
        assert!(matches!(keys.open(key, &changed, &sealed), Err(SealError::Altered)), "{changed:?}");
    }
    for place in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        assert!(matches!(keys.open(key, &event, &altered), Err(SealError::Altered)), "byte {place}");
    }
    for length in [0, 1, 32, 79, 80, 84, 99, sealed.len() - 1] {
        assert!(matches!(keys.open(key, &event, &sealed[..length]), Err(SealError::Altered)), "{length} bytes");
    }
}

#[test]
fn a_stranger_and_another_key_open_nothing() {
    let (ours, theirs, event) = (keys(), keys(), envelope());
    let sealed = seal(ours.sealing(), &event);
    let key = ours.sealing().id().as_str();
    assert!(matches!(theirs.open(key, &event, &sealed), Err(SealError::UnknownKey(_))));
    let as_theirs = theirs.sealing().id().as_str();
    assert!(matches!(theirs.open(as_theirs, &event, &sealed), Err(SealError::Altered)));
}

#[test]
fn after_a_rotation_events_of_both_keys_open_until_the_former_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let event = envelope();
    let (former, newest) = (OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap());
    former.keep(&dir.path().join("former.key")).unwrap();
    newest.keep(&dir.path().join("newest.key")).unwrap();
    let (old, new) = (former.sealing().clone(), newest.sealing().clone());
    let (by_old, by_new) = (seal(&old, &event), seal(&new, &event));
    let both = OpeningKeys::new(newest, vec![former]);
    assert_eq!(both.sealing().id(), new.id());
    assert_eq!(both.open(old.id().as_str(), &event, &by_old).unwrap(), event.payload);
    assert_eq!(both.open(new.id().as_str(), &event, &by_new).unwrap(), event.payload);
    let one = OpeningKeys::new(OpeningKey::open(&dir.path().join("newest.key")).unwrap(), Vec::new());
    assert_eq!(one.open(new.id().as_str(), &event, &by_new).unwrap(), event.payload);
    assert!(matches!(one.open(old.id().as_str(), &event, &by_old), Err(SealError::UnknownKey(_))));
}

#[test]
fn a_private_key_is_kept_closed_is_never_overwritten_and_is_refused_open_or_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.key");
    let key = OpeningKey::generate().unwrap();
    key.keep(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(OpeningKey::generate().unwrap().keep(&path), Err(SealError::File(_))));
    assert_eq!(OpeningKey::open(&path).unwrap().sealing().id(), key.sealing().id());
    assert!(!format!("{key:?}").contains("private"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(OpeningKey::open(&path), Err(SealError::File(pki::PkiError::OpenKey { .. }))));
    let crossed = dir.path().join("crossed.key");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut bytes = pem::parse(&text).unwrap().into_contents();
    bytes[..32].copy_from_slice(&pem::parse(OpeningKey::generate().unwrap().sealing().pem()).unwrap().into_contents());
    pki::files::create(
        &crossed,
        &pem::encode(&pem::Pem::new("GUICHET EVENT PRIVATE KEY", bytes)),
        pki::files::Readers::Owner,
    )
    .unwrap();
    assert!(matches!(OpeningKey::open(&crossed), Err(SealError::NoKey(_))), "halves of two keys");
}

#[test]
fn a_public_key_survives_being_written_down_and_nothing_else_passes_for_one() {
    let keys = keys();
    let read = SealingKey::from_pem(&keys.sealing().pem()).unwrap();
    assert_eq!(read.id(), keys.sealing().id());
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a key"] {
        assert!(matches!(SealingKey::from_pem(text), Err(SealError::NoKey(_))), "{text}");
    }
}
