//! What the participants of a closed round signed, in one encoding: whoever holds the roster can verify it all.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::codec::{Reader, Writer};
use crate::cohort::Cohort;
use crate::message::Signed;
use crate::plan::RoundPlan;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::survivors::{Certificate, SurvivorSet};

/// A round's plan, cohort and certified survivor set.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// The terms.
    pub plan: RoundPlan,
    /// Who took part.
    pub cohort: Arc<Cohort>,
    /// Whose updates are in the sum, by whose word.
    pub certificate: Arc<Certificate>,
}

impl Transcript {
    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let list = |w: Writer, signed: &[Signed]| w.list(signed.iter(), |w, one| w.bytes(&one.to_bytes()));
        let w = Writer::new().bytes(&self.plan.to_bytes());
        let w = list(w, self.cohort.adverts());
        let w = list(w, self.certificate.survivors().signed());
        list(w, self.certificate.signatures()).finish()
    }

    /// The transcript with this encoding, every signature in it verified by the roster.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn from_bytes(bytes: &[u8], roster: &SealedRoster) -> Result<Self, Rejection> {
        let mut r = Reader::new(bytes);
        let plan = RoundPlan::from_bytes(r.bytes()?)?;
        let list = |r: &mut Reader<'_>| r.list(|r| Signed::from_bytes(r.bytes()?));
        let (adverts, headers, signatures) = (list(&mut r)?, list(&mut r)?, list(&mut r)?);
        r.finish()?;
        if plan.terms.roster != roster.digest() {
            return Err(Rejection::Mismatch("roster"));
        }
        let cohort = Cohort::assemble(&plan.terms, roster, adverts)?;
        let survivors = SurvivorSet::from_headers(&plan, &cohort, roster, headers)?;
        let certificate = Certificate::verify(&plan, &cohort, roster, survivors, signatures)?;
        Ok(Self { plan, cohort: Arc::new(cohort), certificate: Arc::new(certificate) })
    }
}
