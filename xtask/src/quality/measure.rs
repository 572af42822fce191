//! One run: the job file with the program in it, `syndic sandbox` over the table, and what its result says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::catalogue::{Program, Split, Table};
use crate::gate::Failure;
use crate::sources;

/// What a run says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// The federation's model on the test rows.
    pub(crate) federated: Scores,
    /// The same model trained on all training rows in one place, to its minimum.
    pub(crate) pooled: Scores,
    /// Mean over the institutions, each with the model of its own rows.
    pub(crate) alone: Scores,
    /// AUC of the federation less that of the institution's own model, on the test rows of each institution alone.
    pub(crate) at_home: Vec<f64>,
    /// For each gap between groups, the federation's less that of pooled training.
    pub(crate) wider_gaps: Vec<f64>,
    /// Training rounds.
    pub(crate) rounds: u32,
    /// Whether training came to its minimum; none where the program does not know.
    pub(crate) converged: Option<bool>,
    /// Seconds of the whole federation.
    pub(crate) seconds: f64,
    /// AUC on the test rows after each round that was evaluated, from encrypted histograms.
    pub(crate) auc_by_round: BTreeMap<u32, f64>,
}

/// AUC and mean log-loss in nats, or differences of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scores {
    pub(crate) auc: f64,
    pub(crate) log_loss: f64,
}

impl Scores {
    pub(crate) fn minus(self, other: Self) -> Self {
        Self { auc: self.auc - other.auc, log_loss: self.log_loss - other.log_loss }
    }
}

/// The `syndic` that is measured.
pub(crate) struct Sandbox {
    program: PathBuf,
    folder: PathBuf,
}

impl Sandbox {
    /// Jobs and results of runs go below `target/`, where those of an earlier campaign give way.
    pub(crate) fn new(program: PathBuf) -> Result<Self, Failure> {
        let folder = sources::root().join("target/quality");
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))?;
        Ok(Self { program, folder })
    }

    /// Plays the whole federation. Where the program sets no fold aside to choose a round, the last round's model counts,
    /// and training has folds 1 to 4.
    pub(crate) fn run(
        &self,
        table: &Table,
        file: &Path,
        program: &Program,
        split: Split,
    ) -> Result<Measured, Failure> {
        let name = format!("{}-{}-{}", table.name, split.column(), program.short);
        let drawn_up = job(&self.job_of(table, file)?, table, program).ok_or_else(|| {
            Failure::new(format!("the job file of {} has no `[program]` or no `count`", table.name))
        })?;
        let job_file = self.folder.join(format!("{name}.toml"));
        fs::write(&job_file, drawn_up)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", job_file.display())))?;
        let mut command = Command::new(&self.program);
        command.arg("sandbox").arg("--job").arg(&job_file).arg("--table").arg(file);
        command.args(["--site-column", split.column(), "--fold-column", "fold", "--test-fold", "0"]);
        if let Some(fold) = program.validation {
            command.args(["--validation-fold", fold]);
        }
        command.args(["--seed", "1", "--json", "--out"]).arg(self.folder.join(&name));
        measured(&printed(&mut command)?)
            .ok_or_else(|| Failure::new(format!("the run {name} printed no result that can be read")))
    }

    /// The job file that the repository has, or one drafted from a look at the table.
    fn job_of(&self, table: &Table, file: &Path) -> Result<String, Failure> {
        match table.job {
            Some(path) => fs::read_to_string(sources::root().join(path))
                .map_err(|error| Failure::new(format!("cannot read {path}: {error}"))),
            None => printed(
                Command::new(&self.program).args(["job", "init", "--label", "label", "--table"]).arg(file),
            ),
        }
    }
}

/// Of what a model decides; that of the AUC within groups is no decision.
const GAPS: [&str; 3] = ["flagged", "recall", "false_positives"];

/// The standard output of a program that must succeed.
fn printed(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        Failure::new(format!("{} did not start: {error}", command.get_program().display()))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let arguments =
        command.get_args().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
    Err(Failure {
        findings: vec![String::from_utf8_lossy(&output.stderr).into_owned()],
        help: format!("`syndic {arguments}` repeats it"),
    })
}

/// The job file with this program, and its noise, in the place of its own; none where it lacks one of their sections or the
/// number of rounds.
fn job(text: &str, table: &Table, program: &Program) -> Option<String> {
    let section = program.section.replace("{l2}", &table.l2.to_string());
    let exchanged = exchanged(text, "[program]\n", &section)?;
    let count = exchanged.lines().find(|line| line.starts_with("count = "))?.to_owned();
    let job = exchanged.replace(&count, &format!("count = {}", program.rounds));
    match program.noise {
        None => Some(job + "\n" + table.fairness),
        Some(noise) => {
            let job = self::exchanged(&job, "[protection]\n", "")?;
            self::exchanged(&job, "[privacy]\n", &noise.replace("{n}", &table.sites.to_string()))
        }
    }
}

/// The text with another section in the place of the one that begins so.
fn exchanged(text: &str, head: &str, section: &str) -> Option<String> {
    let begins = text.find(head)?;
    let length = text[begins + 1..].find("\n[").map_or(text.len() - begins, |length| length + 2);
    Some(format!("{}{section}\n{}", &text[..begins], &text[begins + length..]))
}

/// What the lines of `--json` say; none where the last of them is no result.
fn measured(lines: &str) -> Option<Measured> {
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).ok()).collect::<Option<_>>()?;
    let (result, events) = lines.split_last()?;
    let metrics = &result["metrics"];
    let alone: Vec<Scores> =
        metrics["alone"].as_object()?.values().map(scores).collect::<Option<Vec<_>>>()?;
    let mean = |of: fn(&Scores) -> f64| alone.iter().map(of).sum::<f64>() / alone.len() as f64;
    let evaluated = events.iter().filter(|event| event["event"] == "metrics" && event["rows"] == "test");
    let auc_of = |event: &Value| Some((number(&event["training_round"])?, event["roc_auc"].as_f64()?));
    Some(Measured {
        federated: scores(&metrics["federated"])?,
        pooled: scores(&metrics["pooled"])?,
        alone: Scores { auc: mean(|scores| scores.auc), log_loss: mean(|scores| scores.log_loss) },
        at_home: metrics["own"].as_object()?.values().map(gain_at_home).collect::<Option<_>>()?,
        wider_gaps: wider_gaps(&result["fairness"])?,
        rounds: number(&result["rounds"]["completed"])?,
        converged: result["rounds"]["converged"].as_bool(),
        seconds: result["timing"]["federation_seconds"].as_f64()?,
        auc_by_round: evaluated.filter_map(auc_of).collect(),
    })
}

fn gain_at_home(own: &Value) -> Option<f64> {
    Some(scores(&own["federated"])?.auc - scores(&own["alone"])?.auc)
}

/// Nothing where the job does not compare groups.
fn wider_gaps(fairness: &Value) -> Option<Vec<f64>> {
    if fairness.is_null() {
        return Some(Vec::new());
    }
    let gaps = |of: &str| -> Option<Vec<f64>> {
        let columns = fairness[of]["columns"].as_array()?.iter();
        let gaps = columns.flat_map(|column| GAPS.iter().filter_map(|gap| column["gaps"][gap].as_f64()));
        Some(gaps.collect())
    };
    let (federated, pooled) = (gaps("federated")?, gaps("pooled")?);
    (federated.len() == pooled.len())
        .then(|| federated.iter().zip(pooled).map(|(one, other)| one - other).collect())
}

fn scores(value: &Value) -> Option<Scores> {
    Some(Scores { auc: value["roc_auc"].as_f64()?, log_loss: value["log_loss"].as_f64()? })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Runs that were never played, for the tests of what is made of them.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;
    use crate::quality::Run;
    use crate::quality::catalogue::TABLES;
    use crate::quality::programs::PROGRAMS;

    pub(crate) const NEWTON: &str = "newton";
    pub(crate) const FED_AVG: &str = "fed-avg";
    pub(crate) const BY_LOT: &str = "fed-avg-by-lot";

    /// A run on bank_marketing that came out as pooled training did.
    pub(crate) fn run(program: &str, split: Split) -> Run {
        let pooled = Scores { auc: 0.7688, log_loss: 0.3023 };
        Run {
            table: TABLES.iter().find(|table| table.name == "bank_marketing").unwrap(),
            split,
            program: PROGRAMS.iter().find(|known| known.short == program).unwrap(),
            measured: Measured {
                federated: pooled,
                pooled,
                alone: Scores { auc: 0.7231, log_loss: 0.7339 },
                at_home: vec![0.05, 0.03],
                wider_gaps: vec![0.0, 0.0],
                rounds: 8,
                converged: Some(true),
                seconds: 3.4,
                auc_by_round: BTreeMap::from([(10, 0.765)]),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::catalogue::TABLES;
    use crate::quality::programs::PROGRAMS;

    #[test]
    fn a_program_takes_the_place_of_the_job_files_own_with_the_penalty_of_the_table() {
        let text = "[job]\nid = \"a\"\n\n[program]\nname = \"other\"\n\n[rounds]\ncount = 7 # at most\n\n[privacy]\n";
        let made = job(text, &TABLES[0], &PROGRAMS[0]).unwrap();
        let expected = format!(
            "[job]\nid = \"a\"\n\n{}\n[rounds]\ncount = 20\n\n[privacy]\n\n{}",
            PROGRAMS[0].section.replace("{l2}", "0.001"),
            TABLES[0].fairness
        );
        assert_eq!(made, expected);
        assert_eq!(job("[job]\n", &TABLES[0], &PROGRAMS[0]), None);
    }

    #[test]
    fn gaps_are_compared_one_by_one_and_those_that_nobody_has_are_not() {
        let of = |gap: &str| {
            format!(
                r#"{{"columns":[{{"gaps":{{"recall":{gap},"flagged":null,"roc_auc":1}}}},{{"gaps":{{"flagged":0.25}}}}]}}"#
            )
        };
        let read = |federated: &str, pooled: &str| {
            let text = format!(r#"{{"federated":{},"pooled":{}}}"#, of(federated), of(pooled));
            wider_gaps(&serde_json::from_str(&text).unwrap())
        };
        assert_eq!(read("0.5", "0.25"), Some(vec![0.25, 0.0]));
        assert_eq!(read("0.5", "null"), None, "the groups are not the same");
        assert_eq!(wider_gaps(&Value::Null), Some(vec![]));
    }

    #[test]
    fn every_job_file_of_the_catalogue_takes_every_program() {
        for table in &TABLES {
            let Some(path) = table.job else { continue };
            let text = fs::read_to_string(sources::root().join(path)).unwrap();
            for program in &PROGRAMS {
                let made: toml::Table = job(&text, table, program).unwrap().parse().unwrap();
                let mode = if program.noise.is_some() { "record-level" } else { "none" };
                assert_eq!(made["privacy"]["mode"].as_str(), Some(mode));
                assert!(made["protection"].get("parameter_set").is_some());
                if program.section.contains("{l2}") {
                    assert_eq!(made["program"]["l2"].as_float(), Some(table.l2));
                }
                assert_eq!(made["rounds"]["count"].as_integer(), Some(i64::from(program.rounds)));
                assert!(made.contains_key("contract") && made.contains_key("evaluation"));
            }
        }
    }

    #[test]
    fn figures_are_read_from_the_last_line_and_rounds_from_those_before() {
        let events = r#"{"event":"metrics","training_round":1,"rows":"test","roc_auc":0.6,"log_loss":0.5}
{"event":"metrics","training_round":1,"rows":"validation","roc_auc":0.1,"log_loss":0.5}
{"event":"job-completed","job":"a","rounds":1}"#;
        let metrics = r#"{"federated":{"roc_auc":0.7,"log_loss":0.4},"pooled":{"roc_auc":0.8,"log_loss":0.3},
"alone":{"a":{"roc_auc":0.5,"log_loss":0.6},"b":{"roc_auc":0.7,"log_loss":0.8}},
"own":{"b":{"federated":{"roc_auc":0.75,"log_loss":0.6},"alone":{"roc_auc":0.5,"log_loss":0.6}}}}"#;
        let rest = r#""fairness":null,"rounds":{"completed":1,"converged":null},"timing":{"federation_seconds":2.5}"#;
        let result = format!(r#"{{{rest},"metrics":{metrics}}}"#).replace('\n', "");
        let lines = format!("{events}\n{result}\n");
        let read = measured(&lines).unwrap();
        assert_eq!(read.federated, Scores { auc: 0.7, log_loss: 0.4 });
        assert_eq!(read.pooled, Scores { auc: 0.8, log_loss: 0.3 });
        assert_eq!((read.alone.auc, read.alone.log_loss), (0.6, 0.7));
        assert_eq!((read.at_home, read.wider_gaps), (vec![0.25], vec![]));
        assert_eq!((read.rounds, read.converged, read.seconds), (1, None, 2.5));
        assert_eq!(read.auc_by_round, BTreeMap::from([(1, 0.6)]));
        assert_eq!(measured("{\"event\":\"job-abandoned\"}"), None);
    }
}
