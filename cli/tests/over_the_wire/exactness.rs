//! What a federation computes is what its institutions hold, to the last digit that is promised.

use syndic_learning::{ColumnKind, Transform};

use crate::recorded::recorded;

#[test]
fn the_decoded_sum_equals_the_plaintext_integer_sum_of_the_survivors_in_every_round() {
    let recorded = recorded();
    let closed: Vec<_> =
        recorded.rounds.iter().filter_map(|round| Some((round, round.closed.as_ref()?))).collect();
    assert_eq!(closed.len(), 1 + 3 + 3, "statistics, training, evaluation");
    assert!(closed.iter().any(|(_, (_, survivors))| survivors.len() == 4), "no round with one dropped");
    assert!(closed.iter().any(|(_, (_, survivors))| survivors.len() == 5));

    for (round, _) in closed {
        let answer = |id| recorded.participant(id).answer(round.plan.id).expect("a survivor answered");
        let (opened, expected) = round.sums(answer).unwrap();
        assert_eq!(opened.steps(), expected.steps(), "{} in round {}", round.kind, round.plan.id);
        assert_eq!(opened.survivors(), expected.survivors());
        assert!(opened.steps().iter().any(|&step| step != 0));
    }
}

#[test]
fn an_upload_is_four_bytes_a_padded_parameter() {
    let recorded = recorded();
    let mut uploads = 0;
    for round in &recorded.rounds {
        assert_eq!(round.plan.coefficients() % 2048, 0);
        for (_, upload, ciphertext) in &round.uploads {
            assert_eq!(upload.bytes, 4 * round.plan.coefficients() as u64, "{}", round.kind);
            assert_eq!(ciphertext.len() as u64, upload.bytes);
            uploads += 1;
        }
    }
    assert!((7 * 4..7 * 5).contains(&uploads), "all institutions but the one that is stopped: {uploads}");
    let submitted = recorded.entries.iter().filter(|entry| entry.kind == "syndic.round.submitted");
    for entry in submitted {
        let chunks = entry.data["ciphertext"]["chunks"].as_u64().unwrap();
        assert_eq!(entry.data["ciphertext"]["bytes"].as_u64().unwrap(), 4 * 2048 * chunks);
    }

    let protection = &recorded.result.protection;
    assert_eq!((protection.protocol.as_str(), protection.parameter_set.as_str()), ("KSA/1", "KSA-S32"));
    assert_eq!(protection.bytes_per_parameter, 4.0);
    assert_eq!((protection.parameters, protection.padded_parameters), (51, 2048));
    assert_eq!((protection.cohort, protection.threshold), (5, 4));
    assert_eq!(protection.upload_bytes_per_round, 4 * 2048);
}

#[test]
fn live_metrics_agree_with_exact_ones() {
    let recorded = recorded();
    let (live, exact) = (recorded.result.metrics.live.unwrap(), recorded.result.metrics.federated);
    assert_eq!(recorded.result.rounds.released, 3, "the last model is the one that is measured exactly");
    let last = recorded.entries.iter().rfind(|entry| entry.kind == "syndic.job.progress").unwrap();
    assert_eq!(last.data["training_round"], 3);
    let in_ledger =
        |figure: &str| -> f64 { last.data["metrics"]["test"][figure].as_str().unwrap().parse().unwrap() };

    for (figure, live, exact) in [
        ("roc_auc", live.roc_auc, exact.roc_auc),
        ("pr_auc", live.pr_auc, exact.pr_auc),
        ("log_loss", live.log_loss, exact.log_loss),
    ] {
        assert!((live - exact).abs() < 1e-3, "{figure}: live {live}, exact {exact}");
        assert!((in_ledger(figure) - live).abs() < 1e-8, "{figure} in the ledger");
    }
}

#[test]
fn standardisation_is_exact_to_a_ten_thousandth_of_a_standard_deviation() {
    let recorded = recorded();
    let found = &recorded.model.standardisation;
    let mut rows = recorded.table.rows().unwrap();
    let fold = rows.position("fold", "").unwrap();
    let numeric: Vec<(usize, Transform)> = recorded
        .model
        .contract
        .columns
        .iter()
        .filter_map(|column| match column.kind {
            ColumnKind::Numeric { transform, .. } => {
                Some((rows.position(&column.name, "").unwrap(), transform))
            }
            ColumnKind::Categorical { .. } => None,
        })
        .collect();
    let mut columns = vec![Vec::new(); numeric.len()];
    while let Some((_, row)) = rows.next_row().unwrap() {
        if &row[fold] == "0" {
            continue;
        }
        for (values, (position, transform)) in columns.iter_mut().zip(&numeric) {
            let value: f64 = row[*position].parse().unwrap();
            values.push(match transform {
                Transform::Identity => value,
                Transform::Slog1p => value.signum() * (1.0 + value.abs()).ln(),
            });
        }
    }

    assert_eq!((found.mean.len(), columns.len(), columns[0].len()), (6, 6, 36_171));
    for (column, values) in columns.iter().enumerate() {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((found.mean[column] - mean).abs() < 1e-4 * sd, "mean of numeric column {column}");
        assert!((found.sd[column] - sd).abs() < 1e-4 * sd, "deviation of numeric column {column}");
    }
}
