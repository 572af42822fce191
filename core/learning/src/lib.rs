//! What a federation computes: job files and data contracts, tables, encoders, federated programs with both
//! their halves, models, and metrics; and what differential privacy would cost.
//!
//! Nothing here does I/O, reads a clock or draws randomness of its own. Everything that crosses from an
//! institution to the coordinator is a [`Contribution`](syndic_round::Contribution) to an encrypted sum.
//!
//! Elementary functions come from `libm`, so that both sides of a federation, and a replay years later, get
//! the same bits on every machine.

pub mod attack;
pub mod batch;
pub mod cell;
pub mod coefficients;
pub mod column;
pub mod contract;
mod customers;
pub mod data_report;
pub mod encode;
pub mod job;
mod linear;
pub mod linear_model;
pub mod measure;
pub mod metrics;
pub mod model;
pub mod network;
pub mod onnx;
pub mod optimiser;
mod packed;
pub mod privacy;
pub mod program;
pub mod promotion;
pub mod reference;
pub mod release;
pub mod scorecard;
pub mod staged;
pub mod table;
pub mod table_builder;
pub mod trees;

pub use batch::Batch;
pub use cell::Cell;
pub use coefficients::Coefficients;
pub use contract::{Column, ColumnKind, Contract, Label, Transform};
pub use data_report::{DataFinding, DataReport};
pub use encode::{Inputs, Standardisation};
pub use job::{Diagnostic, Job};
pub use linear_model::LinearModel;
pub use measure::{Calibration, Measure, Measured};
pub use metrics::detail::Detail;
pub use metrics::{Metrics, ScoreHistogram};
pub use model::{Model, ModelCard, ModelError, Scoring};
pub use network::{Network, NetworkModel};
pub use program::comparison::figures::ComparisonFigures;
pub use program::description::figures::StatisticsFigures;
pub use program::drift::against::Compared;
pub use program::drift::figures::{DriftFigures, Shift};
pub use program::drift::released::record::DriftRecord;
pub use program::external::model::{ExternalModel, RowScores};
pub use program::external::terms::ExternalTerms;
pub use program::fairness::figures::FairnessFigures;
pub use program::findings::Findings;
pub use program::job_table::JobTable;
pub use program::logistic_regression::inference::{Fit, Inferred};
pub use program::question::{Layouts, Question};
pub use program::run::{Ending, JobRun, Outcome, RoundMetrics};
pub use program::{Next, Program, ProgramError};
pub use scorecard::{ScorecardModel, ScorecardTable};
pub use table::{Role, Table};
pub use table_builder::TableBuilder;

#[cfg(test)]
mod fixture;
