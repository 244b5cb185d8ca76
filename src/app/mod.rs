//! Everything long-lived, built once.

pub mod limits;
