//! What members may fetch, and what becomes of it when it is damaged.

use std::path::PathBuf;

use syndic_learning::job::agreement;
use syndic_round::Digest;

use crate::house::House;
use crate::members::JOB;

fn path_of(house: &House, blob: Digest) -> PathBuf {
    let name = blob.to_string();
    house.state().join("blobs").join(&name[..2]).join(&name[2..])
}

#[tokio::test]
async fn a_question_that_is_damaged_or_gone_is_made_anew_and_nothing_else_is() {
    let house = House::of(4);
    let running = house.running(house.log().await).await;
    let offered = async |digest| running.coordinator.offered(digest).await.map_err(|error| error.code());
    let question = running.plan(&house.members).await.question;
    let whole = offered(question).await.unwrap().unwrap();
    let path = path_of(&house, question);

    let mut damaged = whole.clone();
    damaged[0] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    assert_eq!(offered(question).await, Ok(Some(whole.clone())));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(offered(question).await, Ok(Some(whole.clone())));
    assert_eq!(std::fs::read(&path).unwrap(), whole, "it is stored again");

    let file = agreement(JOB);
    assert_eq!(offered(file).await, Ok(Some(JOB.into())));
    std::fs::write(path_of(&house, file), JOB.to_lowercase() + "#").unwrap();
    assert_eq!(offered(file).await, Err("store.corrupt"), "a job file follows from nothing else");
    assert_eq!(offered(Digest::of(b"something else")).await, Ok(None));
}
