//! One SELECT, and who takes its rows.

use std::path::Path;

use syndic_learning::Cell;

use crate::files::SourceFiles;
use crate::{QueryError, Source};

/// A query over sources.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// What it may read from.
    pub sources: &'a [Source],
    /// One SELECT.
    pub sql: &'a str,
    /// Working memory in megabytes: beyond it the query sorts, groups and joins on disk, or fails.
    pub memory_mb: u64,
    /// A folder for what does not fit, made where it is not there: a private one is made in it, and removed afterwards.
    pub scratch: &'a Path,
}

/// Takes the rows of a query.
pub trait Rows {
    /// Why it takes none.
    type Refusal;

    /// The names of the columns, before the first row.
    ///
    /// # Errors
    /// When these are not the ones that it needs.
    fn begin(&mut self, columns: &[&str]) -> Result<(), Self::Refusal>;

    /// The next row, counted from 1.
    ///
    /// # Errors
    /// When it takes no more: the query ends.
    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), Self::Refusal>;
}

/// Why the rows were not read.
#[derive(Debug)]
pub enum ReadError<R> {
    /// The query.
    Query(QueryError),
    /// Who takes the rows refuses their columns, or more of them.
    Refused(R),
}

impl Query<'_> {
    /// Gives all rows to `rows`, and tells which files they are from: those of the sources that the query reads. Blocks; must
    /// not be called on a thread that drives a runtime.
    ///
    /// # Errors
    /// [`ReadError`]; the rows that were given until then are not to be used.
    pub fn read<R: Rows>(&self, rows: &mut R) -> Result<Vec<SourceFiles>, ReadError<R::Refusal>> {
        #[cfg(feature = "sql")]
        {
            let mut kept = Kept { rows, refusal: None };
            self.run(&mut kept).map_err(|error| match error {
                ReadError::Query(error) => ReadError::Query(error),
                ReadError::Refused(()) => {
                    ReadError::Refused(kept.refusal.take().expect("who refuses has said why"))
                }
            })
        }
        #[cfg(not(feature = "sql"))]
        {
            let _ = rows;
            Err(QueryError::NoSql.into())
        }
    }
}

/// Keeps why no more rows are taken.
#[cfg(feature = "sql")]
struct Kept<'a, R: Rows> {
    rows: &'a mut R,
    refusal: Option<R::Refusal>,
}

#[cfg(feature = "sql")]
impl<R: Rows> Rows for Kept<'_, R> {
    type Refusal = ();

    fn begin(&mut self, columns: &[&str]) -> Result<(), ()> {
        self.rows.begin(columns).map_err(|refusal| self.refusal = Some(refusal))
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), ()> {
        self.rows.row(number, cells).map_err(|refusal| self.refusal = Some(refusal))
    }
}

impl<R> From<QueryError> for ReadError<R> {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}
