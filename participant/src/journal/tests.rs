//! What the journal promises, asked again after every reopening.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use syndic_round::message::Context;
use syndic_round::{Digest, Place, RoundId};
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
    sqlx::raw_sql(include_str!("migrations/0001_journal.sql")).execute(&mut connection).await.unwrap();
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

#[tokio::test]
async fn what_left_the_building_is_listed_in_order_also_while_the_agent_runs() {
    let reopened = Reopened::new();
    let sending = |what: &str, bytes: u64, place: Place| Sent {
        job: JOB.into(),
        place,
        what: what.into(),
        bytes,
        digest: Digest::of(what.as_bytes()),
        at_ms: 1_700_000_000_000 + bytes,
    };
    let at = round(2, 1).into();
    let all = [
        sending("advertise", 1300, Place::Ahead(7)),
        sending("upload", 8192, at),
        sending("reveal", 4096, at),
        sending("upload", 8192, at),
    ];
    for sent in &all {
        reopened.journal().await.sent(sent).await.unwrap();
    }
    let running = reopened.journal().await;
    assert_eq!(read_sent(&reopened.path()).await.unwrap(), all);
    let boot = running.boot();
    drop(running);
    assert_eq!(read_sent(&reopened.path()).await.unwrap(), all, "also when no agent runs");
    assert_eq!(reopened.journal().await.boot(), boot + 1, "reading is no boot");
}

#[tokio::test]
async fn a_message_that_leaves_at_once_is_recorded_with_its_sending_or_not_at_all() {
    let reopened = Reopened::with_preparations([1]).await;
    let journal = reopened.journal().await;
    let sent = |bytes: &[u8]| Sent {
        job: JOB.into(),
        place: Place::Ahead(1),
        what: "advertise".into(),
        bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
        at_ms: 1_700_000_000_000,
    };
    let leave = async |preparation, bytes: &[u8]| {
        journal.record_leaving(JOB, preparation, MessageKind::Advertise, bytes, &sent(bytes)).await
    };
    assert_eq!(leave(1, b"said").await.unwrap(), Recorded::New);
    assert_eq!(leave(1, b"said").await.unwrap(), Recorded::Same);
    assert_eq!(code(leave(1, b"otherwise").await), "journal.already-said");
    assert_eq!(code(leave(2, b"said").await), "journal.preparation-unknown");
    assert_eq!(read_sent(&reopened.path()).await.unwrap(), [sent(b"said"), sent(b"said")]);
    assert_eq!(journal.message(JOB, 1, MessageKind::Advertise).await.unwrap().unwrap(), b"said");
}

#[tokio::test]
async fn a_damaged_list_of_what_left_is_told_as_such_and_not_in_part() {
    let reopened = Reopened::new();
    let whole = Sent {
        job: JOB.into(),
        place: round(1, 1).into(),
        what: "reveal".into(),
        bytes: 4096,
        digest: Digest::of(b"reveal"),
        at_ms: 1_700_000_000_000,
    };
    for damage in [
        "UPDATE sent SET digest = x'00' WHERE number = 2",
        "UPDATE sent SET bytes = -1 WHERE number = 2",
        "UPDATE sent SET at_ms = -1 WHERE number = 2",
        "UPDATE sent SET round = 4294967296 WHERE number = 2",
        "UPDATE sent SET attempt = -1 WHERE number = 2",
        "UPDATE sent SET preparation = -1 WHERE number = 2",
        "UPDATE sent SET what = CAST(x'ff' AS TEXT) WHERE number = 2",
    ] {
        let journal = reopened.journal().await;
        sqlx::raw_sql("DELETE FROM sent; DELETE FROM sqlite_sequence")
            .execute(&mut *journal.connection().await)
            .await
            .unwrap();
        for _ in 0..2 {
            journal.sent(&whole).await.unwrap();
        }
        assert_eq!(read_sent(&reopened.path()).await.unwrap().len(), 2);
        sqlx::raw_sql(damage).execute(&mut *journal.connection().await).await.unwrap();

        let refused = read_sent(&reopened.path()).await.unwrap_err();

        assert_eq!(refused.code(), "journal.corrupt", "{damage}");
        assert!(refused.help().is_some_and(|help| help.contains("keygen")), "it says what to do next");
    }
}

#[tokio::test]
async fn what_was_recorded_is_in_the_files_before_the_journal_is_closed() {
    let reopened = Reopened::with_preparations([1]).await;
    let running = reopened.journal().await;
    running.record_message(JOB, 1, MessageKind::Advertise, b"said").await.unwrap();

    let copy = reopened.dir.path().join("after-the-crash.sqlite");
    std::fs::copy(reopened.path(), &copy).unwrap();
    std::fs::copy(reopened.path().with_extension("sqlite-wal"), copy.with_extension("sqlite-wal")).unwrap();

    let recovered = Journal::open(&copy).await.unwrap();
    let refused = recovered.record_message(JOB, 1, MessageKind::Advertise, b"another").await;
    assert_eq!(code(refused), "journal.already-said");
}

#[tokio::test]
async fn a_damaged_message_is_never_sent_again() {
    let reopened = Reopened::with_preparations([1]).await;
    let journal = reopened.journal().await;
    journal.record_message(JOB, 1, MessageKind::Advertise, b"said").await.unwrap();
    sqlx::raw_sql("UPDATE messages SET bytes = x'00'")
        .execute(&mut *journal.connection().await)
        .await
        .unwrap();
    assert_eq!(code(journal.message(JOB, 1, MessageKind::Advertise).await), "journal.corrupt");
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = async |path: &Path| Journal::open(path).await.err().expect("must be refused").code();

    let text = dir.path().join("text");
    std::fs::write(&text, "not a database, but long enough to look at".repeat(100)).unwrap();
    assert_eq!(refusal(&text).await, "journal.corrupt");
    assert_eq!(refusal(&text.join("below-a-file")).await, "journal.io");
    assert_eq!(code(read_sent(&dir.path().join("absent")).await), "journal.io");

    let newer = dir.path().join("newer.sqlite");
    let journal = Journal::open(&newer).await.unwrap();
    sqlx::raw_sql("UPDATE meta SET value = '999' WHERE key = 'schema'")
        .execute(&mut *journal.connection().await)
        .await
        .unwrap();
    drop(journal);
    assert_eq!(refusal(&newer).await, "journal.newer-schema");
    assert_eq!(code(read_sent(&newer).await), "journal.newer-schema");

    let foreign = dir.path().join("foreign.sqlite");
    let journal = Journal::open(&foreign).await.unwrap();
    sqlx::raw_sql("DROP TABLE meta").execute(&mut *journal.connection().await).await.unwrap();
    drop(journal);
    assert_eq!(refusal(&foreign).await, "journal.wrong-format");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_user_can_read_the_journal() {
    use std::os::unix::fs::PermissionsExt;
    let reopened = Reopened::new();
    let _running = reopened.journal().await;
    for file in std::fs::read_dir(reopened.dir.path().join("state")).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}
