//! One round in play: what a step of the program says, done with everybody's keys.

use syndic_round::coordinator::{Duty, Input, Round, Upload};
use syndic_round::message::{Context, Decline, Void};
use syndic_round::{Cohort, Digest, ParticipantId, RoundId, RoundPlan, Timestamp};

use super::alter::{alter, disguised, forged, own_event, pick, with_message};
use super::watch::{Watch, fingerprint};
use crate::federation::{FEDERATION, N, id, upload_of};

/// What a step does: its first byte, modulo seventeen.
pub(super) const ONE: u8 = 0;
pub(super) const EVERYBODY: u8 = 1;
pub(super) const DEADLINE: u8 = 2;
pub(super) const LATER: u8 = 3;
pub(super) const RESTART: u8 = 4;
pub(super) const REPEAT: u8 = 5;
pub(super) const ALTER: u8 = 6;
pub(super) const FORGE: u8 = 7;
pub(super) const DECLINE: u8 = 8;
pub(super) const VOID: u8 = 9;
pub(super) const REVEAL: u8 = 10;
pub(super) const CERTIFY: u8 = 11;
pub(super) const OWN_EVENT: u8 = 12;
pub(super) const FOREIGN_MESSAGE: u8 = 13;
pub(super) const DISGUISE: u8 = 14;
pub(super) const IMPERSONATE: u8 = 15;
pub(super) const HEADER: u8 = 16;

pub(super) struct Play {
    plan: RoundPlan,
    round: Round,
    now: Timestamp,
    /// What changed the round, as the ledger would keep it.
    record: Vec<(Timestamp, Input)>,
    /// Everything that was ever handed in.
    said: Vec<Input>,
    watch: Watch,
}

impl Play {
    pub(super) fn open(attempt: u32) -> Self {
        let plan = FEDERATION.plan(attempt);
        let round = open(&plan);
        let watch = Watch::default();
        Self { plan, round, now: START, record: Vec::new(), said: Vec::new(), watch }
    }

    pub(super) fn said(&self) -> &[Input] {
        &self.said
    }

    #[cfg(test)]
    pub(super) fn round(&self) -> &Round {
        &self.round
    }

    /// Does one step.
    pub(super) fn act(&mut self, [what, who, a, b, c, d]: [u8; 6], foreign: &[Input]) {
        let me = id(1 + u16::from(who) % N);
        match what % 17 {
            ONE => self.hand_in_all(self.owed(me, a)),
            EVERYBODY => (1..=N).for_each(|number| self.hand_in_all(self.owed(id(number), 0))),
            DEADLINE => {
                self.now = self.round.wake_at().unwrap_or(self.now).max(self.now).plus_millis(a.into());
                self.hand_in(Input::Wake);
            }
            LATER => {
                self.now = self.now.plus_millis(u64::from(a) << (b % 56));
                self.hand_in(Input::Wake);
            }
            RESTART => self.hand_in(Input::Resume),
            REPEAT => self.hand_in_all(pick(&self.said, a, b)),
            ALTER => {
                let honest = self.owed(me, 0).or_else(|| pick(&self.said, a, d));
                self.hand_in_all(honest.map(|input| with_message(input, |signed| alter(signed, a, b, c))));
            }
            FORGE => {
                let honest = self.owed(me, 0).or_else(|| pick(&self.said, a, d));
                self.hand_in_all(
                    honest.map(|input| forged(input, [a, b, c], self.first_context(), self.context())),
                );
            }
            DECLINE => {
                let reason = ["policy.purpose", "data", "x"][usize::from(a) % 3].to_owned();
                let round = self.round_id(b);
                let decline = Decline { id: me, round, reason };
                self.hand_in(Input::Decline(FEDERATION.sign(&decline, self.first_context())));
            }
            VOID => {
                let void = Void { id: me, round: self.round_id(a) };
                self.hand_in(Input::Void(FEDERATION.sign(&void, self.context())));
            }
            REVEAL => self.say_of_set(a, |cohort, set| {
                Input::Reveal(FEDERATION.reveal(cohort, set, me, usize::from(b) * 16))
            }),
            CERTIFY => {
                self.say_of_set(a, |cohort, set| Input::Certify(FEDERATION.certify(cohort, set, me)));
            }
            OWN_EVENT => self.hand_in(own_event(a, me)),
            FOREIGN_MESSAGE => self.hand_in_all(pick(foreign, a, b)),
            DISGUISE => {
                let said = pick(&self.said, a, c).or_else(|| self.owed(me, 0));
                self.hand_in_all(said.and_then(|input| disguised(&input, b, &self.plan)));
            }
            IMPERSONATE => {
                let other = id(1 + u16::from(a) % N);
                let honest = self.owed(me, 0);
                self.hand_in_all(honest.map(|input| with_message(input, |signed| signed.from = other)));
            }
            _ => self.submit_another(me, a, b),
        }
    }

    /// What `me` owes now, said honestly; `complaint` names a dealer whose share it calls bad.
    fn owed(&self, me: ParticipantId, complaint: u8) -> Option<Input> {
        let round = &self.round;
        let cohort = || round.phase().cohort();
        Some(match round.duty_of(me)? {
            Duty::Advertise => Input::Advertise(FEDERATION.advertise(&self.plan, me)),
            Duty::Deal(cohort) => {
                let (signed, bundle) = FEDERATION.deal(&self.plan, &cohort, me);
                Input::Deal(signed, bundle)
            }
            Duty::Acknowledge(cohort, dealt) => {
                Input::Acknowledge(FEDERATION.acknowledge(&cohort, &dealt, me, complaint.into()))
            }
            Duty::Submit(_) => {
                let upload = upload_of(&self.plan, me);
                Input::Submit(FEDERATION.header(&self.plan, cohort()?, me, upload.root), upload)
            }
            Duty::Certify(set) => Input::Certify(FEDERATION.certify(cohort()?, set.digest(), me)),
            Duty::Reveal(certificate) => {
                let set = certificate.survivors().digest();
                Input::Reveal(FEDERATION.reveal(cohort()?, set, me, 64))
            }
            Duty::Void(cohort) => {
                Input::Void(FEDERATION.sign(&Void { id: me, round: self.plan.id }, cohort.context()))
            }
        })
    }

    /// A message about the survivor set, or about another of the same members.
    fn say_of_set(&mut self, other: u8, say: impl Fn(&Cohort, Digest) -> Input) {
        let set = self.watch.survivors().filter(|_| other.is_multiple_of(2)).unwrap_or(Digest([other; 32]));
        let input = self.round.phase().cohort().map(|cohort| say(cohort, set));
        self.hand_in_all(input);
    }

    /// An upload of another length or root than its header says, or another update than before.
    fn submit_another(&mut self, me: ParticipantId, a: u8, b: u8) {
        let Some(cohort) = self.round.phase().cohort() else { return };
        let upload = upload_of(&self.plan, me);
        let root = if a.is_multiple_of(2) { upload.root } else { Digest([b; 32]) };
        let header = FEDERATION.header(&self.plan, cohort, me, root);
        let upload = Upload { chunks: upload.chunks + u32::from(a / 2), ..upload };
        self.hand_in(Input::Submit(header, upload));
    }

    fn hand_in_all(&mut self, input: impl IntoIterator<Item = Input>) {
        input.into_iter().for_each(|input| self.hand_in(input));
    }

    /// Steps the round, and checks what must hold whatever the input.
    fn hand_in(&mut self, input: Input) {
        let judged = match &input {
            Input::Submit(signed, _) => Some(self.round.judge_header(self.now, signed)),
            _ => None,
        };
        // Printing a round takes longer than deciding, and its type has no room for a change behind a shared
        // reference, so this is looked at now and then.
        let before = self.said.len().is_multiple_of(16).then(|| fingerprint(&self.round));
        let step = self.round.step(self.now, &input);
        assert!(before.is_none_or(|before| before == fingerprint(&self.round)), "deciding changed the round");
        match (judged, &step) {
            (Some(Err(early)), Err(late)) => assert_eq!(early, *late, "a header is judged in two ways"),
            (Some(Err(early)), Ok(_)) => panic!("a header refused for {early} was accepted"),
            (Some(Ok(None)), step) => assert!(step.as_ref().is_ok_and(|step| !step.changed)),
            _ => {}
        }
        match step {
            Ok(step) if step.changed => {
                self.round = step.next;
                self.watch.changed(&self.round, &input, self.now);
                self.record.push((self.now, input.clone()));
                let again = input.message().map(|_| self.round.step(self.now, &input));
                assert!(
                    again.is_none_or(|again| again.is_ok_and(|again| !again.changed)),
                    "said again: {input:?}"
                );
            }
            Ok(step) => {
                assert_eq!(fingerprint(&step.next), fingerprint(&self.round), "unchanged means unchanged");
            }
            Err(rejection) => assert!(rejection.code().contains('.')),
        }
        if self.said.len() < 256 {
            self.said.push(input);
        }
    }

    /// The record alone leads to the same round.
    pub(super) fn check_replay(&self) {
        let replayed = self.record.iter().fold(open(&self.plan), |round, (now, input)| {
            let step = round.step(*now, input).expect("it was accepted before");
            assert!(step.changed, "only changes are recorded");
            step.next
        });
        assert_eq!(fingerprint(&replayed), fingerprint(&self.round), "the record leads elsewhere");
    }

    fn round_id(&self, other: u8) -> RoundId {
        let RoundId { round, attempt } = self.plan.id;
        RoundId { round, attempt: attempt + u32::from(other % 3) }
    }

    fn first_context(&self) -> Context {
        Context { ctx0: self.plan.context(), h1: None }
    }

    fn context(&self) -> Context {
        self.round.phase().cohort().map_or(self.first_context(), Cohort::context)
    }
}

fn open(plan: &RoundPlan) -> Round {
    Round::open(plan.clone(), FEDERATION.roster.clone(), START).expect("the plan suits the roster")
}

/// When every round opens.
const START: Timestamp = Timestamp(1_000_000);
