//! The demo: the sandbox with a table and a job that are part of the program.
//!
//! Bank marketing: S. Moro, P. Rita, P. Cortez, UCI Machine Learning Repository, 2012, doi:10.24432/C5K306,
//! CC BY 4.0; `examples/bank-marketing` says what was changed.

use std::path::PathBuf;

use super::{Columns, SandboxOptions, Source, Stop};
use crate::job_check::JobFile;

/// What a person can choose about the demo.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Training rounds, where not those of the job.
    pub rounds: Option<u32>,
    /// Seed of training.
    pub seed: u64,
    /// The folder of the run.
    pub out: PathBuf,
    /// How many institutions, where not five.
    pub participants: Option<usize>,
    /// Whether one institution is stopped on purpose.
    pub drop: bool,
    /// How `syndic` was called.
    pub command: String,
}

impl From<DemoOptions> for SandboxOptions {
    fn from(options: DemoOptions) -> Self {
        Self {
            job: JobFile { name: "examples/bank-marketing/job.toml".into(), text: JOB.into() },
            source: Source::Embedded { name: "bank_marketing.csv.gz", bytes: TABLE },
            columns: Columns {
                site: "site".into(),
                fold: "fold".into(),
                test_fold: "0".into(),
                validation_fold: None,
                participants: options.participants,
            },
            out: options.out,
            rounds: options.rounds,
            seed: options.seed,
            stop: if options.drop { Stop::IfPossible } else { Stop::Nobody },
            trainer: None,
            alone: true,
            citation: Some(CITATION.into()),
            command: options.command,
            demo: true,
        }
    }
}

const JOB: &str = include_str!("../../../examples/bank-marketing/job.toml");
const TABLE: &[u8] = include_bytes!("../../../examples/bank-marketing/bank_marketing.csv.gz");
const CITATION: &str = "Moro, S., Rita, P., Cortez, P. (2012). Bank Marketing. UCI Machine Learning Repository, \
                        doi:10.24432/C5K306. CC BY 4.0. The division into institutions is ours.";
