//! The section `[promotion]`.

use super::*;

const PROMOTION: &str = r#"
[promotion]
name = "response"
min_roc_auc = 0.75
max_log_loss = 0.4
max_fairness_gap = 0.1
not_worse_than_champion = 0.005

[fairness]
groups = [{ column = "job" }]
"#;

#[test]
fn gates_are_read_and_written_again_and_may_be_left_out() {
    let job = Job::from_toml(&format!("{FILE}{PROMOTION}")).unwrap();
    let terms = job.promotion.clone().unwrap();
    assert_eq!((job.model_name(), terms.min_roc_auc, terms.max_psi), ("response", Some(0.75), None));
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let without = Job::from_toml(FILE).unwrap();
    assert_eq!((without.promotion.clone(), without.model_name()), (None, "small"), "the contract's name");
    assert!(!without.to_toml().unwrap().contains("promotion"));
    let empty = Job::from_toml(&format!("{FILE}[promotion]\n")).unwrap();
    assert_eq!(empty.promotion, Some(PromotionTerms::default()));
    assert_eq!(Job::from_toml(&empty.to_toml().unwrap()).unwrap(), empty);
}

#[test]
fn gates_that_make_no_sense_are_refused_with_their_line() {
    let cases = [
        ("name = \"response\"", "name = \"The Response\"", "job.bad-name"),
        ("min_roc_auc = 0.75", "min_roc_auc = 75", "job.out-of-range"),
        ("max_log_loss = 0.4", "max_log_loss = \"low\"", "job.wrong-type"),
        ("max_log_loss = 0.4", "max_log_los = 0.4", "job.unknown-key"),
        ("[fairness]\ngroups = [{ column = \"job\" }]\n", "", "promotion.not-measured"),
    ];
    for (from, to, code) in cases {
        assert!(PROMOTION.contains(from), "{from}");
        let errors = Job::from_toml(&format!("{FILE}{}", PROMOTION.replacen(from, to, 1))).expect_err(to);
        assert_eq!(errors[0].code, code, "{to}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{to}");
    }
}
