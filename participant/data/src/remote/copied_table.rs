//! Rows as PostgreSQL's COPY writes them, as a table of numbers, text and truths.
//!
//! A line is a row; a tab ends a cell, `\N` is NULL, and a backslash stands before what would be either (COPY, "Text Format"). The
//! first line is ours: names and types, so that they are part of what is digested.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{self, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use super::copied_cells::{Column, Kind, Wrong, unescaped};
use crate::{FetchError, QueryError};

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Rows that lie in a file.
#[derive(Clone, Debug)]
pub(crate) struct CopiedRows {
    source: String,
    path: PathBuf,
    fields: Vec<Field>,
    schema: SchemaRef,
}

impl CopiedRows {
    pub(super) fn new(source: String, path: PathBuf, fields: Vec<Field>) -> Self {
        let columns: Vec<_> =
            fields.iter().map(|field| datatypes::Field::new(&field.name, field.kind.arrow(), true)).collect();
        Self { source, path, fields, schema: Arc::new(Schema::new(columns)) }
    }

    /// The first line of the file.
    pub(super) fn header(fields: &[Field]) -> String {
        let escaped = |name: &str| {
            name.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
        };
        let named = |field: &Field| format!("{} {}", escaped(&field.name), field.kind.word());
        fields.iter().map(named).collect::<Vec<_>>().join("\t") + "\n"
    }

    /// The table that they make.
    pub(crate) fn table(&self) -> Result<Arc<dyn TableProvider>, QueryError> {
        let table = StreamingTable::try_new(Arc::clone(&self.schema), vec![Arc::new(self.clone())]);
        table.map(|table| Arc::new(table) as _).map_err(|_| QueryError::Plan(String::new()))
    }

    fn batches(&self) -> Result<Batches, QueryError> {
        let mut lines = BufReader::with_capacity(BLOCK, File::open(&self.path).map_err(QueryError::engine)?);
        lines.skip_until(b'\n').map_err(QueryError::engine)?;
        Ok(Batches { rows: self.clone(), lines, read: 0, is_over: false })
    }
}

impl PartitionStream for CopiedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let external = |error: QueryError| DataFusionError::External(Box::new(error));
        let (batches, failed) = match self.batches() {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(external(error)))),
        };
        let batches = batches.into_iter().flatten().map(move |batch| batch.map_err(external));
        let stream = tokio_stream::iter(failed.into_iter().chain(batches));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

/// The rows of the file, a few thousand at a time; ends after the first error.
struct Batches {
    rows: CopiedRows,
    lines: BufReader<File>,
    read: u64,
    is_over: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let batch = self.batch();
        self.is_over = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl Batches {
    fn batch(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let mut columns: Vec<Column> = self.rows.fields.iter().map(|field| Column::of(field.kind)).collect();
        let (mut line, mut text, before) = (Vec::new(), String::new(), self.read);
        let mut bytes = 0;
        while self.read - before < ROWS && bytes < BYTES {
            line.clear();
            if self.lines.read_until(b'\n', &mut line).map_err(QueryError::engine)? == 0 {
                break;
            }
            self.read += 1;
            bytes += line.len();
            let row = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line))
                .map_err(|_| QueryError::Value)?;
            let mut cells = row.split('\t');
            for (column, field) in columns.iter_mut().zip(&self.rows.fields) {
                let cell = cells.next().ok_or(QueryError::Value)?;
                let pushed = column.push(unescaped(cell, &mut text), field.kind);
                pushed.map_err(|wrong| self.rows.wrong(&wrong, field, self.read))?;
            }
            if cells.next().is_some() {
                return Err(QueryError::Value);
            }
        }
        if self.read == before {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.rows.schema), columns).map(Some).map_err(|_| QueryError::Value)
    }
}

impl CopiedRows {
    fn wrong(&self, wrong: &Wrong, field: &Field, row: u64) -> QueryError {
        match wrong {
            Wrong::Digits => {
                FetchError::Digits { source: self.source.clone(), column: field.name.clone(), row }.into()
            }
            Wrong::Other => QueryError::Value,
        }
    }
}

/// Rows of a batch.
const ROWS: u64 = 8_192;
/// Bytes of lines after which a batch ends early, so that long texts take no more memory than that and one line.
const BYTES: usize = 8 << 20;
/// Bytes read at once.
const BLOCK: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray as _;
    use datafusion::arrow::datatypes::{Float64Type, Int64Type};

    use super::*;

    fn rows(folder: &std::path::Path, kinds: &[Kind], lines: &str) -> CopiedRows {
        let field = |(at, kind): (usize, &Kind)| Field { name: format!("c{at}"), kind: *kind };
        let fields: Vec<Field> = kinds.iter().enumerate().map(field).collect();
        let path = folder.join("rows");
        std::fs::write(&path, CopiedRows::header(&fields) + lines).unwrap();
        CopiedRows::new("crm".into(), path, fields)
    }

    fn read(kinds: &[Kind], lines: &str) -> Result<Vec<RecordBatch>, QueryError> {
        let folder = tempfile::tempdir().unwrap();
        rows(folder.path(), kinds, lines).batches()?.collect()
    }

    #[test]
    fn cells_are_what_they_were_before_they_were_copied() {
        let lines = concat!("a\\\\b\tx  \n", "\\N\t\\N\n", "\t\n", "\\\\N\ttab\\there\\nand é\n");
        let batches = read(&[Kind::Text, Kind::Padded], lines).unwrap();
        let texts = |at: usize| {
            let column = batches[0].column(at).as_string::<i32>();
            column.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(texts(0), [told("a\\b"), None, told(""), told("\\N")]);
        assert_eq!(texts(1), [told("x"), None, told(""), told("tab\there\nand é")]);
    }

    #[test]
    fn numbers_and_truths_are_read_by_their_types() {
        let kinds = [Kind::Integer, Kind::Number, Kind::Decimal, Kind::Truth];
        let lines = "-9223372036854775808\t1e-300\t-0012.50\tt\n\\N\t-Infinity\tNaN\tf\n7\tNaN\t1000000000000000000000\t\\N\n";
        let batches = read(&kinds, lines).unwrap();
        let (integers, truths) =
            (batches[0].column(0).as_primitive::<Int64Type>(), batches[0].column(3).as_boolean());
        assert_eq!(integers.iter().collect::<Vec<_>>(), [Some(i64::MIN), None, Some(7)]);
        assert_eq!(truths.iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
        let numbers = |at: usize| batches[0].column(at).as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(numbers(1)[..2], [1e-300, f64::NEG_INFINITY]);
        assert_eq!((numbers(2)[0], numbers(2)[1].is_nan(), numbers(2)[2]), (-12.5, true, 1e21));
    }

    #[test]
    fn a_decimal_number_that_a_binary_one_does_not_hold_is_refused_by_row_and_column() {
        let told = read(&[Kind::Integer, Kind::Decimal], "1\t2\n1\t4711.000000000000471\n").unwrap_err();
        assert_eq!(told.code(), "data.source-digits");
        let told = format!("{told} {told:?}");
        assert!(
            told.contains("row 2 of source `crm`") && told.contains("`c1`") && !told.contains("4711"),
            "{told}"
        );
    }

    #[test]
    fn a_decimal_number_beyond_the_range_of_binary_ones_is_refused() {
        let (large, small) = (format!("1{}", "0".repeat(400)), format!("-0.{}1", "0".repeat(400)));
        let subnormal = format!("0.{}15", "0".repeat(322));
        for number in [&large, &small, &subnormal] {
            let told = read(&[Kind::Decimal], &format!("{number}\n")).unwrap_err();
            assert_eq!(told.code(), "data.source-digits", "{number}");
        }
        let batches = read(&[Kind::Decimal], "0.00\n-Infinity\n").unwrap();
        let numbers = batches[0].column(0).as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(numbers, [0.0, f64::NEG_INFINITY]);
    }

    #[test]
    fn a_row_that_is_not_of_its_columns_is_refused() {
        for line in ["1\n", "1\t2\t3\n", "one\t2\n"] {
            let told = read(&[Kind::Integer, Kind::Integer], line).unwrap_err();
            assert_eq!(told.code(), "data.query-value", "{line}");
        }
    }

    #[test]
    fn names_and_types_are_part_of_what_is_digested() {
        let field = |name: &str, kind| Field { name: name.into(), kind };
        let header = CopiedRows::header(&[field("a\tb", Kind::Decimal), field("c d", Kind::Truth)]);
        assert_eq!(header, "a\\tb decimal\tc d truth\n");
    }

    #[test]
    fn long_rows_come_in_smaller_batches() {
        let lines = ("x".repeat(1 << 20) + "\n").repeat(20);
        let batches = read(&[Kind::Text], &lines).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [8, 8, 4]);
    }

    #[test]
    fn many_rows_come_in_batches() {
        let lines: String = (0..20_000).map(|row| format!("{row}\n")).collect();
        let batches = read(&[Kind::Integer], &lines).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [8_192, 8_192, 3_616]);
        assert_eq!(batches[2].column(0).as_primitive::<Int64Type>().value(3_615), 19_999);
    }
}
