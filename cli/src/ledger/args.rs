//! The command line of `syndic ledger ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::export::Format;
use super::search::FilterArgs;
use super::trust::Trust;
use crate::Result;
use crate::words::quoted;

/// `syndic ledger ...`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check every entry, hash and signature of a ledger folder, or of one entry's proof
    #[command(after_help = VERIFY)]
    Verify(VerifyArgs),
    /// Write the proof that one entry is in a ledger, for somebody who has nothing else of it
    #[command(after_help = PROVE)]
    Prove(ProveArgs),
    /// Show entries: all of them in a table, or every field of some
    #[command(after_help = SHOW)]
    Show(ShowArgs),
    /// Show the entries of a job, a round, a type, a participant or a time
    #[command(after_help = SEARCH)]
    Search(SearchArgs),
    /// Write entries for other programs
    #[command(after_help = EXPORT)]
    Export(ExportArgs),
    /// Write what a ledger says of a job, on a page to read, print and file
    #[command(after_help = REPORT)]
    Report(ReportArgs),
    /// Sign a ledger's checkpoint as a third party that has seen it only grow
    #[command(after_help = WITNESS)]
    Witness(WitnessArgs),
    /// Check whether a log signed two histories, offline, with its public key alone
    #[command(after_help = CONVICT)]
    Convict(ConvictArgs),
}

impl LedgerCommand {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        match self {
            Self::Verify(args) => args.json,
            Self::Show(args) => args.json,
            Self::Search(args) => args.json,
            Self::Report(args) => args.json,
            Self::Convict(args) => args.json,
            Self::Prove(_) | Self::Export(_) | Self::Witness(_) => false,
        }
    }
}

/// Whom to believe.
#[derive(Clone, Debug, Args)]
pub struct TrustArgs {
    /// Verifier key of the coordinator, NAME+HASH+KEY, from a source other than the folder
    #[arg(long, value_name = "VKEY", conflicts_with = "policy")]
    key: Option<String>,
    /// File that says which logs are trusted, and which witnesses must have signed (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl TrustArgs {
    /// By whose word the ledger is believed.
    ///
    /// # Errors
    /// As [`Trust::of`].
    pub fn trust(&self) -> Result<Trust> {
        Trust::of(self.key.as_deref(), self.policy.as_deref())
    }

    /// The command with these options.
    pub fn again(&self, command: String) -> String {
        match (&self.key, &self.policy) {
            (Some(key), _) => format!("{command} --key '{key}'"),
            (None, Some(policy)) => format!("{command} --policy {}", quoted(policy)),
            (None, None) => command,
        }
    }
}

/// Options of `syndic ledger verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Folder of the ledger, or a file that `ledger prove` wrote
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// An earlier `checkpoint` of the ledger, which it must continue
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic ledger prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The entry's place, from 0
    #[arg(value_name = "INDEX")]
    pub index: u64,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// File for the proof, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `syndic ledger show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Places of entries, from 0 [default: a table of all]
    #[arg(value_name = "INDEX")]
    pub indexes: Vec<u64>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Print one JSON object per entry
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic ledger search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// What is looked for.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show the first N that are found
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Print one JSON object per entry
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// In which form
    #[arg(long)]
    pub format: Format,
    /// What is exported.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// File to write, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `syndic ledger report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The job
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// Only this round, all attempts
    #[arg(long, value_name = "N")]
    pub round: Option<u64>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// File to write, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write JSON instead of HTML
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic ledger witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Folder of the ledger
    #[arg(value_name = "DIR", required_unless_present = "new_key", conflicts_with = "new_key")]
    pub dir: Option<PathBuf>,
    /// Name of the witness, without spaces and `+`: auditor.example
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// File of the witness's private key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Make that key, in a new file that only its owner can read
    #[arg(long)]
    pub new_key: bool,
    /// Verifier key of the log, NAME+HASH+KEY, from a source other than the folder
    #[arg(long, value_name = "VKEY", required_unless_present = "new_key", conflicts_with = "new_key")]
    pub log: Option<String>,
    /// File that keeps the checkpoint that was signed last
    #[arg(long, value_name = "FILE", required_unless_present = "new_key", conflicts_with = "new_key")]
    pub state: Option<PathBuf>,
    /// Begin with this log: there is no state, and this witness has never signed for it
    #[arg(long, conflicts_with = "new_key")]
    pub begin: bool,
    /// File for the signed checkpoint, which must not exist [default: below the one in DIR]
    #[arg(long, value_name = "FILE", conflicts_with = "new_key")]
    pub out: Option<PathBuf>,
}

/// Options of `syndic ledger convict`.
#[derive(Debug, Args)]
pub struct ConvictArgs {
    /// Files with evidence, checkpoints, and folders of ledgers, all of one log
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Verifier key of the log, NAME+HASH+KEY, from a source that you trust
    #[arg(long, value_name = "VKEY")]
    pub key: String,
    /// File for the evidence, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const VERIFY: &str = "Examples:
  syndic ledger verify syndic-demo/ledger
  syndic ledger verify syndic-demo/ledger --key 'NAME+HASH+KEY'
  syndic ledger verify syndic-demo/ledger --from checkpoint.of-last-month
  syndic ledger verify closed.tlog-proof --policy federation.policy

Exits with 0 if all of it holds, with 4 and the first thing wrong if not. Without --key or --policy the key that \
lies with the ledger is used, and the ledger is self-consistent only. Of a file that `ledger prove` wrote it checks \
that its entry is in the ledger; that takes --key or --policy.";

const PROVE: &str = "Example:
  syndic ledger prove syndic-demo/ledger 17 --out closed.tlog-proof
  syndic ledger verify closed.tlog-proof --key 'NAME+HASH+KEY'

The file is of the form C2SP tlog-proof: the entry's place, the hashes beside its way to the root, and the signed \
checkpoint; the entry goes with it as its extra data. The ledger is verified first, as `ledger verify` does it.";

const SHOW: &str = "Examples:
  syndic ledger show syndic-demo/ledger
  syndic ledger show syndic-demo/ledger 0 17 --key 'NAME+HASH+KEY'
  syndic ledger show syndic-demo/ledger 17 --json | jq .entry.data

The whole ledger is verified first, as `ledger verify` does it, and nothing is shown of one that does not hold.";

const SEARCH: &str = "Examples:
  syndic ledger search syndic-demo/ledger --type round.closed
  syndic ledger search syndic-demo/ledger --participant bank_a --round 3
  syndic ledger search syndic-demo/ledger --since 2026-08-01 --until 2026-08-31 --type job --json

Conditions hold together. The whole ledger is verified first, as `ledger verify` does it, and nothing is shown of one \
that does not hold.";

const EXPORT: &str = "Examples:
  syndic ledger export syndic-demo/ledger --format csv --out entries.csv
  syndic ledger export syndic-demo/ledger --format jsonl --type round | jq -c .entry.type

The whole ledger is verified first, as `ledger verify` does it, and nothing is written of one that does not hold. \
In CSV, text that a spreadsheet would take for a formula begins with an apostrophe.";

const REPORT: &str = "Examples:
  syndic ledger report syndic-demo/ledger --job bank-marketing --out report.html
  syndic ledger report syndic-demo/ledger --job bank-marketing --round 3 --key 'NAME+HASH+KEY' --out round-3.html
  syndic ledger report syndic-demo/ledger --job bank-marketing --json | jq .gaps

The whole ledger is verified first, as `ledger verify` does it, and nothing is written of one that does not hold. The page \
says what, who, why, how updates were protected, what came of it, what went wrong and what the ledger does not say. It loads \
and runs nothing, and prints well.";

const WITNESS: &str = "Examples:
  syndic ledger witness --new-key --name auditor.example --key auditor.pem
  syndic ledger witness DIR/ledger --name auditor.example --key auditor.pem --log 'NAME+HASH+KEY' \\
      --state bank-marketing.seen --begin
  syndic ledger witness DIR/ledger --name auditor.example --key auditor.pem --log 'NAME+HASH+KEY' \\
      --state bank-marketing.seen

The whole ledger is verified, as `ledger verify` does it, and must continue the checkpoint that was signed last. That \
is kept in the state file before anything is signed: never lose it, and never use a copy of it. The signature is of \
the form C2SP tlog-cosignature.";

const CONVICT: &str = "Examples:
  syndic ledger convict evidence.json --key 'NAME+HASH+KEY'
  syndic ledger convict bank_a.checkpoint bank_b.checkpoint --key 'NAME+HASH+KEY'
  syndic ledger convict bank_a.checkpoint syndic-demo/ledger --key 'NAME+HASH+KEY' --out evidence.json

Exits with 0 where two checkpoints that the log signed exclude each other, and with 4 where nothing shows so. Two \
checkpoints of different sizes need evidence that has more than them, or a ledger at least as long. `--out` writes \
evidence that needs nothing beside it but the log's key.";
