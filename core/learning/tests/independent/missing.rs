//! Missing values: imputation by the federation's means and indicators against `SimpleImputer` of scikit-learn, with the fits of
//! statsmodels and scikit-learn on what it makes of the pooled rows.

use super::*;

#[test]
fn weights_and_errors_beside_missing_values_are_those_of_an_imputer_and_its_indicators() {
    let Some(python) = python("sklearn, statsmodels") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (tables, text) = with_gaps();
    let csv = folder.path().join("table.csv");
    std::fs::write(&csv, text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/missing.py");
    let ran = Command::new(python).arg(script).arg(&csv).arg(L2.to_string()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let theirs: Value = serde_json::from_slice(&ran.stdout).unwrap();

    let fit = outcome_of("encoding = \"drop-first\"\nl2 = 0", &tables).fit.unwrap();
    let mut compared = 0;
    for ours in fit.inference.unwrap().iter().filter(|ours| ours.standard_error.is_some()) {
        let theirs = &theirs["unpenalised"][named(&ours.input)];
        let (coefficient, error) =
            (theirs["coefficient"].as_f64().unwrap(), theirs["standard_error"].as_f64().unwrap());
        assert!(close(ours.coefficient, coefficient, 1e-3), "{}: not {coefficient}", ours.input);
        assert!(close(ours.standard_error.unwrap(), error, 1e-3), "{}: not {error}", ours.input);
        compared += 1;
    }
    // Two numbers with their indicators, two levels and the missing one, and the intercept.
    assert_eq!(compared, 8);

    let Model::Linear(model) = outcome_of(&format!("l2 = {L2}"), &tables).model else {
        panic!("a linear model")
    };
    let names = model.contract.input_names().into_iter().chain(["(intercept)".into()]);
    for (name, ours) in names.zip(model.coefficients.to_vec()) {
        let theirs = theirs["penalised"][named(&name)].as_f64().unwrap();
        assert!(close(ours, theirs, 1e-3), "{name}: {ours} and not {theirs}");
    }
}

/// The job of nullable columns.
fn job(terms: &str) -> Job {
    let (head, _) = JOB.split_once("[[contract.columns]]").unwrap();
    let (_, tail) = JOB.split_once("[program]").unwrap();
    let columns = "
[[contract.columns]]
name = \"age\"
type = \"numeric\"
min = 0
max = 200
nullable = true

[[contract.columns]]
name = \"income\"
type = \"numeric\"
min = -1000
max = 10000
nullable = true

[[contract.columns]]
name = \"job\"
type = \"categorical\"
levels = [\"field\", \"none\", \"office\"]
nullable = true

";
    let text = format!("{head}{columns}[program]{tail}");
    Job::from_toml(&text.replacen("solver = \"newton\"", &format!("solver = \"newton\"\n{terms}"), 1))
        .unwrap()
}

/// Three unlike institutions, of which the second has no income at all, and all their rows as CSV.
fn with_gaps() -> (Vec<Table>, String) {
    let contract = job("").contract;
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let header = ["age", "income", "job", "label"];
    let mut text = header.join(",") + "\n";
    let tables = [1500, 700, 300].iter().enumerate().map(|(institution, &rows)| {
        let mut builder = TableBuilder::new(&contract, &header).unwrap();
        for row in 0..rows {
            let age = 18.0 + (uniform() * 40.0 + 10.0 * institution as f64).floor();
            let income = 100.0 * (1.0 + 8.0 * uniform() * uniform());
            let job = ["field", "none", "office"][(uniform() * 3.0) as usize];
            let gaps = [uniform() < 0.2, institution == 1 || uniform() < 0.1, uniform() < 0.15];
            let score = 0.05 * (age - 50.0) - 0.003 * income
                + if job == "none" { 1.0 } else { -0.3 }
                + if gaps[0] { 0.6 } else { 0.0 };
            let label = if uniform() < 1.0 / (1.0 + (-score).exp()) { "1" } else { "0" };
            let cells = [age.to_string(), income.to_string(), job.to_owned()];
            let kept = |column: usize| if gaps[column] { "" } else { cells[column].as_str() };
            let cells = [kept(0), kept(1), kept(2), label];
            writeln!(text, "{}", cells.join(",")).unwrap();
            builder.push(row, &cells, Role::Train);
        }
        builder.finish().unwrap()
    });
    (tables.collect(), text)
}

/// What the job with these terms comes to.
fn outcome_of(terms: &str, tables: &[Table]) -> Outcome {
    played::of_job(&job(terms), tables).unwrap()
}
