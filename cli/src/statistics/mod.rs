//! `syndic statistics`: what a job found that described rows, out of its document, once a published ledger vouches for it.

pub mod result;
pub(crate) mod text;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use syndic_learning::program::description::figures::{Document, SCHEMA};
use syndic_round::Digest;

use crate::commands::print;
use crate::ledger::args::TrustArgs;
use crate::model::registry::Folded;
use crate::report::statistics::{About, render};
use crate::{Error, Exit, Result, new_file};

/// Options of `syndic statistics`.
#[derive(Debug, Args)]
pub struct StatisticsArgs {
    /// `statistics.json` of the job, as the coordinator published it
    pub document: PathBuf,
    /// Folder of the ledger that the coordinator published
    #[arg(long, value_name = "DIR")]
    pub ledger: PathBuf,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Write a page with pictures to this new file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Verifies the ledger and that it has the digest of the document, and shows that.
///
/// # Errors
/// As [`Folded::open`]; a document that is none, with exit code 2, or is not the one on record, with exit code 4.
pub fn run(args: &StatisticsArgs) -> Result<()> {
    let place = args.document.display().to_string();
    let bytes = fs::read(&args.document).map_err(|cause| Error::unreadable(&args.document, &cause))?;
    let unlike = |why: String| {
        Error::input("statistics.document", why)
            .place(place.clone())
            .help("name `statistics.json` in the folder of a job of program `statistics`")
    };
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|_| unlike("that is no statistics of a job".into()))?;
    if document.schema != SCHEMA {
        return Err(unlike(format!("its schema is not {SCHEMA}")));
    }
    let folded = Folded::open(&args.ledger, &args.trust.trust()?)?;
    let digest = Digest::of(&bytes);
    let entry = match folded.descriptions.get(&document.job) {
        Some((entry, recorded)) if *recorded == digest => *entry,
        Some(_) => {
            let why = "the ledger has another digest for the statistics of the job";
            return Err(Error::new(Exit::Unverified, "statistics.unverified", why).place(place).help(
                "take the file that the coordinator published, unchanged; `sha256sum` is compared with the entry",
            ));
        }
        None => {
            let why = format!("the ledger has no statistics of job `{}`", document.job);
            return Err(Error::new(Exit::Unverified, "statistics.unverified", why).place(place).help(
                "name the ledger of the federation that the job ran in, of a day after it was complete",
            ));
        }
    };
    let figures = &document.statistics;
    if let Some(html) = &args.html {
        let job = document.job.to_string();
        let verified = format!("{} Entry {entry} has the digest of the figures, {digest}.", folded.verdict);
        let about = About { job, facts: Vec::new(), warnings: Vec::new(), made_at: String::new(), verified };
        new_file::write(html, &render(figures, &about))?;
    }
    if args.json {
        let told = json!({ "job": document.job, "entry": entry, "document": digest.to_string(), "statistics": figures });
        return print(&format!("{told}\n"));
    }
    let written = args.html.as_ref().map_or_else(String::new, |html| format!("\nwrote {}\n", html.display()));
    print(&format!(
        "job {}, entry {entry}\n{}{written}\n{}\n",
        document.job,
        text::table(figures),
        folded.verdict
    ))
}

/// Examples and what is verified.
pub const HELP: &str = "Example:
  syndic statistics publish/job-describe-2026/statistics.json --ledger publish/ledger --key 'NAME+HASH+KEY' --html page.html

Verifies the whole ledger, and that the entry with which the job ended has the SHA-256 of the document. Shows a line for each column: \
rows, missing values, moments, quantiles and information value; --html writes a page with a picture and a table of each column.";
