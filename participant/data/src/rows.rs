//! From Arrow's columns to the cells of one row after another.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use syndic_learning::Cell;

use crate::QueryError;

/// Checks that every column of a result can be read.
pub(crate) fn check(schema: &Schema) -> Result<(), QueryError> {
    for (at, field) in schema.fields().iter().enumerate() {
        if plain(field.data_type()).is_none() {
            return Err(QueryError::ColumnType { position: at + 1, kind: named(field.data_type()).into() });
        }
    }
    Ok(())
}

/// Hands out the rows of a batch, numbered from `first`, until one is refused.
pub(crate) fn each<R>(
    batch: &RecordBatch,
    first: u64,
    mut row: impl FnMut(u64, &[Cell<'_>]) -> Result<(), R>,
) -> Result<Result<(), R>, QueryError> {
    let plain: Vec<ArrayRef> = batch.columns().iter().map(converted).collect::<Result<_, _>>()?;
    let columns: Vec<Column<'_>> = plain.iter().map(Column::of).collect();
    let mut cells = Vec::with_capacity(columns.len());
    for at in 0..batch.num_rows() {
        cells.clear();
        cells.extend(columns.iter().map(|column| column.cell(at)));
        if let Err(refusal) = row(first + at as u64, &cells) {
            return Ok(Err(refusal));
        }
    }
    Ok(Ok(()))
}

enum Column<'a> {
    Texts(&'a StringArray),
    Integers(&'a Int64Array),
    Numbers(&'a Float64Array),
    Truths(&'a BooleanArray),
    Nothing,
}

impl<'a> Column<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Utf8 => Self::Texts(array.as_string()),
            DataType::Int64 => Self::Integers(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Numbers(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Self::Truths(array.as_boolean()),
            _ => Self::Nothing,
        }
    }

    fn cell(&self, at: usize) -> Cell<'a> {
        match self {
            Self::Texts(array) if array.is_valid(at) => Cell::Text(array.value(at)),
            Self::Integers(array) if array.is_valid(at) => Cell::Integer(array.value(at)),
            Self::Numbers(array) if array.is_valid(at) => Cell::Number(array.value(at)),
            Self::Truths(array) if array.is_valid(at) => Cell::Truth(array.value(at)),
            _ => Cell::Empty,
        }
    }
}

fn converted(array: &ArrayRef) -> Result<ArrayRef, QueryError> {
    match plain(array.data_type()) {
        Some(target) if target == *array.data_type() => Ok(Arc::clone(array)),
        Some(target) => cast(array, &target).map_err(|_| QueryError::Value),
        None => Err(QueryError::Value),
    }
}

/// The type that a column is read as, without loss; none where it is no number, text or truth.
fn plain(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8),
        // As decimal digits: a number of these types can have more of them than a float, which is rounded to once, at the end.
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Some(DataType::Utf8),
        kind if kind.is_integer() => Some(DataType::Int64),
        kind if kind.is_floating() => Some(DataType::Float64),
        DataType::Boolean => Some(DataType::Boolean),
        DataType::Null => Some(DataType::Null),
        DataType::Dictionary(_, values) => match plain(values)? {
            DataType::Utf8 => Some(DataType::Utf8),
            _ => None,
        },
        _ => None,
    }
}

/// The type in a word; the whole could hold names of nested columns.
fn named(kind: &DataType) -> &'static str {
    match kind {
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        kind if kind.is_nested() => "list or structure",
        _ => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        Decimal128Array, DictionaryArray, Float32Array, Int8Array, LargeStringArray, NullArray,
        StringViewArray, UInt64Array,
    };
    use datafusion::arrow::datatypes::{Field, Int32Type, TimeUnit};

    use super::*;

    fn read(array: impl Array + 'static) -> Vec<String> {
        let batch = RecordBatch::try_from_iter([("x", Arc::new(array) as ArrayRef)]).unwrap();
        check(&batch.schema()).unwrap();
        let mut read = Vec::new();
        let row = |number: u64, cells: &[Cell<'_>]| -> Result<(), ()> {
            read.push(format!("{number} {:?}", cells[0]));
            Ok(())
        };
        each(&batch, 1, row).unwrap().unwrap();
        read
    }

    #[test]
    fn numbers_of_every_type_are_read_without_loss() {
        assert_eq!(read(Int8Array::from(vec![Some(-3), None])), ["1 Integer(-3)", "2 Empty"]);
        assert_eq!(read(UInt64Array::from(vec![u64::MAX])), ["1 Text(\"18446744073709551615\")"]);
        assert_eq!(read(Float32Array::from(vec![0.5, f32::NAN])), ["1 Number(0.5)", "2 Number(NaN)"]);
        let euros = Decimal128Array::from(vec![Some(-1_005), None]).with_precision_and_scale(9, 2).unwrap();
        assert_eq!(read(euros), ["1 Text(\"-10.05\")", "2 Empty"]);
    }

    #[test]
    fn text_of_every_type_and_truths_are_read() {
        assert_eq!(read(StringViewArray::from(vec![Some("a"), None])), ["1 Text(\"a\")", "2 Empty"]);
        assert_eq!(read(LargeStringArray::from(vec!["b"])), ["1 Text(\"b\")"]);
        let dictionary: DictionaryArray<Int32Type> = ["c", "d", "c"].into_iter().collect();
        assert_eq!(read(dictionary), ["1 Text(\"c\")", "2 Text(\"d\")", "3 Text(\"c\")"]);
        assert_eq!(read(BooleanArray::from(vec![Some(true), None])), ["1 Truth(true)", "2 Empty"]);
        assert_eq!(read(NullArray::new(1)), ["1 Empty"]);
    }

    #[test]
    fn a_date_is_refused_by_its_place_and_type() {
        let date = Field::new("born 4711", DataType::Timestamp(TimeUnit::Second, None), true);
        let told = check(&Schema::new(vec![Field::new("a", DataType::Int8, true), date])).unwrap_err();
        assert_eq!(told.code(), "data.column-type");
        assert_eq!(told.to_string(), "column 2 of the query's result has the type timestamp");
    }
}
