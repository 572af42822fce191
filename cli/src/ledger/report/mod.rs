//! `syndic ledger report`: what a ledger says of a job, on one page that a reviewer can read, print and file, and for
//! programs. It is made of entries that verified and of nothing else, and says what they do not say.

mod comparison;
mod connections;
mod coordinators;
mod drift;
mod gaps;
mod page;
mod reading;
mod rounds;
mod steps;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use syndic_coordinator::audit::Audited;
use syndic_learning::job::Processing;
use syndic_learning::privacy::claim::Claim;
use syndic_ledger::Timestamp;
use syndic_round::Digest;

use super::folder::Folder;
use super::names::Names;
use super::reading::Chosen;
use super::trust::Trust;
use crate::report::JobText;
use crate::words::listed;
use crate::{Error, Result};
pub use comparison::ComparisonFacts;
pub use connections::ConnectionFacts;
pub use coordinators::CoordinatorFacts;
pub use drift::{DriftFacts, ShiftFacts};
pub use page::render;
use reading::Reading;
pub use rounds::{Missing, Outcome, PhaseFacts, RoundFacts};

/// What a ledger says of a job.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The form of this object.
    pub schema: &'static str,
    /// The federation whose roster begins the ledger; empty where none does.
    pub federation: String,
    /// Its members, as far as entries or the roster name them.
    pub members: Vec<Member>,
    /// What was to be done.
    pub job: JobFacts,
    /// Which processes wrote the job's entries; none where they are of a version that did not say so.
    pub coordinators: Vec<CoordinatorFacts>,
    /// How updates were protected, by the rounds' plans.
    pub protection: Option<Protection>,
    /// What was done beyond that for the privacy of rows; none where the job file cannot be read.
    pub privacy: Option<Privacy>,
    /// The rounds, each attempt for itself, in the order in which they were opened.
    pub rounds: Vec<RoundFacts>,
    /// What the models reached.
    pub metrics: Vec<Measured>,
    /// What did not go as planned, in order.
    pub incidents: Vec<Incident>,
    /// What the entries do not say, or do not show.
    pub gaps: Vec<String>,
    /// What all of this rests on.
    pub proof: Proof,
    #[serde(skip)]
    text: Option<JobText>,
}

/// A member of the federation.
#[derive(Debug, Serialize)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// What the roster calls it.
    pub name: String,
    /// In how many of the sums here it is.
    pub sums: usize,
    /// From how many rounds here that closed it is missing, though it was admitted.
    pub missing: usize,
    /// How it was connected while the job ran, in order; empty where the ledger does not say it.
    pub connections: Vec<ConnectionFacts>,
}

/// That encrypted updates, sealed shares and questions of a job were erased.
#[derive(Debug, Serialize)]
pub struct ErasureFacts {
    /// The place of the entry that says so.
    pub index: u64,
    /// When.
    pub time: Timestamp,
    /// For how many days after its end the job file keeps them, where that is the rule; none where somebody did it.
    pub updates_days: Option<u64>,
    /// Who, as the coordinator knows them; never a person's name.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How many blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was to be done, and what came of it.
#[derive(Debug, Serialize)]
pub struct JobFacts {
    /// The job's id.
    pub id: String,
    /// What it was for; none where the job file cannot be read.
    pub purpose: Option<String>,
    /// The lawful basis that the job file names.
    pub lawful_basis: Option<String>,
    /// What the job file says of the processing; none where it cannot be read.
    pub processing: Option<Processing>,
    /// SHA-256 of the job file, which each round's plan names.
    pub agreement: Option<String>,
    /// The job file, verbatim.
    pub file: Option<String>,
    /// When it was agreed.
    pub agreed: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How.
    pub outcome: Outcome,
    /// Why, where it was abandoned or stopped.
    pub reason: Option<String>,
    /// Who handed it in, as the coordinator knows them; never a person's name.
    pub by: Option<String>,
    /// Who is missing in how many of its sums, a sentence for each, as the entry that completes it says; empty where it says
    /// nothing.
    pub warnings: Vec<String>,
    /// The erasure of its updates, if there was one.
    pub erased: Option<ErasureFacts>,
    /// The training round whose model was released.
    pub released_round: Option<u64>,
    /// SHA-256 of the released model.
    pub model: Option<String>,
    /// How far test rows are from training rows; none where nothing is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftFacts>,
    /// How released models did on the same rows, where the job compared some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonFacts>,
    /// What describes the rows, where the job described some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<StatisticsFacts>,
}

/// What is on record of a job that described rows.
#[derive(Debug, Serialize)]
pub struct StatisticsFacts {
    /// The place of the entry that says so.
    pub index: u64,
    /// SHA-256 of the document that has the figures.
    pub document: String,
    /// Rows of all institutions together.
    pub rows: i64,
    /// How many columns are described.
    pub columns: u64,
    /// Whether every figure has noise.
    pub noise: bool,
}

/// How updates were protected.
#[derive(Debug, Serialize)]
pub struct Protection {
    /// The protocol, by its version.
    pub protocol: String,
    /// The parameter set.
    pub parameter_set: String,
    /// What attacks on it cost at least, in bits, by the two estimates in the plan.
    pub security_bits: Value,
    /// How many members open a sum.
    pub threshold: u64,
    /// How many may conspire with the coordinator without learning more than sums.
    pub colluding: u64,
    /// How many updates a sum has at least.
    pub min_survivors: u64,
    /// How many are admitted.
    pub admitted: usize,
}

/// What was done for the privacy of rows in what was opened.
#[derive(Debug, Serialize)]
pub struct Privacy {
    /// `none`: sums are exact, and nothing is spent or left of a budget. `record-level`, `institution-level`: all sums have noise.
    pub mechanism: &'static str,
    /// What is claimed of the noise, and what was spent; none without noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What a model reached on rows that it had not learnt from.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The training round that made it.
    pub training_round: u64,
    /// The rows: `test` or `validation`.
    pub rows: String,
    /// Figures as decimal text, as the ledger has them; null where there is none.
    pub figures: BTreeMap<String, Option<String>>,
}

/// Something that did not go as planned.
#[derive(Debug, Serialize)]
pub struct Incident {
    /// The entry's place in the ledger.
    pub index: u64,
    /// When.
    pub time: Timestamp,
    /// The entry's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The round or preparation, or the federation; none where it is of the whole job.
    pub subject: Option<String>,
    /// What.
    pub what: String,
}

/// What a report rests on.
#[derive(Debug, Serialize)]
pub struct Proof {
    /// The ledger's name.
    pub origin: String,
    /// Its entries.
    pub entries: u64,
    /// Its root.
    pub root: String,
    /// The fingerprint of the key that signed it.
    pub fingerprint: String,
    /// Whether the reader named that key.
    pub pinned: bool,
    /// The witnesses that signed it, by the reader's policy.
    pub witnesses: Vec<String>,
    /// The digest of the roster that its messages were verified with.
    pub roster: Option<Digest>,
    /// What playing the rounds again came to; of the whole ledger.
    pub audited: Option<Audited>,
    /// How many of the entries this report is made of.
    pub read: usize,
    /// The places of the first and the last of them.
    pub span: Option<[u64; 2]>,
}

/// What is asked for.
#[derive(Debug)]
pub struct Question<'a> {
    /// The job.
    pub job: &'a str,
    /// Only this round, all attempts.
    pub round: Option<u64>,
}

/// Verifies the ledger in `folder`, and says what it says of the job.
///
/// # Errors
/// As [`super::verify::check`]; a job or round that the ledger does not have, with exit code 2.
pub fn report(folder: Folder, trust: &Trust, question: &Question<'_>) -> Result<Report> {
    let names = Names::of(&folder)?;
    let mut jobs = Vec::new();
    let chosen = Chosen::from(folder, trust, |accepted| {
        let entry = &accepted.entry;
        if let ("syndic.job.agreed", Some(job)) = (entry.kind.as_str(), entry.data["job"].as_str()) {
            jobs.push(job.to_owned());
        }
        entry.kind == ROSTER_SEALED
            || entry.kind.starts_with(COORDINATORS)
            || entry.kind.starts_with(PARTICIPANTS)
            || entry.kind == ADMISSION
            || entry.data["job"].as_str() == Some(question.job)
    })?;
    if !jobs.iter().any(|job| job == question.job) {
        return Err(absent("ledger.no-job", format!("no job `{}`", question.job), "--job", &jobs));
    }
    let mut reading = Reading::new(question, &names);
    for told in chosen.told() {
        reading.take(&told?);
    }
    let numbers = reading.rounds.numbers();
    if let Some(round) = question.round.filter(|round| !numbers.contains(round)) {
        let known: Vec<_> = numbers.iter().map(u64::to_string).collect();
        let what = format!("no round {round} of job `{}`", question.job);
        return Err(absent("ledger.no-round", what, "--round", &known));
    }
    Ok(reading.end(&chosen))
}

fn absent(code: &'static str, what: String, place: &str, known: &[String]) -> Error {
    let help = match known {
        [] => "there is none in it yet".into(),
        known => format!("it has {}", listed(known)),
    };
    Error::input(code, format!("the ledger has {what}")).place(place).help(help)
}

impl Report {
    /// For programs: one JSON object on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }
}

const ROSTER_SEALED: &str = "syndic.roster.sealed";
/// With this begin the types of entries about coordinators.
const COORDINATORS: &str = "syndic.coordinator.";
/// Of those that say whom the coordinator lets in.
const ADMISSION: &str = "syndic.admission.changed";
/// And about participants: how they were connected, and what they were refused.
const PARTICIPANTS: &str = "syndic.participant.";
