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
    /// How many institutions `site` makes.
    pub(crate) sites: u32,
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
    /// The sections `[privacy]` and `[protection]` of a job with noise, which compares no groups; `{n}` stands for the number of
    /// institutions.
    pub(crate) noise: Option<&'static str>,
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
        sites: 5,
        gate: true,
    },
    Table {
        name: "bank_marketing",
        in_repository: Some("examples/bank-marketing/bank_marketing.csv.gz"),
        job: Some("examples/bank-marketing/job.toml"),
        l2: 1e-4,
        fairness: "",
        sites: 5,
        gate: true,
    },
    Table {
        name: "telco_churn",
        in_repository: None,
        job: Some("examples/jobs/telco-churn.toml"),
        l2: 1e-4,
        fairness: FAIRNESS_TELCO,
        sites: 3,
        gate: true,
    },
    Table {
        name: "iranian_churn",
        in_repository: None,
        job: None,
        l2: 1e-3,
        fairness: "",
        sites: 3,
        gate: false,
    },
    Table {
        name: "german_credit",
        in_repository: None,
        job: None,
        l2: 1e-2,
        fairness: "",
        sites: 3,
        gate: false,
    },
];

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

#[cfg(test)]
mod tests {
    use super::super::programs::PROGRAMS;
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
