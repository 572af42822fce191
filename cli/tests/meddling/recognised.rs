//! What a participant makes of the ledger that it is shown when it comes: one that has another past, one that is shorter
//! than it was, and one that knows more of what it said than its own journal.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use syndic::ledger::convict;
use syndic_ledger::{Checkpoint, Leaves, VerifierKey, leaf_hash};
use syndic_participant::agent::{AgentError, Unbelieved};
use syndic_proto::v1;
use syndic_round::ParticipantId;

use crate::between::Meddler;
use crate::known::{Known, What};
use crate::scene::{Fares, Scene, id};

/// Shows participant 2 something else when it comes again.
struct Again {
    /// What it was shown when it came first.
    first: Mutex<Option<v1::ShownEntry>>,
    /// What it is shown later, of that and of what there is.
    shows: fn(v1::ShownEntry, v1::ShownEntry, &Known) -> v1::ShownEntry,
}

#[tonic::async_trait]
impl Meddler for Again {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        // The others could open the sum without participant 2, and it would be asked for nothing.
        if to != id(2) && is_in(&duty, 1) && matches!(duty.duty, Some(v1::duty::Duty::Reveal(_))) {
            known.until_by(id(2), (1, 1), What::Death).await;
        }
        vec![duty]
    }

    fn greeting(&self, to: ParticipantId, reply: v1::HelloReply, known: &Known) -> v1::HelloReply {
        if to != id(2) {
            return reply;
        }
        let mut first = self.first.lock().unwrap();
        match &*first {
            None => {
                first.clone_from(&reply.ledger);
                reply
            }
            Some(first) => {
                let shown = (self.shows)(first.clone(), reply.ledger.unwrap(), known);
                v1::HelloReply { ledger: Some(shown), ..reply }
            }
        }
    }
}

/// Entries of nobody's making in the place of those that were seen, and one more.
fn another_past(shown: v1::ShownEntry, known: &Known) -> v1::ShownEntry {
    let origin = known.roster.roster().ledger_origin();
    let (older, size) = (shown.older, shown.older + 1);
    let mut leaves = Leaves::new();
    (0..size).for_each(|entry| leaves.append(leaf_hash(&entry.to_be_bytes())));
    let head = Checkpoint::new(&origin, size, leaves.root(size).unwrap()).unwrap();
    let consistency = leaves.consistency_proof(older, size).unwrap();
    let consistency = consistency.iter().map(|hash| hash.as_bytes().to_vec().into()).collect();
    let older_root = leaves.root(older).unwrap().as_bytes().to_vec().into();
    v1::ShownEntry { checkpoint: head.sign(&known.ledger_key).unwrap(), older_root, consistency, ..shown }
}

/// Participant 2 comes a second time, in the middle of round 1, and gives up.
fn gives_up(shows: fn(v1::ShownEntry, v1::ShownEntry, &Known) -> v1::ShownEntry) -> (Scene, AgentError) {
    let again = Again { first: Mutex::default(), shows };
    let fares = |who| if who == id(2) { Fares::RestartedBeforeItReveals } else { Fares::Well };
    let mut scene = Scene::set(5, 0, Arc::new(again), fares);
    let gave_up = scene.until_gives_up(id(2));
    (scene, gave_up)
}

#[test]
fn a_ledger_with_another_past_stops_the_participant_and_the_evidence_convicts() {
    let (scene, gave_up) = gives_up(|_, shown, known| another_past(shown, known));
    assert!(gave_up.help().contains("syndic ledger convict"), "it says what to do next");
    is_convicted(&scene, gave_up);
}

fn is_convicted(scene: &Scene, gave_up: AgentError) {
    assert_eq!((gave_up.code(), gave_up.exit_code()), ("ledger.forked", 4));
    let AgentError::Ledger(Unbelieved { evidence: Some(evidence), .. }) = gave_up else {
        panic!("it must have kept the two heads: {gave_up}")
    };
    let name = evidence.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("ledger-fork-") && name.ends_with(".json"), "{name}");
    assert_eq!(evidence.parent(), Some(scene.state_of(2).as_path()));
    assert_eq!(evidence.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let key = scene.known.ledger_key.verifying_key();
    let key = VerifierKey::new(&scene.known.roster.roster().ledger_origin(), key).unwrap();
    let convicted = convict::convict(&[evidence], &key).unwrap().convicted;
    assert_eq!(convicted.newer.size(), convicted.older.size() + 1);
}

#[test]
fn a_ledger_that_has_become_shorter_stops_the_participant() {
    let (_, gave_up) = gives_up(|first, _, _| first);
    assert_eq!((gave_up.code(), gave_up.exit_code()), ("ledger.shrunk", 4));
    assert!(gave_up.help().contains("older copy"), "{}", gave_up.help());
    assert!(matches!(gave_up, AgentError::Ledger(Unbelieved { evidence: None, .. })));
}

fn is_in(duty: &v1::Duty, round: u32) -> bool {
    duty.round.as_ref().is_some_and(|it| it.round == round)
}

/// Shows participant 2 another past with the duty to sign the survivor set of round 2.
struct WithADuty;

#[tonic::async_trait]
impl Meddler for WithADuty {
    async fn telling(&self, to: ParticipantId, mut duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        if is_in(&duty, 2) && matches!(duty.duty, Some(v1::duty::Duty::Certify(_))) {
            if to == id(2) {
                duty.ledger = duty.ledger.map(|shown| another_past(shown, known));
            } else {
                // Enough of the others could sign without it.
                known.until_by(id(2), (2, 1), What::Declined("ledger.forked".into())).await;
            }
        }
        vec![duty]
    }
}

#[test]
fn another_past_in_the_middle_of_a_round_stops_the_participant_once_it_has_declined() {
    let mut scene = Scene::set(5, 0, Arc::new(WithADuty), |_| Fares::Well);
    let gave_up = scene.until_gives_up(id(2));
    assert_eq!(scene.declined(2, 1), [(2, "ledger.forked".to_owned())]);
    is_convicted(&scene, gave_up);
}

/// Does not show participant 2 the ledger the first times that it comes.
struct Silent(Mutex<u32>);

impl Meddler for Silent {
    fn greeting(&self, to: ParticipantId, reply: v1::HelloReply, _: &Known) -> v1::HelloReply {
        let mut left = self.0.lock().unwrap();
        if to != id(2) || *left == 0 {
            return reply;
        }
        *left -= 1;
        v1::HelloReply { ledger: None, ..reply }
    }
}

#[test]
fn nothing_is_done_for_a_coordinator_that_does_not_show_its_ledger() {
    let silent = Arc::new(Silent(Mutex::new(2)));
    let ran = Scene::set(3, 0, silent.clone(), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(*silent.0.lock().unwrap(), 0, "it came until it was shown the ledger");
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3]);
}

struct Honest;
impl Meddler for Honest {}

fn scene(fares: Fares) -> Scene {
    Scene::set(5, 0, Arc::new(Honest), |who| if who == id(2) { fares } else { Fares::Well })
}

#[test]
fn a_participant_that_declined_is_no_restored_copy_when_it_comes_again() {
    let ran = scene(Fares::RestartedBeforeItSharesAndOnceItDeclined).run();
    ran.completed();
    assert_eq!(ran.declined(1, 1), [(2, "participant.restarted".to_owned())]);
    assert!(ran.exact_sums()[&(2, 1)].contains(&2), "it is there in the next round");
}

#[test]
fn a_participant_with_an_older_copy_of_its_journal_stops() {
    let gave_up = scene(Fares::PutBackAfterItDeclined).until_gives_up(id(2));
    assert_eq!((gave_up.code(), gave_up.exit_code()), ("journal.restored", 3));
    assert!(gave_up.to_string().contains("syndic.round.declined, job/"), "{gave_up}");
    assert!(gave_up.help().contains("older copy"), "{}", gave_up.help());
}
