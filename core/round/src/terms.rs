//! The fixed terms of a preparation: who shares keys with whom, before anything is said about what they will carry.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{Malformed, Reader, Writer};
use crate::digest::Digest;
use crate::ids::{JobId, ParticipantId};
use crate::parameters::ParameterSet;
use crate::plan::PROTOCOL;
use crate::protection::{PlanError, Protection};
use crate::roster::SealedRoster;

/// How long each phase may take, in milliseconds from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Advertising one-time keys.
    pub advertise: u64,
    /// Sharing keys; acknowledging the shares has as long again.
    pub share: u64,
    /// Submitting updates, training included.
    pub collect: u64,
    /// Signing the survivor set.
    pub certify: u64,
    /// Revealing sums of shares.
    pub reveal: u64,
}

/// The fixed terms of one preparation (phases A to C). One attempt at one round consumes it; a round's plan repeats
/// these terms and adds the question.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparationTerms {
    /// Federation.
    pub federation: String,
    /// Digest of its roster.
    pub roster: Digest,
    /// Job.
    pub job: JobId,
    /// Digest of the job as it was agreed.
    pub agreement: Digest,
    /// Number of the preparation; strictly increasing within the job, from 1.
    pub number: u64,
    /// Who may open what.
    pub protection: Protection,
    /// The institutions admitted, in the order of ids: those of the job, or those drawn from them.
    pub admitted: Vec<ParticipantId>,
    /// How long phases may take.
    pub deadlines: Deadlines,
}

impl PreparationTerms {
    /// Checks the terms that [`Protection`] does not check itself.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken.
    pub fn check(&self) -> Result<(), PlanError> {
        let Deadlines { advertise, share, collect, certify, reveal } = self.deadlines;
        if [advertise, share, collect, certify, reveal].contains(&0) {
            return Err(PlanError::Deadline);
        }
        if self.number == 0 {
            return Err(PlanError::Number);
        }
        let increasing = self.admitted.windows(2).all(|pair| pair[0] < pair[1]);
        if !increasing || self.admitted.len() != usize::from(self.protection.admitted()) {
            return Err(PlanError::Admitted);
        }
        Ok(())
    }

    /// Checks the terms, and that they are for the federation and members of `roster`.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken.
    pub fn check_against(&self, roster: &SealedRoster) -> Result<(), PlanError> {
        self.check()?;
        if self.roster != roster.digest() || self.federation != roster.roster().federation {
            return Err(PlanError::Roster);
        }
        match self.admitted.iter().all(|id| roster.member(*id).is_some()) {
            true => Ok(()),
            false => Err(PlanError::Admitted),
        }
    }

    /// ctx0: what every signature of this preparation is bound to (docs/protocol.md, "The round").
    pub fn context(&self) -> Digest {
        let numbers = Writer::new()
            .u64(self.number)
            .u16(self.protection.admitted())
            .u16(self.protection.threshold())
            .u16(self.protection.colluding())
            .u16(self.protection.min_survivors());
        Digest::of_parts(
            "KSA/1 ctx0",
            &[
                PROTOCOL.as_bytes(),
                self.federation.as_bytes(),
                self.roster.as_bytes(),
                self.job.as_str().as_bytes(),
                &numbers.finish(),
                self.protection.parameter_set().name().as_bytes(),
            ],
        )
    }

    /// The terms in their one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let w = self.write_parties(Writer::new()).u64(self.number);
        self.write_deadlines(self.write_protection(w)).finish()
    }

    /// The terms with this encoding.
    ///
    /// # Errors
    /// [`PlanError::Malformed`], or the rule that the terms break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let mut r = Reader::new(bytes);
        let parties = Parties::read(&mut r)?;
        let number = r.u64()?;
        let guarded = Guarded::read(&mut r)?;
        let deadlines = Deadlines::read(&mut r)?;
        r.finish()?;
        let terms = Self::of(parties, number, guarded, deadlines);
        terms.check()?;
        Ok(terms)
    }

    /// Protocol, federation, roster, job and agreement: with these both encodings begin.
    pub(crate) fn write_parties(&self, w: Writer) -> Writer {
        let w = w.bytes(PROTOCOL.as_bytes()).bytes(self.federation.as_bytes()).fixed(self.roster.as_bytes());
        w.bytes(self.job.as_str().as_bytes()).fixed(self.agreement.as_bytes())
    }

    /// Parameter set, t, c, u_min and the admitted.
    pub(crate) fn write_protection(&self, w: Writer) -> Writer {
        w.bytes(self.protection.parameter_set().name().as_bytes())
            .u16(self.protection.threshold())
            .u16(self.protection.colluding())
            .u16(self.protection.min_survivors())
            .list(self.admitted.iter(), |w, id| w.id(*id))
    }

    pub(crate) fn write_deadlines(&self, w: Writer) -> Writer {
        let Deadlines { advertise, share, collect, certify, reveal } = self.deadlines;
        w.list([advertise, share, collect, certify, reveal].iter(), |w, millis| w.u64(*millis))
    }

    pub(crate) fn of(parties: Parties, number: u64, guarded: Guarded, deadlines: Deadlines) -> Self {
        let Parties { federation, roster, job, agreement } = parties;
        let Guarded { protection, admitted } = guarded;
        Self { federation, roster, job, agreement, number, protection, admitted, deadlines }
    }
}

/// What [`PreparationTerms::write_parties`] writes.
pub(crate) struct Parties {
    federation: String,
    roster: Digest,
    job: JobId,
    agreement: Digest,
}

/// What [`PreparationTerms::write_protection`] writes.
pub(crate) struct Guarded {
    protection: Protection,
    admitted: Vec<ParticipantId>,
}

impl Parties {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, PlanError> {
        if r.bytes()? != PROTOCOL.as_bytes() {
            return Err(PlanError::Malformed);
        }
        let federation = text(r)?;
        let roster = r.digest()?;
        let job = JobId::new(&text(r)?).ok_or(Malformed)?;
        Ok(Self { federation, roster, job, agreement: r.digest()? })
    }
}

impl Guarded {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, PlanError> {
        let parameter_set = ParameterSet::from_name(&text(r)?).ok_or(Malformed)?;
        let (threshold, colluding, min_survivors) = (r.u16()?, r.u16()?, r.u16()?);
        let admitted = r.list(Reader::id)?;
        let n = u16::try_from(admitted.len()).map_err(|_| Malformed)?;
        let protection = Protection::new(parameter_set, n, threshold, colluding, min_survivors)?;
        Ok(Self { protection, admitted })
    }
}

impl Deadlines {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, PlanError> {
        match r.list(Reader::u64)?[..] {
            [advertise, share, collect, certify, reveal] => {
                Ok(Self { advertise, share, collect, certify, reveal })
            }
            _ => Err(PlanError::Malformed),
        }
    }
}

pub(crate) fn text(r: &mut Reader<'_>) -> Result<String, Malformed> {
    core::str::from_utf8(r.bytes()?).map(String::from).map_err(|_| Malformed)
}
