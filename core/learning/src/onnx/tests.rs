//! What the files say; what runtimes compute from them is compared in `tests/onnx/`.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::{TensorProto, ValueInfoProto};
use super::*;
use crate::coefficients::Coefficients;
use crate::encode::Standardisation;
use crate::fixture;
use crate::network::{Network, NetworkModel};
use crate::program::boosted_trees;
use crate::trees::{Bins, Ensemble, Tree, TreeModel};

fn linear_model() -> Model {
    Model::Linear(LinearModel {
        contract: fixture::contract(),
        standardisation: Standardisation { mean: vec![50.0, 8.0], sd: vec![10.0, 2.0] },
        coefficients: Coefficients { weights: vec![0.1, 1.0, -0.3, 0.2, 0.5], intercept: -1.25 },
    })
}

fn trees() -> Model {
    let tables = [fixture::table(300, 0.0, false, 1), fixture::table(300, 0.5, false, 2)];
    let terms = boosted_trees::BoostedTreesTerms { trees: 3, min_rows: 5, ..Default::default() };
    Model::Trees(boosted_trees::fit_pooled(&tables.iter().collect::<Vec<_>>(), &terms).unwrap())
}

fn network() -> Model {
    let parameters = (0..5 * 3 + 3 + 3 + 1).map(|place| 0.25 * f64::from(place % 7) - 0.75).collect();
    Model::Network(NetworkModel {
        contract: fixture::contract(),
        standardisation: Standardisation { mean: vec![50.0, 8.0], sd: vec![10.0, 2.0] },
        network: Network { hidden: vec![3], embedding: None, packed: false, parameters },
    })
}

/// A network whose three jobs have vectors of two numbers.
fn embedded() -> Model {
    let parameters = (0..3 * 2 + 4 * 3 + 3 + 3 + 1).map(|place| 0.25 * f64::from(place % 7) - 0.75).collect();
    Model::Network(NetworkModel {
        contract: fixture::contract(),
        standardisation: Standardisation { mean: vec![50.0, 8.0], sd: vec![10.0, 2.0] },
        network: Network { hidden: vec![3], embedding: Some(2), packed: false, parameters },
    })
}

fn scorecard() -> Model {
    let tables = [fixture::table(300, 0.0, false, 1), fixture::table(300, 0.5, false, 2)];
    let terms = crate::program::scorecard::ScorecardTerms { min_iv: 0.0, ..Default::default() };
    Model::Scorecard(
        crate::program::scorecard::fit_pooled(&tables.iter().collect::<Vec<_>>(), &terms).unwrap(),
    )
}

/// A model of each kind of rows in which values are missing.
fn with_gaps() -> Vec<Model> {
    let tables = [fixture::table_with_gaps(600, 1), fixture::table_with_gaps(600, 2)];
    let tables: Vec<_> = tables.iter().collect();
    let terms = boosted_trees::BoostedTreesTerms { trees: 3, min_rows: 5, ..Default::default() };
    let of_scorecard = crate::program::scorecard::ScorecardTerms { min_iv: 0.0, ..Default::default() };
    let linear = crate::reference::fit_linear(&tables, 1e-3, crate::job::Encoding::AllLevels).unwrap();
    vec![
        Model::Linear(linear),
        Model::Trees(boosted_trees::fit_pooled(&tables, &terms).unwrap()),
        Model::Scorecard(crate::program::scorecard::fit_pooled(&tables, &of_scorecard).unwrap()),
    ]
}

fn exported(model: &Model) -> (Exported, ModelProto) {
    let provenance = BTreeMap::from([("job".to_owned(), "demo".into()), ("ledger_size".into(), 7.into())]);
    let card = model.card(&model.to_safetensors().unwrap(), provenance);
    let exported = export(model, &card, "0.0.0").unwrap();
    let read = ModelProto::decode(exported.bytes.as_slice()).unwrap();
    (exported, read)
}

#[test]
fn a_file_has_an_input_for_each_column_and_says_whose_model_it_is() {
    for model in [linear_model(), trees(), network(), embedded(), scorecard()] {
        let (exported, file) = exported(&model);
        let expected = [("age", "double"), ("job", "string"), ("balance", "double")];
        assert_eq!(exported.inputs, expected.map(|(name, kind)| (name.to_owned(), kind)));
        let outputs: &[&str] = match &model {
            Model::Scorecard(_) => &["probability", "label", "points"],
            _ => &["probability", "label"],
        };
        assert_eq!(exported.outputs, outputs);
        let told: BTreeMap<_, _> =
            file.metadata_props.iter().map(|entry| (entry.key(), entry.value())).collect();
        assert_eq!((told["syndic.job"], told["syndic.contract"]), ("demo", "small.v1"));
        assert_eq!(told["syndic.weights_digest"].len(), 64);
    }
}

#[test]
fn every_value_is_made_once_and_before_it_is_used() {
    for model in [linear_model(), trees(), network(), embedded(), scorecard()].into_iter().chain(with_gaps())
    {
        let graph = exported(&model).1.graph.unwrap();
        let mut known = BTreeSet::new();
        let given = graph.input.iter().map(ValueInfoProto::name);
        for name in given.chain(graph.initializer.iter().map(TensorProto::name)) {
            assert!(known.insert(name.to_owned()), "{name}");
        }
        for node in &graph.node {
            assert!(node.input.iter().all(|input| known.contains(input)), "{node:?}");
            assert!(node.output.iter().all(|output| known.insert(output.clone())), "{node:?}");
        }
        assert!(graph.output.iter().all(|output| known.contains(output.name())));
    }
}

#[test]
fn nothing_in_a_file_is_about_missing_values_where_there_are_none() {
    let asks = |model: &Model| {
        let graph = exported(model).1.graph.unwrap();
        let asks_numbers = graph.node.iter().filter(|node| node.op_type() == "IsNaN").count() > 1;
        let ways = |node: &super::proto::NodeProto| {
            node.attribute.iter().any(|of| of.name() == "nodes_missing_value_tracks_true")
        };
        asks_numbers || graph.node.iter().any(ways)
    };
    // One node asks whether the score itself is no number.
    assert!([linear_model(), trees(), network(), scorecard()].iter().all(|model| !asks(model)));
    assert!(with_gaps().iter().all(asks));
}

#[test]
fn any_text_but_the_empty_one_is_a_level_where_all_that_are_not_listed_are() {
    for nullable in [false, true] {
        let Model::Linear(mut model) = linear_model() else { unreachable!() };
        let column = &mut model.contract.columns[1];
        let levels = ["office", "field", "other"].map(String::from).to_vec();
        (column.kind, column.other, column.nullable) =
            (crate::ColumnKind::Categorical { levels }, true, nullable);
        model.coefficients.weights.resize(5 + usize::from(nullable), 0.7);
        let graph = exported(&Model::Linear(model)).1.graph.unwrap();
        let encoder = graph.node.iter().find(|node| node.op_type() == "LabelEncoder").unwrap();
        let of = |name: &str| encoder.attribute.iter().find(|of| of.name() == name).unwrap();
        // The empty text is behind the levels: missing where there may be nothing, else what breaks the contract.
        let keys: Vec<&[u8]> = of("keys_strings").strings.iter().map(AsRef::as_ref).collect();
        assert_eq!(keys, [&b"office"[..], b"field", b"other", b""], "{nullable}");
        assert_eq!((&of("values_int64s").ints[..], of("default_int64").i), (&[0, 1, 2, 3][..], Some(2)));
    }
}

#[test]
fn a_column_keeps_its_name_and_an_output_gives_way() {
    let Model::Linear(mut model) = linear_model() else { unreachable!() };
    model.contract.columns[0].name = "probability".into();
    let (exported, _) = exported(&Model::Linear(model));
    assert_eq!(exported.inputs[0].0, "probability");
    assert_eq!(exported.outputs, ["probability_2", "label"]);
}

#[test]
fn a_model_whose_parts_do_not_fit_is_not_exported() {
    let Model::Linear(mut model) = linear_model() else { unreachable!() };
    let card = linear_model().card(&[], BTreeMap::new());
    model.coefficients.weights.pop();
    assert_eq!(export(&Model::Linear(model), &card, "0").unwrap_err().code(), "model.inputs-mismatch");
}

#[test]
fn trees_that_ask_nothing_are_a_file_too() {
    let model = TreeModel {
        contract: fixture::contract(),
        ensemble: Ensemble {
            base: -1.0,
            bins: Bins { edges: vec![vec![]; 2] },
            trees: vec![Tree::leaf(0.5)],
        },
        gains: vec![vec![]],
    };
    for model in [model.first(0), model] {
        let graph = exported(&Model::Trees(model)).1.graph.unwrap();
        assert!(graph.node.iter().any(|node| node.op_type() == "TreeEnsembleRegressor"));
    }
}
