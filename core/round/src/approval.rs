//! What becomes of a released model, and the word of the approver that it may: the statement that is signed, and its check.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::Writer;
use crate::digest::Digest;
use crate::hex_bytes;
use crate::ids::JobId;
use crate::roster::{Approver, SealedRoster, is_name};

/// What a released model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nothing yet: its job is complete.
    Candidate,
    /// It runs beside the champion, and nothing is decided by it.
    Shadow,
    /// It is the one that decides; there is at most one under a name.
    Champion,
    /// It is not to be used any more, for ever.
    Withdrawn,
}

/// A change of the stage of one model. Signed, it is a [`StageApproval`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageChange {
    /// The name under which the model stands in the registry, by the rule of [`is_name`].
    pub name: String,
    /// How many changes there were under this name before. An approval counts once, and not after another change.
    pub number: u64,
    /// The job that released the model.
    pub job: JobId,
    /// SHA-256 of its weights.
    pub model: Digest,
    /// SHA-256 of its card; none where a candidate is withdrawn, whose card nobody has named.
    pub card: Option<Digest>,
    /// What it is.
    pub from: Stage,
    /// What it becomes.
    pub to: Stage,
    /// The job of the champion that becomes a shadow again, since this one takes its place; none where there is none.
    pub replaces: Option<JobId>,
    /// Why: one line, without names of people.
    pub reason: String,
    /// Gates that the job of the champion which is replaced sets, and the job of this model does not: they were never held
    /// against it. The approver signs them by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ungated: Vec<String>,
}

/// A change of stage with the word of an approver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageApproval {
    /// The change.
    pub change: StageChange,
    /// Who approves it, as the roster names the office.
    pub approver: String,
    /// Ed25519 of the approver's key over [`StageChange::statement`].
    #[serde(with = "hex_bytes")]
    pub signature: [u8; 64],
}

/// Why an approval is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApprovalError {
    /// The roster names no such approver.
    #[error("the federation's roster has no approver `{0}`")]
    Unknown(String),
    /// The signature is not over this change, or not by the approver's key, or for another federation.
    #[error(
        "the approval is not signed by the key that the roster has of `{0}`, for this change and federation"
    )]
    Signature(String),
    /// A name outside the rule.
    #[error("the name of the model or of the approver is not 1 to 64 characters of a-z, 0-9, `-` and `_`")]
    Name,
    /// A reason that is no line.
    #[error("a reason is one line of 1 to {LONGEST_REASON} characters")]
    Reason,
}

impl ApprovalError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "model.no-approver",
            Self::Signature(_) => "model.approval-signature",
            Self::Name => "model.name",
            Self::Reason => "model.reason",
        }
    }
}

impl Stage {
    /// Whether a model of this stage may become one of that. A champion that another replaces becomes a shadow again by itself.
    pub fn may_become(self, to: Self) -> bool {
        matches!(
            (self, to),
            (Self::Candidate, Self::Shadow)
                | (Self::Shadow, Self::Champion)
                | (Self::Candidate | Self::Shadow | Self::Champion, Self::Withdrawn)
        )
    }

    /// Whether participants get such a model.
    pub fn is_released(self) -> bool {
        matches!(self, Self::Shadow | Self::Champion)
    }

    /// The stage that is written so.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Candidate, Self::Shadow, Self::Champion, Self::Withdrawn]
            .into_iter()
            .find(|stage| stage.name() == name)
    }

    /// As it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Shadow => "shadow",
            Self::Champion => "champion",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl StageChange {
    /// The bytes that an approver of the federation with this roster signs. The roster's digest covers the federation's name
    /// and the key of its ledger, so that an approval is worth nothing anywhere else.
    pub fn statement(&self, roster: Digest) -> Vec<u8> {
        let optional = |writer: Writer, bytes: Option<&[u8]>| match bytes {
            None => writer.u16(0),
            Some(bytes) => writer.u16(1).bytes(bytes),
        };
        let writer = Writer::new()
            .fixed(STATEMENT)
            .fixed(roster.as_bytes())
            .bytes(self.name.as_bytes())
            .u64(self.number)
            .bytes(self.job.as_str().as_bytes())
            .fixed(self.model.as_bytes());
        let writer = optional(writer, self.card.as_ref().map(|card| &card.as_bytes()[..]));
        let writer = writer.bytes(self.from.name().as_bytes()).bytes(self.to.name().as_bytes());
        let writer = optional(writer, self.replaces.as_ref().map(|job| job.as_str().as_bytes()));
        let writer = writer.bytes(self.reason.as_bytes());
        // Nothing follows the reason where there are none, as before there could be any.
        let named = |writer: Writer, gate: &String| writer.bytes(gate.as_bytes());
        self.ungated.iter().fold(writer, named).finish()
    }

    /// The word of `approver` that this may be, in the federation with this roster.
    pub fn approve(self, roster: Digest, approver: &str, key: &SigningKey) -> StageApproval {
        let signature = key.sign(&self.statement(roster)).to_bytes();
        StageApproval { change: self, approver: approver.into(), signature }
    }
}

impl StageApproval {
    /// Checks names, reason and signature, and gives the approver. Whether the change is one that may be is not looked at.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub fn verify<'r>(&self, roster: &'r SealedRoster) -> Result<&'r Approver, ApprovalError> {
        let StageChange { name, reason, .. } = &self.change;
        if !is_name(name) || !is_name(&self.approver) {
            return Err(ApprovalError::Name);
        }
        let characters = reason.chars().count();
        if !(1..=LONGEST_REASON).contains(&characters)
            || reason.trim() != reason
            || reason.chars().any(char::is_control)
        {
            return Err(ApprovalError::Reason);
        }
        let unknown = || ApprovalError::Unknown(self.approver.clone());
        let approver = roster.approver(&self.approver).ok_or_else(unknown)?;
        // A sealed roster has usable keys only.
        let key = approver.verifying_key().map_err(|_| unknown())?;
        let (statement, signature) =
            (self.change.statement(roster.digest()), Signature::from_bytes(&self.signature));
        let verified = key.verify_strict(&statement, &signature);
        verified.map(|()| approver).map_err(|_| ApprovalError::Signature(self.approver.clone()))
    }
}

/// What entries about the models of this name are about, so that each names the one before it.
pub fn subject(name: &str) -> String {
    format!("model/{name}")
}

/// With this begins everything that an approver's key signs, and nothing that any other key does.
const STATEMENT: &[u8] = b"syndic model stage/1";
/// Characters of a reason.
const LONGEST_REASON: usize = 500;
