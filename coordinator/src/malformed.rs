//! What is wrong with a file of text, without a word of what is in it: a table of people's data or a private key
//! may have been given in its place. Told are line and key, where the key is a plain name, and what our own
//! types expect there.

use serde::de::IgnoredAny;

/// What is wrong with the TOML file `text`.
pub(crate) fn toml(text: &str, error: &::toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    // A text without a place is of the whole file.
    let line = before.map(|before| before.matches('\n').count());
    let key = line.and_then(|line| text.lines().nth(line)).and_then(toml_key);
    // What the parser says of the syntax is of its own making; values are quoted by what comes after it. And what
    // is no TOML has no keys, even where a line looks like one.
    let (key, reason) = match text.parse::<::toml::Table>() {
        Err(_) => (None, error.message().to_owned()),
        Ok(_) => (key, without_values(error.message())),
    };
    told(line.map(|line| line + 1), key, &reason)
}

/// What is wrong with the JSON file `text`.
pub(crate) fn json(text: &[u8], error: &serde_json::Error) -> String {
    // As above; the parser may have met an unknown key before it came to what is no JSON.
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
        return told(Some(error.line()), None, without_place(&error.to_string()));
    }
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let key = line.and_then(|line| std::str::from_utf8(line).ok()).and_then(json_key);
    told(Some(error.line()), key, &without_values(without_place(&error.to_string())))
}

/// The library's message without its line and column.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

fn told(line: Option<usize>, key: Option<&str>, reason: &str) -> String {
    // What is missing is missing from the table or object that begins or ends there, not from that line's value.
    let key = key.filter(|_| !reason.starts_with("missing field"));
    match (line, key) {
        (Some(line), Some(key)) if !reason.contains(&format!("`{key}`")) => {
            format!("line {line}, `{key}`: {reason}")
        }
        (Some(line), _) => format!("line {line}: {reason}"),
        (None, _) => reason.to_owned(),
    }
}

/// What serde says of a value, in its own words or ours, but never in those of the file.
fn without_values(message: &str) -> String {
    let ours = ["missing field `", "duplicate field `"];
    if ours.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    if let Some((name, _)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        return match is_plain(name) {
            true => format!("unknown field `{name}`"),
            false => "unknown field".to_owned(),
        };
    }
    let kind = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    let kind =
        kind.into_iter().find(|kind| message.starts_with(kind)).unwrap_or("the value has the wrong form");
    // What is expected stands at the end and is ours, whatever quoted value stands before it.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => kind.to_owned(),
    }
}

/// The key of a line `key = value`.
fn toml_key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim()).filter(|key| is_plain(key))
}

/// The key of a line that holds one `"key": value`, as files are written that people look into.
fn json_key(line: &str) -> Option<&str> {
    let (key, value) = line.trim_start().strip_prefix('"')?.split_once("\":")?;
    Some(key).filter(|key| is_plain(key) && !value.contains("\":"))
}

/// Whether `name` is one that a key of ours could have; numbers of people and accounts are none.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().filter(u8::is_ascii_digit).count() <= 2
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[allow(dead_code, reason = "only read to be refused")]
        count: u16,
        #[allow(dead_code, reason = "only read to be refused")]
        kind: Option<Kind>,
        #[allow(dead_code, reason = "only read to be refused")]
        lists: Option<BTreeMap<String, std::net::SocketAddr>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        One,
        Other,
    }

    fn of_toml(text: &str) -> String {
        toml(text, &::toml::from_str::<File>(text).unwrap_err())
    }

    fn of_json(text: &str) -> String {
        json(text.as_bytes(), &serde_json::from_str::<File>(text).unwrap_err())
    }

    #[test]
    fn line_key_and_expectation_are_told_and_no_value_is() {
        assert_eq!(of_toml("\ncount = \"Jane Doe\"\n"), "line 2, `count`: invalid type, expected u16");
        assert_eq!(of_toml("count = 70123\n"), "line 1, `count`: invalid value, expected u16");
        let json = "{\n  \"count\": \"Jane Doe, expected Jane\"\n}";
        assert_eq!(of_json(json), "line 2, `count`: invalid type, expected u16");
        assert_eq!(of_json("{\"count\": \"Jane Doe\"}"), "line 1: invalid type, expected u16");
        let variants = "unknown variant, expected `one` or `other`";
        assert_eq!(of_toml("count = 1\nkind = \"Jane\"\n"), format!("line 2, `kind`: {variants}"));
        assert_eq!(of_json("{\n\"kind\":\n\"Jane`, expected\"}"), format!("line 3: {variants}"));
    }

    #[test]
    fn an_unknown_key_is_named_where_it_is_a_plain_name() {
        assert_eq!(of_toml("count = 1\ncuont = 2\n"), "line 2: unknown field `cuont`");
        assert_eq!(of_toml("count = 1\n\"Jane Doe\" = 2\n"), "line 2: unknown field");
        assert_eq!(of_json("{\n\"cuont\": 1}"), "line 2: unknown field `cuont`");
        assert_eq!(of_json("{\n\"Jane Doe`, expected\": 1}"), "line 2: unknown field");
        assert_eq!(of_toml("count = 1\naccount70123 = 2\n"), "line 2: unknown field");
        let long = "x".repeat(65);
        assert_eq!(of_toml(&format!("{long} = 1\n")), "line 1: unknown field");
    }

    #[test]
    fn a_field_of_ours_that_is_missing_or_there_twice_is_named() {
        assert_eq!(of_toml("kind = \"one\"\n"), "line 1: missing field `count`");
        assert_eq!(of_json("{\"count\": 1,\n\"count\": 2}"), "line 2: duplicate field `count`");
    }

    #[test]
    fn a_reason_in_words_that_are_not_ours_is_left_out() {
        assert_eq!(
            of_toml("count = 1\n[lists]\nx = \"Jane\"\n"),
            "line 3, `x`: the value has the wrong form"
        );
    }

    #[test]
    fn broken_syntax_is_told_by_its_line() {
        for table in ["Jane Doe,87", "Jane=87,yes", "\"Jane\": 87,,"] {
            for told in
                [of_toml(&format!("count = 1\n{table}\n")), of_json(&format!("{{\"count\": 1,\n{table}}}"))]
            {
                assert!(told.starts_with("line 2: "), "{told}");
                assert!(!told.contains("Jane") && !told.contains("87"), "{told}");
            }
        }
    }
}
