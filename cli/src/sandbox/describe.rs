//! A sandbox whose job describes rows: one sum, and no model.

use std::time::Instant;

use syndic_learning::Question;
use syndic_learning::program::description::DescribeQuestion;
use syndic_learning::program::description::figures::Document;
use syndic_round::Digest;

use super::claim::Claim;
use super::folder::{self, RunFolder};
use super::{
    Run, SandboxOptions, Stop, abandoned, assemble, job, ledger_verify, load, of_the_job, prepared, trainer,
};
use crate::job_check::{self, JobFile};
use crate::report::JobText;
use crate::report::statistics::{About, render};
use crate::result::LedgerHead;
use crate::statistics::result::{Described as DescribedData, DescribedResult, Protected, SCHEMA};
use crate::statistics::text;
use crate::view::{Notice, Observer};
use crate::words::{seconds, thousands};
use crate::{Error, Result};

/// What the federation leaves.
pub struct Described {
    /// The document, byte for byte as it is on record.
    pub document: Vec<u8>,
    /// Where the ledger ended.
    pub ledger: LedgerHead,
    /// Values of answers that were clipped to the bounds of the plan.
    pub clipped: u64,
    /// Who is missing in the sum, a sentence for each.
    pub warnings: Vec<String>,
}

/// Whether the file is of such a job. One that cannot be read is none; whoever goes on is told why.
pub(crate) fn describes(file: &JobFile) -> bool {
    job_check::check(file).is_ok_and(|job| job.description().is_some())
}

/// Runs it from table to report, in a folder that can be taken away.
///
/// # Errors
/// As [`super::execute`].
pub(super) async fn execute_in(
    claim: &Claim,
    options: &SandboxOptions,
    observer: &mut Observer,
    federation: impl AsyncFnOnce(Run<'_>, &mut Observer) -> Result<Described>,
) -> Result<DescribedResult> {
    check(options)?;
    let (job, job_text) = job(options)?;
    // Refuses one that is named for nothing.
    trainer::found(options, &job).await?;
    claim.take(&options.out)?;
    let sites = of_the_job(load::load(&options.source, &options.columns, &job.contract)?, &job)?;
    let protection = job_check::protection(&job, sites.len())?;
    if claim.with(|folder| Ok(folder.replaces_earlier()))? {
        observer.notice(&Notice::Replacing { out: options.out.display().to_string() });
    }
    observer.notice(&prepared(options, &job, &sites));
    let run = Run {
        job: &job,
        job_text: &job_text,
        sites: sites.clone(),
        seed: options.seed,
        stop_one: false,
        trainer: None,
        state: claim.with(RunFolder::state)?,
        ledger: claim.with(|folder| Ok(folder.staging().join(folder::LEDGER)))?,
    };
    let started = Instant::now();
    let finished = match federation(run, observer).await {
        Ok(finished) => finished,
        Err(error) => return Err(abandoned(error, &job, claim)),
    };
    let federation_seconds = started.elapsed().as_secs_f64();
    let document: Document = serde_json::from_slice(&finished.document).map_err(|error| {
        Error::world("sandbox.no-statistics", format!("the document cannot be read: {error}"))
    })?;
    let values =
        job.description().map(|terms| Question::Describe(DescribeQuestion::of(&job, terms)).layout());
    let result = DescribedResult {
        schema: SCHEMA.into(),
        job: job.identity.id.to_string(),
        warnings: finished.warnings,
        participants: sites.iter().map(|site| site.name.clone()).collect(),
        statistics: document.statistics,
        document: Digest::of(&finished.document).to_string(),
        values: values.and_then(std::result::Result::ok).map_or(0, |layout| layout.len() as u64),
        protection: Protected {
            protocol: "KSA/1".into(),
            parameter_set: job.protection.parameter_set.name().into(),
            cohort: protection.admitted().into(),
            threshold: protection.threshold().into(),
            clipped: finished.clipped,
        },
        federation_seconds,
        ledger: finished.ledger,
        seed: options.seed,
        data: DescribedData {
            table: options.source.name(),
            sha256: options.source.sha256()?,
            rows: sites.iter().map(|site| site.table.rows() as u64).sum(),
        },
    };
    let about = about(options, &JobText::of(&job, &job_text, options.citation.clone()), &result);
    claim.with(|folder| {
        folder.write(folder::STATISTICS, &finished.document)?;
        folder.write(folder::REPORT, render(&result.statistics, &about).as_bytes())?;
        folder.write(folder::RESULT, result.to_file().as_bytes())
    })?;
    claim.finish(folder::RESULT)?;
    observer.described(&result, &closing(&result, options));
    Ok(result)
}

/// Refuses to stop somebody who could not come back.
fn check(options: &SandboxOptions) -> Result<()> {
    if options.stop == Stop::One {
        return Err(Error::input(
            "options.nobody-to-stop",
            "the job is over with its first sum, before anybody who was stopped could come back",
        )
        .place("--drop")
        .help("leave out --drop"));
    }
    Ok(())
}

fn about(options: &SandboxOptions, job: &JobText, result: &DescribedResult) -> About {
    let mut facts = vec![("Purpose".to_owned(), job.purpose.clone())];
    facts.extend(job.facts.iter().cloned());
    facts.push(("Table".into(), format!("{}: {} rows", result.data.table, thousands(result.data.rows))));
    facts.push(("SHA-256 of the table".into(), result.data.sha256.clone()));
    About {
        job: result.job.clone(),
        facts,
        warnings: result.warnings.clone(),
        made_at: assemble::now(),
        verified: format!(
            "The ledger beside this page has the digest of the figures, {}; `{}` verifies it.",
            result.document,
            ledger_verify(options)
        ),
    }
}

fn closing(result: &DescribedResult, options: &SandboxOptions) -> String {
    let mut told = format!("\n{}", text::table(&result.statistics));
    for warning in &result.warnings {
        told += &format!("\n  WARNING: {warning}\n");
    }
    let place = |file: &str| options.out.join(file).display().to_string();
    told += &format!(
        "\n  one sum of {} values of {} institutions, encrypted under KSA/1 with {}; {} in all\n\n  figures  {}\n  report   {}\n  ledger   {}\n\n  next: {}\n",
        thousands(result.values),
        result.participants.len(),
        result.protection.parameter_set,
        seconds(result.federation_seconds),
        place(folder::STATISTICS),
        place(folder::REPORT),
        place(folder::LEDGER),
        ledger_verify(options),
    );
    told
}
