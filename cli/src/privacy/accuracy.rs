//! What a job's noise costs in accuracy: the job trained on a table with it and without, in this process.

use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde::Serialize;
use syndic_learning::attack::AttackError;
use syndic_learning::attack::run::{Keep, run};
use syndic_learning::job::{InstitutionLevelTerms, Privacy, RecordLevelTerms};
use syndic_learning::{Job, Role, Scoring as _, Table};

use super::args::PlanArgs;
use super::plan::told;
use crate::attack::refused;
use crate::sandbox::{Columns, Source, load};
use crate::{Error, Result};

/// What was measured. Also its JSON.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Accuracy {
    /// The table's file.
    pub(super) table: String,
    pub(super) institutions: usize,
    /// Training rows of all institutions.
    pub(super) rows: u64,
    pub(super) test_rows: u64,
    /// Trainings at each epsilon.
    pub(super) runs: u32,
    pub(super) seed: u64,
    /// The one without noise first, then from the largest epsilon to the smallest.
    pub(super) models: Vec<Model>,
}

/// Means over the trainings at one epsilon, on the test rows of all institutions.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Model {
    /// Of the whole job; none without noise.
    pub(super) epsilon: Option<f64>,
    /// None where the test rows are of one class.
    pub(super) roc_auc: Option<f64>,
    /// Mean, in nats.
    pub(super) log_loss: f64,
}

impl Accuracy {
    /// Trains the job without noise, and with it at each epsilon.
    ///
    /// # Errors
    /// A table that does not fit, an epsilon that no noise reaches, institutions of which too few are honest.
    pub(super) fn measured(job: &Job, table: &Path, args: &PlanArgs) -> Result<Self> {
        let jobs = at_each_epsilon(job, &args.also)?;
        let source = Source::File(table.to_owned());
        let sites = load::load(&source, &columns(args), &job.contract)?;
        let protection = job.protection_of(sites.len()).map_err(|error| {
            Error::input(error.code(), error.to_string()).help("change [protection], or --institutions")
        })?;
        job.check_honest(&protection).map_err(told)?;

        let tables: Vec<Arc<Table>> = sites.into_iter().map(|site| site.table).collect();
        let progress = progress(args, 1 + jobs.len() as u64 * u64::from(args.runs));
        let mut models = Vec::new();
        for (epsilon, job) in &jobs {
            let runs = if epsilon.is_some() { args.runs } else { 1 };
            models.push(trained(job, *epsilon, &tables, (runs, args.seed), &progress).map_err(refused)?);
        }
        progress.finish_and_clear();
        let rows_of = |role| tables.iter().map(|table| table.rows_for(role).len() as u64).sum();
        Ok(Self {
            table: source.name(),
            institutions: tables.len(),
            rows: rows_of(Role::Train),
            test_rows: rows_of(Role::Test),
            runs: args.runs,
            seed: args.seed,
            models,
        })
    }
}

/// The job without noise, then with the noise of each epsilon, the largest first.
fn at_each_epsilon(job: &Job, also: &[f64]) -> Result<Vec<(Option<f64>, Job)>> {
    let (Some(exact), Some(terms)) = (job.without_noise(), job.privacy.noise()) else {
        return Err(Error::input("privacy.no-noise", "the job adds no noise whose cost could be measured")
            .place("--table")
            .help("leave the option out, or name a job with `mode = \"record-level\"` or `\"institution-level\"`"));
    };
    let with = |epsilon: f64| {
        let job = Job { privacy: of_epsilon(job.privacy, epsilon), ..job.clone() };
        job.calibration().map(|_| (Some(epsilon), job.clone()))
    };
    let mut noisy = match also {
        // Those that nobody asked for are left out where no noise keeps them.
        [] => {
            [terms.epsilon * 3.0, terms.epsilon / 3.0].into_iter().filter_map(|one| with(one).ok()).collect()
        }
        also => {
            let asked: std::result::Result<Vec<_>, _> = also.iter().map(|&epsilon| with(epsilon)).collect();
            asked.map_err(|error| told(error).place("--also"))?
        }
    };
    noisy.push((Some(terms.epsilon), job.clone()));
    noisy.sort_by(|(a, _), (b, _)| b.unwrap_or_default().total_cmp(&a.unwrap_or_default()));
    noisy.dedup_by_key(|(epsilon, _)| *epsilon);
    noisy.insert(0, (None, exact));
    Ok(noisy)
}

/// The same promise with another epsilon.
fn of_epsilon(privacy: Privacy, epsilon: f64) -> Privacy {
    match privacy {
        Privacy::None {} => privacy,
        Privacy::RecordLevel(terms) => Privacy::RecordLevel(RecordLevelTerms { epsilon, ..terms }),
        Privacy::InstitutionLevel(terms) => {
            Privacy::InstitutionLevel(InstitutionLevelTerms { epsilon, ..terms })
        }
    }
}

fn trained(
    job: &Job,
    epsilon: Option<f64>,
    tables: &[Arc<Table>],
    (runs, seed): (u32, u64),
    progress: &ProgressBar,
) -> std::result::Result<Model, AttackError> {
    let test: Vec<&Table> = tables.iter().map(|table| &**table).collect();
    let (mut aucs, mut losses) = (Vec::new(), Vec::new());
    for number in 0..runs {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(number.into());
        let model = run(job, tables, Keep::NOTHING, &mut rng)?.model;
        if let Some(metrics) = model.evaluate(&test, Role::Test)? {
            aucs.extend(metrics.roc_auc);
            losses.push(metrics.log_loss);
        }
        progress.inc(1);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Ok(Model { epsilon, roc_auc: (!aucs.is_empty()).then(|| mean(&aucs)), log_loss: mean(&losses) })
}

/// All of these are there wherever there is a table.
fn columns(args: &PlanArgs) -> Columns {
    let named = |option: &Option<String>| option.clone().unwrap_or_default();
    Columns {
        site: named(&args.site_column),
        fold: named(&args.fold_column),
        test_fold: named(&args.test_fold),
        validation_fold: None,
        participants: args.institutions.map(usize::from),
    }
}

fn progress(args: &PlanArgs, trainings: u64) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new(trainings);
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:30} {pos} of {len} trainings, {elapsed}, {eta} left")
    {
        progress.set_style(style);
    }
    progress.tick();
    progress
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::plan::tests::plan;
    use crate::sandbox::fixture::{JOB, table_text};

    const NOISY: &str = "solver = \"noisy-gradient\"";
    const RECORD_LEVEL: &str = "mode = \"record-level\"\nepsilon = 3\ndelta = 1e-5\nnoise = \"local\"";

    /// The plan of the small job on `rows` rows, with these further options.
    fn measured(rows: u64, mode: &str, options: &str) -> Result<Accuracy> {
        let folder = tempfile::tempdir().unwrap();
        let [job, table] = ["job.toml", "rows.csv"].map(|name| folder.path().join(name));
        let text = JOB.replace("solver = \"fed-avg\"", NOISY).replace("mode = \"none\"", mode);
        std::fs::write(&job, text.replace("count = 4", "count = 40")).unwrap();
        std::fs::write(&table, table_text(rows)).unwrap();
        let (job, table) = (job.display(), table.display());
        let of_table = "--site-column site --fold-column fold --test-fold 0 --json";
        let line = format!("--job {job} --table {table} {of_table} {options}");
        plan(&line).map(|plan| plan.accuracy.unwrap())
    }

    #[test]
    fn little_noise_costs_little_and_much_noise_costs_much() {
        let found = measured(3000, RECORD_LEVEL, "--also 30,0.1 --runs 2").unwrap();
        let epsilons: Vec<Option<f64>> = found.models.iter().map(|model| model.epsilon).collect();
        assert_eq!(epsilons, [None, Some(30.0), Some(3.0), Some(0.1)]);
        assert_eq!((found.institutions, found.rows, found.test_rows, found.runs), (3, 2400, 600, 2));
        let auc = |place: usize| found.models[place].roc_auc.unwrap();
        assert!(auc(0) > 0.85, "{found:?}");
        assert!((auc(1) - auc(0)).abs() < 0.02, "{found:?}");
        assert!(auc(3) < auc(0) - 0.02, "{found:?}");
        assert!(found.models[3].log_loss > found.models[1].log_loss, "{found:?}");
    }

    #[test]
    fn the_same_seed_measures_the_same_and_epsilons_around_the_jobs_are_measured_by_default() {
        let found = || measured(300, RECORD_LEVEL, "--runs 1").unwrap();
        let first = found();
        assert_eq!(serde_json::to_value(&first).unwrap(), serde_json::to_value(found()).unwrap());
        let epsilons: Vec<Option<f64>> = first.models.iter().map(|model| model.epsilon).collect();
        assert_eq!(epsilons, [None, Some(9.0), Some(3.0), Some(1.0)]);
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_a_remedy() {
        let shared = RECORD_LEVEL.replace("\"local\"", "\"distributed\"\nhonest = 3");
        for (mode, options, code) in [
            (RECORD_LEVEL, "--also 0", "privacy.epsilon"),
            (RECORD_LEVEL, "--institutions 2", "plan.cohort"),
            (shared.as_str(), "", "privacy.honest"),
        ] {
            let error = measured(300, mode, options).unwrap_err();
            assert!(error.render().contains("help: "), "{}", error.render());
            assert_eq!(error.code(), code, "{}", error.render());
        }
    }
}
