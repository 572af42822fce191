//! The messages that cross the network, from bytes to the core's types and back.

use std::time::Duration;

use prost::Message;
use syndic_ledger::ShownEntry;
use syndic_proto::convert::{Duty, Owed, RecordedModel, RoundRef, digest};
use syndic_proto::status::{code_of, limited, retry_after};
use syndic_proto::v1;
use syndic_round::participant::Received;
use syndic_round::{Digest, JobId, RoundId};
use tonic::metadata::MetadataValue;

use crate::bounded::bounded;
use crate::federation::{FEDERATION, id};
use crate::script::{choosing, chosen};

/// The first byte chooses the message.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    match choice % 16 {
        0 => duty(bytes),
        1 => round(read::<v1::RoundRef>(bytes)),
        2 => round(read::<v1::Statement>(bytes).and_then(|statement| statement.round)),
        3 => round(read::<v1::SubmitPart>(bytes).and_then(|part| match part.part? {
            v1::submit_part::Part::Header(header) => header.round,
            v1::submit_part::Part::Chunk(_) => None,
        })),
        4 => drop(read::<v1::ClosingReply>(bytes).map(|closing| digest(&closing.aggregate_root))),
        5 => drop(
            read::<v1::ChunkPart>(bytes)
                .map(|part| part.path.iter().filter(|hash| digest(hash).is_ok()).count()),
        ),
        6 => drop(read::<v1::HelloRequest>(bytes).map(|hello| digest(&hello.roster))),
        7 => round(read::<v1::ChunkRequest>(bytes).and_then(|request| request.round)),
        8 => drop(read::<v1::FetchRequest>(bytes).map(|request| digest(&request.digest))),
        9 => drop(read::<v1::HelloReply>(bytes).and_then(|reply| reply.ledger).map(ShownEntry::try_from)),
        10 => drop(read::<v1::DutiesRequest>(bytes)),
        11 => drop(read::<v1::Receipt>(bytes)),
        12 => drop(read::<v1::FetchPart>(bytes)),
        13 => drop(read::<v1::UploadedReply>(bytes).map(|reply| digest(&reply.digest))),
        14 => recorded(bytes),
        _ => told(bytes),
    }
}

/// The message, which is the same after another trip.
fn read<M: Message + Default + PartialEq>(bytes: &[u8]) -> Option<M> {
    let message = bounded(bytes.len(), || M::decode(bytes)).ok()?;
    assert!(M::decode(message.encode_to_vec().as_slice()) == Ok(message_of(bytes)?), "it changes on its way");
    Some(message)
}

fn message_of<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok()
}

fn duty(bytes: &[u8]) {
    let Some(wire) = read::<v1::Duty>(bytes) else { return };
    let Ok(duty) = bounded(bytes.len(), || Duty::try_from(wire)) else { return };
    let written = v1::Duty::from(duty);
    let again = Duty::try_from(written.clone()).expect("what is written is read");
    assert!(v1::Duty::from(again) == written, "a duty changes on its way");
}

fn recorded(bytes: &[u8]) {
    let Some(wire) = read::<v1::RecordedModel>(bytes) else { return };
    if let Ok(model) = bounded(bytes.len(), || RecordedModel::try_from(wire.clone())) {
        assert!(v1::RecordedModel::from(model) == wire, "a model changes on its way");
    }
}

fn round(wire: Option<v1::RoundRef>) {
    if let Ok(round) = RoundRef::try_from(wire.clone()) {
        assert!(Some(v1::RoundRef::from(&round)) == wire, "a round changes on its way");
    }
}

/// What a coordinator says beside the status of a call: a value of a header.
fn told(bytes: &[u8]) {
    let mut status = limited(Duration::from_millis(7));
    let Ok(value) = MetadataValue::try_from(bytes) else { return };
    for key in ["syndic-code", "syndic-retry-after-ms"] {
        status.metadata_mut().insert(key, value.clone());
    }
    assert!(
        retry_after(&status).is_none() || bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+')
    );
    assert!(code_of(&status).is_none_or(|code| code.as_bytes() == bytes));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let plan = FEDERATION.plan(1);
    let cohort = FEDERATION.cohort(&plan);
    let adverts = || cohort.adverts()[..2].to_vec();
    let round = RoundRef { job: JobId::new("job").expect("a job id"), id: plan.id };
    let share = || Received { public: FEDERATION.deal(&plan, &cohort, id(1)).0, sealed: vec![9; 3] };
    let duties = [
        Owed::Advertise,
        Owed::Deal(adverts()),
        Owed::Acknowledge(vec![share(), share()]),
        Owed::Submit(adverts()),
        Owed::Certify(adverts()),
        Owed::Reveal(adverts()),
        Owed::Void(adverts()),
        Owed::Over(Some("too few".into())),
        Owed::JobOver(None),
        Owed::ModelStaged,
    ];
    let duty = |owed| {
        let voided = vec![(RoundId { round: 1, attempt: 1 }, adverts())];
        let (plan, at) = (plan.to_bytes().into(), round.clone().into());
        let ledger = matches!(owed, Owed::Certify(_)).then(super::shown::honest);
        choosing(0, v1::Duty::from(Duty { voided, ledger, at, plan, owed }).encode_to_vec())
    };
    let statement = v1::Statement {
        round: Some((&round).into()),
        kind: v1::Kind::Advertise.into(),
        signed: adverts()[0].to_bytes().into(),
        ..Default::default()
    };
    let header = v1::SubmitHeader { round: Some((&round).into()), signed: vec![1; 90].into(), offset: 8_192 };
    let root: Vec<u8> = Digest::of(b"root").as_bytes().to_vec();
    let others = [
        v1::RoundRef::from(&round).encode_to_vec(),
        statement.encode_to_vec(),
        v1::SubmitPart { part: Some(v1::submit_part::Part::Header(header)) }.encode_to_vec(),
        v1::ClosingReply { aggregate_root: root.clone().into(), ..Default::default() }.encode_to_vec(),
        v1::ChunkPart { chunk: vec![5; 40].into(), path: vec![root.clone().into(); 2] }.encode_to_vec(),
        v1::HelloRequest {
            federation: "federation".into(),
            roster: root.clone().into(),
            ..Default::default()
        }
        .encode_to_vec(),
        v1::ChunkRequest { round: Some((&round).into()), index: 3 }.encode_to_vec(),
        v1::FetchRequest { digest: root.clone().into() }.encode_to_vec(),
        v1::HelloReply { software: "0.1.0".into(), ledger: Some(super::shown::honest().into()) }
            .encode_to_vec(),
        v1::DutiesRequest {
            ledger_size: 7,
            held: vec![v1::Held { job: "churn".into(), preparation: 2 }],
            models: true,
        }
        .encode_to_vec(),
        v1::Receipt { fresh: true, at_ms: 7, signature: vec![7; 64].into() }.encode_to_vec(),
        v1::FetchPart { bytes: vec![7; 40].into() }.encode_to_vec(),
        v1::UploadedReply { accepted: false, bytes: 8_192, digest: root.clone().into() }.encode_to_vec(),
        recorded_model(&root).encode_to_vec(),
        b"250".to_vec(),
    ];
    let others = (1..).zip(others).map(|(choice, bytes)| choosing(choice, bytes));
    duties.into_iter().map(duty).chain(others).collect()
}

fn recorded_model(hash: &[u8]) -> v1::RecordedModel {
    let entry = |index| {
        let inclusion = vec![hash.to_vec().into(); 2];
        Some(v1::RecordedEntry { index, entry: b"{}".to_vec().into(), inclusion })
    };
    v1::RecordedModel { agreed: entry(1), completed: entry(2), approved: entry(3), staged: entry(4) }
}
