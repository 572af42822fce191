//! `SUM` of whole numbers, added up as a decimal number of 38 digits and made a whole one again at the end, which fails where it does
//! not fit. DataFusion's own begins again at the other end of the type.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as Planned};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable as _, LogicalPlan, Projection, Window, WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;

/// Puts wide sums where a plan adds up whole numbers. It belongs behind the rules that settle types.
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

/// The same expressions with wide sums; none where they have no sum of whole numbers.
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
    match &mut arguments[..] {
        [of] if of.get_type(schema)?.is_integer() => {
            *of = cast(of.clone(), WIDE);
            Ok(Transformed::yes(part))
        }
        _ => Ok(Transformed::no(part)),
    }
}

fn is_sum(function: &WindowFunctionDefinition) -> bool {
    matches!(function, WindowFunctionDefinition::AggregateUDF(function) if function.name() == SUM)
}

const SUM: &str = "sum";
/// Holds every whole number of 64 bits; the sum of such numbers has ten digits more.
const WIDE: DataType = DataType::Decimal128(20, 0);
