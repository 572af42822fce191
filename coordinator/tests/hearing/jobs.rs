//! Several jobs on one ledger: who begins when, and what whoever runs them does to them.

use std::time::Duration;

use syndic_coordinator::driver::{Attached, Coordinator, CoordinatorError};
use syndic_coordinator::engine::Over;
use syndic_coordinator::event::Event;
use syndic_coordinator::fact::{Cause, Priority};
use syndic_coordinator::store::Log as _;
use syndic_proto::control::JobStanding;
use syndic_round::{JobId, RoundId};
use tokio::task::JoinHandle;

use crate::audit::audited;
use crate::house::{House, Look, ends, small};
use crate::members::{JOB, Member};

/// A coordinator that drives whatever is handed in, all members being connected.
struct Serving {
    coordinator: Coordinator,
    driving: JoinHandle<Result<(), CoordinatorError>>,
    _attached: Vec<Attached>,
}

impl Serving {
    async fn in_house(house: &House) -> Self {
        Self::with(house, &house.members).await
    }

    async fn with(house: &House, members: &[Member]) -> Self {
        let coordinator = house.coordinator(house.log().await).await;
        let attach = |member: &Member| coordinator.attach(member.id, format!("bank-{}", member.id), &[]);
        let attached = members.iter().map(attach).collect();
        let driven = coordinator.clone();
        let driving = tokio::spawn(async move { driven.drive_all().await });
        Self { coordinator, driving, _attached: attached }
    }

    async fn submit(&self, name: &str, priority: u32) -> JobId {
        let file = JOB.replace("id = \"small\"", &format!("id = \"{name}\""));
        let priority = Priority::new(priority).unwrap();
        let (job, fresh) = self.coordinator.submit(&file, priority, "local-user/7").await.unwrap();
        assert!(fresh, "{name}");
        job
    }

    /// Waits until this job stands so.
    async fn until(&self, job: &JobId, standing: JobStanding, in_round: bool) {
        let mut changes = self.coordinator.changes();
        ends(async {
            loop {
                changes.borrow_and_update();
                let status = self.coordinator.status(job).await.unwrap();
                if status.standing == standing && status.round.is_some() == in_round {
                    return;
                }
                changes.changed().await.unwrap();
            }
        })
        .await;
    }

    /// The ledger is let go: what drives it ends, and everybody leaves.
    async fn close(self) {
        self.driving.abort();
        let _ = self.driving.await;
    }

    /// Lets every member do what it owes the round in progress of [`JOB`] until that round is over.
    async fn play_round(&self, members: &mut [Member]) -> RoundId {
        let first = self.coordinator.current_round(&small()).await.unwrap();
        ends(async {
            while self.coordinator.current_round(&small()).await == Some(first) {
                for member in members.iter_mut() {
                    if let Some((plan, duty)) = self.coordinator.duty_of(&small(), member.id).await
                        && plan.id == first
                    {
                        let input = member.play(&self.coordinator, &plan, duty).await;
                        self.coordinator.hear(&small(), first, input).await.unwrap();
                    }
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        first
    }
}

fn cause(reason: &str) -> Cause {
    Cause { by: "local-user/7".into(), reason: reason.into() }
}

#[tokio::test]
async fn as_many_jobs_as_may_be_are_under_way_and_others_wait_by_priority_then_by_order() {
    let house = House::of(4);
    let serving = Serving::in_house(&house).await;
    // Of a house, two.
    let (first, second) = (serving.submit("first", 50).await, serving.submit("second", 50).await);
    for job in [&first, &second] {
        serving.until(job, JobStanding::Running, true).await;
    }
    let (third, fourth) = (serving.submit("third", 50).await, serving.submit("fourth", 50).await);
    let urgent = serving.submit("urgent", 90).await;
    for job in [&third, &fourth, &urgent] {
        serving.until(job, JobStanding::Queued, false).await;
    }

    serving.coordinator.stop(&first, cause("one is enough")).await.unwrap();
    serving.until(&urgent, JobStanding::Running, true).await;
    serving.coordinator.prioritise(&fourth, Priority::new(60).unwrap(), cause("wanted")).await.unwrap();
    serving.coordinator.stop(&urgent, cause("one is enough")).await.unwrap();
    serving.until(&fourth, JobStanding::Running, true).await;
    serving.until(&third, JobStanding::Queued, false).await;
    serving.coordinator.stop(&second, cause("one is enough")).await.unwrap();
    serving.until(&third, JobStanding::Running, true).await;

    serving.close().await;
    audited(&house, &house.entries().await).unwrap();
    let reopened = house.coordinator(house.log().await).await;
    let standings: Vec<_> =
        reopened.list().await.into_iter().map(|status| (status.job, status.standing)).collect();
    let (running, stopped) = (JobStanding::Running, JobStanding::Stopped);
    assert_eq!(
        standings,
        [(first, stopped), (second, stopped), (third, running), (fourth, running), (urgent, stopped)]
    );
}

#[tokio::test]
async fn a_paused_job_finishes_its_round_and_opens_no_other_until_it_is_resumed_also_after_a_restart() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let serving = Serving::with(&house, &members).await;
    serving.submit("small", 50).await;
    serving.until(&small(), JobStanding::Running, true).await;
    serving.coordinator.pause(&small(), cause("data are being checked")).await.unwrap();
    serving.until(&small(), JobStanding::Pausing, true).await;
    serving.coordinator.pause(&small(), cause("again")).await.unwrap();

    let first = serving.play_round(&mut members).await;

    serving.until(&small(), JobStanding::Paused, false).await;
    let closed = serving.coordinator.closed_round(&small(), first).await.unwrap().unwrap();
    assert_eq!(closed.uploads.len(), 4, "the round came to its sum");
    let other = serving.submit("other", 50).await;
    serving.until(&other, JobStanding::Running, true).await;
    let entries = house.entries().await;
    let rounds = |entries: &[syndic_ledger::Entry]| {
        let of_small = |entry: &&syndic_ledger::Entry| {
            entry.kind == "syndic.round.opened" && entry.data["job"] == "small"
        };
        entries.iter().filter(of_small).count()
    };
    assert_eq!(rounds(&entries), 1);
    let paused: Vec<_> = entries.iter().filter(|entry| entry.kind == "syndic.job.paused").collect();
    assert_eq!(paused.len(), 1, "what changes nothing is no entry");
    assert_eq!(paused[0].data["reason"], "data are being checked");
    assert_eq!(paused[0].data["by"], "local-user/7");

    serving.close().await;
    let serving = Serving::with(&house, &members).await;
    assert_eq!(serving.coordinator.status(&small()).await.unwrap().standing, JobStanding::Paused);
    serving.coordinator.resume(&small(), cause("they are in order")).await.unwrap();
    serving.until(&small(), JobStanding::Running, true).await;
    assert_eq!(serving.coordinator.current_round(&small()).await, Some(RoundId { round: 2, attempt: 1 }));
    serving.close().await;
    assert_eq!(rounds(&house.entries().await), 2);
    audited(&house, &house.entries().await).unwrap();
}

#[tokio::test]
async fn a_stopped_job_ends_with_its_round_and_its_reason_and_others_go_on() {
    let house = House::of(4);
    let serving = Serving::in_house(&house).await;
    let (stopped, other) = (serving.submit("stopped", 50).await, serving.submit("other", 50).await);
    for job in [&stopped, &other] {
        serving.until(job, JobStanding::Running, true).await;
    }
    let round = serving.coordinator.current_round(&stopped).await.unwrap();
    let mut events = serving.coordinator.events();

    serving.coordinator.stop(&stopped, cause("consent was withdrawn")).await.unwrap();

    let over = Over::Stopped("consent was withdrawn".into());
    assert_eq!(serving.coordinator.over(&stopped).await, Some(over.clone()));
    assert_eq!(serving.coordinator.current_round(&stopped).await, None);
    let why = serving.coordinator.why_abandoned(&stopped, round).await.unwrap();
    assert_eq!(why, "the job was stopped: consent was withdrawn");
    let told = [events.recv().await.unwrap(), events.recv().await.unwrap()];
    assert!(told.iter().all(|told| told.job.as_ref() == Some(&stopped)));
    assert!(matches!(&told[0].event, Event::RoundAbandoned { id, .. } if *id == round));
    assert!(matches!(&told[1].event, Event::JobStopped { .. }));
    let entries = house.entries().await;
    let last: Vec<_> = entries.iter().rev().take(3).map(|entry| entry.kind.as_str()).collect();
    assert_eq!(last, ["syndic.job.stopped", "syndic.round.abandoned", "syndic.round.stopped"]);
    audited(&house, &entries).unwrap();
    serving.coordinator.stop(&stopped, cause("again")).await.unwrap();
    assert_eq!(
        house.log().await.size().await.unwrap(),
        entries.len() as u64,
        "the same again changes nothing"
    );
    serving.until(&other, JobStanding::Running, true).await;

    serving.close().await;
    let reopened = house.coordinator(house.log().await).await;
    assert_eq!(reopened.over(&stopped).await, Some(over));
    assert!(reopened.current_round(&other).await.is_some());
}

#[tokio::test]
async fn what_cannot_be_done_to_a_job_is_refused_and_changes_nothing() {
    let house = House::of(4);
    let serving = Serving::in_house(&house).await;
    let job = serving.submit("job", 50).await;
    serving.until(&job, JobStanding::Running, true).await;
    serving.coordinator.stop(&job, cause("enough")).await.unwrap();
    let size = house.log().await.size().await.unwrap();
    let unknown = JobId::new("unknown").unwrap();
    let priority = Priority::new(1).unwrap();
    for (job, code) in [(&job, "job.over"), (&unknown, "job.unknown")] {
        let refused = [
            serving.coordinator.pause(job, cause("no")).await.unwrap_err(),
            serving.coordinator.resume(job, cause("no")).await.unwrap_err(),
            serving.coordinator.prioritise(job, priority, cause("no")).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|error| error.code() == code), "{refused:?}");
    }
    assert_eq!(serving.coordinator.stop(&unknown, cause("no")).await.unwrap_err().code(), "job.unknown");
    let again = JOB.replace("id = \"small\"", "id = \"job\"");
    let (_, fresh) = serving.coordinator.submit(&again, priority, "local-user/7").await.unwrap();
    assert!(!fresh, "the same file again is fine");
    let other =
        serving.coordinator.submit(&format!("{again}# a comment\n"), priority, "x").await.unwrap_err();
    assert_eq!(other.code(), "job.other", "also once it is over");
    assert_eq!(house.log().await.size().await.unwrap(), size);
}

#[tokio::test]
async fn a_closed_round_is_found_in_the_ledger_again_once_it_is_not_held_any_more() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let serving = Serving::with(&house, &members).await;
    serving.submit("other", 50).await;
    serving.submit("small", 50).await;
    serving.until(&small(), JobStanding::Running, true).await;
    let first = serving.play_round(&mut members).await;
    let held = serving.coordinator.closed_round(&small(), first).await.unwrap().unwrap();

    serving.coordinator.stop(&small(), cause("enough")).await.unwrap();

    let found = serving.coordinator.closed_round(&small(), first).await.unwrap().unwrap();
    assert_eq!(
        (found.opened.clone(), found.uploads.clone(), found.chunk_bytes),
        (held.opened, held.uploads, held.chunk_bytes)
    );
    assert!(serving.coordinator.offered(found.opened.transcript).await.unwrap().is_some());
    assert!(serving.coordinator.chunk_proofs(&small(), first, 0).await.unwrap().is_some());
    let later = RoundId { round: 2, attempt: 1 };
    assert!(serving.coordinator.closed_round(&small(), later).await.unwrap().is_none());
    serving.close().await;
    let reopened = house.coordinator(house.log().await).await;
    assert_eq!(reopened.closed_round(&small(), first).await.unwrap().unwrap().opened, found.opened);
    assert!(reopened.offered(found.opened.transcript).await.unwrap().is_some());
}

#[tokio::test]
async fn who_was_not_there_and_who_said_no_is_on_record() {
    let mut house = House::of(6);
    let mut members = std::mem::take(&mut house.members);
    // The sixth is not there, the fifth says no.
    let serving = Serving::with(&house, &members[..5]).await;
    serving.submit("small", 50).await;
    serving.until(&small(), JobStanding::Running, true).await;
    let (plan, ..) = serving.coordinator.duty_of(&small(), members[0].id).await.unwrap();
    let no = members[4].decline(&plan, "policy.purpose");
    serving.coordinator.hear(&small(), plan.id, no).await.unwrap();
    let away = members[5].decline(&plan, "participant.restarted");
    for member in &mut members[..4] {
        let advert = member.advertise(&plan, None);
        serving.coordinator.hear(&small(), plan.id, advert).await.unwrap();
    }
    let opened = house.entries().await.into_iter().find(|entry| entry.kind == "syndic.round.opened").unwrap();
    assert_eq!(opened.data["absent"], serde_json::json!([6]));
    // It comes after all, and says no: then nobody is left to wait for.
    serving.coordinator.hear(&small(), plan.id, away).await.unwrap();
    let status = serving.coordinator.status(&small()).await.unwrap();
    assert!(status.missing.is_empty(), "no survivor set is frozen yet");
    serving.close().await;
    let abandoned = house.entries().await.into_iter().find(|entry| entry.kind == "syndic.round.abandoned");
    // Four of six are fewer than the five that the threshold asks for.
    let abandoned = abandoned.unwrap();
    let missing: Vec<_> = abandoned.data["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|missing| {
            (missing["participant"].as_u64().unwrap(), missing["why"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(missing, [(5, "declined".to_owned()), (6, "declined".to_owned())]);
    audited(&house, &house.entries().await).unwrap();
}

#[tokio::test]
async fn a_job_that_has_too_few_for_a_round_keeps_no_other_waiting() {
    let house = House::of(4);
    // Of a house, two jobs are under way at once; three of four institutions are there, and one job needs all.
    let serving = Serving::with(&house, &house.members[..3]).await;
    let demanding = |name: &str| {
        let named = JOB.replace("id = \"small\"", &format!("id = \"{name}\""));
        named.replace("[protection]", "[protection]\nthreshold = 4")
    };
    for name in ["first", "second"] {
        serving.coordinator.submit(&demanding(name), Priority::default(), "local-user/7").await.unwrap();
    }

    let third = serving.submit("third", 50).await;

    serving.until(&third, JobStanding::Running, true).await;
    let first = serving.coordinator.status(&JobId::new("first").unwrap()).await.unwrap();
    let waits = "3 of the 4 institutions that are needed are connected";
    assert_eq!((first.standing, first.reason.as_deref()), (JobStanding::Running, Some(waits)));
    let last = &house.members[3];
    let _attached = serving.coordinator.attach(last.id, "bank-4".into(), &[]);
    serving.until(&first.job, JobStanding::Running, true).await;
    serving.close().await;
    audited(&house, &house.entries().await).unwrap();
}

#[tokio::test]
async fn that_somebody_is_missing_in_sums_is_told_with_the_job_also_once_it_is_over_and_after_a_restart() {
    let mut house = House::of(4);
    let mut members = std::mem::take(&mut house.members);
    let serving = Serving::with(&house, &members).await;
    serving.submit("small", 50).await;
    serving.until(&small(), JobStanding::Running, true).await;
    let (plan, ..) = serving.coordinator.duty_of(&small(), members[3].id).await.unwrap();
    let no = members[3].decline(&plan, "policy.purpose");
    serving.coordinator.hear(&small(), plan.id, no).await.unwrap();
    assert!(serving.coordinator.status(&small()).await.unwrap().warnings.is_empty(), "there is no sum yet");

    serving.play_round(&mut members[..3]).await;

    let told = ["bank-4 is missing in 1 of 1 sums"];
    assert_eq!(serving.coordinator.status(&small()).await.unwrap().warnings, told);
    serving.coordinator.stop(&small(), cause("enough")).await.unwrap();
    assert_eq!(serving.coordinator.status(&small()).await.unwrap().warnings, told);
    serving.close().await;
    let reopened = house.coordinator(house.log().await).await;
    assert_eq!(reopened.status(&small()).await.unwrap().warnings, told);
    let provenance = reopened.provenance(&small(), &(0, String::new())).await;
    assert_eq!(provenance["warnings"], serde_json::json!(told));
}

#[tokio::test]
async fn who_drains_opens_no_round_and_comes_to_an_end() {
    let house = House::of(4);
    let serving = Serving::in_house(&house).await;
    let job = serving.submit("job", 50).await;
    serving.until(&job, JobStanding::Running, true).await;

    serving.coordinator.drain();

    ends(serving.driving).await.unwrap().unwrap();
    let size = house.log().await.size().await.unwrap();
    serving.coordinator.submit(&JOB.replace("small", "late"), Priority::default(), "x").await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), serving.coordinator.drive_all()).await.unwrap().unwrap();
    assert_eq!(
        house.log().await.size().await.unwrap(),
        size + 1,
        "it is agreed, and waits for the next start"
    );
}
