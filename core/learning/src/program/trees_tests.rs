use std::sync::Arc;

use super::*;
use crate::JobTable;
use crate::fixture;
use crate::job::{FairnessTerms, Grouping, ProgramTerms};
use crate::program::boosted_trees::BoostedTreesTerms;
use crate::program::run::tests::{ALL, job, run, tables};
use crate::reference;

fn of_trees(trees: u32) -> Job {
    let terms = BoostedTreesTerms { depth: 3, min_rows: 10, ..Default::default() };
    Job { program: ProgramTerms::BoostedTrees(Box::new(terms.into())), ..job(trees) }
}

#[test]
fn a_job_grows_the_trees_of_pooled_training_and_measures_each() {
    let (job, tables) = (of_trees(5), tables(false));
    let (run, outcome, sums) = run(&job, &tables, |_| ALL.to_vec());
    let pooled = reference::fit(&job, &tables.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(outcome.model, pooled);
    assert_eq!(outcome.released_round, 5);
    assert_eq!(
        run.metrics().iter().map(|metrics| metrics.training_round).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    // Statistics, cells, and of each tree at most three depths and its evaluation.
    assert!((10..=2 + 5 * 4).contains(&sums.len()), "{}", sums.len());
    assert_eq!(run.trained_rounds(), 5);
}

#[test]
fn with_validation_rows_the_trees_after_the_best_are_cut_off() {
    let mut job = of_trees(12);
    let mut terms = job.trees().unwrap();
    // Steps so long that they learn rows by heart.
    (terms.learning_rate, terms.l2, terms.min_rows, terms.depth) = (1.0, 0.0, 1, 5);
    job.program = ProgramTerms::BoostedTrees(Box::new(terms.into()));
    let tables = tables(true);
    let (run, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    let loss = |metrics: &&RoundMetrics| metrics.validation.unwrap().log_loss;
    let best = run.metrics().iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert_eq!(outcome.released_round, best.training_round);
    assert!(outcome.released_round < 12, "the case is no test if the last round is the best");
    let Model::Trees(model) = &outcome.model else { panic!("trees") };
    assert_eq!(model.ensemble.trees.len() as u32, outcome.released_round);
    assert_eq!(outcome.model, reference::fit(&job, &tables.iter().collect::<Vec<_>>()).unwrap());
}

#[test]
fn without_a_better_tree_for_long_enough_no_more_are_grown() {
    let mut job = of_trees(12);
    let mut terms = job.trees().unwrap();
    (terms.learning_rate, terms.l2, terms.min_rows, terms.depth) = (1.0, 0.0, 1, 5);
    job.program = ProgramTerms::BoostedTrees(Box::new(terms.into()));
    let tables = tables(true);
    let (all, patient, all_sums) = run(&job, &tables, |_| ALL.to_vec());
    job.rounds.patience = Some(2);
    let (stopped, outcome, sums) = run(&job, &tables, |_| ALL.to_vec());
    assert_eq!(stopped.trained_rounds(), outcome.released_round + 2, "two that were no better");
    assert!(sums.len() < all_sums.len(), "what is not asked is not told");
    let grown = stopped.metrics().len();
    assert_eq!(stopped.metrics(), &all.metrics()[..grown]);
    assert_eq!(
        patient.released_round, outcome.released_round,
        "of these rows the first good model is the best"
    );
    assert_eq!(outcome.model, reference::fit(&job, &tables.iter().collect::<Vec<_>>()).unwrap());
}

#[test]
fn nobody_is_impatient_without_validation_rows() {
    let (mut job, tables) = (of_trees(4), tables(false));
    job.rounds.patience = Some(1);
    let (run, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    assert_eq!((run.trained_rounds(), outcome.released_round), (4, 4));
}

#[test]
fn groups_are_compared_by_trees_too() {
    let groups = vec![Grouping { column: "job".into(), bands: Vec::new() }];
    let mut job = of_trees(2);
    job.fairness = Some(FairnessTerms { flagged: 0.2, min_rows: 20, groups });
    let tables = tables(false);
    let (_, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    let references: Vec<_> = tables.iter().collect();
    let terms = job.fairness.as_ref().unwrap();
    let exact = crate::program::fairness::measured(&outcome.model, &references, terms, 4096).unwrap();
    assert_eq!(outcome.fairness.unwrap(), exact);
}

#[test]
fn each_encrypted_round_has_a_place_of_its_own_though_institutions_come_and_go() {
    let (job, tables) = (of_trees(3), tables(false));
    let mut run = JobRun::new(&job);
    let mut slots = Vec::new();
    let mut next = run.next(None).unwrap();
    while let Next::Ask(question) = next {
        question.approved_by(&job).unwrap();
        slots.push(question.slot());
        let here = |k: &usize| slots.len() < 2 || !(slots.len() + k).is_multiple_of(3);
        let here: Vec<&Table> = ALL.iter().filter(|k| here(k)).map(|k| &tables[*k]).collect();
        let sum = tests::sum_of(&here, 5, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&question, table, rng).unwrap()
        });
        next = run.next(Some(&sum)).unwrap();
    }
    let mut distinct = slots.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), slots.len(), "{slots:?}");
}

#[test]
fn a_question_about_trees_is_not_one_of_a_job_without_any() {
    let tables = tables(false);
    let approved = of_trees(2);
    let (_, _, sums) = run(&approved, &tables, |_| ALL.to_vec());
    let mut run = JobRun::new(&approved);
    for sum in &sums[..2] {
        let Next::Ask(question) = run.next(Some(sum)).unwrap() else { panic!("training goes on") };
        assert_eq!(question.training_round(), Some(1));
        assert!(question.approved_by(&approved).is_ok());
        assert_eq!(question.approved_by(&job(2)).unwrap_err().code(), "program.not-approved");
        let mut shallow = approved.clone();
        shallow.contract = fixture::contract();
        shallow.contract.max_rows += 1;
        assert_eq!(question.approved_by(&shallow).unwrap_err().code(), "program.not-approved");
    }
}

#[test]
fn a_table_that_remembers_answers_as_one_that_does_not() {
    let (job, tables) = (of_trees(3), tables(true));
    let table = Arc::new(fixture::table(400, 0.0, true, 0));
    let mut remembering = JobTable::new(table.clone());
    let mut run = JobRun::new(&job);
    let mut next = run.next(None).unwrap();
    let mut asked = 0;
    while let Next::Ask(question) = next {
        let [fresh, kept] = [
            JobRun::answer(&question, &table, &mut fixture::rng(1)).unwrap(),
            remembering.answer(&question, &mut fixture::rng(1)).unwrap(),
        ];
        assert_eq!(fresh.values(), kept.values(), "{}", question.slot());
        let references: Vec<&Table> = tables.iter().collect();
        let sum = tests::sum_of(&references, 5, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&question, table, rng).unwrap()
        });
        next = run.next(Some(&sum)).unwrap();
        asked += 1;
    }
    assert!(asked > 8);
}
