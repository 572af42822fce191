//! What the institutions of a run answered, in the clear, to be compared with the sums that are opened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use syndic_participant::agent;
use syndic_participant::tls::Tap;
use syndic_proto::convert::RoundRef;
use syndic_round::{ParticipantId, RoundId};

/// What the institutions answered, in the clear.
#[derive(Default)]
pub(crate) struct Answers(pub(crate) Mutex<BTreeMap<(RoundId, ParticipantId), Vec<i64>>>);

/// Looks over one institution's shoulder.
pub(crate) struct Watcher(pub(crate) ParticipantId, pub(crate) Arc<Answers>);

impl Tap for Watcher {
    fn sending(&self, _: &[u8]) {}
}

impl agent::Observer for Watcher {
    fn answered(&self, round: &RoundRef, coefficients: &[i64]) {
        let earlier = self.1.0.lock().unwrap().insert((round.id, self.0), coefficients.to_vec());
        assert!(earlier.is_none(), "participant {} encrypts one answer for {}", self.0, round.id);
    }
}
