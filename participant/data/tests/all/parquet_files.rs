//! Parquet files as a source: a folder is one table, and what is no such file is told by its name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use syndic_data::{Format, Query, QueryError, ReadError, Rows, Source};
use syndic_learning::Cell;

#[derive(Default)]
struct Taken(Vec<String>);

impl Rows for Taken {
    type Refusal = ();

    fn begin(&mut self, _: &[&str]) -> Result<(), ()> {
        Ok(())
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), ()> {
        let cells: Vec<_> = cells.iter().map(|cell| cell.text().into_owned()).collect();
        self.0.push(format!("{number}: {}", cells.join("|")));
        // Enough: whoever takes rows may end the query.
        if number == 6 { Err(()) } else { Ok(()) }
    }
}

fn write(path: &Path, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn read(folder: &Path, sql: &str) -> Result<Taken, ReadError<()>> {
    let sources = [Source::of_files("calls", folder, Format::Parquet)];
    let scratch = tempfile::tempdir().unwrap();
    let query = Query { sources: &sources, sql, memory_mb: 64, scratch: scratch.path() };
    let mut taken = Taken::default();
    query.read(&mut taken).map(|_| taken)
}

fn refused(folder: &Path, sql: &str) -> QueryError {
    match read(folder, sql) {
        Err(ReadError::Query(error)) => error,
        _ => panic!("{sql} was run"),
    }
}

const ALL: &str = "SELECT \"Customer\", town FROM calls";

#[test]
fn the_files_of_a_folder_are_one_table_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("2.parquet"), &[("Customer", numbers(&[3])), ("town", texts(&["faro"]))]);
    write(&at("1 a%41.parquet"), &[("town", texts(&["porto", ""])), ("Customer", numbers(&[1, 2]))]);
    fs::write(at("_SUCCESS"), "").unwrap();
    assert_eq!(read(folder.path(), ALL).unwrap().0, ["1: 1|porto", "2: 2|", "3: 3|faro"]);
    assert_eq!(refused(folder.path(), "SELECT customer FROM calls").code(), "data.query-column");

    write(&at("3.parquet"), &[("Customer", numbers(&[4, 5, 6, 7])), ("town", texts(&["a", "b", "c", "d"]))]);
    assert!(matches!(read(folder.path(), ALL), Err(ReadError::Refused(()))), "who takes the rows ends it");
}

#[test]
fn a_file_that_is_not_like_the_others_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("1.parquet"), &[("Customer", numbers(&[1])), ("town", texts(&["porto"]))]);
    for other in [
        vec![("Customer", numbers(&[4711]))],
        vec![("Customer", texts(&["4711"])), ("town", texts(&["jane 4711"]))],
    ] {
        write(&at("2.parquet"), &other);
        let error = refused(folder.path(), ALL);
        assert_eq!(error.code(), "data.source-malformed");
        assert!(error.to_string().contains("2.parquet") && !format!("{error:?}").contains("4711"), "{error}");
    }
    fs::write(at("2.parquet"), "Customer,town\n4711,jane\n").unwrap();
    let error = refused(folder.path(), ALL);
    assert!(
        error.to_string().contains("is no Parquet file") && !error.to_string().contains("4711"),
        "{error}"
    );
}

#[test]
fn a_damaged_page_is_told_without_what_stands_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.parquet");
    write(&path, &[("Customer", numbers(&[4711; 500])), ("town", texts(&["jane 4711"; 500]))]);
    let mut bytes = fs::read(&path).unwrap();
    // The first page's header, behind the four bytes that begin the file.
    bytes[4..24].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = refused(folder.path(), ALL);
    assert_eq!(error.code(), "data.source-damaged", "{error}");
    assert!(!format!("{error} {error:?}").contains("4711"), "{error}");
}
