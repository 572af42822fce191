//! A source as a query meets it: files on this host, or rows that were copied to it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};

use crate::files::{Format, LocalFiles, SourceFiles};
use crate::remote::{CopiedRows, copy, download};
use crate::{Origin, QueryError, Source, csv_table, parquet_table};

/// A source that was made ready to be read, and what it consisted of then.
pub(crate) struct Input {
    /// What it consisted of.
    pub(crate) read: SourceFiles,
    rows: Rows,
}

enum Rows {
    /// Files that others may write to.
    Theirs(LocalFiles),
    /// Files that were copied into a private folder.
    Ours(LocalFiles),
    Copied(CopiedRows),
}

impl Input {
    /// Makes `source` ready; what is elsewhere is copied into `scratch`.
    ///
    /// # Errors
    /// [`QueryError`].
    pub(crate) async fn of(source: &Source, scratch: &Path) -> Result<Self, QueryError> {
        let name = source.name.clone();
        match &source.origin {
            Origin::Files(files) => {
                let files = LocalFiles { name, path: files.path.clone(), format: files.format, from: None };
                Ok(Self { read: files.digest()?, rows: Rows::Theirs(files) })
            }
            Origin::Objects(objects) => {
                let path = scratch.join(format!("objects-{name}"));
                DirBuilder::new().mode(0o700).create(&path).map_err(QueryError::engine)?;
                let read = download(&name, objects, &path).await?;
                let from = objects.url.rsplit_once('/').map(|(folder, _)| folder.to_owned());
                // Which are meant is decided; a single one may be named as it likes.
                let path = match &read.files[..] {
                    [one] => path.join(&one.name),
                    _ => path.join("*"),
                };
                Ok(Self { read, rows: Rows::Ours(LocalFiles { name, path, format: objects.format, from }) })
            }
            Origin::Database(database) => {
                let (rows, read) = copy(&name, database, scratch.join(format!("rows-{name}"))).await?;
                Ok(Self { read, rows: Rows::Copied(rows) })
            }
        }
    }

    /// The table that a query reads.
    ///
    /// # Errors
    /// Where files are not what their format says.
    pub(crate) async fn table(&self, session: &dyn Session) -> Result<Arc<dyn TableProvider>, QueryError> {
        match &self.rows {
            Rows::Theirs(files) | Rows::Ours(files) => match files.format {
                Format::Csv => csv_table::table(files),
                Format::Parquet => parquet_table::table(session, files).await,
            },
            Rows::Copied(rows) => rows.table(),
        }
    }

    /// Whether its columns have names for certain: the first line of a CSV file without a header is a row.
    pub(crate) fn has_plain_names(&self) -> bool {
        match &self.rows {
            Rows::Theirs(files) | Rows::Ours(files) => files.format == Format::Parquet,
            Rows::Copied(_) => true,
        }
    }

    /// Checks that nobody wrote to it since.
    ///
    /// # Errors
    /// [`QueryError::Changed`].
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        match &self.rows {
            Rows::Theirs(files) if files.digest()? != self.read => {
                Err(QueryError::Changed(files.name.clone()))
            }
            _ => Ok(()),
        }
    }
}
