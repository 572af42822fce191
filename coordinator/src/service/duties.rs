//! What a connected participant owes, told anew whenever it changes.

use std::collections::{BTreeMap, BTreeSet};

use syndic_ledger::ShownEntry;
use syndic_proto::convert::{self, Owed, PlaceRef, RoundRef};
use syndic_proto::status::elsewhere;
use syndic_proto::v1;
use syndic_round::coordinator::{Bundle, Dealt, Duty};
use syndic_round::participant::Received;
use syndic_round::{JobId, ParticipantId, Place, RoundId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Answers, refused};
use crate::driver::{Attached, Coordinator, CoordinatorError};
use crate::engine::Over;
use crate::store::StoreError;
use crate::tls::PeerIdentity;

/// What was told last, so that only changes are told.
struct Told {
    jobs: BTreeMap<JobId, OfJob>,
    /// Entries of the ledger up to which it was shown.
    seen: u64,
}

/// What was told last of a job.
#[derive(Default)]
struct OfJob {
    /// Of the round in progress.
    round: Last,
    /// Of the preparation made ahead: its number, and the duty.
    ahead: Option<(u64, u8)>,
    /// Whether it is noted that the caller was told of the job's end.
    is_dismissed: bool,
}

/// What was told last of the round in progress.
#[derive(Clone, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    /// Round, duty, and how many reveals were wanted: a reveal that came while the sum was being opened was too late,
    /// and is asked for again once it is wanted after all.
    Duty(RoundRef, u8, Option<usize>),
    RoundOver(RoundRef),
    JobOver,
}

/// The duties of `caller`, which has something of the jobs in `held`, from now until its connection ends.
pub(super) fn stream(
    coordinator: Coordinator,
    caller: PeerIdentity,
    seen: u64,
    held: BTreeSet<JobId>,
    attached: Attached,
) -> Answers<v1::Duty> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _attached = attached;
        let jobs = held.into_iter().map(|job| (job, OfJob::default())).collect();
        tokio::select! {
            () = tell(&coordinator, caller.id, Told { jobs, seen }, &sender) => {}
            () = coordinator.cut_off() => drop(sender.send(Err(elsewhere())).await),
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn tell(
    coordinator: &Coordinator,
    caller: ParticipantId,
    mut told: Told,
    sender: &mpsc::Sender<Result<v1::Duty, Status>>,
) {
    let mut changed = coordinator.changes();
    loop {
        changed.borrow_and_update();
        match next(coordinator, caller, &mut told).await {
            Ok(Some(duty)) => {
                if sender.send(Ok(duty)).await.is_err() {
                    return;
                }
                told.let_go(coordinator, caller);
                // Whoever was told of a round's end may owe something in the next one already.
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                let _ = sender.send(Err(refused(&error))).await;
                return;
            }
        }
        tokio::select! {
            () = sender.closed() => return,
            gone = changed.changed() => if gone.is_err() { return },
        }
    }
}

impl Told {
    /// Jobs that the caller has something of, as far as it was not told of their end.
    fn held(&self) -> BTreeSet<JobId> {
        let held = self.jobs.iter().filter(|(_, told)| told.round != Last::JobOver);
        held.map(|(job, _)| job.clone()).collect()
    }

    /// Notes who was told of a job's end. Of one such job it is known that it was told, that it is not told again.
    fn let_go(&mut self, coordinator: &Coordinator, caller: ParticipantId) {
        let is_over = |told: &OfJob| told.round == Last::JobOver && !told.is_dismissed;
        let Some(job) = self.jobs.iter().find(|(_, told)| is_over(told)).map(|(job, _)| job.clone()) else {
            return;
        };
        coordinator.dismiss(caller, &job);
        self.jobs.retain(|other, told| *other == job || told.round != Last::JobOver);
        if let Some(told) = self.jobs.get_mut(&job) {
            told.is_dismissed = true;
        }
    }
}

/// What to tell next, if it differs from what was told: of each job, the round in progress comes first. Once another has
/// opened, nothing ahead is told before that one was looked at: the change of it is still to be seen.
async fn next(
    coordinator: &Coordinator,
    caller: ParticipantId,
    told: &mut Told,
) -> Result<Option<v1::Duty>, CoordinatorError> {
    for job in coordinator.jobs_for(&told.held()).await {
        let of_job = told.jobs.entry(job.clone()).or_default();
        let current = coordinator.current_round(&job).await;
        if let Some(duty) =
            next_of_round(coordinator, caller, (&job, current), of_job, &mut told.seen).await?
        {
            return Ok(Some(duty));
        }
        if of_job.round != Last::JobOver
            && let Some(duty) = next_ahead(coordinator, caller, (&job, current), of_job).await?
        {
            return Ok(Some(duty));
        }
    }
    Ok(None)
}

async fn next_of_round(
    coordinator: &Coordinator,
    caller: ParticipantId,
    (job, current): (&JobId, Option<RoundId>),
    told: &mut OfJob,
    seen: &mut u64,
) -> Result<Option<v1::Duty>, CoordinatorError> {
    if let Last::Duty(round, ..) = &told.round
        && current != Some(round.id)
    {
        let (round, reason) = (round.clone(), coordinator.why_abandoned(&round.job, round.id).await);
        told.round = Last::RoundOver(round.clone());
        return Ok(Some(over(round, Owed::Over(reason), None)));
    }
    if let Some(end) = coordinator.over(job).await {
        let round = RoundRef { job: job.clone(), id: RoundId { round: 0, attempt: 0 } };
        let reason = match end {
            Over::Completed(_) => None,
            Over::Abandoned(reason) => Some(reason),
            Over::Stopped(reason) => Some(format!("it was stopped: {reason}")),
        };
        if told.round == Last::JobOver {
            return Ok(None);
        }
        let ledger = coordinator.shown_end(job, *seen).await?.map(|(size, shown)| {
            // Who is shown the last of a job may be shown more of others.
            *seen = size;
            shown
        });
        told.round = Last::JobOver;
        return Ok(Some(over(round, Owed::JobOver(reason), ledger)));
    }
    let Some((plan, duty, voided)) = coordinator.duty_of(job, caller).await else { return Ok(None) };
    let round = RoundRef { job: plan.terms.job.clone(), id: plan.id };
    let wanted = match duty {
        Duty::Reveal(_) => coordinator.reveals_wanted(job).await,
        _ => None,
    };
    let now = Last::Duty(round.clone(), ordinal(&duty), wanted);
    if now == told.round {
        return Ok(None);
    }
    let owed = owed(coordinator, caller, duty).await?;
    // Who revealed in an earlier attempt does so again only if that one is shown to be void.
    let voided = match owed {
        Owed::Reveal(_) => voided.iter().map(|one| (one.round(), one.signatures().to_vec())).collect(),
        _ => Vec::new(),
    };
    let ledger = match owed {
        Owed::Certify(_) => match coordinator.shown_frozen(&round.job, round.id, *seen).await? {
            Some((size, shown)) => {
                // Who believes what it is shown keeps that checkpoint; who does not comes back with its own.
                *seen = size;
                Some(shown)
            }
            None => return Ok(None),
        },
        _ => None,
    };
    told.round = now;
    Ok(Some(convert::Duty { voided, ledger, at: round.into(), plan: plan.to_bytes().into(), owed }.into()))
}

async fn next_ahead(
    coordinator: &Coordinator,
    caller: ParticipantId,
    (job, current): (&JobId, Option<RoundId>),
    told: &mut OfJob,
) -> Result<Option<v1::Duty>, CoordinatorError> {
    let Some((terms, duty)) = coordinator.duty_ahead(job, caller, current).await else { return Ok(None) };
    let now = Some((terms.number, ordinal(&duty)));
    if now == told.ahead {
        return Ok(None);
    }
    let owed = owed(coordinator, caller, duty).await?;
    let at = PlaceRef { job: terms.job.clone(), place: Place::Ahead(terms.number) };
    told.ahead = now;
    let plan = terms.to_bytes().into();
    Ok(Some(convert::Duty { voided: Vec::new(), ledger: None, at, plan, owed }.into()))
}

async fn owed(
    coordinator: &Coordinator,
    caller: ParticipantId,
    duty: Duty,
) -> Result<Owed, CoordinatorError> {
    Ok(match duty {
        Duty::Advertise => Owed::Advertise,
        Duty::Deal(cohort) => Owed::Deal(cohort.adverts().to_vec()),
        Duty::Acknowledge(_, dealt) => Owed::Acknowledge(shares_for(coordinator, caller, &dealt).await?),
        Duty::Submit(acks) => Owed::Submit(acks),
        Duty::Certify(survivors) => Owed::Certify(survivors.signed().to_vec()),
        Duty::Reveal(certificate) => Owed::Reveal(certificate.signatures().to_vec()),
        Duty::Void(cohort) => Owed::Void(cohort.adverts().to_vec()),
    })
}

/// The end of a round, or of the job with where in the ledger it is.
fn over(round: RoundRef, owed: Owed, ledger: Option<ShownEntry>) -> v1::Duty {
    convert::Duty { voided: Vec::new(), ledger, at: round.into(), plan: Default::default(), owed }.into()
}

/// The shares that each dealer sealed for `caller`, and nobody else's.
async fn shares_for(
    coordinator: &Coordinator,
    caller: ParticipantId,
    dealt: &[Dealt],
) -> Result<Vec<Received>, CoordinatorError> {
    let mut shares = Vec::with_capacity(dealt.len());
    for Dealt { public, blob } in dealt {
        let bundle = coordinator.blobs().read(*blob).await?;
        let damaged = || StoreError::Corrupt { what: format!("the sealed shares {blob}") };
        let sealed = Bundle::open(&bundle).map_err(|_| damaged())?;
        let mine = sealed.into_iter().find(|(to, _)| *to == caller);
        let (_, sealed) = mine.ok_or_else(damaged)?;
        shares.push(Received { public: public.clone(), sealed });
    }
    Ok(shares)
}

fn ordinal(duty: &Duty) -> u8 {
    match duty {
        Duty::Advertise => 0,
        Duty::Deal(_) => 1,
        Duty::Acknowledge(..) => 2,
        Duty::Submit(_) => 3,
        Duty::Certify(_) => 4,
        Duty::Reveal(_) => 5,
        Duty::Void(_) => 6,
    }
}
