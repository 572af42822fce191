//! The coordinator's state machine under arbitrary inputs: a little program of honest, altered, forged, repeated and
//! foreign messages, deadlines and the coordinator's own events, with the invariants checked after every step.

mod alter;
mod play;
mod watch;

use std::sync::LazyLock;

use syndic_round::coordinator::Input;

use crate::script::Script;
pub(crate) use alter::{alter, disguised, forged, own_event, pick, with_message};
use play::Play;
pub(crate) use watch::fingerprint;

/// Steps of six bytes: what, who, and four bytes that say how. The two longest seeds fit twice.
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
}

/// Messages of a round of the same federation that ended well, to be played into others.
static FOREIGN: LazyLock<Vec<Input>> = LazyLock::new(|| {
    let mut play = Play::open(2);
    PHASES.iter().for_each(|_| play.act([play::EVERYBODY, 0, 0, 0, 0, 0], &[]));
    play.said().to_vec()
});

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    use play::*;
    let phase = |step: [u8; 6]| step;
    let all = phase([EVERYBODY, 0, 0, 0, 0, 0]);
    let honest = vec![all; PHASES.len()];
    let end = |kind: u8| [OWN_EVENT, 0, kind, 0, 0, 0];
    let programs: Vec<Vec<[u8; 6]>> = vec![
        // Closed; the sum refused; one more reveal asked for, which is the wrong one.
        [honest.clone(), vec![end(0)]].concat(),
        [honest.clone(), vec![end(2)]].concat(),
        [honest.clone(), vec![end(1), all, end(0)]].concat(),
        // One vanishes before each phase, and the deadline comes.
        (0..6)
            .flat_map(|_| (1..5).map(|who| [ONE, who, 0, 0, 0, 0]).chain([[DEADLINE, 0, 0, 0, 0, 0]]))
            .chain([end(0)])
            .collect(),
        // A complaint, a decline in each phase, a restart.
        vec![all, all, [ONE, 0, 3, 0, 0, 0], [ONE, 1, 3, 0, 0, 0], all, all, [RESTART; 6], all, all, end(0)],
        vec![all, [DECLINE, 4, 0, 0, 0, 0], all, all, all, all, all, end(0)],
        // Two reveal, the others promise never to.
        [
            honest[..5].to_vec(),
            vec![[ONE, 0, 0, 0, 0, 0], [DECLINE, 1, 0, 0, 0, 0], [DECLINE, 2, 0, 0, 0, 0]],
            vec![all, [DEADLINE; 6]],
        ]
        .concat(),
        [honest[..5].to_vec(), (0..4).map(|who| [VOID, who, 0, 0, 0, 0]).collect()].concat(),
        // One reveals, then would promise never to have; another the other way round.
        [
            honest[..5].to_vec(),
            vec![[ONE, 0, 0, 0, 0, 0], [VOID, 0, 0, 0, 0, 0], [VOID, 1, 0, 0, 0, 0], [REVEAL, 1, 0, 4, 0, 0]],
            vec![all, end(0)],
        ]
        .concat(),
        // Forgery, repetition, another round's messages, one kind of message passed off as another.
        vec![all, [FORGE, 1, 0, 5, 1, 0], [REPEAT, 0, 3, 0, 0, 0], [FOREIGN_MESSAGE, 0, 7, 0, 0, 0], all],
        vec![[ALTER, 2, 0, 40, 1, 0], [DISGUISE, 0, 2, 4, 0, 0], all, [IMPERSONATE, 1, 2, 0, 0, 0], all],
        vec![all, all, all, [CERTIFY, 1, 0, 0, 0, 0], [REVEAL, 1, 1, 9, 0, 0], all, [HEADER, 1, 1, 0, 0, 0]],
    ];
    programs.into_iter().map(|steps| steps.concat()).collect()
}

/// What is done, in this order, in a round where nobody is missing.
const PHASES: [&str; 6] = ["advertise", "share", "acknowledge", "submit", "certify", "reveal"];

const MOST_STEPS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_round::coordinator::{Abandoned, Phase};

    fn end(program: &[u8]) -> Phase {
        let mut play = Play::open(1);
        program.chunks(6).for_each(|step| play.act(step.try_into().unwrap(), &FOREIGN));
        play.round().phase().clone()
    }

    #[test]
    fn the_samples_reach_every_end() {
        let ends: Vec<Phase> = seeds().iter().map(|seed| end(seed)).collect();
        let some = |is: fn(&Phase) -> bool| ends.iter().filter(|phase| is(phase)).count();
        assert!(some(|phase| matches!(phase, Phase::Closed(_))) >= 3);
        assert!(some(|phase| matches!(phase, Phase::Abandoned(Abandoned::SumRefused(_)))) >= 1);
        assert!(some(|phase| matches!(phase, Phase::Abandoned(Abandoned::Voided(_)))) >= 1);
    }
}
