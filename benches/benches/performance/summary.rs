//! The tables and the plot, from whatever has been measured.

use std::fs;
use std::path::Path;

use syndic_benches::pairwise::neighbours;
use syndic_benches::plot::{Line, svg};
use syndic_benches::report::{Samples, figure, table};

use super::{COHORTS, PARAMETERS, dealing, phases, small};

/// Prints the tables, and writes them and the plot into `folder`.
pub(crate) fn print(folder: &Path) {
    let samples = Samples::below(folder);
    let keys = by_cohort(&samples, "milliseconds, whatever the length", phases::GROUPS, dealing::dealt_bytes);
    let vectors = by_cohort(&samples, "milliseconds, fifty values", small::GROUPS, small::dealt_bytes);
    let text = [by_length(&samples), keys, vectors, against_pairs(&samples)].join("\n");
    println!("\n{text}");
    let files = [("performance.md", text), ("performance.svg", plot(&samples))];
    for (name, content) in files {
        match fs::write(folder.join(name), content) {
            Ok(()) => println!("wrote {}", folder.join(name).display()),
            Err(error) => eprintln!("could not write {name}: {error}"),
        }
    }
}

/// Nanoseconds per parameter, and how many plain passes that is.
fn by_length(samples: &Samples) -> String {
    let steps = [
        ("plain float32 pass: read, add to a sum", "plain", "4.00"),
        ("encode: clip, round, limbs", "encode", "-"),
        ("encrypt: mask, error, truncate, Merkle leaves", "encrypt", "4.00"),
        ("pairwise masks among 5, without encoding", "pairwise masks among 5", "4.00"),
        ("fold one update", "fold", "4.00"),
        ("unmask and decode, once a round", "unmask and decode", "8.00"),
    ];
    let head = ["step", "ns at 10^5", "at 10^6", "at 10^7", "plain passes at 10^7", "bytes / parameter"];
    let row = |(name, group, bytes): &(&str, &str, &str)| {
        let each = |length: usize| Some(samples.fastest(group, length)? / length as f64);
        let longest = PARAMETERS[PARAMETERS.len() - 1];
        let plain = samples.fastest("plain", longest).map(|plain| plain / longest as f64);
        let ratio = each(longest).zip(plain).map(|(step, plain)| step / plain);
        let mut cells = vec![(*name).to_owned()];
        cells.extend(PARAMETERS.map(|length| figure(each(length))));
        cells.extend([figure(ratio), (*bytes).to_owned()]);
        cells
    };
    table(&head.map(str::to_owned), &steps.iter().map(row).collect::<Vec<_>>())
}

/// Milliseconds of these groups, and what a dealer sends.
fn by_cohort(
    samples: &Samples,
    what: &str,
    groups: [&str; 3],
    dealt_bytes: impl Fn(usize) -> usize,
) -> String {
    let mut head = vec![what.to_owned()];
    head.extend(COHORTS.map(|n| format!("n = {n}")));
    let row = |group: &&str| {
        let cell = |n| figure(samples.fastest(group, n).map(|time| time / 1e6));
        [vec![(*group).to_owned()], COHORTS.map(cell).into()].concat()
    };
    let mut rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let sent = COHORTS.map(|n| format!("{:.0} KB", dealt_bytes(n) as f64 / 1e3));
    rows.push([vec!["a dealer sends".to_owned()], sent.into()].concat());
    table(&head, &rows)
}

/// Nanoseconds per parameter over cohorts, and how many times ours that is.
fn against_pairs(samples: &Samples) -> String {
    let mut head = vec!["ns / parameter (times ours)".to_owned()];
    head.extend(COHORTS.map(|n| format!("n = {n}")));
    let lines = lines(samples);
    let at = |line: &Line, n: usize| {
        line.points.iter().find(|(x, _)| *x as usize == n).map(|(_, nanoseconds)| *nanoseconds)
    };
    let row = |(position, line): (usize, &Line)| {
        // Participants come first, ours before theirs, then coordinators likewise.
        let ours = &lines[position / 3 * 3];
        let cell = |n: usize| {
            let ratio = at(line, n).zip(at(ours, n)).map(|(theirs, ours)| theirs / ours);
            format!("{} ({})", figure(at(line, n)), figure(ratio))
        };
        [vec![line.name.clone()], COHORTS.map(cell).into()].concat()
    };
    let mut rows: Vec<Vec<String>> = lines.iter().enumerate().map(row).collect();
    let plus: Vec<String> = COHORTS.map(|n| neighbours(n).to_string()).into();
    rows.push([vec!["neighbours in SecAgg+".to_owned()], plus].concat());
    table(&head, &rows)
}

fn plot(samples: &Samples) -> String {
    svg("Masking a vector: nanoseconds per parameter on one core", &lines(samples))
}

/// Participants, then coordinators, of the three protocols.
fn lines(samples: &Samples) -> Vec<Line> {
    const LENGTH: usize = 1_000_000;
    let ours = |group: &str| samples.fastest(group, LENGTH).map(|time| time / LENGTH as f64);
    let theirs =
        |group: &str, n: usize, length: usize| samples.fastest(group, n).map(|time| time / length as f64);
    let line = |name: &str, colour, of: &dyn Fn(usize) -> Option<f64>| {
        let point = |n: usize| Some((n as f64, of(n)?));
        Line { name: name.to_owned(), colour, points: COHORTS.into_iter().filter_map(point).collect() }
    };
    let opened = |n: usize| Some(n as f64 * ours("fold")? + ours("unmask and decode")?);
    // The sum of masked vectors is a pass for each survivor.
    let with_sum =
        |group: &str, n: usize| Some(theirs(group, n, 100_000)? + (n - n / 10) as f64 * ours("plain")?);
    vec![
        line("KSA/1 participant", "#0969da", &|_| ours("encrypt")),
        line("SecAgg participant", "#cf222e", &|n| theirs("pairwise masks by cohort", n, LENGTH)),
        line("SecAgg+ participant", "#bc4c00", &|n| theirs("neighbours' masks by cohort", n, LENGTH)),
        line("KSA/1 coordinator", "#54aeff", &opened),
        line("SecAgg coordinator", "#ff8182", &|n| with_sum("pairwise removal by cohort", n)),
        line("SecAgg+ coordinator", "#fb8f44", &|n| with_sum("neighbours' removal by cohort", n)),
    ]
}
