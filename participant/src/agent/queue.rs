//! The duties of one job that wait until those before them are done. Whoever puts one in never waits, so that a job which is slow
//! delays itself only; and there are never many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use syndic_ledger::Hash;
use syndic_proto::convert::Owed;
use syndic_round::{RoundId, Signed};
use tokio::sync::Notify;

use super::attending::Handed;
use super::files::held;

/// Puts duties in; once it is dropped, no more come.
pub(super) struct Queue(Arc<Waiting>);

/// Takes duties out, in the order in which they came.
pub(super) struct Duties(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Default)]
struct Line {
    handed: VecDeque<Handed>,
    is_closed: bool,
}

/// Both ends of a queue with nothing in it.
pub(super) fn queue() -> (Queue, Duties) {
    let waiting = Arc::new(Waiting::default());
    (Queue(waiting.clone()), Duties(waiting))
}

impl Queue {
    /// Puts a duty in. With the end of a round it lets go of what waits of that round, which nobody would hear any more; and beyond
    /// [`MOST`], or [`MOST_BYTES`], of the oldest, as if the connection had been lost while they came. How many these were. One
    /// alone stays, whatever its size.
    pub(super) fn put(&self, mut handed: Handed) -> usize {
        // What is a slice of the message that it came in would hold all of that.
        handed.duty.plan = handed.duty.plan.to_vec().into();
        let mut line = held(&self.0.line);
        if matches!(handed.duty.owed, Owed::Over(_)) {
            line.handed.retain(|earlier| is_for_good(earlier) || earlier.duty.at != handed.duty.at);
        }
        line.handed.push_back(handed);
        let mut bytes: usize = line.handed.iter().map(bytes_of).sum();
        let mut beyond = 0;
        while line.handed.len() > MOST || (bytes > MOST_BYTES && line.handed.len() > 1) {
            let oldest = line.handed.iter().position(|earlier| !is_unbelieved(earlier)).unwrap_or(0);
            bytes -= line.handed.remove(oldest).as_ref().map_or(0, bytes_of);
            beyond += 1;
        }
        drop(line);
        self.0.changed.notify_one();
        beyond
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        held(&self.0.line).is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Duties {
    /// The next duty; none once no more come. Nothing is lost where this is given up.
    pub(super) async fn next(&mut self) -> Option<Handed> {
        loop {
            {
                let mut line = held(&self.0.line);
                match line.handed.pop_front() {
                    None if line.is_closed => return None,
                    None => {}
                    handed => return handed,
                }
            }
            self.0.changed.notified().await;
        }
    }
}

/// Whether it is still to be done when its round is over.
fn is_for_good(handed: &Handed) -> bool {
    matches!(handed.duty.owed, Owed::Over(_) | Owed::JobOver(_) | Owed::Void(_)) || is_unbelieved(handed)
}

/// Whether it shows that the coordinator lies of its ledger: this participant has to hear of it, however busy it is.
fn is_unbelieved(handed: &Handed) -> bool {
    matches!(handed.believed, Some(Err(_)))
}

/// How much of the memory is its own, about.
fn bytes_of(handed: &Handed) -> usize {
    let of_one = |signed: &Signed| size_of::<Signed>() + signed.payload.capacity();
    let of_all = |all: &[Signed]| all.iter().map(of_one).sum::<usize>();
    let duty = &handed.duty;
    let owed = match &duty.owed {
        Owed::Deal(all) | Owed::Submit(all) | Owed::Certify(all) | Owed::Reveal(all) | Owed::Void(all) => {
            of_all(all)
        }
        Owed::Acknowledge(shares) => {
            shares.iter().map(|share| of_one(&share.public) + share.sealed.capacity()).sum()
        }
        Owed::Over(reason) | Owed::JobOver(reason) => reason.as_ref().map_or(0, String::capacity),
        Owed::Advertise | Owed::ModelStaged => 0,
    };
    let voided: usize =
        duty.voided.iter().map(|(_, promises)| size_of::<(RoundId, Vec<Signed>)>() + of_all(promises)).sum();
    // The entry is there once more where it is believed.
    let shown = duty.ledger.as_ref().map_or(0, |shown| {
        let hashes = shown.consistency.len() + shown.inclusion.len();
        shown.checkpoint.capacity() + 2 * shown.entry.capacity() + hashes * size_of::<Hash>()
    });
    size_of::<Handed>() + duty.plan.len() + owed + voided + shown
}

/// More than a round, and a preparation made beside it, ask for.
const MOST: usize = 16;
/// 32 MiB of one job: of the largest duties of the largest cohort more than one round has.
const MOST_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use syndic_proto::convert::{Duty, PlaceRef, RoundRef};
    use syndic_round::{JobId, ParticipantId};

    use super::super::error::Declined;
    use super::*;

    fn duty(round: u32, owed: Owed) -> Handed {
        let round = RoundRef { job: JobId::new("slow").unwrap(), id: RoundId { round, attempt: 1 } };
        let (at, voided) = (PlaceRef::from(round), Vec::new());
        Handed { duty: Duty { voided, ledger: None, at, plan: Vec::new().into(), owed }, believed: None }
    }

    fn said(handed: &Handed) -> String {
        let owed = match handed.duty.owed {
            Owed::Advertise => "advertise",
            Owed::Deal(_) => "deal",
            Owed::Void(_) => "void",
            Owed::Over(_) => "over",
            _ => "job over",
        };
        format!("{}: {owed}", handed.duty.at.place)
    }

    /// What waits, of a queue into which no more comes.
    async fn all(mut duties: Duties) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(handed) = duties.next().await {
            all.push(said(&handed));
        }
        all
    }

    fn expected(of: &[(u32, Owed)]) -> Vec<String> {
        of.iter().map(|(round, owed)| said(&duty(*round, copy(owed)))).collect()
    }

    fn copy(owed: &Owed) -> Owed {
        match owed {
            Owed::Advertise => Owed::Advertise,
            Owed::Void(_) => Owed::Void(Vec::new()),
            Owed::Over(_) => Owed::Over(None),
            Owed::JobOver(_) => Owed::JobOver(None),
            _ => Owed::Deal(Vec::new()),
        }
    }

    #[tokio::test]
    async fn however_slow_a_job_is_who_puts_duties_in_does_not_wait_and_the_newest_are_kept() {
        let (queue, duties) = queue();
        let dropped: Vec<usize> = (1..=40).map(|round| queue.put(duty(round, Owed::Advertise))).collect();
        assert_eq!(dropped, [[0; MOST].as_slice(), &[1; 24]].concat());
        queue.put(duty(0, Owed::JobOver(None)));
        drop(queue);
        let waiting: Vec<(u32, Owed)> = (26..=40).map(|round| (round, Owed::Advertise)).collect();
        let waiting = [expected(&waiting), expected(&[(0, Owed::JobOver(None))])].concat();
        assert_eq!(all(duties).await, waiting);
    }

    #[tokio::test]
    async fn however_large_duties_are_those_that_wait_are_never_more_than_so_many_bytes() {
        let (queue, duties) = queue();
        let large = |round: u32| {
            let from = ParticipantId::new(1).unwrap();
            let signed = Signed { from, payload: vec![0; MOST_BYTES / 4], signature: [0; 64] };
            duty(round, Owed::Deal(vec![signed]))
        };
        let lie = Some(Err(Declined::NotOnRecord.into()));
        let dropped = [
            queue.put(Handed { believed: lie, ..large(1) }),
            queue.put(large(2)),
            queue.put(large(3)),
            queue.put(large(4)),
            queue.put(large(5)),
            queue.put(duty(6, Owed::Advertise)),
        ];
        assert_eq!(dropped, [0, 0, 0, 1, 1, 0]);
        drop(queue);
        let deal = || Owed::Deal(Vec::new());
        assert_eq!(
            all(duties).await,
            expected(&[(1, deal()), (4, deal()), (5, deal()), (6, Owed::Advertise)])
        );
    }

    #[tokio::test]
    async fn of_a_round_that_is_over_nothing_waits_but_its_end_and_the_promise_never_to_reveal() {
        let (queue, duties) = queue();
        for (round, owed) in [
            (1, Owed::Advertise),
            (2, Owed::Advertise),
            (1, Owed::Deal(Vec::new())),
            (1, Owed::Void(Vec::new())),
            (1, Owed::Over(None)),
            (2, Owed::Deal(Vec::new())),
        ] {
            assert_eq!(queue.put(duty(round, owed)), 0);
        }
        drop(queue);
        let waiting = [
            (2, Owed::Advertise),
            (1, Owed::Void(Vec::new())),
            (1, Owed::Over(None)),
            (2, Owed::Deal(Vec::new())),
        ];
        assert_eq!(all(duties).await, expected(&waiting));
    }

    #[tokio::test]
    async fn a_lie_of_the_ledger_is_kept_whatever_comes_after_it() {
        let (queue, mut duties) = queue();
        let lie = Some(Err(Declined::NotOnRecord.into()));
        queue.put(Handed { believed: lie, ..duty(1, Owed::Certify(Vec::new())) });
        queue.put(duty(1, Owed::Over(None)));
        for round in 2..=40 {
            queue.put(duty(round, Owed::Advertise));
        }
        let first = duties.next().await.unwrap();
        assert!(is_unbelieved(&first) && matches!(first.duty.owed, Owed::Certify(_)));
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_the_next_duty_and_of_the_end() {
        let (queue, mut duties) = queue();
        let puts = async move {
            tokio::task::yield_now().await;
            queue.put(duty(1, Owed::Advertise));
            tokio::task::yield_now().await;
            drop(queue);
        };
        let takes = async {
            let first = duties.next().await.map(|handed| said(&handed));
            (first, duties.next().await.is_none())
        };
        let ((first, is_end), ()) = tokio::join!(takes, puts);
        assert_eq!((first, is_end), (expected(&[(1, Owed::Advertise)]).pop(), true));
    }
}
