use super::*;
use crate::fixture;
use crate::job::{Encoding, Job};
use crate::program::question::Question;
use crate::program::run::tests::{ALL, job, run, sum_of, tables};
use crate::reference::fit_linear;

fn terms() -> FairnessTerms {
    let by = |column: &str, bands: &[f64]| Grouping { column: column.into(), bands: bands.to_vec() };
    FairnessTerms { flagged: 0.2, min_rows: 20, groups: vec![by("job", &[]), by("age", &[30.0, 50.0])] }
}

fn comparing(terms: FairnessTerms) -> Job {
    Job { fairness: Some(terms), ..job(2) }
}

/// Rates of one group, counted row by row.
fn counted_one_by_one(
    model: &Model,
    tables: &[Table],
    threshold: f64,
    is_in: impl Fn(&Table, usize) -> bool,
) -> (u64, [f64; 3]) {
    let (mut rows, mut positives, mut hits, mut false_alarms) = (0, 0, 0, 0);
    for table in tables {
        let scores = model.score(table).unwrap();
        for row in table.rows_for(Role::Test).into_iter().filter(|&row| is_in(table, row)) {
            let (flagged, label) = (scores[row] >= threshold, table.labels()[row]);
            rows += 1;
            positives += u64::from(label);
            hits += u64::from(flagged && label);
            false_alarms += u64::from(flagged && !label);
        }
    }
    let share = |part: u64, of: u64| part as f64 / of as f64;
    let flagged = share(hits + false_alarms, rows);
    (rows, [flagged, share(hits, positives), share(false_alarms, rows - positives)])
}

fn level(table: &Table, row: usize) -> u16 {
    let Values::Categorical(values) = &table.columns()[1] else { panic!("a column of levels") };
    values[row]
}

fn age(table: &Table, row: usize) -> f64 {
    let Values::Numeric(values) = &table.columns()[0] else { panic!("a column of numbers") };
    values[row]
}

#[test]
fn rates_of_groups_are_those_of_their_rows() {
    let tables = tables(false);
    let (_, outcome, sums) = run(&comparing(terms()), &tables, |_| ALL.to_vec());
    // Statistics, two training rounds with their evaluations, and the comparison.
    assert_eq!(sums.len(), 6);
    let figures = outcome.fairness.unwrap();
    assert!((0.2..0.21).contains(&figures.flagged), "{figures:?}");
    let model = &outcome.model;
    let same = |column: usize, group: usize, is_in: &dyn Fn(&Table, usize) -> bool| {
        let found = figures.columns[column].groups[group].figures.unwrap();
        let (rows, rates) = counted_one_by_one(model, &tables, figures.threshold, is_in);
        assert_eq!(found.rows, rows);
        let found = [found.flagged, found.recall.unwrap(), found.false_positives.unwrap()];
        assert!(found.iter().zip(rates).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {rates:?}");
    };
    for group in 0..3 {
        same(0, group, &|table, row| usize::from(level(table, row)) == group);
    }
    same(1, 0, &|table, row| age(table, row) < 30.0);
    same(1, 1, &|table, row| (30.0..50.0).contains(&age(table, row)));
    same(1, 2, &|table, row| age(table, row) >= 50.0);
    let names = |column: usize| -> Vec<&str> {
        figures.columns[column].groups.iter().map(|group| group.group.as_str()).collect()
    };
    assert_eq!(names(0), ["office", "field", "none"]);
    assert_eq!(names(1), ["below 30", "30 to below 50", "50 and above"]);
    // Older people are positives more often: they are flagged more often.
    let flagged: Vec<f64> =
        figures.columns[1].groups.iter().map(|group| group.figures.unwrap().flagged).collect();
    let gap = figures.columns[1].gaps.flagged.unwrap();
    assert!(gap > 0.1 && (gap - (flagged[2] - flagged[0])).abs() < 1e-12, "{flagged:?}");
    assert!(figures.columns[0].groups[0].figures.unwrap().roc_auc.unwrap() > 0.5);
}

#[test]
fn the_federation_finds_what_pooled_rows_show() {
    let tables = tables(false);
    let references: Vec<_> = tables.iter().collect();
    let model = Model::Linear(fit_linear(&references, 1e-3, Encoding::AllLevels).unwrap());
    let pooled = measured(&model, &references, &terms(), 4096).unwrap();
    let mut program = Fairness::new(&model, &terms(), 4096);
    let Next::Ask(question) = program.next(None).unwrap() else { panic!("it asks first") };
    let sum = sum_of(&references, 5, &question.layout().unwrap(), |table, rng| {
        Fairness::answer(&question, table, rng).unwrap()
    });
    assert_eq!(program.next(Some(&sum)).unwrap(), Next::Done(pooled));
}

#[test]
fn rows_without_a_value_are_a_group_of_their_own() {
    let tables: Vec<Table> = (1..=3).map(|seed| fixture::table_with_gaps(900, seed)).collect();
    let job = Job { contract: tables[0].contract().clone(), ..comparing(terms()) };
    let (_, outcome, _) = run(&job, &tables, |_| vec![0, 1, 2]);
    let figures = outcome.fairness.unwrap();
    for (position, (column, group)) in [(0, 3), (1, 3)].into_iter().enumerate() {
        let of = &figures.columns[column].groups[group];
        assert_eq!(of.group, "missing");
        // The job is the second column of the table, the age the first.
        let values = |table: &Table, row: usize| {
            table.columns()[1 - position].is_missing(row, &table.contract().columns[1 - position])
        };
        let (rows, rates) = counted_one_by_one(&outcome.model, &tables, figures.threshold, values);
        assert!(of.figures.unwrap().rows == rows && rows > 50, "{rows}");
        assert!((of.figures.unwrap().flagged - rates[0]).abs() < 1e-12);
    }
}

#[test]
fn small_groups_have_no_figures_and_make_no_gap() {
    let tables = tables(false);
    let (_, outcome, _) =
        run(&comparing(FairnessTerms { min_rows: 1_000, ..terms() }), &tables, |_| ALL.to_vec());
    let figures = outcome.fairness.unwrap();
    for column in &figures.columns {
        assert!(column.groups.iter().all(|group| group.figures.is_none()));
        assert_eq!(column.gaps.flagged, None);
    }
}

#[test]
fn beside_a_single_small_group_the_next_smallest_is_not_shown_either() {
    let of = |rows: u64| ScoreHistogram { negative: vec![rows, 1], positive: vec![1, 1] };
    let contract = fixture::contract();
    let groups = vec![Grouping { column: "age".into(), bands: vec![30.0, 50.0, 70.0] }];
    let shown = |rows: [u64; 4]| {
        let all = [rows.map(of).to_vec()];
        let terms = FairnessTerms { flagged: 0.3, min_rows: 10, groups: groups.clone() };
        let figures = FairnessFigures::of(&terms, &contract, &all);
        figures.columns[0].groups.iter().map(|group| group.figures.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(shown([20, 30, 40, 50]), [true; 4]);
    assert_eq!(shown([2, 30, 40, 20]), [false, true, true, false]);
    assert_eq!(shown([2, 3, 40, 20]), [false, false, true, true]);
}

#[test]
fn a_group_of_one_class_has_the_rates_that_it_can_have() {
    let histogram = ScoreHistogram { negative: vec![4, 1], positive: vec![0, 0] };
    let all = [vec![histogram, ScoreHistogram { negative: vec![1, 0], positive: vec![1, 3] }]];
    let contract = fixture::contract();
    let groups = vec![Grouping { column: "age".into(), bands: vec![40.0] }];
    let figures = FairnessFigures::of(&FairnessTerms { flagged: 0.3, min_rows: 1, groups }, &contract, &all);
    let [first, second] = [0, 1].map(|group| figures.columns[0].groups[group].figures.unwrap());
    assert_eq!((first.recall, first.false_positives, first.roc_auc), (None, Some(0.2), None));
    assert_eq!((second.recall, second.flagged), (Some(0.75), 0.6));
    let gaps = figures.columns[0].gaps;
    assert_eq!((gaps.recall, gaps.roc_auc), (None, None));
    assert!(
        (gaps.flagged.unwrap() - 0.4).abs() < 1e-12 && (gaps.false_positives.unwrap() - 0.2).abs() < 1e-12
    );
}

#[test]
fn without_test_rows_nothing_is_compared() {
    let source = tables(true);
    let tables: Vec<Table> = source.into_iter().map(without_test_rows).collect();
    let (_, outcome, _) = run(&comparing(terms()), &tables, |_| ALL.to_vec());
    assert_eq!(outcome.fairness, None);
}

fn without_test_rows(mut table: Table) -> Table {
    for role in table.roles.iter_mut().filter(|role| **role == Role::Test) {
        *role = Role::Train;
    }
    table
}

#[test]
fn a_comparison_beyond_the_approved_job_is_recognised() {
    let approved = comparing(terms());
    let tables = tables(false);
    let model =
        Model::Linear(fit_linear(&tables.iter().collect::<Vec<_>>(), 1e-3, Encoding::AllLevels).unwrap());
    let Next::Ask(question) = Fairness::new(&model, &terms(), 4096).next(None).unwrap() else {
        panic!("it asks first")
    };
    assert!(Question::Fairness(question.clone()).approved_by(&approved).is_ok());
    let bends: [fn(&mut FairnessQuestion); 6] = [
        |question| question.bins = 1 << 16,
        |question| question.max_rows += 1,
        |question| question.groups[1].bands = vec![30.0, 31.0],
        |question| drop(question.groups.pop()),
        |question| question.sizes[0] = 4,
        |question| {
            let Scorer::Linear { coefficients, .. } = &mut question.scorer else { panic!("a linear model") };
            coefficients.weights.push(0.0);
        },
    ];
    for bend in bends {
        let mut bent = question.clone();
        bend(&mut bent);
        let error = Question::Fairness(bent).approved_by(&approved).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "{error}");
    }
    // A job that compares nothing agreed to no comparison.
    let error = Question::Fairness(question).approved_by(&job(2)).unwrap_err();
    assert_eq!(error.code(), "program.not-approved");
}

#[test]
fn sizes_that_no_memory_holds_have_no_layout() {
    let groups = terms().groups;
    for sizes in [vec![u32::MAX, 1], vec![1 << 20, 1 << 20], vec![3], vec![0, 3]] {
        assert_eq!(
            layout(&groups, &sizes, 4096, 10).unwrap_err().code(),
            "program.bad-question",
            "{sizes:?}"
        );
    }
}

#[test]
fn sums_that_no_tables_add_up_to_are_refused() {
    let tables = tables(false);
    let job = comparing(terms());
    let (_, _, sums) = run(&job, &tables, |_| ALL.to_vec());
    for (block, steps) in [("job.negative", -1), ("age.positive", 5_000_001)] {
        let mut again = crate::JobRun::new(&job);
        sums[..5].iter().for_each(|sum| drop(again.next(Some(sum)).unwrap()));
        let layout = sums[5].layout().clone();
        let mut values = sums[5].steps().to_vec();
        values[layout.range(block).unwrap()][7] = steps;
        let words = [i64::from(sums[5].survivors())].into_iter().chain(values);
        let bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
        let error = again.next(Some(&Sum::from_bytes(layout, &bytes).unwrap())).unwrap_err();
        assert_eq!(error.code(), "program.impossible-sum", "{block}");
    }
}
