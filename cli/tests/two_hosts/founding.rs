//! A federation on one machine with a folder for each host, founded with the commands that its people use, from
//! the files of `examples/two-hosts`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use super::process::{Process, refusal, succeed};

/// The institutions of the example.
pub(crate) const BANKS: [&str; 5] =
    ["bank_business", "bank_online", "bank_postal", "bank_retail", "bank_savings"];

/// Hosts of one federation; their folders go when it is dropped.
pub(crate) struct Hosts {
    root: tempfile::TempDir,
    pub(crate) port: u16,
}

/// What a test changes of the example's job.
pub(crate) struct Job {
    pub(crate) training_rounds: u32,
    /// How long a phase waits for those who do not answer.
    pub(crate) deadline_seconds: u32,
}

impl Hosts {
    /// A federation up to the point where every process can be started.
    pub(crate) fn ready(job: Job) -> Self {
        let hosts = Self::founded("consumer_credit", free_port());
        hosts.write("operator/job.toml", &job.text());
        hosts
    }

    pub(crate) fn founded(name: &str, port: u16) -> Self {
        Self::founded_after(name, port, |_| {})
    }

    /// The same, where something is done before the roster is shown to the members.
    pub(crate) fn founded_after(name: &str, port: u16, before: impl Fn(&Self)) -> Self {
        let hosts = Self { root: tempfile::tempdir().unwrap(), port };
        let operator = hosts.host("operator");
        std::fs::create_dir(&operator).unwrap();
        let address = format!("127.0.0.1:{port}");
        hosts.operator(&["init", "--name", name, "--host", &address]);
        for bank in BANKS {
            let host = hosts.host(bank);
            std::fs::create_dir(&host).unwrap();
            succeed("syndic-participant", &host, &["keygen", "--name", bank, "--dir", "enrolment"]);
            hosts.operator(&["add-participant", "--csr", hosts.request(bank).to_str().unwrap()]);
        }
        before(&hosts);
        hosts.operator(&["roster"]);
        for bank in BANKS {
            hosts.endorse(bank);
        }
        let endorsements = BANKS.map(|bank| hosts.enrolment(bank).join(format!("{bank}.endorsement.json")));
        let mut seal = vec!["seal", "--endorsement"];
        seal.extend(endorsements.iter().map(|path| path.to_str().unwrap()));
        hosts.operator(&seal);
        let sealed = hosts.federation().join("roster.sealed.json");
        for bank in BANKS {
            let arguments = ["pin", "--dir", "enrolment", "--roster", sealed.to_str().unwrap()];
            succeed("syndic-participant", &hosts.host(bank), &arguments);
            hosts.write(&format!("{bank}/policy.toml"), &example("policy.toml"));
            hosts.write(&format!("{bank}/participant.toml"), &participant_config(bank, &table()));
        }
        hosts.write("operator/coordinator.toml", &coordinator_config(port));
        hosts
    }

    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn enrolment(&self, bank: &str) -> PathBuf {
        self.host(bank).join("enrolment")
    }

    pub(crate) fn request(&self, bank: &str) -> PathBuf {
        self.enrolment(bank).join(format!("{bank}.request.json"))
    }

    pub(crate) fn federation(&self) -> PathBuf {
        self.host("operator").join("federation")
    }

    pub(crate) fn bundle(&self, bank: &str) -> PathBuf {
        self.federation().join("members").join(format!("{bank}.bundle.json"))
    }

    /// The bank takes over its bundle, and signs the roster.
    pub(crate) fn endorse(&self, bank: &str) {
        let (bundle, roster) = (self.bundle(bank), self.federation().join("roster.json"));
        let (bundle, roster) = (bundle.to_str().unwrap(), roster.to_str().unwrap());
        let arguments = ["endorse", "--dir", "enrolment", "--bundle", bundle, "--roster", roster];
        succeed("syndic-participant", &self.host(bank), &arguments);
    }

    /// What `syndic federation ...` prints.
    pub(crate) fn operator(&self, arguments: &[&str]) -> String {
        let arguments = [&["federation"], arguments, &["--dir", "federation"]].concat();
        succeed("syndic", &self.host("operator"), &arguments)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.root.path().join(file), text).unwrap();
    }

    /// Puts `to` in the place of `from` in a file of a host.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.root.path().join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, &text.replace(from, to));
    }

    pub(crate) fn start_coordinator(&self) -> Process {
        Process::start("syndic-coordinator", &self.host("operator"), &RUN_COORDINATOR)
    }

    pub(crate) fn start(&self, bank: &str) -> Process {
        Process::start("syndic-participant", &self.host(bank), &RUN_PARTICIPANT)
    }

    pub(crate) fn start_banks(&self) -> Vec<Process> {
        BANKS.iter().map(|bank| self.start(bank)).collect()
    }

    /// Starts a coordinator that must refuse; exit code and error code.
    pub(crate) fn coordinator_refuses(&self) -> (i32, String) {
        refusal("syndic-coordinator", &self.host("operator"), &RUN_COORDINATOR)
    }

    /// Starts a participant that must refuse; exit code and error code.
    pub(crate) fn participant_refuses(&self, bank: &str) -> (i32, String) {
        refusal("syndic-participant", &self.host(bank), &RUN_PARTICIPANT)
    }

    /// What the institution's journal says has left, line by line.
    pub(crate) fn journal(&self, bank: &str) -> Vec<serde_json::Value> {
        let arguments = ["journal", "--config", "participant.toml", "--json"];
        let lines = succeed("syndic-participant", &self.host(bank), &arguments);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Job {
    /// The job of the example, with these changes.
    pub(crate) fn text(&self) -> String {
        let text = std::fs::read_to_string(examples().join("bank-marketing/job.toml")).unwrap();
        let text = replaced(&text, "count = 20", &format!("count = {}", self.training_rounds));
        let phases = ["advertise", "share", "collect", "certify", "reveal"];
        phases.iter().fold(text, |text, phase| {
            let key = format!("{phase}_seconds = ");
            let start = text.find(&key).unwrap() + key.len();
            let digits = text[start..].find(|letter: char| !letter.is_ascii_digit()).unwrap();
            format!("{}{}{}", &text[..start], self.deadline_seconds, &text[start + digits..])
        })
    }
}

pub(crate) fn coordinator_config(port: u16) -> String {
    replaced(&example("coordinator.toml"), "7443", &port.to_string())
}

/// The example's configuration for another bank and table.
pub(crate) fn participant_config(bank: &str, table: &Path) -> String {
    let config = replaced(&example("participant.toml"), "bank_savings", bank);
    replaced(&config, "bank_marketing.csv.gz", table.to_str().unwrap())
}

pub(crate) fn table() -> PathBuf {
    examples().join("bank-marketing/bank_marketing.csv.gz")
}

pub(crate) fn example(file: &str) -> String {
    std::fs::read_to_string(examples().join("two-hosts").join(file)).unwrap()
}

/// A port that nobody uses. Below those that systems hand out to outgoing connections: one of these could hold
/// the port while the coordinator is down.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 5000).unwrap();
    let candidates = (0..5000).map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let mut free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().unwrap()
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example has no {from}");
    text.replace(from, to)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

const RUN_COORDINATOR: [&str; 4] = ["run", "--config", "coordinator.toml", "--json"];
const RUN_PARTICIPANT: [&str; 4] = ["run", "--config", "participant.toml", "--json"];
