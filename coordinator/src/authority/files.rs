//! Files of a federation directory: private keys that only their owner can open, and whole-or-nothing
//! replacement for the rest.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use pem::Pem;
use rustls::pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

use super::error::FileError;

/// Makes `dir` for its owner only; one that exists is left as it is, since a person made it.
pub(crate) fn create_directory(dir: &Path) -> Result<(), FileError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| FileError::Io { path: dir.to_owned(), source })
}

/// Writes `pkcs8` as PEM to a new file of mode 0600, durable when this returns.
pub(crate) fn write_secret(path: &Path, pkcs8: &[u8]) -> Result<(), FileError> {
    let copy = Pem::new("PRIVATE KEY", pkcs8);
    let text = Zeroizing::new(pem::encode(&copy));
    copy.into_contents().zeroize();
    create_secret(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|source| FileError::of(path, source))
}

/// Reads what [`write_secret`] wrote, and refuses a file that others may read or the group may change.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut file = File::open(path).map_err(|source| FileError::of(path, source))?;
    refuse_if_open_to_others(path, &file)?;
    let no_pem = || FileError::malformed(path, "is not a PEM file with a PKCS #8 private key");
    // Room for the whole text at once, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET as usize));
    Read::take(&mut file, MAX_SECRET).read_to_string(&mut text).map_err(|_| no_pem())?;
    let pem = pem::parse(text.as_bytes()).map_err(|_| no_pem())?;
    let private = pem.tag() == "PRIVATE KEY";
    let contents = Zeroizing::new(pem.into_contents());
    if private { Ok(contents) } else { Err(no_pem()) }
}

/// Puts `content` in place, whole or not at all, durable when this returns.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let replace = || -> io::Result<()> {
        let mut partial = path.to_owned().into_os_string();
        partial.push(".partial");
        let mut file = File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        // If we crash here a `.partial` file stays behind; the next write replaces it.
        fs::rename(&partial, path)?;
        match path.parent() {
            Some(dir) if cfg!(unix) && !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    };
    replace().map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// Reads a JSON file.
pub(crate) fn read_public<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = fs::read(path).map_err(|source| FileError::of(path, source))?;
    serde_json::from_slice(&text)
        .map_err(|error| FileError::malformed(path, format!("is not what it should be: {error}")))
}

/// Reads one certificate in PEM.
pub(crate) fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, FileError> {
    let text = fs::read(path).map_err(|source| FileError::of(path, source))?;
    pem::parse(text)
        .ok()
        .filter(|pem| pem.tag() == "CERTIFICATE")
        .map(|pem| CertificateDer::from(pem.into_contents()))
        .ok_or_else(|| FileError::malformed(path, "is not a certificate in PEM"))
}

/// A key file is a few hundred bytes; anything longer is not one.
const MAX_SECRET: u64 = 4096;

fn create_secret(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn refuse_if_open_to_others(path: &Path, file: &File) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        let metadata = file.metadata().map_err(|source| FileError::of(path, source))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        // A group may read: that is how orchestrators hand secrets to a service.
        if mode & 0o027 != 0 {
            return Err(FileError::Permissions { path: path.to_owned(), mode });
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}
