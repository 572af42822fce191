//! The workspace's own files, as text.

use std::fs;
use std::path::{Path, PathBuf};

use crate::gate::Failure;

/// One file of the workspace.
pub(crate) struct Source {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one level below the root")
}

/// All files with one of these extensions, sorted by path. Build output and hidden folders are skipped.
pub(crate) fn with_extensions(extensions: &[&str]) -> Result<Vec<Source>, Failure> {
    let mut paths = Vec::new();
    walk(root(), &mut paths).map_err(|error| Failure::new(format!("the source cannot be read: {error}")))?;
    paths.retain(|path| {
        path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
    });
    paths.sort();
    paths.into_iter().map(|path| read(&path)).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || SKIPPED.contains(&name.as_ref()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), paths)?;
        } else {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Source, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("{} is not readable as UTF-8 text: {error}", path.display()))
    })?;
    let relative = path.strip_prefix(root()).unwrap_or(path);
    Ok(Source { path: relative.to_string_lossy().replace('\\', "/"), text })
}

/// Build output, and what the demo writes when it is not told where.
const SKIPPED: [&str; 2] = ["target", "syndic-demo"];
