//! Whole steps for limbs, and limbs for whole steps: an element of F_p holds what takes several coefficients of the ring,
//! and the ring's rounding and its checks of sums serve small vectors too.

use syndic_round::RING_DIMENSION;
use syndic_round::vector::CANARIES;
use zeroize::Zeroizing;

use super::shape::VectorShape;

/// Canaries and values as whole steps, from the ring's `coefficients`.
pub(super) fn joined(shape: &VectorShape, coefficients: &[i64]) -> Zeroizing<Vec<i64>> {
    let (canaries, mut rest) = coefficients.split_at(CANARIES.len());
    let mut steps = Zeroizing::new(Vec::with_capacity(CANARIES.len() + shape.layout().len()));
    steps.extend_from_slice(canaries);
    for (limbs, values) in runs(shape) {
        let (these, others) = rest.split_at(limbs * values);
        let join = |limbs: &[i64]| limbs.iter().rev().fold(0, |step, limb| (step << limb_bits(shape)) + limb);
        steps.extend(these.chunks_exact(limbs).map(join));
        rest = others;
    }
    steps
}

/// The ring's coefficients, padding included, from canaries and values as whole `steps`.
pub(super) fn split(shape: &VectorShape, steps: &[i64]) -> Vec<i64> {
    let (canaries, mut rest) = steps.split_at(CANARIES.len());
    let mut coefficients = canaries.to_vec();
    let width = limb_bits(shape);
    for (limbs, values) in runs(shape) {
        let (these, others) = rest.split_at(values);
        for step in these {
            coefficients.extend((1..limbs as u32).map(|k| step >> (width * (k - 1)) & ((1 << width) - 1)));
            coefficients.push(step >> (width * (limbs as u32 - 1)));
        }
        rest = others;
    }
    coefficients.resize(coefficients.len().next_multiple_of(RING_DIMENSION), 0);
    coefficients
}

/// For each block: limbs of a value, and values.
fn runs(shape: &VectorShape) -> impl Iterator<Item = (usize, usize)> {
    shape.layout().blocks().iter().map(|block| (shape.coding().limbs(block), block.len as usize))
}

fn limb_bits(shape: &VectorShape) -> u32 {
    shape.coding().parameter_set().limb_bits(shape.admitted())
}
