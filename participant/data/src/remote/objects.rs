//! The objects of a source, copied from a bucket into files.
//!
//! An object is replaced as a whole, and one answer of the store is of one content. That the answers belong together is seen by the
//! list before and the list after; which content it was, by its digest alone.

use std::error::Error as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig,
};
use sha2::{Digest as _, Sha256};
use tokio_stream::StreamExt as _;

use super::address::{Bucket, Wanted};
use super::secret::{self, Keys};
use super::{MB, in_time};
use crate::files::is_wanted;
use crate::{FetchError, FileDigest, Objects, QueryError, SourceFiles};

/// Copies the objects of `source` into `folder`, each under the last part of its key, and tells what came. Memory does not grow with
/// them.
///
/// # Errors
/// [`FetchError`]; where there is none; where one is replaced meanwhile; or where a file cannot be written.
pub(crate) async fn download(
    source: &str,
    objects: &Objects,
    folder: &Path,
) -> Result<SourceFiles, QueryError> {
    let bucket =
        Bucket::of(objects).map_err(|reason| FetchError::Address { source: source.into(), reason })?;
    let store = connect(source, objects, &bucket)?;
    let store = Store { source, objects, wanted: &bucket.wanted, store: &store };
    in_time(source, &place(objects), store.copy(folder)).await
}

impl Store<'_> {
    async fn copy(&self, folder: &Path) -> Result<SourceFiles, QueryError> {
        let listed = self.list().await?;
        let files = self.fetch(&listed, folder).await?;
        let same = |(before, after): (&ObjectMeta, &ObjectMeta)| {
            let of = |object: &ObjectMeta| {
                // Where the store names no version, when it was written has to do.
                let written = object.e_tag.is_none().then_some(object.last_modified);
                (object.location.clone(), object.size, object.e_tag.clone(), written)
            };
            of(before) == of(after)
        };
        let after = self.list().await?;
        if listed.len() != after.len() || !listed.iter().zip(&after).all(same) {
            return Err(self.changed());
        }
        Ok(SourceFiles { name: self.source.into(), files })
    }
}

/// The objects of a source in their store.
struct Store<'a> {
    source: &'a str,
    objects: &'a Objects,
    wanted: &'a Wanted,
    store: &'a dyn ObjectStore,
}

impl Store<'_> {
    /// The objects in the order of their names, as files of a folder are.
    async fn list(&self) -> Result<Vec<ObjectMeta>, QueryError> {
        let (prefix, pattern) = match self.wanted {
            Wanted::One(key) => {
                return Ok(vec![self.store.head(key).await.map_err(|error| self.failed(&error))?]);
            }
            Wanted::Below(prefix, pattern) => (prefix, pattern.as_deref()),
        };
        let listed =
            self.store.list_with_delimiter(Some(prefix)).await.map_err(|error| self.failed(&error))?;
        let is_meant = |object: &ObjectMeta| {
            object.location.filename().is_some_and(|name| is_wanted(name, pattern, self.objects.format))
        };
        let mut found: Vec<ObjectMeta> = listed.objects.into_iter().filter(is_meant).collect();
        found.sort_by(|one, other| one.location.cmp(&other.location));
        if found.is_empty() { Err(self.none()) } else { Ok(found) }
    }

    async fn fetch(&self, listed: &[ObjectMeta], folder: &Path) -> Result<Vec<FileDigest>, QueryError> {
        let bytes: u64 = listed.iter().map(|object| object.size).sum();
        let max_mb = self.objects.max_mb;
        if bytes > max_mb.saturating_mul(MB) {
            return Err(FetchError::TooLarge { source: self.source.into(), max_mb }.into());
        }
        let mut files = Vec::new();
        for object in listed {
            files.push(self.fetch_one(object, folder).await?);
        }
        Ok(files)
    }

    async fn fetch_one(&self, object: &ObjectMeta, folder: &Path) -> Result<FileDigest, QueryError> {
        let failed = |error: object_store::Error| match error {
            object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. } => self.changed(),
            error => self.failed(&error),
        };
        // A weak tag says nothing of the bytes, and fits no condition.
        let if_match = object.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        let options = GetOptions { if_match, ..GetOptions::default() };
        let mut content = self.store.get_opts(&object.location, options).await.map_err(failed)?.into_stream();
        let name = object.location.filename().unwrap_or_default().to_owned();
        let mut file = File::create_new(folder.join(&name)).map_err(QueryError::engine)?;
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        while let Some(piece) = content.next().await.transpose().map_err(failed)? {
            bytes += piece.len() as u64;
            if bytes > object.size {
                return Err(self.changed());
            }
            digest.update(&piece);
            file.write_all(&piece).map_err(QueryError::engine)?;
        }
        match bytes == object.size {
            true => Ok(FileDigest { name, bytes, sha256: hex::encode(digest.finalize()) }),
            false => Err(self.changed()),
        }
    }

    fn changed(&self) -> QueryError {
        QueryError::Changed(self.source.into())
    }

    fn none(&self) -> QueryError {
        QueryError::NoFiles { source: self.source.into(), path: PathBuf::from(&self.objects.url) }
    }

    /// What the store says, in our words: its own repeat the request, with the name of the key that signed it.
    fn failed(&self, error: &object_store::Error) -> QueryError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let (source, place) = (self.source.to_owned(), place(self.objects));
        match error {
            NotFound { .. } => self.none(),
            PermissionDenied { .. } => {
                FetchError::Denied { source, place, reason: "these keys have no right to it".into() }.into()
            }
            Unauthenticated { .. } => {
                FetchError::Denied { source, place, reason: "it does not know these keys".into() }.into()
            }
            error if error.to_string().contains(NO_BUCKET) => {
                FetchError::Denied { source, place, reason: "there is no such bucket".into() }.into()
            }
            error => FetchError::Unreachable { source, place, reason: reason(error) }.into(),
        }
    }
}

fn connect(source: &str, objects: &Objects, bucket: &Bucket) -> Result<impl ObjectStore, QueryError> {
    let mut client = ClientOptions::new()
        .with_allow_http(bucket.is_plain)
        // One object may take as long as all of them, as long as something comes.
        .with_timeout_disabled()
        .with_read_timeout(SILENCE)
        .with_connect_timeout(CONNECT);
    if let Some(path) = &objects.authorities_file {
        let (_, found) = secret::authorities(source, path)?;
        client = found.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    let mut builder = match &objects.credentials_file {
        None => AmazonS3Builder::from_env(),
        Some(path) => {
            let Keys { id, secret, token } = Keys::read(source, path)?;
            let builder =
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.as_str());
            match token {
                Some(token) => builder.with_token(token.as_str()),
                None => builder,
            }
        }
    };
    if let Some(endpoint) = &objects.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let retry =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: LONGEST };
    let built = builder
        .with_bucket_name(&bucket.name)
        .with_region(&objects.region)
        .with_client_options(client)
        .with_retry(retry)
        .build();
    built.map_err(|error| {
        FetchError::Unreachable { source: source.into(), place: place(objects), reason: reason(&error) }
            .into()
    })
}

/// The address, which holds no secret.
fn place(objects: &Objects) -> String {
    match &objects.endpoint {
        Some(endpoint) => format!("{} at {endpoint}", objects.url),
        None => objects.url.clone(),
    }
}

/// Why a request failed, by what it is and never by what the store answered.
fn reason(error: &object_store::Error) -> String {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(http) = found.downcast_ref::<HttpError>() {
            let what = match http.kind() {
                HttpErrorKind::Connect => return format!("no connection: {}", innermost(http)),
                HttpErrorKind::Timeout => "no answer in time",
                HttpErrorKind::Interrupted => "the connection broke off",
                _ => "the answer cannot be understood",
            };
            return what.into();
        }
        cause = found.source();
    }
    "the store answers with an error, or no keys were found in the environment".into()
}

/// What an error to connect comes from: of the system, of a name, or of a certificate.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// What S3 says of a bucket that there is none; the library takes it for an answer like any other.
const NO_BUCKET: &str = "<Code>NoSuchBucket</Code>";
const CONNECT: Duration = Duration::from_secs(10);
/// A store that says nothing for so long is as good as gone.
const SILENCE: Duration = Duration::from_secs(60);
/// What breaks off is gone on with so often, from where it was.
const RETRIES: usize = 4;
/// The time in which it is: longer than any object takes.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path as Key;

    use super::*;
    use crate::Format;

    fn objects(max_mb: u64) -> Objects {
        Objects {
            url: "s3://lake/day/".into(),
            format: Format::Csv,
            endpoint: None,
            region: "us-east-1".into(),
            credentials_file: None,
            authorities_file: None,
            max_mb,
        }
    }

    async fn put(store: &InMemory, key: &str, text: &str) {
        store.put(&Key::parse(key).unwrap(), text.to_owned().into()).await.unwrap();
    }

    async fn stored() -> InMemory {
        let store = InMemory::new();
        for key in [
            "day/b.csv",
            "day/a.csv.gz",
            "day/_SUCCESS",
            "day/.c.csv",
            "day/d.parquet",
            "day/old/e.csv",
            "f.csv",
        ] {
            put(&store, key, key).await;
        }
        store
    }

    fn names(found: &[ObjectMeta]) -> Vec<&str> {
        found.iter().map(|object| object.location.as_ref()).collect()
    }

    #[tokio::test]
    async fn objects_below_a_prefix_are_what_files_of_a_folder_are() {
        let (store, objects) = (stored().await, objects(1));
        let listed = async |wanted: Wanted| {
            let store = Store { source: "lake", objects: &objects, wanted: &wanted, store: &store };
            store.list().await.map_err(|error| error.code())
        };
        let below = |pattern: Option<&str>| Wanted::Below(Key::from("day"), pattern.map(Into::into));
        assert_eq!(names(&listed(below(None)).await.unwrap()), ["day/a.csv.gz", "day/b.csv"]);
        assert_eq!(names(&listed(below(Some("*.parquet"))).await.unwrap()), ["day/d.parquet"]);
        assert_eq!(names(&listed(Wanted::One(Key::from("f.csv"))).await.unwrap()), ["f.csv"]);
        for none in [Wanted::One(Key::from("g.csv")), below(Some("x*"))] {
            assert_eq!(listed(none).await.unwrap_err(), "data.source-empty");
        }
    }

    #[tokio::test]
    async fn an_object_is_copied_with_its_digest_and_one_that_was_replaced_is_refused() {
        let (store, objects, folder) = (stored().await, objects(1), tempfile::tempdir().unwrap());
        let wanted = Wanted::One(Key::from("day/b.csv"));
        let of = Store { source: "lake", objects: &objects, wanted: &wanted, store: &store };
        let listed = of.list().await.unwrap();
        let files = of.fetch(&listed, folder.path()).await.unwrap();
        let file = folder.path().join("b.csv");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "day/b.csv");
        assert_eq!(files, [FileDigest::of(&file).unwrap()]);

        // As long as before, and also where the store looks at no condition, as one without tags.
        for tag in [listed[0].e_tag.clone(), None] {
            std::fs::remove_file(&file).unwrap();
            let before = [ObjectMeta { e_tag: tag.clone(), ..listed[0].clone() }];
            put(&store, "day/b.csv", if tag.is_some() { "day/c.csv" } else { "day/b.csv and more" }).await;
            let told = of.fetch(&before, folder.path()).await.unwrap_err();
            assert_eq!(told.code(), "data.source-changed", "{tag:?}");
            std::fs::write(&file, "").unwrap();
        }
    }

    #[tokio::test]
    async fn more_than_may_be_copied_is_refused_before_it_is() {
        let (store, objects, folder) = (stored().await, objects(0), tempfile::tempdir().unwrap());
        let wanted = Wanted::One(Key::from("day/b.csv"));
        let of = Store { source: "lake", objects: &objects, wanted: &wanted, store: &store };
        let told = of.fetch(&of.list().await.unwrap(), folder.path()).await.unwrap_err();
        assert_eq!(told.code(), "data.source-too-large");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
