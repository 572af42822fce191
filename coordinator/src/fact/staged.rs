//! That a model has another stage than before, as an entry.

use serde_json::Value;
use syndic_learning::staged::{STAGED, Staged};
use syndic_round::approval::subject;

/// The type, subject and data of a change.
pub(super) fn parts(staged: &Staged) -> (&'static str, Option<String>, Value) {
    (STAGED, Some(subject(&staged.approval.change.name)), staged.to_data())
}
