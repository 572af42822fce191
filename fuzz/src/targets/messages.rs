//! Decoders of what travels signed: one encoding for each value, so what decodes is written as it was read.

use std::sync::LazyLock;

use syndic_round::coordinator::Bundle;
use syndic_round::message::{
    Ack, Advertise, Certify, Context, Dealing, Decline, Header, Payload, Reveal, Void,
};
use syndic_round::{Digest, PreparationTerms, RoundPlan, Signed, Transcript};

use crate::bounded::bounded;
use crate::federation::{FEDERATION, id, upload_of};
use crate::script::{choosing, chosen};

/// The first byte chooses the kind.
pub(super) fn payload(input: &[u8]) {
    let (kind, bytes) = chosen(input);
    match kind % 8 {
        0 => same::<Advertise>(bytes),
        1 => same::<Dealing>(bytes),
        2 => same::<Ack>(bytes),
        3 => same::<Header>(bytes),
        4 => same::<Certify>(bytes),
        5 => same::<Reveal>(bytes),
        6 => same::<Void>(bytes),
        _ => same::<Decline>(bytes),
    }
}

fn same<P: Payload>(bytes: &[u8]) {
    if let Ok(payload) = bounded(bytes.len(), || P::decode(bytes)) {
        assert_eq!(payload.encode(), bytes, "{} has two encodings", P::KIND.name());
    }
}

pub(super) fn payload_seeds() -> Vec<Vec<u8>> {
    let payloads = HONEST.iter().map(|signed| &signed.payload);
    (0..).zip(payloads).map(|(kind, payload)| choosing(kind, payload)).collect()
}

/// One message of each kind, in the order of [`payload`].
static HONEST: LazyLock<Vec<Signed>> = LazyLock::new(|| {
    let (plan, me) = (FEDERATION.plan(1), id(2));
    let cohort = FEDERATION.cohort(&plan);
    let (dealing, bundle) = FEDERATION.deal(&plan, &cohort, me);
    let dealt = syndic_round::coordinator::Dealt { public: dealing.clone(), blob: bundle.blob };
    let set = Digest::of(b"set");
    let decline = Decline { id: me, round: plan.id, reason: "policy.purpose".into() };
    vec![
        FEDERATION.advertise(&plan, me),
        dealing,
        FEDERATION.acknowledge(&cohort, &[dealt], me, 3),
        FEDERATION.header(&plan, &cohort, me, upload_of(&plan, me).root),
        FEDERATION.certify(&cohort, set, me),
        FEDERATION.reveal(&cohort, set, me, 64),
        FEDERATION.sign(&Void { id: me, round: plan.id }, cohort.context()),
        FEDERATION.sign(&decline, Context { ctx0: plan.context(), h1: None }),
    ]
});

/// A message that travels, judged as each kind.
pub(super) fn signed(input: &[u8]) {
    let Ok(signed) = bounded(input.len(), || Signed::from_bytes(input)) else { return };
    assert_eq!(signed.to_bytes(), input, "a signed message has two encodings");
    let plan = FEDERATION.plan(1);
    let context = Context { ctx0: plan.context(), h1: None };
    if signed.verify::<Advertise>(context, &FEDERATION.roster).is_ok() {
        assert_eq!(signed, FEDERATION.advertise(&plan, signed.from), "nobody signed this");
    }
    let cohort = FEDERATION.cohort(&plan);
    if signed.verify::<Void>(cohort.context(), &FEDERATION.roster).is_ok() {
        assert!(HONEST.contains(&signed), "nobody signed this");
    }
}

pub(super) fn signed_seeds() -> Vec<Vec<u8>> {
    HONEST.iter().map(Signed::to_bytes).collect()
}

/// A blob of sealed shares.
pub(super) fn bundle(input: &[u8]) {
    if let Ok(shares) = bounded(input.len(), || Bundle::open(input)) {
        assert_eq!(Bundle::encode(&shares), input, "sealed shares have two encodings");
        let measured = Bundle::measure(input).expect("what opens is measured");
        assert_eq!(measured.shares.len(), shares.len());
    }
}

pub(super) fn bundle_seeds() -> Vec<Vec<u8>> {
    let of = |n: u16, len: usize| (1..=n).map(|number| (id(number), vec![number as u8; len])).collect();
    let seeds: [Vec<_>; 3] = [of(5, 40), of(3, 0), of(0, 0)];
    seeds.iter().map(|shares| Bundle::encode(shares)).collect()
}

/// A plan, and everything that is worked out from one before anybody has agreed to it.
pub(super) fn plan(input: &[u8]) {
    let Ok(plan) = bounded(input.len(), || RoundPlan::from_bytes(input)) else { return };
    assert_eq!(plan.to_bytes(), input, "a plan has two encodings");
    let (n, t) = (plan.terms.protection.admitted(), plan.terms.protection.threshold());
    let c = plan.terms.protection.colluding();
    assert!(2 * u32::from(t) > u32::from(n) + u32::from(c) && u32::from(t) >= u32::from(c) + 2, "{plan:?}");
    assert!(plan.coefficients() > plan.layout.len(), "{plan:?}");
    assert_eq!(plan.check(), Ok(()));
    let _ = plan.context();
}

/// The terms of a preparation, before there is a plan.
pub(super) fn terms(input: &[u8]) {
    let Ok(terms) = bounded(input.len(), || PreparationTerms::from_bytes(input)) else { return };
    assert_eq!(terms.to_bytes(), input, "terms have two encodings");
    assert_eq!(terms.check(), Ok(()));
    let _ = terms.context();
}

pub(super) fn terms_seeds() -> Vec<Vec<u8>> {
    [1, 2].map(|number| FEDERATION.plan(number).terms.to_bytes()).into()
}

pub(super) fn plan_seeds() -> Vec<Vec<u8>> {
    vec![FEDERATION.plan(1).to_bytes(), FEDERATION.plan(2).to_bytes()]
}

/// What participants of a closed round signed.
pub(super) fn transcript(input: &[u8]) {
    // Two readings: the verified certificate keeps headers both signed and decoded.
    let Ok(transcript) = bounded(input.len(), || Transcript::from_bytes(input, &FEDERATION.roster)) else {
        return;
    };
    assert_eq!(transcript.to_bytes(), input, "a transcript has two encodings");
    let survivors = transcript.certificate.survivors();
    assert!(survivors.len() >= transcript.plan.terms.protection.min_survivors().into());
    assert!(transcript.certificate.signatures().len() >= transcript.plan.terms.protection.threshold().into());
}

pub(super) fn transcript_seeds() -> Vec<Vec<u8>> {
    let of = |attempt, survivors: &[u16]| {
        let plan = FEDERATION.plan(attempt);
        let cohort = FEDERATION.cohort(&plan);
        let roots: Vec<_> =
            survivors.iter().map(|number| (id(*number), Digest::of(&number.to_be_bytes()))).collect();
        let survivors = FEDERATION.survivors(&plan, &cohort, &roots);
        let certificate = FEDERATION.certificate(&plan, &cohort, survivors);
        Transcript { plan, cohort: cohort.into(), certificate: certificate.into() }.to_bytes()
    };
    vec![of(1, &[1, 2, 3, 4, 5]), of(1, &[1, 2, 3, 5]), of(2, &[2, 3, 4, 5])]
}
