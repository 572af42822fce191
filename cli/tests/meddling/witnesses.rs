//! Participants as witnesses: what they sign of the ledger is published below its checkpoint, and nothing else is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use syndic_coordinator::store::{Cosignatures as _, FolderCosignatures};
use syndic_ledger::Policy;
use syndic_proto::v1;
use syndic_round::ParticipantId;

use crate::between::Meddler;
use crate::scene::{Fares, Ran, Scene};

type Change = fn(&Witnessing, v1::Cosignature) -> v1::Cosignature;

/// Remembers what everybody signs, and alters what participant 2 does.
struct Witnessing {
    signed: Mutex<Vec<(u16, v1::Cosignature)>>,
    alter: Change,
}

impl Meddler for Witnessing {
    fn cosigning(&self, from: ParticipantId, cosignature: v1::Cosignature) -> v1::Cosignature {
        self.signed.lock().unwrap().push((from.get(), cosignature.clone()));
        if from.get() == 2 { (self.alter)(self, cosignature) } else { cosignature }
    }
}

fn run(alter: Change) -> (Ran, Arc<Witnessing>) {
    let meddler = Arc::new(Witnessing { signed: Mutex::default(), alter });
    let ran = Scene::set(5, 0, meddler.clone(), |_| Fares::Well).run();
    ran.completed();
    (ran, meddler)
}

/// The members whose word the published checkpoint bears, by the policy beside it.
fn witnesses(ran: &Ran) -> Vec<String> {
    let file = |name| std::fs::read_to_string(ran.ledger().join(name)).unwrap();
    let policy = Policy::parse(&file("policy")).unwrap();
    let witnessed = policy.check(&file("checkpoint")).unwrap();
    assert_eq!(witnessed.checkpoint.size(), ran.summary.size);
    witnessed.witnesses.into_iter().map(|(name, _)| name).collect()
}

fn members(numbers: &[u16]) -> Vec<String> {
    numbers.iter().map(|number| format!("syndic/crashes/bank_{number:02}")).collect()
}

#[test]
fn the_published_ledger_bears_the_word_of_every_member() {
    let (ran, meddler) = run(|_, cosignature| cosignature);
    assert_eq!(witnesses(&ran), members(&[1, 2, 3, 4, 5]));

    // Before that everybody has signed the head under each survivor set: one and the same.
    let mut of_head = BTreeMap::<u64, Vec<u16>>::new();
    for (who, cosignature) in meddler.signed.lock().unwrap().iter() {
        of_head.entry(cosignature.size).or_default().push(*who);
    }
    assert_eq!(of_head.len(), 1 + ran.stored.rounds.len());
    assert_eq!(*of_head.keys().last().unwrap(), ran.summary.size);
    for witnesses in of_head.values_mut() {
        witnesses.sort_unstable();
        assert_eq!(*witnesses, [1, 2, 3, 4, 5]);
    }

    // And whoever publishes again after a restart still has it.
    let kept = async { FolderCosignatures::open(&ran.store().join("cosignatures")).await?.kept().await };
    let kept = tokio::runtime::Runtime::new().unwrap().block_on(kept).unwrap();
    let kept: Vec<_> = kept.iter().map(|one| (one.witness.get(), one.size)).collect();
    assert_eq!(kept, [1, 2, 3, 4, 5].map(|who| (who, ran.summary.size)));
}

/// What participant 2 signs is refused, which holds up nothing.
fn refused(alter: Change) {
    let (ran, _) = run(alter);
    assert_eq!(witnesses(&ran), members(&[1, 3, 4, 5]));
    assert_eq!(ran.exact_sums().len(), 3);
}

#[test]
fn nobody_bears_witness_for_another() {
    refused(|witnessing, mut cosignature| {
        let signed = witnessing.signed.lock().unwrap();
        let others = signed.iter().find(|(who, other)| *who != 2 && other.size == cosignature.size);
        cosignature.line = others.map_or_else(String::new, |(_, other)| other.line.clone());
        cosignature
    });
}

#[test]
fn a_word_for_another_head_is_none_for_this_one() {
    refused(|_, mut cosignature| {
        cosignature.size -= 1;
        cosignature
    });
}

#[test]
fn a_head_that_the_ledger_has_not_is_not_witnessed() {
    refused(|_, mut cosignature| {
        cosignature.size = u64::MAX;
        cosignature
    });
}

#[test]
fn what_is_no_cosignature_is_refused() {
    refused(|_, mut cosignature| {
        cosignature.line += &cosignature.line.clone();
        cosignature
    });
}
