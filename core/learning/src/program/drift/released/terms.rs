//! With which model's training rows a job compares, and from when on it counts as drift.

use serde::{Deserialize, Serialize};
use syndic_round::Digest;

use super::departs::Departs;
use super::reference::Reference;
use crate::job::{Job, ProgramTerms};
use crate::model::ModelCard;
use crate::program::comparison::RowsCompared;
use crate::program::drift::figures::DriftFigures;

/// The name in job files and site policies.
pub const NAME: &str = "drift";

/// The model, the rows, the thresholds, and the bins of the model's card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedDriftTerms {
    /// SHA-256 of the weights of a released model.
    pub model: Digest,
    /// Which rows are compared; all of them where nothing is said.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub rows: RowsCompared,
    /// A population stability index above this is marked.
    pub watch_psi: f64,
    /// One above this is drift.
    pub max_psi: f64,
    /// A Kolmogorov-Smirnov statistic above this is drift too; without it the statistic is only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ks: Option<f64>,
    /// Of fewer rows than this, of all institutions together, nothing is shown.
    pub min_rows: u32,
    /// Where the rows were that the model was trained on.
    pub reference: Reference,
}

impl ReleasedDriftTerms {
    /// What a card says of its training rows, and its job of thresholds; none where its job compared nothing, or had too few rows.
    pub fn of(card: &ModelCard, columns: &[String]) -> Option<Self> {
        let figures = card.drift.as_ref().filter(|figures| !figures.score.bins.is_empty())?;
        let DriftFigures { watch_psi, max_psi, max_ks, min_rows, .. } = *figures;
        let reference = Reference::of(figures, columns);
        Some(Self {
            model: card.weights_digest,
            rows: RowsCompared::All,
            watch_psi,
            max_psi,
            max_ks,
            min_rows,
            reference,
        })
    }

    /// Checks that the bins are those of this card, which is one of the model that is named.
    ///
    /// # Errors
    /// [`Departs`].
    pub fn is_of(&self, card: &ModelCard) -> Result<(), Departs> {
        let figures = card.drift.as_ref().ok_or(Departs::NoReference)?;
        self.reference.is_of(figures).then_some(()).ok_or(Departs::OtherReference)
    }

    /// The bins with the thresholds, and no row that is compared.
    pub(super) fn figures(&self) -> DriftFigures {
        let Self { watch_psi, max_psi, max_ks, min_rows, .. } = *self;
        DriftFigures { watch_psi, max_psi, max_ks, min_rows, ..self.reference.figures() }
    }
}

impl Job {
    /// With which released model's training rows it compares, where it does.
    pub fn released_drift(&self) -> Option<&ReleasedDriftTerms> {
        match &self.program {
            ProgramTerms::Drift(terms) => Some(terms),
            _ => None,
        }
    }
}

fn all() -> RowsCompared {
    RowsCompared::All
}

fn is_all(rows: &RowsCompared) -> bool {
    *rows == RowsCompared::All
}
