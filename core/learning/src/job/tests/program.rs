//! The section `[program]`.

use super::*;

#[test]
fn terms_of_another_solver_are_refused() {
    let refused = errors("solver = \"fed-avg\"", "solver = \"newton\"");
    let keys = ["local_epochs", "batch_size", "learning_rate =", "learning_rate_decay"];
    assert_eq!(refused, keys.map(|key| ("job.other-solver", line_of(key))));
    assert_eq!(
        errors("solver = \"fed-avg\"", "solver = \"fed-avg\"\nencoding = \"drop-first\""),
        [("job.other-solver", line_of("solver").map(|line| line + 1))]
    );
}

/// The file with trees in the place of its program.
fn of_trees(terms: &str) -> String {
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    format!("{}[program]\nname = \"boosted-trees\"\n{terms}\n{}", &FILE[..start], &FILE[end..])
}

#[test]
fn terms_of_trees_are_read_and_written_again() {
    let text = of_trees("depth = 3\nincreasing = [\"age\"]\nl2 = 5");
    let job = Job::from_toml(&text).unwrap();
    let terms = job.trees().unwrap();
    // A training round grows a tree.
    assert_eq!((terms.trees, terms.depth, terms.l2), (20, 3, 5.0));
    assert_eq!(terms.increasing, ["age"]);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
}

#[test]
fn patience_is_for_programs_whose_every_round_is_measured() {
    let patient = |text: &str| text.replace("[rounds]\n", "[rounds]\npatience = 3\n");
    let job = Job::from_toml(&patient(&of_trees("depth = 3"))).unwrap();
    assert_eq!(job.rounds.patience, Some(3));
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    assert!(!Job::from_toml(&of_trees("depth = 3")).unwrap().to_toml().unwrap().contains("patience"));
    let newton = FILE.replace("solver = \"fed-avg\"", "solver = \"newton\"");
    let codes = |text: &str| -> Vec<&str> {
        Job::from_toml(text).unwrap_err().iter().map(|diagnostic| diagnostic.code).collect()
    };
    assert!(codes(&patient(&newton)).contains(&"job.patience"));
    assert!(!codes(&newton).contains(&"job.patience"));
    assert_eq!(
        codes(&of_trees("depth = 3").replace("[rounds]\n", "[rounds]\npatience = 0\n")),
        ["job.out-of-range"]
    );
}

#[test]
fn terms_of_trees_that_make_no_sense_are_refused() {
    for (terms, code) in [
        ("depth = 9", "job.out-of-range"),
        ("bins = 65", "job.out-of-range"),
        ("trees = 100", "job.unknown-key"),
        ("batch_size = 3", "job.other-program"),
        ("dept = 3", "job.unknown-key"),
        ("increasing = [\"job\"]", "job.trees"),
        ("increasing = [\"age\"]\ndecreasing = [\"age\"]", "job.trees"),
        ("l2 = 0\nmin_hessian = 0", "job.trees"),
    ] {
        let errors = Job::from_toml(&of_trees(terms)).expect_err(terms);
        assert_eq!((errors[0].code, errors.len()), (code, 1), "{terms}: {errors:?}");
    }
    let misspelt = Job::from_toml(&of_trees("dept = 3")).unwrap_err().remove(0).help;
    assert!(misspelt.contains("depth") && !misspelt.contains("trees"), "{misspelt}");
    assert_eq!(errors("solver = \"fed-avg\"", "solver = \"fed-avg\"\ndepth = 3")[0].0, "job.other-program");
    let shared =
        of_trees("depth = 3").replacen("[protection]", "[protection]\nsmall_vectors = \"shared\"", 1);
    assert_eq!(Job::from_toml(&shared).unwrap_err()[0].code, "protection.small-vectors");
    // Each question holds all trees so far.
    let large = of_trees("depth = 8").replacen("count = 20", "count = 2000", 1);
    assert_eq!(Job::from_toml(&large).unwrap_err()[0].code, "job.trees");
    let many = of_trees("depth = 3").replacen("count = 20", "count = 2001", 1);
    assert_eq!(Job::from_toml(&many).unwrap_err()[0].code, "job.out-of-range");
}

#[test]
fn a_solver_that_is_not_named_is_the_one_that_suits_the_inputs() {
    use crate::job::{Encoding, ProgramTerms, Solver};
    let solver = |levels: usize, written: &str| {
        let levels: Vec<String> = (0..levels).map(|level| format!("\"level {level}\"")).collect();
        let of_fed_avg = [
            "local_epochs = 2\n",
            "batch_size = 64\n",
            "learning_rate = 0.1\n",
            "learning_rate_decay = 0.97\n",
        ];
        let text = of_fed_avg.iter().fold(FILE.to_owned(), |text, key| {
            assert!(text.contains(key), "{key}");
            text.replacen(key, "", 1)
        });
        let text = text.replacen("solver = \"fed-avg\"", written, 1);
        let text = text.replacen(
            "levels = [\"office\", \"field\", \"none\"]",
            &format!("levels = [{}]", levels.join(", ")),
            1,
        );
        let job = Job::from_toml(&text).map_err(|errors| errors[0].code)?;
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        let ProgramTerms::LogisticRegression(terms) = job.program else { panic!("another program") };
        Ok(terms.solver)
    };
    assert_eq!(solver(3, ""), Ok(Solver::Newton { encoding: Encoding::AllLevels, class_weights: None }));
    assert!(matches!(solver(600, ""), Ok(Solver::FedAvg(_))));
    let drop_first = "solver = \"newton\"\nencoding = \"drop-first\"";
    assert_eq!(
        solver(300, drop_first),
        Ok(Solver::Newton { encoding: Encoding::DropFirst, class_weights: None })
    );
    assert_eq!(solver(600, drop_first), Err("job.too-many-inputs"));
    let newton = "solver = \"newton\"";
    assert_eq!(
        solver(600, newton),
        Ok(Solver::Newton { encoding: Encoding::AllLevels, class_weights: None })
    );
    assert_eq!(solver(2001, newton), Err("job.too-many-inputs"));
}

/// The file with a scorecard in the place of its program.
fn of_scorecard(terms: &str) -> String {
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    format!("{}[program]\nname = \"scorecard\"\n{terms}\n{}", &FILE[..start], &FILE[end..])
}

#[test]
fn terms_of_a_scorecard_are_read_and_written_again() {
    let text = of_scorecard("max_bins = 5\nincreasing = [\"age\"]\npoints = { base = 500, to_double = 40 }");
    let job = Job::from_toml(&text).unwrap();
    let terms = job.program.scorecard().unwrap();
    assert_eq!((terms.max_bins, terms.min_count, terms.min_iv), (5, 50, 0.02));
    assert_eq!(terms.increasing, ["age"]);
    assert_eq!((terms.points.base, terms.points.odds, terms.points.to_double), (500.0, 50.0, 40.0));
    assert!(!job.program.measures_every_round() && !job.program.is_linear());
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
}

#[test]
fn terms_of_a_scorecard_that_make_no_sense_are_refused() {
    for (terms, code) in [
        ("max_bins = 21", "job.out-of-range"),
        ("min_count = 9", "job.out-of-range"),
        ("points = { odds = 0 }", "job.out-of-range"),
        ("points = { pdo = 20 }", "job.unknown-key"),
        ("free = [\"nothing\"]", "job.scorecard"),
        ("max_bins = 8\ncoarse_bins = 4", "job.scorecard"),
        ("solver = \"newton\"", "job.other-program"),
        ("depth = 3", "job.other-program"),
        ("batch_size = 3", "job.other-program"),
        ("hidden = [3]", "job.other-program"),
        ("class_weights = 3", "job.other-program"),
        ("clip = 3", "job.other-program"),
    ] {
        let errors = Job::from_toml(&of_scorecard(terms)).unwrap_err();
        assert_eq!((errors[0].code, errors.len()), (code, 1), "{terms}: {errors:?}");
    }
    let foreign = FILE.replacen("[program]", "[program]\nmin_iv = 0.1", 1);
    let errors = Job::from_toml(&foreign).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["job.other-program"]);
}

#[test]
fn terms_of_another_program_have_one_code_whatever_the_programs_are() {
    let programs = [
        ("logistic-regression", "encoding = \"drop-first\""),
        ("boosted-trees", "min_gain = 0.5"),
        ("neural-network", "hidden = [4]"),
        ("scorecard", "min_iv = 0.1"),
        ("external", "clip = 4.0"),
    ];
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    for (name, own) in programs {
        for (other, term) in programs.iter().filter(|(other, _)| *other != name) {
            let external = "trainer = \"t/1\"\nclip = 4.0\ntensors = [{ name = \"w\", shape = [2] }]";
            let own = if name == "external" { external } else { own };
            let program = format!("[program]\nname = \"{name}\"\n{own}\n{term}\n");
            let errors = Job::from_toml(&format!("{}{program}{}", &FILE[..start], &FILE[end..])).unwrap_err();
            let found: Vec<_> = errors.iter().map(|error| error.code).collect();
            assert_eq!(found, ["job.other-program"], "{other}'s `{term}` in {name}: {errors:?}");
            assert!(errors[0].line.is_some() && errors[0].help.contains("name = "), "{errors:?}");
        }
    }
}

#[test]
fn a_column_that_is_none_is_told_where_it_stands_with_the_one_that_may_be_meant() {
    for text in
        [of_trees("depth = 3\nincreasing = [\"agee\"]"), of_scorecard("min_iv = 0\nfree = [\"agee\"]")]
    {
        let line = text.lines().position(|line| line.contains("agee")).unwrap() + 1;
        let errors = Job::from_toml(&text).unwrap_err();
        assert_eq!((errors.len(), errors[0].line), (1, Some(line)), "{errors:?}");
        assert!(
            errors[0].column.unwrap() > 8 && errors[0].help.starts_with("did you mean `age`?"),
            "{errors:?}"
        );
    }
    let text = of_scorecard("max_bins = 8\ncoarse_bins = 4");
    let line = text.lines().position(|line| line.contains("coarse_bins")).unwrap() + 1;
    assert_eq!(Job::from_toml(&text).unwrap_err()[0].line, Some(line));
}

#[test]
fn a_value_of_the_wrong_type_is_told_in_words() {
    let told = |terms: &str| Job::from_toml(&of_trees(terms)).unwrap_err().remove(0).message;
    assert_eq!(told("depth = 3.5"), "`depth` must be a whole number, and this is a number with a fraction");
    assert_eq!(told("l2 = inf"), "`l2` must be a finite number, and this is no finite number");
    assert_eq!(told("l2 = \"much\""), "`l2` must be a finite number, and this is a string");
    assert_eq!(
        told("increasing = [\"age\", 3]"),
        "`increasing` must be an array of strings, and this in it is a whole number"
    );
    let network =
        of_trees("").replacen("boosted-trees", "neural-network\"\nhidden = [8, \"x\"]\nseed = 1 # \"", 1);
    let errors = Job::from_toml(&network).unwrap_err();
    assert_eq!(errors[0].message, "`hidden` must be an array of finite numbers, and this in it is a string");
}

#[test]
fn class_weights_are_a_term_of_newton_too() {
    use crate::job::{ProgramTerms, Solver};
    use crate::program::neural_network::ClassWeights;
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    let file = |terms: &str| {
        format!("{}[program]\nname = \"logistic-regression\"\n{terms}\n{}", &FILE[..start], &FILE[end..])
    };
    for (written, weights) in [
        ("", None),
        ("class_weights = \"balanced\"", Some(ClassWeights::BALANCED)),
        ("class_weights = 2.5", Some(ClassWeights::Positive(2.5))),
    ] {
        let job = Job::from_toml(&file(&format!("solver = \"newton\"\n{written}"))).unwrap();
        let ProgramTerms::LogisticRegression(terms) = &job.program else { panic!("another program") };
        assert!(matches!(terms.solver, Solver::Newton { class_weights, .. } if class_weights == weights));
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_str::<Job>(&serde_json::to_string(&job).unwrap()).unwrap(), job);
    }
    let noisy = file("solver = \"noisy-gradient\"\nclass_weights = 2");
    let codes: Vec<_> = Job::from_toml(&noisy).unwrap_err().iter().map(|error| error.code).collect();
    assert!(codes.contains(&"job.other-solver"), "{codes:?}");
}
