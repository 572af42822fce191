//! One row through a network, and its gradient back (Rumelhart, Hinton and Williams, Nature 323, 1986).
//!
//! Sums are taken in one order, and elementary functions are none but those of the caller: the same bits on every machine.

use super::entry::{Entry, Place};
use super::{Layer, layers};
use crate::encode::Inputs;

/// The layers, and what each tells of the row that went through last.
pub(crate) struct Pass {
    entry: Entry,
    layers: Vec<Layer>,
    /// Of each layer, after max(0, x) but for the output.
    values: Vec<Vec<f64>>,
    /// Of the loss in each unit before max(0, x), of each layer.
    slopes: Vec<Vec<f64>>,
}

impl Pass {
    pub(crate) fn new(entry: Entry, hidden: &[u32]) -> Self {
        let layers = layers(&entry, hidden);
        let values: Vec<_> = layers.iter().map(|layer| vec![0.0; layer.units]).collect();
        Self { slopes: values.clone(), values, layers, entry }
    }

    /// The log-odds of a row.
    pub(crate) fn forward(&mut self, parameters: &[f64], inputs: &Inputs, row: usize) -> f64 {
        let output = self.layers.len() - 1;
        for (position, layer) in self.layers.iter().enumerate() {
            let (before, from) = self.values.split_at_mut(position);
            let values = &mut from[0];
            values.copy_from_slice(&parameters[layer.biases()]);
            let add = |(input, value): (usize, f64)| {
                add_scaled(values, value, &parameters[layer.of_input(input)]);
            };
            match before.last() {
                None => entering(&self.entry, parameters, inputs, row).for_each(add),
                Some(before) => active(before).for_each(add),
            }
            if position < output {
                from[0].iter_mut().filter(|value| **value < 0.0).for_each(|value| *value = 0.0);
            }
        }
        self.values[output][0]
    }

    /// Adds to `gradient` the gradient of a loss whose slope in the log-odds of `row`, the last that went
    /// [`Self::forward`], is `slope`.
    pub(crate) fn back(
        &mut self,
        parameters: &[f64],
        (inputs, row): (&Inputs, usize),
        slope: f64,
        gradient: &mut [f64],
    ) {
        self.propagate(parameters, slope);
        for (position, (layer, slopes)) in self.layers.iter().zip(&self.slopes).enumerate() {
            add_scaled(&mut gradient[layer.biases()], 1.0, slopes);
            let add = |(input, value): (usize, f64)| {
                add_scaled(&mut gradient[layer.of_input(input)], value, slopes);
            };
            match position.checked_sub(1) {
                None => entering(&self.entry, parameters, inputs, row).for_each(add),
                Some(before) => active(&self.values[before]).for_each(add),
            }
        }
        self.of_vectors(parameters, (inputs, row)).for_each(|(place, slope)| gradient[place] += slope);
    }

    /// The gradient of the log-odds of `row`, the last that went [`Self::forward`]: each parameter at most once, and those that are
    /// left out have a slope of zero.
    pub(crate) fn slopes_of_log_odds(
        &mut self,
        parameters: &[f64],
        (inputs, row): (&Inputs, usize),
        found: &mut Vec<(usize, f64)>,
    ) {
        self.propagate(parameters, 1.0);
        found.clear();
        for (position, (layer, slopes)) in self.layers.iter().zip(&self.slopes).enumerate() {
            let biases = layer.biases().start;
            found.extend(active(slopes).map(|(unit, slope)| (biases + unit, slope)));
            let add = |(input, value): (usize, f64)| {
                let weights = layer.of_input(input).start;
                found.extend(active(slopes).map(|(unit, slope)| (weights + unit, value * slope)));
            };
            match position.checked_sub(1) {
                None => entering(&self.entry, parameters, inputs, row).for_each(add),
                Some(before) => active(&self.values[before]).for_each(add),
            }
        }
        found.extend(self.of_vectors(parameters, (inputs, row)));
    }

    /// The slopes in the vectors of a row's levels, from those in the units of the first layer.
    fn of_vectors<'a>(
        &'a self,
        parameters: &'a [f64],
        (inputs, row): (&'a Inputs, usize),
    ) -> impl Iterator<Item = (usize, f64)> + 'a {
        let (first, dimension) = (&self.layers[0], self.entry.dimension());
        // Nothing is looked for where no level has a vector.
        let row = (dimension > 0).then(|| inputs.row(row)).into_iter().flatten();
        let vectors = row.filter_map(|(input, value)| match self.entry.place(input) {
            Place::Plain(_) => None,
            Place::Vector { from, to } => Some((from, to, value)),
        });
        vectors.flat_map(move |(from, to, value)| {
            (0..dimension).map(move |number| {
                let weights = &parameters[first.of_input(to + number)];
                (from + number, value * product(weights, &self.slopes[0]))
            })
        })
    }

    /// The slopes in each unit, from that in the log-odds.
    fn propagate(&mut self, parameters: &[f64], slope: f64) {
        let output = self.layers.len() - 1;
        self.slopes[output][0] = slope;
        for (position, layer) in self.layers.iter().enumerate().skip(1).rev() {
            let (before, from) = self.slopes.split_at_mut(position);
            let values = before[position - 1].iter_mut().zip(&self.values[position - 1]);
            for (input, (before, value)) in values.enumerate() {
                let weights = &parameters[layer.of_input(input)];
                *before = if *value > 0.0 { product(weights, &from[0]) } else { 0.0 };
            }
        }
    }
}

/// What comes into the first layer of a row that is not zero.
fn entering<'a>(
    entry: &'a Entry,
    parameters: &'a [f64],
    inputs: &'a Inputs,
    row: usize,
) -> impl Iterator<Item = (usize, f64)> + 'a {
    inputs.row(row).flat_map(move |(input, value)| {
        let (plain, vector) = match entry.place(input) {
            Place::Plain(to) => (Some((to, value)), None),
            Place::Vector { from, to } => (None, Some((from, to))),
        };
        let numbers = vector.into_iter().flat_map(move |(from, to)| {
            (0..entry.dimension()).map(move |number| (to + number, value * parameters[from + number]))
        });
        plain.into_iter().chain(numbers)
    })
}

/// The units that are not silent.
fn active(values: &[f64]) -> impl Iterator<Item = (usize, f64)> + '_ {
    values.iter().copied().enumerate().filter(|(_, value)| *value != 0.0)
}

fn add_scaled(target: &mut [f64], factor: f64, values: &[f64]) {
    target.iter_mut().zip(values).for_each(|(target, value)| *target += factor * value);
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Standardisation;
    use crate::fixture;
    use crate::metrics::{log_loss, logistic};

    #[test]
    fn gradients_are_the_differences_of_the_loss_also_in_vectors_of_levels() {
        let table = fixture::table(40, 0.0, false, 1);
        let standardisation = Standardisation { mean: vec![50.0, 7.0], sd: vec![12.0, 2.0] };
        let rows: Vec<usize> = (0..table.rows()).collect();
        let inputs = Inputs::of(&table, &rows, &standardisation).unwrap();
        let plain = [&[][..], &[4], &[6, 3], &[3, 2, 4]].map(|hidden| (hidden, None));
        let embedded = [(&[][..], Some(2)), (&[4], Some(2)), (&[6, 3], Some(1))];
        for (hidden, embedding) in plain.into_iter().chain(embedded) {
            let entry = Entry::of(table.contract(), embedding);
            let mut rng = fixture::rng(7);
            let count = super::super::parameters(&entry, hidden).unwrap();
            let at: Vec<f64> = (0..count).map(|_| 2.0 * fixture::uniform(&mut rng) - 1.0).collect();
            let mut pass = Pass::new(entry.clone(), hidden);
            let (mut gradient, mut sparse, mut found) = (vec![0.0; count], vec![0.0; count], Vec::new());
            for &row in &rows {
                let label = f64::from(u8::from(table.labels()[row]));
                let slope = logistic(pass.forward(&at, &inputs, row)) - label;
                pass.back(&at, (&inputs, row), slope, &mut gradient);
                pass.slopes_of_log_odds(&at, (&inputs, row), &mut found);
                found.iter().for_each(|(place, value)| sparse[*place] += slope * value);
                let places: std::collections::BTreeSet<usize> =
                    found.iter().map(|(place, _)| *place).collect();
                assert_eq!(places.len(), found.len());
            }
            assert!(gradient.iter().zip(&sparse).all(|(a, b)| (a - b).abs() < 1e-10));
            let mut loss = |at: &[f64]| -> f64 {
                let of_row =
                    |&row: &usize| log_loss(logistic(pass.forward(at, &inputs, row)), table.labels()[row]);
                rows.iter().map(of_row).sum()
            };
            for (place, slope) in gradient.iter().enumerate() {
                let mut moved = |step: f64| {
                    let mut moved = at.clone();
                    moved[place] += step;
                    loss(&moved)
                };
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((slope - difference).abs() < 1e-5, "{hidden:?} {place}: {slope} {difference}");
            }
            assert!(gradient.iter().any(|slope| slope.abs() > 0.1));
            assert!(gradient[..entry.vectors()].iter().all(|slope| slope.abs() > 1e-3), "{gradient:?}");
        }
    }
}
