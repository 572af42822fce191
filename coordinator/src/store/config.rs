//! `[store]` of the configuration: the servers that keep ledger and blobs where the state folder does not.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PostgresAddress, S3Address, S3Credentials};
use crate::authority::{FileError, read_secret_text};

/// The servers. Both or none: where the log outgrows this host, so do the blobs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Where the log is.
    pub postgres: PostgresConfig,
    /// Where the blobs are.
    pub s3: S3Config,
}

/// `[store.postgres]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://user@host:port/database`, without a password.
    pub url: String,
    /// A file with the password alone. Without one the variable `PGPASSWORD` or the server's own rules decide.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// `[store.s3]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// `s3://bucket/prefix`.
    pub url: String,
    /// Where the store answers, if it is not Amazon's.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region that requests are signed for; many stores take any.
    #[serde(default = "default_region")]
    pub region: String,
    /// A file as `~/.aws/credentials`. Without one the variables `AWS_ACCESS_KEY_ID` and so on decide.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// Certificates, in PEM, of authorities that vouch for the store beside those of this host.
    #[serde(default)]
    pub authorities_file: Option<PathBuf>,
}

/// Where the servers are, and who we are there.
pub struct Servers {
    /// Of the log.
    pub log: PostgresAddress,
    /// Of the blobs.
    pub blobs: S3Address,
}

impl StoreConfig {
    /// Refuses addresses that cannot be used; no file is read, and nothing of an address repeated that may be secret.
    pub(crate) fn check(&self) -> Result<(), String> {
        let postgres = self.postgres.url.parse::<PostgresAddress>();
        postgres.map_err(|error| format!("`store.postgres.url`: {error}"))?;
        self.s3.address().map(drop)
    }

    /// The paths in it, for whoever knows what they are relative to.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { postgres, s3 } = self;
        let files = [&mut postgres.password_file, &mut s3.credentials_file, &mut s3.authorities_file];
        files.into_iter().flatten()
    }

    /// The servers, with what the files named here hold.
    ///
    /// # Errors
    /// [`FileError`] names the file, and nothing of what it holds.
    pub fn servers(&self) -> Result<Servers, FileError> {
        let refused = |of: &str, reason: String| FileError::malformed(Path::new(of), reason);
        let mut log: PostgresAddress = self
            .postgres
            .url
            .parse()
            .map_err(|error: super::BadAddress| refused("[store.postgres]", error.to_string()))?;
        if let Some(path) = &self.postgres.password_file {
            let password = read_secret_text(path)?;
            // Editors end a file with a newline; passwords do not.
            log = log.with_password(password.trim_end_matches(['\r', '\n']));
        }
        let mut blobs = self.s3.address().map_err(|reason| refused("[store.s3]", reason))?;
        if let Some(path) = &self.s3.credentials_file {
            let credentials = S3Credentials::parse(&read_secret_text(path)?);
            blobs = blobs.with_credentials(
                credentials.map_err(|error| FileError::malformed(path, error.to_string()))?,
            );
        }
        if let Some(path) = &self.s3.authorities_file {
            let pem = fs::read(path).map_err(|source| FileError::of(path, source))?;
            blobs = blobs
                .with_authorities(&pem)
                .map_err(|error| FileError::malformed(path, error.to_string()))?;
        }
        Ok(Servers { log, blobs })
    }
}

impl S3Config {
    fn address(&self) -> Result<S3Address, String> {
        S3Address::new(&self.url, self.endpoint.as_deref(), &self.region)
            .map_err(|error| format!("`store.s3`: {error}"))
    }
}

fn default_region() -> String {
    "us-east-1".into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(text: &str) -> StoreConfig {
        toml::from_str(text).unwrap()
    }

    const GOOD: &str =
        "[postgres]\nurl = \"postgres://syndic@127.0.0.1/syndic\"\n[s3]\nurl = \"s3://bucket/prefix\"\n";

    #[test]
    fn what_cannot_be_used_is_refused_and_no_secret_repeated() {
        assert_eq!(config(GOOD).check(), Ok(()));
        for (from, to, told) in [
            ("syndic@127", "syndic:sesame@127", "`store.postgres.url`: it holds a password"),
            ("postgres://", "mysql://", "`store.postgres.url`: it is no address"),
            ("s3://bucket", "s3://key:sesame@bucket", "`store.s3`: it is no address"),
            ("prefix\"", "prefix\"\nendpoint = \"http://10.0.0.1:9000\"", "`store.s3`: the endpoint is not"),
        ] {
            let refused = config(&GOOD.replace(from, to)).check().unwrap_err();
            assert!(refused.starts_with(told) && !refused.contains("sesame"), "{refused}");
        }
        for half in [&GOOD[..GOOD.find("[s3]").unwrap()], &GOOD[GOOD.find("[s3]").unwrap()..]] {
            assert!(toml::from_str::<StoreConfig>(half).is_err(), "one without the other: {half}");
        }
    }

    #[test]
    fn secrets_come_from_files_that_nobody_else_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let mut config = config(GOOD);
        config.postgres.password_file = Some(file("password", "sesame\n", 0o600));
        config.s3.credentials_file =
            Some(file("keys", "aws_access_key_id = A\naws_secret_access_key = sesame\n", 0o640));
        assert!(config.servers().is_ok());

        config.postgres.password_file = Some(file("open", "sesame", 0o644));
        assert_eq!(config.servers().err().unwrap().code(), "federation.permissions");
        config.postgres.password_file = Some(dir.path().join("nowhere"));
        assert_eq!(config.servers().err().unwrap().code(), "federation.missing");
        config.postgres.password_file = None;
        config.s3.credentials_file = Some(file("half", "aws_secret_access_key = sesame\n", 0o600));
        let refused = config.servers().err().unwrap().to_string();
        assert!(refused.contains("aws_access_key_id") && !refused.contains("sesame"), "{refused}");
    }
}
