//! The roster before the eyes of the person who is asked to sign it.

use std::fmt;

use syndic_round::enrolment::Bundle;
use syndic_round::{Digest, Endorsement, Roster};

use super::{EnrolError, check};
use crate::keys::Keys;

/// A roster that lists this institution under its own id, name and key. Printed, it shows the members; only it
/// can be signed.
pub struct RosterReview<'a> {
    keys: &'a Keys,
    bundle: &'a Bundle,
    roster: &'a Roster,
}

impl<'a> RosterReview<'a> {
    /// Checks `roster` against `bundle` and `keys`.
    ///
    /// # Errors
    /// [`EnrolError`] says which two of the three do not agree.
    pub fn new(keys: &'a Keys, bundle: &'a Bundle, roster: &'a Roster) -> Result<Self, EnrolError> {
        check(keys, bundle, roster)?;
        Ok(Self { keys, bundle, roster })
    }

    /// What every message of every round will be bound to.
    pub fn digest(&self) -> Digest {
        self.roster.digest()
    }

    /// The institution's signature over the roster as it is.
    pub fn endorse(self) -> Endorsement {
        self.roster.endorse(self.bundle.participant, self.keys.signing_key())
    }

    pub(super) fn bundle(&self) -> &Bundle {
        self.bundle
    }
}

impl fmt::Display for RosterReview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "federation `{}`, {} members", self.roster.federation, self.roster.members.len())?;
        let width = self.roster.members.iter().map(|member| member.name.len()).max().unwrap_or(0);
        for member in &self.roster.members {
            let you = if member.id == self.bundle.participant { "  (you)" } else { "" };
            let key = hex::encode(member.signing_key);
            writeln!(f, "  {:>5}  {:width$}  key {key}{you}", member.id.get(), member.name)?;
        }
        writeln!(f, "coordinator key {}", hex::encode(self.roster.coordinator_key))?;
        write!(f, "roster digest   {}", self.digest())
    }
}
