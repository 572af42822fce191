//! Attacks of docs/protocol.md, section 8, that a lying coordinator plays by a script on the participants of a
//! federation of five: t = 4, c = 2, the corrupted are 4 and 5.

mod ahead;
mod openings;
mod sets;
mod shared;
mod terms;

use syndic_round::Signed;
use syndic_simulation::{Engine, Liar, Table};

const ALL: [u16; 5] = [1, 2, 3, 4, 5];
const HONEST: [u16; 3] = [1, 2, 3];

fn alone() -> Liar {
    Liar::new(1, Engine::Encrypted, 5, &[])
}

fn in_league() -> Liar {
    Liar::new(1, Engine::Encrypted, 5, &[4, 5])
}

/// What the protocol promises whatever was tried.
fn unbroken(liar: &Liar) {
    assert_eq!(liar.violation(), None, "\n{}", liar.operations().join("\n"));
}

fn pick(messages: &[Signed], who: &[u16]) -> Vec<Signed> {
    messages.iter().filter(|signed| who.contains(&signed.from.get())).cloned().collect()
}

/// A table at which every update is in.
fn collected(liar: &mut Liar) -> Table {
    let ask = liar.ask(1, 1, 1);
    liar.play(&ask, &ALL)
}

/// The code with which the honest decline a survivor list.
fn refused_list(headers: impl FnOnce(&Table, &mut Liar) -> Vec<Signed>) -> &'static str {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let headers = headers(&table, &mut liar);
    let code = liar.certify(&table, &headers, &HONEST).code();
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
    code
}

/// The code with which the honest decline a certificate.
fn refused_certificate(signatures: impl FnOnce(&Table, &[Signed], &mut Liar) -> Vec<Signed>) -> &'static str {
    let mut liar = in_league();
    let table = collected(&mut liar);
    let signed = liar.certify(&table, &table.headers, &ALL).said;
    let signatures = signatures(&table, &signed, &mut liar);
    let code = liar.reveal(&table.ask, &signatures, &HONEST).code();
    assert_eq!(liar.sums_opened(), 0);
    unbroken(&liar);
    code
}

#[test]
fn an_honest_script_opens_one_sum() {
    for mut liar in [alone(), in_league()] {
        let table = collected(&mut liar);
        let signed = liar.certify(&table, &table.headers, &ALL).said;
        let reveals = liar.reveal(&table.ask, &signed, &ALL);
        assert_eq!(reveals.declined, []);
        assert_eq!(liar.sums_opened(), 1);
        unbroken(&liar);
    }
}

#[test]
fn with_more_colluders_than_the_plan_tolerates_the_invariants_are_seen_to_break() {
    let mut liar = Liar::new(1, Engine::Encrypted, 5, &[3, 4, 5]);
    let table = collected(&mut liar);
    // Three signatures are the colluders' own, so one victim is enough for each of two certificates.
    for (victim, set) in [(1, [1, 3, 4, 5]), (2, [2, 3, 4, 5])] {
        let headers = pick(&table.headers, &set);
        let signed = liar.certify(&table, &headers, &[victim, 3, 4, 5]).said;
        assert_eq!(liar.reveal(&table.ask, &signed, &[victim]).declined, []);
    }
    assert_eq!(liar.violation().map(|broken| broken.invariant), Some("nothing_beyond_one_sum"));
}
