//! The scenarios: every trouble with ten seeds.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::proxy::{Course, End, Pace, Weather};
use crate::house::{BANKS, Seconds};

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Everything takes long.
    Late,
    /// Everything takes now longer, now shorter.
    Jittery,
    /// A few bytes at a time.
    Trickling,
    /// Closed in the middle of what an institution says.
    CutUp,
    /// Closed in the middle of what the coordinator says.
    CutDown,
    /// Reset in the middle of either.
    Reset,
    /// What an institution says goes nowhere from some byte on.
    SilentUp,
    /// What the coordinator says goes nowhere from some byte on.
    SilentDown,
    /// Both.
    Partition,
    /// Longer away than any phase waits.
    Away,
    /// Two connections for each, of which one is a copy.
    Doubled,
    /// A byte arrives as another.
    Altered,
    /// Everybody connects again and again, among strangers who say nothing or nonsense.
    Storm,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) trouble: Trouble,
    pub(crate) seed: u64,
}

/// All of them.
pub(crate) fn all(seed: u64) -> Vec<Scenario> {
    let of = |trouble| (0..10).map(move |number| Scenario { trouble, seed: 1_000 * seed + number });
    TROUBLES.into_iter().flat_map(of).collect()
}

impl Scenario {
    /// Whoever is gone for good is missed for ever, but where the others are to go on.
    pub(crate) fn deadlines(&self) -> Seconds {
        if self.trouble == Trouble::Away { Seconds(3) } else { Seconds::FOR_EVER }
    }

    pub(crate) fn strangers(&self) -> usize {
        if self.trouble == Trouble::Storm { 40 } else { 0 }
    }

    /// What becomes of the connections of each institution, in the order of their ids.
    pub(crate) fn weather(&self) -> Vec<Vec<Weather>> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ (self.trouble as u64) << 32);
        let most = match self.trouble {
            Trouble::Away => 1,
            Trouble::Storm => BANKS.len(),
            _ => rng.random_range(1..=BANKS.len()),
        };
        let first = rng.random_range(0..BANKS.len());
        let is_struck = |place: usize| (place + BANKS.len() - first) % BANKS.len() < most;
        let mut of = |place| {
            let connections = if is_struck(place) { self.connections(&mut rng) } else { 0 };
            (0..connections).map(|_| self.connection(&mut rng)).collect()
        };
        (0..BANKS.len()).map(&mut of).collect()
    }

    /// How many connections something happens to, one after the other.
    fn connections(&self, rng: &mut StdRng) -> usize {
        match self.trouble {
            Trouble::Late | Trouble::Jittery | Trouble::Trickling | Trouble::Doubled => 100,
            Trouble::SilentUp | Trouble::SilentDown | Trouble::Partition | Trouble::Away => 1,
            Trouble::Storm => 8,
            Trouble::CutUp | Trouble::CutDown | Trouble::Reset | Trouble::Altered => rng.random_range(1..=5),
        }
    }

    fn connection(&self, rng: &mut StdRng) -> Weather {
        let paced = |most, millis| Course { pace: Some(Pace { most, millis }), ..Course::default() };
        let ends = |place, end| Course { end: Some((place, end)), ..Course::default() };
        let calm = Weather::default();
        match self.trouble {
            Trouble::Late => {
                let millis = rng.random_range(20..150);
                let course = paced(16 << 10, (millis, millis));
                Weather { up: course, down: course, ..calm }
            }
            Trouble::Jittery => {
                let course = paced(4 << 10, (0, rng.random_range(10..60)));
                Weather { up: course, down: course, ..calm }
            }
            Trouble::Trickling => {
                let course = paced(rng.random_range(500..1_500), (2, 2));
                Weather { up: course, down: course, ..calm }
            }
            Trouble::CutUp => Weather { up: ends(place(rng), End::Closed), ..calm },
            Trouble::CutDown => Weather { down: ends(place(rng), End::Closed), ..calm },
            Trouble::Reset if rng.random() => Weather { up: ends(place(rng), End::Reset), ..calm },
            Trouble::Reset => Weather { down: ends(place(rng), End::Reset), ..calm },
            Trouble::SilentUp => Weather { up: ends(place(rng), End::Silent), ..calm },
            Trouble::SilentDown => Weather { down: ends(place(rng), End::Silent), ..calm },
            Trouble::Partition => {
                let (up, down) = (ends(place(rng), End::Silent), ends(place(rng), End::Silent));
                Weather { up, down, away: Duration::from_secs(rng.random_range(1..5)), ..calm }
            }
            Trouble::Away => {
                let away = Duration::from_secs(rng.random_range(4..12));
                Weather { up: ends(place(rng), End::Closed), away, ..calm }
            }
            Trouble::Doubled => Weather { is_doubled: true, ..calm },
            Trouble::Altered if rng.random() => {
                Weather { up: Course { altered: Some(place(rng)), ..Course::default() }, ..calm }
            }
            Trouble::Altered => {
                Weather { down: Course { altered: Some(place(rng)), ..Course::default() }, ..calm }
            }
            Trouble::Storm => Weather { up: ends(rng.random_range(1..5_000), End::Closed), ..calm },
        }
    }
}

/// A byte of a connection: in the handshake as often as in a message, or in the middle of an update.
fn place(rng: &mut StdRng) -> u64 {
    1 << rng.random_range(0..LARGEST_PLACE) | rng.random_range(0..1_024)
}

const TROUBLES: [Trouble; 13] = [
    Trouble::Late,
    Trouble::Jittery,
    Trouble::Trickling,
    Trouble::CutUp,
    Trouble::CutDown,
    Trouble::Reset,
    Trouble::SilentUp,
    Trouble::SilentDown,
    Trouble::Partition,
    Trouble::Away,
    Trouble::Doubled,
    Trouble::Altered,
    Trouble::Storm,
];
/// A quarter of a megabyte and more: what a connection carries in this job.
const LARGEST_PLACE: u32 = 18;
