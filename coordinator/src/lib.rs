//! The coordinator: thin gRPC handlers, the round driver and storage.

pub mod audit;
pub mod authority;
mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod drain;
pub mod driver;
mod durable;
pub mod engine;
pub mod event;
pub mod fact;
pub mod federation;
pub mod fsck;
mod gate;
pub mod health;
pub mod limits;
mod malformed;
pub mod migrate;
pub mod missing;
pub mod renewal;
pub mod revocation;
pub mod serve;
pub mod service;
pub mod store;
pub mod tls;
pub mod witnesses;
