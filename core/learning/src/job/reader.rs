//! Typed access to a TOML document that reports every error with its place and goes on.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};

/// Reads sections and collects what is wrong with them.
pub(super) struct Reader<'t> {
    diagnostics: Diagnostics<'t>,
}

/// A table of the document, and which of its keys have been asked for.
pub(super) struct Section<'d> {
    /// As people write it, `[rounds.deadlines]` for instance.
    pub(super) name: String,
    /// Where it starts; none where it is not in the document.
    pub(super) span: Option<Range<usize>>,
    entries: Option<&'d DeTable<'d>>,
    known: Vec<&'static str>,
    /// Keys that were reported as belonging elsewhere.
    elsewhere: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { diagnostics: Diagnostics::of(text) }
    }

    pub(super) fn add(
        &mut self,
        code: &'static str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.diagnostics.add(code, span, message, help);
    }

    pub(super) fn is_clean(&self) -> bool {
        self.diagnostics.is_empty()
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_sorted()
    }

    /// The table `key` of `parent`; an absent one reads as empty, so that its required keys are reported.
    pub(super) fn section<'d>(
        &mut self,
        parent: &mut Section<'d>,
        key: &'static str,
        name: &str,
    ) -> Section<'d> {
        let mut section = Section {
            name: name.into(),
            span: None,
            entries: None,
            known: Vec::new(),
            elsewhere: Vec::new(),
        };
        if let Some((span, value)) = parent.entry(key) {
            section.span = Some(span);
            match value.get_ref() {
                DeValue::Table(entries) => section.entries = Some(entries),
                other => self.wrong_type(value.span(), key, "a table", other),
            }
        }
        section
    }

    /// The tables of the array `key`.
    pub(super) fn sections<'d>(
        &mut self,
        parent: &mut Section<'d>,
        key: &'static str,
        name: &str,
    ) -> Vec<Section<'d>> {
        let Some((_, value)) = parent.entry(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(value.span(), key, "an array of tables", value.get_ref());
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(entries) => sections.push(Section {
                    name: name.into(),
                    span: Some(item.span()),
                    entries: Some(entries),
                    known: Vec::new(),
                    elsewhere: Vec::new(),
                }),
                other => self.wrong_type(item.span(), key, "a table", other),
            }
        }
        sections
    }

    pub(super) fn text(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Spanned<String>> {
        self.read(section, key, "a string", |value| value.as_str().map(String::from))
    }

    pub(super) fn flag(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<bool> {
        self.spanned_flag(section, key).map(Spanned::into_inner)
    }

    /// The same, with where it stands.
    pub(super) fn spanned_flag(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<Spanned<bool>> {
        self.read(section, key, "true or false", DeValue::as_bool)
    }

    pub(super) fn texts(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        self.array(section, key, "an array of strings", |value| value.as_str().map(String::from))
    }

    /// A finite number, written as an integer or a float.
    pub(super) fn number(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<Spanned<f64>> {
        self.read(section, key, "a finite number", finite)
    }

    /// An array of finite numbers.
    pub(super) fn numbers(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
    ) -> Option<Spanned<Vec<f64>>> {
        let numbers = self.array(section, key, "an array of finite numbers", finite)?;
        let span = numbers.span();
        Some(Spanned::new(span, numbers.into_inner().into_iter().map(Spanned::into_inner).collect()))
    }

    /// An array of what `read` takes; what it does not is reported where it stands.
    fn array<T>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        expected: &str,
        read: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<Spanned<Vec<Spanned<T>>>> {
        let (_, value) = section.entry(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value.span(), key, expected, value.get_ref());
            return None;
        };
        let mut taken = Vec::new();
        for item in items.iter() {
            match read(item.get_ref()) {
                Some(found) => taken.push(Spanned::new(item.span(), found)),
                None => {
                    let message =
                        format!("`{key}` must be {expected}, and this in it is {}", named(item.get_ref()));
                    self.add("job.wrong-type", Some(item.span()), message, format!("write {expected}"));
                    return None;
                }
            }
        }
        Some(Spanned::new(value.span(), taken))
    }

    /// A number within `range`.
    pub(super) fn number_in(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<Spanned<f64>> {
        let number = self.number(section, key)?;
        self.within(section, key, number, &range)
    }

    /// A whole number within `range`.
    pub(super) fn integer(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Spanned<u64>> {
        let wide = self.read(section, key, "a whole number", |value| {
            let integer = value.as_integer()?;
            i128::from_str_radix(integer.as_str(), integer.radix()).ok()
        })?;
        let range = i128::from(*range.start())..=i128::from(*range.end());
        let wide = self.within(section, key, wide, &range)?;
        Some(Spanned::new(wide.span(), u64::try_from(wide.into_inner()).ok()?))
    }

    /// One of the words in `choices`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        code: &'static str,
        choices: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let word = self.text(section, key)?;
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        if let Some((_, choice)) = choices.iter().find(|(choice, _)| choice == word.get_ref()) {
            return Some(Spanned::new(word.span(), *choice));
        }
        let help = format!("{}write one of: {}", suggestion(word.get_ref(), &words), words.join(", "));
        self.add(code, Some(word.span()), format!("`{key}` cannot be `{}`", word.get_ref()), help);
        None
    }

    /// Reports `key` if the section lacks it.
    pub(super) fn require(&mut self, section: &mut Section<'_>, key: &'static str, help: &str) {
        if section.entry(key).is_none() {
            let message = format!("{} lacks `{key}`", section.name);
            self.add("job.missing-key", section.span.clone(), message, help);
        }
    }

    /// Reports the keys that nobody has asked for.
    pub(super) fn close(&mut self, section: Section<'_>) {
        for (key, _) in section.entries.into_iter().flat_map(DeTable::iter) {
            let name = key.get_ref().as_ref();
            if !section.known.contains(&name) && !section.elsewhere.contains(&name) {
                let message = format!("unknown key `{name}` in {}", section.name);
                let mut known = section.known.clone();
                known.sort_unstable();
                known.dedup();
                let help = format!("{}known here: {}", suggestion(name, &known), known.join(", "));
                self.add("job.unknown-key", Some(key.span()), message, help);
            }
        }
    }

    fn read<'d, T>(
        &mut self,
        section: &mut Section<'d>,
        key: &'static str,
        expected: &str,
        read: impl Fn(&DeValue<'d>) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let (_, value) = section.entry(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            self.wrong_type(value.span(), key, expected, value.get_ref());
        }
        found.map(|found| Spanned::new(value.span(), found))
    }

    fn within<T: PartialOrd + std::fmt::Display>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        value: Spanned<T>,
        range: &RangeInclusive<T>,
    ) -> Option<Spanned<T>> {
        if range.contains(value.get_ref()) {
            return Some(value);
        }
        let message = format!("`{key}` of {} is {}", section.name, value.get_ref());
        self.add(
            "job.out-of-range",
            Some(value.span()),
            message,
            format!("choose {} to {}", range.start(), range.end()),
        );
        None
    }

    fn wrong_type(&mut self, span: Range<usize>, key: &str, expected: &str, found: &DeValue<'_>) {
        let message = format!("`{key}` must be {expected}, and this is {}", named(found));
        self.add("job.wrong-type", Some(span), message, format!("write {expected}"));
    }
}

impl<'d> Section<'d> {
    /// The whole document.
    pub(super) fn root(document: &'d Spanned<DeTable<'d>>) -> Self {
        Self {
            name: "the job file".into(),
            span: None,
            entries: Some(document.get_ref()),
            known: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// True if the document has this section.
    pub(super) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Those of these keys that are there, though they belong elsewhere, and where they stand. They are not reported again as
    /// unknown, nor offered as known.
    pub(super) fn foreign(&mut self, keys: &[&'static str]) -> Vec<(&'static str, Range<usize>)> {
        let known = self.known.len();
        let found: Vec<_> = keys.iter().filter_map(|key| Some((*key, self.entry(key)?.0))).collect();
        self.known.truncate(known);
        self.elsewhere.extend(found.iter().map(|(key, _)| *key));
        found
    }

    /// Whether the key was asked for, or reported as belonging elsewhere.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.iter().chain(&self.elsewhere).any(|known| *known == key)
    }

    /// Where the value of the key stands, if it is there; it is as known as before.
    pub(super) fn at(&self, key: &str) -> Option<Range<usize>> {
        let entries = self.entries?;
        entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.span())
    }

    /// Where the key stands, and its value. From now on the key is known.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<(Range<usize>, &'d Spanned<DeValue<'d>>)> {
        self.known.push(key);
        let entries = self.entries?;
        entries.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (name.span(), value))
    }
}

/// What a value is, in words.
fn named(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(integer) if i64::from_str_radix(integer.as_str(), integer.radix()).is_err() => {
            "a number with too many digits"
        }
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(float) if float.as_str().parse().is_ok_and(f64::is_finite) => {
            "a number with a fraction"
        }
        DeValue::Float(_) => "no finite number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A finite number, written as an integer or a float.
fn finite(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok()? as f64,
        DeValue::Float(float) => float.as_str().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// `did you mean ...?` where one of `words` is close to `word`.
pub(super) fn suggestion(word: &str, words: &[&str]) -> String {
    let closest = words.iter().map(|candidate| (distance(word, candidate), candidate)).min();
    match closest {
        Some((distance, candidate)) if distance <= 1 + word.len() / 5 => {
            format!("did you mean `{candidate}`? ")
        }
        _ => String::new(),
    }
}

/// Insertions, deletions and replacements between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
