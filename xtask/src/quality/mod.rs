//! What the programs reach on real tables: the federation beside pooled training and beside each institution alone,
//! judged by bars that were fixed beforehand, and written into docs/quality.md.

mod catalogue;
mod judge;
mod measure;
mod noisy;
mod page;
mod plot;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::gate::Failure;
use crate::sources;

use catalogue::{Program, SPLITS, Split, TABLES, Table};
use judge::Verdict;
use measure::{Measured, Sandbox};
use programs::PROGRAMS;

/// Where the tables and the program are.
#[derive(clap::Args)]
pub(crate) struct Campaign {
    /// Folder with the prepared tables; without it only the table of examples/bank-marketing is measured
    #[arg(long, value_name = "FOLDER", default_value_os_t = sources::root().join("target/tables"))]
    tables: PathBuf,
    /// A `syndic` that is built already; otherwise it is built
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// One program on one table, cut in one way.
pub(crate) struct Run {
    pub(crate) table: &'static Table,
    pub(crate) split: Split,
    pub(crate) program: &'static Program,
    pub(crate) measured: Measured,
}

/// Runs all that there are tables for, prints and writes what came out, and fails where a bar is missed.
pub(crate) fn run(campaign: &Campaign) -> Result<String, Failure> {
    let sandbox = Sandbox::new(program(campaign)?)?;
    let (found, absent) = find_tables(&campaign.tables);
    let mut runs = Vec::new();
    for (table, file) in found {
        for (program, split) in PROGRAMS.iter().flat_map(|program| SPLITS.map(|split| (program, split))) {
            if !program.is_run_on(table.name, split) {
                continue;
            }
            let measured = sandbox.run(table, &file, program, split)?;
            println!("{}", page::line(table, split, program, &measured));
            runs.push(Run { table, split, program, measured });
        }
    }
    let verdicts: Vec<Verdict> = runs.iter().flat_map(|run| judge::judge(run, &runs)).collect();
    let measured = page::measured(&runs, &verdicts);
    println!("\n{measured}");
    if absent.is_empty() {
        write(&measured, &plot::plot(&runs))?;
    } else {
        // A page with some of its rows would look as if there were no others.
        println!("docs/quality.md stays as it is: it is written only where every table is there.");
    }
    concluded(&runs, &verdicts, &absent)
}

/// The program to measure, as an absolute path.
fn program(campaign: &Campaign) -> Result<PathBuf, Failure> {
    let program = match &campaign.program {
        Some(program) => program.clone(),
        None => {
            cargo::run(&["build", "--release", "--locked", "-p", "syndic"], &[])
                .map_err(|()| Failure::new("mend the errors above"))?;
            let target = cargo::metadata()?["target_directory"].as_str().map(PathBuf::from);
            target.unwrap_or_else(|| sources::root().join("target")).join("release/syndic")
        }
    };
    fs::canonicalize(&program)
        .map_err(|error| Failure::new(format!("there is no program {}: {error}", program.display())))
}

/// The tables that are there with their files, and the names of those that are not.
fn find_tables(folder: &Path) -> (Vec<(&'static Table, PathBuf)>, Vec<&'static str>) {
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for table in &TABLES {
        let outside = folder.join(format!("{}.csv.gz", table.name));
        let files = [table.in_repository.map(|path| sources::root().join(path)), Some(outside)];
        match files.into_iter().flatten().find(|file| file.is_file()) {
            Some(file) => found.push((table, file)),
            None => absent.push(table.name),
        }
    }
    if !absent.is_empty() {
        eprintln!("  *** {} has no {}: not measured. ***", folder.display(), absent.join(", "));
    }
    (found, absent)
}

fn write(measured: &str, plot: &str) -> Result<(), Failure> {
    let document = sources::root().join(DOCUMENT);
    let before = fs::read_to_string(&document)
        .map_err(|error| Failure::new(format!("cannot read {DOCUMENT}: {error}")))?;
    let after = page::put(&before, measured)
        .ok_or_else(|| Failure::new(format!("put {:?} back into {DOCUMENT}", page::MARKS)))?;
    for (path, text) in [(DOCUMENT, after.as_str()), (PLOT, plot)] {
        fs::write(sources::root().join(path), text)
            .map_err(|error| Failure::new(format!("cannot write {path}: {error}")))?;
        println!("wrote {path}");
    }
    Ok(())
}

fn concluded(runs: &[Run], verdicts: &[Verdict], absent: &[&str]) -> Result<String, Failure> {
    let missed: Vec<String> =
        verdicts.iter().filter(|verdict| !verdict.met()).map(ToString::to_string).collect();
    let without = if absent.is_empty() { String::new() } else { format!("; WITHOUT {}", absent.join(", ")) };
    let passed = format!("{} runs, {} figures within their bars{without}", runs.len(), verdicts.len());
    Failure::unless_empty(missed, passed, "each line above is a bar that was missed")
}

const DOCUMENT: &str = "docs/quality.md";
const PLOT: &str = "docs/quality.svg";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_folder_only_the_table_of_the_repository_is_there() {
        let (found, absent) = find_tables(Path::new("/nowhere/at/all"));
        assert_eq!(found.iter().map(|(table, _)| table.name).collect::<Vec<_>>(), ["bank_marketing"]);
        assert_eq!(absent.len(), TABLES.len() - 1);
    }

    #[test]
    fn the_page_has_its_marks() {
        let page = fs::read_to_string(sources::root().join(DOCUMENT)).unwrap();
        assert!(page::put(&page, "figures").is_some());
    }
}
