//! A published log: its files, and what the offline check says when any of them is touched.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::common::{Log, log_of};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::{Value, json};
use syndic_ledger::tiles::{self, TileWriter};
use syndic_ledger::{
    Checkpoint, CheckpointError, Fault, Hash, NoteError, SourceError, Summary, TileSource, Tree, VerifierKey,
    VerifyError, leaf_hash, verify,
};

const ORIGIN: &str = "coordinator.example/federation";

/// A folder in memory.
#[derive(Clone)]
struct Folder(BTreeMap<String, Vec<u8>>);

impl TileSource for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.0.get(path).cloned().ok_or(SourceError::Missing)
    }
}

impl Folder {
    fn verify(&self) -> Result<Summary, VerifyError> {
        verify(self, Some(&verifier()))
    }

    fn flip(&mut self, path: &str, at: usize) {
        self.0.get_mut(path).expect("the file exists")[at] ^= 1;
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, key().verifying_key()).expect("an ordinary name and key")
}

/// What an operator publishes who signs whatever the entries are, in order or not.
fn publish(entries: &[Vec<u8>]) -> Folder {
    let files = tiles::files(entries.iter().map(Vec::as_slice)).expect("no entry is too long");
    let mut folder = files.into_iter().map(|file| (file.path, file.bytes)).collect::<BTreeMap<_, _>>();
    let tree = entries.iter().map(|bytes| leaf_hash(bytes)).collect::<Tree>();
    let checkpoint = Checkpoint::of(ORIGIN, &tree).expect("an ordinary origin");
    let note = checkpoint.sign(&key()).expect("an ordinary key");
    folder.insert(tiles::CHECKPOINT.into(), note.into_bytes());
    folder.insert(tiles::VERIFIER_KEY.into(), format!("{}\n", verifier()).into_bytes());
    Folder(folder)
}

/// 602 entries: two full bundles and a partial one, two levels of tiles.
static PUBLISHED: LazyLock<(Log, Folder)> = LazyLock::new(|| {
    let log = log_of(600);
    let folder = publish(&log.entries);
    (log, folder)
});

#[test]
fn a_published_log_verifies_and_is_summarised() {
    let (log, folder) = &*PUBLISHED;
    let summary = folder.verify().unwrap();
    assert_eq!((summary.size, summary.root), (602, log.history.tree().root()));
    assert_eq!((summary.rounds_open, summary.rounds_closed, summary.rounds_abandoned), (0, 103, 17));
    assert_eq!(summary.types["syndic.round.opened"], 120);
    assert_eq!(summary.types.values().sum::<u64>(), 602);
    assert_eq!(summary.first_time.unwrap().to_string(), "2026-08-01T12:00:00.000Z");
    assert_eq!(summary.last_time.unwrap().to_string(), "2026-08-01T12:00:00.601Z");
    assert_eq!((summary.origin.as_str(), summary.pinned), (ORIGIN, true));
    assert_eq!(summary.fingerprint, verifier().fingerprint());
}

#[test]
fn sums_of_shared_vectors_are_counted_by_whether_they_were_checked() {
    let mut log = Log::default();
    // Encrypted; shared and checked; shared and not, twice.
    let sums =
        [(json!("5c".repeat(32)), true), (Value::Null, true), (Value::Null, false), (Value::Null, false)];
    for (round, (key_sum, checked)) in (1..).zip(sums) {
        log.round_step("opened", round).unwrap();
        let mut closed = log.round_entry("closed", round);
        closed.data["key_sum"] = key_sum;
        closed.data["checked"] = json!(checked);
        log.append(closed).unwrap();
    }
    let summary = publish(&log.entries).verify().unwrap();
    assert_eq!((summary.rounds_closed, summary.shared_checked, summary.shared_unchecked), (4, 1, 2));
}

#[test]
fn without_a_pinned_key_the_log_is_self_consistent_only() {
    let summary = verify(&PUBLISHED.1, None).unwrap();
    assert!(!summary.pinned);
    assert_eq!(summary.fingerprint, verifier().fingerprint());
}

#[test]
fn the_files_are_those_of_the_layout() {
    let paths = PUBLISHED.1.0.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        paths,
        [
            "checkpoint",
            "log.vkey",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/90",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/90",
        ]
    );
}

#[test]
fn tiles_of_every_size_follow_the_specification() {
    // A tree of 70,000 is the specification's example; the others are where widths begin and end.
    for size in [0_u64, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
        let mut writer = TileWriter::new();
        let mut files = BTreeMap::new();
        let mut leaves = Vec::new();
        for index in 0..size {
            let entry = index.to_be_bytes();
            leaves.push(leaf_hash(&entry));
            files.extend(writer.append(&entry).unwrap().into_iter().map(|file| (file.path, file.bytes)));
        }
        files.extend(writer.finish().into_iter().map(|file| (file.path, file.bytes)));

        let mut expected = 0;
        for level in 0..3_usize {
            let span = 256_usize.pow(u32::try_from(level).unwrap());
            let hashes = leaves.chunks_exact(span).map(root_of).collect::<Vec<_>>();
            for (number, tile) in (0..).zip(hashes.chunks(256)) {
                let bytes = tile.iter().flat_map(Hash::as_bytes).copied().collect::<Vec<_>>();
                assert_eq!(files.get(&tiles::tile_path(level, number, tile.len())), Some(&bytes), "{size}");
                expected += 1;
            }
        }
        for (number, bundle) in (0_u64..).zip(leaves.chunks(256)) {
            let bytes = (0..bundle.len() as u64).flat_map(|offset| {
                let entry = (number * 256 + offset).to_be_bytes();
                [[0, 8].as_slice(), &entry].concat()
            });
            let path = tiles::entries_path(number, bundle.len());
            assert_eq!(files.get(&path), Some(&bytes.collect::<Vec<_>>()), "{size}");
            expected += 1;
        }
        assert_eq!(files.len(), expected, "{size}");
    }
}

#[test]
fn an_empty_log_verifies() {
    let summary = publish(&[]).verify().unwrap();
    assert_eq!((summary.size, summary.first_time), (0, None));
    assert_eq!(summary.root.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn logs_whose_last_files_are_full_or_nearly_verify() {
    let log = log_of(520);
    for size in [1, 255, 256, 257, 511, 512, 513] {
        assert_eq!(publish(&log.entries[..size]).verify().map(|summary| summary.size), Ok(size as u64));
    }
}

#[test]
fn an_entry_longer_than_a_bundle_can_say_is_not_exported() {
    let long = vec![b'x'; 65_536];
    let refused = tiles::files([b"short".as_slice(), &long]).unwrap_err();
    assert_eq!((refused.index, refused.bytes, refused.code()), (1, 65_536, "ledger.entry-too-long"));
}

#[test]
fn a_missing_file_is_named() {
    for path in PUBLISHED.1.0.keys() {
        let mut folder = PUBLISHED.1.clone();
        folder.0.remove(path);
        let verdict = verify(&folder, None).unwrap_err();
        assert_eq!((verdict.code(), verdict.file()), ("ledger.file-missing", Some(path.as_str())));
    }
}

#[test]
fn a_file_of_another_length_is_named() {
    for path in PUBLISHED.1.0.keys().filter(|path| path.starts_with("tile/")) {
        for change in
            [|bytes: &mut Vec<u8>| bytes.push(0), |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1)]
        {
            let mut folder = PUBLISHED.1.clone();
            change(folder.0.get_mut(path).unwrap());
            let verdict = folder.verify().unwrap_err();
            assert_eq!(verdict.file(), Some(path.as_str()), "{verdict}");
        }
    }
}

#[test]
fn an_altered_entry_is_named_by_its_index() {
    let (log, mut folder) = (&PUBLISHED.0, PUBLISHED.1.clone());
    let before = log.entries[256..300].iter().map(|entry| entry.len() + 2).sum::<usize>();
    folder.flip("tile/entries/001", before + 2 + 30);
    let verdict = folder.verify().unwrap_err();
    assert_eq!((verdict.code(), verdict.entry()), ("ledger.entry-altered", Some(300)));
}

#[test]
fn an_altered_tile_is_named() {
    let mut folder = PUBLISHED.1.clone();
    folder.flip("tile/1/000.p/2", 40);
    let verdict = folder.verify().unwrap_err();
    assert_eq!((verdict.code(), verdict.file()), ("ledger.tile-mismatch", Some("tile/1/000.p/2")));
}

#[test]
fn a_history_rewritten_under_an_old_checkpoint_is_noticed() {
    let (log, folder) = &*PUBLISHED;
    let mut rewritten = log.entries.clone();
    let last = rewritten.last_mut().unwrap();
    *last = String::from_utf8(last.clone()).unwrap().replace("0.7912", "0.9912").into_bytes();
    let mut forged = publish(&rewritten);
    forged.0.insert("checkpoint".into(), folder.0["checkpoint"].clone());
    assert_eq!(forged.verify().unwrap_err().code(), "ledger.root-mismatch");
}

#[test]
fn a_log_signed_by_another_key_is_refused_when_the_key_is_pinned() {
    let other = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[8; 32]).verifying_key()).unwrap();
    assert_eq!(verify(&PUBLISHED.1, Some(&other)).unwrap_err().code(), "ledger.note-unsigned");
}

#[test]
fn an_operator_who_signs_a_broken_rule_is_found_out() {
    let verdict = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut entries = PUBLISHED.0.entries[..40].to_vec();
        change(&mut entries);
        let verdict = publish(&entries).verify().unwrap_err();
        (verdict.code(), verdict.entry())
    };
    assert_eq!(verdict(|e| drop(e.remove(3))), ("ledger.chain-broken", Some(3)));
    assert_eq!(verdict(|e| e.swap(2, 3)), ("ledger.chain-broken", Some(2)));
    assert_eq!(verdict(|e| e.push(e[0].clone())), ("ledger.entry-repeated-id", Some(40)));
    assert_eq!(verdict(|e| e[9].push(b'\n')), ("ledger.entry-not-canonical", Some(9)));
}

#[test]
fn every_error_says_what_to_do_next() {
    let (path, hash) = (|| String::from("tile/0/001"), leaf_hash(b""));
    let (damaged, key) = ("compare with another copy", "check that the key is that of this log");
    let unsigned = NoteError::Unsigned(ORIGIN.into());
    let origin = CheckpointError::Origin { expected: ORIGIN.into(), found: "another.example".into() };
    let cases = [
        (VerifyError::Read { path: path(), source: SourceError::Missing }, "export it again"),
        (VerifyError::Key(NoteError::Key), "obtain the log's key"),
        (VerifyError::Checkpoint(CheckpointError::Note(unsigned)), key),
        (VerifyError::Checkpoint(origin), key),
        (VerifyError::Checkpoint(CheckpointError::Malformed), damaged),
        (VerifyError::Bundle { path: path(), expected: 256 }, damaged),
        (VerifyError::Altered { index: 7, path: path() }, damaged),
        (VerifyError::Entry { index: 7, fault: Fault::RoundEnded("job/7f".into()) }, "ask its operator"),
        (VerifyError::Tile { path: path() }, damaged),
        (VerifyError::Root { computed: hash, signed: hash }, damaged),
    ];
    for (error, help) in cases {
        assert!(error.help().contains(help), "{error}: {}", error.help());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_bit_of_any_file_can_be_flipped(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let mut folder = PUBLISHED.1.clone();
        let path = which.get(&folder.0.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = folder.0.get_mut(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(verify(&folder, None).is_err(), "bit {bit} of byte {at} of {path}");
    }
}

fn root_of(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Tree>().root()
}
