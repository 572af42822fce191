//! `syndic job check`: what is wrong with a job file, where, and what to do about it.

mod among;
mod contract;
pub(crate) mod institutions;
mod phases;
mod privacy;
mod training;
mod vectors;

use std::fmt::Write as _;
use std::path::Path;

use console::style;
use serde::Serialize;
use syndic_learning::job::{Grouping, Retention, agreement};
use syndic_learning::{Diagnostic, Job};
use syndic_round::Protection;

use crate::report::job_text;
use crate::words::{counted, listed};
use crate::{Error, Result};
pub use among::protection;
use phases::{explained, phases};
pub(crate) use privacy::{hardly_begun, has_few_rounds};
pub use training::admitted;
use training::training;
use vectors::{carried, fitting, ranges, spoken};

/// A job file as it was read.
#[derive(Clone, Debug)]
pub struct JobFile {
    /// Its path, or what else a person calls it.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl JobFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8 text.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|cause| Error::unreadable(path, &cause))?;
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(_) => Err(Error::input("job.not-utf8", "the job file is not UTF-8 text")
                .place(name)
                .help("save it as UTF-8, and check that it is the TOML file and not the table")),
        }
    }
}

/// The job in `file`.
///
/// # Errors
/// Everything that is wrong with it, each with line and remedy.
pub fn check(file: &JobFile) -> Result<Job> {
    Job::from_toml(&file.text).map_err(|diagnostics| {
        if !resembles_a_job(&file.text) {
            return Error::input(
                "job.not-a-job",
                "this is no job file: it has no section of one, such as [job]",
            )
            .place(file.name.clone())
            .help("give the job file, in TOML; the table is another argument. `syndic job init` drafts one");
        }
        let mut errors = diagnostics.iter().map(|diagnostic| told(file, diagnostic));
        match errors.next() {
            Some(first) => first.also(errors),
            None => Error::input("job.rejected", "the job file was rejected").place(file.name.clone()),
        }
    })
}

/// What the job asks for, for a person who checks it.
pub fn render(file: &JobFile, job: &Job) -> String {
    render_among(file, job, None)
}

/// The same in a federation with so many members, where that is known.
pub fn render_among(file: &JobFile, job: &Job, members: Option<usize>) -> String {
    let among = among::admitted(job, members);
    let known = among.and_then(|admitted| job.protection.among(admitted.into()).ok());
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {}{value}", style(format!("{label:<13}")).cyan());
    };
    line("job", format!("{} for {}", job.identity.id, job.identity.purpose));
    line("", job.identity.description.clone());
    line("data", format!("{}; predicts `{}`", job_text::columns(job, ""), job.contract.label.column));
    contract::facts(job).into_iter().for_each(|(label, value)| line(label, value));
    line("program", format!("{}, {}", job.program.name(), training(job)));
    line("", job_text::program(&job.program));
    if let Some(fairness) = &job.fairness {
        let grouping = |grouping: &Grouping| match grouping.bands.as_slice() {
            [] => grouping.column.clone(),
            bands => format!(
                "{} cut at {}",
                grouping.column,
                listed(&bands.iter().map(f64::to_string).collect::<Vec<_>>())
            ),
        };
        let columns: Vec<String> = fairness.groups.iter().map(grouping).collect();
        let share = 100.0 * fairness.flagged;
        line(
            "compared",
            format!("groups by {}, as if {share} % of all rows were acted upon", listed(&columns)),
        );
    }
    if let Some(terms) = &job.drift {
        let columns = counted(terms.columns_of(&job.contract).len(), "column", "columns");
        let ks = terms.max_ks.map_or_else(String::new, |ks| format!(" or a KS of {ks}"));
        line(
            "drift",
            format!(
                "test rows against training rows in {columns}, warned of above a PSI of {}{ks}",
                terms.max_psi
            ),
        );
    }
    line(
        "protection",
        format!(
            "KSA/1 with {}; only sums are opened, {}",
            job.protection.parameter_set.name(),
            if job.adds_noise() { "all of them with noise" } else { "no noise is added" }
        ),
    );
    line("institutions", admitted(job));
    if let Some(known) = &known {
        line("", among::told(known));
    }
    for (position, fact) in privacy::facts(job, among).into_iter().enumerate() {
        line(if position == 0 { "privacy" } else { "" }, fact);
    }
    let vectors = carried(job, among);
    if vectors.iter().all(|vector| vector.shared.is_empty()) {
        line("vectors", "all encrypted".into());
    } else {
        for (position, vector) in vectors.iter().enumerate() {
            line(if position == 0 { "vectors" } else { "" }, vector.told());
        }
    }
    if let Some(seconds) = job.rounds.deadlines.start_seconds {
        line("start", format!("within {seconds} s of being handed in, or the job is abandoned"));
    }
    for (position, phase) in phases(job, known.as_ref()).iter().enumerate() {
        line(if position == 0 { "each round" } else { "" }, phase.told());
    }
    if let Some(explained) = explained(job, known.as_ref()) {
        line("", explained.into());
    }
    line("retention", kept(job));
    line("digest", agreement(&file.text).to_string());
    for Warning { code, message, help } in warnings(job, among) {
        let label = style(format!("warning[{code}]")).yellow().bold();
        let _ = writeln!(text, "\n{label}: {message}\n  help: {help}");
    }
    let _ =
        writeln!(text, "\n{}", style(format!("{} is a job that can be proposed.", file.name)).green().bold());
    text
}

/// The same for programs: one JSON object on one line.
pub fn to_json(file: &JobFile, job: &Job) -> String {
    to_json_among(file, job, None)
}

/// The same in a federation with so many members, where that is known.
pub fn to_json_among(file: &JobFile, job: &Job, members: Option<usize>) -> String {
    let among = among::admitted(job, members);
    let known = among.and_then(|admitted| job.protection.among(admitted.into()).ok());
    let digest = agreement(&file.text).to_string();
    serde_json::json!({
        "job": job.identity.id.as_str(),
        "digest": digest,
        "rounds": job.rounds.count,
        "program": job.program,
        "members": job.cohort.members,
        "each_round": job.cohort.each_round,
        "institutions": among,
        "vectors": carried(job, among),
        "start_seconds": job.rounds.deadlines.start_seconds,
        "phases": phases(job, known.as_ref()),
        "privacy": job.claim(None).ok().flatten(),
        "updates_days": job.retention.map(|retention| retention.updates_days),
        "warnings": warnings(job, among),
    })
    .to_string()
}

/// How long what the rounds were made of is kept.
fn kept(job: &Job) -> String {
    match job.retention {
        Some(Retention { updates_days }) => {
            let days = counted(updates_days as usize, "day", "days");
            format!("encrypted updates are erased {days} after the job's end")
        }
        None => "encrypted updates are kept until somebody erases them".into(),
    }
}

/// What a job may ask for, but will hardly get.
#[derive(Debug, Serialize)]
struct Warning {
    code: &'static str,
    message: String,
    help: &'static str,
}

/// Numbers of institutions with which participants decline the job unless their site policy allows it by name, and with
/// which no sum of shared vectors can be checked.
fn warnings(job: &Job, among: Option<u16>) -> Vec<Warning> {
    let set = job.protection.parameter_set;
    let mut warnings = Vec::new();
    let weaker = fitting(job, among).filter(|(admitted, asked)| {
        Protection::default_for(set, *admitted).is_ok_and(|default| {
            asked.threshold() < default.threshold() || asked.colluding() < default.colluding()
        })
    });
    let weaker = ranges(weaker.map(|(admitted, _)| admitted));
    if !weaker.is_empty() {
        warnings.push(Warning {
            code: "job.below-default",
            message: format!(
                "with {} institutions this job protects less than the default: a participant declines it, with \
                 `policy.protection`, unless its site policy lowers `min_threshold` or `min_colluding`",
                spoken(&weaker)
            ),
            help: "leave out `threshold` and `colluding`: the defaults fit every number of institutions",
        });
    }
    warnings.extend(privacy::warnings(job, among));
    let vectors = carried(job, among);
    let shares = |admitted: u16| vectors.iter().any(|vector| vector.is_shared_by(admitted));
    let all_needed =
        fitting(job, among).filter(|(admitted, asked)| asked.threshold() == *admitted && shares(*admitted));
    let never_checked = ranges(all_needed.map(|(admitted, _)| admitted));
    if !never_checked.is_empty() {
        warnings.push(Warning {
            code: "job.never-checked",
            message: format!(
                "with {} institutions each of them is needed to open a sum: nobody is left to confirm a sum of shared \
                 vectors, and one of them alone can shift it unnoticed",
                spoken(&never_checked)
            ),
            help: "admit more institutions than `threshold`, or leave out `small_vectors`",
        });
    }
    warnings
}

/// Whether any line opens a section of a job file. What has none may be somebody's table, and is not shown.
fn resembles_a_job(text: &str) -> bool {
    let opened = |line: &str| {
        let name = line.trim_start().strip_prefix('[')?.trim_start_matches(['[', ' ']);
        Some(SECTIONS.iter().any(|section| name.starts_with(section)))
    };
    text.lines().any(|line| opened(line).unwrap_or(false))
}

fn told(file: &JobFile, diagnostic: &Diagnostic) -> Error {
    let error = Error::input(diagnostic.code, diagnostic.message.clone()).help(diagnostic.help.clone());
    match (diagnostic.line, diagnostic.column) {
        (Some(line), Some(column)) => error
            .place(format!("{}, line {line}, column {column}", file.name))
            .excerpt(excerpt(&file.text, line, column)),
        _ => error.place(file.name.clone()),
    }
}

/// The line that is meant, with a caret under the column; both count from 1.
fn excerpt(text: &str, line: usize, column: usize) -> String {
    let source = text.lines().nth(line - 1).unwrap_or_default();
    // Long lines are shown around the column. A tab becomes one space, so that the caret stays right.
    let start = if column > WIDEST { column - WIDEST / 2 } else { 1 };
    let shown: String =
        source.chars().skip(start - 1).take(WIDEST).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let caret = " ".repeat(column - start);
    format!("  {gutter} |\n  {number} | {}\n  {gutter} | {caret}^", shown.trim_end())
}

const WIDEST: usize = 90;

const SECTIONS: [&str; 11] = [
    "job",
    "contract",
    "program",
    "rounds",
    "privacy",
    "cohort",
    "protection",
    "evaluation",
    "fairness",
    "drift",
    "retention",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::JOB;

    fn file(text: &str) -> JobFile {
        JobFile { name: "job.toml".into(), text: text.into() }
    }

    #[test]
    fn a_good_job_is_summarised() {
        let job = file(JOB);
        let summary = render(&job, &check(&job).unwrap());
        assert!(summary.contains("small.v1: 2 columns, 3 inputs; predicts `label`"), "{summary}");
        assert!(summary.contains("job.toml is a job that can be proposed."));
    }

    #[test]
    fn every_phase_is_told_with_its_deadline_and_whom_it_needs() {
        let text = JOB.replacen("count = 4", "count = 4\ndeadlines = { collect_seconds = 30 }", 1).replacen(
            "[protection]",
            "[protection]\nmin_survivors = 4",
            1,
        );
        let job = check(&file(&text)).unwrap();

        let summary = render(&file(&text), &job);
        let json: serde_json::Value = serde_json::from_str(&to_json(&file(&text), &job)).unwrap();

        assert!(summary.contains("sign the survivor set        within     60 s, at least t\n"), "{summary}");
        assert!(summary.contains("train and submit             within     30 s, at least 4\n"), "{summary}");
        assert!(summary.contains("t of n institutions is 2n/3 rounded down, and one"), "{summary}");
        let collect = serde_json::json!({ "phase": "collect", "deadline_seconds": 30, "needs": 4 });
        assert_eq!(json["phases"][3], collect);
        assert!(json["phases"][5]["needs"].is_null());
        assert!(!summary.contains("being handed in") && json["start_seconds"].is_null(), "{summary}");
    }

    #[test]
    fn a_deadline_for_the_start_is_part_of_the_plan() {
        let text = JOB.replacen("count = 4", "count = 4\ndeadlines = { start_seconds = 3600 }", 1);
        let job = check(&file(&text)).unwrap();
        let summary = render(&file(&text), &job);
        assert!(summary.contains("within 3600 s of being handed in, or the job is abandoned"), "{summary}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&file(&text), &job)).unwrap();
        assert_eq!(json["start_seconds"], 3600);
    }

    #[test]
    fn how_long_updates_are_kept_is_part_of_the_plan() {
        let of = |text: &str| {
            let job = check(&file(text)).unwrap();
            let json: serde_json::Value = serde_json::from_str(&to_json(&file(text), &job)).unwrap();
            (render(&file(text), &job), json["updates_days"].clone())
        };
        let (summary, days) = of(JOB);
        assert!(summary.contains("kept until somebody erases them") && days.is_null(), "{summary}");
        let (summary, days) = of(&format!("{JOB}\n[retention]\nupdates_days = 1\n"));
        assert!(summary.contains("are erased 1 day after the job's end") && days == 1, "{summary}");
    }

    #[test]
    fn an_error_shows_its_line_with_a_caret_and_a_remedy() {
        let broken = JOB.replacen("logistic-regression", "astrology", 1);
        let line = broken.lines().position(|line| line.contains("astrology")).unwrap() + 1;
        let rendered = check(&file(&broken)).unwrap_err().render();
        assert!(rendered.contains(&format!("in: job.toml, line {line}, column ")), "{rendered}");
        assert!(rendered.contains(&format!("{line} | name = \"astrology\"")), "{rendered}");
        assert!(rendered.contains('^') && rendered.contains("help: "), "{rendered}");
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let mistakes = [
            ("logistic-regression", "astrology", "error[job.unknown-program]"),
            ("count = 4", "count = 0", "error[job.out-of-range]"),
            ("max = 120", "max = -1", "error[contract.range]"),
        ];
        let mut broken = JOB.to_owned();
        for (right, wrong, _) in mistakes {
            assert!(broken.contains(right), "{right}");
            broken = broken.replacen(right, wrong, 1);
        }
        let rendered = check(&file(&broken)).unwrap_err().render();
        for (_, _, error) in mistakes {
            assert!(rendered.contains(error), "{error}: {rendered}");
        }
        assert_eq!(rendered.matches("error[").count(), 3, "{rendered}");
    }

    #[test]
    fn a_table_given_as_a_job_is_told_so_and_not_shown() {
        let large = format!("age,site\n{}", "87,north\n".repeat(20_000));
        for table in ["age,site\n87,north\n", "87\n12\n", "", &large, "name = \"Jane\"\n"] {
            let error = check(&file(table)).unwrap_err();
            let rendered = error.render();
            assert_eq!((error.code(), error.exit()), ("job.not-a-job", 2), "{rendered}");
            assert_eq!(rendered.matches("error[").count(), 1, "{rendered}");
            assert!(!["north", "87", "Jane"].iter().any(|value| rendered.contains(value)), "{rendered}");
        }
    }

    #[test]
    fn a_job_that_participants_would_decline_is_warned_of() {
        let set = "parameter_set = \"KSA-S32\"";
        // Five institutions need four by default, and six need five: a threshold of four is less from six on.
        let cases = [
            ("threshold = 4", "with 6 to 7 institutions"),
            ("threshold = 3", "with 5 institutions"),
            ("colluding = 1", "with 5 to "),
        ];
        for (terms, told) in cases {
            let job = file(&JOB.replacen(set, &format!("{set}\n{terms}"), 1));
            let checked = check(&job).unwrap();
            let summary = render(&job, &checked);
            assert!(summary.contains("warning[job.below-default]") && summary.contains(told), "{summary}");
            let json: serde_json::Value = serde_json::from_str(&to_json(&job, &checked)).unwrap();
            assert_eq!(json["warnings"][0]["code"], "job.below-default");
        }
        let job = file(JOB);
        let checked = check(&job).unwrap();
        assert!(!render(&job, &checked).contains("warning"));
        assert!(to_json(&job, &checked).ends_with(r#""warnings":[]}"#));
        assert!(render(&job, &checked).contains("all encrypted"));
    }

    #[test]
    fn a_job_that_shares_small_vectors_says_which_and_where_nobody_is_left_to_check() {
        let set = "parameter_set = \"KSA-S32\"";
        let of = |terms: &str| {
            let job = file(&JOB.replacen(set, &format!("{set}\nsmall_vectors = \"shared\"\n{terms}"), 1));
            let checked = check(&job).unwrap();
            let json: serde_json::Value = serde_json::from_str(&to_json(&job, &checked)).unwrap();
            (render(&job, &checked), json)
        };
        let (summary, json) = of("");
        // Sums of squares that many institutions add up are too wide for one share.
        let statistics = "statistics shared themselves with 3 to 134 institutions, encrypted with 135 to 256";
        assert!(summary.contains(statistics), "{summary}");
        assert!(summary.contains("model updates shared themselves, not encrypted"), "{summary}");
        assert!(summary.contains("score histograms encrypted"), "{summary}");
        let train = serde_json::json!({"kind": "train", "shared": [[3, 256]], "encrypted": []});
        assert_eq!(json["vectors"][1], train);
        assert_eq!(json["vectors"][2]["shared"], serde_json::json!([]));
        // Three need three by default; from four on one can be missing.
        assert!(summary.contains("warning[job.never-checked]: with 3 institutions"), "{summary}");
        assert_eq!(json["warnings"][0]["code"], "job.never-checked");
        let (summary, _) = of("threshold = 5");
        assert!(summary.contains("warning[job.never-checked]: with 5 institutions"), "{summary}");
    }

    #[test]
    fn one_round_is_not_rounds() {
        let job = file(&JOB.replacen("count = 4", "count = 1", 1));
        let summary = render(&job, &check(&job).unwrap());
        assert!(summary.contains("logistic-regression, 1 round of 2 local epochs"), "{summary}");
    }

    #[test]
    fn what_is_not_toml_at_all_has_a_line_too() {
        let error = check(&file("[job\nid = 1")).unwrap_err();
        assert_eq!(error.exit(), 2);
        assert!(error.render().contains("line 1"), "{}", error.render());
    }

    #[test]
    fn the_caret_stands_under_its_column_in_a_long_line() {
        let text = format!("{}x", " ".repeat(200));
        let shown = excerpt(&text, 1, 201);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1].find('x'), lines[2].find('^'));
    }
}
