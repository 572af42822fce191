//! What a contract says of its columns beyond their number, for a person who checks it.

use syndic_learning::{Column, Job};

use crate::words::counted;

/// A label and a value for each thing that is said.
pub(super) fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let named = |which: fn(&Column) -> bool| {
        let names =
            job.contract.columns.iter().filter(|column| which(column)).map(|column| column.name.as_str());
        Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    };
    let customers = job.contract.customer.as_ref().map(|customer| {
        let most = counted(job.contract.rows_per_customer() as usize, "row", "rows");
        format!("by `{customer}`, each with at most {most} at an institution")
    });
    let facts = [
        ("sensitive", named(|column| column.sensitive)),
        ("nullable", named(|column| column.nullable)),
        (
            "other",
            named(|column| column.other)
                .map(|names| format!("one level for all that are not listed, of {names}")),
        ),
        ("customers", customers),
    ];
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}
