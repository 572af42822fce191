//! The table of targets.

mod approved;
mod certificates;
mod documents;
mod evidence;
mod founded;
mod history;
mod ledger;
mod messages;
mod model;
mod reveals;
mod settings;
mod shares;
mod shown;
mod small;
mod stored;
mod sums;
mod tiles;
mod wire;
mod witnessed;

use crate::{Target, preparation, round};

/// Every target: its name, its decoders, and how many inputs the test command draws.
pub const TARGETS: &[Target] = &[
    of("payloads", 8, 4_000, messages::payload_seeds, messages::payload),
    of("signed", 1, 2_000, messages::signed_seeds, messages::signed),
    of("sealed-shares", 1, 2_000, messages::bundle_seeds, messages::bundle),
    of("plan", 1, 4_000, messages::plan_seeds, messages::plan),
    of("terms", 1, 4_000, messages::terms_seeds, messages::terms),
    of("transcript", 1, 500, messages::transcript_seeds, messages::transcript),
    of("documents", 10, 1_000, documents::seeds, documents::run),
    of("round", 1, 120, round::seeds, round::run),
    of("preparation", 1, 200, preparation::seeds, preparation::run),
    of("shares", 1, 1_000, shares::seeds, shares::run),
    of("kem", 1, 200, shares::kem_seeds, shares::kem),
    of("updates", 1, 300, shares::update_seeds, shares::update),
    of("chunk-evidence", 1, 1_000, evidence::seeds, evidence::run),
    of("reveals", 1, 200, reveals::seeds, reveals::run),
    of("small-vectors", 1, 1_000, small::seeds, small::run),
    of("entry", 2, 4_000, ledger::entry_seeds, ledger::entry),
    of("note", 3, 1_000, ledger::note_seeds, ledger::note),
    of("proofs", 2, 2_000, ledger::proof_seeds, ledger::proof),
    of("shown", 1, 1_000, shown::seeds, shown::run),
    of("tiles", 2, 500, tiles::seeds, tiles::run),
    of("history", 1, 500, history::seeds, history::run),
    of("witnessed", 5, 2_000, witnessed::seeds, witnessed::run),
    of("facts", 1, 2_000, ledger::fact_seeds, ledger::fact),
    of("job", 1, 1_000, approved::job_seeds, approved::job),
    of("question", 1, 1_000, approved::question_seeds, approved::question),
    of("model", 1, 500, model::seeds, model::run),
    of("table", 1, 500, model::table_seeds, model::table),
    of("sums", 1, 300, sums::seeds, sums::run),
    of("wire", 15, 4_000, wire::seeds, wire::run),
    of("settings", 5, 300, settings::seeds, settings::run),
    of("certificates", 5, 1_000, certificates::seeds, certificates::run),
    of("founded", 10, 100, founded::seeds, founded::run),
    of("journal", 1, 50, stored::journal_seeds, stored::journal),
    of("log", 1, 50, stored::log_seeds, stored::log),
];

const fn of(
    name: &'static str,
    decoders: u32,
    sample: u32,
    seeds: fn() -> Vec<Vec<u8>>,
    run: fn(&[u8]),
) -> Target {
    Target { name, seeds, run, decoders, sample }
}
