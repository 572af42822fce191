//! What the man in the middle has learnt: plans and cohorts, and who has said what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use syndic_proto::convert::{Duty, Owed};
use syndic_proto::v1::{self, Kind};
use syndic_round::message::{Decline, Payload};
use syndic_round::{
    Cohort, ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, SealedRoster, Signed,
};
use tokio::sync::watch;

/// All that passed by.
pub(crate) struct Known {
    pub(crate) roster: SealedRoster,
    keys: BTreeMap<ParticipantId, SigningKey>,
    /// The coordinator's, which signs checkpoints and receipts.
    pub(crate) ledger_key: SigningKey,
    attempts: Mutex<BTreeMap<RoundId, Arc<Attempt>>>,
    /// Cohorts of preparations, by number.
    cohorts: Mutex<BTreeMap<u64, Cohort>>,
    said: watch::Sender<Vec<Said>>,
}

/// An attempt at a round whose cohort is known.
pub(crate) struct Attempt {
    pub(crate) plan: RoundPlan,
    pub(crate) cohort: Cohort,
}

/// A message of a participant, as it was passed on.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) from: ParticipantId,
    pub(crate) round: RoundId,
    pub(crate) what: What,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Message(Kind),
    Declined(String),
    /// A whole update was handed in, to be passed on.
    Upload,
    /// No message: it was shown a chunk.
    SpotCheck,
    /// No message: it died.
    Death,
}

impl Known {
    pub(crate) fn new(
        roster: SealedRoster,
        keys: BTreeMap<ParticipantId, SigningKey>,
        ledger_key: SigningKey,
    ) -> Self {
        Self {
            roster,
            keys,
            ledger_key,
            attempts: Mutex::default(),
            cohorts: Mutex::default(),
            said: watch::Sender::default(),
        }
    }

    pub(crate) fn key(&self, of: ParticipantId) -> &SigningKey {
        &self.keys[&of]
    }

    pub(crate) fn attempt(&self, round: &v1::RoundRef) -> Arc<Attempt> {
        self.attempts.lock().unwrap()[&RoundId { round: round.round, attempt: round.attempt }].clone()
    }

    pub(crate) fn notice(&self, duty: &v1::Duty) {
        let round = round_of(duty);
        let Ok(Duty { owed, plan, at, .. }) = Duty::try_from(duty.clone()) else { return };
        let terms = match at.place {
            Place::Ahead(_) => PreparationTerms::from_bytes(&plan).ok(),
            Place::Round(_) => RoundPlan::from_bytes(&plan).ok().map(|plan| plan.terms),
        };
        let (Some(terms), mut cohorts) = (terms, self.cohorts.lock().unwrap()) else { return };
        if let Owed::Deal(adverts) = owed {
            cohorts.insert(terms.number, Cohort::assemble(&terms, &self.roster, adverts).unwrap());
        }
        if let (Ok(plan), Some(cohort)) = (RoundPlan::from_bytes(&plan), cohorts.get(&terms.number)) {
            let attempt = Arc::new(Attempt { plan, cohort: cohort.clone() });
            self.attempts.lock().unwrap().insert(round, attempt);
        }
    }

    pub(crate) fn heard(&self, from: ParticipantId, said: &v1::Statement) {
        let round = said.round.as_ref().unwrap();
        let round = RoundId { round: round.round, attempt: round.attempt };
        let what = match said.kind() {
            Kind::Decline => {
                let signed = Signed::from_bytes(&said.signed).unwrap();
                What::Declined(Decline::decode(&signed.payload).unwrap().reason)
            }
            kind => What::Message(kind),
        };
        self.said.send_modify(|all| all.push(Said { from, round, what }));
    }

    pub(crate) fn uploaded(&self, from: ParticipantId, round: &v1::RoundRef) {
        let round = RoundId { round: round.round, attempt: round.attempt };
        self.said.send_modify(|all| all.push(Said { from, round, what: What::Upload }));
    }

    pub(crate) fn showed(&self, to: ParticipantId) {
        let round = RoundId { round: 0, attempt: 0 };
        let said = Said { from: to, round, what: What::SpotCheck };
        self.said.send_modify(|all| all.push(said));
    }

    pub(crate) fn died(&self, who: ParticipantId, round: (u32, u32)) {
        let round = RoundId { round: round.0, attempt: round.1 };
        self.said.send_modify(|all| all.push(Said { from: who, round, what: What::Death }));
    }

    /// All that was said so far.
    pub(crate) fn said(&self) -> Vec<Said> {
        self.said.borrow().clone()
    }

    /// Why participants declined this round and attempt, as they said it: (who, code).
    pub(crate) fn declined(&self, round: u32, attempt: u32) -> Vec<(u16, String)> {
        let said = self.said().into_iter().filter(|said| said.round == RoundId { round, attempt });
        said.filter_map(|said| match said.what {
            What::Declined(code) => Some((said.from.get(), code)),
            _ => None,
        })
        .collect()
    }

    /// Waits until as many have said this in this round and attempt.
    pub(crate) async fn until(&self, count: usize, round: (u32, u32), what: What) {
        let mut said = self.said.subscribe();
        let enough = said.wait_for(|said| said_by(said, round, &what).count() >= count).await;
        enough.expect("who waits holds what it waits for");
    }

    /// Waits until this participant has said this in this round and attempt.
    pub(crate) async fn until_by(&self, who: ParticipantId, round: (u32, u32), what: What) {
        let mut said = self.said.subscribe();
        let by_it = said.wait_for(|said| said_by(said, round, &what).any(|said| said.from == who)).await;
        by_it.expect("who waits holds what it waits for");
    }
}

fn said_by<'a>(said: &'a [Said], round: (u32, u32), what: &'a What) -> impl Iterator<Item = &'a Said> {
    said.iter().filter(move |said| (said.round.round, said.round.attempt) == round && said.what == *what)
}

/// The round and attempt of a duty.
pub(crate) fn round_of(duty: &v1::Duty) -> RoundId {
    let round = duty.round.as_ref().unwrap();
    RoundId { round: round.round, attempt: round.attempt }
}
