//! Passwords and keys from files that nobody else may read. They are read when they are needed, so that a new one counts at once.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use object_store::Certificate;
use zeroize::Zeroizing;

use crate::{FetchError, QueryError};

/// The text of a file that others may not read, nor the group change.
pub(super) fn read(source: &str, path: &Path) -> Result<Zeroizing<String>, QueryError> {
    let failed = |error: io::Error| refused(source, path, error.kind().to_string());
    let mut file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    // A group may read: that is how orchestrators hand secrets to a service.
    if mode & 0o027 != 0 {
        return Err(refused(source, path, format!("its mode {:o} lets others read it", mode & 0o777)));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    Read::take(&mut file, LONGEST as u64).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Authorities, as PEM and one by one, from a file that anybody may read.
pub(super) fn authorities(source: &str, path: &Path) -> Result<(Vec<u8>, Vec<Certificate>), QueryError> {
    let pem = std::fs::read(path).map_err(|error| refused(source, path, error.kind().to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    match found.is_empty() {
        true => Err(refused(source, path, "it holds no certificates in PEM".into())),
        false => Ok((pem, found)),
    }
}

/// What requests to a store are signed with.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
    pub(super) token: Option<Zeroizing<String>>,
}

impl Keys {
    /// Those of a file as Amazon's own tools write it.
    pub(super) fn read(source: &str, path: &Path) -> Result<Self, QueryError> {
        let text = read(source, path)?;
        let value = |wanted: &str| {
            let values = text.lines().filter_map(|line| line.split_once('='));
            let mut named = values.filter(|(name, value)| name.trim() == wanted && !value.trim().is_empty());
            named.next().map(|(_, value)| value.trim().to_owned())
        };
        let needed = |wanted: &str| {
            let missing =
                || refused(source, path, format!("it has no `{wanted}`; write it as ~/.aws/credentials"));
            value(wanted).ok_or_else(missing)
        };
        Ok(Self {
            id: needed("aws_access_key_id")?,
            secret: Zeroizing::new(needed("aws_secret_access_key")?),
            token: value("aws_session_token").map(Zeroizing::new),
        })
    }
}

pub(super) fn refused(source: &str, path: &Path, reason: String) -> QueryError {
    FetchError::Secret { source: source.into(), path: path.into(), reason }.into()
}

/// More than any password or file of keys; read whole, so that no copy of it is left behind by growing.
const LONGEST: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn file(folder: &Path, text: &str, mode: u32) -> std::path::PathBuf {
        let path = folder.join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, fits) in [(0o600, true), (0o640, true), (0o644, false), (0o660, false)] {
            let read = read("crm", &file(folder.path(), "sesame\n", mode));
            assert_eq!(read.is_ok(), fits, "{mode:o}");
            let told = read.map(drop).map_err(|error| format!("{error} {error:?}"));
            assert!(told.err().is_none_or(|told| !told.contains("sesame")));
        }
        let nowhere = read("crm", &folder.path().join("nowhere")).unwrap_err();
        assert_eq!(nowhere.code(), "data.source-credentials");
    }

    #[test]
    fn a_file_of_keys_is_read_and_what_is_not_there_named() {
        let folder = tempfile::tempdir().unwrap();
        let whole = "[default]\naws_access_key_id = A\naws_secret_access_key=B=\n";
        let keys = Keys::read("lake", &file(folder.path(), whole, 0o600)).unwrap();
        assert_eq!((&*keys.id, keys.secret.as_str(), keys.token.is_none()), ("A", "B=", true));
        let half = Keys::read("lake", &file(folder.path(), "aws_access_key_id = A\n", 0o600)).err().unwrap();
        assert!(half.to_string().contains("`aws_secret_access_key`"), "{half}");
    }
}
