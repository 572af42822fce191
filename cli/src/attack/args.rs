//! The command line of `syndic attack`.

use std::path::PathBuf;

use clap::Args;

/// Options of `syndic attack`.
#[derive(Clone, Debug, Args)]
pub struct AttackArgs {
    /// Job file, as it would be proposed to a real consortium
    #[arg(long, value_name = "FILE")]
    pub job: PathBuf,
    /// Table: CSV, plain or gzip, with a header line, or Parquet
    #[arg(long, value_name = "FILE")]
    pub table: PathBuf,
    /// Column that says whose a row is
    #[arg(long, value_name = "COLUMN")]
    pub site_column: String,
    /// Column that says which fold a row is in
    #[arg(long, value_name = "COLUMN")]
    pub fold_column: String,
    /// Fold that is neither learnt from nor attacked: what models are worth is measured on it
    #[arg(long, value_name = "FOLD")]
    pub test_fold: String,
    /// Fold that chooses among rounds; without one the last round's model is attacked
    #[arg(long, value_name = "FOLD")]
    pub validation_fold: Option<String>,
    /// Number of institutions, 3 to 64 [default: as many as there are sites]
    #[arg(long, value_name = "N")]
    pub participants: Option<usize>,
    /// Of a job with noise: attack the same model without noise too
    #[arg(long)]
    pub compare_noise: bool,
    /// Times the job is trained, each time on other rows, 4 to 256; more make intervals narrower and attacks stronger
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..=256))]
    pub games: u32,
    /// Rows that are looked for in sums and updates, 100 to 100,000
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub rows: u32,
    /// Seed of coins, training and noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// File for a picture of the curves (SVG), which must not exist
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Do not show progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// What follows the options in the help.
pub const EXAMPLES: &str = "Examples:
  syndic attack --job job.toml --table data.csv --site-column site --fold-column fold --test-fold 0
  syndic attack --job with-noise.toml --table data.csv.gz --site-column site --fold-column fold \\
      --test-fold 0 --compare-noise --games 32 --plot curves.svg
  syndic attack --job job.toml --table data.csv --site-column site --fold-column fold \\
      --test-fold 0 --json

The training rows are put in or left out by the toss of a coin, and the job is trained on those that are in, without encryption, \
in this process; that is played many times. An adversary who knows all rows then says which were in: from the released model, from the \
opened sums, and from what one institution sends, as if it were not encrypted. Then it tries to read rows out of an update. With noise, the \
bound that epsilon sets stands beside what was found. Nothing is written but the picture.

Exit code 0 says that the attack was played, whatever it found.";
