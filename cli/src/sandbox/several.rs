//! Several jobs over one table, each a run of its own, side by side in one table and one picture.
//!
//! The runs lie in folders of the comparison's folder, named after their job files. What is compared is read from their
//! `result.json`, so the comparison says what the runs say.

mod picture;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::RESULT;
use super::{SandboxOptions, interrupt, trainer};
use crate::commands::print;
use crate::result::{RunResult, Scores};
use crate::view::{self, Observer};
use crate::{Error, Result, job_check, new_file};

/// What several jobs reach on the same test rows.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Name of the table as it was given.
    pub table: String,
    /// Rows that every model is tested on and none has learnt from.
    pub test_rows: u64,
    /// The jobs, in the order in which they were given.
    pub jobs: Vec<Compared>,
}

/// What one job reaches.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// Its run's folder in that of the comparison: the name of its job file without the ending.
    pub name: String,
    /// Job id.
    pub job: String,
    /// Who trained, and how good it is: the federation, pooled, the mean of those alone, and each of them.
    pub models: Vec<Figures>,
}

/// How good one model is.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// `federated`, `pooled`, `alone-mean`, or `alone`.
    pub trained: &'static str,
    /// The institution, of `alone`.
    pub institution: Option<String>,
    /// On the common test rows.
    #[serde(flatten)]
    pub scores: Scores,
    /// The same less those of the job's pooled model, on the same rows; none for that model itself.
    pub minus_pooled: Option<Scores>,
}

/// Runs the jobs one after the other, the first error ends it, and compares them.
///
/// # Errors
/// Job files that are wrong or have one name, before anything is begun; whatever a run ends with, the runs before it stay.
pub fn run(mut jobs: Vec<SandboxOptions>, out: &Path, (json, quiet): (bool, bool)) -> Result<()> {
    let names = names(&jobs)?;
    check_contents(out, &names)?;
    let files = jobs.iter().map(|options| job_check::check(&options.job)).collect::<Result<Vec<_>>>()?;
    for (options, job) in jobs.iter().zip(&files) {
        if job.description().is_some() {
            let message = "the job trains no model that could stand beside others";
            return Err(Error::input("sandbox.statistics", message)
                .place(options.job.name.clone())
                .help("give the sandbox a job that describes rows alone"));
        }
    }
    trainer::keep_where_needed(&mut jobs, &files)?;
    let mut compared = Vec::new();
    let mut first = None;
    for (mut options, name) in jobs.into_iter().zip(names) {
        options.out = out.join(&name);
        let result = options.out.join(RESULT);
        if !json && !quiet {
            print(&format!("\n{}\n", console::style(format!("job {name}")).bold()))?;
        }
        interrupt::execute(options, Observer::new(view::choose(json, quiet)))?;
        let result = read(&result)?;
        compared.push(of_run(name, &result));
        first.get_or_insert(result);
    }
    let (table, test_rows) = first.map_or_else(Default::default, |run| (run.data.table, run.data.test_rows));
    let comparison = Comparison { schema: SCHEMA, table, test_rows, jobs: compared };
    let line = serde_json::to_string(&comparison).expect("finite numbers and strings serialise");
    let file = serde_json::to_string_pretty(&comparison).expect("finite numbers and strings serialise");
    new_file::replace(&out.join(FIGURES), &(file + "\n"))?;
    new_file::replace(&out.join(PICTURE), &picture::render(&comparison))?;
    match (json, quiet) {
        (true, _) => print(&(line + "\n")),
        (false, true) => Ok(()),
        (false, false) => print(&text::render(&comparison, &out.join(PICTURE))),
    }
}

/// The name of each job's folder.
fn names(jobs: &[SandboxOptions]) -> Result<Vec<String>> {
    let stem = |options: &SandboxOptions| {
        let path = PathBuf::from(&options.job.name);
        path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let names: Vec<String> = jobs.iter().map(stem).collect();
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return Err(Error::input("options.same-job", "two job files have the same name")
            .place("--job")
            .help(
                "give each file a name of its own: it names the folder of its run, and its rows in the table",
            ));
    }
    Ok(names)
}

/// Refuses a folder with anything but an earlier comparison.
fn check_contents(out: &Path, names: &[String]) -> Result<()> {
    let Ok(entries) = fs::read_dir(out) else { return Ok(()) };
    let earlier = out.join(FIGURES).exists();
    for entry in entries {
        let name = entry.map_err(|cause| Error::unwritable(out, &cause))?.file_name();
        let name = name.to_string_lossy();
        let is_run = out.join(&*name).is_dir() && (earlier || names.iter().any(|ours| *ours == *name));
        if !is_run && ![FIGURES, PICTURE].contains(&&*name) {
            return Err(Error::input(
                "out.not-empty",
                format!("the folder is in use for something else: it holds `{name}`"),
            )
            .place(format!("--out {}", out.display()))
            .help("name a new or empty folder; one with an earlier comparison is used again"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<RunResult> {
    let text = fs::read_to_string(path).map_err(|cause| Error::unreadable(path, &cause))?;
    serde_json::from_str(&text).map_err(|error| {
        Error::world("result.unreadable", format!("the run's result cannot be read: {error}"))
            .place(path.display().to_string())
            .help("somebody else has written there: compare again in another folder")
    })
}

fn of_run(name: String, result: &RunResult) -> Compared {
    let metrics = &result.metrics;
    let beside = |trained, institution: Option<&String>, scores: Scores| Figures {
        trained,
        institution: institution.cloned(),
        scores,
        minus_pooled: (trained != "pooled").then(|| minus(scores, metrics.pooled)),
    };
    let mut models =
        vec![beside("federated", None, metrics.federated), beside("pooled", None, metrics.pooled)];
    models.extend(metrics.alone_mean().map(|mean| beside("alone-mean", None, mean)));
    models.extend(metrics.alone.iter().map(|(name, scores)| beside("alone", Some(name), *scores)));
    Compared { name, job: result.job.clone(), models }
}

fn minus(one: Scores, other: Scores) -> Scores {
    Scores {
        roc_auc: one.roc_auc - other.roc_auc,
        pr_auc: one.pr_auc - other.pr_auc,
        log_loss: one.log_loss - other.log_loss,
    }
}

/// The name of the schema in the file.
pub const SCHEMA: &str = "syndic.comparison/1";
/// The figures, for programs.
const FIGURES: &str = "comparison.json";
/// The picture.
const PICTURE: &str = "comparison.svg";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::example;

    pub(super) fn comparison() -> Comparison {
        let mut result = example::result();
        let first = of_run("logistic".into(), &result);
        result.metrics.federated.roc_auc += 0.02;
        result.metrics.pooled.roc_auc += 0.02;
        result.metrics.alone.clear();
        let second = of_run("trees & more".into(), &result);
        Comparison { schema: SCHEMA, table: "t.csv".into(), test_rows: 9_040, jobs: vec![first, second] }
    }

    #[test]
    fn each_model_stands_beside_the_pooled_one_of_its_job() {
        let comparison = comparison();
        let figures = &comparison.jobs[0].models;
        assert_eq!(figures.len(), 8);
        let federated = figures[0].minus_pooled.unwrap();
        assert!((federated.roc_auc + 0.0017).abs() < 1e-9 && (federated.log_loss - 0.0018).abs() < 1e-9);
        assert!(figures[1].minus_pooled.is_none());
        assert_eq!(comparison.jobs[1].models.len(), 2);
    }

    #[test]
    fn a_folder_with_something_else_is_refused_and_an_earlier_comparison_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a".to_owned()];
        let check = || check_contents(folder.path(), &names).map_err(|error| error.code().to_owned());
        assert_eq!(check(), Ok(()));
        fs::create_dir(folder.path().join("a")).unwrap();
        assert_eq!(check(), Ok(()));
        fs::create_dir(folder.path().join("b")).unwrap();
        assert_eq!(check(), Err("out.not-empty".into()));
        fs::write(folder.path().join(FIGURES), "{}").unwrap();
        assert_eq!(check(), Ok(()));
        fs::write(folder.path().join("letter.txt"), "").unwrap();
        assert_eq!(check(), Err("out.not-empty".into()));
    }
}
