//! Bins: where the numbers of each column are cut, and the rows of a table as bin numbers.
//!
//! A number is in the first bin whose edge it does not exceed, or in the last bin. A level is a bin of its own, and so are the
//! missing values of a nullable column: the first bin of a numeric one, the one behind the levels of a categorical one.

use serde::{Deserialize, Serialize};

use super::TreesMismatch;
use crate::contract::{Column, ColumnKind, Contract};
use crate::table::{Table, Values, is_missing};

/// The edges of the numeric columns, in contract order, after their transforms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bins {
    /// For each numeric column the upper edges of all its bins but the last, ascending.
    pub edges: Vec<Vec<f64>>,
}

/// The bins of some rows of a table: one number for each column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinnedRows {
    columns: usize,
    bins: Vec<u16>,
}

impl Bins {
    /// Checks them against the contract.
    ///
    /// # Errors
    /// When there is not one ascending list of fewer than [`MOST_BINS`] finite edges for each numeric column.
    pub fn check(&self, contract: &Contract) -> Result<(), TreesMismatch> {
        let is_ascending = |edges: &Vec<f64>| {
            edges.len() < MOST_BINS
                && edges.iter().all(|edge| edge.is_finite())
                && edges.windows(2).all(|pair| pair[0] < pair[1])
        };
        if self.edges.len() != contract.numeric().count() {
            return Err(TreesMismatch("one list of edges for each numeric column"));
        }
        match self.edges.iter().all(is_ascending) {
            true => Ok(()),
            false => Err(TreesMismatch("edges that ascend, are finite and are not too many")),
        }
    }

    /// How many bins each column has, in contract order.
    pub fn widths(&self, contract: &Contract) -> Vec<usize> {
        let mut edges = self.edges.iter();
        let width = |column: &Column| match &column.kind {
            ColumnKind::Numeric { .. } => {
                edges.next().map_or(1, |edges| edges.len() + 1) + usize::from(column.nullable)
            }
            ColumnKind::Categorical { .. } => column.inputs(),
        };
        contract.columns.iter().map(width).collect()
    }
}

impl BinnedRows {
    /// The bins of the rows at these positions of a table.
    ///
    /// # Errors
    /// When the bins are not those of the table's contract.
    pub fn of(table: &Table, rows: &[usize], bins: &Bins) -> Result<Self, TreesMismatch> {
        bins.check(table.contract())?;
        let columns = table.columns().len();
        let mut binned = vec![0; rows.len() * columns];
        let mut edges = bins.edges.iter();
        for (column, (of, values)) in table.contract().columns.iter().zip(table.columns()).enumerate() {
            let targets = binned.iter_mut().skip(column).step_by(columns).zip(rows);
            match values {
                Values::Numeric(values) if of.nullable => {
                    let edges = edges.next().map_or(&[][..], Vec::as_slice);
                    let bin = |value| if is_missing(value) { MISSING_BIN } else { 1 + bin_of(value, edges) };
                    targets.for_each(|(target, &row)| *target = bin(values[row]));
                }
                Values::Numeric(values) => {
                    let edges = edges.next().map_or(&[][..], Vec::as_slice);
                    targets.for_each(|(target, &row)| *target = bin_of(values[row], edges));
                }
                Values::Categorical(values) => targets.for_each(|(target, &row)| *target = values[row]),
            }
        }
        Ok(Self { columns, bins: binned })
    }

    /// The rows in order, each as the bins of its columns.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u16]> {
        // A contract has at least one column.
        self.bins.chunks_exact(self.columns.max(1))
    }
}

/// The bin of a number.
fn bin_of(value: f64, edges: &[f64]) -> u16 {
    edges.partition_point(|&edge| edge < value) as u16
}

/// The bin of the missing values of a nullable numeric column.
pub(crate) const MISSING_BIN: u16 = 0;

/// The most bins that a numeric column may have: more gain nothing on the tables that this was measured on, and a sum
/// grows with them.
pub const MOST_BINS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn bins() -> Bins {
        Bins { edges: vec![vec![30.0, 50.0], vec![]] }
    }

    #[test]
    fn a_number_on_an_edge_is_in_the_bin_below_it() {
        let bins: Vec<u16> = [-1.0, 30.0, 30.1, 50.0, 51.0].map(|x| bin_of(x, &[30.0, 50.0])).to_vec();
        assert_eq!(bins, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn rows_are_binned_by_edges_and_levels() {
        let mut builder =
            crate::TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["31", "field", "0", "1"], crate::Role::Train);
        builder.push(2, &["70", "none", "-9", "0"], crate::Role::Train);
        let table = builder.finish().unwrap();
        let binned = BinnedRows::of(&table, &[1, 0], &bins()).unwrap();
        assert_eq!(binned.rows().collect::<Vec<_>>(), [&[2, 2, 0], &[1, 1, 0]]);
        assert_eq!(bins().widths(table.contract()), [3, 3, 1]);
    }

    #[test]
    fn missing_values_have_a_bin_of_their_own() {
        let mut contract = fixture::contract();
        contract.columns[..2].iter_mut().for_each(|column| column.nullable = true);
        let mut builder = crate::TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["", "field", "0", "1"], crate::Role::Train);
        builder.push(2, &["18", "", "-9", "0"], crate::Role::Train);
        let table = builder.finish().unwrap();
        let binned = BinnedRows::of(&table, &[0, 1], &bins()).unwrap();
        assert_eq!(binned.rows().collect::<Vec<_>>(), [&[0, 1, 0], &[1, 3, 0]]);
        assert_eq!(bins().widths(table.contract()), [4, 4, 1]);
    }

    #[test]
    fn bins_that_do_not_fit_the_contract_are_refused() {
        let contract = fixture::contract();
        assert_eq!(bins().check(&contract), Ok(()));
        for edges in [
            vec![vec![]],
            vec![vec![2.0, 1.0], vec![]],
            vec![vec![1.0, 1.0], vec![]],
            vec![vec![f64::NAN], vec![]],
            vec![vec![f64::INFINITY], vec![]],
            vec![(0..64).map(f64::from).collect(), vec![]],
        ] {
            assert!(Bins { edges: edges.clone() }.check(&contract).is_err(), "{edges:?}");
        }
    }
}
