use super::*;
use crate::Scoring as _;
use crate::fixture::{self, rng, uniform};
use crate::job::{
    FedAvgTerms, LogisticRegressionTerms, NoiseSource, Privacy, ProgramTerms, Protected, RecordLevelTerms,
    Solver, Unit,
};
use crate::model::Model;
use crate::optimiser::fed_adam::Adaptive;
use crate::program::question::{Layouts, Question};
use crate::program::run::JobRun;
use crate::program::run::tests as runs;

const HONEST: u16 = 5;

fn terms(epsilon: f64) -> InstitutionLevelTerms {
    InstitutionLevelTerms {
        epsilon,
        delta: 1e-5,
        noise: NoiseSource::Distributed,
        honest: Some(HONEST),
        clip: 1.0,
    }
}

fn job(rounds: u32, epsilon: f64) -> Job {
    Job { privacy: Privacy::InstitutionLevel(terms(epsilon)), ..runs::job(rounds) }
}

fn linear(solver: Solver) -> ProgramTerms {
    ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2: 1e-4 })
}

fn averaging(optimiser: Optimiser) -> AveragingTerms {
    let local = FedAvgTerms { batch_size: 16, ..Default::default() };
    AveragingTerms { optimiser, local, steps: Steps::Sgd, class_weights: None }
}

fn asked(job: &Job) -> NoisyUpdateQuestion {
    let Next::Ask(Question::NoisyUpdate(question)) = JobRun::new(job).next(None).unwrap() else {
        panic!("a job with noise for institutions begins with a noisy update");
    };
    question
}

fn square(steps: &[i64]) -> i128 {
    steps.iter().map(|step| i128::from(*step) * i128::from(*step)).sum()
}

const MOST: i128 = (LONGEST as i128) * (LONGEST as i128);

#[test]
fn nothing_but_noisy_updates_is_ever_asked() {
    let job = job(10, 80.0);
    let tables = runs::tables(true);
    let all: Vec<&Table> = tables.iter().collect();
    let mut run = JobRun::new(&job);
    let mut next = run.next(None).unwrap();
    let mut rounds = 0;
    let outcome = loop {
        let question = match next {
            Next::Ask(question) => question,
            Next::Done(ending) => break ending.into_released().unwrap(),
        };
        question.approved_by(&job).unwrap();
        assert!(question.adds_noise() && question.slot() == format!("train/{}", rounds + 1));
        assert_eq!(question.layout().unwrap(), Layouts::of(&job).unwrap().train);
        let read = Question::from_bytes(&question.to_bytes().unwrap()).unwrap();
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
        rounds += 1;
    };
    assert_eq!((rounds, outcome.released_round), (10, 10));
    assert!(Layouts::of(&job).unwrap().evaluate.is_none() && !job.measures_every_round());
    assert!(outcome.fairness.is_none() && outcome.drift.is_none() && outcome.fit.is_none());
    assert!(run.metrics().iter().all(|metrics| metrics.test.is_none() && metrics.validation.is_none()));
    let claim = outcome.privacy.unwrap();
    assert!(claim.unit.starts_with("the whole contribution of one institution"), "{claim:?}");
    assert_eq!(claim.spent.unwrap().training_rounds, 10);
    let learnt = outcome.model.evaluate(&all, Role::Test).unwrap().unwrap();
    assert!(learnt.roc_auc.unwrap() > 0.7, "{learnt:?}");
}

#[test]
fn every_averaging_optimiser_trains_and_a_network_too() {
    let adaptive = Adaptive { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001 };
    let network = NeuralNetworkTerms {
        hidden: vec![3],
        embedding: None,
        packed: false,
        seed: 7,
        l2: 1e-4,
        averaging: averaging(Optimiser::FedProx { proximal: 0.1 }),
    };
    let programs = [
        linear(Solver::Averaging(averaging(Optimiser::FedProx { proximal: 0.1 }))),
        linear(Solver::Averaging(averaging(Optimiser::FedAdam(adaptive)))),
        linear(Solver::Averaging(averaging(Optimiser::FedYogi(adaptive)))),
        linear(Solver::Averaging(AveragingTerms {
            class_weights: Some(ClassWeights::Positive(2.0)),
            ..averaging(Optimiser::FedAvg)
        })),
        ProgramTerms::NeuralNetwork(Box::new(network.into())),
    ];
    let tables = runs::tables(false);
    let all: Vec<&Table> = tables.iter().collect();
    for program in programs {
        let job = Job { program, ..job(6, 100.0) };
        let begun = asked(&job).network.parameters;
        let mut run = JobRun::new(&job);
        let mut next = run.next(None).unwrap();
        let outcome = loop {
            match next {
                Next::Ask(question) => {
                    question.approved_by(&job).unwrap();
                    let sum = runs::sum_of(&all, 5, &question.layout().unwrap(), |table, rng| {
                        JobRun::answer(&question, table, rng).unwrap()
                    });
                    next = run.next(Some(&sum)).unwrap();
                }
                Next::Done(ending) => break ending.into_released().unwrap(),
            }
        };
        assert_eq!(outcome.released_round, 6, "{:?}", job.program);
        let learnt = match outcome.model {
            Model::Linear(model) => model.coefficients.to_vec(),
            Model::Network(model) => model.network.parameters,
            other => panic!("{other:?}"),
        };
        let moved = learnt.iter().zip(&begun).filter(|(now, before)| now != before).count();
        assert!(moved > learnt.len() / 2, "{:?}: {moved} of {}", job.program, learnt.len());
    }
}

#[test]
fn questions_of_other_modes_are_none_of_this_and_the_other_way_round() {
    let (noisy, exact) = (job(5, 1.0), runs::job(5));
    let Next::Ask(statistics) = JobRun::new(&exact).next(None).unwrap() else { panic!("no question") };
    let question = asked(&noisy);
    let network = Question::Network(question.local(&noisy.contract));
    for exact in [&statistics, &network] {
        assert_eq!(exact.approved_by(&noisy).unwrap_err().code(), "program.not-approved", "{exact:?}");
    }
    let of_rows = RecordLevelTerms {
        epsilon: 1.0,
        delta: 1e-5,
        noise: NoiseSource::Local,
        honest: None,
        clip: None,
        unit: Unit::Row,
        test_bins: None,
    };
    let of_rows = Job {
        program: linear(Solver::NoisyGradient(Default::default())),
        privacy: Privacy::RecordLevel(of_rows),
        ..runs::job(5)
    };
    let question = Question::NoisyUpdate(question);
    for other in [&exact, &of_rows] {
        assert_eq!(question.approved_by(other).unwrap_err().code(), "program.not-approved");
    }
    let Next::Ask(gradient) = JobRun::new(&of_rows).next(None).unwrap() else { panic!("no question") };
    assert_eq!(gradient.approved_by(&noisy).unwrap_err().code(), "program.not-approved");
}

#[test]
fn less_noise_or_another_clip_or_other_training_is_not_approved() {
    let job = job(5, 1.0);
    let fine = asked(&job);
    assert!(fine.approved_by(&job).is_ok());
    let bent: [fn(&mut NoisyUpdateQuestion); 11] = [
        |question| question.variance -= 1,
        |question| question.variance += 1,
        |question| question.clip *= 1.5,
        |question| question.training_round = 0,
        |question| question.training_round = 6,
        |question| question.local.epochs += 1,
        |question| question.steps = Steps::Adam,
        |question| question.proximal = Some(0.1),
        |question| question.class_weights = Some(ClassWeights::BALANCED),
        |question| question.network.parameters.push(0.0),
        |question| question.network.parameters[0] = 0.5,
    ];
    for bend in bent {
        let mut question = fine.clone();
        bend(&mut question);
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
    // Later models are the coordinator's choice: they change nothing of what is spent.
    let mut second = NoisyUpdateQuestion { training_round: 2, ..fine };
    second.local.learning_rate *= 0.85;
    second.network.parameters[0] = 1e300;
    assert!(second.approved_by(&job).is_ok());
}

#[test]
fn programs_that_weigh_by_other_sums_have_no_noise_for_institutions() {
    let balanced =
        AveragingTerms { class_weights: Some(ClassWeights::BALANCED), ..averaging(Optimiser::FedAvg) };
    let newton = Solver::Newton { encoding: Default::default(), class_weights: None };
    for solver in [newton, Solver::Averaging(averaging(Optimiser::Scaffold)), Solver::Averaging(balanced)] {
        let job = Job { program: linear(solver), ..job(5, 1.0) };
        assert!(job.averaged_with_noise().is_none() && job.calibration().is_err(), "{solver:?}");
    }
}

#[test]
fn no_change_however_large_is_longer_than_the_clip() {
    for seed in 0..2_000 {
        let mut rng = rng(seed);
        let entries = [1, 2, 7, 90, 400][seed as usize % 5];
        let scale = [1e-320, 1e-9, 0.01, 1.0, 3.0, 1e6, 1e155, 1.7e308][(seed / 5) as usize % 8];
        let clip = [0.001, 1.0, 37.5, 1000.0][(seed / 40) as usize % 4];
        let is_sparse = seed % 3 == 0;
        let change: Vec<f64> = (0..entries)
            .map(|_| {
                let value = scale * (2.0 * uniform(&mut rng) - 1.0);
                if is_sparse && uniform(&mut rng) < 0.9 { 0.0 } else { value }
            })
            .collect();
        let steps = cut(&change, clip);
        assert!(square(&steps) <= MOST, "{seed}: {}", square(&steps));
        assert!(steps.iter().zip(&change).all(|(step, value)| *step == 0 || (*step > 0) == (*value > 0.0)));
        let length = libm::sqrt(change.iter().map(|value| (value / scale) * (value / scale)).sum()) * scale;
        if length > 0.0 && length < clip {
            // What is short enough is told to a step.
            let exact = |value: &f64| value / clip * LONGEST as f64;
            assert!(
                steps.iter().zip(&change).all(|(step, value)| (*step as f64 - exact(value)).abs() <= 1.0)
            );
        } else if length > clip {
            // What is too long keeps its direction, and nearly the whole of the longest length.
            let least = LONGEST as f64 - libm::sqrt(entries as f64) - 1.0;
            assert!(square(&steps) as f64 >= least * least, "{seed}: {steps:?}");
        }
    }
    let all = vec![f64::MAX; 1000];
    assert!(square(&cut(&all, 1.0)) <= MOST);
}

#[test]
fn a_change_that_is_no_number_is_none_and_nobody_declines_for_it() {
    for hostile in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(cut(&[1.0, hostile, -3.0], 1.0), [0, 0, 0]);
    }
    assert_eq!(cut(&[0.0, -0.0], 1.0), [0, 0]);
    // A model from which training leaves the finite numbers.
    let job = job(5, 1.0);
    let mut question = asked(&job);
    question.training_round = 2;
    question.local.learning_rate = 1e308;
    question.network.parameters.iter_mut().for_each(|value| *value = -1e308);
    let steps = exact(&question, &fixture::table(200, 0.0, false, 1), &mut rng(1)).unwrap();
    assert!(square(&steps) <= MOST);
    let answer = NoisyUpdate::answer(&question, &fixture::table(200, 0.0, false, 1), &mut rng(1)).unwrap();
    assert_eq!(answer.clip().clamped(), 0);
}

#[test]
fn an_institution_or_nothing_in_its_place_moves_the_sum_by_no_more_than_is_accounted_for() {
    let mut job = job(5, 1.0);
    for (seed, clip) in [(1, 0.001), (2, 0.1), (3, 1.0), (4, 1000.0)] {
        job.privacy = Privacy::InstitutionLevel(InstitutionLevelTerms { clip, ..terms(1.0) });
        let question = asked(&job);
        let most = mechanism(question.network.parameters.len(), 5, HONEST).l2;
        let steps = exact(&question, &fixture::table(300, 0.5, false, seed), &mut rng(seed)).unwrap();
        assert!(libm::sqrt(square(&steps) as f64) <= most && square(&steps) > 0, "{clip}");
    }
}

#[test]
fn the_noise_of_the_opened_sum_has_the_variance_that_is_claimed() {
    let job = job(3, 1.0);
    let calibration = job.calibration().unwrap().unwrap();
    let question =
        NoisyUpdateQuestion { local: LocalTraining { epochs: 1, ..asked(&job).local }, ..asked(&job) };
    let tables: Vec<Table> =
        (0..u64::from(HONEST)).map(|k| fixture::table(60, 0.2 * k as f64, false, k)).collect();
    let layout = question.layout().unwrap();
    let coding = syndic_round::Coding::new(syndic_round::ParameterSet::S32, HONEST);
    let (mut squares, mut fourth, mut draws) = (0.0, 0.0, 0.0);
    // In sensitivities, as the accountant counts: h institutions together add what is claimed.
    let claimed = calibration.noise() * LONGEST as f64;
    for seed in 0..1_000 {
        let entries = question.network.parameters.len();
        let (mut noisy, mut silent) = (vec![0_i64; entries], vec![0_i64; entries]);
        for (institution, table) in tables.iter().enumerate() {
            let own = || rng(1_000 * seed + institution as u64);
            // Training draws the same numbers, and then noise does.
            let exact = exact(&question, table, &mut own()).unwrap();
            silent.iter_mut().zip(exact).for_each(|(sum, step)| *sum += step);
            let answer = NoisyUpdate::answer(&question, table, &mut own()).unwrap().clip();
            assert_eq!(answer.clamped(), 0);
            let update = answer.quantise(&coding, &mut own());
            noisy.resize(update.coefficients().len(), 0);
            noisy.iter_mut().zip(update.coefficients()).for_each(|(sum, value)| *sum += value);
        }
        let sum = Sum::decode(layout.clone(), &coding, HONEST, &noisy).unwrap();
        for (opened, exact) in sum.steps().iter().zip(&silent) {
            let noise = (*opened - exact) as f64 / claimed;
            squares += noise * noise;
            fourth += libm::pow(noise, 4.0);
            draws += 1.0;
        }
    }
    // Five standard errors of the second and the fourth moment of a normal distribution.
    let error = 5.0 / libm::sqrt(draws);
    assert!((squares / draws - 1.0).abs() < error * libm::sqrt(2.0), "{}", squares / draws);
    assert!((fourth / draws - 3.0).abs() < error * libm::sqrt(96.0), "{}", fourth / draws);
}

#[test]
fn the_model_moves_by_the_sum_over_those_who_answered() {
    let job = job(2, 1.0);
    let question = asked(&job);
    let layout = question.layout().unwrap();
    let tables: Vec<Table> = (0..3).map(|k| fixture::table(20, 0.0, false, k)).collect();
    let all: Vec<&Table> = tables.iter().collect();
    // Half the clip in the first entry from each of three, whatever their rows, and nothing elsewhere.
    let sum = runs::sum_of(&all, 5, &layout, |_, _| {
        let mut values = vec![0.0; question.network.parameters.len()];
        values[0] = (LONGEST / 2) as f64;
        Contribution::new(layout.clone(), values).unwrap()
    });
    let mut training = NoisyUpdate::new(&job, &terms(1.0), &job.averaged_with_noise().unwrap().1).unwrap();
    let before = training.network().clone();
    let Next::Ask(second) = training.next(Some(&sum)).unwrap() else { panic!("two rounds") };
    assert!((second.network.parameters[0] - before.parameters[0] - 0.5).abs() < 1e-12);
    assert_eq!(second.network.parameters[1..], before.parameters[1..]);
    assert_eq!(second.local.learning_rate, question.local.learning_rate * 0.85);
    let Next::Done(_) = training.next(Some(&sum)).unwrap() else { panic!("two rounds") };
    assert_eq!(training.next(Some(&sum)).unwrap_err().code(), "program.wrong-sum");
}

#[test]
fn what_noise_promises_says_of_whom() {
    let found = job(5, 2.0).privacy.noise().unwrap();
    assert_eq!((found.protected, found.contributors, found.epsilon), (Protected::Institution, HONEST, 2.0));
    assert!(job(5, 2.0).calibration().unwrap().unwrap().spent.epsilon <= 2.0);
}

#[test]
fn noise_is_louder_than_few_institutions_and_many_are_heard() {
    let job = job(10, 8.0);
    let (five, twenty) = (job.loudness(5).unwrap(), job.loudness(20).unwrap());
    let calibration = job.calibration().unwrap().unwrap();
    // z sqrt(d n / h) / n clips.
    let (d, n, h) = (question_entries(&job), 5.0, f64::from(HONEST));
    let expected = calibration.noise() * libm::sqrt(d * n / h) / n;
    assert!((five.in_a_round / expected - 1.0).abs() < 1e-9, "{five:?} {expected}");
    assert!((five.in_a_round / five.over_all - libm::sqrt(10.0)).abs() < 1e-9);
    assert!((five.over_all / twenty.over_all - 2.0).abs() < 1e-9);
    let heard = job.heard().unwrap();
    let at = |institutions: u16, honest: u16| {
        let terms = InstitutionLevelTerms { honest: Some(honest), ..terms(8.0) };
        Job { privacy: Privacy::InstitutionLevel(terms), ..job.clone() }.loudness(institutions).unwrap()
    };
    assert!(!at(heard.institutions, heard.honest).drowns(), "{heard:?}");
    let fewer = heard.institutions - 1;
    let protection = job.protection.among(fewer.into()).unwrap();
    assert!(at(fewer, protection.threshold() - protection.colluding()).drowns(), "{heard:?}");
    // A smaller epsilon needs more of them, and one that none keep is said to.
    let less = Job { privacy: Privacy::InstitutionLevel(terms(1.0)), ..job.clone() };
    assert!(less.heard().unwrap().institutions > heard.institutions);
    let least = Job { privacy: Privacy::InstitutionLevel(terms(0.1)), ..job.clone() };
    assert_eq!(least.heard(), None);
    assert!(runs::job(5).loudness(5).is_none() && runs::job(5).heard().is_none());
}

fn question_entries(job: &Job) -> f64 {
    asked(job).network.parameters.len() as f64
}
