//! What is peculiar to PostgreSQL, against a real server.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::super::servers::cut::{Cut, Cutter};
use super::super::servers::postgres::Postgres;
use super::*;
use crate::store::{Leases, Log};

impl PostgresLog {
    /// What an operator does at a prompt, in the schema.
    pub(in crate::store) async fn by_hand(&self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await.map(drop)
    }
}

async fn try_open(url: &str, federation: &str) -> Result<PostgresLog, StoreError> {
    PostgresLog::open(&url.parse().unwrap(), federation).await
}

async fn open(server: &Postgres, federation: &str) -> PostgresLog {
    try_open(&server.url(), federation).await.unwrap()
}

async fn refusal(server: &Postgres, federation: &str) -> StoreError {
    try_open(&server.url(), federation).await.err().expect("it must be refused")
}

fn one(text: &str) -> Vec<Vec<u8>> {
    vec![text.as_bytes().to_vec()]
}

#[tokio::test]
async fn federations_in_one_database_are_kept_apart_and_foreign_schemas_are_left_alone() {
    let Some(server) = Postgres::start() else { return };
    let long = "l".repeat(64);
    let longer = format!("{}x", "l".repeat(63));
    for federation in ["a", "b-c", "b_c", &long, &longer] {
        let log = open(&server, federation).await;
        assert_eq!(
            log.append(0, &one(federation)).await.unwrap(),
            1,
            "{federation} begins with its own entry"
        );
        log.acquire("lease", "somebody", Duration::from_secs(60)).await.unwrap();
    }
    let log = open(&server, "a").await;
    assert_eq!(log.read(0, 9).await.unwrap(), [b"a"]);

    for tampering in ["UPDATE entries SET bytes = ''", "DELETE FROM entries", "TRUNCATE entries"] {
        let refused = log.by_hand(tampering).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }

    log.by_hand("UPDATE meta SET value = 'other' WHERE key = 'federation'").await.unwrap();
    assert_eq!(refusal(&server, "a").await.code(), "store.other-federation");
    log.by_hand("UPDATE meta SET value = '999' WHERE key = 'schema'; UPDATE meta SET value = 'a' WHERE key = 'federation'")
        .await
        .unwrap();
    let newer = refusal(&server, "a").await;
    assert!(matches!(newer, StoreError::NewerSchema { found: 999, known: 2, .. }), "{newer}");

    log.by_hand("CREATE SCHEMA syndic_foreign; CREATE TABLE syndic_foreign.customers (id int)")
        .await
        .unwrap();
    assert_eq!(refusal(&server, "foreign").await.code(), "store.wrong-format");
    log.by_hand("CREATE TABLE syndic_foreign.meta (key text, value text)").await.unwrap();
    assert_eq!(refusal(&server, "foreign").await.code(), "store.wrong-format");
    log.by_hand("DROP TABLE syndic_foreign.customers, syndic_foreign.meta").await.unwrap();
    assert_eq!(open(&server, "foreign").await.size().await.unwrap(), 0, "an empty schema was made for us");
}

#[tokio::test]
async fn whoever_stands_still_in_the_middle_of_an_append_holds_up_no_other() {
    let Some(server) = Postgres::start() else { return };
    let (log, other) = (open(&server, "f").await, open(&server, "f").await);
    let stands_still = log.begin().await.unwrap();
    assert_eq!(other.append(0, &one("of another")).await.unwrap(), 1);
    assert!(stands_still.commit().await.is_err(), "and has lost its turn");
    assert_eq!(log.append(1, &one("its own")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_missing_entry_is_named() {
    let Some(server) = Postgres::start() else { return };
    let log = open(&server, "f").await;
    log.append(0, &[b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]).await.unwrap();
    log.by_hand("ALTER TABLE entries DISABLE TRIGGER USER; DELETE FROM entries WHERE position = 1")
        .await
        .unwrap();
    let refused = log.read(0, 9).await.unwrap_err();
    assert!(refused.code() == "store.corrupt" && refused.to_string().contains("entry 1 of"), "{refused}");
}

#[tokio::test]
async fn a_server_that_does_not_store_durably_is_refused_also_later() {
    let Some(server) = Postgres::start_with(&["synchronous_commit=off"]) else { return };
    let refused = refusal(&server, "f").await;
    assert_eq!(refused.code(), "store.not-durable");
    assert!(refused.to_string().contains("synchronous_commit"), "{refused}");

    let durable = format!("{}&options=-c%20synchronous_commit%3Don", server.url());
    let log = try_open(&durable, "f").await.unwrap();
    assert_eq!(log.append(0, &one("a")).await.unwrap(), 1);
    drop(log);
    // A connection that was made while it was on finds it off.
    let log = try_open(&durable, "f").await.unwrap();
    log.pool.set_connect_options(options(&server.url().parse().unwrap(), "syndic_f"));
    assert_eq!(log.append(1, &one("b")).await.unwrap_err().code(), "store.not-durable");
    assert_eq!(log.size().await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_an_append_leaves_all_of_it_or_nothing() {
    let Some(server) = Postgres::start() else { return };
    let cutter = Cutter::to(server.port(), b"COMMIT\0").await;
    let log = try_open(&Postgres::url_at(cutter.port()), "f").await.unwrap();
    let mut size = 0;
    for (cut, stored) in [(Cut::Before, false), (Cut::After, true), (Cut::After, true), (Cut::Before, false)]
    {
        let batch = vec![format!("first after {size}").into_bytes(), b"second".to_vec()];
        cutter.set(cut);
        let lost = log.append(size, &batch).await.unwrap_err();
        assert_eq!(lost.code(), "store.unsettled", "{lost}");
        assert!(lost.leaves_open_what_is_stored());

        assert_eq!(log.holds(size, &batch).await.unwrap(), stored, "{cut:?}");

        if !stored {
            assert_eq!(log.append(size, &batch).await.unwrap(), size + 2);
        }
        size += 2;
        assert_eq!(log.size().await.unwrap(), size);
    }
}

#[tokio::test]
async fn a_connection_cut_before_the_commit_stores_nothing_and_says_so() {
    let Some(server) = Postgres::start() else { return };
    let cutter = Cutter::to(server.port(), b"INSERT INTO entries").await;
    let log = try_open(&Postgres::url_at(cutter.port()), "f").await.unwrap();
    cutter.set(Cut::After);
    let lost = log.append(0, &one("a")).await.unwrap_err();
    assert_eq!(lost.code(), "store.unreachable", "{lost}");
    assert_eq!(log.append(0, &one("a")).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_killed_and_started_again_has_lost_nothing_acknowledged() {
    let Some(mut server) = Postgres::start() else { return };
    let log = open(&server, "f").await;
    let mut told = 0;
    for life in 0..2 {
        for number in 0..5 {
            told = log.append(told, &one(&format!("entry {number} of life {life}"))).await.unwrap();
        }
        server.kill();
        let refused = try_open(&server.url(), "f").await.err().unwrap();
        assert_eq!(refused.code(), "store.unreachable", "{refused}");
        assert!(refused.help().is_some());
        server.restart();
        assert_eq!(log.size().await.unwrap(), told, "it connects again by itself");
    }
    assert_eq!(log.read(0, u64::MAX).await.unwrap().len(), 10);
}

#[tokio::test]
async fn whoever_waits_hears_of_another_process_that_appended() {
    let Some(mut server) = Postgres::start() else { return };
    let (here, there) = (open(&server, "f").await, open(&server, "f").await);
    let mut stirs = here.stirs();
    for size in 1..4 {
        there.append(size - 1, &one("entry")).await.unwrap();
        while here.size().await.unwrap() < size {
            stirs.next().await;
        }
    }
    server.restart();
    while there.append(3, &one("entry")).await.is_err_and(|error| error.code() == "store.unreachable") {}
    while here.size().await.is_ok_and(|size| size < 4) {
        stirs.next().await;
    }
    assert_eq!(here.size().await.unwrap(), 4);
}

#[tokio::test]
async fn a_schema_of_the_first_version_is_brought_to_this_one_with_its_entries() {
    let Some(server) = Postgres::start() else { return };
    let log = open(&server, "f").await;
    log.append(0, &one("a")).await.unwrap();
    log.by_hand(
        "DROP TABLE cosignatures; DROP FUNCTION tell_the_others CASCADE; ALTER TABLE leases DROP COLUMN note;
         UPDATE meta SET value = '1' WHERE key = 'schema'",
    )
    .await
    .unwrap();
    let migrated = open(&server, "f").await;
    assert_eq!(migrated.append(1, &one("b")).await.unwrap(), 2);
    assert_eq!(migrated.read(0, 9).await.unwrap(), [b"a", b"b"]);
    let lease = migrated.acquire("job/a", "one", Duration::from_secs(60)).await.unwrap();
    migrated.note(&lease, "here").await.unwrap();
}

#[tokio::test]
async fn whoever_may_not_log_in_or_write_is_told_so() {
    let Some(server) = Postgres::start() else { return };
    let log = open(&server, "f").await;
    log.by_hand("CREATE ROLE guest LOGIN").await.unwrap();
    let guest = server.url().replace("syndic@", "guest@");
    let denied = try_open(&guest, "other").await.err().unwrap();
    assert_eq!(denied.code(), "store.denied", "{denied}");
    let denied = try_open(&guest, "f").await.err().unwrap();
    assert_eq!(denied.code(), "store.denied", "{denied}");
    let unknown = try_open(&server.url().replace("/postgres?", "/nowhere?"), "f").await.err().unwrap();
    assert_eq!(unknown.code(), "store.denied", "{unknown}");
}
