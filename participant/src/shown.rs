//! Text that others wrote, made fit to be shown to a person.
//!
//! Whoever chooses a text that stands on a terminal or in a log can fake what stands around it: escape sequences
//! move the cursor, a line break begins a line of its own, a mark for right-to-left writing turns words round. So
//! what comes from a file or a message of somebody else is shown through [`printable`] or [`plain`] alone.

/// `text` with everything escaped that is not a visible character written from left to right, and cut where it is
/// longer than a person reads.
pub(crate) fn printable(text: &str) -> String {
    show(text, |c| c.is_ascii_graphic() || c == ' ' || (c.is_alphanumeric() && !is_right_to_left(c)))
}

/// The same for what should be a plain name: letters beyond ASCII are escaped too, since many look like others.
pub(crate) fn plain(text: &str) -> String {
    show(text, |c| c.is_ascii_graphic() || c == ' ')
}

/// Whether `text` can be the stable code of an error: lower-case letters, digits, `.`, `-` and `_`.
pub(crate) fn is_code(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn show(text: &str, is_visible: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for (position, c) in text.chars().enumerate() {
        if position == LONGEST {
            shown.push_str("...");
            break;
        }
        match is_visible(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    shown
}

/// The blocks that Unicode keeps for scripts written from right to left, whose letters turn their neighbours round.
fn is_right_to_left(c: char) -> bool {
    matches!(
        c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
    )
}

/// Characters; whoever says more means to flood.
const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_shown_as_it_is() {
        for text in ["no answer within 15s", "the table has no column `größe`", "年龄 18-99", "C:\\x", ""]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn nothing_moves_the_cursor_begins_a_line_or_turns_words_round() {
        for (text, shown) in [
            ("a\u{1b}[2Kb", "a\\u{1b}[2Kb"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("a\u{9b}2Kb", "a\\u{9b}2Kb"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("a\u{5d0}b\u{627}c", "a\\u{5d0}b\\u{627}c"),
            ("a\u{200b}b\u{2028}c\u{feff}", "a\\u{200b}b\\u{2028}c\\u{feff}"),
            ("a\0b\u{7f}", "a\\u{0}b\\u{7f}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn a_name_does_not_look_like_another() {
        assert_eq!(plain("bank_a-1 A"), "bank_a-1 A");
        assert_eq!(plain("b\u{430}nk\u{1b}[2K"), "b\\u{430}nk\\u{1b}[2K");
    }

    #[test]
    fn a_flood_is_cut() {
        let shown = printable(&"x".repeat(1_000_000));
        assert_eq!(shown, format!("{}...", "x".repeat(LONGEST)));
    }

    #[test]
    fn only_a_code_is_a_code() {
        for code in ["federation.refused", "tls.own-certificate", "a"] {
            assert!(is_code(code), "{code}");
        }
        for text in ["", "Refused", "a b", "a]: all is well", "a\nb", &"a".repeat(65)] {
            assert!(!is_code(text), "{text:?}");
        }
    }
}
