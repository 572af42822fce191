//! A network as matrix products.

use super::graph::Graph;
use super::rows::Rows;
use crate::network::{NetworkModel, layers};

/// The log-odds of a network, N x 1.
pub(super) fn log_odds(graph: &mut Graph, rows: &Rows<'_>, model: &NetworkModel) -> String {
    let inputs = rows.encoded(graph, &model.standardisation);
    let parameters = &model.network.parameters;
    let layers = layers(model.contract.inputs(), &model.network.hidden);
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
    let nothing = graph.doubles(&[model.contract.inputs(), 1], &vec![0.0; model.contract.inputs()]);
    let refused = graph.step("MatMul", &[&inputs, &nothing]);
    graph.step("Add", &[&values, &refused])
}
