//! What a start takes at the coordinator's own word: what it has verified before, and signed that it has.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use syndic_coordinator::driver::{Coordinator, CoordinatorError};
use syndic_coordinator::instance::Software;
use syndic_coordinator::store::{Log as _, SqliteLog};
use syndic_ledger::{Checkpoint, Entry, History};
use syndic_round::Digest;

use crate::house::{House, Look, program, small};
use crate::members::ledger_key;

/// Three of four members have advertised, and the coordinator was stopped.
async fn stopped() -> House {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let plan = running.plan(&house.members).await;
    for member in &mut house.members[..3] {
        assert!(running.hear(&member.advertise(&plan, None)).await.unwrap());
    }
    running.driving.abort();
    running.coordinator.record_stop("told to stop").await;
    house
}

/// Puts a log of these entries, linked anew, in the place of the house's. What its tree is.
async fn rewrite(house: &House, entries: Vec<Entry>) -> History {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", house.log_file().display()));
    }
    let (log, mut history) = (SqliteLog::open(&house.log_file()).await.unwrap(), History::new());
    for entry in entries {
        let bytes = history.link(entry).to_canonical().unwrap();
        history.accept(&bytes).unwrap();
        log.append(history.size() - 1, &[bytes]).await.unwrap();
    }
    history
}

fn note(house: &House, history: &History, of: &Software, key: &SigningKey) {
    let (origin, binary) = (house.roster().roster().ledger_origin(), of.binary.unwrap());
    let name = format!("{origin}/verified-by/{}/{binary}", of.version);
    let note = Checkpoint::of(&name, history.tree()).unwrap().sign(key).unwrap();
    std::fs::write(house.note(), note).unwrap();
}

fn another_build() -> Software {
    Software { binary: Some(Digest::of(b"another program")), ..program() }
}

async fn start(house: &House) -> Result<Coordinator, CoordinatorError> {
    house.try_coordinator(house.log().await).await
}

/// What everybody owes, and where the round stands.
async fn state(house: &House, coordinator: &Coordinator) -> String {
    let mut state = format!("{:?}", coordinator.current_round(&small()).await);
    for member in &house.members {
        state += &format!("{:?}", coordinator.duty_of(&small(), member.id).await);
    }
    state
}

#[tokio::test]
async fn a_start_comes_to_the_same_with_the_note_without_it_and_with_a_damaged_one() {
    let house = stopped().await;
    assert!(house.note().is_file(), "whoever stops in order leaves it");

    let with = state(&house, &start(&house).await.unwrap()).await;
    std::fs::write(house.note(), "no note").unwrap();
    let damaged = state(&house, &start(&house).await.unwrap()).await;
    std::fs::remove_file(house.note()).unwrap();
    let without = state(&house, &start(&house).await.unwrap()).await;

    assert_eq!(with, without);
    assert_eq!(with, damaged);
    assert!(with.contains("Advertise"), "{with}");
}

#[tokio::test]
async fn a_signature_is_not_verified_again_where_this_program_has_signed_that_it_was_and_nowhere_else() {
    let house = stopped().await;
    let mut entries = house.entries().await;
    let advertised = entries.iter_mut().rfind(|entry| entry.kind == "syndic.round.advertised").unwrap();
    let mut message = BASE64.decode(advertised.data["message"].as_str().unwrap()).unwrap();
    *message.last_mut().unwrap() ^= 1;
    advertised.data["message"] = BASE64.encode(message).into();
    let history = rewrite(&house, entries).await;
    let refused = async || match start(&house).await {
        Ok(_) => panic!("a forged message is taken for a genuine one"),
        Err(error) => (error.code(), error.to_string()),
    };

    std::fs::remove_file(house.note()).unwrap();
    let (code, told) = refused().await;
    assert_eq!(code, "coordinator.replay");
    assert!(told.contains("signature"), "{told}");
    note(&house, &history, &program(), &SigningKey::from_bytes(&[9; 32]));
    assert_eq!(refused().await.0, "coordinator.replay", "whoever writes files has not the ledger's key");
    for other in [Software { version: "0.0.1".into(), ..program() }, another_build()] {
        note(&house, &history, &other, &ledger_key());
        assert_eq!(
            refused().await.0,
            "coordinator.replay",
            "the rules of another program may have been others"
        );
    }

    note(&house, &history, &program(), &ledger_key());
    assert!(start(&house).await.is_ok());
}

#[tokio::test]
async fn a_ledger_that_is_not_the_one_that_was_verified_is_refused_although_it_keeps_all_rules() {
    let house = stopped().await;
    let mut entries = house.entries().await;
    let history = rewrite(&house, entries.clone()).await;
    entries.last_mut().unwrap().data["reason"] = "another reason".into();
    rewrite(&house, entries).await;

    for by in [program(), another_build()] {
        note(&house, &history, &by, &ledger_key());
        let refused = start(&house).await.err().unwrap();

        assert_eq!(refused.code(), "ledger.not-as-verified", "whichever program has verified it");
        assert!(refused.help().contains("verified.note"), "{}", refused.help());
    }
    std::fs::remove_file(house.note()).unwrap();
    assert!(start(&house).await.is_ok(), "whoever knows why removes the note");
}

#[tokio::test]
async fn an_older_copy_of_the_ledger_is_verified_whole() {
    let house = stopped().await;
    let mut entries = house.entries().await;
    entries.pop();
    let before = std::fs::read(house.note()).unwrap();
    rewrite(&house, entries).await;

    let coordinator = start(&house).await.unwrap();

    coordinator.record_stop("told to stop").await;
    assert_ne!(std::fs::read(house.note()).unwrap(), before, "and noted anew");
    assert!(start(&house).await.is_ok());
}
