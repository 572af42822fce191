//! What the ledger says beside the rounds: who wrote it, how participants were connected, and when phases ended; and
//! that ledgers which say less are gone on with.

use serde_json::json;
use syndic_coordinator::fact::{Cause, Connected, Fact, incarnation};
use syndic_coordinator::store::Log as _;
use syndic_coordinator::witnesses::witnesses;
use syndic_ledger::{Entry, History, cosignature};
use syndic_round::Digest;
use syndic_round::coordinator::{Duty, Input};

use crate::audit::audited;
use crate::house::{House, ends, small};

fn facts(entries: &[Entry]) -> Vec<Fact> {
    let numbered = (0..).zip(entries);
    numbered.map(|(index, entry)| Fact::from_entry(index, entry).unwrap()).collect()
}

#[tokio::test]
async fn each_start_is_on_record_and_every_entry_names_the_one_that_wrote_it() {
    let house = House::of(4);
    let first = house.coordinator(house.log().await).await;
    first.agree(crate::members::JOB).await.unwrap();
    // Killed: it says nothing.
    drop(first);
    let second = house.coordinator(house.log().await).await;
    second.record_stop("told to stop").await;
    drop(second);

    let entries = house.entries().await;
    let written: Vec<_> =
        entries.iter().map(|entry| (entry.kind.as_str(), incarnation(&entry.source))).collect();
    assert_eq!(
        written,
        [
            ("syndic.roster.sealed", None),
            ("syndic.coordinator.started", Some(1)),
            ("syndic.job.agreed", Some(1)),
            ("syndic.coordinator.started", Some(2)),
            ("syndic.coordinator.stopped", Some(2)),
        ]
    );
    let started = |entry: &Entry| (entry.data["version"].clone(), entry.data["instance"].clone());
    assert_eq!(started(&entries[1]).0, env!("CARGO_PKG_VERSION"));
    assert_ne!(started(&entries[1]).1, started(&entries[3]).1, "they are different processes");
    assert!(audited(&house, &entries).is_ok());
    let mut forged = entries.clone();
    forged[3].data["incarnation"] = json!(1);
    assert_eq!(audited(&house, &forged).unwrap_err().code(), "audit.differs");
}

/// A round that is closed, in which the first member's upload was begun twice.
async fn one_round() -> (House, Vec<Entry>) {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let first = house.members[0].id;
    ends(async {
        running.play_until(&mut house.members, |duty| matches!(duty, Duty::Submit(_))).await;
        let (plan, duty) = running.duty_of(first).await;
        let input = house.members[0].play(&running.coordinator, &plan, duty).await;
        let Input::Submit(signed, _) = &input else { panic!("an update is due") };
        for begins in [true, false, true] {
            let judged = running.coordinator.judge_header(&small(), plan.id, signed).await.unwrap();
            assert!(judged.is_some(), "its body is to be read");
            // Who asks how much is held begins nothing.
            if begins {
                running.coordinator.upload_begins(&small(), signed.from).await;
            }
        }
        assert!(running.hear(&input).await.unwrap());
        running.play_until(&mut house.members, |duty| matches!(duty, Duty::Advertise)).await;
    })
    .await;
    drop(running);
    let entries = house.entries().await;
    (house, entries)
}

#[tokio::test]
async fn the_end_of_a_round_says_when_its_phases_began_and_ended_and_an_update_how_often_it_was_begun() {
    let (house, entries) = one_round().await;
    let closed = entries.iter().position(|entry| entry.kind == "syndic.round.closed").unwrap();
    let phases = entries[closed].data["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
    assert_eq!(names, ["advertise", "share", "acknowledge", "collect", "certify", "reveal"]);
    let opened = entries.iter().find(|entry| entry.kind == "syndic.round.opened").unwrap();
    assert_eq!(phases[0]["began"], opened.time.to_string());
    for pair in phases.windows(2) {
        assert_eq!(pair[0]["ended"], pair[1]["began"]);
    }
    for phase in phases {
        let at = |key: &str| phase[key].as_str().unwrap().parse::<syndic_ledger::Timestamp>().unwrap();
        assert!(at("ended") < at("deadline"), "an hour is enough: {phase}");
    }
    let begun = |fact: &Fact| match fact {
        Fact::Heard { input: Input::Submit(signed, _), beside, .. } => {
            Some((signed.from.get(), beside.begun))
        }
        _ => None,
    };
    let begun: Vec<_> = facts(&entries).iter().filter_map(begun).collect();
    assert!(begun.contains(&(1, Some(2))), "{begun:?}");
    assert!(begun.iter().all(|(id, begun)| *id == 1 || begun.is_none()), "{begun:?}");

    let mut forged = entries.clone();
    forged[closed].data["phases"][3]["deadline"] = phases[3]["began"].clone();
    let error = audited(&house, &forged).unwrap_err();
    assert_eq!((error.code(), error.entry()), ("audit.differs", closed as u64));
}

#[tokio::test]
async fn a_ledger_that_an_earlier_version_wrote_is_gone_on_with() {
    let (house, entries) = one_round().await;
    let mut history = History::new();
    let mut earlier = Vec::new();
    for mut entry in entries {
        if entry.kind.starts_with("syndic.coordinator.") {
            continue;
        }
        entry.source = "coordinator/federation".into();
        for key in ["phases", "uploads_begun"] {
            entry.data.as_object_mut().unwrap().remove(key);
        }
        let bytes = history.link(entry).to_canonical().unwrap();
        history.accept(&bytes).unwrap();
        earlier.push(bytes);
    }
    let log = house.log().await;
    let folder = tempfile::tempdir().unwrap();
    let old = syndic_coordinator::store::SqliteLog::open(&folder.path().join("ledger.sqlite")).await.unwrap();
    old.append(0, &earlier).await.unwrap();
    drop(log);

    let coordinator = house.coordinator(old).await;

    let status = coordinator.status(&small()).await.unwrap();
    assert_eq!(status.round.unwrap().round, 2, "the round after the one that is closed goes on");
    coordinator.record_stop("told to stop").await;
    drop(coordinator);
    let old = syndic_coordinator::store::SqliteLog::open(&folder.path().join("ledger.sqlite")).await.unwrap();
    let all = old.read(0, u64::MAX).await.unwrap();
    let all: Vec<_> = all.iter().map(|bytes| Entry::parse(bytes).unwrap()).collect();
    assert_eq!(all[earlier.len()].kind, "syndic.coordinator.started");
    assert_eq!(all[earlier.len()].data["incarnation"], 1);
    audited(&house, &all).unwrap();
}

#[tokio::test]
async fn what_is_published_ends_with_the_job_or_with_the_head_that_most_have_signed_since() {
    let house = House::of(4);
    let coordinator = house.coordinator(house.log().await).await;
    coordinator.agree(crate::members::JOB).await.unwrap();
    let cause = Cause { by: "local-user/7".into(), reason: "enough".into() };
    coordinator.stop(&small(), cause).await.unwrap();
    let ended = house.entries().await.len() as u64;
    drop(coordinator);
    // Killed before anybody had heard of the end: whoever comes now sees a longer ledger, and signs no shorter one.
    let coordinator = house.coordinator(house.log().await).await;
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(coordinator.export_ledger(folder.path()).await.unwrap().0, ended);
    for (member, seconds) in house.members.iter().zip(1..).take(3) {
        let shown = coordinator.shown_to(member.id, 0).await.unwrap();
        let roster = house.roster().roster();
        let name = roster.witness_name(house.roster().member(member.id).unwrap());
        let key = coordinator.verifier_key().unwrap();
        let line = cosignature(&shown.checkpoint, &key, &name, seconds, &member.key).unwrap();
        coordinator.take_cosignature(member.id, ended + 1, &line).await.unwrap();
    }
    coordinator.record_stop("told to stop").await;

    let published = coordinator.export_ledger(folder.path()).await.unwrap().0;

    assert_eq!(published, ended + 1, "up to the head that three have signed, and no further");
    let note = std::fs::read_to_string(folder.path().join("checkpoint")).unwrap();
    assert_eq!(witnesses(house.roster().roster(), &note).unwrap().len(), 3);
    assert_eq!(coordinator.export_ledger(folder.path()).await.unwrap().0, published, "it never shrinks");
}

#[tokio::test]
async fn how_a_participant_is_connected_is_on_record_once_and_again_when_it_changes_also_after_a_restart() {
    let house = House::of(4);
    let connected = |version: &str| Connected {
        participant: house.members[1].id,
        certificate: Digest::of(b"its certificate"),
        serial: "07".into(),
        tls: "TLS 1.3".into(),
        group: "X25519MLKEM768".into(),
        version: version.into(),
        binary: None,
    };
    let coordinator = house.coordinator(house.log().await).await;
    coordinator.note_connected(connected("0.1.0")).await;
    coordinator.note_connected(connected("0.1.0")).await;
    drop(coordinator);
    let coordinator = house.coordinator(house.log().await).await;
    coordinator.note_connected(connected("0.1.0")).await;
    coordinator.note_connected(connected("0.2.0")).await;
    drop(coordinator);

    let entries = house.entries().await;
    let versions: Vec<_> = facts(&entries)
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::Connected(connected) => Some(connected.version),
            _ => None,
        })
        .collect();
    assert_eq!(versions, ["0.1.0", "0.2.0"]);
    assert!(audited(&house, &entries).is_ok());
    let mut forged = entries.clone();
    let at = forged.iter().position(|entry| entry.kind == "syndic.participant.connected").unwrap();
    forged[at].data["participant"] = json!(9);
    assert_eq!(audited(&house, &forged).unwrap_err().code(), "audit.differs", "nobody has this number");
}
