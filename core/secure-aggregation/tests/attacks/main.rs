//! Attacks on the cryptography that must fail. Each test plays the attacker as well as it can; where a rule is what
//! stops the attack, the attack is also played without the rule, and then succeeds.
//!
//! Attacks are numbered as in docs/threat-model.md. Where each is played, in tests of the same number
//! (`a07_...`) unless the line says otherwise:
//!
//! | attack | played in |
//! |---|---|
//! | A1-A8, A10-A15, A33, A34 | core/round/tests/all/attacks.rs |
//! | A9 a seed or a mask from the wire | does not compile: src/inexpressible.rs |
//! | A16 inconsistent shares | src/sharing.rs, src/verification.rs, src/small/tests.rs, `small_vectors` |
//! | A17 false complaints, A36 two public parts | core/round/tests/all/sharing_attacks.rs |
//! | A18 wrong reveals, A22 late upload | tests/encrypted_round/main.rs |
//! | A19 another key in the shares, A26 chunks and leaves, A37 mixed preparations | `wrong_updates` |
//! | A20 overflow | `wrong_updates`, core/round/tests/all/limbs.rs |
//! | A21 a second update under one key | does not compile: src/inexpressible.rs |
//! | A23 mixed survivor sets | `mixed_sets` |
//! | A24 binary keys | src/inexpressible.rs, `binary_keys_are_never_generated` in tests/encrypted_round/main.rs |
//! | A25 errors and the round's seed | `error_seed` |
//! | A27 spot check | `spot_check` |
//! | A28 restored snapshots, A29 one left out and taken in again | simulation/tests/lying_coordinator |
//! | A30 binary keys on a toy lattice; bounded errors | `binary_keys`, `bounded_errors` |
//! | A31 a retry without one | `retries`, core/round/tests/all/opening_attacks.rs, participant/src/journal/tests.rs |
//! | A32 void and opening | core/round/tests/all/opening_attacks.rs, core/round/tests/all/coordinator.rs, participant/src/journal/tests.rs |
//! | A35 blinding shares | `blinding`, `small_vectors`, src/sharing.rs, src/small/tests.rs |
//! | A37 mixed preparations, as messages | core/round/tests/all/opening_attacks.rs |
//! | A38 one liar among exactly t, in a small vector | `small_vectors` |
//!
//! Once more, dishonest roles against whole honest ones: simulation/tests/ (all but A20, A21, A24-A27, A30, A35, A38), and over TLS:
//! cli/tests/ (A16-A19, A27, A31, A32). Not played here, since they need services or journals: the crashes of A21, the slow senders of A26, the lost keys of A37.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

mod algebra;
mod binary_keys;
mod blinding;
mod bounded_errors;
#[path = "../small_vectors/dealt.rs"]
mod dealt;
mod error_seed;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../encrypted_round/federation.rs"]
mod federation;
mod lattice;
mod mixed_sets;
mod retries;
mod small_vectors;
mod spot_check;
mod wrong_updates;
