//! The roster: who belongs to a federation, signed by its members and pinned by each of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::Writer;
use crate::digest::Digest;
use crate::hex_bytes;
use crate::ids::ParticipantId;

/// One institution of a federation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The id.
    pub id: ParticipantId,
    /// The institution's name: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// The Ed25519 key that its messages are signed with.
    #[serde(with = "hex_bytes")]
    pub signing_key: [u8; 32],
}

/// Somebody who may approve what becomes of models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The name of the office, by the rule of [`is_name`]; never a person's.
    pub name: String,
    /// The Ed25519 key that its approvals are signed with. It is nobody else's: no member's, and not the coordinator's.
    #[serde(with = "hex_bytes")]
    pub key: [u8; 32],
}

/// The members of a federation, those who approve models, and the coordinator's ledger key, in one fixed encoding whose
/// digest every message of every round is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// The federation's name: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
    pub federation: String,
    /// Members in the order of their ids.
    pub members: Vec<Member>,
    /// The Ed25519 key that the coordinator signs ledger checkpoints and receipts with.
    #[serde(with = "hex_bytes")]
    pub coordinator_key: [u8; 32],
    /// Who may approve what becomes of models, in the order of names. A federation without any has the digest that it had before
    /// there were approvers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
}

/// A member's signature over a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// Who signed.
    pub member: ParticipantId,
    /// Ed25519 over [`Roster::statement`].
    #[serde(with = "hex_bytes")]
    pub signature: [u8; 64],
}

/// A roster with the signatures of all its members, as it lies in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsedRoster {
    /// The roster.
    pub roster: Roster,
    /// One signature of each member.
    pub endorsements: Vec<Endorsement>,
}

/// A roster that every member signed. Only [`EndorsedRoster::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRoster {
    roster: Roster,
    endorsements: Vec<Endorsement>,
    keys: Vec<VerifyingKey>,
    digest: Digest,
}

/// Why a roster is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RosterError {
    /// A name outside the rule.
    #[error("the name `{0}` is not 1 to 64 characters of a-z, 0-9, `-` and `_`")]
    Name(String),
    /// Ids or names that are not strictly increasing or unique.
    #[error("members are not in the order of unique ids with unique names and keys")]
    Order,
    /// Fewer members than a round needs, or more than the largest cohort.
    #[error("a federation has at least three members and at most 256, this roster has {0}")]
    Size(usize),
    /// A key that is no Ed25519 point, or a weak one.
    #[error("the signing key of `{0}` is not a valid Ed25519 key")]
    Key(String),
    /// Approvers that are not in the order of unique names, are too many, or have a key that is another's.
    #[error(
        "approvers are not at most {MOST_APPROVERS}, in the order of unique names, with keys that are nobody else's"
    )]
    Approvers,
    /// A member whose valid signature is absent.
    #[error("the roster lacks a valid signature of `{0}`")]
    Unsigned(String),
}

impl RosterError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "roster.name",
            Self::Order => "roster.order",
            Self::Size(_) => "roster.size",
            Self::Key(_) => "roster.key",
            Self::Approvers => "roster.approvers",
            Self::Unsigned(_) => "roster.unsigned",
        }
    }
}

impl Roster {
    /// The digest that stands for this roster in every signature.
    pub fn digest(&self) -> Digest {
        let members = Writer::new()
            .list(self.members.iter(), |w, m| w.id(m.id).bytes(m.name.as_bytes()).fixed(&m.signing_key));
        let (federation, members) = (self.federation.as_bytes(), members.finish());
        let approvers = Writer::new()
            .list(self.approvers.iter(), |w, one| w.bytes(one.name.as_bytes()).fixed(&one.key))
            .finish();
        // Each part goes in with its length, so that a roster with approvers has the encoding of none without.
        let parts: [&[u8]; 4] = [federation, &members, &self.coordinator_key, &approvers];
        let used = if self.approvers.is_empty() { 3 } else { 4 };
        Digest::of_parts("KSA/1 roster", &parts[..used])
    }

    /// The bytes that members sign.
    pub fn statement(&self) -> Vec<u8> {
        [b"KSA/1 roster endorsement".as_slice(), self.digest().as_bytes()].concat()
    }

    /// `member`'s signature.
    pub fn endorse(&self, member: ParticipantId, key: &SigningKey) -> Endorsement {
        Endorsement { member, signature: key.sign(&self.statement()).to_bytes() }
    }

    /// The origin line of the federation's ledger, which its checkpoints are signed under.
    pub fn ledger_origin(&self) -> String {
        format!("syndic/{}", self.federation)
    }

    /// The name under which `member` signs that the ledger has only grown, with the key that the roster has of it.
    ///
    /// One key is enough: what it signs here begins with `cosignature/v1`, and everything else that it ever signs with
    /// `KSA/1` or `syndic signing request` (docs/decisions/0015-members-are-witnesses.md).
    pub fn witness_name(&self, member: &Member) -> String {
        format!("{}/{}", self.ledger_origin(), member.name)
    }

    fn check(&self) -> Result<Vec<VerifyingKey>, RosterError> {
        if !(3..=256).contains(&self.members.len()) {
            return Err(RosterError::Size(self.members.len()));
        }
        let names = core::iter::once(&self.federation).chain(self.members.iter().map(|m| &m.name));
        if let Some(bad) = names.into_iter().find(|name| !is_name(name)) {
            return Err(RosterError::Name(bad.clone()));
        }
        let repeated = |(k, member): (usize, &Member)| {
            let earlier = &self.members[..k];
            earlier
                .iter()
                .any(|e| e.id >= member.id || e.name == member.name || e.signing_key == member.signing_key)
        };
        if self.members.iter().enumerate().any(repeated) {
            return Err(RosterError::Order);
        }
        let keys = self.members.iter().map(Member::verifying_key).collect::<Result<_, _>>()?;
        self.check_approvers().map(|()| keys)
    }

    /// Checks the approvers alone.
    ///
    /// # Errors
    /// [`RosterError::Name`], [`RosterError::Key`], [`RosterError::Approvers`].
    pub fn check_approvers(&self) -> Result<(), RosterError> {
        if let Some(bad) = self.approvers.iter().find(|approver| !is_name(&approver.name)) {
            return Err(RosterError::Name(bad.name.clone()));
        }
        let others = |approver: &Approver| {
            let members = self.members.iter().map(|member| member.signing_key);
            members.chain([self.coordinator_key]).any(|key| key == approver.key)
        };
        let repeated = |(k, approver): (usize, &Approver)| {
            self.approvers[..k].iter().any(|e| e.name >= approver.name || e.key == approver.key)
        };
        let is_wrong = self.approvers.len() > MOST_APPROVERS
            || self.approvers.iter().any(others)
            || self.approvers.iter().enumerate().any(repeated);
        if is_wrong {
            return Err(RosterError::Approvers);
        }
        self.approvers.iter().try_for_each(|approver| approver.verifying_key().map(drop))
    }
}

impl Approver {
    /// The key that verifies its approvals.
    pub(crate) fn verifying_key(&self) -> Result<VerifyingKey, RosterError> {
        usable(&self.key, &self.name)
    }
}

impl Member {
    fn verifying_key(&self) -> Result<VerifyingKey, RosterError> {
        usable(&self.signing_key, &self.name)
    }
}

fn usable(key: &[u8; 32], whose: &str) -> Result<VerifyingKey, RosterError> {
    let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak());
    key.ok_or_else(|| RosterError::Key(whose.to_string()))
}

impl EndorsedRoster {
    /// Checks names, keys and the signature of every member.
    ///
    /// # Errors
    /// [`RosterError`] names the first thing wrong.
    pub fn verify(self) -> Result<SealedRoster, RosterError> {
        let keys = self.roster.check()?;
        let statement = self.roster.statement();
        for (member, key) in self.roster.members.iter().zip(&keys) {
            let valid = |endorsement: &Endorsement| {
                let signature = Signature::from_bytes(&endorsement.signature);
                endorsement.member == member.id && key.verify_strict(&statement, &signature).is_ok()
            };
            if !self.endorsements.iter().any(valid) {
                return Err(RosterError::Unsigned(member.name.clone()));
            }
        }
        Ok(SealedRoster {
            digest: self.roster.digest(),
            roster: self.roster,
            endorsements: self.endorsements,
            keys,
        })
    }
}

impl SealedRoster {
    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The roster with its signatures, as it lies in a file.
    pub fn endorsed(&self) -> EndorsedRoster {
        EndorsedRoster { roster: self.roster.clone(), endorsements: self.endorsements.clone() }
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The member with this id.
    pub fn member(&self, id: ParticipantId) -> Option<&Member> {
        self.position(id).map(|k| &self.roster.members[k])
    }

    /// The key that verifies this member's signatures.
    pub fn key(&self, id: ParticipantId) -> Option<&VerifyingKey> {
        self.position(id).map(|k| &self.keys[k])
    }

    /// The approver of this name.
    pub fn approver(&self, name: &str) -> Option<&Approver> {
        self.roster.approvers.iter().find(|approver| approver.name == name)
    }

    fn position(&self, id: ParticipantId) -> Option<usize> {
        self.roster.members.binary_search_by_key(&id, |member| member.id).ok()
    }
}

/// Whether `text` can name a federation or a member.
pub fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// Approvers of one federation, at most.
const MOST_APPROVERS: usize = 64;
