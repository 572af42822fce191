//! What was said: at most one message of each kind in a preparation (rule 4).

use std::fmt;
use std::path::Path;

use sqlx::{ConnectOptions, SqliteConnection};
use syndic_round::{Digest, message::Kind};

use super::{
    Journal, JournalError, Sent,
    file::{options, schema, stored},
    preparations::Preparation,
};

/// The kinds of message of which a preparation has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Phase A: a one-time key for the exchange of shares.
    Advertise,
    /// Phase B: the public part of the key sharing, with the sealed shares.
    Shares,
    /// Phase C: the verdicts over the shares received.
    Ack,
    /// Phase D: the header of the upload.
    Header,
    /// Phase E: the signature over a survivor set.
    Certify,
    /// Phase F: the sum of key shares for that set.
    Reveal,
    /// The promise never to reveal in the attempt.
    Void,
    /// The participant's no.
    Decline,
}

impl MessageKind {
    /// Its name, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advertise => "advertise",
            Self::Shares => "shares",
            Self::Ack => "ack",
            Self::Header => "header",
            Self::Certify => "certify",
            Self::Reveal => "reveal",
            Self::Void => "void",
            Self::Decline => "decline",
        }
    }

    /// What, once said in a preparation, forbids it: a sum that somebody helped to open is not given up, nor the
    /// other way round (rule 11).
    fn excluded_by(self) -> &'static [Self] {
        match self {
            Self::Void => &[Self::Reveal],
            Self::Header | Self::Certify | Self::Reveal => &[Self::Void],
            _ => &[],
        }
    }

    /// Whether it uses the preparation's key, which must be bound to its question before.
    fn uses_the_key(self) -> bool {
        matches!(self, Self::Header | Self::Certify | Self::Reveal)
    }
}

impl From<Kind> for MessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Advertise => Self::Advertise,
            Kind::Dealing => Self::Shares,
            Kind::Ack => Self::Ack,
            Kind::Header => Self::Header,
            Kind::Certify => Self::Certify,
            Kind::Reveal => Self::Reveal,
            Kind::Void => Self::Void,
            Kind::Decline => Self::Decline,
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether what was recorded is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is, and is durable now.
    New,
    /// The same was recorded before.
    Same,
}

impl Journal {
    /// Records that `bytes` is this participant's message of this kind in this preparation; to be called
    /// before it is sent. The same bytes again are fine.
    ///
    /// A [`MessageKind::Decline`] needs no preparation; any other needs one that was claimed and not
    /// wiped, and a header, certification or reveal one that is bound. A [`MessageKind::Void`] excludes what helps to
    /// open a sum, and a reveal excludes it.
    ///
    /// # Errors
    ///
    /// [`JournalError::AlreadySaid`] where other bytes were recorded: those, or none, may be sent.
    /// [`JournalError::PreparationUnknown`], [`JournalError::PreparationWiped`], [`JournalError::Unbound`],
    /// [`JournalError::Excluded`].
    pub async fn record_message(
        &self,
        job: &str,
        preparation: u64,
        kind: MessageKind,
        bytes: &[u8],
    ) -> Result<Recorded, JournalError> {
        self.record(job, preparation, kind, bytes, None).await
    }

    /// [`Journal::record_message`] and [`Journal::sent`] in one step, for a message that leaves at once.
    ///
    /// # Errors
    ///
    /// As [`Journal::record_message`]; then no sending is recorded either.
    pub async fn record_leaving(
        &self,
        job: &str,
        preparation: u64,
        kind: MessageKind,
        bytes: &[u8],
        sent: &Sent,
    ) -> Result<Recorded, JournalError> {
        self.record(job, preparation, kind, bytes, Some(sent)).await
    }

    async fn record(
        &self,
        job: &str,
        preparation: u64,
        kind: MessageKind,
        bytes: &[u8],
        leaving: Option<&Sent>,
    ) -> Result<Recorded, JournalError> {
        let number = stored(preparation)?;
        let digest = Digest::of(bytes);
        let mut connection = self.connection().await;
        let mut step = self.begin(&mut connection).await?;
        let earlier: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT digest FROM messages WHERE job = ? AND preparation = ? AND kind = ?")
                .bind(job)
                .bind(number)
                .bind(kind.as_str())
                .fetch_optional(&mut *step)
                .await
                .map_err(|error| self.failed(error))?;
        let recorded = match earlier {
            Some(earlier) if self.digest(&earlier)? == digest => Recorded::Same,
            Some(_) => return Err(JournalError::AlreadySaid { kind, preparation }),
            None => Recorded::New,
        };
        if recorded == Recorded::New {
            self.may_say(&mut step, job, preparation, kind).await?;
            sqlx::query(
                "INSERT INTO messages (job, preparation, kind, digest, bytes) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(job)
            .bind(number)
            .bind(kind.as_str())
            .bind(&digest.0[..])
            .bind(bytes)
            .execute(&mut *step)
            .await
            .map_err(|error| self.failed(error))?;
        }
        if let Some(sent) = leaving {
            // As in `Journal::sent`: if we crash after this the journal names a sending that did not happen.
            self.note_sent(&mut step, sent).await?;
        }
        self.commit(step).await?;
        Ok(recorded)
    }

    /// The message of this kind that was recorded in this preparation, to be sent again; none where none
    /// was, or where it was wiped with its preparation.
    pub async fn message(
        &self,
        job: &str,
        preparation: u64,
        kind: MessageKind,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let found: Option<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT digest, bytes FROM messages WHERE job = ? AND preparation = ? AND kind = ?",
        )
        .bind(job)
        .bind(stored(preparation)?)
        .bind(kind.as_str())
        .fetch_optional(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        match found {
            Some((digest, Some(bytes))) if self.digest(&digest)? != Digest::of(&bytes) => Err(self.corrupt()),
            Some((_, bytes)) => Ok(bytes),
            None => Ok(None),
        }
    }

    /// Whether this journal knows of a message with this digest: one that is at most once in a preparation, or a decline,
    /// which is only ever noted as sent.
    pub async fn has_said(&self, message: Digest) -> Result<bool, JournalError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE digest = ?) OR EXISTS (SELECT 1 FROM sent WHERE digest = ?)",
        )
        .bind(&message.0[..])
        .bind(&message.0[..])
        .fetch_one(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))
    }

    async fn has_recorded(
        &self,
        step: &mut SqliteConnection,
        job: &str,
        preparation: u64,
        kind: MessageKind,
    ) -> Result<bool, JournalError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE job = ? AND preparation = ? AND kind = ?)",
        )
        .bind(job)
        .bind(stored(preparation)?)
        .bind(kind.as_str())
        .fetch_one(step)
        .await
        .map_err(|error| self.failed(error))
    }

    async fn may_say(
        &self,
        step: &mut SqliteConnection,
        job: &str,
        preparation: u64,
        kind: MessageKind,
    ) -> Result<(), JournalError> {
        if kind == MessageKind::Decline {
            return Ok(());
        }
        for earlier in kind.excluded_by() {
            if self.has_recorded(step, job, preparation, *earlier).await? {
                return Err(JournalError::Excluded { kind, earlier: *earlier, preparation });
            }
        }
        match self.preparation(step, job, preparation).await? {
            Preparation::Unknown => Err(JournalError::PreparationUnknown { number: preparation }),
            Preparation::Wiped { bound } => {
                Err(JournalError::PreparationWiped { number: preparation, bound })
            }
            Preparation::Claimed if kind.uses_the_key() => Err(JournalError::Unbound { kind, preparation }),
            Preparation::Claimed | Preparation::Bound { .. } => Ok(()),
        }
    }
}

/// The message of this kind that the journal in the file `path` holds for this preparation, without opening the journal:
/// its agent may be running.
///
/// # Errors
///
/// [`JournalError`] where the file cannot be read, or is no journal.
pub async fn read_message(
    path: &Path,
    job: &str,
    preparation: u64,
    kind: MessageKind,
) -> Result<Option<Vec<u8>>, JournalError> {
    let failed = |error| JournalError::database(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(failed)?;
    if schema(path, &mut connection).await? == 0 {
        return Err(JournalError::WrongFormat { path: path.display().to_string() });
    }
    let found: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT bytes FROM messages WHERE job = ? AND preparation = ? AND kind = ?")
            .bind(job)
            .bind(stored(preparation)?)
            .bind(kind.as_str())
            .fetch_optional(&mut connection)
            .await
            .map_err(failed)?;
    Ok(found.flatten())
}

#[cfg(test)]
mod tests {
    use syndic_round::{Place, RoundId};

    use super::*;

    const JOB: &str = "churn";

    #[tokio::test]
    async fn the_journal_knows_what_it_recorded_and_what_it_only_sent() {
        let dir = tempfile::tempdir().unwrap();
        let open = || async { Journal::open(&dir.path().join("journal.sqlite")).await.unwrap() };
        let (round, digest) = (RoundId { round: 1, attempt: 1 }, Digest::of(b"no"));
        let (job, what, place) = (JOB.into(), "decline".into(), Place::Round(round));
        let no = Sent { job, place, what, bytes: 2, digest, at_ms: 1_700_000_000_000 };
        let journal = open().await;
        journal.claim_preparation(JOB, 1).await.unwrap();
        journal.record_message(JOB, 1, MessageKind::Advertise, b"said").await.unwrap();
        journal.sent(&no).await.unwrap();
        drop(journal);

        let journal = open().await;
        let knows = async |message: &[u8]| journal.has_said(Digest::of(message)).await.unwrap();
        assert!(knows(b"said").await && knows(b"no").await);
        assert!(!knows(b"never").await);
        // What is wiped with a lower preparation was said all the same.
        journal.claim_preparation(JOB, 2).await.unwrap();
        journal.bind(JOB, 2, round, Digest::of(b"question")).await.unwrap();
        assert_eq!(journal.message(JOB, 1, MessageKind::Advertise).await.unwrap(), None);
        assert!(knows(b"said").await);
    }
}
