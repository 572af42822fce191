//! Receipts: the coordinator's signed word that it has a participant's message on record.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::codec::{Malformed, Reader, Writer};
use crate::digest::Digest;
use crate::ids::{JobId, RoundId, Timestamp};
use crate::message::{Kind, Signed};

/// What a receipt is for.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Federation.
    pub federation: &'a str,
    /// Job.
    pub job: &'a JobId,
    /// Round and attempt.
    pub round: RoundId,
    /// The kind of message.
    pub kind: Kind,
    /// The message.
    pub message: &'a Signed,
}

/// A signature of the coordinator over a message that it has on record, and when it signed.
///
/// It proves that the message was accepted; it does not prove that it counted, which the ledger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When the coordinator signed, by its own clock.
    pub at: Timestamp,
    /// Ed25519 signature by the coordinator's key in the roster.
    pub signature: [u8; 64],
}

impl Receipt {
    /// Signs a receipt. Only for what is durable.
    pub fn sign(received: &Received<'_>, at: Timestamp, key: &SigningKey) -> Self {
        let signature = key.sign(statement(received, at).as_bytes()).to_bytes();
        Self { at, signature }
    }

    /// Whether this is the receipt of the coordinator with this key, for exactly this.
    pub fn is_for(&self, received: &Received<'_>, key: &VerifyingKey) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        key.verify_strict(statement(received, self.at).as_bytes(), &signature).is_ok()
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> alloc::vec::Vec<u8> {
        Writer::new().u64(self.at.0).fixed(&self.signature).finish()
    }

    /// The receipt with this encoding.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let receipt = Self { at: Timestamp(r.u64()?), signature: r.array()? };
        r.finish()?;
        Ok(receipt)
    }
}

/// What is signed. The coordinator's key signs checkpoints of its ledger too, which are text and never 32 bytes.
fn statement(received: &Received<'_>, at: Timestamp) -> Digest {
    let Received { federation, job, round, kind, message } = received;
    let numbers = Writer::new().u32(round.round).u32(round.attempt).u64(at.0).finish();
    let message = Digest::of(&message.to_bytes());
    let parts: [&[u8]; 5] = [
        federation.as_bytes(),
        job.as_str().as_bytes(),
        kind.name().as_bytes(),
        &numbers,
        message.as_bytes(),
    ];
    Digest::of_parts("KSA/1 receipt", &parts)
}
