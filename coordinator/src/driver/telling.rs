//! Telling watchers what is stored already.

use std::collections::BTreeMap;

use syndic_round::coordinator::{Input, Phase as RoundPhase, Preparation, Round};
use syndic_round::message::Kind;
use syndic_round::{JobId, ParticipantId, Timestamp};
use tracing::{debug, info, warn};

use super::{Inner, State};
use crate::engine::{JobState, Open};
use crate::event::{Did, Event, Missing, Phase, Told};
use crate::fact::Fact;

/// Bytes that the round in progress has received so far.
#[derive(Clone, Default)]
pub(super) struct Tally {
    uploads: u64,
    key_shares: u64,
    /// Key shares of the preparation that is made ahead of the next round.
    ahead: u64,
    /// How often each participant began to upload its update.
    begun: BTreeMap<ParticipantId, u32>,
}

impl State {
    /// An upload to the round in progress begins.
    pub(super) fn upload_begins(&mut self, job: &JobId, from: ParticipantId) {
        let begun = self.tallies.entry(job.clone()).or_default().begun.entry(from).or_default();
        *begun = begun.saturating_add(1);
    }

    /// Notes beside an update that came how often its upload was begun.
    pub(super) fn count_uploads(&self, job: &JobId, facts: &mut [Fact]) {
        for fact in facts {
            if let Fact::Heard { input: Input::Submit(signed, _), beside, .. } = fact {
                let tally = self.tallies.get(job);
                beside.begun = tally.and_then(|tally| tally.begun.get(&signed.from).copied());
            }
        }
    }
}

impl Inner {
    /// Tells what happened to a job.
    pub(super) fn tell(&self, job: &JobId, event: Event) {
        log(job, &event);
        // An error means that nobody watches.
        let _ = self.events.send(Told { job: Some(job.clone()), event });
    }

    /// Tells who came or went.
    pub(super) fn tell_connection(&self, participant: &str, connected: bool) {
        match connected {
            true => info!(participant, "connected"),
            false => info!(participant, "disconnected"),
        }
        let event = Event::Connection { participant: participant.into(), connected };
        let _ = self.events.send(Told { job: None, event });
    }

    pub(super) fn tell_started(&self, state: &State, id: &JobId) {
        let Some(job) = state.engine.job(id) else { return };
        let roster = state.engine.roster().roster();
        let started = Event::JobStarted {
            admitted: job.terms.protection.admitted(),
            job: job.id.to_string(),
            rounds: job.training_rounds(),
            participants: roster.members.iter().map(|member| member.name.clone()).collect(),
            threshold: job.terms.protection.threshold(),
            parameter_set: job.terms.protection.parameter_set().name(),
            small_vectors: job.job.protection.small_vectors,
        };
        self.tell(id, started);
    }

    pub(super) fn tell_opened(&self, state: &mut State, job: &JobId, opened: Event) {
        let Some(open) = state.engine.job(job).and_then(JobState::round) else { return };
        let is_prepared = !matches!(open.round.phase(), RoundPhase::Preparing(_));
        state.tallies.entry(job.clone()).or_default().begin(is_prepared);
        self.tell(job, opened);
        self.tell_phase(&open.round);
    }

    /// A preparation made ahead shows in the log alone: it belongs to no round yet.
    pub(super) fn tell_ahead(&self, state: &mut State, job: &JobId, next: &Preparation, facts: &[Fact]) {
        let number = next.terms().number;
        for fact in facts {
            match fact {
                Fact::Heard { input, .. } => {
                    state.tallies.entry(job.clone()).or_default().count_ahead(input);
                    if let Input::Acknowledge(signed) = input {
                        self.lock_present().holds(signed.from, job, number);
                    }
                    if let Some((kind, signed)) = input.message() {
                        let participant = name(state, signed.from);
                        debug!(%job, preparation = number, participant, kind = kind.name(), "heard ahead");
                    }
                }
                Fact::PreparationReady { eligible, .. } => {
                    debug!(%job, preparation = number, eligible = eligible.len(), "a preparation is ready");
                }
                Fact::PreparationAbandoned { reason, .. } => {
                    warn!(%job, preparation = number, reason, "a preparation made ahead came to nothing");
                }
                _ => {}
            }
        }
    }

    pub(super) fn tell_heard(
        &self,
        state: &mut State,
        before: &Open,
        next: &Round,
        facts: &[Fact],
        now: Timestamp,
    ) {
        let (job, id) = (&next.plan().terms.job, next.plan().id);
        for fact in facts {
            match fact {
                Fact::Heard { input, .. } => {
                    if let Input::Acknowledge(signed) = input {
                        self.lock_present().holds(signed.from, job, next.plan().terms.number);
                    }
                    let tally = state.tallies.entry(job.clone()).or_default();
                    if let Some((from, did, bytes)) = tally.count(next, input) {
                        let participant = name(state, from);
                        self.tell(job, Event::Progress { id, participant, did, bytes });
                    }
                }
                Fact::RoundAbandoned { reason, .. } => {
                    self.tell(job, Event::RoundAbandoned { id, reason: reason.clone() });
                }
                _ => {}
            }
        }
        if let (RoundPhase::Preparing(_), RoundPhase::Collecting(_)) = (before.round.phase(), next.phase()) {
            self.note_the_silent(next);
        }
        if let RoundPhase::Closed(closed) = next.phase() {
            let survivors = closed.survivors.ids();
            let carrier = next.plan().carrier;
            let missing = before.missing.iter().map(|missing| Missing {
                participant: name(state, missing.participant),
                reason: missing.reason(carrier),
            });
            let tally = state.tallies.get(job).cloned().unwrap_or_default();
            let closed = Event::RoundClosed {
                id,
                kind: before.kind,
                survivors: survivors.iter().map(|id| name(state, *id)).collect(),
                missing: missing.collect(),
                checked: closed.opened.checked,
                millis: now.0.saturating_sub(before.opened_at.0),
                wrong_reveals: closed.opened.wrong_reveals.iter().map(|id| name(state, *id)).collect(),
                upload_bytes: tally.uploads,
                key_share_bytes: tally.key_shares,
            };
            self.tell(job, closed);
        } else if Phase::of(before.round.phase()) != Phase::of(next.phase()) {
            self.tell_phase(next);
        }
    }

    /// Who has not acknowledged what the round prepared for itself, when that was over.
    pub(super) fn note_the_silent(&self, round: &Round) {
        let mut present = self.lock_present();
        for id in &round.plan().terms.admitted {
            let kept_up = matches!(round.last_heard(*id), Some(Kind::Ack));
            if !kept_up && !round.declined().contains_key(id) {
                present.fell_silent(*id, &round.plan().terms.job);
            }
        }
    }

    fn tell_phase(&self, round: &Round) {
        let (Some(phase), Some(deadline_millis)) = (Phase::of(round.phase()), round.phase_millis()) else {
            return;
        };
        self.tell(&round.plan().terms.job, Event::Phase { id: round.plan().id, phase, deadline_millis });
    }
}

/// The operator's log: what a round came to at `info`, or `warn` where somebody is missing; each step of it at `debug`.
fn log(job: &JobId, event: &Event) {
    match event {
        Event::Connection { .. } => {}
        Event::RoundOpened { id, kind, training_round, .. } => {
            info!(%job, round = %id, kind, training_round, "round opened");
        }
        Event::Phase { id, phase, deadline_millis } => {
            debug!(%job, round = %id, ?phase, deadline_millis, "phase begins");
        }
        Event::Progress { id, participant, did: Did::Declined(reason), .. } => {
            warn!(%job, round = %id, participant, reason, "declined");
        }
        Event::Progress { id, participant, did, bytes } => {
            debug!(%job, round = %id, participant, ?did, bytes, "heard")
        }
        Event::RoundClosed { id, kind, survivors, missing, millis, checked, .. } => {
            if !checked {
                warn!(%job, round = %id, "a single wrong reveal would not have been noticed: too few revealed");
            }
            let survivors = survivors.len();
            let missing: Vec<String> = missing
                .iter()
                .map(|Missing { participant, reason }| format!("{participant} {reason}"))
                .collect();
            match missing.join("; ") {
                nobody if nobody.is_empty() => {
                    info!(%job, round = %id, kind, survivors, millis, "round closed")
                }
                missing => {
                    warn!(%job, round = %id, kind, survivors, missing, millis, "round closed without all who were admitted");
                }
            }
        }
        Event::RoundAbandoned { id, reason } => warn!(%job, round = %id, reason, "round abandoned"),
        Event::Metrics { training_round, rows, roc_auc, pr_auc, log_loss } => {
            info!(%job, training_round, rows, roc_auc, pr_auc, log_loss, "metrics");
        }
        Event::JobStarted { rounds, .. } => info!(%job, rounds, "job agreed"),
        Event::JobCompleted { warnings, .. } if warnings.is_empty() => info!(%job, "job completed"),
        Event::JobCompleted { warnings, .. } => {
            warn!(%job, warnings = warnings.join("; "), "job completed, with warnings");
        }
        Event::JobAbandoned { reason, .. } => warn!(%job, reason, "job abandoned"),
        Event::JobStopped { reason, .. } => warn!(%job, reason, "job stopped"),
        Event::JobPaused { reason, .. } => info!(%job, reason, "job paused"),
        Event::JobResumed { reason, .. } => info!(%job, reason, "job resumed"),
        Event::JobPrioritised { priority, .. } => info!(%job, priority = priority.get(), "job prioritised"),
    }
}

impl Tally {
    /// Begins to count for a new round, which may consume the preparation that was made ahead.
    fn begin(&mut self, is_prepared: bool) {
        *self = Self { key_shares: if is_prepared { self.ahead } else { 0 }, ..Self::default() };
    }

    fn count_ahead(&mut self, input: &Input) {
        if let Input::Deal(_, bundle) = input {
            self.ahead += bundle.bytes;
        }
    }

    fn count(&mut self, next: &Round, input: &Input) -> Option<(ParticipantId, Did, u64)> {
        let bytes = |signed: &syndic_round::Signed| signed.payload.len() as u64;
        Some(match input {
            Input::Advertise(signed) => (signed.from, Did::Advertised, bytes(signed)),
            Input::Deal(signed, bundle) => {
                self.key_shares += bundle.bytes;
                (signed.from, Did::Shared, bytes(signed) + bundle.bytes)
            }
            Input::Acknowledge(signed) => (signed.from, Did::Acknowledged, bytes(signed)),
            Input::Submit(signed, upload) => {
                self.uploads += upload.bytes;
                (signed.from, Did::Submitted, bytes(signed) + upload.bytes)
            }
            Input::Certify(signed) => (signed.from, Did::Certified, bytes(signed)),
            Input::Reveal(signed) => (signed.from, Did::Revealed, bytes(signed)),
            Input::Void(signed) => (signed.from, Did::Voided, bytes(signed)),
            Input::Decline(signed) => {
                let reason = next.declined().get(&signed.from).cloned().unwrap_or_default();
                (signed.from, Did::Declined(reason), bytes(signed))
            }
            Input::Wake | Input::Resume | Input::Opened(_) | Input::MoreReveals(_) => return None,
            Input::SumRefused(_) | Input::Stop(_) => return None,
        })
    }
}

fn name(state: &State, id: ParticipantId) -> String {
    let member = state.engine.roster().member(id);
    member.map_or_else(|| id.to_string(), |member| member.name.clone())
}
