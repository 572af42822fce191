//! The job files of `examples/` are jobs, and have the sizes that the documents say.

use syndic_learning::{Job, JobRun, Layouts, Next, Program};
use syndic_round::{Coding, ParameterSet, RING_DIMENSION};

const BANK_MARKETING: &str = include_str!("../../../examples/bank-marketing/job.toml");
const OF_EACH_PROGRAM: [&str; 4] = [
    include_str!("../../../examples/bank-marketing/trees.toml"),
    include_str!("../../../examples/bank-marketing/scorecard.toml"),
    include_str!("../../../examples/bank-marketing/network.toml"),
    include_str!("../../../examples/bank-marketing/noise.toml"),
];
const COMPARE: &str = include_str!("../../../examples/bank-marketing/compare.toml");
const CREDIT_DEFAULT: &str = include_str!("../../../examples/jobs/credit-default.toml");
const CREDIT_DEFAULT_NOISE: &str = include_str!("../../../examples/jobs/credit-default-noise.toml");
const CREDIT_DEFAULT_TREES: &str = include_str!("../../../examples/jobs/credit-default-trees.toml");
const CREDIT_DEFAULT_TREES_NOISE: &str =
    include_str!("../../../examples/jobs/credit-default-trees-noise.toml");
const CREDIT_DEFAULT_NETWORK: &str = include_str!("../../../examples/jobs/credit-default-network.toml");
const CREDIT_DEFAULT_SCORECARD: &str = include_str!("../../../examples/jobs/credit-default-scorecard.toml");
const CREDIT_DEFAULT_STATISTICS: &str = include_str!("../../../examples/jobs/credit-default-statistics.toml");
const CREDIT_DEFAULT_SCORECARD_NOISE: &str =
    include_str!("../../../examples/jobs/credit-default-scorecard-noise.toml");
const EXTERNAL: &str = include_str!("../../../examples/external-trainer/job.toml");
const TELCO_CHURN: &str = include_str!("../../../examples/jobs/telco-churn.toml");

fn job(text: &str) -> Job {
    Job::from_toml(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn example_jobs_have_the_inputs_of_their_tables() {
    let inputs = [BANK_MARKETING, CREDIT_DEFAULT, TELCO_CHURN].map(|text| job(text).contract.inputs());
    assert_eq!(inputs, [50, 89, 46]);
    let (linear, trees) = (job(CREDIT_DEFAULT), job(CREDIT_DEFAULT_TREES));
    assert_eq!(linear.contract, trees.contract);
    assert!(trees.trees().is_some() && trees.fairness.is_some() && trees.drift.is_some());
    let network = job(CREDIT_DEFAULT_NETWORK);
    assert_eq!(network.contract, linear.contract);
    assert_eq!(network.network().map(|terms| terms.hidden), Some(vec![64]));
    let scorecard = job(CREDIT_DEFAULT_SCORECARD);
    assert_eq!(linear.contract, scorecard.contract);
    assert!(scorecard.program.scorecard().is_some());
    let noisy = job(CREDIT_DEFAULT_SCORECARD_NOISE);
    assert_eq!(linear.contract, noisy.contract);
    assert!(noisy.noisy_scorecard().is_some() && noisy.fairness.is_some());
}

#[test]
fn jobs_of_the_same_table_by_other_programs_keep_its_contract() {
    let jobs = OF_EACH_PROGRAM.map(job);
    assert!(jobs.iter().all(|of_program| of_program.contract == job(BANK_MARKETING).contract));
    let programs: Vec<&str> = jobs.iter().map(|job| job.program.name()).collect();
    assert_eq!(programs, ["boosted-trees", "scorecard", "neural-network", "logistic-regression"]);
    assert!(jobs[0].fairness.is_some() && jobs[0].drift.is_some() && jobs[3].adds_noise());
}

#[test]
fn the_job_of_the_external_trainer_has_a_weight_for_each_input() {
    let (outside, own) = (job(EXTERNAL), job(BANK_MARKETING));
    assert_eq!(outside.contract, own.contract);
    assert_eq!(outside.external().unwrap().elements(), own.contract.inputs() + 1);
}

#[test]
fn the_comparison_reads_the_rows_that_its_models_were_trained_on_and_asks_for_one_sum() {
    let compare = job(COMPARE);
    assert_eq!(compare.contract, job(BANK_MARKETING).contract);
    assert_eq!(compare.comparison().unwrap().models.len(), 2);
    let Next::Ask(question) = JobRun::new(&compare).next(None).unwrap() else {
        panic!("a job begins with a question")
    };
    assert_eq!(question.layout().unwrap().len(), 2 * (2 * 4096 + 2) + 1);
    assert_eq!(question.layout().unwrap(), Layouts::of(&compare).unwrap().train);
}

#[test]
fn the_description_reads_the_columns_that_the_trainings_do_in_one_sum() {
    let describing = job(CREDIT_DEFAULT_STATISTICS);
    assert_eq!(describing.contract, job(CREDIT_DEFAULT).contract);
    let Next::Ask(question) = JobRun::new(&describing).next(None).unwrap() else {
        panic!("a job begins with a question")
    };
    assert_eq!(question.layout().unwrap().len(), 57_615);
    assert_eq!(question.layout().unwrap(), Layouts::of(&describing).unwrap().train);
}

#[test]
fn the_demo_job_never_reads_what_is_known_too_late() {
    let contract = job(BANK_MARKETING).contract;
    assert_eq!(contract.columns.len(), 15);
    for excluded in ["duration", "row_id", "fold", "split", "site", "site_skew", "label"] {
        assert!(contract.columns.iter().all(|column| column.name != excluded), "{excluded}");
    }
}

#[test]
fn the_examples_with_noise_keep_their_epsilon_and_ask_nothing_exact() {
    for noisy in [CREDIT_DEFAULT_NOISE, CREDIT_DEFAULT_TREES_NOISE].map(job) {
        assert_eq!(noisy.contract, job(CREDIT_DEFAULT).contract);
        let claim = noisy.claim(None).unwrap().unwrap();
        assert!(claim.epsilon.parse::<f64>().unwrap() <= 3.0 && claim.spent.is_none(), "{claim:?}");
        let Next::Ask(question) = JobRun::new(&noisy).next(None).unwrap() else {
            panic!("a job begins with a question")
        };
        assert!(question.adds_noise());
    }
}

#[test]
fn the_comparison_of_rows_in_the_example_with_trees_has_as_many_sums_as_its_page_says() {
    let layout = Layouts::of(&job(CREDIT_DEFAULT_TREES)).unwrap().drift.unwrap();
    assert_eq!(layout.len(), 65_686);
    assert!(include_str!("../../../docs/programs/drift.md").contains(": 65,686 for"));
}

#[test]
fn statistics_of_the_demo_job_fit_one_chunk() {
    let mut run = JobRun::new(&job(BANK_MARKETING));
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("a job begins with a question") };
    let coding = Coding::new(ParameterSet::S32, 5);
    assert_eq!(coding.padded(&question.layout().unwrap()), RING_DIMENSION);
}
