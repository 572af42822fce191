use super::coding::ColumnBins;
use super::*;
use crate::fixture;
use crate::{ColumnKind, Model, ModelCard};

/// Age in three bins, job in two, balance in one piece.
pub(crate) fn model() -> ScorecardModel {
    let bin = |good, bad| ClassCounts { good, bad };
    let coding = WoeCoding {
        bins: ColumnBins {
            cuts: vec![vec![400, 1_200], vec![]],
            groups: vec![vec![1, 0, 1]],
            missing: vec![],
        },
        counts: vec![
            vec![bin(300, 50), bin(200, 60), bin(100, 90)],
            vec![bin(250, 60), bin(350, 140)],
            vec![bin(600, 200)],
        ],
        used: vec![0, 1],
    };
    let coefficients = Coefficients { weights: vec![-0.9, -1.1, 0.0], intercept: -1.05 };
    ScorecardModel {
        contract: fixture::contract(),
        scorecard: Scorecard { coding, coefficients },
        scale: PointsScale::default(),
    }
}

#[test]
fn weights_of_evidence_and_information_are_those_of_the_definition() {
    let coding = model().scorecard.coding;
    let woe = coding.woe(1);
    assert!((woe[0] - ((250.0 / 600.0) / (60.0 / 200.0_f64)).ln()).abs() < 1e-15);
    // Computed by hand: (5/12 - 3/10) ln(25/18) + (7/12 - 7/10) ln(5/6).
    let by_hand = (5.0 / 12.0 - 0.3) * (25.0 / 18.0_f64).ln() + (7.0 / 12.0 - 0.7) * (5.0 / 6.0_f64).ln();
    assert!((coding.information(1) - by_hand).abs() < 1e-15);
    assert_eq!(coding.information(2), 0.0);
}

#[test]
fn rows_are_scored_by_the_bins_of_their_raw_values() {
    let mut builder =
        crate::TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]).unwrap();
    // 400 of 2,048 cells of 18 to 100 are 16.015625 years.
    for (row, (age, job, label)) in
        [("34.01", "field", "0"), ("34.02", "none", "1"), ("100", "office", "1")].into_iter().enumerate()
    {
        builder.push(row as u64, &[age, job, "7", label], crate::Role::Train);
    }
    let table = builder.finish().unwrap();
    let model = model();
    let coding = &model.scorecard.coding;
    let expected = [(0, 0), (1, 1), (2, 1)]
        .map(|(age, job)| logistic(-1.05 - 0.9 * coding.woe(0)[age] - 1.1 * coding.woe(1)[job]));
    assert_eq!(model.score(&table).unwrap(), expected);
}

#[test]
fn whole_points_are_off_by_half_a_point_for_each_column_at_most() {
    let (model, table) = (model(), fixture::table(500, 0.3, false, 4));
    let rows: Vec<usize> = (0..table.rows()).collect();
    let points = model.points(&table, &rows).unwrap();
    let scores = model.score(&table).unwrap();
    let used = model.scorecard.coding.used.len() as f64;
    let mut largest: f64 = 0.0;
    for (points, score) in points.iter().zip(scores) {
        let exact = model.scale.points((score / (1.0 - score)).ln(), 0.0, 1);
        largest = largest.max((*points as f64 - exact).abs());
    }
    assert!(largest > 0.0 && largest <= used / 2.0 + 1e-9, "{largest}");
}

#[test]
fn a_model_is_the_same_after_writing_and_loading() {
    let model = Model::Scorecard(model());
    let weights = model.to_safetensors().unwrap();
    let card = model.card(&weights, Default::default());
    assert_eq!((card.program.as_str(), model.parameters()), ("scorecard", 3));
    let (loaded, read) = Model::load(&weights, &serde_json::to_string(&card).unwrap()).unwrap();
    assert_eq!((&loaded, &read), (&model, &card));
    let table = fixture::table(50, 0.0, false, 1);
    assert_eq!(loaded.score(&table).unwrap(), model.score(&table).unwrap());
}

#[test]
fn a_card_whose_points_table_is_another_does_not_load() {
    let model = Model::Scorecard(model());
    let weights = model.to_safetensors().unwrap();
    let code = |bend: fn(&mut ModelCard)| {
        let mut card = model.card(&weights, Default::default());
        bend(&mut card);
        Model::load(&weights, &serde_json::to_string(&card).unwrap()).err().map(|error| error.code())
    };
    assert_eq!(code(|_| ()), None);
    assert_eq!(code(|card| card.scorecard = None), Some("model.table-mismatch"));
    assert_eq!(
        code(|card| card.scorecard.as_mut().unwrap().columns[0].bins[0].points = Some(99)),
        Some("model.table-mismatch")
    );
}

#[test]
fn a_changed_byte_is_refused_or_makes_another_model() {
    let bytes = model().to_safetensors().unwrap();
    let contract = fixture::contract();
    for position in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut tampered = bytes.clone();
            tampered[position] ^= bit;
            if let Ok(other) = ScorecardModel::from_safetensors(&contract, &tampered) {
                assert_ne!(other, model(), "byte {position}");
            }
        }
    }
    for length in 0..bytes.len() {
        assert!(ScorecardModel::from_safetensors(&contract, &bytes[..length]).is_err());
    }
}

#[test]
fn parts_that_do_not_fit_each_other_are_refused() {
    let refused = |bend: fn(&mut ScorecardModel)| {
        let mut model = model();
        bend(&mut model);
        let bytes = model.to_safetensors().unwrap();
        ScorecardModel::from_safetensors(&fixture::contract(), &bytes).is_err()
    };
    assert!(!refused(|_| ()));
    let bent: [fn(&mut ScorecardModel); 14] = [
        |model| model.scorecard.coding.bins.cuts[0].reverse(),
        |model| model.scorecard.coding.bins.cuts[0][1] = 2_048,
        |model| model.scorecard.coding.bins.cuts[0][0] = 0,
        |model| drop(model.scorecard.coding.bins.cuts.pop()),
        |model| model.scorecard.coding.bins.groups[0][1] = 2,
        |model| model.scorecard.coding.bins.groups[0].truncate(2),
        |model| model.scorecard.coding.counts[0][0].bad = 0,
        |model| model.scorecard.coding.counts[0][0].bad += 1,
        |model| model.scorecard.coding.counts[1].truncate(1),
        |model| model.scorecard.coding.used = vec![0, 1, 2],
        |model| model.scorecard.coding.used = vec![1, 0],
        |model| model.scorecard.coefficients.weights[2] = 1.0,
        |model| model.scorecard.coefficients.intercept = f64::NAN,
        |model| model.scale.odds = 0.0,
    ];
    for (case, bend) in bent.into_iter().enumerate() {
        assert!(refused(bend), "case {case}");
    }
}

#[test]
fn the_table_names_bins_by_raw_values_and_warns_of_what_is_odd() {
    let mut model = model();
    let table = model.table();
    assert!(table.warnings().is_empty());
    let age = &table.columns[0].bins;
    assert_eq!((age[0].from, age[0].below), (None, Some(18.0 + 82.0 * 400.0 / 2_048.0)));
    assert_eq!((age[1].rows, age[1].bads, age[2].below), (260, 60, None));
    let ColumnKind::Categorical { levels } = &fixture::contract().columns[1].kind else { unreachable!() };
    assert_eq!(table.columns[1].bins[0].levels, [levels[1].clone()]);
    assert_eq!(table.columns[1].bins[1].levels, [levels[0].clone(), levels[2].clone()]);
    assert!(table.columns[2].coefficient.is_none() && table.columns[2].bins[0].points.is_none());
    assert!(age[0].points > age[1].points && age[1].points > age[2].points);
    model.scorecard.coefficients.weights[0] = 0.4;
    (model.scorecard.coding.counts[1][0].bad, model.scorecard.coding.counts[1][1].bad) = (1, 199);
    let warnings = model.table().warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("`age` has the wrong sign") && warnings[1].contains("too good to be true"));
}

#[test]
fn a_table_of_another_contract_is_not_scored() {
    let mut other = model();
    other.contract.version = 2;
    let table = fixture::table(50, 0.0, false, 1);
    assert_eq!(other.score(&table).unwrap_err().code(), "model.contract-mismatch");
    assert_eq!(other.points(&table, &[0]).unwrap_err().code(), "model.contract-mismatch");
}
