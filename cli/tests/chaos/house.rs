//! A federation of separate processes, founded once for many runs: each run begins with a copy of its folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use syndic_round::enrolment::Bundle;

use crate::process::{Process, succeed};

/// The institutions, in the order of their ids.
pub(crate) const BANKS: [&str; 4] = ["bank_a", "bank_b", "bank_c", "bank_d"];

/// A federation of which everything is ready but the job.
pub(crate) struct Founded {
    folder: tempfile::TempDir,
    /// Where its coordinator listens.
    pub(crate) port: u16,
}

/// The hosts of one run; their folders go when it is dropped.
pub(crate) struct House {
    root: tempfile::TempDir,
}

/// How long each phase of a round waits for those who do not answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) u32);

impl Seconds {
    /// So long that whatever is lost is missed: the run never ends.
    pub(crate) const FOR_EVER: Self = Self(3_600);
}

impl Founded {
    /// Founds a federation with the commands that its people use.
    pub(crate) fn new() -> Self {
        let founded = Self { folder: tempfile::tempdir().unwrap(), port: free_port() };
        let root = founded.folder.path();
        let operator = root.join("operator");
        fs::create_dir(&operator).unwrap();
        let federation = |arguments: &[&str]| {
            let arguments = [&["federation"], arguments, &["--dir", "federation"]].concat();
            succeed("syndic", &operator, &arguments)
        };
        let address = format!("127.0.0.1:{}", founded.port);
        federation(&["init", "--name", "chaos", "--host", &address]);
        for bank in BANKS {
            let host = root.join(bank);
            fs::create_dir(&host).unwrap();
            succeed("syndic-participant", &host, &["keygen", "--name", bank, "--dir", "enrolment"]);
            federation(&["add-participant", "--csr", &format!("../{bank}/enrolment/{bank}.request.json")]);
        }
        federation(&["roster"]);
        let mut seal = vec!["seal".to_owned()];
        for bank in BANKS {
            let bundle = format!("../operator/federation/members/{bank}.bundle.json");
            let roster = "../operator/federation/roster.json";
            let endorse = ["endorse", "--dir", "enrolment", "--bundle", &bundle, "--roster", roster];
            succeed("syndic-participant", &root.join(bank), &endorse);
            seal.extend(["--endorsement".into(), format!("../{bank}/enrolment/{bank}.endorsement.json")]);
        }
        federation(&seal.iter().map(String::as_str).collect::<Vec<_>>());
        for (number, bank) in BANKS.iter().enumerate() {
            let sealed = "../operator/federation/roster.sealed.json";
            succeed(
                "syndic-participant",
                &root.join(bank),
                &["pin", "--dir", "enrolment", "--roster", sealed],
            );
            fs::write(root.join(bank).join("rows.csv"), rows(number)).unwrap();
            fs::write(root.join(bank).join("participant.toml"), PARTICIPANT).unwrap();
            fs::write(root.join(bank).join("policy.toml"), POLICY).unwrap();
        }
        let listen = format!("listen = \"{address}\"\n");
        fs::write(operator.join("coordinator.toml"), listen + COORDINATOR).unwrap();
        founded
    }

    /// The folders of a new run.
    pub(crate) fn house(&self, deadlines: Seconds) -> House {
        let house = House { root: tempfile::tempdir().unwrap() };
        let copied = Command::new("cp")
            .args(["-r", "--preserve=mode"])
            .arg(self.folder.path().join("."))
            .arg(house.root.path())
            .status();
        assert!(copied.unwrap().success());
        fs::write(house.host("operator").join("job.toml"), job(deadlines)).unwrap();
        house
    }
}

impl House {
    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Lets the institution find its coordinator at another port.
    pub(crate) fn route(&self, bank: &str, port: u16) {
        let path = self.host(bank).join("enrolment/bundle.json");
        let mut bundle: Bundle = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        bundle.coordinator[0].port = port;
        fs::write(path, serde_json::to_vec(&bundle).unwrap()).unwrap();
    }

    /// What the daemon of this host keeps.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.host(name).join("state")
    }

    pub(crate) fn coordinator_with(&self, environment: &[(String, String)]) -> Process {
        let arguments = ["run", "--config", "coordinator.toml", "--json"];
        Process::start_with("syndic-coordinator", &self.host("operator"), &arguments, environment)
    }

    pub(crate) fn bank_with(&self, bank: &str, environment: &[(String, String)]) -> Process {
        let arguments = ["run", "--config", "participant.toml", "--json"];
        Process::start_with("syndic-participant", &self.host(bank), &arguments, environment)
    }
}

/// Rows of each role at the institution with this place.
pub(crate) fn rows_of(place: usize) -> u64 {
    2 * 4_u64.pow(u32::try_from(place).unwrap())
}

/// Half of them positive, to train on and to test with.
fn rows(place: usize) -> String {
    let mut table = String::from("age,label,fold\n");
    for fold in ["train", "test"] {
        for row in 0..rows_of(place) {
            table += &format!("{},{},{fold}\n", 20 + (7 * row + 5 * place as u64) % 60, row % 2);
        }
    }
    table
}

fn job(Seconds(seconds): Seconds) -> String {
    let phases = ["advertise", "share", "collect", "certify", "reveal"];
    let deadlines: String = phases.iter().map(|phase| format!("{phase}_seconds = {seconds}\n")).collect();
    let job = include_str!("../../../coordinator/tests/hearing/small.toml");
    let (before, rest) = job.split_once("[rounds.deadlines]\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    format!("{before}[rounds.deadlines]\n{deadlines}\n{after}")
}

/// A port that nobody uses, below those that systems hand out to outgoing connections: one of these could hold the port
/// while the coordinator is down.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests run side by side in processes whose ids follow one another.
    let start = u16::try_from(std::process::id() * 37 % 2_000).unwrap();
    let candidates = (0..2_000).map(|_| 30_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 2_000);
    let mut free = candidates.filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().unwrap()
}

const COORDINATOR: &str = "\
federation = \"federation\"
state = \"state\"
job = \"job.toml\"
publish = \"publish\"
gather_seconds = 10
";
const PARTICIPANT: &str = "\
enrolment = \"enrolment\"
state = \"state\"
policy = \"policy.toml\"

[data]
file = \"rows.csv\"

[data.split]
column = \"fold\"
test = [\"test\"]
";
const POLICY: &str = "\
purposes = [\"marketing-response\"]
programs = [\"logistic-regression\"]
contracts = [\"small.v1\"]
spot_check_every = 2
";

/// The folder of a store, as an absolute path.
pub(crate) fn made(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    folder.canonicalize().unwrap()
}
