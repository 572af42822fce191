//! A Parquet file that is larger than the memory it may be read in: what the reading takes at its peak.
//!
//! 300,000 rows in the tests and ten million under `cargo xtask soak` (`SYNDIC_SOAK`), of the same ten columns from the same
//! seed. A test of its own, since the memory is that of the process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use syndic_data::{Format, Query, Rows, Source};
use syndic_learning::table::Values;
use syndic_learning::{Cell, Column, ColumnKind, Contract, Label, Role, Table, TableBuilder, Transform};

/// Takes rows as a participant does: each is checked, and held as the contract needs it.
struct Held {
    contract: Contract,
    builder: Option<TableBuilder>,
}

impl Rows for Held {
    type Refusal = String;

    fn begin(&mut self, columns: &[&str]) -> Result<(), String> {
        let builder = TableBuilder::new(&self.contract, columns).map_err(|report| report.to_string())?;
        self.builder = Some(builder);
        Ok(())
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), String> {
        self.builder.as_mut().unwrap().push_cells(number, cells, Role::Train);
        Ok(())
    }
}

#[test]
fn a_file_larger_than_the_memory_of_its_query_is_read_as_it_was_written() {
    let rows = if std::env::var_os("SYNDIC_SOAK").is_some() { 10_000_000 } else { 1_000_000 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.parquet");
    let sums = write(&path, rows);
    let file_mb = fs::metadata(&path).unwrap().len() as f64 / MB;
    println!("{rows} rows of ten columns, {file_mb:.0} MB of Parquet, {:.0} MB as values", values_mb(rows));

    for (title, order, memory_mb) in [("as they come", "", 32), ("sorted on disk", " ORDER BY noise_1", 32)] {
        let (before, begun) = (reset_peak(), Instant::now());
        let table = read(&path, folder.path(), &format!("{MAPPING}{order}"), memory_mb, rows);
        let (peak, held) = (peak_mb(), table.bytes() as f64 / MB);
        println!(
            "{title}: {:.1} s, {held:.0} MB held as a table, {:.0} MB at the peak ({before:.0} MB before), {memory_mb} MB \
             granted to the query",
            begun.elapsed().as_secs_f64(),
            peak - before,
        );
        assert_eq!(table.rows() as u64, rows);
        assert_eq!(column_sums(&table), sums, "{title}: every value arrives, once");
        // Beside the query's own memory: column chunks of a row group as they lie in the file, the batch under way, and
        // the label's and roles' vectors while they grow.
        let bound = f64::from(memory_mb as u32) + held * 1.25 + BESIDE_MB;
        assert!(peak - before < bound, "{title}: {:.0} MB, not below {bound:.0}", peak - before);
    }
}

/// Sums of the four columns that hold whole numbers, which no order of adding changes.
fn column_sums(table: &Table) -> [f64; 4] {
    [0, 1, 2, 3].map(|column| match &table.columns()[column] {
        Values::Numeric(values) => values.iter().sum(),
        Values::Categorical(_) => f64::NAN,
    })
}

fn read(path: &Path, scratch: &Path, sql: &str, memory_mb: u64, rows: u64) -> Table {
    let sources = [Source::of_files("customers", path, Format::Parquet)];
    let query = Query { sources: &sources, sql, memory_mb, scratch };
    let mut held = Held { contract: contract(rows), builder: None };
    let files = query.read(&mut held).unwrap();
    assert_eq!(files[0].files[0].bytes, fs::metadata(path).unwrap().len());
    held.builder.unwrap().finish().unwrap()
}

/// Seven of the file's columns under the contract's names, one of them computed, and a label.
const MAPPING: &str = "SELECT age, contracts, calls, cents AS bill, cents / 100.0 AS bill_units, noise_1, noise_2, branch, \
                       CASE WHEN gone THEN 'yes' ELSE 'no' END AS label \
                       FROM (SELECT *, left_in > 0 AS gone FROM customers)";

fn contract(rows: u64) -> Contract {
    let kind = ColumnKind::Numeric { transform: Transform::Identity, min: -1e9, max: 1e9 };
    let numeric = ["age", "contracts", "calls", "bill", "bill_units", "noise_1", "noise_2"];
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
        sensitive: false,
        level: None,
        nullable: false,
        other: false,
    };
    let mut columns: Vec<Column> = numeric.map(|name| column(name, kind.clone())).into();
    let levels = BRANCHES.map(str::to_owned).into();
    columns.push(column("branch", ColumnKind::Categorical { levels }));
    Contract {
        name: "large".into(),
        version: 1,
        max_rows: rows,
        customer: None,
        max_rows_per_customer: None,
        label: Label { column: "label".into(), positive: "yes".into(), negative: "no".into() },
        columns,
    }
}

/// Writes the file, a batch at a time; the sums of its first four columns.
fn write(path: &Path, rows: u64) -> [f64; 4] {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let (mut seed, mut sums) = (0x5eed_u64, [0.0; 4]);
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut left = rows;
    while left > 0 {
        let batch = batch(left.min(BATCH), &mut seed, &mut sums);
        left -= batch.num_rows() as u64;
        if writer.is_none() {
            let file = File::create(path).unwrap();
            writer = Some(ArrowWriter::try_new(file, batch.schema(), Some(properties.clone())).unwrap());
        }
        writer.as_mut().unwrap().write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
    sums
}

fn batch(rows: u64, seed: &mut u64, sums: &mut [f64; 4]) -> RecordBatch {
    let mut integers = |below: u64, sum: Option<usize>| -> ArrayRef {
        let values: Vec<i32> = (0..rows).map(|_| i32::try_from(random(seed) % below).unwrap()).collect();
        if let Some(sum) = sum {
            sums[sum] += values.iter().map(|&value| f64::from(value)).sum::<f64>();
        }
        Arc::new(Int32Array::from(values))
    };
    let (age, contracts, calls) = (integers(82, Some(0)), integers(5, Some(1)), integers(1_000, Some(2)));
    let (cents, left_in, unread) = (integers(2_000_000, Some(3)), integers(2, None), integers(1 << 30, None));
    let mut floats = || -> ArrayRef {
        let values = (0..rows).map(|_| (random(seed) >> 11) as f64 / (1_u64 << 53) as f64);
        Arc::new(Float64Array::from_iter_values(values))
    };
    let (noise_1, noise_2, noise_3) = (floats(), floats(), floats());
    let branches = (0..rows).map(|_| BRANCHES[(random(seed) % 3) as usize]);
    let branch: ArrayRef = Arc::new(StringArray::from_iter_values(branches));
    RecordBatch::try_from_iter([
        ("age", age),
        ("contracts", contracts),
        ("calls", calls),
        ("cents", cents),
        ("left_in", left_in),
        ("unread", unread),
        ("noise_1", noise_1),
        ("noise_2", noise_2),
        ("noise_3", noise_3),
        ("branch", branch),
    ])
    .unwrap()
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The ten columns uncompressed: six integers of four bytes, three floats of eight, and text of five letters.
fn values_mb(rows: u64) -> f64 {
    rows as f64 * (6.0 * 4.0 + 3.0 * 8.0 + 5.0 + 4.0) / MB
}

/// Sets the process's peak to what it takes now, which is told.
fn reset_peak() -> f64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_mb()
}

/// The most memory that the process took since, in megabytes.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

const BRANCHES: [&str; 3] = ["porto", "lagos", "braga"];
/// Rows written at once.
const BATCH: u64 = 1 << 16;
const MB: f64 = (1 << 20) as f64;
/// Megabytes that a reading may take beside what is granted and what is held.
const BESIDE_MB: f64 = 96.0;
