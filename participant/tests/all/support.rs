//! What several tests read rows by.

use syndic_learning::{Column, ColumnKind, Contract, Label, Transform};

/// Two columns and a label, of at most so many rows.
pub(crate) fn contract(max_rows: u64) -> Contract {
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
        sensitive: false,
        level: None,
        nullable: false,
        other: false,
    };
    let levels = vec!["office".into(), "field".into()];
    Contract {
        name: "small".into(),
        version: 1,
        max_rows,
        customer: None,
        max_rows_per_customer: None,
        label: Label { column: "label".into(), positive: "1".into(), negative: "0".into() },
        columns: vec![
            column("age", ColumnKind::Numeric { transform: Transform::Identity, min: 18.0, max: 100.0 }),
            column("job", ColumnKind::Categorical { levels }),
        ],
    }
}
