//! How keys, shares and updates are made and opened in a run: by KSA/1, or by the plain engine.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::Opening;
use syndic_round::message::PublicPart;
use syndic_round::{
    Certificate, Cohort, ParticipantId, PreparationTerms, Quantised, Rejection, RoundPlan, Sum,
};
use syndic_secure_aggregation::{
    Aggregate, EncryptedUpdate, KemPublic, KemSecret, KeyShare, KeyShareSum, Masks, OneTimeKey, OpenedSum,
    SealContext, Sharing, SharingContext, SmallVector, Subject, Unopened, VectorShape, VectorShare,
    VectorShareSum, open,
};

use crate::plain;

/// What protects updates in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// KSA/1, as shipped.
    Encrypted,
    /// Nothing: updates travel as they are. The state machines, the messages and their signatures, the journal, the
    /// ledger and the encoder are those of an encrypted round, so that the two differ by the cryptography alone. Vectors
    /// that are shared themselves are shared as shipped, and their shares are not sealed. It exists in this crate only,
    /// which no shipped crate may depend on.
    Plain,
}

/// Opens shares sealed for one participant.
pub enum Opener {
    /// With a key of its own.
    Kem(KemSecret),
    /// They are not sealed.
    Plain,
}

/// What a participant has shared: a one-time key, or its vector itself.
pub enum Key {
    /// Encrypts.
    OneTime(Box<OneTimeKey>),
    /// The vector of a plan whose vectors have this shape, which is gone.
    Vector(Box<VectorShape>),
    /// Encrypts nothing.
    Plain,
    /// Stands for a key that is not the one which was shared.
    PlainForeign,
}

/// The shares that one participant holds.
pub enum Held {
    /// Of keys, by dealer.
    Keys(BTreeMap<ParticipantId, KeyShare>),
    /// Of nothing, by dealer.
    Plain(BTreeSet<ParticipantId>),
    /// Of vectors, by dealer.
    Vectors(Box<VectorShape>, BTreeMap<ParticipantId, VectorShare>),
}

/// A vector that is to be shared itself, and its shape.
pub type Vector = (VectorShape, SmallVector);

/// What a dealer publishes, and the share sealed for each member.
pub type Dealt = (PublicPart, Vec<(ParticipantId, Vec<u8>)>);

/// A sum, and what is stored with it.
pub struct OpenedRound {
    /// The sum, checked.
    pub sum: Sum,
    /// The sum of the survivors' keys, as it is stored; empty where there are none.
    pub key_sum: Vec<u8>,
    /// Whose reveals were wrong, and were corrected.
    pub wrong_reveals: Vec<ParticipantId>,
}

/// A participant in a cohort.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// The terms that its preparation is made by.
    pub terms: &'a PreparationTerms,
    /// The cohort.
    pub cohort: &'a Cohort,
    /// The participant.
    pub me: ParticipantId,
}

impl Member<'_> {
    fn sharing(&self, dealer: ParticipantId) -> SharingContext<'_> {
        let threshold = self.terms.protection.threshold();
        SharingContext { dealer, h1: self.cohort.h1(), cohort: self.cohort.ids(), threshold }
    }
}

impl Engine {
    /// A key to open shares with, and the public half that is advertised.
    pub fn opener(self, rng: &mut ChaCha20Rng) -> (Opener, Vec<u8>) {
        match self {
            Self::Encrypted => {
                let secret = KemSecret::generate(rng);
                let public = secret.public().to_bytes();
                (Opener::Kem(secret), public)
            }
            Self::Plain => {
                let mut public = vec![0; KemPublic::BYTES];
                rng.fill_bytes(&mut public);
                (Opener::Plain, public)
            }
        }
    }

    /// A key, or a vector itself, shared among the cohort. `spoil` is handed each holder's share before it is sealed.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] where a member advertised no key that shares can be sealed for.
    pub fn deal(
        self,
        member: &Member<'_>,
        vector: Option<Vector>,
        rng: &mut ChaCha20Rng,
        mut spoil: impl FnMut(ParticipantId, &mut Vec<u8>),
    ) -> Result<(Key, Dealt), Rejection> {
        let context = member.sharing(member.me);
        let (key, (public, mut shares)) = match (vector, self) {
            (Some((shape, vector)), _) => {
                let sharing = vector.share(&context, rng).map_err(|_| Rejection::Malformed)?;
                (Key::Vector(Box::new(shape)), in_bytes(sharing))
            }
            (None, Self::Encrypted) => {
                let key = OneTimeKey::generate(rng);
                let sharing = key.share(&context, rng).map_err(|_| Rejection::Malformed)?;
                (Key::OneTime(Box::new(key)), in_bytes(sharing))
            }
            (None, Self::Plain) => (Key::Plain, plain::deal(member.terms, member.cohort, member.me)),
        };
        for (to, share) in &mut shares {
            spoil(*to, share);
            *share = self.seal(member, *to, std::mem::take(share), rng)?;
        }
        Ok((key, (public, shares)))
    }

    /// A share as it travels.
    fn seal(
        self,
        member: &Member<'_>,
        to: ParticipantId,
        share: Vec<u8>,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, Rejection> {
        if self == Self::Plain {
            return Ok(share);
        }
        let cohort = member.cohort;
        let kem = KemPublic::from_bytes(cohort.kem_key(to)?).map_err(|_| Rejection::Malformed)?;
        let context = SealContext { sender: member.me, recipient: to, h1: cohort.h1() };
        Ok(kem.seal(&share, &context, rng))
    }

    /// No shares, of what all share as this participant did.
    pub fn no_shares(self, key: &Key) -> Held {
        match (key, self) {
            (Key::Vector(shape), _) => Held::Vectors(shape.clone(), BTreeMap::new()),
            (_, Self::Encrypted) => Held::Keys(BTreeMap::new()),
            (_, Self::Plain) => Held::Plain(BTreeSet::new()),
        }
    }

    /// The sum of an opening, from the ciphertexts in `aggregate`.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn open(
        self,
        plan: &RoundPlan,
        opening: &Opening,
        aggregate: &Aggregate,
    ) -> Result<OpenedRound, Unopened> {
        match self {
            Self::Encrypted => {
                let OpenedSum { sum, keys, wrong_reveals } = open(plan, opening, aggregate)?;
                Ok(OpenedRound { sum, key_sum: keys.to_bytes(), wrong_reveals })
            }
            Self::Plain => {
                let (sum, wrong_reveals) = plain::open(plan, opening, aggregate)?;
                Ok(OpenedRound { sum, key_sum: Vec::new(), wrong_reveals })
            }
        }
    }
}

impl Opener {
    /// Opens and verifies a share; says whether it is good, in which case it is held.
    pub fn take(
        &self,
        member: &Member<'_>,
        dealer: ParticipantId,
        public: &PublicPart,
        sealed: &[u8],
        held: &mut Held,
    ) -> bool {
        let (me, cohort) = (member.me, member.cohort);
        let bytes = match self {
            Self::Kem(kem) => {
                let context = SealContext { sender: dealer, recipient: me, h1: cohort.h1() };
                let Ok(bytes) = kem.open(sealed, &context) else { return false };
                bytes.to_vec()
            }
            Self::Plain => sealed.to_vec(),
        };
        match held {
            Held::Keys(held) => {
                let Ok(share) = KeyShare::from_bytes(&bytes, cohort.len()) else { return false };
                let good = share.verify(me, public, &member.sharing(dealer)).is_ok();
                good && held.insert(dealer, share).is_none()
            }
            Held::Vectors(shape, held) => {
                let Ok(share) = VectorShare::from_bytes(&bytes, shape) else { return false };
                let good = share.verify(me, public, &member.sharing(dealer)).is_ok();
                good && held.insert(dealer, share).is_none()
            }
            Held::Plain(held) => plain::is_share(cohort, dealer, me, &bytes) && held.insert(dealer),
        }
    }
}

impl Key {
    /// A key of the same engine that nobody holds shares of.
    pub fn foreign(self, rng: &mut ChaCha20Rng) -> Self {
        match self {
            Self::OneTime(_) => Self::OneTime(Box::new(OneTimeKey::generate(rng))),
            Self::Plain | Self::PlainForeign => Self::PlainForeign,
            Self::Vector(shape) => Self::Vector(shape),
        }
    }

    /// Encrypts an update; the key is gone.
    ///
    /// # Errors
    /// [`Rejection::Early`] where there is no key, since a vector was shared itself.
    pub fn encrypt(
        self,
        cohort: &Cohort,
        update: Quantised,
        rng: &mut ChaCha20Rng,
    ) -> Result<EncryptedUpdate, Rejection> {
        Ok(match self {
            Self::OneTime(key) => key.encrypt(update, &Masks::new(&cohort.h1()), rng),
            Self::Plain => plain::encode(&update),
            Self::PlainForeign => plain::encode_wrongly(&update),
            Self::Vector(_) => return Err(Rejection::Early),
        })
    }
}

impl Held {
    /// What is revealed for a certificate.
    ///
    /// # Errors
    /// [`Rejection::NotEligible`] where a survivor's share is missing.
    pub fn reveal(&self, certificate: &Certificate) -> Result<Vec<u8>, Rejection> {
        match self {
            Self::Keys(held) => KeyShareSum::of(held, certificate)
                .map(|sum| sum.to_bytes())
                .map_err(|missing| Rejection::NotEligible(missing.0)),
            Self::Vectors(_, held) => VectorShareSum::of(held, certificate)
                .map(|sum| sum.to_bytes())
                .map_err(|missing| Rejection::NotEligible(missing.0)),
            Self::Plain(_) => Ok(plain::reveal(certificate.survivors().digest())),
        }
    }
}

/// What a dealer publishes, and each holder's share in the clear.
fn in_bytes<S: Subject>(sharing: Sharing<S>) -> Dealt {
    let Sharing { public, shares } = sharing;
    (public, shares.into_iter().map(|(to, share)| (to, share.to_bytes().to_vec())).collect())
}
