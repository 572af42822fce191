//! Reading CSV files, row by row.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use syndic_data::{CsvLines, FileDigest, SourceFiles, other_separator};
use syndic_learning::{Cell, Contract, Role, TableBuilder};

use super::{FileSource, Reading, Snapshot, SourceError};

impl FileSource {
    /// The rows of the file. Spaces around a name or a cell do not count.
    pub(super) fn load(&self, contract: &Contract) -> Result<Reading, SourceError> {
        let (mut rows, content) = open(&self.file)?;
        let header = rows.headers().cloned().map_err(|error| self.unread(&error, &mut rows))?;
        if let Some(separator) = other_separator(header.iter()) {
            return Err(SourceError::OtherSeparator { path: self.file.clone(), separator });
        }
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let mut chooser = self.rules.over(|column| self.position(&names, column))?;

        let mut builder = TableBuilder::new(contract, &names)?;
        let mut record = csv::StringRecord::new();
        while rows.read_record(&mut record).map_err(|error| self.unread(&error, &mut rows))? {
            let line = rows.get_mut().line(record.position());
            let cells: Vec<Cell<'_>> = record.iter().map(Cell::Text).collect();
            // Which cell of a torn row is which nobody knows: no filter passes over it, the report names it.
            let role = match cells.len() == names.len() {
                true => chooser.role(|at| cells[at]),
                false => Some(Role::Train),
            };
            if let Some(role) = role {
                builder.push_cells(line, &cells, role);
            }
        }
        let files = vec![content.finish(&self.file)?];
        let sources = vec![SourceFiles { name: "file".into(), files }];
        let snapshot = Snapshot { contract: contract.id(), query: None, rules: self.rules.clone(), sources };
        Reading::new(builder, &chooser, snapshot)
    }

    /// What the CSV reader says, with the line as it is counted here.
    fn unread(&self, error: &csv::Error, rows: &mut Rows) -> SourceError {
        match (error.kind(), rows.get_mut().line(error.position())) {
            (csv::ErrorKind::Utf8 { .. }, line) => {
                unreadable(&self.file, &format!("line {line} is no UTF-8 text"))
            }
            _ => unreadable(&self.file, error),
        }
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

type Rows = csv::Reader<CsvLines<Box<dyn Read>>>;

/// Opens a CSV file with a header line; a name that ends in `.gz` is decompressed on the way.
fn open(path: &Path) -> Result<(Rows, Content), SourceError> {
    let failed = |error: io::Error| unreadable(path, &error);
    let content = Content::of(File::open(path).map_err(failed)?).map_err(failed)?;
    let file = BufReader::new(content.clone());
    let bytes: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    // Rows of another width than the header are the contract check's to report, with their lines.
    Ok((csv::ReaderBuilder::new().flexible(true).from_reader(CsvLines::new(bytes)), content))
}

/// An open file, of which the digest of what was read is kept; clones read on where the others are.
#[derive(Clone)]
struct Content(Arc<Mutex<Reader>>);

struct Reader {
    file: File,
    opened: Metadata,
    digest: Sha256,
    bytes: u64,
}

impl Content {
    fn of(file: File) -> io::Result<Self> {
        let opened = file.metadata()?;
        Ok(Self(Arc::new(Mutex::new(Reader { file, opened, digest: Sha256::new(), bytes: 0 }))))
    }

    /// What the file was; an error where somebody wrote to it meanwhile.
    fn finish(mut self, path: &Path) -> Result<FileDigest, SourceError> {
        let failed = |error: io::Error| unreadable(path, &error);
        // What stands behind the end of a compressed stream belongs to the file too.
        io::copy(&mut self, &mut io::sink()).map_err(failed)?;
        let reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = reader.file.metadata().map_err(failed)?;
        let same = now.len() == reader.bytes
            && now.len() == reader.opened.len()
            && now.modified().ok() == reader.opened.modified().ok();
        if !same && now.is_file() {
            return Err(SourceError::Changed(path.into()));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(FileDigest { name, bytes: reader.bytes, sha256: hex::encode(reader.digest.clone().finalize()) })
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = reader.file.read(buffer)?;
        reader.digest.update(&buffer[..read]);
        reader.bytes += read as u64;
        Ok(read)
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> SourceError {
    SourceError::Unreadable { path: path.into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use syndic_learning::{Job, Label, Table};

    use super::super::{Consent, Only, Rules, Split};
    use super::*;

    /// A contract of one numeric column, `age`, and the label `y`.
    fn contract() -> Contract {
        let job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
        let mut contract = job.contract;
        contract.columns.retain(|column| column.name == "age");
        contract.label = Label { column: "y".into(), positive: "yes".into(), negative: "no".into() };
        contract
    }

    fn read(text: &str, rules: Rules) -> Result<Reading, SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.csv");
        std::fs::write(&file, text).unwrap();
        FileSource { file, rules }.load(&contract())
    }

    fn load(text: &str, split: Option<Split>, only: Option<Only>) -> Result<Arc<Table>, SourceError> {
        read(text, Rules { split, only, consent: None }).map(|reading| reading.table)
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
    fn rows_are_reported_by_the_line_that_an_editor_shows() {
        let text = "age,y\n30,yes\n\n400,no\n31,no\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let told = load(&text, None, None).err().unwrap().to_string();
            assert!(told.contains("1 row, first 4"), "{told}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.csv");
        std::fs::write(&file, b"age,y\r\n30,yes\r\n3\xff1,no\r\n").unwrap();
        let told = FileSource { file, rules: Rules::default() }.load(&contract()).unwrap_err();
        assert!(told.to_string().contains("line 3 is no UTF-8 text"), "{told}");
    }

    #[test]
    fn a_table_with_semicolons_is_told_so() {
        let told = load("age;y\n30,5;yes\n31;no\n", None, only("porto")).err().unwrap();
        assert_eq!(told.code(), "data.separator");
        assert!(told.to_string().ends_with("is separated by semicolons, not by commas"), "{told}");
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

    #[test]
    fn rows_without_consent_are_neither_read_nor_reported() {
        let consent = Some(Consent { column: "consented".into(), value: "true".into() });
        let text = "age,y,consented\n30,yes,true\n31,no, true \n999,maybe,false\n,,\n";
        let reading = read(text, Rules { consent: consent.clone(), ..Rules::default() }).unwrap();
        assert_eq!(reading.table.count(Role::Train), (2, 1));
        assert_eq!(reading.without_consent.unwrap().to_string(), "1 to 9");
        let told = read("age,y\n30,yes\n31,no\n", Rules { consent, ..Rules::default() }).unwrap_err();
        assert_eq!(told.code(), "data.column-missing");
        assert!(read("age,y\n30,yes\n31,no\n", Rules::default()).unwrap().without_consent.is_none());
    }

    #[test]
    fn the_snapshot_is_of_all_bytes_of_the_file() {
        let text = "age,y\n30,yes\n31,no\n";
        let snapshot = read(text, Rules::default()).unwrap().snapshot.unwrap();
        let file = &snapshot.sources[0].files[0];
        assert_eq!((&*file.name, file.bytes), ("table.csv", text.len() as u64));
        assert_eq!(file.sha256, hex::encode(Sha256::digest(text)));
        let other = read("age,y\n30,yes\n32,no\n", Rules::default()).unwrap().snapshot.unwrap();
        assert_ne!(snapshot.id(), other.id());
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "age,y\n30,yes\n").unwrap();
        let (mut rows, content) = open(&path).unwrap();
        assert_eq!(rows.records().count(), 1);
        std::fs::write(&path, "age,y\n30,yes\n31,no\n").unwrap();
        assert_eq!(content.finish(&path).unwrap_err().code(), "data.source-changed");
    }
}
