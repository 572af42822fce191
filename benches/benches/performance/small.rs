//! Small vectors: what takes the place of encrypting, folding and unmasking where a vector is shared itself.

use std::hint::black_box;

use criterion::Criterion;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::{Block, Contribution, Digest, Layout, ParameterSet, ParticipantId, RoundPlan};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, OfVector, SealContext, Sharing, SharingContext, SmallVector, VectorShape,
    VectorShare, VectorShareSum,
};

use super::COHORTS;
use super::dealing::bytes_of;
use super::federation::plan;
use super::phases::run;
use super::processor::ProcessorTime;

/// Measures every phase in every cohort.
pub(crate) fn measure(criterion: &mut Criterion<ProcessorTime>) {
    for n in COHORTS {
        let table = Table::of(n);
        run(criterion, DEAL, n, || {
            black_box(table.deal());
        });
        let (sharing, sealed) = table.deal();
        run(criterion, RECEIVE, n, || table.receive(&sharing, &sealed));
        let reveals = table.reveals(&sharing);
        run(criterion, OPEN, n, || {
            black_box(table.shape.open(&reveals, 1).unwrap());
        });
    }
}

/// A dealer and its cohort.
struct Table {
    plan: RoundPlan,
    ids: Vec<ParticipantId>,
    shape: VectorShape,
    secret: KemSecret,
    public: KemPublic,
}

impl Table {
    fn of(n: usize) -> Self {
        let ids: Vec<_> = (1..=n as u16).map(|number| ParticipantId::new(number).unwrap()).collect();
        let mut plan = plan(ParameterSet::S32, &ids, 1, Digest::of(b"roster"));
        let block = Block { name: "values".into(), len: VALUES as u32, bound: 1e6, resolution: 1.0 };
        plan.layout = Layout::new(vec![block]).unwrap();
        let shape = VectorShape::of(&plan).unwrap();
        let secret = KemSecret::generate(&mut ChaCha20Rng::seed_from_u64(1));
        Self { plan, ids, shape, public: secret.public(), secret }
    }

    fn context(&self) -> SharingContext<'_> {
        let (dealer, h1, threshold) =
            (self.ids[0], Digest::of(b"h1"), self.plan.terms.protection.threshold());
        SharingContext { dealer, h1, cohort: &self.ids, threshold }
    }

    fn seal_context(&self, recipient: ParticipantId) -> SealContext {
        SealContext { sender: self.ids[0], recipient, h1: Digest::of(b"h1") }
    }

    /// All that a dealer does, from the values on.
    fn deal(&self) -> (Sharing<OfVector>, Vec<Vec<u8>>) {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let values = (0..VALUES).map(|k| k as f64 * 1_000.3).collect();
        let clipped = Contribution::new(self.plan.layout.clone(), values).unwrap().clip();
        let vector = SmallVector::encode(&self.shape, clipped, &mut rng);
        let sharing = vector.share(&self.context(), &mut rng).unwrap();
        let seal = |(id, share): &(ParticipantId, VectorShare)| {
            self.public.seal(&share.to_bytes(), &self.seal_context(*id), &mut rng)
        };
        let sealed = sharing.shares.iter().map(seal).collect();
        (sharing, sealed)
    }

    /// As much as a holder does: n shares are opened and verified (here of one dealer for n holders).
    fn receive(&self, sharing: &Sharing<OfVector>, sealed: &[Vec<u8>]) {
        for (&id, sealed) in self.ids.iter().zip(sealed) {
            let bytes = self.secret.open(sealed, &self.seal_context(id)).unwrap();
            let share = VectorShare::from_bytes(&bytes, &self.shape).unwrap();
            share.verify(id, &sharing.public, &self.context()).unwrap();
        }
    }

    /// What all would reveal of one survivor: to open a sum over more is the same work.
    fn reveals(&self, sharing: &Sharing<OfVector>) -> Vec<(ParticipantId, VectorShareSum)> {
        let reveal = |(id, share): &(ParticipantId, VectorShare)| {
            let elements = &share.to_bytes()[..self.shape.reveal_bytes()];
            (*id, VectorShareSum::from_bytes(elements, &self.shape).unwrap())
        };
        sharing.shares.iter().map(reveal).collect()
    }
}

/// Bytes that a dealer sends.
pub(crate) fn dealt_bytes(n: usize) -> usize {
    let (sharing, sealed) = Table::of(n).deal();
    bytes_of(&sharing.public, &sealed)
}

/// Values of a vector, each of 10^6 steps either way.
const VALUES: usize = 50;

const DEAL: &str = "encode, share, commit and seal";
const RECEIVE: &str = "open and verify all shares of vectors";
const OPEN: &str = "restore and decode";

/// What is measured, in order.
pub(crate) const GROUPS: [&str; 3] = [DEAL, RECEIVE, OPEN];
