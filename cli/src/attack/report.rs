//! What the attacks found. Also its JSON.

use serde::Serialize;
use syndic_learning::attack::figures::Figures;
use syndic_learning::attack::inversion::{Inverted, Read};

/// Everything that `syndic attack` found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) job: String,
    pub(super) table: String,
    pub(super) institutions: u32,
    /// Training rows, about half of which are in in each game.
    pub(super) rows: u64,
    pub(super) games: u32,
    pub(super) seed: u64,
    /// The institution whose updates were looked at: the one with the fewest rows.
    pub(super) watched: Watched,
    /// Without noise first, where both were played.
    pub(super) runs: Vec<Run>,
}

/// An institution and its training rows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) rows: u64,
}

/// One job's attacks.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) program: &'static str,
    /// The privacy mode.
    pub(super) privacy: &'static str,
    /// What epsilon allows anybody; none without noise.
    pub(super) bound: Option<Bound>,
    /// Mean ROC-AUC of the models on the test rows.
    pub(super) roc_auc: Option<f64>,
    /// Sums over training rows that a game opened, and of how many of them rows were looked for.
    pub(super) sums_opened: u32,
    pub(super) sums_attacked: u32,
    pub(super) membership: Vec<Membership>,
    pub(super) inversion: Vec<Inversion>,
    /// What is guessed by who has seen nothing but means.
    pub(super) guessed: Read,
}

/// What differential privacy allows at most.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bound {
    pub(super) epsilon: f64,
    pub(super) delta: f64,
    pub(super) advantage: f64,
    pub(super) found_at_one_percent: f64,
    pub(super) found_at_one_per_thousand: f64,
}

/// How well one attack tells who is in.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Membership {
    pub(super) sees: Sees,
    pub(super) attack: Attack,
    /// Whether the bound holds for who sees that.
    pub(super) bounded: bool,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// What an adversary sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sees {
    /// The released model.
    Model,
    /// The opened sums: the coordinator.
    Sums,
    /// One institution's updates, if they were not encrypted.
    Update,
}

/// How it goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Attack {
    LossThreshold,
    LiraOffline,
    LiraOnline,
    Tracing,
}

/// What was read out of one question's answers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Inversion {
    /// `statistics`, or `train`.
    pub(super) kind: &'static str,
    pub(super) read: Vec<Inverted>,
}

impl Sees {
    /// In a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Model => "the released model",
            Self::Sums => "the opened sums",
            Self::Update => "one update in the clear",
        }
    }
}

impl Attack {
    /// In a table.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::LossThreshold => "loss threshold",
            Self::LiraOffline => "LiRA, offline",
            Self::LiraOnline => "LiRA, online",
            Self::Tracing => "tracing",
        }
    }
}

impl Run {
    /// The attack that does best with what somebody sees.
    pub(super) fn best(&self, sees: Sees) -> Option<&Membership> {
        let these = self.membership.iter().filter(|attack| attack.sees == sees);
        these.max_by(|a, b| a.figures.auc.mean.total_cmp(&b.figures.auc.mean))
    }

    /// AUC of whatever does best with it: who sees sums sees the model, and who would see an update sees both.
    pub(super) fn reached(&self, sees: Sees) -> f64 {
        let these = self.membership.iter().filter(|attack| attack.sees <= sees);
        these.map(|attack| attack.figures.auc.mean).fold(0.5, f64::max)
    }
}

/// The name of the schema.
pub(super) const SCHEMA: &str = "syndic.attack/1";
