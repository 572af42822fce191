//! What is measured around the federation: its model on the test rows, and the models that it is compared with.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use syndic_learning::job::ProgramTerms;
use syndic_learning::{Job, Model};
use syndic_participant::trainer::Trainer;

use super::assemble::Figures;
use super::load::Site;
use super::outside::{Outside, external};
use super::{SandboxOptions, compare};
use crate::Result;
use crate::view::{Notice, Observer};

/// Trains what the federation is compared with, tells how far that is where it takes long, and scores `model`.
///
/// # Errors
/// When rows are of one class only, a model cannot be fitted, or the trainer fails.
pub(super) async fn figures(
    (options, job, sites): (&SandboxOptions, &Job, &[Site]),
    trainer: Option<&Trainer>,
    (model, federation_seconds): (&Model, f64),
    observer: &mut Observer,
) -> Result<Figures> {
    let (alone, models) = (options.alone, compare::models(sites, options.alone));
    let inputs = match job.program {
        ProgramTerms::LogisticRegression(_) => job.contract.inputs(),
        _ => job.contract.columns.len(),
    };
    observer.notice(&Notice::Comparing { models, inputs });
    let mut last = Instant::now();
    let told = |done| {
        if last.elapsed() >= LONG && done < models {
            observer.notice(&Notice::Compared { done, models });
            last = Instant::now();
        }
    };
    let mut at_home = BTreeMap::new();
    let (comparison, federated, detail) = if let Some(trainer) = trainer {
        let (outside, model) = (Outside::new(trainer, job, sites, options.seed)?, external(model)?);
        let comparison = outside.compare(alone, told).await?;
        if alone {
            at_home = outside.evaluate_at_home(model).await?;
        }
        // What a trainer scores is measured by areas and losses alone.
        (comparison, outside.evaluate(model).await?, None)
    } else {
        let comparison = compare::compare(sites, job, alone, told)?;
        if alone {
            at_home = compare::evaluate_at_home(model, sites)?;
        }
        (comparison, compare::evaluate(model, sites)?, compare::in_detail(model, sites)?)
    };
    Ok(Figures { federated, detail, at_home, comparison, federation_seconds })
}

/// How long a person waits without a word while models are compared.
const LONG: Duration = Duration::from_secs(2);
