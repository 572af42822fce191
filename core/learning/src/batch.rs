//! Rows to be scored, a batch at a time: each is checked as a row of training is, and one that breaks a rule is refused alone.

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::contract::Contract;
use crate::data_report::{DataFinding, DataReport, DataRule};
use crate::table::{Role, Table};
use crate::table_builder::{empty_columns, find_columns, read_into, vocabularies};

/// Checked rows that wait to be scored. They need no label.
pub struct Batch {
    table: Table,
    width: usize,
    positions: Vec<usize>,
    label: Option<usize>,
    vocabularies: Vec<BTreeMap<String, u16>>,
}

/// Why a row was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule that it breaks first.
    pub rule: DataRule,
    /// The position in the contract of the column that breaks it; none where the rule is about the row or the label.
    pub column: Option<usize>,
}

impl Batch {
    /// An empty batch of rows under `header`. Columns that the contract does not name are not read, and the label only
    /// where it is asked for.
    ///
    /// # Errors
    /// A report that names every required column that is missing or occurs twice.
    pub fn new(contract: &Contract, header: &[&str], with_label: bool) -> Result<Self, DataReport> {
        let label = with_label.then_some(contract.label.column.as_str());
        let (positions, label) = find_columns(contract, header, label)?;
        let table = Table {
            contract: contract.clone(),
            columns: empty_columns(contract),
            labels: Vec::new(),
            roles: Vec::new(),
        };
        Ok(Self { table, width: header.len(), positions, label, vocabularies: vocabularies(contract) })
    }

    /// Checks and adds one row. Spaces around a cell do not count.
    ///
    /// # Errors
    /// The rule that it breaks; then the batch is as it was.
    pub fn push(&mut self, cells: &[&str]) -> Result<(), Refused> {
        if cells.len() != self.width {
            return Err(Refused { rule: DataRule::RowWidth, column: None });
        }
        let label = self.label_of(cells)?;
        let rows = self.table.rows();
        for (column, &position) in self.positions.iter().enumerate() {
            let read = read_into(
                &mut self.table.columns[column],
                &self.table.contract.columns[column],
                &self.vocabularies[column],
                Cell::Text(cells[position]).trimmed(),
            );
            if let Err(rule) = read {
                self.table.columns.iter_mut().for_each(|values| values.truncate(rows));
                return Err(Refused { rule, column: Some(column) });
            }
        }
        self.table.labels.push(label);
        self.table.roles.push(Role::Test);
        Ok(())
    }

    /// The rows so far, in their order. Labels that were not asked for are all negative.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
        self.table.columns.iter_mut().for_each(|values| values.truncate(0));
        self.table.labels.clear();
        self.table.roles.clear();
    }

    /// The finding for a refused row, to be told.
    pub fn finding(&self, refused: Refused, row_number: u64) -> DataFinding {
        DataFinding::of_row(&self.table.contract, refused.rule, refused.column, self.width, row_number)
    }

    fn label_of(&self, cells: &[&str]) -> Result<bool, Refused> {
        let Some(position) = self.label else { return Ok(false) };
        let (cell, label) = (cells[position].trim(), &self.table.contract.label);
        match cell == label.positive {
            false if cell != label.negative => Err(Refused { rule: DataRule::UnknownLabel, column: None }),
            positive => Ok(positive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const HEADER: [&str; 4] = ["job", "extra", "age", "balance"];

    #[test]
    fn a_refused_row_leaves_the_batch_as_it_was() {
        let mut batch = Batch::new(&fixture::contract(), &HEADER, false).unwrap();
        batch.push(&["office", "x", " 30 ", "-20.5"]).unwrap();
        for (row, rule, column) in [
            (&["office", "x", "31", "much"][..], DataRule::NotANumber, Some(2)),
            (&["pilot", "x", "31", "1"], DataRule::UnknownLevel, Some(1)),
            (&["office", "x", "-1", "1"], DataRule::OutOfRange, Some(0)),
            (&["office", "x", "", "1"], DataRule::EmptyCell, Some(0)),
            (&["office", "x", "31"], DataRule::RowWidth, None),
        ] {
            assert_eq!(batch.push(row), Err(Refused { rule, column }));
        }
        batch.push(&["none", "", "40", "1e3"]).unwrap();
        assert_eq!(batch.table().rows(), 2);
        let same = crate::TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]);
        let mut same = same.unwrap();
        same.push(1, &["30", "office", "-20.5", "1"], Role::Train);
        same.push(2, &["40", "none", "1e3", "0"], Role::Train);
        let same = same.finish().unwrap();
        let inputs = |table: &Table| {
            let standardisation = crate::Standardisation { mean: vec![1.0; 2], sd: vec![2.0; 2] };
            let inputs = crate::Inputs::of(table, &[0, 1], &standardisation).unwrap();
            (0..2).flat_map(|row| inputs.row(row).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(batch.table()), inputs(&same));
        batch.clear();
        assert_eq!(batch.table().rows(), 0);
    }

    #[test]
    fn a_refusal_is_told_without_the_value() {
        let mut batch = Batch::new(&fixture::contract(), &HEADER, false).unwrap();
        let refused = batch.push(&["office", "x", "4711", "1"]).unwrap_err();
        let finding = batch.finding(refused, 12);
        assert_eq!((finding.code(), finding.column.as_deref()), ("data.out-of-range", Some("age")));
        let message = finding.message();
        assert!(message.contains("12") && !message.contains("4711"), "{message}");
    }

    #[test]
    fn the_label_is_read_where_it_is_asked_for_and_needed_nowhere_else() {
        let contract = fixture::contract();
        assert!(Batch::new(&contract, &HEADER, true).is_err());
        let header = ["job", "label", "age", "balance"];
        let mut batch = Batch::new(&contract, &header, true).unwrap();
        batch.push(&["office", "1", "30", "0"]).unwrap();
        batch.push(&["office", "0", "30", "0"]).unwrap();
        assert_eq!(batch.table().labels(), [true, false]);
        let unknown = Err(Refused { rule: DataRule::UnknownLabel, column: None });
        assert_eq!(batch.push(&["office", "maybe", "30", "0"]), unknown);
        let mut unlabelled = Batch::new(&contract, &header, false).unwrap();
        assert_eq!(unlabelled.push(&["office", "maybe", "30", "0"]), Ok(()));
    }
}
