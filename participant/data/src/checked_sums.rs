//! `SUM` of whole and of decimal numbers, added up as a decimal number of more digits and made one of the sum's own type at the end,
//! which fails where it does not fit. DataFusion's own begins again at the other end of the type.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as Planned, plan_err};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable as _, LogicalPlan, Projection, Window, WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;

/// Puts wide sums where a plan adds up whole or decimal numbers. It belongs behind the rules that settle types.
#[derive(Debug)]
pub(crate) struct CheckedSums;

impl AnalyzerRule for CheckedSums {
    fn name(&self) -> &str {
        "checked_sums"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Planned<LogicalPlan> {
        plan.transform_up_with_subqueries(widened).map(|widened| widened.data)
    }
}

fn widened(plan: LogicalPlan) -> Planned<Transformed<LogicalPlan>> {
    let wide = match &plan {
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
            let Some(sums) = wide_sums(aggr_expr, input.schema())? else { return Ok(Transformed::no(plan)) };
            LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(input), group_expr.clone(), sums)?)
        }
        LogicalPlan::Window(Window { input, window_expr, .. }) => {
            let Some(sums) = wide_sums(window_expr, input.schema())? else {
                return Ok(Transformed::no(plan));
            };
            LogicalPlan::Window(Window::try_new(sums, Arc::clone(input))?)
        }
        _ => return Ok(Transformed::no(plan)),
    };
    // Names and types as they were: whatever is above asks for them.
    let columns = plan.schema().iter().zip(wide.schema().iter());
    let restored = columns.map(|((qualifier, field), (of, found))| {
        let column = Expr::Column(Column::from((of, found)));
        match field.data_type() == found.data_type() {
            true => column,
            false => {
                cast(column, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
            }
        }
    });
    let restored = restored.collect();
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(restored, Arc::new(wide))?)))
}

/// The same expressions with wide sums; none where they have no sum that could run over.
fn wide_sums(expressions: &[Expr], schema: &DFSchema) -> Planned<Option<Vec<Expr>>> {
    let mut is_any = false;
    let wide = |expression: &Expr| {
        let wide = expression.clone().transform_up(|part| wide_sum(part, schema))?;
        is_any |= wide.transformed;
        Ok(wide.data)
    };
    let wide: Vec<Expr> = expressions.iter().map(wide).collect::<Planned<_>>()?;
    Ok(is_any.then_some(wide))
}

fn wide_sum(mut part: Expr, schema: &DFSchema) -> Planned<Transformed<Expr>> {
    let arguments = match &mut part {
        Expr::AggregateFunction(call) if call.func.name() == SUM => &mut call.params.args,
        Expr::WindowFunction(call) if is_sum(&call.fun) => &mut call.params.args,
        _ => return Ok(Transformed::no(part)),
    };
    let [of] = &mut arguments[..] else { return Ok(Transformed::no(part)) };
    match wider(&of.get_type(schema)?)? {
        Some(wide) => {
            *of = cast(of.clone(), wide);
            Ok(Transformed::yes(part))
        }
        None => Ok(Transformed::no(part)),
    }
}

/// A type of more digits in which sums of this one are added up; none where it has digits enough, or is a binary number.
fn wider(kind: &DataType) -> Planned<Option<DataType>> {
    Ok(match *kind {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            Some(DataType::Decimal128(ROOMY, scale))
        }
        DataType::Decimal128(precision, scale) if precision > ROOMY => {
            Some(DataType::Decimal256(precision, scale))
        }
        DataType::Decimal256(precision, _) if precision > VERY_ROOMY => {
            return plan_err!("SUM of decimal numbers of {precision} digits; CAST them to fewer");
        }
        _ if kind.is_integer() => Some(WIDE),
        _ => None,
    })
}

fn is_sum(function: &WindowFunctionDefinition) -> bool {
    matches!(function, WindowFunctionDefinition::AggregateUDF(function) if function.name() == SUM)
}

const SUM: &str = "sum";
/// Holds every whole number of 64 bits; the sum of such numbers has ten digits more.
const WIDE: DataType = DataType::Decimal128(20, 0);
/// Digits that leave ten more to a sum of numbers of 38 digits, or of 76: it takes ten thousand million rows to run over.
const ROOMY: u8 = 28;
const VERY_ROOMY: u8 = 66;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_has_ten_digits_more_than_what_is_added_up() {
        let wider = |kind: DataType| wider(&kind).unwrap();
        assert_eq!(wider(DataType::UInt64), Some(DataType::Decimal128(20, 0)));
        assert_eq!(wider(DataType::Decimal32(9, 2)), Some(DataType::Decimal128(28, 2)));
        assert_eq!(wider(DataType::Decimal64(18, -3)), Some(DataType::Decimal128(28, -3)));
        assert_eq!(wider(DataType::Decimal128(29, 4)), Some(DataType::Decimal256(29, 4)));
        for enough in [DataType::Decimal128(28, 4), DataType::Decimal256(66, 4), DataType::Float64] {
            assert_eq!(wider(enough), None);
        }
        assert!(super::wider(&DataType::Decimal256(67, 0)).is_err());
    }
}
