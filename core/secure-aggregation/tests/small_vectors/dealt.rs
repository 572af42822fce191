//! A federation whose members have shared small vectors, with real cohort and certificates.

use std::collections::BTreeMap;

use syndic_round::message::PublicPart;
use syndic_round::{
    Block, Certificate, Contribution, Digest, Layout, ParameterSet, ParticipantId, RING_DIMENSION,
};
use syndic_secure_aggregation::{SharingContext, SmallVector, VectorShape, VectorShare, VectorShareSum};

use crate::federation::Federation;

/// What is held after phase B.
pub(crate) struct Dealt {
    pub(crate) federation: Federation,
    pub(crate) shape: VectorShape,
    pub(crate) publics: BTreeMap<ParticipantId, PublicPart>,
    /// By holder and dealer, each verified by its holder.
    pub(crate) held: BTreeMap<ParticipantId, BTreeMap<ParticipantId, VectorShare>>,
}

impl Dealt {
    /// `n` members, each with a vector of steps (`steps` of its slot) in blocks of (values, largest step).
    pub(crate) fn new(
        set: ParameterSet,
        n: u16,
        blocks: &[(u32, i64)],
        seed: u64,
        steps: impl Fn(usize) -> Vec<i64>,
    ) -> Self {
        let mut federation = Federation::new(set, n, 1, seed);
        let block = |(k, &(len, most)): (usize, &(u32, i64))| {
            let name = format!("block-{k}");
            Block { name, len, bound: most as f64, resolution: 1.0 }
        };
        federation.plan.layout = Layout::new(blocks.iter().enumerate().map(block).collect()).unwrap();
        let shape = VectorShape::of(&federation.plan).expect("it is small");
        let (publics, held) = (BTreeMap::new(), BTreeMap::new());
        let mut dealt = Self { federation, shape, publics, held };
        for (slot, dealer) in dealt.federation.ids().into_iter().enumerate() {
            dealt.deal(dealer, &steps(slot));
        }
        dealt
    }

    fn deal(&mut self, dealer: ParticipantId, steps: &[i64]) {
        let Self { federation, shape, .. } = self;
        let values = steps.iter().map(|&step| step as f64).collect();
        let clipped = Contribution::new(federation.plan.layout.clone(), values).unwrap().clip();
        let vector = SmallVector::encode(shape, clipped, &mut federation.rng);
        let (cohort, threshold) = (federation.ids(), federation.threshold());
        let context = SharingContext { dealer, h1: federation.cohort.h1(), cohort: &cohort, threshold };
        let sharing = vector.share(&context, &mut federation.rng).unwrap();
        for (holder, share) in sharing.shares {
            let share = VectorShare::from_bytes(&share.to_bytes(), shape).unwrap();
            share.verify(holder, &sharing.public, &context).unwrap();
            self.held.entry(holder).or_default().insert(dealer, share);
        }
        self.publics.insert(dealer, sharing.public);
    }

    pub(crate) fn certify(&self, survivors: &[ParticipantId]) -> Certificate {
        let chunks = self.federation.plan.coefficients() / RING_DIMENSION;
        let uploads = survivors.iter().map(|&id| (id, chunks, Digest::of(b"public part")));
        self.federation.certify(&self.federation.survivors_of(uploads).unwrap())
    }

    /// What `revealers` reveal for the survivor set, after a trip over the wire.
    pub(crate) fn reveal(
        &self,
        survivors: &[ParticipantId],
        revealers: &[ParticipantId],
    ) -> Vec<(ParticipantId, VectorShareSum)> {
        let certificate = self.certify(survivors);
        let reveal = |&id: &ParticipantId| {
            let bytes = VectorShareSum::of(&self.held[&id], &certificate).unwrap().to_bytes();
            assert_eq!(bytes.len(), self.shape.reveal_bytes());
            (id, VectorShareSum::from_bytes(&bytes, &self.shape).unwrap())
        };
        revealers.iter().map(reveal).collect()
    }

    /// `reveal` with `by` added to one of its elements.
    pub(crate) fn shifted(&self, reveal: &VectorShareSum, element: usize, by: u64) -> VectorShareSum {
        let mut bytes = reveal.to_bytes();
        let word: &mut [u8; 8] = &mut bytes.as_chunks_mut().0[element];
        let shifted = (u128::from(u64::from_le_bytes(*word)) + u128::from(by)) % u128::from(P);
        *word = (shifted as u64).to_le_bytes();
        VectorShareSum::from_bytes(&bytes, &self.shape).unwrap()
    }
}

/// The field in which vectors are shared.
pub(crate) const P: u64 = (1 << 61) - 1;
