//! The directory in which an institution keeps its keys.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use syndic_round::roster::is_name;

use super::error::KeysError;
use super::{Keys, TlsKey, pkcs8, secret_file};
use crate::durable::{create_folder, sync_entry};

impl Keys {
    /// Writes the keys to `dir` (made with mode 0700 where it does not exist; files of mode 0600) together with
    /// the signing request for the operator, `NAME.request.json`. Durable when it returns.
    ///
    /// # Errors
    /// [`KeysError::Exists`] where the directory holds keys already, [`KeysError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), KeysError> {
        create_folder(dir).map_err(|source| KeysError::Io { path: dir.to_owned(), source })?;
        let record = dir.join(RECORD);
        if record.exists() {
            return Err(KeysError::Exists { path: record });
        }
        let request = json(&self.signing_request()?);
        secret_file::write(&dir.join(SIGNING_KEY), &pkcs8::encode(&self.signing))?;
        secret_file::write(&dir.join(TLS_KEY), self.tls.pkcs8())?;
        write_public(&dir.join(format!("{}.request.json", self.name)), &request)?;
        // If we crash here the keys lie there without their record: loading says that it is missing, writing
        // again refuses to overwrite them, and nobody has certified them yet.
        let signing_key = hex::encode(self.signing.verifying_key().to_bytes());
        let content = Record { schema: SCHEMA.to_owned(), name: self.name.clone(), signing_key };
        write_public(&record, &json(&content))
    }

    /// Reads the keys that [`Keys::write`] left in `dir`.
    ///
    /// # Errors
    /// [`KeysError`] names the file and what is wrong with it: missing, open to others, malformed, or not the
    /// key that the record names.
    pub fn load(dir: &Path) -> Result<Self, KeysError> {
        let path = dir.join(RECORD);
        let text = fs::read(&path).map_err(|source| KeysError::io(&path, source))?;
        let record: Record = serde_json::from_slice(&text)
            .ok()
            .filter(|record: &Record| record.schema == SCHEMA && is_name(&record.name))
            .ok_or_else(|| KeysError::malformed(&path, "is not a `syndic.keys/1` record"))?;

        let path = dir.join(SIGNING_KEY);
        let signing = pkcs8::decode(&secret_file::read(&path)?)
            .ok_or_else(|| KeysError::malformed(&path, "does not hold an Ed25519 key"))?;
        if hex::encode(signing.verifying_key().to_bytes()) != record.signing_key {
            return Err(KeysError::malformed(&path, "holds another key than the one that keys.json names"));
        }
        let path = dir.join(TLS_KEY);
        let tls = TlsKey::from_pkcs8(secret_file::read(&path)?)
            .map_err(|_| KeysError::malformed(&path, "does not hold an ECDSA P-256 key"))?;
        Ok(Self { name: record.name, tls, signing })
    }
}

/// The public half of the directory; written last, so that its presence means that the rest is complete.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    schema: String,
    name: String,
    signing_key: String,
}

const SCHEMA: &str = "syndic.keys/1";
const RECORD: &str = "keys.json";
const SIGNING_KEY: &str = "signing.key.pem";
const TLS_KEY: &str = "tls.key.pem";

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("strings and bytes have a JSON form");
    text.push(b'\n');
    text
}

/// Puts a file without secrets in place, whole or not at all, durable when this returns.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), KeysError> {
    let replace = || -> io::Result<()> {
        let mut partial = path.to_owned().into_os_string();
        partial.push(".partial");
        let mut file = File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        // If we crash here a `.partial` file stays behind; the next write replaces it.
        fs::rename(&partial, path)?;
        sync_entry(path)
    };
    replace().map_err(|source| KeysError::Io { path: path.to_owned(), source })
}
