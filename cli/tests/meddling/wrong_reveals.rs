//! A18: wrong reveals are corrected and named where enough reveal, and otherwise no sum comes out at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use syndic_coordinator::engine::Over;
use syndic_coordinator::fact::Fact;
use syndic_participant::agent::AgentError;
use syndic_proto::v1::{self, Kind};
use syndic_round::ParticipantId;
use syndic_round::coordinator::Input;
use syndic_round::message::Reveal;

use crate::between::{Meddler, instead, is_reveal};
use crate::known::{Known, What};
use crate::scene::{Fares, Ran, Scene};

/// These participants alter an element of their share sums in round 1, and are heard before all others.
struct Wrong(&'static [u16]);

#[tonic::async_trait]
impl Meddler for Wrong {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        if is_reveal(&duty, 1, 1) && !self.0.contains(&to.get()) {
            known.until(self.0.len(), (1, 1), What::Message(Kind::Reveal)).await;
        }
        vec![duty]
    }

    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        let in_round_1 = said.round.as_ref().is_some_and(|round| round.round == 1);
        if said.kind() != Kind::Reveal || !in_round_1 || !self.0.contains(&from.get()) {
            return said;
        }
        instead(said, known, |mut reveal: Reveal| {
            let (word, _) = reveal.share_sum.split_first_chunk_mut::<8>().unwrap();
            let noise = u64::from(from.get()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3;
            *word = ((u64::from_le_bytes(*word) + noise) % ((1 << 61) - 1)).to_le_bytes();
            reveal
        })
    }
}

fn run(institutions: u16, wrong: &'static [u16]) -> Ran {
    Scene::set(institutions, 0, Arc::new(Wrong(wrong)), |_| Fares::Well).run()
}

/// Who is named, by round.
fn named(ran: &Ran) -> Vec<Vec<u16>> {
    let facts = ran.facts().into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::Heard { input: Input::Opened(opened), .. } => {
                Some(opened.wrong_reveals.iter().map(|id| id.get()).collect())
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a18_a_wrong_reveal_among_ten_is_corrected_and_named() {
    let ran = run(10, &[3]);
    ran.completed();
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], (1..=10).collect::<Vec<u16>>(), "its update is in the sum all the same");
    assert_eq!(named(&ran), [vec![3], vec![], vec![]]);
    let reveals = ran.heard(1, 1).into_iter().filter(|input| matches!(input, Input::Reveal(_))).count();
    assert_eq!(reveals, 9, "seven open nothing, eight show that one is wrong, nine show which");
    assert_eq!(ran.summary.types["syndic.round.more-reveals"], 2);
}

#[test]
fn a18_wrong_reveals_that_cannot_be_corrected_discard_the_sum() {
    // Five reveals show that one is wrong and not which; ten that two are.
    for (institutions, wrong) in [(5, &[2][..]), (10, &[2, 7])] {
        let ran = run(institutions, wrong);
        let Over::Abandoned(reason) = &ran.over else { panic!("{:?}", ran.over) };
        assert!(reason.contains("discarded"), "{reason}");
        for agent in &ran.agents {
            assert!(matches!(agent, Err(AgentError::JobAbandoned(_))), "{agent:?}");
        }
        let reveals = ran.heard(1, 1).into_iter().filter(|input| matches!(input, Input::Reveal(_)));
        assert_eq!(reveals.count(), usize::from(institutions), "everybody was asked");
        assert_eq!((ran.summary.rounds_closed, ran.summary.rounds_abandoned), (0, 1));
        assert!(
            ran.stored.rounds.len() == 1 && named(&ran).is_empty(),
            "it counts as opened: no second attempt"
        );
        nothing_is_stored_that_is_not_named_in_the_ledger(&ran);
    }
}

/// No sum, no sum of keys and no aggregate has been written: every blob is one that an entry names, or as long as one. Shares
/// for the next round may come when the job is over: they are stored before they are heard, and then refused.
fn nothing_is_stored_that_is_not_named_in_the_ledger(ran: &Ran) {
    let entries: String = ran.stored.entries.iter().map(|entry| entry.data.to_string()).collect();
    let blobs = blobs(&ran.store().join("blobs"));
    assert!(blobs.len() > 10, "{blobs:?}");
    let (named, others): (Vec<_>, Vec<_>) =
        blobs.into_iter().partition(|(blob, _)| entries.contains(blob.as_str()));
    let lengths: BTreeSet<u64> = named.into_iter().map(|(_, bytes)| bytes).collect();
    let unlike: Vec<_> = others.into_iter().filter(|(_, bytes)| !lengths.contains(bytes)).collect();
    assert!(unlike.is_empty(), "{unlike:?}");
}

/// The blobs by their digests, and how long they are.
fn blobs(folder: &Path) -> BTreeMap<String, u64> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let shards = names(folder).into_iter().filter(|shard| shard.len() == 2);
    shards
        .flat_map(|shard| names(&folder.join(&shard)).into_iter().map(move |rest| (shard.clone(), rest)))
        .map(|(shard, rest)| {
            let bytes = std::fs::metadata(folder.join(&shard).join(&rest)).unwrap().len();
            (format!("{shard}{rest}"), bytes)
        })
        .collect()
}
