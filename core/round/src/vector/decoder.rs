//! Checking and decoding an opened vector as it comes, piece by piece.

use alloc::vec::Vec;

use super::coding::{CANARIES, Coding};
use super::sum::{Sum, SumError};
use crate::layout::Layout;

/// Turns opened coefficients into a [`Sum`]; what it holds is that sum.
#[derive(Debug)]
pub struct Decoder {
    coding: Coding,
    expected: usize,
    /// Coefficients seen.
    found: usize,
    /// The block whose values come next, and how many of them are still to come.
    block: usize,
    left: usize,
    /// Limbs of a value of which not all have come.
    limbs: Vec<i64>,
    sum: Sum,
    refused: Option<SumError>,
}

impl Decoder {
    /// A decoder of a sum over `survivors` participants, before its first coefficient.
    pub fn new(layout: Layout, coding: &Coding, survivors: u16) -> Self {
        let left = layout.blocks().first().map_or(0, |block| block.len as usize);
        let (expected, steps) = (coding.padded(&layout), Vec::with_capacity(layout.len()));
        let sum = Sum { layout, survivors, steps };
        Self { coding: *coding, expected, found: 0, block: 0, left, limbs: Vec::new(), sum, refused: None }
    }

    /// Takes the next coefficients, any number of them.
    ///
    /// # Errors
    /// [`SumError`]; the vector must then be discarded, and [`Self::finish`] refuses it too.
    pub fn take(&mut self, coefficients: &[i64]) -> Result<(), SumError> {
        let taken = match &self.refused {
            Some(error) => Err(error.clone()),
            None => self.check(coefficients),
        };
        self.refused = taken.clone().err();
        taken
    }

    /// The sum, when all of its coefficients have come.
    ///
    /// # Errors
    /// [`SumError::Length`] when there were too few, or what [`Self::take`] found.
    pub fn finish(self) -> Result<Sum, SumError> {
        match self.refused {
            Some(error) => Err(error),
            None if self.found != self.expected => {
                Err(SumError::Length { expected: self.expected, found: self.found })
            }
            None => Ok(self.sum),
        }
    }

    fn check(&mut self, coefficients: &[i64]) -> Result<(), SumError> {
        let mut rest = coefficients;
        let end = self.found + coefficients.len();
        if end > self.expected {
            return Err(SumError::Length { expected: self.expected, found: end });
        }
        while let Some((&coefficient, others)) = rest.split_first().filter(|_| self.found < CANARIES.len()) {
            if coefficient != CANARIES[self.found] * i64::from(self.sum.survivors) {
                return Err(SumError::Canary(self.found));
            }
            (rest, self.found) = (others, self.found + 1);
        }
        while self.left > 0 && !rest.is_empty() {
            rest = self.take_of_block(rest)?;
            if self.left == 0 {
                self.block += 1;
                self.left = self.sum.layout.blocks().get(self.block).map_or(0, |block| block.len as usize);
            }
        }
        self.found = end;
        if rest.iter().any(|&padding| padding != 0) { Err(SumError::Padding) } else { Ok(()) }
    }

    /// Takes what belongs to the block at hand, and gives back the rest.
    fn take_of_block<'a>(&mut self, coefficients: &'a [i64]) -> Result<&'a [i64], SumError> {
        let block = &self.sum.layout.blocks()[self.block];
        let (limbs, largest_step, survivors) =
            (self.coding.limbs(block), block.largest_step(), self.sum.survivors);
        let overflow = || SumError::Overflow { block: block.name.clone() };
        if limbs == 1 {
            // One limb is the value itself, whose bound is below that of the limb.
            let (these, rest) = coefficients.split_at(coefficients.len().min(self.left));
            let most = self.coding.most(survivors, largest_step);
            if these.iter().any(|step| step.unsigned_abs() > most) {
                return Err(overflow());
            }
            self.sum.steps.extend_from_slice(these);
            self.left -= these.len();
            return Ok(rest);
        }
        let missing = self.left * limbs - self.limbs.len();
        let (these, rest) = coefficients.split_at(coefficients.len().min(missing));
        for &limb in these {
            self.limbs.push(limb);
            if self.limbs.len() == limbs {
                let step = self.coding.join(&self.limbs, survivors, largest_step).ok_or_else(overflow)?;
                self.sum.steps.push(step);
                self.limbs.clear();
                self.left -= 1;
            }
        }
        Ok(rest)
    }
}
