//! The section `[program]` of training by an external trainer.

use super::*;

const TERMS: &str = r#"name = "external"
trainer = "numpy-logistic/1"
clip = 4
seed = 3

[program.settings]
learning_rate = 1.0
layers = [8, 4]
names = { a = "x", b = true }

[[program.tensors]]
name = "weights"
shape = [4]

[[program.tensors]]
name = "bias"
shape = []
normal = 0.5
"#;

fn of_trainer(terms: &str) -> String {
    let start = FILE.find("[program]").unwrap();
    let end = FILE.find("[rounds]").unwrap();
    format!("{}[program]\n{terms}\n{}", &FILE[..start], &FILE[end..])
}

#[test]
fn terms_of_a_trainer_are_read_and_written_again() {
    let job = Job::from_toml(&of_trainer(TERMS)).unwrap();
    let terms = job.external().unwrap();
    assert_eq!((terms.trainer.as_str(), terms.clip, terms.elements()), ("numpy-logistic/1", 4.0, 5));
    let settings: serde_json::Value = serde_json::from_str(&terms.settings_json()).unwrap();
    let told = serde_json::json!({
        "learning_rate": 1.0, "layers": [8, 4], "names": { "a": "x", "b": true }
    });
    assert_eq!(settings, told);
    assert_eq!(job.program.name(), "external");
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), job);
}

#[test]
fn terms_of_a_trainer_that_make_no_sense_are_refused() {
    for (from, to, code) in [
        ("trainer = \"numpy-logistic/1\"\n", "", "job.missing-key"),
        ("clip = 4\n", "", "job.missing-key"),
        ("numpy-logistic/1", "numpy", "job.external"),
        ("numpy-logistic/1", "Numpy/1", "job.external"),
        ("clip = 4", "clip = 0", "job.external"),
        ("clip = 4", "clip = inf", "job.wrong-type"),
        ("learning_rate = 1.0", "learning_rate = 2026-01-01", "job.external"),
        ("learning_rate = 1.0", "learning_rate = nan", "job.external"),
        ("shape = [4]", "shape = [0]", "job.external"),
        ("shape = [4]", "shape = [1.5]", "job.external"),
        ("shape = [4]", "shape = [65536, 65536, 65536, 65536, 65536]", "job.external"),
        ("shape = [4]", "shape = [1400000]", "job.external"),
        ("name = \"bias\"", "name = \"weights\"", "job.external"),
        ("name = \"bias\"", "name = \"syndic.mean\"", "job.external"),
        ("normal = 0.5", "normal = -0.5", "job.external"),
        ("normal = 0.5", "norm = 0.5", "job.unknown-key"),
        ("seed = 3", "batch_size = 3", "job.other-program"),
    ] {
        assert!(TERMS.contains(from), "{from}");
        let errors = Job::from_toml(&of_trainer(&TERMS.replacen(from, to, 1))).expect_err(to);
        assert_eq!((errors[0].code, errors.len()), (code, 1), "{from} {to}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{to}");
    }
}
