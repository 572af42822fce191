use super::*;
use crate::fixture::{self, rng, uniform};
use crate::job::{Grouping, Job};
use crate::model::Scoring as _;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::noisy_evaluation::tests::{job as measuring, played};
use crate::program::noisy_evaluation::{NoisyEvaluateQuestion, NoisyEvaluation};
use crate::program::question::Question;
use crate::program::{Next, Program};
use crate::table::{Role, Table};

fn terms() -> FairnessTerms {
    let by = |column: &str, bands: &[f64]| Grouping { column: column.into(), bands: bands.to_vec() };
    FairnessTerms { flagged: 0.2, min_rows: 20, groups: vec![by("job", &[]), by("age", &[30.0, 50.0])] }
}

fn comparing(epsilon: f64, terms: FairnessTerms) -> Job {
    Job { fairness: Some(terms), ..measuring(epsilon, Some(32)) }
}

fn tables(rows: u64) -> Vec<Table> {
    (1..=5).map(|seed| fixture::table(rows, 0.3, false, seed)).collect()
}

/// The last question of a job that compares.
fn question(job: &Job) -> NoisyEvaluateQuestion {
    let (asked, _) = played(job, &tables(200));
    let Some(Question::NoisyEvaluate(question)) = asked.last() else { panic!("it is not measured") };
    question.clone()
}

#[test]
fn one_noisy_sum_measures_the_model_and_compares_its_groups() {
    let (job, tables) = (comparing(8.0, terms()), tables(4000));
    let (asked, mut run) = played(&job, &tables);
    let kinds: Vec<&str> = asked.iter().map(Question::kind).collect();
    assert_eq!((kinds.len(), kinds.iter().filter(|kind| **kind != "train").count()), (11, 1));
    let Next::Done(ending) = run.next(None).unwrap() else { panic!("the job is over") };
    let outcome = ending.into_released().unwrap();
    let (model, figures) = (&outcome.model, outcome.fairness.unwrap());
    let claim = outcome.privacy.unwrap().evaluation.unwrap();
    assert!(claim.contains("in each of 384 counts") && claim.contains("each of 2 columns"), "{claim}");
    let exact = model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Test).unwrap().unwrap();
    let test = run.metrics()[0].test.unwrap();
    assert!((test.roc_auc.unwrap() - exact.roc_auc.unwrap()).abs() < 0.05, "{test:?} and {exact:?}");
    // Row by row, at the threshold that was found.
    let (mut compared, mut groups) = (0, figures.columns[1].groups.iter());
    for (from, to) in [(f64::MIN, 30.0), (30.0, 50.0), (50.0, f64::MAX)] {
        let rates = groups.next().unwrap().figures.unwrap();
        let noise = rates.noise.unwrap();
        let (mut rows, mut flagged) = (0.0, 0.0);
        for table in &tables {
            let scores = model.score(table).unwrap();
            let crate::table::Values::Numeric(ages) = &table.columns()[0] else { panic!("numbers") };
            for row in table.rows_for(Role::Test).into_iter().filter(|&row| (from..to).contains(&ages[row])) {
                rows += 1.0;
                flagged += f64::from(u8::from(scores[row] >= figures.threshold));
            }
        }
        assert!((rates.rows as f64 - rows).abs() < 5.0 * noise.rows, "{rates:?}: {rows}");
        assert!((rates.flagged - flagged / rows).abs() < 5.0 * noise.flagged + 1e-9, "{rates:?}: {flagged}");
        assert!(noise.flagged > 1e-4 && noise.flagged < 0.1, "{noise:?}");
        compared += 1;
    }
    let gaps = figures.columns[1].gaps;
    assert!(compared == 3 && gaps.flagged.unwrap() > 0.05 && gaps.noise.unwrap().flagged.unwrap() > 0.0);
}

#[test]
fn a_row_moves_one_count_of_each_column_by_what_is_accounted_for() {
    let job = comparing(1.0, terms());
    let asked = question(&job);
    for seed in 0..30 {
        let mut table = fixture::table_with_gaps(40, seed);
        let contract = table.contract().clone();
        let groups = terms().groups;
        // Missing values are a group more.
        let sizes = super::super::sizes(&groups, &contract);
        let mut scorer = asked.scorer.clone();
        if let crate::program::scorer::Scorer::Linear { coefficients, standardisation } = &mut scorer {
            let mut rng = rng(seed);
            coefficients.weights = (0..contract.inputs()).map(|_| 2.0 * uniform(&mut rng) - 1.0).collect();
            *standardisation = crate::program::logistic_regression::noisy::public_standardisation(&contract);
        }
        let asked = NoisyEvaluateQuestion { variance: 1, sizes, scorer, ..asked.clone() };
        // Of the same noise.
        let answer = |table: &Table| NoisyEvaluation::answer(&asked, table, &mut rng(9)).unwrap();
        let all = answer(&table);
        for row in table.rows_for(Role::Test) {
            table.roles[row] = Role::Train;
            let without = answer(&table);
            table.roles[row] = Role::Test;
            let pairs = all.values().iter().zip(without.values());
            let moved: Vec<f64> = pairs.map(|(a, b)| a - b).filter(|by| *by != 0.0).collect();
            assert_eq!(moved, [256.0, 256.0], "{seed}, row {row}");
            let length = moved.iter().map(|by| by * by).sum::<f64>().sqrt();
            let accounted = 256.0 * 2.0_f64.sqrt();
            assert!((length - accounted).abs() < 1e-9);
        }
    }
    // Twice the squared sensitivity needs twice the variance.
    let of_one = measuring(1.0, Some(32)).evaluation_calibration().unwrap().unwrap();
    let of_two = job.evaluation_calibration().unwrap().unwrap();
    let ratio = of_two.variance as f64 / of_one.variance as f64;
    assert!((ratio - 2.0).abs() < 0.01, "{ratio}");
    assert!(of_two.spent.epsilon <= 1.0 && of_two.spent.epsilon > 0.98);
    let one = FairnessTerms { groups: terms().groups[..1].to_vec(), ..terms() };
    let of_one_column = comparing(1.0, one).evaluation_calibration().unwrap().unwrap();
    assert_eq!(of_one_column.variance, of_one.variance, "groups of one column cost nothing");
}

#[test]
fn an_answer_has_the_noise_that_was_planned() {
    let asked = question(&comparing(1.0, terms()));
    let table = fixture::table(300, 0.3, false, 2);
    let answer = |asked: &NoisyEvaluateQuestion, seed| {
        NoisyEvaluation::answer(asked, &table, &mut rng(seed)).unwrap().values().to_vec()
    };
    let (a, b) = (answer(&asked, 3), answer(&asked, 4));
    // The same rows twice: what differs is noise.
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b) / 2.0).sum();
    let ratio = squares / a.len() as f64 / asked.variance as f64;
    assert!(a.len() == 2 * 32 * 6 && (0.7..1.4).contains(&ratio), "{}: {ratio}", a.len());
}

#[test]
fn other_groups_than_those_of_the_job_are_not_approved() {
    let job = comparing(1.0, terms());
    let fine = question(&job);
    assert!(fine.approved_by(&job).is_ok());
    let bent: [fn(&mut NoisyEvaluateQuestion); 6] = [
        |question| question.groups[1].bands = vec![30.0, 31.0],
        |question| drop(question.groups.pop()),
        |question| question.groups.clear(),
        |question| question.sizes[0] = 4,
        |question| question.sizes.clear(),
        |question| question.variance /= 2,
    ];
    for bend in bent {
        let mut question = fine.clone();
        bend(&mut question);
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
    // Who compares nothing agreed to no groups, and who compares some to no sum of all rows beside them.
    let plain = measuring(1.0, Some(32));
    assert_eq!(fine.approved_by(&plain).unwrap_err().code(), "program.not-approved");
    assert_eq!(question(&plain).approved_by(&job).unwrap_err().code(), "program.not-approved");
    let exact = Question::Fairness(super::super::FairnessQuestion {
        scorer: fine.scorer.clone(),
        groups: fine.groups.clone(),
        sizes: fine.sizes.clone(),
        bins: job.evaluation.bins,
        max_rows: job.contract.max_rows,
    });
    assert_eq!(exact.approved_by(&job).unwrap_err().code(), "program.not-approved");
}

#[test]
fn a_question_without_groups_is_spelled_as_before_there_were_any() {
    let plain = Question::NoisyEvaluate(question(&measuring(1.0, Some(32)))).to_bytes().unwrap();
    let text = String::from_utf8(plain).unwrap();
    assert!(!text.contains("groups") && !text.contains("sizes"), "{text}");
    let grouped = Question::NoisyEvaluate(question(&comparing(1.0, terms())));
    assert_eq!(Question::from_bytes(&grouped.to_bytes().unwrap()).unwrap(), grouped);
}

/// Counts of a group in 32 bins: more positives the higher the score.
fn group(rows: f64, shift: f64) -> NoisyHistogram {
    let bin = |at: usize| rows / 32.0 * (1.0 + shift * (at as f64 - 15.5) / 15.5);
    let positive = (0..32).map(|at| 0.4 * bin(at)).collect();
    NoisyHistogram { negative: (0..32).map(|at| bin(31 - at)).collect(), positive }
}

fn noised(histogram: &NoisyHistogram, noise: f64, rng: &mut impl rand_core::CryptoRng) -> NoisyHistogram {
    let variance = Ratio::new((noise * noise * 65_536.0) as u64, 1).unwrap();
    let mut with = |counts: &[f64]| -> Vec<f64> {
        let drawn = |count: &f64| count + IntegerNoise::Gaussian { variance }.draw(rng) as f64 / 256.0;
        counts.iter().map(drawn).collect()
    };
    NoisyHistogram { negative: with(&histogram.negative), positive: with(&histogram.positive) }
}

#[test]
fn noise_spreads_figures_and_differences_as_far_as_is_told() {
    let (noise, mut rng) = (6.0, rng(5));
    let groups = [group(4000.0, 0.5), group(3000.0, 0.9)];
    let contract = fixture::contract();
    let two = FairnessTerms { groups: vec![Grouping { column: "age".into(), bands: vec![40.0] }], ..terms() };
    let mut seen = Vec::new();
    for _ in 0..400 {
        let drawn: Vec<NoisyHistogram> = groups.iter().map(|group| noised(group, noise, &mut rng)).collect();
        let rates: Vec<Rates> = drawn.iter().map(|group| Rates::noisy(group, 24, noise).unwrap()).collect();
        let (all, wider) = NoisyHistogram::total(std::slice::from_ref(&drawn));
        assert!((wider - 2.0_f64.sqrt()).abs() < 1e-12);
        let figures = FairnessFigures::noisy(&two, &contract, &[drawn], &all, noise);
        seen.push((rates, figures.columns[0].gaps));
    }
    /// What one draw shows.
    type Seen = (Vec<Rates>, Gaps);
    let spread = |of: &dyn Fn(&Seen) -> (f64, f64)| {
        let values: Vec<(f64, f64)> = seen.iter().map(of).collect();
        let count = values.len() as f64;
        let mean = values.iter().map(|one| one.0).sum::<f64>() / count;
        let found = (values.iter().map(|one| (one.0 - mean).powi(2)).sum::<f64>() / count).sqrt();
        found / (values.iter().map(|one| one.1).sum::<f64>() / count)
    };
    let first = |seen: &Seen| (seen.0[0], seen.0[0].noise.unwrap());
    for ratio in [
        spread(&|seen| (first(seen).0.flagged, first(seen).1.flagged)),
        spread(&|seen| (first(seen).0.recall.unwrap(), first(seen).1.recall.unwrap())),
        spread(&|seen| (first(seen).0.false_positives.unwrap(), first(seen).1.false_positives.unwrap())),
        spread(&|seen| (first(seen).0.roc_auc.unwrap(), first(seen).1.roc_auc.unwrap())),
        spread(&|seen| (first(seen).0.rows as f64, first(seen).1.rows)),
        spread(&|seen| (seen.1.recall.unwrap(), seen.1.noise.unwrap().recall.unwrap())),
    ] {
        assert!((0.85..1.15).contains(&ratio), "{ratio}");
    }
}

#[test]
fn groups_that_noise_hides_or_that_are_small_have_no_figures() {
    let figures = |rows: [f64; 2], noise: f64, min_rows: u32| {
        let columns = vec![rows.map(|rows| group(rows, 0.5)).to_vec()];
        let (all, _) = NoisyHistogram::total(&columns);
        let groups = vec![Grouping { column: "age".into(), bands: vec![40.0] }];
        let terms = FairnessTerms { flagged: 0.2, min_rows, groups };
        FairnessFigures::noisy(&terms, &fixture::contract(), &columns, &all, noise).columns.remove(0)
    };
    let shown = |column: &ColumnFigures| [0, 1].map(|group| column.groups[group].figures.is_some());
    assert_eq!(shown(&figures([4000.0, 900.0], 6.0, 20)), [true, true]);
    // 1.4 times 100 rows are less than four deviations of 6 in each of 64 counts.
    let hidden = figures([4000.0, 100.0], 6.0, 20);
    assert_eq!(shown(&hidden), [true, false]);
    assert_eq!((hidden.gaps.flagged, hidden.gaps.judged().count()), (None, 0));
    assert_eq!(shown(&figures([4000.0, 900.0], 6.0, 2000)), [true, false]);
}

#[test]
fn what_a_gate_is_held_against_is_as_large_as_the_difference_can_well_be() {
    let columns = vec![vec![group(4000.0, 0.5), group(3000.0, 0.9)]];
    let (all, _) = NoisyHistogram::total(&columns);
    let groups = vec![Grouping { column: "age".into(), bands: vec![40.0] }];
    let figures = FairnessFigures::noisy(
        &FairnessTerms { groups, ..terms() },
        &fixture::contract(),
        &columns,
        &all,
        6.0,
    );
    let gaps = figures.columns[0].gaps;
    let noise = gaps.noise.unwrap();
    let most = [gaps.flagged.zip(noise.flagged), gaps.recall.zip(noise.recall)]
        .into_iter()
        .chain([gaps.false_positives.zip(noise.false_positives)])
        .flatten()
        .map(|(gap, noise)| gap + 2.0 * noise)
        .fold(0.0, f64::max);
    let judged = crate::promotion::largest_gap(&figures).unwrap();
    assert!((judged - most).abs() < 1e-12 && judged > gaps.recall.unwrap(), "{judged} {gaps:?}");
    let exact = FairnessFigures {
        columns: vec![ColumnFigures { gaps: Gaps { noise: None, ..gaps }, ..figures.columns[0].clone() }],
        ..figures
    };
    assert!(crate::promotion::largest_gap(&exact).unwrap() < judged);
}

#[test]
fn all_rows_are_the_groups_of_any_column() {
    let of = |sizes: &[usize]| {
        let columns: Vec<Vec<NoisyHistogram>> =
            sizes.iter().map(|&size| (0..size).map(|_| group(1200.0 / size as f64, 0.3)).collect()).collect();
        let (all, wider) = NoisyHistogram::total(&columns);
        let one = group(1200.0, 0.3);
        assert!(all.negative.iter().zip(&one.negative).all(|(a, b)| (a - b).abs() < 1e-9));
        wider
    };
    assert!((of(&[1]) - 1.0).abs() < 1e-12);
    assert!((of(&[3]) - 3.0_f64.sqrt()).abs() < 1e-12);
    assert!((of(&[2, 2]) - 1.0).abs() < 1e-12);
    assert!((of(&[2, 6]) - 1.5_f64.sqrt()).abs() < 1e-12);
}
