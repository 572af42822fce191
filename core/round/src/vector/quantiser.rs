//! Stochastic rounding of clipped values to ring coefficients, chunk by chunk.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::Rng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::coding::{CANARIES, Coding};
use super::dither::Dither;
use crate::layout::{Block, Layout};
use crate::parameters::RING_DIMENSION;

/// An update as ring coefficients, ready to be encrypted: canaries, then each value as one limb or several, then
/// zeros up to whole chunks.
///
/// Made for one [`Coding`], and carries it: limbs for one parameter set overflow or waste the sums of another.
pub trait Coefficients: Sync {
    /// The coding that they were made for.
    fn coding(&self) -> &Coding;

    /// Chunks of [`RING_DIMENSION`] coefficients.
    fn chunk_count(&self) -> usize;

    /// Writes chunk `index`, the same whenever it is asked for.
    ///
    /// # Panics
    /// When `index` is not below [`Self::chunk_count`].
    fn fill(&self, index: usize, chunk: &mut [i64; RING_DIMENSION]);
}

/// The coefficients of a clipped contribution, made when asked for: its values are all that is held.
///
/// Private to the institution: it has no `Debug`, and is wiped on drop.
pub struct Quantiser {
    coding: Coding,
    spans: Vec<Span>,
    values: Zeroizing<Vec<f64>>,
    dither: Dither,
    chunks: usize,
}

/// All coefficients of a contribution at once.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Quantised {
    #[zeroize(skip)]
    coding: Coding,
    coefficients: Vec<i64>,
}

/// Where a block's values and their limbs are.
struct Span {
    first_value: usize,
    first_coefficient: usize,
    end: usize,
    limbs: usize,
    resolution: f64,
    largest_step: i64,
}

impl Quantiser {
    pub(super) fn new(layout: &Layout, values: Vec<f64>, coding: &Coding, rng: &mut impl Rng) -> Self {
        let mut spans: Vec<Span> = Vec::with_capacity(layout.blocks().len());
        for block in layout.blocks() {
            let (first_value, first_coefficient) =
                spans.last().map_or((0, CANARIES.len()), |span| (span.first_value + span.len(), span.end));
            spans.push(Span::new(block, coding.limbs(block), first_value, first_coefficient));
        }
        let chunks = coding.padded(layout) / RING_DIMENSION;
        Self { coding: *coding, spans, values: Zeroizing::new(values), dither: Dither::draw(rng), chunks }
    }

    /// All chunks at once.
    pub(super) fn quantised(self) -> Quantised {
        let mut coefficients = vec![0; self.chunks * RING_DIMENSION];
        for (index, chunk) in coefficients.as_chunks_mut().0.iter_mut().enumerate() {
            self.fill(index, chunk);
        }
        Quantised { coding: self.coding, coefficients }
    }

    /// Writes the limbs of `span` that fall into the chunk that begins with coefficient `start`.
    fn fill_span(&self, span: &Span, start: usize, chunk: &mut [i64; RING_DIMENSION]) {
        let (from, to) = (start.max(span.first_coefficient), span.end.min(start + RING_DIMENSION));
        // The first and the last value may have limbs in the neighbouring chunks too.
        let first = (from - span.first_coefficient) / span.limbs;
        let last = (to - span.first_coefficient).div_ceil(span.limbs);
        let values = &self.values[span.first_value + first..span.first_value + last];
        let mut words = Zeroizing::new([0; RING_DIMENSION]);
        let words = &mut words[..values.len()];
        self.dither.fill(span.first_value + first, words);
        let out = &mut chunk[from - start..to - start];
        if span.limbs == 1 {
            return span.round(values, words, out);
        }
        let mut steps = Zeroizing::new([0; RING_DIMENSION]);
        span.round(values, words, &mut steps[..values.len()]);
        for (position, limb) in (from - span.first_coefficient..).zip(out) {
            let step = steps[position / span.limbs - first];
            *limb = self.coding.limb(step, position % span.limbs, span.limbs);
        }
    }
}

impl Coefficients for Quantiser {
    fn coding(&self) -> &Coding {
        &self.coding
    }

    fn chunk_count(&self) -> usize {
        self.chunks
    }

    fn fill(&self, index: usize, chunk: &mut [i64; RING_DIMENSION]) {
        assert!(index < self.chunks, "there is no such chunk");
        let start = index * RING_DIMENSION;
        chunk.fill(0);
        if index == 0 {
            chunk[..CANARIES.len()].copy_from_slice(&CANARIES);
        }
        let first = self.spans.partition_point(|span| span.end <= start);
        let here = |span: &&Span| span.first_coefficient < start + RING_DIMENSION;
        self.spans[first..].iter().take_while(here).for_each(|span| self.fill_span(span, start, chunk));
    }
}

impl Quantised {
    /// The coding that they were made for.
    pub fn coding(&self) -> &Coding {
        &self.coding
    }

    /// The coefficients, whole chunks of [`RING_DIMENSION`].
    pub fn coefficients(&self) -> &[i64] {
        &self.coefficients
    }
}

impl Coefficients for Quantised {
    fn coding(&self) -> &Coding {
        &self.coding
    }

    fn chunk_count(&self) -> usize {
        self.coefficients.len() / RING_DIMENSION
    }

    fn fill(&self, index: usize, chunk: &mut [i64; RING_DIMENSION]) {
        *chunk = self.coefficients.as_chunks().0[index];
    }
}

impl Span {
    fn new(block: &Block, limbs: usize, first_value: usize, first_coefficient: usize) -> Self {
        Self {
            first_value,
            first_coefficient,
            end: first_coefficient + limbs * block.len as usize,
            limbs,
            resolution: block.resolution,
            largest_step: block.largest_step(),
        }
    }

    fn len(&self) -> usize {
        (self.end - self.first_coefficient) / self.limbs
    }

    /// Rounds `values` to steps, each by its word.
    fn round(&self, values: &[f64], words: &[u32], steps: &mut [i64]) {
        let (resolution, most) = (self.resolution, self.largest_step as f64);
        let pairs = values.iter().zip(words).zip(steps);
        if self.largest_step < MOST_BY_ROUNDER {
            for ((&value, &word), step) in pairs {
                let x = value / resolution;
                let nearest = (x + ROUNDER) - ROUNDER;
                let floor = if nearest > x { nearest - 1.0 } else { nearest };
                let rounded = clamped(round_by(x, floor, word), most);
                *step = (rounded + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i64;
            }
        } else {
            for ((&value, &word), step) in pairs {
                let x = value / resolution;
                *step = clamped(round_by(x, libm::floor(x), word), most) as i64;
            }
        }
    }
}

/// One of the two whole numbers around `x`, of which `floor` is the lower, the nearer one the likelier: the upper one
/// with probability round(2^32 (x - floor)) / 2^32.
#[inline(always)]
fn round_by(x: f64, floor: f64, word: u32) -> f64 {
    // Signed, since that is what a processor converts; it is as uniform.
    let uniform = (f64::from(word as i32) + (2_147_483_648.0 + 0.5)) * UNIT;
    if uniform < x - floor { floor + 1.0 } else { floor }
}

#[inline(always)]
fn clamped(x: f64, most: f64) -> f64 {
    let x = if x > most { most } else { x };
    if x < -most { -most } else { x }
}

/// Adding this leaves a number's nearest integer in the low bits of the sum, where that is below 2^51; `floor` is a
/// call into the C library on the common x86-64 target.
const ROUNDER: f64 = (3_u64 << 51) as f64;

const MOST_BY_ROUNDER: i64 = 1 << 50;

/// 2^-32.
const UNIT: f64 = 1.0 / (1_u64 << 32) as f64;
