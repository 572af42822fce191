//! The signed messages of a round: what participants say, byte for byte.
//!
//! A signature covers `"KSA/1 " || kind || ctx0 || H1 || SHA-256(payload)` (H1 is absent before the cohort
//! exists). Payloads travel verbatim and are decoded only after their signature was verified.

use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer, SigningKey};

use crate::codec::{Malformed, Reader, Writer};
use crate::digest::Digest;
use crate::ids::{ParticipantId, RoundId};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::verifier::Verifier;

/// The kinds of signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Phase A: a one-time KEM key.
    Advertise,
    /// Phase B: the public part of a key sharing.
    Dealing,
    /// Phase C: verdicts over the shares received.
    Ack,
    /// Phase D: what is about to be uploaded.
    Header,
    /// Phase E: agreement to a survivor set.
    Certify,
    /// Phase F: the sum of key shares for that set.
    Reveal,
    /// A promise never to reveal in this attempt.
    Void,
    /// A participant's no.
    Decline,
}

/// A payload with its sender's signature, as it travels and as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who claims to have signed.
    pub from: ParticipantId,
    /// The signed payload.
    pub payload: Vec<u8>,
    /// Ed25519 signature.
    pub signature: [u8; 64],
}

/// What a signature is bound to beside its kind and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// ctx0 of the plan.
    pub ctx0: Digest,
    /// H1 of the cohort, once there is one.
    pub h1: Option<Digest>,
}

/// Phase A: a participant's one-time KEM key and a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// Sender.
    pub id: ParticipantId,
    /// X-Wing public key, 1,216 bytes.
    pub kem_key: Vec<u8>,
    /// Fresh randomness, so that no H1 repeats.
    pub nonce: [u8; 32],
}

/// Phase B: what a dealer signs about the shares that it made, the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealing {
    /// Dealer.
    pub id: ParticipantId,
    /// (recipient, SHA-256 of the sealed share), in the order of ids, the dealer itself included.
    pub shares: Vec<(ParticipantId, Digest)>,
    /// What the shares are verified by.
    pub public: PublicPart,
}

/// Commitments to the shares of one key, and the check polynomials: by these each holder can tell that all shares
/// restore one and the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPart {
    /// One for each member of the cohort, in the order of ids.
    pub commitments: Vec<Digest>,
    /// Each with as many terms as the threshold says, elements of F_p, that of x^0 first.
    pub checks: [Vec<u64>; CHECKS],
}

/// How many check polynomials a dealer publishes.
pub const CHECKS: usize = 2;

/// Phase C: a member's verdict over each dealer's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Sender.
    pub id: ParticipantId,
    /// Verdicts in the order of dealers' ids.
    pub verdicts: Vec<Verdict>,
}

/// One dealer in the eyes of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Dealer.
    pub dealer: ParticipantId,
    /// SHA-256 of the dealer's public part as the recipient saw it.
    pub dealing: Digest,
    /// Whether the share opened, and is the one that its dealer's public part says.
    pub ok: bool,
}

/// Phase D: what an upload consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sender.
    pub id: ParticipantId,
    /// H1 of the cohort whose masks and keys it uses.
    pub h1: Digest,
    /// Preparation consumed.
    pub preparation: u64,
    /// Round and attempt.
    pub round: RoundId,
    /// Digest of the plan, question included, that the sender trained on (rule 7).
    pub plan: Digest,
    /// Chunks of 2,048 coefficients.
    pub chunks: u32,
    /// Merkle root over the chunks' bytes.
    pub root: Digest,
}

/// Phase E: agreement to one survivor list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certify {
    /// Sender.
    pub id: ParticipantId,
    /// Digest of the survivor list.
    pub survivors: Digest,
}

/// Phase F: the sum of the key shares that a member holds from the survivors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// Sender.
    pub id: ParticipantId,
    /// Digest of the survivor list.
    pub survivors: Digest,
    /// Field elements, as secure aggregation encodes them.
    pub share_sum: Vec<u8>,
}

/// A member's promise that it has not revealed in an attempt and never will. t of them void the attempt: its sum can
/// never be opened, so that its question may be asked again (rule 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Void {
    /// Sender.
    pub id: ParticipantId,
    /// The attempt.
    pub round: RoundId,
}

/// A participant's no, with a stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    /// Sender.
    pub id: ParticipantId,
    /// Round and attempt declined.
    pub round: RoundId,
    /// Reason code, `policy.purpose` for instance.
    pub reason: String,
}

/// A payload of one kind.
pub trait Payload: Sized {
    /// The kind that its signature names.
    const KIND: Kind;
    /// Who says it.
    fn sender(&self) -> ParticipantId;
    /// The bytes.
    fn encode(&self) -> Vec<u8>;
    /// The payload with these bytes.
    ///
    /// # Errors
    /// [`Malformed`] for anything that [`Self::encode`] cannot have written.
    fn decode(bytes: &[u8]) -> Result<Self, Malformed>;

    /// Signs this message.
    fn sign(&self, context: Context, key: &SigningKey) -> Signed {
        let payload = self.encode();
        let signature = key.sign(&context.statement(Self::KIND, &payload)).to_bytes();
        Signed { from: self.sender(), payload, signature }
    }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Advertise,
        Self::Dealing,
        Self::Ack,
        Self::Header,
        Self::Certify,
        Self::Reveal,
        Self::Void,
        Self::Decline,
    ];

    /// The name, as signatures and the ledger write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Advertise => "advertise",
            Self::Dealing => "dealing",
            Self::Ack => "ack",
            Self::Header => "header",
            Self::Certify => "certify",
            Self::Reveal => "reveal",
            Self::Void => "void",
            Self::Decline => "decline",
        }
    }
}

impl Context {
    fn statement(&self, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let h1 = self.h1.as_ref().map_or([].as_slice(), |h1| h1.as_bytes());
        let parts = [b"KSA/1 ".as_slice(), kind.name().as_bytes(), self.ctx0.as_bytes(), h1];
        [parts.concat().as_slice(), Digest::of(payload).as_bytes()].concat()
    }
}

impl Signed {
    /// Verifies the signature by the roster, then decodes the payload and checks that it names its sender.
    ///
    /// # Errors
    /// [`Rejection`]: unknown sender, bad signature, malformed payload.
    pub fn verify<P: Payload>(&self, context: Context, roster: &SealedRoster) -> Result<P, Rejection> {
        Verifier::of(roster).verify(self, context)
    }

    /// The message that was verified, and what it says.
    pub(crate) fn verified<P: Payload>(
        &self,
        context: Context,
        verifier: Verifier<'_>,
    ) -> Result<Verified<P>, Rejection> {
        let payload = verifier.verify(self, context)?;
        Ok(Verified { signed: self.clone(), payload, context })
    }

    /// Whether the roster's key of the claimed sender signed this payload as a message of `kind`.
    pub fn is_genuine(&self, kind: Kind, context: Context, roster: &SealedRoster) -> bool {
        let statement = context.statement(kind, &self.payload);
        let signature = Signature::from_bytes(&self.signature);
        roster.key(self.from).is_some_and(|key| key.verify_strict(&statement, &signature).is_ok())
    }

    /// SHA-256 of the payload.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Sender, payload and signature in one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let expected = self.payload.len() + self.signature.len() + 6;
        Writer::with_capacity(expected).id(self.from).bytes(&self.payload).fixed(&self.signature).finish()
    }

    /// The message with this encoding.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let signed = Self { from: r.id()?, payload: r.bytes()?.to_vec(), signature: r.array()? };
        r.finish()?;
        Ok(signed)
    }
}

/// A message whose signature was verified, so that it need not be once more: [`Signed::verified`] alone makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified<P> {
    signed: Signed,
    payload: P,
    context: Context,
}

impl<P> Verified<P> {
    /// What it says, if it was verified as bound to this very `context`; otherwise its signature is worth nothing here.
    pub(crate) fn bound_to(&self, context: Context) -> Result<&P, Rejection> {
        if self.context == context {
            Ok(&self.payload)
        } else {
            Err(Rejection::BadSignature { from: self.signed.from })
        }
    }

    /// What it says.
    pub(crate) fn payload(&self) -> &P {
        &self.payload
    }

    /// The message as it was signed.
    pub(crate) fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Both, for keeping.
    pub(crate) fn into_parts(self) -> (Signed, P) {
        (self.signed, self.payload)
    }
}

macro_rules! payload {
    ($type:ident, $kind:ident, |$self:ident| $encode:expr, |$r:ident| $decode:expr) => {
        impl Payload for $type {
            const KIND: Kind = Kind::$kind;

            fn sender(&self) -> ParticipantId {
                self.id
            }

            fn encode(&self) -> Vec<u8> {
                let $self = self;
                $encode.finish()
            }

            fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
                let mut reader = Reader::new(bytes);
                let $r = &mut reader;
                let payload = $decode;
                reader.finish()?;
                Ok(payload)
            }
        }
    };
}

payload!(Advertise, Advertise, |m| Writer::new().id(m.id).bytes(&m.kem_key).fixed(&m.nonce), |r| Advertise {
    id: r.id()?,
    kem_key: r.bytes_where(|len| len == KEM_KEY_BYTES)?.to_vec(),
    nonce: r.array()?
});

payload!(
    Dealing,
    Dealing,
    |m| {
        let w = Writer::new().id(m.id);
        let w = w.list(m.shares.iter(), |w, (to, digest)| w.id(*to).fixed(digest.as_bytes()));
        let w = w.list(m.public.commitments.iter(), |w, commitment| w.fixed(commitment.as_bytes()));
        m.public.checks.iter().fold(w, |w, check| w.list(check.iter(), |w, term| w.u64(*term)))
    },
    |r| Dealing {
        id: r.id()?,
        shares: r.list(|r| Ok((r.id()?, r.digest()?)))?,
        public: PublicPart {
            commitments: r.list(Reader::digest)?,
            checks: [r.list(Reader::u64)?, r.list(Reader::u64)?],
        },
    }
);

payload!(
    Ack,
    Ack,
    |m| Writer::new()
        .id(m.id)
        .list(m.verdicts.iter(), |w, v| { w.id(v.dealer).fixed(v.dealing.as_bytes()).u16(u16::from(v.ok)) }),
    |r| Ack {
        id: r.id()?,
        verdicts: r.list(|r| {
            let (dealer, dealing) = (r.id()?, r.digest()?);
            let ok = match r.u16()? {
                0 => false,
                1 => true,
                _ => return Err(Malformed),
            };
            Ok(Verdict { dealer, dealing, ok })
        })?,
    }
);

payload!(
    Header,
    Header,
    |m| {
        let w = Writer::new().id(m.id).fixed(m.h1.as_bytes()).u64(m.preparation).u32(m.round.round);
        w.u32(m.round.attempt).fixed(m.plan.as_bytes()).u32(m.chunks).fixed(m.root.as_bytes())
    },
    |r| Header {
        id: r.id()?,
        h1: r.digest()?,
        preparation: r.u64()?,
        round: RoundId { round: r.u32()?, attempt: r.u32()? },
        plan: r.digest()?,
        chunks: r.u32()?,
        root: r.digest()?,
    }
);

payload!(Certify, Certify, |m| Writer::new().id(m.id).fixed(m.survivors.as_bytes()), |r| Certify {
    id: r.id()?,
    survivors: r.digest()?
});

payload!(Reveal, Reveal, |m| Writer::new().id(m.id).fixed(m.survivors.as_bytes()).bytes(&m.share_sum), |r| {
    Reveal {
        id: r.id()?,
        survivors: r.digest()?,
        share_sum: r.bytes_where(|len| len <= LARGEST_SHARE_BYTES)?.to_vec(),
    }
});

payload!(Void, Void, |m| Writer::new().id(m.id).u32(m.round.round).u32(m.round.attempt), |r| Void {
    id: r.id()?,
    round: RoundId { round: r.u32()?, attempt: r.u32()? }
});

payload!(
    Decline,
    Decline,
    |m| Writer::new().id(m.id).u32(m.round.round).u32(m.round.attempt).bytes(m.reason.as_bytes()),
    |r| Decline {
        id: r.id()?,
        round: RoundId { round: r.u32()?, attempt: r.u32()? },
        reason: match core::str::from_utf8(r.bytes()?) {
            Ok(reason) if is_code(reason) => reason.into(),
            _ => return Err(Malformed),
        },
    }
);

/// Reason codes are shown and recorded as they come, so they hold nothing but what codes hold.
fn is_code(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// Length of an X-Wing public key.
const KEM_KEY_BYTES: usize = 1_216;
/// A share in the largest cohort has 512 elements of eight bytes.
const LARGEST_SHARE_BYTES: usize = 4_096;
