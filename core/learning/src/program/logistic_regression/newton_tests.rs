use super::*;
use crate::Scoring as _;
use crate::fixture;
use crate::job::{Job, LogisticRegressionTerms, ProgramTerms, Solver};
use crate::program::question::Question;
use crate::program::run::Outcome;
use crate::program::run::tests::{self, ALL, sum_of, tables};
use crate::reference::fit_linear;
use crate::{Column, TableBuilder, Transform};

fn job(encoding: Encoding, l2: f64) -> Job {
    weighted_job(encoding, l2, None)
}

fn weighted_job(encoding: Encoding, l2: f64, class_weights: Option<ClassWeights>) -> Job {
    let solver = Solver::Newton { encoding, class_weights };
    Job {
        program: ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2 }),
        ..tests::job(20)
    }
}

fn weights_of(outcome: &Outcome) -> &Coefficients {
    let crate::Model::Linear(model) = &outcome.model else { panic!("a linear model") };
    &model.coefficients
}

fn farthest(a: &Coefficients, b: &Coefficients) -> f64 {
    a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The outcome of a job in which all are in all sums, and how many sums it took.
fn trained(job: &Job, tables: &[Table]) -> (Outcome, usize) {
    let job = Job { contract: tables[0].contract().clone(), ..job.clone() };
    let (_, outcome, sums) = tests::run(&job, tables, |_| (0..tables.len()).collect());
    (outcome, sums.len())
}

#[test]
fn the_model_is_that_of_pooled_training_within_ten_rounds() {
    for l2 in [1e-4, 1e-2] {
        let tables = tables(false);
        let (outcome, sums) = trained(&job(Encoding::AllLevels, l2), &tables);
        let pooled = fit_linear(&tables.iter().collect::<Vec<_>>(), l2, Encoding::AllLevels).unwrap();
        // Standardised by the federation's own moments, which are rounded.
        let gap = farthest(weights_of(&outcome), &pooled.coefficients);
        assert!(gap < 1e-5, "{gap}");
        // Statistics, training and one evaluation.
        assert!((5..=10).contains(&sums), "{sums}");
        assert_eq!(outcome.released_round as usize, sums - 2);
        let known = outcome.fit.unwrap();
        assert!(known.converged && known.inference.is_none());
        let rows: u64 = tables.iter().map(|table| table.count(Role::Train).0).sum();
        assert_eq!(known.rows, rows);
    }
}

#[test]
fn with_class_weights_the_model_is_that_of_pooled_training_too() {
    let tables = tables(false);
    let plain = trained(&job(Encoding::DropFirst, 1e-3), &tables).0;
    for weights in [ClassWeights::BALANCED, ClassWeights::Positive(4.0), ClassWeights::Positive(0.25)] {
        let job = weighted_job(Encoding::DropFirst, 1e-3, Some(weights));
        let (outcome, _) = trained(&job, &tables);
        let crate::Model::Linear(pooled) =
            crate::reference::fit(&job, &tables.iter().collect::<Vec<_>>()).unwrap()
        else {
            panic!("a linear model")
        };
        let gap = farthest(weights_of(&outcome), &pooled.coefficients);
        assert!(gap < 1e-5, "{weights:?}: {gap}");
        assert!(farthest(weights_of(&outcome), weights_of(&plain)) > 0.1, "they count");
        let fit = outcome.fit.unwrap();
        assert!(fit.converged && fit.inference.is_none(), "weighted rows have no such standard errors");
    }
    assert!(plain.fit.unwrap().inference.is_some());
}

#[test]
fn class_weights_in_a_question_are_those_of_the_job() {
    let plain = job(Encoding::AllLevels, 1e-3);
    let four = weighted_job(Encoding::AllLevels, 1e-3, Some(ClassWeights::Positive(4.0)));
    let question = |class_weights| NewtonQuestion {
        training_round: 1,
        coefficients: Coefficients::constant(plain.contract.inputs(), 0.4),
        standardisation: Standardisation { mean: vec![0.0; 2], sd: vec![1.0; 2] },
        max_rows: plain.contract.max_rows,
        class_weights,
    };
    let told = |class_weights, job: &Job| {
        Question::Newton(question(class_weights)).approved_by(job).map_err(|error| error.code())
    };
    let weights = Some([0.25, 1.0]);
    assert_eq!((told(None, &plain), told(weights, &four)), (Ok(()), Ok(())));
    for refused in [told(weights, &plain), told(None, &four), told(Some([0.5, 1.0]), &four)] {
        assert_eq!(refused, Err("program.not-approved"));
    }
    let text = serde_json::to_string(&question(None)).unwrap();
    assert!(!text.contains("class_weights"), "older questions stay as they were: {text}");
    let table = fixture::table(60, 0.0, false, 1);
    let beyond = Newton::answer(&question(Some([0.5, 2.0])), &table, &mut fixture::rng(1));
    assert_eq!(beyond.err().map(|error| error.code()), Some("program.bad-question"));
}

#[test]
fn institutions_that_differ_by_far_lead_to_the_same_model() {
    // One without positives, one with one row, and one with most of the rows.
    let mut tables: Vec<Table> = vec![fixture::table(2000, 0.5, false, 7)];
    let source = fixture::table(300, 0.0, false, 8);
    tables.push(only(&source, |row| !source.labels()[row]));
    tables.push(only(&source, |row| row == 1));
    let (outcome, _) = trained(&job(Encoding::AllLevels, 1e-3), &tables);
    let pooled = fit_linear(&tables.iter().collect::<Vec<_>>(), 1e-3, Encoding::AllLevels).unwrap();
    assert!(farthest(weights_of(&outcome), &pooled.coefficients) < 1e-5);
}

#[test]
fn missing_values_are_imputed_and_indicated_as_in_pooled_training() {
    let tables: Vec<Table> = (1..=3).map(|seed| fixture::table_with_gaps(600, seed)).collect();
    for encoding in [Encoding::AllLevels, Encoding::DropFirst] {
        let (outcome, _) = trained(&job(encoding, 1e-3), &tables);
        let pooled = fit_linear(&tables.iter().collect::<Vec<_>>(), 1e-3, encoding).unwrap();
        let weights = weights_of(&outcome);
        assert!(farthest(weights, &pooled.coefficients) < 1e-5);
        // Age, age=missing, three jobs, job=missing, balance: that a value is missing is more often so of positives.
        assert_eq!(weights.weights.len(), 7);
        assert!(weights.weights[1] > 0.2 && weights.weights[5] > weights.weights[2], "{weights:?}");
        let inferred = outcome.fit.as_ref().and_then(|fit| fit.inference.as_ref());
        assert_eq!(inferred.is_some(), encoding == Encoding::DropFirst);
        assert!(inferred.is_none_or(|of| of[1].input == "age=missing" && of[1].standard_error.is_some()));
        let (ours, theirs) = (outcome.model.score(&tables[0]).unwrap(), pooled.score(&tables[0]).unwrap());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

/// The rows of a table for which `keep` holds.
fn only(table: &Table, keep: impl Fn(usize) -> bool) -> Table {
    use crate::table::Values;
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| keep(row)).collect();
    let columns = table.columns().iter().map(|column| match column {
        Values::Numeric(values) => Values::Numeric(rows.iter().map(|&row| values[row]).collect()),
        Values::Categorical(values) => Values::Categorical(rows.iter().map(|&row| values[row]).collect()),
    });
    Table {
        contract: table.contract.clone(),
        columns: columns.collect(),
        labels: rows.iter().map(|&row| table.labels[row]).collect(),
        roles: rows.iter().map(|&row| table.roles[row]).collect(),
    }
}

#[test]
fn rounding_for_many_institutions_does_no_harm() {
    let tables = tables(false);
    let references: Vec<_> = tables.iter().collect();
    let model = fit_linear(&references, 1e-3, Encoding::AllLevels).unwrap();
    let question = NewtonQuestion {
        training_round: 1,
        coefficients: Coefficients::constant(5, 0.4),
        standardisation: model.standardisation.clone(),
        max_rows: tables[0].contract().max_rows,
        class_weights: None,
    };
    let reach = reach(tables[0].contract(), &question.standardisation);
    let at = |admitted| {
        let sum = sum_of(&references, admitted, &question.layout().unwrap(), |table, rng| {
            Newton::answer(&question, table, rng).unwrap()
        });
        Point::of(&sum, &question, &reach).unwrap()
    };
    let (few, many) = (at(5), at(256));
    for (a, b) in few.gradient.iter().zip(&many.gradient).chain(few.hessian.iter().zip(&many.hessian)) {
        assert!((a - b).abs() < 1e-6 * few.rows, "{a} {b}");
    }
}

#[test]
fn an_institution_that_misses_rounds_is_missed_and_nothing_else() {
    let tables = tables(false);
    let job = job(Encoding::AllLevels, 1e-3);
    let (_, outcome, _) = tests::run(&job, &tables, |sum| {
        ALL.into_iter().filter(|k| sum == 0 || sum % 2 == 1 || *k != 2).collect()
    });
    // It ends at the minimum of those who were in the last sum, or close to it.
    let pooled = fit_linear(&tables.iter().collect::<Vec<_>>(), 1e-3, Encoding::AllLevels).unwrap();
    assert!(farthest(weights_of(&outcome), &pooled.coefficients) < 0.2);
}

/// A column for each of `numbers`, and a label.
fn of_numbers(rows: &[(Vec<f64>, bool)]) -> Table {
    let mut contract = fixture::contract();
    let kind = crate::ColumnKind::Numeric { transform: Transform::Identity, min: -10.0, max: 10.0 };
    let names: Vec<String> = (0..rows[0].0.len()).map(|k| format!("x{k}")).collect();
    let column = |name: &String| Column {
        name: name.clone(),
        kind: kind.clone(),
        sensitive: false,
        level: None,
        nullable: false,
        other: false,
    };
    contract.columns = names.iter().map(column).collect();
    let header: Vec<&str> = names.iter().map(String::as_str).chain(["label"]).collect();
    let mut builder = TableBuilder::new(&contract, &header).unwrap();
    for (position, (numbers, label)) in rows.iter().enumerate() {
        let cells: Vec<String> = numbers.iter().map(f64::to_string).collect();
        let label = if *label { "1" } else { "0" };
        let cells: Vec<&str> = cells.iter().map(String::as_str).chain([label]).collect();
        builder.push(position as u64, &cells, Role::Train);
    }
    builder.finish().unwrap()
}

#[test]
fn a_step_that_overshoots_is_taken_back() {
    // Far out on a flat slope, where the first steps of a full Newton method jump beyond the minimum.
    let rows: Vec<_> = (0..400)
        .map(|row| {
            let x = if row % 100 == 0 { 10.0 } else { f64::from(row % 7) * 1e-3 };
            (vec![x], row % 100 == 0 || row % 50 == 1)
        })
        .collect();
    let table = of_numbers(&rows);
    let (outcome, _) = trained(&job(Encoding::AllLevels, 1e-6), std::slice::from_ref(&table));
    let pooled = fit_linear(&[&table], 1e-6, Encoding::AllLevels).unwrap();
    assert!(outcome.fit.as_ref().unwrap().converged);
    assert!(farthest(weights_of(&outcome), &pooled.coefficients) < 1e-3);
}

#[test]
fn rows_that_an_input_tells_apart_end_with_the_rounds_and_say_so() {
    let rows: Vec<_> = (0..100).map(|row| (vec![f64::from(row) / 10.0 - 5.0], row >= 50)).collect();
    let mut job = job(Encoding::AllLevels, 0.0);
    job.rounds.count = 6;
    let (outcome, sums) = trained(&job, &[of_numbers(&rows)]);
    assert_eq!((sums, outcome.released_round), (7, 6));
    assert!(!outcome.fit.as_ref().unwrap().converged);
    assert!(weights_of(&outcome).is_finite());
}

#[test]
fn a_level_that_tells_labels_apart_has_no_minimum_without_a_penalty() {
    // Nobody of the last level is positive: its weight would fall for ever.
    let source = fixture::table(600, 0.0, false, 4);
    let crate::table::Values::Categorical(levels) = &source.columns()[1] else { panic!("levels") };
    let table = only(&source, |row| levels[row] != 2 || !source.labels()[row]);
    let of = |l2| trained(&job(Encoding::DropFirst, l2), std::slice::from_ref(&table)).0.fit.unwrap();
    let (free, held) = (of(0.0), of(1e-4));
    assert!(!free.converged && free.inference.is_none(), "{free:?}");
    assert!(held.converged && held.inference.is_some());
}

#[test]
fn standard_errors_are_those_of_the_inverse_information() {
    // One 0/1 input: the log-odds ratio of a two-by-two table has the variance 1/a + 1/b + 1/c + 1/d (Woolf,
    // Annals of Human Genetics 19, 1955).
    let counts = [(0.0, false, 40), (0.0, true, 10), (1.0, false, 15), (1.0, true, 35)];
    let rows: Vec<_> =
        counts.iter().flat_map(|&(x, label, count)| (0..count).map(move |_| (vec![x], label))).collect();
    let (outcome, _) = trained(&job(Encoding::DropFirst, 0.0), &[of_numbers(&rows)]);
    let inference = outcome.fit.unwrap().inference.unwrap();
    let (log_odds_ratio, variance): (f64, f64) =
        ((35.0 * 40.0 / (15.0 * 10.0_f64)).ln(), 1.0 / 40.0 + 1.0 / 10.0 + 1.0 / 15.0 + 1.0 / 35.0);
    let slope = &inference[0];
    assert!((slope.per_unit - log_odds_ratio).abs() < 1e-4, "{slope:?}");
    let error = slope.standard_error.unwrap() * slope.per_unit / slope.coefficient;
    assert!((error - variance.sqrt()).abs() < 1e-4, "{error}");
    assert!((slope.z.unwrap() - log_odds_ratio / variance.sqrt()).abs() < 1e-3);
    // Where the input is zero, the odds are those of its rows.
    assert!((inference[1].per_unit - (10.0 / 40.0_f64).ln()).abs() < 1e-4, "{:?}", inference[1]);
    // Nothing else says anything of it.
    assert!((slope.vif.unwrap() - 1.0).abs() < 1e-9);
    assert!(inference[1].vif.is_none() && inference[1].input == "(intercept)");
}

#[test]
fn inputs_that_say_the_same_have_one_weight_and_the_others_none() {
    let mut rng = fixture::rng(3);
    let rows: Vec<_> = (0..300)
        .map(|_| {
            let (x, y) = (fixture::uniform(&mut rng) * 4.0 - 2.0, fixture::uniform(&mut rng) * 4.0 - 2.0);
            let label = fixture::uniform(&mut rng) < 1.0 / (1.0 + (-x).exp());
            (vec![x, y, x, 3.0], label)
        })
        .collect();
    let (outcome, _) = trained(&job(Encoding::DropFirst, 0.0), &[of_numbers(&rows)]);
    let inference = outcome.fit.unwrap().inference.unwrap();
    // The third says what the first does, and the fourth is the same in all rows.
    let known: Vec<bool> = inference.iter().map(|of| of.standard_error.is_some()).collect();
    assert_eq!(known, [true, true, false, false, true]);
    assert_eq!((inference[2].coefficient, inference[3].coefficient), (0.0, 0.0));
    let redundant = Some(super::super::inference::Zero::Redundant);
    assert_eq!((inference[0].zero, inference[2].zero, inference[3].zero), (None, redundant, redundant));
    assert!(inference[0].p.unwrap() < 1e-6 && inference[1].p.unwrap() > 1e-4);
}

#[test]
fn the_first_level_has_no_weight_where_the_others_are_compared_with_it() {
    let (outcome, _) = trained(&job(Encoding::DropFirst, 0.0), &tables(false));
    let inference = outcome.fit.unwrap().inference.unwrap();
    let names: Vec<&str> = inference.iter().map(|of| of.input.as_str()).collect();
    assert_eq!(names, ["age", "job=office", "job=field", "job=none", "balance", "(intercept)"]);
    assert_eq!((inference[1].coefficient, inference[1].standard_error), (0.0, None));
    assert!(inference[3].p.unwrap() < 1e-6, "{:?}", inference[3]);
    // The same predictions as with all levels and hardly a penalty.
    let (free, _) = trained(&job(Encoding::AllLevels, 1e-9), &tables(false));
    let table = fixture::table(100, 0.3, false, 9);
    let gap = |(a, b): (f64, f64)| (a - b).abs();
    let scores = outcome.model.score(&table).unwrap().into_iter().zip(free.model.score(&table).unwrap());
    assert!(scores.map(gap).fold(0.0, f64::max) < 1e-5);
}

/// What comes of a first sum of which one value is bent, in steps.
fn told(block: &str, position: usize, steps: i64) -> Result<(), &'static str> {
    let tables = tables(false);
    let job = job(Encoding::AllLevels, 1e-4);
    let (_, _, sums) = tests::run(&job, &tables, |_| ALL.to_vec());
    let mut run = crate::JobRun::new(&job);
    let asked = run.next(Some(&sums[0])).unwrap();
    let layout = sums[1].layout().clone();
    let mut values = sums[1].steps().to_vec();
    values[layout.range(block).unwrap()][position] = steps;
    let words = [i64::from(sums[1].survivors())].into_iter().chain(values);
    let bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
    let told = run.next(Some(&Sum::from_bytes(layout, &bytes).unwrap())).map(|_| ());
    assert!(told.is_ok() || run.next(None).unwrap() == asked, "a refused sum changes nothing");
    told.map_err(|error| error.code())
}

#[test]
fn sums_that_no_tables_add_up_to_are_refused() {
    let impossible = Err("program.impossible-sum");
    for (block, position, steps) in [
        (ROWS, 0, 0),
        (ROWS, 0, -1),
        (ROWS, 0, 5_000_001),
        (LOSS, 0, -1),
        (LOSS, 0, i64::MAX >> 8),
        (GRADIENT, 5, i64::MAX >> 8),
        (GRADIENT, 0, -(i64::MAX >> 8)),
        (HESSIAN, 20, i64::MAX >> 8),
        (HESSIAN, 3, -(i64::MAX >> 8)),
    ] {
        assert_eq!(told(block, position, steps), impossible, "{block} {position}");
    }
    // One curvature of all rows less: a step in another direction, which is taken back if it leads up.
    assert_eq!(told(HESSIAN, 20, 0), Ok(()));
}

#[test]
fn a_question_beyond_the_approved_job_is_recognised() {
    let (approved, tables) = (job(Encoding::AllLevels, 1e-4), tables(false));
    let references: Vec<_> = tables.iter().collect();
    let question = NewtonQuestion {
        training_round: 1,
        coefficients: Coefficients::constant(5, 0.4),
        standardisation: fit_linear(&references, 1e-3, Encoding::AllLevels).unwrap().standardisation,
        max_rows: approved.contract.max_rows,
        class_weights: None,
    };
    assert!(Question::Newton(question.clone()).approved_by(&approved).is_ok());
    let bends: [fn(&mut NewtonQuestion); 4] = [
        |question| question.training_round = 0,
        |question| question.training_round = 21,
        |question| question.max_rows += 1,
        |question| question.coefficients.weights.push(0.0),
    ];
    for bend in bends {
        let mut bent = question.clone();
        bend(&mut bent);
        let error = Question::Newton(bent).approved_by(&approved).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "{error}");
    }
    // Nobody who agreed to averaging agreed to Hessians, nor the other way round.
    let averaging = tests::job(20);
    let error = Question::Newton(question.clone()).approved_by(&averaging).unwrap_err();
    assert_eq!(error.code(), "program.not-approved");
    let mut bent = question;
    bent.standardisation.sd[0] = 0.0;
    assert_eq!(Question::Newton(bent).approved_by(&approved).unwrap_err().code(), "program.bad-question");
}

#[test]
fn rows_of_several_blocks_give_the_sums_that_they_give_at_once() {
    let table = fixture::table(100_000, 0.5, false, 11);
    let question = NewtonQuestion {
        training_round: 1,
        coefficients: Coefficients { weights: vec![0.4, -0.3, 0.2, 0.1, -0.7], intercept: 0.25 },
        standardisation: Standardisation { mean: vec![50.0, 4.0], sd: vec![20.0, 3.0] },
        max_rows: table.contract().max_rows,
        class_weights: None,
    };
    let rows = table.rows_for(Role::Train);
    assert!(rows.len() > BLOCK, "more than one block");

    let answer = Newton::answer(&question, &table, &mut fixture::rng(1)).unwrap();

    let inputs = Inputs::of(&table, &rows, &question.standardisation).unwrap();
    let (mut loss, mut slopes) = (0.0, 0.0);
    for (position, &row) in rows.iter().enumerate() {
        let (probability, label) =
            (question.coefficients.probability(&inputs, position), table.labels()[row]);
        loss += log_loss(probability, label);
        slopes += probability - f64::from(u8::from(label));
    }
    // Rows, loss, and the gradient, in which the intercept is last.
    assert_eq!(answer.values()[..2], [rows.len() as f64, loss]);
    assert_eq!(answer.values()[2 + question.coefficients.weights.len()], slopes);
}
