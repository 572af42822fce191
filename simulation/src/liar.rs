//! A lying coordinator: it has every message ever sent and the keys of corrupted participants, and shows to each honest
//! participant whatever it can construct.
//!
//! The honest ones are the participants of every run, with their journals. After each thing shown, what the liar has
//! got is judged by `Knowledge`; the first broken invariant is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::Bundle;
use syndic_round::message::{Ack, Certify, Context, Header, Kind, Payload, Reveal};
use syndic_round::{
    Carrier, Cohort, Digest, JobId, ParameterSet, ParticipantId, Protection, RoundId, RoundPlan, Signed,
};

use crate::engine::Engine;
use crate::federation::{Federation, slot_of};
use crate::knowledge::{Knowledge, Revealed};
use crate::offer::{Answer, Asked, Offer, Owed, Shown};
use crate::participant::{Journals, Participant};
use crate::report::Violation;
use crate::scenario::Shared;
use crate::shared;

/// A dealer's signed public part, and the share sealed for each member.
pub type Dealing = (Signed, Vec<(ParticipantId, Vec<u8>)>);

/// A preparation of one participant: its number in a job.
type Prepared = (ParticipantId, JobId, u64);

/// A lying coordinator and its victims, who all accepted three jobs: the one that everything is about; a lax one, which
/// admits the last three of them, of whom two open what is shared; and one whose places draw whom they admit by lot. What is
/// opened in the latter two is their own risk, and not judged.
pub struct Liar {
    pub(crate) federation: Federation,
    pub(crate) engine: Engine,
    corrupted: BTreeSet<ParticipantId>,
    honest: BTreeMap<ParticipantId, Participant>,
    snapshots: BTreeMap<ParticipantId, Journals>,
    pub(crate) rng: ChaCha20Rng,
    knowledge: Knowledge,
    /// Survivor sets that somebody honest signed: H1 and ids by digest.
    certified: BTreeMap<Digest, (Digest, Vec<ParticipantId>)>,
    revealed: BTreeMap<Prepared, Signed>,
    /// The attempt and question that each honest participant has used each preparation for.
    served: BTreeMap<Prepared, (RoundId, Digest)>,
    /// The sharings that each honest participant holds a good share of, by cohort.
    acknowledged: BTreeMap<(ParticipantId, Digest), BTreeSet<(ParticipantId, Digest)>>,
    /// The last sharing in each corrupted name, by cohort.
    pub(crate) forged: BTreeMap<(Digest, ParticipantId), Digest>,
    /// Who promised never to reveal in a cohort.
    gave_up: BTreeMap<Digest, BTreeSet<ParticipantId>>,
    violation: Option<Violation>,
    operations: Vec<String>,
}

/// A plan, and the bytes of the question that are shown with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The plan.
    pub plan: RoundPlan,
    /// The question's bytes.
    pub question: Vec<u8>,
    /// Whether only the plan's terms are shown, as those of a preparation made ahead.
    pub is_ahead: bool,
}

impl Ask {
    /// The preparation of this plan alone, shown ahead of the round.
    pub fn ahead(&self) -> Self {
        Self { is_ahead: true, ..self.clone() }
    }
}

impl Liar {
    /// A liar in a federation of `participants`, in league with these of them. All vectors are encrypted.
    pub fn new(seed: u64, engine: Engine, participants: u16, corrupted: &[u16]) -> Self {
        Self::with(seed, engine, participants, corrupted, Shared::Nothing)
    }

    /// The same where the vectors of the first job are shared themselves.
    pub fn sharing(seed: u64, engine: Engine, participants: u16, corrupted: &[u16]) -> Self {
        Self::with(seed, engine, participants, corrupted, Shared::Everything)
    }

    pub(crate) fn with(
        seed: u64,
        engine: Engine,
        participants: u16,
        corrupted: &[u16],
        shared: Shared,
    ) -> Self {
        let federation =
            Federation::of(seed, participants, ParameterSet::S32, shared).with_lax_job().with_job_by_lot();
        let corrupted: BTreeSet<_> = corrupted.iter().map(|number| id(*number)).collect();
        let honest = federation.ids().into_iter().filter(|id| !corrupted.contains(id));
        Self {
            engine,
            honest: honest.map(|id| (id, Participant::new(id, engine, Vec::new()))).collect(),
            snapshots: BTreeMap::new(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            knowledge: Knowledge::new(federation.protection, corrupted.clone()),
            federation,
            corrupted,
            certified: BTreeMap::new(),
            revealed: BTreeMap::new(),
            served: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            forged: BTreeMap::new(),
            gave_up: BTreeMap::new(),
            violation: None,
            operations: Vec::new(),
        }
    }

    /// The terms that every honest participant accepted.
    pub fn protection(&self) -> Protection {
        self.federation.protection
    }

    /// The plan that an honest coordinator would show.
    pub fn ask(&self, round: u32, attempt: u32, preparation: u64) -> Ask {
        self.ask_about(round, attempt, preparation, round, 0)
    }

    /// A plan for the question in place `slot` of the program, in some variant, under any numbers.
    pub fn ask_about(&self, round: u32, attempt: u32, preparation: u64, slot: u32, variant: u32) -> Ask {
        self.ask_in(false, RoundId { round, attempt }, preparation, slot, variant)
    }

    /// The plan that an honest coordinator would show of the lax job.
    pub fn ask_lax(&self, round: u32, attempt: u32, preparation: u64) -> Ask {
        self.ask_in(true, RoundId { round, attempt }, preparation, round, 0)
    }

    /// The plan that an honest coordinator would show of the job whose places draw those who are asked.
    pub fn ask_by_lot(&self, round: u32, attempt: u32, preparation: u64, slot: u32) -> Ask {
        let question = self.federation.question(slot, 0);
        let plan = self.federation.plan_of(2, RoundId { round, attempt }, preparation, slot, 0);
        Ask { plan, question, is_ahead: false }
    }

    pub(crate) fn ask_in(&self, lax: bool, id: RoundId, preparation: u64, slot: u32, variant: u32) -> Ask {
        let question = self.federation.question(slot, variant);
        let plan = self.federation.plan_of(usize::from(lax), id, preparation, slot, variant);
        Ask { plan, question, is_ahead: false }
    }

    /// The invariant that broke first, if one did.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// How many questions' sums it could compute.
    pub fn sums_opened(&self) -> usize {
        self.knowledge.questions_opened()
    }

    /// Everything shown and answered, a line each.
    pub fn operations(&self) -> &[String] {
        &self.operations
    }

    /// Shows `owed` to a participant, with these attempts as void: its message, or the code with which it declines. The
    /// corrupted answer nothing here, since the liar writes their messages itself.
    pub fn show(
        &mut self,
        to: u16,
        ask: &Ask,
        owed: Owed,
        voided: &[(RoundId, Vec<Signed>)],
    ) -> Result<Dealing, &'static str> {
        self.show_to(to, ask, owed, voided, false)
    }

    /// Shows a participant the plan of a round that is to consume the preparation it holds, and asks for its update while
    /// the local work goes on: `silent` from who takes it up.
    pub fn take_up(&mut self, to: u16, ask: &Ask) -> Result<Dealing, &'static str> {
        self.show_to(to, ask, Owed::Submit(Vec::new()), &[], true)
    }

    fn show_to(
        &mut self,
        to: u16,
        ask: &Ask,
        owed: Owed,
        voided: &[(RoundId, Vec<Signed>)],
        works: bool,
    ) -> Result<Dealing, &'static str> {
        let (kind, to) = (owed.kind(), id(to));
        let Some(victim) = self.honest.get_mut(&to) else { return Err("corrupted") };
        let shown = match ask.is_ahead {
            true => Shown::Ahead(ask.plan.terms.clone()),
            false => Shown::Round(Box::new(Asked {
                plan: ask.plan.clone(),
                question: ask.question.clone(),
                voided: voided.to_vec(),
                works,
            })),
        };
        let offer = Offer { shown, owed };
        let (federation, rng) = (&self.federation, &mut self.rng);
        let answer = catch_unwind(AssertUnwindSafe(|| victim.answer(federation, &offer, |_| None, rng)));
        let h1 = victim.h1();
        let exposed = shared::shared_as_accepted(&self.federation, to, victim.exposed().as_ref());
        let (outcome, verdict) = match answer {
            Err(_) => (Err("panicked"), Err(broken("never_panics", format!("{to} shown {kind:?}")))),
            Ok(Answer::Says(said, again, _)) => {
                let verdict = if again { Ok(()) } else { self.judge(ask, &offer.owed, &said.signed, h1) };
                let shares = Bundle::open(&said.attached).ok().filter(|_| kind == Kind::Dealing);
                (Ok((said.signed, shares.unwrap_or_default())), verdict)
            }
            Ok(Answer::Declines(_, code)) => {
                let known = KNOWN_CODES.iter().any(|family| code.starts_with(family));
                let verdict = if known { Ok(()) } else { Err(broken("codes_are_known", code.into())) };
                (Err(code), verdict)
            }
            Ok(Answer::Nothing | Answer::Crashed) => (Err("silent"), Ok(())),
        };
        let words = match &outcome {
            Ok(_) => "says it",
            Err(code) => code,
        };
        let preparation = ask.plan.terms.number;
        let place = if ask.is_ahead { "ahead".into() } else { format!("of {}", ask.plan.id) };
        self.operations.push(format!("{to} asked for {kind:?} {place} in {preparation}: {words}"));
        for violation in [exposed, verdict].into_iter().filter_map(Result::err) {
            self.violation.get_or_insert(violation);
        }
        outcome
    }

    /// A participant starts again, with its journal and nothing else.
    pub fn restart(&mut self, who: u16) {
        if let Some(participant) = self.honest.get_mut(&id(who)) {
            participant.crash();
            participant.come_back();
            self.operations.push(format!("{who} restarts"));
        }
    }

    /// An operator copies a participant's journal.
    pub fn snapshot(&mut self, who: u16) {
        if let Some(participant) = self.honest.get(&id(who)) {
            self.snapshots.insert(id(who), participant.journals.clone());
        }
    }

    /// The operator puts the copy back, which makes the participant one of the corrupted.
    pub fn roll_back(&mut self, who: u16) {
        let who = id(who);
        if let (Some(participant), Some(journals)) = (self.honest.get_mut(&who), self.snapshots.get(&who)) {
            participant.journals = journals.clone();
            participant.crash();
            participant.come_back();
            self.corrupted.insert(who);
            if let Err(violation) = self.knowledge.corrupt(who) {
                self.violation.get_or_insert(violation);
            }
            self.gave_up.values_mut().for_each(|promised| {
                promised.remove(&who);
            });
            self.operations.push(format!("{who} is rolled back"));
        }
    }

    /// How many are corrupted or were rolled back.
    pub fn corrupted(&self) -> usize {
        self.corrupted.len()
    }

    /// Takes in what an honest participant said.
    fn judge(&mut self, ask: &Ask, owed: &Owed, said: &Signed, h1: Option<Digest>) -> Result<(), Violation> {
        let (from, plan, kind) = (said.from, &ask.plan, owed.kind());
        if self.corrupted.contains(&from) {
            return Ok(());
        }
        let prepared = (from, plan.terms.job.clone(), plan.terms.number);
        if matches!(kind, Kind::Header | Kind::Certify | Kind::Reveal) {
            let served = (plan.id, plan.question);
            let first = *self.served.entry(prepared.clone()).or_insert(served);
            if first != served {
                let detail = format!("{from} uses preparation {} for {served:?}", plan.terms.number);
                return Err(broken("one_attempt_per_preparation", detail));
            }
        }
        if kind == Kind::Reveal {
            let first = self.revealed.entry(prepared).or_insert_with(|| said.clone());
            if first != said {
                return Err(broken(
                    "no_double_reveal",
                    format!("{from} in preparation {}", plan.terms.number),
                ));
            }
        }
        if plan.terms.job != self.federation.plan(plan.id, 1).terms.job {
            return Ok(());
        }
        match (owed, kind) {
            // Of a vector that is shared itself, what is shared is what counts.
            (Owed::Deal(_), _) if plan.carrier == Carrier::Shares && !ask.is_ahead => {
                h1.into_iter().for_each(|h1| self.knowledge.uploaded(h1, from, plan.digest()));
                Ok(())
            }
            (Owed::Acknowledge(_), _) if !ask.is_ahead => {
                if let (Ok(ack), Some(h1)) = (Ack::decode(&said.payload), h1) {
                    let good = ack.verdicts.iter().filter(|verdict| verdict.ok);
                    let good = good.map(|verdict| (verdict.dealer, verdict.dealing)).collect();
                    self.acknowledged.insert((from, h1), good);
                }
                Ok(())
            }
            (_, Kind::Header) => {
                if let Ok(Header { h1, plan, .. }) = Header::decode(&said.payload) {
                    self.knowledge.uploaded(h1, from, plan);
                }
                Ok(())
            }
            (Owed::Certify(headers), _) => {
                if let (Ok(certify), Some(h1)) = (Certify::decode(&said.payload), h1) {
                    let ids = headers.iter().map(|header| header.from).collect();
                    self.certified.insert(certify.survivors, (h1, ids));
                    let held = self.acknowledged.get(&(from, h1));
                    return match plan.carrier {
                        Carrier::Shares => shared::own_sharing(from, headers, held),
                        Carrier::Ring => Ok(()),
                    };
                }
                Ok(())
            }
            (Owed::Void(adverts), _) => {
                let Some(cohort) = self.cohort(plan, adverts) else { return Ok(()) };
                self.gave_up.entry(cohort.h1()).or_default().insert(from);
                self.void_or_opened(cohort.h1())
            }
            (_, Kind::Reveal) => {
                let Ok(reveal) = Reveal::decode(&said.payload) else { return Ok(()) };
                let Some((h1, survivors)) = self.certified.get(&reveal.survivors).cloned() else {
                    return Err(broken("one_survivor_set", format!("{from} reveals for what nobody signed")));
                };
                let question = plan.question_fingerprint(slot_of(&ask.question).unwrap_or_default());
                self.knowledge.revealed(&Revealed { by: from, h1, survivors: &survivors, question })?;
                self.void_or_opened(h1)
            }
            _ => Ok(()),
        }
    }

    fn void_or_opened(&self, h1: Digest) -> Result<(), Violation> {
        let promised = self.gave_up.get(&h1).map_or(0, BTreeSet::len) + self.corrupted.len();
        let is_void = promised >= usize::from(self.federation.protection.threshold());
        match is_void && self.knowledge.is_open(&h1) {
            true => Err(broken("void_or_opened", format!("{promised} promises in an opened attempt"))),
            false => Ok(()),
        }
    }

    pub(crate) fn cohort(&self, plan: &RoundPlan, adverts: &[Signed]) -> Option<Cohort> {
        Cohort::assemble(&plan.terms, &self.federation.roster, adverts.to_vec()).ok()
    }

    pub(crate) fn context(&self, plan: &RoundPlan, adverts: &[Signed]) -> Context {
        let cohort = self.cohort(plan, adverts);
        cohort.map_or(Context { ctx0: plan.context(), h1: None }, |cohort| cohort.context())
    }

    /// Whether `who` is one of those whose messages the liar writes itself.
    pub fn writes_for(&self, who: u16) -> bool {
        !self.honest.contains_key(&id(who))
    }
}

fn broken(invariant: &'static str, detail: String) -> Violation {
    Violation { invariant, detail }
}

pub(crate) fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("members are numbered from 1")
}

/// Families of the codes with which an honest participant declines.
const KNOWN_CODES: [&str; 6] = ["round.", "plan.", "journal.", "participant.restarted", "blob.", "program."];
