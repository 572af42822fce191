//! The command line of `syndic privacy ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use syndic_learning::privacy::plan::Accountant;

/// `syndic privacy ...`
#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Say what epsilon a training would spend, or what noise an epsilon needs
    #[command(after_help = PLAN)]
    Plan(PlanArgs),
}

impl PrivacyCommand {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        let Self::Plan(args) = self;
        args.json
    }
}

/// Options of `syndic privacy plan`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["epsilon", "noise", "job"])))]
pub struct PlanArgs {
    /// A job file with `mode = "record-level"` or `"institution-level"`: what this job spends
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "steps", "delta", "threshold", "colluding"])]
    pub job: Option<PathBuf>,
    /// Probability with which a step looks at a customer: batch size / customers, or 1 for all of them
    #[arg(long, value_name = "Q", default_value_t = 1.0)]
    pub rate: f64,
    /// How often noise is added and a sum is opened
    #[arg(long, value_name = "T", required_unless_present = "job")]
    pub steps: Option<u64>,
    /// Delta, well below 1 / customers
    #[arg(long, value_name = "D", required_unless_present = "job")]
    pub delta: Option<f64>,
    /// The epsilon to keep; the noise for it is worked out
    #[arg(long, value_name = "E")]
    pub epsilon: Option<f64>,
    /// Standard deviation of the noise in the sum, in clipping norms; epsilon is worked out
    #[arg(long, value_name = "Z")]
    pub noise: Option<f64>,
    /// By which accountant the noise is chosen; both are shown
    #[arg(long, value_enum, default_value_t = By::Rdp)]
    pub accountant: By,
    /// Institutions of the job (n): shows the noise that each of them adds
    #[arg(long, value_name = "N")]
    pub institutions: Option<u16>,
    /// Institutions whose updates are in every sum at least (t) [default: two thirds of n, and one]
    #[arg(long, value_name = "T", requires = "institutions")]
    pub threshold: Option<u16>,
    /// Institutions that may tell their noise to who sees the sum (c) [default: the most that n and t allow]
    #[arg(long, value_name = "C", requires = "institutions")]
    pub colluding: Option<u16>,
    /// Table, CSV, plain or gzip, on which to measure what the job's noise costs in accuracy
    #[arg(long, value_name = "FILE", requires_all = ["job", "site_column", "fold_column", "test_fold"])]
    pub table: Option<PathBuf>,
    /// Column of the table that says whose a row is
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pub site_column: Option<String>,
    /// Column of the table that says which fold a row is in
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pub fold_column: Option<String>,
    /// Fold that every model is tested on and none learns from
    #[arg(long, value_name = "FOLD", requires = "table")]
    pub test_fold: Option<String>,
    /// Other epsilons to measure [default: three times the job's, and a third of it]
    #[arg(long, value_name = "E,...", value_delimiter = ',', requires = "table")]
    pub also: Vec<f64>,
    /// Trainings at each epsilon, each with other noise
    #[arg(long, value_name = "N", default_value_t = 3, requires = "table", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Seed of these trainings and of their noise
    #[arg(long, value_name = "N", default_value_t = 1, requires = "table")]
    pub seed: u64,
    /// File for a picture of epsilon against steps (SVG), which must not exist
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which accountant decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Renyi divergences: a little loose, holds for sums of discrete Gaussians too
    Rdp,
    /// The distribution of the privacy loss: tight
    Pld,
}

impl By {
    /// The accountant.
    pub fn accountant(self) -> Accountant {
        match self {
            Self::Rdp => Accountant::Renyi,
            Self::Pld => Accountant::PrivacyLoss,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Pld => "pld",
        }
    }
}

const PLAN: &str = "Examples:
  syndic privacy plan --job job.toml --institutions 5
  syndic privacy plan --rate 0.01 --steps 1000 --delta 1e-5 --noise 1
  syndic privacy plan --rate 0.05 --steps 1000 --delta 1e-5 --epsilon 3 --institutions 5
  syndic privacy plan --steps 20 --delta 1e-6 --epsilon 8 --institutions 7 --threshold 5 \\
      --colluding 2 --plot epsilon.svg
  syndic privacy plan --job job.toml --table data.csv.gz --site-column site --fold-column fold \\
      --test-fold 0 --also 8,1

For planning ahead: a plan protects nobody. A job adds noise where its file says so, with mode = \"record-level\" or
mode = \"institution-level\".

The unit is one row, added or removed: a customer, where nobody has more than one. A job may protect all rows of a customer (unit = \"customer\"). A step takes a sample that every row is in by chance, clips what \
each adds, adds Gaussian noise, and shows the sum. With institutions, each adds its part of the noise: so much that \
the noise of t - c of them suffices, or so much that all n are needed; both are shown side by side.

With --table the job is trained on a table that you have, in this process, without encryption: once without noise, and several times with it at each epsilon. \
What it costs on other customers' rows is of that order where they are as many; with fewer it costs more.";
