//! Evidence against a coordinator whose ledger was forked: files beside the journal, for people to hand on.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use syndic_round::Digest;

use super::{Journal, JournalError};
use crate::durable::sync_entry;

impl Journal {
    /// Keeps a piece of evidence, durably, in a file that this user alone can read. The same once more is the same file.
    ///
    /// # Errors
    ///
    /// What the folder can meet; the checkpoint that was kept remains, so the same shows again at the next start.
    pub async fn keep_evidence(&self, evidence: &str) -> Result<PathBuf, JournalError> {
        let path = self.path().with_file_name(format!("ledger-fork-{}.json", name_of(evidence)));
        let (file, evidence) = (path.clone(), evidence.to_owned());
        let kept = tokio::task::spawn_blocking(move || keep(&file, evidence.as_bytes())).await;
        let kept = kept.map_err(io::Error::other).flatten();
        kept.map(|()| path.clone()).map_err(|error| JournalError::io(&path, error))
    }
}

fn name_of(evidence: &str) -> String {
    let mut name = Digest::of(evidence.as_bytes()).to_string();
    name.truncate(16);
    name
}

fn keep(path: &Path, evidence: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    file.write_all(evidence)?;
    file.sync_all()?;
    // If we crash here part of it may lie there under another name; the next start finds the fork again and writes it anew.
    fs::rename(&partial, path)?;
    sync_entry(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn evidence_is_kept_beside_the_journal_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.sqlite")).await.unwrap();

        let kept = journal.keep_evidence("one fork").await.unwrap();
        assert_eq!(journal.keep_evidence("one fork").await.unwrap(), kept, "the same is kept once");
        let other = journal.keep_evidence("another fork").await.unwrap();

        assert_ne!(kept, other);
        assert_eq!(fs::read_to_string(&kept).unwrap(), "one fork");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        let files = fs::read_dir(dir.path()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| name.starts_with("ledger-fork-")).count(), 2, "{names:?}");
    }
}
