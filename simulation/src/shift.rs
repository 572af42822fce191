//! One wrong reveal that shifts one chosen sum of shared vectors past the canaries (attack A38).

use syndic_round::vector::Digit;
use syndic_round::{ParticipantId, RoundPlan};

use crate::field::{invert, plus, times, weight};

/// Makes of the true `reveal` of `me` one that shifts the last sum of `plan` by one step, where exactly these `revealers`
/// open it: with which weight a reveal counts is public.
pub(crate) fn shift(reveal: &mut [u8], plan: &RoundPlan, revealers: &[ParticipantId], me: ParticipantId) {
    let Some(last) = Digit::all(&plan.layout, plan.terms.protection.admitted()).last() else { return };
    let by = times(1 << last.shift, invert(weight(&points(revealers), point(me), 0)));
    if let Some(word) = reveal.as_chunks_mut::<8>().0.get_mut(last.element) {
        *word = plus(u64::from_le_bytes(*word), by).to_le_bytes();
    }
}

/// What `me` would reveal, by what so many `others` did that it takes no more to open.
pub(crate) fn reveal_of(me: ParticipantId, others: &[(ParticipantId, Vec<u8>)]) -> Vec<u8> {
    let ids: Vec<_> = others.iter().map(|(id, _)| *id).collect();
    let points = points(&ids);
    let mut sum = vec![0; others.first().map_or(0, |(_, bytes)| bytes.len() / 8)];
    for (id, bytes) in others {
        let weight = weight(&points, point(*id), point(me));
        for (sum, word) in sum.iter_mut().zip(bytes.as_chunks().0) {
            *sum = plus(*sum, times(weight, u64::from_le_bytes(*word)));
        }
    }
    sum.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn points(ids: &[ParticipantId]) -> Vec<u64> {
    ids.iter().map(|id| point(*id)).collect()
}

fn point(id: ParticipantId) -> u64 {
    id.get().into()
}
