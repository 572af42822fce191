//! What the store and the network say, as errors of a store.

use std::error::Error as _;
use std::io;

use syndic_round::Digest;

use super::S3Address;
use crate::store::StoreError;

/// Makes errors that name the bucket, and never hold a secret.
#[derive(Clone)]
pub(super) struct Failures {
    what: String,
}

impl Failures {
    pub(super) fn of(address: &S3Address) -> Self {
        Self { what: address.to_string() }
    }

    /// Bucket, prefix and endpoint.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn corrupt(&self, digest: Digest) -> StoreError {
        StoreError::Corrupt { what: format!("blob {digest} ({})", self.what) }
    }

    /// The error of a request, but for one that may find nothing.
    pub(super) fn of_the_bucket(&self, error: object_store::Error) -> StoreError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let what = self.what.clone();
        let told = told(&error);
        let source = io::Error::other(told.clone());
        match error {
            NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. } => {
                StoreError::Denied { what, source }
            }
            _ if told.contains(NO_BUCKET) => StoreError::Denied { what, source },
            _ if SAYS_FULL.iter().any(|mark| told.contains(mark)) => StoreError::Full { what },
            _ => StoreError::Unreachable { what, source },
        }
    }
}

/// The error with what it came from, each thing once.
fn told(error: &object_store::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        source = cause.source();
    }
    told
}

/// What S3 says of a bucket that there is none; the library takes it for an answer like any other.
const NO_BUCKET: &str = "<Code>NoSuchBucket</Code>";
/// How stores of different makers say that there is no space: as an HTTP status, and as codes of Ceph and MinIO.
const SAYS_FULL: [&str; 3] = ["507 Insufficient Storage", "QuotaExceeded", "XMinioStorageFull"];
