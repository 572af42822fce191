//! A network that misbehaves in every way that TCP leaves it, and calls that are said again in another order.

pub(crate) mod proxy;
mod table;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;

use proxy::{Course, Proxy, Weather};
use table::{Scenario, Trouble};
use tokio::runtime;

use crate::house::{BANKS, Founded, House, Seconds};
use crate::lanes::{chosen, play, seed};
use crate::oracle::{Verdict, judge};

#[test]
fn a_network_that_misbehaves_changes_no_sum() {
    let ran = play(&chosen(table::all(seed()), SAMPLE), |founded, scenario| {
        let (verdict, struck) = weathered(founded, scenario);
        let is_whole = verdict == Verdict::WHOLE;
        // Where nobody waits for who is away, rounds go on without it, or are abandoned.
        assert!(is_whole || scenario.trouble == Trouble::Away, "{verdict:?} in {scenario:?}");
        (scenario.trouble, is_whole, struck)
    });
    let mut told = BTreeMap::<Trouble, (usize, usize, usize)>::new();
    for (trouble, is_whole, struck) in ran {
        let (runs, whole, connections) = told.entry(trouble).or_default();
        (*runs, *whole, *connections) = (*runs + 1, *whole + usize::from(is_whole), *connections + struck);
    }
    for (trouble, (runs, whole, connections)) in told {
        println!("{trouble:?}: {runs} runs, {whole} with everybody, {connections} connections struck");
    }
}

#[test]
fn whoever_has_never_met_its_coordinator_tries_again_after_handshakes_in_which_a_byte_was_altered() {
    // In what the one side draws at random for its first message, and in that of the other.
    let altered = Course { altered: Some(20), ..Course::default() };
    let up = || Weather { up: altered, ..Weather::default() };
    let down = || Weather { down: altered, ..Weather::default() };
    let weather = BANKS.iter().map(|_| vec![up(), down(), up()]).collect();
    let house = Founded::new();
    let (verdict, struck) = through(&house, house.house(Seconds::FOR_EVER), weather, 0, 1);
    assert_eq!((verdict, struck), (Verdict::WHOLE, 3 * BANKS.len()));
}

/// One run; how it ended, and how many connections something happened to.
fn weathered(founded: &Founded, scenario: &Scenario) -> (Verdict, usize) {
    let house = founded.house(scenario.deadlines());
    through(founded, house, scenario.weather(), scenario.strangers(), scenario.seed)
}

/// The same with each institution behind weather of its own, among so many strangers.
fn through(
    founded: &Founded,
    house: House,
    weather: Vec<Vec<Weather>>,
    strangers: usize,
    seed: u64,
) -> (Verdict, usize) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let proxies: Vec<Proxy> = weather
        .into_iter()
        .zip(BANKS)
        .map(|(weather, bank)| {
            let proxy = Proxy::open(&runtime, founded.port, weather, seed);
            house.route(bank, proxy.port);
            proxy
        })
        .collect();
    let mut coordinator = house.coordinator_with(&[]);
    coordinator.wait_for("that it is ready", |line| line.is("ready"));
    let strangers = self::strangers(founded.port, strangers);
    let mut banks: Vec<_> = BANKS.iter().map(|bank| house.bank_with(bank, &[])).collect();
    let verdict = judge(&house, &mut coordinator, &mut banks);
    drop(strangers);
    (verdict, proxies.iter().map(Proxy::struck).sum())
}

/// Connections of others, who say nothing, or nonsense.
fn strangers(port: u16, count: usize) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        if number.is_multiple_of(2) {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
        }
        stream
    };
    (0..count).map(connect).collect()
}

/// Scenarios of the normal run.
const SAMPLE: usize = 4;
