//! Training with record-level noise, and its bars.

use super::catalogue::{Ask, Bar, Program, Split};

/// Gradients with noise for each row, which all institutions add together or each of them alone. On `site` alone: a sum over all rows does
/// not depend on how they are cut.
macro_rules! noisy {
    ($name:ident, $short:literal, $whose:literal, $epsilon:literal, $noise:literal, $bar:expr) => {
        pub(super) const $name: Program = Program {
            title: concat!("logistic-regression with noise of ", $whose, ", epsilon ", $epsilon),
            short: $short,
            section: "[program]\nname = \"logistic-regression\"\nsolver = \"noisy-gradient\"\nl2 = 0.0001\n",
            rounds: 100,
            only: Some(&[
                ("credit_default", Split::Site),
                ("bank_marketing", Split::Site),
                ("telco_churn", Split::Site),
            ]),
            noise: Some(concat!(
                "[privacy]\nmode = \"record-level\"\nepsilon = ",
                $epsilon,
                ".0\ndelta = 1e-5\n",
                $noise
            )),
            validation: None,
            bars: &[$bar],
        };
    };
}

noisy!(
    SHARED_NOISE_8,
    "shared-noise-8",
    "all institutions together",
    "8",
    "noise = \"distributed\"\nhonest = {n}\n\n[protection]\nparameter_set = \"KSA-S32\"\nthreshold = {n}\ncolluding = 0\n",
    Bar {
        name: "G1",
        says: "epsilon 8, the noise of all institutions suffices: AUC at most 0.003 below pooled training without noise, log-loss \
               at most 0.006 above",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.003, log_loss: Some(0.006) },
    }
);

noisy!(
    SHARED_NOISE_3,
    "shared-noise-3",
    "all institutions together",
    "3",
    "noise = \"distributed\"\nhonest = {n}\n\n[protection]\nparameter_set = \"KSA-S32\"\nthreshold = {n}\ncolluding = 0\n",
    Bar {
        name: "G1",
        says: "epsilon 3, the noise of all institutions suffices: AUC at most 0.005 below pooled training without noise, log-loss \
               at most 0.006 above",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.005, log_loss: Some(0.006) },
    }
);

noisy!(
    SHARED_NOISE_1,
    "shared-noise-1",
    "all institutions together",
    "1",
    "noise = \"distributed\"\nhonest = {n}\n\n[protection]\nparameter_set = \"KSA-S32\"\nthreshold = {n}\ncolluding = 0\n",
    Bar {
        name: "G1",
        says: "epsilon 1, the noise of all institutions suffices: AUC at most 0.006 below pooled training without noise, log-loss \
               at most 0.008 above",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.006, log_loss: Some(0.008) },
    }
);

noisy!(
    OWN_NOISE_8,
    "own-noise-8",
    "each institution alone",
    "8",
    "noise = \"local\"\n\n[protection]\nparameter_set = \"KSA-S32\"\n",
    Bar {
        name: "G2",
        says: "epsilon 8, the noise of each institution suffices: AUC at most 0.004 below pooled training without noise",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.004, log_loss: None },
    }
);

noisy!(
    OWN_NOISE_3,
    "own-noise-3",
    "each institution alone",
    "3",
    "noise = \"local\"\n\n[protection]\nparameter_set = \"KSA-S32\"\n",
    Bar {
        name: "G2",
        says: "epsilon 3, the noise of each institution suffices: AUC at most 0.007 below pooled training without noise",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.007, log_loss: None },
    }
);

noisy!(
    OWN_NOISE_1,
    "own-noise-1",
    "each institution alone",
    "1",
    "noise = \"local\"\n\n[protection]\nparameter_set = \"KSA-S32\"\n",
    Bar {
        name: "G2",
        says: "epsilon 1, the noise of each institution suffices: AUC at most 0.018 below pooled training without noise",
        split: Some(Split::Site),
        ask: Ask::NearPooled { auc: 0.018, log_loss: None },
    }
);
