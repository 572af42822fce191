//! The measured part of docs/quality.md, as Markdown.

use super::Run;
use super::catalogue::{Program, Split, Table};
use super::judge::Verdict;
use super::measure::Measured;
use super::programs::PROGRAMS;

/// The lines between which the page is written anew.
pub(crate) const MARKS: [&str; 2] = ["<!-- measured: begin -->", "<!-- measured: end -->"];

/// The page with this text between its marks; none where it has not both of them.
pub(crate) fn put(page: &str, measured: &str) -> Option<String> {
    let (before, rest) = page.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some(format!("{before}{}\n\n{}\n\n{}{after}", MARKS[0], measured.trim(), MARKS[1]))
}

/// Bars first, then the figures of each program.
pub(crate) fn measured(runs: &[Run], verdicts: &[Verdict]) -> String {
    let mut sections = vec![format!("## Bars\n\n{}", bars(verdicts).trim())];
    for program in &PROGRAMS {
        let of_it: Vec<&Run> = runs.iter().filter(|run| run.program.short == program.short).collect();
        let noise = program.noise.map_or_else(String::new, |noise| format!("\n{noise}"));
        let terms = format!("{}{noise}", program.section).replace("{l2}", "...").replace("{n}", "...");
        let heading = format!("## {}", capitalised(program.title));
        let terms = format!("```toml\n{terms}```\n\nAt most {} rounds.", program.rounds);
        sections.push(format!("{heading}\n\n{terms}\n\n{}\n{}", aucs(&of_it), log_losses(&of_it).trim()));
    }
    sections.join("\n\n")
}

/// A run in a line, for those who wait.
pub(crate) fn line(table: &Table, split: Split, program: &Program, measured: &Measured) -> String {
    let Measured { federated, pooled, alone, rounds, seconds, .. } = measured;
    format!(
        "{}, {}, {}: AUC {:.4}, pooled {:.4}, alone {:.4}; log-loss {:.4}, pooled {:.4}, alone {:.4}; \
         {rounds} rounds, {seconds:.0} s",
        table.name,
        split.column(),
        program.short,
        federated.auc,
        pooled.auc,
        alone.auc,
        federated.log_loss,
        pooled.log_loss,
        alone.log_loss,
    )
}

/// A row for each bar, with the figure that came nearest to its limit, or went furthest beyond.
fn bars(verdicts: &[Verdict]) -> String {
    let mut rows = Vec::new();
    for (program, bar) in
        PROGRAMS.iter().flat_map(|program| program.bars.iter().map(move |bar| (program, bar)))
    {
        let of_it = || verdicts.iter().filter(|one| one.program == program.short && one.bar.name == bar.name);
        let mut whats: Vec<&str> = Vec::new();
        for verdict in of_it() {
            if !whats.contains(&verdict.what) {
                whats.push(verdict.what);
            }
        }
        if whats.is_empty() {
            continue;
        }
        let nearest = whats.iter().filter_map(|what| nearest(of_it().filter(|one| one.what == *what)));
        rows.push([
            bar.name.to_owned(),
            program.short.to_owned(),
            bar.says.to_owned(),
            nearest.map(near).collect::<Vec<_>>().join("; "),
            if of_it().all(Verdict::met) { "met".to_owned() } else { "**missed**".to_owned() },
        ]);
    }
    table(["bar", "program", "what is asked", "nearest to the limit", ""], &rows)
}

/// The verdict with the least slack. A figure that is missing is the worst of all.
fn nearest<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Option<&'a Verdict> {
    let slack = |verdict: &Verdict| if verdict.found.is_nan() { f64::NEG_INFINITY } else { verdict.slack() };
    verdicts.min_by(|a, b| slack(a).total_cmp(&slack(b)))
}

fn near(verdict: &Verdict) -> String {
    let Verdict { what, place, found, .. } = verdict;
    format!("{what} {}, {} ({place})", verdict.written(*found), verdict.limit_written())
}

fn aucs(runs: &[&Run]) -> String {
    let rows: Vec<[String; 9]> = runs
        .iter()
        .map(|run| {
            let Measured { federated, pooled, alone, rounds, seconds, .. } = &run.measured;
            [
                run.table.name.to_owned(),
                run.split.column().to_owned(),
                format!("{:.4}", federated.auc),
                format!("{:.4}", pooled.auc),
                signed(federated.minus(*pooled).auc),
                format!("{:.4}", alone.auc),
                signed(federated.minus(*alone).auc),
                rounds.to_string(),
                format!("{seconds:.0}"),
            ]
        })
        .collect();
    let head =
        ["AUC", "split", "federated", "pooled", "difference", "alone, mean", "gain", "rounds", "seconds"];
    table(head, &rows)
}

fn log_losses(runs: &[&Run]) -> String {
    let rows: Vec<[String; 6]> = runs
        .iter()
        .map(|run| {
            let Measured { federated, pooled, alone, .. } = &run.measured;
            [
                run.table.name.to_owned(),
                run.split.column().to_owned(),
                format!("{:.4}", federated.log_loss),
                format!("{:.4}", pooled.log_loss),
                signed(federated.minus(*pooled).log_loss),
                format!("{:.4}", alone.log_loss),
            ]
        })
        .collect();
    table(["log-loss", "split", "federated", "pooled", "difference", "alone, mean"], &rows)
}

/// A difference; without a sign where nothing is left of it.
pub(crate) fn signed(difference: f64) -> String {
    let written = format!("{difference:+.4}");
    if written.ends_with("0.0000") { "0.0000".to_owned() } else { written }
}

fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

fn capitalised(words: &str) -> String {
    let words = words.replace('-', " ").replacen("fed avg", "fed-avg", 1);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::judge::judge;
    use crate::quality::measure::fixture::{FED_AVG, NEWTON, run};

    #[test]
    fn what_stands_around_the_marks_stays() {
        let page = "before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n";
        let written = put(page, "new\n").unwrap();
        assert_eq!(written, "before\n<!-- measured: begin -->\n\nnew\n\n<!-- measured: end -->\nafter\n");
        assert_eq!(put(&written, "new\n").unwrap(), written);
        assert_eq!(put("no marks", "new"), None);
    }

    #[test]
    fn a_bar_shows_the_figure_that_is_nearest_to_its_limit() {
        let mut near = run(FED_AVG, Split::Site);
        near.measured.federated.auc -= 0.002;
        let runs = [run(FED_AVG, Split::Site), near];
        let verdicts: Vec<Verdict> = runs.iter().flat_map(|run| judge(run, &runs)).collect();
        let text = bars(&verdicts);
        let row = text.lines().find(|line| line.starts_with("| B1 |")).unwrap();
        let end = "| AUC -0.0020, at least -0.0030 (bank_marketing, site); \
                   log-loss 0.0000, at most +0.0040 (bank_marketing, site) | met |";
        assert!(row.ends_with(end), "{row}");
        assert!(!text.contains("| B2 |"), "a bar that nobody was judged by is not met: {text}");
    }

    #[test]
    fn a_missed_bar_is_said_to_be_missed_also_where_a_figure_is_missing() {
        let mut blind = run(FED_AVG, Split::Site);
        blind.measured.auc_by_round.clear();
        let runs = [run(FED_AVG, Split::Site), blind];
        let verdicts: Vec<Verdict> = runs.iter().flat_map(|run| judge(run, &runs)).collect();
        let text = bars(&verdicts);
        assert!(
            text.lines().any(|line| line.starts_with("| B4 |") && line.ends_with("| **missed** |")),
            "{text}"
        );
    }

    #[test]
    fn each_program_has_its_terms_and_both_tables() {
        let runs = [run(NEWTON, Split::Site), run(FED_AVG, Split::SiteSkew)];
        let text = measured(&runs, &[]);
        assert!(text.contains("## Logistic regression by newton"), "{text}");
        assert!(text.contains("## Logistic regression by fed-avg"), "{text}");
        assert!(
            text.contains("| bank_marketing | site | 0.7688 | 0.7688 | 0.0000 | 0.7231 | +0.0457 | 8 | 3 |"),
            "{text}"
        );
        assert!(
            text.contains("| bank_marketing | site_skew | 0.3023 | 0.3023 | 0.0000 | 0.7339 |"),
            "{text}"
        );
    }
}
