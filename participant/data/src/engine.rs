//! A query run by DataFusion, on one thread and in bounded memory.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio_stream::StreamExt as _;

use crate::checked::CheckedArithmetic;
use crate::checked_sums::CheckedSums;
use crate::files::SourceFiles;
use crate::input::Input;
use crate::scratch::Scratch;
use crate::statement::Statement;
use crate::{Query, QueryError, ReadError, Rows, rows, statement};

impl Query<'_> {
    /// See [`Query::read`]. Of one type, so that it is compiled here and not anew for everybody who takes rows.
    pub(crate) fn run(&self, rows: &mut dyn Rows<Refusal = ()>) -> Result<Vec<SourceFiles>, ReadError<()>> {
        let scratch = Scratch::within(self.scratch).map_err(engine)?;
        let session = self.session(scratch.path())?;
        let statement = Statement::parse(&session.state(), self.sql, self.sources)?;
        // One thread: the same files give the same rows in the same order, so that a model computed twice is the same.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(engine)?;
        let mut inputs = Vec::new();
        for source in &statement.reads {
            inputs.push(runtime.block_on(Input::of(source, scratch.path()))?);
        }
        let read = runtime.block_on(self.stream(&session, &statement, &inputs, rows));
        // Whatever else is said of files that somebody writes to: this is why.
        inputs.iter().try_for_each(Input::check)?;
        read.map(|()| inputs.into_iter().map(|input| input.read).collect())
    }

    async fn stream(
        &self,
        session: &SessionContext,
        statement: &Statement<'_>,
        inputs: &[Input],
        rows: &mut dyn Rows<Refusal = ()>,
    ) -> Result<(), ReadError<()>> {
        let mut plain_names = true;
        for input in inputs {
            let table = input.table(&session.state()).await?;
            plain_names &= input.has_plain_names();
            session.register_table(TableReference::bare(&*input.read.name), table).map_err(engine)?;
        }
        let plan = statement.plan(&session.state(), plain_names).await?;
        let columns: Vec<&str> = plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
        rows.begin(&columns).map_err(ReadError::Refused)?;
        rows::check(plan.schema().as_arrow())?;

        let frame = session.execute_logical_plan(plan.clone()).await;
        let batches = match frame {
            Ok(frame) => frame.execute_stream().await,
            Err(error) => Err(error),
        };
        let mut batches = batches.map_err(|error| self.unplanned(error, plain_names))?;
        let mut number = 1;
        while let Some(batch) = batches.next().await.transpose().map_err(|error| self.failed(&error))? {
            let taken = rows::each(&batch, number, |number, cells| rows.row(number, cells))?;
            taken.map_err(ReadError::Refused)?;
            number += batch.num_rows() as u64;
        }
        Ok(())
    }

    fn session(&self, scratch: &Path) -> Result<SessionContext, QueryError> {
        let memory = usize::try_from(self.memory_mb.saturating_mul(MB)).unwrap_or(usize::MAX);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
            .with_temp_file_path(scratch)
            .build_arc()
            .map_err(engine)?;
        let mut config = SessionConfig::new().with_target_partitions(1).with_collect_statistics(false);
        let options = config.options_mut();
        options.execution.parquet.schema_force_view_types = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.sort_spill_reservation_bytes = memory / 16;
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(config)
            .with_runtime_env(environment)
            .with_table_function_list(Vec::new())
            .with_analyzer_rule(Arc::new(CheckedArithmetic))
            .with_analyzer_rule(Arc::new(CheckedSums))
            .build();
        Ok(SessionContext::new_with_state(state))
    }

    /// Why a plan cannot be run.
    fn unplanned(&self, error: DataFusionError, plain_names: bool) -> QueryError {
        match statement::refused(&error, plain_names) {
            QueryError::Plan(told) if told.is_empty() => self.failed(&error),
            refused => refused,
        }
    }

    /// Why a query stopped. The engine's own words are left out: they quote the value that it could not convert.
    fn failed(&self, error: &DataFusionError) -> QueryError {
        match error.find_root() {
            DataFusionError::External(inner) => {
                inner.downcast_ref::<QueryError>().cloned().unwrap_or(QueryError::Value)
            }
            DataFusionError::ResourcesExhausted(_) => QueryError::Memory(self.memory_mb),
            DataFusionError::Plan(_) | DataFusionError::NotImplemented(_) => QueryError::Plan(String::new()),
            DataFusionError::IoError(error) => engine(error.kind()),
            // Read once for its digest already, so it is there: its content is what is wrong.
            DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) => QueryError::Damaged,
            DataFusionError::ArrowError(inner, _) if matches!(**inner, ArrowError::ParquetError(_)) => {
                QueryError::Damaged
            }
            DataFusionError::ArrowError(inner, _) if matches!(**inner, ArrowError::ArithmeticOverflow(_)) => {
                QueryError::Overflow
            }
            _ => QueryError::Value,
        }
    }
}

fn engine(error: impl std::fmt::Display) -> QueryError {
    QueryError::engine(error)
}

const MB: u64 = 1 << 20;
