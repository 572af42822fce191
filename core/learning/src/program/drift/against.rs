//! Rows of later years against the rows that a released model was trained on, as its card has them: what one institution
//! finds out for itself, without a round.

use super::figures::{Bin, DriftFigures, Shift, ks};
use crate::contract::{ColumnKind, Contract};
use crate::model::{ModelCard, ModelError};
use crate::table::{Table, Values, is_missing};

/// Rows that are counted in the bins of a card, a batch at a time.
pub struct Compared<'c> {
    contract: &'c Contract,
    figures: &'c DriftFigures,
    rows: u64,
    score: Vec<u64>,
    columns: Vec<Vec<u64>>,
}

impl<'c> Compared<'c> {
    /// Of no row yet; none where the job of the model compared nothing.
    pub fn with(card: &'c ModelCard) -> Option<Self> {
        Some(Self::of(&card.contract, card.drift.as_ref()?))
    }

    /// Of no row yet, in the bins of these figures.
    pub(super) fn of(contract: &'c Contract, figures: &'c DriftFigures) -> Self {
        let empty = |shift: &Shift| vec![0; shift.bins.len()];
        let columns = figures.columns.iter().map(empty).collect();
        Self { contract, figures, rows: 0, score: empty(&figures.score), columns }
    }

    /// Counts all rows of a table, and their scores.
    ///
    /// # Errors
    /// [`ModelError::Contract`] where the table keeps another contract.
    pub fn add(&mut self, table: &Table, scores: &[f64]) -> Result<(), ModelError> {
        self.add_rows(table, &(0..table.rows()).collect::<Vec<_>>(), scores)
    }

    /// Counts these rows of a table, and their scores.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn add_rows(
        &mut self,
        table: &Table,
        rows: &[usize],
        scores: &[f64],
    ) -> Result<(), ModelError> {
        let contract = self.contract;
        if table.contract() != contract {
            return Err(ModelError::Contract { expected: contract.id(), found: table.contract().id() });
        }
        self.rows += rows.len() as u64;
        let bins = &self.figures.score.bins;
        scores.iter().for_each(|&score| count(&mut self.score, ordered(bins, |edge| edge <= score)));
        for (shift, counts) in self.figures.columns.iter().zip(&mut self.columns) {
            let named = contract.columns.iter().zip(table.columns());
            let Some((column, values)) = named.into_iter().find(|(column, _)| column.name == shift.name)
            else {
                continue;
            };
            match (&column.kind, values) {
                (ColumnKind::Numeric { transform, .. }, Values::Numeric(values)) => {
                    // The table's values are transformed, which keeps their order.
                    let of = |value: f64| match is_missing(value) {
                        true => of_missing(&shift.bins),
                        false => ordered(&shift.bins, |edge| transform.apply(edge) <= value),
                    };
                    rows.iter().for_each(|&row| count(counts, of(values[row])));
                }
                (ColumnKind::Categorical { levels }, Values::Categorical(values)) => {
                    let of_levels = levels.iter().map(|level| with_level(&shift.bins, level));
                    let of_level: Vec<usize> = of_levels.chain([of_missing(&shift.bins)]).collect();
                    rows.iter().for_each(|&row| count(counts, of_level[usize::from(values[row])]));
                }
                // A table's values are of the kinds of its contract.
                _ => {}
            }
        }
        Ok(())
    }

    /// The figures. Nothing is left out: the rows are those of whoever counts them. As no more is known of the rows that the
    /// model was trained on than their bins, KS is taken at the ends of these, and may be less than it is; of one bin
    /// nothing is known.
    pub fn finish(self) -> DriftFigures {
        found(self.figures, self.rows, &self.score, &self.columns)
    }

    /// The rows in each bin: of the columns one after the other, and of the scores.
    pub(super) fn counts(&self) -> (impl Iterator<Item = u64> + '_, &[u64]) {
        (self.columns.iter().flatten().copied(), &self.score)
    }
}

/// What `rows` rows come to that are in these bins of `figures`. Nothing is left out.
pub(super) fn found(figures: &DriftFigures, rows: u64, score: &[u64], columns: &[Vec<u64>]) -> DriftFigures {
    let compared = |shift: &Shift, current: &[u64]| {
        let reference: Vec<u64> = shift.bins.iter().map(|bin| bin.reference).collect();
        let present = shift.present();
        let is_ordered = present > 1 && shift.bins.iter().all(|bin| bin.levels.is_empty());
        let fresh = Shift { standing: None, psi: None, psi_by_chance: None, ks: None, ..shift.clone() };
        fresh.with(figures, current, is_ordered.then(|| ks(&reference[..present], &current[..present])))
    };
    DriftFigures {
        current_rows: rows,
        columns: figures.columns.iter().zip(columns).map(|(shift, counts)| compared(shift, counts)).collect(),
        score: compared(&figures.score, score),
        ..figures.clone()
    }
}

/// The bin whose edges are passed; the last of them has none.
fn ordered(bins: &[Bin], is_passed: impl Fn(f64) -> bool) -> usize {
    bins.partition_point(|bin| bin.below.is_some_and(&is_passed))
}

fn with_level(bins: &[Bin], level: &String) -> usize {
    bins.iter().position(|bin| bin.levels.contains(level)).unwrap_or(0)
}

/// The bin of missing values, which is the last; only a nullable column has some.
fn of_missing(bins: &[Bin]) -> usize {
    bins.len().saturating_sub(1)
}

fn count(counts: &mut [u64], bin: usize) {
    if let Some(count) = counts.get_mut(bin) {
        *count += 1;
    }
}
