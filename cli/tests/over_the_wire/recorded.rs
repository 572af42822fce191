//! One run of the sandbox, recorded: what each participant handed to TLS, what it answered in the clear, and
//! what the coordinator kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use syndic::result::RunResult;
use syndic::sandbox::demo::DemoOptions;
use syndic::sandbox::run::{Outfit, run_outfitted};
use syndic::sandbox::{self, Run, SandboxOptions, Site, Source};
use syndic::view::{Observer, Quiet};
use syndic_learning::{LinearModel, Model};
use syndic_ledger::Entry;
use syndic_participant::agent;
use syndic_participant::enrol::Enrolment;
use syndic_participant::tls::Tap;
use syndic_proto::convert::{PlaceRef, RoundRef};
use syndic_round::{ParticipantId, RoundId};
use syndic_secure_aggregation::KeyShare;

use crate::kept::{Kept, Round, kept};

/// A finished run.
pub(crate) struct Recorded {
    pub(crate) result: RunResult,
    pub(crate) model: LinearModel,
    pub(crate) table: Source,
    pub(crate) participants: Vec<Participant>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) rounds: Vec<Round>,
}

/// One participant, from its own side.
pub(crate) struct Participant {
    pub(crate) id: ParticipantId,
    pub(crate) site: Site,
    pub(crate) seen: Seen,
    /// The private halves of its signing key and of its TLS key.
    pub(crate) private_keys: [Vec<u8>; 2],
}

/// What an agent let the test see.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Every byte before TLS, over all its connections.
    pub(crate) sent: Vec<u8>,
    /// Ring coefficients that it encrypted.
    pub(crate) answers: Vec<(RoundId, Vec<i64>)>,
    /// Shares of its one-time keys, by recipient.
    pub(crate) shares: Vec<Dealt>,
}

/// The bytes of each recipient's share.
pub(crate) type Dealt = Vec<(ParticipantId, Vec<u8>)>;

/// The run that all tests look at.
pub(crate) fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| tokio::runtime::Runtime::new().unwrap().block_on(record()))
}

impl Recorded {
    pub(crate) fn participant(&self, id: ParticipantId) -> &Participant {
        self.participants.iter().find(|participant| participant.id == id).unwrap()
    }

    pub(crate) fn round(&self, id: RoundId) -> &Round {
        self.rounds.iter().find(|round| round.plan.id == id).unwrap()
    }
}

impl Participant {
    pub(crate) fn answer(&self, id: RoundId) -> Option<&[i64]> {
        let answer = self.seen.answers.iter().find(|(round, _)| *round == id)?;
        Some(&answer.1)
    }
}

/// Training rounds: three of training, three of evaluation, one of statistics.
const ROUNDS: u32 = 3;
/// Of training; keys do not come from it.
pub(crate) const SEED: u64 = 1;

async fn record() -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let options = SandboxOptions::from(DemoOptions {
        rounds: Some(ROUNDS),
        seed: SEED,
        out: folder.path().join("out"),
        participants: None,
        drop: true,
        command: "syndic".into(),
    });
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let watchers = Arc::new(Watchers::default());
    let mut sites = Vec::new();
    let mut model = None;
    let federation = async |run: Run<'_>, observer: &mut Observer| {
        sites = run.sites.clone();
        // Kept, where the sandbox would remove it.
        let run = Run { state: state.clone(), ..run };
        let finished = run_outfitted(run, watchers.clone().outfit(), observer).await?;
        let Model::Linear(linear) = &finished.outcome.model else { panic!("a linear model") };
        model = Some(linear.clone());
        Ok(finished)
    };
    let mut observer = Observer::new(Box::new(Quiet));
    let result = sandbox::execute(&options, &mut observer, federation).await.unwrap();
    let Kept { entries, rounds, ids } = kept(&state.join("coordinator")).await;
    let participants = sites
        .into_iter()
        .map(|site| Participant {
            id: ids[&site.name],
            seen: watchers.of(&site.name).0.lock().unwrap().clone(),
            private_keys: private_keys(&state.join(&site.name)),
            site,
        })
        .collect();
    Recorded { result, model: model.unwrap(), table: options.source, participants, entries, rounds }
}

/// A watcher for each institution, which outlives the institution's agent.
#[derive(Default)]
struct Watchers(Mutex<BTreeMap<String, Arc<Watcher>>>);

#[derive(Default)]
struct Watcher(Mutex<Seen>);

impl Watchers {
    fn of(&self, name: &str) -> Arc<Watcher> {
        self.0.lock().unwrap().entry(name.into()).or_default().clone()
    }

    fn outfit(self: Arc<Self>) -> Outfit {
        Arc::new(move |name, agent| {
            let watcher = self.of(name);
            agent.observed(watcher.clone(), watcher)
        })
    }
}

impl Tap for Watcher {
    fn sending(&self, bytes: &[u8]) {
        self.0.lock().unwrap().sent.extend_from_slice(bytes);
    }
}

impl agent::Observer for Watcher {
    fn answered(&self, round: &RoundRef, coefficients: &[i64]) {
        self.0.lock().unwrap().answers.push((round.id, coefficients.to_vec()));
    }

    fn shared(&self, _: &PlaceRef, shares: &[(ParticipantId, KeyShare)]) {
        let shares = shares.iter().map(|(recipient, share)| (*recipient, share.to_bytes().to_vec()));
        self.0.lock().unwrap().shares.push(shares.collect());
    }
}

fn private_keys(folder: &Path) -> [Vec<u8>; 2] {
    let signing = Enrolment::load(folder).unwrap().keys().signing_key().to_bytes().to_vec();
    let tls = pem::parse(std::fs::read(folder.join("tls.key.pem")).unwrap()).unwrap();
    // SEC 1: the private scalar is the first octet string of 32 bytes.
    let start = tls.contents().windows(2).position(|tag| tag == [0x04, 32]).unwrap() + 2;
    [signing, tls.contents()[start..start + 32].to_vec()]
}
