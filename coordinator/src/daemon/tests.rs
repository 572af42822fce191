//! What stops the daemon before its first round, and with which exit code.

use std::path::PathBuf;

use rand::SeedableRng;
use rand::rngs::StdRng;
use syndic_round::Timestamp;
use syndic_round::enrolment::Address;

use super::*;
use crate::clock;
use crate::federation::{CoordinatorIdentity, Federation};
use crate::renewal::renew;

/// An operator's folder: configuration, job file, and a federation founded some days ago.
struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn founded(days_ago: u64) -> Self {
        let host = Self { root: tempfile::tempdir().unwrap() };
        let then = Timestamp(clock::now().0 - days_ago * DAY);
        let here = Address::new("127.0.0.1").unwrap();
        let federation =
            Federation::create("credit", vec![here], then, &mut StdRng::seed_from_u64(1)).unwrap();
        federation.write(&host.path("federation")).unwrap();
        std::fs::write(host.path("job.toml"), "").unwrap();
        let config = "listen = \"127.0.0.1:0\"\nfederation = \"federation\"\nstate = \"state\"\njob = \"job.toml\"\n\
                      publish = \"publish\"\n";
        std::fs::write(host.path("coordinator.toml"), config).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The code and the exit code with which the daemon refuses.
    async fn refusal(&self) -> (String, u8) {
        let error = run(&self.path("coordinator.toml")).await.unwrap_err();
        (error.code().to_owned(), error.exit_code())
    }
}

const DAY: u64 = 86_400_000;

#[tokio::test]
async fn a_certificate_that_is_over_stops_the_daemon_until_it_is_renewed() {
    let host = Host::founded(366);
    let dir = host.path("federation");
    let before = CoordinatorIdentity::load(&dir).unwrap();
    assert_eq!(host.refusal().await, ("tls.certificate-expired".to_owned(), 3));

    renew(&dir, 20).unwrap();

    let after = CoordinatorIdentity::load(&dir).unwrap();
    assert_eq!(after.tls_key().pkcs8(), before.tls_key().pkcs8(), "the key stays");
    assert_eq!(after.authority(), before.authority(), "what members trust stays");
    let left = after.certificate_validity().until.0 - clock::now().0;
    assert_eq!(left.div_ceil(DAY), 20);
    // The next thing that this host lacks.
    assert_eq!(host.refusal().await, ("roster.unsealed".to_owned(), 2));
}

#[tokio::test]
async fn without_the_authoritys_key_nothing_is_renewed() {
    let host = Host::founded(0);
    let dir = host.path("federation");
    let before = std::fs::read(dir.join("coordinator.pem")).unwrap();
    std::fs::remove_file(dir.join("authority.key.pem")).unwrap();

    assert_eq!(renew(&dir, 20).unwrap_err().code(), "federation.missing");

    assert_eq!(std::fs::read(dir.join("coordinator.pem")).unwrap(), before);
}

#[tokio::test]
async fn a_wrong_file_is_bad_input_and_a_disk_that_refuses_is_not() {
    let host = Host::founded(0);
    std::fs::remove_file(host.path("job.toml")).unwrap();
    assert_eq!(host.refusal().await, ("file.unreadable".to_owned(), 2));
    std::fs::write(host.path("coordinator.toml"), "listen = 7\n").unwrap();
    assert_eq!(host.refusal().await, ("config.malformed".to_owned(), 2));
    std::fs::remove_file(host.path("coordinator.toml")).unwrap();
    assert_eq!(host.refusal().await, ("file.unreadable".to_owned(), 2));

    let broken = || std::io::Error::other("the disk went away");
    let unreadable = DaemonError::Unreadable { what: JOB_FILE, path: "job.toml".into(), source: broken() };
    assert_eq!(unreadable.exit_code(), 3);
    // A folder stands where the new certificate is written first.
    let dir = host.path("federation");
    std::fs::create_dir(dir.join("coordinator.pem.partial")).unwrap();
    let refused = DaemonError::from(renew(&dir, 20).unwrap_err());
    assert_eq!((refused.code(), refused.exit_code()), ("federation.io", 3));
}
