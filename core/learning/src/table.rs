//! An institution's rows, typed by the contract. [`TableBuilder`](crate::table_builder::TableBuilder) makes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::contract::{ColumnKind, Contract};
use crate::data_report::{DataFinding, DataReport, DataRule};

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Learnt from.
    Train,
    /// Used to choose among rounds.
    Validation,
    /// Used to report, never to choose.
    Test,
}

/// Rows that passed the contract's check. Its `Debug` shows how many, never what.
pub struct Table {
    pub(crate) contract: Contract,
    pub(crate) columns: Vec<Values>,
    pub(crate) labels: Vec<bool>,
    pub(crate) roles: Vec<Role>,
}

/// The values of one input column, in row order.
pub enum Values {
    /// Numbers after the column's transform; [`MISSING`] where there is none.
    Numeric(Column<f64>),
    /// Positions in the column's vocabulary; the one behind its end where there is no value.
    Categorical(Column<u16>),
}

/// What stands in a nullable column of numbers where there is none. No cell is read as this: numbers are finite. It is
/// one pattern of bits, so that it takes no more room than any other value that repeats.
///
/// Arithmetic that does not ask [`is_missing`] makes a sum of it that is not finite, and no contribution may be that. What
/// sorts or counts numbers has to ask.
pub const MISSING: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

/// Whether a number of a table is missing.
pub fn is_missing(number: f64) -> bool {
    number.is_nan()
}

impl Table {
    /// The rows of several tables as one, one table after the other; none without tables, or with tables of several contracts.
    pub fn joined(tables: &[&Self]) -> Option<Self> {
        let first = tables.first()?;
        if tables.iter().any(|table| table.contract != first.contract) {
            return None;
        }
        Some(Self {
            contract: first.contract.clone(),
            columns: (0..first.columns.len()).map(|column| Values::joined(tables, column)).collect(),
            labels: tables.iter().flat_map(|table| &table.labels).copied().collect(),
            roles: tables.iter().flat_map(|table| &table.roles).copied().collect(),
        })
    }

    /// The contract that the rows keep.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Bytes that the rows take in memory.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|values| match values {
            Values::Numeric(values) => values.bytes(),
            Values::Categorical(values) => values.bytes(),
        });
        columns.sum::<usize>() + self.labels.capacity() + self.roles.capacity()
    }

    /// The input columns, in the contract's order.
    pub fn columns(&self) -> &[Values] {
        &self.columns
    }

    /// True for each positive row.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// Positions of the rows with this role.
    pub fn rows_for(&self, role: Role) -> Vec<usize> {
        (0..self.rows()).filter(|&row| self.roles[row] == role).collect()
    }

    /// How many values are missing of each nullable column, in the contract's order, in rows of all roles. For the eyes
    /// of the institution alone.
    pub fn missing(&self) -> Vec<(&str, u64)> {
        let columns = self.contract.columns.iter().zip(&self.columns);
        let nullable = columns.filter(|(column, _)| column.nullable);
        let of = |(column, values): (_, &Values)| {
            let column: &crate::Column = column;
            let missing = (0..self.rows()).filter(|&row| values.is_missing(row, column)).count();
            (column.name.as_str(), missing as u64)
        };
        nullable.map(of).collect()
    }

    /// How many rows have a level that is not listed, of each column that counts those as one, in the contract's order, in rows of
    /// all roles; a cell that says `other` is one of them. For the eyes of the institution alone.
    pub fn others(&self) -> Vec<(&str, u64)> {
        let count = |(column, values): (&crate::Column, &Values)| match (values, &column.kind) {
            (Values::Categorical(values), ColumnKind::Categorical { levels }) if column.other => {
                Some(values.iter().filter(|&&level| usize::from(level) + 1 == levels.len()).count() as u64)
            }
            _ => None,
        };
        let columns = self.contract.columns.iter().zip(&self.columns);
        columns.filter_map(|(column, values)| Some((&*column.name, count((column, values))?))).collect()
    }

    /// Rows with this role, and the positives among them.
    pub fn count(&self, role: Role) -> (u64, u64) {
        let rows = self.rows_for(role);
        let positives = rows.iter().filter(|&&row| self.labels[row]).count();
        (rows.len() as u64, positives as u64)
    }

    /// Checks that the training rows are of both classes, which training without noise needs. With noise nothing may depend on
    /// it: whether it holds is an exact answer.
    ///
    /// # Errors
    /// A report with [`DataRule::OneClass`].
    pub fn check_classes(&self) -> Result<(), DataReport> {
        let (training, positives) = self.count(Role::Train);
        if (1..training).contains(&positives) {
            return Ok(());
        }
        let findings = vec![DataFinding::new(DataRule::OneClass, None, String::new())];
        Err(DataReport { rows: self.rows() as u64, findings })
    }
}

impl Values {
    /// Whether a row has no value. `column` is the column of the contract.
    pub(crate) fn is_missing(&self, row: usize, column: &crate::Column) -> bool {
        match self {
            Self::Numeric(values) => is_missing(values[row]),
            Self::Categorical(values) => {
                column.nullable && column.positions() == Some(usize::from(values[row]) + 1)
            }
        }
    }

    /// One column of several tables of one contract, which says of which kind it is in all of them.
    fn joined(tables: &[&Table], column: usize) -> Self {
        let (mut numbers, mut positions) = (Column::new(), Column::new());
        let mut is_numeric = true;
        for table in tables {
            match &table.columns[column] {
                Self::Numeric(values) => values.iter().for_each(|&value| numbers.push(value)),
                Self::Categorical(values) => {
                    is_numeric = false;
                    values.iter().for_each(|&value| positions.push(value));
                }
            }
        }
        if is_numeric { Self::Numeric(numbers) } else { Self::Categorical(positions) }
    }

    /// Keeps the first `rows` values.
    pub(crate) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Numeric(values) => values.truncate(rows),
            Self::Categorical(values) => values.truncate(rows),
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({}, {} rows)", self.contract.id(), self.rows())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn joined_tables_hold_the_rows_of_each_in_turn_and_missing_values_stay_missing() {
        let (one, other) = (fixture::table(30, 0.0, true, 1), fixture::table(20, 1.0, true, 2));
        let joined = Table::joined(&[&one, &other]).unwrap();
        assert_eq!(joined.rows(), 50);
        for role in [Role::Train, Role::Validation, Role::Test] {
            let both = [one.count(role), other.count(role)];
            assert_eq!(joined.count(role), (both[0].0 + both[1].0, both[0].1 + both[1].1));
        }
        for (column, values) in joined.columns().iter().enumerate() {
            let bits = |values: &Values, row: usize| match values {
                Values::Numeric(values) => values[row].to_bits(),
                Values::Categorical(values) => values[row].into(),
            };
            assert!((0..30).all(|row| bits(values, row) == bits(&one.columns()[column], row)));
            assert!((0..20).all(|row| bits(values, 30 + row) == bits(&other.columns()[column], row)));
        }
        let mut contract = fixture::contract();
        contract.columns.iter_mut().for_each(|column| column.nullable = true);
        let mut builder = crate::TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["", "", "5", "1"], Role::Train);
        let holed = builder.finish().unwrap();
        let twice = Table::joined(&[&holed, &holed]).unwrap();
        assert_eq!(twice.missing(), [("age", 2), ("job", 2), ("balance", 0)]);
        assert!(Table::joined(&[&one, &holed]).is_none() && Table::joined(&[]).is_none());
    }
}
