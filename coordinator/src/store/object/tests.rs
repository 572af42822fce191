//! What is peculiar to an S3 store, against a real server.

use object_store::multipart::MultipartStore;
use syndic_round::{JobId, ParticipantId, RoundId};

use super::super::servers::s3::S3;
use super::upload::PART_BYTES;
use super::*;

impl ObjectBlobs {
    /// What an operator does with a tool for buckets.
    pub(in crate::store) async fn by_hand(&self, digest: Digest, change: impl Fn(&mut Vec<u8>)) {
        let key = self.key_of(digest);
        let mut bytes: Vec<u8> = self.bucket.get(&key).await.unwrap().bytes().await.unwrap().into();
        change(&mut bytes);
        self.bucket.put(&key, PutPayload::from(bytes)).await.unwrap();
    }
}

/// The bucket `bucket` of the server, which is made if need be.
pub(in crate::store) fn address(server: &S3, url: &str) -> S3Address {
    let credentials = S3Credentials::parse("aws_access_key_id=A\naws_secret_access_key=B").unwrap();
    S3Address::new(url, Some(server.endpoint()), "us-east-1").unwrap().with_credentials(credentials)
}

async fn try_open(server: &S3, url: &str, federation: &str) -> Result<ObjectBlobs, StoreError> {
    ObjectBlobs::open(&address(server, url), federation, &std::env::temp_dir()).await
}

#[tokio::test]
async fn a_prefix_belongs_to_one_federation_and_what_is_foreign_is_left_alone() {
    let Some(server) = S3::with_bucket("bucket") else { return };
    let ours = try_open(&server, "s3://bucket/ours", "a").await.unwrap();
    let digest = ours.put(b"blob").await.unwrap();
    let again = try_open(&server, "s3://bucket/ours", "a").await.unwrap();
    assert_eq!(again.read(digest).await.unwrap(), b"blob");

    let refused = try_open(&server, "s3://bucket/ours", "b").await.err().unwrap();
    assert!(matches!(&refused, StoreError::OtherFederation { found, .. } if found == "a"), "{refused}");
    let beside = try_open(&server, "s3://bucket/ours2", "b").await.unwrap();
    assert!(!beside.contains(digest).await.unwrap());

    // Seen from above, the prefix of another federation is something else.
    let refused = try_open(&server, "s3://bucket", "a").await.err().unwrap();
    assert_eq!(refused.code(), "store.wrong-format");
    let format = ours.key("format.toml");
    let newer = "format = \"syndic-blobs\"\nversion = 2\nfederation = \"a\"\n";
    ours.bucket.put(&format, PutPayload::from(newer)).await.unwrap();
    let refused = try_open(&server, "s3://bucket/ours", "a").await.err().unwrap();
    assert_eq!(refused.code(), "store.newer-schema");

    let refused = try_open(&server, "s3://no-such-bucket/ours", "a").await.err().unwrap();
    assert_eq!(refused.code(), "store.denied", "{refused}");
}

#[tokio::test]
async fn a_store_that_takes_connections_and_says_nothing_is_given_up() {
    // The system takes connections for it; nobody reads what comes.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let credentials = S3Credentials::parse("aws_access_key_id=A\naws_secret_access_key=B").unwrap();
    let address = S3Address::new("s3://bucket/p", Some(&endpoint), "us-east-1").unwrap();
    let address = address.with_credentials(credentials).silent_for_at_most(Duration::from_millis(100));
    let refused = ObjectBlobs::open(&address, "a", &std::env::temp_dir()).await.err().unwrap();
    assert_eq!(refused.code(), "store.unreachable", "{refused}");
}

#[tokio::test]
async fn a_large_blob_goes_up_in_parts_and_an_abandoned_upload_is_swept() {
    let Some(server) = S3::with_bucket("bucket") else { return };
    let blobs = try_open(&server, "s3://bucket/p", "a").await.unwrap();
    let large: Vec<u8> = (0..2 * PART_BYTES + 3).map(|i| (i % 253) as u8).collect();
    let digest = blobs.put(&large).await.unwrap();
    assert!(blobs.read(digest).await.unwrap() == large);
    assert_eq!(blobs.sweep_partial().await.unwrap(), 0, "a completed upload leaves no note");

    // A process that dies in the middle leaves its upload and its note.
    let lost = Digest::of(b"lost");
    let key = blobs.key_of(lost);
    let id = blobs.bucket.create_multipart(&key).await.unwrap();
    blobs.bucket.put_part(&key, &id, 0, PutPayload::from_static(b"part")).await.unwrap();
    let note = PutPayload::from(format!("{key}\n{id}"));
    blobs.bucket.put(&blobs.key("partial/note"), note).await.unwrap();
    assert_eq!(blobs.sweep_partial().await.unwrap(), 0, "it may be alive");
    let later = ObjectBlobs { abandoned_after: Duration::ZERO, ..blobs.clone() };
    assert_eq!(later.sweep_abandoned().await.unwrap(), 1, "also while this process is at work");
    assert!(
        blobs.bucket.put_part(&key, &id, 1, PutPayload::from_static(b"part")).await.is_err(),
        "it is ended"
    );
    assert_eq!(later.sweep_partial().await.unwrap(), 0);
    assert!(!blobs.contains(lost).await.unwrap());
}

#[tokio::test]
async fn a_blob_is_not_lost_though_it_is_stored_again_or_everything_ends_while_it_is_set_aside_or_put_back() {
    let Some(server) = S3::with_bucket("bucket") else { return };
    let blobs = try_open(&server, "s3://bucket/p", "a").await.unwrap();
    let digest = blobs.put(b"a question").await.unwrap();
    let (stored, aside) = (blobs.key_of(digest), blobs.aside_of(digest));
    let is_whole = async || blobs.read(digest).await.unwrap() == b"a question";
    let listed =
        async || [blobs.list(None, 9).await.unwrap().len(), blobs.aside(None, 9).await.unwrap().len()];

    // Whoever sets it aside dies after the first of two steps.
    assert!(blobs.copied(&stored, &aside).await.unwrap());
    assert_eq!((is_whole().await, listed().await), (true, [1, 1]));
    assert!(blobs.set_aside(digest).await.unwrap());
    assert_eq!((is_whole().await, listed().await), (true, [0, 1]));

    // Whoever puts it back dies after the first of two.
    assert!(blobs.copied(&aside, &stored).await.unwrap());
    assert_eq!((is_whole().await, listed().await), (true, [1, 1]));
    blobs.put_back(digest).await.unwrap();
    assert_eq!((is_whole().await, listed().await), (true, [1, 0]));

    // Another process stores it between both steps of setting it aside: the second takes that away.
    assert!(blobs.copied(&stored, &aside).await.unwrap());
    blobs.put(b"a question").await.unwrap();
    assert!(blobs.removed(&stored).await.unwrap());
    assert!(is_whole().await, "it is found where it was set aside");
    blobs.put_back(digest).await.unwrap();
    assert_eq!((is_whole().await, listed().await), (true, [1, 0]));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_an_error_that_names_it() {
    let nobody = S3Address::new("s3://bucket/p", Some("http://127.0.0.1:9"), "x").unwrap();
    let nobody = nobody
        .with_credentials(S3Credentials::parse("aws_access_key_id=A\naws_secret_access_key=B").unwrap());
    let spool = tempfile::tempdir().unwrap();
    let refused = ObjectBlobs::open(&nobody, "a", spool.path()).await.err().unwrap();
    assert_eq!(refused.code(), "store.unreachable", "{refused}");
    assert!(refused.to_string().contains("s3://bucket/p at http://127.0.0.1:9"), "{refused}");
}

#[tokio::test]
async fn an_upload_that_the_store_does_not_take_is_held_whole_until_it_does() {
    let Some(server) = S3::with_bucket("bucket") else { return };
    let spool = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::open(&address(&server, "s3://bucket/p"), "a", spool.path()).await.unwrap();
    let bucket = Arc::new(address(&server, "s3://no-such-bucket/p").connect().unwrap());
    let away = ObjectBlobs { bucket, ..blobs.clone() };
    let name = UploadName {
        job: JobId::new("churn").unwrap(),
        round: RoundId { round: 1, attempt: 1 },
        from: ParticipantId::new(1).unwrap(),
        header: Digest::of(b"header"),
    };
    // In one piece, and in parts.
    for length in [9, PART_BYTES + 1] {
        let update: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let Resumed::On(mut writer) = away.resume(&name, 0, &mut |_| {}).await.unwrap() else { panic!() };
        writer.write(&update).await.unwrap();
        assert!(writer.finish(None).await.is_err());

        let held = away.begun(&name).await.unwrap().unwrap();
        assert_eq!((held.bytes, held.digest), (length, Digest::of(&update)));
        let Resumed::On(writer) = blobs.resume(&name, length, &mut |_| {}).await.unwrap() else { panic!() };
        assert!(blobs.read(writer.finish(None).await.unwrap()).await.unwrap() == update);
        assert_eq!(blobs.begun(&name).await.unwrap(), None);
    }
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "nothing is left on the way");
}
