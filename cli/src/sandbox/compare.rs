//! What the federation is compared with: each institution alone, and all rows in one place.

use std::collections::BTreeMap;

use syndic_learning::program::{drift, fairness};
use syndic_learning::reference::{FitError, fit};
use syndic_learning::{
    DriftFigures, FairnessFigures, Job, Measure, Metrics, Model, ModelError, Role, Scoring as _, Table,
};

use super::load::Site;
use crate::result::{InDetail, Scores};
use crate::words::thousands;
use crate::{Error, Result};

/// Figures on the common test rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The model trained on the training rows of all institutions together.
    pub pooled: Scores,
    /// Each institution's model from its own training rows.
    pub alone: BTreeMap<String, Scores>,
    /// The same models, each on the test rows of its institution alone, where these hold both classes.
    pub alone_at_home: BTreeMap<String, Scores>,
    /// Test rows of all institutions together.
    pub test_rows: u64,
    /// Positives among them.
    pub test_positives: u64,
    /// How the pooled model treats groups, where the job compares them.
    pub fairness: Option<FairnessFigures>,
    /// How far test rows are from training rows by the pooled model, where the job asks.
    pub drift: Option<DriftFigures>,
}

/// Trains the same model with the same penalty pooled and, where that is asked for, alone, and scores all on the common
/// test rows.
/// `told` hears after each model how many are done, of [`models`].
///
/// # Errors
/// When the test rows hold one class only, or a model cannot be fitted.
pub fn compare(
    sites: &[Site],
    job: &Job,
    with_alone: bool,
    mut told: impl FnMut(usize),
) -> Result<Comparison> {
    let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
    let model = fitted(&tables, job)?;
    let (pooled, metrics) = on_test_rows(&model, &tables)?;
    let bins = job.evaluation.bins;
    let fairness = job.fairness.as_ref().map(|terms| fairness::measured(&model, &tables, terms, bins));
    let fairness = fairness.transpose().map_err(unusable)?;
    let drift = job.drift.as_ref().map(|terms| drift::measured(&model, &tables, terms, bins));
    let drift = drift.transpose().map_err(unusable)?;
    told(1);
    let (mut alone, mut alone_at_home) = (BTreeMap::new(), BTreeMap::new());
    for (position, site) in sites.iter().enumerate().filter(|_| with_alone) {
        let model = fitted(&[&site.table], job)?;
        alone.insert(site.name.clone(), on_test_rows(&model, &tables)?.0);
        alone_at_home.extend(at_home(&model, site)?.map(|scores| (site.name.clone(), scores)));
        told(position + 2);
    }
    let Metrics { rows: test_rows, positives: test_positives, .. } = metrics;
    Ok(Comparison { pooled, alone, alone_at_home, test_rows, test_positives, fairness, drift })
}

/// How many models [`compare`] trains: one pooled, and one for each institution where they are asked for.
pub fn models(sites: &[Site], with_alone: bool) -> usize {
    if with_alone { sites.len() + 1 } else { 1 }
}

/// Figures of `model` on the common test rows.
///
/// # Errors
/// When the test rows hold one class only, or the model does not fit the tables.
pub fn evaluate(model: &Model, sites: &[Site]) -> Result<Scores> {
    let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
    Ok(on_test_rows(model, &tables)?.0)
}

/// Figures of `model` on the test rows of each institution alone; of those only whose test rows hold both classes.
///
/// # Errors
/// When the model does not fit the tables.
pub fn evaluate_at_home(model: &Model, sites: &[Site]) -> Result<BTreeMap<String, Scores>> {
    let scored = sites.iter().map(|site| Ok(at_home(model, site)?.map(|scores| (site.name.clone(), scores))));
    scored.filter_map(Result::transpose).collect()
}

/// How `model` separates, ranks and is calibrated on the common test rows; none where there is none.
///
/// # Errors
/// When the model does not fit the tables.
pub fn in_detail(model: &Model, sites: &[Site]) -> Result<Option<InDetail>> {
    let mut measure = Measure::new();
    for site in sites {
        let rows = site.table.rows_for(Role::Test);
        let labels: Vec<bool> = rows.iter().map(|&row| site.table.labels()[row]).collect();
        measure.add(&model.score_rows(&site.table, &rows).map_err(unusable)?, &labels);
    }
    let measured = measure.finish();
    Ok(measured.map(|measured| InDetail { figures: measured.detail(), calibration: measured.calibration }))
}

/// Refuses test rows from which nothing can be measured, before anything is trained on the others.
///
/// # Errors
/// When there is no test row, or only one class among them.
pub fn check_test_rows(sites: &[Site]) -> Result<()> {
    let counts = sites.iter().map(|site| site.table.count(Role::Test));
    let (rows, positives) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    if positives == 0 || positives == rows { Err(one_class(rows)) } else { Ok(()) }
}

fn fitted(training: &[&Table], job: &Job) -> Result<Model> {
    fit(job, training).map_err(unfitted)
}

fn on_test_rows(model: &Model, tables: &[&Table]) -> Result<(Scores, Metrics)> {
    let metrics = model.evaluate(tables, Role::Test).map_err(unusable)?.ok_or_else(|| one_class(0))?;
    Ok((scores(&metrics).ok_or_else(|| one_class(metrics.rows))?, metrics))
}

/// What an institution's own customers would see of a model; none where its test rows are of one class, or it has none.
fn at_home(model: &Model, site: &Site) -> Result<Option<Scores>> {
    let metrics = model.evaluate(&[&*site.table], Role::Test).map_err(unusable)?;
    Ok(metrics.as_ref().and_then(scores))
}

/// None where the rows hold one class only.
pub(super) fn scores(metrics: &Metrics) -> Option<Scores> {
    Some(Scores { roc_auc: metrics.roc_auc?, pr_auc: metrics.pr_auc?, log_loss: metrics.log_loss })
}

pub(super) fn one_class(rows: u64) -> Error {
    let what = match rows {
        0 => "there is no test row".into(),
        1 => "there is only one test row".into(),
        rows => format!("all {} test rows have the same label", thousands(rows)),
    };
    Error::input("data.one-class", format!("{what}, so no model can be measured"))
        .place("--test-fold")
        .help("name a fold that holds rows of both classes")
}

pub(super) fn unusable(error: ModelError) -> Error {
    Error::input(error.code(), error.to_string()).help(error.help())
}

pub(super) fn unfitted(error: FitError) -> Error {
    Error::input(error.code(), error.to_string())
        .help("check the label column and the folds: every institution needs training rows of both classes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::{contract, table_text};
    use crate::sandbox::load::{Columns, load};
    use crate::sandbox::source::Source;

    fn sites(text: &str) -> Vec<Site> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let columns = Columns {
            site: "site".into(),
            fold: "fold".into(),
            test_fold: "0".into(),
            validation_fold: None,
            participants: None,
        };
        load(&Source::File(path), &columns, &contract()).unwrap()
    }

    fn job() -> Job {
        Job::from_toml(crate::sandbox::fixture::JOB).unwrap()
    }

    #[test]
    fn every_model_is_measured_on_the_same_test_rows() {
        let sites = sites(&table_text(1500));
        let mut done = Vec::new();
        let comparison = compare(&sites, &job(), true, |count| done.push(count)).unwrap();
        assert_eq!((done, models(&sites, true)), (vec![1, 2, 3, 4], 4));
        assert_eq!(comparison.test_rows, 300);
        assert_eq!(comparison.alone.len(), 3);
        assert!(comparison.pooled.roc_auc > 0.8, "{comparison:?}");
        for scores in comparison.alone.values() {
            assert!((0.75..=1.0).contains(&scores.roc_auc), "{comparison:?}");
        }
    }

    #[test]
    fn a_model_of_the_federation_is_scored_like_the_pooled_one() {
        let sites = sites(&table_text(600));
        let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
        let model = fitted(&tables, &job()).unwrap();
        assert_eq!(evaluate(&model, &sites).unwrap(), compare(&sites, &job(), false, drop).unwrap().pooled);
    }

    #[test]
    fn at_home_a_model_is_measured_on_the_rows_of_one_institution() {
        let sites = sites(&table_text(1500));
        let comparison = compare(&sites, &job(), true, drop).unwrap();
        let first = &sites[..1];
        let model = fitted(&[&first[0].table], &job()).unwrap();
        let own = evaluate(&model, first).unwrap();
        assert_eq!(comparison.alone_at_home[&first[0].name], own);
        assert_ne!(comparison.alone[&first[0].name], own);
        assert_eq!(evaluate_at_home(&model, &sites).unwrap()[&first[0].name], own);
        assert_eq!(comparison.alone_at_home.len(), 3);
    }

    #[test]
    fn an_institution_whose_test_rows_are_of_one_class_has_no_figures_of_its_own() {
        let positive = |line: &str| line.contains(",1,") && line.ends_with(",Bank B,0");
        let lines = table_text(1500);
        let text: String =
            lines.lines().filter(|line| !positive(line)).map(|line| format!("{line}\n")).collect();
        let comparison = compare(&sites(&text), &job(), true, drop).unwrap();
        assert_eq!(comparison.alone.len(), 3);
        let at_home: Vec<&str> = comparison.alone_at_home.keys().map(String::as_str).collect();
        assert_eq!(at_home, ["bank_a", "bank_c"]);
    }

    #[test]
    fn test_rows_of_one_class_are_refused_before_training() {
        let text: String = table_text(90)
            .lines()
            .map(
                |line| if line.ends_with(",0") { line.replacen(",1,", ",0,", 1) } else { line.into() } + "\n",
            )
            .collect();
        assert_eq!(check_test_rows(&sites(&text)).unwrap_err().code(), "data.one-class");
        assert!(check_test_rows(&sites(&table_text(90))).is_ok());
    }
}
