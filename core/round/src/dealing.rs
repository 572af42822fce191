//! A dealer's public part (phase B), as far as it can be judged without the shares.

use crate::cohort::Cohort;
use crate::message::{Dealing, Signed};
use crate::rejection::Rejection;
use crate::terms::PreparationTerms;
use crate::verifier::Verifier;

/// Verifies one dealing: signature, membership, a share and a commitment for each member of the cohort, and check
/// polynomials of as many terms as the threshold says. Whether the shares agree with it is for their holders to say.
pub(crate) fn verify_dealing(
    signed: &Signed,
    terms: &PreparationTerms,
    cohort: &Cohort,
    verifier: Verifier<'_>,
) -> Result<Dealing, Rejection> {
    let dealing: Dealing = verifier.verify(signed, cohort.context())?;
    cohort.slot_of(dealing.id)?;
    if !dealing.shares.iter().map(|(to, _)| to).eq(cohort.ids()) {
        return Err(Rejection::List("recipients"));
    }
    let length = usize::from(terms.protection.threshold());
    let is_whole = dealing.public.commitments.len() == cohort.len()
        && dealing.public.checks.iter().all(|check| check.len() == length);
    if is_whole { Ok(dealing) } else { Err(Rejection::Mismatch("cohort or threshold")) }
}
