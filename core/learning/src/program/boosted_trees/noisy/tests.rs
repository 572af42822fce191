use super::answer::steps_of_row;
use super::*;
use crate::fixture::{self, rng, uniform};
use crate::job::{Privacy, ProgramTerms};
use crate::onnx;
use crate::program::question::Question;
use crate::program::run::{JobRun, Outcome, tests as runs};
use crate::table::Role;
use crate::{JobTable, Model, Scoring as _, TableBuilder};

fn of_terms(terms: RandomTreesTerms, rounds: u32, epsilon: f64) -> Job {
    let privacy = runs::record_level(epsilon, 2);
    Job {
        program: ProgramTerms::BoostedTrees(Box::new(TreesTerms::Random(terms))),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(rounds)
    }
}

fn job(rounds: u32, epsilon: f64) -> Job {
    of_terms(RandomTreesTerms { trees_per_round: 5, depth: 3, ..Default::default() }, rounds, epsilon)
}

/// The job on these tables; each question is one that a participant answers, and what is foretold of the next comes true.
fn run(job: &Job, tables: &[Table]) -> (Vec<NoisyTreesQuestion>, Outcome) {
    let mut run = JobRun::new(job);
    let mut next = run.next(None).unwrap();
    let mut asked = Vec::new();
    loop {
        let question = match next {
            Next::Ask(question) => question,
            Next::Done(ending) => return (asked, ending.into_released().unwrap()),
        };
        question.approved_by(job).unwrap();
        let read = Question::from_bytes(&question.to_bytes().unwrap()).unwrap();
        assert_eq!(read, question);
        let all: Vec<&Table> = tables.iter().collect();
        let institutions = all.len() as u16;
        let sum = runs::sum_of(&all, institutions, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&read, table, rng).unwrap()
        });
        let foretold = run.next_layout();
        next = run.next(Some(&sum)).unwrap();
        let layout = match &next {
            Next::Ask(question) => Some(question.layout().unwrap()),
            Next::Done(_) => None,
        };
        assert_eq!(foretold, layout);
        if let Question::NoisyTrees(question) = question {
            asked.push(question);
        }
    }
}

fn auc(model: &Model, tables: &[Table]) -> f64 {
    let metrics = model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Test).unwrap().unwrap();
    metrics.roc_auc.unwrap()
}

/// Questions of all rounds, and the job.
fn questions() -> (Job, Vec<NoisyTreesQuestion>) {
    let job = job(4, 50.0);
    let (asked, _) = run(&job, &runs::tables(false));
    (job, asked)
}

#[test]
fn with_hardly_any_noise_they_rank_about_as_trees_with_the_best_splits_do() {
    let job = job(30, 100.0);
    let tables = runs::tables(true);
    let (asked, outcome) = run(&job, &tables);
    assert_eq!((asked.len(), outcome.released_round), (30, 30));
    let Model::Trees(model) = &outcome.model else { panic!("trees") };
    assert_eq!(model.ensemble.trees.len(), 29 * 5);
    let pooled = crate::reference::fit(&job, &tables.iter().collect::<Vec<_>>()).unwrap();
    let (ours, best) = (auc(&outcome.model, &tables), auc(&pooled, &tables));
    assert!(ours > 0.72 && ours > best - 0.03, "{ours} {best}");
    // Labels follow age first, then job.
    let gains: Vec<f64> = model.importance().iter().map(|of| of.gain).collect();
    assert!(gains[0] > gains[2] && gains[1] > gains[2], "{gains:?}");
}

#[test]
fn nothing_but_noisy_sums_is_ever_asked_and_each_is_its_own_place() {
    let (job, asked) = questions();
    for (round, question) in (1..).zip(asked) {
        assert_eq!((question.training_round, question.survey.is_some()), (round, round > 1));
        assert_eq!(question.leaves.len(), (round as usize).saturating_sub(2) * 5 * 8);
        let question = Question::NoisyTrees(question);
        assert!(question.adds_noise() && question.kind() == "train");
        assert_eq!(question.slot(), format!("train/{round}"));
    }
    let exact = runs::job(4);
    let Next::Ask(statistics) = JobRun::new(&exact).next(None).unwrap() else { panic!("no question") };
    assert_eq!(statistics.approved_by(&job).unwrap_err().code(), "program.not-approved");
}

#[test]
fn the_first_question_is_spelled_as_ever() {
    let mut question =
        NoisyTreesQuestion::first(&fixture::contract(), job(4, 1.0).random_trees().unwrap().draws(), 77);
    question.max_rows = 9;
    let text = String::from_utf8(Question::NoisyTrees(question).to_bytes().unwrap()).unwrap();
    assert_eq!(
        text,
        "{\"bins\":131,\"columns\":3,\"draws\":{\"bins\":64,\"depth\":3,\"seed\":0,\"trees_per_round\":5},\"kind\":\"noisy-trees\",\
         \"leaves\":[],\"max_rows\":9,\"training_round\":1,\"variance\":77}"
    );
    let extra = text.replace("\"kind\"", "\"extra\":1,\"kind\"");
    assert_eq!(Question::from_bytes(extra.as_bytes()).unwrap_err().code(), "program.bad-question");
}

#[test]
fn questions_that_the_terms_do_not_lead_to_are_declined() {
    let (job, asked) = questions();
    let bent: [fn(&mut NoisyTreesQuestion); 12] = [
        |question| question.variance -= 1,
        |question| question.variance += 1,
        |question| question.draws.seed += 1,
        |question| question.draws.depth += 1,
        |question| question.draws.trees_per_round += 1,
        |question| question.draws.bins -= 1,
        |question| question.max_rows += 1,
        |question| question.training_round = 0,
        |question| question.training_round = 5,
        |question| question.training_round -= 1,
        // The counts of the first round again, under another name: its place would be another round's.
        |question| (question.survey, question.leaves) = (None, Vec::new()),
        |question| question.leaves.truncate(3),
    ];
    for (case, bend) in bent.into_iter().enumerate() {
        let mut question = asked[2].clone();
        bend(&mut question);
        let refused = question.approved_by(&job).unwrap_err();
        assert_eq!(refused.code(), "program.not-approved", "case {case}");
    }
    let mut later = asked[0].clone();
    later.survey = asked[1].survey.clone();
    assert_eq!(later.approved_by(&job).unwrap_err().code(), "program.not-approved");
    // Numbers that noise has covered are the coordinator's choice: they change nothing of what is spent.
    let mut question = asked[2].clone();
    question.leaves.fill(-100.0);
    question.survey.as_mut().unwrap().rows.fill(i32::MIN);
    assert!(question.approved_by(&job).is_ok());
    let table = fixture::table(50, 0.0, false, 1);
    assert!(NoisyTrees::answer(&question, &table, &mut rng(1)).is_ok());
}

#[test]
fn questions_that_make_no_sense_are_not_answered() {
    let (job, asked) = questions();
    let table = fixture::table(50, 0.0, false, 1);
    let bent: [fn(&mut NoisyTreesQuestion); 11] = [
        |question| question.variance = 0,
        |question| question.variance = u64::MAX,
        |question| question.draws.depth = 0,
        |question| question.draws.depth = 64,
        |question| question.draws.bins = 1,
        |question| question.draws.trees_per_round = 0,
        |question| question.draws.trees_per_round = u32::MAX,
        |question| question.columns = 4,
        |question| question.leaves[3] = 101.0,
        |question| question.survey.as_mut().unwrap().rows.truncate(9),
        |question| question.survey.as_mut().unwrap().institutions = 0,
    ];
    for (case, bend) in bent.into_iter().enumerate() {
        let mut question = asked[3].clone();
        bend(&mut question);
        let refused = NoisyTrees::answer(&question, &table, &mut rng(1)).err().unwrap();
        assert_eq!(refused.code(), "program.bad-question", "case {case}");
        assert!(question.approved_by(&job).is_err(), "case {case}");
    }
}

#[test]
fn a_row_more_or_less_moves_every_sum_by_no_more_than_is_accounted_for() {
    let plain = fixture::contract();
    let mut nullable = plain.clone();
    nullable.columns.iter_mut().for_each(|column| column.nullable = true);
    let mut longest = 0.0_f64;
    for seed in 0..400_u64 {
        let contract = if seed % 2 == 0 { &plain } else { &nullable };
        let mut rng = rng(seed);
        let mut number = |from: f64, to: f64| from + (to - from) * uniform(&mut rng);
        let rows: Vec<[String; 4]> = (0..8)
            .map(|_| {
                let mut cell =
                    |cell: String| if seed % 2 == 1 && number(0.0, 1.0) < 0.4 { String::new() } else { cell };
                let cells = [cell("18".into()), cell("none".into()), cell("-9".into())];
                let [age, job, balance] = cells;
                let age = if age.is_empty() { age } else { number(18.0, 100.0).to_string() };
                [age, job, balance, if number(0.0, 1.0) < 0.3 { "1" } else { "0" }.into()]
            })
            .collect();
        let table = |rows: &[[String; 4]]| {
            let mut builder = TableBuilder::new(contract, &["age", "job", "balance", "label"]).unwrap();
            for (row, cells) in rows.iter().enumerate() {
                builder.push(row as u64, &cells.each_ref().map(String::as_str), Role::Train);
            }
            builder.finish().unwrap()
        };
        let draws = Draws {
            depth: 1 + (seed % 5) as u32,
            trees_per_round: [1, 2, 7, 100][(seed / 4) as usize % 4],
            bins: [2, 13, 64][seed as usize % 3],
            seed: seed as u32,
        };
        let mut question = NoisyTreesQuestion::first(contract, draws, 1);
        if seed % 4 > 1 {
            let rows = (0..2 * question.bins).map(|_| number(-50.0, 500.0) as i32).collect();
            question.survey = Some(Survey { rows, institutions: 3 });
            let leaves = draws.leaves() as usize * (seed % 3) as usize;
            let scale = [0.0, 1.0, 100.0][(seed / 8) as usize % 3];
            question.leaves = (0..leaves).map(|_| scale * number(-1.0, 1.0)).collect();
        }
        let most = mechanism(&RandomTreesTerms::default(), contract, 2, 1).l2;
        let of = |rows: &[[String; 4]]| exact(&question, &table(rows)).unwrap();
        let (all, without) = (of(&rows), of(&rows[1..]));
        let squares: i64 = all.iter().zip(&without).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!(libm::sqrt(squares as f64) <= most, "{seed}: {squares}");
        longest = longest.max(libm::sqrt(squares as f64));
    }
    // A row that trees are certain of moves nothing; one in bins moves a sum as far as it may, but for roots that are not whole.
    assert!(longest > 0.99 * LONGEST as f64, "{longest}");
}

#[test]
fn a_gradient_and_three_hessians_are_no_longer_than_one_and_hardly_cut() {
    for unit in [1, 2, 997, share(10), LONGEST] {
        for step in 0..=10_000 {
            let probability = f64::from(step) / 10_000.0;
            for label in [false, true] {
                let [gradient, hessian] = steps_of_row(probability, label, unit);
                assert!(gradient * gradient + hessian * hessian <= unit * unit);
                let exact =
                    [probability - f64::from(u8::from(label)), 3.0 * probability * (1.0 - probability)];
                for (steps, exact) in [gradient, hessian].into_iter().zip(exact) {
                    assert!(
                        (steps as f64 - exact * unit as f64).abs() <= 2.0,
                        "{probability} {label} {unit}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_leaves_is_the_exact_sum_with_noise_of_the_agreed_variance() {
    let job = job(30, 1.0);
    let table = fixture::table(200, 0.0, false, 1);
    let mut question = NoisyTreesQuestion::first(&job.contract, job.random_trees().unwrap().draws(), 1);
    question.variance = job.calibration().unwrap().unwrap().variance;
    let of_leaves = Survey { rows: vec![100; 2 * question.bins as usize], institutions: 5 };
    for survey in [None, Some(of_leaves)] {
        let question = NoisyTreesQuestion { survey, ..question.clone() };
        let exact = exact(&question, &table).unwrap();
        let mut squares = Vec::new();
        for seed in 0..200 {
            let answer = NoisyTrees::answer(&question, &table, &mut rng(seed)).unwrap();
            let noise = answer.values().iter().zip(&exact).map(|(value, exact)| value - *exact as f64);
            squares.extend(noise.map(|noise| noise * noise / question.variance as f64));
        }
        let draws = squares.len() as f64;
        let mean = squares.iter().sum::<f64>() / draws;
        // A mean of squares of normal numbers is off by sqrt(2 / draws) in the mean; six times that once in 10^9.
        assert!((mean - 1.0).abs() < 6.0 * libm::sqrt(2.0 / draws), "{mean}");
    }
}

#[test]
fn a_whole_job_keeps_its_epsilon_and_one_that_ends_early_spends_less() {
    let job = job(40, 2.0);
    let calibration = job.calibration().unwrap().unwrap();
    assert!(calibration.spent.epsilon <= 2.0 && calibration.spent.epsilon > 1.99);
    assert!(calibration.after(20).unwrap().epsilon < 1.5);
    let claim = job.claim(None).unwrap().unwrap();
    assert!(claim.mechanism.contains("in each of 40 sums of all rows: the first of counts"), "{claim:?}");
    // As many sums of one row's length cost what they cost of any other program, up to what its length is.
    let noise = calibration.noise();
    let of_gaussian = crate::privacy::plan::Training::new(1.0, 40, 1e-5).unwrap();
    let least = of_gaussian.noise_for(2.0, crate::privacy::plan::Accountant::Renyi).unwrap();
    assert!((noise / least - 1.0).abs() < 1e-3, "{noise} {least}");
}

#[test]
fn splits_follow_from_the_seed_and_the_first_sum_and_divide_rows() {
    let (_, asked) = questions();
    let contract = fixture::contract();
    let trees = asked[1].asked(&contract);
    assert_eq!(trees, asked[1].clone().asked(&contract));
    let mut other = asked[1].clone();
    other.draws.seed += 1;
    assert_ne!(trees, other.asked(&contract));
    // What is asked for in one round are the trees of the next.
    let grown = asked[2].ensemble(&contract).trees;
    for (tree, grown) in trees.iter().zip(&grown) {
        assert!(tree.splits().eq(grown.splits()));
        assert_eq!((grown.leaves(), grown.depths().into_iter().max()), (8, Some(3)));
    }
    // Rows have ages from 20 to 80, and cuts are where rows are.
    let cuts: Vec<u16> = (0..400)
        .flat_map(|number| {
            let plan = survey::Plan::of(&contract, 64, asked[1].survey.as_ref().unwrap(), asked[1].variance);
            let tree = draw::tree(&plan, asked[1].draws, number, &[0.0; 8]);
            tree.splits()
                .filter(|split| split.column == 0)
                .map(|split| split.rule.clone())
                .collect::<Vec<_>>()
        })
        .filter_map(|rule| match rule {
            crate::trees::Rule::UpTo(bin) => Some(bin),
            _ => None,
        })
        .collect();
    assert!(cuts.len() > 100);
    // The first bin ends at 19.3 years; the 50th begins at 80.8.
    let outside = cuts.iter().filter(|bin| !(1..50).contains(*bin)).count();
    assert!(outside * 10 < cuts.len(), "{outside} of {}", cuts.len());
}

#[test]
fn institutions_of_one_class_of_one_row_and_without_any_value_are_like_any_other() {
    let mut contract = fixture::contract();
    contract.columns.iter_mut().for_each(|column| column.nullable = true);
    let table = |rows: &[[&str; 4]]| {
        let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        for (row, cells) in rows.iter().enumerate() {
            builder.push(row as u64, cells, Role::Train);
        }
        builder.finish().unwrap()
    };
    let negative = ["30", "office", "100", "0"];
    let tables = [
        table(&vec![negative; 40]),
        table(&[["18", "none", "200000", "1"]]),
        table(&vec![["", "", "", "0"]; 30]),
        table(&[["", "field", "-10000", "1"]; 3]),
    ];
    for epsilon in [0.5, 50.0] {
        let job = Job { contract: contract.clone(), ..job(6, epsilon) };
        let (_, outcome) = run(&job, &tables);
        let Model::Trees(model) = &outcome.model else { panic!("trees") };
        model.check().unwrap();
        for table in &tables {
            assert!(model.score(table).unwrap().iter().all(|score| (0.0..=1.0).contains(score)));
        }
    }
}

#[test]
fn a_released_model_is_read_as_it_was_written_and_has_a_file_for_others() {
    let job = Job { contract: fixture::table_with_gaps(10, 1).contract().clone(), ..job(8, 50.0) };
    let tables = [fixture::table_with_gaps(600, 1), fixture::table_with_gaps(600, 2)];
    let (_, outcome) = run(&job, &tables);
    let Model::Trees(model) = &outcome.model else { panic!("trees") };
    let bytes = model.to_safetensors().unwrap();
    assert_eq!(TreeModel::from_safetensors(&job.contract, &bytes).unwrap(), *model);
    let card = outcome.card(&bytes, Default::default());
    assert!(card.privacy.unwrap().spent.is_some_and(|spent| spent.training_rounds == 8));
    let exported =
        onnx::export(&outcome.model, &outcome.model.card(&bytes, Default::default()), "0.0.0").unwrap();
    assert_eq!(exported.inputs.len(), 3);
}

#[test]
fn a_table_that_remembers_answers_as_a_fresh_one_does() {
    let (_, asked) = questions();
    let table = std::sync::Arc::new(fixture::table(80, 0.0, false, 3));
    let mut remembers = JobTable::new(table.clone());
    for question in [0, 1, 3, 2, 1, 0].map(|round: usize| Question::NoisyTrees(asked[round].clone())) {
        let ours = remembers.answer(&question, &mut rng(5)).unwrap();
        let fresh = JobRun::answer(&question, &table, &mut rng(5)).unwrap();
        assert_eq!(ours.values(), fresh.values());
    }
}

#[test]
fn a_sum_that_is_no_answer_changes_nothing() {
    let job = job(5, 1.0);
    let mut run = JobRun::new(&job);
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("no question") };
    let Question::NoisyTrees(asked) = &question else { panic!("no trees") };
    let other = NoisyTreesQuestion { max_rows: 7, ..asked.clone() }.layout().unwrap();
    let table = fixture::table(50, 0.0, false, 1);
    let sum = runs::sum_of(&[&table], 1, &other, |_, _| {
        Contribution::new(other.clone(), vec![0.0; other.len()]).unwrap()
    });
    assert_eq!(run.next(Some(&sum)).unwrap_err().code(), "program.wrong-sum");
    assert_eq!(run.next(None).unwrap(), Next::Ask(question));
}

#[test]
fn a_trend_holds_in_every_tree_and_so_in_the_model_also_against_the_rows() {
    let tables: Vec<_> = (1..=3).map(|seed| fixture::table_with_gaps(400, seed)).collect();
    let contract = tables[0].contract().clone();
    // Labels rise with age.
    for (increasing, decreasing) in [(vec!["age".to_owned()], vec![]), (vec![], vec!["age".to_owned()])] {
        let rises = decreasing.is_empty();
        let terms =
            RandomTreesTerms { depth: 5, trees_per_round: 4, increasing, decreasing, ..Default::default() };
        let job = Job { contract: contract.clone(), ..of_terms(terms, 8, 20.0) };
        let (_, outcome) = run(&job, &tables);
        let Model::Trees(model) = &outcome.model else { panic!("trees") };
        for (job, balance) in [("office", "0"), ("none", "9000"), ("", "150000")] {
            let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
            for age in 18..=100 {
                builder.push(age, &[&age.to_string(), job, balance, "0"], Role::Train);
            }
            let scores = model.score(&builder.finish().unwrap()).unwrap();
            assert_eq!(scores.len(), 83);
            assert!(scores.is_sorted_by(|a, b| if rises { a <= b } else { a >= b }), "{job}: {scores:?}");
            assert!(!rises || scores[82] > scores[0] + 0.1, "{scores:?}");
        }
    }
}
