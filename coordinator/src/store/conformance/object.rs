//! An S3 store, a real server, is asked the same as a folder.

use super::super::servers::s3::S3;
use super::begun::{a_cut_upload_is_gone_on_with, an_attempt_has_one_upload_of_each};
use super::blobs::{a_damaged_blob_is_named, blobs_keep_their_promise};
use crate::store::ObjectBlobs;
use crate::store::object::tests::address;

#[tokio::test]
async fn an_s3_store_keeps_all_promises_of_blobs() {
    let Some(server) = S3::with_bucket("bucket") else { return };
    let spool = tempfile::tempdir().unwrap();
    let open = async |url: &'static str| {
        ObjectBlobs::open(&address(&server, url), "federation", spool.path()).await.unwrap()
    };
    blobs_keep_their_promise(|| open("s3://bucket/prefix")).await;

    let blobs = open("s3://bucket/damaged").await;
    a_damaged_blob_is_named(&blobs, async |digest| blobs.by_hand(digest, |bytes| bytes[9] ^= 1).await).await;
    a_damaged_blob_is_named(&blobs, async |digest| blobs.by_hand(digest, |bytes| bytes.truncate(9)).await)
        .await;
    a_cut_upload_is_gone_on_with(|| open("s3://bucket/cut")).await;
    an_attempt_has_one_upload_of_each(|| open("s3://bucket/cut")).await;
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "nothing is left on the way");
}
