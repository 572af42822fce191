use super::*;
use crate::contract::Contract;
use crate::encode::Inputs;
use crate::fixture::{self, rng, uniform};
use crate::job::{Job, Privacy, ProgramTerms, RecordLevelTerms};
use crate::metrics::logistic;
use crate::network::entry::Entry;
use crate::network::pass::Pass;
use crate::program::logistic_regression::noisy::{
    NoisyGradient, NoisyQuestion, exact, public_standardisation,
};
use crate::program::noisy_model::NoisyModel;
use crate::program::noisy_sum::{LONGEST, ROW, mechanism};
use crate::program::question::Question;
use crate::program::run::JobRun;
use crate::program::run::tests as runs;
use crate::program::{Next, Program as _};
use crate::table::{Role, Table};
use crate::{Model, Scoring as _, TableBuilder};

fn job(rounds: u32, hidden: &[u32]) -> Job {
    let gradient = NoisyGradientTerms { learning_rate: NoisyNetworkTerms::LEARNING_RATE, sample: None };
    let terms = NoisyNetworkTerms { hidden: hidden.to_vec(), embedding: None, seed: 3, l2: 1e-4, gradient };
    let privacy = RecordLevelTerms { test_bins: Some(16), ..runs::record_level(8.0, 5) };
    Job {
        program: ProgramTerms::NeuralNetwork(Box::new(NetworkTerms::Noisy(terms))),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(rounds)
    }
}

fn asked(job: &Job) -> NoisyQuestion {
    let Next::Ask(Question::Noisy(question)) = JobRun::new(job).next(None).unwrap() else {
        panic!("a job with noise begins with a noisy question");
    };
    question
}

fn network_of(question: &NoisyQuestion) -> &Network {
    match &question.model {
        NoisyModel::Network(network) => network,
        NoisyModel::Linear(_) => panic!("a linear model"),
    }
}

#[test]
fn a_network_learns_from_nothing_but_noisy_sums() {
    let (job, tables) = (job(60, &[6]), runs::tables(true));
    let all: Vec<&Table> = tables.iter().collect();
    let mut run = JobRun::new(&job);
    let mut next = run.next(None).unwrap();
    let mut slots = Vec::new();
    let outcome = loop {
        let question = match next {
            Next::Ask(question) => question,
            Next::Done(ending) => break ending.into_released().unwrap(),
        };
        question.approved_by(&job).unwrap();
        assert!(question.adds_noise());
        slots.push(question.slot());
        let read = Question::from_bytes(&question.to_bytes().unwrap()).unwrap();
        assert_eq!(read, question);
        let sum = runs::sum_of(&all, 5, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&read, table, rng).unwrap()
        });
        let foretold = run.next_layout();
        next = run.next(Some(&sum)).unwrap();
        let layout = match &next {
            Next::Ask(question) => Some(question.layout().unwrap()),
            Next::Done(_) => None,
        };
        assert_eq!(foretold, layout);
    };
    let expected: Vec<String> =
        (1..=60).map(|round| format!("train/{round}")).chain(["evaluate/60".into()]).collect();
    assert_eq!((slots, outcome.released_round), (expected, 60));
    let Model::Network(model) = &outcome.model else { panic!("another model") };
    assert_eq!(model.network.hidden, [6]);
    assert_eq!(model.standardisation, public_standardisation(&job.contract));
    assert!(outcome.privacy.is_some());
    let learnt = outcome.model.evaluate(&all, Role::Test).unwrap().unwrap();
    assert!(learnt.roc_auc.unwrap() > 0.7, "{learnt:?}");
}

#[test]
fn a_question_about_another_network_or_with_less_noise_is_not_approved() {
    let job = job(5, &[4, 2]);
    let fine = asked(&job);
    fine.approved_by(&job).unwrap();
    let bent: [fn(&mut NoisyQuestion); 6] = [
        |question| question.variance -= 1,
        |question| question.clip *= 1.5,
        |question| question.training_round = 6,
        |question| question.model = NoisyModel::Network(start(&Entry::plain(5), &[4, 3], 3, 0.5)),
        |question| {
            question.model =
                NoisyModel::Linear(crate::Coefficients { weights: vec![0.0; 5], intercept: 0.0 });
        },
        |question| {
            let network =
                Network { hidden: vec![4, 2], embedding: None, packed: false, parameters: vec![0.0; 7] };
            question.model = NoisyModel::Network(network);
        },
    ];
    for bend in bent {
        let mut question = fine.clone();
        bend(&mut question);
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
    // The model is the coordinator's choice: it changes nothing of what is spent.
    let question = NoisyQuestion { model: fine.model.with(vec![1e300; fine.model.count()]), ..fine };
    question.approved_by(&job).unwrap();
    // Nor is it one of a job whose network is trained by local work.
    let NetworkTerms::Noisy(terms) = noisy_terms(&job) else { unreachable!() };
    let averaged = ProgramTerms::NeuralNetwork(Box::new(terms.without_noise().into()));
    let exact = Job { program: averaged, privacy: Privacy::None {}, ..job };
    assert_eq!(question.approved_by(&exact).unwrap_err().code(), "program.not-approved");
}

fn noisy_terms(job: &Job) -> NetworkTerms {
    match &job.program {
        ProgramTerms::NeuralNetwork(terms) => (**terms).clone(),
        _ => panic!("another program"),
    }
}

/// Twenty rows of any values that the contract has, gaps included where it has them.
fn rows_of(contract: &Contract, seed: u64) -> Vec<[String; 4]> {
    let mut rng = rng(seed);
    let mut number = |from: f64, to: f64| from + (to - from) * uniform(&mut rng);
    let row = |row: usize| {
        let age = if row == 0 { [18.0, 100.0][seed as usize % 2] } else { number(18.0, 100.0) };
        let level = ["office", "field", "none"][number(0.0, 3.0) as usize];
        let cells = [age.to_string(), level.into(), number(-1e4, 2e5).to_string()];
        let [age, level, balance] = cells.map(|cell| {
            let is_gap = contract.columns[0].nullable && number(0.0, 1.0) < 0.4;
            if is_gap { String::new() } else { cell }
        });
        [age, level, balance, if number(0.0, 1.0) < 0.3 { "1" } else { "0" }.into()]
    };
    (0..20).map(row).collect()
}

#[test]
fn a_row_more_or_less_moves_the_vector_by_no_more_than_is_accounted_for() {
    let plain = fixture::contract();
    let mut nullable = plain.clone();
    nullable.columns.iter_mut().for_each(|column| column.nullable = true);
    let mut longest = 0.0_f64;
    for seed in 0..600 {
        let contract = if seed < 300 { &plain } else { &nullable };
        let hidden = [&[4][..], &[3, 2], &[16], &[2, 3, 2]][seed as usize / 5 % 4];
        // With vectors of levels in every third.
        let embedding = (seed % 3 == 0).then_some(2);
        let mut network = start(&Entry::of(contract, embedding), hidden, seed as u32, 0.5);
        let vectors = network.entry(contract).vectors();
        network.parameters[..vectors]
            .iter_mut()
            .zip(1..)
            .for_each(|(number, k)| *number = 0.5 - 0.2 * f64::from(k % 5));
        let scale = [0.0, 1.0, 100.0, 1e160, 1e308][seed as usize % 5];
        network.parameters.iter_mut().for_each(|value| *value = (*value * scale).clamp(-1e308, 1e308));
        let most = mechanism(network.parameters.len(), 1, 1).l2;
        let question = NoisyQuestion {
            training_round: 1,
            model: NoisyModel::Network(network),
            clip: [0.01, 1.0, 1.7, 50.0][(seed / 4) as usize % 4],
            variance: 1,
            max_rows: contract.max_rows,
            sample: None,
        };
        let of = |rows: &[[String; 4]]| {
            let mut builder = TableBuilder::new(contract, &["age", "job", "balance", "label"]).unwrap();
            for (row, cells) in rows.iter().enumerate() {
                builder.push(row as u64, &cells.each_ref().map(String::as_str), Role::Train);
            }
            exact(&question, &builder.finish().unwrap()).unwrap()
        };
        let rows = rows_of(contract, seed);
        let (all, without) = (of(&rows), of(&rows[1..]));
        let squares: i64 = all.iter().zip(&without).map(|(a, b)| (a - b) * (a - b)).sum();
        let moved = libm::sqrt(squares as f64);
        assert!(moved <= most, "{seed}: {squares}");
        longest = longest.max(moved);
        // One row alone: the bound is one of each, and not of their sum.
        let alone = of(&rows[..1]);
        let gradient: i64 = alone[..alone.len() - 1].iter().map(|step| step * step).sum();
        assert!(gradient <= LONGEST * LONGEST, "{seed}: {gradient}");
        assert_eq!(all.last(), Some(&(20 * ROW)));
    }
    // The bound is not only kept, it is met: rows with long gradients fill it but for what is cut off.
    assert!(longest > 0.999 * LONGEST as f64, "{longest}");
}

#[test]
fn short_gradients_are_those_of_the_loss_to_a_step_for_each_row() {
    let (job, table) = (job(5, &[5, 3]), fixture::table(200, 0.0, false, 1));
    let question = NoisyQuestion { clip: 64.0, ..asked(&job) };
    let network = network_of(&question);
    let rows = table.rows_for(Role::Train);
    let inputs = Inputs::of(&table, &rows, &public_standardisation(table.contract())).unwrap();
    let mut pass = Pass::new(network.entry(table.contract()), &network.hidden);
    let mut expected = vec![0.0; network.parameters.len()];
    for (position, &row) in rows.iter().enumerate() {
        let label = f64::from(u8::from(table.labels()[row]));
        let slope = logistic(pass.forward(&network.parameters, &inputs, position)) - label;
        pass.back(&network.parameters, (&inputs, position), slope, &mut expected);
    }
    let found = exact(&question, &table).unwrap();
    assert!(expected.iter().any(|slope| slope.abs() > 1.0));
    for (found, expected) in found.iter().zip(&expected) {
        let steps = expected / question.clip * LONGEST as f64;
        assert!((*found as f64 - steps).abs() <= rows.len() as f64, "{found} {steps}");
    }
}

#[test]
fn what_leaves_is_the_exact_sum_with_noise_of_the_agreed_variance() {
    let (job, table) = (job(50, &[3]), fixture::table(200, 0.0, false, 1));
    let question = asked(&job);
    let exact = exact(&question, &table).unwrap();
    let deviation = libm::sqrt(question.variance as f64);
    // Tenths of a normal distribution end here, in deviations.
    let deciles =
        [-1.281_552, -0.841_621, -0.524_401, -0.253_347, 0.0, 0.253_347, 0.524_401, 0.841_621, 1.281_552];
    let (mut found, mut draws, mut squares) = ([0_u32; 10], 0, 0.0);
    for seed in 0..300 {
        let answer = NoisyGradient::answer(&question, &table, &mut rng(seed)).unwrap();
        assert_eq!(answer.values().len(), exact.len());
        for (value, exact) in answer.values().iter().zip(&exact) {
            assert_eq!(value.fract(), 0.0);
            let noise = (value - *exact as f64) / deviation;
            found[deciles.iter().filter(|decile| noise > **decile).count()] += 1;
            squares += noise * noise;
            draws += 1;
        }
    }
    let mean = f64::from(draws) / 10.0;
    let statistic: f64 = found.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
    // Of nine degrees of freedom; above 45 once in a million.
    assert!(statistic < 45.0, "{found:?}");
    // Five deviations of the mean square.
    let off = 5.0 * libm::sqrt(2.0 / f64::from(draws));
    assert!((squares / f64::from(draws) - 1.0).abs() < off, "{squares} {draws}");
}

#[test]
fn noise_is_that_of_all_parameters_and_the_first_model_is_that_of_the_seed() {
    let job = job(40, &[6]);
    let question = asked(&job);
    assert_eq!(*network_of(&question), start(&Entry::plain(5), &[6], 3, 0.5));
    assert_eq!(question.layout().unwrap().len(), 6 * 5 + 6 + 6 + 1 + 1);
    let calibration = job.calibration().unwrap().unwrap();
    assert_eq!(question.variance, calibration.variance);
    assert!((7.9..=8.0).contains(&calibration.spent.epsilon));
    // What is spent does not depend on how many parameters there are, as long as noise is wide.
    let of = |hidden: &[u32]| self::job(40, hidden).calibration().unwrap().unwrap().noise();
    assert!((of(&[64, 64]) / of(&[1]) - 1.0).abs() < 1e-3);
    // More parameters drown more rows.
    let drowned = |hidden: &[u32]| self::job(40, hidden).rows_drowned(5).unwrap();
    assert!(drowned(&[64]) > 3 * drowned(&[4]));
}

#[test]
fn parameters_that_overflow_change_nothing_but_the_count() {
    let (job, table) = (job(5, &[4]), fixture::table(50, 0.0, false, 1));
    let fine = asked(&job);
    let question = NoisyQuestion { model: fine.model.with(vec![1e308; fine.model.count()]), ..fine.clone() };
    let sums = exact(&question, &table).unwrap();
    assert!(sums[..sums.len() - 1].iter().all(|steps| *steps == 0), "{sums:?}");
    // What is no number is not answered at all.
    let question = NoisyQuestion { model: fine.model.with(vec![f64::NAN; fine.model.count()]), ..fine };
    let refused = NoisyGradient::answer(&question, &table, &mut rng(1)).err().unwrap();
    assert_eq!(refused.code(), "program.bad-question");
}
