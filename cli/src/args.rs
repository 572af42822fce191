//! The command line of `syndic`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::attack::args::{AttackArgs, EXAMPLES as ATTACK};
use crate::federation::FederationCommand;
use crate::ledger::args::LedgerCommand;
use crate::model::args::ModelCommand;
use crate::privacy::args::PrivacyCommand;
use crate::sandbox::trainer;
use crate::score::args::{EXAMPLES as SCORE, ScoreArgs};
use crate::statistics::{self, StatisticsArgs};

/// `syndic ...`
#[derive(Debug, Parser)]
#[command(name = "syndic", version, about = ABOUT, after_help = EXAMPLES, after_long_help = LONG, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a federation of five banks on real data, here and now
    #[command(after_help = DEMO)]
    Demo(DemoArgs),
    /// Run a job over a table as if its sites were separate institutions
    #[command(after_help = SANDBOX)]
    Sandbox(SandboxArgs),
    /// Draft and check job files
    #[command(subcommand)]
    Job(JobCommand),
    /// Found a federation: authority, members, roster
    #[command(subcommand)]
    Federation(FederationCommand),
    /// Verify, read and witness ledgers, offline
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Score the rows of a table with a released model
    #[command(after_help = SCORE)]
    Score(ScoreArgs),
    /// Export released models, and compare rows with theirs
    #[command(subcommand)]
    Model(ModelCommand),
    /// Show what a job found that described rows, once its ledger vouches for it
    #[command(after_help = statistics::HELP)]
    Statistics(StatisticsArgs),
    /// Plan what differential privacy would cost
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Attack a job on a table: what an adversary gets with and without protection
    #[command(after_help = ATTACK)]
    Attack(AttackArgs),
}

/// `syndic job ...`
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Say what is wrong with a job file, where, and what to do about it
    #[command(after_help = "Example:\n  syndic job check job.toml")]
    Check(CheckArgs),
    /// Draft a job file from a look at a table
    #[command(after_help = "Examples:\n  syndic job init --table customers.csv\n  syndic job init --table \
                            customers.csv.gz --label churned --out job.toml\n\nThe draft is a proposal: it marks \
                            what it guessed, and leaves out identifiers and columns that say how rows are \
                            divided. The table is read once and not kept in memory.")]
    Init(InitArgs),
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShowArgs {
    /// Print one JSON object per line; the last one is the contents of result.json
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors; with --json, only the last line
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of `syndic demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Training rounds, 1 to 10,000 [default: 20, as the job says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: Option<u32>,
    /// Seed of training; keys and noise never come from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder for result, report, model and ledger: new, empty, or with an earlier run
    #[arg(long, value_name = "DIR", default_value = "syndic-demo")]
    pub out: PathBuf,
    /// Number of institutions, 3 to 64 [default: 5, as the table has]
    #[arg(long, value_name = "N")]
    pub participants: Option<usize>,
    /// Do not stop an institution in the middle of a round
    #[arg(long)]
    pub no_drop: bool,
    /// How the run is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Options of `syndic sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Job file, as it would be proposed to a real consortium; given more than once, the jobs are compared
    #[arg(long, value_name = "FILE", required = true)]
    pub job: Vec<PathBuf>,
    /// What the federation is compared with: models trained on all rows in one place, and by each institution alone [default: pooled,alone]
    #[arg(long, value_name = "WHOM", value_delimiter = ',')]
    pub compare: Vec<Beside>,
    /// Table: CSV, plain or gzip, with a header line, or Parquet
    #[arg(long, value_name = "FILE")]
    pub table: PathBuf,
    /// Column that says whose a row is
    #[arg(long, value_name = "COLUMN")]
    pub site_column: String,
    /// Column that says which fold a row is in
    #[arg(long, value_name = "COLUMN")]
    pub fold_column: String,
    /// Fold that every model is tested on and none learns from
    #[arg(long, value_name = "FOLD")]
    pub test_fold: String,
    /// Fold that chooses among rounds; without one the last round's model is released
    #[arg(long, value_name = "FOLD")]
    pub validation_fold: Option<String>,
    /// Folder for result, report, model and ledger: new, empty, or with an earlier run
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of institutions, 3 to 64 [default: as many as there are sites]
    #[arg(long, value_name = "N")]
    pub participants: Option<usize>,
    /// Training rounds, 1 to 10,000 [default: as the job says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: Option<u32>,
    /// Seed of training; keys and noise never come from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Unix socket of the external trainer of a job that has one: it trains for every institution in turn
    #[arg(long, value_name = "SOCKET", value_parser = trainer::socket)]
    pub trainer: Option<PathBuf>,
    /// Stop one institution in the middle of one round, and let it come back; shortens the collect deadline
    #[arg(long)]
    pub drop: bool,
    /// How the run is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Whom the federation is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Beside {
    /// All rows in one place; always among them, since differences are to this
    Pooled,
    /// Each institution alone
    Alone,
}

/// Options of `syndic job check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Job file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Number of members of the federation: can they have what the job asks for, and what does it come to?
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub institutions: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic job init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Table: CSV, plain or gzip, with a header line, or Parquet
    #[arg(long, value_name = "FILE")]
    pub table: PathBuf,
    /// Column to predict [default: one is proposed]
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// File for the draft, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl Command {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        match self {
            Self::Demo(args) => args.show.json,
            Self::Sandbox(args) => args.show.json,
            Self::Job(JobCommand::Check(args)) => args.json,
            Self::Ledger(command) => command.json(),
            Self::Score(args) => args.json,
            Self::Statistics(args) => args.json,
            Self::Model(command) => command.json(),
            Self::Privacy(command) => command.json(),
            Self::Attack(args) => args.json,
            Self::Job(JobCommand::Init(_)) | Self::Federation(_) => false,
        }
    }
}

const ABOUT: &str =
    "Federated learning between institutions, with encrypted updates and a ledger that is verified offline";

const EXAMPLES: &str = "Examples:
  syndic demo                                  five banks, one model, in under a minute
  syndic job init --table customers.csv        draft a job for your own table
  syndic ledger verify syndic-demo/ledger      check what happened, offline";

const LONG: &str = "Examples:
  syndic demo                                  five banks, one model, in under a minute
  syndic job init --table customers.csv        draft a job for your own table
  syndic sandbox --job job.toml --table customers.csv --site-column site \\
      --fold-column fold --test-fold 0 --out run
  syndic ledger verify run/ledger              check what happened, offline

Exit codes:
  0  done
  1  the job or a round was abandoned
  2  the command line, a file or the data is wrong
  3  the world: disk, network, time
  4  a verification failed

Errors go to standard error, as JSON with --json. SYNDIC_LOG=debug logs there too.";

const DEMO: &str = "Examples:
  syndic demo
  syndic demo --participants 10 --rounds 30 --out ten-banks
  syndic demo --json --quiet | jq .metrics.federated

One coordinator and a participant for each bank run as separate tasks and meet only over loopback TCP with \
mutual TLS. The data: 45,211 customers of a Portuguese bank (UCI Bank Marketing, CC BY 4.0), divided among five \
imagined banks. In one round one bank is stopped on purpose, and the round waits for it for a few seconds. How other numbers of institutions are made: \
`syndic sandbox --help`, which also says how long a round waits.";

const SANDBOX: &str = "Examples:
  syndic sandbox --job job.toml --table data.csv.gz --site-column site \\
      --fold-column fold --test-fold 0 --validation-fold 1 --out run
  syndic sandbox --job job.toml --table data.csv --site-column branch \\
      --fold-column fold --test-fold test --participants 12 --drop --out run
  syndic sandbox --job logistic.toml --job trees.toml --compare pooled,alone --table data.csv \\
      --site-column site --fold-column fold --test-fold 0 --out comparison
  syndic sandbox --job job.toml --trainer unix:trainer/socket --table data.csv \
      --site-column site --fold-column fold --test-fold 0 --out run

With several jobs each has its run in a folder of DIR, named after its job file, and beside these are comparison.json and \
comparison.svg.

Without --participants every site is an institution. With fewer institutions than sites, the largest sites stay \
and the others, in the order of their names, join these in turn, in the order of their names. With more, the site \
with the most rows for a part is given one part more until there are enough; its rows go to its parts in turn, in \
the order of the table. With the option, thresholds are the defaults for that number, whatever the job file says.

With --drop the round in which one institution is stopped waits for it until the collect deadline. Where that of the \
job file is longer, all rounds of the run get another one: a third of a second for each institution, at least five \
seconds in all, and one second more for each two million cells (rows times input columns times local epochs; of a \
network a hundredth of its parameters counts where that is more than the columns). Where updates are shared \
themselves, the round waits until the deadlines of shares and of reveals instead, and these are lowered so: to a \
third of a second for each institution, at least five seconds. The deadlines of a job with an external trainer stay.

An external trainer is one process, started before by yourself, that is asked for one institution after the other; \
collect_seconds are for all of them together. It is also asked for the models that the federation is compared with.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_long_help_names_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for code in 0..=4 {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}");
        }
    }

    #[test]
    fn the_documented_sandbox_line_is_understood() {
        let line = "syndic sandbox --job job.toml --table data.csv.gz --site-column site --fold-column fold \
                    --test-fold 0 --validation-fold 1 --out DIR --json";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        assert!(cli.command.json());
    }
}
