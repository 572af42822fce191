//! The participant's durable memory: what it said, to which question, and what left the building.
//!
//! The rules of the protocol that must survive a restart live here, each as a refusal:
//!
//! | rule | refusal |
//! |---|---|
//! | 4, once across restarts | [`Journal::record_message`]: a second, different message of one kind in one preparation |
//! | 5, one key, one plaintext | [`Journal::claim_preparation`]: a preparation that is not newer than all before; [`Journal::bind`]: a second binding of a preparation, or a second preparation for an attempt |
//! | 9, a restored snapshot counts as corrupted | [`Journal::has_said`]: whether it knows a message that is on record; [`Journal::boot`] counts the openings, so that a step back shows |
//! | 11, one opening per question | [`Journal::open_question`]: the same question in another attempt that is not void; [`Journal::record_message`]: a promise never to reveal beside a reveal; [`Journal::accept_job`]: another file for a job |
//!
//! So do the privacy account and the content of each contract: [`Journal::engage`] comes before any row is read for a job.
//!
//! Everything is durable when a call returns: journal first, send after. No key is ever written here; a
//! key that is lost with the process is gone, and its preparation with it. Beside the journal lies the encrypted update of
//! the round in progress ([`Spool`]), so that the bytes that a header was signed over can be sent again.

mod checkpoints;
mod debits;
#[cfg(test)]
mod debits_tests;
mod engagements;
#[cfg(test)]
mod engagements_tests;
mod error;
mod evidence;
mod file;
mod jobs;
mod known;
mod messages;
mod moments;
mod preparations;
mod questions;
mod receipts;
mod sent;
mod spool;
#[cfg(test)]
mod tests;

pub use checkpoints::{KeptCheckpoint, read_checkpoint};
pub use debits::{Account, Debit, NoiseBasis, read_account};
pub use engagements::{Engaged, Engagement};
pub use error::JournalError;
pub use file::Journal;
pub use known::{Known, read_known};
pub use messages::{MessageKind, Recorded, read_message};
#[cfg(feature = "tap")]
pub use moments::Dies;
pub use questions::Opening;
pub use receipts::read_receipts;
pub use sent::{Sent, read_sent};
pub use spool::{Measured, Spool, SpoolWriter, SpooledUpdate};
