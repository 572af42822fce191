//! Sources that are not on this host, read from real servers: PostgreSQL, and an S3 store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod databases;
mod objects;
#[path = "../../../../../coordinator/tests/servers/mod.rs"]
mod servers;

use std::path::{Path, PathBuf};

use syndic_data::{Query, QueryError, ReadError, Rows, Source, SourceFiles};
use syndic_learning::Cell;

/// The rows that a query gave, each as its cells between bars.
#[derive(Default)]
struct Taken(Vec<String>);

impl Rows for Taken {
    type Refusal = ();

    fn begin(&mut self, _: &[&str]) -> Result<(), ()> {
        Ok(())
    }

    fn row(&mut self, _: u64, cells: &[Cell<'_>]) -> Result<(), ()> {
        self.0.push(cells.iter().map(|cell| format!("{cell:?}")).collect::<Vec<_>>().join("|"));
        Ok(())
    }
}

fn read(sources: &[Source], sql: &str) -> Result<(Vec<String>, Vec<SourceFiles>), QueryError> {
    let folder = tempfile::tempdir().unwrap();
    let mut taken = Taken::default();
    let read = Query { sources, sql, memory_mb: 64, scratch: folder.path() }.read(&mut taken);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "what was copied is removed");
    match read {
        Ok(files) => Ok((taken.0, files)),
        Err(ReadError::Query(error)) => Err(error),
        Err(ReadError::Refused(())) => panic!("no row is refused"),
    }
}

/// All that is said of a failure.
fn told(error: &QueryError) -> String {
    format!("{error}\n{error:?}\n{}", error.help())
}

fn secret(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    path
}
