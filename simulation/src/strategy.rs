//! Strategies of a lying coordinator as lists of moves, drawn from a seed: what is shown to whom, which lists are
//! shortened, mixed or repeated, who restarts and who is rolled back.
//!
//! A move names what it builds on by how far back that is, so that a list with moves taken out is a strategy still, and
//! a failing one can be shrunk to the moves that matter.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::{PreparationTerms, Protection, RoundId, RoundPlan, Signed};

use crate::draw::Draw;
use crate::engine::Engine;
use crate::liar::{Ask, Liar};
use crate::report::Violation;
use crate::scenario::Shared;
use crate::script::Table;

/// A run of a lying coordinator. Equal strategies give equal outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Source of every key.
    pub seed: u64,
    /// What protects updates.
    pub engine: Engine,
    /// Institutions.
    pub participants: u16,
    /// Whether the vectors of the first job are shared themselves.
    pub shared: bool,
    /// Those in league with the coordinator.
    pub corrupted: Vec<u16>,
    /// What it does.
    pub moves: Vec<Move>,
}

/// Participants as a set of bits: bit 0 is participant 1.
pub type Who = u16;

/// One move. `back` counts from the last of its kind: 0 is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Shows a plan, and asks for keys.
    Ask {
        /// Round and attempt.
        id: (u32, u32),
        /// Preparation.
        preparation: u64,
        /// Place of the question in the program.
        slot: u32,
        /// Variant of the question.
        variant: u32,
        /// Whether the terms are weaker than agreed.
        weaker: bool,
        /// To whom.
        to: Who,
    },
    /// Shows a plan that is to consume the preparation which was asked for, while the local work goes on. What is shared
    /// next is shared by it.
    TakeUp {
        /// The preparation.
        back: usize,
        /// Round and attempt.
        id: (u32, u32),
        /// Place of the question in the program.
        slot: u32,
        /// To whom.
        to: Who,
    },
    /// Shows the terms of a preparation, ahead of any round, and asks for keys.
    Prepare {
        /// Whether of the lax job.
        lax: bool,
        /// Preparation.
        preparation: u64,
        /// Whether the terms are weaker than agreed.
        weaker: bool,
        /// To whom.
        to: Who,
    },
    /// Shows some of the advertisements of a plan, or of a preparation, as a cohort, and goes on to the acknowledgements.
    Share {
        /// The plan.
        back: usize,
        /// Whose advertisements.
        of: Who,
        /// To whom.
        to: Who,
        /// What is done to the lists.
        twist: Twist,
    },
    /// Shows a plan that consumes the preparation of a cohort, and asks for updates, showing some of the acknowledgements.
    Bind {
        /// The cohort.
        back: usize,
        /// Round and attempt.
        id: (u32, u32),
        /// Place of the question in the program.
        slot: u32,
        /// Variant of the question.
        variant: u32,
        /// Whose acknowledgements.
        of: Who,
        /// To whom.
        to: Who,
        /// What is done to the list.
        twist: Twist,
    },
    /// Asks for updates in a cohort, showing some of the acknowledgements.
    Submit {
        /// The cohort.
        back: usize,
        /// Whose acknowledgements.
        of: Who,
        /// To whom.
        to: Who,
        /// What is done to the list.
        twist: Twist,
    },
    /// Shows a survivor list of some of the headers in a cohort.
    Certify {
        /// The cohort.
        back: usize,
        /// Whose headers.
        of: Who,
        /// To whom.
        to: Who,
        /// What is done to the list.
        twist: Twist,
    },
    /// Shows signatures over a survivor list.
    Reveal {
        /// The list.
        back: usize,
        /// Whose signatures.
        of: Who,
        /// To whom.
        to: Who,
        /// What is done to the list.
        twist: Twist,
    },
    /// Asks for promises never to reveal in a cohort.
    Void {
        /// The cohort.
        back: usize,
        /// Whom.
        to: Who,
    },
    /// These start again.
    Restart {
        /// Who.
        who: Who,
    },
    /// The journals of all are copied.
    Snapshot,
    /// One is put back to the copy, unless as many are corrupted as the plan tolerates.
    RollBack {
        /// Who.
        who: u16,
    },
}

/// What is done to a list before it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// The last is left out.
    Shorter,
    /// The first is there twice.
    Repeated,
    /// The order is reversed.
    Reversed,
    /// One from another cohort is put in the place of the first.
    Mixed,
    /// It is shown under the plan of another round.
    OtherPlan,
}

/// What a strategy came to.
pub struct Played {
    /// The first invariant that broke.
    pub violation: Option<Violation>,
    /// Questions whose sums it could compute.
    pub sums: usize,
    /// Everything shown and answered.
    pub operations: Vec<String>,
}

impl Strategy {
    /// A strategy drawn from `seed`.
    pub fn sample(seed: u64, engine: Engine) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let participants = rng.random_range(4..=7);
        let protection = Protection::default_for(syndic_round::ParameterSet::S32, participants);
        let most = protection.map_or(0, |protection| protection.colluding());
        let count = rng.random_range(0..=most);
        let first = rng.random_range(0..participants);
        let corrupted = (0..count).map(|k| (first + k) % participants + 1).collect();
        let shared = is_shared(seed);
        let moves = Draw::new(rng, participants, shared).moves();
        Self { seed, engine, participants, shared, corrupted, moves }
    }

    /// Plays it.
    pub fn play(&self) -> Played {
        let shared = if self.shared { Shared::Everything } else { Shared::Nothing };
        let liar = Liar::with(self.seed, self.engine, self.participants, &self.corrupted, shared);
        let mut play =
            Play { liar, asks: Vec::new(), tables: Vec::new(), lists: Vec::new(), voids: Vec::new() };
        for one in &self.moves {
            play.make(one);
            if play.liar.violation().is_some() {
                break;
            }
        }
        let liar = play.liar;
        Played {
            violation: liar.violation().cloned(),
            sums: liar.sums_opened(),
            operations: liar.operations().to_vec(),
        }
    }

    /// The fewest of its moves, as far as leaving out one after another finds them, with which it still `fails`.
    pub fn shrunk(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let with = |moves: &[Move]| Self { moves: moves.to_vec(), ..self.clone() };
        let moves = crate::shrink::fewest(&self.moves, |moves| fails(&with(moves)));
        with(&moves)
    }
}

impl fmt::Display for Strategy {
    /// As Rust, for a test of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, engine, participants, shared, corrupted, moves } = self;
        writeln!(f, "Strategy {{ seed: {seed}, engine: Engine::{engine:?}, participants: {participants},")?;
        writeln!(f, "    shared: {shared}, corrupted: vec!{corrupted:?}, moves: vec![")?;
        for one in moves {
            let text = format!("{one:?}").replace("twist: ", "twist: Twist::");
            writeln!(f, "        Move::{text},")?;
        }
        writeln!(f, "    ] }}")
    }
}

struct Play {
    liar: Liar,
    asks: Vec<(Ask, Vec<Signed>)>,
    tables: Vec<Table>,
    /// (cohort, headers shown, signatures over them).
    lists: Vec<(usize, Vec<Signed>, Vec<Signed>)>,
    voids: Vec<(RoundId, Vec<Signed>)>,
}

impl Play {
    fn make(&mut self, one: &Move) {
        match *one {
            Move::Ask { id: (round, attempt), preparation, slot, variant, weaker, to } => {
                let ask = self.liar.ask_about(round, attempt, preparation, slot, variant);
                self.ask(ask, weaker, to);
            }
            Move::TakeUp { back, id: (round, attempt), slot, to } => {
                let Some((prepared, adverts)) = nth_last(&self.asks, back).cloned() else { return };
                let number = prepared.plan.terms.number;
                let ask = self.liar.ask_about(round, attempt, number, slot, 0);
                for one in members(to) {
                    // Who refuses it says why; who takes it up says nothing yet.
                    let _ = self.liar.take_up(one, &ask);
                }
                self.asks.push((ask, adverts));
            }
            Move::Prepare { lax, preparation, weaker, to } => {
                let ask = self.liar.ask_in(lax, RoundId { round: 1, attempt: 1 }, preparation, 1, 0).ahead();
                self.ask(ask, weaker, to);
            }
            Move::Share { back, of, to, twist } => {
                let Some((ask, adverts)) = nth_last(&self.asks, back).cloned() else { return };
                let foreign = self.asks.first().and_then(|(_, adverts)| adverts.first()).cloned();
                let adverts = twisted(chosen(&adverts, of), twist, foreign);
                let ask = self.under(ask, twist);
                let dealings = self.liar.deal(&ask, &adverts, &members(to)).said;
                let acks = self.liar.acknowledge(&ask, &adverts, &dealings, &members(to)).said;
                self.tables.push(Table { ask, adverts, dealings, acks, headers: Vec::new() });
            }
            Move::Bind { back, id: (round, attempt), slot, variant, of, to, twist } => {
                let Some(table) = nth_last(&self.tables, back).cloned() else { return };
                let foreign = self.tables[0].acks.first().cloned();
                let acks = twisted(chosen(&table.acks, of), twist, foreign);
                let terms = table.ask.plan.terms.clone();
                let ask = self.liar.ask_about(round, attempt, terms.number, slot, variant);
                let ask = self.under(Ask { plan: RoundPlan { terms, ..ask.plan }, ..ask }, twist);
                let headers = self.liar.submit(&ask, &table.adverts, &acks, &members(to)).said;
                self.tables.push(Table { ask, headers, ..table });
            }
            Move::Submit { back, of, to, twist } => {
                let Some(at) = place(self.tables.len(), back) else { return };
                let table = self.tables[at].clone();
                let foreign = self.tables[0].acks.first().cloned();
                let acks = twisted(chosen(&table.acks, of), twist, foreign);
                let ask = self.under(table.ask, twist);
                let said = self.liar.submit(&ask, &table.adverts, &acks, &members(to)).said;
                merge(&mut self.tables[at].headers, said);
            }
            Move::Certify { back, of, to, twist } => {
                let Some(at) = place(self.tables.len(), back) else { return };
                let mut table = self.tables[at].clone();
                let foreign = self.tables[0].headers.first().cloned();
                let headers = twisted(chosen(&table.headers, of), twist, foreign);
                table.ask = self.under(table.ask, twist);
                let said = self.liar.certify(&table, &headers, &members(to)).said;
                match self.lists.iter_mut().find(|(_, shown, _)| *shown == headers) {
                    Some((.., signatures)) => merge(signatures, said),
                    None => self.lists.push((at, headers, said)),
                }
            }
            Move::Reveal { back, of, to, twist } => {
                let Some((at, _, signatures)) = nth_last(&self.lists, back).cloned() else { return };
                let foreign = self.lists[0].2.first().cloned();
                let signatures = twisted(chosen(&signatures, of), twist, foreign);
                let ask = self.under(self.tables[at].ask.clone(), twist);
                self.liar.reveal_again(&ask, &signatures, &members(to), &self.voids);
            }
            Move::Void { back, to } => {
                let Some(table) = nth_last(&self.tables, back).cloned() else { return };
                let said = self.liar.void(&table, &members(to)).said;
                let id = table.ask.plan.id;
                // Promises of one cohort count together only with those of the same.
                let mut all = said.clone();
                if let Some((_, earlier)) = self.voids.iter().rev().find(|(other, _)| *other == id) {
                    merge(&mut all, earlier.clone());
                }
                self.voids.push((id, said));
                self.voids.push((id, all));
            }
            Move::Restart { who } => members(who).into_iter().for_each(|one| self.liar.restart(one)),
            Move::Snapshot => members(u16::MAX >> 1).into_iter().for_each(|one| self.liar.snapshot(one)),
            Move::RollBack { who } => {
                if self.liar.corrupted() < usize::from(self.liar.protection().colluding()) {
                    self.liar.roll_back(who);
                }
            }
        }
    }

    fn ask(&mut self, mut ask: Ask, weaker: bool, to: Who) {
        if weaker {
            let strict = self.liar.protection();
            let (set, n, t) = (strict.parameter_set(), strict.admitted(), strict.threshold());
            let Ok(protection) = Protection::new(set, n, t, 0, t) else { return };
            ask.plan = RoundPlan { terms: PreparationTerms { protection, ..ask.plan.terms }, ..ask.plan };
        }
        let admitted = |who: &u16| ask.plan.terms.admitted.iter().any(|id| id.get() == *who);
        let asked: Vec<_> = members(to).into_iter().filter(admitted).collect();
        let mut adverts = self.liar.advertise(&ask, &asked).said;
        // What others advertised in the same preparation belongs to the same context.
        for (earlier, said) in &self.asks {
            if earlier.plan.context() == ask.plan.context() {
                adverts.extend(said.iter().cloned());
            }
        }
        adverts.sort_by_key(|signed| signed.from);
        adverts.dedup_by_key(|signed| signed.from);
        self.asks.push((ask, adverts));
    }

    fn under(&self, ask: Ask, twist: Twist) -> Ask {
        match self.asks.first() {
            Some((other, _)) if twist == Twist::OtherPlan => other.clone(),
            _ => ask,
        }
    }
}

/// Whether a sampled strategy is about shared vectors: one in four, by a draw of its own.
fn is_shared(seed: u64) -> bool {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    rng.set_stream(1);
    rng.random_ratio(1, 4)
}

fn members(who: Who) -> Vec<u16> {
    (1..=u16::BITS as u16).filter(|number| who >> (number - 1) & 1 == 1).collect()
}

fn chosen(messages: &[Signed], of: Who) -> Vec<Signed> {
    let of = members(of);
    messages.iter().filter(|signed| of.contains(&signed.from.get())).cloned().collect()
}

fn twisted(mut list: Vec<Signed>, twist: Twist, foreign: Option<Signed>) -> Vec<Signed> {
    match (twist, foreign) {
        (Twist::Shorter, _) => list.truncate(list.len().saturating_sub(1)),
        (Twist::Repeated, _) => list.extend(list.first().cloned()),
        (Twist::Reversed, _) => list.reverse(),
        (Twist::Mixed, Some(foreign)) if !list.is_empty() => list[0] = foreign,
        _ => {}
    }
    list
}

fn merge(into: &mut Vec<Signed>, said: Vec<Signed>) {
    into.extend(said);
    into.sort_by_key(|signed| signed.from);
    into.dedup_by_key(|signed| signed.from);
}

fn place(len: usize, back: usize) -> Option<usize> {
    (len > 0).then(|| len - 1 - back % len)
}

fn nth_last<T>(list: &[T], back: usize) -> Option<&T> {
    place(list.len(), back).map(|at| &list[at])
}
