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

use crate::Origin;

/// Why an address cannot be used, if so.
pub(crate) fn misfit(origin: &Origin) -> Option<&'static str> {
    match origin {
        Origin::Files(_) => None,
        Origin::Objects(objects) => address::Bucket::of(objects).err(),
        Origin::Database(database) => address::postgres(&database.url).err(),
    }
}

const MB: u64 = 1 << 20;
