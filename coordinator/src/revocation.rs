//! `syndic-coordinator revoke`: takes a member's certificates back, on the operator's host, where the authority's key is.

use std::path::Path;

use crate::authority::{Reason, RevocationList, Revoked, Validity};
use crate::clock;
use crate::federation::{Federation, FederationError, load_revocations, lock, write_revocations};

/// What the list came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its number.
    pub number: u64,
    /// Certificates that are new on it.
    pub added: usize,
    /// Certificates on it.
    pub revoked: usize,
}

/// Takes every certificate back that the member of this name in `dir` ever got, for `reason`, and signs the list anew for
/// `days`. Without a member the list is signed anew as it is: it must not grow old. Nothing is ever taken off it.
///
/// # Errors
/// [`FederationError`]; the former list is then still in place.
pub fn revoke(dir: &Path, member: Option<(&str, Reason)>, days: u32) -> Result<Signed, FederationError> {
    let _lock = lock(dir)?;
    let federation = Federation::load(dir)?;
    let list = load_revocations(dir, federation.authority().certificate())?;
    let mut list = list.unwrap_or_else(RevocationList::none);
    let now = clock::now();
    let mut added = 0;
    if let Some((member, reason)) = member {
        let revoked = Revoked { at: now, reason };
        let certificates = federation.certificates_of(dir, member)?;
        added = certificates.iter().filter(|certificate| list.add(certificate, revoked)).count();
    }
    let Validity { from, until } = Validity::days(now, days);
    (list.number, list.from, list.until) = (list.number + 1, from, until);
    // If we crash here the former list is in place; it is replaced whole or not at all.
    write_revocations(dir, &federation.authority().sign_revocations(&list)?)?;
    Ok(Signed { number: list.number, added, revoked: list.len() })
}
