use super::figures::{Bin, ColumnFigures, StatisticsFigures};
use super::*;
use crate::contract::Transform;
use crate::fixture;
use crate::job::ProgramTerms;
use crate::program::question::{Question, sums_at};
use crate::program::run::tests::{job, sum_of, tables};
use crate::program::run::{Ending, JobRun};
use crate::table::{Role, Values, is_missing};
use crate::{Contract, Layouts, TableBuilder};

pub(super) fn describing(terms: DescriptionTerms, contract: Contract) -> Job {
    Job { program: ProgramTerms::Statistics(Box::new(terms)), contract, ..job(1) }
}

/// Plays the job, which asks for one sum.
pub(super) fn played(job: &Job, tables: &[Table]) -> StatisticsFigures {
    let mut run = JobRun::new(job);
    assert_eq!((run.next_layout(), run.trained_rounds()), (None, 0));
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("a job begins with a question") };
    question.approved_by(job).unwrap();
    assert_eq!(
        (question.kind(), question.slot().as_str(), question.training_round()),
        ("describe", "describe", None)
    );
    assert_eq!((sums_at(job, "describe", None), sums_at(job, "train", Some(1))), (1, 0));
    assert_eq!(Question::from_bytes(&question.to_bytes().unwrap()).unwrap(), question);
    let layout = question.layout().unwrap();
    assert_eq!(Layouts::of(job).unwrap().train, layout);
    let all: Vec<&Table> = tables.iter().collect();
    let sum = sum_of(&all, 5, &layout, |table, rng| JobRun::answer(&question, table, rng).unwrap());
    let Next::Done(ending) = run.next(Some(&sum)).unwrap() else { panic!("one sum is all it takes") };
    assert!(ending.released().is_none() && run.metrics().is_empty());
    assert_eq!(run.next(None).unwrap(), Next::Done(ending.clone()));
    assert!(run.next(Some(&sum)).is_err(), "nothing is asked any more");
    let Ending::Described(figures) = ending else { panic!("{ending:?}") };
    *figures
}

/// The numbers of one column of all tables together, missing ones left out, with the labels of their rows.
fn pooled(tables: &[Table], column: usize) -> Vec<(f64, bool)> {
    let of_table = |table: &Table| -> Vec<(f64, bool)> {
        let Values::Numeric(values) = &table.columns()[column] else { panic!("no numbers") };
        values.iter().copied().zip(table.labels().iter().copied()).collect()
    };
    tables.iter().flat_map(of_table).filter(|(value, _)| !is_missing(*value)).collect()
}

fn raw(transform: Transform, value: f64) -> f64 {
    match transform {
        Transform::Identity => value,
        Transform::Slog1p => value.signum() * value.abs().exp_m1(),
    }
}

fn open() -> DescriptionTerms {
    DescriptionTerms { min_rows: 1, bins: 8, ..Default::default() }
}

/// Rows in order of `cells`: age, job, balance, label.
fn table_of(contract: &Contract, rows: &[[&str; 4]]) -> Table {
    let mut builder = TableBuilder::new(contract, &["age", "job", "balance", "label"]).unwrap();
    for (row, cells) in rows.iter().enumerate() {
        builder.push(row as u64, cells, Role::Train);
    }
    builder.finish().unwrap()
}

fn nullable() -> Contract {
    let mut contract = fixture::contract();
    contract.columns.iter_mut().for_each(|column| column.nullable = true);
    contract
}

#[test]
fn counts_are_those_of_pooled_rows_and_moments_are_theirs_but_for_rounding() {
    let tables = tables(true);
    let figures = played(&describing(open(), fixture::contract()), &tables);
    let rows: usize = tables.iter().map(Table::rows).sum();
    let positives = tables.iter().flat_map(Table::labels).filter(|label| **label).count();
    assert_eq!((figures.rows, figures.positives), (rows as i64, Some(positives as i64)));
    for (column, position) in [(0, 0), (2, 2)] {
        let told = &figures.columns[position];
        let all = pooled(&tables, column);
        let numbers = told.numbers.as_ref().unwrap();
        let mean = all.iter().map(|(value, _)| value).sum::<f64>() / all.len() as f64;
        let sd = (all.iter().map(|(value, _)| (value - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
        assert!(
            (numbers.mean - mean).abs() < 1e-4 * sd && (numbers.sd - sd).abs() < 1e-4 * sd,
            "{numbers:?}"
        );
        assert_eq!((told.present, told.missing), (Some(rows as i64), None));
        let transform = numbers.transform.unwrap_or(Transform::Identity);
        assert_eq!(told.bins.len(), 8);
        for bin in &told.bins {
            let last = bin == told.bins.last().unwrap();
            let is_in = |value: f64| {
                let value = raw(transform, value);
                value >= bin.from.unwrap() && (value < bin.to.unwrap() || last)
            };
            let inside: Vec<bool> =
                all.iter().filter(|(value, _)| is_in(*value)).map(|(_, label)| *label).collect();
            let yes = inside.iter().filter(|label| **label).count();
            assert_eq!((bin.rows, bin.positives), (Some(inside.len() as i64), Some(yes as i64)));
            assert!((bin.rate.unwrap() - yes as f64 / inside.len() as f64).abs() < 1e-12);
        }
    }
    let Values::Categorical(_) = tables[0].columns()[1] else { panic!("levels") };
    let of_level = |wanted: u16, label: Option<bool>| {
        let count = |table: &Table| {
            let Values::Categorical(levels) = &table.columns()[1] else { return 0 };
            let labels = table.labels();
            (0..table.rows())
                .filter(|&row| levels[row] == wanted && label.is_none_or(|label| labels[row] == label))
                .count()
        };
        tables.iter().map(count).sum::<usize>() as i64
    };
    for (level, bin) in figures.columns[1].bins.iter().enumerate() {
        assert_eq!(bin.levels, [["office", "field", "none"][level]]);
        assert_eq!(
            (bin.rows, bin.positives),
            (Some(of_level(level as u16, None)), Some(of_level(level as u16, Some(true))))
        );
    }
    assert!(figures.privacy.is_none() && figures.noise.is_none());
    let json = serde_json::to_string(&figures).unwrap();
    assert_eq!(serde_json::from_str::<StatisticsFigures>(&json).unwrap(), figures);
}

#[test]
fn quantiles_and_ends_are_those_of_sorted_rows_to_a_cell() {
    let tables = tables(false);
    for cells in [None, Some(16)] {
        let terms = DescriptionTerms { cells, ..open() };
        let figures = played(&describing(terms, fixture::contract()), &tables);
        for (position, (transform, min, max)) in [0, 2].into_iter().zip(fixture::contract().numeric()) {
            let mut all: Vec<f64> = pooled(&tables, position).into_iter().map(|(value, _)| value).collect();
            all.sort_by(f64::total_cmp);
            let width = 2.0 * transform.centre_and_half_range(min, max).1 / f64::from(cells.unwrap_or(2048));
            let numbers = figures.columns[position].numbers.as_ref().unwrap();
            let near = |told: f64, value: f64| (transform.apply(told) - value).abs() <= width * 1.000_001;
            for quantile in &numbers.quantiles {
                let rank = (quantile.share * all.len() as f64).ceil() as usize;
                let value = all[rank.max(1) - 1];
                assert!(near(quantile.value.unwrap(), value), "{cells:?} {quantile:?} {value}");
            }
            assert!(
                near(numbers.lowest.unwrap(), all[0]) && near(numbers.highest.unwrap(), all[all.len() - 1])
            );
            assert!(transform.apply(numbers.lowest.unwrap()) <= all[0] + 1e-9);
        }
    }
}

#[test]
fn correlations_are_those_of_rows_that_have_both_values() {
    let contract = nullable();
    let mut rng = fixture::rng(3);
    let table = |rng: &mut _| {
        let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        for row in 0..400 {
            let age = 20.0 + 60.0 * fixture::uniform(rng);
            let balance = 100.0 * age * fixture::uniform(rng);
            let cell = |value: f64, gap: f64| if gap < 0.1 { String::new() } else { value.to_string() };
            let cells =
                [cell(age, fixture::uniform(rng)), "none".into(), cell(balance, fixture::uniform(rng))];
            let label = if row % 3 == 0 { "1" } else { "0" };
            builder.push(row, &[&cells[0], &cells[1], &cells[2], label], Role::Train);
        }
        builder.finish().unwrap()
    };
    let tables = [table(&mut rng), table(&mut rng)];
    let figures = played(&describing(open(), contract), &tables);
    let both: Vec<(f64, f64)> = tables
        .iter()
        .flat_map(|table| {
            let (Values::Numeric(a), Values::Numeric(b)) = (&table.columns()[0], &table.columns()[2]) else {
                panic!("numbers")
            };
            a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>()
        })
        .filter(|(a, b)| !is_missing(*a) && !is_missing(*b))
        .collect();
    let count = both.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| both.iter().map(of).sum::<f64>() / count;
    let (ma, mb) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in &both {
        ab += (a - ma) * (b - mb);
        aa += (a - ma) * (a - ma);
        bb += (b - mb) * (b - mb);
    }
    let expected = ab / (aa * bb).sqrt();
    let told = figures.correlations.unwrap();
    assert_eq!(told.columns, ["age", "balance"]);
    assert!((told.matrix[0][1].unwrap() - expected).abs() < 1e-6 && expected > 0.3, "{told:?} {expected}");
    assert_eq!((told.matrix[1][0], told.matrix[0][0]), (told.matrix[0][1], Some(1.0)));
    let gaps = figures.columns[0].missing.unwrap();
    assert_eq!(gaps + figures.columns[0].present.unwrap(), 800);
    assert_eq!(figures.columns[0].bins.last().map(|bin| (bin.missing, bin.rows)), Some((true, Some(gaps))));
    let without = DescriptionTerms { correlations: Some(false), ..open() };
    assert!(played(&describing(without, nullable()), &tables).correlations.is_none());
}

#[test]
fn weights_of_evidence_and_information_are_those_of_the_counts() {
    let figures = played(&describing(open(), fixture::contract()), &tables(false));
    let positives = figures.positives.unwrap() as f64;
    let negatives = figures.rows as f64 - positives;
    for column in &figures.columns {
        let mut information = 0.0;
        for bin in &column.bins {
            let yes = bin.positives.unwrap() as f64;
            let no = bin.rows.unwrap() as f64 - yes;
            let woe = ((no / negatives) / (yes / positives)).ln();
            assert!((bin.woe.unwrap() - woe).abs() < 1e-12);
            information += (no / negatives - yes / positives) * woe;
        }
        assert!((column.information.unwrap() - information).abs() < 1e-12 && information > 0.0);
    }
}

#[test]
fn institutions_with_odd_rows_give_figures_or_none_and_never_a_failure() {
    let contract = nullable();
    let constant: Vec<[&str; 4]> = vec![["40", "field", "7", "0"]; 60];
    let gone: Vec<[&str; 4]> = vec![["", "", "", "1"]; 60];
    let [constant, gone, single] = [
        table_of(&contract, &constant),
        table_of(&contract, &gone),
        table_of(&contract, &[["18", "none", "-10000", "1"]]),
    ];
    // No row is a positive.
    let figures = played(&describing(DescriptionTerms::default(), contract.clone()), &[constant]);
    assert_eq!((figures.rows, figures.positives), (60, None));
    let age = &figures.columns[0];
    let numbers = age.numbers.as_ref().unwrap();
    assert!((numbers.mean - 40.0).abs() < 1e-9 && numbers.sd == 0.0, "{numbers:?}");
    // That nobody lacks a value would follow from the count of the others.
    assert_eq!((age.present, age.missing, age.information), (None, None, None));
    assert!(age.bins.iter().all(|bin| bin.rows.is_none() && bin.woe.is_none()), "{age:?}");
    assert!(figures.correlations.unwrap().matrix.iter().flatten().all(Option::is_none));
    // Nobody has a value.
    let figures = played(&describing(DescriptionTerms::default(), contract.clone()), &[gone]);
    assert!(figures.columns.iter().all(|one| one.numbers.is_none() && one.bins.is_empty()), "{figures:?}");
    // One row.
    let figures = played(&describing(DescriptionTerms::default(), contract.clone()), &[single]);
    assert_eq!((figures.rows, figures.positives), (1, None));
    assert!(figures.columns.iter().all(|one| one.numbers.is_none() && one.bins.is_empty()));
}

#[test]
fn levels_of_few_rows_are_joined_and_no_count_below_the_floor_is_told() {
    let contract = nullable();
    let mut rng = fixture::rng(5);
    for case in 0..20 {
        let rows: Vec<[String; 4]> = (0..300)
            .map(|_| {
                let draw = fixture::uniform(&mut rng);
                let job = if draw < 0.04 {
                    "none"
                } else if draw < 0.08 {
                    ""
                } else {
                    "office"
                };
                let age = if fixture::uniform(&mut rng) < 0.05 { String::new() } else { "33".into() };
                let label = if fixture::uniform(&mut rng) < 0.3 { "1" } else { "0" };
                [age, job.into(), (1000.0 * fixture::uniform(&mut rng)).to_string(), label.into()]
            })
            .collect();
        let rows: Vec<[&str; 4]> = rows.iter().map(|row| row.each_ref().map(String::as_str)).collect();
        let terms = DescriptionTerms { min_rows: 20, ..Default::default() };
        let figures = played(&describing(terms, contract.clone()), &[table_of(&contract, &rows)]);
        for column in &figures.columns {
            is_safe(&figures, column, case);
        }
    }
}

/// Nothing that is told, and nothing that follows from it with the totals, is below the floor.
fn is_safe(figures: &StatisticsFigures, column: &ColumnFigures, case: usize) {
    let floor = i64::from(figures.min_rows);
    let told = |of: fn(&Bin) -> Option<i64>| column.bins.iter().filter_map(of).collect::<Vec<_>>();
    let hidden = |of: fn(&Bin) -> Option<i64>| column.bins.iter().filter(|bin| of(bin).is_none()).count();
    let no = |bin: &Bin| Some(bin.rows? - bin.positives?);
    for counts in [told(|bin| bin.rows), told(|bin| bin.positives), told(no)] {
        assert!(counts.iter().all(|count| *count >= floor), "{case}: {column:?}");
    }
    let rest = figures.rows - told(|bin| bin.rows).iter().sum::<i64>();
    assert!(hidden(|bin| bin.rows) != 1 && (rest == 0 || rest >= floor), "{case}: {column:?}");
    if let Some(positives) = figures.positives {
        let rest = positives - told(|bin| bin.positives).iter().sum::<i64>();
        assert!(hidden(|bin| bin.positives) != 1 && (rest == 0 || rest >= floor), "{case}: {column:?}");
    }
    if let Some(missing) = column.missing {
        assert!(missing >= floor, "{case}: {column:?}");
    }
    assert_eq!(
        column.missing.is_some(),
        column.present.is_some() && column.bins.iter().any(|bin| bin.missing)
    );
}

#[test]
fn a_question_that_departs_from_the_job_is_declined() {
    let job = describing(open(), fixture::contract());
    let asked = DescribeQuestion::of(&job, job.description().unwrap());
    let refused = |question: DescribeQuestion, job: &Job| {
        let error = Question::Describe(question).approved_by(job).unwrap_err();
        assert_eq!(error.code(), "program.not-approved");
    };
    refused(DescribeQuestion { cells: 1024, ..asked.clone() }, &job);
    refused(DescribeQuestion { widths: vec![1024, 3, 1024], cells: 1024, ..asked.clone() }, &job);
    refused(DescribeQuestion { columns: vec!["age".into()], widths: vec![2048], ..asked.clone() }, &job);
    refused(DescribeQuestion { max_rows: 1, ..asked.clone() }, &job);
    refused(DescribeQuestion { pairs: 0, ..asked.clone() }, &job);
    refused(DescribeQuestion { variance: Some(1), ..asked.clone() }, &job);
    refused(asked.clone(), &crate::program::run::tests::job(1));
    let statistics = crate::program::statistics::StatisticsQuestion::of(&job.contract);
    let other = Question::Statistics(statistics).approved_by(&job).unwrap_err();
    assert_eq!(other.code(), "program.not-approved", "it asks for nothing else");
    let table = fixture::table(50, 0.0, false, 1);
    for wrong in [
        DescribeQuestion { cells: 3000, widths: vec![3000, 3, 3000], ..asked.clone() },
        DescribeQuestion { cells: 48, widths: vec![48, 3, 48], ..asked.clone() },
        DescribeQuestion { columns: vec!["age".into(), "job".into(), "ages".into()], ..asked.clone() },
        DescribeQuestion { widths: vec![2048, 3], ..asked.clone() },
        DescribeQuestion { gaps: 1, ..asked.clone() },
    ] {
        let error = Description::answer(&wrong, &table, &mut fixture::rng(1)).err().unwrap();
        assert_eq!(error.code(), "program.bad-question", "{wrong:?}");
    }
}

#[test]
fn sums_that_no_tables_add_up_to_are_refused() {
    let terms = DescriptionTerms { cells: Some(4), ..open() };
    let job = describing(terms, fixture::contract());
    let asked = DescribeQuestion::of(&job, job.description().unwrap());
    let (layout, table) = (asked.layout().unwrap(), fixture::table(50, 0.0, false, 1));
    let fine = Description::answer(&asked, &table, &mut fixture::rng(1)).unwrap().values().to_vec();
    let told = |place: usize, by: f64| {
        let mut values = fine.clone();
        values[place] += by;
        let sum =
            sum_of(&[&table], 1, &layout, |_, _| Contribution::new(layout.clone(), values.clone()).unwrap());
        Description::new(&job, job.description().unwrap())
            .next(Some(&sum))
            .map(|_| ())
            .map_err(|error| error.code())
    };
    assert_eq!(told(0, 0.0), Ok(()));
    let at = |block: &str| layout.range(block).unwrap().start;
    for (place, by) in [
        (at("rows"), 1.0),
        (at("rows"), -60.0),
        (at("negative"), 1.0),
        (at("positive"), -60.0),
        (at("sums"), 200.0),
        (at("squares"), 200.0),
        (at("squares"), -200.0),
        (at("products"), 200.0),
    ] {
        assert_eq!(told(place, by), Err("program.impossible-sum"), "{place} {by}");
    }
    let other = crate::program::statistics::StatisticsQuestion::of(&job.contract).layout().unwrap();
    let sum = sum_of(&[&table], 1, &other, |_, _| Contribution::new(other.clone(), vec![0.0; 10]).unwrap());
    let error = Description::new(&job, job.description().unwrap()).next(Some(&sum)).unwrap_err();
    assert_eq!(error.code(), "program.wrong-sum");
}
