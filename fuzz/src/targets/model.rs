//! The two files of a released model, and the table that an institution reads from its own file.

use std::cell::RefCell;
use std::collections::BTreeMap;

use syndic_learning::program::boosted_trees::{BoostedTreesTerms, fit_pooled};
use syndic_learning::program::scorecard;
use syndic_learning::{
    Coefficients, LinearModel, Model, Network, NetworkModel, Role, Scoring as _, Standardisation,
};
use syndic_participant::data::{FileSource, Rules, Source, Split};
use syndic_round::Digest;
use tempfile::TempDir;

use super::approved::{SCORECARD, SMALL, TABLE};
use crate::bounded::within;
use crate::script::{Script, choosing, fields};

/// Weights and card. Where the first byte says so, the card is told the digest of the weights, so that what comes
/// after that check is reached.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.u8();
    let (weights, card) = (script.field(), script.rest());
    let Ok(card) = std::str::from_utf8(card) else { return };
    let card = if choice & 1 == 1 { with_digest(card, weights) } else { card.to_owned() };
    // A vocabulary or a header of JSON takes more than a byte for a byte.
    let Ok((model, card)) = within(input.len() + 64, 256, || Model::load(weights, &card)) else {
        return;
    };
    assert_eq!(card.weights_digest, Digest::of(weights));
    if let Model::Linear(model) = &model {
        assert_eq!(card.inputs.len(), model.coefficients.weights.len());
    }
    let written = model.to_safetensors().expect("a model that was read");
    let again = serde_json::to_string(&model.card(&written, card.provenance.clone())).expect("a card");
    assert_eq!(Model::load(&written, &again).expect("what is written is read").0, model);
    if let Ok(scores) = model.score(&TABLE) {
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "a score is no probability");
    }
    let _ = model.evaluate(&[&TABLE], Role::Test);
}

fn with_digest(card: &str, weights: &[u8]) -> String {
    match serde_json::from_str::<serde_json::Value>(card) {
        Ok(mut value) if value.is_object() => {
            value["weights_digest"] = Digest::of(weights).to_string().into();
            value.to_string()
        }
        _ => card.to_owned(),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let linear = LinearModel {
        contract: SMALL.contract.clone(),
        standardisation: Standardisation { mean: vec![50.0], sd: vec![10.0] },
        coefficients: Coefficients { weights: vec![0.1, 1.0 / 3.0, -0.3], intercept: -1.25 },
    };
    let terms = BoostedTreesTerms { trees: 2, depth: 2, min_rows: 3, ..BoostedTreesTerms::default() };
    let trees = fit_pooled(&[&TABLE], &terms).expect("rows of both classes");
    let of_model = |model: Model| {
        let weights = model.to_safetensors().expect("finite numbers");
        let provenance = BTreeMap::from([("job".to_owned(), "small".into())]);
        let card = serde_json::to_string(&model.card(&weights, provenance)).expect("a card");
        let files = [fields([&weights]), card.into_bytes()].concat();
        [choosing(0, &files), choosing(1, &files)]
    };
    let network = NetworkModel {
        contract: SMALL.contract.clone(),
        standardisation: Standardisation { mean: vec![50.0], sd: vec![10.0] },
        network: Network {
            hidden: vec![2],
            embedding: None,
            packed: false,
            parameters: (1..=11).map(|k| 0.25 * f64::from(k) - 1.0).collect(),
        },
    };
    let terms = SCORECARD.program.scorecard().expect("a scorecard");
    let scorecard = scorecard::fit_pooled(&[&TABLE], terms).expect("bins that differ");
    [Model::Linear(linear), Model::Trees(trees), Model::Network(network), Model::Scorecard(scorecard)]
        .into_iter()
        .flat_map(of_model)
        .collect()
}

/// A CSV file; the first byte says whether it is split by a column, and whether it is said to be gzipped.
pub(super) fn table(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.u8();
    let split = Split { column: "fold".into(), test: vec!["0".into()], validation: vec!["1".into()] };
    FOLDER.with_borrow(|folder| {
        let name = if choice & 2 == 0 { "table.csv" } else { "table.csv.gz" };
        let file = folder.path().join(name);
        std::fs::write(&file, script.rest()).expect("a file of the temporary folder");
        let rules = Rules { split: (choice & 1 == 1).then_some(split), ..Rules::default() };
        let source = FileSource { file, rules };
        match Source::File(source).load(&SMALL.contract) {
            Ok(reading) => {
                let table = reading.table;
                assert!(table.rows() > 0 && table.rows() as u64 <= SMALL.contract.max_rows);
                assert_eq!(table.labels().len(), table.rows());
                let (training, positives) = table.count(Role::Train);
                let is_of_both = 0 < positives && positives < training;
                assert!(
                    training > 0 && table.check_classes().is_ok() == is_of_both,
                    "one class was let through"
                );
            }
            Err(error) => assert!(error.code().starts_with("data.") && !error.help().is_empty()),
        }
    });
}

pub(super) fn table_seeds() -> Vec<Vec<u8>> {
    let text = "age,job,label,fold\n30,a,1,0\n31, b,0,1\n\"40\",a,1,2\n50,b,0,3\n";
    vec![
        choosing(0, text),
        choosing(1, text),
        choosing(0, "label,job,age\r\n1,a,18\r\n0,b,100.5\r\n"),
        choosing(0, "age,job,label\n30,a,1,7\n300,c,2\n"),
        choosing(2, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ]
}

thread_local! {
    static FOLDER: RefCell<TempDir> =
        RefCell::new(tempfile::tempdir().expect("a temporary folder can be made"));
}
