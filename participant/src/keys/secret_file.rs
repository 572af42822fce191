//! Private keys as PEM files that only their owner can open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use pem::Pem;
use zeroize::{Zeroize, Zeroizing};

use super::error::KeysError;
use crate::durable::sync_entry;

/// Writes `pkcs8` to a new file of mode 0600, durable when this returns.
pub(super) fn write(path: &Path, pkcs8: &[u8]) -> Result<(), KeysError> {
    let copy = Pem::new("PRIVATE KEY", pkcs8);
    let text = Zeroizing::new(pem::encode(&copy));
    copy.into_contents().zeroize();
    let failed = |source| KeysError::io(path, source);
    let mut file = create(path).map_err(failed)?;
    // If we crash here half a key may lie there: it is never overwritten, and nobody has certified it.
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would be in the way of the next attempt; if it stays, that attempt says so.
        let _ = fs::remove_file(path);
    }
    written.and_then(|()| sync_entry(path)).map_err(failed)
}

/// Reads what [`write`] wrote, and refuses a file that others may read or the group may change.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let mut file = File::open(path).map_err(|source| KeysError::io(path, source))?;
    refuse_if_open_to_others(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    // A key file is a few hundred bytes; anything longer is not one.
    Read::take(&mut file, 4096)
        .read_to_string(&mut text)
        .map_err(|_| KeysError::malformed(path, "is not a PEM file"))?;
    let pem = pem::parse(text.as_bytes()).map_err(|_| KeysError::malformed(path, "is not a PEM file"))?;
    let private = pem.tag() == "PRIVATE KEY";
    let contents = Zeroizing::new(pem.into_contents());
    match private {
        true => Ok(contents),
        false => Err(KeysError::malformed(path, "does not hold a PKCS #8 private key")),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn refuse_if_open_to_others(path: &Path, file: &File) -> Result<(), KeysError> {
    #[cfg(unix)]
    {
        let metadata = file.metadata().map_err(|source| KeysError::io(path, source))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        // A group may read: that is how orchestrators hand secrets to a service.
        if mode & 0o027 != 0 {
            return Err(KeysError::Permissions { path: path.to_owned(), mode });
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}
