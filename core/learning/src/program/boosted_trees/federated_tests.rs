use syndic_round::Sum;

use super::*;
use crate::Scoring as _;
use crate::fixture;
use crate::program::run::tests::sum_of;
use crate::table::{Role, Values};
use crate::trees::Tree;

/// Terms that leave small tables something to grow.
pub(super) fn terms(trees: u32, depth: u32) -> BoostedTreesTerms {
    BoostedTreesTerms {
        trees,
        depth,
        learning_rate: 0.3,
        l2: 1.0,
        min_rows: 5,
        column_fraction: 1.0,
        level_l2: 1.0,
        level_smoothing: 1.0,
        ..Default::default()
    }
}

/// Five tables of unlike institutions.
pub(super) fn tables() -> Vec<Table> {
    (0..5).map(|k| fixture::table(120 + 90 * k, k as f64 / 4.0, false, k)).collect()
}

pub(super) fn references(tables: &[Table]) -> Vec<&Table> {
    tables.iter().collect()
}

/// The program for these tables, before its first question.
pub(super) fn program(tables: &[Table], terms: &BoostedTreesTerms) -> BoostedTrees {
    let counts = tables.iter().map(|table| table.count(Role::Train));
    let (rows, positives) = counts.fold((0, 0), |all, table| (all.0 + table.0, all.1 + table.1));
    let contract = tables[0].contract().clone();
    BoostedTrees::new(contract, Count { rows, positives }, terms.clone()).unwrap()
}

/// The sum of the answers of the tables that are here, through the layout, after all checks of a participant.
pub(super) fn answered(
    question: &BoostedTreesQuestion,
    here: &[&Table],
    terms: &BoostedTreesTerms,
    prepared: &mut [PreparedTable<&Table>],
) -> Sum {
    let bytes = serde_json_canonicalizer::to_vec(question).unwrap();
    let read: BoostedTreesQuestion = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(&read, question);
    assert_eq!(serde_json_canonicalizer::to_vec(&read).unwrap(), bytes, "it is spelled in one way only");
    read.approved_by(here[0].contract(), terms).unwrap();
    for table in prepared {
        let fresh = BoostedTrees::answer(&read, table.table(), &mut fixture::rng(1)).unwrap();
        assert_eq!(table.answer(&read).unwrap().values(), fresh.values(), "remembering changes nothing");
    }
    sum_of(here, 16, &question.layout().unwrap(), |table, rng| {
        BoostedTrees::answer(&read, table, rng).unwrap()
    })
}

/// The model of a federation; `present` says which tables answer in a round.
fn run(
    tables: &[Table],
    terms: &BoostedTreesTerms,
    present: impl Fn(usize, &BoostedTreesQuestion) -> Vec<usize>,
) -> (TreeModel, Vec<Sum>) {
    let mut program = program(tables, terms);
    let mut prepared = vec![PreparedTable::new(&tables[0])];
    let mut sums = Vec::new();
    let mut next = program.next(None).unwrap();
    while let Next::Ask(question) = next {
        let here: Vec<&Table> =
            present(sums.len(), &question).into_iter().map(|table| &tables[table]).collect();
        let sum = answered(&question, &here, terms, &mut prepared);
        let foretold = program.next_layout();
        next = program.next(Some(&sum)).unwrap();
        let asks_more = matches!(next, Next::Ask(_));
        assert!(asks_more || foretold.is_none() || is_short(&program, terms), "what may follow");
        assert!(foretold.is_some() || sums.len() as u32 >= terms.trees);
        sums.push(sum);
    }
    let Next::Done(model) = next else { unreachable!() };
    assert_eq!(program.next_layout(), None);
    assert!(program.is_finished() && program.trees() == terms.trees);
    (model, sums)
}

/// Whether the last tree ended before its greatest depth, which nobody can foretell.
fn is_short(program: &BoostedTrees, terms: &BoostedTreesTerms) -> bool {
    let last = program.model().ensemble.trees.last().unwrap();
    last.depths().into_iter().all(|depth| depth < terms.depth)
}

fn all(_: usize, _: &BoostedTreesQuestion) -> Vec<usize> {
    vec![0, 1, 2, 3, 4]
}

#[test]
fn a_federation_grows_the_trees_of_pooled_rows_bit_by_bit() {
    let (tables, terms) = (tables(), terms(6, 4));
    let (federated, sums) = run(&tables, &terms, all);
    let pooled = fit_pooled(&references(&tables), &terms).unwrap();
    assert_eq!(federated, pooled);
    assert_eq!(federated.to_safetensors().unwrap(), pooled.to_safetensors().unwrap());
    let splits: usize = federated.ensemble.trees.iter().map(|tree| tree.splits().count()).sum();
    assert!(splits > 40, "{splits} splits are too few to compare");
    assert!(sums.len() <= 1 + 6 * 4);
    let by_levels = |tree: &Tree| tree.splits().any(|split| split.column == 1);
    assert!(federated.ensemble.trees.iter().any(by_levels));
}

#[test]
fn a_federation_grows_the_trees_of_pooled_rows_where_values_are_missing() {
    let tables: Vec<Table> = (0..5).map(|k| fixture::table_with_gaps(150 + 90 * k, k)).collect();
    let terms = BoostedTreesTerms { increasing: vec!["age".into()], ..terms(6, 4) };
    let (federated, _) = run(&tables, &terms, all);
    let pooled = fit_pooled(&references(&tables), &terms).unwrap();
    assert_eq!(federated, pooled);
    let bytes = federated.to_safetensors().unwrap();
    assert_eq!(TreeModel::from_safetensors(&federated.contract, &bytes).unwrap(), federated);
    let rules = || federated.ensemble.trees.iter().flat_map(Tree::splits).map(|split| &split.rule);
    assert!(rules().any(|rule| matches!(rule, crate::trees::Rule::PresentUpTo(_))));
    assert!(rules().any(|rule| matches!(rule, crate::trees::Rule::OneOf(levels) if levels.contains(&3))));
    assert_eq!(federated.score(&tables[0]).unwrap(), pooled.score(&tables[0]).unwrap());
}

#[test]
fn below_the_root_at_most_half_of_the_rows_are_asked_about() {
    let (tables, terms) = (tables(), terms(3, 4));
    let (_, sums) = run(&tables, &terms, all);
    let rows = |sum: &Sum| sum.values("rows").unwrap().iter().sum::<f64>();
    // Each row is in one bin of each of three columns.
    let training: u64 = tables.iter().map(|table| table.count(Role::Train).0).sum();
    let all = 3.0 * training as f64;
    assert!(sums[1..].iter().all(|sum| rows(sum) == all || rows(sum) <= all / 2.0));
    assert!(sums[1..].iter().filter(|sum| rows(sum) == all).count() == 3);
}

#[test]
fn a_prepared_table_answers_as_a_fresh_one_whatever_it_was_asked_before() {
    let tables = tables();
    let mut questions = Vec::new();
    for terms in [terms(4, 2), BoostedTreesTerms { learning_rate: 0.2, ..terms(4, 2) }] {
        let mut program = program(&tables, &terms);
        let mut next = program.next(None).unwrap();
        while let Next::Ask(question) = next {
            next = program.next(Some(&answered(&question, &references(&tables), &terms, &mut []))).unwrap();
            questions.push(question);
        }
    }
    let mut prepared = PreparedTable::new(&tables[0]);
    // Back from the last to the first, which have the same bins and fewer trees or others; then forward again.
    for question in questions.iter().rev().chain(&questions) {
        let fresh = BoostedTrees::answer(question, &tables[0], &mut fixture::rng(1)).unwrap();
        assert_eq!(prepared.answer(question).unwrap().values(), fresh.values());
    }
}

#[test]
fn sampled_columns_and_rows_are_the_same_in_a_federation_and_pooled() {
    let tables = tables();
    let terms = BoostedTreesTerms { column_fraction: 0.6, row_fraction: 0.7, seed: 9, ..terms(4, 3) };
    let (federated, _) = run(&tables, &terms, all);
    assert_eq!(federated, fit_pooled(&references(&tables), &terms).unwrap());
    let other = BoostedTreesTerms { seed: 10, ..terms };
    assert_ne!(federated, fit_pooled(&references(&tables), &other).unwrap());
}

#[test]
fn rounding_rows_leaves_the_trees_as_they_were_and_leaves_within_a_millionth() {
    let fit = |max_rows| {
        let mut tables = tables();
        tables.iter_mut().for_each(|table| table.contract.max_rows = max_rows);
        let terms = BoostedTreesTerms { learning_rate: 0.1, ..terms(10, 4) };
        fit_pooled(&references(&tables), &terms).unwrap()
    };
    // Rounded to 2^-20 and to 2^-30.
    let (coarse, fine) = (fit(1_000_000), fit(600));
    for (coarse, fine) in coarse.ensemble.trees.iter().zip(&fine.ensemble.trees) {
        assert!(coarse.splits().eq(fine.splits()));
        for place in 0..coarse.parts().len() {
            let off = (coarse.value_at(place) - fine.value_at(place)).abs();
            assert!(off < 1e-6, "{off}");
        }
    }
    assert_ne!(coarse.ensemble, fine.ensemble, "the case is no test if nothing was rounded");
}

#[test]
fn a_tree_ends_where_others_answer_than_at_the_depth_above() {
    let (tables, terms) = (tables(), terms(3, 4));
    // One is missing at the third depth of the second tree, and back for the third tree.
    let places = std::cell::RefCell::new(Vec::new());
    let (federated, _) = run(&tables, &terms, |_, question| match question {
        BoostedTreesQuestion::Grow(grow) => {
            let at = (grow.ensemble.trees.len(), grow.depth());
            places.borrow_mut().push(at);
            if at == (1, 2) { vec![0, 1, 3, 4] } else { vec![0, 1, 2, 3, 4] }
        }
        BoostedTreesQuestion::Cells(_) => vec![0, 1, 2, 3, 4],
    });
    let places = places.into_inner();
    assert!(places.contains(&(1, 2)) && !places.contains(&(1, 3)), "{places:?}");
    let pooled = fit_pooled(&references(&tables), &terms).unwrap();
    let (trees, of_pooling) = (&federated.ensemble.trees, &pooled.ensemble.trees);
    assert_eq!(trees[0], of_pooling[0]);
    // As far as it is grown it is the same.
    assert_eq!(trees[1].depths().into_iter().max(), Some(2));
    assert!(trees[1].splits().zip(of_pooling[1].splits()).all(|(a, b)| a == b));
    assert_eq!(trees.len(), 3);
}

#[test]
fn an_institution_that_is_never_there_after_the_statistics_is_left_out() {
    let (tables, terms) = (tables(), terms(3, 4));
    let (federated, _) = run(&tables, &terms, |_, _| vec![0, 1, 2, 3]);
    let base = federated.ensemble.base;
    let mut pooled = program(&tables, &terms);
    assert_eq!(pooled.model().ensemble.base, base);
    let mut next = pooled.next(None).unwrap();
    while let Next::Ask(question) = next {
        let here: Vec<&Table> = tables[..4].iter().collect();
        let sum = answered(&question, &here, &terms, &mut []);
        next = pooled.next(Some(&sum)).unwrap();
    }
    assert_eq!(next, Next::Done(federated));
}

#[test]
fn institutions_that_come_and_go_still_learn() {
    let (tables, terms) = (tables(), terms(8, 4));
    let (federated, sums) = run(&tables, &terms, |round, _| {
        (0..5).filter(|table| round == 0 || table % 5 != round % 5).collect()
    });
    assert!(sums.len() < 1 + 8 * 4, "some trees end early");
    let tables = references(&tables);
    let pooled = fit_pooled(&tables, &terms).unwrap();
    let auc = |model: &TreeModel| model.evaluate(&tables, Role::Test).unwrap().unwrap().roc_auc.unwrap();
    assert!(auc(&federated) > auc(&pooled) - 0.03, "{} {}", auc(&federated), auc(&pooled));
}

#[test]
fn one_row_no_positives_and_constant_columns_are_no_obstacle() {
    let mut tables = tables();
    // Table 0 has a single row, table 1 no positive, table 2 one age.
    let first = tables[0].rows_for(Role::Train)[0];
    let Table { columns, labels, roles, .. } = &mut tables[0];
    for column in columns {
        match column {
            Values::Numeric(values) => *values = [values[first]].into_iter().collect(),
            Values::Categorical(values) => *values = [values[first]].into_iter().collect(),
        }
    }
    (*labels, *roles) = (vec![labels[first]], vec![Role::Train]);
    tables[1].labels.fill(false);
    let Values::Numeric(ages) = &mut tables[2].columns[0] else { unreachable!() };
    *ages = ages.iter().map(|_| 18.0).collect();
    let terms = terms(4, 3);
    let (federated, _) = run(&tables, &terms, all);
    assert_eq!(federated, fit_pooled(&references(&tables), &terms).unwrap());

    // Nobody's balance varies: one bin, and no split by it.
    for table in &mut tables {
        let Values::Numeric(balances) = &mut table.columns[2] else { unreachable!() };
        *balances = balances.iter().map(|_| 0.0).collect();
    }
    let (federated, _) = run(&tables, &terms, all);
    assert_eq!(federated.ensemble.bins.edges[1], [0.0; 0]);
    assert_eq!(federated.importance()[2].splits, 0);
    assert!(federated.importance()[0].splits > 0);
}

#[test]
fn replaying_the_same_sums_gives_the_same_model_and_a_wrong_sum_changes_nothing() {
    let (tables, terms) = (tables(), terms(2, 3));
    let (model, sums) = run(&tables, &terms, all);
    let mut replayed = program(&tables, &terms);
    let first = replayed.next(None).unwrap();
    assert_eq!(replayed.next(Some(&sums[1])).unwrap_err().code(), "program.wrong-sum");
    assert_eq!(replayed.next(None).unwrap(), first);
    let mut next = first;
    for sum in &sums {
        let stored = Sum::from_bytes(sum.layout().clone(), &sum.to_bytes()).unwrap();
        next = replayed.next(Some(&stored)).unwrap();
    }
    assert_eq!(next, Next::Done(model));
    assert_eq!(replayed.next(Some(&sums[0])).unwrap_err().code(), "program.wrong-sum");
}

#[test]
fn one_class_and_terms_of_another_contract_end_it_before_it_begins() {
    let contract = fixture::contract();
    let told = |rows, positives, terms: BoostedTreesTerms| {
        let program = BoostedTrees::new(contract.clone(), Count { rows, positives }, terms);
        program.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(told(10, 3, terms(1, 1)), Ok(()));
    assert_eq!(told(10, 0, terms(1, 1)), Err("program.one-class"));
    assert_eq!(told(10, 10, terms(1, 1)), Err("program.one-class"));
    let of_another = BoostedTreesTerms { increasing: vec!["income".into()], ..terms(1, 1) };
    assert_eq!(told(10, 3, of_another), Err("program.bad-question"));
    let mut other = fixture::table(50, 0.0, false, 1);
    other.contract.version = 2;
    let tables = [&fixture::table(50, 0.0, false, 1), &other];
    assert_eq!(fit_pooled(&tables, &terms(1, 1)).unwrap_err().code(), "program.bad-question");
}

#[test]
fn without_numeric_columns_the_first_question_is_about_the_first_tree() {
    let mut tables = tables();
    for table in &mut tables {
        for column in [2, 0] {
            table.columns.remove(column);
            table.contract.columns.remove(column);
        }
    }
    let terms = BoostedTreesTerms { level_l2: 0.0, ..terms(2, 3) };
    let (model, sums) = run(&tables, &terms, all);
    assert_eq!(model, fit_pooled(&references(&tables), &terms).unwrap());
    assert!(model.importance()[0].splits > 0);
    assert!(sums[0].layout().range("gradient").is_some());
}

#[test]
fn a_question_of_a_hundred_trees_of_depth_six_is_short() {
    let mut rng = fixture::rng(3);
    let mut tree = || {
        let mut tree = Tree::leaf(0.0);
        for place in 0..63 {
            let values = [(); 2].map(|()| libm::rint(0.1 * (fixture::uniform(&mut rng) - 0.5) * 1e9) / 1e9);
            tree.split(place, 22, crate::trees::Rule::UpTo(62), values);
        }
        tree
    };
    let edges = vec![(0..63).map(|k| 1.0 / f64::from(3 + k)).collect(); 22];
    let question = BoostedTreesQuestion::Grow(GrowQuestion {
        ensemble: Ensemble {
            base: -1.0 / 3.0,
            bins: Bins { edges },
            trees: (0..99).map(|_| tree()).collect(),
        },
        tree: tree(),
        places: (31..47).collect(),
        columns: (0..23).map(|column| (column, 64)).collect(),
        row_fraction: 1.0,
        seed: 0,
        max_rows: 1_000_000,
        class_weights: None,
    });
    let bytes = serde_json_canonicalizer::to_vec(&question).unwrap();
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    assert_eq!(serde_json::from_slice::<BoostedTreesQuestion>(&bytes).unwrap(), question);
    // Five limbs for each bin.
    let coding = syndic_round::Coding::new(syndic_round::ParameterSet::S32, 16);
    let layout = question.layout().unwrap();
    assert_eq!(layout.blocks().iter().map(|block| coding.limbs(block)).collect::<Vec<_>>(), [2, 2, 1]);
}
