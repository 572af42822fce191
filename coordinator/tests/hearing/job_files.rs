//! Job files that are refused, and those that just fit.

use syndic_coordinator::driver::CoordinatorError;
use syndic_coordinator::store::Log;
use syndic_round::Digest;

use crate::house::House;
use crate::members::JOB;

#[tokio::test]
async fn a_job_file_above_the_limit_is_refused_before_anything_is_recorded() {
    let house = House::of(4);
    let coordinator = house.coordinator(house.log().await).await;
    let before = house.log().await.size().await.unwrap();
    // In an entry, a line's end or a quotation mark takes two bytes.
    for filler in ["x", "\"", "#\n"] {
        let comment = format!("{JOB}\n# {}\n", filler.repeat(70_000));

        let refused = coordinator.agree(&comment).await.unwrap_err();

        assert!(matches!(refused, CoordinatorError::Job(_)), "{refused}");
        assert_eq!(refused.code(), "job.too-large");
        assert!(!coordinator.blobs().contains(Digest::of(comment.as_bytes())).await.unwrap());
    }
    assert_eq!(house.log().await.size().await.unwrap(), before);
    coordinator.agree(JOB).await.unwrap();
}

#[tokio::test]
async fn a_job_file_of_any_length_is_either_too_large_or_recorded() {
    for filler in ["x", "\"", "#\n"] {
        let mut recorded = 0;
        for length in (20_000..72_000_usize).step_by(4_000) {
            let house = House::of(4);
            let coordinator = house.coordinator(house.log().await).await;
            let file = format!("{JOB}\n# {}\n", filler.repeat(length / filler.len()));
            match coordinator.agree(&file).await {
                Ok(_) => {
                    recorded += 1;
                    drop(coordinator);
                    let reopened = house.coordinator(house.log().await).await;
                    assert_eq!(reopened.agree(&file).await.unwrap().as_str(), "small");
                    let size = house.log().await.size().await.unwrap();
                    assert_eq!(size, 4, "roster, job, and two starts");
                }
                Err(refused) => assert_eq!(refused.code(), "job.too-large", "{length} of {filler:?}"),
            }
        }
        assert!(recorded > 2, "{recorded} of {filler:?}");
    }
}

#[tokio::test]
async fn another_file_under_the_name_of_a_job_is_refused() {
    let house = House::of(4);
    let coordinator = house.coordinator(house.log().await).await;
    let agreed = coordinator.agree(JOB).await.unwrap();
    let size = house.log().await.size().await.unwrap();
    let others = [JOB.replace("count = 1", "count = 2"), format!("{JOB}# a comment\n")];

    for other in &others {
        let refused = coordinator.agree(other).await.unwrap_err();
        assert!(matches!(&refused, CoordinatorError::OtherJob(known) if *known == agreed), "{refused}");
        assert!(!coordinator.blobs().contains(Digest::of(other.as_bytes())).await.unwrap());
    }
    assert_eq!(coordinator.agree(JOB).await.unwrap(), agreed, "the same again is fine");
    assert_eq!(house.log().await.size().await.unwrap(), size);

    drop(coordinator);
    let reopened = house.coordinator(house.log().await).await;
    assert_eq!(reopened.agree(&others[1]).await.unwrap_err().code(), "job.other");
    assert_eq!(reopened.agree(JOB).await.unwrap(), agreed);
}
