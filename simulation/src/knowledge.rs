//! What all reveals ever made give away together, to somebody who has the shares of the corrupted participants too.
//!
//! In a cohort every dealer i has shared its key by polynomials of degree t - 1, and a reveal of j for the set U is the
//! sum of their values at j over i in U. The corrupted know their own shares of each dealer, which leaves of each
//! polynomial t - c unknown coefficients. A combination of reveals opens the sum of keys with the weights a when for
//! each dealer it is a_i times the value at zero, whatever the polynomials are. These a form a linear space, which is
//! computed here exactly, over the field of the shares; so mixed sets, of which no single one has enough reveals, are
//! judged by what they really give.

use std::collections::{BTreeMap, BTreeSet};

use syndic_round::{Digest, ParticipantId, Protection};

use crate::field::{P, invert, raise, times};
use crate::report::Violation;

/// All reveals ever made, by cohort.
pub(crate) struct Knowledge {
    protection: Protection,
    corrupted: BTreeSet<ParticipantId>,
    cohorts: BTreeMap<Digest, Known>,
    /// The one set that was opened for each question.
    opened: BTreeMap<Digest, Set>,
}

/// What is known of one cohort.
#[derive(Default)]
struct Known {
    /// Which plan each honest dealer encrypted its update for.
    uploaded: BTreeMap<ParticipantId, Digest>,
    reveals: BTreeSet<(ParticipantId, Set)>,
    questions: BTreeSet<Digest>,
    is_open: bool,
}

/// A reveal that somebody honest made.
pub(crate) struct Revealed<'a> {
    pub(crate) by: ParticipantId,
    /// H1 of its cohort.
    pub(crate) h1: Digest,
    pub(crate) survivors: &'a [ParticipantId],
    /// Fingerprint of the question that it was for.
    pub(crate) question: Digest,
}

type Set = Vec<ParticipantId>;

impl Knowledge {
    pub(crate) fn new(protection: Protection, corrupted: BTreeSet<ParticipantId>) -> Self {
        Self { protection, corrupted, cohorts: BTreeMap::new(), opened: BTreeMap::new() }
    }

    /// From here on `id` counts as corrupted, as who restores a snapshot does.
    pub(crate) fn corrupt(&mut self, id: ParticipantId) -> Result<(), Violation> {
        self.corrupted.insert(id);
        // What it revealed follows from its shares, which are all known now.
        self.cohorts.values_mut().for_each(|known| known.reveals.retain(|(by, _)| *by != id));
        let cohorts: Vec<_> = self.cohorts.keys().copied().collect();
        cohorts.into_iter().try_for_each(|h1| self.judge(h1))
    }

    /// Whether a sum of keys was opened in the cohort `h1`.
    pub(crate) fn is_open(&self, h1: &Digest) -> bool {
        self.cohorts.get(h1).is_some_and(|known| known.is_open)
    }

    /// Somebody honest submitted an update in the cohort `h1`, for the plan with this digest.
    pub(crate) fn uploaded(&mut self, h1: Digest, by: ParticipantId, plan: Digest) {
        self.cohorts.entry(h1).or_default().uploaded.insert(by, plan);
    }

    /// How many questions were opened.
    pub(crate) fn questions_opened(&self) -> usize {
        self.opened.len()
    }

    /// Takes in a reveal, and judges what all of them give.
    pub(crate) fn revealed(&mut self, revealed: &Revealed<'_>) -> Result<(), Violation> {
        let Revealed { by, h1, survivors, question } = *revealed;
        let known = self.cohorts.entry(h1).or_default();
        known.questions.insert(question);
        if self.corrupted.contains(&by) || !known.reveals.insert((by, survivors.to_vec())) {
            return Ok(());
        }
        self.judge(h1)
    }

    /// Judges what the reveals in a cohort give.
    fn judge(&mut self, h1: Digest) -> Result<(), Violation> {
        let Some(set) = self.open(h1)? else { return Ok(()) };
        let known = self.cohorts.entry(h1).or_default();
        known.is_open = true;
        let plans: BTreeSet<_> = set.iter().filter_map(|id| known.uploaded.get(id)).collect();
        if plans.len() > 1 || known.questions.len() > 1 {
            return Err(broken("one_question_per_sum", format!("{set:?} answered {} plans", plans.len())));
        }
        let Some(question) = known.questions.first().copied() else { return Ok(()) };
        let first = self.opened.entry(question).or_insert_with(|| set.clone());
        if *first != set {
            return Err(broken("one_opening_per_question", format!("{first:?} and then {set:?}")));
        }
        Ok(())
    }

    /// The one set whose keys' sum the reveals in this cohort open, if they open any.
    fn open(&self, h1: Digest) -> Result<Option<Set>, Violation> {
        let broken = |detail| Err(broken("nothing_beyond_one_sum", detail));
        let reveals: Vec<_> = self.cohorts[&h1].reveals.iter().collect();
        let honest = |id: &&ParticipantId| !self.corrupted.contains(id);
        let dealers: BTreeSet<_> =
            reveals.iter().flat_map(|(_, set)| set.iter().filter(honest)).copied().collect();
        let dealers: Vec<_> = dealers.into_iter().collect();
        let unknown = usize::from(self.protection.threshold()).saturating_sub(self.corrupted.len());
        let weights = opened_weights(&reveals, &dealers, unknown);
        let [weights] = weights.as_slice() else {
            return if weights.is_empty() {
                Ok(None)
            } else {
                broken(format!("{} sums of keys", weights.len()))
            };
        };
        let is_of = |set: &Set| {
            let scale = weights.iter().find(|w| **w != 0).copied().unwrap_or(0);
            dealers.iter().zip(weights).all(|(id, w)| *w == if set.contains(id) { scale } else { 0 })
        };
        match reveals.iter().map(|(_, set)| set).find(|set| is_of(set)) {
            Some(set) if set.len() < usize::from(self.protection.min_survivors()) => {
                broken(format!("the sum of only {set:?}"))
            }
            Some(set) => Ok(Some(set.clone())),
            None => broken(format!("a combination of {dealers:?} that nobody certified")),
        }
    }
}

fn broken(invariant: &'static str, detail: String) -> Violation {
    Violation { invariant, detail }
}

/// A basis of the weights, one for each dealer, with which combinations of these reveals sum up the dealers' keys, where
/// of each dealer's polynomials this many coefficients are unknown.
fn opened_weights(
    reveals: &[&(ParticipantId, Set)],
    dealers: &[ParticipantId],
    unknown: usize,
) -> Vec<Vec<u64>> {
    // One equation for each dealer and power of x: the combined powers are the weight where the power is zero, and
    // nothing elsewhere. Columns: reveals, then dealers.
    let mut rows = Vec::with_capacity(dealers.len() * unknown);
    for (position, dealer) in dealers.iter().enumerate() {
        for power in 0..unknown {
            let mut row: Vec<u64> = reveals
                .iter()
                .map(|(by, set)| if set.contains(dealer) { raise(by.get().into(), power) } else { 0 })
                .collect();
            row.resize(reveals.len() + dealers.len(), 0);
            if power == 0 {
                row[reveals.len() + position] = P - 1;
            }
            rows.push(row);
        }
    }
    let weights = kernel(rows, reveals.len() + dealers.len()).into_iter();
    let weights: Vec<_> = weights.map(|vector| vector[reveals.len()..].to_vec()).collect();
    let mut reduced = weights;
    let pivots = reduce(&mut reduced);
    reduced.truncate(pivots.len());
    reduced
}

/// A basis of the vectors that all `rows` are orthogonal to.
fn kernel(mut rows: Vec<Vec<u64>>, width: usize) -> Vec<Vec<u64>> {
    let pivots = reduce(&mut rows);
    let free = (0..width).filter(|column| !pivots.contains(column));
    free.map(|column| {
        let mut vector = vec![0; width];
        vector[column] = 1;
        for (row, pivot) in rows.iter().zip(&pivots) {
            vector[*pivot] = (P - row[column]) % P;
        }
        vector
    })
    .collect()
}

/// Brings `rows` into reduced echelon form; the columns of the leading ones.
fn reduce(rows: &mut [Vec<u64>]) -> Vec<usize> {
    let mut pivots = Vec::new();
    let width = rows.first().map_or(0, Vec::len);
    for column in 0..width {
        let rank = pivots.len();
        let Some(found) = (rank..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
        rows.swap(rank, found);
        let inverse = invert(rows[rank][column]);
        rows[rank].iter_mut().for_each(|value| *value = times(*value, inverse));
        let pivot = rows[rank].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(k, row)| *k != rank && row[column] != 0) {
            let factor = P - row[column];
            row.iter_mut().zip(&pivot).for_each(|(value, p)| *value = (*value + times(factor, *p)) % P);
        }
        pivots.push(column);
    }
    pivots
}

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_round::ParameterSet;

    fn ids(numbers: &[u16]) -> Vec<ParticipantId> {
        numbers.iter().map(|number| ParticipantId::new(*number).unwrap()).collect()
    }

    /// What breaks when these honest participants of a cohort of five (t = 4, c = 2, the corrupted are 4 and 5) reveal.
    fn verdict(reveals: &[(u16, &[u16], &str)]) -> &'static str {
        let protection = Protection::default_for(ParameterSet::S32, 5).unwrap();
        let mut knowledge = Knowledge::new(protection, ids(&[4, 5]).into_iter().collect());
        for (by, set, cohort) in reveals {
            let revealed = Revealed {
                by: ids(&[*by])[0],
                h1: Digest::of(cohort.as_bytes()),
                survivors: &ids(set),
                question: Digest::of(b"the question"),
            };
            if let Err(violation) = knowledge.revealed(&revealed) {
                return violation.invariant;
            }
        }
        if knowledge.questions_opened() == 0 { "closed" } else { "opened" }
    }

    const ALL: &[u16] = &[1, 2, 3, 4, 5];

    #[test]
    fn one_set_is_opened_by_as_many_reveals_as_the_colluders_lack() {
        assert_eq!(verdict(&[(1, ALL, "a")]), "closed");
        assert_eq!(verdict(&[(1, ALL, "a"), (2, ALL, "a")]), "opened");
        assert_eq!(verdict(&[(1, ALL, "a"), (2, ALL, "a"), (3, ALL, "a")]), "opened");
    }

    #[test]
    fn a23_reveals_for_mixed_sets_open_an_individual() {
        // Two for each of two sets that differ by one participant: each opens, and their difference is a key.
        let mixed: [(u16, &[u16], &str); 4] =
            [(1, ALL, "a"), (2, ALL, "a"), (1, &[1, 2, 4, 5], "a"), (3, &[1, 2, 4, 5], "a")];
        assert_eq!(verdict(&mixed), "nothing_beyond_one_sum");
        // No set has enough reveals, but for the dealers in both there are enough: participant 1's key is open.
        let overlapping: [(u16, &[u16], &str); 2] = [(1, &[1, 2, 4, 5], "a"), (2, &[1, 3, 4, 5], "a")];
        assert_eq!(verdict(&overlapping), "closed", "what is left of 2 and 3 hides it");
        let twice: [(u16, &[u16], &str); 4] = [
            (1, &[1, 2, 4, 5], "a"),
            (2, &[1, 2, 4, 5], "a"),
            (2, &[1, 3, 4, 5], "a"),
            (3, &[1, 3, 4, 5], "a"),
        ];
        assert_eq!(verdict(&twice), "nothing_beyond_one_sum");
    }

    #[test]
    fn small_sets_and_second_cohorts_of_a_question_are_seen() {
        assert_eq!(verdict(&[(1, &[1, 4, 5], "a"), (2, &[1, 4, 5], "a")]), "nothing_beyond_one_sum");
        let cohorts: [(u16, &[u16], &str); 4] =
            [(1, ALL, "a"), (2, ALL, "a"), (1, &[1, 2, 3, 5], "b"), (3, &[1, 2, 3, 5], "b")];
        assert_eq!(verdict(&cohorts), "one_opening_per_question");
        let halves: [(u16, &[u16], &str); 2] = [(1, ALL, "a"), (2, &[1, 2, 3, 5], "b")];
        assert_eq!(verdict(&halves), "closed", "one reveal in each of two cohorts opens nothing");
    }

    #[test]
    fn updates_for_different_plans_in_one_sum_are_seen() {
        let protection = Protection::default_for(ParameterSet::S32, 5).unwrap();
        let mut knowledge = Knowledge::new(protection, ids(&[4, 5]).into_iter().collect());
        let (h1, question) = (Digest::of(b"a"), Digest::of(b"the question"));
        for number in [1, 2, 3] {
            let plan = Digest::of(if number == 3 { b"another" } else { b"the one" });
            knowledge.uploaded(h1, ids(&[number])[0], plan);
        }
        let survivors = &ids(ALL);
        let mut reveal = |by| knowledge.revealed(&Revealed { by: ids(&[by])[0], h1, survivors, question });
        assert_eq!(reveal(1), Ok(()));
        assert_eq!(reveal(2).unwrap_err().invariant, "one_question_per_sum");
    }
}
