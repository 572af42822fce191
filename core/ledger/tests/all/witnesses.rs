//! Witnesses: what they sign of a checkpoint, how many of them a policy demands, and one entry's proof in a file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use ed25519_dalek::SigningKey;
use syndic_ledger::{
    BundleError, Checkpoint, CheckpointError, CosignerKey, Leaves, NoteError, Policy, PolicyError, TlogProof,
    Tree, VerifierKey, cosign, cosignature, cosigned_at, leaf_hash, with_cosignature,
};

const LOG: &str = "coordinator.example/federation";
const TIME: u64 = 1_785_585_600;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn log() -> VerifierKey {
    VerifierKey::new(LOG, key(1).verifying_key()).unwrap()
}

/// The witness with this number, whose key has this seed.
fn witness(number: u8) -> CosignerKey {
    CosignerKey::new(&name(number), key(number).verifying_key()).unwrap()
}

fn name(number: u8) -> String {
    format!("bank-{number}.example")
}

fn entries() -> Vec<Vec<u8>> {
    (0..7_u8).map(|k| vec![k; 3]).collect()
}

/// The log's checkpoint, signed by the log and by these witnesses.
fn signed_by(witnesses: &[u8]) -> String {
    let tree: Tree = entries().iter().map(|entry| leaf_hash(entry)).collect();
    let note = Checkpoint::of(LOG, &tree).unwrap().sign(&key(1)).unwrap();
    witnesses.iter().fold(note, |note, number| {
        cosign(&note, &log(), &name(*number), TIME + u64::from(*number), &key(*number)).unwrap()
    })
}

#[test]
fn a_cosignature_is_found_below_a_note_that_still_verifies_as_before() {
    let note = signed_by(&[2, 3]);
    assert_eq!(cosigned_at(&note, &witness(2)), Ok(Some(TIME + 2)));
    assert_eq!(cosigned_at(&note, &witness(3)), Ok(Some(TIME + 3)));
    assert_eq!(cosigned_at(&note, &witness(4)), Ok(None));
    assert_eq!(Checkpoint::verify(&note, &log()).unwrap().size(), 7);
    let again = cosign(&note, &log(), &name(2), TIME + 60, &key(2)).unwrap();
    assert_eq!(cosigned_at(&again, &witness(2)), Ok(Some(TIME + 60)), "the latest word counts");
}

#[test]
fn a_cosignature_that_travelled_alone_is_put_below_the_head_that_it_is_of() {
    let bare = signed_by(&[]);
    let line = cosignature(&bare, &log(), &name(2), TIME + 2, &key(2)).unwrap();
    assert_eq!(with_cosignature(&bare, &line, &witness(2)).unwrap(), signed_by(&[2]));

    let unsigned = |number| NoteError::Unsigned(name(number));
    assert_eq!(with_cosignature(&bare, &line, &witness(3)), Err(unsigned(3)), "it is another's");
    assert_eq!(with_cosignature(&signed_by(&[3]), &line, &witness(3)), Err(unsigned(3)));
    let forged = cosignature(&bare, &log(), &name(3), TIME, &key(2)).unwrap();
    assert_eq!(with_cosignature(&bare, &forged, &witness(3)), Err(unsigned(3)), "by another key");
    for lines in [line.repeat(2), String::new(), line.trim_end().into(), format!("\n{line}")] {
        assert_eq!(with_cosignature(&bare, &lines, &witness(2)), Err(NoteError::Malformed), "{lines:?}");
    }
    let tree: Tree = entries().iter().take(5).map(|entry| leaf_hash(entry)).collect();
    let other = Checkpoint::of(LOG, &tree).unwrap().sign(&key(1)).unwrap();
    assert_eq!(with_cosignature(&other, &line, &witness(2)), Err(NoteError::Signature(name(2))));
}

#[test]
fn a_cosignature_is_laid_out_as_the_specification_says() {
    use base64::Engine as _;
    use ed25519_dalek::Verifier as _;
    let note = signed_by(&[2]);
    let line = note.lines().last().unwrap();
    let payload = line.strip_prefix(&format!("\u{2014} {} ", name(2))).unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let (head, signature) = payload.split_at(12);
    let vkey = witness(2).to_string();
    assert_eq!(hex::encode(&head[..4]), vkey.split('+').nth(1).unwrap());
    assert_eq!(head[4..], (TIME + 2).to_be_bytes());
    let text = note.split("\n\n").next().unwrap();
    let statement = format!("cosignature/v1\ntime {}\n{text}\n", TIME + 2);
    let signature = ed25519_dalek::Signature::from_slice(signature).unwrap();
    key(2).verifying_key().verify(statement.as_bytes(), &signature).unwrap();
}

#[test]
fn a_witness_signs_only_what_the_log_signed() {
    let by_another = Checkpoint::of(LOG, &Tree::new()).unwrap().sign(&key(9)).unwrap();
    let refused = cosign(&by_another, &log(), &name(2), TIME, &key(2));
    assert!(matches!(refused, Err(CheckpointError::Note(NoteError::Unsigned(_)))), "{refused:?}");
}

#[test]
fn a_cosignature_that_was_altered_is_refused_and_not_passed_over() {
    let note = signed_by(&[2]);
    let wrong = Err(NoteError::Signature(name(2)));
    let other_text = note.replacen("\n7\n", "\n8\n", 1);
    assert_eq!(cosigned_at(&other_text, &witness(2)), wrong);
    // Every byte of what stands below in its name, but for those of the key id, without which it is somebody else's.
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let (rest, payload) = note.trim_end().rsplit_once(' ').unwrap();
    let payload = base64.decode(payload).unwrap();
    for place in 4..payload.len() {
        let mut altered = payload.clone();
        altered[place] ^= 0x40;
        let altered = format!("{rest} {}\n", base64.encode(altered));
        assert_eq!(cosigned_at(&altered, &witness(2)), wrong, "byte {place}");
    }
    for length in 4..payload.len() {
        let short = format!("{rest} {}\n", base64.encode(&payload[..length]));
        assert_eq!(cosigned_at(&short, &witness(2)), wrong, "cut to {length}");
    }
}

#[test]
fn keys_of_logs_and_of_witnesses_are_not_taken_for_each_other() {
    assert_eq!(witness(2).to_string().parse::<VerifierKey>(), Err(NoteError::Key));
    assert_eq!(log().to_string().parse::<CosignerKey>(), Err(NoteError::Key));
    assert_eq!(witness(2).to_string().parse::<CosignerKey>(), Ok(witness(2)));
    // The same key and name under the other type is another signer: the log's line is no cosignature.
    let as_witness = CosignerKey::new(LOG, key(1).verifying_key()).unwrap();
    assert_eq!(cosigned_at(&signed_by(&[]), &as_witness), Ok(None));
}

#[test]
fn a_majority_of_the_witnesses_is_more_than_half() {
    for (count, enough) in [(1_u8, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        let policy = Policy::of_majority(log(), (2..2 + count).map(witness));
        assert_eq!(Policy::parse(&policy.to_text()), Ok(policy.clone()), "{}", policy.to_text());
        for signers in 0..=count {
            let signers: Vec<u8> = (2..2 + signers).collect();
            let checked = policy.check(&signed_by(&signers));
            assert_eq!(checked.is_ok(), signers.len() >= enough, "{signers:?} of {count}");
            match checked {
                Ok(witnessed) => assert_eq!(witnessed.witnesses.len(), signers.len()),
                Err(error) => assert_eq!(error.code(), "ledger.policy-quorum"),
            }
        }
    }
    let alone = Policy::of_majority(log(), []);
    assert!(!alone.needs_witnesses());
    assert_eq!(alone.check(&signed_by(&[])).unwrap().witnesses, []);
}

#[test]
fn quorums_are_made_of_groups_of_groups() {
    let witnesses: String =
        (2..8).map(|k| format!("  witness\tw{k} {} https://{}\n", witness(k), name(k))).collect();
    let text = format!(
        "# Two companies\nlog {} https://{LOG}\n\n{witnesses}group X 2 w2 w3 w4\ngroup Y any w5 w6 w7\ngroup both all X Y\nquorum both",
        log()
    );
    let policy = Policy::parse(&text).unwrap();
    for (signers, enough) in
        [(&[2, 3, 5][..], true), (&[2, 3], false), (&[2, 5, 6, 7], false), (&[3, 4, 7], true), (&[], false)]
    {
        assert_eq!(policy.check(&signed_by(signers)).is_ok(), enough, "{signers:?}");
    }
    let single = Policy::parse(&text.replace("quorum both", "quorum w6")).unwrap();
    assert!(single.check(&signed_by(&[6])).is_ok());
    let refused = single.check(&signed_by(&[2])).unwrap_err();
    assert_eq!(refused.to_string(), "the checkpoint lacks the quorum `w6`: it is signed by w2");
}

#[test]
fn a_checkpoint_counts_by_the_policys_logs_only_and_a_false_cosignature_spoils_it() {
    let stranger = VerifierKey::new("another.example/log", key(8).verifying_key()).unwrap();
    let policy = Policy::of_log(stranger.clone());
    assert_eq!(policy.check(&signed_by(&[])), Err(PolicyError::NoLog));
    let both = Policy::parse(&format!("log {stranger}\nlog {}\nquorum none\n", log())).unwrap();
    assert_eq!(both.check(&signed_by(&[])).unwrap().checkpoint.origin(), LOG);

    let policy = Policy::of_majority(log(), [witness(2)]);
    let other = signed_by(&[2]).replacen("\u{2014} bank-2", "\u{2014} bank-3", 1);
    assert!(matches!(policy.check(&other), Err(PolicyError::Quorum { .. })), "not in its name");
    let false_log = signed_by(&[2]).replacen("\n7\n", "\n8\n", 1);
    assert!(matches!(policy.check(&false_log), Err(PolicyError::Checkpoint(_))));
}

#[test]
fn a_policy_with_a_wrong_line_is_refused_and_the_line_named() {
    let (log, w2, w3) = (log(), witness(2), witness(3));
    let good = format!("log {log}\nwitness a {w2}\nwitness b {w3}\n");
    for (line, tail) in [
        (4, format!("log {log}")),
        (4, format!("log {w2}")),
        (4, format!("witness c {log}")),
        (4, format!("witness c {w2}")),
        (4, format!("witness a {}", witness(4))),
        (4, format!("witness none {}", witness(4))),
        (4, "witness c".into()),
        (4, "group g 0 a b".into()),
        (4, "group g 3 a b".into()),
        (4, "group g two a b".into()),
        (4, "group g any".into()),
        (4, "group g all a c".into()),
        (4, "group g all a a".into()),
        (4, "group a all b".into()),
        (5, "group g all a\ngroup h all a b".into()),
        (5, "group g all a\ngroup h all none".into()),
        (4, "quorum c".into()),
        (5, "quorum a\nquorum b".into()),
        (4, "something else".into()),
        (4, "quorum a b".into()),
        (4, "quorum\u{7} a".into()),
    ] {
        match Policy::parse(&format!("{good}{tail}\n")) {
            Err(PolicyError::Line { line: found, .. }) => assert_eq!(found, line, "{tail}"),
            other => panic!("{tail}: {other:?}"),
        }
    }
    assert_eq!(Policy::parse(&good), Err(PolicyError::NoQuorum));
}

#[test]
fn an_entrys_proof_goes_in_a_file_and_convinces_whoever_has_the_policy() {
    let mut leaves = Leaves::default();
    entries().iter().for_each(|entry| leaves.append(leaf_hash(entry)));
    let policy = Policy::of_majority(log(), [witness(2), witness(3), witness(4)]);
    for (index, entry) in (0..).zip(entries()) {
        for extra in [None, Some(b"for the reader".to_vec())] {
            let inclusion = leaves.inclusion_proof(index, 7).unwrap();
            let proof = TlogProof { extra, index, inclusion, checkpoint: signed_by(&[2, 4]) };
            let text = proof.to_string();
            assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
            let read: TlogProof = text.parse().unwrap();
            assert_eq!(read, proof);
            assert_eq!(read.verify(&entry, &policy).unwrap().checkpoint.size(), 7);
            assert!(matches!(read.verify(b"another", &policy), Err(BundleError::NotIncluded(_))));
            let elsewhere = TlogProof { index: (index + 1) % 7, ..read.clone() };
            assert!(matches!(elsewhere.verify(&entry, &policy), Err(BundleError::NotIncluded(_))));
            let unseen = TlogProof { checkpoint: signed_by(&[2]), ..read };
            assert_eq!(unseen.verify(&entry, &policy).unwrap_err().code(), "ledger.policy-quorum");
        }
    }
}

#[test]
fn a_proof_file_has_one_spelling() {
    let proof =
        TlogProof { extra: None, index: 0, inclusion: vec![leaf_hash(b"x")], checkpoint: signed_by(&[]) };
    let text = proof.to_string();
    for (from, to) in [
        ("@v1", "@v2"),
        ("index 0", "index 00"),
        ("index 0", "index +0"),
        ("index 0", "index"),
        ("index 0\n", ""),
        ("index 0", "extra !\nindex 0"),
        ("index 0\n", "index 0\nAAAA\n"),
        ("\n\n", "\n"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_eq!(other.parse::<TlogProof>(), Err(BundleError::Malformed), "{other}");
    }
    let tall = TlogProof { inclusion: vec![leaf_hash(b"x"); 65], ..proof };
    assert_eq!(tall.to_string().parse::<TlogProof>(), Err(BundleError::Malformed));
}
