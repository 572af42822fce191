use rand_chacha::ChaCha20Rng;

use super::*;
use crate::fixture;
use crate::job::{Encoding, FedAvgTerms, Job, LogisticRegressionTerms, ProgramTerms, Solver};
use crate::metrics::logistic;
use crate::network::entry::Entry;
use crate::network::layers;
use crate::optimiser::Steps;
use crate::optimiser::fed_adam::Adaptive;
use crate::program::run::Outcome;
use crate::program::run::tests::{ALL, job as linear_job, run, sum_of, tables};
use crate::program::scorer::Scorer;
use crate::program::statistics::Count;
use crate::{Metrics, Model, Question, Scoring as _};

pub(super) const SGD: FedAvgTerms =
    FedAvgTerms { local_epochs: 1, batch_size: 16, learning_rate: 0.1, learning_rate_decay: 0.9 };

pub(super) fn averaging(optimiser: Optimiser, local: FedAvgTerms) -> AveragingTerms {
    AveragingTerms { optimiser, local, steps: Steps::Sgd, class_weights: None }
}

/// A job of a network with six units.
pub(super) fn network_job(rounds: u32, averaging: AveragingTerms) -> Job {
    let terms =
        NeuralNetworkTerms { hidden: vec![6], embedding: None, packed: false, seed: 3, l2: 1e-4, averaging };
    Job { program: ProgramTerms::NeuralNetwork(Box::new(terms.into())), ..linear_job(rounds) }
}

/// A job of a logistic regression by this optimiser.
fn averaging_job(rounds: u32, averaging: AveragingTerms) -> Job {
    let terms = LogisticRegressionTerms { solver: Solver::Averaging(averaging), l2: 1e-4 };
    Job { program: ProgramTerms::LogisticRegression(terms), ..linear_job(rounds) }
}

pub(super) fn all_of(job: &Job, tables: &[Table]) -> Outcome {
    run(job, tables, |_| (0..tables.len()).collect()).1
}

pub(super) fn on_test_rows(model: &Model, tables: &[Table]) -> Metrics {
    model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Test).unwrap().unwrap()
}

fn parameters_of(model: &Model) -> Vec<f64> {
    match model {
        Model::Network(model) => model.network.parameters.clone(),
        Model::Linear(model) => model.coefficients.to_vec(),
        Model::Trees(_) | Model::Scorecard(_) | Model::External(_) => panic!("no parameters"),
    }
}

fn summary(tables: &[Table]) -> Summary {
    let refs: Vec<_> = tables.iter().collect();
    let mut statistics = crate::program::statistics::Statistics::new(tables[0].contract().clone());
    let Next::Ask(question) = statistics.next(None).unwrap() else { unreachable!() };
    let sum = sum_of(&refs, 5, &question.layout().unwrap(), |table, rng| {
        crate::program::statistics::Statistics::answer(&question, table, rng).unwrap()
    });
    let Next::Done(summary) = statistics.next(Some(&sum)).unwrap() else { unreachable!() };
    summary
}

/// The first question of a job, after its statistics.
pub(super) fn first_question(job: &Job, tables: &[Table]) -> NetworkQuestion {
    let terms = job.network().unwrap();
    NeuralNetwork::new(&job.contract, &summary(tables), &terms, job.rounds.count).unwrap().question
}

pub(super) fn answer(question: &NetworkQuestion, table: &Table, seed: u64) -> Vec<f64> {
    NeuralNetwork::answer(question, table, &mut fixture::rng(seed)).unwrap().values().to_vec()
}

#[test]
fn every_optimiser_brings_a_network_and_a_logistic_regression_close_to_pooled_training() {
    let tables = tables(false);
    let adam = FedAvgTerms { learning_rate: 0.01, ..SGD };
    let pooled = crate::reference::fit_linear(&tables.iter().collect::<Vec<_>>(), 1e-4, Encoding::AllLevels);
    let pooled = on_test_rows(&Model::Linear(pooled.unwrap()), &tables);
    let adaptive = Adaptive { learning_rate: 0.1, ..Default::default() };
    for (optimiser, steps, local) in [
        (Optimiser::FedAvg, Steps::Adam, adam),
        (Optimiser::FedProx { proximal: 0.1 }, Steps::Sgd, SGD),
        (Optimiser::FedAdam(adaptive), Steps::Sgd, SGD),
        (Optimiser::FedYogi(adaptive), Steps::Adam, adam),
        (Optimiser::Scaffold, Steps::Sgd, SGD),
    ] {
        let terms = AveragingTerms { steps, ..averaging(optimiser, local) };
        for job in [network_job(12, terms), averaging_job(12, terms)] {
            let outcome = all_of(&job, &tables);
            let reached = on_test_rows(&outcome.model, &tables);
            assert_eq!(outcome.model.program(), job.program.name());
            assert!(
                reached.roc_auc.unwrap() > pooled.roc_auc.unwrap() - 0.02,
                "{terms:?} {reached:?} {pooled:?}"
            );
            assert!(reached.log_loss < pooled.log_loss + 0.03, "{terms:?}: {reached:?} {pooled:?}");
        }
    }
}

#[test]
fn fed_prox_without_a_pull_is_fed_avg() {
    let tables = tables(false);
    let of = |optimiser| parameters_of(&all_of(&network_job(3, averaging(optimiser, SGD)), &tables).model);
    let plain = of(Optimiser::FedAvg);
    assert_eq!(of(Optimiser::FedProx { proximal: 0.0 }), plain);
    assert_ne!(of(Optimiser::FedProx { proximal: 0.5 }), plain);
}

#[test]
fn a_strong_pull_keeps_local_models_near_the_common_one() {
    let tables = tables(false);
    let length = |proximal| {
        let job = network_job(1, averaging(Optimiser::FedProx { proximal }, SGD));
        let update = answer(&first_question(&job, &tables), &tables[4], 1).split_off(1);
        update.iter().map(|change| change * change).sum::<f64>()
    };
    assert!(length(5.0) < 0.5 * length(0.0));
}

#[test]
fn scaffold_among_institutions_that_are_alike_is_plain_descent() {
    let alike: Vec<Table> = (0..3).map(|_| fixture::table(400, 0.3, false, 1)).collect();
    // All rows in a step, so that their order does not matter.
    let local = FedAvgTerms { local_epochs: 5, batch_size: 1_000, learning_rate: 0.2, ..SGD };
    let of = |optimiser| parameters_of(&all_of(&network_job(4, averaging(optimiser, local)), &alike).model);
    let (plain, controlled) = (of(Optimiser::FedAvg), of(Optimiser::Scaffold));
    assert!(plain.iter().zip(&controlled).all(|(a, b)| (a - b).abs() < 1e-4));
    assert_ne!(plain, controlled, "they are the same but for what is rounded");
}

#[test]
fn scaffold_comes_to_the_probabilities_of_pooled_training_where_averages_of_unlike_institutions_do_not() {
    let mut unlike: Vec<Table> =
        (0..4).map(|k| fixture::table(300 + 300 * k, k as f64 * 0.5, false, k)).collect();
    // Labels that are mostly negative here and mostly positive there.
    for (table, label) in unlike.iter_mut().zip([false, false, true, true]) {
        table.labels.iter_mut().step_by(2).for_each(|of_row| *of_row = label);
    }
    let local =
        FedAvgTerms { local_epochs: 20, batch_size: 2_000, learning_rate: 0.5, learning_rate_decay: 1.0 };
    let refs: Vec<_> = unlike.iter().collect();
    let scores =
        |model: &Model| -> Vec<f64> { refs.iter().flat_map(|table| model.score(table).unwrap()).collect() };
    let pooled = crate::reference::fit_linear(&refs, 1e-4, Encoding::AllLevels).unwrap();
    let pooled = scores(&Model::Linear(pooled));
    let distance = |optimiser| {
        let model = all_of(&averaging_job(40, averaging(optimiser, local)), &unlike).model;
        let distances = scores(&model).into_iter().zip(&pooled).map(|(a, b)| (a - b).abs());
        distances.sum::<f64>() / pooled.len() as f64
    };
    let (plain, controlled) = (distance(Optimiser::FedProx { proximal: 0.0 }), distance(Optimiser::Scaffold));
    assert!(controlled < 0.5 * plain, "{controlled} {plain}");
}

#[test]
fn the_control_variate_is_the_gradient_at_the_common_model_and_the_next_round_gets_its_mean() {
    let tables = tables(false);
    let job = network_job(3, averaging(Optimiser::Scaffold, SGD));
    let mut program =
        NeuralNetwork::new(&job.contract, &summary(&tables), &job.network().unwrap(), 3).unwrap();
    let question = program.question.clone();
    assert!(question.control.as_ref().unwrap().is_empty());
    let count = question.network.parameters.len();
    let refs: Vec<_> = tables.iter().collect();
    let sum = sum_of(&refs, 5, &question.layout().unwrap(), |table, rng| {
        NeuralNetwork::answer(&question, table, rng).unwrap()
    });
    program.next(Some(&sum)).unwrap();
    let control = program.question.control.clone().unwrap();
    assert_eq!(control.at, question.network.parameters);
    let mut mean = vec![0.0; count];
    for table in &tables {
        let variate = answer(&question, table, 1).split_off(1 + count);
        mean.iter_mut().zip(variate).for_each(|(mean, value)| *mean += value);
    }
    assert!(control.common.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(mean.iter().any(|slope| slope.abs() > 1e-3));
}

/// One step of descent on the mean loss, by matrices that are full and loops that are plain.
fn one_step(question: &NetworkQuestion, table: &Table) -> Vec<f64> {
    let rows = table.rows_for(Role::Train);
    let inputs = Inputs::of(table, &rows, &question.standardisation).unwrap();
    let [first, output] = &layers(&Entry::plain(inputs.inputs()), &question.network.hidden)[..] else {
        panic!("two layers")
    };
    let at = &question.network.parameters;
    let mut slope = vec![0.0; at.len()];
    for (position, &row) in rows.iter().enumerate() {
        let mut x = vec![0.0; inputs.inputs()];
        inputs.add_to(position, 1.0, &mut x);
        let before: Vec<f64> = (0..first.units)
            .map(|unit| {
                let products = x.iter().enumerate().map(|(input, x)| x * at[input * first.units + unit]);
                at[first.biases()][unit] + products.sum::<f64>()
            })
            .collect();
        let score = at[output.biases()][0]
            + before.iter().zip(&at[output.weights()]).map(|(b, w)| b.max(0.0) * w).sum::<f64>();
        let label = f64::from(u8::from(table.labels()[row]));
        let distance = (logistic(score) - label) / rows.len() as f64;
        slope[output.biases().start] += distance;
        for unit in 0..first.units {
            slope[output.from + unit] += distance * before[unit].max(0.0);
            let back = if before[unit] > 0.0 { distance * at[output.from + unit] } else { 0.0 };
            slope[first.biases().start + unit] += back;
            (0..x.len()).for_each(|input| slope[input * first.units + unit] += back * x[input]);
        }
    }
    for layer in [first, output] {
        layer.weights().for_each(|place| slope[place] += question.local.l2 * at[place]);
    }
    at.iter().zip(slope).map(|(value, slope)| value - question.local.learning_rate * slope).collect()
}

#[test]
fn one_institution_and_one_step_are_a_step_of_pooled_descent() {
    let tables = [fixture::table(500, 0.2, false, 5)];
    let local = FedAvgTerms { batch_size: 1_000_000, learning_rate: 0.5, ..SGD };
    let job = network_job(1, averaging(Optimiser::FedAvg, local));
    let expected = one_step(&first_question(&job, &tables), &tables[0]);
    let reached = parameters_of(&all_of(&job, &tables).model);
    assert_eq!(reached.len(), expected.len());
    // A step of the sum is four millionths.
    assert!(reached.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 4e-6), "{reached:?} {expected:?}");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let tables = tables(false);
    for steps in [Steps::Sgd, Steps::Adam] {
        let job = network_job(1, AveragingTerms { steps, ..averaging(Optimiser::FedAvg, SGD) });
        let question = first_question(&job, &tables);
        let bits =
            |seed| answer(&question, &tables[0], seed).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(1), bits(1));
        assert_ne!(bits(1), bits(2));
    }
}

#[test]
fn class_weights_give_the_model_of_pooled_training_with_the_same_weights() {
    let tables = tables(false);
    let terms = AveragingTerms {
        class_weights: Some(ClassWeights::Positive(4.0)),
        ..averaging(Optimiser::FedAvg, SGD)
    };
    let job = averaging_job(15, terms);
    let federated = all_of(&job, &tables).model;
    let refs: Vec<_> = tables.iter().collect();
    let pooled = crate::reference::fit(&job, &refs).unwrap();
    let mean = |model: &Model| -> f64 {
        let scores: Vec<f64> = refs.iter().flat_map(|table| model.score(table).unwrap()).collect();
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    assert!((mean(&federated) - mean(&pooled)).abs() < 0.03);
    let unweighted = crate::reference::fit_linear(&refs, 1e-4, Encoding::AllLevels).unwrap();
    assert!((mean(&Model::Linear(unweighted)) - mean(&pooled)).abs() > 0.1);
}

#[test]
fn training_that_leaves_the_numbers_is_told_as_such() {
    let tables = tables(false);
    let local = FedAvgTerms { learning_rate: 100.0, local_epochs: 200, ..SGD };
    let mut question = first_question(&network_job(1, averaging(Optimiser::FedAvg, local)), &tables);
    question.local.l2 = 1000.0;
    let told = NeuralNetwork::answer(&question, &tables[0], &mut fixture::rng(1)).map(|_| ());
    assert_eq!(told.unwrap_err().code(), "program.diverged");
}

#[test]
fn sums_that_no_institutions_add_up_to_are_refused() {
    let tables = tables(false);
    let job = network_job(2, averaging(Optimiser::Scaffold, SGD));
    let terms = job.network().unwrap();
    let mut program = NeuralNetwork::new(&job.contract, &summary(&tables), &terms, 2).unwrap();
    let question = program.question.clone();
    let layout = question.layout().unwrap();
    let sum = |rows: i64, survivors: u16| {
        let steps = [i64::from(survivors), rows].into_iter().chain(vec![0; layout.len() - 1]);
        let bytes: Vec<u8> = steps.flat_map(i64::to_le_bytes).collect();
        Sum::from_bytes(layout.clone(), &bytes).unwrap()
    };
    for rows in [0, -1, 5_000_001] {
        assert_eq!(program.next(Some(&sum(rows, 5))).unwrap_err().code(), "program.impossible-sum", "{rows}");
        assert_eq!(program.question, question, "a refused sum changes nothing");
    }
    program.next(Some(&sum(900, 5))).unwrap();
    let other = first_question(&network_job(2, averaging(Optimiser::FedAvg, SGD)), &tables).layout().unwrap();
    let wrong = sum_of(&[&tables[0]], 1, &other, |_, _: &mut ChaCha20Rng| {
        Contribution::new(other.clone(), vec![1.0; other.len()]).unwrap()
    });
    assert_eq!(program.next(Some(&wrong)).unwrap_err().code(), "program.wrong-sum");
}

#[test]
fn a_question_beyond_the_approved_job_is_recognised() {
    let tables = tables(false);
    let jobs = [
        network_job(3, averaging(Optimiser::FedProx { proximal: 0.1 }, SGD)),
        network_job(3, averaging(Optimiser::Scaffold, SGD)),
    ];
    let [proximal, scaffold] = jobs.each_ref().map(|job| first_question(job, &tables));
    let told = |job: &Job, question: &NetworkQuestion, bend: &dyn Fn(&mut NetworkQuestion)| {
        let mut question = question.clone();
        bend(&mut question);
        Question::Network(question).approved_by(job).map_err(|error| error.to_string())
    };
    let fine = told(&jobs[0], &proximal, &|_| ());
    assert_eq!((fine, told(&jobs[1], &scaffold, &|_| ())), (Ok(()), Ok(())));
    type Bend = (&'static str, fn(&mut NetworkQuestion));
    let bent: [Bend; 15] = [
        ("round", |question| question.training_round = 0),
        ("round", |question| question.training_round = 4),
        ("local training", |question| question.training_round = 2),
        ("max_rows", |question| question.max_rows += 1),
        ("hidden layers", |question| question.network.hidden = vec![7]),
        ("hidden layers", |question| question.network.hidden = vec![]),
        ("number of weights", |question| question.network.parameters.push(0.0)),
        ("local training", |question| question.local.learning_rate = 0.2),
        ("local training", |question| question.steps = Steps::Adam),
        ("local training", |question| question.class_weights = Some(ClassWeights::BALANCED)),
        ("optimiser", |question| question.proximal = None),
        ("optimiser", |question| question.control = Some(Control::default())),
        ("number of training rows", |question| question.training.positives = 0),
        // It follows from the seed and the base rate.
        ("first model", |question| question.network.parameters[2] += 1e-9),
        ("first model", |question| question.training.positives += 1),
    ];
    for (what, bend) in bent {
        let told = told(&jobs[0], &proximal, &bend).unwrap_err();
        assert!(told.ends_with(what), "{what}: {told}");
    }
    let filled = |question: &mut NetworkQuestion| {
        let at = question.network.parameters.clone();
        question.control = Some(Control { common: at.clone(), at, packed: false });
    };
    assert!(told(&jobs[1], &scaffold, &filled).unwrap_err().ends_with("control variates"));
    let later = |question: &mut NetworkQuestion| {
        question.training_round = 2;
        question.local = jobs[1].network().unwrap().averaging.local.in_round(2, 1e-4);
    };
    assert!(told(&jobs[1], &scaffold, &later).unwrap_err().ends_with("control variates"));
    let both = |question: &mut NetworkQuestion| (later(question), filled(question)).0;
    assert_eq!(told(&jobs[1], &scaffold, &both), Ok(()));
    // Another program's.
    assert!(told(&linear_job(3), &proximal, &|_| ()).unwrap_err().ends_with("program"));
}

#[test]
fn a_model_of_another_program_or_size_is_not_measured() {
    let tables = tables(false);
    let job = network_job(2, averaging(Optimiser::FedAvg, SGD));
    let question = first_question(&job, &tables);
    let standardisation = question.standardisation.clone();
    let network = question.network.clone();
    let scorer = Scorer::Network { network, standardisation };
    assert!(scorer.approved_by(&job).is_ok());
    assert!(scorer.approved_by(&linear_job(2)).is_err());
    let bent: [fn(&mut crate::Network); 3] = [
        |network| network.hidden = vec![3, 3],
        |network| network.parameters.truncate(1),
        |network| network.parameters[0] = f64::INFINITY,
    ];
    for bend in bent {
        let Scorer::Network { mut network, standardisation } = scorer.clone() else { unreachable!() };
        bend(&mut network);
        let scorer = Scorer::Network { network, standardisation };
        assert_eq!(scorer.approved_by(&job).unwrap_err().code(), "program.not-approved");
    }
}

#[test]
fn a_question_that_makes_no_sense_is_not_answered() {
    let tables = tables(false);
    let question = first_question(&network_job(3, averaging(Optimiser::Scaffold, SGD)), &tables);
    let bent: [fn(&mut NetworkQuestion); 14] = [
        |question| question.network.hidden = vec![0],
        |question| question.network.hidden = vec![u32::MAX; 9],
        |question| question.network.parameters.truncate(1),
        |question| question.network.parameters[0] = f64::NAN,
        |question| question.local.epochs = 0,
        |question| question.local.batch_size = 0,
        |question| question.local.learning_rate = -1.0,
        |question| question.local.l2 = f64::INFINITY,
        |question| question.proximal = Some(-1.0),
        |question| question.class_weights = Some(ClassWeights::Positive(0.0)),
        |question| question.training = Count { rows: 5, positives: 5 },
        |question| question.training = Count { rows: 0, positives: 0 },
        |question| question.control = Some(Control { at: vec![0.0], common: vec![0.0], packed: false }),
        |question| question.standardisation.sd[0] = 0.0,
    ];
    assert!(NeuralNetwork::answer(&question, &tables[0], &mut fixture::rng(1)).is_ok());
    for (position, bend) in bent.into_iter().enumerate() {
        let mut question = question.clone();
        bend(&mut question);
        let told = NeuralNetwork::answer(&question, &tables[0], &mut fixture::rng(1)).map(|_| ());
        assert_eq!(told.unwrap_err().code(), "program.bad-question", "{position}");
    }
}

#[test]
fn the_best_measured_round_is_released_and_an_institution_may_miss_rounds() {
    let tables = tables(true);
    // Steps so long that training gets worse again.
    let local = FedAvgTerms { learning_rate: 3.0, batch_size: 4, ..SGD };
    let job = network_job(5, averaging(Optimiser::FedAvg, FedAvgTerms { learning_rate_decay: 1.0, ..local }));
    let (run, outcome, _) =
        run(&job, &tables, |round| ALL.into_iter().filter(|k| round == 0 || k % 3 != round % 3).collect());
    let loss = |round: &crate::RoundMetrics| round.validation.map(|metrics| metrics.log_loss);
    let best = run.metrics().iter().min_by(|a, b| loss(a).partial_cmp(&loss(b)).unwrap()).unwrap();
    assert_eq!(outcome.released_round, best.training_round);
    let refs: Vec<_> = tables.iter().collect();
    assert!(matches!(crate::reference::fit(&job, &refs).unwrap(), Model::Network(_)));
}
