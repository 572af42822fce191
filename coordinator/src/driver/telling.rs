//! Telling watchers what is stored already.

use syndic_round::coordinator::{Input, Phase as RoundPhase, Preparation, Preparing, Round};
use syndic_round::message::Kind;
use syndic_round::{Carrier, ParticipantId, Timestamp};
use tracing::{debug, info, warn};

use super::{Inner, State};
use crate::engine::{JobState, Open};
use crate::event::{Did, Event, Missing, Phase};
use crate::fact::Fact;

/// Bytes that the round in progress has received so far.
#[derive(Default)]
pub(super) struct Tally {
    uploads: u64,
    key_shares: u64,
    /// Key shares of the preparation that is made ahead of the next round.
    ahead: u64,
}

impl Inner {
    pub(super) fn tell(&self, event: Event) {
        log(&event);
        // An error means that nobody watches.
        let _ = self.events.send(event);
    }

    pub(super) fn tell_started(&self, state: &State) {
        let Some(job) = state.engine.job() else { return };
        let roster = state.engine.roster().roster();
        self.tell(Event::JobStarted {
            job: job.id.to_string(),
            rounds: job.training_rounds(),
            participants: roster.members.iter().map(|member| member.name.clone()).collect(),
            threshold: job.terms.protection.threshold(),
            parameter_set: job.terms.protection.parameter_set().name(),
            small_vectors: job.job.protection.small_vectors,
        });
    }

    pub(super) fn tell_opened(&self, state: &mut State, opened: Event) {
        let job = state.engine.job().and_then(JobState::round);
        let is_prepared = job.is_some_and(|open| !matches!(open.round.phase(), RoundPhase::Preparing(_)));
        state.tally.begin(is_prepared);
        self.tell(opened);
        if let Some(open) = state.engine.job().and_then(JobState::round) {
            self.tell_phase(&open.round);
        }
    }

    /// A preparation made ahead shows in the log alone: it belongs to no round yet.
    pub(super) fn tell_ahead(&self, state: &mut State, next: &Preparation, facts: &[Fact]) {
        let number = next.terms().number;
        for fact in facts {
            match fact {
                Fact::Heard { input, .. } => {
                    state.tally.count_ahead(input);
                    if let Input::Acknowledge(signed) = input {
                        self.lock_present().holds(signed.from, number);
                    }
                    if let Some((kind, signed)) = input.message() {
                        let participant = name(state, signed.from);
                        debug!(preparation = number, participant, kind = kind.name(), "heard ahead");
                    }
                }
                Fact::PreparationReady { eligible, .. } => {
                    debug!(preparation = number, eligible = eligible.len(), "a preparation is ready");
                }
                Fact::PreparationAbandoned { reason, .. } => {
                    warn!(preparation = number, reason, "a preparation made ahead came to nothing");
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
        let id = next.plan().id;
        for fact in facts {
            match fact {
                Fact::Heard { input, .. } => {
                    if let Input::Acknowledge(signed) = input {
                        self.lock_present().holds(signed.from, next.plan().terms.number);
                    }
                    if let Some((from, did, bytes)) = state.tally.count(next, input) {
                        let participant = name(state, from);
                        self.tell(Event::Progress { id, participant, did, bytes });
                    }
                }
                Fact::RoundAbandoned { reason, .. } => {
                    self.tell(Event::RoundAbandoned { id, reason: reason.clone() });
                }
                _ => {}
            }
        }
        if let (RoundPhase::Preparing(_), RoundPhase::Collecting(_)) = (before.round.phase(), next.phase()) {
            self.note_the_silent(next);
        }
        if let RoundPhase::Closed(closed) = next.phase() {
            let survivors = closed.survivors.ids();
            let missing = next.plan().terms.admitted.iter().filter(|id| !survivors.contains(id));
            self.tell(Event::RoundClosed {
                id,
                kind: before.kind,
                survivors: survivors.iter().map(|id| name(state, *id)).collect(),
                missing: missing.map(|id| missing_because(state, next, *id)).collect(),
                checked: closed.opened.checked,
                millis: now.0.saturating_sub(before.opened_at.0),
                wrong_reveals: closed.opened.wrong_reveals.iter().map(|id| name(state, *id)).collect(),
                upload_bytes: state.tally.uploads,
                key_share_bytes: state.tally.key_shares,
            });
        } else if phase_of(before.round.phase()) != phase_of(next.phase()) {
            self.tell_phase(next);
        }
    }

    /// Who has not acknowledged what the round prepared for itself, when that was over.
    fn note_the_silent(&self, round: &Round) {
        let mut present = self.lock_present();
        for id in &round.plan().terms.admitted {
            let kept_up = matches!(round.last_heard(*id), Some(Kind::Ack));
            if !kept_up && !round.declined().contains_key(id) {
                present.fell_silent(*id);
            }
        }
    }

    fn tell_phase(&self, round: &Round) {
        let (Some(phase), Some(deadline_millis)) = (phase_of(round.phase()), round.phase_millis()) else {
            return;
        };
        self.tell(Event::Phase { id: round.plan().id, phase, deadline_millis });
    }
}

/// The operator's log: what a round came to and who is missing at `info`, each step of it at `debug`.
fn log(event: &Event) {
    match event {
        Event::Connection { participant, connected: true } => info!(participant, "connected"),
        Event::Connection { participant, connected: false } => info!(participant, "disconnected"),
        Event::RoundOpened { id, kind, training_round, .. } => {
            info!(round = %id, kind, training_round, "round opened");
        }
        Event::Phase { id, phase, deadline_millis } => {
            debug!(round = %id, ?phase, deadline_millis, "phase begins");
        }
        Event::Progress { id, participant, did: Did::Declined(reason), .. } => {
            warn!(round = %id, participant, reason, "declined");
        }
        Event::Progress { id, participant, did, bytes } => {
            debug!(round = %id, participant, ?did, bytes, "heard")
        }
        Event::RoundClosed { id, kind, survivors, missing, millis, checked, .. } => {
            if !checked {
                warn!(round = %id, "a single wrong reveal would not have been noticed: too few revealed");
            }
            let missing: Vec<String> = missing
                .iter()
                .map(|Missing { participant, reason }| format!("{participant} {reason}"))
                .collect();
            let missing = missing.join("; ");
            info!(round = %id, kind, survivors = survivors.len(), missing, millis, "round closed");
        }
        Event::RoundAbandoned { id, reason } => warn!(round = %id, reason, "round abandoned"),
        Event::Metrics { training_round, rows, roc_auc, pr_auc, log_loss } => {
            info!(training_round, rows, roc_auc, pr_auc, log_loss, "metrics");
        }
        Event::JobStarted { job, rounds, .. } => info!(job, rounds, "job agreed"),
        Event::JobCompleted { job, .. } => info!(job, "job completed"),
        Event::JobAbandoned { job, reason } => warn!(job, reason, "job abandoned"),
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
            Input::Wake | Input::Resume | Input::Opened(_) | Input::MoreReveals(_) | Input::SumRefused(_) => {
                return None;
            }
        })
    }
}

fn phase_of(phase: &RoundPhase) -> Option<Phase> {
    match phase {
        RoundPhase::Preparing(Preparing::Advertising(_)) => Some(Phase::Advertise),
        RoundPhase::Preparing(Preparing::Sharing(_)) => Some(Phase::Share),
        RoundPhase::Preparing(Preparing::Acknowledging(_)) => Some(Phase::Acknowledge),
        RoundPhase::Collecting(_) => Some(Phase::Collect),
        RoundPhase::Certifying(_) => Some(Phase::Certify),
        RoundPhase::Revealing(_) => Some(Phase::Reveal),
        RoundPhase::Opening(_) | RoundPhase::Closed(_) | RoundPhase::Abandoned(_) => None,
    }
}

fn missing_because(state: &State, round: &Round, id: ParticipantId) -> Missing {
    let reason = match (round.declined().get(&id), round.last_heard(id)) {
        (Some(reason), _) => format!("declined: {reason}"),
        (None, last) => vanished(round.plan().carrier, last).into(),
    };
    Missing { participant: name(state, id), reason }
}

/// Why a participant is missing that was last heard so.
fn vanished(carrier: Carrier, last: Option<Kind>) -> &'static str {
    match (last, carrier) {
        (None, _) => "was not there when the round opened",
        (Some(Kind::Advertise), Carrier::Ring) => "vanished before it shared its key",
        (Some(Kind::Advertise), Carrier::Shares) => "vanished before it shared its update",
        (Some(Kind::Dealing), Carrier::Ring) => "vanished before it acknowledged the key shares",
        (Some(Kind::Dealing), Carrier::Shares) => "vanished before it acknowledged the shares of the updates",
        (Some(Kind::Ack), Carrier::Ring) => "vanished before it submitted its update",
        (Some(Kind::Ack), Carrier::Shares) => "vanished before it signed for its update",
        (Some(_), Carrier::Ring) => "its key shares were not held by enough others",
        (Some(_), Carrier::Shares) => "the shares of its update were not held by enough others",
    }
}

fn name(state: &State, id: ParticipantId) -> String {
    let member = state.engine.roster().member(id);
    member.map_or_else(|| id.to_string(), |member| member.name.clone())
}
