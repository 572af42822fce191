//! Reading CSV files, row by row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use syndic_learning::{Contract, Role, Table, TableBuilder};

use super::{FileSource, SourceError};

impl FileSource {
    /// The rows of the file. Spaces around a name or a cell do not count.
    pub(super) fn load(&self, contract: &Contract) -> Result<Table, SourceError> {
        let failed = |error: csv::Error| unreadable(&self.file, &error);
        let mut rows = open(&self.file)?;
        let header = rows.headers().map_err(failed)?.clone();
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let position = |column: &str| self.position(&names, column);
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
        while rows.read_record(&mut record).map_err(failed)? {
            let line = record.position().map_or(0, csv::Position::line);
            let cells: Vec<&str> = record.iter().map(str::trim).collect();
            // Which cell of a torn row is which nobody knows: no filter passes over it, the report names it.
            let whole = cells.len() == names.len();
            let is_in = |at: usize, values: &[String]| values.iter().any(|value| value == cells[at]);
            if whole && only.is_some_and(|(at, only)| !is_in(at, &only.values)) {
                continue;
            }
            let role = match split {
                Some((at, split)) if whole && is_in(at, &split.test) => Role::Test,
                Some((at, split)) if whole && is_in(at, &split.validation) => Role::Validation,
                _ => Role::Train,
            };
            builder.push(line, &cells, role);
        }
        Ok(builder.finish()?)
    }

    /// Where the one column of this name stands.
    fn position(&self, names: &[&str], column: &str) -> Result<usize, SourceError> {
        let (path, named) = (self.file.clone(), column.to_owned());
        let mut found = (0..names.len()).filter(|&position| names[position] == column);
        match (found.next(), found.next()) {
            (Some(position), None) => Ok(position),
            (None, _) => Err(SourceError::NoColumn { path, column: named, found: names.len() }),
            (Some(_), Some(_)) => Err(SourceError::ColumnRepeated { path, column: named }),
        }
    }
}

/// Opens a CSV file with a header line; a name that ends in `.gz` is decompressed on the way.
fn open(path: &Path) -> Result<csv::Reader<Box<dyn Read>>, SourceError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let bytes: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        _ => Box::new(BufReader::new(file)),
    };
    // Rows of another width than the header are the contract check's to report, with their lines.
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(bytes))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> SourceError {
    SourceError::Unreadable { path: path.into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use syndic_learning::{Job, Label};

    use super::super::{Only, Split};
    use super::*;

    /// A contract of one numeric column, `age`, and the label `y`.
    fn contract() -> Contract {
        let job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
        let mut contract = job.contract;
        contract.columns.retain(|column| column.name == "age");
        contract.label = Label { column: "y".into(), positive: "yes".into(), negative: "no".into() };
        contract
    }

    fn load(text: &str, split: Option<Split>, only: Option<Only>) -> Result<Table, SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.csv");
        std::fs::write(&file, text).unwrap();
        FileSource { file, split, only }.load(&contract())
    }

    fn only(value: &str) -> Option<Only> {
        Some(Only { column: "branch".into(), values: vec![value.into()] })
    }

    fn split() -> Option<Split> {
        Some(Split { column: "fold".into(), test: vec!["0".into()], validation: vec!["1".into()] })
    }

    #[test]
    fn a_torn_row_is_refused_by_its_line_also_where_a_filter_reads_few_rows() {
        let text = "age,y,branch\n30,yes,porto\n31,no,porto\n40,yes,lisbon\n87.25\n50,no,lisbon,87.25\n";
        for chosen in [None, only("porto"), only("lisbon"), only("87.25")] {
            let told = load(text, None, chosen).err().unwrap();
            assert_eq!(told.code(), "data.row-width");
            let told = told.to_string();
            assert!(told.contains("2 rows, first 5, 6") && !told.contains("87.25"), "{told}");
        }
    }

    #[test]
    fn a_filter_reads_the_rows_that_it_names_and_no_others() {
        let text = "age,y, branch\n30,yes, porto \n31,no,porto\n400,maybe,lisbon\n";
        assert_eq!(load(text, None, only("porto")).unwrap().count(Role::Train), (2, 1));
        let told = load(text, None, only("lisbon")).err().unwrap().to_string();
        assert!(told.contains("first 4"), "{told}");
        assert_eq!(load(text, None, only("faro")).err().unwrap().code(), "data.empty");
    }

    #[test]
    fn a_split_puts_rows_aside_by_their_value() {
        let text = "age,y,fold\n30,yes,0\n31,no, 1\n32,yes,2\n33,no,3\n";
        let table = load(text, split(), None).unwrap();
        let counts = [Role::Test, Role::Validation, Role::Train].map(|role| table.count(role));
        assert_eq!(counts, [(1, 1), (1, 0), (2, 1)]);
    }

    #[test]
    fn a_first_line_that_is_no_header_is_not_shown() {
        let text = "87.25,yes,north\n12,no,south\n";
        let no_header = load(text, None, None).err().unwrap();
        assert_eq!(no_header.code(), "data.column-missing");
        let no_filter = load(text, None, only("north")).err().unwrap();
        assert_eq!(no_filter.code(), "data.column-missing");
        assert!(no_filter.to_string().contains("none of the 3 columns"), "{no_filter}");
        for told in [no_header.to_string(), no_filter.to_string()] {
            assert!(!told.contains("87.25") && !told.contains("north"), "{told}");
        }
    }

    #[test]
    fn a_column_named_twice_is_not_guessed() {
        let text = "age,y,branch,branch\n30,yes,porto,lisbon\n31,no,porto,lisbon\n";
        assert_eq!(load(text, None, only("porto")).err().unwrap().code(), "data.column-repeated");
        assert!(load(text, None, None).is_ok(), "nobody asks for it");
    }
}
