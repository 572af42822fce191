//! `syndic-coordinator renew`: a new certificate for the coordinator, on the operator's host, where the
//! authority's key is.

use std::path::Path;

use crate::authority::Validity;
use crate::clock;
use crate::federation::{Federation, FederationError, lock};

/// Certifies the coordinator of the federation in `dir` anew for `days` from now: the same key, under the same host
/// names. Members trust the authority, so they need nothing new.
///
/// # Errors
/// [`FederationError`]; the former certificate is then still in place.
pub fn renew(dir: &Path, days: u32) -> Result<(), FederationError> {
    let _lock = lock(dir)?;
    let mut federation = Federation::load(dir)?;
    federation.renew_coordinator(Validity::days(clock::now(), days))?;
    federation.write_coordinator_certificate(dir)
}
