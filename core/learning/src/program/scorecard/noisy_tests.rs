use super::super::noisy_bins::{CLEAR, coding};
use super::super::noisy_counts::NoisyCells;
use super::*;
use crate::fixture::{self, rng, uniform};
use crate::job::{Privacy, ProgramTerms};
use crate::model::Scoring as _;
use crate::privacy::noise::{IntegerNoise, Ratio};
use crate::program::noisy_evaluation::tests::played;
use crate::program::question::{Question, sums_at};
use crate::program::run::tests as runs;
use crate::program::{Next, Program};
use crate::table::Role;

fn job(epsilon: f64, rounds: u32, terms: ScorecardTerms) -> Job {
    let privacy = RecordLevelTerms { test_bins: Some(32), ..runs::record_level(epsilon, 2) };
    Job {
        program: ProgramTerms::Scorecard(Box::new(terms)),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(rounds)
    }
}

fn tables(rows: u64) -> Vec<Table> {
    (1..=5).map(|seed| fixture::table(rows, 0.3, false, seed)).collect()
}

#[test]
fn a_scorecard_from_noisy_sums_is_near_to_one_without_noise() {
    let (job, tables) = (job(8.0, 40, ScorecardTerms::default()), tables(4000));
    let (asked, mut run) = played(&job, &tables);
    let slots: Vec<String> = asked.iter().map(Question::slot).collect();
    assert_eq!(slots.len(), 42, "counts, gradients and one evaluation: {slots:?}");
    assert_eq!((&*slots[0], &*slots[1], &*slots[41]), ("train/cells", "train/1", "evaluate/40"));
    for question in &asked {
        assert!(question.adds_noise());
        assert_eq!(Question::from_bytes(&question.to_bytes().unwrap()).unwrap(), *question);
    }
    let in_first = asked.iter().filter(|one| one.kind() == "train" && one.training_round() == Some(1));
    assert_eq!(in_first.count() as u32, sums_at(&job, "train", Some(1)));

    let Next::Done(ending) = run.next(None).unwrap() else { panic!("the job is over") };
    let outcome = ending.into_released().unwrap();
    let all: Vec<&Table> = tables.iter().collect();
    let pooled = super::super::fit_pooled(&all, &ScorecardTerms::default()).unwrap();
    let [noisy, exact] = [outcome.model.evaluate(&all, Role::Test), pooled.evaluate(&all, Role::Test)]
        .map(|metrics| metrics.unwrap().unwrap());
    assert!((noisy.roc_auc.unwrap() - exact.roc_auc.unwrap()).abs() < 0.02, "{noisy:?} {exact:?}");
    assert!((noisy.log_loss - exact.log_loss).abs() < 0.02, "{noisy:?} {exact:?}");
    let measured = run.metrics()[0].test.unwrap();
    assert!((measured.roc_auc.unwrap() - noisy.roc_auc.unwrap()).abs() < 0.05, "{measured:?}");

    // Its files are those of any scorecard.
    let weights = outcome.model.to_safetensors().unwrap();
    let card = serde_json::to_string(&outcome.card(&weights, Default::default())).unwrap();
    let (loaded, card) = crate::Model::load(&weights, &card).unwrap();
    assert_eq!(loaded, outcome.model);
    let claim = card.privacy.unwrap();
    assert!(claim.mechanism.contains("in the cells of columns, 16 of a number"), "{claim:?}");
    assert_eq!(claim.spent.unwrap().training_rounds, 40);
    assert!(outcome.fit.is_none() && claim.evaluation.is_some());
    let spent: f64 = claim.epsilon.parse().unwrap();
    assert!(spent <= 8.0 && spent > 7.9, "{spent}");
}

#[test]
fn a_row_moves_one_count_of_each_column_and_its_gradient_no_more_than_is_accounted_for() {
    for seed in 0..30 {
        let mut table = fixture::table_with_gaps(60, seed);
        let contract = table.contract().clone();
        let terms = ScorecardTerms { cells: Some(8), ..ScorecardTerms::default() };
        let question = NoisyCountsQuestion::of(&contract, &terms, 1);
        let all = question.exact(&table).unwrap();
        assert_eq!(all.len(), question.layout().unwrap().len());
        for row in table.rows_for(Role::Train) {
            table.roles[row] = Role::Test;
            let without = question.exact(&table).unwrap();
            table.roles[row] = Role::Train;
            let moved: Vec<(usize, i64)> = all
                .iter()
                .zip(&without)
                .enumerate()
                .map(|(at, (a, b))| (at, a - b))
                .filter(|(_, by)| *by != 0)
                .collect();
            assert_eq!(moved.len(), contract.columns.len());
            assert!(moved.iter().all(|(_, by)| *by == 256));
            // Of its own class.
            assert!(moved.iter().all(|(at, _)| (*at >= all.len() / 2) == table.labels()[row]));
        }
    }
    // Three columns: the root of three counts of 256 steps.
    let job = job(1.0, 20, ScorecardTerms::default());
    let before = job.calibration().unwrap().unwrap().before.unwrap();
    let length = 256.0 * 3.0_f64.sqrt();
    let noise = (2.0 * before.variance as f64).sqrt() / length;
    assert!((before.noise() / noise - 1.0).abs() < 1e-9, "{} {noise}", before.noise());
}

#[test]
fn gradients_of_any_bins_are_no_longer_than_the_clip() {
    let job = job(8.0, 2, ScorecardTerms::default());
    let (asked, _) = played(&job, &tables(2000));
    let Question::ScorecardNoisyWoe(question) = &asked[1] else { panic!("a gradient") };
    for seed in 0..20 {
        let mut question = question.clone();
        let mut rng = rng(seed);
        // Bins that a liar makes up: weights of evidence of any size.
        for counts in question.coding.counts.iter_mut().flatten() {
            let much = |rng: &mut _| 1 + (1e9 * uniform(rng) * uniform(rng)) as u64;
            (counts.good, counts.bad) = (much(&mut rng), much(&mut rng));
        }
        let table = fixture::table(40, 0.3, false, seed);
        let coded = woe::coded(&table, &question.coding);
        let mut table = Table { contract: scaled_contract(table.contract(), &question.coding), ..coded };
        let of = |table: &Table| {
            crate::program::logistic_regression::noisy::exact(&question.gradient, table).unwrap()
        };
        let all = of(&table);
        for row in table.rows_for(Role::Train) {
            table.roles[row] = Role::Test;
            let squares: i64 = all.iter().zip(of(&table)).map(|(a, b)| (a - b) * (a - b)).sum();
            table.roles[row] = Role::Train;
            let most = noisy_sum::LONGEST * noisy_sum::LONGEST + noisy_sum::ROW * noisy_sum::ROW;
            assert!(squares <= most, "{seed}, {row}: {squares}");
        }
        question.coding.counts.clear();
    }
}

#[test]
fn answers_have_the_noise_that_was_planned() {
    let job = job(1.0, 3, ScorecardTerms::default());
    let table = fixture::table(300, 0.3, false, 2);
    let (asked, _) = played(&job, &tables(4000));
    let calibration = job.calibration().unwrap().unwrap();
    for (question, variance) in
        [(&asked[0], calibration.before.unwrap().variance), (&asked[1], calibration.variance)]
    {
        let answer = |seed| {
            let answer = runs_answer(question, &table, seed);
            answer.values().to_vec()
        };
        let pairs: Vec<f64> = (0..40)
            .flat_map(|seed| {
                let (a, b) = (answer(2 * seed), answer(2 * seed + 1));
                a.into_iter().zip(b).map(|(a, b)| (a - b) * (a - b) / 2.0).collect::<Vec<_>>()
            })
            .collect();
        let ratio = pairs.iter().sum::<f64>() / pairs.len() as f64 / variance as f64;
        assert!((0.7..1.4).contains(&ratio), "{}: {ratio} of {}", question.slot(), pairs.len());
    }
}

fn runs_answer(question: &Question, table: &Table, seed: u64) -> Contribution {
    crate::JobRun::answer(question, table, &mut rng(seed)).unwrap()
}

#[test]
fn what_departs_from_the_job_is_not_approved() {
    let job = job(2.0, 5, ScorecardTerms::default());
    let (asked, _) = played(&job, &tables(4000));
    let refused = |question: Question| {
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    };
    let Question::ScorecardNoisyCounts(counts) = &asked[0] else { panic!("counts") };
    let bent: [fn(&mut NoisyCountsQuestion); 6] = [
        |question| question.variance -= 1,
        |question| question.cells = 64,
        |question| question.cells = 15,
        |question| question.max_rows += 1,
        |question| question.levels += 1,
        |question| question.numeric_columns -= 1,
    ];
    for bend in bent {
        let mut question = counts.clone();
        bend(&mut question);
        refused(Question::ScorecardNoisyCounts(question));
    }
    let Question::ScorecardNoisyWoe(gradient) = &asked[3] else { panic!("gradients") };
    let bent: [fn(&mut NoisyWoeQuestion); 8] = [
        |question| question.gradient.variance -= 1,
        |question| question.gradient.clip *= 2.0,
        |question| question.gradient.training_round = 6,
        |question| question.gradient.training_round = 0,
        |question| question.gradient.max_rows += 1,
        |question| {
            let model = Coefficients { weights: vec![0.0; 4], intercept: 0.0 };
            question.gradient.model = NoisyModel::Linear(model);
        },
        // One bin of five rows: below the floors.
        |question| {
            let bins = question.coding.counts.iter_mut().find(|bins| bins.len() > 1).unwrap();
            let moved = bins[0].good - 5;
            bins[0].good -= moved;
            bins[1].good += moved;
        },
        |question| question.coding.used.clear(),
    ];
    for (case, bend) in bent.into_iter().enumerate() {
        let mut question = gradient.clone();
        bend(&mut question);
        let question = Question::ScorecardNoisyWoe(question);
        let error = question.approved_by(&job).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "case {case}");
    }
    // What is exact, and what is of another job.
    refused(Question::ScorecardRows(super::super::RowsQuestion::of(&job.contract)));
    let exact = Job { privacy: Privacy::None {}, ..job.clone() };
    for question in &asked {
        assert_eq!(question.approved_by(&exact).unwrap_err().code(), "program.not-approved");
        assert!(question.approved_by(&job).is_ok());
    }
}

/// Cells with the noise of a sum, of rows whose rate of bads rises along a column by `rise`.
fn cells(count: usize, rows: f64, rise: f64, noise: f64, rng: &mut impl rand_core::CryptoRng) -> NoisyCells {
    let variance = Ratio::new((noise * noise * 65_536.0) as u64, 1).unwrap();
    let mut drawn = || IntegerNoise::Gaussian { variance }.draw(rng) as f64 / 256.0;
    let rate = |at: usize| (0.3 + rise * (at as f64 / (count - 1) as f64 - 0.5)).clamp(0.0, 1.0);
    let of_cell = rows / count as f64;
    NoisyCells {
        good: (0..count).map(|at| of_cell * (1.0 - rate(at)) + drawn()).collect(),
        bad: (0..count).map(|at| of_cell * rate(at) + drawn()).collect(),
    }
}

#[test]
fn bins_of_any_noisy_counts_keep_floors_trends_and_their_distance_from_noise() {
    let contract = fixture::table_with_gaps(5, 1).contract().clone();
    let terms = ScorecardTerms {
        increasing: vec!["age".into()],
        decreasing: vec!["balance".into()],
        cells: Some(16),
        min_iv: 0.0,
        ..ScorecardTerms::default()
    };
    let mut rng = rng(7);
    let (mut made, mut cut) = (0, 0);
    for case in 0..300 {
        let noise = [1.0, 8.0, 30.0, 90.0][case % 4];
        let rows = [300.0, 3_000.0, 20_000.0][case % 3];
        let rise = uniform(&mut rng) - 0.5;
        // Age and job are nullable.
        let columns = [17, 4, 16].map(|width| cells(width, rows, rise, noise, &mut rng));
        let found = match coding(&contract, &terms, &columns, noise) {
            Ok(found) => found,
            Err(error) => {
                assert_eq!(error.code(), "program.no-column-tells");
                continue;
            }
        };
        made += 1;
        found.check(&contract).unwrap();
        woe::coding_approved(&found, &contract, &terms).unwrap();
        for (column, bins) in found.counts.iter().enumerate().filter(|(_, bins)| bins.len() > 1) {
            cut += 1;
            assert!(bins.iter().all(|bin| bin.good.min(bin.bad) as f64 >= CLEAR * noise - 1.0));
            let rates: Vec<f64> = bins.iter().map(|bin| bin.rate()).collect();
            let of_missing = found.bins.missing_of(&contract, column).map(usize::from);
            let apart = of_missing == Some(bins.len() - 1)
                && found.bins.cuts_of(&contract, column).len() + 2 == bins.len();
            let of_numbers = &rates[..rates.len() - usize::from(apart)];
            match column {
                0 => assert!(of_numbers.is_sorted(), "{rates:?}"),
                2 => assert!(of_numbers.is_sorted_by(|a, b| a >= b), "{rates:?}"),
                _ => {}
            }
        }
    }
    assert!(made > 100 && cut > 150, "{made} {cut}");
}

#[test]
fn noise_alone_hardly_ever_seems_to_tell() {
    let contract = fixture::contract();
    let terms = ScorecardTerms { cells: Some(16), ..ScorecardTerms::default() };
    let mut rng = rng(3);
    let mut used = [0; 3];
    for _ in 0..100 {
        let noise = 25.0;
        let columns = [
            cells(16, 20_000.0, 0.3, noise, &mut rng),
            cells(3, 20_000.0, 0.0, noise, &mut rng),
            cells(16, 20_000.0, 0.0, noise, &mut rng),
        ];
        let found = coding(&contract, &terms, &columns, noise).unwrap();
        found.used.iter().for_each(|&column| used[column as usize] += 1);
    }
    assert!(used[0] == 100 && used[1] <= 2 && used[2] <= 2, "{used:?}");
}

#[test]
fn with_hardly_any_noise_bins_are_those_of_the_cells() {
    let contract = fixture::contract();
    let terms = ScorecardTerms { cells: Some(16), ..ScorecardTerms::default() };
    let table = fixture::table(20_000, 0.3, false, 4);
    let question = NoisyCountsQuestion::of(&contract, &terms, 1);
    let exact: Vec<f64> =
        question.exact(&table).unwrap().into_iter().map(|steps| steps as f64 / 256.0).collect();
    let (good, bad) = exact.split_at(exact.len() / 2);
    let columns: Vec<NoisyCells> = [0..16, 16..19, 19..35]
        .map(|range| NoisyCells { good: good[range.clone()].to_vec(), bad: bad[range].to_vec() })
        .into();
    let found = coding(&contract, &terms, &columns, 1e-9).unwrap();
    // The counts of its bins are those of the rows in them.
    let rows = table.rows_for(Role::Train);
    for column in 0..3 {
        let mut counted = vec![ClassCounts::default(); found.counts[column].len()];
        for (&row, bin) in rows.iter().zip(found.bins.of(&table, &rows, column)) {
            let counts = &mut counted[usize::from(bin)];
            *(if table.labels()[row] { &mut counts.bad } else { &mut counts.good }) += 1;
        }
        assert_eq!(counted, found.counts[column], "column {column}");
    }
    assert!(found.counts[0].len() > 2);
}

#[test]
fn counts_that_noise_hides_make_no_scorecard() {
    let (job, tables) = (job(0.05, 20, ScorecardTerms::default()), tables(60));
    let mut run = crate::JobRun::new(&job);
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("it asks first") };
    let all: Vec<&Table> = tables.iter().collect();
    let sum = runs::sum_of(&all, 5, &question.layout().unwrap(), |table, rng| {
        crate::JobRun::answer(&question, table, rng).unwrap()
    });
    assert_eq!(run.next(Some(&sum)).unwrap_err().code(), "program.no-column-tells");
    assert_eq!(run.next(None).unwrap(), Next::Ask(question), "it is as before");
}
