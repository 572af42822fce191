//! Small vectors: decoders of their shares and of sums of shares, and what opens of sums that liars altered.

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::message::PublicPart;
use syndic_round::{Block, Contribution, Digest, Layout, ParticipantId};
use syndic_secure_aggregation::{
    Sharing, SharingContext, SmallVector, VectorError, VectorShape, VectorShare, VectorShareSum,
};

use crate::bounded::bounded;
use crate::federation::{ALL, FEDERATION, id};
use crate::script::{Script, choosing, chosen};

/// A vector of an honest dealer, shared among all.
struct Dealt {
    shape: VectorShape,
    cohort: Vec<ParticipantId>,
    threshold: u16,
    public: PublicPart,
    shares: Vec<(ParticipantId, Vec<u8>)>,
}

static DEALT: LazyLock<Dealt> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut plan = FEDERATION.plan_of(1, ALL);
    let block = |name: &str, len, bound| Block { name: String::from(name), len, bound, resolution: 1.0 };
    plan.layout = Layout::new(vec![block("count", 1, 1.0), block("wide", 4, 1e9)]).expect("a sound layout");
    let shape = VectorShape::of(&plan).expect("it is small");
    let (cohort, threshold): (Vec<_>, _) = (plan.terms.admitted.clone(), plan.terms.protection.threshold());
    let values = STEPS.iter().map(|&step| step as f64).collect();
    let clipped = Contribution::new(plan.layout, values).expect("finite values").clip();
    let vector = SmallVector::encode(&shape, clipped, &mut rng);
    let Sharing { public, shares } =
        vector.share(&context(&cohort, threshold), &mut rng).expect("terms that are allowed");
    let shares = shares.iter().map(|(id, share)| (*id, share.to_bytes().to_vec())).collect();
    Dealt { shape, cohort, threshold, public, shares }
});

const STEPS: [i64; 5] = [1, -1_000_000_000, 7, 0, 999_999_999];

fn context(cohort: &[ParticipantId], threshold: u16) -> SharingContext<'_> {
    SharingContext { dealer: id(2), h1: Digest::of(b"h1"), cohort, threshold }
}

/// A share, a sum of shares, or reveals of the one vector.
pub(super) fn run(input: &[u8]) {
    let Dealt { shape, cohort, threshold, public, shares } = &*DEALT;
    let (choice, bytes) = chosen(input);
    match choice % 3 {
        0 => {
            if let Ok(share) = bounded(bytes.len(), || VectorShare::from_bytes(bytes, shape)) {
                assert_eq!(*share.to_bytes(), *bytes, "a share has two encodings");
                for (holder, honest) in shares {
                    let good = share.verify(*holder, public, &context(cohort, *threshold)).is_ok();
                    assert_eq!(good, honest == bytes, "only the dealer's share is the dealer's share");
                }
            }
        }
        1 => {
            if let Ok(sum) = bounded(bytes.len(), || VectorShareSum::from_bytes(bytes, shape)) {
                assert_eq!(sum.to_bytes(), bytes, "a sum of shares has two encodings");
            }
        }
        _ => open(Script::new(bytes)),
    }
}

/// How many reveals, then each: whose, whether altered, where and by what.
fn open(mut script: Script<'_>) {
    let Dealt { shape, threshold, shares, .. } = &*DEALT;
    let count = script.u8() % 8;
    let (mut reveals, mut wrong, mut twice) = (Vec::new(), Vec::new(), false);
    for _ in 0..count {
        let (whose, alter) = (usize::from(script.u8()) % shares.len(), script.u8());
        let (at, value) = (usize::from(script.u8()) % shape.elements(), script.u64());
        let (id, share) = &shares[whose];
        let honest = &share[..shape.reveal_bytes()];
        let mut bytes = honest.to_vec();
        if alter & 1 == 1 {
            bytes[8 * at..8 * at + 8].copy_from_slice(&value.to_le_bytes());
        }
        // Elements that are not canonical are refused before they are reveals.
        let Ok(reveal) = VectorShareSum::from_bytes(&bytes, shape) else { continue };
        if bytes != honest {
            wrong.push(*id);
        }
        twice |= reveals.iter().any(|(earlier, _)| earlier == id);
        reveals.push((*id, reveal));
    }
    wrong.sort_unstable();
    let opened = shape.open(&reveals, 1);
    let surplus = reveals.len().saturating_sub((*threshold).into());
    if !twice && reveals.len() >= (*threshold).into() && 2 * wrong.len() <= surplus {
        let opened = opened.expect("few enough are wrong");
        assert_eq!((opened.sum.steps(), &opened.wrong_reveals), (&STEPS[..], &wrong));
        assert_eq!(opened.surplus, surplus - wrong.len());
    } else {
        match opened {
            Ok(opened) => {
                assert!(opened.wrong_reveals.len() * 2 <= surplus, "more were corrected than can be");
                let bounds = [1, 1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000];
                assert!(opened.sum.steps().iter().zip(bounds).all(|(step, most)| step.abs() <= most));
            }
            Err(VectorError::Sum { all_agree, .. }) => assert!(!all_agree, "honest reveals make a sum"),
            Err(VectorError::Reveals(_)) => {}
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let share = &DEALT.shares[0].1;
    let sum = &share[..DEALT.shape.reveal_bytes()];
    let reveals = |count: u8, liars: u8| {
        let one = |k: u8| [k, u8::from(k < liars), 1, 0, 0, 0, 0, 0, 0, 0, 9];
        let all: Vec<u8> = (0..count).flat_map(one).collect();
        choosing(2, [&[count], all.as_slice()].concat())
    };
    let openings = [(7, 0), (7, 1), (7, 2), (6, 1), (5, 0), (5, 1), (4, 0), (0, 0)];
    let openings = openings.map(|(count, liars)| reveals(count, liars));
    [vec![choosing(0, share), choosing(0, &DEALT.shares[6].1), choosing(1, sum)], openings.into()].concat()
}
