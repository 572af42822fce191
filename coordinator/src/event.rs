//! What a person watching a job wants to know, as it happens.
//!
//! Events are told after the entry behind them is stored. They are a view: nothing is decided by them, and
//! a watcher that misses some has lost nothing that the ledger does not hold.

use serde::Serialize;
use syndic_learning::job::SmallVectors;
use syndic_round::coordinator::{Phase as RoundPhase, Preparing};
use syndic_round::{Carrier, JobId, RoundId};

use crate::fact::Priority;

/// An event, and the job that it belongs to; none for who is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Job.
    pub job: Option<JobId>,
    /// What happened.
    pub event: Event,
}

/// One thing that happened in a job. Participants appear by their roster names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A participant's connection was authenticated, or ended.
    Connection {
        /// Who.
        participant: String,
        /// Whether it is there now.
        connected: bool,
    },
    /// The job began.
    JobStarted {
        /// How many institutions each round admits.
        admitted: u16,
        /// Job id.
        job: String,
        /// The most training rounds that it asks for.
        rounds: u32,
        /// Institutions admitted.
        participants: Vec<String>,
        /// Reveals needed to open a sum.
        threshold: u16,
        /// Name of the parameter set.
        parameter_set: &'static str,
        /// How vectors that are small enough to be shared themselves reach their sum.
        small_vectors: SmallVectors,
    },
    /// An encrypted round opened.
    RoundOpened {
        /// Round and attempt.
        #[serde(flatten)]
        id: RoundId,
        /// `statistics`, `train` or `evaluate`.
        kind: &'static str,
        /// Which training round of the job it belongs to; none for the statistics before training.
        training_round: Option<u32>,
        /// Values of the vector, before limbs, canaries and padding.
        values: usize,
        /// Ring coefficients that travel; none where the vector is shared itself.
        padded: usize,
        /// What carries the vector: `ring` where it is encrypted, `shares` where it is shared itself.
        carrier: Carrier,
    },
    /// The round went on to its next phase.
    Phase {
        /// Round and attempt.
        #[serde(flatten)]
        id: RoundId,
        /// The phase that began.
        phase: Phase,
        /// When the phase ends at the latest, in milliseconds from its start.
        deadline_millis: u64,
    },
    /// A participant did its part of a phase.
    Progress {
        /// Round and attempt.
        #[serde(flatten)]
        id: RoundId,
        /// Who.
        participant: String,
        /// What it did.
        did: Did,
        /// Bytes that it sent for it.
        bytes: u64,
    },
    /// The sum of a round was opened.
    RoundClosed {
        /// Round and attempt.
        #[serde(flatten)]
        id: RoundId,
        /// `statistics`, `train` or `evaluate`.
        kind: &'static str,
        /// Whose updates are in the sum.
        survivors: Vec<String>,
        /// Who is not, and why.
        missing: Vec<Missing>,
        /// Whether a single wrong reveal would have been noticed; only sums of vectors that were shared themselves can be
        /// without.
        checked: bool,
        /// Whose reveals were wrong, and were corrected.
        wrong_reveals: Vec<String>,
        /// Milliseconds from opening to the sum.
        millis: u64,
        /// Bytes of ciphertext that arrived.
        upload_bytes: u64,
        /// Bytes of sealed shares that arrived: of keys, or of the vectors themselves where those were shared.
        key_share_bytes: u64,
    },
    /// A round ended without a result.
    RoundAbandoned {
        /// Round and attempt.
        #[serde(flatten)]
        id: RoundId,
        /// Why, for a person.
        reason: String,
    },
    /// The model of a training round was evaluated, from encrypted score histograms.
    Metrics {
        /// Training round, from 1.
        training_round: u32,
        /// On which rows: `test` or `validation`.
        rows: &'static str,
        /// Area under the ROC curve.
        roc_auc: f64,
        /// Area under the precision-recall curve (average precision).
        pr_auc: f64,
        /// Mean log-loss.
        log_loss: f64,
    },
    /// The job reached its outcome.
    JobCompleted {
        /// Job id.
        job: String,
        /// Training rounds done.
        rounds: u32,
        /// Who is missing in how many of its sums, a sentence for each.
        warnings: Vec<String>,
    },
    /// The job ended without one.
    JobAbandoned {
        /// Job id.
        job: String,
        /// Why, for a person.
        reason: String,
    },
    /// Somebody who may run jobs ended the job.
    JobStopped {
        /// Job id.
        job: String,
        /// Why, as they say.
        reason: String,
    },
    /// No further round of the job is opened until it is resumed.
    JobPaused {
        /// Job id.
        job: String,
        /// Why, as whoever paused it says.
        reason: String,
    },
    /// A paused job goes on.
    JobResumed {
        /// Job id.
        job: String,
        /// Why, as whoever resumed it says.
        reason: String,
    },
    /// A job is more urgent than before, or less.
    JobPrioritised {
        /// Job id.
        job: String,
        /// From now on.
        priority: Priority,
    },
}

/// The phases of a round, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// One-time keys are advertised.
    Advertise,
    /// Key shares travel, sealed.
    Share,
    /// Participants acknowledge their shares; training goes on.
    Acknowledge,
    /// Updates are submitted.
    Collect,
    /// The survivor set is signed.
    Certify,
    /// Sums of key shares are revealed.
    Reveal,
}

impl Phase {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Advertise, Self::Share, Self::Acknowledge, Self::Collect, Self::Certify, Self::Reveal];

    /// Its name, as in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Advertise => "advertise",
            Self::Share => "share",
            Self::Acknowledge => "acknowledge",
            Self::Collect => "collect",
            Self::Certify => "certify",
            Self::Reveal => "reveal",
        }
    }

    /// The phase of a round; none once nobody is waited for.
    pub fn of(phase: &RoundPhase) -> Option<Self> {
        match phase {
            RoundPhase::Preparing(Preparing::Advertising(_)) => Some(Self::Advertise),
            RoundPhase::Preparing(Preparing::Sharing(_)) => Some(Self::Share),
            RoundPhase::Preparing(Preparing::Acknowledging(_)) => Some(Self::Acknowledge),
            RoundPhase::Collecting(_) => Some(Self::Collect),
            RoundPhase::Certifying(_) => Some(Self::Certify),
            RoundPhase::Revealing(_) => Some(Self::Reveal),
            RoundPhase::Opening(_) | RoundPhase::Closed(_) | RoundPhase::Abandoned(_) => None,
        }
    }
}

/// What a participant did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// Advertised its one-time key.
    Advertised,
    /// Shared its key.
    Shared,
    /// Acknowledged the shares for it.
    Acknowledged,
    /// Submitted its update.
    Submitted,
    /// Signed the survivor set.
    Certified,
    /// Revealed its sum of shares.
    Revealed,
    /// Promised never to reveal in this attempt.
    Voided,
    /// Declined, with its reason.
    Declined(String),
}

/// A participant whose update is not in a sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Who.
    pub participant: String,
    /// The last phase it was seen in, or its reason for declining, for a person.
    pub reason: String,
}
