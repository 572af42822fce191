//! A signature counts for one kind of message, one ctx0, one H1, one payload and one signer.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{Federation, federation_of, id, plan};
use syndic_round::message::{Advertise, Certify, Context, Kind, Payload, Reveal, Signed};
use syndic_round::{Digest, Rejection};

const KINDS: [Kind; 7] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal, Kind::Decline];

fn signed_in_context() -> (Federation, Context, Signed) {
    let federation = federation_of(5);
    let context = Context { ctx0: plan().build(&federation).context(), h1: Some(Digest::of(b"the cohort")) };
    let signed = Certify { id: id(2), survivors: Digest::of(b"set") }.sign(context, federation.key(id(2)));
    (federation, context, signed)
}

#[test]
fn a_signature_is_bound_to_its_kind() {
    let (federation, context, signed) = signed_in_context();
    for kind in KINDS {
        let genuine = signed.is_genuine(kind, context, &federation.roster);
        assert_eq!(genuine, kind == Kind::Certify, "{}", kind.name());
    }
    let as_reveal = signed.verify::<Reveal>(context, &federation.roster);
    assert_eq!(as_reveal, Err(Rejection::BadSignature { from: id(2) }), "verified before it is decoded");
}

#[test]
fn kinds_have_distinct_names_none_of_which_begins_another() {
    for (k, kind) in KINDS.iter().enumerate() {
        let others = KINDS.iter().enumerate().filter(|(j, _)| *j != k);
        assert!(others.into_iter().all(|(_, other)| !other.name().starts_with(kind.name())));
    }
}

#[test]
fn a_signature_is_bound_to_ctx0() {
    let (federation, context, signed) = signed_in_context();
    let next_preparation = plan().round(1, 1, 2).build(&federation).context();
    let elsewhere = Context { ctx0: next_preparation, ..context };
    assert!(!signed.is_genuine(Kind::Certify, elsewhere, &federation.roster));
}

#[test]
fn a_signature_is_bound_to_h1() {
    let (federation, context, signed) = signed_in_context();
    for h1 in [None, Some(Digest::of(b"another cohort"))] {
        assert!(!signed.is_genuine(Kind::Certify, Context { h1, ..context }, &federation.roster));
    }
    let advert = Advertise { id: id(1), kem_key: vec![7; 1_216], nonce: [0; 32] };
    let before = Context { h1: None, ..context };
    let signed = advert.sign(before, federation.key(id(1)));
    assert!(signed.is_genuine(Kind::Advertise, before, &federation.roster));
    assert!(!signed.is_genuine(Kind::Advertise, context, &federation.roster));
}

#[test]
fn a_signature_is_bound_to_every_byte_of_its_payload() {
    let (federation, context, signed) = signed_in_context();
    for position in 0..signed.payload.len() {
        let mut altered = signed.clone();
        altered.payload[position] ^= 0x10;
        assert!(!altered.is_genuine(Kind::Certify, context, &federation.roster), "byte {position}");
    }
    for position in 0..64 {
        let mut altered = signed.clone();
        altered.signature[position] ^= 1;
        assert!(!altered.is_genuine(Kind::Certify, context, &federation.roster), "byte {position}");
    }
}

#[test]
fn a_signature_is_bound_to_its_signer_and_the_payload_to_its_sender() {
    let (federation, context, signed) = signed_in_context();
    let mut other_sender = signed.clone();
    other_sender.from = id(3);
    let refused = other_sender.verify::<Certify>(context, &federation.roster);
    assert_eq!(refused, Err(Rejection::BadSignature { from: id(3) }));

    let mut for_another =
        Certify { id: id(2), survivors: Digest::of(b"set") }.sign(context, federation.key(id(3)));
    for_another.from = id(3);
    let refused = for_another.verify::<Certify>(context, &federation.roster);
    assert_eq!(refused, Err(Rejection::Malformed), "3 signed what names 2 as its sender");

    let mut stranger = signed;
    stranger.from = id(9);
    let refused = stranger.verify::<Certify>(context, &federation.roster);
    assert_eq!(refused, Err(Rejection::UnknownSender));
}
