//! What every store of cosignatures promises.

use syndic_round::ParticipantId;

use crate::store::{Cosignature, Cosignatures};

fn of(witness: u16, size: u64) -> Cosignature {
    let witness = ParticipantId::new(witness).unwrap();
    Cosignature { witness, size, line: format!("\u{2014} bank-{witness} c2ln\n") }
}

/// The newest of each witness is kept, in the order of witnesses, and is there when the store is opened anew.
pub(super) async fn cosignatures_keep_their_promise<S: Cosignatures>(open: impl AsyncFn() -> S) {
    let store = open().await;
    assert_eq!(store.kept().await.unwrap(), []);
    for cosignature in [of(10, 3), of(2, 3), of(10, 5)] {
        store.keep(&cosignature).await.unwrap();
    }
    assert_eq!(open().await.kept().await.unwrap(), [of(2, 3), of(10, 5)]);
}
