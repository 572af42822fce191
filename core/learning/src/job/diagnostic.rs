//! One error in a job file: what, where, and what to do.

use std::fmt;
use std::ops::Range;

/// An error that `syndic job check` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable machine-readable code, `job.unknown-key` for instance.
    pub code: &'static str,
    /// Line in the file, from 1; none where something is missing altogether.
    pub line: Option<usize>,
    /// Column in the line, from 1, in characters; none with `line`.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Diagnostic {
    /// A file that takes this many bytes in an entry of the ledger.
    pub(super) fn too_large(bytes: usize) -> Self {
        Self {
            code: "job.too-large",
            line: None,
            column: None,
            message: format!(
                "the job file takes {bytes} bytes in an entry of the ledger, which has room for 61,440"
            ),
            help: "shorten the vocabularies of the contract, or the comments".into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "\n  at: line {line}, column {column}")?;
        }
        write!(f, "\n  help: {}", self.help)
    }
}

/// Collects diagnostics of one text.
pub(super) struct Diagnostics<'t> {
    text: &'t str,
    found: Vec<Diagnostic>,
}

impl<'t> Diagnostics<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Adds an error at `span` (bytes of the text).
    pub(super) fn add(
        &mut self,
        code: &'static str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (line, column) = span.map(|span| self.position(span.start)).unzip();
        self.found.push(Diagnostic { code, line, column, message: message.into(), help: help.into() });
    }

    /// All errors in the order of the file, those without a line first.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        self.found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
