//! `syndic ledger witness`: the word of a third party that, to its knowledge, a ledger has only grown.
//!
//! A witness that signed two heads of which neither continues the other would convict itself, and be of no use to anybody.
//! So what it is about to sign is kept, durably, before the signature is made, and nothing is signed that does not continue
//! what was kept last.

use std::fs::File;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use rand::RngExt as _;
use rand::rngs::StdRng;
use syndic_ledger::tiles::CHECKPOINT;
use syndic_ledger::{
    Checkpoint, CheckpointError, CosignerKey, Growth, NoteError, VerifierKey, cosign, cosigned_at,
};
use syndic_participant::keys::{read_signing_key, write_signing_key};

use super::earlier::rewritten;
use super::folder::Folder;
use super::trust::{Trust, parse_key};
use super::verify::check_each;
use crate::new_file::replace;
use crate::signing_key::no_key;
use crate::{Error, Exit, Result};

/// A witness: its name and its key. Not printable, and the key is wiped when dropped.
pub struct Witness {
    key: SigningKey,
    public: CosignerKey,
}

/// A checkpoint with the witness's signature below it.
#[derive(Debug)]
pub struct Signed {
    /// The whole note.
    pub note: String,
    /// How many entries it is over.
    pub size: u64,
    /// Whether it had the witness's signature before.
    pub already: bool,
}

impl Witness {
    /// Makes a key for the witness `name`, and writes it to the new file `path`, which only its owner can read.
    ///
    /// # Errors
    /// A name that a note cannot carry, or a file that is there already, with exit code 2.
    pub fn create(name: &str, path: &Path) -> Result<Self> {
        let witness = Self::of(name, SigningKey::from_bytes(&rand::make_rng::<StdRng>().random()))?;
        write_signing_key(path, &witness.key).map_err(|error| no_key(&error, "--key", NO_KEY))?;
        Ok(witness)
    }

    /// The witness `name` with the key in the file `path`.
    ///
    /// # Errors
    /// A name that a note cannot carry; a file that is no key, or open to others.
    pub fn read(name: &str, path: &Path) -> Result<Self> {
        Self::of(name, read_signing_key(path).map_err(|error| no_key(&error, "--key", NO_KEY))?)
    }

    fn of(name: &str, key: SigningKey) -> Result<Self> {
        let public = CosignerKey::new(name, key.verifying_key()).map_err(|error| {
            Error::input(error.code(), error.to_string())
                .place("--name")
                .help("choose a name without spaces and `+`, such as `auditor.example`")
        })?;
        Ok(Self { key, public })
    }

    /// The public key, for the policies of those who trust the witness.
    pub fn public(&self) -> &CosignerKey {
        &self.public
    }

    /// Verifies the ledger in the folder `dir`, which the log of `key` signed, and that it continues the checkpoint in the
    /// file `state`; keeps its checkpoint there; and signs it at `seconds` since the Unix epoch.
    ///
    /// # Errors
    /// Whatever is wrong with the ledger, and one that is no continuation, with exit code 4: nothing is signed or kept then.
    pub fn sign(&self, dir: &Path, key: VerifierKey, state: &State, seconds: u64) -> Result<Signed> {
        let folder = Folder::open(dir)?;
        // Two of one witness at a time could each sign its own continuation of what was kept.
        let _lock = state.lock()?;
        let mut growth = state.kept(&key)?.map(Growth::since);
        let note = folder.checkpoint()?;
        let verified = check_each(&folder, &Trust::Key(Box::new(key.clone())), &mut |accepted| {
            if let Some(growth) = &mut growth {
                growth.append(accepted.leaf);
            }
        })?;
        let checkpoint = Checkpoint::verify(&note, &key).map_err(|error| unsigned(&folder, &error))?;
        if (checkpoint.size(), *checkpoint.root()) != (verified.summary.size, verified.summary.root) {
            return Err(changed(&folder));
        }
        if let Some(growth) = growth {
            growth.check(checkpoint.size()).map_err(|error| rewritten(&folder, &state.path, &error))?;
        }
        state.keep(&note)?;
        // If we crash here the state is ahead of what was given out: the next time signs the same checkpoint, or one that
        // continues it.
        let theirs = |error: NoteError| unsigned(&folder, &error.into());
        let already = cosigned_at(&note, &self.public).map_err(theirs)?.is_some();
        let note = match already {
            true => note,
            false => cosign(&note, &key, self.public.name(), seconds, &self.key)
                .map_err(|error| unsigned(&folder, &error))?,
        };
        Ok(Signed { note, size: checkpoint.size(), already })
    }
}

impl Signed {
    /// Puts the signature below the checkpoint in the folder `dir`, unless that has changed since.
    ///
    /// # Errors
    /// [`Exit::World`] where it has, and where it cannot be written.
    pub fn publish(&self, dir: &Path) -> Result<()> {
        let folder = Folder::open(dir)?;
        if self.already {
            return Ok(());
        }
        if !self.note.starts_with(&folder.checkpoint()?) {
            return Err(changed(&folder));
        }
        replace(&folder.path().join(CHECKPOINT), &self.note)
    }
}

/// Where a witness keeps the last checkpoint that it signed, or was about to sign.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    /// Whether there is none, since the witness has never signed for this log.
    begin: bool,
}

impl State {
    /// That in the file `path`, which must be there unless the witness is to `begin`.
    pub fn new(path: &Path, begin: bool) -> Self {
        Self { path: path.into(), begin }
    }

    /// Waits until no other process signs by this state.
    fn lock(&self) -> Result<File> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = File::create(&path).and_then(|file| file.lock().map(|()| file));
        file.map_err(|cause| Error::unwritable(&path, &cause))
    }

    /// The checkpoint that was kept.
    fn kept(&self, key: &VerifierKey) -> Result<Option<Checkpoint>> {
        let place = self.path.display().to_string();
        let note = match std::fs::read_to_string(&self.path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && self.begin => return Ok(None),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let told = "the witness does not know what it signed last";
                let help = "restore the file; only if it has never signed for this log, say --begin";
                return Err(Error::input("witness.no-state", told).place(place).help(help));
            }
            Err(cause) => return Err(Error::unreadable(&self.path, &cause)),
            Ok(_) if self.begin => {
                let told = "the witness has begun with this log already";
                return Err(Error::input("witness.state-exists", told)
                    .place(place)
                    .help("leave out --begin"));
            }
            Ok(note) => note,
        };
        Checkpoint::verify(&note, key).map(Some).map_err(|error| {
            Error::input("witness.other-state", format!("this is not the state for that log: {error}"))
                .place(place)
                .help("keep one state for each log and witness, and restore a damaged one from a backup")
        })
    }

    fn keep(&self, note: &str) -> Result<()> {
        replace(&self.path, note)
    }
}

/// The key of a log, as the option `--log` names it.
///
/// # Errors
/// With exit code 2 where it is none.
pub fn log_key(text: &str) -> Result<VerifierKey> {
    parse_key(text, "--log")
}

fn unsigned(folder: &Folder, error: &CheckpointError) -> Error {
    let place = folder.path().join(CHECKPOINT).display().to_string();
    Error::new(Exit::Unverified, error.code(), error.to_string())
        .place(place)
        .help("compare the keys with those that `syndic-participant pin` and the witnesses' holders printed")
}

fn changed(folder: &Folder) -> Error {
    Error::world("witness.changed", "the checkpoint was replaced while the ledger was read")
        .place(folder.path().join(CHECKPOINT).display().to_string())
        .help("nothing was lost: run the command again")
}

const NO_KEY: &str = "make one with `syndic ledger witness --new-key`, or restore the file from a backup";
