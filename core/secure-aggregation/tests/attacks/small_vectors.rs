//! What liars can do to the sum of small vectors (A38), and what they could learn from it (A35).

use syndic_round::message::PublicPart;
use syndic_round::{Digest, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{OpenedVector, SharingContext, Unopened, VectorShare, VectorShareSum};

use crate::algebra::{P, accumulate, inverse, mul, point, sub, weights_at_zero};
use crate::dealt::Dealt;

/// Ten members, of whom seven open: digits of 5 bits for the canaries, then of 15 bits. The values of one element.
const VALUES: [i64; 4] = [11, -22, 33, -44];

fn dealt() -> Dealt {
    Dealt::new(ParameterSet::S32, 10, &[(2 + 4, 1_000)], 38, |_| [&[0, 0], &VALUES[..]].concat())
}

/// What the first of `revealers` reveals to shift the sum of the fifth value (the third digit of the second element) by
/// `steps` when no more than t reveal: its weight in the interpolation is public.
fn lie(dealt: &Dealt, revealers: &[ParticipantId], honest: &VectorShareSum, steps: u64) -> VectorShareSum {
    let points: Vec<u64> = revealers[..7].iter().map(|id| point(*id)).collect();
    let by = mul(steps << 30, inverse(weights_at_zero(&points)[0]));
    dealt.shifted(honest, 1, by)
}

/// What opens when the first of `count` reveals is a lie.
fn opened(dealt: &Dealt, count: usize) -> Result<OpenedVector, Unopened> {
    let ids = dealt.federation.ids();
    let mut reveals = dealt.reveal(&ids, &ids[..count]);
    reveals[0].1 = lie(dealt, &ids[..count], &reveals[0].1, 500);
    Ok(dealt.shape.open(&reveals, 10)?)
}

#[test]
fn a38_one_liar_among_exactly_t_shifts_one_chosen_sum_past_the_canaries_and_the_result_is_unchecked() {
    let dealt = dealt();
    let opened = opened(&dealt, 7).unwrap();
    assert_eq!(opened.sum.steps(), [0, 0, 110, -220, 330 + 500, -440]);
    assert!(!opened.is_checked());
    assert!(opened.wrong_reveals.is_empty(), "nobody can tell who it was");
}

#[test]
fn a38_with_one_reveal_more_the_lie_is_noticed_and_another_reveal_asked_for() {
    assert!(matches!(opened(&dealt(), 8), Err(Unopened::MoreReveals(_))));
}

#[test]
fn a38_with_two_reveals_more_the_lie_is_corrected_and_the_liar_named() {
    let dealt = dealt();
    let opened = opened(&dealt, 9).unwrap();
    assert_eq!(opened.sum.steps(), [0, 0, 110, -220, 330, -440]);
    assert_eq!(opened.wrong_reveals, dealt.federation.ids()[..1]);
    assert!(opened.is_checked());
}

/// Why `surplus` is a number: two who lie together pass t + 2 reveals, and an honest member is named in their place.
#[test]
fn a38_more_liars_than_the_surplus_can_still_agree() {
    let dealt = dealt();
    let opened = opened_with_two_liars(&dealt, 500).unwrap();
    assert_eq!(opened.sum.steps(), [0, 0, 110, -220, 330 + 500, -440]);
    assert_eq!(opened.wrong_reveals, [dealt.federation.ids()[8]]);
    assert_eq!(opened.surplus, 1, "it holds against one liar, not against two");
}

/// Where reveals were corrected and the sum is none all the same, too many may have been wrong: the next one tells.
#[test]
fn a38_a_corrected_sum_that_cannot_be_asks_for_another_reveal() {
    let unopened = opened_with_two_liars(&dealt(), 20_000).unwrap_err();
    assert!(matches!(unopened, Unopened::MoreReveals(_)), "{unopened:?}");
}

/// What opens when the first two of nine lie together to shift the fifth sum by `steps`.
fn opened_with_two_liars(dealt: &Dealt, steps: u64) -> Result<OpenedVector, Unopened> {
    let ids = dealt.federation.ids();
    let mut reveals = dealt.reveal(&ids, &ids[..9]);
    // On a polynomial that is zero at all honest members but the last, and the shift at zero.
    let honest: Vec<u64> = ids[2..8].iter().map(|id| point(*id)).collect();
    let shift_at =
        |x: u64| honest.iter().fold(steps << 30, |value, &at| mul(value, mul(sub(at, x), inverse(at))));
    for (id, reveal) in &mut reveals[..2] {
        *reveal = dealt.shifted(reveal, 1, shift_at(point(*id)));
    }
    Ok(dealt.shape.open(&reveals, 10)?)
}

fn elements(share: &VectorShare) -> Vec<u64> {
    let bytes = share.to_bytes();
    let (values, _salt) = bytes.split_last_chunk::<32>().unwrap();
    values.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// A35. As for keys: what a member reveals is the elements of the vectors alone, and a reveal with room for blinding values
/// is not one.
#[test]
fn a35_a_reveal_of_vectors_has_no_room_for_blinding_values() {
    let dealt = dealt();
    let ids = dealt.federation.ids();
    let held = &dealt.held[&ids[0]];
    let revealed = VectorShareSum::of(held, &dealt.certify(&ids)).unwrap().to_bytes();
    let mut sums = vec![0; elements(&held[&ids[0]]).len()];
    held.values().for_each(|share| accumulate(&mut sums, 1, &elements(share)));
    let with_blinding: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    assert_eq!(with_blinding.len(), revealed.len() + 16);
    assert_eq!(with_blinding[..revealed.len()], revealed[..]);
    assert!(VectorShareSum::from_bytes(&with_blinding, &dealt.shape).is_err());
}

/// A38. A member that reveals for another set than the certified one lies in every element, and canaries or bounds are off
/// even with exactly t reveals: what passes is a lie that somebody chose.
#[test]
fn a38_a_reveal_for_another_set_is_noticed_even_with_exactly_t() {
    let dealt = dealt();
    let ids = dealt.federation.ids();
    let mut reveals = dealt.reveal(&ids, &ids[..7]);
    reveals[3] = dealt.reveal(&ids[1..], &ids[3..4]).remove(0);
    let unopened = Unopened::from(dealt.shape.open(&reveals, 10).unwrap_err());
    assert!(matches!(unopened, Unopened::MoreReveals(_)));
}

/// A16. A public part of one dealer says nothing good of another dealer's shares, or of shares in another preparation.
#[test]
fn a16_a_vectors_share_is_good_for_its_dealer_holder_and_preparation_only() {
    let dealt = dealt();
    let ids = dealt.federation.ids();
    let right =
        SharingContext { dealer: ids[1], h1: dealt.federation.cohort.h1(), cohort: &ids, threshold: 7 };
    let share = &dealt.held[&ids[0]][&ids[1]];
    let public: &PublicPart = &dealt.publics[&ids[1]];
    assert_eq!(share.verify(ids[0], public, &right), Ok(()));
    let elsewhere = SharingContext { h1: Digest::of(b"another"), ..right };
    let refused = [
        share.verify(ids[2], public, &right),
        share.verify(ids[0], &dealt.publics[&ids[2]], &right),
        share.verify(ids[0], public, &elsewhere),
        share.verify(ids[0], public, &SharingContext { dealer: ids[2], ..right }),
    ];
    assert!(refused.iter().all(|verified| verified.as_ref().err().unwrap().code() == "share.commitment"));
}

/// The arithmetic above is that of the shipped field.
const _: () = assert!(P == crate::dealt::P);
