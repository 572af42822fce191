//! Reading CSV files, row by row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use syndic_learning::{Contract, Role, Table, TableBuilder};

use super::{FileSource, SourceError};

/// The rows of a CSV file with a header line.
pub type CsvRows = csv::Reader<Box<dyn Read + Send>>;

/// Opens a CSV file; a name that ends in `.gz` is decompressed on the way.
///
/// # Errors
/// [`SourceError::Unreadable`].
pub fn open_csv(path: &Path) -> Result<CsvRows, SourceError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let bytes: Box<dyn Read + Send> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        _ => Box::new(BufReader::new(file)),
    };
    // Rows of another width than the header are the contract check's to report, with their numbers.
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(bytes))
}

impl FileSource {
    pub(super) fn load(&self, contract: &Contract) -> Result<Table, SourceError> {
        let failed = |error: csv::Error| unreadable(&self.file, &error);
        let mut rows = open_csv(&self.file)?;
        let header = rows.headers().map_err(failed)?.clone();
        let names: Vec<&str> = header.iter().collect();
        let position = |column: &String| {
            let found = names.iter().position(|name| name == column);
            found.ok_or_else(|| SourceError::NoColumn { path: self.file.clone(), column: column.clone() })
        };
        let split = match &self.split {
            Some(split) => Some((position(&split.column)?, split)),
            None => None,
        };
        let only = match &self.only {
            Some(only) => Some((position(&only.column)?, only)),
            None => None,
        };

        let mut builder = TableBuilder::new(contract, &names)?;
        let mut record = csv::StringRecord::new();
        let mut number = 0;
        while rows.read_record(&mut record).map_err(failed)? {
            number += 1;
            let cell = |position: usize| record.get(position).unwrap_or_default();
            if only.as_ref().is_some_and(|(at, only)| !only.values.iter().any(|value| value == cell(*at))) {
                continue;
            }
            let role = split.as_ref().map_or(Role::Train, |(at, split)| {
                let is_in = |values: &[String]| values.iter().any(|value| value == cell(*at));
                if is_in(&split.test) {
                    Role::Test
                } else if is_in(&split.validation) {
                    Role::Validation
                } else {
                    Role::Train
                }
            });
            let cells: Vec<&str> = record.iter().collect();
            builder.push(number, &cells, role);
        }
        Ok(builder.finish()?)
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> SourceError {
    SourceError::Unreadable { path: path.into(), reason: error.to_string() }
}
