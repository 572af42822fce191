//! The files of a source, and what was in them.

#[cfg(feature = "sql")]
use std::fs;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
#[cfg(feature = "sql")]
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

#[cfg(feature = "sql")]
use crate::QueryError;

/// The files of one source on this host.
#[cfg(feature = "sql")]
#[derive(Clone, Debug)]
pub(crate) struct LocalFiles {
    /// The source.
    pub(crate) name: String,
    /// A file; a folder, all of whose files of the format are read; or a file name with `*` in it.
    pub(crate) path: PathBuf,
    /// How the files are written.
    pub(crate) format: Format,
    /// Where they were copied from, without the last part of their names.
    pub(crate) from: Option<String>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text with a header line; a name that ends in `.gz` is decompressed. Every column is text.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// What one source consisted of when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceFiles {
    /// The source's name.
    pub name: String,
    /// Its files, by name.
    pub files: Vec<FileDigest>,
}

/// One file, by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// The file's name without its folder.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
}

#[cfg(feature = "sql")]
impl LocalFiles {
    /// The files, in the order of their names.
    ///
    /// # Errors
    /// Where there is none, or the folder cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, QueryError> {
        let found = self.find().map_err(|error| self.unreadable(&self.path, &error))?;
        if found.is_empty() {
            return Err(QueryError::NoFiles { source: self.name.clone(), path: self.path.clone() });
        }
        Ok(found)
    }

    /// Reads all files once, for their digests.
    ///
    /// # Errors
    /// Where there is none, or one cannot be read.
    pub(crate) fn digest(&self) -> Result<SourceFiles, QueryError> {
        let digest = |path: &PathBuf| FileDigest::of(path).map_err(|error| self.unreadable(path, &error));
        let files = self.files()?.iter().map(digest).collect::<Result<_, _>>()?;
        Ok(SourceFiles { name: self.name.clone(), files })
    }

    pub(crate) fn unreadable(&self, path: &Path, error: &io::Error) -> QueryError {
        QueryError::Unreadable {
            source: self.name.clone(),
            path: self.shown(path),
            reason: error.kind().to_string(),
        }
    }

    /// The file as somebody knows it who named the source.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        match (&self.from, path.file_name()) {
            (Some(from), Some(name)) => Path::new(from).join(name),
            _ => path.into(),
        }
    }

    fn find(&self) -> io::Result<Vec<PathBuf>> {
        let pattern = self.path.file_name().and_then(|name| name.to_str()).filter(|name| name.contains('*'));
        let (folder, pattern) = match pattern {
            Some(pattern) => (self.path.parent().unwrap_or(Path::new(".")), Some(pattern)),
            None if fs::metadata(&self.path)?.is_dir() => (self.path.as_path(), None),
            None => return Ok(vec![self.path.clone()]),
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if is_wanted(name, pattern, self.format) && fs::metadata(&path)?.is_file() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(feature = "sql")]
impl Format {
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &[".csv", ".csv.gz"],
            Self::Parquet => &[".parquet"],
        }
    }
}

impl FileDigest {
    /// Reads the whole file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (mut file, mut block) = (File::open(path)?, vec![0; BLOCK]);
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        loop {
            match file.read(&mut block)? {
                0 => break,
                read => {
                    digest.update(&block[..read]);
                    bytes += read as u64;
                }
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, bytes, sha256: hex::encode(digest.finalize()) })
    }
}

/// Whether a file of this name is one of those of a folder that a source means.
#[cfg(feature = "sql")]
pub(crate) fn is_wanted(name: &str, pattern: Option<&str>, format: Format) -> bool {
    let fits = match pattern {
        Some(pattern) => matches(pattern, name),
        None => format.endings().iter().any(|ending| name.ends_with(ending)),
    };
    // Files that begin so are being written, or tell of others, by the custom of those who write them.
    fits && !name.starts_with(['.', '_'])
}

/// Whether a name fits a pattern in which `*` stands for any text.
#[cfg(feature = "sql")]
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    (0..=name.len()).filter(|&at| name.is_char_boundary(at)).any(|at| matches(rest, &name[at..]))
}

/// Bytes read at once.
const BLOCK: usize = 1 << 18;

#[cfg(all(test, feature = "sql"))]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.parquet.tmp", false),
            ("2026-*-*.csv", "2026-01-05.csv", true),
            ("2026-*-*.csv", "2026-01.csv", false),
            ("*", "", true),
            ("é*", "ée", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names_without_files_that_are_being_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv.gz", "c.parquet", "_SUCCESS", ".d.csv", "_e.csv"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let of =
            |path: PathBuf| LocalFiles { name: "s".into(), path, format: Format::Csv, from: None }.digest();
        let names = |found: SourceFiles| found.files.into_iter().map(|file| file.name).collect::<Vec<_>>();
        assert_eq!(names(of(folder.path().into()).unwrap()), ["a.csv.gz", "b.csv"]);
        assert_eq!(names(of(folder.path().join("b*")).unwrap()), ["b.csv"]);
        assert_eq!(of(folder.path().join("x*")).unwrap_err().code(), "data.source-empty");
        assert_eq!(of(folder.path().join("x.csv")).unwrap_err().code(), "data.unreadable");
        let found = of(folder.path().join("b.csv")).unwrap();
        // printf b.csv | sha256sum
        assert_eq!(found.files[0].sha256, B_CSV);
        assert_eq!(found.files[0].bytes, 5);
    }

    const B_CSV: &str = "010326a323b77cee3ebf1a3480107ef1110620ec86521d1fb8c21995520e0e24";
}
