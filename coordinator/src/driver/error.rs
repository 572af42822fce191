//! What can go wrong in the coordinator, by who is at fault.

use syndic_learning::ProgramError;
use syndic_learning::job::TermsError;
use syndic_learning::model::ModelError;
use syndic_learning::release::ReleaseError;
use syndic_ledger::NoteError;
use syndic_round::{JobId, Rejection};
use thiserror::Error;

use crate::engine::FoldError;
use crate::fact::UnreadableFact;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Why the coordinator refused or could not go on.
#[derive(Debug, Error)]
pub enum CoordinatorError {
    /// The sender's fault; nothing has changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A witness's fault: it did not sign a head of this ledger.
    #[error("the cosignature is refused: {0}")]
    Cosignature(NoteError),
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger and this version do not fit.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// An entry that this version cannot read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableFact),
    /// The signing key is not the one in the roster.
    #[error("the coordinator's ledger key is not the one in the roster")]
    OtherLedgerKey,
    /// The ledger keeps all rules, and is not the one that this coordinator verified.
    #[error(
        "the first {0} entries of the ledger are not those that this coordinator once verified, and signed that it did"
    )]
    NotAsVerified(u64),
    /// A job file that is refused.
    #[error("the job is refused: {0}")]
    Job(#[from] TermsError),
    /// Another job of this id than the one that the ledger holds.
    #[error("this coordinator's ledger holds job `{0}`, agreed with another file")]
    OtherJob(JobId),
    /// Nobody has agreed to it.
    #[error("there is no job `{0}`")]
    NoSuchJob(JobId),
    /// It has ended.
    #[error("job `{0}` is over")]
    JobOver(JobId),
    /// It has not.
    #[error("job `{0}` is not over")]
    JobNotOver(JobId),
    /// What is asked for was erased.
    #[error("the updates of job `{job}` were erased, by entry {entry} of the ledger")]
    Erased {
        /// The job.
        job: JobId,
        /// The place of the entry that says so.
        entry: u64,
    },
    /// A change of a model's stage that is refused.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A card that is not that of the model, or says something else than is on record.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The model has no file.
    #[error("the model cannot be written: {0}")]
    Model(#[from] ModelError),
    /// The program cannot go on.
    #[error("the program cannot go on: {0}")]
    Program(#[from] ProgramError),
    /// An entry that is longer than one may be; nothing has changed.
    #[error("the entry has {0} bytes, more than the ledger takes")]
    EntryTooLong(usize),
    /// An entry that the ledger's own rules forbid: a bug.
    #[error("the ledger refuses an entry: {0}")]
    Ledger(String),
    /// An earlier append failed, so what is stored is unknown until it is read again: when the store takes things again, or at a
    /// start.
    #[error("the coordinator decides nothing because an entry could not be stored")]
    Stopped,
}

impl CoordinatorError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Cosignature(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Fold(_) => "coordinator.replay",
            Self::Unreadable(_) => "coordinator.unreadable-entry",
            Self::OtherLedgerKey => "coordinator.ledger-key",
            Self::NotAsVerified(_) => "ledger.not-as-verified",
            Self::Job(error) => error.code(),
            Self::OtherJob(_) => "job.other",
            Self::NoSuchJob(_) => "job.unknown",
            Self::JobOver(_) => "job.over",
            Self::JobNotOver(_) => "job.not-over",
            Self::Erased { .. } => "job.updates-erased",
            Self::Registry(error) => error.code(),
            Self::Release(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Program(_) => "coordinator.program",
            Self::EntryTooLong(_) => "ledger.entry-too-long",
            Self::Ledger(_) => "coordinator.ledger",
            Self::Stopped => "coordinator.stopped",
        }
    }

    /// Whether a file that the operator gave is at fault, and trying again cannot help.
    pub fn is_of_the_files(&self) -> bool {
        match self {
            Self::Store(error) => error.is_of_the_files(),
            Self::Fold(_) | Self::Unreadable(_) | Self::OtherLedgerKey | Self::NotAsVerified(_) => true,
            Self::Job(_) | Self::OtherJob(_) | Self::NoSuchJob(_) | Self::JobOver(_) => true,
            Self::JobNotOver(_) | Self::Erased { .. } | Self::Registry(_) | Self::Release(_) => true,
            Self::Rejected(_) | Self::Cosignature(_) | Self::Model(_) | Self::Program(_) => false,
            Self::EntryTooLong(_) | Self::Ledger(_) | Self::Stopped => false,
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Rejected(_) | Self::Cosignature(_) => {
                "the message was refused and nothing has changed; see the code"
            }
            Self::Store(error) => error
                .help()
                .unwrap_or("check the state folder and its disk, or the servers of `[store]`; then start the coordinator again"),
            Self::Fold(_) | Self::Unreadable(_) => {
                "start the version that wrote this ledger, or name another `state` or `[store]` in the configuration"
            }
            Self::OtherLedgerKey => {
                "point the configuration at the folder that `syndic federation init` wrote"
            }
            Self::NotAsVerified(_) => {
                "find out who replaced entries, or which copy was restored: participants will not go on with a ledger that \
                 they have not seen; to start on it all the same, remove `verified.note` from the state folder"
            }
            Self::Job(_) => "run `syndic job check` on the file; it names the line and the remedy",
            Self::OtherJob(_) => "give the job another id: one id belongs to one file, for ever",
            Self::NoSuchJob(_) => "`syndic-coordinator job list` shows the jobs there are",
            Self::JobOver(_) => "what is over stays so; submit the job anew, under another id",
            Self::JobNotOver(_) => "wait until it ends, or stop it: what its rounds need is not erased",
            Self::Erased { .. } => {
                "`syndic ledger show` shows that entry, with rule and reason; what was opened of the job is on record"
            }
            Self::Registry(error) => error.help(),
            Self::Release(error) => error.help(),
            Self::Model(error) => error.help(),
            Self::Program(_) => {
                "run `syndic job check` on the job file, and look at the last round in the ledger"
            }
            Self::EntryTooLong(_) => "take fewer columns into one job, or several jobs",
            Self::Ledger(_) => "this is a defect; please report it with the ledger",
            Self::Stopped => {
                "make room on the disk, or mend the store; nothing acknowledged is lost, and it is sent again by itself"
            }
        }
    }
}
