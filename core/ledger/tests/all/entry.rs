//! Entries: one fact, one byte string.

use proptest::prelude::*;
use serde_json::{Value, json};
use syndic_ledger::{Entry, EntryError, Timestamp, leaf_hash};

fn entry() -> Entry {
    Entry {
        id: "01917f3c-0000-7000-8000-000000000001".into(),
        source: "coordinator/1".into(),
        kind: "syndic.job.progress".into(),
        time: Timestamp::from_unix_ms(1_785_585_600_123).expect("a moment of this century"),
        subject: Some("job/7f".into()),
        schema: "1".into(),
        round_prev: Some(leaf_hash(b"the one before")),
        data: json!({"job": "7f", "auc": "0.7912", "rows": 45_211}),
    }
}

#[test]
fn an_entry_is_written_in_canonical_form() {
    let minimal = Entry { subject: None, round_prev: None, ..entry() };
    assert_eq!(
        core::str::from_utf8(&minimal.to_canonical().unwrap()).unwrap(),
        r#"{"data":{"auc":"0.7912","job":"7f","rows":45211},"id":"01917f3c-0000-7000-8000-000000000001","schema":"1","source":"coordinator/1","time":"2026-08-01T12:00:00.123Z","type":"syndic.job.progress"}"#
    );
}

#[test]
fn an_entry_reads_back_from_its_bytes() {
    let bytes = entry().to_canonical().unwrap();
    assert_eq!(Entry::parse(&bytes), Ok(entry()));
}

#[test]
fn other_spellings_of_the_same_object_are_refused() {
    let text = String::from_utf8(entry().to_canonical().unwrap()).unwrap();
    let (canonical, float) = ("ledger.entry-not-canonical", "ledger.entry-float");
    for (from, to, code) in [
        ("{\"data\"", "{ \"data\"", canonical),
        ("45211", "45211.0", float),
        ("45211", "4.5211e4", float),
        ("\"7f\"", "\"\\u0037f\"", canonical),
        ("coordinator/1", "coordinator\\/1", canonical),
        ("\"schema\":\"1\"", "\"schema\":\"2\",\"schema\":\"1\"", canonical),
        ("\"rows\":45211", "\"rows\":45211,\"rows\":45211", canonical),
    ] {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text);
        let refused = Entry::parse(altered.as_bytes()).unwrap_err();
        assert_eq!(refused.code(), code, "{altered}");
    }
    for altered in [format!("{text}\n"), format!(" {text}")] {
        assert_eq!(Entry::parse(altered.as_bytes()), Err(EntryError::NotCanonical));
    }
    assert_eq!(Entry::parse(format!("{text}{text}").as_bytes()), Err(EntryError::NotJson));
    assert_eq!(Entry::parse(b"[]"), Err(EntryError::NotObject));
    assert_eq!(Entry::parse(b"\xff"), Err(EntryError::NotJson));
}

#[test]
fn a_value_that_no_entry_can_hold_is_refused_as_what_it_is() {
    let refused = |number: &str| {
        let text = String::from_utf8(entry().to_canonical().unwrap()).unwrap().replacen("45211", number, 1);
        Entry::parse(text.as_bytes()).unwrap_err()
    };
    for integer in ["9007199254740993", "-9007199254740993", "18446744073709551616", "-99999999999999999999"]
    {
        assert_eq!(refused(integer).code(), "ledger.entry-integer", "{integer}");
    }
    for float in ["-0", "0.5", "-1e-7"] {
        assert_eq!(refused(float).code(), "ledger.entry-float", "{float}");
    }
    assert_eq!(refused(&format!("{}{}", "[".repeat(65), "]".repeat(65))).code(), "ledger.entry-depth");
    for unreadable in [format!("{}{}", "[".repeat(200), "]".repeat(200)), "1e999".into()] {
        assert_eq!(refused(&unreadable), EntryError::NotJson, "{unreadable}");
    }
}

#[test]
fn the_envelope_has_exactly_its_keys() {
    let value: Value = serde_json::from_slice(&entry().to_canonical().unwrap()).unwrap();
    let parse = |value: &Value| Entry::parse(&serde_json_canonicalizer::to_vec(value).unwrap());

    let mut extra = value.clone();
    extra["zeta"] = json!("?");
    assert_eq!(parse(&extra), Err(EntryError::UnknownKey("zeta".into())));

    for key in ["data", "id", "schema", "source", "time", "type"] {
        let mut lacking = value.clone();
        lacking.as_object_mut().unwrap().remove(key);
        assert_eq!(parse(&lacking), Err(EntryError::MissingKey(key)));
    }
    for key in ["data", "id", "schema", "source", "subject", "time", "type", "round_prev"] {
        for wrong in [json!(7), json!(""), Value::Null] {
            let mut malformed = value.clone();
            malformed[key] = wrong;
            assert_eq!(parse(&malformed), Err(EntryError::WrongForm(key)));
        }
    }
    let mut capital = value.clone();
    capital["round_prev"] = json!(value["round_prev"].as_str().unwrap().to_uppercase());
    assert_eq!(parse(&capital), Err(EntryError::WrongForm("round_prev")));
    let mut late = value.clone();
    late["time"] = json!("2026-08-01T12:00:00Z");
    assert!(matches!(parse(&late), Err(EntryError::Time(_))));
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let refusal = |change: fn(&mut Entry)| {
        let mut entry = entry();
        change(&mut entry);
        entry.to_canonical().unwrap_err().code()
    };
    assert_eq!(refusal(|e| e.data = json!({"auc": 0.79})), "ledger.entry-float");
    assert_eq!(refusal(|e| e.data = json!({"n": (1_u64 << 53) + 1})), "ledger.entry-integer");
    assert_eq!(refusal(|e| e.data = json!([])), "ledger.entry-wrong-form");
    assert_eq!(refusal(|e| e.id.clear()), "ledger.entry-wrong-form");
    assert_eq!(refusal(|e| e.subject = Some(String::new())), "ledger.entry-wrong-form");
    assert_eq!(refusal(|e| e.data = json!({"blob": "x".repeat(70_000)})), "ledger.entry-too-long");
}

#[test]
fn the_longest_entry_fits_and_one_byte_more_does_not() {
    let mut entry = entry();
    entry.data = json!({"pad": ""});
    let room = Entry::MAX_BYTES - entry.to_canonical().unwrap().len();
    entry.data = json!({"pad": "x".repeat(room)});
    let bytes = entry.to_canonical().unwrap();
    assert_eq!(bytes.len(), 65_535);
    assert_eq!(Entry::parse(&bytes).as_ref(), Ok(&entry));
    entry.data = json!({"pad": "x".repeat(room + 1)});
    assert_eq!(entry.to_canonical(), Err(EntryError::TooLong { bytes: 65_536 }));
}

prop_compose! {
    fn entries()(
        texts in prop::array::uniform4("\\PC{1,20}"),
        subject in prop::option::of("\\PC{1,20}"),
        ms in 0..=253_402_300_799_999_u64,
        previous in prop::option::of(any::<[u8; 32]>()),
        data in prop::collection::btree_map(any::<String>(), prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            prop::collection::vec(any::<bool>(), 0..3).prop_map(Value::from),
        ], 0..5),
    ) -> Entry {
        let [id, source, kind, schema] = texts;
        Entry {
            id, source, kind, schema, subject,
            time: Timestamp::from_unix_ms(ms).expect("within the range"),
            round_prev: previous.map(syndic_ledger::Hash::from_bytes),
            data: Value::Object(data.into_iter().collect()),
        }
    }
}

proptest! {
    #[test]
    fn every_entry_reads_back_and_an_independent_writer_agrees(entry in entries()) {
        let bytes = entry.to_canonical().unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes.clone());
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
    }

    #[test]
    fn whatever_parses_is_written_back_unchanged(entry in entries(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = entry.to_canonical().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Entry::parse(&bytes) {
            prop_assert_eq!(read.to_canonical().unwrap(), bytes);
        }
    }
}
