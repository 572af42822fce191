//! What the coordinator refuses: late, early, repeated, foreign and contradictory inputs, without a trace.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{Table, id, ids, plan};
use syndic_round::coordinator::{Input, Phase, Round};
use syndic_round::message::{
    Ack, Advertise, Certify, Context, Dealing, Header, Kind, Payload, Reveal, Verdict,
};
use syndic_round::participant::Invited;
use syndic_round::{Digest, PlanError, Rejection, Signed};

const PHASES: [&str; 6] =
    ["advertising", "sharing", "acknowledging", "collecting", "certifying", "revealing"];

/// The honest input of participant `number` in the phase that the table has reached.
fn honest(table: &mut Table, number: u16) -> Input {
    table.play(id(number)).expect("it owes something")
}

fn signed_of(input: &Input) -> &Signed {
    match input {
        Input::Advertise(signed)
        | Input::Deal(signed, _)
        | Input::Acknowledge(signed)
        | Input::Submit(signed, _)
        | Input::Certify(signed)
        | Input::Reveal(signed)
        | Input::Decline(signed) => signed,
        _ => panic!("no participant says {input:?}"),
    }
}

fn with_signed(input: &Input, signed: Signed) -> Input {
    match input.clone() {
        Input::Advertise(_) => Input::Advertise(signed),
        Input::Deal(_, bundle) => Input::Deal(signed, bundle),
        Input::Acknowledge(_) => Input::Acknowledge(signed),
        Input::Submit(_, upload) => Input::Submit(signed, upload),
        Input::Certify(_) => Input::Certify(signed),
        Input::Reveal(_) => Input::Reveal(signed),
        other => other,
    }
}

/// Payload of the same kind that says something else, well signed.
fn contradiction(table: &Table, phase: &str, input: &Input) -> Input {
    let signed = signed_of(input);
    let key = table.federation.key(signed.from);
    let cohort = table.round.phase().cohort().map(|cohort| cohort.context());
    let context = cohort.unwrap_or(Context { ctx0: table.round.plan().context(), h1: None });
    let other = Digest::of(b"something else");
    let signed = match phase {
        "advertising" => {
            let mut advert = Advertise::decode(&signed.payload).unwrap();
            advert.nonce = [99; 32];
            advert.sign(context, key)
        }
        "sharing" => {
            let mut dealing = Dealing::decode(&signed.payload).unwrap();
            dealing.shares[0].1 = other;
            dealing.sign(context, key)
        }
        "acknowledging" => {
            let mut ack = Ack::decode(&signed.payload).unwrap();
            ack.verdicts[0].ok = false;
            ack.sign(context, key)
        }
        "collecting" => {
            let mut header = Header::decode(&signed.payload).unwrap();
            header.root = other;
            header.sign(context, key)
        }
        "certifying" => Certify { id: signed.from, survivors: other }.sign(context, key),
        _ => {
            let mut reveal = Reveal::decode(&signed.payload).unwrap();
            reveal.share_sum = vec![0; 8];
            reveal.sign(context, key)
        }
    };
    with_signed(input, signed)
}

#[test]
fn rejection_is_noop() {
    for phase in PHASES {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 2);
        let mut forged = signed_of(&input).clone();
        forged.signature[7] ^= 1;
        let forged = with_signed(&input, forged);
        // `feed` compares the round before and after.
        assert_eq!(table.feed(forged), Err(Rejection::BadSignature { from: id(2) }), "{phase}");
        table.feed(input).unwrap();
        table.play_out();
        assert_eq!(table.phase(), "closed", "a forgery in {phase} costs its victim nothing");
    }
}

#[test]
fn the_same_message_again_is_accepted_and_changes_nothing() {
    for phase in PHASES {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 2);
        table.feed(input.clone()).unwrap();
        let recorded = table.record.len();
        table.feed(input.clone()).unwrap();
        table.play_out();
        table.feed(input).unwrap();
        assert_eq!(table.phase(), "closed");
        assert!(recorded < table.record.len());
        let changes = table.record.iter().filter(|(_, i)| !matches!(i, Input::Opened(_))).count();
        assert_eq!(changes, 5 + 5 + 5 + 5 + 4 + 4, "{phase}: nothing is recorded twice");
    }
}

#[test]
fn a_second_message_that_says_something_else_is_equivocation() {
    for phase in PHASES {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 2);
        let other = contradiction(&table, phase, &input);
        table.feed(input).unwrap();
        assert_eq!(table.feed(other.clone()), Err(Rejection::Equivocated { from: id(2) }), "{phase}");
        table.play_until("opening");
        assert_eq!(table.feed(other), Err(Rejection::Equivocated { from: id(2) }), "{phase}, later");
        table.play_out();
        assert_eq!(table.phase(), "closed");
    }
}

#[test]
fn a_forged_contradiction_convicts_nobody() {
    for phase in PHASES {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 2);
        table.feed(input.clone()).unwrap();
        let mut forged = signed_of(&contradiction(&table, phase, &input)).clone();
        forged.signature = [0; 64];
        let forged = with_signed(&input, forged);
        assert_eq!(table.feed(forged), Err(Rejection::BadSignature { from: id(2) }), "{phase}");
    }
}

#[test]
fn a_contradiction_after_the_end_is_no_bad_signature() {
    for phase in PHASES {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 2);
        let other = contradiction(&table, phase, &input);
        table.feed(input).unwrap();
        table.play_out();
        let refused = table.feed(other).unwrap_err();
        assert!(matches!(refused, Rejection::Over | Rejection::Equivocated { .. }), "{phase}: {refused:?}");
    }
}

#[test]
fn a_late_upload_is_refused_and_stays_out() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    for number in 1..=4 {
        let input = honest(&mut table, number);
        table.feed(input).unwrap();
    }
    let late = honest(&mut table, 5);
    table.now = table.round.wake_at().unwrap();
    assert_eq!(table.feed(late.clone()), Err(Rejection::Late), "at the deadline, before the round wakes");
    table.wake(table.now);
    assert_eq!(table.phase(), "certifying");
    assert_eq!(table.feed(late), Err(Rejection::Late), "after the survivor set is frozen");
    table.play_out();
    let Phase::Closed(closed) = table.round.phase() else { panic!("{:?}", table.round.phase()) };
    assert_eq!(closed.survivors.ids(), ids(1..=4));
}

#[test]
fn messages_up_to_the_upload_are_late_at_their_deadline() {
    for phase in &PHASES[..4] {
        let mut table = Table::open(plan());
        table.play_until(phase);
        let input = honest(&mut table, 1);
        table.now = table.round.wake_at().unwrap();
        assert_eq!(table.feed(input), Err(Rejection::Late), "{phase}");
    }
}

#[test]
fn a_message_of_a_later_phase_is_early() {
    let mut ahead = Table::open(plan());
    let mut inputs = Vec::new();
    for phase in PHASES {
        ahead.play_until(phase);
        inputs.push(honest(&mut ahead, 1));
        ahead.feed(inputs.last().unwrap().clone()).unwrap();
    }
    let mut table = Table::open(plan());
    for input in &inputs[1..] {
        assert_eq!(table.feed(input.clone()), Err(Rejection::Early));
    }
}

#[test]
fn a_message_of_an_earlier_phase_is_late() {
    let mut table = Table::open(plan());
    let advert = honest(&mut table, 5);
    table.vanish(id(5), Kind::Advertise);
    for phase in &PHASES[1..] {
        table.play_until(phase);
        assert_eq!(table.feed(advert.clone()), Err(Rejection::Late), "{phase}");
    }
    table.play_until("opening");
    assert_eq!(table.feed(advert.clone()), Err(Rejection::Late));
    table.play_out();
    assert_eq!(table.feed(advert), Err(Rejection::Over));
}

#[test]
fn a_key_sharing_names_exactly_the_cohort_and_the_bundle_that_came_with_it() {
    let mut table = Table::open(plan());
    table.play_until("sharing");
    let input = honest(&mut table, 1);
    let Input::Deal(signed, bundle) = &input else { panic!() };
    let context = table.round.phase().cohort().unwrap().context();
    let key = table.federation.key(id(1)).clone();

    let mut other_bundle = bundle.clone();
    other_bundle.shares[2].1 = Digest::of(b"swapped");
    let refused = table.feed(Input::Deal(signed.clone(), other_bundle));
    assert_eq!(refused, Err(Rejection::Mismatch("bundle of sealed shares")));

    let mut short = Dealing::decode(&signed.payload).unwrap();
    short.shares.pop();
    let refused = table.feed(Input::Deal(short.sign(context, &key), bundle.clone()));
    assert_eq!(refused, Err(Rejection::List("recipients")));
    table.feed(input).unwrap();
}

#[test]
fn verdicts_cover_exactly_the_dealers_in_their_order() {
    let mut table = Table::open(plan());
    table.vanish(id(4), Kind::Dealing);
    table.play_until("acknowledging");
    let input = honest(&mut table, 1);
    let context = table.round.phase().cohort().unwrap().context();
    let key = table.federation.key(id(1)).clone();
    let honest = Ack::decode(&signed_of(&input).payload).unwrap();
    assert_eq!(honest.verdicts.iter().map(|v| v.dealer).collect::<Vec<_>>(), ids([1, 2, 3, 5]));

    let mut short = honest.clone();
    short.verdicts.pop();
    let mut unsorted = honest.clone();
    unsorted.verdicts.swap(0, 1);
    let mut twice = honest.clone();
    twice.verdicts[1] = twice.verdicts[0];
    let mut extra = honest.clone();
    extra.verdicts.insert(3, Verdict { dealer: id(4), dealing: Digest::of(b""), ok: false });
    for ack in [short, unsorted, twice, extra] {
        let refused = table.feed(Input::Acknowledge(ack.sign(context, &key)));
        assert_eq!(refused, Err(Rejection::List("verdicts")));
    }
    table.feed(input).unwrap();
}

#[test]
fn an_upload_must_be_what_its_header_says() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    let input = honest(&mut table, 1);
    let Input::Submit(signed, upload) = &input else { panic!() };
    let mut altered = *upload;
    altered.root = Digest::of(b"other chunks");
    let refused = table.feed(Input::Submit(signed.clone(), altered));
    assert_eq!(refused, Err(Rejection::Mismatch("ciphertext")));
    let mut short = *upload;
    short.chunks -= 1;
    assert_eq!(table.feed(Input::Submit(signed.clone(), short)), Err(Rejection::Mismatch("ciphertext")));
    table.feed(input).unwrap();
}

#[test]
fn only_the_eligible_may_submit() {
    let mut table = Table::open(plan());
    table.vanish(id(2), Kind::Dealing);
    table.play_until("collecting");
    let honest = honest(&mut table, 1);
    let Input::Submit(signed, upload) = &honest else { panic!() };
    let mut header = Header::decode(&signed.payload).unwrap();
    header.id = id(2);
    let context = table.round.phase().cohort().unwrap().context();
    let signed = header.sign(context, table.federation.key(id(2)));
    assert_eq!(table.feed(Input::Submit(signed, *upload)), Err(Rejection::NotEligible(id(2))));
}

#[test]
fn a_no_must_be_signed_and_name_this_attempt() {
    let mut table = Table::open(plan());
    let key = table.federation.key(id(2)).clone();
    let mut forged =
        Invited::decline(&table.round.plan().terms, table.round.plan().id.into(), id(2), "policy", &key);
    forged.signature[0] ^= 1;
    assert_eq!(table.feed(Input::Decline(forged)), Err(Rejection::BadSignature { from: id(2) }));
    let other = plan().round(1, 2, 1).build(&table.federation);
    let no = Invited::decline(&other.terms, other.id.into(), id(2), "policy", &key);
    assert_eq!(table.feed(Input::Decline(no)), Err(Rejection::Mismatch("round")));
    assert!(table.round.declined().is_empty());
}

#[test]
fn a_message_in_anothers_name_is_refused() {
    let mut table = Table::open(plan());
    let input = honest(&mut table, 1);
    let mut signed = signed_of(&input).clone();
    signed.from = id(2);
    assert_eq!(table.feed(Input::Advertise(signed)), Err(Rejection::BadSignature { from: id(2) }));
    let mut stranger = signed_of(&input).clone();
    stranger.from = id(77);
    assert_eq!(table.feed(Input::Advertise(stranger)), Err(Rejection::NotInCohort(id(77))));
    // Signed with 2's own key, but the payload says 1.
    let mut swapped = signed_of(&input).clone();
    let context = Context { ctx0: table.round.plan().context(), h1: None };
    let advert = Advertise::decode(&swapped.payload).unwrap();
    swapped = advert.sign(context, table.federation.key(id(2)));
    swapped.from = id(2);
    assert_eq!(table.feed(Input::Advertise(swapped)), Err(Rejection::Malformed));
}

#[test]
fn every_rejection_has_its_own_code() {
    let codes: std::collections::BTreeSet<_> = [
        Rejection::UnknownSender,
        Rejection::NotInCohort(id(1)),
        Rejection::BadSignature { from: id(1) },
        Rejection::Malformed,
        Rejection::Equivocated { from: id(1) },
        Rejection::Late,
        Rejection::Early,
        Rejection::Mismatch("x"),
        Rejection::NotEligible(id(1)),
        Rejection::TooFew { what: "x", found: 1, needed: 2 },
        Rejection::List("x"),
        Rejection::OwnMessage("x"),
        Rejection::NotAgreed("x"),
        Rejection::Over,
    ]
    .iter()
    .map(Rejection::code)
    .collect();
    assert_eq!(codes.len(), 14);
    assert!(codes.iter().all(|code| code.starts_with("round.")));
    assert_eq!(
        Rejection::Plan(PlanError::Quorum { threshold: 2, admitted: 3, colluding: 1 }).code(),
        "plan.quorum"
    );
}

#[test]
fn a_round_is_a_value() {
    // Two rounds that heard the same are the same, whoever made them.
    let (mut a, mut b) = (Table::open(plan()), Table::open(plan()));
    a.play_out();
    b.play_out();
    let text = |round: &Round| format!("{round:?}");
    assert_eq!(text(&a.round), text(&b.round));
}
