//! What a connected participant owes, told anew whenever it changes.

use std::collections::BTreeSet;

use syndic_ledger::ShownEntry;
use syndic_proto::convert::{self, Owed, PlaceRef, RoundRef};
use syndic_proto::status::elsewhere;
use syndic_proto::v1;
use syndic_round::coordinator::{Bundle, Dealt, Duty};
use syndic_round::participant::Received;
use syndic_round::{ParticipantId, Place, RoundId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Answers, refused};
use crate::driver::{Attached, Coordinator, CoordinatorError};
use crate::news::{News, Told};
use crate::store::StoreError;
use crate::tls::PeerIdentity;

/// The duties of `caller`, to whom so much is `told`, from now until its connection ends.
pub(super) fn stream(
    coordinator: Coordinator,
    caller: PeerIdentity,
    seen: u64,
    told: Told,
    attached: Attached,
) -> Answers<v1::Duty> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _attached = attached;
        tokio::select! {
            () = tell(&coordinator, caller.id, (told, seen), &sender) => {}
            () = coordinator.cut_off() => drop(sender.send(Err(elsewhere())).await),
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn tell(
    coordinator: &Coordinator,
    caller: ParticipantId,
    (mut told, mut seen): (Told, u64),
    sender: &mpsc::Sender<Result<v1::Duty, Status>>,
) {
    let mut changed = coordinator.changes();
    loop {
        changed.borrow_and_update();
        match next(coordinator, caller, &mut told, &mut seen).await {
            Ok(Some(duty)) => {
                if sender.send(Ok(duty)).await.is_err() {
                    return;
                }
                if let Some(job) = told.dismissed() {
                    coordinator.dismiss(caller, &job);
                }
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

/// What to tell next, if it differs from what was told.
async fn next(
    coordinator: &Coordinator,
    caller: ParticipantId,
    told: &mut Told,
    seen: &mut u64,
) -> Result<Option<v1::Duty>, CoordinatorError> {
    let mut put_off = BTreeSet::new();
    while let Some(news) = coordinator.look(|engine| told.news(engine, caller, &put_off)).await {
        if let Some(words) = in_words(coordinator, caller, &news, seen).await? {
            told.note(&news);
            return Ok(Some(words));
        }
        put_off.insert(news.job().clone());
    }
    Ok(None)
}

/// News as they are sent; none where they are no longer, or not yet: that comes with a change which wakes whoever waits.
async fn in_words(
    coordinator: &Coordinator,
    caller: ParticipantId,
    news: &News,
    seen: &mut u64,
) -> Result<Option<v1::Duty>, CoordinatorError> {
    Ok(Some(match news {
        News::RoundOver(job, id, reason) => {
            over(RoundRef { job: job.clone(), id: *id }, Owed::Over(reason.clone()), None)
        }
        News::JobOver(job, reason) => {
            let ledger = coordinator.shown_end(job, *seen).await?.map(|(size, shown)| {
                // Who is shown the last of a job may be shown more of others.
                *seen = size;
                shown
            });
            let round = RoundRef { job: job.clone(), id: RoundId { round: 0, attempt: 0 } };
            over(round, Owed::JobOver(reason.clone()), ledger)
        }
        News::Staged(job, _) => {
            let Some((size, shown)) = coordinator.shown_staged(*seen).await? else { return Ok(None) };
            *seen = size;
            let round = RoundRef { job: job.clone(), id: RoundId { round: 0, attempt: 0 } };
            over(round, Owed::ModelStaged, Some(shown))
        }
        News::OfRound { plan, duty, voided, .. } => {
            let at = RoundRef { job: plan.terms.job.clone(), id: plan.id };
            let owed = owed(coordinator, caller, duty).await?;
            // Who revealed in an earlier attempt does so again only if that one is shown to be void.
            let voided = match owed {
                Owed::Reveal(_) => {
                    voided.iter().map(|one| (one.round(), one.signatures().to_vec())).collect()
                }
                _ => Vec::new(),
            };
            let ledger = match owed {
                Owed::Certify(_) => match coordinator.shown_frozen(&at.job, at.id, *seen).await? {
                    Some((size, shown)) => {
                        // Who believes what it is shown keeps that checkpoint; who does not comes back with its own.
                        *seen = size;
                        Some(shown)
                    }
                    None => return Ok(None),
                },
                _ => None,
            };
            convert::Duty { voided, ledger, at: at.into(), plan: plan.to_bytes().into(), owed }.into()
        }
        News::Ahead(terms, duty) => {
            let owed = owed(coordinator, caller, duty).await?;
            let at = PlaceRef { job: terms.job.clone(), place: Place::Ahead(terms.number) };
            let plan = terms.to_bytes().into();
            convert::Duty { voided: Vec::new(), ledger: None, at, plan, owed }.into()
        }
    }))
}

async fn owed(
    coordinator: &Coordinator,
    caller: ParticipantId,
    duty: &Duty,
) -> Result<Owed, CoordinatorError> {
    Ok(match duty {
        Duty::Advertise => Owed::Advertise,
        Duty::Deal(cohort) => Owed::Deal(cohort.adverts().to_vec()),
        Duty::Acknowledge(_, dealt) => Owed::Acknowledge(shares_for(coordinator, caller, dealt).await?),
        Duty::Submit(acks) => Owed::Submit(acks.clone()),
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
