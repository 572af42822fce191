//! The table of targets.

mod approved;
mod documents;
mod evidence;
mod history;
mod ledger;
mod messages;
mod model;
mod reveals;
mod settings;
mod shares;
mod shown;
mod small;
mod sums;
mod tiles;
mod wire;

use crate::{Target, preparation, round};

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "payloads", seeds: messages::payload_seeds, run: messages::payload, sample: 4_000 },
    Target { name: "signed", seeds: messages::signed_seeds, run: messages::signed, sample: 2_000 },
    Target { name: "sealed-shares", seeds: messages::bundle_seeds, run: messages::bundle, sample: 2_000 },
    Target { name: "plan", seeds: messages::plan_seeds, run: messages::plan, sample: 4_000 },
    Target { name: "terms", seeds: messages::terms_seeds, run: messages::terms, sample: 4_000 },
    Target { name: "transcript", seeds: messages::transcript_seeds, run: messages::transcript, sample: 500 },
    Target { name: "documents", seeds: documents::seeds, run: documents::run, sample: 1_000 },
    Target { name: "round", seeds: round::seeds, run: round::run, sample: 120 },
    Target { name: "preparation", seeds: preparation::seeds, run: preparation::run, sample: 200 },
    Target { name: "shares", seeds: shares::seeds, run: shares::run, sample: 1_000 },
    Target { name: "kem", seeds: shares::kem_seeds, run: shares::kem, sample: 200 },
    Target { name: "updates", seeds: shares::update_seeds, run: shares::update, sample: 300 },
    Target { name: "chunk-evidence", seeds: evidence::seeds, run: evidence::run, sample: 1_000 },
    Target { name: "reveals", seeds: reveals::seeds, run: reveals::run, sample: 200 },
    Target { name: "small-vectors", seeds: small::seeds, run: small::run, sample: 1_000 },
    Target { name: "entry", seeds: ledger::entry_seeds, run: ledger::entry, sample: 4_000 },
    Target { name: "note", seeds: ledger::note_seeds, run: ledger::note, sample: 1_000 },
    Target { name: "proofs", seeds: ledger::proof_seeds, run: ledger::proof, sample: 2_000 },
    Target { name: "shown", seeds: shown::seeds, run: shown::run, sample: 1_000 },
    Target { name: "tiles", seeds: tiles::seeds, run: tiles::run, sample: 500 },
    Target { name: "history", seeds: history::seeds, run: history::run, sample: 500 },
    Target { name: "facts", seeds: ledger::fact_seeds, run: ledger::fact, sample: 2_000 },
    Target { name: "job", seeds: approved::job_seeds, run: approved::job, sample: 1_000 },
    Target { name: "question", seeds: approved::question_seeds, run: approved::question, sample: 1_000 },
    Target { name: "model", seeds: model::seeds, run: model::run, sample: 500 },
    Target { name: "table", seeds: model::table_seeds, run: model::table, sample: 500 },
    Target { name: "sums", seeds: sums::seeds, run: sums::run, sample: 300 },
    Target { name: "wire", seeds: wire::seeds, run: wire::run, sample: 4_000 },
    Target { name: "settings", seeds: settings::seeds, run: settings::run, sample: 300 },
];
