//! Puts the result together: from what was told, what was measured and what was asked for.

use std::collections::BTreeMap;
use std::time::SystemTime;

use syndic_learning::{Job, Outcome, Role};
use syndic_ledger::Timestamp;
use syndic_round::Carrier;

use super::compare::Comparison;
use super::{Finished, SandboxOptions, Site, warned};
use crate::history::{EncryptedRound, History, RoundEnding};
use crate::result::{
    DataFacts, DriftByModel, FairnessByModel, InDetail, MetricsByModel, OwnScores, Protection, RoundCounts,
    RunOptions, RunResult, SCHEMA, Scores, Timing, Traffic,
};
use crate::{Error, Result};

/// What was measured around the federation.
pub(super) struct Figures {
    pub(super) federated: Scores,
    /// More of it.
    pub(super) detail: Option<InDetail>,
    /// The federation's model on the test rows of each institution alone.
    pub(super) at_home: BTreeMap<String, Scores>,
    pub(super) comparison: Comparison,
    pub(super) federation_seconds: f64,
}

/// The result of a run.
///
/// # Errors
/// When the federation told of no training round, or the table can no longer be read.
pub(super) fn result(
    options: &SandboxOptions,
    job: &Job,
    sites: &[Site],
    finished: &Finished,
    history: &History,
    figures: Figures,
) -> Result<RunResult> {
    let live = history.metrics.get(&finished.outcome.released_round);
    let live =
        live.map(|live| Scores { roc_auc: live.roc_auc, pr_auc: live.pr_auc, log_loss: live.log_loss });
    let Comparison { pooled, alone, alone_at_home, test_rows, test_positives, fairness, drift } =
        figures.comparison;
    let own = figures.at_home.into_iter().filter_map(|(name, federated)| {
        let alone = *alone_at_home.get(&name)?;
        Some((name, OwnScores { federated, alone }))
    });
    let training = |site: &Site| (site.name.clone(), site.table.count(Role::Train).0);
    let rounds = round_counts(history, &finished.outcome);
    let warnings = warned::of(job, sites, finished, (&rounds, &figures.federated, test_rows, test_positives));
    Ok(RunResult {
        schema: SCHEMA.into(),
        job: job.identity.id.to_string(),
        warnings,
        participants: sites.iter().map(|site| site.name.clone()).collect(),
        rounds,
        metrics: MetricsByModel {
            federated: figures.federated,
            pooled,
            alone,
            own: own.collect(),
            live,
            detail: figures.detail,
        },
        protection: protection(job, finished, history)?,
        traffic: traffic(history, sites.len()),
        timing: Timing {
            round_seconds_median: history.median_seconds(),
            encrypt_ns_per_parameter: finished.encrypt_ns_per_parameter,
            federation_seconds: figures.federation_seconds,
        },
        ledger: finished.ledger.clone(),
        options: RunOptions {
            rounds: job.rounds.count,
            seed: options.seed,
            stopped: finished.stopped.clone(),
        },
        data: DataFacts {
            table: options.source.name(),
            sha256: options.source.sha256()?,
            rows: sites.iter().map(|site| site.table.rows() as u64).sum(),
            test_rows,
            test_positives,
            training_rows: sites.iter().map(training).collect::<BTreeMap<_, _>>(),
        },
        fairness: fairness
            .map(|pooled| FairnessByModel { federated: finished.outcome.fairness.clone(), pooled }),
        drift: drift.map(|pooled| DriftByModel { federated: finished.outcome.drift.clone(), pooled }),
        privacy: finished.outcome.privacy.clone(),
    })
}

fn round_counts(history: &History, outcome: &Outcome) -> RoundCounts {
    let (statistics, abandoned_statistics) = history.count("statistics");
    let (_, abandoned_training) = history.count("train");
    let (evaluation, abandoned_evaluation) = history.count("evaluate");
    let (_, abandoned_fairness) = history.count("fairness");
    let (_, abandoned_drift) = history.count("drift");
    RoundCounts {
        completed: history.trained(),
        abandoned: abandoned_statistics
            + abandoned_training
            + abandoned_evaluation
            + abandoned_fairness
            + abandoned_drift,
        statistics,
        evaluation,
        released: outcome.released_round,
        shared: closed(history).filter(|round| round.carrier == Carrier::Shares).count() as u32,
        unchecked: closed(history).filter(|round| round.is_unchecked()).count() as u32,
        converged: outcome.fit.as_ref().map(|fit| fit.converged),
    }
}

/// Rounds of all kinds with a result.
fn closed(history: &History) -> impl Iterator<Item = &EncryptedRound> {
    history.rounds.iter().filter(|round| round.closed().is_some())
}

/// The kinds of rounds with a result whose vectors were carried so, in the order in which they first came.
fn carried_by(history: &History, carrier: Carrier) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for round in closed(history).filter(|round| round.carrier == carrier) {
        if !kinds.iter().any(|kind| kind == round.kind) {
            kinds.push(round.kind.into());
        }
    }
    kinds
}

/// What all sent, divided by how many they are.
fn traffic(history: &History, institutions: usize) -> Traffic {
    let each = |bytes: f64| (bytes / institutions.max(1) as f64).round() as u64;
    Traffic { round_bytes_median: each(history.median_bytes()), job_bytes: each(history.bytes() as f64) }
}

/// From the first training round that closed: what one institution sent in it.
fn protection(job_file: &Job, finished: &Finished, history: &History) -> Result<Protection> {
    let trained = closed(history).find(|round| round.kind == "train");
    let (Some(job), Some(round)) = (&history.job, trained) else {
        return Err(Error::abandoned("job.no-round", "the federation ended without a training round"));
    };
    let Some(RoundEnding::Closed { survivors, upload_bytes, key_share_bytes, .. }) = &round.ending else {
        return Err(Error::abandoned("job.no-round", "the federation ended without a training round"));
    };
    let upload = upload_bytes / (survivors.len() as u64).max(1);
    let cohort = job_file.cohort.admitted(job.participants.len()) as u64;
    Ok(Protection {
        protocol: "KSA/1".into(),
        parameter_set: job.parameter_set.into(),
        cohort: cohort as u32,
        threshold: u32::from(job.threshold),
        encrypted: carried_by(history, Carrier::Ring),
        shared: carried_by(history, Carrier::Shares),
        bytes_per_parameter: upload as f64 / (round.padded as f64).max(1.0),
        parameters: finished.outcome.model.parameters() as u64,
        padded_parameters: round.padded as u64,
        upload_bytes_per_round: upload,
        key_share_bytes: key_share_bytes / cohort.max(1),
    })
}

/// Now, for people: `2026-08-01 12:00 UTC`.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or_default();
    let text = Timestamp::from_unix_ms(millis).map(|time| time.to_string()).unwrap_or_default();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}
