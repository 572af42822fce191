//! Reading: the fact that an entry records, or none where this version cannot have written it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use syndic_learning::promotion::Figures;
use syndic_learning::staged::{STAGED, Staged};
use syndic_ledger::Entry;
use syndic_round::message::Kind;
use syndic_round::{Digest, JobId, Place, PreparationTerms, RoundId, RoundPlan, Signed};

use super::beside::{Beside, phases};
use super::compared::{COMPLETED, JobCompared};
use super::connected::{self, Connected};
use super::coordinator::{self, Started, Stopped};
use super::described::JobDescribed;
use super::drifted::{self, JobDrift};
use super::erased::{self, UpdatesErased};
use super::governance::{Cause, Priority};
use super::inputs::read_input;
use super::opened::excused;
use super::refused::{self, Refused};
use super::{AdmissionChanged, Fact, UnreadableFact, admission};
use crate::engine::Attendance;
use crate::missing::Missing;

impl Fact {
    /// The fact that an entry records.
    ///
    /// # Errors
    /// [`UnreadableFact`] for an entry of our types that this version cannot have written.
    pub fn from_entry(index: u64, entry: &Entry) -> Result<Self, UnreadableFact> {
        Self::read(entry).ok_or_else(|| UnreadableFact { index, kind: entry.kind.clone() })
    }

    fn read(entry: &Entry) -> Option<Self> {
        let data = &entry.data;
        let text = |key: &str| data.get(key)?.as_str().map(String::from);
        let digest = |key: &str| Digest::from_hex(data.get(key)?.as_str()?);
        let count = |key: &str| u32::try_from(data.get(key)?.as_u64()?).ok();
        let job = || JobId::new(data.get("job")?.as_str()?);
        let round = || Some(RoundId { round: count("round")?, attempt: count("attempt")? });
        let number = || data.get("preparation")?.as_u64();
        let missing = || -> Option<Vec<Missing>> {
            data.get("missing")?.as_array()?.iter().map(Missing::from_json).collect()
        };
        let place = || match entry.kind.starts_with(PREPARATION) {
            true => number().map(Place::Ahead),
            false => round().map(Place::Round),
        };
        Some(match entry.kind.as_str() {
            "syndic.roster.sealed" => Self::RosterSealed {
                federation: text("federation")?,
                digest: digest("digest")?,
                blob: digest("blob")?,
            },
            coordinator::STARTED => Self::CoordinatorStarted(Box::new(Started::read(data)?)),
            coordinator::STOPPED => Self::CoordinatorStopped(Stopped::read(data)?),
            connected::CONNECTED => Self::Connected(Box::new(Connected::read(data)?)),
            refused::REFUSED => Self::Refused(Refused::read(data)?),
            admission::CHANGED => Self::AdmissionChanged(Box::new(AdmissionChanged::read(data)?)),
            "syndic.job.agreed" => Self::JobAgreed {
                job: job()?,
                file: text("file")?,
                priority: Priority::read(data)?,
                by: text("by")?,
            },
            STAGED => Self::ModelStaged(Box::new(Staged::from_data(data)?)),
            erased::ERASED => Self::UpdatesErased(Box::new(UpdatesErased::read(data)?)),
            "syndic.job.paused" => Self::JobPaused { job: job()?, cause: Cause::read(data)? },
            "syndic.job.resumed" => Self::JobResumed { job: job()?, cause: Cause::read(data)? },
            "syndic.job.stopped" => Self::JobStopped { job: job()?, cause: Cause::read(data)? },
            "syndic.job.prioritised" => Self::JobPrioritised {
                job: job()?,
                priority: Priority::read(data)?,
                cause: Cause::read(data)?,
            },
            "syndic.preparation.opened" => Self::PreparationOpened {
                terms: Box::new(PreparationTerms::from_bytes(&bytes(data, "terms")?).ok()?),
                excused: excused(data)?,
            },
            "syndic.preparation.ready" => Self::PreparationReady {
                job: job()?,
                number: number()?,
                eligible: serde_json::from_value(data.get("eligible")?.clone()).ok()?,
            },
            "syndic.preparation.abandoned" => {
                Self::PreparationAbandoned { job: job()?, number: number()?, reason: text("reason")? }
            }
            "syndic.round.opened" => Self::RoundOpened {
                plan: Box::new(RoundPlan::from_bytes(&bytes(data, "terms")?).ok()?),
                kind: text("kind")?,
                training_round: count("training_round"),
                absent: serde_json::from_value(data.get("absent")?.clone()).ok()?,
                excused: excused(data)?,
                lot: text("lot"),
            },
            "syndic.round.frozen" => Self::RoundFrozen {
                job: job()?,
                round: round()?,
                survivors: serde_json::from_value(data.get("survivors")?.clone()).ok()?,
                digest: digest("digest")?,
                missing: missing()?,
            },
            "syndic.round.equivocated" | "syndic.preparation.equivocated" => Self::Equivocated {
                job: job()?,
                place: place()?,
                kind: Kind::ALL.into_iter().find(|kind| Some(kind.name()) == text("kind").as_deref())?,
                message: Signed::from_bytes(&bytes(data, "message")?).ok()?,
            },
            "syndic.round.abandoned" => Self::RoundAbandoned {
                job: job()?,
                round: round()?,
                reason: text("reason")?,
                missing: missing()?,
                phases: phases(data)?,
            },
            "syndic.job.progress" => Self::JobProgress {
                job: job()?,
                training_round: count("training_round")?,
                metrics: data.get("metrics")?.clone(),
            },
            drifted::DRIFT => Self::JobDrift(Box::new(JobDrift::read(data)?)),
            COMPLETED if JobCompared::is_in(data) => Self::JobCompared(Box::new(JobCompared::read(data)?)),
            COMPLETED if data.get("statistics").is_some() => {
                Self::JobDescribed(Box::new(JobDescribed::read(data)?))
            }
            COMPLETED => Self::JobCompleted {
                job: job()?,
                released_round: count("released_round")?,
                model: digest("model")?,
                attendance: match data.get("attendance") {
                    None => None,
                    Some(attendance) => Some(Attendance::from_json(attendance)?),
                },
                figures: match data.get("figures") {
                    None => None,
                    Some(figures) => Some(read_figures(figures)?),
                },
            },
            "syndic.job.abandoned" => Self::JobAbandoned { job: job()?, reason: text("reason")? },
            kind => {
                let (input, survivors) = read_input(kind, data)?;
                let beside = Beside::read(data)?;
                Self::Heard { job: job()?, place: place()?, input, survivors, beside }
            }
        })
    }
}

/// Figures that an entry may have: at least one, and numbers.
fn read_figures(figures: &Value) -> Option<Figures> {
    let figures: Figures = serde_json::from_value(figures.clone()).ok()?;
    (!figures.is_empty() && figures.are_numbers()).then_some(figures)
}

pub(super) fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64.decode(data.get(key)?.as_str()?).ok()
}

/// With this begin the types of entries about preparations made ahead.
const PREPARATION: &str = "syndic.preparation.";
