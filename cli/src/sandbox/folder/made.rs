//! The folders that a run has made for itself.

use std::path::{Path, PathBuf};
use std::{fs, mem};

use super::sync;
use crate::{Error, Result};

/// The folders that a run has made for itself, the innermost last. Dropped, it removes those that are empty.
#[derive(Debug, Default)]
pub(super) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes `folder` and what is missing above it.
    pub(super) fn with_parents(folder: &Path) -> Result<Self> {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<&Path> = folder.ancestors().take_while(missing).collect();
        let mut made = Self::default();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => made.0.push(path.into()),
                // Somebody else was faster, or it is the same folder by another name.
                Err(_) if path.is_dir() => {}
                Err(cause) => return Err(Error::unwritable(path, &cause)),
            }
        }
        Ok(made)
    }

    /// Lets them stay, durably.
    pub(super) fn keep(&mut self) -> Result<()> {
        for folder in mem::take(&mut self.0) {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // One in which something else lies by now stays.
            let _ = fs::remove_dir(folder);
        }
    }
}
