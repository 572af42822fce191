//! Which sums a description has, and where in the vector each is: for the question, for answers, and for what is read of their sum.

use crate::contract::{Column, ColumnKind, Contract};

/// What is counted and summed of the columns that are described.
#[derive(Clone, Debug)]
pub(super) struct Shape<'c> {
    /// The columns.
    pub(super) columns: Vec<&'c Column>,
    /// Cells of each column of numbers.
    pub(super) cells: u32,
    /// Pairs of columns of numbers, by their positions among those, that are correlated.
    pub(super) pairs: Vec<Pair>,
}

/// Two columns of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    /// Whether a row may lack one of the two values, so that what is known of each column says too little of the rows that have both.
    pub(super) has_gaps: bool,
}

/// Where the blocks of a vector begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Rows by class.
    pub(super) rows: usize,
    /// Cells by class.
    pub(super) cells: [usize; 2],
    pub(super) sums: usize,
    pub(super) squares: usize,
    pub(super) products: usize,
    /// Of pairs with gaps: rows, two sums, two sums of squares.
    pub(super) pair_rows: usize,
    pub(super) pair_sums: usize,
    pub(super) pair_squares: usize,
    /// How long it is.
    pub(super) end: usize,
}

impl<'c> Shape<'c> {
    /// That of these columns of `contract`. With noise, pairs with gaps are left out.
    pub(super) fn of(
        contract: &'c Contract,
        names: &[String],
        cells: u32,
        (correlates, is_noisy): (bool, bool),
    ) -> Self {
        let columns: Vec<&Column> =
            names.iter().filter_map(|name| contract.columns.iter().find(|one| one.name == *name)).collect();
        let nullable: Vec<bool> =
            columns.iter().filter(|column| is_numeric(column)).map(|column| column.nullable).collect();
        let mut pairs = Vec::new();
        if correlates {
            for a in 0..nullable.len() {
                for b in a + 1..nullable.len() {
                    pairs.push(Pair { a, b, has_gaps: nullable[a] || nullable[b] });
                }
            }
        }
        pairs.retain(|pair| !(is_noisy && pair.has_gaps));
        Self { columns, cells, pairs }
    }

    /// How many cells or levels each column has; of a nullable one there is one more, the last, for what is missing.
    pub(super) fn widths(&self) -> Vec<u32> {
        let width = |column: &&Column| match column.positions() {
            Some(positions) => positions as u32,
            None => self.cells + u32::from(column.nullable),
        };
        self.columns.iter().map(width).collect()
    }

    /// Columns of numbers.
    pub(super) fn numbers(&self) -> usize {
        self.columns.iter().filter(|column| is_numeric(column)).count()
    }

    /// Pairs with gaps.
    pub(super) fn gaps(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.has_gaps).count()
    }

    /// Where the blocks begin.
    pub(super) fn places(&self) -> Places {
        let cells = self.widths().iter().map(|&width| width as usize).sum::<usize>();
        let (numbers, pairs, gaps) = (self.numbers(), self.pairs.len(), self.gaps());
        let sums = 2 + 2 * cells;
        let products = sums + 2 * numbers;
        let pair_rows = products + pairs;
        Places {
            rows: 0,
            cells: [2, 2 + cells],
            sums,
            squares: sums + numbers,
            products,
            pair_rows,
            pair_sums: pair_rows + gaps,
            pair_squares: pair_rows + 3 * gaps,
            end: pair_rows + 5 * gaps,
        }
    }

    /// To how many sums one row adds at most, to each of them one at most: its class, a cell of each column, value and square of each
    /// number, and the product of each pair.
    pub(super) fn touched(&self) -> u64 {
        (1 + self.columns.len() + 2 * self.numbers() + self.pairs.len() + 5 * self.gaps()) as u64
    }
}

pub(super) fn is_numeric(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Numeric { .. })
}
