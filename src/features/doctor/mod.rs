//! Doctor: looks at everything that a running server depends on, and says of each whether it is well,
//! and if not, how to mend it.
//!
//! Owns nothing and changes nothing, here and outside: every question is one that may be asked at any
//! time, of a server that serves and of one that stands still. The checks run at once, each within its
//! time; one that does not end is a finding too. Everything is found in Chinese and English: who reads it
//! chooses.

mod model;
pub mod service;

pub use model::{Extent, Finding, Level, Report, ToldFinding, ToldReport};
