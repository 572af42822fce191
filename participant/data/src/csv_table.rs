//! CSV files as a table of text: an empty cell is NULL, and spaces around a cell do not count.
//!
//! No type is guessed: what looks like a number in the first rows decides nothing about the others.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use flate2::read::MultiGzDecoder;

use crate::files::LocalFiles;
use crate::{CsvLines, QueryError, other_separator};

type Reader = csv::Reader<CsvLines<Box<dyn Read + Send>>>;

/// The table that the source's files make together.
pub(crate) fn table(source: &LocalFiles) -> Result<Arc<dyn TableProvider>, QueryError> {
    let files = source.files()?;
    let mut names: Option<Vec<String>> = None;
    for path in &files {
        let header = Files::header(source, &mut open(source, path)?, path)?;
        match &names {
            None => names = Some(header),
            Some(first) if *first == header => {}
            Some(_) => return Err(malformed(source, path, "has other columns than the first file".into())),
        }
    }
    let fields: Vec<Field> =
        names.iter().flatten().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let files = Files { source: source.clone(), files, schema: Arc::new(Schema::new(fields)) };
    let table = StreamingTable::try_new(Arc::clone(&files.schema), vec![Arc::new(files)]);
    table.map(|table| Arc::new(table) as _).map_err(|_| QueryError::Plan(String::new()))
}

#[derive(Clone, Debug)]
struct Files {
    source: LocalFiles,
    files: Vec<PathBuf>,
    schema: SchemaRef,
}

impl PartitionStream for Files {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (files, schema) = (self.clone(), Arc::clone(&self.schema));
        let batches = self.files.clone().into_iter().flat_map(move |path| Batches::of(files.clone(), path));
        let batches = batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Box::pin(RecordBatchStreamAdapter::new(schema, tokio_stream::iter(batches)))
    }
}

impl Files {
    /// The names in the first line.
    fn header(source: &LocalFiles, rows: &mut Reader, path: &Path) -> Result<Vec<String>, QueryError> {
        let header = rows.headers().cloned().map_err(|error| unread(source, path, &error, rows))?;
        if let Some(separator) = other_separator(header.iter()) {
            return Err(malformed(source, path, format!("is separated by {separator}, not by commas")));
        }
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        // Which name it is stays untold: where the header is missing it would be somebody's row.
        let mut sorted = names.clone();
        sorted.sort();
        match sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(malformed(source, path, "has two columns of one name".into())),
            false => Ok(names),
        }
    }
}

/// The rows of one file, a few thousand at a time; ends after the first error.
struct Batches {
    files: Files,
    path: PathBuf,
    rows: Option<Reader>,
    /// Why the file cannot be read at all.
    failed: Option<QueryError>,
}

impl Batches {
    fn of(files: Files, path: PathBuf) -> Self {
        match open(&files.source, &path) {
            Ok(rows) => Self { files, path, rows: Some(rows), failed: None },
            Err(error) => Self { files, path, rows: None, failed: Some(error) },
        }
    }

    fn read(&self, rows: &mut Reader) -> Result<Option<RecordBatch>, QueryError> {
        let width = self.files.schema.fields().len();
        let mut columns: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
        let (mut record, mut read) = (csv::StringRecord::new(), 0);
        while read < ROWS
            && rows
                .read_record(&mut record)
                .map_err(|error| unread(&self.files.source, &self.path, &error, rows))?
        {
            let line = rows.get_mut().line(record.position());
            if record.len() != width {
                let source = &self.files.source;
                let (source, path) = (source.name.clone(), source.shown(&self.path));
                return Err(QueryError::RowWidth { source, path, line, cells: width });
            }
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.append_option(Some(cell.trim()).filter(|cell| !cell.is_empty()));
            }
            read += 1;
        }
        let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(read));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.files.schema), columns, &options);
        if read == 0 { Ok(None) } else { batch.map(Some).map_err(|_| QueryError::Value) }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let mut rows = self.rows.take()?;
        let batch = self.read(&mut rows).transpose()?;
        if batch.is_ok() {
            self.rows = Some(rows);
        }
        Some(batch)
    }
}

/// Opens a file whose first line is its header; a name that ends in `.gz` is decompressed on the way.
fn open(source: &LocalFiles, path: &Path) -> Result<Reader, QueryError> {
    let file = File::open(path).map_err(|error| source.unreadable(path, &error))?;
    let bytes: Box<dyn Read + Send> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        _ => Box::new(BufReader::new(file)),
    };
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(CsvLines::new(bytes)))
}

/// What the CSV reader says, in words that quote nothing.
fn unread(source: &LocalFiles, path: &Path, error: &csv::Error, rows: &mut Reader) -> QueryError {
    match (error.kind(), rows.get_mut().line(error.position())) {
        (csv::ErrorKind::Io(error), _) => source.unreadable(path, error),
        (_, 0) => malformed(source, path, "is no CSV in UTF-8".into()),
        (_, line) => malformed(source, path, format!("is no CSV in UTF-8 at line {line}")),
    }
}

fn malformed(source: &LocalFiles, path: &Path, what: String) -> QueryError {
    QueryError::Malformed { source: source.name.clone(), path: source.shown(path), what }
}

/// Rows of a batch.
const ROWS: usize = 8_192;
