//! `syndic model drift-job`: a job that compares the rows of all institutions with those that a released model was trained on, written
//! from the model's card.

use serde_json::json;
use syndic_learning::job::{EvaluationTerms, Identity, Privacy, ProgramTerms, ProtectionTerms, Rounds};
use syndic_learning::program::drift::released::{Departs, ReleasedDriftTerms};
use syndic_learning::{Job, ModelCard};
use syndic_round::ParameterSet;

use super::args::DriftJobArgs;
use super::registry::job_id;
use super::released::Released;
use crate::commands::print;
use crate::words::{counted, plain};
use crate::{Error, Result, new_file};

/// Writes the job file.
///
/// # Errors
/// As [`Released::open`]; a card without bins, a column that it has not, and whatever [`Job::from_toml`] finds, with exit code 2.
pub fn run(args: &DriftJobArgs) -> Result<()> {
    let released = Released::open(&args.release)?;
    let card = &released.card;
    let place = released.card_path.display().to_string();
    let terms = ReleasedDriftTerms::of(card, &args.columns).ok_or_else(|| {
        let why = Departs::NoReference;
        Error::input(why.code(), why.to_string()).place(place.clone()).help(why.help())
    })?;
    let has = |name: &String| terms.reference.columns.iter().any(|column| column.name == *name);
    if let Some(name) = args.columns.iter().find(|name| !has(name)) {
        let message = format!("the model's card has no bins of a column `{}`", plain(name));
        return Err(Error::input("drift.columns", message)
            .place("--columns")
            .help("name columns that the job of the model compared, or leave --columns out"));
    }
    let model = terms.model;
    let columns = terms.reference.columns.len();
    let file = file(args, card, terms)?;
    let read = Job::from_toml(&file).map_err(|errors| {
        let first = errors.into_iter().next();
        let (code, message, help) = first.map_or(("job.syntax", String::new(), String::new()), |found| {
            (found.code, found.message, found.help.to_string())
        });
        Error::input(code, message).place(args.out.display().to_string()).help(help)
    })?;
    new_file::write(&args.out, &file)?;
    let out = args.out.display().to_string();
    print(&if args.json {
        format!(
            "{}\n",
            json!({ "out": out, "job": read.identity.id, "model": model.to_string(), "columns": columns })
        )
    } else {
        format!(
            "{out}: compares the scores and {} with those of {}\nNext: look at it, `syndic job check {out}`, and hand it in with `syndic-coordinator job submit`.\n",
            counted(columns, "column", "columns"),
            plain(&released.told())
        )
    })
}

/// The job file, which says at its head where it comes from.
fn file(args: &DriftJobArgs, card: &ModelCard, terms: ReleasedDriftTerms) -> Result<String> {
    let model = terms.model;
    let job = Job {
        identity: Identity {
            id: job_id(&args.id)?,
            purpose: args.purpose.clone(),
            description: "Whether the rows of today are like those that the released model was trained on."
                .into(),
            lawful_basis: None,
        },
        processing: Default::default(),
        contract: card.contract.clone(),
        program: ProgramTerms::Drift(Box::new(terms)),
        rounds: Rounds { count: 1, patience: None, deadlines: Default::default() },
        privacy: Privacy::None {},
        cohort: Default::default(),
        protection: ProtectionTerms {
            parameter_set: ParameterSet::S32,
            threshold: None,
            colluding: None,
            min_survivors: None,
            small_vectors: Default::default(),
        },
        evaluation: EvaluationTerms::default(),
        fairness: None,
        drift: None,
        retention: None,
        promotion: None,
    };
    let text = job.to_toml().map_err(|error| Error::input("job.syntax", error.to_string()))?;
    Ok(format!(
        "# Compares rows with those that model {model} was trained on: nothing is trained. Contract and\n\
         # [program.reference] are those of its card, and participants decline others.\n\n{text}"
    ))
}
