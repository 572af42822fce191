//! The trainer of examples/external-trainer, in Python, at each of three banks: what it learns is good, and where it does the
//! steps of our own federated averaging it learns the same.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use syndic_learning::program::external::{ExternalQuestion, ExternalState};
use syndic_learning::program::logistic_regression::{LogisticRegression, TrainQuestion};
use syndic_learning::program::statistics::Count;
use syndic_learning::{Coefficients, ExternalModel, Job, Model, Program as _, Role, Standardisation};
use syndic_participant::agent::{Agent, Parts};
use syndic_participant::data::{FileSource, Only, Rules, Source, Split};
use syndic_participant::journal::Journal;
use syndic_participant::policy::Policy;
use syndic_participant::trainer::{Trainer, TrainerConfig};
use tokio::runtime::Runtime;

use crate::federation::{Federation, journal_of};
use crate::run::{Ran, examples, run};

const SITES: [&str; 3] = ["bank_business", "bank_online", "bank_postal"];

/// The trainer as a process. Dropping it ends it.
pub(crate) struct Python {
    child: Child,
    folder: tempfile::TempDir,
}

impl Python {
    pub(crate) fn start(python: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(python)
            .arg(examples().join("external-trainer/trainer.py"))
            .arg("--socket")
            .arg(folder.path().join("socket"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut listens = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut listens).unwrap();
        assert!(listens.starts_with("numpy-logistic/1 listens on "), "{listens}");
        Self { child, folder }
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> TrainerConfig {
        let (socket, name) = (self.folder.path().join("socket"), "numpy-logistic/1".into());
        TrainerConfig { socket, name, timeout_seconds: 600, uid: None }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has what the trainer needs.
pub(crate) fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    let has_them = Command::new(&python)
        .args(["-c", "import grpc, grpc_tools, numpy"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_them {
        eprintln!("SKIPPED: run `cargo xtask python`, and the trainer in Python is tested too");
    }
    has_them.then_some(python)
}

/// The job of the example with this program, and so many training rounds.
fn job(program: Option<&str>, rounds: u32) -> String {
    let text = std::fs::read_to_string(examples().join("external-trainer/job.toml")).unwrap();
    let text = text.replace("count = 20", &format!("count = {rounds}"));
    let Some(program) = program else { return text };
    let (before, rest) = text.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    format!("{before}[program]\n{program}\n[rounds]{after}")
}

fn source(site: &str) -> Source {
    Source::File(FileSource {
        file: examples().join("bank-marketing/bank_marketing.csv.gz"),
        rules: Rules {
            split: Some(Split { column: "fold".into(), test: vec!["0".into()], validation: Vec::new() }),
            only: Some(Only { column: "site".into(), values: vec![site.into()] }),
            consent: None,
        },
    })
}

/// Three banks run the job, with these trainers if there are any.
fn federated(text: &str, trainers: &[Python]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let federation = Federation::found(3).with_job(text.to_owned());
    let job = Job::from_toml(text).unwrap();
    let protection = job.protection_of(3).unwrap();
    Runtime::new().unwrap().block_on(async {
        let mut agents = Vec::new();
        for (position, enrolment) in federation.enrolments().into_iter().enumerate() {
            let journal = Journal::open(&journal_of(&enrolment, folder.path())).await.unwrap();
            let policy = Policy { spot_check_every: 0, ..Policy::allowing(&job, &protection) };
            let source = source(SITES[position]);
            let parts = Parts { enrolment, policy, source, journal, training_seed: Some(1) };
            let trainer = trainers.get(position).map(Python::config);
            agents.push(Agent::new(parts).unwrap().with_trainer(trainer));
        }
        run(&federation, folder.path(), agents).await
    })
}

/// Weights and intercept, as our own model has them.
fn coefficients(model: &ExternalModel) -> Coefficients {
    let Count { rows, positives } = model.state.training;
    let (weights, intercept) = model.state.parameters.split_at(model.contract.inputs());
    let base = (positives as f64 / (rows - positives) as f64).ln();
    Coefficients { weights: weights.to_vec(), intercept: base + intercept[0] }
}

#[test]
fn a_trainer_in_python_learns_a_good_model_in_a_federation() {
    let Some(python) = python() else { return };
    let trainers = [(); 3].map(|()| Python::start(&python));

    let ran = federated(&job(None, 4), &trainers);

    assert_eq!(ran.declined(), []);
    assert_eq!((ran.survivors("train"), ran.survivors("evaluate")), (vec![3; 4], vec![3; 4]));
    println!("ROC-AUC {}", ran.roc_auc());
    // All rows of five banks in one place reach 0.769 with such a model.
    assert!(ran.roc_auc() > 0.75, "{}", ran.roc_auc());
    let weights = ran.outcome.model.to_safetensors().unwrap();
    let card = ran.outcome.card(&weights, Default::default());
    let card = serde_json::to_string(&card).unwrap();
    assert_eq!(Model::load(&weights, &card).unwrap().0, ran.outcome.model);
}

#[test]
fn a_trainer_that_does_the_steps_of_our_own_averaging_learns_what_it_learns() {
    let Some(python) = python() else { return };
    let trainers = [(); 3].map(|()| Python::start(&python));
    // One batch of all rows, so that their order does not matter.
    let steps = "local_epochs = 5\nbatch_size = 1000000\nlearning_rate = 0.5\nl2 = 0.001\n";
    let outside = format!(
        "name = \"external\"\ntrainer = \"numpy-logistic/1\"\nclip = 4\n\
         tensors = [{{ name = \"weights\", shape = [50] }}, {{ name = \"intercept\", shape = [] }}]\n\
         [program.settings]\ndecay = 0.9\n{steps}"
    );
    let own =
        format!("name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlearning_rate_decay = 0.9\n{steps}");

    let theirs = federated(&job(Some(&outside), 3), &trainers);
    let ours = federated(&job(Some(&own), 3), &[]);

    let Model::External(model) = &theirs.outcome.model else { panic!("an external model") };
    let Model::Linear(linear) = &ours.outcome.model else { panic!("a linear model") };
    let (found, expected) = (coefficients(model).to_vec(), linear.coefficients.to_vec());
    assert!(expected.iter().any(|weight| weight.abs() > 0.1), "{expected:?}");
    let furthest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("furthest {furthest:.2e}; ROC-AUC {} and {}", theirs.roc_auc(), ours.roc_auc());
    // Both round each update to a step of 2^-18, up or down at random: three rounds of three institutions, twice.
    assert!(furthest < f64::from(2 * 3 * 3) / f64::from(1 << 18), "{furthest}");
    assert!((theirs.roc_auc() - ours.roc_auc()).abs() < 1e-4, "{} {}", theirs.roc_auc(), ours.roc_auc());
}

#[test]
fn before_rounding_one_round_in_python_is_our_own_to_a_thousand_millionth() {
    let text =
        job(None, 1).replace("batch_size = 32", "batch_size = 1000000").replace("l2 = 0.0001", "l2 = 0.01");
    is_our_own(&text, &source(SITES[1]));
}

#[test]
fn before_rounding_it_is_our_own_with_missing_values_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("holed.csv");
    let mut lines = String::new();
    let whole = std::fs::File::open(examples().join("bank-marketing/bank_marketing.csv.gz")).unwrap();
    let whole = std::io::read_to_string(flate2::read::GzDecoder::new(whole)).unwrap();
    let header: Vec<&str> = whole.lines().next().unwrap().split(',').collect();
    let [age, job_column] = ["age", "job"].map(|name| header.iter().position(|of| *of == name).unwrap());
    for (row, line) in whole.lines().enumerate() {
        let mut cells: Vec<&str> = line.split(',').collect();
        if row % 3 == 1 {
            cells[age] = "";
        }
        if row % 5 == 2 {
            cells[job_column] = "";
        }
        lines += &(cells.join(",") + "\n");
    }
    std::fs::write(&file, lines).unwrap();
    // An input more for each: that the age is missing, that the job is.
    let text = job(None, 1)
        .replace("batch_size = 32", "batch_size = 1000000")
        .replace("shape = [50]", "shape = [52]")
        .replace("max = 100\nsensitive = true\n", "max = 100\nsensitive = true\nnullable = true\n")
        .replace("name = \"job\"\n", "name = \"job\"\nnullable = true\n");
    assert_eq!(text.matches("nullable = true").count(), 2);
    let Source::File(of) = source(SITES[1]) else { panic!("a file") };

    let missing = is_our_own(&text, &Source::File(FileSource { file, ..of }));

    assert!(
        missing.is_none_or(|missing| missing.iter().all(|(_, cells)| *cells > 100)),
        "nothing is missing"
    );
}

/// Has the trainer do one round on the rows of one bank, and asserts that it is what our own averaging does. Returns how many cells
/// are missing, column by column; none where there is no Python.
fn is_our_own(text: &str, source: &Source) -> Option<Vec<(String, u64)>> {
    let trainer = Python::start(&python()?);
    let job = Job::from_toml(text).unwrap();
    let table = source.load(&job.contract).unwrap().table;
    let (rows, positives) = table.count(Role::Train);
    let numeric = job.contract.numeric().count();
    let standardisation =
        Standardisation { mean: (0..numeric).map(|k| k as f64).collect(), sd: vec![7.0; numeric] };
    let inputs = job.contract.inputs();
    let mut start = Coefficients::constant(inputs, positives as f64 / rows as f64);
    let base = start.intercept;
    start.values_mut().enumerate().for_each(|(k, value)| *value += 0.01 * (k % 5) as f64 - 0.02);
    let mut parameters = start.to_vec();
    parameters[inputs] -= base;
    let max_rows = job.contract.max_rows;
    let terms = "name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2\nbatch_size = 1000000\n\
                 learning_rate = 0.3\n";
    let terms = format!("{terms}l2 = {}\n", job.external().unwrap().settings["l2"]);
    let (before, rest) = text.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    let own = Job::from_toml(&format!("{before}[program]\n{terms}\n[rounds]{after}")).unwrap();
    let question = TrainQuestion {
        training_round: 1,
        coefficients: start,
        standardisation: standardisation.clone(),
        training_rows: rows,
        local: own.program.local_training(1).unwrap(),
        max_rows,
    };
    let ours = LogisticRegression::answer(&question, &table, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let state = ExternalState { parameters, standardisation, training: Count { rows, positives } };
    let asked = ExternalQuestion { training_round: 1, clip: 4.0, max_rows, state };
    let trainer = Trainer::new(trainer.config());

    let theirs = Runtime::new().unwrap().block_on(trainer.train(&job, &table, &asked, 1)).unwrap();

    assert_eq!(theirs.metrics[0].0, "train_log_loss");
    let ours = &ours.values()[1..];
    assert_eq!(theirs.update.len(), ours.len());
    assert!(ours.iter().any(|change| change.abs() > 1e-3), "{ours:?}");
    let far = theirs.update.iter().zip(ours).filter(|(a, b)| (*a - *b).abs() > 1e-9).count();
    assert_eq!(far, 0, "{:?} {ours:?}", theirs.update);
    Some(table.missing().into_iter().map(|(column, cells)| (column.to_owned(), cells)).collect())
}
