//! `syndic job init`: drafts a job file from a look at a table.

use std::collections::BTreeSet;

use syndic_learning::job::{ColumnSketch, draft, draft_predicting, spells_nothing};

use crate::sandbox::Source;
use crate::words::counted;
use crate::{Error, Result};

/// The draft of a job file for this table, with `label` as the column to predict or a proposal of one.
///
/// # Errors
/// When the table cannot be read, has no row, has two columns of one name, or has no column `label` of exactly two values.
pub fn text(source: &Source, label: Option<&str>) -> Result<String> {
    let columns = sketch(source)?;
    let Some(label) = label else { return Ok(draft(&columns)) };
    source.rows()?.position(label, "--label")?;
    draft_predicting(&columns, label).ok_or_else(|| no_label(source, &columns, label))
}

/// Looks at every column in one pass; memory does not grow with the rows.
fn sketch(source: &Source) -> Result<Vec<ColumnSketch>> {
    let mut rows = source.rows()?;
    rows.distinct()?;
    let mut columns: Vec<Column> = rows.header().iter().map(|name| Column::named(name)).collect();
    let mut count = 0_u64;
    while let Some((line, row)) = rows.next_row()? {
        count += 1;
        if row.len() != columns.len() {
            return Err(Error::input("data.row-width", "a row has another number of cells than the header")
                .place(format!("{}, line {line}", source.place()))
                .help("give every row as many cells as the header has; look for unquoted separators"));
        }
        columns.iter_mut().zip(row).for_each(|(column, cell)| column.see(cell.trim()));
    }
    if count == 0 {
        return Err(Error::input("data.empty", "the table has a header but no row")
            .place(source.place())
            .help("give a table with at least one row to draft from"));
    }
    Ok(columns.into_iter().map(|column| column.sketch(count)).collect())
}

fn no_label(source: &Source, columns: &[ColumnSketch], label: &str) -> Error {
    let found = columns.iter().find(|column| column.name == label).map_or_else(String::new, |column| {
        // A scan that stopped counting has seen that many, not all.
        let at_least = if column.distinct >= MOST_DISTINCT as u64 { "at least " } else { "" };
        let values = counted(column.distinct as usize, "value", "values");
        let empty = counted(column.empty as usize, "empty cell", "empty cells");
        match column.spelt.as_slice() {
            [] => format!("{at_least}{values} and {empty}"),
            words => format!("{at_least}{values}, {empty} and cells that say `{}`", words.join("`, `")),
        }
    });
    let candidates: Vec<&str> = columns
        .iter()
        .filter(|column| column.distinct == 2 && column.empty == 0 && column.spelt.is_empty())
        .filter(|column| !column.name.is_empty())
        .map(|column| column.name.as_str())
        .collect();
    let help = match candidates.as_slice() {
        [] => "make a column that is 1 for what is to be predicted and 0 for all else".into(),
        names => format!("columns with two values: {}", names.join(", ")),
    };
    Error::input(
        "data.label-values",
        format!("column `{label}` has {found}; a label has a name, two values and no empty cell"),
    )
    .place(format!("{}, --label", source.place()))
    .help(help)
}

/// What is known of a column while it is read.
struct Column {
    sketch: ColumnSketch,
    seen: BTreeSet<u64>,
}

impl Column {
    fn named(name: &str) -> Self {
        let sketch = ColumnSketch {
            name: name.into(),
            numeric: true,
            min: f64::MAX,
            max: f64::MIN,
            ..Default::default()
        };
        Self { sketch, seen: BTreeSet::new() }
    }

    fn see(&mut self, cell: &str) {
        let sketch = &mut self.sketch;
        if cell.is_empty() {
            sketch.empty += 1;
            return;
        }
        if spells_nothing(cell) {
            let known = |word: &String| word == cell;
            if !sketch.spelt.iter().any(known) {
                sketch.spelt.push(cell.into());
            }
            return;
        }
        match cell.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                sketch.min = sketch.min.min(number);
                sketch.max = sketch.max.max(number);
            }
            _ => sketch.numeric = false,
        }
        if self.seen.len() < MOST_DISTINCT
            && self.seen.insert(fingerprint(cell))
            && sketch.values.len() < MOST_VALUES
        {
            sketch.values.push(cell.into());
        }
    }

    fn sketch(self, rows: u64) -> ColumnSketch {
        let Self { mut sketch, seen } = self;
        sketch.rows = rows;
        sketch.distinct = seen.len() as u64;
        sketch.numeric &= !seen.is_empty();
        if !sketch.numeric {
            (sketch.min, sketch.max) = (0.0, 0.0);
            // Among words they are words.
            let words = std::mem::take(&mut sketch.spelt);
            sketch.distinct += words.len() as u64;
            let room = MOST_VALUES - sketch.values.len();
            sketch.values.extend(words.into_iter().take(room));
        }
        sketch
    }
}

/// 64 bits of a cell, so that a column of long texts takes no more memory than one of numbers. FNV-1a.
fn fingerprint(cell: &str) -> u64 {
    cell.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

const MOST_DISTINCT: usize = 5_000;
const MOST_VALUES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::table_text;
    use syndic_learning::{ColumnKind, Job};

    fn source(text: &str) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        (folder, Source::File(path))
    }

    #[test]
    fn a_draft_is_a_job_and_leaves_out_what_divides_rows() {
        let (_folder, source) = source(&table_text(500));
        let job = Job::from_toml(&text(&source, None).unwrap()).unwrap();
        let names: Vec<_> = job.contract.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["age", "job"]);
        assert_eq!(
            (job.contract.label.column.as_str(), job.contract.label.positive.as_str()),
            ("label", "1")
        );
    }

    #[test]
    fn another_label_can_be_asked_for() {
        let (_folder, source) = source(&table_text(500));
        let job = Job::from_toml(&text(&source, Some("job")).unwrap()).unwrap();
        assert_eq!(job.contract.label.column, "job");
        assert!(job.contract.columns.iter().all(|column| column.name != "job"));
    }

    #[test]
    fn a_label_of_many_values_is_refused_with_those_that_would_do() {
        let (_folder, source) = source(&table_text(500));
        let error = text(&source, Some("age")).unwrap_err();
        assert_eq!(error.code(), "data.label-values");
        assert!(error.render().contains("columns with two values: label, job"), "{}", error.render());
        assert_eq!(text(&source, Some("nonsense")).unwrap_err().code(), "data.column-missing");
    }

    #[test]
    fn a_count_that_stopped_is_told_as_a_least_one() {
        let rows = |count: u32| {
            (0..count).fold(String::from("amount,label\n"), |text, row| format!("{text}{row},{}\n", row % 2))
        };
        let told = |count: u32| {
            let (_folder, source) = source(&rows(count));
            text(&source, Some("amount")).unwrap_err().render()
        };
        assert!(
            told(6_000).contains("`amount` has at least 5,000 values and 0 empty cells"),
            "{}",
            told(6_000)
        );
        assert!(told(4_999).contains("`amount` has 4,999 values and"), "{}", told(4_999));
    }

    #[test]
    fn numbers_with_words_for_nothing_among_them_are_drafted_as_nullable_numbers() {
        let rows = ["20,NA,a", "30,1.5,NA", "?,2.5,b", "NA,3.5,a"].map(|row| row.to_owned());
        let text_of = |rows: &[String]| {
            let lines = rows.iter().enumerate().map(|(row, line)| format!("{line},{}\n", row % 2));
            lines.fold(String::from("age,rate,kind,label\n"), |text, line| text + &line)
        };
        let (_folder, table) = source(&text_of(&rows));
        let draft = text(&table, None).unwrap();
        let job = Job::from_toml(&draft).unwrap();
        let told: Vec<_> = job
            .contract
            .columns
            .iter()
            .map(|column| {
                let is_numeric = matches!(column.kind, ColumnKind::Numeric { .. });
                (column.name.as_str(), is_numeric, column.nullable)
            })
            .collect();
        assert_eq!(told, [("age", false, true), ("rate", true, true), ("kind", false, false)], "{draft}");
        assert!(draft.contains("some cells say `?`, `NA`"), "{draft}");
        assert!(draft.contains("# CHECK the level `NA`"), "{draft}");
        let refused = text(&table, Some("age")).unwrap_err().render();
        assert!(refused.contains("2 values, 0 empty cells and cells that say `?`, `NA`"), "{refused}");
    }

    #[test]
    fn a_column_without_a_name_is_no_label() {
        let (_folder, source) = source("age,\n20,1\n30,0\n40,1\n");
        assert_eq!(text(&source, Some("")).unwrap_err().code(), "data.label-values");
    }

    #[test]
    fn a_column_that_occurs_twice_is_refused_and_not_drafted() {
        let (_folder, source) = source("age,age,label\n1,2,0\n2,3,1\n3,4,0\n");
        assert_eq!(text(&source, None).unwrap_err().code(), "data.column-repeated");
        assert_eq!(text(&source, Some("label")).unwrap_err().code(), "data.column-repeated");
    }

    #[test]
    fn a_table_of_huge_and_tiny_numbers_is_drafted_as_a_job() {
        let (_folder, source) = source("amount,part,label\n1e300,1e-9,0\n-2,3e-9,1\n3,2e-9,0\n");
        let draft = text(&source, None).unwrap();
        assert!(Job::from_toml(&draft).is_ok(), "{draft}");
        assert!(draft.contains("e300\n"), "{draft}");
    }

    #[test]
    fn memory_is_bounded_by_the_columns() {
        let mut text = String::from("id,label\n");
        (0..20_000).for_each(|row| text += &format!("customer-{row},{}\n", row % 2));
        let (_folder, source) = source(&text);
        let columns = sketch(&source).unwrap();
        assert_eq!((columns[0].distinct, columns[0].values.len()), (5_000, 50));
        assert_eq!((columns[1].rows, columns[1].distinct), (20_000, 2));
    }
}
