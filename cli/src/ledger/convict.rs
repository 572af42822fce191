//! `syndic ledger convict`: whether a log signed two histories, from whatever people have of it and its key alone.
//!
//! Heads are compared each with each. Where their sizes differ it takes something that shows what the newer one's log was
//! at the older one's size: a piece of evidence that says so, or the ledger itself.

use std::path::{Path, PathBuf};

use serde_json::json;
use syndic_ledger::{
    Checkpoint, CheckpointError, Convicted, Fork, ForkError, Leaves, NoteError, VerifierKey,
};

use super::folder::Folder;
use super::trust::{Trust, parse_key};
use super::verify::check_each;
use crate::{Error, Exit, Result};

/// What a log is convicted of, and by what.
#[derive(Debug)]
pub struct Conviction {
    /// The two heads, with what shows that they exclude each other.
    pub evidence: Fork,
    /// What they say.
    pub convicted: Convicted,
}

/// Everything that was brought against a log.
#[derive(Default)]
struct Brought {
    heads: Vec<String>,
    evidence: Vec<Fork>,
    ledgers: Vec<Leaves>,
}

/// The key of a log, as the option `--key` names it.
///
/// # Errors
/// With exit code 2 where it is none.
pub fn log_key(text: &str) -> Result<VerifierKey> {
    parse_key(text, "--key")
}

/// Looks for two heads of the log of `key` that exclude each other, in checkpoints, pieces of evidence and ledgers at `paths`.
///
/// # Errors
/// Where there are none, with exit code 4 and the reason; so also where one is not signed by that key, or a ledger does not
/// verify. A file that is none of the three, with exit code 2.
pub fn convict(paths: &[PathBuf], key: &VerifierKey) -> Result<Conviction> {
    let mut brought = Brought::default();
    for path in paths {
        brought.take(path, key)?;
    }
    brought.judge(key).map_err(|error| {
        let help = match error {
            ForkError::Undecided { .. } => {
                "name the folder of a ledger as well that is at least as long as the longer of them"
            }
            ForkError::Consistent => {
                "as far as these files go, the log has told one history; compare with those of others"
            }
            _ => "somebody has altered the file: ask for it again where it comes from",
        };
        not_convicted(&places(paths), &error).help(help)
    })
}

impl Conviction {
    /// The evidence as a file, for whoever has the log's key.
    pub fn to_file(&self, key: &VerifierKey) -> String {
        self.evidence.to_json(key) + "\n"
    }

    /// What it comes to, for programs: one JSON object on one line.
    pub fn to_json(&self) -> String {
        let Convicted { older, newer, root } = &self.convicted;
        let head = |head: &Checkpoint| json!({ "size": head.size(), "root": head.root().to_string() });
        let (origin, was) = (older.origin(), root.to_string());
        let told = json!({
            "convicted": true, "origin": origin, "older": head(older), "newer": head(newer), "newer_was": was,
        });
        told.to_string()
    }

    /// What it comes to, for people.
    pub fn render(&self) -> String {
        let Convicted { older, newer, root } = &self.convicted;
        let head =
            |name, head: &Checkpoint| format!("{name}  {} entries, root {}\n", head.size(), head.root());
        format!(
            "{}{}       whose first {} entries have the root {root}\n\nconvicted: {} signed two histories that exclude each other\n",
            head("older", older),
            head("newer", newer),
            older.size(),
            older.origin(),
        )
    }
}

impl Brought {
    fn take(&mut self, path: &Path, key: &VerifierKey) -> Result<()> {
        if path.is_dir() {
            return self.take_ledger(path, key);
        }
        let text = std::fs::read_to_string(path).map_err(|error| Error::unreadable(path, &error))?;
        let place = [path.to_owned()];
        if text.starts_with('{') {
            let (fork, _) = Fork::from_json(&text).map_err(|error| {
                Error::input(error.code(), error.to_string())
                    .place(places(&place))
                    .help("`syndic-participant` and `syndic ledger convict --out` write such files")
            })?;
            for head in [&fork.older, &fork.newer] {
                self.take_head(head.clone(), path, key)?;
            }
            self.evidence.push(fork);
            return Ok(());
        }
        self.take_head(text, path, key)
    }

    /// A head, which nobody is convicted by unless the log signed it.
    fn take_head(&mut self, note: String, path: &Path, key: &VerifierKey) -> Result<()> {
        if let Err(error) = Checkpoint::verify(&note, key) {
            let exit = match error {
                CheckpointError::Malformed | CheckpointError::Note(NoteError::Malformed) => Exit::Input,
                _ => Exit::Unverified,
            };
            return Err(Error::new(exit, error.code(), format!("not convicted: {error}"))
                .place(path.display().to_string())
                .help("it takes two checkpoints that the log itself has signed, and the log's own key"));
        }
        self.heads.push(note);
        Ok(())
    }

    fn take_ledger(&mut self, path: &Path, key: &VerifierKey) -> Result<()> {
        let folder = Folder::open(path)?;
        let (note, mut leaves) = (folder.checkpoint()?, Leaves::new());
        check_each(&folder, &Trust::Key(Box::new(key.clone())), &mut |accepted| {
            leaves.append(accepted.leaf)
        })?;
        self.take_head(note, path, key)?;
        self.ledgers.push(leaves);
        Ok(())
    }

    /// The first conviction; else the nearest to one that there is.
    fn judge(&self, key: &VerifierKey) -> std::result::Result<Conviction, ForkError> {
        let mut nearest = ForkError::Consistent;
        for evidence in &self.evidence {
            match evidence.verify(key) {
                Ok(convicted) => return Ok(Conviction { evidence: evidence.clone(), convicted }),
                Err(ForkError::Consistent) => {}
                Err(error) => nearest = error,
            }
        }
        for (index, one) in self.heads.iter().enumerate() {
            for other in self.heads.iter().skip(index + 1) {
                match self.judge_pair(&Fork::of(one, other, key)?, key) {
                    Ok(conviction) => return Ok(conviction),
                    Err(ForkError::Consistent) => {}
                    Err(error) if nearest == ForkError::Consistent => nearest = error,
                    Err(_) => {}
                }
            }
        }
        Err(nearest)
    }

    fn judge_pair(&self, pair: &Fork, key: &VerifierKey) -> std::result::Result<Conviction, ForkError> {
        let with_pasts = self.ledgers.iter().map(|leaves| pair.clone().with_leaves(leaves, key));
        let mut verdict = ForkError::Consistent;
        for evidence in std::iter::once(Ok(pair.clone())).chain(with_pasts) {
            let evidence = evidence?;
            match evidence.verify(key) {
                Ok(convicted) => return Ok(Conviction { evidence, convicted }),
                // Whoever shows the past of the newer head settles it.
                Err(ForkError::Consistent) => return Err(ForkError::Consistent),
                Err(error) => verdict = error,
            }
        }
        Err(verdict)
    }
}

fn not_convicted(place: &str, error: &ForkError) -> Error {
    Error::new(Exit::Unverified, error.code(), format!("not convicted: {error}")).place(place)
}

fn places(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
