//! A federation on this host, with keys and certificates of its own, and the plan of its one round.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use rand::rngs::StdRng;
use syndic_coordinator::authority::Validity;
use syndic_coordinator::tls::{self, Incoming, Limits};
use syndic_participant::enrol::{Enrolment, RosterReview};
use syndic_participant::keys::Keys;
use syndic_round::enrolment::Address;
use syndic_round::participant::Accepted;
use syndic_round::{
    Admission, Carrier, Deadlines, Digest, JobId, PreparationTerms, Protection, RoundId, RoundPlan,
    SealedRoster, Timestamp,
};

use crate::{Failure, Workload};

/// A federation that is ready to meet.
pub(crate) struct Federation {
    pub(crate) incoming: Incoming,
    pub(crate) roster: SealedRoster,
    pub(crate) ledger_key: SigningKey,
    pub(crate) enrolments: Vec<Enrolment>,
    pub(crate) plan: RoundPlan,
}

impl Federation {
    /// Founds one, in the steps of real hosts.
    pub(crate) async fn found(workload: &Workload) -> Result<Self, Failure> {
        let listener = tls::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = Address { host: Ipv4Addr::LOCALHOST.to_string(), port: listener.local_addr()?.port() };
        let mut rng: StdRng = rand::make_rng();
        let mut federation =
            syndic_coordinator::federation::Federation::create("bench", vec![address], now(), &mut rng)?;
        let mut members = Vec::new();
        for number in 1..=workload.participants {
            let keys = Keys::generate(&format!("institution-{number}"), &mut rng)?;
            let validity = Validity::days(now(), 1);
            let bundle = federation.add_participant(&keys.signing_request()?, validity)?;
            members.push((keys, bundle));
        }
        let mut endorsements = Vec::new();
        for (keys, bundle) in &members {
            endorsements.push(RosterReview::new(keys, bundle, federation.roster())?.endorse());
        }
        let endorsed = federation.seal(endorsements)?;
        let identity = federation.into_identity();
        let roster = endorsed.verify()?;
        let enrolments = members
            .into_iter()
            .map(|(keys, bundle)| Enrolment::new(keys, bundle, roster.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            incoming: tls::accept(listener, &identity, Limits::default())?,
            ledger_key: identity.ledger_key().clone(),
            plan: plan(workload, &roster)?,
            enrolments,
            roster,
        })
    }
}

fn plan(workload: &Workload, roster: &SealedRoster) -> Result<RoundPlan, Failure> {
    let terms = PreparationTerms {
        federation: roster.roster().federation.clone(),
        roster: roster.digest(),
        job: JobId::new("bench").ok_or("the name keeps the rule")?,
        agreement: Digest::of(b"the measured job"),
        number: 1,
        protection: Protection::default_for(workload.parameter_set, workload.participants)?,
        admitted: roster.roster().members.iter().map(|member| member.id).collect(),
        deadlines: DEADLINES,
    };
    Ok(RoundPlan {
        terms,
        id: RoundId { round: 1, attempt: 1 },
        question: Digest::of(QUESTION),
        layout: workload.layout.clone(),
        carrier: Carrier::Ring,
    })
}

/// The job as all accepted it, which is that of the terms.
pub(crate) fn accepted(terms: &PreparationTerms) -> Accepted {
    Accepted {
        job: terms.job.clone(),
        agreement: terms.agreement,
        protection: terms.protection,
        admission: Admission::of_all(terms.admitted.clone()),
        deadlines: terms.deadlines,
    }
}

/// The clock of both roles.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The question's bytes.
pub(crate) const QUESTION: &[u8] = b"the measured question";

/// Beyond what any measurement takes: phases end when all were heard.
const DEADLINES: Deadlines = {
    let hour = 3_600_000;
    Deadlines { advertise: hour, share: hour, collect: hour, certify: hour, reveal: hour }
};
