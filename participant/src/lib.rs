//! PLACEHOLDER

pub mod enrol;
pub mod keys;
pub mod tls;

pub mod journal;
