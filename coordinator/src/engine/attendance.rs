//! Who is in the sums of a job, and who is not: a model that was learnt without somebody is never a plain success.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syndic_round::ParticipantId;

use crate::missing::Missing;

/// In how many sums of a job everybody is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attendance {
    total: Sums,
    missed: BTreeMap<ParticipantId, Sums>,
    /// Those in which a lot did not draw them.
    undrawn: BTreeMap<ParticipantId, Sums>,
}

/// Sums, and those among them that were of local training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    all: u32,
    training: u32,
}

impl Sums {
    fn count(&mut self, is_training: bool) {
        self.all += 1;
        self.training += u32::from(is_training);
    }
}

impl Attendance {
    /// Counts a sum, of local training or of something else, who is missing in it, and whom a lot did not draw for it.
    pub(crate) fn count(&mut self, is_training: bool, missing: &[Missing], undrawn: &[ParticipantId]) {
        self.total.count(is_training);
        for id in undrawn {
            self.undrawn.entry(*id).or_default().count(is_training);
        }
        for one in missing {
            self.missed.entry(one.participant).or_default().count(is_training);
        }
    }

    /// As an entry says it: `sums` in all, those of them that were of local training, who is `missing` in how many of each, and
    /// in how many a lot did not draw whom.
    pub(crate) fn to_json(&self) -> Value {
        let counts = |sums: &Sums| json!({ "sums": sums.all, "training_sums": sums.training });
        let each = |of: &BTreeMap<ParticipantId, Sums>| {
            let each = of.iter().map(|(id, sums)| {
                let mut one = counts(sums);
                one["participant"] = json!(id);
                one
            });
            each.collect::<Value>()
        };
        let mut all = counts(&self.total);
        all["missing"] = each(&self.missed);
        if !self.undrawn.is_empty() {
            all["not_drawn"] = each(&self.undrawn);
        }
        all
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let counts = |value: &Value| {
            let count = |key: &str| u32::try_from(value.get(key)?.as_u64()?).ok();
            Some(Sums { all: count("sums")?, training: count("training_sums")? })
        };
        let each = |of: &Value| {
            let each = of.as_array()?.iter().map(|one| {
                let id = serde_json::from_value(one.get("participant")?.clone()).ok()?;
                Some((id, counts(one)?))
            });
            each.collect::<Option<BTreeMap<ParticipantId, Sums>>>()
        };
        let undrawn = value.get("not_drawn").map_or_else(|| Some(BTreeMap::new()), each)?;
        Some(Self { total: counts(value)?, missed: each(value.get("missing")?)?, undrawn })
    }

    /// What must be said beside the outcome, a sentence for each who is missing somewhere; none where everybody is in
    /// every sum.
    pub fn warnings(&self, name: impl Fn(ParticipantId) -> String) -> Vec<String> {
        let warn = |(id, missed): (&ParticipantId, &Sums)| {
            let (name, total) = (name(*id), self.total);
            if total.training > 0 && missed.training == total.training {
                return format!(
                    "{name} is missing in every sum of local training: nothing was learnt from it"
                );
            }
            let of_training = match total.training {
                0 => String::new(),
                all => format!(", {} of {all} of local training", missed.training),
            };
            format!("{name} is missing in {} of {} sums{of_training}", missed.all, total.all)
        };
        let of = |sums: Option<&Sums>| sums.map_or(0, |sums| sums.training);
        let never_drawn = self.undrawn.iter().filter(|(id, undrawn)| {
            let missed = of(self.missed.get(id));
            self.total.training > 0
                && missed < self.total.training
                && undrawn.training + missed == self.total.training
        });
        let never_drawn = never_drawn.map(|(id, _)| {
            format!("{} is in no sum of local training, by lot or for want of an update: nothing was learnt from it", name(*id))
        });
        self.missed.iter().map(warn).chain(never_drawn).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::missing::Why;

    fn missing(number: u16) -> Missing {
        let participant = ParticipantId::new(number).expect("a participant's number is from 1");
        Missing { participant, why: Why::Absent, equivocated: false }
    }

    fn warnings(attendance: &Attendance) -> Vec<String> {
        attendance.warnings(|id| format!("bank_{id}"))
    }

    #[test]
    fn a_job_with_everybody_in_every_sum_needs_no_warning() {
        let mut attendance = Attendance::default();
        attendance.count(false, &[], &[]);
        attendance.count(true, &[], &[]);
        assert!(warnings(&attendance).is_empty());
    }

    #[test]
    fn whom_no_lot_drew_for_training_is_told_and_who_was_drawn_once_is_not() {
        let id = |number| ParticipantId::new(number).expect("a participant's number is from 1");
        let mut attendance = Attendance::default();
        attendance.count(false, &[], &[id(2), id(4)]);
        attendance.count(true, &[], &[id(1), id(2)]);
        attendance.count(true, &[missing(4)], &[id(2), id(3)]);
        let told = warnings(&attendance);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("bank_4 is missing in 1 of 3 sums"), "{told:?}");
        assert!(told[1].starts_with("bank_2 is in no sum of local training"), "{told:?}");
        assert_eq!(Attendance::from_json(&attendance.to_json()), Some(attendance));
    }

    #[test]
    fn who_is_missing_in_some_sums_is_told_with_how_many() {
        let mut attendance = Attendance::default();
        attendance.count(false, &[missing(2)], &[]);
        attendance.count(true, &[], &[]);
        attendance.count(true, &[missing(2), missing(3)], &[]);
        let told = [
            "bank_2 is missing in 2 of 3 sums, 1 of 2 of local training",
            "bank_3 is missing in 1 of 3 sums, 1 of 2 of local training",
        ];
        assert_eq!(warnings(&attendance), told);
        assert_eq!(Attendance::from_json(&attendance.to_json()), Some(attendance));
    }

    #[test]
    fn from_whom_nothing_was_learnt_is_told_as_that() {
        let mut attendance = Attendance::default();
        attendance.count(false, &[], &[]);
        for _ in 0..2 {
            attendance.count(true, &[missing(3)], &[]);
        }
        let told = ["bank_3 is missing in every sum of local training: nothing was learnt from it"];
        assert_eq!(warnings(&attendance), told);
    }
}
