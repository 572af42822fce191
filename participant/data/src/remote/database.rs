//! The rows that PostgreSQL gives for the query of a source, copied into a file in one transaction that reads and does nothing else.

use std::fs::File;
use std::future::Future;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgStatement};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _,
};
use tokio_stream::StreamExt as _;

use super::copied_cells::Kind;
use super::copied_table::{CopiedRows, Field};
use super::{MB, address, in_time, secret};
use crate::{Database, FetchError, FileDigest, QueryError, SourceFiles};

/// Copies the rows of `source` into a new file at `path`, and tells what came: one part, `rows`, whose first line names columns and
/// types. Memory does not grow with the rows.
///
/// # Errors
/// [`FetchError`], or where the file cannot be written.
pub(crate) async fn copy(
    source: &str,
    database: &Database,
    path: PathBuf,
) -> Result<(CopiedRows, SourceFiles), QueryError> {
    let mut options = address::postgres(&database.url)
        .map_err(|reason| FetchError::Address { source: source.into(), reason })?;
    if let Some(file) = &database.password_file {
        let password = secret::read(source, file)?;
        // Editors end a file with a newline; passwords do not.
        options = options.password(password.trim_end_matches(['\r', '\n']));
    }
    if let Some(file) = &database.authorities_file {
        // Read here, so that what is wrong with it is not taken for a server that does not answer.
        let (pem, _) = secret::authorities(source, file)?;
        options = options.ssl_root_cert_from_pem(pem);
    }
    let server = Server { source, place: address::place(&options) };
    in_time(source, &server.place, server.copy(options, database, path)).await
}

/// Who is asked, and for which source.
struct Server<'a> {
    source: &'a str,
    place: String,
}

impl Server<'_> {
    async fn copy(
        &self,
        options: PgConnectOptions,
        database: &Database,
        path: PathBuf,
    ) -> Result<(CopiedRows, SourceFiles), QueryError> {
        let source = self.source;
        let mut connection = self.connect(options).await?;
        // If we are killed anywhere from here on the server ends the transaction, in which nothing was written.
        self.answer(connection.execute(sqlx::raw_sql(BEGIN))).await?;
        let query = database.query.trim_end_matches([';', ' ', '\t', '\r', '\n']);
        // By itself first: what is understood alone is one statement, and stays one between the brackets below.
        let prepared = connection.prepare(AssertSqlSafe(query).into_sql_str());
        let fields = self.fields(&self.answer(prepared).await?)?;

        let mut spool = Spool::create(&path, database.max_mb)?;
        spool.put(source, CopiedRows::header(&fields).as_bytes())?;
        // On a line of its own: the query may end in a comment.
        let statement = format!("COPY ({query}\n) TO STDOUT");
        let mut rows = self.answer(connection.copy_out_raw(&statement)).await?;
        while let Some(row) = self.answer(async { rows.next().await.transpose() }).await? {
            spool.put(source, &row)?;
        }
        drop(rows);
        // What matters is here; the server notices by itself when nobody says goodbye.
        let _ = tokio::time::timeout(GOODBYE, connection.close()).await;
        let files = vec![spool.finish()?];
        Ok((CopiedRows::new(source.into(), path, fields), SourceFiles { name: source.into(), files }))
    }

    async fn connect(&self, options: PgConnectOptions) -> Result<PgConnection, QueryError> {
        let options = options
            .application_name("syndic-participant")
            // Rows must not get into a log by way of a statement or a notice that quotes them.
            .disable_statement_logging();
        let connecting = tokio::time::timeout(CONNECT, options.connect());
        let connected = connecting.await.unwrap_or_else(|_| Err(silent()));
        connected.map_err(|error| self.failed(&error))
    }

    async fn answer<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, QueryError> {
        work.await.map_err(|error| self.failed(&error))
    }

    /// The columns, each with what it is read as.
    fn fields(&self, prepared: &PgStatement) -> Result<Vec<Field>, QueryError> {
        let source = || self.source.to_owned();
        let mut fields: Vec<Field> = Vec::new();
        for column in prepared.columns() {
            let (name, kind) = (column.name().to_owned(), column.type_info());
            let is_enum = matches!(kind.kind(), sqlx::postgres::PgTypeKind::Enum(_));
            let read_as = if is_enum { Some(Kind::Text) } else { Kind::of(kind.name()) };
            let Some(read_as) = read_as else {
                let kind = kind.name().to_lowercase();
                return Err(FetchError::ColumnType { source: source(), column: name, kind }.into());
            };
            if fields.iter().any(|field| field.name == name) {
                return Err(self.refused(format!("it gives two columns `{name}`")));
            }
            fields.push(Field { name, kind: read_as });
        }
        match fields.is_empty() {
            true => Err(self.refused("it gives no columns".into())),
            false => Ok(fields),
        }
    }

    fn refused(&self, reason: String) -> QueryError {
        FetchError::Query { source: self.source.into(), reason }.into()
    }

    /// What the server or the way to it says, without the server's own words: they quote values.
    fn failed(&self, error: &sqlx::Error) -> QueryError {
        let (source, place) = (self.source.to_owned(), self.place.clone());
        let Some(told) = error.as_database_error() else {
            let reason = match error {
                sqlx::Error::Io(error) => error.to_string(),
                sqlx::Error::Tls(error) => format!("TLS: {error}"),
                sqlx::Error::Configuration(_) => "the settings of the connection cannot be used".into(),
                _ => "the connection broke off".into(),
            };
            return FetchError::Unreachable { source, place, reason }.into();
        };
        let code = told.code().unwrap_or_default().into_owned();
        let reason = match named(&code) {
            Some(named) => format!("{named} (SQLSTATE {code})"),
            None => format!("SQLSTATE {code}"),
        };
        match &*code {
            "42501" | "3D000" => FetchError::Denied { source, place, reason }.into(),
            code if code.starts_with("28") => FetchError::Denied { source, place, reason }.into(),
            code if ["0A", "21", "22", "25", "42"].iter().any(|class| code.starts_with(class)) => {
                let position = told.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::position);
                self.refused(match position {
                    Some(PgErrorPosition::Original(at)) => format!("{reason}, at character {at} of it"),
                    _ => reason,
                })
            }
            _ => FetchError::Unreachable { source, place, reason }.into(),
        }
    }
}

/// The file that rows are copied into, and what they were.
struct Spool {
    file: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
    max_mb: u64,
}

impl Spool {
    fn create(path: &PathBuf, max_mb: u64) -> Result<Self, QueryError> {
        let file = BufWriter::new(File::create_new(path).map_err(QueryError::engine)?);
        Ok(Self { file, digest: Sha256::new(), bytes: 0, max_mb })
    }

    fn put(&mut self, source: &str, bytes: &[u8]) -> Result<(), QueryError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.max_mb.saturating_mul(MB) {
            return Err(FetchError::TooLarge { source: source.into(), max_mb: self.max_mb }.into());
        }
        self.digest.update(bytes);
        self.file.write_all(bytes).map_err(QueryError::engine)
    }

    fn finish(mut self) -> Result<FileDigest, QueryError> {
        self.file.flush().map_err(QueryError::engine)?;
        let sha256 = hex::encode(self.digest.finalize());
        Ok(FileDigest { name: "rows".into(), bytes: self.bytes, sha256 })
    }
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}

/// What a code means that somebody may meet who sets up a source.
fn named(code: &str) -> Option<&'static str> {
    Some(match code {
        "22012" => "division by zero",
        "22P02" | "22003" | "22007" | "22008" => "a value cannot be converted",
        "25006" => "it writes, and may only read",
        "28P01" => "the password is wrong, or there is none",
        "28000" => "the user may not log in",
        "3D000" => "there is no such database",
        "40001" => "a standby cancelled it",
        "42501" => "the user has no right to it",
        "42601" => "it is no single query",
        "42703" => "it names a column that is not there",
        "42883" => "it calls a function that is not there",
        "42P01" => "it reads from a table that is not there",
        "55P03" => "somebody held a lock on a table for too long",
        "57014" => "somebody cancelled it",
        "57P01" => "the server shuts down",
        "57P03" => "the server starts up",
        _ => return None,
    })
}

/// One snapshot for all of it, in which no statement writes; and settings in which the same rows are the same text, in the same
/// order where the query sorts them, and mostly also where it does not.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL client_min_messages TO error;
    SET LOCAL client_encoding TO 'UTF8';
    SET LOCAL datestyle TO 'ISO, YMD';
    SET LOCAL timezone TO 'UTC';
    SET LOCAL extra_float_digits TO 1;
    SET LOCAL lock_timeout TO '60s';
    SET LOCAL statement_timeout TO 0;
    SET LOCAL synchronize_seqscans TO off;
    SET LOCAL max_parallel_workers_per_gather TO 0";
const CONNECT: Duration = Duration::from_secs(30);
const GOODBYE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn authorities_that_cannot_be_used_are_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let garbled = folder.path().join("garbled");
        std::fs::write(&garbled, "no certificate").unwrap();
        for file in [garbled, folder.path().join("nowhere")] {
            let database = Database {
                url: "postgres://reader@localhost:1/crm".into(),
                query: "SELECT 1".into(),
                password_file: None,
                authorities_file: Some(file),
                max_mb: 1,
            };
            let told = copy("crm", &database, folder.path().join("rows")).await.map(drop).unwrap_err();
            assert_eq!(told.code(), "data.source-credentials");
        }
    }
}
