//! Signed messages of every kind, and what lists of them prove.

use rand_core::Rng;
use serde_json::{Value, json};
use syndic_round::codec::Writer;
use syndic_round::message::{Ack, Certify, Context, Header, Kind, Payload, Reveal, Verdict, Void};
use syndic_round::{Digest, ParameterSet, ParticipantId, RoundId, Signed};

use super::super::messages::{KINDS, public_part_written};
use super::super::rounds::{Played, play};
use super::super::value::{digest, text};
use super::federation::{self, forged, signed, signing_seed};
use super::{Document, cut, drawn_for, drop_one, flip, random_elements, random_hex, repeat, set, swap};

pub(super) fn messages() -> Document {
    let about = "Every kind of signed message: its payload, what the signature covers, the signature.";
    let mut document = Document::new("messages", about);
    let roster = federation::roster(4);
    let named = |what: &str| Digest::of(what.as_bytes()).to_string();
    let mut rng = drawn_for("messages");
    for kind in KINDS {
        let mut context = json!({ "ctx0": named("ctx0"), "h1": named("h1") });
        // Advertisements make H1, and a participant may decline before there is one.
        if matches!(kind, Kind::Advertise | Kind::Decline) {
            context.as_object_mut().unwrap().remove("h1");
        }
        let mut input = context.clone();
        input["kind"] = kind.name().into();
        input["signing_seed"] = hex::encode(signing_seed(5)).into();
        input["message"] = message(kind, &named, &mut rng);
        let (sign, verify) = (format!("sign: {}", kind.name()), format!("verify: {}", kind.name()));
        let out = document.case(&sign, "sign", input);
        document.differs(&sign, "another ctx0", flip("/ctx0", 0), "/signed");
        document.differs(&sign, "another signer", flip("/signing_seed", 0), "/signed");

        let mut input = context.clone();
        input["kind"] = kind.name().into();
        input["roster"] = roster.clone();
        input["signed"] = out["signed"].clone();
        document.case(&verify, "verify", input);
        twins_of_signed(&mut document, &verify, kind, &context, text(&out, "signed"));
    }
    document
}

fn message(kind: Kind, named: &impl Fn(&str) -> String, rng: &mut impl Rng) -> Value {
    match kind {
        Kind::Advertise => json!({ "id": 5, "kem_key": random_hex(1216, rng), "nonce": random_hex(32, rng) }),
        Kind::Dealing => {
            let shares = [2, 5, 8].map(|to| json!({ "to": to, "sealed_sha256": random_hex(32, rng) }));
            let public = syndic_round::message::PublicPart {
                commitments: vec![Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3")],
                checks: [random_elements(3, rng), random_elements(3, rng)],
            };
            let mut message = public_part_written(&public);
            message["id"] = 5.into();
            message["shares"] = shares.into_iter().collect();
            message
        }
        Kind::Ack => {
            let verdict = |(dealer, ok): (u16, bool)| json!({ "dealer": dealer, "dealing": named("dealing"), "ok": ok });
            let verdicts = [(2, true), (5, true), (8, false)].map(verdict);
            json!({ "id": 5, "verdicts": verdicts })
        }
        Kind::Header => json!({
            "id": 5, "h1": named("h1"), "preparation": 5, "round": 3, "attempt": 2, "plan": named("plan"),
            "chunks": 2, "root": named("root"),
        }),
        Kind::Certify => json!({ "id": 5, "survivor_set": named("survivors") }),
        Kind::Reveal => {
            json!({ "id": 5, "survivor_set": named("survivors"), "share_sum": random_hex(342 * 8, rng) })
        }
        Kind::Void => json!({ "id": 5, "round": 3, "attempt": 2 }),
        Kind::Decline => json!({ "id": 5, "round": 3, "attempt": 2, "reason": "policy.purpose" }),
    }
}

fn twins_of_signed(document: &mut Document, case: &str, kind: Kind, context: &Value, encoded: &str) {
    let name = kind.name();
    let context =
        Context { ctx0: digest(context, "ctx0"), h1: context.get("h1").map(|_| digest(context, "h1")) };
    let signed = Signed::from_bytes(&hex::decode(encoded).unwrap()).unwrap();
    let other = if kind == Kind::Ack { "void" } else { "ack" };
    let from = |id: u16| {
        let from = ParticipantId::new(id).unwrap();
        set("/signed", hex::encode(Signed { from, ..signed.clone() }.to_bytes()))
    };
    let forge = |payload: Vec<u8>| set("/signed", forged(5, name, context, payload));
    let mut longer = signed.payload.clone();
    longer.push(0);
    let mut of_another = signed.payload.clone();
    of_another[1] = 8;
    let twins = [
        ("the signature altered", flip("/signed", -40), "round.bad-signature"),
        ("the payload altered", flip("/signed", 8), "round.bad-signature"),
        ("the scalar of the signature one group order larger", malleable(&signed), "round.bad-signature"),
        ("signed for another ctx0", flip("/ctx0", 31), "round.bad-signature"),
        ("signed as another kind", set("/kind", other), "round.bad-signature"),
        ("from another member", from(8), "round.bad-signature"),
        ("from nobody", from(6), "round.unknown-sender"),
        ("from id zero", set("/signed", format!("0000{}", &encoded[4..])), "round.malformed"),
        ("cut short", cut("/signed", encoded.len() / 2 - 1), "round.malformed"),
        ("a byte too many", set("/signed", format!("{encoded}00")), "round.malformed"),
        ("a payload with a byte too many, signed", forge(longer), "round.malformed"),
        ("an empty payload, signed", forge(Vec::new()), "round.malformed"),
        ("a payload of another member, signed", forge(of_another), "round.malformed"),
    ];
    for (why, change, code) in twins {
        document.refused(case, why, change, code);
    }
    if context.h1.is_some() {
        document.refused(case, "signed for another cohort", flip("/h1", 0), "round.bad-signature");
    }
    let (why, payload) = match kind {
        Kind::Advertise => ("a KEM key of 1215 bytes, signed", {
            let mut payload = signed.payload.clone();
            payload[5] -= 1; // the length's last byte
            payload.remove(6);
            payload
        }),
        Kind::Ack => ("a verdict that is neither good nor bad, signed", {
            let mut payload = signed.payload.clone();
            *payload.last_mut().unwrap() = 2;
            payload
        }),
        Kind::Dealing => ("a list that claims more items than there are bytes, signed", {
            let mut payload = signed.payload.clone();
            payload[2] = 255;
            payload
        }),
        Kind::Reveal => ("a share sum of 4097 bytes, signed", {
            let reveal = Reveal {
                id: ParticipantId::new(5).unwrap(),
                survivors: Digest::of(b"s"),
                share_sum: vec![0; 4097],
            };
            reveal.encode()
        }),
        Kind::Decline => ("a reason that is no code, signed", {
            let mut payload = signed.payload.clone();
            *payload.last_mut().unwrap() = b' ';
            payload
        }),
        _ => return,
    };
    document.refused(case, why, forge(payload), "round.malformed");
}

/// The same signature with the group's order added to its scalar, which a strict check refuses.
fn malleable(signed: &Signed) -> Value {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut altered = signed.clone();
    let mut carry = 0;
    for (byte, order) in altered.signature[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry as u8;
        carry >>= 8;
    }
    set("/signed", hex::encode(altered.to_bytes()))
}

/// Three of four members play; the fourth is in the roster and not admitted.
pub(super) fn three() -> (Value, Played) {
    let layout = json!([{ "name": "values", "len": 2100, "bound": 1000.0, "resolution": 0.5 }]);
    let input = federation::round(4, 3, ParameterSet::S32, layout, &[]);
    let played = play(&input).unwrap();
    (input, played)
}

/// What the participants of a round signed, in the form that `transcript` takes.
pub(super) fn written(input: &Value, played: &Played) -> Value {
    json!({
        "roster": input["roster"],
        "plan": input["plan"],
        "adverts": hexes(played.cohort.adverts()),
        "headers": hexes(played.survivors.signed()),
        "signatures": hexes(played.certificate.signatures()),
    })
}

fn hexes(signed: &[Signed]) -> Vec<String> {
    signed.iter().map(|one| hex::encode(one.to_bytes())).collect()
}

pub(super) fn transcript() -> Document {
    let about = "From signed messages to H1, the survivor set and its certificate; eligibility; voids.";
    let mut document = Document::new("transcript", about);
    let (input, played) = three();
    let name = "a round of three";
    let out = document.case(name, "transcript", written(&input, &played));
    let h1 = text(&out, "h1");
    let context = federation::context(&input["plan"], Some(h1));
    let early = Context { h1: None, ..context };
    let id = |id: u16| ParticipantId::new(id).unwrap();

    let advert = |from: u16| {
        let kem_key = played.cohort.kem_key(id(2)).unwrap().to_vec();
        let advert = syndic_round::message::Advertise { id: id(from), kem_key, nonce: [7; 32] };
        signed(from, &advert, early)
    };
    // A header altered by its own signer, in a list that everybody then signed.
    let header = |change: &dyn Fn(&mut Header)| {
        let mut header = played.survivors.headers()[1].clone();
        change(&mut header);
        let header = signed(5, &header, context);
        let mut list: Vec<Vec<u8>> = played.survivors.signed().iter().map(Signed::to_bytes).collect();
        list[1] = hex::decode(&header).unwrap();
        let list = Writer::new().list(list.iter(), |w, one| w.bytes(one)).finish();
        let survivors = Digest::of_parts("KSA/1 survivors", &[played.cohort.h1().as_bytes(), &list]);
        let certify = |number: u16| signed(number, &Certify { id: id(number), survivors }, context);
        json!([
            { "at": "/headers/1", "set": header },
            { "at": "/signatures", "set": [certify(2), certify(5), certify(8)] },
        ])
    };
    let other_root = {
        let mut header = played.survivors.headers()[1].clone();
        header.root.0[0] ^= 1;
        set("/headers/1", signed(5, &header, context))
    };
    let mut unbound = played.survivors.headers()[1].clone();
    unbound.root = Digest::of(b"another");
    let certify = |survivors: Digest, context| signed(8, &Certify { id: id(8), survivors }, context);
    let of_ours = played.survivors.digest();
    let stranger = signed(11, &Certify { id: id(11), survivors: of_ours }, context);
    let other_nonce = set("/adverts/2", advert(8));

    for (why, change, code) in [
        ("A3: an advertisement twice", repeat("/adverts", 1), "round.list"),
        ("A4: advertisements out of order", swap("/adverts", 0, 2), "round.list"),
        ("A33: an institution that is not admitted", set("/adverts/2", advert(11)), "round.not-in-cohort"),
        ("fewer than t advertisements", drop_one("/adverts", 0), "round.too-few"),
        ("A10: an altered KEM key", flip("/adverts/1", 500), "round.bad-signature"),
        ("an advertisement signed anew gives another H1", other_nonce, "round.bad-signature"),
        ("A3: a survivor twice", repeat("/headers", 0), "round.list"),
        ("A4: survivors out of order", swap("/headers", 0, 1), "round.list"),
        ("A1, A2: fewer survivors than t", drop_one("/headers", 2), "round.too-few"),
        ("A12, A34: another plan or question", header(&|h| h.plan.0[0] ^= 1), "round.mismatch"),
        ("A8: another round", header(&|h| h.round.round += 1), "round.mismatch"),
        ("A8: another attempt", header(&|h| h.round.attempt += 1), "round.mismatch"),
        ("A37: another preparation", header(&|h| h.preparation += 1), "round.mismatch"),
        ("another cohort", header(&|h| h.h1.0[0] ^= 1), "round.mismatch"),
        ("another number of chunks", header(&|h| h.chunks += 1), "round.mismatch"),
        ("another root, so that the certificate is of another set", other_root, "round.mismatch"),
        (
            "a header signed before the cohort",
            set("/headers/1", signed(5, &unbound, early)),
            "round.bad-signature",
        ),
        ("A6: t-1 signatures", drop_one("/signatures", 1), "round.too-few"),
        ("A6: a repeated signer", repeat("/signatures", 2), "round.list"),
        ("A6: signers out of order", swap("/signatures", 1, 2), "round.list"),
        (
            "A6: a signature over another survivor set",
            set("/signatures/2", certify(Digest::of(b"another"), context)),
            "round.mismatch",
        ),
        (
            "A6: a signature for another cohort",
            set("/signatures/2", certify(of_ours, Context { h1: Some(Digest::of(b"another")), ..context })),
            "round.bad-signature",
        ),
        ("A6: a signer outside the cohort", set("/signatures/2", stranger), "round.not-in-cohort"),
        ("A13: another parameter set", set("/plan/set", "KSA-S40"), "round.bad-signature"),
        ("A13: another preparation", set("/plan/preparation", 6), "round.bad-signature"),
        ("A13: other bounds", set("/plan/layout/0/bound", 2000.0), "round.mismatch"),
        ("A12: another question", flip("/plan/question", 0), "round.mismatch"),
        (
            "A14: a roster with a bad signature",
            flip("/roster/endorsements/0/signature", 0),
            "roster.unsigned",
        ),
        ("no message at all", cut("/signatures/0", 10), "round.malformed"),
    ] {
        document.refused(name, why, change, code);
    }
    eligibility(&mut document, &input, &played, context);
    voids(&mut document, &input, &played, context);
    document
}

fn eligibility(document: &mut Document, input: &Value, played: &Played, context: Context) {
    let name = "the dealer with id 5 may submit";
    let dealing = played.dealings[1].digest();
    let eligible = json!({
        "roster": input["roster"],
        "plan": input["plan"],
        "adverts": hexes(played.cohort.adverts()),
        "acks": hexes(&played.acks),
        "dealer": 5,
        "dealing": dealing.to_string(),
    });
    document.case(name, "eligible", eligible);
    let ack = |change: &dyn Fn(&mut Vec<Verdict>)| {
        let mut ack = Ack::decode(&played.acks[2].payload).unwrap();
        change(&mut ack.verdicts);
        set("/acks/2", signed(8, &ack, context))
    };
    for (why, change, code) in [
        ("a complaint, and fewer than t good verdicts", ack(&|v| v[1].ok = false), "round.not-eligible"),
        ("A36: another public part was seen", ack(&|v| v[1].dealing.0[0] ^= 1), "round.not-eligible"),
        ("no verdict", ack(&|v| v.truncate(1)), "round.not-eligible"),
        ("verdicts out of order", ack(&|v| v.swap(0, 1)), "round.list"),
        ("a verdict twice", ack(&|v| v.insert(1, v[1])), "round.list"),
        ("another public part", flip("/dealing", 0), "round.not-eligible"),
        ("another dealer", set("/dealer", 2), "round.not-eligible"),
        ("an acknowledgement missing", drop_one("/acks", 0), "round.not-eligible"),
        ("an acknowledgement twice", repeat("/acks", 0), "round.list"),
        ("acknowledgements out of order", swap("/acks", 0, 1), "round.list"),
        ("an acknowledgement altered", flip("/acks/0", -1), "round.bad-signature"),
    ] {
        document.refused(name, why, change, code);
    }
}

fn voids(document: &mut Document, input: &Value, played: &Played, context: Context) {
    let name = "an attempt that three promised never to reveal in";
    let round = RoundId { round: 3, attempt: 2 };
    let promise =
        |id: u16, round, context| signed(id, &Void { id: ParticipantId::new(id).unwrap(), round }, context);
    let voided = json!({
        "roster": input["roster"],
        "plan": input["plan"],
        "adverts": hexes(played.cohort.adverts()),
        "voids": [promise(2, round, context), promise(5, round, context), promise(8, round, context)],
    });
    document.case(name, "voided", voided);
    let other_context = Context { h1: None, ..context };
    let next = RoundId { attempt: 3, ..round };
    for (why, change, code) in [
        ("t-1 promises", drop_one("/voids", 1), "round.too-few"),
        ("a promise twice", repeat("/voids", 1), "round.list"),
        ("promises out of order", swap("/voids", 1, 2), "round.list"),
        ("a promise altered", flip("/voids/0", -1), "round.bad-signature"),
        ("of another attempt", set("/voids/2", promise(8, next, context)), "round.mismatch"),
        ("bound to no cohort", set("/voids/2", promise(8, round, other_context)), "round.bad-signature"),
        ("of one who is not admitted", set("/voids/2", promise(11, round, context)), "round.not-in-cohort"),
    ] {
        document.refused(name, why, change, code);
    }
}
