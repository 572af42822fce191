//! Rows that are not on this host: copied into the private folder of a query before it begins, with the digest of what came.
//!
//! A copy, because a snapshot is of every byte that was read, which only who has read them all can say, and because a query may
//! read a table twice and must meet the same rows.

mod address;
mod copied_cells;
mod copied_table;
mod database;
mod objects;
mod secret;

pub(crate) use copied_table::CopiedRows;
pub(crate) use database::copy;
pub(crate) use objects::download;

use std::future::Future;
use std::time::Duration;

use crate::{FetchError, Origin, QueryError};

/// Why an address cannot be used, if so.
pub(crate) fn misfit(origin: &Origin) -> Option<&'static str> {
    match origin {
        Origin::Files(_) => None,
        Origin::Objects(objects) => address::Bucket::of(objects).err(),
        Origin::Database(database) => address::postgres(&database.url).err(),
    }
}

/// Gives up a copy that does not end. That something comes now and then is no sign that it will: whoever waits for the rows would
/// wait with it.
async fn in_time<T>(
    source: &str,
    place: &str,
    copying: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, QueryError> {
    let copied = tokio::time::timeout(WHOLE_COPY, copying).await;
    copied.unwrap_or_else(|_| {
        let reason = format!("it takes longer than {} minutes", WHOLE_COPY.as_secs() / 60);
        Err(FetchError::Unreachable { source: source.into(), place: place.into(), reason }.into())
    })
}

/// For one source: the 10 GB of `max_mb` in it are 6 MB a second, also after a long sort at the server.
const WHOLE_COPY: Duration = Duration::from_secs(1_800);
const MB: u64 = 1 << 20;
