//! The participant half: mini-batch descent on an institution's own rows.

use rand_core::Rng;

use super::question::NetworkQuestion;
use super::terms::ClassWeights;
use crate::encode::Inputs;
use crate::metrics::logistic;
use crate::network::entry::Entry;
use crate::network::pass::Pass;
use crate::network::{Layer, layers};
use crate::optimiser::{Stepper, fed_prox, scaffold};
use crate::program::logistic_regression::{LocalTraining, shuffle};

/// The change of each parameter in local training, and where the question has control variates the institution's new one.
pub(super) fn answer(
    question: &NetworkQuestion,
    entry: Entry,
    (inputs, labels): (&Inputs, &[bool]),
    rng: &mut impl Rng,
) -> Vec<f64> {
    let start = &question.network.parameters;
    let class_weights = ClassWeights::of(question.class_weights, question.training);
    let mut descent = Descent::new((entry, &question.network.hidden), (inputs, labels), class_weights);
    let control = question.control.as_ref();
    let correction = control
        .filter(|control| !control.is_empty())
        .map(|control| scaffold::correction(&control.common, &descent.slope(&control.at)));
    let towards = Towards { proximal: question.proximal, common: start, correction: correction.as_deref() };
    let mut stepper = Stepper::new(question.steps, start.len());
    let mut model = start.clone();
    for _ in 0..question.local.epochs {
        descent.epoch(&mut model, &question.local, &towards, &mut stepper, rng);
    }
    let mut answer: Vec<f64> = model.iter().zip(start).map(|(after, before)| after - before).collect();
    if control.is_some() {
        answer.extend(descent.slope(start));
    }
    answer
}

/// What holds local models together.
pub(super) struct Towards<'a> {
    pub(super) proximal: Option<f64>,
    pub(super) common: &'a [f64],
    pub(super) correction: Option<&'a [f64]>,
}

/// Rows, and room for their gradients.
pub(super) struct Descent<'a> {
    inputs: &'a Inputs,
    labels: &'a [bool],
    class_weights: [f64; 2],
    layers: Vec<Layer>,
    /// Parameters of the vectors of levels, which come first.
    vectors: usize,
    pass: Pass,
    order: Vec<usize>,
    gradient: Vec<f64>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(
        (entry, hidden): (Entry, &[u32]),
        (inputs, labels): (&'a Inputs, &'a [bool]),
        class_weights: [f64; 2],
    ) -> Self {
        let layers = layers(&entry, hidden);
        let parameters = layers.last().map_or(0, |output| output.biases().end);
        Self {
            inputs,
            labels,
            class_weights,
            layers,
            vectors: entry.vectors(),
            pass: Pass::new(entry, hidden),
            order: (0..inputs.rows()).collect(),
            gradient: vec![0.0; parameters],
        }
    }

    /// One pass over the rows, in a new order.
    pub(super) fn epoch(
        &mut self,
        model: &mut [f64],
        local: &LocalTraining,
        towards: &Towards<'_>,
        stepper: &mut Stepper,
        rng: &mut impl Rng,
    ) {
        let mut order = std::mem::take(&mut self.order);
        shuffle(&mut order, rng);
        for batch in order.chunks(local.batch_size as usize) {
            self.mean_slope(batch, model);
            for weights in self.layers.iter().map(Layer::weights).chain(std::iter::once(0..self.vectors)) {
                let places = self.gradient[weights.clone()].iter_mut().zip(&model[weights]);
                places.for_each(|(slope, weight)| *slope += local.l2 * weight);
            }
            if let Some(proximal) = towards.proximal {
                fed_prox::draw(proximal, model, towards.common, &mut self.gradient);
            }
            if let Some(correction) = towards.correction {
                self.gradient.iter_mut().zip(correction).for_each(|(slope, change)| *slope += change);
            }
            stepper.step(model, &self.gradient, local.learning_rate);
        }
        self.order = order;
    }

    /// The gradient of the mean loss of all rows, without the penalty; zero where there are none.
    pub(super) fn slope(&mut self, model: &[f64]) -> Vec<f64> {
        let rows: Vec<usize> = (0..self.inputs.rows()).collect();
        self.mean_slope(&rows, model);
        self.gradient.clone()
    }

    fn mean_slope(&mut self, rows: &[usize], model: &[f64]) {
        self.gradient.fill(0.0);
        let share = 1.0 / rows.len().max(1) as f64;
        for &row in rows {
            let label = usize::from(self.labels[row]);
            let distance = logistic(self.pass.forward(model, self.inputs, row)) - label as f64;
            let slope = share * self.class_weights[label] * distance;
            self.pass.back(model, (self.inputs, row), slope, &mut self.gradient);
        }
    }
}
