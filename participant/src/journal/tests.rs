//! What the journal promises, asked again after every reopening.

mod files;
mod questions;
mod sent;

use std::path::PathBuf;

use syndic_round::{Digest, RoundId};
use tempfile::TempDir;

use super::*;

const JOB: &str = "churn";

/// A journal that is closed and opened again before every step.
struct Reopened {
    dir: TempDir,
}

impl Reopened {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("state/journal.sqlite")
    }

    async fn journal(&self) -> Journal {
        Journal::open(&self.path()).await.unwrap()
    }

    async fn with_preparations(numbers: impl IntoIterator<Item = u64>) -> Self {
        let reopened = Self::new();
        for number in numbers {
            reopened.journal().await.claim_preparation(JOB, number).await.unwrap();
        }
        reopened
    }

    async fn say(&self, preparation: u64, kind: MessageKind, bytes: &[u8]) -> Result<Recorded, JournalError> {
        self.journal().await.record_message(JOB, preparation, kind, bytes).await
    }

    async fn bind(
        &self,
        preparation: u64,
        round: RoundId,
        question: &[u8],
    ) -> Result<Recorded, JournalError> {
        self.journal().await.bind(JOB, preparation, round, Digest::of(question)).await
    }
}

fn round(round: u32, attempt: u32) -> RoundId {
    RoundId { round, attempt }
}

fn code<T: std::fmt::Debug>(result: Result<T, JournalError>) -> &'static str {
    result.unwrap_err().code()
}

#[tokio::test]
async fn every_opening_is_counted() {
    let reopened = Reopened::new();
    for boot in 1..=12 {
        assert_eq!(reopened.journal().await.boot(), boot);
    }
}

#[tokio::test]
async fn a_second_agent_is_refused_while_the_first_runs() {
    let reopened = Reopened::new();
    let first = reopened.journal().await;
    let second = Journal::open(&reopened.path()).await.err().expect("one agent at a time");
    assert_eq!(second.code(), "journal.in-use");
    drop(first);
    assert_eq!(reopened.journal().await.boot(), 2, "a refused opening is no boot");
}

#[tokio::test]
async fn a_second_distinct_message_is_refused_also_after_reopening() {
    let kinds = [
        MessageKind::Advertise,
        MessageKind::Shares,
        MessageKind::Ack,
        MessageKind::Header,
        MessageKind::Certify,
        MessageKind::Reveal,
        MessageKind::Decline,
    ];
    let reopened = Reopened::with_preparations([1]).await;
    reopened.bind(1, round(1, 1), b"question").await.unwrap();
    for kind in kinds {
        let first = kind.as_str().as_bytes();
        assert_eq!(reopened.say(1, kind, first).await.unwrap(), Recorded::New);
        assert_eq!(reopened.say(1, kind, first).await.unwrap(), Recorded::Same);
        let refused = reopened.say(1, kind, b"another").await.unwrap_err();
        assert_eq!(refused.code(), "journal.already-said");
        assert!(matches!(refused, JournalError::AlreadySaid { kind: of, preparation: 1 } if of == kind));
        let kept = reopened.journal().await.message(JOB, 1, kind).await.unwrap();
        assert_eq!(kept.as_deref(), Some(first), "a refusal changes nothing");
    }
}

#[tokio::test]
async fn messages_of_other_preparations_and_jobs_stand_apart() {
    let reopened = Reopened::with_preparations([1, 2]).await;
    reopened.journal().await.claim_preparation("other", 1).await.unwrap();
    reopened.say(1, MessageKind::Advertise, b"a").await.unwrap();
    assert_eq!(reopened.say(2, MessageKind::Advertise, b"b").await.unwrap(), Recorded::New);
    let journal = reopened.journal().await;
    let other = journal.record_message("other", 1, MessageKind::Advertise, b"c").await.unwrap();
    assert_eq!(other, Recorded::New);
    assert_eq!(journal.message(JOB, 1, MessageKind::Shares).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_said_in_a_preparation_that_was_never_begun_except_no() {
    let reopened = Reopened::new();
    assert_eq!(code(reopened.say(1, MessageKind::Advertise, b"a").await), "journal.preparation-unknown");
    assert_eq!(reopened.say(1, MessageKind::Decline, b"policy").await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn a_key_is_not_used_before_it_is_bound() {
    let reopened = Reopened::with_preparations([1]).await;
    for kind in [MessageKind::Header, MessageKind::Certify, MessageKind::Reveal] {
        assert_eq!(code(reopened.say(1, kind, b"x").await), "journal.unbound");
    }
    reopened.bind(1, round(1, 1), b"question").await.unwrap();
    assert_eq!(reopened.say(1, MessageKind::Header, b"x").await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn preparations_are_claimed_once_and_in_order() {
    let reopened = Reopened::new();
    for (number, outcome) in [(0, false), (1, true), (1, false), (5, true), (3, false), (5, false), (6, true)]
    {
        let claimed = reopened.journal().await.claim_preparation(JOB, number).await;
        match outcome {
            true => claimed.unwrap(),
            false => assert_eq!(code(claimed), "journal.preparation-old"),
        }
    }
    let journal = reopened.journal().await;
    assert_eq!(code(journal.claim_preparation(JOB, u64::MAX).await), "journal.out-of-range");
    journal.claim_preparation("other", 1).await.unwrap();
}

#[tokio::test]
async fn a_preparation_is_bound_to_one_attempt_and_one_question() {
    let reopened = Reopened::with_preparations([1, 2]).await;
    assert_eq!(reopened.bind(1, round(1, 1), b"q").await.unwrap(), Recorded::New);
    assert_eq!(reopened.bind(1, round(1, 1), b"q").await.unwrap(), Recorded::Same);
    for (to, question) in [(round(1, 1), b"p"), (round(1, 2), b"q"), (round(2, 1), b"q")] {
        assert_eq!(code(reopened.bind(1, to, question).await), "journal.bound-otherwise");
    }
    assert_eq!(code(reopened.bind(2, round(1, 1), b"q").await), "journal.attempt-bound");
    assert_eq!(code(reopened.bind(3, round(2, 1), b"q").await), "journal.preparation-unknown");
    assert_eq!(
        reopened.bind(1, round(1, 1), b"q").await.unwrap(),
        Recorded::Same,
        "refusals changed nothing"
    );
}

#[tokio::test]
async fn binding_wipes_every_lower_preparation_that_is_not_bound() {
    let reopened = Reopened::with_preparations([1, 2, 3, 4]).await;
    for preparation in 1..=4 {
        reopened.say(preparation, MessageKind::Advertise, b"hello").await.unwrap();
    }
    reopened.bind(1, round(1, 1), b"first").await.unwrap();

    reopened.bind(3, round(2, 1), b"second").await.unwrap();

    assert_eq!(code(reopened.bind(2, round(3, 1), b"third").await), "journal.preparation-wiped");
    assert_eq!(code(reopened.say(2, MessageKind::Shares, b"shares").await), "journal.preparation-wiped");
    assert_eq!(code(reopened.say(2, MessageKind::Advertise, b"bye").await), "journal.already-said");
    let journal = reopened.journal().await;
    let kept = async |preparation| journal.message(JOB, preparation, MessageKind::Advertise).await.unwrap();
    assert_eq!(kept(1).await.as_deref(), Some(&b"hello"[..]), "bound before");
    assert_eq!(kept(2).await, None, "wiped");
    assert_eq!(kept(3).await.as_deref(), Some(&b"hello"[..]));
    assert_eq!(kept(4).await.as_deref(), Some(&b"hello"[..]), "not lower");
    drop(journal);
    assert_eq!(reopened.bind(1, round(1, 1), b"first").await.unwrap(), Recorded::Same);
    assert_eq!(reopened.bind(4, round(3, 1), b"third").await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn a_job_is_accepted_with_one_file_for_ever() {
    let reopened = Reopened::new();
    let (agreed, other) = (Digest::of(b"the job file"), Digest::of(b"the job file, altered"));
    let accept = async |job, file| reopened.journal().await.accept_job(job, file).await;

    assert_eq!(accept(JOB, agreed).await.unwrap(), Recorded::New);
    assert_eq!(accept(JOB, agreed).await.unwrap(), Recorded::Same);
    for _ in 0..2 {
        let refused = accept(JOB, other).await.unwrap_err();
        assert_eq!(refused.code(), "journal.other-agreement");
        assert!(refused.is_refusal(), "a reason to decline, not to stop");
        assert!(matches!(refused, JournalError::OtherAgreement { job } if job == JOB));
    }
    assert_eq!(accept(JOB, agreed).await.unwrap(), Recorded::Same, "a refusal changes nothing");
    assert_eq!(accept("other", other).await.unwrap(), Recorded::New, "each job has its own file");
    assert_eq!(accept("another", agreed).await.unwrap(), Recorded::New);

    let journal = reopened.journal().await;
    assert_eq!(code(journal.accept_job(JOB, other).await), "journal.other-agreement");
    assert_eq!(journal.accept_job(JOB, agreed).await.unwrap(), Recorded::Same, "also without reopening");
}

#[tokio::test]
async fn a_checkpoint_never_goes_back_and_never_changes_its_head() {
    let reopened = Reopened::new();
    let note = |size: u64, root: &str, signature: &str| {
        format!("syndic/f\n{size}\n{root}\n\n\u{2014} {signature}\n").into_bytes()
    };
    let keep = async |note: Vec<u8>, size| reopened.journal().await.keep_checkpoint("f", &note, size).await;
    assert_eq!(reopened.journal().await.checkpoint("f").await.unwrap(), None);
    keep(note(7, "root", "log"), 7).await.unwrap();
    keep(note(7, "root", "log and witness"), 7).await.unwrap();
    assert_eq!(code(keep(note(6, "root", "log"), 6).await), "journal.checkpoint-older");
    assert_eq!(code(keep(note(7, "fork", "log"), 7).await), "journal.checkpoint-forked");
    let kept = reopened.journal().await.checkpoint("f").await.unwrap().unwrap();
    assert_eq!(kept, KeptCheckpoint { size: 7, note: note(7, "root", "log and witness") });
    keep(note(9, "later", "log"), 9).await.unwrap();
    assert_eq!(reopened.journal().await.checkpoint("f").await.unwrap().unwrap().size, 9);
    assert_eq!(reopened.journal().await.checkpoint("g").await.unwrap(), None);
}
