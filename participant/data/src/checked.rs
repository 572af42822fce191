//! Arithmetic of whole numbers that ends the query where a result does not fit its type. DataFusion's own begins again at the other end
//! of the type, and nobody hears of it.

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::numeric::{add, mul, sub};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as Planned, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

/// Puts checked sums, differences and products of whole numbers where a plan has others. It belongs behind the rules that settle types.
#[derive(Debug)]
pub(crate) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Planned<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let (schema, names) = (merge_schema(&plan.inputs()), NamePreserver::new(&plan));
            plan.map_expressions(|expression| {
                let name = names.save(&expression);
                let checked = expression.transform_up(|part| checked(part, &schema))?;
                Ok(checked.update_data(|expression| name.restore(expression)))
            })
        });
        rewritten.map(|rewritten| rewritten.data)
    }
}

/// The same part of an expression, checked where it computes with whole numbers. An operand whose type is not known, or whole numbers
/// in another form than the one that is checked, are an error: the query is refused.
fn checked(part: Expr, schema: &DFSchema) -> Planned<Transformed<Expr>> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(function) = Checked::of(op) else {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            };
            match (left.get_type(schema)?, right.get_type(schema)?) {
                (of, with) if of.is_integer() && of == with => {
                    Ok(Transformed::yes(function.call(*left, *right)))
                }
                (of, with) if is_whole(&of) && is_whole(&with) => {
                    plan_err!(
                        "whole numbers of the types {of} and {with} are computed with; CAST both to BIGINT"
                    )
                }
                _ => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            }
        }
        Expr::Negative(of) => match of.get_type(schema)? {
            kind if kind.is_integer() => {
                let zero = lit(ScalarValue::new_zero(&kind)?);
                Ok(Transformed::yes(Checked::new(Operation::Sub).call(zero, *of)))
            }
            kind if is_whole(&kind) => {
                plan_err!("a whole number of the type {kind} is negated; CAST it to BIGINT")
            }
            _ => Ok(Transformed::no(Expr::Negative(of))),
        },
        other => Ok(Transformed::no(other)),
    }
}

/// Whether these are whole numbers, written out or by reference to a list of values.
fn is_whole(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_whole(values),
        DataType::RunEndEncoded(_, values) => is_whole(values.data_type()),
        kind => kind.is_integer(),
    }
}

/// One operation on two whole numbers of the same type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Sub,
    Mul,
}

impl Checked {
    fn new(operation: Operation) -> Self {
        Self { operation, signature: Signature::any(2, Volatility::Immutable) }
    }

    fn of(op: Operator) -> Option<Self> {
        match op {
            Operator::Plus => Some(Self::new(Operation::Add)),
            Operator::Minus => Some(Self::new(Operation::Sub)),
            Operator::Multiply => Some(Self::new(Operation::Mul)),
            _ => None,
        }
    }

    fn call(self, left: Expr, right: Expr) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(ScalarUDF::from(self).into(), vec![left, right]))
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
        match self.operation {
            Operation::Add => add(left, right),
            Operation::Sub => sub(left, right),
            Operation::Mul => mul(left, right),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Sub => "checked_sub",
            Operation::Mul => "checked_mul",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Planned<DataType> {
        let kind = kinds.first().cloned();
        kind.ok_or_else(|| DataFusionError::Internal("an operation without operands".into()))
    }

    /// Empty where an operand is, as the operator would be: a plan's schema must not change.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Planned<FieldRef> {
        let kinds: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let may_be_empty = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Field::new(self.name(), self.return_type(&kinds)?, may_be_empty).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Planned<ColumnarValue> {
        let operands = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = &operands[..] else {
            return Err(DataFusionError::Internal("an operation on two operands".into()));
        };
        Ok(ColumnarValue::Array(self.compute(left, right)?))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Schema;
    use datafusion::logical_expr::col;

    use super::*;

    #[test]
    fn what_cannot_be_checked_is_refused_in_the_place_of_passed_over() {
        let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Int64.into());
        let fields = [("n", DataType::Int64), ("x", DataType::Float64), ("d", dictionary)];
        let fields = fields.map(|(name, kind)| Field::new(name, kind, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let is_checked = |part: Expr| checked(part, &schema).map(|checked| checked.transformed);
        assert!(is_checked(col("n") + col("n")).unwrap() && is_checked(-col("n")).unwrap());
        assert!(!is_checked(col("x") * col("x")).unwrap() && !is_checked(col("n") / col("n")).unwrap());
        // Of a type that nobody knows, and of one that the checked operation does not take.
        for part in [col("unknown") + lit(1_i64), -col("unknown"), col("d") * lit(1_i64), -col("d")] {
            assert!(is_checked(part.clone()).is_err(), "{part}");
        }
    }
}
