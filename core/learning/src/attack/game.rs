//! The rows that are played with, and who is in.

use std::ops::Range;
use std::sync::Arc;

use rand_core::Rng;

use super::AttackError;
use crate::column::{Column, Value};
use crate::contract::Contract;
use crate::encode::{Inputs, Standardisation};
use crate::metrics::log_loss;
use crate::model::{Model, Scoring as _};
use crate::table::{Role, Table, Values};

/// The training rows of all institutions: those that a game takes or leaves.
pub struct Game {
    tables: Vec<Arc<Table>>,
    /// For each institution the positions of its training rows.
    candidates: Vec<Vec<usize>>,
}

/// What became of all games: what the adversary sees of the models.
pub struct Played {
    /// For each game what its model says of every row: the probability that it is positive.
    pub probabilities: Vec<Vec<f64>>,
    /// For each game which rows were in.
    pub members: Vec<Vec<bool>>,
    /// The labels of the rows.
    pub labels: Vec<bool>,
}

impl Game {
    /// With the training rows of these tables, one an institution.
    pub fn new(tables: Vec<Arc<Table>>) -> Self {
        let candidates = tables.iter().map(|table| table.rows_for(Role::Train)).collect();
        Self { tables, candidates }
    }

    /// Rows that are played with.
    pub fn rows(&self) -> usize {
        self.candidates.iter().map(Vec::len).sum()
    }

    /// Institutions.
    pub fn institutions(&self) -> usize {
        self.tables.len()
    }

    /// Which of the rows are an institution's.
    pub fn of(&self, institution: usize) -> Range<usize> {
        let from = self.candidates[..institution].iter().map(Vec::len).sum::<usize>();
        from..from + self.candidates[institution].len()
    }

    /// The institution with the fewest rows: its update says most of each.
    pub fn smallest(&self) -> usize {
        let rows = |institution: &usize| self.candidates[*institution].len();
        (0..self.tables.len()).min_by_key(rows).unwrap_or(0)
    }

    /// The labels of the rows.
    pub fn labels(&self) -> Vec<bool> {
        let of_table = |(table, rows): (&Arc<Table>, &Vec<usize>)| {
            rows.iter().map(|&row| table.labels()[row]).collect::<Vec<_>>()
        };
        self.tables.iter().zip(&self.candidates).flat_map(of_table).collect()
    }

    /// A coin for each row, by itself: differential privacy bounds what becomes of one row whatever the others are.
    pub fn toss(&self, rng: &mut impl Rng) -> Vec<bool> {
        (0..self.rows()).map(|_| rng.next_u32() >> 31 == 1).collect()
    }

    /// The tables of a game: the training rows that are in, and the validation rows.
    pub fn tables(&self, members: &[bool]) -> Vec<Arc<Table>> {
        let of = |institution: usize| {
            let table = &self.tables[institution];
            let chosen = self.candidates[institution].iter().zip(&members[self.of(institution)]);
            let mut rows: Vec<usize> = chosen.filter_map(|(&row, &member)| member.then_some(row)).collect();
            rows.extend(table.rows_for(Role::Validation));
            Arc::new(part(table, &rows))
        };
        (0..self.institutions()).map(of).collect()
    }

    /// All training rows of an institution and nothing else.
    pub fn all_of(&self, institution: usize) -> Table {
        part(&self.tables[institution], &self.candidates[institution])
    }

    /// A table of one institution's rows, named by their places among all.
    pub fn table_of(&self, institution: usize, rows: &[usize]) -> Table {
        let from = self.of(institution).start;
        let places: Vec<usize> = rows.iter().map(|row| self.candidates[institution][row - from]).collect();
        part(&self.tables[institution], &places)
    }

    /// What the rows are under.
    pub(super) fn contract(&self) -> &Contract {
        self.tables[0].contract()
    }

    /// The inputs of all rows.
    pub(super) fn everything(&self, standardisation: &Standardisation) -> Result<Inputs, AttackError> {
        let all: Vec<_> =
            self.tables.iter().zip(&self.candidates).map(|(table, rows)| (&**table, rows.clone())).collect();
        Ok(Inputs::joined(&all, standardisation)?)
    }

    /// Whose a row is.
    pub fn institution_of(&self, row: usize) -> usize {
        (0..self.institutions()).find(|&institution| self.of(institution).contains(&row)).unwrap_or(0)
    }

    /// What a model says of every row: the probability that it is positive.
    ///
    /// # Errors
    /// When it does not fit the tables.
    pub fn probabilities(&self, model: &Model) -> Result<Vec<f64>, AttackError> {
        let mut probabilities = Vec::with_capacity(self.rows());
        for (table, rows) in self.tables.iter().zip(&self.candidates) {
            probabilities.extend(model.score_rows(table, rows)?);
        }
        Ok(probabilities)
    }
}

impl Played {
    /// Games.
    pub fn games(&self) -> usize {
        self.probabilities.len()
    }

    /// Rows of each.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// How sure a game's model is of a row's label, in log-odds.
    pub(super) fn confidence(&self, game: usize, row: usize) -> f64 {
        let (probability, label) = (self.probabilities[game][row], self.labels[row]);
        // Both losses are bounded, so that a model that is certain stays comparable.
        log_loss(probability, !label) - log_loss(probability, label)
    }
}

/// Some rows of a table, in the order in which they are named.
fn part(table: &Table, rows: &[usize]) -> Table {
    fn taken<T: Value>(values: &Column<T>, rows: &[usize]) -> Column<T> {
        rows.iter().map(|&row| values[row]).collect()
    }
    let column = |values: &Values| match values {
        Values::Numeric(values) => Values::Numeric(taken(values, rows)),
        Values::Categorical(values) => Values::Categorical(taken(values, rows)),
    };
    Table {
        contract: table.contract.clone(),
        columns: table.columns.iter().map(column).collect(),
        labels: rows.iter().map(|&row| table.labels[row]).collect(),
        roles: rows.iter().map(|&row| table.roles[row]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn game() -> Game {
        Game::new([7_u64, 8].map(|seed| Arc::new(fixture::table(100 * seed, 0.0, true, seed))).to_vec())
    }

    #[test]
    fn a_game_has_the_training_rows_that_are_in_and_all_validation_rows() {
        let game = game();
        let members = game.toss(&mut fixture::rng(1));
        let tables = game.tables(&members);
        for (institution, table) in tables.iter().enumerate() {
            let range = game.of(institution);
            let tossed = members[range.clone()].iter().filter(|&&member| member).count() as u64;
            assert_eq!(table.count(Role::Train).0, tossed);
            assert!((0.4..0.6).contains(&(tossed as f64 / range.len() as f64)));
            assert_eq!(table.count(Role::Validation), game.tables[institution].count(Role::Validation));
            assert_eq!(table.count(Role::Test).0, 0);
        }
    }

    #[test]
    fn rows_keep_their_values_and_labels_wherever_they_are_taken() {
        let game = game();
        let labels = game.labels();
        assert_eq!((game.rows(), labels.len(), game.smallest()), (900, 900, 0));
        for row in [0, 419, 420, 899] {
            let institution = game.institution_of(row);
            let one = game.table_of(institution, &[row]);
            assert_eq!((one.rows(), one.labels()[0]), (1, labels[row]));
            let place = game.candidates[institution][row - game.of(institution).start];
            let all = &game.tables[institution];
            for (mine, theirs) in one.columns().iter().zip(all.columns()) {
                match (mine, theirs) {
                    (Values::Numeric(mine), Values::Numeric(theirs)) => assert_eq!(mine[0], theirs[place]),
                    (Values::Categorical(mine), Values::Categorical(theirs)) => {
                        assert_eq!(mine[0], theirs[place]);
                    }
                    _ => panic!("a column changed its kind"),
                }
            }
        }
    }
}
