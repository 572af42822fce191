//! The rows of a Parquet file, one after the other, as those of a CSV file are.
//!
//! `syndic-data` gives rows to whoever takes them; here they are asked for, so that they are read on a thread of their own, a few
//! blocks ahead. Only builds with the feature `sql` read Parquet (decision 0023).

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use csv::StringRecord;
use syndic_data::{Format, Query, QueryError, ReadError, Rows, Source};
use syndic_learning::Cell;

use crate::{Error, Result};

/// Rows on their way.
pub(super) struct ParquetRows {
    blocks: Receiver<Result<Block>>,
    reader: Option<JoinHandle<()>>,
    block: std::vec::IntoIter<StringRecord>,
    /// Rows that were taken.
    number: u64,
}

enum Block {
    Header(Vec<String>),
    Rows(Vec<StringRecord>),
}

/// Whether a file of this name is read as Parquet.
pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

impl ParquetRows {
    /// Starts reading, and tells the names of the columns.
    ///
    /// # Errors
    /// When it cannot be read, or by this build.
    pub(super) fn of(path: &Path) -> Result<(Self, Vec<String>)> {
        let (sender, blocks) = sync_channel(AHEAD);
        let path = path.to_owned();
        let reader = std::thread::spawn(move || {
            if let Err(error) = read(&path, &sender) {
                // Who asks for no more rows is not told why there are none.
                let _ = sender.send(Err(error));
            }
        });
        let mut rows = Self { blocks, reader: Some(reader), block: Vec::new().into_iter(), number: 0 };
        match rows.blocks.recv() {
            Ok(Ok(Block::Header(header))) => Ok((rows, header)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Block::Rows(_))) => Ok((rows, Vec::new())),
            Err(_) => rows.finished().map(|()| (rows, Vec::new())),
        }
    }

    /// Whoever read is done. Where that was a panic it goes on here: what was read is no whole table.
    fn finished(&mut self) -> Result<()> {
        match self.reader.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The next row with its number, counted from 1; none after the last.
    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<Option<u64>> {
        loop {
            if let Some(row) = self.block.next() {
                *record = row;
                self.number += 1;
                return Ok(Some(self.number));
            }
            match self.blocks.recv() {
                Ok(block) => {
                    if let Block::Rows(rows) = block? {
                        self.block = rows.into_iter();
                    }
                }
                Err(_) => return self.finished().map(|()| None),
            }
        }
    }
}

fn read(path: &Path, sender: &SyncSender<Result<Block>>) -> Result<()> {
    // Of this reading alone: whatever else lies beside is swept.
    let scratch = tempfile::tempdir().map_err(|cause| Error::unwritable(&std::env::temp_dir(), &cause))?;
    let sources = [Source::of_files(SOURCE, path, Format::Parquet)];
    let query = Query {
        sources: &sources,
        sql: "SELECT * FROM source",
        memory_mb: MEMORY_MB,
        scratch: scratch.path(),
    };
    let mut taker = Taker { sender, rows: Vec::new() };
    match query.read(&mut taker) {
        Ok(_) => {
            let _ = sender.send(Ok(Block::Rows(taker.rows)));
            Ok(())
        }
        Err(ReadError::Refused(NobodyAsks)) => Ok(()),
        Err(ReadError::Query(QueryError::NoSql)) => {
            Err(Error::input("data.no-sql", "this build of `syndic` reads no Parquet")
                .place(path.display().to_string())
                .help("build it with `cargo build --release --features sql`, or save the table as CSV"))
        }
        Err(ReadError::Query(error)) => Err(Error::input(error.code(), error.to_string())
            .place(path.display().to_string())
            .help(error.help())),
    }
}

/// Gathers rows into blocks.
struct Taker<'a> {
    sender: &'a SyncSender<Result<Block>>,
    rows: Vec<StringRecord>,
}

/// The command has ended.
struct NobodyAsks;

impl Taker<'_> {
    fn give(&self, block: Block) -> std::result::Result<(), NobodyAsks> {
        self.sender.send(Ok(block)).map_err(|_| NobodyAsks)
    }
}

impl Rows for Taker<'_> {
    type Refusal = NobodyAsks;

    fn begin(&mut self, columns: &[&str]) -> std::result::Result<(), NobodyAsks> {
        self.give(Block::Header(columns.iter().map(|&column| column.to_owned()).collect()))
    }

    fn row(&mut self, _: u64, cells: &[Cell<'_>]) -> std::result::Result<(), NobodyAsks> {
        self.rows.push(cells.iter().map(|cell| cell.text()).collect());
        if self.rows.len() < BLOCK {
            return Ok(());
        }
        let block = std::mem::take(&mut self.rows);
        self.give(Block::Rows(block))
    }
}

const SOURCE: &str = "source";
const MEMORY_MB: u64 = 64;
/// Rows of a block.
const BLOCK: usize = 1024;
/// Blocks that wait.
const AHEAD: usize = 4;
