//! One dealer, and the holders of its shares.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::message::PublicPart;
use syndic_round::{Digest, ParameterSet, ParticipantId, Protection};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, KeyShare, OneTimeKey, SealContext, Sharing, SharingContext,
};

/// A dealer and its cohort.
pub(crate) struct Table {
    ids: Vec<ParticipantId>,
    threshold: u16,
    secret: KemSecret,
    public: KemPublic,
}

impl Table {
    pub(crate) fn of(n: usize) -> Self {
        let ids = (1..=n as u16).map(|number| ParticipantId::new(number).unwrap()).collect();
        let threshold = Protection::default_for(ParameterSet::S32, n as u16).unwrap().threshold();
        let secret = KemSecret::generate(&mut ChaCha20Rng::seed_from_u64(1));
        Self { ids, threshold, public: secret.public(), secret }
    }

    fn context(&self) -> SharingContext<'_> {
        let Self { ids, threshold, .. } = self;
        SharingContext { dealer: ids[0], h1: Digest::of(b"h1"), cohort: ids, threshold: *threshold }
    }

    fn seal_context(&self, recipient: ParticipantId) -> SealContext {
        SealContext { sender: self.ids[0], recipient, h1: Digest::of(b"h1") }
    }

    /// All that a dealer does in phase B, from the key on.
    pub(crate) fn deal(&self) -> (Sharing, Vec<Vec<u8>>) {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let sharing = OneTimeKey::generate(&mut rng).share(&self.context(), &mut rng).unwrap();
        let seal = |(id, share): &(ParticipantId, KeyShare)| {
            self.public.seal(&share.to_bytes(), &self.seal_context(*id), &mut rng)
        };
        let sealed = sharing.shares.iter().map(seal).collect();
        (sharing, sealed)
    }

    /// As much as a holder does in phase C: n shares are opened and verified (here of one dealer for n holders).
    pub(crate) fn receive(&self, sharing: &Sharing, sealed: &[Vec<u8>]) {
        for (&id, sealed) in self.ids.iter().zip(sealed) {
            let bytes = self.secret.open(sealed, &self.seal_context(id)).unwrap();
            let share = KeyShare::from_bytes(&bytes, self.ids.len()).unwrap();
            share.verify(id, &sharing.public, &self.context()).unwrap();
        }
    }
}

/// Bytes that a dealer sends in phase B.
pub(crate) fn dealt_bytes(n: usize) -> usize {
    let (sharing, sealed) = Table::of(n).deal();
    bytes_of(&sharing.public, &sealed)
}

/// Bytes of a public part and of sealed shares.
pub(crate) fn bytes_of(public: &PublicPart, sealed: &[Vec<u8>]) -> usize {
    let checks: usize = public.checks.iter().map(|check| 8 * check.len()).sum();
    32 * public.commitments.len() + checks + sealed.iter().map(Vec::len).sum::<usize>()
}
