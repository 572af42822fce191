//! What a query may be: one SELECT over the sources, the same whenever it is asked.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as Planned, SchemaError, TableReference};
use datafusion::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility, WindowFunctionDefinition};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast;

use crate::{QueryError, Source};

/// A query that was parsed: a SELECT over sources and nothing else.
pub(crate) struct Statement<'a> {
    parsed: Parsed,
    /// The sources that it reads from.
    pub(crate) reads: Vec<&'a Source>,
}

impl<'a> Statement<'a> {
    /// Parses `sql`.
    ///
    /// # Errors
    /// Where it is no SELECT, or reads from something that is none of `sources`.
    pub(crate) fn parse(
        session: &SessionState,
        sql: &str,
        sources: &'a [Source],
    ) -> Result<Self, QueryError> {
        let parsed = session.sql_to_statement(sql, &Dialect::Generic).map_err(|error| match error {
            DataFusionError::NotImplemented(_) => QueryError::NotSelect,
            error => QueryError::Syntax(place(&error)),
        })?;
        if !matches!(&parsed, Parsed::Statement(inner) if matches!(**inner, ast::Statement::Query(_))) {
            return Err(QueryError::NotSelect);
        }
        if let Parsed::Statement(inner) = &parsed
            && let ControlFlow::Break(refused) = ast::Visit::visit(&**inner, &mut Passed)
        {
            return Err(refused);
        }
        let named = session.resolve_table_references(&parsed).map_err(|error| refused(&error, false))?;
        let known = |name: &TableReference| {
            name.schema().is_none() && sources.iter().any(|source| source.name == name.table())
        };
        if let Some(other) = named.iter().find(|name| !known(name)) {
            return Err(QueryError::UnknownSource(other.to_string()));
        }
        let is_read = |source: &&Source| named.iter().any(|name| name.table() == source.name);
        Ok(Self { parsed, reads: sources.iter().filter(is_read).collect() })
    }

    /// The plan, before anything is computed.
    ///
    /// # Errors
    /// Where it writes or sets something, would not give the same rows again, or does not fit the sources.
    pub(crate) async fn plan(
        &self,
        session: &SessionState,
        plain_names: bool,
    ) -> Result<LogicalPlan, QueryError> {
        let refused = |error: DataFusionError| refused(&error, plain_names);
        let plan = session.statement_to_plan(self.parsed.clone()).await.map_err(refused)?;
        let reads =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reads.verify_plan(&plan).map_err(|_| QueryError::NotSelect)?;
        match another_each_time(&plan).map_err(refused)? {
            Some(function) => Err(QueryError::NotRepeatable(function)),
            None => Ok(plan),
        }
    }
}

/// Refuses what the planner would pass over: rows would be read that the query does not mean.
struct Passed;

impl ast::Visitor for Passed {
    type Break = QueryError;

    fn pre_visit_table_factor(&mut self, table: &ast::TableFactor) -> ControlFlow<QueryError> {
        let sampled = match table {
            ast::TableFactor::Table { sample, .. } | ast::TableFactor::Derived { sample, .. } => {
                sample.is_some()
            }
            _ => false,
        };
        let versioned = matches!(table, ast::TableFactor::Table { version: Some(_), .. });
        match (sampled, versioned) {
            (true, _) => ControlFlow::Break(QueryError::NotRepeatable("TABLESAMPLE".into())),
            (_, true) => ControlFlow::Break(QueryError::Plan(": tables have no versions".into())),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The first function in the plan that reads the clock or draws at random.
fn another_each_time(plan: &LogicalPlan) -> Planned<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                let function = match part {
                    Expr::ScalarFunction(call) => Some((call.func.name(), call.func.signature())),
                    Expr::AggregateFunction(call) => Some((call.func.name(), call.func.signature())),
                    Expr::WindowFunction(call) => match &call.fun {
                        WindowFunctionDefinition::AggregateUDF(of) => Some((of.name(), of.signature())),
                        WindowFunctionDefinition::WindowUDF(of) => Some((of.name(), of.signature())),
                    },
                    _ => None,
                };
                match function {
                    Some((name, signature)) if signature.volatility != Volatility::Immutable => {
                        found = Some(name.to_owned());
                        Ok(TreeNodeRecursion::Stop)
                    }
                    _ => Ok(TreeNodeRecursion::Continue),
                }
            })
        })
    })?;
    Ok(found)
}

/// What the planner says, in our words; its own only where no name in it can be a cell of a file without a header.
pub(crate) fn refused(error: &DataFusionError, plain_names: bool) -> QueryError {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match &**schema {
            SchemaError::FieldNotFound { field, .. } => QueryError::UnknownColumn(field.name.clone()),
            _ => QueryError::Plan(": a column's name is there twice".into()),
        },
        DataFusionError::SQL(..) => QueryError::Syntax(place(error)),
        DataFusionError::Plan(told) | DataFusionError::NotImplemented(told) if plain_names => {
            let line: String = told.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
            QueryError::Plan(format!(": {line}"))
        }
        _ => QueryError::Plan(String::new()),
    }
}

/// `, line 1, column 8`, where the parser tells it; the words between could quote a value of the query.
fn place(error: &DataFusionError) -> String {
    let told = error.to_string();
    let number = |after: &str| -> Option<u64> {
        let rest = told.rsplit_once(after)?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    match (number("Line: "), number("Column: ")) {
        (Some(line), Some(column)) => format!(": line {line}, column {column}"),
        _ => String::new(),
    }
}

/// Characters of the planner's own words.
const SHOWN: usize = 300;
