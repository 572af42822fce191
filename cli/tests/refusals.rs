//! Bad input to the sandbox and the demo: a stable code, a place, a remedy, and nothing half-done.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A job and a table that are right, in a folder of their own.
struct Desk {
    folder: tempfile::TempDir,
    job: String,
    table: String,
}

/// What a refused command said.
struct Refused {
    exit: i64,
    code: String,
    message: String,
    place: String,
    help: String,
}

impl Desk {
    fn new() -> Self {
        let mut table = String::from("age,job,label,site,fold\n");
        for row in 0..240 {
            let job = ["office", "field"][row / 2 % 2];
            let site = ["north", "east", "south", "west"][row / 4 % 4];
            let _ = writeln!(table, "{},{job},{},{site},{}", 20 + row % 60, row % 2, row / 16 % 5);
        }
        Self { folder: tempfile::tempdir().unwrap(), job: JOB.into(), table }
    }

    fn job(mut self, from: &str, to: &str) -> Self {
        assert!(self.job.contains(from), "{from}");
        self.job = self.job.replacen(from, to, 1);
        self
    }

    /// Line 42 of the file, rewritten.
    fn line_42(mut self, row: &str) -> Self {
        let mut lines: Vec<&str> = self.table.lines().collect();
        lines[41] = row;
        self.table = lines.join("\n") + "\n";
        self
    }

    fn rows(mut self, change: impl Fn(&str) -> String) -> Self {
        let (header, rows) = self.table.split_once('\n').unwrap();
        self.table = format!("{header}\n{}", rows.lines().map(|row| change(row) + "\n").collect::<String>());
        self
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn sandbox(&self, out: &Path) -> std::process::Output {
        let (job, table) = (self.folder.path().join("job.toml"), self.folder.path().join("table.csv"));
        fs::write(&job, &self.job).unwrap();
        fs::write(&table, &self.table).unwrap();
        let columns = ["--site-column", "site", "--fold-column", "fold", "--test-fold", "0"];
        syndic(&["sandbox", "--job", job.to_str().unwrap(), "--table", table.to_str().unwrap()])
            .args(columns)
            .args(["--json", "--out", out.to_str().unwrap()])
            .output()
            .unwrap()
    }

    /// Runs the sandbox where nothing is and where an earlier run lies: refused alike, and no trace of it.
    fn refused(self) -> Refused {
        let refused = Refused::of(&self.sandbox(&self.out()));
        assert!(!self.out().exists(), "a folder was made");
        fs::create_dir(self.out()).unwrap();
        fs::write(self.out().join("result.json"), r#"{"schema":"syndic.result/1"}"#).unwrap();
        fs::write(self.out().join("report.html"), "earlier").unwrap();
        let before = contents(&self.out());
        assert_eq!(Refused::of(&self.sandbox(&self.out())).code, refused.code);
        assert_eq!(contents(&self.out()), before, "an earlier run was touched");
        refused
    }
}

impl Refused {
    fn of(output: &std::process::Output) -> Self {
        let text = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(!output.status.success(), "not refused");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let member = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        let exit = json["error"]["exit"].as_i64().unwrap();
        assert_eq!(output.status.code().map(i64::from), Some(exit));
        let (code, message, place) = (member("code"), member("message"), member("in"));
        Self { exit, code, message, place, help: member("help") }
    }

    #[track_caller]
    fn is(&self, exit: i64, code: &str) -> &Self {
        assert_eq!((self.exit, self.code.as_str()), (exit, code), "{}", self.message);
        assert!(!self.help.is_empty() && !self.place.is_empty(), "no place or no remedy: {}", self.message);
        self
    }

    #[track_caller]
    fn says(&self, part: &str) -> &Self {
        let text = [&*self.message, &self.place, &self.help].join("\n");
        assert!(text.contains(part), "`{part}` is not in: {text}");
        self
    }
}

fn syndic(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syndic"));
    command.args(arguments).env_remove("SYNDIC_LOG");
    command
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn what_is_refused_below_is_otherwise_right() {
    let desk = Desk::new();
    let output = desk.sandbox(&desk.out());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(desk.out().join("result.json").exists());
}

#[test]
fn a_column_that_the_contract_requires_is_missing() {
    let mut desk = Desk::new();
    desk.table = desk.table.replacen("age", "years", 1);
    desk.refused().is(2, "data.column-missing").says("`age`");
}

#[test]
fn text_stands_in_a_number_column() {
    let desk = Desk::new().line_42("forty,office,1,north,2");
    let refused = desk.refused();
    refused.is(2, "data.not-a-number").says("`age`").says("42").says("north");
    assert!(![&refused.message, &refused.place, &refused.help].iter().any(|text| text.contains("forty")));
}

#[test]
fn a_number_is_no_number() {
    for nan in ["NaN", "inf"] {
        let desk = Desk::new().line_42(&format!("{nan},office,1,north,2"));
        desk.refused().is(2, "data.not-finite").says("`age`").says("42");
    }
}

#[test]
fn a_cell_is_empty_or_a_row_too_short() {
    Desk::new().line_42(",office,1,north,2").refused().is(2, "data.empty-cell").says("42");
    Desk::new().line_42("30,office,1,north").refused().is(2, "data.row-width").says("42");
}

#[test]
fn an_institution_holds_one_class_only() {
    let one_class = |row: &str| match row.contains(",south,") {
        true => row.replacen(",1,", ",0,", 1),
        false => row.into(),
    };
    Desk::new().rows(one_class).refused().is(2, "data.one-class").says("south");
}

#[test]
fn a_row_belongs_to_nobody() {
    Desk::new().line_42("30,office,1,,2").refused().is(2, "data.empty-site").says("line 42");
}

#[test]
fn an_institution_has_no_row_to_learn_from() {
    let all_for_the_test = |row: &str| match row.contains(",west,") {
        true => format!("{},0", row.rsplit_once(',').unwrap().0),
        false => row.into(),
    };
    Desk::new().rows(all_for_the_test).refused().is(2, "data.no-training-rows").says("west");
}

#[test]
fn there_are_fewer_than_three_sites() {
    let merged = |row: &str| row.replace(",north,", ",east,").replace(",south,", ",west,");
    Desk::new().rows(merged).refused().is(2, "data.site-count").says("3");
}

#[test]
fn the_program_is_unknown() {
    let desk = Desk::new().job("\"logistic-regression\"", "\"deep-thought\"");
    desk.refused().is(2, "job.unknown-program").says("logistic-regression").says("line");
}

#[test]
fn the_job_is_not_toml() {
    let desk = Desk::new().job("id = \"small\"", "id = \"small");
    desk.refused().is(2, "job.syntax").says("line 3");
}

#[test]
fn a_file_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (absent, out) = (folder.path().join("absent.toml"), folder.path().join("out"));
    let columns = ["--site-column", "site", "--fold-column", "fold", "--test-fold", "0", "--json"];
    let output = syndic(&["sandbox", "--job", absent.to_str().unwrap(), "--table", "absent.csv"])
        .args(columns)
        .args(["--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    Refused::of(&output).is(2, "file.unreadable").says("absent.toml");
    assert!(!out.exists());
}

#[test]
fn the_folder_cannot_be_written() {
    let desk = Desk::new();
    let file = desk.folder.path().join("a-file");
    fs::write(&file, "in the way").unwrap();
    let below = file.join("out");
    Refused::of(&desk.sandbox(&below)).is(3, "file.unwritable").says("a-file");
    let arguments = ["demo", "--json", "--rounds", "1", "--out", below.to_str().unwrap()];
    Refused::of(&syndic(&arguments).output().unwrap()).is(3, "file.unwritable");
    assert_eq!(fs::read_to_string(file).unwrap(), "in the way");
}

#[test]
fn the_demo_has_too_few_institutions() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = ["demo", "--json", "--participants", "2", "--out", out.to_str().unwrap()];
    Refused::of(&syndic(&arguments).output().unwrap()).is(2, "data.site-count").says("3");
    assert!(!out.exists());
}

const JOB: &str = include_str!("../src/sandbox/small.toml");
