//! Released models that the coordinator has delivered: each verified before it is written, and whenever it is looked at.
//!
//! ```text
//! models/NAME/job-ID/model.safetensors, model.json   the model, as its job released it
//!                    release.json                    its stage, with the entries and proofs that say so
//! ```

mod comparing;
mod release;
mod store;

pub use comparing::Unheld;
pub use release::{Proved, Release, Undelivered};
pub use store::{Held, Models};
