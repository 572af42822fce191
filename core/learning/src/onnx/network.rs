//! A network as matrix products.

use super::graph::Graph;
use super::rows::Rows;
use crate::network::entry::embedded;
use crate::network::{NetworkModel, layers};

/// The log-odds of a network, N x 1.
pub(super) fn log_odds(graph: &mut Graph, rows: &Rows<'_>, model: &NetworkModel) -> String {
    let parameters = &model.network.parameters;
    let entry = model.network.entry(&model.contract);
    let inputs = rows.embedded(graph, &model.standardisation, &vectors(model));
    let layers = layers(&entry, &model.network.hidden);
    let mut values = inputs.clone();
    for (position, layer) in layers.iter().enumerate() {
        if position > 0 {
            values = graph.step("Relu", &[&values]);
        }
        let weights = graph.doubles(&[layer.inputs, layer.units], &parameters[layer.weights()]);
        let biases = graph.doubles(&[1, layer.units], &parameters[layer.biases()]);
        let summed = graph.step("MatMul", &[&values, &weights]);
        values = graph.step("Add", &[&summed, &biases]);
    }
    // Whether max(0, NaN) is NaN is left to runtimes; a row that breaks the contract stays refused by what never went through it.
    let nothing = graph.doubles(&[entry.width(), 1], &vec![0.0; entry.width()]);
    let refused = graph.step("MatMul", &[&inputs, &nothing]);
    graph.step("Add", &[&values, &refused])
}

/// For each categorical column its vectors, one after the other, where its levels have some.
fn vectors(model: &NetworkModel) -> Vec<Option<&[f64]>> {
    let dimension = model.network.embedding.unwrap_or_default() as usize;
    let mut rest = &model.network.parameters[..];
    let columns = model.contract.columns.iter().zip(embedded(&model.contract, model.network.embedding));
    let categorical = columns.filter(|(column, _)| column.positions().is_some());
    let of_column = |(_, positions): (_, Option<usize>)| {
        let (vectors, others) = rest.split_at(positions? * dimension);
        rest = others;
        Some(vectors)
    };
    categorical.map(of_column).collect()
}
