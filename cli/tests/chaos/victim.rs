//! The host that is struck.

use crate::house::{BANKS, House, Seconds};
use crate::process::Process;

/// Whose process suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Coordinator,
    Participant,
}

impl Victim {
    pub(crate) fn host(self) -> &'static str {
        match self {
            Self::Coordinator => "operator",
            Self::Participant => BANKS[PLACE],
        }
    }

    /// Nobody's messages are lost with a coordinator. A participant's keys are, and so the others must not wait for ever.
    pub(crate) fn deadlines(self) -> Seconds {
        match self {
            Self::Coordinator => Seconds::FOR_EVER,
            Self::Participant => Seconds(5),
        }
    }

    pub(crate) fn start(self, house: &House, environment: &[(String, String)]) -> Process {
        match self {
            Self::Coordinator => house.coordinator_with(environment),
            Self::Participant => house.bank_with(self.host(), environment),
        }
    }

    pub(crate) fn among<'p>(self, coordinator: &'p mut Process, banks: &'p mut [Process]) -> &'p mut Process {
        match self {
            Self::Coordinator => coordinator,
            Self::Participant => &mut banks[PLACE],
        }
    }
}

/// Everybody, the victim with this environment.
pub(crate) fn started(
    house: &House,
    victim: Victim,
    environment: &[(String, String)],
) -> (Process, Vec<Process>) {
    let of = |host: &str| if host == victim.host() { environment } else { &[] };
    let banks = BANKS.iter().map(|bank| house.bank_with(bank, of(bank))).collect();
    (house.coordinator_with(of("operator")), banks)
}

/// The participant that is struck is neither the first nor the last.
const PLACE: usize = 1;
