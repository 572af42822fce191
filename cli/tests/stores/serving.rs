//! The servers, and a configuration that names them.

use std::os::unix::fs::PermissionsExt;

use super::founding::Hosts;
use super::servers::postgres::Postgres;
use super::servers::s3::S3;

/// Both servers of a store.
pub(crate) struct Serving {
    postgres: Postgres,
    s3: S3,
}

impl Serving {
    /// What no log may hold.
    pub(crate) const SECRETS: [&str; 2] = ["sesame-of-postgres", "sesame-of-s3"];

    pub(crate) fn start() -> Option<Self> {
        let [password, _] = Self::SECRETS;
        Some(Self { postgres: Postgres::with_password(password)?, s3: S3::with_bucket("bucket")? })
    }

    /// Gives the coordinator's configuration its servers, and the secrets that it shows them.
    pub(crate) fn configure(&self, hosts: &Hosts) {
        self.configure_at(hosts, self.postgres_port(), self.s3_port());
    }

    pub(crate) fn postgres_port(&self) -> u16 {
        self.postgres.port()
    }

    pub(crate) fn s3_port(&self) -> u16 {
        self.s3.endpoint().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The same where the servers are reached by other ports, which lead there.
    pub(crate) fn configure_at(&self, hosts: &Hosts, postgres: u16, s3: u16) {
        let [password, key] = Self::SECRETS;
        for (name, text) in [
            ("postgres.secret", format!("{password}\n")),
            ("s3.secret", format!("[default]\naws_access_key_id = A\naws_secret_access_key = {key}\n")),
        ] {
            hosts.write(&format!("operator/{name}"), &text);
            let path = hosts.host("operator").join(name);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let servers = format!(
            "\n[store.postgres]\nurl = \"{}\"\npassword_file = \"postgres.secret\"\n\
             [store.s3]\nurl = \"s3://bucket/federation\"\nendpoint = \"http://127.0.0.1:{s3}\"\ncredentials_file = \"s3.secret\"\n",
            Postgres::url_at(postgres)
        );
        hosts.write("operator/coordinator.toml", &(config(hosts) + &servers));
    }
}

/// The coordinator's configuration as it is.
pub(crate) fn config(hosts: &Hosts) -> String {
    std::fs::read_to_string(hosts.host("operator").join("coordinator.toml")).unwrap()
}
