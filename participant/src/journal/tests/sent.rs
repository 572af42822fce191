//! What left the building.

use syndic_round::Place;

use super::*;

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
