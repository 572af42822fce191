//! An upload that is under way when its coordinator is killed goes on behind what the dead one held.

use std::fs;
use std::thread;

use serde_json::Value;
use syndic_coordinator::store::UploadName;
use tokio::runtime;

use crate::house::{BANKS, Founded, House, Seconds};
use crate::network::proxy::{Course, End, Proxy, Weather};
use crate::oracle::{Verdict, judge};
use crate::process::succeed;
use crate::victim::{Victim, started};

#[test]
fn an_upload_goes_on_after_its_coordinator_was_killed() {
    let founded = Founded::new();
    let house = founded.house(Seconds::FOR_EVER);
    let job = house.host("operator").join("job.toml");
    fs::write(&job, fs::read_to_string(&job).unwrap() + "\n[evaluation]\nbins = 65536\n").unwrap();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // In the middle of the one large update of the job nothing passes any more.
    let silent = Course { end: Some((PLACE, End::Silent)), ..Course::default() };
    let weather = vec![Weather { up: silent, ..Weather::default() }];
    let proxy = Proxy::open(&runtime, founded.port, weather, 1);
    house.route(BANKS[1], proxy.port);

    let (coordinator, mut banks) = started(&house, Victim::Coordinator, &[]);
    let held = loop {
        assert!(!coordinator.has_ended(), "{}", coordinator.told());
        match held(&house) {
            // As many parts as got through.
            Some(held) if proxy.struck() == 1 && held % PART_BYTES == 0 && held > 0 => break held,
            _ => thread::yield_now(),
        }
    };
    coordinator.kill();
    let mut coordinator = house.coordinator_with(&[]);

    assert_eq!(judge(&house, &mut coordinator, &mut banks), Verdict::WHOLE);
    let sent = sent(&house, BANKS[1]);
    let [first, second] = *sent.iter().max_by_key(|sent| sent[0]).unwrap().as_slice() else {
        panic!("it is sent twice: {sent:?}")
    };
    println!("{PLACE} bytes passed; of {first} bytes {held} were held, {second} went again");
    assert_eq!(first - second, held);
}

/// The length of what the coordinator holds of the second institution's upload.
fn held(house: &House) -> Option<u64> {
    let files = fs::read_dir(house.state("operator").join("blobs/partial")).ok()?;
    let name = |file: &fs::DirEntry| file.file_name().to_str()?.parse::<UploadName>().ok();
    let mut files = files.flatten().filter(|file| name(file).is_some_and(|name| name.from.get() == 2));
    Some(files.next()?.metadata().ok()?.len())
}

/// The bytes of each sending of each update, by the journal of this institution.
fn sent(house: &House, bank: &str) -> Vec<Vec<u64>> {
    let arguments = ["journal", "--config", "participant.toml", "--json"];
    let told = succeed("syndic-participant", &house.host(bank), &arguments);
    let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut rounds = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    for line in lines.filter(|line| line["what"] == "header") {
        rounds.entry(line["round"].as_u64().unwrap()).or_default().push(line["bytes"].as_u64().unwrap());
    }
    rounds.into_values().collect()
}

/// Bytes of the connection: beyond the first part of the update, and within the second.
const PLACE: u64 = 450_000;
const PART_BYTES: u64 = syndic_proto::UPLOAD_PART_BYTES as u64;
