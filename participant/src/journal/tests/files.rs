//! The journal's files: what is in them after a crash, and what is no journal or a damaged one.

use std::path::Path;

use super::*;

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
