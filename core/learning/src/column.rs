//! The values of one column, held small: what repeats is held once for each block of rows, without any loss.

use std::ops::Index;

/// Values in row order. A block of [`BLOCK`] rows takes a byte for each row where the block has at most 256 different values,
/// two and its values where that is less than all of them, and all of them otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column<T> {
    blocks: Vec<Block<T>>,
    /// Rows that fill no block yet.
    rest: Vec<T>,
}

#[derive(Clone, Debug, PartialEq)]
enum Block<T> {
    Few { values: Box<[T]>, codes: Box<[u8]> },
    Many { values: Box<[T]>, codes: Box<[u16]> },
    Each(Box<[T]>),
}

/// What a column can hold: values that are told apart by their bits.
pub trait Value: Copy {
    /// The bits.
    fn bits(self) -> u64;
}

impl Value for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

impl Value for u16 {
    fn bits(self) -> u64 {
        self.into()
    }
}

impl<T: Value> Column<T> {
    /// A column of no rows.
    pub fn new() -> Self {
        Self { blocks: Vec::new(), rest: Vec::new() }
    }

    /// Adds the value of the next row.
    pub fn push(&mut self, value: T) {
        self.rest.push(value);
        if self.rest.len() == BLOCK {
            self.blocks.push(Block::of(&self.rest));
            self.rest.clear();
        }
    }

    /// Keeps the first `rows` values.
    pub(crate) fn truncate(&mut self, rows: usize) {
        let kept = rows / BLOCK;
        if kept < self.blocks.len() {
            self.rest = (kept * BLOCK..rows).map(|row| self[row]).collect();
            self.blocks.truncate(kept);
        } else {
            self.rest.truncate(rows - self.blocks.len() * BLOCK);
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK + self.rest.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in row order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map(|row| &self[row])
    }

    /// Bytes that the values take.
    pub fn bytes(&self) -> usize {
        let rest = self.rest.capacity() * size_of::<T>();
        self.blocks.iter().map(Block::bytes).sum::<usize>() + rest
    }
}

impl<T: Value> Index<usize> for Column<T> {
    type Output = T;

    fn index(&self, row: usize) -> &T {
        let (block, place) = (row / BLOCK, row % BLOCK);
        match self.blocks.get(block) {
            Some(Block::Few { values, codes }) => &values[usize::from(codes[place])],
            Some(Block::Many { values, codes }) => &values[usize::from(codes[place])],
            Some(Block::Each(values)) => &values[place],
            None => &self.rest[row - self.blocks.len() * BLOCK],
        }
    }
}

impl<T: Value> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut column = Self::new();
        values.into_iter().for_each(|value| column.push(value));
        column
    }
}

impl<T: Value> Block<T> {
    fn of(all: &[T]) -> Self {
        let mut values = all.to_vec();
        values.sort_unstable_by_key(|value| value.bits());
        values.dedup_by_key(|value| value.bits());
        let saved = |code: usize| values.len() * size_of::<T>() + all.len() * code < size_of_val(all);
        let code = |value: &T| values.partition_point(|other| other.bits() < value.bits());
        // A code is below the number of values, so that it fits.
        match values.len() {
            few if few <= 1 << 8 && saved(1) => {
                let codes = all.iter().map(|value| code(value) as u8).collect();
                Self::Few { values: values.into(), codes }
            }
            _ if saved(2) => {
                let codes = all.iter().map(|value| code(value) as u16).collect();
                Self::Many { values: values.into(), codes }
            }
            _ => Self::Each(all.into()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Few { values, codes } => size_of_val(&**values) + codes.len(),
            Self::Many { values, codes } => size_of_val(&**values) + 2 * codes.len(),
            Self::Each(values) => size_of_val(&**values),
        }
    }
}

/// Rows of a block: as many as two bytes tell apart.
pub const BLOCK: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Values of so many kinds, in an order that repeats no block.
    fn numbers(rows: usize, kinds: u64) -> Vec<f64> {
        let of = |row: usize| ((row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % kinds;
        (0..rows).map(|row| of(row) as f64 / 7.0 - 3.0).collect()
    }

    /// Bytes that the full blocks should take: a code for each row and the values, or all values.
    fn smallest(values: &[f64]) -> usize {
        let of_block = |block: &[f64]| {
            let different = block.iter().map(|value| value.to_bits()).collect::<BTreeSet<_>>().len();
            let code = if different <= 256 { 1 } else { 2 };
            (code * BLOCK + 8 * different).min(8 * BLOCK)
        };
        values.chunks_exact(BLOCK).map(of_block).sum()
    }

    #[test]
    fn every_value_comes_back_to_the_bit_from_as_few_bytes_as_codes_save() {
        for kinds in [1, 256, 257, 20_000, 60_000, 1 << 40] {
            let values = numbers(2 * BLOCK + 5, kinds);
            let column: Column<f64> = values.iter().copied().collect();
            assert_eq!(column.len(), values.len());
            assert!(column.iter().zip(&values).all(|(held, value)| held.to_bits() == value.to_bits()));
            assert_eq!(column.bytes() - column.rest.capacity() * 8, smallest(&values), "{kinds} kinds");
        }
    }

    #[test]
    fn what_is_cut_off_leaves_the_rows_before_it() {
        let values = numbers(2 * BLOCK + 5, 300);
        for rows in [2 * BLOCK + 5, 2 * BLOCK + 1, 2 * BLOCK, BLOCK + 7, BLOCK, 3, 0] {
            let mut column: Column<f64> = values.iter().copied().collect();
            column.truncate(rows);
            assert!(column.iter().eq(&values[..rows]), "{rows}");
            column.push(0.25);
            assert_eq!((column.len(), column[rows]), (rows + 1, 0.25));
        }
    }

    #[test]
    fn zeros_of_both_signs_are_two_values() {
        let column: Column<f64> = (0..BLOCK).map(|row| if row % 2 == 0 { 0.0 } else { -0.0 }).collect();
        assert!((0..BLOCK).all(|row| column[row].is_sign_negative() == (row % 2 == 1)));
    }

    #[test]
    fn levels_take_a_byte_where_there_are_few() {
        let few: Column<u16> = (0..BLOCK).map(|row| (row % 256) as u16).collect();
        let many: Column<u16> = (0..BLOCK).map(|row| (row % 257) as u16).collect();
        assert!(few.bytes() - few.rest.capacity() * 2 < BLOCK + 1_000, "{}", few.bytes());
        assert!(many.bytes() - many.rest.capacity() * 2 == 2 * BLOCK, "{}", many.bytes());
        assert!(
            (0..BLOCK).all(|row| usize::from(few[row]) == row % 256 && usize::from(many[row]) == row % 257)
        );
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn no_row_follows_the_last() {
        let column: Column<f64> = [1.0].into_iter().collect();
        let _ = column[1];
    }
}
