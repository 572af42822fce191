//! Networks and the averaging solvers in the section `[program]`.

use super::*;
use crate::job::{ProgramTerms, Solver};
use crate::optimiser::{Optimiser, Steps};
use crate::program::neural_network::ClassWeights;

/// The file with this section in the place of its program.
fn with(section: &str) -> Result<Job, Vec<Diagnostic>> {
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    Job::from_toml(&format!("{}[program]\n{section}\n{}", &FILE[..start], &FILE[end..]))
}

fn network(terms: &str) -> Result<Job, Vec<Diagnostic>> {
    with(&format!("name = \"neural-network\"\n{terms}"))
}

fn linear(solver: &str, terms: &str) -> Result<Job, Vec<Diagnostic>> {
    with(&format!("name = \"logistic-regression\"\nsolver = \"{solver}\"\n{terms}"))
}

#[test]
fn terms_of_networks_are_read_and_written_again() {
    for terms in [
        "",
        "hidden = [32, 16]\nseed = 7\nl2 = 0.001",
        "hidden = [32]\nembedding = 2",
        "packed = true\noptimiser = \"fed-avg\"",
        "optimiser = \"fed-prox\"\nproximal = 0.5\nlocal_steps = \"sgd\"",
        "optimiser = \"fed-adam\"\nserver_learning_rate = 0.1\nserver_beta1 = 0.5\nserver_beta2 = 0.9\nserver_tau = 0.01",
        "optimiser = \"fed-yogi\"\nclass_weights = \"balanced\"",
        "optimiser = \"scaffold\"\nclass_weights = 3\nlearning_rate = 0.05\nlearning_rate_decay = 0.9",
    ] {
        let job = network(terms).expect(terms);
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job, "{terms}");
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job, "{terms}");
        assert!(job.network().is_some() && job.trees().is_none());
    }
    let terms = network("").unwrap().network().unwrap();
    assert_eq!((terms.hidden, terms.seed), (vec![64], 0));
    assert_eq!((terms.averaging.optimiser, terms.averaging.steps), (Optimiser::Scaffold, Steps::Adam));
    let weights = network("class_weights = 3").unwrap().network().unwrap().averaging.class_weights;
    assert_eq!(weights, Some(ClassWeights::Positive(3.0)));
}

#[test]
fn solvers_of_logistic_regression_are_read_and_written_again() {
    for (solver, terms) in [
        ("fed-avg", "local_steps = \"adam\""),
        ("fed-avg", "class_weights = \"balanced\""),
        ("fed-prox", "proximal = 0.01"),
        ("fed-adam", "server_tau = 0.01\nlocal_steps = \"adam\""),
        ("fed-yogi", ""),
        ("scaffold", "batch_size = 64"),
        ("scaffold", "local_steps = \"adam\""),
    ] {
        let job = linear(solver, terms).expect(solver);
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job, "{solver}");
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job, "{solver}");
        let ProgramTerms::LogisticRegression(read) = job.program else { panic!("another program") };
        assert_eq!(read.solver.name(), solver);
        assert!(matches!(read.solver, Solver::Averaging(_)));
        assert!(job.program.local_training(1).is_none());
    }
    // What is written out is what is meant anyway: the questions of such jobs are older than the key.
    let job = linear("fed-avg", "local_steps = \"sgd\"").unwrap();
    assert!(job.network().is_none() && job.program.local_training(1).is_some());
}

#[test]
fn terms_of_networks_that_make_no_sense_are_refused() {
    for (terms, code) in [
        ("hidden = []", "job.out-of-range"),
        ("hidden = [0]", "job.out-of-range"),
        ("hidden = [1.5]", "job.out-of-range"),
        ("hidden = [2000]", "job.out-of-range"),
        ("hidden = [8, 8, 8, 8, 8]", "job.out-of-range"),
        ("hidden = [1024, 1024]", "job.network"),
        ("hidden = [1024, 500]\noptimiser = \"scaffold\"", "job.network"),
        ("hidden = [1024, 1024]\noptimiser = \"scaffold\"\npacked = true", "job.network"),
        ("hidden = [1024, 1024, 1024]\noptimiser = \"fed-avg\"\npacked = true", "job.network"),
        ("packed = 1", "job.wrong-type"),
        ("hidden = 64", "job.wrong-type"),
        ("embedding = 0", "job.out-of-range"),
        ("embedding = 65", "job.out-of-range"),
        ("embedding = 60", "job.embedding"),
        ("optimiser = \"adagrad\"", "job.unknown-optimiser"),
        ("local_steps = \"rmsprop\"", "job.unknown-local-steps"),
        ("class_weights = \"equal\"", "job.unknown-class-weights"),
        ("class_weights = 0", "job.out-of-range"),
        ("proximal = 0.1", "job.other-optimiser"),
        ("server_tau = 0.1", "job.other-optimiser"),
        ("solver = \"newton\"", "job.other-program"),
        ("depth = 3", "job.other-program"),
        ("unit = 3", "job.unknown-key"),
        ("learning_rate = 1e-6\nlearning_rate_decay = 0.01\nlocal_epochs = 0", "job.out-of-range"),
    ] {
        let errors = network(terms).expect_err(terms);
        assert_eq!((errors[0].code, errors.len()), (code, 1), "{terms}: {errors:?}");
        assert!(!errors[0].help.is_empty());
    }
    assert!(network("hidden = [1024, 500]\noptimiser = \"fed-avg\"").is_ok());
    assert!(network("hidden = [1024, 1024]\noptimiser = \"fed-avg\"\npacked = true").is_ok());
    assert!(network("hidden = [1024, 400]\npacked = true").is_ok());
    let help = &network("hidden = [1024, 500]").unwrap_err()[0].help;
    assert!(help.contains("at most 209715") && help.contains("`packed = true`"), "{help}");
    let plain = network("packed = false").unwrap();
    assert!(!serde_json::to_string(&plain).unwrap().contains("packed"), "as jobs were written before");
}

#[test]
fn terms_of_another_optimiser_than_the_solver_are_refused() {
    for (solver, terms) in [
        ("newton", "local_steps = \"adam\""),
        ("newton", "proximal = 0.1"),
        ("fed-avg", "proximal = 0.1"),
        ("fed-avg", "server_beta1 = 0.1"),
        ("fed-prox", "encoding = \"drop-first\""),
        ("scaffold", "server_tau = 0.1"),
    ] {
        let errors = linear(solver, terms).expect_err(terms);
        assert_eq!((errors[0].code, errors.len()), ("job.other-solver", 1), "{terms}: {errors:?}");
    }
    assert_eq!(linear("fed-avg", "hidden = [3]").unwrap_err()[0].code, "job.other-program");
    assert_eq!(linear("fed-avg", "packed = true").unwrap_err()[0].code, "job.other-program");
}
