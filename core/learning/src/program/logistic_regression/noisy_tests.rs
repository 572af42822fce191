use super::*;
use crate::coefficients::Coefficients;
use crate::fixture::{self, rng, uniform};
use crate::job::{LogisticRegressionTerms, Privacy, ProgramTerms, Solver};
use crate::program::question::Question;
use crate::program::run::JobRun;
use crate::program::run::tests as runs;
use crate::{Scoring as _, TableBuilder};

fn job(rounds: u32, epsilon: f64) -> Job {
    let solver = Solver::NoisyGradient(NoisyGradientTerms::default());
    let privacy = runs::record_level(epsilon, 5);
    Job {
        program: ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2: 1e-4 }),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(rounds)
    }
}

pub(super) fn asked(job: &Job) -> NoisyQuestion {
    let Next::Ask(Question::Noisy(question)) = JobRun::new(job).next(None).unwrap() else {
        panic!("a job with noise begins with a noisy question");
    };
    question
}

#[test]
fn nothing_but_noisy_gradients_is_ever_asked() {
    let job = job(30, 8.0);
    let tables = runs::tables(true);
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
        let read = Question::from_bytes(&question.to_bytes().unwrap()).unwrap();
        let all: Vec<&Table> = tables.iter().collect();
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
    assert_eq!((rounds, outcome.released_round), (30, 30));
    assert!(outcome.fairness.is_none() && outcome.fit.is_none());
    assert!(run.metrics().iter().all(|metrics| metrics.test.is_none() && metrics.validation.is_none()));
    let learnt = outcome.model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Test).unwrap().unwrap();
    assert!(learnt.roc_auc.unwrap() > 0.7, "{learnt:?}");
}

#[test]
fn exact_questions_are_no_questions_of_a_job_with_noise() {
    let (noisy, exact) = (job(5, 1.0), runs::job(5));
    let Next::Ask(statistics) = JobRun::new(&exact).next(None).unwrap() else { panic!("no question") };
    assert_eq!(statistics.approved_by(&noisy).unwrap_err().code(), "program.not-approved");
    let question = Question::Noisy(asked(&noisy));
    assert_eq!(question.approved_by(&exact).unwrap_err().code(), "program.not-approved");
}

#[test]
fn a_question_about_a_linear_model_is_spelled_as_ever() {
    let mut question = asked(&job(5, 1.0));
    (question.clip, question.variance) = (1.5, 77);
    let text = String::from_utf8(Question::Noisy(question.clone()).to_bytes().unwrap()).unwrap();
    let max_rows = question.max_rows;
    assert_eq!(
        text,
        format!(
            "{{\"clip\":1.5,\"coefficients\":{{\"intercept\":0,\"weights\":[0,0,0,0,0]}},\"kind\":\"noisy\",\"max_rows\":{max_rows},\
             \"training_round\":1,\"variance\":77}}"
        )
    );
    assert_eq!(Question::from_bytes(text.as_bytes()).unwrap(), Question::Noisy(question));
    let network = "\"network\":{\"hidden\":[],\"parameters\":[0,0,0,0,0,0]}";
    for other in [
        text.replace("\"kind\"", "\"extra\":1,\"kind\""),
        text.replace("\"training_round\"", &format!("{network},\"training_round\"")),
        text.replace("\"coefficients\":{\"intercept\":0,\"weights\":[0,0,0,0,0]},", ""),
    ] {
        assert_eq!(
            Question::from_bytes(other.as_bytes()).unwrap_err().code(),
            "program.bad-question",
            "{other}"
        );
    }
}

#[test]
fn less_noise_or_another_clip_is_not_approved() {
    let job = job(5, 1.0);
    let fine = asked(&job);
    assert!(fine.approved_by(&job).is_ok());
    let bent: [fn(&mut NoisyQuestion); 7] = [
        |question| question.variance -= 1,
        |question| question.variance += 1,
        |question| question.clip *= 1.5,
        |question| question.max_rows += 1,
        |question| question.training_round = 0,
        |question| question.training_round = 6,
        |question| {
            question.model = NoisyModel::Linear(Coefficients { weights: vec![0.0; 6], intercept: 0.0 })
        },
    ];
    for bend in bent {
        let mut question = fine.clone();
        bend(&mut question);
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
    // The model is the coordinator's choice: it changes nothing of what is spent.
    let mut question = fine;
    question.model = question.model.with(vec![1e300; question.model.count()]);
    assert!(question.approved_by(&job).is_ok());
}

#[test]
fn a_row_or_a_customers_rows_move_the_vector_by_no_more_than_is_accounted_for() {
    let plain = fixture::contract();
    let mut nullable = plain.clone();
    nullable.columns.iter_mut().for_each(|column| column.nullable = true);
    let header = ["age", "job", "balance", "label"];
    for seed in 0..600 {
        let contract = if seed < 300 { &plain } else { &nullable };
        let mechanism = noisy_sum::mechanism(contract.inputs() + 1, 1, 1);
        let mut rng = rng(seed);
        let mut number = |from: f64, to: f64| from + (to - from) * uniform(&mut rng);
        let rows: Vec<[String; 4]> = (0..20)
            .map(|row| {
                let age = if row == 0 { [18.0, 100.0][seed as usize % 2] } else { number(18.0, 100.0) };
                let level = ["office", "field", "none"][number(0.0, 3.0) as usize];
                let balance = number(-1e4, 2e5).to_string();
                let mut kept = |cell: String| {
                    let is_gap = contract.columns[0].nullable && number(0.0, 1.0) < 0.4;
                    if is_gap { String::new() } else { cell }
                };
                [
                    kept(age.to_string()),
                    kept(level.into()),
                    kept(balance),
                    if number(0.0, 1.0) < 0.3 { "1" } else { "0" }.into(),
                ]
            })
            .collect();
        let scale = [0.0, 1.0, 100.0, 1e308][seed as usize % 4];
        let weights = (0..contract.inputs()).map(|_| scale * number(-1.0, 1.0)).collect();
        let question = NoisyQuestion {
            training_round: 1,
            model: NoisyModel::Linear(Coefficients { weights, intercept: scale }),
            clip: [0.01, 1.0, 1.7, 50.0][(seed / 4) as usize % 4],
            variance: 1,
            max_rows: contract.max_rows,
            sample: None,
        };
        let of = |rows: &[[String; 4]]| {
            let mut builder = TableBuilder::new(contract, &header).unwrap();
            for (row, cells) in rows.iter().enumerate() {
                builder.push(row as u64, &cells.each_ref().map(String::as_str), Role::Train);
            }
            exact(&question, &builder.finish().unwrap()).unwrap()
        };
        let all = of(&rows);
        for of_one in [1, 7] {
            let (without, most) = (of(&rows[of_one as usize..]), mechanism.for_rows(of_one).l2);
            let squares: i64 = all.iter().zip(&without).map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(libm::sqrt(squares as f64) <= most, "{seed}: {squares}");
        }
        assert_eq!(all.last(), Some(&(20 * ROW)));
    }
}

#[test]
fn short_gradients_are_exact_to_a_step_for_each_row() {
    let (job, table) = (job(5, 1.0), fixture::table(200, 0.0, false, 1));
    let question = NoisyQuestion { clip: 64.0, ..asked(&job) };
    let rows = table.rows_for(Role::Train);
    let inputs = Inputs::of(&table, &rows, &public_standardisation(table.contract())).unwrap();
    let mut expected = vec![0.0; inputs.inputs() + 1];
    for (position, &row) in rows.iter().enumerate() {
        let slope = 0.5 - f64::from(u8::from(table.labels()[row]));
        inputs.add_to(position, slope, &mut expected);
        expected[inputs.inputs()] += slope;
    }
    let found = exact(&question, &table).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        let steps = expected / question.clip * LONGEST as f64;
        assert!((*found as f64 - steps).abs() <= rows.len() as f64, "{found} {steps}");
    }
}

#[test]
fn what_leaves_is_the_exact_sum_with_noise_of_the_agreed_variance() {
    let (job, table) = (job(50, 1.0), fixture::table(200, 0.0, false, 1));
    let question = asked(&job);
    let exact = exact(&question, &table).unwrap();
    let deviation = libm::sqrt(question.variance as f64);
    // Tenths of a normal distribution end here, in deviations.
    let deciles =
        [-1.281_552, -0.841_621, -0.524_401, -0.253_347, 0.0, 0.253_347, 0.524_401, 0.841_621, 1.281_552];
    let (mut found, mut draws) = ([0_u32; 10], 0);
    for seed in 0..600 {
        let answer = NoisyGradient::answer(&question, &table, &mut rng(seed)).unwrap();
        for (value, exact) in answer.values().iter().zip(&exact) {
            assert_eq!(value.fract(), 0.0);
            let noise = (value - *exact as f64) / deviation;
            found[deciles.iter().filter(|decile| noise > **decile).count()] += 1;
            draws += 1;
        }
    }
    let mean = f64::from(draws) / 10.0;
    let statistic: f64 = found.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
    // Of nine degrees of freedom; above 45 once in a million.
    assert!(statistic < 45.0, "{found:?}");
}

#[test]
fn a_question_without_noise_that_can_be_drawn_is_not_answered() {
    let (job, table) = (job(5, 1.0), fixture::table(50, 0.0, false, 1));
    let fine = asked(&job);
    for question in [
        NoisyQuestion { variance: 0, ..fine.clone() },
        NoisyQuestion { variance: u64::MAX, ..fine.clone() },
        NoisyQuestion { clip: 0.0, ..fine.clone() },
        NoisyQuestion { clip: f64::INFINITY, ..fine },
    ] {
        let refused = NoisyGradient::answer(&question, &table, &mut rng(1)).err().unwrap();
        assert_eq!(refused.code(), "program.bad-question");
    }
}

#[test]
fn what_a_finished_job_spent_is_what_it_said_before() {
    let job = job(40, 2.0);
    let calibration = job.calibration().unwrap().unwrap();
    assert!(calibration.spent.epsilon <= 2.0 && calibration.spent.epsilon > 1.99);
    assert!(calibration.after(20).unwrap().epsilon < 1.5);
    assert_eq!(asked(&job).variance, calibration.variance);
}

#[test]
fn a_sum_that_is_no_answer_changes_nothing() {
    let job = job(5, 1.0);
    let mut run = JobRun::new(&job);
    let question = asked(&job);
    let other = NoisyQuestion { max_rows: 7, ..question.clone() }.layout().unwrap();
    let table = fixture::table(50, 0.0, false, 1);
    let sum = runs::sum_of(&[&table], 1, &other, |_, _| {
        Contribution::new(other.clone(), vec![0.0; other.len()]).unwrap()
    });
    assert_eq!(run.next(Some(&sum)).unwrap_err().code(), "program.wrong-sum");
    assert_eq!(run.next(None).unwrap(), Next::Ask(Question::Noisy(question)));
}
