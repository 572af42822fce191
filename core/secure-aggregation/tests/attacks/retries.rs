//! Why a question is opened once (rule 11): two exact sums of the same updates, and their difference.

use std::collections::BTreeMap;

use syndic_round::ParameterSet;

use crate::federation::Federation;

/// A31. Programs answer a question the same way when it is asked again: statistics and histograms do not depend on chance. A
/// coordinator that opens the sum over U, claims that the attempt failed and asks again with fresh keys, leaving one
/// participant out, has nothing to break: the difference of two exact sums is that participant's update. So participants reveal
/// for a question in a second attempt only if the first is proven void, which an opened one cannot be (A32).
#[test]
fn a31_two_openings_of_one_question_would_give_the_difference() {
    let secrets = |ids: &[syndic_round::ParticipantId]| -> BTreeMap<_, Vec<i64>> {
        ids.iter().map(|id| (*id, (0..8).map(|k| i64::from(id.get()) * 31 - 7 * k).collect())).collect()
    };
    let opened = |seed, leaving_out: Option<usize>| {
        let mut federation = Federation::new(ParameterSet::S32, 5, 8, seed);
        let mut survivors = federation.ids();
        let updates = federation.encrypt(&secrets(&survivors));
        leaving_out.map(|k| survivors.remove(k));
        federation.open(&updates, &survivors, &federation.ids()[..4]).steps().to_vec()
    };
    let (all, without_one) = (opened(1, None), opened(2, Some(2)));
    let difference: Vec<i64> = all.iter().zip(&without_one).map(|(a, b)| a - b).collect();
    let ids = Federation::new(ParameterSet::S32, 5, 8, 1).ids();
    assert_eq!(difference, secrets(&ids)[&ids[2]]);
}
