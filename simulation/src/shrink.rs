//! From a run that fails to the smallest one found that still does.

use std::fmt;

use crate::scenario::{CALM_DELAY, CALM_GATHER, CoordinatorCrash, Scenario, Shared};

/// The fewest items, as far as leaving out a half, a quarter and so on down to one after another finds them, of which
/// `fails` still holds.
pub(crate) fn fewest<T: Clone>(items: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut step = items.len().div_ceil(2).max(1);
    loop {
        let (mut start, mut smaller) = (0, false);
        while start < items.len() {
            let end = (start + step).min(items.len());
            let rest = [&items[..start], &items[end..]].concat();
            if fails(&rest) {
                (items, smaller) = (rest, true);
            } else {
                start = end;
            }
        }
        match (step, smaller) {
            (1, false) => return items,
            (1, true) => {}
            _ => step = step.div_ceil(2),
        }
    }
}

impl Scenario {
    /// This scenario without every fault that it takes not to `fail`: one after another is left out while it still does.
    pub fn shrunk(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut least = self.clone();
        let mut attempt = |change: &dyn Fn(&mut Self)| {
            let mut candidate = least.clone();
            change(&mut candidate);
            if candidate != least && fails(&candidate) {
                least = candidate;
            }
        };
        attempt(&|s| s.network.lost = 0);
        attempt(&|s| s.network.duplicated = 0);
        attempt(&|s| s.network.delay = CALM_DELAY);
        attempt(&|s| s.coordinator_crashes = CoordinatorCrash::Never);
        attempt(&|s| s.torn_blob = None);
        attempt(&|s| s.ahead = false);
        attempt(&|s| s.gather = CALM_GATHER);
        attempt(&|s| s.shared = Shared::Nothing);
        if self.shared == Shared::EveryOther {
            attempt(&|s| s.shared = Shared::Everything);
        }
        for rounds in 1..self.rounds {
            attempt(&|s| s.rounds = s.rounds.min(rounds));
        }
        macro_rules! shrink_list {
            ($field:ident) => {
                let of = |items: &[_]| Self { $field: items.to_vec(), ..least.clone() };
                least = of(&fewest(&least.$field, |items| fails(&of(items))));
            };
        }
        shrink_list!(participants_crash);
        shrink_list!(partitions);
        shrink_list!(clock_jumps);
        shrink_list!(dishonest);
        least
    }
}

impl fmt::Display for Scenario {
    /// As Rust, for a test of its own: what differs from a calm scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calm = Self::calm(self.seed, self.participants);
        writeln!(f, "Scenario {{")?;
        let paths = |text: String| {
            let renamed = [
                ("Encrypted", "Engine::Encrypted"),
                ("Plain", "Engine::Plain"),
                ("kind: ", "kind: Kind::"),
                ("from: A", "from: Kind::A"),
                ("from: D", "from: Kind::D"),
                ("from: H", "from: Kind::H"),
                ("from: C", "from: Kind::C"),
                ("from: R", "from: Kind::R"),
                ("Equivocates(", "Equivocates(Kind::"),
                ("participants: [", "participants: vec!["),
                ("moment: ", "moment: Moment::"),
                ("how: ", "how: Misbehaviour::"),
                ("Before)", "Moment::Before)"),
                ("After)", "Moment::After)"),
                ("AfterEveryAppend", "CoordinatorCrash::AfterEveryAppend"),
                ("Once(", "CoordinatorCrash::Once("),
            ];
            renamed.iter().fold(text, |text, (from, to)| text.replace(from, to))
        };
        macro_rules! field {
            ($field:ident, $prefix:literal) => {
                if self.$field != calm.$field {
                    let text = paths(format!("{:?}", self.$field));
                    writeln!(f, "    {}: {}{text},", stringify!($field), $prefix)?;
                }
            };
        }
        field!(engine, "");
        field!(parameter_set, "ParameterSet::");
        field!(rounds, "");
        field!(shared, "Shared::");
        field!(ahead, "");
        field!(gather, "");
        field!(network, "");
        field!(participants_crash, "vec!");
        field!(coordinator_crashes, "");
        field!(partitions, "");
        field!(clock_jumps, "vec!");
        field!(torn_blob, "");
        field!(dishonest, "vec!");
        writeln!(f, "    ..Scenario::calm({}, {})", self.seed, self.participants)?;
        writeln!(f, "}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClockJump, Dishonest, Misbehaviour, Moment, Network, ParticipantCrash, run};
    use syndic_round::message::Kind;

    #[test]
    fn the_items_that_matter_are_found() {
        let items: Vec<u32> = (0..40).collect();
        let fails = |items: &[u32]| items.contains(&7) && items.contains(&31);
        assert_eq!(fewest(&items, fails), [7, 31]);
        assert_eq!(fewest(&items, |_| true), Vec::<u32>::new());
    }

    #[test]
    fn a_failing_scenario_is_shrunk_to_its_cause_and_printed_as_rust() {
        let calm = Scenario { engine: crate::Engine::Plain, rounds: 2, ..Scenario::calm(5, 5) };
        let crash = |participant| ParticipantCrash {
            participant,
            round: 1,
            kind: Kind::Ack,
            moment: Moment::After,
            back_after: Some(300),
        };
        let vanishes = ParticipantCrash { back_after: None, ..crash(4) };
        let scenario = Scenario {
            network: Network { lost: 50, duplicated: 100, delay: 90 },
            participants_crash: vec![crash(2), vanishes, crash(5)],
            coordinator_crashes: CoordinatorCrash::Once(9, Moment::Before),
            clock_jumps: vec![ClockJump { at: 10, by: 100 }],
            ..calm.clone()
        };
        let fails =
            |scenario: &Scenario| run(scenario).rounds.iter().any(|end| end.survivors == [1, 2, 3, 5]);
        let least = scenario.shrunk(fails);
        assert_eq!(least, Scenario { participants_crash: vec![vanishes], rounds: 1, ..calm });
        let text = least.to_string();
        assert!(text.contains("engine: Engine::Plain,"), "{text}");
        let printed = "participants_crash: vec![ParticipantCrash { participant: 4, round: 1, kind: Kind::Ack, moment: \
                       Moment::After, back_after: None }],";
        assert!(text.contains(printed), "{text}");
    }

    #[test]
    fn a_scenario_that_fails_for_what_is_shared_stays_one_and_is_printed_as_one() {
        let dishonest = vec![Dishonest { participant: 2, how: Misbehaviour::ShiftedReveal { without: 0 } }];
        let calm = Scenario { engine: crate::Engine::Plain, dishonest, ..Scenario::calm(5, 3) };
        let scenario = Scenario { shared: Shared::EveryOther, rounds: 2, ahead: true, ..calm.clone() };
        let is_unchecked = |scenario: &Scenario| {
            let ends = run(scenario).rounds;
            ends.iter().any(|end| end.abandoned.is_none() && !end.checked)
        };
        let least = scenario.shrunk(is_unchecked);
        assert_eq!(least, Scenario { shared: Shared::Everything, dishonest: Vec::new(), ..calm });
        let text = Scenario { dishonest: scenario.dishonest, ..least }.to_string();
        assert!(text.contains("    shared: Shared::Everything,\n"), "{text}");
        let printed =
            "dishonest: vec![Dishonest { participant: 2, how: Misbehaviour::ShiftedReveal { without: 0 } }],";
        assert!(text.contains(printed), "{text}");
    }
}
