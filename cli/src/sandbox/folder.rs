//! The folder of a run: whole or not at all.
//!
//! Everything is made in `.syndic.unfinished` inside the folder and moved into place at the end, `result.json` last,
//! so that a folder with a `result.json` is a complete run. Nothing that is not ours is ever touched.

mod lock;
mod made;

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use self::lock::{LOCK, Lock, may_lock};
use self::made::Made;
use crate::{Error, Result};

/// The folder of a run that goes on. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct RunFolder {
    out: PathBuf,
    unfinished: PathBuf,
    replaces: bool,
    /// From when files are moved into place until all are: what lies there is of no use without the rest.
    half_placed: bool,
    /// Held as long as this run goes on; the system lets go when the process ends, however it ends.
    lock: Lock,
    /// Dropped last, when nothing of the run lies in them any more.
    made: Made,
}

impl RunFolder {
    /// Takes the folder `out`: new, empty, or with an earlier run of ours, which stays until this one is done.
    ///
    /// # Errors
    /// When it holds anything else, cannot be written, or another run is using it.
    pub fn take(out: &Path) -> Result<Self> {
        if out.exists() && !out.is_dir() {
            return Err(Error::input("out.not-a-folder", "a run is kept in a folder, and this is a file")
                .place(format!("--out {}", out.display()))
                .help("name a new or empty folder; the file stays as it is"));
        }
        let made = Made::with_parents(out)?;
        check_contents(out)?;
        let lock = Lock::take(out)?;
        let unfinished = out.join(UNFINISHED);
        // From here on whatever fails leaves nothing behind.
        let mut folder =
            Self { out: out.into(), unfinished, replaces: false, half_placed: false, lock, made };
        // Looked at again: until the lock was ours another run may have been at work.
        folder.replaces = check_contents(out)?;
        // Whoever made it is gone: its lock is ours. What it left is of no use to anybody.
        remove(&folder.unfinished)?;
        fs::create_dir(&folder.unfinished).map_err(|cause| Error::unwritable(&folder.unfinished, &cause))?;
        Ok(folder)
    }

    /// Whether an earlier run gives way to this one.
    pub fn replaces_earlier(&self) -> bool {
        self.replaces
    }

    /// Where the files of the run are made; their names here are their names in the end.
    pub fn staging(&self) -> &Path {
        &self.unfinished
    }

    /// Where coordinator and participants keep their state while they run; it goes when the run is done.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn state(&self) -> Result<PathBuf> {
        let state = self.unfinished.join(STATE);
        // Keys and journals lie here for as long as the run lasts.
        let private = DirBuilder::new().recursive(true).mode(0o700).create(&state);
        private.map_err(|cause| Error::unwritable(&state, &cause))?;
        Ok(state)
    }

    /// Makes a file of the run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.unfinished.join(name);
        let written = File::create(&path).and_then(|mut file| {
            std::io::Write::write_all(&mut file, bytes)?;
            file.sync_all()
        });
        written.map_err(|cause| Error::unwritable(&path, &cause))
    }

    /// Puts everything in place of the earlier run. `last` names the file that says that the run is complete.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn finish(mut self, last: &str) -> Result<()> {
        remove(&self.unfinished.join(STATE))?;
        // The earlier run's `result.json` goes first. If we crash here, the folder has no `result.json`: the next run
        // takes it over and clears it.
        self.half_placed = true;
        for name in COMPLETE.iter().chain(&FINAL) {
            remove(&self.out.join(name))?;
        }
        for name in FINAL.into_iter().filter(|name| *name != last) {
            self.place(name)?;
        }
        // If we crash here, all is there but the file that says so: as above.
        sync(&self.out)?;
        self.place(last)?;
        sync(&self.out)?;
        self.half_placed = false;
        self.made.keep()
    }

    fn place(&self, name: &str) -> Result<()> {
        let (from, to) = (self.unfinished.join(name), self.out.join(name));
        match fs::rename(&from, &to) {
            // An abandoned job has no model and no report, and a job has either a model or statistics.
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
            moved => moved.map_err(|cause| Error::unwritable(&to, &cause)),
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run; there is nobody to tell.
        if self.half_placed {
            for name in COMPLETE.iter().chain(&FINAL) {
                let _ = remove(&self.out.join(name));
            }
        }
        let _ = remove(&self.unfinished);
        self.lock.unlink();
    }
}

/// Whether an earlier run lies there.
fn check_contents(out: &Path) -> Result<bool> {
    let unreadable = |cause: &std::io::Error| Error::unwritable(out, cause);
    let mut ours = false;
    for entry in fs::read_dir(out).map_err(|cause| unreadable(&cause))? {
        let name = entry.map_err(|cause| unreadable(&cause))?.file_name();
        let known = name.to_str().is_some_and(|name| {
            FINAL.contains(&name) || COMPLETE.contains(&name) || [UNFINISHED, LOCK].contains(&name)
        });
        if !known {
            return Err(foreign(out, &format!("it holds `{}`", name.to_string_lossy())));
        }
        ours |= name.to_str().is_some_and(|name| COMPLETE.contains(&name));
    }
    if !may_lock(&out.join(LOCK)) {
        return Err(foreign(out, &format!("its {LOCK} is none of ours")));
    }
    let left_over = out.join(UNFINISHED).exists() || out.join(LOCK).exists();
    let anything = FINAL.iter().any(|name| out.join(name).exists());
    if anything && !ours && !left_over {
        return Err(foreign(out, "its files are not those of a finished run"));
    }
    if out.join(RESULT).exists() && !is_our_result(&out.join(RESULT)) {
        return Err(foreign(out, "its result.json is none of ours"));
    }
    Ok(ours)
}

fn is_our_result(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    [crate::result::SCHEMA, crate::statistics::result::SCHEMA].iter().any(|schema| json["schema"] == *schema)
}

fn foreign(out: &Path, why: &str) -> Error {
    Error::input("out.not-empty", format!("the folder is in use for something else: {why}"))
        .place(format!("--out {}", out.display()))
        .help("name a new or empty folder; one with an earlier run of ours is replaced")
}

fn remove(path: &Path) -> Result<()> {
    let mut tries = 0;
    loop {
        let removed = match fs::symlink_metadata(path) {
            Err(_) => return Ok(()),
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
        };
        match removed {
            // A database that is just being closed may make a file in a folder that is being emptied.
            Err(cause) if cause.kind() == ErrorKind::DirectoryNotEmpty && tries < REMOVALS => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
            removed => return removed.map_err(|cause| Error::unwritable(path, &cause)),
        }
    }
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|cause| Error::unwritable(folder, &cause))
}

/// The result of a run, there when and only when the run is complete.
pub const RESULT: &str = "result.json";
/// Why a job was abandoned; its ledger lies beside it.
pub const ABANDONED: &str = "abandoned.json";
/// The model's weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The model's card.
pub const CARD: &str = "model.json";
/// The ledger's folder.
pub const LEDGER: &str = "ledger";
/// What a job found that describes rows.
pub const STATISTICS: &str = "statistics.json";
/// The page for people.
pub const REPORT: &str = "report.html";

const UNFINISHED: &str = ".syndic.unfinished";
const STATE: &str = "state";
/// How often a folder is emptied again, with what pause, before that counts as an error.
const REMOVALS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
const COMPLETE: [&str; 2] = [RESULT, ABANDONED];
const FINAL: [&str; 5] = [WEIGHTS, CARD, STATISTICS, LEDGER, REPORT];

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = br#"{"schema":"syndic.result/1"}"#;

    fn finished(out: &Path) {
        let folder = RunFolder::take(out).unwrap();
        folder.write(REPORT, b"report").unwrap();
        fs::create_dir(folder.staging().join(LEDGER)).unwrap();
        folder.write(RESULT, OURS).unwrap();
        fs::write(folder.state().unwrap().join("secret"), b"key").unwrap();
        folder.finish(RESULT).unwrap();
    }

    fn names(out: &Path) -> Vec<String> {
        let entries = fs::read_dir(out).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_run_leaves_its_files_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("deep/new");
        finished(&out);
        assert_eq!(names(&out), ["ledger", "report.html", "result.json"]);
    }

    #[test]
    fn a_run_that_ends_early_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("new");
        let folder = RunFolder::take(&out).unwrap();
        folder.write(REPORT, b"half").unwrap();
        drop(folder);
        assert!(!out.exists());
    }

    #[test]
    fn folders_made_on_the_way_go_with_a_run_that_ends_early_unless_somebody_uses_them() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("runs/monday/out");
        drop(RunFolder::take(&out).unwrap());
        assert!(names(parent.path()).is_empty());
        let folder = RunFolder::take(&out).unwrap();
        fs::write(parent.path().join("runs/notes.txt"), b"mine").unwrap();
        drop(folder);
        assert_eq!(names(&parent.path().join("runs")), ["notes.txt"]);
    }

    #[test]
    fn a_folder_that_cannot_be_taken_leaves_no_parents_behind() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("runs").join("x".repeat(300));
        assert_eq!(RunFolder::take(&out).unwrap_err().code(), "file.unwritable");
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn files_that_cannot_all_be_placed_are_not_half_there() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        let folder = RunFolder::take(&out).unwrap();
        folder.write(REPORT, b"report").unwrap();
        // A folder with something in it cannot be moved onto, and a name that is not one of ours is not cleared.
        let last = "elsewhere";
        fs::create_dir_all(out.join(last).join("full")).unwrap();
        folder.write(last, b"done").unwrap();
        assert_eq!(folder.finish(last).unwrap_err().code(), "file.unwritable");
        assert_eq!(names(&out), [last]);
    }

    #[test]
    fn an_earlier_run_stays_until_the_next_one_is_done() {
        let parent = tempfile::tempdir().unwrap();
        finished(parent.path());
        let folder = RunFolder::take(parent.path()).unwrap();
        assert!(folder.replaces_earlier());
        drop(folder);
        assert_eq!(names(parent.path()), ["ledger", "report.html", "result.json"]);
        finished(parent.path());
        assert_eq!(names(parent.path()), ["ledger", "report.html", "result.json"]);
    }

    #[test]
    fn a_folder_with_anything_else_is_refused_and_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        finished(parent.path());
        fs::write(parent.path().join("thesis.doc"), b"years of work").unwrap();
        let error = RunFolder::take(parent.path()).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("out.not-empty", 2));
        assert_eq!(names(parent.path()).len(), 4);
    }

    #[test]
    fn a_result_or_model_of_somebody_else_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join(RESULT), b"{}").unwrap();
        assert_eq!(RunFolder::take(parent.path()).unwrap_err().code(), "out.not-empty");
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join(CARD), b"{}").unwrap();
        assert_eq!(RunFolder::take(other.path()).unwrap_err().code(), "out.not-empty");
    }

    #[test]
    fn a_lock_of_somebody_else_is_left_alone() {
        for (name, text) in [(".lock", ""), (LOCK, "pid 7")] {
            let parent = tempfile::tempdir().unwrap();
            fs::write(parent.path().join(name), text).unwrap();
            assert_eq!(RunFolder::take(parent.path()).unwrap_err().code(), "out.not-empty", "{name}");
            assert_eq!(fs::read_to_string(parent.path().join(name)).unwrap(), text);
        }
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_refused_and_stays() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("out");
        fs::write(&file, b"something").unwrap();
        let error = RunFolder::take(&file).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("out.not-a-folder", 2));
        assert_eq!(fs::read(&file).unwrap(), b"something");
    }

    #[test]
    fn two_runs_cannot_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let first = RunFolder::take(parent.path()).unwrap();
        assert_eq!(RunFolder::take(parent.path()).unwrap_err().code(), "out.busy");
        first.write(REPORT, b"still there").unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_cleared() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir_all(parent.path().join(UNFINISHED).join("ledger")).unwrap();
        fs::write(parent.path().join(LOCK), b"").unwrap();
        fs::write(parent.path().join(CARD), b"moved before the crash").unwrap();
        finished(parent.path());
        assert_eq!(names(parent.path()), ["ledger", "report.html", "result.json"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_the_world() {
        let error = RunFolder::take(Path::new("/proc/syndic")).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("file.unwritable", 3));
    }
}
