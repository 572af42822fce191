//! What a participant contributes, and its values within their bounds.

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::Rng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::coding::Coding;
use super::quantiser::{Quantised, Quantiser};
use crate::layout::Layout;

/// What a participant's half of a program answers: one value for each entry of the layout.
///
/// Private to the institution: it has no `Debug`, and is wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Contribution {
    #[zeroize(skip)]
    layout: Layout,
    values: Vec<f64>,
}

/// A contribution within the bounds that the plan declares.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Clipped {
    #[zeroize(skip)]
    layout: Layout,
    values: Vec<f64>,
    clamped: u32,
}

/// Why values are no contribution.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContributionError {
    /// The program answered another number of values than its layout has.
    #[error("the program answered {found} values where its layout has {expected}")]
    Length {
        /// Values that the layout has.
        expected: usize,
        /// Values that the program answered.
        found: usize,
    },
    /// A value is not a finite number.
    #[error("value {position} of block `{block}` is not a finite number")]
    NotFinite {
        /// Block of the value.
        block: String,
        /// Position within the block.
        position: usize,
    },
}

impl Contribution {
    /// A contribution of `values` in the order of `layout`.
    ///
    /// # Errors
    /// When the number of values is not the layout's, or one is not finite.
    pub fn new(layout: Layout, values: Vec<f64>) -> Result<Self, ContributionError> {
        let contribution = Self { layout, values };
        let (expected, found) = (contribution.layout.len(), contribution.values.len());
        if expected != found {
            return Err(ContributionError::Length { expected, found });
        }
        let mut start = 0;
        for block in contribution.layout.blocks() {
            let values = &contribution.values[start..start + block.len as usize];
            if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                return Err(ContributionError::NotFinite { block: block.name.clone(), position });
            }
            start += values.len();
        }
        Ok(contribution)
    }

    /// The values, in the order of the layout.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Moves every value into its block's bound.
    pub fn clip(mut self) -> Clipped {
        let layout = self.layout.clone();
        let mut values = core::mem::take(&mut self.values);
        let mut clamped = 0;
        let mut rest = values.as_mut_slice();
        for block in layout.blocks() {
            let (these, others) = rest.split_at_mut(block.len as usize);
            for value in these {
                if value.abs() > block.bound {
                    *value = value.clamp(-block.bound, block.bound);
                    clamped += 1;
                }
            }
            rest = others;
        }
        Clipped { layout, values, clamped }
    }
}

impl Clipped {
    /// Values that the bounds changed.
    pub fn clamped(&self) -> u32 {
        self.clamped
    }

    /// The same as [`Self::quantiser`], all coefficients at once: eight bytes each. For vectors that are small beside
    /// the memory at hand.
    pub fn quantise(self, coding: &Coding, rng: &mut impl Rng) -> Quantised {
        self.quantiser(coding, rng).quantised()
    }

    /// Rounds each value to a whole number of steps, up or down with the probability that keeps its mean within 2^-33
    /// of a step (whole numbers stay as they are), and splits wide ones into limbs; chunk by chunk, when asked.
    pub fn quantiser(mut self, coding: &Coding, rng: &mut impl Rng) -> Quantiser {
        Quantiser::new(&self.layout, core::mem::take(&mut self.values), coding, rng)
    }
}
