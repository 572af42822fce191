//! The line on which a row of a CSV table begins, whatever ends its lines.

use std::collections::VecDeque;
use std::io::{self, Read};

/// The bytes of a table on their way to the CSV reader, with where their lines end.
///
/// The reader's own count is one too low after `\r\n`, whose second half it leaves to the next row, and too low by every empty
/// line before a row.
///
/// ```
/// # use syndic_data::CsvLines;
/// let mut rows = csv::Reader::from_reader(CsvLines::new("age\r\n30\r\n\r\n31\r\n".as_bytes()));
/// let mut row = csv::StringRecord::new();
/// let mut lines = Vec::new();
/// while rows.read_record(&mut row)? {
///     lines.push(rows.get_mut().line(row.position()));
/// }
/// assert_eq!(lines, [2, 4]);
/// # Ok::<(), csv::Error>(())
/// ```
#[derive(Debug)]
pub struct CsvLines<R> {
    inner: R,
    /// Bytes handed out.
    read: u64,
    /// Line ends among them that no row was asked about yet: a row's worth, and what the reader holds in advance.
    ends: VecDeque<(u64, u8)>,
    line: u64,
}

impl<R> CsvLines<R> {
    /// Before the first byte.
    pub fn new(inner: R) -> Self {
        Self { inner, read: 0, ends: VecDeque::new(), line: 1 }
    }

    /// The line of the row that begins at `position`, counted from 1; 0 where the reader knows no position. To be asked about
    /// each row, in order: what stands before is forgotten.
    pub fn line(&mut self, position: Option<&csv::Position>) -> u64 {
        let Some(mut start) = position.map(csv::Position::byte) else { return 0 };
        while let Some(&(at, end)) = self.ends.front()
            && at <= start
        {
            self.ends.pop_front();
            self.line += u64::from(end == b'\n');
            // What ends lines at the place itself belongs to the row before, or is an empty line.
            start += u64::from(at == start);
        }
        self.line
    }
}

impl<R: Read> Read for CsvLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for (at, &byte) in buffer[..read].iter().enumerate() {
            if matches!(byte, b'\n' | b'\r') {
                self.ends.push_back((self.read + at as u64, byte));
            }
        }
        self.read += read as u64;
        Ok(read)
    }
}

/// What a table is separated by instead of commas, where its header is one column that has it in its name.
pub fn other_separator<'a>(mut header: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let (only, None) = (header.next()?, header.next()) else { return None };
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
    separators.iter().find(|(separator, _)| only.contains(*separator)).map(|(_, named)| *named)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At most so many bytes at once.
    struct Sips<'a>(&'a [u8], usize);

    impl Read for Sips<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len());
            self.0.read(&mut buffer[..length])
        }
    }

    fn lines(text: &str, sip: usize) -> Vec<u64> {
        let bytes = CsvLines::new(Sips(text.as_bytes(), sip));
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let (mut row, mut lines) = (csv::StringRecord::new(), Vec::new());
        while rows.read_record(&mut row).unwrap() {
            lines.push(rows.get_mut().line(row.position()));
        }
        lines
    }

    #[test]
    fn a_row_has_the_line_that_an_editor_shows_whatever_ends_the_lines() {
        for end in ["\n", "\r\n"] {
            // The reader knows a byte order mark only where more than that is read at once.
            for (start, sips) in [("", [1, 2, 1 << 16]), ("\u{feff}", [5, 6, 1 << 16])] {
                for (rows, expected) in [
                    ("a,b/1,2/3,4/", vec![2, 3]),
                    ("a,b/1,2/3,4", vec![2, 3]),
                    ("a,b//1,2///3,4/", vec![3, 6]),
                    ("/a,b/1,2/", vec![3]),
                    ("a,b/\"1/1\",2/\"/3\",4/5,6/", vec![2, 4, 6]),
                    ("a,b/,/,/", vec![2, 3]),
                ] {
                    let text = format!("{start}{}", rows.replace('/', end));
                    for sip in sips {
                        assert_eq!(lines(&text, sip), expected, "{text:?} {sip} at once");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_are_counted_over_more_than_the_reader_holds_at_once() {
        let text: String = (0..20_000).map(|row| format!("{row},\"x\r\ny\"\r\n")).collect();
        let lines = lines(&format!("a,b\r\n{text}"), 1 << 16);
        assert_eq!(lines.len(), 20_000);
        assert!(lines.iter().enumerate().all(|(row, &line)| line == 2 + 2 * row as u64));
    }

    #[test]
    fn a_header_of_one_column_tells_what_separates_the_table() {
        let of = |header: &[&'static str]| other_separator(header.iter().copied());
        assert_eq!(of(&["age;y"]), Some("semicolons"));
        assert_eq!(of(&["age\ty"]), Some("tabs"));
        assert_eq!(of(&["age|y"]), Some("vertical bars"));
        assert_eq!(of(&["age"]), None);
        assert_eq!(of(&["age;", "y"]), None);
        assert_eq!(of(&[]), None);
    }
}
