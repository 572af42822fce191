//! A whole federation in one thread: one coordinator, n participants and the ledger, over the pure crates,
//! with real keys, shares and ciphertexts, in virtual time, from one seed.
//!
//! **Workload.** Rounds one after another, each with a fresh question. Participant i answers a vector whose
//! coordinate i is a power of two of its own and all others zero, then some whole numbers of either sign, so that an
//! update that is missing, counted twice or mixed up shows in the sum itself. Where a scenario says so, the keys of the
//! next round are made while one collects updates, by the rule of the shipped coordinator: while a round is past sharing,
//! no preparation exists and none failed in it, and another question follows. The next round consumes it where it is ready
//! and serves, waits for one that is under way, and makes its own otherwise. Where a scenario says so, vectors are small and
//! shared themselves ([`Shared`]): in every round, or in every other one of a job whose other vectors are too long.
//!
//! **Failures.** What is said in a round and in a preparation made ahead suffers the same. Requests and answers are lost,
//! delayed and thereby reordered; messages arrive twice, also in later rounds. Participants crash before or after they wrote a message down, and come back or do not; some are cut off
//! for a while. The coordinator crashes before or after it appends to its ledger, and comes back by replaying it; its
//! clock jumps, and a blob on its disk is damaged. A round that is void, or was abandoned before anybody can have
//! revealed, is tried again.
//!
//! **Dishonest participants** ([`Misbehaviour`]) deal bad shares, complain falsely, reveal wrongly, encrypt with another
//! key than they shared, equivocate or fall silent. Of shared vectors, they reveal what shifts a chosen sum (A38).
//!
//! **A lying coordinator** ([`Liar`]) has every message ever sent and the keys of those in league with it, and shows to
//! each honest participant what it likes, in rounds and ahead of them: by a script, or by a [`Strategy`] drawn from a seed.
//! Its victims accepted two jobs, of which the second lets fewer open more; it passes a preparation of the one off as one of
//! the other.
//!
//! **A coordinator that tells several histories** ([`Histories`]) of its ledger shows each participant heads, proofs and entries of any of
//! them, and freezes survivor sets in them; participants keep the last head that they believed, as the shipped agent does.
//!
//! **Engines.** Everything runs with KSA/1 or with the plain engine ([`Engine`]), which gives the same integers. Vectors that
//! are shared themselves are shared as shipped by both; the plain engine does not seal their shares.
//!
//! **Not modelled here.** Connections; and but for [`Histories`], what the agent asks of the ledger before it signs: a liar is
//! judged by what it gets without that. What the coordinator knows of who is there, and who has lost the keys made ahead, is the truth of
//! the moment in which it opens a round. What is in a journal stays there, unless an operator restores a copy.
//!
//! **Checked after every step**: [`INVARIANTS`]. A run that breaks one stops there; its [`Report`] prints
//! everything that had happened, one line each. A scenario or strategy that fails is shrunk, and prints itself as Rust.
//!
//! **Known nondeterminism.** None: equal scenarios give equal reports, to the ledger's root.
//!
//! ```
//! use syndic_simulation::{Scenario, run};
//!
//! let report = run(&Scenario::calm(7, 5));
//! assert!(report.violation.is_none(), "{report}");
//! assert_eq!(report.rounds[0].survivors, [1, 2, 3, 4, 5]);
//! ```

mod asked;
mod blobs;
mod coordinator;
mod draw;
pub mod engine;
mod federation;
mod field;
mod forge;
mod histories;
mod invariants;
mod journal;
mod knowledge;
mod ledger;
mod liar;
mod misbehaviour;
mod network;
mod offer;
mod operation;
mod oracle;
mod participant;
mod plain;
mod preparing;
mod recording;
mod replay;
mod report;
mod sample;
mod scenario;
mod script;
mod seat;
mod shared;
mod shift;
mod shrink;
mod strategy;
mod watch;
mod world;

pub use engine::Engine;
pub use histories::{Histories, Shown};
pub use invariants::INVARIANTS;
pub use liar::{Ask, Dealing, Liar};
pub use misbehaviour::Misbehaviour;
pub use offer::Owed;
pub use operation::Operation;
pub use report::{Report, RoundEnd, Violation};
pub use scenario::{
    ClockJump, CoordinatorCrash, Dishonest, Moment, Network, ParticipantCrash, Partition, Replayed, Scenario,
    Shared, TornBlob,
};
pub use script::{Answers, Table, shares_for};
pub use strategy::{Move, Played, Strategy, Twist, Who};
pub use world::run;
