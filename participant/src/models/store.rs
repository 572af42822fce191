//! The folder of delivered models. What stands in it was verified first, and is whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use syndic_learning::{Model, ModelCard};
use syndic_round::{SealedRoster, Stage};

use super::release::{Proved, Release, Undelivered};
use crate::durable::{create_folder, sync_entry};

/// The folder.
#[derive(Clone, Debug)]
pub struct Models(PathBuf);

/// A model that lies here.
#[derive(Debug)]
pub struct Held {
    /// Its folder.
    pub path: PathBuf,
    /// What is proved of it; or why it is not to be used.
    pub proved: Result<Proved, Undelivered>,
}

impl Models {
    /// Those in `folder`, which is made once there is one.
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Every model that lies here, each verified again: entries, proofs, signatures, and both files.
    ///
    /// # Errors
    /// [`Undelivered::Io`] where the folder cannot be read.
    pub fn held(&self, roster: &SealedRoster) -> Result<Vec<Held>, Undelivered> {
        let mut held = Vec::new();
        for path in self.folders()? {
            held.push(Held { proved: looked_at(&path, roster).map(|(proved, ..)| proved), path });
        }
        Ok(held)
    }

    /// The folders of all models that lie here.
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>, Undelivered> {
        let mut all = Vec::new();
        for name in folders(&self.0).map_err(|error| io(&self.0, error))? {
            all.extend(folders(&name).map_err(|error| io(&name, error))?);
        }
        Ok(all)
    }

    /// Where the model of a record lies.
    pub fn path_of(&self, proved: &Proved) -> PathBuf {
        self.0.join(&proved.name).join(format!("{JOB}{}", proved.job))
    }

    /// What lies here of the model of a record, verified; none where it is not here or not whole.
    pub fn known(&self, proved: &Proved, roster: &SealedRoster) -> Option<Proved> {
        looked_at(&self.path_of(proved), roster).ok().map(|(proved, ..)| proved)
    }

    /// Puts a model here, or another stage of one that lies here. Its files are checked first; where they are not what the record
    /// proves nothing is written. Durable when it returns.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub fn put(
        &self,
        release: &Release,
        proved: &Proved,
        weights: &[u8],
        card: &[u8],
    ) -> Result<(), Undelivered> {
        proved.check(weights, card)?;
        let path = self.path_of(proved);
        self.write(&path, release, weights, card).map_err(|error| io(&path, error))
    }

    /// Puts another record in the place of that of a model which lies here. Durable when it returns.
    ///
    /// # Errors
    /// [`Undelivered::Io`].
    pub fn restage(&self, release: &Release, proved: &Proved) -> Result<(), Undelivered> {
        let path = self.path_of(proved).join(RECORD);
        let partial = path.with_extension("partial");
        let replaced = (|| {
            write_file(&partial, release.to_json().as_bytes())?;
            // If we crash here the former stage counts, and the new one is shown again at the next connection.
            fs::rename(&partial, &path)?;
            sync_entry(&path)
        })();
        replaced.map_err(|error| io(&path, error))
    }

    fn write(&self, path: &Path, release: &Release, weights: &[u8], card: &[u8]) -> io::Result<()> {
        let name = path.parent().unwrap_or(&self.0);
        create_folder(name)?;
        let partial = partial_of(path);
        remove(&partial)?;
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&partial)?;
        for (file, bytes) in [(WEIGHTS, weights), (CARD, card), (RECORD, release.to_json().as_bytes())] {
            write_file(&partial.join(file), bytes)?;
        }
        sync_entry(&partial.join(RECORD))?;
        // What lies there is damaged, or this would not be called.
        remove(path)?;
        // If we crash here nothing lies under the model's name, and it is delivered again; its parts are removed then.
        fs::rename(&partial, path)?;
        sync_entry(path)
    }
}

/// What is proved of the model in a folder by its record alone.
pub(super) fn recorded(path: &Path, roster: &SealedRoster) -> Result<Proved, Undelivered> {
    let record = String::from_utf8(read(path, RECORD)?).map_err(|_| Undelivered::Record)?;
    let proved = Release::parse(&record)?.prove(roster)?;
    let expected = format!("{JOB}{}", proved.job);
    let is_there = path.file_name().is_some_and(|name| name == expected.as_str())
        && path.parent().and_then(Path::file_name).is_some_and(|name| name == proved.name.as_str());
    if !is_there {
        return Err(Undelivered::Record);
    }
    Ok(proved)
}

/// The same, once both files were found to be those of the record; with the model in them.
pub(super) fn looked_at(
    path: &Path,
    roster: &SealedRoster,
) -> Result<(Proved, Model, ModelCard), Undelivered> {
    let proved = recorded(path, roster)?;
    let (model, card) = proved.check(&read(path, WEIGHTS)?, &read(path, CARD)?)?;
    Ok((proved, model, card))
}

fn read(path: &Path, file: &str) -> Result<Vec<u8>, Undelivered> {
    let file = path.join(file);
    fs::read(&file).map_err(|error| io(&file, error))
}

/// The folders in a folder, in order of their names; those that are being written, which begin with a dot, are none. None where
/// there is no folder.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn partial_of(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.partial"))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn io(path: &Path, source: io::Error) -> Undelivered {
    Undelivered::Io { path: path.display().to_string(), source }
}

impl Held {
    /// Whether it may be used.
    pub fn is_usable(&self) -> bool {
        self.proved.as_ref().is_ok_and(|proved| proved.stage != Stage::Withdrawn)
    }
}

const WEIGHTS: &str = "model.safetensors";
const CARD: &str = "model.json";
const RECORD: &str = "release.json";
/// With this begins the folder of a job: an id may consist of dots.
const JOB: &str = "job-";
