//! `syndic model drift --job`: how far the rows of all institutions are from those that a released model was trained on, as a job has
//! found and a published ledger has it.

use serde_json::json;
use syndic_learning::{DriftFigures, Job};

use super::args::DriftArgs;
use super::drift::lines;
use super::registry::{Folded, job_id};
use super::released::Released;
use crate::commands::print;
use crate::words::{counted, plain, thousands};
use crate::{Error, Exit, Result};

/// Shows what a job found. The figures follow from the counts on record and from the bins in the job file, or they are not shown.
///
/// # Errors
/// As [`Folded::open`]; a job that compared no rows, with exit code 2; figures that do not follow, or bins that are not those of the
/// model that is named, with exit code 4. Then, after the figures: fewer rows than the job compares, and drift by its thresholds.
pub fn run(args: &DriftArgs) -> Result<()> {
    let (Some(name), Some(ledger)) = (&args.job, &args.ledger) else {
        return Err(Error::input("options.missing", "neither a table nor a job is named")
            .place("--table")
            .help("name a table with --model and --table, or a job with --job and --ledger"));
    };
    let folded = Folded::open(ledger, &args.trust.trust()?)?;
    let id = job_id(name)?;
    let Some((entry, record)) = folded.drifts.get(&id) else {
        return Err(Error::input(
            "drift.none",
            format!("the ledger has no comparison of rows by job `{id}`"),
        )
        .place("--job")
        .help("name a job of program `drift` that is complete and published"));
    };
    let job = folded.files.get(&id).and_then(|file| Job::from_toml(file).ok());
    let terms = job.as_ref().and_then(Job::released_drift);
    let figures = terms.and_then(|terms| record.audited(terms)).ok_or_else(|| {
        Error::new(
            Exit::Unverified,
            "drift.other-figures",
            "the figures on record do not follow from the job file and the counts",
        )
        .place(format!("entry {entry}"))
        .help("do not rely on this ledger; ask whoever runs the coordinator")
    })?;
    if let (Some(path), Some(terms)) = (&args.model, terms) {
        let released = Released::read(path)?;
        let is_named = released.card.weights_digest == record.model;
        let fits = if is_named {
            terms.is_of(&released.card).map_err(|why| (why.code(), why.to_string()))
        } else {
            Err(("model.other-model", "the job compared rows with those of another model".into()))
        };
        fits.map_err(|(code, why)| {
            Error::new(Exit::Unverified, code, why)
                .place(released.card_path.display().to_string())
                .help("take model, card and ledger of one federation, unchanged")
        })?;
    }
    let known = folded.registry.models().find(|(_, one)| one.model == record.model);
    let drifted: Vec<&str> = figures.drifted().into_iter().map(|shift| shift.name.as_str()).collect();
    print(&if args.json {
        let told = json!({
            "job": id, "entry": entry, "rows": record.rows, "model": record.model.to_string(),
            "name": known.map(|(_, model)| &model.name), "released_by": known.map(|(job, _)| job),
            "stage": known.map(|(_, model)| model.stage), "drifted": drifted, "drift": figures,
        });
        format!("{told}\n")
    } else {
        let whose = known.map_or_else(String::new, |(job, model)| {
            format!(" {} of job {job}, {}", model.name, model.stage.name())
        });
        format!(
            "job {id}, entry {entry}: {} of all institutions together, compared with {} that the model was trained on\nmodel sha256 {}{}\n\n{}{}\n",
            counted(figures.current_rows as usize, "row", "rows"),
            thousands(figures.reference_rows),
            record.model,
            plain(&whose),
            lines(&figures),
            folded.verdict
        )
    })?;
    judged(&figures, record.warning(), &id.to_string())
}

/// What the exit code says.
fn judged(figures: &DriftFigures, warning: Option<String>, job: &str) -> Result<()> {
    if figures.current_rows < u64::from(figures.min_rows) {
        let message = format!(
            "{} are compared, and the job compares no fewer than {}",
            counted(figures.current_rows as usize, "row", "rows"),
            figures.min_rows
        );
        return Err(Error::input("drift.too-few-rows", message)
            .place(format!("job {job}"))
            .help("collect rows of a longer time, and compare them together"));
    }
    match warning {
        None => Ok(()),
        Some(warning) => Err(Error::abandoned("drift.exceeded", warning)
            .place(format!("job {job}"))
            .help("look at the columns that are named, and at how the model does on rows whose outcome is known by now")),
    }
}
