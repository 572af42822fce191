//! Three coordinators on one PostgreSQL server and one bucket, behind one address.

use std::fs;

use super::balancer::{Ports, balance};
use super::line::Line;
use crate::house::{BANKS, Founded, House, Seconds, free_port};
use crate::on_servers::brought_home;
use crate::oracle::{Verdict, judge_what_is_left};
use crate::process::{Process, succeed};
use crate::servers::postgres::Postgres;
use crate::servers::s3::S3;

/// The coordinators, the institutions, and what they work on.
pub(crate) struct Cluster {
    house: House,
    replicas: Vec<Process>,
    pub(crate) banks: Vec<Process>,
    /// From each coordinator to the database.
    pub(crate) lines: Vec<Line>,
    _servers: (Postgres, S3),
}

impl Cluster {
    /// All of them at work on one job; none, said loudly, where a server is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("job = \"../operator/job.toml\"\n")
    }

    /// All of them waiting for jobs.
    pub(crate) fn start_without_a_job() -> Option<Self> {
        Self::start_with("")
    }

    fn start_with(job: &str) -> Option<Self> {
        let (postgres, s3) = (Postgres::start()?, S3::with_bucket("bucket")?);
        let founded = Founded::new();
        let house = founded.house(Seconds::FOR_EVER);
        let ports: Vec<Ports> =
            HOSTS.iter().map(|_| Ports { participants: free_port(), health: free_port() }).collect();
        let lines: Vec<Line> = HOSTS.iter().map(|_| Line::to(postgres.port())).collect();
        for ((host, ports), line) in HOSTS.iter().zip(&ports).zip(&lines) {
            configure(&house, (host, job), *ports, line, &s3);
        }
        balance(founded.port, ports);
        let mut cluster =
            Self { house, replicas: Vec::new(), banks: Vec::new(), lines, _servers: (postgres, s3) };
        cluster.replicas = (0..HOSTS.len()).map(|place| cluster.begun(place)).collect();
        for place in 0..HOSTS.len() {
            cluster.is_ready(place);
        }
        cluster.banks = BANKS.iter().map(|bank| cluster.house.bank_with(bank, &[])).collect();
        Some(cluster)
    }

    fn begun(&self, place: usize) -> Process {
        let arguments = ["run", "--config", "coordinator.toml", "--json"];
        Process::start("syndic-coordinator", &self.house.host(HOSTS[place]), &arguments)
    }

    fn is_ready(&mut self, place: usize) {
        self.replicas[place].wait_for("readiness", |line| line.is("ready"));
    }

    pub(crate) fn replica(&mut self, place: usize) -> &mut Process {
        &mut self.replicas[place]
    }

    /// Starts a coordinator in the place of one that ended.
    pub(crate) fn start_again(&mut self, place: usize) {
        self.replicas[place] = self.begun(place);
        self.is_ready(place);
    }

    /// Hands in the job where this coordinator runs.
    pub(crate) fn submit_at(&self, place: usize) {
        let submit = ["job", "submit", "../operator/job.toml", "--config", "coordinator.toml"];
        succeed("syndic-coordinator", &self.house.host(HOSTS[place]), &submit);
    }

    /// How many participants each has greeted.
    pub(crate) fn greeted(&self) -> Vec<usize> {
        self.replicas.iter().map(|replica| replica.count(|line| line.is("hello"))).collect()
    }

    /// How often each has taken over the job.
    pub(crate) fn takeovers(&self) -> Vec<usize> {
        self.replicas.iter().map(|replica| replica.count(|line| line.is(DRIVES))).collect()
    }

    /// The one that takes over the job next, after it was taken over so often.
    pub(crate) fn driver_after(&self, before: &[usize]) -> usize {
        loop {
            for (place, (now, before)) in self.takeovers().iter().zip(before).enumerate() {
                if now > before {
                    return place;
                }
            }
            self.replicas[0].grows();
        }
    }

    /// Waits until the first has written the job out.
    pub(crate) fn publishes(&self) {
        let published = self.house.host(HOSTS[0]).join("publish");
        while !["ledger/checkpoint", "job-small/model.json"].iter().all(|file| published.join(file).exists())
        {
            self.replicas[0].grows();
        }
    }

    /// Waits until all institutions are done.
    pub(crate) fn all_banks_end(&mut self) {
        for bank in &mut self.banks {
            assert_eq!(bank.ended(), 0, "{}", bank.told());
        }
    }

    /// Waits until all are done, and judges what they leave, brought into the folder of the first.
    pub(crate) fn ends(mut self) -> Verdict {
        for replica in &mut self.replicas {
            let exit = replica.ended();
            assert_eq!(exit, 0, "{}", replica.told());
        }
        self.all_banks_end();
        brought_home(&self.house.host(HOSTS[0]));
        judge_what_is_left(&self.house, 0)
    }
}

fn configure(house: &House, (host, job): (&str, &str), ports: Ports, line: &Line, s3: &S3) {
    use std::os::unix::fs::PermissionsExt as _;
    let (first, own) = (house.host(HOSTS[0]), house.host(host));
    fs::create_dir_all(&own).unwrap();
    let secret = own.join("s3.secret");
    fs::write(&secret, "[default]\naws_access_key_id = sesame\naws_secret_access_key = sesame\n").unwrap();
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "listen = \"127.0.0.1:{}\"\nhealth = \"127.0.0.1:{}\"\nfederation = \"{}\"\nstate = \"state\"\n\
         {job}publish = \"publish\"\ngather_seconds = 10\n[store.postgres]\nurl = \"{}\"\n\
         [store.s3]\nurl = \"s3://bucket/federation\"\nendpoint = \"{}\"\n\
         credentials_file = \"s3.secret\"\n",
        ports.participants,
        ports.health,
        first.join("federation").display(),
        Postgres::url_at(line.port),
        s3.endpoint(),
    );
    fs::write(own.join("coordinator.toml"), text).unwrap();
}

/// The first is where its federation was founded.
const HOSTS: [&str; 3] = ["operator", "operator-2", "operator-3"];
const DRIVES: &str = "this replica drives the job";
