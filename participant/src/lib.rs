//! The agent at an institution: it trains on the institution's own rows, encrypts, and says no where it must.

pub mod agent;
pub mod config;
pub mod data;
mod durable;
pub mod enrol;
pub mod journal;
pub mod keys;
mod malformed;
pub mod models;
pub mod policy;
mod program;
mod shown;
pub mod tls;
pub mod trainer;
