//! A PostgreSQL server and a bucket of an S3 server, in which coordinators keep what they would keep in their folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::process::succeed;
use crate::servers::postgres::Postgres;
use crate::servers::s3::S3;

/// Both servers, running.
pub(crate) struct Servers {
    postgres: Postgres,
    s3: S3,
}

impl Servers {
    /// None, said loudly, where one is not installed.
    pub(crate) fn start() -> Option<Self> {
        Some(Self { postgres: Postgres::start()?, s3: S3::with_bucket(BUCKET)? })
    }

    /// Where they listen.
    pub(crate) fn ports(&self) -> [u16; 2] {
        let (_, s3) = self.s3.endpoint().rsplit_once(':').unwrap();
        [self.postgres.port(), s3.parse().unwrap()]
    }

    /// A new, empty database, and a prefix of the bucket, of this name.
    pub(crate) fn place(&self, name: &str) -> Place {
        let (database, prefix) = (self.postgres.create_database(name), format!("s3://{BUCKET}/{name}"));
        Place { database, prefix, endpoint: self.s3.endpoint().to_owned() }
    }
}

/// Where on the servers a federation keeps what it keeps.
pub(crate) struct Place {
    database: String,
    prefix: String,
    endpoint: String,
}

impl Place {
    /// What the configuration of a coordinator in the folder `host` says of it. The secret that it names is written there.
    pub(crate) fn store(&self, host: &Path) -> String {
        let secret = host.join("s3.secret");
        fs::write(&secret, "[default]\naws_access_key_id = sesame\naws_secret_access_key = sesame\n")
            .unwrap();
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "[store.postgres]\nurl = \"{}\"\n[store.s3]\nurl = \"{}\"\nendpoint = \"{}\"\n\
             credentials_file = \"s3.secret\"\n",
            self.database, self.prefix, self.endpoint,
        )
    }
}

/// Brings what is on the servers into the folder of the coordinator in `host`.
pub(crate) fn brought_home(host: &Path) {
    let arguments = ["migrate-store", "--config", "coordinator.toml", "--to", "folder"];
    succeed("syndic-coordinator", host, &arguments);
}

const BUCKET: &str = "bucket";
