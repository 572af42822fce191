//! Who is asked whether a message is genuine: the keys of a roster, or, in replay, the word of whoever asked them before.

use crate::message::{Context, Payload, Signed};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;

/// Whether the signatures of messages are to be verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signatures {
    /// They are: nobody has done so yet.
    #[default]
    Unverified,
    /// They were, before the messages were stored, and what is stored is known to be what was stored then.
    Verified,
}

/// Verifies messages by the keys of a roster, as far as their signatures were not verified before.
#[derive(Clone, Copy)]
pub(crate) struct Verifier<'a> {
    roster: &'a SealedRoster,
    signatures: Signatures,
}

impl<'a> Verifier<'a> {
    /// One that verifies every signature.
    pub(crate) fn of(roster: &'a SealedRoster) -> Self {
        Self::new(roster, Signatures::Unverified)
    }

    pub(crate) fn new(roster: &'a SealedRoster, signatures: Signatures) -> Self {
        Self { roster, signatures }
    }

    /// Verifies the signature, then decodes the payload and checks that it names its sender.
    pub(crate) fn verify<P: Payload>(self, signed: &Signed, context: Context) -> Result<P, Rejection> {
        self.roster.member(signed.from).ok_or(Rejection::UnknownSender)?;
        let is_genuine = || signed.is_genuine(P::KIND, context, self.roster);
        if self.signatures == Signatures::Unverified && !is_genuine() {
            return Err(Rejection::BadSignature { from: signed.from });
        }
        let payload = P::decode(&signed.payload)?;
        if payload.sender() == signed.from { Ok(payload) } else { Err(Rejection::Malformed) }
    }
}
