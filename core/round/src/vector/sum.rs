//! The opened sum of a round.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use super::coding::Coding;
use super::decoder::Decoder;
use crate::layout::Layout;

/// The sum over a survivor set, decoded and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    pub(super) layout: Layout,
    pub(super) survivors: u16,
    pub(super) steps: Vec<i64>,
}

/// Why an opened sum is discarded. It counts as opened all the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SumError {
    /// The number of coefficients is not that of the layout.
    #[error("the opened vector has {found} coefficients where the plan has {expected}")]
    Length {
        /// Coefficients that the layout needs.
        expected: usize,
        /// Coefficients that were opened.
        found: usize,
    },
    /// A canary differs: the sum of keys or an update is wrong.
    #[error("canary {0} is wrong, so the opened sum is not that of the survivors")]
    Canary(usize),
    /// A coefficient or value lies beyond what the survivors can have sent.
    #[error("a sum of block `{block}` is beyond its bound; declare a larger bound for it")]
    Overflow {
        /// Block of the value.
        block: String,
    },
    /// Padding that does not sum to zero.
    #[error("padding does not sum to zero")]
    Padding,
}

impl Sum {
    /// Checks canaries, bounds and padding of an opened vector, and puts limbs together.
    ///
    /// # Errors
    /// [`SumError`]; the vector must then be discarded.
    pub fn decode(
        layout: Layout,
        coding: &Coding,
        survivors: u16,
        coefficients: &[i64],
    ) -> Result<Self, SumError> {
        let (expected, found) = (coding.padded(&layout), coefficients.len());
        if expected != found {
            return Err(SumError::Length { expected, found });
        }
        let mut decoder = Decoder::new(layout, coding, survivors);
        decoder.take(coefficients)?;
        decoder.finish()
    }

    /// How many participants the sum is over.
    pub fn survivors(&self) -> u16 {
        self.survivors
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The exact integer sums, in steps of each block's resolution.
    pub fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// The sums of the values of the block with this name; none where the layout has no such block.
    pub fn values(&self, block: &str) -> Option<Vec<f64>> {
        let resolution = self.layout.blocks().iter().find(|candidate| candidate.name == block)?.resolution;
        let steps = &self.steps[self.layout.range(block)?];
        Some(steps.iter().map(|&step| step as f64 * resolution).collect())
    }

    /// The integers as bytes (little-endian i64), for a content-addressed blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_count());
        self.pieces().for_each(|piece| bytes.extend_from_slice(&piece));
        bytes
    }

    /// [`Self::to_bytes`] piece by piece, for a sum that is large beside the memory at hand.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let survivors = u64::from(self.survivors).to_le_bytes().to_vec();
        let piece = |steps: &[i64]| steps.iter().flat_map(|step| step.to_le_bytes()).collect();
        core::iter::once(survivors).chain(self.steps.chunks(STEPS_OF_A_PIECE).map(piece))
    }

    /// How long [`Self::to_bytes`] is.
    pub fn byte_count(&self) -> usize {
        8 * (1 + self.steps.len())
    }

    /// The sum whose [`Self::to_bytes`] these are; none where they do not fit `layout`.
    pub fn from_bytes(layout: Layout, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 8 * (1 + layout.len()) {
            return None;
        }
        let mut words = bytes.as_chunks().0.iter().map(|word| i64::from_le_bytes(*word));
        let survivors = u16::try_from(words.next()?).ok()?;
        Some(Self { layout, survivors, steps: words.collect() })
    }
}

const STEPS_OF_A_PIECE: usize = 1 << 13;
