//! Arithmetic of whole numbers that ends the query where a result does not fit its type. DataFusion's own begins again at the other end
//! of the type, and nobody hears of it.

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::numeric::{add, mul, sub};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as Planned};
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

fn checked(part: Expr, schema: &DFSchema) -> Planned<Transformed<Expr>> {
    let whole = |one: &Expr| one.get_type(schema).ok().filter(DataType::is_integer);
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match Checked::of(op) {
            Some(function) if whole(&left).is_some_and(|kind| whole(&right) == Some(kind)) => {
                Ok(Transformed::yes(function.call(*left, *right)))
            }
            _ => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
        },
        Expr::Negative(of) => match whole(&of) {
            Some(kind) => {
                let zero = lit(ScalarValue::new_zero(&kind)?);
                Ok(Transformed::yes(Checked::new(Operation::Sub).call(zero, *of)))
            }
            None => Ok(Transformed::no(Expr::Negative(of))),
        },
        other => Ok(Transformed::no(other)),
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
