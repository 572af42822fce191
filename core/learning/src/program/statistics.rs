//! Row counts, label counts, and mean and standard deviation of every numeric column, from encrypted sums.
//!
//! Runs before training, so that all institutions scale their inputs alike. Each transformed value is first
//! centred by the middle of its public range and divided by half its width, so that one row adds at most one to
//! a sum or a sum of squares, whatever the unit.
//!
//! **Exactness.** Rounding moves a sum by at most one step r for each of n institutions, so the mean moves by
//! at most n r / N half ranges and the standard deviation s by at most 3 n r / (2 N s). With r = 2^-52 times
//! `max_rows` (rounded up to a power of two; 2^-32 for a million rows) and a hundred rows for each institution,
//! both are exact to 1e-4 of a standard deviation whenever s is at least 1/5000 of the half range.
//!
//! Of a nullable column the missing values of training rows are counted too, and mean and deviation are those of the values
//! that are there.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Block, Contribution, Layout, Sum};

use super::logistic_regression::noisy::public_standardisation;
use super::{NEGATIVE_COUNT, Next, Program, ProgramError, TOO_MANY_ROWS, count_block, finest_step, values};
use crate::contract::{Contract, RANGE_ROUNDING};
use crate::encode::Standardisation;
use crate::table::{Role, Table, Values, is_missing};

/// The coordinator half.
#[derive(Clone, Debug)]
pub struct Statistics {
    contract: Contract,
}

/// Asks for counts and moments. The ranges come from the institution's own copy of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsQuestion {
    /// Numeric columns of the contract.
    pub numeric_columns: u32,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
    /// Nullable columns of the contract.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nullable_columns: u32,
}

/// What the sums say of all institutions that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Training rows.
    pub training: Count,
    /// Validation rows.
    pub validation: Count,
    /// Test rows.
    pub test: Count,
    /// How numeric inputs are scaled, from training rows.
    pub standardisation: Standardisation,
    /// Training rows that have no value, of each nullable column in contract order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u64>,
}

/// Rows, and the positives among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// Positives.
    pub positives: u64,
}

impl Summary {
    /// What the contract alone says: numbers scaled to [-1, 1] by their ranges, and no rows.
    pub(crate) fn of_contract(contract: &Contract) -> Self {
        let none = Count { rows: 0, positives: 0 };
        let standardisation = public_standardisation(contract);
        Self { training: none, validation: none, test: none, standardisation, missing: Vec::new() }
    }
}

impl Statistics {
    /// Statistics of tables under this contract.
    pub fn new(contract: Contract) -> Self {
        Self { contract }
    }

    fn question(&self) -> StatisticsQuestion {
        StatisticsQuestion::of(&self.contract)
    }

    /// Of each numeric column, the training rows that have a value.
    fn present(&self, rows: u64, missing: &[f64]) -> Vec<f64> {
        let mut missing = missing.iter();
        let mut of_column = |column: &crate::Column| {
            let missing = column.nullable.then(|| missing.next()).flatten();
            column.positions().is_none().then(|| rows as f64 - missing.copied().unwrap_or(0.0))
        };
        self.contract.columns.iter().filter_map(&mut of_column).collect()
    }
}

impl StatisticsQuestion {
    /// The only question that a contract leads to.
    pub fn of(contract: &Contract) -> Self {
        Self {
            numeric_columns: contract.numeric().count() as u32,
            max_rows: contract.max_rows,
            nullable_columns: contract.nullable().count() as u32,
        }
    }

    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        let bound = self.max_rows as f64;
        let moments = |name: &str| Block {
            name: name.into(),
            len: self.numeric_columns,
            bound,
            resolution: finest_step(self.max_rows),
        };
        let mut blocks = vec![
            count_block(ROWS, ROLES.len(), self.max_rows),
            count_block(POSITIVES, ROLES.len(), self.max_rows),
        ];
        if self.numeric_columns > 0 {
            blocks.extend([moments(SUMS), moments(SQUARES)]);
        }
        if self.nullable_columns > 0 {
            blocks.push(count_block(MISSING, self.nullable_columns as usize, self.max_rows));
        }
        Ok(Layout::new(blocks)?)
    }
}

/// Refuses counts that no tables have; `most` is the rows that the institutions may bring together.
fn check_counts(rows: &[f64], positives: &[f64], most: f64) -> Result<(), ProgramError> {
    let problem = if rows.iter().chain(positives).any(|&count| count < 0.0) {
        NEGATIVE_COUNT
    } else if rows.iter().sum::<f64>() > most {
        TOO_MANY_ROWS
    } else if positives.iter().zip(rows).any(|(positives, rows)| positives > rows) {
        "more positives than rows"
    } else {
        return Ok(());
    };
    Err(ProgramError::ImpossibleSum(problem))
}

impl Program for Statistics {
    type Question = StatisticsQuestion;
    type Outcome = Summary;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<StatisticsQuestion, Summary>, ProgramError> {
        let question = self.question();
        let Some(sum) = sum else { return Ok(Next::Ask(question)) };
        let layout = question.layout()?;
        let (rows, positives) = (values(sum, &layout, ROWS)?, values(sum, &layout, POSITIVES)?);
        check_counts(&rows, &positives, f64::from(sum.survivors()) * question.max_rows as f64)?;
        let count = |role: usize| Count { rows: rows[role] as u64, positives: positives[role] as u64 };
        let training = count(0);
        if training.positives == 0 || training.positives >= training.rows {
            return Err(ProgramError::OneClass { rows: training.rows, positives: training.positives });
        }
        let missing = match question.nullable_columns {
            0 => Vec::new(),
            _ => values(sum, &layout, MISSING)?,
        };
        if missing.iter().any(|&count| count < 0.0) {
            return Err(ProgramError::ImpossibleSum(NEGATIVE_COUNT));
        }
        if missing.iter().any(|&count| count > training.rows as f64) {
            return Err(ProgramError::ImpossibleSum("more missing values than rows"));
        }
        let mut standardisation = Standardisation { mean: Vec::new(), sd: Vec::new() };
        if question.numeric_columns > 0 {
            let (sums, squares) = (values(sum, &layout, SUMS)?, values(sum, &layout, SQUARES)?);
            let steps = f64::from(sum.survivors()) * finest_step(question.max_rows);
            let moments = sums.into_iter().zip(squares).zip(self.present(training.rows, &missing));
            for ((transform, min, max), ((sum, square), total)) in self.contract.numeric().zip(moments) {
                // A row adds at most one, but for what rounding makes of it.
                let most = total * (1.0 + RANGE_ROUNDING) + steps;
                let impossible = |moment: f64| moment > most || moment < -most;
                if impossible(sum) || impossible(square) || square < 0.0 {
                    return Err(ProgramError::ImpossibleSum("a moment that so many rows cannot have"));
                }
                let (centre, half_range) = transform.centre_and_half_range(min, max);
                if total == 0.0 {
                    // Nobody has a value: none is told from another.
                    standardisation.mean.push(centre);
                    standardisation.sd.push(1.0);
                    continue;
                }
                let rounding = steps / total;
                let mean = sum / total;
                let variance = square / total - mean * mean;
                // A constant column: what is left of its variance is rounding.
                let sd = if variance > 4.0 * rounding { variance.sqrt() * half_range } else { 1.0 };
                standardisation.mean.push(centre + half_range * mean);
                standardisation.sd.push(sd);
            }
        }
        let missing = missing.into_iter().map(|count| count as u64).collect();
        Ok(Next::Done(Summary { training, validation: count(1), test: count(2), standardisation, missing }))
    }

    fn answer(
        question: &StatisticsQuestion,
        table: &Table,
        _rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        if *question != StatisticsQuestion::of(table.contract()) {
            return Err(ProgramError::BadQuestion("it is about another contract".into()));
        }
        let (rows, positives): (Vec<_>, Vec<_>) = ROLES.map(|role| table.count(role)).into_iter().unzip();
        let mut contribution: Vec<f64> =
            rows.into_iter().chain(positives).map(|count| count as f64).collect();
        let training = table.rows_for(Role::Train);
        let numeric = table.columns().iter().filter_map(|column| match column {
            Values::Numeric(values) => Some(values),
            Values::Categorical(_) => None,
        });
        let mut squares: Vec<f64> = Vec::new();
        for (values, (transform, min, max)) in numeric.zip(table.contract().numeric()) {
            let (centre, half_range) = transform.centre_and_half_range(min, max);
            let present = || training.iter().map(|&row| values[row]).filter(|&value| !is_missing(value));
            let scaled = || present().map(|value| (value - centre) / half_range);
            contribution.push(scaled().sum());
            squares.push(scaled().map(|value| value * value).sum());
        }
        contribution.extend(squares);
        for (column, values) in table.contract().columns.iter().zip(table.columns()) {
            if column.nullable {
                let missing = training.iter().filter(|&&row| values.is_missing(row, column)).count();
                contribution.push(missing as f64);
            }
        }
        Ok(Contribution::new(question.layout()?, contribution)?)
    }
}

/// Order of the roles in the blocks of counts.
const ROLES: [Role; 3] = [Role::Train, Role::Validation, Role::Test];

const ROWS: &str = "rows";
const POSITIVES: &str = "positives";
const SUMS: &str = "sums";
const SQUARES: &str = "squares";
const MISSING: &str = "missing";

/// Questions about contracts without nullable columns keep their bytes.
pub(super) fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::job::Encoding;
    use crate::program::run::tests::sum_of;

    fn summary(tables: &[&Table], admitted: u16) -> Summary {
        let mut program = Statistics::new(tables[0].contract().clone());
        let Next::Ask(question) = program.next(None).unwrap() else { panic!("no question") };
        let sum = sum_of(tables, admitted, &question.layout().unwrap(), |table, rng| {
            Statistics::answer(&question, table, rng).unwrap()
        });
        match program.next(Some(&sum)).unwrap() {
            Next::Done(summary) => summary,
            Next::Ask(_) => panic!("asked twice"),
        }
    }

    #[test]
    fn federated_moments_equal_pooled_ones_to_a_ten_thousandth_of_a_deviation() {
        let tables: Vec<_> = (0..5).map(|k| fixture::table(300, k as f64 / 4.0, false, k)).collect();
        let tables: Vec<_> = tables.iter().collect();
        let pooled =
            crate::reference::fit_linear(&tables, 1e-3, Encoding::AllLevels).unwrap().standardisation;
        for admitted in [5, 256] {
            let federated = summary(&tables, admitted).standardisation;
            for column in 0..2 {
                let sd = pooled.sd[column];
                assert!((federated.mean[column] - pooled.mean[column]).abs() < 1e-4 * sd);
                assert!((federated.sd[column] - sd).abs() < 1e-4 * sd);
            }
        }
    }

    #[test]
    fn a_column_that_hardly_varies_within_a_wide_range_is_still_exact() {
        let mut contract = fixture::contract();
        contract.columns.truncate(1);
        contract.columns[0].kind = crate::ColumnKind::Numeric {
            transform: crate::Transform::Identity,
            min: -10_000.0,
            max: 10_000.0,
        };
        let table = |offset: f64| {
            let mut builder = crate::TableBuilder::new(&contract, &["age", "label"]).unwrap();
            for row in 0..200 {
                let age = (5000.0 + offset + 2.0 * f64::from(row % 3)).to_string();
                builder.push(row as u64, &[age.as_str(), if row % 2 == 0 { "1" } else { "0" }], Role::Train);
            }
            builder.finish().unwrap()
        };
        let (a, b) = (table(0.0), table(1.0));
        let pooled =
            crate::reference::fit_linear(&[&a, &b], 1e-3, Encoding::AllLevels).unwrap().standardisation;
        let federated = summary(&[&a, &b], 256).standardisation;
        assert!((federated.mean[0] - pooled.mean[0]).abs() < 1e-4 * pooled.sd[0]);
        assert!((federated.sd[0] - pooled.sd[0]).abs() < 1e-4 * pooled.sd[0]);
    }

    #[test]
    fn counts_are_exact_for_every_role() {
        let (a, b) = (fixture::table(100, 0.0, true, 1), fixture::table(50, 1.0, true, 2));
        let summary = summary(&[&a, &b], 5);
        for (role, count) in [
            (Role::Train, summary.training),
            (Role::Validation, summary.validation),
            (Role::Test, summary.test),
        ] {
            let (rows, positives) = (a.count(role).0 + b.count(role).0, a.count(role).1 + b.count(role).1);
            assert_eq!(count, Count { rows, positives });
        }
    }

    #[test]
    fn counts_and_moments_that_no_tables_add_up_to_are_refused() {
        let question = StatisticsQuestion::of(&fixture::contract());
        let layout = question.layout().unwrap();
        let told = |values: [f64; 10]| {
            let sum = sum_of(&[&fixture::table(50, 0.0, false, 1)], 1, &layout, |_, _| {
                Contribution::new(layout.clone(), values.to_vec()).unwrap()
            });
            Statistics::new(fixture::contract()).next(Some(&sum)).map(|_| ()).map_err(|error| error.code())
        };
        let fine = [10.0, 0.0, 2.0, 4.0, 0.0, 1.0, -9.0, 9.0, 8.5, 9.5];
        assert_eq!(told(fine), Ok(()));
        // Training, validation and test rows; the positives among each; two sums; two sums of squares.
        for (position, value) in [
            (0, -1.0),
            (0, 999_999.0),
            (1, -1.0),
            (3, -1.0),
            (4, 1.0),
            (5, 3.0),
            (6, -11.0),
            (7, 11.0),
            (8, -1.0),
            (9, 11.0),
        ] {
            let mut bent = fine;
            bent[position] = value;
            assert_eq!(told(bent), Err("program.impossible-sum"), "{position}: {value}");
        }
    }

    #[test]
    fn missing_values_are_counted_and_moments_are_of_the_others() {
        let tables = [fixture::table_with_gaps(400, 1), fixture::table_with_gaps(300, 2)];
        let tables: Vec<_> = tables.iter().collect();
        let training: Vec<_> = tables.iter().map(|table| (*table, table.rows_for(Role::Train))).collect();
        let pooled = crate::reference::standardise(tables[0].contract(), &training);
        let summary = summary(&tables, 5);
        let missing = |column: usize| -> u64 {
            let of = &tables[0].contract().columns[column];
            let count = |(table, rows): &(&Table, Vec<usize>)| {
                rows.iter().filter(|&&row| table.columns()[column].is_missing(row, of)).count() as u64
            };
            training.iter().map(count).sum()
        };
        assert_eq!(summary.missing, [missing(0), missing(1)]);
        assert!(summary.missing.iter().all(|&count| count > 30), "{:?}", summary.missing);
        for column in 0..2 {
            let (mean, sd) = (summary.standardisation.mean[column], summary.standardisation.sd[column]);
            assert!((mean - pooled.mean[column]).abs() < 1e-4 * pooled.sd[column]);
            assert!((sd - pooled.sd[column]).abs() < 1e-4 * pooled.sd[column]);
        }
    }

    #[test]
    fn more_missing_values_than_rows_are_refused_and_a_column_of_none_but_them_is_not() {
        let mut contract = fixture::contract();
        contract.columns[2].nullable = true;
        let question = StatisticsQuestion::of(&contract);
        let layout = question.layout().unwrap();
        let told = |missing: f64, of_balance: f64| {
            let mut values = vec![10.0, 0.0, 2.0, 4.0, 0.0, 1.0, -9.0, of_balance, 8.5, of_balance];
            values.push(missing);
            let sum = sum_of(&[&fixture::table(50, 0.0, false, 1)], 1, &layout, |_, _| {
                Contribution::new(layout.clone(), values.clone()).unwrap()
            });
            Statistics::new(contract.clone()).next(Some(&sum)).map_err(|error| error.code())
        };
        let Ok(Next::Done(summary)) = told(10.0, 0.0) else { panic!("refused") };
        assert_eq!((summary.missing, summary.standardisation.sd[1]), (vec![10], 1.0));
        for (missing, of_balance) in [(-1.0, 1.0), (11.0, 0.0), (10.0, 1.0), (7.0, 4.0)] {
            assert_eq!(told(missing, of_balance).err(), Some("program.impossible-sum"), "{missing}");
        }
    }

    #[test]
    fn a_question_about_no_nullable_column_has_the_bytes_that_it_had() {
        let text = |contract: &Contract| serde_json::to_string(&StatisticsQuestion::of(contract)).unwrap();
        let mut contract = fixture::contract();
        assert_eq!(text(&contract), r#"{"numeric_columns":2,"max_rows":1000000}"#);
        contract.columns[1].nullable = true;
        assert!(text(&contract).ends_with(r#","nullable_columns":1}"#));
    }

    #[test]
    fn a_sum_of_another_question_is_rejected() {
        let table = fixture::table(100, 0.0, true, 1);
        let mut other = table.contract().clone();
        other.max_rows = 7_000_000;
        let question = StatisticsQuestion::of(table.contract());
        let sum = sum_of(&[&table], 1, &question.layout().unwrap(), |table, rng| {
            Statistics::answer(&question, table, rng).unwrap()
        });
        assert_eq!(Statistics::new(other).next(Some(&sum)).unwrap_err().code(), "program.wrong-sum");
    }
}
