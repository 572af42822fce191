//! One tree while it is grown: from the sums of a depth to the splits of its places and the places of the next depth.

use super::super::{ProgramError, TOO_MANY_ROWS};
use super::finder::{Bounds, Finder, FinderColumn, Found};
use super::sums::{Histogram, Sums};
use super::terms::BoostedTreesTerms;
use crate::contract::ColumnKind;
use crate::trees::tree::LARGEST_LEAF;
use crate::trees::{Tree, TreeModel};

/// A tree that is not finished.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    tree: Tree,
    /// Of its splits, in order.
    gains: Vec<f64>,
    /// What it may split by.
    columns: Vec<FinderColumn>,
    /// How far below the root the places in question stand.
    depth: u32,
    front: Front,
}

/// The places in question.
#[derive(Clone, Debug)]
enum Front {
    Root,
    /// Of the splits that were made last those that have a child that may be split, in order.
    Families(Vec<Family>),
}

/// A split, with the histogram that it was found in.
#[derive(Clone, Debug)]
struct Family {
    histogram: Histogram,
    children: [Child; 2],
}

/// A leaf that was made by a split.
#[derive(Clone, Copy, Debug)]
struct Child {
    place: usize,
    sums: Sums,
    bounds: Bounds,
}

/// What the sums of a depth lead to.
pub(super) enum Progress {
    /// More to ask.
    Growing(Growth),
    /// The tree, and the gains of its splits.
    Grown { tree: Tree, gains: Vec<f64> },
}

impl Growth {
    /// The next tree of a model, before its first split.
    pub(super) fn of(model: &TreeModel, terms: &BoostedTreesTerms) -> Self {
        let contract = &model.contract;
        let (widths, trends) = (model.ensemble.bins.widths(contract), terms.trends(contract));
        let column = |position: u32| {
            let column = position as usize;
            FinderColumn {
                column: position as u16,
                bins: widths[column],
                is_numeric: matches!(contract.columns[column].kind, ColumnKind::Numeric { .. }),
                nullable: contract.columns[column].nullable,
                trend: trends[column],
            }
        };
        let chosen = terms.columns_of(model.ensemble.trees.len(), contract.columns.len());
        Self {
            tree: Tree::leaf(0.0),
            gains: Vec::new(),
            columns: chosen.into_iter().map(column).collect(),
            depth: 0,
            front: Front::Root,
        }
    }

    /// The tree as far as it is grown.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Where the leaves in question stand.
    pub(super) fn places(&self) -> Vec<u32> {
        match &self.front {
            Front::Root => vec![0],
            Front::Families(families) => {
                families.iter().map(|family| family.children[family.smaller()].place as u32).collect()
            }
        }
    }

    /// The columns in question, and how many bins each has.
    pub(super) fn columns(&self) -> Vec<(u32, u32)> {
        self.columns.iter().map(|column| (u32::from(column.column), column.bins as u32)).collect()
    }

    /// Whether the sums that are asked for may be the last ones of the tree: no depth follows.
    pub(super) fn is_deepest(&self, terms: &BoostedTreesTerms) -> bool {
        self.depth + 1 == terms.depth
    }

    /// Grows the tree by one depth. `summed` are the sums for all places in question, in the order of their layout, over at
    /// most `most` rows.
    ///
    /// # Errors
    /// [`ProgramError::ImpossibleSum`] where no rows add up to them.
    pub(super) fn take(
        mut self,
        summed: &[f64],
        most: f64,
        terms: &BoostedTreesTerms,
    ) -> Result<Progress, ProgramError> {
        let (histograms, totals) = self.histograms(summed, most)?;
        let at_depth: Vec<(Child, Histogram)> = match std::mem::replace(&mut self.front, Front::Root) {
            Front::Root => {
                if totals[0].rows <= 0.0 {
                    return Err(ProgramError::ImpossibleSum("no row was trained on"));
                }
                let root = Child { place: 0, sums: totals[0], bounds: Bounds::NONE };
                histograms.into_iter().map(|histogram| (root, histogram)).collect()
            }
            Front::Families(families) => {
                let told = families.iter().map(|family| family.children[family.smaller()].sums);
                if !told.eq(totals) {
                    // Others answered than at the depth above: what is missing to the parents' sums is not the sums of
                    // the siblings. To ask about both children would show what whoever is missing has in each bin, so
                    // the tree ends here. Its leaves have values.
                    return Ok(Progress::Grown { tree: self.tree, gains: self.gains });
                }
                families.into_iter().zip(histograms).flat_map(|(family, asked)| family.both(asked)).collect()
            }
        };
        if at_depth.iter().any(|(_, histogram)| !histogram.iter().all(Sums::are_possible)) {
            return Err(ProgramError::ImpossibleSum("a child of more rows than its parent"));
        }
        Ok(self.split(at_depth, terms))
    }

    /// Splits the places of a depth where that helps.
    fn split(mut self, at_depth: Vec<(Child, Histogram)>, terms: &BoostedTreesTerms) -> Progress {
        let finder = Finder { terms, columns: &self.columns };
        let value = |sums, bounds| leaf_value(terms.learning_rate * finder.leaf(sums, bounds));
        self.depth += 1;
        let mut families = Vec::new();
        for (child, histogram) in at_depth {
            let Child { place, sums, bounds } = child;
            if sums.rows > 0.0 {
                self.tree.set(place, value(sums, bounds));
            }
            let found = finder.may_split(sums).then(|| finder.best(&histogram, sums, bounds)).flatten();
            let Some(Found { column, rule, gain, left, right, bounds }) = found else { continue };
            let values = [value(left, bounds[0]), value(right, bounds[1])];
            let first = self.tree.split(place, column, rule, values);
            self.gains.push(gain);
            let children = [
                Child { place: first, sums: left, bounds: bounds[0] },
                Child { place: first + 1, sums: right, bounds: bounds[1] },
            ];
            if self.depth < terms.depth && children.iter().any(|child| finder.may_split(child.sums)) {
                families.push(Family { histogram, children });
            }
        }
        if families.is_empty() {
            return Progress::Grown { tree: self.tree, gains: self.gains };
        }
        Progress::Growing(Self { front: Front::Families(families), ..self })
    }

    /// The histograms of the places in question and their totals, checked.
    fn histograms(&self, summed: &[f64], most: f64) -> Result<(Vec<Histogram>, Vec<Sums>), ProgramError> {
        let impossible = |what| Err(ProgramError::ImpossibleSum(what));
        let (gradients, rest) = summed.split_at(summed.len() / 3);
        let (hessians, rows) = rest.split_at(rest.len() / 2);
        let sums = gradients.iter().zip(hessians).zip(rows);
        let sums: Histogram =
            sums.map(|((&gradient, &hessian), &rows)| Sums { gradient, hessian, rows }).collect();
        if !sums.iter().all(Sums::are_possible) {
            return impossible("gradients or Hessians that so many rows cannot have");
        }
        let width: usize = self.columns.iter().map(|column| column.bins).sum();
        let histograms: Vec<Histogram> = sums.chunks_exact(width).map(<[Sums]>::to_vec).collect();
        let mut totals = Vec::with_capacity(histograms.len());
        for histogram in &histograms {
            let mut of_columns = self.columns.iter().scan(&histogram[..], |rest, column| {
                let (bins, others) = rest.split_at(column.bins);
                *rest = others;
                Some(bins.iter().copied().sum::<Sums>())
            });
            let total = of_columns.next().unwrap_or_default();
            // Each row is in one bin of each column.
            if of_columns.any(|other| other != total) {
                return impossible("columns of different rows");
            }
            totals.push(total);
        }
        match totals.iter().map(|total| total.rows).sum::<f64>() > most {
            true => impossible(TOO_MANY_ROWS),
            false => Ok((histograms, totals)),
        }
    }
}

impl Family {
    /// The child of fewer rows, which is the one that is asked about.
    fn smaller(&self) -> usize {
        usize::from(self.children[1].sums.rows < self.children[0].sums.rows)
    }

    /// Both children with their histograms, from that of the smaller one.
    fn both(self, asked: Histogram) -> [(Child, Histogram); 2] {
        let smaller = self.smaller();
        let other = self.histogram.into_iter().zip(&asked).map(|(parent, &child)| parent - child).collect();
        let [left, right] = self.children;
        match smaller {
            0 => [(left, asked), (right, other)],
            _ => [(left, other), (right, asked)],
        }
    }
}

/// The value of a leaf as it is written: rounded to nine decimals, which keeps questions short, and no more than certain.
pub(super) fn leaf_value(value: f64) -> f64 {
    // A zero has no sign.
    libm::rint(value.clamp(-LARGEST_LEAF, LARGEST_LEAF) * DECIMALS) / DECIMALS + 0.0
}

const DECIMALS: f64 = 1e9;
