//! `result.json`, what a program reads after a run. Its schema is `syndic.result/1`: keys are only ever added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syndic_learning::privacy::claim::Claim;
use syndic_learning::{Calibration, Detail, DriftFigures, FairnessFigures};

/// The name of the schema in the file.
pub const SCHEMA: &str = "syndic.result/1";

/// The contents of `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Job id.
    pub job: String,
    /// What must be said beside the figures, a sentence for each; also in the report and at the end of the run.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Institutions, by their roster names in roster order.
    pub participants: Vec<String>,
    /// How many rounds there were.
    pub rounds: RoundCounts,
    /// Figures on the common test rows.
    pub metrics: MetricsByModel,
    /// How updates were protected and what travelled for it.
    pub protection: Protection,
    /// What each institution sent.
    pub traffic: Traffic,
    /// What it took.
    pub timing: Timing,
    /// Where the ledger ended.
    pub ledger: LedgerHead,
    /// What the run was asked for.
    pub options: RunOptions,
    /// What it ran on.
    pub data: DataFacts,
    /// How models treat groups, where the job compares them.
    #[serde(default)]
    pub fairness: Option<FairnessByModel>,
    /// How far test rows are from training rows, where the job asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftByModel>,
    /// What is claimed of the noise, and what was spent; none without noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Claim>,
}

/// How models treat groups of the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairnessByModel {
    /// The federation's model, from encrypted sums; none where their round was not to be had.
    pub federated: Option<FairnessFigures>,
    /// The model trained on all rows in one place, for comparison only.
    pub pooled: FairnessFigures,
}

/// How far test rows are from training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftByModel {
    /// By the federation's model, from encrypted sums.
    pub federated: Option<DriftFigures>,
    /// By the model trained on all rows in one place, for comparison only: columns are the same, scores may differ.
    pub pooled: DriftFigures,
}

/// Rounds by kind and ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundCounts {
    /// Training rounds whose model was released to the next.
    pub completed: u32,
    /// Encrypted rounds of any kind that ended without a result.
    pub abandoned: u32,
    /// Encrypted rounds for statistics before training.
    pub statistics: u32,
    /// Encrypted rounds that evaluated a model.
    pub evaluation: u32,
    /// The training round whose model was released.
    pub released: u32,
    /// Rounds with a result whose vectors were shared themselves.
    #[serde(default)]
    pub shared: u32,
    /// Of those the ones in which a single wrong reveal would not have been noticed.
    #[serde(default)]
    pub unchecked: u32,
    /// Whether training came to its minimum, where the solver knows; otherwise its rounds were over first.
    #[serde(default)]
    pub converged: Option<bool>,
}

/// Figures for the same test rows from models that learnt in different ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsByModel {
    /// The federation's model, scored row by row.
    pub federated: Scores,
    /// The same model trained on all rows in one place, for comparison only.
    pub pooled: Scores,
    /// Each institution's model from its own rows only.
    pub alone: BTreeMap<String, Scores>,
    /// The federation's model and the institution's own one on the test rows of that institution alone: what it sees on its own
    /// customers. Only of those whose test rows hold both classes.
    #[serde(default)]
    pub own: BTreeMap<String, OwnScores>,
    /// The federation's model as the federation itself saw it: from encrypted score histograms. None where
    /// its round was not evaluated.
    pub live: Option<Scores>,
    /// More of the federation's model, scored row by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<InDetail>,
}

/// How a model separates, ranks and is calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InDetail {
    /// By name.
    #[serde(flatten)]
    pub figures: Detail,
    /// What was told and what was observed, by bands of probability; bands without rows left out.
    pub calibration: Vec<Calibration>,
}

/// Figures on the test rows of one institution alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnScores {
    /// The federation's model.
    pub federated: Scores,
    /// The model from the institution's own training rows only.
    pub alone: Scores,
}

/// Figures of one model on one set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Area under the precision-recall curve (average precision).
    pub pr_auc: f64,
    /// Mean log-loss, in nats.
    pub log_loss: f64,
}

/// How vectors were protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protection {
    /// Protocol and version.
    pub protocol: String,
    /// Parameter set.
    pub parameter_set: String,
    /// Institutions admitted.
    pub cohort: u32,
    /// How many must help before a sum opens.
    pub threshold: u32,
    /// Kinds of vectors that were encrypted: `statistics`, `train`, `evaluate`.
    #[serde(default)]
    pub encrypted: Vec<String>,
    /// Kinds of vectors that were shared themselves.
    #[serde(default)]
    pub shared: Vec<String>,
    /// Bytes of ciphertext for a padded parameter; zero where updates of the model were shared themselves.
    pub bytes_per_parameter: f64,
    /// Parameters of the model.
    pub parameters: u64,
    /// Ring coefficients that carried them; zero where they were shared themselves.
    pub padded_parameters: u64,
    /// Bytes of ciphertext that one institution sent in the first encrypted round of training that closed, the mean;
    /// without those of its evaluation.
    pub upload_bytes_per_round: u64,
    /// Bytes of sealed shares that one institution sent in the same encrypted round, the mean: of its key, or of its update
    /// where that was shared itself.
    pub key_share_bytes: u64,
}

/// Bytes that one institution sent, the mean over all.
///
/// Counted is what the coordinator accepted: one-time keys, sealed key shares, acknowledgements, updates,
/// signatures and reveals, those of abandoned attempts included; not what TLS and HTTP/2 add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// In a training round, evaluation included; the median. Goes with [`Timing::round_seconds_median`].
    pub round_bytes_median: u64,
    /// In the whole job, statistics included. Goes with [`Timing::federation_seconds`].
    pub job_bytes: u64,
}

/// What the run took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds of a training round, evaluation included, from opening to the sum; the median. Abandoned attempts
    /// do not count.
    pub round_seconds_median: f64,
    /// Nanoseconds to encrypt a padded parameter, on one institution; the mean over what was encrypted, zero where nothing was.
    pub encrypt_ns_per_parameter: f64,
    /// Seconds of the whole federation: from the making of its keys, through all rounds, to the exported ledger. The
    /// wait for an institution that was stopped on purpose is among them, training for comparison is not.
    pub federation_seconds: f64,
}

/// Where the ledger ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them, in hexadecimal.
    pub root: String,
    /// The coordinator's verifier key, as `syndic ledger verify --key` takes it.
    pub key: String,
}

/// What the run was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Training rounds asked for.
    pub rounds: u32,
    /// Seed of training and of the choice who is stopped. Keys never come from it.
    pub seed: u64,
    /// The institution that was stopped on purpose.
    pub stopped: Option<String>,
}

/// What the run was done on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Name of the table as it was given.
    pub table: String,
    /// SHA-256 of the file as it was given, in hexadecimal.
    pub sha256: String,
    /// Rows of all institutions.
    pub rows: u64,
    /// Rows that every model is tested on and none has learnt from.
    pub test_rows: u64,
    /// Positives among the test rows.
    pub test_positives: u64,
    /// Training rows of each institution.
    pub training_rows: BTreeMap<String, u64>,
}

impl MetricsByModel {
    /// The mean over the institutions alone; none where there is no institution.
    pub fn alone_mean(&self) -> Option<Scores> {
        let count = self.alone.len() as f64;
        let mean = |figure: fn(&Scores) -> f64| self.alone.values().map(figure).sum::<f64>() / count;
        (count > 0.0).then(|| Scores {
            roc_auc: mean(|scores| scores.roc_auc),
            pr_auc: mean(|scores| scores.pr_auc),
            log_loss: mean(|scores| scores.log_loss),
        })
    }

    /// By how much ROC-AUC of the federation's model exceeds that of an institution's own one on the institution's own test rows:
    /// the institution, and the difference, which is negative where the federation's is worse.
    pub fn gains_at_home(&self) -> impl Iterator<Item = (&str, f64)> {
        self.own.iter().map(|(name, own)| (name.as_str(), own.federated.roc_auc - own.alone.roc_auc))
    }
}

impl RunResult {
    /// What to say of the models that were trained for comparison: where the job adds noise, they have none of it.
    pub fn without_noise(&self) -> &'static str {
        if self.privacy.is_some() { ", without noise" } else { "" }
    }

    /// The file's text: indented, with a final newline.
    pub fn to_file(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers and strings serialise") + "\n"
    }

    /// The same on one line, without a newline.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("finite numbers and strings serialise")
    }
}

#[cfg(test)]
pub(crate) mod example {
    use super::*;

    /// A result with plausible figures.
    pub(crate) fn result() -> RunResult {
        let scores = |roc_auc, pr_auc, log_loss| Scores { roc_auc, pr_auc, log_loss };
        let banks = crate::recording::BANKS;
        let alone = [0.7613, 0.7388, 0.7489, 0.7501, 0.7522];
        let rows = [9_583, 6_200, 4_349, 7_470, 8_569];
        RunResult {
            schema: SCHEMA.into(),
            job: "bank-marketing".into(),
            warnings: Vec::new(),
            participants: banks.iter().map(|bank| (*bank).into()).collect(),
            rounds: RoundCounts {
                completed: 20,
                abandoned: 0,
                statistics: 1,
                evaluation: 20,
                released: 20,
                shared: 0,
                unchecked: 0,
                converged: None,
            },
            metrics: MetricsByModel {
                federated: scores(0.7671, 0.3972, 0.3041),
                pooled: scores(0.7688, 0.4008, 0.3023),
                alone: banks
                    .iter()
                    .zip(alone)
                    .map(|(bank, auc)| ((*bank).into(), scores(auc, auc - 0.38, 0.32)))
                    .collect(),
                detail: Some(InDetail {
                    figures: Detail {
                        gini: Some(0.5342),
                        ks: Some(0.4087),
                        lift: Some(3.81),
                        brier: 0.0891,
                        calibration_error: 0.0062,
                    },
                    calibration: vec![
                        Calibration { from: 0.0, to: 0.1, rows: 6_102, told: 0.0588, observed: 0.0561 },
                        Calibration { from: 0.1, to: 0.2, rows: 2_031, told: 0.1371, observed: 0.1418 },
                        Calibration { from: 0.2, to: 0.3, rows: 909, told: 0.2412, observed: 0.2508 },
                    ],
                }),
                own: banks
                    .iter()
                    .zip([0.0121, 0.0093, 0.0102, -0.0012, 0.0066])
                    .map(|(bank, gain)| {
                        let federated = scores(0.7600 + gain, 0.3911, 0.3050);
                        ((*bank).into(), OwnScores { federated, alone: scores(0.7600, 0.3822, 0.3101) })
                    })
                    .collect(),
                live: Some(scores(0.7672, 0.3970, 0.3041)),
            },
            protection: Protection {
                protocol: "KSA/1".into(),
                parameter_set: "KSA-S32".into(),
                cohort: 5,
                threshold: 4,
                encrypted: vec!["statistics".into(), "train".into(), "evaluate".into()],
                shared: Vec::new(),
                bytes_per_parameter: 4.0,
                parameters: 51,
                padded_parameters: 2_048,
                upload_bytes_per_round: 8_192,
                key_share_bytes: 15_800,
            },
            traffic: Traffic { round_bytes_median: 57_024, job_bytes: 1_168_992 },
            timing: Timing {
                round_seconds_median: 0.28,
                encrypt_ns_per_parameter: 24.5,
                federation_seconds: 9.1,
            },
            ledger: LedgerHead {
                size: 1_312,
                root: "5c".repeat(32),
                key: "coordinator.example+2f1c7b1a+AZ2Xn0Q0dN8Yl6kJr6pA5kq0v7lqzj0d1x8mXb2v3c4d".into(),
            },
            options: RunOptions { rounds: 20, seed: 1, stopped: Some("bank_online".into()) },
            data: DataFacts {
                table: "bank_marketing.csv.gz".into(),
                sha256: "a7".repeat(32),
                rows: 45_211,
                test_rows: 9_040,
                test_positives: 1_058,
                training_rows: banks.iter().zip(rows).map(|(bank, rows)| ((*bank).into(), rows)).collect(),
            },
            fairness: None,
            drift: None,
            privacy: None,
        }
    }

    /// The same of a job that shared its statistics and updates, three sums without a reveal to check them.
    pub(crate) fn shared() -> RunResult {
        let mut result = result();
        result.rounds = RoundCounts { shared: 21, unchecked: 3, ..result.rounds };
        result.warnings = crate::carried::unchecked(&result.rounds).into_iter().collect();
        result.protection = Protection {
            encrypted: vec!["evaluate".into()],
            shared: vec!["statistics".into(), "train".into()],
            bytes_per_parameter: 0.0,
            padded_parameters: 0,
            upload_bytes_per_round: 0,
            key_share_bytes: 5_400,
            ..result.protection
        };
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_every_documented_key() {
        let json: serde_json::Value = serde_json::from_str(&example::result().to_file()).unwrap();
        let documented = [
            "/schema",
            "/participants/0",
            "/rounds/completed",
            "/rounds/abandoned",
            "/rounds/shared",
            "/rounds/unchecked",
            "/metrics/federated/roc_auc",
            "/metrics/federated/pr_auc",
            "/metrics/federated/log_loss",
            "/metrics/pooled/roc_auc",
            "/metrics/alone/bank_savings/roc_auc",
            "/metrics/own/bank_savings/federated/roc_auc",
            "/metrics/own/bank_savings/alone/roc_auc",
            "/protection/protocol",
            "/protection/parameter_set",
            "/protection/cohort",
            "/protection/threshold",
            "/protection/encrypted/0",
            "/protection/shared",
            "/protection/bytes_per_parameter",
            "/protection/parameters",
            "/protection/padded_parameters",
            "/protection/upload_bytes_per_round",
            "/protection/key_share_bytes",
            "/traffic/round_bytes_median",
            "/traffic/job_bytes",
            "/timing/round_seconds_median",
            "/timing/encrypt_ns_per_parameter",
            "/timing/federation_seconds",
            "/ledger/size",
            "/ledger/root",
        ];
        for key in documented {
            assert!(json.pointer(key).is_some_and(|value| !value.is_null()), "{key}");
        }
        assert_eq!(json["schema"], "syndic.result/1");
    }

    #[test]
    fn the_line_is_the_file_on_one_line() {
        let result = example::result();
        assert!(!result.to_line().contains('\n'));
        let from_line: RunResult = serde_json::from_str(&result.to_line()).unwrap();
        let from_file: RunResult = serde_json::from_str(&result.to_file()).unwrap();
        assert_eq!((&from_line, &from_file), (&result, &result));
    }

    #[test]
    fn the_mean_of_nobody_is_nothing() {
        let mut metrics = example::result().metrics;
        assert!((metrics.alone_mean().unwrap().roc_auc - 0.75026).abs() < 1e-9);
        metrics.alone.clear();
        assert_eq!(metrics.alone_mean(), None);
    }
}
