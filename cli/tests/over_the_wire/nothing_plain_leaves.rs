//! No participant sends its update, a row or a key in the clear, and the search that says so would find them.

use std::collections::BTreeSet;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use syndic_round::ParameterSet;

use crate::plaintexts::secrets;
use crate::recorded::{Recorded, recorded};
use crate::search::Needles;

#[test]
fn no_byte_string_that_a_participant_sent_contains_its_update_or_a_row() {
    let recorded = recorded();
    let secrets = secrets(recorded);
    assert!(secrets.len() > 1_000_000, "only {} byte strings to look for", secrets.len());

    for participant in &recorded.participants {
        let name = &participant.site.name;
        assert_eq!(secrets.found_in(&participant.seen.sent), BTreeSet::new(), "in what {name} sent");
    }
    the_same_search_finds_what_is_planted(recorded, &secrets);
}

/// Each form of each secret, written here by hand, in the middle of what a participant really sent.
fn the_same_search_finds_what_is_planted(recorded: &Recorded, secrets: &Needles) {
    let participant = &recorded.participants[2];
    let (round, coefficients) =
        participant.seen.answers.iter().find(|(id, _)| recorded.round(*id).kind == "train").unwrap();
    // After the canaries and the count of rows come the weighted changes of the weights.
    let update = &coefficients[5..40];
    let resolution = recorded.round(*round).plan.layout.blocks()[1].resolution;
    let real = |step: &i64| *step as f64 * resolution;
    let (_, histogram) =
        participant.seen.answers.iter().find(|(id, _)| recorded.round(*id).kind == "evaluate").unwrap();
    let counts: Vec<u8> = histogram[4..4100].iter().map(|&count| count as u8).collect();
    let mut rows = recorded.table.rows().unwrap();
    let row = rows.next_row().unwrap().unwrap().1.iter().collect::<Vec<_>>().join(",");
    let doubles: Vec<u8> = update.iter().flat_map(|step| real(step).to_le_bytes()).collect();
    let decimals: Vec<String> = update.iter().map(i64::to_string).collect();
    let share = &participant.seen.shares[1][0].1;

    let planted: [(&str, Vec<u8>); 12] = [
        ("words of 64 bits", update.iter().flat_map(|step| step.to_le_bytes()).collect()),
        ("words of 32 bits", update.iter().flat_map(|&step| (step as i32).to_be_bytes()).collect()),
        ("single precision", update.iter().flat_map(|step| (real(step) as f32).to_le_bytes()).collect()),
        ("double precision", doubles.clone()),
        ("base64", BASE64.encode(&doubles).into_bytes()),
        ("hexadecimal", hex::encode(&doubles).into_bytes()),
        ("decimal text", format!("[{}]", decimals.join(", ")).into_bytes()),
        ("counts", counts),
        ("a line", format!("{row}\r\n").into_bytes()),
        ("a row in base64", BASE64.encode(&row).into_bytes()),
        ("a share", share.clone()),
        ("a private key", participant.private_keys[1].clone()),
    ];
    for (form, bytes) in planted {
        let sent = &participant.seen.sent;
        let (before, after) = sent.split_at(sent.len() / 2);
        assert!(!secrets.found_in(&[before, &bytes, after].concat()).is_empty(), "{form} is not found");
    }
}

#[test]
fn what_is_searched_is_everything_that_was_sent() {
    let recorded = recorded();
    for participant in &recorded.participants {
        let mut needles = Needles::default();
        let uploads = recorded.rounds.iter().flat_map(|round| &round.uploads);
        let mut bytes = 0;
        for (_, _, ciphertext) in uploads.filter(|(from, ..)| *from == participant.id) {
            bytes += ciphertext.len();
            // The last bytes of one upload say that all before them passed as well.
            needles.add(&ciphertext[ciphertext.len() - 64..], "an upload's end");
        }
        assert!(needles.len() >= 6 && bytes > 100_000, "{} uploads", needles.len());
        assert!(participant.seen.sent.len() > bytes);
        for number in 0..needles.len() {
            assert!(needles.occurs(number, &participant.seen.sent), "upload {number} was not seen");
        }
    }
}

/// Noise lies below the message, so an update sent without its mask would be no byte string that can be looked
/// for; taken off its guard bits, it would be the answer itself.
#[test]
fn no_upload_is_its_answer_in_the_bits_above_the_noise() {
    let recorded = recorded();
    let (mut coefficients, mut equal) = (0, 0);
    for round in &recorded.rounds {
        let guard = ParameterSet::S32.guard_bits();
        assert_eq!(round.plan.terms.protection.parameter_set(), ParameterSet::S32);
        for (from, _, ciphertext) in &round.uploads {
            let answer = recorded.participant(*from).answer(round.plan.id).unwrap();
            let words = ciphertext.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word));
            assert_eq!(words.len(), answer.len());
            let rounded = words.map(|word| word.wrapping_add(1 << (guard - 1)) >> guard);
            equal += rounded.zip(answer).filter(|(above, own)| i64::from(*above) == **own).count();
            coefficients += answer.len();
        }
    }
    // By chance one in 2^25.
    assert!(coefficients > 100_000 && equal < 10, "{equal} of {coefficients} coefficients are plain");
}

#[test]
fn no_shipped_binary_can_be_tapped() {
    let features = |edges: &str| -> Vec<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments =
            ["tree", "--locked", "--workspace", "--prefix", "none", "--format", "{p}|{f}", "--edges"];
        let output = Command::new(cargo).args(arguments).arg(edges).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let ours = text.lines().filter(|line| line.starts_with("syndic-participant "));
        ours.map(|line| line.split_once('|').unwrap().1.replace(" (*)", "")).collect()
    };
    let tapped = |builds: &[String]| builds.iter().any(|on| on.split(',').any(|feature| feature == "tap"));
    let shipped = features("normal,build");
    assert!(!shipped.is_empty() && !tapped(&shipped), "{shipped:?}");
    assert!(tapped(&features("normal,build,dev")), "these tests themselves have it");
}
