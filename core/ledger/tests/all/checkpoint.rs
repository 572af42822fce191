//! Keys, notes and checkpoints: the published note of the Go checksum database, and what must be refused.

use ed25519_dalek::SigningKey;
use syndic_ledger::{Checkpoint, CheckpointError, Hash, NoteError, Tree, VerifierKey, leaf_hash, note};

/// The key pair and note in the documentation of Go's `golang.org/x/mod/sumdb/note`.
const PUBLISHED_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PUBLISHED_SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
const PUBLISHED_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PUBLISHED_SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const ORIGIN: &str = "coordinator.example/federation";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(name, key(seed).verifying_key()).expect("an ordinary name and key")
}

fn checkpoint() -> Checkpoint {
    let tree = [leaf_hash(b"a"), leaf_hash(b"b")].into_iter().collect::<Tree>();
    Checkpoint::of(ORIGIN, &tree).expect("an ordinary origin")
}

#[test]
fn the_published_note_is_opened() {
    let note = format!("{PUBLISHED_TEXT}\n{PUBLISHED_SIGNATURE}");
    let key = PUBLISHED_KEY.parse().unwrap();
    assert_eq!(note::open(&note, &key), Ok(PUBLISHED_TEXT));
}

#[test]
fn keys_are_written_as_they_are_published() {
    for text in [PUBLISHED_KEY, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"] {
        let key = text.parse::<VerifierKey>().unwrap();
        assert_eq!(key.to_string(), text);
    }
}

#[test]
fn a_fingerprint_begins_with_the_key_id() {
    let fingerprint = PUBLISHED_KEY.parse::<VerifierKey>().unwrap().fingerprint();
    assert!(fingerprint.starts_with("c74f 20a3 "), "{fingerprint}");
    assert_eq!(fingerprint.split(' ').map(str::len).collect::<Vec<_>>(), [4; 16]);
}

#[test]
fn a_key_whose_parts_disagree_is_refused() {
    let wrong_id = PUBLISHED_KEY.replace("c74f20a3", "c74f20a4");
    let wrong_name = PUBLISHED_KEY.replace("Peter", "Otto");
    let wrong_type = PUBLISHED_KEY.replace("+ARpc", "+BRpc");
    let capital = PUBLISHED_KEY.replace("c74f20a3", "C74F20A3");
    for text in [&wrong_id, &wrong_name, &wrong_type, &capital, "", "a+b", "name+c74f20a3+AQ=="] {
        assert_eq!(text.parse::<VerifierKey>(), Err(NoteError::Key), "{text}");
    }
}

#[test]
fn a_name_that_would_break_a_note_is_refused() {
    for name in ["", "two words", "a+b", "line\nfeed", "no\u{a0}break", "tab\t"] {
        let refused = Err(NoteError::Name(name.into()));
        assert_eq!(VerifierKey::new(name, key(1).verifying_key()), refused);
        assert!(Checkpoint::new(name, 0, leaf_hash(b"")).is_err());
    }
}

#[test]
fn a_key_of_small_order_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&identity).unwrap();
    assert_eq!(VerifierKey::new("log", weak), Err(NoteError::Key));
}

#[test]
fn signing_the_published_text_gives_the_published_note() {
    let seed = <[u8; 32]>::try_from(hex::decode(PUBLISHED_SEED).unwrap()).unwrap();
    let note = note::sign(PUBLISHED_TEXT, "PeterNeumann", &SigningKey::from_bytes(&seed)).unwrap();
    assert_eq!(note, format!("{PUBLISHED_TEXT}\n{PUBLISHED_SIGNATURE}"));
}

#[test]
fn a_checkpoint_reads_back_from_its_note() {
    let note = checkpoint().sign(&key(1)).unwrap();
    assert!(note.starts_with("coordinator.example/federation\n2\n"), "{note}");
    assert_eq!(Checkpoint::verify(&note, &verifier(ORIGIN, 1)), Ok(checkpoint()));
}

#[test]
fn signatures_of_others_are_ignored_wherever_they_stand() {
    let note = checkpoint().sign(&key(1)).unwrap();
    let (text, ours) = note.split_once("\n\n").unwrap();
    let witness = note::sign(&format!("{text}\n"), "witness.example", &key(2)).unwrap();
    let theirs = witness.split_once("\n\n").unwrap().1;
    for note in [format!("{text}\n\n{ours}{theirs}"), format!("{text}\n\n{theirs}{ours}")] {
        assert_eq!(Checkpoint::verify(&note, &verifier(ORIGIN, 1)), Ok(checkpoint()));
    }
    let unsigned = Err(CheckpointError::Note(NoteError::Unsigned(ORIGIN.into())));
    assert_eq!(Checkpoint::verify(&witness, &verifier(ORIGIN, 1)), unsigned);
    assert_eq!(Checkpoint::verify(&note, &verifier(ORIGIN, 2)), unsigned);
}

#[test]
fn a_wrong_signature_in_our_name_spoils_the_note() {
    let note = checkpoint().sign(&key(1)).unwrap();
    let forged = note.replacen("\n2\n", "\n3\n", 1);
    let wrong = Err(CheckpointError::Note(NoteError::Signature(ORIGIN.into())));
    assert_eq!(Checkpoint::verify(&forged, &verifier(ORIGIN, 1)), wrong);
    let line = checkpoint_of_size(9).sign(&key(1)).unwrap();
    let both = format!("{note}{}", line.split_once("\n\n").unwrap().1);
    assert_eq!(Checkpoint::verify(&both, &verifier(ORIGIN, 1)), wrong);
}

#[test]
fn a_note_of_another_layout_is_refused() {
    let note = checkpoint().sign(&key(1)).unwrap();
    let malformed = Err(CheckpointError::Note(NoteError::Malformed));
    for altered in [
        String::new(),
        note.replacen("\n\n", "\n", 1),
        note.trim_end().to_owned(),
        note.replace('\u{2014}', "-"),
        note.replacen('\n', "\r\n", 1),
        format!("{note}more\n"),
        format!("{note}\n"),
    ] {
        assert_eq!(Checkpoint::verify(&altered, &verifier(ORIGIN, 1)), malformed, "{altered:?}");
    }
}

#[test]
fn a_genuine_note_that_is_no_checkpoint_is_refused() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let verify = |text: &str| {
        let note = note::sign(text, ORIGIN, &key(1)).expect("a signable text");
        Checkpoint::verify(&note, &verifier(ORIGIN, 1))
    };
    assert_eq!(verify(&format!("{ORIGIN}\n0\n{root}\n")).unwrap().root(), &Hash::of(&[]));
    for text in [
        format!("{ORIGIN}\n00\n{root}\n"),
        format!("{ORIGIN}\n+1\n{root}\n"),
        format!("{ORIGIN}\n-1\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("{ORIGIN}\n0\n{}\n", &root[..40]),
        format!("{ORIGIN}\n0\n{root}\nextension\n"),
        format!("{ORIGIN}\n0\n"),
    ] {
        assert_eq!(verify(&text), Err(CheckpointError::Malformed), "{text}");
    }
    let other = verify(&format!("another.example\n0\n{root}\n"));
    assert_eq!(other.unwrap_err().code(), "ledger.checkpoint-origin");
}

fn checkpoint_of_size(size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, leaf_hash(b"")).expect("an ordinary origin")
}
