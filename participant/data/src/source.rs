//! What a query may read from: a name, and where its rows are. It holds no secret, only the names of files that do.

use std::path::PathBuf;

use crate::Format;

/// A table that a query may read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What the query calls it.
    pub name: String,
    /// Where its rows are.
    pub origin: Origin,
}

/// Where rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On this host.
    Files(Files),
    /// In a bucket of an S3-compatible store.
    Objects(Objects),
    /// In PostgreSQL.
    Database(Database),
}

/// Files of this host, of one form, that a query sees as one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// A file; a folder, all of whose files of the format are read; or a file name with `*` in it.
    pub path: PathBuf,
    /// How the files are written.
    pub format: Format,
}

/// Objects of one form that a query sees as one table. They are copied to this host before the query begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// `s3://bucket/key`; with a `/` at its end all objects directly below it that end as the format says; or with `*` in the
    /// last part of the key.
    pub url: String,
    /// How the objects are written.
    pub format: Format,
    /// Where the store answers, if it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// A file as `~/.aws/credentials`; without one the environment decides.
    pub credentials_file: Option<PathBuf>,
    /// Certificates, in PEM, of authorities that vouch for the store beside those of this host.
    pub authorities_file: Option<PathBuf>,
    /// The most megabytes that are copied.
    pub max_mb: u64,
}

/// The rows of a query that PostgreSQL answers. They are copied to this host before the other query begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// `postgres://user@host:port/database`, without a password.
    pub url: String,
    /// One query that reads, in PostgreSQL's own SQL.
    pub query: String,
    /// A file with the password alone; without one `PGPASSWORD` or the server's own rules decide.
    pub password_file: Option<PathBuf>,
    /// Certificates, in PEM, of the authorities that vouch for the server.
    pub authorities_file: Option<PathBuf>,
    /// The most megabytes that are copied.
    pub max_mb: u64,
}

impl Source {
    /// Files of this host.
    pub fn of_files(name: impl Into<String>, path: impl Into<PathBuf>, format: Format) -> Self {
        Self { name: name.into(), origin: Origin::Files(Files { path: path.into(), format }) }
    }

    /// Why its address cannot be used, if so. Repeats nothing of it; asks nobody.
    pub fn misfit(&self) -> Option<&'static str> {
        #[cfg(feature = "sql")]
        return crate::remote::misfit(&self.origin);
        // Without SQL no source is ever read.
        #[cfg(not(feature = "sql"))]
        return None;
    }
}
