//! The roster before the eyes of the person who is asked to sign it.

use std::fmt;

use syndic_round::enrolment::Bundle;
use syndic_round::roster::is_name;
use syndic_round::{Digest, EndorsedRoster, Endorsement, Roster, RosterError};

use super::{EnrolError, check};
use crate::keys::Keys;

/// A roster that keeps the rules of rosters and lists this institution under its own id, name and key. Printed, it shows the members; only it
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
    /// [`EnrolError::RosterName`] or [`EnrolError::Roster`] for a roster that breaks a rule of its own; any other
    /// says which two of the three do not agree.
    pub fn new(keys: &'a Keys, bundle: &'a Bundle, roster: &'a Roster) -> Result<Self, EnrolError> {
        // Nothing of a roster is shown, also not in an error, before its names are known to be harmless.
        check_names(roster)?;
        check(keys, bundle, roster)?;
        check_rules(roster)?;
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
        for approver in &self.roster.approvers {
            writeln!(f, "approver {:width$}  key {}", approver.name, hex::encode(approver.key))?;
        }
        writeln!(f, "coordinator key {}", hex::encode(self.roster.coordinator_key))?;
        write!(f, "roster digest   {}", self.digest())
    }
}

/// Checks that the federation and every member have a plain name: anything else could move the cursor of the
/// terminal that the roster is reviewed on, and so hide a member or a key.
pub(super) fn check_names(roster: &Roster) -> Result<(), EnrolError> {
    let members = roster.members.iter().map(|member| (format!("member {}", member.id), &member.name));
    let approvers = roster.approvers.iter().map(|approver| ("an approver".to_owned(), &approver.name));
    let mut names =
        std::iter::once(("the federation".to_owned(), &roster.federation)).chain(members).chain(approvers);
    match names.find(|(_, name)| !is_name(name)) {
        Some((whose, name)) => Err(EnrolError::RosterName { whose, name: name.clone() }),
        None => Ok(()),
    }
}

/// Checks order, uniqueness and keys of the members, as when the sealed roster is pinned.
fn check_rules(roster: &Roster) -> Result<(), EnrolError> {
    let unsigned = EndorsedRoster { roster: roster.clone(), endorsements: Vec::new() };
    match unsigned.verify() {
        // All that was wrong is that nobody has signed yet; or that too few have joined yet, of whom no federation
        // can be sealed.
        Ok(_) | Err(RosterError::Unsigned(_) | RosterError::Size(0..=2)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
