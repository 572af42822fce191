//! What the entries of a job come to, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syndic_coordinator::fact::Fact;
use syndic_learning::Job;
use syndic_learning::privacy::claim::Ran;
use syndic_ledger::Entry;

use super::comparison::ComparisonFacts;
use super::connections::Connections;
use super::coordinators::Coordinators;
use super::drift::DriftFacts;
use super::rounds::Rounds;
use super::{
    ErasureFacts, Incident, JobFacts, Measured, Member, Outcome, Privacy, Proof, Protection, Question,
    ROSTER_SEALED, Report, RoundFacts, StatisticsFacts, gaps,
};
use crate::ledger::names::Names;
use crate::ledger::reading::{Chosen, Told};
use crate::ledger::told::what;
use crate::report::JobText;

/// Entries, as far as they were read.
pub(super) struct Reading<'a> {
    names: &'a Names,
    federation: String,
    job: JobFacts,
    parsed: Option<Job>,
    coordinators: Coordinators,
    connections: Connections,
    protection: Option<Protection>,
    pub(super) rounds: Rounds<'a>,
    metrics: Vec<Measured>,
    incidents: Vec<(Incident, Option<u64>)>,
    question: &'a Question<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(question: &'a Question<'a>, names: &'a Names) -> Self {
        let job = JobFacts {
            id: question.job.into(),
            purpose: None,
            lawful_basis: None,
            processing: None,
            agreement: None,
            file: None,
            agreed: None,
            ended: None,
            outcome: Outcome::Open,
            reason: None,
            by: None,
            warnings: Vec::new(),
            erased: None,
            released_round: None,
            model: None,
            drift: None,
            comparison: None,
            statistics: None,
        };
        Self {
            names,
            federation: String::new(),
            job,
            parsed: None,
            coordinators: Coordinators::default(),
            connections: Connections::default(),
            protection: None,
            rounds: Rounds::new(names),
            metrics: Vec::new(),
            incidents: Vec::new(),
            question,
        }
    }

    pub(super) fn take(&mut self, told: &Told) {
        let Told { index, entry, .. } = told;
        let Entry { kind, data, time, .. } = entry;
        let text = |key: &str| data[key].as_str().map(String::from);
        match kind.as_str() {
            ROSTER_SEALED => self.federation = text("federation").unwrap_or_default(),
            "syndic.job.agreed" => {
                (self.job.agreement, self.job.file, self.job.agreed) =
                    (text("agreement"), text("file"), Some(*time));
                self.job.by = text("by");
                self.parsed = self.job.file.as_deref().and_then(|file| Job::from_toml(file).ok());
                let identity = self.parsed.as_ref().map(|job| &job.identity);
                self.job.purpose = identity.map(|identity| identity.purpose.clone());
                self.job.processing = self.parsed.as_ref().map(|job| job.processing.clone());
                self.job.lawful_basis = identity.and_then(|identity| identity.lawful_basis.clone());
            }
            "syndic.job.progress" => self.measured(data),
            "syndic.job.drift" => self.job.drift = Some(DriftFacts::read(*index, data)),
            "syndic.job.completed" => {
                (self.job.outcome, self.job.ended) = (Outcome::Completed, Some(*time));
                (self.job.released_round, self.job.model) = (data["released_round"].as_u64(), text("model"));
                let attendance = match Fact::from_entry(*index, entry) {
                    Ok(Fact::JobCompleted { attendance, .. }) => attendance,
                    Ok(Fact::JobCompared(compared)) => {
                        // How far rows have drifted was said just before.
                        let models = compared.found.models().cloned();
                        self.job.comparison = models.map(|found| ComparisonFacts { index: *index, found });
                        Some(compared.attendance)
                    }
                    Ok(Fact::JobDescribed(described)) => {
                        self.job.statistics = Some(StatisticsFacts {
                            index: *index,
                            document: described.document.to_string(),
                            rows: described.rows,
                            columns: described.columns,
                            noise: described.noise,
                        });
                        Some(described.attendance)
                    }
                    _ => None,
                };
                if let Some(attendance) = attendance {
                    self.job.warnings = attendance.warnings(|id| self.names.name(id.get().into()));
                }
            }
            "syndic.job.abandoned" | "syndic.job.stopped" => {
                let is_stopped = kind.ends_with("stopped");
                self.job.outcome = if is_stopped { Outcome::Stopped } else { Outcome::Abandoned };
                (self.job.ended, self.job.reason) = (Some(*time), text("reason"));
            }
            "syndic.job.updates-erased" => self.job.erased = Some(erased(*index, entry)),
            "syndic.round.opened" => self.protection = Some(protection(data)),
            _ => {}
        }
        self.rounds.take(*index, entry);
        self.coordinators.take(*index, entry);
        self.connections.take(*index, entry);
        if is_incident(entry) && (data["job"].is_string() || self.is_running()) {
            let of_job = entry.subject.as_deref().and_then(|subject| subject.strip_prefix("job/"));
            let subject = match of_job {
                Some(rest) => rest.split_once('/').map(|(_, of)| of.replace('/', " ")),
                None => Some("the federation".into()),
            };
            let what = match what(entry, self.names) {
                told if told.is_empty() => kind.replace('.', " "),
                told => told,
            };
            // Whoever decided it, as the coordinator knows them.
            let what = text("by").map_or_else(|| what.clone(), |by| format!("{by}: {what}"));
            let incident = Incident { index: *index, time: *time, kind: kind.clone(), subject, what };
            self.incidents.push((incident, data["round"].as_u64()));
        }
    }

    /// Whether the job was agreed and has not ended yet.
    fn is_running(&self) -> bool {
        self.job.agreed.is_some() && self.job.ended.is_none()
    }

    fn measured(&mut self, data: &Value) {
        let Some(training_round) = data["training_round"].as_u64() else { return };
        for (rows, figures) in data["metrics"].as_object().into_iter().flatten() {
            let figures = figures.as_object().into_iter().flatten();
            let figures = figures.map(|(name, value)| (name.clone(), value.as_str().map(String::from)));
            let (rows, figures) = (rows.clone(), figures.collect());
            self.metrics.push(Measured { training_round, rows, figures });
        }
    }

    pub(super) fn end(self, chosen: &Chosen) -> Report {
        let Self {
            names,
            federation,
            job,
            parsed,
            coordinators,
            mut connections,
            protection,
            rounds,
            mut metrics,
            incidents,
            question,
        } = self;
        let coordinators = coordinators.end();
        let wanted = |round: Option<u64>| question.round.is_none_or(|wanted| round == Some(wanted));
        let rounds = rounds.end(parsed.as_ref(), question.round);
        if question.round.is_some() {
            let trained = |measured: &Measured| {
                rounds.iter().any(|round| round.training_round == Some(measured.training_round))
            };
            metrics.retain(trained);
        }
        let incidents: Vec<_> =
            incidents.into_iter().filter(|(_, round)| wanted(*round)).map(|(incident, _)| incident).collect();
        // Once a set is frozen its sum may be opened, whatever becomes of the round.
        let opened = rounds
            .iter()
            .filter(|round| ["train", "describe"].contains(&&*round.kind) && round.frozen.is_some());
        // A description belongs to no training round, and is asked for once.
        let opened: BTreeSet<_> = opened.map(|round| round.training_round).collect();
        let opened = u32::try_from(opened.len()).unwrap_or(u32::MAX);
        let counted = rounds.iter().any(|round| round.kind == "evaluate" && round.frozen.is_some());
        let ran = Ran { training_rounds: opened, counted, seen: None };
        let privacy = parsed.as_ref().map(|job| Privacy {
            mechanism: job.privacy.name(),
            // Of a part of the ledger it is not known how many rounds there were.
            claim: job.claim(question.round.is_none().then_some(ran)).ok().flatten(),
        });
        let text = parsed.as_ref().zip(job.file.as_deref());
        let text = text.map(|(job, file)| JobText::of(job, file, None));
        let members = members(names, &rounds, &mut connections);
        let summary = &chosen.verified.summary;
        let proof = Proof {
            origin: summary.origin.clone(),
            entries: summary.size,
            root: summary.root.to_string(),
            fingerprint: summary.fingerprint.clone(),
            pinned: summary.pinned,
            witnesses: chosen.verified.witnesses.clone(),
            roster: chosen.verified.roster,
            audited: chosen.verified.audited,
            read: chosen.len(),
            span: chosen.span(),
        };
        let gaps = gaps::of(&job, &rounds, &coordinators, &members, &proof);
        let schema = "syndic-ledger-report/1";
        Report {
            schema,
            federation,
            members,
            job,
            coordinators,
            protection,
            privacy,
            rounds,
            metrics,
            incidents,
            gaps,
            proof,
            text,
        }
    }
}

fn erased(index: u64, Entry { time, data, .. }: &Entry) -> ErasureFacts {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let count = |key: &str| data[key].as_u64().unwrap_or_default();
    ErasureFacts {
        index,
        time: *time,
        updates_days: data["updates_days"].as_u64(),
        by: text("by"),
        reason: text("reason"),
        blobs: count("blobs"),
        bytes: count("bytes"),
    }
}

fn protection(data: &Value) -> Protection {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let count = |key: &str| data[key].as_u64().unwrap_or_default();
    Protection {
        protocol: text("protocol"),
        parameter_set: text("parameter_set"),
        security_bits: data["security_bits"].clone(),
        threshold: count("threshold"),
        colluding: count("colluding"),
        min_survivors: count("min_survivors"),
        admitted: data["admitted"].as_array().map_or(0, Vec::len),
    }
}

/// Those that the rounds admit, with what became of their updates.
fn members(names: &Names, rounds: &[RoundFacts], connections: &mut Connections) -> Vec<Member> {
    let mut members: BTreeMap<u64, Member> = BTreeMap::new();
    for round in rounds {
        for id in &round.admitted_ids {
            let member = members.entry(*id).or_insert_with(|| Member {
                id: *id,
                name: names.name(*id),
                sums: 0,
                missing: 0,
                connections: connections.of(*id),
            });
            let is_in = round.survivors.contains(&member.name);
            member.sums += usize::from(is_in);
            member.missing += usize::from(!is_in && round.outcome == Outcome::Closed);
        }
    }
    members.into_values().collect()
}

/// Whether an entry says that something did not go as planned.
fn is_incident(entry: &Entry) -> bool {
    let step = entry.kind.rsplit('.').next().unwrap_or_default();
    let data = &entry.data;
    match entry.kind.as_str() {
        "syndic.round.closed" => {
            data["checked"] == false
                || data["wrong_reveals"].as_array().is_some_and(|wrong| !wrong.is_empty())
        }
        "syndic.job.drift" => data["drifted"].as_array().is_some_and(|drifted| !drifted.is_empty()),
        // Whatever else is decided of a job is for a reviewer to see.
        kind if kind.starts_with("syndic.job.") => !matches!(step, "agreed" | "progress" | "completed"),
        _ => INCIDENTS.contains(&step),
    }
}

/// Steps of a round or preparation that a plain one does not have.
const INCIDENTS: [&str; 11] = [
    // Of the federation, while the job ran.
    "changed",
    "refused",
    "stopped",
    "declined",
    "equivocated",
    "abandoned",
    "more-reveals",
    "void-promised",
    "result",
    "resumed",
    "woke",
];
