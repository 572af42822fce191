//! Who is connected, and who has heard that a job is over.

mod notes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use syndic_round::{JobId, ParticipantId, Timestamp};
use tokio::time::Instant;

use super::{Coordinator, Inner};
use crate::clock;

/// Who is there, and who need not come back.
#[derive(Default)]
pub(super) struct Presence {
    /// Connections of each participant; none of nobody.
    connections: BTreeMap<ParticipantId, Connected>,
    /// The same at other replicas, by their names, as they last said.
    elsewhere: BTreeMap<String, BTreeMap<ParticipantId, Connected>>,
    /// Since when those are not here who are not, as far as that was noticed.
    absent_since: BTreeMap<ParticipantId, Instant>,
    /// Who was told that a job is over, of the job of which anybody was told so last.
    dismissed: Option<(JobId, BTreeSet<ParticipantId>)>,
}

/// How long a participant has been there, and what it says it holds. Hints for what to do next, no more: nothing that
/// counts depends on them.
#[derive(Clone)]
struct Connected {
    connections: usize,
    since: Timestamp,
    /// Numbers of the preparations whose keys it held when it came, by job.
    came_with: BTreeMap<JobId, u64>,
    /// By job; nothing is held of jobs that are not here.
    jobs: BTreeMap<JobId, Keeping>,
}

/// What a participant has of a job.
#[derive(Clone, Copy, Default)]
struct Keeping {
    /// The newest preparation whose keys it holds: by its own word when it came, or by its acknowledgement.
    holding: u64,
    /// It did not keep up with the last preparation that a round made for itself, and has not been heard since.
    is_silent: bool,
}

impl Keeping {
    fn of(came_with: &BTreeMap<JobId, u64>) -> BTreeMap<JobId, Self> {
        let keeping = |number: &u64| Self { holding: *number, is_silent: false };
        came_with.iter().map(|(job, number)| (job.clone(), keeping(number))).collect()
    }
}

/// What a participant says it has of a job when it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Job.
    pub job: JobId,
    /// Number of the preparation made ahead whose keys it holds; 0 for none.
    pub preparation: u64,
}

/// A preparation made ahead: whom it serves.
pub(super) struct MadeAhead<'a> {
    pub(super) job: &'a JobId,
    pub(super) number: u64,
    pub(super) begun: Timestamp,
    pub(super) admitted: &'a [ParticipantId],
    pub(super) eligible: &'a [ParticipantId],
    /// Who said no to it, before it was ready or since.
    pub(super) declined: &'a BTreeMap<ParticipantId, String>,
    pub(super) min_survivors: u16,
}

impl Presence {
    /// Here or at another replica.
    pub(super) fn is_connected(&self, id: ParticipantId) -> bool {
        self.connection(id).is_some()
    }

    /// Who of these is absent, and since when: since it left, or was missed first.
    pub(super) fn absences(&mut self, ids: &[ParticipantId], now: Instant) -> Vec<(ParticipantId, Instant)> {
        let absent: Vec<_> = ids.iter().copied().filter(|id| !self.is_connected(*id)).collect();
        absent.into_iter().map(|id| (id, *self.absent_since.entry(id).or_insert(now))).collect()
    }

    /// Counts the absence of those of these who are absent from now on: all of them have to come, after an outage for instance.
    pub(super) fn miss_anew(&mut self, ids: &[ParticipantId], now: Instant) {
        for (id, _) in self.absences(ids, now) {
            self.absent_since.insert(id, now);
        }
    }

    /// Its newest connection. Whoever lost one to a replica that died is still told of there for a while.
    fn connection(&self, id: ParticipantId) -> Option<&Connected> {
        let elsewhere = self.elsewhere.values().filter_map(|at| at.get(&id));
        elsewhere.chain(self.connections.get(&id)).max_by_key(|it| it.since)
    }

    fn connections_of(&mut self, id: ParticipantId) -> impl Iterator<Item = &mut Connected> {
        let elsewhere = self.elsewhere.values_mut().filter_map(move |at| at.get_mut(&id));
        elsewhere.chain(self.connections.get_mut(&id))
    }

    /// It has acknowledged the shares of the preparation with this number.
    pub(super) fn holds(&mut self, id: ParticipantId, job: &JobId, number: u64) {
        for it in self.connections_of(id) {
            it.jobs.insert(job.clone(), Keeping { holding: number, is_silent: false });
        }
    }

    /// It has not acknowledged in time what a round prepared for itself.
    pub(super) fn fell_silent(&mut self, id: ParticipantId, job: &JobId) {
        for it in self.connections_of(id) {
            it.jobs.entry(job.clone()).or_default().is_silent = true;
        }
    }

    /// Nothing is kept of a job that is over.
    pub(super) fn forget(&mut self, job: &JobId) {
        for it in self.elsewhere.values_mut().chain([&mut self.connections]).flat_map(BTreeMap::values_mut) {
            it.jobs.remove(job);
        }
    }

    /// Whether the next round is to consume `ahead`: enough of its members are there, and nobody is whom it leaves out.
    pub(super) fn is_served_by(&self, ahead: &MadeAhead<'_>) -> bool {
        let is_there = |id: &&ParticipantId| self.is_connected(**id) && !ahead.declined.contains_key(*id);
        let there = ahead.eligible.iter().filter(is_there).count();
        there >= usize::from(ahead.min_survivors)
            && !ahead.admitted.iter().any(|id| self.is_left_out(*id, ahead))
    }

    /// Whether `id` is there but came too late for `ahead`, has lost its keys since, or did not keep up. Whoever keeps up
    /// with nothing is not waited for again and again.
    fn is_left_out(&self, id: ParticipantId, ahead: &MadeAhead<'_>) -> bool {
        let Some(it) = self.connection(id) else { return false };
        let Keeping { holding, is_silent } = it.jobs.get(ahead.job).copied().unwrap_or_default();
        let came_without = it.since > ahead.begun && holding != ahead.number;
        let took_part = ahead.eligible.contains(&id) || ahead.declined.contains_key(&id);
        !is_silent && (came_without || !took_part)
    }
}

/// A connected participant; dropped when its connection ends.
pub struct Attached {
    inner: Arc<Inner>,
    id: ParticipantId,
    name: String,
}

impl Coordinator {
    /// Counts a connection of `id`, which says what it holds of which jobs, until the guard is dropped.
    pub fn attach(&self, id: ParticipantId, name: String, holding: &[Holding]) -> Attached {
        {
            let mut present = self.inner.lock_present();
            let connections = present.connections.get(&id).map_or(0, |it| it.connections) + 1;
            // An older connection may be dead and not known to be: who comes anew says what it holds now.
            let came_with = holding.iter().map(|it| (it.job.clone(), it.preparation)).collect();
            let jobs = Keeping::of(&came_with);
            let came = Connected { connections, since: clock::now(), came_with, jobs };
            present.connections.insert(id, came);
            present.absent_since.remove(&id);
        }
        self.inner.tell_connection(&name, true);
        self.inner.tick();
        Attached { inner: self.inner.clone(), id, name }
    }

    /// Notes that `id` was told of the end of `job`.
    pub(crate) fn dismiss(&self, id: ParticipantId, job: &JobId) {
        {
            let mut present = self.inner.lock_present();
            match &mut present.dismissed {
                Some((of, told)) if of == job => drop(told.insert(id)),
                dismissed => *dismissed = Some((job.clone(), BTreeSet::from([id]))),
            }
        }
        self.inner.tick();
    }

    /// Waits until every member was told of the end of `job` and is gone, at most `longest`. After a restart they must first
    /// come back; who serves further jobs stays.
    pub async fn all_gone(&self, job: &JobId, longest: Duration) {
        let mut changed = self.changes();
        let roster = self.roster();
        let gone = async {
            loop {
                changed.borrow_and_update();
                let all_gone = {
                    let present = self.inner.lock_present();
                    let told = present.dismissed.as_ref().filter(|(of, _)| of == job);
                    let members = &roster.roster().members;
                    let all_told = told.is_some_and(|(_, told)| members.iter().all(|m| told.contains(&m.id)));
                    all_told && present.connections.is_empty()
                };
                if all_gone || changed.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whoever stays longer hears of the end from the ledger.
        let _ = tokio::time::timeout(longest, gone).await;
    }
}

impl Inner {
    pub(super) fn lock_present(&self) -> MutexGuard<'_, Presence> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        {
            let mut present = self.inner.lock_present();
            if let Some(connected) = present.connections.get_mut(&self.id) {
                connected.connections -= 1;
                if connected.connections == 0 {
                    present.connections.remove(&self.id);
                    if !present.is_connected(self.id) {
                        present.absent_since.insert(self.id, Instant::now());
                    }
                }
            }
        }
        self.inner.tell_connection(&self.name, false);
        self.inner.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: Timestamp = Timestamp(1_000);
    const NUMBER: u64 = 7;

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).expect("a participant's number is from 1")
    }

    fn job() -> JobId {
        JobId::new("small").expect("a job's name is plain")
    }

    /// Five members, there since before the preparation was begun, who all hold its keys.
    fn all_present() -> Presence {
        let jobs = BTreeMap::from([(job(), Keeping { holding: NUMBER, is_silent: false })]);
        let connected = Connected { connections: 1, since: Timestamp(0), came_with: BTreeMap::new(), jobs };
        Presence {
            connections: (1..=5).map(|number| (id(number), connected.clone())).collect(),
            ..Presence::default()
        }
    }

    fn serves(present: &Presence, eligible: &[u16], declined: &[u16]) -> bool {
        let eligible: Vec<_> = eligible.iter().map(|number| id(*number)).collect();
        let declined = declined.iter().map(|number| (id(*number), "busy".to_owned())).collect();
        let admitted: Vec<_> = (1..=5).map(id).collect();
        present.is_served_by(&MadeAhead {
            job: &job(),
            number: NUMBER,
            begun: BEGUN,
            admitted: &admitted,
            eligible: &eligible,
            declined: &declined,
            min_survivors: 4,
        })
    }

    #[test]
    fn a_preparation_serves_while_enough_of_its_members_are_there() {
        let mut present = all_present();
        assert!(serves(&present, &[1, 2, 3, 4, 5], &[]));
        present.connections.remove(&id(5));
        assert!(serves(&present, &[1, 2, 3, 4, 5], &[]));
        assert!(!serves(&present, &[1, 2, 3, 4, 5], &[1]), "who says no since is not there");
        present.connections.remove(&id(4));
        assert!(!serves(&present, &[1, 2, 3, 4, 5], &[]));
    }

    #[test]
    fn it_is_passed_over_for_who_is_there_and_left_out() {
        let present = all_present();
        assert!(!serves(&present, &[1, 2, 3, 4], &[]), "it did not keep up");
        assert!(serves(&present, &[1, 2, 3, 4], &[5]), "it said no");

        let came_back = |holding| {
            let mut present = all_present();
            let it = present.connections.get_mut(&id(5)).expect("it is there");
            it.since = Timestamp(2_000);
            it.jobs.insert(job(), Keeping { holding, is_silent: false });
            present
        };
        assert!(serves(&came_back(NUMBER), &[1, 2, 3, 4, 5], &[]), "the connection was lost, and no more");
        assert!(!serves(&came_back(0), &[1, 2, 3, 4, 5], &[]), "it was restarted, and its keys are lost");
        assert!(!serves(&came_back(0), &[1, 2, 3, 4], &[5]), "it said no, and came again");
    }

    #[test]
    fn who_keeps_up_with_nothing_is_passed_over_for_once() {
        let mut present = all_present();
        present.fell_silent(id(5), &JobId::new("other").expect("a job's name is plain"));
        assert!(!serves(&present, &[1, 2, 3, 4], &[]), "in another job it may keep up");
        present.fell_silent(id(5), &job());
        assert!(serves(&present, &[1, 2, 3, 4], &[]));
        present.holds(id(5), &job(), NUMBER - 1);
        assert!(!serves(&present, &[1, 2, 3, 4], &[]), "it is heard again");
    }

    #[test]
    fn an_absence_begins_anew_whenever_somebody_was_here_or_elsewhere() {
        let (mut present, start) = (Presence::default(), Instant::now());
        let since =
            |present: &mut Presence, now| present.absences(&[id(1)], now).first().map(|(_, since)| *since);
        let later = start + Duration::from_secs(3600);
        assert_eq!(since(&mut present, start), Some(start), "it is missed first now");
        assert_eq!(since(&mut present, later), Some(start));

        let elsewhere = all_present().note();
        assert!(present.is_elsewhere([("b".to_owned(), elsewhere)].into_iter()));
        assert_eq!(since(&mut present, later), None);
        assert!(present.is_elsewhere(std::iter::empty()));
        let left = since(&mut present, later).expect("it is nowhere");
        assert!(left >= start && left < later, "since it left there");
        present.miss_anew(&[id(1), id(2)], later);
        assert_eq!(since(&mut present, later), Some(later));
    }
}
