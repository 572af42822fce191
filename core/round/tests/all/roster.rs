//! Rosters: what cannot be sealed, and the small names and ids that everything else relies on.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{federation_of, id, signing_key};
use ed25519_dalek::VerifyingKey;
use syndic_round::roster::is_name;
use syndic_round::{EndorsedRoster, JobId, ParticipantId, Roster, RosterError};

fn roster_of(n: u16) -> Roster {
    federation_of(n).roster.roster().clone()
}

/// What sealing says to this roster, signed by all whom it lists as far as their keys are known.
fn sealed(roster: Roster) -> Result<(), RosterError> {
    let endorse = |number: u16| roster.endorse(id(number), &signing_key("member", number));
    let endorsements = roster.members.iter().map(|member| endorse(member.id.get())).collect();
    EndorsedRoster { roster: roster.clone(), endorsements }.verify().map(|_| ())
}

fn altered(change: impl FnOnce(&mut Roster)) -> Result<(), RosterError> {
    let mut roster = roster_of(4);
    change(&mut roster);
    sealed(roster)
}

#[test]
fn a_roster_signed_by_all_is_sealed() {
    assert_eq!(sealed(roster_of(3)), Ok(()));
    let sealed = federation_of(4).roster;
    assert_eq!(sealed.member(id(3)).map(|member| member.name.as_str()), Some("bank-3"));
    assert!(sealed.key(id(4)).is_some() && sealed.key(id(5)).is_none());
}

#[test]
fn every_rule_of_a_roster_has_its_error() {
    assert_eq!(altered(|roster| roster.members.truncate(2)), Err(RosterError::Size(2)));
    assert_eq!(altered(|roster| roster.members.swap(0, 1)), Err(RosterError::Order));
    assert_eq!(altered(|roster| roster.members[1].id = id(1)), Err(RosterError::Order));
    assert_eq!(altered(|roster| roster.members[1].name = "bank-1".into()), Err(RosterError::Order));
    let same_key = |roster: &mut Roster| roster.members[1].signing_key = roster.members[0].signing_key;
    assert_eq!(altered(same_key), Err(RosterError::Order));
    for bad in ["", "Bank", "a b", "bänk", &"x".repeat(65)] {
        let named = |roster: &mut Roster| roster.members[2].name = bad.into();
        assert_eq!(altered(named), Err(RosterError::Name(bad.into())));
        assert_eq!(altered(|roster| roster.federation = bad.into()), Err(RosterError::Name(bad.into())));
    }
    // The neutral point has small order: anything would verify under it.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // Half of all encodings are no point of the curve.
    let encodings = (2..=u8::MAX).map(|y| [[y].as_slice(), &[0; 31]].concat().try_into().unwrap());
    let no_point = encodings.into_iter().find(|bytes| VerifyingKey::from_bytes(bytes).is_err()).unwrap();
    for weak in [neutral, no_point] {
        let with_key = |roster: &mut Roster| roster.members[1].signing_key = weak;
        assert_eq!(altered(with_key), Err(RosterError::Key("bank-2".into())));
    }
}

#[test]
fn an_endorsement_covers_everything_in_the_roster() {
    let signed = roster_of(4);
    let endorse = |number: u16| signed.endorse(id(number), &signing_key("member", number));
    type Change = fn(&mut Roster);
    let changes: [Change; 4] = [
        |roster| roster.federation.push('x'),
        |roster| roster.coordinator_key[0] ^= 1,
        |roster| roster.members[3].name.push('x'),
        |roster| roster.members[3].id = ParticipantId::new(9).unwrap(),
    ];
    for change in changes {
        let mut roster = signed.clone();
        change(&mut roster);
        let verdict = EndorsedRoster { roster, endorsements: (1..=4).map(endorse).collect() }.verify();
        assert_eq!(verdict.err(), Some(RosterError::Unsigned("bank-1".into())));
    }
}

#[test]
fn names_and_job_ids_keep_their_rule() {
    assert!(is_name("a-1_z") && !is_name("a.b") && !is_name("A") && !is_name(""));
    let longest = "j".repeat(64);
    for good in ["a", "job-1_2.x", &longest] {
        assert_eq!(JobId::new(good).map(|job| job.to_string()), Some(good.into()));
    }
    for bad in ["", "Job", "a/b", "a b", &"j".repeat(65)] {
        assert_eq!(JobId::new(bad), None, "{bad}");
    }
    assert_eq!(ParticipantId::new(0), None);
}
