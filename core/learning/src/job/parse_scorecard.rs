//! Reads the section `[program]` of a scorecard.

use toml::Spanned;

use super::parse::narrow;
use super::parse_named::{numeric_columns, place_of};
use super::parse_others::refuse_other_programs;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use crate::contract::Contract;
use crate::program::scorecard::ScorecardTerms;
use crate::scorecard::PointsScale;

pub(super) fn scorecard(
    reader: &mut Reader<'_>,
    mut program: Section<'_>,
    contract: Option<&Contract>,
) -> ProgramTerms {
    let section = &mut program;
    let default = ScorecardTerms::default();
    let max_bins = reader.integer(section, "max_bins", 2..=20);
    let coarse_bins = reader.integer(section, "coarse_bins", 2..=64);
    let min_count = reader.integer(section, "min_count", 10..=1_000_000_000);
    let min_class = reader.integer(section, "min_class", 1..=1_000_000_000);
    let trends = ["increasing", "decreasing", "free"];
    let [increasing, decreasing, free] =
        numeric_columns(reader, section, trends, (contract, "job.scorecard"));
    let points = points(reader, section);
    let cells = reader.integer(section, "cells", 4..=256);
    let bins_share = reader.number_in(section, "bins_share", 0.01..=0.99).map(Spanned::into_inner);
    let mut number =
        |key, range, default: f64| reader.number_in(section, key, range).map_or(default, Spanned::into_inner);
    let terms = ScorecardTerms {
        max_bins: max_bins.map_or(default.max_bins, narrow),
        coarse_bins: coarse_bins.map_or(default.coarse_bins, narrow),
        min_share: number("min_share", 0.0..=0.5, default.min_share),
        min_count: min_count.map_or(default.min_count, Spanned::into_inner),
        min_class: min_class.map_or(default.min_class, Spanned::into_inner),
        min_iv: number("min_iv", 0.0..=10.0, default.min_iv),
        l2: number("l2", 0.0..=1000.0, default.l2),
        increasing,
        decreasing,
        free,
        points,
        cells: cells.map(narrow),
        bins_share,
    };
    // Without a contract its errors come first; the columns' names were checked where they stand.
    let unnamed =
        ScorecardTerms { increasing: Vec::new(), decreasing: Vec::new(), free: Vec::new(), ..terms.clone() };
    if let Some(Err(problem)) = contract.map(|contract| unnamed.check(contract)) {
        let help = "correct the terms of [program], or the contract";
        let at = place_of(section, &problem, &["coarse_bins", "max_bins", "points", "cells"]);
        reader.add("job.scorecard", at, problem, help);
    }
    refuse_other_programs(reader, section);
    reader.close(program);
    ProgramTerms::Scorecard(Box::new(terms))
}

fn points(reader: &mut Reader<'_>, program: &mut Section<'_>) -> PointsScale {
    let default = PointsScale::default();
    let mut section = reader.section(program, "points", "`points`");
    let mut number = |key, range, default: f64| {
        reader.number_in(&mut section, key, range).map_or(default, Spanned::into_inner)
    };
    let points = PointsScale {
        base: number("base", 0.0..=1e6, default.base),
        odds: number("odds", 1e-6..=1e6, default.odds),
        to_double: number("to_double", 1.0..=1e4, default.to_double),
    };
    reader.close(section);
    points
}
