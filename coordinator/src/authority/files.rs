//! Files of a federation directory: private keys that only their owner can open, and whole-or-nothing
//! replacement for the rest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pem::Pem;
use rustls::pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

use super::error::FileError;
use crate::durable::{create_folder, folder_of, sync_folder, write_whole};
use crate::malformed;

/// Makes `dir` for its owner only, durable when this returns; one that exists is left as it is, since a person
/// made it.
pub(crate) fn create_directory(dir: &Path) -> Result<(), FileError> {
    Ok(create_folder(dir, 0o700)?)
}

/// Writes `pkcs8` as PEM to a new file of mode 0600, durable when this returns.
pub(crate) fn write_secret(path: &Path, pkcs8: &[u8]) -> Result<(), FileError> {
    let copy = Pem::new("PRIVATE KEY", pkcs8);
    let text = Zeroizing::new(pem::encode(&copy));
    copy.into_contents().zeroize();
    let mut file = create_secret(path).map_err(|source| FileError::of(path, source))?;
    // If we crash here half a key, or none, lies there under its name: reading refuses it, writing again refuses to
    // replace it, and nobody has heard of it.
    if let Err(source) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // A key that was not written whole is no key; what cannot be removed either is left as after a crash.
        let _ = fs::remove_file(path);
        return Err(FileError::of(path, source));
    }
    // If we crash here the key is whole but a power cut may take it.
    Ok(folder_of(path).map_or(Ok(()), sync_folder)?)
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

/// Reads a secret that is plain text, such as a password, as strictly as [`read_secret`] reads a key.
pub(crate) fn read_secret_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let mut file = File::open(path).map_err(|source| FileError::of(path, source))?;
    refuse_if_open_to_others(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET as usize));
    Read::take(&mut file, MAX_SECRET)
        .read_to_string(&mut text)
        .map_err(|_| FileError::malformed(path, "is not a text"))?;
    Ok(text)
}

/// Puts `content` in place, whole or not at all, durable when this returns.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write_whole(path, content)?;
    // If we crash here the file is whole under its name, or still the one before it.
    Ok(folder_of(path).map_or(Ok(()), sync_folder)?)
}

/// Reads a JSON file. An error names line and key, and nothing of what the file holds.
pub(crate) fn read_public<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = fs::read(path).map_err(|source| FileError::of(path, source))?;
    serde_json::from_slice(&text).map_err(|error| {
        let reason = malformed::json(&text, &error);
        FileError::malformed(path, format!("is not what it should be: {reason}"))
    })
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
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn refuse_if_open_to_others(path: &Path, file: &File) -> Result<(), FileError> {
    let metadata = file.metadata().map_err(|source| FileError::of(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    // A group may read: that is how orchestrators hand secrets to a service.
    if mode & 0o027 != 0 {
        return Err(FileError::Permissions { path: path.to_owned(), mode });
    }
    Ok(())
}
