//! Rows that a query of the configuration returns.

use std::collections::BTreeMap;
use std::path::PathBuf;

use syndic_data::{Query, ReadError, Rows, Source as Table};
use syndic_learning::data_report::DataRule;
use syndic_learning::{Cell, Contract, DataReport, TableBuilder};

use super::rules::Chooser;
use super::{Reading, Rules, Snapshot, SourceError};

/// An institution's sources, and the query that maps them to each contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySource {
    /// What queries may read from.
    pub sources: Vec<Table>,
    /// A query for each contract, by the contract's id.
    pub contracts: BTreeMap<String, Mapping>,
    /// A folder for what does not fit the memory of a query.
    pub scratch: PathBuf,
}

/// How own columns become those of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// One SELECT.
    pub query: String,
    /// Working memory of the query in megabytes.
    pub memory_mb: u64,
    /// The most megabytes that its rows may take, held as the contract needs them.
    pub table_mb: Option<u64>,
    /// Which of its rows are read, and for what.
    pub rules: Rules,
}

impl QuerySource {
    /// The rows that the contract's query returns, numbered from 1.
    pub(super) fn load(&self, contract: &Contract) -> Result<Reading, SourceError> {
        let id = contract.id();
        let mapping = self.contracts.get(&id).ok_or_else(|| SourceError::NoQuery(id.clone()))?;
        let Mapping { query, memory_mb, table_mb, rules } = mapping;
        let query =
            Query { sources: &self.sources, sql: query, memory_mb: *memory_mb, scratch: &self.scratch };
        let mut taker = Taker { contract, rules, table_mb: *table_mb, taken: None };
        let sources = query.read(&mut taker).map_err(|error| match error {
            ReadError::Query(error) => error.into(),
            ReadError::Refused(error) => error,
        })?;
        let Some((chooser, builder)) = taker.taken else { return Err(SourceError::NoQuery(id)) };
        let query = Some(mapping.query.clone());
        let snapshot = Snapshot { contract: id, query, rules: rules.clone(), sources };
        Reading::new(builder, &chooser, snapshot)
    }
}

struct Taker<'a> {
    contract: &'a Contract,
    rules: &'a Rules,
    table_mb: Option<u64>,
    taken: Option<(Chooser<'a>, TableBuilder)>,
}

impl Rows for Taker<'_> {
    type Refusal = SourceError;

    fn begin(&mut self, columns: &[&str]) -> Result<(), SourceError> {
        let position = |name: &str| {
            let found = columns.iter().position(|column| *column == name);
            found.ok_or_else(|| SourceError::NotReturnedRule(name.into()))
        };
        let builder = TableBuilder::new(self.contract, columns).map_err(|report| self.missing(report))?;
        self.taken = Some((self.rules.over(position)?, builder));
        Ok(())
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), SourceError> {
        let Some((chooser, builder)) = &mut self.taken else { return Ok(()) };
        if let Some(role) = chooser.role(|at| cells[at]) {
            builder.push_cells(number, cells, role);
        }
        match self.table_mb {
            Some(table_mb)
                if number.is_multiple_of(LOOK) && builder.bytes() as u64 > table_mb.saturating_mul(MB) =>
            {
                Err(SourceError::TooLarge { rows: number, table_mb })
            }
            _ => Ok(()),
        }
    }
}

impl Taker<'_> {
    fn missing(&self, report: DataReport) -> SourceError {
        let is_missing = report.findings.iter().all(|finding| finding.rule == DataRule::ColumnMissing);
        let columns: Vec<String> =
            report.findings.iter().filter_map(|finding| finding.column.clone()).collect();
        match is_missing {
            true => SourceError::NotReturned { columns, contract: self.contract.id() },
            false => report.into(),
        }
    }
}

/// Rows between two looks at what they take: no more than that is held too much.
const LOOK: u64 = 1 << 12;
const MB: u64 = 1 << 20;
