//! A scorecard as sums over the bins that a row is in.

use super::graph::Graph;
use super::proto::element;
use super::rows::{Rows, looked_up};
use super::thresholds::largest;
use crate::contract::ColumnKind;
use crate::scorecard::ScorecardModel;
use crate::scorecard::coding::CellRange;

/// The log-odds of a bad, N x 1.
pub(super) fn log_odds(graph: &mut Graph, rows: &Rows<'_>, model: &ScorecardModel) -> String {
    let scorecard = &model.scorecard;
    let summed = summed(graph, rows, model, |column| {
        let weight = scorecard.coefficients.weights[column];
        scorecard.coding.woe(column).iter().map(|woe| weight * woe).collect()
    });
    let intercept = graph.double(scorecard.coefficients.intercept);
    graph.step("Add", &[&summed, &intercept])
}

/// The points, N x 1: sums of whole numbers, and exact, since 64-bit floats hold such.
pub(super) fn points(graph: &mut Graph, rows: &Rows<'_>, model: &ScorecardModel) -> String {
    summed(graph, rows, model, |column| {
        model.points_of(column).into_iter().map(|points| points as f64).collect()
    })
}

/// The sum over the used columns of what the bin adds that a row is in, N x 1.
fn summed(
    graph: &mut Graph,
    rows: &Rows<'_>,
    model: &ScorecardModel,
    adds: impl Fn(usize) -> Vec<f64>,
) -> String {
    let (contract, scorecard) = (&model.contract, &model.scorecard);
    let mut terms = vec![rows.flaws(graph)];
    for &column in &scorecard.coding.used {
        let column = column as usize;
        let of_bins = adds(column);
        let position = contract.columns[..column].iter().filter(|other| is_categorical(&other.kind)).count();
        terms.push(match contract.columns[column].kind {
            ColumnKind::Numeric { transform, min, max } => {
                let range = CellRange::of(transform, min, max);
                let cuts = scorecard.coding.bins.cuts_of(contract, column);
                let is_below = |cut: u16| move |x| range.cell_of(transform.apply(x)) < usize::from(cut);
                let last: Vec<f64> = cuts.iter().map(|&cut| largest(is_below(cut))).collect();
                let name = &contract.columns[column].name;
                let missing = scorecard.coding.bins.missing_of(contract, column);
                let of_numbers = by_number(graph, name, &last, &of_bins[..=last.len()]);
                match missing {
                    None => of_numbers,
                    Some(bin) => {
                        let (missing, of_missing) =
                            (graph.step("IsNaN", &[name]), graph.double(of_bins[usize::from(bin)]));
                        graph.step("Where", &[&missing, &of_missing, &of_numbers])
                    }
                }
            }
            ColumnKind::Categorical { .. } => {
                let groups = scorecard.coding.bins.groups_of(contract, column);
                let of_levels = groups.iter().map(|&group| of_bins[usize::from(group)]);
                let table: Vec<f64> = of_levels.chain([f64::NAN]).collect();
                looked_up(graph, &rows.levels[position], 1, &table)
            }
        });
    }
    let terms = graph.beside(&terms);
    let ones = vec![1.0; scorecard.coding.used.len() + 1];
    let ones = graph.doubles(&[ones.len(), 1], &ones);
    graph.step("MatMul", &[&terms, &ones])
}

/// Of each number what its bin adds: the first bin's, and the step to the next one for each `last` number of a bin that it is
/// above.
fn by_number(graph: &mut Graph, column: &str, last: &[f64], of_bins: &[f64]) -> String {
    let steps: Vec<f64> = of_bins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let last = graph.doubles(&[1, last.len()], last);
    let above = graph.step("Greater", &[column, &last]);
    let above = graph.cast(&above, element::DOUBLE);
    let steps = graph.doubles(&[steps.len(), 1], &steps);
    let risen = graph.step("MatMul", &[&above, &steps]);
    let first = graph.double(of_bins[0]);
    graph.step("Add", &[&risen, &first])
}

fn is_categorical(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Categorical { .. })
}
