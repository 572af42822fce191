//! PostgreSQL, a real server, is asked the same as the others.

use std::sync::Arc;

use super::super::servers::postgres::Postgres;
use super::cosignatures::cosignatures_keep_their_promise;
use super::leases::{an_append_is_fenced, contenders_take_turns, leases_keep_their_promise};
use super::log::{a_damaged_entry_is_named, a_log_keeps_its_promise, writers_race_and_batches_stay_whole};
use crate::store::{Cosignature, Cosignatures as _, PostgresLog};

async fn open(server: &Postgres, federation: &str) -> PostgresLog {
    PostgresLog::open(&server.url().parse().unwrap(), federation).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_all_promises_of_a_log_and_of_leases() {
    let Some(server) = Postgres::start() else { return };
    a_log_keeps_its_promise(|| open(&server, "log")).await;

    let (log, rival) = (open(&server, "rivals").await, open(&server, "rivals").await);
    writers_race_and_batches_stay_whole(&log, &rival).await;

    leases_keep_their_promise(&open(&server, "leases").await).await;
    an_append_is_fenced(&open(&server, "fence").await, &open(&server, "fence").await).await;

    cosignatures_keep_their_promise(async || open(&server, "witnessed").await).await;
    let log = open(&server, "witnessed").await;
    let [.., newest] = &log.kept().await.unwrap()[..] else { panic!("two are kept") };
    log.keep(&Cosignature { size: newest.size - 1, ..newest.clone() }).await.unwrap();
    assert!(log.kept().await.unwrap().contains(newest), "a replica that is late takes nothing back");

    let log = open(&server, "damaged").await;
    a_damaged_entry_is_named(&log, async |position| {
        log.by_hand(&format!(
            "ALTER TABLE entries DISABLE TRIGGER USER;
             UPDATE entries SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) WHERE position = {position}"
        ))
        .await
        .unwrap();
    })
    .await;

    let stores = vec![Arc::new(open(&server, "race").await), Arc::new(open(&server, "race").await)];
    contenders_take_turns(stores).await;
}
