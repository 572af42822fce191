//! The coordinator's preparation made ahead under arbitrary inputs: a little program as for a round, with the invariants
//! checked after every step, and a round opened with what results.

mod play;

use std::sync::LazyLock;

use syndic_round::coordinator::Input;

use crate::script::Script;
use play::Play;

/// Steps of six bytes: what, who, and four bytes that say how.
pub(crate) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let mut play = Play::open(1);
    for _ in 0..MOST_STEPS {
        if script.is_over() {
            break;
        }
        play.act(script.array(), &FOREIGN);
    }
    play.check_replay();
    play.check_round();
}

/// Messages of another preparation of the same federation that became ready, to be played into this one.
static FOREIGN: LazyLock<Vec<Input>> = LazyLock::new(|| {
    let mut play = Play::open(2);
    (0..PHASES).for_each(|_| play.act([play::EVERYBODY, 0, 0, 0, 0, 0], &[]));
    play.said().to_vec()
});

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    use play::*;
    let all = [EVERYBODY, 0, 0, 0, 0, 0];
    let late = [DEADLINE; 6];
    let without_last = |what: u8| (0..4).map(move |who| [ONE, who, what, 0, 0, 0]);
    let programs: Vec<Vec<[u8; 6]>> = vec![
        // Ready; with one missing in each phase; too few.
        vec![all; PHASES],
        (0..3).flat_map(|_| without_last(0).chain([late])).collect(),
        vec![[ONE, 0, 0, 0, 0, 0], late],
        // A complaint, a restart of the coordinator, a no in each phase and one after the last.
        vec![all, all, [ONE, 0, 3, 0, 0, 0], [ONE, 1, 3, 0, 0, 0], [RESTART; 6], all],
        vec![[DECLINE, 4, 0, 0, 0, 0], all, all, all, [DECLINE, 0, 1, 0, 0, 0]],
        vec![all, [DECLINE, 1, 0, 0, 0, 0], all, all],
        vec![all, all, all, [DECLINE, 2, 0, 0, 0, 0], [DECLINE, 2, 1, 0, 0, 0]],
        // A no to a round in the place of a preparation.
        vec![all, [DECLINE, 1, 0, 1, 0, 0], all, all],
        // Forgery, repetition, another preparation's messages, one kind passed off as another, the coordinator's own events.
        vec![
            all,
            [FORGE, 1, 0, 5, 1, 0],
            [REPEAT, 0, 3, 0, 0, 0],
            [FOREIGN_MESSAGE, 0, 7, 0, 0, 0],
            all,
            all,
        ],
        vec![[ALTER, 2, 0, 40, 1, 0], all, [DISGUISE, 0, 2, 1, 0, 0], [IMPERSONATE, 1, 2, 0, 0, 0], all, all],
        vec![
            all,
            [OWN_EVENT, 0, 0, 0, 0, 0],
            all,
            [OWN_EVENT, 0, 1, 0, 0, 0],
            all,
            [OWN_EVENT, 0, 2, 0, 0, 0],
        ],
    ];
    programs.into_iter().map(|steps| steps.concat()).collect()
}

/// Advertising, sharing, acknowledging.
const PHASES: usize = 3;

const MOST_STEPS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_round::coordinator::Standing;

    #[test]
    fn the_samples_reach_every_end() {
        let end = |program: &Vec<u8>| {
            let mut play = Play::open(1);
            program.chunks(6).for_each(|step| play.act(step.try_into().unwrap(), &FOREIGN));
            play.preparation().standing().clone()
        };
        let ends: Vec<Standing> = seeds().iter().map(end).collect();
        let some = |is: fn(&Standing) -> bool| ends.iter().filter(|standing| is(standing)).count();
        assert!(some(|standing| matches!(standing, Standing::Ready(_))) >= 6, "{ends:?}");
        assert!(some(|standing| matches!(standing, Standing::Abandoned(_))) >= 1, "{ends:?}");
    }
}
