//! What is opened once, for ever, and what excludes it.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use syndic_round::message::Context;

use super::*;

/// Attempt `round`, whose signatures are bound to contexts of its own.
fn opening(number: u32, attempt: u32) -> Opening {
    let named = |what: &str| Digest::of(format!("{what} of {number}/{attempt}").as_bytes());
    let context = Context { ctx0: named("ctx0"), h1: Some(named("h1")) };
    Opening { round: round(number, attempt), context }
}

#[tokio::test]
async fn a_question_is_opened_in_one_attempt_for_ever_unless_that_is_void() {
    let reopened = Reopened::new();
    let question = Digest::of(b"question");
    let open = async |question, job, attempt: Opening, void: Option<Opening>| {
        let is_void = |earlier: &Opening| void.as_ref() == Some(earlier);
        reopened.journal().await.open_question(question, job, &attempt, is_void).await
    };
    assert_eq!(open(question, JOB, opening(3, 1), None).await.unwrap(), Recorded::New);
    assert_eq!(open(question, JOB, opening(3, 1), None).await.unwrap(), Recorded::Same);
    let others = [(JOB, opening(3, 2)), (JOB, opening(4, 1)), ("other", opening(3, 1))];
    for (job, other) in others {
        // The proof of another attempt's being void says nothing of this one.
        let refused = open(question, job, other.clone(), Some(other)).await.unwrap_err();
        assert_eq!(refused.code(), "journal.already-opened");
        assert!(
            matches!(refused, JournalError::AlreadyOpened { round: opened, .. } if opened == round(3, 1))
        );
    }
    assert_eq!(open(Digest::of(b"next"), JOB, opening(3, 2), None).await.unwrap(), Recorded::New);

    assert_eq!(open(question, JOB, opening(3, 3), Some(opening(3, 1))).await.unwrap(), Recorded::New);
    let back = open(question, JOB, opening(3, 1), Some(opening(3, 1))).await.unwrap_err();
    assert_eq!(back.code(), "journal.already-opened", "now it is the later attempt that counts");
    let other_job = open(question, "other", opening(3, 3), Some(opening(3, 3))).await.unwrap_err();
    assert_eq!(other_job.code(), "journal.already-opened");
}

/// A journal as the first version of the schema left it, in which a question was opened and a message said.
async fn journal_of_the_first_schema(path: &Path, question: Digest, opened: RoundId) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(include_str!("../migrations/0001_journal.sql")).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO meta (key, value) VALUES ('schema', '1');
         UPDATE meta SET value = '4' WHERE key = 'boots';
         INSERT INTO preparations (job, number, round, attempt, question) VALUES ('churn', 1, 3, 1, zeroblob(32));",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query("INSERT INTO messages (job, preparation, kind, digest, bytes) VALUES (?, 1, 'reveal', ?, ?)")
        .bind(JOB)
        .bind(&Digest::of(b"said").0[..])
        .bind(&b"said"[..])
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("INSERT INTO openings (question, job, round, attempt) VALUES (?, ?, ?, ?)")
        .bind(&question.0[..])
        .bind(JOB)
        .bind(opened.round)
        .bind(opened.attempt)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_journal_of_the_first_schema_is_taken_over_and_its_openings_are_never_void() {
    let reopened = Reopened::new();
    let (old, next) = (Digest::of(b"asked before"), Digest::of(b"asked after"));
    journal_of_the_first_schema(&reopened.path(), old, round(3, 1)).await;

    assert_eq!(reopened.journal().await.boot(), 5, "starts are counted on");
    let open = async |question, attempt: Opening| {
        reopened.journal().await.open_question(question, JOB, &attempt, |_| true).await
    };
    assert_eq!(open(old, opening(3, 1)).await.unwrap(), Recorded::Same, "the same attempt is completed");
    for other in [opening(3, 2), opening(4, 1)] {
        let refused = open(old, other).await.unwrap_err();
        assert_eq!(refused.code(), "journal.already-opened", "no promise was bound to what it knows of it");
    }
    assert_eq!(open(next, opening(4, 1)).await.unwrap(), Recorded::New);
    assert_eq!(open(next, opening(4, 2)).await.unwrap(), Recorded::New, "what is opened now can be void");
    assert_eq!(code(reopened.say(1, MessageKind::Reveal, b"another").await), "journal.already-said");
    assert_eq!(code(reopened.say(1, MessageKind::Void, b"never").await), "journal.excluded");
    assert_eq!(reopened.journal().await.boot(), 13, "it is taken over once");
}

#[tokio::test]
async fn a32_a_reveal_and_the_promise_never_to_reveal_exclude_each_other_across_restarts() {
    let reopened = Reopened::new();
    for number in [1, 2] {
        reopened.journal().await.claim_preparation(JOB, number).await.unwrap();
        let question = Digest::of(&[number as u8]);
        reopened.journal().await.bind(JOB, number, round(number as u32, 1), question).await.unwrap();
    }
    let say = async |number, kind| {
        reopened.journal().await.record_message(JOB, number, kind, kind.as_str().as_bytes()).await
    };
    say(1, MessageKind::Reveal).await.unwrap();
    assert_eq!(say(1, MessageKind::Void).await.unwrap_err().code(), "journal.excluded");
    say(2, MessageKind::Void).await.unwrap();
    for kind in [MessageKind::Header, MessageKind::Certify, MessageKind::Reveal] {
        let refused = say(2, kind).await.unwrap_err();
        assert_eq!(refused.code(), "journal.excluded");
        assert!(refused.is_refusal());
    }
    assert_eq!(say(2, MessageKind::Void).await.unwrap(), Recorded::Same);
}
