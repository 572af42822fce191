//! One suite for every implementation of a store: what the traits promise, asked of each.
//!
//! Each suite gets a function that opens the store anew, so that what it checks is what survived.

mod begun;
mod blobs;
mod cosignatures;
mod leases;
mod log;
mod object;
mod postgres;

use std::path::Path;
use std::sync::Arc;

use begun::{a_cut_upload_is_gone_on_with, an_attempt_has_one_upload_of_each};
use blobs::{a_damaged_blob_is_named, blobs_keep_their_promise};
use cosignatures::cosignatures_keep_their_promise;
use leases::{an_append_is_fenced, contenders_take_turns, leases_keep_their_promise};
use log::{a_damaged_entry_is_named, a_log_keeps_its_promise, writers_race_and_batches_stay_whole};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use syndic_round::Digest;

use super::{FolderBlobs, FolderCosignatures, SqliteLog};

async fn sqlite(dir: &Path) -> SqliteLog {
    SqliteLog::open(&dir.join("new/folder/log.sqlite")).await.unwrap()
}

async fn folder(dir: &Path) -> FolderBlobs {
    FolderBlobs::open(dir).await.unwrap()
}

#[tokio::test]
async fn sqlite_keeps_the_promise_of_a_log() {
    let dir = tempfile::tempdir().unwrap();
    a_log_keeps_its_promise(|| sqlite(dir.path())).await;
}

#[tokio::test]
async fn sqlite_lets_one_of_two_writers_win() {
    let dir = tempfile::tempdir().unwrap();
    let (log, rival) = (sqlite(dir.path()).await, sqlite(dir.path()).await);
    writers_race_and_batches_stay_whole(&log, &rival).await;
}

#[tokio::test]
async fn sqlite_keeps_the_promise_of_leases() {
    let dir = tempfile::tempdir().unwrap();
    leases_keep_their_promise(&sqlite(dir.path()).await).await;
}

#[tokio::test]
async fn sqlite_fences_appends() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (sqlite(dir.path()).await, sqlite(dir.path()).await);
    an_append_is_fenced(&here, &there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contenders_take_turns_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let stores = vec![Arc::new(sqlite(dir.path()).await), Arc::new(sqlite(dir.path()).await)];
    contenders_take_turns(stores).await;
}

#[tokio::test]
async fn sqlite_names_a_damaged_entry() {
    let dir = tempfile::tempdir().unwrap();
    let log = sqlite(dir.path()).await;
    a_damaged_entry_is_named(&log, async |position| {
        let file = dir.path().join("new/folder/log.sqlite");
        let mut hand = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let damage = "DROP TRIGGER entries_are_never_changed;
                      UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'e', 'f') AS BLOB) WHERE position = ";
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{damage}{position}"))).execute(&mut hand).await.unwrap();
        hand.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_folder_keeps_the_promise_of_blobs() {
    let dir = tempfile::tempdir().unwrap();
    blobs_keep_their_promise(|| folder(dir.path())).await;
}

#[tokio::test]
async fn a_folder_goes_on_with_uploads_that_were_cut() {
    let dir = tempfile::tempdir().unwrap();
    a_cut_upload_is_gone_on_with(|| folder(dir.path())).await;
}

#[tokio::test]
async fn a_folder_has_one_upload_of_each_participant_in_an_attempt() {
    let dir = tempfile::tempdir().unwrap();
    an_attempt_has_one_upload_of_each(|| folder(dir.path())).await;
}

#[tokio::test]
async fn a_folder_names_a_damaged_blob() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = folder(dir.path()).await;
    let path = |digest: Digest| {
        let hex = digest.to_string();
        dir.path().join("blobs").join(&hex[..2]).join(&hex[2..])
    };
    a_damaged_blob_is_named(&blobs, async |digest| {
        let mut bytes = std::fs::read(path(digest)).unwrap();
        bytes[9] ^= 1;
        std::fs::write(path(digest), bytes).unwrap();
    })
    .await;
    a_damaged_blob_is_named(&blobs, async |digest| {
        let bytes = std::fs::read(path(digest)).unwrap();
        std::fs::write(path(digest), &bytes[..bytes.len() - 1]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_folder_keeps_the_promise_of_cosignatures() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cosignatures");
    cosignatures_keep_their_promise(async || FolderCosignatures::open(&folder).await.unwrap()).await;
}
