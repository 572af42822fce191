//! The check that every row passes before it becomes part of a [`Table`].

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::column::Column;
use crate::contract::{ColumnKind, Contract};
use crate::customers::Customers;
use crate::data_report::{DataFinding, DataReport, DataRule};
use crate::table::{MISSING, Role, Table, Values};

/// Reads rows into a [`Table`], checking each cell; goes on after an error, so that one pass finds all.
pub struct TableBuilder {
    table: Table,
    /// Cells in the header.
    width: usize,
    /// Where each input column stands.
    positions: Vec<usize>,
    label_position: usize,
    /// Where the column of customers stands, and those so far, where the contract names it.
    customers: Option<(usize, Customers)>,
    /// Position of each level, by input column.
    vocabularies: Vec<BTreeMap<String, u16>>,
    findings: Vec<DataFinding>,
    rows: u64,
}

impl TableBuilder {
    /// A builder for rows under `header`. Columns that the contract does not name are not read.
    ///
    /// # Errors
    /// A report that names every required column that is missing or occurs twice.
    pub fn new(contract: &Contract, header: &[&str]) -> Result<Self, DataReport> {
        let label = Some(contract.label.column.as_str());
        let found = find_columns(contract, header, label);
        // Missing columns are told of all at once.
        let customers =
            contract.customer.as_deref().map(|name| find_column(name, contract, header)).transpose();
        let ((positions, label), customers) = match (found, customers) {
            (Ok(found), Ok(customers)) => (found, customers),
            (Ok(_), Err(finding)) => return Err(DataReport { rows: 0, findings: vec![finding] }),
            (Err(report), Ok(_)) => return Err(report),
            (Err(mut report), Err(finding)) => {
                report.findings.push(finding);
                return Err(report);
            }
        };
        let table = Table {
            contract: contract.clone(),
            columns: empty_columns(contract),
            labels: Vec::new(),
            roles: Vec::new(),
        };
        Ok(Self {
            table,
            width: header.len(),
            positions,
            label_position: label.unwrap_or_default(),
            customers: customers.map(|position| (position, Customers::default())),
            vocabularies: vocabularies(contract),
            findings: Vec::new(),
            rows: 0,
        })
    }

    /// Checks and adds one row; `row_number` is what the report will call it. Spaces around a cell do not count.
    pub fn push(&mut self, row_number: u64, cells: &[&str], role: Role) {
        self.push_with(row_number, cells.len(), |position| Cell::Text(cells[position]), role);
    }

    /// Checks and adds one row of values that have types already.
    pub fn push_cells(&mut self, row_number: u64, cells: &[Cell<'_>], role: Role) {
        self.push_with(row_number, cells.len(), |position| cells[position], role);
    }

    fn push_with<'a>(&mut self, row_number: u64, width: usize, cell: impl Fn(usize) -> Cell<'a>, role: Role) {
        self.rows += 1;
        if self.rows > self.table.contract.max_rows {
            // They are counted for the report; holding them would let a wrong query fill the memory.
            return;
        }
        if width != self.width {
            self.add_finding(DataRule::RowWidth, None, row_number);
            return;
        }
        for column in 0..self.positions.len() {
            if let Err(rule) = self.read(column, cell(self.positions[column]).trimmed()) {
                self.add_finding(rule, Some(column), row_number);
            }
        }
        if let Some((position, customers)) = &mut self.customers {
            let most = self.table.contract.rows_per_customer();
            if let Err(rule) = customers.count(cell(*position), role, most) {
                self.add_finding(rule, None, row_number);
            }
        }
        let label = &self.table.contract.label;
        let given = cell(self.label_position).text();
        let positive = given == label.positive;
        if !positive && given != label.negative {
            self.add_finding(DataRule::UnknownLabel, None, row_number);
        }
        self.table.labels.push(positive);
        self.table.roles.push(role);
    }

    /// Bytes that the rows take in memory until now.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.customers.as_ref().map_or(0, |(_, customers)| customers.bytes())
    }

    /// How many customers the rows until now are of, where the contract names their column. For the eyes of the institution
    /// alone.
    pub fn customers(&self) -> Option<u64> {
        self.customers.as_ref().map(|(_, customers)| customers.len())
    }

    /// The table, if every row passed.
    ///
    /// # Errors
    /// A report with every rule that was broken; then there is no table at all.
    pub fn finish(mut self) -> Result<Table, DataReport> {
        let (training, _) = self.table.count(Role::Train);
        let found = match self.rows {
            0 => Some((DataRule::Empty, String::new())),
            rows if rows > self.table.contract.max_rows => {
                Some((DataRule::TooManyRows, self.table.contract.max_rows.to_string()))
            }
            // Rows that could not be read may be the ones that were missed.
            _ if !self.findings.is_empty() => None,
            _ if training == 0 => Some((DataRule::NoTrainingRows, String::new())),
            _ => None,
        };
        self.findings.extend(found.map(|(rule, expected)| DataFinding::new(rule, None, expected)));
        match self.findings.is_empty() {
            true => Ok(self.table),
            false => Err(DataReport { rows: self.rows, findings: self.findings }),
        }
    }

    /// Adds the value of one cell to its column.
    fn read(&mut self, column: usize, cell: Cell<'_>) -> Result<(), DataRule> {
        let of = &self.table.contract.columns[column];
        read_into(&mut self.table.columns[column], of, &self.vocabularies[column], cell)
    }

    fn add_finding(&mut self, rule: DataRule, column: Option<usize>, row_number: u64) {
        let finding = DataFinding::of_row(&self.table.contract, rule, column, self.width, row_number);
        let same = |known: &&mut DataFinding| known.rule == rule && known.column == finding.column;
        match self.findings.iter_mut().find(same) {
            Some(known) => known.add(row_number),
            None => self.findings.push(finding),
        }
    }
}

impl DataFinding {
    /// The finding that one row breaks a rule.
    pub(crate) fn of_row(
        contract: &Contract,
        rule: DataRule,
        column: Option<usize>,
        width: usize,
        row_number: u64,
    ) -> Self {
        let name = match (rule, column) {
            (_, Some(column)) => Some(contract.columns[column].name.as_str()),
            (DataRule::UnknownLabel, None) => Some(contract.label.column.as_str()),
            (DataRule::NoCustomer | DataRule::CustomerRepeated | DataRule::CustomerDivided, None) => {
                contract.customer.as_deref()
            }
            (_, None) => None,
        };
        let expected = match (rule, column.map(|column| &contract.columns[column].kind)) {
            (DataRule::OutOfRange, Some(ColumnKind::Numeric { min, max, .. })) => format!("{min} to {max}"),
            (DataRule::UnknownLevel, Some(ColumnKind::Categorical { levels })) => abbreviate(levels),
            (DataRule::UnknownLabel, _) => {
                format!("`{}`, `{}`", contract.label.positive, contract.label.negative)
            }
            (DataRule::RowWidth, _) => width.to_string(),
            (DataRule::CustomerRepeated, _) => match contract.rows_per_customer() {
                1 => "1 row".into(),
                most => format!("{most} rows"),
            },
            _ => String::new(),
        };
        let mut finding = Self::new(rule, name, expected);
        finding.add(row_number);
        finding
    }
}

/// Where the input columns and, where it is asked for, the label stand.
///
/// # Errors
/// A report that names every one that is missing or occurs twice.
pub(crate) fn find_columns(
    contract: &Contract,
    header: &[&str],
    label: Option<&str>,
) -> Result<(Vec<usize>, Option<usize>), DataReport> {
    let mut findings = Vec::new();
    let mut find = |name: &str| {
        find_column(name, contract, header).unwrap_or_else(|finding| {
            findings.push(finding);
            0
        })
    };
    let positions = contract.columns.iter().map(|column| find(&column.name)).collect();
    let label = label.map(&mut find);
    if findings.is_empty() { Ok((positions, label)) } else { Err(DataReport { rows: 0, findings }) }
}

/// Where the one column of this name stands.
fn find_column(name: &str, contract: &Contract, header: &[&str]) -> Result<usize, DataFinding> {
    let mut found = (0..header.len()).filter(|&position| header[position].trim() == name);
    let rule = match (found.next(), found.next()) {
        (Some(position), None) => return Ok(position),
        (None, _) => DataRule::ColumnMissing,
        (Some(_), Some(_)) => DataRule::ColumnRepeated,
    };
    Err(DataFinding::new(rule, Some(name), contract.id()))
}

/// The columns of a table without rows.
pub(crate) fn empty_columns(contract: &Contract) -> Vec<Values> {
    let empty = |kind: &ColumnKind| match kind {
        ColumnKind::Numeric { .. } => Values::Numeric(Column::new()),
        ColumnKind::Categorical { .. } => Values::Categorical(Column::new()),
    };
    contract.columns.iter().map(|column| empty(&column.kind)).collect()
}

/// The position of each level, by input column.
pub(crate) fn vocabularies(contract: &Contract) -> Vec<BTreeMap<String, u16>> {
    let vocabulary = |kind: &ColumnKind| match kind {
        ColumnKind::Numeric { .. } => BTreeMap::new(),
        ColumnKind::Categorical { levels } => levels.iter().cloned().zip(0..).collect(),
    };
    contract.columns.iter().map(|column| vocabulary(&column.kind)).collect()
}

/// Adds the value of one cell, which is trimmed, to the values of its column.
pub(crate) fn read_into(
    values: &mut Values,
    column: &crate::Column,
    vocabulary: &BTreeMap<String, u16>,
    cell: Cell<'_>,
) -> Result<(), DataRule> {
    if cell == Cell::Empty && !column.nullable {
        return Err(DataRule::EmptyCell);
    }
    match (values, &column.kind) {
        (Values::Numeric(values), _) if cell == Cell::Empty => values.push(MISSING),
        (Values::Categorical(values), _) if cell == Cell::Empty => values.push(vocabulary.len() as u16),
        (Values::Numeric(values), ColumnKind::Numeric { transform, min, max }) => {
            let value: f64 = cell.number().ok_or(DataRule::NotANumber)?;
            if !value.is_finite() {
                return Err(DataRule::NotFinite);
            }
            if value < *min || value > *max {
                return Err(DataRule::OutOfRange);
            }
            values.push(transform.apply(value));
        }
        (Values::Categorical(values), _) => {
            // Where all that are not listed are one level, it is the last.
            let other = column.other.then(|| vocabulary.len().saturating_sub(1) as u16);
            let level = vocabulary.get(&*cell.text()).copied().or(other);
            values.push(level.ok_or(DataRule::UnknownLevel)?);
        }
        // `empty_columns` made the values from the same contract.
        (Values::Numeric(_), ColumnKind::Categorical { .. }) => return Err(DataRule::NotANumber),
    }
    Ok(())
}

/// The first levels of a vocabulary, for a message.
fn abbreviate(levels: &[String]) -> String {
    let shown: Vec<_> = levels.iter().take(12).map(|level| format!("`{level}`")).collect();
    let more = if levels.len() > shown.len() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const HEADER: [&str; 5] = ["row_id", "job", "age", "label", "balance"];
    const YES: [&str; 5] = ["1", "office", "30", "1", "-20.5"];
    const NO: [&str; 5] = ["2", "none", "40", "0", "1e3"];

    fn read(rows: &[[&str; 5]]) -> Result<Table, DataReport> {
        let mut builder = TableBuilder::new(&fixture::contract(), &HEADER).unwrap();
        for (number, row) in (2..).zip(rows) {
            builder.push(number, row, Role::Train);
        }
        builder.finish()
    }

    fn codes(report: &DataReport) -> Vec<&'static str> {
        report.findings.iter().map(DataFinding::code).collect()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let table = read(&[YES, NO]).unwrap();
        assert_eq!(table.labels(), [true, false]);
        assert!(matches!(&table.columns()[0], Values::Numeric(ages) if ages.iter().eq(&[30.0, 40.0])));
        assert!(matches!(&table.columns()[1], Values::Categorical(jobs) if jobs.iter().eq(&[0, 2])));
    }

    #[test]
    fn a_missing_or_repeated_column_is_named() {
        let report =
            TableBuilder::new(&fixture::contract(), &["age", "age", "balance", "label"]).err().unwrap();
        assert_eq!(codes(&report), ["data.column-repeated", "data.column-missing"]);
        assert!(report.to_string().contains("no column `job` that contract small.v1 requires"));
    }

    #[test]
    fn every_broken_rule_is_counted_with_row_numbers_and_without_values() {
        let report = read(&[
            YES,
            ["3", "office", "old", "1", "1"],
            ["4", "pilot-4711", "30", "1", "1"],
            ["5", "office", "NaN", "1", "1"],
            ["6", "office", "300", "1", "1"],
            ["7", "office", "301", "1", "1"],
            ["8", "office", "", "1", "1"],
            ["9", "office", "31", "maybe", "1"],
            NO,
        ])
        .unwrap_err();
        assert_eq!(
            codes(&report),
            [
                "data.not-a-number",
                "data.unknown-level",
                "data.not-finite",
                "data.out-of-range",
                "data.empty-cell",
                "data.unknown-label"
            ]
        );
        assert_eq!((report.findings[3].count, report.findings[3].first_rows.as_slice()), (2, &[6, 7][..]));
        assert_eq!(report.rows, 9);
        let text = report.to_string();
        assert!(!["4711", "maybe", "300", "old"].iter().any(|value| text.contains(value)), "{text}");
    }

    #[test]
    fn an_empty_cell_of_a_nullable_column_is_missing_and_of_another_is_refused() {
        let mut contract = fixture::contract();
        contract.columns[..2].iter_mut().for_each(|column| column.nullable = true);
        let mut builder = TableBuilder::new(&contract, &HEADER).unwrap();
        builder.push(2, &["1", " ", "", "1", "-20.5"], Role::Train);
        builder.push(3, &NO, Role::Train);
        let table = builder.finish().unwrap();
        assert_eq!(table.missing(), [("age", 1), ("job", 1)]);
        assert!(matches!(&table.columns()[0], Values::Numeric(ages) if ages[0].is_nan() && ages[1] == 40.0));
        assert!(matches!(&table.columns()[1], Values::Categorical(jobs) if jobs.iter().eq(&[3, 2])));
        let mut builder = TableBuilder::new(&contract, &HEADER).unwrap();
        builder.push(2, &["1", "", "", "1", ""], Role::Train);
        builder.push(3, &["1", "", "NaN", "0", "1"], Role::Train);
        let report = builder.finish().unwrap_err();
        assert_eq!(codes(&report), ["data.empty-cell", "data.not-finite"]);
        assert_eq!(report.findings[0].column.as_deref(), Some("balance"));
    }

    /// What becomes of rows of age 30 under a contract with customers of at most `most` rows.
    fn read_of(most: u32, rows: &[(&str, Role)]) -> (Option<u64>, Result<Table, DataReport>) {
        let mut contract = fixture::contract();
        (contract.customer, contract.max_rows_per_customer) = (Some("row_id".into()), Some(most));
        let mut builder = TableBuilder::new(&contract, &HEADER).unwrap();
        for (number, (customer, role)) in (2..).zip(rows) {
            let cells = [customer, "office", "30", ["0", "1"][number as usize % 2], "1"];
            builder.push(number, &cells, *role);
        }
        (builder.customers(), builder.finish())
    }

    #[test]
    fn rows_of_a_customer_beyond_the_most_are_refused_by_their_numbers_alone() {
        use Role::Train;
        let rows = [("c4711", Train), ("c4712", Train), (" c4711 ", Train), ("c4711", Train), ("", Train)];
        let (customers, refused) = read_of(1, &rows);
        assert_eq!(customers, Some(2));
        let report = refused.unwrap_err();
        assert_eq!(codes(&report), ["data.customer-repeated", "data.no-customer"]);
        assert_eq!(report.findings[0].first_rows, [4, 5]);
        assert_eq!(report.findings[1].first_rows, [6]);
        let text = format!("{report} {report:?}");
        assert!(text.contains("`row_id`, who have 1 row already: 2 rows, first 4, 5"), "{text}");
        assert!(!text.contains("471"), "{text}");
        let (customers, table) = read_of(3, &rows[..4]);
        let table = table.unwrap();
        assert_eq!((customers, table.rows()), (Some(2), 4));
        // No column of the table has it.
        assert_eq!(table.columns().len(), 3);
        assert!(!format!("{table:?}").contains("471"));
    }

    #[test]
    fn rows_of_a_customer_on_both_sides_of_a_split_are_refused() {
        let rows =
            [("c4711", Role::Train), ("c4712", Role::Test), ("c4711", Role::Test), ("c4712", Role::Test)];
        let report = read_of(2, &rows).1.unwrap_err();
        assert_eq!(codes(&report), ["data.customer-divided"]);
        assert_eq!(report.findings[0].first_rows, [4]);
        assert!(!format!("{report} {report:?}").contains("471"));
        let whole = [("c4711", Role::Train), ("c4712", Role::Test), ("c4711", Role::Train)];
        assert!(read_of(2, &whole).1.is_ok());
    }

    #[test]
    fn a_column_of_customers_has_to_be_there_once() {
        let mut contract = fixture::contract();
        contract.customer = Some("iban".into());
        let missing = |header: &[&str]| TableBuilder::new(&contract, header).err().unwrap();
        assert_eq!(codes(&missing(&HEADER)), ["data.column-missing"]);
        assert!(missing(&HEADER).to_string().contains("no column `iban` that contract small.v1 requires"));
        assert_eq!(
            codes(&missing(&["iban", "iban", "job", "age", "label"])),
            ["data.column-missing", "data.column-repeated"]
        );
        let (customers, table) = {
            let builder = TableBuilder::new(&fixture::contract(), &HEADER).unwrap();
            (builder.customers(), builder.bytes())
        };
        assert_eq!((customers, table), (None, 0));
    }

    #[test]
    fn missing_numbers_take_a_byte_each_where_there_are_few_others() {
        let column: Column<f64> =
            (0..1 << 16).map(|row| if row % 3 == 0 { MISSING } else { f64::from(row % 200) }).collect();
        assert!(column.bytes() < (1 << 16) + (1 << 20), "{}", column.bytes());
        assert!((0..1 << 16).all(|row| column[row].is_nan() == (row % 3 == 0)));
    }

    #[test]
    fn tables_without_two_classes_to_learn_from_are_refused() {
        assert_eq!(codes(&read(&[]).unwrap_err()), ["data.empty"]);
        assert_eq!(codes(&read(&[YES, YES]).unwrap().check_classes().unwrap_err()), ["data.one-class"]);
        assert_eq!(read(&[YES, NO]).unwrap().check_classes(), Ok(()));
        let mut builder = TableBuilder::new(&fixture::contract(), &HEADER).unwrap();
        builder.push(1, &YES, Role::Test);
        assert_eq!(codes(&builder.finish().unwrap_err()), ["data.no-training-rows"]);
    }

    #[test]
    fn a_table_of_one_class_is_refused_without_its_label() {
        let mut contract = fixture::contract();
        (contract.label.positive, contract.label.negative) = ("defaulted".into(), "repaid".into());
        for label in ["defaulted", "repaid"] {
            let mut builder = TableBuilder::new(&contract, &HEADER).unwrap();
            builder.push(2, &["1", "office", "30", label, "1"], Role::Train);
            let report = builder.finish().unwrap().check_classes().unwrap_err();
            assert_eq!((report.rows, codes(&report)), (1, vec!["data.one-class"]));
            assert!(!format!("{report} {report:?}").contains(label), "{report}");
        }
    }

    #[test]
    fn one_class_among_test_rows_is_fine() {
        let mut builder = TableBuilder::new(&fixture::contract(), &HEADER).unwrap();
        builder.push(1, &YES, Role::Train);
        builder.push(2, &NO, Role::Train);
        builder.push(3, &NO, Role::Test);
        let table = builder.finish().unwrap();
        assert_eq!((table.count(Role::Test), table.check_classes()), ((1, 0), Ok(())));
    }

    #[test]
    fn rows_of_another_width_and_too_many_rows_are_refused() {
        let mut contract = fixture::contract();
        contract.max_rows = 2;
        let mut builder = TableBuilder::new(&contract, &HEADER).unwrap();
        builder.push(1, &YES, Role::Train);
        builder.push(2, &YES[..4], Role::Train);
        builder.push(3, &NO, Role::Train);
        assert_eq!(codes(&builder.finish().unwrap_err()), ["data.row-width", "data.too-many-rows"]);
    }
}
