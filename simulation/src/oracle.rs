//! What participants contribute, and what the sum must therefore be.

use syndic_round::vector::MOST_ELEMENTS;
use syndic_round::{Block, Contribution, Digest, Layout, ParticipantId, RoundPlan};

/// One entry for each of those admitted, then some whole numbers: few enough to be shared themselves, unless it is to be `long`.
pub(crate) fn layout(admitted: &[ParticipantId], long: bool) -> Layout {
    let block = |name: &str, len, bound| Block { name: name.into(), len, bound, resolution: 1.0 };
    let largest_power = admitted.last().map_or(1.0, |id| power(*id) as f64);
    let mut blocks = vec![
        block(MARKS, admitted.len() as u32, largest_power),
        block("narrow", 40, 100.0),
        block("wide", 10, 2_f64.powi(40)),
    ];
    if long {
        blocks.push(block("long", 1 + MOST_ELEMENTS as u32, 2_f64.powi(30)));
    }
    Layout::new(blocks).expect("the bounds are sound")
}

/// What `id` answers under `plan`: in coordinate i of the first block its own power of two, then whole numbers
/// that follow from its id and the question.
pub(crate) fn contribution(id: ParticipantId, plan: &RoundPlan) -> Contribution {
    let values = steps(id, plan).into_iter().map(|step| step as f64).collect();
    Contribution::new(plan.layout.clone(), values).expect("there is a finite value for each entry")
}

/// The sum over exactly `survivors`.
pub(crate) fn expected_sum(survivors: &[ParticipantId], plan: &RoundPlan) -> Vec<i64> {
    let mut sum = vec![0; plan.layout.len()];
    for id in survivors {
        sum.iter_mut().zip(steps(*id, plan)).for_each(|(sum, step)| *sum += step);
    }
    sum
}

/// Whose update an opened sum holds how often, by the marks alone; none where a mark is no multiple of its
/// owner's power.
pub(crate) fn counted(sum: &[i64], plan: &RoundPlan) -> Vec<Option<i64>> {
    let marks = plan.terms.admitted.iter().zip(sum);
    marks.map(|(id, &mark)| (mark % power(*id) == 0).then(|| mark / power(*id))).collect()
}

fn steps(id: ParticipantId, plan: &RoundPlan) -> Vec<i64> {
    let position =
        plan.terms.admitted.iter().position(|other| *other == id).expect("only members contribute");
    let mut entry = 0;
    let mut steps = Vec::with_capacity(plan.layout.len());
    for block in plan.layout.blocks() {
        for k in 0..block.len as usize {
            steps.push(match block.name.as_str() {
                MARKS if k == position => power(id),
                MARKS => 0,
                _ => whole_number(id, plan, entry, block.largest_step()),
            });
            entry += 1;
        }
    }
    steps
}

fn power(id: ParticipantId) -> i64 {
    1 << id.get()
}

fn whole_number(id: ParticipantId, plan: &RoundPlan, entry: u64, most: i64) -> i64 {
    let bytes = [plan.question.as_bytes().as_slice(), &id.get().to_be_bytes(), &entry.to_be_bytes()].concat();
    let (first, _) = Digest::of(&bytes)
        .0
        .split_first_chunk()
        .map(|(a, b)| (*a, *b.first_chunk::<8>().expect("24 bytes remain")))
        .expect("a digest has 32 bytes");
    (u64::from_be_bytes(first) % (2 * most as u64 + 1)) as i64 - most
}

const MARKS: &str = "marks";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::Federation;
    use crate::scenario::Shared;

    #[test]
    fn a_missing_a_double_and_a_foreign_update_show_in_the_marks() {
        let federation = Federation::of(1, 4, syndic_round::ParameterSet::S32, Shared::Nothing);
        let plan = federation.plan(syndic_round::RoundId { round: 1, attempt: 1 }, 1);
        let ids = federation.ids();
        let sum = |ids: &[ParticipantId]| counted(&expected_sum(ids, &plan), &plan);
        assert_eq!(sum(&ids), [Some(1); 4]);
        assert_eq!(sum(&ids[1..]), [Some(0), Some(1), Some(1), Some(1)]);
        assert_eq!(sum(&[ids[0], ids[0], ids[2]]), [Some(2), Some(0), Some(1), Some(0)]);
        let mut damaged = expected_sum(&ids, &plan);
        damaged[3] += 1;
        assert_eq!(counted(&damaged, &plan)[3], None);
    }
}
