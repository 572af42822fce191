//! Whether the write-ahead log lost what was durable.
//!
//! SQLite reads it up to the first frame whose checksum is wrong, since a power cut can leave a torn end behind, and forgets
//! all that follows (sqlite.org/fileformat2.html, section 4). Where the disk changed a byte in the middle, that would be
//! entries that were acknowledged. With synchronous FULL a batch is written only once the one before it was synced: whatever
//! follows a whole batch shows that it was durable.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Looks at the write-ahead log beside the file at `path`.
///
/// # Errors
/// [`StoreError::Corrupt`] where batches that were durable cannot be read any more.
pub(super) fn require_whole(path: &Path) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let name = PathBuf::from(name);
    let look = || match std::fs::read(&name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(|wal| damage(&wal)).map_err(|error| StoreError::io("cannot read", &name, error)),
    };
    let Some(what) = look()? else { return Ok(()) };
    // Another process may have been writing just there; what is damaged stays so.
    if look()?.as_ref() == Some(&what) {
        return Err(StoreError::Corrupt { what: format!("{} ({what})", name.display()) });
    }
    Ok(())
}

/// What makes durable batches unreadable, in words; nothing where at most the last batch is torn.
fn damage(wal: &[u8]) -> Option<String> {
    // A log that was never begun, or was emptied.
    let (header, frames) = wal.split_at_checked(HEADER)?;
    let page = usize::try_from(word(header, 8)).ok().filter(|size| (512..=65_536).contains(size));
    let Some((page, mut sum)) = page.zip(Sum::of_header(header)) else {
        return (!frames.is_empty()).then(|| "its header".into());
    };
    let frames: Vec<Frame<'_>> = frames.chunks_exact(FRAME + page).map(Frame).collect();
    let is_ours = |frame: &Frame<'_>| frame.salts() == &header[16..24];
    let torn = frames.iter().position(|frame| !(is_ours(frame) && sum.takes(*frame)))?;
    // The end of the batch that cannot be read, and anything that was written after it.
    let mut rest = frames[torn..].iter();
    rest.by_ref().find(|frame| frame.ends_batch())?;
    rest.any(is_ours).then(|| format!("frame {torn} of {}", frames.len()))
}

/// A page and what is said about it.
#[derive(Clone, Copy)]
struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    /// What all frames since the log was last emptied have in common.
    fn salts(self) -> &'a [u8] {
        &self.0[8..16]
    }

    fn ends_batch(&self) -> bool {
        word(self.0, 4) != 0
    }
}

/// The checksum, which goes on from frame to frame.
struct Sum {
    is_big_endian: bool,
    at: (u32, u32),
}

impl Sum {
    /// That of a header; none where it is no header.
    fn of_header(header: &[u8]) -> Option<Self> {
        let is_big_endian = match word(header, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let mut sum = Self { is_big_endian, at: (0, 0) };
        sum.add(&header[..24]);
        (sum.at == (word(header, 24), word(header, 28))).then_some(sum)
    }

    /// Goes on to `frame`; whether it has the checksum that it says.
    fn takes(&mut self, Frame(frame): Frame<'_>) -> bool {
        self.add(&frame[..8]);
        self.add(&frame[FRAME..]);
        self.at == (word(frame, 16), word(frame, 20))
    }

    fn add(&mut self, bytes: &[u8]) {
        let read = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (words, _) = bytes.as_chunks();
        for pair in words.chunks_exact(2) {
            self.at.0 = self.at.0.wrapping_add(read(pair[0])).wrapping_add(self.at.1);
            self.at.1 = self.at.1.wrapping_add(read(pair[1])).wrapping_add(self.at.0);
        }
    }
}

/// The number at `offset`; all of them have their most significant byte first.
fn word(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_be_bytes(word)
}

/// Bytes of the log's header.
const HEADER: usize = 32;
/// Bytes of a frame's header, before its page.
const FRAME: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Log, SqliteLog};

    /// A file and its write-ahead log, as a killed process leaves them, after batches of two entries each.
    struct Left {
        folder: tempfile::TempDir,
        file: Vec<u8>,
        wal: Vec<u8>,
    }

    impl Left {
        async fn after(batches: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.sqlite");
            let log = SqliteLog::open(&path).await.unwrap();
            for batch in 0..batches {
                log.append(2 * batch, &[vec![1; 3000], vec![2; 3000]]).await.unwrap();
            }
            let (file, wal) = (std::fs::read(&path).unwrap(), std::fs::read(Self::wal_of(&path)).unwrap());
            Self { folder, file, wal }
        }

        fn wal_of(path: &Path) -> PathBuf {
            path.with_extension("sqlite-wal")
        }

        /// How many entries a log has that is opened on this write-ahead log.
        async fn opened_on(&self, wal: &[u8], name: &str) -> Result<u64, StoreError> {
            let path = self.folder.path().join(format!("{name}.sqlite"));
            std::fs::write(&path, &self.file).unwrap();
            std::fs::write(Self::wal_of(&path), wal).unwrap();
            let opened = SqliteLog::open(&path).await;
            if opened.is_err() {
                assert!(
                    std::fs::read(Self::wal_of(&path)).unwrap() == wal,
                    "what is damaged is kept as it is"
                );
            }
            opened?.size().await
        }
    }

    #[tokio::test]
    async fn a_flipped_byte_in_what_was_durable_is_found_and_a_torn_end_is_not_taken_for_one() {
        let left = Left::after(12).await;
        assert_eq!(left.opened_on(&left.wal, "whole").await.unwrap(), 24);
        let size = FRAME + 4096;
        let frames: Vec<_> = left.wal[HEADER..].chunks_exact(size).map(Frame).collect();
        let ends: Vec<_> = (0..frames.len()).filter(|at| frames[*at].ends_batch()).collect();
        let last = ends[ends.len() - 2] + 1;
        assert!((12..last).contains(&ends.len()), "batches of several frames");

        for header in [0, 9, 13, 17, 22, 25, 31] {
            let mut wal = left.wal.clone();
            wal[header] ^= 4;
            let refused = left.opened_on(&wal, &format!("header-{header}")).await.unwrap_err();
            assert_eq!(refused.code(), "store.corrupt");
        }
        for frame in 0..last {
            for offset in [0, 9, 14, 16, 23, 24, 24 + 100 + frame * 61 % 3900, size - 1] {
                let mut wal = left.wal.clone();
                wal[HEADER + frame * size + offset] ^= 1 << (frame % 8);
                let refused = left.opened_on(&wal, &format!("{frame}-{offset}")).await.unwrap_err();
                assert_eq!(refused.code(), "store.corrupt", "byte {offset} of frame {frame}");
                assert!(refused.to_string().contains(&format!("frame {frame} of ")), "{refused}");
            }
        }
        for cut in [HEADER + last * size, HEADER + last * size + 1, left.wal.len() - 1] {
            let torn = left.opened_on(&left.wal[..cut], &format!("torn-{cut}")).await.unwrap();
            assert_eq!(torn, 22, "the last batch was not acknowledged");
        }
        assert_eq!(left.opened_on(&[], "none").await.unwrap(), 0, "nothing was written yet");
    }

    #[tokio::test]
    async fn frames_of_a_log_that_began_anew_are_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let log = SqliteLog::open(&path).await.unwrap();
        // SQLite moves a thousand pages into the file, and begins anew on top of what is there.
        for at in 0..600 {
            log.append(at, &[vec![3; 8000]]).await.unwrap();
        }
        let copy = folder.path().join("copy.sqlite");
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(Left::wal_of(&path), Left::wal_of(&copy)).unwrap();
        assert_eq!(SqliteLog::open(&copy).await.unwrap().size().await.unwrap(), 600);
    }
}
