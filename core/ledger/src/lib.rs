#![no_std]
//! PLACEHOLDER
extern crate alloc;
