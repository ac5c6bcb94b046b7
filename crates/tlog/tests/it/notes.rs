//! Notes, keys and checkpoints, held to the examples of C2SP and of Go's `sumdb/note`, and to malformed ones.

use proptest::prelude::*;
use tlog::{
    Checkpoint, CheckpointError, Hash, Head, KeyError, KeyKind, MAX_NOTE, Note, NoteError, SigningKey, Trust,
    TrustError, VerifierKey,
};
use vocabulary::{Chance, Timestamp};

use crate::bed::{Log, NOW, ORIGIN, log_key, trust, witness_key};

/// From Go's `golang.org/x/mod/sumdb/note`: keys, and a note that two of them signed.
const PETER_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const PETERS_NOTE: &str = "If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
";
const ENOCHS_LINE: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
/// From C2SP `signed-note`.
const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOOS_NOTE: &str = "This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
";
/// From C2SP `signed-note`: a text that has a blank line itself.
const POEM: &str = "Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
";
/// From C2SP `tlog-cosignature`: a checkpoint with a log's and a witness's signature.
const COSIGNED: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

#[test]
fn the_examples_of_the_standards_are_read_and_written_byte_for_byte() {
    for text in [PETERS_NOTE, FOOS_NOTE, POEM, COSIGNED, &format!("{PETERS_NOTE}{ENOCHS_LINE}")] {
        assert_eq!(text.parse::<Note>().unwrap().to_string(), text);
    }
    let poem: Note = POEM.parse().unwrap();
    assert!(poem.text().ends_with(":\n\ned è subito sera.\n"), "{:?}", poem.text());
    for text in [PETER, ENOCH, FOO] {
        assert_eq!(key(text).to_string(), text);
    }
    let cosigned: Note = COSIGNED.parse().unwrap();
    let checkpoint: Checkpoint = cosigned.text().parse().unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.head.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_string(), cosigned.text());
    let signers: Vec<_> = cosigned.signatures().iter().map(tlog::NoteSignature::signer).collect();
    assert_eq!(signers, ["example.com/behind-the-sofa+033de0ae", "witness.example.com/w1+8d66cf3f"]);
}

#[test]
fn signatures_of_the_standards_examples_are_good_and_those_of_strangers_count_for_nothing() {
    let both: Note = format!("{PETERS_NOTE}{ENOCHS_LINE}").parse().unwrap();
    for by in [PETER, ENOCH] {
        assert!(both.signed_by(&key(by)).unwrap().is_some());
    }
    assert_eq!(both.signed_by(&key(FOO)), Ok(None));
    let foo: Note = FOOS_NOTE.parse().unwrap();
    assert!(foo.signed_by(&key(FOO)).unwrap().is_some());
    let altered: Note = FOOS_NOTE.replace("example message", "example massage").parse().unwrap();
    assert_eq!(altered.signed_by(&key(FOO)), Err(NoteError::Signature("example.com/foo+530d903a".to_owned())));
}

#[test]
fn a_private_key_is_read_and_written_as_go_writes_it() {
    let secret: SigningKey = PETER_SECRET.parse().unwrap();
    assert_eq!(secret.verifier().to_string(), PETER);
    assert_eq!(*secret.secret_text(), PETER_SECRET);
    assert!(!format!("{secret:?}").contains("AYEK"), "a private key is not printed");
    let witness = witness_key(1);
    let again: SigningKey = witness.secret_text().parse().unwrap();
    assert_eq!((again.verifier(), again.verifier().kind()), (witness.verifier(), KeyKind::Witness));
}

#[test]
fn mangled_keys_are_refused() {
    for whole in [PETER, PETER_SECRET] {
        let read = |text: &str| text.parse::<VerifierKey>().is_ok() || text.parse::<SigningKey>().is_ok();
        assert!(read(whole));
        for start in 0..whole.len() {
            for end in start..whole.len() {
                assert!(!read(&whole[start..end]), "{}", &whole[start..end]);
            }
        }
        for n in 0..whole.len() {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[n] += 1;
            let text = String::from_utf8(bytes).unwrap();
            assert!(!read(&text), "{text}");
        }
        assert!(!read(&whole.replace("c74f20a3", "C74F20A3")), "one written form only");
    }
    // Go's: of the wrong length and of another algorithm, each with an id that fits.
    let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert_eq!(long.parse::<VerifierKey>(), Err(KeyError::Form));
    let other = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(other.parse::<VerifierKey>(), Err(KeyError::Kind));
    for name in ["", "with space", "a+b", "a\u{a0}b", "a\nb", &"n".repeat(256)] {
        assert_eq!(SigningKey::generate(name, KeyKind::Log, &Chance::seeded(1)).unwrap_err(), KeyError::Name);
    }
}

#[test]
fn malformed_notes_are_refused() {
    let line = FOOS_NOTE.split_once("\n\n").unwrap().1;
    let bad = [
        String::new(),
        "\n".to_owned(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{line}"),
        format!("te\txt\n\n{line}"),
        format!("te\rxt\n\n{line}"),
        format!("text\n\n{}", line.trim_end()),
        format!("text\n\n{line}\n"),
        format!("text\n\n{line}more\n"),
        format!("text\n\n{}", line.replace("— ", "- ")),
        format!("text\n\n{}", line.replace("— ", "—  ")),
        format!("text\n\n{}", line.replace("M=", "N=")),
        format!("text\n\n{}", line.replace("M=", "M")),
        "text\n\n— name Uw2QOg==\n".to_owned(),
        "text\n\n— name !!!!\n".to_owned(),
        "text\n\n— name+1 Uw2QOkn8\n".to_owned(),
        format!("text\n\n{}", line.repeat(65)),
        format!("{}\n\n{line}", "x".repeat(MAX_NOTE)),
    ];
    for note in bad {
        assert!(note.parse::<Note>().is_err(), "{note:.200}");
    }
    assert!(format!("text\n\n{}", line.repeat(16)).parse::<Note>().is_ok(), "sixteen have to be taken");
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = Hash::of_leaf(b"").to_string();
    assert!(format!("log\n7\n{root}\n").parse::<Checkpoint>().is_ok());
    let empty = Hash::of_nothing();
    assert!(format!("log\n0\n{empty}\n").parse::<Checkpoint>().is_ok());
    for text in [
        format!("log\n7\n{root}"),
        format!("log\n07\n{root}\n"),
        format!("log\n+7\n{root}\n"),
        format!("log\n-7\n{root}\n"),
        format!("log\n 7\n{root}\n"),
        format!("log\n0\n{root}\n"),
        format!("log\n{}\n{root}\n", u64::MAX),
        format!("log\n99999999999999999999\n{root}\n"),
        format!("\n7\n{root}\n"),
        format!("log\n7\n{}\n", &root[..43]),
        format!("log\n7\n{root}\nan extension\n"),
        format!("log\n7\n{root}\n\n"),
        "log\n7\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(text.parse::<Checkpoint>(), Err(CheckpointError::Form), "{text}");
    }
}

#[test]
fn a_checkpoint_is_believed_by_the_logs_key_and_enough_witnesses_only() {
    let log = Log::of(7);
    let (signed, cosigned) = (log.note(7), log.cosigned(7));
    assert_eq!(trust(0).open(&signed).unwrap().checkpoint.head, log.head(7));
    let opened = trust(1).open(&cosigned).unwrap();
    assert_eq!((opened.cosigned.len(), opened.cosigned[0].at), (1, NOW));
    assert_eq!(opened.cosigned[0].witness, "witness.example/w1");
    assert!(matches!(trust(1).open(&signed), Err(CheckpointError::Cosignatures { have: 0, required: 1, .. })));
    assert!(matches!(trust(2).open(&cosigned), Err(CheckpointError::Cosignatures { have: 1, required: 2, .. })));
    // The same witness twice is one witness.
    let line = cosigned.lines().last().unwrap();
    assert!(matches!(trust(2).open(&format!("{cosigned}{line}\n")), Err(CheckpointError::Cosignatures { .. })));
    // Any altered digit of the text or of a known signature.
    for (from, to) in [("\n7\n", "\n8\n"), ("bank.example/journal\n7", "bank.example/journol\n7")] {
        assert!(matches!(trust(1).open(&cosigned.replacen(from, to, 1)), Err(CheckpointError::Note(_))), "{from}");
    }
    // A key of the same name that is not the log's; and another log's name over a good signature.
    let fresh = log.note_by(2, 7);
    let refused = trust(0).open(&fresh).unwrap_err();
    assert!(matches!(refused, CheckpointError::Stranger { .. }), "{refused}");
    assert!(refused.to_string().contains(&fresh_id(&fresh)), "{refused}");
    let checkpoint = Checkpoint { origin: "bank.example/other".to_owned(), head: log.head(7) };
    assert!(matches!(checkpoint.sign(&log_key(1)), Err(CheckpointError::Key(_))));
    assert!(Checkpoint { origin: ORIGIN.to_owned(), ..checkpoint }.sign(&witness_key(1)).is_err());
}

fn fresh_id(note: &str) -> String {
    note.parse::<Note>().unwrap().signatures()[0].signer()
}

#[test]
fn nobody_vouches_for_themselves() {
    let (log, witness) = (log_key(1).verifier().clone(), witness_key(1).verifier().clone());
    let trust = |log: &VerifierKey, witnesses: &[&VerifierKey], required| {
        Trust::new(log.clone(), witnesses.iter().map(|key| (*key).clone()).collect(), required).map(drop)
    };
    assert_eq!(trust(&log, &[&witness], 1), Ok(()));
    assert_eq!(trust(&log, &[&witness], 2), Err(TrustError::TooMany { required: 2, known: 1 }));
    assert!(matches!(trust(&log, &[&witness, &witness], 1), Err(TrustError::Twice(_))));
    assert!(matches!(trust(&witness, &[], 0), Err(TrustError::Kind(_))));
    assert!(matches!(trust(&log, &[&log], 0), Err(TrustError::Kind(_))));
    // The log's own bytes under a witness's name and kind.
    let itself = SigningKey::generate("witness.example/self", KeyKind::Witness, &Chance::seeded(1)).unwrap();
    assert!(matches!(trust(&log, &[itself.verifier()], 1), Err(TrustError::Twice(_))));
}

proptest! {
    #[test]
    fn what_is_read_is_written_again_and_nothing_panics(text in "(\\PC|\n|— |[A-Za-z0-9+/=])*", cut in 0usize..400, with in "\\PC{0,3}|\n") {
        let mut cut = cut.min(COSIGNED.len());
        while !COSIGNED.is_char_boundary(cut) { cut -= 1; }
        let spliced = format!("{}{with}{}", &COSIGNED[..cut], &COSIGNED[cut..]);
        for text in [text, spliced] {
            if let Ok(note) = text.parse::<Note>() {
                prop_assert_eq!(note.to_string(), text.clone());
            }
            if let Ok(checkpoint) = text.parse::<Checkpoint>() {
                prop_assert_eq!(checkpoint.to_string(), text.clone());
            }
            prop_assert!(trust(0).open(&text).is_err());
            prop_assert!(text.parse::<VerifierKey>().is_err());
        }
    }

    #[test]
    fn every_checkpoint_makes_the_round_trip(size in 1u64..1 << 62, root in any::<[u8; 32]>(), time in 0i64..1 << 40) {
        let head = Head { size, root: Hash(root) };
        let note = Checkpoint { origin: ORIGIN.to_owned(), head }.sign(&log_key(1)).unwrap().to_string();
        let witness = tlog::Witness::new(witness_key(1), log_key(1).verifier().clone()).unwrap();
        let cosigned = witness.cosign(None, &note, &[], Timestamp::from_seconds(time)).unwrap().note.to_string();
        let opened = trust(1).open(&cosigned).unwrap();
        prop_assert_eq!(opened.checkpoint.head, head);
        prop_assert_eq!(opened.cosigned[0].at, Timestamp::from_seconds(time));
        prop_assert_eq!(opened.note.to_string(), cosigned);
    }
}
