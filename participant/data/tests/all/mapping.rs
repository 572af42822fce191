//! The query of examples/mapping, over tables as its comments describe them, keeps the contract of the job that it names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use syndic_data::{Format, Query, Rows, Source};
use syndic_learning::{Cell, Job, Role, Table, TableBuilder};

const EXAMPLE: &str = include_str!("../../../../examples/mapping/participant.toml");
const JOB: &str = include_str!("../../../../examples/jobs/credit-default.toml");

struct Checked {
    job: Job,
    builder: Option<TableBuilder>,
}

impl Rows for Checked {
    type Refusal = String;

    fn begin(&mut self, columns: &[&str]) -> Result<(), String> {
        self.builder =
            Some(TableBuilder::new(&self.job.contract, columns).map_err(|report| report.to_string())?);
        Ok(())
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), String> {
        self.builder.as_mut().unwrap().push_cells(number, cells, Role::Train);
        Ok(())
    }
}

#[test]
fn the_example_maps_a_lenders_tables_to_the_contract_of_its_job() {
    let folder = tempfile::tempdir().unwrap();
    for (part, customers) in [("north", [1, 2]), ("south", [3, 4])] {
        fs::create_dir_all(folder.path().join("customers")).unwrap();
        customers_of(&folder.path().join(format!("customers/{part}.parquet")), customers);
    }
    fs::create_dir(folder.path().join("statements")).unwrap();
    statements(&folder.path().join("statements/2005-north.csv.gz"), &["1", "2"]);
    statements(&folder.path().join("statements/2005-south.csv.gz"), &["4", "3"]);
    statements(&folder.path().join("statements/2006-south.csv.gz"), &["3"]);

    let table = read(folder.path());
    assert_eq!(table.count(Role::Train), (4, 2));
}

fn read(folder: &Path) -> Table {
    let source = |name: &str, path: &str, format| Source::of_files(name, folder.join(path), format);
    let sources = [
        source("customers", "customers", Format::Parquet),
        source("statements", "statements/2005-*.csv.gz", Format::Csv),
    ];
    let sql = EXAMPLE.split("query = '''").nth(1).unwrap().split("'''").next().unwrap();
    let query = Query { sources: &sources, sql, memory_mb: 512, scratch: folder };
    let mut checked = Checked { job: Job::from_toml(JOB).unwrap(), builder: None };
    let files = query.read(&mut checked).unwrap();
    let names: Vec<Vec<&str>> =
        files.iter().map(|source| source.files.iter().map(|file| file.name.as_str()).collect()).collect();
    assert_eq!(names, [["north.parquet", "south.parquet"], ["2005-north.csv.gz", "2005-south.csv.gz"]]);
    checked.builder.unwrap().finish().unwrap()
}

fn customers_of(path: &Path, customers: [i64; 2]) {
    let integers = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("customer", integers(customers)),
        ("credit_limit", integers([20_000, 500_000])),
        ("gender", texts(["F", "M"])),
        ("schooling", integers([1, 9])),
        ("marital_status", texts(["Married", "Widowed"])),
        ("year_of_birth", integers([1950, 1980])),
        ("consented", Arc::new(BooleanArray::from(vec![true, false]))),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn statements(path: &Path, customers: &[&str]) {
    let six = |name: &str| (1..=6).map(|month| format!("{name}_{month}")).collect::<Vec<_>>().join(",");
    let mut text = format!("customer,{},{},{},defaulted\n", six("status"), six("bill"), six("paid"));
    for (at, customer) in customers.iter().enumerate() {
        let [status, bill, paid] = ["0", "-12345", "678900"].map(|cell| [cell; 6].join(","));
        text += &format!("{customer},{status},{bill},{paid},{at}\n");
    }
    let mut gz = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
}
