//! Which bars a run meets, and by how much.

use std::fmt;

use super::Run;
use super::catalogue::{Ask, Bar, Split};
use super::measure::Scores;
use super::page::signed;

/// One figure of a run against one bar. A bar on AUC and log-loss has two.
pub(crate) struct Verdict {
    /// The bar.
    pub(crate) bar: &'static Bar,
    /// The program, as in [`super::catalogue::Program::short`].
    pub(crate) program: &'static str,
    /// Table and split.
    pub(crate) place: String,
    /// What was measured.
    pub(crate) what: &'static str,
    /// The figure; NaN where a run did not give any, which meets nothing.
    pub(crate) found: f64,
    /// What it may be.
    pub(crate) limit: Limit,
}

/// The side on which a figure must stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// What a table's bars say of a run, one of `all`; nothing where the table is no gate.
pub(crate) fn judge(run: &Run, all: &[Run]) -> Vec<Verdict> {
    if !run.table.gate {
        return Vec::new();
    }
    let asked = run.program.bars.iter().filter(|bar| bar.split.is_none_or(|split| split == run.split));
    let verdict = |bar, (what, found, limit)| Verdict {
        bar,
        program: run.program.short,
        place: format!("{}, {}", run.table.name, run.split.column()),
        what,
        found,
        limit,
    };
    asked.flat_map(|bar| figures(bar, run, all).into_iter().map(move |figure| verdict(bar, figure))).collect()
}

fn figures(bar: &Bar, run: &Run, all: &[Run]) -> Vec<(&'static str, f64, Limit)> {
    let measured = &run.measured;
    let Scores { auc, log_loss } = measured.federated.minus(measured.pooled);
    match bar.ask {
        Ask::PooledIs { within, figures } => {
            let Some([auc, log_loss]) = of(figures, run.table.name) else { return Vec::new() };
            let off = measured.pooled.minus(Scores { auc, log_loss });
            vec![
                ("AUC", off.auc.abs(), Limit::AtMost(within)),
                ("log-loss", off.log_loss.abs(), Limit::AtMost(within)),
            ]
        }
        Ask::IsPooled { within } => vec![
            ("AUC", auc.abs(), Limit::AtMost(within)),
            ("log-loss", log_loss.abs(), Limit::AtMost(within)),
        ],
        Ask::NearPooled { auc: below, log_loss: above } => {
            let mut figures = vec![("AUC", auc, Limit::AtLeast(-below))];
            figures.extend(above.map(|above| ("log-loss", log_loss, Limit::AtMost(above))));
            figures
        }
        Ask::BelowPooled(limits) => {
            let below = limits.iter().find(|(table, _)| *table == run.table.name);
            below.map(|(_, below)| ("AUC", auc, Limit::AtLeast(-below))).into_iter().collect()
        }
        Ask::Converged { rounds } => {
            let found = if measured.converged == Some(true) { f64::from(measured.rounds) } else { f64::NAN };
            vec![("rounds", found, Limit::AtMost(f64::from(rounds)))]
        }
        Ask::Early { round, auc: below } => {
            let reached = measured.auc_by_round.get(&round).copied().unwrap_or(f64::NAN);
            vec![("AUC", reached - measured.pooled.auc, Limit::AtLeast(-below))]
        }
        Ask::NearOther { program, auc } => {
            let like = |other: &&Run| other.table.name == run.table.name && other.split == run.split;
            let other = all.iter().filter(like).find(|other| other.program.short == program);
            let reached = other.map_or(f64::NAN, |other| other.measured.federated.auc);
            vec![("AUC", (measured.federated.auc - reached).abs(), Limit::AtMost(auc))]
        }
        Ask::AtHome { tables, worst, mean: [site, skew] } => {
            if !tables.contains(&run.table.name) {
                return Vec::new();
            }
            let gains = &measured.at_home;
            let least = if run.split == Split::Site { site } else { skew };
            let average = gains.iter().sum::<f64>() / gains.len() as f64;
            let lowest = gains.iter().copied().reduce(f64::min).unwrap_or(f64::NAN);
            vec![
                ("AUC, mean", average, Limit::AtLeast(least)),
                ("AUC, worst", lowest, Limit::AtLeast(-worst)),
            ]
        }
        Ask::Fair(limits) => {
            let most = limits.iter().find(|(table, _)| *table == run.table.name);
            let widest = measured.wider_gaps.iter().copied().reduce(f64::max).unwrap_or(f64::NAN);
            most.map(|(_, most)| ("widest gap", widest, Limit::AtMost(*most))).into_iter().collect()
        }
        Ask::AtLeast(floors) => {
            let floor = floors.iter().find(|(table, _)| *table == run.table.name);
            floor
                .map(|(_, least)| ("AUC", measured.federated.auc, Limit::AtLeast(*least)))
                .into_iter()
                .collect()
        }
        Ask::Gain(gains) => {
            let Some([site, skew]) = of(gains, run.table.name) else { return Vec::new() };
            let least = if run.split == Split::Site { site } else { skew };
            vec![("AUC", measured.federated.minus(measured.alone).auc, Limit::AtLeast(least))]
        }
    }
}

fn of(figures: &[(&str, [f64; 2])], table: &str) -> Option<[f64; 2]> {
    figures.iter().find(|(name, _)| *name == table).map(|(_, pair)| *pair)
}

impl Verdict {
    /// Whether the figure is on its side; on the limit it is.
    pub(crate) fn met(&self) -> bool {
        self.slack() >= 0.0
    }

    /// How far it is on its side; negative where it is not.
    pub(crate) fn slack(&self) -> f64 {
        match self.limit {
            Limit::AtLeast(least) => self.found - least,
            Limit::AtMost(most) => most - self.found,
        }
    }

    /// A figure of this bar as it is written: rounds whole, differences with sign where they can have one.
    pub(crate) fn written(&self, figure: f64) -> String {
        match self.bar.ask {
            _ if figure.is_nan() => "none".to_owned(),
            Ask::Converged { .. } => format!("{figure:.0}"),
            Ask::PooledIs { .. } | Ask::IsPooled { .. } | Ask::NearOther { .. } | Ask::AtLeast(_) => {
                format!("{figure:.4}")
            }
            Ask::NearPooled { .. }
            | Ask::BelowPooled(_)
            | Ask::Early { .. }
            | Ask::Gain(_)
            | Ask::AtHome { .. }
            | Ask::Fair(_) => signed(figure),
        }
    }

    /// The limit in words.
    pub(crate) fn limit_written(&self) -> String {
        match self.limit {
            Limit::AtLeast(least) => format!("at least {}", self.written(least)),
            Limit::AtMost(most) => format!("at most {}", self.written(most)),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bar, program, place, what, found, .. } = self;
        let (found, limit) = (self.written(*found), self.limit_written());
        write!(formatter, "{} ({program}; {place}): {what} {found}, {limit}: {}", bar.name, bar.says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::catalogue::TABLES;
    use crate::quality::measure::fixture::{BY_LOT, FED_AVG, NEWTON, run};

    fn of_bar(run: &Run, name: &str) -> Vec<(&'static str, bool)> {
        let verdicts = judge(run, std::slice::from_ref(run));
        verdicts
            .iter()
            .filter(|verdict| verdict.bar.name == name)
            .map(|verdict| (verdict.what, verdict.met()))
            .collect()
    }

    #[test]
    fn a_run_like_pooled_training_meets_every_bar() {
        for program in [NEWTON, FED_AVG] {
            for split in [Split::Site, Split::SiteSkew] {
                let missed: Vec<String> = judge(&run(program, split), &[])
                    .iter()
                    .filter(|verdict| !verdict.met())
                    .map(ToString::to_string)
                    .collect();
                assert_eq!(missed, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn a_bar_on_one_split_is_not_asked_on_the_other() {
        assert_eq!(of_bar(&run(FED_AVG, Split::SiteSkew), "B1"), []);
        assert_eq!(of_bar(&run(FED_AVG, Split::SiteSkew), "B2"), [("AUC", true)]);
    }

    #[test]
    fn probabilities_that_are_off_miss_the_bar_whose_ranking_is_met() {
        let mut run = run(FED_AVG, Split::Site);
        run.measured.federated.log_loss += 0.0041;
        assert_eq!(of_bar(&run, "B1"), [("AUC", true), ("log-loss", false)]);
    }

    #[test]
    fn a_model_better_than_pooled_training_is_not_the_same_model() {
        let mut run = run(NEWTON, Split::SiteSkew);
        run.measured.federated.auc += 0.0006;
        assert_eq!(of_bar(&run, "exact"), [("AUC", false), ("log-loss", true)]);
        assert_eq!(of_bar(&run, "B3"), [("AUC", true), ("log-loss", true)]);
    }

    #[test]
    fn what_did_not_converge_or_was_not_measured_meets_nothing() {
        let mut newton = run(NEWTON, Split::Site);
        newton.measured.converged = Some(false);
        assert_eq!(of_bar(&newton, "A3"), [("rounds", false)]);
        let mut averaged = run(FED_AVG, Split::Site);
        averaged.measured.auc_by_round.clear();
        assert_eq!(of_bar(&averaged, "B4"), [("AUC", false)]);
        assert!(
            judge(&averaged, &[]).iter().any(|verdict| verdict.to_string().contains("AUC none, at least"))
        );
    }

    #[test]
    fn the_gain_is_over_the_mean_of_the_institutions_alone_and_each_split_has_its_own() {
        let mut run = run(NEWTON, Split::Site);
        run.measured.alone.auc = run.measured.federated.auc - 0.016;
        assert_eq!(of_bar(&run, "D1"), [("AUC", true)]);
        run.split = Split::SiteSkew;
        assert_eq!(of_bar(&run, "D1"), [("AUC", false)]);
    }

    #[test]
    fn on_their_own_rows_no_institution_may_lose_much_and_the_mean_must_gain() {
        let mut run = run(NEWTON, Split::SiteSkew);
        run.measured.at_home = vec![-0.014, 0.06];
        assert_eq!(of_bar(&run, "D2"), [("AUC, mean", true), ("AUC, worst", true)]);
        run.measured.at_home = vec![-0.016, 0.05];
        assert_eq!(of_bar(&run, "D2"), [("AUC, mean", false), ("AUC, worst", false)]);
        run.measured.at_home.clear();
        assert_eq!(of_bar(&run, "D2"), [("AUC, mean", false), ("AUC, worst", false)]);
    }

    #[test]
    fn the_widest_gap_counts_and_only_where_groups_are_compared() {
        let mut run = run(NEWTON, Split::Site);
        assert_eq!(of_bar(&run, "I1"), []);
        run.table = TABLES.iter().find(|table| table.name == "credit_default").unwrap();
        run.measured.wider_gaps = vec![-0.2, 0.029];
        assert_eq!(of_bar(&run, "I1"), [("widest gap", true)]);
        run.measured.wider_gaps = vec![-0.2, 0.031];
        assert_eq!(of_bar(&run, "I1"), [("widest gap", false)]);
        run.measured.wider_gaps.clear();
        assert_eq!(of_bar(&run, "I1"), [("widest gap", false)]);
    }

    #[test]
    fn a_run_by_lot_is_held_to_the_run_with_all_institutions() {
        let all = run(FED_AVG, Split::SiteSkew);
        let mut half = run(BY_LOT, Split::SiteSkew);
        half.measured.federated.auc += 0.0031;
        let met = |all: &[Run]| judge(&half, all).iter().map(Verdict::met).collect::<Vec<_>>();
        assert_eq!(met(&[]), [false], "there is nothing to compare it with");
        assert_eq!(met(std::slice::from_ref(&all)), [false]);
        half.measured.federated.auc -= 0.0002;
        assert!(judge(&half, &[all])[0].met());
    }

    #[test]
    fn a_table_that_is_only_reported_has_no_verdicts() {
        let mut run = run(NEWTON, Split::Site);
        run.table = TABLES.iter().find(|table| !table.gate).unwrap();
        assert!(judge(&run, &[]).is_empty());
    }

    #[test]
    fn a_miss_says_what_was_asked_and_what_was_found() {
        let mut run = run(FED_AVG, Split::SiteSkew);
        run.measured.federated.auc = run.measured.pooled.auc - 0.01;
        let missed = judge(&run, &[]).into_iter().find(|verdict| !verdict.met()).unwrap();
        let told = missed.to_string();
        assert!(
            told.starts_with("B2 (fed-avg; bank_marketing, site_skew): AUC -0.0100, at least -0.0060:"),
            "{told}"
        );
    }
}
