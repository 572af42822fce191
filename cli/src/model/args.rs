//! The command line of `syndic model ...`, and how a model is named everywhere.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::ledger::args::TrustArgs;
use crate::score::args::OnError;
use syndic_round::Stage;

/// `syndic model ...`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Write a released model in a format that other programs run
    #[command(after_help = EXPORT)]
    Export(ExportArgs),
    /// Compare rows with those that a model was trained on
    #[command(after_help = DRIFT)]
    Drift(DriftArgs),
    /// Write a job that compares the rows of all institutions with those that a released model was trained on
    #[command(after_help = DRIFT_JOB)]
    DriftJob(DriftJobArgs),
    /// List the models that jobs released, with their stages, as a published ledger has them
    #[command(after_help = "Example:\n  syndic model list --ledger publish/ledger --key 'NAME+HASH+KEY'")]
    List(PublishedArgs),
    /// Show one of them: figures, and every change of its stage with approver, reason and gates
    #[command(
        after_help = "Example:\n  syndic model show --job churn --ledger publish/ledger --key 'NAME+HASH+KEY'"
    )]
    Show(ShowArgs),
    /// Show how released models did on the same rows, where a job compared them
    #[command(after_help = COMPARE)]
    Compare(CompareArgs),
    /// Make the key of somebody who approves what becomes of models
    #[command(after_help = "Example:\n  syndic model new-key --approver-key approver.pem")]
    NewKey(NewKeyArgs),
    /// Approve that a candidate becomes shadow, or a shadow champion
    #[command(after_help = PROMOTE)]
    Promote(PromoteArgs),
    /// Approve that a model is not used any more, for ever
    #[command(
        after_help = "Example:\n  syndic model withdraw --job churn --ledger publish/ledger --key 'NAME+HASH+KEY' --approver model-risk \
                      --approver-key approver.pem --reason 'the market has changed' --out churn.approval.json\n\nWhoever runs the \
                      coordinator hands the file in with `syndic-coordinator model stage`."
    )]
    Withdraw(WithdrawArgs),
}

impl ModelCommand {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        match self {
            Self::Export(args) => args.json,
            Self::Drift(args) => args.json,
            Self::DriftJob(args) => args.json,
            Self::List(args) => args.json,
            Self::Show(args) => args.published.json,
            Self::Compare(args) => args.published.json,
            Self::NewKey(args) => args.json,
            Self::Promote(PromoteArgs { approve, .. }) | Self::Withdraw(WithdrawArgs { approve, .. }) => {
                approve.json
            }
        }
    }
}

/// Which model, and by whose word.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Folder with `model.safetensors` and `model.json`, or one of the two files
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Ledger that must say that its job released this model
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Options of `syndic model export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which model.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// In which format
    #[arg(long)]
    pub format: Format,
    /// File to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic model drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Folder with `model.safetensors` and `model.json`, or one of the two files
    #[arg(long, value_name = "PATH", required_unless_present = "job")]
    pub model: Option<PathBuf>,
    /// Ledger that must say that its job released this model, or that has the end of the job
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Table: CSV, plain or gzip, with a header line, or Parquet; `-` is CSV on standard input
    #[arg(long, value_name = "FILE", required_unless_present = "job", conflicts_with = "job")]
    pub table: Option<PathBuf>,
    /// In the place of a table: the job of program `drift` that compared the rows of all institutions
    #[arg(long, requires = "ledger")]
    pub job: Option<String>,
    /// What to do about a row that breaks the model's contract: `stop` ends with an error that names it, `skip` leaves it out and
    /// counts it
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "stop",
        hide_possible_values = true,
        conflicts_with = "job"
    )]
    pub on_error: OnError,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic model drift-job`.
#[derive(Debug, Args)]
pub struct DriftJobArgs {
    /// Which model.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// The new job's id, unique within the federation
    #[arg(long, value_name = "ID")]
    pub id: String,
    /// What the rows are used for: a word that site policies allow
    #[arg(long, value_name = "WORD")]
    pub purpose: String,
    /// Columns to compare, with commas between them; all that the card has where none is named
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// File to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A published ledger, and how it is shown: all options of `syndic model list`.
#[derive(Debug, Args)]
pub struct PublishedArgs {
    /// Folder of the ledger that the coordinator published
    #[arg(long, value_name = "DIR")]
    pub ledger: PathBuf,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic model show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The job that released the model
    #[arg(long)]
    pub job: String,
    /// The ledger that says so.
    #[command(flatten)]
    pub published: PublishedArgs,
}

/// Options of `syndic model compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The job that compared them
    #[arg(long)]
    pub job: String,
    /// The ledger that says so.
    #[command(flatten)]
    pub published: PublishedArgs,
}

/// Options of `syndic model new-key`.
#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// File for the private key, which must not exist
    #[arg(long, value_name = "FILE")]
    pub approver_key: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic model promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// Folder with `model.safetensors` and `model.json`, or the first of the two files
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// What it becomes
    #[arg(long)]
    pub to: Promoted,
    /// By whose word, and why.
    #[command(flatten)]
    pub approve: ApproveArgs,
}

/// Options of `syndic model withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// The job that released the model
    #[arg(long)]
    pub job: String,
    /// By whose word, and why.
    #[command(flatten)]
    pub approve: ApproveArgs,
}

/// By whose word a stage changes, and why.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Folder of the ledger that the coordinator published
    #[arg(long, value_name = "DIR")]
    pub ledger: PathBuf,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Who approves, as the roster names the office
    #[arg(long, value_name = "NAME")]
    pub approver: String,
    /// File of the approver's private key
    #[arg(long, value_name = "FILE")]
    pub approver_key: PathBuf,
    /// Why: one line, without names of people. It is on record in the ledger
    #[arg(long)]
    pub reason: String,
    /// File for the approval, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What a model may be promoted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promoted {
    /// It runs beside the champion, and nothing is decided by it
    Shadow,
    /// It is the one that decides
    Champion,
}

impl From<Promoted> for Stage {
    fn from(promoted: Promoted) -> Self {
        match promoted {
            Promoted::Shadow => Self::Shadow,
            Promoted::Champion => Self::Champion,
        }
    }
}

/// Formats that other programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Open Neural Network Exchange
    Onnx,
}

const DRIFT: &str = "Examples:
  syndic model drift --model syndic-demo --table customers.csv
  syndic model drift --model run --ledger run/ledger --key 'NAME+HASH+KEY' --table customers.csv.gz --json

The card of a model whose job has a section [drift] says where the rows were that it was trained on, in bins; the table's rows \
are counted in the same bins. Nothing leaves this machine. Exit code 1 says that a column or the scores have drifted by the \
thresholds of the job.

  syndic model drift --job churn-2026-11 --ledger publish/ledger --key 'NAME+HASH+KEY' --model publish/job-churn

verifies the whole ledger, and shows what a job of program `drift` found of the rows of all institutions together, computed anew from \
the counts on record and the bins in its job file. With --model, these must be the bins of that model's card.";

const DRIFT_JOB: &str = "Example:
  syndic model drift-job --model publish/job-churn --id churn-2026-11 --purpose churn --out churn-2026-11.toml

Contract, bins and thresholds are those of the card. Look at the file, change what else there is in it, and hand it in as any job.";

const COMPARE: &str = "Example:
  syndic model compare --job compare-2026 --ledger publish/ledger --key 'NAME+HASH+KEY'

Verifies the whole ledger, and shows what a job of program `evaluation` found: the figures of each model on the same rows of all \
institutions together, and by how much those of the others are above those of the first. Behind ± stands the standard error of a \
difference in log-loss.";

const PROMOTE: &str = "Example:
  syndic model promote --model publish/job-churn --to shadow --ledger publish/ledger --key 'NAME+HASH+KEY' \
--approver model-risk --approver-key approver.pem --reason 'validated, see file 12' --out churn.approval.json

Verifies the whole ledger and the model against it, judges the gates of the job file, and signs. Nothing is sent: whoever runs the \
coordinator hands the file in with `syndic-coordinator model stage`. An approval counts once, and not after another change under \
the same name.";

const EXPORT: &str = "Examples:
  syndic model export --model syndic-demo --format onnx --out model.onnx
  syndic model export --model run --ledger run/ledger --key 'NAME+HASH+KEY' --format onnx --out model.onnx

The file takes raw rows: an input of N rows and one column for each column of the contract, tensor(double) for numbers \
and tensor(string) for levels. It gives `probability` and `label`, and `points` of a scorecard; a row that breaks the contract gets NaN, and -1 for a label.";
