//! Institutions with a tiny table each, founded for one test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use syndic_coordinator::authority::Validity;
use syndic_coordinator::federation::{CoordinatorIdentity, Federation as Founding};
use syndic_learning::{Job, Role, Table, TableBuilder};
use syndic_participant::agent::{Agent, Parts};
use syndic_participant::data::Source;
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::Journal;
use syndic_participant::keys::Keys;
use syndic_participant::policy::Policy;
use syndic_round::enrolment::{Address, Bundle};
use syndic_round::{SealedRoster, Timestamp};

/// One training round; no phase ends before everybody has answered.
pub(crate) const JOB: &str = include_str!("../../../coordinator/tests/hearing/small.toml");

/// A founded federation.
pub(crate) struct Federation {
    /// The job that its coordinator runs.
    pub(crate) job: String,
    pub(crate) identity: CoordinatorIdentity,
    pub(crate) roster: SealedRoster,
    /// Where the coordinator listens.
    pub(crate) address: SocketAddr,
    /// Bundles of the institutions, in the order of ids, and the folder of their keys.
    bundles: Vec<Bundle>,
    keys: tempfile::TempDir,
}

impl Federation {
    /// A federation of this many institutions, which know one address of their coordinator.
    pub(crate) fn found(institutions: u16) -> Self {
        Self::found_at(institutions, &[loopback()])
    }

    /// The same with several addresses, which institutions try in this order; the coordinator listens at the last.
    pub(crate) fn found_at(institutions: u16, addresses: &[SocketAddr]) -> Self {
        let mut rng = rand::make_rng::<StdRng>();
        let known = addresses.iter().map(|at| Address { host: at.ip().to_string(), port: at.port() });
        let mut founding = Founding::create("crashes", known.collect(), now(), &mut rng).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let members: Vec<(Keys, Bundle)> = (1..=institutions)
            .map(|number| {
                let keys = Keys::generate(&bank(number), &mut rng).unwrap();
                keys.write(&folder.path().join(bank(number))).unwrap();
                let request = keys.signing_request().unwrap();
                let bundle = founding.add_participant(&request, Validity::days(now(), 1)).unwrap();
                (keys, bundle)
            })
            .collect();
        let endorse = |(keys, bundle): &(Keys, Bundle)| {
            founding.roster().endorse(bundle.participant, keys.signing_key())
        };
        let endorsements = members.iter().map(endorse).collect();
        let roster = founding.seal(endorsements).unwrap().verify().unwrap();
        let bundles = members.into_iter().map(|(_, bundle)| bundle).collect();
        let address = *addresses.last().unwrap();
        let (job, identity) = (JOB.into(), founding.into_identity());
        Self { job, identity, roster, address, bundles, keys: folder }
    }

    /// The same with another job.
    pub(crate) fn with_job(self, job: String) -> Self {
        Self { job, ..self }
    }

    /// Everybody's keys and certificate, as they load them when they start.
    pub(crate) fn enrolments(&self) -> Vec<Enrolment> {
        let load = |bundle: &Bundle| {
            let name = &self.roster.member(bundle.participant).unwrap().name;
            let keys = Keys::load(&self.keys.path().join(name)).unwrap();
            Enrolment::new(keys, bundle.clone(), self.roster.clone()).unwrap()
        };
        self.bundles.iter().map(load).collect()
    }
}

/// The name of an institution.
fn bank(number: u16) -> String {
    format!("bank_{number:02}")
}

/// An address that nobody uses.
pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

/// The agent of an institution, with its journal in `state`. It spot-checks one closed round in `spot_check_every`.
pub(crate) async fn agent(enrolment: Enrolment, state: &Path, spot_check_every: u32) -> Agent {
    let journal = Journal::open(&journal_of(&enrolment, state)).await.unwrap();
    agent_with(enrolment, journal, JOB, 40, spot_check_every)
}

/// The same with a policy that allows no purpose.
pub(crate) async fn agent_that_denies(enrolment: Enrolment, state: &Path) -> Agent {
    let journal = Journal::open(&journal_of(&enrolment, state)).await.unwrap();
    agent_under(enrolment, journal, (JOB, 40), |allowing| Policy { purposes: Vec::new(), ..allowing })
}

/// The agent of an institution with so many rows, in a federation that runs this job.
pub(crate) fn agent_with(
    enrolment: Enrolment,
    journal: Journal,
    job: &str,
    rows: u64,
    spot_check_every: u32,
) -> Agent {
    agent_under(enrolment, journal, (job, rows), |allowing| Policy { spot_check_every, ..allowing })
}

/// The same under a policy that is made of the one that allows this job.
pub(crate) fn agent_under(
    enrolment: Enrolment,
    journal: Journal,
    (job, rows): (&str, u64),
    policy: impl FnOnce(Policy) -> Policy,
) -> Agent {
    let job = Job::from_toml(job).unwrap();
    let protection = job.protection_of(enrolment.roster().roster().members.len()).unwrap();
    let policy = policy(Policy::allowing(&job, &protection));
    let source = Source::Loaded(Arc::new(table(&job, u64::from(enrolment.id().get()), rows)));
    Agent::new(Parts { enrolment, policy, source, journal, training_seed: Some(1) }).unwrap()
}

/// Where an institution has its journal.
pub(crate) fn journal_of(enrolment: &Enrolment, state: &Path) -> PathBuf {
    state.join(enrolment.name()).join("journal.sqlite")
}

/// Of eight rows, four are to train on, two to validate with and two to test with.
fn table(job: &Job, number: u64, rows: u64) -> Table {
    let mut table = TableBuilder::new(&job.contract, &["age", "label"]).unwrap();
    for row in 0..rows {
        let role = [Role::Train, Role::Train, Role::Validation, Role::Test][row as usize / 2 % 4];
        let label = if (row * 7 + number) % 5 < 2 { "1" } else { "0" };
        table.push(row, &[&(20 + row % 40 + 3 * number).to_string(), label], role);
    }
    table.finish().unwrap()
}

/// A port that nobody uses, below those that systems hand out to outgoing connections: one of these could hold
/// the port while the coordinator is down.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests that run at once have neighbouring numbers.
    let start = u16::try_from(std::process::id() % 990 * 10).unwrap();
    let candidates = (0..5000).map(|_| 10_100 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 9_900);
    let mut free = candidates.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}
