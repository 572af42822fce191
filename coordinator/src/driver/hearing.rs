//! Hearing: decided in the order in which it came, stored, then counted.
//!
//! What is said while the ledger is being written waits. Once it is written, all that waits for one place is written at once: each
//! entry is as if it had come alone, and a hundred institutions that answer at one moment do not wait for a hundred writes.

use std::collections::VecDeque;
use std::slice;
use std::sync::{Mutex as StdMutex, PoisonError};

use syndic_round::coordinator::Input;
use syndic_round::{JobId, Place, Rejection, Sum, Timestamp};
use tokio::sync::oneshot;

use super::opening::well_formed;
use super::{Coordinator, CoordinatorError, Inner, State, joined};
use crate::clock;
use crate::engine::{After, Decided, Draft};
use crate::store::Lease;

/// What was said and is not decided yet, in the order in which it came.
#[derive(Default)]
pub(super) struct Unheard(StdMutex<VecDeque<Said>>);

/// What somebody said where, and waits for an answer to.
struct Said {
    job: JobId,
    place: Place,
    input: Input,
    answer: oneshot::Sender<Result<bool, CoordinatorError>>,
}

impl Coordinator {
    /// Takes one input of a round or of a preparation made ahead: decided, stored, then counted. Answers whether it was
    /// new.
    ///
    /// # Errors
    /// [`CoordinatorError::Rejected`] when it is the sender's fault; anything else is ours.
    pub async fn hear(
        &self,
        job: &JobId,
        place: impl Into<Place>,
        input: Input,
    ) -> Result<bool, CoordinatorError> {
        let (answer, mut answered) = oneshot::channel();
        let said = Said { job: job.clone(), place: place.into(), input, answer };
        self.inner.unheard.lock().push_back(said);
        let inner = self.inner.clone();
        // A task of its own: a caller that hangs up must not leave an append without its answer.
        joined(tokio::spawn(async move {
            let mut state = tokio::select! {
                biased;
                // Heard with others.
                answer = &mut answered => return answer.unwrap_or(Err(CoordinatorError::Stopped)),
                state = inner.state.lock() => state,
            };
            loop {
                match answered.try_recv() {
                    Err(oneshot::error::TryRecvError::Empty) => inner.hear_those_first(&mut state).await,
                    answer => return answer.unwrap_or(Err(CoordinatorError::Stopped)),
                }
            }
        }))
        .await
    }
}

impl Unheard {
    /// Those that were said in the place of the first of all, in the order in which they came.
    fn first(&self) -> Vec<Said> {
        let mut unheard = self.lock();
        let Some(first) = unheard.pop_front() else { return Vec::new() };
        let (mut heard, mut others) = (vec![first], VecDeque::new());
        for said in unheard.drain(..) {
            let is_there = said.job == heard[0].job && said.place == heard[0].place;
            match is_there && heard.len() < MOST_AT_ONCE {
                true => heard.push(said),
                false => others.push_back(said),
            }
        }
        *unheard = others;
        heard
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hears, and answers, what was said first, together with what was said in the same place since.
    async fn hear_those_first(&self, state: &mut State) {
        let said = self.unheard.first();
        let Some(Said { job, place, .. }) = said.first() else { return };
        let together = match &said[..] {
            [_] => Ok(Vec::new()),
            _ => {
                let inputs: Vec<Input> = said.iter().map(|said| said.input.clone()).collect();
                self.take(state, (job, *place), &inputs, None, None).await
            }
        };
        // One learns what became of the write; the others, that nothing is decided any more. Where nothing was written each is heard
        // alone.
        let (taken, mut failed) = match together {
            Ok(taken) => (taken, None),
            Err(error) => (Vec::new(), state.stopped.then_some(error)),
        };
        for (number, Said { job, place, input, answer }) in said.into_iter().enumerate() {
            let heard = match (failed.take(), taken.get(number)) {
                (Some(error), _) => Err(error),
                (None, Some(Ok(is_new))) => Ok(*is_new),
                // Alone, or refused as things stand here.
                (None, _) => self.hear(state, &job, place, input, None, None).await,
            };
            // Who has hung up asks again.
            let _ = answer.send(heard);
        }
    }

    /// Takes an input; where it is refused, or another replica was faster, once more by the state as it is stored.
    pub(super) async fn hear(
        &self,
        state: &mut State,
        job: &JobId,
        place: Place,
        input: Input,
        sum: Option<&Sum>,
        under: Option<&Lease>,
    ) -> Result<bool, CoordinatorError> {
        let mut is_current = self.replica.is_none();
        loop {
            let taken = self.take(state, (job, place), slice::from_ref(&input), sum, under).await;
            match taken.map(|mut taken| taken.pop().unwrap_or(Ok(false))) {
                Ok(Ok(is_new)) => return Ok(is_new),
                Ok(Err(_)) if !is_current => is_current = true,
                Ok(Err(rejection)) => {
                    if let (Rejection::Equivocated { .. }, Some((kind, signed))) =
                        (&rejection, input.message())
                    {
                        self.keep_evidence(state, job, place, kind, signed).await?;
                    }
                    return Err(rejection.into());
                }
                Err(error) if self.was_overtaken(&error) => {}
                Err(error) => return Err(error),
            }
            self.catch_up(state).await?;
        }
    }

    /// Takes inputs one after the other, and stores all that follows from them at once. Of each, whether it was new.
    async fn take(
        &self,
        state: &mut State,
        (job, place): (&JobId, Place),
        inputs: &[Input],
        sum: Option<&Sum>,
        under: Option<&Lease>,
    ) -> Result<Vec<Result<bool, Rejection>>, CoordinatorError> {
        let now = clock::now();
        let (mut taken, mut facts, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        let mut draft = state.engine.draft(job, place);
        for input in inputs {
            let decided = decide(&draft, now, input);
            taken.push(decided.as_ref().map(Option::is_some).map_err(Clone::clone));
            if let Ok(Some(Decided { facts: its, after })) = decided {
                if inputs.len() > 1 {
                    draft.take(now, after.clone());
                }
                steps.push((facts.len()..facts.len() + its.len(), after));
                facts.extend(its);
            }
        }
        if facts.is_empty() {
            return Ok(taken);
        }
        state.count_uploads(job, &mut facts);
        // If we crash here none of it ever happened: nothing is stored, and the senders say it again.
        self.append(state, now, &facts, under).await?;
        // If we crash here all of it is stored, and replay counts it; its senders are told when they ask again.
        for (its, after) in steps {
            let before = state.engine.open_round(job, place.round()).cloned();
            let advanced = state.engine.advance(now, job, after.clone(), sum);
            // What is stored and does not count is a bug: nothing is decided on what may be wrong.
            state.stopped = advanced.is_err();
            advanced.map_err(CoordinatorError::Fold)?;
            match (before, after) {
                (Some(before), After::Round(next)) => {
                    self.tell_heard(state, &before, &next, &facts[its], now)
                }
                (_, After::Ahead(next)) => self.tell_ahead(state, job, &next, &facts[its]),
                (None, After::Round(_)) => {}
            }
        }
        self.tick();
        Ok(taken)
    }
}

/// What an input leads to; none where it changes nothing.
pub(super) fn decide(draft: &Draft<'_>, now: Timestamp, input: &Input) -> Result<Option<Decided>, Rejection> {
    let decided = draft.decide(now, input.clone())?;
    // The signature is verified by now, so what is decoded here is its sender's own.
    if decided.is_some() {
        well_formed(draft.open().map(|open| &open.round), input)?;
    }
    Ok(decided)
}

/// Inputs that are stored at once at most. Who waits behind more waits for another write.
const MOST_AT_ONCE: usize = 256;
