//! What becomes of honest messages on their way: altered, forged, passed off as others.

use syndic_round::coordinator::{Input, Opened, RingOpened};
use syndic_round::message::{Context, Kind, Payload};
use syndic_round::{Digest, ParticipantId, RoundPlan, Signed};

use crate::federation::{FEDERATION, upload_of};

/// The same message with another payload, signed by whom it names: what a dishonest member can do.
pub(crate) fn forged(input: Input, [a, b, c]: [u8; 3], first: Context, then: Context) -> Input {
    let Some((kind, signed)) = input.message() else { return input };
    let mut payload = signed.payload.clone();
    let at = (usize::from(a) << 8 | usize::from(b)) % payload.len().max(1);
    match c % 4 {
        0 => payload.truncate(at),
        1 => payload.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (a % 8)),
        2 => payload.iter_mut().skip(at).take(2).for_each(|byte| *byte = c),
        _ => payload.push(a),
    }
    let context = match kind {
        Kind::Advertise | Kind::Decline => first,
        _ => then,
    };
    let forged = sign_raw(kind, payload, signed.from, context);
    with_message(input, |signed| *signed = forged.clone())
}

pub(crate) fn pick(inputs: &[Input], a: u8, b: u8) -> Option<Input> {
    let place = usize::from(b) << 8 | usize::from(a);
    inputs.get(place % inputs.len().max(1)).cloned()
}

pub(crate) fn alter(signed: &mut Signed, a: u8, b: u8, c: u8) {
    let at = usize::from(a) << 8 | usize::from(b);
    let bit = 1 << (c % 8);
    if c & 0x80 == 0 && !signed.payload.is_empty() {
        let at = at % signed.payload.len();
        signed.payload[at] ^= bit;
    } else {
        signed.signature[at % 64] ^= bit;
    }
}

/// The same signed message where another kind is expected.
pub(crate) fn disguised(input: &Input, kind: u8, plan: &RoundPlan) -> Option<Input> {
    let (_, signed) = input.message()?;
    let signed = signed.clone();
    Some(match kind % 8 {
        0 => Input::Advertise(signed),
        1 => {
            let cohort = FEDERATION.cohort(plan);
            let (_, bundle) = FEDERATION.deal(plan, &cohort, signed.from);
            Input::Deal(signed, bundle)
        }
        2 => Input::Acknowledge(signed),
        3 => {
            let upload = upload_of(plan, signed.from);
            Input::Submit(signed, upload)
        }
        4 => Input::Certify(signed),
        5 => Input::Reveal(signed),
        6 => Input::Void(signed),
        _ => Input::Decline(signed),
    })
}

pub(crate) fn own_event(kind: u8, who: ParticipantId) -> Input {
    let named = |what: &str| Digest::of(what.as_bytes());
    match kind % 4 {
        0 => Input::Opened(Opened {
            sum: named("sum"),
            ring: Some(RingOpened {
                key_sum: named("key sum"),
                aggregate: named("aggregate"),
                aggregate_root: named("aggregate root"),
            }),
            checked: true,
            transcript: named("transcript"),
            wrong_reveals: vec![who],
        }),
        1 => Input::MoreReveals("implausible".into()),
        2 => Input::SumRefused("residual".into()),
        _ => Input::Stop("enough".into()),
    }
}

pub(crate) fn with_message(mut input: Input, change: impl Fn(&mut Signed)) -> Input {
    match &mut input {
        Input::Advertise(signed)
        | Input::Deal(signed, _)
        | Input::Acknowledge(signed)
        | Input::Submit(signed, _)
        | Input::Certify(signed)
        | Input::Reveal(signed)
        | Input::Void(signed)
        | Input::Decline(signed) => change(signed),
        _ => {}
    }
    input
}

/// Signs bytes that need be no payload.
fn sign_raw(kind: Kind, payload: Vec<u8>, from: ParticipantId, context: Context) -> Signed {
    struct Raw(ParticipantId, Vec<u8>);
    macro_rules! raw {
        ($kind:ident) => {{
            struct Of(Raw);
            impl Payload for Of {
                const KIND: Kind = Kind::$kind;
                fn sender(&self) -> ParticipantId {
                    self.0.0
                }
                fn encode(&self) -> Vec<u8> {
                    self.0.1.clone()
                }
                fn decode(_: &[u8]) -> Result<Self, syndic_round::codec::Malformed> {
                    Err(syndic_round::codec::Malformed)
                }
            }
            FEDERATION.sign(&Of(Raw(from, payload)), context)
        }};
    }
    match kind {
        Kind::Advertise => raw!(Advertise),
        Kind::Dealing => raw!(Dealing),
        Kind::Ack => raw!(Ack),
        Kind::Header => raw!(Header),
        Kind::Certify => raw!(Certify),
        Kind::Reveal => raw!(Reveal),
        Kind::Void => raw!(Void),
        Kind::Decline => raw!(Decline),
    }
}
