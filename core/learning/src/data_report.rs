//! What is wrong with a table, by rule, with row numbers and never a value.

use std::fmt;

use thiserror::Error;

/// All findings of a check against the contract, and how many rows were read. An institution's own
/// operator reads this; it never leaves the institution.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct DataReport {
    /// Rows read before the report was written.
    pub rows: u64,
    /// One finding for each rule and column that was broken, in the order in which they were met.
    pub findings: Vec<DataFinding>,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFinding {
    /// The rule.
    pub rule: DataRule,
    /// The column, where the rule is about one.
    pub column: Option<String>,
    /// Rows that break it; zero where the rule is about the table.
    pub count: u64,
    /// The numbers of the first few of them, as the caller counts rows.
    pub first_rows: Vec<u64>,
    /// What the contract or the header says, for the message: a range, the vocabulary or a number of cells.
    /// Never what a row says.
    pub expected: String,
}

/// The rules that a table is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataRule {
    /// A column that the contract requires is not there.
    ColumnMissing,
    /// A column name occurs twice.
    ColumnRepeated,
    /// A row has another number of cells than the header.
    RowWidth,
    /// Nothing stands in the cell.
    EmptyCell,
    /// Text in a numeric column.
    NotANumber,
    /// NaN or infinite.
    NotFinite,
    /// Outside `min` to `max`.
    OutOfRange,
    /// Not one of the declared levels.
    UnknownLevel,
    /// Neither of the label's two values.
    UnknownLabel,
    /// Nothing that names a customer.
    NoCustomer,
    /// More rows of one customer than the contract admits.
    CustomerRepeated,
    /// Rows of one customer that are for different things.
    CustomerDivided,
    /// More rows than the contract admits for one institution.
    TooManyRows,
    /// No row at all.
    Empty,
    /// Rows, but none to train on.
    NoTrainingRows,
    /// All training rows have the same label.
    OneClass,
}

impl DataRule {
    /// Stable machine-readable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::ColumnMissing => "data.column-missing",
            Self::ColumnRepeated => "data.column-repeated",
            Self::RowWidth => "data.row-width",
            Self::EmptyCell => "data.empty-cell",
            Self::NotANumber => "data.not-a-number",
            Self::NotFinite => "data.not-finite",
            Self::OutOfRange => "data.out-of-range",
            Self::UnknownLevel => "data.unknown-level",
            Self::UnknownLabel => "data.unknown-label",
            Self::NoCustomer => "data.no-customer",
            Self::CustomerRepeated => "data.customer-repeated",
            Self::CustomerDivided => "data.customer-divided",
            Self::TooManyRows => "data.too-many-rows",
            Self::Empty => "data.empty",
            Self::NoTrainingRows => "data.no-training-rows",
            Self::OneClass => "data.one-class",
        }
    }

    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::ColumnMissing => "add the column to the table or the query, under exactly this name",
            Self::ColumnRepeated => "keep one column of this name and rename or drop the other",
            Self::RowWidth => "give every row as many cells as the header has; look for unquoted separators",
            Self::EmptyCell => {
                "fill the cell before the table is read: the contract says nothing of missing values in this column; \
                 where they belong there, declare it `nullable = true` in a new version of the contract"
            }
            Self::NotANumber => {
                "write plain numbers with a decimal point, without units or thousands separators; where there is none, leave the cell empty, \
                 without a word such as NA, and declare the column `nullable = true`"
            }
            Self::NotFinite => "replace NaN and infinite values, or leave these rows out",
            Self::OutOfRange => {
                "correct or leave out these rows; if such values are legitimate, the consortium must widen the range \
                 in a new version of the contract"
            }
            Self::UnknownLevel => {
                "map the value to a declared level; new levels, or `other = true` for all that are not listed, need a new version of the contract"
            }
            Self::UnknownLabel => {
                "write the label as one of its two declared values, and leave out rows without one"
            }
            Self::NoCustomer => {
                "write a text or a whole number that tells the customer from all others, in every row; \
                 rows of nobody are left out by the query"
            }
            Self::CustomerRepeated => {
                "choose rows of each customer in the query, or put them together in one; if customers have that many, \
                 raise `max_rows_per_customer` in a new version of the contract, which makes noise for customers wider"
            }
            Self::CustomerDivided => {
                "let `split` go by a column that is the same in all rows of a customer, such as a part of a digest of its number"
            }
            Self::TooManyRows => {
                "bring fewer rows, or raise `max_rows` in a new version of the contract: it bounds what one \
                 institution can add to a sum"
            }
            Self::Empty => "check that the source has rows and that the query or site filter selects some",
            Self::NoTrainingRows => "leave some rows for training: all were put aside for validation or test",
            Self::OneClass => {
                "bring rows of both classes, or stay out of this job: nothing can be learnt from one class alone"
            }
        }
    }
}

impl DataFinding {
    pub(crate) fn new(rule: DataRule, column: Option<&str>, expected: String) -> Self {
        Self { rule, column: column.map(Into::into), count: 0, first_rows: Vec::new(), expected }
    }

    /// Adds one more row that breaks the rule.
    pub fn add(&mut self, row: u64) {
        self.count += 1;
        if self.first_rows.len() < ROWS_SHOWN {
            self.first_rows.push(row);
        }
    }

    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        self.rule.help()
    }

    /// One line: what is wrong, where, how often. No values.
    pub fn message(&self) -> String {
        let column = self.column.as_deref().unwrap_or_default();
        let expected = &self.expected;
        let what = match self.rule {
            DataRule::ColumnMissing => {
                format!("the table has no column `{column}` that contract {expected} requires")
            }
            DataRule::ColumnRepeated => format!("the table has two columns `{column}`"),
            DataRule::RowWidth => format!("rows do not have the {expected} cells of the header"),
            DataRule::EmptyCell => format!("empty cells in column `{column}`"),
            DataRule::NotANumber => format!("text in numeric column `{column}`"),
            DataRule::NotFinite => format!("NaN or infinite values in column `{column}`"),
            DataRule::OutOfRange => format!("values of column `{column}` outside {expected}"),
            DataRule::UnknownLevel => {
                format!("values of column `{column}` that are none of its levels {expected}")
            }
            DataRule::UnknownLabel => {
                format!("values of label column `{column}` that are neither of {expected}")
            }
            DataRule::NoCustomer => format!("cells of column `{column}` that name no customer"),
            DataRule::CustomerRepeated => {
                format!("rows of customers, by column `{column}`, who have {expected} already")
            }
            DataRule::CustomerDivided => format!(
                "rows of customers, by column `{column}`, whose first row is put to another use: training, validation or test"
            ),
            DataRule::TooManyRows => format!("more rows than the {expected} that the contract admits"),
            DataRule::Empty => "the table has no rows".into(),
            DataRule::NoTrainingRows => "the table has no training rows".into(),
            DataRule::OneClass => "all training rows have the same label".into(),
        };
        match self.first_rows.as_slice() {
            [] => what,
            first => {
                let first: Vec<_> = first.iter().map(u64::to_string).collect();
                let more = if self.count > first.len() as u64 { ", ..." } else { "" };
                let rows = if self.count == 1 { "row" } else { "rows" };
                format!("{what}: {} {rows}, first {}{more}", self.count, first.join(", "))
            }
        }
    }
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, finding) in self.findings.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "error[{}]: {}\n  help: {}", finding.code(), finding.message(), finding.help())?;
        }
        Ok(())
    }
}

/// Row numbers kept for each finding.
const ROWS_SHOWN: usize = 5;
