use syndic_round::Sum;

use super::federated_tests::{answered, program, references, tables, terms};
use super::*;
use crate::fixture;
use crate::trees::{MOST_TREES, Rule, Tree};

/// A program at its third question: the second depth of the first tree.
fn at_depth_one(tables: &[Table], terms: &BoostedTreesTerms) -> (BoostedTrees, BoostedTreesQuestion) {
    let mut program = program(tables, terms);
    let mut next = program.next(None).unwrap();
    for _ in 0..2 {
        let Next::Ask(question) = next else { panic!("a question") };
        let sum = answered(&question, &references(tables), terms, &mut []);
        next = program.next(Some(&sum)).unwrap();
    }
    let Next::Ask(question) = next else { panic!("a question") };
    (program, question)
}

/// A question with two finished trees and a tree of four leaves.
fn honest() -> GrowQuestion {
    let model = fit_pooled(&references(&tables()), &terms(2, 3)).unwrap();
    let mut tree = Tree::leaf(0.0);
    tree.split(0, 0, Rule::UpTo(20), [0.1, -0.1]);
    tree.split(1, 1, Rule::OneOf(vec![1]), [0.2, -0.2]);
    tree.split(2, 1, Rule::OneOf(vec![1]), [0.2, -0.2]);
    let widths = model.ensemble.bins.widths(&model.contract);
    GrowQuestion {
        ensemble: model.ensemble,
        tree,
        places: vec![3, 6],
        columns: widths.iter().enumerate().map(|(column, &bins)| (column as u32, bins as u32)).collect(),
        row_fraction: 1.0,
        seed: 0,
        max_rows: 1_000_000,
        class_weights: None,
    }
}

fn told(question: GrowQuestion) -> Result<usize, &'static str> {
    let table = fixture::table(60, 0.0, false, 1);
    let question = BoostedTreesQuestion::Grow(question);
    let answer = BoostedTrees::answer(&question, &table, &mut fixture::rng(1));
    answer.map(|contribution| contribution.values().len()).map_err(|error| error.code())
}

type Bend = fn(&mut GrowQuestion);

/// A tree that is split `depth` times on its left side.
fn chain(depth: usize) -> Tree {
    let mut tree = Tree::leaf(0.0);
    (0..depth).fold(0, |place, _| tree.split(place, 0, Rule::UpTo(0), [0.0; 2]));
    tree
}

#[test]
fn a_question_that_makes_no_sense_is_refused_whatever_is_wrong_with_it() {
    assert_eq!(told(honest()), honest().layout().map(|layout| layout.len()).map_err(|error| error.code()));
    let bent: Vec<(&str, Bend)> = vec![
        ("no place", |question| question.places.clear()),
        ("a place twice", |question| question.places = vec![3, 3]),
        ("places that descend", |question| question.places = vec![6, 3]),
        ("both children of a split", |question| question.places = vec![3, 4]),
        ("places of several depths", |question| {
            question.tree.split(3, 0, Rule::UpTo(0), [0.0; 2]);
            question.places = vec![5, 7];
        }),
        ("a place that is none", |question| question.places = vec![7]),
        ("a far place", |question| question.places = vec![u32::MAX]),
        ("a place that is split", |question| question.places = vec![0]),
        ("a place at the greatest depth", |question| {
            (question.tree, question.places) = (chain(8), vec![15]);
        }),
        ("no column", |question| question.columns.clear()),
        ("a column twice", |question| question.columns[1] = question.columns[0]),
        ("columns that descend", |question| question.columns.reverse()),
        ("a column that is none", |question| question.columns[2].0 = 3),
        ("a far column", |question| question.columns[2].0 = u32::MAX),
        ("other bins", |question| question.columns[1].1 = 4),
        ("endless bins", |question| question.columns[0].1 = u32::MAX),
        ("another max_rows", |question| question.max_rows = 999),
        ("no max_rows", |question| question.max_rows = 0),
        ("no rows", |question| question.row_fraction = 0.0),
        ("more than all rows", |question| question.row_fraction = 1.5),
        ("a fraction that is none", |question| question.row_fraction = f64::NAN),
        ("an endless base", |question| question.ensemble.base = f64::INFINITY),
        ("a base that is no number", |question| question.ensemble.base = f64::NAN),
        ("edges that descend", |question| question.ensemble.bins.edges[0].reverse()),
        ("an edge that is no number", |question| question.ensemble.bins.edges[0][0] = f64::NAN),
        ("an endless edge", |question| {
            *question.ensemble.bins.edges[0].last_mut().unwrap() = f64::INFINITY;
        }),
        ("too many edges", |question| {
            question.ensemble.bins.edges[0] = (0..64).map(f64::from).collect();
            question.columns[0].1 = 65;
        }),
        ("edges of another column", |question| question.ensemble.bins.edges.push(vec![])),
        ("edges of too few columns", |question| drop(question.ensemble.bins.edges.pop())),
        ("too many trees", |question| question.ensemble.trees = vec![Tree::leaf(0.0); MOST_TREES]),
        ("far too many trees", |question| question.ensemble.trees = vec![Tree::leaf(0.0); MOST_TREES + 1]),
        ("a finished tree by a column that is none", |question| {
            question.ensemble.trees[0] = {
                let mut tree = Tree::leaf(0.0);
                tree.split(0, 9, Rule::UpTo(0), [0.0; 2]);
                tree
            };
        }),
        ("a tree by a bin that is none", |question| {
            question.tree = Tree::leaf(0.0);
            question.tree.split(0, 0, Rule::UpTo(u16::MAX), [0.0; 2]);
        }),
        ("a tree by levels of a number", |question| {
            question.tree = Tree::leaf(0.0);
            question.tree.split(0, 0, Rule::OneOf(vec![1]), [0.0; 2]);
        }),
    ];
    for (what, bend) in bent {
        let mut question = honest();
        bend(&mut question);
        assert_eq!(told(question), Err("program.bad-question"), "{what}");
    }
    let mut deep = honest();
    (deep.tree, deep.places) = (chain(7), vec![13]);
    assert!(told(deep).is_ok());
    let table = fixture::table(60, 0.0, false, 1);
    for cells in [
        CellsQuestion { numeric_columns: 3, max_rows: 1_000_000, nullable_columns: 0 },
        CellsQuestion { numeric_columns: 2, max_rows: 1, nullable_columns: 0 },
    ] {
        let question = BoostedTreesQuestion::Cells(cells);
        let answer = BoostedTrees::answer(&question, &table, &mut fixture::rng(1));
        assert_eq!(answer.err().unwrap().code(), "program.bad-question");
    }
    let endless = CellsQuestion { numeric_columns: u32::MAX, max_rows: 1, nullable_columns: 0 };
    assert_eq!(endless.layout().unwrap_err().code(), "program.bad-question");
}

#[test]
fn bytes_that_are_changed_at_random_are_refused_or_answered() {
    let honest = serde_json_canonicalizer::to_vec(&BoostedTreesQuestion::Grow(honest())).unwrap();
    let table = fixture::table(30, 0.0, false, 1);
    let mut rng = fixture::rng(5);
    let mut below = |most: usize| (fixture::uniform(&mut rng) * most as f64) as usize;
    let letters = b"0123456789-.,[]{}\"e:";
    let (mut read, mut was_answered) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = honest.clone();
        for _ in 0..1 + below(3) {
            // Edges are most of the bytes: half of the changes are behind them.
            let at = if below(2) == 0 { below(bytes.len()) } else { bytes.len() - 1 - below(700) };
            bytes[at] = letters[below(letters.len())];
        }
        let Ok(question) = serde_json::from_slice::<BoostedTreesQuestion>(&bytes) else { continue };
        read += 1;
        match BoostedTrees::answer(&question, &table, &mut fixture::rng(1)) {
            Ok(_) => was_answered += 1,
            Err(error) => assert_eq!(error.code(), "program.bad-question"),
        }
    }
    assert!(read > was_answered && was_answered > 100, "{read} read, {was_answered} answered");
}

#[test]
fn a_question_beyond_the_approved_terms_is_recognised() {
    let (terms, contract) = (terms(3, 3), fixture::contract());
    let told = |bend: fn(&mut GrowQuestion)| {
        let mut question = honest();
        bend(&mut question);
        BoostedTreesQuestion::Grow(question).approved_by(&contract, &terms).map_err(|error| error.code())
    };
    assert_eq!(told(|_| ()), Ok(()));
    let departs = Err("program.not-approved");
    assert_eq!(told(|question| question.max_rows = 1), departs);
    assert_eq!(told(|question| question.seed = 1), departs);
    assert_eq!(told(|question| question.row_fraction = 0.5), departs);
    assert_eq!(told(|question| question.columns.truncate(2)), departs);
    assert_eq!(told(|question| question.ensemble.trees.push(Tree::leaf(0.0))), departs);
    assert_eq!(told(|question| question.ensemble.trees[0] = chain(4)), departs);
    assert_eq!(told(|question| (question.tree, question.places) = (chain(3), vec![5])), departs);
    assert_eq!(told(|question| question.places = vec![99]), departs);
    assert_eq!(told(|question| question.places = vec![0]), Err("program.bad-question"));
    // An edge close to somebody's value, between the cells' middles.
    assert_eq!(told(|question| question.ensemble.bins.edges[0][0] += 1e-9), departs);
    let coarser = BoostedTreesTerms { bins: 8, ..terms.clone() };
    let question = BoostedTreesQuestion::Grow(honest());
    assert_eq!(question.approved_by(&contract, &coarser).map_err(|error| error.code()), departs);
    let cells =
        BoostedTreesQuestion::Cells(CellsQuestion { numeric_columns: 2, max_rows: 2, nullable_columns: 0 });
    assert_eq!(cells.approved_by(&contract, &terms).map_err(|error| error.code()), departs);
}

/// What becomes of a program whose third sum has `bend` applied to its steps: gradients, Hessians, rows.
fn bent_sum(bend: impl Fn([&mut [i64]; 3])) -> Result<(), &'static str> {
    let (tables, terms) = (tables(), terms(1, 3));
    let (mut program, question) = at_depth_one(&tables, &terms);
    let sum = answered(&question, &references(&tables), &terms, &mut []);
    let layout = sum.layout().clone();
    let mut steps = sum.steps().to_vec();
    let (gradients, rest) = steps.split_at_mut(layout.range("gradient").unwrap().len());
    let (hessians, rows) = rest.split_at_mut(layout.range("hessian").unwrap().len());
    bend([gradients, hessians, rows]);
    let words = [i64::from(sum.survivors())].into_iter().chain(steps);
    let bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
    let told = program.next(Some(&Sum::from_bytes(layout, &bytes).unwrap())).map(|_| ());
    assert!(told.is_ok() || program.next(None).unwrap() == Next::Ask(question), "nothing changes");
    told.map_err(|error| error.code())
}

#[test]
fn a_sum_that_no_tables_add_up_to_is_refused() {
    let impossible = Err("program.impossible-sum");
    let occupied = |rows: &[i64]| rows.iter().position(|&rows| rows > 0).unwrap();
    assert_eq!(bent_sum(|_| ()), Ok(()));
    assert_eq!(bent_sum(|[_, _, rows]| rows[0] = -1), impossible);
    assert_eq!(bent_sum(|[gradients, _, rows]| gradients[occupied(rows)] = i64::MAX >> 20), impossible);
    assert_eq!(bent_sum(|[gradients, _, rows]| gradients[occupied(rows)] = -(i64::MAX >> 20)), impossible);
    assert_eq!(bent_sum(|[_, hessians, rows]| hessians[occupied(rows)] = -1), impossible);
    assert_eq!(bent_sum(|[_, hessians, rows]| hessians[occupied(rows)] = i64::MAX >> 20), impossible);
    // One column tells of other rows than the rest.
    assert_eq!(bent_sum(|[_, _, rows]| rows[occupied(rows)] += 1), impossible);
    assert_eq!(bent_sum(|[_, hessians, rows]| hessians[occupied(rows)] -= 1), impossible);
    // More than five institutions may bring.
    assert_eq!(bent_sum(|[_, _, rows]| rows.fill(5_000_001)), impossible);
    // The right total, but in one bin of the first column, where the parent has fewer rows.
    assert_eq!(
        bent_sum(|all| {
            for values in all {
                let total = values[..60].iter().sum();
                values[..60].fill(0);
                values[30] = total;
            }
        }),
        impossible
    );
}

#[test]
fn a_round_in_which_no_row_was_trained_on_is_refused() {
    let (tables, terms) = (tables(), terms(1, 2));
    let mut program = program(&tables, &terms);
    let Next::Ask(cells) = program.next(None).unwrap() else { panic!("cells") };
    let sum = answered(&cells, &references(&tables), &terms, &mut []);
    let Next::Ask(question) = program.next(Some(&sum)).unwrap() else { panic!("the first tree") };
    let layout = question.layout().unwrap();
    let sum = crate::program::run::tests::sum_of(&[&tables[0]], 1, &layout, |_, _| {
        Contribution::new(layout.clone(), vec![0.0; layout.len()]).unwrap()
    });
    assert_eq!(program.next(Some(&sum)).unwrap_err().code(), "program.impossible-sum");
}
