//! From criterion's samples to the table of docs/performance.md.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where criterion keeps its samples.
pub struct Samples {
    folder: PathBuf,
}

impl Samples {
    /// Samples below `folder`.
    pub fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Nanoseconds of the fastest sample of a benchmark, which other work on the machine disturbed least; none where it
    /// was not measured.
    pub fn fastest(&self, group: &str, parameter: usize) -> Option<f64> {
        let path = self.folder.join(group).join(parameter.to_string()).join("new/sample.json");
        let sample: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let numbers = |key: &str| {
            sample[key].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect::<Vec<_>>())
        };
        let (times, iterations) = (numbers("times")?, numbers("iters")?);
        times.iter().zip(iterations).map(|(time, count)| time / count).reduce(f64::min)
    }
}

/// A table in Markdown.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = line(&vec!["---".to_owned(); head.len()]);
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{body}", line(head))
}

/// A number to three figures or so, or a dash.
pub fn figure(number: Option<f64>) -> String {
    match number {
        None => "-".into(),
        Some(x) if x >= 100.0 => format!("{x:.0}"),
        Some(x) if x >= 10.0 => format!("{x:.1}"),
        Some(x) => format!("{x:.2}"),
    }
}
