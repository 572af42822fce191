//! Where an institution's rows come from, checked against the job's contract: a CSV file, or a query over sources.

mod csv_file;
mod error;
mod query;
mod rules;
mod section;
mod snapshot;
mod source_section;

use std::path::PathBuf;
use std::sync::Arc;

use syndic_learning::{Contract, Table, TableBuilder};

pub use error::SourceError;
pub use query::{Mapping, QuerySource};
pub use rules::{Consent, Magnitude, Only, Rules, Split};
pub use section::{ContractSection, DataSection};
pub use snapshot::Snapshot;
pub use source_section::SourceSection;

/// A source of rows.
#[derive(Clone)]
pub enum Source {
    /// A file of this host.
    File(FileSource),
    /// What a query over sources returns.
    Query(QuerySource),
    /// Rows that are in memory already.
    Loaded(Arc<Table>),
}

/// A CSV file whose columns have the contract's names, and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// The file; `.gz` is decompressed while it is read.
    pub file: PathBuf,
    /// Which of its rows are read, and for what.
    pub rules: Rules,
}

/// Rows that passed the contract's check, and what they were read from.
#[derive(Debug)]
pub struct Reading {
    /// The rows.
    pub table: Arc<Table>,
    /// What they were read from; none for rows that were in memory already.
    pub snapshot: Option<Snapshot>,
    /// How many rows were not read for want of consent.
    pub without_consent: Option<Magnitude>,
    /// How many customers the rows are of, where the contract names their column and they were read just now.
    pub customers: Option<u64>,
}

impl Source {
    /// The rows, checked against `contract`. Blocks.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn load(&self, contract: &Contract) -> Result<Reading, SourceError> {
        match self {
            Self::File(source) => source.load(contract),
            Self::Query(source) => source.load(contract),
            Self::Loaded(table) if table.contract() == contract => {
                Ok(Reading { table: table.clone(), snapshot: None, without_consent: None, customers: None })
            }
            Self::Loaded(table) => Err(SourceError::OtherContract(table.contract().id())),
        }
    }
}

impl Reading {
    fn new(
        builder: TableBuilder,
        chooser: &rules::Chooser<'_>,
        snapshot: Snapshot,
    ) -> Result<Self, SourceError> {
        let customers = builder.customers();
        let table = Arc::new(builder.finish()?);
        Ok(Self { table, snapshot: Some(snapshot), without_consent: chooser.without_consent(), customers })
    }
}
