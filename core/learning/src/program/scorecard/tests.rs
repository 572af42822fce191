use super::*;
use crate::coefficients::Coefficients;
use crate::fixture;
use crate::job::{FairnessTerms, Grouping, Job, ProgramTerms};
use crate::program::Program;
use crate::program::question::Question;
use crate::program::run::tests::{ALL, job, run, sum_of, tables};
use crate::table::{Role, Table};
use crate::{JobRun, Model, Scoring as _};

/// Floors that small tables keep.
fn terms() -> ScorecardTerms {
    ScorecardTerms { min_count: 20, min_class: 5, coarse_bins: 16, ..Default::default() }
}

fn of_scorecard(terms: ScorecardTerms) -> Job {
    Job { program: ProgramTerms::Scorecard(Box::new(terms)), ..job(10) }
}

fn references(tables: &[Table]) -> Vec<&Table> {
    tables.iter().collect()
}

/// The questions of a whole job, with the sum of the answers to each.
fn questions(job: &Job, tables: &[Table]) -> Vec<(Question, Sum)> {
    let mut run = JobRun::new(job);
    let mut asked = Vec::new();
    let mut next = run.next(None).unwrap();
    while let Next::Ask(question) = next {
        let sum = sum_of(&references(tables), 5, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&question, table, rng).unwrap()
        });
        next = run.next(Some(&sum)).unwrap();
        asked.push((question, sum));
    }
    asked
}

#[test]
fn a_federation_makes_the_scorecard_of_pooled_rows() {
    let (job, tables) = (of_scorecard(terms()), tables(true));
    let (run, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    let Model::Scorecard(federated) = &outcome.model else { panic!("a scorecard") };
    let pooled = fit_pooled(&references(&tables), &terms()).unwrap();
    // Bins and counts to the last bit, so weights of evidence and information values too.
    assert_eq!(federated.scorecard.coding, pooled.scorecard.coding);
    let pairs =
        federated.scorecard.coefficients.to_vec().into_iter().zip(pooled.scorecard.coefficients.to_vec());
    for (federated, pooled) in pairs {
        assert!((federated - pooled).abs() < 1e-4, "{federated} {pooled}");
    }
    let points = |table: &crate::ScorecardTable| {
        let bins = table.columns.iter().flat_map(|column| &column.bins);
        bins.map(|bin| bin.points).collect::<Vec<_>>()
    };
    assert_eq!(points(&federated.table()), points(&pooled.table()));
    assert_eq!(federated.scorecard.coding.used, [0, 1], "balance tells too little");
    assert!(federated.table().warnings().iter().all(|warning| !warning.contains("wrong sign")));
    let fit = outcome.fit.unwrap();
    let rows: u64 = tables.iter().map(|table| table.count(Role::Train).0).sum();
    assert_eq!((fit.converged, fit.rows), (true, rows));
    let inferred = fit.inference.unwrap();
    assert_eq!(
        inferred.iter().map(|one| one.input.as_str()).collect::<Vec<_>>(),
        ["age", "job", "(intercept)"]
    );
    assert!(inferred.iter().all(|one| one.standard_error.is_some_and(|error| error > 0.0)));
    let Coefficients { weights, intercept } = &federated.scorecard.coefficients;
    for (one, coefficient) in inferred.iter().zip([weights[0], weights[1], *intercept]) {
        assert!((one.per_unit - coefficient).abs() < 1e-12);
    }
    let summed = run.metrics().last().unwrap().test.unwrap();
    let exact = outcome.model.evaluate(&references(&tables), Role::Test).unwrap().unwrap();
    assert!((summed.log_loss - exact.log_loss).abs() < 1e-6);
    assert!(exact.roc_auc.unwrap() > 0.65, "{exact:?}");
}

#[test]
fn missing_values_are_a_bin_with_a_weight_of_evidence_and_points_of_its_own() {
    let tables: Vec<Table> = (1..=3).map(|seed| fixture::table_with_gaps(800, seed)).collect();
    let job = Job { contract: tables[0].contract().clone(), ..of_scorecard(terms()) };
    let (_, outcome, _) = run(&job, &tables, |_| vec![0, 1, 2]);
    let Model::Scorecard(federated) = &outcome.model else { panic!("a scorecard") };
    let pooled = fit_pooled(&references(&tables), &terms()).unwrap();
    assert_eq!(federated.scorecard.coding, pooled.scorecard.coding);
    let table = federated.table();
    let training: Vec<_> = tables.iter().map(|table| (table, table.rows_for(Role::Train))).collect();
    for column in 0..2 {
        let of = &federated.contract.columns[column];
        let is_gap = |table: &Table, row: usize| table.columns()[column].is_missing(row, of);
        let gaps: usize =
            training.iter().map(|(table, rows)| rows.iter().filter(|&&row| is_gap(table, row)).count()).sum();
        let bins = &table.columns[column].bins;
        let (missing, others) = bins.split_last().unwrap();
        assert_eq!((missing.missing, missing.rows), (true, gaps as u64));
        assert!(missing.from.is_none() && missing.below.is_none() && missing.levels.is_empty());
        // Positives lack values more often.
        assert!(missing.woe < -0.2 && missing.points.is_some());
        assert!(others.iter().all(|bin| !bin.missing && bin.rows >= 20) && others.len() > 1);
    }
    let bytes = federated.to_safetensors().unwrap();
    assert_eq!(&crate::ScorecardModel::from_safetensors(&federated.contract, &bytes).unwrap(), federated);
    let test = tables[0].rows_for(Role::Test);
    assert_eq!(federated.points(&tables[0], &test).unwrap(), pooled.points(&tables[0], &test).unwrap());
}

#[test]
fn too_few_missing_values_are_with_the_bin_of_most_rows() {
    let tables: Vec<Table> = (1..=3).map(|seed| fixture::table_with_gaps(800, seed)).collect();
    let strict = ScorecardTerms { min_share: 0.25, ..terms() };
    let model = fit_pooled(&references(&tables), &strict).unwrap();
    for column in &model.table().columns[..2] {
        let of_missing: Vec<_> = column.bins.iter().filter(|bin| bin.missing).collect();
        let [bin] = of_missing[..] else { panic!("one bin") };
        assert!(
            bin.from.is_some() || bin.below.is_some() || !bin.levels.is_empty() || column.bins.len() == 1
        );
    }
}

#[test]
fn the_mean_score_is_the_base_rate_and_the_gradient_vanishes() {
    let tables = tables(false);
    let model = Model::Scorecard(fit_pooled(&references(&tables), &terms()).unwrap());
    let (mut difference, mut rows) = (0.0, 0.0);
    for table in &tables {
        let training = table.rows_for(Role::Train);
        for (score, &row) in model.score_rows(table, &training).unwrap().iter().zip(&training) {
            difference += score - f64::from(u8::from(table.labels()[row]));
            rows += 1.0;
        }
    }
    assert!((difference / rows).abs() < 1e-6);
}

#[test]
fn no_published_bin_is_below_the_floors_and_rates_keep_their_trend() {
    for (seed, decreasing) in [(1, false), (2, true), (3, false)] {
        let tables: Vec<Table> = (0..3).map(|k| fixture::table(300, 0.4, false, seed * 10 + k)).collect();
        let mut terms = terms();
        if decreasing {
            terms.decreasing = vec!["age".into()];
        } else {
            terms.increasing = vec!["age".into()];
        }
        let Ok(model) = fit_pooled(&references(&tables), &terms) else { continue };
        let coding = &model.scorecard.coding;
        let least = (0.05 * coding.all().rows() as f64).ceil() as u64;
        for bins in coding.counts.iter().filter(|bins| bins.len() > 1) {
            assert!(bins.len() <= 6);
            assert!(bins.iter().all(|bin| bin.rows() >= least.max(20) && bin.good.min(bin.bad) >= 5));
        }
        let rates: Vec<f64> = coding.counts[0].iter().map(|bin| bin.rate()).collect();
        assert!(rates.windows(2).all(|pair| if decreasing {
            pair[0] >= pair[1]
        } else {
            pair[0] <= pair[1]
        }));
        // Age raises the rate, so bins that may not rise are one.
        assert_eq!(rates.len() > 1, !decreasing, "{rates:?}");
    }
}

#[test]
fn classes_are_never_asked_of_bins_with_fewer_rows_than_the_floor() {
    let (job, tables) = (of_scorecard(terms()), tables(false));
    let asked = questions(&job, &tables);
    let (Question::ScorecardClasses(_), sum) = &asked[2] else { panic!("classes come third") };
    let (good, bad) = (sum.values("good").unwrap(), sum.values("bad").unwrap());
    let rows: Vec<f64> = good.iter().zip(&bad).map(|(good, bad)| good + bad).collect();
    assert!(rows.iter().any(|&rows| rows > 0.0));
    assert!(rows.iter().all(|&rows| rows == 0.0 || rows >= 20.0), "{rows:?}");
}

#[test]
fn each_question_has_a_place_of_its_own_and_only_its_job_approves_it() {
    let (scorecards, tables) = (of_scorecard(terms()), tables(false));
    let asked = questions(&scorecards, &tables);
    let mut slots: Vec<String> = asked.iter().map(|(question, _)| question.slot()).collect();
    assert_eq!(&slots[..4], ["statistics", "train/cells", "train/classes", "train/1"]);
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), asked.len());
    let other = job(10);
    let strict = of_scorecard(ScorecardTerms { min_count: 2_000, ..terms() });
    for (question, _) in &asked[1..] {
        assert_eq!(question.approved_by(&scorecards).map_err(|error| error.code()), Ok(()));
        assert!(question.approved_by(&other).is_err(), "{}", question.slot());
        if matches!(question, Question::ScorecardWoe(_) | Question::Evaluate(_)) {
            assert!(question.approved_by(&strict).is_err(), "{}: bins below the floor", question.slot());
        }
    }
}

#[test]
fn a_question_that_departs_from_the_job_is_not_approved() {
    let (job, tables) = (of_scorecard(terms()), tables(false));
    let asked = questions(&job, &tables);
    let Question::ScorecardClasses(classes) = &asked[2].0 else { panic!("classes") };
    let refused = |bend: fn(&mut ClassesQuestion)| {
        let mut question = classes.clone();
        bend(&mut question);
        Question::ScorecardClasses(question).approved_by(&job).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|question| question.coarse_bins = 17));
    assert!(refused(|question| question.max_rows += 1));
    assert!(refused(|question| question.bins.cuts[0] = (1..17).collect()));
    assert!(refused(|question| drop(question.bins.groups.pop())));
    let Question::ScorecardWoe(woe) = &asked[3].0 else { panic!("Newton's method") };
    let refused = |bend: fn(&mut WoeQuestion)| {
        let mut question = woe.clone();
        bend(&mut question);
        Question::ScorecardWoe(question).approved_by(&job).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|question| question.newton.training_round = 11));
    assert!(refused(|question| question.newton.max_rows += 1));
    assert!(refused(|question| question.newton.standardisation.mean[0] += 0.5));
    assert!(refused(|question| question.newton.coefficients.weights.truncate(1)));
    assert!(refused(|question| question.coding.used = vec![2]));
    // Below the floor of a class.
    assert!(refused(|question| {
        let bins = &mut question.coding.counts[0];
        (bins[1].bad, bins[0].bad) = (bins[1].bad + bins[0].bad - 1, 1);
    }));
}

#[test]
fn sums_that_no_tables_have_are_refused_and_change_nothing() {
    let contract = fixture::contract();
    let tables = tables(false);
    let question = RowsQuestion::of(&contract);
    let mut counts = question.counts(&tables[0]).unwrap();
    let told = |counts: &[f64]| {
        question.bins(&contract, &terms(), counts, 1).map(drop).map_err(|error| error.code())
    };
    assert_eq!(told(&counts), Ok(()));
    counts[0] += 1.0;
    assert_eq!(told(&counts), Err("program.impossible-sum"));
    counts[0] = -1.0;
    assert_eq!(told(&counts), Err("program.impossible-sum"));
    assert_eq!(told(&vec![0.0; counts.len()]), Err("program.impossible-sum"));
    let bins = question.bins(&contract, &terms(), &question.counts(&tables[0]).unwrap(), 1).unwrap();
    let question = ClassesQuestion { bins, coarse_bins: 16, max_rows: contract.max_rows };
    let counts = question.counts(&tables[0]).unwrap();
    let told = |bend: &dyn Fn(&mut Vec<f64>)| {
        let mut counts = counts.clone();
        bend(&mut counts);
        question.coding(&contract, &terms(), &counts, 1).map(drop).map_err(|error| error.code())
    };
    assert_eq!(told(&|_| ()), Ok(()));
    assert_eq!(told(&|counts| counts[0] = -1.0), Err("program.impossible-sum"));
    assert_eq!(told(&|counts| counts[0] += 1.0), Err("program.impossible-sum"));
    // The last place of age, which no narrower bin has.
    let used = question.bins.cuts[0].len() + 1;
    assert!(used < 16 || counts[15] > 0.0);
    assert_eq!(
        told(&|counts| counts.iter_mut().for_each(|count| *count *= 1e5)),
        Err("program.impossible-sum")
    );
    assert_eq!(told(&|counts| counts.fill(0.0)), Err("program.one-class"));
}

#[test]
fn columns_that_tell_nothing_make_no_scorecard() {
    let tables = tables(false);
    let demanding = ScorecardTerms { min_iv: 9.0, ..terms() };
    assert_eq!(fit_pooled(&references(&tables), &demanding).unwrap_err().code(), "program.no-column-tells");
}

#[test]
fn groups_are_compared_by_a_scorecard_as_by_any_model() {
    let groups = vec![Grouping { column: "job".into(), bands: Vec::new() }];
    let fairness = Some(FairnessTerms { flagged: 0.2, min_rows: 10, groups });
    let (job, tables) = (Job { fairness, ..of_scorecard(terms()) }, tables(false));
    let (_, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    let pooled = crate::program::fairness::measured(
        &outcome.model,
        &references(&tables),
        job.fairness.as_ref().unwrap(),
        job.evaluation.bins,
    );
    assert_eq!(outcome.fairness.unwrap(), pooled.unwrap());
}

#[test]
fn a_bank_that_is_away_for_the_classes_leaves_a_sound_scorecard() {
    let (job, tables) = (of_scorecard(terms()), tables(false));
    let (_, outcome, _) =
        run(&job, &tables, |round| if round == 2 { vec![0, 1, 2, 3] } else { ALL.to_vec() });
    let Model::Scorecard(model) = &outcome.model else { panic!("a scorecard") };
    let rows: u64 = tables[..4].iter().map(|table| table.count(Role::Train).0).sum();
    assert_eq!(model.scorecard.coding.all().rows(), rows);
}
