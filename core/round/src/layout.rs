//! What the entries of a vector are: blocks of values with a bound and a resolution.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A run of values that share a bound and a resolution.
///
/// A value `x` travels as the integer `x / resolution`, rounded; `|x| <= bound` is enforced by clipping.
/// Counts have a resolution of 1 and are exact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What the values are, unique within the layout.
    pub name: String,
    /// How many values.
    pub len: u32,
    /// The largest absolute value.
    pub bound: f64,
    /// The smallest difference that the sum shows.
    pub resolution: f64,
}

/// The blocks of a vector, in order. Unconstructible when a bound or a resolution makes no sense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Block>", into = "Vec<Block>")]
pub struct Layout(Vec<Block>);

/// Why blocks are no layout.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// No block, or one without values.
    #[error("block `{0}` has no values")]
    Empty(String),
    /// Two blocks of one name.
    #[error("two blocks are named `{0}`")]
    Duplicate(String),
    /// A bound or resolution that is not a positive finite number, or whose ratio exceeds 2^52.
    #[error("block `{0}` needs a positive bound and resolution, at most 2^52 steps apart")]
    Range(String),
    /// More than 2^32 - 1 values in all, or more than 1,024 blocks.
    #[error("a layout holds fewer than 2^32 values in at most 1,024 blocks")]
    TooLong,
}

impl Layout {
    /// A layout of these blocks.
    ///
    /// # Errors
    /// [`LayoutError`] when a block is empty, unbounded or named twice.
    pub fn new(blocks: Vec<Block>) -> Result<Self, LayoutError> {
        if blocks.len() > MAX_BLOCKS {
            return Err(LayoutError::TooLong);
        }
        if blocks.is_empty() {
            return Err(LayoutError::Empty(String::new()));
        }
        for (position, block) in blocks.iter().enumerate() {
            let positive = |x: f64| x.is_finite() && x > 0.0;
            if block.len == 0 {
                return Err(LayoutError::Empty(block.name.clone()));
            }
            if !positive(block.bound)
                || !positive(block.resolution)
                || block.bound / block.resolution > MAX_STEPS
                || block.largest_step() < 1
            {
                return Err(LayoutError::Range(block.name.clone()));
            }
            if blocks[..position].iter().any(|earlier| earlier.name == block.name) {
                return Err(LayoutError::Duplicate(block.name.clone()));
            }
        }
        if blocks.iter().map(|block| u64::from(block.len)).sum::<u64>() > u64::from(u32::MAX) {
            return Err(LayoutError::TooLong);
        }
        Ok(Self(blocks))
    }

    /// The blocks in order.
    pub fn blocks(&self) -> &[Block] {
        &self.0
    }

    /// Values in all blocks.
    pub fn len(&self) -> usize {
        self.0.iter().map(|block| block.len as usize).sum()
    }

    /// Never true: a layout has at least one value. Here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The positions of the values of the block with this name.
    pub fn range(&self, name: &str) -> Option<core::ops::Range<usize>> {
        let mut start = 0;
        for block in &self.0 {
            let end = start + block.len as usize;
            if block.name == name {
                return Some(start..end);
            }
            start = end;
        }
        None
    }
}

impl Block {
    /// The largest absolute integer that stands for a value of this block.
    pub fn largest_step(&self) -> i64 {
        libm::ceil(self.bound / self.resolution) as i64
    }
}

impl TryFrom<Vec<Block>> for Layout {
    type Error = LayoutError;

    fn try_from(blocks: Vec<Block>) -> Result<Self, Self::Error> {
        Self::new(blocks)
    }
}

impl From<Layout> for Vec<Block> {
    fn from(layout: Layout) -> Self {
        layout.0
    }
}

/// More blocks than any program needs, and few enough to compare their names.
const MAX_BLOCKS: usize = 1_024;

/// Integers up to here are exact in an f64, with a bit to spare for rounding.
const MAX_STEPS: f64 = (1_u64 << 52) as f64;
