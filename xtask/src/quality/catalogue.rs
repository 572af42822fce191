//! What is measured, and what it must reach: tables, splits, programs, bars.

/// A table that is cut into institutions.
pub(crate) struct Table {
    /// Of its file, and in the page.
    pub(crate) name: &'static str,
    /// The table, where the repository has it.
    pub(crate) in_repository: Option<&'static str>,
    /// The job with its data contract; none where `syndic job init` drafts one.
    pub(crate) job: Option<&'static str>,
    /// The penalty of linear models, chosen on fold 1 with all rows in one place.
    pub(crate) l2: f64,
    /// The groups whose treatment is compared, as a section of the job file; empty where none is.
    pub(crate) fairness: &'static str,
    /// Whether bars are asked for. Small tables are measured, but what they show is mostly chance.
    pub(crate) gate: bool,
}

/// The column that says whose a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Institutions whose customers differ.
    Site,
    /// Institutions whose shares of positives, and sizes, differ wildly.
    SiteSkew,
}

/// A program with the terms that it is measured with.
pub(crate) struct Program {
    /// In the page.
    pub(crate) title: &'static str,
    /// In names of folders.
    pub(crate) short: &'static str,
    /// The section of the job file; `{l2}` stands for the table's penalty.
    pub(crate) section: &'static str,
    /// Training rounds, at most.
    pub(crate) rounds: u32,
    /// The only splits of tables that it is run on; none where it is on all.
    pub(crate) only: Option<&'static [(&'static str, Split)]>,
    /// The fold that chooses among rounds, and among the epochs of pooled training, instead of being trained on.
    pub(crate) validation: Option<&'static str>,
    /// What it must reach.
    pub(crate) bars: &'static [Bar],
}

/// One demand.
pub(crate) struct Bar {
    /// Short, for tables.
    pub(crate) name: &'static str,
    /// The demand in words.
    pub(crate) says: &'static str,
    /// The only split that it is made on; none where on both.
    pub(crate) split: Option<Split>,
    /// The demand in figures.
    pub(crate) ask: Ask,
}

/// What a bar compares. Differences are taken on the same test rows, with pooled training of the same run.
pub(crate) enum Ask {
    /// Pooled training has these figures, AUC and log-loss, of another implementation.
    PooledIs { within: f64, figures: &'static [(&'static str, [f64; 2])] },
    /// The federation's AUC and log-loss are those of pooled training.
    IsPooled { within: f64 },
    /// The federation's AUC is at most so far below pooled training, and its log-loss so far above.
    NearPooled { auc: f64, log_loss: Option<f64> },
    /// The federation's AUC is at most so far below pooled training, by table.
    BelowPooled(&'static [(&'static str, f64)]),
    /// Training came to its minimum within so many rounds.
    Converged { rounds: u32 },
    /// The AUC after this round is at most so far below pooled training.
    Early { round: u32, auc: f64 },
    /// The federation's AUC is so far above the mean of the institutions alone, by table: on `site`, on `site_skew`.
    Gain(&'static [(&'static str, [f64; 2])]),
    /// The federation's AUC is at most so far from that of another program, by its short name, on the same table and split.
    NearOther { program: &'static str, auc: f64 },
    /// On the test rows of each institution alone, by table and split: the federation's AUC is at most `worst` below that of the
    /// institution's own model at any of them, and above it by `mean` on average, on `site` and on `site_skew`.
    AtHome { tables: &'static [&'static str], worst: f64, mean: [f64; 2] },
    /// Each gap between groups is at most so far above that of the pooled model, by table.
    Fair(&'static [(&'static str, f64)]),
    /// The federation's AUC, by table.
    AtLeast(&'static [(&'static str, f64)]),
}

impl Program {
    /// Whether there is a run of it on this table, cut this way.
    pub(crate) fn is_run_on(&self, table: &str, split: Split) -> bool {
        self.only.is_none_or(|only| only.contains(&(table, split)))
    }
}

impl Split {
    /// The column's name.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::SiteSkew => "site_skew",
        }
    }
}

pub(crate) const SPLITS: [Split; 2] = [Split::Site, Split::SiteSkew];

pub(crate) const TABLES: [Table; 5] = [
    Table {
        name: "credit_default",
        in_repository: None,
        job: Some("examples/jobs/credit-default.toml"),
        l2: 1e-3,
        fairness: FAIRNESS_CREDIT,
        gate: true,
    },
    Table {
        name: "bank_marketing",
        in_repository: Some("examples/bank-marketing/bank_marketing.csv.gz"),
        job: Some("examples/bank-marketing/job.toml"),
        l2: 1e-4,
        fairness: "",
        gate: true,
    },
    Table {
        name: "telco_churn",
        in_repository: None,
        job: Some("examples/jobs/telco-churn.toml"),
        l2: 1e-4,
        fairness: FAIRNESS_TELCO,
        gate: true,
    },
    Table { name: "iranian_churn", in_repository: None, job: None, l2: 1e-3, fairness: "", gate: false },
    Table { name: "german_credit", in_repository: None, job: None, l2: 1e-2, fairness: "", gate: false },
];

/// A program more is an entry more.
pub(crate) const PROGRAMS: [Program; 5] = [NEWTON, FED_AVG, FED_AVG_BY_LOT, BOOSTED_TREES, NEURAL_NETWORK];

/// A fifth of the test rows is acted upon. Groups of fewer than fifty rows are chance.
const FAIRNESS_CREDIT: &str = r#"[fairness]
flagged = 0.2
min_rows = 50
groups = [{ column = "sex" }, { column = "age", bands = [30, 50] }]
"#;

const FAIRNESS_TELCO: &str = r#"[fairness]
flagged = 0.2
min_rows = 50
groups = [{ column = "senior_citizen" }]
"#;

const NEWTON: Program = Program {
    title: "logistic-regression by newton",
    short: "newton",
    section: r#"[program]
name = "logistic-regression"
solver = "newton"
encoding = "all-levels"
l2 = {l2}
"#,
    rounds: 20,
    only: None,
    validation: None,
    bars: &[
        Bar {
            name: "A1",
            says: "pooled training has the AUC and the log-loss that another implementation, in Python, has on the \
                   same rows, within 0.0005",
            split: None,
            ask: Ask::PooledIs {
                within: 0.0005,
                figures: &[
                    ("credit_default", [0.7829, 0.4275]),
                    ("bank_marketing", [0.7688, 0.3023]),
                    ("telco_churn", [0.8338, 0.4312]),
                ],
            },
        },
        Bar {
            name: "A3",
            says: "the exact method comes to its minimum within 10 rounds",
            split: None,
            ask: Ask::Converged { rounds: 10 },
        },
        Bar {
            name: "exact",
            says: "AUC and log-loss are those of pooled training within 0.0005, however the rows are cut",
            split: None,
            ask: Ask::IsPooled { within: 0.0005 },
        },
        Bar {
            name: "B3",
            says: "without drift: AUC at most 0.003 below pooled training, log-loss at most 0.004 above",
            split: Some(Split::SiteSkew),
            ask: Ask::NearPooled { auc: 0.003, log_loss: Some(0.004) },
        },
        GAIN_OF_LINEAR,
        GAIN_AT_HOME,
        FAIR,
    ],
};

macro_rules! fed_avg {
    () => {
        r#"[program]
name = "logistic-regression"
solver = "fed-avg"
local_epochs = 2
batch_size = 32
learning_rate = 0.3
learning_rate_decay = 0.85
l2 = {l2}
"#
    };
}

/// The terms of the example files; they met the bars on fold 1 with folds 2 to 4 for training.
const FED_AVG: Program = Program {
    title: "logistic-regression by fed-avg",
    short: "fed-avg",
    section: fed_avg!(),
    rounds: 20,
    only: None,
    validation: None,
    bars: &[
        Bar {
            name: "B1",
            says: "within 50 rounds: AUC at most 0.003 below pooled training, log-loss at most 0.004 above",
            split: Some(Split::Site),
            ask: Ask::NearPooled { auc: 0.003, log_loss: Some(0.004) },
        },
        Bar {
            name: "B2",
            says: "within 50 rounds: AUC at most 0.006 below pooled training",
            split: Some(Split::SiteSkew),
            ask: Ask::NearPooled { auc: 0.006, log_loss: None },
        },
        Bar {
            name: "B4",
            says: "already after round 10: AUC at most 0.008 below pooled training",
            split: Some(Split::Site),
            ask: Ask::Early { round: 10, auc: 0.008 },
        },
        GAIN_OF_LINEAR,
    ],
};

/// The same where a lot draws five of ten institutions for each round.
const FED_AVG_BY_LOT: Program = Program {
    title: "logistic-regression by fed-avg, five of ten institutions in each round",
    short: "fed-avg-by-lot",
    section: concat!(fed_avg!(), "\n[cohort]\neach_round = 5\n"),
    rounds: 20,
    only: Some(&[("credit_default", Split::SiteSkew), ("bank_marketing", Split::SiteSkew)]),
    validation: None,
    bars: &[Bar {
        name: "H1",
        says: "half of the institutions absent in each round: AUC within 0.003 of the run with all of them",
        split: Some(Split::SiteSkew),
        ask: Ask::NearOther { program: "fed-avg", auc: 0.003 },
    }],
};

/// The default terms, which were chosen by log-loss on fold 1, one setting for all tables.
const BOOSTED_TREES: Program = Program {
    title: "boosted-trees",
    short: "boosted-trees",
    section: r#"[program]
name = "boosted-trees"
depth = 5
learning_rate = 0.1
l2 = 20
min_rows = 50
column_fraction = 0.8
"#,
    rounds: 80,
    only: None,
    validation: None,
    bars: &[
        Bar {
            name: "E1",
            says: "AUC on at most 64 shared bins: credit_default 0.787, bank_marketing 0.795, telco_churn 0.829",
            split: None,
            ask: Ask::AtLeast(&[
                ("credit_default", 0.787),
                ("bank_marketing", 0.795),
                ("telco_churn", 0.829),
            ]),
        },
        Bar {
            name: "exact",
            says: "AUC and log-loss are those of pooled trees on the same bins within 0.002, however the rows are cut",
            split: None,
            ask: Ask::IsPooled { within: 0.002 },
        },
        GAIN_AT_HOME,
        FAIR,
    ],
};

/// The terms of the example file. Fold 1 chooses among rounds, as any network needs.
const NEURAL_NETWORK: Program = Program {
    title: "neural-network by scaffold with Adam's steps",
    short: "network",
    section: r#"[program]
name = "neural-network"
hidden = [64]
optimiser = "scaffold"
local_steps = "adam"
batch_size = 128
learning_rate = 0.001
l2 = 1e-4
"#,
    rounds: 50,
    only: None,
    validation: Some("1"),
    bars: &[
        Bar {
            name: "C1",
            says: "within 50 rounds, the best by fold 1: AUC at most 0.005 below pooled training",
            split: Some(Split::Site),
            ask: Ask::NearPooled { auc: 0.005, log_loss: None },
        },
        Bar {
            name: "C2",
            says: "within 50 rounds, the best by fold 1: AUC below pooled training by at most 0.006 on \
                   credit_default, 0.020 on bank_marketing, 0.005 on telco_churn",
            split: Some(Split::SiteSkew),
            ask: Ask::BelowPooled(&[
                ("credit_default", 0.006),
                ("bank_marketing", 0.020),
                ("telco_churn", 0.005),
            ]),
        },
        Bar {
            name: "D1",
            says: "AUC above the mean of the institutions alone, by table and split: credit_default 0.008 on `site`, \
                   0.045 on `site_skew`; bank_marketing 0.018, 0.040",
            split: None,
            ask: Ask::Gain(&[("credit_default", [0.008, 0.045]), ("bank_marketing", [0.018, 0.040])]),
        },
        GAIN_AT_HOME,
        FAIR,
    ],
};

const GAIN_OF_LINEAR: Bar = Bar {
    name: "D1",
    says: "AUC above the mean of the institutions alone, by table and split: credit_default 0.005 on `site`, 0.025 on \
           `site_skew`; bank_marketing 0.015, 0.030; telco_churn 0.006, 0.006",
    split: None,
    ask: Ask::Gain(&[
        ("credit_default", [0.005, 0.025]),
        ("bank_marketing", [0.015, 0.030]),
        ("telco_churn", [0.006, 0.006]),
    ]),
};

const GAIN_AT_HOME: Bar = Bar {
    name: "D2",
    says: "on the test rows of each institution alone, of credit_default and bank_marketing: AUC at most 0.015 below the \
           institution's own model anywhere, and above it on average, by 0.02 on `site_skew`",
    split: None,
    ask: Ask::AtHome { tables: &["credit_default", "bank_marketing"], worst: 0.015, mean: [0.0, 0.02] },
};

const FAIR: Bar = Bar {
    name: "I1",
    says: "a fifth of the test rows acted upon: each gap between groups at most 0.03 above that of pooled training on \
           credit_default, 0.07 on telco_churn",
    split: None,
    ask: Ask::Fair(&[("credit_default", 0.03), ("telco_churn", 0.07)]),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_a_bar_belongs_to_a_table_that_is_a_gate() {
        let gates: Vec<&str> = TABLES.iter().filter(|table| table.gate).map(|table| table.name).collect();
        for bar in PROGRAMS.iter().flat_map(|program| program.bars) {
            let tables: Vec<&str> = match &bar.ask {
                Ask::PooledIs { figures, .. } | Ask::Gain(figures) => {
                    figures.iter().map(|(table, _)| *table).collect()
                }
                Ask::AtLeast(figures) | Ask::BelowPooled(figures) | Ask::Fair(figures) => {
                    figures.iter().map(|(table, _)| *table).collect()
                }
                Ask::AtHome { tables, .. } => tables.to_vec(),
                _ => continue,
            };
            assert!(!tables.is_empty() && tables.iter().all(|table| gates.contains(table)), "{}", bar.name);
        }
    }

    #[test]
    fn a_bar_that_allows_fifty_rounds_is_asked_of_no_more() {
        let says = |bar: &&Bar| bar.says.starts_with("within 50 rounds");
        let asked = PROGRAMS.iter().filter(|program| program.bars.iter().any(|bar| says(&bar)));
        assert!(asked.into_iter().all(|program| program.rounds <= 50));
    }
}
