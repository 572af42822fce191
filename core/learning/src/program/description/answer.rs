//! The participant half: what each row adds, and the sum over all rows of a table, with noise where the question asks for it.

use rand_core::CryptoRng;

use super::shape::{Places, Shape};
use crate::contract::{Column, ColumnKind};
use crate::privacy::noise::IntegerNoise;
use crate::scorecard::CELLS;
use crate::scorecard::coding::CellRange;
use crate::table::{Table, Values, is_missing};

/// The rows of a table as they are counted and summed.
pub(super) struct Rows<'t> {
    table: &'t Table,
    places: Places,
    columns: Vec<OfColumn<'t>>,
    shape: &'t Shape<'t>,
}

struct OfColumn<'t> {
    values: &'t Values,
    /// Where its cells begin among those of its class.
    first: usize,
    /// Of numbers.
    numbers: Option<Scaled>,
}

/// How a column of numbers is cut into cells, and scaled to [-1, 1].
#[derive(Clone, Copy)]
struct Scaled {
    range: CellRange,
    /// Of the finest cells, how many make one.
    joined: usize,
    cells: usize,
    centre: f64,
    half: f64,
}

impl<'t> Rows<'t> {
    pub(super) fn of(table: &'t Table, shape: &'t Shape<'t>) -> Self {
        let mut first = 0;
        let of_column = |(column, width): (&&'t Column, u32)| {
            let position = table.contract().columns.iter().position(|one| one.name == column.name);
            let values = position.map(|position| &table.columns()[position]);
            let of =
                values.map(|values| OfColumn { values, first, numbers: Scaled::of(column, shape.cells) });
            first += width as usize;
            of
        };
        let columns = shape.columns.iter().zip(shape.widths()).filter_map(of_column).collect();
        Self { table, places: shape.places(), columns, shape }
    }

    /// Tells `add` to which sums one row adds, and how much: between -1 and 1.
    pub(super) fn told(&self, row: usize, numbers: &mut Vec<Option<f64>>, mut add: impl FnMut(usize, f64)) {
        let class = usize::from(self.table.labels()[row]);
        let places = &self.places;
        add(places.rows + class, 1.0);
        numbers.clear();
        for column in &self.columns {
            let cell = match (column.values, &column.numbers) {
                (Values::Categorical(values), _) => usize::from(values[row]),
                (Values::Numeric(values), Some(scaled)) => {
                    let value = values[row];
                    let is_there = !is_missing(value);
                    numbers.push(is_there.then(|| ((value - scaled.centre) / scaled.half).clamp(-1.0, 1.0)));
                    if is_there { scaled.range.cell_of(value) / scaled.joined } else { scaled.cells }
                }
                // A table's values are of the kinds of its contract.
                (Values::Numeric(_), None) => continue,
            };
            add(places.cells[class] + column.first + cell, 1.0);
        }
        for (position, number) in numbers.iter().enumerate() {
            if let Some(number) = *number {
                add(places.sums + position, number);
                add(places.squares + position, number * number);
            }
        }
        let mut gap = 0;
        for (position, pair) in self.shape.pairs.iter().enumerate() {
            if let (Some(a), Some(b)) = (numbers[pair.a], numbers[pair.b]) {
                add(places.products + position, a * b);
                if pair.has_gaps {
                    add(places.pair_rows + gap, 1.0);
                    for (side, value) in [a, b].into_iter().enumerate() {
                        add(places.pair_sums + 2 * gap + side, value);
                        add(places.pair_squares + 2 * gap + side, value * value);
                    }
                }
            }
            gap += usize::from(pair.has_gaps);
        }
    }

    /// The sums over all rows.
    pub(super) fn summed(&self) -> Vec<f64> {
        let (mut sums, mut numbers) = (vec![0.0; self.places.end], Vec::new());
        for row in 0..self.table.rows() {
            self.told(row, &mut numbers, |place, value| sums[place] += value);
        }
        sums
    }

    /// The same in whole steps, `ROW` of them where a row adds one, with noise in every sum.
    pub(super) fn noised(&self, noise: IntegerNoise, rng: &mut impl CryptoRng) -> Vec<f64> {
        let (mut sums, mut numbers) = (vec![0_i64; self.places.end], Vec::new());
        for row in 0..self.table.rows() {
            self.told(row, &mut numbers, |place, value| {
                sums[place] = sums[place].saturating_add(steps(value))
            });
        }
        sums.into_iter().map(|sum| sum.saturating_add(noise.draw(rng)) as f64).collect()
    }
}

impl Scaled {
    fn of(column: &Column, cells: u32) -> Option<Self> {
        let ColumnKind::Numeric { transform, min, max } = column.kind else { return None };
        let (centre, half) = transform.centre_and_half_range(min, max);
        let cells = cells as usize;
        Some(Self { range: CellRange::of(transform, min, max), joined: CELLS / cells, cells, centre, half })
    }
}

/// What a row adds in whole steps, never more than `ROW` of them: to the nearest, so that sums are not shifted.
pub(super) fn steps(value: f64) -> i64 {
    (libm::round(value * ROW as f64) as i64).clamp(-ROW, ROW)
}

/// What a row adds to a count, in steps, and the most that it adds to any sum.
pub(super) const ROW: i64 = 1 << 12;
