//! What is wrong with a file, by line and key and without its text: a table of customers given by mistake, or a
//! value in the wrong place, must not come back in an error.

use serde::de::DeserializeOwned;
use toml::de::DeTable;

/// The value written in TOML as `text`; otherwise what is wrong, and in which line.
pub(crate) fn read_toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // What the parser says of the syntax is its own words; only what is said of values and keys may quote them.
    if let Err(error) = DeTable::parse(text) {
        return Err(in_line(text, &error, error.message()));
    }
    toml::from_str(text).map_err(|error| {
        let what = match key_of(&error) {
            Some(key) => format!("{} at `{key}`", rule_broken(error.message())),
            None => rule_broken(error.message()),
        };
        in_line(text, &error, &what)
    })
}

/// The value written in JSON as `text`; otherwise what is wrong, and in which line.
pub(crate) fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "the text ends too early".to_owned(),
            serde_json::error::Category::Data => {
                let told = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                rule_broken(told.strip_suffix(&place).unwrap_or(&told))
            }
            _ => "this is not JSON".to_owned(),
        };
        format!("line {}: {what}", error.line())
    })
}

fn in_line(text: &str, error: &toml::de::Error, what: &str) -> String {
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {what}", before.matches('\n').count() + 1),
        None => what.into(),
    }
}

/// The key of the value that the error is about, where it is a plain one; the library tells it only where it was not
/// given the text to point into.
fn key_of(error: &toml::de::Error) -> Option<String> {
    let mut error = error.clone();
    error.set_input(None);
    let told = error.to_string();
    let (_, keys) = told.trim_end().strip_suffix('`')?.rsplit_once("\nin `")?;
    keys.split('.').all(is_plain).then(|| keys.to_owned())
}

/// What serde says, without the text that it met: the rule, which is ours, stands at the end.
fn rule_broken(message: &str) -> String {
    if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("the key `{key}` is missing");
    }
    let Some((met, rule)) = message.rsplit_once(", expected ") else {
        return "a value that cannot stand here".into();
    };
    match met.strip_prefix("unknown field `").map(|key| key.strip_suffix('`').filter(|key| is_plain(key))) {
        Some(Some(key)) => format!("unknown key `{key}`, expected {rule}"),
        Some(None) => format!("an unknown key, expected {rule}"),
        None => format!("a value of another kind or range, expected {rule}"),
    }
}

/// Whether a key looks like one: bounded, and a word that this program could have for a key; numbers of people and accounts are
/// none.
fn is_plain(key: &str) -> bool {
    (1..=40).contains(&key.len())
        && key.bytes().filter(u8::is_ascii_digit).count() <= 2
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read only to be refused")]
    struct Sample {
        folder: String,
        least: Option<u16>,
        rows: Option<Rows>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read only to be refused")]
    struct Rows {
        values: Vec<String>,
    }

    fn toml(text: &str) -> String {
        read_toml::<Sample>(text).unwrap_err()
    }

    fn json(text: &str) -> String {
        read_json::<Sample>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_value_of_another_kind_is_told_by_line_key_and_rule() {
        let told = toml("folder = \"a\"\nleast = \"Jane, expected Doe\"\n");
        assert_eq!(told, "line 2: a value of another kind or range, expected u16 at `least`");
        let told = toml("folder = \"a\"\nleast = 87654\n");
        assert_eq!(told, "line 2: a value of another kind or range, expected u16 at `least`");
        let told = toml("folder = \"a\"\n[rows]\nvalues = [\n  \"Jane\",\n  87654,\n]\n");
        assert!(told.starts_with("line 5: a value of another kind or range, expected a string"), "{told}");
        assert!(!told.contains("87654") && !told.contains("Jane"), "{told}");
        let told = json("{\"folder\": \"a\",\n \"least\": \"Jane, expected Doe at line 1 column 1\"}");
        assert_eq!(told, "line 2: a value of another kind or range, expected u16");
    }

    #[test]
    fn a_missing_key_is_named() {
        assert_eq!(toml("least = 3\n"), "line 1: the key `folder` is missing");
        let told = toml("folder = \"a\"\n[rows]\n");
        assert_eq!(told, "line 2: the key `values` is missing at `rows`");
        assert_eq!(json("{}"), "line 1: the key `folder` is missing");
    }

    #[test]
    fn an_unknown_key_is_named_where_it_looks_like_one() {
        let told = toml("folder = \"a\"\nleest = 3\n");
        assert!(told.starts_with("line 2: unknown key `leest`, expected one of `folder`, `least`"), "{told}");
        for key in ["Jane", "\"Jane Doe\"", "\"jane`, expected doe\"", "87", "\"jane\\u001b[2K\""] {
            let told = toml(&format!("folder = \"a\"\n{key} = 3\n"));
            assert!(told.starts_with("line 2: an unknown key, expected one of"), "{told}");
            assert!(!told.to_lowercase().contains("doe") && !told.contains('\u{1b}'), "{told}");
        }
        let told = json("{\"folder\": \"a\", \"Jane Doe\": 3}");
        assert!(told.starts_with("line 1: an unknown key, expected one of"), "{told}");
    }

    #[test]
    fn a_table_is_refused_without_its_text() {
        let table = "jane,87,yes\njohn,12,no\n";
        for told in [
            toml(table),
            json(table),
            json("\"jane\"\n"),
            json("[87, \"jane\"]"),
            json("{\"folder\": \"jane"),
        ] {
            assert!(told.starts_with("line 1: "), "{told}");
            assert!(!told.contains("jane") && !told.contains("87") && !told.contains("john"), "{told}");
        }
    }
}
