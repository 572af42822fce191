//! How many rows each customer of an institution has, while its table is read.
//!
//! What is counted is one customer: noise for customers is as wide as the most rows of one need, and a customer's row on
//! either side of a split would be in two sums in the place of one. So no customer has more rows than the contract says, and
//! all of them have one role. Of what stands in the column only half a digest is held, until the table is read.

use std::collections::BTreeMap;

use syndic_round::Digest;

use crate::cell::Cell;
use crate::data_report::DataRule;
use crate::table::Role;

/// The customers of the rows so far.
#[derive(Default)]
pub(crate) struct Customers {
    seen: BTreeMap<Key, Seen>,
}

/// Half of SHA-256 of what names a customer: for a billion customers, two have the same with a probability of 2^-69, and are
/// then one to the rules, which refuses a table and never lets one pass.
type Key = [u8; 16];

#[derive(Clone, Copy)]
struct Seen {
    rows: u32,
    role: Role,
}

impl Customers {
    /// Counts a row of the customer that `cell` names.
    ///
    /// # Errors
    /// [`DataRule::NoCustomer`], [`DataRule::CustomerRepeated`] where the customer has more than `most` rows, and
    /// [`DataRule::CustomerDivided`] where an earlier one is for something else.
    pub(crate) fn count(&mut self, cell: Cell<'_>, role: Role, most: u32) -> Result<(), DataRule> {
        let key = key(cell).ok_or(DataRule::NoCustomer)?;
        let seen = self.seen.entry(key).or_insert(Seen { rows: 0, role });
        seen.rows = seen.rows.saturating_add(1);
        if seen.role != role {
            Err(DataRule::CustomerDivided)
        } else if seen.rows > most {
            Err(DataRule::CustomerRepeated)
        } else {
            Ok(())
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Bytes that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        // Nodes of a B-tree are two thirds full in the mean.
        self.seen.len() * size_of::<(Key, Seen)>() * 3 / 2
    }
}

/// What tells a customer from others; none where the cell names nobody. A number with a fraction, or one that floats do not
/// tell from its neighbours, is no name.
fn key(cell: Cell<'_>) -> Option<Key> {
    let cell = match cell.trimmed() {
        Cell::Empty | Cell::Truth(_) => return None,
        Cell::Number(number) => {
            let is_whole = libm::trunc(number) == number && number.abs() < LARGEST_WHOLE;
            Cell::Integer(is_whole.then_some(number as i64)?)
        }
        other => other,
    };
    let digest = Digest::of(cell.text().as_bytes());
    digest.0.first_chunk().copied()
}

/// 2^53: below it every whole number is a float of its own.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_the_same_whatever_the_type_of_the_column() {
        let mut customers = Customers::default();
        for cell in [Cell::Text(" 4711 "), Cell::Integer(4711), Cell::Number(4711.0)] {
            assert_eq!(customers.count(cell, Role::Train, 3), Ok(()));
        }
        assert_eq!(customers.len(), 1);
        assert_eq!(customers.count(Cell::Integer(4711), Role::Train, 3), Err(DataRule::CustomerRepeated));
        assert_eq!(customers.count(Cell::Text("4711a"), Role::Train, 3), Ok(()));
        assert_eq!(customers.len(), 2);
        assert_eq!(key(Cell::Number(-0.0)), key(Cell::Number(0.0)));
    }

    #[test]
    fn rows_of_one_customer_are_for_one_thing() {
        let mut customers = Customers::default();
        assert_eq!(customers.count(Cell::Text("a"), Role::Test, 9), Ok(()));
        assert_eq!(customers.count(Cell::Text("a"), Role::Train, 9), Err(DataRule::CustomerDivided));
        assert_eq!(customers.count(Cell::Text("a"), Role::Test, 9), Ok(()));
    }

    #[test]
    fn what_names_nobody_is_told_from_a_name() {
        let nobody = [
            Cell::Empty,
            Cell::Text("  "),
            Cell::Truth(true),
            Cell::Number(0.5),
            Cell::Number(f64::NAN),
            Cell::Number(f64::INFINITY),
            Cell::Number(9_007_199_254_740_992.0),
        ];
        for cell in nobody {
            assert_eq!(Customers::default().count(cell, Role::Train, 1), Err(DataRule::NoCustomer));
        }
    }
}
