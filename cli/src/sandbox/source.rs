//! A table as a stream of rows: CSV, plain or gzip, from a file or from memory, or a Parquet file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use syndic_data::{CsvLines, other_separator};

use super::parquet_rows::{ParquetRows, is_parquet};
use crate::words::counted;
use crate::{Error, Result};

/// Where a table comes from. It is read as often as needed, each time from the start.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A table that is part of the program, with the name to show.
    Embedded {
        /// Its name.
        name: &'static str,
        /// Its bytes.
        bytes: &'static [u8],
    },
}

/// The rows of a table, one after the other; memory does not grow with the table.
pub struct Rows {
    name: String,
    reader: Reader,
    header: Vec<String>,
    record: StringRecord,
}

enum Reader {
    Csv(csv::Reader<CsvLines<Box<dyn Read>>>),
    Parquet(ParquetRows),
}

impl Source {
    /// What a person calls it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
            Self::Embedded { name, .. } => (*name).into(),
        }
    }

    /// Where errors are said to be.
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Embedded { name, .. } => (*name).into(),
        }
    }

    /// Starts reading.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or has no header.
    pub fn rows(&self) -> Result<Rows> {
        match self {
            Self::File(path) if is_parquet(path) => Rows::of_parquet(&self.place(), path),
            Self::File(_) | Self::Embedded { .. } => Rows::of(&self.place(), self.open()?),
        }
    }

    /// SHA-256 of its bytes as they lie there, in hexadecimal.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sha256(&self) -> Result<String> {
        let mut raw = self.open()?;
        let mut hasher = Sha256::new();
        let mut block = [0; 1 << 16];
        loop {
            match raw.read(&mut block).map_err(|cause| self.broken(&cause))? {
                0 => return Ok(hex::encode(hasher.finalize())),
                length => hasher.update(&block[..length]),
            }
        }
    }

    fn open(&self) -> Result<Box<dyn Read>> {
        match self {
            Self::File(path) => {
                let file = File::open(path).map_err(|cause| Error::unreadable(path, &cause))?;
                Ok(Box::new(BufReader::new(file)))
            }
            Self::Embedded { bytes, .. } => Ok(Box::new(*bytes)),
        }
    }

    fn broken(&self, cause: &std::io::Error) -> Error {
        Error::unreadable(Path::new(&self.place()), cause)
    }
}

impl Rows {
    /// Starts reading `raw`, CSV, plain or gzip; `place` is where errors are said to be.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or has no header.
    pub fn of(place: &str, mut raw: Box<dyn Read>) -> Result<Self> {
        let mut start = Vec::new();
        let read = raw.by_ref().take(2).read_to_end(&mut start);
        read.map_err(|cause| Error::unreadable(Path::new(place), &cause))?;
        let gzip = start == GZIP;
        let whole = std::io::Cursor::new(start).chain(raw);
        let text: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(CsvLines::new(text));
        let header = reader.headers().cloned().map_err(|cause| unreadable_row(place, &cause, &mut reader))?;
        if let Some(separator) = other_separator(header.iter()) {
            let message = format!("the table is separated by {separator}, not by commas");
            return Err(Error::input("data.separator", message)
                .place(place)
                .help("save it with commas between the columns, and a point in numbers"));
        }
        let mut header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(first) = header.first_mut() {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        if header.iter().all(String::is_empty) {
            return Err(Error::input("data.empty", "the table is empty: it has no header line")
                .place(place)
                .help("give a CSV file, plain or gzip, whose first line names the columns"));
        }
        Ok(Self { name: place.into(), reader: Reader::Csv(reader), header, record: StringRecord::new() })
    }

    fn of_parquet(place: &str, path: &Path) -> Result<Self> {
        // For the message that is known of other files.
        File::open(path).map_err(|cause| Error::unreadable(path, &cause))?;
        let (reader, header) = ParquetRows::of(path)?;
        Ok(Self { name: place.into(), reader: Reader::Parquet(reader), header, record: StringRecord::new() })
    }

    /// Where errors are said to be.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns, trimmed.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where a column stands.
    ///
    /// # Errors
    /// When no column or more than one has this name; `option` is who asks.
    pub fn position(&self, column: &str, option: &str) -> Result<usize> {
        let mut found = self.header.iter().enumerate().filter(|(_, name)| *name == column);
        match (found.next(), found.next()) {
            (Some((position, _)), None) => Ok(position),
            (None, _) => {
                Err(Error::input("data.column-missing", format!("the table has no column `{column}`"))
                    .place(format!("{}, {option}", self.name))
                    .help(self.remedy(column)))
            }
            (Some(_), Some(_)) => {
                Err(Error::input("data.column-repeated", format!("the table has two columns `{column}`"))
                    .place(format!("{}, {option}", self.name))
                    .help("rename or drop one of them"))
            }
        }
    }

    /// Checks that every column has a name of its own.
    ///
    /// # Errors
    /// When two have the same.
    pub fn distinct(&self) -> Result<()> {
        for (second, name) in self.header.iter().enumerate() {
            if let Some(first) = self.header[..second].iter().position(|earlier| earlier == name) {
                let message = format!("columns {} and {} have the same name", first + 1, second + 1);
                return Err(Error::input("data.column-repeated", message)
                    .place(format!("{}, header", self.name))
                    .help("rename or drop one of them"));
            }
        }
        Ok(())
    }

    /// What to do about a column that is not there. A first line that is no header is somebody's row, so nothing of
    /// it is shown but a name that is almost the one asked for.
    fn remedy(&self, column: &str) -> String {
        let is_name = |name: &String| {
            name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.parse::<f64>().is_err()
        };
        if !self.header.iter().filter(|name| !name.is_empty()).all(is_name) {
            return "the first line does not look like a header: add one that names the columns".into();
        }
        let found = counted(self.header.len(), "column", "columns");
        match nearest(column, self.header.iter().map(String::as_str)) {
            Some(name) => format!("the first line has {found}; is `{name}` the one that is meant?"),
            None => format!(
                "the first line has {found}, none of a similar name: name one of them, or add a header if that line is \
                 already a row"
            ),
        }
    }

    /// The next row with its line in the file, the header's being 1, or its number in a Parquet file, counted from 1; none after the
    /// last.
    ///
    /// # Errors
    /// When the file is damaged or is not UTF-8.
    pub fn next_row(&mut self) -> Result<Option<(u64, &StringRecord)>> {
        let reader = match &mut self.reader {
            Reader::Parquet(rows) => {
                return Ok(rows.next(&mut self.record)?.map(|number| (number, &self.record)));
            }
            Reader::Csv(reader) => reader,
        };
        match reader.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = reader.get_mut().line(self.record.position());
                Ok(Some((line, &self.record)))
            }
            Err(cause) => Err(unreadable_row(&self.name, &cause, reader)),
        }
    }
}

/// The name that is written almost like `wanted`: but for case and punctuation, or for one letter in four.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| -> Vec<char> {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(wanted);
    let close = |name: &'a str| {
        let plain = plain(name);
        // Far too long to be near, and perhaps long enough to take its time.
        let edits = (plain.len() <= 2 * wanted.len()).then(|| distance(&wanted, &plain))?;
        (!plain.is_empty() && edits <= wanted.len() / 4).then_some((edits, name))
    };
    names.filter_map(close).min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// How many letters must be put in, left out or changed to make one of the other. Levenshtein, 1966.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn unreadable_row(
    name: &str,
    cause: &csv::Error,
    reader: &mut csv::Reader<CsvLines<Box<dyn Read>>>,
) -> Error {
    let place = match reader.get_mut().line(cause.position()) {
        0 => name.to_owned(),
        line => format!("{name}, line {line}"),
    };
    match cause.kind() {
        csv::ErrorKind::Utf8 { .. } => Error::input("data.not-utf8", "this is not UTF-8 text")
            .help("save the table as UTF-8, for instance with `iconv -t UTF-8`"),
        csv::ErrorKind::Io(cause) => {
            Error::input("data.damaged", format!("the table cannot be read to its end: {cause}"))
                .help("the file may be cut off or no valid gzip: copy it again, or try `gzip -t`")
        }
        _ => Error::input("data.damaged", format!("the table cannot be read: {cause}"))
            .help("give a CSV file, plain or gzip, with a header line"),
    }
    .place(place)
}

/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, bytes).unwrap();
        (folder, Source::File(path))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_known_by_its_bytes_not_by_its_name() {
        let text = b"\xef\xbb\xbfa, b\n1,2\n3,4\n";
        for bytes in [text.to_vec(), gzip(text)] {
            let (_folder, source) = file(&bytes);
            let mut rows = source.rows().unwrap();
            assert_eq!(rows.header(), ["a", "b"]);
            let (line, row) = rows.next_row().unwrap().unwrap();
            assert_eq!((line, &row[1]), (2, "2"));
            assert_eq!(rows.next_row().unwrap().unwrap().0, 3);
            assert!(rows.next_row().unwrap().is_none());
        }
    }

    #[test]
    fn rows_have_the_line_that_an_editor_shows() {
        for text in ["a,b\n1,2\n\n3,4\n5,\u{ff}\n", "a,b\r\n1,2\r\n\r\n3,4\r\n5,\u{ff}\r\n"] {
            let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
            let (_folder, source) = file(&bytes);
            let mut rows = source.rows().unwrap();
            assert_eq!(rows.next_row().unwrap().unwrap().0, 2);
            assert_eq!(rows.next_row().unwrap().unwrap().0, 4);
            let rendered = rows.next_row().unwrap_err().render();
            assert!(rendered.contains(", line 5"), "{rendered}");
        }
    }

    #[test]
    fn a_table_with_semicolons_is_told_so() {
        let (_folder, source) = file(b"age;y\n30,5;yes\n");
        let error = source.rows().err().unwrap();
        assert_eq!(error.code(), "data.separator");
        assert!(error.render().contains("separated by semicolons"), "{}", error.render());
    }

    fn without(column: &str, table: &str) -> String {
        let (_folder, source) = file(table.as_bytes());
        let error = source.rows().unwrap().position(column, "--site-column").unwrap_err();
        assert_eq!((error.code(), error.exit()), ("data.column-missing", 2));
        error.render()
    }

    #[test]
    fn an_unknown_column_is_told_with_the_one_of_almost_that_name() {
        for (asked, header) in
            [("site", "age,Site,label"), ("site", "age,sites"), ("site_column", "age,siteColumn")]
        {
            let rendered = without(asked, &format!("{header}\n1,2,3\n"));
            let meant = header.split(',').nth(1).unwrap();
            assert!(rendered.contains(&format!("is `{meant}` the one that is meant?")), "{rendered}");
            assert!(!rendered.contains("age"), "{rendered}");
        }
    }

    #[test]
    fn a_first_row_of_words_is_counted_and_not_shown() {
        let rendered = without("site", "miller,jane,north\nsmith,john,south\n");
        assert!(rendered.contains("the first line has 3 columns, none of a similar name"), "{rendered}");
        assert!(!["miller", "jane", "north"].iter().any(|value| rendered.contains(value)), "{rendered}");
    }

    #[test]
    fn the_distance_of_two_words_is_that_of_the_textbook() {
        let distance = |a: &str, b: &str| {
            super::distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        assert_eq!([distance("kitten", "sitting"), distance("", "abc"), distance("ab", "ab")], [3, 3, 0]);
    }

    #[test]
    fn a_first_line_that_is_no_header_is_not_shown() {
        for first in ["0,north,87.25", "north,87.25,0", "north,-1.5", "north,nan", "\"1, Main Street\",north"]
        {
            let (_folder, source) = file(format!("{first}\n1,south,12\n").as_bytes());
            let rendered = source.rows().unwrap().position("site", "--site-column").unwrap_err().render();
            assert!(rendered.contains("does not look like a header"), "{rendered}");
            assert!(!rendered.contains("north") && !rendered.contains("87.25"), "{rendered}");
        }
    }

    #[test]
    fn columns_of_one_name_are_refused() {
        let (_folder, source) = file(b"a,b,c,b\n1,2,3,4\n");
        let error = source.rows().unwrap().distinct().unwrap_err();
        assert_eq!((error.code(), error.exit()), ("data.column-repeated", 2));
        assert!(error.render().contains("columns 2 and 4"), "{}", error.render());
        let (_folder, source) = file(b"a,b,c\n1,2,3\n");
        assert!(source.rows().unwrap().distinct().is_ok());
    }

    #[test]
    fn files_that_are_no_table_are_told_apart() {
        let code = |bytes: &[u8]| {
            let (_folder, source) = file(bytes);
            let read = |source: Source| {
                let mut rows = source.rows()?;
                while rows.next_row()?.is_some() {}
                Ok::<_, Error>(())
            };
            read(source).unwrap_err().code().to_owned()
        };
        let mut cut = gzip(b"a,b\n1,2\n3,4\n5,6\n");
        cut.truncate(cut.len() - 9);
        assert_eq!(code(b""), "data.empty");
        assert_eq!(code(&cut), "data.damaged");
        assert_eq!(code(b"a,b\n1,\xff\xfe\n"), "data.not-utf8");
        assert_eq!(Source::File("/nonexistent".into()).rows().err().unwrap().code(), "file.unreadable");
    }

    #[test]
    fn the_digest_is_of_the_bytes_as_they_lie_there() {
        let (_folder, source) = file(b"abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(source.sha256().unwrap(), expected);
    }
}
