use super::answer::steps;
use super::figures::StatisticsFigures;
use super::tests::{describing, played};
use super::*;
use crate::fixture;
use crate::job::{NoiseSource, Privacy, RecordLevelTerms, Unit};
use crate::program::question::Question;
use crate::table::Role;
use crate::{Contract, TableBuilder};

fn noisy(terms: DescriptionTerms, contract: Contract, epsilon: f64) -> Job {
    let privacy = RecordLevelTerms {
        epsilon,
        delta: 1e-5,
        noise: NoiseSource::Local,
        honest: None,
        clip: None,
        unit: Unit::Row,
        test_bins: None,
    };
    Job { privacy: Privacy::RecordLevel(privacy), ..describing(terms, contract) }
}

fn tables() -> Vec<Table> {
    (0..5).map(|k| fixture::table(1000, k as f64 / 4.0, false, k)).collect()
}

fn both() -> DescriptionTerms {
    DescriptionTerms { cells: Some(16), correlations: Some(true), min_rows: 1, ..Default::default() }
}

#[test]
fn a_row_moves_the_sum_by_no_more_than_the_noise_is_made_for() {
    let mut contract = fixture::contract();
    contract.columns[1].nullable = true;
    let mut rng = fixture::rng(7);
    for correlations in [true, false] {
        let job =
            noisy(DescriptionTerms { correlations: Some(correlations), ..both() }, contract.clone(), 1.0);
        let terms = job.description().unwrap();
        let asked = DescribeQuestion::of(&job, terms);
        let shape = asked.shape(&contract).unwrap();
        let mechanism = mechanism(terms, &contract, 1);
        assert_eq!(mechanism.dimension, asked.layout().unwrap().len() as u64);
        let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        // Whatever is in the range, its ends among it.
        for row in 0..500_u64 {
            let age = match row % 4 {
                0 => 18.0,
                1 => 100.0,
                _ => 18.0 + 82.0 * fixture::uniform(&mut rng),
            };
            let balance = match row % 3 {
                0 => -1e4,
                1 => 2e5,
                _ => 2e5 * fixture::uniform(&mut rng) - 1e3,
            };
            let job = ["office", "", "none"][row as usize % 3];
            let label = if row % 2 == 0 { "1" } else { "0" };
            builder.push(row, &[&age.to_string(), job, &balance.to_string(), label], Role::Train);
        }
        let table = builder.finish().unwrap();
        let rows = Rows::of(&table, &shape);
        let mut longest = 0;
        for row in 0..table.rows() {
            let mut squared = 0;
            rows.told(row, &mut Vec::new(), |place, value| {
                assert!(place < shape.places().end && steps(value).abs() <= ROW);
                squared += steps(value) * steps(value);
            });
            assert!(squared as f64 <= mechanism.l2 * mechanism.l2, "{squared}");
            longest = longest.max(squared);
        }
        // A row at both ends is as far from none as there is.
        assert_eq!(longest, ROW * ROW * shape.touched() as i64);
    }
}

#[test]
fn figures_are_off_by_no_more_than_their_deviations_allow() {
    let (tables, contract) = (tables(), fixture::contract());
    let exact = played(&describing(both(), contract.clone()), &tables);
    let job = noisy(both(), contract, 3.0);
    let found = played(&job, &tables);
    let noise = found.noise.unwrap();
    assert!(noise > 1.0 && noise < 200.0, "{noise}");
    let near = |told: f64, exact: f64, deviation: f64| (told - exact).abs() <= 5.0 * deviation + 0.5;
    assert!(near(found.rows as f64, exact.rows as f64, noise * 1.5));
    assert!(near(found.positives.unwrap() as f64, exact.positives.unwrap() as f64, noise));
    assert!(found.columns.iter().all(|column| column.present == Some(found.rows)));
    let mut differs = false;
    for (told, exact) in found.columns.iter().zip(&exact.columns) {
        if let (Some(told), Some(exact)) = (&told.numbers, &exact.numbers) {
            let off = (told.mean - exact.mean).abs() / told.mean_deviation.unwrap();
            assert!(off < 5.0, "{told:?} {exact:?}");
            let off = (told.sd - exact.sd).abs() / told.sd_deviation.unwrap();
            assert!(off < 5.0, "{told:?} {exact:?}");
            assert!(told.lowest.is_none() && told.highest.is_none());
            differs |= told.mean != exact.mean;
        }
    }
    assert!(differs, "there is noise");
    for (told, exact) in found.columns[1].bins.iter().zip(&exact.columns[1].bins) {
        assert_eq!(told.levels, exact.levels);
        let deviation = told.rows_deviation.unwrap();
        assert!(near(told.rows.unwrap() as f64, exact.rows.unwrap() as f64, deviation), "{told:?} {exact:?}");
        assert!(near(told.positives.unwrap() as f64, exact.positives.unwrap() as f64, deviation));
    }
    let (told, exact) = (found.correlations.unwrap(), exact.correlations.unwrap());
    let deviation = told.deviations.unwrap()[0][1].unwrap();
    let (told, exact) = (told.matrix[0][1].unwrap(), exact.matrix[0][1].unwrap());
    assert!(deviation > 0.0 && (told - exact).abs() < 5.0 * deviation, "{told} {exact} {deviation}");
}

#[test]
fn a_job_with_noise_claims_what_it_spends_once() {
    let job = noisy(DescriptionTerms::default(), fixture::contract(), 1.0);
    let claim = job.claim(None).unwrap().unwrap();
    assert!(claim.epsilon.parse::<f64>().unwrap() <= 1.0 && claim.spent.is_none(), "{claim:?}");
    assert!(claim.mechanism.contains("in one sum of counts"), "{claim:?}");
    let figures: StatisticsFigures = played(&job, &tables());
    let told = figures.privacy.unwrap();
    assert_eq!(told.spent.unwrap().epsilon, claim.epsilon);
    assert!(figures.correlations.is_none(), "pairs are asked for where the job says so");
    // Few cells by default, so that their rows are more than noise.
    assert_eq!(DescribeQuestion::of(&job, job.description().unwrap()).cells, 32);
}

#[test]
fn a_question_with_other_noise_is_declined() {
    let job = noisy(both(), fixture::contract(), 1.0);
    let asked = DescribeQuestion::of(&job, job.description().unwrap());
    let asked_for = |question: DescribeQuestion| {
        let question = Question::Describe(question);
        (question.adds_noise(), question.approved_by(&job).map_err(|error| error.code()))
    };
    let declined = Err("program.not-approved");
    assert_eq!(asked_for(asked.clone()), (true, Ok(())));
    let variance = asked.variance.unwrap();
    assert_eq!(
        asked_for(DescribeQuestion { variance: Some(variance - 1), ..asked.clone() }),
        (true, declined)
    );
    assert_eq!(asked_for(DescribeQuestion { variance: None, ..asked.clone() }), (false, declined));
    let finer = DescribeQuestion { cells: 32, widths: vec![32, 3, 32], ..asked.clone() };
    assert_eq!(asked_for(finer), (true, declined));
    assert_eq!(asked_for(DescribeQuestion { pairs: 0, ..asked }).1, declined);
}

#[test]
fn a_single_row_is_lost_in_noise_and_no_failure() {
    let contract = fixture::contract();
    let job = noisy(both(), contract.clone(), 1.0);
    let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
    builder.push(0, &["18", "none", "0", "1"], Role::Train);
    let figures = played(&job, &[builder.finish().unwrap()]);
    assert!(figures.rows.abs() < 10 * figures.noise.unwrap() as i64);
    assert!(figures.columns.iter().all(|column| column.information.is_none()), "{figures:?}");
    serde_json::to_string(&figures).unwrap();
    assert!(
        figures.columns.iter().flat_map(|column| &column.bins).all(|bin| bin.rows_deviation.is_some()),
        "each figure has its deviation"
    );
}
