//! Raw rows as they come into a graph, checked against the contract.
//!
//! A row that breaks the contract gets NaN, from wherever it breaks it to the score: a graph cannot refuse a row, and a
//! number would be one that nobody stands for. NaN comes in as a missing value of a nullable column of numbers, and the empty
//! text as one of a nullable column of levels; anywhere else both break the contract. A text that is no level breaks it too, but in a
//! column that counts all that is not listed as one level.

use super::graph::{Graph, integer, texts};
use super::proto::element;
use crate::contract::{ColumnKind, Contract, Transform};
use crate::encode::Standardisation;

/// The columns of a contract as values of a graph.
pub(super) struct Rows<'a> {
    contract: &'a Contract,
    /// N x number of numeric columns, as they came; none where there is no such column.
    pub(super) numbers: Option<String>,
    /// For each number, whether it is in its range, or missing where it may be.
    in_range: Option<String>,
    /// For each number, whether it is missing; none where no column of numbers is nullable.
    missing: Option<String>,
    /// For each categorical column N positions of its values; behind their end for a text that is no level.
    pub(super) levels: Vec<String>,
}

impl<'a> Rows<'a> {
    /// Adds an input for each column: N x 1 doubles for numbers, N x 1 texts for levels.
    pub(super) fn enter(graph: &mut Graph, contract: &'a Contract) -> Self {
        for column in &contract.columns {
            let element = match column.kind {
                ColumnKind::Numeric { .. } => element::DOUBLE,
                ColumnKind::Categorical { .. } => element::STRING,
            };
            graph.input(&column.name, element);
        }
        let (mut numbers, mut levels) = (Vec::new(), Vec::new());
        for column in &contract.columns {
            match &column.kind {
                ColumnKind::Numeric { .. } => numbers.push(column.name.clone()),
                ColumnKind::Categorical { levels: known } => {
                    // Behind the levels stands what is missing, or what is none where nothing may be missing. Any text is a level
                    // where all that are not listed are one, the last, but for the empty text.
                    let empty = (column.nullable || column.other).then_some("");
                    let unlisted = if column.other {
                        known.len().saturating_sub(1)
                    } else {
                        known.len() + usize::from(column.nullable)
                    };
                    let known: Vec<&str> = known.iter().map(String::as_str).chain(empty).collect();
                    let positions = (0..known.len() as i64).collect();
                    let encode = vec![
                        texts("keys_strings", known.iter().copied()),
                        super::graph::integers("values_int64s", positions),
                        integer("default_int64", unlisted as i64),
                    ];
                    let encoded = graph.ml_step("LabelEncoder", &column.name, encode);
                    let flat = graph.integers(&[-1]);
                    levels.push(graph.step("Reshape", &[&encoded, &flat]));
                }
            }
        }
        let numbers = (!numbers.is_empty()).then(|| graph.beside(&numbers));
        let nullable: Vec<bool> = contract.nullable_numbers().collect();
        let missing = numbers.as_ref().filter(|_| nullable.contains(&true)).map(|numbers| {
            let nullable = graph.truths(&[1, nullable.len()], &nullable);
            let missing = graph.step("IsNaN", &[numbers]);
            graph.step("And", &[&missing, &nullable])
        });
        let in_range = numbers.as_ref().map(|numbers| {
            let (low, high): (Vec<f64>, Vec<f64>) =
                contract.numeric().map(|(_, min, max)| (min, max)).unzip();
            let (low, high) = (graph.doubles(&[1, low.len()], &low), graph.doubles(&[1, high.len()], &high));
            let above = graph.step("GreaterOrEqual", &[numbers, &low]);
            let below = graph.step("LessOrEqual", &[numbers, &high]);
            let in_range = graph.step("And", &[&above, &below]);
            match &missing {
                Some(missing) => graph.step("Or", &[&in_range, missing]),
                None => in_range,
            }
        });
        Self { contract, numbers, in_range, missing, levels }
    }

    /// N x 1 zeros, and NaN for each row that breaks the contract.
    pub(super) fn flaws(&self, graph: &mut Graph) -> String {
        let mut flaws = Vec::new();
        if let Some(in_range) = &self.in_range {
            let (zero, not) = (graph.double(0.0), graph.double(f64::NAN));
            flaws.push(graph.step("Where", &[in_range, &zero, &not]));
        }
        for (levels, known) in self.levels.iter().zip(self.vocabularies()) {
            let table: Vec<f64> = (0..known).map(|_| 0.0).chain([f64::NAN]).collect();
            flaws.push(looked_up(graph, levels, 1, &table));
        }
        let flaws = graph.beside(&flaws);
        let ones = vec![1.0; self.contract.numeric().count() + self.levels.len()];
        let ones = graph.doubles(&[ones.len(), 1], &ones);
        graph.step("MatMul", &[&flaws, &ones])
    }

    /// The inputs that [`Inputs`](crate::encode::Inputs) makes of the rows, dense: N x inputs, in the contract's order.
    pub(super) fn encoded(&self, graph: &mut Graph, standardisation: &Standardisation) -> String {
        self.embedded(graph, standardisation, &vec![None; self.levels.len()])
    }

    /// The same, with the numbers of a vector in the place of the inputs of a level where the categorical column has vectors.
    pub(super) fn embedded(
        &self,
        graph: &mut Graph,
        standardisation: &Standardisation,
        vectors: &[Option<&[f64]>],
    ) -> String {
        let widths: Vec<usize> = self
            .vocabularies()
            .zip(vectors)
            .map(|(known, vectors)| vectors.map_or(known, |vectors| vectors.len() / known))
            .collect();
        let mut blocks = Vec::new();
        if let (Some(numbers), Some(in_range)) = (&self.numbers, &self.in_range) {
            let not = graph.double(f64::NAN);
            let numbers = graph.step("Where", &[in_range, numbers, &not]);
            let numbers = self.transformed(graph, &numbers);
            let columns = standardisation.mean.len();
            let mean = graph.doubles(&[1, columns], &standardisation.mean);
            let sd = graph.doubles(&[1, columns], &standardisation.sd);
            let centred = graph.step("Sub", &[&numbers, &mean]);
            let scaled = graph.step("Div", &[&centred, &sd]);
            blocks.push(match &self.missing {
                Some(missing) => {
                    let zero = graph.double(0.0);
                    graph.step("Where", &[missing, &zero, &scaled])
                }
                None => scaled,
            });
        }
        for ((levels, known), (vectors, &width)) in
            self.levels.iter().zip(self.vocabularies()).zip(vectors.iter().zip(&widths))
        {
            let ones = || {
                let mut table = vec![0.0; known * known];
                (0..known).for_each(|level| table[level * known + level] = 1.0);
                table
            };
            let mut table = vectors.map_or_else(ones, <[f64]>::to_vec);
            table.resize((known + 1) * width, f64::NAN);
            blocks.push(looked_up(graph, levels, width, &table));
        }
        // Behind all others, so that nothing else stands elsewhere for them.
        blocks.extend(self.missing.as_ref().map(|missing| graph.cast(missing, element::DOUBLE)));
        let blocks = graph.beside(&blocks);
        let order = graph.integers(&self.order(&widths));
        graph.step_with("Gather", &[&blocks, &order], vec![integer("axis", 1)])
    }

    /// sign(x) ln(1 + |x|) where the contract has it.
    fn transformed(&self, graph: &mut Graph, numbers: &str) -> String {
        let is_log: Vec<bool> =
            self.contract.numeric().map(|(transform, ..)| transform == Transform::Slog1p).collect();
        if !is_log.contains(&true) {
            return numbers.into();
        }
        let (sign, size) = (graph.step("Sign", &[numbers]), graph.step("Abs", &[numbers]));
        let one = graph.double(1.0);
        let more = graph.step("Add", &[&size, &one]);
        let log = graph.step("Log", &[&more]);
        let log = graph.step("Mul", &[&sign, &log]);
        let is_log = graph.truths(&[1, is_log.len()], &is_log);
        graph.step("Where", &[&is_log, &log, numbers])
    }

    /// Where each input stands when all numbers come first, then all levels, each column as wide as it is, then whether each number
    /// is missing.
    fn order(&self, widths: &[usize]) -> Vec<i64> {
        let numbers = self.contract.numeric().count() as i64;
        let missing = numbers + widths.iter().sum::<usize>() as i64;
        let (mut number, mut level, mut widths) = (0, numbers, widths.iter());
        let mut order = Vec::new();
        for column in &self.contract.columns {
            match column.positions() {
                None => {
                    order.push(number);
                    order.extend(column.nullable.then_some(missing + number));
                    number += 1;
                }
                Some(_) => {
                    let width = widths.next().map_or(0, |&width| width as i64);
                    order.extend(level..level + width);
                    level += width;
                }
            }
        }
        order
    }

    /// How many positions the values of each categorical column have.
    fn vocabularies(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.contract.columns.iter().filter_map(crate::Column::positions)
    }
}

/// For each of N positions the row of `table`, which has `width` numbers in each: N x width.
pub(super) fn looked_up(graph: &mut Graph, positions: &str, width: usize, table: &[f64]) -> String {
    let table = graph.doubles(&[table.len() / width.max(1), width], table);
    graph.step_with("Gather", &[&table, positions], vec![integer("axis", 0)])
}
