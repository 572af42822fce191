//! Numbers, sentences and commands as people read and copy them.

use std::path::Path;

use console::measure_text_width;

/// 45211 as `45,211`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units, three figures: `8.19 kB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A duration: `0.31 s`, `12.4 s`, `3 min 05 s`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        s => {
            let whole = s.round() as u64;
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
    }
}

/// `1 institution`, `2 institutions`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {many}", thousands(count as u64)) }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().into(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Text that somebody else wrote, in one line of a terminal or a page: without what would move a cursor, begin a line of its own
/// or turn words round, and so fake what stands beside it.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if disguises(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for text of several lines.
pub fn plain_lines(text: &str) -> String {
    let shown = |c| if disguises(c) && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// Controls, and the invisible characters that say in which direction others run.
fn disguises(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A path as one word of a POSIX shell, for commands that can be copied.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    // A leading dash would be read as an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Breaks lines at spaces so that none is wider than `width` columns, where words allow; what follows a break is
/// indented by `indent`.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        let mut room = width;
        while measure_text_width(rest) > room {
            // Spaces before the first word are no place to break.
            let start = rest.len() - rest.trim_start().len();
            let fits = |(at, _): &(usize, &str)| measure_text_width(&rest[..*at]) <= room;
            let spaces = || rest.match_indices(' ').filter(|(at, _)| *at > start);
            let Some((at, _)) = spaces().rfind(fits).or_else(|| spaces().next()) else { break };
            lines.push((rest[..at].trim_end(), rest.len() == line.len()));
            rest = rest[at..].trim_start();
            room = width.saturating_sub(indent).max(1);
        }
        lines.push((rest, rest.len() == line.len()));
    }
    let indent = " ".repeat(indent);
    let lines: Vec<String> = lines
        .into_iter()
        .map(|(text, first)| if first { text.to_owned() } else { format!("{indent}{text}") })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_fakes_nothing_that_stands_beside_it() {
        for (text, shown) in [
            ("bank_a, größe 年龄", "bank_a, größe 年龄"),
            ("a\u{1b}[2Jb\u{9b}2Jc", "a\u{fffd}[2Jb\u{fffd}2Jc"),
            ("a\nb\tc", "a\u{fffd}b\u{fffd}c"),
            ("a\u{202e}b\u{2066}c\u{200b}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(plain_lines("a\n\t\u{1b}b\n"), "a\n\t\u{fffd}b\n");
    }

    #[test]
    fn thousands_are_grouped_from_the_right() {
        let grouped = [0, 12, 999, 1_000, 45_211, 1_000_000].map(thousands);
        assert_eq!(grouped, ["0", "12", "999", "1,000", "45,211", "1,000,000"]);
    }

    #[test]
    fn bytes_keep_three_figures() {
        let written = [0, 999, 1_000, 8_192, 40_960, 999_499, 999_500, 123_456_789].map(bytes);
        assert_eq!(written, ["0 B", "999 B", "1.00 kB", "8.19 kB", "41.0 kB", "999 kB", "1.00 MB", "123 MB"]);
    }

    #[test]
    fn seconds_become_minutes() {
        assert_eq!([0.314, 12.36, 185.2].map(seconds), ["0.31 s", "12.4 s", "3 min 05 s"]);
    }

    #[test]
    fn lines_break_at_spaces_and_go_on_indented() {
        assert_eq!(wrapped("one two three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(wrapped("  a bb\nshort", 4, 2), "  a\n  bb\nshort");
        assert_eq!(wrapped("unbreakable", 4, 2), "unbreakable");
        assert_eq!(wrapped("columns   stay  apart", 40, 2), "columns   stay  apart");
    }

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let written = [0, 1, 2, 1_200].map(|count| counted(count, "row", "rows"));
        assert_eq!(written, ["0 rows", "1 row", "2 rows", "1,200 rows"]);
    }

    #[test]
    fn a_path_with_anything_special_is_quoted_for_the_shell() {
        for (path, word) in [
            ("syndic-demo/ledger", "syndic-demo/ledger"),
            ("my run/ledger", "'my run/ledger'"),
            ("it's/$HOME", r"'it'\''s/$HOME'"),
            ("-rf/ledger", "./-rf/ledger"),
            ("~/b\u{e4}nke", "'~/b\u{e4}nke'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }

    #[test]
    fn lists_end_in_and() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
