//! A lying coordinator that tells several histories of one ledger: which of them each participant believes, what it signs
//! by it, and what convicts the coordinator.
//!
//! Participants look as the shipped agent does: at a head with the proof that it continues the one that they kept, and at
//! an entry in it. Who is shown another past takes no further part, and keeps what it was shown as evidence.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use serde_json::json;
use syndic_ledger::{
    Checkpoint, Convicted, Entry, Fork, ForkError, Hash, Leaves, ShownEntry, ShownError,
    Timestamp as LedgerTime, VerifierKey, leaf_hash, round_subject, schema,
};
use syndic_round::{Digest, Signed, SurvivorSet};

use crate::federation::START;
use crate::liar::Liar;
use crate::report::Violation;
use crate::script::{Answers, Table};

/// A lying coordinator with the histories that it tells, the first of which is never empty.
pub struct Histories {
    /// What it does in rounds.
    pub liar: Liar,
    key: SigningKey,
    verifier: VerifierKey,
    told: Vec<History>,
    witnesses: BTreeMap<u16, Witness>,
    entries: u64,
    violation: Option<Violation>,
}

/// One history.
#[derive(Clone, Default)]
struct History {
    entries: Vec<Vec<u8>>,
    leaves: Leaves,
}

/// What a participant has seen of the ledger.
#[derive(Default)]
struct Witness {
    /// The last head that it believed: the note, and of which history it truly is.
    kept: Option<(String, usize)>,
    stopped: bool,
    evidence: Option<Fork>,
}

/// What is shown of the ledger. The histories are named by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The history whose head is shown.
    pub history: usize,
    /// The size of that head.
    pub size: u64,
    /// The entry.
    pub index: u64,
    /// The history whose growth is proved.
    pub proved: usize,
    /// Whether it says what it was at the size that the participant kept; or that it was what the participant kept.
    pub owned_up: bool,
}

impl Histories {
    /// A liar with one history of one entry.
    pub fn of(liar: Liar) -> Self {
        let key = liar.federation.ledger_key();
        let origin = liar.federation.roster.roster().ledger_origin();
        let verifier = VerifierKey::new(&origin, key.verifying_key()).expect("the federation can be named");
        let told = vec![History::default()];
        let mut histories =
            Self { liar, key, verifier, told, witnesses: BTreeMap::new(), entries: 0, violation: None };
        histories.tell(0);
        histories
    }

    /// The invariant that broke first, if one did.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref().or_else(|| self.liar.violation())
    }

    /// How many histories there are.
    pub fn count(&self) -> usize {
        self.told.len()
    }

    /// How many entries a history has.
    pub fn size(&self, history: usize) -> u64 {
        self.told[history].leaves.size()
    }

    /// One more entry in a history, unlike any other.
    pub fn tell(&mut self, history: usize) -> u64 {
        self.append(history, "syndic.job.progress", None, json!({}))
    }

    /// The entry that freezes the survivor set of these headers in a history; its place. None where they are no set.
    pub fn freeze(&mut self, history: usize, table: &Table, headers: &[Signed]) -> Option<u64> {
        let plan = &table.ask.plan;
        let digest = self.set(table, headers)?;
        let subject = round_subject(plan.terms.job.as_str(), plan.id.round.into(), plan.id.attempt.into());
        let data = json!({ "digest": digest.to_string() });
        Some(self.append(history, FROZEN, Some(subject), data))
    }

    /// Another history that begins with the first `size` entries of this one; its place.
    pub fn part(&mut self, history: usize, size: u64) -> usize {
        let entries = self.told[history].entries.iter().take(size as usize).cloned().collect::<Vec<_>>();
        let leaves = entries.iter().map(|bytes| leaf_hash(bytes)).collect();
        self.told.push(History { entries, leaves });
        self.told.len() - 1
    }

    /// What is true of a history at its present size: its newest entry, with a proof of its own growth.
    pub fn true_of(&self, history: usize) -> Shown {
        let size = self.size(history);
        Shown { history, size, index: size - 1, proved: history, owned_up: true }
    }

    /// Shows a participant something of the ledger: the entry, once it believes it, or the code with which it does not. Who
    /// was shown another past before is silent.
    ///
    /// # Errors
    /// The code.
    pub fn show(&mut self, to: u16, shown: Shown) -> Result<Entry, &'static str> {
        if self.witnesses.entry(to).or_default().stopped {
            return Err("stopped");
        }
        let (seen, kept) = (self.shown(to, shown), self.kept(to));
        let continues = kept.as_ref().is_none_or(|(head, of)| self.continues(head, *of, shown));
        let looked = seen.verify(&self.verifier, kept.as_ref().map(|(head, _)| head));
        let witness = self.witnesses.entry(to).or_default();
        match looked {
            Ok((_, entry)) => {
                witness.kept = Some((seen.checkpoint, shown.history));
                let verdict = if continues { Ok(()) } else { Err(broken("one_history", to, shown)) };
                self.keep(verdict);
                self.compare_with(to);
                Ok(entry)
            }
            Err(error) => {
                witness.stopped = matches!(error, ShownError::Shrunk { .. } | ShownError::Forked(_));
                let is_true = shown.proved == shown.history;
                if let (ShownError::Forked(_), Some((note, _))) = (&error, witness.kept.clone()) {
                    let fork = Fork::of(&note, &seen.checkpoint, &self.verifier);
                    let fork = fork.and_then(|fork| {
                        fork.with_failed_proof(seen.older_root, &seen.consistency, &self.verifier)
                    });
                    let verdict = self.judge(fork.as_ref(), continues, is_true && shown.owned_up);
                    self.keep(verdict.map_err(|invariant| broken(invariant, to, shown)));
                    self.witnesses.entry(to).or_default().evidence = fork.ok();
                } else if continues && is_true {
                    self.keep(Err(broken("nobody_honest_blamed", to, shown)));
                }
                Err(error.code())
            }
        }
    }

    /// Shows these the entry at `index` of a history as the one that freezes the set of these headers, and asks them to sign
    /// it. Who does not believe it, or finds another set there, declines.
    pub fn certify(&mut self, shown: Shown, table: &Table, headers: &[Signed], who: &[u16]) -> Answers {
        let (set, plan) = (self.set(table, headers), &table.ask.plan);
        let subject = round_subject(plan.terms.job.as_str(), plan.id.round.into(), plan.id.attempt.into());
        let (mut said, mut declined) = (Vec::new(), Vec::new());
        for one in who {
            let is_on_record = |entry: &Entry| {
                let digest = entry.data.get("digest").and_then(|digest| Digest::from_hex(digest.as_str()?));
                entry.kind == FROZEN && entry.subject.as_ref() == Some(&subject) && digest == set
            };
            match self.show(*one, shown) {
                Ok(entry) if is_on_record(&entry) => {
                    let signed = self.liar.certify(table, headers, &[*one]);
                    said.extend(signed.said);
                    declined.extend(signed.declined);
                }
                Ok(_) => declined.push((*one, "ledger.not-on-record")),
                Err(code) => declined.push((*one, code)),
            }
        }
        Answers { said, declined }
    }

    /// What a participant holds against the coordinator, judged by the ledger's key alone.
    ///
    /// # Errors
    /// [`ForkError`] where it convicts nobody.
    pub fn convicted_by(&self, who: u16) -> Result<Convicted, ForkError> {
        let evidence = self.witnesses.get(&who).and_then(|witness| witness.evidence.as_ref());
        evidence.ok_or(ForkError::Malformed)?.verify(&self.verifier)
    }

    /// What the heads that two participants kept come to, beside the entries of the history of the longer, as whoever was
    /// told it has them.
    ///
    /// # Errors
    /// [`ForkError`] where they convict nobody.
    pub fn compared(&self, one: u16, other: u16) -> Result<Convicted, ForkError> {
        let kept = |who| self.witnesses.get(&who).and_then(|witness| witness.kept.clone());
        let (Some((a, of_a)), Some((b, of_b))) = (kept(one), kept(other)) else {
            return Err(ForkError::Consistent);
        };
        let fork = Fork::of(&a, &b, &self.verifier)?;
        let longer = if fork.newer == a { of_a } else { of_b };
        fork.with_leaves(&self.told[longer].leaves, &self.verifier)?.verify(&self.verifier)
    }

    fn append(
        &mut self,
        history: usize,
        kind: &str,
        subject: Option<String>,
        data: serde_json::Value,
    ) -> u64 {
        self.entries += 1;
        let entry = Entry {
            id: format!("entry-{}", self.entries),
            source: "coordinator/simulated".into(),
            kind: kind.into(),
            time: LedgerTime::from_unix_ms(START.0).expect("runs take minutes, not millennia"),
            subject,
            schema: schema::VERSION.into(),
            round_prev: None,
            data,
        };
        let bytes = entry.to_canonical().expect("it is a small object without fractions");
        let History { entries, leaves } = &mut self.told[history];
        leaves.append(leaf_hash(&bytes));
        entries.push(bytes);
        leaves.size() - 1
    }

    fn set(&self, table: &Table, headers: &[Signed]) -> Option<Digest> {
        let plan = &table.ask.plan;
        let cohort = self.liar.cohort(plan, &table.adverts)?;
        let roster = &self.liar.federation.roster;
        let set = SurvivorSet::from_headers(plan, &cohort, roster, headers.to_vec()).ok()?;
        Some(set.digest())
    }

    fn kept(&self, who: u16) -> Option<(Checkpoint, usize)> {
        let (note, of) = self.witnesses.get(&who)?.kept.as_ref()?;
        Some((Checkpoint::verify(note, &self.verifier).expect("it was believed"), *of))
    }

    /// What a participant sees, in its wire's words.
    fn shown(&self, to: u16, Shown { history, size, index, proved, owned_up }: Shown) -> ShownEntry {
        let kept = self.kept(to);
        let older = kept.as_ref().map_or(0, |(head, _)| head.size()).min(size);
        let (of, proof) = (&self.told[history], &self.told[proved].leaves);
        let head = Checkpoint::new(self.verifier.name(), size, of.leaves.root(size).expect("it is as long"));
        let was = of.leaves.root(older).expect("it is no longer");
        ShownEntry {
            checkpoint: head.and_then(|head| head.sign(&self.key)).expect("the ledger's key signs heads"),
            older,
            older_root: kept.filter(|_| !owned_up).map_or(was, |(head, _)| *head.root()),
            consistency: proof.consistency_proof(older, size).unwrap_or_else(|_| vec![Hash::of(&[b"none"])]),
            index,
            entry: of.entries[index as usize].clone(),
            inclusion: of.leaves.inclusion_proof(index, size).expect("the entry is in it"),
        }
    }

    /// Whether what is shown truly continues a head of a history.
    fn continues(&self, head: &Checkpoint, of: usize, shown: Shown) -> bool {
        let root = |history: usize| self.told[history].leaves.root(head.size()).ok();
        head.size() <= shown.size && root(of) == root(shown.history)
    }

    /// What a refused head convicts of, by the key alone: the coordinator, where it showed another past and said so; and
    /// nobody, where it showed none.
    fn judge(
        &self,
        fork: Result<&Fork, &ForkError>,
        continues: bool,
        is_true: bool,
    ) -> Result<(), &'static str> {
        let convicted = fork.is_ok_and(|fork| fork.verify(&self.verifier).is_ok());
        match (continues, is_true) {
            (false, true) if !convicted => Err("fork_is_convicted"),
            (true, _) if convicted => Err("nobody_honest_blamed"),
            (true, true) => Err("nobody_honest_blamed"),
            _ => Ok(()),
        }
    }

    /// Whoever meets this participant finds out whether both were told one history.
    fn compare_with(&mut self, one: u16) {
        let others: Vec<_> = self.witnesses.keys().copied().filter(|other| *other != one).collect();
        for other in others {
            let (Some((a, of_a)), Some((b, of_b))) = (self.kept(one), self.kept(other)) else { continue };
            let shorter = a.size().min(b.size());
            let root = |history: usize| self.told[history].leaves.root(shorter).ok();
            let is_one = root(of_a) == root(of_b);
            let verdict = match self.compared(one, other) {
                Ok(_) if is_one => Err("nobody_honest_blamed"),
                Err(_) if !is_one => Err("fork_is_convicted"),
                _ => Ok(()),
            };
            let (a, b) = (a.size(), b.size());
            let detail = format!("{one} was told {a} entries of {of_a}, {other} {b} of {of_b}");
            self.keep(verdict.map_err(|invariant| Violation { invariant, detail }));
        }
    }

    fn keep(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(violation);
        }
    }
}

fn broken(invariant: &'static str, to: u16, shown: Shown) -> Violation {
    Violation { invariant, detail: format!("{to} was shown {shown:?}") }
}

/// The entry that freezes a survivor set.
const FROZEN: &str = "syndic.round.frozen";
