//! Uploads that were begun, and may be gone on with after a cut.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use syndic_round::{Digest, JobId, ParticipantId, RoundId};

use super::BlobWriter;

/// What an upload is known by before its content has given it a name: whose it is, to which attempt at which round, and
/// under which signed header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadName {
    /// The job.
    pub job: JobId,
    /// Round and attempt.
    pub round: RoundId,
    /// Whose it is.
    pub from: ParticipantId,
    /// SHA-256 of the signed header.
    pub header: Digest,
}

/// How much a store holds of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// So many of its first bytes.
    pub bytes: u64,
    /// Their SHA-256, as they lie there now.
    pub digest: Digest,
}

/// An upload as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What it is known by.
    pub name: UploadName,
    /// How many bytes are held.
    pub length: u64,
    /// How long ago the last of them came.
    pub age: Duration,
}

/// What becomes of an upload that is to be gone on with.
pub enum Resumed {
    /// It goes on.
    On(Box<dyn BlobWriter>),
    /// So many bytes are held, which are fewer than it was to go on behind.
    Fewer(u64),
    /// Another writer is at it, or at another upload of the same participant to the same attempt.
    InUse,
}

impl UploadName {
    /// Whether both are of one participant, to one attempt: there is one such upload at a time.
    pub fn is_instead_of(&self, other: &Self) -> bool {
        (&self.job, self.round, self.from) == (&other.job, other.round, other.from)
            && self.header != other.header
    }
}

impl fmt::Display for UploadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, round: RoundId { round, attempt }, from, header } = self;
        write!(f, "begun-{job}.{round}.{attempt}.{from}.{header}")
    }
}

impl FromStr for UploadName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let parse = || {
            // Jobs may have points in their ids.
            let mut parts = text.strip_prefix("begun-")?.rsplitn(5, '.');
            let mut header = Digest([0; 32]);
            hex::decode_to_slice(parts.next()?, &mut header.0).ok()?;
            let from = ParticipantId::new(parts.next()?.parse().ok()?)?;
            let attempt = parts.next()?.parse().ok()?;
            let round = parts.next()?.parse().ok()?;
            let job = JobId::new(parts.next()?)?;
            Some(Self { job, round: RoundId { round, attempt }, from, header })
        };
        // One name, one upload: nothing that merely reads like one.
        parse().filter(|name| name.to_string() == text).ok_or(NotAName)
    }
}

/// The text names no upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAName;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(job: &str) -> UploadName {
        UploadName {
            job: JobId::new(job).unwrap(),
            round: RoundId { round: 12, attempt: 3 },
            from: ParticipantId::new(7).unwrap(),
            header: Digest::of(b"header"),
        }
    }

    #[test]
    fn a_name_is_read_back_and_nothing_else_is_one() {
        for job in ["churn", "churn.2", "..", "begun-x.1.2.3"] {
            assert_eq!(name(job).to_string().parse(), Ok(name(job)));
        }
        let text = name("churn").to_string();
        assert!(
            text.len() < 255 - 64,
            "it is the name of a file also where the job's id is as long as may be"
        );
        for other in [
            text.replace("begun-", ""),
            text.replace(".12.", ".012."),
            text.replace(".7.", ".0."),
            text[..text.len() - 1].to_owned(),
            text.to_uppercase(),
            text.clone() + ".partial",
            "begun-".into(),
        ] {
            assert_eq!(other.parse::<UploadName>(), Err(NotAName), "{other}");
        }
    }

    #[test]
    fn uploads_of_one_participant_to_one_attempt_stand_instead_of_each_other() {
        let one = name("churn");
        let another = UploadName { header: Digest::of(b"another"), ..one.clone() };
        assert!(another.is_instead_of(&one) && !one.is_instead_of(&one));
        let of_another = UploadName { from: ParticipantId::new(8).unwrap(), ..another.clone() };
        let later = UploadName { round: RoundId { round: 12, attempt: 4 }, ..another };
        assert!(!of_another.is_instead_of(&one) && !later.is_instead_of(&one));
    }
}
