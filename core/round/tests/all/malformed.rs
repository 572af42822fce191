//! Whatever arrives, no decoder panics, and what it accepts it would have written itself.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{federation_of, id, plan};
use proptest::prelude::*;
use syndic_round::codec::{Malformed, Reader};
use syndic_round::coordinator::Bundle;
use syndic_round::message::{
    Ack, Advertise, Certify, Dealing, Decline, Header, Payload, PublicPart, Reveal, Signed, Verdict, Void,
};
use syndic_round::{Digest, RoundId, RoundPlan};

/// Reads bytes as one kind of thing and writes what was read.
type Rewrite = fn(&[u8]) -> Result<Vec<u8>, Malformed>;

/// Every decoder with the encoder that it belongs to.
const DECODERS: [Rewrite; 11] = [
    |bytes| RoundPlan::from_bytes(bytes).map(|plan| plan.to_bytes()).map_err(|_| Malformed),
    |bytes| Signed::from_bytes(bytes).map(|signed| signed.to_bytes()),
    |bytes| Bundle::open(bytes).map(|shares| Bundle::encode(&shares)),
    payload::<Advertise>,
    payload::<Dealing>,
    payload::<Ack>,
    payload::<Header>,
    payload::<Certify>,
    payload::<Reveal>,
    payload::<Void>,
    payload::<Decline>,
];

fn payload<P: Payload>(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    P::decode(bytes).map(|payload| payload.encode())
}

/// No decoder panics, and what one accepts it would have written itself.
fn every_decoder(bytes: &[u8]) {
    for rewrite in DECODERS {
        if let Ok(written) = rewrite(bytes) {
            assert_eq!(written, bytes, "one encoding for each value");
        }
    }
    let measured = Bundle::measure(bytes).map(|bundle| bundle.bytes);
    assert_eq!(measured, Bundle::open(bytes).map(|_| bytes.len() as u64));
}

/// One honest encoding of everything, in the order of [`DECODERS`].
fn samples() -> [Vec<u8>; 11] {
    let (digest, round) = (Digest::of(b"x"), RoundId { round: 3, attempt: 1 });
    let federation = federation_of(5);
    let plan = plan().build(&federation);
    let certify = Certify { id: id(1), survivors: digest };
    let context = syndic_round::message::Context { ctx0: plan.context(), h1: None };
    [
        plan.to_bytes(),
        certify.sign(context, federation.key(id(1))).to_bytes(),
        Bundle::encode(&[(id(1), vec![1, 2]), (id(2), vec![])]),
        Advertise { id: id(1), kem_key: vec![1; 1_216], nonce: [2; 32] }.encode(),
        Dealing {
            id: id(1),
            shares: vec![(id(1), digest), (id(2), digest)],
            public: PublicPart { commitments: vec![digest; 2], checks: [vec![3; 2], vec![4; 2]] },
        }
        .encode(),
        Ack { id: id(1), verdicts: vec![Verdict { dealer: id(2), dealing: digest, ok: true }] }.encode(),
        Header { id: id(1), h1: digest, preparation: 1, round, plan: digest, chunks: 1, root: digest }
            .encode(),
        certify.encode(),
        Reveal { id: id(1), survivors: digest, share_sum: vec![7; 16] }.encode(),
        Void { id: id(1), round }.encode(),
        Decline { id: id(1), round, reason: "policy.purpose".into() }.encode(),
    ]
}

#[test]
fn what_was_written_is_read() {
    for (rewrite, bytes) in DECODERS.iter().zip(samples()) {
        assert_eq!(rewrite(&bytes).as_ref(), Ok(&bytes));
        every_decoder(&bytes);
    }
    let ack =
        Ack { id: id(9), verdicts: vec![Verdict { dealer: id(2), dealing: Digest::of(b""), ok: false }] };
    assert_eq!(Ack::decode(&ack.encode()), Ok(ack));
}

#[test]
fn truncated_and_longer_encodings_are_malformed() {
    for (kind, (rewrite, bytes)) in DECODERS.iter().zip(samples()).enumerate() {
        for end in 0..bytes.len() {
            assert_eq!(rewrite(&bytes[..end]), Err(Malformed), "sample {kind} cut to {end} bytes");
            every_decoder(&bytes[..end]);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(rewrite(&longer), Err(Malformed), "sample {kind} with a byte more");
        every_decoder(&longer);
    }
}

#[test]
fn id_zero_a_verdict_of_two_and_a_long_reason_are_malformed() {
    let mut certify = Certify { id: id(1), survivors: Digest::of(b"x") }.encode();
    certify[1] = 0;
    assert_eq!(Certify::decode(&certify), Err(Malformed));
    let verdict = Verdict { dealer: id(2), dealing: Digest::of(b""), ok: true };
    let mut ack = Ack { id: id(1), verdicts: vec![verdict] }.encode();
    *ack.last_mut().unwrap() = 2;
    assert_eq!(Ack::decode(&ack), Err(Malformed));
    let decline =
        |reason: String| Decline { id: id(1), round: RoundId { round: 1, attempt: 1 }, reason }.encode();
    assert!(Decline::decode(&decline("policy.purpose-2".repeat(4))).is_ok());
    assert_eq!(Decline::decode(&decline("r".repeat(65))), Err(Malformed));
}

#[test]
fn a_list_longer_than_its_payload_is_refused() {
    let mut claimed = u32::MAX.to_be_bytes().to_vec();
    claimed.extend([1; 40]);
    assert_eq!(Reader::new(&claimed).list(Reader::u16), Err(Malformed));
    assert_eq!(Reader::new(&claimed).bytes(), Err(Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        every_decoder(&bytes);
    }

    #[test]
    fn damaged_encodings_never_panic(
        which in 0..10_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = samples()[which].clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        every_decoder(&bytes);
    }
}

#[test]
fn a_sealed_share_that_would_crowd_out_the_others_is_malformed() {
    let bundle = |length| Bundle::encode(&[(id(1), vec![7; 100]), (id(2), vec![7; length])]);
    assert!(Bundle::measure(&bundle(Bundle::LARGEST_SEALED)).is_ok());
    assert_eq!(Bundle::measure(&bundle(Bundle::LARGEST_SEALED + 1)), Err(Malformed));
}
