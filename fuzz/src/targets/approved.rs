//! The files and bytes that institutions approve: jobs, and the questions that a job leads to.

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_learning::program::evaluation::EvaluateQuestion;
use syndic_learning::program::logistic_regression::TrainQuestion;
use syndic_learning::program::logistic_regression::newton::NewtonQuestion;
use syndic_learning::program::noisy_evaluation::NoisyEvaluateQuestion;
use syndic_learning::program::scorer::Scorer;
use syndic_learning::program::statistics::StatisticsQuestion;
use syndic_learning::{
    Coefficients, Contract, Job, JobRun, Next, Program, Question, Role, Standardisation, Table, TableBuilder,
};
use syndic_round::{Coding, ParameterSet, Sum};

use crate::bounded::{bounded, within};

/// A job file. What is read is read again from how it is written, in TOML and in JSON.
pub(super) fn job(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // The TOML library keeps an error for every stray bracket, 700 bytes for a byte at worst. A job file has at most
    // 60 KiB, so that this ends at 42 MB.
    match within(text.len(), 1_024, || Job::from_toml(text)) {
        Ok(job) => {
            let written = job.to_toml().expect("what was read from TOML has a TOML form");
            assert_eq!(Job::from_toml(&written).as_ref(), Ok(&job), "a job changes on its way: {written}");
            let json = serde_json::to_string(&job).expect("a job has a JSON form");
            let again: Job = serde_json::from_str(&json).expect("what is written is read");
            assert_eq!(again, job);
            let _ = JobRun::new(&job).next(None);
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a reason");
            diagnostics.iter().for_each(|diagnostic| drop(diagnostic.to_string()));
        }
    }
}

pub(super) fn job_seeds() -> Vec<Vec<u8>> {
    vec![
        JOB.into(),
        JOB.replacen("solver = \"fed-avg\"\nlocal_epochs = 2", "solver = \"newton\"", 1).into(),
        of_trees().into(),
        of_network().into(),
        of_scaffold().into(),
        of_hidden().into(),
        of_embedded().into(),
        of_noise().into(),
        of_noisy_network().into(),
        include_str!("../../../examples/bank-marketing/job.toml").into(),
        include_str!("../../../examples/jobs/credit-default.toml").into(),
        include_str!("../../../examples/jobs/telco-churn.toml").into(),
        of_scorecard().into(),
        of_description().into(),
        include_str!("../../../examples/jobs/credit-default-scorecard.toml").into(),
        include_str!("../../../examples/external-trainer/job.toml").into(),
    ]
}

/// A question. One that one of the jobs leads to is answered, whatever else is in it.
pub(super) fn question(input: &[u8]) {
    let Ok(question) = bounded(input.len(), || Question::from_bytes(input)) else { return };
    assert_eq!(question.to_bytes().expect("it was read"), input, "a question has two spellings");
    let layout = question.layout();
    let jobs: [&Job; 11] = [
        &SMALL,
        &NEWTON,
        &TREES,
        &NETWORK,
        &SCAFFOLD,
        &SCORECARD,
        &HIDDEN,
        &EMBEDDED,
        &NOISE,
        &NOISY_NETWORK,
        &DESCRIPTION,
    ];
    if !jobs.iter().any(|job| question.approved_by(job).is_ok()) {
        return;
    }
    match JobRun::answer(&question, &TABLE, &mut ChaCha20Rng::seed_from_u64(1)) {
        Ok(contribution) => {
            let layout = layout.expect("an answer has a layout");
            assert_eq!(contribution.values().len(), layout.len());
            assert!(contribution.values().iter().all(|value| value.is_finite()));
        }
        Err(error) => assert!(error.code().starts_with("program.") && !error.help().is_empty()),
    }
}

pub(super) fn question_seeds() -> Vec<Vec<u8>> {
    let job = &*SMALL;
    let coefficients = || Coefficients { weights: vec![0.25, -0.5, 1e-3], intercept: -1.5 };
    let standardisation = || Standardisation { mean: vec![50.5], sd: vec![10.0] };
    let max_rows = job.contract.max_rows;
    let train = |training_round: u32| {
        Question::Train(TrainQuestion {
            training_round,
            coefficients: coefficients(),
            standardisation: standardisation(),
            training_rows: 60,
            local: job.program.local_training(training_round).expect("it averages local training"),
            max_rows,
        })
    };
    let evaluate = Question::Evaluate(EvaluateQuestion {
        training_round: 2,
        scorer: Scorer::Linear { coefficients: coefficients(), standardisation: standardisation() },
        roles: vec![Role::Test, Role::Validation],
        bins: job.evaluation.bins,
        max_rows,
    });
    let noisy_evaluate = Question::NoisyEvaluate(NoisyEvaluateQuestion {
        training_round: 2,
        scorer: Scorer::Linear { coefficients: coefficients(), standardisation: standardisation() },
        bins: 64,
        variance: 1 << 20,
        max_rows,
        groups: Vec::new(),
        sizes: Vec::new(),
    });
    let newton = Question::Newton(NewtonQuestion {
        training_round: 2,
        coefficients: coefficients(),
        standardisation: standardisation(),
        class_weights: None,
        max_rows,
    });
    let statistics = Question::Statistics(StatisticsQuestion::of(&job.contract));
    let questions = [statistics, train(1), train(3), newton, evaluate, noisy_evaluate];
    questions
        .into_iter()
        .chain(questions_of(&TREES))
        .chain(questions_of(&NETWORK))
        .chain(questions_of(&SCAFFOLD))
        .chain(questions_of(&HIDDEN))
        .chain(questions_of(&EMBEDDED))
        .chain(questions_of(&NOISE))
        .chain(questions_of(&NOISY_NETWORK))
        .chain(questions_of(&SCORECARD))
        .chain(questions_of(&DESCRIPTION))
        .map(|question| question.to_bytes().expect("finite numbers"))
        .collect()
}

pub(super) static SMALL: LazyLock<Job> = LazyLock::new(|| Job::from_toml(JOB).expect("a sound job"));

/// The same by another solver.
pub(super) static NEWTON: LazyLock<Job> = LazyLock::new(|| {
    let text = JOB.replacen("solver = \"fed-avg\"\nlocal_epochs = 2", "solver = \"newton\"", 1);
    Job::from_toml(&text).expect("a sound job")
});

/// Trees, and comparisons of groups and with training rows by their model.
pub(super) static TREES: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_trees()).expect("a sound job"));

fn of_trees() -> String {
    let terms =
        "name = \"boosted-trees\"\ndepth = 2\nmin_rows = 3\nmin_level_rows = 2\nincreasing = [\"age\"]";
    let text =
        JOB.replacen("name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2", terms, 1);
    text + "\n[fairness]\nmin_rows = 2\ngroups = [{ column = \"job\" }, { column = \"age\", bands = [30, 50] }]\n[drift]\nmin_rows = 2\n"
}

/// A network, and a logistic regression whose questions bring control variates.
pub(super) static NETWORK: LazyLock<Job> =
    LazyLock::new(|| Job::from_toml(&of_network()).expect("a sound job"));
static SCAFFOLD: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_scaffold()).expect("a sound job"));

fn of_network() -> String {
    let terms = "name = \"neural-network\"\nhidden = [3, 2]\noptimiser = \"fed-prox\"\nclass_weights = 2.5";
    JOB.replacen("name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2", terms, 1)
}

fn of_scaffold() -> String {
    let terms = "solver = \"scaffold\"\nclass_weights = \"balanced\"";
    JOB.replacen("solver = \"fed-avg\"\nlocal_epochs = 2", terms, 1)
}

/// Noise for whole institutions.
static HIDDEN: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_hidden()).expect("a sound job"));

fn of_hidden() -> String {
    let terms = "mode = \"institution-level\"\nepsilon = 8\ndelta = 1e-5\nnoise = \"local\"";
    JOB.replacen("mode = \"none\"", terms, 1)
}

/// A network that learns vectors of levels.
static EMBEDDED: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_embedded()).expect("a sound job"));

fn of_embedded() -> String {
    let terms = "name = \"neural-network\"\nhidden = [2]\nembedding = 1\nlocal_steps = \"sgd\"";
    JOB.replacen(PROGRAM, terms, 1)
}

/// Noise for rows, in sums over samples of them: a linear model, measured through noise too, and a network with vectors of levels
/// over all rows.
static NOISE: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_noise()).expect("a sound job"));
static NOISY_NETWORK: LazyLock<Job> =
    LazyLock::new(|| Job::from_toml(&of_noisy_network()).expect("a sound job"));

fn of_noise() -> String {
    let terms = "name = \"logistic-regression\"\nsolver = \"noisy-gradient\"\nsample = 0.5";
    let privacy = "mode = \"record-level\"\nepsilon = 8\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 2\ntest_bins = 16";
    JOB.replacen(PROGRAM, terms, 1).replacen("mode = \"none\"", privacy, 1)
}

fn of_noisy_network() -> String {
    let terms = "name = \"neural-network\"\noptimiser = \"noisy-gradient\"\nhidden = [2]\nembedding = 1";
    let privacy = "mode = \"record-level\"\nepsilon = 8\ndelta = 1e-5\nnoise = \"local\"\nclip = 2.5";
    JOB.replacen(PROGRAM, terms, 1).replacen("mode = \"none\"", privacy, 1)
}

/// The program of [`JOB`].
const PROGRAM: &str = "name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2";

/// A scorecard.
pub(super) static SCORECARD: LazyLock<Job> =
    LazyLock::new(|| Job::from_toml(&of_scorecard()).expect("a sound job"));

fn of_scorecard() -> String {
    let terms = "name = \"scorecard\"\nmin_count = 10\nmin_class = 1\nmin_iv = 0\nfree = [\"age\"]\nl2 = 0.01\n\
                 points = { base = 500, odds = 20, to_double = 40 }";
    JOB.replacen("name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2", terms, 1)
}

/// Rows that are described.
static DESCRIPTION: LazyLock<Job> = LazyLock::new(|| Job::from_toml(&of_description()).expect("a sound job"));

fn of_description() -> String {
    let terms = "name = \"statistics\"\ncells = 16\nmin_rows = 5";
    let text =
        JOB.replacen("name = \"logistic-regression\"\nsolver = \"fed-avg\"\nlocal_epochs = 2", terms, 1);
    text.replacen("count = 4", "count = 1", 1)
}

/// The first questions of a job, up to the second tree of one of trees, and the comparison of groups.
fn questions_of(job: &Job) -> Vec<Question> {
    let mut run = JobRun::new(job);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let coding = Coding::new(ParameterSet::S32, 1);
    let mut questions = Vec::new();
    let mut next = run.next(None).expect("a run knows what it asks");
    while let Next::Ask(question) = next {
        let layout = question.layout().expect("a question of ours");
        let answer = JobRun::answer(&question, &TABLE, &mut rng).expect("a sound question");
        let answer = answer.clip().quantise(&coding, &mut rng);
        let sum = Sum::decode(layout, &coding, 1, answer.coefficients()).expect("an honest sum");
        next = run.next(Some(&sum)).expect("an honest sum");
        if questions.len() < 6 || ["fairness", "drift"].contains(&question.kind()) {
            questions.push(question);
        }
    }
    questions
}

/// Sixty rows under the contract of [`SMALL`].
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| table(&SMALL.contract));

fn table(contract: &Contract) -> Table {
    let mut builder = TableBuilder::new(contract, &["age", "job", "label"]).expect("all columns");
    for row in 0..60_u64 {
        let age = (20 + row).to_string();
        let cells = [age.as_str(), ["a", "b"][row as usize % 2], ["0", "1"][row as usize % 3 / 2]];
        let role = [Role::Train, Role::Train, Role::Test, Role::Train, Role::Validation][row as usize % 5];
        builder.push(row, &cells, role);
    }
    builder.finish().expect("sound rows")
}

pub(super) const JOB: &str = r#"[job]
id = "small"
purpose = "test"
description = "A job."

[contract]
name = "small"
version = 1
max_rows = 1_000

[contract.label]
column = "label"
positive = "1"
negative = "0"

[[contract.columns]]
name = "age"
type = "numeric"
transform = "slog1p"
min = 18
max = 100.5

[[contract.columns]]
name = "job"
type = "categorical"
levels = ["a", "b"]
sensitive = true

[program]
name = "logistic-regression"
solver = "fed-avg"
local_epochs = 2

[rounds]
count = 4

[rounds.deadlines]
share_seconds = 10

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
threshold = 4
colluding = 2
min_survivors = 4

[evaluation]
bins = 4096
"#;
